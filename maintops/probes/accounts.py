"""Accounts of the server itself: passwd(5), shadow(5), group(5). Password hashes stay there: only names leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
no_password() { sed -n 's/^\\([^:+-][^:]*\\)::.*/\\1/p' "$1"; }
members() { for group in sudo wheel admin; do set -- "$@" -e "s/^$group:[^:]*:[^:]*:/$group:/p"; done
  sed -n "$@" /etc/group; }
part passwd cut -s -d: -f1,3,7 /etc/passwd
part open no_password /etc/passwd
part shadow no_password /etc/shadow
part groups members
"""

_NO_LOGIN = ("nologin", "false", "sync", "halt", "shutdown", "null")


@dataclass(frozen=True, slots=True)
class _Account:
    name: str
    uid: int
    shell: str

    @property
    def can_log_in(self) -> bool:
        """An empty shell means /bin/sh."""
        return self.shell.rsplit("/", 1)[-1] not in _NO_LOGIN


def question(parameters: Mapping[str, Any]) -> str:
    """Names, numbers and shells; names without a password; members of the groups that may become root."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    if (why := silence(answer)) is not None:
        return why
    found = named_parts(answer)
    if "passwd" not in found or "groups" not in found:
        raise UnreadableAnswer("the answer about accounts is not whole")
    if found["passwd"].status != 0:
        return NotMeasured("/etc/passwd cannot be read")
    accounts = _accounts(found["passwd"].text)
    facts: dict[str, Any] = {
        "uid0": [one.name for one in accounts if one.uid == 0],
        "accounts": [one.name for one in accounts if one.can_log_in],
    }
    without = [found[name] for name in ("open", "shadow") if name in found]
    if len(without) == 2 and all(part.status == 0 for part in without):  # root alone may read the second file
        facts["empty_passwords"] = list(
            dict.fromkeys(name for part in without for name in part.text.split("\n") if name)
        )
    if found["groups"].status == 0:
        facts["admins"] = _members(found["groups"])
    return Measured((SubjectFacts(None, facts),))


def _accounts(text: str) -> list[_Account]:
    accounts = []
    for line in text.split("\n"):
        if not line.strip() or line[0] in "+-":  # what NIS adds is no account of the server itself
            continue
        columns = line.split(":")
        uid = integer(columns[1]) if len(columns) == 3 else None
        if uid is None or not columns[0]:
            raise UnreadableAnswer(f"not an account: {line[:80]!r}")
        accounts.append(_Account(columns[0], uid, columns[2].strip()))
    if not accounts:
        raise UnreadableAnswer("/etc/passwd holds no account")
    return accounts


def _members(part: Part) -> list[str]:
    names: set[str] = set()
    for line in part.text.split("\n"):
        group, colon, members = line.strip().partition(":")
        if group and not colon:
            raise UnreadableAnswer(f"not a group: {line[:80]!r}")
        names.update(name for name in members.split(",") if name)
    return sorted(names)


def _recorded(text: str) -> Answer | None:
    """/etc/passwd, or `getent passwd`. Who has no password stands in the shadow file, who is in a group elsewhere."""
    lines = [line for line in text.split("\n") if line.strip() and line[0] not in "+-#"]
    rows = [line.split(":") for line in lines]
    if not rows or not all(len(row) == 7 and row[0] and row[2].isdigit() for row in rows):
        return None
    return in_parts({"passwd": "\n".join(f"{row[0]}:{row[2]}:{row[6]}" for row in rows), "groups": (2, "")})


PROBE = Probe(
    name="accounts",
    title="Accounts",
    facts={
        "uid0": Fact("list", "names of the accounts with the number 0: those are root"),
        "empty_passwords": Fact("list", "names of the accounts that need no password; root alone can tell"),
        "accounts": Fact("list", "names of the accounts that have a shell to log in to"),
        "admins": Fact("list", "members of the groups sudo, wheel and admin"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    recording=recording_of("/etc/passwd or output of getent passwd", _recorded),
)
