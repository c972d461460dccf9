"""What is gathered of a Redfish service: the resources that probes ask for, within bounds.

A probe names sections; a section is a list of ways through the tree (Redfish specification DSP0266). The outcome is one
document, path -> resource, without what nobody reads of it. A resource that the controller does not give stands in it
as `{"error": {"code": WHY}}`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

ROOT = "/redfish/v1/"

MOST_RESOURCES = 3000
"""Resources of one controller: a chassis full of disks has some hundreds."""

MOST_MEMBERS = 1000
"""Members of one collection."""

MOST_BYTES = 64 * 1024 * 1024
"""Bytes of all resources of one controller; they are kept until the last check of it is answered."""

LONGEST_PATH = 500

_HPE = "Systems/*/Oem.Hpe|Hp.Links|links.SmartStorage/Links|links.ArrayControllers"

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "systems": ("Systems/*",),
    "chassis": ("Chassis/*",),
    "managers": ("Managers/*",),
    "storage": (
        "Systems/*/Storage|Storages/*/Drives/*",
        "Systems/*/Storage|Storages/*/Volumes/*",
        "Systems/*/Storage|Storages/*/Controllers/*",
        "Systems/*/SimpleStorage/*",
        f"{_HPE}/*/Links.LogicalDrives/*",
        f"{_HPE}/*/Links.PhysicalDrives/*",
    ),
    "memory": ("Systems/*/Memory/*",),
    "processors": ("Systems/*/Processors/*",),
    "power": (
        "Chassis/*/Power",
        "Chassis/*/PowerSubsystem/PowerSupplies/*/Metrics",
        "Chassis/*/PowerSubsystem/Batteries/*",
    ),
    "thermal": (
        "Chassis/*/Thermal",
        "Chassis/*/ThermalSubsystem/Fans/*",
        "Chassis/*/ThermalSubsystem/ThermalMetrics",
        "Chassis/*/Sensors/*",
    ),
    "firmware": ("UpdateService/FirmwareInventory/*",),
}
"""Section -> ways from the root. A way is made of names of properties: `/` follows their links, `*` those to all
members of a collection, `.` looks into an object, `|` takes the first one that is there."""

_READ_ALREADY = {"Sensors": "Thermal", "ThermalSubsystem": "Thermal"}
"""Hundreds of requests that are not made of a chassis where one has told the same."""

_DROPPED = frozenset({"Actions", "Links", "RelatedItem", "@odata.context", "@odata.etag"})
_SPARED = ("Previous-", "Available-")  # Dell: firmware that is not in use

Resource = Mapping[str, Any]
Fetched = tuple[Resource, int]
"""A resource, or `refused(why)`, and the bytes that it came in."""

Fetch = Callable[[str], Fetched]
"""Gives the resource at a path."""


class TooMany(Exception):
    """A tree has more resources than any controller has."""


class TooHeavy(Exception):
    """A tree has more bytes than are kept of one controller."""


def sections(question: str) -> list[str]:
    """The sections that a question names. Raises ValueError for one that does not exist."""
    named = question.split()
    unknown = sorted(set(named) - set(SECTIONS))
    if unknown or not named:
        raise ValueError(f"the question names no section of a Redfish tree: {', '.join(unknown) or 'it is empty'}")
    return named


def refused(why: str) -> Resource:
    """What stands in a document for a resource that the controller does not give."""
    return {"error": {"code": why}}


class Tree:
    """A controller's resources, fetched when they are first asked for."""

    def __init__(self, root: Resource, fetch: Fetch) -> None:
        self._root, self._fetch = root, fetch
        self._bytes = 0
        self._found: dict[str, Resource] = {ROOT: root}
        features = _object(_object(root.get("ProtocolFeaturesSupported")).get("ExpandQuery"))
        self._expands = features.get("NoLinks") is True

    def document(self, wanted: Iterable[str]) -> bytes:
        """The resources of some sections, as JSON."""
        seen: dict[str, Resource] = {}
        for section in wanted:
            for way in SECTIONS[section]:
                self._follow([self._root], way.split("/"), seen)
        plain = {path: _spare(resource) for path, resource in seen.items()}
        return json.dumps(plain, separators=(",", ":")).encode()

    def _follow(self, places: list[Resource], steps: list[str], seen: dict[str, Resource]) -> None:
        if not steps or not places:
            return
        step, *rest = steps
        reached: list[Resource] = []
        for place in places:
            if self._told_already(place, step, seen):
                continue
            if step == "*":
                reached += self._members(place, seen)
            elif (value := _property(place, step)) is not None:
                many = rest[:1] == ["*"]
                reached += [{"Members": value}] if isinstance(value, list) else self._linked(value, seen, many=many)
        self._follow(reached, rest, seen)

    def _told_already(self, place: Resource, step: str, seen: dict[str, Resource]) -> bool:
        told = self._linked(place.get(_READ_ALREADY.get(step, "")), seen)
        return any(one.get("Temperatures") or one.get("Fans") for one in told)

    def _members(self, collection: Resource, seen: dict[str, Resource]) -> Iterator[Resource]:
        for number, member in enumerate(self._listed(collection, seen)):
            if number >= MOST_MEMBERS:
                raise TooMany
            yield from self._linked(member, seen)

    def _listed(self, collection: Resource, seen: dict[str, Resource]) -> Iterator[Any]:
        """A collection's members, those on its further pages too."""
        pages = {id(collection)}
        while True:
            members = collection.get("Members")
            yield from members if isinstance(members, list) else []
            following = {"@odata.id": collection.get("Members@odata.nextLink")}
            further = self._linked(following, seen)
            if not further or id(further[0]) in pages:
                return
            collection = further[0]
            pages.add(id(collection))

    def _linked(self, link: Any, seen: dict[str, Resource], *, many: bool = False) -> list[Resource]:
        """The resource that a link leads to, or that stands in its place."""
        path = path_of(link)
        if path is None or path.rpartition("/")[2].startswith(_SPARED):
            return []
        if path not in self._found:
            if len(self._found) >= MOST_RESOURCES:
                raise TooMany
            inline = "Members" in link or "Id" in link
            self._found[path] = link if inline else self._get(path, many)
        seen[path] = self._found[path]
        return [self._found[path]]

    def _get(self, path: str, many: bool) -> Resource:
        """Members come with their collection where the controller can do that: one request in place of many."""
        if many and self._expands and "?" not in path:
            whole = self._weighed(f"{path}?$expand=.($levels=1)")
            if "error" not in whole and isinstance(whole.get("Members"), list):
                return whole
        return self._weighed(path)

    def _weighed(self, path: str) -> Resource:
        if self._bytes > MOST_BYTES:
            raise TooHeavy
        resource, size = self._fetch(path)
        self._bytes += size
        if self._bytes > MOST_BYTES:
            raise TooHeavy
        return resource


def path_of(link: Any) -> str | None:
    """The path that a link (`{"@odata.id": PATH}`) leads to, without its fragment; None for anything else."""
    said = link.get("@odata.id") if isinstance(link, dict) else None
    if not isinstance(said, str):
        return None
    path = said.partition("#")[0]
    fits = path.startswith("/redfish/") and len(path) <= LONGEST_PATH and path.isascii() and path.isprintable()
    return path if fits and " " not in path else None


def _property(place: Any, names: str) -> Any:
    for name in names.split("."):
        whole = _object(place)
        place = next((whole[one] for one in name.split("|") if one in whole), None)
    return place


def _spare(value: Any) -> Any:
    """A resource without what nobody reads: what could be done to it, and what it is linked with."""
    if isinstance(value, dict):
        return {
            name: _spare(one)
            for name, one in value.items()
            if name not in _DROPPED and "@Redfish." not in name and "@Message." not in name
        }
    return [_spare(one) for one in value] if isinstance(value, list) else value


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
