"""What servers say before a change is planned: what is pending there, what would stop it, what check mode foresees."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from maintops.domain.answers import Measured, Reading
from maintops.domain.changes import Action
from maintops.domain.outcomes import Cell
from maintops.domain.parameters import checklist_parameters, source
from maintops.domain.plans import Foreseen, PlannedChange, Update
from maintops.domain.ports import Content, Memory, Preview, Previewer, Pulse, Stop, Store
from maintops.domain.records import ServiceRecord
from maintops.domain.servers import Server
from maintops.workflow.judging import judge_server
from maintops.workflow.keeping import Crew
from maintops.workflow.observing import observe
from maintops.workflow.planning import CheckPlan, Plan, ServerPlan, plan_run
from maintops.workflow.proposing import PENDING, Proposal
from maintops.workflow.sites import ENGINE
from maintops.workflow.surveying import TOLERATED, troubles


def look_at(
    proposal: Proposal, crew: Crew, catalogue: Any, engine: str, forks: int, stop: Stop
) -> Mapping[str, PlannedChange]:
    """Asks every server the checklist's checks: what is pending there, and what would stop the change."""
    listed = proposal.checklist
    runners = tuple(crew.runners.values())
    plan = plan_run("plan", listed, (), proposal.servers, catalogue, runners, engine)
    checks = tuple(one for one in plan.checks if one.probe is not None and one.step is None)
    plan = Plan(plan.run, listed, checks, plan.servers)
    readings = observe(plan, crew, forks, stop, _nothing)
    found = {}
    for one in plan.servers:
        name, read = one.server.name, readings[one.server.name]
        seen = _looked(proposal, name, read.readings, proposal.now)
        problems = _objections(proposal, crew.store.memory(name), one, checks, read.readings)
        told = tuple(f"would not be changed now: {problem}" for problem in problems)
        found[name] = replace(seen, notes=(*seen.notes, *told))
    return found


def _objections(
    proposal: Proposal,
    memory: Memory,
    planned: ServerPlan,
    checks: Sequence[CheckPlan],
    readings: Mapping[str, Reading | Cell],
) -> list[str]:
    """The prechecks of the first step that would not pass as things are."""
    listed = proposal.checklist
    first = next(iter(listed.sequence), None)
    draft = ServiceRecord(
        planned.record,
        "plan",
        planned.server.name,
        listed.name,
        listed.version,
        listed.title,
        listed.service,
        ENGINE,
        proposal.now,
        proposal.now,
        (),
    )
    cells = judge_server(draft, checks, readings, planned.asking.values, memory).record.cells
    tolerated = planned.asking.values.get(TOLERATED, [])
    asked = {one.check.id for one in checks}  # the others are asked by the run itself
    return troubles(cells, [id for id in first.precheck if id in asked] if first is not None else (), tolerated)


def _nothing(pulse: Pulse) -> None:
    """A plan keeps no journal."""


def _looked(proposal: Proposal, server: str, readings: Mapping[str, Reading | Cell], now: datetime) -> PlannedChange:
    for check in proposal.checklist.checks:
        reading = readings.get(check.id)
        if check.probe != PENDING or reading is None:
            continue
        if isinstance(reading, Measured) and reading.subjects:
            return pending(server, reading.subjects[0].facts, now)
        why = reading.message if isinstance(reading, Cell) else getattr(reading, "why", "")
        return PlannedChange(server, notes=(f"what is pending is not known: {why}",))
    return PlannedChange(server)  # no check asks what is pending


def remembered(proposal: Proposal, store: Store) -> Mapping[str, PlannedChange]:
    """What the last record of each server says is pending: nobody is asked."""
    checks = [check.id for check in proposal.checklist.checks if check.probe == PENDING]
    found = {}
    for server, facts in store.facts([one.name for one in proposal.servers], checks).items():
        for check in checks:
            last = facts.get(check, {}).get(None)
            if last is not None:
                found[server] = pending(server, last.facts, last.at)
    return found


def pending(server: str, facts: Mapping[str, Any], at: datetime) -> PlannedChange:
    """A server's part of a plan, from the facts of the probe pending-updates."""
    updates = tuple(
        Update(str(one["name"]), one.get("from"), str(one["to"]), str(one.get("arch") or ""), bool(one.get("security")))
        for one in facts.get("packages") or ()
    )
    free, needed = facts.get("boot_free_bytes"), facts.get("boot_needed_bytes")
    notes = []
    if isinstance(free, int | float) and isinstance(needed, int | float) and needed > free:
        notes.append(f"/boot would overflow: {needed / 1e6:.0f} MB needed, {free / 1e6:.0f} MB free")
    removals, held, phased = (tuple(map(str, facts.get(name) or ())) for name in ("removals", "held", "phased"))
    return PlannedChange(server, {}, updates, removals, held, phased, at, notes=tuple(notes))


def foresee(
    proposal: Proposal,
    servers: Sequence[Server],
    previewer: Previewer,
    forks: int,
    stop: Stop,
    shared: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[Foreseen, ...]:
    """What Ansible's check mode says of every step on some servers, and of what it says nothing. `shared` are variables
    beside those of the steps."""
    found: list[Foreseen] = []
    folder = proposal.checklist.file.rpartition("/")[0]
    for step in proposal.checklist.changes:
        if step.act is None or step.act.fabric:
            found += [Foreseen(step.id, server.name, blind=(step.kind,)) for server in servers]
            continue
        for variables, some in _alike(proposal, step.act, servers):
            act, given = step.act, {**shared, **variables}
            content = Content(act.playbook, act.role, folder, act.become, given, act.tasks)
            for item in previewer.preview(content, some, forks=forks, timeout=step.act.timeout, stop=stop):
                if not isinstance(item, Pulse):
                    found.append(_foreseen(step.id, item))
    return tuple(found)


def _alike(
    proposal: Proposal, action: Action, servers: Sequence[Server]
) -> Sequence[tuple[Mapping[str, Any], list[Server]]]:
    """An action's variables, with the servers that have the same ones."""
    found: dict[str, tuple[Mapping[str, Any], list[Server]]] = {}
    for server in servers:
        values = checklist_parameters(proposal.checklist, server)
        given = {name: values[source(one)] if source(one) else one for name, one in action.parameters.items()}
        found.setdefault(json.dumps(given, sort_keys=True, default=str), (given, []))[1].append(server)
    return tuple(found.values())


def _foreseen(step: str, preview: Preview) -> Foreseen:
    changes = tuple(one.task for one in preview.tasks if one.status == "changed")
    blind = tuple(one.task for one in preview.tasks if "not previewable" in one.message)
    failed = [f"{one.task}: {one.message}" for one in preview.tasks if one.status == "failed"]
    why = preview.failure.why if preview.failure is not None else "; ".join(failed)
    return Foreseen(step, preview.server, changes, blind, why)
