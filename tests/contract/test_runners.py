"""What every Runner does, whatever it goes by. A new one joins with a scene in `SCENES`."""

from __future__ import annotations

import getpass
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from maintops.domain.ports import Delivery, FailureKind, Pulse, Runner, Script, Trip
from maintops.domain.servers import Server
from tests.lab.asking import ask, failure, heard, now, script
from tests.lab.fixtures import need
from tests.lab.fleet import Fleet

pytestmark = pytest.mark.fleet


class Scene(Protocol):
    """Servers for one kind of runner. `real`: scripts are carried to servers and take their time there; `flowing`: what
    they print is heard as they print it (Ansible hands over a command's output when the command has ended)."""

    real: bool
    flowing: bool

    def runner(self) -> Runner:
        """A fresh runner whose pulses come every 0.2 seconds."""

    def good(self, count: int) -> list[Server]:
        """Servers that answer."""

    def gone(self) -> Server:
        """A server that cannot be reached."""

    def sudoer(self) -> Server:
        """A server where the login user may become root, with a password."""

    def expect(self, server: Server, streams: Sequence[bytes]) -> None:
        """Says what the server's scripts will print, for a scene that has no servers to print it."""


class SshScene:
    real = True
    flowing = True

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    def runner(self) -> Runner:
        from maintops.runners.ssh import SshRunner

        return SshRunner(self.fleet.known_hosts, "strict", now, connect_timeout=10.0, retries=0, pulse_every=0.2)

    def good(self, count: int) -> list[Server]:
        return [self._server(name) for name in self.fleet.names[:count]]

    def gone(self) -> Server:
        if "contract-gone" not in self.fleet.names:
            self.fleet.refused("contract-gone")
        return self._server("contract-gone")

    def sudoer(self) -> Server:
        account = need(self.fleet.account, "password")
        if "contract-sudoer" not in self.fleet.names:
            self.fleet.add("contract-sudoer", ansible_user=account.name, ansible_become_password=account.password)
        return self._server("contract-sudoer")

    def expect(self, server: Server, streams: Sequence[bytes]) -> None:
        """Its servers are real."""

    def _server(self, name: str) -> Server:
        return Server(name, variables=self.fleet.variables(name))


class AnsibleScene(SshScene):
    """The same servers, by way of Ansible."""

    flowing = False

    def runner(self) -> Runner:
        from maintops.runners.ansible import AnsibleRunner

        sources, known_hosts = [str(self.fleet.inventory)], self.fleet.known_hosts
        return AnsibleRunner(sources, known_hosts=known_hosts, host_keys="strict", clock=now, pulse_every=0.2)


class ReplayScene:
    real = False
    flowing = False

    def __init__(self) -> None:
        self.streams: dict[str, Sequence[bytes]] = {}

    def runner(self) -> Runner:
        from maintops.runners.replay import ReplayRunner

        return ReplayRunner(self.streams, now, pulse_every=0.2)

    def good(self, count: int) -> list[Server]:
        return [Server(f"r{number}") for number in range(count)]

    def gone(self) -> Server:
        return Server("gone")

    def sudoer(self) -> Server:
        return Server("sudoer")

    def expect(self, server: Server, streams: Sequence[bytes]) -> None:
        self.streams[server.name] = streams


SCENES: dict[str, Callable[[pytest.FixtureRequest], Scene]] = {
    "ssh": lambda request: SshScene(request.getfixturevalue("fleet")),
    "ansible": lambda request: AnsibleScene(request.getfixturevalue("fleet")),
    "replay": lambda request: ReplayScene(),
}


@pytest.fixture(params=list(SCENES))
def scene(request: pytest.FixtureRequest) -> Scene:
    return SCENES[request.param](request)


