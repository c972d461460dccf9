"""Tests of what must hold on a run's servers become a further part of each one's record (RUN-0001.2, …).

What was written before is never changed. A test that failed is a critical finding with a memory like any other; a test
that was not run, or is wrong in itself, changes nothing about the finding that it has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, Skipped, SubjectFacts
from maintops.domain.checklists import Check, Rule
from maintops.domain.findings import FindingState
from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.domain.ports import Clock, Delivery, Memory, Store, Verdict
from maintops.domain.records import ServiceRecord, part_id
from maintops.domain.runs import PlannedServer, Run, RunState
from maintops.domain.servers import Server
from maintops.errors import NothingSelected, UsageError
from maintops.probes.contract import Fact, Presence, Probe
from maintops.rules.judging import compile_rules
from maintops.workflow.judging import judge_server
from maintops.workflow.planning import CheckPlan, inventory_become

CHECK, TITLE = "VFY-010", "What must hold does hold"
"""The one check of a verification; its subjects are the tests."""

ENGINE = "testinfra"

_FACTS = {
    "result": Fact("str", "passed or failed"),
    "message": Fact("str", "what did not hold"),
    "place": Fact("str", "where the test says so: file:line"),
    "seconds": Fact("float", "how long the test took", "seconds"),
}
_RULES = (Rule("result == 'failed'", Severity.CRITICAL, "{{ message }}"),)
_OUTCOMES = {
    "error": Outcome.FAILED,
    "skipped": Outcome.SKIPPED,
    "lost": Outcome.UNKNOWN,
    "not_reached": Outcome.NOT_REACHED,
}
_ELSEWHERE = "its file was not part of this verification"


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


# --- one server -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of one server's tests: a reading, or the cell that says why there is none; and by subject the outcomes
    that no rule can give (outcome, message, excerpt)."""

    reading: Reading | Cell
    others: Mapping[str, tuple[Outcome, str]]
    evidence: Mapping[str, str]


def read_results(stream: bytes) -> Heard:
    """Reads a stream of results (see Verifier.verify). Raises ValueError where it is none."""
    subjects: list[SubjectFacts] = []
    others: dict[str, tuple[Outcome, str]] = {}
    evidence: dict[str, str] = {}
    for line in stream.splitlines():
        told = json.loads(line)
        if not isinstance(told, dict) or not isinstance(told.get("test"), str) or told["test"] in evidence:
            raise ValueError("a line names no test, or one that was named before")
        test, result, message = told["test"], told.get("result"), str(told.get("message") or "")
        evidence[test] = str(told.get("detail") or "")
        if result in _OUTCOMES:
            others[test] = (_OUTCOMES[result], message)
            subjects.append(SubjectFacts(test, why_not=message or result))
        elif result in ("passed", "failed"):
            subjects.append(_subject(test, told, message))
        else:
            raise ValueError(f"{result!r} is no result of a test")
    reading = Measured(tuple(subjects)) if subjects else NotMeasured("none of the tests is for this server")
    return Heard(reading, others, evidence)


def _subject(test: str, told: Mapping[str, Any], message: str) -> SubjectFacts:
    given = {"result": told["result"], "message": message, "place": told.get("place"), "seconds": told.get("seconds")}
    if told["result"] == "failed" and not message:
        given["message"] = "it failed and does not say why"
    facts = {name: value for name, value in given.items() if value not in (None, "")}
    return SubjectFacts(test, facts, frozenset({"message", "place"} - facts.keys()))


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
    number = 2
    while True:
        draft = _draft(run, planned, part_id(planned.record, number), times, bench.engineer)

        def judge(memory: Memory, draft: ServiceRecord = draft) -> Verdict:
            return judged(draft, heard, files, memory)

        verdict = bench.store.commit(run.id, draft.id, planned.server, judge, stream, now)
        if verdict is not None:
            return verdict.record
        number += 1  # an earlier part, or somebody else's at this very moment


def judged(draft: ServiceRecord, heard: Heard, files: set[str], memory: Memory) -> Verdict:
    """The verdict over one server's tests. Tests of files that were not part of this (`files` are their names) keep
    their findings; a test that is no longer in a file that was is gone, and so is its finding."""
    kept = _elsewhere(memory, files)
    reading = heard.reading
    if isinstance(reading, Measured):
        others = (SubjectFacts(one, why_not=_ELSEWHERE) for one in sorted(kept))
        reading = Measured((*reading.subjects, *others))
    verdict = judge_server(draft, [_PLAN], {CHECK: reading}, {}, memory)
    cells = tuple(_marked(cell, heard) for cell in verdict.record.cells if cell.subject not in kept)
    return replace(verdict, record=replace(verdict.record, cells=cells))


def _elsewhere(memory: Memory, files: set[str]) -> set[str]:
    alive = (one for one in memory.findings if one.check == CHECK and one.state is not FindingState.GONE)
    names = {one.subject for one in alive} | memory.facts.get(CHECK, {}).keys()
    return {name for name in names if name is not None and name.partition("::")[0] not in files}


def _marked(cell: Cell, heard: Heard) -> Cell:
    if cell.subject is None:
        return cell
    outcome, message = heard.others.get(cell.subject, (cell.outcome, cell.message))
    return replace(cell, outcome=outcome, message=message, evidence=heard.evidence.get(cell.subject, ""))


def _draft(
    run: Run, planned: PlannedServer, id: str, times: tuple[datetime, datetime], engineer: str | None
) -> ServiceRecord:
    listed = run.planned
    return ServiceRecord(
        id=id,
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


def _question(parameters: Mapping[str, Any]) -> str | Skipped:
    return Skipped("its tests are run by maintops verify")


def _read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    return NotMeasured("its tests are run by maintops verify")


_PROBE = Probe("tests", "Tests of what must hold", _FACTS, _question, _read, Presence.PASSING)
_PLAN = CheckPlan(
    Check(CHECK, TITLE, action="Look at the server: what the test says must hold does not.", probe="tests"),
    _PROBE,
    compile_rules(_RULES),
)
