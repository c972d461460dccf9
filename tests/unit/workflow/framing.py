"""Streams of answers, cut where a test wants them cut."""

from __future__ import annotations

from maintops.domain.ports import Script
from tests.unit.script.framing import KEY, Told, framed


def answered(
    stdout: bytes, *, stderr: bytes = b"", status: int | None = 0, timed_out: bool = False, **more: int
) -> Told:
    """One check's answer."""
    return Told(stdout, tuple(stderr.splitlines()), status, timed_out, **more)


def stream(script: Script, begins: int | None = None, **told: Told) -> bytes:
    """The stream of a script: `told` gives answers by check, the others print their id. With `begins`, it is cut inside
    the frame of that check (counted from 1)."""
    whole = framed(script, [told.get(check, Told(check.encode() + b"\n")) for check in script.checks])
    if begins is None:
        return whole
    mark = b"\n#" + KEY.encode() + b" b %d " % (begins - 1)
    at = whole.index(mark)
    return whole[: whole.index(b"\n", at + 1) + 3]
