"""What the words of a BMC mean: the states and events that ipmitool prints, and how bad each of them is.

The words are those of the IPMI specification 2.0, tables 42-2 and 42-3, in the spelling of ipmitool (ipmi_sel.h).
"""

from __future__ import annotations

import re
from typing import Literal

Severity = Literal["ok", "warning", "critical"]

_RANKS: dict[Severity, int] = {"ok": 0, "warning": 1, "critical": 2}

_CRITICAL = re.compile(
    r"upper (?:critical|non-recoverable) going high|lower (?:critical|non-recoverable) going low"
    r"|\bac lost|input lost|out[- ]of[- ]range|redundancy lost|insufficient resources"
    r"|failure detected|drive fault|in (?:failed|critical) array|rebuild aborted|scrub failed|sensor failure"
    r"|\bierr\b|thermal trip|frb[123]|uncorrectable|unrecoverable|critical overtemperature|\bparity\b(?! check)"
    r"|transition to (?:critical|non-recoverable)|fatal|\bp[es]rr\b|\bserr\b|channel check"
    r"|kernel panic|run-time critical stop|hardware failure|control failure|power down$|mismatch failure"
    r"|no (?:usable )?system memory|bios corruption|not functional|^failed$",
    re.IGNORECASE,
)
_WARNING = re.compile(
    r"(?:upper non-critical going high|lower non-critical going low)"
    r"|predictive failure(?! deasserted)|redundancy degraded|non-redundant|to non-critical from ok|intrusion"
    r"|correctable|config(?:uration)? error|log (?:almost )?full|^limit exceeded|throttled|performance lags"
    r"|install error|to degraded|device disabled|degraded|timeout|timer expired|\bnmi\b|unplugged|unauthorized"
    r"|violation|logging disabled|^low$|mismatch",
    re.IGNORECASE,
)
_PRESENCE = re.compile(r"(?:presence|drive|device|module|entity) (?:detected|present)", re.IGNORECASE)
_INPUT = re.compile(r"\bac lost|input lost|out[- ]of[- ]range", re.IGNORECASE)
_FAILED = re.compile(r"failure detected|drive fault|in failed array|^failed$", re.IGNORECASE)

POWER_SUPPLY = (
    "Presence detected",
    "Failure detected",
    "Predictive failure",
    "Power Supply AC lost",
    "AC lost or out-of-range",
    "AC out-of-range, but present",
    "Config Error",
    "Power Supply Inactive",
)
"""States of a power supply by their bits, the lowest first (table 42-3, type 08h)."""

CHASSIS = (
    "General Chassis intrusion",
    "Drive Bay intrusion",
    "I/O Card area intrusion",
    "Processor area intrusion",
    "System unplugged from LAN",
    "Unauthorized dock",
    "FAN area intrusion",
)
"""Type 05h."""

DRIVE = (
    "Drive Present",
    "Drive Fault",
    "Predictive Failure",
    "Hot Spare",
    "Parity Check In Progress",
    "In Critical Array",
    "In Failed Array",
    "Rebuild In Progress",
    "Rebuild Aborted",
)
"""Type 0Dh."""

MEMORY = (
    "Correctable ECC",
    "Uncorrectable ECC",
    "Parity",
    "Memory Scrub Failed",
    "Memory Device Disabled",
    "Correctable ECC logging limit reached",
    "Presence Detected",
    "Configuration Error",
    "Spare",
    "Throttled",
    "Critical Overtemperature",
)
"""Type 0Ch."""

PROCESSOR = (
    "IERR",
    "Thermal Trip",
    "FRB1/BIST failure",
    "FRB2/Hang in POST failure",
    "FRB3/Processor startup/init failure",
    "Configuration Error",
    "SM BIOS Uncorrectable CPU-complex Error",
    "Presence detected",
    "Disabled",
    "Terminator presence detected",
    "Throttled",
    "Uncorrectable machine check exception",
    "Correctable machine check error",
)
"""Type 07h."""

BATTERY = ("Low", "Failed", "Presence Detected")
"""Type 29h."""

REDUNDANCY = (
    "Fully Redundant",
    "Redundancy Lost",
    "Redundancy Degraded",
    "Non-Redundant: Sufficient from Redundant",
    "Non-Redundant: Sufficient from Insufficient",
    "Non-Redundant: Insufficient Resources",
    "Redundancy Degraded from Fully Redundant",
    "Redundancy Degraded from Non-Redundant",
)
"""States of a set of parts (table 42-2, event type 0Bh)."""


def severity_of(words: str) -> Severity:
    """How bad it is that this state is asserted."""
    if _CRITICAL.search(words.strip()):
        return "critical"
    return "warning" if _WARNING.search(words.strip()) else "ok"


def worst_of(severities: list[Severity]) -> Severity:
    """The worst of some; ok where there are none."""
    return max(severities, key=_RANKS.__getitem__, default="ok")


def redundancy_of(states: list[str]) -> str | None:
    """full, degraded or lost, where the states speak of redundancy."""
    text = " | ".join(states).lower()
    if "redundancy lost" in text or "non-redundant" in text.replace("from non-redundant", ""):
        return "lost"
    if "redundancy degraded" in text:
        return "degraded"
    return "full" if "fully redundant" in text else None


def says_present(words: str) -> bool:
    """Whether a state says that the part is there."""
    return _PRESENCE.search(words) is not None


def says_input_lost(words: str) -> bool:
    """Whether a state says that a power supply gets no power, or the wrong one."""
    return _INPUT.search(words) is not None


def says_failed(words: str) -> bool:
    """Whether a state says that the part itself has failed."""
    return _FAILED.search(words) is not None


def states_of(bits: int, table: tuple[str, ...]) -> list[str]:
    """The states whose bits are set; one that the table does not know is named by its number."""
    return [table[bit] if bit < len(table) else f"state {bit}" for bit in range(15) if bits >> bit & 1]
