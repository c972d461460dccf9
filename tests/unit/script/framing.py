"""docs/frames.md in Python: what a server writes for known answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from maintops.domain.ports import Script
from maintops.script.compiling import SPARE

MACHINE = "0123456789abcdef0123456789abcdef"
KEY = "f0e1d2c3b4a5"
BOOT = "5a4e4f2c-5a3d-4c55-8c0e-0f7e6d5c4b3a"


@dataclass(frozen=True)
class Told:
    """What one question's command did. `stdout` may be longer than the limit: the server cuts it, and
    what comes behind it."""

    stdout: bytes = b""
    stderr: tuple[bytes, ...] = ()
    status: int | None = 0
    late: bool = False
    limit: int = 1000


def framed(script: Script, told: Sequence[Told], *, user: bytes = b"root") -> bytes:
    """The stream of a script that ran to its end."""
    words = f"h 3 0 {MACHINE} {BOOT} 10.00 {KEY} ".encode() + user
    frames = [_mark(words, script.digest)]
    for number, one in enumerate(told):
        begin = f"b {number} {one.limit} {20 + number}.25 ".encode() + script.checks[number].encode()
        status = "" if one.status is None else str(one.status)
        said = _mark(f"s {status}".encode()) + b"".join(line + b"\n" for line in one.stderr) + _mark(b"x")
        end = f"e {number} {21 + number}.75 {int(one.late)}".encode()
        frames += [_mark(begin), (one.stdout + said)[: one.limit + SPARE], _mark(end)]
    return b"".join([*frames, _mark(f"z {len(told)}".encode())])


def _mark(words: bytes, key: str = KEY) -> bytes:
    return b"\n#" + key.encode() + b" " + words + b"\n"
