"""Who says so: one person is one person however the name is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.identities import Identity

ANNA = Identity("anna@ctl", "Anna Berg")


@pytest.mark.parametrize(
    "name",
    ["Anna Berg", "anna berg", " ANNA BERG ", "Anna  Berg", "Anna\tBerg", "Anna\u00a0Berg", "\uff21nna Berg", "", "  "],
)
def test_the_same_name_written_otherwise_is_nobody_else(name: str) -> None:
    assert not Identity("ben@ctl", name).is_another(ANNA)


def test_letters_that_are_put_together_are_the_same_letters() -> None:
    assert not Identity("b@ctl", "Jose\u0301").is_another(Identity("a@ctl", "Jos\u00e9"))


def test_another_name_is_somebody_else() -> None:
    assert Identity("anna@ctl", "Ben").is_another(ANNA)


def test_by_login_the_login_must_be_another_too() -> None:
    assert not Identity("anna@ctl", "Ben").is_another(ANNA, by_login=True)
    assert not Identity("ben@ctl", "anna berg").is_another(ANNA, by_login=True)
    assert Identity("ben@ctl", "Ben").is_another(ANNA, by_login=True)


def test_a_claim_is_called_one() -> None:
    assert str(ANNA) == "Anna Berg (anna@ctl, as claimed)"


@given(st.text(), st.text(), st.booleans())
def test_nobody_is_another_than_oneself_and_two_agree_about_it(mine: str, theirs: str, by_login: bool) -> None:
    one, other = Identity("a@ctl", mine), Identity("b@ctl", theirs)
    assert not one.is_another(Identity("b@ctl", mine), by_login=by_login)
    if mine.strip() and theirs.strip():
        assert one.is_another(other, by_login=by_login) == other.is_another(one, by_login=by_login)


def test_who_claims_no_name_has_the_logins() -> None:
    assert not Identity("root@ctl", "root").is_claimed
    assert Identity("root@ctl", "Ben").is_claimed
