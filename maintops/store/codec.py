"""Values to text and back, the same for every database.

Documents are compact JSON in pure ASCII, kept in TEXT columns: PostgreSQL's own JSON types refuse `\\u0000` and lone
surrogates, both of which servers send. Times are whole microseconds since 1970 in UTC. What a reader of a later
maintops needs is in the documents; the columns beside them are for searching.

A document is not compressed: it stays searchable with LIKE and json_extract, PostgreSQL compresses long values by
itself, and a record of 60 results with five facts each is 8 KB.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import cache
from math import isfinite
from typing import Any

from maintops.domain.baselines import Baseline
from maintops.domain.findings import Finding, FindingState
from maintops.domain.followups import FollowUp, FollowUpState
from maintops.domain.holds import Approval, Hold
from maintops.domain.identities import Identity
from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.domain.ports import Remembered, Subjects
from maintops.domain.records import ServiceRecord

MAX_ANSWER = 256 * 1024
"""Bytes, compressed, up to which a raw answer is kept."""

MAX_DEPTH = 100
"""Levels of lists and mappings within one fact that are kept."""

MAX_NUMBER = 10**4000
"""Size from which on a whole number is not kept. Python refuses to write and read numbers of more than 4 300 digits."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Where times are counted from."""

_MICROSECOND = timedelta(microseconds=1)


# --- times -----------------------------------------------------------------------------------------------------------


def microseconds(at: datetime) -> int:
    """An aware time as microseconds since 1970. Raises TypeError for one without a zone."""
    return (at - EPOCH) // _MICROSECOND


def moment(count: int) -> datetime:
    """The time, in UTC, that `microseconds` was made of."""
    return EPOCH + timedelta(microseconds=count)


# --- text ------------------------------------------------------------------------------------------------------------

_UNFIT = re.compile(r"[\\\x00\ud800-\udfff]")
_ESCAPE = re.compile(r"\\(?:u([0-9a-f]{4})|(.))")


def column(text: str) -> str:
    """Any text in a form that both databases take in a column: NUL and surrogates as `\\uXXXX`, `\\` as `\\\\`.

    It works character by character, so the form of a prefix is a prefix of the form.
    """
    return _UNFIT.sub(lambda found: "\\\\" if found[0] == "\\" else f"\\u{ord(found[0]):04x}", text)


def text(column: str) -> str:
    """The text that `column` was made of."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], column)


# --- JSON ------------------------------------------------------------------------------------------------------------

_dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False, allow_nan=False).encode
_dump_ascii = json.JSONEncoder(separators=(",", ":"), check_circular=False, allow_nan=False).encode

# JSON cannot tell two surrogates that stand side by side from the one character that such a pair encodes. The first of
# them is written as a mark and its number; the mark is a raw control character, which JSON text never contains.
_MARK = "\x10"
_MARKED = re.compile(_MARK + "([0-9a-f]{4})")
_TWO_SURROGATES = re.compile(r"[\ud800-\udbff][\udc00-\udfff]")
_NOT_ASCII = re.compile(r"([\ud800-\udbff])(?=[\udc00-\udfff])|[^\x00-\x7f]")


def dumps(value: Any) -> str:
    """JSON text in ASCII that gives back every character of every string."""
    written = _dump(value)
    if written.isascii():
        return written
    if not _TWO_SURROGATES.search(written):
        return _dump_ascii(value)
    return _NOT_ASCII.sub(
        lambda found: f"{_MARK}{ord(found[1]):04x}" if found[1] else json.dumps(found[0])[1:-1], written
    )


def loads(document: str) -> Any:
    """The value that `dumps` was given."""
    if _MARK in document:
        document = _MARKED.sub(lambda found: chr(int(found[1], 16)), document)
    return json.loads(document)


_AS_IT_IS = frozenset((str, bool, type(None)))
_SMALL = 2**63


def measured(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts as JSON can hold them: what is no measurement (NaN, endless numbers and nesting) is None. Raises TypeError
    that names a fact which is no JSON value."""
    # Nearly every fact is plain text or a small number: those are not worth a call, of which a record makes hundreds.
    return {
        name: value
        if (kind := type(value)) in _AS_IT_IS or (kind is int and -_SMALL < value < _SMALL)
        else _fact(value, name, 0)
        for name, value in facts.items()
    }


