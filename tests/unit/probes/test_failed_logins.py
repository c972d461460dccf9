from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from maintops.domain.answers import Answer, Measured, NotMeasured, Skipped, UnreadableAnswer
from maintops.probes.failed_logins import MOST_NAMES, PROBE
from tests.unit.probes.asking import SHELLS, answer_of, ask, only, tool

COUNTS = """\
9 total -
4 unknown -
0 denied -
2 source 192.0.2.2
7 source 2001:db8::9
1 account ben
4 account root
"""

# What sshd wrote in an hour: 11 failed logins on 6 connections.
SAID = [
    "Failed password for root from 192.0.2.1 port 1001 ssh2",
    "message repeated 2 times: [ Failed password for root from 192.0.2.1 port 1001 ssh2]",
    "error: maximum authentication attempts exceeded for root from 192.0.2.1 port 1001 ssh2 [preauth]",
    "Disconnecting authenticating user root 192.0.2.1 port 1001: Too many authentication failures [preauth]",
    "Invalid user hunter2 from 2001:db8::9 port 1002",
    "Failed none for invalid user hunter2 from 2001:db8::9 port 1002 ssh2",
    "Failed password for invalid user hunter2 from 2001:db8::9 port 1002 ssh2",
    "Failed keyboard-interactive/pam for invalid user hunter2 from 2001:db8::9 port 1002 ssh2",
    "Connection closed by invalid user hunter2 2001:db8::9 port 1002 [preauth]",
    "Invalid user  from 192.0.2.3 port 1003",
    "Connection reset by authenticating user ben 192.0.2.1 port 1004 [preauth]",
    "Failed password for anna from 192.0.2.5 port 1005 ssh2",
    "Accepted password for anna from 192.0.2.5 port 1005 ssh2",
    "Invalid user x from 198.51.100.66 port 6 from 192.0.2.1 port 1006",
    "Failed password for invalid user root from 198.51.100.66 port 66 from 192.0.2.1 port 1006 ssh2",
    "Failed publickey for root from 192.0.2.7 port 1007 ssh2: ED25519 SHA256:abc",
    "Connection closed by 192.0.2.8 port 1008 [preauth]",
    "Received disconnect from 192.0.2.8 port 1008:11: bye",
    "Failed password for root from 192.0.2.1 port 1009 ssh2",
    "Failed password for root from 192.0.2.1 port 1009 ssh2",
]
EXPECTED = {
    "count": 11,
    "unknown_accounts": 4,
    "hours": 24,
    "accounts": ["root", "anna", "ben"],
    "sources": ["192.0.2.1", "2001:db8::9", "192.0.2.3", "192.0.2.5"],
    "most_from_one_source": 7,
}


def test_what_the_server_counted() -> None:
    assert only(PROBE, answer_of(journal=COUNTS), {"hours": 24}).facts == {
        "count": 9,
        "unknown_accounts": 4,
        "hours": 24,
        "accounts": ["root", "ben"],
        "sources": ["2001:db8::9", "192.0.2.2"],
        "most_from_one_source": 7,
    }


def test_nobody_failed() -> None:
    facts = only(PROBE, answer_of(log="0 total -\n0 unknown -\n0 denied -\n")).facts
    assert (facts["count"], facts["sources"], facts["most_from_one_source"]) == (0, [], 0)


def test_only_some_are_named() -> None:
    text = "50 total -\n0 unknown -\n0 denied -\n" + "".join(f"1 source 192.0.2.{place}\n" for place in range(40))
    assert len(only(PROBE, answer_of(log=text)).facts["sources"]) == MOST_NAMES


@pytest.mark.parametrize(
    "answer",
    [
        answer_of(denied=""),
        answer_of(none=""),
        answer_of(journal="0 total -\n0 unknown -\n1 denied -\n"),
        answer_of(log=(127, "")),
    ],
)
def test_no_log_no_right_no_tool_is_not_measured(answer: Answer) -> None:
    assert isinstance(PROBE.read(answer, {}), NotMeasured)


@pytest.mark.parametrize(
    "broken",
    [
        Answer(b""),
        answer_of(other=""),
        answer_of(log=""),
        answer_of(log=COUNTS + "garbage\n"),
        answer_of(log=COUNTS.replace("9 total", "many total")),
        answer_of(log=(2, COUNTS)),
        Answer(answer_of(log=COUNTS).stdout, truncated=True),
    ],
)
def test_what_is_no_count_is_refused(broken: Answer) -> None:
    with pytest.raises(UnreadableAnswer):
        PROBE.read(broken, {})


@pytest.mark.parametrize("hours", [0, -1, 745, "soon", None, 1.5])
def test_hours_that_are_none_are_told(hours: Any) -> None:
    assert isinstance(PROBE.question({"hours": hours}), Skipped)


