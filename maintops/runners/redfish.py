"""Management controllers asked by Redfish: one login, what the checks want fetched once, the login given back.

`inquired` asks one controller with all its inquiries. Whatever the controller says, no text of it that could hold the
password comes into a failure: its own words about a refused login are not repeated.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import requests
from sushy import auth, exceptions
from sushy.connector import Connector
from urllib3.exceptions import LocationValueError, NameResolutionError

from maintops.domain.answers import Answer, UnreadableAnswer
from maintops.domain.bmcs import Bmc
from maintops.domain.ports import Clock, Failure, FailureKind, Inquiry, Told
from maintops.probes.json_answers import load_json
from maintops.runners.flights import Flight
from maintops.runners.redfish_lines import CONNECT_TIMEOUT, SILENCE, Elsewhere, Line, TooLong, connector
from maintops.runners.redfish_trees import (
    MOST_BYTES,
    ROOT,
    Fetched,
    Resource,
    TooHeavy,
    TooMany,
    Tree,
    path_of,
    refused,
    sections,
)

LOGIN_SECONDS = 60.0
"""Seconds that a controller may take over its root and the login."""

LEAVING_SECONDS = 4.0
"""Seconds that it may take over the end of the session."""

_LOST = (requests.exceptions.RequestException, exceptions.ConnectionError)
_STUMBLED = (AttributeError, TypeError, ValueError, RecursionError)
"""What sushy and requests raise over answers that they do not expect: they take errors for well-formed."""


class NoWay(Exception):
    """The controller cannot be asked; the failure says why."""

    def __init__(self, kind: FailureKind, why: str) -> None:
        super().__init__(why)
        self.failure = Failure(kind, why)


def inquired(bmc: Bmc, inquiries: Sequence[Inquiry], flight: Flight, clock: Clock) -> Iterator[Told]:
    """Asks one controller; one Told per inquiry, in their order."""
    waiting, begun = list(inquiries), clock()
    line = Line()
    flight.hold(line.cut)
    try:
        with _entered(bmc, line, flight) as tree:
            while waiting:
                begun = clock()
                told = _told(waiting[0], tree, line, flight)
                yield replace(told, started=begun, ended=clock())
                waiting.pop(0)
    except NoWay as error:
        failure = flight.ended or error.failure
        for one in waiting:
            yield Told(one.server.name, one.check, None, failure, begun, clock())
    finally:
        flight.hold(None)
        line.close()


def _told(inquiry: Inquiry, tree: Tree, line: Line, flight: Flight) -> Told:
    began = time.monotonic()
    answer: Answer | None = None
    failure: Failure | None = None
    try:
        with _within(inquiry.timeout, line, "it did not answer all of it in time", FailureKind.OVERTIME):
            document = tree.document(sections(inquiry.question))
        answer = Answer(document, seconds=time.monotonic() - began)
        if len(document) > inquiry.limit:
            answer, failure = None, Failure(FailureKind.OVERFLOW, f"its resources have {len(document)} bytes")
    except ValueError as error:
        failure = Failure(FailureKind.UNUSABLE, str(error))
    except TooMany:
        failure = Failure(FailureKind.OVERFLOW, "it has more resources than any can have")
    except TooHeavy:
        why = f"its resources have more than {MOST_BYTES // 1024**2} MiB together"
        failure = Failure(FailureKind.OVERFLOW, why)
    except TooLong:
        failure = Failure(FailureKind.OVERFLOW, "it answers with more bytes than a resource can have")
    except NoWay as error:
        if error.failure.kind is not FailureKind.OVERTIME or flight.ended:
            raise
        failure = error.failure  # what others ask may take less time
    now = flight.started
    return Told(inquiry.server.name, inquiry.check, answer, failure, now, now)


@contextmanager
def _within(seconds: float, line: Line, why: str, kind: FailureKind) -> Iterator[None]:
    """Cuts the line when the time is over, however little comes how slowly."""
    overdue = threading.Event()

    def ring() -> None:
        overdue.set()
        line.cut()

    timer = threading.Timer(seconds, ring)
    timer.daemon = True
    timer.start()
    try:
        yield
    except NoWay:
        if not overdue.is_set():
            raise
        raise NoWay(kind, why) from None
    finally:
        timer.cancel()
        if overdue.is_set():
            line.mend()


# --- one session ------------------------------------------------------------------------------------------------------


@contextmanager
def _entered(bmc: Bmc, line: Line, flight: Flight) -> Iterator[Tree]:
    """A controller's tree, behind its login; the session is closed again."""
    try:
        way = connector(bmc, line)
    except OSError as error:
        why = "the file of authorities (maintops_bmc_verify) cannot be read or holds no certificate"
        raise NoWay(FailureKind.UNREACHABLE, why) from error
    session: auth.AuthBase | None = None
    try:
        why = "it did not let us in in time"
        with _within(LOGIN_SECONDS, line, why, FailureKind.UNREACHABLE):
            root = _root(way, line, flight)
            if bmc.user:
                session = _logged_in(bmc, way, root)
        basic = isinstance(session, auth.BasicAuth)
        yield Tree(root, lambda path: _fetched(way, path, line, flight, basic=basic))
    finally:
        if isinstance(session, auth.SessionAuth):
            _leave(session, line)
        way.close()


