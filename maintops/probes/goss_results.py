"""What `goss validate --format json` says (versions 0.3 and 0.4): one subject per tested property of a resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts, UnreadableAnswer
from maintops.domain.checklists import Rule
from maintops.domain.outcomes import Severity
from maintops.probes.answering import present, refusal, text_of
from maintops.probes.contract import Fact, Parser
from maintops.probes.json_answers import load_json
from maintops.probes.naming import Names

_SKIPPED = 2
"""goss's code of a test that was skipped, in `result`."""


def _read(answer: Answer) -> Reading:
    text_of(answer)
    if (why := refusal(answer)) is not None:
        return why
    document = load_json(answer.stdout)
    results = document.get("results") if isinstance(document, Mapping) else None
    if not isinstance(results, list):
        raise UnreadableAnswer("it has no list of results: it is not what goss validate --format json prints")
    if not results:
        return NotMeasured("goss ran no test: nothing was evaluated")
    subjects, names = [], Names()
    for one in results:
        if not isinstance(one, Mapping) or not isinstance(one.get("successful"), bool):
            raise UnreadableAnswer("one of its results does not say whether it was successful")
        subjects.append(_subject(one, names))
    return Measured(tuple(subjects))


def _subject(one: Mapping[str, Any], names: Names) -> SubjectFacts:
    words = [str(one.get(name) or "") for name in ("resource-type", "resource-id", "property")]
    name = names.unique(": ".join(word for word in words if word) or "test")  # one property may be tested twice
    if one.get("skipped") is True or one.get("result") == _SKIPPED:
        return SubjectFacts(name, why_not="goss skipped this test, because one before it on the same resource failed")
    summary = one.get("summary-line-compact") or one.get("summary-line")
    facts = present(
        successful=one["successful"],
        resource=words[0] or None,
        id=words[1] or None,
        property=words[2] or None,
        title=str(one["title"]) if one.get("title") else None,
        summary=str(summary) if summary else name,
        error=_error(one.get("err")),
    )
    return SubjectFacts(name, facts, frozenset({"resource", "id", "property", "title", "error"} - facts.keys()))


def _error(value: Any) -> str | None:
    if isinstance(value, Mapping):  # version 0.3 shows Go's own error object, empty where there was none to show
        return str(value) if value else None
    return str(value) if value else None


PARSER = Parser(
    "goss",
    _read,
    {
        "successful": Fact("bool", "whether the test passed"),
        "resource": Fact("str", "File, Service, Port, …"),
        "id": Fact("str", "which one"),
        "property": Fact("str", "what of it was tested"),
        "title": Fact("str", "the test's title, where it has one"),
        "summary": Fact("str", "goss's own line about it"),
        "error": Fact("str", "why it could not be tested"),
    },
    (Rule("not successful", Severity.WARNING, "{{ summary }}"),),
)
