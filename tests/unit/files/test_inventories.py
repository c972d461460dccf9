"""How Ansible is asked for servers, and what becomes of its answers: with a stand-in for the program."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from maintops.domain.servers import Server
from maintops.errors import NothingSelected, UsageError
from maintops.files import inventories
from maintops.files.inventories import ask

HOSTS = ["a1", "a2", "b1", "b2", "c1"]

# Knows the patterns all, HOST, HOST:HOST and @FILE; tells how it was called; fails as it is told to.
STAND_IN = """\
#!{python} -IS
import json, os, sys
folder = os.path.dirname(os.path.abspath(sys.argv[0]))
with open(folder + "/calls", "a") as calls:
    settings = open(os.environ["ANSIBLE_CONFIG"]).read()
    calls.write(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd(), settings]) + "\\n")
if os.path.exists(folder + "/fail"):
    sys.stderr.write(open(folder + "/fail").read())
    sys.exit(4)
limits = [one[8:] for one in sys.argv if one.startswith("--limit=")]
hosts = {hosts!r}
if limits:
    text = open(limits[0][1:]).read().strip() if limits[0].startswith("@") else limits[0]
    for word in text.split(":"):
        if word not in hosts:
            sys.stderr.write("[WARNING]: Could not match supplied host pattern, ignoring: " + word + "\\n")
    hosts = [host for host in hosts if host in text.split(":")]
