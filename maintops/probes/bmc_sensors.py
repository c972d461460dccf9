"""What a server's management controller (BMC) measures, asked over the network by IPMI; read as ipmi-sensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Reading, Skipped, UnreadableAnswer
from maintops.probes import ipmi_sensors
from maintops.probes.answering import named_parts, no_tool, require_whole
from maintops.probes.contract import Parameter, Presence, Probe, Reach

SUBCOMMAND = "sdr elist"
"""Readings, verdicts and states in words; the controller's side of it (maintops.runners.ipmi_lan) adds thresholds."""

ASK = Parameter(True, "false: this server's controller is not asked by IPMI")


def question(parameters: Mapping[str, Any]) -> str | Skipped:
    """A subcommand of ipmitool."""
    if parameters.get("ask") is False:
        return Skipped("its management controller is not asked by IPMI")
    return f"{SUBCOMMAND}\n"


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject per sensor, by its name."""
    require_whole(answer)
    if (why := no_tool(answer)) is not None:
        return why
    if not answer.stdout.startswith(b"="):  # a recording: what ipmitool itself printed
        return ipmi_sensors.read(answer, parameters)
    part = named_parts(answer).get(SUBCOMMAND)
    if part is None:
        raise UnreadableAnswer("the answer does not hold the list of sensors")
    output = part.output if part.output.strip() else b""
    return ipmi_sensors.read(Answer(output, answer.stderr, part.status), parameters)


PROBE = Probe(
    name="bmc-sensors",
    title="Sensors of the management controller, asked over the network (IPMI)",
    facts=ipmi_sensors.PROBE.facts,
    question=question,
    read=read,
    presence=Presence.LASTING,
    parameters={**ipmi_sensors.PROBE.parameters, "ask": ASK},
    recording=ipmi_sensors.PROBE.recording,
    reach=Reach.IPMI,
)
