"""maintops run --plan, and going on with a run that changes servers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from maintops.cli.output import heard_or_not, say
from maintops.errors import UsageError

if TYPE_CHECKING:
    from maintops.changes import Extras
    from maintops.domain.checklists import Step
    from maintops.domain.steps import StepAnswer
    from maintops.wiring import House
    from maintops.workflow.running import RunResult


@dataclass(frozen=True, slots=True)
class Shown:
    """How a run is carried out and shown: why it is an emergency, when it ends at the latest, format and file."""

    emergency: str | None
    deadline: datetime | None
    format: str
    output: Path | None


def carry_out(chosen: House, plan: Path, shown: Shown) -> int:
    """Carries a plan out, shows the run, and returns its exit code."""
    _warn(shown)
    return under_way(chosen, shown, lambda extras: chosen.changes.run(plan, extras))


def _warn(shown: Shown) -> None:
    if shown.emergency:
        say(f"EMERGENCY: {shown.emergency}. Approval and window do not count; this is on record.")


def go_on_with(chosen: House, run: str, answers: Path | None, shown: Shown) -> int:
    """Goes on with a run, shows it, and returns its exit code."""
    from maintops.cli.continuing import go_on

    found = chosen.store.run(run)
    if not found.planned.changes:
        if shown.emergency or shown.deadline is not None:
            raise UsageError(f"the run {found.id} changes nothing: --emergency and --deadline do not go with it")
        return go_on(chosen, found.id, answers, shown.format, shown.output)
    if answers is not None:
        chosen.changes.answer(found, answers)
    _warn(shown)
    return under_way(chosen, shown, lambda extras: chosen.changes.go_on(found, extras))


def under_way(chosen: House, shown: Shown, do: Callable[[Extras], RunResult]) -> int:
    """Does something that is a run that changes servers, shows it, and returns its exit code."""
    from maintops.changes import Extras
    from maintops.cli.planning import confirmed
    from maintops.cli.progress import progress
    from maintops.cli.reporting import show_run
    from maintops.cli.running import INTERRUPTED, braking
    from maintops.domain.outcomes import FailOn
    from maintops.domain.runs import RunState

    brakes = chosen.changes.brakes(shown.deadline)
    with braking(brakes), progress() as observer:
        extras = Extras([observer], brakes, _asker(chosen), _confirm(confirmed), shown.emergency or "")
        result = do(extras)
    level = FailOn(chosen.settings.fail_on)
    with heard_or_not():
        show_run(chosen, result.run, shown.format, shown.output, level)
    if result.run.state is RunState.FINISHED and chosen.checklist(result.run.planned.file).change.verify:
        say(f"its servers are to be verified: maintops verify {result.run.id}")
    owed = [one for one in chosen.changes.debts() if one.run == result.run.id]
    if owed:
        told = ", ".join(f"{one.owed.duty} of {one.owed.server}" for one in owed[:5])
        say(f"still owed: {told} (maintops obligations)")
    if result.run.state is not RunState.FINISHED:
        said = result.run.reason
        say(said if said.startswith(f"{result.run.state.value}: ") else f"{result.run.state.value}: {said}")
        say(chosen.changes.next_words(result.run))
    chosen.close()
    return INTERRUPTED if result.run.state is RunState.CANCELLED else result.codes[level]


def _confirm(confirmed: Callable[[str], bool]) -> Callable[[str], bool] | None:
    return confirmed if sys.stdin.isatty() and sys.stderr.isatty() else None


def _asker(chosen: House) -> Callable[[str, Step], StepAnswer | None] | None:
    """Asks the person at the terminal for a step by hand; None where nobody is there, or nobody signs."""
    if not (chosen.settings.by and sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    from maintops.cli.asking import Desk, ask_all
    from maintops.cli.continuing import read_line
    from maintops.workflow.continuing import Waiting

    desk = Desk(chosen.settings.by, read_line, say, chosen.keep_evidence, chosen.clock)

    def ask(server: str, step: Step) -> StepAnswer | None:
        return next(iter(ask_all([Waiting(server, step)], desk)), None)

    return ask
