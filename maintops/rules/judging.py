"""Judging: what a check's rules say about the facts of one subject.

Rules have three values. A rule that touches a fact which was not measured is *not measured*; one that touches a fact
which this kind of subject does not have, or `previous` where there is no earlier record of the subject, does not
apply; only what is left is true or false.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jinja2 import TemplateError
from jinja2.runtime import Context

from maintops.domain.answers import SubjectFacts
from maintops.domain.checklists import FollowUpTemplate, Rule
from maintops.domain.followups import Wish
from maintops.domain.outcomes import Outcome, Severity
from maintops.domain.trends import Points
from maintops.rules.filters import Gap, is_number, kind, shown
from maintops.rules.language import (
    Evaluate,
    Scope,
    Trends,
    compiled_template,
    context,
    evaluator,
    is_there,
    names,
    template_trends,
    trends,
)

LONGEST_MESSAGE = 2000
"""Characters that a rendered finding or title may have."""

_BREAKS = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError, TemplateError)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rules say about one subject. `message` is the finding, or the reason for any outcome but `ok`; `wish`
    is what the worst rule that matched and asks for something asks for. `change`: the worst rule compares with the
    record before."""

    outcome: Outcome
    severity: Severity | None = None
    message: str = ""
    wish: Wish | None = None
    change: bool = False


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule, and its expression as a function."""

    rule: Rule
    evaluate: Evaluate


@dataclass(frozen=True, slots=True)
class CompiledRules:
    """The rules of one check, in the checklist's order. `trends` are the facts whose trend they ask for."""

    rules: tuple[CompiledRule, ...]
    trends: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a subject from before. `previous` are its facts in the same server's and check's last record
    (None: there is none) and `not_offered` those that it did not have; `baseline` the accepted ones (None: none were
    accepted); `points` those of facts with a trend, the present one last."""

    previous: Mapping[str, Any] | None = None
    not_offered: Collection[str] = ()
    baseline: Mapping[str, Any] | None = None
    points: Mapping[str, Points] = field(default_factory=dict)


@dataclass(slots=True)
class _Tally:
    """What became of each rule: the ones that matched, and what the others lacked or broke on (rule and reason)."""

    matched: list[Rule]
    unmeasured: list[tuple[Rule, str]]
    broken: list[tuple[Rule, str]]


def compile_rules(rules: Sequence[Rule]) -> CompiledRules:
    """Compiles a check's rules, once for all servers. Raises Malformed (a ValueError) for what is not an expression;
    a checklist that was read without a mistake has none."""
    compiled = tuple(CompiledRule(rule, evaluator(rule.when)) for rule in rules)
    return CompiledRules(compiled, frozenset().union(*map(_trends, rules)))


def _trends(rule: Rule) -> frozenset[str]:
    title = rule.follow_up.title if rule.follow_up is not None else ""
    return trends(rule.when) | template_trends(rule.finding) | template_trends(title)


def judge(
    compiled: CompiledRules, facts: SubjectFacts, past: Past = Past(), *, parameters: Mapping[str, Any]
) -> Judgement:
    """Judges the facts of one subject, beside what is known of it from before.

    A warning or critical rule that matched gives `attention`: the worst wins, the first of equals. Otherwise a rule
    that broke gives `failed`, and one that could not be measured (or a subject's own `why_not`) `not_measured`, even
    where an info rule matched: what was not measured never reads as ok.
    """
    where = _context(facts, past, parameters)
    tally = _Tally([], [], [])
    for rule in compiled.rules:
        _apply(rule, where, facts, tally)
    return _conclude(tally, where, facts)


def _context(facts: SubjectFacts, past: Past, parameters: Mapping[str, Any]) -> Context:
    previous = past.previous
    variables = {name: value for name, value in facts.facts.items() if is_there(value)}
    variables["facts"] = Scope("", facts.facts, facts.not_offered)
    variables["parameters"] = Scope("parameters.", parameters)
    variables["baseline"] = Scope("baseline.", past.baseline or {}, facts.not_offered)
    variables["_trends"] = Trends(past.points, facts.not_offered)
    for name, value in (
        ("subject", facts.subject),
        ("previous", None if previous is None else Scope("previous.", previous, frozenset(past.not_offered))),
    ):
        if value is None:
            variables.pop(name, None)
        else:
            variables[name] = value
    return context(variables)


def _apply(compiled: CompiledRule, where: Context, facts: SubjectFacts, tally: _Tally) -> None:
    rule = compiled.rule
    try:
        if _truth(compiled.evaluate(where)):
            tally.matched.append(rule)
    except Gap as gap:
        if _offered(gap, facts):
            tally.unmeasured.append((rule, gap.name))
    except _BREAKS as error:
        tally.broken.append((rule, f"the rule `{rule.when}` broke: {_reason(error)}"))


def _truth(value: Any) -> bool:
    if isinstance(value, (bool, list, tuple)) or is_number(value):
        return bool(value)
    raise TypeError(f"it gives {kind(value)}, not true or false")


def _offered(gap: Gap, facts: SubjectFacts) -> bool:
    """Whether what is missing is something that this subject has (and that therefore was not measured)."""
    if gap.offered is not None:
        return gap.offered
    return gap.name not in ("previous", "subject") and gap.name not in facts.not_offered


def _reason(error: Exception) -> str:
    if isinstance(error, ZeroDivisionError):
        return "it divides by zero"
    if isinstance(error, RecursionError):
        return "a value is nested too deeply"
    text = str(error)
    for python, plain in (("'str'", "text"), ("'int'", "a number"), ("'float'", "a number"), ("'list'", "a list")):
        text = text.replace(python, plain)
    return text[:300]


def _conclude(tally: _Tally, where: Context, facts: SubjectFacts) -> Judgement:
    worst = max(tally.matched, key=lambda rule: rule.severity.rank, default=None)
    if worst is not None and worst.severity is not Severity.INFO:
        return _attention(worst, tally, where, facts)
    if tally.broken:
        return Judgement(Outcome.FAILED, message="; ".join(reason for _, reason in tally.broken))
    if tally.unmeasured or facts.why_not is not None:
        return Judgement(Outcome.NOT_MEASURED, message=facts.why_not or _lacking(tally.unmeasured))
    if worst is not None:
        return Judgement(Outcome.OK, worst.severity, _rendered(worst.finding, where, facts))
    return Judgement(Outcome.OK)


def _attention(worst: Rule, tally: _Tally, where: Context, facts: SubjectFacts) -> Judgement:
    message = _rendered(worst.finding, where, facts)
    # What could have made the finding worse and could not be judged is said beside it.
    worse = [(rule, name) for rule, name in tally.unmeasured if rule.severity.rank > worst.severity.rank]
    notes = [reason for _, reason in tally.broken] + ([_lacking(worse)] if worse else [])
    if notes:
        message = f"{message} ({'; '.join(notes)})"
    change = any(name.startswith("previous.") for name in names(worst.when))
    return Judgement(Outcome.ATTENTION, worst.severity, message, _wish(tally.matched, where, facts), change)


def _lacking(unmeasured: Sequence[tuple[Rule, str]]) -> str:
    names = dict.fromkeys(name for _, name in unmeasured)
    hint = "; accept one: maintops baseline accept" if any(name.startswith("baseline.") for name in names) else ""
    return "not measured: " + ", ".join(names) + hint


def _wish(matched: Sequence[Rule], where: Context, facts: SubjectFacts) -> Wish | None:
    asking = [rule for rule in matched if rule.follow_up is not None and rule.severity is not Severity.INFO]
    worst = max(asking, key=lambda rule: rule.severity.rank, default=None)
    if worst is None or worst.follow_up is None:
        return None
    template: FollowUpTemplate = worst.follow_up
    return Wish(_rendered(template.title, where, facts), template.skill, template.part, template.knowledge)


# --- messages --------------------------------------------------------------------------------------------------------


def _rendered(text: str, where: Context, facts: SubjectFacts) -> str:
    """A template's text. What servers said is put in as it is and never read as a template."""
    message = "".join(
        piece if isinstance(piece, str) else _value(piece, where, facts) for piece in compiled_template(text)
    )
    return message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 1] + "…"


def _value(evaluate: Evaluate, where: Context, facts: SubjectFacts) -> str:
    try:
        return shown(evaluate(where))
    except Gap as gap:
        return "(not measured)" if _offered(gap, facts) else "(none)"
    except _BREAKS as error:
        return f"({_reason(error)})"
