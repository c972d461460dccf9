"""A run that changes servers: wave after wave, never more at a time than may fail, every step written down first.

    store.begin (locks) ─► wave ─► batch ─► stage by stage on all of the batch ─► record ─► next batch
                                                                  ─► soak ─► one look more ─► gate ─► next wave

A server that fails stays as it is, drained; what it still is owed stands in the journal. Whoever goes on later
(`resume_change`) does on each server what is not behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from maintops.domain.journeys import AFTER, BEFORE, DUTIES, SOAKED, journal
from maintops.domain.outcomes import BIT_FINDINGS, FailOn, exit_code
from maintops.domain.plans import plan_hash
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
    ServerAnswered,
    StageEnded,
    StageResult,
    Waved,
)
from maintops.domain.stages import stage_words
from maintops.domain.waves import Standing, pick
from maintops.errors import Locked, StoreError
from maintops.workflow.acting import act, by_hand, check_after
from maintops.workflow.attending import attended, begin_batch, overstayed
from maintops.workflow.braking import Brakes
from maintops.workflow.concluding import conclude, items
from maintops.workflow.gating import gate, is_to_soak, look_once_more, soak_and_look
from maintops.workflow.hooking import duty, hook
from maintops.workflow.limiting import Limits, waits
from maintops.workflow.rebooting import reboot
from maintops.workflow.recovering import interrupt
from maintops.workflow.running import RunResult
from maintops.workflow.sites import ENGINE, UNDOING, ChangeCrew, Site, Stage, Undertaking, Work
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
    """What has become of the servers in this process: `records` those kept, `stopped` why nothing more was begun."""

    limits: Limits
    records: dict[str, ServiceRecord] = field(default_factory=dict)
    stopped: str = ""


def carry_out_change(under: Undertaking, staff: ChangeCrew, brakes: Brakes) -> RunResult:
    """Carries a plan out; when it returns, every server of the plan has a record. Raises Locked where another run is
    changing one of them, or somebody else has just begun this very plan."""
    planned = planned_event(under, staff)
    _begin(staff.crew.store, planned)
    return _go(Site(under, attended(staff), brakes, [planned]), planned)


def _begin(store: Store, planned: RunPlanned) -> None:
    try:
        store.begin(planned)
    except StoreError:
        found = None
        with suppress(Exception):  # whatever the reason is, the first one is told
            found = store.run(planned.run)
        if found is None or found.owner == planned.owner:
            raise
        by = f" by {found.planned.engineer}" if found.planned.engineer else ""
        raise Locked(
            f"the plan is carried out already, as the run {found.id}, begun {found.planned.at:%Y-%m-%d %H:%M} UTC{by} "
            f"(process {found.owner.pid} on {found.owner.host}); follow it: maintops runs --watch {found.id}"
        ) from None


def resume_change(under: Undertaking, staff: ChangeCrew, brakes: Brakes, run: Run) -> RunResult:
    """Goes on with a run that has ended: finds out what became of what was mid-flight, and does what is not done.
    Raises Locked where it, or another run on its servers, is still going on."""
    store = staff.crew.store
    store.resume(run.id, Resumed(staff.crew.owner, under.engineer or "", staff.crew.clock()))
    events = store.events(run.id)
    site = Site(under, attended(staff), brakes, events)
    answered = {one.server: one for one in events if isinstance(one, ServerAnswered) and one.server in site.finished}
    return _go(site, run.planned, list(answered.values()))


def planned_event(under: Undertaking, staff: ChangeCrew) -> RunPlanned:
    """The first event of a run that changes servers."""
    plan, listed = under.plan, under.checklist
    whole = items(under)
    values = {one.server: one.values for one in plan.servers}
    servers = tuple(
        PlannedServer(
            name,
            under.records[name],
            UNDOING if plan.of else ENGINE,
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


def _go(site: Site, planned: RunPlanned, answered: Sequence[ServerAnswered] = ()) -> RunResult:
    progress = Progress(Limits(site))
    try:
        tell(site.crew.observers, planned)
        for event in answered:
            tell(site.crew.observers, event)
        _open(site)
        _waves(site, progress)
        _conclude_rest(site, progress)
        ended = _ended(site, progress)
        site.claim(ended)
    except BaseException as error:
        _break_off(site, error)
        if isinstance(error, StoreError):
            run = site.under.run
            raise StoreError(
                f"{error} The run {run} was broken off; once the database can be used: maintops run continue {run}"
            ) from error
        raise
    return _result(site, ended)


def _open(site: Site) -> None:
    """What is on record before anything is done: who approved it, an emergency, and what has nothing to undo on a
    server."""
    approved = site.under.approved
    if approved and approved not in journal(site.crew.store.events(site.under.run)).remarks:
        site.write(Remarked(approved, site.now()))
    if site.under.emergency:
        site.write(Remarked(f"EMERGENCY, by {site.under.engineer}: {site.under.emergency}", site.now()))
    told = "it was not done: there is nothing to undo"
    for name, steps in site.under.skipped.items():
        left = sorted(step for step in steps if not site.journey(name).passed(step))
        site.write(*(StageEnded(name, step, StageResult.SKIPPED, told, site.now()) for step in left))


def _break_off(site: Site, error: BaseException) -> None:
    """Whatever ended it, nothing that was begun may stay without an outcome on record. A run that is somebody else's by
    now is not ours to end."""
    store = site.crew.store
    with suppress(StoreError):
        run = store.run(site.under.run)
        if run.state is RunState.RUNNING and run.owner == site.crew.owner:
            interrupt(store, run, site.now(), type(error).__name__)


def _result(site: Site, ended: RunEnded) -> RunResult:
    run = site.crew.store.run(site.under.run)
    tell(site.crew.observers, RunEnded(run.state, run.reason, run.ended or ended.at))
    cells = [cell for record in whole_records(site.crew.store, run) for cell in record.cells]
    waiting = sum(len(waits(site, name)) for name in site.under.plan.names)
    least = 0 if run.state is RunState.FINISHED else BIT_FINDINGS  # also where only the look after the soak is left
    return RunResult(run, {fail_on: least | exit_code(cells, fail_on) for fail_on in FailOn}, waiting)


def whole_records(store: Store, run: Run) -> list[ServiceRecord]:
    """Every server's record of a run, its parts put together."""
    parts: dict[str, list[ServiceRecord]] = {}
    for record in store.records(run=run.id):
        parts.setdefault(record.server, []).append(record)
    return [merged(found) for found in parts.values()]


