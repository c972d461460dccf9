"""A checklist in another one, and one from anywhere."""

from __future__ import annotations

import pytest

from tests.acceptance.overhauls import ANSWERS, OVERHAUL, STEPS, stage, write_answers
from tests.lab.running import Desk, run_maintops

__all__ = ["stage"]

pytestmark = [pytest.mark.fleet, pytest.mark.xdist_group("steps")]

GRAND = """\
checklist: grand
title: The grand overhaul
service: inspection
cadence: {every: year}
include: [overhaul]
checks:
  - id: GR-010
    title: The parameter came along
    command: echo 50
    rules: [{when: parameters.least == 100, severity: warning, finding: it is here}]
steps:
  - {id: GR-910, title: The lid is shut, manual: Shut the lid.}
"""


def test_an_included_checklist_is_part_of_the_run(stage: Desk) -> None:
    (stage.here / "checklists/grand.yml").write_text(GRAND)
    shown = run_maintops(stage, "checklist", "show", "grand", "--format", "json").document
    assert (shown["includes"], shown["parameters"]) == (["overhaul"], {"least": 100})
    assert [one["id"] for one in shown["steps"]] == [*STEPS, "GR-910"]
    answers = write_answers(stage, {"s001": ANSWERS | {"GR-910": {"choice": "done"}}}, by="Erika")
    ended = run_maintops(stage, "run", "grand", "-i", stage.inventory("s001"), "--answers", answers, "--format", "json")
    assert ended.code == 2
    assert list(ended.cells("s001")) == ["OV-010", "GR-010", *STEPS, "GR-910"]
    assert ended.cell("s001", "GR-010")["message"] == "it is here"
    assert ended.cell("s001", "GR-910")["outcome"] == "ok"
    document = run_maintops(stage, "checklist", "document", "grand", "overhaul")
    assert document.code == 0
    assert document.stdout.count("### OV-910 ") == 1
    assert "Everything in [overhaul](#overhaul) is part of it." in document.stdout


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[overhaul]", "[overhual]", ["grand.yml:5:11: there is no checklist 'overhual' to include"]),
        ("[overhaul]", "[../overhaul]", ["grand.yml:5:11: "]),
        ("[overhaul]", "[again]", ["grand.yml:5:11: again includes checklists itself; name those here instead"]),
        ("[overhaul]", "[broken]", ["checklists/broken.yml:3:10: "]),
        ("[overhaul]", "[overhaul, overhaul]", ["grand.yml:5:10: two of the included checklists have an id in common"]),
        ("GR-910", "OV-910", ['duplicate id "OV-910" (it is in overhaul, which is included)']),
        ("parameters.least", "parameters.laest", ['the checklist has no parameter "laest"; did you mean "least"?']),
    ],
)
def test_mistakes_of_an_include_have_their_place(stage: Desk, old: str, new: str, told: list[str]) -> None:
    folder = stage.here / "checklists"
    (folder / "grand.yml").write_text(GRAND.replace(old, new))
    (folder / "again.yml").write_text(GRAND.replace("grand", "again"))
    (folder / "broken.yml").write_text(OVERHAUL.replace("inspection", "no-such-service"))
    ended = run_maintops(stage, "lint", "checklists/grand.yml")
    assert ended.code == 64
    for words in told:
        assert words in ended.stdout
    run = run_maintops(stage, "run", "grand", "-i", stage.inventory("s001"))
    assert (run.code, run.stdout) == (64, "")
    assert len(run.stderr.splitlines()) == len(ended.stdout.splitlines())


def test_a_checklist_from_anywhere_can_be_gone_on_with(stage: Desk) -> None:
    (stage.here / "elsewhere").mkdir()
    text = OVERHAUL.replace("checklist: overhaul", "checklist: elsewhere")
    (stage.here / "elsewhere/other.yml").write_text(text)
    begun = run_maintops(stage, "run", "elsewhere/other.yml", "-i", stage.inventory("s001"), "--format", "json")
    assert begun.code == 2, begun.stderr
    answers = write_answers(stage, {"s001": {"OV-940": {"choice": "done"}}})
    ended = run_maintops(stage, "run", "continue", "--answers", answers, "--by", "ana")
    assert "no checklist" not in ended.stderr
    assert ended.code == 2, ended.stderr
    again = run_maintops(stage, "run", "continue", "--answers", answers, "--by", "ana")
    assert again.code == 64
    assert "answered already" in again.stderr
    assert "OV-940 on s001" in again.stderr
