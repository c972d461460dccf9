"""What lm-sensors measures, in each of its forms and in those that are broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given

from maintops.domain.answers import Answer, Measured, NotMeasured, SubjectFacts, UnreadableAnswer
from maintops.probes.lm_sensors import PROBE
from tests.contract.samples_chassis import SENSORS, SENSORS_JSON
from tests.unit.probes.asking import SHELLS, ask, recording, recordings, tool
from tests.unit.probes.spoiling import complaints, spoiled, spoiling

PLAIN = """\
nct6798-isa-02a0
Adapter: ISA adapter
in0:                    712.00 mV (min =  +0.00 V, max =  +1.74 V)
in1:                      1.02 V  (min =  +0.00 V, max =  +0.00 V)  ALARM
fan1:                   1200 RPM  (min =    0 RPM)
fan2:                    300 RPM  (min =    600 RPM)  ALARM
SYSTIN:                  +35.0\u00b0C  (high =  +80.0\u00b0C, hyst = +75.0\u00b0C)  sensor = thermistor
CPUTIN:                 -128.0\u00b0C  (high = +80.0 C)
AUXTIN3:                    N/A
intrusion0:            ALARM
beep_enable:           disabled

amdgpu-pci-0300
Adapter: PCI adapter
edge:         +45.0 C  (high = +90.0 C)
                       (crit = +100.0 C, hyst = -273.1 C)
