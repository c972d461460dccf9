"""What a server is made of, with serial numbers: system, board, processors, memory modules, power supplies (dmidecode).

Format: dmidecode(8); tables of the SMBIOS specification (DSP0134), types 0, 1, 2, 3, 4, 17 and 39. What a maker left
blank, or filled with a placeholder, is not offered. Few lines of a plain format are read here rather than by a library
that a run over thousands of servers would wait for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import integer, no_tool, present, refusal, remark, text_of
from maintops.probes.contract import Fact, Parameter, Presence, Probe

_QUESTION = """command -v dmidecode >/dev/null 2>&1 || { echo 'dmidecode: not found' >&2; exit 127; }
dmidecode -t 0,1,2,3,4,17,39
"""
_HANDLE = re.compile(r"Handle (0x[0-9A-Fa-f]+), DMI type ([0-9]{1,3}), [0-9]+ bytes\.?")
_PROPERTY = re.compile(r"\t([^\t:][^:]{0,60}):(?: (.*))?")
_SIZE = re.compile(r"([0-9]{1,9}) (k|M|G|T)i?B")
_SPEED = re.compile(r"([0-9]{1,6}) (?:MT/s|MHz)")
_WATTS = re.compile(r"([0-9]{1,6}) W")
_DATE = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{4})")
KINDS = ("bios", "system", "board", "chassis", "processor", "memory", "module", "power_supply")
"""What a part can be."""

_SHIFTS = {"k": 10, "M": 20, "G": 30, "T": 40}
_BLANK = re.compile(
    r"|not (?:specified|provided|available|present|applicable|settable)|unknown|none|n/?a|default string|undefined"
    r"|to be filled.*|o\.?e\.?m\.?|system (?:serial number|product name|manufacturer|version)|serial(?: number)?|empty"
    r"|(?:chassis|base board|board) serial number|<?(?:out of spec|bad index)>?|no (?:dimm|module.*|asset tag)|asset.*"
    r"|no enclosure|0123456789.*|1234567890?|[0x.\- ]+|f{8,}|x+|(?:partnum|sernum|manufacturer|array)_?[0-9]*"
    r"|\[empty\]|invalid",
    re.IGNORECASE,
)


@dataclass(slots=True)
class _Structure:
    kind: int
    values: dict[str, str] = field(default_factory=dict)

    def value(self, *names: str) -> str | None:
        """The first of these that its maker filled in."""
        for name in names:
            said = " ".join(self.values.get(name, "").split())
            if not _BLANK.fullmatch(said):
                return said
        return None


def question(parameters: Mapping[str, Any]) -> str:
    """The tables of the firmware that are about parts."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject per part that is there, and one for the memory as a whole."""
    if answer.status is not None and answer.status >= 128:
        raise UnreadableAnswer(f"dmidecode ended by a signal (exit status {answer.status})")
    if (why := no_tool(answer) or _unreadable_tables(answer) or refusal(answer)) is not None:
        return why
    structures = list(_structures(text_of(answer)))
    if not structures:
        raise UnreadableAnswer("this is not a report of dmidecode: it holds no table")
    subjects: dict[str, SubjectFacts] = {}
    wanted = parameters.get("kinds") or KINDS
    for name, facts in _parts(structures):
        if facts["kind"] in wanted:
            subjects[name] = SubjectFacts(name, facts, frozenset(PROBE.facts.keys() - facts.keys()))
    if not subjects:
        return NotMeasured("the firmware's tables say nothing about such parts")
    return Measured(tuple(subjects.values()))


def _unreadable_tables(answer: Answer) -> NotMeasured | None:
    if b"\nHandle " in answer.stdout or answer.stdout.startswith(b"Handle "):
        return None
    said = answer.stdout.decode("utf-8", "replace") + remark(answer)
    if "No SMBIOS nor DMI entry point" in said:
        return NotMeasured("the firmware of this machine has no tables about its parts (SMBIOS)")
    if re.search(r"permission denied|not permitted", said, re.I):
        return NotMeasured("no right to read the firmware's tables: root alone may")
    return None


def _structures(text: str) -> Iterator[_Structure]:
    current: _Structure | None = None
    for line in text.replace("\r", "").split("\n"):
        if (handle := _HANDLE.fullmatch(line)) is not None:
            if current is not None:
                yield current
            current = _Structure(int(handle[2]))
        elif current is not None and (found := _PROPERTY.fullmatch(line)) is not None:
            current.values.setdefault(found[1].strip(), (found[2] or "").strip())
    if current is not None:
        yield current


def _parts(structures: list[_Structure]) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, (name, read_one) in _SINGLE.items():
        found = [facts for one in structures if one.kind == number and len(facts := read_one(one)) > 1]
        for place, facts in enumerate(found, 1):
            yield (name if place == 1 else f"{name} {place}"), facts
    yield from _processors([one for one in structures if one.kind == 4])
    yield from _memory([one for one in structures if one.kind == 17])
    supplies = [one for one in structures if one.kind == 39]
    there = [one for one in supplies if "not present" not in one.values.get("Status", "").lower()]
    for place, one in enumerate(there, 1):
        facts = _power_supply(one)
        if len(facts) > 1:
            yield f"power supply {place}", facts


def _identity(kind: str, one: _Structure, **more: Any) -> dict[str, Any]:
    common = present(
        kind=kind,
        manufacturer=one.value("Manufacturer", "Vendor"),
        product=one.value("Product Name"),
        serial=one.value("Serial Number"),
        part_number=one.value("Part Number"),
    )
    return common | present(**more)