def _fact(value: Any, name: str, depth: int) -> Any:
    """A fact as JSON can hold it. NaN, infinities, endless numbers and endless nesting are no measurements: None."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return value if -MAX_NUMBER < value < MAX_NUMBER else None
    if isinstance(value, float):
        return value if isfinite(value) else None
    if depth == MAX_DEPTH:
        return None
    if isinstance(value, Mapping):
        return {str(key): _fact(item, name, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_fact(item, name, depth + 1) for item in value]
    raise TypeError(f"the fact {name!r} is a {type(value).__name__}, which is no JSON value")


# --- flat values -----------------------------------------------------------------------------------------------------


@cache
def _defaults(kind: Any) -> tuple[tuple[str, Any], ...]:
    return tuple((one.name, one.default) for one in fields(kind))


def flat(value: Any) -> dict[str, Any]:
    """A dataclass's fields by name, without those that have their default."""
    kind: Any = type(value)
    found = {}
    for name, default in _defaults(kind):
        item = getattr(value, name)
        if item != default:
            found[name] = microseconds(item) if isinstance(item, datetime) else item
    return found


def _moments(document: dict[str, Any], *names: str) -> None:
    for name in names:
        if name in document:
            document[name] = moment(document[name])


def trimmed(row: list[Any], defaults: Sequence[Any]) -> list[Any]:
    """The row without the defaults at its end. `defaults` are those of its last places."""
    ahead = len(row) - len(defaults)
    while len(row) > ahead and row[-1] == defaults[len(row) - 1 - ahead]:
        row.pop()
    return row


# --- records ---------------------------------------------------------------------------------------------------------

_CELL: Sequence[Any] = ({}, None, "", (), "")


def record_text(record: ServiceRecord) -> str:
    """A record as an object of its fields; `cells` as rows: check, subject, outcome, facts, severity, message,
    not_offered, evidence, without defaults at the end."""
    document = flat(record)
    document["cells"] = [_cell_row(cell) for cell in record.cells]
    return dumps(document)


def _cell_row(cell: Cell) -> list[Any]:
    facts = measured(cell.facts)
    row = [cell.check, cell.subject, cell.outcome, facts, cell.severity, cell.message, cell.not_offered, cell.evidence]
    return trimmed(row, _CELL)


def record_value(document: str) -> ServiceRecord:
    """The record that `record_text` was given."""
    found = loads(document)
    _moments(found, "started", "ended")
    found["notes"] = tuple(found.get("notes", ()))
    found["cells"] = tuple(_cell(*row) for row in found["cells"])
    return ServiceRecord(**found)


def _cell(
    check: str,
    subject: str | None,
    outcome: str,
    facts: Mapping[str, Any] | None = None,
    severity: str | None = None,
    message: str = "",
    not_offered: Sequence[str] = (),
    evidence: str = "",
) -> Cell:
    worth = Severity(severity) if severity else None
    return Cell(check, subject, Outcome(outcome), worth, message, facts or {}, tuple(not_offered), evidence)


# --- remembered facts ------------------------------------------------------------------------------------------------

_REMEMBERED: Sequence[Any] = ({}, (), False, {})


def subjects_text(subjects: Subjects) -> str:
    """What is remembered of one check's subjects, as rows: subject, record, at, facts, not_offered, vanished,
    points."""
    return dumps([trimmed(_remembered_row(subject, one), _REMEMBERED) for subject, one in subjects.items()])


def _remembered_row(subject: str | None, one: Remembered) -> list[Any]:
    facts = measured(one.facts)
    return [subject, one.record, microseconds(one.at), facts, one.not_offered, one.vanished, dict(one.points)]


