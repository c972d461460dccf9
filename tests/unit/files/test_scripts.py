"""Files that commands on the controller name are part of what is approved."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.changes import ChangePolicy, ChangeStep, Hook
from maintops.domain.checklists import Cadence, Checklist
from maintops.errors import UsageError
from maintops.files import contents
from maintops.files.contents import content_digests
from maintops.files.scripts import scripts


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project: maintops is at work in it, its checklists lie in a folder below."""
    for name in ("checklists", "hooks", "home/bin", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def digests(house: Path, policy: ChangePolicy, *consoles: str) -> dict[str, str]:
    file = str(house / "checklists" / "c.yml")
    listed = Checklist("c", "C", "s", Cadence("month", "month"), "all", (), file=file, change=policy)
    return content_digests(replace(listed, changes=(ChangeStep("A-1", ""),)), consoles)


@pytest.mark.parametrize(
    ("command", "file"),
    [
        ("hooks/drain.sh out $MAINTOPS_SERVER", "hooks/drain.sh"),
        ("sh drain.sh out", "drain.sh"),
        ("sh drain.sh out", "checklists/drain.sh"),
        ("./lb/drain.sh", "checklists/lb/drain.sh"),
        ("bash -c 'set -e; hooks/drain.sh; true'", "hooks/drain.sh"),
        ('test "$(hooks/ask.py)" = 1', "hooks/ask.py"),
        ("test `hooks/ask.py` = 1", "hooks/ask.py"),
        ("(cd /;hooks/a&&hooks/b)", "hooks/b"),
        ("curl --config=hooks/curlrc x", "hooks/curlrc"),
        ("curl -d @hooks/body.json x", "hooks/body.json"),
        ("WHERE=hooks/pool.yml lb drain", "hooks/pool.yml"),
        ("sh <hooks/in", "hooks/in"),
        ("~/bin/drain web1", "home/bin/drain"),
        ("sh 'hooks/my drain.sh'", "hooks/my drain.sh"),
        ("sh hooks/my\\ drain.sh", "hooks/my drain.sh"),
        ("hooks/drain.sh 'not closed", "hooks/drain.sh"),
        ("ROOT/elsewhere/drain", "elsewhere/drain"),
        ("echo x >/dev/null; hooks/drain.sh", "hooks/drain.sh"),
        ("echo x | tee -a log; hooks/drain.sh", "hooks/drain.sh"),
        ("echo x | tee -a log\nhooks/drain.sh", "hooks/drain.sh"),
        ("echo x | tee log hooks/other | hooks/drain.sh", "hooks/drain.sh"),
        ('echo x | tee "$(hooks/where.sh)"', "hooks/where.sh"),
        ("sh -c 'echo x | tee log' hooks/drain.sh", "hooks/drain.sh"),
        ("sh -c 'echo x | tee log' 'hooks/my drain.sh'", "hooks/my drain.sh"),
        ("echo tee hooks/drain.sh", "hooks/drain.sh"),
        ("hooks/tee out", "hooks/tee"),
        ("sudo -n hooks/tee " + "-u x -ux " * 2_000, "hooks/tee"),
        ("hooks/drain.sh " + "x " * 40_000 + "y" * 300_000, "hooks/drain.sh"),
    ],
)
def test_a_script_that_changes_voids_what_was_approved(house: Path, command: str, file: str) -> None:
    path = house / file
    path.parent.mkdir(exist_ok=True)
    path.write_text("out\n")
    policy = ChangePolicy(gate=command.replace("ROOT", str(house)))
    before = digests(house, policy)
    path.write_text("out, and something else\n")
    after = digests(house, policy)
    assert [(house / "checklists" / name).resolve() for name in before if before[name] != after.get(name)] == [path]
    path.unlink()
    assert digests(house, policy) == {}


def test_every_command_of_hooks_on_the_controller_and_of_consoles_counts(house: Path) -> None:
    for name in ("in", "out", "is-out", "quiet", "console"):
        (house / "hooks" / name).write_text(name)
    hook = Hook("hooks/out $MAINTOPS_SERVER", undo="hooks/in", verify="hooks/is-out")
    policy = ChangePolicy(drain=hook, silence=Hook("hooks/quiet", undo="true"))
    expected = {f"../hooks/{name}" for name in ("in", "out", "is-out", "quiet", "console")}
    assert digests(house, policy, "hooks/console web1", "hooks/console web2").keys() == expected


def test_what_runs_on_a_server_is_no_file_of_the_controller(house: Path) -> None:
    (house / "hooks" / "out").write_text("x")
    policy = ChangePolicy(snapshot=Hook(f"cp {house}/hooks/out /var", undo="hooks/out", on="server"))
    assert digests(house, policy) == {}


@pytest.mark.parametrize(
    "command",
    [
        "echo $MAINTOPS_SERVER >> hooks/log",
        "lb out >hooks/log 2>&1",
        "lb out 2>hooks/log",
        "lb out &> hooks/log",
        "lb out >| 'hooks/log'",
        "lb out | tee hooks/log",
        "lb out 2>&1 |tee -a -- 'hooks/log' \"hooks/log\"",
        'lb out | tee -a "$HOME/log" hooks/log >/dev/null',
        "lb out | sudo -n -u lb /usr/bin/tee -a hooks/log",
        "lb out && (date | tee hooks/log)",
        "sh -c 'lb out | tee hooks/log'",
        "tee hooks/log <<< out",
        "ls hooks",
        "cat /proc/version /dev/null /sys/kernel/mm",
        "hooks/$MAINTOPS_SERVER",
        "hooks/none " + "x" * 5000,
        "",
    ],
)
def test_what_is_no_file_or_is_written_into_is_not_bound(house: Path, command: str) -> None:
    (house / "hooks" / "log").write_text("web1 is out\n")
    assert digests(house, ChangePolicy(gate=command)) == {}


@pytest.mark.parametrize(
    ("mode", "bound"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True), (0o700, True)]
)
def test_what_only_its_owner_may_read_is_taken_for_a_secret_and_not_bound(house: Path, mode: int, bound: bool) -> None:
    secret = house / "home" / "bin" / "pass"
    secret.write_text("hunter2")
    secret.chmod(mode)
    listed = digests(house, ChangePolicy(drain=Hook("lb -f ~/bin/pass", undo="true")), "ipmitool -f ~/bin/pass status")
    assert list(listed) == (["../home/bin/pass"] if bound else [])


