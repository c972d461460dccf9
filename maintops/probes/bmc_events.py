"""The event log of a server's management controller (BMC), asked over the network by IPMI; read as ipmi-events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from maintops.domain.answers import Answer, Reading, Skipped
from maintops.probes import ipmi_events
from maintops.probes.answering import named_parts, no_tool, require_whole
from maintops.probes.contract import Parameter, Presence, Probe, Reach

_NAMES = {"sel info": b"info", "sel elist": b"list"}

ASK = Parameter(True, "false: this server's controller is not asked by IPMI")


def question(parameters: Mapping[str, Any]) -> str | Skipped:
    """Subcommands of ipmitool: how full the log is, and everything in it."""
    if parameters.get("ask") is False:
        return Skipped("its management controller is not asked by IPMI")
    return "".join(f"{one}\n" for one in _NAMES)


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    require_whole(answer)
    if (why := no_tool(answer)) is not None or not answer.stdout.strip():
        return why or ipmi_events.read(answer, parameters)
    named_parts(answer)
    renamed = answer.stdout
    for theirs, ours in _NAMES.items():  # no line of output begins with =
        renamed = (b"\n" + renamed).replace(b"\n=%b\n" % theirs.encode(), b"\n=%b\n" % ours)[1:]
    return ipmi_events.read(replace(answer, stdout=renamed), parameters)


PROBE = Probe(
    name="bmc-events",
    title="Event log of the management controller, asked over the network (IPMI)",
    facts=ipmi_events.PROBE.facts,
    question=question,
    read=read,
    presence=Presence.LASTING,
    parameters={**ipmi_events.PROBE.parameters, "ask": ASK},
    recording=ipmi_events.PROBE.recording,
    reach=Reach.IPMI,
)
