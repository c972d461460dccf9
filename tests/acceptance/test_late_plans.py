"""A plan whose window has passed, and whose checklist says `late: ask`: the person at the terminal decides."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from tests.acceptance.persons import Person, closing_time
from tests.acceptance.test_changes import CHECKLIST, Office, office, refused
from tests.lab.running import PATIENCE

__all__ = ["closing_time", "office"]

AGO = timedelta(hours=26)
EARLIER = """\
import sys
from datetime import UTC, datetime, timedelta
from maintops.cli.main import execute
from maintops.wiring import House

House.__init__.__kwdefaults__["clock"] = lambda: datetime.now(UTC) - timedelta(seconds=float(sys.argv[1]))
sys.exit(execute(sys.argv[2:]))
"""
"""maintops by a clock that is so many seconds slow."""

QUESTION = "has passed, or is too short for another server. Run it now all the same? [yes/no] "


@pytest.fixture
def late(office: Office) -> Office:
    """An office with a plan that was made the day before, for an hour of that day: a.plan."""
    begin = datetime.now(UTC) - AGO + timedelta(hours=1)
    days = "mon, tue, wed, thu, fri, sat, sun"
    hours = f"from: {begin:%H}:00, to: {begin + timedelta(hours=1):%H}:00"
    more = f"  late: ask\n  approval: standard\n  windows: {{zone: UTC, open: [{{weekdays: [{days}], {hours}}}]}}"
    office.write(CHECKLIST.replace("checks:", f"{more}\nchecks:"))
    words = ["plan", "./fix.yml", "-i", office.inventory, "--by", "ann", "--from-records", "-o", "a.plan"]
    made = subprocess.run(
        [sys.executable, "-c", EARLIER, str(AGO.total_seconds()), *words],
        cwd=office.desk.here,
        env=office.desk.variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return office


def at_terminal(late: Office) -> Person:
    person = Person(late.desk, "run", "--plan", "a.plan", "-i", late.inventory, "--by", "ann")
    assert "the window" in person.sees(QUESTION)
    return person


def begun(late: Office) -> list[dict[str, object]]:
    found: list[dict[str, object]] = late.maintops("runs", "--format", "json").document
    return found


@pytest.mark.parametrize("key", [b"no\n", b"\n", b"\x04"], ids=["no", "nothing", "Ctrl-D"])
def test_whoever_does_not_agree_begins_nothing(late: Office, key: bytes) -> None:
    person = at_terminal(late)
    person.presses(key)
    code, shown = person.leaves()
    assert (code, "somebody at a terminal must agree (late: ask), or make a new plan" in shown) == (75, True), shown
    assert begun(late) == []


def test_whoever_agrees_begins_it_and_is_on_record(late: Office) -> None:
    person = at_terminal(late)
    person.types("yes")
    code, shown = person.leaves()
    assert (code, "FX-500" in shown) == (6, True), shown  # nobody answers at that address; but it was begun
    (run,) = begun(late)
    assert run["state"] == "held"
    document = late.maintops("report", "--format", "json").document
    approved, remark = document["run"]["remarks"]
    assert "approved" in approved
    assert remark.startswith("EMERGENCY, by ann: late, agreed to by ann")


def test_where_nobody_is_there_nobody_agrees(late: Office) -> None:
    refused(late.run("--plan", "a.plan"), r"has passed.*somebody at a terminal must agree \(late: ask\)", 75)
    assert begun(late) == []
