"""What the logs below /var/log take: du (its -d is that of coreutils and busybox), journald.conf(5), journalctl(1)."""

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
from maintops.probes.answering import named_parts, percent, present
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.recorded import in_parts, recording_of, silence

MOST_NAMES = 10
"""The largest files that are named."""

# What is set where nothing is: journald.conf(5), SystemMaxUse=.
DEFAULT_SHARE, DEFAULT_MOST = 0.10, 4 * 1024**3
"""The journal's own limit: a tenth of its file system, at most 4 GiB."""

_QUESTION = """\
set_to() { cat /usr/lib/systemd/journald.conf /usr/lib/systemd/journald.conf.d/*.conf /etc/systemd/journald.conf \\
  /etc/systemd/journald.conf.d/*.conf 2>/dev/null | grep -E '^[[:space:]]*(SystemMaxUse|Storage)[[:space:]]*='; }
largest() { find /var/log -xdev -type f -size +20480k ! -path '/var/log/journal/*' -exec du -k {} + |
  sort -rn | head -n 10; }
part sizes du -xk -d 1 /var/log
part disk df -P -k /var/log
part largest largest
part settings set_to
"""
_SIZE = re.compile(r"([0-9]{1,15})\s+(/.*)")
_FIGURES = re.compile(r"\s([0-9]{1,15})\s+([0-9]{1,15})\s+(-?[0-9]{1,15})\s+(?:[0-9]+%|-)\s+/")
_SETTING = re.compile(r"\s*(\w+)\s*=\s*(\S*)\s*")
_UNITS = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40, "P": 1 << 50}
_AMOUNT = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([BKMGTP]?)(?:i?B)?")
_USAGE = re.compile(r"[Jj]ournals (?:take up|use|on disk take up)\s+([0-9.]+[BKMGTP]?)\b")
_ALL, _JOURNAL = "/var/log", "/var/log/journal"


def question(parameters: Mapping[str, Any]) -> str:
    """The size of everything directly below /var/log, its largest files, its file system, the journal's limit."""
    return _QUESTION


def _bare(text: str) -> Answer | None:
    """What `journalctl --disk-usage`, or `du` (in KiB) of /var/log printed."""
    if _USAGE.search(text):
        return in_parts({"usage": text})
    if any(match[2].startswith(_ALL) for match in map(_SIZE.fullmatch, text.split("\n")) if match):
        return in_parts({"sizes": text})
    return None


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    if (why := silence(answer)) is not None:
        return why
    found = named_parts(answer)
    if "usage" in found:
        return _usage(found["usage"].text)
    if "sizes" not in found:
        raise UnreadableAnswer("the answer about logs is not whole")
    sizes = {match[2]: int(match[1]) * 1024 for match in map(_SIZE.fullmatch, found["sizes"].text.split("\n")) if match}
    if found["sizes"].status != 0:
        return NotMeasured("no right to look into all of /var/log, or du does not work here")
    if _ALL not in sizes:
        raise UnreadableAnswer("du does not say what /var/log takes")
    facts: dict[str, Any] = {"total_bytes": sizes[_ALL], "directories": _directories(sizes)}
    facts |= _disk(found.get("disk"), sizes[_ALL])
    largest = found.get("largest")
    if largest is not None and largest.status == 0:
        facts["largest"] = _named(largest.text)
    missing = set()
    if _JOURNAL in sizes:
        facts["journal_bytes"] = sizes[_JOURNAL]
        facts |= _limit(found.get("settings"), facts.get("disk_bytes"))
    else:
        missing = {"journal_bytes", "journal_limit_bytes", "journal_limited"}
    return Measured((SubjectFacts(None, facts, frozenset(missing)),))


def _usage(text: str) -> Reading:
    match = _USAGE.search(text)
    size = amount(match[1]) if match else None
    if size is None:
        raise UnreadableAnswer(f"not what journalctl --disk-usage prints: {text[:80]!r}")
    return Measured((SubjectFacts(None, {"journal_bytes": size}),))


def amount(text: str) -> int | None:
    """Bytes of `3.8G` or `512M`, as systemd writes and reads them (powers of 1024); None for anything else."""
    match = _AMOUNT.fullmatch(text.strip())
    return round(float(match[1]) * _UNITS[match[2]]) if match else None


def _directories(sizes: Mapping[str, int]) -> list[str]:
    parts = sorted(((size, path) for path, size in sizes.items() if path != _ALL and size >= 1 << 20), reverse=True)
    return [f"{path}: {_shown(size)}" for size, path in parts[:MOST_NAMES]]


def _named(text: str) -> list[str]:
    rows = [match for match in map(_SIZE.fullmatch, text.split("\n")) if match]
    return [f"{row[2]}: {_shown(int(row[1]) * 1024)}" for row in rows[:MOST_NAMES]]


def _shown(size: int) -> str:
    """Bytes for people, as filesizeformat writes them in rules: powers of 1000."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def _disk(part: Part | None, taken: int) -> dict[str, Any]:
    figures = _FIGURES.search(part.text.partition("\n")[2]) if part is not None else None
    if figures is None:
        return {}
    size = int(figures[1]) * 1024
    return present(disk_bytes=size, total_percent=percent(taken, size))


def _limit(part: Part | None, disk: int | None) -> dict[str, Any]:
    """The last setting counts; an empty one takes back what was set before."""
    if part is None:  # a recording of du knows nothing of it
        return {}
    values = {match[1]: match[2] for match in map(_SETTING.fullmatch, part.text.split("\n")) if match}
    said = values.get("SystemMaxUse", "")
    if said:
        limit = amount(said)
        return {"journal_limited": True} | ({} if limit is None else {"journal_limit_bytes": limit})
    usual = {} if disk is None else {"journal_limit_bytes": min(round(disk * DEFAULT_SHARE), DEFAULT_MOST)}
    return {"journal_limited": False} | usual


PROBE = Probe(
    name="log-sizes",
    title="Sizes of the logs",
    facts={
        "total_bytes": Fact("int", "what everything below /var/log takes, on the same file system", "bytes"),
        "total_percent": Fact("float", "the same, of the file system that it lies on", "percent"),
        "disk_bytes": Fact("int", "size of that file system", "bytes"),
        "journal_bytes": Fact("int", "what systemd's journal takes of it; not offered where none is kept", "bytes"),
        "journal_limit_bytes": Fact("int", "what it may take: SystemMaxUse, or journald's own default", "bytes"),
        "journal_limited": Fact("bool", "SystemMaxUse is set"),
        "largest": Fact("list", "log files over 20 MiB outside of the journal, the largest first, with their sizes"),
        "directories": Fact("list", "what lies directly below /var/log, the largest first, with sizes"),
    },
    question=question,
    read=read,
    presence=Presence.LASTING,
    recording=recording_of("the output of journalctl --disk-usage, or of du -k below /var/log", _bare),
)
