"""Rebooting servers, and proving that they came back.

A server has rebooted when its boot identity is another one: the kernel's boot id and the start of process 1 (which
tells a reboot apart in a container, whose boot id is its machine's). Ansible's word for it is not taken: it can come
too early. The command carries the identity of before and does nothing on a server that has another one, so that it can
be given again without ever rebooting twice.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from maintops.domain.answers import Measured, Reading
from maintops.domain.changes import ChangeStep
from maintops.domain.outcomes import Cell
from maintops.domain.ports import Pulse
from maintops.domain.runs import StageResult
from maintops.domain.stages import stage_words
from maintops.workflow.attending import overstayed
from maintops.workflow.needing import candidates, newest_kernel, why_not
from maintops.workflow.rescuing import OFFERED, answered_since, goes_on, gone, helped, is_gone
from maintops.workflow.sites import Site, Stage, Work

GOOD_ANSWERS = 3
"""How often in a row a server must answer before it counts as back."""

PAUSE = 3.0
"""Seconds between two questions to a server that reboots."""

AGAIN = 60.0
"""Seconds after which a server that still runs its old boot is told again: what was told may have been lost."""

LONGEST_ROUND = 180.0
"""Seconds that one round of questions counts at most: more has gone by only for somebody who has set the clock."""

_SLACK = 120.0
_BOOT, _REBOOT = "CHG-201", "CHG-203"

_IDENTITY = """\
boot=$(cat /proc/sys/kernel/random/boot_id)
start=$(sed 's/.*) //' /proc/1/stat | cut -d ' ' -f 20)
"""
_ASK = (
    _IDENTITY
    + """\
read -r up rest < /proc/uptime
printf '{"boot": "%s/%s", "uptime": %s, "kernel": "%s"}\\n' "$boot" "$start" "${up%.*}" "$(uname -r)"
"""
)
_COMMAND = (
    _IDENTITY
    + """\
case {identities} in *" $boot/$start "*) ;; *) echo already; exit 0 ;; esac
echo rebooting
if command -v systemctl >/dev/null 2>&1; then systemctl --no-block reboot; else shutdown -r now || reboot; fi
"""
)


@dataclass(frozen=True, slots=True)
class Boot:
    """What a server says of its boot: its identity, how long it has been up (seconds), the running kernel."""

    identity: str
    uptime: int
    kernel: str


def reboot(site: Site, stage: Stage, works: Sequence[Work]) -> None:
    """Reboots the servers that need it, and waits until each is back and proven rebooted."""
    step = stage.step
    if not isinstance(step, ChangeStep) or step.reboot is None:
        raise ValueError(f"{stage.name} reboots nothing")
    expected = {work.name: dict(site.journey(work).begun.get(stage.name, {})) for work in works}
    begun = [work for work in works if expected[work.name].get("boot")]
    begun = _still_wanted(site, stage, begun, expected, step.timeout)
    fresh = [work for work in works if not expected[work.name].get("boot")]
    closed = overstayed(site)
    for work in fresh if closed else ():
        work.out = f"stopped before {stage_words(stage.name)}: {closed}"
    fresh = candidates(site, stage, step.reboot, [work for work in fresh if not work.out])
    boots = ask_boots(site, fresh)
    for work in list(fresh):
        found = boots[work.name]
        if isinstance(found, str):
            site.ended(work, stage.name, StageResult.UNREACHABLE, f"not rebooted: {found}")
            fresh.remove(work)
        else:
            at = site.now().isoformat()
            expected[work.name] |= {"boot": found.identity, "kernel": found.kernel, "uptime": found.uptime, "at": at}
    going = [*begun, *fresh]
    if not going:
        return
    site.began(stage.name, going, {work.name: expected[work.name] for work in going})
    _command(site, [] if closed else going, expected)
    while going:
        silent = _wait(site, stage, step.timeout, {work.name: work for work in going}, expected)
        going = helped(site, stage, silent, step.timeout)


def _still_wanted(
    site: Site, stage: Stage, works: Sequence[Work], expected: Mapping[str, dict[str, Any]], seconds: float
) -> list[Work]:
    """Of servers whose reboot was begun before: those that are to be waited for. One that did not come back then, and
    still does not answer, is offered to whoever is there; nobody's answer is waited for."""
    lost = [work for work in works if is_gone(site.journey(work).ended.get(stage.name))]
    for work in lost:
        expected[work.name][OFFERED] = True
    said = {work.name: answered_since(site, work, site.journey(work).ended[stage.name].at) for work in lost}
    for work in lost:
        if said[work.name] is not None and not goes_on(said[work.name]):
            gone(site, stage, work, seconds, said[work.name])
    open_ones = [work for work in lost if said[work.name] is None] if site.staff.ask is not None else []
    silent = [name for name, boot in ask_boots(site, open_ones).items() if isinstance(boot, str)]
    helped(site, stage, [work for work in open_ones if work.name in silent], seconds)
    return [work for work in works if not work.out]


# --- the reboot -------------------------------------------------------------------------------------------------------


