"""What every Store does. Each implementation runs the whole of it."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest

from maintops.domain.baselines import Baseline
from maintops.domain.findings import FindingState, finding_id
from maintops.domain.followups import FollowUp, FollowUpState, close
from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.domain.ports import Memory, Remembered, Sighting, Store, Verdict
from maintops.domain.records import record_id
from maintops.domain.runs import Progressed, RunEnded, RunState, ServerAnswered
from maintops.domain.steps import Evidence, StepAnswer
from maintops.errors import StoreError, UsageError
from tests.store_samples import NOW, bad, judging, keep, later, ok, plan, record

# --- runs ------------------------------------------------------------------------------------------------------------


def test_a_begun_run_is_what_was_planned(store: Store) -> None:
    planned = plan(titles=("File systems", "Memory", "System"), engineer="ana")
    store.begin(planned)
    run = store.run("r1")
    assert run.planned == planned
    assert run.state is RunState.RUNNING
    assert [one.server for one in run.unanswered] == ["web1", "web2"]
    assert store.events("r1") == [planned]


def test_optional_texts_that_are_empty_stay_empty(store: Store) -> None:
    planned = plan(engineer="")
    store.begin(planned)
    keep(store, [ok()], customer="", site="", engineer="")
    found = store.record("r1-0001")
    assert (store.run("r1").planned.engineer, found.customer, found.site, found.engineer) == ("", "", "", "")


def test_a_run_is_begun_once(store: Store) -> None:
    store.begin(plan())
    with pytest.raises(StoreError, match="r1 is written down already"):
        store.begin(plan(at=later(hours=1)))
    assert [run.planned.at for run in store.runs()] == [NOW]


def test_a_journal_tells_everything_in_order(store: Store) -> None:
    store.begin(plan())
    progress = Progressed(0, 2, {"web1": "FS-010", "web2": ""}, later(seconds=1))
    store.append("r1", progress)
    keep(store, [bad()], at=later(seconds=2))
    ended = RunEnded(RunState.CANCELLED, "by hand", later(seconds=3))
    store.append("r1", ended)
    answered = ServerAnswered("web1", "r1-0001", Outcome.ATTENTION, later(seconds=2))
    assert store.events("r1") == [plan(), progress, answered, ended]
    run = store.run("r1")
    assert (run.state, run.reason, run.ended) == (RunState.CANCELLED, "by hand", later(seconds=3))
    assert (run.records, run.progress) == ({"web1": "r1-0001"}, progress)


def test_a_run_that_has_ended_takes_no_more_events(store: Store) -> None:
    store.begin(plan())
    store.append("r1", RunEnded(RunState.FINISHED, "", later(seconds=1)))
    store.append("r1", Progressed(1, 2, {}, later(seconds=2)))
    store.append("r1", RunEnded(RunState.INTERRUPTED, "its process died", later(seconds=3)))
    keep(store, [ok()])
    assert [type(event).__name__ for event in store.events("r1")] == ["RunPlanned", "RunEnded"]
    assert store.run("r1").state is RunState.FINISHED
    assert store.record("r1-0001").server == "web1"


def test_runs_come_newest_first(store: Store) -> None:
    for number, hours in ((1, 2), (2, 5), (3, 0), (4, 5)):
        store.begin(plan(f"r{number}", at=later(hours=hours)))
    assert [run.id for run in store.runs()] == ["r4", "r2", "r1", "r3"]
    assert [run.id for run in store.runs(2)] == ["r4", "r2"]
    assert store.run("last").id == "r4"


def test_unfinished_runs_are_those_that_have_not_ended(store: Store) -> None:
    for number in range(1, 5):
        store.begin(plan(f"r{number}", at=later(hours=number)))
    for number, state in ((1, RunState.FINISHED), (3, RunState.INTERRUPTED)):
        store.append(f"r{number}", RunEnded(state, "", later(hours=9)))
    assert [run.id for run in store.runs(unfinished=True)] == ["r4", "r2"]
    assert [run.id for run in store.runs(1, unfinished=True)] == ["r4"]


def test_without_a_run_there_is_no_last_one(store: Store) -> None:
    with pytest.raises(UsageError, match="no run 'last'"):
        store.run("last")


# --- records ---------------------------------------------------------------------------------------------------------


def test_a_record_comes_back_as_it_was(store: Store) -> None:
    store.begin(plan())
    cells = [
        ok("FS-010", "/", used_percent=41.5, device="/dev/vda1", options=["rw", {"deep": [1, None, True]}]),
        Cell("FS-010", "", Outcome.OK),
        bad("FS-010", "/var"),
        Cell("MEM-010", None, Outcome.NOT_MEASURED, message="no tool", not_offered=("swap",)),
        Cell("SYS-010", None, Outcome.FAILED, message="timeout", evidence="line 1\nline 2"),
    ]
    kept = keep(store, cells, notes=("two names",), engineer="ana", customer="acme", site="paris", machine="h" * 16)
    assert store.record("r1-0001") == kept.record
    assert list(store.records()) == [kept.record]


def test_a_record_is_written_once(store: Store) -> None:
    store.begin(plan())
    first = keep(store, [ok()])

    def never(memory: Memory) -> Verdict:
        raise AssertionError("judged twice")

    assert store.commit("r1", "r1-0001", "web1", never, b"again", later(hours=1)) is None
    assert list(store.records()) == [first.record]
    assert store.answer("r1-0001") is None
    assert len(store.events("r1")) == 2


def test_records_come_newest_first(store: Store) -> None:
    for number, hours in ((1, 2), (2, 5), (3, 0), (4, 5)):
        store.begin(plan(f"r{number}"))
        keep(store, [ok()], run=f"r{number}", at=later(hours=hours))
    assert [one.run for one in store.records()] == ["r4", "r2", "r1", "r3"]
    assert [one.run for one in store.records(limit=2)] == ["r4", "r2"]
    assert list(store.records(limit=0)) == []


def test_records_of_a_run_come_as_planned(store: Store) -> None:
    servers = [f"s{number}" for number in range(1, 6)]
    store.begin(plan(servers=servers))
    for index in (4, 1, 5, 2):
        keep(store, [ok()], index=index, server=f"s{index}", at=later(seconds=-index))
    assert [one.server for one in store.records(run="r1")] == ["s1", "s2", "s4", "s5"]
    assert [one.server for one in store.records(run="r1", limit=3)] == ["s1", "s2", "s4"]
    assert [one.server for one in store.records(run="r1", server="s4")] == ["s4"]
    assert list(store.records(run="nosuch")) == []


def test_records_that_were_not_planned_come_last(store: Store) -> None:
    store.begin(plan(servers=["b", "a"]))
    store.commit("r1", "a-0000", "x", judging("r1", "a-0000", "x", [ok()]), b"", NOW)
    keep(store, [ok()], index=2, server="a")
    keep(store, [ok()], index=1, server="b")
    assert [one.server for one in store.records(run="r1")] == ["b", "a", "x"]


def test_the_tenthousandth_server_comes_after_the_one_before(store: Store) -> None:
    store.begin(plan(servers=[f"s{number}" for number in range(1, 10_002)]))
    for index in (10_000, 9_999, 10_001):
        keep(store, [ok()], index=index, server=f"s{index}")
    assert [one.server for one in store.records(run="r1")] == ["s9999", "s10000", "s10001"]


def test_records_are_found_by_server_and_checklist(store: Store) -> None:
    store.begin(plan())
    store.begin(plan("r2", checklist="weekly-check"))
    keep(store, [ok()], at=later(hours=1))
    keep(store, [ok()], index=2, server="web2", at=later(hours=2))
    keep(store, [ok()], run="r2", at=later(hours=3), checklist="weekly-check")
    assert [one.id for one in store.records(server="web1")] == ["r2-0001", "r1-0001"]
    assert [one.id for one in store.records(checklist="daily-check")] == ["r1-0002", "r1-0001"]
    assert [one.id for one in store.records(server="web1", checklist="daily-check")] == ["r1-0001"]
    assert list(store.records(server="WEB1")) == []


def test_many_records_come_one_after_the_other(store: Store) -> None:
    """More than a database reads at a time, several of them of the same moment."""
    store.begin(plan(servers=[f"s{number}" for number in range(450)]))
    for index in range(450):
        keep(store, [ok()], index=index + 1, server=f"s{index}", at=later(seconds=index // 7))
    newest = [one.id for one in store.records()]
    assert newest == sorted((record_id("r1", index) for index in range(1, 451)), reverse=True)
    assert [one.id for one in store.records(limit=401)] == newest[:401]
    assert [one.id for one in store.records(run="r1")] == newest[::-1]


def test_records_can_be_written_while_they_are_read(store: Store) -> None:
    store.begin(plan())
    keep(store, [ok()])
    reading = store.records()
    assert next(reading).id == "r1-0001"
    keep(store, [ok()], index=2, server="web2")
    assert {one.id for one in store.records()} == {"r1-0001", "r1-0002"}


# --- ids -------------------------------------------------------------------------------------------------------------


def test_a_prefix_names_one_thing(store: Store) -> None:
    store.begin(plan("20260301-abcd"))
    store.begin(plan("20260302-abcd"))
    keep(store, [bad()], run="20260302-abcd")
    (finding,) = store.findings()
    (followup,) = store.followups()
    assert store.run("20260302").id == "20260302-abcd"
    assert store.record("20260302").id == "20260302-abcd-0001"
    assert store.finding(finding.id[:5]) == finding
    assert store.followup(followup.id[:5]) == followup


@pytest.mark.parametrize("prefix", ["nosuch", "", "%", "_", "\x00", "\udc80", "2026030\\"])
def test_what_names_nothing_is_an_error_that_names_it(store: Store, prefix: str) -> None:
    store.begin(plan("20260301-abcd"))
    keep(store, [bad()], run="20260301-abcd")
    for noun, lookup in (
        ("run", store.run),
        ("record", store.record),
        ("finding", store.finding),
        ("follow-up", store.followup),
    ):
        with pytest.raises(UsageError) as raised:
            lookup(prefix)
        assert str(raised.value) == f"There is no {noun} {prefix!r}."


def test_whole_ids_must_name_something(store: Store) -> None:
    store.begin(plan())
    judge = judging("nosuch", "nosuch-0001", "web1", [ok()])
    for lookup in (
        lambda: store.events("nosuch"),
        lambda: store.append("nosuch", Progressed(0, 1, {}, NOW)),
        lambda: store.commit("nosuch", "nosuch-0001", "web1", judge, b"", NOW),
        lambda: store.answer("nosuch"),
        lambda: store.history("nosuch"),
        lambda: store.change_followup("nosuch", lambda one: one),
    ):
        with pytest.raises(UsageError, match="'nosuch'"):
            lookup()
    with pytest.raises(UsageError, match="There is no run 'r'"):
        store.events("r")


def test_an_ambiguous_prefix_names_its_candidates(store: Store) -> None:
    for number in range(12):
        store.begin(plan(f"run-{number:02d}"))
    with pytest.raises(UsageError) as raised:
        store.run("run-1")
    assert str(raised.value) == "'run-1' could be several runs: run-10, run-11. Write more of the id."
    with pytest.raises(UsageError, match=r"run-00, .*run-09, …"):
        store.run("run-")


def test_a_whole_id_wins_over_a_longer_one(store: Store) -> None:
    store.begin(plan("r1"))
    store.begin(plan("r10"))
    assert store.run("r1").id == "r1"
    keep(store, [ok()], run="r1", index=1000)
    keep(store, [ok()], run="r1", index=10000, server="web2")
    assert store.record("r1-1000").server == "web1"


def test_ids_differ_by_case(store: Store) -> None:
    store.begin(plan("run-a"))
    with pytest.raises(UsageError, match="no run 'RUN-A'"):
        store.run("RUN-A")


# --- memory ----------------------------------------------------------------------------------------------------------


def test_a_server_never_seen_is_not_remembered(store: Store) -> None:
    assert store.memory("web1") == Memory()


def test_the_judge_gets_what_is_remembered(store: Store) -> None:
    store.begin(plan())
    store.begin(plan("r2"))
    first = keep(store, [ok("FS-010", "/"), bad("FS-010", "/var"), ok("MEM-010", None, free=5)])
    seen: list[Memory] = []

    def judge(memory: Memory) -> Verdict:
        seen.append(memory)
        return Verdict(record("r2", "r2-0001", "web1", [ok()]))

    store.commit("r2", "r2-0001", "web1", judge, b"", later(days=1))
    assert seen == [Memory(first.facts, first.findings, first.followups)]
    assert store.memory("web1") == seen[0]
    assert store.memory("web2") == Memory()


def test_facts_replace_those_of_their_check_only(store: Store) -> None:
    store.begin(plan())
    store.begin(plan("r2"))
    keep(store, [ok("FS-010", "/"), ok("FS-010", "/var"), ok("MEM-010", None, free=5)])
    vanished = Remembered({"size": 1}, "r1-0001", NOW, ("model",), vanished=True)
    facts = {"FS-010": {"/": Remembered({"size": 2}, "r2-0001", later(days=1)), "/old": vanished}, "SYS-010": {}}
    verdict = Verdict(record("r2", "r2-0001", "web1", [ok()]), facts)
    store.commit("r2", "r2-0001", "web1", lambda _: verdict, b"", later(days=1))
    memory = store.memory("web1").facts
    assert memory == facts | {"MEM-010": {None: Remembered({"free": 5}, "r1-0001", NOW)}}


def test_nothing_is_kept_of_a_verdict_that_was_not_reached(store: Store) -> None:
    store.begin(plan())
    store.begin(plan("r2"))
    keep(store, [bad()])
    before = (store.memory("web1"), store.events("r2"), list(store.records()))

    def judge(memory: Memory) -> Verdict:
        raise ZeroDivisionError("a rule broke")

    with pytest.raises(ZeroDivisionError, match="a rule broke"):
        store.commit("r2", "r2-0001", "web1", judge, b"answer", NOW)
    assert (store.memory("web1"), store.events("r2"), list(store.records())) == before
    keep(store, [bad()], run="r2")


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", NOW])
def test_a_fact_that_is_no_json_value_keeps_nothing(store: Store, value: Any) -> None:
    store.begin(plan())
    with pytest.raises(TypeError, match=f"'size' is a {type(value).__name__}"):
        keep(store, [bad(size=value)])
    assert store.memory("web1") == Memory()
    assert list(store.records()) == []
    assert store.findings(gone=True) == []
    assert store.events("r1") == [plan()]


def test_a_verdict_on_something_else_keeps_nothing(store: Store) -> None:
    store.begin(plan())
    for judge in (
        judging("r2", "r1-0001", "web1", [bad()]),
        judging("r1", "r1-0002", "web1", [bad()]),
        judging("r1", "r1-0001", "web2", [bad()]),
    ):
        with pytest.raises(ValueError, match=r"was given for web1 \(r1-0001\)"):
            store.commit("r1", "r1-0001", "web1", judge, b"", NOW)
    assert store.findings() == []


def test_what_a_store_hands_out_is_the_callers_own(store: Store) -> None:
    store.begin(plan())
    facts = {"sizes": [1, 2]}
    keep(store, [Cell("FS-010", None, Outcome.OK, facts=facts)])
    facts["sizes"].append(3)
    store.record("r1").cells[0].facts["sizes"].append(4)
    assert store.record("r1").cells[0].facts == {"sizes": [1, 2]}
    assert store.memory("web1").facts["FS-010"][None].facts == {"sizes": [1, 2]}


# --- findings --------------------------------------------------------------------------------------------------------


def test_a_finding_has_a_history(store: Store) -> None:
    lives: list[tuple[Cell, FindingState]] = [
        (bad(severity=Severity.WARNING), FindingState.NEW),
        (bad(severity=Severity.WARNING), FindingState.KNOWN),
        (bad(severity=Severity.CRITICAL, message="/var is 99 % full"), FindingState.WORSE),
        (bad(severity=Severity.INFO), FindingState.BETTER),
        (ok("FS-010", "/var"), FindingState.GONE),
        (bad(), FindingState.BACK),
    ]
    for number, (cell, _) in enumerate(lives):
        store.begin(plan(f"r{number}"))
        keep(store, [cell], run=f"r{number}", at=later(days=number))
    (finding,) = store.findings()
    assert finding.id == finding_id("web1", "FS-010", "/var")
    assert (finding.times, finding.first_seen, finding.last_seen) == (5, NOW, later(days=5))
    history = store.history(finding.id)
    assert [(one.record, one.at, one.state) for one in history] == [
        (f"r{number}-0001", later(days=number), state) for number, (_, state) in enumerate(lives)
    ]
    assert history[2] == Sighting("r2-0001", later(days=2), FindingState.WORSE, Severity.CRITICAL, "/var is 99 % full")


def test_findings_come_worst_and_newest_first(store: Store) -> None:
    store.begin(plan())
    store.begin(plan("r2"))
    keep(store, [bad(subject="/a"), bad(subject="/b", severity=Severity.CRITICAL), bad(subject="/gone")])
    keep(
        store,
        [bad(subject="/c"), bad(subject="/d", severity=Severity.INFO), ok("FS-010", "/gone")],
        run="r2",
        at=later(days=1),
    )
    keep(store, [bad(subject="/e", severity=Severity.CRITICAL)], run="r2", index=2, server="web2", at=later(days=2))
    assert [one.subject for one in store.findings()] == ["/e", "/b", "/c", "/a", "/d"]
    assert [one.subject for one in store.findings(server="web2")] == ["/e"]
    gone = store.findings(server="web1", gone=True)
    assert {one.subject for one in gone} - {one.subject for one in store.findings(server="web1")} == {"/gone"}
    assert store.findings(server="nosuch") == []


def test_of_a_finding_that_is_told_twice_the_last_counts(store: Store) -> None:
    """A server can name the same subject twice."""
    store.begin(plan())
    keep(store, [bad(message="first"), bad(message="second")])
    (finding,) = store.findings()
    assert finding.message == "second"
    assert [one.message for one in store.history(finding.id)] == ["second"]


# --- follow-ups ------------------------------------------------------------------------------------------------------


def test_followups_come_oldest_first(store: Store) -> None:
    store.begin(plan())
    keep(store, [bad("MEM-010")], at=later(hours=2))
    keep(store, [bad("FS-010")], index=2, server="web2", at=later(hours=1))
    assert [one.server for one in store.followups()] == ["web2", "web1"]
    assert [one.title for one in store.followups(server="web1")] == ["Look at MEM-010"]


def test_a_followup_is_proposed_and_closed(store: Store) -> None:
    store.begin(plan())
    store.begin(plan("r2"))
    keep(store, [bad()])
    keep(store, [ok("FS-010", "/var")], run="r2", at=later(days=1))
    (proposed,) = store.followups()
    assert (proposed.state, proposed.proof) == (FollowUpState.PROPOSED, "r2-0001")
    closed = store.change_followup(proposed.id, lambda one: close(one, "ana", "cleaned", later(days=2)))
    assert (closed.state, closed.closed_by, closed.closed) == (FollowUpState.CLOSED, "ana", later(days=2))
    assert store.followup(proposed.id) == closed
    assert store.followups() == []
    assert store.followups(closed=True) == [closed]
    assert store.memory("web1").followups == ()


def test_a_change_that_fails_changes_nothing(store: Store) -> None:
    store.begin(plan())
    keep(store, [bad()])
    (before,) = store.followups()

    def change(followup: FollowUp) -> FollowUp:
        raise ZeroDivisionError("no")

    with pytest.raises(ZeroDivisionError):
        store.change_followup(before.id, change)
    assert store.followups() == [before]
    store.change_followup(before.id, lambda one: close(one, "ana", None, NOW))


def test_a_followup_gathers_findings(store: Store) -> None:
    store.begin(plan())
    store.begin(plan("r2"))
    keep(store, [bad("FS-010", "/z")])
    keep(store, [bad("FS-010", "/z"), bad("FS-010", "/a")], run="r2")
    (one,) = store.followups()
    assert one.findings == (finding_id("web1", "FS-010", "/z"), finding_id("web1", "FS-010", "/a"))


# --- raw answers -----------------------------------------------------------------------------------------------------


def test_a_raw_answer_is_kept_byte_for_byte(store: Store) -> None:
    store.begin(plan())
    answer = bytes(range(256)) * 40
    keep(store, [ok()], answer=answer)
    keep(store, [ok()], index=2, server="web2")
    assert store.answer("r1-0001") == answer
    assert store.answer("r1-0002") is None


def test_an_answer_that_is_too_long_is_dropped_without_a_word(store: Store) -> None:
    store.begin(plan())
    keep(store, [ok()], answer=hashlib.shake_128(b"noise").digest(300 * 1024))
    keep(store, [ok()], index=2, server="web2", answer=b"x" * 10_000_000)
    assert store.answer("r1-0001") is None
    assert store.answer("r1-0002") == b"x" * 10_000_000
    assert store.record("r1-0001").server == "web1"


def test_old_answers_are_forgotten(store: Store) -> None:
    store.begin(plan(servers=["a", "b", "c"]))
    for index, server in enumerate("abc", 1):
        keep(store, [ok()], index=index, server=server, at=later(days=index), answer=b"answer")
    limit = store.record("r1-0002").ended
    assert store.prune_answers(limit) == 1
    assert store.prune_answers(limit) == 0
    assert [store.answer(record_id("r1", index)) for index in (1, 2, 3)] == [None, b"answer", b"answer"]
    assert store.prune_answers(limit + timedelta(microseconds=1)) == 1


# --- baselines and trends --------------------------------------------------------------------------------------------


def baseline(server: str = "web1", check: str = "FS-010", why: str = "as built", **facts: Any) -> Baseline:
    subjects = {None: {}, "": {"deep": [1, {"a": None}]}, "/": facts}
    return Baseline(server, check, subjects, "r1-0001", later(hours=1), "ana", why)


def test_a_baseline_comes_back_as_it_was(store: Store) -> None:
    accepted = baseline(used_percent=41.5, words="\ud800\0ä")
    store.accept([accepted])
    assert store.baselines() == [accepted]
    assert store.memory("web1").baselines == {"FS-010": accepted}
    assert store.memory("web2").baselines == {}


def test_the_newest_baseline_counts_and_the_others_stay(store: Store) -> None:
    first, second, third = (baseline(why=why) for why in ("first", "second", "third"))
    store.accept([first, baseline("web0"), baseline(check="AA-010")])
    store.accept([second, third])
    assert store.memory("web1").baselines["FS-010"] == third
    assert store.baselines() == [baseline("web0"), baseline(check="AA-010"), third]
    assert store.baselines(server="web1", replaced=True) == [baseline(check="AA-010"), third, second, first]
    assert store.baselines(server="nobody") == []


def test_the_points_of_a_trend_are_remembered(store: Store) -> None:
    store.begin(plan())
    points = {"used_percent": ((1_700_000_000, 41.5), (1_700_086_400, 42.0))}
    remembered = Remembered({"used_percent": 42.0}, "r1-0001", NOW, points=points)
    verdict = Verdict(record("r1", "r1-0001", "web1", [ok()]), {"FS-010": {"/": remembered}})
    store.commit("r1", "r1-0001", "web1", lambda memory: verdict, b"", NOW)
    assert store.memory("web1").facts == {"FS-010": {"/": remembered}}


# --- steps by hand ---------------------------------------------------------------------------------------------------


def test_an_answer_is_an_event_even_after_the_runs_end(store: Store) -> None:
    store.begin(plan())
    proof = (Evidence("x.jpg", "ab" * 32, 7),)
    first = StepAnswer("web1", "OV-910", "ana", later(seconds=1), choice="clean", note="\ud800", evidence=proof)
    store.append("r1", first)
    store.append("r1", RunEnded(RunState.FINISHED, "", later(seconds=2)))
    second = StepAnswer("web2", "OV-920", "ana", later(seconds=3), reading=4.5)
    third = StepAnswer("web1", "OV-910", "ben", later(seconds=4), skipped="no ladder")
    store.append("r1", second)
    store.append("r1", third)
    store.append("r1", RunEnded(RunState.INTERRUPTED, "late", later(seconds=5)))
    run = store.run("r1")
    assert (run.state, run.ended) == (RunState.FINISHED, later(seconds=2))
    assert run.steps == {("web1", "OV-910"): third, ("web2", "OV-920"): second}
    assert store.events("r1")[1] == first
    assert len(store.events("r1")) == 5


def test_evidence_is_kept_by_what_it_holds(store: Store) -> None:
    body = bytes(range(256)) * 9
    digest = store.keep_evidence(body)
    assert digest == hashlib.sha256(body).hexdigest()
    assert store.keep_evidence(body) == digest
    store.keep_evidence(b"other")
    assert store.evidence(digest) == store.evidence(digest[:12]) == body
    with pytest.raises(UsageError, match="no evidence"):
        store.evidence("zz")


def test_further_parts_of_a_record_follow_the_planned_ones(store: Store) -> None:
    store.begin(plan())
    for id, server in (("r1-0001.2", "web1"), ("r1-0002", "web2"), ("r1-0001", "web1")):
        verdict = Verdict(record("r1", id, server, [ok()], item="OV-1"))
        assert store.commit("r1", id, server, lambda memory, verdict=verdict: verdict, b"", NOW) is not None
    assert [one.id for one in store.records(run="r1")] == ["r1-0001", "r1-0002", "r1-0001.2"]
    assert store.record("r1-0001.2").item == "OV-1"
