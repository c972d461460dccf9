from __future__ import annotations

from collections.abc import Mapping

import pytest

from maintops.domain.answers import Answer, Measured, NotMeasured, SubjectFacts, UnreadableAnswer
from maintops.probes.mdraid import PROBE
from tests.contract.samples import MDSTAT

REST = frozenset({"action", "resync_percent"})


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
    assert md2.not_offered == frozenset()


def test_an_array_that_waits_for_its_first_write_is_not_read_only():
    md1 = read(MDSTAT.decode())["md1"]
    assert (md1.facts["level"], md1.facts["read_only"], md1.facts["degraded"]) == ("raid1", False, False)
    assert md1.facts["action"] == "resync pending"
    assert md1.not_offered == {"resync_percent"}


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
    assert one.not_offered == REST | {"degraded", "devices", "working", "missing"}


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


@pytest.mark.parametrize("text", ["hello\n", "Personalities : [raid1]\nsomething else\n"])
def test_other_text_is_unreadable(text: str):
    with pytest.raises(UnreadableAnswer, match="/proc/mdstat"):
        read(text)
