"""Versions of what runs below the system: BIOS, BMC, microcode, firmware of network ports, the kernel; and which flaws
of the processor it says it is open to.

Formats: /sys/class/dmi/id and /sys/devices/system/cpu/vulnerabilities (Documentation/ABI/testing of Linux), cpuinfo of
proc(5), `ipmitool mc info`, `ethtool -i`. No right of root is needed, but for the BMC.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Part, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import named_parts, present, require_whole
from maintops.probes.contract import Fact, Parameter, Presence, Probe

_QUESTIONS = {
    "bios": "part bios grep -Hs . -- /sys/class/dmi/id/bios_vendor /sys/class/dmi/id/bios_version"
    " /sys/class/dmi/id/bios_date /sys/class/dmi/id/bios_release\n",
    "bmc": "if [ -e /dev/ipmi0 ] || [ -e /dev/ipmi/0 ] || [ -e /dev/ipmidev/0 ]; then\n"
    "  command -v ipmitool >/dev/null 2>&1 && part bmc ipmitool mc info\nfi\n",
    "microcode": "cpus() { grep -E '^(model name|microcode)' /proc/cpuinfo | sort -u; }\npart cpu cpus\n",
    "kernel": "part kernel uname -r\n",
    "network": "if command -v ethtool >/dev/null 2>&1; then\n"
    "  for device in /sys/class/net/*/device; do\n"
    '    { [ -L "$device" ] && [ ! -e "$device/physfn" ]; } || continue\n'
    '    port=${device%/device}; port=${port##*/}; part "port $port" ethtool -i "$port"\n'
    "  done\nfi\n",
    "vulnerabilities": "part vulnerabilities grep -Hs . -- /sys/devices/system/cpu/vulnerabilities/*\n",
}
WHAT = tuple(_QUESTIONS)
"""What can be asked for."""

_PATH = re.compile(r"(?:.*/)?([A-Za-z0-9_]+):(.*)")
_FLAW = re.compile(r"(?:.*/cpu/vulnerabilities/|Vulnerability )([A-Za-z0-9_ ]+?): *(\S.*)")
_FIELD = re.compile(r"\s*([A-Za-z][A-Za-z /-]*?)\s*: ?(.*)")
_DATE = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{4})")
_NUMBERS = re.compile(r"[0-9]{1,9}")
_HYPERVISOR = {"0xffffffff", "0x1"}
"""What a virtual machine is told in place of a revision."""


def question(parameters: Mapping[str, Any]) -> str:
    """A few files, and two commands where there is something to ask; only what `what` names."""
    wanted = parameters.get("what") or WHAT
    names = [wanted] if isinstance(wanted, str) else [str(one) for one in wanted]
    return "".join(_QUESTIONS[name] for name in WHAT if name in names) + ":\n"


def recording(output: bytes) -> Answer:
    """What a person saw: `ipmitool mc info`, `ethtool -i PORT`, /proc/cpuinfo, lscpu, or files with their names."""
    text = output.decode("utf-8", "replace")
    body = b"".join(b" " + line + b"\n" for line in output.split(b"\n"))
    marks = {
        "bmc": r"^Firmware Revision *:",
        "port port": r"^driver: ",
        "vulnerabilities": r"/cpu/vulnerabilities/|^Vulnerability ",
        "cpu": r"^microcode\s*:",
        "bios": r"/dmi/id/bios_",
    }
    found = [name for name, mark in marks.items() if re.search(mark, text, re.MULTILINE)]
    if not found:
        raise UnreadableAnswer("this is nothing about firmware that is known here (mc info, ethtool -i, cpuinfo, …)")
    return Answer(b"".join(f"={name}\n".encode() + body + b".0\n" for name in found))


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject per thing that has a version, and one for the flaws of the processor."""
    require_whole(answer)
    if not answer.stdout.strip():
        return NotMeasured("this machine tells nothing of its firmware")
    subjects: dict[str, dict[str, Any]] = {}
    why_not: dict[str, str] = {}
    for name, part in named_parts(answer).items():
        kind, _, port = name.partition(" ")
        if kind == "bmc" and part.status:
            why_not["bmc"] = f"ipmitool could not ask the BMC (exit status {part.status})"
        elif kind == "port" and port:
            subjects[f"network {port}"] = _port(part)
        elif kind in _READERS:
            subjects[_READERS[kind][0]] = _READERS[kind][1](part)
    told = [_subject(name, facts) for name, facts in subjects.items() if len(facts) > 1]
    told += [SubjectFacts(name, {"kind": name}, why_not=why) for name, why in why_not.items()]
    return Measured(tuple(told)) if told else NotMeasured("this machine tells nothing of its firmware")


def _subject(name: str, facts: dict[str, Any]) -> SubjectFacts:
    return SubjectFacts(name, facts, frozenset(PROBE.facts.keys() - facts.keys()))


def _bios(part: Part) -> dict[str, Any]:
    files = {found[1]: found[2].strip() for line in part.text.split("\n") if (found := _PATH.fullmatch(line))}
    date = _DATE.fullmatch(files.get("bios_date", ""))
    return present(
        kind="bios",
        vendor=files.get("bios_vendor"),
        version=files.get("bios_version"),
        date=f"{date[3]}-{date[1]}-{date[2]}" if date else None,
        release=[int(date[3]), int(date[1]), int(date[2])] if date else None,
    )


