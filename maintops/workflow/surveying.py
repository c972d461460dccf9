"""Looking at servers before and after they are changed: their checks, and what they are like (maintops.domain.proofs).

What a look saw is kept as evidence in the database, so that whoever goes on after a crash can still compare with it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from maintops.domain.answers import Measured, Reading, Skipped
from maintops.domain.changes import Packages
from maintops.domain.checklists import Check
from maintops.domain.journeys import AFTER, BEFORE, SOAKED
from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.domain.proofs import PROOF, REMOVED, differences, judge_differences, unknown_kinds
from maintops.domain.records import ServiceRecord
from maintops.domain.runs import StageEnded, StageResult
from maintops.workflow.judging import judge_server
from maintops.workflow.planning import CheckPlan, plan_check
from maintops.workflow.reading import ServerReading
from maintops.workflow.sites import ENGINE, UNDOING, Site, Stage, Work

LARGEST_STATE = 8 * 1024 * 1024
"""Bytes that the answer about a server's state may have."""

STATE_TIMEOUT = 240.0
"""Seconds that a server may take to say what it is like."""

PROVEN = "Nothing changed but what was expected"

TOLERATED = "unmeasured_passes"
"""The checklist's parameter with ids of checks that pass also where they cannot be measured."""

_BAD = (Outcome.FAILED, Outcome.UNKNOWN, Outcome.NOT_REACHED, Outcome.UNREACHABLE)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look saw: the state (see the probe server-state), and every cell in short."""

    state: Mapping[str, Any] = field(default_factory=dict)
    cells: tuple[Cell, ...] = ()


def packed(seen: Seen) -> bytes:
    """A look as it is kept: JSON, compressed."""
    cells = [[one.check, one.subject, one.outcome, one.severity, one.message[:400]] for one in seen.cells]
    return zlib.compress(json.dumps({"state": dict(seen.state), "cells": cells}).encode("utf-8", "surrogatepass"), 6)


def unpacked(body: bytes) -> Seen:
    """The look that `packed` was given."""
    found = json.loads(zlib.decompress(body).decode("utf-8", "surrogatepass"))
    cells = tuple(
        Cell(check, subject, Outcome(outcome), Severity(severity) if severity else None, message)
        for check, subject, outcome, severity, message in found["cells"]
    )
    return Seen(found["state"], cells)


def state_plan(site: Site) -> CheckPlan:
    """The probe that tells what a server is like."""
    check = Check(PROOF, PROVEN, probe="server-state", timeout=STATE_TIMEOUT, limit=LARGEST_STATE)
    return plan_check(check, site.under.catalogue)


def look(site: Site, stage: Stage, works: Sequence[Work]) -> None:
    """The first stage: every check and the state are asked; the prechecks of the first step must pass."""
    site.began(BEFORE, works)
    first = next(iter(site.under.checklist.sequence), None)
    needed = first.precheck if first is not None else ()
    for work, reading in _read(site, works):
        lost = unreached(reading)
        if lost is not None:
            site.ended(work, BEFORE, StageResult.UNREACHABLE, lost)
            continue
        seen = _seen(site, work, reading)
        digest = site.crew.store.keep_evidence(packed(seen))
        problems = troubles(seen.cells, needed, tolerated(site, work))
        if not seen.state:
            problems.append("what it is like could not be measured, so that nothing could be proven afterwards")
        facts = {"evidence": digest}
        if problems:
            site.ended(work, BEFORE, StageResult.FAILED, f"not changed: {told(problems)}", facts)
        else:
            site.ended(work, BEFORE, StageResult.OK, "", facts)


def look_again(site: Site, stage: Stage, works: Sequence[Work]) -> None:
    """The last look: the postchecks of every step must pass, and only expected differences are left."""
    site.began(AFTER, works)
    for work, reading in _read(site, works):
        found = _compared(site, work, reading)
        said = found.message if found.result is not StageResult.FAILED else f"after the change: {found.message}"
        site.ended(work, AFTER, found.result, said, found.facts)


def look_after_soak(site: Site, works: Sequence[Work]) -> Iterator[tuple[Work, StageEnded]]:
    """One look more at servers that are through, judged like the last one. That it began is on record; how it ended is
    the caller's to write down."""
    site.began(SOAKED, works)
    undo = f"repair it, or take it back (maintops rollback {site.under.run})"
    for work, reading in _read(site, works):
        found = _compared(site, work, reading)
        said = f"after the soak: {found.message}; it stays in service, and is not drained again: {undo}"
        message = said if found.message else ""
        yield work, StageEnded(work.name, SOAKED, found.result, message, site.now(), found.facts)


@dataclass(frozen=True, slots=True)
class _Compared:
    """What a look says beside the first one; `message` is empty where all is well."""

    result: StageResult
    message: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def _compared(site: Site, work: Work, reading: ServerReading) -> _Compared:
    lost = unreached(reading)
    if lost is not None:
        return _Compared(StageResult.UNREACHABLE, lost)
    needed = list(dict.fromkeys(id for step in site.under.checklist.sequence for id in step.postcheck))
    before = seen_before(site, work)
    seen = _seen(site, work, reading)
    proof = prove(site, work, before, seen)
    facts = {
        "evidence": site.crew.store.keep_evidence(packed(seen)),
        "proof": [[one.subject, one.outcome, one.severity, one.message] for one in proof],
        "worse": worse(before.cells, (*seen.cells, *proof)),
    }
    problems = troubles(seen.cells, needed, tolerated(site, work))
    problems += [one.message for one in proof if one.severity is Severity.CRITICAL]
    if not seen.state:
        problems.append("what it is like could not be measured: nothing is proven")
    return _Compared(StageResult.FAILED if problems else StageResult.OK, told(problems), facts)


