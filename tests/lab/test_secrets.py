"""Secrets stay where they are: canaries are planted, runs go well and go wrong, and then everything is searched.

What is searched: every file that a run made or changed (while it goes on, too: the database, its write-ahead log, the
private folders of the ansible engine), standard output and error, every kind of report, what the servers' logs say, and
the arguments and environments of every process of the machine while the runs go on. The servers are this machine, so
its processes are theirs.
"""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.lab.fixtures import need
from tests.lab.fleet import Fleet
from tests.lab.running import Desk, Ended, Running, begun, run_maintops
from tests.postgres import PostgresServer, postgres_server

__all__ = ["postgres_server"]

ENGINES = ("ssh", "ansible")
SHARED_MEMORY = Path("/dev/shm")
RUNTIME = Path(f"/run/user/{os.getuid()}")

CHECKLIST = """\
checklist: nosy
title: Looks for secrets
service: inspection
cadence: {every: day}
hosts: all
checks:
  - {id: N-010, title: Processes, command: "ps axww -o pid,args", become: false, limit: 8388608}
  - {id: N-020, title: Processes as another user, command: "ps axww -o pid,args; env; id", limit: 8388608}
  - {id: N-030, title: Environment, command: env, become: false}
  - {id: N-040, title: A moment, command: sleep 1, become: false}
"""
SLEEPY = """\
checklist: sleepy
title: Takes its time
service: inspection
cadence: {every: day}
hosts: all
checks:
  - {id: Z-010, title: Begun, command: "echo begun"}
  - {id: Z-020, title: Sleeps, command: ": >MARK; sleep 40", timeout: 50s}
"""


@dataclass(frozen=True)
class Canaries:
    """Secrets by what they are. Each is told from every other text by chance alone."""

    by_name: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.by_name[name]

    def within(self, said: bytes) -> set[str]:
        """The names of the canaries that some bytes hold, as they are or in base64."""
        return {name for name, needles in self._needles.items() if any(needle in said for needle in needles)}

    @property
    def _needles(self) -> dict[str, tuple[bytes, bytes]]:
        return {name: (text.encode(), _armoured(text)) for name, text in self.by_name.items()}


def _armoured(text: str) -> bytes:
    """What base64 makes of a text that stands where base64 begins anew; its last characters depend on what follows."""
    return base64.b64encode(text.encode())[: len(text) // 3 * 4]


# --- the search -------------------------------------------------------------------------------------------------------


def _files(*places: Path) -> Iterator[Path]:
    for place in places:
        for folder, _, names in os.walk(place):
            yield from (Path(folder, name) for name in names)


def _search_files(canaries: Canaries, files: Iterator[Path], but: Sequence[Path] = ()) -> set[str]:
    """`FILE: CANARY` for every canary in these files but for some, which are known to hold them."""
    found = set()
    for file in files:
        if file in but or not file.is_file():
            continue
        with contextlib.suppress(OSError):  # it is gone already
            found |= {f"{file}: {name}" for name in canaries.within(file.read_bytes())}
    return found


def _search_processes(canaries: Canaries, pid: int) -> set[str]:
    """`WHAT of COMMAND: CANARY` for arguments and environments of processes. `pid` is maintops: what it was given in
    its own environment is there, and nowhere else."""
    found = set()
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) in (os.getpid(), pid):
            continue
        with contextlib.suppress(OSError):  # it is gone already
            own, before = _read(f"/proc/{pid}", "cmdline"), _read(entry.path, "cmdline")
            environment, arguments = _read(entry.path, "environ"), _read(entry.path, "cmdline")
            found |= {f"arguments of {arguments[:200]!r}: {name}" for name in canaries.within(arguments)}
            # between fork and exec a child of maintops is still maintops
            if before == arguments != own:
                found |= {f"environment of {arguments[:200]!r}: {name}" for name in canaries.within(environment)}
    return found


def _read(process: str, name: str) -> bytes:
    return Path(process, name).read_bytes()


@dataclass
class Watch:
    """Searches again and again, in a thread of its own, for as long as a run goes on."""

    canaries: Canaries
    desk: Desk
    but: Sequence[Path]
    found: set[str] = field(default_factory=set)
    rounds: int = 0

    def __enter__(self) -> Watch:
        self._over, self._pid = threading.Event(), 0
        self._thread = threading.Thread(target=self._watch)
        return self

    def follow(self, running: Running) -> None:
        """Begins to watch."""
        self._pid = running.pid
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.01):
            self.found |= _search_processes(self.canaries, self._pid)
            private = (*SHARED_MEMORY.glob("maintops-*"), *RUNTIME.glob("maintops-*"))
            self.found |= _search_files(self.canaries, _files(self.desk.folder, *private), self.but)
            self.rounds += 1