PPT:          12.00 W  (cap =  55.00 W)
"""


def read(text: str | bytes, **parameters: object) -> dict[str | None, SubjectFacts]:
    reading = PROBE.read(Answer(text.encode() if isinstance(text, str) else text), parameters)
    assert isinstance(reading, Measured), reading
    return {one.subject: one for one in reading.subjects}


# --- recordings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", recordings("sensors-temperatures"))
def test_recorded_temperatures(name: str) -> None:
    text = recording("sensors-temperatures", name)
    entries = [entry for chip in json.loads(text).values() for entry in chip]
    if not entries:
        reading = PROBE.read(Answer(text.encode()), {})
        assert reading == NotMeasured("no chip that lm-sensors knows has such a sensor")
        return
    found = read(text)
    assert sorted(one.facts["celsius"] for one in found.values()) == sorted(one["current"] for one in entries)
    hot = [name for name, one in found.items() if one.facts["celsius"] >= one.facts.get("critical", 1000)]
    assert hot == (["coretemp/Package id 0"] if name == "coretemp-package-over-crit" else [])


@pytest.mark.parametrize("name", recordings("sensors-fans"))
def test_recorded_fans(name: str) -> None:
    text = recording("sensors-fans", name)
    speeds = {one["current"] for chip in json.loads(text).values() for one in chip}
    reading = PROBE.read(Answer(text.encode()), {})
    if not speeds:
        assert isinstance(reading, NotMeasured)
        return
    assert {one.facts["rpm"] for one in read(text).values()} == speeds
    assert {one.facts["kind"] for one in read(text).values()} == {"fan"}


def test_a_recording_with_limits_that_nobody_set() -> None:
    found = read(recording("sensors-temperatures", "dell-laptop-real-capture"))
    assert found["nvme/Composite"].facts["high"] == 81.85
    assert {"high", "critical", "alarm"} <= found["nvme/Sensor 1"].not_offered, "65261.85 is no limit"
    assert "high" in found["dell_ddv/CPU"].not_offered, "0 is no limit"
    assert [name for name in found if name and name.startswith("dell_ddv/Ambient")] == [
        *(
            "dell_ddv/Ambient (temp2)",
            "dell_ddv/Ambient (temp4)",
            "dell_ddv/Ambient (temp5)",
            "dell_ddv/Ambient (temp6)",
        )
    ]


# --- forms -----------------------------------------------------------------------------------------------------------


def test_the_question_s_own_form() -> None:
    found = read(SENSORS)
    package = found["coretemp-isa-0000/Package id 0"].facts
    assert (package["celsius"], package["high"], package["critical"], package["alarm"]) == (45.0, 80.0, 100.0, False)
    fan = found["nct6798-isa-02a0/fan2"].facts
    assert (fan["rpm"], fan["low"], fan["alarm"]) == (300.0, 600.0, True)
    assert found["nct6798-isa-02a0/in0"].facts["volts"] == 0.696
    assert found["nct6798-isa-02a0/intrusion0"].facts["intrusion"] is True


def test_plain_text() -> None:
    found = {str(name).partition("/")[2]: one for name, one in read(PLAIN).items()}
    assert found["in0"].facts["volts"] == 0.712
    assert found["fan2"].facts == {
        "kind": "fan",
        "chip": "nct6798-isa-02a0",
        "label": "fan2",
        "rpm": 300.0,
        "low": 600.0,
        "alarm": True,
    }
    assert found["SYSTIN"].facts["high"] == 80.0
    assert found["CPUTIN"].why_not == "the sensor reads -128.0 °C: nothing is connected to it"
    assert found["AUXTIN3"].why_not == "the sensor gives no reading"
    assert found["intrusion0"].facts["intrusion"] is True
    assert (found["edge"].facts["high"], found["edge"].facts["critical"]) == (90.0, 100.0)
    assert found["PPT"].facts["watts"] == 12.0
    assert "beep_enable" not in found


def test_an_alarm_about_limits_that_nobody_set_is_none() -> None:
    found = {str(name).partition("/")[2]: one for name, one in read(PLAIN).items()}
    assert {"alarm", "low", "high"} <= found["in1"].not_offered
    assert {"alarm", "low"} <= found["fan1"].not_offered


def test_broken_json_is_read_as_far_as_it_is_whole() -> None:
    found = read(SENSORS_JSON)
    assert found["coretemp-isa-0000/Package id 0"].why_not == "the sensor gives no reading"
    assert found["coretemp-isa-0000/Core 0"].facts["celsius"] == 81.0
    assert found["coretemp-isa-0000/Core 0"].facts["high"] == 80.0


def test_two_documents_in_a_row() -> None:
    one = '{"a-isa-0": {"Adapter": "x", "T": {"temp1_input": 40.0}}}\n'
    found = read(one + one.replace("a-isa", "b-isa").replace("40.0", "50.0"))
    assert {name: subject.facts["celsius"] for name, subject in found.items()} == {"a-isa-0/T": 40.0, "b-isa-0/T": 50.0}


@pytest.mark.parametrize("number", ["NaN", "nan", "-nan", "Infinity", "inf", "null", "1e999"])
def test_what_is_no_number_is_no_reading(number: str) -> None:
    found = read('{"a-isa-0": {"Adapter": "x", "T": {"temp1_input": ' + number + ', "temp1_max": 80}}}')
    assert found["a-isa-0/T"].why_not == "the sensor gives no reading"


def test_a_sensor_that_says_that_it_is_faulty() -> None:
    found = read("w83-isa-0\nAdapter: ISA adapter\ntemp1:\n  temp1_input: 40.0\n  temp1_fault: 1.0\n")
    assert found["w83-isa-0/temp1"].why_not == "the sensor says that it is faulty"


def test_an_average_where_there_is_no_reading_of_now() -> None:
    found = read("power_meter-acpi-0\nAdapter: ACPI interface\npower1:\n  power1_average: 120.0\n")
    assert found["power_meter-acpi-0/power1"].facts["watts"] == 120.0


def test_sensors_of_one_kind() -> None:
    assert read(SENSORS, kinds=["fan"]).keys() == {"nct6798-isa-02a0/fan2"}


# --- no answer -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(b"", b"sensors: not found\n", 127), "no such command: sensors"),
        (
            Answer(b"", b"No sensors found!\nMake sure you loaded all the kernel drivers you need.\n", 1),
            "finds no sensor",
        ),
        (Answer(b"No sensors found!\n", b"", 1), "finds no sensor"),
        (Answer(b"", b"", 0), "printed nothing"),
    ],
)
def test_no_sensors_are_not_measured(answer: Answer, why: str) -> None:
    reading = PROBE.read(answer, {})
    assert isinstance(reading, NotMeasured)
    assert why in reading.why


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"<!DOCTYPE html>\n<html><body>No</body></html>\n"),
        Answer(b"", b"Segmentation fault\n", 139),
        Answer(SENSORS, truncated=True),
        Answer(SENSORS_JSON[:300]),
        Answer(b'{"a": 1}'),
        Answer(b'{"a": {"b": {}}}}'),
        Answer(b'{"coretemp": [1, 2]}'),
    ],
)
def test_what_is_no_report_is_unreadable(answer: Answer) -> None:
    with pytest.raises(UnreadableAnswer):
        PROBE.read(answer, {})


@spoiling
@given(spoiled([SENSORS, SENSORS_JSON, PLAIN.encode(), b'{"dell": [{"label": "", "current": 3257, "high": null}]}']))
def test_what_is_spoilt_is_unreadable_at_worst(output: bytes) -> None:
    assert complaints(PROBE, output) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_the_question_in_every_shell(shell: list[str], tmp_path: Path) -> None:
    tool(tmp_path, "sensors", f"[ \"$*\" = -u ] || exit 9\ncat <<'X'\n{SENSORS.decode()}X")
    reading = PROBE.read(ask(PROBE, shell, tools=tmp_path), {})
    assert isinstance(reading, Measured)
    assert len(reading.subjects) == 4
