from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from maintops.domain.answers import Answer, Measured, NotMeasured, SubjectFacts, UnreadableAnswer
from maintops.probes.file_systems import PROBE
from maintops.probes.mounts import for_every_local_mount
from tests.contract.asking import SHELLS, ask, tool
from tests.unit.probes.recorded import OFTEN, all_of, assert_no_news, assert_reads, facts_of, read_recording, spoiled

HEADER = " Filesystem     1024-blocks      Used Available Capacity Mounted on\n"


def answer(*parts: tuple[str, str, int]) -> Answer:
    return Answer("".join(f"={name}\n{output}.{status}\n" for name, output, status in parts).encode())


def read(*parts: tuple[str, str, int]) -> dict[str | None, SubjectFacts]:
    reading = PROBE.read(answer(*parts), {})
    assert isinstance(reading, Measured)
    return {one.subject: one for one in reading.subjects}


def test_a_file_system_is_measured_as_df_counts_it():
    subjects = read(("/dev/sda1 / ext4 rw,relatime", HEADER + " /dev/sda1 1000 600 200 75% /\n", 0))
    assert subjects["/"].facts == {
        "device": "/dev/sda1",
        "fs_type": "ext4",
        "size_bytes": 1_024_000,
        "used_bytes": 614_400,
        "available_bytes": 204_800,
        "used_percent": 75.0,
    }
    assert subjects["/"].not_offered == frozenset()


def test_a_mount_point_with_spaces_keeps_them():
    name = "/dev/mapper/vg-my\\040disk /srv/my\\040files\\011x ext4 rw"
    subjects = read((name, HEADER + " /dev/mapper/vg-my disk 1000 0 1000 0% /srv/my files\tx\n", 0))
    assert subjects["/srv/my files\tx"].facts["device"] == "/dev/mapper/vg-my disk"


def test_more_than_full_is_full():
    subjects = read(("/dev/sda1 / ext4 rw", HEADER + " /dev/sda1 1000 1000 -50 105% /\n", 0))
    assert (subjects["/"].facts["available_bytes"], subjects["/"].facts["used_percent"]) == (0, 100.0)


def test_a_file_system_without_a_size_has_no_percentage():
    subjects = read(("/dev/sda1 /x ext4 rw", HEADER + " /dev/sda1 0 0 0 - /x\n", 0))
    assert "used_percent" not in subjects["/x"].facts
    assert subjects["/x"].not_offered == {"used_percent"}


def test_one_that_df_may_not_ask_spoils_no_other():
    subjects = read(
        ("/dev/sda1 / ext4 rw", HEADER + " /dev/sda1 1000 600 200 75% /\n", 0), ("/dev/sdb1 /root/x ext4 rw", "", 1)
    )
    assert subjects["/root/x"].why_not == "df says nothing about it (exit status 1)"
    assert subjects["/"].why_not is None


@pytest.mark.parametrize(
    "line",
    [
        "nas:/export /mnt/nas nfs4 rw",
        "//nas/x /mnt/x cifs rw",
        "/dev/loop3 /snap/core/1 squashfs ro",
        "/dev/sr0 /media/cd iso9660 ro",
        "/dev/fuse /etc/pve fuse rw",
        "me@host: /mnt/ssh fuse.sshfs rw",
        "tmpfs /run tmpfs rw",
        "overlay /var/lib/docker/overlay2/x/merged overlay rw",
    ],
)
def test_what_is_no_local_disk_is_left_out(line: str):
    reading = PROBE.read(answer((line, HEADER + " x 1000 1000 0 100% /x\n", 0)), {})
    assert reading == NotMeasured("no local file system is mounted here")


@pytest.mark.parametrize("line", ["overlay / overlay rw", "tank/data /tank/data zfs rw", "/dev/sdb1 /mnt/w fuseblk rw"])
def test_other_local_file_systems_are_measured(line: str):
    assert list(read((line, HEADER + " x 1000 500 500 50% /x\n", 0))) == [line.split()[1]]


def test_a_server_that_says_nothing_has_no_local_file_system_or_no_proc():
    assert PROBE.read(Answer(b""), {}) == NotMeasured("no local file system is mounted here")
    assert PROBE.read(Answer(b"", b"cannot open /proc/mounts\n", 2), {}) == NotMeasured(
        "the command printed nothing (exit status 2): cannot open /proc/mounts"
    )


def test_an_answer_that_ends_in_the_middle_is_unreadable():
    with pytest.raises(UnreadableAnswer, match="in the middle"):
        PROBE.read(Answer(b"=/dev/sda1 / ext4 rw\n Filesystem 1024-blocks\n"), {})


def test_a_truncated_answer_is_unreadable():
    whole = answer(("/dev/sda1 / ext4 rw", HEADER + " /dev/sda1 1000 600 200 75% /\n", 0))
    with pytest.raises(UnreadableAnswer, match="cut at its limit"):
        PROBE.read(Answer(whole.stdout, truncated=True), {})


def test_what_df_never_prints_is_unreadable():
    with pytest.raises(UnreadableAnswer, match="POSIX"):
        read(("/dev/sda1 / ext4 rw", " all is well\n", 0))


