"""Physical network ports: speed, duplex, errors, driver, and the optics in them, by ethtool and /sys/class/net.

Formats: ethtool(8), its options -i, -m and -S; Documentation/ABI/testing/sysfs-class-net-statistics of Linux. The
counters are the kernel's, which every driver has: those of `ethtool -S` have names and meanings of each maker's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Part, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import decimal, named_parts, no_tool, present, require_whole
from maintops.probes.contract import Fact, Parameter, Presence, Probe

COUNTERS = (
    "rx_errors",
    "tx_errors",
    "rx_dropped",
    "tx_dropped",
    "rx_crc_errors",
    "rx_missed_errors",
    "rx_fifo_errors",
    "rx_frame_errors",
)
_QUESTION = """command -v ethtool >/dev/null 2>&1 || { echo 'ethtool: not found' >&2; exit 127; }
cd /sys/class/net || exit 127
ask() { ethtool "$@" 2>&1; }
for device in */device; do
  port=${device%/device}
  { [ -L "$device" ] && [ ! -e "$port/phy80211" ] && [ ! -e "$device/physfn" ]; } || continue
  settings=$(ask "$port")
  part "settings $port" printf '%s\\n' "$settings"
  part "driver $port" ask -i "$port"
  case $settings in *'Port: FIBRE'*|*'Port: Direct'*|*'Port: Other'*) part "optics $port" ask -m "$port" ;; esac
done
part counters grep -Hs . -- COUNTERS
:
""".replace("COUNTERS", " ".join(f"*/statistics/{name}" for name in COUNTERS))
WHAT = ("settings", "driver", "optics", "counters")
"""What can be looked at."""

_LINE = re.compile(r"\s*([A-Za-z][^:]{0,60}?)\s*:(?:\s+(.*))?")
_MODE = re.compile(r"\b([0-9]{2,7})base")
_SPEED = re.compile(r"([0-9]{1,7})Mb/s")
_COUNT = re.compile(r"^([^/\s]{1,40})/statistics/([a-z_]{1,40}):([0-9]{1,20})$", re.MULTILINE)
_STATISTIC = re.compile(r"^[ \t]+([a-z_]{1,60}): ([0-9]{1,20})[ \t]*$", re.MULTILINE)
_POWER = re.compile(r"[0-9.]+ mW / (-?[0-9]+(?:\.[0-9]+)?) dBm")
_FLAG = re.compile(r"(.*) (high|low) (alarm|warning)(?: flag)?\s*((?:\(.*\))?)", re.IGNORECASE)
_SENDING = ("Laser output power", "Transmit avg optical power")
_RECEIVING = (
    "Receiver signal average optical power",
    "Rcvr signal avg optical power",
    "Receiver signal OMA",
    "Rx power",
)
_MARKS = (
    ("settings", re.compile(r"Settings for (\S+?):\s*")),
    ("driver", re.compile(r"driver: \S+")),
    ("statistics", re.compile(r"NIC statistics:\s*")),
    ("optics", re.compile(r"\s*Identifier\s*: 0x.*")),
)
_DRIVERS = frozenset({"driver", "driver_version", "firmware", "bus"})
_SETTINGS = frozenset({"max_speed_mbps", "partner_max_speed_mbps", "port_type", "autonegotiation"})
_LINK = frozenset({"speed_mbps", "duplex", "partner_max_speed_mbps"})
_OPTICS = frozenset(
    {
        *("optics_vendor", "optics_part_number", "optics_serial", "optics_celsius", "optics_volts"),
        *("tx_power_dbm", "rx_power_dbm", "optics_alarms", "optics_warnings"),
    }
)


def question(parameters: Mapping[str, Any]) -> str:
    """Of every port with hardware behind it (none wireless, none virtual) its settings, driver, optics and counters.
    What of it is looked at is the reader's business, so that all checks share the question."""
    return _QUESTION


