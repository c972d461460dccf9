"""Steps that act: Ansible content and Fabric tasks; and steps by hand in the middle of a change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from maintops.domain.answers import Measured
from maintops.domain.changes import Action, ChangeStep, Packages
from maintops.domain.checklists import Step
from maintops.domain.outcomes import Cell, Severity
from maintops.domain.parameters import source
from maintops.domain.plans import Update
from maintops.domain.ports import Deed, Done, FailureKind, Pulse
from maintops.domain.runs import StageResult
from maintops.domain.steps import NOT_DONE, WAS_DONE, StepAnswer, reading_of, whether_done
from maintops.workflow.attending import ask, overstayed
from maintops.workflow.judging import judge_server
from maintops.workflow.planning import plan_step
from maintops.workflow.sites import Site, Stage, Work
from maintops.workflow.surveying import check_step, draft, told, values

_TASKS_SHOWN = 50


def act(site: Site, stage: Stage, works: Sequence[Work]) -> None:
    """Carries out a step's playbook, role, tasks or Fabric task."""
    step = stage.step
    if not isinstance(step, ChangeStep) or step.act is None:
        raise ValueError(f"{stage.name} does not act")
    works = _ready(site, step, works)
    why_not = overstayed(site)  # whether it was done was asked a person
    for work in works if why_not else ():
        work.out = f"stopped before {stage.name}: {why_not}"
    if not works or why_not:
        return
    site.began(stage.name, works)
    left = {work.name: work for work in works}
    arriving = site.staff.doer.do(
        deed(site, step.act, works),
        [work.server for work in works],
        forks=site.under.forks,
        timeout=step.act.timeout,
        stop=site.brakes.reason,
    )
    try:
        for item in arriving:
            if isinstance(item, Pulse):
                site.sign(Pulse(dict.fromkeys(item.in_flight, step.id)))
            elif item.server in left:
                _end(site, stage, left.pop(item.server), item)
    finally:
        # nothing goes on on the servers that nobody writes down, whatever has gone wrong here
        getattr(arriving, "close", lambda: None)()
    for work in left.values():
        site.ended(work, stage.name, StageResult.UNKNOWN, "nobody said what became of it")


def deed(site: Site, action: Action, works: Sequence[Work]) -> Deed:
    """What an action does on some servers, its variables filled in."""
    own: dict[str, dict[str, Any]] = {}
    for work in works:
        given = values(site, work)
        own[work.name] = {
            name: given[source(value)] if source(value) else value for name, value in action.parameters.items()
        }
    folder = site.under.checklist.file.rpartition("/")[0]
    shared = shared_variables(site, works)
    return Deed(action.playbook, action.role, action.tasks, action.fabric, folder, action.become, shared, own)


def shared_variables(site: Site, works: Sequence[Work]) -> Mapping[str, Any]:
    """What maintops tells all content: the run, the versions that the plan pins (of updates), and those of before (of
    what takes an update back)."""
    found: dict[str, Any] = {"maintops_run": site.under.run}
    if site.under.before:
        return found | {"maintops_before": {work.name: dict(site.under.before.get(work.name, {})) for work in works}}
    if site.under.plan.packages is Packages.PINNED:
        found["maintops_pinned"] = {work.name: [_pinned(one) for one in work.planned.updates] for work in works}
    return found


def _pinned(one: Update) -> Mapping[str, str]:
    """A version as package managers take it: the probe's names and versions carry a foreign architecture."""
    name = one.name.removesuffix(f":{one.arch}").removesuffix(f".{one.arch}") if one.arch else one.name
    return {"name": name, "version": one.new.removesuffix(f".{one.arch}") if one.arch else one.new, "arch": one.arch}


def _ready(site: Site, step: ChangeStep, works: Sequence[Work]) -> list[Work]:
    """The servers on which a step is to be begun: its prechecks pass, and it was not done already by somebody who could
    not say so any more. Where it was begun before they have passed: a step that is half done may well contradict
    them."""
    begun = [work for work in works if _is_begun(site, step, work)]
    again = _not_done(site, step, begun) if begun and not step.idempotent else begun
    fresh = [work for work in works if work not in begun]
    passing = _passing(site, step, fresh)
    return [work for work in works if work in again or work in passing]


def _passing(site: Site, step: ChangeStep | Step, works: Sequence[Work]) -> list[Work]:
    """The servers on which a step's prechecks pass. Those of the first one were asked by the first look, where this
    process has had it."""
    first = next(iter(site.under.checklist.sequence)).id == step.id
    asked = [work for work in works if step.precheck and not (first and work.name in site.looked)]
    problems = check_step(site, asked, step.precheck) if asked else {}
    for work in asked:
        if problems[work.name]:
            site.ended(work, step.id, StageResult.FAILED, f"{step.id} was not begun: {told(problems[work.name])}")
    return [work for work in works if not problems.get(work.name)]


def _is_begun(site: Site, step: ChangeStep, work: Work) -> bool:
    """Whether anything of a step may have been done on a server: not where it could not be reached at all."""
    journey = site.journey(work)
    ended = journey.ended.get(step.id)
    return step.id in journey.begun and (ended is None or ended.result is not StageResult.UNREACHABLE)


def _not_done(site: Site, step: ChangeStep, works: Sequence[Work]) -> list[Work]:
    """Of servers on which a step that must not be done twice was begun: those on which it was not done. A person who
    has looked since is believed; then the step's own command is asked."""
    free: list[Work] = []
    left: list[Work] = []
    for work in works:
        said = _looked_at(site, step, work)
        if said is None:
            left.append(work)
        elif said.choice == WAS_DONE:
            site.ended(work, step.id, StageResult.OK, f"found done by {said.by}")
        elif said.choice == NOT_DONE:
            free.append(work)
        else:
            site.ended(work, step.id, StageResult.SKIPPED, f"given up by {said.by}: {said.skipped}")
    return [*free, *_asked_whether_done(site, step, left)]


