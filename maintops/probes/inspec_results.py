"""What InSpec (or CINC Auditor) reports with its reporters `json` and `json-min`: one subject per control."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts, UnreadableAnswer
from maintops.domain.checklists import Rule
from maintops.domain.outcomes import Severity
from maintops.probes.answering import present, refusal, text_of
from maintops.probes.contract import Fact, Parser
from maintops.probes.json_answers import load_json

_LONGEST = 500
_LOADED = "loaded"


def _read(answer: Answer) -> Reading:
    text_of(answer)
    if (why := refusal(answer)) is not None:
        return why
    document = load_json(answer.stdout)
    if not isinstance(document, Mapping):
        raise UnreadableAnswer("it is no report of InSpec")
    if (why := _unloaded(document)) is not None:
        return why
    controls: dict[str, list[tuple[Mapping[str, Any], Mapping[str, Any]]]] = {}
    for name, control, result in _results(document):
        controls.setdefault(name, []).append((control, result))
    if not any(result for found in controls.values() for _, result in found):
        return NotMeasured("no control has a result: nothing was evaluated")
    return Measured(tuple(_subject(name, found) for name, found in controls.items()))


def _unloaded(document: Mapping[str, Any]) -> NotMeasured | None:
    """Why a profile was not evaluated. One that is not for this server (`skipped`) does not count beside others."""
    profiles = _mappings(document.get("profiles"))
    bad = [one for one in profiles if str(one.get("status") or _LOADED) != _LOADED]
    failed = [one for one in bad if one["status"] != "skipped"] or (bad if len(bad) == len(profiles) else [])
    if not failed:
        return None
    said = next((str(failed[0][name]) for name in ("status_message", "skip_message") if failed[0].get(name)), "")
    why = f"InSpec says of the profile {failed[0].get('name') or 'without a name'}: {failed[0]['status']}"
    return NotMeasured(f"{why}: {' '.join(said.split())}"[:_LONGEST] if said else f"{why}, and not why"[:_LONGEST])


def _results(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """Each result with its control; a control without a result has an empty one."""
    if isinstance(document.get("profiles"), list):
        for profile in _mappings(document["profiles"]):
            for control in _mappings(profile.get("controls")):
                name = f"{profile.get('name') or 'profile'}/{control.get('id')}"
                for result in _mappings(control.get("results")) or [{}]:
                    yield name, control, result
    elif isinstance(document.get("controls"), list):
        for result in _mappings(document["controls"]):
            yield f"{result.get('profile_id') or 'profile'}/{result.get('id')}", {}, result
    else:
        raise UnreadableAnswer("it has neither profiles nor controls: it is no report of InSpec")


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _subject(name: str, found: list[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> SubjectFacts:
    control = found[0][0]
    failed = [result for _, result in found if result.get("status") == "failed"]
    passed = [result for _, result in found if result.get("status") == "passed"]
    if not failed and not passed:
        skipped = next((str(result["skip_message"]) for _, result in found if result.get("skip_message")), "")
        return SubjectFacts(name, why_not=f"InSpec skipped it: {skipped}"[:_LONGEST] if skipped else "it has no result")
    impact = control.get("impact")
    facts = present(
        status="failed" if failed else "passed",
        impact=float(impact) if isinstance(impact, int | float) and not isinstance(impact, bool) else None,
        title=str(control["title"]) if control.get("title") else None,
        tests=len(found),
        failures=len(failed),
        message=_told(failed[0]) if failed else None,
    )
    return SubjectFacts(name, facts, frozenset({"impact", "title", "message"} - facts.keys()))


def _told(result: Mapping[str, Any]) -> str:
    words = (str(result.get(name) or "").strip() for name in ("code_desc", "message"))
    return ": ".join(word for word in words if word)[:_LONGEST]


PARSER = Parser(
    "inspec",
    _read,
    {
        "status": Fact("str", "passed or failed"),
        "impact": Fact("float", "how much it matters, from 0 to 1; json-min does not say"),
        "title": Fact("str", "the control's title"),
        "tests": Fact("int", "results of this control"),
        "failures": Fact("int", "how many of them failed"),
        "message": Fact("str", "the first one that failed, and why"),
    },
    (
        Rule('status == "failed" and impact >= 0.7', Severity.CRITICAL, "{{ subject }}: {{ message }}"),
        Rule('status == "failed"', Severity.WARNING, "{{ subject }}: {{ message }}"),
    ),
)
