from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.kernel_log import LATEST, MOST_LINES, PROBE
from tests.contract.asking import SHELLS, ask, tool
from tests.contract.samples import KERNEL
from tests.unit.probes.asking import recording
from tests.unit.probes.recorded import OFTEN, assert_no_news, assert_reads, facts_of, read_recording, spoiled

RECORDED = Path(__file__).parents[3].parent / "shared" / "data" / "dmesg"
DEFAULTS = {name: parameter.default for name, parameter in PROBE.parameters.items()}


def reading(*messages: str, status: int = 0, uptime: str | None = "100000.00 1", parameters: Any = None) -> Reading:
    text = "=log\n" + "".join(f" {message}\n" for message in messages) + f" .{status}\n.0\n"
    text += f"=uptime\n {uptime}\n.0\n" if uptime is not None else ""
    return PROBE.read(Answer(text.encode()), DEFAULTS if parameters is None else parameters)


def facts(*messages: str, **options: Any) -> Mapping[str, Any]:
    found = reading(*messages, **options)
    assert isinstance(found, Measured)
    return found.subjects[0].facts


def test_errors_are_counted_and_told_apart():
    found = PROBE.read(Answer(KERNEL), DEFAULTS)
    assert found == Measured(
        (
            SubjectFacts(
                None,
                {
                    "errors": 2,
                    "oom_kills": 1,
                    "io_errors": 1,
                    "hardware_errors": 0,
                    "latest": [
                        "[ 5000.250000] blk_update_request: I/O error, dev sdb, sector 2048",
                        "[ 5001.000000] Out of memory: Killed process 812 (java) total-vm:1kB",
                    ],
                    "oom_kills_since_boot": 1,
                },
            ),
        )
    )


@pytest.mark.parametrize(
    "message",
    [
        "Buffer I/O error on dev sdb1, logical block 0, async page read",
        "blk_update_request: critical medium error, dev sda, sector 1",
        "EXT4-fs error (device sda1): ext4_lookup:1700: inode #2: comm ls: deleted inode referenced",
        "XFS (sdb1): metadata I/O error in xfs_trans_read_buf",
        "BTRFS critical (device sda2): corrupt leaf",
        "ata3.00: failed command: READ FPDMA QUEUED",
        "nvme nvme0: I/O 12 QID 3 timeout, aborting",
        "sd 0:0:0:0: rejecting I/O to offline device",
        "EXT4-fs (sda1): Remounting filesystem read-only",
    ],
)
def test_messages_about_disks_are_io_errors(message: str):
    assert facts(f"<3>[99999.0] {message}")["io_errors"] == 1


@pytest.mark.parametrize(
    "message",
    ["mce: [Hardware Error]: CPU 0: Machine check: 0 Bank 5", "EDAC MC0: 1 UE memory read error on CPU_SrcID#0"],
)
def test_messages_about_hardware_are_hardware_errors(message: str):
    assert facts(f"<0>[99999.0] {message}")["hardware_errors"] == 1


def test_both_lines_of_an_old_kernel_s_kill_are_one_kill():
    found = facts(
        "<3>[99999.0] Out of memory: Kill process 7 (x) score 9 or sacrifice child", "<3>[99999.1] Killed process 7 (x)"
    )
    assert (found["errors"], found["oom_kills"]) == (2, 1)


def test_only_the_last_hours_count():
    messages = ("<3>[13599.9] old", "<3>[13600.1] new", "<3>without a time")
    assert facts(*messages)["latest"] == ["[13600.1] new", "without a time"]
    assert facts(*messages, parameters={"hours": 48})["errors"] == 3
    assert facts(*messages, parameters={"hours": 0.001})["errors"] == 1


def test_without_the_uptime_everything_counts():
    assert facts("<3>[1.0] old", uptime=None)["errors"] == 1


def test_harmless_messages_do_not_count_and_the_list_is_a_parameter():
    message = "<3>[99999.0] ERST: Failed to get Error Log Address Range."
    assert facts(message)["errors"] == 0
    assert facts(message, parameters={"ignore": []})["errors"] == 1
    assert facts(message, parameters={"ignore": ["Address Range"]})["errors"] == 0
    assert facts(message, parameters={"ignore": "Address Range"})["errors"] == 0
    assert facts(message, parameters={"ignore": "x Z"})["errors"] == 1


@pytest.mark.parametrize("hours", ["many", 0, -1, None, [], "nan"])
def test_hours_that_are_none_are_said_to_be(hours: Any):
    with pytest.raises(UnreadableAnswer, match="parameter hours"):
        reading("<3>[1.0] x", parameters={"hours": hours})


def test_the_latest_are_few():
    found = facts(*(f"<3>[99999.{number:03}] x" for number in range(100)))
    assert (found["errors"], len(found["latest"]), found["latest"][-1]) == (100, LATEST, "[99999.099] x")


