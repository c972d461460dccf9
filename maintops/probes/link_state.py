"""Link state and error counters of network interfaces, from /sys/class/net.

Format: Documentation/ABI/testing/sysfs-class-net and sysfs-class-net-statistics of the Linux kernel.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from maintops.domain.answers import (
    Answer,
    Measured,
    NotMeasured,
    Reading,
    SubjectFacts,
    UnreadableAnswer,
)
from maintops.probes.answering import integer, text_of
from maintops.probes.contract import Fact, Parameter, Presence, Probe

_COUNTERS = ("rx_errors", "tx_errors", "rx_dropped", "tx_dropped")
_FILES = ("flags", "type", "uevent", "operstate", "carrier", "carrier_changes", "speed", "duplex", "mtu")
_UP = 0x1  # IFF_UP of linux/if.h

# A container's own interface has no device behind it, like the hundreds of helper interfaces of a container host
# (veth, cali, tap, ...), which come and go. Only its usual names tell it apart.
_CONTAINER_NAME = re.compile(r"(?:eth|venet|host|team)[0-9]+|en[opsx][a-z0-9]+")
_STACKED = ("bond", "vlan")

_LINE = re.compile(r"([^/\s]+)/([a-z_]+(?:/[a-z_]+)?):(.*)")
_HEX = re.compile(r"0x([0-9a-f]{1,8})")


def question(parameters: Mapping[str, Any]) -> str:
    """Plain files of every interface, and which of them have a device behind them."""
    files = " ".join(f"*/{name}" for name in (*_FILES, *(f"statistics/{name}" for name in _COUNTERS)))
    return (
        "cd /sys/class/net || exit 127\n"
        # carrier and speed give an error while an interface is down: -s, and the status of grep says nothing
        f"grep -Hs -e '' -- {files}\n"
        'for device in */device; do [ -L "$device" ] && printf \'%s:\\n\' "$device"; done\n'
        ":\n"
    )


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject per interface that is switched on."""
    text = text_of(answer)
    if answer.status == 127 or not text.strip():
        return NotMeasured("there is no /sys/class/net to read")
    interfaces = _interfaces(text)
    ignored = _patterns(parameters)
    subjects = tuple(
        _subject(name, values)
        for name, values in sorted(interfaces.items())
        if _watched(name, values) and not any(fnmatchcase(name, pattern) for pattern in ignored)
    )
    return Measured(subjects) if subjects else NotMeasured("no network interface of its own is switched on")


def _patterns(parameters: Mapping[str, Any]) -> list[str]:
    ignored = parameters.get("ignore") or []
    return [ignored] if isinstance(ignored, str) else [str(pattern) for pattern in ignored]


def _interfaces(text: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            raise UnreadableAnswer(f"not a line of /sys/class/net: {line[:80]!r}")
        name, file, value = match.groups()
        values = found.setdefault(name, {})
        if file == "uevent":
            file, _, value = value.partition("=")
        values[file] = value.strip()
    return found


def _watched(name: str, values: Mapping[str, str]) -> bool:
    """Switched on, and neither loopback nor a helper of virtual machines or containers."""
    if "flags" not in values:  # it vanished while it was being read
        return False
    match = _HEX.fullmatch(values["flags"])
    if match is None:
        raise UnreadableAnswer(f"interface {name} has no flags: {values['flags'][:40]!r}")
    if not int(match[1], 16) & _UP:
        return False
    kind = values.get("DEVTYPE", "")
    return "device" in values or kind in _STACKED or (not kind and _CONTAINER_NAME.fullmatch(name) is not None)


def _subject(name: str, values: Mapping[str, str]) -> SubjectFacts:
    facts: dict[str, Any] = {"admin_up": True}
    if values.get("operstate"):
        facts["operstate"] = values["operstate"]
    if "carrier" in values:
        facts["carrier"] = _number(name, "carrier", values["carrier"]) == 1
    for fact in ("mtu", "carrier_changes"):
        if fact in values:
            facts[fact] = _number(name, fact, values[fact])
    for fact in _COUNTERS:
        if f"statistics/{fact}" in values:
            facts[fact] = _number(name, fact, values[f"statistics/{fact}"])
    facts.update(_speed(name, values))
    # Without a link there is no speed, and a virtual interface has none, whatever number its driver makes up: nothing
    # is to be compared with it, on this day or the next.
    missing = (fact for fact in ("speed_mbps", "duplex") if fact not in facts)
    return SubjectFacts(name, facts, frozenset(missing))


def _has_speed(values: Mapping[str, str]) -> bool:
    return "device" in values or values.get("DEVTYPE") in _STACKED


def _speed(name: str, values: Mapping[str, str]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if not _has_speed(values):
        return facts
    speed = values.get("speed", "-1")
    if speed not in ("-1", "4294967295", "65535"):  # SPEED_UNKNOWN, also as older kernels print it
        facts["speed_mbps"] = _number(name, "speed", speed)
    if values.get("duplex") in ("full", "half"):
        facts["duplex"] = values["duplex"]
    return facts


def _number(name: str, what: str, text: str) -> int:
    number = integer(text)
    if number is None:
        raise UnreadableAnswer(f"interface {name[:40]!r}: {what} is not a number: {text[:40]!r}")
    return number


PROBE = Probe(
    name="link-state",
    title="Network interfaces: link state and errors",
    facts={
        "admin_up": Fact("bool", "the interface is switched on (always true: others are not looked at)"),
        "operstate": Fact("str", "the kernel's word for its state: up, down, lowerlayerdown, dormant, unknown"),
        "carrier": Fact("bool", "a link is there"),
        "carrier_changes": Fact("int", "how often the link came or went since start-up"),
        "speed_mbps": Fact("int", "speed of the link; not offered by virtual interfaces", "Mbit/s"),
        "duplex": Fact("str", "full or half; not offered by virtual interfaces"),
        "mtu": Fact("int", "largest packet", "bytes"),
        "rx_errors": Fact("int", "packets received in error since start-up", "packets"),
        "tx_errors": Fact("int", "packets not sent because of errors since start-up", "packets"),
        "rx_dropped": Fact("int", "packets received and dropped since start-up", "packets"),
        "tx_dropped": Fact("int", "packets dropped before sending since start-up", "packets"),
    },
    question=question,
    read=read,
    presence=Presence.LASTING,
    parameters={"ignore": Parameter([], "names of interfaces to leave out; * and ? stand for any characters")},
)
