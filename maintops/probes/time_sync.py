"""Whether the clock follows a time source.

Asked are, in this order: chronyd (`chronyc -c`, comma-separated: chronyc(1) and its source client.c), ntpd
(`ntpq -c rv`), openntpd (`ntpctl -s status`), systemd-timesyncd (`timedatectl timesync-status`), and at last the
kernel's own flag, through timedatectl or busybox's adjtimex. The first that runs is believed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
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
from maintops.probes.answering import decimal, integer, named_parts, present
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.recorded import RECORDED, recording_in, silence

_QUESTION = """\
in_container() {
  kind=$(systemd-detect-virt --container 2>/dev/null) && echo "$kind" && return
  for mark in /.dockerenv /run/.containerenv /run/systemd/container; do [ -e "$mark" ] && echo container && return; done
  echo none
}
by_timedatectl() { timedatectl show 2>/dev/null || timedatectl status; }
part container in_container
part chrony chronyc -n -c tracking
part chrony_sources chronyc -n -c sources
part ntpd ntpq -n -c rv
part openntpd ntpctl -s status
part timedatectl by_timedatectl
part timesyncd timedatectl timesync-status
part adjtimex adjtimex
"""

PEERS = "ntp peers"
"""The part with the table of `ntpq -p`."""

_LOCAL_CLOCK = "7F7F0101"  # chronyd's reference id where its own clock is the source
_SPAN = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(us|ms|s|min|h|d|w|month|y)\b")
_SPAN_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_NTPD_VALUE = re.compile(r"\b(stratum|offset|refid)=([^,\s]+)")
_OPENNTPD = re.compile(r"([0-9]{1,6})/([0-9]{1,6}) peers valid")
_SYNCHRONISED = re.compile(r"^\s*(?:NTPSynchronized=|NTP synchronized: |System clock synchronized: )(yes|no)\s*$", re.M)
_ADJTIMEX = re.compile(r"return value:\s+([0-9])\b")
_ADJTIMEX_ERROR = 5  # TIME_ERROR of adjtimex(2): not synchronised

_DETAILS = frozenset({"service", "offset_seconds", "stratum", "source", "sources", "sources_reachable"})


def question(parameters: Mapping[str, Any]) -> str:
    """Every time service that could run, and the kernel."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    if (why := silence(answer)) is not None:
        return why
    found = named_parts(answer)
    if "adjtimex" not in found:
        raise UnreadableAnswer("the answer about the clock is not whole")
    for name, reader in _SERVICES.items():
        part = found.get(name)
        if part is not None and part.status == 0 and part.output.strip():
            subject = reader(part.text, found)
            if subject is not None:
                return Measured((subject,))
    container = found.get("container")
    if container is not None and container.text.strip() not in ("", "none"):
        return NotMeasured("a container uses the clock of its host")
    return _kernel(found)


def _chrony(text: str, found: Mapping[str, Part]) -> SubjectFacts:
    columns = text.strip().split(",")
    stratum, offset = (integer(columns[2]), decimal(columns[4])) if len(columns) >= 14 else (None, None)
    if stratum is None or offset is None:
        raise UnreadableAnswer(f"not what chronyc prints: {text[:80]!r}")
    followed = columns[13] != "Not synchronised" and columns[0] != _LOCAL_CLOCK
    facts: dict[str, Any] = {"service": "chronyd", "synchronised": followed}
    if followed:
        facts |= {"stratum": stratum, "offset_seconds": abs(offset)}
        if columns[1]:
            facts["source"] = columns[1]
    sources = found.get("chrony_sources")
    if sources is not None and sources.status == 0:
        facts |= _counted(sources.text)
    return SubjectFacts(None, facts)


def _counted(sources: str) -> dict[str, int]:
    reach = [line.split(",")[5:6] for line in sources.splitlines() if line.strip()]
    return {"sources": len(reach), "sources_reachable": sum(1 for one in reach if one not in ([], ["0"]))}


def _chrony_sources(text: str, found: Mapping[str, Part]) -> SubjectFacts | None:
    """A recording of the sources alone. The one marked with a star is followed; without one nothing is certain."""
    if RECORDED not in found:
        return None
    facts: dict[str, Any] = {"service": "chronyd", **_counted(text)}
    followed = [line.split(",")[2] for line in text.splitlines() if line.split(",")[1:2] == ["*"]]
    return SubjectFacts(None, facts | ({"synchronised": True, "source": followed[0]} if followed else {}))


def _ntp_peers(text: str, _found: Mapping[str, Part]) -> SubjectFacts:
    """A recording of `ntpq -p`: before each peer a mark, * or o for the one that the clock follows (ntpq(8))."""
    facts: dict[str, Any] = {"service": "ntpd"}
    reached: list[int] = []
    for line in text.splitlines():
        columns = line[1:].rsplit(None, 9)
        if columns[1:2] == [".POOL."]:  # no peer, but where peers are taken from
            continue
        if len(columns) != 10 or integer(columns[2]) is None or integer(columns[6]) is None:
            raise UnreadableAnswer(f"not a peer of ntpq: {line[:80]!r}")
        reached.append(int(columns[6]))
        own = columns[1] in (".LOCL.", "LOCAL(0)") or columns[0].strip().startswith(("127.127.1.", "LOCAL("))
        if line[0] in "*o":
            facts |= {"synchronised": not own}
            offset = decimal(columns[8])
            facts |= (
                {}
                if own
                else present(
                    source=columns[0].rstrip(" ("),
                    stratum=int(columns[2]) + 1,
                    offset_seconds=None if offset is None else round(abs(offset) / 1000, 9),
                )
            )
    return SubjectFacts(None, facts | {"sources": len(reached), "sources_reachable": sum(map(bool, reached))})


