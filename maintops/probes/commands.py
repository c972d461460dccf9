"""Checks by a command of the checklist's author, and the parsers that read its output.

A parser gives the facts of one subject, the server: `text`, `lines`, `json` and `jc:NAME` (the parsers of the jc
library); or it is one of FOREIGN, which read other tools' results. With `subject` a list of objects becomes one subject
each, named by that fact of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from maintops.domain.answers import Answer, Measured, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import no_tool, refusal, text_of
from maintops.probes.contract import Fact, Parser, Presence, Probe
from maintops.probes.json_answers import load_json, plain

ITEMS = "items"
"""The fact that holds a list whose objects are not subjects."""

FOREIGN = ("goss", "inspec", "lynis", "nagios", "prometheus", "xccdf")
"""Parsers of other tools' own results, each the PARSER of a module NAME_results. They give subjects, and most of them
rules."""

_ENDING: Mapping[str, Fact] = {
    "exit_status": Fact("int", "the command's exit status; 128 and more: it was ended by a signal"),
    "error": Fact("str", "the beginning of what the command wrote to its standard error"),
}


def command_probe(command: str, parser: Parser, subject: str | None = None) -> Probe:
    """The probe of a check that has a `command`. `subject` names the fact that names the subject.

    What a command lists may come and go for reasons that only its author knows; so a subject that is no longer
    listed is not held to have vanished (`passing`): a rule over `previous` or over the server's own check says that.
    """
    return Probe(
        name="command",
        title=command,
        facts=parser.facts or {},
        question=lambda parameters: command,
        read=lambda answer, parameters: _read(answer, parser, subject),
        presence=Presence.PASSING,
    )


def parser_named(name: str, others: Collection[str] = ()) -> Parser:
    """The built-in parser of a name. Raises LookupError, with a sentence for people, where there is none; `others` are
    names that it may suggest."""
    if name in PARSERS:
        return PARSERS[name]
    if name in FOREIGN:
        parser: Parser = import_module(f"maintops.probes.{name}_results").PARSER
        return parser
    if name.startswith("jc:"):
        return _jc_parser(name.removeprefix("jc:"))
    known = list(dict.fromkeys([*PARSERS, *FOREIGN, *others]))
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)} and jc:NAME"
    raise LookupError(f"there is no parser {name!r}; {hint}")


def _read(answer: Answer, parser: Parser, subject: str | None) -> Reading:
    reading = parser.read(answer)
    if subject is None or not isinstance(reading, Measured):
        return reading
    return by_subject(reading, subject)


def by_subject(reading: Measured, key: str) -> Measured:
    """Makes subjects of objects: of the list in `items` where the server's facts hold one, of the facts themselves
    where they hold `key`. The exit status and the error go with each of them.

    Raises UnreadableAnswer where an object has no such name, or where two have the same.
    """
    subjects: dict[str, SubjectFacts] = {}
    for facts in _objects(reading, key):
        name = _name(facts, key)
        if name in subjects:
            raise UnreadableAnswer(f"two subjects have the {key} {name[:80]!r}")
        subjects[name] = SubjectFacts(name, facts)
    return Measured(tuple(subjects.values()))


def _objects(reading: Measured, key: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for one in reading.subjects:
        listed = one.facts.get(ITEMS)
        if key in one.facts or not isinstance(listed, list):
            found.append(one.facts)
            continue
        ending = {name: one.facts[name] for name in _ENDING if name in one.facts}
        for place, item in enumerate(listed, 1):
            if not isinstance(item, Mapping):
                raise UnreadableAnswer(f"item {place} of its list is not an object: it can be no subject")
            found.append(ending | dict(item))
    return found


def _name(facts: Mapping[str, Any], key: str) -> str:
    value = facts.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int | float) or not str(value).strip():
        raise UnreadableAnswer(f"there is no {key!r} to name a subject by")
    return str(value)


# --- text and lines --------------------------------------------------------------------------------------------------


def _read_text(answer: Answer) -> Reading:
    text = text_of(answer)
    if (why := no_tool(answer)) is not None:
        return why
    return _server({"text": text.removesuffix("\n")} | _ending(answer))


def _read_lines(answer: Answer) -> Reading:
    text = text_of(answer)
    if (why := no_tool(answer)) is not None:
        return why
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []
    return _server({"lines": lines, "count": len(lines)} | _ending(answer))


def _ending(answer: Answer) -> dict[str, Any]:
    ending: dict[str, Any] = {"error": answer.stderr.decode("utf-8", "replace").strip()}
    return ending if answer.status is None else ending | {"exit_status": answer.status}


def _server(facts: Mapping[str, Any]) -> Measured:
    return Measured((SubjectFacts(None, facts),))


# --- structured output -----------------------------------------------------------------------------------------------


def _read_json(answer: Answer) -> Reading:
    text_of(answer)
    if (why := refusal(answer)) is not None:
        return why
    return _server(_shaped(load_json(answer.stdout), answer))


def _shaped(value: Any, answer: Answer) -> dict[str, Any]:
    """An object's names are the facts; a list is `items` and `count`; anything else is `value`."""
    if isinstance(value, dict):
        return _ending(answer) | value
    if isinstance(value, list):
        return _ending(answer) | {ITEMS: value, "count": len(value)}
    return _ending(answer) | {"value": value}


def _jc_parser(name: str) -> Parser:
    import jc  # costs a tenth of a second: only for those who use it

    module = name.replace("_", "-")
    known = {one.replace("_", "-") for one in jc.parser_mod_list(show_hidden=True)}
    if module not in known or getattr(jc.get_parser(module).info, "streaming", False):
        whole = sorted(one for one in known if not one.endswith("-s"))  # -s: jc's name for those that read line by line
        near = get_close_matches(module, whole, n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(f'jc:{one}' for one in near)}?" if near else ""
        raise LookupError(f"jc has no parser {name!r} that reads a whole answer{hint}")
    return Parser(f"jc:{name}", _jc_reader(module, jc.parse))


def _jc_reader(module: str, parse: Callable[..., Any]) -> Callable[[Answer], Reading]:
    def read(answer: Answer) -> Reading:
        text = text_of(answer)
        if (why := refusal(answer)) is not None:
            return why
        try:
            value = parse(module, text, quiet=True)
        except Exception as error:  # its two hundred parsers raise whatever Python raises
            said = str(error).strip().partition("\n")[0]
            raise UnreadableAnswer(f"jc cannot read it as {module}: {type(error).__name__}: {said}"[:300]) from error
        return _server(_shaped(plain(value), answer))

    return read


PARSERS: Mapping[str, Parser] = {
    "text": Parser(
        "text", _read_text, {"text": Fact("str", "what the command printed, without its last newline"), **_ENDING}
    ),
    "lines": Parser(
        "lines",
        _read_lines,
        {"lines": Fact("list", "the lines that it printed"), "count": Fact("int", "how many they are"), **_ENDING},
    ),
    "json": Parser("json", _read_json),
}
"""The parsers that need no library; `parser_named` knows jc's too."""
