"""SqlStore on SQLite and MemoryStore say the same, whatever is done to them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from maintops.domain.followups import close
from maintops.domain.holds import Approval, Hold
from maintops.domain.identities import Identity
from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.domain.ports import Memory, Store, Verdict
from maintops.domain.records import record_id
from maintops.domain.runs import (
    Owed,
    Owner,
    Progressed,
    Remarked,
    RunEnded,
    RunState,
    StageBegan,
    StageEnded,
    StageResult,
    Waved,
)
from maintops.errors import MaintopsError
from maintops.store.opening import open_store
from tests.store_samples import NOW, OWNER, changing, judging, later, plan, resumed

RUNS = st.sampled_from(["r1", "r2", "r22", "s1"])
SERVERS = ("web1", "web2", "db \x00\udc80")
ENDS = [state for state in RunState if state is not RunState.RUNNING]
TIMES = st.integers(0, 400).map(lambda hours: later(hours=hours))
OWNERS = st.none() | st.sampled_from([OWNER, resumed(pid=1).owner, resumed(pid=2).owner])
EVENTS = st.lists(
    st.one_of(
        st.builds(StageBegan, st.sampled_from(SERVERS), st.just("PT-500"), TIMES),
        st.builds(
            StageEnded,
            st.sampled_from(SERVERS),
            st.just("PT-500"),
            st.sampled_from(StageResult),
            st.just("\x00"),
            TIMES,
        ),
        st.builds(
            Owed, st.sampled_from(SERVERS), st.just("undrain"), st.just(""), st.just("server"), st.just(9.5), TIMES
        ),
        st.builds(Waved, st.integers(1, 3), st.sampled_from(["began", "passed"]), st.just(""), TIMES),
        st.builds(Remarked, st.sampled_from(["", "\udc80"]), TIMES),
        st.builds(RunEnded, st.sampled_from(ENDS), st.just("held"), TIMES),
    ),
    max_size=3,
)
CELLS = st.lists(
    st.builds(
        Cell,
        st.sampled_from(["FS-010", "MEM-010"]),
        st.sampled_from([None, "/", "/var\\", "\ud83d\ude00"]),
        st.sampled_from([Outcome.OK, Outcome.ATTENTION, Outcome.NOT_MEASURED]),
        st.none() | st.sampled_from(Severity),
        st.sampled_from(["", "full", "\x00"]),
        st.dictionaries(st.sampled_from("ab"), st.none() | st.integers(0, 3) | st.floats(), max_size=2),
    ),
    min_size=1,
    max_size=4,
)
PREFIXES = st.sampled_from(["r", "r1", "r2", "r2-", "r2-0001", "s", "f-", "u-", "", "last", "x"])


@cache
def _empty() -> bytes:
    """An SQLite file with its schema: made once, copied for every example."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.sqlite"
        open_store(f"sqlite:///{path}").close()
        return path.read_bytes()


def _outcome(action: Callable[[], Any]) -> Any:
    """What a call gives, or the words that it fails with."""
    try:
        found = action()
    except MaintopsError as error:
        return type(error), str(error)
    return list(found) if hasattr(found, "__next__") else found


