"""What an update would do right now, as far as the server's own package lists know: nothing is fetched or changed.

apt and dnf are asked (pending_updates_apt, pending_updates_dnf); held packages are read as the probe held-packages
reads them. Versions are written as in the fact `packages` of the probe server-state, so that a plan can pin them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import (
    Answer,
    Measured,
    NotMeasured,
    Part,
    Reading,
    Skipped,
    SubjectFacts,
    UnreadableAnswer,
)
from maintops.errors import UsageError
from maintops.probes import held_packages, pending_updates_apt, pending_updates_dnf
from maintops.probes.answering import integer, named_parts, present
from maintops.probes.contract import Fact, Parameter, Presence, Probe

UPDATES = ("all", "security", "list")
"""What can be asked for; `list` means the packages of the parameter `packages`."""

_QUESTION = r"""
exists() { for file in "$@"; do [ -e "$file" ] && echo yes && return; done; return 1; }
newest() { for file in "$@"; do [ -e "$file" ] && stat -c %Y "$file"; done | sort -n | tail -n 1; }
has() { command -v "$1" >/dev/null 2>&1; }
images() { set -- /boot/*"$(uname -r)"*; [ -e "$1" ] || return 0; stat -L -c '%s %n' "$@"; }
update=@update@
part now date +%s
if [ -s /var/lib/dpkg/status ] && has apt-get; then
@apt@
  apt_answer @packages@
elif has dnf || has dnf5 || has yum; then
  if has dnf; then tool=dnf; elif has dnf5; then tool=dnf5; else tool=yum; fi
@dnf@
  dnf_answer @packages@
elif has zypper; then part zypper :
fi
part images images
part disk df -P -k /boot
part end :
"""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.:_~^=-]{0,199}")
_DISK = re.compile(r"\S+\s+[0-9]{1,15}\s+[0-9]{1,15}\s+(-?[0-9]{1,15})\s+\S+\s+/boot\s*")
_IMAGE = re.compile(r"([0-9]{1,15}) /boot/(vmlinuz|vmlinux|Image|initrd|initramfs)?.*")
_BOOT = frozenset({"boot_free_bytes", "boot_needed_bytes"})


def question(parameters: Mapping[str, Any]) -> str | Skipped:
    """The package manager's own simulation. Raises UsageError for an update that does not exist, and for a name that
    is no package's."""
    update, packages = _update(parameters), _packages(parameters)
    if update == "list" and not packages:
        return Skipped("no packages are listed to be updated: set the parameter packages")
    words = {
        "update": update,
        "apt": pending_updates_apt.QUESTION.strip(),
        "dnf": pending_updates_dnf.QUESTION.strip(),
        "packages": " ".join(map(shlex.quote, packages)) if update == "list" else "",
    }
    text = _QUESTION
    for mark, word in words.items():
        text = text.replace(f"@{mark}@", word)
    return text


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    found = named_parts(answer)
    if "end" not in found:
        raise UnreadableAnswer("the answer about pending updates is not whole")
    if "upgrade" in found:
        manager, kernels = "apt", pending_updates_apt.kernels
        facts = pending_updates_apt.read(found, str(parameters.get("update", "all")))
    elif "transaction" in found:
        manager, kernels = "dnf", pending_updates_dnf.kernels
        facts = pending_updates_dnf.read(found)
    else:
        return NotMeasured(_why_not(found))
    if isinstance(facts, NotMeasured):
        return facts
    new_kernels = kernels([one["name"] for one in facts["packages"]])
    offered = frozenset() if manager == "apt" else frozenset({"phased"})
    boot = _boot(found, new_kernels)
    missing = frozenset(_BOOT) if boot is None else frozenset[str]()
    facts = {"manager": manager} | facts | _held(answer) | present(lists_age_hours=_age(found)) | (boot or {})
    return Measured((SubjectFacts(None, facts, offered | missing),))


def _update(parameters: Mapping[str, Any]) -> str:
    update = str(parameters.get("update", "all"))
    if update not in UPDATES:
        raise UsageError(f"the parameter update is {update[:80]!r}; it can be {', '.join(UPDATES)}")
    return update


def _packages(parameters: Mapping[str, Any]) -> list[str]:
    packages = parameters.get("packages") or []
    names = [packages] if isinstance(packages, str) else [str(one) for one in packages]
    for name in names:
        if _NAME.fullmatch(name) is None:
            raise UsageError(f"{name[:80]!r} in the parameter packages is not a package's name, or NAME=VERSION")
    return names


def _why_not(found: Mapping[str, Part]) -> str:
    if "zypper" in found:
        return "zypper's updates are not simulated: the probe security-updates lists them"
    return "no package manager that maintops can simulate: apt or dnf"


def _held(answer: Answer) -> dict[str, Any]:
    """What is held, phased and kept back; the last two of apt alone. That dnf skips packages is in its own table."""
    reading = held_packages.read(answer, {})
    if not isinstance(reading, Measured):
        return {}
    held = reading.subjects[0].facts
    return {name: held[name] for name in ("held", "phased", "kept_back") if name in held}


def _age(found: Mapping[str, Part]) -> float | None:
    now, refreshed = (integer(found[name].text) if name in found else None for name in ("now", "refreshed"))
    return None if now is None or refreshed is None else round((now - refreshed) / 3600, 1)


def _boot(found: Mapping[str, Part], new_kernels: int) -> dict[str, Any] | None:
    """What is free in /boot, and what new kernels need there: each as much as the files of the one that runs, and a
    fifth more. None where /boot is no file system of its own: what is free in / is another check's business."""
    lines = found["disk"].text.split("\n") if "disk" in found else []
    disk = next((match for match in map(_DISK.fullmatch, lines) if match), None)
    if disk is None:
        return None
    files = found["images"].text.split("\n") if "images" in found else []
    images = [match for match in map(_IMAGE.fullmatch, files) if match]
    size = sum(int(image[1]) for image in images) if any(image[2] for image in images) else None
    needed = 0 if new_kernels == 0 else None if size is None else new_kernels * size * 6 // 5
    return present(boot_free_bytes=max(int(disk[1]), 0) * 1024, boot_needed_bytes=needed)


PROBE = Probe(
    name="pending-updates",
    title="What an update would do",
    facts={
        "manager": Fact("str", "the package manager that was asked: apt or dnf (also yum)"),
        "packages": Fact(
            "list",
            "packages that would be installed, each with name, from (null: newly installed; unknown where a database of"
            " RPM has it twice), to, arch, source and security (not there where the repositories have no advisories)",
        ),
        "removals": Fact("list", "names of packages that would be taken away"),
        "held": Fact("list", "names of packages that somebody holds"),
        "phased": Fact("list", "names of packages that apt defers because their update is phased; not offered by dnf"),
        "kept_back": Fact("list", "names of packages that a full update would leave as they are"),
        "bytes": Fact("int", "what would be downloaded; dnf says it rounded", "bytes"),
        "lists_age_hours": Fact("float", "age of the package lists that this is taken from", "hours"),
        "reinstallable": Fact("list", "names of packages whose present version the package lists still offer"),
        "boot_free_bytes": Fact("int", "what is free in /boot; not offered where it is no file system", "bytes"),
        "boot_needed_bytes": Fact("int", "what new kernels would need there, estimated", "bytes"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    parameters={
        "update": Parameter("all", f"what to update: {', '.join(UPDATES)} (what the parameter packages names)"),
        "packages": Parameter([], "names of packages, or NAME=VERSION, for the update list"),
    },
)
