"""What storcli and perccli print, JSON or text, as one kind of value: sections with properties and rows.

Both forms hold the same names: a JSON object or a list stands for what the text has under a heading. Versions differ in
which sections there are, and in how deep they lie.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from maintops.domain.answers import UnreadableAnswer
from maintops.probes.json_answers import load_json

_BANNER = re.compile(r"^(?:CLI Version = |Controller = [0-9]|Status Code = )", re.MULTILINE)
_CONTROLLER = re.compile(r"^Controller = ([0-9]{1,3}) *$", re.MULTILINE)
_PROPERTY = re.compile(r"^([A-Za-z][^=]{0,80}?) *= *(.*)$")
_RULE = re.compile(r"^-{10,} *$")
_UNDERLINE = re.compile(r"^={3,} *$")
_SIZE = re.compile(r"([0-9.]+) ([KMGTP]?i?B)\b")
_WIDE = ("Model", "Name")
"""Columns whose values can hold spaces."""


@dataclass(slots=True)
class Section:
    """A heading's properties, and its table's rows as column -> value."""

    name: str
    properties: dict[str, str] = field(default_factory=dict)
    rows: list[Mapping[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """What one controller answered to one command; `controller` is None where the report is about all of them."""

    controller: int | None
    succeeded: bool
    description: str
    sections: list[Section]

    def section(self, name: str) -> Section | None:
        """The first section of a name."""
        return next((one for one in self.sections if one.name == name), None)


def reports_of(text: str) -> list[Report] | None:
    """The reports in a text; None where it is no output of such a tool. Raises UnreadableAnswer for broken JSON."""
    start = text.find("{")
    if start >= 0 and not text[:start].strip():
        return _from_json(load_json(text[start:].encode()))
    if not _BANNER.search(text):
        return None
    return [_from_text(block) for block in _blocks(text)]


# --- JSON ------------------------------------------------------------------------------------------------------------


def _from_json(value: Any) -> list[Report] | None:
    controllers = value.get("Controllers") if isinstance(value, dict) else None
    if not isinstance(controllers, list):
        return None
    found = []
    for one in controllers:
        status = one.get("Command Status") if isinstance(one, dict) else None
        if not isinstance(status, dict):
            raise UnreadableAnswer("a controller's report says no status")
        data = one.get("Response Data")
        number = status.get("Controller")
        found.append(
            Report(
                number if isinstance(number, int) and not isinstance(number, bool) else None,
                str(status.get("Status", "")).strip() == "Success",
                _said(status),
                list(_flat("", data)) if isinstance(data, dict) else [],
            )
        )
    return found


def _said(status: Mapping[str, Any]) -> str:
    """Why it failed: the description, or the error message beside it."""
    detail = status.get("Detailed Status")
    first = detail[0] if isinstance(detail, list) and detail and isinstance(detail[0], dict) else {}
    words = [status.get("Description"), first.get("ErrMsg")]
    return next((str(one).strip() for one in words if one not in (None, "", "None", "-")), "")[:300]


def _flat(name: str, value: Mapping[str, Any]) -> Iterator[Section]:
    own = Section(name)
    yield own
    for key, one in value.items():
        if isinstance(one, dict):
            yield from _flat(key.strip(), one)
        elif isinstance(one, list):
            yield _table(key.strip(), [row for row in one if isinstance(row, dict)])
        elif one is not None:
            own.properties[key.strip()] = str(one).strip()


def _table(name: str, rows: list[dict[str, Any]]) -> Section:
    plain = [{key.strip(): str(one).strip() for key, one in row.items() if one is not None} for row in rows]
    if plain and all({"Property", "Value"} <= row.keys() for row in plain):
        return Section(name, {row["Property"]: row["Value"] for row in plain})
    return Section(name, {}, list(plain))


# --- text ------------------------------------------------------------------------------------------------------------


def _blocks(text: str) -> list[str]:
    """A report per controller: each begins with the version of the tool, or with its status where that is left out."""
    banner = re.compile(r"^CLI Version = " if "CLI Version = " in text else r"^(?=Controller = [0-9])", re.MULTILINE)
    begins = [found.start() for found in banner.finditer(text)] or [0]
    return [text[start:end] for start, end in zip(begins, [*begins[1:], None], strict=False)]


def _from_text(block: str) -> Report:
    number = _CONTROLLER.search(block)
    sections = list(_sections(block))
    status = sections[0].properties
    description = status.get("Description", "")
    return Report(
        int(number[1]) if number else None,
        status.get("Status") == "Success",
        "" if description == "None" else description[:300],
        sections,
    )


def _sections(block: str) -> Iterator[Section]:
    lines = block.replace("\r\n", "\n").split("\n")
    section, columns, rules = Section(""), "", 0
    for number, line in enumerate(lines):
        if number + 1 < len(lines) and _UNDERLINE.match(lines[number + 1]) and line.strip():
            yield section
            section, columns, rules = Section(line.strip().rstrip(":").strip()), "", 0
        elif _RULE.match(line):
            rules = rules + 1 if rules < 3 else 1
        elif rules == 1:
            columns = line
        elif rules == 2 and line.strip():
            _add(section, columns, line)
        elif rules in (0, 3) and (found := _PROPERTY.match(line)) is not None:
            section.properties.setdefault(found[1].strip(), found[2].strip())
    yield section


def _add(section: Section, columns: str, line: str) -> None:
    names = columns.split()
    if names == ["Property", "Value"]:
        name, _, value = line.strip().partition("  ")
        section.properties.setdefault(name, value.strip())
        return
    if names[:2] == ["Model", "State"]:  # a battery's, whose words hold spaces: by their places under the heading
        state, after = (
            columns.index("State"),
            columns.find(names[2], columns.index("State")) if len(names) > 2 else None,
        )
        section.rows.append({"Model": line[:state].strip(), "State": line[state:after].strip(), "": line.strip()})
        return
    words = _SIZE.sub(r"\1\2", line).split()
    wide = next((names.index(one) for one in _WIDE if one in names), None)
    after = len(names) - wide - 1 if wide is not None else 0
    if wide is not None and len(words) >= wide + after:
        words = [*words[:wide], " ".join(words[wide : len(words) - after]), *words[len(words) - after :]]
    section.rows.append({**dict(zip(names, words, strict=False)), "": line.strip()})
