"""Software RAID arrays, from /proc/mdstat and the kernel's files beside it; a recording can be mdadm's output too.

Format: Documentation/admin-guide/md.rst and drivers/md/md.c of Linux.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import decimal, integer, present, refusal, remark, text_of
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.mdraid_mdadm import is_mdadm, read_mdadm

_ARRAY = re.compile(r"^(md\S*) : (active|inactive|broken)\b *(.*)$")
_MODE = re.compile(r"^\((read-only|auto-read-only)\) *")
_MEMBER = re.compile(r"^(\S+?)\[[0-9]+\]((?:\([A-Z]\))*)$")
_COUNTS = re.compile(r"\[([0-9]{1,6})/([0-9]{1,6})\]")
_ACTION = re.compile(
    r"\b(resync|recovery|reshape|check|repair|rebuild)\s*=\s*(?:([0-9.]{1,9})%|(DELAYED|PENDING|REMOTE))"
)
_CONTAINER = re.compile(r"super external:(?!/)")
_SYSFS = re.compile(r"^/sys/block/(md[^/]*)/md/([a-z_]+):(.*)$")
_BEGINNING = re.compile(r"^Personalities\b", re.MULTILINE)
_REDUNDANCY = frozenset({"degraded", "devices", "working", "missing", "mismatches"})
_NOT_IN_MDSTAT = frozenset({"states", "role", "events", "checksum_correct"})
_PLAIN = ("raid0", "linear", "faulty")
"""Levels that can lose no disk and go on: the kernel gives no counts for them."""


_QUESTION = """cat /proc/mdstat
status=$?
grep -sH . /sys/block/md*/md/mismatch_cnt
exit $status
"""


def question(parameters: Mapping[str, Any]) -> str:
    """The whole file, and what the latest check of each array found."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject per array. The md driver without any array is measured: there is none.

    A container of a firmware RAID, which the kernel always calls inactive, is no array: it holds the disks of some.
    """
    if answer.status == 1 and not answer.stdout and "No such file" in remark(answer):
        return NotMeasured("this kernel has no md driver loaded: there is no /proc/mdstat")
    if (why := refusal(answer)) is not None:
        return why
    text = text_of(answer)
    if is_mdadm(text):
        return read_mdadm(text)
    if "Personalities" not in text.partition("\n")[0]:
        raise UnreadableAnswer("the answer is not /proc/mdstat: it does not begin with the personalities")
    mismatches = {found[1]: integer(found[3]) for line in text.split("\n") if (found := _SYSFS.match(line))}
    arrays = [block for block in _blocks(text) if not _CONTAINER.search(block[3])]
    return Measured(tuple(_subject(*block, mismatches.get(block[0])) for block in arrays))


def recording(output: bytes) -> Answer:
    """What `cat /proc/mdstat` or mdadm printed, without the prompt before it. Raises UnreadableAnswer for others."""
    text = output.decode("utf-8", "replace").replace("\r\n", "\n")
    begin = _BEGINNING.search(text)
    if begin is None and not is_mdadm(text):
        raise UnreadableAnswer(
            "this is neither /proc/mdstat (Personalities …) nor output of mdadm --detail, --examine or --query"
        )
    return Answer((text[begin.start() :] if begin else text).encode())


def _blocks(text: str) -> list[tuple[str, str, str, str]]:
    """Name, state, rest of the first line and the indented lines of every array."""
    found: dict[str, tuple[str, str, str, str]] = {}
    name = ""
    for line in text.split("\n")[1:]:
        if (array := _ARRAY.match(line)) is not None:
            name = array[1]
            found[name] = (name, array[2], array[3], "")
        elif name and line[:1] in (" ", "\t"):
            found[name] = (*found[name][:3], found[name][3] + line + "\n")
        elif line.strip() and not line.startswith("unused devices") and not _SYSFS.match(line):
            raise UnreadableAnswer(f"this is not a line of /proc/mdstat: {line[:80]!r}")
    return list(found.values())


def _subject(name: str, state: str, rest: str, details: str, mismatches: int | None) -> SubjectFacts:
    mode = _MODE.match(rest)
    words = rest[mode.end() :].split() if mode else rest.split()
    members = [found for word in words if (found := _MEMBER.match(word))]
    level = words[0] if words and not _MEMBER.match(words[0]) else None
    facts = present(
        kind="array",
        state=state,
        level=level,
        read_only=mode is not None and mode[1] == "read-only",
        members=sorted(one[1] for one in members),
        failed=sum("(F)" in one[2] for one in members),
        spares=sum("(S)" in one[2] for one in members),
        mismatches=mismatches if level not in _PLAIN else None,
    )
    absent = set(_REDUNDANCY) if level in _PLAIN else set()
    counts = _COUNTS.search(details)
    if counts and not absent:
        facts |= _counted(int(counts[1]), int(counts[2]))
    action, missing = _action(details)
    return SubjectFacts(name, facts | action, frozenset(absent | missing | _NOT_IN_MDSTAT))


def _counted(devices: int, working: int) -> dict[str, object]:
    missing = max(devices - working, 0)
    return {
        "devices": devices,
        "working": working,
        "missing": missing,
        "degraded": missing > 0,
    }


def _action(details: str) -> tuple[dict[str, object], set[str]]:
    """What is being done to the array; an array at rest has neither an action nor its progress."""
    found = _ACTION.search(details)
    if found is None:
        return {}, {"action", "resync_percent"}
    if found[3]:
        return {"action": f"{found[1]} {found[3].lower()}"}, {"resync_percent"}
    return present(action=found[1], resync_percent=decimal(found[2])), set()


PROBE = Probe(
    name="mdraid",
    title="Software RAID arrays",
    facts={
        "kind": Fact("str", "array; in recordings of mdadm also member (one device of an array) and container"),
        "state": Fact("str", "active, inactive or broken"),
        "level": Fact("str", "raid1, raid5, …; an inactive array does not say"),
        "read_only": Fact("bool", "whether the array was set read-only (not: waiting for its first write)"),
        "members": Fact("list", "names of the devices that are in it"),
        "devices": Fact("int", "how many devices it should have"),
        "working": Fact("int", "how many of them work"),
        "missing": Fact("int", "how many of them do not work or are not there"),
        "failed": Fact("int", "devices that are in it and marked as failed"),
        "spares": Fact("int", "devices that wait to step in"),
        "degraded": Fact("bool", "whether it runs with fewer devices than it should have"),
        "mismatches": Fact("int", "sectors in which the copies differed at the latest check; 0 before the first one"),
        "states": Fact("list", "mdadm's own words: clean, degraded, recovering, …; only in recordings of mdadm"),
        "role": Fact("str", "what a device is in its array: Active device 0, spare, …; of members only"),
        "events": Fact("int", "changes of the array that a device or array knows of; only in recordings of mdadm"),
        "checksum_correct": Fact("bool", "whether a device's description of its array is whole; of members only"),
        "action": Fact("str", "resync, recovery, reshape, check, …; not offered while the array is at rest"),
        "resync_percent": Fact("float", "how far that is; not offered while it waits or rests", "percent"),
    },
    question=question,
    read=read,
    presence=Presence.LASTING,
    recording=recording,
)
