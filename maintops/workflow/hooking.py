"""Hooks around a change: silence, drain, snapshot; and paying what they make owed.

A duty is written down before the hook is begun, and stays owed until its `undo` has gone through.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from maintops.domain.answers import Measured
from maintops.domain.changes import Hook
from maintops.domain.journeys import DUTIES
from maintops.domain.outcomes import Cell
from maintops.domain.runs import Owed, Settled, StageEnded, StageResult
from maintops.workflow.sites import Site, Stage, Work

CONTROLLER = "controller"

AT_ONCE = 8
"""Commands on the controller at a time."""


def hook(site: Site, stage: Stage, works: Sequence[Work]) -> None:
    """Does what a hook says, and verifies that it took effect."""
    if stage.hook is None:
        raise ValueError(f"{stage.name} has no hook")
    one, duty, now = stage.hook, DUTIES[stage.name], site.now()
    if one.undo:
        fresh = [work for work in works if duty not in site.journey(work).owed]
        site.write(*(Owed(work.name, duty, one.undo, one.on, one.timeout, now) for work in fresh))
    site.began(stage.name, works)
    problems = command(site, works, one.command, one, stage.name)
    well = [work for work in works if not problems[work.name]]
    if one.verify and well:
        unverified = command(site, well, one.verify, one, stage.name)
        asked = f"it did not take effect, says `{clipped(one.verify, 120)}`"
        problems |= {name: f"{asked}: {why}" if why else "" for name, why in unverified.items()}
    for work in works:
        why = problems[work.name]
        told = f"{stage.name}: {why}; {_what_now(site, work, duty)}" if why else ""
        site.ended(work, stage.name, StageResult.FAILED if why else StageResult.OK, told)


def _what_now(site: Site, work: Work, duty: str) -> str:
    """What a person does about a hook that failed."""
    run = site.under.run
    owed = f"{duty} is owed (maintops obligations); " if duty in site.journey(work).owed else ""
    back = f", or leave it as it is and pay what is owed: maintops obligations --settle -l {work.name}" if owed else ""
    return f"{owed}find out why on {work.name}, then go on: maintops run continue {run}{back}"


def duty(site: Site, stage: Stage, works: Sequence[Work]) -> None:
    """Pays what is owed to servers that are well."""
    owing = [work for work in works if stage.name in site.journey(work).owed]
    for work in works:
        if work not in owing:
            site.ended(work, stage.name, StageResult.SKIPPED, "nothing is owed")
    if not owing or stage.hook is None:
        return
    site.began(stage.name, owing)
    problems = command(site, owing, stage.hook.undo, stage.hook, stage.name)
    for work in owing:
        why = problems[work.name]
        if why:
            told = f"{stage.name} is still owed: {why} (pay it: maintops obligations --settle)"
            site.ended(work, stage.name, StageResult.FAILED, told)
        else:
            by, now = site.under.engineer or "maintops", site.now()
            paid = Settled(work.name, stage.name, by, "at the end of its change", now)
            site.write(paid, StageEnded(work.name, stage.name, StageResult.OK, "", now))


def command(site: Site, works: Sequence[Work], text: str, one: Hook, duty: str) -> dict[str, str]:
    """Runs a hook's command for some servers; for each of them why it failed, or ""."""
    if one.on == CONTROLLER:
        with ThreadPoolExecutor(min(AT_ONCE, len(works) or 1)) as pool:
            told = pool.map(lambda work: _on_controller(site, work, text, one, duty), works)
            return dict(zip((work.name for work in works), told, strict=True))
    plans = {}
    for work in works:  # each has its own environment, and so a script of its own
        given = environment(site.under.run, work.name, duty)
        exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in given.items())
        plans[work.name] = site.command_plan("CHG-100", exports + text, timeout=one.timeout)
    readings = site.observe_each(works, plans)
    return {name: _problem(read.readings["CHG-100"]) for name, read in readings.items()}


def environment(run: str, server: str, duty: str) -> Mapping[str, str]:
    """What a hook's command is told."""
    return {"MAINTOPS_SERVER": server, "MAINTOPS_RUN": run, "MAINTOPS_DUTY": duty}


def _on_controller(site: Site, work: Work, text: str, one: Hook, duty: str) -> str:
    given = environment(site.under.run, work.name, duty)
    done = site.staff.commander.command(text, given, one.timeout, site.brakes.reason)
    if done.status == 0:
        return ""
    return how(done.status, done.printed)


def how(status: int | None, printed: str) -> str:
    """How a command ended that did not go well, and what it said last (None: it did not end in time)."""
    ended = f"exit status {status}" if status is not None else "it did not end in time"
    said = last_words(printed)
    return f"{ended}: {said}" if said else f"{ended}, and it printed nothing"


def last_words(printed: str, most: int = 300) -> str:
    """The end of what a command printed, in at most so many characters; what is cut is cut between two words."""
    text = printed.strip()
    if len(text) <= most:
        return text
    end = text[-(most - 2) :]  # two for the mark
    words = end.split(maxsplit=1)
    if not text[-(most - 1)].isspace() and not end[0].isspace() and len(words) > 1:
        end = words[1]  # it begins in the middle of a word
    return f"… {end.lstrip()}"


def clipped(text: str, most: int) -> str:
    """The beginning of a command as it is shown in a sentence: in one line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 2].rpartition(' ')[0] or line[: most - 2]} …"


def _problem(reading: object) -> str:
    if isinstance(reading, Cell):
        return reading.message or reading.outcome.value
    if not isinstance(reading, Measured) or not reading.subjects:
        return "the command gave no answer"
    facts = reading.subjects[0].facts
    status = facts.get("exit_status")
    if status == 0:
        return ""
    return how(status, str(facts.get("error") or facts.get("text") or ""))
