"""maintops run: the main job."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from maintops.cli.options import By, Engine, FailOnChoice, Inventory, Limit, RunFormat, complete_checklist, house
from maintops.cli.output import check_writable, heard_or_not, say
from maintops.errors import UsageError

if TYPE_CHECKING:
    from maintops.workflow.braking import Brakes
    from maintops.workflow.stopping import Stopping

INTERRUPTED = 130
CONTINUE = "continue"
"""In place of a checklist's name: go on with a run."""


def register(app: typer.Typer) -> None:
    """Adds `run`."""
    app.command("run")(run)


def run(
    checklist: Annotated[
        str | None,
        typer.Argument(
            help="A checklist's name or file; or `continue`.", autocompletion=complete_checklist, show_default=False
        ),
    ] = None,
    run: Annotated[
        str | None,
        typer.Argument(help="With `continue`: the run whose steps by hand are answered (default: the newest)."),
    ] = None,
    inventory: Inventory = None,
    limit: Limit = None,
    tags: Annotated[
        list[str] | None, typer.Option("-t", "--tags", help="Only these check ids or tags. Repeatable, or a,b.")
    ] = None,
    forks: Annotated[int | None, typer.Option("-f", "--forks", help="Servers at a time.")] = None,
    engine: Annotated[Engine | None, typer.Option(help="Which way to the servers.")] = None,
    by: By = None,
    fail_on: Annotated[FailOnChoice | None, typer.Option(help="Exit 2 for findings this bad.")] = None,
    format: Annotated[RunFormat, typer.Option("--format", help="How the result is shown.")] = RunFormat.TEXT,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the result to this file.")] = None,
    answers: Annotated[Path | None, typer.Option(help="A file of answers to the steps that are done by hand.")] = None,
    plan: Annotated[Path | None, typer.Option(help="Carry out this approved plan: servers are changed.")] = None,
    emergency: Annotated[
        str | None, typer.Option(help="Why a plan is carried out without approval or outside its window; on record.")
    ] = None,
    deadline: Annotated[
        str | None, typer.Option(help="End after this time (45m, 2h) or at this time of day (06:00).")
    ] = None,
) -> int:
    """Run a checklist on servers; keep a service record of each. `run continue RUN` asks for what is done by hand.

    Exit codes: 0 clean, 2 findings at --fail-on, checks that failed or steps that wait, 4 servers unreachable, 6 both,
    5 nothing selected, 64 a mistake in the command or in a file, 75 not now (another run is changing these servers,
    changes are held, the window is closed), 130 interrupted, 1 a defect of maintops.
    """
    from maintops.cli.progress import progress
    from maintops.cli.reporting import show_run
    from maintops.domain.outcomes import FailOn
    from maintops.domain.runs import RunState
    from maintops.workflow.stopping import Stopping

    chosen = house(inventory=inventory, forks=forks, engine=engine, by=by, fail_on=fail_on)
    check_writable(output)
    if plan is not None or checklist == CONTINUE:
        from maintops.cli.changing import Shown, carry_out, go_on_with

        if emergency is not None and not emergency.strip():
            raise UsageError("--emergency wants a reason: it is on record, and is asked for afterwards")
        if limit or tags or (plan is not None and (checklist or answers)):
            raise UsageError("what was planned says where and what: no checklist, --limit, --tags or --answers with it")
        shown = Shown(emergency, _deadline(deadline, chosen.clock()), format.value, output)
        return carry_out(chosen, plan, shown) if plan is not None else go_on_with(chosen, run or "last", answers, shown)
    if checklist is None or run is not None or emergency is not None:
        raise UsageError(_meant(checklist, run))
    chosen.ahead += ["maintops.reports.text", "rich.console"]
    stopping = Stopping(_deadline(deadline, chosen.clock()), chosen.clock)
    picked = [one.strip() for tag in tags or () for one in tag.split(",") if one.strip()]
    with _cancelling(stopping), progress() as observer:
        result = chosen.run(
            checklist, limit=limit, tags=picked, observers=[observer], stopping=stopping, answers=answers
        )
    cancelled = result.run.state is RunState.CANCELLED
    if result.waiting and not cancelled and chosen.settings.by and sys.stdin.isatty() and sys.stderr.isatty():
        from maintops.cli.continuing import go_on

        return go_on(chosen, result.run.id, None, format.value, output)
    level = FailOn(chosen.settings.fail_on)
    with heard_or_not():
        show_run(chosen, result.run, format.value, output, level)
    if chosen.checklist(checklist).changes:
        say(f"nothing was changed; its steps that change servers want a plan: maintops plan {checklist}")
    if result.waiting:
        from maintops.cli.continuing import waiting_words

        say(f"{waiting_words(result.waiting)}: maintops run continue {result.run.id} --by ENGINEER")
    chosen.close()
    return INTERRUPTED if cancelled else result.codes[level]


def _meant(checklist: str | None, run: str | None) -> str:
    """What was meant by a command that makes no sense."""
    if checklist is None:
        return "which checklist? maintops run CHECKLIST, or maintops run --plan FILE"
    if run is not None:
        return f"one checklist at a time: {checklist} and {run} were given"
    return "--emergency goes with --plan, or with continue"


def _call(text: str) -> None:
    """Says something from a signal handler: the stream may be in the middle of a line, and takes no second one."""
    with suppress(OSError, ValueError):
        os.write(sys.__stderr__.fileno() if sys.__stderr__ is not None else 2, f"{text}\n".encode())


@contextmanager
def braking(brakes: Brakes) -> Iterator[None]:
    """The first Ctrl-C (or TERM, or HUP) lets a change come to the end of its step; the second one stops at once."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        if brakes.asked > 1:
            raise KeyboardInterrupt
        brakes.cancel()
        if brakes.asked == 1:
            _call("stopping: the step that is being done is finished, then nothing more is begun (again: stop at once)")
        else:
            _call("stopping at once: what is in the middle is cut off, and written down as unknown")

    # a terminal that is closed (HUP) is somebody who goes home, not somebody who wants a server left in the middle
    heard = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, on_signal) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _cancelling(stopping: Stopping) -> Iterator[None]:
    """The first Ctrl-C (or TERM) ends the run in good order; the second one at once."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stopping.cancelled:
            raise KeyboardInterrupt
        stopping.cancel()
        _call("stopping: nothing is waited for any longer, and what came is recorded (again: stop at once);")
        _call("a check that is running on a server ends there at its timeout at the latest")

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _deadline(text: str | None, now: datetime) -> datetime | None:
    """A duration from now on, or the next time that the local clock shows HH:MM."""
    if text is None:
        return None
    from maintops.domain.durations import seconds

    try:
        moment = datetime.strptime(text, "%H:%M")  # noqa: DTZ007  only hour and minute are taken from it
    except ValueError:
        try:
            return now + timedelta(seconds=seconds(text))
        except (ValueError, OverflowError):
            raise UsageError(f"--deadline {text!r} is neither a duration (45m, 2h) nor a time of day (06:00)") from None
    local = now.astimezone()
    wanted = local.replace(hour=moment.hour, minute=moment.minute, second=0, microsecond=0)
    return (wanted if wanted > local else wanted + timedelta(days=1)).astimezone(now.tzinfo)
