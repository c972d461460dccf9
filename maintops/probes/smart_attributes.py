"""The table of attributes of an ATA disk: what its lines hold, and which of them mean what (smartctl -A)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attribute:
    """A line of an ATA disk's table: `raw` is the count in it (None: it is not plain what the count would be), `value`
    the normalized value, which falls to a threshold."""

    id: int
    name: str
    raw: int | None
    failing: bool = False
    value: int | None = None


# What an attribute means hangs on its number and its maker: only where the name that smartmontools' own drive database
# gives it says so too is it taken (Crucial's 197, `Bogus_Current_Pend_Sect`, is none).
MEANINGS = {
    "reallocated_sectors": (5, re.compile(r"real+oc|retired|bad_bl|remap", re.IGNORECASE)),
    "pending_sectors": (197, re.compile(r"pending", re.IGNORECASE)),
    "offline_uncorrectable": (198, re.compile(r"uncorrect|offline_unc", re.IGNORECASE)),
    "media_errors": (187, re.compile(r"uncorrect|reported_unc", re.IGNORECASE)),
    "crc_errors": (199, re.compile(r"crc", re.IGNORECASE)),
}
HOURS = re.compile(r"power_on_h|power.on.time", re.IGNORECASE)
TEMPERATURE = re.compile(r"temperature", re.IGNORECASE)


def count_of(table: Sequence[Attribute], number: int, name: re.Pattern[str]) -> int | None:
    """The count in the first line of this number and name."""
    return next((one.raw for one in table if one.id == number and name.search(one.name)), None)


def lists(table: Sequence[Attribute], number: int, name: re.Pattern[str]) -> bool:
    """Whether the table has such a line."""
    return any(one.id == number and name.search(one.name) for one in table)
