"""Parts of records: what was written stays, what comes later gets an id of its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from maintops.domain.ports import Memory, Verdict
from maintops.domain.records import ServiceRecord
from maintops.domain.runs import PlannedServer, RunPlanned
from maintops.store.memory import MemoryStore
from maintops.workflow.parts import keep_part
from tests.unit.workflow.samples import OWNER, START, draft

LATER = START + timedelta(hours=1)


def judge(part: ServiceRecord, memory: Memory) -> Verdict:
    assert memory == Memory()
    return Verdict(part)


def test_a_part_is_kept_under_the_first_free_id() -> None:
    store = MemoryStore()
    servers = (PlannedServer("web1", "r1-0001", "ssh"),)
    store.begin(RunPlanned("r1", "fix", "v", "Fix", "s", ("A-1",), servers, OWNER, START))
    first = replace(draft(), id="r1-0001", run="r1")
    kept = [keep_part(store, first, judge, LATER, answer=text).record for text in (b"one", b"two", b"")]
    assert [one.id for one in kept] == ["r1-0001", "r1-0001.2", "r1-0001.3"]
    assert [store.answer(one.id) for one in kept] == [b"one", b"two", None]
    assert [replace(one, id=first.id) for one in kept] == [first] * 3
    assert keep_part(store, first, judge, LATER, first=9).record.id == "r1-0001.9"
    assert keep_part(store, first, judge, LATER, given_up=lambda: True) is None
    assert len(list(store.records(run="r1"))) == 4
