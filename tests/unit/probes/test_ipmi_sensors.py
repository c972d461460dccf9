"""Sensors of a BMC, in every form in which ipmitool prints them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import Answer, Measured, NotMeasured, SubjectFacts, UnreadableAnswer
from maintops.probes.ipmi_sensors import PROBE
from maintops.probes.ipmi_words import redundancy_of, severity_of, states_of
from tests.contract.samples_chassis import IPMI_ELIST, IPMI_ROWS, IPMI_SENSORS, IPMI_VERBOSE
from tests.unit.probes.asking import SHELLS, ask, recording, recordings, tool
from tests.unit.probes.spoiling import complaints, spoiled, spoiling


def read(text: str | bytes, **parameters: object) -> dict[str | None, SubjectFacts]:
    stdout = text.encode() if isinstance(text, str) else text
    reading = PROBE.read(Answer(stdout), parameters)
    assert isinstance(reading, Measured), reading
    return {one.subject: one for one in reading.subjects}


# --- recordings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", recordings("ipmitool-sensor"))
def test_recordings(name: str) -> None:
    text = recording("ipmitool-sensor", name)
    found = read(text)
    assert len(found) == sum(bool(line.strip()) for line in text.split("\n")), "a line was lost"
    bad = {one for one, subject in found.items() if subject.facts.get("severity") in ("warning", "critical")}
    expected = {
        "thirtyeight-sensors-with-critical": {
            *("Chassis Intru (2)", "FAN 1", "FAN1", "FAN2", "FAN3 (1)", "FAN3 (2)", "FAN4 (1)", "FANA"),
        }
    }
    assert bad == expected.get(name, set())


def test_a_recording_of_a_large_server() -> None:
    found = read(recording("ipmitool-sensor", "thirtyeight-sensors-ok"))
    inlet = found["01-Inlet Ambient"]
    assert inlet.facts["celsius"] == 23.0
    assert (inlet.facts["upper_critical"], inlet.facts["upper_non_recoverable"]) == (42.0, 47.0)
    assert {"lower_critical", "states", "rpm", "redundancy"} <= inlet.not_offered
    assert found["03-CPU 2"].why_not == "the sensor gives no reading"
    assert found["Power Supply 1"].facts["states"] == ["Presence detected"]
    assert found["Power Supplies"].facts["redundancy"] == "full"
    assert found["Dr_Stat_1I3_B004"].facts["failed"] is False
    assert found["PS 1 Output"].facts["watts"] == 80.0
    # bits whose meaning nothing tells are kept as they are, and judged by nobody
    assert found["UID"].facts == {"kind": "other", "state_hex": "0x0001"}
    assert "severity" not in found["UID"].not_offered


def test_a_recording_with_faults() -> None:
    found = read(recording("ipmitool-sensor", "thirtyeight-sensors-with-critical"))
    assert found["FAN1"].facts["status"] == "non_recoverable"
    assert found["FAN1"].facts["rpm"] == 0.0
    assert found["FAN 1"].facts["status"] == "non_critical"
    assert found["Chassis Intru (2)"].facts["intrusion"] is True
    assert found["Chassis Intru (1)"].facts["intrusion"] is False


# --- forms -----------------------------------------------------------------------------------------------------------


def test_the_question_s_own_form() -> None:
    found = read(IPMI_SENSORS)
    inlet = found["Inlet Temp"].facts
    assert (inlet["kind"], inlet["celsius"], inlet["status"]) == ("temperature", 23.0, "ok")
    limits = {name: inlet[name] for name in inlet if name.startswith(("lower", "upper"))}
    assert limits == {
        "lower_critical": -7.0,
        "lower_non_critical": 3.0,
        "upper_non_critical": 42.0,
        "upper_critical": 47.0,
    }
    assert found["Temp (3.1)"].facts["status"] == "critical"
    assert found["Temp (3.2)"].why_not == "the sensor gives no reading"
    lost = found["Status (0x86)"].facts
    assert (lost["present"], lost["failed"], lost["input_lost"]) == (True, False, True)
    assert found["PS Redundancy"].facts["redundancy"] == "lost"
    assert found["Power Supply 3"].facts["failed"] is True
    assert found["Power Supply 3"].facts["watts"] == 0.0
    assert found["Drive 4"].facts == {
        "kind": "drive",
        "states": ["Drive Present", "Drive Fault"],
        "severity": "critical",
        "present": True,
        "failed": True,
    }
    assert found["Intrusion"].facts["intrusion"] is False
    assert found["vFlash"].why_not is not None


def test_rows_of_ipmitool_sensor() -> None:
    found = read(IPMI_ROWS)
    assert found["System Temp"].facts["lower_non_recoverable"] == -10.0
    assert found["FAN5"].why_not == "the sensor gives no reading"
    assert found["PS1 Status"].facts["states"] == ["Presence detected", "Failure detected", "Power Supply AC lost"]
    assert found["PS1 Status"].facts["state_hex"] == "0x000b"


def test_elist() -> None:
    found = read(IPMI_ELIST)
    assert found["Fan1A RPM"].facts["status"] == "critical"
    assert found["PS1 Status"].facts["failed"] is True
    assert found["PSU Alert"].why_not is not None


def test_verbose() -> None:
    found = read(IPMI_VERBOSE)
    assert found["Pwr Unit Redund"].facts["states"] == ["Redundancy Lost"], "what could be asserted is not asserted"
    assert found["CPU Temp"].facts["upper_critical"] == 95.0
    assert found["CPU Temp"].facts["celsius"] == 96.0


def test_verbose_of_a_sensor_that_is_not_there() -> None:
    text = "Sensor ID              : FAN9 (0x49)\n Entity ID             : 29.9\n"
    found = read(text + " Sensor Type (Discrete): Fan\n Unable to read sensor: Device Not Present\n")
    assert found["FAN9"].why_not == "the sensor's device is not present"


def test_the_short_list_tells_nothing_of_discrete_sensors() -> None:
    found = read("Pwr Unit Redund  | 0x00              | ok\nBB Temp          | 25 degrees C      | ok\n")
    assert found["Pwr Unit Redund"].why_not == "this list does not say which states are asserted"
    assert found["BB Temp"].facts["celsius"] == 25.0


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("MIC Margin 1     | disabled          | ns", "the sensor is disabled"),
        ("MIC Status 1     | Not Readable      | ns", "the sensor gives no reading"),
        ("P1 MTT           | no reading        | ns", "the sensor gives no reading"),
        ("FAN1             | 41h | ns  | 29.0 | No Reading", "the sensor gives no reading"),
        ("FAN1             | 41h | ns  | 29.0 | Disabled", "the sensor is disabled"),
        (
            "FAN1             | na         | RPM        | na    | na | na | na | na | na | na",
            "the sensor gives no reading",
        ),
        ("FAN1,,,ns", "the sensor gives no reading"),
        ("FAN1,41h,ns,29.1,No Reading", "the sensor gives no reading"),
    ],
)
def test_what_was_not_read_is_neither_good_nor_bad(line: str, why: str) -> None:
    (subject,) = read(line + "\n").values()
    assert subject.why_not == why
    assert subject.facts.keys() == {"kind"}


@pytest.mark.parametrize("status", ["nc", "lnc", "unc", "Upper Non-Critical", "Lower Non-Critical"])
def test_every_spelling_of_a_verdict(status: str) -> None:
    assert read(f"Temp,40,degrees C,{status}\n")["Temp"].facts["severity"] == "warning"


@pytest.mark.parametrize("status", ["cr", "ucr", "lcr", "nr", "lnr", "unr", "Upper Critical", "Lower Non-Recoverable"])
def test_every_spelling_of_a_bad_one(status: str) -> None:
    assert read(f"Temp,40,degrees C,{status}\n")["Temp"].facts["severity"] == "critical"


def test_a_verdict_without_a_reading_is_none() -> None:
    found = read("Temp             | na         | degrees C  | cr    | na | na | na | na | na | na\n")
    assert found["Temp"].why_not is not None


def test_a_state_with_a_comma_in_it() -> None:
    found = read("PS1 Status       | C8h | ok  | 10.1 | Presence detected, AC out-of-range, but present\n")
    assert found["PS1 Status"].facts["states"] == ["Presence detected", "AC out-of-range but present"]
    assert found["PS1 Status"].facts["input_lost"] is True


def test_sensors_of_one_kind() -> None:
    assert read(IPMI_SENSORS, kinds=["fan"]).keys() == {"Fan1A", "Fan Redundancy"}
    nothing = PROBE.read(Answer(IPMI_SENSORS), {"kinds": ["battery"]})
    assert nothing == NotMeasured("the BMC has no sensor of the kind battery")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("FANA", "fan"),
        ("SYS_FAN2", "fan"),
        ("Chassis Intru", "intrusion"),
        ("Physical Scrty", "intrusion"),
        ("PSU1_Supply", "power_supply"),
        ("PS Redundancy", "power_supply"),
        ("P1 Therm Trip", "temperature"),
        ("CPU1 Status", "processor"),
        ("Mem_Stat_C01S01", "memory"),
        ("Dr_Stat_1I3_B004", "drive"),
        ("CMOS Battery", "battery"),
        ("UID", "other"),
    ],
)
def test_names_that_tell_what_a_sensor_is_about(name: str, kind: str) -> None:
    assert read(f"{name},64h,ok,7.1,\n")[name].facts["kind"] == kind


# --- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "severity"),
    [
        ("Presence detected", "ok"),
        ("Fully Redundant", "ok"),
        ("Transition to Running", "ok"),
        ("Parity Check In Progress", "ok"),
        ("Predictive Failure Deasserted", "ok"),
        ("Lower Critical going high", "ok"),
        ("Power Supply AC lost", "critical"),
        ("Power Supply input lost (AC/DC)", "critical"),
        ("Redundancy Lost", "critical"),
        ("Non-Redundant: Insufficient Resources", "critical"),
        ("Drive Fault", "critical"),
        ("Uncorrectable ECC", "critical"),
        ("Parity", "critical"),
        ("IERR", "critical"),
        ("Thermal Trip", "critical"),
        ("Failed", "critical"),
        ("Transition to Critical from less severe", "critical"),
        ("Lower Non-recoverable going low", "critical"),
        ("Correctable ECC", "warning"),
        ("Non-Redundant: Sufficient from Redundant", "warning"),
        ("Predictive failure", "warning"),
        ("General Chassis intrusion", "warning"),
        ("Upper Non-critical going high", "warning"),
        ("Low", "warning"),
    ],
)
def test_how_bad_a_state_is(words: str, severity: str) -> None:
    assert severity_of(words) == severity


def test_what_becomes_of_redundancy() -> None:
    assert redundancy_of(["Fully Redundant"]) == "full"
    assert redundancy_of(["Non-Redundant: Sufficient from Redundant"]) == "lost"
    assert redundancy_of(["Redundancy Degraded from Fully Redundant"]) == "degraded"
    assert redundancy_of(["Redundancy Degraded from Non-Redundant"]) == "degraded"
    assert redundancy_of(["Presence detected"]) is None


def test_a_bit_that_no_table_knows_is_named_by_its_number() -> None:
    assert states_of(0b101, ("a", "b")) == ["a", "state 2"]


# --- no answer -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(b"", b"ipmitool: not found\n", 127), "no such command: ipmitool"),
        (
            Answer(b"", b"Could not open device at /dev/ipmi0 or /dev/ipmi/0: No such file or directory\n", 1),
            (
                "this server has no BMC that its kernel knows: Could not open device at /dev/ipmi0 or /dev/ipmi/0: "
                "No such file or directory"
            ),
        ),
        (
            Answer(b"", b"Loading IANA PEN Registry...\nCould not open device at /dev/ipmi0: No such file\n", 1),
            "this server has no BMC that its kernel knows: Could not open device at /dev/ipmi0: No such file",
        ),
        (
            Answer(b"", b"Loading IANA PEN Registry...\nsomething else\n", 1),
            "the command printed nothing (exit status 1): something else",
        ),
        (Answer(b"", b"", 0), "the command printed nothing"),
    ],
)
def test_no_bmc_is_not_measured(answer: Answer, why: str) -> None:
    assert PROBE.read(answer, {}) == NotMeasured(why)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"<html><body>Forbidden, 403, really, sorry</body></html>\n"),
        Answer(b"garbage\n"),
        Answer(b"", b"Segmentation fault\n", 139),
        Answer(IPMI_SENSORS, truncated=True),
        Answer(IPMI_SENSORS, timed_out=True),
        Answer(IPMI_SENSORS, b"Unable to renew SDR reservation\n", 1),
    ],
)
def test_what_is_no_whole_list_is_unreadable(answer: Answer) -> None:
    with pytest.raises(UnreadableAnswer):
        PROBE.read(answer, {})


def test_one_sensor_that_cannot_be_read_spoils_nothing() -> None:
    assert isinstance(PROBE.read(Answer(IPMI_SENSORS, b"Error reading sensor vFlash (#f0)\n", 1), {}), Measured)


@spoiling
@given(spoiled([IPMI_SENSORS, IPMI_ROWS, IPMI_ELIST, IPMI_VERBOSE]), st.sampled_from([{}, {"kinds": ["fan"]}]))
def test_what_is_spoilt_is_unreadable_at_worst(output: bytes, parameters: dict[str, object]) -> None:
    assert complaints(PROBE, output, parameters) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_the_question_in_every_shell(shell: list[str], tmp_path: Path) -> None:
    tool(tmp_path, "ipmitool", f"[ \"$*\" = '-c -v sdr elist' ] || exit 9\ncat <<'X'\n{IPMI_SENSORS.decode()}X")
    reading = PROBE.read(ask(PROBE, shell, tools=tmp_path), {})
    assert isinstance(reading, Measured)
    assert len(reading.subjects) == 13
