"""The load averages against the number of processors: /proc/loadavg (proc_loadavg(5)) and sysfs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import decimal, present, printed_files, refusal
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.recorded import as_it_is, recording_of, silence

_LOADAVG = "/proc/loadavg"
_ONLINE = "/sys/devices/system/cpu/online"
_PRINTED = re.compile(rf"(?m)^{_LOADAVG}:")
_BARE = re.compile(r"\s*([0-9.]+ [0-9.]+ [0-9.]+) [0-9]+/[0-9]+ [0-9]+\s*")
_SENTENCE = re.compile(r"load averages?: +([0-9]+[.,][0-9]+),? +([0-9]+[.,][0-9]+),? +([0-9]+[.,][0-9]+)")
_RANGE = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?")


def question(parameters: Mapping[str, Any]) -> str:
    """Two plain files."""
    return f"grep -sH . {_LOADAVG} {_ONLINE}"


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    if (why := silence(answer) or refusal(answer)) is not None:
        return why
    files = printed_files(answer)
    if _LOADAVG not in files:
        raise UnreadableAnswer(f"the answer does not hold {_LOADAVG}")
    averages = [decimal(word) for word in files[_LOADAVG].split()[:3]]
    if len(averages) < 3 or None in averages:
        raise UnreadableAnswer(f"this is not {_LOADAVG}: {files[_LOADAVG][:80]!r}")
    load1, load5, load15 = averages
    cores = _count(files[_ONLINE]) if _ONLINE in files else None
    per_core = round(load15 / cores, 2) if cores and load15 is not None else None
    return Measured(
        (SubjectFacts(None, present(load1=load1, load5=load5, load15=load15, cores=cores, load_per_core=per_core)),)
    )


def _count(ranges: str) -> int:
    """How many processors a list such as `0-3,6` names (the format of cpulists in sysfs)."""
    count = 0
    for one in ranges.strip().split(","):
        found = _RANGE.fullmatch(one)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if last < first:
            raise UnreadableAnswer(f"this is not a list of processors: {ranges[:80]!r}")
        count += last - first + 1
    return count


def _recorded(text: str) -> Answer | None:
    """The files as grep prints them, /proc/loadavg alone, or the sentence of uptime, w and top. None of the latter says
    how many processors there are."""
    if _PRINTED.search(text):
        return as_it_is(text)
    if (bare := _BARE.fullmatch(text)) is not None:
        return as_it_is(f"{_LOADAVG}:{bare[1]}\n")
    found = _SENTENCE.search(text)
    return as_it_is(f"{_LOADAVG}:{' '.join(found.groups()).replace(',', '.')}\n") if found else None


PROBE = Probe(
    name="load",
    title="Load per core",
    facts={
        "load1": Fact("float", "mean number of tasks that ran or waited, over the last minute"),
        "load5": Fact("float", "the same over five minutes"),
        "load15": Fact("float", "the same over fifteen minutes"),
        "cores": Fact("int", "processors online"),
        "load_per_core": Fact("float", "load15 divided by the processors online"),
    },
    question=question,
    read=read,
    presence=Presence.LASTING,
    recording=recording_of("/proc/loadavg or output of uptime, w or top", _recorded),
)
