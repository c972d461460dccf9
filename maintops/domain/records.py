"""The service record: what happened on one server in one run. It is written once and never changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from maintops.domain.outcomes import Cell, Outcome, Severity, worst


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """One server and one run of a checklist. Times are UTC. `cells` holds at least one cell per planned check, in the
    checklist's order. `notes` are remarks about the trip itself (the reason of a failed connection, a machine that
    answers under two names). `item` is the service item's code. `machine` identifies the machine that answered (a
    hash; empty where none did)."""

    id: str
    run: str
    server: str
    checklist: str
    version: str
    title: str
    service: str
    engine: str
    started: datetime
    ended: datetime
    cells: tuple[Cell, ...]
    engineer: str | None = None
    customer: str | None = None
    site: str | None = None
    machine: str = ""
    notes: tuple[str, ...] = ()
    item: str = ""

    @property
    def outcome(self) -> Outcome:
        """The worst outcome of its cells."""
        return worst(cell.outcome for cell in self.cells)

    @property
    def severity(self) -> Severity | None:
        """The worst severity of its cells; None where nothing was found."""
        found = [cell.severity for cell in self.cells if cell.severity is not None]
        return max(found, key=lambda severity: severity.rank, default=None)

    @property
    def counts(self) -> Mapping[Outcome, int]:
        """How many cells have which outcome."""
        return Counter(cell.outcome for cell in self.cells)


def record_id(run: str, index: int) -> str:
    """The id of the record of a run's server number `index` (from 1): known before the run begins, so that no record
    can be written twice."""
    return f"{run}-{index:04d}"


def part_id(record: str, number: int) -> str:
    """The id of a further part of a record (from 2): what persons did by hand after it was written."""
    return f"{record}.{number}"


def part_number(id: str) -> int:
    """Which part of its record an id names; 1 for the record itself."""
    _, dot, number = id.rpartition(".")
    return int(number) if dot and number.isdigit() and len(number) < _LONGEST_NUMBER else 1


_LONGEST_NUMBER = 9


def merged(parts: Iterable[ServiceRecord]) -> ServiceRecord:
    """The parts of one server's record as one: of each check the newest cells, in the first part's order. Raises
    ValueError for no part at all."""
    first, *others = sorted(parts, key=lambda one: part_number(one.id))
    if not others:
        return first
    cells: dict[str, list[Cell]] = {}
    for part in (first, *others):
        mine: dict[str, list[Cell]] = {}
        for cell in part.cells:
            mine.setdefault(cell.check, []).append(cell)
        cells.update(mine)
    engineers = dict.fromkeys(one.engineer for one in (first, *others) if one.engineer)
    return replace(
        first,
        cells=tuple(cell for mine in cells.values() for cell in mine),
        ended=max(one.ended for one in (first, *others)),
        engineer=", ".join(engineers) or None,
        notes=tuple(dict.fromkeys(note for one in (first, *others) for note in one.notes)),
    )
