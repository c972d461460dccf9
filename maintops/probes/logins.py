"""Who is logged in beside this very login: `who` (coreutils, busybox), or else logind's sessions (loginctl(1)).

A login without a terminal (a command over SSH) stands in neither list; the one that asks may have a terminal, and is
left out by its number (field 7 of proc_pid_stat(5)).
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
from maintops.probes.answering import integer, named_parts
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.recorded import in_parts, recording_of, silence

_QUESTION = """\
own() { read -r line </proc/$$/stat && printf '%s\\n' "$line"; }
part own own
if command -v who >/dev/null 2>&1; then part who who
else part sessions loginctl --no-legend --no-pager list-sessions; fi
"""
_TERMINAL = re.compile(r"(?:pts/[0-9]+|tty\S*|hvc[0-9]+|console|:[0-9.]+|seat[0-9]+|xvc[0-9]+|sclp\S*|ttyS[0-9]+)")
_NO_LOGIN = re.compile(r"\s*$|USER\s|\s*SESSION\s|[0-9]+ sessions listed")
_NO_PERSON = frozenset({"manager", "manager-early", "background", "background-light", "greeter", "lock-screen"})
"""Classes of sessions that come with a login, or that nobody has logged in to yet (sd_session_get_class(3))."""
_PLACE = re.compile(r"\(([^)]*)\)\s*$")
_PTS_MAJORS = range(136, 144)
_TTY_MAJOR = 4


def question(parameters: Mapping[str, Any]) -> str:
    """The list of logins, and which terminal is our own."""
    return _QUESTION


def _bare(text: str) -> Answer | None:
    """What `who`, `w` or `loginctl list-sessions` printed."""
    lines = [line for line in text.split("\n") if line.strip()]
    if any(line.split()[:2] == ["SESSION", "UID"] for line in lines):
        return in_parts({"sessions": text})
    rows = [line for line in lines if not line.startswith((" ", "LOGIN ")) and _who(line)]  # who -a says more
    if rows or any(line.split()[:2] in (["USER", "TTY"], ["NAME", "LINE"]) for line in lines):
        return in_parts({"who": "".join(f"{line}\n" for line in rows)})
    return None


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    if (why := silence(answer)) is not None:
        return why
    found = named_parts(answer)
    if "who" in found:
        reader, part = _who, found["who"]
    elif "sessions" in found:
        reader, part = _session, found["sessions"]
    else:
        raise UnreadableAnswer("the answer about logins is not whole")
    if part.status != 0:
        return NotMeasured("neither who nor loginctl tells who is logged in")
    mine = _terminal(found.get("own"))
    logins = []
    for line in part.text.split("\n"):
        if _NO_LOGIN.match(line):
            continue
        login = reader(line)
        if login is not None and login[1] != mine and login[0]:
            logins.append(login)
        elif login is None:
            raise UnreadableAnswer(f"not a line of who or loginctl: {line[:80]!r}")
    facts = {
        "count": len(logins),
        "users": sorted({name for name, _, _ in logins}),
        "logins": [f"{name} {terminal}" + (f" from {place}" if place else "") for name, terminal, place in logins],
    }
    return Measured((SubjectFacts(None, facts),))


def _who(line: str) -> tuple[str, str, str] | None:
    """`anna  pts/0  2026-03-01 09:12 (10.0.0.5)`; busybox and w have the place in a column of its own."""
    words = line.split()
    if len(words) < 3:
        return None
    if words[1] in ("-", "+", "?") and len(words) > 3:
        words = [words[0], words[2], *words[3:]]
    if not _TERMINAL.fullmatch(words[1]):
        return None
    place = _PLACE.search(line)
    return words[0], words[1], place[1] if place else ""


def _session(line: str) -> tuple[str, str, str] | None:
    """`SESSION UID USER SEAT TTY …`; a seat or terminal that is not there is a dash, or nothing."""
    words = line.split()
    if len(words) < 3 or integer(words[1]) is None:
        return None
    if not _NO_PERSON.isdisjoint(words[3:]):
        return "", "", ""
    terminal = next((word for word in words[3:] if _TERMINAL.fullmatch(word) and not word.startswith("seat")), "")
    return words[2], terminal, ""


def _terminal(own: Part | None) -> str:
    """The name of the terminal of the process that asked, such as pts/3; a dash where it has none."""
    words = own.text.rpartition(") ")[2].split() if own is not None else []
    number = integer(words[4]) if len(words) > 4 else None
    if not number or number < 0:
        return "-"
    major, minor = (number >> 8) & 0xFFF, (number & 0xFF) | ((number >> 12) & 0xFFF00)
    if major in _PTS_MAJORS:
        return f"pts/{(major - _PTS_MAJORS.start) * 256 + minor}"
    return f"tty{minor}" if major == _TTY_MAJOR else "-"


PROBE = Probe(
    name="logins",
    title="Who is logged in",
    facts={
        "count": Fact("int", "logins on terminals and screens, without the one that asks", "logins"),
        "users": Fact("list", "names of those who are logged in"),
        "logins": Fact("list", "name, terminal and, where it is known, the place it comes from"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    recording=recording_of("the output of who, w or loginctl list-sessions", _bare),
)
