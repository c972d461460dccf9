"""maintops checklist: what a checklist that changes servers is shown as."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from maintops.cli.main import execute

TEXT = """\
checklist: patch
title: Patch
service: software-upgrade
cadence: {every: quarter}
change:
  waves: [1, 100%]
  risk: {assessment: It breaks., contingency: It is restored.}
  windows: {zone: UTC, open: [{weekdays: [sat], from: 22:00, to: 04:00}]}
checks:
- {id: PT-010, title: There is room, command: df}
steps:
- id: PT-500
  title: Updates are installed
  why: Holes.
  action: Look.
  playbook: update.yml
  parameters: {level: all}
  precheck: [PT-010]
  rollback: {tasks: [{name: Undo, debug: {}}]}
- {id: PT-510, title: It is looked at, manual: Look., postcheck: [PT-010], rollback: Look away.}
- {id: PT-520, title: It was booted, reboot: always, irreversible: true, estimate: 5m}
"""


@pytest.fixture
def patch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "update.yml").write_text("- hosts: all\n  tasks: []\n")
    (tmp_path / "patch.yml").write_text(TEXT)
    return "./patch.yml"


def test_it_is_shown_in_the_order_in_which_it_is_done(patch: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["checklist", "show", patch]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  waves: 1, 100%" in lines
    assert "  risk: It breaks." in lines
    assert lines[lines.index("PT-500  Updates are installed") :] == [
        "PT-500  Updates are installed",
        "  playbook update.yml",
        "  why: Holes.",
        "  to do: Look.",
        "  must pass before: PT-010",
        "  taken back: tasks Undo",
        "",
        "PT-510  It is looked at",
        "  by hand: Look.",
        "  answer: done",
        "  must pass after: PT-010",
        "  taken back: Look away.",
        "",
        "PT-520  It was booted",
        "  reboot always",
        "  taken back: never",
    ]


def test_programs_get_the_steps_by_machine_beside_those_by_hand(patch: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["checklist", "show", patch, "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["order"] == ["PT-500", "PT-510", "PT-520"]
    (by_hand,) = document["steps"]
    assert (by_hand["id"], by_hand["postcheck"], by_hand["rollback"]) == ("PT-510", ["PT-010"], "Look away.")
    update, boot = document["changes"]
    assert (update["kind"], update["does"], update["rollback"]) == ("playbook", "playbook update.yml", "tasks Undo")
    assert (update["parameters"], update["precheck"], update["timeout"]) == ({"level": "all"}, ["PT-010"], 3600)
    assert (boot["kind"], boot["estimate"], boot["timeout"], boot["idempotent"]) == ("reboot", 300, 900, False)
    assert document["change"]["waves"] == ["1", "100%"]
    assert document["change"]["failure_budget"] == {"canary": 0, "run": 0}
    assert "sat" in document["change"]["windows"].lower()
    assert document["change"]["risk"] == {"assessment": "It breaks.", "contingency": "It is restored."}


def test_a_checklist_without_such_steps_has_no_policy(patch: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = TEXT.partition("steps:\n")[0]
    Path(patch).write_text(text)
    assert execute(["checklist", "show", patch]) == 0
    assert "waves" not in capsys.readouterr().out
    assert execute(["checklist", "show", patch, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["change"] is None


def test_lint_asks_for_the_risk(patch: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["lint", patch]) == 0
    path = Path(patch)
    path.write_text(TEXT.replace("  risk: {assessment: It breaks., contingency: It is restored.}\n", ""))
    assert execute(["lint", patch]) == 64
    assert "patch.yml:5:1: a checklist that changes servers says what can go wrong" in capsys.readouterr().out
