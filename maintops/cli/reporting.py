"""The result of a run as text, JSON, JUnit or HTML; `maintops report` makes one of a run that is over."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maintops.cli.options import FailOnChoice, ReportFormat, house
from maintops.cli.output import check_writable, console, say, to_json, write

if TYPE_CHECKING:
    from maintops.domain.outcomes import FailOn
    from maintops.domain.records import ServiceRecord
    from maintops.domain.runs import Run
    from maintops.wiring import House


def report(
    run: Annotated[str, typer.Argument(help="A run's id, the beginning of one, or `last`.")] = "last",
    format: Annotated[ReportFormat, typer.Option("--format", help="What kind of report.")] = ReportFormat.HTML,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write it to this file.")] = None,
    fail_on: Annotated[FailOnChoice | None, typer.Option(help="What counts as a failure in JUnit.")] = None,
) -> int:
    """Make a report of a run."""
    from maintops.domain.outcomes import FailOn

    chosen = house(fail_on=fail_on)
    check_writable(output)
    show_run(chosen, chosen.store.run(run), format.value, output, FailOn(chosen.settings.fail_on))
    if output is not None:
        say(f"the report is in {output}")
    chosen.close()
    return 0


def show_run(chosen: House, run: Run, format: str, output: Path | None, fail_on: FailOn) -> None:
    """Shows one run, from what the store holds of it."""
    makers = {"json": _json, "junit": _junit, "html": _html, "text": _text}
    if format == "text" and output is None:
        _print(chosen, run)
    else:
        write(makers[format](chosen, run, fail_on), output)


def titles(run: Run) -> dict[str, str]:
    """Check id -> title, as it was when the run began."""
    return dict(zip(run.planned.checks, run.planned.titles, strict=False))


def _remarks(chosen: House, run: Run) -> tuple[str, ...]:
    """What the journal of a run that changes servers remarks: emergencies, who took it back, processes that died."""
    if not run.planned.changes:
        return ()
    from maintops.domain.journeys import journal

    return journal(chosen.store.events(run.id)).remarks


def _json(chosen: House, run: Run, fail_on: FailOn) -> str:
    from maintops.reports.documents import run_document

    return to_json(run_document(run, list(chosen.store.records(run=run.id)), _remarks(chosen, run)))


def _junit(chosen: House, run: Run, fail_on: FailOn) -> str:
    from maintops.reports.junit import junit_report

    return junit_report(run, list(chosen.store.records(run=run.id)), fail_on=fail_on, titles=titles(run))


def _html(chosen: House, run: Run, fail_on: FailOn) -> str:
    from maintops.reports.html import html_report

    servers = {one.server for one in run.planned.servers}
    return html_report(
        run,
        list(chosen.store.records(run=run.id)),
        titles=titles(run),
        findings=[one for one in chosen.store.findings(gone=True) if one.server in servers],
        followups=[one for one in chosen.store.followups() if one.server in servers],
        now=chosen.clock(),
        journal=_remarks(chosen, run),
    )


def _text(chosen: House, run: Run, fail_on: FailOn) -> str:
    import io

    stream = io.StringIO()
    _print(chosen, run, stream)
    return stream.getvalue()


def _lean(record: ServiceRecord) -> ServiceRecord:
    """The record without its facts, which the text does not show: thousands of servers are held at once."""
    from dataclasses import replace

    nothing: dict[str, object] = {}
    cells = tuple(replace(one, facts=nothing, evidence="") if one.facts else one for one in record.cells)
    return replace(record, cells=cells)


def _print(chosen: House, run: Run, stream: object = None) -> None:
    from maintops.reports.text import print_run

    screen = console(stream)
    records = [_lean(record) for record in chosen.store.records(run=run.id)]
    print_run(screen, run, records, titles(run), _remarks(chosen, run))
    screen.print(f"records  {chosen.database}", soft_wrap=True)
