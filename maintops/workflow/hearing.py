"""What tests said of a server: results become a reading, and the reading a verdict like that of any check."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, Skipped, SubjectFacts
from maintops.domain.checklists import Check, Rule
from maintops.domain.findings import FindingState
from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.domain.ports import Memory, Verdict
from maintops.domain.records import ServiceRecord
from maintops.probes.contract import Fact, Presence, Probe
from maintops.rules.judging import compile_rules
from maintops.workflow.judging import judge_server
from maintops.workflow.planning import CheckPlan

CHECK, TITLE = "VFY-010", "What must hold does hold"
"""The one check of a verification; its subjects are the tests."""

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
