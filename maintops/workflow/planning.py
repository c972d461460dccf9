"""Checklist and servers in, everything a run sets out to ask out: decided before the first connection."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from maintops.domain.answers import Question, Skipped
from maintops.domain.bmcs import bmc_refusal
from maintops.domain.checklists import Check, Checklist, Step
from maintops.domain.parameters import PREFIX, checklist_parameters, probe_parameters
from maintops.domain.ports import Inquiry, Runner, Script, Trip
from maintops.domain.records import record_id
from maintops.domain.servers import Server
from maintops.domain.steps import StepAnswer
from maintops.errors import NothingSelected, UsageError
from maintops.probes.catalogue import Catalogue
from maintops.probes.commands import command_probe
from maintops.probes.contract import Probe, Reach
from maintops.probes.steps import STEP
from maintops.rules.judging import CompiledRules, compile_rules
from maintops.script.compiling import compile_script

BMC_ADDRESS = f"{PREFIX}bmc_address"
"""The inventory variable that names a server's management controller."""


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """A check, ready to be judged: its probe (None for Ansible content) and its compiled rules. `step` is set where it
    is a step that a person carries out. `follows` names an earlier check of the run that asks the same."""

    check: Check
    probe: Probe | None
    rules: CompiledRules
    step: Step | None = None
    follows: str = ""


@dataclass(frozen=True, slots=True)
class BmcQuestion:
    """What a check asks of a server's management controller; `reach` says in which language."""

    check: str
    reach: Reach
    text: str
    timeout: float
    limit: int


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked of servers with the same parameters: shared by all of them.

    `answers` maps each check to the one under whose id its question travels: checks that ask the same share an answer.
    `inquiries` are for the server's management controller.
    """

    scripts: tuple[Script, ...]
    skipped: Mapping[str, str]
    values: Mapping[str, Any]
    parameters: Mapping[str, Mapping[str, Any]]
    answers: Mapping[str, str] = field(default_factory=dict)
    inquiries: tuple[BmcQuestion, ...] = ()

    def checks(self, script: Script) -> Iterator[tuple[str, str]]:
        """The checks that a script answers, each with the id under which its answer comes."""
        asked = set(script.checks)
        return ((check, answer) for check, answer in self.answers.items() if answer in asked)


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """One server's part of a run. `why` says why this engine carries it out."""

    server: Server
    record: str
    engine: str
    why: str
    asking: Asking

    @property
    def trip(self) -> Trip:
        """What the runner is given."""
        return Trip(self.server, self.asking.scripts)

    @property
    def inquiries(self) -> tuple[Inquiry, ...]:
        """What is asked of its management controller; nothing where the inventory names none."""
        if not self.has_bmc:
            return ()
        return tuple(
            Inquiry(self.server, one.check, one.reach.value, one.text, one.timeout, one.limit)
            for one in self.asking.inquiries
        )

    @property
    def has_bmc(self) -> bool:
        """Whether the inventory names its management controller."""
        return self.server.variables.get(BMC_ADDRESS) is not None


@dataclass(frozen=True, slots=True)
class Plan:
    """A run before it begins. `checks` are those selected, in the checklist's order, with the steps behind them.
    `answers` are those that persons gave beforehand, by server and step."""

    run: str
    checklist: Checklist
    checks: tuple[CheckPlan, ...]
    servers: tuple[ServerPlan, ...]
    content: tuple[CheckPlan, ...] = field(default=())
    answers: Mapping[tuple[str, str], StepAnswer] = field(default_factory=dict)

    @property
    def cells(self) -> int:
        """How many cells the result will have at least."""
        return len(self.checks) * len(self.servers)


def plan_run(
    run: str,
    checklist: Checklist,
    tags: Sequence[str],
    servers: Sequence[Server],
    catalogue: Catalogue,
    runners: Sequence[Runner],
    engine: str,
) -> Plan:
    """Everything that a run will ask. Raises UsageError for what could only go wrong later, NothingSelected for an
    empty selection."""
    chosen = select_items(checklist, tags)
    checks = followed(plan_step(one) if isinstance(one, Step) else plan_check(one, catalogue) for one in chosen)
    if not servers:
        raise NothingSelected()
    engines = choose_engines(servers, runners, engine)
    content = any(plan.probe is None for plan in checks)
    askings: dict[str, Asking] = {}
    planned = []
    for index, (server, (name, why)) in enumerate(zip(servers, engines, strict=True), start=1):
        asking = asking_of(checklist, checks, server, askings)
        if asking.inquiries and BMC_ADDRESS in server.variables and (problem := bmc_refusal(server)) is not None:
            raise UsageError(f"server {server.name}: {problem}")
        planned.append(ServerPlan(server, record_id(run, index), name, why, asking))
    return Plan(
        run, checklist, checks, tuple(planned), tuple(one for one in checks if one.probe is None) if content else ()
    )


def followed(plans: Iterable[CheckPlan]) -> tuple[CheckPlan, ...]:
    """Checks that look at the same subjects from several sides know the first of them: what is gone is missed once."""
    first: dict[str, str] = {}
    found = []
    for plan in plans:
        key = json.dumps([plan.check.probe, dict(plan.check.parameters)], sort_keys=True)
        leader = first.setdefault(key, plan.check.id) if plan.check.probe is not None else plan.check.id
        found.append(replace(plan, follows="" if leader == plan.check.id else leader))
    return tuple(found)


