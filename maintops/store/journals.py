"""The events of runs to text and back: a kind and a document each, in the ways of `maintops.store.codec`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from maintops.domain.outcomes import Outcome
from maintops.domain.runs import (
    Event,
    Owed,
    Owner,
    PlannedServer,
    Progressed,
    Remarked,
    Resumed,
    RunEnded,
    RunPlanned,
    RunState,
    ServerAnswered,
    Settled,
    StageBegan,
    StageEnded,
    StageResult,
    Waved,
)
from maintops.domain.steps import Evidence, StepAnswer
from maintops.store.codec import dumps, flat, loads, measured, moment, trimmed


class Kind(StrEnum):
    """What sort of event a row of a journal holds. The plan of a run that changes servers has a kind of its own: those
    that are running are looked for when another one begins."""

    PLANNED = "planned"
    CHANGING = "changing"
    ANSWERED = "answered"
    PROGRESSED = "progressed"
    ENDED = "ended"
    STEP = "step"
    STAGE_BEGAN = "stage-began"
    STAGE_ENDED = "stage-ended"
    WAVED = "waved"
    OWED = "owed"
    SETTLED = "settled"
    REMARKED = "remarked"
    RESUMED = "resumed"


def event_text(event: Event) -> tuple[Kind, str]:
    """An event's kind and its fields; its time is a column of its own."""
    kind, fields = _written(event)
    return kind, dumps(fields)


def _written(event: Event) -> tuple[Kind, list[Any] | dict[str, Any]]:
    match event:
        case ServerAnswered():
            return Kind.ANSWERED, [event.server, event.record, event.outcome]
        case Progressed():
            return Kind.PROGRESSED, [event.done, event.planned, dict(event.in_flight)]
        case RunEnded():
            return Kind.ENDED, [event.state, event.reason]
        case StepAnswer():
            return Kind.STEP, _step(event)
        case RunPlanned():
            return Kind.CHANGING if event.changes else Kind.PLANNED, _plan(event)
        case Resumed():
            return Kind.RESUMED, [_owner(event.owner), event.by]
        case _:
            return _changed(event)


def _changed(event: StageBegan | StageEnded | Waved | Owed | Settled | Remarked) -> tuple[Kind, list[Any]]:
    match event:
        case StageBegan():
            return Kind.STAGE_BEGAN, trimmed([event.server, event.stage, measured(event.facts)], _STAGE)
        case StageEnded():
            row = [event.server, event.stage, event.result, event.message, measured(event.facts)]
            return Kind.STAGE_ENDED, trimmed(row, _STAGE)
        case Waved():
            return Kind.WAVED, [event.number, event.state, event.message]
        case Owed():
            return Kind.OWED, [event.server, event.duty, event.command, event.on, event.timeout]
        case Settled():
            return Kind.SETTLED, [event.server, event.duty, event.by, event.message]
        case Remarked():
            return Kind.REMARKED, [event.message]


_STAGE: Sequence[Any] = ({},)
_PLANNED: Sequence[Any] = ("", None, None, {})


def _step(event: StepAnswer) -> dict[str, Any]:
    document = flat(event)
    del document["at"]
    document["evidence"] = [[one.name, one.digest, one.size] for one in event.evidence]
    return document


def _plan(event: RunPlanned) -> dict[str, Any]:
    document = flat(event)
    del document["at"]
    document["owner"] = _owner(event.owner)
    document["servers"] = [_planned_row(one) for one in event.servers]
    return document


def _owner(owner: Owner) -> list[Any]:
    return [owner.host, owner.machine, owner.boot, owner.pid, owner.ticks]


def _planned_row(one: PlannedServer) -> list[Any]:
    values = measured(one.values)
    return trimmed([one.server, one.record, one.engine, one.why, one.customer, one.site, values], _PLANNED)


# Events that are rows of their fields in order, the time last.
_ROWS: Mapping[Kind, Callable[..., Event]] = {
    Kind.PROGRESSED: Progressed,
    Kind.WAVED: Waved,
    Kind.OWED: Owed,
    Kind.SETTLED: Settled,
    Kind.REMARKED: Remarked,
}


def event_value(kind: str, document: str, at: int) -> Event:
    """The event that `event_text` was given; `at` is in microseconds."""
    found, when, what = loads(document), moment(at), Kind(kind)
    match what:
        case Kind.ANSWERED:
            server, record, outcome = found
            return ServerAnswered(server, record, Outcome(outcome), when)
        case Kind.ENDED:
            state, reason = found
            return RunEnded(RunState(state), reason, when)
        case Kind.STEP:
            proof = tuple(Evidence(*row) for row in found.pop("evidence"))
            return StepAnswer(at=when, evidence=proof, **found)
        case Kind.PLANNED | Kind.CHANGING:
            return _planned(found, when)
        case Kind.RESUMED:
            owner, by = found
            return Resumed(Owner(*owner), by, when)
        case Kind.STAGE_BEGAN:
            return _stage_began(when, *found)
        case Kind.STAGE_ENDED:
            return _stage_ended(when, *found)
        case _:
            return _ROWS[what](*found, when)


def _stage_began(at: datetime, server: str, stage: str, facts: Mapping[str, Any] | None = None) -> StageBegan:
    return StageBegan(server, stage, at, facts or {})


def _stage_ended(
    at: datetime, server: str, stage: str, result: str, message: str, facts: Mapping[str, Any] | None = None
) -> StageEnded:
    return StageEnded(server, stage, StageResult(result), message, at, facts or {})


def _planned(found: dict[str, Any], at: datetime) -> RunPlanned:
    found["checks"] = tuple(found["checks"])
    found["titles"] = tuple(found.get("titles", ()))
    found["servers"] = tuple(PlannedServer(*row) for row in found["servers"])
    found["owner"] = Owner(*found["owner"])
    return RunPlanned(at=at, **found)
