"""Safe change as the Python API: plan, approve, run, go on, take back, hold, and pay what is owed.

`House.changes` gives it; everything that the command line does with plans is one of its methods.
"""

from __future__ import annotations

import getpass
import hashlib
import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from maintops.domain.changes import Packages
from maintops.domain.checklists import Checklist, Step
from maintops.domain.holds import Approval, Hold
from maintops.domain.identities import Identity
from maintops.domain.journeys import AFTER, journal
from maintops.domain.plans import ChangePlan, canonical, plan_hash
from maintops.domain.ports import Observer
from maintops.domain.records import record_id
from maintops.domain.runs import Run, RunState, Settled
from maintops.domain.servers import Server
from maintops.domain.steps import StepAnswer
from maintops.errors import NotNow, StoreError, UsageError

if TYPE_CHECKING:
    from maintops.domain.runs import Owed
    from maintops.wiring import House
    from maintops.workflow.braking import Brakes
    from maintops.workflow.keeping import Crew
    from maintops.workflow.proposing import Proposal
    from maintops.workflow.running import RunResult
    from maintops.workflow.sites import ChangeCrew, Site, Undertaking, Work

Ask = Callable[[str, Step], StepAnswer | None]
Confirm = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Debt:
    """What is still owed to a server, by which run."""

    run: str
    owed: Owed


@dataclass(frozen=True, slots=True)
class Paid:
    """What became of an attempt to pay a debt; `why` is empty where it is paid."""

    debt: Debt
    why: str = ""


@dataclass(frozen=True, slots=True)
class Extras:
    """What a run may be given: observers, its brakes, a person at the terminal (`ask` for steps by hand, `confirm` for
    questions; None: nobody is there), and why it is an emergency."""

    observers: Sequence[Observer] = ()
    brakes: Brakes | None = None
    ask: Ask | None = None
    confirm: Confirm | None = None
    emergency: str = ""


_HASH = re.compile("[0-9a-f]{6,64}")


