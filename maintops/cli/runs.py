"""maintops runs: what was run, and what is running."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from maintops.cli import reporting
from maintops.cli.options import By, Format, ShowFormat, house
from maintops.cli.output import say, show_table
from maintops.domain.stages import stage_words
from maintops.domain.wording import some
from maintops.errors import UsageError

if TYPE_CHECKING:
    from maintops.domain.runs import Run
    from maintops.wiring import House

PACE = 1.0
"""Seconds between two looks at a run that is being watched."""


def register(app: typer.Typer) -> None:
    """Adds `runs` and `report`."""
    app.command("runs")(runs)
    app.command("report")(reporting.report)


def runs(
    run: Annotated[
        str | None, typer.Argument(help="A run's id, or a prefix of it; with --watch by default the newest.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow a running one until it ends.")] = False,
    end: Annotated[
        bool, typer.Option("--end", help="End a run whose machine is gone; its servers are free again (with --why).")
    ] = False,
    why: Annotated[str | None, typer.Option("--why", help="How you know that its process is dead; on record.")] = None,
    by: By = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, help="How many, newest first.")] = 20,
    format: ShowFormat = Format.TEXT,
) -> int:
    """List runs, newest first; watch a running one from another terminal; end one whose machine is gone."""
    from maintops.reports.documents import run_summary

    chosen = house(by=by)
    if end:
        if not run or not why:
            raise UsageError("which run, and how do you know? maintops runs RUN --end --why REASON")
        ended = chosen.end_run(run, why)
        say(f"{ended.id} is {ended.state.value}: {ended.reason}; go on with it: maintops run continue {ended.id}")
        return 0
    if watch:
        return _watch(chosen, run or "last")
    found = [chosen.store.run(run)] if run else chosen.store.runs(limit)
    columns = ["run", "checklist", "state", "started", "ended", "servers", "done", "engineer"]
    show_table(format, [run_summary(one) for one in found], columns, "no runs yet")
    return 0


def _watch(chosen: House, prefix: str) -> int:
    from maintops.domain.runs import RunState

    run = chosen.store.run(prefix)
    shown = ""
    while True:
        line = _line(run)
        if line != shown:
            say(line)
            shown = line
        if run.state is not RunState.RUNNING:
            return 0
        time.sleep(PACE)
        run = _look(chosen, run)


def _look(chosen: House, run: Run) -> Run:
    """The run as it is now; a run whose process has died meanwhile is ended."""
    from maintops.files.owners import dead
    from maintops.workflow.recovering import recover

    recover(chosen.store, dead, chosen.clock())
    return chosen.store.run(run.id)


def _line(run: Run) -> str:
    done, planned = len(run.records), len(run.planned.servers)
    sign = f"last sign of life {run.last_sign:%H:%M:%S} UTC" if run.last_sign else ""
    where = ""
    if run.ended is None and run.progress is not None:
        asked = run.progress.in_flight.items()
        told = ((server, stage_words(check)) for server, check in asked if server not in run.records)
        waiting = sorted(" ".join(filter(None, one)) for one in told)
        where = f", asking {some(waiting, 3)}" if waiting else ""
    return f"{run.id} {run.planned.checklist}: {run.state.value}, {done} of {planned} servers{where}; {sign}"