def _bios(one: _Structure) -> dict[str, Any]:
    date = _DATE.fullmatch(one.values.get("Release Date", ""))
    iso = f"{date[3]}-{date[1]}-{date[2]}" if date else None
    return _identity("bios", one, version=one.value("Version"), date=iso)


def _system(one: _Structure) -> dict[str, Any]:
    return _identity("system", one, version=one.value("Version"), uuid=one.value("UUID"))


def _board(one: _Structure) -> dict[str, Any]:
    return _identity("board", one, version=one.value("Version"))


def _chassis(one: _Structure) -> dict[str, Any]:
    return _identity("chassis", one, version=one.value("Version"), asset_tag=one.value("Asset Tag"))


_SINGLE: Mapping[int, tuple[str, Callable[[_Structure], dict[str, Any]]]] = {
    0: ("bios", _bios),
    1: ("system", _system),
    2: ("board", _board),
    3: ("chassis", _chassis),
}


def _processors(sockets: list[_Structure]) -> Iterator[tuple[str, dict[str, Any]]]:
    names = _unique([one.value("Socket Designation") or "socket" for one in sockets])
    for name, one in zip(names, sockets, strict=True):
        if one.values.get("Status", "").lower().startswith("unpopulated"):
            continue
        facts = _identity(
            "processor",
            one,
            product=one.value("Version"),
            cores=integer(one.values.get("Core Count")),
            cores_enabled=integer(one.values.get("Core Enabled")),
            threads=integer(one.values.get("Thread Count")),
            status=one.value("Status"),
        )
        yield f"processor {name}", facts


def _memory(slots: list[_Structure]) -> Iterator[tuple[str, dict[str, Any]]]:
    """A module per slot that has one. An empty slot is none, so that a module that vanished is missing."""
    locators = [one.value("Locator") or "slot" for one in slots]
    if len(set(locators)) < len(locators):
        banks = (one.value("Bank Locator") for one in slots)
        locators = [f"{bank} {name}" if bank else name for bank, name in zip(banks, locators, strict=True)]
    total, modules = 0, 0
    for name, one in zip(_unique(locators), slots, strict=True):
        size = _bytes(one.values.get("Size", ""))
        if size is None:
            continue
        total, modules = total + size, modules + 1
        yield f"memory {name}", _module(one, size)
    if slots:
        yield "memory", {"kind": "memory", "slots": len(slots), "modules": modules, "size_bytes": total}


def _module(one: _Structure, size: int) -> dict[str, Any]:
    configured = one.values.get("Configured Memory Speed") or one.values.get("Configured Clock Speed")
    return _identity(
        "module",
        one,
        size_bytes=size,
        memory_type=one.value("Type"),
        speed_mts=_speed(one.values.get("Speed")),
        configured_speed_mts=_speed(configured),
    )


def _power_supply(one: _Structure) -> dict[str, Any]:
    watts = _WATTS.fullmatch(one.values.get("Max Power Capacity", ""))
    return _identity(
        "power_supply",
        one,
        product=one.value("Name"),
        part_number=one.value("Model Part Number"),
        version=one.value("Revision"),
        max_watts=int(watts[1]) if watts else None,
        status=one.value("Status"),
    )


def _unique(names: list[str]) -> list[str]:
    often, seen = Counter(names), Counter[str]()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if often[name] == 1 else f"{name} ({seen[name]})")
    return unique


def _bytes(text: str) -> int | None:
    found = _SIZE.fullmatch(text.strip())
    return int(found[1]) << _SHIFTS[found[2]] if found and int(found[1]) else None


def _speed(text: str | None) -> int | None:
    found = _SPEED.match(text or "")
    return int(found[1]) if found else None


PROBE = Probe(
    name="hardware-inventory",
    title="Parts of the server and their serial numbers",
    facts={
        "kind": Fact("str", f"what it is: {', '.join(KINDS)}"),
        "manufacturer": Fact("str", "who made it"),
        "product": Fact("str", "what it is called"),
        "version": Fact("str", "its version or revision; of the BIOS: the firmware's"),
        "serial": Fact("str", "its serial number"),
        "part_number": Fact("str", "its maker's part number"),
        "uuid": Fact("str", "the system's own id"),
        "asset_tag": Fact("str", "what its owner wrote into it"),
        "date": Fact("str", "when the BIOS was released, as YYYY-MM-DD"),
        "size_bytes": Fact("int", "size of a memory module, or of the memory as a whole", "bytes"),
        "memory_type": Fact("str", "DDR4, DDR5, …"),
        "speed_mts": Fact("int", "how fast a module can be", "megatransfers per second"),
        "configured_speed_mts": Fact("int", "how fast it runs", "megatransfers per second"),
        "slots": Fact("int", "slots for memory modules"),
        "modules": Fact("int", "slots that have one"),
        "cores": Fact("int", "cores of a processor"),
        "cores_enabled": Fact("int", "cores that are switched on"),
        "threads": Fact("int", "threads of a processor"),
        "max_watts": Fact("int", "what a power supply can give", "watts"),
        "status": Fact("str", "what the firmware says of a processor or power supply"),
    },
    question=question,
    read=read,
    presence=Presence.LASTING,
    parameters={"kinds": Parameter([], f"only parts of these kinds ({', '.join(KINDS)}); empty: all of them")},
)
