"""What a recording may have gone through before somebody reads it: cut, in another order, letters changed."""

from __future__ import annotations

from hypothesis import strategies as st

from maintops.domain.answers import Answer, Measured, NotMeasured, Skipped, UnreadableAnswer
from maintops.probes.conformance import default_parameters, reading_complaints
from maintops.probes.contract import Probe

HTML = b"<!DOCTYPE html>\n<html><head><title>403 Forbidden</title></head>\n<body>No.</body></html>\n"
_BITS = st.sampled_from([b"", b"0", b"-1", b"9" * 30, b":", b"=", b" ", b"\n", b"\0", b"\xff", b"(", b"None", b"\t"])


@st.composite
def spoiled(draw: st.DrawFn, recordings: list[bytes]) -> bytes:
    """One of the recordings after some accidents."""
    whole = draw(st.sampled_from(recordings))
    if draw(st.booleans()):
        whole = b"\n".join(draw(st.permutations(whole.split(b"\n")[:60])))
    changed = bytearray(whole)
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(changed)))
        changed[place : place + draw(st.integers(0, 5))] = draw(_BITS)
    return bytes(changed[: draw(st.integers(0, len(changed)))]) if draw(st.booleans()) else bytes(changed)


def assert_bearable(probe: Probe, recording: bytes) -> None:
    """A recording gives a reading that keeps the contract, or is refused: nothing else ever comes out of it."""
    assert probe.recording is not None
    try:
        answer = probe.recording(recording)
    except UnreadableAnswer:
        return
    assert reading_complaints(probe, answer) == []


def recorded(probe: Probe, text: str) -> Measured | NotMeasured | Skipped:
    """What a probe reads out of a recording."""
    answer = Answer(text.encode()) if probe.recording is None else probe.recording(text.encode())
    return probe.read(answer, default_parameters(probe))


def recorded_facts(probe: Probe, text: str) -> dict[str, object]:
    """The facts of the only subject in a recording."""
    reading = recorded(probe, text)
    assert isinstance(reading, Measured), reading
    (one,) = reading.subjects
    assert one.facts.keys() | one.not_offered <= probe.facts.keys()
    return dict(one.facts)


def assert_bad_answers_are_no_facts(probe: Probe) -> None:
    """A tool that is not there, that crashed, that printed nothing or a web page: nothing is measured."""
    parameters = default_parameters(probe)
    for answer in (
        Answer(b"", b"sh: 1: tool: not found\n", 127),
        Answer(b"", b"Segmentation fault\n", 139),
        Answer(b"", b"", 0),
        Answer(HTML),
        Answer(HTML, truncated=True),
    ):
        try:
            reading = probe.read(answer, parameters)
        except UnreadableAnswer:
            continue
        assert isinstance(reading, NotMeasured), (answer, reading)
