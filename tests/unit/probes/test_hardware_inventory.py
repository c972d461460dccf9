"""Parts and their serial numbers, by dmidecode."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from maintops.domain.answers import Answer, Measured, NotMeasured, SubjectFacts, UnreadableAnswer
from maintops.probes.hardware_inventory import PROBE
from tests.contract.samples_chassis import INVENTORY
from tests.unit.probes.asking import SHELLS, ask, tool
from tests.unit.probes.spoiling import complaints, spoiled, spoiling


def structure(kind: int, **values: str) -> str:
    lines = "".join(f"\t{name.replace('_', ' ')}: {value}\n" for name, value in values.items())
    return f"Handle 0x0100, DMI type {kind}, 27 bytes\nSomething\n{lines}\n"


def module(locator: str, bank: str = "Not Specified", size: str = "32 GB", serial: str = "5123ABCD") -> str:
    return structure(17, Size=size, Locator=locator, Bank_Locator=bank, Serial_Number=serial)


def read(text: str | bytes, **parameters: object) -> dict[str | None, SubjectFacts]:
    reading = PROBE.read(Answer(text.encode() if isinstance(text, str) else text), parameters)
    assert isinstance(reading, Measured), reading
    return {one.subject: one for one in reading.subjects}


def test_a_whole_report() -> None:
    found = read(INVENTORY)
    assert found.keys() == {"bios", "system", "processor CPU1", "memory A1", "memory"}
    assert found["bios"].facts["date"] == "2021-02-24"
    assert found["system"].facts["serial"] == "ABC1234"
    assert found["processor CPU1"].facts["cores_enabled"] == 16
    one = found["memory A1"].facts
    assert (one["size_bytes"], one["speed_mts"], one["configured_speed_mts"]) == (32 * 1024**3, 2666, 2400)
    assert found["memory"].facts == {"kind": "memory", "slots": 2, "modules": 1, "size_bytes": 32 * 1024**3}
    assert "asset_tag" in found["system"].not_offered


@pytest.mark.parametrize(
    "blank",
    [
        *("Not Specified", "Unknown", "To Be Filled By O.E.M.", "Default string", "None", "", "0", "00000000", "N/A"),
        *("0123456789", "System Serial Number", "NO DIMM", "FFFFFFFF", "Not Available", "................", "SerNum0"),
    ],
)
def test_what_a_maker_left_blank_is_not_offered(blank: str) -> None:
    found = read(structure(1, Manufacturer="Example", Serial_Number=blank))
    assert found["system"].facts == {"kind": "system", "manufacturer": "Example"}
    assert "serial" in found["system"].not_offered


@pytest.mark.parametrize("serial", ["ABC1234", "VMware-56 4d fd 28", "J0X", "5CG12345XY", "00AD012345"])
def test_what_looks_like_a_serial_number_is_one(serial: str) -> None:
    assert read(structure(1, Serial_Number=serial))["system"].facts["serial"] == serial


def test_modules_with_one_locator_are_told_apart_by_their_banks() -> None:
    found = read(module("DIMM 0", "P0 CHANNEL A") + module("DIMM 0", "P0 CHANNEL B"))
    assert {"memory P0 CHANNEL A DIMM 0", "memory P0 CHANNEL B DIMM 0"} <= found.keys()
    assert {"memory DIMM 0 (1)", "memory DIMM 0 (2)"} <= read(module("DIMM 0") + module("DIMM 0")).keys()


@pytest.mark.parametrize(
    ("size", "number"),
    [
        ("16384 MB", 16 * 1024**3),
        ("16 GB", 16 * 1024**3),
        ("1 TB", 1024**4),
        ("65536 kB", 64 * 1024**2),
        ("8 GiB", 8 * 1024**3),
    ],
)
def test_sizes(size: str, number: int) -> None:
    assert read(module("A1", size=size))["memory A1"].facts["size_bytes"] == number


@pytest.mark.parametrize("size", ["No Module Installed", "Not Installed", "Unknown", "0 MB", ""])
def test_an_empty_slot_is_no_module(size: str) -> None:
    found = read(module("A1", size=size))
    assert found.keys() == {"memory"}
    assert found["memory"].facts["modules"] == 0


def test_the_older_name_of_a_speed() -> None:
    text = structure(17, Size="8 GB", Locator="A1", Speed="1600 MHz", Configured_Clock_Speed="1333 MHz")
    facts = read(text)["memory A1"].facts
    assert (facts["speed_mts"], facts["configured_speed_mts"]) == (1600, 1333)


def test_power_supplies() -> None:
    there = structure(39, Name="PWR SPLY,750W", Serial_Number="PS1", Max_Power_Capacity="750 W", Status="Present, OK")
    found = read(there + structure(39, Name="Empty", Status="Not Present"))
    assert found.keys() == {"power supply 1"}
    assert found["power supply 1"].facts["max_watts"] == 750


def test_an_empty_socket_is_no_processor() -> None:
    text = structure(4, Socket_Designation="CPU2", Status="Unpopulated") + structure(1, Serial_Number="A1B2")
    assert read(text).keys() == {"system"}


def test_parts_of_one_kind() -> None:
    assert read(INVENTORY, kinds=["module"]).keys() == {"memory A1"}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(b"", b"dmidecode: not found\n", 127), "no such command: dmidecode"),
        (
            Answer(b"# dmidecode 3.3\nScanning /dev/mem for entry point.\n", b"/dev/mem: Permission denied\n", 1),
            "no right to read the firmware's tables: root alone may",
        ),
        (
            Answer(b"# dmidecode 3.3\n# No SMBIOS nor DMI entry point found, sorry.\n", b"", 0),
            "the firmware of this machine has no tables about its parts (SMBIOS)",
        ),
        (Answer(b"", b"", 0), "the command printed nothing"),
        (Answer(structure(126).encode()), "the firmware's tables say nothing about such parts"),
    ],
)
def test_no_tables_are_not_measured(answer: Answer, why: str) -> None:
    assert PROBE.read(answer, {}) == NotMeasured(why)


@pytest.mark.parametrize(
    "answer",
    [Answer(b"<html></html>\n"), Answer(b"", b"", 139), Answer(INVENTORY, truncated=True), Answer(b"Size: 3\n")],
)
def test_what_is_no_report_is_unreadable(answer: Answer) -> None:
    with pytest.raises(UnreadableAnswer):
        PROBE.read(answer, {})


@spoiling
@given(spoiled([INVENTORY, (module("A1") + module("A1")).encode()]))
def test_what_is_spoilt_is_unreadable_at_worst(output: bytes) -> None:
    assert complaints(PROBE, output) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_the_question_in_every_shell(shell: list[str], tmp_path: Path) -> None:
    tool(tmp_path, "dmidecode", f"[ \"$*\" = '-t 0,1,2,3,4,17,39' ] || exit 9\ncat <<'X'\n{INVENTORY.decode()}X")
    reading = PROBE.read(ask(PROBE, shell, tools=tmp_path), {})
    assert isinstance(reading, Measured)
    assert len(reading.subjects) == 5
