from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.holds import Approval, Hold
from maintops.domain.identities import Identity
from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.store import codec
from tests.store_samples import ok, record

ANY_TEXT = st.text(st.characters(exclude_categories=())) | st.lists(
    st.sampled_from("\ud83d\ude00\udbff\udc00\x00\x10\x7f\\u\"'0dé磁\U0001f600"), max_size=10
).map("".join)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
)


@given(ANY_TEXT)
def test_a_column_holds_any_text_and_nothing_that_a_database_refuses(given_text: str) -> None:
    held = codec.column(given_text)
    assert codec.text(held) == given_text
    assert "\0" not in held
    held.encode("utf-8")


@given(ANY_TEXT, ANY_TEXT)
def test_columns_of_different_texts_differ_and_keep_prefixes(first: str, second: str) -> None:
    assert (codec.column(first) == codec.column(second)) == (first == second)
    assert codec.column(first + second) == codec.column(first) + codec.column(second)


def test_ordinary_text_is_readable_in_a_column() -> None:
    assert codec.column("web-1.example.org 北京 é") == "web-1.example.org 北京 é"
    assert codec.column("DOMAIN\\user \x00 \udc80") == "DOMAIN\\\\user \\u0000 \\udc80"


@given(ANY_JSON)
def test_a_document_gives_back_what_it_was_given(value: Any) -> None:
    document = codec.dumps(value)
    assert codec.loads(document) == value
    assert document.isascii()
    assert "\0" not in document


@pytest.mark.parametrize("text", ["\ud83d\ude00", "\ud83d\ude00\U0001f600é\x10\ud83d", "\\ud83d\\ude00", "\x10d83d"])
def test_two_surrogates_are_not_the_character_that_they_would_make(text: str) -> None:
    assert codec.loads(codec.dumps({text: [text]})) == {text: [text]}


@given(ANY_JSON.map(lambda value: codec.dumps(value)).filter(lambda document: "\x10" not in document))
def test_a_document_is_plain_json_to_others(document: str) -> None:
    assert json.loads(document) == codec.loads(document)


def test_a_record_without_findings_is_small() -> None:
    document = codec.record_text(record("r1", "r1-0001", "web1", [ok(used_percent=41), Cell("A", None, Outcome.OK)]))
    assert json.loads(document)["cells"] == [["FS-010", "/", "ok", {"used_percent": 41}], ["A", None, "ok"]]


def test_every_place_of_a_cell_may_be_the_last() -> None:
    full = Cell("A", "", Outcome.OK, Severity.INFO, "m", {"a": 0}, ("b",), "e")
    empty = Cell("A", "", Outcome.OK)
    names = ("severity", "message", "facts", "not_offered", "evidence")
    cells = [
        Cell("A", "", Outcome.OK, **{one: getattr(full if one == name else empty, one) for one in names})
        for name in names
    ]
    made = record("r1", "r1-0001", "web1", cells)
    assert codec.record_value(codec.record_text(made)) == made


@given(st.binary(max_size=2000) | st.binary(max_size=50).map(lambda piece: piece * 40_000))
def test_an_answer_is_kept_whole_or_not_at_all(answer: bytes) -> None:
    body = codec.packed(answer)
    assert (body is None) == (answer == b"")
    if body is not None:
        assert codec.unpacked(body) == answer
        assert len(body) <= codec.MAX_ANSWER


def test_an_answer_of_the_largest_size_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(codec.packed(b"answer " * 50) or b"")
    monkeypatch.setattr(codec, "MAX_ANSWER", size)
    assert codec.packed(b"answer " * 50) is not None
    monkeypatch.setattr(codec, "MAX_ANSWER", size - 1)
    assert codec.packed(b"answer " * 50) is None


TIMES = st.integers(-(10**15), 10**16).map(codec.moment)
IDENTITIES = st.builds(Identity, ANY_TEXT, ANY_TEXT)


@given(st.builds(Approval, ANY_TEXT, IDENTITIES, TIMES, TIMES, ANY_TEXT))
def test_an_approval_comes_back_as_it_was(approval: Approval) -> None:
    assert codec.approval_value(codec.approval_text(approval)) == approval


@given(st.builds(Hold, ANY_TEXT, IDENTITIES, ANY_TEXT, TIMES, st.none() | TIMES, st.booleans(), ANY_TEXT))
def test_a_hold_comes_back_as_it_was(hold: Hold) -> None:
    assert codec.hold_value(codec.hold_text(hold)) == hold
