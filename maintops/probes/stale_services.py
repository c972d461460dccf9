"""Programs that still run what an update has replaced: files that are deleted are in their maps (proc_pid_maps(5)).

A recording may also be what needrestart (`-b`), needs-restarting (`-s`, or alone) say of it.
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
from maintops.probes.answering import named_parts, present, refusal
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.recorded import in_parts, recording_of, silence

MOST_NAMES = 50
"""Names that a list holds at most."""

# Only what is executed: data files are replaced all the time. Only where packages put programs: /memfd and /tmp are
# deleted by intention.
REPLACED = r" r-xp .* /(usr/)?(s?bin|lib[a-z0-9]*)/.* \(deleted\)$"
"""Lines of a process's maps that tell of a program or library that was replaced, as an expression of `grep -E`."""

_QUESTION = f"""\
stale() {{
  set --
  for maps in $(grep -slE '{REPLACED}' /proc/[0-9]*/maps); do
    set -- "$@" "${{maps%maps}}comm" "${{maps%maps}}cgroup"
  done
  [ $# = 0 ] || grep -sH . "$@"
}}
part uid id -u
part witness grep -c . /proc/1/maps
part stale stale
"""
_LINE = re.compile(r"/proc/([0-9]{1,10})/(comm|cgroup):(.*)")
_UNIT = re.compile(r"/([^/]+\.service)(?:/|$)")
_NEEDRESTART = re.compile(r"NEEDRESTART-SVC: *(\S+)")
_PROCESS = re.compile(r"\s*[0-9]+ : (\S+).*")
_SERVICE = re.compile(r"\s*(\S+\.service)\s*")
_NOISE = re.compile(
    r"\s*|Updating Subscription.*|Last metadata.*|Unable to read consumer.*|Not root.*|.*repositories\."
)


def question(parameters: Mapping[str, Any]) -> str:
    """The processes with deleted programs or libraries, and the units that they belong to."""
    return _QUESTION


def _bare(text: str) -> Answer | None:
    """What `needrestart -b`, `needs-restarting` or `needs-restarting -s` printed. Nothing is what the last two print
    where all is well, but also what a tool prints that did not work: that stays not measured."""
    if "NEEDRESTART-" in text:
        return in_parts({"needrestart": text})
    lines = [line for line in text.split("\n") if _NOISE.fullmatch(line) is None]
    if lines and all(_PROCESS.fullmatch(line) or _SERVICE.fullmatch(line) for line in lines):
        return in_parts({"needs": "".join(f"{line}\n" for line in lines)})
    return None


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    if (why := silence(answer) or refusal(answer)) is not None:
        return why
    found = named_parts(answer)
    if "needrestart" in found:
        return _needrestart(found["needrestart"])
    if "needs" in found:
        return _needs(found["needs"])
    if not {"uid", "witness", "stale"} <= found.keys():
        raise UnreadableAnswer("the answer about replaced libraries is not whole")
    if found["uid"].text.strip() != "0":
        return NotMeasured("what other users' processes have loaded cannot be seen: root alone may see it")
    return _maps(found["stale"], found["witness"].status == 0)


def _maps(part: Part, init_seen: bool) -> Reading:
    """What could be seen: even root may be refused a process, such as process 1 from within a container."""
    names: dict[str, str] = {}
    units: dict[str, None] = {}
    for line in part.text.split("\n"):
        match = _LINE.fullmatch(line)
        if match is None:
            if line.strip():
                raise UnreadableAnswer(f"not a line of /proc: {line[:80]!r}")
        elif match[2] == "comm":
            names[match[1]] = match[3]
        elif (unit := _UNIT.search(match[3])) is not None:
            units[unit[1]] = None
    return _measured(list(names.values()), list(units), ("1" in names) if init_seen else None)


def _needrestart(part: Part) -> Reading:
    units = _NEEDRESTART.findall(part.text)
    return Measured((SubjectFacts(None, _facts(units) | {"count": len(units)}, frozenset({"processes", "init"})),))


def _needs(part: Part) -> Reading:
    lines = part.text.split("\n")
    units = [match[1] for match in map(_SERVICE.fullmatch, lines) if match]
    programs = [match[1].rpartition("/")[2] for match in map(_PROCESS.fullmatch, lines) if match]
    if programs:
        facts = {"processes": sorted(set(programs))[:MOST_NAMES], "count": len(programs)}
        return Measured((SubjectFacts(None, facts, frozenset({"services", "init"})),))
    return Measured((SubjectFacts(None, _facts(units) | {"count": len(units)}, frozenset({"processes", "init"})),))


def _measured(names: list[str], units: list[str], init: bool | None) -> Reading:
    facts = _facts(units) | {"processes": sorted(set(names))[:MOST_NAMES], "count": len(names)}
    facts |= present(init=init)
    return Measured((SubjectFacts(None, facts),))


def _facts(units: list[str]) -> dict[str, Any]:
    return {"services": sorted({unit.removesuffix(".service") for unit in units})[:MOST_NAMES]}


PROBE = Probe(
    name="stale-services",
    title="Programs that run what an update has replaced",
    facts={
        "count": Fact("int", "processes (a recording of units: units) that run a deleted program or library"),
        "processes": Fact("list", f"names of those processes, at most {MOST_NAMES}"),
        "services": Fact("list", f"systemd's services that they belong to, without .service, at most {MOST_NAMES}"),
        "init": Fact("bool", "process 1 is among them: it needs to be executed anew, or a reboot"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    recording=recording_of("the output of needrestart -b, needs-restarting or needs-restarting -s", _bare),
)
