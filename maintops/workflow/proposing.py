"""A plan is made: what a run would change, in which waves, when, how long, and what could go wrong.

What can only go wrong is refused here, before the first connection.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from maintops.domain.bindings import binding
from maintops.domain.changes import ChangeStep, Packages
from maintops.domain.checklists import Checklist, Step
from maintops.domain.durations import spoken
from maintops.domain.identities import Identity
from maintops.domain.journeys import DUTIES, HOOKS
from maintops.domain.parameters import checklist_parameters
from maintops.domain.placements import CONSOLE, Fleet, fleet, impossible
from maintops.domain.plans import ChangePlan, Foreseen, PlannedChange, PlannedStep
from maintops.domain.servers import Server
from maintops.domain.waves import Waves, spread
from maintops.domain.windows import Opening
from maintops.domain.wording import some
from maintops.errors import NothingSelected, UsageError
from maintops.workflow.estimating import expectation, opening_for, whole
from maintops.workflow.planning import BMC_ADDRESS
from maintops.workflow.telling import TITLES

PENDING = "pending-updates"
"""The probe whose answer says what an update would bring."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a plan is made of. `everyone` are all servers of the inventory, `protected` maps those that maintops itself
    needs (the controller, its database, bastions) to the reason. `content` are the digests of what the steps do.
    `forks` is how many servers are changed at once at most (0: as many as the failure budget lets). `middle` says which
    of the servers another run has left in the middle."""

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
    forks: int = 0
    middle: tuple[str, ...] = ()


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
    for need, others in waiting.items():
        yield (
            f"{need} is changed last, because {last[need]}, and before {some(others)}, which need it: "
            f"make a plan of its own for it, and one for the others (--limit)"
        )


def refuse(proposal: Proposal, earlier: Sequence[float]) -> Waves:
    """The waves. Raises what `propose` would raise whatever the servers say."""
    _, waves = frame(proposal)
    opening_for(proposal.checklist, proposal.now, expectation(proposal.checklist, earlier))
    return waves


def propose(proposal: Proposal, looked: Looked, earlier: Sequence[float]) -> ChangePlan:
    """The plan. `earlier` are the seconds that this checklist took on servers before. Raises UsageError where it could
    never be carried out."""
    listed = proposal.checklist
    found, waves = frame(proposal)
    policy = listed.change
    expected = expectation(listed, earlier)
    window = opening_for(listed, proposal.now, expected)
    seconds = whole(waves, policy, found, expected, proposal.forks)
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
        notes=(*_untried(policy.packages, waves, servers), *_notes(proposal, window, seconds)),
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
    """What is done on each server, as a plan tells it: the hooks before the steps, and the steps."""
    hooks = [
        PlannedStep(HOOKS[name], TITLES[name], f"hook on the {hook.on}", DUTIES[name] if hook.undo else "")
        for name, hook in listed.change.hooks
    ]
    return (*hooks, *map(_step, listed.sequence))


def _step(one: Step | ChangeStep) -> PlannedStep:
    if isinstance(one, Step):
        return PlannedStep(one.id, one.title, "by hand", one.rollback)
    kind = f"reboot {one.reboot.value}" if one.reboot is not None else one.kind
    return PlannedStep(one.id, one.title, kind, one.rollback.kind if one.rollback else "", one.estimate)


def own_values(listed: Checklist, server: Server) -> dict[str, Any]:
    """The parameters of a checklist that the inventory sets otherwise for a server."""
    values = checklist_parameters(listed, server)
    return {name: value for name, value in values.items() if value != listed.parameters.get(name)}


def _planned(proposal: Proposal, server: Server, looked: Looked) -> PlannedChange:
    found = looked.planned.get(server.name, PlannedChange(server.name))
    console = "console" if CONSOLE in server.variables else "BMC" if BMC_ADDRESS in server.variables else ""
    return PlannedChange(
        server.name,
        own_values(proposal.checklist, server),
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
            f"the versions to be pinned are not known of {some(blind)}: nobody has asked "
            f"(maintops run {listed.name} does), or they do not answer; or set packages: latest"
        )


def _asks_pending(listed: Checklist) -> bool:
    return any(one.probe == PENDING for one in listed.checks)


def _untried(packages: Packages, waves: Waves, servers: Sequence[PlannedChange]) -> Iterator[str]:
    """Each server is pinned to what waits on itself: what waits on none of the first wave, that does not try."""
    if packages is not Packages.PINNED or len(waves) < 2:
        return
    first = frozenset(waves[0])
    tried = {(one.name, one.new) for planned in servers if planned.server in first for one in planned.updates}
    untried: dict[tuple[str, str], list[str]] = {}
    for planned in servers:
        for what in dict.fromkeys((one.name, one.new) for one in planned.updates):
            if planned.server not in first and what not in tried:
                untried.setdefault(what, []).append(planned.server)
    if untried:
        told = [f"{name} {version} ({some(names, 2)})" for (name, version), names in untried.items()]
        yield f"Not tried by the first wave: {some(told)}."


def _notes(proposal: Proposal, window: Opening | None, seconds: float) -> Iterator[str]:
    policy = proposal.checklist.change
    yield from (f"{one}." for one in proposal.middle)
    if policy.packages is Packages.LATEST:
        yield "packages: latest. The last wave may get other versions than the canary."
    rebooting = [one for one in proposal.checklist.changes if one.reboot is not None]
    lost = [one.name for one in proposal.servers if CONSOLE not in one.variables and BMC_ADDRESS not in one.variables]
    if rebooting and lost:
        yield f"No console or management controller is known of {some(lost)}: nobody can help them from afar."
    for one in proposal.checklist.changes:
        if one.irreversible and one.reboot is None:
            yield f"{one.id} ({one.title}) cannot be undone."
    if policy.soak > 0:
        yield (
            f"After each wave it waits {spoken(policy.soak)} and looks at its servers again: one that is not well then "
            f"counts against the failure budget."
        )
    if policy.gate:
        yield f"After each wave but the last a command must agree: {policy.gate}"
    if policy.windows is not None and window is not None and window.start > proposal.now:
        yield "It can be run only inside its window."
    if window is not None and seconds > (window.end - max(window.start, proposal.now)).total_seconds():
        yield "All of it is taken to last longer than its window: what does not fit is held."
