from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import Answer, Measured, Skipped, SubjectFacts, UnreadableAnswer
from maintops.probes.backup_age import MOST_FILES, PROBE
from tests.unit.probes.asking import SHELLS, answer_of, ask, only, part_of

NOW = 1_800_000_000


def answer(*parts: tuple[str, str | tuple[int, str]]) -> Answer:
    return Answer(part_of("now", str(NOW)) + b"".join(part_of(name, value) for name, value in parts))


def read(asked: Answer) -> dict[str | None, SubjectFacts]:
    reading = PROBE.read(asked, {"paths": ["/x"]})
    assert isinstance(reading, Measured), reading
    return {subject.subject: subject for subject in reading.subjects}


def test_a_place_with_files() -> None:
    subject = only(PROBE, answer(("place /srv/backup", "12 345000000000 1799910000 77\n")))
    assert subject.subject == "/srv/backup"
    assert subject.facts == {
        "present": True,
        "files": 12,
        "size_bytes": 345_000_000_000,
        "newest": "2027-01-14T07:00:00+00:00",
        "newest_hours": 25.0,
        "newest_bytes": 77,
    }


def test_an_empty_place_and_none_at_all() -> None:
    seen = read(answer(("place /a", "0 0 0 0\n"), ("missing /b", "")))
    assert seen["/a"].facts == {"present": False, "files": 0, "size_bytes": 0}
    assert seen["/a"].not_offered == {"newest", "newest_hours", "newest_bytes"}
    assert seen["/b"].facts == {"present": False}
    assert seen["/b"].not_offered == PROBE.facts.keys() - {"present"}


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("denied /a", "", "no right"),
        ("place /a", "3 5 1700000000 1\ndenied\n", "no right"),
        ("place /a", f"{MOST_FILES} 5 1700000000 1\n", "more than"),
        ("place /a", "0 0 0 0\ndeeper\n", "raise depth"),
    ],
)
def test_what_was_not_seen_whole_says_why(name: str, text: str, why: str) -> None:
    assert why in (only(PROBE, answer((name, text))).why_not or "")


def test_folders_below_do_not_matter_where_files_were_found() -> None:
    assert only(PROBE, answer(("place /a", "1 5 1700000000 1\ndeeper\n"))).facts["files"] == 1


def test_nothing_configured_is_skipped() -> None:
    skipped = PROBE.question({"paths": [], "depth": 3})
    assert isinstance(skipped, Skipped)
    assert "backup_paths" in skipped.why


@pytest.mark.parametrize("depth", [0, -1, 21, "deep", None])
def test_a_depth_that_is_none_is_told(depth: object) -> None:
    assert isinstance(PROBE.question({"paths": ["/a"], "depth": depth}), Skipped)


@pytest.mark.parametrize(
    "broken",
    [
        Answer(b""),
        answer_of(now="soon"),
        answer(("place /a", "garbage\n")),
        answer(("place /a", "")),
        answer(("place /a", (127, "1 1 1 1\n"))),
        Answer(answer().stdout, truncated=True),
        Answer(answer(("place /a", "1 1 1 1\n")).stdout[:-3]),
    ],
)
def test_what_is_no_count_of_files_is_refused(broken: Answer) -> None:
    with pytest.raises(UnreadableAnswer):
        PROBE.read(broken, {})


@given(st.integers(0, 10**11 - 1), st.integers(1, MOST_FILES - 1), st.integers(0, 10**18 - 1))
def test_every_moment_is_an_age(newest: int, files: int, size: int) -> None:
    facts = only(PROBE, answer(("place /a", f"{files} {size} {newest} {size}\n"))).facts
    assert facts["newest_hours"] == round((NOW - newest) / 3600, 1)
    assert (facts["files"], facts["size_bytes"]) == (files, size)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "daily"
    (folder / "1" / "2").mkdir(parents=True)
    for path, size, moment in (
        ("a.dump", 100, NOW - 7200),
        ("1/b $(x).dump", 30, NOW - 3600),
        ("1/2/c", 5, NOW - 9000),
    ):
        (folder / path).write_bytes(b"x" * size)
        os.utime(folder / path, (moment, moment))
    return folder


@pytest.fixture(params=["", "find of busybox"])
def change(request: pytest.FixtureRequest) -> tuple[tuple[str, str], ...]:
    """As find has -printf, and as it has not."""
    return ((("-printf ''", "-no-such-action"),) if request.param else ()) + (("date +%s", f"echo {NOW}"),)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_newest_file_counts(shell: list[str], place: Path, change: tuple[tuple[str, str], ...]) -> None:
    (place.parent / "latest").symlink_to(place)
    paths = [str(place), f"{place}/*.dump", f"{place.parent}/latest", f"{place.parent}/none*"]
    seen = read(ask(PROBE, shell, {"paths": paths}, change=change))
    whole = {"files": 3, "size_bytes": 135, "newest_hours": 1.0, "newest_bytes": 30}
    for path in (str(place), f"{place.parent}/latest"):
        assert {name: seen[path].facts[name] for name in whole} == whole
    assert seen[f"{place}/a.dump"].facts["newest_hours"] == 2.0
    assert seen[f"{place.parent}/none*"].facts == {"present": False}
    assert len(seen) == 4


@pytest.mark.parametrize("shell", SHELLS)
def test_only_so_many_levels_are_looked_into(shell: list[str], place: Path) -> None:
    (place / "a.dump").unlink()
    (place / "1" / "b $(x).dump").unlink()
    for depth, why in ((1, True), (2, True), (3, False)):
        parameters = {"paths": [str(place)], "depth": depth}
        reading = PROBE.read(ask(PROBE, shell, parameters), parameters)
        assert isinstance(reading, Measured)
        assert bool(reading.subjects[0].why_not) is why
    (place / "1" / "2" / "c").unlink()
    assert read(ask(PROBE, shell, {"paths": [str(place)]}))[str(place)].facts["present"] is False


@pytest.mark.parametrize("shell", SHELLS)
def test_a_huge_place_is_bounded_and_says_so(shell: list[str], place: Path) -> None:
    asked = ask(PROBE, shell, {"paths": [str(place)]}, change=((f"head -n {MOST_FILES}", "head -n 2"),))
    assert read(asked)[str(place)].facts["files"] == 2


@pytest.mark.parametrize("shell", SHELLS)
def test_paths_are_data_to_the_shell(shell: list[str], tmp_path: Path) -> None:
    paths = [f"$(touch {tmp_path}/canary)", f"'; touch {tmp_path}/canary; '", "-delete"]
    seen = read(ask(PROBE, shell, {"paths": paths}))
    assert set(seen) == {f"./{path}" for path in paths}
    assert not (tmp_path / "canary").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to ask as somebody else")
@pytest.mark.parametrize("shell", SHELLS)
def test_no_right_is_told_and_never_read_as_missing(shell: list[str]) -> None:
    closed = Path("/var/tmp") / f"closed-backup-{os.getpid()}-{shell[0]}"  # pytest's own folders are closed
    try:
        (closed / "inner" / "lost+found").mkdir(parents=True)
        (closed / "inner").chmod(0o700)
        closed.chmod(0o755)
        paths = [str(closed), f"{closed}/inner/a"]
        seen = read(ask(PROBE, shell, {"paths": paths}, user="nobody"))
        assert "no right" in (seen[paths[0]].why_not or "")
        assert "no right" in (seen[paths[1]].why_not or "")
    finally:
        subprocess.run(["/bin/rm", "-r", str(closed)], check=True)
