"""What changes servers, on real ones: nothing is called done that was not, and nothing is told that is secret."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from maintops.domain.ports import Deed, Doer, Done, Failure, FailureKind, Previewed
from maintops.domain.servers import Server
from maintops.runners.ansible import AnsibleRunner
from maintops.runners.fabric_tasks import FabricTasks
from tests.lab.asking import now
from tests.lab.containers import Containers
from tests.lab.fixtures import need
from tests.lab.fleet import Fleet

Variables = Mapping[str, Any]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for content, that the servers' user can look into and write to."""
    with tempfile.TemporaryDirectory(prefix="a deed ") as name:
        Path(name).chmod(0o777)
        yield Path(name)


def carried_out(
    doer: Doer,
    deed: Deed,
    servers: Mapping[str, Variables],
    *,
    forks: int = 5,
    timeout: float = 60.0,
    stop: Callable[[], str | None] = lambda: None,
) -> dict[str, Done]:
    """What became of a deed, by server; there is one Done for each."""
    arrivals = doer.do(
        deed,
        [Server(name, variables=variables) for name, variables in servers.items()],
        forks=forks,
        timeout=timeout,
        stop=stop,
    )
    found = [arrival for arrival in arrivals if isinstance(arrival, Done)]
    assert sorted(one.server for one in found) == sorted(servers)
    return {one.server: one for one in found}


def by_ansible(fleet: Fleet, deed: Deed, *names: str, **more: Any) -> dict[str, Done]:
    """A deed on servers of the fleet, by a Python that their user may run."""
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin:/bin")
    deed = replace(deed, variables={**deed.variables, "ansible_python_interpreter": python})
    doer = AnsibleRunner([str(fleet.inventory)], known_hosts=fleet.known_hosts, host_keys="strict", clock=now)
    return carried_out(doer, deed, {name: fleet.variables(name) for name in names}, **more)


def by_fabric(fleet: Fleet, deed: Deed, *names: str, **more: Any) -> dict[str, Done]:
    doer = FabricTasks(fleet.known_hosts, "strict", now, connect_timeout=10.0, retries=0)
    return carried_out(doer, deed, {name: fleet.variables(name) for name in names}, **more)


def playbook(folder: Path, *plays: dict[str, Any]) -> Deed:
    """A playbook of these plays."""
    file = folder / "site.yml"
    file.write_text(yaml.safe_dump([{"gather_facts": False, **play} for play in plays], sort_keys=False))
    return Deed(playbook=str(file))


def touch(path: str) -> dict[str, Any]:
    return {"name": f"touch {Path(path).name}", "raw": f"touch '{path}'"}


def failure(done: Done) -> Failure:
    assert done.failure is not None, done
    return done.failure


STUMBLE = {"name": "stumble", "fail": {"msg": "over a stone"}}
WHO = "{{ inventory_hostname }}"


# --- Ansible: who was done --------------------------------------------------------------------------------------------


@pytest.mark.fleet
@pytest.mark.parametrize("brake", [{"any_errors_fatal": True}, {"max_fail_percentage": 0}])
def test_a_playbook_with_brakes_makes_nobody_look_done(fleet: Fleet, folder: Path, brake: dict[str, Any]) -> None:
    tasks = [
        {"name": "first", "raw": f"echo >'{folder}/{WHO}-1'"},
        {**STUMBLE, "when": "inventory_hostname == 's001'"},
        {"name": "second", "raw": f"echo >'{folder}/{WHO}-2'"},
    ]
    plays = [{"hosts": "s001,s002,s003,s004", "serial": [2, 1, 1], "tasks": tasks, **brake}]
    found = by_ansible(fleet, playbook(folder, *plays), "s001", "s002", "s003", "s004")
    lines = (folder / "site.yml").read_text().splitlines()
    place = f"{folder}/site.yml:{lines.index('  - name: stumble') + 1}"
    assert failure(found["s001"]) == Failure(FailureKind.UNUSABLE, f"{place}: over a stone (task: stumble)")
    middle = failure(found["s002"])
    assert (middle.kind, middle.blind) == (FailureKind.BROKEN, True)
    assert "in the middle" in middle.why
    for name in ("s003", "s004"):
        assert (failure(found[name]).kind, failure(found[name]).blind) == (FailureKind.BROKEN, False)
        assert "before its turn" in failure(found[name]).why
    assert sorted(file.name for file in folder.glob("s*-*")) == ["s001-1", "s002-1"]


