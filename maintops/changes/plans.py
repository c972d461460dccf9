"""Plans: made, found, approved, and refused where they are not any more what they were."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from maintops.changes.desks import Desk
from maintops.domain.checklists import Checklist
from maintops.domain.holds import Approval
from maintops.domain.plans import ChangePlan, canonical
from maintops.domain.runs import Owed, RunState
from maintops.domain.wording import some
from maintops.errors import UsageError

if TYPE_CHECKING:
    from maintops.workflow.proposing import Proposal

_HASH = re.compile("[0-9a-f]{6,64}")


class Plans(Desk):
    """What is done with plans."""

    def plan(
        self,
        checklist: str,
        *,
        limit: str | None = None,
        from_records: bool = False,
        preview: str = "canary",
    ) -> ChangePlan:
        """A plan. `from_records`: what is pending is taken from each server's last record, and nobody is asked.
        `preview`: on which servers check mode is tried: `canary` (the first wave), `all`, `none`."""
        from maintops.workflow.estimating import earlier_durations
        from maintops.workflow.foreseeing import foresee, look_at, remembered
        from maintops.workflow.proposing import Looked, propose, refuse
        from maintops.workflow.stopping import Stopping

        house = self._house
        listed = house.checklist(checklist)
        proposal = self._proposal(listed, limit, self._plan_id())
        self._check_content(proposal)
        proposal = replace(proposal, middle=self._in_the_middle([one.name for one in proposal.servers]))
        earlier = earlier_durations(house.store, listed.name)
        waves = refuse(proposal, earlier)  # before the first connection
        if from_records:
            return self._kept(propose(proposal, Looked(remembered(proposal, house.store)), earlier))
        stop = Stopping(None, house.clock).reason
        crew = self._crew(())
        planned = look_at(proposal, crew, house.catalogue, house.settings.engine, house.settings.forks, stop)
        tried = {"canary": waves[0], "all": tuple(one.name for one in proposal.servers), "none": ()}[preview]
        servers = [one for one in proposal.servers if one.name in tried]
        foreseen = foresee(proposal, servers, house.ansible, house.settings.forks, stop) if servers else ()
        return self._kept(propose(proposal, Looked(planned, foreseen), earlier))

    def _in_the_middle(self, names: Collection[str], *, running: bool = True) -> tuple[str, ...]:
        """Which of some servers runs have left in the middle, one text a run. `running`: those that are still going on
        too, which keep others off their servers by their locks."""
        from maintops.workflow.approving import middle_words

        store, wanted = self._house.store, frozenset(names)
        owed: dict[str, list[Owed]] = {}
        for run, one in store.owed():
            if one.server in wanted:
                owed.setdefault(run, []).append(one)
        states = {run: store.run(run).state for run in owed}
        left_out = (RunState.FINISHED,) if running else (RunState.FINISHED, RunState.RUNNING)
        return tuple(
            middle_words(run, found, states[run] is RunState.RUNNING)
            for run, found in owed.items()
            if states[run] not in left_out
        )

    def _kept(self, plan: ChangePlan) -> ChangePlan:
        """A plan is found by its hash from now on, by everybody who shares the database."""
        self._house.store.keep_evidence(canonical(plan))
        return plan

    def _check_content(self, proposal: Proposal) -> None:
        """What the steps do can be read, and no variable in it is undefined. Raises ConfigurationError, UsageError."""
        from maintops.domain.ports import Deed
        from maintops.errors import ConfigurationError
        from maintops.files.readiness import undefined_mistakes

        mistakes = undefined_mistakes(proposal.checklist, proposal.servers)
        if mistakes:
            raise ConfigurationError(mistakes)
        for step in proposal.checklist.changes:
            for action in (step.act, step.rollback):
                if action is not None and action.fabric:
                    self._house.doer.check(Deed(fabric=action.fabric))

    def find(self, path: Path) -> ChangePlan:
        """The plan in a file; or, where there is no such file, the one in the database whose hash begins so: whoever
        approves it need not be able to read its author's files."""
        from maintops.files.plans import parse_kept, read_plan

        if path.exists() or not _HASH.fullmatch(str(path)):
            return read_plan(path)
        try:
            kept = self._house.store.evidence(str(path))
        except UsageError as why:
            raise UsageError(
                f"{path} is neither a file nor how one plan's hash in the database begins: {why}"
            ) from None
        return parse_kept(kept, str(path))

    def approve(self, path: Path, note: str = "") -> tuple[ChangePlan, Approval]:
        """Approves the plan in a file in the name of `by`."""
        from maintops.workflow.approving import approval_of

        house = self._house
        plan = self.find(path)
        listed = house.checklist(plan.file)
        self._refuse_stale(plan, listed)
        approval = approval_of(plan, self.identity, listed.change, house.settings.approver, house.clock(), note)
        house.store.keep_evidence(canonical(plan))
        house.store.keep_approval(approval)
        return plan, approval

    def _refuse_stale(self, plan: ChangePlan, listed: Checklist) -> Proposal:
        from maintops.workflow.approving import anew, changed_since

        proposal = self._proposal(listed, plan.limit or None, plan.id)
        told = changed_since(plan, proposal)
        if told:
            raise UsageError(
                f"the plan {plan.id} is stale; changed since: {some(told)}; {anew(plan)} and have it approved"
            )
        return proposal