MOUNTS = r"""rootfs / rootfs rw 0 0
proc /proc proc rw 0 0
/dev/sda1 / ext4 rw,relatime 0 0
/dev/sda1 /var/bind ext4 rw,relatime 0 0
tank/data /tank zfs rw 0 0
nas:/export /mnt/nas nfs4 rw 0 0
/dev/loop1 /snap/x squashfs ro 0 0
/dev/sdb1 PLACE/two\040words xfs rw 0 0
/dev/sdc1 PLACE/a\040file ext4 rw 0 0
/dev/sdd1 PLACE/back\134slash ext4 rw 0 0
/dev/sdf1 PLACE/disk\0402\040\1340 ext4 rw 0 0
/dev/sde1 PLACE/$(touch${IFS}canary) ext4 rw 0 0
"""


@pytest.mark.parametrize("shell", SHELLS)
def test_the_question_asks_each_local_file_system_once(shell: str, tmp_path: Path):
    (tmp_path / "a file").write_text("")
    (tmp_path / "mounts").write_text(MOUNTS.replace("PLACE", str(tmp_path)))
    df = tool(tmp_path / "bin", "df", 'printf "%s|" "$@"')
    text = PROBE.question({}).replace("/proc/mounts", str(tmp_path / "mounts")).replace(" df ", f" {df}/df ")
    asked = ask(text, SHELLS[shell], cwd=tmp_path).stdout.decode().split("\n")
    assert [line for line in asked if line.startswith(" ")] == [
        f" -P|-k|{place}|"
        for place in (
            "/",
            "/tank",
            f"{tmp_path}/two words",
            f"{tmp_path}/back\\slash",
            f"{tmp_path}/disk 2 \\0",
            f"{tmp_path}/$(touch${{IFS}}canary)",
        )
    ]
    assert asked[0] == "=/dev/sda1 / ext4 rw,relatime"
    assert not (tmp_path / "canary").exists()


def test_a_mount_point_that_ends_in_a_newline_keeps_it(tmp_path: Path):
    (tmp_path / "mounts").write_text("/dev/sdb1 /x\\012 ext4 rw 0 0\n")
    text = for_every_local_mount('printf "[%s]" "$path"').replace("/proc/mounts", str(tmp_path / "mounts"))
    assert ask(text).stdout == b"[/x\n]"


# --- recordings -------------------------------------------------------------------------------------------------------
DF = """\
Filesystem     1K-blocks     Used Available Use% Mounted on
udev             8130220        0   8130220   0% /dev
/dev/sda2       50000000 40000000   7500000  85% /
/dev/loop3         64896    64896         0 100% /snap/core20/1
storage:/home   50000000 40000000   7500000  85% /home
"""
DF_H = """\
Filesystem      Size  Used Avail Use% Mounted on
tmpfs           1,6G  2,1M  1,6G   1% /run
/dev/sda2        48G   39G  7,2G  85% /
overlay          48G   39G  7,2G  85% /var/lib/docker/overlay2/1/merged
"""
DF_T = """\
Filesystem                                   Type     1K-blocks     Used Available Use% Mounted on
/dev/mapper/a-very-long-name-of-a-group-root
                                             ext4      50000000 40000000   7500000  85% /
tank/data                                    zfs       50000000 40000000   7500000  85% /srv/my data
/dev/sr0                                     iso9660     500000   500000         0 100% /media
"""
DF_GERMAN = """\
Dateisystem    1K-Blöcke  Benutzt Verfügbar Verw% Eingehängt auf
/dev/sda2       50000000 40000000   7500000   85% /
"""
SIZES = {"size_bytes": 51_200_000_000, "used_bytes": 40_960_000_000, "available_bytes": 7_680_000_000}


@pytest.mark.parametrize("text", [DF, DF_GERMAN, f"me@web1:~$ df\n{DF}me@web1:~$ "])
def test_a_bare_table_of_df(text: str):
    assert facts_of(PROBE, text) == SIZES | {"device": "/dev/sda2", "used_percent": 84.2}


def test_sizes_that_df_rounded_are_not_measured():
    assert facts_of(PROBE, DF_H) == {"device": "/dev/sda2", "used_percent": 85.0}
    assert facts_of(PROBE, DF.replace("1K-blocks", "1M-blocks")) == {"device": "/dev/sda2", "used_percent": 85.0}


def test_blocks_of_half_a_kilobyte_are_told_by_the_header():
    facts = facts_of(PROBE, DF.replace("1K-blocks", "512-blocks"))
    assert (facts["size_bytes"], facts["used_percent"]) == (25_600_000_000, 84.2)


def test_a_table_with_types_wrapped_lines_and_spaces():
    found = all_of(PROBE, DF_T)
    assert list(found) == ["/", "/srv/my data"]
    assert found["/"].facts == SIZES | {
        "device": "/dev/mapper/a-very-long-name-of-a-group-root",
        "fs_type": "ext4",
        "used_percent": 84.2,
    }
    assert found["/srv/my data"].facts["fs_type"] == "zfs"


def test_a_table_of_inodes_is_not_one_of_space():
    with pytest.raises(UnreadableAnswer, match="this is not a table of df"):
        read_recording(PROBE, "Filesystem Inodes IUsed IFree IUse% Mounted on\n/dev/sda2 100 40 60 40% /\n")


def test_a_table_of_other_file_systems_alone_is_not_measured():
    text = DF.split("\n", 1)[0] + "\nudev             8130220        0   8130220   0% /dev\n"
    assert isinstance(read_recording(PROBE, text), NotMeasured)


@OFTEN
@given(data=spoiled([DF, DF_H, DF_T, DF_GERMAN]))
def test_a_spoiled_recording_is_unreadable_at_worst(data: bytes) -> None:
    assert_reads(PROBE, data)


def test_a_recording_of_nothing_or_of_something_else_is_no_news() -> None:
    assert_no_news(PROBE)
