"""Management controllers asked over the network: emulators that answer as real ones do, and listeners that do not."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from maintops.domain.answers import Measured, parts
from maintops.domain.ports import Failure, FailureKind, Inquiry, Pulse, Stop, Told
from maintops.domain.servers import Server
from maintops.probes.catalogue import builtin
from maintops.runners import redfish, redfish_lines
from maintops.runners.bmcs import BmcContact
from tests.lab import redfish as lab
from tests.lab.bmc import Bmc, sensor_reads
from tests.lab.fixtures import need
from tests.lab.listeners import Answers, Handler, certified, listener, now, service
from tests.lab.sshd import free_port

pytestmark = pytest.mark.fleet

RECORDED = Path(__file__).parents[2].parent / "shared" / "data" / "redfish-rackmount1"
SECRET = "correct-horse-9"
LOGIN = {"maintops_bmc_user": "keeper", "maintops_bmc_password": SECRET}


def never() -> str | None:
    return None


def inquiries(name: str, variables: dict[str, Any], probes: Sequence[str], timeout: float = 20) -> list[Inquiry]:
    server = Server(name, variables=variables)
    asked = []
    for number, probe in enumerate(probes):
        text = builtin().probe(probe).question({})
        assert isinstance(text, str)
        asked.append(Inquiry(server, f"HW-{number}", builtin().probe(probe).reach, text, timeout, 1024 * 1024))
    return asked


def inquire(asked: Sequence[Inquiry], stop: Stop = never, forks: int = 8) -> list[Told]:
    heard = BmcContact(now, pulse_every=0.2).inquire(asked, forks=forks, stop=stop)
    return [one for one in heard if isinstance(one, Told)]


def ask(url: str, *probes: str, timeout: float = 20, stop: Stop = never, **variables: Any) -> list[Told]:
    mine = {"maintops_bmc_address": url} | {f"maintops_bmc_{name}": value for name, value in variables.items()}
    return inquire(inquiries("web1", mine, probes or ["redfish-health"], timeout), stop)


def failure(told: Told) -> Failure:
    assert told.failure is not None, told.answer
    assert told.answer is None
    assert SECRET not in told.failure.why
    return told.failure


def unreachable(url: str, why: str) -> Failure:
    return Failure(FailureKind.UNREACHABLE, f"its management controller ({url.rpartition('/')[2]}): {why}")


def subjects(probe: str, told: Told) -> set[str | None]:
    assert told.answer is not None, told.failure
    reading = builtin().probe(probe).read(told.answer, {})
    assert isinstance(reading, Measured), reading
    return {one.subject for one in reading.subjects}


# --- emulators --------------------------------------------------------------------------------------------------------


def test_a_recorded_tree_is_gathered_and_read() -> None:
    if not RECORDED.exists():
        pytest.skip(f"no recording at {RECORDED}")
    probes = [name for name in builtin().probes if name.startswith("redfish-")]
    with ExitStack() as stack:
        served = need(stack.enter_context, lab.recorded(RECORDED))
        told = dict(zip(probes, ask(served.url, *probes), strict=True))
    assert subjects("redfish-health", told["redfish-health"]) == {"Systems/437XR1138R2", "Chassis/1U", "Managers/BMC"}
    assert "Memory/DIMM1" in subjects("redfish-memory", told["redfish-memory"])
    assert "PowerSubsystem/PowerSupplies/Bay1" in subjects("redfish-power", told["redfish-power"])
    assert "Thermal/Temperatures/CPU1 Temp" in subjects("redfish-thermal", told["redfish-thermal"])
    assert len(subjects("redfish-firmware", told["redfish-firmware"])) == 3


@pytest.fixture(scope="module")
def emulated() -> Iterator[lab.Redfish]:
    with ExitStack() as stack:
        yield need(stack.enter_context, lab.emulated())


def test_a_controller_without_sessions_is_asked_with_the_password(emulated: lab.Redfish) -> None:
    first, second = ask(
        emulated.url, "redfish-health", "redfish-thermal", user=emulated.user, password=emulated.password
    )
    assert len(subjects("redfish-health", first)) == 3
    assert subjects("redfish-thermal", second)


def test_a_wrong_password_is_refused_and_not_tried_again(emulated: lab.Redfish) -> None:
    told = ask(emulated.url, "redfish-health", "redfish-thermal", user=emulated.user, password=SECRET)
    assert {failure(one).kind for one in told} == {FailureKind.UNREACHABLE}
    assert "refused the login" in failure(told[0]).why


@pytest.fixture(scope="module")
def bmc() -> Iterator[Bmc]:
    made = Bmc()
    need(made.__enter__)
    try:
        yield made
    finally:
        made.stop()


def over_ipmi(bmc: Bmc, *probes: str, timeout: float = 20, **other: Any) -> list[Told]:
    said = {"user": bmc.user, "password": bmc.password, "ipmi_port": bmc.port, "cipher": 3} | other
    return ask(bmc.address, *probes, timeout=timeout, **said)


def test_sensors_and_events_are_asked_by_ipmi(bmc: Bmc) -> None:
    with sensor_reads(bmc, "CPU Temp", 95):
        sensors, events = over_ipmi(bmc, "bmc-sensors", "bmc-events")
    assert sensors.answer is not None
    reading = builtin().probe("bmc-sensors").read(sensors.answer, {})
    assert isinstance(reading, Measured)
    facts = {one.subject: one.facts for one in reading.subjects}
    assert facts["CPU Temp"]["celsius"] == 95
    assert facts["CPU Temp"]["severity"] == "critical"
    assert facts["CPU Temp"]["upper_critical"] == 90
    assert facts["Fan1"]["severity"] == "ok"
    assert events.answer is not None
    assert set(parts(events.answer.stdout)) == {"sel info", "sel elist"}
    logged = builtin().probe("bmc-events").read(events.answer, {})
    assert isinstance(logged, Measured)
    assert logged.subjects[0].facts["entries"] >= 3


@pytest.mark.parametrize("other", [{"password": SECRET}, {"user": "nobody"}, {"interface": "lan", "password": SECRET}])
def test_no_session_is_a_failure_of_all_that_was_asked(bmc: Bmc, other: dict[str, Any]) -> None:
    told = over_ipmi(bmc, "bmc-sensors", "bmc-events", timeout=30, **other)
    assert {failure(one).kind for one in told} == {FailureKind.UNREACHABLE}


def test_a_silent_controller_takes_no_more_than_its_time(bmc: Bmc) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        began = time.monotonic()
        (told,) = over_ipmi(bmc, "bmc-sensors", timeout=1, ipmi_port=silent.getsockname()[1])
    assert failure(told).kind is FailureKind.OVERTIME
    assert time.monotonic() - began < 5


# --- a service of our own, that behaves as it is told -----------------------------------------------------------------


ROOT = {
    "RedfishVersion": "1.6.0",
    "Systems": {"@odata.id": "/redfish/v1/Systems"},
    "Links": {"Sessions": {"@odata.id": "/redfish/v1/SessionService/Sessions"}},
}
SYSTEMS = {"Members": [{"@odata.id": "/redfish/v1/Systems/1"}]}
SYSTEM = {"@odata.type": "#ComputerSystem.v1_0_0.ComputerSystem", "Status": {"Health": "OK", "State": "Enabled"}}
TREE: dict[str, object] = {"/redfish/v1/": ROOT, "/redfish/v1/Systems": SYSTEMS, "/redfish/v1/Systems/1": SYSTEM}


def good(handler: Handler) -> None:
    """A controller with sessions; what is not known to it is not found."""
    if handler.command == "POST":
        body = json.loads(handler.server.bodies[-1])
        if body != {"UserName": "keeper", "Password": SECRET}:
            return handler.say({"error": {"message": f"wrong: {body}"}}, 401)
        where = "https://inner.example/redfish/v1/SessionService/Sessions/7"
        return handler.say({}, 201, X_Auth_Token="token-7", Location=where)
    if handler.command == "DELETE":
        return handler.say({}, 200)
    if handler.path != "/redfish/v1/" and handler.headers["X-Auth-Token"] != "token-7":
        return handler.say({"error": {}}, 401)
    found = TREE.get(handler.path)
    return handler.say(found or {"error": {}}, 200 if found else 404)


def only(path: str, act: Answers) -> Answers:
    return lambda handler: act(handler) if handler.path == path else good(handler)


def login(url: str, *probes: str, password: str = SECRET, timeout: float = 20, stop: Stop = never) -> list[Told]:
    return ask(url, *probes, user="keeper", password=password, timeout=timeout, stop=stop)


def test_one_session_serves_all_and_is_given_back() -> None:
    with service(good) as served:
        told = login(served.url, "redfish-health", "redfish-memory", "redfish-storage")
        assert [one.failure for one in told] == [None] * 3
        assert subjects("redfish-health", told[0]) == {"Systems/1"}
        assert len(served.bodies) == 1
        assert served.paths("DELETE") == ["/redfish/v1/SessionService/Sessions/7"]
        assert len(served.paths()) == len(set(served.paths())), "a resource was fetched twice"
        assert not any("Authorization" in headers for _, _, headers in served.asked)


def test_a_refused_login_repeats_nothing_of_what_was_said() -> None:
    with service(good) as served:
        told = login(served.url, "redfish-health", "redfish-memory", password="wrong-horse")
        assert failure(told[0]) == unreachable(served.url, "it refused the login as keeper (HTTP status 401)")
        assert "wrong-horse" not in repr(told)
        assert len(served.bodies) == 1


def test_a_right_that_is_missing_is_told_of_one_resource() -> None:
    forbid: Answers = lambda handler: handler.say({"error": {}}, 403)  # noqa: E731
    with service(only("/redfish/v1/Systems/1", forbid)) as served:
        (told,) = login(served.url)
        assert told.answer is not None
        assert json.loads(told.answer.stdout)["/redfish/v1/Systems/1"] == {"error": {"code": "HTTP 403"}}
        assert len(served.bodies) == 1, "it logged in again"


def test_a_redirect_is_followed_at_home_and_nowhere_else() -> None:
    strangers: list[Any] = []
    with service(lambda handler: strangers.append(dict(handler.headers)) or handler.say({})) as stranger:
        there = stranger.url

        def send(handler: Handler) -> None:
            moved = {"/redfish/v1/": "/redfish/v1/root", "/redfish/v1/Systems/1": f"{there}/redfish/v1/Systems/1"}
            if handler.path == "/redfish/v1/root":
                return handler.say(ROOT)
            if handler.path in moved:
                return handler.say({}, 308, Location=moved[handler.path])
            return good(handler)

        with service(send) as served:
            (told,) = login(served.url)
    assert told.answer is not None
    assert json.loads(told.answer.stdout)["/redfish/v1/Systems/1"] == {"error": {"code": "elsewhere"}}
    assert strangers == []


def test_a_login_that_is_sent_elsewhere_is_not_made() -> None:
    strangers: list[Any] = []
    with service(lambda handler: strangers.append(handler.path) or handler.say({})) as stranger:
        elsewhere = {**ROOT, "Links": {"Sessions": {"@odata.id": f"{stranger.url}/redfish/v1/Sessions"}}}
        with service(only("/redfish/v1/", lambda handler: handler.say(elsewhere))) as served:
            login(served.url)
    assert strangers == []


def test_proxies_and_netrc_of_the_environment_are_not_heeded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login thief password thief\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with service(good) as served:
        assert [one.failure for one in login(served.url)] == [None]
        assert not any("Authorization" in headers for _, _, headers in served.asked)


# --- what is broken or hostile ----------------------------------------------------------------------------------------


def test_a_closed_port_is_refused() -> None:
    url = f"https://127.0.0.1:{free_port('127.0.0.1')}"
    told = ask(url, "redfish-health", "redfish-memory")
    assert [failure(one) for one in told] == [unreachable(url, "connection refused")] * 2


def test_a_name_that_nobody_knows() -> None:
    (told,) = ask("https://bmc.invalid")
    assert failure(told) == unreachable("bmc.invalid:443", "its name cannot be resolved")


@pytest.mark.parametrize("host", ["bmc..example", f"{'b' * 64}.example"])
def test_a_name_that_no_host_can_have(host: str) -> None:
    (told,) = ask(host)
    assert failure(told) == unreachable(f"{host}:443", "its address is no name that a host can have")


def test_one_that_accepts_and_stays_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redfish, "LOGIN_SECONDS", 0.5)
    began = time.monotonic()
    with listener() as url:
        (told,) = login(url)
    assert failure(told) == unreachable(url, "it did not let us in in time")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("drip", [b"X-A: b\r\n", b"H", b"HTTP/1.1 200 OK\r\n"])
def test_one_that_drips(drip: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redfish, "LOGIN_SECONDS", 1.0)
    began = time.monotonic()
    with listener(drip, again=True) as url:
        (told,) = login(url)
    assert failure(told).kind is FailureKind.UNREACHABLE
    assert time.monotonic() - began < 6


@pytest.mark.parametrize(
    "garbage", [b"SSH-2.0-OpenSSH_9\r\n", b"\0\xff" * 400 + b"\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n<html>"]
)
def test_one_that_speaks_garbage(garbage: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redfish, "LOGIN_SECONDS", 1.0)
    with listener(garbage) as url:
        (told,) = login(url)
    assert failure(told).kind is FailureKind.UNREACHABLE


@pytest.mark.parametrize("page", [b"<html>login</html>", b"", b"[]", b'{"x": 1}', b'{"RedfishVersion": NaN}', b"\xff"])
def test_a_web_server_that_is_no_controller(page: bytes) -> None:
    with service(lambda handler: handler.say(page)) as served:
        (told,) = login(served.url)
        assert "Redfish service" in failure(told).why
        assert served.bodies == [], "it was given the password"


ERRORS = [
    b"[]",
    b'{"error": "not found"}',
    b'{"error": null}',
    b"[" * 100_000,
    b'{"error": {"@Message.ExtendedInfo": [1]}}',
]


@pytest.mark.parametrize("status", [404, 500])
@pytest.mark.parametrize("body", ERRORS)
def test_an_error_that_is_not_well_formed_costs_its_resource_alone(body: bytes, status: int) -> None:
    with service(only("/redfish/v1/Systems/1", lambda one: one.say(body, status))) as served:
        first, second = login(served.url, "redfish-health", "redfish-firmware")
    assert first.answer is not None, first.failure
    assert json.loads(first.answer.stdout)["/redfish/v1/Systems/1"] == {"error": {"code": f"HTTP {status}"}}
    assert second.failure is None


@pytest.mark.parametrize("body", ERRORS)
def test_an_error_that_is_not_well_formed_refuses_a_login(body: bytes) -> None:
    with service(lambda one: one.say(body, 401) if one.command == "POST" else good(one)) as served:
        assert failure(login(served.url)[0]) == unreachable(
            served.url, "it refused the login as keeper (HTTP status 401)"
        )
    with service(lambda one: one.say(body, 403) if one.command == "DELETE" else good(one)) as served:
        assert subjects("redfish-health", login(served.url)[0]) == {"Systems/1"}
    with service(only("/redfish/v1/", lambda one: one.say(body, 404))) as served:
        assert failure(login(served.url)[0]) == unreachable(served.url, "it gives no Redfish service (HTTP 404)")


@pytest.mark.parametrize("body", ERRORS)
def test_a_login_that_brings_no_key_is_none(body: bytes) -> None:
    def keyless(handler: Handler) -> None:
        if handler.command == "POST":
            return handler.say(body, 201)
        return handler.say(TREE[handler.path])

    with service(keyless) as served:
        assert subjects("redfish-health", login(served.url)[0]) == {"Systems/1"}
        assert "Authorization" in served.asked[-1][2]


@pytest.mark.parametrize("location", ["http://[", "http://[::1", "//\u2100/"])
def test_a_redirect_to_no_address(location: str) -> None:
    astray: Answers = lambda one: one.say({}, 308, Location=location.encode().decode("latin-1"))  # noqa: E731
    with service(only("/redfish/v1/", astray)) as served:
        assert "it gives no Redfish service" in failure(login(served.url)[0]).why
    with service(only("/redfish/v1/Systems/1", astray)) as served:
        (told,) = login(served.url)
        assert told.answer is not None, told.failure
        assert json.loads(told.answer.stdout)["/redfish/v1/Systems/1"]["error"]["code"] in ("unreadable", "elsewhere")


def test_resources_that_are_too_much_together_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maintops.runners.redfish_trees.MOST_BYTES", 1024 * 1024)
    members = [{"@odata.id": f"/redfish/v1/Systems/{number}"} for number in range(120)]

    def pour(handler: Handler) -> None:
        if handler.path == "/redfish/v1/Systems":
            return handler.say({"Members": members})
        return handler.say(SYSTEM | {"Filling": "x" * 300_000})

    with service(lambda one: pour(one) if "/Systems" in one.path else good(one)) as served:
        told = login(served.url, "redfish-health", "redfish-memory")
        assert len([path for path in served.paths() if "/Systems/" in path]) == 4
    assert {failure(one).kind for one in told} == {FailureKind.OVERFLOW}
    assert "MiB together" in failure(told[0]).why


def endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b'{"a": "' + b"x" * 65536)


def test_an_endless_resource_is_an_overflow() -> None:
    with service(only("/redfish/v1/Systems/1", endless)) as served:
        first, second = login(served.url, "redfish-health", "redfish-firmware")
        assert failure(first).kind is FailureKind.OVERFLOW
        assert second.failure is None


def test_a_bomb_is_not_unpacked_to_its_end() -> None:
    bomb = gzip.compress(b" " * (redfish_lines.LONGEST_ANSWER + 1))
    with service(only("/redfish/v1/Systems/1", lambda one: one.say(bomb, Content_Encoding="gzip"))) as served:
        assert failure(login(served.url)[0]).kind is FailureKind.OVERFLOW
    small = gzip.compress(json.dumps(SYSTEM).encode())
    with service(only("/redfish/v1/Systems/1", lambda one: one.say(small, Content_Encoding="gzip"))) as served:
        assert subjects("redfish-health", login(served.url)[0]) == {"Systems/1"}


def drip(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b" ")
        time.sleep(0.05)


def test_a_resource_that_drips_costs_its_own_check_alone() -> None:
    began = time.monotonic()
    with service(only("/redfish/v1/Systems/1", drip)) as served:
        first, second = login(served.url, "redfish-health", "redfish-firmware", timeout=1)
        assert failure(first).kind is FailureKind.OVERTIME
        assert second.failure is None
        assert served.paths("DELETE")
    assert time.monotonic() - began < 8


def test_a_tree_without_end_is_an_overflow() -> None:
    def grow(handler: Handler) -> None:
        page = int(handler.path.rpartition("=")[2]) if "=" in handler.path else 0
        more = {"Members@odata.nextLink": f"/redfish/v1/Systems?page={page + 1}"}
        members = [{"@odata.id": f"/redfish/v1/Systems/{page}-{number}", "Id": "x"} for number in range(100)]
        handler.say({"Members": members, **more})

    with service(lambda one: grow(one) if "/Systems" in one.path else good(one)) as served:
        assert failure(login(served.url)[0]).kind is FailureKind.OVERFLOW


def test_a_connection_that_is_dropped_once_is_tried_again() -> None:
    dropped: list[str] = []

    def drop(handler: Handler) -> None:
        if handler.path == "/redfish/v1/Systems/1" and not dropped:
            dropped.append(handler.path)
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True
            return None
        return good(handler)

    with service(drop) as served:
        assert subjects("redfish-health", login(served.url)[0]) == {"Systems/1"}
    assert dropped


def test_a_controller_that_dies_in_the_middle_is_broken() -> None:
    def die(handler: Handler) -> None:
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True

    with service(only("/redfish/v1/Systems/1", die)) as served:
        told = login(served.url, "redfish-health", "redfish-memory")
        assert [failure(one).kind for one in told] == [FailureKind.BROKEN] * 2


# --- certificates -----------------------------------------------------------------------------------------------------


def test_a_certificate_is_verified_unless_somebody_says_no(tmp_path: Path) -> None:
    context, authority = certified(tmp_path)
    with service(good, context) as served:
        (told,) = login(served.url)
        assert failure(told).kind is FailureKind.UNREACHABLE
        assert "its certificate cannot be verified" in failure(told).why
        assert served.bodies == []
        for verify in (False, str(authority)):
            (told,) = ask(served.url, user="keeper", password=SECRET, verify=verify)
            assert subjects("redfish-health", told) == {"Systems/1"}


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_of_authorities_that_is_none(tmp_path: Path, content: str | None) -> None:
    if content:
        (tmp_path / "ca.pem").write_text(content)
    (told,) = ask("https://127.0.0.1:9", verify=str(tmp_path / "ca.pem"))
    assert "maintops_bmc_verify" in failure(told).why


def test_no_tls_where_tls_is_asked_for() -> None:
    with service(good) as served:
        (told,) = login(served.url.replace("http:", "https:"))
        assert "no TLS connection" in failure(told).why


# --- many at once -----------------------------------------------------------------------------------------------------


def test_many_are_asked_at_once_and_a_bad_one_stops_nobody() -> None:
    def slow(handler: Handler) -> None:
        time.sleep(0.3)
        good(handler)

    asked: list[Inquiry] = []
    with ExitStack() as stack:
        for number in range(12):
            served = stack.enter_context(service(only("/redfish/v1/Systems/1", slow)))
            url = served.url if number != 5 else "http://127.0.0.1:9"
            said = {"maintops_bmc_address": url, **LOGIN}
            asked += inquiries(f"web{number}", said, ["redfish-health", "redfish-memory"])
        asked += inquiries("web-none", {}, ["redfish-health"])
        began = time.monotonic()
        told = inquire(asked, forks=12)
    assert time.monotonic() - began < 3, "one after the other takes 12 times as long"
    assert sorted((one.server, one.check) for one in told) == sorted((one.server.name, one.check) for one in asked)
    assert {one.server for one in told if one.failure} == {"web5", "web-none"}
    assert all(one.started <= one.ended for one in told)


def test_a_controller_of_two_servers_is_asked_by_one_thread_at_a_time() -> None:
    inside: list[str] = []
    together: list[list[str]] = []

    def watch(handler: Handler) -> None:
        inside.append(handler.path)
        together.append(inside[:])
        time.sleep(0.1)
        good(handler)
        inside.remove(handler.path)

    with service(watch) as served:
        said = {"maintops_bmc_address": served.url, **LOGIN}
        told = inquire([one for name in ("node1", "node2") for one in inquiries(name, said, ["redfish-health"])])
    assert [one.failure for one in told] == [None, None]
    assert {len(some) for some in together} == {1}


def test_a_run_that_is_stopped_cuts_off_and_tells_why() -> None:
    entered = threading.Event()

    def hang(handler: Handler) -> None:
        entered.set()
        time.sleep(20)

    with service(only("/redfish/v1/Systems/1", hang)) as served:
        said = {"maintops_bmc_address": served.url, **LOGIN}
        asked = inquiries("web1", said, ["redfish-health", "redfish-memory"])
        asked += inquiries("web2", said, ["redfish-health"])
        began = time.monotonic()
        told = inquire(asked, stop=lambda: "cancelled" if entered.is_set() else None, forks=1)
        assert time.monotonic() - began < 8
        assert [(one.server, failure(one)) for one in told] == [("web1", Failure(FailureKind.STOPPED, "cancelled"))] * 2
        assert served.paths("DELETE"), "the session was forgotten"


def test_it_shows_that_it_lives() -> None:
    def slow(handler: Handler) -> None:
        time.sleep(1)
        good(handler)

    with service(only("/redfish/v1/Systems/1", slow)) as served:
        asked = inquiries("web1", {"maintops_bmc_address": served.url, **LOGIN}, ["redfish-health"])
        heard = list(BmcContact(now, pulse_every=0.2).inquire(asked, forks=1, stop=never))
    assert any(isinstance(one, Pulse) and "web1" in one.in_flight for one in heard)
    assert list(BmcContact(now).inquire([], forks=1, stop=never)) == []
