"""How many inodes of the local file systems are used: `df -P -i` of every one of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Part, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import decimal, named_parts, percent, present, refusal
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.df_tables import ROUNDED, UNKNOWN, recorded_table
from maintops.probes.file_systems import NOTHING_MOUNTED
from maintops.probes.mounts import Mount, for_every_local_mount, is_local, mount_of
from maintops.probes.recorded import RECORDED, recording_of, silence

_BODY = 'part "$device $point $type $options" df -P -i "$path"'
_FIGURES = re.compile(r"\s([0-9]{1,18}|-)\s+(-?[0-9]{1,18}|-)\s+(-?[0-9]{1,18}|-)\s+(?:[0-9]+%|-)\s+/")
_ROUNDED = re.compile(rf"{ROUNDED} (?:([0-9]{{1,9}})%|-)\n")
_COUNTED = frozenset({"inodes", "inodes_used", "inodes_free", "inodes_used_percent"})


def question(parameters: Mapping[str, Any]) -> str:
    """One `df` per local file system."""
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
            subjects[mount.point] = _subject(mount, part)
    return Measured(tuple(subjects.values())) if subjects else NotMeasured(NOTHING_MOUNTED)


def _recorded(text: str) -> Answer | None:
    return recorded_table(text, inodes=True)


def _subject(mount: Mount, part: Part) -> SubjectFacts:
    named = present(device=mount.device, fs_type=None if mount.type == UNKNOWN else mount.type)
    if (rounded := _ROUNDED.fullmatch(part.text)) is not None:
        return SubjectFacts(mount.point, named | present(inodes_used_percent=decimal(rounded[1])))
    found = _FIGURES.search(part.text.partition("\n")[2])
    if found is None and part.status != 0:
        return SubjectFacts(mount.point, why_not=f"df counts no inodes of it (exit status {part.status})")
    if found is None:
        raise UnreadableAnswer(f"df says of {mount.point} what is not in the format of its -i")
    total, used, free = (0 if figure == "-" else int(figure) for figure in found.groups())
    if total <= 0:  # file systems that make inodes as they need them say 0
        return SubjectFacts(mount.point, named, _COUNTED)
    share = percent(used, total)
    facts = present(inodes=total, inodes_used=used, inodes_free=free, inodes_used_percent=share)
    return SubjectFacts(mount.point, named | facts)


PROBE = Probe(
    name="inodes",
    title="How many inodes of the local file systems are used",
    facts={
        "device": Fact("str", "what is mounted here"),
        "fs_type": Fact("str", "the type of the file system, such as ext4"),
        "inodes": Fact("int", "how many files it can hold; not offered where there is no such bound (btrfs)"),
        "inodes_used": Fact("int", "how many it holds"),
        "inodes_free": Fact("int", "how many more it can hold"),
        "inodes_used_percent": Fact("float", "used of all inodes", "percent"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    recording=recording_of("a table of df -i", _recorded),
)
