from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from maintops.domain.answers import Answer, NotMeasured, UnreadableAnswer
from maintops.probes.unused_users import PROBE
from tests.unit.probes.asking import SHELLS, answer_of, ask, only
from tests.unit.probes.broken_tools import HTML, assert_bad_answers_are_no_facts, recorded, recorded_facts
from tests.unit.probes.spoiling import complaints, spoiled

NOW = "1772323200\n"  # 2026-03-01, day 20513
PASSWD = """\
root:0:/bin/bash
postgres:105:/bin/bash
daemon:1:/usr/sbin/nologin
anna:1000:/bin/bash
ben:1001:/bin/zsh
carl:1002:/bin/bash
dora:1003:/bin/bash
robot:1004:/usr/sbin/nologin
nobody:65534:/bin/sh
"""
PASSWORDS = "root 20000\nanna 20500\nben 19000\ncarl 19000\ndora 20510\n"
LASTLOG = """\
Username         Port     From                                       Latest
root             pts/0    10.1.2.3                                  Sun Feb 22 10:15:00 +0100 2026
daemon                                                              **Never logged in**
anna             pts/1    2001:db8:0:1::7                           Fri Feb 27 08:00:00 +0000 2026
ben              pts/0    10.1.2.9                                  Sat Jan 11 23:30:00 -0530 2025
carl                                                                **Never logged in**
dora                                                                **Never logged in**
"""


def answer(**parts: str | tuple[int, str]) -> Answer:
    whole: dict[str, str | tuple[int, str]] = {
        "now": NOW,
        "passwd": PASSWD,
        "passwords": PASSWORDS,
        "logins": LASTLOG,
    }
    return answer_of(**(whole | parts))


def test_who_did_not_log_in_for_a_year() -> None:
    assert only(PROBE, answer()).facts == {
        "people": ["anna", "ben", "carl", "dora"],
        "unused": ["ben", "carl"],
        "unused_count": 2,
        "unused_described": ["ben (412 days)", "carl (never)"],
        "never": ["carl", "dora"],
        "last_logins": {"anna": "2026-02-27", "ben": "2025-01-12"},
        "system_shells": ["postgres"],
    }


def test_a_new_account_that_never_logged_in_is_not_unused() -> None:
    assert only(PROBE, answer(passwords=(2, ""))).facts["unused"] == ["ben"]
    assert only(PROBE, answer(), {"days": 500}).facts["unused"] == ["carl"]
    assert only(PROBE, answer(), {"days": 1}).facts["unused"] == ["anna", "ben", "carl", "dora"]


def test_without_lastlog_the_accounts_alone_are_known() -> None:
    for nothing in ((127, ""), "", (1, "lastlog: cannot open\n")):
        facts = only(PROBE, answer(logins=nothing)).facts
        assert facts == {"people": ["anna", "ben", "carl", "dora"], "system_shells": ["postgres"]}


def test_a_date_that_is_none_is_left_out() -> None:
    text = LASTLOG.replace("Jan 11", "Jan 99")
    assert "ben" not in only(PROBE, answer(logins=text)).facts["last_logins"]


def test_half_an_answer() -> None:
    assert isinstance(PROBE.read(answer(passwd=(1, "")), {}), NotMeasured)
    for broken in (answer(passwd=HTML.decode()), answer(now="soon\n"), answer_of(now=NOW, passwd=PASSWD)):
        with pytest.raises(UnreadableAnswer):
            PROBE.read(broken, {})
    assert_bad_answers_are_no_facts(PROBE)


def test_recordings() -> None:
    facts = recorded_facts(PROBE, LASTLOG)
    assert facts["never"] == ["carl", "daemon", "dora"]
    assert facts["last_logins"] == {"root": "2026-02-22", "anna": "2026-02-27", "ben": "2025-01-12"}
    with pytest.raises(UnreadableAnswer, match="lastlog"):
        recorded(PROBE, "hello\n")


def test_a_recording_may_be_in_another_language() -> None:
    month, saturday, never = "\u6708", "\u516d", "**\u4ece\u672a\u767b\u5f55\u8fc7**"
    text = f"root   pts/1         {saturday} 5{month} 18 19:32:07 +0800 2019\nbin           {never}\n"
    assert recorded_facts(PROBE, text) == {"never": ["bin"], "last_logins": {"root": "2019-05-18"}}


@pytest.mark.parametrize("shell", SHELLS)
def test_no_hash_ever_leaves_the_server(shell: list[str], tmp_path: Path) -> None:
    canary = "$y$j9T$CANARY"
    (tmp_path / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\nanna:x:1000:1000:Anna:/home/anna:/bin/sh\n")
    (tmp_path / "shadow").write_text(f"root:{canary}:1:0:9:7:::\nlocked:!{canary}:2::::::\nanna:{canary}:3:0:9:7:::\n")
    asked = ask(PROBE, shell, change=(("/etc/", f"{tmp_path}/"),))
    assert b"CANARY" not in asked.stdout + asked.stderr
    assert b" root 1\n locked 2\n anna 3\n" in asked.stdout
    assert only(PROBE, asked).facts["people"] == ["anna"]


@given(spoiled([LASTLOG.encode()]))
def test_a_spoiled_recording_is_refused_at_worst(recording: bytes) -> None:
    assert complaints(PROBE, recording) == []
