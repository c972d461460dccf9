"""A maintenance repository: `init` makes one and never spoils one; `doctor` says what is wrong, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.lab.running import Desk, Ended, run_maintops

pytestmark = pytest.mark.fleet


def _tree(folder: Path) -> dict[str, tuple[int, str | None]]:
    """Every path below a folder, with its mode and (of a file) its text."""
    return {
        str(one.relative_to(folder)): (one.stat().st_mode, one.read_text() if one.is_file() else None)
        for one in folder.rglob("*")
    }


def test_init_makes_a_repository_that_holds_everything(desk: Desk) -> None:
    desk.environment = {"MAINTOPS_DATABASE_URL": ""}
    made = run_maintops(desk, "init", "servers")
    assert (made.code, made.stdout) == (0, "")
    house = desk.here / "servers"
    assert (house / ".maintops").stat().st_mode & 0o777 == 0o700
    assert {"maintops.yml", "inventories", "checklists", "playbooks", ".gitignore"} <= {
        one.name for one in house.iterdir()
    }
    before = _tree(house)
    again = run_maintops(desk, "init", "servers")
    assert (again.code, _tree(house)) == (0, before)
    assert "nothing was changed" in again.stderr


def test_what_init_makes_is_clean_and_its_database_lies_in_it(desk: Desk) -> None:
    desk.environment = {"MAINTOPS_DATABASE_URL": ""}
    assert run_maintops(desk, "init").code == 0
    linted = run_maintops(desk, "lint")
    assert (linted.code, linted.stdout) == (0, "")
    assert [one["server"] for one in run_maintops(desk, "server", "list", "--format", "json").document] == ["localhost"]
    assert run_maintops(desk, "runs").code == 0
    database = desk.here / ".maintops/maintops.sqlite"
    assert database.stat().st_mode & 0o077 == 0
    assert not list(desk.home.rglob("*.sqlite"))


def test_init_keeps_what_is_there(desk: Desk) -> None:
    (desk.here / "maintops.yml").write_text("forks: 3\n")
    (desk.here / "checklists").mkdir()
    (desk.here / "checklists/our-check.yml").write_text("mine\n")
    (desk.here / "letter.txt").write_text("dear diary\n")
    assert run_maintops(desk, "init", ".").code == 0
    assert (desk.here / "maintops.yml").read_text() == "forks: 3\n"
    assert (desk.here / "checklists/our-check.yml").read_text() == "mine\n"
    assert (desk.here / "letter.txt").read_text() == "dear diary\n"
    assert (desk.here / "inventories/servers.yml").is_file()


# --- doctor -----------------------------------------------------------------------------------------------------------


def _examined(desk: Desk, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    ended = run_maintops(desk, "doctor", *arguments, "--format", "json")
    assert ended.stderr == ""
    for one in ended.document:
        assert set(one) == {"what", "state", "found", "do"}
        assert one["state"] in ("good", "note", "bad")
        assert one["state"] == "good" or one["do"], one
    return ended.code, {one["what"]: one for one in ended.document}


def test_doctor_finds_nothing_wrong_with_a_good_house(desk: Desk) -> None:
    code, found = _examined(desk, "-i", desk.inventory("s001", "s002"))
    assert code == 0, found
    for what in ("python", "ansible-core", "fabric", "host keys", "known hosts", "key exchange", "database"):
        assert found[what]["state"] in ("good", "note"), found[what]
    assert found["known hosts"]["found"].startswith(str(desk.fleet.known_hosts))
    assert found["database"]["found"] == str(desk.database)
    assert "MiB free" in found["disk space"]["found"]
    assert "2 servers" in found["inventory"]["found"]


def test_doctor_says_what_is_wrong_and_what_to_do(desk: Desk) -> None:
    (desk.here / "maintops.yml").write_text(
        "host_keys: off\nknown_hosts: nosuch\ndatabase_url: sqlite:///.\ninventory: nosuch.yml\n"
    )
    desk.environment = {"MAINTOPS_DATABASE_URL": "", "MAINTOPS_KNOWN_HOSTS": ""}
    code, found = _examined(desk)
    assert code == 64
    assert (found["host keys"]["state"], found["database"]["state"]) == ("bad", "bad")
    assert "strict" in found["host keys"]["do"]
    assert found["known hosts"]["found"] == f"{desk.here}/nosuch is not there"
    assert "ssh-keyscan" in found["known hosts"]["do"]
    assert found["inventory"]["state"] == "bad"
    shown = run_maintops(desk, "doctor")
    assert (shown.code, shown.stderr) == (64, "")
    assert "anyone can pose as a server" in shown.stdout


def test_doctor_hides_the_password_of_a_database_that_does_not_answer(desk: Desk) -> None:
    desk.environment = {"MAINTOPS_DATABASE_URL": "postgresql://erika:Pw-Canary-1@127.0.0.1:1/records"}
    code, found = _examined(desk, "-i", "localhost,")
    assert (code, found["database"]["state"]) == (64, "bad")
    _assert_no_password(run_maintops(desk, "doctor"))
    listed = run_maintops(desk, "runs")
    assert listed.code == 1
    _assert_no_password(listed)


def _assert_no_password(ended: Ended) -> None:
    assert "Canary" not in ended.stdout + ended.stderr
    assert "127.0.0.1:1" in ended.stdout + ended.stderr
