"""LVM: volume groups and logical volumes, their room, missing devices, thin pools, snapshots and RAID.

Formats: lvmreport(7), vgs(8) and lvs(8) of LVM2: JSON from 2.02.158 on; recordings can be the tables for people.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Part, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import decimal, integer, named_parts, percent, present, refusal, remark, text_of
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.json_answers import load_json
from maintops.probes.lvm_table import rows_of_table

_QUESTION = """command -v lvs >/dev/null 2>&1 || { echo 'lvs: not found' >&2; exit 127; }
part vgs vgs --reportformat json --units b --nosuffix -o vg_name,vg_attr,vg_size,vg_free,vg_missing_pv_count
part lvs lvs --reportformat json --units b --nosuffix -o \
vg_name,lv_name,lv_attr,lv_size,data_percent,metadata_percent,copy_percent,lv_health_status,raid_mismatch_count
"""
_KINDS = {
    "C": "cache",
    "d": "vdo pool",
    "D": "vdo pool data",
    "m": "mirror",
    "M": "mirror",
    "r": "raid",
    "R": "raid",
    "s": "snapshot",
    "S": "snapshot",
    "p": "move",
    "v": "virtual",
    "V": "thin",
    "t": "thin pool",
    "-": "linear",
    "o": "linear",
    "O": "linear",
}
"""The first letter of lv_attr. Hidden volumes (images, logs, pool data) are not reported without -a."""

_HEALTH = {
    "p": "partial",
    "r": "refresh needed",
    "m": "mismatches exist",
    "w": "writemostly",
    "F": "failed",
    "D": "out of data",
    "M": "metadata read only",
    "E": "error",
    "R": "remove after reshape",
    "s": "reshaping",
}
"""The ninth letter of lv_attr; the words are those of lv_health_status where it has one."""

_OF_GROUPS = frozenset({"free_bytes", "free_percent", "missing_devices", "partial", "exported"})
_OF_VOLUMES = frozenset({"active", "health", "needs_check", "invalid"})
_OF_POOLS = frozenset({"pool_data_percent", "pool_metadata_percent"})
_OF_COPIES = frozenset({"sync_percent", "mismatches"})
_OF_SNAPSHOTS = frozenset({"snapshot_percent"})
_SOME = _OF_POOLS | _OF_COPIES | _OF_SNAPSHOTS


def question(parameters: Mapping[str, Any]) -> str:
    """The reports about groups and volumes."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject per volume group (its name) and per logical volume (group/name)."""
    if (recorded := _recorded(answer)) is not None:
        return recorded
    if (why := refusal(answer)) is not None:
        return why
    parts = named_parts(answer)
    if not {"vgs", "lvs"} <= parts.keys():
        raise UnreadableAnswer("the answer does not hold the reports of vgs and lvs")
    rows = [_report(parts[name]) for name in ("vgs", "lvs")]
    if rows[0] is None or rows[1] is None:
        return NotMeasured(f"LVM could not tell: {remark(answer) or _ending(parts)}")
    return Measured(_subjects([*rows[0], *rows[1]]))


def recording(output: bytes) -> Answer:
    """What vgs, lvs or pvs printed, as JSON or as a table with its heading. Raises UnreadableAnswer for others."""
    answer = Answer(output)
    if _recorded(answer) is None:
        raise UnreadableAnswer("this is neither a JSON report of vgs, lvs or pvs nor their table with its heading")
    return answer


def _recorded(answer: Answer) -> Reading | None:
    start = answer.stdout.lstrip()[:1]
    if not start or start == b"=":
        return None
    text = text_of(answer)
    rows = rows_of_json(load_json(answer.stdout)) if start == b"{" else rows_of_table(text)
    return Measured(_subjects(rows)) if rows is not None else None


def _report(part: Part) -> list[Mapping[str, str]] | None:
    """The rows of one report; None where the tool failed and printed no report, or an empty one."""
    if not part.output.strip():
        return None
    rows = rows_of_json(load_json(part.output))
    if rows is None:
        raise UnreadableAnswer("it is JSON, and no report of LVM")
    return rows if rows or part.status == 0 else None


def _ending(parts: Mapping[str, Part]) -> str:
    failed = next((name for name in ("vgs", "lvs") if parts[name].status), "vgs")
    return f"{failed} ended with status {parts[failed].status}"


def rows_of_json(value: Any) -> list[Mapping[str, str]] | None:
    """The rows of {"report": [{"vg": […], "lv": […]}]}; None for JSON of another kind."""
    reports = value.get("report") if isinstance(value, dict) else None
    if not isinstance(reports, list):
        return None
    return [
        {str(name): str(value).strip() for name, value in row.items() if value is not None}
        for report in reports
        for kind in ("vg", "lv", "pv")
        for row in _objects(report.get(kind) if isinstance(report, dict) else None)
    ]


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _subjects(rows: list[Mapping[str, str]]) -> tuple[SubjectFacts, ...]:
    found: dict[str | None, SubjectFacts] = {}
    for row in rows:
        one = _volume(row) if "lv_name" in row else _device(row) if "pv_name" in row else _group(row)
        if one is not None:
            found[one.subject] = one
    return tuple(found.values())


