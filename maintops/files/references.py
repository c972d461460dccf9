"""What a schema cannot see: whether what a checklist speaks of exists, and whether its rules are rules.

Everything here looks at a value that may still break the schema, so that all mistakes are told at once: what has the
wrong type is passed over, the schema has named it already.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from maintops.domain.checklists import Checklist
from maintops.domain.outcomes import Severity
from maintops.domain.parameters import RESERVED, source, unfit
from maintops.domain.steps import DONE
from maintops.errors import ConfigurationError, Mistake
from maintops.files.changes import RESERVED_IDS, change_mistakes, duration_mistakes, is_change, role_mistakes
from maintops.files.contents import playbook_path
from maintops.files.documents import MOST_MISTAKES, Document, Trail, read_document
from maintops.files.wording import hint, quoted
from maintops.probes.contract import Parameter, Parser, Probe
from maintops.rules.filters import is_number
from maintops.rules.language import Malformed, compared, names, template_names

CONTENT_FACTS = ("tasks", "changed", "failed", "not_previewable")
"""The facts that a playbook or role in check mode gives: a number of tasks, and lists of their names."""


class Catalogue(Protocol):
    """The probes and parsers that there are."""

    def probe(self, name: str) -> Probe:
        """A probe by its name. Raises LookupError with a sentence for people."""

    def parser(self, name: str) -> Parser:
        """A parser by its name. Raises LookupError with a sentence for people."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a check's rules may speak of: `facts` is None where they depend on the answer, `what` who measures them."""

    what: str
    facts: Collection[str] | None
    parameters: Mapping[str, Parameter] | None = None
    choices: Sequence[str] | None = None
    """What the fact `choice` of a step can be."""


STEP_FACTS = ("choice", "reading", "note", "by", "at", "evidence")
"""The facts of a step that a person carried out; it has a choice or a reading."""


def reference_mistakes(document: Document, catalogue: Catalogue, included: Sequence[Checklist] = ()) -> list[Mistake]:
    """Every mistake of a checklist that its schema cannot find, each with its place. `included` are the checklists that
    it includes."""
    return list(islice(_checklist(document, catalogue, included), MOST_MISTAKES))


def _checklist(document: Document, catalogue: Catalogue, included: Sequence[Checklist]) -> Iterator[Mistake]:
    top = _mapping(document.value)
    own = _mapping(top.get("parameters"))
    defaults = {name: value for one in included for name, value in one.parameters.items()} | dict(own)
    yield from _reserved(document, own)
    yield from _duplicate_ids(document, top, included)
    for index, check in enumerate(_list(top.get("checks"))):
        if isinstance(check, dict):
            yield from _check(document, ("checks", index), check, defaults, catalogue)
    for index, step in enumerate(_list(top.get("steps"))):
        if isinstance(step, dict) and not is_change(step):
            yield from _rules(document, ("steps", index), step, _known_of_step(step), defaults)
            yield from _step_reading(document, ("steps", index), step)
    yield from change_mistakes(document, _check_ids(top, included), defaults, included)


def _check_ids(top: Mapping[str, Any], included: Sequence[Checklist]) -> list[str]:
    own = (_mapping(check).get("id") for check in _list(top.get("checks")))
    return [check.id for one in included for check in one.checks] + [id for id in own if isinstance(id, str)]


def _known_of_step(step: Mapping[str, Any]) -> Known:
    if "reading" in step and "choice" in step:  # the schema tells of that
        return Known("a step", STEP_FACTS)
    if "reading" in step:
        return Known("a step with a reading", [one for one in STEP_FACTS if one != "choice"])
    given = step.get("choice", [DONE])
    whole = isinstance(given, list) and all(isinstance(one, str) for one in given)
    facts = [one for one in STEP_FACTS if one != "reading"]
    return Known("a step with choices", facts, choices=given if whole else None)


def _step_reading(document: Document, path: Trail, step: Mapping[str, Any]) -> Iterator[Mistake]:
    reading = _mapping(step.get("reading"))
    least, most = reading.get("least", 0), reading.get("most", 1e9)
    if is_number(least) and is_number(most) and least >= most:
        yield document.mistake((*path, "reading"), f"the least ({least:g}) is not below the most ({most:g})")
    if step.get("evidence") == "reading" and "reading" not in step:
        yield document.mistake((*path, "evidence"), "say what is read off: reading: {unit: …}")
    choices = [one for one in _list(step.get("choice")) if isinstance(one, str)]
    for index, one in enumerate(choices):
        if one in choices[:index]:
            yield document.mistake((*path, "choice"), f"the choice {quoted(one)} stands there twice")


