from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import Answer, Measured, NotMeasured, SubjectFacts, UnreadableAnswer
from maintops.probes.conformance import reading_complaints
from maintops.probes.mdraid import PROBE
from tests.contract.samples import MDSTAT
from tests.unit.probes.asking import SHELLS, ask, recording, recordings
from tests.unit.probes.spoiling import complaints, recorded_bytes, spoiled, spoiling

MDADM = frozenset({"states", "role", "events", "checksum_correct"})
"""What /proc/mdstat does not say."""

REST = frozenset({"action", "resync_percent"}) | MDADM


def read(text: str) -> Mapping[str | None, SubjectFacts]:
    reading = PROBE.read(Answer(text.encode()), {})
    assert isinstance(reading, Measured)
    return {one.subject: one for one in reading.subjects}


def array(line: str, *details: str) -> SubjectFacts:
    text = "Personalities : [raid1]\n" + line + "".join(f"\n      {one}" for one in details)
    (one,) = read(text + "\n\nunused devices: <none>\n").values()
    return one


def test_a_degraded_array_that_recovers():
    md2 = read(MDSTAT.decode())["md2"]
    assert md2.facts == {
        "kind": "array",
        "state": "active",
        "level": "raid5",
        "read_only": False,
        "members": ["sdb1", "sdc1", "sdd1"],
        "failed": 1,
        "spares": 0,
        "devices": 3,
        "working": 2,
        "missing": 1,
        "degraded": True,
        "action": "recovery",
        "resync_percent": 12.6,
    }
    assert md2.not_offered == MDADM


def test_an_array_that_waits_for_its_first_write_is_not_read_only():
    md1 = read(MDSTAT.decode())["md1"]
    assert (md1.facts["level"], md1.facts["read_only"], md1.facts["degraded"]) == ("raid1", False, False)
    assert md1.facts["action"] == "resync pending"
    assert md1.not_offered == {"resync_percent"} | MDADM


def test_an_inactive_array_does_not_say_whether_it_is_degraded():
    md5 = read(MDSTAT.decode())["md5"]
    assert (md5.facts["state"], md5.facts["spares"]) == ("inactive", 1)
    assert not {"level", "degraded", "devices"} & set(md5.facts)
    assert "degraded" not in md5.not_offered


def test_a_healthy_array_rests():
    one = array(
        "md0 : active raid1 sdb1[1] sda1[0]", "104320 blocks [2/2] [UU]", "bitmap: 0/1 pages [0KB], 65536KB chunk"
    )
    assert (one.facts["degraded"], one.facts["working"], one.facts["missing"]) == (False, 2, 0)
    assert one.not_offered == REST


def test_an_array_set_read_only():
    assert array("md0 : active (read-only) raid1 sda1[0]", "1 blocks [1/1] [U]").facts["read_only"] is True


@pytest.mark.parametrize("level", ["raid0", "linear"])
def test_an_array_without_redundancy_cannot_be_degraded(level: str):
    one = array(f"md0 : active {level} sdb1[1] sda1[0]", "104320 blocks 512k chunks")
    assert one.facts["level"] == level
    assert one.not_offered == REST | {"degraded", "devices", "working", "missing", "mismatches"}


def test_a_container_of_a_firmware_raid_is_no_inactive_array():
    text = "Personalities : [raid1]\nmd127 : inactive sdb[1](S) sda[0](S)\n      5288 blocks super external:imsm\n"
    assert PROBE.read(Answer(text.encode()), {}) == Measured(())


def test_an_array_within_a_container_is_an_array():
    one = array("md126 : active raid1 sdb[1] sda[0]", "1 blocks super external:/md127/0 [2/1] [U_]")
    assert (one.facts["state"], one.facts["degraded"]) == ("active", True)


def test_a_check_has_its_progress():
    one = array("md0 : active raid1 sda1[0] sdb1[1]", "1 blocks [2/2] [UU]", "[=>...]  check =  7.5% (1/2) finish=1min")
    assert (one.facts["action"], one.facts["resync_percent"]) == ("check", 7.5)


def test_a_driver_without_arrays_is_measured():
    assert PROBE.read(Answer(b"Personalities : \nunused devices: <none>\n"), {}) == Measured(())


def test_no_driver_is_not_measured():
    answer = Answer(b"", b"cat: /proc/mdstat: No such file or directory\n", 1)
    assert PROBE.read(answer, {}) == NotMeasured("this kernel has no md driver loaded: there is no /proc/mdstat")


