"""The JSON Schema of a checklist (draft 2020-12): one text for validation, `maintops schema` and editors."""

from __future__ import annotations

from typing import Any

from maintops.domain.checklists import DEFAULT_LIMIT, DEFAULT_TIMEOUT
from maintops.domain.outcomes import Severity

SERVICES = ("hardware-maintenance", "software-upgrade", "fault-handling", "inspection")
RHYTHMS = ("day", "week", "month", "quarter", "half-year", "year")
EVIDENCE = ("photo", "file", "reading")
KINDS = ("probe", "command", "playbook", "role", "goss")
"""The ways in which a check can observe; it has exactly one of them."""

# `(?!\n)$` is the very end for Python too, whose `$` also matches before a last line break.
ID = r"^[A-Z][A-Z0-9]*-[0-9]{3,}(?!\n)$"
NAME = r"^[a-z0-9]+(-[a-z0-9]+)*(?!\n)$"
PARAMETER = r"^[a-z][a-z0-9_]*(?!\n)$"
TAG = r"^[A-Za-z0-9][A-Za-z0-9_-]*(?!\n)$"
ROLE = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(?!\n)$"
ITEM = r"^[A-Z][A-Z0-9]*(-[A-Z0-9]+)*(?!\n)$"
DURATION = r"^[0-9.smhd ]{1,40}(?!\n)$"

LEAST_LIMIT, MOST_LIMIT = 1024, 64 * 1024 * 1024
CONTENT_TIMEOUT = 600.0
"""Seconds that a playbook or role may take where its author says nothing."""

LONGEST_TIMEOUT = 24 * 3600

Schema = dict[str, Any]


