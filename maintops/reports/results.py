"""What every report of a run shows first, worked out once: who answered, what needs attention, what is missing.

Reports are made from a run and its records. A planned server that has no record yet still has its place: no report
leaves a server out in silence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.domain.records import ServiceRecord, merged
from maintops.domain.runs import PlannedServer, Run, RunState
from maintops.reports.wording import listed, place, plural, verdict

UNANSWERED = frozenset({Outcome.UNREACHABLE, Outcome.UNKNOWN, Outcome.NOT_REACHED})
"""The outcomes of cells that nobody answered."""

VERDICTS = (
    "unreachable",
    "unknown",
    "critical",
    "failed",
    "not reached",
    "warning",
    "attention",
    "not measured",
    "waived",
    "ok",
    "skipped",
)
"""Every verdict (see `wording.verdict`), the most urgent first."""

_URGENCY = {Severity.CRITICAL: 3, Severity.WARNING: 1}
_FAILED = 2


@dataclass(frozen=True, slots=True)
class Row:
    """One cell and the record that it is of."""

    record: ServiceRecord
    cell: Cell


@dataclass(frozen=True, slots=True)
class Group:
    """Checks that have the same outcome for the same reason in the same places (`web1`, `web1 [sda]`)."""

    checks: tuple[str, ...]
    why: str
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """What one server did not answer: `checks` for the reason `why`; `whole` where it answered nothing at all, `alone`
    where this is the reason for all of it."""

    record: ServiceRecord
    outcome: Outcome
    why: str
    checks: tuple[str, ...]
    whole: bool
    alone: bool


def complete(run: Run, records: Iterable[ServiceRecord]) -> tuple[ServiceRecord, ...]:
    """The run's records in planned order, with a stand-in (its id is empty) for each server that has none.

    The stand-in's cells are `not_reached` where the run ended before the server's turn, else `unknown`: nobody can say.
    """
    kept: dict[str, list[ServiceRecord]] = {}
    for record in records:
        kept.setdefault(record.server, []).append(record)
    servers = run.planned.servers
    return tuple(merged(kept[one.server]) if one.server in kept else _stand_in(run, one) for one in servers)


def _stand_in(run: Run, one: PlannedServer) -> ServiceRecord:
    outcome, why = _absence(run)
    plan = run.planned
    return ServiceRecord(
        id="",
        run=run.id,
        server=one.server,
        checklist=plan.checklist,
        version=plan.version,
        title=plan.title,
        service=plan.service,
        engine=one.engine,
        started=plan.at,
        ended=plan.at,
        cells=tuple(Cell(check, None, outcome, message=why) for check in plan.checks),
        engineer=plan.engineer,
        customer=one.customer,
        site=one.site,
        item=plan.item,
    )


def _absence(run: Run) -> tuple[Outcome, str]:
    if run.state is RunState.RUNNING:
        return Outcome.UNKNOWN, "no answer yet: the run goes on"
    if run.state is RunState.INTERRUPTED:
        return Outcome.UNKNOWN, "the run was interrupted before this server's answer was kept"
    return Outcome.NOT_REACHED, run.reason or "the run ended before this server's turn"


def rows(records: Iterable[ServiceRecord], wanted: Callable[[Cell], bool]) -> Iterator[Row]:
    """The cells that are wanted, in the order of the records."""
    return (Row(record, cell) for record in records for cell in record.cells if wanted(cell))


def attention(records: Iterable[ServiceRecord]) -> list[Row]:
    """What someone must look at, worst first: critical, failed checks, warnings; within each in planned order."""
    found = rows(records, lambda cell: cell.outcome in (Outcome.ATTENTION, Outcome.FAILED))
    return sorted(found, key=lambda row: -_urgency(row.cell))


def _urgency(cell: Cell) -> int:
    if cell.outcome is Outcome.FAILED:
        return _FAILED
    return 0 if cell.severity is None else _URGENCY.get(cell.severity, 0)


def remarks(records: Iterable[ServiceRecord]) -> list[Row]:
    """What is good to know: cells that are `ok` with something to say (severity `info`)."""
    return list(rows(records, lambda cell: cell.outcome is Outcome.OK and cell.severity is not None))


def tally(cells: Iterable[Cell]) -> dict[str, int]:
    """How many cells have which verdict, the most urgent verdict first; only those that occur."""
    counts = Counter(verdict(cell) for cell in cells)
    return {name: counts[name] for name in VERDICTS if counts[name]}


def reasons(records: Iterable[ServiceRecord], outcome: Outcome) -> list[Group]:
    """The cells with an outcome, grouped by reason; the reason that holds in most places first."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows(records, lambda cell: cell.outcome is outcome):
        where = place(row.record.server, row.cell.subject)
        found.setdefault((row.cell.message, row.cell.check), []).append(where)
    merged: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (why, check), places in found.items():
        merged.setdefault((why, tuple(places)), []).append(check)
    groups = [Group(tuple(checks), why, places) for (why, places), checks in merged.items()]
    return sorted(groups, key=lambda group: -len(group.places) * len(group.checks))