def test_no_right_is_not_measured():
    answer = Answer(b"=log\n .1\n.0\n", b"dmesg: read kernel buffer failed: Operation not permitted\n", 0)
    assert PROBE.read(answer, DEFAULTS) == NotMeasured(
        "the kernel's log may not be read: dmesg: read kernel buffer failed: Operation not permitted"
    )


def test_no_pipe_is_not_measured():
    without = Answer(b"=log\n.127\n", b"sh: 1: grep: not found\n", 0)
    assert PROBE.read(without, DEFAULTS) == NotMeasured(
        "the kernel's log could not be asked for: sh: 1: grep: not found"
    )


def test_no_dmesg_is_not_measured():
    assert reading(status=127) == NotMeasured("no such command: dmesg")


def test_an_old_kernel_has_no_count_of_kills():
    text = b"=log\n .0\n.0\n=uptime\n 1.0 1.0\n.0\n=vmstat\n.1\n"
    found = PROBE.read(Answer(text), DEFAULTS)
    assert isinstance(found, Measured)
    assert found.subjects[0].not_offered == {"oom_kills_since_boot"}


@pytest.mark.parametrize("log", ["hello\n .0\n", "<4>[1.0] a warning\n .0\n", "<3>[1.0] no status\n", "x1\n"])
def test_another_format_is_unreadable(log: str):
    with pytest.raises(UnreadableAnswer):
        PROBE.read(Answer(f"=log\n {log}.0\n".encode()), DEFAULTS)


DMESG = r"""
printf '<6>[    1.000000] booting\n<3>[    2.000000] broken\n<12>[    3.000000] from a program\n'
i=0
while [ $i -lt 2500 ]; do printf '<2>[    4.%06d] flood\n' $i; i=$((i + 1)); done
exit 3
"""


@pytest.mark.parametrize("shell", SHELLS)
def test_the_question_keeps_the_kernel_s_own_errors_and_dmesg_s_status(shell: str, tmp_path: Path):
    tools = tool(tmp_path / "bin", "dmesg", DMESG)
    text = PROBE.question(DEFAULTS).replace("dmesg -r", f"{tools}/dmesg -r")
    log = ask(text, SHELLS[shell]).stdout.decode().partition("=uptime")[0].split("\n")
    assert log[0] == "=log"
    assert log[-3:] == [" .3", ".0", ""]
    assert {line[:4] for line in log[1:-3]} == {" <2>"}
    assert len(log[1:-2]) == MOST_LINES


@pytest.mark.parametrize("recording", ["errors-blk-update-request-two", "error-rcu-stall", "no-messages"])
def test_recorded_messages_are_counted(recording: str):
    if not RECORDED.is_dir():
        pytest.skip(f"the recordings are not there: {RECORDED}")
    lines = [line for line in (RECORDED / recording).read_text().split("\n") if line.strip()]
    found = facts(*(f"<3>{line}" for line in lines))
    assert (found["errors"], found["io_errors"]) == (len(lines), len(lines) if "blk" in recording else 0)


# --- recordings -------------------------------------------------------------------------------------------------------
WITHOUT_LEVELS = [
    "[   12.300000] usb 1-1: new device\n[ 5000.25] blk_update_request: I/O error, dev sdb, sector 2048\n",
    "[Feb13 04:56] sd 0:0:0:0: [sdb] ready\n[  +0.000050] blk_update_request: I/O error, dev sdb, sector 2048\n",
    "[Feb 7 04:56] blk_update_request: I/O error, dev sdb, sector 2048\n\n\n",
    "[Wed May  6 04:13:16 2026] blk_update_request: I/O error, dev sdb, sector 2048 op 0x0:(READ)\n",
    "2026-05-06T04:13:16,123456+00:00 blk_update_request: I/O error, dev sdb, sector 2048\n",
    "[   12.300000][  T101] blk_update_request: I/O error, dev sdb, sector 2048\n",
    "[    0.100000 <    0.000100>] blk_update_request: I/O error, dev sdb, sector 2048\n",
    (
        "-- Boot 1 --\nFeb 13 04:56:01 web1 kernel: blk_update_request: I/O error, dev sdb\n"
        "Feb 13 04:56:02 web1 sshd[12]: I/O error of a program\n"
    ),
    "2026-05-06T04:13:16.123456+00:00 web1 kernel: [   12.3] blk_update_request: I/O error, dev sdb\n",
    "[   12.300000] web1 kernel: blk_update_request: I/O error, dev sdb\n",
    "\x1b[32m[   12.300000] \x1b[0m\x1b[33mblk_update_request\x1b[0m: I/O error, dev sdb\r\n",
]
WITH_LEVELS = [
    "<6>[    1.0] booting\n<3>[ 5000.25] Buffer I/O error on dev sdb\n<11>[ 5001.0] I/O error of a program\n",
    "kern  :info  : [    1.0] booting\nkern  :err   : [ 5000.2] Buffer I/O error\ndaemon:err   : [ 5001.0] I/O error\n",
    '{"dmesg": [{"pri": 6, "time": 1.0, "msg": "booting"}, {"pri": 3, "time": 5000.25, "msg": "Buffer I/O error"}]}',
    '{"dmesg": [{"fac": "kern", "pri": "err", "time": 1.0, "msg": "I/O error"}, {"fac": "user", "pri": 3, "msg": ""}]}',
    (
        '{"_TRANSPORT": "kernel", "PRIORITY": "3", "MESSAGE": "Buffer I/O error"}\n'
        '{"_TRANSPORT": "syslog", "PRIORITY": "3", "MESSAGE": "I/O error"}\n'
    ),
]
HEALTHY = """\
[    0.000000] Command line: root=/dev/sda1 loglevel=3
[    0.100000] mce: CPU supports 7 MCE banks
[    0.200000] MCE: In-kernel MCE decoding enabled.
[    0.300000] RAS: Correctable Errors collector initialized.
[    1.000000] EXT4-fs (sda1): re-mounted. Opts: errors=remount-ro. Quota mode: none.
[    1.100000] BTRFS info (device sdb): bdev /dev/sdb errs: wr 0, rd 0, flush 0, corrupt 0, gen 0
[    1.200000] nvme nvme0: Shutdown timeout set to 10 seconds
[    1.300000] pcieport 0000:00:01.0: AER: enabled with IRQ 24
"""


