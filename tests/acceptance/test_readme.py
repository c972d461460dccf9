"""The README is a script: its blocks are run one after the other, as a newcomer would type them.

A ```sh block is typed into one shell; a ```yaml file=PATH block is saved as PATH in the folder where that shell is
then, a ```python block is run there. Indented blocks are illustrations: the commands in them must exist, no more.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PATIENCE = 280


@dataclass(frozen=True)
class Newcomer:
    """A clone of the repository with its environment made, a home and a shell of one's own."""

    clone: Path
    home: Path

    @property
    def variables(self) -> dict[str, str]:
        return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.home), "LANG": "C.UTF-8"}

    @property
    def repository(self) -> Path:
        """The maintenance repository that the README makes."""
        return self.clone / "servers"

    def maintops(self, *arguments: str) -> str:
        """What `maintops` says in the maintenance repository."""
        return subprocess.run(
            [self.clone / ".venv/bin/maintops", *arguments],
            cwd=self.repository,
            env=self.variables,
            capture_output=True,
            text=True,
            check=True,
        ).stdout


def _program(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is not installed"
    return found


def _script() -> str:
    """The README's blocks as one script; each says its number when it begins, so that a failure can be placed."""
    lines = ["set -eu"]
    for number, (language, file, text) in enumerate(BLOCK.findall(README), start=1):
        lines.append(f"echo 'README block {number} ({language})'")
        if language == "sh":
            lines.append(text)
        elif language == "python":
            lines.append(f"python - <<'END-OF-BLOCK'\n{text}END-OF-BLOCK")
        elif file:
            lines.append(f"cat >{shlex.quote(file)} <<'END-OF-BLOCK'\n{text}END-OF-BLOCK")
    return "\n".join(lines) + "\n"


def _clone(place: Path) -> None:
    """A copy of what the repository holds, with this environment for `.venv`."""
    tracked = subprocess.run(
        [_program("git"), "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    (place / ".venv").symlink_to(sys.prefix)


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Newcomer:
    folder = tmp_path_factory.mktemp("newcomer")
    one = Newcomer(folder / "maintops", folder / "home")
    one.home.mkdir()
    one.clone.mkdir()
    _clone(one.clone)
    return one


@pytest.fixture(scope="module")
def typed(newcomer: Newcomer) -> str:
    """Everything that was said while the README was typed in."""
    done = subprocess.run(
        [_program("sh")],
        input=_script(),
        cwd=newcomer.clone,
        env=newcomer.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def _said(typed: str, words: str) -> str:
    """What the block said in which these words stand."""
    blocks = BLOCK.findall(README)
    (number,) = [place for place, block in enumerate(blocks, start=1) if words in block[2]]
    return re.split(r"^README block \d+ .*$", typed, flags=re.MULTILINE)[number]


@pytest.mark.xdist_group("readme")
def test_every_block_works_in_the_order_of_the_page(typed: str, newcomer: Newcomer) -> None:
    assert typed.count("README block ") == len(BLOCK.findall(README)) >= 6
    assert "Traceback" not in typed
    assert re.search(r"^maintops \d+\.\d+", typed, re.MULTILINE)
    assert (newcomer.repository / "report.html").read_text().startswith("<!")
    assert "<testsuite" in (newcomer.repository / "junit.xml").read_text()


@pytest.mark.xdist_group("readme")
def test_a_checklist_of_ones_own_lints_runs_and_its_finding_becomes_a_follow_up(typed: str, newcomer: Newcomer) -> None:
    said = _said(typed, "maintops lint checklists/team-check.yml")
    assert "no mistakes" in said
    assert "There is no motto of the day" in said
    assert "Set a motto" in said
    (finding,) = [one for one in _list(newcomer, "finding") if one["check"] == "TC-020"]
    (followup,) = [one for one in _list(newcomer, "followup") if one["title"] == "Set a motto"]
    assert (finding["severity"], finding["state"]) == ("critical", "new")
    assert (followup["state"], followup["findings"]) == ("open", [finding["finding"]])
    assert not [one for one in _list(newcomer, "finding") if one["check"] == "TC-010"]


@pytest.mark.xdist_group("readme")
def test_the_repository_holds_everything(typed: str, newcomer: Newcomer) -> None:
    (newest, *_) = _list(newcomer, "record")
    runs = json.loads(newcomer.maintops("runs", "--format", "json"))
    assert {one["state"] for one in runs} == {"finished"}
    assert newest["engineer"] == "erika"  # the Python block runs last, and signs
    assert re.search(r"^localhost \S+ \d+$", _said(typed, "import maintops"), re.MULTILINE)
    assert (newcomer.repository / ".maintops/maintops.sqlite").is_file()
    assert not list(newcomer.home.rglob("*.sqlite*"))


def _list(newcomer: Newcomer, noun: str) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = json.loads(newcomer.maintops(noun, "list", "--format", "json"))
    return listed


# --- illustrations ----------------------------------------------------------------------------------------------------


def _shown_commands() -> list[str]:
    """Every command of maintops that the page shows in an indented line or within a sentence, options and all."""
    text = BLOCK.sub("", README)
    lines = re.findall(r"^    (maintops .*)$", text, re.MULTILINE)
    return sorted({*lines, *re.findall(r"`(maintops [^`]*)`", text.replace("\n", " "))})


@pytest.mark.parametrize("shown", _shown_commands())
def test_the_commands_of_illustrations_exist_with_their_options(shown: str) -> None:
    words = shlex.split(shown, comments=True)
    options = [word for word in words if word.startswith("-")]
    path = []
    for word in words[1:]:
        if word.startswith("-") or len(path) == 2:
            break
        path.append(word)
    while path and not (told := _help(path)):
        path.pop()  # what is left over was an argument
    known = set(re.findall(r"(?<![\w-])(--?[a-z][a-z-]*)", told if path else _help([])))
    assert path or words[1].startswith("-"), f"{shown}: no such command"
    assert known >= set(options), f"{shown}: {' '.join(path)} has no {set(options) - known}"


def _help(path: list[str]) -> str:
    program = Path(sys.executable).parent / "maintops"
    done = subprocess.run([program, *path, "--help"], capture_output=True, text=True, env=_plain(), check=False)
    named = f"Usage: maintops {' '.join(path)}".rstrip()
    return done.stdout if done.returncode == 0 and done.stdout.startswith(f"{named} [") else ""


def _plain() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name in ("PATH", "LANG")} | {"COLUMNS": "200"}


def test_the_page_names_every_setting_and_every_exit_code() -> None:
    from maintops.settings import names

    table = README.partition("## Settings")[2].partition("\n## ")[0]
    assert set(names()) <= set(re.findall(r"`(\w+)`", table))
    codes = README.partition("| exit code |")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| (\d+) ", codes, re.MULTILINE)) == {"0", "1", "2", "4", "5", "6", "64", "75", "130"}
