"""One probe by itself: asked of servers without a record, or read from a recording."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maintops.domain.answers import Answer, NotMeasured, Reading, UnreadableAnswer
from maintops.domain.checklists import Cadence, Check, Checklist
from maintops.domain.parameters import unfit
from maintops.domain.ports import Contact, Delivery, Pulse, Runner, Told
from maintops.domain.servers import Server
from maintops.errors import UsageError
from maintops.probes.catalogue import Catalogue
from maintops.probes.contract import Probe
from maintops.script.reading import hear
from maintops.workflow.merging import merged
from maintops.workflow.planning import BMC_ADDRESS, Plan, ServerPlan, plan_run
from maintops.workflow.stopping import Stopping

CHECK = "PROBE-000"
TIMEOUT = 120.0
"""Seconds that a probe may take on a server when it is asked by hand."""

FORKS = 20
_LIMIT = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Captured:
    """What one server answered, or why there is no whole answer."""

    server: str
    answer: Answer | None
    why: str = ""


def capture(
    probe: str,
    parameters: Mapping[str, Any],
    servers: Sequence[Server],
    catalogue: Catalogue,
    runners: Mapping[str, Runner],
    contact: Contact,
    engine: str,
) -> Iterator[Captured]:
    """Asks servers one probe's question; what they answer, as it arrives. Nothing is kept. Raises UsageError for a
    parameter that the probe has not, and where it has nothing to ask."""
    found = catalogue.probe(probe)
    check = Check(CHECK, found.title, probe=probe, parameters=checked(found, parameters), timeout=TIMEOUT, limit=_LIMIT)
    listed = Checklist("probe", found.title, "inspection", Cadence("day", "day"), "all", (check,))
    plan = plan_run("probe", listed, [], servers, catalogue, tuple(runners.values()), engine)
    for one in plan.servers:
        for why in one.asking.skipped.values():
            raise UsageError(f"the probe {probe} asks nothing: {why} (give it with -e NAME=VALUE)")
    by_name = {one.server.name: one for one in plan.servers}
    for item in merged(_sources(plan, runners, contact)):
        if isinstance(item, Delivery):
            yield _delivered(by_name[item.server], item)
        elif isinstance(item, Told):
            yield Captured(item.server, item.answer, item.failure.why if item.failure else "")
    for one in plan.servers:
        if one.asking.inquiries and not one.has_bmc:
            yield Captured(one.server.name, None, f"the inventory names no management controller ({BMC_ADDRESS})")


def _sources(plan: Plan, runners: Mapping[str, Runner], contact: Contact) -> list[Iterator[Delivery | Told | Pulse]]:
    stop = Stopping().reason
    sources: list[Iterator[Delivery | Told | Pulse]] = []
    for name, runner in runners.items():
        trips = [one.trip for one in plan.servers if one.engine == name and one.asking.scripts]
        if trips:
            sources.append(runner.ask(trips, forks=FORKS, stop=stop))
    inquiries = [one for planned in plan.servers for one in planned.inquiries]
    if inquiries:
        sources.append(contact.inquire(inquiries, forks=FORKS, stop=stop))
    return sources


def _delivered(plan: ServerPlan, delivery: Delivery) -> Captured:
    reply = delivery.replies[0]
    answer = hear(reply.stream, plan.asking.scripts[0]).answers.get(CHECK)
    why = reply.failure.why if reply.failure is not None else "the server did not run the script"
    return Captured(delivery.server, answer, "" if answer is not None else why)


def read(probe: Probe, content: bytes, answer: Answer | None, parameters: Mapping[str, Any]) -> Reading:
    """What a probe reads in a recording: `answer` where that is a whole answer to its question, otherwise `content`,
    which some tool printed by itself. An answer that is not in the probe's format is not measured, and says why."""
    try:
        if answer is not None and answer.status is None:
            return NotMeasured("how its command ended is not known")
        given = answer or (probe.recording(content) if probe.recording is not None else Answer(content))
        return probe.read(given, parameters)
    except UnreadableAnswer as error:
        return NotMeasured(f"it cannot be read: {error}")
    except Exception as error:
        return NotMeasured(f"its reader broke: {type(error).__name__}: {error}")


def checked(probe: Probe, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A probe's parameters with some of a person's own. Raises UsageError for one that it has not, and for a value
    that cannot stand for the default."""
    for name, value in parameters.items():
        if name not in probe.parameters:
            known = ", ".join(probe.parameters) or "none"
            raise UsageError(f"the probe {probe.name} has no parameter {name!r}; it has {known}")
        problem = unfit(value, probe.parameters[name].default)
        if problem is not None:
            raise UsageError(f"the probe {probe.name}: its parameter {name} {problem}")
    return {name: one.default for name, one in probe.parameters.items()} | dict(parameters)
