"""Commands on the controller: bounded in time and in output, ended as a whole, with a small environment."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from maintops.domain.ports import Commanded
from maintops.runners import commands
from maintops.runners.commands import LONGEST, ControllerCommands


def command(text: str, timeout: float = 60.0, **environment: str) -> Commanded:
    return ControllerCommands().command(text, environment, timeout, lambda: None)


def test_status_and_output() -> None:
    assert command("echo out; echo err >&2; exit 3") == Commanded(3, "out\nerr")
    assert command("true") == Commanded(0, "")
    assert command("kill -TERM $$").status == 128 + signal.SIGTERM


def test_only_a_small_environment_and_what_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_TOKEN", "secret")
    monkeypatch.setenv("HOME", "/the/home")
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    seen = json.loads(command(f"exec {sys.executable} -c '{code}'", MAINTOPS_SERVER="web1; rm").printed)
    seen = {name: value for name, value in seen.items() if name not in ("PWD", "SHLVL", "_", "LC_CTYPE")}
    expected = {"PATH": os.environ["PATH"], "HOME": "/the/home", "LANG": "C.UTF-8", "MAINTOPS_SERVER": "web1; rm"}
    assert seen == expected


def test_it_reads_nothing() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"typed by somebody\n")
    os.close(writing)
    kept = os.dup(0)
    os.dup2(reading, 0)
    try:
        assert command("cat; echo end") == Commanded(0, "end")
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(reading)


def test_it_has_a_session_of_its_own() -> None:
    session, shell = command("cut -d' ' -f6 /proc/$$/stat; echo $$").printed.split()
    assert session == shell


def test_the_end_of_a_flood_is_kept() -> None:
    done = command("yes ü | head -n 200000; echo the end")
    assert done.status == 0
    assert len(done.printed) == LONGEST
    assert done.printed.endswith("ü\nthe end")


def test_what_would_play_tricks_on_a_screen_is_taken_out() -> None:
    assert command(r"printf 'a\033[2Jb\000c\377\n\td'").printed == "a [2Jb c\ufffd\n\td"


def test_what_stays_in_the_background_is_not_waited_for() -> None:
    done = command("sleep 600 & echo $!")
    pid = int(done.printed)
    assert (done.status, Path(f"/proc/{pid}").exists()) == (0, True)
    os.kill(pid, signal.SIGKILL)


def test_what_pours_into_the_pipe_behind_its_back_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert command("yes & exit 5").status == 5
    monkeypatch.setattr(commands._Hearing, "_take", lambda hearing: b"y\n")  # faster than it could ever be read
    assert command("exit 5").status == 5


def test_at_its_timeout_it_is_ended_and_says_so() -> None:
    assert command("echo said; sleep 600", timeout=0.5) == Commanded(None, "said\n[it did not end within 0.5 seconds]")


@pytest.mark.parametrize("stubborn", ["", "trap '' TERM; "])
def test_all_of_it_is_killed(stubborn: str, tmp_path: Path) -> None:
    # One grandchild stays in the group, another leaves it for a session of its own.
    children = "sleep 600 & echo $! >a; setsid sleep 601 & echo $! >b; : >begun"
    text = f"{stubborn}cd {tmp_path}; {children}; wait; wait; sleep 602"

    def stop() -> str | None:
        return "cancelled" if (tmp_path / "begun").exists() else None

    assert ControllerCommands().command(text, {}, 60.0, stop).status is None
    for name in ("a", "b"):
        assert not runs(int((tmp_path / name).read_text()))


def runs(pid: int) -> bool:
    """Whether a process is there and not only waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_stop_ends_it(tmp_path: Path) -> None:
    begun = tmp_path / "begun"

    def stop() -> str | None:
        return "cancelled" if begun.exists() else None

    done = ControllerCommands().command(f"echo $$; : >{begun}; sleep 600", {}, 60.0, stop)
    pid, _, why = done.printed.partition("\n")
    assert (done.status, why) == (None, "[cut off: cancelled]")
    assert not runs(int(pid))


def test_a_reason_is_kept_behind_a_flood() -> None:
    done = command("exec yes", timeout=0.2)
    assert done.status is None
    assert len(done.printed) == LONGEST
    assert done.printed.endswith("y\n[it did not end within 0.2 seconds]")


def test_a_command_that_cannot_be_started_says_why() -> None:
    assert command("true", X="a\0b").status == 126
    done = command("x" * 200_000)
    assert done.status == 126
    assert done.printed.startswith("the command cannot be started: ")


def test_no_descriptor_is_left_open() -> None:
    command("true")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        command("sleep 600 & sleep 600", timeout=0.01)
        command("true")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