@pytest.mark.fleet
def test_a_play_whose_servers_all_fail_takes_the_plays_behind_it_from_the_others(fleet: Fleet, folder: Path) -> None:
    plays = [
        {"hosts": "all", "tasks": [{"name": "look", "raw": "true"}]},
        {"hosts": "s001", "tasks": [STUMBLE]},
        {"hosts": "all", "tasks": [touch(f"{folder}/{WHO}")]},
    ]
    found = by_ansible(fleet, playbook(folder, *plays), "s001", "s002")
    assert failure(found["s001"]).kind is FailureKind.UNUSABLE
    assert failure(found["s002"]).kind is FailureKind.BROKEN
    assert [task.task for task in found["s002"].tasks] == ["look"]
    assert not (folder / "s002").exists()


@pytest.mark.fleet
def test_failures_that_the_playbook_takes_care_of_are_none(fleet: Fleet, folder: Path) -> None:
    fleet.refused("do-refused")
    tasks: list[dict[str, Any]] = [
        {**STUMBLE, "name": "ignored", "ignore_errors": True},
        {"name": "block", "block": [STUMBLE], "rescue": [touch(f"{folder}/{WHO}")]},
        {"name": "not today", "raw": "true", "when": False},
    ]
    plays: list[dict[str, Any]] = [{"hosts": "s001", "tasks": tasks}, {"hosts": "s002", "tasks": tasks[2:]}]
    plays += [{"hosts": "do-refused", "ignore_unreachable": True, "tasks": [{"name": "try", "raw": "true"}]}]
    found = by_ansible(fleet, playbook(folder, *plays), "s001", "s002", "s003", "do-refused")
    assert [found[name].failure for name in ("s001", "s002")] == [None, None]
    assert [task.status for task in found["s001"].tasks] == ["ignored", "ignored", "changed", "skipped"]
    assert found["s002"].tasks == (Previewed("not today", "skipped"),)
    assert (folder / "s001").exists()
    assert failure(found["s003"]).kind is FailureKind.UNUSABLE
    assert "does not address it" in failure(found["s003"]).why
    # nothing at all was done there: whatever the playbook makes of it, that is no success
    assert failure(found["do-refused"]).kind is FailureKind.UNREACHABLE


@pytest.mark.fleet
def test_servers_that_cannot_be_reached_before_and_in_the_middle(fleet: Fleet, folder: Path) -> None:
    fleet.refused("do-gone")
    fleet.unknown("do-unknown")
    fleet.special("do-lost")
    mark = folder / "do-lost"

    def stop() -> None:
        if mark.exists():
            mark.unlink()
            daemon = fleet._daemons["do-lost"]
            daemon.stop()

    tasks = [{"name": "wait", "raw": f"touch '{folder}/{WHO}'; sleep 2"}, {"name": "more", "raw": "true"}]
    names = ("s001", "do-gone", "do-unknown", "do-lost")
    found = by_ansible(fleet, playbook(folder, {"hosts": "all", "tasks": tasks}), *names, stop=stop)
    assert found["s001"].failure is None
    for name, why, blind in (
        ("do-gone", "Connection refused", False),
        ("do-unknown", "host key is not known", False),
        ("do-lost", "", True),
    ):
        assert (failure(found[name]).kind, failure(found[name]).blind) == (FailureKind.UNREACHABLE, blind), name
        assert why in failure(found[name]).why


@pytest.mark.fleet
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
    for done in by_ansible(fleet, Deed(playbook=str(file)), "s001", "s002").values():
        assert failure(done).kind is FailureKind.UNUSABLE
        assert not failure(done).blind
        assert failure(done).why.lower().startswith(f"{file}{why}".lower())
        assert "HUNTER22" not in failure(done).why


