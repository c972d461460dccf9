from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from maintops.domain.answers import Answer, NotMeasured, UnreadableAnswer
from maintops.probes.package_locks import PROBE
from tests.unit.probes.asking import SHELLS, answer_of, ask, only
from tests.unit.probes.broken_tools import assert_bad_answers_are_no_facts

FILES = "131074 /var/lib/dpkg/lock-frontend\n131075 /var/lib/dpkg/lock\n140000 /var/lib/apt/lists/lock\n"
LOCKS = """\
1: POSIX  ADVISORY  WRITE 4711 fd:00:131074 0 EOF
2: FLOCK  ADVISORY  WRITE 702 00:19:1043 0 EOF
3: OFDLCK ADVISORY  READ -1 00:06:9 0 0
3: -> POSIX  ADVISORY  WRITE 900 fd:00:140000 0 EOF
"""


def answer(**parts: str | tuple[int, str]) -> Answer:
    whole: dict[str, str | tuple[int, str]] = {"first": "systemd\n", "programs": (1, ""), "files": FILES, "locks": ""}
    return answer_of(**(whole | parts))


def test_nobody_at_work() -> None:
    assert only(PROBE, answer()).facts == {"busy": False, "running": [], "locked": []}


def test_a_manager_that_runs_and_the_lock_that_it_holds() -> None:
    one = only(PROBE, answer(programs="/proc/4711/comm:apt-get\n/proc/812/comm:dpkg\n", locks=LOCKS))
    assert one.facts == {
        "busy": True,
        "running": ["dpkg (812)", "apt-get (4711)"],
        "locked": ["/var/lib/dpkg/lock-frontend"],
    }


def test_a_lock_alone_is_work_too() -> None:
    assert only(PROBE, answer(locks=LOCKS)).facts["busy"] is True


def test_without_the_list_of_locks_nobody_knows_that_all_is_quiet() -> None:
    facts = only(PROBE, answer(locks=(1, ""))).facts
    assert facts == {"running": []}
    assert only(PROBE, answer(locks=(1, ""), programs=(2, "/proc/7/comm:dnf\n"))).facts["busy"] is True


def test_hidden_processes_are_not_measured() -> None:
    assert isinstance(PROBE.read(answer(first=(2, "")), {}), NotMeasured)
    assert isinstance(PROBE.read(answer(programs=(127, "")), {}), NotMeasured)


def test_half_an_answer_is_unreadable() -> None:
    with pytest.raises(UnreadableAnswer, match="not whole"):
        PROBE.read(answer_of(first="init\n", programs=""), {})
    assert_bad_answers_are_no_facts(PROBE)


@pytest.mark.parametrize("shell", SHELLS)
def test_it_sees_what_runs_here(shell: list[str]) -> None:
    here = ask(PROBE, shell, change=(("-e apt-get ", f"-e {'busybox' if 'busybox' in shell else shell[0]} "),))
    facts = only(PROBE, here).facts
    assert facts["busy"] is True
    assert facts["running"]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_lock_that_is_held_here_is_seen(shell: list[str], tmp_path: Path) -> None:
    lock = tmp_path / "lock-frontend"
    with lock.open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        held = ask(PROBE, shell, change=(("/var/lib/dpkg/lock-frontend", str(lock)),))
    free = ask(PROBE, shell, change=(("/var/lib/dpkg/lock-frontend", str(lock)),))
    assert only(PROBE, held).facts["locked"] == [str(lock)]
    assert only(PROBE, free).facts["locked"] == []
