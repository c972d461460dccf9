from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given

from maintops.domain.answers import Answer, Measured, NotMeasured, SubjectFacts
from maintops.probes.temperatures import PROBE
from tests.contract.asking import SHELLS, ask
from tests.contract.samples import HWMON
from tests.unit.probes.asking import recording
from tests.unit.probes.recorded import OFTEN, all_of, assert_no_news, assert_reads, read_recording, spoiled

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


# --- recordings -------------------------------------------------------------------------------------------------------
SENSORS = """\
coretemp-isa-0000
Adapter: ISA adapter
Package id 0:  +45.0°C  (high = +82.0°C, crit = +100.0°C)
fan1:        1200 RPM  (min =    0 RPM)
in0:          +1.02 V  (min =  +0.00 V, max =  +1.74 V)

nvme-pci-0100
Adapter: PCI adapter
Composite:    +46.9 C  (low  =  -5.2 C, high = +83.8 C)
                       (crit = +87.8 C)

nct6779-isa-0290
SYSTIN:                   N/A  (high =  +0.0°C, hyst =  +0.0°C)
temp3:       FAULT
AUXTIN0:     +104.0°F    (high = +176.0°F)
fan2:         N/A
"""
SENSORS_U = """\
coretemp-isa-0000
Adapter: ISA adapter
Package id 0:
  temp1_input: 45.000
  temp1_max: 82.000
  temp1_crit: 100.000
  temp1_crit_alarm: 0.000
fan1:
  fan1_input: 1200.000
"""
SENSORS_J = """\
ERROR: Can't get value of subfeature temp1_input: Can't read
{
   "coretemp-isa-0000":{
      "Adapter": "ISA adapter",
      "Package id 0":{ "temp1_input": 45.000, "temp1_max": 82.000, "temp1_crit": 100.000, },
      "fan1":{ "fan1_input": 1200.000 },
      "Core 0":{ERROR: Can't get value of subfeature temp9_max: Can't read
         , "temp9_input": 44.0 },
      "Ambient":{ "temp2_input": 31.0, "temp2_crit": NaN },
      "Ambient":{ "temp3_input": 32.0 },
   },
}
{ "acpitz-acpi-0":{ "Adapter": "ACPI interface", "temp1":{ "temp1_input": 27.8, "temp1_fault": 1.0 } } }
"""
READINGS = """\
{"coretemp": [{"label": "Package id 0", "current": 45.0, "high": 82.0, "critical": 100.0},
              {"label": "", "current": 44.0, "high": null, "critical": null}],
 "fans": [{"label": "front", "current": 1200}]}
"""


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (SENSORS, "coretemp-isa-0000/Package id 0"),
        (SENSORS_U, "coretemp-isa-0000/Package id 0"),
        (SENSORS_J, "coretemp-isa-0000/Package id 0"),
        (READINGS, "coretemp/Package id 0"),
        (HWMON.decode(), "coretemp.0/Package id 0"),
    ],
)
def test_bare_output_of_sensors(text: str, name: str):
    facts = all_of(PROBE, text)[name].facts
    assert (facts["celsius"], facts["high"], facts["critical"]) == (45.0, 82.0, 100.0)
    assert facts["label"] == "Package id 0"


def test_what_sensors_shows_to_people():
    found = all_of(PROBE, SENSORS)
    assert sorted(map(str, found)) == [
        "coretemp-isa-0000/Package id 0",
        *("nct6779-isa-0290/AUXTIN0", "nct6779-isa-0290/SYSTIN", "nct6779-isa-0290/temp3"),
        "nvme-pci-0100/Composite",
    ]
    assert found["nvme-pci-0100/Composite"].facts["critical"] == 87.8
    assert (found["nct6779-isa-0290/AUXTIN0"].facts["celsius"], found["nct6779-isa-0290/AUXTIN0"].facts["high"]) == (
        40,
        80,
    )
    assert found["nct6779-isa-0290/SYSTIN"].why_not == "the sensor gives no reading"
    assert found["nct6779-isa-0290/temp3"].why_not == "the sensor says that it is faulty"


def test_json_that_is_none():
    found = all_of(PROBE, SENSORS_J)
    assert found["coretemp-isa-0000/Ambient (temp3)"].facts["celsius"] == 31.0
    assert found["coretemp-isa-0000/Core 0"].facts["celsius"] == 44.0
    assert found["coretemp-isa-0000/Ambient (temp4)"].facts["celsius"] == 32.0
    assert "critical" not in found["coretemp-isa-0000/Ambient (temp3)"].facts
    assert found["acpitz-acpi-0/temp1"].why_not == "the sensor says that it is faulty"


@pytest.mark.parametrize("text", ["{}", "No sensors found!\nMake sure you loaded all the kernel drivers you need.\n"])
def test_no_sensor_in_a_recording_is_not_measured(text: str):
    assert read_recording(PROBE, text) == NotMeasured("no temperature sensor is named here")


@pytest.mark.parametrize(
    ("name", "count", "hottest", "over_critical"),
    [
        ("coolermaster-real-capture", 9, ("coretemp/Package id 0", 37.0), []),
        ("coretemp-and-acpitz-nominal", 7, ("coretemp/Package id 0", 52.0), []),
        ("coretemp-package-over-crit", 1, ("coretemp/Package id 0", 102.0), ["coretemp/Package id 0"]),
        ("coretemp-package-over-warn", 3, ("coretemp/Package id 0", 85.0), []),
        ("dell-laptop-real-capture", 28, ("coretemp/Package id 0", 67.0), []),
    ],
)
def test_whole_recordings(name: str, count: int, hottest: tuple[str, float], over_critical: list[str]):
    found = all_of(PROBE, recording("sensors-temperatures", name))
    assert len(found) == count
    celsius = {str(one.subject): one.facts["celsius"] for one in found.values()}
    assert max(celsius.items(), key=lambda one: one[1]) == hottest
    assert [
        one.subject for one in found.values() if one.facts["celsius"] >= one.facts.get("critical", 1000)
    ] == over_critical


def test_recordings_without_temperatures():
    assert isinstance(read_recording(PROBE, recording("sensors-temperatures", "no-sensors")), NotMeasured)
    for name in ("coolermaster-real-capture", "dell-laptop-real-capture", "fan-over-warn", "two-fans-nominal"):
        assert isinstance(read_recording(PROBE, recording("sensors-fans", name)), NotMeasured)


@OFTEN
@given(data=spoiled([SENSORS, SENSORS_U, SENSORS_J, READINGS, HWMON.decode()]))
def test_a_spoiled_recording_is_unreadable_at_worst(data: bytes) -> None:
    assert_reads(PROBE, data)


def test_a_recording_of_nothing_or_of_something_else_is_no_news() -> None:
    assert_no_news(PROBE)