def check_step(site: Site, works: Sequence[Work], ids: Collection[str]) -> Mapping[str, list[str]]:
    """Asks some checks again; for each server what does not pass, in words."""
    plans = [one for one in site.checks if one.check.id in ids]
    found = {}
    for name, reading in site.observe(works, plans).items():
        work = next(one for one in works if one.name == name)
        lost = unreached(reading)
        cells = _cells(site, work, plans, reading.readings)
        found[name] = [lost] if lost is not None else troubles(cells, ids, tolerated(site, work))
    return found


def seen_before(site: Site, work: Work) -> Seen:
    """What the first look saw; nothing where there was none."""
    ended = site.journey(work).ended.get(BEFORE)
    digest = str(ended.facts.get("evidence", "")) if ended is not None else ""
    return unpacked(site.crew.store.evidence(digest)) if digest else Seen()


def prove(site: Site, work: Work, before: Seen, after: Seen) -> tuple[Cell, ...]:
    """The cells of the proof: what changed that nobody expected."""
    if not before.state or not after.state:
        return (Cell(PROOF, None, Outcome.NOT_MEASURED, message="what the server is like could not be measured"),)
    found = differences(before.state, after.state)
    planned = None
    if site.under.plan.packages is Packages.PINNED and not site.under.plan.of:
        planned = {one.name: one.new for one in work.planned.updates}
        planned |= dict.fromkeys(work.planned.removals, REMOVED)
    unknown = unknown_kinds(before.state, after.state)
    cells = tuple(judge_differences(found, site.under.policy.expected, planned))
    if not unknown:
        return cells
    return (*cells, Cell(PROOF, "unmeasured", Outcome.NOT_MEASURED, message=f"not measured: {', '.join(unknown)}"))


def unreached(reading: ServerReading) -> str | None:
    """Why a server could not be asked at all; None where it was."""
    asked = [one for one in reading.readings.values() if not isinstance(one, Skipped)]
    lost = [one for one in asked if isinstance(one, Cell) and one.outcome is Outcome.UNREACHABLE]
    return lost[0].message if lost and len(lost) == len(asked) else None


def tolerated(site: Site, work: Work) -> Collection[str]:
    """The checks that pass on a server also where they cannot be measured."""
    said: Collection[str] = values(site, work).get(TOLERATED, [])
    return said


def troubles(cells: Iterable[Cell], ids: Collection[str], tolerated: Collection[str]) -> list[str]:
    """Why some checks do not pass, a sentence for each: a finding of warning or worse, or nobody knows. `tolerated` are
    the checks that need not be measured. A check that nobody asked does not pass."""
    cells = [cell for cell in cells if cell.check in ids]
    asked = {cell.check for cell in cells}
    found = [f"{id}: nobody asked it" for id in ids if id not in asked]
    for cell in cells:
        serious = cell.severity in (Severity.WARNING, Severity.CRITICAL)
        blind = cell.outcome is Outcome.NOT_MEASURED and cell.check not in tolerated
        if serious or blind or cell.outcome in _BAD:
            word = "not measured: " if blind else ""
            found.append(f"{cell.check}: {word}{cell.message or cell.outcome.value}")
    return found


def told(problems: Sequence[str]) -> str:
    """Some problems in one line."""
    rest = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
    return "; ".join(problems[:3]) + rest


def worse(before: Iterable[Cell], after: Iterable[Cell]) -> list[str]:
    """The findings that are new, or more serious than before."""
    was = {(one.check, one.subject): one.severity.rank for one in before if one.severity is not None}
    found = []
    for one in after:
        serious = one.severity in (Severity.WARNING, Severity.CRITICAL)
        if serious and one.severity is not None and one.severity.rank > was.get((one.check, one.subject), -1):
            found.append(f"{one.check}: {one.message}")
    return found


# --- readings ---------------------------------------------------------------------------------------------------------


def _read(site: Site, works: Sequence[Work]) -> Iterable[tuple[Work, ServerReading]]:
    readings = site.observe(works, (*site.checks, state_plan(site)))
    return [(work, readings[work.name]) for work in works]


def _seen(site: Site, work: Work, reading: ServerReading) -> Seen:
    readings = dict(reading.readings)
    state = readings.pop(PROOF, None)
    work.readings = readings
    work.machine = reading.header.machine if reading.header else work.machine
    facts = dict(state.subjects[0].facts) if isinstance(state, Measured) and state.subjects else {}
    return Seen(facts, _cells(site, work, site.checks, readings))


def _cells(
    site: Site, work: Work, plans: Sequence[CheckPlan], readings: Mapping[str, Reading | Cell]
) -> tuple[Cell, ...]:
    """What some readings mean now; nothing is kept of it."""
    memory = site.crew.store.memory(work.name)
    return judge_server(draft(site, work), plans, readings, values(site, work), memory).record.cells


def values(site: Site, work: Work) -> Mapping[str, Any]:
    """The checklist's parameters for one server."""
    return {**site.under.checklist.parameters, **work.planned.values}


def draft(site: Site, work: Work) -> ServiceRecord:
    """A server's record without cells."""
    listed = site.under.checklist
    return ServiceRecord(
        id=work.record,
        run=site.under.run,
        server=work.name,
        checklist=listed.name,
        version=listed.version,
        title=site.under.plan.title,
        service=listed.service,
        engine=UNDOING if site.under.plan.of else ENGINE,
        started=work.began,
        ended=site.now(),
        cells=(),
        engineer=site.under.engineer,
        customer=work.server.customer,
        site=work.server.site,
        machine=work.machine,
        item=listed.item,
    )
