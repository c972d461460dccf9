"""zpool status, as text of any version and as the JSON of OpenZFS 2.3 (zpool status -j, zpool list -j)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from maintops.probes.answering import decimal, integer, present

_POOL = re.compile(r"^ *pool: +(\S.*)$", re.MULTILINE)
_KEY = re.compile(r"^ {0,8}(pool|id|state|status|action|see|scan|scrub|remove|expand|checkpoint|config|errors):(.*)$")
_DEVICE = re.compile(r"^([ \t]*)(\S+)(?:[ \t]+([A-Z]{4,10}))?(?:[ \t]+(\S+)[ \t]+(\S+)[ \t]+(\S+))?(.*)$")
_DATE = re.compile(r"\b([A-Z][a-z]{2} [A-Z][a-z]{2} +[0-9]{1,2} [0-9:]{8}) (?:[A-Z]{2,5} )?([0-9]{4})\b")
_COUNT = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,3}))?([KMGTPE]?)")
_UNREPAIRED = re.compile(r"with ([0-9]{1,18}) errors")
_DONE = re.compile(r"([0-9.]{1,9})% done")
_LOST = re.compile(r"([0-9]{1,18}) data errors")
_WELL = frozenset({"ONLINE", "AVAIL", "INUSE"})
_GROUPS = frozenset({"logs", "cache", "spares", "special", "dedup"})
_FACTORS = {"": 1, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}


@dataclass(slots=True)
class _Device:
    """A line of the table of devices: `depth` its indentation, `counts` errors in reading, writing, checksums."""

    name: str
    state: str | None
    counts: tuple[int | None, int | None, int | None]
    depth: int
    group: str = ""


@dataclass(slots=True)
class _Section:
    """A pool's block: its first lines by their keys, and every line that follows one."""

    first: dict[str, str] = field(default_factory=dict)
    more: dict[str, list[str]] = field(default_factory=dict)


def is_status(text: str) -> bool:
    """Whether a text looks like zpool status."""
    return _POOL.search(text) is not None


def pools_of_text(text: str, now: datetime | None) -> dict[str, dict[str, Any]]:
    """The facts of every pool; `now` is the server's own clock, for the age of the latest scrub."""
    begins = [found.start() for found in _POOL.finditer(text)]
    blocks = [text[start:end] for start, end in zip(begins, [*begins[1:], None], strict=False)]
    found = {}
    for block in blocks:
        section = _section(block)
        found[section.first["pool"]] = _facts(section, now)
    return found


def _section(block: str) -> _Section:
    section, key = _Section(), ""
    for line in block.split("\n"):
        # the table of devices ends only where the word `errors:` stands at its own place
        if (named := _KEY.match(line)) is not None and (key != "config" or named[1] == "errors"):
            key = named[1]
            section.first.setdefault(key, named[2].strip())
            section.more.setdefault(key, [])
        elif key and line.strip():
            section.more[key].append(line)
    return section


def _facts(section: _Section, now: datetime | None) -> dict[str, Any]:
    state = section.first.get("state") or None
    message = _joined(section, "status")
    scan = _joined(section, "scan") or _joined(section, "scrub")
    devices = list(_devices(section.more.get("config", []), section.first["pool"]))
    facts = present(
        state=state,
        message=message[:300] or None,
        suspended=state == "SUSPENDED" or "suspended" in message.lower() if state else None,
        data_errors=_lost(section),
    )
    return facts | _from_devices(devices) | _scanned(scan, now)


def _joined(section: _Section, key: str) -> str:
    return " ".join(" ".join([section.first.get(key, ""), *section.more.get(key, ())]).split())


def _devices(lines: list[str], pool: str) -> Iterator[_Device]:
    group = ""
    for line in lines:
        found = _DEVICE.match(line)
        if found is None or found[2] == "NAME":
            continue
        if found[2] in _GROUPS and found[3] is None:
            group = found[2]
            continue
        depth = len(found[1].expandtabs(8))
        counts = (_count(found[4]), _count(found[5]), _count(found[6]))
        yield _Device(found[2], found[3], counts, depth, "" if found[2] == pool else group)


def _count(text: str | None) -> int | None:
    """`0`, `137`, `1.88K`: from 1000 on zpool rounds, in powers of 1024."""
    found = _COUNT.fullmatch(text or "")
    if found is None:
        return None
    factor = 1 if not found[3] else 1024 ** _FACTORS[found[3]]
    return round(float(f"{found[1]}.{found[2] or 0}") * factor) if found[2] else int(found[1]) * factor


def _from_devices(devices: list[_Device]) -> dict[str, Any]:
    """What the table says. Errors are added up over the devices that hold no others, for a mirror repeats its disks';
    those of a whole group that no disk is blamed for stand only in the group's line."""
    if not devices:
        return {}
    following = [*devices[1:], None]
    leaves = [one for one, after in zip(devices, following, strict=True) if not after or after.depth <= one.depth]
    bad = [f"{one.name} {one.state}" for one in leaves if one.state is not None and one.state not in _WELL]
    totals = [_total(devices, leaves, column) for column in range(3)]
    return present(
        bad_devices=bad,
        read_errors=totals[0],
        write_errors=totals[1],
        checksum_errors=totals[2],
        spares_available=sum(one.group == "spares" and one.state == "AVAIL" for one in devices),
    )


