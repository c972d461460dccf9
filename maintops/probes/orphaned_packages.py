"""Packages that were installed for others which are gone, and what removing them would free.

Formats: apt-get(8) (`-s autoremove`), dpkg-query(1), `dnf repoquery --unneeded` (dnf 4 and 5), `package-cleanup
--leaves` (yum-utils), `zypper packages --unneeded`. Nothing is removed: all of them only list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
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
from maintops.probes.answering import named_parts
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.recorded import in_parts, recording_of, silence

MOST_NAMES = 50
"""Names that a list holds at most."""

_QUESTION = """\
has() { command -v "$1" >/dev/null 2>&1; }
kilobytes() { dpkg-query -W -f '${db:Status-Abbrev} ${Installed-Size} ${Package}\\n'; }
sizes() { [ -z "$*" ] || rpm -q --qf '%{SIZE} %{NAME}\\n' "$@"; }
if [ -s /var/lib/dpkg/status ] && has apt-get; then
  part apt apt-get -s -q -o Debug::NoLocking=true -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= autoremove
  part kilobytes kilobytes
elif has dnf; then
  names=$(dnf -C -q repoquery --unneeded --installed 2>/dev/null); status=$?
  listed() { [ "$status" = 0 ] && [ -n "$names" ] && printf '%s\\n' "$names"; return "$status"; }
  part dnf listed
  part bytes sizes $names
elif has package-cleanup; then
  names=$(package-cleanup -C -q --leaves 2>/dev/null); status=$?
  listed() { [ "$status" = 0 ] && [ -n "$names" ] && printf '%s\\n' "$names"; return "$status"; }
  part dnf listed
  part bytes sizes $names
elif has zypper; then
  part zypper env ZYPP_READONLY_HACK=1 zypper -n -q --no-refresh packages --unneeded
fi
part end :
"""
_REMOVED = re.compile(r"(?m)^(?:Remv|Purg) (\S+) \[")
_SUMMARY = re.compile(r"(?m)^(?:[0-9]+ upgraded, [0-9]+ newly installed|Summary:| *Upgrading: [0-9])")
_WOULD = ("The following packages will be REMOVED:", "REMOVING:")
_SIZE = re.compile(r"(?:([a-z]{2}[A-Z]?) +)?([0-9]{1,15}) (\S+)")
_ROW = re.compile(r" (\S+) +([a-z0-9_]{3,10}) +(\S+-\S+) +\S+ +[0-9.]+ *[kKMGi]*B? *")
_NEVRA = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_+.-]*)-(?:[0-9]+:)?[^-\s:]+-[^-\s]+\.(?:[a-z0-9_]{3,10})")


def question(parameters: Mapping[str, Any]) -> str:
    """What the package manager would remove, and the sizes."""
    return _QUESTION


def _bare(text: str) -> Answer | None:
    """What would be removed, as apt, dnf and package-cleanup print it, simulated or at their question."""
    if _SUMMARY.search(text):
        return in_parts({"apt": text})
    rows = [match for match in map(_ROW.fullmatch, text.split("\n")) if match]
    if rows and "Removing" in text:
        return in_parts({"dnf": "".join(f"{row[1]}-{row[3]}.{row[2]}\n" for row in rows)})
    lines = [line.strip() for line in text.split("\n") if line.strip() and not line.startswith(("Last ", "Loaded "))]
    if lines and all(map(_NEVRA.fullmatch, lines)):
        return in_parts({"dnf": "".join(f"{line}\n" for line in lines)})
    return None


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    if (why := silence(answer)) is not None:
        return why
    found = named_parts(answer)
    if "apt" in found:
        return _apt(found)
    if "dnf" in found:
        return _dnf(found)
    if "zypper" in found:
        return _zypper(found["zypper"])
    if "end" not in found:
        raise UnreadableAnswer("the answer about orphaned packages is not whole")
    return NotMeasured("no package manager that knows orphaned packages: apt, dnf, yum or zypper")


def _apt(found: Mapping[str, Part]) -> Reading:
    text = found["apt"].text
    if found["apt"].status != 0:
        return NotMeasured(f"apt-get cannot say what it would remove (status {found['apt'].status})")
    if not _SUMMARY.search(text):
        raise UnreadableAnswer("the simulated removal of apt ends without its summary")
    names = _REMOVED.findall(text) or _announced(text)
    facts: dict[str, Any] = {"manager": "apt", "count": len(names), "packages": names[:MOST_NAMES]}
    rows = [match for match in map(_SIZE.fullmatch, _lines(found.get("kilobytes"))) if match]
    if rows:
        sizes = {row[3]: int(row[2]) * 1024 for row in rows if (row[1] or "")[1:2] == "i"}
        facts["bytes"] = sum(sizes.get(name.partition(":")[0], 0) for name in names)
        left = [row[3] for row in rows if (row[1] or "")[1:2] == "c"]
        facts |= {"leftovers": len(left), "leftover_packages": left[:MOST_NAMES]}
    return Measured((SubjectFacts(None, facts),))


def _announced(text: str) -> list[str]:
    """The names below apt's heading, where it stopped to ask."""
    names: list[str] = []
    inside = False
    for line in text.split("\n"):
        if line.startswith(" "):
            names += [word.rstrip("*") for word in line.split()] if inside else []
        else:
            inside = line.strip() in _WOULD
    return names