def test_what_cannot_be_read_is_not_bound_and_in_nobody_s_way(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("hidden", "seen"):
        (house / "hooks" / name).write_text("x")
    opened = Path.open

    def refused(path: Path, *mode: str) -> object:
        if path.name == "hidden":
            raise PermissionError(13, "Permission denied")
        return opened(path, *mode)

    monkeypatch.setattr(Path, "open", refused)
    assert list(digests(house, ChangePolicy(gate="sudo hooks/hidden && hooks/seen"))) == ["../hooks/seen"]


def test_files_of_commands_are_bounded_in_size(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (house / "hooks" / "image").write_bytes(b"12345")
    monkeypatch.setattr(contents, "MOST_BYTES", 4)
    with pytest.raises(UsageError, match=r"has more than .* see what lies in .*hooks"):
        digests(house, ChangePolicy(gate="hooks/image"))


def test_a_user_without_a_home_has_no_files_there(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", homeless)
    assert digests(house, ChangePolicy(gate="~/bin/drain")) == {}


@given(st.text(max_size=60), st.text(alphabet="ab/.", min_size=1, max_size=8))
def test_any_command_is_read_and_a_quoted_word_is_found(text: str, word: str) -> None:
    folder = Path("/srv/checklists")
    assert all(path.is_absolute() for path in scripts([text], [folder]))
    assert folder.joinpath(word).resolve() in {
        path.resolve() for path in scripts([f"sh {shlex.quote(word)}"], [folder])
    }