# --- waves ------------------------------------------------------------------------------------------------------------


def _waves(site: Site, progress: Progress) -> None:
    why = _unwell(site, progress) or _in_the_middle(site, progress)
    progress.stopped = why
    for number, wave in enumerate(site.under.plan.waves, start=1):
        todo = [name for name in wave if name not in site.finished and name not in progress.records]
        if why:
            progress.limits.held |= {name: why for name in todo if name not in progress.limits.held}
        elif todo or number not in site.passed or any(is_to_soak(site, name) for name in wave):
            why = _wave(site, number, todo, progress)
            if why:
                progress.stopped = why
                site.write(Waved(number, "stopped", why, site.now()))
                left = [name for name in todo if name not in progress.records]
                progress.limits.held |= {name: why for name in left if name not in progress.limits.held}
    _see_the_rest(site, progress)


def _see_the_rest(site: Site, progress: Progress) -> None:
    """Where the budget is used up nothing more is begun. Those that are through are looked at after their soak all the
    same: whether they are well does not hang on who else failed."""
    for number, wave in enumerate(site.under.plan.waves, start=1):
        unseen = any(is_to_soak(site, name) for name in wave)
        if unseen and progress.limits.exceeded(number):
            soak_and_look(site, number, progress.records)


def _unwell(site: Site, progress: Progress) -> str:
    """Before all else, the servers that an earlier process found unwell after their soak, or was just looking at: they
    may be well by now."""
    found = [name for name in site.finished if name in site.lost]
    why = site.brakes.before_next() if found else None
    return f"held: {why}" if why is not None else look_once_more(site, found, progress.records)


