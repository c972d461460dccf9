from dataclasses import replace
from datetime import UTC, datetime

from maintops.domain.findings import FindingState, observe
from maintops.domain.followups import FollowUpState, Wish, ask, close, propose
from maintops.domain.outcomes import Cell, Outcome, Severity

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def finding(subject: str = "sda"):
    return observe(None, "web1", Cell("HW-010", subject, Outcome.ATTENTION, Severity.CRITICAL, "bad"), "rec1", NOW)


def gone(one):
    return replace(one, state=FindingState.GONE, gone_at=NOW, gone_record="rec2")


WISH = Wish("Replace the disk", skill="hardware", part="disk")


def test_a_wish_opens_a_follow_up_with_all_it_asks_for():
    opened = ask([], finding(), WISH, "rec1", NOW)
    assert (opened.state, opened.title, opened.skill, opened.part) == (
        FollowUpState.OPEN, "Replace the disk", "hardware", "disk",
    )  # fmt: skip
    assert opened.findings == (finding().id,)
    assert opened.opened_record == "rec1"


def test_the_same_finding_joins_its_own_even_when_the_title_has_changed():
    opened = ask([], finding(), WISH, "rec1", NOW)
    assert ask([opened], finding(), Wish("Replace the disk (91 %)"), "rec2", NOW) == opened


def test_another_finding_with_the_same_title_joins():
    opened = ask([], finding("sda"), WISH, "rec1", NOW)
    joined = ask([opened], finding("sdb"), WISH, "rec1", NOW)
    assert (joined.id, joined.findings) == (opened.id, (finding("sda").id, finding("sdb").id))


def test_a_closed_one_is_not_joined():
    closed = close(ask([], finding(), WISH, "rec1", NOW), "erika", None, NOW)
    again = ask([closed], finding(), WISH, "rec5", NOW)
    assert again.id != closed.id
    assert again.state is FollowUpState.OPEN


def test_it_is_proposed_only_when_all_its_findings_are_gone():
    one, two = finding("sda"), finding("sdb")
    both = ask([ask([], one, WISH, "rec1", NOW)], two, WISH, "rec1", NOW)
    assert propose(both, [gone(one), two], "rec2").state is FollowUpState.OPEN
    proposed = propose(both, [gone(one), gone(two)], "rec2")
    assert (proposed.state, proposed.proof) == (FollowUpState.PROPOSED, "rec2")
    assert propose(proposed, [gone(one), gone(two)], "rec3").proof == "rec2"


def test_a_proposal_is_taken_back_when_a_finding_returns():
    one = finding()
    proposed = propose(ask([], one, WISH, "rec1", NOW), [gone(one)], "rec2")
    assert propose(proposed, [one], "rec3").state is FollowUpState.OPEN
    asked = ask([proposed], one, WISH, "rec3", NOW)
    assert (asked.state, asked.proof) == (FollowUpState.OPEN, None)


def test_closing_names_who_and_is_done_once():
    opened = ask([], finding(), WISH, "rec1", NOW)
    closed = close(opened, "erika", "replaced", NOW)
    assert (closed.state, closed.closed_by, closed.note, closed.closed) == (
        FollowUpState.CLOSED, "erika", "replaced", NOW,
    )  # fmt: skip
    assert close(closed, "max", None, NOW) is closed
    assert propose(closed, [gone(finding())], "rec9") is closed
