"""What bounds the servers that are in flight: the failure budget, the groups, the window, and whoever says stop."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from maintops.domain.journeys import DUTIES
from maintops.domain.runs import StageResult
from maintops.domain.waves import Batch, Standing, pick
from maintops.domain.windows import fits, opening_words
from maintops.workflow.rebooting import ask_boots
from maintops.workflow.sites import Site

FRESH = timedelta(minutes=5)
"""For how long it counts which members of a group answered: in a long wave others may go down."""

_SHOWN = 5


class Limits:
    """The limits of one run. `held` says why servers have no turn any more.

    Servers on which an earlier process began nothing but the first look (it failed, they did not answer) have another
    chance when their turn comes; until then they do not count against the budget.
    """

    def __init__(self, site: Site) -> None:
        self.held: dict[str, str] = {}
        self._site = site
        self._run = frozenset(site.under.plan.names)
        self._another_chance = {name for name in site.lost if name not in site.taken and name not in site.finished}
        self._down: dict[str, str] = {}
        self._drained: dict[str, str] = {}
        self._asked: dict[str, datetime] = {}

    # --- the budget --------------------------------------------------------------------------------------------------

    def budget(self, number: int) -> int:
        """How many servers may have failed by the end of a wave."""
        plan = self._site.under.plan
        return plan.canary_budget if number == 1 and len(plan.waves) > 1 else plan.budget

    @property
    def lost(self) -> list[str]:
        """The servers that count against the budget."""
        return [name for name in self._site.lost if name not in self._another_chance]

    def most(self, number: int, again: Collection[str] = ()) -> int:
        """How many servers may be in flight in a wave: if all of them fail, the budget is exceeded by one. Those of
        `again` are begun anew: what they have lost before does not count beside that."""
        lost = [name for name in self.lost if name not in again]
        return min(max(self.budget(number) - len(lost), 0) + 1, max(self._site.under.forks, 1))

    def exceeded(self, number: int) -> str:
        """Why the budget says that nothing more is begun in a wave, or ""."""
        lost, budget = self.lost, self.budget(number)
        if len(lost) <= budget:
            return ""
        said = [f"{name}{self._unwell_words(name)}" for name in lost[:5]]
        names = ", ".join(said) + (f" and {len(lost) - 5} more" if len(lost) > 5 else "")
        return f"held: the failure budget ({budget}) is used up: {len(lost)} failed ({names})"

    # --- who is through, and well ------------------------------------------------------------------------------------

    @property
    def well(self) -> list[str]:
        """The servers that are through, and were well when they were looked at after the soak, where they were."""
        return [name for name in self._site.finished if self._site.journey(name).unwell is None]

    @property
    def unwell(self) -> dict[str, str]:
        """The servers that are through and were not well after the soak, and what they were."""
        found = {name: self._site.journey(name).unwell for name in self._site.finished}
        return {name: one.message for name, one in found.items() if one is not None}

    def _unwell_words(self, name: str) -> str:
        unwell = self._site.journey(name).unwell
        return f": {unwell.message}" if unwell is not None else ""

    # --- groups and order --------------------------------------------------------------------------------------------

    def batch(self, waiting: Sequence[str], number: int) -> Batch:
        """Whose turn it is among the servers of a wave that wait. The members of their groups are asked before whether
        they answer: who does not is missing already, and so is whom another run has left drained."""
        fleet = self._site.under.plan.fleet
        self._drained = self._left_drained() if fleet.groups else {}
        asked: set[str] = set()
        while True:
            found = pick(waiting, self.most(number), self._run, fleet, self._standing())
            taken = {one for name in found.servers for one in fleet.taken_by(name)}
            groups = {fleet.group_of[one] for one in taken if one in fleet.group_of}
            unknown = {one for one in groups - asked if not self._is_fresh(one)}
            if not unknown:
                break
            asked |= unknown
            self._ask(sorted(unknown))
        self._another_chance -= {*found.servers}
        down = self._standing().down if found.refused else ()
        for name, why in found.refused.items():
            self.held[name] = self._explained(name, why, down)
        return found

    def _explained(self, name: str, why: str, down: Collection[str]) -> str:
        """Why a server has no turn, with who else of its groups is missing and what to do."""
        fleet = self._site.under.plan.fleet
        taken = fleet.taken_by(name)
        own = {fleet.group_of[one] for one in taken if one in fleet.group_of}
        missing = {one for one in down if fleet.group_of.get(one) in own}
        if why != fleet.excess(missing | {one for one in taken if one in fleet.group_of}):
            return why  # it is not for its group's sake
        told = [self._missing_words(one) for one in sorted(missing - taken)]
        if not told:
            return why
        rest = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
        them = "it is" if len(told) == 1 else "they are"
        then = f"see that {them} well, then: maintops run continue {self._site.under.run}"
        return f"{why}; {', '.join(told[:_SHOWN])}{rest}: {then}"

    def _missing_words(self, name: str) -> str:
        if name in self._down:
            return f"{name} does not answer ({self._down[name]})"
        if name in self._drained:
            return f"{name} is still drained by the run {self._drained[name]} (maintops obligations)"
        return f"{name} was not well after the soak" if name in self.unwell else f"{name} is not finished"

    def came_back(self, names: Sequence[str]) -> None:
        """Some servers were changed to the end: whoever was down before is not any more."""
        for name in names:
            if name in self._site.finished:
                self._down.pop(name, None)

    def _standing(self) -> Standing:
        site = self._site
        well = frozenset(self.well)
        unfinished = [name for name in site.taken if name not in well]
        lost = dict(self.held)
        for name in (*self.lost, *unfinished):
            if name not in lost:
                failed = site.journey(name).lost
                lost[name] = failed.message if failed is not None else "it is not finished"
        return Standing(well, lost, {*self._down, *self._drained, *unfinished})

    def _left_drained(self) -> dict[str, str]:
        """The servers that other runs took out of service and did not put back, and which run it was. Not the run that
        is taken back here; nor who is through since: it is in service again."""
        site = self._site
        own = (site.under.run, site.under.plan.of)
        owed = [(run, one) for run, one in site.crew.store.owed() if one.duty == DUTIES["drain"] and run not in own]
        return {one.server: run for run, one in owed if site.finished.get(one.server, one.at) <= one.at}

    def _is_fresh(self, group: str) -> bool:
        at = self._asked.get(group)
        return at is not None and abs(self._site.now() - at) < FRESH

    def _ask(self, groups: Sequence[str]) -> None:
        site = self._site
        members = sorted({member for one in groups for member in site.under.plan.fleet.groups[one].members})
        works = [site.work(name) for name in members if name in site.under.everyone]
        silent = {name: boot for name, boot in ask_boots(site, works).items() if isinstance(boot, str)}
        self._down = {name: why for name, why in self._down.items() if name not in members} | silent
        self._asked |= dict.fromkeys(groups, site.now())

    # --- time, and whoever says stop ---------------------------------------------------------------------------------

    def closed(self, seconds: float) -> str:
        """Why no server may be begun now that takes so many seconds, or "": somebody said so, or the window is closed,
        or too short. It must be open by what the clock says, and by what it would say had nobody set it back."""
        site = self._site
        why = site.brakes.before_next()
        if why:
            return f"held: {why}"
        window, now = site.under.plan.window, site.now()
        if window is None or site.under.emergency:
            return ""
        windows = site.under.policy.windows
        words = opening_words(window, windows.zone if windows is not None else "UTC")
        if not fits(window, now, seconds):
            return f"held: the window {words} is closed, or too short for another server"
        if not fits(window, site.latest, seconds):
            return f"held: the clock was set back; by what it said before, the window {words} is closed, or too short"
        return ""


def waits(site: Site, name: str) -> list[str]:
    """The steps of a server that wait for a person."""
    return [stage for stage, one in site.journey(name).ended.items() if one.result is StageResult.WAITING]
