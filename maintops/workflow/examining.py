"""What `maintops doctor` looks at: versions, host keys, key exchange, tools, database, disk space, inventory."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from maintops.errors import MaintopsError, NothingSelected
from maintops.settings import Settings

LEAST_SPACE = 200 * 1024 * 1024
"""Bytes that should be free where the database lies."""

PACKAGES = ("ansible-core", "ansible-runner", "fabric", "paramiko", "jinja2", "pyyaml", "sqlalchemy", "jc")


@dataclass(frozen=True, slots=True)
class Examined:
    """One thing that was looked at. `state`: good, note (works, but look) or bad (something must be done);
    `advice` says what to do, empty where nothing is."""

    what: str
    state: Literal["good", "note", "bad"]
    found: str
    advice: str = ""


def examine(
    settings: Settings, database: str, use_database: Callable[[], object], count_servers: Callable[[], int]
) -> list[Examined]:
    """Everything, in the order a person would put it right. `use_database` reads from the database once and
    `count_servers` reads the inventory; both raise MaintopsError with the reason where they cannot."""
    return [
        *_versions(),
        *_tools(),
        _host_keys(settings),
        _known_hosts(settings),
        _key_exchange(),
        _database(database, use_database),
        _space(settings.database_url),
        _inventory(settings, count_servers),
    ]


def _versions() -> Iterator[Examined]:
    python = platform.python_version()
    new = sys.version_info >= (3, 11)
    yield Examined("python", "good" if new else "bad", python, "" if new else "install Python 3.11 or newer")
    for package in PACKAGES:
        try:
            yield Examined(package, "good", version(package))
        except PackageNotFoundError:
            yield Examined(package, "bad", "not installed", "install maintops with its dependencies again")


def _tools() -> Iterator[Examined]:
    beside = Path(sys.executable).parent / "ansible-inventory"
    place = str(beside) if beside.exists() else shutil.which("ansible-inventory")
    advice = "" if place else "install ansible-core beside maintops"
    yield Examined("ansible-inventory", "good" if place else "bad", place or "not found", advice)
    ssh = shutil.which("ssh")
    told = _printed(["ssh", "-V"]) if ssh else "not found"
    yield Examined(
        "ssh", "good" if ssh else "note", told, "" if ssh else "the ansible engine needs it: install openssh-client"
    )


def _host_keys(settings: Settings) -> Examined:
    policy = settings.host_keys
    told = f"{policy} (from {settings.sources['host_keys']})"
    if policy == "strict":
        return Examined("host keys", "good", told)
    if policy == "accept-new":
        return Examined("host keys", "note", told, "keys of new servers are believed the first time; strict is safer")
    return Examined("host keys", "bad", told, "anyone can pose as a server: set host_keys to strict")


def _known_hosts(settings: Settings) -> Examined:
    path = settings.known_hosts or Path.home() / ".ssh/known_hosts"
    try:
        entries = sum(
            1 for line in path.read_text("utf-8", "replace").splitlines() if line.strip()[:1] not in ("", "#")
        )
    except FileNotFoundError:
        advice = "add your servers' keys: ssh-keyscan SERVER, compare the fingerprints, then append"
        return Examined("known hosts", "note", f"{path} is not there", advice)
    except OSError as error:
        return Examined("known hosts", "bad", f"{path}: {error.strerror}", "make it readable")
    return Examined("known hosts", "good", f"{path}: {entries} entries")


def _key_exchange() -> Examined:
    offered = _printed(["ssh", "-Q", "kex"]).split() if shutil.which("ssh") else []
    modern = [name for name in offered if "sntrup" in name or "mlkem" in name]
    if modern:
        return Examined("key exchange", "good", f"OpenSSH offers {', '.join(modern)}; paramiko curve25519-sha256")
    return Examined(
        "key exchange",
        "note",
        "no post-quantum key exchange",
        "a newer OpenSSH protects records against later decryption",
    )


def _database(database: str, use: Callable[[], object]) -> Examined:
    try:
        use()
    except MaintopsError as error:
        return Examined("database", "bad", database, str(error))
    return Examined("database", "good", database)


def _space(url: str) -> Examined:
    scheme, _, rest = url.partition("://")
    folder = Path(rest.removeprefix("/")).parent if scheme == "sqlite" else Path.cwd()
    while not folder.exists():
        folder = folder.parent
    space = os.statvfs(folder)
    free = space.f_bavail * space.f_frsize
    told = f"{free // 2**20} MiB free in {folder}"
    return (
        Examined("disk space", "good", told)
        if free >= LEAST_SPACE
        else Examined("disk space", "bad", told, "make room: a record that cannot be written stops a run")
    )


def _inventory(settings: Settings, count: Callable[[], int]) -> Examined:
    if not settings.inventory:
        return Examined("inventory", "note", "none", "give one with -i, or set inventory in maintops.yml")
    told = ", ".join(settings.inventory)
    try:
        servers = count()
        return Examined("inventory", "good", f"{told}: {servers} server{'' if servers == 1 else 's'}")
    except NothingSelected as error:
        return Examined("inventory", "note", told, str(error))
    except MaintopsError as error:
        return Examined("inventory", "bad", f"{told}: it cannot be read", str(error))


def _printed(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, stdin=subprocess.DEVNULL)
    return (done.stdout or done.stderr).strip()
