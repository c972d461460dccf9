"""What a probe reads out of recordings, and out of the answers of tools that broke."""

from __future__ import annotations

from maintops.domain.answers import Answer, Measured, NotMeasured, Skipped, UnreadableAnswer
from maintops.probes.conformance import default_parameters
from maintops.probes.contract import Probe

HTML = b"<!DOCTYPE html>\n<html><head><title>403 Forbidden</title></head>\n<body>No.</body></html>\n"


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
