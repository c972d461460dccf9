"""Cases of what persons carry out: the overhaul and the drill."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.content import cases_daily
from tests.content.cases import Case, StepCase, check, told


def like(daily: str, id: str, says: str, severity: str) -> Case:
    """The case of the daily check that asks the same."""
    same = next(one for one in cases_daily.CASES if one.check == daily)
    return replace(same, check=id, says=says, severity=severity, name="")


CASES: list[Case] = [
    check(
        "DR-010",
        fires=told("nginx.service loaded failed failed A web server\n"),
        silent=told(""),
        says="Unit nginx.service is failed before the drill",
        severity="critical",
    ),
    check(
        "DR-020",
        fires=told("Personalities : [raid1]\nmd0 : active raid1 vdb[0]\n      65472 blocks super 1.2 [2/1] [U_]\n\n"),
        silent=told("Personalities : [raid1]\nmd0 : active raid1 vdb[0] vdc[1]\n      65472 blocks [2/2] [UU]\n\n"),
        says="md0 is degraded before the drill: 1 of 2 devices work",
        severity="critical",
    ),
    like("NW-030", "DR-030", "There is no default route before the drill", "critical"),
    like("SY-110", "DR-040", "The clock is not synchronised before the drill", "warning"),
]


def chosen(id: str, fires: str, silent: str, says: str, severity: str = "warning", **more: Any) -> StepCase:
    return StepCase(id, ({"choice": fires} | more,), ({"choice": silent} | more,), says, severity)


def read(id: str, fires: float, silent: float, says: str, severity: str = "warning", name: str = "") -> StepCase:
    return StepCase(id, ({"reading": fires},), ({"reading": silent},), says, severity, name)


def grew(id: str, before: float, fires: float, silent: float, says: str) -> StepCase:
    """A reading beside that of the time before."""
    first = {"reading": before}
    return StepCase(id, (first, {"reading": fires}), (first, {"reading": silent}), says, "warning", "grew")


PROOF = {"evidence": ["proof.jpg"]}

STEPS: list[StepCase] = [
    chosen("OV-010", "in use", "agreed", "The overhaul is not agreed: in use", "critical"),
    chosen("OV-020", "differs", "restored", "No proof of a backup: differs", "critical"),
    chosen("OV-030", "differs", "matches", "differ from the inventory: U12", note="U12", **PROOF),
    chosen("OV-040", "amber", "all well", "A fault light is on: disk 3", "critical", note="disk 3"),
    chosen("OV-110", "missing", "cleaned", "A dust filter is missing"),
    chosen("OV-120", "heavy dust left", "cleaned", "Heavy dust is left inside: CPU 2", note="CPU 2", **PROOF),
    chosen("OV-130", "stopped", "all quiet", "A fan has stopped: fan 4", "critical", note="fan 4"),
    read("OV-140", 36, 24, "Air is drawn in at 36 °C", "critical"),
    read("OV-140", 29, 27, "Air is drawn in at 29 °C; 27 °C are recommended", name="warm"),
    read("OV-150", 21, 20, "The air warms up by 21 K"),
    grew("OV-150", 10, 16, 15, "The air warms up by 16 K, half a year ago it was 10 K"),
    read("OV-210", 0, 400, "Power supply A does not carry the load (0 W)", "critical"),
    grew("OV-210", 400, 501, 500, "Power supply A gives 501 W, half a year ago 400 W"),
    read("OV-220", 3.5, 400, "Power supply B does not carry the load (3.5 W)", "critical"),
    grew("OV-220", 400, 501, 500, "Power supply B gives 501 W, half a year ago 400 W"),
    chosen("OV-205", "one feed", "two feeds", "Both power supplies hang on one feed", "critical"),
    chosen("OV-240", "damaged", "reseated", "A cable is damaged: port 2", note="port 2"),
    chosen("OV-250", "missing", "put right", "Something is missing: left rail", note="left rail"),
    read("OV-260", 2.6, 2.7, "The clock's battery is at 2.6 V"),
    chosen("OV-310", "not reached", "reached", "The remote console cannot be reached: login", "critical", note="login"),
    chosen("OV-320", "down", "as before", "A service is down after the overhaul: mail", "critical", note="mail"),
    chosen("DR-110", "not agreed", "agreed", "The scenario is not agreed", "critical", **PROOF),
    chosen("DR-120", "not tried", "tried", "The way back was not tried"),
    read("DR-210", 31, 10, "The fault was noticed after 31 min", "critical"),
    read("DR-210", 11, 10, "11 min; 10 min are the target", name="late"),
    read("DR-220", 3, 2, "The desk answered after 3 min; 2 min are promised"),
    read("DR-230", 241, 240, "The service was restored after 241 min; 240 min are promised", "critical"),
    grew("DR-230", 100, 151, 150, "Restoration took 151 min, in the drill before 100 min"),
    read("DR-240", 16, 15, "The customer was told after 16 min"),
    chosen("DR-250", "missing", "right", "There is no runbook for this fault", "critical"),
    chosen("DR-260", "part missing", "all there", "something was missing: part missing a key", note="a key"),
    chosen("DR-310", "not undone", "undone", "The drill's fault is not undone: route", "critical", note="route"),
    chosen("DR-315", "new findings", "the same", "has left something behind: route", "critical", note="route"),
    chosen("DR-320", "not reviewed", "reviewed", "The drill was not reviewed", **PROOF),
]
