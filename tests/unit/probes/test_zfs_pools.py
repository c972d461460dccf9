from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import Answer, Measured, NotMeasured, SubjectFacts, UnreadableAnswer
from maintops.probes.conformance import reading_complaints
from maintops.probes.zfs_pools import PROBE, recording
from tests.contract.samples_storage import ZFS, ZPOOL_LIST, ZPOOL_STATUS, parted
from tests.unit.probes.asking import SHELLS, ask, tool
from tests.unit.probes.spoiling import complaints, spoiled, spoiling


def read(answer: Answer) -> Mapping[str | None, SubjectFacts]:
    reading = PROBE.read(answer, {})
    assert isinstance(reading, Measured), reading
    assert reading_complaints(PROBE, answer) == []
    return {one.subject: one for one in reading.subjects}


def recorded(text: str) -> Mapping[str | None, SubjectFacts]:
    return read(recording(text.encode()))


def scanned(scan: str) -> Mapping[str, Any]:
    text = f"  pool: p\n state: ONLINE\n  scan: {scan}\nconfig:\n\n\tNAME STATE READ WRITE CKSUM\n\tp ONLINE 0 0 0\n"
    return read(Answer(parted(list="", status=text, now="2026-03-01 02:00:00")))["p"].facts


def test_a_pool_that_is_well():
    tank = read(Answer(ZFS))["tank"]
    assert tank.facts == {
        "state": "ONLINE",
        "suspended": False,
        "size_bytes": 5994,
        "allocated_bytes": 4795,
        "free_bytes": 1199,
        "fragmentation_percent": 21,
        "capacity_percent": 80,
        "bad_devices": [],
        "read_errors": 0,
        "write_errors": 0,
        "checksum_errors": 0,
        "data_errors": 0,
        "spares_available": 1,
        "scan": "scrub repaired 0B in 11:16:03 with 0 errors on Sun Feb 15 11:40:04 2026",
        "scanning": "",
        "scrubbed": True,
        "scrub_errors": 0,
        "scrub_age_hours": 326.3,
    }
    assert tank.not_offered == {"scan_percent"}


def test_a_degraded_pool_that_resilvers():
    rpool = read(Answer(ZFS))["rpool"]
    assert rpool.facts["bad_devices"] == ["1168750847000 FAULTED"]
    assert (rpool.facts["read_errors"], rpool.facts["write_errors"]) == (3, 137)
    assert rpool.facts["checksum_errors"] == 1925
    assert rpool.facts["data_errors"] == 2
    assert (rpool.facts["scanning"], rpool.facts["scan_percent"]) == ("resilver", 47.04)
    assert rpool.facts["capacity_percent"] == 10
    assert "scrub_age_hours" in rpool.not_offered


def test_a_pool_that_is_lost_has_no_room():
    lost = read(Answer(ZFS))["lost"]
    assert lost.facts["state"] == "UNAVAIL"
    assert lost.facts["message"].startswith("One or more devices could not be opened. There are insufficient replicas")
    assert {"capacity_percent", "free_bytes"} <= lost.not_offered


def test_errors_that_no_disk_is_blamed_for_stand_in_the_group_s_line():
    text = ZPOOL_STATUS.replace("raidz2-0  ONLINE       0     0     0", "raidz2-0  ONLINE       0     0  26.7M")
    assert recorded(text)["tank"].facts["checksum_errors"] == round(26.7 * 1024**2)


@pytest.mark.parametrize(
    ("scan", "scrubbed", "age", "running"),
    [
        ("none requested", False, None, ""),
        ("scrub repaired 0 in 0h19m with 3 errors on Sat Feb 28 02:00:00 2026", True, 24.0, ""),
        ("scrub completed after 0h0m with 0 errors on Sun Mar  1 01:00:00 2026", True, 1.0, ""),
        ("scrub repaired 0B in 00:01:00 with 0 errors on Sun Mar  1 02:20:00 2026", True, 0.0, ""),
        ("scrub repaired 0B in 00:01:00 with 0 errors on Sun Mar 31 02:20:00 2026", True, None, ""),
        ("scrub canceled on Fri Aug 19 15:33:19 2022", None, None, ""),
        ("scrub paused since Fri Aug 19 15:33:19 2022", None, None, ""),
        (
            "scrub in progress since Sun Mar  1 01:00:00 2026\n\t1.0G scanned\n\t0B repaired, 7.50% done",
            None,
            None,
            "scrub",
        ),
        ("resilvered 2.3T in 1 days 02:55:32 with 0 errors on Sat Feb 28 02:00:00 2026", None, None, ""),
        ("scrub repaired 0B in 00:01:00 with 0 errors on Sun Foo 99 99:99:99 2026", True, None, ""),
    ],
)
def test_every_kind_of_scan(scan: str, scrubbed: bool | None, age: float | None, running: str):
    facts = scanned(scan)
    assert (facts.get("scrubbed"), facts.get("scrub_age_hours"), facts["scanning"]) == (scrubbed, age, running)


def test_a_pool_that_is_being_scrubbed_needs_no_earlier_scrub():
    text = ZPOOL_STATUS.replace("resilver in progress", "scrub in progress")
    assert "scrubbed" in recorded(text)["rpool"].not_offered
    assert "scrubbed" not in recorded(ZPOOL_STATUS)["rpool"].not_offered


def test_a_pool_that_waits_for_its_devices():
    text = ZPOOL_STATUS.replace("state: ONLINE", "state: SUSPENDED")
    assert recorded(text)["tank"].facts["suspended"] is True


