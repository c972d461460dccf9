"""Recordings that were cut, shuffled or damaged on their way: what a reader must survive without making anything up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from maintops.domain.answers import Answer, UnreadableAnswer
from maintops.probes.conformance import reading_complaints
from maintops.probes.contract import Probe

damaging = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
"""How a test with damaged recordings runs."""

_PIECES = [
    b"",
    b"\0",
    b"\xff\xfe",
    b"|",
    b",",
    b":",
    b"na",
    b"<html>",
    b"-1",
    b"9" * 400,
    b"0x",
    b"{",
    b"}",
    b" ",
    b"\n",
]


@st.composite
def spoilt(draw: st.DrawFn, recordings: list[bytes]) -> bytes:
    """One of some recordings: with lines in another order or left out, bytes replaced, and its end cut off."""
    lines = draw(st.sampled_from(recordings)).split(b"\n")
    if draw(st.booleans()):
        first, second = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        lines[first], lines[second] = lines[second], lines[first]
    if draw(st.booleans()):
        del lines[draw(st.integers(0, len(lines) - 1))]
    whole = bytearray(b"\n".join(lines))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(whole)))
        whole[place : place + draw(st.integers(0, 5))] = draw(st.sampled_from(_PIECES))
    return bytes(whole[: draw(st.integers(0, len(whole)))]) if draw(st.booleans()) else bytes(whole)


def complaints(probe: Probe, output: bytes, parameters: Mapping[str, Any] | None = None) -> list[str]:
    """What is wrong with how a probe reads what a tool printed, as a recording and as an answer."""
    found = reading_complaints(probe, Answer(output), parameters)
    try:
        answer = probe.recording(output) if probe.recording is not None else Answer(output)
    except UnreadableAnswer as error:
        return found if str(error) else [*found, "a recording is refused without a reason"]
    return found + reading_complaints(probe, answer, parameters)
