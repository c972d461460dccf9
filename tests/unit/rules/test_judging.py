"""Rules have three values, the worst that matches wins, and what a server said is data."""

from __future__ import annotations

from typing import Any

import pytest

from maintops.domain.answers import SubjectFacts
from maintops.domain.checklists import FollowUpTemplate, Rule
from maintops.domain.followups import Wish
from maintops.domain.outcomes import Outcome, Severity
from maintops.rules.judging import LONGEST_MESSAGE, Judgement, Past, compile_rules, judge

CRITICAL, WARNING, INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO


def rule(when: str, severity: Severity = CRITICAL, finding: str = "found", **follow_up: str) -> Rule:
    return Rule(when, severity, finding, FollowUpTemplate(**follow_up) if follow_up else None)


def judged(
    *rules: Rule | str,
    facts: dict[str, Any] | None = None,
    previous: dict[str, Any] | None = None,
    parameters: dict[str, Any] | None = None,
    subject: str | None = "sda",
    not_offered: tuple[str, ...] = (),
    previous_not_offered: tuple[str, ...] = (),
    why_not: str | None = None,
) -> Judgement:
    compiled = compile_rules([one if isinstance(one, Rule) else rule(one) for one in rules])
    measured = SubjectFacts(subject, facts or {}, frozenset(not_offered), why_not)
    return judge(
        compiled,
        measured,
        Past(previous, previous_not_offered),
        parameters=parameters or {},
    )


@pytest.mark.parametrize(
    ("when", "facts", "matches"),
    [
        ("passed == false", {"passed": False}, True),
        ("not passed", {"passed": True}, False),
        ("reallocated > 0", {"reallocated": 3}, True),
        ("1 < celsius <= 45", {"celsius": 45.0}, True),
        ("state in ('degraded', 'failed')", {"state": "failed"}, True),
        ("'error' not in output | lower", {"output": "an ERROR"}, False),
        ("model is startswith 'X' and not model is endswith('Z')", {"model": "XY"}, True),
        ("details.health == 'bad'", {"details": {"health": "bad"}}, True),
        ("details['health'] == 'bad'", {"details": {"health": "good"}}, False),
        ("ports | length", {"ports": []}, False),
        ("ports", {"ports": [22]}, True),
        ("used", {"used": 0.0}, False),
        ("facts['odd name'] == 1", {"odd name": 1}, True),
        ("subject == 'sda'", {}, True),
        ("(a if b else c) == 1", {"a": 1, "b": True}, True),
        ("a ~ '/' ~ b == '1/2'", {"a": 1, "b": 2}, True),
        ("ports[0] == 22 and ports[-1] == 80 and ports[1:] == [80]", {"ports": [22, 80]}, True),
        ("passed is false or passed is true", {"passed": 1}, False),
        ("self_test == 'x'", {"self_test": "x"}, True),
    ],
)
def test_an_expression_is_true_or_false(when: str, facts: dict[str, Any], matches: bool) -> None:
    assert judged(when, facts=facts).outcome is (Outcome.ATTENTION if matches else Outcome.OK)


@pytest.mark.parametrize(
    ("when", "facts", "missing"),
    [
        ("not passed", {}, "passed"),
        ("not passed", {"passed": None}, "passed"),
        ("celsius < 1", {"celsius": float("nan")}, "celsius"),
        ("passed == false or passed", {}, "passed"),
        ("a == 1 and b == 2", {"a": 1}, "b"),
        ("a == 1 or b == 2", {"a": 2}, "b"),
        ("[x] == [x]", {}, "x"),
        ("x in [1]", {}, "x"),
        ("ports | length == 0", {}, "ports"),
        ("ports - [1]", {}, "ports"),
        ("facts.passed == false", {}, "passed"),
        ("facts['passed'] == false", {"passed": None}, "passed"),
        ("details.health == 'bad'", {"details": {}}, "health"),
        ("details.health.state == 'bad'", {"details": {"health": None}}, "health"),
        ("ports[3] == 22", {"ports": [1]}, "3"),
        ("ports[-2] == 22", {"ports": [1]}, "-2"),
        ("ports | first == 22", {"ports": []}, "first of an empty list"),
        ("readings | max > 3", {"readings": []}, "max of an empty list"),
        ("a ~ b == 'x'", {"a": "x"}, "b"),
        ("x is true", {}, "x"),
        ("(1 if x else 2) == 2", {}, "x"),
    ],
)
def test_a_rule_that_touches_a_missing_fact_is_not_measured(when: str, facts: dict[str, Any], missing: str) -> None:
    assert judged(when, facts=facts) == Judgement(Outcome.NOT_MEASURED, None, f"not measured: {missing}")


