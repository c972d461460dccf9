"""Carries checklists out by `maintops run`, on servers that are told what to answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from maintops.cli.main import execute
from maintops.domain.answers import Answer
from maintops.domain.ports import Delivery, Failure, FailureKind, Inquiry, Pulse, Script, Stop, Trip
from maintops.domain.ports import Told as Heard
from maintops.domain.servers import Server
from maintops.runners.replay import ReplayRunner
from maintops.wiring import House, shipped
from maintops.workflow.planning import plan_run
from tests.content.cases import Case, StepCase, Told
from tests.unit.script.framing import Told as Framed
from tests.unit.script.framing import framed

BEGIN = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
BETWEEN = timedelta(days=10)
NOBODY = Told(b"", 127, b"sh: 1: tool: not found\n")
"""What a server answers to everything that its case does not speak of."""


class Acting:
    """An engine whose servers answer what they are told; one with nothing to say in this round is unreachable."""

    name = "ssh"

    def __init__(self, answers: Mapping[str, Mapping[str, Told]], now: datetime) -> None:
        self._answers, self._now = answers, now

    def refusal(self, server: Server) -> str | None:
        return None

    def ask(self, trips: Sequence[Trip], *, forks: int, stop: Stop) -> Iterator[Delivery | Pulse]:
        streams = {
            trip.server.name: [stream(script, self._answers[trip.server.name]) for script in trip.scripts]
            for trip in trips
            if trip.server.name in self._answers
        }
        yield from ReplayRunner(streams, lambda: self._now).ask(trips, forks=forks, stop=stop)


class Controllers:
    """Management controllers that answer what they are told; the others do not answer at all."""

    def __init__(self, answers: Mapping[str, Mapping[str, Told]], now: datetime) -> None:
        self._answers, self._now = answers, now

    def inquire(self, inquiries: Sequence[Inquiry], *, forks: int, stop: Stop) -> Iterator[Heard | Pulse]:
        for one in inquiries:
            told = self._answers.get(one.server.name, {}).get(one.check)
            if told is None:
                silence = Failure(FailureKind.UNREACHABLE, "it does not answer")
                yield Heard(one.server.name, one.check, None, silence, self._now, self._now)
            else:
                answer = Answer(told.stdout, told.stderr, told.status)
                yield Heard(one.server.name, one.check, answer, None, self._now, self._now)


def stream(script: Script, answers: Mapping[str, Told]) -> bytes:
    """What a server writes whose checks answer so."""
    said = [answers.get(check, NOBODY) for check in script.checks]
    limit = max([1000, *(len(one.stdout) + 1 for one in said)])
    return framed(script, [Framed(one.stdout, tuple(one.stderr.splitlines()), one.status, limit=limit) for one in said])


@dataclass(frozen=True)
class Round:
    """The last round of a checklist: the exit code and the cells by server and check."""

    code: int
    cells: Mapping[str, Mapping[str, list[Mapping[str, Any]]]]


def play(checklist: str, cases: Sequence[Case | StepCase], folder: Path, patch: pytest.MonkeyPatch) -> Round:
    """Runs a checklist as often as the longest case needs, ten days apart; what the last run said."""
    tellings = {f"{one.id}-{kind}": getattr(one, kind) for one in cases for kind in ("fires", "silent")}
    carrier = _carriers(checklist, cases)
    hosts = {f"{one.id}-{kind}": dict(one.variables) or None for one in cases for kind in ("fires", "silent")}
    (folder / "proof.jpg").write_bytes(b"a picture")
    (folder / "servers.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
    rounds = max(len(telling) for telling in tellings.values())
    for number in range(rounds):
        answers = {
            server: {carrier[server]: telling[number - rounds]}
            for server, telling in tellings.items()
            if len(telling) >= rounds - number
        }
        said = {server: one for server, one in answers.items() if not isinstance(next(iter(one.values())), Told)}
        asked = {server: {} if server in said else one for server, one in answers.items()}
        (folder / "answers.yml").write_text(json.dumps({"by": "Erika", "steps": said}))
        if number == rounds - 1:
            _accept([one for one in cases if one.baseline], folder, patch)
        last = _run(checklist, asked, BEGIN + number * BETWEEN, folder, patch)
    return last


def _carriers(checklist: str, cases: Sequence[Case | StepCase]) -> Mapping[str, str]:
    """The check under whose id each server is asked: checks that ask the same share a question."""
    house = House(shipped("checklists").parent, flags={})
    listed, runner = house.checklist(checklist), ReplayRunner({}, lambda: BEGIN)
    servers = [Server(one.id, variables=dict(one.variables)) for one in cases]
    plan = plan_run("r", listed, [], servers, house.catalogue, (runner,), "replay")
    found: dict[str, str] = {}
    for one, planned in zip(cases, plan.servers, strict=True):
        carrier = planned.asking.answers.get(one.check, one.check)
        found |= {f"{one.id}-fires": carrier, f"{one.id}-silent": carrier}
    return found


def _accept(cases: Sequence[Case | StepCase], folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Somebody accepts what was measured last of the cases that compare with it."""
    for check in sorted({one.check for one in cases}):
        servers = ",".join(f"{one.id}-{kind}" for one in cases if one.check == check for kind in ("fires", "silent"))
        words = ["baseline", "accept", check, "-i", str(folder / "servers.yml"), "-l", servers]
        assert execute([*words, "--by", "Erika", "--why", "as it was handed over"]) == 0


def _run(
    checklist: str, answers: Mapping[str, Mapping[str, Told]], now: datetime, folder: Path, patch: pytest.MonkeyPatch
) -> Round:
    defaults = House.__init__.__kwdefaults__
    assert defaults is not None
    patch.setitem(defaults, "clock", lambda: now)
    patch.setattr(House, "runners", {"ssh": Acting(answers, now)})
    patch.setattr(House, "contact", Controllers(answers, now))
    patch.setenv("MAINTOPS_DATABASE_URL", f"sqlite:///{folder / 'records.sqlite'}")
    result = folder / "result.json"
    words = ["run", checklist, "-i", str(folder / "servers.yml"), "--format", "json", "-o", str(result)]
    words += ["--answers", str(folder / "answers.yml")]
    code = execute([*words, "--fail-on", "warning"])
    document = json.loads(result.read_text())
    cells: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for server in document["servers"]:
        mine = cells.setdefault(server["server"], {})
        for cell in server["checks"]:
            mine.setdefault(cell["id"], []).append(cell)
    return Round(code, cells)
