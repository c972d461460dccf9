"""A plan is made: what a run would change, in which waves, when, how long, and what could go wrong.

What can only go wrong is refused here, before the first connection.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import ceil
from types import MappingProxyType
from typing import Any

from maintops.domain.answers import Measured, Reading
from maintops.domain.bindings import binding
from maintops.domain.changes import DEFAULT_ESTIMATE, Action, ChangeStep, Packages
from maintops.domain.checklists import Checklist, Step
from maintops.domain.durations import spoken
from maintops.domain.identities import Identity
from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.domain.parameters import checklist_parameters, source
from maintops.domain.placements import CONSOLE, Fleet, fleet, impossible
from maintops.domain.plans import ChangePlan, Expectation, Foreseen, PlannedChange, PlannedStep, Update
from maintops.domain.ports import Content, Memory, Preview, Previewer, Pulse, Stop, Store
from maintops.domain.records import ServiceRecord, part_number
from maintops.domain.servers import Server
from maintops.domain.waves import Waves, spread
from maintops.domain.windows import Opening, fits, next_opening, opening_at
from maintops.errors import NothingSelected, UsageError
from maintops.workflow.judging import judge_server
from maintops.workflow.keeping import Crew
from maintops.workflow.observing import observe
from maintops.workflow.planning import BMC_ADDRESS, CheckPlan, Plan, ServerPlan, plan_run
from maintops.workflow.sites import ENGINE
from maintops.workflow.surveying import TOLERATED, troubles

PENDING = "pending-updates"
"""The probe whose answer says what an update would bring."""

EARLIER = 200
"""Records of earlier changes that durations are known from."""

_FEW = 5
_OPENINGS = 50


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a plan is made of. `everyone` are all servers of the inventory, `protected` maps those that maintops itself
    needs (the controller, its database, bastions) to the reason. `content` are the digests of what the steps do."""

    id: str
    checklist: Checklist
    servers: Sequence[Server]
    everyone: Sequence[Server]
    author: Identity
    now: datetime
    content: Mapping[str, str]
    protected: Mapping[str, str] = field(default_factory=dict)
    inventory: tuple[str, ...] = ()
    limit: str = ""


@dataclass(frozen=True, slots=True)
class Looked:
    """What looking at the servers brought, by server: pending updates and what speaks against a change."""

    planned: Mapping[str, PlannedChange] = field(default_factory=dict)
    foreseen: tuple[Foreseen, ...] = ()


def frame(proposal: Proposal) -> tuple[Fleet, Waves]:
    """The fleet and the waves. Raises UsageError or NothingSelected for a plan that could only go wrong."""
    listed = proposal.checklist
    if not listed.changes:
        raise UsageError(f"the checklist {listed.name} changes nothing; maintops run {listed.name} looks")
    if not proposal.servers:
        raise NothingSelected()
    found = fleet(proposal.everyone)
    names = [server.name for server in proposal.servers]
    problems = [*impossible(found, names), *_too_late(found, names, proposal.protected)]
    if problems:
        raise UsageError("\n".join(problems))
    for server in proposal.servers:
        checklist_parameters(listed, server)
    waves = spread(proposal.servers, listed.change.waves, found, proposal.protected)
    return _part(found, names), waves


def _too_late(fleet: Fleet, names: Sequence[str], last: Mapping[str, str]) -> Iterator[str]:
    """Whoever needs a server that is changed last could never have a turn."""
    waiting: dict[str, list[str]] = {}
    for name in names:
        for need in fleet.needs.get(name, ()):
            if need in last and need in names and name not in last:
                waiting.setdefault(need, []).append(name)
    for need, some in waiting.items():
        told = ", ".join(some[:_FEW]) + (f" and {len(some) - _FEW} more" if len(some) > _FEW else "")
        yield (
            f"{need} is changed last, because {last[need]}, and before {told}, which need it: "
            f"make a plan of its own for it, and one for the others (--limit)"
        )


def refuse(proposal: Proposal, earlier: Sequence[float]) -> Waves:
    """The waves. Raises what `propose` would raise whatever the servers say."""
    _, waves = frame(proposal)
    _window(proposal, expectation(proposal.checklist, earlier))
    return waves


