"""A report of Lynis (/var/log/lynis-report.dat): lines of `name=value` and `name[]=value`.

The server gives the hardening index and the counts; every warning and suggestion is a subject of its own
(`TEST-ID|message|details|solution|`).
"""

from __future__ import annotations

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts, UnreadableAnswer
from maintops.domain.checklists import Rule
from maintops.domain.outcomes import Severity
from maintops.probes.answering import integer, present, refusal, text_of
from maintops.probes.contract import Fact, Parser
from maintops.probes.naming import Names

_WHOLE = ("hardening_index", "warnings", "suggestions", "tests", "ended", "lynis_version")
_PART = ("kind", "message", "details", "solution")


def _read(answer: Answer) -> Reading:
    text = text_of(answer)
    if (why := refusal(answer)) is not None:
        return why
    values: dict[str, str] = {}
    told, names = [], Names()
    counts = {"warning": 0, "suggestion": 0}
    for line in text.splitlines():
        name, mark, value = line.partition("=")
        kind = name.removesuffix("[]")
        if mark and name.endswith("[]") and kind in counts:
            counts[kind] += 1
            told.append(_told(kind, value, names))
        elif mark:
            values[name] = value.strip()
    if "lynis_version" not in values and "hardening_index" not in values:
        raise UnreadableAnswer("it names neither Lynis's version nor its index: it is no report of Lynis")
    if not values.get("report_datetime_end"):
        return NotMeasured("the audit did not end: the report has no report_datetime_end (aborted, or still running)")
    facts = present(
        hardening_index=integer(values.get("hardening_index")),
        warnings=counts["warning"],
        suggestions=counts["suggestion"],
        tests=integer(values.get("lynis_tests_done")),
        ended=values.get("report_datetime_end") or None,
        lynis_version=values.get("lynis_version") or None,
    )
    return Measured((SubjectFacts(None, facts, frozenset(_PART)), *told))


def _told(kind: str, value: str, names: Names) -> SubjectFacts:
    test, message, details, solution = ([*value.split("|"), "", "", ""])[:4]
    name = names.unique(test.strip() or kind)  # one test may warn of several things
    facts = present(
        kind=kind,
        message=message.strip(),
        details=details.strip(" -") or None,
        solution=solution.strip(" -") or None,
    )
    return SubjectFacts(name, facts, frozenset({*_WHOLE, *_PART} - facts.keys()))


PARSER = Parser(
    "lynis",
    _read,
    {
        "hardening_index": Fact("int", "Lynis's index of the whole server, from 0 to 100"),
        "warnings": Fact("int", "how many warnings there are"),
        "suggestions": Fact("int", "how many suggestions there are"),
        "tests": Fact("int", "how many tests were done"),
        "ended": Fact("str", "when the audit ended, in the server's own time"),
        "lynis_version": Fact("str", "the version that made the report"),
        "kind": Fact("str", "warning or suggestion"),
        "message": Fact("str", "what Lynis says"),
        "details": Fact("str", "of what it speaks"),
        "solution": Fact("str", "what it proposes"),
    },
    (
        Rule('kind == "warning"', Severity.WARNING, "{{ subject }}: {{ message }}"),
        Rule('kind == "suggestion"', Severity.INFO, "{{ subject }}: {{ message }}"),
    ),
)
