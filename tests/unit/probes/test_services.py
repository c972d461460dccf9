from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from maintops.domain.answers import NotMeasured, UnreadableAnswer
from maintops.probes.services import PROBE
from tests.unit.probes.asking import SHELLS, answer_of, ask, only, tool
from tests.unit.probes.broken_tools import HTML, assert_bad_answers_are_no_facts, recorded, recorded_facts
from tests.unit.probes.spoiling import complaints, spoiled

RUNNING = """\
cron.service          loaded active running Regular background program processing daemon
getty@tty1.service    loaded active running Getty on tty1
nginx.service         loaded active running A high performance web server and a reverse proxy server
user@1000.service     loaded active running User Manager for UID 1000
"""
WHOLE = """\
  UNIT                     LOAD      ACTIVE SUB     DESCRIPTION
  cron.service             loaded    active running Regular background program processing daemon
\N{BLACK CIRCLE} nginx.service            loaded    failed failed  A high performance web server
  systemd-sysctl.service   loaded    active exited  Apply Kernel Variables

LOAD   = Reflects whether the unit definition was properly loaded.
ACTIVE = The high-level unit activation state, i.e. generalization of SUB.
SUB    = The low-level unit activation state, values depend on unit type.
3 loaded units listed. Pass --all to see loaded but inactive units, too.
To show all installed unit files use 'systemctl list-unit-files'.
"""
OPENRC = " sshd                                     [  started 10:20:30 (0) ]\n crond                [  stopped  ]\n"
RECORDINGS = [RUNNING, WHOLE, OPENRC]


def test_services_that_come_and_go_are_left_out() -> None:
    answer = answer_of(systemd=RUNNING, end="")
    assert only(PROBE, answer).facts == {"running": ["cron", "nginx"], "count": 2}
    assert only(PROBE, answer, {"ignore": ["cron"]}).facts["running"] == ["getty@tty1", "nginx", "user@1000"]


def test_openrc_has_services_too() -> None:
    assert only(PROBE, answer_of(openrc=OPENRC, end="")).facts == {"running": ["sshd"], "count": 1}


def test_no_service_manager_is_not_measured() -> None:
    assert isinstance(PROBE.read(answer_of(end=""), {}), NotMeasured)
    refused = answer_of(systemd=(1, "System has not been booted with systemd as init system (PID 1).\n"), end="")
    assert PROBE.read(refused, {}) == NotMeasured("the service manager does not answer here (exit status 1)")
    assert_bad_answers_are_no_facts(PROBE)


def test_a_line_that_is_none_spoils_the_list() -> None:
    with pytest.raises(UnreadableAnswer, match="not a line of systemctl"):
        PROBE.read(answer_of(systemd=RUNNING + "nginx.serv\n", end=""), {})
    with pytest.raises(UnreadableAnswer, match="no service that runs"):
        PROBE.read(answer_of(systemd="a.service loaded failed failed A\n", end=""), {})
    with pytest.raises(UnreadableAnswer, match="not whole"):
        PROBE.read(answer_of(other=""), {})


@pytest.mark.parametrize("shell", SHELLS)
def test_systemd_is_asked_for_services_that_run(shell: list[str], tmp_path: Path) -> None:
    (tmp_path / "units").write_text(RUNNING)
    wanted = "--no-pager --no-legend --plain --full list-units --type=service --state=running"
    tool(tmp_path, "systemctl", f"""[ "$*" = '{wanted}' ] && cat '{tmp_path}/units'""")
    assert only(PROBE, ask(PROBE, shell, tools=tmp_path)).facts["running"] == ["cron", "nginx"]


@pytest.mark.parametrize("text", [HTML.decode(), "hello\n"])
def test_what_is_no_list_of_services_is_refused(text: str) -> None:
    for part in ("systemd", "openrc"):
        with pytest.raises(UnreadableAnswer):
            PROBE.read(answer_of(**{part: text}, end=""), {})
    with pytest.raises(UnreadableAnswer, match="list-units"):
        recorded(PROBE, text)


def test_recordings() -> None:
    assert recorded_facts(PROBE, WHOLE) == {"running": ["cron"], "count": 1}
    assert recorded_facts(PROBE, OPENRC)["running"] == ["sshd"]
    assert isinstance(recorded(PROBE, ""), NotMeasured)


@given(spoiled([text.encode() for text in RECORDINGS]))
def test_a_spoiled_recording_is_refused_at_worst(recording: bytes) -> None:
    assert complaints(PROBE, recording) == []
