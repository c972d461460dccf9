"""Mistakes on the command line and in settings: one sentence that says what and where, exit 64, and nothing was run."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.acceptance.checklists import ROUND, furnish
from tests.lab.fleet import Fleet
from tests.lab.running import Desk, Ended, run_maintops

pytestmark = [pytest.mark.fleet, pytest.mark.xdist_group("usage")]

COMMANDS = (
    "",
    *("init", "lint", "schema", "run", "runs", "report", "doctor", "server", "server list"),
    *("plan", "approve", "rollback", "obligations", "hold", "verify"),
    *("checklist", "checklist list", "checklist show", "record", "record list", "record show"),
    *("finding", "finding list", "finding show", "followup", "followup list", "followup show", "followup close"),
    *("probe", "probe list", "probe show", "probe read", "probe capture", "record evidence", "checklist document"),
    *("baseline", "baseline accept", "baseline list", "baseline show"),
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, fleet: Fleet) -> Desk:
    """A desk with a checklist and an inventory, for commands that change nothing."""
    desk = Desk(tmp_path_factory.mktemp("usage") / "desk", fleet)
    furnish(desk)
    inventory = Path(desk.inventory("s001", "s002"))
    (desk.here / "inventories").mkdir()
    inventory.rename(desk.here / "inventories/servers.yml")
    return desk


def _assert_refused(ended: Ended, *words: str, code: int = 64) -> None:
    assert ended.code == code, (ended.stdout, ended.stderr)
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    assert "Value error" not in ended.stderr, "the words of a library"
    for word in words:
        assert word in ended.stderr, ended.stderr


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("run round --nosuch", ["No such option", "--nosuch"]),
        ("rum round", ["No such command", "rum"]),
        ("run", ["which checklist?", "--plan"]),
        ("run raund", ["there is no checklist 'raund'", 'did you mean "round"?']),
        ("run ./round.yml", ["there is no checklist ./round.yml"]),
        ("run round -l s001,nosuch", ["nosuch"]),
        ("run round -t nosuch", ["nosuch"]),
        ("run round --deadline soon", ["--deadline 'soon'", "45m", "06:00"]),
        ("run round --fail-on bad", ["--fail-on", "critical"]),
        ("run round --format yaml", ["--format", "json"]),
        ("run round --engine teleport", ["--engine", "ansible"]),
        ("run round -f 0", ["forks", "at least 1"]),
        ("run round -i nosuch.yml", ["nosuch.yml"]),
        ("run round -o nosuch/result.json", ["nosuch"]),
        ("run round -o checklists", ["checklists", "folder"]),
        ("run round -o /proc/result.json", ["/proc/result.json"]),
        ("checklist show raund", ["there is no checklist 'raund'"]),
        ("checklist", []),
        ("schema nonsense", ["checklist"]),
        ("server list -l nosuch", ["nosuch"]),
        ("runs -n 0", ["-n"]),
        ("runs nosuch", ["no run 'nosuch'"]),
        ("runs --watch", ["no run"]),
        ("report last", ["no run"]),
        ("record show nosuch", ["no record 'nosuch'"]),
        ("record list --run nosuch", ["no run 'nosuch'"]),
        ("finding show nosuch", ["no finding 'nosuch'"]),
        ("followup show nosuch", ["no follow-up 'nosuch'"]),
        ("followup close nosuch --by erika", ["no follow-up 'nosuch'"]),
        ("init checklists/round.yml", ["checklists/round.yml"]),
    ],
)
def test_a_mistake_is_named_and_ends_with_64(stage: Desk, line: str, words: list[str]) -> None:
    ended = run_maintops(stage, *line.split())
    if line == "checklist":
        assert (ended.code, "Usage: maintops checklist" in ended.stdout + ended.stderr) == (64, True)
        return
    _assert_refused(ended, *words)


def test_no_mistake_has_begun_a_run(stage: Desk) -> None:
    refused = run_maintops(stage, "run", "round", "-l", "nosuch")
    assert refused.code == 64
    listed = run_maintops(stage, "runs", "--format", "json")
    assert (listed.code, listed.document) == (0, [])


def test_an_empty_selection_is_5(stage: Desk) -> None:
    (stage.here / "empty.yml").write_text("all:\n  hosts: {}\n")
    _assert_refused(run_maintops(stage, "run", "round", "-i", "empty.yml"), code=5)


def test_a_checklist_that_does_not_lint_is_not_run(stage: Desk) -> None:
    (stage.here / "wrong.yml").write_text(
        ROUND.replace("parse: json", "parse: jsn").replace("severity: warning", "severity: wrong")
    )
    ended = run_maintops(stage, "run", "./wrong.yml")
    _assert_refused(ended, "'jsn'", '"wrong"')
    assert all(re.match(r"wrong\.yml:\d+:\d+: ", line) for line in ended.stderr.splitlines()), ended.stderr
    linted = run_maintops(stage, "lint", "wrong.yml")
    assert linted.code == 64
    assert ended.stderr == linted.stdout
    assert linted.stderr == f"{len(linted.stdout.splitlines())} mistakes\n"


def test_several_mistakes_in_several_files_are_told_at_once(stage: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    (folder / "a.yml").write_text("checklist: a\n")
    (folder / "b.yml").write_text(ROUND + "  bad\n")
    (folder / "not-one.yml").write_text("all: {}\n")
    ended = run_maintops(stage, "lint", str(folder))
    assert ended.code == 64
    assert {line.partition(":")[0] for line in ended.stdout.splitlines()} == {f"{folder}/{one}.yml" for one in "ab"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(stage: Desk, command: str) -> None:
    ended = run_maintops(stage, *command.split(), "--help")
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.startswith(f"Usage: maintops {command}".rstrip())
    listed = re.findall(r"^  ([a-z]+)  ", ended.stdout.partition("Commands:")[2], re.MULTILINE)
    below = [one.split() for one in COMMANDS if one.split()[:-1] == command.split() and one]
    known = {words[-1] for words in below}
    assert set(listed) == known, "this list of commands and the program's differ"


# --- settings ---------------------------------------------------------------------------------------------------------


def _policy(desk: Desk) -> str:
    """What `doctor` says about host keys: the value, and the place that gave it."""
    ended = run_maintops(desk, "doctor", "--format", "json")
    (found,) = [one for one in ended.document if one["what"] == "host keys"]
    return str(found["found"])


def test_a_flag_beats_a_variable_beats_the_repository_beats_the_user(desk: Desk) -> None:
    own = desk.home / ".config/maintops/maintops.yml"
    own.parent.mkdir(parents=True)
    own.write_text("host_keys: accept-new\nby: user\n")
    assert _policy(desk) == f"accept-new (from {own})"
    (desk.here / "maintops.yml").write_text("host_keys: 'off'\nby: repository\n")
    assert _policy(desk) == f"off (from {desk.here / 'maintops.yml'})"
    elsewhere = {"XDG_CONFIG_HOME": str(own.parents[1])}
    assert _policy(Desk(desk.folder / "elsewhere", desk.fleet, elsewhere)) == f"accept-new (from {own})"
    both = Desk(desk.folder / "both", desk.fleet, {**elsewhere, "MAINTOPS_HOST_KEYS": "strict"})
    assert _policy(both) == "strict (from the environment)"
    furnish(desk)
    command = ["run", "round", "-i", desk.inventory("s001"), "--format", "json"]
    assert _engineer(run_maintops(desk, *command)) == "repository"
    varied = Desk(desk.folder / "varied", desk.fleet, {"MAINTOPS_BY": "variable"})
    furnish(varied)
    assert _engineer(run_maintops(varied, *command)) == "variable"
    assert _engineer(run_maintops(varied, *command, "--by", "flag")) == "flag"


def _engineer(ended: Ended) -> str:
    assert ended.code == 0, ended.stderr
    return str(ended.document["run"]["engineer"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fork: 3\n", ["maintops.yml", "'fork'", "forks"]),
        ("# mine\nforks: many\n", ["maintops.yml", "forks", "'many'"]),
        ("host_keys: off\n", []),
        ("host_keys: maybe\n", ["maintops.yml", "host_keys", "strict"]),
        ("forks: [1\n", ["maintops.yml:2:1: "]),
        ("forks: 1\nforks: 2\n", ["maintops.yml:2:1: "]),
        ("just words\n", ["maintops.yml", "name: value"]),
        ("database_url: oracle://here\n", ["database URL"]),
    ],
)
def test_a_broken_settings_file_is_named(desk: Desk, text: str, words: list[str]) -> None:
    (desk.here / "maintops.yml").write_text(text)
    desk.environment = {"MAINTOPS_DATABASE_URL": ""}
    ended = run_maintops(desk, "runs")
    if not words:  # `off` is text to us, whatever YAML 1.1 thought of it
        assert (ended.code, ended.stdout) == (0, "")
        return
    _assert_refused(ended, *words)


def test_a_bad_variable_is_named(desk: Desk) -> None:
    desk.environment = {"MAINTOPS_FORKS": "many"}
    _assert_refused(run_maintops(desk, "runs"), "the environment", "forks", "'many'")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_that_may_not_be_written_is_an_error_before_the_run(stage: Desk, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    _assert_refused(run_maintops(stage, "run", "round", "-o", str(tmp_path / "result")), str(tmp_path))