def _in_the_middle(site: Site, progress: Progress) -> str:
    """First of all what an earlier process left in the middle. Those that it was at were picked together, and go on
    together. Those that failed, or waited for a person, come of many batches: no more of them at a time than the limits
    of the run allow. Who failed before is tried again, which uses nothing up; as soon as somebody else fails, the
    budget counts."""
    limits, plan = progress.limits, site.under.plan
    number = next((one for one in range(1, len(plan.waves)) if one not in site.passed), len(plan.waves))
    found = [name for name in plan.names if name in site.taken and name not in site.finished]
    open_ = [name for name in found if _can_go_on(site, name)]
    flying = [name for name in open_ if site.journey(name).lost is None and not waits(site, name)]
    rest = [name for name in open_ if name not in {*flying}]
    before = {*limits.lost} - {*flying}
    why = limits.closed(0.0) if flying else ""
    if flying and not why:
        why = _batch(site, [site.work(name) for name in flying], progress)
    while rest and not why:
        why = limits.closed(plan.expectation.p95)
        if not why and {*limits.lost} - before:
            why = limits.exceeded(number)
        if not why:
            most = limits.most(number, rest)
            batch = pick(rest, most, frozenset(plan.names), plan.fleet, Standing(limits.well, limits.unwell))
            limits.held |= batch.refused
            rest = [name for name in rest if name not in batch.servers and name not in batch.refused]
            why = _batch(site, [site.work(name) for name in batch.servers], progress)
    return why or (limits.exceeded(len(plan.waves)) if found else "")


def _can_go_on(site: Site, name: str) -> bool:
    """Whether a server waits for nobody: what it waited for is answered, or somebody is there to be asked."""
    return site.staff.ask is not None or all((name, stage) in site.answers for stage in waits(site, name))


def _wave(site: Site, number: int, todo: Sequence[str], progress: Progress) -> str:
    """One wave; returns why nothing more may be begun, or ""."""
    limits, p95 = progress.limits, site.under.plan.expectation.p95
    waiting = []
    for name in todo:
        if name in limits.held:
            continue
        if _can_go_on(site, name):
            waiting.append(name)
        else:
            limits.held[name] = f"it waits for a person: maintops run continue {site.under.run}"
    why = limits.closed(p95) if waiting else ""
    why = why or limits.exceeded(number)
    if not why:
        many = f"{len(waiting)} server{'' if len(waiting) == 1 else 's'}"
        site.write(Waved(number, "began", many, site.now()))
    while waiting and not why:
        batch = limits.batch(waiting, number)
        waiting = [name for name in waiting if name not in batch.servers and name not in batch.refused]
        if batch.servers:
            why = _batch(site, [site.work(name) for name in batch.servers], progress) or limits.exceeded(number)
            limits.came_back(batch.servers)
        if waiting and not why:
            why = limits.closed(p95)
    return why or gate(site, number, limits, progress.records)


# --- one batch --------------------------------------------------------------------------------------------------------


def _batch(site: Site, works: Sequence[Work], progress: Progress) -> str:
    """Does every stage that is not behind them on some servers, stage by stage; returns why nothing more may be
    begun, or ""."""
    why = ""
    begin_batch(site)
    for stage in site.under.stages:
        todo = [one for one in works if not one.out and not _is_behind(site, one, stage)]
        if todo:
            why = site.brakes.before_next() or ""
            why_not = why or (overstayed(site) if stage.kind in ("act", "reboot") else "")
            for work in todo if why_not else ():
                work.out = f"stopped before {stage_words(stage.name)}: {why_not}"
            if why:
                break
            if not why_not:
                _HANDLERS[stage.kind](site, stage, todo)
        if stage.kind in ("act", "reboot", "manual"):
            check_after(site, stage, [one for one in works if not one.out])
    site.claim()
    for work in works:
        progress.records[work.name] = conclude(site, work)
    gone = [
        one.message for work in works for one in site.journey(work).ended.values() if one.facts.get("told") == "gone"
    ]
    why = why or site.brakes.reason() or _left_by_the_window(site, works)  # who is stopped at once has not failed
    return f"held: {gone[0]}" if gone else f"held: {why}" if why else ""


