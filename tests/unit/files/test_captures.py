"""Captures: what a file keeps of an answer, and what is wrong with one that is broken."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import Answer
from maintops.errors import UsageError
from maintops.files.captures import Capture, capture_bytes, read_capture

AT = datetime(2026, 3, 1, 9, 0, 0, 250, tzinfo=UTC)
GOOD = Capture("load", "web1", AT, {"paths": ["/"]}, Answer(b"0.1 0.2\n", b"odd\n", 3, seconds=0.5))

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
answers = st.builds(
    Answer,
    stdout=st.binary(),
    stderr=st.text().map(lambda text: text.encode("utf-8", "replace")),
    status=st.none() | st.integers(),
    truncated=st.booleans(),
    timed_out=st.booleans(),
    seconds=st.floats(min_value=0, allow_nan=False, allow_infinity=False),
)
captures = st.builds(
    Capture,
    probe=st.text(),
    server=st.text(),
    at=st.datetimes(timezones=st.just(UTC)),
    parameters=st.dictionaries(st.text(), values, max_size=3),
    answer=answers,
)


@given(captures)
def test_what_is_written_is_read(capture: Capture) -> None:
    content = capture_bytes(capture)
    assert read_capture(content) == capture
    head, _, body = content.partition(b"\n")
    assert head.isascii()
    assert body == capture.answer.stdout


def test_bytes_of_standard_error_that_are_no_text_do_not_spoil_it() -> None:
    found = read_capture(capture_bytes(Capture("load", "web1", AT, {}, Answer(b"x", b"\xff\xfe odd"))))
    assert found is not None
    assert found.answer == Answer(b"x", "\ufffd\ufffd odd".encode())


@given(st.binary().filter(lambda content: not content.startswith(b'{"maintops":"capture"')))
def test_any_other_file_is_no_capture(content: bytes) -> None:
    assert read_capture(content) is None


@given(st.binary())
def test_a_broken_head_is_told_and_nothing_else(rest: bytes) -> None:
    with pytest.raises(UsageError, match="capture") as caught:
        read_capture(b'{"maintops":"capture"' + rest)
    assert len(str(caught.value)) <= 300


def changed(old: str, new: str) -> bytes:
    content = capture_bytes(GOOD)
    assert content.count(old.encode()) == 1
    return content.replace(old.encode(), new.encode())


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"version":1', '"version":2', "this capture has the format 2; this maintops reads 1"),
        ('"version":1,', "", "it has no 'version'"),
        ('"probe":"load",', "", "it has no 'probe'"),
        ('"status":3', '"status":"3"', "a status is a whole number or null, not '3'"),
        ('"status":3', '"status":true', "a status is a whole number or null, not True"),
        ('"status":3', '"status":0.5', "a status is a whole number or null, not 0.5"),
        ('"seconds":0.5', '"seconds":null', "cannot be understood"),
        ('"seconds":0.5', '"seconds":"long"', "cannot be understood"),
        ('"seconds":0.5', '"seconds":1' + 400 * "0", "cannot be understood"),
        ('"parameters":{"paths":["/"]}', '"parameters":7', "cannot be understood"),
        ('"at":"', '"at":"never', "cannot be understood"),
        ('"at":"', '"at":7,"then":"', "cannot be understood"),
        ('"server":', '"server":' + "[" * 100_000, "cannot be understood"),
        ('"server":"web1"', '"server":web1', "cannot be understood"),
        ("}\n", "\n", "cannot be understood"),
    ],
)
def test_a_broken_head_says_what_is_wrong(old: str, new: str, why: str) -> None:
    with pytest.raises(UsageError, match="capture") as caught:
        read_capture(changed(old, new))
    assert why in str(caught.value)
    assert len(str(caught.value)) <= 300


@pytest.mark.parametrize("size", [22, 60, 150])
def test_half_a_head_is_broken(size: int) -> None:
    with pytest.raises(UsageError, match="the capture's first line cannot be understood"):
        read_capture(capture_bytes(GOOD)[:size])


def test_a_head_may_hold_more_than_is_known() -> None:
    found: Any = read_capture(changed('"version":1', '"version":1,"new":[1]'))
    assert found == GOOD