def checklist_schema() -> Schema:
    """The schema of a checklist, as a JSON value of the caller's own."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "maintops checklist",
        "description": "What to check or do, on which servers, how often.",
        "type": "object",
        "additionalProperties": False,
        "required": ["checklist", "title", "service", "cadence"],
        "anyOf": [{"required": ["checks"]}, {"required": ["steps"]}, {"required": ["include"]}],
        "$comment": "a checklist has at least one check or step, or includes another",
        "properties": {
            "checklist": _pattern(
                NAME, "The checklist's name.", "is not a checklist's name: small letters, digits and dashes"
            ),
            "title": _text("What people read in lists and records."),
            "service": _choice(SERVICES, "The type of service that its records are filed under."),
            "item": _pattern(ITEM, "The code of the service item.", "is not a code: capital letters, digits, dashes"),
            "include": _list(
                _pattern(NAME, "A checklist beside this one.", "is not a checklist's name"),
                "Checklists whose checks, steps and parameters are part of this one, before its own.",
                least=1,
            ),
            "cadence": _cadence(),
            "hosts": _text("The servers it is for: an Ansible pattern.") | {"default": "all"},
            "parameters": {
                "type": "object",
                "description": "Values that rules read as parameters.NAME and checks as {from: NAME}. An inventory "
                "variable maintops_NAME overrides one for a group or a server.",
                "propertyNames": _parameter_name(),
                "additionalProperties": {"type": ["boolean", "number", "string", "array", "object"]},
            },
            "checks": _list(_check(), "What is observed. A check changes nothing.", least=1),
            "steps": _list(_step(), "What a person carries out.", least=1),
        },
    }


def answers_schema() -> Schema:
    """The schema of a file of answers to steps by hand."""
    time = {"type": "string", "description": "When it was done: 2026-03-01T09:00:00Z."}
    answer = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "choice": _text("One of the step's choices."),
            "reading": {"type": "number", "description": "The number that was read off, in the step's unit."},
            "skipped": _text("Why it was not done."),
            "note": {"type": "string", "description": "What else there is to say."},
            "by": _text("Who did it, where that is somebody else."),
            "at": time,
            "evidence": _list(_text("A file beside this one."), "Files that prove it."),
        },
    }
    servers = {"type": "object", "additionalProperties": answer, "description": "Answers by step."}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "maintops answers",
        "description": "What persons answered to steps by hand.",
        "type": "object",
        "additionalProperties": False,
        "required": ["steps"],
        "properties": {
            "by": _text("Who did it."),
            "at": time,
            "steps": {"type": "object", "additionalProperties": servers, "description": "Answers by server and step."},
        },
    }


def _cadence() -> Schema:
    rhythm = _choice(RHYTHMS, "How often.")
    return {
        "type": "object",
        "description": "How often: {every: month}, or by criticality: {core: day, standard: week}; first_year: how "
        "often on a server in its first year, where that is another rhythm.",
        "additionalProperties": False,
        "properties": {"every": rhythm, "core": rhythm, "standard": rhythm, "first_year": rhythm},
        "oneOf": [
            {"required": ["every"], "not": {"anyOf": [{"required": ["core"]}, {"required": ["standard"]}]}},
            {"required": ["core", "standard"], "not": {"required": ["every"]}},
        ],
        "$comment": "a cadence is {every: …}, or {core: …, standard: …}",
    }


def _check() -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["id", "title"],
        "oneOf": [{"required": [kind]} for kind in KINDS],
        "$comment": "a check has exactly one of " + ", ".join(KINDS),
        "dependentRequired": {"parse": ["command"], "subject": ["command"], "limit": ["command"]},
        "properties": {
            "id": _id("Stable for life, such as HW-010: findings, history and waivers hang on it."),
            "title": _text("What is true when all is well."),
            "why": _text("Why it matters."),
            "action": _text("What a person does about a finding."),
            "tags": _list(_tag(), "Words to select checks by."),
            "probe": _text("A built-in or plug-in probe, by name."),
            "command": _text("A command line of sh whose output is read by `parse`."),
            "parse": _text("How a command's output is read: text, lines, json, jc:NAME or a plug-in's parser."),
            "subject": _text("The fact that names the subject, where the output is a list of objects."),
            "goss": _text("A goss file beside this checklist; each of its tests becomes a result."),
            "playbook": _text("A playbook that is run in check mode; what it would change is a finding."),
            "role": _pattern(ROLE, "A role that is run in check mode.", "is not a role's name"),
            "parameters": {
                "type": "object",
                "description": "The check's own values: a value, or {from: NAME} for the checklist's parameter.",
                "propertyNames": _parameter_name(),
            },
            "rules": _list(_rule(), "What the facts mean; the worst rule that matches wins."),
            "timeout": {
                "type": ["number", "string"],
                "exclusiveMinimum": 0,
                "maximum": LONGEST_TIMEOUT,
                "pattern": DURATION,
                "$comment": "is not a duration; write seconds, or text such as 30s or 2m",
                "description": "Seconds that it may take on a server, or a duration such as 30s or 2m; "
                f"{DEFAULT_TIMEOUT:g} s where nothing is said, {CONTENT_TIMEOUT:g} s for a playbook or role.",
            },
            "limit": {
                "type": "integer",
                "minimum": LEAST_LIMIT,
                "maximum": MOST_LIMIT,
                "default": DEFAULT_LIMIT,
                "description": "Bytes of output that are read.",
            },
            "become": {"type": "boolean", "description": "As another user or not; left out: as the inventory says."},
        },
    }


def _rule() -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["when", "severity", "finding"],
        "properties": {
            "when": _text("A Jinja2 expression over the facts of one subject."),
            "severity": _choice(tuple(Severity), "How bad it is."),
            "finding": _text("What is said when the rule matches; {{ … }} shows facts."),
            "follow_up": {
                "type": "object",
                "description": "What someone must do about it.",
                "additionalProperties": False,
                "required": ["title"],
                "properties": {
                    "title": _text("The task; {{ … }} shows facts."),
                    "skill": _text("The skill it takes."),
                    "part": _text("The spare part it takes."),
                    "knowledge": _text("The knowledge article that says how."),
                },
            },
        },
    }


def _step() -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["id", "title", "manual"],
        "properties": {
            "id": _id("Stable for life, such as HW-900."),
            "title": _text("What is true when it is done."),
            "why": _text("Why it matters."),
            "action": _text("What a person does about a finding."),
            "tags": _list(_tag(), "Words to select steps by."),
            "manual": _text("What to do, for a person."),
            "choice": _list(_text("One answer."), "What it can be answered with; left out: done.", least=1),
            "reading": _reading(),
            "evidence": _choice(EVIDENCE, "What must come with the answer."),
            "rules": _list(_rule(), "What the facts choice, reading and note mean; the worst rule that matches wins."),
        },
        "not": {"required": ["choice", "reading"]},
        "$comment": "a step asks for a choice or for a reading, not for both",
    }


def _reading() -> Schema:
    return {
        "type": "object",
        "description": "A number that is read off: {unit: W, least: 0, most: 2000}; what lies outside cannot be.",
        "additionalProperties": False,
        "required": ["unit"],
        "properties": {
            "unit": _text("Its unit, as people write it."),
            "least": {"type": "number", "default": 0, "description": "The least that can be."},
            "most": {"type": "number", "default": 1_000_000_000, "description": "The most that can be."},
        },
    }


def _text(description: str) -> Schema:
    return {"type": "string", "pattern": r"\S", "description": description}


def _pattern(pattern: str, description: str, otherwise: str) -> Schema:
    return {"type": "string", "pattern": pattern, "description": description, "$comment": otherwise}


def _id(description: str) -> Schema:
    return _pattern(ID, description, "is not an id: capital letters, a dash and at least three digits, as in HW-010")


def _tag() -> Schema:
    return _pattern(TAG, "A word to select checks by.", "is not a tag: letters, digits, dashes and underscores")


def _parameter_name() -> Schema:
    return {"pattern": PARAMETER, "$comment": "use small letters, digits and underscores"}


def _choice(choices: tuple[str, ...], description: str) -> Schema:
    return {"enum": [str(choice) for choice in choices], "description": description}


def _list(items: Schema, description: str, least: int = 0) -> Schema:
    return {"type": "array", "items": items, "description": description} | ({"minItems": least} if least else {})