def subjects_value(document: str) -> Subjects:
    """The subjects that `subjects_text` was given."""
    return {row[0]: _remembered(*row[1:]) for row in loads(document)}


def _remembered(
    record: str,
    at: int,
    facts: Mapping[str, Any] | None = None,
    not_offered: Sequence[str] = (),
    vanished: bool = False,
    points: Mapping[str, Sequence[Sequence[float]]] | None = None,
) -> Remembered:
    trends = {fact: tuple((int(at), value) for at, value in found) for fact, found in (points or {}).items()}
    return Remembered(facts or {}, record, moment(at), tuple(not_offered), vanished, trends)


# --- baselines -------------------------------------------------------------------------------------------------------


def baseline_text(baseline: Baseline) -> str:
    """A baseline as an object of its fields; its subjects as rows: subject, facts."""
    subjects = [[subject, measured(facts)] for subject, facts in baseline.subjects.items()]
    return dumps({**flat(baseline), "subjects": subjects})


def baseline_value(document: str) -> Baseline:
    """The baseline that `baseline_text` was given."""
    found = loads(document)
    _moments(found, "at")
    return Baseline(**{**found, "subjects": dict(found["subjects"])})


# --- findings and follow-ups -----------------------------------------------------------------------------------------


def finding_text(finding: Finding) -> str:
    """A finding as an object of its fields."""
    return dumps(flat(finding))


def finding_value(document: str) -> Finding:
    """The finding that `finding_text` was given."""
    found = loads(document)
    _moments(found, "first_seen", "last_seen", "gone_at")
    found["state"] = FindingState(found["state"])
    found["severity"] = Severity(found["severity"])
    return Finding(**found)


def followup_text(followup: FollowUp) -> str:
    """A follow-up as an object of its fields."""
    return dumps(flat(followup))


def followup_value(document: str) -> FollowUp:
    """The follow-up that `followup_text` was given."""
    found = loads(document)
    _moments(found, "opened", "closed")
    found["state"] = FollowUpState(found["state"])
    found["findings"] = tuple(found["findings"])
    return FollowUp(**found)


# --- approvals and holds ----------------------------------------------------------------------------------------------


def approval_text(approval: Approval) -> str:
    """An approval as an object of its fields; `by` as a row: login, name."""
    return dumps({**flat(approval), "by": [approval.by.login, approval.by.name]})


def approval_value(document: str) -> Approval:
    """The approval that `approval_text` was given."""
    found = loads(document)
    _moments(found, "at", "expires")
    return Approval(**{**found, "by": Identity(*found["by"])})


def hold_text(hold: Hold) -> str:
    """A hold as an object of its fields; `by` as a row: login, name."""
    return dumps({**flat(hold), "by": [hold.by.login, hold.by.name]})


def hold_value(document: str) -> Hold:
    """The hold that `hold_text` was given."""
    found = loads(document)
    _moments(found, "at", "until")
    return Hold(**{**found, "by": Identity(*found["by"])})


# --- raw answers -----------------------------------------------------------------------------------------------------


def packed(answer: bytes) -> bytes | None:
    """A raw answer compressed; None where there is nothing to keep: it is empty, or longer than MAX_ANSWER."""
    pieces: list[bytes] = []
    length = 0
    for piece in _compressed(answer) if answer else ():
        pieces.append(piece)
        length += len(piece)
        if length > MAX_ANSWER:
            return None
    return b"".join(pieces) or None


def _compressed(answer: bytes) -> Iterator[bytes]:
    packer = zlib.compressobj(1)
    view = memoryview(answer)
    for start in range(0, len(view), MAX_ANSWER):
        yield packer.compress(view[start : start + MAX_ANSWER])
    yield packer.flush()


def unpacked(body: bytes) -> bytes:
    """The answer that `packed` was given."""
    return zlib.decompress(body)