def recording(output: bytes) -> Answer:
    """What a person saw who called ethtool for a port: with no option, -i, -S, -m, or several of these in a row."""
    sections: dict[str, list[str]] = {}
    port, section = "port", ""
    for line in output.decode("utf-8", "replace").split("\n"):
        for name, mark in _MARKS:
            if (found := mark.fullmatch(line)) is not None:
                port = found[1] if name == "settings" else port
                section = f"{name} {port}"
                sections.setdefault(section, [])
        if section:
            sections[section].append(line)
    if not sections:
        raise UnreadableAnswer("this is not what ethtool prints about a port (with no option, -i, -S or -m)")
    whole = (f"={name}\n" + "".join(f" {line}\n" for line in lines) + ".0\n" for name, lines in sections.items())
    return Answer("".join(whole).encode())


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject per port."""
    if (why := no_tool(answer)) is not None:
        return why
    require_whole(answer)
    parts = named_parts(answer)
    wanted = parameters.get("what") or WHAT
    counters = _counters(parts["counters"].text) if "counters" in parts and "counters" in wanted else {}
    ports: dict[str, dict[str, Part]] = {}
    for name, part in parts.items():
        kind, _, port = name.partition(" ")
        if port and kind in ("settings", "driver", "optics", "statistics"):
            ports.setdefault(port, {})[kind] = part
    if not ports:
        if "counters" not in parts:
            raise UnreadableAnswer("the answer holds nothing about network ports")
        return NotMeasured("this machine has no physical network port")
    if wanted == ["optics"]:
        ports = {port: told for port, told in ports.items() if _module(told.get("optics"))}
        if not ports:
            return NotMeasured("no network port has a module that tells of itself")
    looked_at = {"settings", "statistics" if "counters" in wanted else "", *wanted}
    return Measured(
        tuple(
            _subject(port, {kind: part for kind, part in told.items() if kind in looked_at}, counters.get(port, {}))
            for port, told in ports.items()
        )
    )


def _module(optics: Part | None) -> bool:
    """Whether there is a module, or one that only root may ask."""
    return optics is not None and ("not permitted" in optics.text or bool(_optics(optics.text)))


def _subject(port: str, told: Mapping[str, Part], counted: Mapping[str, int]) -> SubjectFacts:
    facts: dict[str, Any] = {}
    not_offered: set[str] = set()
    for kind, part in told.items():
        text = part.text
        if kind == "settings":
            facts |= _settings(text)
        elif kind == "driver":
            facts |= _driver(text)
        elif kind == "statistics":
            facts |= {name: int(count) for name, count in _STATISTIC.findall(text) if name in COUNTERS}
        elif "not permitted" not in text:
            facts |= _optics(text)
            not_offered |= _OPTICS - facts.keys()
    facts |= counted
    if not facts:
        return SubjectFacts(port, why_not=f"ethtool tells nothing of {port}"[:200])
    if "optics" not in told:
        not_offered |= _OPTICS
    not_offered |= {*_DRIVERS, *COUNTERS} | _absent(told, facts)
    return SubjectFacts(port, facts, frozenset(not_offered - facts.keys()))


def _absent(told: Mapping[str, Part], facts: Mapping[str, Any]) -> set[str]:
    """What a port does not have: a speed without a link, or a driver that has no idea of one (virtual machines)."""
    if "settings" not in told:
        return {*_SETTINGS, *_LINK, "link"}
    return {*_SETTINGS} | (set(_LINK) if facts.get("link") is not None else set())


# --- what ethtool prints ---------------------------------------------------------------------------------------------


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """`Name: value` lines; a value goes on in lines that have no name."""
    name, value = "", ""
    for line in text.split("\n"):
        found = _LINE.fullmatch(line)
        if found is not None:
            if name:
                yield name, value.strip()
            name, value = found[1].strip(), found[2] or ""
        elif name and line[:1] in (" ", "\t"):
            value += " " + line.strip()
    if name:
        yield name, value.strip()


def _settings(text: str) -> dict[str, Any]:
    fields: dict[str, str] = {}
    for name, value in _fields(text):
        fields.setdefault(name, value)
    speed = _SPEED.match(fields.get("Speed", ""))
    duplex = fields.get("Duplex", "").lower()
    link = fields.get("Link detected", "").partition(" ")[0]
    return present(
        link={"yes": True, "no": False}.get(link),
        speed_mbps=int(speed[1]) if speed else None,
        max_speed_mbps=_fastest(fields.get("Supported link modes", "")),
        partner_max_speed_mbps=_fastest(fields.get("Link partner advertised link modes", "")),
        duplex=duplex if duplex in ("full", "half") else None,
        autonegotiation={"on": True, "off": False}.get(fields.get("Auto-negotiation", "").partition(" ")[0]),
        port_type=fields.get("Port") or None,
    )


def _fastest(modes: str) -> int | None:
    return max((int(speed) for speed in _MODE.findall(modes)), default=None)


def _driver(text: str) -> dict[str, Any]:
    fields = dict(_fields(text))
    firmware = fields.get("firmware-version", "").strip()
    return present(
        driver=fields.get("driver") or None,
        driver_version=fields.get("version") or None,
        firmware=firmware if firmware not in ("", "N/A") else None,
        bus=fields.get("bus-info") or None,
    )


def _counters(text: str) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for port, name, count in _COUNT.findall(text):
        if name in COUNTERS:
            found.setdefault(port, {})[name] = int(count)
    return found


def _optics(text: str) -> dict[str, Any]:
    """A module with diagnostics tells its temperature and power, of several lanes the weakest, and which of its own
    limits were passed. A module (or cable) without them tells who made it."""
    fields = list(_fields(text))
    named = dict(reversed(fields))
    sent = [power for name, value in fields if name.startswith(_SENDING) and (power := _power(value)) is not None]
    received = [power for name, value in fields if name.startswith(_RECEIVING) and (power := _power(value)) is not None]
    flags = [found for name, value in fields if value == "On" and (found := _FLAG.fullmatch(name)) is not None]
    facts = present(
        optics_vendor=named.get("Vendor name") or None,
        optics_part_number=named.get("Vendor PN") or None,
        optics_serial=named.get("Vendor SN") or None,
        optics_celsius=_leading(named.get("Module temperature")),
        optics_volts=_leading(named.get("Module voltage")),
        tx_power_dbm=min(sent, default=None),
        rx_power_dbm=min(received, default=None),
    )
    if any(_FLAG.fullmatch(name) and value in ("On", "Off") for name, value in fields):
        facts["optics_alarms"] = [_flag(one) for one in flags if one[3].lower() == "alarm"]
        facts["optics_warnings"] = [_flag(one) for one in flags if one[3].lower() == "warning"]
    return facts


def _flag(found: re.Match[str]) -> str:
    place = " ".join(found[4].split())
    return f"{found[1].strip()} {found[2].lower()}" + (f" {place}" if place else "")


def _power(value: str) -> float | None:
    """In dBm; darkness is `-inf` and no number."""
    found = _POWER.match(value)
    return decimal(found[1]) if found else None


def _leading(value: str | None) -> float | None:
    return decimal((value or "").partition(" ")[0])


PROBE = Probe(
    name="network-ports",
    title="Physical network ports and their optics",
    facts={
        "link": Fact("bool", "a link is there"),
        "speed_mbps": Fact("int", "speed of the link; not offered without one", "Mbit/s"),
        "max_speed_mbps": Fact("int", "the fastest that the port supports", "Mbit/s"),
        "partner_max_speed_mbps": Fact("int", "the fastest that the other end offers, where it says so", "Mbit/s"),
        "duplex": Fact("str", "full or half; not offered without a link"),
        "autonegotiation": Fact("bool", "speed and duplex are negotiated"),
        "port_type": Fact("str", "Twisted Pair, FIBRE, Direct Attach Copper, …"),
        "driver": Fact("str", "the kernel's driver"),
        "driver_version": Fact("str", "its version"),
        "firmware": Fact("str", "version of the port's firmware"),
        "bus": Fact("str", "where the port is: its PCI address"),
        "rx_errors": Fact("int", "packets received in error since start-up", "packets"),
        "tx_errors": Fact("int", "packets not sent because of errors since start-up", "packets"),
        "rx_dropped": Fact("int", "packets received and dropped since start-up", "packets"),
        "tx_dropped": Fact("int", "packets dropped before sending since start-up", "packets"),
        "rx_crc_errors": Fact("int", "packets received with a wrong checksum since start-up", "packets"),
        "rx_missed_errors": Fact("int", "packets for which the port had no room since start-up", "packets"),
        "rx_fifo_errors": Fact("int", "packets that overran the port's buffer since start-up", "packets"),
        "rx_frame_errors": Fact("int", "packets received misaligned since start-up", "packets"),
        "optics_vendor": Fact("str", "maker of the module in the port"),
        "optics_part_number": Fact("str", "its part number"),
        "optics_serial": Fact("str", "its serial number"),
        "optics_celsius": Fact("float", "its temperature", "degrees Celsius"),
        "optics_volts": Fact("float", "its voltage", "volts"),
        "tx_power_dbm": Fact("float", "power that it sends with, of several lanes the weakest", "dBm"),
        "rx_power_dbm": Fact("float", "power that it receives, of several lanes the weakest", "dBm"),
        "optics_alarms": Fact("list", "its own alarm limits that were passed: `Laser rx power low`"),
        "optics_warnings": Fact("list", "its own warning limits that were passed"),
    },
    question=question,
    read=read,
    presence=Presence.LASTING,
    parameters={"what": Parameter([], f"what to look at beside settings ({', '.join(WHAT[1:])}); empty: all of it")},
    recording=recording,
)
