"""What every probe owes, ours and strangers': functions that look at one and return complaints, none for a good one.

A plug-in's own tests call them with its probe, and with answers that its servers give. Nothing here runs a question or
touches a server: `hostile_parameters` gives the parameters with which a question is worth running beside a canary.
"""

from __future__ import annotations

import json
import keyword
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from maintops.domain.answers import Answer, Measured, NotMeasured, Skipped, SubjectFacts, UnreadableAnswer
from maintops.errors import MaintopsError
from maintops.probes.contract import Fact, FactType, Parameter, Presence, Probe
from maintops.rules.language import RESERVED

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_FACT = re.compile(r"[a-z][a-z0-9_]*")
_WORDS = RESERVED | {"true", "false", "none", "not", "and", "or", "in", "is", "if", "else"}
_PYTHON: Mapping[str, type | tuple[type, ...]] = {
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "list": list,
    "dict": dict,
}
_HOSTILE = ("$(touch {canary})", "'; touch {canary}; '", "`touch {canary}`", "x\ntouch {canary}\n", "{{{{7*7}}}}", "-n")


def declaration_complaints(probe: Probe) -> list[str]:
    """What is wrong with the names, facts and parameters that a probe declares."""
    found = [] if _NAME.fullmatch(probe.name) else [f"its name {probe.name!r} is not like `two-words`"]
    if not probe.title.strip():
        found.append("it has no title")
    presence: Any = probe.presence  # a plug-in's types are whatever its author gave
    if not isinstance(presence, Presence):
        found.append(f"its presence is {presence!r}")
    if not probe.facts:
        found.append("it declares no facts")
    for name, fact in probe.facts.items():
        found += _fact_complaints(name, fact)
    for name, parameter in probe.parameters.items():
        found += _parameter_complaints(name, parameter)
    return found


def question_complaints(probe: Probe, parameters: Mapping[str, Any] | None = None) -> list[str]:
    """What is wrong with a probe's question: not text, not ASCII where its parameters are, it writes a file.

    `parameters` are the probe's defaults where none are given. A parameter's value that the question cannot use may
    raise MaintopsError, which is no complaint.
    """
    given = default_parameters(probe) if parameters is None else parameters
    text: Any
    try:
        text = probe.question(given)
    except MaintopsError:
        return []
    except Exception as error:
        return [f"its question raises {type(error).__name__}: {error}"]
    if isinstance(text, Skipped):
        return [] if text.why.strip() else ["its question is skipped without a reason"]
    if not isinstance(text, str):
        return [f"its question is a {type(text).__name__}"]
    if not text.strip():
        return ["its question is empty"]
    found = [f"its question writes to {target}" for target in redirections(text) if target != "/dev/null"]
    return found + (["its question contains a NUL"] if "\0" in text else [])


def reading_complaints(probe: Probe, answer: Answer, parameters: Mapping[str, Any] | None = None) -> list[str]:
    """What is wrong with how a probe reads an answer, which may be garbage: it may raise UnreadableAnswer only, must
    say the same twice, and keep to the facts that it declares."""
    given = default_parameters(probe) if parameters is None else parameters
    reading: Any
    try:
        reading = probe.read(answer, given)
        again = probe.read(answer, given)
    except UnreadableAnswer as error:
        return [] if str(error).strip() else ["it calls an answer unreadable without saying why"]
    except Exception as error:
        return [f"its reader raises {type(error).__name__}: {error}"]
    if reading != again:
        return ["its reader says something else when it reads the same answer again"]
    if isinstance(reading, NotMeasured | Skipped):
        return _why_complaints(reading.why)
    if not isinstance(reading, Measured):
        return [f"its reader returns a {type(reading).__name__}"]
    return _measured_complaints(probe, reading)


def default_parameters(probe: Probe) -> dict[str, Any]:
    """A probe's parameters as its author set them."""
    return {name: parameter.default for name, parameter in probe.parameters.items()}


