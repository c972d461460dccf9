"""Whether a plan may be carried out: approved by another one, unchanged, not expired, in its window."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from maintops.domain.bindings import binding
from maintops.domain.changes import Approval as Policy
from maintops.domain.changes import ChangePolicy, Late
from maintops.domain.holds import Approval
from maintops.domain.identities import Identity
from maintops.domain.plans import ChangePlan, plan_hash
from maintops.domain.runs import Owed
from maintops.domain.windows import fits, opening_words
from maintops.domain.wording import some
from maintops.errors import NotNow, UsageError
from maintops.workflow.proposing import Proposal, frame, own_values, planned_steps

ANYONE, OTHER_NAME, OTHER_LOGIN = "anyone", "other-name", "other-login"
"""Who may approve a plan: anybody, somebody of another name than its author's, or of another login as well."""

_NAMED = 5


def anew(plan: ChangePlan) -> str:
    """How another plan is made where one does not hold any more."""
    limit = f" --limit {shlex.quote(plan.limit)}" if plan.limit else ""
    return f"make a new plan (maintops plan {plan.checklist}{limit})"


def approval_of(plan: ChangePlan, by: Identity, policy: ChangePolicy, who: str, now: datetime, note: str) -> Approval:
    """The approval. Raises UsageError for an approver who may not approve."""
    if who != ANYONE and not by.is_another(plan.author, by_login=who == OTHER_LOGIN):
        why = "another login and another name" if who == OTHER_LOGIN else "somebody else"
        raise UsageError(
            f"the plan {plan.id} was made by {plan.author}; {why} must approve it, and this is {by} (setting: approver)"
        )
    if who != ANYONE and by.login == plan.author.login and not by.is_claimed:
        raise UsageError(
            f"the plan {plan.id} was made by {plan.author}, under this very login: say who approves it "
            f"(maintops approve PLAN --by NAME)"
        )
    return Approval(plan_hash(plan), by, now, now + timedelta(hours=policy.approval_hours), note)


def refusal(
    plan: ChangePlan, approvals: Sequence[Approval], policy: ChangePolicy, who: str, now: datetime
) -> str | None:
    """Why a plan may not be carried out for want of an approval that holds; None where it may."""
    if policy.approval is Policy.STANDARD:
        if plan.created > now:
            told = f"the plan {plan.id} says that it was made in the future ({plan.created:%Y-%m-%d %H:%M} UTC)"
            return f"{told}: set the clock that is wrong, and {anew(plan)}"
        until = plan.created + timedelta(hours=policy.approval_hours)
        too_old = f"the plan {plan.id} is too old: it held until {until:%Y-%m-%d %H:%M} UTC; {anew(plan)}"
        return too_old if now >= until else None
    mine = _bound(plan, approvals)
    if not mine:
        return f"nobody has approved the plan {plan.id}: maintops approve FILE --by SOMEBODY-ELSE"
    newest = _counting(plan, approvals, who)
    if newest is None:
        told = f"the plan {plan.id} was approved by its author only ({plan.author}); somebody else must do it: "
        return f"{told}maintops approve FILE --by SOMEBODY-ELSE"
    if now >= newest.expires:
        told = f"the approval of the plan {plan.id} by {newest.by} expired at {newest.expires:%Y-%m-%d %H:%M} UTC"
        return f"{told}; approve it once more: maintops approve FILE --by SOMEBODY-ELSE"
    return None


def _bound(plan: ChangePlan, approvals: Sequence[Approval]) -> list[Approval]:
    digest = plan_hash(plan)
    return [one for one in approvals if one.plan == digest]


def _counting(plan: ChangePlan, approvals: Sequence[Approval], who: str) -> Approval | None:
    """The approval that counts: of those by somebody who may approve the plan, the one that holds longest."""
    by_login = who == OTHER_LOGIN
    good = [
        one for one in _bound(plan, approvals) if who == ANYONE or one.by.is_another(plan.author, by_login=by_login)
    ]
    return max(good, key=lambda one: one.expires, default=None)


