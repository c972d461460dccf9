"""Kernels that are installed beside the one that runs, and what they take: files of /boot and folders of modules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from maintops.domain.answers import (
    Answer,
    Measured,
    NotMeasured,
    Part,
    Reading,
    SubjectFacts,
    UnreadableAnswer,
)
from maintops.probes.answering import integer, named_parts, present
from maintops.probes.contract import Fact, Parameter, Presence, Probe

_QUESTION = """\
existing() { for file in "$@"; do [ -e "$file" ] && set -- "$@" "$file"; shift; done
  [ $# = 0 ] || stat -L -c '%s %n' "$@"; }
modules() { set -- /lib/modules/*/; [ -d "$1" ] || return 0; du -xsk "$@"; }
part kernel uname -r
part files existing /boot/vmlinuz-* /boot/vmlinux-* /boot/Image-* /boot/initrd.img-* /boot/initramfs-* \\
  /boot/initrd-* /boot/config-* /boot/System.map-* /boot/symvers-* /boot/*/*/linux /boot/*/*/initrd
part modules modules
part disk df -P -k /boot
"""
_FILE = re.compile(
    r"([0-9]{1,15}) /boot/(?:(vmlinuz|vmlinux|Image|initrd\.img|initramfs|initrd|config|System\.map|symvers)-)?(.+)"
)
_MODULES = re.compile(r"([0-9]{1,12})\s+/lib/modules/([^/]+)/?")
_KERNEL = re.compile(r"[0-9][A-Za-z0-9._+~-]{0,120}")
_ENDING = re.compile(r"(?:kdump)?(?:\.img|\.gz|\.xz|\.zst|\.old-dkms|\.old|\.bak)+$|(?:kdump)$")
_PIECE = re.compile(r"[0-9]{1,18}|[A-Za-z]+")
_FIGURES = re.compile(r"\s([0-9]{1,15})\s+([0-9]{1,15})\s+(-?[0-9]{1,15})\s+(?:[0-9]+%|-)\s+/")
_IMAGES = ("vmlinuz", "vmlinux", "Image")
_MOST_KEPT = 20


def question(parameters: Mapping[str, Any]) -> str:
    """The files of kernels with their sizes, and the kernel that runs."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    found = named_parts(answer)
    if not {"kernel", "files", "modules"} <= found.keys():
        raise UnreadableAnswer("the answer about kernels is not whole")
    running = found["kernel"].text.strip()
    if _KERNEL.fullmatch(running) is None:
        raise UnreadableAnswer(f"not a kernel's version: {running[:80]!r}")
    images, sizes = _boot(found["files"])
    if not images:
        return NotMeasured("no kernel is installed in /boot: a container, or one that boots another way")
    modules = {match[2]: int(match[1]) * 1024 for match in map(_MODULES.fullmatch, _lines(found["modules"])) if match}
    kernels = sorted(images, key=_order)
    surplus = _surplus(kernels, running, _keep(parameters))
    facts = present(
        running=running,
        kernels=kernels,
        count=len(kernels),
        surplus=surplus,
        surplus_count=len(surplus),
        surplus_boot_bytes=sum(sizes.get(one, 0) for one in surplus),
        surplus_bytes=sum(sizes.get(one, 0) + modules.get(one, 0) for one in surplus),
        boot_bytes=sum(sizes.values()),
    )
    return Measured((SubjectFacts(None, facts | _disk(found.get("disk"))),))


def _boot(part: Part) -> tuple[set[str], dict[str, int]]:
    """The versions that have an image, and what all files of a version take. Rescue images are no kernels to remove."""
    images: set[str] = set()
    sizes: dict[str, int] = {}
    for line in _lines(part):
        match = _FILE.fullmatch(line)
        if match is None:
            raise UnreadableAnswer(f"not a size and a file of /boot: {line[:80]!r}")
        name = match[3] if match[2] else match[3].split("/")[1] if match[3].count("/") == 2 else ""
        version = _ENDING.sub("", name)
        if _KERNEL.fullmatch(version) is None or "rescue" in version:
            continue
        sizes[version] = sizes.get(version, 0) + int(match[1])
        if match[2] in _IMAGES or match[3].endswith("/linux"):
            images.add(version)
    return images, {version: size for version, size in sizes.items() if version in images}


def _surplus(kernels: list[str], running: str, keep: int) -> list[str]:
    """All but the newest few and the one that runs. Kinds (-amd64, -rt-amd64) are not told apart beyond that."""
    return [one for one in kernels[:-keep] if one != running]


def _keep(parameters: Mapping[str, Any]) -> int:
    keep = integer(str(parameters.get("keep", 2)))
    return min(max(keep if keep is not None else 2, 1), _MOST_KEPT)


def _order(version: str) -> list[tuple[int, int, str]]:
    return [(1, int(piece), "") if piece.isdigit() else (0, 0, piece) for piece in _PIECE.findall(version)]


def _disk(part: Part | None) -> dict[str, Any]:
    figures = _FIGURES.search(part.text.partition("\n")[2]) if part is not None else None
    if figures is None:
        return {}
    return {"disk_bytes": int(figures[1]) * 1024, "disk_available_bytes": max(int(figures[3]), 0) * 1024}


def _lines(part: Part) -> Iterator[str]:
    return (line for line in part.text.split("\n") if line.strip())


PROBE = Probe(
    name="old-kernels",
    title="Kernels that are installed",
    facts={
        "running": Fact("str", "version of the kernel that runs"),
        "kernels": Fact("list", "versions that have an image in /boot, the oldest first"),
        "count": Fact("int", "how many there are", "kernels"),
        "surplus": Fact("list", "those beyond the newest few, without the one that runs"),
        "surplus_count": Fact("int", "how many those are", "kernels"),
        "surplus_boot_bytes": Fact("int", "what they take in /boot", "bytes"),
        "surplus_bytes": Fact("int", "what they take in /boot and /lib/modules", "bytes"),
        "boot_bytes": Fact("int", "what the files of all kernels take in /boot", "bytes"),
        "disk_bytes": Fact("int", "size of the file system that /boot lies on", "bytes"),
        "disk_available_bytes": Fact("int", "what is free there", "bytes"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    parameters={"keep": Parameter(2, f"how many of the newest kernels are to stay, 1 to {_MOST_KEPT}")},
)
