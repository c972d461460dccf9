from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from maintops.domain.answers import NotMeasured, UnreadableAnswer
from maintops.probes.tuned import PROBE
from tests.unit.probes.asking import SHELLS, answer_of, ask, only, tool
from tests.unit.probes.broken_tools import HTML, assert_bad_answers_are_no_facts, recorded, recorded_facts
from tests.unit.probes.spoiling import complaints, spoiled

ACTIVE = "Current active profile: virtual-guest\n"
DOWN = "Cannot talk to TuneD daemon via DBus. Is TuneD daemon running?\nNo current active profile.\n"
GOOD = "Verification succeeded, current system settings match the preset profile.\nSee TuneD log file for details.\n"
BAD = "Verfication failed, current system settings differ from the preset profile.\n"
LIST = "Available profiles:\n- balanced - General non-specialized TuneD profile\n- powersave\n" + ACTIVE
RECORDINGS = [ACTIVE, DOWN, GOOD, BAD, LIST]


def test_profile_recommendation_and_verdict() -> None:
    one = only(PROBE, answer_of(active=ACTIVE, recommend="virtual-guest\n", verify=GOOD))
    assert one.facts == {"active": "virtual-guest", "recommended": "virtual-guest", "running": True, "verified": True}
    assert only(PROBE, answer_of(active=ACTIVE, recommend="x\n", verify=(1, BAD))).facts["verified"] is False


def test_a_daemon_that_does_not_run_has_no_verdict() -> None:
    one = only(PROBE, answer_of(active=(2, DOWN), recommend="balanced\n", verify=(1, "Cannot talk\n")))
    assert one.facts == {"active": "", "recommended": "balanced", "running": False}
    assert one.not_offered == {"verified"}
    alone = "Cannot talk to Tuned daemon via DBus. Is Tuned daemon running?\n"
    said = answer_of(active=(1, alone), recommend=(1, ""), verify=(1, ""))
    assert PROBE.read(said, {}) == NotMeasured("TuneD is installed and does not run")


def test_profiles_can_be_combined() -> None:
    facts = recorded_facts(PROBE, "Current active profile: throughput-performance my-sysctl\nPreset profile: other\n")
    assert facts["active"] == "throughput-performance my-sysctl"


@pytest.mark.parametrize("shell", SHELLS)
def test_it_is_asked_three_things(shell: list[str], tmp_path: Path) -> None:
    tool(
        tmp_path,
        "tuned-adm",
        """case $1 in
  active) echo 'Current active profile: balanced' ;;
  recommend) echo virtual-guest ;;
  verify) echo 'Verification failed, current system settings differ from the preset profile.' >&2; exit 1 ;;
esac""",
    )
    assert only(PROBE, ask(PROBE, shell, tools=tmp_path)).facts == {
        "active": "balanced",
        "recommended": "virtual-guest",
        "running": True,
        "verified": False,
    }


def test_recordings() -> None:
    assert recorded_facts(PROBE, LIST)["active"] == "virtual-guest"
    assert recorded_facts(PROBE, GOOD) == {"verified": True}
    assert recorded_facts(PROBE, BAD) == {"verified": False}
    with pytest.raises(UnreadableAnswer, match="tuned-adm"):
        recorded(PROBE, HTML.decode())


def test_bad_answers_are_no_facts() -> None:
    assert_bad_answers_are_no_facts(PROBE)
    with pytest.raises(UnreadableAnswer, match="not what tuned-adm prints"):
        PROBE.read(answer_of(active=HTML.decode(), recommend="", verify=""), {})


@given(spoiled([text.encode() for text in RECORDINGS]))
def test_a_spoiled_recording_is_refused_at_worst(recording: bytes) -> None:
    assert complaints(PROBE, recording) == []