@pytest.mark.fleet
def test_when_the_supervisor_dies_it_is_known_who_was_begun(fleet: Fleet, folder: Path) -> None:
    deed = playbook(folder, {"hosts": "all", "tasks": [{"name": "x", "raw": f"touch '{folder}/{WHO}'; sleep 30"}]})
    before = set(_children(os.getpid()))

    def stop() -> None:
        if (folder / "s001").exists():
            for pid in set(_children(os.getpid())) - before:
                os.kill(pid, signal.SIGKILL)  # the supervisor; Ansible itself dies with it

    found = by_ansible(fleet, deed, "s001", "s002", forks=1, stop=stop)
    assert (failure(found["s001"]).kind, failure(found["s001"]).blind) == (FailureKind.BROKEN, True)
    assert (failure(found["s002"]).kind, failure(found["s002"]).blind) == (FailureKind.BROKEN, False)


def _children(parent: int) -> list[int]:
    names = Path(f"/proc/{parent}/task").glob("*/children")
    return [int(pid) for name in names for pid in name.read_text().split()]


# --- Ansible: what it is given ----------------------------------------------------------------------------------------


@pytest.mark.fleet
def test_a_servers_own_variables_are_its_own_and_never_rendered(fleet: Fleet, folder: Path) -> None:
    mark = folder / "RAN"
    hostile = f"{{{{ lookup('pipe', 'touch {mark}') }}}} {{% for x in y %}} }}}} ü"
    write = {
        "copy": {"content": "{{ [said, items, size, only | default('none')] | to_json }}", "dest": f"{folder}/{WHO}"}
    }
    again = {
        "debug": {"msg": "{{ said }}"},
        "vars": {"further": "{{ said }}"},
        "loop": "{{ items }}",
        "name": "{{ said }}",
    }
    own: dict[str, dict[str, Any]] = {
        "s001": {"said": hostile, "items": [hostile, {"k": hostile}], "size": 3, "only": None},
        "s002": {"said": "plain", "items": []},
        "s003": {"said": "nobody asked it"},
    }
    deed = replace(
        playbook(folder, {"hosts": "all", "tasks": [write, again]}), variables={"size": "{{ 1 + 1 }}"}, own=own
    )
    found = by_ansible(fleet, deed, "s001", "s002")
    assert [one.failure for one in found.values()] == [None, None], found
    assert json.loads((folder / "s001").read_text()) == [hostile, [hostile, {"k": hostile}], 3, None]
    assert json.loads((folder / "s002").read_text())[:2] == ["plain", []]
    assert not mark.exists()


@pytest.mark.fleet
def test_inline_tasks_find_the_files_of_their_folder(fleet: Fleet, folder: Path) -> None:
    (folder / "templates").mkdir()
    (folder / "templates" / "motd.j2").write_text("welcome to {{ inventory_hostname }}\n")
    task = {"name": "write", "template": {"src": "motd.j2", "dest": f"{folder}/{WHO}"}}
    found = by_ansible(fleet, Deed(tasks=(task,), folder=str(folder)), "s001", "s002")
    assert found["s001"] == Done("s001", None, (Previewed("write", "changed"),)), "and no diff is asked for"
    assert (folder / "s002").read_text() == "welcome to s002\n"
    broken = by_ansible(fleet, Deed(tasks=({**task, "template": {"src": "none.j2", "dest": "/x"}},)), "s001")
    assert failure(broken["s001"]).why.startswith("Could not find or access 'none.j2'"), "no place that nobody knows"


@pytest.mark.fleet
def test_a_role_becomes_root_where_it_is_told_to(fleet: Fleet, folder: Path) -> None:
    account = need(fleet.account, "nopasswd")
    fleet.add("do-become", ansible_user=account.name)
    (folder / "roles" / "who" / "tasks").mkdir(parents=True)
    tasks = [{"raw": f"id -un >'{folder}/{WHO}'"}]
    (folder / "roles" / "who" / "tasks" / "main.yml").write_text(json.dumps(tasks))
    deed = Deed(role="who", folder=str(folder), become=True)
    assert by_ansible(fleet, deed, "do-become")["do-become"].failure is None
    assert (folder / "do-become").read_text() == "root\n"


CANARY = {"inventory": "Canary-of-the-inventory", "shared": "Canary-that-all-have", "own": "Canary-of-one"}


