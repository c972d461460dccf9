"""Runs that end before their time, and runs at the same time: whole runs through the command line, with both engines.

Every planned cell is filled all the same, and says what became of its check.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.lab.fleet import Fleet
from tests.lab.running import (
    ALARM,
    WHO,
    Desk,
    Ended,
    Running,
    assert_every_cell_is_filled,
    begun,
    board,
    checklist_of,
    engine,
    place,
    run_maintops,
    run_with,
    words,
)

__all__ = ["board", "engine", "place"]

pytestmark = pytest.mark.fleet


# --- runs that end before their time ----------------------------------------------------------------------------------


def _first_second_third(then: str) -> tuple[dict[str, Any], ...]:
    """Three checks; `then` is what the second one does."""
    second = {"id": "E-020", "command": f"{then}; echo second", "timeout": "50s"}
    return {"id": "E-010", "command": "echo first"}, second, {"id": "E-030", "command": "echo third"}


END_CHECKS = ["E-010", "E-020", "E-030"]

# What is known of a server that was being asked when the run ended. Ansible hands an answer over when it is whole, so
# of one that is cut off nothing is known, not even whether it had begun.
CUT = {
    "ssh": {"E-010": "ok", "E-020": "unknown", "E-030": "not_reached"},
    "ansible": dict.fromkeys(END_CHECKS, "unknown"),
}
LOST = {
    "ssh": {"E-010": "ok", "E-020": "unknown", "E-030": "unknown"},
    "ansible": dict.fromkeys(END_CHECKS, "unknown"),
}


def test_a_connection_that_dies_in_the_middle(fleet: Fleet, engine: str, place: Path, board: Path) -> None:
    name = f"dying-{engine}"
    server, mark = fleet.special(name), board / f"begun-{name}"
    desk = Desk(place / "dying", fleet)
    there = f'case $SSH_CONNECTION in *" {server.address} "*) : >{mark}; sleep 40 ;; esac'
    checklist = checklist_of(desk, *_first_second_third(there))
    running = Running(desk, *words(engine, checklist, desk.inventory("s001", name)))
    begun(running, mark.exists)
    fleet.sshd(name).cut()
    ended = running.wait()
    assert_every_cell_is_filled(ended, ["s001", name], END_CHECKS)
    assert ended.outcomes(name) == LOST[engine]
    assert ended.cell(name, "E-020")["message"]
    assert set(ended.outcomes("s001").values()) == {"ok"}
    assert (ended.code, ended.state) == (4, "finished")


@pytest.fixture(scope="module")
def pace(fleet: Fleet, engine: str, place: Path) -> float:
    """Seconds that a run of next to nothing takes on this machine, and today."""
    desk = Desk(place / "pace", fleet)
    since = time.monotonic()
    ended = run_with(desk, engine, checklist_of(desk, WHO), desk.inventory("s001", "s002"))
    assert (ended.code, ended.state) == (0, "finished")
    return time.monotonic() - since


def test_a_deadline_cuts_what_is_in_flight_and_begins_nothing_more(
    fleet: Fleet, engine: str, place: Path, board: Path, pace: float
) -> None:
    names, marks = fleet.names[:4], board / f"deadline-{engine}"
    marks.mkdir()
    marks.chmod(0o777)
    desk = Desk(place / "deadline", fleet)
    checklist = checklist_of(desk, *_first_second_third(f": >{marks}/$$; sleep 40"))
    when = f"{3 + 2 * pace:.1f}s"
    ended = run_with(desk, engine, checklist, desk.inventory(*names), "--forks", "2", "--deadline", when)
    _assert_ended_early(ended, engine, names)
    assert len(list(marks.iterdir())) == 2, "no more servers were begun than may be at once"
    assert "deadline" in ended.document["run"]["reason"]
    assert "deadline" in ended.cell("s001", "E-030")["message"]
    assert (ended.code & 2, ended.state) == (2, "finished")


def test_ctrl_c_ends_a_run_in_good_order(fleet: Fleet, engine: str, place: Path, board: Path) -> None:
    names, marks = fleet.names[:4], board / f"interrupted-{engine}"
    marks.mkdir()
    marks.chmod(0o777)
    desk = Desk(place / "interrupted", fleet)
    here = "m=${SSH_CONNECTION% *}; : >" + str(marks) + '/"${m##* }"; sleep 40'
    checklist = checklist_of(desk, *_first_second_third(here))
    running = Running(desk, *words(engine, checklist, desk.inventory(*names)), "--forks", "2")
    begun(running, lambda: all((marks / fleet.server(name).address).exists() for name in names[:2]))
    running.interrupt()
    ended = running.wait()
    _assert_ended_early(ended, engine, names)
    assert (ended.code, ended.state) == (130, "cancelled")
    assert ended.document["run"]["ended"]
    assert "stopping" in ended.stderr
    shown = run_maintops(desk, "runs", "--format", "json")
    assert [(one["state"], one["done"]) for one in shown.document] == [("cancelled", 4)]


def _assert_ended_early(ended: Ended, engine: str, names: Sequence[str]) -> None:
    assert_every_cell_is_filled(ended, names, END_CHECKS)
    for name in names[:2]:
        assert ended.outcomes(name) == CUT[engine]
    for name in names[2:]:
        assert set(ended.outcomes(name).values()) == {"not_reached"}


# --- at once ----------------------------------------------------------------------------------------------------------


def test_runs_at_once_share_a_database_that_none_of_them_has_made_before(fleet: Fleet, tmp_path: Path) -> None:
    fleet.add("on-fire", maintops_alarm=True)
    desk = Desk(tmp_path / "desk", fleet)
    checklist, inventory = checklist_of(desk, WHO, ALARM), desk.inventory("s001", "s002", "on-fire")
    running = [Running(desk, *words(engine, checklist, inventory)) for engine in ("ssh", "ansible", "ssh")]
    ended = [one.wait() for one in running]
    assert [(one.code, one.state) for one in ended] == [(2, "finished")] * 3, [one.stderr for one in ended]
    records = run_maintops(desk, "record", "list", "--format", "json").document
    told = {(one["run"], one["server"]) for one in records}
    assert told == {(one.document["run"]["id"], name) for one in ended for name in ("s001", "s002", "on-fire")}
    assert len(records) == 9
    (finding,) = run_maintops(desk, "finding", "list", "--format", "json").document
    history = run_maintops(desk, "finding", "show", finding["finding"], "--format", "json").document["history"]
    assert [one["state"] for one in history] == ["new", "known", "known"]
