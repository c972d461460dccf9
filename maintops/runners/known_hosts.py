"""Host keys that are known, in OpenSSH's format (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).

Read: plain and hashed (`|1|`) names, `[host]:port`, comma lists, the wildcards `*` and `?`, negation, `@revoked` and
`@cert-authority`. A line that is none of these vouches for nobody and is passed over, as OpenSSH does.
"""

from __future__ import annotations

import base64
import fcntl
import hmac
import os
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

SUPPORTED = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
)
"""Key types that can be compared here; lines with others are passed over."""


@dataclass(frozen=True, slots=True)
class HostKey:
    """A public key: its type and its wire form (RFC 4253, section 6.6)."""

    type: str
    blob: bytes


class Standing(StrEnum):
    """What known_hosts says of a key that a server shows."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class _Known:
    """Everything that the files say about one name."""

    keys: tuple[HostKey, ...]
    revoked: frozenset[bytes]
    authority: bool


@dataclass(frozen=True, slots=True)
class _Line:
    marker: str
    names: str
    key: HostKey

    def matches(self, name: str) -> bool:
        if self.names.startswith("|1|"):
            return _hash_matches(self.names, name)
        return wildcards_match(self.names.lower().split(","), name)


def host_name(host: str, port: int) -> str:
    """The name under which a server's key is kept: `host`, or `[host]:port` where the port is not 22."""
    return host.lower() if port == 22 else f"[{host.lower()}]:{port}"


class KnownHosts:
    """What some known_hosts files say, read once. The first file is the one that new keys are added to.

    Files that do not exist know nobody; one that cannot be read raises OSError. Threads may share it.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = tuple(files)
        self._plain: dict[str, list[_Line]] = {}
        self._other: list[_Line] = []
        self._cache: dict[str, _Known] = {}
        self._lock = threading.RLock()
        for file in self.files:
            if file.exists():
                for line in _lines(file.read_bytes()):
                    self._keep(line)

    @property
    def sources(self) -> tuple[Path, ...]:
        """The files that were read; the one that new keys would be added to where there is none."""
        return tuple(file for file in self.files if file.exists()) or self.files[:1]

    def standing(self, name: str, key: HostKey) -> Standing:
        """How a key that a server shows under this name stands."""
        known = self._known(name)
        if key.blob in known.revoked:
            return Standing.REVOKED
        if key in known.keys:
            return Standing.KNOWN
        return Standing.CHANGED if known.keys else Standing.UNKNOWN

    def types(self, name: str) -> tuple[str, ...]:
        """The types of the keys that are known for this name: a server that has several is to be asked for one of
        these."""
        return tuple(dict.fromkeys(key.type for key in self._known(name).keys))

    def only_by_authority(self, name: str) -> bool:
        """Whether a certificate authority vouches for this name, and no key of its own does."""
        known = self._known(name)
        return known.authority and not known.keys

    def add(self, name: str, key: HostKey) -> None:
        """Writes a new key down, once, in one append (a file that it makes is 0600). Raises OSError."""
        with self._lock:
            if self.standing(name, key) is Standing.KNOWN:
                return
            _append(self.files[0], f"{name} {key.type} {base64.b64encode(key.blob).decode()}\n".encode())
            self._keep(_Line("", name, key))
            self._cache.pop(name, None)

    def _known(self, name: str) -> _Known:
        with self._lock:
            if name not in self._cache:
                matching = [*self._plain.get(name, ()), *(line for line in self._other if line.matches(name))]
                self._cache[name] = _Known(
                    tuple(line.key for line in matching if not line.marker),
                    frozenset(line.key.blob for line in matching if line.marker == "@revoked"),
                    any(line.marker == "@cert-authority" for line in matching),
                )
            return self._cache[name]

    def _keep(self, line: _Line) -> None:
        """Plain names go into a dictionary: files with thousands of lines are read for thousands of servers."""
        if line.names.startswith("|") or any(sign in line.names for sign in "*?!"):
            self._other.append(line)
            return
        for name in line.names.lower().split(","):
            self._plain.setdefault(name, []).append(line)


def _lines(content: bytes) -> Iterator[_Line]:
    for raw in content.decode("latin-1").split("\n"):
        words = raw.split()
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) < 3 or words[0].startswith("#") or marker not in ("", "@revoked", "@cert-authority"):
            continue
        key = _key(words[1], words[2])
        if key is not None and (marker or key.type in SUPPORTED):
            yield _Line(marker, words[0], key)


def _key(kind: str, encoded: str) -> HostKey | None:
    try:
        blob = base64.b64decode(encoded, validate=True)
    except ValueError:
        return None
    # A key begins with its own type: 4 bytes of length, then the name.
    inner = blob[4 : 4 + int.from_bytes(blob[:4], "big")].decode("latin-1")
    return HostKey(kind, blob) if inner == kind else None


def _hash_matches(names: str, name: str) -> bool:
    """`|1|SALT|HMAC-SHA1(SALT, NAME)`, both in base64."""
    parts = names.split("|")
    if len(parts) != 4:
        return False
    try:
        salt, digest = base64.b64decode(parts[2]), base64.b64decode(parts[3])
    except ValueError:
        return False
    return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)


@lru_cache(maxsize=4096)
def _wildcard(pattern: str) -> re.Pattern[str]:
    """OpenSSH's patterns: `*` and `?` only; brackets mean themselves, as in `[host]:port`."""
    return re.compile("".join({"*": ".*", "?": "."}.get(sign, re.escape(sign)) for sign in pattern), re.DOTALL)


def wildcards_match(patterns: Iterable[str], text: str) -> bool:
    """Whether a list of OpenSSH patterns matches: one of them does, and none that begins with `!`."""
    listed = list(patterns)
    if any(_wildcard(one[1:]).fullmatch(text) for one in listed if one.startswith("!")):
        return False
    return any(_wildcard(one).fullmatch(text) for one in listed if not one.startswith("!"))


def _append(file: Path, line: bytes) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        size = os.fstat(handle).st_size
        whole = size == 0 or os.pread(handle, 1, size - 1) == b"\n"
        os.write(handle, line if whole else b"\n" + line)
    finally:
        os.close(handle)
