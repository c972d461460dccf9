from __future__ import annotations

import pytest

from maintops.domain.answers import Answer, Measured, NotMeasured, UnreadableAnswer
from maintops.probes.failed_units import PROBE
from tests.contract.samples import UNITS


def test_each_failed_unit_is_a_subject():
    reading = PROBE.read(Answer(UNITS), {})
    assert isinstance(reading, Measured)
    assert {one.subject: one.facts for one in reading.subjects} == {
        "nightly-backup.service": {
            "unit": "nightly-backup.service",
            "load_state": "loaded",
            "active_state": "failed",
            "sub_state": "failed",
            "description": "Nightly backup of /srv",
        },
        "data.mount": {
            "unit": "data.mount",
            "load_state": "not-found",
            "active_state": "failed",
            "sub_state": "failed",
            "description": "data.mount",
        },
    }


def test_a_unit_may_say_nothing_of_itself():
    reading = PROBE.read(Answer(b"x.service loaded failed failed\n"), {})
    assert isinstance(reading, Measured)
    assert reading.subjects[0].facts["description"] == ""


def test_no_failed_unit_is_a_good_answer():
    assert PROBE.read(Answer(b""), {}) == Measured(())


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(b"", b"sh: 1: systemctl: not found\n", 127), "no such command: systemctl"),
        (Answer(b"", b"bash: line 1: systemctl: command not found\n", 127), "no such command: systemctl"),
        (
            Answer(b"", b"System has not been booted with systemd as init system (PID 1).\nmore\n", 1),
            "systemd does not answer here: System has not been booted with systemd as init system (PID 1).",
        ),
        (
            Answer(b"", b"Failed to connect to bus: Permission denied\n", 1),
            "no right to ask this: Failed to connect to bus: Permission denied",
        ),
        (Answer(b"", b"", 1), "systemd does not answer here: exit status 1"),
    ],
)
def test_without_systemd_nothing_is_measured(answer: Answer, why: str):
    assert PROBE.read(answer, {}) == NotMeasured(why)


@pytest.mark.parametrize("line", ["0 loaded units listed.", "\N{BLACK CIRCLE}", "hello", "x.service loaded"])
def test_other_lines_are_unreadable(line: str):
    with pytest.raises(UnreadableAnswer, match="list-units"):
        PROBE.read(Answer(line.encode()), {})