class Stores(RuleBasedStateMachine):
    @initialize()
    def make(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "m.sqlite"
        self.path.write_bytes(_empty())
        self.sql = open_store(f"sqlite:///{self.path}")
        self.memory = open_store("memory:")
        for run in ("r1", "r2"):
            self.begin(run, NOW)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.agree()
            self.sql.close()
            shutil.rmtree(self.folder)

    def both(self, action: Callable[[Store], Any]) -> Any:
        mine = _outcome(lambda: action(self.sql))
        assert mine == _outcome(lambda: action(self.memory))
        return mine

    @rule(run=RUNS, at=TIMES)
    def begin(self, run: str, at: Any) -> None:
        self.both(lambda store: store.begin(plan(run, servers=SERVERS, at=at)))

    @rule(run=RUNS, at=TIMES, done=st.integers(0, 3))
    def progress(self, run: str, at: Any, done: int) -> None:
        self.both(lambda store: store.append(run, Progressed(done, 3, {SERVERS[2]: "FS-010"}, at)))

    @rule(run=RUNS, at=TIMES, state=st.sampled_from(ENDS))
    def end(self, run: str, at: Any, state: RunState) -> None:
        self.both(lambda store: store.append(run, RunEnded(state, "why \x00", at)))

    @rule(run=RUNS, servers=st.sets(st.sampled_from(SERVERS), min_size=1), at=TIMES)
    def begin_to_change(self, run: str, servers: set[str], at: Any) -> None:
        self.both(lambda store: store.begin(changing(run, sorted(servers), at)))

    @rule(run=RUNS, at=TIMES, pid=st.integers(1, 2))
    def resume(self, run: str, at: Any, pid: int) -> None:
        self.both(lambda store: store.resume(run, resumed(at, pid=pid)))

    @rule(run=RUNS, events=EVENTS, owner=OWNERS)
    def change(self, run: str, events: list[Any], owner: Owner | None) -> None:
        self.both(lambda store: store.append(run, *events, owner=owner))
        self.both(lambda store: store.events(run))

    @rule(id=st.sampled_from("ab"), at=TIMES, lifted=st.booleans())
    def hold(self, id: str, at: Any, lifted: bool) -> None:
        self.both(lambda store: store.keep_hold(Hold(id, Identity("a", "\x00"), "why", at, lifted=lifted)))
        self.both(lambda store: store.holds())

    @rule(plan=st.sampled_from("ab"), at=TIMES)
    def approve(self, plan: str, at: Any) -> None:
        self.both(lambda store: store.keep_approval(Approval(plan, Identity("a", "b"), at, at)))
        self.both(lambda store: store.approvals(plan))

    @rule(run=RUNS, index=st.integers(1, 3), at=TIMES, cells=CELLS, answer=st.binary(max_size=9), breaks=st.booleans())
    def commit(self, run: str, index: int, at: Any, cells: list[Cell], answer: bytes, breaks: bool) -> None:
        id, server = record_id(run, index), SERVERS[index - 1]
        memories: list[Memory] = []

        def judge(memory: Memory) -> Verdict:
            memories.append(memory)
            if breaks:
                raise MaintopsError("a rule broke")
            return judging(run, id, server, cells, at)(memory)

        # A NaN is equal to nothing: the texts of the verdicts are compared.
        self.both(lambda store: str(store.commit(run, id, server, judge, answer, at)))
        assert memories[: len(memories) // 2] == memories[len(memories) // 2 :]

    @rule(which=st.integers(0, 5), at=TIMES)
    def close_followup(self, which: int, at: Any) -> None:
        every = self.both(lambda store: store.followups(closed=True))
        id = every[which].id if which < len(every) else "u-nosuch"
        self.both(lambda store: store.change_followup(id, lambda one: close(one, "ana", None, at)))

    @rule(before=TIMES)
    def prune(self, before: Any) -> None:
        self.both(lambda store: store.prune_answers(before))

    @rule(prefix=PREFIXES)
    def look_up(self, prefix: str) -> None:
        for noun in ("run", "record", "finding", "followup", "events", "history", "answer"):
            self.both(lambda store, noun=noun: getattr(store, noun)(prefix))

    @rule()
    def reopen(self) -> None:
        self.sql.close()
        self.sql = open_store(f"sqlite:///{self.path}")

    @rule(run=st.none() | RUNS, server=st.none() | st.sampled_from(SERVERS), limit=st.none() | st.integers(0, 3))
    def list_records(self, run: str | None, server: str | None, limit: int | None) -> None:
        self.both(lambda store: store.records(run=run, server=server, limit=limit))

    @rule(limit=st.none() | st.integers(0, 3), unfinished=st.booleans())
    def list_runs(self, limit: int | None, unfinished: bool) -> None:
        self.both(lambda store: store.runs(limit, unfinished=unfinished))

    @rule()
    def agree(self) -> None:
        for finding in self.both(lambda store: store.findings(gone=True)):
            self.both(lambda store, id=finding.id: store.history(id))
        for record in self.both(lambda store: store.records()):
            self.both(lambda store, id=record.id: store.answer(id))
        for server in SERVERS:
            self.both(lambda store, server=server: store.memory(server))
            self.both(lambda store, server=server: store.findings(server=server))
            self.both(lambda store, server=server: store.followups(server=server))


Stores.TestCase.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


TestStores = Stores.TestCase


def test_an_outcome_is_a_value_or_an_error() -> None:
    store = open_store("memory:")
    assert _outcome(lambda: store.runs()) == []
    assert _outcome(lambda: store.run("x"))[1] == "There is no run 'x'."
    with pytest.raises(ZeroDivisionError):
        _outcome(lambda: 1 / 0)
