"""Whether the database of installed packages is whole: nothing half installed, no dependency unmet.

Formats: dpkg(1) (`--audit`), apt-get(8) (`check`), rpm(8) (`-Va --nofiles`: dependencies alone), apk(8) (`fix`,
simulated). A recording may also be what `dnf check` or `yum check` printed. Nothing is repaired and nothing is locked.
"""

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
from maintops.probes.answering import named_parts
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.recorded import in_parts, recording_of, silence

MOST_NAMES = 500
"""Entries that a list holds at most."""

# busybox has an rpm of its own, so that apk comes first. rpm's verification would run scripts of the packages: they are
# left out. Kernels and keys are installed many times.
_QUESTION = """\
has() { command -v "$1" >/dev/null 2>&1; }
said() { "$@" 2>&1; }
twice() { rpm -qa --qf '%{NAME}.%{ARCH}\\n' | grep -Ev '^(kernel|gpg-pubkey|kmod-|dkms-)' | sort | uniq -d; }
if [ -s /var/lib/dpkg/status ] && has dpkg; then
  part audit said dpkg --audit
  part check said apt-get check -q -o Debug::NoLocking=true -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
elif [ -s /lib/apk/db/installed ]; then
  part apk said apk --no-network --simulate fix
elif has rpm; then
  part rpm said rpm -q rpm
  part dependencies said rpm -Va --nofiles --noscripts --nodigest --nosignature
  part twice twice
fi
part end :
"""

_SECTION = re.compile(r"The following packages?\b.*|.*:\s*")
_PACKAGE = re.compile(r" {1,2}([a-z0-9][a-z0-9+.:-]{0,120})(?:\s.*)?")
_HALF = ("half configured", "half installed", "not yet configured", "trigger", "in a mess")
_UNMET = re.compile(r"\s*(\S+(?::\S+)?) : ((?:Pre)?Depends|Breaks|Conflicts): (.+)")
_NEEDED = re.compile(r"\s*(.+) is needed by (?:\(installed\) )?(\S+)")
_CHECKED = re.compile(
    r"(\S+) (?:has missing requires of|is a duplicate with|has installed conflict|is obsoleted by|provides) .+"
    r"|\s+(?:missing require|duplicate with|installed conflict|obsoleted by|installed obsoleted) .+"
)
_DATABASE = re.compile(
    r"(?i)rpmdb|BDB[0-9]+|(?:cannot|failed to|unable to) open .*(?:database|Packages)|sqlite.*(?:corrupt|malformed)"
)
_AUDITED = "The following package"
_NO_TOOL = 127


def question(parameters: Mapping[str, Any]) -> str:
    """dpkg's audit and apt's check, or the dependencies as rpm sees them, or apk's."""
    return _QUESTION


def _bare(text: str) -> Answer | None:
    """What `dpkg --audit`, `apt-get check`, `rpm -Va --nofiles`, `dnf check` or `yum check` printed."""
    if _AUDITED in text and "unmet" not in text:
        return in_parts({"audit": (1, text)})
    if "unmet dependencies" in text or "Reading package lists" in text:
        return in_parts({"check": (100 if "unmet" in text or "\nE: " in text else 0, text)})
    if "Unsatisfied dependencies for" in text:
        return in_parts({"dependencies": (1, text)})
    if any(_CHECKED.fullmatch(line) for line in text.split("\n")):
        return in_parts({"checked": (1, text)})
    return None


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    if (why := silence(answer)) is not None:
        return why
    found = named_parts(answer)
    for names, reader in _READERS:
        if not any(name in found for name in names):
            continue
        facts = reader(found)
        if isinstance(facts, NotMeasured):
            return facts
        offered = frozenset(PROBE.facts) - _OFFERED[str(facts["manager"])]
        return Measured((SubjectFacts(None, facts, offered),))
    if "end" not in found:
        raise UnreadableAnswer("the answer about the package database is not whole")
    return NotMeasured("no package manager that maintops knows: dpkg, rpm or apk")


def _dpkg(found: Mapping[str, Part]) -> dict[str, Any] | NotMeasured:
    facts: dict[str, Any] = {"manager": "dpkg"}
    audit, check = found.get("audit"), found.get("check")
    if audit is not None and audit.status != _NO_TOOL and "BusyBox" not in audit.text:  # busybox has a dpkg of its own
        if audit.status not in (0, 1) or (audit.output.strip() and _AUDITED not in audit.text):
            raise UnreadableAnswer(f"not what dpkg --audit prints: {audit.text.strip()[:80]!r}")
        half, damaged = _audit(audit.text)
        facts |= {"half_done": half[:MOST_NAMES], "damaged": damaged[:MOST_NAMES]}
    if check is not None and check.status != _NO_TOOL:
        unmet = [
            f"{match[1]}: {match[2]} {match[3]}" for match in map(_UNMET.fullmatch, check.text.split("\n")) if match
        ]
        if check.status == 0 or unmet:
            facts["unmet"] = unmet[:MOST_NAMES]
    return facts


