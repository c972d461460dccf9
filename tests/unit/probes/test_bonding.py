from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import Answer, Measured, NotMeasured, SubjectFacts, UnreadableAnswer
from maintops.probes.bonding import PROBE
from tests.unit.probes.asking import SHELLS, ask, only, part_of, recording, recordings
from tests.unit.probes.recorded import OFTEN, all_of, assert_no_news, assert_reads, facts_of, read_recording, spoiled

HEAD = "Ethernet Channel Bonding Driver: v6.1.0\n\n"

BACKUP = (
    HEAD
    + """\
Bonding Mode: fault-tolerance (active-backup)
Primary Slave: lan1 (primary_reselect always)
Currently Active Slave: lan2
MII Status: up
MII Polling Interval (ms): 100

Slave Interface: lan1
MII Status: down
Speed: Unknown
Link Failure Count: 4

Slave Interface: lan2
MII Status: up
Speed: 25000 Mbps
Link Failure Count: 1
"""
)

LACP = (
    HEAD
    + """\
Bonding Mode: IEEE 802.3ad Dynamic link aggregation
MII Status: up

802.3ad info
LACP active: on
Active Aggregator Info:
\tAggregator ID: {active}
\tPartner Mac Address: {partner}

Slave Interface: lan1
MII Status: up
Link Failure Count: 0
Aggregator ID: 1
details partner lacp pdu:
    system mac address: {partner}
    MII Status: down

Slave Interface: lan2
MII Status: going back
Link Failure Count: 0
Aggregator ID: 2
"""
)


def answer(text: str, name: str = "bond0", status: int = 0) -> Answer:
    return Answer(part_of("bonds", f"{name}\n") + part_of(f"bond {name}", (status, text)))


def test_a_backup_bond_says_who_is_active_and_who_is_down() -> None:
    bond = only(PROBE, answer(BACKUP))
    assert bond.subject == "bond0"
    assert bond.facts == {
        "mode": "fault-tolerance (active-backup)",
        "mii_status": "up",
        "slaves": ["lan1", "lan2"],
        "slaves_up": ["lan2"],
        "slaves_down": ["lan1"],
        "active_slave": "lan2",
        "link_failures": 5,
    }
    assert bond.not_offered == {"lacp_partner", "slaves_detached"}


def test_no_active_slave_is_an_empty_name() -> None:
    facts = only(PROBE, answer(BACKUP.replace("Active Slave: lan2", "Active Slave: None"))).facts
    assert facts["active_slave"] == ""


def test_a_bond_with_a_partner_and_a_slave_outside_of_it() -> None:
    bond = only(PROBE, answer(LACP.format(active=1, partner="aa:bb:cc:00:11:22")))
    assert bond.facts["lacp_partner"] is True
    assert bond.facts["slaves_detached"] == ["lan2"]
    assert bond.facts["slaves_up"] == ["lan1"]
    assert bond.facts["slaves_down"] == ["lan2"]
    assert bond.not_offered == {"active_slave"}


def test_a_switch_that_does_not_speak_lacp_is_no_partner() -> None:
    assert only(PROBE, answer(LACP.format(active=1, partner="00:00:00:00:00:00"))).facts["lacp_partner"] is False


def test_what_the_kernel_hides_from_users_is_not_measured() -> None:
    text = "\n".join(line for line in LACP.split("\n") if "{" not in line and "Aggregator ID" not in line)
    bond = only(PROBE, answer(text))
    assert not {"lacp_partner", "slaves_detached"} & (bond.facts.keys() | bond.not_offered)


def test_a_bond_without_slaves_has_none() -> None:
    facts = only(PROBE, answer(HEAD + "Bonding Mode: load balancing (round-robin)\nMII Status: down\n")).facts
    assert (facts["slaves"], facts["mii_status"], facts["link_failures"]) == ([], "down", 0)


def test_a_bond_that_cannot_be_read_says_so() -> None:
    reading = PROBE.read(answer("", status=1), {})
    assert reading == Measured((SubjectFacts("bond0", why_not="/proc/net/bonding/bond0 could not be read"),))


def test_without_the_driver_there_is_nothing_to_measure() -> None:
    assert isinstance(PROBE.read(Answer(part_of("bonds", (2, ""))), {}), NotMeasured)
    assert isinstance(PROBE.read(Answer(part_of("bonds", "")), {}), NotMeasured)


@pytest.mark.parametrize(
    "broken",
    [
        Answer(b"garbage"),
        Answer(part_of("bonds", "bond0"), truncated=True),
        Answer(part_of("something", "else")),
        Answer(b"=bonds\n bond0\n"),
        answer("garbage\n"),
        answer(BACKUP.replace("Count: 4", "Count: many")),
    ],
)
def test_what_is_no_bond_is_refused(broken: Answer) -> None:
    with pytest.raises(UnreadableAnswer):
        PROBE.read(broken, {})


