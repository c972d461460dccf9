"""Answers to steps by hand, as a file: for CI, and for what was noted on paper.

by: Erika
at: 2026-03-01T09:00:00Z
steps:
  web1:
    OV-910: {choice: clean}
    OV-920: {reading: 412, note: at full load, evidence: [meter.jpg]}
    OV-930: {skipped: no spare power supply on site}
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from maintops.domain.checklists import Step
from maintops.domain.steps import Evidence, StepAnswer, unfit
from maintops.errors import ConfigurationError, Mistake, UsageError
from maintops.files.documents import Document, Trail, read_document
from maintops.files.wording import hint, quoted

LARGEST_EVIDENCE = 20 * 1024 * 1024
"""Bytes that a file may have which proves a step."""

CLOCKS_DIFFER = timedelta(minutes=5)
"""How far ahead of ours the clock of whoever wrote an answer down may be."""

Keep = Callable[[bytes], str]
"""Keeps a file's bytes and gives their SHA-256 (hex)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What may be answered: the steps of a run by id, the servers by name, and who answers, and when, where the file
    does not say."""

    steps: Mapping[str, Step]
    servers: Collection[str]
    by: str | None
    now: datetime


def read_answers(path: Path, asked: Asked, keep: Keep) -> list[StepAnswer]:
    """Reads a file of answers; the files that it names as evidence lie beside it. Raises ConfigurationError with every
    mistake, and keeps nothing then."""
    from maintops.files.schemas import answers_schema
    from maintops.files.validation import schema_mistakes

    document = read_document(path)
    mistakes = schema_mistakes(document, answers_schema())
    if not mistakes:
        mistakes = list(_mistakes(document, asked))
    if mistakes:
        raise ConfigurationError(mistakes)
    return [_answer(document, server, step, asked, keep) for server, step in _given(document)]


def read_evidence(path: Path) -> bytes:
    """A file that proves something. Raises UsageError where it cannot be read or is too large."""
    try:
        if not path.is_file():
            raise UsageError(f"there is no file {path}")
        with path.open("rb") as stream:
            body = stream.read(LARGEST_EVIDENCE + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(body) > LARGEST_EVIDENCE:
        raise UsageError(f"{path} has more than {LARGEST_EVIDENCE // 1024 // 1024} MB: too much for evidence")
    return body


def evidence_of(path: Path, keep: Keep) -> Evidence:
    """Keeps a file as evidence."""
    body = read_evidence(path)
    return Evidence(path.name, keep(body), len(body))


def _given(document: Document) -> Iterator[tuple[str, str]]:
    for server, steps in document.value["steps"].items():
        for step in steps:
            yield server, step


def _mistakes(document: Document, asked: Asked) -> Iterator[Mistake]:
    if not document.value.get("by") and not asked.by:
        yield document.mistake((), "nobody says who did it: write by: NAME, or give --by")
    yield from _time_mistakes(document, ("at",), document.value, asked.now)
    for server, steps in document.value["steps"].items():
        if server not in asked.servers:
            message = f"{quoted(server)} is no server of this run{hint(server, asked.servers)}"
            yield document.mistake(("steps", server), message, at_key=True)
        for id, given in steps.items():
            yield from _step_mistakes(document, ("steps", server, id), given, asked)


def _step_mistakes(document: Document, path: Trail, given: Mapping[str, Any], asked: Asked) -> Iterator[Mistake]:
    id = str(path[-1])
    step = asked.steps.get(id)
    if step is None:
        yield document.mistake(path, f"{quoted(id)} is no step of this run{hint(id, asked.steps)}", at_key=True)
        return
    problem = unfit(step, given)
    if problem is not None:
        yield document.mistake(path, f"{id} {problem}", at_key=True)
    yield from _time_mistakes(document, (*path, "at"), given, asked.now)
    for index, name in enumerate(given.get("evidence", [])):
        try:
            read_evidence(_beside(document, name))
        except UsageError as error:
            yield document.mistake((*path, "evidence", index), str(error))


def _time_mistakes(document: Document, path: Trail, given: Mapping[str, Any], now: datetime) -> Iterator[Mistake]:
    if "at" not in given:
        return
    at = _time(given["at"])
    if at is None:
        yield document.mistake(path, "is not a time with a zone, such as 2026-03-01T09:00:00Z")
    elif at > now + CLOCKS_DIFFER:
        yield document.mistake(path, f"lies in the future: it is {now:%Y-%m-%dT%H:%MZ} now")


def _time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        return None if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):  # a year that no zone has
        return None


def _beside(document: Document, name: str) -> Path:
    return Path(document.file).parent / name


def _answer(document: Document, server: str, id: str, asked: Asked, keep: Keep) -> StepAnswer:
    given = document.value["steps"][server][id]
    reading = given.get("reading")
    at = given.get("at", document.value.get("at"))
    return StepAnswer(
        server=server,
        step=id,
        by=given.get("by") or document.value.get("by") or asked.by or "",
        at=(_time(at) if at is not None else None) or asked.now,
        choice=given.get("choice"),
        reading=None if reading is None else float(reading),
        skipped=given.get("skipped"),
        note=given.get("note", ""),
        evidence=tuple(evidence_of(_beside(document, name), keep) for name in given.get("evidence", [])),
    )
