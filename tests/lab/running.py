"""Runs `maintops` as a process, as a person would: a home, a current folder and an environment of its own, nobody
else's settings.

    desk = Desk(tmp_path, fleet)
    desk.checklist(CHECKLIST)
    ended = run_maintops(desk, "run", "checklist.yml", "-i", desk.inventory("s001"), "--format", "json")
    ended.code, ended.document, ended.stderr
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.lab.fleet import Fleet

PATIENCE = 150.0
"""Seconds after which a process is taken to hang: no run of these tests takes a tenth of it where it is quiet."""

GLANCE = 0.02
"""Seconds between two looks at a process that is waited for."""

Cells = dict[str, list[dict[str, Any]]]


class Servers(Protocol):
    """A fleet, or a lab of containers."""

    @property
    def known_hosts(self) -> Path:
        """The file that holds every server's key."""

    def variables(self, name: str) -> dict[str, Any]:
        """A server's Ansible variables."""


@dataclass
class Desk:
    """Where a person sits: `folder` holds the home, the current folder and the temporary one; all of it is new.

    `environment` is added to the processes' own. The database is SQLite in the home, unless `environment` says
    otherwise; known_hosts are the fleet's.
    """

    folder: Path
    fleet: Servers
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for one in (self.home, self.here, self.temporary):
            one.mkdir(parents=True)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def here(self) -> Path:
        """The current folder."""
        return self.folder / "here"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    @property
    def database(self) -> Path:
        return self.home / "maintops.sqlite"

    @property
    def variables(self) -> dict[str, str]:
        """The whole environment of a process here."""
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "LANG": "C.UTF-8",
            "MAINTOPS_DATABASE_URL": f"sqlite:///{self.database}",
            "MAINTOPS_KNOWN_HOSTS": str(self.fleet.known_hosts),
            **self.environment,
        }

    def inventory(self, *names: str, **more: Mapping[str, Any]) -> str:
        """Writes an inventory of these servers of the fleet, and of others under `more`; returns its path."""
        hosts = {name: self.fleet.variables(name) for name in names} | more
        file = self.here / f"inventory-{len(list(self.here.iterdir()))}.yml"
        file.write_text(json.dumps({"all": {"hosts": hosts}}))  # every JSON document is YAML
        return str(file)

    def checklist(self, text: str, name: str = "checklist.yml") -> str:
        """Writes a checklist; returns its path as it may be given to `run`."""
        (self.here / name).write_text(text)
        return f"./{name}"


@dataclass(frozen=True)
class Ended:
    """What came of a process. `peak` is the most memory (bytes) that it or one of the processes under it was seen to
    have had: each one's own high-water mark, read every GLANCE seconds."""

    code: int
    stdout: str
    stderr: str
    peak: int

    @cached_property
    def document(self) -> Any:
        """Standard output as JSON: the whole of it."""
        try:
            return json.loads(self.stdout)
        except ValueError as error:
            raise AssertionError(f"no JSON ({error}): {self.stdout[:2000]}\n{self.stderr}") from None

    @property
    def state(self) -> str:
        """The run's state."""
        return str(self.document["run"]["state"])

    def server(self, name: str) -> dict[str, Any]:
        """One server of the run's result."""
        (found,) = [one for one in self.document["servers"] if one["server"] == name]
        return dict(found)

    def cells(self, name: str) -> Cells:
        """One server's cells by check."""
        cells: Cells = {}
        for cell in self.server(name)["checks"]:
            cells.setdefault(cell["id"], []).append(cell)
        return cells

    def cell(self, name: str, check: str) -> dict[str, Any]:
        """The one cell of a check without subjects."""
        (found,) = self.cells(name)[check]
        return found

    def outcomes_of(self, name: str) -> list[str]:
        """The outcome of every cell of a server."""
        return [str(one["outcome"]) for one in self.server(name)["checks"]]

    def outcomes(self, name: str) -> dict[str, str]:
        """Check -> outcome, of checks without subjects."""
        return {check: self.cell(name, check)["outcome"] for check in self.cells(name)}


