"""Parameters: a checklist's defaults, what the inventory says instead, and what a check hands to its probe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from maintops.domain.checklists import Check, Checklist
from maintops.domain.servers import Server
from maintops.errors import UsageError

PREFIX = "maintops_"
"""What an inventory variable's name begins with that overrides a parameter."""

BMC = ("address", "user", "password", "verify", "ipmi_port", "interface", "cipher")
"""The inventory variables `maintops_bmc_…` that speak of a management controller."""

RESERVED = frozenset(
    {"criticality", "in_service", "customer", "site", "roles", "group", "max_unavailable", "depends_on", "runs_on"}
    | {"console", "needed"}
    | {f"bmc_{name}" for name in BMC}
)
"""Names whose `maintops_…` variables say something about the server itself."""


def checklist_parameters(checklist: Checklist, server: Server) -> Mapping[str, Any]:
    """The checklist's parameters for one server. Raises UsageError naming every variable with an unfit value."""
    values: dict[str, Any] = dict(checklist.parameters)
    mistakes = []
    for name, default in checklist.parameters.items():
        variable = PREFIX + name
        if variable in server.variables:
            values[name] = server.variables[variable]
            problem = unfit(values[name], default)
            if problem:
                mistakes.append(f"server {server.name}: the inventory variable {variable} {problem}")
    if mistakes:
        raise UsageError("\n".join(mistakes))
    return values


def probe_parameters(check: Check, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a check hands to its probe (or playbook), with each `{from: NAME}` replaced by the checklist's value."""
    return {name: values[source(value)] if source(value) else value for name, value in check.parameters.items()}


def source(value: Any) -> str:
    """The checklist parameter that a check's parameter is taken from; empty for a value of its own."""
    if isinstance(value, Mapping) and set(value) == {"from"}:
        return str(value["from"])
    return ""


def unfit(value: Any, default: Any) -> str | None:
    """Why a value cannot stand for a default, as the rest of a sentence; None when it can. The types must be the same;
    a whole number may stand for any number. The value itself is never shown: it may be a secret."""
    if any("{{" in text or "{%" in text for text in _texts(value)):
        return "holds a template; write the value itself (maintops does not render the inventory's templates)"
    if isinstance(value, Mapping) and "__ansible_vault" in value:
        return "is encrypted and could not be read; give the vault's password file"
    wanted, given = kind(default), kind(value)
    if wanted == given or (wanted, given) == ("a number", "a whole number"):
        return None
    return f"must be {wanted}, not {given}"


def kind(value: Any) -> str:
    """What a JSON value is, in words for people."""
    if isinstance(value, bool):
        return "true or false"
    names = {int: "a whole number", float: "a number", str: "text", list: "a list", tuple: "a list"}
    if isinstance(value, Mapping):
        return "a mapping"
    return names.get(type(value), "nothing")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key)
            yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)
