"""What smartctl reported of one disk, whichever way it was printed, and the facts that follow from it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from maintops.domain.answers import SubjectFacts
from maintops.probes.answering import present

NOTHING_MEASURED = 0b0000_0011
"""Bits of the exit status: a wrong command line, a device that could not be opened (or that sleeps)."""

SOMETHING_MISSING = 0b0000_0100
"""Bit of the exit status: a command to the disk failed, so that what it would have said is not known."""

DISK_FAILING = 0b0000_1000
"""Bit of the exit status: the disk itself says that it is failing."""

_NOT_OF = {
    "ATA": frozenset({"available_spare_percent", "available_spare_threshold_percent", "critical_warning"}),
    "NVMe": frozenset({"reallocated_sectors", "pending_sectors", "offline_uncorrectable", "failing_attributes"}),
    "SCSI": frozenset(
        {
            "available_spare_percent",
            "available_spare_threshold_percent",
            "critical_warning",
            "pending_sectors",
            "offline_uncorrectable",
            "failing_attributes",
            "error_log_count",
        }
    ),
}
"""Facts that disks of a protocol do not have at all."""

_WHERE_SAID = frozenset(
    {"temperature_celsius", "power_on_hours", "percentage_used", "self_test_passed", "error_log_count"}
)
"""Facts that some disks have and others do not; and some only with a newer smartctl."""

# What an attribute means hangs on its number and its maker: only where the name that smartmontools' own drive database
# gives it says so too is it taken (Crucial's 197, `Bogus_Current_Pend_Sect`, is none).
_MEANINGS = {
    "reallocated_sectors": (5, re.compile(r"real+oc|retired|bad_bl|remap", re.IGNORECASE)),
    "pending_sectors": (197, re.compile(r"pending", re.IGNORECASE)),
    "offline_uncorrectable": (198, re.compile(r"uncorrect|offline_unc", re.IGNORECASE)),
    "media_errors": (187, re.compile(r"uncorrect|reported_unc", re.IGNORECASE)),
}
_HOURS = re.compile(r"power_on_h|power.on.time", re.IGNORECASE)
_TEMPERATURE = re.compile(r"temperature", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Attribute:
    """A line of an ATA disk's table: `raw` is the count in it (None: it is not plain what the count would be)."""

    id: int
    name: str
    raw: int | None
    failing: bool = False


@dataclass(frozen=True, slots=True)
class Disk:
    """One disk's report. None stands for what it does not say. `attributes` is None where there is no table, `why_not`
    the reason why nothing was measured. `tested` says that its log of self-tests was read, `self_test_passed` what
    follows from it; see `judge_self_tests`."""

    protocol: str | None = None
    model: str | None = None
    serial: str | None = None
    firmware: str | None = None
    passed: bool | None = None
    temperature: int | None = None
    hours: int | None = None
    attributes: tuple[Attribute, ...] | None = None
    tested: bool = False
    self_test_passed: bool | None = None
    figures: Mapping[str, int] = field(default_factory=dict)
    exit_status: int | None = None
    why_not: str | None = None


@dataclass(frozen=True, slots=True)
class SelfTest:
    """A line of a disk's log of self-tests. `passed` is None for one that was aborted or still runs."""

    passed: bool | None
    extended: bool


def judge_self_tests(tests: Iterable[SelfTest]) -> bool | None:
    """Whether a disk passed, from its log, latest test first: a failed test counts until an extended one has passed
    after it (as it does for smartctl's exit status). None where no test came to an end."""
    verdict = None
    for test in tests:
        if test.passed is False:
            return False
        if test.passed:
            verdict = True
            if test.extended:
                break
    return verdict


def facts_of(subject: str, device: str, disk: Disk) -> SubjectFacts:
    """The facts of one disk. What its protocol knows and the report does not say stays unmeasured."""
    named = present(device=device, model=disk.model, serial=disk.serial, firmware=disk.firmware, protocol=disk.protocol)
    if disk.why_not is not None:
        return SubjectFacts(subject, named, why_not=disk.why_not)
    if disk.passed is None and not disk.figures and not disk.attributes:
        return SubjectFacts(subject, named, why_not="it gives no SMART data (a RAID volume, a USB bridge?)")
    facts = named | _measured(disk)
    return SubjectFacts(subject, facts, _absent(disk) - set(facts))


def _measured(disk: Disk) -> dict[str, Any]:
    table = disk.attributes or ()
    counts = {fact: _count(table, number, name) for fact, (number, name) in _MEANINGS.items()}
    failing = [one.name for one in table if one.failing] if disk.attributes is not None else None
    hours = disk.hours if disk.hours is not None else _count(table, 9, _HOURS)
    temperature = disk.temperature
    for number in (194, 190):
        temperature = temperature if temperature is not None else _count(table, number, _TEMPERATURE)
    if temperature == 0 and disk.protocol == "ATA":  # no sensor: so says smartctl's own source
        temperature = None
    return present(
        **(counts | dict(disk.figures)),
        passed=disk.passed,
        temperature_celsius=temperature if temperature is not None and -40 < temperature < 126 else None,
        power_on_hours=hours,
        failing_attributes=failing,
        self_test_passed=disk.self_test_passed,
        exit_status=disk.exit_status,
    )


def _count(table: tuple[Attribute, ...], number: int, name: re.Pattern[str]) -> int | None:
    return next((one.raw for one in table if one.id == number and name.search(one.name)), None)


def _absent(disk: Disk) -> frozenset[str]:
    """What this disk does not have: by its protocol; by its own table, which lists what it counts; and what it was
    asked for and does not say although smartctl read everything."""
    absent = set(_NOT_OF.get(disk.protocol or "", ()))
    if disk.attributes is not None:
        absent |= {fact for fact, (number, name) in _MEANINGS.items() if not _lists(disk.attributes, number, name)}
    if disk.tested and disk.self_test_passed is None:
        absent.add("self_test_passed")
    if _read_to_the_end(disk):
        absent |= _WHERE_SAID
    return frozenset(absent)


def _lists(table: tuple[Attribute, ...], number: int, name: re.Pattern[str]) -> bool:
    return any(one.id == number and name.search(one.name) for one in table)


def _read_to_the_end(disk: Disk) -> bool:
    if disk.exit_status is None or disk.exit_status & SOMETHING_MISSING:
        return False
    return disk.attributes is not None if disk.protocol == "ATA" else bool(disk.figures)