@pytest.fixture(params=["mawk", "gawk", "original-awk", "busybox"])
def tools(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder of tools with the awk of one kind or another."""
    path = shutil.which(request.param)
    if path is None:
        pytest.skip(f"no {request.param} here")
    folder = tmp_path / "tools"
    folder.mkdir()
    tool(folder, "awk", f'exec {path} {"awk" if request.param == "busybox" else ""} "$@"')
    return folder


def journal_of(folder: Path, lines: list[str], log: Path) -> tuple[tuple[str, str], ...]:
    """A journal that says some lines, and the changes to the question that make it look there."""
    kept = log / "journal"
    (kept / "0123").mkdir(parents=True)
    (kept / "0123" / "system.journal").touch()
    (log / "said").write_text("".join(line + "\n" for line in lines))
    tool(folder, "journalctl", f'echo "$*" >{log}/asked; cat {log}/said')
    return (("/run/log/journal /var/log/journal", f"/no/run {kept}"), ('" = /var/log/journal', f'" = {kept}'))


@pytest.mark.parametrize("shell", [["dash"], ["bash", "--posix"]], ids=lambda shell: shell[0])
def test_the_journal_is_counted(shell: list[str], tools: Path, tmp_path: Path) -> None:
    change = journal_of(tools, SAID, tmp_path)
    asked = ask(PROBE, shell, {"hours": 24}, tools=tools, change=change)
    assert only(PROBE, asked, {"hours": 24}).facts == EXPECTED
    assert b"hunter2" not in asked.stdout + asked.stderr  # it may be a password
    assert "_COMM=sshd-session" in (tmp_path / "asked").read_text()


@pytest.mark.parametrize("shell", SHELLS)
def test_the_journal_is_counted_under_every_shell(shell: list[str], tmp_path: Path) -> None:
    change = journal_of(tmp_path, SAID, tmp_path)
    assert only(PROBE, ask(PROBE, shell, tools=tmp_path, change=change), {"hours": 24}).facts == EXPECTED


@pytest.mark.parametrize(
    "hint",
    [
        "Hint: You are currently not seeing messages from other users and the system.",
        "No journal files were opened due to insufficient permissions.",
    ],
)
def test_a_journal_that_hides_the_system_is_not_measured(hint: str, tmp_path: Path) -> None:
    change = journal_of(tmp_path, [hint], tmp_path)
    assert isinstance(PROBE.read(ask(PROBE, ["sh"], tools=tmp_path, change=change), {}), NotMeasured)


def stamped(lines: list[tuple[str, str]], identifier: str = "sshd[77]") -> str:
    return "".join(f"{stamp} host {identifier}: {line}\n" for stamp, line in lines)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("now", "old", "recent"),
    [
        (1795348800, "Nov 21 11:59:59", ["Nov 21 12:00:01", "Nov 22 11:00:00"]),  # 22 November 2026, noon
        (1798768800, "Dec 31 01:59:00", ["Dec 31 23:00:00", "Jan  1 01:00:00"]),  # 1 January 2027, 2 o'clock
        (1795348800, "2026-11-21T11:59:59.5+00:00", ["2026-11-21T12:00:01.5+00:00", "2026-11-22T11:00:00+00:00"]),
    ],
)
def test_only_the_last_hours_of_a_log_count(
    shell: list[str], now: int, old: str, recent: list[str], tmp_path: Path
) -> None:
    said = "Failed password for root from 192.0.2.1 port {} ssh2"
    stamps = [(stamp, said.format(1000 + place)) for place, stamp in enumerate([old, *recent])]
    log = tmp_path / "secure"
    log.write_text(stamped(stamps[-1:], "sshd-session[9]") + stamped([(recent[0], said.format(1))], "cron[1]"))
    (tmp_path / "secure-20261121").write_text(stamped(stamps[:-1]))
    (tmp_path / "secure-20251121").write_text(stamped([(recent[0], said.format(2))]))
    for path, written in (
        (log, now),
        (tmp_path / "secure-20261121", now),
        (tmp_path / "secure-20251121", now - 90_000),
    ):
        os.utime(path, (written, written))
    change = (
        ("/var/log/auth.log /var/log/secure /var/log/messages", f"/no/such {log}"),
        ("$(( $(date +%s)", f"$(( {now}"),
        ('now="$(date ', f'now="$(date -u -d @{now} '),
        ("command -v journalctl", "false"),
        ("date -d", "date -u -d"),
    )
    assert only(PROBE, ask(PROBE, shell, change=change)).facts["count"] == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to ask as somebody else")
def test_a_log_that_may_not_be_read_is_not_measured(tmp_path: Path) -> None:
    log = Path("/var/tmp") / f"secure-{os.getpid()}"  # pytest's own folders are closed as a whole
    try:
        log.write_text("")
        log.chmod(0o600)
        change = (("/var/log/auth.log", str(log)), ("command -v journalctl", "false"))
        reading = PROBE.read(ask(PROBE, ["sh"], change=change, user="nobody"), {})
        assert reading == NotMeasured("no right to read the log of logins")
    finally:
        log.unlink()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_journal_in_memory_gives_way_to_a_log_that_is_written(shell: list[str], tmp_path: Path) -> None:
    journal = tmp_path / "run" / "0123"
    journal.mkdir(parents=True)
    (journal / "system.journal").touch()
    tool(tmp_path, "journalctl", "echo Failed password for root from 192.0.2.1 port 9 ssh2")
    log = tmp_path / "auth.log"
    log.write_text("")
    change = (
        ("/var/log/auth.log", str(log)),
        ("/run/log/journal /var/log/journal", f"{tmp_path}/run /no/such"),
    )
    assert b"=log" in ask(PROBE, shell, tools=tmp_path, change=change).stdout
    os.utime(log, (1, 1))
    assert only(PROBE, ask(PROBE, shell, tools=tmp_path, change=change)).facts["count"] == 1


@pytest.mark.parametrize("shell", SHELLS)
def test_it_can_be_asked_here(shell: list[str]) -> None:
    assert isinstance(PROBE.read(ask(PROBE, shell), {}), Measured | NotMeasured)
