"""Changes in the nights in which clocks are changed, and while somebody sets the controller's clock: nothing is done
twice, nothing outside the window, counted on the servers themselves.

The clock is that of the processes of maintops alone (tests/lab/clocks.py). It is set while a run waits in a gate.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from maintops.domain.journeys import BEFORE
from maintops.domain.runs import StageBegan
from tests.lab.changing import Change, messages, tasks
from tests.lab.clocks import Clock
from tests.lab.containers import Containers
from tests.lab.fixtures import need
from tests.lab.running import Ended, Running, begun

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]  # the first one may have to build the image

COUNT = "/var/lib/lab-counted"
STEP = tasks("CL-500", f"echo done >>{COUNT}", estimate=60)
HOUR = timedelta(hours=1)


def utc(text: str) -> datetime:
    """A moment as it is written, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class Night(Change):
    """Three servers, and a desk in Berlin whose clock can be set. Each server counts what is done on it."""

    def __init__(self, folder: Path, lab: Containers, now: str) -> None:
        super().__init__(folder, lab, lab.names[:3])
        self.clock = need(Clock, folder / "clock")
        self.clock.set(utc(now))
        self.desk.environment = {**self.desk.environment, **self.clock.environment}
        self._started: list[Running] = []

    def start(self, plan: str = "a.plan", *more: str) -> Running:
        """Begins to carry a plan out."""
        running = super().start(plan, *more)
        self._started.append(running)
        return running

    def leave(self) -> None:
        """Ends what a test that failed has left waiting in a gate."""
        for one in self._started:
            one.kill()
            one.wait()

    def offer(self, rule: dict[str, Any], **policy: Any) -> str:
        """A checklist with this window, and a gate in which each wave waits until it is let go."""
        place = f"'{self.folder}'/gate."
        gate = f"touch {place}$MAINTOPS_WAVE; until test -e {place}$MAINTOPS_WAVE.open; do sleep 0.05; done"
        windows = {"zone": "Europe/Berlin", "open": [rule]}
        wide = {"waves": [1, "100%"], "failure_budget": {"canary": 0, "run": 2}, "gate": gate, "windows": windows}
        return self.checklist(STEP, **{**wide, **policy})

    def waits(self, running: Running, wave: int = 1) -> None:
        """Waits until a run stands in the gate after a wave."""
        begun(running, (self.folder / f"gate.{wave}").exists)

    def let_go(self, wave: int = 1) -> None:
        """Opens the gate after a wave."""
        (self.folder / f"gate.{wave}.open").touch()

    def opens(self, checklist: str) -> str:
        """Makes a.plan of a checklist; its window, as the plan tells it to people."""
        made = self.maintops("plan", checklist, "-i", self.inventory, "-o", "a.plan", "--preview", "none")
        assert made.code == 0, made.stderr
        (told,) = [one for one in made.stdout.splitlines() if one.startswith("  window: ")]
        return told.removeprefix("  window: ")

    def counted(self) -> str:
        """How often the step was done on each server, such as `1 1 0`."""
        return " ".join(self.on_each(f"grep -c done {COUNT} || true").values())

    def begins(self) -> list[datetime]:
        """When anything but a first look was begun on a server, in the order of the journal."""
        return [one.at for one in self.events() if isinstance(one, StageBegan) and one.stage != BEFORE]


@pytest.fixture
def night(containers: Containers, tmp_path: Path) -> Iterator[Night]:
    """It is the first half past two of the night in which the clocks are put back."""
    made = Night(tmp_path / "desk", containers, "2026-10-25 00:30")
    made.on_each(f": >{COUNT}")
    yield made
    made.leave()
    made.on_each(f"rm -f {COUNT}")


def assert_closed(ended: Ended) -> None:
    """The first wave was done, the later ones were held, and everybody in them is told why."""
    assert (ended.code, ended.state) == (2, "held"), ended.stderr
    for name in ("lab2", "lab3"):
        assert "is closed, or too short for another server" in messages(ended, name)


# --- the hour that comes twice ----------------------------------------------------------------------------------------


def test_a_window_that_begins_in_the_hour_that_comes_twice_opens_in_the_second_one(night: Night) -> None:
    listed = night.offer({"date": "2026-10-25", "from": "02:00", "to": "03:00"})
    assert night.opens(listed) == "sun 2026-10-25 02:00 CET to sun 2026-10-25 03:00 CET (1 h 0 min)"
    night.let_go()
    early = night.run()
    assert early.code == 75, early.stderr
    assert "may begin in its window sun 2026-10-25 02:00 CET" in early.stderr
    assert (night.counted(), night.count()) == ("0 0 0", 0)
    night.clock.step(hours=1)  # half past two again
    ended = night.run()
    assert (ended.code, ended.state) == (0, "finished"), ended.stderr
    assert night.run().code == 64
    assert night.counted() == "1 1 1"
    assert utc("2026-10-25 01:00") <= min(night.begins()) <= max(night.begins()) < utc("2026-10-25 02:00")


def test_a_window_that_ends_in_the_hour_that_comes_twice_ends_in_the_first_one(night: Night) -> None:
    night.clock.set(utc("2026-10-25 00:10"))
    listed = night.offer({"date": "2026-10-24", "from": "22:00", "to": "02:30"})
    assert night.opens(listed) == "sat 2026-10-24 22:00 CEST to sun 2026-10-25 02:30 CEST (4 h 30 min)"
    running = night.start()
    night.waits(running)
    night.clock.step(hours=1)  # by the wall it is ten past two again, and the window open
    night.let_go()
    assert_closed(running.wait())
    late = night.go_on()
    assert late.code == 75, late.stderr
    assert night.counted() == "1 0 0"


