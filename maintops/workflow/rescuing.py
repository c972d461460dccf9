"""A server that does not come back from its reboot is offered to a person: the step by hand CHG-204, answered like any
other. Whoever says that it was power-cycled, or that it came back, lets it be waited for once more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from maintops.domain.checklists import Step
from maintops.domain.journeys import Journey
from maintops.domain.outcomes import Cell, Outcome
from maintops.domain.runs import StageEnded, StageResult
from maintops.domain.steps import GIVEN_UP, POWER_CYCLE, StepAnswer, answer_facts, power_cycle
from maintops.workflow.attending import ask
from maintops.workflow.planning import BMC_ADDRESS
from maintops.workflow.sites import Site, Stage, Work

GONE = "gone"
"""What the facts of a stage tell of a server that did not come back."""

OFFERED = "offered"
"""The fact of a reboot that was begun again for a server for which the step was offered."""


def is_gone(ended: StageEnded | None) -> bool:
    """Whether a stage ended because the server did not come back."""
    return ended is not None and ended.facts.get("told") == GONE


def is_offered(journey: Journey) -> bool:
    """Whether a person may say something of a server now: it did not come back, and nobody has waited for it since."""
    return any(is_gone(one) for one in journey.ended.values())


def rescue(work: Work) -> Step:
    """The step for one server."""
    return power_cycle(work.name, str(work.server.variables.get(BMC_ADDRESS) or ""))


def answered_since(site: Site, work: Work, at: datetime) -> StepAnswer | None:
    """What a person has said of a server since it was found gone; an older answer was about an earlier wait."""
    answer = site.answers.get((work.name, POWER_CYCLE))
    return answer if answer is not None and answer.at > at else None


def helped(site: Site, stage: Stage, works: Sequence[Work], seconds: float) -> list[Work]:
    """Asks a person about servers that do not come back; returns those that are to be waited for once more. For all
    others the stage is over."""
    again = []
    for work in works:
        said = ask(site, work.name, rescue(work)) if site.brakes.before_next() is None else None
        if goes_on(said):
            again.append(work)
        else:
            gone(site, stage, work, seconds, said)
    return again


def goes_on(said: StepAnswer | None) -> bool:
    """Whether an answer means that the server is to be waited for."""
    return said is not None and said.skipped is None and said.choice != GIVEN_UP


def gone(site: Site, stage: Stage, work: Work, seconds: float, said: StepAnswer | None = None) -> None:
    """The stage of a server that does not come back is over: its wave stops, and a critical follow-up is opened.
    `seconds` is how long it was waited for."""
    address = work.server.variables.get(BMC_ADDRESS)
    way = f"through its management controller ({address})" if address else "on site or through its console"
    given_up = f" ({said.by} has given it up{f': {said.skipped}' if said.skipped else ''})" if said is not None else ""
    run = site.under.run
    why = (
        f"{work.name} did not come back within {_span(seconds)} after its reboot{given_up}: look at its console, "
        f"then power-cycle it {way}; it stays drained; answer {POWER_CYCLE} then: maintops run continue {run} "
        f"--by ENGINEER at a terminal, or --answers FILE"
    )
    site.ended(work, stage.name, StageResult.UNREACHABLE, why, {"told": GONE})


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"


# --- on record --------------------------------------------------------------------------------------------------------


def rescue_cell(site: Site, work: Work, journey: Journey) -> Cell | None:
    """What stands in a server's record of the step; None where it was never offered."""
    answer = site.answers.get((work.name, POWER_CYCLE))
    lost = next((one.at for one in journey.ended.values() if is_gone(one)), None)
    again = goes_on(answer) and answer is not None and lost is not None and answer.at <= lost
    if answer is not None and not again:  # what was said before that wait helped nobody: it waits once more
        return _answered(answer)
    if lost is not None:
        why = f"{rescue(work).title}: it waits for a person: maintops run continue {site.under.run} --by ENGINEER"
        return Cell(POWER_CYCLE, None, Outcome.NOT_REACHED, message=why)
    if any(begun.get(OFFERED) for begun in journey.begun.values()):
        return Cell(POWER_CYCLE, None, Outcome.SKIPPED, message="nobody said anything; it was waited for once more")
    return None


def _answered(answer: StepAnswer) -> Cell:
    who = f"{answer.by} ({answer.at:%Y-%m-%d %H:%M} UTC)"
    if answer.skipped is not None:
        return Cell(POWER_CYCLE, None, Outcome.SKIPPED, message=f"{who}: {answer.skipped}")
    told = f"{who}: {answer.choice}{f' ({answer.note})' if answer.note else ''}"
    outcome = Outcome.OK if goes_on(answer) else Outcome.SKIPPED
    return Cell(POWER_CYCLE, None, outcome, message=told, facts=answer_facts(answer))
