"""From what `ansible-inventory --list` prints to servers.

Its format: `_meta.hostvars` maps hosts to their variables (a host without variables is left out), every other key is a
group with `hosts` and `children`. A value that Ansible must not render is `{"__ansible_unsafe": text}`, one that is
encrypted `{"__ansible_vault": text}`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from maintops.domain.parameters import unfit
from maintops.domain.servers import Criticality, Server
from maintops.errors import UsageError

Listing = Mapping[str, Any]


def host_names(listing: Listing) -> list[str]:
    """The hosts of a listing, in the inventory's order."""
    names = [host for group in _groups_below(listing, "all") for host in _members(listing, group, "hosts")]
    return list(dict.fromkeys(names))


def group_names(listing: Listing) -> list[str]:
    """The groups of a listing, in the inventory's order, without `all` and `ungrouped`."""
    return [group for group in _groups_below(listing, "all") if group not in ("all", "ungrouped")]


def read_servers(listing: Listing, names: Sequence[str]) -> list[Server]:
    """Some hosts of a listing as servers. Raises UsageError that names every server and variable that makes no
    sense."""
    variables = {name: _unwrapped(listing["_meta"]["hostvars"].get(name, {})) for name in names}
    mistakes = [
        f"server {name}: the inventory variable {mistake}" for name in names for mistake in _mistakes(variables[name])
    ]
    if mistakes:
        raise UsageError("\n".join(mistakes))
    groups = _groups_of(listing)
    return [_server(name, variables[name], groups.get(name, ())) for name in names]


def _groups_below(listing: Listing, top: str) -> list[str]:
    """A group and all that are in it, each once, in the order in which they are met."""
    met: dict[str, None] = {}
    waiting = [top]
    while waiting:
        group = waiting.pop()
        if group not in met:
            met[group] = None
            waiting.extend(reversed(_members(listing, group, "children")))
    return list(met)


def _members(listing: Listing, group: str, kind: str) -> list[str]:
    members: list[str] = listing.get(group, {}).get(kind, [])
    return members


def _groups_of(listing: Listing) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for group in group_names(listing):
        below = _groups_below(listing, group)
        for host in dict.fromkeys(host for one in below for host in _members(listing, one, "hosts")):
            found[host] = (*found.get(host, ()), group)
    return found


def _unwrapped(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"__ansible_unsafe"}:
            return value["__ansible_unsafe"]
        return {key: _unwrapped(inner) for key, inner in value.items()}
    return [_unwrapped(inner) for inner in value] if isinstance(value, list) else value


# --- what the variables say ------------------------------------------------------------------------------------------


def _mistakes(variables: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a host's own variables. A value is never shown: it may be a secret in the wrong place."""
    for name in ("maintops_criticality", "maintops_in_service", "maintops_customer", "maintops_site"):
        problem = unfit(variables[name], "") if name in variables else None
        if problem:
            yield f"{name} {problem}"
    criticality = variables.get("maintops_criticality", Criticality.STANDARD)
    if isinstance(criticality, str) and criticality not in list(Criticality) and unfit(criticality, "") is None:
        yield f"maintops_criticality must be {' or '.join(Criticality)}"
    day = variables.get("maintops_in_service")
    if isinstance(day, str) and unfit(day, "") is None and _date(day) is None:
        yield "maintops_in_service must be a date such as 2024-03-01"
    if "maintops_roles" in variables and not _is_roles(variables["maintops_roles"]):
        yield "maintops_roles must be a list of words, or words with commas"
    if not isinstance(variables.get("maintops_needed", False), bool):
        yield "maintops_needed must be true or false (in an INI file: True or False)"


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _is_roles(value: Any) -> bool:
    words = value if isinstance(value, list) else [value]
    return all(isinstance(word, str) and unfit(word, "") is None for word in words)


def _roles(value: str | Collection[str]) -> tuple[str, ...]:
    words = value.split(",") if isinstance(value, str) else value
    return tuple(word.strip() for word in words if word.strip())


def _server(name: str, variables: Mapping[str, Any], groups: tuple[str, ...]) -> Server:
    day = variables.get("maintops_in_service")
    return Server(
        name=name,
        criticality=Criticality(variables.get("maintops_criticality", Criticality.STANDARD)),
        in_service=date.fromisoformat(day) if day is not None else None,
        customer=variables.get("maintops_customer"),
        site=variables.get("maintops_site"),
        roles=_roles(variables.get("maintops_roles", ())),
        groups=groups,
        variables=variables,
    )
