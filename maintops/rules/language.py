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
from typing import Any, TypeVar

from jinja2 import TemplateError, nodes
from jinja2.parser import Parser
from jinja2.runtime import Context, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from maintops.rules.filters import FILTERS, TESTS, Gap, difference, is_number, kind

LONGEST_EXPRESSION = 2000
"""Characters that an expression or a template may have."""

DEEPEST = 40
"""Levels that an expression may be nested."""

RESERVED = frozenset({"facts", "subject", "previous", "parameters"})
"""Names that are not facts in a rule: the mapping of all facts, the subject's name, the facts of the last record, and
the checklist's parameters."""

_Parsed = TypeVar("_Parsed")
_WIDEST_NUMBER = 1024  # bits; arithmetic on larger whole numbers could be made to take long
_RESULT = "_result"
_SCOPED = ("facts", "previous", "parameters")
_PLAIN = (
    *(nodes.Const, nodes.List, nodes.Tuple, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
    *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos),
    *(nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Concat, nodes.CondExpr),
)
_REFUSED: Mapping[type[nodes.Node], str] = {
    nodes.Call: "nothing can be called in a rule; use a filter (ports | length) or a test (name is startswith 'a')",
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
        if type(obj) is Scope:
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


def names(expression: str) -> frozenset[str]:
    """The names that an expression speaks of: facts by their own name (`facts.x` is x), `previous.NAME` and
    `parameters.NAME` with their prefix. Raises Malformed."""
    return frozenset(_spoken(_parsed(expression)))


def template_names(text: str) -> frozenset[str]:
    """The names that a template speaks of, as `names` gives them. Raises Malformed."""
    return frozenset(name for piece in _pieces(text) if isinstance(piece, nodes.Expr) for name in _spoken(piece))


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


def _admitted(expression: nodes.Expr) -> nodes.Expr:
    looked_into: set[int] = set()
    for node in _within(expression, DEEPEST):
        if isinstance(node, (nodes.Getattr, nodes.Getitem)):
            looked_into.add(id(node.node))
        if isinstance(node, nodes.Filter):
            _check_use(node, FILTERS, "filter")
        elif isinstance(node, nodes.Test):
            _check_use(node, TESTS, "test")
        elif isinstance(node, nodes.Name):
            _check_name(node.name, id(node) in looked_into)
        else:
            _check_plain(node)
    expression.set_environment(_SANDBOX)
    return expression


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
    # Python takes some letters outside ASCII for one another, and compiled names are Python's.
    if name in ("self", "loop", "super", _RESULT) or not name.isascii():
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