def _ntpd(text: str, _found: Mapping[str, Part]) -> SubjectFacts | None:
    if "sync_" not in text:
        if "associd=" in text or "assID=" in text:
            raise UnreadableAnswer(f"not what ntpq prints: {text[:80]!r}")
        return None  # an older ntpq says "Connection refused" and ends with 0
    followed = "leap_alarm" not in text and "sync_unspec" not in text and "sync_local" not in text
    facts: dict[str, Any] = {"service": "ntpd", "synchronised": followed}
    if followed:
        values = dict(_NTPD_VALUE.findall(text))
        offset = decimal(values.get("offset"))
        seconds = None if offset is None else abs(offset) / 1000  # it is in milliseconds
        facts |= present(offset_seconds=seconds, stratum=integer(values.get("stratum")), source=values.get("refid"))
    return SubjectFacts(None, facts, frozenset({"sources", "sources_reachable"}))


def _openntpd(text: str, _found: Mapping[str, Part]) -> SubjectFacts:
    if "clock synced" not in text and "clock unsynced" not in text:
        raise UnreadableAnswer(f"not what ntpctl prints: {text[:80]!r}")
    facts: dict[str, Any] = {"service": "openntpd", "synchronised": "clock synced" in text}
    peers = _OPENNTPD.search(text)
    if peers is not None:
        facts |= {"sources": int(peers[2]), "sources_reachable": int(peers[1])}
    stratum = re.search(r"clock synced, stratum ([0-9]{1,3})\b", text)
    if stratum is not None:
        facts["stratum"] = int(stratum[1])
    return SubjectFacts(None, facts, frozenset({"offset_seconds", "source"}))


def _timesyncd(text: str, found: Mapping[str, Part]) -> SubjectFacts | None:
    """It answers only while it runs; whether the clock follows it is said by timedatectl."""
    values = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}
    clock = found.get("timedatectl")
    flag = _SYNCHRONISED.search(clock.text) if clock is not None else None
    if "Server" not in values or (flag is None and RECORDED not in found):
        return None
    facts: dict[str, Any] = {"service": "systemd-timesyncd"} | ({"synchronised": flag[1] == "yes"} if flag else {})
    if "Offset" in values:
        facts["offset_seconds"] = _span(values["Offset"])
    facts |= present(stratum=integer(values.get("Stratum")))
    if not values["Server"].startswith("n/a"):
        facts["source"] = values["Server"]
    return SubjectFacts(None, facts, frozenset({"sources", "sources_reachable"}))


_SERVICES: Mapping[str, Callable[[str, Mapping[str, Part]], SubjectFacts | None]] = {
    "chrony": _chrony,
    "chrony_sources": _chrony_sources,
    PEERS: _ntp_peers,
    "ntpd": _ntpd,
    "openntpd": _openntpd,
    "timesyncd": _timesyncd,
}


def _kernel(found: Mapping[str, Part]) -> Reading:
    """The kernel's flag alone: what set the clock, and how well, is not known to it."""
    clock, raw = found.get("timedatectl"), found["adjtimex"]
    if clock is not None and clock.status == 0:
        flag = _SYNCHRONISED.search(clock.text)
        if flag is None:
            raise UnreadableAnswer(f"timedatectl does not say whether the clock is synchronised: {clock.text[:80]!r}")
        details = frozenset[str]() if RECORDED in found else _DETAILS
        return Measured((SubjectFacts(None, {"synchronised": flag[1] == "yes"}, details),))
    value = _ADJTIMEX.search(raw.text) if raw.status == 0 else None
    if value is not None:
        return Measured((SubjectFacts(None, {"synchronised": int(value[1]) != _ADJTIMEX_ERROR}, _DETAILS),))
    return NotMeasured("no time service answers: neither chronyd, ntpd, openntpd nor systemd")


def _span(text: str) -> float:
    """A time span as systemd prints it (`+1.174ms`, `-2min 3s`) in seconds, without its sign."""
    pieces = _SPAN.findall(text)
    if not pieces or any(unit not in _SPAN_SECONDS for _, unit in pieces):
        raise UnreadableAnswer(f"not a time span: {text[:40]!r}")
    return float(sum(float(value) * _SPAN_SECONDS[unit] for value, unit in pieces))


PROBE = Probe(
    name="time-sync",
    title="Time synchronisation",
    facts={
        "synchronised": Fact("bool", "the clock follows a time source (the server's own clock is none)"),
        "service": Fact("str", "what keeps the time: chronyd, ntpd, openntpd or systemd-timesyncd"),
        "offset_seconds": Fact("float", "how far the clock is from its source, without a sign", "seconds"),
        "stratum": Fact("int", "steps between the server and a reference clock"),
        "source": Fact("str", "the source that the clock follows"),
        "sources": Fact("int", "time sources that are configured (chronyd and openntpd)"),
        "sources_reachable": Fact("int", "time sources that answer (chronyd and openntpd)"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    recording=recording_in("maintops.probes.time_sync_recorded"),
)