def _root(way: Connector, line: Line, flight: Flight) -> Resource:
    try:
        root, _ = _fetched(way, ROOT, line, flight, basic=False)
    except TooLong:
        root = {}
    except NoWay as error:
        raise NoWay(FailureKind.UNREACHABLE, error.failure.why) from None
    if "error" in root:
        raise NoWay(FailureKind.UNREACHABLE, f"it gives no Redfish service ({root['error']['code']})")
    if not {"RedfishVersion", "Systems", "Chassis", "Managers"} & root.keys():
        raise NoWay(FailureKind.UNREACHABLE, "what answers there is no Redfish service")
    return root


class _Door:
    """Where sushy's session logs in: sushy's own root would fetch more of the tree, and come back when it is freed."""

    def __init__(self, way: Connector, path: str) -> None:
        self._way, self._path = way, path

    def create_session(self, user: str, password: str) -> tuple[str, str | None]:
        """The session's key and its path. Raises sushy's errors."""
        answer = self._way.post(self._path, data={"UserName": user, "Password": password})
        key = answer.headers.get("X-Auth-Token")
        if not key:
            raise exceptions.MissingXAuthToken(method="POST", url=self._path, response=answer)
        return key, _session_path(answer)


def _session_path(answer: requests.Response) -> str | None:
    """A header may name the controller by a name that only itself knows: the path alone counts."""
    location = answer.headers.get("Location") or ""
    if "://" in location:
        location = "/" + location.split("://", 1)[1].partition("/")[2]
    with suppress(UnreadableAnswer):
        return path_of({"@odata.id": location}) or path_of(load_json(answer.content))
    return None


def _logged_in(bmc: Bmc, way: Connector, root: Resource) -> auth.AuthBase:
    """A session where the controller offers sessions, the password with every request where it does not. A refused
    login is never tried in another way: controllers lock accounts."""
    links = root.get("Links")
    path = path_of(links.get("Sessions")) if isinstance(links, dict) else None
    if path is None and path_of(root.get("SessionService")) is not None:
        path = f"{path_of(root['SessionService'])}/Sessions".replace("//", "/")
    basic = auth.BasicAuth(bmc.user, bmc.password)
    chosen: auth.AuthBase = basic if path is None else auth.SessionAuth(bmc.user, bmc.password)
    try:
        _begin(chosen, way, path)
    except exceptions.AccessError as error:
        raise _refused(bmc, error.status_code) from None
    except _LOST as error:
        raise NoWay(FailureKind.UNREACHABLE, _sentence(error)) from None
    except (exceptions.SushyError, TooLong, *_STUMBLED):  # it says that it has sessions, and has none
        _begin(basic, way, None)
        return basic
    return chosen


def _begin(chosen: auth.AuthBase, way: Connector, path: str | None) -> None:
    try:
        chosen.set_context(_Door(way, path or ""), way)
        way.set_auth(None)  # or else sushy would log in once more at every refusal
        chosen.authenticate()
    except Elsewhere:
        raise NoWay(FailureKind.UNREACHABLE, "it sends us to another host to log in") from None


def _refused(bmc: Bmc, status: int) -> NoWay:
    return NoWay(FailureKind.UNREACHABLE, f"it refused the login as {bmc.user} (HTTP status {status})")


