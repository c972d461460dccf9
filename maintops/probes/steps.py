"""What a step by hand measures: nobody asks a server, a person says it (maintops.domain.steps)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, NotMeasured, Reading, Skipped
from maintops.probes.contract import Fact, Presence, Probe

FACTS = {
    "choice": Fact("str", "which of the step's choices was given"),
    "reading": Fact("float", "the number that was read off, in the step's unit"),
    "note": Fact("str", "what the person remarked"),
    "by": Fact("str", "who did it"),
    "at": Fact("str", "when (UTC)"),
    "evidence": Fact("list", "name, sha256 and bytes of each file that proves it"),
}


def _question(parameters: Mapping[str, Any]) -> str | Skipped:
    return Skipped("a person carries this out")


def _read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    return NotMeasured("a person carries this out")


STEP = Probe("step", "A step by hand", FACTS, _question, _read, Presence.PASSING)
"""Stands where a check has its probe. It is in no catalogue: a checklist's steps have it by themselves."""
