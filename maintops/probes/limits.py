"""Limits of open files and processes: the kernel's, systemd's, PAM's, and who is near its own.

Formats: proc_sys_fs(5) (file-nr), proc_loadavg(5), proc_pid_limits(5), systemctl(1) (`show`), limits.conf(5).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import (
    Answer,
    Measured,
    Part,
    Reading,
    SubjectFacts,
    UnreadableAnswer,
)
from maintops.probes.answering import integer, named_parts, percent, present
from maintops.probes.contract import Fact, Presence, Probe

CROWDED_PERCENT = 80
"""A process that has so much of its limit of open files in use is named."""

MOST_NAMES = 20
"""Entries that a list holds at most."""

_QUESTION = """\
used() {
  { find /proc/[0-9]*/fd -mindepth 1 -maxdepth 1
    grep -sH '^Max open files' /proc/[0-9]*/limits
  } 2>/dev/null | awk -F/ '
    /:Max open files/ { split($0, word, " +"); limit[$3] = word[4]; next }
    { used[$3]++ }
    END { for (pid in limit) { all++; if (limit[pid] > 0 && used[pid] * 100 >= limit[pid] * %(crowded)d)
        print "near", pid, used[pid], limit[pid] }
      print "processes", all + 0 }' |
  while read -r what pid rest; do
    name=; [ "$what" = near ] && read -r name </proc/$pid/comm
    printf '%%s %%s %%s %%s\\n' "$what" "$pid" "$rest" "$name"
  done
}
settings() { cat /etc/security/limits.conf /etc/security/limits.d/*.conf 2>/dev/null | grep -E '^[[:space:]]*[^#]'
  [ -d /etc/security ]; }
part uid id -u
part kernel grep -sH . /proc/sys/fs/file-nr /proc/sys/kernel/pid_max /proc/sys/kernel/threads-max /proc/loadavg
part systemd systemctl show -p DefaultLimitNOFILE -p DefaultLimitNOFILESoft -p DefaultTasksMax
part pam settings
part used used
""" % {"crowded": CROWDED_PERCENT}  # noqa: UP031 - braces are sh's here

_NEAR = re.compile(r"near ([0-9]{1,10}) ([0-9]{1,10}) ([0-9]{1,18}) ?(.*)")
_PROPERTY = re.compile(r"(Default\w+)=(\S+)")
_PAM = re.compile(r"\s*(\S+)\s+(soft|hard|-)\s+([a-z]+)\s+(\S+)\s*(?:#.*)?")
_UNBOUNDED = 1 << 62
_DIGITS = re.compile(r"[0-9]{1,20}")
_BOUNDS: Mapping[str, str] = {
    "DefaultLimitNOFILE": "unit_files_hard",
    "DefaultLimitNOFILESoft": "unit_files_soft",
    "DefaultTasksMax": "unit_tasks",
}


def question(parameters: Mapping[str, Any]) -> str:
    """What is in use and what is allowed, by all who have a say."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    found = named_parts(answer)
    if not {"uid", "kernel", "used"} <= found.keys():
        raise UnreadableAnswer("the answer about limits is not whole")
    facts = _kernel(found["kernel"])
    units, missing = _units(found.get("systemd"))
    facts |= units
    pam = found.get("pam")
    if pam is not None and pam.status == 0:
        rows = [match for match in map(_PAM.fullmatch, pam.text.split("\n")) if match]
        facts["pam"] = [" ".join(row.groups()) for row in rows][:MOST_NAMES]
    else:
        missing |= {"pam"}
    if found["uid"].text.strip() == "0":  # root alone sees the files of others
        facts |= _near(found["used"])
    return Measured((SubjectFacts(None, facts, frozenset(missing)),))


def _kernel(part: Part) -> dict[str, Any]:
    lines = (line.partition(":") for line in part.text.split("\n"))
    files = {path.rpartition("/")[2]: content.split() for path, _, content in lines if path.startswith("/")}
    open_files, most_files = (_number(files, "file-nr", place) for place in (0, 2))
    running = files.get("loadavg", [])
    tasks = integer(running[3].partition("/")[2]) if len(running) > 3 else None
    bounds = [one for one in (_number(files, "pid_max", 0), _number(files, "threads-max", 0)) if one is not None]
    most_tasks = min(bounds) if len(bounds) == 2 else None
    if open_files is None or most_files is None:
        raise UnreadableAnswer("/proc/sys/fs/file-nr does not say how many files are open")
    return present(
        open_files=open_files,
        open_files_limit=most_files,
        open_files_percent=percent(open_files, most_files),
        tasks=tasks,
        tasks_limit=most_tasks,
        tasks_percent=percent(tasks, most_tasks) if tasks is not None and most_tasks is not None else None,
    )


def _number(files: Mapping[str, list[str]], name: str, place: int) -> int | None:
    words = files.get(name, [])
    return _bound(words[place]) if len(words) > place else None


def _units(part: Part | None) -> tuple[dict[str, Any], set[str]]:
    """What systemd gives to units that say nothing themselves; a bound that is infinite is not offered."""
    names = set(_BOUNDS.values())
    if part is None or part.status != 0:
        return {}, names
    values = dict(_PROPERTY.findall(part.text))
    bounds = {fact: _bound(values.get(name)) for name, fact in _BOUNDS.items()}
    facts: dict[str, Any] = {fact: bound for fact, bound in bounds.items() if bound is not None and bound < _UNBOUNDED}
    return facts, names - facts.keys()


def _bound(text: str | None) -> int | None:
    """A number of up to 64 bits; None for `infinity`."""
    return int(text) if text is not None and _DIGITS.fullmatch(text) else None


def _near(part: Part) -> dict[str, Any]:
    if not re.search(r"(?m)^processes [1-9]", part.text):
        return {}
    rows = [match for match in map(_NEAR.fullmatch, part.text.split("\n")) if match]
    names = [f"{row[4].strip() or 'process'} ({row[1]}): {row[2]} of {row[3]}" for row in rows]
    return {"crowded": sorted(names)[:MOST_NAMES]}


PROBE = Probe(
    name="limits",
    title="Limits of open files and processes",
    facts={
        "open_files": Fact("int", "files that are open on the whole server", "files"),
        "open_files_limit": Fact("int", "how many may be (fs.file-max)", "files"),
        "open_files_percent": Fact("float", "open of what may be", "percent"),
        "tasks": Fact("int", "processes and threads", "tasks"),
        "tasks_limit": Fact("int", "the lesser of kernel.pid_max and kernel.threads-max", "tasks"),
        "tasks_percent": Fact("float", "tasks of what may be", "percent"),
        "unit_files_soft": Fact(
            "int", "open files that a unit may have at first; not offered where unbounded", "files"
        ),
        "unit_files_hard": Fact("int", "the most that it may ask for; not offered where unbounded", "files"),
        "unit_tasks": Fact("int", "tasks that a unit may have; not offered where unbounded", "tasks"),
        "pam": Fact("list", "lines of limits.conf and limits.d, as 'DOMAIN TYPE ITEM VALUE'"),
        "crowded": Fact(
            "list", f"processes that have {CROWDED_PERCENT} % of their own limit open; root alone can tell"
        ),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
)
