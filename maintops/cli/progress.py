"""What a person sees while a run is going on: a bar on a terminal, lines elsewhere; always on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import IO, TYPE_CHECKING, Any

from maintops.cli.output import say
from maintops.domain.outcomes import Outcome
from maintops.domain.ports import Observer
from maintops.domain.records import ServiceRecord
from maintops.domain.runs import (
    Event,
    Progressed,
    Remarked,
    RunPlanned,
    ServerAnswered,
    Settled,
    StageBegan,
    StageEnded,
    Waved,
)
from maintops.domain.stages import stage_words
from maintops.domain.wording import some

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID


@contextmanager
def progress() -> Iterator[Observer]:
    """An observer that shows a run."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    from maintops.cli.output import console

    bar = Bar(console(sys.stderr))
    before = _BAR.set(bar)
    try:
        with bar.shown:
            yield bar
    finally:
        _BAR.reset(before)


_BAR: ContextVar[Bar | None] = ContextVar("bar", default=None)


@contextmanager
def out_of_the_way() -> Iterator[None]:
    """Takes the bar away while a person types: it is drawn ten times a second, on the very line that is typed on."""
    bar = _BAR.get()
    if bar is None:
        yield
        return
    bar.shown.stop()
    try:
        yield
    finally:
        bar.shown.start()


def told(record: ServiceRecord) -> str:
    """One server's result in a line: the counts of its outcomes, worst first."""
    counts = sorted(record.counts.items(), key=lambda item: -item[0].rank)
    return ", ".join(f"{count} {outcome.value.replace('_', ' ')}" for outcome, count in counts)


def changed(event: Event) -> str | None:
    """An event of a run that changes servers in a line; None for one that is not worth it."""
    match event:
        case Waved():
            return f"wave {event.number} {event.state}{': ' if event.message else ''}{event.message}"
        case StageBegan():
            return f"  {event.server}: {_stage(event.stage)} …"
        case StageEnded():
            why = f": {event.message}" if event.message else ""
            return f"  {event.server}: {_stage(event.stage)} {event.result.value}{why}"
        case Settled():
            return f"  {event.server}: {event.duty} paid"
        case Remarked():
            return event.message
    return None


def _stage(stage: str) -> str:
    return stage_words(stage).removeprefix("the ")


class Lines:
    """A line per server, and a sign of life."""

    def __init__(self) -> None:
        self._planned, self._done = 0, set[str]()

    def told(self, event: Event, record: ServiceRecord | None) -> None:
        """Says what happened."""
        if isinstance(event, RunPlanned):
            self._planned = len(event.servers)
            servers = f"{self._planned} server{'s' if self._planned != 1 else ''}"
            checks = f"{len(event.checks)} check{'s' if len(event.checks) != 1 else ''}"
            say(f"run {event.run}: {event.checklist}, {checks} on {servers}")
        elif isinstance(event, ServerAnswered):
            self._done.add(event.server)
            if record is not None:  # None: an earlier process kept it
                say(f"[{len(self._done)}/{self._planned}] {record.server}: {told(record)}")
        elif isinstance(event, Progressed):
            say(f"[{event.done}/{event.planned}] waiting for {_waiting(event)}")
        elif (line := changed(event)) is not None:
            say(line)


class Unhurt:
    """A stream that may go away: what is written to it then is lost, and nobody hears of it. A terminal that is closed
    (EIO), or a full disk, must not break off what is only being shown."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes, or does not; how many characters there were."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Hands on what was written, or does not."""
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Bar:
    """A bar with counts and the time that is left; how many servers need attention."""

    def __init__(self, screen: Console) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        # the stream, not each call: rich also draws in a thread of its own, and keeps what could not be written
        screen.file = Unhurt(screen.file)  # type: ignore[assignment]  # all of a stream that rich uses is there
        self.shown: Progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[counts]}", markup=False),
            TimeRemainingColumn(),
            console=screen,
            transient=True,
        )
        self._task: TaskID | None = None
        self._done = set[str]()
        bad = (Outcome.ATTENTION, Outcome.FAILED, Outcome.UNREACHABLE, Outcome.UNKNOWN, Outcome.NOT_REACHED)
        self._counts = dict.fromkeys(bad, 0)

    def told(self, event: Event, record: ServiceRecord | None) -> None:
        """Moves the bar."""
        if isinstance(event, RunPlanned):
            self._task = self.shown.add_task(event.checklist, total=len(event.servers), counts="")
        elif isinstance(event, ServerAnswered) and self._task is not None:
            self._done.add(event.server)
            if event.outcome in self._counts:
                self._counts[event.outcome] += 1
            counts = ", ".join(f"{count} {outcome.value}" for outcome, count in self._counts.items() if count)
            self.shown.update(self._task, completed=len(self._done), counts=counts)
        elif not isinstance(event, StageBegan) and (line := changed(event)) is not None:
            from maintops.reports.escaping import visible

            self.shown.console.print(visible(line), markup=False, highlight=False)


def _waiting(event: Progressed) -> str:
    named = [f"{server} ({check})" if check else server for server, check in sorted(event.in_flight.items())]
    return some(named)
