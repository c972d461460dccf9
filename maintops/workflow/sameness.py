"""One machine under two names of the inventory is noticed."""

from __future__ import annotations

import hashlib


class Machines:
    """Which machine answered under which name, within one run."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def seen(self, server: str, machine: str) -> tuple[str, tuple[str, ...]]:
        """The machine's name for records (a hash: a machine id is not to be shown to others), and a note when the same
        machine answered under another name before. `machine` is its machine id; empty: unknown."""
        if not machine:
            return "", ()
        name = hashlib.sha256(f"maintops machine {machine}".encode("utf-8", "replace")).hexdigest()[:16]
        first = self._names.setdefault(name, server)
        if first == server:
            return name, ()
        return name, (f"{server} and {first} are one machine, or copies with the same machine id",)
