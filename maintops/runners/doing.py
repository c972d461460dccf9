"""Whoever carries out what changes servers: Ansible its own content, Fabric a team's own functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from maintops.domain.ports import Deed, Doer, Done, Pulse, Stop
from maintops.domain.servers import Server
from maintops.errors import UsageError
from maintops.runners.ansible_deeds import deed_mistake


class CheckedDoer(Doer, Protocol):
    """A Doer that can tell beforehand whether it could do something at all."""

    def check(self, deed: Deed) -> None:
        """Raises UsageError, in words for people, where the deed is wrong in itself; contacts no server."""


class Deeds:
    """A Doer that hands every deed to the one who can do it. `fabric` makes the one for functions, when the first is to
    be done: Fabric is slow to import."""

    def __init__(self, ansible: Doer, fabric: Callable[[], CheckedDoer]) -> None:
        self._ansible, self._make = ansible, fabric
        self._made: CheckedDoer | None = None

    def check(self, deed: Deed) -> None:
        """Raises UsageError where a deed is wrong in itself: no such file, no such function, two things at once.
        Whether Ansible can read its content only Ansible knows."""
        if deed.fabric is not None:
            if deed.playbook is not None or deed.role is not None or deed.tasks:
                raise UsageError(f"a step has fabric: {deed.fabric} or Ansible content, not both")
            self._fabric.check(deed)
        elif mistake := deed_mistake(deed):
            raise UsageError(mistake)

    def do(
        self, deed: Deed, servers: Sequence[Server], *, forks: int, timeout: float, stop: Stop
    ) -> Iterator[Done | Pulse]:
        """See ports.Doer."""
        doer: Doer = self._ansible if deed.fabric is None else self._fabric
        yield from doer.do(deed, servers, forks=forks, timeout=timeout, stop=stop)

    @property
    def _fabric(self) -> CheckedDoer:
        if self._made is None:
            self._made = self._make()
        return self._made
