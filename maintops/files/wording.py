"""How mistakes are worded: quoted names, lists of choices, and what may have been meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_LONGEST = 60


def quoted(text: object) -> str:
    """Text of a person's file in double quotes, shortened."""
    shown = str(text)
    return f'"{shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"}"'


def one_of(choices: Iterable[object]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    *rest, last = [str(choice) for choice in choices]
    return f"{', '.join(rest)} or {last}" if rest else last


def hint(given: str, known: Iterable[object], most: int = 1) -> str:
    """`; did you mean "severity"?`, or nothing where no known name is close."""
    close = get_close_matches(given[:200], [str(name) for name in known], most)
    return f"; did you mean {one_of(quoted(name) for name in close)}?" if close else ""