def test_an_answer_that_may_not_be_read_has_another_reason():
    answer = Answer(b"", b"cat: /proc/mdstat: Permission denied\n", 1)
    assert PROBE.read(answer, {}) == NotMeasured("no right to ask this: cat: /proc/mdstat: Permission denied")


def test_a_crash_is_not_measured():
    assert isinstance(PROBE.read(Answer(b"", b"", 139), {}), NotMeasured)


@pytest.mark.parametrize("text", ["<html></html>", "hello\n", "Personalities : [raid1]\nsomething else\n"])
def test_other_text_is_unreadable(text: str):
    with pytest.raises(UnreadableAnswer, match="/proc/mdstat"):
        read(text)


def test_what_the_latest_check_found_stands_beside_each_array():
    text = "Personalities : [raid1] [raid0]\nmd0 : active raid1 sda1[0]\n      1 blocks [1/1] [U]\n"
    text += "\nmd1 : active raid0 sdb[0]\n"
    text += "\nunused devices: <none>\n/sys/block/md0/md/mismatch_cnt:128\n/sys/block/md1/md/mismatch_cnt:0\n"
    found = read(text)
    assert found["md0"].facts["mismatches"] == 128
    assert "mismatches" in found["md1"].not_offered
    assert "mismatches" not in found["md1"].facts


def test_a_number_that_is_none_is_no_count():
    text = "Personalities : [raid1]\nmd0 : active raid1 sda1[0]\n      1 blocks [1/1] [U]\n"
    text += "/sys/block/md0/md/mismatch_cnt:x\n"
    assert "mismatches" not in read(text)["md0"].facts


@pytest.mark.parametrize("shell", SHELLS)
def test_the_question_gives_the_file_s_own_status(shell: list[str], tmp_path: Path):
    change = (("/proc/mdstat", str(tmp_path / "mdstat")),)
    assert PROBE.read(ask(PROBE, shell, change=change), {}) == NotMeasured(
        "this kernel has no md driver loaded: there is no /proc/mdstat"
    )
    (tmp_path / "mdstat").write_bytes(MDSTAT)
    assert ask(PROBE, shell, change=change).status == 0


# --- recordings of mdadm ---------------------------------------------------------------------------------------------


def recorded(text: str) -> Mapping[str | None, SubjectFacts]:
    answer = PROBE.recording(text.encode()) if PROBE.recording else Answer()
    assert reading_complaints(PROBE, answer) == []
    reading = PROBE.read(answer, {})
    assert isinstance(reading, Measured), reading
    return {one.subject: one for one in reading.subjects}


DETAIL = """\
/dev/md7:
           Version : 1.2
        Raid Level : raid6
      Raid Devices : 4
     Total Devices : 4
             State : active, degraded, recovering
    Active Devices : 2
   Working Devices : 3
    Failed Devices : 1
     Spare Devices : 1

    Rebuild Status : 7% complete

            Events : 99

    Number   Major   Minor   RaidDevice State
       0       8        1        0      active sync   /dev/sda1
       1       8       17        1      active sync   /dev/sdb1
       4       8       49        2      spare rebuilding   /dev/sdd1
       -       0        0        3      removed

       2       8       33        -      faulty   /dev/sdc1
"""


def test_details_have_the_facts_of_mdstat():
    one = recorded("# mdadm --detail /dev/md7\n" + DETAIL)["md7"]
    assert one.facts == {
        "kind": "array",
        "state": "active",
        "states": ["active", "degraded", "recovering"],
        "level": "raid6",
        "read_only": False,
        "members": ["sda1", "sdb1", "sdc1", "sdd1"],
        "failed": 1,
        "spares": 1,
        "events": 99,
        "devices": 4,
        "working": 2,
        "missing": 2,
        "degraded": True,
        "action": "recovery",
        "resync_percent": 7.0,
    }
    assert one.not_offered == {"role", "checksum_correct", "mismatches"}


def test_an_array_that_says_no_counts_can_still_say_that_it_is_degraded():
    one = recorded(DETAIL.replace("    Active Devices : 2\n", ""))["md7"]
    assert one.facts["degraded"] is True
    assert not {"working", "missing"} & (set(one.facts) | one.not_offered)


def test_what_stands_before_mdstat_in_a_recording_is_left_out():
    assert set(recorded("root@web:~# cat /proc/mdstat\n" + MDSTAT.decode())) == {"md1", "md2", "md5"}


def test_two_arrays_in_one_text():
    assert set(recorded(DETAIL + DETAIL.replace("/dev/md7", "/dev/md8"))) == {"md7", "md8"}


