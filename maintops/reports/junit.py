"""JUnit XML of a run, for build servers: a test suite per server, a test case per cell.

The format has no authority; this follows what Jenkins, GitLab and pytest agree on: `testsuites/testsuite/testcase`
with at most one of `failure`, `error` and `skipped` per case. Times are seconds; cells have none of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from maintops.domain.outcomes import Cell, FailOn, Outcome, exit_code
from maintops.domain.records import ServiceRecord
from maintops.domain.runs import Run
from maintops.reports.escaping import clipped, visible
from maintops.reports.results import complete
from maintops.reports.wording import fact, iso, word

_ERRORS = frozenset({Outcome.FAILED, Outcome.UNREACHABLE, Outcome.UNKNOWN, Outcome.NOT_REACHED})
_SKIPPED = frozenset({Outcome.SKIPPED, Outcome.NOT_MEASURED, Outcome.WAIVED})
_LONGEST = 10_000
_NO_TITLES: Mapping[str, str] = MappingProxyType({})


def junit_report(
    run: Run,
    records: Sequence[ServiceRecord],
    *,
    titles: Mapping[str, str] = _NO_TITLES,
    fail_on: FailOn = FailOn.CRITICAL,
) -> str:
    """The run as an XML document. `titles` (check id -> title) makes names readable; they are `HW-010 [sda] Title`.

    A finding at `fail_on` or worse is a `failure` (its type is the severity), exactly as in the exit code; a lesser
    one passes, with its message as output. Text is shown as in `visible`, so any text gives well-formed XML.
    """
    root = Element("testsuites", {"name": visible(f"{run.planned.checklist} {run.id}")})
    for record in complete(run, records):
        root.append(_suite(record, titles, fail_on))
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    root.set("time", f"{sum(float(suite.get('time', '0')) for suite in root):.3f}")
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _suite(record: ServiceRecord, titles: Mapping[str, str], fail_on: FailOn) -> Element:
    server = visible(record.server)
    cases = [_case(record, cell, titles, fail_on) for cell in record.cells]
    suite = Element("testsuite", {"name": server, "hostname": server, "timestamp": iso(record.started)})
    suite.set("time", f"{max((record.ended - record.started).total_seconds(), 0):.3f}")
    suite.set("tests", str(len(cases)))
    for count, tag in {"failures": "failure", "errors": "error", "skipped": "skipped"}.items():
        suite.set(count, str(sum(case.find(tag) is not None for case in cases)))
    suite.append(_properties(record))
    suite.extend(cases)
    return suite


def _properties(record: ServiceRecord) -> Element:
    known = {
        "record": record.id,
        "checklist": record.checklist,
        "version": record.version,
        "engine": record.engine,
        "engineer": record.engineer,
        "note": "; ".join(record.notes),
    }
    properties = Element("properties")
    for name, value in known.items():
        if value:
            SubElement(properties, "property", {"name": name, "value": visible(value)})
    return properties


def _case(record: ServiceRecord, cell: Cell, titles: Mapping[str, str], fail_on: FailOn) -> Element:
    subject = "" if cell.subject is None else f"[{cell.subject}]"
    name = " ".join(part for part in (cell.check, subject, titles.get(cell.check, "")) if part)
    case = Element("testcase", {"classname": visible(f"{record.checklist}.{record.server}"), "name": visible(name)})
    message = visible(clipped(cell.message, _LONGEST)) or word(cell.outcome)
    if cell.outcome in _ERRORS:
        SubElement(case, "error", {"type": cell.outcome.value, "message": message}).text = _detail(cell)
    elif cell.outcome in _SKIPPED:
        SubElement(case, "skipped", {"type": cell.outcome.value, "message": message})
    elif cell.severity is not None and exit_code([cell], fail_on):
        SubElement(case, "failure", {"type": cell.severity.value, "message": message}).text = _detail(cell)
    elif cell.message:
        SubElement(case, "system-out").text = f"{cell.severity or cell.outcome}: {message}"
    return case


def _detail(cell: Cell) -> str:
    facts = [visible(f"{name}: {fact(value)}") for name, value in cell.facts.items()]
    evidence = visible(clipped(cell.evidence, _LONGEST), newlines=True)
    return clipped("\n".join([*facts, evidence]).strip("\n"), _LONGEST)
