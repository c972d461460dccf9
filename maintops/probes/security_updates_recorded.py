"""Recordings of pending updates: what apt, apt-get, dnf, yum, zypper and apk print when a person asks them.

A person's locale is not the script's: a row of apt is known by its shape, whatever its words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from maintops.domain.answers import Answer, UnreadableAnswer
from maintops.probes.recorded import in_parts, recording_of, unsaid

_ONLY_INSTALLED = "this lists packages that are installed or on offer, not those that have an update"
_ONLY_PROGRESS = "no package is named here, and nothing says that none is pending"

_APT_ROW = re.compile(r"([^/\s]+/\S+ \S+ \S+) \[([^\]]*)\]")
_APT_FROM = re.compile(r"(?!installed|residual)[^:,]+: ?(\S+)", re.IGNORECASE)
_APT_BEGUN = re.compile(r"[a-z0-9][a-z0-9+.-]*/\S.*")
_APT_HEAD = re.compile(r"\w+(?:\.\.\.|\u2026)(?: ?\w+!?)?")
_OLD_DEBIAN = re.compile(r"[+~]deb(?:[1-9]|10)u[0-9]")
_SIMULATED = re.compile(r"Inst (\S+) \[(\S+)\] \((\S+) (.*) \[(\w+)\]\).*")
_SUITE = re.compile(r"/([^,\s]+)")

_DNF_ROW = re.compile(r"\S+\.[a-z0-9_]{1,12}\s+\S*[0-9]\S*\s+\S+\s*")
_DNF_BEGUN = re.compile(r"\S+\.(?:noarch|x86_64|aarch64|i[3-6]86|ppc64le|s390x|armv7hl)(?:\s.*)?")
_DNF_WRAPPED = re.compile(r"\n[ \t]+(?=\S+[ \t]+\S+[ \t]*(?:\n|$))")
_DNF_UPGRADES = re.compile(r"(?im)^(?:available (?:upgrades?|updates?)|upgraded packages|updated packages)\s*$")
_DNF_OTHERS = re.compile(r"(?im)^(?:installed|available|extra|recently added|autoremove) packages\s*$")
_DNF_ADVISORY = re.compile(
    r"\S+\s+(?:\S+/Sec\.|[A-Za-z]+)\s+(?:\S+\s+)?\S+-[^\s-]+-[^\s-]+\.[a-z0-9_]+(?:\s+[0-9-]{10} [0-9:]{8})?\s*"
)
_DNF_PROGRESS = re.compile(
    r"(?m)\|\s*[0-9.]+ +[kMG]?i?B\b|^Last metadata expiration check: |^Updating and loading repositories:"
    r"|^Loaded plugins: |^Updating Subscription Management|^Repositories loaded\.|^Loading mirror speeds"
)

_APK_UPGRADABLE = re.compile(r"(\S+-[0-9]\S*) \S+ \{\S*\} \(.*\) \[upgradable from: (\S+)\]")
_APK_COMPARED = re.compile(r"\S+-[0-9]\S*\s+[<=>?]\s+\S*\s*")


def _apt(text: str) -> Answer | None:
    lines = [line.rstrip() for line in text.split("\n") if line.strip()]
    rows = [match for match in map(_APT_ROW.fullmatch, lines) if match is not None]
    others = [line for line in lines if _APT_ROW.fullmatch(line) is None]
    if not rows and not (len(others) == 1 and _APT_HEAD.fullmatch(others[0])):
        return None
    _require_rows(line for line in others if _APT_BEGUN.fullmatch(line))
    pending = [(row[1], found[1]) for row in rows if (found := _APT_FROM.fullmatch(row[2])) is not None]
    if rows and not pending:
        return unsaid(_ONLY_INSTALLED)
    listed = "".join(f"{row} [upgradable from: {old}]\n" for row, old in pending)
    parts: dict[str, str | tuple[int, str]] = {"apt": listed, "end": ""}
    if _OLD_DEBIAN.search(listed):  # its security suite has the main one's name: only a simulated upgrade tells
        parts["simulated"] = (1, "")
    return in_parts(parts)


def _require_rows(begun: Iterable[str]) -> None:
    """A row that is not whole is the end of a list that is not: its count would be a lie."""
    for line in begun:
        raise UnreadableAnswer(f"the list is not whole: it holds {line[:80]!r}")


def _simulated(text: str) -> Answer | None:
    """`apt-get -s upgrade`: what would be installed in the place of something older."""
    rows = [match for match in map(_SIMULATED.fullmatch, text.split("\n")) if match is not None]
    if not rows and not re.search(r"(?m)^[0-9]+ upgraded, [0-9]+ newly installed, ", text):
        return None
    listed = "".join(
        f"{name}/{','.join(_SUITE.findall(origins)) or 'unknown'} {new} {arch} [upgradable from: {old}]\n"
        for name, old, new, origins, arch in (row.groups() for row in rows)
    )
    return in_parts({"apt": listed, "simulated": text, "end": ""})


def _dnf(text: str) -> Answer | None:
    upgrades = _DNF_UPGRADES.search(text)
    listed = _DNF_OTHERS.split(text[upgrades.end() :])[0] if upgrades else text
    if upgrades is None and _DNF_OTHERS.search(text):
        return unsaid(_ONLY_INSTALLED)
    lines = _DNF_WRAPPED.sub(" ", listed).split("\n")
    if any(map(_DNF_ROW.fullmatch, lines)):
        _require_rows(line for line in lines if _DNF_BEGUN.fullmatch(line) and not _DNF_ROW.fullmatch(line))
        return in_parts({"dnf": (100, listed), "end": ""})
    advisories = [line for line in text.split("\n") if _DNF_ADVISORY.fullmatch(line)]
    if advisories:
        return in_parts({"dnf": (1, ""), "advisories": "\n".join(advisories), "end": ""})
    return unsaid(_ONLY_PROGRESS) if _DNF_PROGRESS.search(text) else None


def _zypper(text: str) -> Answer | None:
    table = [line for line in text.split("\n") if "|" in line]
    head = [cell.strip() for cell in table[0].split("|")] if table else []
    rows = "\n".join(line for line in table if set(line) - set("-+ "))
    if "Name" in head and "Available Version" in head:
        return in_parts({"zypper": rows, "end": ""})
    if {"Name", "Category", "Status"} <= set(head):
        place = head.index("Category")
        cells = [[cell.strip() for cell in line.split("|")] for line in table]
        chosen = [line for line, row in zip(table, cells, strict=True) if row[place : place + 1] == ["security"]]
        return in_parts({"zypper": (1, ""), "patches": "\n".join([table[0], *chosen]), "end": ""})
    if re.search(r"(?m)^No updates found\.$", text):
        return in_parts({"zypper": "No updates found.", "end": ""})
    return None


def _apk(text: str) -> Answer | None:
    lines = [line.rstrip() for line in text.split("\n") if line.strip()]
    found = [match for match in map(_APK_UPGRADABLE.fullmatch, lines) if match is not None]
    if found:
        return in_parts({"apk": "".join(f"{match[2]} < {match[1]}\n" for match in found), "end": ""})
    compared = [line for line in lines if _APK_COMPARED.fullmatch(line)]
    if not compared and not (lines and lines[0].startswith("Installed:") and "Available:" in lines[0]):
        return None
    return in_parts({"apk": "\n".join(line for line in compared if " < " in line), "end": ""})


RECORDING = recording_of(
    "a list of updates by apt, apt-get -s, dnf, yum, zypper or apk", _apt, _simulated, _zypper, _dnf, _apk
)
