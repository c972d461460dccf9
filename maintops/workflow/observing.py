"""Asking servers and their management controllers, and putting together what comes back of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from maintops.domain.ports import Delivery, Pulse, Stop, Told
from maintops.workflow.keeping import Crew
from maintops.workflow.merging import merged
from maintops.workflow.planning import Plan, ServerPlan
from maintops.workflow.reading import ServerReading, inquired, read_delivery, unasked

Sign = Callable[[Pulse], None]
"""What is done with a sign of life."""


@dataclass(slots=True)
class Half:
    """What has come back of one server so far: its own answers, and those of its management controller."""

    planned: ServerPlan
    delivery: Delivery | None = None
    told: dict[str, Told] = field(default_factory=dict)

    def take(self, item: Delivery | Told) -> None:
        """Adds a piece."""
        if isinstance(item, Delivery):
            self.delivery = item
        else:
            self.told[item.check] = item

    @property
    def is_whole(self) -> bool:
        """Whether there is nothing more to come."""
        asked = bool(self.planned.asking.scripts)
        return (self.delivery is not None or not asked) and len(self.told) == len(self.planned.inquiries)


def arriving(plan: Plan, crew: Crew, forks: int, stop: Stop, sign: Sign) -> Iterator[Delivery | Told]:
    """What every engine and every contact brings, as it arrives; signs of life are kept on the way."""
    sources: list[Iterator[Delivery | Told | Pulse]] = []
    inquiries = [one for planned in plan.servers for one in planned.inquiries]
    if inquiries and crew.contact is not None:
        sources.append(crew.contact.inquire(inquiries, forks=forks, stop=stop))
    for name, runner in crew.runners.items():
        trips = [one.trip for one in plan.servers if one.engine == name and one.asking.scripts]
        if trips:
            sources.append(runner.ask(trips, forks=forks, stop=stop))
    for item in merged(sources):
        if isinstance(item, Pulse):
            sign(item)
        else:
            yield item


def observe(plan: Plan, crew: Crew, forks: int, stop: Stop, sign: Sign) -> Mapping[str, ServerReading]:
    """Asks all of a plan's checks and waits for all answers: for each server a reading, or a cell that says why there
    is none, of every check that is asked. Content in check mode and steps by hand are not looked at."""
    halves = {one.server.name: Half(one) for one in plan.servers}
    for item in arriving(plan, crew, forks, stop, sign):
        halves[item.server].take(item)
    return {name: _read(plan, half, stop()) for name, half in halves.items()}


def _read(plan: Plan, half: Half, stopped: str | None) -> ServerReading:
    planned = half.planned
    if half.delivery is None and planned.asking.scripts:
        read = unasked(planned, stopped)
    else:
        read = read_delivery(planned, plan.checks, half.delivery)
    readings = dict(read.readings)
    by_id = {one.check.id: one for one in plan.checks}
    for one in planned.asking.inquiries:
        readings[one.check] = inquired(planned, half.told.get(one.check), stopped, by_id[one.check])
    return ServerReading(readings, read.header, read.notes)
