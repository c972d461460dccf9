"""The language of rules: which part of Jinja2's expressions is allowed, and how one is compiled.

A rule is parsed by Jinja2, checked here node by node against a short list, and compiled by Jinja2 for a sandbox in
which nothing can be called, no attribute of a Python object can be reached and a name that has no value raises `Gap`
the moment it is touched. That gives rules their three values: they are evaluated left to right with short circuit,
and whatever touches a missing fact is neither true nor false.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import lru_cache
from math import isnan
from typing import Any, TypeGuard, TypeVar

from jinja2 import TemplateError, nodes
from jinja2.parser import Parser
from jinja2.runtime import Context, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from maintops.domain.trends import Points, days_until, growth
from maintops.rules.filters import FILTERS, TESTS, Gap, difference, is_number, kind

LONGEST_EXPRESSION = 2000
"""Characters that an expression or a template may have."""

DEEPEST = 40
"""Levels that an expression may be nested."""

RESERVED = frozenset({"facts", "subject", "previous", "baseline", "parameters", "growth", "days_until"})
"""Names that are not facts in a rule: the mapping of all facts, the subject's name, the facts of the last record and of
the accepted baseline, the checklist's parameters, and the two functions over earlier records."""

SHORTEST_PERIOD, LONGEST_PERIOD = 3, 366
"""Days that a trend may look back: a point a day, and three at least, and what is kept for a year."""

_Parsed = TypeVar("_Parsed")
_WIDEST_NUMBER = 1024  # bits; arithmetic on larger whole numbers could be made to take long
_RESULT = "_result"
_SCOPED = ("facts", "previous", "baseline", "parameters")
_TRENDS = "_trends"  # what calls of growth and days_until become; no text can name it
_PLAIN = (
    *(nodes.Const, nodes.List, nodes.Tuple, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
    *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos),
    *(nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Concat, nodes.CondExpr),
)
_REFUSED: Mapping[type[nodes.Node], str] = {
    nodes.Call: "nothing but growth and days_until can be called in a rule; use a filter (ports | length) or a test "
    "(name is startswith 'a')",
    nodes.Pow: "** is not part of rules",
    nodes.Dict: "a mapping cannot be written in a rule",
}
_WHY_NOT_THERE = "a fact that was not measured makes the rule not measured by itself"


class Scope:
    """A mapping whose names a rule may speak of (`facts`, `previous`, `parameters`), and nothing else of it."""

    __slots__ = ("not_offered", "prefix", "values")

    def __init__(self, prefix: str, values: Mapping[str, Any], not_offered: frozenset[str] = frozenset()) -> None:
        self.prefix = prefix
        self.values = values
        self.not_offered = not_offered

    def value(self, name: Any) -> Any:
        """One value. Raises Gap where it is missing, LookupError for a parameter that does not exist."""
        value = self.values.get(name)
        if is_there(value):
            return value
        if self.prefix == "parameters.":
            raise LookupError(f"there is no parameter {name}")
        raise Gap(f"{self.prefix}{name}", name not in self.not_offered)


class Trends:
    """The points of numeric facts of one subject, for `growth` and `days_until`."""

    __slots__ = ("not_offered", "points")

    def __init__(self, points: Mapping[str, Points], not_offered: frozenset[str] = frozenset()) -> None:
        self.points = points
        self.not_offered = not_offered

    def value(self, wanted: Any) -> float:
        """One function's value. Raises Gap: not measured where the fact was not, otherwise the rule does not apply,
        because there is no trend yet."""
        function, fact, days, limit = wanted
        points = self.points.get(fact)
        if points is None:
            raise Gap(fact, fact not in self.not_offered)
        found = growth(points, days) if function == "growth" else days_until(points, limit, days)
        if found is None:
            raise Gap(f"{function}({fact})", False)
        return found


def is_there(value: Any) -> bool:
    """Whether a value was measured: None and the float that is not a number were not."""
    return value is not None and not (isinstance(value, float) and isnan(value))


class _Missing(Undefined):
    def __init__(self, hint: str | None = None, obj: Any = None, name: str | None = None, exc: Any = None) -> None:
        raise Gap(str(name), None)


def _arithmetic(calculate: Callable[[Any, Any], Any], sign: str) -> Callable[[Any, Any], Any]:
    def checked(left: Any, right: Any) -> Any:
        for side in (left, right):
            if not is_number(side):
                raise TypeError(f"{kind(left)} {sign} {kind(right)} has no meaning")
            if isinstance(side, int) and side.bit_length() > _WIDEST_NUMBER:
                raise ValueError(f"a number is too large for {sign}")
        return calculate(left, right)

    return checked


_minus = _arithmetic(operator.sub, "-")
_plus = _arithmetic(operator.add, "+")