class Changes:
    """Everything that can be done with changes in a house."""

    def __init__(self, house: House) -> None:
        self._house = house

    @property
    def identity(self) -> Identity:
        """Who is at work: the login, and the name that was claimed with `by` (else the login's)."""
        login = f"{getpass.getuser()}@{socket.gethostname()}"
        return Identity(login, self._house.settings.by or getpass.getuser())

    # --- plans -------------------------------------------------------------------------------------------------------

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
        from maintops.workflow import proposing
        from maintops.workflow.stopping import Stopping

        house = self._house
        listed = house.checklist(checklist)
        proposal = self._proposal(listed, limit, self._plan_id())
        self._check_content(proposal)
        earlier = proposing.earlier_durations(house.store, listed.name)
        waves = proposing.refuse(proposal, earlier)  # before the first connection
        if from_records:
            looked = proposing.Looked(proposing.remembered(proposal, house.store.memory))
            return self._kept(proposing.propose(proposal, looked, earlier))
        stop = Stopping(None, house.clock).reason
        crew = self._crew(())
        planned = proposing.look_at(proposal, crew, house.catalogue, house.settings.engine, house.settings.forks, stop)
        tried = {"canary": waves[0], "all": tuple(one.name for one in proposal.servers), "none": ()}[preview]
        servers = [one for one in proposal.servers if one.name in tried]
        foreseen = proposing.foresee(proposal, servers, house.ansible, house.settings.forks, stop) if servers else ()
        return self._kept(proposing.propose(proposal, proposing.Looked(planned, foreseen), earlier))

    def _kept(self, plan: ChangePlan) -> ChangePlan:
        """A plan is found by its hash from now on, by everybody who shares the database."""
        self._house.store.keep_evidence(canonical(plan))
        return plan

    def _proposal(self, listed: Checklist, limit: str | None, id: str) -> Proposal:
        from maintops.files.contents import content_digests
        from maintops.files.protecting import protected
        from maintops.workflow.proposing import Proposal

        house = self._house
        servers, everyone = house.servers_and_everyone(limit, listed.hosts)
        return Proposal(
            id=id,
            checklist=listed,
            servers=servers,
            everyone=everyone,
            author=self.identity,
            now=house.clock(),
            content=content_digests(listed),
            protected=protected(servers, everyone, house.settings.database_url),
            inventory=house.settings.inventory,
            limit=limit or "",
        )

    def _plan_id(self) -> str:
        return f"p{self._house.new_run_id()[1:]}"

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
        return parse_kept(self._house.store.evidence(str(path)), str(path))

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
        from maintops.workflow.approving import changed_since

        proposal = self._proposal(listed, plan.limit or None, plan.id)
        told = changed_since(plan, proposal)
        if told:
            more = f" and {len(told) - 5} more" if len(told) > 5 else ""
            raise UsageError(
                f"the plan {plan.id} is stale; changed since: {', '.join(told[:5])}{more}; make a new plan"
            )
        return proposal

    # --- runs --------------------------------------------------------------------------------------------------------

    def run(self, path: Path, extras: Extras) -> RunResult:
        """Carries the plan in a file out. Raises UsageError for a plan that is not approved, changed, expired or
        carried out already, NotNow outside its window or while changes are held, Locked where another run is at
        work."""
        from maintops.workflow.approving import check_window, refusal
        from maintops.workflow.changing import carry_out_change

        house = self._house
        plan = self.find(path)
        self._refuse_hold()
        run = f"r{plan.id[1:]}"
        self._refuse_again(run, plan)
        listed = house.checklist(plan.file)
        why = refusal(
            plan, house.store.approvals(plan_hash(plan)), listed.change, house.settings.approver, house.clock()
        )
        if why and not extras.emergency:
            raise UsageError(f"{why} (in an emergency: --emergency REASON)")
        proposal = self._refuse_stale(plan, listed)
        emergency = extras.emergency
        if not emergency:
            question = check_window(plan, listed.change, house.clock())
            if question is not None:
                if extras.confirm is None or not extras.confirm(f"{question}. Run it now all the same?"):
                    raise NotNow(question)
                emergency = f"late, agreed to by {self.identity}"
        house.store.keep_evidence(canonical(plan))
        under = self._undertaking(run, plan, proposal, emergency)
        return carry_out_change(under, self._staff(extras), self._brakes(extras))

    def _refuse_hold(self) -> None:
        hold = self.hold_in_force(self._house.clock())
        if hold is not None:
            raise NotNow(f"{hold.words()} (maintops hold --lift)")

    def _refuse_again(self, run: str, plan: ChangePlan) -> None:
        try:
            found = self._house.store.run(run)
        except UsageError:
            return
        raise UsageError(
            f"the plan {plan.id} was carried out already, as the run {found.id} ({found.state.value}); "
            f"go on with it (maintops run continue {found.id}), or make a new plan"
        )

    def go_on(self, run: Run, extras: Extras) -> RunResult:
        """Goes on with a run that ended before all was done. Raises UsageError for one with nothing left to do, or
        whose checklist or content is not what the plan was made of any more."""
        from maintops.workflow.approving import check_window
        from maintops.workflow.changing import resume_change

        house = self._house
        self._refuse_hold()
        if run.state is RunState.FINISHED:
            raise UsageError(f"the run {run.id} is finished: there is nothing left to do")
        plan = self._kept_plan(run)
        if plan.of:
            under = self._undo_undertaking(run.id, plan, run.planned.of, extras.emergency)
        else:
            listed = house.checklist(plan.file)
            proposal = self._refuse_stale(plan, listed)
            if not extras.emergency:
                question = check_window(plan, listed.change, house.clock())
                if question is not None:
                    raise NotNow(f"{question} (in an emergency: --emergency REASON)")
            under = self._undertaking(run.id, plan, proposal, extras.emergency)
        result = resume_change(under, self._staff(extras), self._brakes(extras), run)
        self._settle_original(plan, result.run)
        return result

    def answer(self, run: Run, answers: Path) -> None:
        """Keeps a file of answers to a run's steps by hand; going on with the run takes them up."""
        steps = {one.id: one for one in self._house.checklist(run.planned.file).steps}
        names = [one.server for one in run.planned.servers]
        for one in self._house.read_answers(answers, steps, names):
            if (one.server, one.step) in run.steps:
                raise UsageError(f"{one.step} on {one.server} is answered already")
            self._house.store.append(run.id, one)

    def zone(self, plan: ChangePlan) -> str:
        """The zone in which a plan's window is told."""
        windows = self._house.checklist(plan.file).change.windows if Path(plan.file).is_file() else None
        return windows.zone if windows is not None else "UTC"

    def _kept_plan(self, run: Run) -> ChangePlan:
        from maintops.files.plans import parse_kept

        text = self._house.store.evidence(run.planned.plan)
        if hashlib.sha256(text).hexdigest() != run.planned.plan:
            raise StoreError(f"the plan of the run {run.id} is not what it was made of: the database was changed")
        return parse_kept(text, f"the plan of the run {run.id}")

    def _undertaking(self, run: str, plan: ChangePlan, proposal: Proposal, emergency: str) -> Undertaking:
        from maintops.workflow.sites import Undertaking

        return Undertaking(
            run=run,
            plan=plan,
            checklist=proposal.checklist,
            catalogue=self._house.catalogue,
            everyone={one.name: one for one in proposal.everyone},
            engines=self._engines(proposal.everyone, plan),
            records={name: record_id(run, index) for index, name in enumerate(plan.names, start=1)},
            forks=self._house.settings.forks,
            engineer=self._house.settings.by,
            emergency=emergency,
        )

    def _engines(self, everyone: Sequence[Server], plan: ChangePlan) -> Mapping[str, str]:
        """Of the plan's servers, and of those that stand in for them."""
        wanted = set(plan.names) | {member for one in plan.fleet.groups.values() for member in one.members}
        servers = [one for one in everyone if one.name in wanted]
        chosen = self._house.engines(servers)
        return {server.name: engine for server, (engine, _) in zip(servers, chosen, strict=True)}

    def _crew(self, observers: Sequence[Observer]) -> Crew:
        from maintops.files.owners import this_process
        from maintops.workflow.keeping import Crew

        house = self._house
        return Crew(
            house.store, house.runners, house.ansible, house.clock, this_process(), tuple(observers), house.contact
        )

    def _staff(self, extras: Extras) -> ChangeCrew:
        from maintops.runners.commands import ControllerCommands
        from maintops.workflow.sites import ChangeCrew

        return ChangeCrew(self._crew(extras.observers), self._house.doer, ControllerCommands(), time.sleep, extras.ask)

    def _brakes(self, extras: Extras) -> Brakes:
        return extras.brakes or self.brakes()

    def brakes(self, deadline: datetime | None = None) -> Brakes:
        """The brakes of a run."""
        from maintops.workflow.braking import Brakes

        return Brakes(self.hold_in_force, self._house.clock, deadline)

    # --- taking back -------------------------------------------------------------------------------------------------

    def propose_rollback(self, run: Run, limit: str | None) -> tuple[ChangePlan, tuple[str, ...]]:
        """The plan that undoes a run on some of its servers, and what cannot be undone. Raises UsageError where nothing
        can."""
        from maintops.workflow import proposing
        from maintops.workflow.surveying import unpacked
        from maintops.workflow.undoing import look_kept, restored, undoing

        house = self._house
        if not run.planned.changes:
            raise UsageError(f"the run {run.id} changed nothing: there is nothing to undo")
        if run.state is RunState.RUNNING:
            raise NotNow(f"the run {run.id} is still going on")
        told = journal(house.store.events(run.id))
        listed = house.checklist(self._kept_plan(run).file)
        planned = {one.server for one in run.planned.servers}
        proposal = self._proposal(listed, limit, self._plan_id())
        chosen = [one for one in proposal.servers if one.name in planned]
        found = undoing(listed, told, [one.name for one in chosen])
        servers = [one for one in chosen if one.name in found.steps]
        if not servers:
            raise UsageError("\n".join([f"nothing of the run {run.id} can be undone:", *found.left]))
        proposal = replace(proposal, checklist=found.checklist, servers=servers)
        states = self._states(proposal)
        looked = {}
        left = list(found.left)
        for server in servers:
            digest, after = look_kept(told, server.name), look_kept(told, server.name, AFTER)
            if not digest or server.name not in states:
                left.append(f"{server.name} does not answer, or what it was like before is not known")
                continue
            then, last = (unpacked(house.store.evidence(one)).state if one else None for one in (digest, after))
            back = restored(server.name, then or {}, states[server.name], last)
            if back.notes:
                left.append(f"{server.name}: {back.notes[0]}")
            else:
                looked[server.name] = back
        proposal = replace(proposal, servers=[one for one in servers if one.name in looked])
        if not looked:
            raise UsageError("\n".join([f"nothing of the run {run.id} can be undone now:", *left]))
        plan = proposing.propose(
            proposal, proposing.Looked({name: replace(one, asked=proposal.now) for name, one in looked.items()}), ()
        )
        return replace(plan, of=run.id, packages=Packages.LATEST, title=f"Taken back: {listed.title}"), tuple(left)

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

    def _site(self, run: str, listed: Checklist, servers: Sequence[Server]) -> Site:
        """A place to ask servers from, without a journal."""
        from maintops.workflow.braking import Brakes
        from maintops.workflow.sites import Site, Undertaking

        house = self._house
        plan = ChangePlan(
            run, listed.name, listed.title, listed.file, listed.version, self.identity, house.clock(), (), ()
        )
        everyone = {one.name: one for one in servers}
        under = Undertaking(run, plan, listed, house.catalogue, everyone, {}, {}, house.settings.forks)
        return Site(under, self._staff(Extras()), Brakes(lambda now: None, house.clock), ())

    def _at(self, run: Run, server: Server) -> tuple[Site, Work]:
        from maintops.domain.plans import PlannedChange
        from maintops.workflow.sites import Work

        site = self._site(run.id, self._house.checklist(run.planned.file), [server])
        ((engine, _),) = self._house.engines([server])
        return site, Work(server, PlannedChange(server.name), "", engine, self._house.clock())

    def rollback(self, plan: ChangePlan, extras: Extras) -> RunResult:
        """Carries a plan of `propose_rollback` out."""
        from maintops.workflow.changing import carry_out_change

        self._refuse_hold()
        self._house.store.keep_evidence(canonical(plan))
        under = self._undo_undertaking(f"r{plan.id[1:]}", plan, plan.of, extras.emergency)
        result = carry_out_change(under, self._staff(extras), self._brakes(extras))
        self._settle_original(plan, result.run)
        return result

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
        """What a run left owed to a server is paid where taking it back has paid the same."""
        if not plan.of:
            return
        store = self._house.store
        now, undone = journal(store.events(run.id)), journal(store.events(plan.of))
        for name in plan.names:
            if now.journey(name).is_over:
                for duty in undone.journey(name).owed:
                    store.append(
                        plan.of, Settled(name, duty, str(self.identity), f"by the run {run.id}", self._house.clock())
                    )

    # --- holds -------------------------------------------------------------------------------------------------------

    def hold_in_force(self, now: datetime) -> Hold | None:
        """The hold that is in force at a time: of the file first, which needs no database."""
        from maintops.files.holding import read_hold

        hold = read_hold(self._house.settings.hold_file)
        if hold is not None and hold.holds(now):
            return hold
        return next((one for one in self._house.store.holds() if one.holds(now)), None)

    def hold(self, why: str, until: datetime | None = None) -> tuple[Hold, str]:
        """Holds all changes, of this house and of all that share its database; the second value says where it could
        not be written (empty: everywhere)."""
        from maintops.files.holding import write_hold

        house, now = self._house, self._house.clock()
        other = self.hold_in_force(now)
        if other is not None and (other.until is None or (until is not None and until < other.until)):
            raise UsageError(f"{other.words()}; that holds longer: lift it first (maintops hold --lift)")
        hold = Hold(f"h{house.new_run_id()[1:]}", self.identity, why, now, until)
        write_hold(hold, house.settings.hold_file)
        try:
            house.store.keep_hold(hold)
        except StoreError as error:
            return hold, str(error)
        return hold, ""

    def lift(self) -> list[Hold]:
        """Lifts every hold; returns them."""
        from maintops.files.holding import read_hold, remove_hold

        house = self._house
        lifted = list(house.store.holds())
        for one in lifted:
            house.store.keep_hold(replace(one, lifted=True))
        file = read_hold(house.settings.hold_file)
        if remove_hold(house.settings.hold_file) and file is not None and file.id not in {one.id for one in lifted}:
            lifted.append(file)
        return lifted

    # --- debts -------------------------------------------------------------------------------------------------------

    def debts(self) -> list[Debt]:
        """What is still owed to servers, the oldest first."""
        return [Debt(run, owed) for run, owed in self._house.store.owed()]

    def settle(self, debts: Sequence[Debt]) -> list[Paid]:
        """Pays debts. Runs that are still going on pay their own."""
        from maintops.domain.changes import Hook
        from maintops.workflow.hooking import command

        paid: list[Paid] = []
        servers = {one.name: one for one in self._house.servers()} if debts else {}
        for debt in debts:
            run = self._house.store.run(debt.run)
            if run.state is RunState.RUNNING:
                paid.append(Paid(debt, f"the run {run.id} is still going on, and pays it itself"))
                continue
            server = servers.get(debt.owed.server)
            if server is None:
                paid.append(Paid(debt, "the inventory does not have this server any more"))
                continue
            site, work = self._at(run, server)
            one = Hook(debt.owed.command, debt.owed.on, debt.owed.command, "", debt.owed.timeout)
            why = command(site, [work], debt.owed.command, one, debt.owed.duty)[debt.owed.server]
            if not why:
                now = self._house.clock()
                self._house.store.append(
                    run.id, Settled(debt.owed.server, debt.owed.duty, str(self.identity), "maintops obligations", now)
                )
            paid.append(Paid(debt, why))
        return paid
