"""YAML that is wrong, or a trap: refused with its place by `lint` and by `run`, after bounded work."""

from __future__ import annotations

import json
import os
import re

import pytest

from tests.acceptance.checklists import ROUND, furnish
from tests.lab.running import Desk, run_maintops

pytestmark = pytest.mark.fleet

MOST_MEMORY = 150 * 1024 * 1024
"""Bytes that maintops may have at most while it refuses a file; what it needs to start is about 60 MB of that."""

BOMB = "a: &a [x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGED = "checklist: &x {a: 1}\n" + "".join(f"k{n}:\n  <<: [{', '.join(['*x'] * 50)}]\n" for n in range(50))
DUPLICATE_ID = ROUND.replace("id: AC-030", "id: AC-010")

BAD = {
    "a syntax error": (ROUND.replace("[people]", "[people", 1), r"10", "is not YAML"),
    "a tab": (ROUND.replace("\n  - id: AC-010", "\n\t- id: AC-010"), r"7", "a tab cannot indent"),
    "an unknown key": (ROUND.replace("why:", "wy:"), r"14", "wy"),
    "a duplicate key": (ROUND.replace("why: A full", "title: A full"), r"14", "title"),
    "a duplicate id": (DUPLICATE_ID, r"26", "AC-010"),
    "a bad expression": (ROUND.replace("used > 200", "used >"), r"25", "cannot be understood"),
    "a time of day": (ROUND.replace("    command: exit", "    timeout: 12:30\n    command: exit"), r"29", "12:30"),
    "a no among hosts": (ROUND.replace("checklist: round", "checklist: no\nhosts: [no]"), r"2", "must be text"),
    "a no for become": (ROUND.replace("    command: exit 3", "    become: no\n    command: exit 3"), r"29", "false"),
    "a merge key bomb": (MERGED, r"1", "anchor"),
    "a bomb of aliases": (BOMB, r"1", "anchor"),
    "a merge key": (ROUND.replace("    tags: [disks]", "    <<: {tags: [disks]}"), r"15", "merge"),
    "a tag": (ROUND.replace("title: A round", "title: !!python/object:os.system A round"), r"2", "tag"),
    "deep nesting": ("checklist: " + "[" * 100_000, r"1", "nested"),
    "many values": ("checklist: [" + "1, " * 300_000 + "]", r"1", "values"),
    "a second document": (ROUND + "---\n" + ROUND, r"32", "second document"),
    "nothing": ("", r"1", "empty"),
}  # fmt: skip


@pytest.mark.parametrize("what", sorted(BAD))
def test_a_bad_file_is_refused_with_its_place(desk: Desk, what: str) -> None:
    text, line, word = BAD[what]
    _assert_refused(desk, desk.checklist(text, "bad.yml"), rf"(?:\./)?bad\.yml:(?:{line}):\d+: .*{re.escape(word)}")


def test_no_and_a_time_of_day_are_text(desk: Desk) -> None:
    steps = "steps:\n  - {id: AC-900, title: no, manual: 12:30}\n"
    path = desk.checklist(ROUND.replace("round through", "12:30") + steps)
    assert run_maintops(desk, "lint", path).code == 0
    shown = run_maintops(desk, "checklist", "show", path, "--format", "json").document
    assert (shown["steps"][0]["title"], shown["steps"][0]["manual"]) == ("no", "12:30")
    assert "12:30" in shown["title"]


@pytest.mark.parametrize("bytes", [b"\xff\xfe", b"checklist: \x00", b"\xef\xbb\xbfchecklist: x"])
def test_what_is_no_text_is_refused(desk: Desk, bytes: bytes) -> None:
    (desk.here / "bad.yml").write_bytes(bytes)
    _assert_refused(desk, "./bad.yml", r"(?:\./)?bad\.yml:1:\d+: ")


def test_a_broken_checklist_hides_no_other_from_the_list(desk: Desk) -> None:
    furnish(desk)
    (desk.here / "checklists/bad.yml").write_text(
        ROUND.replace("checklist: round", "checklist: bad").replace("why:", "wy:")
    )
    (desk.here / "checklists/worse.yml").write_text("checklist: [\n")
    listed = run_maintops(desk, "checklist", "list")
    assert (listed.code, "A round through the house" in listed.stdout) == (64, True)
    assert re.search(r"^\S*checklists/bad\.yml:14:5: unknown key \"wy\"", listed.stderr, re.MULTILINE), listed.stderr
    assert re.search(r"^\S*checklists/worse\.yml:\d+:\d+: is not YAML", listed.stderr, re.MULTILINE), listed.stderr
    for_programs = run_maintops(desk, "checklist", "list", "--format", "json")
    names = [one["checklist"] for one in json.loads(for_programs.stdout)]
    assert (for_programs.code, "round" in names, "bad" in names) == (64, True, False)


def test_a_hundred_megabytes_are_refused_unread(desk: Desk) -> None:
    with (desk.here / "bad.yml").open("wb") as stream:
        stream.write(ROUND.encode())
        line = b"# " + b"x" * (1024 * 1024 - 3) + b"\n"
        for _ in range(100):
            stream.write(line)
    _assert_refused(desk, "./bad.yml", r"(?:\./)?bad\.yml:0:0: is larger than 1024 KiB")
    (desk.here / "bad.yml").unlink()


def test_a_pipe_is_refused(desk: Desk) -> None:
    os.mkfifo(desk.here / "bad.yml")
    _assert_refused(desk, "./bad.yml", r"(?:\./)?bad\.yml:0:0: is not an ordinary file")


def _assert_refused(desk: Desk, path: str, pattern: str) -> None:
    linted = run_maintops(desk, "lint", path)
    run = run_maintops(desk, "run", path, "-i", "localhost,")
    for ended, told in ((linted, linted.stdout), (run, run.stderr)):
        assert ended.code == 64, ended.stderr
        assert re.search(f"^{pattern}", told, re.MULTILINE), told[:3000]
        assert "Traceback" not in ended.stderr
        assert len(told) < 100_000
        assert 0 < ended.peak < MOST_MEMORY
    assert run.stdout == ""
