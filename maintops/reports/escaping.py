"""Text that came from servers, made safe to show.

What a server printed can hold anything: terminal escapes, NUL, characters that turn the writing direction round or
that take no room at all, halves of characters. On every way out such a character is shown as its escape (`\\x1b`,
`\\u202e`), so that a reader sees that it was there and no terminal, browser or XML reader acts on it.

A backslash itself is left as it is. Paths and patterns stay readable and escaping twice changes nothing; the price is
that a text which truly holds the four characters `\\x1b` looks the same as one that held ESC. Reports are for reading:
the exact text is in the JSON document.
"""

from __future__ import annotations

import re

MARK = "…"
"""What stands where a text was cut."""

# C0 and C1 controls and DEL; Unicode's Default_Ignorable_Code_Point (all bidi controls, zero-width characters, fillers,
# tags) but for the variation selectors 15 and 16 that every second emoji carries; line and paragraph separators;
# surrogates; private use; interlinear annotations; noncharacters. Source: DerivedCoreProperties.txt of Unicode 15.
_HIDDEN = (
    "\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U0010ffff"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0xF0000, 0x10000))
)
_ANYWHERE = re.compile(f"[{_HIDDEN}]")
_WITHIN_LINES = re.compile(f"(?!\n)[{_HIDDEN}]")
_SURROGATE = re.compile("[\ud800-\udfff]")

_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def visible(text: str, *, newlines: bool = False) -> str:
    """The text with every character that could act on a terminal or hide from a reader shown as an escape.

    With `newlines`, line feeds stay line feeds: for text of several lines (a diff). The result holds no control
    character (but those line feeds), encodes to UTF-8 and is legal in XML 1.0. Idempotent; not injective, see above.
    """
    if text.isascii() and text.isprintable():
        return text
    return (_WITHIN_LINES if newlines else _ANYWHERE).sub(_escape, text)


def encodable(text: str) -> str:
    """The text with lone surrogates, and nothing else, shown as escapes: what UTF-8 and JSON readers can hold."""
    return text if text.isascii() else _SURROGATE.sub(_escape, text)


def clipped(text: str, length: int) -> str:
    """The text in at most `length` characters (at least 1); a text that was cut ends with `…`."""
    return text if len(text) <= length else text[: length - 1].rstrip() + MARK


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