class Running:
    """A `maintops` that is running."""

    def __init__(self, desk: Desk, *arguments: str) -> None:
        program = Path(sys.executable).parent / "maintops"
        number = len(list(desk.folder.iterdir()))
        self._stdout, self._stderr = desk.folder / f"stdout-{number}", desk.folder / f"stderr-{number}"
        with self._stdout.open("xb") as out, self._stderr.open("xb") as error:
            self._process = subprocess.Popen(
                [program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=error,
                cwd=desk.here,
                env=desk.variables,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_over(self) -> bool:
        """Whether it has ended; it may still be waited for."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """What nobody can do anything about."""
        self._process.kill()

    def wait(self) -> Ended:
        """Waits for its end; a process that hangs is killed, and fails the test."""
        deadline = time.monotonic() + PATIENCE
        peak = 0
        while self._process.poll() is None:
            peak = max(peak, _most_memory(self.pid))
            if time.monotonic() > deadline:
                self._process.kill()
                self._process.wait()
                raise AssertionError(f"maintops hangs: {self._said(self._stderr)}")
            time.sleep(GLANCE)
        return Ended(self._process.returncode, self._said(self._stdout), self._said(self._stderr), peak)

    @staticmethod
    def _said(file: Path) -> str:
        return file.read_bytes().decode("utf-8", "surrogateescape")


def _most_memory(pid: int) -> int:
    """Bytes that a process or one of its descendants has had at most (VmHWM of proc(5)); 0 of one that is gone.

    What wait4(2) tells is of no use here: to the kernel a new process begins with the memory of the one that started
    it, and a test process that has run for a while is a large one.
    """
    try:
        told = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
        children = [
            child for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()
        ]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return max([int(told[1]) * 1024 if told else 0, *(_most_memory(int(child)) for child in children)])


def run_maintops(desk: Desk, *arguments: str) -> Ended:
    """Runs `maintops` to its end."""
    return Running(desk, *arguments).wait()


def begun(running: Running, there: Callable[[], bool]) -> None:
    """Waits until servers say that they are where they should be."""
    deadline = time.monotonic() + PATIENCE
    while not there():
        assert not running.is_over, f"it ended too soon: {running.wait()}"
        assert time.monotonic() < deadline, "the servers do not get there"
        time.sleep(0.02)


# --- with both engines ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["ssh", "ansible"])
def engine(request: pytest.FixtureRequest) -> str:
    """Either way to the servers; what one run tells is shared by the tests of a module."""
    return str(request.param)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Path:
    """A folder for the desks of a module's runs with one engine."""
    return tmp_path_factory.mktemp(f"desks-{engine}")


@pytest.fixture(scope="module")
def board(fleet: Fleet) -> Path:
    """A folder that the servers' users can write to."""
    folder = fleet.folder / "board"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    return folder


def checklist_of(desk: Desk, *checks: Mapping[str, Any]) -> str:
    """A checklist of these checks, with the parameter `alarm`. JSON is YAML, and says exactly what is meant."""
    document = {
        "checklist": "trouble",
        "title": "Trouble",
        "service": "inspection",
        "cadence": {"every": "day"},
        "hosts": "all",
        "parameters": {"alarm": False},
        "checks": [{"title": one["id"], **one} for one in checks],
    }
    return desk.checklist(json.dumps(document))


def run_with(desk: Desk, engine: str, checklist: str, inventory: str, *more: str) -> Ended:
    """Runs a checklist with one engine, to its end."""
    return run_maintops(desk, *words(engine, checklist, inventory), *more)


def words(engine: str, checklist: str, inventory: str) -> tuple[str, ...]:
    """The command line of a run whose result is read here."""
    return ("run", checklist, "-i", inventory, "--engine", engine, "--format", "json")


def assert_every_cell_is_filled(ended: Ended, servers: Sequence[str], checks: Sequence[str]) -> None:
    """A result is planned servers times checks, each server with its record."""
    assert [one["server"] for one in ended.document["servers"]] == list(servers)
    for name in servers:
        assert list(ended.cells(name)) == list(checks), name
        assert ended.server(name)["record"], name


WHO = {"id": "W-010", "command": "id -un", "become": False}
RIGHT = {"id": "W-020", "command": "id -un"}  # become: as the inventory says
ALARM = {
    "id": "W-030",
    "command": "echo fire",
    "become": False,
    "rules": [
        {"when": "parameters.alarm and text == 'fire'", "severity": "critical", "finding": "{{ text }} on the roof"}
    ],
}
