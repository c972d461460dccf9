"""Lengths of time as people write them."""

from __future__ import annotations

import re

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*([smhd]?)")


def seconds(text: str) -> float:
    """Seconds of a duration such as `90`, `30s`, `5m`, `1h30m`, `2d`. Raises ValueError for all else, 0 included."""
    rest, total = text.strip().lower(), 0.0
    several = len(_PART.findall(rest)) > 1
    while rest:
        match = _PART.match(rest)
        if match is None or (several and not match[2]):
            raise ValueError(f"{text!r} is not a duration such as 30s, 5m or 1h30m")
        total += float(match[1]) * _UNITS[match[2]]
        rest = rest[match.end() :].lstrip()
    if total <= 0:
        raise ValueError(f"{text!r} is not a duration such as 30s, 5m or 1h30m")
    return total


def spoken(length: float) -> str:
    """A length in seconds for people: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`."""
    if length < 10:
        return f"{length:.1f} s"
    whole = round(length)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
