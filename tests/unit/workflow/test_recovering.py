from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.outcomes import Cell, Outcome
from maintops.domain.ports import Memory, Verdict
from maintops.domain.records import ServiceRecord
from maintops.domain.runs import PlannedServer, RunEnded, RunPlanned, RunState
from maintops.store.memory import MemoryStore
from maintops.workflow.recovering import recover
from tests.unit.workflow.samples import OWNER, START

NAMES = [f"s{number}" for number in range(4)]
CHECKS = ("A-100", "A-200")
LATER = START + timedelta(hours=1)


def begun(store, run="r1", owner=OWNER):
    servers = tuple(PlannedServer(name, f"{run}-{name}", "ssh", customer="Example") for name in NAMES)
    store.begin(RunPlanned(run, "sample", "v1", "Sample", "inspection", CHECKS, servers, owner, START, "erika"))


def answer(store, name, run="r1"):
    cells = tuple(Cell(check, None, Outcome.OK) for check in CHECKS)
    record = ServiceRecord(
        f"{run}-{name}", run, name, "sample", "v1", "Sample", "inspection", "ssh", START, START, cells
    )

    def judge(memory: Memory) -> Verdict:
        return Verdict(record)

    store.commit(run, record.id, name, judge, b"", START)


@given(st.sets(st.sampled_from(NAMES)))
def test_what_was_kept_stays_and_everything_else_becomes_unknown(answered):
    store = MemoryStore()
    begun(store)
    for name in answered:
        answer(store, name)
    (run,) = recover(store, lambda owner: True, LATER)
    assert (run.state, run.ended) == (RunState.INTERRUPTED, LATER)
    outcomes = {record.server: {cell.outcome for cell in record.cells} for record in store.records(run="r1")}
    assert outcomes == {name: {Outcome.OK} if name in answered else {Outcome.UNKNOWN} for name in NAMES}
    unknown = [record for record in store.records(run="r1") if record.server not in answered]
    for record in unknown:
        assert [cell.check for cell in record.cells] == list(CHECKS)
        assert (record.engineer, record.customer, record.checklist) == ("erika", "Example", "sample")


def test_a_second_recovery_changes_nothing():
    store = MemoryStore()
    begun(store)
    recover(store, lambda owner: True, LATER)
    assert recover(store, lambda owner: True, LATER + timedelta(hours=1)) == []
    assert store.run("r1").ended == LATER


def test_a_run_whose_owner_lives_or_that_has_ended_is_left_alone():
    store = MemoryStore()
    begun(store, "r1")
    begun(store, "r2", replace(OWNER, pid=99))
    begun(store, "r3")
    store.append("r3", RunEnded(RunState.FINISHED, "", START))
    ended = recover(store, lambda owner: owner.pid == 99, LATER)
    assert [run.id for run in ended] == ["r2"]
    assert store.run("r1").state is RunState.RUNNING
    assert store.run("r3").state is RunState.FINISHED
