"""The schema of what changes servers (a checklist's steps and its `change:`), and the parts that schemas are made of.

A rule of the schema that needs words of its own has them in its `$comment` (see maintops.files.validation).
"""

from __future__ import annotations

from typing import Any

from maintops.domain.changes import (
    DEFAULT_ESTIMATE,
    DEFAULT_REBOOT_TIMEOUT,
    DEFAULT_STEP_TIMEOUT,
    Approval,
    Late,
    Packages,
    Reboot,
)
from maintops.files.windows import windows_schema

ACTS = ("playbook", "role", "tasks", "fabric")
"""The ways in which Ansible or Fabric carries out a step, or takes it back."""

STEP_KINDS = ("manual", *ACTS, "reboot")
"""The kinds of steps; each is exactly one of them."""

EVIDENCE = ("photo", "file", "reading")
DIFFERENCES = ("package", "kernel", "boot", "service", "port", "mount", "firewall", "user", "config")
"""The kinds of differences between before and after that can be expected."""

CONSOLES = ("required", "if-known")
PLACES = ("controller", "server")

# `(?!\n)$` is the very end for Python too, whose `$` also matches before a last line break.
ID = r"^[A-Z][A-Z0-9]*-[0-9]{3,}(?!\n)$"
NAME = r"^[a-z0-9]+(-[a-z0-9]+)*(?!\n)$"
PARAMETER = r"^[a-z][a-z0-9_]*(?!\n)$"
TAG = r"^[A-Za-z0-9][A-Za-z0-9_-]*(?!\n)$"
ROLE = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(?!\n)$"
DURATION = r"^[0-9.smhd ]{1,40}(?!\n)$"
PERCENT = r"^[0-9]{1,3}(\.[0-9]{1,3})?%(?!\n)$"
FABRIC = r"^[^\s:][^\n:]*\.py:[A-Za-z_][A-Za-z0-9_]*(?!\n)$"
EXPECTED = f"^({'|'.join(DIFFERENCES)})" + r"(:[^\s:][^\n]*)?(?!\n)$"

LONGEST_TIMEOUT = 24 * 3600
"""Seconds that a check, a step or a command may take at most."""

LONGEST_SOAK = 31 * 24 * 3600
"""Seconds that may lie between two waves at most."""

LONGEST_APPROVAL = 366 * 24 * 3600
"""Seconds that an approval may hold at most."""

MOST_SERVERS = 1_000_000
"""What a number of servers in a policy may be at most."""

Schema = dict[str, Any]


# --- parts -----------------------------------------------------------------------------------------------------------


def text(description: str) -> Schema:
    """Text that is not empty."""
    return {"type": "string", "pattern": r"\S", "description": description}


def pattern(expression: str, description: str, otherwise: str) -> Schema:
    """Text of a form; `otherwise` is what is said of text that has another one."""
    return {"type": "string", "pattern": expression, "description": description, "$comment": otherwise}


def identifier(description: str) -> Schema:
    """The id of a check or step."""
    return pattern(ID, description, "is not an id: capital letters, a dash and at least three digits, as in HW-010")


def tag() -> Schema:
    """A word to select by."""
    return pattern(TAG, "A word to select checks by.", "is not a tag: letters, digits, dashes and underscores")


def parameter_name() -> Schema:
    """The name of a parameter."""
    return {"pattern": PARAMETER, "$comment": "use small letters, digits and underscores"}


def choice(choices: tuple[str, ...], description: str) -> Schema:
    """One of some words."""
    return {"enum": [str(one) for one in choices], "description": description}


def listing(items: Schema, description: str, least: int = 0) -> Schema:
    """A list of at least so many items."""
    return {"type": "array", "items": items, "description": description} | ({"minItems": least} if least else {})


def duration(description: str, longest: int = LONGEST_TIMEOUT) -> Schema:
    """A length of time: seconds, or text such as 2m, at most so many seconds."""
    return {
        "type": ["number", "string"],
        "exclusiveMinimum": 0,
        "maximum": longest,
        "pattern": DURATION,
        "$comment": "is not a duration; write seconds, or text such as 30s or 2m",
        "description": description,
    }


def _object(properties: Schema, description: str, *required: str) -> Schema:
    return {
        "type": "object",
        "description": description,
        "additionalProperties": False,
        "properties": properties,
    } | ({"required": list(required)} if required else {})


def _not_here(keys: tuple[str, ...], why: str) -> Schema:
    """Properties that must be left out."""
    return {key: {"not": {}, "$comment": why} for key in keys}


# --- steps -----------------------------------------------------------------------------------------------------------


