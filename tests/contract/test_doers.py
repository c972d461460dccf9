"""What every Doer does, whatever it goes by. A new one joins with a scene in `SCENES`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from maintops.domain.ports import Deed, Doer, Done, Failure, FailureKind, Pulse
from maintops.domain.servers import Server
from tests.doers import HANGS, FakeDoer
from tests.lab.asking import now
from tests.lab.fleet import Fleet

pytestmark = pytest.mark.fleet


class Scene(Protocol):
    """Servers for one kind of doer. `real`: something is done on servers and takes its time there."""

    real: bool

    def doer(self) -> Doer:
        """A doer whose pulses come every 0.2 seconds."""

    def good(self, count: int) -> list[Server]:
        """Servers on which all goes well."""

    def gone(self) -> Server:
        """A server that cannot be reached."""

    def lost(self) -> Server:
        """A server whose connection ends while something is done on it."""

    def deed(self, board: Path, *, fails: str = "", sleeps: float = 0.0, hangs: bool = False) -> Deed:
        """Leaves a file on the board, named after the server, and counts in it how often it did; then it sleeps, hangs
        for a minute, and fails on the server that `fails` names."""


class AnsibleScene:
    real = True

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    def doer(self) -> Doer:
        from maintops.runners.ansible import AnsibleRunner

        sources, known_hosts = [str(self.fleet.inventory)], self.fleet.known_hosts
        return AnsibleRunner(sources, known_hosts=known_hosts, host_keys="strict", clock=now, pulse_every=0.2)

    def good(self, count: int) -> list[Server]:
        return [self._server(name) for name in self.fleet.names[:count]]

    def gone(self) -> Server:
        if "doer-gone" not in self.fleet.names:
            self.fleet.refused("doer-gone")
        return self._server("doer-gone")

    def lost(self) -> Server:
        if "doer-lost" not in self.fleet.names:
            # above the login shell there is the sshd of this very connection
            cut = 'kill -9 $(cut -d " " -f 4 /proc/$PPID/stat)'
            self.fleet.forced("doer-lost", f'sh -c "$SSH_ORIGINAL_COMMAND"; {cut}')
        return self._server("doer-lost")

    def deed(self, board: Path, *, fails: str = "", sleeps: float = 0.0, hangs: bool = False) -> Deed:
        seconds = 60 if hangs else sleeps
        tasks: list[dict[str, object]] = [
            {"name": "leave a mark", "raw": f"echo once >>{board}/{{{{ inventory_hostname }}}}; sleep {seconds}"},
            {"name": "fail", "fail": {"msg": "told to"}, "when": f"inventory_hostname == '{fails}'"},
        ]
        return Deed(tasks=tuple(tasks))

    def _server(self, name: str) -> Server:
        return Server(name, variables=self.fleet.variables(name))


FUNCTION = """
def leave_a_mark(connection, parameters):
    name, board = parameters["name"], parameters["board"]
    connection.run(f"echo once >>{board}/{name}; sleep {parameters['sleeps']}")
    if name == parameters["fails"]:
        raise RuntimeError("told to")
"""


class FabricScene(AnsibleScene):
    """The same servers, by functions of Python's."""

    def doer(self) -> Doer:
        from maintops.runners.fabric_tasks import FabricTasks

        return FabricTasks(self.fleet.known_hosts, "strict", now, connect_timeout=10.0, retries=0, pulse_every=0.2)

    def deed(self, board: Path, *, fails: str = "", sleeps: float = 0.0, hangs: bool = False) -> Deed:
        file = board.parent / "marks.py"
        file.write_text(FUNCTION)
        variables = {"board": str(board), "fails": fails, "sleeps": 60 if hangs else sleeps}
        own = {name: {"name": name} for name in self.fleet.names}
        return Deed(fabric=f"{file}:leave_a_mark", variables=variables, own=own)


class FakeScene:
    real = False

    def __init__(self) -> None:
        self.fake = FakeDoer()

    def doer(self) -> Doer:
        return self.fake

    def good(self, count: int) -> list[Server]:
        return [Server(f"f{number}") for number in range(count)]

    def gone(self) -> Server:
        self.fake.script["gone"] = Failure(FailureKind.UNREACHABLE, "nobody is there")
        return Server("gone")

    def lost(self) -> Server:
        self.fake.script["lost"] = Failure(FailureKind.UNREACHABLE, "the connection ended", blind=True)
        return Server("lost")

    def deed(self, board: Path, *, fails: str = "", sleeps: float = 0.0, hangs: bool = False) -> Deed:
        def mark(deed: Deed, server: Server) -> Failure | None:
            with (board / server.name).open("a") as file:
                file.write("once\n")
            return Failure(FailureKind.UNUSABLE, "told to") if server.name == fails else None

        for server in self.good(6):
            self.fake.script[server.name] = HANGS if hangs else mark
        return Deed()


SCENES: dict[str, Callable[[pytest.FixtureRequest], Scene]] = {
    "ansible": lambda request: AnsibleScene(request.getfixturevalue("fleet")),
    "fabric": lambda request: FabricScene(request.getfixturevalue("fleet")),
    "fake": lambda request: FakeScene(),
}


