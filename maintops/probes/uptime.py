"""How long the server has been up, and what tells this boot from the one before.

On a machine of its own the boot id changes with every boot. A container shares its machine's: there the start of
process 1 tells. That is read from /proc/1/stat (field 22, proc_pid_stat(5)); the time stamp of /proc/1 itself is the
moment at which something first looked at it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from maintops.domain.answers import Answer, Measured, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import decimal, integer, present, printed_files, refusal
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.recorded import as_it_is, recording_of, silence

_UPTIME = "/proc/uptime"
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_KERNEL = "/proc/sys/kernel/osrelease"
_INIT = "/proc/1/stat"
_STAT = "/proc/stat"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PRINTED = re.compile(rf"(?m)^{_UPTIME}:")
_BARE = re.compile(r"\s*([0-9]{1,12}\.[0-9]{1,4}) [0-9]{1,14}\.[0-9]{1,4}\s*")
_SENTENCE = re.compile(
    r"\bup +(?:([0-9]{1,6}) days?,? *)?(?:([0-9]{1,2}):([0-9]{2})\b|([0-9]{1,2}) (?:hrs?)\b|([0-9]{1,2}) mins?\b)?"
)
_PRETTY = re.compile(r"up ((?:[0-9]{1,6} (?:year|week|day|hour|minute|decade|month)s?(?:, )?)+)\s*")
_PRETTY_SECONDS = {
    "decade": 315_360_000,
    "year": 31_536_000,
    "week": 604_800,
    "day": 86_400,
    "hour": 3600,
    "minute": 60,
}
_LATEST = 2**33
"""The year 2242: what lies beyond is no time of a boot."""


def question(parameters: Mapping[str, Any]) -> str:
    """Five plain files."""
    return f"grep -sH . {_UPTIME} {_BOOT_ID} {_KERNEL} {_INIT}\ngrep -sH '^btime' {_STAT}\n"


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    if (why := silence(answer) or refusal(answer)) is not None:
        return why
    files = printed_files(answer)
    seconds = decimal(files.get(_UPTIME, "").partition(" ")[0])
    if seconds is None or seconds < 0:
        raise UnreadableAnswer(f"the answer does not hold {_UPTIME}")
    boot = files.get(_BOOT_ID, "").strip()
    facts = present(
        uptime_seconds=int(seconds),
        boot_id=boot if _UUID.fullmatch(boot) else None,
        booted_at=_booted_at(files.get(_STAT, "")),
        kernel=files.get(_KERNEL, "").strip() or None,
        init_started=_init_started(files.get(_INIT, "")),
    )
    return Measured((SubjectFacts(None, facts),))


def _booted_at(line: str) -> str | None:
    name, _, figure = line.partition(" ")
    epoch = integer(figure)
    if name != "btime" or epoch is None or not 0 < epoch < _LATEST:
        return None
    return datetime.fromtimestamp(epoch, UTC).isoformat()


def _init_started(stat: str) -> int | None:
    """The name of the process, in parentheses, may itself hold spaces and parentheses."""
    fields = stat.rpartition(")")[2].split()
    return integer(fields[19]) if len(fields) > 19 else None


def _recorded(text: str) -> Answer | None:
    """The files as grep prints them, /proc/uptime alone, or what uptime says, to the minute."""
    if _PRINTED.search(text):
        return as_it_is(text)
    if (bare := _BARE.fullmatch(text)) is not None:
        return as_it_is(f"{_UPTIME}:{bare[1]} 0\n")
    if (pretty := _PRETTY.fullmatch(text)) is not None:
        spans = re.findall(r"([0-9]+) ([a-z]+?)s?\b", pretty[1])
        if any(unit not in _PRETTY_SECONDS for _, unit in spans):  # a month is no number of seconds
            return None
        return as_it_is(f"{_UPTIME}:{sum(int(count) * _PRETTY_SECONDS[unit] for count, unit in spans)}.00 0\n")
    found = _SENTENCE.search(text)
    if found is None or not any(found.groups()) or "load average" not in text:
        return None
    days, hours, minutes, only_hours, only_minutes = (int(one or 0) for one in found.groups())
    seconds = days * 86_400 + (hours + only_hours) * 3600 + (minutes + only_minutes) * 60
    return as_it_is(f"{_UPTIME}:{seconds}.00 0\n")


PROBE = Probe(
    name="uptime",
    title="Uptime, and an unexpected reboot",
    facts={
        "uptime_seconds": Fact("int", "time since the boot", "seconds"),
        "boot_id": Fact("str", "the kernel's name for this boot; a container has that of its machine"),
        "booted_at": Fact("str", "when it was booted: ISO 8601, UTC; moves with the clock"),
        "kernel": Fact("str", "release of the kernel that runs"),
        "init_started": Fact(
            "int",
            "when process 1 was started, counted from the machine's boot: changes when a container is started again"
            " although its boot_id stays",
            "clock ticks",
        ),
    },
    question=question,
    read=read,
    presence=Presence.LASTING,
    recording=recording_of("/proc/uptime or output of uptime", _recorded),
)
