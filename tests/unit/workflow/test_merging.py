import threading
import time

import pytest

from maintops.workflow.merging import merged


def test_one_source_is_read_as_it_is():
    assert list(merged([iter("abc")])) == ["a", "b", "c"]
    assert list(merged([])) == []


def test_a_slow_source_does_not_hold_a_fast_one_up():
    gate = threading.Event()

    def slow():
        assert gate.wait(10)
        yield "slow"

    arriving = merged([slow(), iter(["fast"])])
    assert next(arriving) == "fast"
    gate.set()
    assert list(arriving) == ["slow"]


def test_a_fault_in_one_source_comes_after_the_others_items():
    def broken():
        raise OSError("full")
        yield

    got = []
    with pytest.raises(OSError, match="full"):
        got.extend(merged([broken(), iter(range(40))]))
    assert got == list(range(40))


def endless(closed):
    try:
        while True:
            time.sleep(0.01)
            yield "more"
    finally:
        closed.set()


def slower(closed):
    try:
        yield "first"
        time.sleep(0.5)
        yield "second"
    finally:
        closed.set()


def test_sources_are_closed_when_the_reader_leaves():
    before = threading.active_count()
    closed = [threading.Event() for _ in range(3)]
    arriving = merged([endless(closed[0]), slower(closed[1]), endless(closed[2])])
    next(arriving)
    arriving.close()
    assert [one.is_set() for one in closed] == [True] * 3
    assert threading.active_count() == before


def test_sources_are_closed_when_the_reader_fails():
    closed = [threading.Event(), threading.Event()]

    def read():
        for _ in merged([endless(closed[0]), endless(closed[1])]):
            time.sleep(0.3)  # the sources wait for room by now
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk"):
        read()
    assert [one.is_set() for one in closed] == [True] * 2


def test_a_source_that_sleeps_holds_the_reader_up_for_a_while_only(monkeypatch):
    monkeypatch.setattr("maintops.workflow.merging.PATIENCE", 0.1)
    gate, closed = threading.Event(), threading.Event()

    def asleep():
        try:
            assert gate.wait(10)
            yield "late"
        finally:
            closed.set()

    arriving = merged([asleep(), iter(["fast"])])
    next(arriving)
    began = time.monotonic()
    arriving.close()
    assert time.monotonic() - began < 5
    gate.set()
    assert closed.wait(5)
