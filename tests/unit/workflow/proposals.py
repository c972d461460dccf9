"""Proposals to make plans of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any

from maintops.domain.changes import Action, ChangePolicy, ChangeStep, Packages, Share
from maintops.domain.checklists import Check, Checklist
from maintops.domain.identities import Identity
from maintops.domain.servers import Server
from maintops.domain.windows import WindowRule, Windows
from maintops.workflow.proposing import Proposal
from tests.unit.workflow.samples import checklist

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
ANNA = Identity("anna@ctl", "Anna")
UPDATE = ChangeStep(
    "C-1", "Update", act=Action(playbook="/p/a.yml", parameters={"level": {"from": "level"}, "x": 1}), estimate=60
)
PENDING = Check("P-1", "Pending", probe="pending-updates")
POLICY = ChangePolicy(waves=(Share(count=1), Share(percent=100)), packages=Packages.LATEST)


def listed(*changes: ChangeStep, policy: ChangePolicy = POLICY, checks: Sequence[Check] = ()) -> Checklist:
    chosen = changes or (UPDATE,)
    return replace(
        checklist(*checks, parameters={"level": 1}),
        changes=chosen,
        change=policy,
        order=tuple(one.id for one in chosen),
    )


def server(name: str, **variables: Any) -> Server:
    return Server(name, variables={f"maintops_{key}": value for key, value in variables.items()})


def proposal(*servers: Server, of: Checklist | None = None, **more: Any) -> Proposal:
    return Proposal("p1", of or listed(), servers, more.pop("everyone", servers), ANNA, AT, {"a": "0"}, **more)


def window(*days: int, begin: int = 20, end: int = 23) -> ChangePolicy:
    rules = tuple(WindowRule(time(begin), time(end), day=date(2026, 3, day)) for day in days)
    return replace(POLICY, windows=Windows("UTC", rules))
