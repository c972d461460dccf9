from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from maintops.domain.answers import Answer, Measured, NotMeasured, Skipped, UnreadableAnswer
from maintops.probes.unit_failures import PROBE
from tests.unit.probes.asking import SHELLS, ask, tool
from tests.unit.probes.broken_tools import HTML, assert_bad_answers_are_no_facts, recorded
from tests.unit.probes.spoiling import complaints, spoiled

JOURNAL = """\
Mar 01 02:00:01 web1 systemd[1]: backup.service: Main process exited, code=exited, status=1/FAILURE
Mar 01 02:00:01 web1 systemd[1]: backup.service: Failed with result 'exit-code'.
Mar 01 02:00:01 web1 systemd[1]: Failed to start backup.service - Nightly backup.
Mar 02 02:00:01 web1 systemd[1]: backup.service: Failed with result 'timeout'.
Mar 02 03:00:01 web1 systemd[1]: logrotate.service: Deactivated successfully.
"""
OLDER = """\
Mar  1 02:00:01 old systemd: Unit httpd.service entered failed state.
Mar  1 02:00:01 old systemd: httpd.service failed.
"""
BACKUP = {"unit": "backup.service", "failures": 2, "result": "timeout"}


def failures(reading: object) -> list[dict[str, object]]:
    assert isinstance(reading, Measured)
    assert [one.subject for one in reading.subjects] == [one.facts["unit"] for one in reading.subjects]
    return [dict(one.facts) for one in reading.subjects]


def test_each_unit_that_failed_is_a_subject() -> None:
    answer = Answer(b"unit 2 timeout backup.service\nunit 1 failed httpd.service\nlines 811\n")
    assert failures(PROBE.read(answer, {})) == [BACKUP, {"unit": "httpd.service", "failures": 1, "result": "failed"}]


def test_no_failure_is_good_only_where_systemd_spoke_at_all() -> None:
    assert PROBE.read(Answer(b"lines 811\n"), {}) == Measured(())
    assert isinstance(PROBE.read(Answer(b"lines 0\n"), {}), NotMeasured)


@pytest.mark.parametrize("text", [b"unit 1 failed x.service\n", b"hello\nlines 3\n", HTML])
def test_what_is_not_counted_is_unreadable(text: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        PROBE.read(Answer(text), {})
    assert_bad_answers_are_no_facts(PROBE)


@pytest.mark.parametrize("hours", [0, -3, "week", 24 * 400, None])
def test_hours_that_are_none_ask_nothing(hours: object) -> None:
    assert isinstance(PROBE.question({"hours": hours}), Skipped)


def test_recordings() -> None:
    assert failures(recorded(PROBE, JOURNAL)) == [BACKUP]
    assert failures(recorded(PROBE, OLDER)) == [{"unit": "httpd.service", "failures": 1, "result": "failed"}]
    assert recorded(PROBE, "Mar 01 02:00:01 web1 systemd[1]: Reached target timers.target.\n") == Measured(())
    with pytest.raises(UnreadableAnswer, match="journal"):
        recorded(PROBE, "hello\n")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_server_counts(shell: list[str], tmp_path: Path) -> None:
    said = JOURNAL + OLDER
    lines = "\n".join(line.partition(": ")[2] for line in said.splitlines())
    (tmp_path / "journal").write_text(lines + "\n")
    tool(tmp_path, "journalctl", f"""echo "$@" >&2; cat '{tmp_path}/journal'""")
    answer = ask(PROBE, shell, {"hours": 24}, tools=tmp_path)
    assert b"--since=-24h" in answer.stderr
    assert sorted(failures(PROBE.read(answer, {})), key=str) == sorted(
        [BACKUP, {"unit": "httpd.service", "failures": 1, "result": "failed"}], key=str
    )


@given(spoiled([JOURNAL.encode(), OLDER.encode()]))
def test_a_spoiled_recording_is_refused_at_worst(recording: bytes) -> None:
    assert complaints(PROBE, recording) == []
