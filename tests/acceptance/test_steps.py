"""What a person carries out: steps answered from a file or at a terminal, and what becomes of the answers."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.acceptance.overhauls import (
    ANSWERS,
    DIGEST,
    PHOTO,
    STEPS,
    begin,
    listed,
    outcomes,
    report,
    stage,
    write_answers,
)
from tests.acceptance.persons import Person, closing_time
from tests.lab.running import Desk, run_maintops

__all__ = ["closing_time", "stage"]

pytestmark = [pytest.mark.fleet, pytest.mark.xdist_group("steps")]

# --- without a terminal -----------------------------------------------------------------------------------------------


def test_steps_that_nobody_answers_wait(stage: Desk) -> None:
    ended = begin(stage, "s001", "s002")
    run = ended.document["run"]["id"]
    assert ended.code == 2
    assert ended.stderr.splitlines()[-1] == (f"8 steps wait for a person: maintops run continue {run} --by ENGINEER")
    assert ended.outcomes("s001") == {"OV-010": "ok"} | dict.fromkeys(STEPS, "not_reached")
    assert ended.cell("s001", "OV-910")["message"] == "it waits for a person: maintops run continue"
    alone = run_maintops(stage, "run", "continue", "--by", "erika")
    assert (alone.code, alone.stdout) == (64, "")
    assert alone.stderr == (
        f"maintops: 8 steps wait for a person in {run}: call this at a terminal, or give --answers FILE\n"
    )
    assert len(listed(stage, "record")) == 2


def test_one_step_is_not_several(stage: Desk) -> None:
    ended = run_maintops(stage, "run", "overhaul", "-t", "OV-940", "-i", stage.inventory("s001"))
    assert ended.stderr.splitlines()[-1].startswith("1 step waits for a person: ")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("run continue", "no run"),
        ("run continue nosuch", "no run 'nosuch'"),
        ("run continue last --answers nosuch.yml", "no run"),
        ("run overhaul last", "one checklist at a time: overhaul and last"),
    ],
)
def test_there_must_be_a_run_to_go_on_with(stage: Desk, words: str, why: str) -> None:
    ended = run_maintops(stage, *words.split())
    assert (ended.code, ended.stdout) == (64, "")
    assert why in ended.stderr
    assert "Traceback" not in ended.stderr


# --- from a file ------------------------------------------------------------------------------------------------------


def test_a_file_answers_what_waits(stage: Desk) -> None:
    begin(stage, "s001", "s002")
    answers = write_answers(stage, {"s001": ANSWERS}, by="Erika", at="2026-03-01T10:00+01:00")
    ended = run_maintops(stage, "run", "continue", "--answers", answers, "--format", "json")
    assert ended.code == 2, ended.stderr
    kept = listed(stage, "record")
    (part,) = [one for one in kept if one["record"].endswith(".2")]
    assert (part["server"], part["engineer"], len(kept)) == ("s001", "Erika", 3)
    assert ended.stderr == f"kept in {part['record']}\n"
    assert outcomes(ended.cells("s001")) == {
        "OV-010": "ok",
        "OV-910": "attention",
        "OV-920": "ok",
        "OV-930": "ok",
        "OV-940": "skipped",
    }
    assert set(ended.outcomes("s002").values()) == {"ok", "not_reached"}
    missing = ended.cell("s001", "OV-910")
    assert (missing["severity"], missing["message"]) == ("critical", "a filter is missing: third slot")
    assert (missing["facts"]["by"], missing["facts"]["at"]) == ("Erika", "2026-03-01T09:00:00Z")
    assert ended.cell("s001", "OV-920")["facts"]["reading"] == 412
    assert ended.cell("s001", "OV-930")["facts"]["evidence"] == [
        {"name": "rack.jpg", "sha256": DIGEST, "bytes": len(PHOTO)}
    ]
    assert ended.cell("s001", "OV-940")["message"] == "Erika (2026-03-01 09:00 UTC): he is ill"
    assert [one["title"] for one in listed(stage, "followup")] == ["Order a filter"]

    again = run_maintops(stage, "run", "continue", "--answers", answers, "--format", "json")
    assert again.code == 64
    assert "answered already" in again.stderr
    assert "OV-910 on s001, OV-920 on s001, OV-930 on s001, OV-940 on s001" in again.stderr
    assert len(listed(stage, "record")) == 3


def test_the_rest_is_another_part(stage: Desk) -> None:
    begin(stage)
    for number, (step, answer) in enumerate(ANSWERS.items(), 2):
        answers = write_answers(stage, {"s001": {step: answer}})
        ended = run_maintops(stage, "run", "continue", "--answers", answers, "--by", f"by {number}")
        assert ended.stderr.strip().endswith(f".{number}"), ended.stderr
    assert report(stage).outcomes("s001")["OV-940"] == "skipped"
    nothing = run_maintops(stage, "run", "continue")
    assert nothing.stderr.startswith("no step of ")
    assert nothing.code == 2, "the finding is still there"


def test_a_run_may_bring_its_answers_along(stage: Desk) -> None:
    answers = write_answers(stage, {"s001": ANSWERS})
    inventory = stage.inventory("s001")
    words = ["run", "overhaul", "-i", inventory, "--answers", answers, "--format", "json"]
    unsigned = run_maintops(stage, *words)
    assert (unsigned.code, unsigned.stdout) == (64, "")
    assert unsigned.stderr == "answers.yml:1:1: nobody says who did it: write by: NAME, or give --by\n"
    ended = run_maintops(stage, *words, "--by", "erika")
    assert ended.code == 2
    assert "wait for a person" not in ended.stderr
    assert "not_reached" not in ended.outcomes("s001").values()
    assert ended.cell("s001", "OV-920")["facts"]["by"] == "erika"
    assert len(listed(stage, "record")) == 1
    tidy = write_answers(stage, {"s001": ANSWERS | {"OV-910": {"choice": "clean"}}})
    good = run_maintops(stage, "run", "overhaul", "-i", inventory, "--answers", tidy, "--by", "erika")
    assert good.code == 0, good.stdout


MISTAKES = """\
by: Erika
at: 2026-03-01
steps:
  s0001:
    OV-910: {choice: clean}
  s001:
    OV-91: {choice: clean}
    OV-910: {choice: dirty}
    OV-920: {reading: 5000}
    OV-930: {choice: done, evidence: [rack.jpg, nosuch.jpg]}
    OV-940: {}