def select_items(checklist: Checklist, tags: Sequence[str]) -> tuple[Check | Step, ...]:
    """The checks, and behind them the steps, that have one of some ids or tags; all of them where none is given."""
    items = checklist.items
    if not tags:
        return items
    ids = {one.id for one in items}
    known = ids.union(*(one.tags for one in items))
    unknown = [tag for tag in tags if tag not in known]
    if unknown:
        raise UsageError(
            f"checklist {checklist.name} has no check and no tag {', '.join(map(repr, unknown))}; "
            f"its tags: {', '.join(sorted(known - ids)) or 'none'}"
        )
    return tuple(one for one in items if {one.id, *one.tags} & set(tags))


def plan_check(check: Check, catalogue: Catalogue) -> CheckPlan:
    """A check with its probe found and its rules compiled. The checklist was linted: nothing is unknown here."""
    own = check.rules or (catalogue.parser(check.parser).rules if check.parser is not None else ())
    return CheckPlan(check, _probe(check, catalogue), compile_rules(own))


def plan_step(step: Step) -> CheckPlan:
    """A step, ready to be judged like a check whose facts a person gives."""
    check = Check(step.id, step.title, step.why, step.action, step.tags, rules=step.rules)
    return CheckPlan(check, STEP, compile_rules(step.rules), step)


def _probe(check: Check, catalogue: Catalogue) -> Probe | None:
    if check.probe is not None:
        return catalogue.probe(check.probe)
    if check.command is not None:
        return command_probe(check.command, catalogue.parser(check.parser or "text"), check.subject)
    return None


def choose_engines(servers: Sequence[Server], runners: Sequence[Runner], engine: str) -> list[tuple[str, str]]:
    """For each server the engine that gets it, and why. `auto` takes the first that does not refuse."""
    if engine == "auto":
        return [_first(server, runners) for server in servers]
    runner = next(one for one in runners if one.name == engine)
    refusals = [(server.name, why) for server in servers if (why := runner.refusal(server)) is not None]
    if refusals:
        told = "".join(f"\n  {name}: {why}" for name, why in refusals[:20])
        raise UsageError(f"--engine {engine} cannot ask {len(refusals)} of the servers (use --engine auto):{told}")
    return [(engine, "as asked for")] * len(servers)


def _first(server: Server, runners: Sequence[Runner]) -> tuple[str, str]:
    reasons: list[str] = []
    for runner in runners:
        refusal = runner.refusal(server)
        if refusal is None:
            return runner.name, "; ".join(reasons)
        reasons.append(refusal)
    raise UsageError(f"no engine can ask {server.name}: {'; '.join(reasons)}")


def asking_of(checklist: Checklist, checks: Sequence[CheckPlan], server: Server, shared: dict[str, Asking]) -> Asking:
    """What some checks ask of a server. `shared` holds what was compiled already, for the same checks."""
    values = checklist_parameters(checklist, server)
    become = inventory_become(server)
    key = json.dumps([values, become], sort_keys=True)
    if key not in shared:
        shared[key] = _compile(checks, values, become)
    return shared[key]


def inventory_become(server: Server) -> bool | str:
    """Whether the inventory says that this server's checks run as another user (`ansible_become`); a template stays
    one, for Ansible to render."""
    said = server.variables.get("ansible_become", False)
    if isinstance(said, bool):
        return said
    text = str(said).strip().lower()
    if text in ("true", "yes", "on", "1"):
        return True
    if text in ("false", "no", "off", "0", ""):
        return False
    if "{{" in text or "{%" in text:
        return str(said)
    raise UsageError(f"server {server.name}: ansible_become must be true or false, not {str(said)!r}")


def _compile(checks: Sequence[CheckPlan], values: Mapping[str, Any], become: bool | str) -> Asking:
    skipped: dict[str, str] = {}
    parameters: dict[str, Mapping[str, Any]] = {}
    inquiries: list[BmcQuestion] = []
    questions: dict[bool | str, dict[str, Question]] = {False: {}, True: {}}
    answers: dict[str, str] = {}
    for plan in checks:
        if plan.probe is None or plan.step is not None:
            continue
        check = plan.check
        defaults = {name: one.default for name, one in plan.probe.parameters.items()}
        given = {**defaults, **probe_parameters(check, values)}
        parameters[check.id] = given
        text = plan.probe.question(given)
        if isinstance(text, Skipped):
            skipped[check.id] = text.why
            continue
        if plan.probe.reach is not Reach.SERVER:
            inquiries.append(BmcQuestion(check.id, plan.probe.reach, text, check.timeout, check.limit))
            continue
        asked = questions.setdefault(become if check.become is None else check.become, {})
        same = asked.get(text)
        asked[text] = _merged(same, Question(check.id, text, check.timeout, check.limit))
        answers[check.id] = asked[text].check
    scripts = tuple(compile_script([*asked.values()], become=wants) for wants, asked in questions.items() if asked)
    return Asking(scripts, skipped, values, parameters, answers, tuple(inquiries))


def _merged(first: Question | None, other: Question) -> Question:
    """Two checks that ask the same ask it once, under the first one's id, within the longer time and limit."""
    if first is None:
        return other
    return replace(first, timeout=max(first.timeout, other.timeout), limit=max(first.limit, other.limit))
