"""A server's part of a changing run becomes its service record: its checks, its steps, its proof and its debts."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import replace

from maintops.domain.answers import Measured, Reading, Skipped, SubjectFacts
from maintops.domain.changes import ChangeStep
from maintops.domain.checklists import Check, FollowUpTemplate, Rule
from maintops.domain.journeys import AFTER, BEFORE, DUTIES, END, HOOKS, SOAKED, Journey
from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.domain.ports import Memory, Verdict, tell
from maintops.domain.proofs import PROOF
from maintops.domain.records import ServiceRecord
from maintops.domain.runs import ServerAnswered, StageEnded, StageResult
from maintops.domain.stages import stage_words
from maintops.domain.steps import reading_of
from maintops.probes.steps import STEP
from maintops.rules.judging import compile_rules
from maintops.workflow.judging import judge_server
from maintops.workflow.parts import keep_part
from maintops.workflow.planning import CheckPlan, plan_step
from maintops.workflow.rescuing import rescue, rescue_cell
from maintops.workflow.sites import Site, Undertaking, Work
from maintops.workflow.surveying import PROVEN, draft, unpacked, values
from maintops.workflow.telling import DEBTS, TITLES, Told, stage_plan, told, with_outcomes

_PROOF_RULES = (
    Rule(
        'level == "critical"',
        Severity.CRITICAL,
        "{{ told }}",
        FollowUpTemplate("Repair: {{ told }}", skill="system", knowledge="patching"),
    ),
    Rule(
        'level == "warning"',
        Severity.WARNING,
        "{{ told }}",
        FollowUpTemplate("Find out why the change left a difference: {{ told }}", skill="system"),
    ),
)
Records = MutableMapping[str, ServiceRecord]
"""The newest record, or part of one, that this process has kept of each server."""

_CONTENT = "content in check mode is not looked at in a run that changes"
_PROOF = CheckPlan(Check(PROOF, PROVEN, rules=_PROOF_RULES), STEP, compile_rules(_PROOF_RULES))


def items(under: Undertaking) -> list[tuple[str, str]]:
    """The ids and titles of everything that a record of this run holds a cell of, in order."""
    listed = under.checklist
    checks = [(one.id, one.title) for one in listed.checks]
    hooks = [(HOOKS[name], TITLES[name]) for name, _ in under.policy.hooks]
    steps = [(one.id, one.title) for one in listed.sequence]
    debts = [(DEBTS, TITLES[DEBTS])] if hooks else []
    return [*checks, *hooks, *steps, (PROOF, PROVEN), *debts]


def conclude(site: Site, work: Work, why: str = "") -> ServiceRecord:
    """Keeps a server's record, or a further part of it, with every cell filled; then its part of the run is over, where
    all that was to be done was done. `why` says why nothing more is done on it now."""
    journey = site.journey(work)
    whole = all(journey.passed(stage.name) for stage in site.under.stages)
    kept = _keep(site, work, journey, why or work.out)
    if whole:
        site.ended(work, END, StageResult.OK)
    site.count()
    _tell(site, kept)
    return kept


def conclude_soaked(site: Site, work: Work, found: StageEnded, known: bool) -> ServiceRecord | None:
    """Writes down what the look after the soak found: first a further part of the server's record, then the end of the
    look, so that whoever is killed in between looks again. Where all is well there is no further part (None), unless an
    earlier process's part (`known` is false) may say otherwise."""
    if found.result is not StageResult.OK and site.brakes.reason() is not None:  # what was cut off found nothing
        site.ended(work, SOAKED, StageResult.UNKNOWN, found.message)
        return None
    journey = site.journey(work)
    after = journey.ended.get(AFTER)
    news = list(found.facts.get("worse", [])) != list(after.facts.get("worse", []) if after is not None else [])
    kept = None
    if found.result is not StageResult.OK or news or not known:
        site.claim()  # the look took a while: whoever has lost the run keeps no part of it
        kept = _keep(site, work, replace(journey, ended={**journey.ended, SOAKED: found}, mid=""), "")
    site.ended(work, SOAKED, found.result, found.message, found.facts)
    if kept is not None:
        _tell(site, kept)
    return kept


def _tell(site: Site, kept: ServiceRecord) -> None:
    tell(site.crew.observers, ServerAnswered(kept.server, kept.id, kept.outcome, site.now()), kept)


def _keep(site: Site, work: Work, journey: Journey, why: str) -> ServiceRecord:
    plans, readings, outcomes = _readings(site, work, journey, why)

    def judge(record: ServiceRecord, memory: Memory) -> Verdict:
        verdict = judge_server(record, plans, readings, values(site, work), memory)
        return replace(verdict, record=replace(verdict.record, cells=with_outcomes(verdict.record.cells, outcomes)))

    # there is an earlier part where this run was gone on with, or looked once more
    return keep_part(
        site.crew.store, replace(draft(site, work), notes=_notes(journey, site.under.approved)), judge, site.now()
    ).record


def _notes(journey: Journey, approved: str) -> tuple[str, ...]:
    owed = f"still owed: {', '.join(journey.owed)} (maintops obligations)" if journey.owed else ""
    mid = f"in the middle of {stage_words(journey.mid)}" if journey.mid else ""
    unwell = journey.unwell.message if journey.unwell is not None else ""
    return tuple(one for one in (mid, owed, unwell, approved) if one)


