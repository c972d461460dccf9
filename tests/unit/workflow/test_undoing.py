"""Taking a change back: what was begun and can be undone, the other way round, and never more than that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.changes import Action, Approval, ChangePolicy, ChangeStep, Hook, Reboot
from maintops.domain.checklists import Checklist, Step
from maintops.domain.journeys import BEFORE, Journal, journal
from maintops.domain.plans import PlannedChange, Update
from maintops.domain.runs import StageBegan, StageEnded, StageResult
from maintops.domain.windows import Windows
from maintops.workflow.undoing import look_kept, restored, undoing, versions
from tests.unit.workflow.samples import START, checklist

ONE = ChangeStep(
    "C-1",
    "Configure",
    act=Action(playbook="/p/a.yml"),
    rollback=Action(playbook="/p/a-back.yml"),
    precheck=("HW-010",),
    postcheck=("HW-010",),
    idempotent=False,
    done="test -e /done",
    estimate=60,
)
TWO = ChangeStep("C-2", "Update", act=Action(playbook="/p/b.yml"), rollback=Action(playbook="/p/b-back.yml"))
NEVER = ChangeStep("C-3", "Migrate", act=Action(role="migrate"), irreversible=True)
BOOT = ChangeStep("C-4", "Reboot", reboot=Reboot.ALWAYS, irreversible=True)
HAND = Step("H-1", "Cable", "Move it", rollback="move it back")
POLICY = ChangePolicy(
    soak=600, gate="true", budget=3, windows=Windows("UTC", ()), drain=Hook("drain"), approval=Approval.REQUIRED
)


def listed() -> Checklist:
    return replace(
        checklist(),
        steps=(HAND, replace(HAND, id="H-2", rollback="")),
        changes=(ONE, TWO, NEVER, BOOT),
        change=POLICY,
        order=("C-1", "H-1", "C-2", "H-2", "C-3", "C-4"),
    )


def begun(*stages: str, server: str = "web1") -> Journal:
    return journal([StageBegan(server, stage, START) for stage in stages])


def test_steps_are_taken_back_the_other_way_round_by_what_takes_them_back() -> None:
    found = undoing(listed(), begun("C-1", "C-2"), ["web1"])
    assert found.checklist.order == ("C-2", "C-1")
    assert [one.act for one in found.checklist.sequence] == [TWO.rollback, ONE.rollback]
    assert [one.title for one in found.checklist.sequence] == ["Taken back: Update", "Taken back: Configure"]
    assert (found.steps, found.left) == ({"web1": {"C-1", "C-2"}}, ())


def test_taking_back_is_asked_no_prechecks_and_no_question_about_the_step_itself() -> None:
    (_, back) = undoing(listed(), begun("C-1"), ["web1"]).checklist.changes
    assert (back.precheck, back.done, back.rollback, back.irreversible) == ((), "", None, False)
    assert (back.postcheck, back.idempotent, back.estimate) == (("HW-010",), False, 60)


def test_it_waits_for_no_window_gate_or_approval_and_keeps_the_rest() -> None:
    policy = undoing(listed(), begun("C-1"), ["web1"]).checklist.change
    assert (policy.windows, policy.gate, policy.soak, policy.approval) == (None, "", 0, Approval.STANDARD)
    assert (policy.drain, policy.budget, [str(one) for one in policy.waves]) == (Hook("drain"), 3, ["1", "100%"])


def test_only_what_was_begun_is_taken_back_on_each_server() -> None:
    story = journal([StageBegan("web1", "C-1", START), StageBegan("web2", "C-2", START)])
    found = undoing(listed(), story, ["web1", "web2", "web3"])
    assert found.steps == {"web1": {"C-1"}, "web2": {"C-2"}}
    assert found.skipped("web1") == {"C-2"}
    assert found.skipped("web3") == {"C-1", "C-2"}
    assert found.left == ("on web3 nothing was done that can be undone",)


def test_what_was_skipped_was_not_done() -> None:
    story = journal([StageEnded("web1", "C-1", StageResult.SKIPPED, "", START)])
    assert undoing(listed(), story, ["web1"]).steps == {}


def test_what_cannot_be_undone_is_said_step_by_step() -> None:
    found = undoing(listed(), begun("C-1", "H-1", "H-2", "C-3", "C-4"), ["web1"])
    assert found.left == (
        "C-3 (Migrate) on web1 cannot be undone, as its checklist says; see to it by hand",
        "H-1 (Cable) on web1 was done by hand; undo it: move it back",
        "H-2 (Cable) on web1 was done by hand; undo it: nobody wrote down how",
    )


# --- packages ---------------------------------------------------------------------------------------------------------


def test_packages_become_what_they_were() -> None:
    then = {"packages": {"nginx": "1.0", "old": "3", "same": "5"}}
    now = {"packages": {"nginx": "1.1", "same": "5", "new": "2"}}
    found = restored("web1", then, now)
    assert found == PlannedChange(
        "web1", updates=(Update("nginx", "1.1", "1.0"), Update("old", None, "3")), removals=("new",)
    )
    assert versions(found) == {"nginx": "1.0", "old": "3", "new": None}


@pytest.mark.parametrize("unknown", [{}, {"packages": None}, {"packages": {}}])
def test_where_the_packages_are_not_known_none_is_touched(unknown: dict[str, Any]) -> None:
    known = {"packages": {"nginx": "1.0", "libc6": "2"}}
    for then, now, when in ((unknown, known, "before the change"), (known, unknown, "now")):
        found = restored("web1", then, now)
        assert versions(found) == {}
        assert found.notes == (f"no package is restored: which ones it had {when} is not known; see to it by hand",)


PACKAGES = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("123"), min_size=1)


@given(PACKAGES, PACKAGES)
def test_restoring_leads_exactly_to_what_was(then: dict[str, str], now: dict[str, str]) -> None:
    wanted = versions(restored("web1", {"packages": then}, {"packages": now}))
    after = {name: version for name, version in {**now, **wanted}.items() if version is not None}
    assert after == then
    assert all(now.get(name) != version for name, version in wanted.items())


def test_the_look_kept_is_found_by_its_digest() -> None:
    look = StageEnded("web1", BEFORE, StageResult.OK, "", START, {"evidence": "ab12"})
    assert look_kept(journal([look]), "web1") == "ab12"
    assert look_kept(journal([replace(look, facts={})]), "web1") == ""
    assert look_kept(journal([look]), "web2") == ""