def propose(proposal: Proposal, looked: Looked, earlier: Sequence[float]) -> ChangePlan:
    """The plan. `earlier` are the seconds that this checklist took on servers before. Raises UsageError where it could
    never be carried out."""
    listed = proposal.checklist
    found, waves = frame(proposal)
    policy = listed.change
    expected = expectation(listed, earlier)
    window = _window(proposal, expected)
    seconds = _whole(waves, policy.budget, policy.canary_budget, expected, policy.soak)
    servers = tuple(_planned(proposal, server, looked) for server in _ordered(proposal.servers, waves))
    _check_pinned(listed, servers)
    return ChangePlan(
        id=proposal.id,
        checklist=listed.name,
        title=listed.title,
        file=listed.file,
        version=listed.version,
        author=proposal.author,
        created=proposal.now,
        servers=servers,
        waves=waves,
        steps=planned_steps(listed),
        content=proposal.content,
        inventory=proposal.inventory,
        limit=proposal.limit,
        packages=policy.packages,
        fleet=found,
        window=window,
        expectation=expected,
        seconds=seconds,
        budget=policy.budget,
        canary_budget=policy.canary_budget,
        approval=policy.approval.value,
        risk=policy.risk.assessment,
        contingency=policy.risk.contingency,
        people=policy.people,
        foreseen=looked.foreseen,
        notes=tuple(_notes(proposal, window, seconds)),
    )


def durations(records: Sequence[ServiceRecord]) -> list[float]:
    """The seconds that earlier changes took on a server, of those that were carried out to their end in one go: who had
    no turn, or was gone on with later, says nothing about how long it takes."""
    return [
        (one.ended - one.started).total_seconds()
        for one in records
        if one.engine == ENGINE and one.severity is not Severity.CRITICAL and one.ended > one.started and _is_whole(one)
    ]


def _is_whole(record: ServiceRecord) -> bool:
    cut = any(one.outcome in (Outcome.NOT_REACHED, Outcome.UNKNOWN) for one in record.cells)
    return part_number(record.id) == 1 and not cut


def expectation(listed: Checklist, earlier: Sequence[float]) -> Expectation:
    """How long one server takes: from earlier changes, the nearest rank of all; else as the checklist's author says."""
    if len(earlier) >= _FEW:
        ordered = sorted(earlier)
        at = [ordered[max(0, ceil(len(ordered) * part) - 1)] for part in (0.5, 0.95)]
        return Expectation(at[0], at[1], f"{len(ordered)} earlier changes")
    said = sum(one.estimate or DEFAULT_ESTIMATE for one in listed.changes)
    return Expectation(said, said, "the checklist's estimate")


def _whole(waves: Waves, budget: int, canary: int, expected: Expectation, soak: float) -> float:
    total = 0.0
    for number, wave in enumerate(waves):
        at_once = (canary if number == 0 and len(waves) > 1 else budget) + 1
        total += ceil(len(wave) / at_once) * expected.p50
    return total + soak * max(0, len(waves) - 1)


def _window(proposal: Proposal, expected: Expectation) -> Opening | None:
    """The opening in which the run may begin: the one that is open, where a server still fits, else the next one that
    is long enough."""
    name, windows = proposal.checklist.name, proposal.checklist.change.windows
    if windows is None:
        return None
    found = opening_at(windows, proposal.now)
    if found is not None and fits(found, proposal.now, expected.p95):
        return found
    # of one that is open what is left counts
    after, longest = (found.end, (found.end - proposal.now).total_seconds()) if found else (proposal.now, 0.0)
    for _ in range(_OPENINGS):
        found = next_opening(windows, after)
        if found is None:
            break
        if fits(found, found.start, expected.p95):
            return found
        longest = max(longest, (found.end - found.start).total_seconds())
        after = found.end
    if not longest:
        raise UsageError(f"the window of {name} never opens within 400 days: see its rules, holidays and freezes")
    raise UsageError(
        f"no server fits into a window of {name}: the longest of the next {_OPENINGS} lasts {spoken(longest)}, and a "
        f"server takes up to {spoken(expected.p95)} ({expected.known_from})"
    )


def _ordered(servers: Sequence[Server], waves: Waves) -> list[Server]:
    by_name = {server.name: server for server in servers}
    return [by_name[name] for wave in waves for name in wave]


