"""Failed logins over SSH, from the journal or else from the log of rsyslog or busybox.

They are counted on the server: an attacked one logs more than an answer may hold, and a name that is no account's may
be a password typed in the wrong field, so such names stay there. One connection counts once, or as often as a password
was refused on it. The sentences are those of OpenSSH's auth.c, auth2.c and packet.c, since version 6.
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
    Skipped,
    SubjectFacts,
    UnreadableAnswer,
)
from maintops.probes.answering import integer, named_parts
from maintops.probes.contract import Fact, Parameter, Presence, Probe

MOST_NAMES = 10
"""Accounts and sources that are named; the counts count all."""

# A refused key is no refused login: clients offer several. "none" is how every client begins.
_COUNT = r"""
function recent(line,   key) {
  if (!filtered) return 1
  if (line ~ /^[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T/) return (substr(line, 1, 19) "") >= (iso "")
  key = (index("JanFebMarAprMayJunJulAugSepOctNovDec", substr(line, 1, 3)) + 2) / 3
  key = sprintf("%02d%02d", key, substr(line, 5, 2))
  key = key substr(line, 8, 2) substr(line, 11, 2) substr(line, 14, 2)
  if ((from "") > (now "")) return key >= (from "") || key <= (now "")
  return key >= (from "") && key <= (now "")
}
/^Hint: You are currently not seeing messages/ || /^No journal files were opened due to insufficient/ { denied = 1 }
{
  said = $0
  if (filtered) {
    if (!match(said, /sshd(-session|-auth)?\[[0-9]+\]: /)) next
    said = substr(said, RSTART + RLENGTH)
  }
  times = 1
  if (said ~ /^message repeated [0-9]+ times: \[ /) {
    split(said, word, " ")
    times = word[3]
    sub(/^message repeated [0-9]+ times: \[ /, "", said)
  }
  refused = said ~ /^Failed [^ ]+ for / && said !~ /^Failed (none|publickey|hostbased|gssapi[^ ]*) for /
  left = said ~ /^Invalid user / ||
    said ~ /^(Connection (closed|reset) by|Disconnected from|Disconnecting) (invalid|authenticating) user / ||
    said ~ /^(error: )?maximum authentication attempts exceeded for /
  if (!(refused || left) || !recent($0)) next
  at = 0
  while (match(substr(said, at + 1), / [^ ]+ port [0-9]+/)) { at += RSTART; size = RLENGTH }
  if (!at) next
  split(substr(said, at + 1, size - 1), word, " ")
  source = word[1]
  key = source " " word[3]
  sources[key] = source ~ /^[A-Za-z0-9.:_%-]+$/ ? source : "?"
  if (refused) refusals[key] += times
  if (said ~ /^Invalid user / || said ~ /^(error: )?[A-Za-z\/ -]+ invalid user /) { accounts[key] = ""; next }
  sub(/^((error: )?maximum authentication attempts exceeded for|Failed [^ ]+ for|.* authenticating user) /, "", said)
  split(said, word, " ")
  accounts[key] = word[1] ~ /^[A-Za-z0-9_.@+-]+$/ ? word[1] : "?"
}
END {
  for (key in sources) {
    count = refusals[key] > 0 ? refusals[key] : 1
    total += count
    by_source[sources[key]] += count
    if (accounts[key] == "") unknown += count; else by_account[accounts[key]] += count
  }
  printf "%d total -\n%d unknown -\n%d denied -\n", total, unknown, denied
  order = "sort -k1,1rn -k3 | head -n 40"
  for (one in by_source) printf "%d source %s\n", by_source[one], one | order
  close(order)
  for (one in by_account) printf "%d account %s\n", by_account[one], one | order
}
"""

_QUESTION = """\
count='%(count)s'
since=$(( $(date +%%s) - 3600 * %(hours)d ))
log=
for file in /var/log/auth.log /var/log/secure /var/log/messages; do
  [ -e "$file" ] && log=$file && break
done
from_journal() {
  journalctl --no-pager -o cat --since "@$since" _UID=0 _COMM=sshd _COMM=sshd-session _COMM=sshd-auth 2>&1 |
    awk -v filtered=0 "$count"
}
from_log() {
  for file in "$log".1 "$log"-[0-9]*[0-9] "$log"; do
    [ -r "$file" ] && [ "$(stat -c %%Y "$file")" -ge "$since" ] && cat "$file"
  done | awk -v filtered=1 -v iso="$(date -d "@$since" +%%Y-%%m-%%dT%%H:%%M:%%S)" \\
    -v from="$(date -d "@$since" +%%m%%d%%H%%M%%S)" -v now="$(date +%%m%%d%%H%%M%%S)" "$count"
}
journal=
command -v journalctl >/dev/null 2>&1 && for folder in /run/log/journal /var/log/journal; do
  # a journal that is kept in memory begins at the last start: a log that is still written knows more
  for one in "$folder"/*; do
    [ -d "$one" ] && { [ ! -r "$one" ] || ls "$one"/*.journal >/dev/null 2>&1; } && journal=$folder
  done
done
fresh() { [ -n "$log" ] && [ "$(stat -c %%Y "$log")" -ge "$since" ]; }
if [ "$journal" = /var/log/journal ] || { [ -n "$journal" ] && ! fresh; }; then part journal from_journal
elif [ -n "$log" ] && [ ! -r "$log" ]; then part denied :
elif [ -n "$log" ]; then part log from_log
else part none :
fi
"""

_LINE = re.compile(r"([0-9]{1,15}) (total|unknown|denied|source|account) (\S{1,256})")


def _hours(parameters: Mapping[str, Any]) -> int | None:
    hours = integer(str(parameters.get("hours", 24)))
    return hours if hours is not None and 0 < hours <= 24 * 31 else None


def question(parameters: Mapping[str, Any]) -> str | Skipped:
    """Counts on the server what the last hours logged."""
    hours = _hours(parameters)
    if hours is None:
        return Skipped("the parameter hours is not a whole number from 1 to 744")
    return _QUESTION % {"count": _COUNT, "hours": hours}


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    found = named_parts(answer)
    if "denied" in found:
        return NotMeasured("no right to read the log of logins")
    if "none" in found:
        return NotMeasured("this server keeps neither a journal nor a log of logins")
    part = found.get("journal") or found.get("log")
    if part is None:
        raise UnreadableAnswer("the answer holds no count of logins")
    if part.status == 127:
        return NotMeasured("the command awk is not installed")
    counts, names = _counts(part)
    if counts["denied"]:
        return NotMeasured("no right to read the journal of the system")
    facts: dict[str, Any] = {
        "count": counts["total"],
        "unknown_accounts": counts["unknown"],
        "hours": _hours(parameters) or 0,
        "accounts": [name for name, _ in names["account"]][:MOST_NAMES],
        "sources": [name for name, _ in names["source"]][:MOST_NAMES],
        "most_from_one_source": max((count for _, count in names["source"]), default=0),
    }
    return Measured((SubjectFacts(None, facts),))


def _counts(part: Part) -> tuple[dict[str, int], dict[str, list[tuple[str, int]]]]:
    counts: dict[str, int] = {}
    names: dict[str, list[tuple[str, int]]] = {"account": [], "source": []}
    for line in part.text.split("\n"):
        match = _LINE.fullmatch(line)
        if match is None:
            if line:
                raise UnreadableAnswer(f"not a count of logins: {line[:80]!r}")
        elif match[2] in names:
            names[match[2]].append((match[3], int(match[1])))
        else:
            counts[match[2]] = int(match[1])
    if part.status != 0 or not {"total", "unknown", "denied"} <= counts.keys():
        raise UnreadableAnswer("the count of logins is not whole")
    for kind in names.values():
        kind.sort(key=lambda one: (-one[1], one[0]))
    return counts, names


PROBE = Probe(
    name="failed-logins",
    title="Failed logins",
    facts={
        "count": Fact("int", "logins over SSH that failed within the hours looked at", "logins"),
        "unknown_accounts": Fact("int", "those of them for names that are no account's", "logins"),
        "hours": Fact("int", "how far back was looked", "hours"),
        "accounts": Fact("list", f"accounts that were tried, most tried first, at most {MOST_NAMES}"),
        "sources": Fact("list", f"addresses that tried, most busy first, at most {MOST_NAMES}"),
        "most_from_one_source": Fact("int", "failed logins from the busiest address", "logins"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    parameters={"hours": Parameter(24, "how far back to look, in whole hours (at most 744)")},
)
