"""Runs: a plan is carried out, and gone on with."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from maintops.changes.desks import Extras
from maintops.changes.rollbacks import Rollbacks
from maintops.domain.changes import ChangePolicy
from maintops.domain.journeys import Journey, journal
from maintops.domain.plans import ChangePlan, canonical, plan_hash
from maintops.domain.runs import Run, RunState, StageResult
from maintops.domain.steps import POWER_CYCLE, StepAnswer, power_cycle, whether_done
from maintops.errors import Locked, NotNow, UsageError

if TYPE_CHECKING:
    from maintops.workflow.running import RunResult


class Runs(Rollbacks):
    """What is done with runs."""

    def run(self, path: Path, extras: Extras) -> RunResult:
        """Carries the plan in a file out. Raises UsageError for a plan that is not approved, unknown to the database,
        changed, expired or carried out already, NotNow outside its window, while changes are held, or where another
        run has left one of its servers in the middle, Locked where another run is at work."""
        from maintops.workflow.changing import carry_out_change

        plan = self.find(path)
        self._refuse_hold()
        run = f"r{plan.id[1:]}"
        self._refuse_again(run, plan)
        listed = self._house.checklist(plan.file)
        self._refuse_unapproved(plan, listed.change, extras)
        self._refuse_unknown(plan)
        proposal = self._refuse_stale(plan, listed)
        self._refuse_middle(plan, extras)
        emergency = self._in_time(plan, listed.change, extras)
        self._house.store.keep_evidence(canonical(plan))
        approved = self._approved(plan, listed.change, self._house.clock())
        under = replace(self._undertaking(run, plan, proposal, emergency), approved=approved)
        return carry_out_change(under, self._staff(extras), self._brakes(extras))

    def _refuse_again(self, run: str, plan: ChangePlan) -> None:
        from maintops.workflow.approving import anew

        try:
            found = self._house.store.run(run)
        except UsageError:
            return
        if found.id != run:  # one whose id only begins so
            return
        if found.state is RunState.RUNNING:
            by = f" by {found.planned.engineer}" if found.planned.engineer else ""
            raise Locked(
                f"the plan {plan.id} is carried out already, as the run {found.id}, begun "
                f"{found.planned.at:%Y-%m-%d %H:%M} UTC{by} (process {found.owner.pid} on {found.owner.host}); "
                f"follow it: maintops runs {found.id} --watch; "
                f"where its machine is gone: maintops runs {found.id} --end --why REASON"
            )
        on = "" if found.state is RunState.FINISHED else f"go on with it (maintops run continue {found.id}), or "
        raise UsageError(
            f"the plan {plan.id} was carried out already, as the run {found.id} ({found.state.value}); {on}{anew(plan)}"
        )

    def _refuse_unapproved(self, plan: ChangePlan, policy: ChangePolicy, extras: Extras) -> None:
        from maintops.workflow.approving import refusal

        house = self._house
        approvals = house.store.approvals(plan_hash(plan))
        why = refusal(plan, approvals, policy, house.settings.approver, house.clock())
        if why and not extras.emergency:
            raise UsageError(f"{why} (in an emergency: --emergency REASON)")

    def _approved(self, plan: ChangePlan, policy: ChangePolicy, at: datetime) -> str:
        """Who approved a plan by an approval that holds at a time, for the record."""
        from maintops.workflow.approving import approval_words

        house = self._house
        return approval_words(plan, house.store.approvals(plan_hash(plan)), policy, house.settings.approver, at)

    def _refuse_middle(self, plan: ChangePlan, extras: Extras) -> None:
        """What a run owes to a server is paid by itself, or given up, before another plan begins on it: what was paid
        behind its back it would pay once more, in the middle of something else."""
        told = () if extras.emergency else self._in_the_middle(plan.names, running=False)
        if told:
            raise NotNow("\n".join(told) + " (in an emergency: --emergency REASON)")

    def _refuse_unknown(self, plan: ChangePlan) -> None:
        """Whoever changes a plan's file can compute its hash anew. Where no approval binds it, the database does: it
        has kept every plan that was made or approved with it."""
        from maintops.workflow.approving import anew

        try:
            self._house.store.evidence(plan_hash(plan))
        except UsageError:
            raise UsageError(
                f"this database does not know the plan {plan.id}: it was changed after it was made, or made with "
                f"another database; {anew(plan)} with this one, or have it approved here: "
                f"maintops approve FILE --by SOMEBODY-ELSE"
            ) from None

    def _in_time(self, plan: ChangePlan, policy: ChangePolicy, extras: Extras) -> str:
        """Why the window does not count; empty where it does, and is open. Raises NotNow where it is not."""
        from maintops.workflow.approving import anew, check_window

        if extras.emergency:
            return extras.emergency
        question = check_window(plan, policy, self._house.clock())
        if question is None:
            return ""
        if extras.confirm is None or not extras.confirm(f"{question}. Run it now all the same?"):
            raise NotNow(f"{question}: somebody at a terminal must agree (late: ask), or {anew(plan)}")
        return f"late, agreed to by {self.identity}"

    def go_on(self, run: Run, extras: Extras) -> RunResult:
        """Goes on with a run that ended before all was done. Raises UsageError for one with nothing left to do, that
        was taken back, whose checklist or content is not what the plan was made of any more, or whose approval has
        expired; NotNow outside its window or while changes are held. Where only the look after the soak is left,
        nothing is changed any more: neither approval nor window counts."""
        from maintops.workflow.changing import resume_change

        self._refuse_hold()
        if run.state is RunState.FINISHED:
            raise UsageError(f"the run {run.id} is finished: there is nothing left to do")
        plan = self._kept_plan(run)
        if plan.of:
            under = self._undo_undertaking(run.id, plan, run.planned.of, extras.emergency)
        else:
            self._refuse_taken_back(run)
            listed = self._house.checklist(plan.file)
            over = self._is_over(run, plan)
            if not over:
                self._refuse_unapproved(plan, listed.change, extras)
            proposal = self._refuse_stale(plan, listed)
            emergency = extras.emergency if over else self._in_time(plan, listed.change, extras)
            at = run.planned.at if over else self._house.clock()  # what is over was done under what held then
            approved = self._approved(plan, listed.change, at)
            under = replace(self._undertaking(run.id, plan, proposal, emergency), approved=approved)
        result = resume_change(under, self._staff(extras), self._brakes(extras), run)
        self._settle_original(plan, result.run)
        return result

    def _is_over(self, run: Run, plan: ChangePlan) -> bool:
        """Whether all that changes anything is done on all servers of a run."""
        told = journal(self._house.store.events(run.id))
        return all(told.journey(name).is_over for name in plan.names)

    def next_words(self, run: Run) -> str:
        """How a run that ended before all was done is gone on with, for people; or why that would be refused now, and
        what to do then."""
        from maintops.workflow.approving import check_window

        then = f"maintops run continue {run.id}"
        plan = self._kept_plan(run)
        if plan.of or self._is_over(run, plan):
            return f"go on with it: {then}"
        try:
            question = check_window(plan, self._house.checklist(plan.file).change, self._house.clock())
        except NotNow as why:
            return f"{then} is refused now: {why}"
        return f"go on with it: {then}" + (" (at a terminal: its window has passed; late: ask)" if question else "")

    def _refuse_taken_back(self, run: Run) -> None:
        undone = self._taken_back(run.id)
        if undone:
            others = ", ".join(dict.fromkeys(other for other, _ in undone.values()))
            raise UsageError(
                f"the run {run.id} was taken back by the run {others}: going on would call done what is undone; "
                f"make a new plan (maintops plan {run.planned.checklist})"
            )

    def answer(self, run: Run, answers: Path) -> None:
        """Keeps a file of answers to a run's steps by hand, all of them or none; going on with the run takes them up.
        Where a step failed by its answer, another one may be given."""
        from maintops.workflow.rescuing import is_offered

        store = self._house.store
        if run.state is RunState.RUNNING:
            raise NotNow(f"the run {run.id} is still going on; its steps can be answered when it has ended")
        listed = self._house.checklist(run.planned.file)
        steps = {one.id: one for one in listed.steps}
        steps |= {one.id: whether_done(one) for one in listed.changes if one.act is not None and not one.idempotent}
        names = [one.server for one in run.planned.servers]
        told = journal(store.events(run.id))
        if any(is_offered(told.journey(name)) for name in names):
            steps[POWER_CYCLE] = power_cycle()
        found = self._house.read_answers(answers, steps, names)
        for one in found:
            _refuse_answer(run, one, told.journey(one.server), answers)
        store.append(run.id, *found)


def _refuse_answer(run: Run, one: StepAnswer, journey: Journey, answers: Path) -> None:
    from maintops.workflow.rescuing import is_offered

    if one.step == POWER_CYCLE:
        if not is_offered(journey):
            raise UsageError(
                f"{one.step} is not asked of {one.server}: it is not one that did not come back; "
                f"leave it out of {answers} (nothing was kept)"
            )
        return  # each wait may be answered anew
    ended = journey.ended.get(one.step)
    again = ended is not None and ended.result in (StageResult.FAILED, StageResult.UNKNOWN)
    again = again or journey.mid == one.step
    if (one.server, one.step) in run.steps and not again:
        raise UsageError(
            f"{one.step} on {one.server} is answered already; leave it out of {answers} (nothing was kept)"
        )
