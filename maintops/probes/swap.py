"""The machine's swap space, from /proc/meminfo (proc_meminfo(5))."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import percent, present, refusal, text_of
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.memory import meminfo


def question(parameters: Mapping[str, Any]) -> str:
    """The whole file: the two lines of interest make no difference in size."""
    return "cat /proc/meminfo"


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server. A server without swap has 0 bytes of it, and no percentage."""
    if (why := refusal(answer)) is not None:
        return why
    kilobytes = meminfo(text_of(answer))
    total, free = kilobytes.get("SwapTotal"), kilobytes.get("SwapFree")
    if total is None or free is None or free > total:
        raise UnreadableAnswer("/proc/meminfo says nothing sensible about swap")
    share = percent(total - free, total)
    facts = present(total_bytes=total * 1024, used_bytes=(total - free) * 1024, used_percent=share)
    return Measured((SubjectFacts(None, facts, frozenset({"used_percent"} if share is None else ())),))


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
)
