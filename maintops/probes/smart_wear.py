"""How much of its life an ATA flash disk has used, where its attributes say so beyond doubt.

Makers count wear under a dozen numbers, upwards, downwards, in the normalized value or in the raw one, and give one
number different meanings. What is taken here is a name of smartmontools' drive database together with the way in which
the makers that use it count; of a disk that only counts otherwise the wear is unclear.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from maintops.probes.smart_attributes import Attribute

_LIKELY = re.compile(r"wear|life|endurance|perc_rated", re.IGNORECASE)
_NO_WEAR = re.compile(r"life_curve|power|writ|workld|lifetime_(?:temp|read)|range_delta", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Way:
    """An attribute of this number and name, counted so: `used` gives the percent that are used, or None."""

    number: int
    name: re.Pattern[str]
    used: Callable[[Attribute], int | None]
    maker: re.Pattern[str] = re.compile("")


def _by_value(one: Attribute) -> int | None:
    """The normalized value falls from 100 to 0 or 1."""
    return 100 - one.value if one.value is not None and 0 <= one.value <= 100 else None


def _by_raw(one: Attribute) -> int | None:
    """The raw value is what is left, in percent."""
    return 100 - one.raw if one.raw is not None and 0 <= one.raw <= 100 else None


def _by_both(one: Attribute) -> int | None:
    """Makers differ in which of the two is meant: taken where they agree."""
    return _by_value(one) if one.raw == one.value else None


def _by_value_alone(one: Attribute) -> int | None:
    """Intel counts in the value and leaves the raw one 0; others, under the same name, count something in it."""
    return _by_value(one) if one.raw == 0 else None


_WAYS = (
    _Way(202, re.compile(r"Perc\w*_Life|Perc_Rated_Life", re.IGNORECASE), _by_value),
    _Way(169, re.compile(r"Remaining_Lifetime_Perc", re.IGNORECASE), _by_raw),
    _Way(245, re.compile(r"Percent_Life_Remaining", re.IGNORECASE), _by_raw),
    _Way(231, re.compile(r"SSD_Life_Left", re.IGNORECASE), _by_both),
    _Way(233, re.compile(r"Media_Wearout_Indicator", re.IGNORECASE), _by_value_alone),
    _Way(177, re.compile(r"Wear_Leveling_Count", re.IGNORECASE), _by_value, re.compile("samsung|^MZ", re.IGNORECASE)),
)


def life_used(table: Sequence[Attribute], model: str | None) -> int | None:
    """How much of its life a disk has used, in percent; None where its attributes do not say so beyond doubt."""
    for way in _WAYS:
        for one in table:
            if one.id == way.number and way.name.search(one.name) and way.maker.search(model or ""):
                used = way.used(one)
                if used is not None:
                    return used
    return None


def counts_wear(table: Sequence[Attribute]) -> bool:
    """Whether a disk counts its wear in some way, understood here or not."""
    return any(_LIKELY.search(one.name) and not _NO_WEAR.search(one.name) for one in table)