def _reserved(document: Document, defaults: Mapping[str, Any]) -> Iterator[Mistake]:
    for name in defaults:
        if name in RESERVED:
            message = f"the parameter {quoted(name)} cannot be: maintops_{name} says something about the server itself"
            yield document.mistake(("parameters", name), message, at_key=True)


def _duplicate_ids(document: Document, top: Mapping[str, Any], included: Sequence[Checklist]) -> Iterator[Mistake]:
    given = [(id, one.name) for one in included for id in (*(check.id for check in one.checks), *one.order)]
    theirs = dict(given)
    if len(theirs) < len(given):
        yield document.mistake(("include",), "two of the included checklists have an id in common")
    seen: dict[str, int] = {}
    for part in ("checks", "steps"):
        for index, item in enumerate(_list(top.get(part))):
            id = _mapping(item).get("id")
            if not isinstance(id, str):
                continue
            path = (part, index, "id")
            if id.startswith(RESERVED_IDS):
                yield document.mistake(path, f"ids that begin with {id[:4]} are maintops's own; choose another")
            if id in theirs:
                yield document.mistake(path, f"duplicate id {quoted(id)} (it is in {theirs[id]}, which is included)")
            if id in seen:
                yield document.mistake(path, f"duplicate id {quoted(id)} (first on line {seen[id]})")
            seen.setdefault(id, document.place(path)[0])


# --- one check -------------------------------------------------------------------------------------------------------


def _check(
    document: Document, path: Trail, check: Mapping[str, Any], defaults: Mapping[str, Any], catalogue: Catalogue
) -> Iterator[Mistake]:
    known = Known("", None)
    try:
        known = _known(check, catalogue)
    except LookupError as error:
        key = "probe" if isinstance(check.get("probe"), str) else "parse"
        yield document.mistake((*path, key), str(error.args[0]))
    yield from _playbook(document, path, check)
    yield from role_mistakes(document, (*path, "role"), check.get("role"))
    yield from _goss(document, path, check)
    yield from duration_mistakes(document, (*path, "timeout"), check.get("timeout"))
    yield from _parameters(document, path, check, known, defaults)
    yield from _rules(document, path, check, known, defaults)


def _rules(
    document: Document, path: Trail, item: Mapping[str, Any], known: Known, defaults: Mapping[str, Any]
) -> Iterator[Mistake]:
    for index, rule in enumerate(_list(item.get("rules"))):
        if isinstance(rule, dict):
            yield from _rule(document, (*path, "rules", index), rule, known, defaults)


def _known(check: Mapping[str, Any], catalogue: Catalogue) -> Known:
    name = check.get("probe")
    if isinstance(name, str):
        probe = catalogue.probe(name)
        return Known(f"the probe {name}", probe.facts, probe.parameters)
    if isinstance(check.get("command"), str):
        parse = check.get("parse", "text")
        return Known(f"the parser {parse}", catalogue.parser(parse).facts if isinstance(parse, str) else None)
    if isinstance(check.get("goss"), str):
        return Known("goss", catalogue.parser("goss").facts)
    if "playbook" in check or "role" in check:
        return Known("a playbook or role", CONTENT_FACTS)
    return Known("", None)


def _playbook(document: Document, path: Trail, check: Mapping[str, Any]) -> Iterator[Mistake]:
    name = check.get("playbook")
    if isinstance(name, str) and playbook_path(Path(document.file), name) is None:
        message = f"there is no playbook {quoted(name)} beside this checklist or in ../playbooks"
        yield document.mistake((*path, "playbook"), message)


def _goss(document: Document, path: Trail, check: Mapping[str, Any]) -> Iterator[Mistake]:
    name = check.get("goss")
    if not isinstance(name, str):
        return
    here = (*path, "goss")
    file = goss_path(Path(document.file), name)
    try:
        if not file.is_file():
            yield document.mistake(here, f"there is no goss file {quoted(name)} beside this checklist")
            return
    except (OSError, ValueError):
        yield document.mistake(here, f"{quoted(name)} is not a name that a file can have")
        return
    try:
        found = read_document(file)
    except ConfigurationError as error:
        yield from error.mistakes
        return
    if not isinstance(found.value, dict):
        yield found.mistake((), "a goss file holds resources by type: file: {…}, service: {…}")
    elif "gossfile" in found.value:
        yield found.mistake(("gossfile",), "only this one file travels; name the others in checks of their own")
    elif "{{" in json.dumps(found.value):
        yield found.mistake((), "goss's templates are not rendered; write the values themselves")


