from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from maintops.domain.answers import Answer, Measured, NotMeasured, UnreadableAnswer
from maintops.probes.read_only_mounts import PROBE
from tests.contract.asking import ask
from tests.unit.probes.asking import recording
from tests.unit.probes.recorded import OFTEN, all_of, assert_no_news, assert_reads, read_recording, spoiled

RECORDED = Path(__file__).parents[3].parent / "shared" / "data" / "mounts"


def read(text: str, parameters: Mapping[str, Any] | None = None) -> dict[str | None, Mapping[str, Any]]:
    reading = PROBE.read(Answer(text.encode()), parameters or {})
    assert isinstance(reading, Measured)
    return {one.subject: one.facts for one in reading.subjects}


def test_each_file_system_says_whether_it_is_read_only():
    subjects = read(
        "/dev/sda1 / ext4 rw,errors=remount-ro\n/dev/sdb1 /srv xfs ro,relatime\n/dev/sdc1 /opt/ro\\040x ext4 rw\n"
    )
    assert {point: facts["read_only"] for point, facts in subjects.items()} == {
        "/": False,
        "/srv": True,
        "/opt/ro x": False,
    }
    assert subjects["/srv"] == {"read_only": True, "expected": False, "device": "/dev/sdb1", "fs_type": "xfs"}


@pytest.mark.parametrize("expected", [["/boot", "/usr"], ("/usr",), "/usr"])
def test_what_is_meant_to_be_read_only_is_expected(expected: Any):
    subjects = read("/dev/sda2 /usr ext4 ro\n/dev/sda3 /srv ext4 ro\n", {"expected_read_only": expected})
    assert (subjects["/usr"]["expected"], subjects["/srv"]["expected"]) == (True, False)


def test_a_bind_mount_is_not_a_second_file_system():
    assert list(read("/dev/sda1 / ext4 rw\n/dev/sda1 /srv/view ext4 ro\n")) == ["/"]


def test_the_file_system_on_top_is_the_one_that_counts():
    subjects = read("/dev/sda1 /mnt ext4 ro\n/dev/sdb1 /mnt xfs rw\n")
    assert subjects["/mnt"]["device"] == "/dev/sdb1"


@pytest.mark.parametrize("text", ["gobbledygook not-a-mount-line\n", "a b c\n", "/dev/sda1 relative ext4 rw\n"])
def test_other_lines_are_unreadable(text: str):
    with pytest.raises(UnreadableAnswer, match="not a line of /proc/mounts"):
        read(text)


@pytest.mark.parametrize("text", ["", "proc /proc proc rw\n"])
def test_no_local_file_system_is_not_measured(text: str):
    assert PROBE.read(Answer(text.encode()), {}) == NotMeasured("no local file system is mounted here")


def test_the_question_prints_what_the_reader_takes(tmp_path: Path):
    (tmp_path / "mounts").write_text(
        "/dev/sda1 / ext4 rw,noatime 0 0\n/dev/sdb1 /a\\040b xfs ro 0 0\nx /run tmpfs rw 0 0\n"
    )
    answer = ask(PROBE.question({}).replace("/proc/mounts", str(tmp_path / "mounts")))
    assert answer.stdout == b"/dev/sda1 / ext4 rw,noatime\n/dev/sdb1 /a\\040b xfs ro\n"


@pytest.mark.parametrize(
    ("recording", "found"),
    [
        ("three-readonly-mounts", ["/mnt/external-disk"]),
        ("one-readonly-mount-v1", []),  # a CD, which is read-only by nature
        ("one-readonly-mount-v2", []),
    ],
)
def test_recorded_read_only_disks_are_found(recording: str, found: list[str]):
    if not RECORDED.is_dir():
        pytest.skip(f"the recordings are not there: {RECORDED}")
    subjects = read((RECORDED / recording).read_text())
    assert [point for point, facts in subjects.items() if facts["read_only"]] == found
    assert "/" in subjects


