"""A follow-up: what someone must do about findings, until a passing re-check proves it done."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from maintops.domain.findings import Finding, FindingState


class FollowUpState(StrEnum):
    """`proposed`: every finding it stands for is gone; a person may close it. The diagram is in docs/states.md."""

    OPEN = "open"
    PROPOSED = "proposed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a rule that matched asks for, rendered; `action` is what its check says that a person does."""

    title: str
    skill: str | None = None
    part: str | None = None
    knowledge: str | None = None
    action: str = ""


@dataclass(frozen=True, slots=True)
class FollowUp:
    """`findings` are the ids of the findings it stands for. `proof` is the record that showed the last of them gone.
    `closed_by` and `note` are what the person who closed it claimed."""

    id: str
    server: str
    title: str
    state: FollowUpState
    findings: tuple[str, ...]
    opened: datetime
    opened_record: str
    skill: str | None = None
    part: str | None = None
    knowledge: str | None = None
    proof: str | None = None
    closed: datetime | None = None
    closed_by: str | None = None
    note: str | None = None
    action: str = ""


def ask(followups: Sequence[FollowUp], finding: Finding, wish: Wish, record: str, now: datetime) -> FollowUp:
    """The follow-up that a finding's wish leads to, opened or joined.

    `followups` are the server's that are not closed. A finding that already has one stays with it (the title may
    hold a measured value that changes from day to day); otherwise one with the same title is joined.
    """
    live = [one for one in followups if one.state is not FollowUpState.CLOSED]
    for one in live:
        if finding.id in one.findings:
            return replace(one, state=FollowUpState.OPEN, proof=None)
    for one in live:
        if one.title == wish.title:
            return replace(one, state=FollowUpState.OPEN, proof=None, findings=(*one.findings, finding.id))
    return FollowUp(
        id=_id(finding.id, record),
        server=finding.server,
        title=wish.title,
        state=FollowUpState.OPEN,
        findings=(finding.id,),
        opened=now,
        opened_record=record,
        skill=wish.skill,
        part=wish.part,
        knowledge=wish.knowledge,
        action=wish.action,
    )


def propose(followup: FollowUp, findings: Sequence[Finding], record: str) -> FollowUp:
    """Proposes closing when every finding it stands for is gone, with the record that proves it; takes an earlier
    proposal back when one is there again. `findings` must hold all of its findings. One that told of a change is never
    proven to be mended by its going: a person closes it, with a note."""
    mine = [finding for finding in findings if finding.id in followup.findings]
    gone = bool(mine) and all(finding.state is FindingState.GONE and not finding.change for finding in mine)
    if gone and followup.state is FollowUpState.OPEN:
        return replace(followup, state=FollowUpState.PROPOSED, proof=record)
    if not gone and followup.state is FollowUpState.PROPOSED:
        return replace(followup, state=FollowUpState.OPEN, proof=None)
    return followup


def close(followup: FollowUp, by: str, note: str | None, now: datetime) -> FollowUp:
    """Closed by a person. A follow-up that is closed already is returned as it is."""
    if followup.state is FollowUpState.CLOSED:
        return followup
    return replace(followup, state=FollowUpState.CLOSED, closed=now, closed_by=by, note=note)


def _id(finding: str, record: str) -> str:
    digest = hashlib.sha256(f"{finding}\0{record}".encode()).digest()
    return "u-" + base64.b32encode(digest)[:10].decode().lower()
