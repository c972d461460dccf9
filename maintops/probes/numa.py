"""How memory and interrupts are spread over the processors: sysfs' nodes (numastat.rst of Linux), irqbalance."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import (
    Answer,
    Measured,
    NotMeasured,
    Part,
    Reading,
    SubjectFacts,
    UnreadableAnswer,
)
from maintops.probes.answering import named_parts, percent, present
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.processes import programs_of, running_programs

_NODE = "/sys/devices/system/node/"
_QUESTION = f"""\
part nodes grep -sH . {_NODE}node0/cpulist {_NODE}node[0-9]*/numastat /proc/sys/kernel/numa_balancing \\
  /sys/devices/system/cpu/online /sys/class/dmi/id/sys_vendor
{running_programs(["irqbalance"])}"""
_STAT = re.compile(r"/sys/devices/system/node/node([0-9]{1,4})/numastat:(numa_hit|numa_miss) ([0-9]{1,20})")
_RANGE = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?")
_ONLINE = "/sys/devices/system/cpu/online"
_BALANCING = "/proc/sys/kernel/numa_balancing"
_SEVERAL_NODES = frozenset({"miss_percent", "balancing"})


def question(parameters: Mapping[str, Any]) -> str:
    """The counters of every node, the processors, and whether irqbalance runs."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    found = named_parts(answer)
    if not {"nodes", "first", "programs"} <= found.keys():
        raise UnreadableAnswer("the answer about processors and memory is not whole")
    lines = found["nodes"].text.split("\n")
    files = dict(line.split(":", 1) for line in lines if line.startswith((_ONLINE, _BALANCING)) and ":" in line)
    stats = [match for match in map(_STAT.fullmatch, lines) if match]
    cpus = _count(files.get(_ONLINE, ""))
    if cpus is None:
        return NotMeasured("the kernel does not say how many processors there are")
    hits, misses = (sum(int(one[3]) for one in stats if one[2] == name) for name in ("numa_hit", "numa_miss"))
    nodes = len({one[1] for one in stats}) or 1
    several = nodes > 1
    facts = present(
        cpus=cpus,
        nodes=nodes,
        miss_percent=percent(misses, hits + misses) if several else None,
        balancing=files.get(_BALANCING, "").strip() not in ("", "0") if several and _BALANCING in files else None,
        irqbalance=_irqbalance(found),
    )
    return Measured((SubjectFacts(None, facts, _SEVERAL_NODES - facts.keys()),))


def _irqbalance(found: Mapping[str, Part]) -> bool | None:
    running = programs_of(found)
    return None if isinstance(running, NotMeasured) else bool(running)


def _count(ranges: str) -> int | None:
    """How many processors a list such as `0-3,6` names (the format of cpulists in sysfs)."""
    count = 0
    for one in ranges.strip().split(","):
        match = _RANGE.fullmatch(one)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first:
            return None
        count += last - first + 1
    return count


PROBE = Probe(
    name="numa",
    title="Memory and interrupts over the processors",
    facts={
        "cpus": Fact("int", "processors online", "processors"),
        "nodes": Fact("int", "groups of processors with memory of their own (NUMA nodes)", "nodes"),
        "miss_percent": Fact("float", "memory since boot that came from another node; not offered for one", "percent"),
        "balancing": Fact("bool", "the kernel moves memory to where it is used; not offered for one node"),
        "irqbalance": Fact("bool", "irqbalance runs: it spreads interrupts over the processors"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
)
