"""Maintenance windows in a file: read as they are written, or every mistake with its place."""

from __future__ import annotations

import zoneinfo
from datetime import date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from maintops.domain.windows import WEEKDAYS, Freeze, MonthDay, WindowRule, Windows, words
from maintops.files.documents import MOST_MISTAKES, parse_document
from maintops.files.validation import schema_mistakes
from maintops.files.windows import read_windows, windows_mistakes, windows_schema

GOOD = """\
change:
  windows:
    zone: Europe/Berlin
    open:
      - {weekdays: [Sunday, sat, sat], from: "22:00", to: 04:00}
      - {monthly: Second Saturday, from: 9:00, to: 24:00}
      - {monthly: last day, from: 20:00, to: 06:00}
      - {monthly: 15, from: 20:00, to: 06:00}
      - {date: 2026-12-05, from: 00:00, to: 24:00}
    holidays: [2026-12-25, "2026-12-26"]
    freezes:
      - {from: 2026-12-18, to: 2027-01-06, why: year end}
      - {from: 2027-02-01 18:00, to: 2027-02-02T6:30}
      - {from: 2027-03-01, to: 2027-03-01}
"""
SCHEMA = {
    "type": "object",
    "properties": {"change": {"type": "object", "properties": {"windows": windows_schema()}}},
}
PLACE = ("change", "windows")


def read(text: str) -> Windows:
    document = parse_document(text, "w.yml")
    assert schema_mistakes(document, SCHEMA) == []
    assert windows_mistakes(document, PLACE) == []
    return read_windows(document.value["change"]["windows"])


def told(text: str) -> list[str]:
    """Every mistake that the schema and our own look find, as people see them, without the file."""
    document = parse_document(text, "w.yml")
    found = sorted({*schema_mistakes(document, SCHEMA), *windows_mistakes(document, PLACE)})
    return [str(one).removeprefix("w.yml:") for one in found]


def told_of(rule: str = "{weekdays: [sat], from: 22:00, to: 04:00}", zone: str = "UTC", more: str = "") -> list[str]:
    """The mistakes in a rule (from line 1, column 46 on), a zone (from column 26 on), or further keys (line 2)."""
    return told(f"{{change: {{windows: {{zone: {zone}, open: [{rule}],\n{more}}}}}}}")


def test_windows_are_read_as_they_are_written() -> None:
    assert read(GOOD) == Windows(
        "Europe/Berlin",
        (
            WindowRule(time(22), time(4), weekdays=(5, 6)),
            WindowRule(time(9), time(0), monthly=MonthDay(2, 5)),
            WindowRule(time(20), time(6), monthly=MonthDay(-1)),
            WindowRule(time(20), time(6), monthly=MonthDay(15)),
            WindowRule(time(0), time(0), day=date(2026, 12, 5)),
        ),
        (date(2026, 12, 25), date(2026, 12, 26)),
        (
            Freeze(datetime.fromisoformat("2026-12-18"), datetime.fromisoformat("2027-01-07"), "year end"),
            Freeze(datetime.fromisoformat("2027-02-01T18:00"), datetime.fromisoformat("2027-02-02T06:30")),
            Freeze(datetime.fromisoformat("2027-03-01"), datetime.fromisoformat("2027-03-02")),
        ),
    )


def test_the_least_that_windows_say() -> None:
    text = "change: {windows: {zone: UTC, open: [{monthly: last friday, from: 22:00, to: 22:30}]}}"
    assert read(text) == Windows("UTC", (WindowRule(time(22), time(22, 30), monthly=MonthDay(-1, 4)),))


