"""Lists of names are told as far as people read them."""

from __future__ import annotations

import pytest

from maintops.domain.wording import some


@pytest.mark.parametrize(
    ("count", "most", "told"),
    [(0, 5, ""), (1, 5, "0"), (3, 3, "0, 1, 2"), (4, 3, "0, 1, 2 and 1 more"), (7, 5, "0, 1, 2, 3, 4 and 2 more")],
)
def test_some_names_and_how_many_more(count: int, most: int, told: str) -> None:
    assert some([str(number) for number in range(count)], most) == told


def test_five_are_told_where_nobody_says_how_many() -> None:
    assert some(list("abcdef")) == "a, b, c, d, e and 1 more"
