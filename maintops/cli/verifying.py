"""maintops verify: testinfra's test files over a run's servers."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from maintops.cli.options import By, FailOnChoice, Inventory, Limit, RunFormat, house
from maintops.cli.output import check_writable, console, heard_or_not, to_json, write

if TYPE_CHECKING:
    from maintops.domain.outcomes import FailOn
    from maintops.wiring import House
    from maintops.workflow.verifying import Verified


def register(app: typer.Typer) -> None:
    """Adds `verify`."""
    app.command("verify")(verify)


def verify(
    run: Annotated[str, typer.Argument(help="A run's id, the beginning of one, or `last`.")],
    files: Annotated[
        list[Path] | None, typer.Argument(help="Test files (default: those that the checklist names).")
    ] = None,
    inventory: Inventory = None,
    limit: Limit = None,
    forks: Annotated[int | None, typer.Option("-f", "--forks", help="Servers to log in to at a time.")] = None,
    by: By = None,
    fail_on: Annotated[FailOnChoice | None, typer.Option(help="Exit 2 for findings this bad.")] = None,
    format: Annotated[RunFormat, typer.Option("--format", help="How the result is shown.")] = RunFormat.TEXT,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the result to this file.")] = None,
) -> int:
    """Run testinfra's test files against the servers of a run; what comes of it is a further part of their records.

    Exit codes: 0 all hold, 2 one does not or is wrong in itself, 4 servers unreachable, 6 both, 5 nothing selected, 64
    a mistake in the command or in a file, 130 interrupted, 1 a defect of maintops.
    """
    from maintops.domain.outcomes import FailOn, exit_code

    chosen = house(inventory=inventory, forks=forks, by=by, fail_on=fail_on)
    check_writable(output)
    with _ending():
        verified = chosen.verify(run, files or [], limit=limit)
    level = FailOn(chosen.settings.fail_on)
    with heard_or_not():
        _show(chosen, verified, format.value, output, level)
    chosen.close()
    return exit_code((cell for record in verified.records for cell in record.cells), level)


def _show(chosen: House, verified: Verified, format: str, output: Path | None, level: FailOn) -> None:
    from maintops.reports.documents import run_document
    from maintops.reports.junit import junit_report

    titles = dict(zip(verified.run.planned.checks, verified.run.planned.titles, strict=True))
    if format == "json":
        write(to_json(run_document(verified.run, verified.records)), output)
    elif format == "junit":
        write(junit_report(verified.run, verified.records, titles=titles, fail_on=level), output)
    else:
        write(_text(chosen, verified, titles), output) if output else _print(chosen, verified, titles)


def _text(chosen: House, verified: Verified, titles: dict[str, str]) -> str:
    import io

    stream = io.StringIO()
    _print(chosen, verified, titles, stream)
    return stream.getvalue()


def _print(chosen: House, verified: Verified, titles: dict[str, str], stream: object = None) -> None:
    from maintops.reports.text import print_run

    screen = console(stream)
    print_run(screen, verified.run, verified.records, titles)
    screen.print(f"records  {chosen.database}", soft_wrap=True)


@contextmanager
def _ending() -> Iterator[None]:
    """TERM ends the tests as Ctrl-C does: what was made for them is cleared up, and nothing is kept."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, on_signal)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
