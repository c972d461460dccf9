from __future__ import annotations

from pathlib import Path

import pytest

from maintops.domain.answers import Answer, NotMeasured, UnreadableAnswer
from maintops.probes.log_rotation import PROBE
from tests.unit.probes.asking import SHELLS, answer_of, ask, only, tool
from tests.unit.probes.broken_tools import assert_bad_answers_are_no_facts

NOW = "1772323200\n"


def test_when_it_last_ran_and_what_starts_it() -> None:
    states = "1772240400 /var/lib/logrotate/status\n1700000000 /var/lib/logrotate.status\n"
    one = only(PROBE, answer_of(now=NOW, states=states, jobs="/etc/cron.daily/logrotate\n", timer="enabled\n"))
    assert one.facts == {
        "installed": True,
        "unrotated": [],
        "scheduled": True,
        "starters": ["logrotate.timer", "/etc/cron.daily/logrotate"],
        "last_run_hours": 23.0,
    }


def test_nothing_starts_it_and_it_never_ran() -> None:
    one = only(PROBE, answer_of(now=NOW, states="", jobs="", timer=(1, "disabled\n")))
    assert one.facts == {"installed": True, "unrotated": [], "scheduled": False, "starters": []}
    assert one.not_offered == {"last_run_hours"}


def test_no_tool_is_not_measured() -> None:
    answer = Answer(b"", b"logrotate: not found\n", 127)
    assert PROBE.read(answer, {}) == NotMeasured("no such command: logrotate")
    assert_bad_answers_are_no_facts(PROBE)
    with pytest.raises(UnreadableAnswer, match="not whole"):
        PROBE.read(answer_of(now=NOW), {})


def test_logs_that_nothing_rotates() -> None:
    one = only(PROBE, answer_of(unrotated="apt\ndpkg\n"))
    assert one.facts == {"installed": False, "unrotated": ["apt", "dpkg"]}
    assert one.not_offered == {"scheduled", "starters", "last_run_hours"}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("names", [["apt", "old.dpkg-dist", "nginx"], ["old.rpmsave"], []])
def test_no_logrotate_here(shell: list[str], names: list[str], tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).touch()
    change = (
        ("/etc/logrotate.d/", f"{tmp_path}/"),
        ("command -v logrotate ", "command -v nowhere "),
        ("-x /usr/sbin/logrotate ", f"-x {tmp_path}/logrotate "),
    )
    here = ask(PROBE, shell, change=change)
    if "apt" in names:
        assert only(PROBE, here).facts == {"installed": False, "unrotated": ["apt", "nginx"]}
    else:
        assert PROBE.read(here, {}) == NotMeasured("no such command: logrotate")


@pytest.mark.parametrize("shell", SHELLS)
def test_it_can_be_asked_here(shell: list[str], tmp_path: Path) -> None:
    tool(tmp_path, "logrotate", "exit 1")
    (tmp_path / "status").write_text("logrotate state -- version 2\n")
    here = ask(PROBE, shell, tools=tmp_path, change=(("/var/lib/logrotate/status ", f"{tmp_path}/status "),))
    assert only(PROBE, here).facts["last_run_hours"] == 0.0
