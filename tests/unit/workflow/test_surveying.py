"""Looking at servers before and after a change: what does not pass, what got worse, what is kept to compare with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import Measured, NotMeasured, Reading, Skipped, SubjectFacts
from maintops.domain.changes import Action, ChangePolicy, ChangeStep, Packages
from maintops.domain.checklists import Check
from maintops.domain.identities import Identity
from maintops.domain.journeys import AFTER, BEFORE
from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.domain.plans import ChangePlan, PlannedChange, Update, plan_hash
from maintops.domain.proofs import PROOF
from maintops.domain.runs import PlannedServer, RunPlanned, StageEnded, StageResult
from maintops.domain.servers import Server
from maintops.probes.catalogue import Catalogue
from maintops.store.memory import MemoryStore
from maintops.workflow.braking import Brakes
from maintops.workflow.keeping import Crew
from maintops.workflow.planning import CheckPlan
from maintops.workflow.reading import ServerReading
from maintops.workflow.sites import ChangeCrew, Site, Stage, Undertaking, Work
from maintops.workflow.surveying import (
    TOLERATED,
    Seen,
    check_step,
    look,
    look_again,
    packed,
    seen_before,
    told,
    troubles,
    unpacked,
    unreached,
    worse,
)
from tests.unit.workflow.samples import OWNER, RULES, START, CannedPreviews, checklist, disks, probe

LOST = Cell("HW-010", None, Outcome.UNREACHABLE, message="no connection")


# --- what does not pass -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        (Cell("A", None, Outcome.OK), []),
        (Cell("A", None, Outcome.OK, Severity.INFO, "fills up"), []),
        (Cell("A", None, Outcome.SKIPPED, message="no such thing"), []),
        (Cell("A", None, Outcome.WAIVED, message="known"), []),
        (Cell("A", None, Outcome.ATTENTION, Severity.WARNING, "nearly full"), ["A: nearly full"]),
        (Cell("A", None, Outcome.ATTENTION, Severity.CRITICAL, "full"), ["A: full"]),
        (Cell("A", None, Outcome.NOT_MEASURED, message="no tool"), ["A: not measured: no tool"]),
        (Cell("A", None, Outcome.FAILED, message="too slow"), ["A: too slow"]),
        (Cell("A", None, Outcome.UNKNOWN), ["A: unknown"]),
        (Cell("A", None, Outcome.NOT_REACHED), ["A: not_reached"]),
        (Cell("A", None, Outcome.UNREACHABLE, message="sudo refused"), ["A: sudo refused"]),
        (Cell("B", None, Outcome.FAILED, message="another"), ["A: nobody asked it"]),
    ],
)
def test_a_check_passes_only_where_it_is_known_to_be_well(cell: Cell, found: list[str]) -> None:
    assert troubles([cell], ["A"], []) == found


@pytest.mark.parametrize("outcome", Outcome)
def test_tolerated_is_only_what_was_not_measured(outcome: Outcome) -> None:
    cell = Cell("A", None, outcome, message="why")
    strict, mild = troubles([cell], ["A"], []), troubles([cell], ["A"], ["A"])
    assert mild == ([] if outcome is Outcome.NOT_MEASURED else strict)


def test_every_subject_counts_and_no_id_hides_another() -> None:
    cells = [Cell("A", "sda", Outcome.OK), Cell("A", "sdb", Outcome.ATTENTION, Severity.CRITICAL, "sdb fails")]
    assert troubles(cells, ["A", "C"], []) == ["C: nobody asked it", "A: sdb fails"]


def test_many_troubles_are_three_and_a_number() -> None:
    assert told(["a", "b", "c"]) == "a; b; c"
    assert told(["a", "b", "c", "d", "e"]) == "a; b; c (and 2 more)"


def test_worse_is_what_is_new_or_more_serious() -> None:
    def cell(severity: Severity | None, subject: str = "sda") -> Cell:
        return Cell("A", subject, Outcome.OK, severity, f"{subject} {severity}")

    warning, critical = Severity.WARNING, Severity.CRITICAL
    assert worse([cell(warning)], [cell(warning)]) == []
    assert worse([cell(critical)], [cell(warning)]) == []
    assert worse([cell(None)], [cell(Severity.INFO)]) == []
    assert worse([cell(warning)], [cell(critical)]) == ["A: sda critical"]
    assert worse([cell(Severity.INFO)], [cell(warning)]) == ["A: sda warning"]
    assert worse([cell(critical)], [cell(critical), cell(warning, "sdb")]) == ["A: sdb warning"]
    assert worse([], [cell(warning)]) == ["A: sda warning"]


def test_a_server_is_unreached_where_nothing_at_all_was_heard() -> None:
    def reading(**readings: Reading | Cell) -> ServerReading:
        return ServerReading(readings)

    assert unreached(reading(A=LOST, B=LOST)) == "no connection"
    assert unreached(reading(A=LOST, B=Skipped("not here"))) == "no connection"
    assert unreached(reading(A=LOST, B=disks(sda=1))) is None
    assert unreached(reading(A=replace(LOST, outcome=Outcome.UNKNOWN))) is None
    assert unreached(reading(A=Skipped("not here"))) is None
    assert unreached(reading()) is None


# --- what is kept -----------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(), max_size=20)
CELLS = st.builds(Cell, TEXT, st.none() | TEXT, st.sampled_from(Outcome), st.none() | st.sampled_from(Severity), TEXT)


@given(st.dictionaries(TEXT, TEXT | st.none() | st.integers(), max_size=4), st.lists(CELLS, max_size=4))
def test_a_look_comes_back_as_it_was(state: dict[str, Any], cells: list[Cell]) -> None:
    seen = Seen(state, tuple(cells))
    assert unpacked(packed(seen)) == seen


def test_messages_are_kept_in_short() -> None:
    (cell,) = unpacked(packed(Seen({}, (replace(LOST, message="x" * 5000),)))).cells
    assert cell.message == "x" * 400


# --- looking ----------------------------------------------------------------------------------------------------------

STEP = ChangeStep(
    "C-1",
    "Update",
    act=Action(playbook="/p/a.yml"),
    precheck=("HW-010",),
    postcheck=("HW-010",),
    irreversible=True,
)
LISTED = replace(
    checklist(Check("HW-010", "Disks", probe="disks", rules=RULES), parameters={TOLERATED: []}),
    changes=(STEP,),
    order=("C-1",),
    change=ChangePolicy(),
)
STATE = {"packages": {"nginx": "1.0"}, "services": {"nginx": "running"}, "kernel": "6.1"}
UPDATE = PlannedChange("web1", updates=(Update("nginx", "1.0", "1.1"),))


def state(**facts: Any) -> Measured:
    return Measured((SubjectFacts(None, {**STATE, **facts}),))


class Heard(Site):
    """A site whose servers say what they are given, look after look."""

    answers: list[Mapping[str, Mapping[str, Reading | Cell]]]

    def observe(self, works: Sequence[Work], checks: Sequence[CheckPlan]) -> Mapping[str, ServerReading]:
        given = self.answers.pop(0)
        asked = {one.check.id for one in checks}
        return {
            work.name: ServerReading({id: one for id, one in given[work.name].items() if id in asked}) for work in works
        }


@dataclass
class Scene:
    """One server of a changing run, and what it says."""

    planned: PlannedChange = UPDATE
    packages: Packages = Packages.PINNED
    store: MemoryStore = field(default_factory=MemoryStore)

    def __post_init__(self) -> None:
        plan = ChangePlan(
            "p1",
            "sample",
            "Sample",
            "/srv/sample.yml",
            "v1",
            Identity("a@b", "A"),
            START,
            (self.planned,),
            (("web1",),),
        )
        plan = replace(plan, packages=self.packages)
        servers = {"web1": Server("web1")}
        catalogue = Catalogue({"disks": probe(), "server-state": replace(probe(), name="server-state")}, {})
        under = Undertaking("r1", plan, LISTED, catalogue, servers, {"web1": "ssh"}, {"web1": "r1-0001"})
        crew = Crew(self.store, {}, CannedPreviews(), lambda: START, OWNER)
        staff: Any = ChangeCrew(crew, None, None, lambda seconds: None)  # type: ignore[arg-type]  # nothing is done
        planned = (PlannedServer("web1", "r1-0001", "change"),)
        self.store.begin(RunPlanned("r1", "sample", "v1", "S", "s", (), planned, OWNER, START, plan=plan_hash(plan)))
        self.site = Heard(under, staff, Brakes(lambda now: None, lambda: START), ())
        self.work = Work(servers["web1"], self.planned, "r1-0001", "ssh", START)

    def says(self, *looks: Mapping[str, Reading | Cell]) -> None:
        self.site.answers = [{"web1": look} for look in looks]

    def look(self) -> StageEnded:
        look(self.site, Stage(BEFORE, "before"), [self.work])
        return self.site.journey("web1").ended[BEFORE]

    def look_again(self) -> StageEnded:
        look_again(self.site, Stage(AFTER, "after"), [self.work])
        return self.site.journey("web1").ended[AFTER]


def test_the_first_look_is_kept_and_found_again() -> None:
    scene = Scene()
    scene.says({"HW-010": disks(sda=10), PROOF: state()})
    ended = scene.look()
    assert (ended.result, ended.message, scene.work.out) == (StageResult.OK, "", "")
    seen = seen_before(scene.site, scene.work)
    assert seen.state == STATE
    assert [(one.check, one.subject, one.outcome) for one in seen.cells] == [("HW-010", "sda", Outcome.OK)]


def test_a_precheck_that_does_not_pass_keeps_the_server_from_being_changed() -> None:
    scene = Scene()
    scene.says({"HW-010": disks(sda=95), PROOF: state()})
    ended = scene.look()
    assert (ended.result, ended.message) == (StageResult.FAILED, "not changed: HW-010: sda is at 95")
    assert scene.work.out == ended.message


@pytest.mark.parametrize(
    ("reading", "values", "result"),
    [
        (NotMeasured("no tool"), {}, StageResult.FAILED),
        (NotMeasured("no tool"), {TOLERATED: ["HW-010"]}, StageResult.OK),
        (Skipped("no disks"), {}, StageResult.OK),
        (LOST, {}, StageResult.FAILED),
        (LOST, {TOLERATED: ["HW-010"]}, StageResult.FAILED),
    ],
)
def test_a_precheck_that_says_nothing_does_not_pass(
    reading: Reading | Cell, values: Mapping[str, Any], result: StageResult
) -> None:
    scene = Scene(replace(UPDATE, values=values))
    scene.says({"HW-010": reading, PROOF: state()})
    assert scene.look().result is result


def test_a_server_that_does_not_answer_is_unreachable_before_and_after() -> None:
    scene = Scene()
    nothing = {"HW-010": LOST, PROOF: replace(LOST, check=PROOF)}
    scene.says(nothing, nothing)
    assert (scene.look().result, scene.look_again().result) == (StageResult.UNREACHABLE, StageResult.UNREACHABLE)
    assert seen_before(scene.site, scene.work) == Seen()


def both(after: Measured | NotMeasured, level: int = 10, scene: Scene | None = None) -> StageEnded:
    scene = scene or Scene()
    scene.says({"HW-010": disks(sda=10), PROOF: state()}, {"HW-010": disks(sda=level), PROOF: after})
    assert scene.look().result is StageResult.OK
    return scene.look_again()


def test_what_the_plan_meant_is_no_finding() -> None:
    ended = both(state(packages={"nginx": "1.1"}))
    assert (ended.result, ended.facts["worse"]) == (StageResult.OK, [])


@pytest.mark.parametrize("version", ["1.0", "1.2"])
def test_a_pinned_package_of_another_version_is_worse_than_before(version: str) -> None:
    ended = both(state(packages={"nginx": version}))
    if version == "1.2":
        assert len(ended.facts["worse"]) == 1
        assert "nginx" in ended.facts["worse"][0]
    assert ended.result is StageResult.OK


def test_a_planned_removal_is_expected() -> None:
    scene = Scene(replace(UPDATE, updates=(), removals=("nginx",)))
    ended = both(state(packages={"other": "1"}), scene=scene)
    assert [line for line in ended.facts["worse"] if "nginx" in line] == []
    assert len(ended.facts["worse"]) == 1


def test_a_service_that_ran_before_and_does_not_after_fails_the_server() -> None:
    ended = both(state(packages={"nginx": "1.1"}, services={}))
    assert ended.result is StageResult.FAILED
    assert ended.message.startswith("after the change: ")
    assert "nginx" in ended.message


def test_a_postcheck_that_does_not_pass_fails_the_server_and_is_worse() -> None:
    ended = both(state(packages={"nginx": "1.1"}), 95)
    assert (ended.result, ended.message) == (StageResult.FAILED, "after the change: HW-010: sda is at 95")
    assert ended.facts["worse"] == ["HW-010: sda is at 95"]


def test_what_cannot_be_proven_is_not_called_proven() -> None:
    ended = both(NotMeasured("too slow"))
    assert [row[1] for row in ended.facts["proof"]] == [Outcome.NOT_MEASURED]


def test_a_step_is_checked_by_its_own_checks_alone() -> None:
    scene = Scene()
    scene.says({"HW-010": disks(sda=95)}, {"HW-010": disks(sda=5)}, {"HW-010": LOST}, {})
    told_of = [check_step(scene.site, [scene.work], ids)["web1"] for ids in (["HW-010"],) * 3 + (["HW-999"],)]
    assert told_of == [["HW-010: sda is at 95"], [], ["no connection"], ["HW-999: nobody asked it"]]
