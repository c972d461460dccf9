from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import UnreadableAnswer
from maintops.probes.json_answers import DEEPEST, MOST_VALUES, load_json, plain

_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=20,
)


@given(_json)
def test_json_is_read_as_it_is(value: Any):
    assert load_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("{", "line 1 column 2"),
        ('{"a": 1,}', "not JSON"),
        ('{"a": 1} {"b": 2}', "Extra data"),
        ('{"a": NaN}', "NaN"),
        ("[-Infinity]", "Infinity"),
        ("[1e999]", "1e999"),
        ('{"a": 1, "b": 2, "a": 3}', "'a' twice"),
        ('{"b": 1, "a": 2, "a": 3}', "'a' twice"),
        ("9" * 5000, "not JSON"),
        ("[" * 100_000, "deeper"),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "deeper"),
        ("[" + "0," * 150_000 + "0]", "more than"),
    ],
)
def test_what_is_not_strictly_json_is_unreadable(text: str, words: str):
    with pytest.raises(UnreadableAnswer, match=words):
        load_json(text.encode())


def test_bytes_that_are_no_utf8_are_unreadable():
    with pytest.raises(UnreadableAnswer, match="not JSON"):
        load_json(b'"\xff"')


def test_as_many_values_as_allowed_are_read():
    assert len(plain([0] * (MOST_VALUES - 1))) == MOST_VALUES - 1
    with pytest.raises(UnreadableAnswer, match="more than"):
        plain([0] * MOST_VALUES)


def test_as_deep_as_allowed_is_read():
    assert load_json(b"[" * DEEPEST + b"]" * DEEPEST)


def test_half_a_surrogate_pair_becomes_a_character_that_can_be_kept():
    assert load_json(rb'{"\ud800": "a\udfff"}') == {"?": "a?"}


def test_a_mark_at_the_beginning_is_passed_over():
    assert load_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_values_of_a_library_become_json():
    assert plain({1: (2, 3.5), "x": None}) == {"1": [2, 3.5], "x": None}


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", float("nan"), {"a": float("inf")}])
def test_what_json_cannot_say_is_unreadable(value: Any):
    with pytest.raises(UnreadableAnswer, match="JSON cannot say"):
        plain(value)


def test_references_that_multiply_are_bounded():
    bomb: list[Any] = ["x"]
    for _ in range(30):
        bomb = [bomb, bomb]
    with pytest.raises(UnreadableAnswer, match="more than"):
        plain(bomb)


def test_many_names_of_one_object_take_no_time() -> None:
    names = ",".join(f'"{number}":0' for number in range(60_000))
    with pytest.raises(UnreadableAnswer, match="'x' twice"):
        load_json(f'{{{names},"x":1,"x":2}}'.encode())
