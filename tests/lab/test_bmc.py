"""BMCs without a server: they answer as real ones do, their faults show and go, and nothing of them stays."""

from __future__ import annotations

import socket
import time
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.lab import bmc as lab
from tests.lab import redfish, services
from tests.lab.bmc import SENSORS, Bmc, event_logged, powered_off, sensor_reads
from tests.lab.fixtures import need
from tests.lab.sshd import FleetUnavailable

pytestmark = pytest.mark.fleet

RECORDED = Path(__file__).parents[2].parent / "shared" / "data" / "redfish-rackmount1"
"""A recording of a server's Redfish service, beside this repository."""

SYSTEM = "/redfish/v1/Systems/437XR1138R2"
POWER_SECONDS = 30
"""Longer than the emulated server ever takes to be on or off."""


@pytest.fixture(scope="module")
def bmc() -> Iterator[Bmc]:
    made = Bmc()
    need(made.__enter__)
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def emulated() -> Iterator[redfish.Redfish]:
    with ExitStack() as stack:
        yield need(stack.enter_context, redfish.emulated())


@pytest.fixture(scope="module")
def recorded() -> Iterator[redfish.Redfish]:
    if not RECORDED.exists():
        pytest.skip(f"no recording at {RECORDED}")
    with ExitStack() as stack:
        yield need(stack.enter_context, redfish.recorded(RECORDED))


def table(text: str) -> list[list[str]]:
    """The cells of what ipmitool prints in columns."""
    return [[cell.strip() for cell in line.split("|")] for line in text.splitlines()]


def readings(bmc: Bmc) -> dict[str, tuple[str, str]]:
    """What every sensor says: its state and its reading."""
    return {row[0]: (row[2], row[4]) for row in table(bmc.ipmitool("sdr", "elist"))}


# --- IPMI over LAN ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interface", ["lan", "lanplus"])
def test_it_says_what_it_is(bmc: Bmc, interface: str) -> None:
    assert "IPMI Version              : 2.0" in bmc.ipmitool("mc", "info", interface=interface)
    plate = bmc.ipmitool("fru", "print", "0", interface=interface)
    told = [line.split(":")[1].strip() for line in plate.splitlines() if line.startswith(" Product")]
    assert told == ["Maintops Lab", "Rack Server", "LAB-1", "1", "SN-0001"]


def test_its_sensors_read_what_they_should(bmc: Bmc) -> None:
    assert readings(bmc) == {
        "CPU Temp": ("ok", "45 degrees C"),
        "Inlet Temp": ("ok", "24 degrees C"),
        "Fan1": ("ok", "6000 RPM"),
        "Fan2": ("ok", "6060 RPM"),
        "12V": ("ok", "12 Volts"),
    }


def test_its_sensors_have_the_thresholds_they_were_given(bmc: Bmc) -> None:
    shown = {row[0]: row[4:10] for row in table(bmc.ipmitool("sensor"))}
    for one in SENSORS:
        given = (*reversed(one.lower or ("na",) * 3), *(one.upper or ("na",) * 3))
        assert [cell if cell == "na" else float(cell) for cell in shown[one.name]] == list(given)


def test_its_log_has_a_history_with_dates(bmc: Bmc) -> None:
    rows = table(bmc.ipmitool("sel", "elist"))
    assert [row[3:6] for row in rows] == [
        ["Event Logging Disabled", "Log area reset/cleared", "Asserted"],
        ["Memory", "Correctable ECC", "Asserted"],
        ["Power Supply", "Power Supply AC lost", "Asserted"],
    ]
    assert {row[1] for row in rows} <= {time.strftime("%m/%d/%y", time.gmtime(time.time() - past)) for past in (0, 300)}


def test_a_record_holds_the_thresholds_where_the_specification_wants_them() -> None:
    inlet = next(one for one in SENSORS if one.name == "Inlet Temp")
    assert list(lab._record(inlet)[36:42]) == [45, 40, 35, 2, 5, 10]  # IPMI 2.0, table 43-1: bytes 37 to 42


@pytest.mark.parametrize(
    ("name", "value", "state", "said"),
    [
        ("CPU Temp", 85, "unc", "85 degrees C"),
        ("CPU Temp", 95, "ucr", "95 degrees C"),
        ("CPU Temp", 101, "unr", "101 degrees C"),
        ("Inlet Temp", 4, "lcr", "4 degrees C"),
        ("Fan1", 0, "lnr", "0 RPM"),
        ("12V", 10.5, "lcr", "10.50 Volts"),
        ("12V", 13.5, "ucr", "13.50 Volts"),
    ],
)
def test_a_sensor_crosses_a_threshold_and_comes_back(bmc: Bmc, name: str, value: float, state: str, said: str) -> None:
    before, history = readings(bmc), bmc.entries()
    with sensor_reads(bmc, name, value):
        assert readings(bmc) == before | {name: (state, said)}
        news = [row for row in table(bmc.ipmitool("sel", "elist")) if int(row[0], 16) not in history]
        assert news
        assert all(row[3].endswith(name) and row[5] == "Asserted" for row in news)
    assert readings(bmc) == before
    assert bmc.entries() == history


def test_a_sensor_cannot_read_what_no_byte_stands_for(bmc: Bmc) -> None:
    with pytest.raises(ValueError, match="CPU Temp cannot read 300"), sensor_reads(bmc, "CPU Temp", 300):
        pass
    assert readings(bmc)["CPU Temp"] == ("ok", "45 degrees C")


