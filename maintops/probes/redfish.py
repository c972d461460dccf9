"""What a Redfish service tells, whoever made it: documents of resources into subjects and facts.

Formats: the Redfish specification (DSP0266) and its schemas (DSP8010). An answer is one document, path -> resource, as
maintops.runners.redfish gathers it; a recording may be one resource alone. Makers leave out what they like: an
attribute that is missing or null is not offered; a health that is missing or null is not measured.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, Skipped, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import decimal, present, refusal, text_of
from maintops.probes.contract import Fact, Parameter
from maintops.probes.json_answers import load_json

GENERAL: Mapping[str, Fact] = {
    "kind": Fact("str", "what it is"),
    "name": Fact("str", "its name, in the controller's words"),
    "health": Fact("str", "OK, Warning or Critical, in the controller's judgement; not offered by what is not there"),
    "state": Fact("str", "Enabled, Disabled, Absent, StandbyOffline, … (Resource.Status.State)"),
}
"""Facts that every part of a Redfish tree can have."""

_HEALTHS = {"ok": "OK", "good": "OK", "warning": "Warning", "critical": "Critical"}
_READINGS = (
    "health",
    "level",
    "reading",
    "celsius",
    "rpm",
    "percent",
    "volts",
    "output_watts",
    "input_volts",
    "input_lost",
)
_GONE = ("absent", "notpresent", "not present")
_IDLE = ("disabled", *_GONE)
_TYPE = re.compile(r"#?([A-Za-z]+)\.")
_PLACE = re.compile(
    r"/?redfish/v1/(?:(?:Systems|Managers)/[^/]+/(?=.)|Chassis/(?=[^/]+/Drives/)|Chassis/[^/]+/(?!Drives/)(?=.))?"
)
_BY_FOLDER = {
    "Drives": "Drive",
    "DiskDrives": "Drive",
    "Volumes": "Volume",
    "LogicalDrives": "Volume",
    "Controllers": "StorageController",
    "ArrayControllers": "StorageController",
    "Storage": "Storage",
    "Memory": "Memory",
    "Processors": "Processor",
    "PowerSupplies": "PowerSupply",
    "Batteries": "Battery",
    "Fans": "Fan",
    "Sensors": "Sensor",
    "FirmwareInventory": "SoftwareInventory",
    "Systems": "ComputerSystem",
    "Chassis": "Chassis",
    "Managers": "Manager",
}
_OTHER_NAMES = {
    "HpSmartStorageDiskDrive": "Drive",
    "HpeSmartStorageDiskDrive": "Drive",
    "SmartStorageDiskDrive": "Drive",
    "HpSmartStorageLogicalDrive": "Volume",
    "HpeSmartStorageLogicalDrive": "Volume",
    "SmartStorageLogicalDrive": "Volume",
    "HpSmartStorageArrayController": "StorageController",
    "HpeSmartStorageArrayController": "StorageController",
    "SmartStorageArrayController": "StorageController",
    "HpMemory": "Memory",
}

_WORDS = {
    "Drive": "drive",
    "Volume": "volume",
    "Storage": "controller",
    "StorageController": "controller",
    "PowerSupply": "supply",
    "Battery": "battery",
    "Fan": "fan",
}
"""What parts are called in `kind`, where there are several kinds."""

Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Document:
    """Resources by path; `refused`: why a path was not given. `bare`: it is one resource that a person asked for."""

    resources: Mapping[str, Resource]
    refused: Mapping[str, str]
    bare: bool = False

    def of(self, *kinds: str) -> Iterator[tuple[str, Resource]]:
        """The resources of some kinds (the names of Redfish's schemas) with their paths."""
        return ((path, one) for path, one in self.resources.items() if kind_of(path, one) in kinds)

    def below(self, owner: str, name: str) -> Resource:
        """A resource at a path below another one; empty where there is none."""
        return self.resources.get(f"{owner.rstrip('/')}/{name}", {})


@dataclass(frozen=True, slots=True)
class Found:
    """One part of a server: the path of its own, or of what holds it and its place there; what it is; its facts. `owed`
    are facts that it must have while it is in use: they were not measured where they are missing."""

    path: str
    kind: str
    resource: Resource
    facts: Mapping[str, Any]
    owed: frozenset[str] = frozenset({"health"})


# --- answers ----------------------------------------------------------------------------------------------------------


def recording(output: bytes) -> Answer:
    """One resource as a person got it (with curl's headers or not), several of them, or a document."""
    text = output.decode("utf-8-sig", "replace").strip()
    if text.startswith("HTTP/"):
        text = text.replace("\r\n", "\n").partition("\n\n")[2].strip()
    found = _values(text)
    if len(found) == 1 and isinstance(found[0], dict) and found[0]:
        return Answer(json.dumps(found[0]).encode())
    many = [one for value in found for one in (value if isinstance(value, list) else [value])]
    named = {one.get("@odata.id"): one for one in many if isinstance(one, dict)}
    if not named or not all(isinstance(path, str) and path.startswith("/") for path in named):
        raise UnreadableAnswer("this is no Redfish resource: it is not a JSON object with an @odata.id")
    return Answer(json.dumps(named).encode())


def _values(text: str) -> list[Any]:
    """JSON values one after the other."""
    found, decoder, place = [], json.JSONDecoder(), 0
    while place < len(text):
        try:
            _, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            raise UnreadableAnswer(f"this is no Redfish resource: {error}"[:300]) from error
        found.append(load_json(text[place:end].encode()))
        place = end + len(text[end:]) - len(text[end:].lstrip())
    return found


def document_of(answer: Answer) -> Document:
    """The document in an answer, or the one resource that it is. Raises UnreadableAnswer where it is neither."""
    text_of(answer)
    value = load_json(answer.stdout)
    if not isinstance(value, dict):
        raise UnreadableAnswer("this JSON is no Redfish resource")
    if not all(path.startswith("/") and isinstance(one, dict) for path, one in value.items()):
        return _bare(value)
    resources = {path: one for path, one in value.items() if "error" not in one}
    refused = {path: text(one["error"], "code") or "refused" for path, one in value.items() if "error" in one}
    return Document(resources, refused)


def _bare(value: Resource) -> Document:
    said = value.get("error")
    if isinstance(said, dict) and "@odata.id" not in value:
        raise UnreadableAnswer(f"the controller answered with an error: {text(said, 'code') or 'no code'}"[:300])
    if not {"@odata.id", "@odata.type", "Id", "Members", "MemberId"} & value.keys():
        raise UnreadableAnswer("this JSON is no Redfish resource")
    return Document({text(value, "@odata.id") or f"/redfish/v1/{text(value, 'Id') or ''}": value}, {}, bare=True)


Find = Callable[[Document], Iterator[Found]]

ASK = Parameter(True, "false: this server's controller is not asked by Redfish")
"""The parameter of every probe that asks by Redfish."""

KINDS = Parameter([], "only parts of these kinds; empty: all of them")
"""The parameter of probes that know more than one kind of part."""


def asking(*named: str) -> Callable[[Mapping[str, Any]], str | Skipped]:
    """A probe's question: these sections of the tree (maintops.runners.redfish_trees)."""

    def question(parameters: Mapping[str, Any]) -> str | Skipped:
        """Sections of the Redfish tree, one a line."""
        if parameters.get("ask") is False:
            return Skipped("its management controller is not asked by Redfish")
        return "".join(f"{one}\n" for one in named)

    return question


def reader(
    find: Find, facts: Mapping[str, Fact], kinds: Sequence[str], what: str
) -> Callable[[Answer, Mapping[str, Any]], Reading]:
    """A probe's reader: `find` gives its parts of a document, whose facts are `facts`; `kinds` are the resources that
    it is about, `what` their name for people."""
    return partial(_read, find, frozenset(facts), frozenset(kinds), what)


def _read(
    find: Find, names: frozenset[str], kinds: frozenset[str], what: str, answer: Answer, parameters: Mapping[str, Any]
) -> Reading:
    if (why := refusal(answer)) is not None:
        return why
    document = document_of(answer)
    found = list(find(document))
    lost = [path for path in document.refused if kind_of(path, {}) in kinds]
    if not found and document.bare:
        found = list(_in_general(document))
    if wanted := _wanted(parameters):
        found = [one for one in found if one.kind in wanted]
        lost = [path for path in lost if _WORDS.get(kind_of(path, {})) in wanted]
        what = " or ".join(sorted(wanted))
    if not found and not lost:
        said = sorted(set(document.refused.values()))
        return NotMeasured(f"the controller names no {what}" + (f" ({', '.join(said)})"[:300] if said else ""))
    return Measured((*_subjects(found, names), *_lost(lost, found, document)))


def _wanted(parameters: Mapping[str, Any]) -> set[str]:
    kinds = parameters.get("kinds") or []
    return {str(kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)}


def _lost(lost: list[str], found: list[Found], document: Document) -> Iterator[SubjectFacts]:
    """What is listed, and not given: often a part that is failing."""
    taken = {short(one.path) for one in found} | {one.path for one in found}
    for path in lost:
        name = path if short(path) in taken else short(path)
        if name not in taken:
            taken.add(name)
            yield SubjectFacts(name, why_not=f"the controller lists it, and does not give it: {document.refused[path]}")


def _subjects(found: list[Found], names: frozenset[str]) -> Iterator[SubjectFacts]:
    often: dict[str, int] = {}
    for one in found:
        often[short(one.path)] = often.get(short(one.path), 0) + 1
    taken: set[str] = set()
    for one in found:
        name = short(one.path) if often[short(one.path)] == 1 else one.path
        if name not in taken:  # a path leads to one resource, however often it is named
            taken.add(name)
            yield _subject(name, one, names)


def _subject(name: str, one: Found, names: frozenset[str]) -> SubjectFacts:
    state = state_of(one.resource)
    name_there = label_of(one.resource) or short(one.path).rpartition("/")[2]
    general = {"kind": one.kind, "name": name_there, "state": state, "health": health_of(one.resource)}
    said = present(**{**general, **one.facts})
    unread = _READINGS if is_gone(one.resource) else ()  # an empty place is often called critical, at 0 volts
    facts = {key: value for key, value in said.items() if key in names and key not in unread}
    owed = frozenset[str]() if (state or "").lower() in _IDLE else one.owed
    return SubjectFacts(name, facts, names - facts.keys() - owed)


def _in_general(document: Document) -> Iterator[Found]:
    """One resource that a person asked for, and that is of another kind: what can be said of any."""
    for path, one in document.resources.items():
        members = whole(one, "Members@odata.count")
        if "Status" in one or members is not None:
            owed = frozenset({"health"} if "Status" in one else ())
            yield Found(path, kind_of(path, one) or "resource", one, {"members": members}, owed)


# --- resources --------------------------------------------------------------------------------------------------------


def kind_of(path: str, resource: Resource) -> str:
    """The name of a resource's schema (`Drive`), by its type or, where it has none, by the folder that it is in."""
    found = _TYPE.match(str(resource.get("@odata.type", "")))
    if found is not None:
        return _OTHER_NAMES.get(found[1], found[1])
    if "Members" in resource:
        return "Collection"
    return _BY_FOLDER.get(path.rstrip("/").rpartition("/")[0].rpartition("/")[2], "")


def short(path: str) -> str:
    """A path as people read it: without what comes before the part in every path of a server with one system."""
    return _PLACE.sub("", path.rstrip("/"), count=1)[-200:] or "/"


def state_of(resource: Resource) -> str | None:
    """Its state; some say that there is nothing in a slot by their health."""
    said = text(resource, "Status", "State")
    return said or ("Absent" if (text(resource, "Status", "Health") or "").lower() in _GONE else None)


def is_gone(resource: Resource) -> bool:
    """Whether its place is empty."""
    return (state_of(resource) or "").lower() in _GONE


def health_of(resource: Resource, *keys: str) -> str | None:
    """OK, Warning or Critical; None for everything else (null, NA, Unknown). `keys` lead to what has the Status."""
    for name in ("Health", "HealthRollup", "HealthRollUp"):
        said = text(resource, *keys, "Status", name)
        if said is not None and said.lower() in _HEALTHS:
            return _HEALTHS[said.lower()]
    return None


def label_of(resource: Resource) -> str | None:
    """What the controller calls it, with the label of its place where that says more."""
    name = text(resource, "Name") or text(resource, "FanName") or text(resource, "DeviceName")
    place = (
        text(resource, "PhysicalLocation", "PartLocation", "ServiceLabel")
        or text(resource, "Location", "PartLocation", "ServiceLabel")
        or text(resource, "DeviceLocator")
    )
    if name and place and place not in name:
        return f"{name} ({place})"[:200]
    return (name or place or text(resource, "Id") or "")[:200] or None


def look(resource: Any, *keys: str) -> Any:
    """What stands behind some names, one in the other; None where there is nothing."""
    for key in keys:
        resource = resource.get(key) if isinstance(resource, dict) else None
    return resource


def text(resource: Any, *keys: str) -> str | None:
    """A text that is not empty."""
    value = look(resource, *keys)
    return value.strip()[:500] or None if isinstance(value, str) else None


def truth(resource: Any, *keys: str) -> bool | None:
    """True or false."""
    value = look(resource, *keys)
    return value if isinstance(value, bool) else None


def number(resource: Any, *keys: str) -> float | None:
    """A number; some controllers write them as text. A sensor's excerpt is its reading."""
    value = look(resource, *keys)
    if isinstance(value, dict):
        value = value.get("Reading")
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        return decimal(value)
    return float(value) if abs(value) < 1e18 else None


def whole(resource: Any, *keys: str) -> int | None:
    """A whole number that is not negative."""
    value = number(resource, *keys)
    return int(value) if value is not None and value >= 0 and value == int(value) else None


def listed(resource: Any, *keys: str) -> list[Resource]:
    """A list's objects; one object that stands where a list should is a list of one."""
    value = look(resource, *keys)
    many = value if isinstance(value, list) else [value]
    return [one for one in many if isinstance(one, dict)]


def inline(owner: str, folder: str, resource: Resource) -> Iterator[tuple[str, Resource]]:
    """Parts that stand in another resource, with a path for each."""
    taken: set[str] = set()
    for position, one in enumerate(listed(resource, folder)):
        if set(one) <= {"@odata.id"}:
            continue  # a link to one that stands by itself
        member = text(one, "MemberId") or (str(one["MemberId"]) if isinstance(one.get("MemberId"), int) else None)
        place = member if member and member not in taken else str(position)
        taken.add(place)
        yield f"{owner.rstrip('/')}/{folder}/{place}", one
