"""What changes still owe to servers, and paying it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from maintops.changes.plans import Plans
from maintops.domain.runs import RunState, Settled
from maintops.domain.servers import Server

if TYPE_CHECKING:
    from maintops.domain.runs import Owed


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


class Debts(Plans):
    """What is done about debts."""

    def debts(self) -> list[Debt]:
        """What is still owed to servers, the oldest first."""
        return [Debt(run, owed) for run, owed in self._house.store.owed()]

    def settle(self, debts: Sequence[Debt], how: str = "maintops obligations") -> list[Paid]:
        """Pays debts; `how` stands beside them on record. What is owed to a server that a run is changing now is not
        paid: it would be put back into service in the middle."""
        if not debts:
            return []
        servers = {one.name: one for one in self._house.servers()}
        changing = {
            planned.server: run.id
            for run in self._house.store.runs(unfinished=True)
            if run.planned.changes
            for planned in run.planned.servers
        }
        return [self._settle(debt, servers, changing, how) for debt in debts]

    def _settle(self, debt: Debt, servers: Mapping[str, Server], changing: Mapping[str, str], how: str) -> Paid:
        from maintops.domain.changes import Hook
        from maintops.workflow.hooking import command

        owed, run = debt.owed, self._house.store.run(debt.run)
        if run.state is RunState.RUNNING:
            return Paid(debt, f"the run {run.id} is still going on, and pays it itself")
        if owed.server in changing:
            return Paid(
                debt, f"the run {changing[owed.server]} is changing {owed.server} now; pay it when that has ended"
            )
        server = servers.get(owed.server)
        if server is None:
            return Paid(debt, f"the inventory does not have this server any more; pay it by hand: {owed.command}")
        site, work = self._at(run, server)
        hook = Hook(owed.command, owed.on, owed.command, "", owed.timeout)
        why = command(site, [work], owed.command, hook, owed.duty)[owed.server]
        if not why:
            paid = Settled(owed.server, owed.duty, str(self.identity), how, self._house.clock())
            self._house.store.append(run.id, paid)
        return Paid(debt, why)
