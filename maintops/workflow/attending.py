"""Asking the person at the terminal in the middle of a change. A person may think for an hour: the run goes on giving
signs of life meanwhile, and whoever stops it is heard.

How somebody is asked is not known here: `ChangeCrew.ask` takes a server and a step, and comes back with an answer.
While it waits it is to call `meanwhile()` every second or so, in its own thread, which is the one that the database
belongs to. An `ask` that does not still works, in silence.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import replace
from datetime import timedelta

from maintops.domain.checklists import Step
from maintops.domain.ports import Pulse
from maintops.domain.steps import StepAnswer
from maintops.workflow.sites import ChangeCrew, Site

GLANCE = timedelta(seconds=5)
"""How often it is looked whether changes are held, or the deadline has passed; a cancelled run is noticed at once."""


class _Attendant:
    """Whoever is asked, and whether somebody was since the present batch was begun."""

    def __init__(self, ask: Callable[[str, Step], StepAnswer | None]) -> None:
        self._ask, self.asked = ask, False

    def __call__(self, server: str, step: Step) -> StepAnswer | None:
        self.asked = True
        return self._ask(server, step)


def attended(staff: ChangeCrew) -> ChangeCrew:
    """The same crew, of which `overstayed` knows whether somebody was asked."""
    return staff if staff.ask is None else replace(staff, ask=_Attendant(staff.ask))


def begin_batch(site: Site) -> None:
    """Nobody was asked yet for the sake of the servers that are begun now."""
    if isinstance(site.staff.ask, _Attendant):
        site.staff.ask.asked = False


def overstayed(site: Site) -> str:
    """Why no further step may be begun on the present batch, or "": a person was asked, for hours maybe, and the window
    is closed. Where nobody was asked, whoever was begun is finished."""
    person = site.staff.ask
    if not isinstance(person, _Attendant) or not person.asked or site.is_open():
        return ""
    return "a person was asked, and the window is closed by now"


class _Waiting:
    """What is done while a person thinks about one step."""

    def __init__(self, site: Site, server: str, step: str) -> None:
        self._site, self._pulse = site, Pulse({server: step})
        self._looked = site.now()

    def glance(self) -> str | None:
        """Gives a sign of life; returns why nobody is to be asked any more, or None."""
        brakes, now = self._site.brakes, self._site.now()
        if brakes.cancelled or abs(now - self._looked) >= GLANCE:
            self._looked = now
            why = brakes.before_next()
            if why is not None:
                return why
        self._site.sign(self._pulse)
        return None


# No argument of `ask`: that is anybody's who uses the Python API, and old ones are to go on working.
_WAITING: ContextVar[_Waiting | None] = ContextVar("waiting", default=None)


def meanwhile() -> str | None:
    """To be called while a person is waited for: gives a sign of life, and returns why nobody is to be asked any more
    (None: go on waiting; also where no run waits). Raises Locked where the run is somebody else's by now."""
    waiting = _WAITING.get()
    return waiting.glance() if waiting is not None else None


def ask(site: Site, server: str, step: Step) -> StepAnswer | None:
    """What the person at the terminal says of a step; it is in the journal when this returns. None where nobody is
    there, goes on another time, or is not to be asked any more."""
    if site.staff.ask is None:
        return None
    before = _WAITING.set(_Waiting(site, server, step.id))
    try:
        answer = site.staff.ask(server, step)
    finally:
        _WAITING.reset(before)
    if answer is not None:
        site.write(answer)
    return answer
