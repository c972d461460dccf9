"""The profile of TuneD: tuned-adm(8) (`active`, `recommend`, `verify`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import named_parts, refusal
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.recorded import in_parts, recording_of, silence

_QUESTION = """\
command -v tuned-adm >/dev/null 2>&1 || { echo 'tuned-adm: not found' >&2; exit 127; }
said() { "$@" 2>&1; }
part active said tuned-adm active
part recommend said tuned-adm recommend
part verify said tuned-adm verify
"""
_ACTIVE = re.compile(r"(?m)^Current active profile: *(\S.*?) *$")
_POLICY = re.compile(r"(?m)^Preset profile: *(\S.*?) *$")
_NONE = re.compile(r"(?m)^No current active profile")
_DOWN = re.compile(r"(?im)cannot talk to tuned daemon|is tuned daemon running|tuned daemon is not running")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,80}(?: [A-Za-z0-9][A-Za-z0-9_.-]{0,80})*")
_VERIFIED = re.compile(r"(?i)ver(?:i?)fication (succeeded|failed)")  # older versions say "Verfication"


def question(parameters: Mapping[str, Any]) -> str:
    """The profile in use, the one that TuneD would choose, and whether the settings are those of the profile."""
    return _QUESTION


def _bare(text: str) -> Answer | None:
    """What `tuned-adm active`, `tuned-adm list` or `tuned-adm verify` printed."""
    if _VERIFIED.search(text):
        return in_parts({"verify": text})
    if _ACTIVE.search(text) or _NONE.search(text) or _POLICY.search(text) or _DOWN.search(text):
        return in_parts({"active": text})
    return None


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    if (why := silence(answer) or refusal(answer)) is not None:
        return why
    found = named_parts(answer)
    active = found["active"].text if "active" in found else ""
    facts: dict[str, Any] = {}
    profile = _ACTIVE.search(active) or _POLICY.search(active)
    if profile is not None:
        facts["active"] = profile[1]
    elif _NONE.search(active):
        facts["active"] = ""
    if active:
        facts["running"] = _DOWN.search(active) is None
    recommended = found["recommend"].text.strip() if "recommend" in found and found["recommend"].status == 0 else ""
    if _NAME.fullmatch(recommended):
        facts["recommended"] = recommended
    verdict = _VERIFIED.search(found["verify"].text) if "verify" in found else None
    if verdict is not None:
        facts["verified"] = verdict[1].lower() == "succeeded"
    if "active" not in facts and "verified" not in facts:
        if _DOWN.search(active):
            return NotMeasured("TuneD is installed and does not run")
        raise UnreadableAnswer(f"not what tuned-adm prints: {active.strip()[:80]!r}")
    idle = facts.get("running") is False or facts.get("active") == ""
    return Measured((SubjectFacts(None, facts, frozenset({"verified"} - facts.keys()) if idle else frozenset()),))


PROBE = Probe(
    name="tuned",
    title="Profile of TuneD",
    facts={
        "active": Fact("str", "the profile in use, empty for none"),
        "recommended": Fact("str", "the profile that TuneD would choose for this server"),
        "running": Fact("bool", "the daemon answers"),
        "verified": Fact("bool", "the settings are those of the profile; not offered without one"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    recording=recording_of("the output of tuned-adm active, list or verify", _bare),
)