def _trips(scene: Scene, servers: Sequence[Server], *spoken: tuple[Script, bytes]) -> list[Trip]:
    """Trips that carry scripts whose streams are known beforehand."""
    for server in servers:
        scene.expect(server, [stream for _, stream in spoken])
    return [Trip(server, tuple(script for script, _ in spoken)) for server in servers]


def _says(answer: str) -> tuple[Script, bytes]:
    return script(f"echo '{answer}'"), heard(f"{answer}\n".encode())


def test_every_server_is_delivered_once_with_its_stream(scene: Scene) -> None:
    servers = scene.good(4)
    said = _says("all is well")
    before = now()
    found = ask(scene.runner(), _trips(scene, servers, said), forks=3)
    assert set(found) == {server.name for server in servers}
    for delivery in found.values():
        assert [(reply.stream, reply.failure) for reply in delivery.replies] == [(said[1], None)]
        assert before <= delivery.started <= delivery.ended <= now()


def test_two_scripts_are_answered_in_their_order(scene: Scene) -> None:
    first, second = _says("the first"), _says("the second")
    (delivery,) = ask(scene.runner(), _trips(scene, scene.good(1), first, second)).values()
    assert [reply.stream for reply in delivery.replies] == [first[1], second[1]]


def test_a_server_that_cannot_be_reached_is_data_and_holds_nobody_up(scene: Scene) -> None:
    gone, said = scene.gone(), _says("here")
    asked = [*_trips(scene, scene.good(2), said), Trip(gone, (said[0], said[0]))]
    found = ask(scene.runner(), asked)
    assert len(found) == 3
    assert [reply.stream for reply in found[gone.name].replies] == [b"", b""]
    for index in (0, 1):
        assert failure(found[gone.name], index).kind is FailureKind.UNREACHABLE
        assert failure(found[gone.name], index).why.strip()
    assert all(one.replies[0].failure is None for name, one in found.items() if name != gone.name)


def test_bytes_arrive_as_they_were_printed(scene: Scene) -> None:
    every = bytes(range(256))
    octal = "".join(f"\\{number:03o}" for number in every)
    text = f"printf '{octal}'; printf 'cr\\r\\ncrlf'; printf 'no end'"
    stream = heard(every + b"cr\r\ncrlf" + b"no end")
    (delivery,) = ask(scene.runner(), _trips(scene, scene.good(1), (script(text), stream))).values()
    assert delivery.replies[0].stream == stream
    assert delivery.replies[0].failure is None


def test_a_script_may_hold_any_ascii_text(scene: Scene) -> None:
    text = (
        "cat <<'END'\n" + "".join(chr(number) for number in range(32, 127)) + "\n\\n \\0041 ${#x} {{ x }} {% x %}\nEND"
    )
    stream = heard(text.encode().removeprefix(b"cat <<'END'\n").removesuffix(b"END"))
    (delivery,) = ask(scene.runner(), _trips(scene, scene.good(1), (script(text), stream))).values()
    assert delivery.replies[0].stream == stream


def test_a_script_reads_nothing_from_its_standard_input(scene: Scene) -> None:
    spoken = (script("cat; echo end", become=True), heard(b"end\n"))
    (delivery,) = ask(scene.runner(), _trips(scene, [scene.sudoer()], spoken)).values()
    assert (delivery.replies[0].stream, delivery.replies[0].failure) == (spoken[1], None)


def test_become_is_for_the_scripts_that_ask_for_it(scene: Scene) -> None:
    server = scene.sudoer()
    login = str(server.variables.get("ansible_user", getpass.getuser()))
    plain = (script("id -un"), heard(f"{login}\n".encode()))
    raised = (script("id -un", become=True), heard(b"root\n"))
    (delivery,) = ask(scene.runner(), _trips(scene, [server], plain, raised)).values()
    assert [(reply.stream, reply.failure) for reply in delivery.replies] == [(plain[1], None), (raised[1], None)]


