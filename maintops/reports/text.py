"""A run, and any list, as plain text for a terminal or a log: aligned columns, no boxes, no tabs.

What matters most comes first in each part, and the summary last, where a terminal's reader is. Nothing that a server
wrote reaches the terminal unescaped. Colours are rich's business, and so is NO_COLOR.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from maintops.domain.outcomes import Cell, Outcome
from maintops.domain.records import ServiceRecord
from maintops.domain.runs import Run
from maintops.reports.escaping import clipped, visible
from maintops.reports.layout import Line, Piece, aligned, plain, wrapped
from maintops.reports.results import Gap, Group, Row, attention, complete, gaps, headline, reasons, remarks, tally
from maintops.reports.wording import duration, fact, listed, moment, plural, verdict, word

if TYPE_CHECKING:
    from rich.console import Console

Shown = str | int | float | datetime | None
"""What a cell of a table can hold."""

_LONGEST = 500
_PLACES = 6

_STYLES = {
    "critical": "bold red",
    "failed": "red",
    "warning": "yellow",
    "attention": "yellow",
    "unreachable": "bold red",
    "unknown": "red",
    "not reached": "red",
    "not measured": "cyan",
    "ok": "green",
    "info": "blue",
}


def run_lines(
    run: Run,
    records: Sequence[ServiceRecord],
    *,
    titles: Mapping[str, str],
    width: int | None = None,
    journal: Sequence[str] = (),
) -> list[str]:
    """The result of a run: what needs attention (worst first), remarks, what was not measured and why, who did not
    answer, one line per server, the summary, and what else is on record (`journal`). `titles` maps check ids to titles;
    `width` None: no line is wrapped."""
    return [plain(line) for line in _report(run, complete(run, records), titles, width, journal)]


def print_run(
    console: Console,
    run: Run,
    records: Sequence[ServiceRecord],
    titles: Mapping[str, str],
    journal: Sequence[str] = (),
) -> None:
    """Prints `run_lines` in colour, wrapped to the terminal's width; elsewhere (a file, a pipe) nothing is wrapped."""
    _show(console, _report(run, complete(run, records), titles, _width(console), journal))


def print_record(console: Console, record: ServiceRecord, titles: Mapping[str, str]) -> None:
    """Prints one service record: what it is of, its notes, and every cell with what was seen (its facts where there is
    no message)."""
    _show(console, _record(record, titles, _width(console)))


def table(console: Console, columns: Sequence[str], rows: Iterable[Sequence[Shown]]) -> None:
    """Prints a list with a heading over each column. Columns that hold only numbers stand at the right; None is empty.

    The same wrapping as in `print_run`: piped into another program, every row is one line.
    """
    _show(console, _table(columns, list(rows), _width(console)))


def _show(console: Console, lines: Iterable[Line]) -> None:
    from rich.text import Text

    for line in lines:
        text = Text.assemble(*line)
        text.rstrip()
        console.print(text, soft_wrap=True, highlight=False)


def _width(console: Console) -> int | None:
    return console.width if console.is_terminal else None


def _table(columns: Sequence[str], rows: Sequence[Sequence[Shown]], width: int | None) -> list[Line]:
    numbers = frozenset(
        index for index in range(len(columns)) if rows and all(isinstance(row[index], (int, float)) for row in rows)
    )
    head = [(visible(column), "bold") for column in columns]
    body = [[_piece(cell) for cell in row] for row in rows]
    return aligned([head, *body], width=width, right=numbers)


def _piece(cell: Shown) -> Piece:
    text = "" if cell is None else moment(cell) if isinstance(cell, datetime) else str(cell)
    safe = visible(clipped(text, _LONGEST))
    return safe, _STYLES.get(safe.replace("_", " "), "")


def _record(record: ServiceRecord, titles: Mapping[str, str], width: int | None) -> Iterator[Line]:
    by = f", by {record.engineer}" if record.engineer else ""
    took = duration((record.ended - record.started).total_seconds())
    about = [f"{record.server}: {record.title} ({record.checklist}){by}", f"{moment(record.started)}, {took}"]
    for text in (*about, f"Record {record.id}, engine {record.engine}", *(f"Note: {note}" for note in record.notes)):
        yield from (((line, ""),) for line in _broken(visible(clipped(text, _LONGEST)), width))
    yield ()
    head = [(name, "bold") for name in ("Result", "Check", "Title", "Subject", "What was seen")]
    yield from aligned([head, *(_cell(cell, titles) for cell in record.cells)], width=width)
    yield ()
    counts = tally(record.cells)
    yield ((", ".join(f"{count:,} {name}" for name, count in counts.items()), "bold"),)


