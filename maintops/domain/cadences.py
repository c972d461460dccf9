"""How often a checklist is due on a server: by its criticality, and in its first year."""

from __future__ import annotations

from datetime import date

from maintops.domain.checklists import Cadence
from maintops.domain.servers import Criticality, Server


def rhythm(cadence: Cadence, server: Server, on: date) -> str:
    """The rhythm that a checklist has on a server on a day: day, week, month, quarter, half-year or year.

    A server whose day in service the inventory does not name is not taken for a new one.
    """
    if cadence.first_year is not None and server.in_service is not None and _is_new(server.in_service, on):
        return cadence.first_year
    return cadence.core if server.criticality is Criticality.CORE else cadence.standard


def _is_new(begin: date, on: date) -> bool:
    """Whether a day lies before the first anniversary of another (that of 29 February is 1 March)."""
    return (on.year - 1, on.month, on.day) < (begin.year, begin.month, begin.day)
