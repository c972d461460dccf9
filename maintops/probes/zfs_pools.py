"""ZFS pools: zpool list for their room, zpool status for their health.

Formats: zpool-list(8), zpool-status(8) of OpenZFS 0.8 to 2.3 and of its forerunners; recordings can be JSON (2.3).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import integer, named_parts, present, refusal, remark, text_of
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.json_answers import load_json
from maintops.probes.zfs_status import is_status, pools_of_json, pools_of_text

_QUESTION = """command -v zpool >/dev/null 2>&1 || { echo 'zpool: not found' >&2; exit 127; }
part list zpool list -Hp -o name,size,allocated,free,fragmentation,capacity,health
part status zpool status
part now date '+%Y-%m-%d %H:%M:%S'
"""
_COLUMNS = ("name", "size", "alloc", "free", "frag", "cap", "health")
_HEADER = re.compile(r"^NAME +SIZE +ALLOC +FREE .*HEALTH.*$", re.MULTILINE)
_STATES = frozenset({"ONLINE", "DEGRADED", "FAULTED", "OFFLINE", "UNAVAIL", "REMOVED", "SUSPENDED"})
_ROOM = frozenset({"size_bytes", "allocated_bytes", "free_bytes", "fragmentation_percent", "capacity_percent"})


def question(parameters: Mapping[str, Any]) -> str:
    """The pools' room, their health, and the server's own clock: the dates of scrubs are in its time zone."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject per pool."""
    if (recorded := _recorded(answer)) is not None:
        return recorded
    if (why := refusal(answer)) is not None:
        return why
    parts = named_parts(answer)
    if not {"list", "status"} <= parts.keys():
        raise UnreadableAnswer("the answer does not hold the list of pools and their status")
    listed, status = parts["list"], parts["status"]
    if not listed.text.strip() and "pool:" not in status.text:
        if listed.status == 0 and status.status == 0:
            return Measured(())
        return NotMeasured(f"zpool could not tell: {remark(answer) or f'exit status {listed.status}'}")
    now = _moment(parts["now"].text) if "now" in parts else None
    room = {row["name"]: _room(row) for row in _rows(listed.text)}
    return _reading(room, pools_of_text(status.text, now))


def recording(output: bytes) -> Answer:
    """What zpool list or zpool status printed. Raises UnreadableAnswer for others."""
    answer = Answer(output)
    if _recorded(answer) is None:
        raise UnreadableAnswer("this is neither `zpool status` nor `zpool list`, as text or as JSON")
    return answer


def _recorded(answer: Answer) -> Reading | None:
    start = answer.stdout.lstrip()[:1]
    if not start or start == b"=":
        return None
    text = text_of(answer).replace("\r\n", "\n")
    if start == b"{":
        pools = pools_of_json(load_json(answer.stdout))
        return _reading({}, pools) if pools is not None else None
    if text.strip() in ("no pools available", "all pools are healthy"):
        return Measured(()) if text.startswith("no") else NotMeasured("zpool names no pool: it calls them all healthy")
    room = _table(text)
    if not room and not is_status(text):
        return None
    return _reading(room, pools_of_text(text, None))


def _reading(room: Mapping[str, Mapping[str, Any]], status: Mapping[str, Mapping[str, Any]]) -> Reading:
    names = list(dict.fromkeys([*status, *room]))
    if not names:
        raise UnreadableAnswer("no pool is named in it")
    return Measured(tuple(_subject(name, {**room.get(name, {}), **status.get(name, {})}) for name in names))


def _subject(name: str, facts: Mapping[str, Any]) -> SubjectFacts:
    absent: set[str] = set()
    if facts.get("state") in ("FAULTED", "UNAVAIL"):
        absent |= _ROOM - set(facts)  # a pool that is not open has no room
    if facts.get("scanning") or facts.get("scrubbed") is False:
        absent |= {"scrub_age_hours", "scrub_errors"} - set(facts)
    if facts.get("scanning") == "scrub":  # it is being scrubbed: what was before does not matter
        absent |= {"scrubbed"} - set(facts)
    if not facts.get("scanning"):
        absent |= {"scan_percent"} - set(facts)
    return SubjectFacts(name, facts, frozenset(absent))