def _total(devices: list[_Device], leaves: list[_Device], column: int) -> int | None:
    said = [count for one in devices if (count := one.counts[column]) is not None]
    return max([*said, sum(one.counts[column] or 0 for one in leaves)]) if said else None


def _lost(section: _Section) -> int | None:
    said = section.first.get("errors")
    if said is None:
        return None
    if said.startswith("No known data errors"):
        return 0
    if (counted := _LOST.search(said)) is not None:
        return int(counted[1])
    return len(section.more["errors"]) or None if said.startswith("Permanent errors") else None


def _scanned(scan: str, now: datetime | None) -> dict[str, Any]:
    if not scan:
        return {}
    running = next((kind for kind in ("scrub", "resilver") if f"{kind} in progress" in scan), "")
    done = _DONE.search(scan)
    facts = present(scan=scan[:300], scanning=running, scan_percent=decimal(done[1]) if running and done else None)
    if scan.startswith("none requested"):
        return facts | {"scrubbed": False}
    if not scan.startswith(("scrub repaired", "scrub completed")):
        return facts
    unrepaired, ended = _UNREPAIRED.search(scan), _ended(scan)
    age = (now - ended).total_seconds() / 3600 if now is not None and ended is not None else None
    return facts | present(
        scrubbed=True,
        scrub_errors=int(unrepaired[1]) if unrepaired else None,
        scrub_age_hours=round(max(age, 0.0), 1) if age is not None and age > -24 else None,
    )


def _ended(scan: str) -> datetime | None:
    found = _DATE.search(scan)
    if found is None:
        return None
    text = f"{' '.join(found[1].split())} {found[2]}"
    try:
        return datetime.strptime(text, "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    except ValueError:
        return None


# --- JSON ------------------------------------------------------------------------------------------------------------


def pools_of_json(value: Any) -> dict[str, dict[str, Any]] | None:
    """The facts of every pool of zpool status -j or zpool list -j; None for JSON of another kind."""
    pools = value.get("pools") if isinstance(value, dict) else None
    if not isinstance(pools, dict):
        return None
    return {name: _from_json(name, pool) for name, pool in pools.items() if isinstance(pool, dict) and name}


def _from_json(name: str, pool: Mapping[str, Any]) -> dict[str, Any]:
    state = pool.get("state") if isinstance(pool.get("state"), str) else None
    message = " ".join(str(pool.get("status") or "").split())
    vdevs = pool.get("vdevs")
    devices = list(_json_devices(vdevs, 0)) if isinstance(vdevs, dict) else []
    lost = pool.get("error_count")
    facts = present(
        state=state,
        message=message[:300] or None,
        suspended=state == "SUSPENDED" or "suspended" in message.lower() if state else None,
        data_errors=lost if isinstance(lost, int) and not isinstance(lost, bool) else integer(str(lost or "")),
    )
    return facts | _from_devices(devices) | _json_scan(pool.get("scan_stats")) | _json_room(pool.get("properties"))


def _json_devices(vdevs: Mapping[str, Any], depth: int) -> Iterator[_Device]:
    if depth > 8:
        return
    for name, vdev in vdevs.items():
        if not isinstance(vdev, dict):
            continue
        counts = [_count(str(vdev.get(key, ""))) for key in ("read_errors", "write_errors", "checksum_errors")]
        state = vdev.get("state")
        yield _Device(name, state if isinstance(state, str) else None, (counts[0], counts[1], counts[2]), depth)
        if isinstance(inner := vdev.get("vdevs"), dict):
            yield from _json_devices(inner, depth + 1)


def _json_scan(scan: Any) -> dict[str, Any]:
    if not isinstance(scan, dict):
        return {}
    function, state = str(scan.get("function") or "").lower(), str(scan.get("state") or "").lower()
    running = function if state in ("scanning", "in_progress") and function in ("scrub", "resilver") else ""
    errors = integer(str(scan.get("errors") or ""))
    facts: dict[str, Any] = {"scan": f"{function} {state}".strip(), "scanning": running}
    if function == "scrub" and state == "finished":
        facts |= present(scrubbed=True, scrub_errors=errors)
    return facts


def _json_room(properties: Any) -> dict[str, Any]:
    def value(name: str) -> str:
        one = properties.get(name) if isinstance(properties, dict) else None
        return str(one.get("value") or "") if isinstance(one, dict) else ""

    return present(
        size_bytes=integer(value("size")),
        allocated_bytes=integer(value("allocated")),
        free_bytes=integer(value("free")),
        fragmentation_percent=integer(value("fragmentation").removesuffix("%")),
        capacity_percent=integer(value("capacity").removesuffix("%")),
    )