def test_a_missing_fact_that_is_not_touched_does_not_matter() -> None:
    assert judged("a == 1 or b == 2", facts={"a": 1}).outcome is Outcome.ATTENTION
    assert judged("a == 1 and b == 2", facts={"a": 2}).outcome is Outcome.OK


def test_a_fact_that_the_subject_does_not_have_makes_the_rule_not_apply() -> None:
    assert judged("wear > 5", not_offered=("wear",)).outcome is Outcome.OK
    assert judged("facts.wear > 5", not_offered=("wear",)).outcome is Outcome.OK
    assert judged("not wear", "celsius > 5", not_offered=("wear",)).message == "not measured: celsius"


def test_a_part_of_a_fact_is_not_excused_by_a_fact_of_that_name() -> None:
    judgement = judged("details.wear > 5", facts={"details": {}}, not_offered=("wear",))
    assert judgement.outcome is Outcome.NOT_MEASURED


def test_without_an_earlier_record_a_rule_about_it_does_not_apply() -> None:
    assert judged("ports - previous.ports", facts={"ports": [1]}).outcome is Outcome.OK
    named_like_it = {"previous": {"ports": 1}, "subject": "x"}
    assert judged("previous['ports'] == 1", facts=named_like_it).outcome is Outcome.OK
    assert judged("subject == 'x'", facts=named_like_it, subject=None).outcome is Outcome.OK


def test_an_earlier_record_is_judged_with_three_values_too() -> None:
    new = rule("ports - previous.ports", finding="new: {{ ports - previous.ports }}")
    assert judged(new, facts={"ports": [22, 80]}, previous={"ports": [22]}).message == "new: 80"
    assert judged(new, facts={"ports": [22]}, previous={"ports": [80, 22]}).outcome is Outcome.OK
    assert judged(new, facts={"ports": [22]}, previous={}).message == "not measured: previous.ports"
    assert judged(new, facts={"ports": [22]}, previous={"ports": None}).message == "not measured: previous.ports"
    absent = judged(new, facts={"ports": [22]}, previous={}, previous_not_offered=("ports",))
    assert absent.outcome is Outcome.OK


def test_the_server_as_a_whole_has_no_subject() -> None:
    assert judged("subject == 'sda'", subject=None).outcome is Outcome.OK
    assert judged(rule("true", finding="[{{ subject }}]"), subject=None).message == "[(none)]"


def test_parameters_are_values_of_the_checklist() -> None:
    assert judged("used > parameters.limit", facts={"used": 9}, parameters={"limit": 8}).outcome is Outcome.ATTENTION
    broken = judged("used > parameters.nosuch", facts={"used": 9}, parameters={"limit": 8})
    assert broken.outcome is Outcome.FAILED
    assert "there is no parameter nosuch" in broken.message


def test_the_worst_rule_wins_and_the_first_of_equals() -> None:
    rules = [
        rule("true", INFO, "info"),
        rule("true", WARNING, "first warning"),
        rule("true", WARNING, "second warning"),
        rule("false", CRITICAL, "critical"),
    ]
    assert judged(*rules) == Judgement(Outcome.ATTENTION, WARNING, "first warning")
    assert judged(rule("true", CRITICAL, "worst"), *rules).message == "worst"


def test_an_info_rule_is_ok_and_says_so() -> None:
    assert judged(rule("true", INFO, "patched")) == Judgement(Outcome.OK, INFO, "patched")


def test_info_never_hides_what_was_not_measured_or_broke() -> None:
    assert judged(rule("true", INFO, "patched"), "passed == false").outcome is Outcome.NOT_MEASURED
    assert judged(rule("true", INFO, "patched"), "1 < 'a'").outcome is Outcome.FAILED


def test_no_rules_and_no_match_are_ok() -> None:
    assert judged() == judged("false") == Judgement(Outcome.OK)


def test_what_lacks_is_named_once_each() -> None:
    assert judged("a > 1", "b > 1", "a < 0").message == "not measured: a, b"


def test_a_subject_that_could_not_be_measured_says_why_unless_a_rule_matched() -> None:
    assert judged("a > 1", why_not="sleeping") == Judgement(Outcome.NOT_MEASURED, None, "sleeping")
    assert judged(why_not="sleeping").outcome is Outcome.NOT_MEASURED
    assert judged("a > 1", facts={"a": 2}, why_not="sleeping").outcome is Outcome.ATTENTION


