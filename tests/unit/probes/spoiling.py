"""Recordings as they may arrive: cut, with lines in another order, with letters changed; a reader makes nothing up."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from maintops.domain.answers import Answer, UnreadableAnswer
from maintops.probes.conformance import reading_complaints
from maintops.probes.contract import Probe
from tests.unit.probes.asking import DATA

spoiling = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
"""How a test with spoiled recordings runs."""

_PIECES = st.one_of(
    st.sampled_from([b"", b"\0", b"\xff", b"{", b"}", b'"', b":", b",", b"-1", b"9" * 400, b"null", b"\n", b" ", b"="]),
    st.binary(max_size=4),
)


def recorded_bytes(folder: str, ending: str = "") -> list[bytes]:
    """The recordings of a folder whose names end so; none where there are none."""
    path = DATA / folder
    names = sorted(one for one in path.iterdir() if one.name.endswith(ending)) if path.exists() else []
    return [one.read_bytes() for one in names]


def spoiled_complaints(probe: Probe, data: st.DataObject, wholes: list[bytes]) -> list[str]:
    """What is wrong with how a probe reads one of some recordings after some accidents: as an answer, and as what a
    person saw."""
    output = _spoiled(data, data.draw(st.sampled_from(wholes)))
    found = reading_complaints(probe, Answer(output))
    if probe.recording is None:
        return found
    try:
        answer = probe.recording(output)
    except UnreadableAnswer as error:
        return found if str(error).strip() else [*found, "it refuses a recording without saying why"]
    except Exception as error:
        return [*found, f"its recording raises {type(error).__name__}: {error}"]
    return found + reading_complaints(probe, answer)


def _spoiled(data: st.DataObject, whole: bytes) -> bytes:
    if data.draw(st.booleans()):
        lines = whole.split(b"\n")
        first, other = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        lines[first], lines[other] = lines[other], lines[first]
        whole = b"\n".join(lines)
    spoiled = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(spoiled)))
        spoiled[place : place + data.draw(st.integers(0, 4))] = data.draw(_PIECES)
    return bytes(spoiled[: data.draw(st.integers(0, len(spoiled)))]) if data.draw(st.booleans()) else bytes(spoiled)
