"""What smartctl reported of one disk, whichever way it was printed, and the facts that follow from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from maintops.domain.answers import SubjectFacts
from maintops.probes.answering import present
from maintops.probes.nvme_warnings import warning_words
from maintops.probes.smart_attributes import HOURS, MEANINGS, TEMPERATURE, Attribute, count_of, lists
from maintops.probes.smart_wear import counts_wear, life_used

NOTHING_MEASURED = 0b0000_0011
"""Bits of the exit status: a wrong command line, a device that could not be opened (or that sleeps)."""

DISK_FAILING = 0b0000_1000
"""Bit of the exit status: the disk itself says that it is failing."""

EXIT_BITS = {
    "status_incomplete": 0b0000_0100,
    "status_failing": 0b0000_1000,
    "status_prefail_now": 0b0001_0000,
    "status_prefail_past": 0b0010_0000,
    "status_error_log": 0b0100_0000,
    "status_self_test_log": 0b1000_0000,
}
"""Facts that are bits of the exit status. The last three speak of a disk's history: 64 alone is often harmless."""

_ONLY_NVME = frozenset(
    {
        "available_spare_percent",
        "available_spare_threshold_percent",
        "critical_warning",
        "critical_warnings",
        "unsafe_shutdowns",
    }
)
_ONLY_SCSI = frozenset({"non_medium_errors", "temperature_trip_celsius"})
_ONLY_ATA = frozenset({"pending_sectors", "offline_uncorrectable", "crc_errors", "failing_attributes", "wear_unclear"})
_NOT_OF = {
    "ATA": _ONLY_NVME | _ONLY_SCSI,
    "NVMe": _ONLY_ATA | _ONLY_SCSI | {"reallocated_sectors"},
    "SCSI": _ONLY_ATA | _ONLY_NVME | {"error_log_count"},
}
"""Facts that disks of a protocol do not have at all."""

_WHERE_SAID = frozenset(
    {
        "temperature_celsius",
        "temperature_trip_celsius",
        "power_on_hours",
        "percentage_used",
        "non_medium_errors",
        "self_test_passed",
        "self_tests_logged",
        "self_test_age_hours",
        "error_log_count",
    }
)
"""Facts that some disks have and others do not; and some only with a newer smartctl."""

_TEST_HOURS_WRAP = 65536
"""ATA and SCSI disks note the hour of a self-test in two bytes: it begins again at 0."""


@dataclass(frozen=True, slots=True)
class SelfTest:
    """A line of a disk's log of self-tests. `passed` is None for one that was aborted or still runs, `hours` how long
    the disk had been powered when it ended."""

    passed: bool | None
    extended: bool
    hours: int | None = None


@dataclass(frozen=True, slots=True)
class Disk:
    """One disk's report. None stands for what it does not say. `attributes` is None where there is no table, `why_not`
    the reason why nothing was measured, `tests` its log of self-tests, the latest first (None: it was not read)."""

    protocol: str | None = None
    model: str | None = None
    serial: str | None = None
    firmware: str | None = None
    passed: bool | None = None
    temperature: int | None = None
    hours: int | None = None
    attributes: tuple[Attribute, ...] | None = None
    tests: tuple[SelfTest, ...] | None = None
    figures: Mapping[str, int] = field(default_factory=dict)
    exit_status: int | None = None
    why_not: str | None = None


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


def facts_of(subject: str, device: str | None, disk: Disk) -> SubjectFacts:
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
    counts = {fact: count_of(table, number, name) for fact, (number, name) in MEANINGS.items()}
    wear = {"percentage_used": life_used(table, disk.model)}
    failing = [one.name for one in table if one.failing] if disk.attributes is not None else None
    hours = disk.hours if disk.hours is not None else count_of(table, 9, HOURS)
    warning = disk.figures.get("critical_warning")
    return present(
        **(wear | counts | dict(disk.figures)),
        **_bits(disk.exit_status),
        **_tested(disk, hours),
        passed=disk.passed,
        temperature_celsius=_temperature(disk, table),
        power_on_hours=hours,
        failing_attributes=failing,
        wear_unclear=_wear_unclear(disk),
        critical_warnings=warning_words(warning) if warning is not None else None,
        exit_status=disk.exit_status,
    )


def _wear_unclear(disk: Disk) -> bool | None:
    """Whether an ATA disk counts its wear, and only in ways that are not known here."""
    if disk.attributes is None:
        return None
    known = "percentage_used" in disk.figures or life_used(disk.attributes, disk.model) is not None
    return not known and counts_wear(disk.attributes)


def _bits(exit_status: int | None) -> dict[str, bool | None]:
    return {name: None if exit_status is None else bool(exit_status & bit) for name, bit in EXIT_BITS.items()}


def _temperature(disk: Disk, table: tuple[Attribute, ...]) -> int | None:
    temperature = disk.temperature
    for number in (194, 190):
        temperature = temperature if temperature is not None else count_of(table, number, TEMPERATURE)
    if temperature == 0 and disk.protocol == "ATA":  # no sensor: so says smartctl's own source
        return None
    return temperature if temperature is not None and -40 < temperature < 126 else None


def _tested(disk: Disk, hours: int | None) -> dict[str, Any]:
    """What the log of self-tests says: how many, how the latest went, and how long ago one came to an end."""
    if disk.tests is None:
        return {}
    ended = next((test.hours for test in disk.tests if test.passed is not None), None)
    age = hours - ended if hours is not None and ended is not None else None
    if age is not None and disk.protocol != "NVMe":
        age %= _TEST_HOURS_WRAP
    return {
        "self_tests_logged": len(disk.tests),
        "self_test_passed": judge_self_tests(disk.tests),
        "self_test_age_hours": age if age is not None and age >= 0 else None,
    }


def _absent(disk: Disk) -> frozenset[str]:
    """What this disk does not have: by its protocol; by its own table, which lists what it counts; and what it was
    asked for and does not say although smartctl read everything."""
    absent = set(_NOT_OF.get(disk.protocol or "", ()))
    if disk.attributes is not None:
        absent |= {fact for fact, (number, name) in MEANINGS.items() if not lists(disk.attributes, number, name)}
    if disk.tests is not None and judge_self_tests(disk.tests) is None:
        absent |= {"self_test_passed", "self_test_age_hours"}
    if _read_to_the_end(disk):
        absent |= _WHERE_SAID
    if _wear_unclear(disk):
        absent.add("percentage_used")
    return frozenset(absent)


def _read_to_the_end(disk: Disk) -> bool:
    if disk.exit_status is None or disk.exit_status & EXIT_BITS["status_incomplete"]:
        return False
    return disk.attributes is not None if disk.protocol == "ATA" else bool(disk.figures)
