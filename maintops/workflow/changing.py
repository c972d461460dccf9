"""A run that changes servers: wave after wave, never more at a time than may fail, every step written down first.

    store.begin (locks) ─► wave ─► batch ─► stage by stage on all of the batch ─► record ─► next batch ─► gate ─► soak

A server that fails stays as it is, drained; what it still is owed stands in the journal. Whoever goes on later
(`resume_change`) does on each server what is not behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from maintops.domain.journeys import AFTER, Journey
from maintops.domain.outcomes import FailOn, exit_code
from maintops.domain.plans import PlannedChange, plan_hash
from maintops.domain.ports import Store, tell
from maintops.domain.records import ServiceRecord, merged
from maintops.domain.runs import (
    PlannedServer,
    Remarked,
    Resumed,
    Run,
    RunEnded,
    RunPlanned,
    RunState,
    StageEnded,
    StageResult,
    Waved,
)
from maintops.domain.waves import Standing, pick
from maintops.domain.windows import fits, opening_words
from maintops.errors import StoreError
from maintops.workflow.acting import act, by_hand, check_after
from maintops.workflow.braking import Brakes
from maintops.workflow.concluding import conclude, items
from maintops.workflow.hooking import duty, hook
from maintops.workflow.rebooting import ask_boots, reboot
from maintops.workflow.recovering import interrupt
from maintops.workflow.running import RunResult
from maintops.workflow.sites import ENGINE, ChangeCrew, Site, Stage, Undertaking, Work
from maintops.workflow.surveying import look, look_again

_HANDLERS: Mapping[str, Callable[[Site, Stage, Sequence[Work]], None]] = {
    "before": look,
    "hook": hook,
    "act": act,
    "reboot": reboot,
    "manual": by_hand,
    "after": look_again,
    "duty": duty,
}


@dataclass(slots=True)
class Progress:
    """What has become of the servers in this process: `records` those kept, `held` why others had no turn."""

    records: dict[str, ServiceRecord] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)
    stopped: str = ""


def carry_out_change(under: Undertaking, staff: ChangeCrew, brakes: Brakes) -> RunResult:
    """Carries a plan out; when it returns, every server of the plan has a record. Raises Locked where another run is
    changing one of them."""
    planned = planned_event(under, staff)
    staff.crew.store.begin(planned)
    site = Site(under, staff, brakes, [planned])
    tell(staff.crew.observers, planned)
    if under.emergency:
        site.write(Remarked(f"EMERGENCY, by {under.engineer}: {under.emergency}", site.now()))
    for name, steps in under.skipped.items():
        told = "it was not done: there is nothing to undo"
        site.write(*(StageEnded(name, step, StageResult.SKIPPED, told, site.now()) for step in sorted(steps)))
    return _go(site)


def resume_change(under: Undertaking, staff: ChangeCrew, brakes: Brakes, run: Run) -> RunResult:
    """Goes on with a run that has ended: finds out what became of what was mid-flight, and does what is not done.
    Raises Locked where it, or another run on its servers, is still going on."""
    store = staff.crew.store
    store.resume(run.id, Resumed(staff.crew.owner, under.engineer or "", staff.crew.clock()))
    site = Site(under, staff, brakes, store.events(run.id))
    if under.emergency:
        site.write(Remarked(f"EMERGENCY, by {under.engineer}: {under.emergency}", site.now()))
    return _go(site)


def planned_event(under: Undertaking, staff: ChangeCrew) -> RunPlanned:
    """The first event of a run that changes servers."""
    plan, listed = under.plan, under.checklist
    whole = items(under)
    values = {one.server: one.values for one in plan.servers}
    servers = tuple(
        PlannedServer(
            name,
            under.records[name],
            ENGINE,
            "",
            under.everyone[name].customer,
            under.everyone[name].site,
            values.get(name, {}),
        )
        for name in plan.names
    )
    return RunPlanned(
        run=under.run,
        checklist=listed.name,
        version=listed.version,
        title=plan.title,
        service=listed.service,
        checks=tuple(id for id, _ in whole),
        servers=servers,
        owner=staff.crew.owner,
        at=staff.crew.clock(),
        engineer=under.engineer,
        titles=tuple(title for _, title in whole),
        item=listed.item,
        file=listed.file,
        plan=plan_hash(plan),
        emergency=under.emergency,
        of=plan.of,
    )


def _go(site: Site) -> RunResult:
    progress = Progress()
    try:
        _waves(site, progress)
        _conclude_rest(site, progress)
        ended = _ended(site, progress)
        site.crew.store.append(site.under.run, ended)
    except BaseException as error:
        # whatever ended it, nothing that was begun may stay without an outcome on record
        with suppress(StoreError):
            interrupt(site.crew.store, site.crew.store.run(site.under.run), site.now(), type(error).__name__)
        raise
    run = site.crew.store.run(site.under.run)
    tell(site.crew.observers, RunEnded(run.state, run.reason, run.ended or ended.at))
    cells = [cell for record in whole_records(site.crew.store, run) for cell in record.cells]
    waiting = sum(
        1
        for name in site.under.plan.names
        for one in site.journey(name).ended.values()
        if one.result is StageResult.WAITING
    )
    return RunResult(run, {fail_on: exit_code(cells, fail_on) for fail_on in FailOn}, waiting)


def whole_records(store: Store, run: Run) -> list[ServiceRecord]:
    """Every server's record of a run, its parts put together."""
    parts: dict[str, list[ServiceRecord]] = {}
    for record in store.records(run=run.id):
        parts.setdefault(record.server, []).append(record)
    return [merged(found) for found in parts.values()]


