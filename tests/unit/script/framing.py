"""docs/frames.md in Python: what a server writes for known answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from maintops.domain.ports import Script

MACHINE = "0123456789abcdef0123456789abcdef"
BOOT = "5a4e4f2c-5a3d-4c55-8c0e-0f7e6d5c4b3a"


@dataclass(frozen=True)
class Told:
    """What one question's command did. `stdout` may be longer than the limit: the server cuts it."""

    stdout: bytes = b""
    stderr: tuple[bytes, ...] = ()
    status: int | None = 0
    late: bool = False
    limit: int = 1000


def framed(script: Script, told: Sequence[Told], *, splits: bool = False, user: bytes = b"root") -> bytes:
    """The stream of a script that ran to its end."""
    words = f"h 1 {int(splits)} 0 {MACHINE} {BOOT} 10.00 ".encode() + user
    frames = [_mark(script, words)]
    for number, one in enumerate(told):
        frames.append(
            _mark(script, f"b {number} {one.limit} {20 + number}.25 ".encode() + script.checks[number].encode())
        )
        frames.append(_indented(one.stdout[: one.limit + 1], splits))
        status = "" if one.status is None else str(one.status)
        frames.append(_mark(script, f"s {status}".encode() + b"".join(b"\n!" + line for line in one.stderr)))
        frames.append(_mark(script, f"e {number} {21 + number}.75 {int(one.late)}".encode()))
    return b"".join([*frames, _mark(script, f"z {len(told)}".encode())])


def _mark(script: Script, words: bytes) -> bytes:
    return b"\n#" + script.digest.encode() + b" " + words + b"\n"


def _indented(output: bytes, splits: bool) -> bytes:
    ends = b"\n\0" if splits else b"\n"
    framed, fresh = bytearray(), True
    for byte in output:
        framed += b" " * fresh + bytes([byte])
        fresh = byte in ends
    return bytes(framed)
