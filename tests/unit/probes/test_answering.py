from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import Answer, NotMeasured, Part, UnreadableAnswer
from maintops.probes.answering import (
    decimal,
    integer,
    named_parts,
    no_tool,
    percent,
    present,
    printed_files,
    refusal,
    remark,
    text_of,
)


@pytest.mark.parametrize(
    ("stderr", "status", "why"),
    [
        (b"sh: 1: smartctl: not found\n", 127, "no such command: smartctl"),
        (b"bash: line 3: smartctl: command not found\n", 127, "no such command: smartctl"),
        (b"/bin/ash: smartctl: not found\n", 127, "no such command: smartctl"),
        (b"", 127, "no such command: it was not found"),
        (b"sh: 1: /opt/x: Permission denied\n", 126, "no right to ask this: sh: 1: /opt/x: Permission denied"),
        (b"", 126, "no right to ask this: the command may not be run"),
        (b"\n  must be run as root \n", 1, "no right to ask this: must be run as root"),
    ],
)
def test_no_tool_and_no_right_are_told_apart(stderr: bytes, status: int, why: str):
    assert no_tool(Answer(b"", stderr, status)) == NotMeasured(why)
    assert refusal(Answer(b" \n", stderr, status)) == NotMeasured(why)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(b"\n"), "the command printed nothing"),
        (
            Answer(b"", b"cat: /x: No such file\n", 1),
            "the command printed nothing (exit status 1): cat: /x: No such file",
        ),
        (Answer(b"", b"", None), "the command printed nothing"),
    ],
)
def test_nothing_is_a_refusal_but_not_for_want_of_a_tool(answer: Answer, why: str):
    assert refusal(answer) == NotMeasured(why)
    assert no_tool(answer) is None


@pytest.mark.parametrize("status", [0, 1, 126, 127])
def test_where_something_was_printed_there_was_a_tool(status: int):
    answer = Answer(b"x", b"x: not found\n", status)
    assert (refusal(answer), no_tool(answer)) == (None, None)


@pytest.mark.parametrize("answer", [Answer(b"x", truncated=True), Answer(b"x", timed_out=True)])
def test_an_answer_that_was_cut_is_not_read(answer: Answer):
    with pytest.raises(UnreadableAnswer, match="was cut"):
        text_of(answer)
    with pytest.raises(UnreadableAnswer, match="was cut"):
        named_parts(answer)


def test_bytes_that_are_no_text_are_shown_as_such():
    assert text_of(Answer(b"a\xffb")) == "a\N{REPLACEMENT CHARACTER}b"


def test_a_remark_is_short():
    assert remark(Answer(stderr=b"\n" + b"x" * 5000)) == "x" * 300
    assert remark(Answer()) == ""


def test_parts_are_named():
    assert named_parts(Answer(b"=a\n x\n.0\n=b\n.1\n")) == {"a": Part(0, b"x\n"), "b": Part(1, b"")}


@pytest.mark.parametrize(
    ("stdout", "words"),
    [(b"hello\n", "not divided"), (b"=a\n x\n", "middle of 'a'"), (b"=a\n.0\n=b\n.x\n", "middle of 'b'")],
)
def test_an_answer_without_whole_parts_is_unreadable(stdout: bytes, words: str):
    with pytest.raises(UnreadableAnswer, match=words):
        named_parts(Answer(stdout))


def test_an_exit_status_of_thousands_of_digits_is_unreadable():
    with pytest.raises(UnreadableAnswer):
        named_parts(Answer(b"=a\n." + b"9" * 5000 + b"\n"))


def test_files_are_found_by_path():
    assert printed_files(Answer(b"/a:1: 2\n/b:\n/a:second\n")) == {"/a": "1: 2", "/b": ""}


@pytest.mark.parametrize("stdout", [b"hello\n", b"a:b\n", b"/a\n"])
def test_other_lines_are_no_files(stdout: bytes):
    with pytest.raises(UnreadableAnswer, match="PATH:TEXT"):
        printed_files(Answer(stdout))


@given(st.one_of(st.text(), st.integers().map(str), st.floats().map(str)))
def test_numbers_are_read_or_not_but_never_break(text: str):
    whole, number = integer(text), decimal(text)
    assert whole is None or int(text) == whole
    assert number is None or float(text) == number


def test_plain_numbers_are_read():
    assert (integer(" -42\n"), decimal("3.25 "), decimal("7")) == (-42, 3.25, 7.0)


@pytest.mark.parametrize("text", ["", None, "\N{SUPERSCRIPT TWO}", "9" * 19, "1e5", "nan", "0x10", "1_000"])
def test_what_is_no_plain_number_is_none(text: str | None):
    assert (integer(text), decimal(text)) == (None, None)


def test_percentages_have_one_decimal():
    assert (percent(1, 3), percent(5, 0)) == (33.3, None)


def test_what_was_not_measured_is_left_out():
    assert present(a=0, b=None, c=False) == {"a": 0, "c": False}