print(json.dumps({{"_meta": {{"hostvars": {{}}}}, "all": {{"children": ["g"]}}, "g": {{"hosts": hosts}}}}))
"""


def _select(sources: Sequence[str], *, hosts: str = "all", **how: Any) -> list[Server]:
    return ask(sources, **how).matching(hosts)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    path = folder / "ansible-inventory"
    path.write_text(STAND_IN.format(python=sys.executable, hosts=HOSTS))
    path.chmod(0o755)
    return path


@pytest.fixture
def inventory(tmp_path: Path) -> str:
    path = tmp_path / "inventory.yml"
    path.write_text("all: {}\n")
    return str(path)


def chosen(program: Path, inventory: str, **how: Any) -> list[str]:
    return [server.name for server in _select([inventory], program=str(program), **how)]


def calls(program: Path) -> list[Any]:
    return [json.loads(line) for line in (program.parent / "calls").read_text().splitlines()]


@pytest.mark.parametrize(
    ("hosts", "limit", "names", "questions"),
    [
        ("all", None, HOSTS, [None]),
        ("a1:b1", None, ["a1", "b1"], ["a1:b1", None]),
        ("all", "c1:a2", ["a2", "c1"], ["c1:a2"]),
        ("a1:b1:c1", "c1:a1:a2", ["a1", "c1"], ["a1:b1:c1", "c1:a1:a2"]),
    ],
)
def test_a_server_must_match_both_patterns(
    program: Path, inventory: str, hosts: str, limit: str | None, names: list[str], questions: list[str | None]
) -> None:
    assert chosen(program, inventory, hosts=hosts, limit=limit) == names
    expected = [
        [f"--inventory={inventory}", "--list", *([f"--limit={question}"] if question else [])] for question in questions
    ]
    assert sorted(call[0] for call in calls(program)) == sorted(expected)


def test_a_checklists_pattern_that_is_misspelt_in_part_is_an_error_that_names_it(program: Path, inventory: str) -> None:
    with pytest.raises(UsageError, match=r"the checklist's hosts names no server or group of the inventory: 'nosuch'"):
        chosen(program, inventory, hosts="nosuch:a1")


def test_nothing_of_where_the_user_stands_takes_part(
    program: Path, inventory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pw").write_text("x")
    (tmp_path / "limit").write_text("a2\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CI_TOKEN", "hunter2")
    monkeypatch.setenv("PYTHONPATH", "/evil")
    monkeypatch.setenv("ANSIBLE_CONFIG", "/evil.cfg")
    servers = _select(["inventory.yml", "h1,h2"], limit="@limit", vault_password_file="pw", program=str(program))
    assert [server.name for server in servers] == ["a2"]
    ((arguments, environment, folder, settings),) = calls(program)
    assert arguments == [
        f"--inventory={inventory}",
        "--inventory=h1,h2",
        f"--vault-password-file={tmp_path / 'pw'}",
        "--list",
        f"--limit=@{tmp_path / 'limit'}",
    ]
    assert settings == ""
    assert environment["ANSIBLE_CONFIG"] == f"{folder}/empty.cfg"
    assert environment["LC_ALL"] == "C.UTF-8"
    assert folder not in (str(tmp_path), str(Path.cwd()))
    assert not Path(folder).exists()
    assert {name for name in environment if not name.startswith("ANSIBLE_")} <= {
        *inventories._KEPT,
        "LC_ALL",
        "LC_CTYPE",
    }


def test_a_limit_that_names_nothing_is_refused_with_what_is_near(program: Path, inventory: str) -> None:
    with pytest.raises(UsageError) as caught:
        _select([inventory], limit="a1:aa1:xyz", program=str(program))
    assert str(caught.value) == (
        "the limit names no server or group of the inventory: 'aa1'; did you mean \"a1\"?; 'xyz'"
    )


@pytest.mark.parametrize("limit", ["", " ", ",", ":,"])
def test_an_empty_limit_is_refused(program: Path, inventory: str, limit: str) -> None:
    with pytest.raises(UsageError, match="the limit is empty"):
        _select([inventory], limit=limit, program=str(program))


def test_nothing_selected_says_the_patterns_and_how_many_there_are(program: Path, inventory: str) -> None:
    with pytest.raises(NothingSelected) as caught:
        _select([inventory], hosts="a1", limit="b1", program=str(program))
    assert str(caught.value) == (
        "no server matches the checklist's hosts 'a1' and the limit 'b1'; the inventory has 5 servers"
    )
    assert caught.value.exit_code == 5
    with pytest.raises(NothingSelected, match="no server matches the checklist's hosts 'x'; "):
        _select([inventory], hosts="x", program=str(program))


def test_an_inventory_without_servers(program: Path, inventory: str) -> None:
    program.write_text(program.read_text().replace(repr(HOSTS), "[]"))
    with pytest.raises(NothingSelected, match="the inventory has no servers"):
        _select([inventory], program=str(program))


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"sources": ["nosuch.yml"]}, "there is no inventory nosuch.yml"),
        ({"vault_password_file": "nosuch"}, "there is no vault password file nosuch"),
        ({"limit": "@nosuch"}, "there is no file nosuch to read a limit from"),
    ],
)
def test_files_that_are_not_there_are_named(program: Path, inventory: str, how: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        _select(**({"sources": [inventory], "program": str(program)} | how))
    assert str(caught.value) == says
    assert not (program.parent / "calls").exists()


SECRET = "hunter2"
CANNOT = "cannot be read: "
UNKNOWN = f"{CANNOT}no plug-in of Ansible understands it; `ansible-inventory -i INVENTORY --list` says more"
UNPARSED = "[ERROR]: Completely failed to parse inventory source"
BAD_INI = f"Expected key=value host variable assignment, got: {SECRET}\n{UNPARSED} /i.ini"
BAD_YAML = f"YAML parsing failed: Did not find ','.\nOrigin: /i.yml:3:1\n\n1 password: {SECRET}\n{UNPARSED} /i.yml"
BAD_SCRIPT = f"Inventory script returned non-zero exit code 3.\nStandard error:\n{SECRET}\n{UNPARSED} /i.sh"
NO_VAULT = "it holds something encrypted; set vault_password_file to the file with the vault's password"
BAD_VAULT = "something in it cannot be decrypted with the vault password file that is set"


@pytest.mark.parametrize(
    ("stderr", "says"),
    [
        ("[ERROR]: Attempting to decrypt but no vault secrets found.", f"the inventory {CANNOT}{NO_VAULT}"),
        ("[ERROR]: Decryption failed (no vault secrets were found that could)", f"the inventory {CANNOT}{BAD_VAULT}"),
        (BAD_INI, f"the inventory /i.ini {UNKNOWN}"),
        (BAD_YAML, f"the inventory /i.yml {CANNOT}/i.yml:3:1: Did not find ','"),
        (BAD_SCRIPT, f"the inventory /i.sh {CANNOT}the script ended with exit code 3"),
        ("[ERROR]: No hosts matched the subscripted pattern 'w[9]'", "No hosts matched the subscripted pattern 'w[9]'"),
        ("[ERROR]: Invalid host list pattern: ~(", "Invalid host list pattern: ~("),
        (f"Traceback {SECRET}", f"the inventory {UNKNOWN}"),
    ],
)
def test_why_an_inventory_cannot_be_read_without_its_content(
    program: Path, inventory: str, stderr: str, says: str
) -> None:
    (program.parent / "fail").write_text(stderr)
    with pytest.raises(UsageError) as caught:
        _select([inventory], program=str(program))
    assert str(caught.value) == says
    assert SECRET not in str(caught.value)


def test_an_answer_that_is_not_json(program: Path, inventory: str) -> None:
    program.write_text("#!/bin/sh\necho hello\n")
    with pytest.raises(UsageError, match="printed something that is not JSON"):
        _select([inventory], program=str(program))


def test_the_program_beside_python_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside, path = tmp_path / "beside", tmp_path / "path"
    for folder in (beside, path):
        folder.mkdir()
        (folder / "ansible-inventory").write_text("#!/bin/sh\n")
        (folder / "ansible-inventory").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(beside / "python"))
    monkeypatch.setenv("PATH", str(path))
    assert inventories._program() == str(beside / "ansible-inventory")
    (beside / "ansible-inventory").unlink()
    assert inventories._program() == str(path / "ansible-inventory")
    (path / "ansible-inventory").unlink()
    with pytest.raises(UsageError, match="ansible-inventory is not installed"):
        inventories._program()
