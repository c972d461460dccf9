"""What Redfish services tell, in the words of several makers."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, Skipped, SubjectFacts, UnreadableAnswer
from maintops.probes.catalogue import builtin
from maintops.probes.conformance import reading_complaints
from maintops.probes.contract import Probe, Reach
from maintops.probes.redfish import recording as recorded
from maintops.runners.redfish_trees import sections
from tests.contract.samples_bmc import SAMPLES, document, resource
from tests.examples import examples
from tests.unit.probes.asking import DATA, recording, recordings

NAMES = [name for name in SAMPLES if name.startswith("redfish-")]
SYSTEM, BOX = "/redfish/v1/Systems/1", "/redfish/v1/Chassis/1"
FOLDERS = {
    "redfish-storage": ("redfish-storage",),
    "redfish-memory": ("redfish-memory",),
    "redfish-processors": ("redfish-processors",),
    "redfish-sensors": ("redfish-thermal", "redfish-power"),
}
EMPTY = {"cisco-powercontrol-thermal", "zero-range-chassis-thermal"}
"""Thermal resources without one temperature or fan in them."""


def probe(name: str) -> Probe:
    return builtin().probe(f"redfish-{name}")


def read(name: str, stdout: bytes, **parameters: Any) -> Reading:
    return probe(name).read(Answer(stdout), parameters)


def facts(name: str, stdout: bytes, **parameters: Any) -> dict[str | None, SubjectFacts]:
    reading = read(name, stdout, **parameters)
    assert isinstance(reading, Measured), reading
    assert reading_complaints(probe(name), Answer(stdout), parameters) == []
    return {one.subject: one for one in reading.subjects}


def file(name: str, folder: str, recording_name: str) -> SubjectFacts:
    """The only subject of a recorded resource."""
    (one,) = facts(name, recorded(recording(folder, recording_name).encode()).stdout).values()
    return one


# --- recordings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("folder", "name"), [(folder, name) for folder in FOLDERS for name in recordings(folder)])
def test_every_recorded_resource_is_measured(folder: str, name: str) -> None:
    answer = recorded(recording(folder, name).encode())
    readings = [builtin().probe(one).read(answer, {}) for one in FOLDERS[folder]]
    measured = [one for one in readings if isinstance(one, Measured) and one.subjects]
    assert bool(measured) == (name not in EMPTY), readings


@cache
def tree() -> Mapping[str, Any]:
    folder = DATA / "redfish-rackmount1"
    if not folder.exists():
        pytest.skip(f"no recordings at {DATA}")
    found = [json.loads(one.read_text()) for one in sorted(folder.rglob("index.json"))]
    return {one["@odata.id"]: one for one in found if "@odata.id" in one}


def test_a_recorded_tree() -> None:
    whole = json.dumps(tree()).encode()
    health = facts("health", whole)
    assert set(health) == {"Systems/437XR1138R2", "Chassis/1U", "Managers/BMC"}
    assert health["Systems/437XR1138R2"].facts["memory_gib"] == 96
    drives = facts("storage", whole)
    assert drives["SimpleStorage/1/Devices/1"].facts["health"] == "Warning"
    assert drives["SimpleStorage/1/Devices/1"].facts["capacity_bytes"] == 4_000_000_000_000
    supplies = facts("power", whole)
    assert supplies["PowerSubsystem/PowerSupplies/Bay1"].facts["input_volts"] == 230.2
    assert supplies["PowerSubsystem/PowerSupplies/Bay2"].facts["state"] == "Absent"
    assert "Power/PowerSupplies/0" not in supplies
    assert supplies["Power/Voltages/1"].facts["level"] == "ok"
    thermal = facts("thermal", whole)
    assert thermal["Sensors/IntakeTemp"].facts["celsius"] == 24.8
    assert thermal["ThermalSubsystem/Fans/Bay1"].facts["percent"] == 45
    assert facts("firmware", whole)["UpdateService/FirmwareInventory/BIOS"].facts["version"] == "P79 v1.45"


def test_recorded_faults() -> None:
    assert file("storage", "redfish-storage", "one-drive-fault-drive-0").facts["health"] == "Critical"
    assert file("storage", "redfish-storage", "one-volume-fault-volume-0").facts["health"] == "Critical"
    assert file("memory", "redfish-memory", "one-dimm-fault-dimm-1").facts["health"] == "Critical"
    assert file("processors", "redfish-processors", "one-cpu-fault-cpu-1").facts["health"] == "Critical"
    assert file("health", "redfish-storage", "inlet-temp-with-healthy-drives-system").facts["health"] == "Warning"


def test_a_recorded_drive() -> None:
    drive = file("storage", "redfish-storage", "drive-power-on-hours-drive-0")
    assert drive.subject == "Storage/RAID.SL.1/Drives/Disk.0"
    assert drive.facts == {
        "kind": "drive",
        "name": "SSD 0",
        "health": "OK",
        "state": "Enabled",
        "model": "MTFDDAV480TDS",
        "manufacturer": "MICRON",
        "serial": "202629662A88",
        "capacity_bytes": 480103981056,
        "media_type": "SSD",
        "protocol": "SATA",
        "media_life_left_percent": 87.0,
        "temperature_celsius": 34.0,
        "power_on_hours": 17532,
    }
    assert "failure_predicted" in drive.not_offered


def test_what_is_absent_is_no_fault() -> None:
    slot = file("memory", "redfish-memory", "one-dimm-fault-dimm-3")
    assert slot.facts["state"] == "Absent"
    assert "health" in slot.not_offered


def test_a_controller_that_calls_a_reading_well_is_not_believed() -> None:
    hot = facts("thermal", recording("redfish-sensors", "legacy-temp-crit-thermal").encode())
    cpu = hot["Thermal/Temperatures/CPU1 Temp"]
    assert (cpu.facts["health"], cpu.facts["celsius"], cpu.facts["level"]) == ("OK", 55, "critical")
    well = facts("thermal", recording("redfish-sensors", "legacy-thermal-thermal").encode())
    assert well["Thermal/Temperatures/CPU1 Temp"].facts["level"] == "ok"
    assert well["Thermal/Temperatures/CPU2 Temp"].facts["state"] == "Disabled"
    assert "level" in well["Thermal/Temperatures/CPU2 Temp"].not_offered
    assert well["Thermal/Fans/BaseBoard System Fan"].facts["rpm"] == 2100


def test_power_that_stands_where_a_list_should() -> None:
    power = facts("power", recording("redfish-sensors", "cisco-powercontrol-power").encode())
    assert power["Power/PowerControl/0"].facts["consumed_watts"] == 287


# --- makers -----------------------------------------------------------------------------------------------------------


def one(name: str, path: str, kind: str, **attributes: Any) -> SubjectFacts:
    (found,) = facts(name, document(resource(path, kind, **attributes))).values()
    return found


DRIVE = f"{SYSTEM}/Storage/1/Drives/0"


@pytest.mark.parametrize("said", [None, "NA", "Unknown", "", 7])
def test_a_health_that_says_nothing_is_not_measured(said: Any) -> None:
    drive = one("storage", DRIVE, "Drive", Status={"State": "Enabled", "Health": said})
    assert "health" not in drive.facts.keys() | drive.not_offered


def test_a_rollup_stands_for_a_health_that_is_missing() -> None:
    status = {"State": "Enabled", "HealthRollup": "Critical"}
    assert one("storage", f"{SYSTEM}/Storage/1", "Storage", Status=status).facts["health"] == "Critical"


@pytest.mark.parametrize("left", [255, -1, None, "N/A", True])
def test_a_life_that_no_drive_has_is_not_offered(left: Any) -> None:
    assert "media_life_left_percent" in one("storage", DRIVE, "Drive", PredictedMediaLifeLeftPercent=left).not_offered


def test_a_spinning_disk_has_no_life_to_use_up() -> None:
    disk = one("storage", DRIVE, "Drive", MediaType="HDD", PredictedMediaLifeLeftPercent=0)
    assert "media_life_left_percent" in disk.not_offered


def test_an_empty_place_has_neither_health_nor_readings() -> None:
    gone = {"State": "Absent", "Health": "Critical"}
    sensor = one("thermal", f"{BOX}/Sensors/T1", "Sensor", Status=gone, Reading=0, ReadingUnits="Cel")
    assert {"health", "level", "celsius", "reading"} <= sensor.not_offered
    assert "health" in one("storage", DRIVE, "Drive", Status={"Health": "Absent"}).not_offered


def test_hpes_own_storage() -> None:
    old = {"CapacityMiB": 572325, "InterfaceType": "SAS", "SSDEnduranceUtilizationPercentage": 4, "MediaType": "SSD"}
    path = f"{SYSTEM}/SmartStorage/ArrayControllers/0/DiskDrives/1"
    disk = {"@odata.id": f"{path}/", "@odata.type": "#HpeSmartStorageDiskDrive.v2_1_0.X", "Id": "1", **old}
    (drive,) = facts("storage", document(disk | {"Status": {"Health": "Warning"}})).values()
    assert drive.subject == "SmartStorage/ArrayControllers/0/DiskDrives/1"
    assert drive.facts["capacity_bytes"] == 572325 * 1024 * 1024
    assert (drive.facts["media_life_left_percent"], drive.facts["health"]) == (96, "Warning")


def test_a_cache_that_is_failing_behind_a_controller_that_is_well() -> None:
    inline = {"MemberId": "0", "Model": "SAS3916", "CacheSummary": {"Status": {"Health": "Warning"}}}
    found = facts("storage", document(resource(f"{SYSTEM}/Storage/1", "Storage", StorageControllers=[inline])))
    assert found["Storage/1"].facts["health"] == "OK"
    assert found["Storage/1/StorageControllers/0"].facts["cache_health"] == "Warning"


def test_a_rebuild_is_told() -> None:
    running = [{"OperationName": "Rebuild", "PercentageComplete": 40}]
    volume = one("storage", f"{SYSTEM}/Storage/1/Volumes/0", "Volume", Operations=running, RAIDType="RAID5")
    assert (volume.facts["operation"], volume.facts["operation_percent"]) == ("Rebuild", 40)


def test_drives_of_two_enclosures_with_one_number_are_told_apart() -> None:
    boxes = [f"/redfish/v1/Chassis/{box}/Drives/0" for box in ("A", "B")]
    assert set(facts("storage", document(*(resource(path, "Drive") for path in boxes)))) == {"A/Drives/0", "B/Drives/0"}
    systems = [f"/redfish/v1/Systems/{node}/Memory/A1" for node in ("1", "2")]
    assert set(facts("memory", document(*(resource(path, "Memory") for path in systems)))) == set(systems)


def test_what_is_listed_and_not_given_is_seen() -> None:
    lost = {"@odata.id": DRIVE, "error": {"code": "HTTP 500"}}
    found = facts("storage", document(resource(f"{SYSTEM}/Storage/1", "Storage"), lost))
    assert found["Storage/1/Drives/0"].why_not == "the controller lists it, and does not give it: HTTP 500"
    assert set(facts("storage", document(lost), kinds=["drive"])) == {"Storage/1/Drives/0"}
    assert isinstance(read("storage", document(lost), kinds=["volume"]), NotMeasured)


def test_only_the_kinds_that_are_wanted() -> None:
    assert {one.facts["kind"] for one in facts("power", SAMPLES["redfish-power"][0], kinds=["voltage"]).values()} == {
        "voltage"
    }
    nothing = read("storage", document(resource(DRIVE, "Drive")), kinds=["volume"])
    assert nothing == NotMeasured("the controller names no volume")


@pytest.mark.parametrize(
    ("limits", "reading", "level"),
    [
        ({"UpperThresholdCritical": 90}, 91, "critical"),
        ({"UpperThresholdNonCritical": 80, "UpperThresholdCritical": 90}, 85, "warning"),
        ({"UpperThresholdCritical": 90}, 60, "ok"),
        ({"LowerThresholdNonCritical": 10}, 8, "warning"),
        ({"LowerThresholdFatal": 2, "UpperThresholdFatal": 90}, 1, "critical"),
        ({"UpperThresholdCritical": 0}, 35, "ok"),
        ({"LowerThresholdCritical": 0}, 0, "ok"),
        ({"LowerThresholdCritical": -5}, -9, "critical"),
        ({"UpperThresholdCritical": 10, "LowerThresholdCritical": 60}, 35, "ok"),
        ({"UpperThresholdCritical": None, "LowerThresholdCritical": "n/a"}, 35, "ok"),
    ],
)
def test_thresholds(limits: dict[str, Any], reading: float, level: str) -> None:
    ok = {"State": "Enabled", "Health": "OK"}
    inlet = {"Name": "Inlet", "ReadingCelsius": reading, "Status": ok, **limits}
    (sensor,) = facts("thermal", document(resource(f"{BOX}/Thermal", "Thermal", Temperatures=[inlet]))).values()
    assert sensor.facts["level"] == level


def test_a_sensor_in_use_that_nobody_judges_is_not_measured() -> None:
    sensor = one("thermal", f"{BOX}/Sensors/T", "Sensor", Status={"State": "Enabled"}, Reading=40, ReadingUnits="Cel")
    assert "level" not in sensor.facts.keys() | sensor.not_offered
    judged = {"Thresholds": {"UpperCritical": {"Reading": 90}}, "Reading": 40, "ReadingUnits": "Cel", "Status": {}}
    assert one("thermal", f"{BOX}/Sensors/T", "Sensor", **judged).facts["level"] == "ok"


def test_two_sensors_of_one_name_keep_their_places() -> None:
    both = [{"Name": "Temp", "MemberId": str(place), "ReadingCelsius": 30} for place in (4, 7)]
    found = facts("thermal", document(resource(f"{BOX}/Thermal", "Thermal", Temperatures=both)))
    assert set(found) == {"Thermal/Temperatures/4", "Thermal/Temperatures/7"}


def test_a_supply_without_input() -> None:
    bay = f"{BOX}/PowerSubsystem/PowerSupplies/1"
    for said, lost in (("Normal", False), ("LossOfInput", True), ("OutOfRange", True)):
        assert one("power", bay, "PowerSupply", LineInputStatus=said).facts["input_lost"] is lost
    assert "input_lost" in one("power", bay, "PowerSupply").not_offered


def test_an_open_chassis_and_what_is_not_well_within() -> None:
    assert one("health", BOX, "Chassis", PhysicalSecurity={"IntrusionSensor": "HardwareIntrusion"}).facts["intrusion"]
    oem = {"Hpe": {"AggregateHealthStatus": {"Fans": {"Status": {"Health": "Critical"}}}}}
    conditions = {"Health": "Warning", "Conditions": [{"Message": "PSU 2 has failed", "Severity": "Warning"}]}
    system = one("health", SYSTEM, "ComputerSystem", Oem=oem, Status=conditions)
    assert system.facts["not_ok"] == ["PSU 2 has failed", "Fans: Critical"]


def test_a_version_in_a_path_is_no_name() -> None:
    path = "/redfish/v1/UpdateService/FirmwareInventory/Installed-159-2.19.1__BIOS.Setup.1-1"
    assert one("firmware", path, "SoftwareInventory", Version="2.19.1").subject.endswith("/BIOS.Setup.1-1")  # type: ignore[union-attr]


# --- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_its_question_names_sections_that_exist(name: str) -> None:
    asked = builtin().probe(name)
    assert asked.reach is Reach.REDFISH
    text = asked.question({})
    assert isinstance(text, str)
    assert sections(text)
    assert isinstance(asked.question({"ask": False}), Skipped)


@pytest.mark.parametrize("name", NAMES)
def test_bad_answers(name: str) -> None:
    asked = builtin().probe(name)
    assert isinstance(asked.read(Answer(b""), {}), NotMeasured)
    assert isinstance(asked.read(Answer(b"", b"sh: 1: x: not found\n", 127), {}), NotMeasured)
    assert isinstance(asked.read(Answer(b"", b"", 139), {}), NotMeasured)
    assert isinstance(asked.read(Answer(b"{}"), {}), NotMeasured)
    assert isinstance(
        asked.read(Answer(document({"@odata.id": "/redfish/v1/Systems", "Members": []})), {}), NotMeasured
    )
    forbidden = asked.read(Answer(document({"@odata.id": "/redfish/v1/Systems", "error": {"code": "HTTP 403"}})), {})
    assert isinstance(forbidden, NotMeasured)
    assert "HTTP 403" in forbidden.why
    for bad in (
        b"<html>no</html>",
        b"[]",
        b'{"a": 1}',
        b'{"error": {"code": "Base.1.0.GeneralError"}}',
        b"\xff{",
        b'{"/a',
    ):
        with pytest.raises(UnreadableAnswer):
            asked.read(Answer(bad), {})
    with pytest.raises(UnreadableAnswer, match="cut at its limit"):
        asked.read(Answer(SAMPLES[name][0], truncated=True), {})


def test_what_a_person_recorded_comes_in_many_forms() -> None:
    drive = resource(DRIVE, "Drive")
    text = json.dumps(drive)
    forms = [text, f"\ufeff{text}\n", f"HTTP/1.1 200 OK\r\nX: y\r\n\r\n{text}", f"[{text}]", f"{text}\n{text}"]
    for form in [*forms, document(drive).decode()]:
        answer = recorded(form.encode())
        assert set(facts("storage", answer.stdout)) == {"Storage/1/Drives/0"}
    for bad in ("", "Error: nothing", "<html>", "[1]", '"x"', "{}", f"{text} trailing", '{"a": 1} {"b": 2}'):
        with pytest.raises(UnreadableAnswer):
            recorded(bad.encode())


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """A sample cut off, with lines in another order, or with pieces of it replaced."""
    name = draw(st.sampled_from(NAMES))
    text = json.dumps(json.loads(SAMPLES[name][0]), indent=1).encode()
    lines = text.split(b"\n")
    if draw(st.booleans()):
        lines = draw(st.permutations(lines[:60]))
    data = bytearray(b"\n".join(lines))
    for _ in range(draw(st.integers(0, 5))):
        place = draw(st.integers(0, len(data)))
        junk = st.sampled_from([b"null", b"[]", b"{}", b"-1", b'"x"', b"1e400", b"NaN", b'"\\ud800"', b"true", b"}"])
        data[place : place + draw(st.integers(0, 6))] = draw(st.one_of(junk, st.binary(max_size=3)))
    return bytes(data[: draw(st.integers(0, len(data)))]) if draw(st.booleans()) else bytes(data)


_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)


@st.composite
def reshaped(draw: st.DrawFn) -> bytes:
    """A sample some of whose values are of another type."""
    whole = json.loads(SAMPLES[draw(st.sampled_from(NAMES))][0])

    def change(value: Any) -> Any:
        if draw(st.integers(0, 9)) == 0:
            return draw(_values)
        if isinstance(value, dict):
            return {key: change(inner) for key, inner in value.items()}
        return [change(inner) for inner in value] if isinstance(value, list) else value

    return json.dumps({path: change(one) for path, one in whole.items()}).encode()


@settings(max_examples=examples(150), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.one_of(spoiled(), reshaped()), name=st.sampled_from(NAMES))
def test_whatever_comes_is_read_or_unreadable(data: bytes, name: str) -> None:
    asked = builtin().probe(name)
    answers = [Answer(data)]
    with contextlib.suppress(UnreadableAnswer):
        answers.append(recorded(data))
    for answer in answers:
        assert reading_complaints(asked, answer, {}) == []
