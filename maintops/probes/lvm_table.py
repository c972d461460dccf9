"""The tables that vgs, lvs and pvs print for people: columns under a heading, of which any can be empty."""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAMES = {
    "VG": "vg_name",
    "LV": "lv_name",
    "PV": "pv_name",
    "Attr": "",
    "VSize": "vg_size",
    "VFree": "vg_free",
    "LSize": "lv_size",
    "PSize": "pv_size",
    "PFree": "pv_free",
    "Data%": "data_percent",
    "Meta%": "metadata_percent",
    "Snap%": "snap_percent",
    "Cpy%Sync": "copy_percent",
    "Copy%": "copy_percent",
    "Health": "lv_health_status",
}
"""Headings and the names of the same fields in reports; Attr belongs to what a line is about."""


_LONGEST = 500
"""Characters of a line; one that is longer is no line of such a table."""


def rows_of_table(text: str) -> list[Mapping[str, str]] | None:
    """The lines under each heading, as rows of a report; None where there is no heading."""
    headings: list[re.Match[str]] = []
    rows: list[Mapping[str, str]] | None = None
    for line in text.replace("\r\n", "\n").split("\n"):
        if len(line) > _LONGEST:
            continue
        words = list(re.finditer(r"\S+", line))
        names = {word[0] for word in words}
        if "Attr" in names and {"VG", "LV", "PV"} & names:
            headings, rows = words, rows if rows is not None else []
        elif headings and words and rows is not None:
            rows.append(_row(headings, words))
    return rows


def _row(headings: list[re.Match[str]], words: list[re.Match[str]]) -> Mapping[str, str]:
    """Each word belongs to the heading that it stands under; where it stands under two or none it is left out."""
    kind = (
        "lv" if any(one[0] == "LV" for one in headings) else "pv" if any(one[0] == "PV" for one in headings) else "vg"
    )
    row: dict[str, str] = {}
    for number, word in enumerate(words):
        under = [one for one in headings if one.start() < word.end() and word.start() < one.end()]
        # the columns before Attr are never empty, and so can be counted where a long name moves what follows it
        first = next(index for index, one in enumerate(headings) if one[0] == "Attr")
        heading = headings[number] if number <= first else under[0] if len(under) == 1 else None
        if heading is not None and (name := _NAMES.get(heading[0])) is not None:
            row.setdefault(name or f"{kind}_attr", word[0])
    return row