@pytest.mark.parametrize(
    ("when", "says"),
    [
        ("celsius > 50", "text and a number"),
        ("'x' + 1 == 2", "text + a number has no meaning"),
        ("'ab' * 10 == 'x'", "text * a number has no meaning"),
        ("'%s' % 1 == 'x'", "text % a number has no meaning"),
        ("1 / 0 > 1", "divides by zero"),
        ("1 // zero", "divides by zero"),
        ("celsius | int > 5", "cannot read 'hot'"),
        ("celsius | round > 5", "round needs a number, not text"),
        ("celsius", "gives text, not true or false"),
        ("details", "gives a mapping, not true or false"),
        ("celsius.upper", "text has nothing named upper"),
        ("details | sum == 1", "sum needs a list, not a mapping"),
        ("[1, 'a'] | sort == []", "not supported"),
        ("1 in 2", "not iterable"),
        ("(passed + 1) == 2", "true or false + a number has no meaning"),
        ("big * big > 1", "too large"),
        ("big * 2.5 > 1", "too large"),
        ("facts[[1]] == 1", "unhashable"),
        ("'x' | length | upper == 'X'", "upper needs text, not a number"),
        ("celsius | round(99) > 1", "round needs"),
        ("endless | float > 1", "float needs a number"),
    ],
)
def test_a_rule_that_breaks_fails_the_check_and_is_named(when: str, says: str) -> None:
    facts = {"celsius": "hot", "details": {}, "passed": True, "zero": 0, "big": 1 << 5000, "endless": float("inf")}
    judgement = judged(when, facts=facts)
    assert judgement.outcome is Outcome.FAILED
    assert f"the rule `{when}` broke: " in judgement.message
    assert says in judgement.message


def test_a_match_is_never_lost_to_a_rule_that_broke_or_was_not_measured() -> None:
    judgement = judged(rule("a > 1", WARNING, "high"), rule("1 < 'x'"), rule("b > 1"), rule("c", INFO), facts={"a": 2})
    assert (judgement.outcome, judgement.severity) == (Outcome.ATTENTION, WARNING)
    assert judgement.message.startswith("high (the rule `1 < 'x'` broke: ")
    assert judgement.message.endswith("; not measured: b)")


def test_a_wish_comes_from_the_worst_rule_that_asks() -> None:
    asking = rule("true", WARNING, "low", title="Clean {{ subject }}", skill="linux", part="disk", knowledge="clean")
    silent = rule("true", CRITICAL, "full")
    assert judged(asking, silent).wish == Wish("Clean sda", "linux", "disk", "clean")
    assert judged(silent).wish is None
    assert judged(silent, asking, rule("true", CRITICAL, "x", title="Replace")).wish == Wish("Replace")
    assert judged(rule("true", INFO, "fyi", title="Do")).wish is None
    assert judged(rule("true", INFO, "fyi", title="Do"), silent).wish is None


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ device }}: {{ count }} of {{ share }}", "sda: 3 of 1.5"),
        ("{{ missing }} and {{ wear }}", "(not measured) and (none)"),
        ("{{ missing | round(1) }} {{ missing + 1 }}", "(not measured) (not measured)"),
        ("{{ previous.count }}", "(none)"),
        ("{{ passed }} {{ ports }} {{ details }}", 'true 22, 80 {"a": "ä"}'),
        ("{{ ports | join('+') }} {{ share | round }}", "22+80 2"),
        ("{{ count | filesizeformat }}", "3 Bytes"),
        ("{{ 'many' if count > 2 else 'few' }}", "many"),
        ("{{ device + 1 }}", "(text + a number has no meaning)"),
        ("{# a remark #}plain", "plain"),
        ("{{ facts.device }} of {{ subject }} {{ parameters.limit }}", "sda of sda 8"),
        ("line\n", "line"),
    ],
)
def test_a_message_is_rendered_over_the_facts(template: str, message: str) -> None:
    facts = {"device": "sda", "count": 3, "share": 1.5, "passed": True, "ports": [22, 80], "details": {"a": "ä"}}
    found = judged(rule("true", finding=template), facts=facts, not_offered=("wear",), parameters={"limit": 8})
    assert found.message == message


@pytest.mark.parametrize(
    "canary", ["{{ 7 * 7 }}", "{% for x in y %}", "$(touch /tmp/x)", "\x1b[31m", "{{ parameters.secret }}", "%s {0}"]
)
def test_what_a_server_said_is_never_a_template(canary: str) -> None:
    found = judged(
        rule("model == facts.model", finding="{{ model }}", title="{{ model }}"),
        facts={"model": canary},
        parameters={"secret": "hunter2"},
    )
    assert found.message == canary
    assert found.wish == Wish(canary)


