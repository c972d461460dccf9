"""What the kernel complains about: its messages of the levels emergency, alert, critical and error of the last hours.

`dmesg -r` prints every message as `<N>[SECONDS] TEXT`: N is 8 times the facility plus the level (0 is the worst, 3 is
an error; facility 0 is the kernel itself), the seconds count from the boot (syslog(2), dmesg(1)). util-linux and
busybox agree in this format and in little else. The log is the machine's memory of this boot: messages that were
crowded out of its ring buffer, and those of earlier boots, are not counted.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Part, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import decimal, integer, named_parts, present, refusal, remark
from maintops.probes.contract import Fact, Parameter, Presence, Probe
from maintops.probes.recorded import recording_in, silence

MOST_LINES = 2000
"""A kernel that floods its log must not make this check fail: so many of the latest messages are enough."""

LONGEST = 400
"""Characters of a message that are looked at."""

LATEST = 20
"""Messages that `latest` holds."""

WITHOUT_LEVELS = "without levels"
"""The part that holds the messages of a log that does not tell their levels."""

HARMLESS = [
    "ERST: Failed to get Error Log Address Range.",
    "Fast TSC calibration failed",
    "Asking for cache data failed",
    "Assuming drive cache: write through",
    "No Caching mode page found",
    "Ignoring unsafe software power cap",
    "shpchp 0000:",
]
"""Messages of level error that healthy hardware gives at every boot."""

_LOG = f"""{{ dmesg -r; printf '.%s\\n' "$?"; }} |
grep -e '^<[0-3]>' -e '^[.][0-9]' | tail -n {MOST_LINES} | cut -c 1-{LONGEST}"""
_MESSAGE = re.compile(r"<[0-3]>(?:\[ *([0-9]{1,12}\.[0-9]{1,9})\])?.*")
_OOM_KILL = re.compile(r"\bKilled process [0-9]+")
_HARDWARE = re.compile(
    r"\[Hardware Error\]|\bmce: |\bMachine check|\bEDAC [^ ]+ ?[0-9]*: .*\b(?:CE|UE)\b|\bAER: .*error", re.I
)
_IO = re.compile(
    r"I/O error|blk_update_request: |critical (?:medium|target|nexus|space allocation) error|Medium Error"
    r"|\b(?:EXT[234]-fs|XFS|BTRFS|F2FS-fs|JBD2|NILFS|FAT-fs|SQUASHFS)\b.*(?:error|critical|corrupt|abort)"
    r"|\bata[0-9.]+: .*(?:failed command|exception|error:)|\bnvme\S*: .*(?:timeout|error|reset controller|fatal)"
    r"|rejecting I/O to|Remounting filesystem read-only|\bmd/raid.*(?:failure|not clean|error)",
    re.IGNORECASE,
)

# Healthy hardware says this at its boot, below the level of an error: for recordings that do not tell the levels.
_REMARK = re.compile(
    r"\berrors=|BTRFS info|Shutdown timeout set|\bmce: (?:CPU|Using|Machine check (?:polling|injector))|In-kernel MCE"
    r"|machine check (?:architecture supported|reporting enabled|polling timer)|Thermal monitoring|AER: enabled"
    r"|Correctable Errors collector|error (?:log|injection|decoding|reporting) (?:is )?(?:initiali[sz]ed|enabled)"
    r"|(?:corrected|hardware) errors?\.?$|Command line: |loglevel|Opts: ",
    re.IGNORECASE,
)
_COMPLAINT = re.compile(
    rf"{_OOM_KILL.pattern}|{_HARDWARE.pattern}|{_IO.pattern}|\b(?:errors?|fail(?:ed|s|ure|ing)?|fault|bad|bug|oops|panic"
    r"|stalls?|stalled|hung|lockup|corrupt\w*|critical|fatal|tainted|unable|timed out|timeout|blocked for more than"
    r"|call trace|segfault|overheat\w*|throttled|unrecoverable|uncorrect\w*|link is down|offline\w*|out of memory)\b",
    re.IGNORECASE,
)


def question(parameters: Mapping[str, Any]) -> str:
    """The log, its own exit status as its last line (`.0`); the uptime, to tell how old a message is."""
    uptime, vmstat = "part uptime cat /proc/uptime", "part vmstat grep '^oom_kill ' /proc/vmstat"
    return f"part log sh -c {shlex.quote(_LOG)}\n{uptime}\n{vmstat}\n"


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    if (why := silence(answer) or refusal(answer)) is not None:
        return why
    parts = named_parts(answer)
    if WITHOUT_LEVELS in parts:
        return _without_levels(parts[WITHOUT_LEVELS], parameters)
    if "log" not in parts:
        raise UnreadableAnswer("the answer does not hold the kernel's log")
    if not parts["log"].output.strip():  # not even the line with dmesg's status
        return NotMeasured(f"the kernel's log could not be asked for: {remark(answer) or 'a tool is missing'}")
    messages, status = _messages(parts["log"])
    if status != 0:
        said = remark(answer) or f"exit status {status}"
        return NotMeasured(f"the kernel's log may not be read: {said}" if status != 127 else "no such command: dmesg")
    uptime = decimal(parts["uptime"].text.partition(" ")[0]) if "uptime" in parts else None
    recent = _recent(messages, uptime, _hours(parameters))
    facts = _facts([one for one in recent if not _harmless(one, parameters)])
    counted = parts.get("vmstat", Part(None, b""))
    total = integer(counted.text.partition(" ")[2])
    absent = {"oom_kills_since_boot"} if counted.status == 1 else set()  # grep found no such line
    return Measured((SubjectFacts(None, facts | present(oom_kills_since_boot=total), frozenset(absent)),))


def _facts(messages: list[str]) -> dict[str, object]:
    return {
        "errors": len(messages),
        "oom_kills": _count(_OOM_KILL, messages),
        "io_errors": _count(_IO, messages),
        "hardware_errors": _count(_HARDWARE, messages),
        "latest": [message[3:] for message in messages[-LATEST:]],
    }


def _without_levels(part: Part, parameters: Mapping[str, Any]) -> Measured:
    """A recording that does not tell errors from remarks: what is said in so many words is counted all the same."""
    lines = [line[:LONGEST] for line in part.text.split("\n") if line.strip()]
    messages = [one for one in lines if not _harmless(one, parameters) and not _REMARK.search(one)]
    facts = {
        "oom_kills": _count(_OOM_KILL, messages),
        "io_errors": _count(_IO, messages),
        "hardware_errors": _count(_HARDWARE, messages),
        "latest": [one for one in messages if _COMPLAINT.search(one)][-LATEST:],
    }
    return Measured((SubjectFacts(None, facts),))


def _messages(part: Part) -> tuple[list[str], int]:
    """The messages, and dmesg's exit status, which is the last line."""
    *lines, last = part.text.rstrip("\n").split("\n")
    status = integer(last[1:]) if last.startswith(".") else None
    if status is None:
        raise UnreadableAnswer("the kernel's log does not end with the status of dmesg")
    messages = [line[:LONGEST] for line in lines if not line.startswith(".")]
    for line in messages:
        if not _MESSAGE.fullmatch(line):
            raise UnreadableAnswer(f"this is not a line of dmesg -r: {line[:80]!r}")
    return messages, status


