"""Who is measured: for each contender the command to run, and how to get its answers out of what it printed or wrote.

Answers are compared before times are: a dict of server -> list of the 25 answers (stripped text).
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.questions import COMMANDS, checklist, playbook, pyinfra_deploy
from tests.lab.fleet import Fleet

BIN = Path(sys.executable).parent
BENCH = Path(__file__).parent.parent / ".venv-bench" / "bin"

Answers = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Contender:
    """`command` is timed; `asked` is run once beforehand, untimed, to get at the answers (the same where None)."""

    name: str
    command: Sequence[str]
    answers: Callable[[Path], Answers]
    asked: Sequence[str] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


def contenders(fleet: Fleet, folder: Path) -> list[Contender]:
    """Everybody, with their files written into `folder`."""
    (folder / "benchmark.yml").write_text(checklist())
    (folder / "playbook.yml").write_text(playbook())
    (folder / "deploy.py").write_text(pyinfra_deploy())
    return [
        _floor(fleet, folder),
        _maintops(fleet, folder, "ssh"),
        _maintops(fleet, folder, "ansible"),
        _pyinfra(fleet, folder),
        _ansible(fleet, folder),
    ]


def environment(folder: Path) -> dict[str, str]:
    """What every contender finds around it: a home of its own, so that nobody's settings count."""
    return {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": str(folder),
        "USER": "root",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
    }


# --- the floor --------------------------------------------------------------------------------------------------------


def _floor(fleet: Fleet, folder: Path) -> Contender:
    job = {
        "hosts": [[fleet.server(name).address, fleet.server(name).port] for name in fleet.names],
        "user": fleet.user,
        "key": str(fleet.key),
        "known_hosts": str(fleet.known_hosts),
        "script": _script().text,
        "out": str(folder / "floor.json"),
    }
    (folder / "floor-job.json").write_text(json.dumps(job))

    def answers(output: Path) -> Answers:
        streams = json.loads((folder / "floor.json").read_text())
        return {name: _heard(stream) for name, stream in zip(fleet.names, streams, strict=True)}

    command = [str(BENCH / "python"), str(Path(__file__).parent / "floor.py"), str(folder / "floor-job.json")]
    return Contender("floor: asyncssh, same script", command, answers)


def _script():  # type: ignore[no-untyped-def]  # maintops.domain.ports.Script
    from maintops.domain.answers import Question
    from maintops.domain.checklists import DEFAULT_LIMIT, DEFAULT_TIMEOUT
    from maintops.script.compiling import compile_script

    asked = [
        Question(f"BM-{number:03d}", command, DEFAULT_TIMEOUT, DEFAULT_LIMIT)
        for number, command in enumerate(COMMANDS, start=1)
    ]
    return compile_script(asked, become=False)


def _heard(stream: str) -> list[str]:
    from maintops.script.reading import hear

    script = _script()
    heard = hear(stream.encode(), script)
    return [heard.answers[check].stdout.decode().strip() for check in script.checks]


# --- maintops ---------------------------------------------------------------------------------------------------------


def _maintops(fleet: Fleet, folder: Path, engine: str) -> Contender:
    command = [str(BIN / "maintops"), "run", str(folder / "benchmark.yml"), "-i", str(fleet.inventory)]
    command += ["--engine", engine, "-f", str(len(fleet.names))]
    result = folder / f"maintops-{engine}.json"

    def answers(output: Path) -> Answers:
        document = json.loads(result.read_text())
        return {one["server"]: [_text(cell) for cell in one["checks"]] for one in document["servers"]}

    variables = {
        "MAINTOPS_DATABASE_URL": f"sqlite:///{folder}/{engine}/maintops.sqlite",
        "MAINTOPS_KNOWN_HOSTS": str(fleet.known_hosts),
    }
    asked = [*command, "--format", "json", "-o", str(result)]
    return Contender(f"maintops, {engine} engine", command, answers, asked, variables)


def _text(cell: dict) -> str:  # type: ignore[type-arg]
    return str(cell["facts"].get("text", cell["message"])).strip()


# --- Ansible ----------------------------------------------------------------------------------------------------------


def _ansible(fleet: Fleet, folder: Path) -> Contender:
    (folder / "ansible.cfg").write_text(
        f"[defaults]\nforks = {len(fleet.names)}\nhost_key_checking = True\n[ssh_connection]\npipelining = True\n"
    )
    command = [str(BIN / "ansible-playbook"), "-i", str(fleet.inventory), str(folder / "playbook.yml")]
    # the fleet's user may not be allowed into the environment that we run in
    command += ["-e", "ansible_python_interpreter=/usr/bin/python3"]
    variables = {"ANSIBLE_CONFIG": str(folder / "ansible.cfg")}

    def answers(output: Path) -> Answers:
        found: dict[str, list[str]] = {}
        for server, said in re.findall(r"^(\S+) \| \w+ \| rc=\d+ >>\n(.*)$", output.read_text(), re.MULTILINE):
            found.setdefault(server, []).append(said.strip())
        return found

    asked = ["env", "ANSIBLE_STDOUT_CALLBACK=minimal", *command]
    return Contender("ansible-playbook, 25 tasks", command, answers, asked, variables)


# --- pyinfra ----------------------------------------------------------------------------------------------------------


def _pyinfra(fleet: Fleet, folder: Path) -> Contender:
    hosts = [
        (
            name,
            {
                "ssh_hostname": fleet.server(name).address,
                "ssh_port": fleet.server(name).port,
                "ssh_user": fleet.user,
                "ssh_key": str(fleet.key),
                "ssh_known_hosts_file": str(fleet.known_hosts),
                "ssh_strict_host_key_checking": "yes",
                "ssh_allow_agent": False,
                "ssh_look_for_keys": False,
            },
        )
        for name in fleet.names
    ]
    (folder / "hosts.py").write_text(f"hosts = {hosts!r}\n")
    command = [str(BENCH / "pyinfra"), "-y", "--parallel", str(len(fleet.names)), str(folder / "hosts.py")]
    command.append(str(folder / "deploy.py"))

    def answers(output: Path) -> Answers:
        found: dict[str, list[str]] = {}
        for line in output.read_text().splitlines():
            match = re.match(r"\s*\[(s\d+)\]\s(.*)$", line)
            if match and not re.match(r"(>>>|Connected|Success|No changes|Started|Loaded|Ready)", match[2].strip()):
                found.setdefault(match[1], []).append(match[2].strip())
        return found

    return Contender("pyinfra, 25 operations", command, answers, [*command, "-vvv"])