def _moment(text: str) -> datetime | None:
    """The server's own clock; its zone is left open, as it is in zpool's dates, and stands here as UTC."""
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None


# --- zpool list ------------------------------------------------------------------------------------------------------


def _rows(text: str) -> list[dict[str, str]]:
    """The lines of `zpool list -Hp -o …`: columns between tabs."""
    rows = [line.split("\t") for line in text.split("\n") if line.strip()]
    return [dict(zip(_COLUMNS, row, strict=True)) for row in rows if len(row) == len(_COLUMNS)]


def _table(text: str) -> dict[str, dict[str, Any]]:
    """A table that a person sees: with its header, or (-H) without, when the columns are those of our own question or
    the usual ones."""
    found = {}
    header = _HEADER.search(text)
    names = [word.lower() for word in header[0].split()] if header else []
    for line in text[header.end() :].split("\n") if header else text.split("\n"):
        words = line.split("\t") if "\t" in line and not header else line.split()
        if line[:1] in (" ", "\t", "") or not words:
            continue
        columns = names if header else _usual(words)
        row = dict(zip(columns, words, strict=True)) if len(columns) == len(words) else {}
        if row.get("health") in _STATES and row.get("name"):
            found[row["name"]] = _room(row)
    return found


def _usual(words: list[str]) -> list[str]:
    if len(words) == len(_COLUMNS):
        return list(_COLUMNS)
    if len(words) == 11:
        return ["name", "size", "alloc", "free", "ckpoint", "expandsz", "frag", "cap", "dedup", "health", "altroot"]
    return ["name", "size", "alloc", "free", "expandsz", "frag", "cap", "dedup", "health", "altroot"]


def _room(row: Mapping[str, str]) -> dict[str, Any]:
    """Sizes are taken where they are whole numbers: 9.06T is a rounded one."""
    return present(
        state=row["health"],
        size_bytes=integer(row.get("size")),
        allocated_bytes=integer(row.get("alloc")),
        free_bytes=integer(row.get("free")),
        fragmentation_percent=integer((row.get("frag") or "").removesuffix("%")),
        capacity_percent=integer((row.get("cap") or "").removesuffix("%")),
    )


PROBE = Probe(
    name="zfs-pools",
    title="ZFS pools",
    facts={
        "state": Fact("str", "ONLINE, DEGRADED, FAULTED, UNAVAIL, SUSPENDED, …"),
        "message": Fact("str", "what zpool says is the matter; not there for a pool that is well"),
        "suspended": Fact("bool", "whether all reading and writing waits because devices are gone"),
        "size_bytes": Fact("int", "size of the pool", "bytes"),
        "allocated_bytes": Fact("int", "what is in use", "bytes"),
        "free_bytes": Fact("int", "what is free", "bytes"),
        "capacity_percent": Fact("int", "how full it is", "percent"),
        "fragmentation_percent": Fact("int", "how fragmented its free space is", "percent"),
        "bad_devices": Fact("list", "devices that are not online, each with its state"),
        "read_errors": Fact("int", "errors of its devices in reading, together; rounded by zpool from 1000 on"),
        "write_errors": Fact("int", "errors of its devices in writing, together"),
        "checksum_errors": Fact("int", "blocks of its devices that did not match their checksums, together"),
        "data_errors": Fact("int", "files and objects that are lost; 0: none"),
        "spares_available": Fact("int", "spare devices that wait to step in"),
        "scan": Fact("str", "what zpool says of its latest scrub or resilver"),
        "scanning": Fact("str", "scrub or resilver while one runs, empty while none does"),
        "scan_percent": Fact("float", "how far that is; not offered at rest", "percent"),
        "scrubbed": Fact(
            "bool", "false: never; not measured where a resilver came later, not offered while a scrub runs"
        ),
        "scrub_errors": Fact("int", "errors that the latest scrub could not repair"),
        "scrub_age_hours": Fact("float", "how long ago the latest scrub ended", "hours"),
    },
    question=question,
    read=read,
    presence=Presence.LASTING,
    recording=recording,
)
