"""How the kernel orders the requests to each disk: the files of /sys/block/DEVICE/queue (queue-sysfs.rst of Linux)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import integer, present, printed_files, refusal
from maintops.probes.contract import Fact, Presence, Probe

# Loops, memory disks, optical and floppy drives are left out, and what stands on other devices (md, dm).
_QUESTION = """\
for disk in /sys/block/*; do
  case ${disk##*/} in loop*|ram*|zram*|sr[0-9]*|fd[0-9]*|md[0-9]*|dm-*|nbd*|drbd*|rbd*) continue ;; esac
  [ -d "$disk/queue" ] && set -- "$@" "$disk/queue/scheduler" "$disk/queue/rotational" "$disk/queue/nr_requests" \\
    "$disk/queue/read_ahead_kb" "$disk/device/vendor" "$disk/device/model"
done
[ $# = 0 ] && exit 0
grep -sH . "$@"
exit 0
"""
_FILE = re.compile(r"/sys/block/([^/:]{1,64})/(?:queue|device)/([a-z_]+)")
_CHOSEN = re.compile(r"\[([a-z-]+)\]")
_VIRTUAL = re.compile(r"(?i)qemu|vmware|msft|vbox|google|xen|amazon elastic|red hat|virtio|nutanix")
_ARRAY = re.compile(r"(?i)perc|raid|logical volume|smart array|\bmr[0-9]{3,4}|\blogical\b|lun|virtual.disk")


def question(parameters: Mapping[str, Any]) -> str:
    """Scheduler, kind and queue of every disk."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject per disk, by its device: /dev/sda."""
    if not answer.stdout.strip() and answer.status == 0:
        return NotMeasured("this machine has no disk of its own whose requests the kernel orders")
    if (why := refusal(answer)) is not None:
        return why
    disks: dict[str, dict[str, str]] = {}
    for path, content in printed_files(answer).items():
        if (match := _FILE.fullmatch(path)) is None:
            raise UnreadableAnswer(f"not a file of /sys/block: {path[:80]!r}")
        disks.setdefault(match[1], {})[match[2]] = content.strip()
    return Measured(tuple(_subject(name.replace("!", "/"), files) for name, files in disks.items()))


def _subject(name: str, files: Mapping[str, str]) -> SubjectFacts:
    text = files.get("scheduler", "")
    offered = text.replace("[", "").replace("]", "").split()
    chosen = _CHOSEN.search(text)
    rotational = {"0": False, "1": True}.get(files.get("rotational", ""))
    facts = present(
        scheduler=chosen[1] if chosen else "none" if offered == ["none"] else None,
        available=offered or None,
        rotational=rotational,
        kind=_kind(name, files, rotational),
        queue_requests=integer(files.get("nr_requests")),
        read_ahead_kib=integer(files.get("read_ahead_kb")),
        model=" ".join(filter(None, (files.get("vendor"), files.get("model")))) or None,
    )
    return SubjectFacts(f"/dev/{name}", facts, frozenset({"model"} - facts.keys()))


def _kind(name: str, files: Mapping[str, str], rotational: bool | None) -> str | None:
    """A virtual disk and an array of a RAID controller say of rotation whatever they like."""
    model = f"{files.get('vendor', '')} {files.get('model', '')}"
    if name.startswith(("vd", "xvd")):
        return "virtual"
    if name.startswith("nvme"):
        return "nvme"
    if _VIRTUAL.search(model):
        return "virtual"
    if _ARRAY.search(model):
        return "array"
    return {True: "hdd", False: "ssd"}.get(rotational) if rotational is not None else None


PROBE = Probe(
    name="io-schedulers",
    title="I/O schedulers of the disks",
    facts={
        "scheduler": Fact("str", "the one in use: none, noop, mq-deadline, deadline, bfq, kyber, cfq"),
        "available": Fact("list", "the ones that the running kernel has"),
        "kind": Fact("str", "nvme, ssd, hdd, array (of a RAID controller) or virtual"),
        "rotational": Fact("bool", "what the disk says of itself"),
        "queue_requests": Fact("int", "requests that can wait", "requests"),
        "read_ahead_kib": Fact("int", "what is read in advance", "KiB"),
        "model": Fact("str", "maker and model; not offered where the disk has none"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
)
