"""Against an independent oracle: whatever is missing, no rule is true or false through touching it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from maintops.domain.answers import SubjectFacts
from maintops.domain.checklists import Rule
from maintops.domain.outcomes import Outcome, Severity
from maintops.rules.judging import Past, compile_rules, judge
from tests.examples import examples

NUMBERS = ("a", "b", "previous.a", "facts.b", "deep.c")
FLAGS = ("p", "q", "previous.p", "facts['q']", "deep.r")
COMPARISONS = {
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y,
    "==": lambda x, y: x == y,
    "!=": lambda x, y: x != y,
}

Tree = tuple  # ("flag", name) | ("compare", name, sign, name or int) | ("not", t) | ("and", t, t) | ("or", t, t)


class Unmeasured(Exception):
    pass


class Inapplicable(Exception):
    pass


@dataclass(frozen=True)
class World:
    facts: Mapping[str, object]
    not_offered: frozenset[str]
    previous: Mapping[str, object] | None
    previous_not_offered: frozenset[str]

    def look(self, name: str) -> object:
        where, _, plain = name.replace("['", ".").replace("']", "").rpartition(".")
        if where == "previous":
            if self.previous is None:
                raise Inapplicable
            return _taken(self.previous, plain, self.previous_not_offered)
        if where == "deep":
            return _taken(_taken(self.facts, "deep", self.not_offered), plain, frozenset())
        return _taken(self.facts, plain, self.not_offered)


def _taken(values: Mapping[str, object], name: str, blank: frozenset[str]) -> object:
    if values.get(name) is None:
        raise Inapplicable if name in blank else Unmeasured
    return values[name]


def oracle(tree: Tree, world: World) -> bool:
    kind, *rest = tree
    if kind == "flag":
        return bool(world.look(rest[0]))
    if kind == "compare":
        left = world.look(rest[0])
        right = world.look(rest[2]) if isinstance(rest[2], str) else rest[2]
        return COMPARISONS[rest[1]](left, right)
    if kind == "not":
        return not oracle(rest[0], world)
    first = oracle(rest[0], world)
    if first is (kind == "or"):
        return first
    return oracle(rest[1], world)


def written(tree: Tree) -> str:
    kind, *rest = tree
    if kind == "flag":
        return rest[0]
    if kind == "compare":
        return f"{rest[0]} {rest[1]} {rest[2]}"
    if kind == "not":
        return f"(not {written(rest[0])})"
    return f"({written(rest[0])} {kind} {written(rest[1])})"


leaves = st.tuples(st.just("flag"), st.sampled_from(FLAGS)) | st.tuples(
    st.just("compare"),
    st.sampled_from(NUMBERS),
    st.sampled_from(sorted(COMPARISONS)),
    st.sampled_from(NUMBERS) | st.integers(0, 3),
)
trees = st.recursive(
    leaves,
    lambda inner: st.tuples(st.just("not"), inner) | st.tuples(st.sampled_from(["and", "or"]), inner, inner),
    max_leaves=8,
)
numbers, flags = st.none() | st.integers(0, 3), st.none() | st.booleans()


def some(**values: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries({}, optional=values)


worlds = st.builds(
    World,
    some(a=numbers, b=numbers, p=flags, q=flags, deep=some(c=numbers, r=flags)),
    st.frozensets(st.sampled_from(["a", "b", "p", "q", "c", "deep"])),
    st.none() | some(a=numbers, p=flags),
    st.frozensets(st.sampled_from(["a", "p"])),
)


@settings(max_examples=examples(400))
@given(trees, worlds)
def test_a_rule_says_what_the_oracle_says(tree: Tree, world: World) -> None:
    try:
        expected = Outcome.ATTENTION if oracle(tree, world) else Outcome.OK
    except Unmeasured:
        expected = Outcome.NOT_MEASURED
    except Inapplicable:
        expected = Outcome.OK
    judgement = judge(
        compile_rules([Rule(written(tree), Severity.CRITICAL, "found")]),
        SubjectFacts("s", world.facts, world.not_offered),
        Past(world.previous, world.previous_not_offered),
        parameters={},
    )
    assert judgement.outcome is expected
