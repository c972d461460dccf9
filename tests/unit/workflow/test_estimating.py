"""How long a change takes is known from earlier ones, and it begins where its window has time for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from maintops.domain.changes import ChangePolicy, ChangeStep, Reboot, Share
from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.domain.plans import Expectation
from maintops.domain.records import ServiceRecord
from maintops.domain.steps import POWER_CYCLE
from maintops.domain.windows import Opening
from maintops.errors import UsageError
from maintops.store.memory import MemoryStore
from maintops.workflow.estimating import EARLIER, MOST_READ, durations, earlier_durations, expectation
from maintops.workflow.proposing import Looked, propose, refuse
from tests.unit.workflow.proposals import AT, POLICY, UPDATE, listed, proposal, server, window
from tests.unit.workflow.samples import draft


def chosen(policy: ChangePolicy, now: datetime, earlier: Sequence[float] = (3600.0,) * 5) -> Opening | None:
    made = proposal(server("web1"), of=listed(policy=policy))
    return propose(replace(made, now=now), Looked(), earlier).window


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def test_the_window_is_the_open_one_while_a_server_fits_and_else_the_next() -> None:
    policy = window(1, 3)
    first, second = Opening(at(1, 20), at(1, 23)), Opening(at(3, 20), at(3, 23))
    assert chosen(policy, AT) == first
    assert chosen(policy, at(1, 22)) == first
    assert chosen(policy, at(1, 22, 1)) == second
    assert chosen(POLICY, AT) is None


def test_a_window_that_never_opens_is_refused() -> None:
    late = replace(proposal(server("web1"), of=listed(policy=window(1))), now=at(2, 0))
    with pytest.raises(UsageError, match="the window of sample never opens within 400 days"):
        refuse(late, ())


def test_a_window_that_is_too_short_is_told_with_both_lengths() -> None:
    with pytest.raises(UsageError, match=r"the longest of the next 50 lasts 3 h 0 min, and a server takes up to 4 h 0"):
        chosen(window(1, 3), AT, [4 * 3600.0] * 5)


def test_an_open_window_with_too_little_left_is_not_one_that_never_opens() -> None:
    with pytest.raises(UsageError, match=r"lasts 30 min 0 s, and a server takes up to 1 h 0 min"):
        chosen(window(1), at(1, 22, 30))


def test_how_long_it_takes_is_known_from_earlier_changes_or_an_estimate() -> None:
    two = listed(UPDATE, ChangeStep("C-2", "Boot", reboot=Reboot.ALWAYS))
    assert expectation(two, [1.0] * 4) == Expectation(660.0, 660.0, "the checklist's estimate")
    hundred = [float(number) for number in range(100, 0, -1)]
    assert expectation(two, hundred) == Expectation(50.0, 95.0, "100 earlier changes")
    assert expectation(two, [5.0, 1.0, 3.0, 2.0, 4.0]) == Expectation(3.0, 5.0, "5 earlier changes")


def record(seconds: float = 60, id: str = "r1-0001", engine: str = "change", **cell: Any) -> ServiceRecord:
    one = Cell(cell.get("check", "C-1"), None, cell.get("outcome", Outcome.OK), cell.get("severity"))
    return replace(draft(), id=id, engine=engine, started=AT, ended=AT + timedelta(seconds=seconds), cells=(one,))


@pytest.mark.parametrize(
    "left_out",
    [
        record(engine="ssh"),
        record(0),
        record(severity=Severity.CRITICAL),
        record(0.001, outcome=Outcome.NOT_REACHED),
        record(outcome=Outcome.UNKNOWN),
        record(id="r1-0001.2"),
        record(check=POWER_CYCLE),
    ],
)
def test_only_changes_that_came_to_their_end_in_one_go_tell_how_long_it_takes(left_out: ServiceRecord) -> None:
    assert list(durations([record(60), left_out, record(90, severity=Severity.WARNING)])) == [60.0, 90.0]


class Kept(MemoryStore):
    """Some records that are kept, newest first; `read` says how many of them were read."""

    def __init__(self, *kept: ServiceRecord) -> None:
        super().__init__()
        self.kept, self.read = kept, 0

    def records(
        self,
        *,
        run: str | None = None,
        server: str | None = None,
        checklist: str | None = None,
        limit: int | None = None,
    ) -> Iterator[ServiceRecord]:
        assert (run, server, checklist) == (None, None, "sample")
        for one in self.kept[:limit]:
            self.read += 1
            yield one


def test_earlier_changes_are_found_behind_those_who_only_looked() -> None:
    looks = [record(3, engine="ssh")] * (EARLIER + 100)
    store = Kept(*looks, *[record(60)] * EARLIER, *[record(90)] * 50)
    assert earlier_durations(store, "sample") == [60.0] * EARLIER
    assert store.read == len(looks) + EARLIER


def test_a_database_is_not_read_to_its_end_for_them() -> None:
    store = Kept(*[record(3, engine="ssh")] * MOST_READ, record(60))
    assert earlier_durations(store, "sample") == []


def test_the_whole_takes_as_long_as_its_waves_and_rests() -> None:
    policy = replace(POLICY, waves=(Share(count=2), Share(percent=100)), budget=1, canary_budget=0, soak=100.0)
    made = proposal(*(server(f"web{number}") for number in range(6)), of=listed(policy=policy))
    plan = propose(made, Looked(), ())
    assert [len(wave) for wave in plan.waves] == [2, 4]
    assert plan.seconds == 60.0 * (2 + 2) + 2 * 100


@pytest.mark.parametrize(("forks", "allowed", "turns"), [(0, 5, 2), (2, 5, 3), (9, 5, 2), (0, 2, 3), (0, 1, 6)])
def test_the_whole_takes_longer_where_forks_or_groups_let_fewer_at_once(forks: int, allowed: int, turns: int) -> None:
    policy = replace(POLICY, waves=(Share(percent=100),), budget=2)
    members = [server(f"web{number}", group="web", max_unavailable=allowed) for number in range(6)]
    plan = propose(proposal(*members, of=listed(policy=policy), forks=forks), Looked(), ())
    assert plan.seconds == 60.0 * turns
