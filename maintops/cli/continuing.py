"""maintops run continue: what a person carried out becomes part of a run's records."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from maintops.cli.asking import Desk, Quit, ask_all
from maintops.cli.output import heard_or_not, say
from maintops.errors import UsageError
from maintops.workflow.attending import meanwhile

if TYPE_CHECKING:
    from maintops.domain.records import ServiceRecord
    from maintops.domain.runs import Run
    from maintops.domain.steps import StepAnswer
    from maintops.wiring import House
    from maintops.workflow.continuing import Waiting


TICK = 0.2
"""Seconds between two signs of life while a person thinks."""

_LINE = 4096  # the most that Linux lets somebody type in a line


def go_on(chosen: House, run: str, answers: Path | None, format: str, output: Path | None) -> int:
    """Asks for the steps of a run that wait for a person (or takes them from a file), shows the run as it is then, and
    returns its exit code."""
    from maintops.cli.reporting import show_run
    from maintops.domain.outcomes import FailOn, exit_code
    from maintops.reports.results import complete

    found, open_ones = chosen.waiting(run)
    if answers is not None:
        _tell(chosen.answer(found, answers))
    else:
        answer_at_terminal(chosen, found, open_ones)
    level = FailOn(chosen.settings.fail_on)
    with heard_or_not():
        show_run(chosen, found, format, output, level)
    whole = complete(found, chosen.store.records(run=found.id))
    code = exit_code((cell for record in whole for cell in record.cells), level)
    chosen.close()
    return code


def answer_at_terminal(chosen: House, run: Run, open_ones: list[Waiting]) -> None:
    """Asks step by step. Raises UsageError where nobody is there to be asked, or nobody signs for the answers."""
    if not open_ones:
        chosen.answer(run, [])  # an earlier session may have ended between its last answer and the record
        say(f"no step of {run.id} waits for a person")
        return
    if not sys.stdin.isatty():
        raise UsageError(
            f"{waiting_words(len(open_ones))} in {run.id}: call this at a terminal, or give --answers FILE"
        )
    if not chosen.settings.by:
        raise UsageError("who answers? Give --by ENGINEER (or set MAINTOPS_BY)")
    desk = Desk(chosen.settings.by, read_line, say, chosen.keep_evidence, chosen.clock)
    _tell(chosen.answer(run, _until_interrupted(ask_all(open_ones, desk))))


def waiting_words(count: int) -> str:
    """How many steps wait, as the beginning of a sentence."""
    return "1 step waits for a person" if count == 1 else f"{count} steps wait for a person"


def _tell(parts: list[ServiceRecord]) -> None:
    say(f"kept in {', '.join(one.id for one in parts)}" if parts else "nothing new was answered")


def read_line(prompt: str) -> str:
    """A line from the terminal, after a prompt on standard error. Raises EOFError at its end (also where the terminal
    went away), Quit where nobody is to be asked any more (the run was cancelled, changes are held), and Locked where
    the run is somebody else's by now."""
    try:
        sys.stderr.write(prompt)
        sys.stderr.flush()
        line = _typed(sys.stdin.fileno())
    except OSError:
        raise EOFError from None
    if not line:
        raise EOFError
    return line.decode(sys.stdin.encoding, "replace")


def _typed(terminal: int) -> bytes:
    """A line as it is typed; what there is of it where the terminal ends. A terminal hands lines over one by one, so
    that nothing that was typed lies in a buffer where it could not be seen; half a line too (Ctrl-D behind text), and
    the rest of it is waited for with signs of life, which `readline` would not give."""
    line = b""
    while not line.endswith(b"\n"):
        _wait_for_keys()
        piece = os.read(terminal, _LINE)
        if not piece:
            break
        line += piece
    return line


def _wait_for_keys() -> None:
    """Waits until something was typed, with signs of life."""
    while True:
        why = meanwhile()
        if why is not None:
            say("")
            say(f"nobody is asked any more: {why}")
            raise Quit
        if select.select([sys.stdin], [], [], TICK)[0]:
            return


def _until_interrupted(answers: Iterator[StepAnswer]) -> Iterator[StepAnswer]:
    """Ctrl-C ends the asking, and what was answered is kept."""
    try:
        yield from answers
    except KeyboardInterrupt:
        say("")
        say("stopped; what was answered is kept (go on: maintops run continue)")
