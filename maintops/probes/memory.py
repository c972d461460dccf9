"""The machine's memory, from /proc/meminfo (proc_meminfo(5))."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts, UnreadableAnswer, parts
from maintops.probes.answering import percent, present, refusal, text_of
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.free_tables import FREE, free_row, recorded_free, recorded_meminfo, share
from maintops.probes.recorded import recording_of, silence

_LINE = re.compile(r"^([A-Za-z0-9_()]+):[ \t]+([0-9]{1,15})(?: kB)?[ \t]*$", re.MULTILINE)


def question(parameters: Mapping[str, Any]) -> str:
    """The whole file."""
    return "cat /proc/meminfo"


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    if (why := silence(answer) or refusal(answer)) is not None:
        return why
    if (table := parts(answer.stdout).get(FREE)) is not None:
        return _free(table.text)
    kilobytes = meminfo(text_of(answer))
    total, available = kilobytes["MemTotal"], kilobytes.get("MemAvailable")
    broken = kilobytes.get("HardwareCorrupted")
    facts = present(
        total_bytes=total * 1024,
        available_bytes=None if available is None else available * 1024,
        available_percent=None if available is None else percent(available, total),
        corrupted_bytes=None if broken is None else broken * 1024,
    )
    return Measured((SubjectFacts(None, facts, frozenset({"corrupted_bytes"} if broken is None else ())),))


def _free(text: str) -> Reading:
    available = share(free_row(text, "Mem") or {}, "available", "total")
    if available is None:
        return NotMeasured("this table of free does not say how much memory is available")
    return Measured((SubjectFacts(None, {"available_percent": available}),))


def meminfo(text: str) -> dict[str, int]:
    """The figures of /proc/meminfo by name, in KiB; MemTotal is among them.

    Raises UnreadableAnswer for any other text.
    """
    figures = {name: int(figure) for name, figure in _LINE.findall(text)}
    if figures.get("MemTotal", 0) <= 0:
        raise UnreadableAnswer("the answer is not /proc/meminfo: it has no MemTotal")
    return figures


PROBE = Probe(
    name="memory",
    title="How much memory is left",
    facts={
        "total_bytes": Fact("int", "memory that the kernel can use", "bytes"),
        "available_bytes": Fact(
            "int", "what programs can still have without swapping; kernels before 3.14 do not say", "bytes"
        ),
        "available_percent": Fact("float", "available of all memory", "percent"),
        "corrupted_bytes": Fact("int", "memory that the kernel took out of use because it is broken", "bytes"),
    },
    question=question,
    read=read,
    presence=Presence.LASTING,
    recording=recording_of("/proc/meminfo or a table of free", recorded_meminfo, recorded_free),
)
