from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from maintops.domain.answers import NotMeasured, UnreadableAnswer
from maintops.probes.logins import PROBE
from tests.unit.probes.asking import SHELLS, answer_of, ask, only, tool
from tests.unit.probes.broken_tools import HTML, assert_bad_answers_are_no_facts, recorded, recorded_facts
from tests.unit.probes.spoiling import complaints, spoiled

OWN = "4711 (sh (x) y) S 4700 4711 4700 {tty} 4711 4194304 0 0\n"
NO_TERMINAL = OWN.format(tty=0)
WHO = """\
anna     pts/0        2026-03-01 09:12 (10.1.2.3)
root     tty1         2026-02-27 18:40
ben      pts/3        2026-03-01 10:01 (jump.example.net)
"""
BUSYBOX = "USER\t\tTTY\t\tIDLE\tTIME\t\t HOST\nanna\t\tpts/0\t\t00:01\tMar  1 09:12:01\t10.1.2.3\n"
W = """\
 10:02:11 up 12 days,  3:02,  2 users,  load average: 0.05, 0.06, 0.01
USER     TTY      FROM             LOGIN@   IDLE   JCPU   PCPU WHAT
anna     pts/0    10.1.2.3         09:12    1.00s  0.05s  0.00s w
"""
LOGIND = """\
SESSION  UID USER SEAT  LEADER CLASS   TTY   IDLE SINCE
      1    0 root seat0 734    user    tty1  no   -
     21 1000 anna -     5120   user    pts/0 no   -
     22 1000 anna -     5130   manager -     no   -
     c1  120 gdm  seat0 811    greeter tty2  no   -

4 sessions listed.
"""
WHO_A = """\
NAME       LINE         TIME             IDLE          PID COMMENT  EXIT
           system boot  2026-03-01 02:52
anna     - ttyS0        2026-03-01 02:52   .          1983
           run-level 5  2026-03-01 02:52
LOGIN      tty1         2026-03-01 02:52              1199 id=tty1
anna     + pts/0        2026-03-01 02:54   .          2176 (10.1.2.3)
"""
RECORDINGS = [WHO_A, WHO, BUSYBOX, W, LOGIND]


def test_who_is_logged_in_and_from_where() -> None:
    assert only(PROBE, answer_of(own=NO_TERMINAL, who=WHO)).facts == {
        "count": 3,
        "users": ["anna", "ben", "root"],
        "logins": ["anna pts/0 from 10.1.2.3", "root tty1", "ben pts/3 from jump.example.net"],
    }


@pytest.mark.parametrize(
    ("tty", "users"), [(34816 + 3, ["anna", "root"]), (34816, ["ben", "root"]), (1025, ["anna", "ben"])]
)
def test_the_login_that_asks_is_left_out(tty: int, users: list[str]) -> None:
    assert only(PROBE, answer_of(own=OWN.format(tty=tty), who=WHO)).facts["users"] == users


def test_a_command_may_be_named_like_a_session() -> None:
    row = "anna     pts/0    10.1.2.3         09:12    1.00s  0.05s  0.00s vi manager\n"
    assert recorded_facts(PROBE, "USER     TTY      FROM\n" + row)["users"] == ["anna"]


def test_nobody_is_nobody() -> None:
    assert only(PROBE, answer_of(own=NO_TERMINAL, who="")).facts == {"count": 0, "users": [], "logins": []}


def test_sessions_of_logind_where_there_is_no_who() -> None:
    assert only(PROBE, answer_of(own=NO_TERMINAL, sessions=LOGIND)).facts == {
        "count": 2,
        "users": ["anna", "root"],
        "logins": ["root tty1", "anna pts/0"],
    }
    older = "  7 1000 anna      pts/2\n"
    assert only(PROBE, answer_of(own=OWN.format(tty=34818), sessions=older)).facts["count"] == 0


def test_no_tool_is_not_measured() -> None:
    assert isinstance(PROBE.read(answer_of(own=NO_TERMINAL, sessions=(127, "")), {}), NotMeasured)
    assert_bad_answers_are_no_facts(PROBE)
    with pytest.raises(UnreadableAnswer, match="not a line of who"):
        PROBE.read(answer_of(own=NO_TERMINAL, who=HTML.decode()), {})


def test_recordings() -> None:
    assert recorded_facts(PROBE, WHO)["count"] == 3
    assert recorded_facts(PROBE, BUSYBOX)["logins"] == ["anna pts/0"]
    assert recorded_facts(PROBE, W)["users"] == ["anna"]
    assert recorded_facts(PROBE, LOGIND)["users"] == ["anna", "root"]
    assert recorded_facts(PROBE, WHO_A)["logins"] == ["anna ttyS0", "anna pts/0 from 10.1.2.3"]
    assert isinstance(recorded(PROBE, ""), NotMeasured)
    with pytest.raises(UnreadableAnswer, match="who, w or loginctl"):
        recorded(PROBE, "hello world\n")


@pytest.mark.parametrize("shell", SHELLS[::2])  # busybox would prefer its own who
def test_who_is_asked(shell: list[str], tmp_path: Path) -> None:
    (tmp_path / "said").write_text(WHO)
    tool(tmp_path, "who", f"cat '{tmp_path}/said'")
    here = ask(PROBE, shell, tools=tmp_path)
    assert only(PROBE, here).facts["users"] == ["anna", "ben", "root"]
    assert b"=own\n " in here.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_it_can_be_asked_here(shell: list[str]) -> None:
    assert only(PROBE, ask(PROBE, shell)).facts["count"] >= 0


@given(spoiled([text.encode() for text in RECORDINGS]))
def test_a_spoiled_recording_is_refused_at_worst(recording: bytes) -> None:
    assert complaints(PROBE, recording) == []
