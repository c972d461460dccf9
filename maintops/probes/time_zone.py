"""Time zone and language of the server: localtime(5), locale.conf(5), `/etc/default/locale`, adjtime(5)."""

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
from maintops.probes.answering import named_parts, present
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.recorded import in_parts, recording_of, silence

_QUESTION = """\
part link readlink -f /etc/localtime
part offset date +%z
part zone grep -sh . /etc/timezone
part locale grep -shE '^(LANG|LC_[A-Z]+)=' /etc/locale.conf /etc/default/locale /etc/sysconfig/i18n
part clock grep -s . /etc/adjtime
"""
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*")
_LINK = re.compile(r".*/zoneinfo/(?:posix/|right/|uclibc/)?(\S+)\s*")
_OFFSET = re.compile(r"[+-][0-9]{4}")
_SETTING = re.compile(r"""\s*(LANG|LC_[A-Z]+)=["']?([^"'\s]*)["']?\s*""")
_STATUS = re.compile(r"(?m)^\s*(?:Time ?zone|Timezone)[:=] *(\S+)(?: \([^,]*, ([+-][0-9]{4})\))?\s*$")
_RTC = re.compile(r"(?m)^\s*(?:RTC in local TZ: |LocalRTC=)(yes|no)\s*$")
_LANGUAGE = re.compile(r"(?m)^\s*(?:System Locale: )?(LANG=\S+)")


def question(parameters: Mapping[str, Any]) -> str:
    """The time zone by its link or its name, its offset today, the language, and the zone of the hardware clock."""
    return _QUESTION


def _bare(text: str) -> Answer | None:
    """What `timedatectl`, `timedatectl show`, `localectl` or `locale` printed."""
    if _STATUS.search(text) or _LANGUAGE.search(text):
        return in_parts({"status": text})
    return None


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    if (why := silence(answer)) is not None:
        return why
    found = named_parts(answer)
    if "status" in found:
        return _status(found["status"].text)
    if "link" not in found or "offset" not in found:
        raise UnreadableAnswer("the answer about the time zone is not whole")
    zone, offset = _zone(found), found["offset"].text.strip()
    if zone is None and not _OFFSET.fullmatch(offset):
        return NotMeasured("nothing on this server tells its time zone")
    facts: dict[str, Any] = present(zone=zone, offset=offset if _OFFSET.fullmatch(offset) else None)
    settings: dict[str, str] = {
        match[1]: match[2] for match in map(_SETTING.fullmatch, _lines(found.get("locale"))) if match
    }
    if settings:
        facts["locale"] = [f"{name}={value}" for name, value in sorted(settings.items())]
        facts["language"] = settings.get("LC_ALL") or settings.get("LANG", "")
    clock = _lines(found.get("clock"))
    if clock and clock[-1].strip() in ("LOCAL", "UTC"):
        facts["hardware_clock_local"] = clock[-1].strip() == "LOCAL"
    return Measured(
        (SubjectFacts(None, facts, frozenset({"locale", "language", "hardware_clock_local"} - facts.keys())),)
    )


def _zone(found: Mapping[str, Part]) -> str | None:
    """The link's name; a file that is no link is named by /etc/timezone, and no file at all means UTC."""
    link = _LINK.fullmatch(found["link"].text.strip())
    named = next(iter(_lines(found.get("zone"))), "").strip()
    name = link[1] if link is not None and found["link"].status == 0 else named
    return name if _ZONE.fullmatch(name) else None


def _status(text: str) -> Reading:
    zone, rtc, language = _STATUS.search(text), _RTC.search(text), _LANGUAGE.search(text)
    facts = present(
        zone=zone[1] if zone and _ZONE.fullmatch(zone[1]) else None,
        offset=zone[2] if zone else None,
        language=language[1].partition("=")[2].strip("\"'") if language else None,
        hardware_clock_local=rtc[1] == "yes" if rtc else None,
    )
    if not facts:
        raise UnreadableAnswer("the answer holds neither a time zone nor a language")
    return Measured((SubjectFacts(None, facts),))


def _lines(part: Part | None) -> list[str]:
    return [] if part is None else [line for line in part.text.split("\n") if line.strip()]


PROBE = Probe(
    name="time-zone",
    title="Time zone and language",
    facts={
        "zone": Fact("str", "name of the time zone, such as Europe/Berlin"),
        "offset": Fact("str", "its distance from UTC today, such as +0100"),
        "language": Fact("str", "the language of the system, such as C.UTF-8; not offered where none is set"),
        "locale": Fact("list", "every setting of the language, such as 'LANG=C.UTF-8'"),
        "hardware_clock_local": Fact("bool", "the hardware clock runs in local time; not offered where nobody said"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    recording=recording_of("the output of timedatectl, localectl or locale", _bare),
)
