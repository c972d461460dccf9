"""Redfish services without a server, on loopback.

    with emulated() as redfish:         # one server with a power button
        redfish.ask("/redfish/v1/Systems")
    with recorded(tree) as redfish:     # a recording of a real one; whatever is sent to it changes nothing
        ...

FleetUnavailable says what a machine lacks for one.
"""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import shutil
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bcrypt

from tests.lab.services import ADDRESS, PATIENCE, end, keep, private_folder, serve
from tests.lab.sshd import FleetUnavailable

USER = "keeper"


@dataclass(frozen=True, slots=True)
class Redfish:
    """A Redfish service over HTTP. `user` and `password` are empty where it lets everybody in."""

    url: str
    user: str = ""
    password: str = ""

    def ask(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """GET, or POST of a body; the document that it answers, None where there is none.

        Raises urllib.error.HTTPError where it refuses.
        """
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})  # noqa: S310 ours
        if self.user:
            token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            request.add_header("Authorization", f"Basic {token}")
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=PATIENCE) as answer:
            text = answer.read()
        return json.loads(text) if text else None


@contextlib.contextmanager
def recorded(tree: Path) -> Iterator[Redfish]:
    """A recording (a folder for every path, with an index.json), read where it lies. It asks for no login."""
    served = _installed("sushy-static")
    with _serving(lambda port: [served, "-i", ADDRESS, "-p", str(port), "-m", str(tree.resolve())]) as port:
        yield Redfish(f"http://{ADDRESS}:{port}")


@contextlib.contextmanager
def emulated() -> Iterator[Redfish]:
    """A server that can be switched on and off (it takes some seconds to, up to eleven); it is off at first.

    Everything but `/redfish/v1` itself asks for the login.
    """
    served, password = _installed("sushy-emulator"), secrets.token_urlsafe(12)
    login = f"{USER}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()}\n"
    settings = "SUSHY_EMULATOR_AUTH_FILE = 'login'\nSUSHY_EMULATOR_STATE_DIR = 'state'\n"
    files = {"login": login, "settings": settings}
    command = [served, "--fake", "--config", "settings", "-i", ADDRESS, "-p"]
    with _serving(lambda port: [*command, str(port)], files) as port:
        yield Redfish(f"http://{ADDRESS}:{port}", USER, password)


@contextlib.contextmanager
def _serving(command: Callable[[int], list[str]], files: Mapping[str, str] | None = None) -> Iterator[int]:
    """A Redfish service that runs, in a folder with these files; its port."""
    folder = private_folder(None)
    try:
        for name, text in (files or {}).items():
            keep(folder / name, text, None)
        # It stays our own process: Python's packages may lie where nobody else can read them.
        process, port = serve(folder, command, _answers, None)
        try:
            yield port
        finally:
            end(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError):  # nobody listens yet
        return "RedfishVersion" in Redfish(f"http://{ADDRESS}:{port}").ask("/redfish/v1")
    return False


def _installed(name: str) -> str:
    """A program of this Python's own packages."""
    found = Path(sys.executable).with_name(name)
    if not found.exists():
        raise FleetUnavailable(f"{name} is missing: {sys.executable} -m pip install sushy-tools")
    return str(found)
