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
from maintops.domain.changes import ChangeStep, Reboot
from maintops.domain.checklists import Check
from maintops.domain.outcomes import Cell
from maintops.domain.placements import CONSOLE
from maintops.domain.ports import Inquiry, Pulse, Told
from maintops.domain.runs import StageResult
from maintops.workflow.hooking import environment
from maintops.workflow.planning import BMC_ADDRESS, plan_check
from maintops.workflow.sites import Site, Stage, Work

GOOD_ANSWERS = 3
"""How often in a row a server must answer before it counts as back."""

PAUSE = 3.0
"""Seconds between two questions to a server that reboots."""

AGAIN = 60.0
"""Seconds after which a server that still runs its old boot is told again: what was told may have been lost."""

BMC_IPMI = "maintops_bmc_ipmi"
"""The inventory variable that says that a management controller is asked by IPMI."""

LONGEST_ROUND = 180.0
"""Seconds that one round of questions counts at most: more has gone by only for somebody who has set the clock."""

_SLACK = 120.0
_BOOT, _NEEDED, _REBOOT = "CHG-201", "CHG-202", "CHG-203"

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
    fresh = _wanted(site, stage, step.reboot, [work for work in works if work not in begun])
    fresh = _helped(site, stage, fresh)
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
    _command(site, going, expected)
    _wait(site, stage, step.timeout, {work.name: work for work in going}, expected)


# --- before -----------------------------------------------------------------------------------------------------------


def _wanted(site: Site, stage: Stage, when: Reboot, works: Sequence[Work]) -> list[Work]:
    """The servers that are to be rebooted; the others' stage is over."""
    if when is Reboot.NEVER:
        for work in works:
            site.ended(work, stage.name, StageResult.SKIPPED, "the checklist says: never")
        return []
    reasons = needs(site, works)
    wanted = []
    for work in works:
        why = reasons[work.name]
        if when is Reboot.IF_NEEDED and why is None:
            site.ended(work, stage.name, StageResult.SKIPPED, "no reboot is needed")
        elif when is Reboot.IF_NEEDED and isinstance(why, str):
            site.ended(work, stage.name, StageResult.UNKNOWN, f"whether a reboot is needed is not known: {why}")
        elif work.planned.protected:
            told = f"{work.name} needs a reboot, which a person does after the run: {work.planned.protected}"
            site.ended(work, stage.name, StageResult.OK, told, {"told": "by-hand"})
        else:
            wanted.append(work)
    return wanted


def needs(site: Site, works: Sequence[Work]) -> Mapping[str, list[str] | str | None]:
    """Why each server needs a reboot (a list); None where it needs none; text where nobody knows."""
    if not works:
        return {}
    plan = plan_check(Check(_NEEDED, "reboot", probe="reboot-required", timeout=60), site.under.catalogue)
    found: dict[str, list[str] | str | None] = {}
    for name, read in site.observe(works, [plan]).items():
        reading = read.readings[_NEEDED]
        if isinstance(reading, Measured) and reading.subjects:
            facts = reading.subjects[0].facts
            required = facts.get("required")
            reasons = [str(one) for one in facts.get("reasons") or ["it says so"]]
            found[name] = reasons if required else None if required is not None else "it does not say"
        else:
            found[name] = _why(reading)
    return found


def _helped(site: Site, stage: Stage, works: Sequence[Work]) -> list[Work]:
    """The servers whose console or management controller answers: a server that does not come back can be helped."""
    inquiries = [_inquiry(site, work) for work in works if work.server.variables.get(BMC_ADDRESS) is not None]
    told: dict[str, Told] = {}
    if inquiries and site.crew.contact is not None:
        for item in site.crew.contact.inquire(inquiries, forks=site.under.forks, stop=site.brakes.reason):
            if not isinstance(item, Pulse):
                told[item.server] = item
    helped = []
    for work in works:
        why = _helpless(site, work, told.get(work.name))
        if why:
            site.ended(work, stage.name, StageResult.FAILED, f"not rebooted: {why}")
        else:
            helped.append(work)
    return helped


