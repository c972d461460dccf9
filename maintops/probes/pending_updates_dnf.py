"""What dnf would do: the table of `dnf --assumeno upgrade` from its own cache, of dnf 4, dnf 5 and yum 3.

Formats: dnf(8), dnf5(8) (`upgrade`, `updateinfo list`, `repoquery`). Nothing is fetched: `-C` takes the lists as they
are, and what they do not say is not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from maintops.domain.answers import NotMeasured, Part, UnreadableAnswer
from maintops.probes.answering import LONGEST_REMARK, present
from maintops.probes.server_state_packages import QUESTION as INSTALLED
from maintops.probes.server_state_packages import is_kept_besides, packages_of, rpm_name

QUESTION = r"""
simulate() { "$tool" -C --assumeno upgrade "$@" 2>&1; }
again() { printf '%s\n' "$said"; return "$status"; }
lines() { cat "$@" 2>/dev/null | grep -E '^[^#]'; }
excludes() { grep -shE '^(exclude|excludepkgs)[[:space:]]*=' "$@"; }
installed() {
@installed@
}
known() {
  printf '%s\n' "$said" | awk '
    /^[^ ]/ { on = /^(Upgrading|Updating):/ }
    on && /^ [A-Za-z0-9]/ && $1 ~ /^[A-Za-z0-9][A-Za-z0-9+._-]*$/ { print $1 }'
}
dnf_answer() {
  part refreshed newest /var/cache/dnf/*/repodata/* /var/cache/libdnf5/*/repodata/* /var/cache/yum/*/*/*/repomd.xml
  part versionlock lines /etc/dnf/plugins/versionlock.list /etc/yum/pluginconf.d/versionlock.list
  part versionlock5 lines /etc/dnf/versionlock.toml
  part excludes excludes /etc/dnf/dnf.conf /etc/yum.conf /etc/yum.repos.d/*.repo
  for one in "$@"; do
    shift
    case $one in *=*) one=${one%%=*}-${one#*=} ;; esac
    set -- "$@" "$one"
  done
  [ "$update" != security ] || set -- --security
  said=$(simulate "$@")
  status=$?
  part transaction again
  part advisories "$tool" -C -q updateinfo list
  installed
  set -- $(known)
  # dnf 5 ends no line by itself, dnf 4 ends every one; yum has its repoquery elsewhere
  [ $# = 0 ] || [ "$tool" = yum ] ||
    part offered "$tool" -C -q repoquery --qf '%{name} %{epoch}:%{version}-%{release}.%{arch}\n' "$@"
}
""".replace("@installed@", INSTALLED.strip())
"""sh functions: `dnf_answer PACKAGE…` prints the parts versionlock, transaction, advisories, installed packages, …;
needs $tool and $update."""

UNKNOWN = "unknown"
"""The present version of an upgraded package that RPM does not tell: a database in which it is twice."""

LONGEST_LINE = 1000
"""Characters of a line that names a package; what is longer is none."""

_HEADING = re.compile(r"([A-Z][A-Za-z /]+):\s*")
_ROW = re.compile(r" (\S+)\s+(\S+)\s+(\S*[0-9]\S*)\s+(\S+)\s+([0-9.]+) ?([kKMGT]?)i?B?\s*")
_NAME_ALONE = re.compile(r"\n ([A-Za-z0-9]\S*)[ \t]*\n {3,}(?!replacing )(?=\S+ +\S+ +\S+ +[0-9.]+)")
_REPLACING = re.compile(r"\s+replacing\s+(\S+?)(?:\.(?:noarch|[a-z0-9_]{3,12}))?(?:\s+(\S+))?\s+\S*[0-9]\S*.*")
_NEW = frozenset({"Installing", "Installing dependencies", "Installing weak dependencies"}) | {
    *("Installing for dependencies", "Installing group/module packages", "Reinstalling", "Downgrading"),
}
_UPGRADED = frozenset({"Upgrading", "Updating", "Updating for dependencies"})
_SIZE = re.compile(r"(?m)^Total download size: ([0-9.]+) ?([kKMGT]?)|Need to download ([0-9.]+) ([KMGT]?)i?B")
_HERE = re.compile(r"(?m)^Total size: ")
_NOTHING = re.compile(r"(?m)^(?:Nothing to do\.?|No packages marked for update)\s*$")
_UNKNOWN = re.compile(r"(?m)^(?:No match for argument: (.+)|No packages? (?:marked|available)\b.*)$")
_ADVISORY = re.compile(r"(\S+)\s+(\S+)\s+(?:(\S+)\s+)?(\S+-[^\s-]+-[^\s-]+\.[a-z0-9_]+)(?:\s+[0-9-]{10} [0-9:]{8})?\s*")
_UNITS = {"": 1, "k": 1024, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


def read(found: Mapping[str, Part]) -> dict[str, Any] | NotMeasured:
    """The facts that dnf alone gives: packages, removals, kept_back, bytes (as dnf rounds them), reinstallable."""
    text = found["transaction"].text
    if "Transaction Summary" not in text:
        unknown = _UNKNOWN.search(text)
        if _NOTHING.search(text) and unknown is None:
            return {"packages": [], "removals": [], "kept_back": [], "bytes": 0, "reinstallable": []}
        return _refused(text, unknown)
    installed, native = packages_of(found), found.get("architecture", Part(None, b"")).text.strip()
    if installed is None:
        return NotMeasured("rpm cannot say which versions are installed")
    packages, removals, skipped = _table(text, installed, native, _advisories(found.get("advisories")))
    return present(
        packages=packages,
        removals=removals,
        kept_back=skipped,
        bytes=_bytes(text),
        reinstallable=_reinstallable(found.get("offered"), packages, native),
    )


def kernels(names: list[str]) -> int:
    """How many of some packages are kernels with an image and an initrd of their own: today's come in several
    packages, of which the one called `core` has the image."""
    kept = [name for name in names if name.startswith("kernel") and is_kept_besides(name)]
    cores = [name for name in kept if name.endswith(("-core", "-default"))]
    return len(cores or [name for name in kept if name == "kernel"])


def _refused(text: str, unknown: re.Match[str] | None) -> NotMeasured:
    if unknown is not None and unknown[1]:
        return NotMeasured(f"dnf does not know the package {unknown[1][:LONGEST_REMARK]}")
    said = [line for line in text.split("\n") if line.startswith("Error")] or text.strip().split("\n")[-1:]
    return NotMeasured(f"dnf cannot simulate the update: {said[0][:LONGEST_REMARK] or 'it says nothing'}")


def _table(
    text: str, installed: Mapping[str, str], native: str, security: frozenset[str] | None
) -> tuple[list[dict[str, Any]], list[str], list[str]]:
    packages: list[dict[str, Any]] = []
    removals: dict[str, None] = {}
    skipped: dict[str, None] = {}
    for heading, row, replaced in _rows(text):
        if replaced is not None:
            if packages and replaced != packages[-1]["name"]:
                removals[replaced] = None
            continue
        if row is None:
            continue
        name = rpm_name(row[1], row[2], native)
        if heading in _UPGRADED | _NEW:
            old = None if heading in _NEW else installed.get(name, UNKNOWN)
            packages.append(_package(row, name, old, security))
        elif heading.startswith("Remov"):
            removals[f"{name}-{row[3].rpartition(':')[2]}" if is_kept_besides(row[1]) else name] = None
        elif heading.startswith("Skipping"):
            skipped[name] = None
    if not packages and not removals and not skipped:
        raise UnreadableAnswer("the packages that dnf lists cannot be read")
    return sorted(packages, key=lambda one: str(one["name"])), list(removals), list(skipped)


def _rows(text: str) -> Iterator[tuple[str, re.Match[str] | None, str | None]]:
    """The rows of the table with the heading that each stands under, and the packages that a row replaces."""
    heading = ""
    for line in _NAME_ALONE.sub(r"\n \1 ", text.partition("Transaction Summary")[0]).split("\n"):
        if len(line) > LONGEST_LINE:
            raise UnreadableAnswer(f"not a row of dnf's table: {line[:80]!r}")
        if (match := _HEADING.fullmatch(line)) is not None:
            heading = match[1]
        elif heading and (match := _REPLACING.fullmatch(line)) is not None:
            yield heading, None, match[1]
        elif heading and (match := _ROW.fullmatch(line)) is not None:
            yield heading, match, None
        elif heading and line.startswith(" ") and line.strip():
            raise UnreadableAnswer(f"not a row of dnf's table: {line[:80]!r}")


def _package(row: re.Match[str], name: str, old: str | None, security: frozenset[str] | None) -> dict[str, Any]:
    version = row[3] if ":" in row[3] else f"0:{row[3]}"
    package = {"name": name, "from": old, "to": f"{version}.{row[2]}", "arch": row[2], "source": row[4]}
    return package if security is None else package | {"security": row[1] in security}


def _advisories(part: Part | None) -> frozenset[str] | None:
    """Names of packages with an advisory for security. Repositories without any advisory say nothing (CentOS, UBI)."""
    if part is None or part.status != 0:
        return None
    lines = (line for line in part.text.split("\n") if len(line) <= LONGEST_LINE)
    rows = [match for match in map(_ADVISORY.fullmatch, lines) if match is not None]
    chosen = (row[4] for row in rows if row[2].endswith("/Sec.") or row[2].lower() == "security")
    return frozenset(nevra.rsplit("-", 2)[0] for nevra in chosen) if rows else None


def _bytes(text: str) -> int | None:
    match = _SIZE.search(text)
    if match is None:  # "Total size" alone: all of it is on the server already
        return 0 if _HERE.search(text) else None
    figure, unit = (match[1], match[2]) if match[1] else (match[3], match[4])
    try:
        return int(float(figure[:18]) * _UNITS[unit])
    except ValueError:
        return None


def _reinstallable(part: Part | None, packages: list[dict[str, Any]], native: str) -> list[str] | None:
    known = [one for one in packages if one["from"] is not None]
    if not known:
        return []
    if part is None or part.status != 0:
        return None
    offered = set()
    for line in part.text.split("\n"):
        name, _, version = line.strip().partition(" ")
        offered.add((rpm_name(name, version.rpartition(".")[2], native), version))
    return [one["name"] for one in known if (one["name"], one["from"]) in offered]