def ask_boots(site: Site, works: Sequence[Work]) -> Mapping[str, Boot | str]:
    """What each server says of its boot, or why it says nothing."""
    if not works:
        return {}
    plan = site.command_plan(_BOOT, _ASK, "json", 20.0)
    return {name: _boot(read.readings[_BOOT]) for name, read in site.observe(works, [plan]).items()}


def _boot(reading: Reading | Cell) -> Boot | str:
    facts: Mapping[str, Any] = reading.subjects[0].facts if isinstance(reading, Measured) and reading.subjects else {}
    identity, uptime, kernel = facts.get("boot"), facts.get("uptime"), facts.get("kernel")
    if isinstance(identity, str) and "/" in identity and isinstance(uptime, int) and isinstance(kernel, str):
        return Boot(identity[:200], uptime, kernel[:200])
    return why_not(reading)


def _command(site: Site, works: Sequence[Work], expected: Mapping[str, Mapping[str, Any]]) -> None:
    """Tells servers to reboot. What comes of it is seen by the waiting alone: a connection may die with the server.
    One script for all: an identity is one server's alone."""
    if not works:
        return
    identities = "".join(f" {expected[work.name]['boot']} " for work in works)
    site.observe(works, [site.command_plan(_REBOOT, _COMMAND.format(identities=shlex.quote(identities)), timeout=30.0)])


def _wait(
    site: Site, stage: Stage, seconds: float, left: dict[str, Work], expected: Mapping[str, Mapping[str, Any]]
) -> list[Work]:
    """Waits until every server is back, or its time is over; returns those that do not answer. The time is counted
    round by round: somebody may set the clock. Outside the window nobody is told again: a person may have been asked
    for hours since, and whoever still runs the old boot then would go down in the middle of the day."""
    good: dict[str, int] = dict.fromkeys(left, 0)
    waited = told = 0.0
    last: dict[str, Boot | str] = {}
    while left:
        began, before = site.now(), last
        last = dict(ask_boots(site, list(left.values())))
        if waited >= told + AGAIN and site.is_open():
            told = waited
            _command(site, [left[name] for name, boot in last.items() if isinstance(boot, Boot)], expected)
        for name in list(left):
            found = last[name]
            again = good[name] if _is_same_boot(found, before.get(name)) else 0
            good[name] = again + 1 if _is_new(found, expected[name], site.now(), waited) else 0
            if isinstance(found, Boot) and good[name] >= GOOD_ANSWERS:
                _back(site, stage, left.pop(name), found, expected[name])
        coming = any(good[name] for name in left) and waited < seconds + _SLACK
        if not left or (waited >= seconds and not coming):
            break
        if (why := site.brakes.reason()) is not None:
            for work in left.values():
                site.ended(work, stage.name, StageResult.UNKNOWN, f"{why}; it was rebooting")
            return []
        site.staff.sleep(PAUSE)
        waited += min(max((site.now() - began).total_seconds(), PAUSE), LONGEST_ROUND)
        site.sign(Pulse(dict.fromkeys(left, stage.name)))
    for name, work in left.items():
        if isinstance(boot := last[name], Boot):
            _fail(site, stage, work, boot, expected[name], seconds)
    return [work for name, work in left.items() if isinstance(last[name], str)]


def _is_same_boot(found: Boot | str, before: Boot | str | None) -> bool:
    """Whether two answers are of one boot: a server that goes down again and again is not back."""
    return isinstance(found, Boot) and isinstance(before, Boot) and found.identity == before.identity


def _is_new(found: Boot | str, before: Mapping[str, Any], now: datetime, waited: float) -> bool:
    """Whether a server runs since another boot. Where its kernel booted, its uptime must have begun anew as well."""
    if isinstance(found, str) or found.identity == before["boot"]:
        return False
    same_kernel = found.identity.partition("/")[0] == str(before["boot"]).partition("/")[0]
    since = (now - datetime.fromisoformat(str(before["at"]))).total_seconds()
    return same_kernel or found.uptime <= max(since, waited) + _SLACK


def _back(site: Site, stage: Stage, work: Work, found: Boot, before: Mapping[str, Any]) -> None:
    facts = {"kernel_before": before.get("kernel"), "kernel": found.kernel}
    newest = newest_kernel(site, work)
    if newest and newest != found.kernel:
        why = f"it came back with the kernel {found.kernel}; {newest} is installed"
        site.ended(work, stage.name, StageResult.FAILED, why, facts)
        return
    site.ended(work, stage.name, StageResult.OK, f"rebooted, with the kernel {found.kernel}", facts)


def _fail(site: Site, stage: Stage, work: Work, last: Boot, before: Mapping[str, Any], seconds: float) -> None:
    if last.identity == before["boot"]:
        told = "did not reboot", "it still runs what it ran before; look why (systemctl list-jobs), and go on"
        if not site.is_open():
            told = "did not reboot", "it still runs what it ran before, and is not told again outside the window"
    else:
        told = (
            "was not back for good",
            "it answers, but goes down again, or its uptime has not begun anew; look at it",
        )
    why = f"{work.name} {told[0]} within {seconds / 60:.0f} min: {told[1]}"
    site.ended(work, stage.name, StageResult.FAILED, why)
