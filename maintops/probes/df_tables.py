"""Tables of df(1) as a person called it: with -h, -T, -i, -P or nothing, of coreutils and of busybox, in any language.

A row is known by its shape: a percentage before a path. The header tells what is counted: inodes, or blocks and how
large. Figures that df rounded (-h, -m, …) are no sizes: then only its percentage is a fact, in a part ROUNDED.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from maintops.domain.answers import Answer
from maintops.probes.recorded import field, in_parts

ROUNDED = "rounded"
"""First word of a df table whose figures are rounded: `rounded PERCENT`."""

UNKNOWN = "-"
"""The type of a file system in a table that has no such column, and its options."""

_FIGURE = r"(?:-?[0-9]+(?:[.,][0-9]+)?[KMGTPEZYkB]?(?:iB|B)?|-)"
_ROW = re.compile(
    rf"(\S+)[ \t]+(?:([a-z][\w.-]*)[ \t]+)?({_FIGURE})[ \t]+({_FIGURE})[ \t]+({_FIGURE})[ \t]+"
    r"([0-9]+%|-)[ \t]+(/.*?)[ \t]*"
)
_WRAPPED = re.compile(r"(?m)^(\S+)[ \t]*\n[ \t]+(?=[0-9]|[a-z0-9.]+ +[0-9])")
_INODES = re.compile(r"\bI-?n(?:od|\u0153ud|oeud)|\bi-?n(?:od|\u00f3d)|IUse|IUti", re.IGNORECASE)
_KIB = re.compile(r"\b(?:1K|1024|1k)\b")
_HALF_KIB = re.compile(r"\b512\b")
_NUMBER = re.compile(r"[0-9]{1,17}")
_LOOP_OR_DISC = re.compile(r"/dev/(?:loop|sr)[0-9]+")


@dataclass(frozen=True, slots=True)
class Row:
    """A row: sizes as df printed them."""

    device: str
    type: str | None
    total: str
    used: str
    available: str
    percent: str
    point: str


def recorded_table(text: str, *, inodes: bool) -> Answer | None:
    """The answer of a df table: a part for every file system, as the questions of file-systems and inodes have them.

    None where it is no table of df, or one that counts the other thing.
    """
    lines = _WRAPPED.sub(r"\1 ", text).split("\n")
    first = next((place for place, line in enumerate(lines) if _ROW.fullmatch(line)), None)
    header = next((line for line in reversed(lines[:first]) if line.strip()), "") if first is not None else ""
    if first is None or not header or bool(_INODES.search(header)) is not inodes:
        return None
    unit = 1.0 if inodes or _KIB.search(header) else 0.5 if _HALF_KIB.search(header) else None
    parts = {
        f"{field(row.device)} {field(row.point)} {_type(row)} {UNKNOWN}": _shown(row, unit) for row in _rows(lines)
    }
    return in_parts(parts)


def _rows(lines: list[str]) -> Iterator[Row]:
    for line in lines:
        match = _ROW.fullmatch(line)
        if match is not None and not _is_image(row := Row(*match.groups())):
            yield row


def _is_image(row: Row) -> bool:
    """Images are full by nature. Without a column of types, which the probe judges, device and fullness tell."""
    return row.type is None and _LOOP_OR_DISC.fullmatch(row.device) is not None and row.percent in ("100%", "-")


def _type(row: Row) -> str:
    if row.type is not None:
        return field(row.type)
    return "overlay" if row.device == "overlay" else UNKNOWN


def _shown(row: Row, unit: float | None) -> str:
    """The row as the reader of an answer knows it, in KiB or inodes."""
    figures = (row.total, row.used, row.available)
    if unit is None or not all(one == "-" or _NUMBER.fullmatch(one.removeprefix("-")) for one in figures):
        return f"{ROUNDED} {row.percent}"
    total, used, available = (one if one == "-" else str(int(int(one) * unit)) for one in figures)
    return f"Filesystem\n{field(row.device)} {total} {used} {available} {row.percent} {field(row.point)}"