@given(
    st.lists(st.tuples(st.sampled_from(["up", "down", "going down", "going back"]), st.integers(0, 10**6)), max_size=8)
)
def test_every_slave_is_either_up_or_down(slaves: list[tuple[str, int]]) -> None:
    text = (
        HEAD
        + "Bonding Mode: load balancing (xor)\nMII Status: up\n"
        + "".join(
            f"\nSlave Interface: s{place}\nMII Status: {status}\nLink Failure Count: {failures}\n"
            for place, (status, failures) in enumerate(slaves)
        )
    )
    facts = only(PROBE, answer(text)).facts
    assert facts["slaves"] == [f"s{place}" for place in range(len(slaves))]
    assert facts["slaves_up"] == [f"s{place}" for place, (status, _) in enumerate(slaves) if status == "up"]
    assert sorted(facts["slaves_up"] + facts["slaves_down"]) == sorted(facts["slaves"])
    assert facts["link_failures"] == sum(failures for _, failures in slaves)


@pytest.mark.parametrize("name", recordings("bonding"))
def test_recorded_bonds(name: str) -> None:
    facts = only(PROBE, answer(recording("bonding", name))).facts
    healthy = name.partition(".")[2].startswith("ok")
    assert facts["slaves"] == ["enp3s0f0", "enp3s0f1"]
    assert (facts["slaves_down"] == []) is healthy
    assert facts["mii_status"] == "up"
    assert ("lacp_partner" in facts) is name.startswith("b4")
    if name.startswith("b4"):
        assert facts["lacp_partner"] is name.endswith("k-lacp")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_question_reads_every_bond(shell: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "bonding"
    folder.mkdir()
    (folder / "bond0").write_text(BACKUP)
    (folder / "bond1").write_text(LACP.format(active=2, partner="aa:bb:cc:00:11:22"))
    reading = PROBE.read(ask(PROBE, shell, change=(("/proc/net/bonding", str(folder)),)), {})
    assert isinstance(reading, Measured)
    assert [(one.subject, one.facts["link_failures"]) for one in reading.subjects] == [("bond0", 5), ("bond1", 0)]


@pytest.mark.parametrize("shell", SHELLS)
def test_it_can_be_asked_here(shell: list[str]) -> None:
    expected = Measured if any(Path("/proc/net").glob("bonding/*")) else NotMeasured
    assert isinstance(PROBE.read(ask(PROBE, shell), {}), expected)


# --- recordings -------------------------------------------------------------------------------------------------------
def test_a_bare_page_does_not_say_whose_it_is() -> None:
    (bond,) = all_of(PROBE, BACKUP).values()
    assert bond.subject == "unnamed"
    assert (bond.facts["slaves_down"], bond.facts["link_failures"]) == (["lan1"], 5)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (BACKUP + BACKUP, ["unnamed", "unnamed-2"]),
        (f"==> /proc/net/bonding/bond0 <==\n{BACKUP}\n==> /proc/net/bonding/bond1 <==\n{BACKUP}", ["bond0", "bond1"]),
        ("".join(f"/proc/net/bonding/bond7:{line}\n" for line in BACKUP.splitlines()), ["bond7"]),
    ],
)
def test_several_pages_in_one_recording(text: str, names: list[str]) -> None:
    found = all_of(PROBE, text)
    assert list(found) == names
    assert [one.facts["slaves_up"] for one in found.values()] == [["lan2"]] * len(names)


def test_a_page_that_ends_before_the_state_of_a_link_is_unreadable() -> None:
    with pytest.raises(UnreadableAnswer, match="does not say whether 'lan2' has a link"):
        read_recording(PROBE, BACKUP[: BACKUP.rindex("MII")])


def test_failures_that_are_not_counted_are_not_measured() -> None:
    assert "link_failures" not in facts_of(PROBE, BACKUP.replace("Link Failure Count: 1\n", ""))


@pytest.mark.parametrize("name", recordings("bonding"))
def test_whole_recordings(name: str) -> None:
    facts = facts_of(PROBE, recording("bonding", name))
    down = {"b4.nok-wo-lacp": ["enp3s0f1"]}.get(name, ["enp3s0f0"] if ".nok" in name else [])
    assert facts["slaves_down"] == down
    assert facts["slaves_up"] == [one for one in ("enp3s0f0", "enp3s0f1") if one not in down]
    assert facts["link_failures"] == {"b4.nok-wo-lacp": 0, "b4.ok-lacp": 1, "b6.nok": 2, "b6.ok": 1}.get(
        name, int(".nok" in name)
    )


@OFTEN
@given(data=spoiled([BACKUP, LACP.format(active=1, partner="aa:bb:cc:00:11:22"), BACKUP + BACKUP]))
def test_a_spoiled_recording_is_unreadable_at_worst(data: bytes) -> None:
    assert_reads(PROBE, data)


def test_a_recording_of_nothing_or_of_something_else_is_no_news() -> None:
    assert_no_news(PROBE)
