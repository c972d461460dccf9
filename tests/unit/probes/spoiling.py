"""Recordings as they may arrive: cut, with lines in another order, with letters changed; a reader makes nothing up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from maintops.domain.answers import Answer, UnreadableAnswer
from maintops.probes.conformance import reading_complaints
from maintops.probes.contract import Probe
from tests.examples import examples
from tests.unit.probes.asking import DATA

spoiling = settings(max_examples=examples(200), deadline=None, suppress_health_check=list(HealthCheck))
"""How a test with spoiled recordings runs."""

_PIECES = st.one_of(
    st.sampled_from([b"", b"\0", b"\xff\xfe", b"{", b"}", b"|", b'"', b":", b",", b"=", b"(", b" ", b"\t", b"\n"]),
    st.sampled_from([b"0", b"-1", b"9" * 30, b"9" * 400, b"0x", b"na", b"null", b"None", b"<html>"]),
    st.binary(max_size=4),
)


def recorded_bytes(folder: str, ending: str = "") -> list[bytes]:
    """The recordings of a folder whose names end so; none where there are none."""
    path = DATA / folder
    names = sorted(one for one in path.iterdir() if one.name.endswith(ending)) if path.exists() else []
    return [one.read_bytes() for one in names]


@st.composite
def spoiled(draw: st.DrawFn, recordings: list[bytes]) -> bytes:
    """One of some recordings: with two lines changed over or one left out, bytes replaced, its end cut off."""
    lines = draw(st.sampled_from(recordings)).split(b"\n")
    if draw(st.booleans()):
        first, other = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        lines[first], lines[other] = lines[other], lines[first]
    if draw(st.booleans()):
        del lines[draw(st.integers(0, len(lines) - 1))]
    whole = bytearray(b"\n".join(lines))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(whole)))
        whole[place : place + draw(st.integers(0, 5))] = draw(_PIECES)
    return bytes(whole[: draw(st.integers(0, len(whole)))]) if draw(st.booleans()) else bytes(whole)


def complaints(probe: Probe, output: bytes, parameters: Mapping[str, Any] | None = None) -> list[str]:
    """What is wrong with how a probe reads what a tool printed: as an answer, and as what a person saw."""
    found = reading_complaints(probe, Answer(output), parameters)
    if probe.recording is None:
        return found
    try:
        answer = probe.recording(output)
    except UnreadableAnswer as error:
        return found if str(error).strip() else [*found, "it refuses a recording without saying why"]
    except Exception as error:
        return [*found, f"its recording raises {type(error).__name__}: {error}"]
    return found + reading_complaints(probe, answer, parameters)
