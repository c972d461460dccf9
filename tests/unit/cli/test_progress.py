"""A terminal that is closed while a run is shown on it: the run does not care."""

from __future__ import annotations

import io
import os
import pty
import select
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from maintops.cli.asking import Desk, ask_all
from maintops.cli.output import say
from maintops.cli.progress import Bar, Unhurt, out_of_the_way, progress
from maintops.domain.checklists import Step
from maintops.domain.runs import Remarked, RunState
from maintops.domain.steps import Evidence
from maintops.workflow.continuing import Waiting
from tests.unit.workflow.change_stage import Stage, hold_when
from tests.unit.workflow.samples import START


class Terminal:
    """A terminal in place of standard error."""

    def __init__(self, ours: int) -> None:
        self._ours, self._is_open = ours, True

    def shows(self, words: bytes) -> bool:
        shown = b""
        while words not in shown and select.select([self._ours], [], [], 10)[0]:  # it comes in pieces
            shown += os.read(self._ours, 65536)
        return words in shown

    def close(self) -> None:
        if self._is_open:
            os.close(self._ours)
        self._is_open = False


@contextmanager
def at_a_terminal() -> Iterator[Terminal]:
    # no fixture: before each test begins, pytest puts a standard error of its own in place
    ours, theirs = pty.openpty()
    made = Terminal(ours)
    stream = os.fdopen(theirs, "w", encoding="utf-8")
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stderr", stream)
            patch.setenv("TERM", "xterm")
            yield made
    finally:
        made.close()
        with suppress(OSError):  # what nobody could be shown is still in it
            stream.close()


def test_a_terminal_that_is_closed_does_not_break_off_the_step_that_is_being_done() -> None:
    stage = Stage(2, waves=(("web1",), ("web2",)))

    with at_a_terminal() as terminal, progress() as bar:
        assert isinstance(bar, Bar)
        hold_when(stage, "web1", lambda: (terminal.close(), stage.brakes.cancel()))  # as HUP does
        result = stage.run(observers=[bar])
    assert (result.run.state, result.run.reason) == (RunState.CANCELLED, "the run was cancelled")
    assert [actor.patched for actor in stage.actors.values()] == [1, 0]
    assert (stage.journey("web1").mid, stage.journey("web1").lost) == ("", None)


def test_what_is_shown_on_a_terminal_arrives_there() -> None:
    with at_a_terminal() as terminal:
        with progress() as bar:
            bar.told(Remarked("the wave is through", START), None)
        assert terminal.shows(b"the wave is through")


def test_a_terminal_that_goes_away_while_a_person_types_does_not_end_what_is_done_there() -> None:
    done = []
    with at_a_terminal() as terminal, progress() as bar:
        with out_of_the_way():
            terminal.close()
            say("a line")
            done.append("typed")
        bar.told(Remarked("the wave is through", START), None)
        with out_of_the_way():
            done.append("typed again")
    assert done == ["typed", "typed again"]


def test_nobody_is_asked_at_a_terminal_that_is_gone() -> None:
    def gone(prompt: str) -> str:
        raise EOFError

    def keep(path: Path) -> Evidence:
        raise AssertionError

    waiting = [Waiting("web1", Step("PT-600", "Cables", manual="Look at the cables."))]
    with at_a_terminal() as terminal, progress():
        terminal.close()
        assert list(ask_all(waiting, Desk("erika", gone, say, keep, lambda: START))) == []


def test_what_is_wrong_with_what_is_written_is_heard_of() -> None:
    stream = Unhurt(io.StringIO())
    assert (stream.write("abc"), stream.isatty()) == (3, False)
    with pytest.raises(TypeError):
        stream.write(5)  # type: ignore[arg-type]  # that is what is wrong
