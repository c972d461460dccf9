"""The filters and tests that a rule may use: a short list, each strict about types and linear in its input.

There is no `default` and no `is defined`: nothing turns a fact that was not measured into a value. There are no
regular expressions either: the time that they take cannot be bounded; `in`, `startswith` and `endswith` find text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jinja2.filters import do_filesizeformat

LONGEST_NUMBER = 40
"""Characters of text that are read as a number."""


class Gap(Exception):
    """A value that a rule touched is not there.

    `offered` is False where this kind of subject does not have it, True where it was not measured, None where only
    the one who knows the facts can tell (a name that stands by itself).
    """

    def __init__(self, name: str, offered: bool | None = True) -> None:
        super().__init__(name)
        self.name = name
        self.offered = offered


def shown(value: Any) -> str:
    """A fact as text for people: true and false as a checklist writes them, a list with commas, a mapping as JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ", ".join(shown(one) for one in value)
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def is_number(value: Any) -> bool:
    """Whether a value is an int or a float; true and false are not numbers here."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def kind(value: Any) -> str:
    """What a value is, in words for people."""
    if isinstance(value, bool):
        return "true or false"
    if is_number(value):
        return "a number"
    names: dict[type, str] = {str: "text", list: "a list", tuple: "a list", dict: "a mapping"}
    return names.get(type(value), "a set of names")


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} needs text, not {kind(value)}")
    return value


def _items(value: Any, name: str) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{name} needs a list, not {kind(value)}")
    return list(value)


def _number(value: Any, name: str) -> int | float:
    if not is_number(value):
        raise TypeError(f"{name} needs a number, not {kind(value)}")
    number: int | float = value
    return number


def _read(value: Any, name: str, read: Callable[[Any], int | float]) -> int | float:
    if is_number(value) or (isinstance(value, str) and len(value) <= LONGEST_NUMBER):
        try:
            number = read(value)
        except (ValueError, OverflowError):
            raise ValueError(f"{name} cannot read {shown(value)!r} as a number") from None
        if math.isfinite(number):
            return number
    raise ValueError(f"{name} needs a number or text that is one, not {kind(value)}")


def _key(value: Any) -> Any:
    """Equal values have equal keys; every key can be put in a set."""
    return ("", json.dumps(value, sort_keys=True, default=str)) if isinstance(value, (list, tuple, dict)) else value


def _without(values: Iterable[Any], others: Iterable[Any]) -> list[Any]:
    keys = {_key(other) for other in others}
    return [value for value in values if _key(value) not in keys]


def difference(values: Any, others: Any) -> list[Any]:
    """What the first list has and the second has not, in the first one's order."""
    return _without(_items(values, "difference"), _items(others, "difference"))


def intersect(values: Any, others: Any) -> list[Any]:
    """What both lists have, in the first one's order."""
    keys = {_key(other) for other in _items(others, "intersect")}
    return [value for value in _items(values, "intersect") if _key(value) in keys]


def unique(values: Any) -> list[Any]:
    """The list without repetitions, in its order."""
    return list({_key(value): value for value in reversed(_items(values, "unique"))}.values())[::-1]


def length(value: Any) -> int:
    """How many characters a text has, or elements a list or a mapping."""
    if not isinstance(value, (str, list, tuple, dict)):
        raise TypeError(f"length needs a list, a mapping or text, not {kind(value)}")
    return len(value)


def lower(value: Any) -> str:
    """Text in small letters."""
    return _text(value, "lower").lower()


def upper(value: Any) -> str:
    """Text in capital letters."""
    return _text(value, "upper").upper()


def trim(value: Any) -> str:
    """Text without white space at its ends."""
    return _text(value, "trim").strip()


def whole(value: Any) -> int:
    """`int`: a number without its fraction, or text read as a whole number."""
    return int(_read(value, "int", int))


def decimal(value: Any) -> float:
    """`float`: a number, or text read as one."""
    return float(_read(value, "float", float))


def rounded(value: Any, digits: Any = 0) -> int | float:
    """`round`: to a number of decimal places (0 to 15); a whole number when that is 0."""
    places = _number(digits, "round")
    if not isinstance(places, int) or not 0 <= places <= 15:
        raise ValueError("round needs a number of decimal places from 0 to 15")
    return round(_number(value, "round"), places or None)


def absolute(value: Any) -> int | float:
    """`abs`: a number without its sign."""
    return abs(_number(value, "abs"))


def smallest(values: Any) -> Any:
    """`min`: the smallest element of a list."""
    return min(_filled(values, "min"))


def largest(values: Any) -> Any:
    """`max`: the largest element of a list."""
    return max(_filled(values, "max"))


def total(values: Any) -> int | float:
    """`sum`: of a list of numbers."""
    return sum(_number(value, "sum") for value in _items(values, "sum"))


def joined(values: Any, separator: Any = ", ") -> str:
    """`join`: the elements of a list as one text."""
    return _text(separator, "join").join(shown(value) for value in _items(values, "join"))


def ordered(values: Any, reverse: Any = False) -> list[Any]:
    """`sort`: a list in rising order, or in falling order with `reverse=true`."""
    return sorted(_items(values, "sort"), reverse=bool(reverse))


def first(values: Any) -> Any:
    """The first element of a list."""
    return _filled(values, "first")[0]


def last(values: Any) -> Any:
    """The last element of a list."""
    return _filled(values, "last")[-1]


def _filled(values: Any, name: str) -> list[Any]:
    items = _items(values, name)
    if not items:
        raise Gap(f"{name} of an empty list")
    return items


def filesize(value: Any) -> str:
    """`filesizeformat`: a number of bytes for people, as Jinja2 writes it (kB, MB: powers of 1000)."""
    return do_filesizeformat(_number(value, "filesizeformat"))


FILTERS: Mapping[str, Callable[..., Any]] = {
    "abs": absolute,
    "count": length,
    "difference": difference,
    "filesizeformat": filesize,
    "first": first,
    "float": decimal,
    "int": whole,
    "intersect": intersect,
    "join": joined,
    "last": last,
    "length": length,
    "lower": lower,
    "max": largest,
    "min": smallest,
    "round": rounded,
    "sort": ordered,
    "sum": total,
    "trim": trim,
    "unique": unique,
    "upper": upper,
}


def starts(value: Any, start: Any) -> bool:
    """`startswith`: whether text begins with another."""
    return _text(value, "startswith").startswith(_text(start, "startswith"))


def ends(value: Any, end: Any) -> bool:
    """`endswith`: whether text ends with another."""
    return _text(value, "endswith").endswith(_text(end, "endswith"))


def is_true(value: Any) -> bool:
    """`true`: whether a value is true itself."""
    return value is True


def is_false(value: Any) -> bool:
    """`false`: whether a value is false itself."""
    return value is False


TESTS: Mapping[str, Callable[..., bool]] = {
    "endswith": ends,
    "false": is_false,
    "startswith": starts,
    "true": is_true,
}
