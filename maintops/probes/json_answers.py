"""JSON from a server, which may hold anything: read strictly, within bounds, into values that can be kept.

Python's own reader takes NaN, lets the last of two equal names win, turns 1e999 into infinity and half a surrogate pair
into a string that no database can store; and whoever nests deep enough ends it with a RecursionError.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

from maintops.domain.answers import UnreadableAnswer

DEEPEST = 64
"""Levels of lists and objects in one another."""

MOST_VALUES = 100_000
"""Values in one answer: what a server can say in 1 MiB may become far more by references (YAML's aliases)."""


def load_json(output: bytes) -> Any:
    """Reads one JSON value. Raises UnreadableAnswer for anything else, with the place of the mistake."""
    try:
        value = json.loads(
            output.decode("utf-8-sig"),
            object_pairs_hook=_once,
            parse_constant=_refuse,
            parse_float=_finite,
        )
    except RecursionError as error:
        raise UnreadableAnswer(f"its JSON is nested deeper than {DEEPEST} levels") from error
    except ValueError as error:  # UnicodeDecodeError, JSONDecodeError, a number of thousands of digits
        raise UnreadableAnswer(f"it is not JSON: {error}"[:300]) from error
    return plain(value)


def plain(value: Any) -> Any:
    """The same value of nothing but JSON's own types, each string of whole characters, names of objects as strings.

    Raises UnreadableAnswer for what JSON cannot say and for what exceeds the bounds above.
    """
    return _plain(value, DEEPEST, [MOST_VALUES])


def _plain(value: Any, levels: int, left: list[int]) -> Any:
    left[0] -= 1
    if left[0] < 0:
        raise UnreadableAnswer(f"it holds more than {MOST_VALUES} values")
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return _finite(str(value))
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if levels == 0:
        raise UnreadableAnswer(f"it is nested deeper than {DEEPEST} levels")
    if isinstance(value, dict):
        return {_plain(str(name), levels, left): _plain(one, levels - 1, left) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, levels - 1, left) for one in value]
    raise UnreadableAnswer(f"it holds a {type(value).__name__}, which JSON cannot say")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name in counts if counts[name] > 1)
        raise UnreadableAnswer(f"it names {twice[:80]!r} twice in one object")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise UnreadableAnswer(f"it holds the number {text[:40]}, which JSON cannot say")
    return number


def _refuse(name: str) -> None:
    raise UnreadableAnswer(f"it holds {name}, which JSON cannot say")
