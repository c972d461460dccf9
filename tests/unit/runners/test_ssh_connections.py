from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import pytest

from maintops.domain.ports import Failure, FailureKind, Trip
from maintops.domain.servers import Server
from maintops.runners.addresses import Hop
from maintops.runners.flights import Flight
from maintops.runners.ssh_connections import Cut, Gates, NoWay

GATE = (Hop("gate", 22, "ops"),)
OTHER = (Hop("other", 22, "ops"),)


def flight() -> Flight:
    return Flight(Trip(Server("web1"), ()), datetime.now(UTC))


def test_only_so_many_are_in_front_of_a_bastion_at_once() -> None:
    gates, inside, most = Gates(), [], []

    def enter() -> None:
        with gates.opened(GATE, flight()):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()

    threads = [threading.Thread(target=enter) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 30
    assert max(most) <= Gates.AT_ONCE < 10, "sshd begins to drop strangers at ten"


def test_a_bastion_that_failed_is_remembered_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    gates = Gates()
    with pytest.raises(NoWay, match=r"^by way of its bastion: it is closed$"), gates.opened(GATE, flight()):
        raise NoWay("it is closed", passing=True)
    for _ in range(2):
        with (
            pytest.raises(NoWay, match=r"^by way of its bastion: it is closed$") as caught,
            gates.opened(GATE, flight()),
        ):
            pytest.fail("nobody goes there now")
        assert not caught.value.passing
    with gates.opened(OTHER, flight()):
        pass
    monkeypatch.setattr(Gates, "MEMORY", 0.0)
    with gates.opened(GATE, flight()):
        pass


def test_who_is_cut_does_not_wait_for_a_bastion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gates, "AT_ONCE", 1)
    gates, cut = Gates(), flight()
    cut.end(Failure(FailureKind.STOPPED, "enough"))
    with gates.opened(GATE, flight()), pytest.raises(Cut), gates.opened(GATE, cut):
        pytest.fail("there was no place")
    with gates.opened(GATE, flight()):
        pass
