"""The service record: what happened on one server in one run. It is written once and never changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from maintops.domain.outcomes import Cell, Outcome, Severity, worst


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """One server and one run of a checklist. Times are UTC. `cells` holds at least one cell per planned check, in the
    checklist's order. `notes` are remarks about the trip itself (the reason of a failed connection, a machine that
    answers under two names). `machine` identifies the machine that answered (a hash; empty where none did)."""

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