# --- waves ------------------------------------------------------------------------------------------------------------


def _waves(site: Site, progress: Progress) -> None:
    why = _mid_flight(site, progress)
    for number, wave in enumerate(site.under.plan.waves, start=1):
        todo = [name for name in wave if name not in progress.records and _is_open(site.journey(name))]
        if why:
            progress.held |= dict.fromkeys(todo, why)
            continue
        if not todo and number in site.passed:
            continue
        why = _wave(site, number, todo, progress)
        if why:
            progress.stopped = why
            site.write(Waved(number, "stopped", why, site.now()))
            left = [name for name in todo if name not in progress.records]
            progress.held |= {name: why for name in left if name not in progress.held}


def _is_open(journey: Journey) -> bool:
    """Whether anything is left to be done. What failed is: whoever goes on with a run has looked into it."""
    return not journey.is_over


def _mid_flight(site: Site, progress: Progress) -> str:
    """First of all whatever an earlier process left in the middle: those servers are in flight already."""
    unclear = [
        name
        for name in site.under.plan.names
        if _is_open(site.journey(name)) and site.journey(name).touched and _waits_for_nobody(site, name)
    ]
    if not unclear:
        return ""
    why = _closed(site, 0.0)
    if why:
        progress.stopped = why
        return why
    gone = _batch(site, [site_work(site, name) for name in unclear], progress)
    return gone or _over_budget(site, len(site.under.plan.waves)) or ""


def _waits_for_nobody(site: Site, name: str) -> bool:
    waits = [stage for stage, one in site.journey(name).ended.items() if one.result is StageResult.WAITING]
    return site.staff.ask is not None or all((name, stage) in site.answers for stage in waits)


def _wave(site: Site, number: int, todo: Sequence[str], progress: Progress) -> str:
    """One wave; returns why nothing more may be begun, or ""."""
    plan, now = site.under.plan, site.now()
    site.write(Waved(number, "began", f"{len(todo)} servers", now))
    down = _down(site, todo)
    waiting = list(todo)
    why = _closed(site, plan.expectation.p95) or _over_budget(site, number)
    while waiting and not why:
        most = min(_budget_left(site, number) + 1, site.under.forks)
        batch = pick(waiting, most, plan.names, plan.fleet, _standing(site, progress, down))
        for name, reason in batch.refused.items():
            progress.held[name] = reason
            waiting.remove(name)
        if not batch.servers:
            continue
        gone = _batch(site, [site_work(site, name) for name in batch.servers], progress)
        waiting = [name for name in waiting if name not in batch.servers]
        why = gone or _over_budget(site, number)
        if waiting and not why:
            why = _closed(site, plan.expectation.p95)
    return why or _gate(site, number, todo, progress)


def _standing(site: Site, progress: Progress, down: Iterable[str]) -> Standing:
    finished, lost = set(), dict(progress.held)
    unwell = set(down)
    for name in site.under.plan.names:
        journey = site.journey(name)
        if journey.is_over:
            finished.add(name)
            unwell.discard(name)
        elif journey.touched:
            unwell.add(name)
            lost.setdefault(name, journey.lost.message if journey.lost is not None else "it is not finished")
    return Standing(finished, lost, unwell)


def _down(site: Site, todo: Sequence[str]) -> set[str]:
    """The members of the groups that a wave touches, and do not answer: they are missing already."""
    fleet = site.under.plan.fleet
    groups = {fleet.group_of[one] for name in todo for one in fleet.taken_by(name) if one in fleet.group_of}
    members = sorted({member for group in groups for member in fleet.groups[group].members})
    works = [site_work(site, name) for name in members if name in site.under.everyone]
    return {name for name, boot in ask_boots(site, works).items() if isinstance(boot, str)}


def _budget(site: Site, number: int) -> int:
    plan = site.under.plan
    return plan.canary_budget if number == 1 and len(plan.waves) > 1 else plan.budget


