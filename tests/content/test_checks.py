"""Every check that maintops brings speaks when it should and is silent when it should be, by `maintops run`."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from maintops.domain.checklists import Checklist
from maintops.domain.outcomes import Outcome
from maintops.wiring import House, shipped
from tests.content.cases import Case
from tests.content.rounds import Round, play

FILES = sorted(Path(__file__).parent.glob("cases_*.py"))
CASES: list[Case] = [case for file in FILES for case in import_module(f"tests.content.{file.stem}").CASES]


@cache
def checklists() -> list[Checklist]:
    house = House(shipped("checklists").parent, flags={})
    return [one for one in house.checklists() if Path(one.file).parent == shipped("checklists")]


def checklist_of(case: Case) -> str:
    return next(one.name for one in checklists() if any(check.id == case.check for check in one.checks))


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Round]:
    """What the last round of each checklist said."""
    rounds = {}
    for name in sorted({checklist_of(one) for one in CASES}):
        mine = [one for one in CASES if checklist_of(one) == name]
        with pytest.MonkeyPatch.context() as patch:
            rounds[name] = play(name, mine, tmp_path_factory.mktemp(name), patch)
    return rounds


def test_every_check_has_a_case() -> None:
    ids = [check.id for one in checklists() for check in one.checks]
    assert len(set(ids)) == len(ids), "an id stands in two checklists"
    assert sorted(set(ids) - {one.check for one in CASES}) == []
    assert sorted({one.check for one in CASES} - set(ids)) == []
    assert len({one.id for one in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_it_speaks(case: Case, played: dict[str, Round]) -> None:
    cells = played[checklist_of(case)].cells[f"{case.id}-fires"][case.check]
    found = [one for one in cells if one["severity"] is not None]
    assert found, [(one["outcome"], one["message"]) for one in cells]
    assert {one["severity"] for one in found} == {case.severity}, found
    wanted = Outcome.OK if case.severity == "info" else Outcome.ATTENTION
    assert {one["outcome"] for one in found} == {wanted.value}
    assert any(case.says in one["message"] for one in found), [one["message"] for one in found]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_it_is_silent(case: Case, played: dict[str, Round]) -> None:
    cells = played[checklist_of(case)].cells[f"{case.id}-silent"][case.check]
    assert {one["outcome"] for one in cells} == {"ok"}, [(one["outcome"], one["message"]) for one in cells]
    assert [one["message"] for one in cells if one["severity"] is not None] == []


def test_what_speaks_is_in_the_exit_code(played: dict[str, Round]) -> None:
    assert {one.code for one in played.values()} == {2}
