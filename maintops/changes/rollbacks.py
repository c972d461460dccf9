"""Taking a run back: a plan of its own, carried out like any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from maintops.changes.debts import Debt, Debts
from maintops.changes.desks import Extras
from maintops.domain.changes import Packages
from maintops.domain.journeys import AFTER, Journal, Journey, journal
from maintops.domain.plans import ChangePlan, Foreseen, PlannedChange, canonical
from maintops.domain.runs import Remarked, Run, RunState
from maintops.domain.servers import Server
from maintops.errors import NotNow, UsageError

if TYPE_CHECKING:
    from maintops.workflow.proposing import Proposal
    from maintops.workflow.running import RunResult
    from maintops.workflow.sites import Undertaking

_TAKEN_BACK = "it is taken back by the run "
"""How a run's journal says so; the id follows."""


class Rollbacks(Debts):
    """What is done to take changes back."""

    def propose_rollback(self, run: Run, limit: str | None) -> tuple[ChangePlan, tuple[str, ...]]:
        """The plan that undoes a run on some of its servers, and what cannot be undone. Raises UsageError where nothing
        can."""
        from maintops.workflow.proposing import Looked, propose
        from maintops.workflow.undoing import undoing

        house = self._house
        if not run.planned.changes:
            raise UsageError(f"the run {run.id} changed nothing: there is nothing to undo")
        if run.planned.of:
            raise UsageError(
                f"the run {run.id} took back the run {run.planned.of}; it is not taken back itself: "
                f"make a new plan (maintops plan {run.planned.checklist})"
            )
        if run.state is RunState.RUNNING:
            raise NotNow(
                f"the run {run.id} is still going on: stop it (Ctrl-C), or wait for its end (maintops runs --watch)"
            )
        told = journal(house.store.events(run.id))
        listed = house.checklist(self._kept_plan(run).file)
        planned = {one.server for one in run.planned.servers}
        proposal = self._proposal(listed, limit, self._plan_id())
        undone = {name: other for name, (other, journey) in self._taken_back(run.id).items() if journey.is_over}
        chosen = [one for one in proposal.servers if one.name in planned and one.name not in undone]
        found = undoing(listed, told, [one.name for one in chosen])
        left = [f"on {name} it was taken back already, by the run {other}" for name, other in undone.items()]
        left += found.left
        servers = [one for one in chosen if one.name in found.steps]
        if not servers:
            raise UsageError("\n".join([f"nothing of the run {run.id} can be undone:", *left]))
        proposal = replace(proposal, checklist=found.checklist, servers=servers)
        states = self._states(proposal)
        looked = self._looked(run.id, told, servers, states, left)
        foreseen = self._foreseen(proposal, [one for one in servers if one.name in looked], looked)
        for one in foreseen:
            if one.failure and looked.pop(one.server, None) is not None:
                left.append(f"{one.step} on {one.server}: {one.failure}")
        if not looked:
            raise UsageError("\n".join([f"nothing of the run {run.id} can be undone now:", *left]))
        proposal = replace(proposal, servers=[one for one in servers if one.name in looked])
        seen = {name: replace(one, asked=proposal.now) for name, one in looked.items()}
        told_of = tuple(one for one in foreseen if one.server in looked)
        plan = propose(proposal, Looked(seen, told_of), ())
        return replace(plan, of=run.id, packages=Packages.LATEST, title=f"Taken back: {listed.title}"), tuple(left)

    def _looked(
        self,
        run: str,
        told: Journal,
        servers: Sequence[Server],
        states: Mapping[str, Mapping[str, object]],
        left: list[str],
    ) -> dict[str, PlannedChange]:
        """What each server's packages must become; `left` is told of those of which that is not known."""
        from maintops.workflow.surveying import unpacked
        from maintops.workflow.undoing import look_kept, restored

        looked: dict[str, PlannedChange] = {}
        for server in servers:
            digest, after = look_kept(told, server.name), look_kept(told, server.name, AFTER)
            if not digest:
                left.append(f"what {server.name} was like before is not known: take it back by hand")
                continue
            if server.name not in states:
                left.append(
                    f"{server.name} does not say what it is like now: see that it answers, then "
                    f"maintops rollback {run} --limit {server.name}"
                )
                continue
            kept = [unpacked(self._house.store.evidence(one)).state if one else None for one in (digest, after)]
            back = restored(server.name, kept[0] or {}, states[server.name], kept[1])
            if back.notes:
                left.append(f"{server.name}: {back.notes[0]}")
            else:
                looked[server.name] = back
        return looked

    def _foreseen(
        self, proposal: Proposal, servers: Sequence[Server], looked: Mapping[str, PlannedChange]
    ) -> tuple[Foreseen, ...]:
        """What check mode says of taking back: a way back is offered only where there is one."""
        from maintops.workflow.foreseeing import foresee
        from maintops.workflow.stopping import Stopping
        from maintops.workflow.undoing import versions

        before = {"maintops_before": {name: versions(one) for name, one in looked.items()}}
        house = self._house
        stop = Stopping(None, house.clock).reason
        return foresee(proposal, servers, house.ansible, house.settings.forks, stop, before)

    def _states(self, proposal: Proposal) -> Mapping[str, Mapping[str, object]]:
        from maintops.domain.answers import Measured
        from maintops.domain.proofs import PROOF
        from maintops.workflow.surveying import state_plan

        site = self._site("look", proposal.checklist, proposal.servers)
        engines = self._house.engines(proposal.servers)
        asked = [(server, engine, "") for server, (engine, _) in zip(proposal.servers, engines, strict=True)]
        found = {}
        for name, read in site.observe_servers(asked, [state_plan(site)]).items():
            reading = read.readings[PROOF]
            if isinstance(reading, Measured) and reading.subjects:
                found[name] = reading.subjects[0].facts
        return found

    def rollback(self, plan: ChangePlan, extras: Extras) -> RunResult:
        """Carries a plan of `propose_rollback` out."""
        from maintops.workflow.changing import carry_out_change

        store, run = self._house.store, f"r{plan.id[1:]}"
        self._refuse_hold()
        store.keep_evidence(canonical(plan))
        under = self._undo_undertaking(run, plan, plan.of, extras.emergency)
        # first of all: whoever goes on with the other run must know, whatever becomes of this one
        store.append(plan.of, Remarked(f"{_TAKEN_BACK}{run}", self._house.clock()))
        result = carry_out_change(under, self._staff(extras), self._brakes(extras))
        self._settle_original(plan, result.run)
        return result

    def _taken_back(self, run: str) -> Mapping[str, tuple[str, Journey]]:
        """The servers on which a run was taken back, or begun to be: by which run, and how far that has come."""
        store = self._house.store
        remarks = journal(store.events(run)).remarks
        found: dict[str, tuple[str, Journey]] = {}
        for other in [one.removeprefix(_TAKEN_BACK) for one in remarks if one.startswith(_TAKEN_BACK)]:
            try:
                told = journal(store.events(other))
            except UsageError:  # it was refused before it began
                continue
            found |= {name: (other, journey) for name, journey in told.servers.items() if journey.touched}
        return found

    def _undo_undertaking(self, run: str, plan: ChangePlan, of: str, emergency: str) -> Undertaking:
        from maintops.workflow.undoing import undoing, versions

        told = journal(self._house.store.events(of))
        listed = self._house.checklist(plan.file)
        found = undoing(listed, told, plan.names)
        proposal = replace(self._proposal(listed, plan.limit or None, plan.id), checklist=found.checklist)
        under = self._undertaking(run, plan, proposal, emergency)
        skipped = {name: found.skipped(name) for name in plan.names}
        return replace(under, before={one.server: versions(one) for one in plan.servers}, skipped=skipped)

    def _settle_original(self, plan: ChangePlan, run: Run) -> None:
        """What a run left owed to servers is paid where it was taken back to the end. It is paid by its own command:
        what it made owed (a snapshot, a silence) may bear its id."""
        if not plan.of:
            return
        store = self._house.store
        now, undone = journal(store.events(run.id)), journal(store.events(plan.of))
        done = [name for name in plan.names if now.journey(name).is_over]
        debts = [Debt(plan.of, owed) for name in done for owed in undone.journey(name).owed.values()]
        self.settle(debts, f"by the run {run.id}")
