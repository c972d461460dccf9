"""What everybody who deals with changes needs: who is at work, with whom, and what may not be begun."""

from __future__ import annotations

import getpass
import hashlib
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from maintops.domain.checklists import Checklist, Step
from maintops.domain.holds import Hold
from maintops.domain.identities import Identity
from maintops.domain.placements import CONSOLE
from maintops.domain.plans import ChangePlan
from maintops.domain.ports import Observer
from maintops.domain.records import record_id
from maintops.domain.runs import Run
from maintops.domain.servers import Server
from maintops.domain.steps import StepAnswer
from maintops.errors import NotNow, StoreError

if TYPE_CHECKING:
    from maintops.wiring import House
    from maintops.workflow.braking import Brakes
    from maintops.workflow.keeping import Crew
    from maintops.workflow.proposing import Proposal
    from maintops.workflow.sites import ChangeCrew, Site, Undertaking, Work

Ask = Callable[[str, Step], StepAnswer | None]
Confirm = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Extras:
    """What a run may be given: observers, its brakes, a person at the terminal (`ask` for steps by hand, `confirm` for
    questions; None: nobody is there), and why it is an emergency."""

    observers: Sequence[Observer] = ()
    brakes: Brakes | None = None
    ask: Ask | None = None
    confirm: Confirm | None = None
    emergency: str = ""


class Desk:
    """Where changes are dealt with in a house."""

    def __init__(self, house: House) -> None:
        self._house = house

    @property
    def identity(self) -> Identity:
        """Who is at work: the login, and the name that was claimed with `by` (else the login's)."""
        login = f"{getpass.getuser()}@{socket.gethostname()}"
        return Identity(login, self._house.settings.by or getpass.getuser())

    def zone(self, plan: ChangePlan) -> str:
        """The zone in which a plan's window is told."""
        windows = self._house.checklist(plan.file).change.windows if Path(plan.file).is_file() else None
        return windows.zone if windows is not None else "UTC"

    def hold_in_force(self, now: datetime) -> Hold | None:
        """The hold that is in force at a time: of the file first, which needs no database."""
        from maintops.files.holding import read_hold

        hold = read_hold(self._house.settings.hold_file)
        if hold is not None and hold.holds(now):
            return hold
        return next((one for one in self._house.store.holds() if one.holds(now)), None)

    def _refuse_hold(self) -> None:
        hold = self.hold_in_force(self._house.clock())
        if hold is not None:
            raise NotNow(f"{hold.words()} (maintops hold --lift)")

    def _kept_plan(self, run: Run) -> ChangePlan:
        from maintops.files.plans import parse_kept

        text = self._house.store.evidence(run.planned.plan)
        if hashlib.sha256(text).hexdigest() != run.planned.plan:
            raise StoreError(
                f"the plan of the run {run.id} is not what it was made of: the database was changed by somebody else; "
                f"make a new plan (maintops plan {run.planned.checklist}), or bring back the database from its backup"
            )
        return parse_kept(text, f"the plan of the run {run.id}")

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
            content=content_digests(listed, _consoles(servers)),
            protected=protected(servers, everyone, house.settings.database_url),
            inventory=house.settings.inventory,
            limit=limit or "",
            forks=house.settings.forks,
        )

    def _plan_id(self) -> str:
        return f"p{self._house.new_run_id()[1:]}"

    # --- who carries it out ------------------------------------------------------------------------------------------

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

    def _site(self, run: str, listed: Checklist, servers: Sequence[Server]) -> Site:
        """A place to ask servers from, without a run."""
        from maintops.workflow.braking import Brakes
        from maintops.workflow.sites import Outlook, Undertaking

        house = self._house
        plan = ChangePlan(
            run, listed.name, listed.title, listed.file, listed.version, self.identity, house.clock(), (), ()
        )
        everyone = {one.name: one for one in servers}
        under = Undertaking(run, plan, listed, house.catalogue, everyone, {}, {}, house.settings.forks)
        return Outlook(under, self._staff(Extras()), Brakes(lambda now: None, house.clock), ())

    def _at(self, run: Run, server: Server) -> tuple[Site, Work]:
        from maintops.domain.plans import PlannedChange
        from maintops.workflow.sites import Work

        site = self._site(run.id, self._house.checklist(run.planned.file), [server])
        ((engine, _),) = self._house.engines([server])
        return site, Work(server, PlannedChange(server.name), "", engine, self._house.clock())


def _consoles(servers: Sequence[Server]) -> Iterator[str]:
    """The commands that show a server's console."""
    said = (server.variables.get(CONSOLE) for server in servers)
    return (one for one in said if isinstance(one, str))
