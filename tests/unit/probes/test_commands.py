from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.commands import PARSERS, command_probe, parser_named
from maintops.probes.contract import Parser, Presence

ENDING = {"exit_status": 0, "error": ""}


def read(parser: str, stdout: bytes, subject: str | None = None, **more: Any) -> Reading:
    return command_probe("whatever", parser_named(parser), subject).read(Answer(stdout, **more), {})


def facts(parser: str, stdout: bytes, **more: Any) -> Mapping[str, Any]:
    reading = read(parser, stdout, **more)
    assert isinstance(reading, Measured)
    (one,) = reading.subjects
    assert one.subject is None
    return one.facts


# --- text and lines --------------------------------------------------------------------------------------------------


def test_text_is_kept_without_its_last_newline():
    assert facts("text", b"a\n\nb\n\n") == {"text": "a\n\nb\n"} | ENDING


def test_a_command_that_finds_nothing_has_printed_nothing():
    assert facts("text", b"", status=1, stderr=b" oh \n") == {"text": "", "exit_status": 1, "error": "oh"}
    assert facts("lines", b"", status=1) == {"lines": [], "count": 0, "exit_status": 1, "error": ""}


def test_lines_are_counted():
    assert facts("lines", b"a\r\n\nb\n") == {"lines": ["a", "", "b"], "count": 3} | ENDING


def test_a_status_that_is_not_known_is_left_out():
    assert facts("text", b"x", status=None) == {"text": "x", "error": ""}


@pytest.mark.parametrize("parser", ["text", "lines", "json", "jc:df"])
@pytest.mark.parametrize(
    ("status", "stderr", "why"),
    [
        (127, b"sh: 1: storcli64: not found\n", "no such command: storcli64"),
        (126, b"sh: 1: x: Permission denied\n", "no right to ask this: sh: 1: x: Permission denied"),
    ],
)
def test_no_command_is_not_measured(parser: str, status: int, stderr: bytes, why: str):
    assert read(parser, b"", status=status, stderr=stderr) == NotMeasured(why)


@pytest.mark.parametrize("parser", ["text", "lines", "json", "jc:df"])
def test_a_truncated_answer_is_unreadable(parser: str):
    with pytest.raises(UnreadableAnswer, match="cut at its limit"):
        read(parser, b"[]", truncated=True)


# --- json ------------------------------------------------------------------------------------------------------------


def test_an_object_s_names_are_the_facts():
    assert facts("json", b'{"state": "ok", "a b": 1}', status=3) == {
        "state": "ok",
        "a b": 1,
        "exit_status": 3,
        "error": "",
    }


def test_an_object_s_own_names_win():
    assert facts("json", b'{"exit_status": "fine", "error": null}')["exit_status"] == "fine"


def test_a_list_is_items():
    assert facts("json", b'[{"a": 1}, 2]') == {"items": [{"a": 1}, 2], "count": 2} | ENDING


@pytest.mark.parametrize(("text", "value"), [(b"5", 5), (b'"x"', "x"), (b"true", True), (b"null", None)])
def test_anything_else_is_a_value(text: bytes, value: Any):
    assert facts("json", text) == {"value": value} | ENDING


@pytest.mark.parametrize("parser", ["json", "jc:df"])
def test_nothing_where_something_should_be_is_not_measured(parser: str):
    assert read(parser, b"\n", status=1, stderr=b"no controller\nmore\n") == NotMeasured(
        "the command printed nothing (exit status 1): no controller"
    )


def test_what_is_not_json_is_unreadable():
    with pytest.raises(UnreadableAnswer, match="not JSON"):
        read("json", b"Error: no controller\n")


# --- subjects --------------------------------------------------------------------------------------------------------


def test_each_object_becomes_a_subject():
    assert read("json", b'[{"slot": 4, "ok": true}, {"slot": 7, "ok": false}]', "slot") == Measured(
        (
            SubjectFacts("4", {"slot": 4, "ok": True} | ENDING),
            SubjectFacts("7", {"slot": 7, "ok": False} | ENDING),
        )
    )


def test_an_empty_list_has_no_subjects():
    assert read("json", b"[]", "slot") == Measured(())


