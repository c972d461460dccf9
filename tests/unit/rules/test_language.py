"""What is a rule, what is not, and which names one speaks of."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.rules import language
from maintops.rules.filters import FILTERS, TESTS, Gap
from maintops.rules.language import Malformed, names, problem, template_names, template_problem


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
        ("name.upper() == 'A'", "nothing can be called"),
        ("range(10)", "nothing can be called"),
        ("lipsum()", "nothing can be called"),
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
        ("{{ a.b() }}", "nothing can be called"),
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