def _subtract(left: Any, right: Any) -> Any:
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return difference(left, right)
    return _minus(left, right)


def _add(left: Any, right: Any) -> Any:
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return [*left, *right]
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    return _plus(left, right)


class _Sandbox(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})
    default_binop_table = {  # noqa: RUF012 - Jinja2 declares it as an instance's dictionary
        "+": _add,
        "-": _subtract,
        "*": _arithmetic(operator.mul, "*"),
        "/": _arithmetic(operator.truediv, "/"),
        "//": _arithmetic(operator.floordiv, "//"),
        "%": _arithmetic(operator.mod, "%"),
    }

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if type(obj) in (Scope, Trends):
            return obj.value(argument)
        value = _element(obj, argument)
        if not is_there(value):
            raise Gap(str(argument))
        return value


def _element(obj: Any, argument: Any) -> Any:
    if isinstance(obj, Mapping):
        return obj.get(argument) if isinstance(argument, str) else None
    if isinstance(obj, (list, tuple, str)) and isinstance(argument, int) and not isinstance(argument, bool):
        return obj[argument] if -len(obj) <= argument < len(obj) else None
    raise TypeError(f"{kind(obj)} has nothing named {argument}")


def _sandbox() -> _Sandbox:
    # Not optimised: constants would be folded while compiling, which saves nothing here.
    made = _Sandbox(undefined=_Missing, optimized=False, cache_size=0, autoescape=False)
    made.globals = {}
    made.filters = dict(FILTERS)
    made.tests = dict(TESTS)
    return made


_SANDBOX = _sandbox()


# --- reading ---------------------------------------------------------------------------------------------------------


class Malformed(ValueError):
    """Text that is not a rule or a template; the message says why, in words for people."""


def problem(expression: str) -> str | None:
    """What is wrong with a rule's expression, in words for people; None when it is one."""
    try:
        _parsed(expression)
    except Malformed as error:
        return str(error)
    return None


def template_problem(text: str) -> str | None:
    """What is wrong with a template (a finding or a title with `{{ … }}`); None when it is one."""
    try:
        _pieces(text)
    except Malformed as error:
        return str(error)
    return None


@lru_cache(maxsize=2048)
def names(expression: str) -> frozenset[str]:
    """The names that an expression speaks of: facts by their own name (`facts.x` is x), `previous.NAME` and
    `parameters.NAME` with their prefix. Raises Malformed."""
    return frozenset(_spoken(_parsed(expression)))


def template_names(text: str) -> frozenset[str]:
    """The names that a template speaks of, as `names` gives them. Raises Malformed."""
    return frozenset(name for piece in _pieces(text) if isinstance(piece, nodes.Expr) for name in _spoken(piece))


def compared(text: str, fact: str, *, template: bool = False) -> frozenset[str]:
    """The texts that an expression (or a template) compares a fact with: by == and != or as elements of a list that is
    written down. Raises Malformed."""
    expressions = [one for one in _pieces(text) if isinstance(one, nodes.Expr)] if template else [_parsed(text)]
    nodes_in = (node for one in expressions for node in _within(one, DEEPEST + 1))
    return frozenset(word for node in nodes_in if isinstance(node, nodes.Compare) for word in _words(node, fact))


def _words(comparison: nodes.Compare, fact: str) -> Iterator[str]:
    left = comparison.expr
    for operand in comparison.ops:
        right = operand.expr
        if operand.op in ("eq", "ne"):
            pairs = ((left, right), (right, left))
            yield from (one.value for one, other in pairs if _is(other, fact) and _is_text(one))
        elif operand.op in ("in", "notin") and _is(left, fact) and isinstance(right, (nodes.List, nodes.Tuple)):
            yield from (one.value for one in right.items if _is_text(one))
        left = right


def _is(node: nodes.Node, fact: str) -> bool:
    """Whether a node is a fact itself: `fact`, `facts.fact` or `facts['fact']`."""
    if isinstance(node, (nodes.Getattr, nodes.Getitem)) and isinstance(node.node, nodes.Name):
        return node.node.name == "facts" and _constant(node) == fact
    return isinstance(node, nodes.Name) and node.name == fact


def _is_text(node: nodes.Node) -> TypeGuard[nodes.Const]:
    return isinstance(node, nodes.Const) and isinstance(node.value, str)


def trends(expression: str) -> frozenset[str]:
    """The facts whose trend an expression asks for. Raises Malformed."""
    return _trends_in(_parsed(expression)) if _may_ask(expression) else frozenset()


def template_trends(text: str) -> frozenset[str]:
    """The same of a template."""
    if not _may_ask(text):
        return frozenset()
    return frozenset().union(*(_trends_in(piece) for piece in _pieces(text) if isinstance(piece, nodes.Expr)))


