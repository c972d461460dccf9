"""Whether a plan may be carried out: approved by another one, unchanged, not expired, in its window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from maintops.domain.changes import Action, ChangePolicy, ChangeStep, Late, Packages
from maintops.domain.changes import Approval as Policy
from maintops.domain.holds import Approval
from maintops.domain.identities import Identity
from maintops.domain.plans import ChangePlan, PlannedChange, plan_hash
from maintops.domain.runs import Owed
from maintops.domain.servers import Server
from maintops.domain.windows import Opening, WindowRule, Windows
from maintops.errors import NotNow, UsageError
from maintops.workflow.approving import (
    ANYONE,
    OTHER_LOGIN,
    OTHER_NAME,
    anew,
    approval_of,
    approval_words,
    changed_since,
    check_window,
    middle_words,
    refusal,
)
from maintops.workflow.proposing import Looked, Proposal, propose
from tests.unit.workflow.samples import checklist

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANNA, BEN = Identity("anna@ctl", "Anna Berg"), Identity("ben@ctl", "Ben")
WINDOWS = Windows("UTC", (WindowRule(time(8), time(12), day=date(2026, 3, 1)),))
POLICY = ChangePolicy(approval_hours=24, windows=WINDOWS, packages=Packages.LATEST)
STEP = ChangeStep("C-1", "Update", act=Action(playbook="/p/a.yml"), irreversible=True)
LISTED = replace(
    checklist(parameters={"keep": ["nginx"], "level": 1}), changes=(STEP,), change=POLICY, order=("C-1",), version="v1"
)


def server(name: str, **variables: Any) -> Server:
    return Server(name, variables={f"maintops_{key}": value for key, value in variables.items()})


WEB = (server("web1", group="web"), server("web2", group="web", level=2), server("db1"))
PROPOSAL = Proposal("p1", LISTED, WEB, WEB, ANNA, AT, {"a.yml": "0" * 64}, {"db1": "it is the database"})
PLAN = propose(PROPOSAL, Looked(), ())


def approval(by: Identity = BEN, plan: ChangePlan = PLAN, hours: float = 24) -> Approval:
    return Approval(plan_hash(plan), by, AT, AT + hours * HOUR)


# --- approving --------------------------------------------------------------------------------------------------------


def test_an_approval_binds_the_hash_and_expires() -> None:
    found = approval_of(PLAN, BEN, POLICY, OTHER_NAME, AT, "looks good")
    assert found == Approval(plan_hash(PLAN), BEN, AT, AT + 24 * HOUR, "looks good")


@pytest.mark.parametrize(
    ("by", "who", "fine"),
    [
        (ANNA, OTHER_NAME, False),
        (Identity("ben@ctl", "anna berg"), OTHER_NAME, False),
        (Identity("ben@ctl", "  ANNA  BERG "), OTHER_NAME, False),
        (Identity("ben@ctl", " "), OTHER_NAME, False),
        (Identity("anna@ctl", "Ben"), OTHER_NAME, True),
        (Identity("anna@ctl", "Ben"), OTHER_LOGIN, False),
        (Identity("ben@ctl", "Anna Berg"), OTHER_LOGIN, False),
        (BEN, OTHER_LOGIN, True),
        (ANNA, ANYONE, True),
    ],
)
def test_who_may_approve(by: Identity, who: str, fine: bool) -> None:
    def approve() -> bool:
        return approval_of(PLAN, by, POLICY, who, AT, "").by == by

    if fine:
        assert approve()
        assert refusal(PLAN, [approval(by)], POLICY, who, AT) is None
    else:
        with pytest.raises(UsageError, match=r"made by Anna Berg \(anna@ctl, as claimed\); .* must approve it"):
            approve()
        assert refusal(PLAN, [approval(by)], POLICY, who, AT) == (
            "the plan p1 was approved by its author only (Anna Berg (anna@ctl, as claimed)); somebody else must do it: "
            "maintops approve FILE --by SOMEBODY-ELSE"
        )


def test_under_the_authors_login_nobody_approves_without_saying_who() -> None:
    nobody = Identity("anna@ctl", "anna")
    with pytest.raises(UsageError, match=r"under this very login: say who approves it \(maintops approve PLAN --by"):
        approval_of(PLAN, nobody, POLICY, OTHER_NAME, AT, "")
    assert approval_of(PLAN, nobody, POLICY, ANYONE, AT, "").by == nobody
    assert approval_of(PLAN, Identity("ben@ctl", "ben"), POLICY, OTHER_NAME, AT, "").by.name == "ben"


@pytest.mark.parametrize(
    ("approvals", "hours", "told"),
    [
        ([], 0, ""),
        ([approval(ANNA)], 0, ""),
        ([approval()], 0, "plan p1 approved by Ben (ben@ctl, as claimed) at 2026-03-01 09:00 UTC"),
        ([approval()], 24, ""),
        ([approval(), approval(Identity("eve@ctl", "Eve"), hours=48)], 0, "plan p1 approved by Eve (eve@ctl, as cl"),
    ],
    ids=["nobody", "author", "ben", "expired", "longest"],
)
def test_the_approval_that_counts_is_told(approvals: list[Approval], hours: float, told: str) -> None:
    found = approval_words(PLAN, approvals, POLICY, OTHER_NAME, AT + hours * HOUR)
    assert (found[: len(told)], bool(found)) == (told, bool(told))


def test_a_standard_change_is_approved_beforehand_while_it_holds() -> None:
    policy = replace(POLICY, approval=Policy.STANDARD)
    told = "plan p1: a standard change, approved beforehand"
    assert approval_words(PLAN, [], policy, OTHER_NAME, AT) == told
    assert approval_words(PLAN, [], policy, OTHER_NAME, AT + 24 * HOUR) == ""


def owed(name: str, duty: str = "undrain") -> Owed:
    return Owed(name, duty, "true", "controller", 9.0, AT)


def test_what_a_run_owes_is_told_by_server_and_duty_and_stays_short() -> None:
    two = middle_words("r1", [owed("web1"), owed("web1", "unsilence"), owed("web 2")], False)
    assert "are still in the middle of the run r1 (undrain, unsilence owed)" in two
    assert two.endswith("(maintops obligations --settle -l web1 -l 'web 2')")
    many = middle_words("r1", [owed(f"web{n}") for n in range(5000)], False)
    assert many.endswith("(maintops obligations --settle -l SERVER)")
    assert len(many) < 500


def test_a_new_plan_is_made_of_the_same_servers() -> None:
    assert anew(PLAN) == "make a new plan (maintops plan sample)"
    assert anew(replace(PLAN, limit="web:!web2")) == "make a new plan (maintops plan sample --limit 'web:!web2')"


def test_a_plan_that_nobody_approved_is_refused() -> None:
    told = refusal(PLAN, [], POLICY, OTHER_NAME, AT)
    assert told == "nobody has approved the plan p1: maintops approve FILE --by SOMEBODY-ELSE"


def test_an_approval_of_another_plan_is_none_of_this() -> None:
    other = approval(plan=replace(PLAN, budget=9))
    assert (refusal(PLAN, [other], POLICY, OTHER_NAME, AT) or "").startswith("nobody has approved")


def test_an_approval_holds_up_to_its_end() -> None:
    assert refusal(PLAN, [approval()], POLICY, OTHER_NAME, AT + 24 * HOUR - timedelta(seconds=1)) is None
    assert refusal(PLAN, [approval()], POLICY, OTHER_NAME, AT + 24 * HOUR) == (
        "the approval of the plan p1 by Ben (ben@ctl, as claimed) expired at 2026-03-02 09:00 UTC; "
        "approve it once more: maintops approve FILE --by SOMEBODY-ELSE"
    )


def test_the_approval_that_holds_longest_counts_and_the_authors_never_does() -> None:
    several = [approval(hours=1), approval(hours=48), approval(ANNA, hours=1000)]
    assert refusal(PLAN, several, POLICY, OTHER_NAME, AT + 47 * HOUR) is None
    assert "expired" in (refusal(PLAN, several, POLICY, OTHER_NAME, AT + 49 * HOUR) or "")


def test_a_standard_change_is_approved_beforehand_for_a_time() -> None:
    policy = replace(POLICY, approval=Policy.STANDARD)
    assert refusal(PLAN, [], policy, OTHER_NAME, AT) is None
    assert refusal(PLAN, [], policy, OTHER_NAME, AT + 24 * HOUR) == (
        "the plan p1 is too old: it held until 2026-03-02 09:00 UTC; make a new plan (maintops plan sample)"
    )


def test_a_standard_change_of_tomorrow_does_not_hold_for_longer() -> None:
    policy = replace(POLICY, approval=Policy.STANDARD)
    told = refusal(replace(PLAN, created=AT + 1000 * HOUR), [], policy, OTHER_NAME, AT)
    assert told == (
        "the plan p1 says that it was made in the future (2026-04-12 01:00 UTC): set the clock that is wrong, and "
        "make a new plan (maintops plan sample)"
    )


# --- what changed since -----------------------------------------------------------------------------------------------


def test_a_plan_of_how_things_are_is_not_stale() -> None:
    assert changed_since(PLAN, PROPOSAL) == []
    assert changed_since(PLAN, replace(PROPOSAL, now=AT + 5 * HOUR, author=BEN)) == []


def others(*servers: Server) -> Proposal:
    return replace(PROPOSAL, servers=servers, everyone=servers)


@pytest.mark.parametrize(
    ("proposal", "told"),
    [
        (replace(PROPOSAL, checklist=replace(LISTED, version="v2")), ["the checklist sample"]),
        (replace(PROPOSAL, content={"a.yml": "1" * 64}), ["the file a.yml"]),
        (replace(PROPOSAL, content={}), ["the file a.yml"]),
        (replace(PROPOSAL, content={**PROPOSAL.content, "b.yml": "2"}), ["the file b.yml"]),
        (others(*WEB, server("web3")), ["the server web3 is new"]),
        (others(*WEB[:1], WEB[2]), ["the server web2 is not there any more"]),
        (
            others(WEB[0], WEB[1], server("db2")),
            ["the server db2 is new", "the server db1 is not there any more"],
        ),
        (others(server("web1", group="web", level=7), *WEB[1:]), ["the parameters of web1"]),
        (others(WEB[0], server("web2", group="web"), WEB[2]), ["the parameters of web2"]),
        (
            replace(PROPOSAL, everyone=(*WEB, server("web9", group="web"))),
            ["the groups of servers, or what they depend on"],
        ),
        (replace(PROPOSAL, protected={"db1": "other"}), ["whether maintops needs db1 itself"]),
        (replace(PROPOSAL, protected={}), ["the order of the servers", "whether maintops needs db1 itself"]),
        (others(WEB[1], WEB[0], WEB[2]), ["the order of the servers"]),
    ],
)
def test_whatever_changed_makes_a_plan_stale_and_is_told(proposal: Proposal, told: list[str]) -> None:
    assert changed_since(PLAN, proposal) == told


def test_a_server_that_is_reached_elsewhere_is_another_server() -> None:
    moved = replace(WEB[0], variables={**WEB[0].variables, "ansible_host": "10.9.9.9"})
    told = ["how web1 is reached, or what its inventory says to maintops"]
    assert changed_since(PLAN, others(moved, *WEB[1:])) == told


def test_a_server_that_the_order_depends_on_is_part_of_the_plan() -> None:
    now = (WEB[0], server("web2", group="web", level=2, depends_on="web1"), WEB[2])
    assert "the groups of servers, or what they depend on" in changed_since(PLAN, others(*now))


@pytest.mark.parametrize(
    ("forge", "told"),
    [
        (lambda plan: replace(plan, budget=1000), "the failure budget of the checklist"),
        (lambda plan: replace(plan, canary_budget=1000), "the failure budget of the checklist"),
        (lambda plan: replace(plan, window=None), "the window of the checklist"),
        (lambda plan: replace(plan, packages=Packages.PINNED), "the packages of the checklist"),
        (lambda plan: replace(plan, approval="standard"), "the approval of the checklist"),
        (lambda plan: replace(plan, steps=()), "the steps of the checklist"),
        (lambda plan: replace(plan, waves=(plan.names,)), "the order of the servers"),
    ],
)
def test_a_plan_that_says_otherwise_than_its_checklist_was_forged(
    forge: Callable[[ChangePlan], ChangePlan], told: str
) -> None:
    assert changed_since(forge(PLAN), PROPOSAL) == [told]


def test_a_group_that_can_spare_nobody_any_more_is_an_error_of_its_own() -> None:
    now = tuple(server(one.name, group="web", max_unavailable=0) for one in WEB)
    with pytest.raises(UsageError, match="may miss none of its 3 servers"):
        changed_since(PLAN, others(*now))


# --- the window -------------------------------------------------------------------------------------------------------

NIGHT = replace(PLAN, window=Opening(AT, AT + 3 * HOUR), expectation=replace(PLAN.expectation, p95=3600.0))


def test_without_a_window_any_time_is_right() -> None:
    assert check_window(replace(PLAN, window=None), POLICY, AT + 10_000 * HOUR) is None


@pytest.mark.parametrize("minutes", [0, 60, 120])
def test_in_its_window_a_plan_may_begin_while_a_server_fits(minutes: int) -> None:
    assert check_window(NIGHT, POLICY, AT + timedelta(minutes=minutes)) is None


def test_before_its_window_nobody_is_asked_even_where_late_ones_are() -> None:
    with pytest.raises(
        NotNow, match=r"may begin in its window sun 2026-03-01 09:00 UTC to .*, not before: run it then"
    ):
        check_window(NIGHT, replace(POLICY, late=Late.ASK), AT - timedelta(seconds=1))


@pytest.mark.parametrize("minutes", [121, 180, 60 * 24 * 30])
def test_what_was_missed_is_skipped_or_asked_for_and_never_begun_by_itself(minutes: int) -> None:
    now = AT + timedelta(minutes=minutes)
    with pytest.raises(
        NotNow, match=r"has passed, or is too short for another server; it is skipped \(late: skip\): make a new"
    ):
        check_window(NIGHT, POLICY, now)
    question = check_window(NIGHT, replace(POLICY, late=Late.ASK), now)
    assert (question or "").endswith("of the plan p1 has passed, or is too short for another server")


def test_a_window_that_nobody_fits_into_is_never_right() -> None:
    short = replace(NIGHT, expectation=replace(PLAN.expectation, p95=4 * 3600.0))
    with pytest.raises(NotNow, match="too short"):
        check_window(short, POLICY, AT)


def test_a_window_is_told_by_the_clock_of_its_zone() -> None:
    berlin = replace(POLICY, windows=replace(WINDOWS, zone="Europe/Berlin"))
    with pytest.raises(NotNow, match="sun 2026-03-01 10:00 CET"):
        check_window(NIGHT, berlin, AT - HOUR)


def test_the_sample_binds_a_parameter_that_the_inventory_sets() -> None:
    assert {one.server: one.values for one in PLAN.servers} == {"web1": {}, "web2": {"level": 2}, "db1": {}}
    assert PLAN.servers[-1] == PlannedChange(
        "db1", asked=None, protected="it is the database", bound=PLAN.servers[-1].bound
    )
