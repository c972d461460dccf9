from __future__ import annotations

import re

import pytest

from maintops.domain.answers import Answer, UnreadableAnswer
from maintops.probes.limits import PROBE
from tests.unit.probes.asking import SHELLS, answer_of, ask, only
from tests.unit.probes.broken_tools import HTML, assert_bad_answers_are_no_facts

KERNEL = """\
/proc/sys/fs/file-nr:12000\t0\t100000
/proc/sys/kernel/pid_max:32768
/proc/sys/kernel/threads-max:127000
/proc/loadavg:0.05 0.06 0.01 1/16384 4711
"""
SYSTEMD = "DefaultLimitNOFILE=524288\nDefaultLimitNOFILESoft=1024\nDefaultTasksMax=18446744073709551615\n"
PAM = "@oracle\tsoft\tnofile\t 65536 # as asked for\n*  -  nproc unlimited\ngarbage\n"
USED = "near 812 900 1024 nginx\nnear 9 4000 4096 \nprocesses 211  \n"


def answer(**parts: str | tuple[int, str]) -> Answer:
    whole: dict[str, str | tuple[int, str]] = {
        "uid": "0\n",
        "kernel": KERNEL,
        "systemd": SYSTEMD,
        "pam": PAM,
        "used": USED,
    }
    return answer_of(**(whole | parts))


def test_what_is_in_use_and_what_is_allowed() -> None:
    one = only(PROBE, answer())
    assert one.facts == {
        "open_files": 12000,
        "open_files_limit": 100000,
        "open_files_percent": 12.0,
        "tasks": 16384,
        "tasks_limit": 32768,
        "tasks_percent": 50.0,
        "unit_files_soft": 1024,
        "unit_files_hard": 524288,
        "pam": ["@oracle soft nofile 65536", "* - nproc unlimited"],
        "crowded": ["nginx (812): 900 of 1024", "process (9): 4000 of 4096"],
    }
    assert one.not_offered == {"unit_tasks"}  # without a bound


def test_others_see_their_own_files_alone() -> None:
    assert "crowded" not in only(PROBE, answer(uid="1000\n")).facts
    assert "crowded" not in only(PROBE, answer(used="processes 0\n")).facts


def test_servers_without_systemd_and_pam() -> None:
    one = only(PROBE, answer(systemd=(127, ""), pam=(1, "")))
    assert one.not_offered == {"unit_files_soft", "unit_files_hard", "unit_tasks", "pam"}
    assert only(PROBE, answer(systemd="DefaultLimitNOFILE=infinity\n")).not_offered >= {"unit_files_hard"}


def test_a_bound_of_tasks_is_measured() -> None:
    assert only(PROBE, answer(systemd="DefaultTasksMax=4915\n")).facts["unit_tasks"] == 4915
    assert "unit_tasks" in only(PROBE, answer(systemd=(1, "DefaultTasksMax=4915\n"))).not_offered


def test_limits_that_are_none_in_practice() -> None:
    facts = only(PROBE, answer(kernel=KERNEL.replace("100000", "9223372036854775807"))).facts
    assert facts["open_files_percent"] == 0.0


@pytest.mark.parametrize("kernel", ["", HTML.decode(), "/proc/sys/fs/file-nr:many\n"])
def test_nonsense_is_unreadable(kernel: str) -> None:
    with pytest.raises(UnreadableAnswer):
        PROBE.read(answer(kernel=kernel), {})
    with pytest.raises(UnreadableAnswer):
        PROBE.read(answer_of(uid="0\n"), {})
    assert_bad_answers_are_no_facts(PROBE)


@pytest.mark.parametrize("shell", SHELLS)
def test_who_is_near_the_limit_is_found(shell: list[str]) -> None:
    """Whoever has a file open has more than nothing of its limit."""
    here = ask(PROBE, shell, change=((">= limit[pid] * 80", "> 0"),))
    assert b"\n near " in here.stdout
    facts = only(PROBE, here).facts
    if b"=uid\n 0\n" in here.stdout:
        assert all(re.fullmatch(r".+ \([0-9]+\): [0-9]+ of [0-9]+", one) for one in facts["crowded"])
        assert facts["crowded"]
