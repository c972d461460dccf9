"""What smartctl --scan and --scan-open list, and how a disk is named."""

from __future__ import annotations

import re

SCANNED = re.compile(r"(#?) *(/\S+) -d (\S+)(?: #)?(.*)")
"""A line of the list: `#` before a disk that could not be opened, device, type, remark."""

_MEMBER = re.compile(r"(?:sat\+)?(\S+,\S+)")
"""A disk behind a controller has a type with its place there: megaraid,3 (sat+megaraid,3 to some versions)."""


def subject_name(device: str, kind: str) -> str:
    """A disk's name: its device, with its place where it is behind a controller."""
    place = _MEMBER.fullmatch(kind)
    return f"{device} {place[1]}" if place else device
