"""A page that tells people what is checked, why, and what they do about a finding: Markdown, made from checklists."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from maintops.domain.changes import Action, ChangePolicy, ChangeStep
from maintops.domain.checklists import Check, Checklist, Rule, Step
from maintops.domain.durations import spoken
from maintops.domain.steps import wanted_words
from maintops.domain.windows import words as window_words


def checks_page(checklists: Sequence[Checklist], command: str) -> str:
    """The page of some checklists; `command` is how it is made, for whoever wants to change it."""
    total = len({item.id for one in checklists for item in _items(one)})
    lines = [
        "# What is checked",
        "",
        f"{total} checks and steps. This page is made from the checklists: `{command}`.",
        "",
        "| checklist | item | service | how often | checks | steps by hand |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_row(one) for one in checklists]
    for one in checklists:
        lines += ["", *_checklist(one, checklists)]
    return "\n".join(lines) + "\n"


def deed_words(step: ChangeStep | Action, file: str) -> str:
    """What a step does to a server, or what takes it back; paths from the folder of the checklist's `file`."""
    if isinstance(step, ChangeStep):
        return f"reboot {step.reboot}" if step.act is None else deed_words(step.act, file)
    if step.tasks:
        named = [str(task.get("name", "without a name")) for task in step.tasks]
        return f"tasks {', '.join(named)}"
    return f"{step.kind} {step.role or os.path.relpath(step.playbook or step.fabric or '', Path(file).parent)}"


def policy_words(policy: ChangePolicy) -> list[str]:
    """How a checklist changes servers: a sentence for each thing that is settled."""
    canary = f", {policy.canary_budget} in the first wave" if len(policy.waves) > 1 else ""
    hooks = " and ".join(name for name, _ in policy.hooks)
    said = {
        "waves": ", ".join(map(str, policy.waves)) + (f"; {spoken(policy.soak)} after each" if policy.soak else ""),
        "gate": policy.gate,
        "servers that may fail": f"{policy.budget}{canary}",
        "packages": policy.packages.value,
        "approval": f"{policy.approval.value}, for {spoken(policy.approval_hours * 3600)}",
        "windows": f"{window_words(policy.windows)}; {policy.late.value} when late" if policy.windows else "",
        "before and after": hooks,
        "risk": policy.risk.assessment,
        "if it goes wrong": policy.risk.contingency,
        "people": ", ".join(policy.people),
        "expected differences": ", ".join(policy.expected),
        "console": "must answer before a reboot" if policy.console_required else "",
    }
    return [f"{name}: {words}" for name, words in said.items() if words]


def _items(one: Checklist) -> list[Check | Step | ChangeStep]:
    """Its checks, and its steps in the order in which they are carried out."""
    place = {id: index for index, id in enumerate(one.order)}
    steps: list[Step | ChangeStep] = [*one.steps, *one.changes]
    return [*one.checks, *sorted(steps, key=lambda step: place.get(step.id, len(place)))]


def _row(one: Checklist) -> str:
    machine = f", and {len(one.changes)} by machine" if one.changes else ""
    cells = (one.item, one.service, str(one.cadence), len(one.checks), f"{len(one.steps)}{machine}")
    return " | ".join([f"| [{one.name}](#{one.name})", *(_plain(str(cell)) for cell in cells)]) + " |"


def _checklist(one: Checklist, others: Iterable[Checklist]) -> Iterator[str]:
    theirs = {item.id for other in others if other.name in one.includes for item in _items(other)}
    yield f"## {one.name}"
    yield ""
    yield f"{_plain(one.title)}: {one.cadence}."
    if one.includes:
        named = " and ".join(f"[{name}](#{name})" for name in one.includes)
        yield f"Everything in {named} is part of it."
    if one.parameters:
        yield ""
        yield "Parameters, which an inventory variable `maintops_NAME` overrides: "
        yield ", ".join(f"`{name}` ({_code(value)})" for name, value in one.parameters.items()) + "."
    if one.changes:
        yield ""
        yield "It changes servers:"
        yield ""
        yield from (f"- {_plain(words)}" for words in policy_words(one.change))
    for item in _items(one):
        if item.id not in theirs:
            yield ""
            yield from _change(item, one.file) if isinstance(item, ChangeStep) else _item(item)


def _change(step: ChangeStep, file: str) -> Iterator[str]:
    yield f"### {step.id} {_plain(step.title)}"
    yield ""
    if step.why:
        yield f"- Why: {_plain(step.why)}"
    yield f"- Done: {_plain(deed_words(step, file))}"
    yield from _around(step)
    back = f"by {_plain(deed_words(step.rollback, file))}" if step.rollback else "never"
    yield f"- Taken back: {back}"
    if step.action:
        yield f"- To do: {_plain(step.action)}"


def _around(step: Step | ChangeStep) -> Iterator[str]:
    if step.precheck:
        yield f"- Must pass before: {', '.join(step.precheck)}"
    if step.postcheck:
        yield f"- Must pass after: {', '.join(step.postcheck)}"


def _item(item: Check | Step) -> Iterator[str]:
    yield f"### {item.id} {_plain(item.title)}"
    yield ""
    if item.why:
        yield f"- Why: {_plain(item.why)}"
    yield f"- Asked: {_asked(item)}"
    if isinstance(item, Step):
        yield from _around(item)
        if item.rollback or item.irreversible:
            yield f"- Taken back: {_plain(item.rollback) or 'never'}"
    if item.action:
        yield f"- To do: {_plain(item.action)}"
    yield from (_rule(rule) for rule in item.rules)


def _asked(item: Check | Step) -> str:
    if isinstance(item, Step):
        proof = f", with a {item.evidence} as evidence" if item.evidence in ("photo", "file") else ""
        return f"by hand: {_plain(item.manual)} ({wanted_words(item)}{proof})"
    for kind in ("probe", "goss", "command", "playbook", "role"):
        value = getattr(item, kind)
        if value is not None:
            return f"{kind} {_code(value)}"
    return "nothing"


def _rule(rule: Rule) -> str:
    wish = rule.follow_up
    named = [f"{name} {value}" for name in ("skill", "part", "knowledge") if (value := getattr(wish, name, None))]
    asked = f" → {_code(wish.title)}" + (f" ({', '.join(named)})" if named else "") if wish else ""
    return f"- **{rule.severity}** when {_code(rule.when)}{asked}"


def _plain(text: str) -> str:
    """Words of a checklist that must not become Markdown or HTML."""
    flat = " ".join(text.split())
    for mark in ("\\", "|", "<", "`", "*", "_", "[", "]"):
        flat = flat.replace(mark, f"\\{mark}")
    return flat


def _code(value: object) -> str:
    flat = " ".join(str(value).split()).replace("`", "'")
    return f"`{flat}`"
