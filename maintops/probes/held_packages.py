"""Packages that an update would pass over, and those that it would take away.

Formats: dpkg-query(1), apt-get(8) (`-s dist-upgrade`, of apt 1 to 3), apt-cache(8) (`policy`: the apt of Debian 12 says
only there that it keeps an update back because it comes in phases), the lists of versionlock (dnf 4, dnf 5, yum),
`exclude=` of dnf.conf(5), zypper's locks, apk-world(5). Nothing is fetched, nothing is locked.
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

MOST_NAMES = 500
"""Names that a list holds at most."""

POLICIES = r"""
again() { printf '%s\n' "$said"; return "$status"; }
kept() {
  printf '%s\n' "$said" | awk '
    /^[^ ]/ { on = /^(The following packages have been kept back|Not upgrading):$/ }
    on && /^ / { for (i = 1; i <= NF; i++) if ($i ~ /^[a-z0-9][a-z0-9+.:-]*$/) print $i }'
}
policies() { [ $# = 0 ] || apt-cache -q -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= policy "$@"; }
"""
"""sh functions about what a simulation in $said with its $status says: `again` repeats it, `kept` names what is kept
back, `policies NAME…` asks for the versions of packages."""

_QUESTION = f"""\
{POLICIES.strip()}
has() {{ command -v "$1" >/dev/null 2>&1; }}
lines() {{ cat "$@" 2>/dev/null | grep -E '^[^#]'; }}
excludes() {{ grep -shE '^(exclude|excludepkgs)[[:space:]]*=' "$@"; }}
holds() {{ dpkg --get-selections | grep -E '[[:space:]]hold$'; }}
if [ -s /var/lib/dpkg/status ] && has dpkg; then
  part holds holds
  said=$(apt-get -s -q -o Debug::NoLocking=true -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= dist-upgrade)
  status=$?
  part upgrade again
  part policies policies $(kept)
elif has dnf || has dnf5 || has yum; then
  part versionlock lines /etc/dnf/plugins/versionlock.list /etc/yum/pluginconf.d/versionlock.list
  part versionlock5 lines /etc/dnf/versionlock.toml
  part excludes excludes /etc/dnf/dnf.conf /etc/yum.conf /etc/yum.repos.d/*.repo
elif has zypper; then
  part zypp lines /etc/zypp/locks
elif has apk; then
  part world cat /etc/apk/world
fi
part end :
"""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.:_*~^-]{0,199}")
_HEADINGS: Mapping[str, tuple[str, ...]] = {
    "kept_back": ("The following packages have been kept back:", "Not upgrading:"),
    "phased": ("The following upgrades have been deferred due to phasing:", "Not upgrading yet due to phasing:"),
    "to_remove": ("The following packages will be REMOVED:", "REMOVING:"),
}
"""What stands above apt's lists; the second of each is that of apt 3."""
_SUMMARY = re.compile(r"(?m)^(?:[0-9]+ upgraded, [0-9]+ newly installed|Summary:)")
_PHASE = re.compile(r" +(?:\*\*\* )?(\S+) -?[0-9]{1,6} \(phased ([0-9]{1,3})%\) *")
_CANDIDATE = re.compile(r" +Candidate: (\S+) *")
_SOLVABLE = re.compile(r"\s*solvable_name:\s*(\S+)\s*")
_TOML_NAME = re.compile(r"""\s*name\s*=\s*["']([^"']+)["']\s*""")
_NAMED = re.compile(r"Package name: *(\S+) *")
_PINNED = re.compile(r"([^@=<>~\s!]+)[=<>~]\S*")
_NO_TOOL = 127


def question(parameters: Mapping[str, Any]) -> str:
    """What is held, and what apt would do in an upgrade."""
    return _QUESTION


def _bare(text: str) -> Answer | None:
    """Lists of held packages as apt-mark, dpkg and dnf print them, and a simulated upgrade of apt."""
    lines = [line for line in text.split("\n") if line.strip()]
    if _SUMMARY.search(text):
        return in_parts({"upgrade": text})
    if lines and all(re.fullmatch(r"\S+\s+(?:install|hold|deinstall|purge)", line) for line in lines):
        return in_parts({"holds": text})
    if lines and all(re.fullmatch(r"!?\S+-[^-]+-[^-]+(?:\.\*|\.\S+)?|Last metadata .*", line) for line in lines):
        return in_parts({"versionlock": text})
    if any(map(_NAMED.fullmatch, lines)):  # dnf 5
        names = [match[1] for match in map(_NAMED.fullmatch, lines) if match]
        return in_parts({"versionlock": "".join(f"{name}\n" for name in names)})
    if lines and all(re.fullmatch(r"[a-z0-9][a-z0-9+.:-]+", line) for line in lines):
        return in_parts({"holds": "".join(f"{line} hold\n" for line in lines)})
    return None


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    if (why := silence(answer)) is not None:
        return why
    found = named_parts(answer)
    for manager, names, reader in _READERS:
        if any(name in found for name in names):
            facts = reader(found)
            missing = frozenset() if manager == "apt" else frozenset(_HEADINGS)
            return Measured((SubjectFacts(None, {"manager": manager, **facts}, missing),))
    if "end" not in found:
        raise UnreadableAnswer("the answer about held packages is not whole")
    return NotMeasured("no package manager that maintops knows: apt, dnf, yum, zypper or apk")


def _apt(found: Mapping[str, Part]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if "holds" in found and found["holds"].status in (0, 1):
        words = (line.split() for line in found["holds"].text.split("\n"))
        facts["held"] = [line[0] for line in words if len(line) == 2 and line[1] == "hold"][:MOST_NAMES]
    upgrade = found.get("upgrade")
    if upgrade is not None and upgrade.status == 0:
        if not _SUMMARY.search(upgrade.text):
            raise UnreadableAnswer("the simulated upgrade of apt ends without its summary")
        for fact, headings in _HEADINGS.items():
            facts[fact] = _below(upgrade.text, headings)[:MOST_NAMES]
        known = in_phases(found.get("policies"))
        late = [name for name in facts["kept_back"] if name in known and name not in facts.get("held", ())]
        facts["kept_back"] = [name for name in facts["kept_back"] if name not in late]
        facts["phased"] = [*facts["phased"], *late][:MOST_NAMES]
    return facts


def in_phases(part: Part | None) -> frozenset[str]:
    """The packages whose candidate is not for every server yet, of what `apt-cache policy` says."""
    late: set[str] = set()
    name = candidate = ""
    for line in part.text.split("\n") if part is not None and part.status == 0 else ():
        if line and not line.startswith(" "):
            name, candidate = line.rstrip().removesuffix(":"), ""
        elif (match := _CANDIDATE.fullmatch(line)) is not None:
            candidate = match[1]
        elif (match := _PHASE.fullmatch(line)) is not None and match[1] == candidate and int(match[2]) < 100:
            late.add(name)
    return frozenset(late)


def _below(text: str, headings: tuple[str, ...]) -> list[str]:
    """The names in the indented lines below a heading; apt marks those to be purged with a star."""
    names: dict[str, None] = {}
    inside = False
    for line in text.split("\n"):
        if line.startswith(" "):
            names.update((word.rstrip("*"), None) for word in line.split() if inside and _NAME.fullmatch(word))
        else:
            inside = line.strip() in headings
    return list(names)


def _dnf(found: Mapping[str, Part]) -> dict[str, Any]:
    held: dict[str, None] = {}
    for line in _lines(found.get("versionlock")):
        name = line.strip().removeprefix("!")
        if _NAME.fullmatch(name) and not line.startswith("Last"):
            held[name] = None
    held |= {match[1]: None for match in map(_TOML_NAME.fullmatch, _lines(found.get("versionlock5"))) if match}
    for line in _lines(found.get("excludes")):
        held |= {name: None for name in re.split(r"[\s,]+", line.partition("=")[2].strip()) if name}
    return {"held": list(held)[:MOST_NAMES]}


def _zypp(found: Mapping[str, Part]) -> dict[str, Any]:
    return {"held": [match[1] for match in map(_SOLVABLE.fullmatch, _lines(found["zypp"])) if match][:MOST_NAMES]}


def _world(found: Mapping[str, Part]) -> dict[str, Any]:
    if found["world"].status != 0:
        return {}
    pinned = (_PINNED.fullmatch(word) for word in found["world"].text.split())
    return {"held": [match[1] for match in pinned if match][:MOST_NAMES]}


def _lines(part: Part | None) -> list[str]:
    return [] if part is None else [line for line in part.text.split("\n") if line.strip()]


_READERS = (
    ("apt", ("holds", "upgrade"), _apt),
    ("dnf", ("versionlock", "versionlock5", "excludes"), _dnf),
    ("zypper", ("zypp",), _zypp),
    ("apk", ("world",), _world),
)


PROBE = Probe(
    name="held-packages",
    title="Packages that an update passes over",
    facts={
        "manager": Fact("str", "the package manager that was asked: apt, dnf (also yum), zypper or apk"),
        "held": Fact("list", "packages that somebody holds at their version (names, or patterns as they were given)"),
        "kept_back": Fact("list", "packages that apt keeps back, for whatever reason"),
        "phased": Fact("list", "packages whose update comes in phases, and not here yet (Ubuntu)"),
        "to_remove": Fact("list", "packages that a full upgrade would remove"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    recording=recording_of(
        "the output of apt-mark showhold, dpkg --get-selections, apt-get -s dist-upgrade or dnf versionlock list", _bare
    ),
)
