"""Asks a person, step by step, what was done by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from maintops.cli.progress import out_of_the_way
from maintops.domain.steps import Evidence, StepAnswer, unfit, wanted_words
from maintops.errors import UsageError

if TYPE_CHECKING:
    from maintops.domain.checklists import Step
    from maintops.workflow.continuing import Waiting

SKIP, QUIT = "s", "q"
_Value = TypeVar("_Value")


class Quit(Exception):
    """The person goes on another time."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Who is asked, and how: `read` shows a prompt and gives a line, `say` shows one, `keep` keeps a file."""

    by: str
    read: Callable[[str], str]
    say: Callable[[str], None]
    keep: Callable[[Path], Evidence]
    clock: Callable[[], datetime]


def ask_all(waiting: Sequence[Waiting], desk: Desk) -> Iterator[StepAnswer]:
    """Asks one step after the other and gives each answer as it comes. Ends where the person leaves (q, or the end of
    the input)."""
    server = ""
    for number, one in enumerate(waiting, 1):
        if one.server != server:
            server = one.server
            desk.say("")
            desk.say(server)
        try:
            with out_of_the_way():
                answer = _ask(number, len(waiting), one, desk)
        except (Quit, EOFError):
            left = len(waiting) - number + 1
            desk.say("1 step is left" if left == 1 else f"{left} steps are left")
            return
        yield answer


def _ask(number: int, count: int, one: Waiting, desk: Desk) -> StepAnswer:
    step = one.step
    desk.say("")
    desk.say(f"[{number}/{count}] {step.id}  {step.title}")
    if step.why:
        desk.say(f"  why: {step.why}")
    desk.say(f"  {step.manual}")
    _offer(step, desk)
    said = _until(lambda: _answer(step, desk), desk)
    if isinstance(said, str):
        return StepAnswer(one.server, step.id, desk.by, desk.clock(), skipped=said)
    evidence = _until(lambda: _evidence(step, desk), desk) if step.evidence in ("photo", "file") else ()
    if isinstance(evidence, str):
        return StepAnswer(one.server, step.id, desk.by, desk.clock(), skipped=evidence)
    note = desk.read("  note (Enter for none): ").strip()
    value, choice = (said, None) if step.reading is not None else (None, step.choices[int(said)])
    return StepAnswer(one.server, step.id, desk.by, desk.clock(), choice, value, None, note, evidence)


def _offer(step: Step, desk: Desk) -> None:
    if step.reading is not None:
        desk.say(f"  asked for: {wanted_words(step)}")
    else:
        for number, choice in enumerate(step.choices, 1):
            desk.say(f"  {number}  {choice}")
    desk.say(f"  {SKIP}  skip it, with a reason    {QUIT}  go on another time")


def _until(attempt: Callable[[], _Value], desk: Desk) -> _Value:
    while True:
        try:
            return attempt()
        except UsageError as error:
            desk.say(f"  {error}")


def _answer(step: Step, desk: Desk) -> float | str:
    """The number that was read off, the index of the choice, or the reason why the step is skipped."""
    text = desk.read(f"  {step.reading.unit}> " if step.reading is not None else "  > ").strip()
    if text == QUIT:
        raise Quit
    if text == SKIP:
        return _reason(desk)
    if step.reading is None:
        return _choice(step, text)
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        raise UsageError(f"that is no number: {text[:80]!r}") from None
    problem = unfit(step, {"reading": number, "evidence": True})
    if problem is not None:
        raise UsageError(f"it {problem}")
    return number


def _reason(desk: Desk) -> str:
    reason = desk.read("  why? ").strip()
    if not reason:
        raise UsageError("it is not skipped without a reason")
    return reason


def _choice(step: Step, text: str) -> float:
    if text in step.choices:
        return step.choices.index(text)
    if text.isdecimal() and 1 <= int(text) <= len(step.choices):
        return int(text) - 1
    raise UsageError(f"choose one of 1 to {len(step.choices)}")


def _evidence(step: Step, desk: Desk) -> tuple[Evidence, ...] | str:
    """The file that proves it, or the reason why the step is skipped after all."""
    text = desk.read(f"  {step.evidence} (path of a file; {SKIP} skips the step): ").strip()
    if text == QUIT:
        raise Quit
    if text == SKIP:
        return _reason(desk)
    if not text:
        raise UsageError(f"this step needs a {step.evidence}")
    return (desk.keep(Path(text).expanduser()),)
