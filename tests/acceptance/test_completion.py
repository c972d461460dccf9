"""What the shell offers while a command is being typed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.checklists import furnish
from tests.lab.running import Desk

pytestmark = pytest.mark.fleet

PROGRAM = Path(sys.executable).parent / "maintops"


def _offered(desk: Desk, line: str) -> list[str]:
    """What bash is offered at the end of a line."""
    words = line.split(" ")
    done = subprocess.run(
        [PROGRAM],
        env={
            **desk.variables,
            "_MAINTOPS_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
        },
        cwd=desk.here,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_commands_and_options_are_completed(desk: Desk) -> None:
    assert _offered(desk, "maintops fol") == ["followup"]
    assert _offered(desk, "maintops followup cl") == ["close"]
    assert "--deadline" in _offered(desk, "maintops run daily-check --de")
    assert _offered(desk, "maintops run daily-check --engine an") == ["ansible"]


def test_checklists_are_completed_the_repositorys_and_the_shipped_ones(desk: Desk) -> None:
    assert _offered(desk, "maintops run da") == ["daily-check"]
    furnish(desk)
    assert _offered(desk, "maintops run ro") == ["round"]
    every = set(_offered(desk, "maintops run "))
    assert {"daily-check", "emergency-drill", "round", "yearly-optimisation"} <= every
    assert len(every) == 8
    assert _offered(desk, "maintops checklist show ro") == ["round"]
    assert _offered(desk, "maintops run nosuch") == []


def test_servers_are_completed_from_the_inventory_on_the_line(desk: Desk) -> None:
    inventory = desk.inventory("s001", "s002", web1={})
    assert _offered(desk, f"maintops run daily-check -i {inventory} -l s0") == ["s001", "s002"]
    assert _offered(desk, f"maintops server list -i {inventory} -l w") == ["web1"]
    (desk.here / "inventories").mkdir()
    Path(inventory).rename(desk.here / "inventories/servers.yml")
    assert _offered(desk, "maintops run daily-check -l web") == ["web1"]


def test_trouble_is_silence_while_a_line_is_typed(desk: Desk) -> None:
    (desk.here / "inventories").mkdir()
    (desk.here / "inventories/servers.yml").write_text("all: [\n")
    assert _offered(desk, "maintops run daily-check -l s") == []
    (desk.here / "maintops.yml").write_text("nosuch: 1\n")
    assert _offered(desk, "maintops run daily-check -l s") == []
    assert _offered(desk, "maintops run da") == []


def test_the_script_for_the_shell_is_shown(desk: Desk) -> None:
    # Which shell it is for is told by the process that it is started from.
    command = ["bash", "-c", f"{PROGRAM} --show-completion; exit $?"]
    shown = subprocess.run(command, env=desk.variables, cwd=desk.here, capture_output=True, text=True, check=False)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "complete_bash" in shown.stdout
    assert "_MAINTOPS_COMPLETE" in shown.stdout