@pytest.mark.parametrize("text", WITHOUT_LEVELS)
def test_bare_messages_in_every_format_of_time(text: str):
    facts = facts_of(PROBE, text)
    assert (facts["io_errors"], facts["hardware_errors"], facts["oom_kills"]) == (1, 0, 0)
    assert "I/O error, dev sdb" in facts["latest"][-1]
    assert "errors" not in facts, "nothing tells an error from a remark"


@pytest.mark.parametrize("text", WITH_LEVELS)
def test_bare_messages_with_their_levels(text: str):
    facts = facts_of(PROBE, text)
    assert (facts["errors"], facts["io_errors"], len(facts["latest"])) == (1, 1, 1)


def test_what_healthy_hardware_says_at_its_boot_is_no_complaint():
    assert facts_of(PROBE, HEALTHY) == {"oom_kills": 0, "io_errors": 0, "hardware_errors": 0, "latest": []}


def test_kills_and_broken_hardware_are_found_in_bare_messages():
    text = (
        "[ 1.0] Out of memory: Killed process 812 (java) total-vm:1kB\n[ 2.0] mce: [Hardware Error]: Machine check\n"
        "[ 3.0] EDAC MC0: 1 CE memory read error on CPU_SrcID#0\n"
    )
    facts = facts_of(PROBE, text)
    assert (facts["oom_kills"], facts["hardware_errors"]) == (1, 2)


@pytest.mark.parametrize(
    "text",
    [
        "Feb 13 04:56:02 web1 sshd[12]: I/O error of a program\n",
        '{"_TRANSPORT": "syslog", "PRIORITY": "3", "MESSAGE": "I/O error"}\n',
    ],
)
def test_a_log_without_the_kernel_is_no_good_news(text: str):
    assert read_recording(PROBE, text) == NotMeasured("none of these messages is the kernel's")


def test_no_right_to_read_the_log_is_not_measured_in_a_recording():
    said = "dmesg: read kernel buffer failed: Operation not permitted\n"
    assert read_recording(PROBE, said) == NotMeasured(f"no right to ask this: {said.strip()}")


@pytest.mark.parametrize(
    ("name", "io_errors", "complaints"),
    [
        ("benign-ignored-messages-v1", 0, 0),
        ("benign-ignored-messages-v2", 0, 2),  # cpufreq, which no list of ours calls harmless
        ("benign-ignored-messages-v3", 0, 0),
        ("benign-ignored-messages-v4", 0, 0),
        ("error-rcu-stall", 0, 1),
        ("error-tmpfs-mount-option", 0, 1),
        ("errors-blk-update-request-two", 2, 2),
    ],
)
def test_whole_recordings(name: str, io_errors: int, complaints: int):
    facts = facts_of(PROBE, recording("dmesg", name))
    assert (facts["io_errors"], len(facts["latest"])) == (io_errors, complaints)
    assert (facts["oom_kills"], facts["hardware_errors"]) == (0, 0)


def test_recordings_without_messages():
    assert isinstance(read_recording(PROBE, recording("dmesg", "no-messages")), NotMeasured)
    with pytest.raises(UnreadableAnswer, match="this is not output of dmesg"):
        read_recording(PROBE, recording("dmesg", "lorem-ipsum-with-error-keyword"))


@OFTEN
@given(data=spoiled([*WITHOUT_LEVELS, *WITH_LEVELS, HEALTHY]))
def test_a_spoiled_recording_is_unreadable_at_worst(data: bytes) -> None:
    assert_reads(PROBE, data)


def test_a_recording_of_nothing_or_of_something_else_is_no_news() -> None:
    assert_no_news(PROBE)
