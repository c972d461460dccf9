from __future__ import annotations

import pytest
from hypothesis import given

from maintops.domain.answers import Answer, Measured, NotMeasured, SubjectFacts, UnreadableAnswer
from maintops.probes.inodes import PROBE
from tests.unit.probes.recorded import OFTEN, all_of, assert_no_news, assert_reads, facts_of, read_recording, spoiled

HEADER = " Filesystem      Inodes  IUsed   IFree IUse% Mounted on\n"


def read(name: str, output: str, status: int = 0) -> SubjectFacts:
    reading = PROBE.read(Answer(f"={name}\n{output}.{status}\n".encode()), {})
    assert isinstance(reading, Measured)
    (one,) = reading.subjects
    return one


def test_inodes_are_counted():
    one = read("/dev/sda1 / ext4 rw", HEADER + " /dev/sda1 2000 500 1500 25% /\n")
    assert one == SubjectFacts(
        "/",
        {
            "device": "/dev/sda1",
            "fs_type": "ext4",
            "inodes": 2000,
            "inodes_used": 500,
            "inodes_free": 1500,
            "inodes_used_percent": 25.0,
        },
    )


@pytest.mark.parametrize("figures", ["0 0 0 -", "- - - -", "0 0 0 0%"])
def test_a_file_system_without_a_bound_offers_no_figures(figures: str):
    one = read("/dev/sda2 /data btrfs rw", HEADER + f" /dev/sda2 {figures} /data\n")
    assert one.facts == {"device": "/dev/sda2", "fs_type": "btrfs"}
    assert one.not_offered == {"inodes", "inodes_used", "inodes_free", "inodes_used_percent"}


def test_a_server_that_says_nothing_has_no_local_file_system_or_no_proc():
    assert PROBE.read(Answer(b""), {}) == NotMeasured("no local file system is mounted here")
    assert PROBE.read(Answer(b"", b"cannot open /proc/mounts\n", 2), {}) == NotMeasured(
        "the command printed nothing (exit status 2): cannot open /proc/mounts"
    )


def test_other_file_systems_are_left_out():
    answer = Answer(b"=tmpfs /run tmpfs rw\n x\n.0\n")
    assert PROBE.read(answer, {}) == NotMeasured("no local file system is mounted here")


def test_a_df_that_fails_says_so():
    assert read("/dev/sda1 / ext4 rw", "", 1).why_not == "df counts no inodes of it (exit status 1)"


def test_what_df_never_prints_is_unreadable():
    with pytest.raises(UnreadableAnswer, match="of its -i"):
        read("/dev/sda1 / ext4 rw", HEADER + " /dev/sda1 many few / \n")


def test_it_asks_for_inodes():
    assert 'df -P -i "$path"' in PROBE.question({})


# --- recordings -------------------------------------------------------------------------------------------------------
DF_I = """\
Filesystem      Inodes  IUsed   IFree IUse% Mounted on
udev           2032555    500 2032055    1% /dev
/dev/sda2      3276800 819200 2457600   25% /
/dev/sdb1            0      0       0     - /srv
"""
DF_IH = """\
Filesystem     Type  Inodes IUsed IFree IUse% Mounted on
/dev/sda2      ext4    3.2M  800K  2.4M   25% /
"""


def test_a_bare_table_of_df_i():
    found = all_of(PROBE, DF_I)
    assert found["/"].facts == {
        "device": "/dev/sda2",
        "inodes": 3_276_800,
        "inodes_used": 819_200,
        "inodes_free": 2_457_600,
        "inodes_used_percent": 25.0,
    }
    assert (found["/srv"].facts, len(found["/srv"].not_offered), len(found)) == ({"device": "/dev/sdb1"}, 4, 2)


def test_figures_that_df_rounded_are_not_measured():
    assert facts_of(PROBE, DF_IH) == {"device": "/dev/sda2", "fs_type": "ext4", "inodes_used_percent": 25.0}


def test_a_table_of_space_is_not_one_of_inodes():
    with pytest.raises(UnreadableAnswer, match="this is not a table of df -i"):
        read_recording(PROBE, "Filesystem 1K-blocks Used Available Use% Mounted on\n/dev/sda2 100 40 60 40% /\n")


@OFTEN
@given(data=spoiled([DF_I, DF_IH]))
def test_a_spoiled_recording_is_unreadable_at_worst(data: bytes) -> None:
    assert_reads(PROBE, data)


def test_a_recording_of_nothing_or_of_something_else_is_no_news() -> None:
    assert_no_news(PROBE)