def step_schema(rules: Schema) -> Schema:
    """The schema of a step; `rules` is that of the rules of a step by hand."""
    properties = {
        "id": identifier("Stable for life, such as HW-900."),
        "title": text("What is true when it is done."),
        "why": text("Why it matters."),
        "action": text("What a person does about a finding, or when it fails."),
        "tags": listing(tag(), "Words to select steps by."),
        "manual": text("What to do, for a person."),
        "choice": listing(text("One answer."), "What it can be answered with; left out: done.", least=1),
        "reading": _reading(),
        "evidence": choice(EVIDENCE, "What must come with the answer."),
        "rules": rules,
        **_act(),
        "reboot": choice(tuple(Reboot), "A reboot of the server, and when."),
        "precheck": listing(identifier("A check."), "Checks that must pass right before it.", least=1),
        "postcheck": listing(identifier("A check."), "Checks that must pass right after it.", least=1),
        "rollback": _rollback(),
        "irreversible": {
            "type": "boolean",
            "not": {"enum": [False]},
            "$comment": "is true, or left out where there is a rollback",
            "description": "That nothing can take it back.",
        },
        "idempotent": {
            "type": "boolean",
            "description": "Whether it may be done again where nobody knows whether it was done; left out: true, for "
            "a function of Fabric false.",
        },
        "done": text("A command of sh on the server that tells whether it was done: 0 for done, 1 for not done."),
        "estimate": duration(
            f"How long it lasts on a server, until earlier runs tell; {DEFAULT_ESTIMATE:g} s where nothing is said."
        ),
        "timeout": duration(
            f"Seconds that it may take on a server, or a duration such as 30m; {DEFAULT_STEP_TIMEOUT:g} s where "
            f"nothing is said. A reboot's: until the server is back, {DEFAULT_REBOOT_TIMEOUT:g} s."
        ),
    }
    return _object(properties, "What a person or a machine carries out.", "id", "title") | {"allOf": _kinds()}


def _act() -> Schema:
    return {
        "playbook": text("A playbook of Ansible, beside the checklist or by its path from there."),
        "role": pattern(ROLE, "A role of Ansible, by name.", "is not a role's name"),
        "tasks": listing({"type": "object"}, "Tasks of Ansible, as they stand in a playbook.", least=1),
        "fabric": pattern(
            FABRIC,
            "A function of Python over Fabric: file.py:function.",
            "is not a file and its function: file.py:name",
        ),
        "parameters": {
            "type": "object",
            "description": "Its variables: a value, or {from: NAME} for the checklist's parameter.",
            "propertyNames": parameter_name(),
        },
        "become": {"type": "boolean", "description": "As another user or not; left out: as the inventory says."},
    }


def _rollback() -> Schema:
    properties = _act() | {"timeout": duration("Seconds that it may take on a server; left out: the step's.")}
    return {
        "type": ["object", "string"],
        "pattern": r"\S",
        "description": "What takes it back: {playbook: …}, {role: …}, {tasks: …} or {fabric: …}; words for a step by "
        "hand.",
        "additionalProperties": False,
        "properties": properties,
        "if": {"type": "object"},
        "then": {
            "oneOf": [{"required": [kind]} for kind in ACTS],
            "$comment": "a rollback has exactly one of " + ", ".join(ACTS),
        },
    }


def _kinds() -> list[Schema]:
    """What each kind of step must have and cannot have."""
    back = {
        "oneOf": [{"required": ["rollback"]}, {"required": ["irreversible"]}],
        "$comment": "say how it is taken back (rollback: …) or that nothing can (irreversible: true), not both",
    }
    by_hand = ("parameters", "become", "idempotent", "done", "estimate", "timeout")
    answers = ("choice", "reading", "evidence", "rules")
    hand = _not_here(by_hand, "is not for a step by hand") | {"rollback": {"type": "string"}}
    machine = _not_here(answers, "is for a step by hand") | {"rollback": {"type": "object"}}
    no_act = "is not for a reboot"
    reboot = _not_here(("parameters", "become", "idempotent", "done"), no_act) | _not_here(
        ("rollback",), "cannot take back a reboot; write irreversible: true"
    )
    is_machine: Schema = {"anyOf": [{"required": [kind]} for kind in (*ACTS, "reboot")]}
    return [
        {
            "oneOf": [{"required": [kind]} for kind in STEP_KINDS],
            "$comment": "a step has exactly one of " + ", ".join(STEP_KINDS),
        },
        {
            "if": {"required": ["manual"]},
            "then": {
                "properties": hand,
                "not": {"required": ["rollback", "irreversible"]},
                "$comment": "what can be taken back (rollback) is not irreversible",
            },
        },
        {"if": is_machine, "then": back | {"properties": machine}},
        {"if": {"required": ["reboot"]}, "then": {"properties": reboot}},
        {
            "not": {"required": ["choice", "reading"]},
            "$comment": "a step asks for a choice or for a reading, not for both",
        },
    ]


