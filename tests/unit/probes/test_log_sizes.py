from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from maintops.domain.answers import Answer, NotMeasured, UnreadableAnswer
from maintops.probes.log_sizes import PROBE, amount
from tests.unit.probes.asking import SHELLS, answer_of, ask, only
from tests.unit.probes.broken_tools import HTML, assert_bad_answers_are_no_facts, recorded, recorded_facts
from tests.unit.probes.spoiling import complaints, spoiled

SIZES = "3984588\t/var/log/journal\n4\t/var/log/apt\n120000\t/var/log/nginx\n4200000\t/var/log\n"
DISK = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda2 20000000 9000000 11000000 45% /var\n"
LARGEST = "90000\t/var/log/nginx/access.log\n30000\t/var/log/syslog.1\n"
USAGE = "Archived and active journals take up 3.8G in the file system.\n"


def answer(**parts: str | tuple[int, str]) -> Answer:
    whole: dict[str, str | tuple[int, str]] = {"sizes": SIZES, "disk": DISK, "largest": LARGEST, "settings": (1, "")}
    return answer_of(**(whole | parts))


def test_what_logs_and_journal_take() -> None:
    one = only(PROBE, answer())
    assert one.facts == {
        "total_bytes": 4_300_800_000,
        "total_percent": 21.0,
        "disk_bytes": 20_480_000_000,
        "journal_bytes": 4_080_218_112,
        "journal_limited": False,
        "journal_limit_bytes": 2_048_000_000,  # a tenth of the file system
        "largest": ["/var/log/nginx/access.log: 92.2 MB", "/var/log/syslog.1: 30.7 MB"],
        "directories": ["/var/log/journal: 4.1 GB", "/var/log/nginx: 122.9 MB"],
    }
    assert one.not_offered == frozenset()


@pytest.mark.parametrize(
    ("settings", "limited", "limit"),
    [
        ("SystemMaxUse=1G\n", True, 1 << 30),
        ("SystemMaxUse=1G\nSystemMaxUse=\n", False, 2_048_000_000),
        ("Storage=auto\nSystemMaxUse = 512M\n", True, 512 << 20),
        ("SystemMaxUse=lots\n", True, None),
    ],
)
def test_the_last_limit_of_the_journal_counts(settings: str, limited: bool, limit: int | None) -> None:
    facts = only(PROBE, answer(settings=settings)).facts
    assert (facts["journal_limited"], facts.get("journal_limit_bytes")) == (limited, limit)


def test_a_server_that_keeps_no_journal() -> None:
    one = only(PROBE, answer(sizes="100\t/var/log\n"))
    assert one.not_offered == {"journal_bytes", "journal_limit_bytes", "journal_limited"}


def test_half_of_a_sum_is_not_measured() -> None:
    assert isinstance(PROBE.read(answer(sizes=(1, SIZES)), {}), NotMeasured)
    with pytest.raises(UnreadableAnswer, match="/var/log"):
        PROBE.read(answer(sizes=HTML.decode()), {})
    with pytest.raises(UnreadableAnswer, match="not whole"):
        PROBE.read(answer_of(disk=DISK), {})
    assert_bad_answers_are_no_facts(PROBE)


@pytest.mark.parametrize(
    ("text", "size"),
    [("3.8G", 4_080_218_931), ("512M", 512 << 20), ("8", 8), ("8.0B", 8), ("1T", 1 << 40), ("x", None)],
)
def test_amounts_of_systemd(text: str, size: int | None) -> None:
    assert amount(text) == size


def test_recordings() -> None:
    assert recorded_facts(PROBE, USAGE) == {"journal_bytes": 4_080_218_931}
    older = "Archived and active journals take up 48.0M on disk.\n"
    assert recorded_facts(PROBE, older) == {"journal_bytes": 48 << 20}
    facts = recorded_facts(PROBE, SIZES)
    assert facts.keys() == {"total_bytes", "journal_bytes", "directories"}
    assert facts["total_bytes"] == 4_300_800_000
    with pytest.raises(UnreadableAnswer, match="journalctl"):
        recorded(PROBE, HTML.decode())


@pytest.mark.parametrize("shell", SHELLS)
def test_large_files_are_found(shell: list[str], tmp_path: Path) -> None:
    (tmp_path / "nginx").mkdir()
    (tmp_path / "nginx" / "access.log").write_bytes(bytes(21 << 20))
    (tmp_path / "small.log").write_bytes(b"x")
    here = ask(
        PROBE,
        shell,
        change=(("du -xk -d 1 /var/log", f"du -xk -d 1 {tmp_path}"), ("find /var/log", f"find {tmp_path}")),
    )
    text = here.stdout.decode().replace(str(tmp_path), "/var/log")
    facts = only(PROBE, Answer(text.encode())).facts
    assert facts["largest"] == ["/var/log/nginx/access.log: 22.0 MB"]
    assert facts["total_bytes"] >= 21 << 20


@given(spoiled([USAGE.encode(), SIZES.encode()]))
def test_a_spoiled_recording_is_refused_at_worst(recording: bytes) -> None:
    assert complaints(PROBE, recording) == []