def test_a_run_that_goes_on_through_the_hour_that_comes_twice_does_nothing_twice(night: Night) -> None:
    listed = night.offer({"date": "2026-10-25", "from": "01:30", "to": "03:30"})
    assert night.opens(listed) == "sun 2026-10-25 01:30 CEST to sun 2026-10-25 03:30 CET (3 h 0 min)"
    running = night.start()
    night.waits(running)
    night.clock.step(hours=1)
    night.let_go()
    ended = running.wait()
    assert (ended.code, ended.state) == (0, "finished"), ended.stderr
    assert night.counted() == "1 1 1"
    begins = night.begins()
    assert begins == sorted(begins)
    assert begins[-1] - begins[0] > HOUR  # by the wall it may be less than nothing


# --- the hour that is skipped -----------------------------------------------------------------------------------------

SPRING = "2026-03-29"


def test_a_window_in_the_hour_that_is_skipped_never_opens_that_night(night: Night) -> None:
    night.clock.set(utc("2026-03-29 00:59"))
    rule = {"from": "02:15", "to": "02:45"}
    never = night.maintops("plan", night.offer({"date": SPRING, **rule}), "-i", night.inventory, "--from-records")
    assert never.code == 64, never.stderr
    assert "the window of lab-change never opens" in never.stderr
    listed = night.offer({"weekdays": ["sun"], **rule})
    assert night.opens(listed) == "sun 2026-04-05 02:15 CEST to sun 2026-04-05 02:45 CEST (30 min 0 s)"
    for moment in ("2026-03-29 00:59:50", "2026-03-29 01:00:10", "2026-03-29 01:30"):  # the last: half past three
        night.clock.set(utc(moment))
        ended = night.run()
        assert ended.code == 75, (moment, ended.stderr)
        assert "may begin in its window sun 2026-04-05 02:15 CEST" in ended.stderr
    assert (night.counted(), night.count()) == ("0 0 0", 0)


def test_a_window_over_the_hour_that_is_skipped_is_no_longer_than_it_is(night: Night) -> None:
    night.clock.set(utc("2026-03-29 00:50"))
    listed = night.offer({"date": SPRING, "from": "01:30", "to": "03:30"}, waves=[1, 2, "100%"])
    assert night.opens(listed) == "sun 2026-03-29 01:30 CET to sun 2026-03-29 03:30 CEST (1 h 0 min)"
    running = night.start()
    night.waits(running)
    night.clock.set(utc("2026-03-29 01:10"))  # ten to two, and ten past three
    night.let_go()
    night.waits(running, 2)
    night.clock.set(utc("2026-03-29 01:29:30"))  # there is no time left for another one
    night.let_go(2)
    ended = running.wait()
    assert (ended.code, ended.state) == (2, "held"), ended.stderr
    assert night.counted() == "1 1 0"
    assert night.untouched() == ["lab3"]


# --- somebody sets the clock ------------------------------------------------------------------------------------------

WINDOW = {"date": "2026-11-07", "from": "22:00", "to": "24:00"}
CLOSES = utc("2026-11-07 22:59")
"""From then on no other server fits into it."""


def test_set_back_an_hour_a_window_that_has_closed_is_not_open_again(night: Night) -> None:
    night.clock.set(utc("2026-11-07 22:00"))
    running = night.start(night.plan(night.offer(WINDOW, waves=[1, 2, "100%"])))
    night.waits(running)
    night.clock.set(CLOSES - timedelta(seconds=9))  # as if it were late; another server fits
    night.let_go()
    night.waits(running, 2)
    while night.clock.now < CLOSES:  # it waits for so long, and nobody looks at the clock
        time.sleep(0.1)
    night.clock.step(hours=-1)
    night.let_go(2)
    ended = running.wait()
    assert (ended.code, ended.state) == (2, "held"), ended.stderr
    assert "the clock was set back; by what it said before, the window sat 2026-11-07 22:00 CET" in ended.stderr
    assert night.counted() == "1 1 0"
    assert_whole(night, ended)
    night.clock.step(hours=1)  # and right again
    late = night.go_on()
    assert late.code == 75, late.stderr
    agreed = night.go_on("--emergency", "the owner agrees by telephone")
    assert (agreed.code, agreed.state) == (0, "finished"), agreed.stderr
    assert night.counted() == "1 1 1"
    assert_whole(night, agreed)


def assert_whole(night: Night, ended: Ended) -> None:
    """Whoever set the clock: what is on record is whole, and can be read in any order."""
    run = ended.document["run"]["id"]
    assert [(one["run"], one["state"]) for one in night.table("runs")] == [(run, ended.state)]
    kept = {(one["server"], one["record"]) for one in night.table("record", "list")}
    assert {name for name, _ in kept} == set(night.names)
    assert night.maintops("record", "show", max(record for _, record in kept)).code == 0
    report = night.maintops("report", "last", "--format", "json")
    assert (report.code, report.document["servers"]) == (0, ended.document["servers"])
    assert [name for name in night.names if night.journey(name).mid] == []
    assert night.debts() == []


def test_set_forward_an_hour_the_later_waves_are_held_and_set_right_the_run_goes_on(night: Night) -> None:
    night.clock.set(utc("2026-11-07 22:10"))
    running = night.start(night.plan(night.offer(WINDOW, drain=night.drain)))
    night.waits(running)
    night.clock.step(hours=1)
    night.let_go()
    ended = running.wait()
    assert_closed(ended)
    assert night.go_on().code == 75
    assert night.counted() == "1 0 0"
    assert_whole(night, ended)
    night.clock.step(hours=-1)
    again = night.go_on()
    assert (again.code, again.state) == (0, "finished"), again.stderr
    assert night.counted() == "1 1 1"
    assert night.drained == []
    assert_whole(night, again)
    assert max(night.begins()) < CLOSES