def _may_ask(text: str) -> bool:
    """Parsing is dear, and few rules ask for a trend."""
    return any(name in text for name in _FUNCTIONS)


def _trends_in(expression: nodes.Expr) -> frozenset[str]:
    found = (node for node in _within(expression, DEEPEST + 1) if isinstance(node, nodes.Getitem))
    return frozenset(fact for node in found if (fact := _trended(node)) is not None)


def _trended(node: nodes.Getitem) -> str | None:
    """The fact of what was a call of growth or days_until."""
    if isinstance(node.node, nodes.Name) and node.node.name == _TRENDS and isinstance(node.arg, nodes.Tuple):
        return str(node.arg.items[1].as_const())
    return None


def _parsed(expression: str) -> nodes.Expr:
    return _guarded(expression, _parse_expression)


def _pieces(text: str) -> list[str | nodes.Expr]:
    return _guarded(text, _parse_template)


def _guarded(text: str, parse: Callable[[str], _Parsed]) -> _Parsed:
    if len(text) > LONGEST_EXPRESSION:
        raise Malformed(f"longer than {LONGEST_EXPRESSION} characters")
    try:
        return parse(text)
    except TemplateError as error:
        why = (error.message or type(error).__name__).removesuffix(".").replace("end of template", "end")
        raise Malformed(f"cannot be understood: {why}") from None
    except RecursionError:
        raise Malformed("nested too deeply") from None


def _parse_expression(text: str) -> nodes.Expr:
    parser = Parser(_SANDBOX, text, state="variable")
    expression = parser.parse_expression()
    if not parser.stream.eos:
        raise Malformed(
            f"cannot be understood: nothing is expected after it, but {parser.stream.current.value!r} follows"
        )
    return _admitted(expression)


def _parse_template(text: str) -> list[str | nodes.Expr]:
    if "{%" in text:
        raise Malformed("only {{ … }} has a meaning here, not {% … %}")
    return [
        piece.data if isinstance(piece, nodes.TemplateData) else _admitted(piece)
        for output in _SANDBOX.parse(text).find_all(nodes.Output)
        for piece in output.nodes
    ]


def _admitted(written: nodes.Expr) -> nodes.Expr:
    looked_into: set[int] = set()
    made: set[int] = set()
    expression: nodes.Expr = _with_trends(written, made, DEEPEST)
    for node in _within(expression, DEEPEST):
        if isinstance(node, (nodes.Getattr, nodes.Getitem)):
            looked_into.add(id(node.node))
        if isinstance(node, nodes.Filter):
            _check_use(node, FILTERS, "filter")
        elif isinstance(node, nodes.Test):
            _check_use(node, TESTS, "test")
        elif isinstance(node, nodes.Name):
            if id(node) not in made:
                _check_name(node.name, id(node) in looked_into)
        else:
            _check_plain(node)
    expression.set_environment(_SANDBOX)
    return expression


def _with_trends(node: nodes.Node, made: set[int], levels: int) -> Any:
    """The same expression with a look into `_trends` for each call of growth and days_until; `made` gets the ids of the
    names that only this function may write."""
    if levels == 0:
        raise Malformed("nested too deeply")
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name in _FUNCTIONS:
        return _trend(node, node.node.name, made, levels)
    for name, value in node.iter_fields():
        if isinstance(value, nodes.Node):
            setattr(node, name, _with_trends(value, made, levels - 1))
        elif isinstance(value, list):
            inner = [_with_trends(one, made, levels - 1) if isinstance(one, nodes.Node) else one for one in value]
            setattr(node, name, inner)
    return node


_FUNCTIONS = {"growth": "growth(FACT, days=30)", "days_until": "days_until(FACT, LIMIT, days=30)"}


def _trend(call: nodes.Call, function: str, made: set[int], levels: int) -> nodes.Getitem:
    limits = call.args[1:]
    days = [one.value for one in call.kwargs if one.key == "days"]
    written = len(call.args) == (1 if function == "growth" else 2) and len(call.kwargs) == len(days) == 1
    if not written or call.dyn_args is not None or call.dyn_kwargs is not None:
        raise Malformed(f"write {_FUNCTIONS[function]}")
    fact, period = call.args[0], days[0]
    if not isinstance(fact, nodes.Name) or fact.name in RESERVED:
        raise Malformed(f"{function} is of a fact, by its name: {_FUNCTIONS[function]}")
    if (
        not isinstance(period, nodes.Const)
        or type(period.value) is not int
        or not (SHORTEST_PERIOD <= period.value <= LONGEST_PERIOD)
    ):
        raise Malformed(f"{function}: days must be a whole number from {SHORTEST_PERIOD} to {LONGEST_PERIOD}")
    limit = _with_trends(limits[0], made, levels - 1) if limits else nodes.Const(0, lineno=call.lineno)
    wanted = [nodes.Const(function), nodes.Const(fact.name), nodes.Const(period.value), limit]
    place = nodes.Name(_TRENDS, "load", lineno=call.lineno)
    made.add(id(place))
    return nodes.Getitem(place, nodes.Tuple(wanted, "load"), "load", lineno=call.lineno)


