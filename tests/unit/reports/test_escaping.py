from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maintops.reports.escaping import clipped, encodable, visible

ANY_TEXT = st.text(st.characters(categories=None), max_size=60)

# Signs of Arabic and other scripts that Unicode calls "format" characters although readers see them.
SEEN_FORMATS = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, 维保, é, 🙂", "plain text, 维保, é, 🙂"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x00\x7f\x85\x9b", r"\x00\x7f\x85\x9b"),
        ("a\nb\r\n\tc", r"a\nb\r\n\tc"),
        ("\u202egnp.exe\u2069", r"\u202egnp.exe\u2069"),
        ("a\u200bb\u2028c\ufeff", r"a\u200bb\u2028c\ufeff"),
        ("\ud800", r"\ud800"),
        ("\ufffe\U0010ffff", r"\ufffe\U0010ffff"),
        ("\U000e0041\ue000", r"\U000e0041\ue000"),
        ("C:\\x1b\\new", "C:\\x1b\\new"),
        ("⚠\ufe0f", "⚠\ufe0f"),
    ],
)
def test_what_hides_or_acts_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_only_line_feeds_stay_when_lines_are_wanted() -> None:
    assert visible("one\ntwo\r\n\x1b", newlines=True) == "one\ntwo\\r\n\\x1b"


def test_no_control_format_surrogate_or_private_character_of_unicode_passes() -> None:
    passed = [
        code
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} and visible(chr(code)) == chr(code)
    ]
    assert set(passed) <= SEEN_FORMATS
    noncharacters = [
        *range(0xFDD0, 0xFDF0),
        *(plane + end for plane in range(0, 0x110000, 0x10000) for end in (0xFFFE, 0xFFFF)),
    ]
    assert all(visible(chr(code)) != chr(code) for code in noncharacters)


@settings(deadline=None)
@given(ANY_TEXT, st.booleans())
def test_any_text_becomes_safe_and_stays_what_it_became(text: str, newlines: bool) -> None:
    shown = visible(text, newlines=newlines)
    assert visible(shown, newlines=newlines) == shown
    shown.encode("utf-8")
    assert not any(unicodedata.category(one) == "Cc" for one in shown if not (newlines and one == "\n"))


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"], exclude_characters="\u034f"), max_size=60))
def test_ordinary_letters_are_left_alone(text: str) -> None:
    fillers = "\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0"
    ordinary = "".join(
        one for one in text if one not in fillers and not 0xFE00 <= ord(one) <= 0xFE0D and ord(one) < 0xE0000
    )
    assert visible(ordinary) == ordinary


@settings(deadline=None)
@given(ANY_TEXT)
def test_encodable_changes_nothing_but_lone_surrogates(text: str) -> None:
    assert encodable(text).encode("utf-8")[:0] == b""
    whole = "".join(one for one in text if not 0xD800 <= ord(one) <= 0xDFFF)
    assert encodable(whole) == whole
    assert encodable("\x1b\udcff") == "\x1b\\udcff"


@settings(deadline=None)
@given(ANY_TEXT, st.integers(1, 80))
def test_a_clipped_text_is_short_and_says_that_it_was_cut(text: str, length: int) -> None:
    short = clipped(text, length)
    assert len(short) <= length
    assert short == text if len(text) <= length else short.endswith("…") and text.startswith(short[:-1])
