"""HTTP to a management controller that may be slow, broken or hostile: sushy's connector within bounds.

Nothing leaves for another host than the controller, no answer is longer than `LONGEST_ANSWER`, no environment variable
(proxies, .netrc, authorities) changes the way, and whatever is waited for can be cut from another thread.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from sushy import exceptions
from sushy.connector import Connector
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError as BodyError

from maintops.domain.bmcs import Bmc

CONNECT_TIMEOUT = 10.0
"""Seconds that a controller may take to accept a connection."""

SILENCE = 60.0
"""Seconds that a controller may be silent over one request: old ones think long about their storage."""

LONGEST_ANSWER = 4 * 1024 * 1024
"""Bytes of one resource."""

_PIECE = 64 * 1024
_REDIRECTS = 3

_log = logging.getLogger("sushy")
_log.propagate = False  # every failure is data here; the library would print them as well
_log.setLevel(logging.CRITICAL)


class TooLong(Exception):
    """A resource is longer than any can be."""


class Elsewhere(Exception):
    """The controller points to another host."""


class Line:
    """The connection that a thread waits for: cut by another thread, by shutting down its socket."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._end: socket.socket | None = None
        self.is_cut = False

    def took(self, connection: socket.socket) -> None:
        """A connection was made; it is the one to cut from now on."""
        with self._lock:
            self._let_go()
            # A second handle: the first one disappears into TLS, and shutting down either ends both.
            self._end = connection.dup()
            if self.is_cut:
                self._shut()

    def cut(self) -> None:
        """Ends what is waited for, and every connection that is made after it."""
        with self._lock:
            self.is_cut = True
            self._shut()

    def mend(self) -> None:
        """From now on connections can be made again."""
        with self._lock:
            self.is_cut = False

    def close(self) -> None:
        """Lets go of the connection."""
        with self._lock:
            self._let_go()

    def _shut(self) -> None:
        if self._end is not None:
            with suppress(OSError):  # it is closed already
                self._end.shutdown(socket.SHUT_RDWR)

    def _let_go(self) -> None:
        if self._end is not None:
            self._end.close()
            self._end = None


def connector(bmc: Bmc, line: Line) -> Connector:
    """Sushy's connector to a controller, within the bounds. Raises OSError where the file of authorities is none."""
    made = Connector(
        bmc.url,
        verify=bmc.verify,
        server_side_retries=1,  # sushy counts the first try as well
        server_side_retries_delay=1,
        default_request_timeout=SILENCE,
        connect_timeout=CONNECT_TIMEOUT,
    )
    made._session = _session(bmc, line, made._session.headers)  # noqa: SLF001 - it has no other way in
    return made


def _session(bmc: Bmc, line: Line, headers: Mapping[str, Any]) -> requests.Session:
    made = _Session(bmc.url)
    made.headers.update(headers)
    made.mount(bmc.url, _Adapter(line, trust(bmc.verify) if bmc.scheme == "https" else None))
    return made


@lru_cache(maxsize=32)
def trust(verify: bool | str) -> ssl.SSLContext:
    """Whose certificates are believed: those of the system's authorities (True), of a file's, anyone's (False). Raises
    OSError where there is no such file, or it holds no certificate."""
    if isinstance(verify, str):
        return ssl.create_default_context(cafile=verify)
    made = ssl.create_default_context()
    if not verify:
        made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    return made


class _Session(requests.Session):
    """Requests that stay at one host. Redirects are followed there alone, and only to read."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.trust_env = False
        self.adapters.clear()  # no other host has a way
        self._origin = _origin(url)

    def send(self, request: requests.PreparedRequest, **given: Any) -> requests.Response:
        given["allow_redirects"] = False
        for _ in range(_REDIRECTS):
            url = request.url or ""
            if _origin(url) != self._origin:
                raise Elsewhere
            response = super().send(request, **given)
            if request.method != "GET" or not response.is_redirect:
                return _palatable(response)
            request = request.copy()
            request.url = urljoin(url, response.headers["location"])
        return response


def _palatable(response: requests.Response) -> requests.Response:
    """An answer whose status still says what it said where sushy cannot digest the error in it."""
    if response.status_code >= 400:
        try:
            exceptions.HTTPError("", "", response)
        except (AttributeError, TypeError, ValueError, LookupError, RecursionError):
            response._content = b"{}"  # noqa: SLF001 - as below
    return response


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return "", None, None
    return parts.scheme, parts.hostname, port


class _Adapter(HTTPAdapter):
    """Sends one request at a time; its connections can be cut, the bodies of answers are bounded."""

    def __init__(self, line: Line, context: ssl.SSLContext | None) -> None:
        self._line, self._context = line, context
        super().__init__()

    def init_poolmanager(self, *given: Any, **options: Any) -> None:
        super().init_poolmanager(*given, **options)
        self.poolmanager.pool_classes_by_scheme = _pools(self._line.took)

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        host, options = super().build_connection_pool_key_attributes(request, verify, cert)
        # Authorities are read once, not for every connection.
        mine = {"cert_reqs": options.get("cert_reqs"), "ssl_context": self._context} if self._context else {}
        return host, mine

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """The context has it all."""

    def send(self, request: requests.PreparedRequest, *given: Any, **options: Any) -> requests.Response:
        response = super().send(request, **options | {"stream": True, "proxies": None})
        try:
            response._content = _body(response)  # noqa: SLF001 - where requests itself puts it
        except BodyError as error:
            raise requests.exceptions.ConnectionError(error, request=request) from error
        finally:
            response.raw.close()
            self.poolmanager.clear()  # some close it without a word: the next request would meet its end
        response._content_consumed = True  # noqa: SLF001
        return response


def _body(response: requests.Response) -> bytes:
    heard = bytearray()
    for piece in response.raw.stream(_PIECE, decode_content=False):
        heard += piece
        if len(heard) > LONGEST_ANSWER:
            raise TooLong
    packed = response.headers.get("Content-Encoding", "").lower()
    return _unpacked(bytes(heard)) if packed in ("gzip", "deflate", "x-gzip") else bytes(heard)


def _unpacked(packed: bytes) -> bytes:
    """Some controllers compress although they are told not to."""
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # either format
    try:
        plain = unpacking.decompress(packed, LONGEST_ANSWER + 1)
    except zlib.error as error:
        raise requests.exceptions.ContentDecodingError(error) from error
    if len(plain) > LONGEST_ANSWER:
        raise TooLong
    return plain


def _pools(took: Callable[[socket.socket], None]) -> dict[str, type[HTTPConnectionPool]]:
    """Pools of connections that tell when they are made."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            made = super()._new_conn()
            took(made)
            return made

    class Safe(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            made = super()._new_conn()
            took(made)
            return made

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SafePool(HTTPSConnectionPool):
        ConnectionCls = Safe

    return {"http": PlainPool, "https": SafePool}