"""
TOLD = [
    "answers.yml:2:5: is not a time with a zone, such as 2026-03-01T09:00:00Z",
    'answers.yml:4:3: "s0001" is no server of this run; did you mean "s001"?',
    'answers.yml:7:5: "OV-91" is no step of this run; did you mean "OV-910"?',
    "answers.yml:8:5: OV-910 must be clean or one missing, not 'dirty'",
    "answers.yml:9:5: OV-920 is 5000 W, which cannot be: a number of W from 0 to 3000",
    "answers.yml:10:49: there is no file nosuch.jpg",
    "answers.yml:11:5: OV-940 needs choice (done), or skipped with a reason",
]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (MISTAKES, TOLD),
        ("steps: []\n", ["answers.yml:1:8: must be a mapping, not a list"]),
        ("by: Erika\n", ["answers.yml:1:1: "]),
        (
            "by: Erika\nsteps: {s001: {OV-930: {choice: done}}}\n",
            ["answers.yml:2:16: OV-930 needs a photo as evidence"],
        ),
        (
            "by: Erika\nsteps: {s001: {OV-910: {choise: clean}, OV-920: {reading: '12'}}}\n",
            ['answers.yml:2:25: unknown key "choise"; did you mean "choice"?', "answers.yml:2:59: must be a number"],
        ),
        (
            "by: Erika\nsteps: {s001: {OV-920: {reading: 1, choice: done}}}\n",
            ["answers.yml:2:16: OV-920 needs reading"],
        ),
        ("by: Erika\nsteps: {s001: {OV-940: {skipped: ' '}}}\n", ["answers.yml:2:34: must not be empty"]),
        ("by: Erika\nsteps: {s001: {OV-010: {choice: done}}}\n", ['answers.yml:2:16: "OV-010" is no step of this run']),
        ("by: [Erika\n", ["answers.yml:2:1: "]),
    ],
)
def test_every_mistake_has_its_place_and_nothing_is_kept(stage: Desk, text: str, told: list[str]) -> None:
    begin(stage)
    (stage.here / "answers.yml").write_text(text)
    before = report(stage).document
    for words in (["continue"], ["overhaul", "-i", stage.inventory("s001")]):
        ended = run_maintops(stage, "run", *words, "--answers", "answers.yml")
        assert (ended.code, ended.stdout) == (64, "")
        lines = ended.stderr.splitlines()
        assert len(lines) == len(told), lines
        for line, beginning in zip(lines, told, strict=True):
            assert line.startswith(beginning)
    assert report(stage).document == before
    assert len(run_maintops(stage, "runs", "--format", "json").document) == 1
    nothing = run_maintops(stage, "record", "evidence", DIGEST, "-o", "proof.jpg")
    assert (nothing.code, nothing.stderr) == (64, f"maintops: There is no evidence '{DIGEST}'.\n")
    assert not (stage.here / "proof.jpg").exists()


# --- evidence and reports ---------------------------------------------------------------------------------------------


def test_evidence_is_written_out_and_nothing_is_lost_over_it(stage: Desk) -> None:
    begin(stage)
    answers = write_answers(stage, {"s001": {"OV-930": ANSWERS["OV-930"]}}, by="Erika")
    run_maintops(stage, "run", "continue", "--answers", answers)
    (stage.here / "rack.jpg").unlink()
    proof = stage.here / "proof.jpg"
    ended = run_maintops(stage, "record", "evidence", DIGEST[:8], "-o", "proof.jpg")
    assert (ended.code, ended.stdout) == (0, "")
    assert ended.stderr == f"{len(PHOTO)} bytes are in proof.jpg\n"
    assert (proof.read_bytes(), proof.stat().st_mode & 0o777) == (PHOTO, 0o600)
    proof.write_bytes(b"another one")
    again = run_maintops(stage, "record", "evidence", DIGEST, "-o", "proof.jpg")
    assert (again.code, again.stderr) == (64, "maintops: proof.jpg cannot be written: File exists\n")
    assert proof.read_bytes() == b"another one"
    assert run_maintops(stage, "record", "evidence", DIGEST).code == 64, "a file must be named"


def test_every_report_puts_the_parts_together(stage: Desk) -> None:
    begin(stage)
    run_maintops(stage, "run", "continue", "--answers", write_answers(stage, {"s001": ANSWERS}), "--by", "Erika")
    for format in ("html", "text"):
        ended = run_maintops(stage, "report", "--format", format)
        assert "a filter is missing: third slot" in ended.stdout
        assert "waits for a person" not in ended.stdout
    (stage.here / "answers.yml").write_text("by: Erika\nsteps: {}\n")
    junit = run_maintops(stage, "run", "continue", "--answers", "answers.yml", "--format", "junit", "-o", "r.xml")
    assert (junit.code, junit.stdout) == (2, "")
    cases = list(ElementTree.fromstring((stage.here / "r.xml").read_text()).iter("testcase"))  # noqa: S314  ours
    assert len(cases) == 1 + len(STEPS)
    assert [len(list(one)) > 0 for one in cases].count(True) == 2, "a finding and a step that was skipped"
    assert "a filter is missing" in (stage.here / "r.xml").read_text()
    (one,) = report(stage).document["servers"]
    assert len(one["checks"]) == 1 + len(STEPS)


# --- at a terminal ----------------------------------------------------------------------------------------------------


def test_a_person_is_asked_step_by_step(stage: Desk) -> None:
    begin(stage)
    person = Person(stage, "run", "continue", "--by", "erika")
    first = person.sees("  > ")
    assert first.splitlines() == [
        "",
        "s001",
        "",
        "[1/4] OV-910  The filters are clean",
        "  why: Dust is warm.",
        "  Clean the filters.",
        "  1  clean",
        "  2  one missing",
        "  s  skip it, with a reason    q  go on another time",
    ]
    for wrong in ("3", "0", "-1", "²", "", "dirty", "9" * 50):
        person.types(wrong)
        person.sees("  choose one of 1 to 2")
        person.sees("  > ")
    person.types("2")
    person.answers("  note (Enter for none): ", "third slot")

    person.sees("[2/4] OV-920")
    person.sees("  asked for: a number of W from 0 to 3000")
    person.answers("  W> ", "much")
    person.sees("  that is no number: 'much'")
    person.answers("  W> ", "3000,1")
    person.sees("  it is 3000.1 W, which cannot be: a number of W from 0 to 3000")
    person.answers("  W> ", "nan")
    person.sees("which cannot be")
    person.answers("  W> ", "412,5")
    person.answers("  note (Enter for none): ", "")

    person.sees("[3/4] OV-930")
    person.answers("  > ", "done")
    person.answers("  photo (path of a file; s skips the step): ", "")
    person.sees("  this step needs a photo")
    person.answers("  photo (path of a file; s skips the step): ", "nosuch.jpg")
    person.sees("  there is no file nosuch.jpg")
    person.answers("  photo (path of a file; s skips the step): ", "rack.jpg")
    person.answers("  note (Enter for none): ", "")

    person.sees("[4/4] OV-940")
    person.answers("  > ", "s")
    person.answers("  why? ", " ")
    person.sees("  it is not skipped without a reason")
    person.answers("  > ", "s")
    person.answers("  why? ", "he is ill")
    person.sees("kept in ")
    code, shown = person.leaves()
    assert code == 2
    assert "a filter is missing: third slot" in shown
    assert "\\n" not in shown

    ended = report(stage)
    assert outcomes(ended.cells("s001")) == {
        "OV-010": "ok",
        "OV-910": "attention",
        "OV-920": "ok",
        "OV-930": "ok",
        "OV-940": "skipped",
    }
    assert ended.cell("s001", "OV-920")["facts"]["reading"] == 412.5
    assert ended.cell("s001", "OV-930")["facts"]["evidence"][0]["sha256"] == DIGEST
    assert ended.cell("s001", "OV-940")["message"].endswith(": he is ill")


def test_choices_by_their_text_too(stage: Desk) -> None:
    begin(stage)
    person = Person(stage, "run", "continue", "--by", "erika")
    person.answers("  > ", " one missing ")
    person.answers("  note (Enter for none): ", "")
    person.answers("  W> ", "q")
    person.leaves()
    assert report(stage).cell("s001", "OV-910")["facts"]["choice"] == "one missing"


def test_whoever_leaves_goes_on_behind_the_last_answer(stage: Desk) -> None:
    begin(stage, "s001", "s002")
    person = Person(stage, "run", "continue", "--by", "erika")
    person.answers("[1/8] OV-910", "1")
    person.answers("note (Enter for none): ", "")
    person.answers("W> ", "q")
    person.sees("7 steps are left")
    person.sees("kept in ")
    code, _ = person.leaves()
    assert code == 2, "the others still wait"
    assert report(stage).outcomes("s001")["OV-910"] == "ok"

    person = Person(stage, "run", "continue", "--by", "max")
    assert "OV-910" not in person.sees("[1/7] OV-920")
    person.answers("W> ", "500")
    person.answers("note (Enter for none): ", "")
    for line in ("s", "no time"):
        person.types(line)
    person.answers("[3/7] OV-940", "done")
    person.answers("note (Enter for none): ", "")
    assert "s002" in person.sees("[4/7] OV-910")
    person.types("q")
    person.leaves()
    facts = report(stage).cell("s001", "OV-920")["facts"]
    assert (facts["by"], facts["reading"]) == ("max", 500)
    assert {one["engineer"] for one in listed(stage, "record") if one["server"] == "s001"} == {None, "erika", "max"}
    assert set(report(stage).outcomes("s002").values()) == {"ok", "not_reached"}


def test_nobody_who_only_looks_has_answered(stage: Desk) -> None:
    begin(stage)
    person = Person(stage, "run", "continue", "--by", "erika")
    person.answers("  > ", "q")
    person.sees("4 steps are left")
    person.sees("nothing new was answered")
    assert person.leaves()[0] == 2
    person = Person(stage, "run", "continue", "--by", "erika")
    person.sees("  > ")
    person.presses(b"\x04")  # Ctrl-D: the end of the input
    person.sees("4 steps are left")
    assert person.leaves()[0] == 2
    assert len(listed(stage, "record")) == 1


def test_ctrl_c_keeps_what_was_answered(stage: Desk) -> None:
    begin(stage)
    person = Person(stage, "run", "continue", "--by", "erika")
    person.answers("  > ", "1")
    person.answers("note (Enter for none): ", "")
    person.sees("W> ")
    person.presses(b"\x03")
    before = person.sees("stopped; what was answered is kept (go on: maintops run continue)")
    assert "\\n" not in before
    person.sees("kept in ")
    code, shown = person.leaves()
    assert (code, "Traceback" in shown) == (2, False)
    assert report(stage).outcomes("s001") == {"OV-010": "ok", "OV-910": "ok"} | dict.fromkeys(STEPS[1:], "not_reached")


def test_after_a_sudden_death_nothing_is_asked_again(stage: Desk) -> None:
    begin(stage)
    person = Person(stage, "run", "continue", "--by", "erika")
    person.answers("  > ", "2")
    person.answers("note (Enter for none): ", "third slot")
    person.answers("W> ", "500")
    person.answers("note (Enter for none): ", "")
    person.sees("[3/4] OV-930")
    person.kill()
    assert person.leaves()[0] == -9
    assert report(stage).outcomes("s001")["OV-910"] == "not_reached", "the record is not written yet"

    person = Person(stage, "run", "continue", "--by", "max")
    assert "OV-9" not in person.sees("[1/2] OV-930")
    person.answers("  > ", "q")
    person.leaves()
    ended = report(stage)
    assert ended.outcomes("s001") == {
        "OV-010": "ok",
        "OV-910": "attention",
        "OV-920": "ok",
        "OV-930": "not_reached",
        "OV-940": "not_reached",
    }
    assert ended.cell("s001", "OV-910")["facts"]["by"] == "erika"


def test_a_run_at_a_terminal_asks_at_once(stage: Desk) -> None:
    person = Person(stage, "run", "overhaul", "-i", stage.inventory("s001"), "-t", "OV-010,OV-940", "--by", "erika")
    person.answers("[1/1] OV-940", "1")
    person.answers("note (Enter for none): ", "by letter")
    assert person.leaves()[0] == 0
    assert report(stage).cell("s001", "OV-940")["facts"]["note"] == "by letter"


def test_somebody_signs_for_the_answers(stage: Desk) -> None:
    begin(stage)
    person = Person(stage, "run", "continue")
    person.sees("maintops: who answers? Give --by ENGINEER (or set MAINTOPS_BY)")
    assert person.leaves()[0] == 64