@pytest.mark.fleet
def test_secrets_are_in_no_artifact_and_no_sentence(fleet: Fleet, folder: Path) -> None:
    fleet.add("do-secret", cloud_token=CANARY["inventory"])
    told = "{{ cloud_token }} {{ api_token }} {{ my_password }}"
    tasks: list[dict[str, Any]] = [
        {"name": f"tell {told}", "raw": f"echo '{told}' >'{folder}/told'; sleep 1"},
        {"name": "tell again", "fail": {"msg": told}},
    ]
    own = {"do-secret": {"my_password": CANARY["own"]}}
    deed = Deed(tasks=tuple(tasks), variables={"api_token": CANARY["shared"]}, own=own)
    seen: set[str] = set()
    looked: list[Path] = []

    def stop() -> None:
        for place in (Path(f"/run/user/{os.getuid()}"), Path("/dev/shm"), Path(tempfile.gettempdir())):
            for private in place.glob("maintops-????????"):
                files = [file for file in private.rglob("*") if file.is_file() and file.name != "vars.json"]
                looked.extend(files)
                seen.update(file.name for file in files if "artifacts" in file.parts and _holds(file))
        seen.update(
            str(file) for file in Path("/proc").glob("[0-9]*/cmdline") if b"python" in _read(file) and _holds(file)
        )

    found = by_ansible(fleet, deed, "do-secret", stop=stop)
    assert (folder / "told").read_text().split() == list(CANARY.values())
    assert any(file.name == "command" for file in looked)
    assert failure(found["do-secret"]).why == "*** *** *** (task: tell again)"
    assert not any(canary in repr(found) for canary in CANARY.values())
    assert seen == set()


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def _holds(file: Path) -> bool:
    needles = [needle for canary in CANARY.values() for needle in (canary.encode(), base64.b64encode(canary.encode()))]
    return any(needle in _read(file) for needle in needles)


# --- Fabric -----------------------------------------------------------------------------------------------------------


def function(folder: Path, body: str, **variables: Any) -> Deed:
    file = folder / "deeds.py"
    file.write_text(f"import io\n\ndef act(connection, parameters):\n    folder = {str(folder)!r}\n" + body)
    return Deed(fabric=f"{file}:act", variables=variables)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maintops.runners.fabric_tasks._loaded", {})


