"""Every check that maintops brings speaks when it should and is silent when it should be, by `maintops run`."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from maintops.domain.checklists import Check, Checklist, Step
from maintops.domain.outcomes import Outcome
from maintops.reports.checks import checks_page
from maintops.wiring import House, shipped
from tests.content.cases import Case, StepCase
from tests.content.rounds import Round, play

FILES = sorted(Path(__file__).parent.glob("cases_*.py"))
MODULES = [import_module(f"tests.content.{file.stem}") for file in FILES]
CASES: list[Case | StepCase] = [case for one in MODULES for case in [*one.CASES, *getattr(one, "STEPS", [])]]


@cache
def checklists() -> list[Checklist]:
    house = House(shipped("checklists").parent, flags={})
    return [one for one in house.checklists() if Path(one.file).parent == shipped("checklists")]


def items(one: Checklist) -> dict[str, Check | Step]:
    return {item.id: item for item in one.items}


def checklist_of(case: Case | StepCase) -> str:
    """The checklist whose own the check is: of those that have it the one that includes no other."""
    fitting = sorted((len(one.includes), one.name) for one in checklists() if case.check in items(one))
    return fitting[0][1]


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Round]:
    """What the last round of each checklist said."""
    rounds = {}
    for name in sorted({checklist_of(one) for one in CASES}):
        mine = [one for one in CASES if checklist_of(one) == name]
        with pytest.MonkeyPatch.context() as patch:
            rounds[name] = play(name, mine, tmp_path_factory.mktemp(name), patch)
    return rounds


def test_every_check_and_step_has_a_case() -> None:
    known: dict[str, Check | Step] = {}
    for one in checklists():
        for id, item in items(one).items():
            assert known.setdefault(id, item) == item, f"{id} stands in two checklists and is not the same"
    assert sorted(set(known) - {one.check for one in CASES}) == []
    assert sorted({one.check for one in CASES} - set(known)) == []
    assert len({one.id for one in CASES}) == len(CASES)
    assert len(known) >= 90


def test_every_check_and_step_says_why_and_what_to_do() -> None:
    bare = [id for one in checklists() for id, item in items(one).items() if not item.why or not item.action]
    assert bare == []


def test_the_page_of_checks_is_current() -> None:
    page = Path(__file__).parents[2] / "docs" / "checks.md"
    made = checks_page(checklists(), "maintops checklist document -o docs/checks.md")
    assert page.read_text(encoding="utf-8") == made, "make it anew: make pages"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_it_speaks(case: Case | StepCase, played: dict[str, Round]) -> None:
    cells = played[checklist_of(case)].cells[f"{case.id}-fires"][case.check]
    found = [one for one in cells if one["severity"] is not None]
    assert found, [(one["outcome"], one["message"]) for one in cells]
    assert {one["severity"] for one in found} == {case.severity}, found
    wanted = Outcome.OK if case.severity == "info" else Outcome.ATTENTION
    assert {one["outcome"] for one in found} == {wanted.value}
    assert any(case.says in one["message"] for one in found), [one["message"] for one in found]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_it_is_silent(case: Case | StepCase, played: dict[str, Round]) -> None:
    cells = played[checklist_of(case)].cells[f"{case.id}-silent"][case.check]
    assert {one["outcome"] for one in cells} == {"ok"}, [(one["outcome"], one["message"]) for one in cells]
    assert [one["message"] for one in cells if one["severity"] is not None] == []


def test_what_speaks_is_in_the_exit_code(played: dict[str, Round]) -> None:
    assert all(one.code & 2 for one in played.values()), {name: one.code for name, one in played.items()}
