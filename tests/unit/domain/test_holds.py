"""The kill switch: how long it holds, and what it says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from maintops.domain.holds import Hold
from maintops.domain.identities import Identity

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
HOLD = Hold("h1", Identity("anna@ctl", "Anna"), "the storage is being moved", AT)


def test_without_an_end_it_holds_for_ever_and_before_it_was_made() -> None:
    assert all(HOLD.holds(at) for at in (AT - timedelta(days=1), AT, AT + timedelta(days=10_000)))


def test_it_holds_up_to_its_end_and_not_at_it() -> None:
    hold = replace(HOLD, until=AT + timedelta(hours=1))
    assert hold.holds(AT + timedelta(minutes=59))
    assert not hold.holds(AT + timedelta(hours=1))


def test_what_was_lifted_does_not_hold() -> None:
    assert not replace(HOLD, lifted=True).holds(AT)


def test_it_says_who_since_when_until_when_and_why() -> None:
    assert HOLD.words() == (
        "changes are held by Anna (anna@ctl, as claimed), since 2026-03-01 09:00 UTC: the storage is being moved"
    )
    berlin = timezone(timedelta(hours=1))
    until = replace(HOLD, until=datetime(2026, 3, 1, 22, tzinfo=berlin), at=AT.astimezone(berlin)).words()
    assert until.startswith("changes are held until 2026-03-01 21:00 UTC by Anna")
    assert "since 2026-03-01 09:00 UTC" in until