def test_no_pool_is_measured_and_no_module_is_not():
    assert PROBE.read(Answer(parted(list="", status="no pools available", now="")), {}) == Measured(())
    answer = Answer(parted(list=(1, ""), status=(1, "")), b"The ZFS modules are not loaded.\n")
    assert PROBE.read(answer, {}) == NotMeasured("zpool could not tell: The ZFS modules are not loaded.")
    assert PROBE.read(Answer(b"", b"zpool: not found\n", 127), {}) == NotMeasured("no such command: zpool")
    assert isinstance(PROBE.read(Answer(parted(list=(139, ""), status=(139, ""))), {}), NotMeasured)


@pytest.mark.parametrize("text", ["<html></html>", "hello\n"])
def test_other_answers_are_unreadable(text: str):
    with pytest.raises(UnreadableAnswer):
        PROBE.read(Answer(parted(list=text, status=text)), {})
    with pytest.raises(UnreadableAnswer):
        PROBE.read(Answer(text.encode()), {})


# --- recordings ------------------------------------------------------------------------------------------------------


def test_a_status_without_the_clock_gives_no_age():
    tank = recorded(ZPOOL_STATUS)["tank"]
    assert "scrub_age_hours" not in tank.facts
    assert tank.facts["scrubbed"] is True


TABLE = """\
NAME        SIZE  ALLOC   FREE  CKPOINT  EXPANDSZ   FRAG    CAP  DEDUP    HEALTH  ALTROOT
tank       9.08T  2.77T  6.31T        -         -     9%    30%  1.00x  DEGRADED  -
  mirror-0 9.08T  2.77T  6.31T        -         -     9%  30.5%      -    ONLINE
logs           -      -      -        -         -      -      -      -         -
zion           -      -      -        -         -      -      -      -   FAULTED  -
"""


def test_a_table_for_people_gives_no_rounded_sizes():
    found = recorded(TABLE)
    assert found["tank"].facts == {"state": "DEGRADED", "fragmentation_percent": 9, "capacity_percent": 30}
    assert found["zion"].facts == {"state": "FAULTED"}
    assert list(found) == ["tank", "zion"]


def test_a_table_without_its_heading():
    usual = "tank\t9.08T\t2.77T\t6.31T\t-\t-\t9%\t30%\t1.00x\tONLINE\t-\n"
    older = "tank\t100\t50\t50\t-\t9%\t50%\t1.00x\tONLINE\t-\n"
    assert recorded(usual)["tank"].facts["capacity_percent"] == 30
    assert recorded(older)["tank"].facts["size_bytes"] == 100
    assert set(recorded(ZPOOL_LIST)) == {"tank", "rpool", "lost"}


JSON = {
    "output_version": {"command": "zpool status", "vers_major": 0, "vers_minor": 1},
    "pools": {
        "tank": {
            "name": "tank",
            "state": "DEGRADED",
            "status": "One or more devices\n\thas been removed.\n",
            "scan_stats": {"function": "SCRUB", "state": "FINISHED", "errors": "2"},
            "properties": {"capacity": {"value": "81%"}, "size": {"value": "10.0G"}},
            "vdevs": {
                "tank": {
                    "state": "DEGRADED",
                    "checksum_errors": "0",
                    "vdevs": {
                        "sda": {"state": "ONLINE", "read_errors": "0", "write_errors": 0, "checksum_errors": "1.5K"},
                        "sdb": {"state": "REMOVED", "read_errors": "3", "write_errors": 0, "checksum_errors": "0"},
                    },
                }
            },
            "error_count": "4",
        }
    },
}


def test_the_json_of_newer_versions():
    assert recorded(json.dumps(JSON))["tank"].facts == {
        "state": "DEGRADED",
        "message": "One or more devices has been removed.",
        "suspended": False,
        "data_errors": 4,
        "bad_devices": ["sdb REMOVED"],
        "read_errors": 3,
        "write_errors": 0,
        "checksum_errors": 1536,
        "spares_available": 0,
        "scan": "scrub finished",
        "scanning": "",
        "scrubbed": True,
        "scrub_errors": 2,
        "capacity_percent": 81,
    }


def test_no_pools_as_a_recording():
    assert PROBE.read(recording(b"no pools available\n"), {}) == Measured(())
    assert isinstance(PROBE.read(recording(b"all pools are healthy\n"), {}), NotMeasured)


@pytest.mark.parametrize("output", [b"", b"hello\n", b"<html>", b'{"a": 1}', b"{"])
def test_a_recording_of_something_else_is_refused(output: bytes):
    with pytest.raises(UnreadableAnswer, match=r"zpool|JSON"):
        recording(output)


@spoiling
@given(data=st.data())
def test_spoiled_recordings_are_unreadable_at_worst(data: st.DataObject):
    wholes = [ZPOOL_STATUS.encode(), TABLE.encode(), ZPOOL_LIST.encode(), json.dumps(JSON).encode()]
    assert complaints(PROBE, data.draw(spoiled(wholes))) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_the_question_asks_three_things(shell: list[str], tmp_path: Path):
    tool(tmp_path, "zpool", f"case $1 in list) printf '{ZPOOL_LIST}' ;; *) cat <<'END'\n{ZPOOL_STATUS}\nEND\nesac")
    answer = ask(PROBE, shell, tools=tmp_path)
    assert "scrub_age_hours" in read(answer)["tank"].facts
