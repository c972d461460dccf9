"""The answer of a Nagios plugin, as the Monitoring Plugins guidelines define it: status, text and performance data.

Exit status 0 is ok, 1 warning, 2 critical, 3 unknown. The first line is `TEXT | PERFDATA`; further lines are long text,
and what follows a `|` in them is more performance data: `'label'=value[unit];[warn];[crit];[min];[max]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts, UnreadableAnswer
from maintops.domain.checklists import Rule
from maintops.domain.outcomes import Severity
from maintops.probes.answering import decimal, no_tool, present, text_of
from maintops.probes.contract import Fact, Parser

_STATES = ("ok", "warning", "critical", "unknown")
_VALUE = re.compile(r"([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)([^\s;0-9]*)")
_WORD = re.compile(r"\S+")
_LONGEST = 2000
_MOST_FIGURES = 64 * 1024
"""Characters of performance data that are read."""

_LONGEST_FIGURE = 300
"""Characters that a value with its unit and limits may have."""


def _read(answer: Answer) -> Reading:
    text = text_of(answer)
    if (why := no_tool(answer)) is not None:
        return why
    if answer.status is None or not 0 <= answer.status < len(_STATES):
        raise UnreadableAnswer(f"a plugin ends with 0, 1, 2 or 3; this one with {answer.status}")
    first, _, rest = text.partition("\n")
    said, _, figures = first.partition("|")
    long, _, more = rest.partition("|")
    if not said.strip():
        return NotMeasured(f"the plugin printed nothing (exit status {answer.status})")
    if answer.status == _STATES.index("unknown"):
        return NotMeasured(f"the plugin does not know: {said.strip()[:_LONGEST]}")
    facts: dict[str, Any] = {
        "state": _STATES[answer.status],
        "text": said.strip()[:_LONGEST],
        "long_text": long.strip()[:_LONGEST],
        "perfdata": _figures(f"{figures} {more}"),
    }
    return Measured((SubjectFacts(None, facts),))


def _figures(text: str) -> dict[str, dict[str, object]]:
    """Label -> value, unit, warn, crit, min and max, as far as they are given. `U` stands for a value not measured."""
    found: dict[str, dict[str, object]] = {}
    for label, figure in _pieces(text):
        value, *limits = figure.split(";")
        number = _VALUE.fullmatch(value)
        if number is None:
            continue
        low, high = (limits[place] if place < len(limits) else "" for place in (2, 3))
        found[label] = present(
            value=_number(number[1]),
            unit=number[2] or None,
            warn=limits[0] if limits and limits[0] else None,
            crit=limits[1] if len(limits) > 1 and limits[1] else None,
            min=decimal(low),
            max=decimal(high),
        )
    return found


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """Each `label=value`, in one walk through the text; labels in quotes may hold blanks, and quotes written twice."""
    if len(text) > _MOST_FIGURES:  # half a number would be a lie
        text = text[:_MOST_FIGURES].rpartition(" ")[0]
    place = 0
    while (word := _WORD.search(text, place)) is not None:
        start, place = word.span()
        closed = _closing(text, start) if text[start] == "'" else -1
        if text.startswith("'=", closed) and closed > start + 1:
            rest = _WORD.match(text, closed)
            place = rest.end() if rest is not None else len(text)
            label, figure = text[start + 1 : closed].replace("''", "'"), text[closed + 2 : place]
        else:
            label, _, figure = word[0].partition("=")
            label = label.strip("'")
        if label and figure and len(figure) <= _LONGEST_FIGURE:
            yield label, figure


def _closing(text: str, start: int) -> int:
    """Where the quote ends that begins at a place, -1 where it does not."""
    place = text.find("'", start + 1)
    while place >= 0 and text.startswith("''", place):
        place = text.find("'", place + 2)
    return place


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None


PARSER = Parser(
    "nagios",
    _read,
    {
        "state": Fact("str", "ok, warning or critical"),
        "text": Fact("str", "the plugin's first line"),
        "long_text": Fact("str", "what it said besides"),
        "perfdata": Fact("dict", "label -> value, unit, warn, crit, min, max"),
    },
    (
        Rule('state == "critical"', Severity.CRITICAL, "{{ text }}"),
        Rule('state == "warning"', Severity.WARNING, "{{ text }}"),
    ),
)
