"""People's accounts that nobody has used for long: passwd(5), lastlog(8) (or lastlog2), and from shadow(5) the day of
the last change of a password. Hashes stay on the server."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
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
from maintops.probes.contract import Fact, Parameter, Presence, Probe
from maintops.probes.recorded import RECORDED, in_parts, recording_of, silence

FIRST_PERSON, NOBODY = 1000, 65534
"""Numbers from the first on belong to people (login.defs(5), UID_MIN), but for nobody's."""

_QUESTION = """\
logins() { if command -v lastlog2 >/dev/null 2>&1; then lastlog2; else lastlog; fi; }
passwords() { awk -F: '{ print $1, $3 }' /etc/shadow; }
part now date +%s
part passwd cut -s -d: -f1,3,7 /etc/passwd
part passwords passwords
part logins logins
"""
# A person's recording may be in the language of that person: of the words only the month is needed.
_LOGIN = re.compile(
    r"(\S+)\s.*?\s\S{1,3} "
    r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|[0-9]{1,2}\N{CJK UNIFIED IDEOGRAPH-6708}) {1,2}([0-9]{1,2}) "
    r"([0-9]{2}):([0-9]{2}):([0-9]{2}) (?:([+-][0-9]{2}):?([0-9]{2}) )?([0-9]{4})\s*"
)
_NEVER = re.compile(r"(\S+)\s+.*\*\*[^*]+\*\*\s*")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NO_LOGIN = ("nologin", "false", "sync", "halt", "shutdown", "null")
_DAY = 86400


@dataclass(frozen=True, slots=True)
class _Account:
    name: str
    uid: int

    @property
    def is_person(self) -> bool:
        return self.uid >= FIRST_PERSON and self.uid != NOBODY


def question(parameters: Mapping[str, Any]) -> str:
    """Accounts, their last logins, and how old their passwords are."""
    return _QUESTION


def _bare(text: str) -> Answer | None:
    """What `lastlog` printed."""
    if any(_LOGIN.fullmatch(line) or _NEVER.fullmatch(line) for line in text.split("\n")):
        return in_parts({"logins": text})
    return None


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    if (why := silence(answer)) is not None:
        return why
    found = named_parts(answer)
    if "logins" not in found:
        raise UnreadableAnswer("the answer about logins is not whole")
    last, never = _logins(found["logins"])
    if RECORDED in found:  # a recording: nothing but who logged in, and who never did
        facts = {"never": sorted(never), "last_logins": {name: _shown(moment) for name, moment in last.items()}}
        return Measured((SubjectFacts(None, facts),))
    now = integer(found["now"].text) if "now" in found else None
    if now is None or "passwd" not in found:
        raise UnreadableAnswer("the answer about accounts is not whole")
    if found["passwd"].status != 0:
        return NotMeasured("/etc/passwd cannot be read")
    accounts = _accounts(found["passwd"].text)
    facts = {"system_shells": [one.name for one in accounts if not one.is_person and one.uid not in (0, NOBODY)]}
    people = [one.name for one in accounts if one.is_person]
    facts["people"] = people
    if found["logins"].status == 0 and (last or never):
        facts |= _unused(people, last, never, _passwords(found.get("passwords")), now, _days(parameters))
    return Measured((SubjectFacts(None, facts),))


def _unused(
    people: list[str],
    last: Mapping[str, int],
    never: set[str],
    passwords: Mapping[str, int],
    now: int,
    days: int,
) -> dict[str, Any]:
    """Who did not log in for so many days. Who never did is unused only where the password is as old as that: the
    account itself may be new."""
    idle = {name: (now - last[name]) // _DAY for name in people if name in last and now - last[name] > days * _DAY}
    strangers = [name for name in people if name in never]
    old = [name for name in strangers if name in passwords and 0 < passwords[name] < now // _DAY - days]
    return {
        "unused": sorted([*idle, *old]),
        "unused_count": len(idle) + len(old),
        "unused_described": [
            *(f"{name} ({count} days)" for name, count in sorted(idle.items())),
            *(f"{name} (never)" for name in sorted(old)),
        ],
        "never": sorted(strangers),
        "last_logins": {name: _shown(last[name]) for name in people if name in last},
    }


def _accounts(text: str) -> list[_Account]:
    """The accounts that have a shell to log in to."""
    accounts = []
    for line in text.split("\n"):
        if not line.strip() or line[0] in "+-":
            continue
        columns = line.split(":")
        uid = integer(columns[1]) if len(columns) == 3 else None
        if uid is None or not columns[0]:
            raise UnreadableAnswer(f"not an account: {line[:80]!r}")
        if columns[2].strip().rsplit("/", 1)[-1] not in _NO_LOGIN:
            accounts.append(_Account(columns[0], uid))
    return accounts


def _logins(part: Part) -> tuple[dict[str, int], set[str]]:
    last: dict[str, int] = {}
    never: set[str] = set()
    for line in part.text.split("\n"):
        if (match := _NEVER.fullmatch(line)) is not None:
            never.add(match[1])
        elif (match := _LOGIN.fullmatch(line)) is not None and (moment := _moment(match)) is not None:
            last[match[1]] = moment
    return last, never - last.keys()


def _moment(match: re.Match[str]) -> int | None:
    day, hour, minute, second, east, more, year = (match[place] or "0" for place in range(3, 10))
    try:
        moment = datetime(int(year), _month(match[2]), int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError:
        return None
    away = int(east) * 3600 + (-1 if east.startswith("-") else 1) * int(more) * 60
    return int(moment.timestamp()) - away


def _month(text: str) -> int:
    return _MONTHS.index(text) + 1 if text in _MONTHS else int(text[:-1])


def _shown(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).date().isoformat()


def _passwords(part: Part | None) -> dict[str, int]:
    """Name -> the day since 1970 on which the password was last changed; root alone can tell."""
    if part is None or part.status != 0:
        return {}
    found = {}
    for line in part.text.split("\n"):
        words = line.split()
        day = integer(words[1]) if len(words) == 2 else None
        if day is not None:
            found[words[0]] = day
    return found


def _days(parameters: Mapping[str, Any]) -> int:
    days = integer(str(parameters.get("days", 365)))
    return min(max(days if days is not None else 365, 1), 36500)


PROBE = Probe(
    name="unused-users",
    title="Accounts that nobody uses",
    facts={
        "people": Fact("list", "accounts of people that have a shell"),
        "unused": Fact("list", "those of them that did not log in for so many days (parameter days)"),
        "unused_count": Fact("int", "how many those are", "accounts"),
        "unused_described": Fact("list", "the same, each with the days since the last login, or never"),
        "never": Fact("list", "accounts of people that never logged in, new ones among them"),
        "last_logins": Fact("dict", "name to the day of the last login (UTC)"),
        "system_shells": Fact("list", "accounts of programs that have a shell, and do not need one"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    parameters={"days": Parameter(365, "after how many days without a login an account is unused")},
    recording=recording_of("the output of lastlog", _bare),
)
