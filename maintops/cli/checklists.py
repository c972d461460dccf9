"""maintops checklist, lint and schema: what is checked."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maintops.cli.options import Format, ShowFormat, complete_checklist, house
from maintops.cli.output import say, show_json, show_table, write
from maintops.domain.steps import wanted_words
from maintops.errors import ConfigurationError, Mistake

if TYPE_CHECKING:
    from maintops.domain.changes import ChangePolicy, ChangeStep
    from maintops.domain.checklists import Check, Checklist, Rule, Step

USAGE = 64


class Kind(StrEnum):
    """What there are schemas for."""

    CHECKLIST = "checklist"


def register(app: typer.Typer) -> None:
    """Adds `checklist`, `lint` and `schema`."""
    group = typer.Typer(help="The checklists that can be run.", no_args_is_help=True)
    group.command("list")(list_checklists)
    group.command("show")(show_checklist)
    group.command("document")(document)
    app.add_typer(group, name="checklist")
    app.command("lint")(lint)
    app.command("schema")(schema)


def list_checklists(format: ShowFormat = Format.TEXT) -> int:
    """List checklists: the repository's own and those that come with maintops."""
    from maintops.files.checklists import list_checklists as files_of

    chosen = house()
    found: list[Checklist] = []
    mistakes: list[Mistake] = []
    for path in files_of(chosen.checklist_folders):
        try:
            found.append(chosen.checklist(str(path)))
        except ConfigurationError as error:
            mistakes += error.mistakes
    documents = [_summary(one) for one in found]
    if format is Format.TEXT:
        documents = [one | {"checks": len(one["checks"]), "steps": len(one["steps"])} for one in documents]
    show_table(format, documents, ["checklist", "title", "cadence", "checks", "steps"], "no checklists")
    for mistake in dict.fromkeys(mistakes):
        say(str(mistake))
    return USAGE if mistakes else 0


def show_checklist(
    checklist: Annotated[str, typer.Argument(help="A name or a file.", autocompletion=complete_checklist)],
    format: ShowFormat = Format.TEXT,
) -> int:
    """Show a checklist: its checks, why they matter, and their rules; its steps, and how they change servers."""
    chosen = house().checklist(checklist)
    if format is Format.JSON:
        show_json(_document(chosen))
        return 0
    for line in _lines(chosen):
        print(line)
    return 0


