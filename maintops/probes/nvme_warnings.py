"""The bits by which an NVMe drive warns of itself, as words.

Format: NVM Express Base Specification, SMART / Health Information log, Critical Warning.
"""

from __future__ import annotations

_WORDS = (
    "spare below threshold",
    "temperature out of range",
    "reliability degraded",
    "read-only",
    "memory backup failed",
    "persistent memory read-only",
)


def warning_words(bits: int) -> list[str]:
    """What the bits say; one that no specification had given a meaning to is named by its number."""
    return [
        _WORDS[number] if number < len(_WORDS) else f"bit {number}"
        for number in range(min(bits.bit_length(), 16))
        if bits >> number & 1
    ]
