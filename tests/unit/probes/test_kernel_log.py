from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.kernel_log import LATEST, MOST_LINES, PROBE
from tests.contract.asking import SHELLS, ask, tool
from tests.contract.samples import KERNEL

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
