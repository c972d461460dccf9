import threading

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
