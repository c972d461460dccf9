"""What mdadm printed when a person called it: --detail (also under the name --query --detail), --examine, --query.

The texts are read by jc. An array of --detail has the facts that /proc/mdstat gives; --examine speaks of one device,
and of its array as that device last saw it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from maintops.domain.answers import Measured, NotMeasured, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import present

_BLOCK = re.compile(r"^(/dev/\S+):[ \t]*$", re.MULTILINE)
_QUERIED = re.compile(r"^(/dev/\S+): (.*\b(?:md|raid[0-9]+|linear|container)\b.*)$", re.MULTILINE)
_QUERIED_ARRAY = re.compile(r"\S+ (raid[0-9]+|linear|container) ([0-9]{1,5}) devices?, ([0-9]{1,5}) spares?")
_LISTED = re.compile(r"^ARRAY (/dev/\S+)(.*)$", re.MULTILINE)
_COMPLAINT = re.compile(r"^mdadm: (.+)$", re.MULTILINE)
_INTEL_STATE = re.compile(r"^ *Map State : ([A-Za-z ]+?)(?: <--.*)?$", re.MULTILINE)
_THIS = re.compile(r"^this +[0-9]+ +[0-9]+ +[0-9]+ +\S+ +(\S.*?) *(?:/dev/\S+)?$", re.MULTILINE)
_PLAIN = ("raid0", "linear", "faulty")
_STOPPED = frozenset({"inactive", "not started", "stopped"})
_ACTIONS = {"resyncing": "resync", "recovering": "recovery", "reshaping": "reshape", "checking": "check"}
_PERCENTS = ("resync_status_percent", "rebuild_status_percent", "check_status_percent", "reshape_status_percent")
_COUNTS = frozenset({"devices", "working", "missing", "degraded"})
_OF_ARRAYS = frozenset({"state", "read_only", "members", "spares", "action", "resync_percent"})
_OF_MEMBERS = frozenset({"role", "checksum_correct"})
_IN_SYSFS = frozenset({"mismatches"})


def is_mdadm(text: str) -> bool:
    """Whether a text looks like output of mdadm."""
    return any(one.search(text) for one in (_BLOCK, _QUERIED, _LISTED, _COMPLAINT))


def read_mdadm(text: str) -> Reading:
    """One subject per array or device that is spoken of."""
    begins = [found.start() for found in _BLOCK.finditer(text)]
    blocks = [text[start:end] for start, end in zip(begins, [*begins[1:], None], strict=False)]
    found = [_block(block) for block in blocks]
    found += [_queried(device, said) for device, said in _QUERIED.findall(text)]
    found += [_listed(device) for device, _ in _LISTED.findall(text)]
    if not found:
        said = _COMPLAINT.search(text)
        return NotMeasured(f"mdadm says: {said[1].strip()[:300]}" if said else "mdadm says nothing of an array")
    return Measured(tuple({one.subject: one for one in found}.values()))


def _parsed(block: str) -> Mapping[str, Any]:
    from jc.parsers import mdadm  # it takes a while, and recordings alone need it

    try:
        parsed: Any = mdadm.parse(block, quiet=True)
    except Exception as error:  # a parser of somebody else, given whatever a file holds
        raise UnreadableAnswer(f"this is not how mdadm writes: {error}"[:300]) from error
    if not isinstance(parsed, dict):
        raise UnreadableAnswer("this is not how mdadm writes")
    return parsed


def _block(block: str) -> SubjectFacts:
    said = _parsed(block)
    begin = _BLOCK.match(block)
    device = begin[1].removeprefix("/dev/") if begin is not None else ""
    if "Magic :" in block:
        return _member(device, said, block)
    if _text(said.get("raid_level")) == "container":
        return _container(device, said)
    return _array(device, said)


# --- --detail --------------------------------------------------------------------------------------------------------


def _array(device: str, said: Mapping[str, Any]) -> SubjectFacts:
    states, level = _states(said), _text(said.get("raid_level"))
    if not states and level is None:
        return SubjectFacts(device, why_not="mdadm says neither its state nor its level")
    rows = _rows(said)
    facts = present(
        kind="array",
        state=_state(states),
        states=states or None,
        level=level if level != "-unknown-" else None,
        read_only="read-only" in states if states else None,
        members=sorted(str(row["device"]).removeprefix("/dev/") for row in rows if row.get("device")) if rows else None,
        failed=_whole(said.get("failed_devices")),
        spares=_whole(said.get("spare_devices")),
        events=_whole(said.get("events_num")),
    )
    absent = set(_OF_MEMBERS | _IN_SYSFS)
    if level in _PLAIN:
        absent |= _COUNTS
    elif not _STOPPED & set(states):
        facts |= _counted(said, states)
    action, missing = _action(said, states)
    return SubjectFacts(device, facts | action, frozenset(absent | missing))


def _states(said: Mapping[str, Any]) -> list[str]:
    listed = said.get("state_list")
    words = listed if isinstance(listed, list) else str(said.get("state") or "").split(",")
    return [str(word).strip().lower() for word in words if str(word).strip()]


def _state(states: list[str]) -> str | None:
    """In the kernel's three words, as /proc/mdstat gives them."""
    if not states:
        return None
    if _STOPPED & set(states):
        return "inactive"
    return "broken" if {"broken", "failed"} & set(states) else "active"


