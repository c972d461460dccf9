"""How full the local file systems are: `df -P -k` of every one of them, its format given by POSIX."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Part, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import decimal, named_parts, percent, present, refusal
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.df_tables import ROUNDED, UNKNOWN, recorded_table
from maintops.probes.mounts import for_every_local_mount, is_local, mount_of
from maintops.probes.recorded import RECORDED, recording_of, silence

_BODY = 'part "$device $point $type $options" df -P -k "$path"'
_FIGURES = re.compile(r"\s([0-9]{1,17})\s+([0-9]{1,17})\s+(-?[0-9]{1,17})\s+(?:[0-9]+%|-)\s+/")
_ROUNDED = re.compile(rf"{ROUNDED} (?:([0-9]{{1,9}})%|-)\n")

NOTHING_MOUNTED = "no local file system is mounted here"


def question(parameters: Mapping[str, Any]) -> str:
    """One `df` per local file system, so that none of the others can hang or spoil the answer."""
    return for_every_local_mount(_BODY)


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject per mount point."""
    if answer.status == 0 and not answer.stdout.strip():
        return NotMeasured(NOTHING_MOUNTED)
    if (why := silence(answer) or refusal(answer)) is not None:
        return why
    subjects: dict[str, SubjectFacts] = {}
    for name, part in named_parts(answer).items():
        if name == RECORDED:
            continue
        mount = mount_of(name)
        if is_local(mount):
            subjects[mount.point] = _subject(mount.point, mount.device, mount.type, part)
    return Measured(tuple(subjects.values())) if subjects else NotMeasured(NOTHING_MOUNTED)


def _recorded(text: str) -> Answer | None:
    return recorded_table(text, inodes=False)


def _subject(point: str, device: str, kind: str, part: Part) -> SubjectFacts:
    named = present(device=device, fs_type=None if kind == UNKNOWN else kind)
    if (rounded := _ROUNDED.fullmatch(part.text)) is not None:
        return SubjectFacts(point, named | present(used_percent=decimal(rounded[1])))
    found = _FIGURES.search(part.text.partition("\n")[2])
    if found is None and part.status != 0:
        return SubjectFacts(point, why_not=f"df says nothing about it (exit status {part.status})")
    if found is None:
        raise UnreadableAnswer(f"df says of {point} what is not in the format of POSIX")
    size, used, available = (int(figure) * 1024 for figure in found.groups())
    available = max(available, 0)
    full = percent(used, used + available)
    facts = present(
        size_bytes=size,
        used_bytes=used,
        available_bytes=available,
        used_percent=full,
    )
    return SubjectFacts(point, named | facts, frozenset({"used_percent"} if full is None else ()))


PROBE = Probe(
    name="file-systems",
    title="How full the local file systems are",
    facts={
        "device": Fact("str", "what is mounted here"),
        "fs_type": Fact("str", "the type of the file system, such as ext4"),
        "size_bytes": Fact("int", "its size", "bytes"),
        "used_bytes": Fact("int", "what is used of it", "bytes"),
        "available_bytes": Fact("int", "what an ordinary user can still write", "bytes"),
        "used_percent": Fact("float", "used of what is used and available together, as df counts it", "percent"),
    },
    question=question,
    read=read,
    presence=Presence.LASTING,
    recording=recording_of("a table of df (without -i)", _recorded),
)
