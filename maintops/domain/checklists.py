"""A checklist: what to check or do, on which servers, how often. Values only; `maintops.files` reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from maintops.domain.changes import NO_POLICY, ChangePolicy, ChangeStep
from maintops.domain.outcomes import Severity

DEFAULT_TIMEOUT = 20.0
"""Seconds that a check may take on a server where its author says nothing."""

DEFAULT_LIMIT = 1024 * 1024
"""Bytes of output that a check may give where its author says nothing."""


@dataclass(frozen=True, slots=True)
class FollowUpTemplate:
    """What a rule asks to be done. `title` is a template over the facts; the rest are ids of the team's registers."""

    title: str
    skill: str | None = None
    part: str | None = None
    knowledge: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """`when` is an expression over the facts of one subject; `finding` a template over the same."""

    when: str
    severity: Severity
    finding: str
    follow_up: FollowUpTemplate | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One item that observes. Exactly one of `probe`, `command`, `playbook` and `role` is set; `goss` is the file that
    `command` was made of.

    `parser` (text, lines, json, jc:NAME or a plug-in's) and `subject` (the fact that names the subject where the
    parser gives a list of objects) belong to `command`. `become` None means: as the inventory says. `parameters`
    are this check's own values for its probe's parameters. `playbook` is an absolute path. `why` says why it matters,
    `action` what a person does about a finding.
    """

    id: str
    title: str
    why: str = ""
    action: str = ""
    tags: tuple[str, ...] = ()
    probe: str | None = None
    command: str | None = None
    parser: str | None = None
    subject: str | None = None
    playbook: str | None = None
    role: str | None = None
    goss: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    timeout: float = DEFAULT_TIMEOUT
    limit: int = DEFAULT_LIMIT
    become: bool | None = None


@dataclass(frozen=True, slots=True)
class StepReading:
    """A number that a person reads off: its unit, and the least and most that can be. What is good is for rules."""

    unit: str
    least: float = 0.0
    most: float = 1e9


@dataclass(frozen=True, slots=True)
class Step:
    """One item that a person carries out. `manual` says how. It is answered by a number (`reading`) or by one of
    `choices`; `evidence` names what must come with the answer (photo or file). `rules` judge the facts `choice`,
    `reading` and `note`. In a run that changes servers `precheck` and `postcheck` are the checks that must pass before
    and after it; `rollback` says how a person takes it back, `irreversible` that nobody can."""

    id: str
    title: str
    manual: str
    why: str = ""
    action: str = ""
    tags: tuple[str, ...] = ()
    choices: tuple[str, ...] = ("done",)
    reading: StepReading | None = None
    evidence: str | None = None
    rules: tuple[Rule, ...] = ()
    precheck: tuple[str, ...] = ()
    postcheck: tuple[str, ...] = ()
    rollback: str = ""
    irreversible: bool = False


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often a checklist is due, per criticality: one of day, week, month, quarter, half-year, year. `first_year`
    is the rhythm of servers in their first year, where that is another one."""

    core: str
    standard: str
    first_year: str | None = None

    def __str__(self) -> str:
        same = self.core == self.standard
        usual = f"every {self.core}" if same else f"core servers every {self.core}, others every {self.standard}"
        return f"{usual}, in a server's first year every {self.first_year}" if self.first_year else usual


@dataclass(frozen=True, slots=True)
class Checklist:
    """`version` is the SHA-256 of the file it was read from (hex; where it includes others, of all of their versions);
    `file` its path; `parameters` the defaults; `item` the code of the service item. `includes` names the checklists
    whose checks and steps come first in its own. `changes` are the steps that change servers, `change` how that is
    done, `order` the ids of all steps, by hand and by machine, as they are written."""

    name: str
    title: str
    service: str
    cadence: Cadence
    hosts: str
    checks: tuple[Check, ...]
    steps: tuple[Step, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""
    file: str = ""
    item: str = ""
    includes: tuple[str, ...] = ()
    changes: tuple[ChangeStep, ...] = ()
    change: ChangePolicy = NO_POLICY
    order: tuple[str, ...] = ()

    @property
    def items(self) -> tuple[Check | Step, ...]:
        """What only observes and asks: its checks, and behind them its steps by hand."""
        return (*self.checks, *self.steps)

    @property
    def sequence(self) -> tuple[Step | ChangeStep, ...]:
        """Its steps, by hand and by machine, in the order in which they are carried out."""
        every: tuple[Step | ChangeStep, ...] = (*self.steps, *self.changes)
        found = {one.id: one for one in every}
        return tuple(found[id] for id in self.order)