@pytest.mark.fleet
def test_a_function_has_all_of_fabric_and_prints_nothing(
    fleet: Fleet, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    account = need(fleet.account, "password")
    fleet.special("do-gate")
    fleet.through("do-beyond", "do-gate")
    fleet.add("do-sudo", ansible_user=account.name, ansible_become_password=account.password)
    body = (
        "    with connection as c:\n"
        "        host = parameters['host']\n"
        "        who = c.run('echo noise; echo more >&2; id -un').stdout.split()[-1]\n"
        "        c.put(io.BytesIO(b'put'), f'{folder}/{host}')\n"
        "        root = c.sudo('id -un').stdout.strip() if host == 'do-sudo' else ''\n"
        "        return f'{who} {root} {c.run(\"exit 3\", warn=True).exited}'\n"
    )
    names = ("s001", "do-beyond", "do-sudo")
    deed = replace(function(folder, body), own={name: {"host": name} for name in names})
    found = by_fabric(fleet, deed, *names)
    assert [one.failure for one in found.values()] == [None] * 3, found
    assert found["do-sudo"].tasks[0].message == f"{account.name} root 3"
    assert found["do-beyond"].tasks[0].message == f"{fleet.user} 3"
    assert all((folder / name).read_text() == "put" for name in names)
    assert capfd.readouterr() == ("", "")


@pytest.mark.fleet
def test_keys_are_verified_and_a_command_that_fails_is_told(fleet: Fleet, folder: Path) -> None:
    for name, make in (("do-new", fleet.unknown), ("do-other", fleet.changed), ("do-away", fleet.refused)):
        make(name)
    deed = function(folder, "    connection.run('echo reason >&2; exit 7')\n")
    found = by_fabric(fleet, deed, "s001", "do-new", "do-other", "do-away")
    for name, why in (("do-new", "is not in"), ("do-other", "is not the one in"), ("do-away", "refuses connections")):
        assert (failure(found[name]).kind, failure(found[name]).blind) == (FailureKind.UNREACHABLE, False)
        assert why in failure(found[name]).why
    assert failure(found["s001"]) == Failure(
        FailureKind.UNUSABLE,
        f"{folder}/deeds.py:5: act: UnexpectedExit: echo reason >&2; exit 7: exit status 7: reason",
    )


@pytest.mark.fleet
def test_a_function_in_a_loop_of_its_own_is_left_alone(
    fleet: Fleet, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maintops.runners.fabric_tasks.PATIENCE", 0.2)
    body = (
        "    import threading\n    if parameters.get('stuck'):\n"
        "        open(f'{folder}/stuck', 'w').close()\n        threading.Event().wait(3)\n"
    )
    deed = replace(function(folder, body), own={"s001": {"stuck": True}})
    found = by_fabric(fleet, deed, "s001", "s002", "s003", forks=1, timeout=1.0)
    assert (failure(found["s001"]).kind, failure(found["s001"]).blind) == (FailureKind.OVERTIME, True)
    assert "cannot be ended" in failure(found["s001"]).why
    assert [found[name].failure for name in ("s002", "s003")] == [None, None]


# --- booted servers ---------------------------------------------------------------------------------------------------


def _in_containers(containers: Containers, engine: str) -> Doer:
    if engine == "fabric":
        return FabricTasks(containers.known_hosts, "strict", now, connect_timeout=10.0, retries=0)
    return AnsibleRunner([str(containers.inventory)], known_hosts=containers.known_hosts, host_keys="strict", clock=now)


@pytest.mark.containers
@pytest.mark.timeout(900)
@pytest.mark.parametrize("engine", ["ansible", "fabric"])
def test_a_server_that_goes_away_in_the_middle_takes_nobody_with_it(
    containers: Containers, folder: Path, engine: str
) -> None:
    mark, name = f"/root/done-{engine}-{time.monotonic_ns()}", "lab2"
    if engine == "ansible":
        crash = {"name": "crash", "raw": "systemctl reboot; sleep 30", "when": f"inventory_hostname == '{name}'"}
        deed = Deed(tasks=(touch(f"{mark}-1"), crash, touch(f"{mark}-2")), become=True)
    else:
        body = (
            f"    connection.sudo('touch {mark}-1')\n    if parameters['crash']:\n"
            f"        connection.sudo('sh -c \"systemctl reboot; sleep 30\"')\n    connection.sudo('touch {mark}-2')\n"
        )
        own = {one: {"crash": one == name} for one in containers.names}
        deed = replace(function(folder, body), own=own)
    servers = {one: containers.variables(one) for one in containers.names}
    before = containers.server(name).started()
    found = carried_out(_in_containers(containers, engine), deed, servers, timeout=120.0)
    containers.server(name)._come_back(before)
    assert (failure(found[name]).kind, failure(found[name]).blind) == (FailureKind.UNREACHABLE, True), found[name]
    for one in containers.names:
        made = containers.server(one).run(f"ls {mark}-* | wc -l").strip()
        assert made == ("1" if one == name else "2")
        assert one == name or found[one].failure is None
        containers.server(one).run(f"rm -f {mark}-*")


@pytest.mark.containers
@pytest.mark.timeout(900)
def test_facts_and_services_of_a_booted_server(containers: Containers, folder: Path) -> None:
    tasks = [
        {"name": "restart", "service": {"name": "cron", "state": "restarted"}},
        {"name": "which", "copy": {"content": "{{ ansible_distribution }}", "dest": "/root/which"}, "notify": "say it"},
    ]
    handlers = [{"name": "say it", "raw": "echo and handled >>/root/which"}]
    file = folder / "site.yml"
    file.write_text(json.dumps([{"hosts": "all", "become": True, "tasks": tasks, "handlers": handlers}]))
    servers = {one: containers.variables(one) for one in containers.names}
    found = carried_out(_in_containers(containers, "ansible"), Deed(playbook=str(file)), servers)
    assert {one.failure for one in found.values()} == {None}, found
    assert _names(found["lab1"].tasks) == ["Gathering Facts", "restart", "which", "say it"]
    for one in containers.names:
        assert containers.server(one).run("cat /root/which; rm /root/which").strip() == "Debianand handled"


def _names(tasks: Sequence[Previewed]) -> list[str]:
    return [task.task for task in tasks]