def test_one_object_is_one_subject():
    reading = read("json", b'{"name": "md0", "items": [1]}', "name")
    assert isinstance(reading, Measured)
    assert [one.subject for one in reading.subjects] == ["md0"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'[{"slot": 1}, {"slot": 1}]', "two subjects have the slot '1'"),
        (b'[{"bay": 1}]', "no 'slot'"),
        (b'[{"slot": null}]', "no 'slot'"),
        (b'[{"slot": ""}]', "no 'slot'"),
        (b'[{"slot": true}]', "no 'slot'"),
        (b'[{"slot": [1]}]', "no 'slot'"),
        (b'[{"slot": 1}, 5]', "item 2"),
        (b'{"bay": 1}', "no 'slot'"),
        (b"5", "no 'slot'"),
    ],
)
def test_what_cannot_be_named_is_unreadable(text: bytes, words: str):
    with pytest.raises(UnreadableAnswer, match=words):
        read("json", text, "slot")


def test_a_reason_needs_no_subject():
    assert isinstance(read("json", b"", "slot"), NotMeasured)


def test_the_facts_of_a_command_are_those_of_its_parser():
    assert set(command_probe("c", PARSERS["text"]).facts) == {"text", "exit_status", "error"}
    assert command_probe("c", PARSERS["json"]).facts == {}


def test_a_stranger_s_parser_can_have_subjects_too():
    parser = Parser("csv", lambda answer: Measured((SubjectFacts(None, {"items": [{"a": "x"}]}),)))
    assert command_probe("c", parser, "a").read(Answer(), {}) == Measured((SubjectFacts("x", {"a": "x"}),))


# --- jc --------------------------------------------------------------------------------------------------------------

PASSWD = b"root:x:0:0:root:/root:/bin/bash\nbin:x:1:1:bin:/bin:/sbin/nologin\n"


def test_jc_reads_what_it_knows():
    found = facts("jc:passwd", PASSWD)
    assert (found["count"], found["items"][0]["username"], found["items"][1]["uid"]) == (2, "root", 1)


def test_jc_gives_subjects():
    reading = read("jc:passwd", PASSWD, "username")
    assert isinstance(reading, Measured)
    assert [one.subject for one in reading.subjects] == ["root", "bin"]


def test_what_jc_cannot_read_is_unreadable():
    with pytest.raises(UnreadableAnswer, match="jc cannot read it as proc-meminfo: ValueError"):
        read("jc:proc_meminfo", b"hello\n")


@pytest.mark.parametrize("parser", ["jc:df", "jc:ls", "jc:dig", "jc:ini", "jc:yaml", "jc:xml", "jc:plist", "jc:csv"])
@given(stdout=st.binary(max_size=80))
def test_no_bytes_break_jc(parser: str, stdout: bytes):
    reading: Reading = NotMeasured("unreadable")
    with contextlib.suppress(UnreadableAnswer):
        reading = read(parser, stdout)
    assert isinstance(reading, Measured | NotMeasured)
    if isinstance(reading, Measured):
        json.dumps(reading.subjects[0].facts, allow_nan=False, ensure_ascii=False).encode()


def test_a_yaml_bomb_is_unreadable():
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 9))
    with pytest.raises(UnreadableAnswer):
        read("jc:yaml", b"l0: &l0 [lol]\n" + levels.encode())


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("txt", "did you mean text?"),
        ("zzz", "there are text, lines, json, goss, inspec, lynis, nagios, prometheus, xccdf and jc:NAME"),
        ("jc:passwdd", "did you mean jc:passwd"),
        ("jc:ls-s", "reads a whole answer"),
        ("jc:", "jc has no parser ''.* answer$"),
    ],
)
def test_an_unknown_parser_is_an_error_that_helps(name: str, hint: str):
    with pytest.raises(LookupError, match=hint):
        parser_named(name)


def test_parsers_declare_what_they_know():
    assert set(PARSERS["text"].facts or ()) == {"text", "exit_status", "error"}
    assert set(PARSERS["lines"].facts or ()) == {"lines", "count", "exit_status", "error"}
    assert PARSERS["json"].facts is None
    assert parser_named("jc:df").facts is None


def test_the_question_is_the_command_as_it_stands():
    probe = command_probe("storcli64 /c0 show J | head", PARSERS["json"], None)
    assert probe.question({}) == "storcli64 /c0 show J | head"
    assert probe.presence is Presence.PASSING


def test_jc_is_imported_for_those_who_use_it():
    code = "import sys; from maintops.probes.commands import parser_named as p; p('json'); print('jc' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
