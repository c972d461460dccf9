"""From the beginning of an id to the one thing that it names."""

from __future__ import annotations

from collections.abc import Sequence

from maintops.errors import UsageError

LAST = "last"
"""What a person may write instead of the newest run's id."""

SHOWN = 10
"""How many candidates an error names."""


def unknown(noun: str, id: str) -> UsageError:
    """The error for an id that names nothing."""
    return UsageError(f"There is no {noun} {id!r}.")


def chosen(noun: str, prefix: str, candidates: Sequence[str]) -> str:
    """The id that a prefix means. `candidates` are ids that begin with it, sorted: all, or the first SHOWN + 1.

    An id that is the prefix itself wins over longer ones. Raises UsageError for none and for several.
    """
    if not candidates or not prefix:
        raise unknown(noun, prefix)
    if len(candidates) == 1 or candidates[0] == prefix:
        return candidates[0]
    shown = ", ".join(candidates[:SHOWN]) + (", …" if len(candidates) > SHOWN else "")
    raise UsageError(f"{prefix!r} could be several {noun}s: {shown}. Write more of the id.")