def approval_words(
    plan: ChangePlan, approvals: Sequence[Approval], policy: ChangePolicy, who: str, now: datetime
) -> str:
    """Who approved a plan, and when, as it stands on record; empty where nobody did whose approval holds at `now`."""
    if refusal(plan, approvals, policy, who, now) is not None:
        return ""
    found = _counting(plan, approvals, who)
    if policy.approval is Policy.STANDARD or found is None:
        return f"plan {plan.id}: a standard change, approved beforehand"
    return f"plan {plan.id} approved by {found.by} at {found.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def middle_words(run: str, owed: Sequence[Owed], running: bool) -> str:
    """That a run has left servers in the middle (`owed` is what it owes to them), and what is to be done first;
    `running`: it is still at it."""
    names = list(dict.fromkeys(one.server for one in owed))
    duties = ", ".join(dict.fromkeys(one.duty for one in owed))
    told = f"{some(names)} {'is' if len(names) == 1 else 'are'} still in the middle of the run {run} ({duties} owed)"
    if running:
        return f"{told}, which is going on: wait for its end (maintops runs {run} --watch)"
    which = " ".join(f"-l {shlex.quote(name)}" for name in names) if len(names) <= _NAMED else "-l SERVER"
    return (
        f"{told}: go on with that one first (maintops run continue {run}), or give it up "
        f"(maintops obligations --settle {which})"
    )


def changed_since(plan: ChangePlan, proposal: Proposal) -> list[str]:
    """What is not any more as the plan says; `proposal` is made of how things are now."""
    listed = proposal.checklist
    told = []
    if listed.version != plan.version:
        told.append(f"the checklist {listed.name}")
    told += [f"the file {name}" for name in _differing(plan.content, proposal.content)]
    now, then = {one.name for one in proposal.servers}, set(plan.names)
    told += [f"the server {name} is new" for name in sorted(now - then)]
    told += [f"the server {name} is not there any more" for name in sorted(then - now)]
    if told:
        return told
    told += _unlike(plan, proposal)
    found, waves = frame(proposal)
    if found != plan.fleet:
        told.append("the groups of servers, or what they depend on")
    if waves != plan.waves:
        told.append("the order of the servers")
    told += list(_values(plan, proposal))
    return told


def _unlike(plan: ChangePlan, proposal: Proposal) -> Iterator[str]:
    """What the plan says otherwise than the very checklist that it was made of: somebody wrote it, not maintops."""
    policy = proposal.checklist.change
    same = {
        "failure budget": (plan.budget, plan.canary_budget) == (policy.budget, policy.canary_budget),
        "packages": plan.packages is policy.packages,
        "approval": plan.approval == policy.approval.value,
        "steps": plan.steps == planned_steps(proposal.checklist),
        "window": (plan.window is None) == (policy.windows is None),
    }
    yield from (f"the {name} of the checklist" for name, alike in same.items() if not alike)


def _differing(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return sorted(name for name in {*then, *now} if then.get(name) != now.get(name))


def _values(plan: ChangePlan, proposal: Proposal) -> Iterator[str]:
    planned = {one.server: one for one in plan.servers}
    for server in proposal.servers:
        if own_values(proposal.checklist, server) != dict(planned[server.name].values):
            yield f"the parameters of {server.name}"
        elif proposal.protected.get(server.name, "") != planned[server.name].protected:
            yield f"whether maintops needs {server.name} itself"
        elif binding(server, plan.id) != planned[server.name].bound:
            yield f"how {server.name} is reached, or what its inventory says to maintops"


def check_window(plan: ChangePlan, policy: ChangePolicy, now: datetime) -> str | None:
    """None where a server may be begun now. Raises NotNow before the window, and after it where what is late is
    skipped; gives the question for a person where it is asked for."""
    window = plan.window
    if window is None or fits(window, now, plan.expectation.p95):
        return None
    zone = policy.windows.zone if policy.windows is not None else "UTC"
    words = opening_words(window, zone)
    if now < window.start:
        raise NotNow(f"the plan {plan.id} may begin in its window {words}, not before: run it then")
    told = f"the window {words} of the plan {plan.id} has passed, or is too short for another server"
    if policy.late is Late.ASK:
        return told
    raise NotNow(f"{told}; it is skipped (late: skip): {anew(plan)} (in an emergency: --emergency REASON)")
