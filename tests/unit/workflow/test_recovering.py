from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.journeys import BEFORE, journal
from maintops.domain.outcomes import Cell, Outcome
from maintops.domain.ports import Memory, Verdict
from maintops.domain.records import ServiceRecord, merged
from maintops.domain.runs import (
    PlannedServer,
    Remarked,
    Resumed,
    RunEnded,
    RunPlanned,
    RunState,
    ServerAnswered,
    StageBegan,
    StageEnded,
    StageResult,
)
from maintops.store.memory import MemoryStore
from maintops.workflow.recovering import UNTOUCHED, interrupt, recover, stage_cells
from tests.unit.workflow.samples import OWNER, START

NAMES = [f"s{number}" for number in range(4)]
CHECKS = ("A-100", "A-200")
LATER = START + timedelta(hours=1)


def begun(store, run="r1", owner=OWNER):
    servers = tuple(PlannedServer(name, f"{run}-{name}", "ssh", customer="Example") for name in NAMES)
    store.begin(RunPlanned(run, "sample", "v1", "Sample", "inspection", CHECKS, servers, owner, START, "erika"))


def record_of(run, name):
    cells = tuple(Cell(check, None, Outcome.OK) for check in CHECKS)
    return ServiceRecord(f"{run}-{name}", run, name, "sample", "v1", "Sample", "inspection", "ssh", START, START, cells)


def answer(store, name, run="r1"):
    record = record_of(run, name)

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


# --- runs that change servers ----------------------------------------------------------------------------------------

STEPS = ("A-100", "PT-500", "PT-600")
NEXT = replace(OWNER, pid=99)


def changing(store, run="c1"):
    servers = tuple(PlannedServer(name, f"{run}-{name}", "ssh", customer="Example") for name in NAMES)
    planned = RunPlanned(run, "patch", "v1", "Patch", "patching", STEPS, servers, OWNER, START, "erika")
    store.begin(replace(planned, plan="ab" * 32))


def stage(store, name, id, result=None, message="", run="c1"):
    """A stage that began, and where there is a result ended."""
    store.append(run, StageBegan(name, id, START))
    if result is not None:
        store.append(run, StageEnded(name, id, result, message, START))


def told(store, name, run="c1"):
    """Check -> outcome and message, its parts put together."""
    record = merged(one for one in store.records(run=run) if one.server == name)
    return {cell.check: (cell.outcome, cell.message) for cell in record.cells}


def parts(store, run="c1"):
    return sorted(record.id for record in store.records(run=run))


def test_who_was_not_touched_is_not_reached():
    store = MemoryStore()
    changing(store)
    (run,) = recover(store, lambda owner: True, LATER)
    assert (run.state, run.reason, run.ended) == (RunState.INTERRUPTED, "its process died", LATER)
    for name in NAMES:
        assert told(store, name) == dict.fromkeys(STEPS, (Outcome.NOT_REACHED, UNTOUCHED))
    record = store.record("c1-s0")
    assert (record.notes, record.started, record.ended, record.engineer) == ((UNTOUCHED,), START, LATER, "erika")


def test_of_whom_was_touched_each_stage_is_told_as_far_as_it_came():
    store = MemoryStore()
    changing(store)
    stage(store, "s0", BEFORE, StageResult.OK)
    stage(store, "s0", "PT-500", StageResult.OK, "14 packages")
    stage(store, "s0", "PT-600")
    stage(store, "s1", "PT-500", StageResult.FAILED, "no space")
    stage(store, "s2", BEFORE)
    recover(store, lambda owner: True, LATER)
    why = "maintops died in the middle of PT-600; maintops run continue c1 finds out"
    assert told(store, "s0") == {
        "A-100": (Outcome.UNKNOWN, why),
        "PT-500": (Outcome.OK, "14 packages"),
        "PT-600": (Outcome.UNKNOWN, why),
    }
    between = "maintops died before it was done; maintops run continue c1 goes on"
    assert told(store, "s1")["PT-500"] == (Outcome.FAILED, "no space")
    assert told(store, "s1")["PT-600"] == (Outcome.UNKNOWN, between)
    before = "maintops died in the middle of the first look; maintops run continue c1 finds out"
    assert set(told(store, "s2").values()) == {(Outcome.UNKNOWN, before)}
    assert told(store, "s3")["PT-500"] == (Outcome.NOT_REACHED, UNTOUCHED)


