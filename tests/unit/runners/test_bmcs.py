"""Controllers asked in two ways, of which one fails as nobody expected."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from maintops.domain.answers import Answer
from maintops.domain.bmcs import Bmc
from maintops.domain.ports import Failure, FailureKind, Inquiry, Told
from maintops.domain.servers import Server
from maintops.runners import bmcs
from maintops.runners.bmcs import BmcContact, Inquired
from maintops.runners.flights import Flight

SECRET = "correct-horse-9"
ANSWER = Answer(b"{}")


def now() -> datetime:
    return datetime.now(UTC)


def inquiry(check: str, reach: str, server: str = "web1", **said: Any) -> Inquiry:
    variables = {"maintops_bmc_address": "192.0.2.7", "maintops_bmc_user": "k", "maintops_bmc_password": SECRET}
    variables |= {f"maintops_bmc_{name}": value for name, value in said.items()}
    return Inquiry(Server(server, variables=variables), check, reach, "?", 20, 1000)


def answering(bmc: Bmc, inquiries: Sequence[Inquiry], flight: Flight, clock: object) -> Iterator[Told]:
    for one in inquiries:
        yield Told(one.server.name, one.check, ANSWER, None, now(), now())


def failing(failure: Failure) -> Inquired:
    def fail(bmc: Bmc, inquiries: Sequence[Inquiry], flight: Flight, clock: object) -> Iterator[Told]:
        for one in inquiries:
            yield Told(one.server.name, one.check, None, failure, now(), now())

    return fail


def breaking(bmc: Bmc, inquiries: Sequence[Inquiry], flight: Flight, clock: object) -> Iterator[Told]:
    yield next(answering(bmc, inquiries, flight, clock))
    if flight.trip.server.name == "web1":
        raise AttributeError(f"'list' object has no attribute 'get' in {bmc.password}")
    yield from answering(bmc, inquiries[1:], flight, clock)


def ask(
    monkeypatch: pytest.MonkeyPatch,
    *inquiries: Inquiry,
    redfish: Inquired = answering,
    ipmi: Inquired = answering,
    stop: Callable[[], str | None] = lambda: None,
) -> list[Told]:
    monkeypatch.setattr(bmcs, "_WAYS", {"redfish": lambda: redfish, "ipmi": lambda: ipmi})
    return [one for one in BmcContact(now).inquire(inquiries, forks=4, stop=stop) if isinstance(one, Told)]


def test_what_nobody_expected_costs_one_way_to_one_controller(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [
        inquiry("HW-1", "redfish"),
        inquiry("HW-2", "redfish"),
        inquiry("HW-3", "redfish"),
        inquiry("HW-4", "ipmi"),
    ]
    asked += [inquiry("HW-1", "redfish", "web2"), inquiry("HW-2", "redfish", "web2")]
    told = ask(monkeypatch, *asked, redfish=breaking)
    why = "its management controller (192.0.2.7:443): its answer could not be used: AttributeError"
    assert {(one.server, one.check): one.failure for one in told} == {
        ("web1", "HW-1"): None,
        ("web1", "HW-2"): Failure(FailureKind.BROKEN, why),
        ("web1", "HW-3"): Failure(FailureKind.BROKEN, why),
        ("web1", "HW-4"): None,
        ("web2", "HW-1"): None,
        ("web2", "HW-2"): None,
    }
    assert len(told) == len(asked)
    assert SECRET not in repr(told)


def test_a_way_that_cannot_even_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> Iterator[Told]:
        raise RecursionError(SECRET)

    (told,) = ask(monkeypatch, inquiry("HW-4", "ipmi", ipmi_port=6230), ipmi=never)
    why = "its management controller (192.0.2.7:6230): its answer could not be used: RecursionError"
    assert told.failure == Failure(FailureKind.BROKEN, why)


def test_what_was_told_out_of_order_is_kept_when_the_rest_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maintops.runners.flights.PATIENCE", 0.1)
    waiting, gate = threading.Event(), threading.Event()

    def hang(bmc: Bmc, inquiries: Sequence[Inquiry], flight: Flight, clock: object) -> Iterator[Told]:
        waiting.set()
        gate.wait(20)
        yield from answering(bmc, inquiries, flight, clock)

    asked = [inquiry("HW-370", "ipmi"), inquiry("HW-300", "redfish"), inquiry("HW-380", "ipmi")]
    try:
        told = ask(monkeypatch, *asked, ipmi=hang, stop=lambda: "cancelled" if waiting.is_set() else None)
    finally:
        gate.set()
    cut = Failure(FailureKind.STOPPED, "cancelled")
    assert [(one.check, one.answer, one.failure) for one in told] == [
        ("HW-300", ANSWER, None),
        ("HW-370", None, cut),
        ("HW-380", None, cut),
    ]


@pytest.mark.parametrize(
    ("address", "reach", "where"),
    [
        ("192.0.2.7", "redfish", "192.0.2.7:443"),
        ("bmc.example:8443", "redfish", "bmc.example:8443"),
        ("http://127.0.0.1", "redfish", "127.0.0.1:80"),
        ("2001:db8::7", "redfish", "[2001:db8::7]:443"),
        ("bmc.example:8443", "ipmi", "bmc.example:623"),
    ],
)
def test_a_failure_says_whose_it_is(monkeypatch: pytest.MonkeyPatch, address: str, reach: str, where: str) -> None:
    for kind in FailureKind:
        way = failing(Failure(kind, "so it is"))
        (told,) = ask(monkeypatch, inquiry("HW-1", reach, address=address), redfish=way, ipmi=way)
        mine = kind not in (FailureKind.STOPPED, FailureKind.UNUSABLE)
        prefix = f"its management controller ({where}): " if mine else ""
        assert told.failure == Failure(kind, f"{prefix}so it is")
