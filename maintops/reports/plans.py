"""A plan as text: everything that somebody who approves it must have read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from maintops.domain.changes import Packages
from maintops.domain.durations import spoken
from maintops.domain.plans import ChangePlan, Foreseen, PlannedChange, plan_hash
from maintops.domain.windows import opening_words
from maintops.reports.escaping import visible
from maintops.reports.wording import listed

MOST_SERVERS = 50
"""Servers of a wave, and servers with packages, that are shown one by one."""

MOST_PACKAGES = 12


def plan_text(plan: ChangePlan, zone: str = "UTC") -> str:
    """The plan, for people. Everything that came from servers is escaped."""
    return "".join(f"{visible(line)}\n" for line in _lines(plan, zone))


def _lines(plan: ChangePlan, zone: str) -> Iterator[str]:
    many = "server" if len(plan.names) == 1 else "servers"
    yield f"Plan {plan.id}: {plan.title} ({plan.checklist}) on {len(plan.names)} {many}"
    yield f"  made by {plan.author}, {_time(plan.created)}"
    if plan.of:
        yield f"  takes back the run {plan.of}"
    yield f"  window: {opening_words(plan.window, zone) if plan.window else 'none: it may be run at any time'}"
    p50, p95 = spoken(plan.expectation.p50), spoken(plan.expectation.p95)
    known = plan.expectation.known_from
    yield f"  expected: {p50} a server, 95 of 100 within {p95} ({known}); {spoken(plan.seconds)} in all"
    canary = f", {plan.canary_budget} in the first wave" if len(plan.waves) > 1 else ""
    yield f"  failure budget: {plan.budget} of the run{canary}"
    yield f"  packages: {_packages(plan)}"
    standard = "a standard change, approved beforehand"
    yield f"  approval: {standard if plan.approval == 'standard' else 'somebody else must approve it'}"
    if plan.people:
        yield f"  needed: {', '.join(plan.people)}"
    yield f"  risk: {plan.risk or 'nobody has assessed it'}"
    yield f"  if it goes wrong: {plan.contingency or 'nobody has said what to do'}"
    yield ""
    yield "Waves"
    for number, wave in enumerate(plan.waves, start=1):
        yield f"  {number}  {_names(wave)}"
    yield from _steps(plan)
    yield from _groups(plan)
    yield from _own(plan.servers)
    yield from _pending(plan.servers)
    yield from _foreseen(plan.foreseen)
    if plan.notes:
        yield ""
        yield "Mind"
        for note in plan.notes:
            yield f"  {note}"
    yield ""
    yield f"hash {plan_hash(plan)}"


def _packages(plan: ChangePlan) -> str:
    if plan.of:
        return "the versions of before"
    if plan.packages is Packages.PINNED:
        return "pinned; each server gets the versions below"
    return "latest; the last wave may get other versions than the canary"


def _steps(plan: ChangePlan) -> Iterator[str]:
    yield ""
    yield "Steps, on each server"
    for step in plan.steps:
        undo = f"undone by {step.undo}" if step.undo else ""
        if not undo and not plan.of and not step.kind.startswith(("reboot", "hook")):
            undo = "cannot be undone"
        yield f"  {step.id}  {step.title} ({', '.join(one for one in (step.kind, undo) if one)})"


def _groups(plan: ChangePlan) -> Iterator[str]:
    if plan.fleet.groups:
        yield ""
        yield "Groups"
        for name, group in sorted(plan.fleet.groups.items()):
            yield f"  {name}: {group.allowed} of {len(group.members)} may be missing at a time"
    protected = [one for one in plan.servers if one.protected]
    if protected:
        yield ""
        yield "Not rebooted by maintops, and changed last"
        for one in protected:
            yield f"  {one.server}: {one.protected}"


def _own(servers: Sequence[PlannedChange]) -> Iterator[str]:
    own = [one for one in servers if one.values]
    if own:
        yield ""
        yield "What the inventory sets otherwise"
        for one in own[:MOST_SERVERS]:
            yield f"  {one.server}: {', '.join(f'{name} = {value}' for name, value in sorted(one.values.items()))}"
        if len(own) > MOST_SERVERS:
            yield f"  and for {len(own) - MOST_SERVERS} more servers (all is in the file)"


def _pending(servers: Sequence[PlannedChange]) -> Iterator[str]:
    yield ""
    yield "Pending packages"
    if not any(one.asked for one in servers):
        yield "  nobody was asked"
        return
    for one in servers[:MOST_SERVERS]:
        yield f"  {one.server}: {_updates(one)}"
        for word, names in (("held", one.held), ("comes in phases", one.phased), ("would be removed", one.removals)):
            if names:
                yield f"    {word}: {_names(names)}"
        for note in one.notes:
            yield f"    {note}"
    if len(servers) > MOST_SERVERS:
        rest = servers[MOST_SERVERS:]
        most = max(len(one.updates) for one in rest)
        noun = "server" if len(rest) == 1 else "servers"
        yield f"  and {len(rest)} more {noun}, with up to {most} packages (all are in the file)"


def _updates(one: PlannedChange) -> str:
    if one.asked is None:
        return "not known"
    if not one.updates:
        return "nothing"
    security = sum(update.security for update in one.updates)
    told = [f"{update.name} {update.old or '(new)'} -> {update.new}" for update in one.updates[:MOST_PACKAGES]]
    rest = len(one.updates) - MOST_PACKAGES
    more = f", and {rest} more" if rest > 0 else ""
    noun = "package" if len(one.updates) == 1 else "packages"
    return f"{len(one.updates)} {noun}, {security} for security: {', '.join(told)}{more} (asked {_time(one.asked)})"


def _foreseen(foreseen: Sequence[Foreseen]) -> Iterator[str]:
    yield ""
    yield "What Ansible's check mode says (it is a simulation)"
    if not foreseen:
        yield "  it was not tried"
    for one in foreseen:
        if one.failure:
            yield f"  {one.step} on {one.server}: {one.failure}"
            continue
        told = [f"would change: {_names(one.changes)}"] if one.changes else []
        told += [f"not previewable: {_names(one.blind)}"] if one.blind else []
        yield f"  {one.step} on {one.server}: {'; '.join(told) or 'would change nothing'}"


def _names(names: Sequence[str]) -> str:
    return listed(names, MOST_SERVERS)


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
