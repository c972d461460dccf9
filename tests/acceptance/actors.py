"""`maintops` with actors in place of servers: a program for tests of what no server of a fleet may do, such as reboot
and never come back.

    python -m tests.acceptance.actors run --plan a.plan --by ann

What the actors have been through is kept in actors.json, so that another process meets them as they are. A server
that has rebooted answers again once there is a file NAME.up. The clock is FAST: half an hour goes by in seconds.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import maintops.changes.desks
import maintops.runners.commands
from maintops.cli.main import execute
from maintops.domain.servers import Server
from maintops.wiring import House
from tests.unit.workflow.change_stage import CATALOGUE, Actor, Clock, Stage
from tests.unit.workflow.samples import CannedPreviews

KEPT = Path("actors.json")
FAST = 100.0
"""Seconds of the stage's time that go by in one of ours."""

_LASTING = ("patched", "boots", "told_to_reboot", "booted", "drained", "done", "wants_reboot")


@dataclass
class FastClock(Clock):
    """Goes on by itself, and faster."""

    begun: float = field(default_factory=time.monotonic)

    def __call__(self) -> datetime:
        return self.now + timedelta(seconds=(time.monotonic() - self.begun) * FAST)


def stage_of(names: Sequence[str]) -> Stage:
    """The actors as an earlier process left them."""
    stage = Stage({name: Actor(name) for name in names})
    stage.clock = stage.engine.clock = FastClock()
    if KEPT.exists():
        kept = json.loads(KEPT.read_text())
        stage.clock.now, stage.clock.slept = datetime.fromisoformat(kept["now"]), kept["slept"]
        for name, actor in stage.actors.items():
            for one, value in kept[name].items():
                setattr(actor, one, value)
    reply = stage.engine._reply

    def replying(actor: Actor, script: Any) -> Any:
        actor.returns = Path(f"{actor.name}.up").exists()
        return reply(actor, script)

    stage.engine._reply = replying  # type: ignore[method-assign]  # it looks whether somebody has helped
    return stage


def keep(stage: Stage) -> None:
    """For the next process."""
    kept: dict[str, Any] = {"now": stage.clock().isoformat(), "slept": stage.clock.slept}
    kept |= {name: {one: getattr(actor, one) for one in _LASTING} for name, actor in stage.actors.items()}
    KEPT.write_text(json.dumps(kept))


def install(stage: Stage) -> None:
    """From now on every house of this process has these actors, and their clock."""
    servers = [Server(name) for name in stage.actors]
    House.__init__.__kwdefaults__["clock"] = stage.clock  # type: ignore[index]  # it has some
    parts = {
        "catalogue": CATALOGUE,
        "runners": {"ssh": stage.engine},
        "doer": SimpleNamespace(do=stage.doer.do, check=lambda deed: None),
        "contact": None,
        "ansible": CannedPreviews(),
        "servers": lambda self, *given: servers,
        "engines": lambda self, asked: [("ssh", "") for _ in asked],
        "servers_and_everyone": lambda self, limit, hosts: (servers, servers),
    }
    for name, value in parts.items():
        setattr(House, name, value)
    maintops.runners.commands.ControllerCommands = lambda: stage.commands  # type: ignore[assignment,misc]  # actors'
    maintops.changes.desks.time = SimpleNamespace(sleep=stage.clock.sleep)  # type: ignore[assignment]  # theirs too


if __name__ == "__main__":
    made = stage_of(("web1", "web2"))
    install(made)
    code = execute(sys.argv[1:])
    keep(made)
    sys.exit(code)