def _within(node: nodes.Node, levels: int) -> Iterator[nodes.Node]:
    """A node and all that it is made of, outermost first."""
    if levels == 0:
        raise Malformed("nested too deeply")
    yield node
    for child in node.iter_child_nodes():
        yield from _within(child.value if isinstance(child, nodes.Keyword) else child, levels - 1)


def _check_name(name: str, looked_into: bool) -> None:
    if name in _SCOPED and not looked_into:
        raise Malformed(f"{name} is not a value by itself; write {name}.NAME")
    if name in _FUNCTIONS:
        raise Malformed(f"write {_FUNCTIONS[name]}")
    # Python takes some letters outside ASCII for one another, and compiled names are Python's.
    if name in ("self", "loop", "super", _RESULT, _TRENDS) or not name.isascii():
        raise Malformed(f"{name} cannot stand by itself; write facts.{name}")


def _check_plain(node: nodes.Node) -> None:
    if not isinstance(node, _PLAIN):
        raise Malformed(_REFUSED.get(type(node), f"{type(node).__name__} is not part of rules"))
    if isinstance(node, nodes.Const) and node.value is None:
        raise Malformed(f"there is no none in rules: {_WHY_NOT_THERE}")
    if isinstance(node, nodes.CondExpr) and node.expr2 is None:
        raise Malformed("an `if` needs its `else`")


def _check_use(node: nodes.Filter | nodes.Test, known: Mapping[str, Callable[..., Any]], what: str) -> None:
    if node.name not in known:
        if node.name in ("default", "d", "defined", "undefined", "none"):
            raise Malformed(f"there is no {what} {node.name!r}: {_WHY_NOT_THERE}")
        close = get_close_matches(node.name, known, 1, 0.7)
        hint = f"did you mean {close[0]!r}?" if close else "there are " + ", ".join(sorted(known))
        raise Malformed(f"unknown {what} {node.name!r}; {hint}")
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        raise Malformed("* and ** are not part of rules")
    keywords = {str(keyword.key): None for keyword in node.kwargs}
    try:
        inspect.signature(known[node.name]).bind(None, *[None] * len(node.args), **keywords)
    except TypeError as error:
        raise Malformed(f"{what} {node.name!r}: {error}") from None


def _spoken(node: nodes.Node) -> Iterator[str]:
    if isinstance(node, nodes.Name):
        if node.name not in RESERVED:
            yield node.name
        return
    if isinstance(node, nodes.Getitem) and (trended := _trended(node)) is not None:
        yield trended
        yield from _spoken(node.arg)
        return
    if isinstance(node, (nodes.Getattr, nodes.Getitem)) and isinstance(node.node, nodes.Name):
        name = _constant(node)
        if node.node.name in _SCOPED and name is not None:
            yield name if node.node.name == "facts" else f"{node.node.name}.{name}"
            return
    for child in node.iter_child_nodes():
        yield from _spoken(child)


def _constant(node: nodes.Getattr | nodes.Getitem) -> str | None:
    if isinstance(node, nodes.Getattr):
        return node.attr
    if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        return node.arg.value
    return None


# --- compiling -------------------------------------------------------------------------------------------------------

Evaluate = Callable[[Context], Any]
"""Gives an expression's value. Raises Gap for a value that is not there; anything else means that the rule broke."""


@lru_cache(maxsize=2048)
def evaluator(expression: str) -> Evaluate:
    """An expression as a function of a context. Raises Malformed."""
    return _function(_parsed(expression))


@lru_cache(maxsize=2048)
def compiled_template(text: str) -> tuple[str | Evaluate, ...]:
    """A template's pieces: text, and expressions as functions of a context. Raises Malformed."""
    return tuple(piece if isinstance(piece, str) else _function(piece) for piece in _pieces(text))


def context(variables: dict[str, Any]) -> Context:
    """What expressions are evaluated in: one for all rules about one subject."""
    return _SANDBOX.context_class(_SANDBOX, variables, None, {})


def _function(expression: nodes.Expr) -> Evaluate:
    body: list[nodes.Node] = [nodes.Assign(nodes.Name(_RESULT, "store"), expression, lineno=1)]
    root = _SANDBOX.from_string(nodes.Template(body, lineno=1)).root_render_func

    def evaluate(where: Context) -> Any:
        for _ in root(where):
            pass
        return where.vars[_RESULT]

    return evaluate