@pytest.mark.parametrize(
    ("rule", "mistake"),
    [
        ("{from: 22:00, to: 04:00}", "a window has exactly one of weekdays, monthly, date"),
        (
            "{weekdays: [sat], monthly: 1, from: 22:00, to: 04:00}",
            "a window has exactly one of weekdays, monthly, date",
        ),
        ("{weekdays: [sat], from: 22:00}", '"to" is missing'),
        ("{weekdays: [sat], from: 22:00, too: 04:00, to: 1:00}", 'unknown key "too"; did you mean "to"?'),
        ("{weekdays: sat, from: 22:00, to: 04:00}", 'must be a list; "sat" is text'),
        ("{weekdays: [], from: 22:00, to: 04:00}", "must not be empty"),
        (
            "{weekdays: [caturday], from: 22:00, to: 04:00}",
            '"caturday" is not a weekday: mon, tue, wed, thu, fri, sat, sun',
        ),
        ("{weekdays: [sat], from: 24:00, to: 04:00}", '"24:00" is not a time of day such as 22:00'),
        ("{weekdays: [sat], from: 22:60, to: 04:00}", '"22:60" is not a time of day such as 22:00'),
        ("{weekdays: [sat], from: 22:00, to: 24:01}", '"24:01" is not a time of day such as 22:00 or 24:00'),
        ("{weekdays: [sat], from: 22, to: 04:00}", "must be text, not a whole number; put it in quotes"),
        ('{weekdays: [sat], from: "22:00\\n", to: 04:00}', '"22:00\n" is not a time of day such as 22:00'),
        ("{weekdays: [sat], from: 9:00, to: 09:00}", "ends when it begins; a whole day is from: 00:00, to: 24:00"),
        ("{monthly: 32, from: 22:00, to: 04:00}", "must be at most 31"),
        ("{monthly: 0, from: 22:00, to: 04:00}", "must be at least 1"),
        (
            "{monthly: true, from: 22:00, to: 04:00}",
            "must be a whole number or text, not true or false; put it in quotes",
        ),
        (
            "{monthly: fifth sat, from: 22:00, to: 04:00}",
            (
                '"fifth sat" is not a day of the month: '
                "write second saturday (first to fourth, or last), a number such as 15, or last day"
            ),
        ),
        ("{date: 5.12.2026, from: 22:00, to: 04:00}", '"5.12.2026" is not a date such as 2026-12-05'),
        ("{date: 2026-02-29, from: 22:00, to: 04:00}", 'there is no day "2026-02-29"'),
        ("{date: 0000-01-01, from: 22:00, to: 04:00}", 'there is no day "0000-01-01"'),
        ("{date: 2206-12-05, from: 22:00, to: 04:00}", '"2206-12-05" is not between the years 2000 and 2199'),
    ],
)
def test_a_mistake_in_a_rule_is_told_where_it_is(rule: str, mistake: str) -> None:
    found = told_of(rule)
    assert [one.split(": ", 1)[1] for one in found] == [mistake]
    line, column = map(int, found[0].split(": ", 1)[0].split(":"))
    assert line == 1
    assert 38 <= column <= 38 + len(rule)


def test_places_are_those_of_the_values() -> None:
    text = GOOD.replace("Europe/Berlin", "Europe/Berlln").replace("2026-12-05", "2026-12-35")
    text = (
        text.replace("2026-12-25", "2026-13-25")
        .replace("2027-01-06", "2026-01-06")
        .replace("2027-02-01 ", "2027-02-30 ")
    )
    assert told(text) == [
        '3:11: there is no zone "Europe/Berlln"; did you mean "Europe/Berlin"?',
        '9:16: there is no day "2026-12-35"',
        '10:16: there is no day "2026-13-25"',
        '12:32: the freeze ends before it begins ("2026-12-18")',
        '13:16: there is no day "2027-02-30"',
    ]


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "Europe", "localtime", "posixrules", "Factory", "right/UTC", "posix/UTC"]
)
def test_a_zone_that_there_is_not_is_told(zone: str) -> None:
    found = told_of(zone=zone)
    assert len(found) == 1
    assert found[0].startswith(f'1:27: there is no zone "{zone}"')
    assert "localtime?" not in found[0]


@pytest.mark.parametrize("zone", ["../../etc/passwd", "/etc/localtime", "Europe//Berlin", '"UTC\\0"', '""', "a b"])
def test_what_is_no_name_of_a_zone_opens_no_file(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} was looked for")

    monkeypatch.setattr(zoneinfo, "ZoneInfo", refuse)
    found = told_of(zone=zone)
    assert len(found) == 1
    assert found[0].endswith(" is not the name of a zone")


def test_no_zone_is_proposed_that_is_another_on_each_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoneinfo, "available_timezones", lambda: {"localtime", "Europe/Berlin"})
    assert told_of(zone="localtim") == [
        '1:27: there is no zone "localtim"; write an IANA name such as Europe/Berlin, or UTC'
    ]


@pytest.mark.parametrize(
    ("part", "mistakes"),
    [
        ("{}", ['1:19: "open" is missing', '1:19: "zone" is missing']),
        ("{zone: UTC, open: []}", ["1:37: must not be empty"]),
        (
            "{zone: UTC, open: [], hollidays: []}",
            ["1:37: must not be empty", '1:41: unknown key "hollidays"; did you mean "holidays"?'],
        ),
    ],
)
def test_mistakes_in_the_windows_themselves(part: str, mistakes: list[str]) -> None:
    assert told(f"change: {{windows: {part}}}") == mistakes


def test_a_machine_without_zones_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoneinfo, "available_timezones", set)
    assert told_of(zone="Mars/Olympus") == [
        '1:27: there is no zone "Mars/Olympus"; this machine has no zone database: install tzdata'
    ]


