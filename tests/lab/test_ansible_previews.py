"""Ansible content in check mode, on real servers: what would change is told, and nothing is changed."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from maintops.domain.ports import Content, Failure, FailureKind, Preview, Previewed, Pulse
from maintops.domain.servers import Server
from maintops.runners.ansible import AnsibleRunner
from tests.lab.asking import now
from tests.lab.fixtures import need
from tests.lab.fleet import Fleet

pytestmark = pytest.mark.fleet


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for content, that the servers' user can look into and write to (pytest's own are for its user alone)."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        (folder / "roles" / "motd" / "tasks").mkdir(parents=True)
        (folder / "roles" / "motd" / "templates").mkdir()
        yield folder


def previewed(fleet: Fleet, content: Content, *names: str, timeout: float = 120.0, **more: Any) -> dict[str, Preview]:
    """What check mode says of some servers of the fleet, by a Python that their user may run."""
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin:/bin")
    content = replace(content, variables={**content.variables, "ansible_python_interpreter": python})
    runner = AnsibleRunner(
        [str(fleet.inventory)], known_hosts=fleet.known_hosts, host_keys="strict", clock=now, pulse_every=0.2
    )
    servers = [Server(name, variables=fleet.variables(name)) for name in names]
    arrivals = list(runner.preview(content, servers, forks=5, timeout=timeout, **{"stop": lambda: None, **more}))
    assert any(isinstance(arrival, Pulse) for arrival in arrivals)
    found = [arrival for arrival in arrivals if isinstance(arrival, Preview)]
    assert [one.server for one in found] == list(names)
    return {one.server: one for one in found}


def playbook(folder: Path, *plays: dict[str, Any]) -> Content:
    """A playbook of these plays. JSON is YAML."""
    file = folder / "site.yml"
    file.write_text(json.dumps([{"gather_facts": False, **play} for play in plays], indent=1))
    return Content(playbook=str(file))


def by_task(preview: Preview) -> dict[str, Previewed]:
    return {task.task: task for task in preview.tasks}


def test_a_role_shows_what_it_would_change_and_changes_nothing(fleet: Fleet, folder: Path) -> None:
    target = folder / "motd"
    target.write_text("old\n")
    (folder / "roles" / "motd" / "templates" / "motd.j2").write_text("welcome to {{ inventory_hostname }}, {{ who }}\n")
    tasks = [
        {"name": "write it", "template": {"src": "motd.j2", "dest": str(target)}, "check_mode": True},
        {"name": "keep it quiet", "copy": {"content": "HUNTER22", "dest": str(target)}, "no_log": True},
        {"name": "run it", "command": f"touch {folder}/ran"},
        {"name": "say it raw", "raw": f"touch {folder}/ran"},
        {"name": "not today", "command": "true", "when": False},
    ]
    (folder / "roles" / "motd" / "tasks" / "main.yml").write_text(json.dumps(tasks))
    content = Content(role="motd", folder=str(folder), variables={"who": "stranger {{ 1 + 1 }}"})
    for name, preview in previewed(fleet, content, "s001", "s002").items():
        assert preview.failure is None
        found = by_task(preview)
        written = found["motd : write it"]
        assert written.status == "changed", written
        assert written.diff.splitlines()[-2:] == ["-old", f"+welcome to {name}, stranger 2"]
        assert found["motd : keep it quiet"] == Previewed(
            "motd : keep it quiet", "changed", "", "hidden: the task has no_log"
        )
        assert found["motd : run it"].status == "skipped"
        assert found["motd : run it"].message.startswith("not previewable: ")
        assert found["motd : say it raw"].message == "not previewable"
        assert found["motd : not today"] == Previewed("motd : not today", "skipped")
        assert "HUNTER22" not in repr(preview)
    assert target.read_text() == "old\n"
    assert not (folder / "ran").exists()


def test_every_server_is_accounted_for(fleet: Fleet, folder: Path) -> None:
    fleet.refused("pre-refused")
    fleet.unknown("pre-unknown")
    plays = [
        {"hosts": "s001,pre-*", "tasks": [{"name": "look", "ping": None}]},
        {"hosts": "s002", "tasks": [{"name": "stumble", "debug": {"msg": "{{ nosuch }}"}}]},
        {"hosts": "s002,s003", "any_errors_fatal": True, "serial": 1, "tasks": [{"name": "never", "ping": None}]},
        {"hosts": "localhost", "tasks": [{"name": "elsewhere", "ping": None}]},
    ]
    plays[2]["tasks"] = [{"name": "stumble again", "fail": {"msg": "no"}}]  # s003 waits for s002
    names = ["s001", "s002", "s003", "s004", "pre-refused", "pre-unknown"]
    found = previewed(fleet, playbook(folder, *plays), *names)
    assert found["s001"] == Preview("s001", (Previewed("look", "ok"),))
    (stumble,) = found["s002"].tasks
    assert (stumble.status, found["s002"].failure) == ("failed", None)
    assert stumble.message.startswith(f"{folder}/site.yml:")
    assert "'nosuch' is undefined" in stumble.message
    assert found["s004"] == Preview("s004")
    for name, why in (("pre-refused", "Connection refused"), ("pre-unknown", "host key is not known")):
        failure = found[name].failure
        assert failure is not None
        assert failure.kind is FailureKind.UNREACHABLE
        assert why in failure.why


def test_a_server_whose_turn_never_came_is_not_taken_for_one_that_is_not_meant(fleet: Fleet, folder: Path) -> None:
    plays = [{"hosts": "s001,s002", "serial": 1, "tasks": [{"name": "stumble", "fail": {"msg": "no"}}]}]
    found = previewed(fleet, playbook(folder, *plays), "s001", "s002", "s003")
    assert [task.status for task in found["s001"].tasks] == ["failed"]
    failure = found["s002"].failure
    assert failure is not None
    assert "before its turn" in failure.why
    assert found["s003"] == Preview("s003")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("- hosts: all\n  tasks:\n  - no_such_module: {}\n", ":3:5: couldn't resolve module/action 'no_such_module'"),
        ("- hosts: all\n  roles: [no-such-role]\n", ":2:11: the role 'no-such-role' was not found"),
        ("- hosts: all\n  tasks: {a: b\n  password: HUNTER22\n", ":3:11: YAML parsing failed"),
    ],
)
def test_a_playbook_that_cannot_run_says_where_and_why(fleet: Fleet, folder: Path, text: str, why: str) -> None:
    file = folder / "broken.yml"
    file.write_text(text)
    for preview in previewed(fleet, Content(playbook=str(file)), "s001", "s002").values():
        assert preview.tasks == ()
        assert preview.failure is not None
        assert preview.failure.why.lower().startswith(f"{file}{why}".lower())
        assert "HUNTER22" not in preview.failure.why


def test_become_is_as_the_content_says(fleet: Fleet, folder: Path) -> None:
    account = need(fleet.account, "nopasswd")
    fleet.add("pre-become", ansible_user=account.name)
    whoami = {"name": "who", "command": "id -un", "check_mode": False, "register": "who"}
    content = playbook(folder, {"hosts": "all", "tasks": [whoami, {"fail": {"msg": "{{ who.stdout }}"}}]})
    for become, user in ((None, account.name), (True, "root")):
        asked = Content(playbook=content.playbook, become=become)
        assert previewed(fleet, asked, "pre-become")["pre-become"].tasks[-1].message.endswith(f": {user}")


def _cut(fleet: Fleet, content: Content, names: Sequence[str], **more: Any) -> list[Failure]:
    found = previewed(fleet, content, *names, **more)
    failures = [preview.failure for preview in found.values()]
    assert None not in failures, failures
    return [failure for failure in failures if failure]


def test_it_ends_at_its_timeout_and_when_it_is_told_to(fleet: Fleet, folder: Path) -> None:
    mark = folder / "begun"
    tasks = [{"name": "sleep", "shell": f": >{mark}; sleep 60", "check_mode": False}]
    content = playbook(folder, {"hosts": "all", "tasks": tasks})
    overtime = Failure(FailureKind.OVERTIME, "Ansible did not end within 1 seconds")
    assert _cut(fleet, content, ["s001"], timeout=1.0) == [overtime]

    def stop() -> str | None:
        return "cancelled" if mark.exists() else None

    stopped = Failure(FailureKind.STOPPED, "cancelled")
    assert _cut(fleet, content, ["s001", "s002"], stop=stop) == [stopped] * 2
