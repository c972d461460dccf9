"""Services that run: systemd's (`systemctl list-units`, systemctl(1)) or OpenRC's (rc-status(8))."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from maintops.domain.answers import (
    Answer,
    Measured,
    NotMeasured,
    Reading,
    SubjectFacts,
    UnreadableAnswer,
)
from maintops.probes.answering import named_parts
from maintops.probes.contract import Fact, Parameter, Presence, Probe
from maintops.probes.recorded import in_parts, recording_of, silence

PASSING_BY = ("user@*", "user-runtime-dir@*", "getty@*", "serial-getty@*", "*-daily*", "packagekit*", "fwupd*")
"""Services that come with a login, a timer or a call, and go again."""

_QUESTION = """\
if command -v systemctl >/dev/null 2>&1; then
  part systemd systemctl --no-pager --no-legend --plain --full list-units --type=service --state=running
elif command -v rc-status >/dev/null 2>&1; then part openrc rc-status --nocolor --servicelist
fi
part end :
"""
_UNIT = re.compile(r"\s*(?:[^\w\s]\s+)?(\S+\.service)\s+(\S+)\s+(\S+)\s+(\S+)(?:\s.*)?")
_OPENRC = re.compile(r"\s*(\S+)\s+\[\s*(\w+)[^\]]*\]")


def question(parameters: Mapping[str, Any]) -> str:
    """The services that run."""
    return _QUESTION


def _bare(text: str) -> Answer | None:
    """What `systemctl list-units` (of any type and state) or `rc-status` printed."""
    lines = text.split("\n")
    units = [line for line in lines if _UNIT.fullmatch(line)]
    if units:  # without heading and legend
        return in_parts({"systemd": "".join(f"{line}\n" for line in units)})
    if any(map(_OPENRC.fullmatch, lines)):
        return in_parts({"openrc": text})
    return None


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server. Services that come and go (parameter ignore) are left out."""
    if (why := silence(answer)) is not None:
        return why
    found = named_parts(answer)
    if "systemd" in found:
        part, running = found["systemd"], _systemd
    elif "openrc" in found:
        part, running = found["openrc"], _openrc
    elif "end" in found:
        return NotMeasured("neither systemd nor OpenRC runs here")
    else:
        raise UnreadableAnswer("the answer about services is not whole")
    if part.status != 0 or not part.output.strip():
        return NotMeasured(f"the service manager does not answer here (exit status {part.status})")
    ignored = [str(one) for one in parameters.get("ignore", PASSING_BY) or ()]
    names = sorted({name for name in running(part.text) if not any(fnmatchcase(name, one) for one in ignored)})
    return Measured((SubjectFacts(None, {"running": names, "count": len(names)}),))


def _systemd(text: str) -> list[str]:
    names = []
    for line in text.split("\n"):
        match = _UNIT.fullmatch(line)
        if match is not None and match[4] == "running":
            names.append(match[1].removesuffix(".service"))
        elif match is None and line.strip():
            raise UnreadableAnswer(f"not a line of systemctl list-units: {line[:80]!r}")
    if not names:
        raise UnreadableAnswer("systemctl lists no service that runs")
    return names


def _openrc(text: str) -> list[str]:
    rows = [match for match in map(_OPENRC.fullmatch, text.split("\n")) if match]
    if not rows:
        raise UnreadableAnswer(f"not what rc-status prints: {text.strip()[:80]!r}")
    return [row[1] for row in rows if row[2] == "started"]


PROBE = Probe(
    name="services",
    title="Services that run",
    facts={
        "running": Fact("list", "names of the services that run, without .service"),
        "count": Fact("int", "how many there are", "services"),
    },
    question=question,
    read=read,
    presence=Presence.LASTING,
    parameters={
        "ignore": Parameter(list(PASSING_BY), "services to leave out; * and ? stand for any characters"),
    },
    recording=recording_of("the output of systemctl list-units or rc-status", _bare),
)