@pytest.mark.parametrize("number", range(1, 9))
def test_recorded_healthy_servers_have_none(number: int):
    if not RECORDED.is_dir():
        pytest.skip(f"the recordings are not there: {RECORDED}")
    subjects = read((RECORDED / f"all-mounts-healthy-v{number}").read_text())
    assert subjects
    assert [point for point, facts in subjects.items() if facts["read_only"]] == []


# --- recordings -------------------------------------------------------------------------------------------------------
PROC_MOUNTS = """\
rootfs / rootfs rw 0 0
/dev/sda1 / ext4 rw,errors=remount-ro 0 0
/dev/sdb1 /srv/a\\040b xfs ro 0 0
"""
MOUNT = """\
sysfs on /sys type sysfs (rw,nosuid,nodev,noexec,relatime)
/dev/sda1 on / type ext4 (rw,relatime,errors=remount-ro)
/dev/sdb1 on /srv/a b type xfs (ro,relatime) [data]
/dev/sr0 on /media type iso9660 (ro,relatime)
"""
MOUNT_INFO = """\
22 28 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw
28 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
44 28 8:17 / /srv/a\\040b rw,relatime shared:9 - xfs /dev/sdb1 ro
"""
FINDMNT = """\
TARGET                SOURCE       FSTYPE OPTIONS
/                     /dev/sda1    ext4   rw,relatime,errors=remount-ro
├─/sys                sysfs        sysfs  rw,nosuid,nodev
│ └─/sys/fs/cgroup    tmpfs        tmpfs  ro,nosuid
└─/srv/a b            /dev/sdb1[/x] xfs   ro,relatime
"""


@pytest.mark.parametrize("text", [PROC_MOUNTS, MOUNT, MOUNT_INFO, FINDMNT, f"[root@web1 ~]# mount\n{MOUNT}"])
def test_bare_lists_of_mounts(text: str) -> None:
    found = all_of(PROBE, text)
    assert {name: one.facts["read_only"] for name, one in found.items()} == {"/": False, "/srv/a b": True}
    assert (found["/srv/a b"].facts["device"], found["/srv/a b"].facts["fs_type"]) == ("/dev/sdb1", "xfs")


@pytest.mark.parametrize(
    ("name", "count", "read_only"),
    [
        ("all-mounts-healthy-twenty-two-mounts", 3, []),
        ("all-mounts-healthy-v1", 7, []),
        ("all-mounts-healthy-v2", 9, []),
        ("all-mounts-healthy-v3", 7, []),
        ("all-mounts-healthy-v4", 3, []),
        ("all-mounts-healthy-v5", 2, []),
        ("all-mounts-healthy-v6", 6, []),
        ("all-mounts-healthy-v7", 1, []),
        ("all-mounts-healthy-v8", 2, []),
        ("one-readonly-mount-v1", 2, []),  # an image of a disc, which is read-only by nature
        ("one-readonly-mount-v2", 3, []),
        ("three-readonly-mounts", 4, ["/mnt/external-disk"]),
    ],
)
def test_whole_recordings(name: str, count: int, read_only: list[str]) -> None:
    found = all_of(PROBE, recording("mounts", name))
    assert len(found) == count
    assert [point for point, one in found.items() if one.facts["read_only"]] == read_only


def test_recordings_without_mounts() -> None:
    assert isinstance(read_recording(PROBE, recording("mounts", "all-mounts-healthy-v9")), NotMeasured)
    with pytest.raises(UnreadableAnswer, match="this is not /proc/mounts"):
        read_recording(PROBE, recording("mounts", "malformed-proc-mounts"))


@OFTEN
@given(data=spoiled([PROC_MOUNTS, MOUNT, MOUNT_INFO, FINDMNT]))
def test_a_spoiled_recording_is_unreadable_at_worst(data: bytes) -> None:
    assert_reads(PROBE, data)


def test_a_recording_of_nothing_or_of_something_else_is_no_news() -> None:
    assert_no_news(PROBE)
