"""What surrounds a run that changes servers at the terminal: progress, the brakes, until when, yes and no."""

from __future__ import annotations

import io
import os
import signal
import sys
from datetime import UTC, datetime, timedelta

import pytest

from maintops.cli.planning import _until, confirmed
from maintops.cli.progress import Bar, Lines
from maintops.cli.running import braking
from maintops.domain.outcomes import Cell, Outcome
from maintops.domain.records import ServiceRecord
from maintops.domain.runs import (
    Event,
    PlannedServer,
    Remarked,
    RunPlanned,
    ServerAnswered,
    Settled,
    StageBegan,
    StageEnded,
    StageResult,
    Waved,
)
from maintops.errors import UsageError
from maintops.workflow.braking import Brakes
from tests.unit.workflow.samples import OWNER, START


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2h", START + timedelta(hours=2)),
        ("2026-12-24T18:00Z", datetime(2026, 12, 24, 18, tzinfo=UTC)),
        ("2026-12-24T18:00+01:00", datetime(2026, 12, 24, 17, tzinfo=UTC)),
        (None, None),
    ],
)
def test_until_when_changes_are_held(text: str | None, at: datetime | None) -> None:
    assert _until(text, START) == at


@pytest.mark.parametrize(
    ("text", "told"),
    [("soon", "neither a duration"), ("2026-12-24T18:00", "has no zone"), ("2020-01-01T00:00Z", "has passed")],
)
def test_what_is_no_time_to_come_is_refused(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        _until(text, START)


def test_where_nobody_is_at_a_terminal_nobody_says_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    assert not confirmed("Really?")


# --- progress ---------------------------------------------------------------------------------------------------------

SERVERS = tuple(PlannedServer(f"web{number}", f"r1-{number}", "change") for number in (1, 2, 3))
PLANNED = RunPlanned("r1", "fix", "v1", "Fix", "s", ("A-1",), SERVERS, OWNER, START)


def answered(name: str) -> tuple[ServerAnswered, ServiceRecord]:
    cells = (Cell("A-1", None, Outcome.OK),)
    record = ServiceRecord(f"r1-{name}", "r1", name, "fix", "v1", "Fix", "s", "change", START, START, cells)
    return ServerAnswered(name, record.id, Outcome.OK, START), record


def test_lines_count_those_that_an_earlier_process_has_done(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    lines.told(PLANNED, None)
    lines.told(answered("web1")[0], None)
    lines.told(*answered("web2"))
    assert capsys.readouterr().err.splitlines() == ["run r1: fix, 1 check on 3 servers", "[2/3] web2: 1 ok"]


EVENTS: list[tuple[Event, str]] = [
    (Waved(2, "stopped", "held: no", START), "wave 2 stopped: held: no"),
    (StageBegan("web1", "PT-500", START), "  web1: PT-500 …"),
    (StageBegan("web1", "drain", START), "  web1: hook drain …"),
    (StageEnded("web1", "before", StageResult.OK, "", START), "  web1: first look ok"),
    (StageEnded("web1", "PT-500/after", StageResult.FAILED, "no", START), "  web1: look after PT-500 failed: no"),
    (
        StageEnded("web1", "PT", StageResult.FAILED, "no \x1b[31mspace", START),
        "  web1: PT failed: no \\x1b[31mspace",
    ),
    (Settled("web1", "undrain", "Erika", "", START), "  web1: undrain paid"),
    (Remarked("EMERGENCY, by ann: a hole", START), "EMERGENCY, by ann: a hole"),
]


@pytest.mark.parametrize(("event", "line"), EVENTS)
def test_every_event_is_a_line_that_no_server_can_spoil(
    event: Event, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Lines().told(event, None)
    assert capsys.readouterr().err.splitlines() == [line]


def test_the_bar_counts_the_same_and_shows_nothing_of_a_server_as_it_is() -> None:
    from rich.console import Console

    stream = io.StringIO()
    bar = Bar(Console(file=stream, width=200))
    for event in (PLANNED, answered("web1")[0], *(event for event, _ in EVENTS)):
        bar.told(event, None)
    bar.told(*answered("web2"))
    bar.told(*answered("web2"))
    assert [(task.completed, task.total) for task in bar.shown.tasks] == [(2, 3)]
    assert "\x1b[31m" not in stream.getvalue()
    assert "no \\x1b[31mspace" in stream.getvalue()


# --- the brakes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_is_gentle_the_second_is_not_and_the_third_ends_it(
    number: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    brakes = Brakes(lambda now: None, lambda: START)
    before = signal.getsignal(number)
    with braking(brakes):
        os.kill(os.getpid(), number)
        assert (brakes.before_next(), brakes.reason()) == ("the run was cancelled", None)
        os.kill(os.getpid(), number)
        assert brakes.reason() == "the run was stopped at once"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before
    told = capfd.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in told] == ["stopping", "stopping at once"]