def _readings(
    site: Site, work: Work, journey: Journey, why: str
) -> tuple[Sequence[CheckPlan], Mapping[str, Reading | Cell], Mapping[str, Outcome]]:
    plans: list[CheckPlan] = [*site.checks]
    outcomes: dict[str, Outcome] = {}
    asked = {one.check.id for one in site.checks}
    left_out = [one for one in site.under.checklist.checks if one.id not in asked]
    plans += [stage_plan(one.id, one.title) for one in left_out]
    readings: dict[str, Reading | Cell] = {one.id: Skipped(_CONTENT) for one in left_out}
    readings |= _checks(site, work, journey, why)

    def add(id: str, title: str, stage: str, action: str = "") -> None:
        plans.append(stage_plan(id, title, action))
        one = told(id, title, work.name, _newest(journey, stage), _blank(id, journey, stage, why))
        readings[id] = one.reading
        if one.outcome is not None:
            outcomes[id] = one.outcome

    for name, _ in site.under.policy.hooks:
        add(HOOKS[name], TITLES[name], name)
    for step in site.under.checklist.sequence:
        answer = site.answers.get((work.name, step.id))
        if isinstance(step, ChangeStep):
            add(step.id, step.title, step.id, step.action)
        elif answer is not None:
            plans.append(plan_step(step))
            readings[step.id] = reading_of(answer)
        else:
            add(step.id, step.title, step.id, step.action)
    _rescue(site, work, journey, plans, readings)
    plans.append(_PROOF)
    readings[PROOF], outcome = _proof(journey, why)
    if outcome is not None:
        outcomes[PROOF] = outcome
    if site.under.policy.hooks:
        plans.append(stage_plan(DEBTS, TITLES[DEBTS]))
        debts = _debts(work, journey, why)
        readings[DEBTS] = debts.reading
        if debts.outcome is not None:
            outcomes[DEBTS] = debts.outcome
    return plans, readings, outcomes


def _rescue(
    site: Site, work: Work, journey: Journey, plans: list[CheckPlan], readings: dict[str, Reading | Cell]
) -> None:
    """The step by hand that was offered for a server that did not come back; the others have no cell of it."""
    cell = rescue_cell(site, work, journey)
    if cell is not None:
        plans.append(stage_plan(cell.check, rescue(work).title))
        readings[cell.check] = cell


def _newest(journey: Journey, stage: str) -> StageEnded | None:
    """How a stage ended; its postchecks belong to it, and the one that failed last is what counts."""
    after = journey.ended.get(f"{stage}/after")
    if after is not None and after.result is not StageResult.OK:
        return after
    return journey.ended.get(stage)


def _blank(id: str, journey: Journey, stage: str, why: str) -> Cell:
    if journey.mid in (stage, f"{stage}/after"):
        return Cell(id, None, Outcome.UNKNOWN, message="it was begun, and how it ended nobody knows")
    return Cell(id, None, Outcome.NOT_REACHED, message=why or "its turn did not come")


def _checks(site: Site, work: Work, journey: Journey, why: str) -> dict[str, Reading | Cell]:
    ended = _last_look(journey) or journey.ended.get(BEFORE)
    if work.readings and (ended is None or ended.result is not StageResult.UNREACHABLE):
        return dict(work.readings)
    if ended is not None and ended.facts.get("evidence"):
        seen = unpacked(site.crew.store.evidence(str(ended.facts["evidence"])))
        by_check = {one.check: one for one in sorted(seen.cells, key=lambda one: one.outcome.rank)}
        rest = {one.check.id for one in site.checks} - by_check.keys()
        return {**by_check, **{id: _untold(id, why) for id in rest}}
    if ended is not None and ended.result is StageResult.UNREACHABLE:
        return {
            one.check.id: Cell(one.check.id, None, Outcome.UNREACHABLE, message=ended.message) for one in site.checks
        }
    return {one.check.id: _untold(one.check.id, why) for one in site.checks}


def _last_look(journey: Journey) -> StageEnded | None:
    return journey.ended.get(SOAKED) or journey.ended.get(AFTER)


def _untold(id: str, why: str) -> Cell:
    return Cell(id, None, Outcome.NOT_REACHED, message=why or "it was not looked at")


def _proof(journey: Journey, why: str) -> tuple[Reading | Cell, Outcome | None]:
    after = _last_look(journey)
    if after is None or "proof" not in after.facts:
        if after is not None and after.result is StageResult.UNREACHABLE:
            return Cell(PROOF, None, Outcome.UNREACHABLE, message=after.message), None
        return Cell(PROOF, None, Outcome.NOT_REACHED, message=why or "there was no second look"), None
    rows = after.facts["proof"]
    subjects = []
    for subject, outcome, severity, message in rows:
        why_not = message if outcome == Outcome.NOT_MEASURED else None
        subjects.append(SubjectFacts(subject, {"level": severity or "ok", "told": message}, why_not=why_not))
    return Measured(tuple(subjects)), None


def _debts(work: Work, journey: Journey, why: str) -> Told:
    failed = [one for name in DUTIES.values() if (one := journey.ended.get(name)) and one.result is StageResult.FAILED]
    if failed:
        return told(DEBTS, TITLES[DEBTS], work.name, failed[0], Cell(DEBTS, None, Outcome.FAILED))
    if journey.owed:
        message = f"still owed: {', '.join(journey.owed)} (maintops obligations)"
        return Told(Cell(DEBTS, None, Outcome.NOT_REACHED, message=message))
    if not any(name in journey.begun for name in DUTIES):
        return Told(Cell(DEBTS, None, Outcome.NOT_REACHED, message=why or "nothing was begun"))
    return Told(Measured((SubjectFacts(None, {"result": "ok", "told": "", "server": work.name, "step": DEBTS}),)))
