"""The complaints themselves: each fault of a probe is found, and the sound one below has none."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from maintops.domain.answers import Answer, Measured, NotMeasured, Skipped, SubjectFacts, UnreadableAnswer
from maintops.errors import UsageError
from maintops.probes.conformance import (
    declaration_complaints,
    hostile_parameters,
    question_complaints,
    reading_complaints,
    redirections,
)
from maintops.probes.contract import Fact, Parameter, Probe

SOUND = Probe(
    name="fan-speed",
    title="Fans",
    facts={"rpm": Fact("int", "turns", "per minute"), "ok": Fact("bool", "well"), "names": Fact("list", "names")},
    question=lambda parameters: "fans 2>/dev/null",
    read=lambda answer, parameters: Measured((SubjectFacts("fan1", {"rpm": 5, "ok": True}, frozenset({"names"})),)),
    parameters={"folder": Parameter("/sys", "where"), "count": Parameter(1, "many"), "names": Parameter([], "which")},
)


COUNTER = itertools.count()


def reads(*subjects: SubjectFacts) -> Probe:
    return replace(SOUND, read=lambda answer, parameters: Measured(subjects))


def test_a_sound_probe_has_none():
    assert declaration_complaints(SOUND) == question_complaints(SOUND) == reading_complaints(SOUND, Answer()) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "Fan_Speed"}, "its name"),
        ({"title": " "}, "no title"),
        ({"facts": {}}, "no facts"),
        ({"presence": "sometimes"}, "its presence"),
        ({"facts": {"a b": Fact("int", "x")}}, "no rule can speak of"),
        ({"facts": {"previous": Fact("int", "x")}}, "no rule can speak of"),
        ({"facts": {"class": Fact("int", "x")}}, "no rule can speak of"),
        ({"facts": {"a": Fact("number", "x")}}, "the type 'number'"),  # type: ignore[arg-type]
        ({"facts": {"a": Fact("int", "")}}, "no meaning"),
        ({"parameters": {"a-b": Parameter(1, "x")}}, "no checklist can give"),
        ({"parameters": {"a": Parameter({1, 2}, "x")}}, "as JSON"),
        ({"parameters": {"a": Parameter(1, "")}}, "no meaning"),
    ],
)
def test_a_bad_declaration_is_found(change: Mapping[str, Any], words: str):
    (complaint,) = declaration_complaints(replace(SOUND, **change))
    assert words in complaint


def raising(error: Exception) -> Callable[..., Any]:
    def it(*_: object) -> Any:
        raise error

    return it


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (lambda parameters: "", "empty"),
        (lambda parameters: b"x", "is a bytes"),
        (lambda parameters: "x > /tmp/y", "writes to /tmp/y"),
        (lambda parameters: "x\0", "NUL"),
        (lambda parameters: Skipped(""), "without a reason"),
        (raising(KeyError("x")), "raises KeyError"),
    ],
)
def test_a_bad_question_is_found(question: Callable[..., Any], words: str):
    (complaint,) = question_complaints(replace(SOUND, question=question))
    assert words in complaint


@pytest.mark.parametrize("question", [lambda parameters: Skipped("nothing set"), raising(UsageError("no such folder"))])
def test_a_question_may_decline(question: Callable[..., Any]):
    assert question_complaints(replace(SOUND, question=question)) == []


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        (reads(SubjectFacts(None, {"speed": 5})), "'speed' is not declared"),
        (reads(SubjectFacts(None, {"rpm": 5.0})), "is a float, declared as int"),
        (reads(SubjectFacts(None, {"rpm": True})), "is a bool, declared as int"),
        (reads(SubjectFacts(None, {"ok": 1})), "is a int, declared as bool"),
        (reads(SubjectFacts(None, {"names": [b"x"]})), "as JSON"),
        (reads(SubjectFacts(None, {"names": [float("nan")]})), "as JSON"),
        (reads(SubjectFacts(None, {"names": ["\ud800"]})), "as JSON"),
        (reads(SubjectFacts("")), "has no name"),
        (reads(SubjectFacts("\ud800")), "as JSON"),
        (reads(SubjectFacts(None, {}, frozenset({"speed"}))), "not offered, 'speed', is not declared"),
        (reads(SubjectFacts(None, {"rpm": 5}, frozenset({"rpm"}))), "measured and not offered"),
        (reads(SubjectFacts(None, why_not=" ")), "without a reason"),
        (reads(SubjectFacts("a"), SubjectFacts("a")), "twice"),
        (replace(SOUND, read=lambda answer, parameters: NotMeasured("")), "without a reason"),
        (replace(SOUND, read=lambda answer, parameters: {"rpm": 5}), "returns a dict"),
        (replace(SOUND, read=raising(ValueError("x"))), "raises ValueError"),
        (replace(SOUND, read=raising(UnreadableAnswer())), "without saying why"),
        (replace(SOUND, read=lambda answer, parameters: NotMeasured(str(next(COUNTER)))), "something else"),
    ],
)
def test_a_bad_reader_is_found(probe: Probe, words: str):
    (complaint,) = reading_complaints(probe, Answer())
    assert words in complaint


@pytest.mark.parametrize(
    "read", [raising(UnreadableAnswer("no fans in it")), lambda answer, parameters: Skipped("no fans")]
)
def test_a_reader_may_decline(read: Callable[..., Any]):
    assert reading_complaints(replace(SOUND, read=read), Answer()) == []


def test_a_fact_that_is_none_was_not_measured():
    assert reading_complaints(reads(SubjectFacts(None, {"rpm": None})), Answer()) == []


def test_the_parameters_that_are_given_are_used():
    probe = replace(SOUND, question=lambda parameters: f"x > {parameters['folder']}")
    assert question_complaints(probe) == ["its question writes to /sys"]
    assert question_complaints(probe, {"folder": "/dev/null"}) == []
    strict = replace(SOUND, read=lambda answer, parameters: NotMeasured(parameters["folder"]))
    assert reading_complaints(strict, Answer()) == []
    assert reading_complaints(strict, Answer(), {"folder": ""}) == [
        "it says without a reason that something was not measured"
    ]


def test_every_text_of_the_parameters_is_attacked():
    attacks = list(hostile_parameters(SOUND, "/c"))
    assert {"folder": "$(touch /c)", "count": 1, "names": []} in attacks
    assert {"folder": "/sys", "count": 1, "names": ["'; touch /c; '"]} in attacks
    assert all(attack["count"] == 1 for attack in attacks)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a 2>/dev/null; b >&2; c 2>&1 | d", ["/dev/null"]),
        ("a >x", ["x"]),
        ("a>>x", ["x"]),
        ("a > 'x y'", ["x y"]),
        ("a | awk '$1 > 2'", []),
        ("sh -c 'a > x'", ["x"]),
        ("a >| x; b <y", ["x"]),
        ("# a > x\nb", []),
        ("a >", ["nothing"]),
        ("a '", []),
    ],
)
def test_redirections_are_seen(text: str, found: list[str]):
    assert redirections(text) == found