def test_a_stage_that_ended_before_it_was_begun_is_told_and_touches_nobody():
    store = MemoryStore()
    changing(store)
    store.append("c1", StageEnded("s0", "PT-500", StageResult.UNREACHABLE, "no route", START))
    recover(store, lambda owner: True, LATER)
    assert told(store, "s0") == {
        "A-100": (Outcome.NOT_REACHED, UNTOUCHED),
        "PT-500": (Outcome.UNREACHABLE, "no route"),
        "PT-600": (Outcome.NOT_REACHED, UNTOUCHED),
    }


def test_a_stage_that_began_again_is_mid_flight_again():
    store = MemoryStore()
    changing(store)
    stage(store, "s0", "PT-500", StageResult.FAILED, "no space")
    stage(store, "s0", "PT-500")
    recover(store, lambda owner: True, LATER)
    assert told(store, "s0")["PT-500"][0] is Outcome.UNKNOWN


def test_every_result_of_a_stage_has_its_outcome():
    outcomes = {
        StageResult.OK: Outcome.OK,
        StageResult.SKIPPED: Outcome.SKIPPED,
        StageResult.FAILED: Outcome.FAILED,
        StageResult.UNREACHABLE: Outcome.UNREACHABLE,
        StageResult.UNKNOWN: Outcome.UNKNOWN,
        StageResult.WAITING: Outcome.NOT_REACHED,
    }
    assert set(outcomes) == set(StageResult)
    for result, outcome in outcomes.items():
        journey = journal([StageEnded("s0", "PT-500", result, "so", START)]).journey("s0")
        assert stage_cells(["PT-500"], journey, "why") == (Cell("PT-500", None, outcome, message="so"),)


def test_whoever_has_a_record_keeps_it():
    store = MemoryStore()
    changing(store)
    stage(store, "s0", "PT-500")
    answer(store, "s0", "c1")
    recover(store, lambda owner: True, LATER)
    assert {cell.outcome for cell in store.record("c1-s0").cells} == {Outcome.OK}
    assert parts(store) == [f"c1-{name}" for name in NAMES]


def test_records_come_before_the_remark_and_the_remark_before_the_end():
    store = MemoryStore()
    changing(store)
    recover(store, lambda owner: True, LATER)
    *others, remark, end = store.events("c1")
    assert [type(event) for event in others] == [RunPlanned, *[ServerAnswered] * 4]
    assert remark == Remarked("the process 1 on control died; its servers are free again", LATER)
    assert end == RunEnded(RunState.INTERRUPTED, "its process died", LATER)


def test_a_process_that_broke_off_did_not_die():
    store = MemoryStore()
    changing(store)
    run = interrupt(store, store.run("c1"), LATER, "KeyboardInterrupt")
    assert run.reason == "KeyboardInterrupt"
    words = "the process 1 on control broke off (KeyboardInterrupt); its servers are free again"
    assert store.events("c1")[-2] == Remarked(words, LATER)


def gone_on(store):
    """A run that died on s0 and s1, and was resumed."""
    changing(store)
    stage(store, "s0", "PT-500")
    stage(store, "s1", "PT-500", StageResult.OK, "14 packages")
    recover(store, lambda owner: True, LATER)
    store.resume("c1", Resumed(NEXT, "bob", LATER))


