"""Whether somebody works on the packages right now: package managers that run, and locks that are held.

Formats: proc_pid_comm(5), proc_locks(5). Daemons that only wait for work (packagekitd, unattended-upgrade-shutdown)
are not looked for by name: at work they hold a lock.
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
from maintops.probes.processes import programs_of, running_programs, told

MANAGERS = (
    *("apt", "apt-get", "aptitude", "apt.systemd.daily", "dpkg", "dpkg-deb", "dpkg-preconfigure"),
    *("dnf", "dnf-3", "dnf5", "dnf-automatic", "microdnf", "tdnf", "yum", "yum-cron", "rpm", "rpmdb"),
    *("zypper", "zypp-refresh", "apk"),
)
"""Names of programs that work on packages for as long as they run."""

LOCKS = (
    *("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/apt/lists/lock", "/var/cache/apt/archives/lock"),
    *("/var/lib/rpm/.rpm.lock", "/usr/lib/sysimage/rpm/.rpm.lock", "/lib/apk/db/lock"),
)
"""Files that package managers lock while they work."""

_QUESTION = f"""\
{running_programs(MANAGERS)}\
files() {{ for file in {" ".join(LOCKS)}; do [ -e "$file" ] && set -- "$@" "$file"; done
  [ $# = 0 ] || stat -c '%i %n' "$@"; }}
part files files
part locks cat /proc/locks
"""
_FILE = re.compile(r"([0-9]{1,20}) (/.+)")
_LOCK = re.compile(r"[0-9]+: (?:POSIX|FLOCK|OFDLCK) .* ([0-9-]+) [0-9a-f]+:[0-9a-f]+:([0-9]+) .*")


def question(parameters: Mapping[str, Any]) -> str:
    """The programs that run, and the kernel's list of locks."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    found = named_parts(answer)
    if "locks" not in found:
        raise UnreadableAnswer("the answer about locks is not whole")
    running = programs_of(found)
    if isinstance(running, NotMeasured):
        return running
    locked = _locked(found.get("files"), found["locks"])
    facts: dict[str, Any] = {"running": told(running)}
    if locked is not None:
        facts |= {"locked": locked, "busy": bool(running or locked)}
    elif running:
        facts["busy"] = True
    return Measured((SubjectFacts(None, facts),))


def _locked(files: Part | None, locks: Part) -> list[str] | None:
    """The files that are locked, by their inodes; None where the kernel does not tell."""
    if files is None or files.status not in (0, 1) or locks.status != 0:
        return None
    inodes = {match[1]: match[2] for match in map(_FILE.fullmatch, files.text.split("\n")) if match}
    held = {match[2] for match in map(_LOCK.fullmatch, locks.text.split("\n")) if match}
    return sorted(path for inode, path in inodes.items() if inode in held)


PROBE = Probe(
    name="package-locks",
    title="Work on the packages",
    facts={
        "busy": Fact("bool", "a package manager is at work"),
        "running": Fact("list", "package managers that run, each with its process number"),
        "locked": Fact("list", "lock files of package managers that somebody holds"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
)