def _leave(session: auth.SessionAuth, line: Line) -> None:
    """Controllers have few sessions, and keep forgotten ones for half an hour: it is closed whatever happened."""
    line.mend()
    with suppress(Exception), _within(LEAVING_SECONDS, line, "it did not let us go in time", FailureKind.BROKEN):
        session.close()


def _fetched(way: Connector, path: str, line: Line, flight: Flight, *, basic: bool) -> Fetched:
    """One resource, or why it was refused, and its bytes. Raises NoWay where there is nobody to ask any more."""
    try:
        answer = _got(way, path, line, flight)
        return _resource(answer), len(answer.content)
    except exceptions.HTTPError as error:
        if basic and error.status_code == 401:
            why = "it refused the login (HTTP status 401)"
            raise NoWay(FailureKind.UNREACHABLE, why) from None
        return refused(f"HTTP {error.status_code}"), 0
    except UnreadableAnswer:
        return refused("unreadable"), 0
    except Elsewhere:
        return refused("elsewhere"), 0


def _got(way: Connector, path: str, line: Line, flight: Flight) -> requests.Response:
    """Once more where the connection was lost: a controller that is busy drops some."""
    for last in (False, True):
        if flight.ended is not None:
            raise NoWay(flight.ended.kind, flight.ended.why)
        try:
            answer: requests.Response = way.get(path, allow_reauth=False)
            if line.is_cut:  # half an answer looks like a whole one where it does not say how long it is
                raise NoWay(FailureKind.BROKEN, "it was cut off")
            return answer
        except _LOST as error:
            if last or not _passing(error) or flight.ended is not None:
                raise NoWay(FailureKind.BROKEN, _sentence(error)) from None
        except LocationValueError:
            raise NoWay(FailureKind.UNREACHABLE, "its address is no name that a host can have") from None
        except _STUMBLED as error:
            if line.is_cut:
                raise NoWay(FailureKind.BROKEN, "it was cut off") from None
            raise UnreadableAnswer("it is not what a controller answers") from error
    raise AssertionError


def _resource(answer: requests.Response) -> Resource:
    found = load_json(answer.content)
    if not isinstance(found, dict) or answer.status_code >= 300:
        raise UnreadableAnswer("it is no resource")
    return {name: value for name, value in found.items() if name != "error"}


# --- what went wrong --------------------------------------------------------------------------------------------------


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and all that it was made of: sushy wraps those of requests, these those of urllib3, and so on."""
    seen: list[BaseException] = []
    todo: list[Any] = [error]
    while todo and len(seen) < 20:
        one = todo.pop(0)
        if isinstance(one, BaseException) and one not in seen:
            seen.append(one)
            todo += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return iter(seen)


def _passing(error: BaseException) -> bool:
    """Whether another try may help: neither a certificate, nor a closed port, nor silence."""
    lasting = (ssl.SSLError, socket.gaierror, ConnectionRefusedError, TimeoutError, requests.exceptions.Timeout)
    return not any(isinstance(one, (*lasting, NameResolutionError)) for one in _causes(error))


def _sentence(error: BaseException) -> str:
    """What went wrong with a connection, for people."""
    causes = list(_causes(error))
    for kind, sentence in _SENTENCES:
        for one in causes:
            if isinstance(one, kind):
                return sentence(one)
    return "it does not answer as a web server does"


_SENTENCES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Callable[[Any], str]], ...] = (
    (
        ssl.SSLCertVerificationError,
        lambda one: (
            f"its certificate cannot be verified: {one.verify_message}; name its authority in maintops_bmc_verify"
        ),
    ),
    (ssl.SSLError, lambda one: f"no TLS connection: {one.reason or 'it does not speak TLS'}"),
    ((socket.gaierror, NameResolutionError), lambda one: "its name cannot be resolved"),
    (requests.exceptions.ConnectTimeout, lambda one: f"no connection within {CONNECT_TIMEOUT:.0f} seconds"),
    (requests.exceptions.ReadTimeout, lambda one: f"it was silent for {SILENCE:.0f} seconds"),
    (TimeoutError, lambda one: f"it was silent for {SILENCE:.0f} seconds"),
    (ConnectionRefusedError, lambda one: "connection refused"),
    (requests.exceptions.ContentDecodingError, lambda one: "its answer is damaged"),
    ((ConnectionError, EOFError), lambda one: "it closed the connection"),
    (OSError, lambda one: one.strerror or "the connection was lost"),
)