def _counted(said: Mapping[str, Any], states: list[str]) -> dict[str, object]:
    """`Active Devices` are those that the kernel counts as working; mdadm counts spares as working too."""
    devices, active = _whole(said.get("raid_devices")), _whole(said.get("active_devices"))
    missing = max(devices - active, 0) if devices is not None and active is not None else None
    degraded = "degraded" in states or "failed" in states or bool(missing)
    return present(devices=devices, working=active, missing=missing, degraded=degraded)


def _action(said: Mapping[str, Any], states: list[str]) -> tuple[dict[str, object], set[str]]:
    """`recovering`, `resyncing (PENDING)`, and how far it is."""
    for state in states:
        word, _, waits = state.partition(" ")
        if word in _ACTIONS:
            action = f"{_ACTIONS[word]} {waits.strip('()')}".strip()
            done = next((one for name in _PERCENTS if (one := _whole(said.get(name))) is not None), None)
            return present(action=action, resync_percent=float(done) if done is not None else None), (
                {"resync_percent"} if waits and done is None else set()
            )
    return {}, {"action", "resync_percent"}


def _container(device: str, said: Mapping[str, Any]) -> SubjectFacts:
    rows = _rows(said)
    members = sorted(str(row["device"]).removeprefix("/dev/") for row in rows if row.get("device"))
    facts = present(kind="container", level="container", members=members or None)
    absent = _COUNTS | _OF_MEMBERS | _IN_SYSFS | _OF_ARRAYS - {"members"} | {"failed", "states", "events"}
    return SubjectFacts(device, facts, frozenset(absent - set(facts)))


# --- --examine -------------------------------------------------------------------------------------------------------


def _member(device: str, said: Mapping[str, Any], block: str) -> SubjectFacts:
    facts = present(
        kind="member",
        level=_level(said),
        role=_role(said, block),
        events=_whole(said.get("events_num")),
        checksum_correct=said["checksum_state"] == "correct" if said.get("checksum_state") else None,
    )
    volumes = _volumes(said, block)
    if volumes:  # a firmware RAID's device speaks of its volumes instead of one array
        facts |= {"states": volumes, "degraded": any(not _is_well(one) for one in volumes)}
        none = _OF_ARRAYS | _OF_MEMBERS | {"devices", "working", "missing", "failed", "events"}
        return SubjectFacts(device, facts, frozenset((none | _IN_SYSFS) - set(facts)))
    facts |= present(states=_states(said) or None, failed=_whole(said.get("failed_devices")))
    absent = set(_OF_ARRAYS | _IN_SYSFS)
    if facts.get("level") in _PLAIN:
        absent |= _COUNTS
    else:
        facts |= _seen(said)
    if "failed" not in facts:
        absent.add("failed")
    return SubjectFacts(device, facts, frozenset(absent))


def _level(said: Mapping[str, Any]) -> str | None:
    level = _text(said.get("raid_level")) or _text(said.get("raid_level_0"))
    return level.lower() if level and level != "-unknown-" else None


def _role(said: Mapping[str, Any], block: str) -> str | None:
    """Version 1 says it; version 0.90 has it in its table, in the line `this`."""
    this = _THIS.search(block)
    return _text(said.get("device_role")) or (this[1] if this else None)


def _volumes(said: Mapping[str, Any], block: str) -> list[str]:
    ddf = [str(said[name]) for name in sorted(said) if re.fullmatch(r"state_[0-9]+", name)]
    return ddf or _INTEL_STATE.findall(block)


def _is_well(state: str) -> bool:
    return state.lower().startswith(("optimal", "normal"))


def _seen(said: Mapping[str, Any]) -> dict[str, object]:
    """The array as the device last saw it."""
    slots = said.get("array_state_list")
    devices = _whole(said.get("raid_devices"))
    if isinstance(slots, list) and slots:
        return _complete(devices, len([one for one in slots if one != "missing"]))
    return _complete(devices, _whole(said.get("active_devices")))


def _complete(devices: int | None, working: int | None) -> dict[str, object]:
    if devices is None or working is None:
        return present(devices=devices, working=working)
    missing = max(devices - working, 0)
    return {"devices": devices, "working": working, "missing": missing, "degraded": missing > 0}


# --- --query, --scan -------------------------------------------------------------------------------------------------


def _queried(device: str, said: str) -> SubjectFacts:
    """`/dev/md0: 99.00MiB raid1 2 devices, 0 spares. Use mdadm --detail for more detail.`"""
    name = device.removeprefix("/dev/")
    found = _QUERIED_ARRAY.search(said)
    if found is None:
        return SubjectFacts(name, why_not=said.strip()[:300] or "mdadm says nothing of it")
    facts = present(kind="array", level=found[1], devices=int(found[2]), spares=int(found[3]))
    absent = _OF_MEMBERS | (_COUNTS if found[1] in _PLAIN else frozenset())
    return SubjectFacts(name, {fact: facts[fact] for fact in facts if fact not in absent}, frozenset(absent))


def _listed(device: str) -> SubjectFacts:
    return SubjectFacts(device.removeprefix("/dev/"), {"kind": "array"}, why_not="mdadm lists it; it was not asked")


def _rows(said: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rows: Iterable[Any] = said.get("device_table") or ()
    return [row for row in rows if isinstance(row, dict)]


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
