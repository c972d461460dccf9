"""A page that tells people what is checked, why, and what they do about a finding: Markdown, made from checklists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from maintops.domain.checklists import Check, Checklist, Rule, Step
from maintops.domain.steps import wanted_words


def checks_page(checklists: Sequence[Checklist], command: str) -> str:
    """The page of some checklists; `command` is how it is made, for whoever wants to change it."""
    total = len({item.id for one in checklists for item in one.items})
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


def _row(one: Checklist) -> str:
    cells = (one.item, one.service, str(one.cadence), len(one.checks), len(one.steps))
    return " | ".join([f"| [{one.name}](#{one.name})", *(_plain(str(cell)) for cell in cells)]) + " |"


def _checklist(one: Checklist, others: Iterable[Checklist]) -> Iterator[str]:
    theirs = {item.id for other in others if other.name in one.includes for item in other.items}
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
    for item in one.items:
        if item.id not in theirs:
            yield ""
            yield from _item(item)


def _item(item: Check | Step) -> Iterator[str]:
    yield f"### {item.id} {_plain(item.title)}"
    yield ""
    if item.why:
        yield f"- Why: {_plain(item.why)}"
    yield f"- Asked: {_asked(item)}"
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