def _group(row: Mapping[str, str]) -> SubjectFacts | None:
    """vg_attr: writeable, resizeable, exported, partial, allocation policy, clustered or shared."""
    name, attributes = row.get("vg_name"), row.get("vg_attr", "")
    if not name:
        return None
    size, free = _bytes(row.get("vg_size")), _bytes(row.get("vg_free"))
    facts = present(
        kind="group",
        size_bytes=size,
        free_bytes=free,
        free_percent=percent(free, size) if free is not None and size is not None else None,
        missing_devices=integer(row.get("vg_missing_pv_count")),
        partial=attributes[3] == "p" if len(attributes) >= 6 else None,
        exported=attributes[2] == "x" if len(attributes) >= 6 else None,
    )
    return SubjectFacts(name, facts, _OF_VOLUMES | _SOME)


def _device(row: Mapping[str, str]) -> SubjectFacts | None:
    """pv_attr: allocatable, exported, missing. Only recordings speak of devices."""
    name, attributes = row.get("pv_name"), row.get("pv_attr", "")
    if not name:
        return None
    facts = present(
        kind="device",
        size_bytes=_bytes(row.get("pv_size")),
        free_bytes=_bytes(row.get("pv_free")),
        missing_devices=int(attributes[2] == "m") if len(attributes) == 3 else None,
    )
    absent = _OF_VOLUMES | _SOME | {"partial", "exported", "free_percent"}
    return SubjectFacts(name, facts, frozenset(absent))


def _volume(row: Mapping[str, str]) -> SubjectFacts | None:
    name, group, attributes = row.get("lv_name", "").strip("[]"), row.get("vg_name"), row.get("lv_attr", "")
    if not name or not group:
        return None
    subject = f"{group}/{name}"
    if len(attributes) < 9:
        return SubjectFacts(subject, why_not="its attributes are not said")
    kind, data = _KINDS.get(attributes[0], attributes[0]), decimal(row.get("data_percent"))
    facts = present(kind=kind, size_bytes=_bytes(row.get("lv_size")), **_state(attributes, row))
    absent = set(_OF_GROUPS | _SOME)
    if kind in ("thin pool", "vdo pool"):
        facts |= present(pool_data_percent=data, pool_metadata_percent=decimal(row.get("metadata_percent")))
        absent -= _OF_POOLS if kind == "thin pool" else {"pool_data_percent"}
    elif kind == "snapshot":
        facts |= present(snapshot_percent=decimal(row.get("snap_percent")) if data is None else data)
        absent -= _OF_SNAPSHOTS
    elif kind in ("raid", "mirror"):
        copied = row.get("copy_percent") or row.get("sync_percent")
        facts |= present(sync_percent=decimal(copied), mismatches=integer(row.get("raid_mismatch_count")))
        absent -= {"sync_percent"}
    if facts.get("active") is False:  # what is not running is not counted
        absent |= _SOME
    return SubjectFacts(subject, facts, frozenset(absent - set(facts)))


def _state(attributes: str, row: Mapping[str, str]) -> dict[str, object]:
    """lv_attr: type, permissions, allocation, fixed minor, state, open, target, zeroing, health, skip."""
    state, letter = attributes[4], attributes[8]
    said = row.get("lv_health_status")
    return {
        "active": state not in "-hX" if state != "X" else None,
        "needs_check": state in "cC",
        "invalid": state in "ISmM",
        "health": said or ("ok" if letter == "-" else _HEALTH.get(letter)),
    }


def _bytes(text: str | None) -> int | None:
    """A whole number of bytes, with or without its unit: 10.00g is a rounded one, and none."""
    return integer(re.sub(r"(?<=[0-9])B$", "", (text or "").strip()))


PROBE = Probe(
    name="lvm",
    title="LVM volume groups and volumes",
    facts={
        "kind": Fact("str", "group; linear, thin pool, thin, snapshot, raid, mirror, cache, … for volumes"),
        "size_bytes": Fact("int", "its size", "bytes"),
        "free_bytes": Fact("int", "what no volume of the group uses", "bytes"),
        "free_percent": Fact("float", "the same of its size", "percent"),
        "missing_devices": Fact("int", "devices (physical volumes) of the group that are not there"),
        "partial": Fact("bool", "whether a device of the group is missing"),
        "exported": Fact("bool", "whether the group was handed out for another server"),
        "active": Fact("bool", "whether the volume can be used"),
        "health": Fact("str", "ok, partial, refresh needed, mismatches exist, failed, out of data, …, in LVM's words"),
        "needs_check": Fact("bool", "whether a pool's metadata must be repaired before it is used"),
        "invalid": Fact("bool", "whether a snapshot is lost: it was full, or its merging failed"),
        "pool_data_percent": Fact("float", "how full a pool is", "percent"),
        "pool_metadata_percent": Fact("float", "how full its metadata are", "percent"),
        "snapshot_percent": Fact("float", "how full a snapshot of the old kind is; at 100 it is lost", "percent"),
        "sync_percent": Fact("float", "how much of a mirror or RAID agrees", "percent"),
        "mismatches": Fact("int", "sectors in which the copies differed at the latest check"),
    },
    question=question,
    read=read,
    presence=Presence.LASTING,
    recording=recording,
)