# --- the scene --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scene:
    """A desk whose inventory and environment hold canaries; `inventory` is the only file that may."""

    desk: Desk
    canaries: Canaries
    inventory: Path
    engine: str

    def words(self, *more: str) -> tuple[str, ...]:
        return ("run", *more, "-i", str(self.inventory), "--engine", self.engine, "--format", "json")

    def watched(self, *arguments: str) -> tuple[Ended, Watch]:
        """Runs maintops to its end under a watch."""
        with Watch(self.canaries, self.desk, [self.inventory]) as watch:
            running = Running(self.desk, *arguments)
            watch.follow(running)
            ended = running.wait()
        return ended, watch

    def left(self) -> set[str]:
        """What is found when nothing runs any more; the servers' own logs included."""
        logs = (file for file in _files(self.desk.fleet.folder) if file.suffix == ".log")
        return _search_files(self.canaries, _files(self.desk.folder, SHARED_MEMORY, RUNTIME), [self.inventory]) | (
            _search_files(self.canaries, logs)
        )


SERVERS = ("s001", "nosy-sudo", "nosy-sudo-wrong", "nosy-login", "nosy-login-wrong", "nosy-gone")


def _canary(name: str) -> str:
    return f"Canary-{name}-{secrets.token_hex(8)}"


def _plant(fleet: Fleet, engine: str) -> dict[str, Mapping[str, Any]]:
    """The variables of servers that know secrets, right ones and wrong ones."""
    account = need(fleet.account, "password")
    plain, sudo = fleet.variables("s001"), {"ansible_become": True, "ansible_user": account.name}
    by_password = {**plain, "ansible_user": account.name, "ansible_ssh_private_key_file": None}
    gone = f"nosy-gone-{engine}"
    fleet.refused(gone)
    return {
        "s001": {**plain, "api_token": _canary("token-of-inventory")},
        "nosy-sudo": {**plain, **sudo, "ansible_become_password": account.password},
        "nosy-sudo-wrong": {**plain, **sudo, "ansible_become_password": _canary("wrong-become")},
        "nosy-login": {**by_password, "ansible_password": account.password},
        "nosy-login-wrong": {**by_password, "ansible_password": _canary("wrong-login")},
        "nosy-gone": {**fleet.variables(gone), "ansible_become_pass": _canary("never-used")},
    }


