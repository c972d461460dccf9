"""What decides the clock of the processors: cpufreq's files in sysfs (cpufreq.rst of Linux's admin guide)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import integer, present, printed_files, refusal
from maintops.probes.contract import Fact, Presence, Probe

_CPU = "/sys/devices/system/cpu/"
_QUESTION = f"""\
cd {_CPU} && grep -sH . {_CPU}online {_CPU}intel_pstate/no_turbo {_CPU}cpufreq/boost \\
  {_CPU}cpu[0-9]*/cpufreq/scaling_governor {_CPU}cpu[0-9]*/cpufreq/scaling_driver \\
  {_CPU}cpu[0-9]*/cpufreq/energy_performance_preference {_CPU}cpu[0-9]*/cpufreq/cpuinfo_max_freq \\
  {_CPU}cpu[0-9]*/cpufreq/scaling_max_freq
exit 0
"""
_FILE = re.compile(r"/sys/devices/system/cpu/(cpu[0-9]+)/cpufreq/([a-z_]+)")


def question(parameters: Mapping[str, Any]) -> str:
    """The governor, driver and bounds of every processor."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    if (why := refusal(answer)) is not None:
        return why
    files = printed_files(answer)
    cpus: dict[str, dict[str, str]] = {}
    for path, content in files.items():
        if not path.startswith(_CPU):
            raise UnreadableAnswer(f"not a file of cpufreq: {path[:80]!r}")
        if (match := _FILE.fullmatch(path)) is not None:
            cpus.setdefault(match[1], {})[match[2]] = content.strip()
    governors = _distinct(cpus, "scaling_governor")
    if not governors:
        return NotMeasured("no such hardware: the kernel has no say over the processors' clock here")
    limited = [name for name, one in cpus.items() if _below(one)]
    facts = present(
        governors=governors,
        governor=governors[0] if len(governors) == 1 else "mixed",
        driver=next(iter(_distinct(cpus, "scaling_driver")), None),
        preference=next(iter(_distinct(cpus, "energy_performance_preference")), None),
        cpus=len(cpus),
        limited=len(limited),
        turbo=_turbo(files),
    )
    return Measured((SubjectFacts(None, facts, frozenset({"preference", "turbo"} - facts.keys())),))


def _distinct(cpus: Mapping[str, Mapping[str, str]], name: str) -> list[str]:
    return sorted({one[name] for one in cpus.values() if one.get(name)})


def _below(one: Mapping[str, str]) -> bool:
    most, allowed = integer(one.get("cpuinfo_max_freq")), integer(one.get("scaling_max_freq"))
    return most is not None and allowed is not None and allowed < most


def _turbo(files: Mapping[str, str]) -> bool | None:
    """intel_pstate says that turbo is off, the others that boost is on."""
    off, on = files.get(f"{_CPU}intel_pstate/no_turbo", ""), files.get(f"{_CPU}cpufreq/boost", "")
    if off.strip() in ("0", "1"):
        return off.strip() == "0"
    return on.strip() == "1" if on.strip() in ("0", "1") else None


PROBE = Probe(
    name="cpu-governors",
    title="Clock of the processors",
    facts={
        "governor": Fact(
            "str", "what decides the clock: performance, powersave, schedutil, …; mixed where not all agree"
        ),
        "governors": Fact("list", "all that are in use"),
        "driver": Fact("str", "cpufreq's driver: intel_pstate, amd-pstate-epp, acpi-cpufreq, …"),
        "preference": Fact("str", "what the hardware is told to prefer; not offered by older drivers"),
        "cpus": Fact("int", "processors that can change their clock", "processors"),
        "limited": Fact("int", "those of them that may not reach the highest clock they have", "processors"),
        "turbo": Fact("bool", "clocks above the nominal one are allowed; not offered by some drivers"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
)
