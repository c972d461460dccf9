"""What every Store does for runs that change servers: their events, locks, resumption, approvals and holds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from maintops.domain.holds import Approval, Hold
from maintops.domain.identities import Identity
from maintops.domain.outcomes import Outcome
from maintops.domain.ports import Store, Verdict
from maintops.domain.runs import (
    Owed,
    Progressed,
    Remarked,
    RunEnded,
    RunState,
    ServerAnswered,
    Settled,
    StageBegan,
    StageEnded,
    StageResult,
    Waved,
)
from maintops.domain.steps import StepAnswer
from maintops.errors import Locked, UsageError
from tests.store_samples import NOW, OWNER, changing, keep, later, ok, plan, record, resumed

HOSTILE = "\x00 \ud83d\ude00 \\u0000 {{ 7*7 }}"
ALICE = Identity("alice@ops1", "Alice")


def began(seconds: int = 1, server: str = "web1", **facts: Any) -> StageBegan:
    return StageBegan(server, "PT-500", later(seconds=seconds), facts)


def ended(state: RunState = RunState.HELD, seconds: int = 9) -> RunEnded:
    return RunEnded(state, "the budget is spent", later(seconds=seconds))


def refusal(store: Store, *args: Any) -> str:
    with pytest.raises(Locked) as raised:
        store.begin(changing(*args, at=later(hours=1)))
    return str(raised.value)


# --- events ----------------------------------------------------------------------------------------------------------


def test_what_a_change_writes_comes_back_in_order(store: Store) -> None:
    planned = changing(emergency="a hole \x00", of="c0")
    store.begin(planned)
    written = [
        Waved(1, "began", HOSTILE, later(seconds=1)),
        Owed("web1", "undrain", "lb enable web1", "controller", 300.0, later(seconds=2)),
        began(3, boot="b/1", packages={"a": "1.0"}, text=HOSTILE),
        StageEnded("web1", "PT-500", StageResult.UNKNOWN, HOSTILE, later(seconds=4), {"tasks": [1, None]}),
        Settled("web1", "undrain", "maintops", "it serves", later(seconds=5)),
        Remarked(HOSTILE, later(seconds=6)),
    ]
    store.append("c1", *written[:4])
    store.append("c1", *written[4:])
    assert store.events("c1") == [planned, *written]
    assert store.run("c1").planned.changes


def test_events_are_kept_all_or_none(store: Store) -> None:
    store.begin(changing())
    with pytest.raises(TypeError, match="'boot' is a bytes"):
        store.append("c1", began(1), began(2, boot=b"x"), ended())
    with pytest.raises(TypeError, match="naive"):
        store.append("c1", began(1), Remarked("x", NOW.replace(tzinfo=None)))
    assert store.events("c1") == [changing()]
    assert store.run("c1").state is RunState.RUNNING
    store.append("c1")
    assert store.events("c1") == [changing()]


def test_after_its_end_a_run_takes_only_what_may_come_afterwards(store: Store) -> None:
    store.begin(changing())
    late = [
        Settled("web1", "undrain", "bob", "paid", later(seconds=11)),
        Owed("web1", "undrain", "x", "controller", 1.0, later(seconds=12)),
        Remarked("looked at", later(seconds=13)),
        StepAnswer("web1", "PT-900", "bob", later(seconds=14), choice="done"),
    ]
    store.append("c1", began(), ended(), began(10), *late[:2], ended(RunState.FINISHED))
    store.append("c1", Progressed(1, 2, {}, later(seconds=15)), Waved(2, "began", "", NOW), *late[2:])
    assert store.events("c1") == [changing(), began(), ended(), *late]
    run = store.run("c1")
    assert (run.state, run.reason, run.ended) == (RunState.HELD, "the budget is spent", later(seconds=9))
    assert store.runs(unfinished=True) == []


def test_events_of_a_process_are_kept_only_while_it_has_the_run(store: Store) -> None:
    """Who has taken a process for dead must not end the run of the next one."""
    store.begin(changing())
    store.append("c1", began(), owner=resumed().owner)
    assert store.events("c1") == [changing()]
    store.append("c1", began(), ended(), owner=OWNER)
    store.append("c1", Remarked("late", NOW), owner=OWNER)
    store.resume("c1", resumed(later(seconds=20)))
    store.append("c1", Remarked("late", NOW), ended(RunState.INTERRUPTED, 21), owner=OWNER)
    assert store.run("c1").state is RunState.RUNNING
    store.append("c1", ended(RunState.FINISHED, 22), owner=resumed().owner)
    kinds = [type(event).__name__ for event in store.events("c1")]
    assert kinds == ["RunPlanned", "StageBegan", "RunEnded", "Resumed", "RunEnded"]


# --- locks -----------------------------------------------------------------------------------------------------------


def test_a_server_is_changed_by_one_run_at_a_time(store: Store) -> None:
    store.begin(changing("c1", ["web2", "web1"]))
    assert refusal(store, "c2", ["db1", "web1"]) == (
        "web1 is being changed by run c1 (quarterly-patch, begun 2026-03-01 06:30 UTC by alice on ops1); wait for its "
        "end, or follow it: maintops runs c1 --watch; where its machine is gone: "
        "maintops runs c1 --end --why REASON"
    )
    assert refusal(store, "c2", ["web1", "db1", "web2"]).startswith("web1, web2 are being changed by run c1 (")
    assert [run.id for run in store.runs()] == ["c1"]
    store.begin(changing("c2", ["db1", "WEB1"]))


def test_many_servers_in_common_are_counted(store: Store) -> None:
    names = [f"web{number}" for number in range(5)]
    store.begin(changing("c1", names, engineer=None))
    assert refusal(store, "c2", names).startswith(
        "web0, web1 (and 3 more) are being changed by run c1 (quarterly-patch, begun 2026-03-01 06:30 UTC on ops1); "
    )


def test_of_several_that_have_them_the_oldest_is_named(store: Store) -> None:
    for run, server, hours in (("c2", "web2", 2), ("c9", "web9", 1), ("c3", "web3", 1)):
        store.begin(changing(run, [server], at=later(hours=hours)))
    assert "web3 is being changed by run c3 (" in refusal(store, "c4", ["web9", "web2", "web3"])


def test_looking_locks_nobody_and_is_not_locked_out(store: Store) -> None:
    store.begin(plan("r1"))
    store.begin(changing("c1"))
    store.begin(plan("r2"))
    assert [run.id for run in store.runs(unfinished=True)] == ["r2", "r1", "c1"]


@pytest.mark.parametrize("state", [state for state in RunState if state is not RunState.RUNNING])
def test_the_end_of_a_run_frees_its_servers(store: Store, state: RunState) -> None:
    store.begin(changing("c1"))
    store.append("c1", ended(state))
    store.begin(changing("c2"))
    assert store.run("c2").state is RunState.RUNNING


def test_names_of_servers_are_compared_character_by_character(store: Store) -> None:
    store.begin(changing("c1", [HOSTILE, "\ud83d\ude00"]))
    store.begin(changing("c2", ["\U0001f600", HOSTILE + " "]))
    assert "being changed by run c1" in refusal(store, "c3", [HOSTILE])


# --- runs that go on -------------------------------------------------------------------------------------------------


def test_a_run_that_ended_is_gone_on_with(store: Store) -> None:
    store.begin(changing())
    keep(store, [ok()], run="c1")
    store.append("c1", ended())
    again = resumed(later(hours=1))
    store.resume("c1", again)
    run = store.run("c1")
    assert (run.state, run.ended, run.owner, run.resumed) == (RunState.RUNNING, None, again.owner, again)
    assert [one.id for one in store.runs(unfinished=True)] == ["c1"]
    store.append("c1", began(4000), ended(RunState.FINISHED, 5000))
    assert store.events("c1")[-4:] == [ended(), again, began(4000), ended(RunState.FINISHED, 5000)]
    assert (store.run("c1").state, store.run("c1").ended) == (RunState.FINISHED, later(seconds=5000))
    assert store.runs(unfinished=True) == []
    store.append("c1", began(6000))
    assert store.events("c1")[-1] == ended(RunState.FINISHED, 5000)


def test_a_further_part_of_a_resumed_runs_record_is_an_event(store: Store) -> None:
    store.begin(changing())
    keep(store, [ok()], run="c1")
    store.append("c1", ended())
    store.resume("c1", resumed(later(hours=1)))
    verdict = Verdict(record("c1", "c1-0001.2", "web1", [ok()]))
    assert store.commit("c1", "c1-0001.2", "web1", lambda _: verdict, b"", later(hours=2)) == verdict
    assert store.events("c1")[-1] == ServerAnswered("web1", "c1-0001.2", Outcome.OK, later(hours=2))
    assert store.run("c1").records == {"web1": "c1-0001"}


def test_a_run_that_goes_on_has_its_servers_again(store: Store) -> None:
    store.begin(changing("c1", ["web1"]))
    store.append("c1", ended())
    store.resume("c1", resumed(later(hours=1)))
    assert refusal(store, "c2", ["web1"]) == (
        "web1 is being changed by run c1 (quarterly-patch, begun 2026-03-01 06:30 UTC by alice on ops1; resumed "
        "2026-03-01 07:30 UTC by bob on ops2); wait for its end, or follow it: "
        "maintops runs c1 --watch; where its machine is gone: "
        "maintops runs c1 --end --why REASON"
    )


def test_a_run_is_not_gone_on_with_while_another_has_its_servers(store: Store) -> None:
    store.begin(changing("c1", ["web1", "web2"]))
    store.append("c1", ended())
    store.begin(changing("c2", ["web2"]))
    with pytest.raises(Locked, match=r"^web2 is being changed by run c2 \("):
        store.resume("c1", resumed(later(hours=1)))
    assert store.run("c1").state is RunState.HELD
    assert store.events("c1")[-1] == ended()
    store.append("c2", ended())
    store.resume("c1", resumed(later(hours=1)))


def test_a_run_that_only_looks_is_gone_on_with_whoever_changes_its_servers(store: Store) -> None:
    store.begin(plan("r1"))
    store.append("r1", ended())
    store.begin(changing("c1"))
    store.resume("r1", resumed(later(hours=1)))
    assert [run.id for run in store.runs(unfinished=True)] == ["r1", "c1"]


def test_a_run_that_is_running_is_not_resumed(store: Store) -> None:
    store.begin(changing())
    words = (
        r"^The run c1 is running, carried out by process 4711 on ops1 \(begun 2026-03-01 06:30 UTC by alice on ops1\)"
    )
    with pytest.raises(Locked, match=words):
        store.resume("c1", resumed())
    store.append("c1", ended())
    store.resume("c1", resumed(later(hours=1)))
    with pytest.raises(Locked, match=r"by process 5 on ops2 \(begun .*; resumed 2026-03-01 07:30 UTC by bob on ops2\)"):
        store.resume("c1", resumed(later(hours=2), pid=6))
    assert len(store.events("c1")) == 3


def test_only_a_run_that_there_is_can_be_resumed(store: Store) -> None:
    with pytest.raises(UsageError, match="no run 'nosuch'"):
        store.resume("nosuch", resumed())


def test_a_resumption_that_cannot_be_written_changes_nothing(store: Store) -> None:
    store.begin(changing())
    store.append("c1", ended())
    with pytest.raises(TypeError, match="naive"):
        store.resume("c1", resumed(NOW.replace(tzinfo=None)))
    assert store.run("c1").state is RunState.HELD
    assert store.runs(unfinished=True) == []


# --- approvals and holds ---------------------------------------------------------------------------------------------


def approval(plan: str = "ab" * 32, note: str = "", at: datetime = NOW) -> Approval:
    return Approval(plan, ALICE, at, later(days=7), note)


def test_the_approvals_of_a_plan_come_newest_first(store: Store) -> None:
    for note in ("first", HOSTILE, "third"):
        store.keep_approval(approval(note=note))
    store.keep_approval(approval("cd" * 32))
    assert store.approvals("ab" * 32) == [approval(note=note) for note in ("third", HOSTILE, "first")]
    assert store.approvals("cd" * 32) == [approval("cd" * 32)]
    assert store.approvals("ab") == store.approvals("AB" * 32) == []


def hold(id: str = "h1", at: datetime = NOW, **more: Any) -> Hold:
    return Hold(id, Identity("bob@ops2", HOSTILE), "an outage", at, **more)


def test_holds_last_until_somebody_lifts_them(store: Store) -> None:
    assert store.holds() == []
    first, second = hold(place="database"), hold("h2", later(hours=1), until=later(hours=2))
    store.keep_hold(second)
    store.keep_hold(first)
    store.keep_hold(hold("h0", later(hours=1)))
    assert store.holds() == [hold("h0", later(hours=1)), second, first]
    store.keep_hold(hold("h2", later(hours=3), lifted=True))
    assert store.holds() == [hold("h0", later(hours=1)), first]
    store.keep_hold(hold(HOSTILE, lifted=True))
    assert store.holds() == [hold("h0", later(hours=1)), first]


def test_the_last_word_on_a_hold_counts(store: Store) -> None:
    store.keep_hold(hold())
    store.keep_hold(hold(lifted=True))
    again = hold(at=later(days=1), until=later(days=2))
    store.keep_hold(again)
    assert store.holds() == [again]
    store.keep_hold(hold(at=later(days=1), until=later(days=9)))
    assert store.holds() == [hold(at=later(days=1), until=later(days=9))]
