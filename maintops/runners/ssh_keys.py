"""Private keys to log in with: loaded once for all servers, or held by the user's agent."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from maintops.runners.addresses import Hop

if TYPE_CHECKING:
    from paramiko import PKey

DEFAULT_KEYS = ("id_rsa", "id_ecdsa", "id_ed25519")
"""Files in ~/.ssh that are tried where no key is given, in OpenSSH's order."""

HARDWARE_KEYS = ("id_ecdsa_sk", "id_ed25519_sk")


class Unusable(Exception):
    """A private key cannot be used; the message says which and why."""


def hardware_key(hop: Hop) -> Path | None:
    """The key for this hop that lives in a hardware token (FIDO), if it needs one: the ssh engine cannot use those."""
    if hop.keys:
        return next((file for file in hop.keys if _in_hardware(file)), None)
    home = Path.home() / ".ssh"
    if hop.password is not None or any((home / name).exists() for name in DEFAULT_KEYS):
        return None
    return next((home / name for name in HARDWARE_KEYS if (home / name).exists()), None)


def _in_hardware(file: Path) -> bool:
    """OpenSSH's private key files name the key's type in the clear, in base64 between two lines of dashes."""
    try:
        text = file.read_text(encoding="latin-1")
    except OSError:
        return False  # the login will say what is wrong with it
    body = re.search(r"-----BEGIN OPENSSH PRIVATE KEY-----(.*?)-----END", text, re.DOTALL)
    try:
        content = base64.b64decode(body[1]) if body else b""
    except ValueError:
        return False
    return b"sk-ssh-ed25519@openssh.com" in content or b"sk-ecdsa-sha2-nistp256@openssh.com" in content


@dataclass(frozen=True, slots=True)
class _Problem:
    """Why a key file cannot be used as it is. An agent may hold the key of one that is `locked`."""

    why: str
    locked: bool = False


class Keyring:
    """The keys of a run, shared by its threads: a file is read and its key prepared only once."""

    def __init__(self) -> None:
        self._loaded: dict[Path, PKey | _Problem] = {}
        self._lock = threading.Lock()

    @contextmanager
    def keys(self, hop: Hop) -> Iterator[list[PKey]]:
        """The keys to try for a hop, in order. Raises Unusable where keys were given and none of them can be used.

        Keys that were given are the only ones (where none of them can be used: those of the agent, if the hop says so);
        else the agent's and the default files, unless a password was given.
        """
        given = [self._load(file) for file in hop.keys]
        if (given or hop.password is not None) and not any(isinstance(one, _Problem) for one in given):
            yield given  # type: ignore[misc]  # no problem is among them
            return
        from paramiko import Agent

        agent = Agent()
        try:
            held = [key for key in agent.get_keys() if not key.get_name().startswith("sk-")]
            yield self._given(hop, held) if given else self._usual(hop, held)
        finally:
            agent.close()

    def _given(self, hop: Hop, held: Sequence[PKey]) -> list[PKey]:
        keys, problems = [], []
        for file in hop.keys:
            loaded = self._load(file)
            if isinstance(loaded, _Problem) and loaded.locked:
                public = _public(file)
                loaded = next((key for key in held if key.asbytes() == public), loaded)
            if isinstance(loaded, _Problem):
                problems.append(loaded.why)
            else:
                keys.append(loaded)
        if not keys and not (hop.agent and held):
            raise Unusable("; ".join(problems))
        return keys or list(held)

    def _usual(self, hop: Hop, held: Sequence[PKey]) -> list[PKey]:
        files = [self._load(Path.home() / ".ssh" / name) for name in DEFAULT_KEYS]
        return [*(held if hop.agent else ()), *(key for key in files if not isinstance(key, _Problem))]

    def _load(self, file: Path) -> PKey | _Problem:
        with self._lock:
            if file not in self._loaded:
                self._loaded[file] = _read(file)
            return self._loaded[file]


def _read(file: Path) -> PKey | _Problem:
    from cryptography.exceptions import UnsupportedAlgorithm
    from paramiko import PasswordRequiredException, PKey, SSHException
    from paramiko.pkey import UnknownKeyType

    try:
        return PKey.from_path(file)
    except FileNotFoundError:
        return _Problem(f"the key file {file} does not exist")
    except OSError as error:
        return _Problem(f"the key file {file} cannot be read: {error.strerror}")
    except (PasswordRequiredException, TypeError):  # TypeError: what cryptography says of a missing passphrase
        return _Problem(f"the key file {file} is encrypted and no agent holds its key: run ssh-add {file}", locked=True)
    except (ValueError, UnsupportedAlgorithm, UnknownKeyType, SSHException):
        return _Problem(f"the key file {file} does not hold a private key that the ssh engine can read")


def _public(file: Path) -> bytes | None:
    """The wire form of the public key beside a private one."""
    try:
        words = Path(f"{file}.pub").read_text(encoding="latin-1").split()
        return base64.b64decode(words[1])
    except (OSError, IndexError, ValueError):
        return None
