"""Small honest stand-ins: a probe that reads JSON subjects, checklists, drafts, and a crew without any server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Skipped, SubjectFacts, UnreadableAnswer
from maintops.domain.checklists import Cadence, Check, Checklist, FollowUpTemplate, Rule
from maintops.domain.outcomes import Severity
from maintops.domain.ports import Content, Delivery, Memory, Preview, Pulse, Reply, Stop, Trip, Verdict
from maintops.domain.records import ServiceRecord
from maintops.domain.runs import Owner
from maintops.domain.servers import Server
from maintops.probes.catalogue import Catalogue
from maintops.probes.commands import parser_named
from maintops.probes.contract import Fact, Parameter, Presence, Probe
from maintops.rules.judging import compile_rules
from maintops.workflow.judging import judge_server
from maintops.workflow.planning import CheckPlan

START = datetime(2026, 3, 1, 7, 30, tzinfo=UTC)
OWNER = Owner("control", "machine", "boot", 1, 1)
FACTS = {"level": Fact("int", "how full"), "passed": Fact("bool", "its own test")}


def read(answer: Answer, parameters: Mapping[str, Any]) -> Measured | NotMeasured | Skipped:
    """{"disk": {"level": 1}} -> one subject; "broken" raises, "none" is not measured."""
    if answer.stdout == b"none":
        return NotMeasured("no disk")
    if answer.stdout == b"broken":
        raise UnreadableAnswer("it is broken")
    if answer.stdout == b"set":
        return Measured((SubjectFacts("a", {"level": [{1, 2}]}),))
    if answer.stdout == b"bug":
        raise KeyError("a stranger's mistake")
    if answer.stdout == b"twice":
        return Measured((SubjectFacts("a", {}), SubjectFacts("a", {})))
    if answer.stdout.startswith(b"many"):
        return Measured(tuple(SubjectFacts(str(number), {}) for number in range(int(answer.stdout[4:]))))
    found = json.loads(answer.stdout)
    return Measured(tuple(SubjectFacts(name, facts) for name, facts in found.items()))


def probe(presence: Presence = Presence.LASTING) -> Probe:
    """Asks for `places`; nothing configured is skipped."""

    def question(parameters: Mapping[str, Any]) -> str | Skipped:
        return "echo {}" if parameters["places"] else Skipped("no places are configured")

    return Probe("disks", "Disks", FACTS, question, read, presence, {"places": Parameter(["/"], "where")})


RULES = (
    Rule(
        "level >= 90",
        Severity.CRITICAL,
        "{{ subject }} is at {{ level }}",
        FollowUpTemplate("Mend {{ subject }}", "hw"),
    ),
    Rule("level >= 80", Severity.WARNING, "{{ subject }} is at {{ level }}"),
    Rule("level >= 70", Severity.INFO, "{{ subject }} fills up"),
    Rule("level > previous.level + 50", Severity.WARNING, "{{ subject }} jumped from {{ previous.level }}"),
)


def plan(rules: Sequence[Rule] = RULES, presence: Presence = Presence.LASTING, check: str = "HW-010") -> CheckPlan:
    """One check, ready to be judged."""
    return CheckPlan(Check(check, "Disks", probe="disks", rules=tuple(rules)), probe(presence), compile_rules(rules))


def checklist(*checks: Check, hosts: str = "all", parameters: Mapping[str, Any] | None = None) -> Checklist:
    """A checklist of these checks; one check of disks where none is given."""
    chosen = checks or (Check("HW-010", "Disks", probe="disks", rules=RULES, tags=("hardware",)),)
    return Checklist(
        "sample",
        "Sample",
        "inspection",
        Cadence("day", "day"),
        hosts,
        chosen,
        (),
        parameters or {},
        "v1",
        "/srv/sample.yml",
    )


def catalogue(presence: Presence = Presence.LASTING) -> Catalogue:
    """The probe above and the parsers of commands."""
    return Catalogue({"disks": probe(presence)}, {name: parser_named(name) for name in ("text", "lines", "json")})


def draft(number: int = 1, server: str = "web1") -> ServiceRecord:
    """The record of day `number`, without cells."""
    at = START + timedelta(days=number)
    return ServiceRecord(
        f"rec{number}", f"run{number}", server, "sample", "v1", "Sample", "inspection", "ssh", at, at, ()
    )


@dataclass
class Life:
    """One server's memory, as a store would keep it from record to record."""

    plans: Sequence[CheckPlan] = field(default_factory=lambda: [plan()])
    memory: Memory = field(default_factory=Memory)
    days: int = 0

    def day(self, **readings: Any) -> Verdict:
        """One record; keyword HW_010=reading. Returns its verdict and remembers it."""
        self.days += 1
        named = {name.replace("_", "-"): reading for name, reading in readings.items()}
        verdict = judge_server(draft(self.days), self.plans, named, {}, self.memory)
        findings = {one.id: one for one in (*self.memory.findings, *verdict.findings)}
        followups = {one.id: one for one in (*self.memory.followups, *verdict.followups)}
        facts = {**self.memory.facts, **verdict.facts}
        self.memory = Memory(facts, tuple(findings.values()), tuple(followups.values()))
        return verdict


def disks(**levels: Any) -> Measured:
    """A reading: one disk per keyword, its level the value (a dict gives the facts, None: not measured)."""
    return Measured(
        tuple(
            SubjectFacts(name, level if isinstance(level, dict) else {"level": level})
            if level is not None
            else SubjectFacts(name, why_not="it does not answer")
            for name, level in levels.items()
        )
    )


@dataclass
class Canned:
    """A runner that delivers what it is given, in this order."""

    items: Sequence[Delivery | Pulse]
    name: str = "ssh"
    refuses: Mapping[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def refusal(self, server: Server) -> str | None:
        return self.refuses.get(server.name)

    def ask(self, trips: Sequence[Trip], *, forks: int, stop: Stop) -> Iterator[Delivery | Pulse]:
        self.asked += [trip.server.name for trip in trips]
        yield from self.items


@dataclass
class CannedPreviews:
    """A previewer that says what it is given."""

    items: Sequence[Preview | Pulse] = ()
    asked: list[Content] = field(default_factory=list)

    def preview(
        self, content: Content, servers: Sequence[Server], *, forks: int, timeout: float, stop: Stop
    ) -> Iterator[Preview | Pulse]:
        self.asked.append(content)
        yield from self.items


def delivery(server: str, *replies: Reply) -> Delivery:
    """What a server sent."""
    return Delivery(server, replies, START, START + timedelta(seconds=2))
