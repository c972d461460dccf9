from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from maintops.domain.ports import Delivery, FailureKind, Script, Trip
from maintops.domain.servers import Server
from maintops.runners.replay import ReplayRunner

SCRIPT = Script("true", "d", False, (), 1.0, 10)


def one(folder: Path, name: str, scripts: int = 2) -> Delivery:
    runner = ReplayRunner(folder, lambda: datetime.now(UTC))
    (found,) = runner.ask([Trip(Server(name), (SCRIPT,) * scripts)], forks=1, stop=lambda: None)
    assert isinstance(found, Delivery)
    return found


@pytest.mark.parametrize(("name", "folder"), [("web1", "web1"), ("a/../b c", "a%2F..%2Fb%20c"), ("db-é", "db-%C3%A9")])
def test_a_folder_of_recordings(tmp_path: Path, name: str, folder: str) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "1.stream").write_bytes(b"first\x00")
    (tmp_path / folder / "2.stream").write_bytes(b"second")
    assert [reply.stream for reply in one(tmp_path, name).replies] == [b"first\x00", b"second"]


def test_a_script_without_a_recording_has_no_answer(tmp_path: Path) -> None:
    (tmp_path / "web1").mkdir()
    (tmp_path / "web1" / "1.stream").write_bytes(b"first")
    first, second = one(tmp_path, "web1").replies
    assert first.failure is None
    assert second.failure is not None
    assert second.failure.kind is FailureKind.UNREACHABLE


@pytest.mark.parametrize("name", [".", "..", "../secrets"])
def test_a_servers_name_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    recordings = tmp_path / "recordings"
    for folder in (recordings, tmp_path / "secrets", tmp_path):
        folder.mkdir(exist_ok=True)
        (folder / "1.stream").write_bytes(b"not yours")
    assert one(recordings, name, 1).replies[0].stream == b""
