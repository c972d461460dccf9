from __future__ import annotations

import pytest
from hypothesis import given

from maintops.domain.answers import Answer, Measured, NotMeasured, UnreadableAnswer
from maintops.probes.failed_units import PROBE
from tests.contract.samples import UNITS
from tests.unit.probes.recorded import OFTEN, all_of, assert_no_news, assert_reads, read_recording, spoiled


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


# --- recordings -------------------------------------------------------------------------------------------------------
FAILED = """\
  UNIT                  LOAD      ACTIVE SUB    DESCRIPTION
● nginx.service         loaded    failed failed A web server
● data.mount            not-found failed failed /data

LOAD   = Reflects whether the unit definition was properly loaded.
ACTIVE = The high-level unit activation state, i.e. generalization of SUB.
SUB    = The low-level unit activation state, values depend on unit type.

2 loaded units listed. Pass --all to see loaded but inactive units, too.
"""
ALL = """\
UNIT                  LOAD   ACTIVE SUB     DESCRIPTION
cron.service          loaded active running Regular jobs
* nginx.service       loaded failed failed  A web server

LOAD   = Reflects whether the unit definition was properly loaded.
2 loaded units listed.
"""
NONE = "  UNIT LOAD ACTIVE SUB DESCRIPTION\n0 loaded units listed.\n"
IN_JSON = (
    '[{"unit": "nginx.service", "load": "loaded", "active": "failed", "sub": "failed", "description": "A web server"}]'
)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (FAILED, ["nginx.service", "data.mount"]),
        (FAILED.replace("●", "\ufffd"), ["nginx.service", "data.mount"]),
        (ALL, ["nginx.service"]),
        (IN_JSON, ["nginx.service"]),
        (NONE, []),
        ("[]", []),
    ],
)
def test_bare_lists_of_units(text: str, names: list[str]):
    found = all_of(PROBE, text)
    assert list(found) == names
    for one in names[:1]:
        assert (found[one].facts["active_state"], found[one].facts["description"]) == ("failed", "A web server")


def test_a_list_that_was_cut_before_its_first_row_is_no_good_news():
    with pytest.raises(UnreadableAnswer, match="this is not output of systemctl"):
        read_recording(PROBE, FAILED.split("\n")[0] + "\n")


def test_no_systemd_in_a_recording_is_not_measured():
    said = "System has not been booted with systemd as init system (PID 1). Can't operate.\n"
    assert read_recording(PROBE, said) == NotMeasured(said.strip())


@OFTEN
@given(data=spoiled([FAILED, ALL, NONE, IN_JSON]))
def test_a_spoiled_recording_is_unreadable_at_worst(data: bytes) -> None:
    assert_reads(PROBE, data)


def test_a_recording_of_nothing_or_of_something_else_is_no_news() -> None:
    assert_no_news(PROBE)
