"""Results of `oscap xccdf eval`: an XCCDF 1.1 or 1.2 result file, or the ARF that holds one. One subject per rule.

What was not selected or does not apply is left out: a benchmark has a thousand such rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts, UnreadableAnswer
from maintops.domain.checklists import Rule
from maintops.domain.outcomes import Severity
from maintops.probes.answering import present, refusal, require_whole
from maintops.probes.contract import Fact, Parser

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_JUDGED = ("pass", "fail", "fixed")
_UNJUDGED = ("error", "unknown", "notchecked")
_PREFIXES = ("xccdf_org.ssgproject.content_rule_", "xccdf_org.cisecurity.benchmarks_rule_")


def _read(answer: Answer) -> Reading:
    require_whole(answer)
    if (why := refusal(answer)) is not None:
        return why
    root = _root(answer.stdout)
    titles = {one.get("id", ""): _title(one) for one in root.iter() if _tag(one) == "Rule"}
    results = [one for one in root.iter() if _tag(one) == "rule-result"]
    if not results:
        if _tag(root) in ("Benchmark", "TestResult", "asset-report-collection"):
            return NotMeasured("the file holds no rule's result: nothing was evaluated")
        raise UnreadableAnswer("it holds no result of an XCCDF rule")
    subjects: dict[str, SubjectFacts] = {}
    for one in results:
        subject = _subject(one, titles)
        if subject is not None:
            subjects[str(subject.subject)] = subject  # of two evaluations in one file the last counts
    if not subjects:
        return NotMeasured(f"none of {len(results)} rules was selected and applies: nothing was evaluated")
    return Measured(tuple(subjects.values()))


def _root(content: bytes) -> Element:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        root: Element = fromstring(content, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise UnreadableAnswer(f"it is not XML that can be trusted: {type(error).__name__}: {error}"[:300]) from error
    return root


def _tag(element: Element) -> str:
    """The name without its namespace (1.1 and 1.2 differ in nothing else here)."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _child(element: Element, name: str) -> str:
    for one in element:
        if _tag(one) == name:
            return "".join(one.itertext()).strip()
    return ""


def _title(rule: Element) -> str:
    return " ".join(_child(rule, "title").split())


def _subject(result: Element, titles: dict[str, str]) -> SubjectFacts | None:
    id, said = result.get("idref", ""), _child(result, "result")
    name = id
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    if not name or said not in (*_JUDGED, *_UNJUDGED):
        return None
    if said in _UNJUDGED:
        return SubjectFacts(name, why_not=f"the scanner says: {said}")
    facts = present(result=said, severity=result.get("severity") or None, title=titles.get(id) or None)
    return SubjectFacts(name, facts, frozenset({"severity", "title"} - facts.keys()))


PARSER = Parser(
    "xccdf",
    _read,
    {
        "result": Fact("str", "pass, fail or fixed"),
        "severity": Fact("str", "the benchmark's own: low, medium, high"),
        "title": Fact("str", "the rule's title"),
    },
    (
        Rule('result == "fail" and severity == "high"', Severity.CRITICAL, "{{ subject }} fails: {{ title }}"),
        Rule('result == "fail"', Severity.WARNING, "{{ subject }} fails: {{ title }}"),
    ),
)
