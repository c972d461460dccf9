"""The machine's swap space, from /proc/meminfo (proc_meminfo(5))."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts, UnreadableAnswer, parts
from maintops.probes.answering import percent, present, refusal, text_of
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.free_tables import (
    FREE,
    SWAPS,
    free_row,
    recorded_free,
    recorded_meminfo,
    recorded_swapon,
    recorded_swaps,
    share,
)
from maintops.probes.memory import meminfo
from maintops.probes.recorded import recording_of, silence


def question(parameters: Mapping[str, Any]) -> str:
    """The whole file: the two lines of interest make no difference in size."""
    return "cat /proc/meminfo"


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server. A server without swap has 0 bytes of it, and no percentage."""
    if (why := silence(answer) or refusal(answer)) is not None:
        return why
    recorded = parts(answer.stdout)
    if FREE in recorded:
        return _free(recorded[FREE].text)
    if SWAPS in recorded:
        return _subject(*_areas(recorded[SWAPS].text))
    kilobytes = meminfo(text_of(answer))
    total, free = kilobytes.get("SwapTotal"), kilobytes.get("SwapFree")
    if total is None or free is None or free > total:
        raise UnreadableAnswer("/proc/meminfo says nothing sensible about swap")
    return _subject(total, total - free)


def _subject(total: int, used: int) -> Measured:
    """Both in KiB."""
    full = percent(used, total)
    facts = present(total_bytes=total * 1024, used_bytes=used * 1024, used_percent=full)
    return Measured((SubjectFacts(None, facts, frozenset({"used_percent"} if full is None else ())),))


def _areas(text: str) -> tuple[int, int]:
    total, _, used = text.strip().partition(" ")
    if not (total.isdigit() and used.isdigit()) or len(text) > 40 or int(used) > int(total):
        raise UnreadableAnswer("these areas of swap say nothing sensible")
    return int(total), int(used)


def _free(text: str) -> Reading:
    row = free_row(text, "Swap")
    if row is not None and row.get("total", (1.0, True))[0] == 0:
        return _subject(0, 0)
    used = share(row or {}, "used", "total")
    if used is None:
        return NotMeasured("this table of free does not say how much swap is used")
    return Measured((SubjectFacts(None, {"used_percent": used}),))


PROBE = Probe(
    name="swap",
    title="How much swap space is used",
    facts={
        "total_bytes": Fact("int", "size of all swap space; 0 where there is none", "bytes"),
        "used_bytes": Fact("int", "what is used of it", "bytes"),
        "used_percent": Fact("float", "used of all swap; not offered where there is none", "percent"),
    },
    question=question,
    read=read,
    presence=Presence.LASTING,
    recording=recording_of(
        "/proc/meminfo, /proc/swaps, output of swapon or a table of free",
        *(recorded_meminfo, recorded_free, recorded_swaps, recorded_swapon),
    ),
)