def _budget_left(site: Site, number: int) -> int:
    lost = [name for name in site.under.plan.names if site.journey(name).counts]
    return max(_budget(site, number) - len(lost), 0)


def _over_budget(site: Site, number: int) -> str:
    lost = [name for name in site.under.plan.names if site.journey(name).counts]
    budget = _budget(site, number)
    if len(lost) <= budget:
        return ""
    return f"held: {len(lost)} of {budget} servers that may fail have failed ({', '.join(lost[:5])})"


def _closed(site: Site, seconds: float) -> str:
    """Why no server may be begun now: somebody said so, or the window is closed, or too short for one more."""
    why = site.brakes.before_next()
    if why:
        return f"held: {why}"
    window = site.under.plan.window
    if window is None or site.under.emergency or fits(window, site.now(), seconds):
        return ""
    windows = site.under.policy.windows
    zone = windows.zone if windows is not None else "UTC"
    return f"held: the window {opening_words(window, zone)} is closed, or too short for another server"


def _gate(site: Site, number: int, todo: Sequence[str], progress: Progress) -> str:
    """Whether the next wave may begin: nobody has new or worse findings, and the gate's command agrees."""
    plan, policy = site.under.plan, site.under.policy
    if number == len(plan.waves):
        site.write(Waved(number, "passed", "", site.now()))
        return ""
    worse = [
        f"{name}: {told}"
        for name in todo
        if (ended := site.journey(name).ended.get(AFTER)) is not None
        for told in ended.facts.get("worse", [])
        if ended.result is StageResult.OK
    ]
    if worse:
        return f"held: the gate after wave {number} found worse than before: {'; '.join(worse[:3])}"
    if policy.gate:
        given = {"MAINTOPS_RUN": site.under.run, "MAINTOPS_WAVE": str(number), "MAINTOPS_SERVERS": " ".join(todo)}
        done = site.staff.commander.command(policy.gate, given, policy.gate_timeout, site.brakes.reason)
        if done.status != 0:
            how = f"exit status {done.status}" if done.status is not None else "no answer in time"
            return f"held: the gate after wave {number} says no ({how}): {done.printed.strip()[-300:]}"
    site.write(Waved(number, "passed", "", site.now()))
    if policy.soak:
        site.rest(policy.soak, {})
    return ""


# --- one batch --------------------------------------------------------------------------------------------------------


def site_work(site: Site, name: str) -> Work:
    """A server's part, fresh in this process."""
    under = site.under
    planned = next((one for one in under.plan.servers if one.server == name), None)
    return Work(
        server=under.everyone[name],
        planned=planned or PlannedChange(name),
        record=under.records.get(name, ""),
        engine=under.engines[name],
        began=site.now(),
    )


def _batch(site: Site, works: Sequence[Work], progress: Progress) -> str:
    """Does every stage that is not behind them on some servers, stage by stage; returns why the wave must stop."""
    for stage in site.under.stages:
        todo = [one for one in works if not one.out and not site.journey(one).passed(stage.name)]
        if todo:
            why = site.brakes.before_next()
            if why:
                for work in todo:
                    work.out = f"stopped before {stage.name}: {why}"
                break
            _HANDLERS[stage.kind](site, stage, todo)
        if stage.kind in ("act", "reboot", "manual"):
            check_after(site, stage, [one for one in works if not one.out])
    for work in works:
        progress.records[work.name] = conclude(site, work)
    gone = [
        one.message for work in works for one in site.journey(work).ended.values() if one.facts.get("told") == "gone"
    ]
    return f"held: {gone[0]}" if gone else ""


# --- the end ----------------------------------------------------------------------------------------------------------


def _conclude_rest(site: Site, progress: Progress) -> None:
    """Whoever had no turn gets a record that says why; one that an earlier process wrote still says it."""
    kept = site.crew.store.run(site.under.run).records
    for name in site.under.plan.names:
        if name in progress.records or name in kept:
            continue
        why = progress.held.get(name) or progress.stopped or "it waits for a person"
        progress.records[name] = conclude(site, site_work(site, name), why)


def _ended(site: Site, progress: Progress) -> RunEnded:
    left = [name for name in site.under.plan.names if _is_open(site.journey(name))]
    if site.brakes.cancelled:
        mid = [f"{name} in the middle of {site.journey(name).mid}" for name in left if site.journey(name).mid]
        return RunEnded(RunState.CANCELLED, "; ".join(["the run was cancelled", *mid]), site.now())
    if left:
        why = progress.stopped or next((progress.held[name] for name in left if name in progress.held), "")
        return RunEnded(RunState.HELD, why or f"{len(left)} servers are not finished", site.now())
    return RunEnded(RunState.FINISHED, "", site.now())