@pytest.mark.parametrize(
    ("words", "state"),
    [("inactive", "inactive"), ("clean, FAILED", "broken"), ("active, FAILED, Not Started", "inactive")],
)
def test_an_array_that_does_not_run_is_not_active(words: str, state: str):
    one = recorded(DETAIL.replace("active, degraded, recovering", words))["md7"]
    assert one.facts["state"] == state
    assert ("degraded" in one.facts) is (state == "broken")


def test_an_action_that_waits():
    one = recorded(
        DETAIL.replace("recovering", "resyncing (PENDING)").replace("    Rebuild Status : 7% complete\n", "")
    )["md7"]
    assert one.facts["action"] == "resync pending"
    assert "resync_percent" in one.not_offered


def test_a_level_without_redundancy_is_not_counted():
    one = recorded(DETAIL.replace("raid6", "raid0").replace("degraded, recovering", "clean"))["md7"]
    assert {"devices", "working", "missing", "degraded"} <= one.not_offered


def test_other_words_of_mdadm():
    query = "/dev/md0: 99.00MiB raid1 2 devices, 1 spare. Use mdadm --detail for more detail.\n"
    query += "/dev/sda: is not an md array\n"
    found = recorded(query)
    assert (found["md0"].facts["devices"], found["md0"].facts["spares"]) == (2, 1)
    assert found["sda"].why_not == "is not an md array"
    assert recorded("ARRAY /dev/md0 metadata=1.2 UUID=1:2:3:4\n")["md0"].why_not == "mdadm lists it; it was not asked"
    complaint = b"mdadm: cannot open /dev/md9: No such file or directory\n"
    assert PROBE.read(Answer(complaint), {}) == NotMeasured(
        "mdadm says: cannot open /dev/md9: No such file or directory"
    )


def test_an_intel_firmware_raid_s_device():
    text = "/dev/sda:\n          Magic : Intel Raid ISM Cfg Sig.\n\n[Volume0]:\n     RAID Level : 1 <-- 1\n"
    text += "      Map State : degraded <-- normal\n"
    assert recorded(text)["sda"].facts["degraded"] is True


@pytest.mark.parametrize("bytes_", [b"", b"<html></html>", b"hello\n", b"\xff\xfe", b"{}"])
def test_a_recording_of_something_else_says_what_is_expected(bytes_: bytes):
    assert PROBE.recording is not None
    with pytest.raises(UnreadableAnswer, match="mdadm --detail"):
        PROBE.recording(bytes_)


@pytest.mark.parametrize("name", [one for one in recordings("mdadm") if one.endswith(".out") or one == "absent"])
def test_every_recording_agrees_with_the_reading_beside_it(name: str):
    (one,) = recorded(recording("mdadm", name)).values()
    beside = json.loads(recording("mdadm", name.replace(".out", ".json")))
    assert one.why_not is None
    assert one.subject == beside["device"].removeprefix("/dev/")
    if one.facts["kind"] == "container":
        assert one.facts["members"] == sorted(row["device"][5:] for row in beside["device_table"])
        return
    states = beside.get("state_list", [])
    if "devices" in one.facts:
        assert one.facts["devices"] == beside["raid_devices"]
        assert one.facts["degraded"] is ("degraded" in states or "missing" in beside.get("array_state_list", []))
    if one.facts["kind"] == "array":
        assert one.facts["states"] == states
        assert one.facts["failed"] == beside["failed_devices"]
        assert ("action" in one.facts) is any(word.endswith("ing") for word in states)


def test_a_device_says_its_part():
    roles = {
        name: recorded(recording("mdadm", f"mdadm-examine-{name}.out")) for name in ("raid1-spare", "raid1-0-90-ok")
    }
    assert roles["raid1-spare"]["vda4"].facts["role"] == "spare"
    assert roles["raid1-0-90-ok"]["vda1"].facts["role"] == "active sync"
    old = recorded(recording("mdadm", "mdadm-examine-raid1-faulty1.out"))["vda1"]
    assert (old.facts["degraded"], old.facts["missing"], old.facts["checksum_correct"]) == (True, 1, True)


@spoiling
@given(data=st.data())
def test_spoiled_recordings_are_unreadable_at_worst(data: st.DataObject):
    wholes = [DETAIL.encode(), MDSTAT, *recorded_bytes("mdadm", ".out")]
    assert complaints(PROBE, data.draw(spoiled(wholes))) == []