def test_a_message_is_capped() -> None:
    found = judged(rule("true", finding="{{ output }}"), facts={"output": "x" * 100_000})
    assert len(found.message) == LONGEST_MESSAGE
    assert found.message.endswith("…")


def test_one_rule_leaves_nothing_behind_for_the_next() -> None:
    rules = [rule("a == 1", WARNING, "one"), rule("facts['_result'] == 5", CRITICAL, "two")]
    assert judged(*rules, facts={"a": 1, "_result": 5}).message == "two"


def test_subtracting_lists_does_not_compare_each_with_each() -> None:
    compared = 0

    class Port(int):
        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return int(self) == other

        __hash__ = int.__hash__

    def ports(count: int) -> list[Port]:
        return [Port(number) for number in range(count)]

    found = judged(
        "(ports - previous.ports) | length == 1", facts={"ports": ports(301)}, previous={"ports": ports(300)}
    )
    assert found.outcome is Outcome.ATTENTION
    assert compared <= 2 * 301


def test_lists_of_mappings_can_be_subtracted() -> None:
    now, before = [{"port": 1, "by": ["a"]}, {"port": 2}], [{"by": ["a"], "port": 1}]
    new = rule("ports - previous.ports", finding="{{ ports - previous.ports }}")
    assert judged(new, facts={"ports": now}, previous={"ports": before}).message == '{"port": 2}'


# --- trends and baselines --------------------------------------------------------------------------------------------

MONTH = tuple((day * 86_400, 50.0 + day) for day in range(0, 31, 10))


def over(when: str, past: Past, **facts: Any) -> Judgement:
    compiled = compile_rules([rule(when, finding="{{ days_until(used, 100, days=30) | round(1) }} days left")])
    return judge(compiled, SubjectFacts("/", facts, frozenset({"wear"})), past, parameters={"most": 25, "full": 100})


@pytest.mark.parametrize(
    ("when", "matches"),
    [
        ("growth(used, days=30) > parameters.most", True),
        ("growth(used, days=30) > 31", False),
        ("used > 70 and growth(used, days=20) > 19", True),
        ("days_until(used, parameters.full, days=30) < 21", True),
        ("days_until(used, parameters.full + 20, days=30) < 21", False),
        ("(growth(used, days=30) | round) == 30", True),
    ],
)
def test_a_trend_is_a_number(when: str, matches: bool) -> None:
    judgement = over(when, Past(points={"used": MONTH}), used=80)
    assert judgement.outcome is (Outcome.ATTENTION if matches else Outcome.OK)
    assert judgement.message == ("20.0 days left" if matches else "")


def test_a_rule_over_a_trend_that_is_none_yet_does_not_apply() -> None:
    assert over("growth(used, days=30) > 0", Past(points={"used": MONTH[:2]}), used=60) == Judgement(Outcome.OK)
    falling = tuple((at, -value) for at, value in MONTH)
    assert over("days_until(used, 100, days=30) < 99", Past(points={"used": falling}), used=60) == Judgement(Outcome.OK)


def test_a_trend_of_what_was_not_measured_is_not_measured() -> None:
    assert over("growth(used, days=30) > 0", Past()).message == "not measured: used"
    assert over("growth(wear, days=30) > 0", Past()).outcome is Outcome.OK  # this subject has none


def test_the_facts_with_a_trend_are_known_beforehand() -> None:
    asking = [
        rule("growth(used, days=30) > 0 or days_until(inodes, growth(limit, days=7), days=9) < 3"),
        rule("used > 1", finding="{{ growth(swap, days=30) }}"),
        rule("load > 1"),
    ]
    assert compile_rules(asking).trends == {"used", "inodes", "limit", "swap"}


def test_without_an_accepted_baseline_nothing_is_compared_with_it() -> None:
    when = "ports | difference(baseline.ports)"
    judgement = over(when, Past(), ports=[22])
    assert judgement == Judgement(
        Outcome.NOT_MEASURED, message="not measured: baseline.ports; accept one: maintops baseline accept"
    )
    assert over(when, Past(baseline={"ports": [22]}), ports=[22]).outcome is Outcome.OK
    assert over(when, Past(baseline={"ports": [22]}), ports=[22, 80]).outcome is Outcome.ATTENTION
