"""One suite that every probe passes. A stranger's probe passes it too: see the functions of `conformance`."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maintops.domain.answers import Answer, Measured, Question, UnreadableAnswer
from maintops.domain.checklists import DEFAULT_LIMIT
from maintops.errors import MaintopsError
from maintops.probes.catalogue import BUILT_IN, builtin
from maintops.probes.conformance import (
    declaration_complaints,
    default_parameters,
    hostile_parameters,
    question_complaints,
    reading_complaints,
)
from maintops.probes.contract import Fact, Parameter, Presence, Probe
from maintops.script.compiling import compile_script
from maintops.script.reading import hear
from tests.contract.asking import PATH, SHELLS, ask

SAMPLES: dict[str, list[bytes]] = {
    name: samples
    for file in sorted(Path(__file__).parent.glob("samples*.py"))
    for name, samples in import_module(f"tests.contract.{file.stem}").SAMPLES.items()
}

USUAL: Mapping[str, Mapping[str, Any]] = {
    "backup-age": {"paths": ["/etc", "/nowhere"]},
    "certificates": {"paths": ["/etc/ssl/certs/ca-certificates.crt", "/nowhere"]},
}
"""Parameters for those that ask nothing unless they are told what to look at."""

BAREST = [
    "awk",
    "cat",
    "cut",
    "date",
    "find",
    "grep",
    "head",
    "id",
    "ls",
    "readlink",
    "sed",
    "sh",
    "sleep",
    "sort",
    "stat",
    "tail",
    "tr",
    "uname",
    "uniq",
    "wc",
]
"""What every server has: the other tools are taken away in one test."""

ATTACKED = [name for name in BUILT_IN if any(hostile_parameters(builtin().probe(name), ""))]

each_probe = pytest.mark.parametrize("name", BUILT_IN)
each_shell = pytest.mark.parametrize("shell", SHELLS)


def probe_named(name: str) -> Probe:
    return builtin().probe(name)


def usual(name: str) -> Mapping[str, Any]:
    return default_parameters(probe_named(name)) | USUAL.get(name, {})


def question(name: str) -> str:
    text = probe_named(name).question(usual(name))
    assert isinstance(text, str)
    return text


@cache
def answer_here(name: str) -> Answer:
    return ask(question(name))


@each_probe
def test_it_declares_itself_well(name: str) -> None:
    assert declaration_complaints(probe_named(name)) == []
    assert probe_named(name).name == name


@each_probe
def test_its_question_writes_nothing(name: str) -> None:
    assert question_complaints(probe_named(name)) == []
    assert question_complaints(probe_named(name), usual(name)) == []
    assert question(name).isascii()


@each_probe
@each_shell
def test_its_question_is_posix_sh(name: str, shell: str) -> None:
    need(shell)
    done = subprocess.run([*SHELLS[shell], "-n", "-c", question(name)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@each_probe
def test_it_reads_this_machine(name: str) -> None:
    assert_read(name, answer_here(name))


@each_probe
@each_shell
def test_every_shell_gets_an_answer_of_the_same_kind(name: str, shell: str) -> None:
    need(shell)
    probe = probe_named(name)
    mine = probe.read(answer_here(name), usual(name))
    other = probe.read(ask(question(name), SHELLS[shell]), usual(name))
    assert type(mine) is type(other)
    if isinstance(mine, Measured) and isinstance(other, Measured) and probe.presence == Presence.LASTING:
        assert {one.subject for one in mine.subjects} == {one.subject for one in other.subjects}


@each_probe
def test_it_reads_what_an_ordinary_user_may_see(name: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    assert_read(name, ask(question(name), user=65534, group=65534, extra_groups=[], cwd="/"))


@each_probe
def test_a_server_with_the_barest_tools_is_neither_well_nor_broken(name: str, tmp_path: Path) -> None:
    for tool in BAREST:
        (tmp_path / tool).symlink_to(str(shutil.which(tool, path=PATH)))
    answer = ask(f"PATH={tmp_path}\n" + question(name))
    assert_read(name, answer)
    reading = probe_named(name).read(answer, usual(name))
    assert reading != Measured(()), "a tool that is not there reads as: there is nothing of the kind"


def assert_read(name: str, answer: Answer) -> None:
    probe = probe_named(name)
    assert reading_complaints(probe, answer, usual(name)) == []
    try:
        probe.read(answer, usual(name))
    except UnreadableAnswer as error:
        pytest.fail(f"it cannot read what this machine answers: {error}\n{answer}")


def need(shell: str) -> None:
    if shutil.which(SHELLS[shell][0]) is None:
        pytest.skip(f"there is no {shell} here; install the package {shell}")


def test_the_one_trip_script_carries_them_all() -> None:
    script = compile_script([Question(name, question(name), 60, DEFAULT_LIMIT) for name in BUILT_IN], become=False)
    done = subprocess.run(["/bin/sh", "-c", script.text], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    heard = hear(done.stdout, script)
    assert heard.complete
    for name in BUILT_IN:
        assert_read(name, heard.answers[name])
        here = probe_named(name).read(answer_here(name), usual(name))
        assert type(probe_named(name).read(heard.answers[name], usual(name))) is type(here)


# --- hostile parameters ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ATTACKED)
def test_hostile_parameters_run_nothing(name: str, tmp_path: Path) -> None:
    probe = probe_named(name)
    for parameters in hostile_parameters(probe, str(tmp_path / "canary")):
        assert question_complaints(probe, parameters) == []
        with contextlib.suppress(MaintopsError):
            text = probe.question(parameters)
            assert isinstance(text, str)
            answer = ask(text, cwd=str(tmp_path))
            assert reading_complaints(probe, answer, parameters) == []
        assert [path.name for path in tmp_path.iterdir()] == [], f"{parameters} ran a command"


def test_a_probe_that_quotes_nothing_is_caught(tmp_path: Path) -> None:
    careless = Probe(
        "careless",
        "Careless",
        {"text": Fact("str", "text")},
        lambda parameters: f"echo {parameters['place']}",
        lambda answer, parameters: Measured(()),
        parameters={"place": Parameter("/", "where")},
    )
    for parameters in hostile_parameters(careless, str(tmp_path / "canary")):
        ask(str(careless.question(parameters)))
    assert [path.name for path in tmp_path.iterdir()] == ["canary"]


# --- garbage ---------------------------------------------------------------------------------------------------------

_marks = st.sampled_from([b"=", b".0", b".1", b".127", b".", b" ", b"= ", b"\n", b"\0", b"\xff", b"-1", b"9" * 5000])
_words = st.sampled_from(
    [b"/dev/sda1", b"/", b"{", b"}", b"[", b'"', b":", b"0", b"-", b"%", b"active", b"md0 :", b"\t"]
)
_line = st.lists(st.one_of(_marks, _words, st.binary(max_size=12)), max_size=8).map(b" ".join)
_shaped = st.lists(_line, max_size=12).map(b"\n".join)
_answers = st.builds(
    Answer,
    stdout=st.one_of(st.binary(max_size=200), _shaped),
    stderr=st.one_of(st.just(b""), st.binary(max_size=60), st.just(b"sh: 1: tool: not found\n")),
    status=st.one_of(st.none(), st.sampled_from([0, 1, 2, 4, 64, 126, 127, 255])),
    truncated=st.booleans(),
    timed_out=st.just(False),
)
_often = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@each_probe
@_often
@given(answer=_answers)
def test_garbage_is_unreadable_at_worst(name: str, answer: Answer) -> None:
    assert reading_complaints(probe_named(name), answer, usual(name)) == []


@each_probe
@_often
@given(data=st.data())
def test_a_spoiled_answer_is_unreadable_at_worst(name: str, data: st.DataObject) -> None:
    whole = [Answer(stdout) for stdout in SAMPLES.get(name, ())] + [answer_here(name)]
    chosen = data.draw(st.sampled_from(whole))
    spoiled = bytearray(chosen.stdout[:20_000])
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(spoiled)))
        spoiled[place : place + data.draw(st.integers(0, 3))] = data.draw(st.one_of(_marks, st.binary(max_size=4)))
    cut = data.draw(st.integers(0, len(spoiled)))
    for stdout in (bytes(spoiled), bytes(spoiled[:cut])):
        assert reading_complaints(probe_named(name), replace(chosen, stdout=stdout), usual(name)) == []


# --- start-up --------------------------------------------------------------------------------------------------------


def test_only_the_probes_that_are_used_are_imported() -> None:
    code = (
        "import sys; from maintops.probes.catalogue import builtin; c = builtin(); list(c.probes); c.probe('swap');"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"maintops.probes.swap", "maintops.probes.memory"} <= loaded
    assert not {"maintops.probes.smart", "maintops.probes.uptime", "jc", "jinja2"} & loaded
