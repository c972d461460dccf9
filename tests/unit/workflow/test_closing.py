import pytest

from maintops.domain.followups import FollowUpState
from maintops.errors import UsageError
from maintops.store.memory import MemoryStore
from maintops.workflow.closing import close_followup
from maintops.workflow.judging import judge_server
from tests.unit.workflow.samples import START, disks, draft, plan
from tests.unit.workflow.test_recovering import begun


@pytest.fixture
def store():
    """A store with one open follow-up: disk sda is at 95."""
    kept = MemoryStore()
    keep(kept, 1, 95)
    return kept


def keep(store, day, level):
    begun(store, f"run{day}")
    record = draft(day)

    def judge(memory):
        return judge_server(record, [plan()], {"HW-010": disks(sda=level)}, {}, memory)

    store.commit(record.run, record.id, record.server, judge, b"", record.ended)


def test_nobody_closes_without_a_name(store):
    with pytest.raises(UsageError, match="--by"):
        close_followup(store, store.followups()[0].id, None, "done", START)


def test_an_open_one_needs_a_note(store):
    one = store.followups()[0]
    with pytest.raises(UsageError, match="--note"):
        close_followup(store, one.id, "erika", None, START)
    assert store.followup(one.id).state is FollowUpState.OPEN
    closed = close_followup(store, one.id[:5], "erika", "the disk is a test", START)
    assert (closed.state, closed.closed_by, closed.note) == (FollowUpState.CLOSED, "erika", "the disk is a test")
    assert store.followups() == []
    assert store.followups(closed=True) == [closed]


def test_a_proposed_one_is_closed_on_its_proof_and_only_once(store):
    keep(store, 2, 10)
    one = store.followups()[0]
    assert (one.state, one.proof) == (FollowUpState.PROPOSED, "rec2")
    assert close_followup(store, one.id, "erika", None, START).proof == "rec2"
    with pytest.raises(UsageError, match="closed already, by erika"):
        close_followup(store, one.id, "max", None, START)
