from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import Answer, Measured, NotMeasured, SubjectFacts, UnreadableAnswer
from maintops.probes.link_state import PROBE
from tests.unit.probes.asking import SHELLS, ask, only

COUNTERS = {"rx_errors": "3", "tx_errors": "0", "rx_dropped": "17", "tx_dropped": "1"}


def interface(name: str, *, device: bool = False, kind: str = "", **values: str) -> str:
    """What the question prints about one interface."""
    files = {"flags": "0x1003", "operstate": "up", "carrier": "1", "mtu": "1500", "carrier_changes": "2"} | values
    lines = [f"{name}/{file}:{value}" for file, value in files.items() if value]
    lines += [f"{name}/statistics/{file}:{value}" for file, value in COUNTERS.items()]
    lines += [f"{name}/uevent:DEVTYPE={kind}"] * bool(kind) + [f"{name}/uevent:INTERFACE={name}"]
    return "\n".join([*lines, *([f"{name}/device:"] * device)]) + "\n"


def read(*interfaces: str) -> dict[str | None, SubjectFacts]:
    reading = PROBE.read(Answer("".join(interfaces).encode()), {"ignore": []})
    assert isinstance(reading, Measured)
    return {subject.subject: subject for subject in reading.subjects}


def test_a_network_card_gives_every_fact() -> None:
    card = only(PROBE, Answer(interface("enp1s0", device=True, speed="10000", duplex="full").encode()))
    assert card.subject == "enp1s0"
    assert not card.not_offered
    assert card.facts == {
        "admin_up": True,
        "operstate": "up",
        "carrier": True,
        "carrier_changes": 2,
        "mtu": 1500,
        "speed_mbps": 10000,
        "duplex": "full",
        "rx_errors": 3,
        "tx_errors": 0,
        "rx_dropped": 17,
        "tx_dropped": 1,
    }


def test_a_pulled_cable_is_no_carrier_and_has_no_speed() -> None:
    card = read(interface("eth0", device=True, carrier="0", operstate="down", speed="-1", duplex="unknown"))["eth0"]
    assert card.facts["carrier"] is False
    assert card.facts["operstate"] == "down"
    assert card.not_offered >= {"speed_mbps", "duplex"}


def test_a_driver_that_does_not_know_its_speed_does_not_offer_it() -> None:
    card = read(interface("eth0", device=True, speed="-1", duplex="unknown"))["eth0"]
    assert card.not_offered == {"speed_mbps", "duplex"}


@pytest.mark.parametrize("unknown", ["-1", "4294967295", "65535"])
def test_unknown_speed_is_no_number(unknown: str) -> None:
    assert "speed_mbps" not in read(interface("eth0", device=True, speed=unknown, duplex="full"))["eth0"].facts


def test_half_duplex_and_a_missing_carrier_file_are_told_as_they_are() -> None:
    card = read(interface("eth0", device=True, carrier="", duplex="half", speed="100"))["eth0"]
    assert card.facts["duplex"] == "half"
    assert "carrier" not in card.facts


def test_only_interfaces_of_the_servers_own_that_are_switched_on_are_subjects() -> None:
    seen = read(
        interface("lo", flags="0x9", type="772"),
        interface("eno1", device=True),
        interface("eno2", device=True, flags="0x1002"),
        interface("bond0", kind="bond", speed="20000"),
        interface("bond0.7", kind="vlan"),
        interface("br0", kind="bridge"),
        interface("docker0", kind="bridge"),
        interface("veth12ab", flags="0x1043"),
        interface("cali0123", flags="0x1043"),
        interface("eni1a2b3c", flags="0x1043"),
        interface("ifb0", flags="0x83"),
    )
    assert list(seen) == ["bond0", "bond0.7", "eno1"]
    assert seen["bond0"].facts["speed_mbps"] == 20000


@pytest.mark.parametrize("name", ["eth0", "venet0", "host0", "ens3", "team1"])
def test_a_containers_own_interface_is_a_subject_without_a_speed(name: str) -> None:
    card = read(interface(name, flags="0x1043", speed="10000", duplex="full"))[name]
    assert "speed_mbps" not in card.facts
    assert card.not_offered == {"speed_mbps", "duplex"}


def test_interfaces_can_be_left_out_by_pattern() -> None:
    text = "".join(interface(name, device=True) for name in ("eno1", "eno2", "enx00e04c"))
    reading = PROBE.read(Answer(text.encode()), {"ignore": ["enx*", "eno2"]})
    assert isinstance(reading, Measured)
    assert [subject.subject for subject in reading.subjects] == ["eno1"]


def test_an_interface_that_vanished_meanwhile_is_passed_over() -> None:
    assert list(read("usb0/operstate:up\n", interface("eno1", device=True))) == ["eno1"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"", b"sh: 1: cd: can't cd to /sys/class/net", 127),
        Answer(b"\n"),
        Answer(interface("lo", flags="0x9").encode()),
    ],
    ids=["no sysfs", "nothing", "loopback alone"],
)
def test_nothing_to_look_at_is_not_measured(answer: Answer) -> None:
    assert isinstance(PROBE.read(answer, {}), NotMeasured)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"garbage\n"),
        Answer(b"eth0/flags:up\n"),
        Answer(interface("eth0", device=True, mtu="big").encode()),
        Answer(interface("eth0", device=True).encode(), truncated=True),
        Answer(interface("eth0", device=True).encode(), timed_out=True, status=None),
    ],
)
def test_what_is_not_sysfs_is_refused(answer: Answer) -> None:
    with pytest.raises(UnreadableAnswer):
        PROBE.read(answer, {})


@given(st.dictionaries(st.sampled_from(sorted(COUNTERS)), st.integers(0, 10**17), min_size=1))
def test_counters_are_kept_as_they_are(counters: dict[str, int]) -> None:
    text = "eth0/flags:0x1003\neth0/device:\n" + "".join(f"eth0/statistics/{k}:{v}\n" for k, v in counters.items())
    facts = only(PROBE, Answer(text.encode())).facts
    assert {name: facts[name] for name in counters} == counters


@pytest.mark.parametrize("shell", SHELLS)
def test_it_can_be_asked_here(shell: list[str]) -> None:
    reading = PROBE.read(ask(PROBE, shell), {})
    assert isinstance(reading, Measured | NotMeasured)
    for subject in reading.subjects if isinstance(reading, Measured) else ():
        assert subject.facts["operstate"]
        assert subject.facts["rx_errors"] >= 0
