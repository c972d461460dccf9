"""Tables of free(1), of procps and busybox, and of /proc/swaps and swapon(8), as a person called them.

free does not say in which unit its figures are, and rounds those that it gives one (-h): so a table gives shares, and
no sizes.
"""

from __future__ import annotations

import re

from maintops.domain.answers import Answer, UnreadableAnswer
from maintops.probes.recorded import as_it_is, in_parts

FREE = "free"
"""The part that holds a table of free; SWAPS: total and used KiB of all swap areas."""

SWAPS = "swaps"

_FIGURE = re.compile(r"([0-9]{1,17}(?:[.,][0-9]{1,3})?)([BKMGTPE]?)(?:i?B?)?")
_POWERS = {"": 0, "B": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
_AREA = re.compile(r"(/\S.*?)\s+(partition|file)\s+([0-9]{1,15})\s+([0-9]{1,15})(?:\s+-?[0-9]+)?\s*")

_Row = dict[str, tuple[float, bool]]
"""Figures of a row by the names of their columns, and whether each was rounded."""


def recorded_meminfo(text: str) -> Answer | None:
    """/proc/meminfo itself."""
    return as_it_is(text) if re.search(r"(?m)^MemTotal:\s+[0-9]+", text) else None


def recorded_free(text: str) -> Answer | None:
    """A table of free."""
    return in_parts({FREE: text}) if _header(text) is not None else None


def recorded_swaps(text: str) -> Answer | None:
    """/proc/swaps and `swapon -s`: a line for every area of swap, in KiB."""
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines or lines[0].split()[:4] != ["Filename", "Type", "Size", "Used"]:
        return None
    areas = [match for match in map(_AREA.fullmatch, lines[1:]) if match is not None]
    if len(areas) < len(lines) - 1:
        raise UnreadableAnswer("a line of these is no area of swap")
    return in_parts({SWAPS: f"{sum(int(one[3]) for one in areas)} {sum(int(one[4]) for one in areas)}"})


def recorded_swapon(text: str) -> Answer | None:
    """`swapon --show`: sizes with a unit, rounded; without areas it prints nothing."""
    lines = [line.split() for line in text.split("\n") if line.strip()]
    if not lines or lines[0][:4] != ["NAME", "TYPE", "SIZE", "USED"]:
        return None
    if any(len(row) < 4 for row in lines):
        raise UnreadableAnswer("a line of these is no area of swap")
    total, used = (sum(_figure(row[place])[0] for row in lines[1:]) for place in (2, 3))
    return in_parts({FREE: f"total used free\nSwap: {total / 1024:.0f}K {used / 1024:.0f}K 0K"})


def free_row(text: str, name: str) -> _Row | None:
    """The row `Mem` or `Swap` of a table of free; None where there is none."""
    header = _header(text)
    found = re.search(rf"(?m)^{name}:\s+(\S.*)$", text)
    if header is None or found is None:
        return None
    figures = [_figure(word) for word in found[1].split()]
    if len(figures) > len(header):
        raise UnreadableAnswer(f"the row {name} of free has more columns than its header")
    return dict(zip(header, figures, strict=False))


def share(row: _Row, part: str, whole: str) -> float | None:
    """One figure of another in percent; a whole number where free rounded them."""
    if part not in row or whole not in row or row[whole][0] <= 0 or row[part][0] > row[whole][0]:
        return None
    percent = 100.0 * row[part][0] / row[whole][0]
    return float(round(percent)) if row[part][1] or row[whole][1] else round(percent, 1)


def _header(text: str) -> list[str] | None:
    found = re.search(r"(?m)^\s*total\s+used\s+free\b.*$", text)
    return found[0].split() if found else None


def _figure(word: str) -> tuple[float, bool]:
    match = _FIGURE.fullmatch(word)
    if match is None:
        raise UnreadableAnswer(f"this is not a figure of free: {word[:40]!r}")
    return float(match[1].replace(",", ".")) * 1024.0 ** _POWERS[match[2]], bool(match[2]) and match[2] != "B"
