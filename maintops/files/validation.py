"""From a JSON Schema's errors to sentences with a place: every mistake at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from maintops.domain.parameters import kind
from maintops.errors import Mistake
from maintops.files.documents import MOST_MISTAKES, Document, Trail
from maintops.files.wording import hint, one_of, quoted

_TYPES = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "a mapping",
}
_YES = ("true", "yes", "on", "y")
_NO = ("false", "no", "off", "n")


def schema_mistakes(document: Document, schema: Mapping[str, Any]) -> list[Mistake]:
    """What a schema finds in a document, each with its place. A rule of the schema that needs words of its own
    (`oneOf`, `anyOf`, a pattern) has them in its `$comment`."""
    from jsonschema import Draft202012Validator  # late: it takes long to import, and most commands need no schema

    if document.value is None:
        return [document.mistake((), "the file is empty")]
    errors = Draft202012Validator(schema).iter_errors(document.value)
    found = (mistake for error in errors for mistake in _mistakes(document, error))
    # Two errors of a schema may read the same.
    return list(dict.fromkeys(islice(found, MOST_MISTAKES)))


def _mistakes(document: Document, error: Any) -> Iterator[Mistake]:
    path: Trail = tuple(error.absolute_path)
    if "propertyNames" in error.absolute_schema_path:
        message = f"{quoted(error.instance)} cannot be a name here; {error.schema.get('$comment', 'choose another')}"
        yield document.mistake((*path, error.instance), message, at_key=True)
    elif error.validator == "additionalProperties":
        known = error.schema["properties"]
        for key in error.instance:
            if key not in known:
                yield document.mistake((*path, key), f"unknown key {quoted(key)}{hint(key, known)}", at_key=True)
    elif error.validator == "dependentRequired":
        for key, needed in error.validator_value.items():
            if key in error.instance and not all(one in error.instance for one in needed):
                yield document.mistake((*path, key), f"{quoted(key)} is for a check with {one_of(needed)}", at_key=True)
    else:
        for message in _SENTENCES[error.validator](error):
            yield document.mistake(path, message)


def _required(error: Any) -> Iterator[str]:
    for key in error.validator_value:
        if key not in error.instance:
            yield f"{quoted(key)} is missing"


def _type(error: Any) -> Iterator[str]:
    wanted = error.validator_value
    names = [wanted] if isinstance(wanted, str) else wanted
    must = f"must be {one_of([_TYPES[name] for name in names])}"
    given = error.instance
    if given is None:
        yield f"has no value; it {must}"
    elif isinstance(given, str):
        yield f"{must}; {quoted(given)} is text{_advice(given, names)}"
    elif "string" in names and isinstance(given, (bool, int, float)):
        yield f"{must}, not {kind(given)}; put it in quotes"
    else:
        yield f"{must}, not {kind(given)}"


def _advice(given: str, names: list[str]) -> str:
    if names == ["boolean"] and given.lower() in (*_YES, *_NO):
        return f" (write {'true' if given.lower() in _YES else 'false'})"
    return ""


def _enum(error: Any) -> Iterator[str]:
    choices = error.validator_value
    given = error.instance
    shown = f"{quoted(given)} is not{hint(given, choices)}" if isinstance(given, str) else f"not {kind(given)}"
    yield f"must be {one_of(choices)}; {shown}"


def _pattern(error: Any) -> Iterator[str]:
    said = error.schema.get("$comment")
    yield f"{quoted(error.instance)} {said}" if said else "must not be empty"


def _commented(error: Any) -> Iterator[str]:
    yield str(error.schema["$comment"])


_SENTENCES: Mapping[str, Callable[[Any], Iterator[str]]] = {
    "required": _required,
    "type": _type,
    "enum": _enum,
    "pattern": _pattern,
    "oneOf": _commented,
    "anyOf": _commented,
    "not": _commented,
    "minItems": lambda _: iter(["must not be empty"]),
    "minimum": lambda error: iter([f"must be at least {error.validator_value}"]),
    "maximum": lambda error: iter([f"must be at most {error.validator_value}"]),
    "exclusiveMinimum": lambda error: iter([f"must be more than {error.validator_value}"]),
}
