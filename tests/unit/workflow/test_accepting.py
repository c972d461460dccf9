"""Baselines: who accepts what, and what becomes of it."""

import pytest

from maintops.domain.outcomes import Outcome
from maintops.errors import UsageError
from maintops.store.memory import MemoryStore
from maintops.workflow.accepting import accept_baselines
from maintops.workflow.judging import judge_server
from tests.unit.workflow.samples import START, disks, draft, plan
from tests.unit.workflow.test_recovering import begun


def measure(store, day, **levels):
    """The cells of one more record."""
    begun(store, f"run{day}")
    record = draft(day)

    def judge(memory):
        return judge_server(record, [plan()], {"HW-010": disks(**levels)}, {}, memory)

    verdict = store.commit(record.run, record.id, record.server, judge, b"", record.ended)
    return {cell.subject: cell for cell in verdict.record.cells}


@pytest.fixture
def store():
    kept = MemoryStore()
    measure(kept, 1, sda=1, sdb=1)
    return kept


def accept(store, *checks, server="web1", by="erika", why="as built"):
    return accept_baselines(store, [server], checks, by, why, START)


def test_what_was_measured_last_is_accepted(store):
    accepted = accept(store)
    assert [(one.server, one.check, one.record) for one in accepted.baselines] == [("web1", "HW-010", "rec1")]
    assert set(accepted.baselines[0].subjects) == {"sda", "sdb"}
    assert store.memory("web1").baselines["HW-010"] == accepted.baselines[0]
    assert accept(store, "HW-010", why="again").baselines[0].why == "again"
    assert [one.why for one in store.baselines(replaced=True)] == ["again", "as built"]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"by": None}, "--by"),
        ({"why": "  "}, "--why"),
        ({"server": "web9"}, "nothing was ever measured there"),
    ],
)
def test_nobody_accepts_without_a_name_a_reason_and_something(store, given, why):
    with pytest.raises(UsageError, match=why):
        accept(store, **given)
    assert store.baselines() == []


def test_a_check_that_was_never_measured_is_named(store):
    with pytest.raises(UsageError, match="HW-999 was never measured"):
        accept(store, "HW-010", "HW-999")
    assert store.baselines() == []


def test_servers_without_anything_are_told(store):
    assert accept_baselines(store, ["web1", "web9"], [], "erika", "as built", START).without == ("web9",)


def test_a_disk_that_was_taken_out_is_missed_until_that_is_accepted(store):
    assert measure(store, 2, sda=1)["sdb"].outcome is Outcome.ATTENTION
    assert measure(store, 3, sda=1)["sdb"].outcome is Outcome.ATTENTION
    accept_baselines(store, ["web1"], [], "erika", "sold", draft(3).ended)
    assert set(measure(store, 4, sda=1)) == {"sda"}
    assert store.findings() == []
    assert measure(store, 5, sda=1, sdb=1)["sdb"].outcome is Outcome.OK
    assert measure(store, 6, sda=1)["sdb"].outcome is Outcome.ATTENTION
