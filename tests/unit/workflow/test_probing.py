"""One probe by itself: what is asked, what is read in recordings, and what is wrong with a parameter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from maintops.domain.answers import Answer, Measured, NotMeasured, Skipped, SubjectFacts, UnreadableAnswer
from maintops.domain.ports import Delivery, Failure, FailureKind, Inquiry, Pulse, Reply, Runner, Stop, Told, Trip
from maintops.domain.servers import Server
from maintops.errors import UsageError
from maintops.probes.catalogue import Catalogue
from maintops.probes.contract import Probe, Reach
from maintops.workflow.planning import BMC_ADDRESS
from maintops.workflow.probing import CHECK, Captured, capture, checked, read
from tests.unit.workflow.framing import answered, stream
from tests.unit.workflow.samples import START, probe

WEB = Server("web1")
BMC = Server("web2", variables={BMC_ADDRESS: "192.0.2.1"})


@dataclass
class Answering:
    """A runner whose servers answer these bytes; None: the connection breaks before anything came."""

    answers: Mapping[str, bytes | None]
    name: str = "ssh"
    stop: str | None = "not looked at"
    trips: list[Trip] = field(default_factory=list)

    def refusal(self, server: Server) -> str | None:
        return None

    def ask(self, trips: Sequence[Trip], *, forks: int, stop: Stop) -> Iterator[Delivery | Pulse]:
        self.stop = stop()
        self.trips += trips
        yield Pulse({})
        for trip in trips:
            body = self.answers[trip.server.name]
            if body is None:
                reply = Reply(b"", Failure(FailureKind.UNREACHABLE, "nobody is there"))
            elif body == b"cut":
                reply = Reply(b"")
            else:
                reply = Reply(stream(trip.scripts[0], None, **{CHECK: answered(body)}))
            yield Delivery(trip.server.name, (reply,), START, START)


class Controllers:
    """Management controllers that answer `{}`; that of web3 does not."""

    def inquire(self, inquiries: Sequence[Inquiry], *, forks: int, stop: Stop) -> Iterator[Told | Pulse]:
        for one in inquiries:
            failed = Failure(FailureKind.UNREACHABLE, "it is silent") if one.server.name == "web3" else None
            yield Told(one.server.name, CHECK, None if failed else Answer(b"{}"), failed, START, START)


def asked(runner: Runner, *servers: Server, found: Probe | None = None, **parameters: Any) -> list[Captured]:
    catalogue = Catalogue({"disks": found or probe()}, {})
    return list(capture("disks", parameters, servers, catalogue, {"ssh": runner}, Controllers(), "auto"))


def test_what_a_server_answers_is_an_answer() -> None:
    runner = Answering({"web1": b'{"sda": {"level": 1}}'})
    (one,) = asked(runner, WEB)
    assert (one.server, one.why) == ("web1", "")
    assert one.answer is not None
    assert (one.answer.stdout, one.answer.status) == (b'{"sda": {"level": 1}}', 0)
    assert [script.checks for trip in runner.trips for script in trip.scripts] == [(CHECK,)]
    assert runner.stop is None, "nobody stops it"


@pytest.mark.parametrize(("body", "why"), [(None, "nobody is there"), (b"cut", "the server did not run the script")])
def test_no_answer_says_why(body: bytes | None, why: str) -> None:
    assert asked(Answering({"web1": body}), WEB) == [Captured("web1", None, why)]


def test_management_controllers_are_asked_as_well() -> None:
    redfish = replace(probe(), reach=Reach.REDFISH)
    silent = replace(BMC, name="web3")
    found = asked(Answering({}), WEB, BMC, silent, found=redfish)
    assert {one.server: one.why for one in found} == {
        "web1": f"the inventory names no management controller ({BMC_ADDRESS})",
        "web2": "",
        "web3": "it is silent",
    }
    assert [one.answer for one in found if one.server == "web2"] == [Answer(b"{}")]


def test_a_probe_that_has_nothing_to_ask_says_so() -> None:
    with pytest.raises(UsageError, match="the probe disks asks nothing: no places are configured"):
        asked(Answering({}), WEB, places=[])


# --- parameters -------------------------------------------------------------------------------------------------------


def test_a_persons_own_values_win() -> None:
    assert checked(probe(), {}) == {"places": ["/"]}
    assert checked(probe(), {"places": ["/srv"]}) == {"places": ["/srv"]}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"place": ["/"]}, "the probe disks has no parameter 'place'; it has places"),
        ({"places": "/"}, "the probe disks: its parameter places must be a list, not text"),
        ({"places": None}, "must be a list, not nothing"),
        ({"places": ["{{ home }}"]}, "holds a template"),
    ],
)
def test_a_parameter_that_cannot_be_is_told(given: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError) as caught:
        checked(probe(), given)
    assert why in str(caught.value)
    with pytest.raises(UsageError):
        asked(Answering({}), WEB, **given)


def test_a_probe_without_parameters_has_none() -> None:
    with pytest.raises(UsageError, match="has no parameter 'x'; it has none"):
        checked(replace(probe(), parameters={}), {"x": 1})


# --- recordings -------------------------------------------------------------------------------------------------------

SDA = Measured((SubjectFacts("sda", {"level": 1}),))


def test_a_whole_answer_is_read_as_it_is_and_anything_else_as_a_recording() -> None:
    def recording(content: bytes) -> Answer:
        if content == b"html":
            raise UnreadableAnswer("it is a page")
        return Answer(b'{"sda": {"level": 1}}')

    recorded = replace(probe(), recording=recording)
    assert read(recorded, b"a table", None, {}) == SDA
    assert read(recorded, b"html", None, {}) == NotMeasured("it cannot be read: it is a page")
    assert read(recorded, b"html", Answer(b'{"sdb": {}}'), {}) == Measured((SubjectFacts("sdb", {}),))
    assert read(probe(), b'{"sda": {"level": 1}}', None, {}) == SDA


def test_what_cannot_be_read_says_why() -> None:
    assert read(probe(), b"broken", None, {}) == NotMeasured("it cannot be read: it is broken")
    assert read(probe(), b"none", None, {}) == NotMeasured("no disk")


def test_a_readers_own_mistake_is_told_as_one() -> None:
    assert read(probe(), b"bug", None, {}) == NotMeasured('its reader broke: KeyError: "a stranger\'s mistake"')


def test_a_skipped_reading_stays_one() -> None:
    silent = replace(probe(), read=lambda answer, parameters: Skipped("not today"))
    assert read(silent, b"", None, {}) == Skipped("not today")