def _looked_at(site: Site, step: ChangeStep, work: Work) -> StepAnswer | None:
    """What a person said of a step after it was begun last; an older answer was about an earlier attempt."""
    answer = site.answers.get((work.name, step.id))
    since = site.journey(work).since.get(step.id)
    if (answer is None or since is None or answer.at <= since) and site.staff.ask is not None and not step.done:
        answer = ask(site, work.name, whether_done(step))
    return answer if answer is not None and since is not None and answer.at > since else None


def _asked_whether_done(site: Site, step: ChangeStep, works: Sequence[Work]) -> list[Work]:
    if not step.done:
        for work in works:
            why = (
                f"{step.id} was begun, and may not be repeated; whether it was done nobody knows (it has no `done:`): "
                f"look at {work.name}, then answer {WAS_DONE} or {NOT_DONE}: maintops run continue {site.under.run} "
                f"--answers FILE"
            )
            site.ended(work, step.id, StageResult.UNKNOWN, why)
        return []
    readings = site.observe(works, [site.command_plan("CHG-101", step.done)])
    free = []
    for work in works:
        reading = readings[work.name].readings["CHG-101"]
        status = reading.subjects[0].facts.get("exit_status") if isinstance(reading, Measured) else None
        if status == 0:
            site.ended(work, step.id, StageResult.OK, "found done")
        elif status == 1:
            free.append(work)
        else:
            why = reading.message if isinstance(reading, Cell) else f"exit status {status}"
            site.ended(work, step.id, StageResult.UNKNOWN, f"whether {step.id} was done cannot be found out: {why}")
    return free


_RESULTS = {
    FailureKind.UNUSABLE: StageResult.FAILED,
    FailureKind.OVERFLOW: StageResult.FAILED,
    FailureKind.UNREACHABLE: StageResult.UNREACHABLE,
    FailureKind.BROKEN: StageResult.UNKNOWN,
    FailureKind.STOPPED: StageResult.UNKNOWN,
    FailureKind.OVERTIME: StageResult.UNKNOWN,
}


def _end(site: Site, stage: Stage, work: Work, done: Done) -> None:
    changed = [one.task for one in done.tasks if one.status == "changed"]
    facts = {"tasks": changed[:_TASKS_SHOWN]} if changed else {}
    if done.failure is None:
        site.ended(work, stage.name, StageResult.OK, "", facts)
        return
    result = StageResult.UNKNOWN if done.failure.blind else _RESULTS[done.failure.kind]
    site.ended(work, stage.name, result, done.failure.why, facts)


def check_after(site: Site, stage: Stage, works: Sequence[Work]) -> None:
    """A step's postchecks, where other steps follow; those of the last one belong to the last look."""
    step = stage.step
    sequence = site.under.checklist.sequence
    if step is None or not step.postcheck or sequence[-1].id == step.id:
        return
    name = f"{stage.name}/after"
    todo = [work for work in works if not work.out and not site.journey(work).passed(name)]
    if not todo:
        return
    site.began(name, todo)
    problems = check_step(site, todo, step.postcheck)
    for work in todo:
        why = problems[work.name]
        result = StageResult.FAILED if why else StageResult.OK
        site.ended(work, name, result, f"after {stage.name}: {told(why)}" if why else "")


def by_hand(site: Site, stage: Stage, works: Sequence[Work]) -> None:
    """A step that a person carries out: answered beforehand, at the terminal, or waited for."""
    step = stage.step
    if not isinstance(step, Step):
        raise ValueError(f"{stage.name} is not done by hand")
    answered = [work for work in works if given(site, work.name, step.id) is not None]
    passing = _passing(site, step, [work for work in works if work not in answered])
    for work in [one for one in works if one in answered or one in passing]:
        answer = given(site, work.name, step.id)
        why_not = site.brakes.before_next()  # the person may have been asked for hours
        why_not = why_not or (overstayed(site) if answer is None else "")
        if why_not:
            work.out = f"stopped before {stage.name}: {why_not}"
            continue
        if answer is None:
            answer = ask(site, work.name, step)
        if answer is None:
            why = f"{step.id} waits for a person: maintops run continue {site.under.run} --by ENGINEER"
            site.ended(work, stage.name, StageResult.WAITING, why)
            continue
        reading = reading_of(answer)
        plan = plan_step(step)
        memory = site.crew.store.memory(work.name)
        cells = judge_server(draft(site, work), [plan], {step.id: reading}, values(site, work), memory).record.cells
        bad = [one.message for one in cells if one.severity is Severity.CRITICAL]
        if bad:
            site.ended(work, stage.name, StageResult.FAILED, f"{step.id}: {bad[0]}")
        elif answer.skipped is not None:
            site.ended(work, stage.name, StageResult.SKIPPED, f"skipped: {answer.skipped}")
        else:
            site.ended(work, stage.name, StageResult.OK)


def given(site: Site, server: str, step: str) -> StepAnswer | None:
    """What a person has answered to a step by hand; not what the step has failed with already: who goes on with a run
    has mended it, and is asked again."""
    answer = site.answers.get((server, step))
    failed = site.journey(server).ended.get(step)
    if answer is None or (failed is not None and failed.result is StageResult.FAILED and answer.at <= failed.at):
        return None
    return answer