def test_an_event_is_logged_and_taken_out_again(bmc: Bmc) -> None:
    history = bmc.entries()
    with event_logged(bmc, lab.MEMORY_UNCORRECTABLE) as number:
        last = table(bmc.ipmitool("sel", "elist"))[-1]
        assert (int(last[0], 16), last[3:5]) == (number, ["Memory", "Uncorrectable ECC"])
    assert bmc.entries() == history


def test_power_goes_and_comes_back(bmc: Bmc) -> None:
    assert "System Power         : on" in bmc.ipmitool("chassis", "status")
    with powered_off(bmc):
        assert "System Power         : off" in bmc.ipmitool("chassis", "status")
    assert "System Power         : on" in bmc.ipmitool("chassis", "status")


def test_a_wrong_password_opens_nothing(bmc: Bmc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bmc, "password", "not-the-password")
    for interface in ("lan", "lanplus"):
        with pytest.raises(AssertionError, match="Unable to establish"):
            bmc.ipmitool("mc", "info", interface=interface)


def test_a_command_that_the_simulator_refuses_is_an_error(bmc: Bmc) -> None:
    with pytest.raises(AssertionError, match="sensor_set_value 0x20 0 99 1 0"):
        bmc.console("sensor_set_value 0x20 0 99 1 0")


def test_it_has_no_rights_and_keeps_its_password_to_itself(bmc: Bmc) -> None:
    process = Path(f"/proc/{bmc._process.pid}")
    assert process.stat().st_uid != 0
    assert bmc.password not in (process / "cmdline").read_text() + (process / "environ").read_text()
    assert {file.stat().st_mode & 0o077 for file in (bmc.folder, bmc.folder / "lan.conf")} == {0}
    assert bmc.password not in (bmc.folder / "log").read_text()


def test_two_are_strangers_and_nothing_of_them_stays() -> None:
    with ExitStack() as stack:
        one, other = (need(stack.enter_context, Bmc()) for _ in range(2))
        assert one.port != other.port
        assert one.password != other.password
        with powered_off(one):
            assert "is on" in other.ipmitool("chassis", "power", "status")
    for gone in (one, other):
        assert not gone.folder.exists()
        assert gone._process.returncode is not None


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(redfish.sys, "executable", str(tmp_path / "python"))
    with (
        pytest.raises(FleetUnavailable, match=r"sushy-emulator is missing: .* pip install"),
        redfish.emulated(),
    ):
        pass

    def absent(name: str, package: str) -> str:
        raise FleetUnavailable(f"{name} is missing: apt install {package}")

    monkeypatch.setattr(lab, "program", absent)
    with pytest.raises(FleetUnavailable, match="ipmi_sim is missing: apt install openipmi"), Bmc():
        pass


@pytest.mark.usefixtures("bmc", "emulated")
@pytest.mark.parametrize(("kind", "make"), [(socket.SOCK_DGRAM, Bmc), (socket.SOCK_STREAM, redfish.emulated)])
def test_a_port_that_somebody_took_is_not_the_end(
    kind: int, make: Callable[[], AbstractContextManager[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(type=kind) as taken, ExitStack() as stack:
        taken.bind((lab.ADDRESS, 0))
        ports = [services.free_port(lab.ADDRESS), taken.getsockname()[1]]
        monkeypatch.setattr(services, "free_port", lambda address: ports.pop())
        stack.enter_context(make())
    assert not ports


def test_what_does_not_start_says_why(tmp_path: Path) -> None:
    reason = "sushy-static did not start: Mockup files .* not found"
    with pytest.raises(FleetUnavailable, match=reason), redfish.recorded(tmp_path / "nothing"):
        pass


# --- Redfish ----------------------------------------------------------------------------------------------------------


def test_a_recording_is_served_as_it_lies_there(recorded: redfish.Redfish) -> None:
    system: dict[str, Any] = recorded.ask(SYSTEM)
    assert (system["PowerState"], system["Status"]["Health"]) == ("On", "OK")
    assert recorded.ask("/redfish/v1/Chassis")["Members@odata.count"] >= 1


def test_a_recording_does_not_change(recorded: redfish.Redfish) -> None:
    before = recorded.ask(SYSTEM)
    assert recorded.ask(f"{SYSTEM}/Actions/ComputerSystem.Reset", {"ResetType": "ForceOff"}) is None
    assert recorded.ask(SYSTEM) == before


def test_what_was_not_recorded_is_not_there(recorded: redfish.Redfish) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404") as refused:
        recorded.ask("/redfish/v1/Systems/other")
    refused.value.close()


def test_the_emulated_one_has_a_power_button(emulated: redfish.Redfish) -> None:
    (member,) = emulated.ask("/redfish/v1/Systems")["Members"]
    system = member["@odata.id"]
    assert emulated.ask(system)["PowerState"] == "Off"
    for reset, state in (("On", "On"), ("ForceOff", "Off")):
        emulated.ask(f"{system}/Actions/ComputerSystem.Reset", {"ResetType": reset})
        deadline = time.monotonic() + POWER_SECONDS
        while (now := emulated.ask(system)["PowerState"]) != state and time.monotonic() < deadline:
            time.sleep(0.2)
        assert now == state


def test_the_emulated_one_asks_for_its_login(emulated: redfish.Redfish) -> None:
    for stranger in (redfish.Redfish(emulated.url), redfish.Redfish(emulated.url, emulated.user, "not-the-password")):
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            stranger.ask("/redfish/v1/Systems")
        refused.value.close()


def test_both_end_and_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services.tempfile, "tempdir", str(tmp_path))
    with ExitStack() as stack:
        served = need(stack.enter_context, redfish.emulated())
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())
    with pytest.raises(OSError, match="refused"):
        served.ask("/redfish/v1")