def hostile_parameters(probe: Probe, canary: str) -> Iterator[dict[str, Any]]:
    """A probe's parameters, one text or list after the other replaced by what an evil inventory would put there.

    `canary` is a path that comes into being if any of it is run.
    """
    usual = default_parameters(probe)
    for name, default in usual.items():
        for evil in (pattern.format(canary=canary) for pattern in _HOSTILE):
            if isinstance(default, str) or default is None:
                yield usual | {name: evil}
            elif isinstance(default, list | tuple):
                yield usual | {name: [evil]}
            elif isinstance(default, dict):
                yield usual | {name: {evil: evil}}


def redirections(text: str) -> list[str]:
    """The files that a piece of sh writes to by its own redirections, quoted scripts of `sh -c` included.

    A simple scan, not a parser of sh: it finds honest mistakes, and nobody who hides.
    """
    lexer = shlex.shlex(text, posix=True, punctuation_chars="<>&|;()")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    try:
        words = list(lexer)
    except ValueError:  # a quote that is not closed: sh itself will say so
        return []
    found = []
    for index, word in enumerate(words):
        if word in (">", ">>", ">|", "<>", "&>"):
            found.append(words[index + 1] if index + 1 < len(words) else "nothing")
        elif word in ("-c", "-ec") and index + 1 < len(words):
            found += redirections(words[index + 1])
    return found


# --- what was declared -----------------------------------------------------------------------------------------------


def _fact_complaints(name: str, fact: Fact) -> list[str]:
    found = []
    if not _FACT.fullmatch(name) or name in _WORDS or keyword.iskeyword(name):
        found.append(f"the fact {name!r} has a name that no rule can speak of")
    if fact.type not in get_args(FactType):
        found.append(f"the fact {name!r} has the type {fact.type!r}")
    if not fact.meaning.strip():
        found.append(f"the fact {name!r} has no meaning")
    return found


def _parameter_complaints(name: str, parameter: Parameter) -> list[str]:
    found = [] if _FACT.fullmatch(name) else [f"the parameter {name!r} has a name that no checklist can give"]
    if not parameter.meaning.strip():
        found.append(f"the parameter {name!r} has no meaning")
    return found + _keeping_complaints(f"the default of the parameter {name!r}", parameter.default)


# --- what was read ---------------------------------------------------------------------------------------------------


def _measured_complaints(probe: Probe, reading: Measured) -> list[str]:
    found = []
    names = [one.subject for one in reading.subjects]
    if len(set(names)) < len(names):
        found.append("it names a subject twice")
    for one in reading.subjects:
        found += _subject_complaints(probe, one)
    return found


def _subject_complaints(probe: Probe, one: SubjectFacts) -> list[str]:
    found = _keeping_complaints("the name of a subject", one.subject)
    if one.subject is not None and not (isinstance(one.subject, str) and one.subject):
        found.append(f"the subject {one.subject!r} has no name")
    found += [f"the fact {name!r} is not declared" for name in one.facts if name not in probe.facts]
    found += [f"what is not offered, {name!r}, is not declared" for name in one.not_offered if name not in probe.facts]
    for name in one.not_offered:
        if one.facts.get(name) is not None:
            found.append(f"the fact {name!r} is measured and not offered at once")
    for name, value in one.facts.items():
        if name in probe.facts:
            found += _value_complaints(name, probe.facts[name], value)
    return found + (_why_complaints(one.why_not) if one.why_not is not None else [])


def _value_complaints(name: str, fact: Fact, value: Any) -> list[str]:
    if value is None:
        return []
    wrong = not isinstance(value, _PYTHON[fact.type]) or (isinstance(value, bool) and fact.type != "bool")
    if wrong:
        return [f"the fact {name!r} is a {type(value).__name__}, declared as {fact.type}"]
    return _keeping_complaints(f"the fact {name!r}", value)


def _keeping_complaints(what: str, value: Any) -> list[str]:
    """Whether a value can be kept: JSON, in UTF-8."""
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        return [f"{what} cannot be kept as JSON: {error}"]
    return []


def _why_complaints(why: str) -> list[str]:
    if not isinstance(why, str) or not why.strip():
        return ["it says without a reason that something was not measured"]
    return _keeping_complaints("a reason", why)
