"""Which local file systems are mounted read-only: most often a kernel's answer to a disk that fails."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts
from maintops.probes.answering import refusal, text_of
from maintops.probes.contract import Fact, Parameter, Presence, Probe
from maintops.probes.file_systems import NOTHING_MOUNTED
from maintops.probes.mounts import Mount, for_every_local_mount, local_mounts
from maintops.probes.recorded import as_it_is, field, recording_of, silence

_BODY = r"""printf '%s %s %s %s\n' "$device" "$point" "$type" "$options" """.strip()

_MOUNTS = re.compile(r"\S+ /\S* \S+ (?:rw|ro)\b\S*(?: [0-9]+ [0-9]+)?")
_MOUNT = re.compile(r"(.+) on (/.*) type (\S+) \(([^()]*)\)(?: \[.*\])?")
_MOUNT_INFO = re.compile(r"[0-9]+ [0-9]+ [0-9]+:[0-9]+ \S+ (/\S*) (\S+)(?: \S+:\S+)* - (\S+) (\S+) (\S+)")
_FINDMNT = re.compile(r"[^/\w]*(/.*?) +(\S+) +([a-z][\w.]*) +((?:rw|ro)\b\S*)")


def question(parameters: Mapping[str, Any]) -> str:
    """The lines of /proc/mounts that speak of local file systems."""
    return for_every_local_mount(_BODY)


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject per mount point, read-only or not."""
    if answer.status == 0 and not answer.stdout.strip():
        return NotMeasured(NOTHING_MOUNTED)
    if (why := silence(answer) or refusal(answer)) is not None:
        return why
    expected = _expected(parameters)
    mounts = local_mounts(line for line in text_of(answer).split("\n") if line)
    if not mounts:
        return NotMeasured(NOTHING_MOUNTED)
    return Measured(tuple(_subject(mount, expected) for mount in mounts))


def _subject(mount: Mount, expected: frozenset[str]) -> SubjectFacts:
    facts = {
        "read_only": "ro" in mount.options,
        "expected": mount.point in expected,
        "device": mount.device,
        "fs_type": mount.type,
    }
    return SubjectFacts(mount.point, facts)


def _expected(parameters: Mapping[str, Any]) -> frozenset[str]:
    named = parameters.get("expected_read_only") or ()
    several = named if isinstance(named, list | tuple) else (named,)
    return frozenset(str(one) for one in several)


def _proc_mounts(text: str) -> Answer | None:
    lines = [line for line in text.split("\n") if line.strip()]
    return as_it_is("\n".join(lines) + "\n") if all(map(_MOUNTS.fullmatch, lines)) else None


def _mount(text: str) -> Answer | None:
    """`mount` without arguments."""
    lines = [line.rstrip() for line in text.split("\n") if line.strip()]
    found = [match for match in map(_MOUNT.fullmatch, lines) if match is not None]
    return _made([match.groups() for match in found]) if len(found) == len(lines) else None


def _mount_info(text: str) -> Answer | None:
    """/proc/self/mountinfo: what is mounted is read-only where the mount is, or the file system."""
    lines = [line.rstrip() for line in text.split("\n") if line.strip()]
    found = [match for match in map(_MOUNT_INFO.fullmatch, lines) if match is not None]
    if len(found) < len(lines):
        return None
    rows = [f"{m[4]} {m[1]} {m[3]} {'ro,' * m[5].startswith('ro')}{m[2]}\n" for m in found]
    return as_it_is("".join(rows))


def _findmnt(text: str) -> Answer | None:
    """`findmnt`: TARGET SOURCE FSTYPE OPTIONS, as a tree or a list."""
    lines = [line.rstrip() for line in text.split("\n") if line.strip()]
    found = [match for match in map(_FINDMNT.fullmatch, lines) if match is not None]
    heads = [line for line in lines if line.split() == ["TARGET", "SOURCE", "FSTYPE", "OPTIONS"]]
    if not found or len(found) + len(heads) < len(lines):
        return None
    return _made([(match[2].partition("[")[0], match[1], match[3], match[4]) for match in found])


def _made(rows: list[tuple[str, ...]]) -> Answer:
    return as_it_is("".join(f"{' '.join(map(field, row))}\n" for row in rows))


PROBE = Probe(
    name="read-only-mounts",
    title="Which local file systems are mounted read-only",
    facts={
        "read_only": Fact("bool", "whether nothing can be written to it"),
        "expected": Fact("bool", "whether the parameter expected_read_only names its mount point"),
        "device": Fact("str", "what is mounted here"),
        "fs_type": Fact("str", "the type of the file system, such as ext4"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    recording=recording_of("/proc/mounts or output of mount or findmnt", _proc_mounts, _mount, _mount_info, _findmnt),
    parameters={"expected_read_only": Parameter([], "mount points that are meant to be read-only")},
)
