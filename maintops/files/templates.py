"""What a template of Ansible needs, gives itself and asks for: read from its syntax, without running it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from jinja2 import Environment, TemplateError, nodes

from maintops.files.contents import short, words


class Unclear(Exception):
    """Something that is not understood: nothing can be said about this content."""


_JINJA = Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"], autoescape=True)  # it only parses


def is_template(text: str) -> bool:
    """Whether anything of a text is rendered."""
    return "{{" in text or "{%" in text


def as_template(condition: str) -> str:
    """A condition, which is written without braces, as a template."""
    return condition if is_template(condition) else "{{ " + condition + " }}"


def parsed(text: str) -> nodes.Template:
    """A template's syntax. Raises Unclear where it has none."""
    try:
        return _JINJA.parse(text)
    except TemplateError:
        raise Unclear from None


def stored(template: nodes.Template) -> set[str]:
    """Names that a template gives itself: by set, for, macro. Raises Unclear where it imports."""
    own = {node.name for node in template.find_all(nodes.Name) if node.ctx != "load"}
    own |= {node.name for node in template.find_all(nodes.Macro)}
    if next(iter(template.find_all((nodes.Import, nodes.FromImport, nodes.Include, nodes.Extends))), None):
        raise Unclear
    return own


def needed(node: nodes.Node) -> Iterator[str]:
    """Names without which rendering must fail. A part that may be left out, or that takes what is undefined (default,
    tests, arguments of filters and calls), needs nothing."""
    first = next((name for kind, name in _FIRST.items() if isinstance(node, kind)), None)
    if isinstance(node, nodes.Name):
        yield node.name
    elif first is not None:
        yield from needed(getattr(node, first))
    elif isinstance(node, nodes.Compare):
        yield from needed(node.expr)
        yield from needed(node.ops[0].expr)
    elif isinstance(node, nodes.Filter):
        if isinstance(node.node, _PATHS) and short(node.name) in _STRICT_FILTERS:
            yield from needed(node.node)
    elif isinstance(node, nodes.Call):
        yield from needed(node.node.node) if isinstance(node.node, _PATHS[1:]) else ()
    elif isinstance(node, _WHOLE):
        for child in node.iter_child_nodes():
            yield from needed(child)


_PATHS = (nodes.Name, nodes.Getattr, nodes.Getitem)
# The part that is evaluated in any case.
_FIRST: Mapping[type[nodes.Node], str] = {
    nodes.And: "left",
    nodes.Or: "left",
    nodes.CondExpr: "test",
    nodes.If: "test",
    nodes.For: "iter",
}
_WHOLE = (
    nodes.Template,
    nodes.Output,
    nodes.BinExpr,
    nodes.UnaryExpr,
    nodes.Concat,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Slice,
    nodes.List,
    nodes.Tuple,
    nodes.Dict,
    nodes.Pair,
)
# Filters that fail for what is undefined, in any Ansible; of others nobody knows.
_STRICT_FILTERS = words(
    "basename bool capitalize dict2items dirname from_json from_yaml int items2dict join length lower quote "
    "regex_replace regex_search replace sort split to_json to_nice_json to_nice_yaml to_yaml trim upper"
)


def guarded_names(template: nodes.Template) -> Iterator[str]:
    """Names that a template expects to be undefined now and then: they have a default, or it asks."""
    for compared in template.find_all(nodes.Compare):  # 'name' in vars
        yield from (const.value for const in compared.find_all(nodes.Const) if isinstance(const.value, str))
    for one in template.find_all((nodes.Filter, nodes.Test)):
        if isinstance(one, (nodes.Filter, nodes.Test)) and short(one.name) in (
            "default",
            "d",
            "defined",
            "undefined",
            "ternary",
            "mandatory",
            "undef",
        ):
            yield from (name.name for name in one.find_all(nodes.Name))