def _left_by_the_window(site: Site, works: Sequence[Work]) -> str:
    """Why some servers of a batch were left in the middle, where nothing else was in their way, or ""."""
    why = overstayed(site)
    open_ = [one for one in works if not site.journey(one).is_over] if why else []
    free = [one for one in open_ if site.journey(one).lost is None and not waits(site, one.name)]
    return why if free or any(why in one.out for one in open_) else ""


def _is_behind(site: Site, work: Work, stage: Stage) -> bool:
    """Whether a stage needs not be done on a server. The first look of an earlier process proves nothing about now, and
    is done again where nothing else was; where something was, it is what the last one is compared with. A hook whose
    duty somebody has paid meanwhile is done again as long as there is anything to do: the server is in service."""
    journey = site.journey(work)
    if not journey.passed(stage.name):
        return False
    if stage.hook is not None and stage.kind == "hook" and stage.hook.undo and not journey.passed(AFTER):
        return DUTIES[stage.name] in journey.owed
    if stage.name != BEFORE or work.name in site.looked:
        return True
    return journey.acted or any(server == work.name for server, _ in site.answers)


# --- the end ----------------------------------------------------------------------------------------------------------


def _conclude_rest(site: Site, progress: Progress) -> None:
    """Whoever had no turn gets a record that says why; one that an earlier process wrote still says it."""
    kept = site.crew.store.run(site.under.run).records
    site.claim()
    for name in site.under.plan.names:
        if name not in progress.records and name not in kept:
            why = progress.limits.held.get(name) or progress.stopped or "its turn did not come"
            progress.records[name] = conclude(site, site.work(name), why)


def _ended(site: Site, progress: Progress) -> RunEnded:
    soaks = site.under.policy.soak > 0
    unfinished = [name for name in site.under.plan.names if name not in site.finished]
    unseen = [name for name in site.finished if soaks and not site.journey(name).passed(SOAKED)]
    left = [*unfinished, *unseen]
    if not left:
        return RunEnded(RunState.FINISHED, "", site.now())
    if site.brakes.cancelled:
        mid = [
            f"{name} in the middle of {stage_words(site.journey(name).mid)}" for name in left if site.journey(name).mid
        ]
        found = [(name, _cut_off(site, name)) for name in left]
        cut = [
            f"{name}: {told.message} in the middle of {stage_words(told.stage)}"
            for name, told in found
            if told is not None
        ]
        return RunEnded(RunState.CANCELLED, "; ".join(["the run was cancelled", *mid, *cut]), site.now())
    held = progress.limits.held
    why = progress.stopped or next((held[name] for name in left if name in held), "")
    return RunEnded(RunState.HELD, why or _what_is_left(unfinished, progress.limits.unwell), site.now())


def _what_is_left(unfinished: Sequence[str], unwell: Mapping[str, str]) -> str:
    told = [f"{_servers(len(unfinished))} not finished"] if unfinished else []
    rest = f" and {len(unwell) - 3} more are not well" if len(unwell) > 3 else ""
    return "; ".join([*told, *[f"{name}: {why}" for name, why in unwell.items()][:3]]) + rest


def _cut_off(site: Site, name: str) -> StageEnded | None:
    """The stage in whose middle a server was cut off at once."""
    lost = site.journey(name).lost
    why = site.brakes.reason()
    return lost if why is not None and lost is not None and lost.result is StageResult.UNKNOWN else None


def _servers(count: int) -> str:
    return "1 server is" if count == 1 else f"{count} servers are"
