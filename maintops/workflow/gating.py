"""Whether the next wave may begin: the one before it went well, and is still well after its soak time; the gate's
command agrees. The last wave has no gate, but it soaks and is looked at like the others."""

from __future__ import annotations

from collections.abc import Sequence

from maintops.domain.journeys import AFTER, SOAKED
from maintops.domain.runs import StageResult, Waved
from maintops.domain.wording import some
from maintops.workflow.concluding import Records, conclude_soaked
from maintops.workflow.hooking import how
from maintops.workflow.limiting import Limits, waits
from maintops.workflow.sites import Site
from maintops.workflow.surveying import look_after_soak

_SHOWN = 3
_ROUNDS = 4
"""How many times as many servers as are asked at once are looked at before it is asked again whether to go on."""


def gate(site: Site, number: int, limits: Limits, records: Records) -> str:
    """Why nothing may follow a wave; "" where it is behind its gate, which is on record then. `records` are those that
    this process has kept; what the look after the soak finds is added."""
    wave = site.under.plan.waves[number - 1]
    is_last = number == len(site.under.plan.waves)
    why = "" if is_last else _unfinished(site, number, wave) or _worse(site, number, wave, AFTER)
    if not why:
        why = soak_and_look(site, number, records)
        why = limits.exceeded(number) or why
    if not is_last:
        why = why or _unwell(number, limits) or _worse(site, number, wave, SOAKED) or _refused(site, number, wave)
    if not why:
        site.write(Waved(number, "passed", "", site.now()))
    return why


def is_to_soak(site: Site, name: str) -> bool:
    """Whether a server is through, and was not looked at after the soak. Without a soak there is nothing to see that
    was not seen just now."""
    return site.under.policy.soak > 0 and name in site.finished and SOAKED not in site.journey(name).ended


def soak_and_look(site: Site, number: int, records: Records) -> str:
    """Leaves a wave alone for its soak time, and looks once more at those of it that are through; returns why not all
    of them were seen, or ""."""
    wave = site.under.plan.waves[number - 1]
    return _soak(site, number, wave) or look_once_more(site, [one for one in wave if is_to_soak(site, one)], records)


def look_once_more(site: Site, names: Sequence[str], records: Records) -> str:
    """Looks at servers after their soak, some at a time: what thousands are like need not be held at once, and whoever
    stops the run does not wait for all of them. Returns why not all were looked at, or ""."""
    size = _ROUNDS * max(site.under.forks, 1)
    for first in range(0, len(names), size):
        why = site.brakes.before_next() if first else None
        if why is not None:
            return f"held: {why}"
        for work, found in look_after_soak(site, [site.work(name) for name in names[first : first + size]]):
            kept = conclude_soaked(site, work, found, work.name in records)
            if kept is not None:
                records[work.name] = kept
    return ""


def _unwell(number: int, limits: Limits) -> str:
    if limits.well:
        return ""
    return f"held: nobody is well after the soak of wave {number}: nothing speaks for going on"


def _unfinished(site: Site, number: int, wave: Sequence[str]) -> str:
    waiting = [name for name in wave if name not in site.finished and waits(site, name)]
    if waiting:
        return f"held: of wave {number} {some(waiting)} must be finished first, which wait for a person"
    if not site.finished:
        return f"held: nobody was changed in wave {number} or before it: nothing speaks for going on"
    return ""


def _worse(site: Site, number: int, wave: Sequence[str], look: str) -> str:
    """Who goes on with a run that was stopped for this very reason has seen it."""
    worse = [
        f"{name}: {told}"
        for name in wave
        if (ended := site.journey(name).ended.get(look)) is not None and ended.result is StageResult.OK
        for told in ended.facts.get("worse", [])
    ]
    rest = f" (and {len(worse) - _SHOWN} more)" if len(worse) > _SHOWN else ""
    why = f"held: the gate after wave {number} found worse than before: {'; '.join(worse[:_SHOWN])}{rest}"
    return "" if not worse or why in site.stops else why


def _soak(site: Site, number: int, wave: Sequence[str]) -> str:
    """Waits for what is left of the soak time since the wave's last server was done."""
    soak = site.under.policy.soak
    if soak <= 0:
        return ""
    done = [site.finished[name] for name in wave if name in site.finished]
    if not done:
        return ""
    since = (site.now() - max(done)).total_seconds()
    site.rest(soak - since if since >= 0 else soak, {f"wave {number}": "soak"})
    why = site.brakes.before_next()
    return f"held: {why}" if why else ""


def _refused(site: Site, number: int, wave: Sequence[str]) -> str:
    policy = site.under.policy
    if not policy.gate:
        return ""
    done = " ".join(name for name in wave if name in site.finished)
    given = {"MAINTOPS_RUN": site.under.run, "MAINTOPS_WAVE": str(number), "MAINTOPS_SERVERS": done}
    said = site.staff.commander.command(policy.gate, given, policy.gate_timeout, site.brakes.reason)
    if said.status == 0:
        return ""
    return f"held: the gate after wave {number} says no: {how(said.status, said.printed)}"