def gaps(records: Iterable[ServiceRecord]) -> list[Gap]:
    """What was not answered, per server and reason; unreachable servers first, then unknown, then not reached."""
    found = list(chain.from_iterable(_gaps(record) for record in records))
    return sorted(found, key=lambda gap: -gap.outcome.rank)


def _gaps(record: ServiceRecord) -> Iterator[Gap]:
    found: dict[tuple[Outcome, str], list[str]] = {}
    for cell in record.cells:
        if cell.outcome in UNANSWERED:
            found.setdefault((cell.outcome, cell.message), []).append(cell.check)
    whole = not _answered(record)
    for (outcome, why), checks in found.items():
        yield Gap(
            record,
            outcome,
            why or listed(record.notes, 3),
            tuple(dict.fromkeys(checks)),
            whole,
            whole and len(found) == 1,
        )


def _answered(record: ServiceRecord) -> bool:
    """Whether the server itself said anything: what is skipped was never asked."""
    return any(cell.outcome not in UNANSWERED and cell.outcome is not Outcome.SKIPPED for cell in record.cells)


def headline(records: Sequence[ServiceRecord]) -> str:
    """The result in plain sentences."""
    return " ".join([_attention_sentence(records), *_missing_sentences(records)])


def _attention_sentence(records: Sequence[ServiceRecord]) -> str:
    found = attention(records)
    if not found:
        planned = f"{plural(len(records), 'server')} planned"
        if not gaps(records):
            return f"{planned}, nothing found that needs attention."
        if not any(map(_answered, records)):
            return f"{planned}, and not one answer."
        return f"{planned}, nothing found that needs attention where there was an answer."
    servers = len({row.record.server for row in found})
    who = "The server" if len(records) == 1 else f"{servers:,} of {len(records):,} servers"
    counts = tally(row.cell for row in found)
    what = ", ".join(plural(count, _NOUNS[name]) for name, count in counts.items())
    return f"{who} {'needs' if servers == 1 else 'need'} attention: {what}."


_NOUNS = {
    "critical": "critical finding",
    "failed": "failed check",
    "warning": "warning",
    "attention": "finding",
    "info": "finding",
}


def _missing_sentences(records: Sequence[ServiceRecord]) -> Iterator[str]:
    missing = gaps(records)
    silent = Counter({gap.record.server: gap.outcome for gap in reversed(missing) if gap.whole}.values())
    for outcome, (one, many) in _MISSING.items():
        if silent[outcome]:
            yield f"{plural(silent[outcome], 'server')} {one if silent[outcome] == 1 else many}."
    partly = {gap.record.server for gap in missing if not gap.whole}
    if partly:
        yield f"{plural(len(partly), 'server')} answered only in part."
    unmeasured = sum(record.counts[Outcome.NOT_MEASURED] for record in records)
    if unmeasured:
        yield f"{plural(unmeasured, 'result')} could not be measured."


_MISSING = {
    Outcome.UNREACHABLE: ("was unreachable", "were unreachable"),
    Outcome.UNKNOWN: ("has no known result", "have no known result"),
    Outcome.NOT_REACHED: ("was not reached", "were not reached"),
}