@pytest.fixture(params=list(SCENES))
def scene(request: pytest.FixtureRequest) -> Scene:
    return SCENES[request.param](request)


@pytest.fixture
def board() -> Iterator[Path]:
    """A folder that every server on this machine can write to."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        board = Path(name, "board")
        board.mkdir()
        board.chmod(0o777)
        yield board


def marks(board: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in board.iterdir()}


def did(
    scene: Scene,
    deed: Deed,
    servers: Sequence[Server],
    *,
    forks: int = 10,
    timeout: float = 60.0,
    stop: Callable[[], str | None] = lambda: None,
) -> dict[str, Done]:
    """What became of a deed; there is one Done per server, always."""
    arrivals = list(scene.doer().do(deed, servers, forks=forks, timeout=timeout, stop=stop))
    found = [arrival for arrival in arrivals if isinstance(arrival, Done)]
    assert sorted(one.server for one in found) == sorted(server.name for server in servers)
    return {one.server: one for one in found}


def failure(done: Done) -> Failure:
    assert done.failure is not None, done
    return done.failure


def test_it_is_done_on_every_server_once(scene: Scene, board: Path) -> None:
    servers = scene.good(5)
    found = did(scene, scene.deed(board), servers, forks=2)
    assert [one.failure for one in found.values()] == [None] * 5
    assert all(one.tasks for one in found.values())
    assert marks(board) == {server.name: "once\n" for server in servers}


def test_a_server_that_fails_says_why_and_the_others_are_done(scene: Scene, board: Path) -> None:
    servers = scene.good(3)
    found = did(scene, scene.deed(board, fails=servers[1].name), servers)
    assert failure(found[servers[1].name]).kind is FailureKind.UNUSABLE
    assert "told to" in failure(found[servers[1].name]).why
    assert {name for name, one in found.items() if one.failure is None} == {servers[0].name, servers[2].name}
    assert len(marks(board)) == 3


def test_a_server_that_cannot_be_reached_is_data_and_nothing_was_begun_on_it(scene: Scene, board: Path) -> None:
    gone, servers = scene.gone(), scene.good(2)
    found = did(scene, scene.deed(board), [gone, *servers])
    assert failure(found[gone.name]).kind is FailureKind.UNREACHABLE
    assert not failure(found[gone.name]).blind
    assert failure(found[gone.name]).why.strip()
    assert sorted(marks(board)) == [server.name for server in servers]
    assert [found[server.name].failure for server in servers] == [None, None]


def test_a_connection_that_ends_in_the_middle_leaves_it_open_how_far_it_got(scene: Scene, board: Path) -> None:
    lost, (server,) = scene.lost(), scene.good(1)
    found = did(scene, scene.deed(board), [lost, server])
    assert failure(found[lost.name]).kind is FailureKind.UNREACHABLE
    assert failure(found[lost.name]).blind
    assert found[server.name].failure is None


def test_stop_cuts_what_is_begun_and_begins_nothing_more(scene: Scene, board: Path) -> None:
    servers, forks = scene.good(4), 2
    deed, asked = scene.deed(board, hangs=True), []

    def stop() -> str | None:
        asked.append(1)
        begun = len(marks(board)) >= forks if scene.real else len(asked) > 1
        return "cancelled by the test" if begun else None

    found = did(scene, deed, servers, forks=forks, stop=stop)
    assert {failure(one).kind for one in found.values()} == {FailureKind.STOPPED}
    assert all("cancelled by the test" in failure(one).why for one in found.values())
    blind = sorted(name for name, one in found.items() if failure(one).blind)
    assert blind == (sorted(marks(board)) if scene.real else [server.name for server in servers[:2]])
    assert len(blind) == 2


def test_a_stop_before_the_first_begins_nothing(scene: Scene, board: Path) -> None:
    found = did(scene, scene.deed(board), scene.good(3), stop=lambda: "not today")
    assert {failure(one) for one in found.values()} == {Failure(FailureKind.STOPPED, "not today")}
    assert marks(board) == {}


def test_time_is_up(scene: Scene, board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maintops.runners.ansible.READING", 4.0)
    found = did(scene, scene.deed(board, hangs=True), scene.good(2), timeout=2.0)
    assert {(failure(one).kind, failure(one).blind) for one in found.values()} == {(FailureKind.OVERTIME, True)}


def test_pulses_tell_who_is_at_work(scene: Scene, board: Path) -> None:
    (server,) = scene.good(1)
    deed = scene.deed(board, sleeps=1.5)
    arrivals = list(scene.doer().do(deed, [server], forks=1, timeout=60.0, stop=lambda: None))
    pulses = [arrival for arrival in arrivals if isinstance(arrival, Pulse)]
    assert any(server.name in pulse.in_flight for pulse in pulses)
    assert len(arrivals) == len(pulses) + 1


def test_nobody_to_do_it_on_is_nothing_to_do(scene: Scene, board: Path) -> None:
    assert list(scene.doer().do(scene.deed(board), [], forks=5, timeout=1.0, stop=lambda: None)) == []