def _inquiry(site: Site, work: Work) -> Inquiry:
    """A question to a management controller: by IPMI where the inventory says that it is asked so, else Redfish."""
    ipmi = str(work.server.variables.get(BMC_IPMI, "")).strip().lower() in ("true", "yes", "1")
    probe = site.under.catalogue.probe("bmc-sensors" if ipmi else "redfish-health")
    defaults = {name: one.default for name, one in probe.parameters.items()}
    question = probe.question({**defaults, "ask": True} if ipmi else defaults)
    return Inquiry(work.server, _BOOT, probe.reach.value, str(question), 60.0, 8 * 1024 * 1024)


def _helpless(site: Site, work: Work, told: Told | None) -> str:
    console = work.server.variables.get(CONSOLE)
    if isinstance(console, str):
        given = environment(site.under.run, work.name, "console")
        done = site.staff.commander.command(console, given, 60.0, site.brakes.reason)
        return "" if done.status == 0 else f"its console does not answer ({CONSOLE}: {done.printed.strip()[-200:]})"
    if told is not None:
        why = told.failure.why if told.failure is not None else ""
        return f"its management controller does not answer: {why}" if why else ""
    if site.under.policy.console_required:
        return f"neither a console ({CONSOLE}) nor a management controller ({BMC_ADDRESS}) is known"
    return ""


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
    return _why(reading)


def _why(reading: Reading | Cell) -> str:
    if isinstance(reading, Cell):
        return reading.message or reading.outcome.value
    return getattr(reading, "why", "") or "its answer makes no sense"


def _command(site: Site, works: Sequence[Work], expected: Mapping[str, Mapping[str, Any]]) -> None:
    """Tells servers to reboot. What comes of it is seen by the waiting alone: a connection may die with the server.
    One script for all: an identity is one server's alone."""
    if not works:
        return
    identities = "".join(f" {expected[work.name]['boot']} " for work in works)
    site.observe(works, [site.command_plan(_REBOOT, _COMMAND.format(identities=shlex.quote(identities)), timeout=30.0)])


def _wait(
    site: Site, stage: Stage, seconds: float, left: dict[str, Work], expected: Mapping[str, Mapping[str, Any]]
) -> None:
    """Waits until every server is back, or its time is over. The time is counted round by round: somebody may set the
    clock."""
    good: dict[str, int] = dict.fromkeys(left, 0)
    waited = told = 0.0
    last: dict[str, Boot | str] = {}
    while left:
        began, before = site.now(), last
        last = dict(ask_boots(site, list(left.values())))
        if waited >= told + AGAIN:
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
            return
        site.staff.sleep(PAUSE)
        waited += min(max((site.now() - began).total_seconds(), PAUSE), LONGEST_ROUND)
        site.sign(Pulse(dict.fromkeys(left, stage.name)))
    for name, work in left.items():
        _gone(site, stage, work, last[name], expected[name], seconds)


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


def newest_kernel(site: Site, work: Work) -> str:
    """The newest kernel that is installed, as far as the server says."""
    plan = plan_check(Check(_NEEDED, "reboot", probe="reboot-required", timeout=60), site.under.catalogue)
    reading = site.observe([work], [plan])[work.name].readings[_NEEDED]
    facts = reading.subjects[0].facts if isinstance(reading, Measured) and reading.subjects else {}
    return str(facts.get("newest_kernel") or "")


def _gone(site: Site, stage: Stage, work: Work, last: Boot | str, before: Mapping[str, Any], seconds: float) -> None:
    if isinstance(last, Boot):
        if last.identity == before["boot"]:
            told = "did not reboot", "it still runs what it ran before; look why (systemctl list-jobs), and go on"
        else:
            told = (
                "was not back for good",
                "it answers, but goes down again, or its uptime has not begun anew; look at it",
            )
        why = f"{work.name} {told[0]} within {seconds / 60:.0f} min: {told[1]}"
        site.ended(work, stage.name, StageResult.FAILED, why)
        return
    address = work.server.variables.get(BMC_ADDRESS)
    way = f"through its management controller ({address})" if address else "on site or through its console"
    why = (
        f"{work.name} did not come back within {_span(seconds)} after its reboot: look at its console, "
        f"then power-cycle it {way}; it stays drained"
    )
    site.ended(work, stage.name, StageResult.UNREACHABLE, why, {"told": "gone"})


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
