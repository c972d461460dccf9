"""Reads recordings through a probe, as they are and spoiled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from maintops.domain.answers import Measured, NotMeasured, Reading, Skipped, SubjectFacts, UnreadableAnswer
from maintops.probes.conformance import default_parameters, reading_complaints
from maintops.probes.contract import Probe
from tests.examples import examples

OFTEN = settings(max_examples=examples(120), deadline=None, suppress_health_check=list(HealthCheck))

HTML = "<!DOCTYPE html>\n<html><body><h1>502 Bad Gateway</h1></body></html>\n"
NO_TOOL = "-bash: sometool: command not found\n"

_PIECES = st.sampled_from(
    ["", "\n", " ", "\t", "0", "-", "99999999999999999999999", "\x00", "\ufffd", "{", "]", ":", "/"]
)


def read_recording(probe: Probe, text: str | bytes, parameters: Mapping[str, Any] | None = None) -> Reading:
    """What a recording is read as."""
    assert probe.recording is not None
    data = text.encode() if isinstance(text, str) else text
    return probe.read(probe.recording(data), default_parameters(probe) | dict(parameters or {}))


def all_of(probe: Probe, text: str | bytes) -> dict[str | None, SubjectFacts]:
    """The subjects of a recording by their names; every fact of theirs is declared."""
    reading = read_recording(probe, text)
    assert isinstance(reading, Measured), reading
    for one in reading.subjects:
        assert one.facts.keys() | one.not_offered <= probe.facts.keys()
        assert not one.facts.keys() & one.not_offered
    return {one.subject: one for one in reading.subjects}


def facts_of(probe: Probe, text: str | bytes) -> Mapping[str, Any]:
    """The facts of the only subject of a recording."""
    (subject,) = all_of(probe, text).values()
    return subject.facts


def read_or_refused(probe: Probe, data: str | bytes) -> Reading | str:
    """What a recording is read as, or why it is unreadable."""
    try:
        return read_recording(probe, data)
    except UnreadableAnswer as error:
        return str(error)


def assert_no_news(probe: Probe) -> None:
    """Nothing, a tool that is not there and a page of a web server are neither good news nor bad."""
    for text in ("", "\n \n", NO_TOOL):
        assert isinstance(read_recording(probe, text), NotMeasured), text
    for text in ("Lorem ipsum dolor sit amet,\nconsetetur sadipscing\n", "{}}", "\x7fELF\x01\x02\n\n", "139\n"):
        said = read_or_refused(probe, text)
        assert isinstance(said, NotMeasured) or (isinstance(said, str) and said.strip()), text
    assert str(read_or_refused(probe, HTML)).startswith("this is not ")


@st.composite
def spoiled(draw: st.DrawFn, texts: Sequence[str]) -> bytes:
    """One of some recordings: cut at either end, its lines in another order or twice, pieces of it replaced."""
    text = draw(st.sampled_from(list(texts)))
    lines = text.split("\n")
    for _ in range(draw(st.integers(0, 2))):
        here, there = (draw(st.integers(0, len(lines) - 1)) for _ in "ab")
        lines[here], lines[there] = lines[there], lines[draw(st.sampled_from([here, there]))]
    text = "\n".join(lines)
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(text)))
        text = text[:place] + draw(_PIECES) + text[place + draw(st.integers(0, 4)) :]
    begin = draw(st.one_of(st.just(0), st.integers(0, len(text))))
    return text[begin : draw(st.one_of(st.just(len(text)), st.integers(begin, len(text))))].encode()


def assert_reads(probe: Probe, data: bytes) -> None:
    """Whatever the recording: it is measured, not measured or said to be unreadable, and keeps the contract."""
    said = read_or_refused(probe, data)
    assert isinstance(said, Measured | NotMeasured | Skipped) or (isinstance(said, str) and said.strip())
    if not isinstance(said, str) and probe.recording is not None:
        assert reading_complaints(probe, probe.recording(data)) == []
