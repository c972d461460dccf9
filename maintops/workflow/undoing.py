"""Taking a change back: what a run did and a step declares undoable becomes a plan of its own, and is carried out like
any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from maintops.domain.changes import Approval, ChangePolicy, ChangeStep, Share
from maintops.domain.checklists import Checklist
from maintops.domain.journeys import BEFORE, Journal
from maintops.domain.plans import PlannedChange, Update

_ALL = (Share(count=1), Share(percent=100))


@dataclass(frozen=True, slots=True)
class Undoing:
    """What is to be undone. `left` are sentences about what cannot be; `steps` maps each server to the steps that were
    begun on it and can be undone."""

    checklist: Checklist
    steps: Mapping[str, frozenset[str]]
    left: tuple[str, ...]

    def skipped(self, server: str) -> frozenset[str]:
        """The steps that have nothing to undo on a server."""
        return frozenset(one.id for one in self.checklist.changes) - self.steps.get(server, frozenset())


def undoing(listed: Checklist, journal: Journal, servers: Sequence[str]) -> Undoing:
    """What of a run can be undone on some servers."""
    undoable = [one for one in reversed(listed.changes) if one.rollback is not None]
    ids = {one.id for one in undoable}
    found: dict[str, frozenset[str]] = {}
    left: list[str] = []
    for server in servers:
        begun = set(journal.journey(server).begun)
        mine = frozenset(ids & begun)
        if mine:
            found[server] = mine
        left += [
            f"{step.id} ({step.title}) on {server} cannot be undone, as its checklist says; see to it by hand"
            for step in listed.changes
            if step.id in begun and step.rollback is None and step.act is not None
        ]
        for step_by_hand in listed.steps:
            if step_by_hand.id in begun:
                how = step_by_hand.rollback or "nobody wrote down how"
                left.append(f"{step_by_hand.id} ({step_by_hand.title}) on {server} was done by hand; undo it: {how}")
        if not mine:
            left.append(f"on {server} nothing was done that can be undone")
    changes = tuple(_turned(one) for one in undoable)
    policy: ChangePolicy = replace(
        listed.change, waves=_ALL, soak=0.0, gate="", approval=Approval.STANDARD, windows=None
    )
    turned = replace(
        listed, steps=(), changes=changes, change=policy, order=tuple(one.id for one in changes), checks=listed.checks
    )
    return Undoing(turned, found, tuple(left))


def _turned(step: ChangeStep) -> ChangeStep:
    return replace(
        step,
        title=f"Taken back: {step.title}",
        act=step.rollback,
        rollback=None,
        irreversible=False,
        precheck=(),
        done="",  # it tells whether the step was done, not whether it was taken back
    )


def restored(
    server: str, then: Mapping[str, Any], now: Mapping[str, Any], after: Mapping[str, Any] | None = None
) -> PlannedChange:
    """What a server's packages must become to be as they were: `then`, `now` and `after` (right after the change; None:
    nobody looked) are states (probe server-state). What somebody changed since then is left alone. Where the packages
    of then or now are not known nothing is restored: all others would have to go, or to come."""
    old, new = dict(then.get("packages") or {}), dict(now.get("packages") or {})
    left = dict((after or {}).get("packages") or new)
    touched = {name for name in {*old, *left} if old.get(name) != left.get(name)}
    if not old or not new:
        when = "before the change" if not old else "now"
        return PlannedChange(
            server, notes=(f"no package is restored: which ones it had {when} is not known; see to it by hand",)
        )
    back = tuple(
        Update(name, new.get(name), version)
        for name, version in sorted(old.items())
        if name in touched and new.get(name) != version
    )
    gone = tuple(sorted(name for name in new if name in touched and name not in old))
    return PlannedChange(server, updates=back, removals=gone)


def versions(planned: PlannedChange) -> dict[str, str | None]:
    """The package versions that a rollback restores; None: it was not installed."""
    return {**{one.name: one.new for one in planned.updates}, **dict.fromkeys(planned.removals)}


def look_kept(journal: Journal, server: str, stage: str = BEFORE) -> str:
    """Under which digest the first (or last) look at a server is kept; empty where there was none."""
    ended = journal.journey(server).ended.get(stage)
    return str(ended.facts.get("evidence", "")) if ended is not None else ""
