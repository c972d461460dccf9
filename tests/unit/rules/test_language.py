"""What is a rule, what is not, and which names one speaks of."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.rules import language
from maintops.rules.filters import FILTERS, TESTS, Gap
from maintops.rules.language import (
    Malformed,
    compared,
    names,
    problem,
    template_names,
    template_problem,
    template_trends,
    trends,
)


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("", "cannot be understood"),
        ("a b", "'b' follows"),
        ("a >", "cannot be understood"),
        ("x is defined", "a fact that was not measured makes the rule not measured"),
        ("x is not defined", "not measured by itself"),
        ("x is none", "not measured by itself"),
        ("x == none", "there is no none"),
        ("x | default(0) > 1", "not measured by itself"),
        ("ports | lenght > 1", "unknown filter 'lenght'; did you mean 'length'?"),
        ("ports | tojson", "there are abs, count"),
        ("x is startwith 'a'", "unknown test 'startwith'; did you mean 'startswith'?"),
        ("name.upper() == 'A'", "nothing but growth and days_until"),
        ("range(10)", "nothing but growth and days_until"),
        ("lipsum()", "nothing but growth and days_until"),
        ("2 ** 100", "** is not part of rules"),
        ("{'a': 1} == x", "a mapping cannot be written"),
        ("previous", "write previous.NAME"),
        ("'x' in facts", "write facts.NAME"),
        ("parameters | length", "write parameters.NAME"),
        ("self.x", "write facts.self"),
        ("\u017f == s", "write facts.\u017f"),
        ("_result == 1", "write facts._result"),
        ("'a' if b", "an `if` needs its `else`"),
        ("x | join(1, 2, 3)", "filter 'join': too many positional arguments"),
        ("x | join(nosuch=1)", "filter 'join'"),
        ("x | join(*y)", "* and ** are not part of rules"),
        ("not " * 200 + "x", "nested too deeply"),
        ("(" * 900 + "1" + ")" * 900, "nested too deeply"),
        ("a" * 2001, "longer than 2000 characters"),
        ("'open", "cannot be understood"),
    ],
)
def test_what_is_not_a_rule(expression: str, says: str) -> None:
    said = problem(expression)
    assert said is not None
    assert says in said
    with pytest.raises(Malformed):
        language.evaluator(expression)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{{ a", "cannot be understood"),
        ("{{ }}", "cannot be understood"),
        ("{% if a %}x{% endif %}", "not {% … %}"),
        ("{% include 'x' %}", "not {% … %}"),
        ("{{ a | nope }}", "unknown filter"),
        ("{{ a.b() }}", "nothing but growth and days_until"),
        ("x" * 2001, "longer than 2000"),
    ],
)
def test_what_is_not_a_template(text: str, says: str) -> None:
    said = template_problem(text)
    assert said is not None
    assert says in said


@pytest.mark.parametrize("text", ["", "plain", "{{ a }} of {{ b | round(1) }}", "50 % {used}", "} {{ a }} {"])
def test_what_is_a_template(text: str) -> None:
    assert template_problem(text) is None


def test_names_that_a_rule_speaks_of() -> None:
    found = names("a.b > parameters.limit and facts.c and facts['odd name'] and not previous['ports'] and subject")
    assert found == {"a", "parameters.limit", "c", "odd name", "previous.ports"}
    assert names("x | join(separator=y) ~ (p if q else r) ~ z[i]") == {"x", "y", "p", "q", "r", "z", "i"}
    assert template_names("{{ a }} {{ previous.b | length }} {# {{ c }} #}") == {"a", "previous.b"}


def test_texts_that_a_fact_is_compared_with() -> None:
    assert compared("a == 'x' and 'y' != facts.a or facts['a'] in ['z', 1, b] or b == 'w'", "a") == {"x", "y", "z"}
    assert compared("'u' < b == a == 'v' and a in 'w' and previous.a == 'x' and a[0] == 'y'", "a") == {"v"}
    assert compared("{{ 1 if a == 'x' else a }} a == 'y' {{ not a in ('z',) }}", "a", template=True) == {"x", "z"}


@given(st.text(max_size=60) | st.text(alphabet="ab01 .()[]{}|~<>=!+-*/%'\"_,:isnotadr", max_size=60))
def test_any_text_is_a_rule_or_has_a_problem(text: str) -> None:
    said = problem(text)
    if said is not None:
        assert said.strip() == said != ""
        return
    # What has no problem compiles, and evaluated over nothing it can only miss something, break or give a value.
    with suppress(Gap, TypeError, ValueError, ArithmeticError, LookupError):
        language.evaluator(text)(language.context({}))


@given(st.text(max_size=60) | st.text(alphabet="ab {}%#|.'", max_size=60))
def test_any_text_is_a_template_or_has_a_problem(text: str) -> None:
    if template_problem(text) is None:
        language.compiled_template(text)


def test_every_filter_and_test_says_what_it_does() -> None:
    for name, function in {**FILTERS, **TESTS}.items():
        assert function.__doc__, name


def test_every_filter_and_test_can_be_used() -> None:
    values = {"text": "12", "list": [1, 2], "number": 12}
    working = {
        name
        for name in (*FILTERS, *TESTS)
        for value in values
        for argument in ("", "('1')", "([1])", "(1)")
        for operator in (("|",) if name in FILTERS else ("is",))
        if _works(f"{value} {operator} {name}{argument}", values)
    }
    assert working == {*FILTERS, *TESTS}


def _works(expression: str, values: dict[str, object]) -> bool:
    if problem(expression) is not None:
        return False
    try:
        language.evaluator(expression)(language.context(dict(values)))
    except (TypeError, ValueError):
        return False
    return True


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("growth(used) > 1", "write growth(FACT, days=30)"),
        ("growth(used, 30) > 1", "write growth(FACT, days=30)"),
        ("growth > 1", "write growth(FACT, days=30)"),
        ("growth(used, days=30, more=1) > 1", "write growth(FACT, days=30)"),
        ("growth(*used, days=30) > 1", "write growth(FACT, days=30)"),
        ("days_until(used, days=30) > 1", "write days_until(FACT, LIMIT, days=30)"),
        ("growth(used + 1, days=30) > 1", "growth is of a fact, by its name"),
        ("growth(previous.used, days=30) > 1", "growth is of a fact, by its name"),
        ("growth('used', days=30) > 1", "growth is of a fact, by its name"),
        ("growth(previous, days=30) > 1", "growth is of a fact, by its name"),
        ("growth(used, days=2) > 1", "days must be a whole number from 3 to 366"),
        ("growth(used, days=367) > 1", "days must be a whole number from 3 to 366"),
        ("growth(used, days=true) > 1", "days must be a whole number from 3 to 366"),
        ("growth(used, days=parameters.days) > 1", "days must be a whole number from 3 to 366"),
        ("days_until(used, lipsum(), days=30) > 1", "nothing but growth and days_until"),
        ("_trends['used'] > 1", "_trends cannot stand by itself"),
        ("_trends > 1", "_trends cannot stand by itself"),
        ("baseline > 1", "write baseline.NAME"),
    ],
)
def test_trends_and_baselines_have_one_form(expression: str, why: str) -> None:
    assert why in str(problem(expression))
    assert why in str(template_problem("{{ " + expression + " }}"))


def test_the_names_in_a_trend_are_known() -> None:
    spoken = "days_until(used, parameters.full + spare, days=30) > growth(inodes, days=7) - baseline.ports"
    assert names(spoken) == {"used", "parameters.full", "spare", "inodes", "baseline.ports"}
    assert trends(spoken) == {"used", "inodes"}
    assert template_trends("{{ used }} {{ growth(used, days=9) }} x") == {"used"}
