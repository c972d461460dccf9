"""Versions of firmware, microcode and kernel, and the flaws of the processor."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from maintops.domain.answers import Answer, Measured, NotMeasured, SubjectFacts, UnreadableAnswer
from maintops.probes.firmware import PROBE, WHAT, recording
from tests.contract.samples_chassis import FIRMWARE
from tests.unit.probes.asking import SHELLS, answer_of, ask, tool
from tests.unit.probes.spoiling import complaints, spoiled, spoiling

MC_INFO = """\
Device ID                 : 32
Firmware Revision         : 4.40
IPMI Version              : 2.0
Manufacturer ID           : 674
Manufacturer Name         : DELL Inc
Product ID                : 256 (0x0100)
Product Name              : Unknown (0x100)
Device Available          : yes
Additional Device Support :
    Sensor Device
Aux Firmware Rev Info     :
    0x00
    0x0a
    0x1d
    0x00
"""
FLAWS = """\
/sys/devices/system/cpu/vulnerabilities/itlb_multihit:KVM: Vulnerable
/sys/devices/system/cpu/vulnerabilities/mds:Mitigation: Clear CPU buffers; SMT vulnerable
/sys/devices/system/cpu/vulnerabilities/meltdown:Not affected
/sys/devices/system/cpu/vulnerabilities/mmio_stale_data:Unknown: No mitigations
/sys/devices/system/cpu/vulnerabilities/retbleed:Vulnerable
"""
LSCPU = (
    "Vulnerability Mds:  Vulnerable: Clear CPU buffers attempted, no microcode\nVulnerability Meltdown:  Not affected\n"
)


def read(answer: Answer) -> dict[str | None, SubjectFacts]:
    reading = PROBE.read(answer, {})
    assert isinstance(reading, Measured), reading
    return {one.subject: one for one in reading.subjects}


def test_the_whole_answer() -> None:
    found = read(Answer(FIRMWARE))
    assert found.keys() == {"bios", "bmc", "microcode", "kernel", "network eno1", "processor flaws"}
    assert found["bios"].facts["release"] == [2021, 2, 24]
    assert found["bios"].facts["date"] == "2021-02-24"
    assert found["microcode"].facts["version"] == "0x2006b06"
    assert found["kernel"].facts["release"] == [5, 15, 0, 91]
    assert found["network eno1"].facts == {"kind": "network", "vendor": "ixgbe", "version": "0x800003e7"}
    assert {"vulnerable", "revisions", "build"} <= found["bios"].not_offered


def test_a_bmc() -> None:
    facts = read(recording(MC_INFO.encode()))["bmc"].facts
    assert facts == {
        "kind": "bmc",
        "vendor": "DELL Inc",
        "version": "4.40",
        "build": "0x00 0x0a 0x1d 0x00",
        "release": [4, 40],
    }


def test_a_bmc_that_does_not_answer_was_not_measured() -> None:
    found = read(answer_of(bmc=(1, ""), kernel="6.1.0-18-amd64"))
    assert found["bmc"].why_not == "ipmitool could not ask the BMC (exit status 1)"


def test_flaws() -> None:
    facts = read(recording(FLAWS.encode()))["processor flaws"].facts
    assert facts["vulnerable"] == ["itlb_multihit", "retbleed"]
    assert facts["mitigated"] == ["mds"]
    assert facts["smt_vulnerable"] == ["mds"]
    assert facts["unknown"] == ["mmio_stale_data"]


def test_flaws_by_lscpu() -> None:
    assert read(recording(LSCPU.encode()))["processor flaws"].facts["vulnerable"] == ["mds"]


def test_cores_with_different_microcode() -> None:
    facts = read(recording(b"microcode\t: 0x2b\nmodel name\t: Example\nmicrocode\t: 0x2c\n"))["microcode"].facts
    assert (facts["revisions"], facts["version"], facts["release"]) == (2, "0x2b 0x2c", [0x2B])


@pytest.mark.parametrize("revision", ["0xffffffff", "0x1"])
def test_a_virtual_machine_does_not_know_its_microcode(revision: str) -> None:
    reading = PROBE.read(recording(f"microcode\t: {revision}\n".encode()), {})
    assert reading == NotMeasured("this machine tells nothing of its firmware")


def test_a_port_without_firmware_is_none() -> None:
    answer = recording(b"driver: virtio_net\nversion: 1.0.0\nfirmware-version: \n")
    assert isinstance(PROBE.read(answer, {}), NotMeasured)


def test_only_what_is_asked_for() -> None:
    text = PROBE.question({"what": ["kernel"]})
    assert "uname" in str(text)
    assert "ipmitool" not in str(text)
    assert all(
        name in str(PROBE.question({})) for name in ("uname", "mc info", "ethtool", "vulnerabilities", "microcode")
    )
    assert "kernel" in WHAT


@pytest.mark.parametrize(
    "answer", [Answer(b"<html></html>\n"), Answer(FIRMWARE, truncated=True), Answer(FIRMWARE[:-3])]
)
def test_what_is_no_answer_is_unreadable(answer: Answer) -> None:
    with pytest.raises(UnreadableAnswer):
        PROBE.read(answer, {})


@pytest.mark.parametrize("answer", [Answer(b""), Answer(b"", b"", 139), Answer(b"", b"grep: not found\n", 127)])
def test_nothing_is_not_measured(answer: Answer) -> None:
    assert isinstance(PROBE.read(answer, {}), NotMeasured)


def test_a_recording_of_something_else_is_refused() -> None:
    with pytest.raises(UnreadableAnswer, match="nothing about firmware that is known here"):
        recording(b"<html>No</html>\n")


@spoiling
@given(spoiled([MC_INFO.encode(), FLAWS.encode(), LSCPU.encode(), FIRMWARE]))
def test_what_is_spoilt_is_unreadable_at_worst(output: bytes) -> None:
    assert complaints(PROBE, output) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_the_question_in_every_shell(shell: list[str], tmp_path: Path) -> None:
    (tmp_path / "ipmi0").touch()
    tool(tmp_path, "ipmitool", f"cat <<'X'\n{MC_INFO}X")
    found = read(ask(PROBE, shell, tools=tmp_path, change=(("/dev/ipmi0", str(tmp_path / "ipmi0")),)))
    assert found["bmc"].facts["version"] == "4.40"
    assert found["kernel"].facts["release"]
