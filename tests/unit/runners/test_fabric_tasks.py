"""Functions over Fabric: how they are loaded and checked, what is said of their end, and the watch over threads."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import invoke
import paramiko
import pytest
from fabric import Connection

from maintops.domain.ports import Deed, Done, Failure, FailureKind, Previewed, Pulse, Trip
from maintops.domain.servers import Server
from maintops.errors import UsageError
from maintops.runners import fabric_tasks
from maintops.runners.addresses import Become, Hop
from maintops.runners.fabric_tasks import FabricTasks
from maintops.runners.flights import Flight


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fabric_tasks, "_loaded", {})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "deeds.py"


def tasks() -> FabricTasks:
    return FabricTasks(None, "strict", now)


def mistake(file: Path, text: str, name: str = "f") -> str:
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        tasks().check(Deed(fabric=f"{file}:{name}"))
    return str(caught.value)


# --- loading ----------------------------------------------------------------------------------------------------------


def test_a_good_function_is_found_and_nothing_is_left_behind(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file.write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass(slots=True)\nclass Note:\n    text: str\n"
        "def f(connection, parameters):\n    return Note('x').text\n"
        "def g(*anything): ...\ndef h(connection, parameters, more=1): ...\n"
    )
    path = list(sys.path)
    for name in "fgh":
        tasks().check(Deed(fabric=f"{file}:{name}"))
    assert sys.path == path
    assert [one.name for one in file.parent.iterdir()] == ["deeds.py"], "no compiled file beside it"
    assert "deeds" not in sys.modules


def test_a_file_is_loaded_once(file: Path) -> None:
    file.write_text(
        "from pathlib import Path\nlog = Path(__file__).with_suffix('.log')\n"
        "with log.open('a') as f: f.write('loaded ')\ndef f(connection, parameters): ...\n"
    )
    for _ in range(3):
        tasks().check(Deed(fabric=f"{file}:f"))
    assert file.with_suffix(".log").read_text() == "loaded "


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n", ": there is no function f"),
        ("f = 1\n", ": f is a int, not a function"),
        ("\ndef f(connection): ...\n", ":2: f is called as f(connection, parameters), and that does not fit: "),
        ("\ndef f(a, b, c): ...\n", ":2: f is called as f(connection, parameters), and that does not fit: "),
        ("\ndef f(:\n", ":2:7: invalid syntax"),
        ("\nimport nosuchmodule\n", ":2: cannot be loaded: ModuleNotFoundError: No module named 'nosuchmodule'"),
        ("\n\nimport sys\nsys.exit('no')\n", ":4: cannot be loaded: SystemExit: no"),
        ("open('/no/such/file')\n", ":1: cannot be loaded: FileNotFoundError: "),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_line(file: Path, text: str, said: str) -> None:
    assert mistake(file, text).startswith(f"{file}{said}")


def test_a_file_that_cannot_be_loaded_is_every_servers_failure_and_nobody_is_contacted(file: Path) -> None:
    file.write_text("import nosuchmodule")
    deed, servers = Deed(fabric=f"{file}:f"), [Server("a"), Server("b")]
    found = list(tasks().do(deed, servers, forks=2, timeout=1, stop=lambda: None))
    assert [one.server for one in found if isinstance(one, Done)] == ["a", "b"]
    assert {one.failure.kind for one in found if isinstance(one, Done) and one.failure} == {FailureKind.UNUSABLE}


def test_a_missing_file_and_a_reference_that_is_none() -> None:
    with pytest.raises(UsageError, match=r"^/no/such\.py: cannot be read: No such file or directory$"):
        tasks().check(Deed(fabric="/no/such.py:f"))
    for reference in ("relative.py:f", "/p.py", "/p.py:", "/p.py:not a name", ""):
        with pytest.raises(UsageError, match=r"is not /absolute/file\.py:function"):
            tasks().check(Deed(fabric=reference))


def test_a_server_that_the_ssh_engine_refuses_is_unreachable(file: Path) -> None:
    file.write_text("def f(connection, parameters): ...")
    server = Server("x", variables={"ansible_connection": "local"})
    found = list(tasks().do(Deed(fabric=f"{file}:f"), [server], forks=1, timeout=5, stop=lambda: None))
    why = Failure(FailureKind.UNREACHABLE, "its connection is local, not ssh")
    assert [one for one in found if isinstance(one, Done)] == [Done("x", why)]


# --- the call ---------------------------------------------------------------------------------------------------------


class Wire:
    """A transport that stands, or does not."""

    active = True

    def join(self, seconds: float) -> None:
        """It has nothing to wait for."""


def attempt(file: Path, **variables: Any) -> fabric_tasks._Attempt:
    server = Server("x", variables={"ansible_password": "hunter22"})
    deed = Deed(fabric=f"{file}:f", variables=variables)
    made = fabric_tasks._Attempt(server, deed, Flight(Trip(server, ()), now()))
    made.begun = True
    return made


def lent(wire: Wire | None = None) -> fabric_tasks._Lent:
    return fabric_tasks._Lent(Hop("h", 22, "u"), Become(password="sudo-pw"), wire or Wire())  # type: ignore[arg-type]  # all that is asked of one here


def called(file: Path, function: Callable[..., Any], wire: Wire | None = None, **variables: Any) -> Done:
    return fabric_tasks._call(function, lent(wire), attempt(file, **variables), variables)


def loaded(file: Path, body: str) -> Callable[..., Any]:
    file.write_text(f"import invoke\ndef f(connection, parameters):\n{body}")
    return tasks()._function(Deed(fabric=f"{file}:f"))


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (None, Previewed("f", "changed")),
        ("did it\nwell", Previewed("f", "changed", message="did it well")),
        ({"changed": False, "message": "as it was"}, Previewed("f", "ok", message="as it was")),
        ({"moved": 3}, Previewed("f", "changed", message='{"moved": 3}')),
        ("the password is hunter22\x1b[2J", Previewed("f", "changed", message="the password is *** [2J")),
    ],
)
def test_what_a_function_says_of_its_work(file: Path, answer: Any, told: Previewed) -> None:
    assert called(file, lambda connection, parameters: answer) == Done("x", None, (told,))


def test_an_exception_has_its_line_its_kind_and_no_secret(file: Path) -> None:
    function = loaded(file, "    x = 1\n    raise ValueError('login hunter22 s3cret failed')\n")
    why = f"{file}:4: f: ValueError: login *** *** failed"
    assert called(file, function, token="s3cret") == Done("x", Failure(FailureKind.UNUSABLE, why))
    left = called(file, lambda connection, parameters: sys.exit("enough"))
    assert left.failure == Failure(FailureKind.UNUSABLE, f"{file}:1: f: SystemExit: enough")


def test_a_command_that_failed_is_named_with_its_status(file: Path) -> None:
    result = invoke.runners.Result(
        command="apt-get update", exited=100, stdout="out\n", stderr="first\nE: no network\n"
    )

    def fail(connection: Any, parameters: Any) -> None:
        raise invoke.exceptions.UnexpectedExit(result)

    done = called(file, fail)
    assert done.failure is not None
    assert done.failure.why.endswith("f: UnexpectedExit: apt-get update: exit status 100: E: no network")


def test_a_failure_without_a_connection_is_one_of_the_connection(file: Path) -> None:
    wire = Wire()

    def fail(connection: Any, parameters: Any) -> None:
        wire.active = False
        raise EOFError

    failure = called(file, fail, wire).failure
    assert failure is not None
    assert (failure.kind, failure.blind) == (FailureKind.UNREACHABLE, True)


@pytest.mark.parametrize("ends", ["raise EOFError", "return 'all is well'"])
def test_what_was_cut_off_is_told_so_however_the_function_takes_it(file: Path, ends: str) -> None:
    one, function = attempt(file), loaded(file, f"    parameters['cut']()\n    {ends}\n")
    cut = Failure(FailureKind.OVERTIME, "too late")
    fabric_tasks._loaded.clear()
    done = fabric_tasks._call(lambda c, p: function(c, {"cut": lambda: one.flight.end(cut)}), lent(), one, {})
    assert done == Done("x", Failure(FailureKind.OVERTIME, "too late", blind=True))


def test_parameters_are_each_calls_own(file: Path) -> None:
    shared: dict[str, Any] = {"packages": ["a"]}

    def spoil(connection: Any, parameters: dict[str, Any]) -> None:
        parameters["packages"].append("b")
        parameters["more"] = 1

    fabric_tasks._call(spoil, lent(), attempt(file), shared)
    assert shared == {"packages": ["a"]}


def test_a_connection_on_loan_is_neither_closed_nor_made_anew() -> None:
    wire = Wire()
    connection = lent(wire)
    assert isinstance(connection, Connection)
    with connection:
        pass
    assert connection.is_connected
    assert (connection.config.run.hide, connection.config.run.in_stream) == (True, False)
    assert connection.config.sudo.password == "sudo-pw"
    assert isinstance(connection.client._policy, paramiko.RejectPolicy)
    wire.active = False
    with pytest.raises(ConnectionError, match="the connection is gone"):
        connection.run("true")


# --- the watch --------------------------------------------------------------------------------------------------------


def gang(names: str, perform: Callable[[Any], Done]) -> fabric_tasks._Gang:
    deed = Deed(fabric="/f.py:f")
    attempts = [fabric_tasks._Attempt(Server(n), deed, Flight(Trip(Server(n), ()), now())) for n in names]
    return fabric_tasks._Gang(attempts, perform)


def ends(watch: Iterator[Done | Pulse]) -> dict[str, Failure | None]:
    found = [one for one in watch if isinstance(one, Done)]
    assert len({one.server for one in found}) == len(found)
    return {one.server: one.failure for one in found}


def test_no_more_threads_at_once_than_forks() -> None:
    lock, inside, most = threading.Lock(), set(), []
    both = threading.Barrier(2, timeout=30)

    def perform(one: Any) -> Done:
        with lock:
            inside.add(one.name)
            most.append(len(inside))
        both.wait()
        with lock:
            inside.discard(one.name)
        return Done(one.name)

    assert ends(gang("abcdef", perform).watch(2, 60.0, lambda: None, 60.0)) == dict.fromkeys("abcdef")
    assert max(most) == 2


def test_a_thread_that_does_not_end_is_left_alone_and_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fabric_tasks, "PATIENCE", 0.0)
    never = threading.Event()

    def perform(one: Any) -> Done:
        if one.name == "a":
            one.begun = True
            never.wait(60)
        return Done(one.name)

    watched = gang("abc", perform)
    found = ends(watched.watch(1, 0.5, lambda: None, 60.0))
    assert (found["b"], found["c"]) == (None, None)
    failure = found["a"]
    assert failure is not None
    assert (failure.kind, failure.blind) == (FailureKind.OVERTIME, True)
    assert failure.why == (
        "it did not end within 0.5 seconds; its connection was closed, but f goes on here and cannot be ended"
    )
    never.set()


def test_stop_gives_up_who_waits_and_cuts_who_is_at_work() -> None:
    begun = threading.Event()

    def perform(one: Any) -> Done:
        one.begun, ended = True, threading.Event()
        one.flight.hold(ended.set)
        begun.set()
        ended.wait(60)
        return one.cut()  # type: ignore[no-any-return]  # an attempt's

    found = ends(gang("ab", perform).watch(1, 60.0, lambda: "enough" if begun.is_set() else None, 60.0))
    assert found == {
        "a": Failure(FailureKind.STOPPED, "enough", blind=True),
        "b": Failure(FailureKind.STOPPED, "enough"),
    }


def test_a_reader_that_goes_away_cuts_what_is_at_work() -> None:
    ended = threading.Event()

    def perform(one: Any) -> Done:
        one.flight.hold(ended.set)
        ended.wait(60)
        return one.cut()  # type: ignore[no-any-return]  # an attempt's

    crew = gang("a", perform)
    assert isinstance(next(crew.watch(1, 60.0, lambda: None, 0.0)), Pulse)
    crew.dismiss()
    assert ended.is_set()
    assert all(not thread.is_alive() for _, thread in crew._running.values())


def test_a_defect_of_ours_is_that_servers_end(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("def f(connection, parameters): ...")

    def broken(*_: object) -> None:
        raise KeyError("oops")

    monkeypatch.setattr(FabricTasks, "_address", broken)
    found = ends(
        tasks().do(Deed(fabric=f"{file}:f"), [Server("a"), Server("b")], forks=1, timeout=5, stop=lambda: None)
    )
    assert found == dict.fromkeys("ab", Failure(FailureKind.BROKEN, "maintops itself went wrong: KeyError: 'oops'"))
