"""Reading what a person types: line by line, with signs of life, and not for ever."""

from __future__ import annotations

import errno
import os
import pty
from collections.abc import Callable, Iterator

import pytest

import maintops.cli.continuing as continuing
from maintops.cli.asking import Quit
from maintops.cli.continuing import read_line
from maintops.errors import Locked


class Terminal:
    """A terminal in place of standard input; `glances` counts how often somebody looked whether the run goes on."""

    def __init__(self, ours: int) -> None:
        self.ours, self.glances = ours, 0
        self.then: Callable[[int], str | None] = lambda number: None

    def types(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def meanwhile(self) -> str | None:
        self.glances += 1
        return self.then(self.glances)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    made = Terminal(ours)
    with os.fdopen(theirs, encoding="utf-8") as stream:
        monkeypatch.setattr("sys.stdin", stream)
        monkeypatch.setattr(continuing, "TICK", 0.001)
        monkeypatch.setattr(continuing, "meanwhile", made.meanwhile)
        yield made
    os.close(ours)


def test_lines_that_were_typed_ahead_are_read_one_by_one(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.types("first\nsecond\n")
    assert [read_line("> "), read_line("> ")] == ["first\n", "second\n"]
    assert capsys.readouterr().err == "> > "


def test_it_is_waited_with_signs_of_life_until_something_is_typed(terminal: Terminal) -> None:
    terminal.then = lambda number: terminal.types("at last\n") if number == 20 else None
    assert read_line("> ") == "at last\n"
    assert terminal.glances >= 20


def test_half_a_line_is_no_answer_yet(terminal: Terminal) -> None:
    terminal.types("ha")
    terminal.then = lambda number: terminal.types("lf\n") if number == 5 else None
    assert read_line("> ") == "half\n"
    assert terminal.glances >= 5


def test_who_ends_half_a_line_is_waited_for_with_signs_of_life(terminal: Terminal) -> None:
    terminal.types("ha\x04")
    terminal.then = lambda number: terminal.types("lf\n") if number == 20 else None
    assert read_line("> ") == "half\n"
    assert terminal.glances >= 20


def test_who_stops_the_run_is_heard_behind_half_a_line_too(terminal: Terminal) -> None:
    terminal.types("ha\x04")
    terminal.then = lambda number: "the run was cancelled" if number == 20 else None
    with pytest.raises(Quit):
        read_line("> ")


def test_half_a_line_at_the_end_of_the_input_is_a_line(terminal: Terminal) -> None:
    terminal.types("half\x04\x04")
    assert read_line("> ") == "half"


def test_a_letter_of_many_bytes_that_comes_in_pieces_is_whole_and_what_is_none_breaks_nothing(
    terminal: Terminal,
) -> None:
    os.write(terminal.ours, "\u00fc".encode()[:1] + b"\x04")
    terminal.then = lambda number: os.write(terminal.ours, "\u00fc".encode()[1:] + b"\xff\n") and None
    assert read_line("> ") == "\u00fc\ufffd\n"


def test_the_end_of_the_input_is_told(terminal: Terminal) -> None:
    terminal.types("\x04")
    with pytest.raises(EOFError):
        read_line("> ")


def test_whoever_stops_the_run_ends_the_asking(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    terminal.then = lambda number: "the run was cancelled" if number == 3 else None
    with pytest.raises(Quit):
        read_line("> ")
    assert capsys.readouterr().err == "> \nnobody is asked any more: the run was cancelled\n"


def test_a_run_that_is_somebody_else_s_by_now_is_told_of(terminal: Terminal) -> None:
    def locked(number: int) -> str | None:
        raise Locked("it is not this process's any more")

    terminal.then = locked
    with pytest.raises(Locked):
        read_line("> ")


def test_a_terminal_that_goes_away_is_the_end_of_the_input(terminal: Terminal) -> None:
    terminal.then = lambda number: os.close(terminal.ours) if number == 2 else None
    with pytest.raises(EOFError):
        read_line("> ")
    terminal.ours = os.open(os.devnull, os.O_RDONLY)


def test_a_terminal_that_cannot_be_read_is_the_end_of_the_input(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pulled_out(descriptor: int, most: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    terminal.types("a line\n")
    monkeypatch.setattr(continuing.os, "read", pulled_out)
    with pytest.raises(EOFError):
        read_line("> ")