def test_a_stream_that_is_too_long_is_cut_at_the_limit(scene: Scene) -> None:
    flood = script("yes flood | head -c 200000", limit=1000)
    (delivery,) = ask(scene.runner(), _trips(scene, scene.good(1), (flood, heard(b"flood\n" * 40000)))).values()
    assert failure(delivery).kind is FailureKind.OVERFLOW
    assert delivery.replies[0].stream == heard(b"flood\n" * 1000)[:1000]


@pytest.fixture
def board() -> Iterator[Path]:
    """A folder that the scripts of every server on this machine can write to."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


def test_no_more_servers_are_asked_at_once_than_forks(scene: Scene, board: Path) -> None:
    if not scene.real:
        pytest.skip("no server is asked: answers are read from a recording")
    mark = f"{board}/$$"
    counting = script(f"mkdir {mark}; ls {board} | wc -l; sleep 0.3; rmdir {mark}")
    found = ask(scene.runner(), [Trip(server, (counting,)) for server in scene.good(6)], forks=2)
    counts = [int(delivery.replies[0].stream.split()[1]) for delivery in found.values()]
    assert len(counts) == 6
    assert max(counts) == 2, counts


def test_pulses_tell_who_is_being_asked(scene: Scene) -> None:
    if not scene.real:
        pytest.skip("a recording is read at once: nobody is ever being asked")
    (server,) = scene.good(1)
    arrivals = list(scene.runner().ask([Trip(server, (script("sleep 1.5"),))], forks=1, stop=lambda: None))
    pulses = [arrival for arrival in arrivals if isinstance(arrival, Pulse)]
    assert any(server.name in pulse.in_flight for pulse in pulses)
    assert all(set(pulse.in_flight) <= {server.name} for pulse in pulses)
    assert len(arrivals) == len(pulses) + 1, "and one delivery"


def test_stop_cuts_what_is_in_flight_and_begins_nothing_more(scene: Scene, board: Path) -> None:
    # A server says on the board that it was begun, a while after it has said so in its stream.
    slow, stream = script(f"echo begun; sleep 0.5; mkdir {board}/$$; sleep 60; echo never"), heard(b"begun\nnever\n")
    at_once = 2 if scene.real else 0

    def stop() -> str | None:
        return "cancelled by the test" if len(list(board.iterdir())) >= at_once else None

    found = ask(scene.runner(), _trips(scene, scene.good(5), (slow, stream), (slow, stream)), forks=2, stop=stop)
    assert len(found) == at_once
    for delivery in found.values():
        assert delivery.replies[0].stream == (heard(b"begun\n") if scene.flowing else b"")
        assert [failure(delivery, index).kind for index in (0, 1)] == [FailureKind.STOPPED] * 2
        assert delivery.replies[0].stream or failure(delivery, 0).blind, "what was begun is told, or that nobody knows"
        assert "cancelled by the test" in failure(delivery).why


def test_nobody_to_ask_is_nothing_to_do(scene: Scene) -> None:
    assert list(scene.runner().ask([], forks=5, stop=lambda: None)) == []


def test_good_servers_are_not_refused(scene: Scene) -> None:
    assert [scene.runner().refusal(server) for server in scene.good(2)] == [None, None]


def test_a_reader_that_goes_away_leaves_nothing_running(scene: Scene) -> None:
    said, before = _says("hello"), set(threading.enumerate())
    arrivals = scene.runner().ask(_trips(scene, scene.good(6), said), forks=2, stop=lambda: None)
    assert isinstance(_first(arrivals), Delivery)
    arrivals.close()  # type: ignore[attr-defined]  # every runner's `ask` is a generator
    deadline = time.monotonic() + 20
    while left := set(threading.enumerate()) - before:  # a connection that was being made takes a moment to end
        assert time.monotonic() < deadline, left
        time.sleep(0.01)


def _first(arrivals: Iterator[Delivery | Pulse]) -> Delivery:
    return next(arrival for arrival in arrivals if isinstance(arrival, Delivery))
