from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from maintops.domain.answers import Answer, Measured, NotMeasured, SubjectFacts
from maintops.probes.temperatures import PROBE
from tests.contract.asking import SHELLS, ask
from tests.contract.samples import HWMON

BASE = "/sys/class/hwmon"


def read(text: str) -> Mapping[str | None, SubjectFacts]:
    reading = PROBE.read(Answer(text.encode()), {})
    assert isinstance(reading, Measured)
    return {one.subject: one for one in reading.subjects}


def chip(number: int, name: str, device: str = "", **files: str) -> str:
    lines = {"name": name, **files} | ({"device": device} if device else {})
    return "".join(f"{BASE}/hwmon{number}/{file}:{content}\n" for file, content in lines.items())


def test_a_sensor_has_its_limits():
    one = read(HWMON.decode())["coretemp.0/Package id 0"]
    assert one.facts == {
        "celsius": 45.0,
        "high": 82.0,
        "critical": 100.0,
        "chip": "coretemp.0",
        "label": "Package id 0",
    }
    assert one.not_offered == frozenset()


def test_a_sensor_without_limits_offers_none():
    one = read(HWMON.decode())["nct6779 nct6775.656/temp2"]
    assert (one.facts["celsius"], one.not_offered) == (31.5, {"high", "critical"})


@pytest.mark.parametrize("reading", ["-128000", "127000", "255000", "65261850", "-40000"])
def test_an_absurd_reading_is_none(reading: str):
    (one,) = read(chip(0, "nct", temp1_input=reading)).values()
    assert one.facts == {}
    assert one.why_not is not None
    assert "nothing is connected" in one.why_not


def test_a_faulty_sensor_is_not_believed():
    (one,) = read(chip(0, "nct", temp1_input="40000", temp1_fault="1")).values()
    assert one.why_not == "the sensor says that it is faulty"


@pytest.mark.parametrize("files", [{"temp1_max": "80000"}, {"temp1_input": "warm"}])
def test_a_sensor_that_gives_no_reading_stays_a_subject(files: dict[str, str]):
    (one,) = read(chip(0, "drivetemp", **files)).values()
    assert one.why_not == "the sensor gives no reading"


@pytest.mark.parametrize("limit", ["0", "-1000", "65261850"])
def test_a_limit_that_was_never_set_is_none(limit: str):
    (one,) = read(chip(0, "nvme", temp1_input="40000", temp1_max=limit)).values()
    assert one.not_offered == {"high", "critical"}


def test_chips_of_one_name_are_told_apart_by_their_devices():
    text = chip(3, "nvme", "/sys/devices/pci/nvme/nvme0", temp1_input="40000") + chip(
        1, "nvme", "/sys/devices/pci/nvme/nvme1", temp1_input="41000"
    )
    assert set(read(text)) == {"nvme0/temp1", "nvme1/temp1"}


def test_chips_that_nothing_tells_apart_keep_their_numbers():
    text = chip(0, "acpitz", temp1_input="40000") + chip(1, "acpitz", temp1_input="41000")
    assert set(read(text)) == {"acpitz hwmon0/temp1", "acpitz hwmon1/temp1"}


def test_labels_that_occur_twice_are_told_apart():
    text = chip(0, "ddv", temp1_input="1000", temp1_label="Ambient", temp2_input="2000", temp2_label="Ambient")
    assert set(read(text)) == {"ddv/Ambient (temp1)", "ddv/Ambient (temp2)"}


def test_a_machine_without_sensors_is_not_measured():
    none = NotMeasured("this machine has no temperature sensor that its kernel knows")
    assert PROBE.read(Answer(b""), {}) == none
    assert PROBE.read(Answer(b"", b"", 2), {}) != none
    assert isinstance(PROBE.read(Answer(chip(0, "ucsi").encode()), {}), NotMeasured)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_question_reads_the_files_of_every_chip(shell: str, tmp_path: Path):
    first, second = tmp_path / "hwmon0", tmp_path / "hwmon1"
    (tmp_path / "devices" / "nvme0").mkdir(parents=True)
    for folder, files in (
        (first, {"name": "nvme", "temp1_input": "38850"}),
        (second, {"name": "acpitz", "fan1_input": "9"}),
    ):
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_text(content + "\n")
    (first / "device").symlink_to(tmp_path / "devices" / "nvme0")
    answer = ask(PROBE.question({}).replace(BASE, str(tmp_path)), SHELLS[shell])
    assert answer.status == 0
    assert set(read(answer.stdout.decode().replace(str(tmp_path), BASE))) == {"nvme0/temp1"}
