"""What apt would do: `apt-get -s` and `--print-uris` (apt-get(8)), `apt-cache madison` (apt-cache(8)), of apt 1 to 3.

Simulations use no network and take no lock; the empty names of the package caches keep those in memory.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import NotMeasured, Part, UnreadableAnswer
from maintops.probes.answering import LONGEST_REMARK, integer, present
from maintops.probes.held_packages import POLICIES

QUESTION = r"""
plain='-q -o Debug::NoLocking=true -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache='
simulate() { apt-get -s $plain "$@" 2>&1; }
@policies@
bytes() {
  uris=$(apt-get -q $plain --print-uris "$@" 2>/dev/null) || return
  printf '%s\n' "$uris" | awk '/^\047/ { size += $3 } END { printf "%.0f\n", size }'
}
# the names of packages with an update: all of them, or those whose candidate comes from a suite for security
names() {
  printf '%s\n' "$said" | awk -v kind="$1" '
    !/^Inst / || $2 !~ /^[a-z0-9][a-z0-9+.:-]*$/ { next }
    { origin = $0; sub(/^[^(]*\(/, "", origin); sub(/\).*/, "", origin) }
    kind == "security" && tolower(origin) !~ /-security([^a-z]|$)/ { next }
    kind == "known" && $3 !~ /^\[/ { next }
    { print $2 }'
}
apt_answer() {
  part refreshed newest /var/lib/apt/lists /var/lib/apt/lists/partial /var/lib/apt/periodic/update-success-stamp
  part lists exists /var/lib/apt/lists/*Release /var/lib/apt/lists/*_Packages*
  part holds sh -c 'dpkg --get-selections | grep -E "[[:space:]]hold$"'
  said=$(simulate dist-upgrade)
  status=$?
  part upgrade again
  part policies policies $(kept)
  case $update in
    all) set -- dist-upgrade ;;
    security) set -- $(names security) ;;
  esac
  [ "$update" = all ] || [ $# = 0 ] || {
    set -- install --only-upgrade "$@"
    said=$(simulate "$@")
    status=$?
    part simulated again
  }
  [ $# = 0 ] || {
    part bytes bytes "$@"
    set -- $(names known)
    [ $# = 0 ] || part madison apt-cache $plain madison "$@"
  }
}
""".replace("@policies@", POLICIES.strip())
"""sh functions: `apt_answer PACKAGE…` prints the parts holds, upgrade, policies, simulated, bytes and madison; needs
$update."""

_INSTALLED = re.compile(r"Inst (\S+)(?: \[([^\]\s]+)\])? \((\S+) (.*)\[([a-z0-9-]+)\]\).*")
_REMOVED = re.compile(r"(?:Remv|Purg) (\S+)(?: \[.*)?")
_SUMMARY = re.compile(r"(?m)^(?:[0-9]+ upgraded, [0-9]+ newly installed|Summary:)")
_SECURITY = re.compile(r"-security\b", re.IGNORECASE)
_KERNEL = re.compile(r"linux-image-(?:unsigned-)?[0-9]\S*")


def read(found: Mapping[str, Part], update: str) -> dict[str, Any] | NotMeasured:
    """The facts that apt alone gives: packages, removals, bytes, reinstallable."""
    if found["upgrade"].status != 0:
        return _refused(found["upgrade"])
    if found.get("lists", Part(1, b"")).status != 0:
        return NotMeasured("apt has no package lists: they were never fetched")
    simulated = found["upgrade"] if update == "all" else found.get("simulated")
    if simulated is None:  # nothing of what was asked for waits
        return {"packages": [], "removals": [], "bytes": 0, "reinstallable": []}
    if simulated.status != 0:
        return _refused(simulated)
    if not _SUMMARY.search(simulated.text):
        raise UnreadableAnswer("the simulation of apt ends without its summary")
    packages, removals = _packages(simulated.text)
    return present(
        packages=packages,
        removals=removals,
        bytes=_bytes(found.get("bytes")),
        reinstallable=_reinstallable(found.get("madison"), packages),
    )


def kernels(names: list[str]) -> int:
    """How many of some packages are kernels with an image and an initrd of their own."""
    return sum(_KERNEL.fullmatch(name) is not None for name in names)


def _refused(part: Part) -> NotMeasured:
    said = [line for line in part.text.split("\n") if line.startswith("E: ")] or part.text.strip().split("\n")
    return NotMeasured(f"apt cannot simulate the update: {said[0].removeprefix('E: ')[:LONGEST_REMARK] or 'no word'}")


def _packages(text: str) -> tuple[list[dict[str, Any]], list[str]]:
    packages: dict[str, dict[str, Any]] = {}
    removals: dict[str, None] = {}
    for line in text.split("\n"):
        if (match := _INSTALLED.fullmatch(line)) is not None:
            name, old, new, origins, arch = match.groups()
            source = origins.strip()
            security = _SECURITY.search(source) is not None
            packages[name] = {"name": name, "from": old, "to": new, "arch": arch, "security": security} | {
                "source": source
            }
        elif (match := _REMOVED.fullmatch(line)) is not None:
            removals[match[1]] = None
        elif line.startswith(("Inst ", "Remv ", "Purg ")):
            raise UnreadableAnswer(f"not a line of a simulation of apt: {line[:80]!r}")
    return [packages[name] for name in sorted(packages)], [name for name in removals if name not in packages]


def _bytes(part: Part | None) -> int | None:
    return integer(part.text) if part is not None and part.status == 0 else None


def _reinstallable(part: Part | None, packages: list[dict[str, Any]]) -> list[str] | None:
    known = [one for one in packages if one["from"] is not None]
    if not known:
        return []
    if part is None or part.status != 0:
        return None
    rows = ([column.strip() for column in line.split("|")] for line in part.text.split("\n"))
    offered = {(row[0], row[1]) for row in rows if len(row) == 3 and not row[2].endswith(" Sources")}
    return [one["name"] for one in known if (one["name"].partition(":")[0], one["from"]) in offered]
