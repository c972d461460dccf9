"""The JSON Schema of a checklist (draft 2020-12): one text for validation, `maintops schema` and editors."""

from __future__ import annotations

from maintops.domain.checklists import DEFAULT_LIMIT, DEFAULT_TIMEOUT
from maintops.domain.outcomes import Severity
from maintops.files.change_schemas import (
    NAME,
    ROLE,
    Schema,
    change_schema,
    choice,
    duration,
    identifier,
    listing,
    parameter_name,
    pattern,
    step_schema,
    tag,
    text,
)

SERVICES = ("hardware-maintenance", "software-upgrade", "fault-handling", "inspection")
RHYTHMS = ("day", "week", "month", "quarter", "half-year", "year")
KINDS = ("probe", "command", "playbook", "role", "goss")
"""The ways in which a check can observe; it has exactly one of them."""

ITEM = r"^[A-Z][A-Z0-9]*(-[A-Z0-9]+)*(?!\n)$"

LEAST_LIMIT, MOST_LIMIT = 1024, 64 * 1024 * 1024
CONTENT_TIMEOUT = 600.0
"""Seconds that a playbook or role may take where its author says nothing."""


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
            "checklist": pattern(
                NAME, "The checklist's name.", "is not a checklist's name: small letters, digits and dashes"
            ),
            "title": text("What people read in lists and records."),
            "service": choice(SERVICES, "The type of service that its records are filed under."),
            "item": pattern(ITEM, "The code of the service item.", "is not a code: capital letters, digits, dashes"),
            "include": listing(
                pattern(NAME, "A checklist beside this one.", "is not a checklist's name"),
                "Checklists whose checks, steps and parameters are part of this one, before its own.",
                least=1,
            ),
            "cadence": _cadence(),
            "hosts": text("The servers it is for: an Ansible pattern.") | {"default": "all"},
            "parameters": {
                "type": "object",
                "description": "Values that rules read as parameters.NAME and checks as {from: NAME}. An inventory "
                "variable maintops_NAME overrides one for a group or a server.",
                "propertyNames": parameter_name(),
                "additionalProperties": {"type": ["boolean", "number", "string", "array", "object"]},
            },
            "checks": listing(_check(), "What is observed. A check changes nothing.", least=1),
            "steps": listing(
                step_schema(listing(_rule(), "What choice, reading and note mean; the worst rule that matches wins.")),
                "What a person or a machine carries out.",
                least=1,
            ),
            "change": change_schema(),
        },
    }


def answers_schema() -> Schema:
    """The schema of a file of answers to steps by hand."""
    time = {"type": "string", "description": "When it was done: 2026-03-01T09:00:00Z."}
    answer = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "choice": text("One of the step's choices."),
            "reading": {"type": "number", "description": "The number that was read off, in the step's unit."},
            "skipped": text("Why it was not done."),
            "note": {"type": "string", "description": "What else there is to say."},
            "by": text("Who did it, where that is somebody else."),
            "at": time,
            "evidence": listing(text("A file beside this one."), "Files that prove it."),
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
            "by": text("Who did it."),
            "at": time,
            "steps": {"type": "object", "additionalProperties": servers, "description": "Answers by server and step."},
        },
    }


def _cadence() -> Schema:
    rhythm = choice(RHYTHMS, "How often.")
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
            "id": identifier("Stable for life, such as HW-010: findings, history and waivers hang on it."),
            "title": text("What is true when all is well."),
            "why": text("Why it matters."),
            "action": text("What a person does about a finding."),
            "tags": listing(tag(), "Words to select checks by."),
            "probe": text("A built-in or plug-in probe, by name."),
            "command": text("A command line of sh whose output is read by `parse`."),
            "parse": text("How a command's output is read: text, lines, json, jc:NAME or a plug-in's parser."),
            "subject": text("The fact that names the subject, where the output is a list of objects."),
            "goss": text("A goss file beside this checklist; each of its tests becomes a result."),
            "playbook": text("A playbook that is run in check mode; what it would change is a finding."),
            "role": pattern(ROLE, "A role that is run in check mode.", "is not a role's name"),
            "parameters": {
                "type": "object",
                "description": "The check's own values: a value, or {from: NAME} for the checklist's parameter.",
                "propertyNames": parameter_name(),
            },
            "rules": listing(_rule(), "What the facts mean; the worst rule that matches wins."),
            "timeout": duration(
                "Seconds that it may take on a server, or a duration such as 30s or 2m; "
                f"{DEFAULT_TIMEOUT:g} s where nothing is said, {CONTENT_TIMEOUT:g} s for a playbook or role."
            ),
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
            "when": text("A Jinja2 expression over the facts of one subject."),
            "severity": choice(tuple(Severity), "How bad it is."),
            "finding": text("What is said when the rule matches; {{ … }} shows facts."),
            "follow_up": {
                "type": "object",
                "description": "What someone must do about it.",
                "additionalProperties": False,
                "required": ["title"],
                "properties": {
                    "title": text("The task; {{ … }} shows facts."),
                    "skill": text("The skill it takes."),
                    "part": text("The spare part it takes."),
                    "knowledge": text("The knowledge article that says how."),
                },
            },
        },
    }
