"""Names for subjects that other tools do not tell apart: the second of one name has its number behind it."""

from __future__ import annotations

from maintops.domain.answers import UnreadableAnswer

MOST_SUBJECTS = 1000
"""Subjects that one answer may name: no run believes more, so that nobody reads on."""


class Names:
    """Gives every subject a name of its own, in time that grows with their number alone."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._last: dict[str, int] = {}

    def unique(self, base: str) -> str:
        """`base`, or where that is taken `base (2)`, `base (3)`, … Raises UnreadableAnswer for too many names."""
        if len(self._taken) >= MOST_SUBJECTS:
            raise UnreadableAnswer(f"it names more than {MOST_SUBJECTS} subjects; so many are not believed")
        name, number = base, self._last.get(base, 1)
        while name in self._taken:
            number += 1
            name = f"{base} ({number})"
        self._last[base] = number
        self._taken.add(name)
        return name
