"""Whether a backup runs right now, by the names of the programs that make one (proc_pid_comm(5))."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, Skipped, SubjectFacts
from maintops.probes.answering import named_parts
from maintops.probes.contract import Fact, Parameter, Presence, Probe
from maintops.probes.processes import programs_of, running_programs, told

PROGRAMS = (
    *("rsync", "rsnapshot", "rdiff-backup", "borg", "borgmatic", "restic", "kopia", "duplicity", "duply", "burp"),
    *("backup2l", "dump", "xfsdump", "partclone", "fsarchiver", "vzdump", "proxmox-backup-client", "dsmc", "rear"),
    *("mysqldump", "mariadb-dump", "mydumper", "xtrabackup", "mariabackup", "mariadb-backup", "innobackupex"),
    *("pg_dump", "pg_dumpall", "pg_basebackup", "pgbackrest", "barman", "wal-g", "mongodump", "rman", "slapcat"),
)
"""Names of programs that run only while a backup is made. Daemons that wait for one (bacula-fd) are not among them."""


def question(parameters: Mapping[str, Any]) -> str | Skipped:
    """Which of the programs run."""
    names = _names(parameters)
    if not names:
        return Skipped("no names of backup programs are configured: set the parameter programs")
    return running_programs(names)


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    running = programs_of(named_parts(answer))
    if isinstance(running, NotMeasured):
        return running
    return Measured((SubjectFacts(None, {"count": len(running), "running": told(running)}),))


def _names(parameters: Mapping[str, Any]) -> list[str]:
    names = parameters.get("programs", list(PROGRAMS))
    return [str(name) for name in ([names] if isinstance(names, str) else names or []) if str(name).strip()]


PROBE = Probe(
    name="running-backups",
    title="Backups that run right now",
    facts={
        "count": Fact("int", "programs that make a backup", "processes"),
        "running": Fact("list", "those programs, each with its process number"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    parameters={"programs": Parameter(list(PROGRAMS), "names of programs that run only while a backup is made")},
)
