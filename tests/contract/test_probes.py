"""One suite that every probe passes. A stranger's probe passes it too: see the functions of `conformance`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maintops.domain.answers import Answer, Measured, Skipped, UnreadableAnswer
from maintops.probes.catalogue import BUILT_IN, builtin
from maintops.probes.conformance import (
    declaration_complaints,
    default_parameters,
    hostile_parameters,
    question_complaints,
    reading_complaints,
)
from maintops.probes.contract import Probe
from tests.contract.asking import SHELLS, ask
from tests.contract.samples import SAMPLES

each_probe = pytest.mark.parametrize("name", BUILT_IN)


def probe_named(name: str) -> Probe:
    return builtin().probe(name)


@cache
def answer_here(name: str) -> Answer | None:
    """None where the probe has nothing to look at."""
    probe = probe_named(name)
    text = probe.question(default_parameters(probe))
    return None if isinstance(text, Skipped) else ask(text)


@each_probe
def test_it_declares_itself_well(name: str) -> None:
    assert declaration_complaints(probe_named(name)) == []
    assert probe_named(name).name == name


@each_probe
def test_its_question_writes_nothing(name: str) -> None:
    assert question_complaints(probe_named(name)) == []


@each_probe
@pytest.mark.parametrize("shell", SHELLS)
def test_its_question_is_posix_sh(name: str, shell: str) -> None:
    probe = probe_named(name)
    text = probe.question(default_parameters(probe))
    if isinstance(text, Skipped):
        pytest.skip(f"nothing is asked by default: {text.why}")
    if shutil.which(SHELLS[shell][0]) is None:
        pytest.skip(f"there is no {shell} here; install the package {shell}")
    done = subprocess.run([*SHELLS[shell], "-n", "-c", text], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@each_probe
def test_it_reads_this_machine(name: str) -> None:
    answer = answer_here(name)
    if answer is None:
        pytest.skip("nothing is asked by default")
    assert_read(probe_named(name), answer)


@each_probe
@pytest.mark.parametrize("shell", ["bash", "busybox"])
def test_other_shells_get_an_answer_of_the_same_kind(name: str, shell: str) -> None:
    probe = probe_named(name)
    text = probe.question(default_parameters(probe))
    here = answer_here(name)
    if isinstance(text, Skipped) or here is None:
        pytest.skip("nothing is asked by default")
    if shutil.which(SHELLS[shell][0]) is None:
        pytest.skip(f"there is no {shell} here; install the package {shell}")
    parameters = default_parameters(probe)
    mine, other = probe.read(here, parameters), probe.read(ask(text, SHELLS[shell]), parameters)
    assert type(mine) is type(other)
    if isinstance(mine, Measured) and isinstance(other, Measured) and probe.presence == "lasting":
        assert {one.subject for one in mine.subjects} == {one.subject for one in other.subjects}


@each_probe
def test_it_reads_what_an_ordinary_user_may_see(name: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    probe = probe_named(name)
    text = probe.question(default_parameters(probe))
    if isinstance(text, Skipped):
        pytest.skip("nothing is asked by default")
    assert_read(probe, ask(text, user=65534, group=65534, extra_groups=[], cwd="/"))


@each_probe
def test_a_server_without_any_tool_is_never_well(name: str) -> None:
    probe = probe_named(name)
    text = probe.question(default_parameters(probe))
    if isinstance(text, Skipped):
        pytest.skip("nothing is asked by default")
    answer = ask("PATH=/nowhere\n" + text.replace("/bin/", "/nowhere/"))
    reading = probe.read(answer, default_parameters(probe))
    assert reading != Measured(()), "no tool at all reads as: there is nothing of the kind"
    assert reading_complaints(probe, answer) == []


def assert_read(probe: Probe, answer: Answer) -> None:
    assert reading_complaints(probe, answer) == []
    try:
        probe.read(answer, default_parameters(probe))
    except UnreadableAnswer as error:
        pytest.fail(f"it cannot read what this machine answers: {error}\n{answer}")


# --- hostile parameters ----------------------------------------------------------------------------------------------


@each_probe
def test_hostile_parameters_run_nothing(name: str, tmp_path: Path) -> None:
    probe = probe_named(name)
    canary = tmp_path / "canary"
    asked = 0
    for parameters in hostile_parameters(probe, str(canary)):
        assert question_complaints(probe, parameters) == []
        text = question_text(probe, parameters)
        if text is None:
            continue
        asked += 1
        answer = ask(text, cwd=str(tmp_path))
        assert not canary.exists(), f"{parameters} ran a command"
        assert reading_complaints(probe, answer, parameters) == []
    assert [path.name for path in tmp_path.iterdir()] == []
    if not asked:
        pytest.skip("it has no parameter that is put into its question")


def question_text(probe: Probe, parameters: Mapping[str, Any]) -> str | None:
    try:
        text = probe.question(parameters)
    except Exception:  # question_complaints has judged it
        return None
    return None if isinstance(text, Skipped) or text == probe.question(default_parameters(probe)) else text


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
    assert reading_complaints(probe_named(name), answer) == []


@each_probe
@_often
@given(data=st.data())
def test_a_spoiled_answer_is_unreadable_at_worst(name: str, data: st.DataObject) -> None:
    here = answer_here(name)
    whole = [Answer(stdout) for stdout in SAMPLES.get(name, ())] + ([here] if here is not None and here.stdout else [])
    if not whole:
        pytest.skip("this machine has no answer to spoil, and there is no sample of one")
    chosen = data.draw(st.sampled_from(whole))
    spoiled = bytearray(chosen.stdout[:20_000])
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(spoiled)))
        spoiled[place : place + data.draw(st.integers(0, 3))] = data.draw(st.one_of(_marks, st.binary(max_size=4)))
    cut = data.draw(st.integers(0, len(spoiled)))
    for stdout in (bytes(spoiled), bytes(spoiled[:cut])):
        assert reading_complaints(probe_named(name), replace(chosen, stdout=stdout)) == []


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
