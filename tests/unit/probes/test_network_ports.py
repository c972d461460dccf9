"""Physical network ports, by ethtool."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from maintops.domain.answers import Answer, Measured, NotMeasured, SubjectFacts, UnreadableAnswer
from maintops.probes.network_ports import COUNTERS, PROBE, recording
from tests.contract.samples_chassis import PORTS
from tests.unit.probes.asking import SHELLS, answer_of, ask, tool
from tests.unit.probes.spoiling import complaints, spoiled, spoiling

SETTINGS = """\
Settings for eth0:
\tSupported ports: [ TP MII ]
\tSupported link modes:   10baseT/Half 10baseT/Full
\t                        1000baseT/Full
\tSupported pause frame use: Symmetric Receive-only
\tLink partner advertised link modes:  10baseT/Half 10baseT/Full
\t                                     100baseT/Half 100baseT/Full
\tSpeed: 100Mb/s
\tDuplex: Half
\tPort: Twisted Pair
\tAuto-negotiation: on
\tCurrent message level: 0x00000007 (7)
\t\t\t       drv probe link
\tLink detected: yes
"""
DOWN = """\
Settings for eth1:
\tSupported link modes:   1000baseT/Full
\tSpeed: Unknown!
\tDuplex: Unknown! (255)
\tAuto-negotiation: on
\tPort: Twisted Pair
\tLink detected: no (No cable)
"""
VIRTIO = "Settings for ens3:\n\tSupported link modes:   Not reported\n\tSpeed: Unknown!\n\tLink detected: yes\n"
SFP = """\
\tIdentifier                                : 0x03 (SFP)
\tVendor name                               : EXAMPLE
\tVendor PN                                 : SFP-10G-SR
\tVendor SN                                 : H1
\tLaser output power                        : 0.4678 mW / -3.30 dBm
\tReceiver signal average optical power     : 0.0000 mW / -inf dBm
\tModule temperature                        : 34.29 degrees C / 93.72 degrees F
\tModule voltage                            : 3.3026 V
\tLaser output power high alarm             : Off
\tLaser rx power low alarm                  : On
\tLaser rx power low warning                : On
\tLaser rx power low alarm threshold        : 0.0100 mW / -20.00 dBm
"""
DRIVER = """\
driver: ixgbe
version: 5.1.0-k
firmware-version: 0x800003e7, 1.1824.0
expansion-rom-version:
bus-info: 0000:19:00.0
"""
COPPER = (
    "\tIdentifier                                : 0x03 (SFP)\n\tVendor name                               : EXAMPLE\n"
)


def read(answer: Answer, **parameters: object) -> dict[str | None, SubjectFacts]:
    reading = PROBE.read(answer, parameters)
    assert isinstance(reading, Measured), reading
    return {one.subject: one for one in reading.subjects}


def recorded(text: str) -> SubjectFacts:
    (one,) = read(recording(text.encode())).values()
    return one


def test_the_whole_answer() -> None:
    found = read(Answer(PORTS))
    first = found["eno1"].facts
    assert (first["speed_mbps"], first["max_speed_mbps"], first["partner_max_speed_mbps"]) == (1000, 10000, 10000)
    assert (first["driver"], first["firmware"]) == ("ixgbe", "0x800003e7, 1.1824.0")
    assert first["rx_crc_errors"] == 17
    assert "rx_power_dbm" in found["eno1"].not_offered
    second = found["ens1"].facts
    assert (second["tx_power_dbm"], second["rx_power_dbm"]) == (-3.3, -24.0), "darkness is no number"
    assert second["optics_alarms"] == ["Laser rx power low (Channel 1)"]
    assert second["optics_warnings"] == []
    assert "partner_max_speed_mbps" in found["ens1"].not_offered


def test_settings() -> None:
    one = recorded(SETTINGS)
    assert one.subject == "eth0"
    assert one.facts == {
        "link": True,
        "speed_mbps": 100,
        "max_speed_mbps": 1000,
        "partner_max_speed_mbps": 100,
        "duplex": "half",
        "autonegotiation": True,
        "port_type": "Twisted Pair",
    }


def test_a_port_without_a_link_has_no_speed() -> None:
    one = recorded(DOWN)
    assert one.facts["link"] is False
    assert {"speed_mbps", "duplex"} <= one.not_offered


def test_a_virtual_card_knows_no_speed() -> None:
    one = recorded(VIRTIO)
    assert one.facts == {"link": True}
    assert {"speed_mbps", "max_speed_mbps", "duplex"} <= one.not_offered


def test_optics() -> None:
    facts = recorded(SFP).facts
    assert facts["optics_celsius"] == 34.29
    assert facts["optics_volts"] == 3.3026
    assert (facts["optics_part_number"], facts["optics_serial"]) == ("SFP-10G-SR", "H1")
    assert facts["tx_power_dbm"] == -3.3
    assert "rx_power_dbm" not in facts
    assert (facts["optics_alarms"], facts["optics_warnings"]) == (["Laser rx power low"], ["Laser rx power low"])


def test_of_several_lanes_the_weakest_counts() -> None:
    lanes = "".join(
        f"\tRcvr signal avg optical power(Channel {lane})  : 0.5 mW / {dbm} dBm\n"
        for lane, dbm in ((1, -2.5), (2, -9.0))
    )
    assert (
        recorded("\tIdentifier                                : 0x11 (QSFP28)\n" + lanes).facts["rx_power_dbm"] == -9.0
    )


def test_a_cable_without_diagnostics_offers_none() -> None:
    one = recorded(COPPER)
    assert one.facts == {"optics_vendor": "EXAMPLE"}
    assert {"optics_alarms", "rx_power_dbm"} <= one.not_offered


def test_driver_and_statistics() -> None:
    assert recorded(DRIVER).facts["firmware"] == "0x800003e7, 1.1824.0"
    assert recorded(DRIVER).facts["bus"] == "0000:19:00.0"
    assert recorded("NIC statistics:\n     rx_crc_errors: 12\n     rx_whatever: 5\n").facts == {"rx_crc_errors": 12}


def test_several_outputs_in_one_recording() -> None:
    found = read(recording((SETTINGS + DRIVER + DOWN).encode()))
    assert found.keys() == {"eth0", "eth1"}
    assert found["eth0"].facts["driver"] == "ixgbe"


def test_only_root_may_ask_a_module() -> None:
    told = {"settings eth0": SETTINGS, "optics eth0": "netlink error: Operation not permitted\n", "counters": ""}
    one = read(answer_of(**told))["eth0"]
    assert "optics_alarms" not in one.not_offered
    assert "optics_alarms" not in one.facts


def test_a_module_that_cannot_be_asked_offers_nothing() -> None:
    told = {
        "settings eth0": SETTINGS,
        "optics eth0": (1, "Cannot get module EEPROM information: Operation not supported"),
    }
    assert "optics_alarms" in read(answer_of(**told, counters=""))["eth0"].not_offered


def test_what_is_looked_at() -> None:
    settings_only = read(Answer(PORTS), what=["settings"])
    assert {"rx_crc_errors", "driver", "optics_alarms"} <= settings_only["eno1"].not_offered
    optics = read(Answer(PORTS), what=["optics"])
    assert optics.keys() == {"ens1"}
    assert optics["ens1"].facts["link"] is True
    assert set(COUNTERS) <= optics["ens1"].not_offered
    assert "rx_crc_errors" in read(Answer(PORTS), what=["counters"])["eno1"].facts


def test_no_port_has_a_module() -> None:
    answer = answer_of(**{"settings eth0": SETTINGS, "counters": ""})
    assert PROBE.read(answer, {"what": ["optics"]}) == NotMeasured("no network port has a module that tells of itself")


def test_no_hardware_is_not_measured() -> None:
    answer = answer_of(counters=(1, ""))
    assert PROBE.read(answer, {}) == NotMeasured("this machine has no physical network port")
    assert PROBE.read(Answer(b"", b"ethtool: not found\n", 127), {}) == NotMeasured("no such command: ethtool")


def test_a_port_that_ethtool_does_not_know() -> None:
    answer = answer_of(**{"settings eth9": (1, "Cannot get device settings: No such device"), "counters": ""})
    (one,) = read(answer).values()
    assert one.why_not == "ethtool tells nothing of eth9"


@pytest.mark.parametrize(
    "answer",
    [Answer(b"<html></html>\n"), Answer(b"", b"", 139), Answer(PORTS, truncated=True), Answer(PORTS[:-3]), Answer(b"")],
)
def test_what_is_no_answer_is_unreadable(answer: Answer) -> None:
    with pytest.raises(UnreadableAnswer):
        PROBE.read(answer, {})


def test_a_long_line_takes_no_long_time() -> None:
    hostile = answer_of(**{"settings eth0": SETTINGS, "counters": "a" * 500_000 + "\n"})
    assert read(hostile)["eth0"].facts["link"] is True


def test_a_recording_of_something_else_is_refused() -> None:
    with pytest.raises(UnreadableAnswer, match="not what ethtool prints"):
        recording(b"<html>No</html>\n")


@spoiling
@given(spoiled([SETTINGS.encode(), DOWN.encode(), SFP.encode(), DRIVER.encode(), PORTS]))
def test_what_is_spoilt_is_unreadable_at_worst(output: bytes) -> None:
    assert complaints(PROBE, output) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_the_question_in_every_shell(shell: list[str], tmp_path: Path) -> None:
    net, tools = tmp_path / "net", tmp_path / "tools"
    for port in ("eth0", "wlan0", "vf0", "virtual0"):
        (net / port / "statistics").mkdir(parents=True)
        (net / port / "statistics" / "rx_errors").write_text("3\n")
        (tmp_path / "hardware" / port).mkdir(parents=True)
        if port != "virtual0":
            (net / port / "device").symlink_to(tmp_path / "hardware" / port)
    (net / "wlan0" / "phy80211").mkdir()
    (tmp_path / "hardware" / "vf0" / "physfn").mkdir()
    tools.mkdir()
    fibre = SETTINGS.replace("Twisted Pair", "FIBRE")
    tool(
        tools,
        "ethtool",
        f"case $1 in -i) cat <<'X'\n{DRIVER}X\n;; -m) cat <<'X'\n{SFP}X\n;; *) cat <<'X'\n{fibre}X\n;; esac",
    )
    answer = ask(PROBE, shell, tools=tools, change=(("/sys/class/net", str(net)),))
    found = read(answer)
    assert found.keys() == {"eth0"}
    facts = found["eth0"].facts
    assert (facts["rx_errors"], facts["driver"], facts["optics_vendor"]) == (3, "ixgbe", "EXAMPLE")