def document(
    checklists: Annotated[list[str] | None, typer.Argument(help="Names or files (default: all).")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the page to this file.")] = None,
) -> int:
    """Make a page (Markdown) of what is checked, why, and what people do about a finding."""
    from maintops.reports.checks import checks_page

    chosen = house()
    found = [chosen.checklist(name) for name in checklists] if checklists else chosen.checklists()
    words = ["maintops checklist document", *(checklists or ()), *(["-o", str(output)] if output is not None else ())]
    write(checks_page(found, " ".join(words)), output)
    return 0


def lint(
    paths: Annotated[list[Path] | None, typer.Argument(help="Files or folders (default: every checklist).")] = None,
) -> int:
    """Find every mistake in checklists, as file:line:column: message."""
    mistakes = house().lint(paths or [])
    for mistake in mistakes:
        print(mistake)
    if mistakes:
        say(f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}")
        return USAGE
    say("no mistakes")
    return 0


def schema(kind: Annotated[Kind, typer.Argument(help="Of what.")] = Kind.CHECKLIST) -> int:
    """Print the JSON Schema of a checklist, for editors."""
    from maintops.files.schemas import checklist_schema

    show_json(checklist_schema())
    return 0


def _summary(one: Checklist) -> dict[str, Any]:
    return {
        "checklist": one.name,
        "title": one.title,
        "cadence": str(one.cadence),
        "checks": [check.id for check in one.checks],
        "steps": list(one.order),
    }


def _document(one: Checklist) -> dict[str, Any]:
    return _summary(one) | {
        "service": one.service,
        "item": one.item or None,
        "includes": list(one.includes),
        "hosts": one.hosts,
        "version": one.version,
        "file": one.file,
        "parameters": dict(one.parameters),
        "checks": [_check_document(check) for check in one.checks],
        "steps": [_step_document(step) for step in one.steps],
        "changes": [_change_document(step, one.file) for step in one.changes],
        "change": _policy_document(one.change) if one.changes else None,
        "order": list(one.order),
    }


def _check_document(check: Check) -> dict[str, Any]:
    return {
        "id": check.id,
        "title": check.title,
        "why": check.why,
        "action": check.action,
        "tags": list(check.tags),
        "asks": _asks(check),
        "rules": [_rule_document(rule) for rule in check.rules],
    }


def _step_document(step: Step) -> dict[str, Any]:
    return {
        "id": step.id,
        "title": step.title,
        "why": step.why,
        "action": step.action,
        "tags": list(step.tags),
        "manual": step.manual,
        "asks": wanted_words(step),
        "evidence": step.evidence,
        "rules": [_rule_document(rule) for rule in step.rules],
        "precheck": list(step.precheck),
        "postcheck": list(step.postcheck),
        "rollback": step.rollback or None,
        "irreversible": step.irreversible,
    }


def _change_document(step: ChangeStep, file: str) -> dict[str, Any]:
    from maintops.reports.checks import deed_words

    return {
        "id": step.id,
        "title": step.title,
        "why": step.why,
        "action": step.action,
        "tags": list(step.tags),
        "kind": step.kind,
        "does": deed_words(step, file),
        "parameters": dict(step.act.parameters) if step.act else {},
        "precheck": list(step.precheck),
        "postcheck": list(step.postcheck),
        "rollback": deed_words(step.rollback, file) if step.rollback else None,
        "irreversible": step.irreversible,
        "idempotent": step.idempotent,
        "estimate": step.estimate or None,
        "timeout": step.act.timeout if step.act else step.timeout,
    }


def _policy_document(policy: ChangePolicy) -> dict[str, Any]:
    from maintops.domain.windows import words

    return {
        "waves": [str(share) for share in policy.waves],
        "soak": policy.soak,
        "gate": policy.gate or None,
        "failure_budget": {"canary": policy.canary_budget, "run": policy.budget},
        "packages": policy.packages.value,
        "approval": policy.approval.value,
        "approval_hours": policy.approval_hours,
        "windows": words(policy.windows) if policy.windows else None,
        "late": policy.late.value,
        "hooks": [name for name, _ in policy.hooks],
        "risk": {"assessment": policy.risk.assessment, "contingency": policy.risk.contingency},
        "people": list(policy.people),
        "expected": list(policy.expected),
        "verify": list(policy.verify),
        "console_required": policy.console_required,
    }


def _rule_document(rule: Rule) -> dict[str, Any]:
    wish = rule.follow_up
    return {
        "when": rule.when,
        "severity": rule.severity.value,
        "finding": rule.finding,
        "follow_up": wish.title if wish else None,
    }


def _asks(check: Check) -> str:
    for kind in ("probe", "goss", "command", "playbook", "role"):
        value = getattr(check, kind)
        if value is not None:
            return f"{kind} {value}"
    return ""


def _lines(one: Checklist) -> list[str]:
    from maintops.reports.checks import policy_words
    from maintops.reports.escaping import visible

    lines = [f"{one.name}: {one.title}", f"  {one.cadence}; {one.service}; servers: {one.hosts}; {one.file}"]
    lines += [f"  parameter {name}: {value}" for name, value in one.parameters.items()]
    lines += [f"  {words}" for words in policy_words(one.change)] if one.changes else []
    for check in one.checks:
        lines += ["", f"{check.id}  {check.title}", f"  {_asks(check)}"]
        lines += _reasons(check)
    for step in one.sequence:
        lines += ["", f"{step.id}  {step.title}", *_step_lines(step, one.file)]
    return [visible(line) for line in lines]


def _step_lines(step: Step | ChangeStep, file: str) -> list[str]:
    from maintops.domain.checklists import Step
    from maintops.reports.checks import deed_words

    if isinstance(step, Step):
        lines = [f"  by hand: {step.manual}", f"  answer: {wanted_words(step)}", *_reasons(step)]
        back = step.rollback
    else:
        lines = [f"  {deed_words(step, file)}", *([f"  why: {step.why}"] if step.why else [])]
        lines += [f"  to do: {step.action}"] if step.action else []
        back = deed_words(step.rollback, file) if step.rollback else ""
    lines += [f"  must pass before: {', '.join(step.precheck)}"] if step.precheck else []
    lines += [f"  must pass after: {', '.join(step.postcheck)}"] if step.postcheck else []
    back = back or ("never" if step.irreversible else "")
    return lines + ([f"  taken back: {back}"] if back else [])


def _reasons(item: Check | Step) -> list[str]:
    lines = [f"  why: {item.why}"] if item.why else []
    for rule in item.rules:
        asked = f" -> {rule.follow_up.title}" if rule.follow_up else ""
        lines.append(f"  {rule.severity.value} when {rule.when}{asked}")
    return lines + ([f"  to do: {item.action}"] if item.action else [])
