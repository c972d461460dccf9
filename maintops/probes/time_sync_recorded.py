"""Recordings of time services: `chronyc tracking` and `sources`, `ntpq -p` and `-c rv`, `ntpctl -s status`,
`timedatectl` in its forms, made into the parts of an answer. What a service says without its other half is kept as it
is: a list of sources tells which of them answer, and whether one is followed.
"""

from __future__ import annotations

import re

from maintops.domain.answers import Answer, UnreadableAnswer
from maintops.probes.recorded import in_parts, recording_of
from maintops.probes.time_sync import PEERS

_TRACKING = re.compile(r"(?m)^(Reference ID|Stratum|System time|Leap status)\s*: (.*?)\s*$")
_REFERENCE = re.compile(r"(\S+)(?: \((.*)\))?")
_SYSTEM_TIME = re.compile(r"([0-9]+(?:\.[0-9]+)?) seconds (?:slow|fast) of NTP time")
_LEAPS = ("Normal", "Insert second", "Delete second", "Not synchronised")
_SOURCE = re.compile(r"([\^=#])([*+?x~-])\s+(\S+)\s+([0-9]{1,2})\s+-?[0-9]+\s+([0-7]{1,3})\s+.*")
_PEER_HEAD = re.compile(r"\s*remote\s+refid\s+st\s+t\s+when\s+poll\s+reach\s+delay\s+offset\s+(?:jitter|disp)\s*")
_CSV = re.compile(r"[0-9A-F]{8},[^,\n]*,[0-9]{1,2},(?:[^,\n]*,){10}[A-Z][a-z ]+\s*")
_TIMEDATECTL = re.compile(r"(?m)^\s*(?:NTPSynchronized=|NTP synchronized: |System clock synchronized: )(?:yes|no)\s*$")
_SHOWN = re.compile(r"(?m)^(ServerName|ServerAddress|NTPMessage)=(.+)$")  # timedatectl show-timesync
_TIMESYNC = re.compile(r"(?m)^\s*Server: \S")


def _chrony(text: str) -> Answer | None:
    """`chronyc tracking`, with or without `chronyc sources` behind it; `sources` alone; either with -c."""
    parts: dict[str, str] = {}
    if (csv := next((line for line in text.split("\n") if _CSV.fullmatch(line)), None)) is not None:
        parts["chrony"] = csv
    values = dict(_TRACKING.findall(text))
    if len(values) == 4:
        parts["chrony"] = _tracking(values)
    sources = [match for match in map(_SOURCE.fullmatch, text.split("\n")) if match is not None]
    if sources:
        parts["chrony_sources"] = "\n".join(f"{m[1]},{m[2]},{m[3]},{m[4]},0,{m[5]},0,0,0,0" for m in sources)
    return _made(parts) if parts else None


def _tracking(values: dict[str, str]) -> str:
    reference, moved = _REFERENCE.fullmatch(values["Reference ID"]), _SYSTEM_TIME.fullmatch(values["System time"])
    if reference is None or moved is None or values["Leap status"] not in _LEAPS:
        raise UnreadableAnswer("this is not what chronyc tracking prints")
    name = (reference[2] or "").replace(",", " ")
    return f"{reference[1]},{name},{values['Stratum']},0,{moved[1]},0,0,0,0,0,0,0,0,{values['Leap status']}"


def _ntpq(text: str) -> Answer | None:
    lines = text.split("\n")
    begin = next((place for place, line in enumerate(lines) if _PEER_HEAD.fullmatch(line)), None)
    if begin is not None:
        return _made({PEERS: "\n".join(line for line in lines[begin + 1 :] if line.strip(" ="))})
    if re.search(r"\b(?:associd|assID)=[0-9]+ status=", text):
        return _made({"ntpd": text})
    return _made({"openntpd": text}) if re.search(r"clock (?:un)?synced", text) else None


def _systemd(text: str) -> Answer | None:
    shown = dict(_SHOWN.findall(text))
    if "ServerAddress" in shown or "ServerName" in shown:
        stratum = re.search(r"\bStratum=([0-9]{1,2})\b", shown.get("NTPMessage", ""))
        named = [shown[name] for name in ("ServerAddress", "ServerName") if shown.get(name, "(null)") != "(null)"]
        server = named[0] if named and shown.get("ServerAddress") != "(null)" else "n/a"
        return _made({"timesyncd": f"Server: {server}\n" + (f"Stratum: {stratum[1]}\n" if stratum else "")})
    parts = {"timedatectl": text} if _TIMEDATECTL.search(text) else {}
    if _TIMESYNC.search(text) and "Stratum:" in text:
        parts["timesyncd"] = text
    return _made(parts) if parts else None


def _made(parts: dict[str, str]) -> Answer:
    return in_parts({**parts, "adjtimex": (127, "")})


RECORDING = recording_of("output of chronyc, ntpq, ntpctl or timedatectl", _chrony, _ntpq, _systemd)
