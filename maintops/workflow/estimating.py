"""How long a change takes on a server and in all, and when there is time for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from math import ceil

from maintops.domain.changes import DEFAULT_ESTIMATE, ChangePolicy
from maintops.domain.checklists import Checklist
from maintops.domain.durations import spoken
from maintops.domain.outcomes import Outcome, Severity
from maintops.domain.placements import Fleet
from maintops.domain.plans import Expectation
from maintops.domain.ports import Store
from maintops.domain.records import ServiceRecord, part_number
from maintops.domain.steps import POWER_CYCLE
from maintops.domain.waves import Waves
from maintops.domain.windows import Opening, fits, next_opening, opening_at
from maintops.errors import UsageError
from maintops.workflow.sites import ENGINE

EARLIER = 200
"""Earlier changes that durations are known from."""

MOST_READ = 10_000
"""Records that are searched for them: whoever only looks leaves records of the same checklist."""

_CUT = (Outcome.NOT_REACHED, Outcome.UNKNOWN)
_FEWEST = 5
_OPENINGS = 50


def earlier_durations(store: Store, checklist: str) -> list[float]:
    """See `durations`: of the newest EARLIER changes by a checklist, among its MOST_READ newest records."""
    return list(islice(durations(store.records(checklist=checklist, limit=MOST_READ)), EARLIER))


def durations(records: Iterable[ServiceRecord]) -> Iterator[float]:
    """The seconds that earlier changes took on a server, of those that were carried out to their end in one go: who had
    no turn, was gone on with later, or waited for a person at its console, says nothing about how long it takes."""
    for one in records:
        lasted = (one.ended - one.started).total_seconds()
        if one.engine == ENGINE and one.severity is not Severity.CRITICAL and lasted > 0 and _is_whole(one):
            yield lasted


def _is_whole(record: ServiceRecord) -> bool:
    cut = any(one.outcome in _CUT or one.check == POWER_CYCLE for one in record.cells)
    return part_number(record.id) == 1 and not cut


def expectation(listed: Checklist, earlier: Sequence[float]) -> Expectation:
    """How long one server takes: from earlier changes, the nearest rank of all; else as the checklist's author says."""
    if len(earlier) >= _FEWEST:
        ordered = sorted(earlier)
        at = [ordered[max(0, ceil(len(ordered) * part) - 1)] for part in (0.5, 0.95)]
        return Expectation(at[0], at[1], f"{len(ordered)} earlier changes")
    said = sum(one.estimate or DEFAULT_ESTIMATE for one in listed.changes)
    return Expectation(said, said, "the checklist's estimate")


def whole(waves: Waves, policy: ChangePolicy, fleet: Fleet, expected: Expectation, forks: int = 0) -> float:
    """Seconds that all waves take together, and the soak after each: as many servers at once as may fail, and one more,
    as their groups can spare, and as there are `forks` (0: as many as one likes)."""
    total = 0.0
    for number, wave in enumerate(waves):
        at_once = (policy.canary_budget if number == 0 and len(waves) > 1 else policy.budget) + 1
        if forks > 0:
            at_once = min(at_once, forks)
        total += max(ceil(len(wave) / at_once), _turns(wave, fleet)) * expected.p50
    return total + policy.soak * len(waves)


def _turns(wave: Sequence[str], fleet: Fleet) -> int:
    """The batches that the groups of a wave's servers want at least."""
    members = Counter(fleet.group_of[name] for name in wave if name in fleet.group_of)
    return max((ceil(count / fleet.groups[name].allowed) for name, count in members.items()), default=0)


def opening_for(listed: Checklist, now: datetime, expected: Expectation) -> Opening | None:
    """The opening of its window in which a change may begin: the one that is open, where a server still fits, else the
    next one that is long enough. None where there is no window. Raises UsageError for one that no server fits into, or
    that never opens."""
    name, windows = listed.name, listed.change.windows
    if windows is None:
        return None
    found = opening_at(windows, now)
    if found is not None and fits(found, now, expected.p95):
        return found
    # of one that is open what is left counts
    after, longest = (found.end, (found.end - now).total_seconds()) if found else (now, 0.0)
    for _ in range(_OPENINGS):
        found = next_opening(windows, after)
        if found is None:
            break
        if fits(found, found.start, expected.p95):
            return found
        longest = max(longest, (found.end - found.start).total_seconds())
        after = found.end
    if not longest:
        raise UsageError(f"the window of {name} never opens within 400 days: see its rules, holidays and freezes")
    raise UsageError(
        f"no server fits into a window of {name}: the longest of the next {_OPENINGS} lasts {spoken(longest)}, and a "
        f"server takes up to {spoken(expected.p95)} ({expected.known_from})"
    )
