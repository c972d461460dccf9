"""Pending updates, security updates among them, as far as the server's own package lists know.

Nothing is fetched and nothing is written: the lists are as old as `lists_age_hours` says. Formats: apt(8) (`apt list`),
dnf(8) and yum(8) (`check-update`, `updateinfo list`; of dnf 4, dnf 5 and yum 3), zypper(8) (tables), apk(8).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
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
from maintops.probes.answering import integer, named_parts
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.recorded import RECORDED, recording_in, silence

MOST_NAMES = 50
"""Names that a list of packages holds at most; the counts count all."""

# apt as root would write its package cache: an empty name keeps it in memory. Debian up to 10 calls its security suite
# by the name of the main one: there the label is needed, which only a simulated upgrade shows.
_QUESTION = """\
exists() { for file in "$@"; do [ -e "$file" ] && echo yes && return; done; return 1; }
newest() { for file in "$@"; do [ -e "$file" ] && stat -c %Y "$file"; done | sort -n | tail -n 1; }
has() { command -v "$1" >/dev/null 2>&1; }
memory='-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache='
part now date +%s
if [ -s /var/lib/dpkg/status ] && has apt; then
  lists=/var/lib/apt/lists
  part lists exists $lists/*Release $lists/*_Packages*
  part refreshed newest $lists $lists/partial /var/lib/apt/periodic/update-success-stamp
  case $(cat /etc/debian_version 2>/dev/null) in
    [1-9]|[1-9].*|10|10.*) part simulated apt-get -s $memory -o Debug::NoLocking=true dist-upgrade ;;
  esac
  part apt apt list --upgradable $memory
elif has dnf || has yum; then
  has dnf && tool=dnf || tool=yum
  data='/var/cache/dnf/*/repodata/* /var/cache/libdnf5/*/repodata/* /var/cache/yum/*/*/*/repomd.xml'
  part refreshed newest $data
  part advisories $tool -C -q updateinfo list
  part dnf $tool -C -q check-update
elif has zypper; then
  part refreshed newest /var/cache/zypp/raw/*/cookie /var/cache/zypp/raw/*/repodata/repomd.xml
  part patches env ZYPP_READONLY_HACK=1 zypper -n -q --no-refresh list-patches --category security
  part zypper env ZYPP_READONLY_HACK=1 zypper -n -q --no-refresh list-updates
elif has apk; then
  part lists exists /var/cache/apk/APKINDEX* /etc/apk/cache/APKINDEX* /lib/apk/db/APKINDEX*
  part refreshed newest /var/cache/apk/APKINDEX* /etc/apk/cache/APKINDEX* /lib/apk/db/APKINDEX*
  part apk apk --no-network version -l '<'
fi
part end :
"""

_APT = re.compile(r"([^/\s]+)/(\S+) (\S+) (\S+) \[upgradable\b.*\]")
_APT_NOISE = re.compile(r"\s*|Listing\.\.\..*|WARNING: .*|[NWI]: .*")
_SIMULATED = re.compile(r"Inst (\S+) .*\(.*(?:-[Ss]ecurity\b|Debian-Security:).*\).*")
_DNF = re.compile(r"(\S+)\.([a-z0-9_]{1,12})\s+(\S*[0-9]\S*)\s+(\S+)\s*")
_DNF_WRAPPED = re.compile(r"\n[ \t]+(?=\S+[ \t]+\S+[ \t]*(?:\n|$))")
# Without updates there are only remarks about loading the lists: sentences, and bars of progress.
_DNF_REMARK = re.compile(r"\s*|Available [Uu]pgrades|[ -~]*(?:\| |[A-Za-z]+ [A-Za-z]+ [A-Za-z]+)[ -~]*")
_ADVISORY = re.compile(r"(\S+)\s+(\S+)\s+(?:(\S+)\s+)?(\S+-[^\s-]+-[^\s-]+\.[a-z0-9_]+)(?:\s+[0-9-]{10} [0-9:]{8})?\s*")
_APK = re.compile(r"(\S+)-[0-9][^\s-]*(?:-r[0-9]+)?\s+<\s+\S+\s*")
_DNF_HAS_UPDATES = 100


@dataclass(frozen=True, slots=True)
class _Pending:
    """Names of packages; None where nothing names the updates, or says which of them are for security."""

    names: list[str] | None
    security: list[str] | None


def question(parameters: Mapping[str, Any]) -> str:
    """What the package manager of the server has in its lists."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    if (why := silence(answer)) is not None:
        return why
    found = named_parts(answer)
    if "end" not in found:
        raise UnreadableAnswer("the list of updates is not whole")
    manager = next((name for name in _MANAGERS if name in found), None)
    if manager is None:
        return NotMeasured("no package manager that maintops knows: apt, dnf, yum, zypper or apk")
    if "lists" in found and found["lists"].status != 0:
        return NotMeasured(f"{manager} has no package lists: they were never fetched")
    pending = _MANAGERS[manager](found)
    if isinstance(pending, NotMeasured):
        return pending
    facts = {"manager": manager} | _facts(pending) | _age(found)
    offered = {"security", "security_packages"} if manager == "apk" else set[str]()  # Alpine does not tell them apart
    return Measured((SubjectFacts(None, facts, frozenset(offered)),))


def _facts(pending: _Pending) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    security = pending.security or []
    if pending.security is not None:
        facts |= {"security": len(security), "security_packages": _some(security)}
    if pending.names is not None:
        first = [name for name in security if name in set(pending.names)]
        facts |= {"pending": len(pending.names), "packages": _some([*first, *pending.names])}
    return facts


def _some(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))[:MOST_NAMES]


def _age(found: Mapping[str, Part]) -> dict[str, float]:
    now, refreshed = (integer(found[name].text) if name in found else None for name in ("now", "refreshed"))
    return {} if now is None or refreshed is None else {"lists_age_hours": round((now - refreshed) / 3600, 1)}


def _apt(found: Mapping[str, Part]) -> _Pending:
    part = found["apt"]
    if part.status != 0:
        raise UnreadableAnswer(f"apt list ended with status {part.status}")
    names, security = [], []
    for line in part.text.splitlines():
        match = _APT.fullmatch(line)
        if match is None:
            if _APT_NOISE.fullmatch(line) is None:
                raise UnreadableAnswer(f"not a line of apt list: {line[:80]!r}")
            continue
        names.append(match[1])
        if any(suite.endswith("-security") for suite in match[2].split(",")):
            security.append(match[1])
    if "simulated" in found and found["simulated"].status != 0:
        return _Pending(names, security or None)
    if "simulated" in found:
        lines = (_SIMULATED.fullmatch(line) for line in found["simulated"].text.splitlines())
        security += [match[1] for match in lines if match is not None]
    return _Pending(names, list(dict.fromkeys(security)))


def _dnf(found: Mapping[str, Part]) -> _Pending | NotMeasured:
    part = found["dnf"]
    if part.status not in (0, _DNF_HAS_UPDATES):
        if RECORDED in found:  # the advisories alone
            return _Pending(None, _advisories(found.get("advisories"), pending=True))
        return NotMeasured("dnf has no package lists in its cache, or no right to read them")
    text = re.split(r"(?im)^obsoleting packages\s*$", part.text)[0]
    text = _DNF_WRAPPED.sub(" ", text)
    names = [match[1] for match in map(_DNF.fullmatch, text.splitlines()) if match is not None]
    if not names and (part.status == _DNF_HAS_UPDATES or not all(map(_DNF_REMARK.fullmatch, text.splitlines()))):
        raise UnreadableAnswer("the packages that dnf lists cannot be read")
    return _Pending(names, _advisories(found.get("advisories"), bool(names)))


def _advisories(part: Part | None, pending: bool) -> list[str] | None:
    """Packages with a security advisory. Updates without any advisory at all come from a repository that has none
    (CentOS, UBI): then nothing is known."""
    if part is None or part.status != 0:
        return None if pending else []
    rows = [match for match in map(_ADVISORY.fullmatch, part.text.splitlines()) if match is not None]
    if pending and not rows:
        return None
    nevras = [row[4] for row in rows if row[2].endswith("/Sec.") or row[2].lower() == "security"]
    return list(dict.fromkeys(nevra.rsplit("-", 2)[0] for nevra in nevras))


def _zypper(found: Mapping[str, Part]) -> _Pending | NotMeasured:
    part = found["zypper"]
    if part.status != 0 and RECORDED not in found:
        return NotMeasured(f"zypper could not list updates (status {part.status}: no repositories, no right or a lock)")
    names = [row["Name"] for row in _table(part.text)] if part.status == 0 else None  # a record of the patches alone
    patches = found.get("patches")
    if patches is None or patches.status != 0:
        return _Pending(names, None)
    needed = [row["Name"] for row in _table(patches.text) if row.get("Status", "needed") == "needed"]
    return _Pending(names, list(dict.fromkeys(needed)))


def _table(text: str) -> list[dict[str, str]]:
    """The rows of a table with `|` between its columns, a header, and a line of dashes. No table: no rows."""
    lines = [[cell.strip() for cell in line.split("|")] for line in text.splitlines() if "|" in line]
    if not lines:
        if text.strip() and not re.search(r"(?i)\bno (?:matching |\w+ )?(?:updates?|patches|issues?|items?)\b", text):
            raise UnreadableAnswer(f"not a table of zypper: {text.strip()[:80]!r}")
        return []
    if "Name" not in lines[0]:
        raise UnreadableAnswer(f"zypper's table has no column Name: {lines[0]!r}")
    if any(len(cells) < len(lines[0]) for cells in lines):
        raise UnreadableAnswer("a row of zypper's table is shorter than its header")
    return [dict(zip(lines[0], cells, strict=False)) for cells in lines if cells != lines[0]]


def _apk(found: Mapping[str, Part]) -> _Pending | NotMeasured:
    part = found["apk"]
    if part.status != 0:
        return NotMeasured(f"apk could not compare versions (status {part.status})")
    names = []
    for line in part.text.splitlines():
        match = _APK.fullmatch(line)
        if match is not None:
            names.append(match[1])
        elif line.strip() and not line.startswith(("Installed:", "WARNING:")):
            raise UnreadableAnswer(f"not a line of apk version: {line[:80]!r}")
    return _Pending(names, None)


_MANAGERS: Mapping[str, Callable[[Mapping[str, Part]], _Pending | NotMeasured]] = {
    "apt": _apt,
    "dnf": _dnf,
    "zypper": _zypper,
    "apk": _apk,
}


PROBE = Probe(
    name="security-updates",
    title="Pending updates and security updates",
    facts={
        "pending": Fact("int", "packages that have an update", "packages"),
        "security": Fact("int", "packages (zypper: patches) that have a security update; not offered by apk"),
        "packages": Fact("list", f"names of packages with an update, security first, at most {MOST_NAMES}"),
        "security_packages": Fact("list", f"names of packages (zypper: patches) among them, at most {MOST_NAMES}"),
        "manager": Fact("str", "the package manager that was asked: apt, dnf (also yum), zypper or apk"),
        "lists_age_hours": Fact("float", "age of the package lists that this is taken from", "hours"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    recording=recording_in("maintops.probes.security_updates_recorded"),
)