def test_of_a_resumed_run_only_whoever_was_touched_since_gets_a_further_part():
    store = MemoryStore()
    gone_on(store)
    before = {record.id: record for record in store.records(run="c1")}
    stage(store, "s0", "PT-500", StageResult.OK, "done after all")
    stage(store, "s2", "PT-500")
    end = LATER + timedelta(hours=1)
    assert recover(store, lambda owner: owner == OWNER, end) == []
    (run,) = recover(store, lambda owner: owner == NEXT, end)
    assert (run.state, run.ended) == (RunState.INTERRUPTED, end)
    assert parts(store) == ["c1-s0", "c1-s0.2", "c1-s1", "c1-s2", "c1-s2.2", "c1-s3"]
    assert {id: store.record(id) for id in before} == before
    assert told(store, "s0")["PT-500"] == (Outcome.OK, "done after all")
    assert told(store, "s2")["PT-500"][0] is Outcome.UNKNOWN
    assert told(store, "s3")["PT-500"] == (Outcome.NOT_REACHED, UNTOUCHED)
    part = store.record("c1-s0.2")
    assert (part.started, part.ended, part.customer) == (LATER, end, "Example")
    assert store.events("c1")[-2] == Remarked("the process 99 on control died; its servers are free again", end)


def test_whoever_got_a_part_since_the_run_was_resumed_keeps_it():
    store = MemoryStore()
    gone_on(store)
    stage(store, "s0", "PT-500")
    part = replace(store.record("c1-s0"), id="c1-s0.2")
    store.commit("c1", part.id, "s0", lambda _: Verdict(part), b"", LATER)
    recover(store, lambda owner: True, LATER)
    assert parts(store) == ["c1-s0", "c1-s0.2", "c1-s1", "c1-s2", "c1-s3"]


class Racing(MemoryStore):
    """Something else happens right before a record is written."""

    meanwhile = None

    def commit(self, *args, **more):
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        return super().commit(*args, **more)


def test_two_who_recover_a_run_at_once_write_one_part():
    store = Racing()
    gone_on(store)
    stage(store, "s0", "PT-500")
    store.meanwhile = lambda: recover(store, lambda owner: True, LATER)
    recover(store, lambda owner: True, LATER)
    assert parts(store) == ["c1-s0", "c1-s0.2", "c1-s1", "c1-s2", "c1-s3"]
    ends = [type(event) for event in store.events("c1")].count(RunEnded)
    assert (ends, [type(event) for event in store.events("c1")].count(Remarked)) == (2, 2)


def test_a_run_that_somebody_goes_on_with_meanwhile_is_not_ended():
    store = Racing()
    changing(store)

    def another():
        recover(store, lambda owner: True, LATER)
        store.resume("c1", Resumed(NEXT, "bob", LATER))

    store.meanwhile = another
    (run,) = recover(store, lambda owner: True, LATER)
    assert (run.state, run.owner) == (RunState.RUNNING, NEXT)
    assert type(store.events("c1")[-1]) is Resumed


@given(st.data())
def test_a_journal_cut_anywhere_leaves_no_cell_without_an_outcome(data):
    """Killed and resumed again and again: every server has a record, one per planned cell, and a part is never lost."""
    store = MemoryStore()
    changing(store)
    known = []
    for number in range(data.draw(st.integers(1, 3))):
        for _ in range(data.draw(st.integers(0, 6))):
            name, id = data.draw(st.sampled_from(NAMES)), data.draw(st.sampled_from(STEPS[1:]))
            stage(store, name, id, data.draw(st.none() | st.sampled_from(StageResult)))
        (run,) = recover(store, lambda owner: True, LATER + timedelta(hours=number))
        assert run.state is RunState.INTERRUPTED
        assert run.unanswered == ()
        ids = parts(store)
        assert set(known) <= set(ids)
        known = ids
        journeys = journal(store.events("c1"))
        for name in NAMES:
            cells = told(store, name)
            assert list(cells) == list(STEPS)
            if journeys.journey(name).touched:
                mid = journeys.journey(name).mid
                assert not mid or cells[mid][0] is Outcome.UNKNOWN
            else:
                assert {outcome for outcome, _ in cells.values()} == {Outcome.NOT_REACHED}
        store.resume("c1", Resumed(replace(OWNER, pid=number + 2), "bob", LATER))
