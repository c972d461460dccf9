"""Maintenance windows as people write them in a checklist.

windows:
  zone: Europe/Berlin
  open:
    - {weekdays: [sat, sun], from: 22:00, to: 04:00}              # until the next day
    - {monthly: second saturday, from: 20:00, to: 24:00}          # first to fourth, last; or 15, or last day
    - {date: 2026-12-05, from: 20:00, to: 23:00}
  holidays: [2026-12-25, 2026-12-26]                              # no window begins
  freezes:
    - {from: 2026-12-18 18:00, to: 2027-01-06, why: year end}     # a day without a time is in it, the last one too

Times and dates need no quotes: the loader leaves `22:00` and `2026-12-05` the text that they are.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any, TypeGuard

from maintops.domain.windows import ORDINALS, WEEKDAYS, Freeze, MonthDay, WindowRule, Windows
from maintops.errors import Mistake
from maintops.files.documents import MOST_MISTAKES, Document, Trail
from maintops.files.wording import hint, quoted

FIRST_YEAR, LAST_YEAR = 2000, 2199
"""Years that a window or a freeze can lie in; others are slips of a finger."""

Schema = dict[str, Any]

# `(?!\n)$` is the very end for Python too, whose `$` also matches before a last line break.
_END = r"(?!\n)$"
_CLOCK = r"([01]?[0-9]|2[0-3]):[0-5][0-9]"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_WEEKDAY = "([Mm]on(day)?|[Tt]ue(sday)?|[Ww]ed(nesday)?|[Tt]hu(rsday)?|[Ff]ri(day)?|[Ss]at(urday)?|[Ss]un(day)?)"
_ORDINAL = "([Ff]irst|[Ss]econd|[Tt]hird|[Ff]ourth|[Ll]ast)"

FROM = f"^{_CLOCK}{_END}"
TO = f"^({_CLOCK}|24:00){_END}"
DATE = f"^{_DATE}{_END}"
DATE_OR_TIME = f"^{_DATE}([ T]{_CLOCK})?{_END}"
WEEKDAY = f"^{_WEEKDAY}{_END}"
MONTHLY = f"^({_ORDINAL} {_WEEKDAY}|[Ll]ast day){_END}"
ZONE = r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*" + _END

# Names that a zone database can have beside those of zones: they mean another zone on another machine, or none at all.
_NO_ZONES = ("localtime", "posixrules", "Factory")
_NO_ZONE_FOLDERS = ("right/", "posix/")

_DATE_WORDS = "is not a date such as 2026-12-05"
_CLOCK_WORDS = "is not a time of day such as 22:00"


def windows_schema() -> Schema:
    """The schema of a checklist's windows, as a JSON value of the caller's own."""
    return {
        "type": "object",
        "description": "When servers may be changed: inside any of the times that are open, and in no freeze.",
        "additionalProperties": False,
        "required": ["zone", "open"],
        "properties": {
            "zone": _text(ZONE, "The zone of every time here, such as Europe/Berlin.", "is not the name of a zone"),
            "open": {"type": "array", "minItems": 1, "items": _rule(), "description": "When windows open."},
            "holidays": {
                "type": "array",
                "items": _text(DATE, "A local date.", _DATE_WORDS),
                "description": "Local dates on which no window begins; one that began the day before goes on.",
            },
            "freezes": {
                "type": "array",
                "items": _freeze(),
                "description": "Times in which nothing may be running, whatever is open.",
            },
        },
    }


def read_windows(value: Mapping[str, Any]) -> Windows:
    """Windows from a value in which neither the schema nor `windows_mistakes` finds a mistake."""
    return Windows(
        zone=value["zone"],
        rules=tuple(_read_rule(rule) for rule in value["open"]),
        holidays=tuple(date.fromisoformat(one) for one in value.get("holidays", ())),
        freezes=tuple(_read_freeze(one) for one in value.get("freezes", ())),
    )


def windows_mistakes(document: Document, place: Trail) -> list[Mistake]:
    """What is wrong with the windows at a place and their schema cannot tell: zones and dates that there are not, times
    that end where they begin. The place is a trail of keys. What breaks the schema is passed over."""
    return list(islice(_mistakes(document, place), MOST_MISTAKES))


# --- the schema's parts ----------------------------------------------------------------------------------------------


def _rule() -> Schema:
    weekday = _text(WEEKDAY, "A weekday.", f"is not a weekday: {', '.join(WEEKDAYS)}")
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["from", "to"],
        "oneOf": [{"required": ["weekdays"]}, {"required": ["monthly"]}, {"required": ["date"]}],
        "$comment": "a window has exactly one of weekdays, monthly, date",
        "properties": {
            "weekdays": {"type": "array", "minItems": 1, "items": weekday, "description": "It begins on these."},
            "monthly": {
                "type": ["integer", "string"],
                "minimum": 1,
                "maximum": 31,
                "pattern": MONTHLY,
                "$comment": "is not a day of the month: write second saturday (first to fourth, or last), "
                "a number such as 15, or last day",
                "description": "The day of the month on which it begins: second saturday, last friday, 15, last day. "
                "Months without such a day are passed over.",
            },
            "date": _text(DATE, "The one day on which it begins.", _DATE_WORDS),
            "from": _text(FROM, "The local time at which it opens, such as 22:00.", _CLOCK_WORDS),
            "to": _text(
                TO,
                "The local time at which it ends; not after `from`: that of the next day.",
                _CLOCK_WORDS + " or 24:00",
            ),
        },
    }


def _freeze() -> Schema:
    otherwise = "is neither a date such as 2026-12-18 nor a date and time such as 2026-12-18 18:00"
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["from", "to"],
        "properties": {
            "from": _text(DATE_OR_TIME, "The first local date, or date and time.", otherwise),
            "to": _text(DATE_OR_TIME, "The last local date, all of it; or the date and time of the end.", otherwise),
            "why": {"type": "string", "pattern": r"\S", "description": "Why, for people."},
        },
    }


def _text(pattern: str, description: str, otherwise: str) -> Schema:
    return {"type": "string", "pattern": pattern, "description": description, "$comment": otherwise}


# --- mistakes --------------------------------------------------------------------------------------------------------


def _mistakes(document: Document, place: Trail) -> Iterator[Mistake]:
    value = document.value
    for key in place:
        value = value.get(key) if isinstance(value, dict) else None
    top = value if isinstance(value, dict) else {}
    yield from _zone_mistakes(document, (*place, "zone"), top.get("zone"))
    for index, rule in enumerate(_list(top.get("open"))):
        if isinstance(rule, dict):
            yield from _rule_mistakes(document, (*place, "open", index), rule)
    for index, day in enumerate(_list(top.get("holidays"))):
        yield from _date_mistakes(document, (*place, "holidays", index), day, DATE)
    for index, freeze in enumerate(_list(top.get("freezes"))):
        if isinstance(freeze, dict):
            yield from _freeze_mistakes(document, (*place, "freezes", index), freeze)


def _zone_mistakes(document: Document, place: Trail, name: Any) -> Iterator[Mistake]:
    if isinstance(name, str) and re.search(ZONE, name) and not _is_zone(name):
        known = zoneinfo.available_timezones() - {*_NO_ZONES}
        advice = hint(name, known) or "; write an IANA name such as Europe/Berlin, or UTC"
        lacking = "" if known else "; this machine has no zone database: install tzdata"
        yield document.mistake(place, f"there is no zone {quoted(name)}{lacking or advice}")


def _is_zone(name: str) -> bool:
    if name in _NO_ZONES or name.startswith(_NO_ZONE_FOLDERS):
        return False
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):  # none, no zone's file, a folder
        return False
    return True


def _rule_mistakes(document: Document, place: Trail, rule: Mapping[str, Any]) -> Iterator[Mistake]:
    yield from _date_mistakes(document, (*place, "date"), rule.get("date"), DATE)
    begin, end = rule.get("from"), rule.get("to")
    # 24:00 is the 00:00 of the next day and no mistake with a begin of 00:00: that is a whole day.
    if _matches(begin, FROM) and _matches(end, FROM) and _clock(begin) == _clock(end):
        yield document.mistake((*place, "to"), "ends when it begins; a whole day is from: 00:00, to: 24:00")


def _freeze_mistakes(document: Document, place: Trail, freeze: Mapping[str, Any]) -> Iterator[Mistake]:
    sides = [(side, freeze.get(side)) for side in ("from", "to")]
    wrong = [one for side, text in sides for one in _date_mistakes(document, (*place, side), text, DATE_OR_TIME)]
    yield from wrong
    if wrong or not all(_matches(text, DATE_OR_TIME) for _, text in sides):
        return
    read = _read_freeze(freeze)
    if read.end <= read.begin:
        yield document.mistake((*place, "to"), f"the freeze ends before it begins ({quoted(freeze['from'])})")


def _date_mistakes(document: Document, place: Trail, text: Any, pattern: str) -> Iterator[Mistake]:
    if not _matches(text, pattern):
        return
    try:
        year = date.fromisoformat(text[:10]).year
    except ValueError:
        yield document.mistake(place, f"there is no day {quoted(text[:10])}")
        return
    if not FIRST_YEAR <= year <= LAST_YEAR:
        yield document.mistake(place, f"{quoted(text[:10])} is not between the years {FIRST_YEAR} and {LAST_YEAR}")


def _matches(text: Any, pattern: str) -> TypeGuard[str]:
    return isinstance(text, str) and re.search(pattern, text) is not None


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


# --- from a value without mistakes -----------------------------------------------------------------------------------


def _read_rule(rule: Mapping[str, Any]) -> WindowRule:
    monthly, day = rule.get("monthly"), rule.get("date")
    return WindowRule(
        begin=_clock(rule["from"]),
        end=_clock(rule["to"]),
        weekdays=tuple(sorted({_weekday(one) for one in rule.get("weekdays", ())})),
        monthly=None if monthly is None else _month_day(monthly),
        day=None if day is None else date.fromisoformat(day),
    )


def _month_day(monthly: float | str) -> MonthDay:
    if not isinstance(monthly, str):
        return MonthDay(int(monthly))
    ordinal, day = monthly.lower().split()
    return MonthDay(ORDINALS[ordinal], None if day == "day" else _weekday(day))


def _weekday(name: str) -> int:
    return WEEKDAYS.index(name[:3].lower())


def _clock(text: str) -> time:
    """A time of day; 24:00 is 00:00, which as an end is that of the next day."""
    hours, minutes = text.split(":")
    return time(int(hours) % 24, int(minutes))


def _read_freeze(freeze: Mapping[str, Any]) -> Freeze:
    end = _local(freeze["to"])
    whole_day = len(freeze["to"]) == len("2027-01-06")
    return Freeze(_local(freeze["from"]), end + timedelta(days=1) if whole_day else end, freeze.get("why", ""))


def _local(text: str) -> datetime:
    """A naive local date and time; without a time the begin of the day."""
    return datetime.combine(date.fromisoformat(text[:10]), _clock(text[11:] or "00:00"))
