"""In what order things come out of every store."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from maintops.domain.baselines import Baseline
from maintops.domain.findings import Finding
from maintops.domain.followups import FollowUp
from maintops.domain.holds import Hold
from maintops.domain.runs import RunPlanned
from maintops.store.codec import EPOCH


def urgency(finding: Finding) -> tuple[int, timedelta, str]:
    """Worst first; of equals the one that was seen first most lately."""
    return -finding.severity.rank, EPOCH - finding.first_seen, finding.id


def age(followup: FollowUp) -> tuple[datetime, str]:
    """Oldest first."""
    return followup.opened, followup.id


def recency(hold: Hold) -> tuple[timedelta, str]:
    """Newest first."""
    return EPOCH - hold.at, hold.id


def newest(baselines: Iterable[Baseline]) -> list[Baseline]:
    """The first of each server and check, of some whose newest come first."""
    found: dict[tuple[str, str], Baseline] = {}
    for one in baselines:
        found.setdefault((one.server, one.check), one)
    return list(found.values())


def planned_order(planned: RunPlanned) -> Callable[[str], tuple[int, str]]:
    """Sorts the ids of a run's records as its servers were planned; others come after them."""
    places = {one.record: place for place, one in enumerate(planned.servers)}
    return lambda record: (places.get(record, len(places)), record)
