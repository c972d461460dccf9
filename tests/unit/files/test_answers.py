"""A file of answers to steps by hand: read whole, or every mistake at once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from maintops.domain.checklists import Step, StepReading
from maintops.domain.steps import Evidence, StepAnswer
from maintops.errors import ConfigurationError, UsageError
from maintops.files.answers import LARGEST_EVIDENCE, Asked, evidence_of, read_answers

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
STEPS = {
    "OV-910": Step("OV-910", "Filters", "Clean them.", choices=("clean", "missing")),
    "OV-920": Step("OV-920", "Power", "Read it.", reading=StepReading("W", 0, 3000), evidence="photo"),
}
GOOD = """\
by: Erika
at: 2026-02-28T10:00+01:00
steps:
  web1:
    OV-910: {choice: missing, note: third slot, by: Max, at: 2026-02-28T12:00:00Z}
    OV-920: {reading: 412, evidence: [meter.jpg]}
  web2:
    OV-910: {skipped: no ladder}
"""


def read(folder: Path, text: str, by: str | None = None) -> tuple[list[StepAnswer], list[bytes]]:
    path = folder / "answers.yml"
    path.write_text(text)
    kept: list[bytes] = []

    def keep(body: bytes) -> str:
        kept.append(body)
        return f"digest{len(kept)}"

    return read_answers(path, Asked(STEPS, ["web1", "web2"], by, NOW), keep), kept


def told(folder: Path, text: str, by: str | None = None) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        read(folder, text, by)
    return [str(one).removeprefix(f"{folder / 'answers.yml'}:") for one in caught.value.mistakes]


def test_answers_become_values(tmp_path: Path) -> None:
    (tmp_path / "meter.jpg").write_bytes(b"a picture")
    answers, kept = read(tmp_path, GOOD)
    nine = datetime(2026, 2, 28, 9, 0, tzinfo=UTC)
    noon = datetime(2026, 2, 28, 12, 0, tzinfo=UTC)
    assert answers == [
        StepAnswer("web1", "OV-910", "Max", noon, choice="missing", note="third slot"),
        StepAnswer("web1", "OV-920", "Erika", nine, reading=412.0, evidence=(Evidence("meter.jpg", "digest1", 9),)),
        StepAnswer("web2", "OV-910", "Erika", nine, skipped="no ladder"),
    ]
    assert kept == [b"a picture"]


def test_who_and_when_may_come_from_outside(tmp_path: Path) -> None:
    (answer,), _ = read(tmp_path, "steps: {web1: {OV-910: {choice: clean}}}", by="Ana")
    assert (answer.by, answer.at) == ("Ana", NOW)
    assert told(tmp_path, "steps: {web1: {OV-910: {choice: clean}}}") == [
        "1:1: nobody says who did it: write by: NAME, or give --by"
    ]


def test_every_mistake_is_told_at_once_and_nothing_is_kept(tmp_path: Path) -> None:
    text = """\
by: Erika
at: yesterday
steps:
  web3:
    OV-910: {choice: dirty}
  web1:
    OV-911: {choice: clean}
    OV-920: {reading: 5000, evidence: [nowhere.jpg]}
"""
    assert told(tmp_path, text) == [
        "2:5: is not a time with a zone, such as 2026-03-01T09:00:00Z",
        '4:3: "web3" is no server of this run; did you mean "web2"?',
        "5:5: OV-910 must be clean or missing, not 'dirty'",
        '7:5: "OV-911" is no step of this run; did you mean "OV-910"?',
        "8:5: OV-920 is 5000 W, which cannot be: a number of W from 0 to 3000",
        f"8:40: there is no file {tmp_path / 'nowhere.jpg'}",
    ]


def test_what_is_no_file_of_answers(tmp_path: Path) -> None:
    assert told(tmp_path, "steps: {web1: {OV-910: clean}}", "Ana") == ['1:24: must be a mapping; "clean" is text']
    assert told(tmp_path, "step: {}", "Ana") == [
        '1:1: "steps" is missing',
        '1:1: unknown key "step"; did you mean "steps"?',
    ]


def test_evidence_is_a_file_of_some_size(tmp_path: Path) -> None:
    big = tmp_path / "big.bin"
    with big.open("wb") as stream:
        stream.truncate(LARGEST_EVIDENCE + 1)
    with pytest.raises(UsageError, match="more than 20 MB"):
        evidence_of(big, lambda body: "digest")
    with pytest.raises(UsageError, match="there is no file"):
        evidence_of(tmp_path, lambda body: "digest")
