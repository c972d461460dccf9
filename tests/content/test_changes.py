"""Every step of a shipped checklist that changes servers is one that somebody can answer for."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from maintops.domain.changes import Approval, ChangeStep, Packages, Reboot
from maintops.domain.checklists import Checklist
from maintops.wiring import House, shipped

CHECKLISTS = House(shipped("checklists").parent, flags={}).checklists()
CHANGING = [one for one in CHECKLISTS if one.changes and Path(one.file).parent == shipped("checklists")]
STEPS = {step.id: (listed, step) for listed in CHANGING for step in listed.changes}

# step -> what it does, checks before it, checks after it, what takes it back, seconds it is taken to last
EXPECTED = {
    "PT-500": ("update.yml", 10, 1, "rollback_update.yml", 600),
    "PT-510": (Reboot.IF_NEEDED, 0, 2, "", 300),
    "OP-510": ("sysctl.yml", 1, 1, "rollback_sysctl.yml", 60),
    "OP-520": ("tuned.yml", 1, 1, "rollback_tuned.yml", 60),
    "OP-530": ("orphans.yml", 2, 2, "rollback_update.yml", 120),
    "OV-315": (Reboot.ALWAYS, 0, 6, "", 600),
}

UNCHECKED_BEFORE = {
    "PT-510": "PT-500 has looked, and its postchecks stand between the two",
    "OV-315": "the server was looked at before anybody laid hands on it; now it has to show that it boots",
}
"""Why nothing is asked right before a step."""


def test_these_are_all_the_steps_that_change_servers() -> None:
    assert sorted(STEPS) == sorted(EXPECTED)
    assert {one.name for one in CHANGING} == {"quarterly-patch", "semiannual-overhaul", "yearly-optimisation"}


@pytest.mark.parametrize("id", EXPECTED)
def test_a_step_does_what_it_should_between_its_checks(id: str) -> None:
    _, step = STEPS[id]
    back = _name(step.rollback.playbook) if step.rollback is not None else ""
    does = _name(step.act.playbook) if step.act is not None else step.reboot
    assert (does, len(step.precheck), len(step.postcheck), back, step.estimate) == EXPECTED[id]


@pytest.mark.parametrize("id", EXPECTED)
def test_a_step_says_why_what_to_do_and_how_long(id: str) -> None:
    _, step = STEPS[id]
    assert step.why
    assert step.action
    assert step.tags
    assert step.estimate > 0
    assert step.postcheck, "nothing would tell whether it went well"
    assert bool(step.precheck) != (id in UNCHECKED_BEFORE)
    assert (step.rollback is not None) != step.irreversible
    assert _seconds(step) >= 2 * step.estimate, "a server that is slow would be taken for lost"


@pytest.mark.parametrize("id", EXPECTED)
def test_what_takes_a_step_back_gets_no_less_than_its_own_parameters(id: str) -> None:
    listed, step = STEPS[id]
    for action in (step.act, step.rollback):
        for name, value in (action.parameters if action is not None else {}).items():
            assert name.startswith("maintops_")
            assert value["from"] in listed.parameters


@pytest.mark.parametrize("listed", CHANGING, ids=lambda one: one.name)
def test_a_policy_is_careful(listed: Checklist) -> None:
    policy = listed.change
    assert (policy.waves[0].count, policy.waves[-1].percent) == (1, 100), "a canary first, and all in the end"
    assert (policy.budget, policy.canary_budget, policy.approval) == (0, 0, Approval.REQUIRED)
    assert policy.risk.assessment
    assert policy.risk.contingency
    assert policy.people
    assert not [one for one in policy.expected if one in ("service", "port", "user", "firewall")]
    assert not policy.hooks, "a load balancer is a team's own: its checklist takes this one in"


def test_an_update_is_pinned() -> None:
    (patch,) = [one for one in CHANGING if one.name == "quarterly-patch"]
    assert patch.change.packages is Packages.PINNED


def test_whoever_is_at_work_on_the_packages_is_waited_for() -> None:
    """A background job holds a lock for seconds: a check before the step would fail the server, and hold all others."""
    listed, step = STEPS["PT-500"]
    probes = {check.id: check.probe for check in listed.checks}
    assert "package-locks" in probes.values()
    assert "package-locks" not in [probes[id] for id in step.precheck]
    assert step.act is not None
    assert step.act.parameters["maintops_lock_wait"] == {"from": "lock_wait"}


@pytest.mark.parametrize("listed", CHANGING, ids=lambda one: one.name)
def test_what_may_stay_unmeasured_is_a_check_of_the_checklist(listed: Checklist) -> None:
    ids = {one.id for one in listed.checks}
    needed = {id for step in listed.sequence for id in (*step.precheck, *step.postcheck)}
    assert set(listed.parameters.get("unmeasured_passes", [])) <= needed & ids


def test_nothing_is_changed_by_the_yearly_optimisation_where_nobody_says_so() -> None:
    (listed,) = [one for one in CHANGING if one.name == "yearly-optimisation"]
    asked = [listed.parameters[name] for name in ("sysctl", "tuned_profile", "remove_orphans")]
    assert asked == [{}, "", False]


@pytest.mark.parametrize("playbook", sorted(shipped("playbooks").glob("*.yml")), ids=lambda file: file.name)
def test_every_playbook_belongs_to_a_step(playbook: Path) -> None:
    actions = [action for _, step in STEPS.values() for action in (step.act, step.rollback) if action is not None]
    assert str(playbook.resolve()) in {str(Path(one.playbook or "").resolve()) for one in actions}
    assert all(play["hosts"] == "all" for play in yaml.safe_load(playbook.read_text()))


def _name(path: str | None) -> str:
    return Path(path or "").name


def _seconds(step: ChangeStep) -> float:
    return step.act.timeout if step.act is not None else step.timeout
