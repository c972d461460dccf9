"""Whether the next wave may begin: the one before it went well, its soak time is over, the gate's command agrees."""

from __future__ import annotations

from collections.abc import Sequence

from maintops.domain.journeys import AFTER
from maintops.domain.runs import StageResult, Waved
from maintops.workflow.limiting import waits
from maintops.workflow.sites import Site

_SHOWN = 3


def gate(site: Site, number: int) -> str:
    """Why nothing may follow a wave; "" where it is behind its gate, which is on record then. The last one has none."""
    if number == len(site.under.plan.waves):
        site.write(Waved(number, "passed", "", site.now()))
        return ""
    wave = site.under.plan.waves[number - 1]
    why = _unfinished(site, number, wave) or _worse(site, number, wave) or _soak(site, number, wave)
    why = why or _refused(site, number, wave)
    if not why:
        site.write(Waved(number, "passed", "", site.now()))
    return why


def _unfinished(site: Site, number: int, wave: Sequence[str]) -> str:
    waiting = [name for name in wave if name not in site.finished and waits(site, name)]
    if waiting:
        return f"held: of wave {number} {_some(waiting)} must be finished first, which wait for a person"
    if not site.finished:
        return f"held: nobody was changed in wave {number} or before it: nothing speaks for going on"
    return ""


def _worse(site: Site, number: int, wave: Sequence[str]) -> str:
    """Who goes on with a run that was stopped for this very reason has seen it."""
    worse = [
        f"{name}: {told}"
        for name in wave
        if (ended := site.journey(name).ended.get(AFTER)) is not None and ended.result is StageResult.OK
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
    how = f"exit status {said.status}" if said.status is not None else "no answer in time"
    printed = said.printed.strip()[-300:]
    return f"held: the gate after wave {number} says no ({how}){f': {printed}' if printed else ''}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
