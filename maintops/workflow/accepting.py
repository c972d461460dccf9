"""A person accepts what was measured last as right."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from maintops.domain.baselines import Baseline
from maintops.domain.ports import Store
from maintops.errors import UsageError


@dataclass(frozen=True, slots=True)
class Accepted:
    """What was accepted, and the servers on which nothing of it was ever measured."""

    baselines: tuple[Baseline, ...]
    without: tuple[str, ...]


def accept_baselines(
    store: Store, servers: Sequence[str], checks: Collection[str], by: str | None, why: str, now: datetime
) -> Accepted:
    """Accepts the newest facts of some servers and checks (none given: all that were ever measured).

    Raises UsageError, and keeps nothing, where nobody signs for it or says why, and for a check that was never
    measured on any of the servers.
    """
    if not by:
        raise UsageError("who accepts it? Give --by ENGINEER (or set MAINTOPS_BY)")
    if not why.strip():
        raise UsageError("why is it right? Say so with --why")
    accepted = [one for server in servers for one in _measured(store, server, checks, by, why, now)]
    missed = sorted({*checks} - {one.check for one in accepted})
    if missed:
        raise UsageError(f"nothing to accept: {', '.join(missed)} was never measured there; run it first")
    if not accepted:
        raise UsageError("nothing to accept: nothing was ever measured there; run a checklist first")
    store.accept(accepted)
    return Accepted(tuple(accepted), tuple(sorted({*servers} - {one.server for one in accepted})))


def _measured(
    store: Store, server: str, checks: Collection[str], by: str, why: str, now: datetime
) -> Iterator[Baseline]:
    for check, subjects in sorted(store.memory(server).facts.items()):
        if checks and check not in checks:
            continue
        there = {name: one for name, one in subjects.items() if not one.vanished}
        record = _newest(one.record for one in subjects.values())
        yield Baseline(server, check, {name: one.facts for name, one in there.items()}, record, now, by, why)


def _newest(records: Iterable[str]) -> str:
    """Ids of records begin with the time of their run."""
    return max(records, default="")
