"""maintops runs --watch: the line in which a run is told."""

from __future__ import annotations

from dataclasses import replace

from maintops.cli.runs import _line
from maintops.domain.runs import Progressed, Run
from tests.unit.workflow.change_stage import Stage


def finished(*asked: str) -> Run:
    """A run that is over as far as its records go, and asks these servers now."""
    stage = Stage(2)
    stage.run()
    progress = Progressed(2, 2, dict.fromkeys(asked, "CHG-900"), stage.clock())
    return replace(stage.state, progress=progress, ended=None)


def test_servers_that_have_answered_are_not_waited_for() -> None:
    assert ", 2 of 2 servers; last sign" in _line(finished("web1", "web2"))


def test_servers_that_have_not_answered_are_named() -> None:
    run = replace(finished("web1", "web2"), records={"web1": "r1-0001"})
    assert ", 1 of 2 servers, asking web2 " in _line(run)