def _bmc(part: Part) -> dict[str, Any]:
    """The version's last digits stand apart, as four bytes on lines of their own."""
    fields: dict[str, str] = {}
    auxiliary = []
    for line in part.text.split("\n"):
        if re.fullmatch(r"\s+0x[0-9a-fA-F]{2}\s*", line):
            auxiliary.append(line.strip())
        elif (found := _FIELD.fullmatch(line)) is not None:
            fields.setdefault(found[1], found[2].strip())
    version = fields.get("Firmware Revision") or None
    maker = fields.get("Manufacturer Name", "")
    return present(
        kind="bmc",
        vendor=maker if maker and "unknown" not in maker.lower() else None,
        version=version,
        build=" ".join(auxiliary) or None,
        release=_numbers(version) if version else None,
    )


def _microcode(part: Part) -> dict[str, Any]:
    """Every core says its own revision; cores of one machine that differ are worth knowing."""
    found: dict[str, set[str]] = {}
    for line in part.text.split("\n"):
        key, colon, value = (piece.strip() for piece in line.partition(":"))
        if colon and value:
            found.setdefault(key, set()).add(value)
    revisions = sorted(one for one in found.get("microcode", ()) if re.fullmatch(r"0x[0-9a-f]{1,8}", one))
    revisions = [one for one in revisions if one not in _HYPERVISOR]
    if not revisions:
        return {"kind": "microcode"}
    models = sorted(found.get("model name", ()))
    return present(
        kind="microcode",
        vendor=models[0] if models else None,
        version=" ".join(revisions),
        revisions=len(revisions),
        release=[int(revisions[0], 16)],
    )


def _kernel(part: Part) -> dict[str, Any]:
    version = part.text.strip()
    if not version or " " in version or len(version) > 100:
        return {"kind": "kernel"}
    return {"kind": "kernel", "version": version, "release": _numbers(version)}


def _port(part: Part) -> dict[str, Any]:
    fields = {found[1]: found[2].strip() for line in part.text.split("\n") if (found := _FIELD.fullmatch(line))}
    version = fields.get("firmware-version", "")
    if part.status or version in ("", "N/A"):
        return {"kind": "network"}
    return present(kind="network", vendor=fields.get("driver") or None, version=version)


def _vulnerabilities(part: Part) -> dict[str, Any]:
    """Flaw -> what the kernel says; `KVM: ` before it speaks of what guests could do."""
    flaws: dict[str, str] = {}
    for line in part.text.split("\n"):
        if (found := _FLAW.fullmatch(line)) is not None:
            flaws[found[1].strip().lower().replace(" ", "_")] = found[2].strip()
    if not flaws:
        return {"kind": "processor"}
    plain = {flaw: said.removeprefix("KVM: ") for flaw, said in flaws.items()}
    return {
        "kind": "processor",
        "vulnerable": sorted(flaw for flaw, said in plain.items() if said.lower().startswith("vulnerable")),
        "mitigated": sorted(flaw for flaw, said in plain.items() if said.lower().startswith("mitigation")),
        "unknown": sorted(flaw for flaw, said in plain.items() if said.lower().startswith("unknown")),
        "smt_vulnerable": sorted(flaw for flaw, said in plain.items() if "smt vulnerable" in said.lower()),
    }


def _numbers(version: str) -> list[int]:
    return [int(one) for one in _NUMBERS.findall(version)]


_READERS = {
    "bios": ("bios", _bios),
    "bmc": ("bmc", _bmc),
    "cpu": ("microcode", _microcode),
    "kernel": ("kernel", _kernel),
    "vulnerabilities": ("processor flaws", _vulnerabilities),
}

PROBE = Probe(
    name="firmware",
    title="Versions of firmware, microcode and kernel",
    facts={
        "kind": Fact("str", "bios, bmc, microcode, kernel, network, or processor for its flaws"),
        "vendor": Fact("str", "who made it; of microcode: the processor's model; of a port: its driver"),
        "version": Fact("str", "its version, in its maker's words"),
        "build": Fact("str", "the rest of a BMC's version: four bytes whose meaning is its maker's"),
        "date": Fact("str", "when the BIOS was released, as YYYY-MM-DD"),
        "release": Fact("list", "numbers by which two versions compare: a version that is less is an older one"),
        "revisions": Fact("int", "how many revisions of microcode the cores run; should be 1"),
        "vulnerable": Fact("list", "flaws of the processor that nothing mitigates, by the kernel's word"),
        "mitigated": Fact("list", "flaws that are mitigated"),
        "unknown": Fact("list", "flaws of which the kernel cannot tell"),
        "smt_vulnerable": Fact("list", "flaws that are mitigated, but not between threads of one core"),
    },
    question=question,
    read=read,
    presence=Presence.LASTING,
    parameters={"what": Parameter([], f"what to ask for ({', '.join(WHAT)}); empty: all of it")},
    recording=recording,
)