def _cell(cell: Cell, titles: Mapping[str, str]) -> list[Piece]:
    state = "info" if cell.outcome is Outcome.OK and cell.severity is not None else verdict(cell)
    seen = cell.message or ", ".join(f"{name}={fact(value)}" for name, value in cell.facts.items())
    return [(state, _STYLES.get(state, "")), *_texts(cell.check, titles.get(cell.check, ""), cell.subject or "", seen)]


def _broken(text: str, width: int | None) -> list[str]:
    return [text] if width is None else wrapped(text, width)


# --- the parts of a run's report -------------------------------------------------------------------------------------


def _report(
    run: Run,
    records: Sequence[ServiceRecord],
    titles: Mapping[str, str],
    width: int | None,
    journal: Sequence[str],
) -> Iterator[Line]:
    found, notes, missing = attention(records), remarks(records), gaps(records)
    yield from _part("Needs attention", len(found), [_finding(row, titles) for row in found], width)
    yield from _part("Remarks", len(notes), [_finding(row, titles) for row in notes], width)
    for outcome in (Outcome.NOT_MEASURED, Outcome.SKIPPED, Outcome.WAIVED):
        count = sum(record.counts[outcome] for record in records)
        groups = [_group(group, titles) for group in reasons(records, outcome)]
        yield from _part(word(outcome).capitalize(), count, groups, width)
    yield from _part("No answer", len({gap.record.server for gap in missing}), [_gap(gap) for gap in missing], width)
    yield from _part("Servers", len(records), [_server(record) for record in records], width)
    for told in journal:
        style = "bold red" if told.startswith("EMERGENCY") else ""
        yield from (((line, style),) for line in _broken(visible(clipped(f"On record: {told}", _LONGEST)), width))
    yield from _summary(run, records, width)


def _part(title: str, count: int, rows: Sequence[Sequence[Piece]], width: int | None) -> Iterator[Line]:
    if rows:
        yield ((f"{title} ({count:,})", "bold"),)
        yield from aligned(rows, width=width, indent=2)
        yield ()


def _finding(row: Row, titles: Mapping[str, str]) -> list[Piece]:
    cell = row.cell
    message = cell.message or word(cell.outcome)
    if cell.outcome is Outcome.FAILED and cell.check in titles:
        message = f"{titles[cell.check]}: {message}"
    state = "info" if cell.outcome is Outcome.OK else verdict(cell)
    return [(state, _STYLES.get(state, "")), *_texts(row.record.server, cell.check, cell.subject or "", message)]


def _group(group: Group, titles: Mapping[str, str]) -> list[Piece]:
    title = titles.get(group.checks[0], "") if len(group.checks) == 1 else ""
    why = ": ".join(part for part in (title, group.why or "no reason given") if part)
    return _texts(listed(group.checks, _PLACES), why, listed(group.places, _PLACES))


def _gap(gap: Gap) -> list[Piece]:
    state = word(gap.outcome)
    checks = "every check" if gap.alone else f"{plural(len(gap.checks), 'check')}: {listed(gap.checks, _PLACES)}"
    return [(state, _STYLES[state]), *_texts(gap.record.server, gap.why or "no reason given", checks)]


def _texts(*texts: str) -> list[Piece]:
    return [(visible(clipped(text, _LONGEST)), "") for text in texts]


def _server(record: ServiceRecord) -> list[Piece]:
    counts = tally(record.cells)
    worst = next(iter(counts), word(record.outcome))
    took = duration((record.ended - record.started).total_seconds()) if record.id else ""
    results = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    return [(worst, _STYLES.get(worst, "")), *_texts(record.server, results), (took, "dim")]


def _summary(run: Run, records: Sequence[ServiceRecord], width: int | None) -> Iterator[Line]:
    for sentence, style in ((_what(run), ""), (_state(run), ""), (headline(records), "bold")):
        yield from (((line, style),) for line in _broken(sentence, width))


def _what(run: Run) -> str:
    plan = run.planned
    by = f", by {plan.engineer}" if plan.engineer else ""
    return visible(clipped(f"{plan.title} ({plan.checklist}), run {run.id}{by}", _LONGEST))


def _state(run: Run) -> str:
    reason = f": {run.reason}" if run.reason else ""
    if run.ended is None:
        return f"Running since {moment(run.planned.at)}."
    took = duration((run.ended - run.planned.at).total_seconds())
    return visible(clipped(f"{run.state.value.capitalize()} {moment(run.ended)}, after {took}{reason}", _LONGEST)) + "."
