"""The main job: checklist and servers -> plan -> run -> read -> judge -> commit -> show.

Durable before shown: a run is in the store before its first connection, a server's record before anyone is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from maintops.domain.checklists import Checklist
from maintops.domain.outcomes import FailOn
from maintops.domain.ports import Content, Preview, Pulse, tell
from maintops.domain.runs import PlannedServer, Run, RunEnded, RunPlanned, RunState
from maintops.errors import StoreError
from maintops.workflow.keeping import Crew, Keeper, Previews
from maintops.workflow.observing import Half, arriving
from maintops.workflow.planning import CheckPlan, Plan
from maintops.workflow.recovering import interrupt
from maintops.workflow.stopping import Stopping


@dataclass(frozen=True, slots=True)
class Orders:
    """How a run is to be carried out: by whom, on how many servers at a time, until what stops it."""

    forks: int = 20
    engineer: str | None = None
    stopping: Stopping = field(default_factory=Stopping)


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run that is over. `codes` holds the exit code for each way to count findings; `waiting` is how many steps wait
    for a person."""

    run: Run
    codes: Mapping[FailOn, int]
    waiting: int = 0


def carry_out(plan: Plan, crew: Crew, orders: Orders) -> RunResult:
    """Carries a plan out; when it returns, every planned server has a record with every cell filled."""
    planned = _planned(plan, crew, orders)
    crew.store.begin(planned)
    tell(crew.observers, planned)
    try:
        codes = _ask_everyone(plan, crew, orders)
    except BaseException as error:
        # whatever ended it (a full disk, a second Ctrl-C, a defect), no planned cell may stay without an outcome
        with suppress(StoreError):
            interrupt(crew.store, crew.store.run(plan.run), crew.clock(), type(error).__name__)
        raise
    ended = _end(orders, crew.clock())
    crew.store.append(plan.run, ended)
    run = crew.store.run(plan.run)
    # a run ends once: if somebody else has ended it (who took it for dead), that is what is told
    tell(crew.observers, RunEnded(run.state, run.reason, run.ended or ended.at))
    steps = [one.check.id for one in plan.checks if one.step is not None]
    return RunResult(run, codes, len(steps) * len(plan.servers) - len(plan.answers))


def _ask_everyone(plan: Plan, crew: Crew, orders: Orders) -> Mapping[FailOn, int]:
    keeper = Keeper(plan, crew, orders.engineer)
    previews = _preview(plan, crew, orders, keeper)
    left = {one.server.name: Half(one) for one in plan.servers}
    for item in arriving(plan, crew, orders.forks, orders.stopping.reason, keeper.sign):
        half = left[item.server]
        half.take(item)
        if half.is_whole:
            keeper.keep(half.planned, half.delivery, previews, told=half.told)
            del left[item.server]
    _fill(left, previews, orders, keeper)
    return keeper.codes


def _planned(plan: Plan, crew: Crew, orders: Orders) -> RunPlanned:
    servers = tuple(
        PlannedServer(
            one.server.name,
            one.record,
            one.engine,
            one.why,
            one.server.customer,
            one.server.site,
            _overridden(plan.checklist, one.asking.values),
        )
        for one in plan.servers
    )
    listed = plan.checklist
    checks = tuple(one.check.id for one in plan.checks)
    return RunPlanned(
        run=plan.run,
        checklist=listed.name,
        version=listed.version,
        title=listed.title,
        service=listed.service,
        checks=checks,
        servers=servers,
        owner=crew.owner,
        at=crew.clock(),
        engineer=orders.engineer,
        titles=tuple(one.check.title for one in plan.checks),
        item=listed.item,
        file=listed.file,
    )


def _overridden(listed: Checklist, values: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in values.items() if value != listed.parameters.get(name)}


def _preview(plan: Plan, crew: Crew, orders: Orders, keeper: Keeper) -> Previews:
    """Check id -> server -> what check mode said. These come first: a record is kept when all of it is there."""
    previews: dict[str, dict[str, Preview]] = {one.check.id: {} for one in plan.content}
    for one in plan.content:
        servers = [planned.server for planned in plan.servers]
        content = _content(plan, one)
        arriving = crew.previewer.preview(
            content, servers, forks=orders.forks, timeout=one.check.timeout, stop=orders.stopping.reason
        )
        for item in arriving:
            if isinstance(item, Pulse):
                keeper.sign(Pulse(dict.fromkeys(item.in_flight, one.check.id)))
            else:
                previews[one.check.id][item.server] = item
    return previews


def _content(plan: Plan, one: CheckPlan) -> Content:
    folder = plan.checklist.file.rpartition("/")[0]
    check = one.check
    return Content(check.playbook, check.role, folder, check.become, dict(check.parameters))


def _fill(left: Mapping[str, Half], previews: Previews, orders: Orders, keeper: Keeper) -> None:
    """The servers that no runner delivered: asked nothing, not reached, or lost by their runner."""
    for half in left.values():
        keeper.keep(half.planned, half.delivery, previews, orders.stopping.reason(), half.told)


def _end(orders: Orders, now: datetime) -> RunEnded:
    reason = orders.stopping.reason() or ""
    return RunEnded(RunState.CANCELLED if orders.stopping.cancelled else RunState.FINISHED, reason, now)
