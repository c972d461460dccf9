"""Which servers are to be rebooted: whether they need it, whether maintops itself needs them, and whether a server that
does not come back could be helped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from maintops.domain.answers import Measured, Reading
from maintops.domain.changes import Reboot
from maintops.domain.checklists import Check
from maintops.domain.outcomes import Cell
from maintops.domain.placements import CONSOLE
from maintops.domain.ports import Commanded, Inquiry, Pulse, Told
from maintops.domain.runs import StageResult
from maintops.workflow.hooking import environment
from maintops.workflow.planning import BMC_ADDRESS, plan_check
from maintops.workflow.sites import Site, Stage, Work

BMC_IPMI = "maintops_bmc_ipmi"
"""The inventory variable that says that a management controller is asked by IPMI."""

_NEEDED, _CONTACT = "CHG-202", "CHG-201"


def candidates(site: Site, stage: Stage, when: Reboot, works: Sequence[Work]) -> list[Work]:
    """The servers that are to be rebooted, and may be; the others' stage is over."""
    return _helped(site, stage, _wanted(site, stage, when, works))


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
            found[name] = why_not(reading)
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
    return Inquiry(work.server, _CONTACT, probe.reach.value, str(question), 60.0, 8 * 1024 * 1024)


def _helpless(site: Site, work: Work, told: Told | None) -> str:
    console = work.server.variables.get(CONSOLE)
    if isinstance(console, str):
        given = environment(site.under.run, work.name, "console")
        done = site.staff.commander.command(console, given, 60.0, site.brakes.reason)
        return "" if done.status == 0 else _silent(site, work, done)
    if told is not None:
        why = told.failure.why if told.failure is not None else ""
        return f"its management controller does not answer: {why}" if why else ""
    if site.under.policy.console_required:
        return f"neither a console ({CONSOLE}) nor a management controller ({BMC_ADDRESS}) is known"
    return ""


def _silent(site: Site, work: Work, done: Commanded) -> str:
    # neither the command nor what it printed is told: it may hold what opens the console, and a shell repeats it
    ended = f"exit status {done.status}" if done.status is not None else "it did not end in time"
    return (
        f"its console does not answer ({CONSOLE}: {ended}): nobody could help it if it did "
        f"not come back; try {CONSOLE} of {work.name} by hand, mend it, then: maintops run continue {site.under.run}"
    )


def newest_kernel(site: Site, work: Work) -> str:
    """The newest kernel that is installed, as far as the server says."""
    plan = plan_check(Check(_NEEDED, "reboot", probe="reboot-required", timeout=60), site.under.catalogue)
    reading = site.observe([work], [plan])[work.name].readings[_NEEDED]
    facts = reading.subjects[0].facts if isinstance(reading, Measured) and reading.subjects else {}
    return str(facts.get("newest_kernel") or "")


def why_not(reading: Reading | Cell) -> str:
    """Why a reading tells nothing."""
    if isinstance(reading, Cell):
        return reading.message or reading.outcome.value
    return getattr(reading, "why", "") or "its answer makes no sense"
