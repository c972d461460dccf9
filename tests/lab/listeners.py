"""Listeners in a management controller's place: services that answer as a test says, certificates, and silence."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Answers = Callable[["Handler"], None]


def now() -> dt.datetime:
    """The time, in UTC and aware of it."""
    return dt.datetime.now(dt.UTC)


class Handler(BaseHTTPRequestHandler):
    """Notes what it is asked, and answers as the test says."""

    protocol_version = "HTTP/1.1"
    server: Service

    def do_GET(self) -> None:
        self.server.asked.append((self.command, self.path, dict(self.headers)))
        with suppress(OSError):
            self.server.answers(self)

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.do_GET()

    def do_DELETE(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Nobody listens."""

    def say(self, body: object, status: int = 200, **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)


class Service(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answers: Answers, context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = answers
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.bodies: list[bytes] = []
        self.tls = context is not None
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.server_port}"

    def paths(self, method: str = "GET") -> list[str]:
        return [path for command, path, _ in self.asked if command == method]

    def handle_error(self, *_: object) -> None:
        """A client that goes away is expected."""


@contextmanager
def service(answers: Answers, context: ssl.SSLContext | None = None) -> Iterator[Service]:
    made = Service(answers, context)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made
    finally:
        made.shutdown()
        thread.join()
        made.server_close()


@contextmanager
def listener(says: bytes = b"", *, again: bool = False) -> Iterator[str]:
    """Accepts, says something, once or without end, and closes nothing by itself."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        done, guests = threading.Event(), []

        def host() -> None:
            with suppress(OSError):
                while not done.is_set():
                    guest, _ = door.accept()
                    guests.append(guest)
                    threading.Thread(target=talk, args=(guest,), daemon=True).start()

        def talk(guest: socket.socket) -> None:
            with suppress(OSError):
                guest.sendall(says)
                while again and not done.is_set():
                    guest.sendall(says)
                    time.sleep(0.05)

        thread = threading.Thread(target=host, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{door.getsockname()[1]}"
        finally:
            done.set()
            door.shutdown(socket.SHUT_RDWR)
            thread.join()
            for guest in guests:
                guest.close()


def certified(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A service's certificate that it signed itself, and the file that vouches for it."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bmc")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = (
        builder.serial_number(7).not_valid_before(now() - dt.timedelta(1)).not_valid_after(now() + dt.timedelta(9))
    )
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = builder.add_extension(alternative, critical=False).sign(key, hashes.SHA256())
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "both.pem").write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    (folder / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return context, folder / "ca.pem"