def _dnf(found: Mapping[str, Part]) -> Reading:
    if found["dnf"].status != 0:
        return NotMeasured("dnf cannot list unneeded packages from its cache, or has no right to")
    names = []
    for line in _lines(found["dnf"]):
        match = _NEVRA.fullmatch(line.strip())
        if match is None:
            raise UnreadableAnswer(f"not the name of a package: {line[:80]!r}")
        names.append(match[1])
    facts: dict[str, Any] = {"manager": "dnf", "count": len(names), "packages": names[:MOST_NAMES]}
    rows = [match for match in map(_SIZE.fullmatch, _lines(found.get("bytes"))) if match]
    if len(rows) == len(names):
        facts["bytes"] = sum(int(row[2]) for row in rows)
    return Measured((SubjectFacts(None, facts, frozenset({"leftovers", "leftover_packages"})),))


def _zypper(part: Part) -> Reading:
    if part.status != 0:
        return NotMeasured(f"zypper could not list its packages (status {part.status})")
    rows = [[cell.strip() for cell in line.split("|")] for line in _lines(part) if "|" in line]
    if rows and "Name" not in rows[0]:
        raise UnreadableAnswer(f"zypper's table has no column Name: {rows[0]!r}")
    place = rows[0].index("Name") if rows else 0
    names = [row[place] for row in rows[1:] if len(row) > place and row[0].startswith("i")]
    facts = {"manager": "zypper", "count": len(names), "packages": names[:MOST_NAMES]}
    return Measured((SubjectFacts(None, facts, frozenset({"bytes", "leftovers", "leftover_packages"})),))


def _lines(part: Part | None) -> list[str]:
    return [] if part is None else [line for line in part.text.split("\n") if line.strip()]


PROBE = Probe(
    name="orphaned-packages",
    title="Packages that nothing needs any more",
    facts={
        "manager": Fact("str", "the package manager that was asked: apt, dnf (also yum) or zypper"),
        "count": Fact("int", "packages that nothing needs any more", "packages"),
        "packages": Fact("list", f"their names, at most {MOST_NAMES}"),
        "bytes": Fact("int", "what they take; not offered by zypper", "bytes"),
        "leftovers": Fact("int", "removed packages whose configuration is still there; apt only", "packages"),
        "leftover_packages": Fact("list", f"their names, at most {MOST_NAMES}; apt only"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    recording=recording_of(
        "the output of apt autoremove, dnf autoremove, dnf repoquery --unneeded or package-cleanup --leaves", _bare
    ),
)