def _reading() -> Schema:
    properties = {
        "unit": text("Its unit, as people write it."),
        "least": {"type": "number", "default": 0, "description": "The least that can be."},
        "most": {"type": "number", "default": 1_000_000_000, "description": "The most that can be."},
    }
    described = "A number that is read off: {unit: W, least: 0, most: 2000}; what lies outside cannot be."
    return _object(properties, described, "unit")


# --- the policy ------------------------------------------------------------------------------------------------------


def change_schema() -> Schema:
    """The schema of `change:`, as a JSON value of the caller's own."""
    file = text("A file beside this checklist, or its path from there.")
    wave = {
        "type": ["integer", "string"],
        "minimum": 1,
        "maximum": MOST_SERVERS,
        "pattern": PERCENT,
        "$comment": "is not a wave: write a number of servers, or percent such as 10%",
    }
    properties = {
        "waves": listing(
            wave, "How many servers the run has reached after each wave: [1, 10%, 50%, 100%]; the last is all.", least=1
        ),
        "soak": duration(
            "How long to wait after a wave; then its servers are looked at once more, and the next may begin.",
            LONGEST_SOAK,
        ),
        "gate": _gate(),
        "failure_budget": _budget(),
        "packages": choice(tuple(Packages), "pinned: every wave gets the versions of the plan; latest: what there is."),
        "approval": choice(tuple(Approval), "required: somebody else approves each plan; standard: it is approved."),
        "approval_holds": duration("How long an approval holds, such as 7d.", LONGEST_APPROVAL),
        "windows": windows_schema(),
        "late": choice(tuple(Late), "A plan whose window has passed is given up (skip), or somebody is asked (ask)."),
        "silence": _hook("Silences the monitoring of a server before it is changed.", "undo"),
        "drain": _hook("Takes the load off a server before it is changed.", "undo", "verify"),
        "snapshot": _hook("Makes a snapshot of a server before it is changed; `undo` deletes it.", "undo"),
        "risk": _object(
            {
                "assessment": text("What can go wrong, and how likely and how bad that is."),
                "contingency": text("What is done then."),
            },
            "What can go wrong, and what is done then.",
            "assessment",
            "contingency",
        ),
        "people": listing(text("A role or a skill."), "Who is needed while it is carried out."),
        "expected": listing(
            pattern(
                EXPECTED,
                "A kind of difference, or one of it: service:nginx*.",
                "is not a difference: write one of "
                + ", ".join(DIFFERENCES)
                + ", or one with a name as in service:web*",
            ),
            "Differences between before and after that are none of a finding.",
        ),
        "verify": listing(file, "Files of testinfra that are run after the change."),
        "console": choice(
            CONSOLES,
            "Whether the console or management controller must answer before a reboot (required) or where "
            "there is one (if-known).",
        ),
    }
    return _object(properties, "How the steps that change servers are carried out.")


def _gate() -> Schema:
    properties = {
        "command": text("A command of sh on the controller; 0 opens the gate."),
        "timeout": duration("Seconds that it may take, or a duration such as 1m."),
    }
    return _object(properties, "", "command") | {
        "type": ["object", "string"],
        "pattern": r"\S",
        "description": "A command on the controller that ends with 0 where the next wave may begin; or {command: …, "
        "timeout: 1m}.",
    }


def _budget() -> Schema:
    number = {"type": "integer", "minimum": 0, "maximum": MOST_SERVERS}
    properties = {
        "canary": number | {"description": "How many servers of the first wave may fail."},
        "run": number | {"description": "How many servers of the run may fail."},
    }
    return (
        _object(properties, "")
        | number
        | {
            "type": ["object", "integer"],
            "description": "How many servers may fail before the run stops: the run's number, or {canary: 0, run: 2}.",
        }
    )


def _hook(description: str, *required: str) -> Schema:
    properties = {
        "command": text("A command of sh, with MAINTOPS_SERVER, MAINTOPS_RUN and MAINTOPS_DUTY in its environment."),
        "undo": text("Takes back what the command did."),
        "verify": text("Ends with 0 where the command took effect."),
        "on": choice(PLACES, "Where it runs: on the controller or on the server."),
        "timeout": duration("Seconds that each of them may take, or a duration such as 5m."),
    }
    return _object(properties, description, "command", *required)
