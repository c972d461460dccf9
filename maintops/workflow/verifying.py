"""Tests of what must hold on a run's servers become a further part of each one's record (RUN-0001.2, …).

What was written before is never changed. A test that failed is a critical finding with a memory like any other; a test
that was not run, or is wrong in itself, changes nothing about the finding that it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from maintops.domain.answers import NotMeasured
from maintops.domain.outcomes import Cell, Outcome
from maintops.domain.ports import Clock, Delivery, Memory, Store, Verdict
from maintops.domain.records import ServiceRecord
from maintops.domain.runs import PlannedServer, Run, RunState
from maintops.domain.servers import Server
from maintops.errors import NothingSelected, UsageError
from maintops.workflow.hearing import CHECK, TITLE, Heard, judged, read_results
from maintops.workflow.parts import keep_part
from maintops.workflow.planning import inventory_become

ENGINE = "testinfra"


class Verifier(Protocol):
    """Runs test files against servers."""

    def refusal(self, server: Server, become: bool | str) -> str | None:
        """Why this server's tests cannot be run, in words for people; None where they can."""

    def verify(
        self, files: Sequence[Path], targets: Sequence[tuple[Server, bool | str]], *, forks: int
    ) -> Iterator[Delivery]:
        """One delivery per server with one reply: JSON lines, one per test, or a failure. Raises UsageError for files
        with mistakes, before anything is contacted."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification kept: the run with this check alone over the servers that were chosen, and a part of each
    one's record."""

    run: Run
    records: tuple[ServiceRecord, ...]


@dataclass(frozen=True, slots=True)
class Bench:
    """Who and what carries a verification out: the files are absolute paths; `forks` servers are met at a time."""

    store: Store
    verifier: Verifier
    clock: Clock
    files: tuple[Path, ...]
    engineer: str | None = None
    forks: int = 20


def verify(run: Run, servers: Sequence[Server], bench: Bench, *, limited: bool = False) -> Verified:
    """Runs the test files against a run's servers and keeps what came of it. `servers` are the inventory's, `limited`:
    those of a pattern, so that others are not meant; else a server of the run that is not among them is not measured.

    Raises UsageError for a run that goes on, and for files that cannot be used; NothingSelected where no server of the
    run is meant.
    """
    if run.state is RunState.RUNNING:
        raise UsageError(f"the run {run.id} is still going on; it can be verified when it has ended")
    check_files(bench.files)
    found = {one.name: one for one in servers}
    planned = [one for one in run.planned.servers if one.server in found or not limited]
    if not planned:
        raise NothingSelected(f"no server of the run {run.id} is among those that were selected")
    targets, refused = _split(planned, found, bench.verifier)
    deliveries = {one.server: one for one in bench.verifier.verify(bench.files, targets, forks=bench.forks)}
    records = [_keep(run, one, deliveries.get(one.server), refused, bench) for one in planned]
    shown = replace(run.planned, checks=(CHECK,), titles=(TITLE,), servers=tuple(planned))
    return Verified(replace(run, planned=shown), tuple(records))


def check_files(files: Sequence[Path]) -> None:
    """Raises UsageError for files that are not there or cannot be told apart afterwards."""
    if not files:
        raise UsageError("no test file: name one, or list them under change: verify: in the checklist")
    named: dict[str, Path] = {}
    for file in files:
        if not file.is_file():
            raise UsageError(f"there is no test file {file}" if not file.exists() else f"{file} is no file: name files")
        if file.suffix != ".py" or "[" in str(file) or "::" in str(file):
            raise UsageError(f"{file} cannot be a test file: its name must end in .py, its path hold neither [ nor ::")
        other = named.setdefault(name_of(file), file)
        if other != file:
            raise UsageError(f"{other} and {file} cannot be told apart in a record; verify with one after the other")


def name_of(file: Path) -> str:
    """What the subjects of a file's tests begin with: its folder's name and its own."""
    return f"{file.parent.name}/{file.name}"


def _split(
    planned: Sequence[PlannedServer], found: Mapping[str, Server], verifier: Verifier
) -> tuple[list[tuple[Server, bool | str]], dict[str, str]]:
    """The servers whose tests can be run, and the reasons of the others."""
    targets: list[tuple[Server, bool | str]] = []
    refused: dict[str, str] = {}
    for one in planned:
        server = found.get(one.server)
        if server is None:
            refused[one.server] = "its tests were not run: the inventory does not name it any more"
            continue
        become = inventory_become(server)
        why = verifier.refusal(server, become)
        if why is None:
            targets.append((server, become))
        else:
            refused[one.server] = f"its tests were not run: {why}"
    return targets, refused


def _hear(delivery: Delivery | None, why: str | None) -> Heard:
    if delivery is None:
        silent = Cell(CHECK, None, Outcome.UNKNOWN, message="nothing was heard of its tests")
        return Heard(NotMeasured(why) if why is not None else silent, {}, {})
    (reply,) = delivery.replies
    if reply.failure is not None:
        return Heard(Cell(CHECK, None, Outcome.UNREACHABLE, message=reply.failure.why), {}, {})
    return read_results(reply.stream)


def _keep(
    run: Run, planned: PlannedServer, delivery: Delivery | None, refused: Mapping[str, str], bench: Bench
) -> ServiceRecord:
    heard = _hear(delivery, refused.get(planned.server))
    files = {name_of(file) for file in bench.files}
    now = bench.clock()
    times = (delivery.started, delivery.ended) if delivery is not None else (now, now)
    stream = b"".join(reply.stream for reply in delivery.replies) if delivery is not None else b""

    def judge(draft: ServiceRecord, memory: Memory) -> Verdict:
        return judged(draft, heard, files, memory)

    draft = _draft(run, planned, times, bench.engineer)
    return keep_part(bench.store, draft, judge, now, first=2, answer=stream).record


def _draft(run: Run, planned: PlannedServer, times: tuple[datetime, datetime], engineer: str | None) -> ServiceRecord:
    listed = run.planned
    return ServiceRecord(
        id=planned.record,
        run=run.id,
        server=planned.server,
        checklist=listed.checklist,
        version=listed.version,
        title=listed.title,
        service=listed.service,
        engine=ENGINE,
        started=times[0],
        ended=times[1],
        cells=(),
        engineer=engineer,
        customer=planned.customer,
        site=planned.site,
        item=listed.item,
    )