@pytest.mark.parametrize(
    ("freeze", "mistakes"),
    [
        ("{from: 2026-12-18, to: 2026-12-17}", ["the freeze ends before it begins"]),
        ("{from: 2026-12-18 18:00, to: 2026-12-18 18:00}", ["the freeze ends before it begins"]),
        ("{from: 2026-12-18 18:00, to: 2026-12-18}", []),
        ("{from: 2026-12-18 18, to: 2026-12-18}", ["is neither a date such as 2026-12-18 nor a date and time"]),
        ("{from: 2026-12-18T18:00:00Z, to: 2026-12-19}", ["is neither a date such as 2026-12-18 nor a date and time"]),
        ("{from: 2026-12-18}", ['"to" is missing']),
        ("{from: 2026-02-30, to: 1026-02-01}", ["is not between the years", "there is no day"]),
        ("{from: 2026-12-18, to: 2026-12-19, why: ' '}", ["must not be empty"]),
    ],
)
def test_mistakes_in_a_freeze(freeze: str, mistakes: list[str]) -> None:
    found = told_of(more=f"freezes: [{freeze}]")
    assert len(found) == len(mistakes)
    assert all(any(one in other for other in found) for one in mistakes)
    assert all(one.startswith("2:") for one in found)


@pytest.mark.parametrize(
    "part", ["7", "[]", "{}", "{zone: 7, open: 7, holidays: 7, freezes: 7}", "{open: [7], freezes: [7]}"]
)
def test_what_has_the_wrong_shape_is_left_to_the_schema(part: str) -> None:
    document = parse_document(f"change: {{windows: {part}}}", "w.yml")
    assert windows_mistakes(document, PLACE) == []
    assert schema_mistakes(document, SCHEMA)


def test_where_no_windows_are_nothing_is_wrong_with_them() -> None:
    for text in ("change: {}", "change: 7", "[]"):
        assert windows_mistakes(parse_document(text, "w.yml"), PLACE) == []


def test_mistakes_are_bounded() -> None:
    days = ", ".join(["2026-02-30"] * (MOST_MISTAKES + 50))
    document = parse_document(f"change: {{windows: {{zone: UTC, open: [], holidays: [{days}]}}}}", "w.yml")
    assert len(windows_mistakes(document, PLACE)) == MOST_MISTAKES


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(windows_schema())
    assert windows_schema() is not windows_schema()
    assert windows_schema() == windows_schema()


# --- anything --------------------------------------------------------------------------------------------------------

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
likely_times = ["22:00", "24:00", "0:00", "\N{ARABIC-INDIC DIGIT TWO}2:00", "2026-12-05 18:00", "2026-12-05 24:00"]
likely_days = ["2026-12-05", "2026-02-30", "0000-00-00", "9999-12-31", "2026-12-05\n", "second saturday", "Last day"]
likely = st.sampled_from([*likely_times, *likely_days, "sat", "15", 15, 15.0, "UTC", "Europe/Berlin", "Europe"])
rules = st.dictionaries(
    st.sampled_from(["weekdays", "monthly", "date", "from", "to"]), likely | st.lists(likely, max_size=2)
)
freezes = st.dictionaries(st.sampled_from(["from", "to", "why"]), likely)
anything = st.recursive(
    scalars | likely, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner)
)
shapes = st.fixed_dictionaries(
    {"zone": likely, "open": st.lists(rules, max_size=3)},
    optional={"holidays": st.lists(likely, max_size=3), "freezes": st.lists(freezes, max_size=3)},
)


@given(shapes | anything)
def test_a_value_has_mistakes_or_is_read(value: object) -> None:
    """Whatever stands there: a sentence or windows, and nothing else."""
    document = parse_document("a: 1", "w.yml")
    document.value["a"] = value
    mistakes = schema_mistakes(document, {"properties": {"a": windows_schema()}}) + windows_mistakes(document, ("a",))
    if mistakes:
        assert all(one.message and one.file == "w.yml" for one in mistakes)
    else:
        assert isinstance(value, dict)
        assert len(read_windows(value).rules) == len(value["open"])


times = st.builds(time, st.integers(0, 23), st.integers(0, 59))
written_days = st.dates(date(2000, 1, 1), date(2199, 12, 31))


@given(times, times, st.sets(st.integers(0, 6), min_size=1), st.lists(written_days, max_size=3))
def test_what_is_written_is_what_is_read(begin: time, end: time, days: set[int], holidays: list[date]) -> None:
    names = ", ".join(WEEKDAYS[one] for one in sorted(days))
    text = (
        f"change: {{windows: {{zone: UTC, open: [{{weekdays: [{names}], from: {begin:%H:%M}, to: {end:%H:%M}}}],"
        f" holidays: [{', '.join(map(str, holidays))}]}}}}"
    )
    if begin == end:
        assert len(told(text)) == 1
        return
    found = read(text)
    assert found.rules == (WindowRule(begin, end, weekdays=tuple(sorted(days))),)
    assert found.holidays == tuple(holidays)
    assert f"{begin:%H:%M}-" in words(found)