@pytest.fixture(scope="module", params=ENGINES)
def scene(request: pytest.FixtureRequest, fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    engine = str(request.param)
    planted = _plant(fleet, engine)
    found = {f"{name} of {server}": str(planted[server][name]) for server, name in (
        ("s001", "api_token"),
        ("nosy-sudo", "ansible_become_password"),
        ("nosy-sudo-wrong", "ansible_become_password"),
        ("nosy-login-wrong", "ansible_password"),
        ("nosy-gone", "ansible_become_pass"),
    )}  # fmt: skip
    environment = {"CI_TOKEN": _canary("ci"), "ANSIBLE_BECOME_PASS": _canary("of-ansibles-environment")}
    found |= {**environment, "the private key": fleet.key.read_text().splitlines()[2]}
    desk = Desk(tmp_path_factory.mktemp("secrets") / "desk", fleet, {**environment, "MAINTOPS_CONNECT_RETRIES": "0"})
    return Scene(desk, Canaries(found), Path(desk.inventory(**planted)), engine)


@dataclass(frozen=True)
class Told:
    ended: Ended
    watch: Watch


@pytest.fixture(scope="module")
def told(scene: Scene) -> Told:
    """A run in which everything goes as well or as wrong as it can."""
    return Told(*scene.watched(*scene.words(scene.desk.checklist(CHECKLIST))))


# --- tests ------------------------------------------------------------------------------------------------------------


@pytest.mark.fleet
def test_the_search_finds_what_is_there(scene: Scene) -> None:
    file = scene.desk.here / "found"
    for name, canary in scene.canaries.by_name.items():
        file.write_bytes(b"\x00" + canary.encode() + b"\xff")
        assert _search_files(scene.canaries, _files(scene.desk.folder), [scene.inventory]) == {f"{file}: {name}"}
        file.write_bytes(base64.b64encode(canary.encode() + b"and more"))
        assert _search_files(scene.canaries, _files(scene.desk.folder), [scene.inventory]) == {f"{file}: {name}"}
    file.unlink()
    held = {name for name in scene.canaries.by_name if " of " in name}
    assert _search_files(scene.canaries, iter([scene.inventory])) == {f"{scene.inventory}: {name}" for name in held}


@pytest.mark.fleet
def test_a_run_uses_the_secrets_that_it_is_given(told: Told) -> None:
    # nothing leaks from a run that never had them in its hands
    outcomes = {name: told.ended.outcomes(name) for name in SERVERS}
    good = dict.fromkeys(("N-010", "N-020", "N-030", "N-040"), "ok")
    assert outcomes["s001"] == outcomes["nosy-sudo"] == outcomes["nosy-login"] == good
    assert outcomes["nosy-sudo-wrong"] == {**good, "N-020": "unreachable"}
    assert set(outcomes["nosy-login-wrong"].values()) == set(outcomes["nosy-gone"].values()) == {"unreachable"}
    assert "root" in told.ended.cell("nosy-sudo", "N-020")["facts"]["text"]
    assert told.ended.code == 4


@pytest.mark.fleet
def test_no_process_shows_a_secret_while_a_run_goes_on(told: Told) -> None:
    assert told.watch.rounds >= 10
    assert told.watch.found == set()


@pytest.mark.fleet
def test_nothing_that_a_run_leaves_behind_holds_a_secret(scene: Scene, told: Told) -> None:
    assert scene.desk.database.stat().st_size > 0
    assert scene.left() == set()
    assert scene.canaries.within((told.ended.stdout + told.ended.stderr).encode("utf-8", "surrogateescape")) == set()


@pytest.mark.fleet
def test_no_report_holds_a_secret(scene: Scene, told: Told) -> None:
    commands = [
        ("report", "last", "--format", "html", "-o", "report.html"),
        ("report", "last", "--format", "text"),
        ("report", "last", "--format", "junit"),
        ("server", "list", "-i", str(scene.inventory), "--format", "json"),
        ("record", "show", told.ended.server("nosy-sudo-wrong")["record"]),
        ("doctor",),
    ]
    for running in [Running(scene.desk, *words) for words in commands]:
        ended = running.wait()
        assert ended.code == 0, ended.stderr
    assert scene.left() == set()


@pytest.mark.fleet
@pytest.mark.parametrize("signal", ["INT", "KILL"])
def test_a_run_that_is_cut_off_leaves_no_secret_behind(scene: Scene, signal: str, tmp_path: Path) -> None:
    marks = scene.desk.fleet.folder / f"nosy-marks-{scene.engine}-{signal}"
    marks.mkdir()
    marks.chmod(0o777)
    checklist = scene.desk.checklist(SLEEPY.replace("MARK", f"{marks}/$$"), "sleepy.yml")
    with Watch(scene.canaries, scene.desk, [scene.inventory]) as watch:
        running = Running(scene.desk, *scene.words(checklist), "-l", "nosy-sudo,nosy-login")
        watch.follow(running)
        _wait_for_two(running, marks)
        if signal == "INT":
            running.interrupt()
        else:
            running.kill()
        running.wait()
    assert watch.found == set()
    deadline = time.monotonic() + 15
    while (left := scene.left()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == set()


def _wait_for_two(running: Running, folder: Path) -> None:
    begun(running, lambda: len(list(folder.iterdir())) == 2)


@pytest.mark.fleet
@pytest.mark.postgres
@pytest.mark.parametrize(("engine", "right"), [("ansible", True), ("ssh", False)])
def test_a_databases_password_stays_in_the_environment(
    fleet: Fleet, postgres_server: PostgresServer, tmp_path: Path, engine: str, right: bool
) -> None:
    password = postgres_server.password if right else _canary("database")
    url = postgres_server.url(postgres_server.new_database()).replace(postgres_server.password, password)
    desk = Desk(tmp_path / "desk", fleet, {"MAINTOPS_DATABASE_URL": url})
    scene = Scene(desk, Canaries({"the database's password": password}), Path(desk.inventory("s001")), engine)
    ended, watch = scene.watched(*scene.words(desk.checklist(CHECKLIST)))
    assert ended.code == (0 if right else 1), ended.stderr
    doctor = run_maintops(desk, "doctor")
    assert "postgresql://maintops@127.0.0.1" in doctor.stdout
    assert watch.found | scene.left() == set()
    assert scene.canaries.within((ended.stdout + ended.stderr + doctor.stdout + doctor.stderr).encode()) == set()