def goss_path(checklist: Path, name: str) -> Path:
    """Where a check's goss file lies: beside its checklist."""
    return checklist.absolute().parent / name


def goss_command(resources: Any) -> str:
    """The command that hands resources to goss on a server, in JSON, which goss reads as it reads YAML."""
    text = json.dumps(resources, separators=(",", ":"), ensure_ascii=True)
    return f"printf %s {shlex.quote(text)} | goss --gossfile - validate --format json --no-color"


def _parameters(
    document: Document, path: Trail, check: Mapping[str, Any], known: Known, defaults: Mapping[str, Any]
) -> Iterator[Mistake]:
    given = _mapping(check.get("parameters"))
    if given and "command" in check:
        yield document.mistake((*path, "parameters"), "a command has no parameters", at_key=True)
        return
    for name, value in given.items():
        here = (*path, "parameters", name)
        if known.parameters is not None and name not in known.parameters:
            message = f"{known.what} has no parameter {quoted(name)}{hint(name, known.parameters)}"
            yield document.mistake(here, message, at_key=True)
        elif source(value) and "probe" not in check:
            yield document.mistake(here, "{from: …} is for the parameters of a probe; write the value itself")
        else:
            wanted = known.parameters[name].default if known.parameters is not None else None
            problem = _value_problem(value, wanted, defaults)
            if problem:
                yield document.mistake(here, problem)


def _value_problem(value: Any, wanted: Any, defaults: Mapping[str, Any]) -> str | None:
    """What is wrong with a parameter's value; `wanted` is the probe's default, None where nothing is known of it."""
    name = source(value)
    if name and name not in defaults:
        return f"the checklist has no parameter {quoted(name)}{hint(name, defaults)}"
    if wanted is None:
        return None
    problem = unfit(defaults[name] if name else value, wanted)
    return f"the checklist's parameter {name} {problem}" if name and problem else problem


# --- one rule --------------------------------------------------------------------------------------------------------


def _rule(
    document: Document, path: Trail, rule: Mapping[str, Any], known: Known, defaults: Mapping[str, Any]
) -> Iterator[Mistake]:
    follow_up = _mapping(rule.get("follow_up"))
    texts = (
        ((*path, "when"), rule.get("when"), names),
        ((*path, "finding"), rule.get("finding"), template_names),
        ((*path, "follow_up", "title"), follow_up.get("title"), template_names),
    )
    for where, text, spoken in texts:
        if not isinstance(text, str) or not text.strip():
            continue
        try:
            for name in sorted(spoken(text)):
                problem = _name_problem(name, known, defaults)
                if problem:
                    yield document.mistake(where, problem)
            if known.choices is not None:
                for word in sorted(compared(text, "choice", template=spoken is template_names) - {*known.choices}):
                    yield document.mistake(where, _choice_problem(word, known.choices))
        except Malformed as error:
            yield document.mistake(where, str(error))
    if follow_up and rule.get("severity") == Severity.INFO:
        message = "a rule of severity info is no finding and opens no follow-up; make it a warning"
        yield document.mistake((*path, "follow_up"), message, at_key=True)


def _choice_problem(word: str, choices: Sequence[str]) -> str:
    told = f"the choices are {', '.join(choices)}" if len(choices) > 1 else f"the only choice is {''.join(choices)}"
    return f"choice is never {word[:80]!r}; {told}"


def _name_problem(name: str, known: Known, defaults: Mapping[str, Any]) -> str | None:
    if name.startswith("parameters."):
        parameter = name.removeprefix("parameters.")
        if parameter in defaults:
            return None
        return f"the checklist has no parameter {quoted(parameter)}{hint(parameter, defaults)}"
    fact = name.removeprefix("previous.").removeprefix("baseline.")
    if known.facts is None or fact in known.facts:
        return None
    return f"{known.what} has no fact {quoted(fact)}{hint(fact, known.facts)}"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