def _part(whole: Fleet, names: Collection[str]) -> Fleet:
    """What of a fleet concerns some servers: what binds a plan is no more than that."""
    taken = {one for name in names for one in whole.taken_by(name)}
    groups = {whole.group_of[one] for one in taken if one in whole.group_of}
    return Fleet(
        {name: whole.groups[name] for name in sorted(groups)},
        {server: group for server, group in whole.group_of.items() if group in groups},
        {name: needs for name, needs in whole.needs.items() if name in names},
        {name: guests for name, guests in whole.guests.items() if name in taken},
    )


def planned_steps(listed: Checklist) -> tuple[PlannedStep, ...]:
    """A checklist's steps as a plan tells them."""
    return tuple(map(_step, listed.sequence))


def _step(one: Step | ChangeStep) -> PlannedStep:
    if isinstance(one, Step):
        return PlannedStep(one.id, one.title, "by hand", one.rollback)
    kind = f"reboot {one.reboot.value}" if one.reboot is not None else one.kind
    return PlannedStep(one.id, one.title, kind, one.rollback.kind if one.rollback else "", one.estimate)


def _planned(proposal: Proposal, server: Server, looked: Looked) -> PlannedChange:
    found = looked.planned.get(server.name, PlannedChange(server.name))
    values = checklist_parameters(proposal.checklist, server)
    own = {name: value for name, value in values.items() if value != proposal.checklist.parameters.get(name)}
    console = "console" if CONSOLE in server.variables else "BMC" if BMC_ADDRESS in server.variables else ""
    return PlannedChange(
        server.name,
        own,
        found.updates,
        found.removals,
        found.held,
        found.phased,
        found.asked,
        proposal.protected.get(server.name, ""),
        console,
        found.notes,
        binding(server, proposal.id),
    )


def _check_pinned(listed: Checklist, servers: Sequence[PlannedChange]) -> None:
    if listed.change.packages is not Packages.PINNED or not _asks_pending(listed):
        return
    blind = [one.server for one in servers if one.asked is None]
    if blind:
        raise UsageError(
            f"the versions to be pinned are not known of {', '.join(blind[:5])}"
            + (f" and {len(blind) - 5} more" if len(blind) > 5 else "")
            + f": nobody has asked (maintops run {listed.name} does), or they do not answer; or set packages: latest"
        )


def _asks_pending(listed: Checklist) -> bool:
    return any(one.probe == PENDING for one in listed.checks)


def _notes(proposal: Proposal, window: Opening | None, seconds: float) -> Iterator[str]:
    policy = proposal.checklist.change
    if policy.packages is Packages.LATEST:
        yield "packages: latest. The last wave may get other versions than the canary."
    rebooting = [one for one in proposal.checklist.changes if one.reboot is not None]
    lost = [one.name for one in proposal.servers if CONSOLE not in one.variables and BMC_ADDRESS not in one.variables]
    if rebooting and lost:
        told = ", ".join(lost[:5]) + (f" and {len(lost) - 5} more" if len(lost) > 5 else "")
        yield f"No console or management controller is known of {told}: nobody can help them from afar."
    for one in proposal.checklist.changes:
        if one.irreversible and one.reboot is None:
            yield f"{one.id} ({one.title}) cannot be undone."
    if policy.windows is not None and window is not None and window.start > proposal.now:
        yield "It can be run only inside its window."
    if window is not None and seconds > (window.end - max(window.start, proposal.now)).total_seconds():
        yield "All of it is taken to last longer than its window: what does not fit is held."


# --- looking at servers ----------------------------------------------------------------------------------------------


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


def remembered(proposal: Proposal, memory: Callable[[str], Memory]) -> Mapping[str, PlannedChange]:
    """What the last record of each server says is pending: nobody is asked."""
    found = {}
    for server in proposal.servers:
        facts = memory(server.name).facts
        for check in proposal.checklist.checks:
            last = facts.get(check.id, {}).get(None) if check.probe == PENDING else None
            if last is not None:
                found[server.name] = pending(server.name, last.facts, last.at)
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


def earlier_durations(store: Store, checklist: str) -> list[float]:
    """See `durations`: of the newest records of a checklist."""
    return durations(list(store.records(checklist=checklist, limit=EARLIER)))