def _audit(text: str) -> tuple[list[str], list[str]]:
    """Packages that stopped half way, and those whose files in the database are damaged: by the heading above them."""
    half: dict[str, None] = {}
    damaged: dict[str, None] = {}
    heading = ""
    for line in text.split("\n"):
        if line.startswith(" ") and (match := _PACKAGE.fullmatch(line)) is not None:
            (half if any(word in heading for word in _HALF) else damaged)[match[1]] = None
        elif line.strip():
            heading = line if line.startswith(_AUDITED) else f"{heading} {line}"
    return list(half), list(damaged)


def _rpm(found: Mapping[str, Part]) -> dict[str, Any] | NotMeasured:
    facts: dict[str, Any] = {"manager": "rpm"}
    asked = found.get("rpm")
    if asked is not None:
        broken = [
            line.strip() for line in asked.text.split("\n") if line.startswith("error:") and _DATABASE.search(line)
        ]
        if broken:
            return facts | {"damaged": broken[:MOST_NAMES]}
        if asked.status != 0:
            return NotMeasured(f"rpm cannot be asked: {asked.text.strip()[:200] or f'exit status {asked.status}'}")
        facts["damaged"] = []
    dependencies = found.get("dependencies")
    if dependencies is not None:
        needed = [match for match in map(_NEEDED.fullmatch, dependencies.text.split("\n")) if match]
        if needed or dependencies.status == 0:
            facts["unmet"] = [f"{match[2]}: {match[1].strip()}" for match in needed][:MOST_NAMES]
    if "twice" in found and (found["twice"].status == 0 or not found["twice"].output.strip()):
        facts["duplicates"] = found["twice"].text.split()[:MOST_NAMES]
    return facts


def _checked(found: Mapping[str, Part]) -> dict[str, Any]:
    """What dnf and yum complain of, a line each; dnf 5 names the package once, above its problems."""
    complaints: list[str] = []
    twice: list[str] = []
    package = ""
    for line in found["checked"].text.split("\n"):
        if _CHECKED.fullmatch(line):
            whole = f"{package}: {line.strip()}" if line.startswith(" ") and package else line.strip()
            (twice if "duplicate with" in line else complaints).append(whole)
        elif line.strip():
            package = line.strip().rstrip(":")
    return {"manager": "rpm", "unmet": complaints[:MOST_NAMES], "duplicates": twice[:MOST_NAMES]}


def _apk(found: Mapping[str, Part]) -> dict[str, Any] | NotMeasured:
    lines = list(_errors(found["apk"].text))
    if found["apk"].status != 0 and not lines:
        return NotMeasured(f"apk could not check its packages (status {found['apk'].status})")
    return {"manager": "apk", "unmet": lines[:MOST_NAMES]}


def _errors(text: str) -> Iterator[str]:
    inside = False
    for line in text.split("\n"):
        if line.startswith("ERROR:"):
            inside = line.rstrip().endswith(":")
            if not inside:
                yield line.removeprefix("ERROR:").strip()
        elif inside and line.strip():
            yield line.strip()


_READERS = (
    (("audit", "check"), _dpkg),
    (("rpm", "dependencies"), _rpm),
    (("checked",), _checked),
    (("apk",), _apk),
)
_OFFERED = {
    "dpkg": frozenset({"manager", "half_done", "damaged", "unmet"}),
    "rpm": frozenset({"manager", "damaged", "unmet", "duplicates"}),
    "apk": frozenset({"manager", "unmet"}),
}


PROBE = Probe(
    name="package-database",
    title="State of the package database",
    facts={
        "manager": Fact("str", "what keeps the packages: dpkg, rpm or apk"),
        "half_done": Fact("list", "packages that are half installed, half configured or wait for triggers; dpkg only"),
        "unmet": Fact("list", "dependencies that are not met, each with the package that has it"),
        "damaged": Fact("list", "packages whose entry in the database is damaged (dpkg), or rpm's own complaints"),
        "duplicates": Fact("list", "packages that are installed in two versions and should not be; rpm only"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    recording=recording_of(
        "the output of dpkg --audit, apt-get check, rpm -Va --nofiles, dnf check or yum check", _bare
    ),
)
