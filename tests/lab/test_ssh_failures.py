"""The ssh engine on servers that are not as they should be: every failure is data, says what is wrong, and ends."""

from __future__ import annotations

import base64
import socket
import threading
from pathlib import Path

import pytest

from maintops.domain.ports import Failure, FailureKind, Trip
from maintops.domain.servers import Server
from maintops.runners import ssh_sessions
from maintops.runners.ssh import SshRunner
from tests.lab.asking import GREETED, HELLO, ask, delivered, failure, heard, refused, script, ssh_runner, trips
from tests.lab.fixtures import need
from tests.lab.fleet import Fleet
from tests.lab.sshd import make_key

pytestmark = pytest.mark.fleet


# --- no connection ----------------------------------------------------------------------------------------------------


def test_refused(fleet: Fleet) -> None:
    server = fleet.refused("refused")
    assert refused(fleet, "refused").why == f"{server.address} refuses connections on port {server.port}"


def test_a_listener_that_says_nothing(fleet: Fleet) -> None:
    server = fleet.silent("silent")
    why = refused(fleet, "silent", by=ssh_runner(timeout=0.5)).why
    assert why == f"{server.address} accepts connections on port {server.port} but does not answer within 0.5 seconds"


class Listener:
    """A listener of its own making: every connection is handed to `serve`, and counted."""

    def __init__(self, says: bytes, closes: bool) -> None:
        self._says, self._closes, self.count = says, closes, 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self.count += 1
            client.sendall(self._says)
            if self._closes:
                client.close()
            else:
                self._open.append(client)

    def stop(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for one in (self._listening, *self._open):
            one.close()


def listened(says: bytes, closes: bool, by: SshRunner) -> tuple[Failure, int]:
    """What the runner says of a listener, and how often it was called."""
    listener = Listener(says, closes)
    try:
        variables = {"ansible_host": "127.0.0.1", "ansible_port": listener.port, "ansible_user": "x"}
        delivery = ask(by, trips({"odd": variables}, [HELLO]))["odd"]
        return failure(delivery), listener.count
    finally:
        listener.stop()


def test_a_connection_that_is_closed_before_the_login_is_tried_again_within_the_bound() -> None:
    found, count = listened(b"", True, ssh_runner())
    assert found.kind is FailureKind.UNREACHABLE
    assert "closed the connection" in found.why
    assert count == 2


def test_a_listener_that_speaks_something_else() -> None:
    found, count = listened(b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x\r\n" * 200, False, ssh_runner(timeout=2.0))
    assert found.kind is FailureKind.UNREACHABLE
    assert found.why
    assert count == 1


def test_a_handshake_that_stops_half_way_is_not_waited_for() -> None:
    found, _ = listened(b"SSH-2.0-OpenSSH_9.9\r\n", False, ssh_runner(timeout=0.5))
    assert "does not answer within 0.5 seconds" in found.why


def test_a_name_that_nobody_knows() -> None:
    delivery = ask(ssh_runner(), trips({"x": {"ansible_host": "no-such-host.invalid"}}, [HELLO]))["x"]
    assert failure(delivery).kind is FailureKind.UNREACHABLE
    assert "no-such-host.invalid cannot be resolved" in failure(delivery).why


def test_a_server_that_does_not_answer_at_all(fleet: Fleet) -> None:
    server = fleet.deaf("deaf")
    why = refused(fleet, "deaf", by=ssh_runner(timeout=0.3)).why
    assert why == f"{server.address} does not answer on port {server.port} within 0.3 seconds"


@pytest.mark.parametrize("kind", ["silent", "deaf"])
def test_stop_does_not_wait_for_a_connection(fleet: Fleet, kind: str) -> None:
    name, before = f"{kind}-at-stop", set(threading.enumerate())
    getattr(fleet, kind)(name)
    asked = trips({name: fleet.variables(name)}, [HELLO])
    found = ask(ssh_runner(timeout=120.0), asked, stop=lambda: "the deadline has passed")
    assert failure(found[name]) == Failure(FailureKind.STOPPED, "the deadline has passed")
    assert set(threading.enumerate()) <= before, "its thread was cut off, too"


# --- in the middle ----------------------------------------------------------------------------------------------------


def test_a_flood_is_cut_at_the_limit(fleet: Fleet) -> None:
    fleet.flooding("flood")
    delivery = delivered(fleet, "flood", script("", limit=5000))
    assert failure(delivery).kind is FailureKind.OVERFLOW
    assert len(delivery.replies[0].stream) == 5000


def test_a_flood_on_standard_error_is_cut_as_well(fleet: Fleet) -> None:
    delivery = delivered(fleet, "s001", script("yes >&2", limit=5000))
    assert failure(delivery).kind is FailureKind.OVERFLOW
    assert delivery.replies[0].stream == heard(b"")


def test_a_connection_that_dies_in_the_middle(fleet: Fleet) -> None:
    fleet.special("dying")
    folder = fleet.sshd("dying").folder
    folder.chmod(0o777)
    mark = folder / "begun"
    asked = trips({"dying": fleet.variables("dying")}, [script(f"echo first; sleep 0.5; : >{mark}; sleep 60"), HELLO])

    def stop() -> None:
        if mark.exists():
            fleet.sshd("dying").cut()

    delivery = ask(ssh_runner(), asked, stop=stop)["dying"]
    assert delivery.replies[0].stream == heard(b"first\n")
    assert [failure(delivery, index).kind for index in (0, 1)] == [FailureKind.BROKEN] * 2


def test_a_script_that_is_killed_on_the_server(fleet: Fleet) -> None:
    delivery = delivered(fleet, "s001", script("echo first; kill -9 $$"), HELLO)
    assert delivery.replies[0].stream == heard(b"first\n")
    assert failure(delivery).kind is FailureKind.BROKEN
    assert delivery.replies[1].stream == GREETED, "the connection stands: the next script is asked"


def test_a_script_that_takes_too_long(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_sessions, "SLACK", 0.2)
    delivery = delivered(fleet, "s001", script("echo first; sleep 60", seconds=1.0), HELLO)
    assert delivery.replies[0].stream == heard(b"first\n")
    assert failure(delivery).kind is FailureKind.OVERTIME
    assert delivery.replies[1].stream == GREETED


def test_what_a_script_leaves_behind_is_not_waited_for(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_sessions, "LINGER", 1.0)
    delivery = delivered(fleet, "s001", script("sleep 60 & echo hello"))
    assert (delivery.replies[0].stream, delivery.replies[0].failure) == (GREETED, None)


def test_a_server_that_runs_something_else(fleet: Fleet) -> None:
    fleet.forced("closed-account", "echo 'This account is \x1b[31mclosed.'; exit 1")
    delivery = delivered(fleet, "closed-account")
    assert failure(delivery).kind is FailureKind.UNREACHABLE
    assert failure(delivery).why == "the server does not run the script: This account is [31mclosed."


def test_a_server_that_lets_nobody_open_a_session(fleet: Fleet) -> None:
    fleet.special("no-sessions", "MaxSessions 0\n")
    assert refused(fleet, "no-sessions").why.startswith("the server does not run the script")


def test_a_server_without_python_bash_and_timeout(fleet: Fleet) -> None:
    need(fleet.bare, "bare")
    nothing = script("for p in python3 bash timeout; do command -v $p; done; echo hello")
    assert delivered(fleet, "bare", nothing).replies[0].stream == GREETED


def test_a_script_too_long_for_one_command_says_so(fleet: Fleet) -> None:
    why = refused(fleet, "s001", script("#" * 140_000)).why
    assert "too long for one command" in why


def test_a_refused_server_that_is_asked_all_the_same_says_why(fleet: Fleet) -> None:
    delivery = ask(ssh_runner(), [Trip(Server("odd", variables={"ansible_connection": "winrm"}), (HELLO,))])["odd"]
    assert failure(delivery) == Failure(FailureKind.UNREACHABLE, "its connection is winrm, not ssh")


def test_a_server_that_never_says_whether_it_runs_the_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_sessions, "SLACK", 0.2)
    monkeypatch.setattr(ssh_sessions, "OPENING", 0.5)
    with MuteServer(tmp_path) as mute:
        delivery = ask(ssh_runner(mute.known_hosts), trips({"mute": mute.variables}, [script("true", seconds=0.1)]))[
            "mute"
        ]
    assert failure(delivery).kind is FailureKind.OVERTIME


class MuteServer:
    """An SSH server that lets everybody in, opens a session and then never answers a request."""

    def __init__(self, folder: Path) -> None:
        import paramiko

        class Policy(paramiko.ServerInterface):
            def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
                return paramiko.common.AUTH_SUCCESSFUL

            def check_channel_request(self, kind: str, chanid: int) -> int:
                return paramiko.common.OPEN_SUCCEEDED

            def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
                ended.wait(30)
                return False

        ended = self._ended = threading.Event()
        make_key(folder / "login")
        public = make_key(folder / "host").split()
        self._listening = socket.create_server(("127.0.0.1", 0))
        port = self._listening.getsockname()[1]
        self.known_hosts = folder / "known_hosts"
        self.known_hosts.write_text(f"[127.0.0.1]:{port} {' '.join(public)}\n")
        assert base64.b64decode(public[1])
        self.variables = {
            "ansible_host": "127.0.0.1",
            "ansible_port": port,
            "ansible_user": "x",
            "ansible_ssh_private_key_file": str(folder / "login"),
        }
        self._key, self._policy = paramiko.Ed25519Key.from_private_key_file(str(folder / "host")), Policy()
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        import paramiko

        client, _ = self._listening.accept()
        transport = paramiko.Transport(client)
        transport.add_server_key(self._key)
        transport.start_server(server=self._policy)
        self._ended.wait(30)
        transport.close()
        client.close()

    def __enter__(self) -> MuteServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._listening.close()
