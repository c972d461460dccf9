"""Processes that are stuck: zombies that nobody reaps, and those in uninterruptible sleep.

A process that merely reads from a disk is in uninterruptible sleep for moments. So two samples are taken, a second
apart, and only a process counts that was in that state in both and was not given a processor in between (its context
switches are the same): it sat in one single wait. A zombie counts that was there in both. Where the first sample finds
nobody there is no second one, and no second is lost. Seen are processes, not the single threads within them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from maintops.domain.answers import Answer, Measured, Part, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import named_parts, refusal
from maintops.probes.contract import Fact, Presence, Probe

NAMED = 20
"""Processes that the lists name at most; the counts count them all."""

_QUESTION = """[ -r /proc/1/status ] || { echo 'only the processes of this user can be seen' >&2; exit 126; }
found=$(grep -ls '^State:[[:space:]]*[DZ]' /proc/[0-9]*/status)
status=$?
[ "$status" -le 2 ] || exit "$status"
part found printf '%s\\n' "$found"
[ -n "$found" ] || exit 0
part first grep -sHE '^(Name|State|PPid|(non)?voluntary_ctxt_switches):' $found
sleep 1
part second grep -sHE '^(Name|State|PPid|(non)?voluntary_ctxt_switches):' $found
"""
_LINE = re.compile(r"/proc/([0-9]{1,10})/status:(\w+):[ \t]*(.*)")


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    state: str
    label: str
    switches: tuple[str | None, str | None]


def question(parameters: Mapping[str, Any]) -> str:
    """Whose state is D or Z, and where there is any: how it stands now and a second later."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    if (why := refusal(answer)) is not None:
        return why
    parts = named_parts(answer)
    if "found" not in parts:
        raise UnreadableAnswer("the answer does not say which processes were found")
    if not parts["found"].text.strip():
        return _measured([], [])
    if "first" not in parts or "second" not in parts:
        raise UnreadableAnswer("the answer does not hold two samples")
    first, second = _sample(parts["first"]), _sample(parts["second"])
    both = [(before, second[pid]) for pid, before in sorted(first.items()) if pid in second]
    zombies = [after.label for before, after in both if before.state == after.state == "Z"]
    waiting = [after.label for before, after in both if before.state == "D" and before == after]
    return _measured(zombies, waiting)


def _measured(zombies: list[str], waiting: list[str]) -> Measured:
    facts = {
        "zombies": len(zombies),
        "zombie_processes": zombies[:NAMED],
        "uninterruptible": len(waiting),
        "uninterruptible_processes": waiting[:NAMED],
    }
    return Measured((SubjectFacts(None, facts),))


def _sample(part: Part) -> dict[int, _Process]:
    fields: dict[int, dict[str, str]] = {}
    for line in part.text.rstrip("\n").split("\n"):
        if not line:  # everybody has ended in the meantime
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise UnreadableAnswer(f"this is not a line of /proc/PID/status: {line[:80]!r}")
        fields.setdefault(int(found[1]), {})[found[2]] = found[3]
    return {pid: _process(pid, known) for pid, known in fields.items()}


def _process(pid: int, known: Mapping[str, str]) -> _Process:
    label = f"{known.get('Name', '?')} (pid {pid}, child of {known.get('PPid', '?')})"
    switches = (known.get("voluntary_ctxt_switches"), known.get("nonvoluntary_ctxt_switches"))
    return _Process(pid, known.get("State", "?")[:1], label, switches)


PROBE = Probe(
    name="stuck-processes",
    title="Zombie and uninterruptible processes",
    facts={
        "zombies": Fact("int", "processes that have ended and that their parents do not reap, for a second or longer"),
        "zombie_processes": Fact("list", f"their names, ids and parents, at most {NAMED}"),
        "uninterruptible": Fact("int", "processes that sat in one uninterruptible wait for a second or longer"),
        "uninterruptible_processes": Fact("list", f"their names, ids and parents, at most {NAMED}"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
)
