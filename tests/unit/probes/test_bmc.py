"""Sensors and events asked over the network: read as those that the server itself gives."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maintops.domain.answers import Answer, Measured, NotMeasured, Skipped, UnreadableAnswer
from maintops.probes import bmc_events, bmc_sensors
from maintops.probes.conformance import reading_complaints
from maintops.probes.contract import Probe, Reach
from maintops.runners.ipmi_lan import READING
from tests.contract.samples_bmc import EVENTS, SENSORS
from tests.examples import examples
from tests.unit.probes.asking import only, part_of, recording, recordings

PROBES = [bmc_sensors.PROBE, bmc_events.PROBE]
each = pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)


@each
def test_its_question_is_one_that_may_be_asked(probe: Probe) -> None:
    assert probe.reach is Reach.IPMI
    text = probe.question({})
    assert isinstance(text, str)
    assert set(text.splitlines()) <= set(READING)
    assert isinstance(probe.question({"ask": False}), Skipped)


def test_sensors() -> None:
    cpu = only(bmc_sensors.PROBE, Answer(SENSORS))
    assert cpu.subject == "CPU Temp"
    assert (cpu.facts["celsius"], cpu.facts["upper_critical"], cpu.facts["severity"]) == (45, 90, "ok")


def test_sensors_of_some_kinds() -> None:
    assert isinstance(bmc_sensors.PROBE.read(Answer(SENSORS), {"kinds": ["fan"]}), NotMeasured)


def test_events() -> None:
    log = only(bmc_events.PROBE, Answer(EVENTS))
    assert log.facts["used_percent"] == 1
    assert log.facts["open_events"] == ["2 2026-03-02 11:00:00 Memory #0x53: Uncorrectable ECC"]


def test_a_line_that_looks_like_a_part_is_none() -> None:
    lines = "SEL Information\nEntries          : 1\nPercent Used     : 2%\nOverflow         : false\n=sel elist\n"
    log = only(bmc_events.PROBE, Answer(part_of("sel info", lines) + part_of("sel elist", "")))
    assert log.facts["used_percent"] == 2


@pytest.mark.parametrize("name", recordings("ipmitool-sensor"))
def test_recorded_sensors(name: str) -> None:
    asked = bmc_sensors.PROBE
    data = recording("ipmitool-sensor", name).encode()
    answer = asked.recording(data) if asked.recording else Answer(data)
    reading = asked.read(answer, {})
    assert isinstance(reading, Measured)
    assert reading.subjects
    assert reading_complaints(asked, answer, {}) == []


@pytest.mark.parametrize("name", recordings("ipmitool-sel"))
def test_recorded_events(name: str) -> None:
    asked = bmc_events.PROBE
    assert asked.recording is not None
    facts = only(asked, asked.recording(recording("ipmitool-sel", name).encode())).facts
    assert isinstance(facts["entries"], int)


@each
def test_bad_answers(probe: Probe) -> None:
    assert isinstance(probe.read(Answer(b"", b"ipmitool: not found\n", 127), {}), NotMeasured)
    assert isinstance(probe.read(Answer(b""), {}), NotMeasured)
    for bad in (b"<html>no</html>", b"=other\n x\n.0\n", b"=sdr elist\n <html>\n.0\n=sel elist\n <html>\n.0\n"):
        with pytest.raises(UnreadableAnswer):
            probe.read(Answer(bad), {})
    whole = SENSORS if probe is bmc_sensors.PROBE else EVENTS
    with pytest.raises(UnreadableAnswer):
        probe.read(Answer(whole[: len(whole) // 2]), {})
    with pytest.raises(UnreadableAnswer):
        probe.read(Answer(whole, timed_out=True), {})


def test_a_subcommand_that_failed_is_not_measured_and_one_that_crashed_unreadable() -> None:
    refused = Answer(part_of("sdr elist", (1, "")), b"Get Device ID command failed\n")
    assert isinstance(bmc_sensors.PROBE.read(refused, {}), NotMeasured)
    with pytest.raises(UnreadableAnswer, match="139"):
        bmc_sensors.PROBE.read(Answer(part_of("sdr elist", (139, ""))), {})


@each
@settings(max_examples=examples(100), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_comes_is_read_or_unreadable(probe: Probe, data: st.DataObject) -> None:
    lines = data.draw(st.permutations((SENSORS + EVENTS).split(b"\n")))
    text = bytearray(b"\n".join(lines))
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(text)))
        text[place : place + 3] = data.draw(st.binary(max_size=4))
    answers = [Answer(bytes(text)), Answer(bytes(text[: data.draw(st.integers(0, len(text)))]))]
    if probe.recording is not None:
        with contextlib.suppress(UnreadableAnswer):
            answers.append(probe.recording(bytes(text)))
    for answer in answers:
        assert reading_complaints(probe, answer, {}) == []
