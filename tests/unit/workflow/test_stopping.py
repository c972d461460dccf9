from datetime import UTC, datetime, timedelta

from maintops.workflow.stopping import Stopping

NOW = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)


def test_nothing_stops_a_run_by_itself():
    assert Stopping().reason() is None


def test_a_person_stops_it():
    stopping = Stopping()
    stopping.cancel()
    assert stopping.cancelled
    assert stopping.reason() == "the run was cancelled"


def test_a_deadline_stops_it_when_it_has_come():
    times = iter([NOW - timedelta(seconds=1), NOW])
    stopping = Stopping(NOW, lambda: next(times))
    assert stopping.reason() is None
    assert "2026-03-01 06:00:00" in stopping.reason()
    assert not stopping.cancelled
