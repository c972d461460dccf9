"""Whether logrotate is installed, started by something, and was at work lately: logrotate(8) and its state file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import integer, named_parts, refusal
from maintops.probes.contract import Fact, Presence, Probe

MOST_NAMES = 50
"""Names that a list holds at most."""

_QUESTION = """\
entries() { for file in /etc/logrotate.d/*; do
  case $file in *.dpkg-*|*.rpm*|*~) ;; *) [ -f "$file" ] && echo "${file##*/}";; esac; done; :; }
if ! command -v logrotate >/dev/null 2>&1 && ! [ -x /usr/sbin/logrotate ]; then
  [ -n "$(entries)" ] || { echo 'logrotate: not found' >&2; exit 127; }
  part unrotated entries
  exit 0
fi
states() {
  for file in /var/lib/logrotate/status /var/lib/logrotate/logrotate.status /var/lib/logrotate.status \\
    /var/lib/misc/logrotate.status; do [ -e "$file" ] && stat -c '%Y %n' "$file"; done; :
}
jobs() { for file in /etc/cron.daily/logrotate /etc/cron.hourly/logrotate /etc/periodic/daily/logrotate; do
  [ -x "$file" ] && echo "$file"; done; :; }
part now date +%s
part states states
part jobs jobs
part timer systemctl is-enabled logrotate.timer
"""
_STATE = re.compile(r"([0-9]{1,11}) (/.+)")


def question(parameters: Mapping[str, Any]) -> str:
    """When logrotate last wrote down what it did, and what starts it."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    if (why := refusal(answer)) is not None:
        return why
    found = named_parts(answer)
    facts: dict[str, Any]
    if "unrotated" in found:
        waiting = found["unrotated"].text.split("\n")
        facts = {"installed": False, "unrotated": [one.strip() for one in waiting if one.strip()][:MOST_NAMES]}
        return Measured((SubjectFacts(None, facts, frozenset(PROBE.facts) - facts.keys()),))
    now = integer(found["now"].text) if "now" in found else None
    if now is None or not {"states", "jobs", "timer"} <= found.keys():
        raise UnreadableAnswer("the answer about logrotate is not whole")
    timer = found["timer"].text.strip() == "enabled"
    starters = [*(["logrotate.timer"] if timer else []), *found["jobs"].text.split()]
    facts = {"installed": True, "unrotated": [], "scheduled": bool(starters), "starters": starters}
    times = [int(match[1]) for match in map(_STATE.fullmatch, found["states"].text.split("\n")) if match]
    if times:
        facts["last_run_hours"] = round((now - max(times)) / 3600, 1)
        return Measured((SubjectFacts(None, facts),))
    return Measured((SubjectFacts(None, facts, frozenset({"last_run_hours"})),))


PROBE = Probe(
    name="log-rotation",
    title="Rotation of the logs",
    facts={
        "installed": Fact("bool", "there is logrotate; where nothing waits for it either, nothing is measured"),
        "unrotated": Fact("list", f"without logrotate: its files in /etc/logrotate.d, at most {MOST_NAMES}"),
        "scheduled": Fact("bool", "a timer or a cron job starts logrotate"),
        "starters": Fact("list", "logrotate.timer, and the files of cron"),
        "last_run_hours": Fact("float", "since it last wrote its state; not offered where it never ran", "hours"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
)