def _recent(messages: Iterable[str], uptime: float | None, hours: float) -> list[str]:
    """The messages of the last hours; one without a time (printk.time=0) counts, because it may be new."""
    since = uptime - hours * 3600 if uptime is not None else 0.0
    return [line for line in messages if (at := _seconds(line)) is None or at >= since]


def _seconds(line: str) -> float | None:
    found = _MESSAGE.fullmatch(line)
    return decimal(found[1]) if found else None


def _harmless(message: str, parameters: Mapping[str, Any]) -> bool:
    ignored = parameters.get("ignore", HARMLESS) or ()
    several = ignored if isinstance(ignored, list | tuple) else (ignored,)
    return any(str(one) in message for one in several if str(one))


def _count(pattern: re.Pattern[str], messages: Iterable[str]) -> int:
    return sum(pattern.search(message) is not None for message in messages)


def _hours(parameters: Mapping[str, Any]) -> float:
    given = parameters.get("hours", 24)
    hours = decimal(str(given))
    if hours is None or hours <= 0:
        raise UnreadableAnswer(f"the parameter hours must be a number above 0, not {given!r}")
    return hours


PROBE = Probe(
    name="kernel-log",
    title="Kernel errors and OOM kills",
    facts={
        "errors": Fact("int", f"messages of level error or worse, of the latest {MOST_LINES} that the log holds"),
        "oom_kills": Fact("int", "processes that the kernel killed for want of memory, among those messages"),
        "oom_kills_since_boot": Fact(
            "int", "the kernel's own count of them since the boot; not offered before Linux 4.13"
        ),
        "io_errors": Fact("int", "messages about disks and file systems, among those messages"),
        "hardware_errors": Fact("int", "messages about processors, memory and buses, among those messages"),
        "latest": Fact(
            "list",
            f"the latest of those messages, at most {LATEST}; of a recording without levels: what reads like one",
        ),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    recording=recording_in("maintops.probes.kernel_log_recorded"),
    parameters={
        "hours": Parameter(24, "how far to look back"),
        "ignore": Parameter(HARMLESS, "pieces of messages that do not count"),
    },
)
