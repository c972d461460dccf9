"""A verdict as the texts that are kept of it, made before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from maintops.domain.findings import Finding
from maintops.domain.followups import FollowUp
from maintops.domain.ports import Verdict
from maintops.store import codec


@dataclass(frozen=True, slots=True)
class Texts:
    """The documents of a verdict: of its record, of the facts by check, of findings and follow-ups beside each."""

    record: str
    facts: Mapping[str, str]
    findings: tuple[tuple[Finding, str], ...]
    followups: tuple[tuple[FollowUp, str], ...]


def texts(verdict: Verdict, run: str, record: str, server: str) -> Texts:
    """The texts of a verdict. Of a finding or follow-up that is in it twice, the last counts.

    Raises ValueError where its record is not the one that was asked for, TypeError for a fact that is no JSON value.
    """
    made = verdict.record
    if (made.run, made.id, made.server) != (run, record, server):
        raise ValueError(f"a verdict on {made.server} ({made.id}) was given for {server} ({record})")
    findings = {one.id: one for one in verdict.findings}
    followups = {one.id: one for one in verdict.followups}
    return Texts(
        codec.record_text(made),
        {check: codec.subjects_text(subjects) for check, subjects in verdict.facts.items()},
        tuple((one, codec.finding_text(one)) for one in findings.values()),
        tuple((one, codec.followup_text(one)) for one in followups.values()),
    )
