"""Which local file systems are mounted read-only: most often a kernel's answer to a disk that fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts
from maintops.probes.answering import refusal, text_of
from maintops.probes.contract import Fact, Parameter, Presence, Probe
from maintops.probes.file_systems import NOTHING_MOUNTED
from maintops.probes.mounts import Mount, for_every_local_mount, local_mounts

_BODY = r"""printf '%s %s %s %s\n' "$device" "$point" "$type" "$options" """.strip()


def question(parameters: Mapping[str, Any]) -> str:
    """The lines of /proc/mounts that speak of local file systems."""
    return for_every_local_mount(_BODY)


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject per mount point, read-only or not."""
    if answer.status == 0 and not answer.stdout.strip():
        return NotMeasured(NOTHING_MOUNTED)
    if (why := refusal(answer)) is not None:
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
    parameters={"expected_read_only": Parameter([], "mount points that are meant to be read-only")},
)
