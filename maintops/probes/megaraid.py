"""RAID controllers by Broadcom (LSI, Avago; Dell's PERC among them): storcli, or Dell's perccli.

One question gives controllers, their virtual drives, physical drives and batteries. Words of the tool such as Dgrd are
spelled out; one that is not known stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import integer, named_parts, present, refusal, text_of
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.megaraid_sections import Report, Section, reports_of

_QUESTION = """tool=
for one in storcli64 storcli perccli64 perccli storcli2 perccli2 /opt/MegaRAID/storcli/storcli64 \
  /opt/MegaRAID/perccli/perccli64; do
  command -v "$one" >/dev/null 2>&1 && { tool=$one; break; }
done
[ "$tool" ] || { echo 'storcli: not found' >&2; exit 127; }
part controllers "$tool" /call show all J nolog
part drives "$tool" /call/eall/sall show all J nolog
part direct "$tool" /call/sall show all J nolog
"""
_WORDS = {
    "optl": "optimal",
    "opt": "optimal",
    "ok": "optimal",
    "dgrd": "degraded",
    "dgd": "degraded",
    "pdgd": "partially degraded",
    "ofln": "offline",
    "offln": "offline",
    "fld": "failed",
    "msng": "missing",
    "ndatn": "needs attention",
    "rec": "recovery",
    "rbld": "rebuilding",
    "onln": "online",
    "ugood": "unconfigured good",
    "ubad": "unconfigured bad",
    "ugunsp": "unconfigured unsupported",
    "ubunsp": "unconfigured bad unsupported",
    "ghs": "global hot spare",
    "dhs": "dedicated hot spare",
    "cpybck": "copying back",
    "jbod": "jbod",
    "sntze": "sanitizing",
}
_DRIVE = re.compile(r"Drive /c([0-9]{1,3})(?:/e([0-9]{1,5}))?/s([0-9]{1,5})\b(?: - Detailed Information)?(.*)")
_PLACE = re.compile(r"([0-9]{1,5}|-)? *:([0-9]{1,5})")
_PATH = re.compile(r"/c([0-9]{1,3})((?:/e[0-9]{1,5})?/s[0-9]{1,5})")
_DEGREES = re.compile(r"([0-9]{1,3}) ?C\b")
_BATTERIES = {"BBU_Info": "bbu", "Cachevault_Info": "cv"}

_CONTROLLER = frozenset({"memory_correctable_errors", "memory_uncorrectable_errors", "foreign_drives"})
_VIRTUAL = frozenset({"level", "consistent", "name"})
_PHYSICAL = frozenset(
    {"media_errors", "other_errors", "predictive_failures", "smart_alert", "foreign", "rebuild_percent"}
)
_BATTERY = frozenset({"replacement_needed"})
_MAYBE = frozenset({"name", "consistent", "serial", "firmware", "temperature_celsius", "replacement_needed"})
"""What some have and others do not."""

_ALL = _CONTROLLER | _VIRTUAL | _PHYSICAL | _BATTERY

_Found = dict[str, dict[str, Any]]


def question(parameters: Mapping[str, Any]) -> str:
    """All about the controllers, and about each drive behind an enclosure or without one; no log file is written."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject per controller (c0), virtual drive (c0/v1), physical drive (c0/e252/s3) and battery (c0/bbu)."""
    if answer.stdout.strip() and answer.stdout[:1] != b"=":
        return _reading(_reports(text_of(answer)))
    if (why := refusal(answer)) is not None:
        return why
    parts = named_parts(answer)
    if "controllers" not in parts:
        raise UnreadableAnswer("the answer does not hold the controllers")
    reports = _reports(parts["controllers"].text)
    for name in ("drives", "direct"):
        if name in parts and parts[name].text.strip():
            reports += _reports(parts[name].text)
    return _reading(reports)


def recording(output: bytes) -> Answer:
    """What storcli or perccli printed, with J or without. Raises UnreadableAnswer for others."""
    answer = Answer(output)
    _reports(text_of(answer))
    return answer


def _reports(text: str) -> list[Report]:
    reports = reports_of(text.strip("\r\n\ufeff "))
    if reports is None:
        raise UnreadableAnswer("this is no output of storcli or perccli: neither its JSON nor its text")
    return reports


def _reading(reports: list[Report]) -> Reading:
    found: _Found = {}
    for report in reports:
        _gather(report, found)
    if not found:
        said = next((one.description for one in reports if one.description), "it names none")
        if any(one.succeeded for one in reports) and reports[0].controller is not None:
            return NotMeasured(f"the tool says nothing of what is known here ({said})")
        return NotMeasured(f"no such hardware: the tool finds no controller ({said})")
    for subject, facts in found.items():
        drives = [one for name, one in found.items() if name.startswith(f"{subject}/") and "foreign" in one]
        if facts["kind"] == "controller" and drives:
            facts["foreign_drives"] = sum(one["foreign"] for one in drives)
    return Measured(tuple(_subject(name, facts) for name, facts in found.items()))


def _subject(name: str, facts: dict[str, Any]) -> SubjectFacts:
    own = {"controller": _CONTROLLER, "virtual": _VIRTUAL, "drive": _PHYSICAL, "battery": _BATTERY}[facts["kind"]]
    absent = set(_ALL - own | _MAYBE)
    if facts["kind"] == "drive" and facts.get("state") != "rebuilding":
        absent.add("rebuild_percent")
    return SubjectFacts(name, facts, frozenset(absent - set(facts)))


# --- from sections to facts ------------------------------------------------------------------------------------------


def _gather(report: Report, found: _Found) -> None:
    for row in _overview(report):
        if (number := integer(row.get("Ctl"))) is not None:
            _add(found, f"c{number}", "controller", present(model=row.get("Model"), state=_word(row.get("Hlth"))))
    if report.controller is not None and report.succeeded:
        _controller(f"c{report.controller}", report, found)
    for section in report.sections:
        for row in section.rows:
            _row(report.controller, row, found)
        if (drive := _DRIVE.fullmatch(section.name)) is not None:
            _detail(drive, section, found)


def _overview(report: Report) -> Iterable[Mapping[str, str]]:
    section = report.section("System Overview")
    return section.rows if section else ()


def _add(found: _Found, subject: str, kind: str, facts: Mapping[str, Any]) -> None:
    mine = found.setdefault(subject, {"kind": kind})
    for name, value in facts.items():
        mine.setdefault(name, value)


def _controller(name: str, report: Report, found: _Found) -> None:
    basics, version, status = (report.section(one) for one in ("Basics", "Version", "Status"))
    top = report.sections[0].properties if report.sections else {}
    hardware = report.section("HwCfg")
    said = status.properties if status else {}
    facts = present(
        model=_of(basics, "Model") or top.get("Product Name"),
        serial=_of(basics, "Serial Number") or top.get("Serial Number"),
        firmware=_of(version, "Firmware Version") or top.get("FW Version"),
        state=_word(said.get("Controller Status") or top.get("Controller Status")),
        memory_correctable_errors=integer(said.get("Memory Correctable Errors")),
        memory_uncorrectable_errors=integer(said.get("Memory Uncorrectable Errors")),
        temperature_celsius=integer(_of(hardware, "ROC temperature(Degree Celsius)")),
    )
    if facts:
        _add(found, name, "controller", facts)
    for title, short in _BATTERIES.items():
        section = report.section(title)
        if section is not None and (section.rows or section.properties):
            _add(found, f"{name}/{short}", "battery", _battery(section, report))


def _battery(section: Section, report: Report) -> dict[str, Any]:
    row = section.rows[0] if section.rows else section.properties
    degrees = _DEGREES.search(row.get("Temp") or row.get("Temperature") or row.get("", ""))
    firmware = report.section("BBU_Firmware_Status") or report.section("Firmware_Status")
    needed = next(
        (one for name in ("Replacement required", "Battery Replacement required") if (one := _of(firmware, name))), None
    )
    return present(
        model=row.get("Model") or row.get("Type"),
        state=_word(row.get("State") or row.get("Battery State")),
        temperature_celsius=int(degrees[1]) if degrees else None,
        replacement_needed=_yes(needed),
    )


def _row(controller: int | None, row: Mapping[str, str], found: _Found) -> None:
    """A line of the list of virtual drives, of physical drives, or of rebuilds."""
    virtual, place = row.get("DG/VD") or row.get("VD"), _PLACE.fullmatch(row.get("EID:Slt", "").strip())
    if controller is not None and virtual and re.fullmatch(r"[0-9-]{1,5}/[0-9]{1,5}", virtual):
        facts = present(
            state=_word(row.get("State")),
            level=row.get("TYPE"),
            name=row.get("Name") or None,
            consistent=_yes(row.get("Consist")),
        )
        _add(found, f"c{controller}/v{virtual.partition('/')[2]}", "virtual", facts)
    elif controller is not None and place is not None and "State" in row:
        enclosure = f"/e{place[1]}" if place[1] and place[1] != "-" else ""
        _add(found, f"c{controller}{enclosure}/s{place[2]}", "drive", _drive(row))
    elif (path := _PATH.fullmatch(row.get("Drive-ID", ""))) is not None and "Progress%" in row:
        _add(found, f"c{path[1]}{path[2]}", "drive", present(rebuild_percent=integer(row["Progress%"])))


def _drive(row: Mapping[str, str]) -> dict[str, Any]:
    """storcli2 says whether a drive is configured in State, and how it is in Status."""
    state = row.get("Status") if row.get("State") in ("Conf", "UConf") else row.get("State")
    return present(
        state=_word(state), model=row.get("Model") or None, foreign=row["DG"] == "F" if "DG" in row else None
    )


def _detail(drive: re.Match[str], section: Section, found: _Found) -> None:
    subject = f"c{drive[1]}{f'/e{drive[2]}' if drive[2] else ''}/s{drive[3]}"
    said, part = section.properties, drive[4].strip()
    if part == "State":
        degrees = _DEGREES.search(said.get("Drive Temperature", ""))
        facts = present(
            media_errors=integer(said.get("Media Error Count")),
            other_errors=integer(said.get("Other Error Count")),
            predictive_failures=integer(said.get("Predictive Failure Count")),
            smart_alert=_yes(said.get("S.M.A.R.T alert flagged by drive")),
            temperature_celsius=int(degrees[1]) if degrees and int(degrees[1]) > 0 else None,
        )
    elif part == "Device attributes":
        facts = present(
            serial=said.get("SN") or None,
            model=said.get("Model Number") or None,
            firmware=said.get("Firmware Revision") or None,
        )
    else:
        return
    if facts:
        _add(found, subject, "drive", facts)


def _of(section: Section | None, name: str) -> str | None:
    return (section.properties.get(name) or None) if section else None


def _word(text: str | None) -> str | None:
    """`Dgrd` is degraded; `Dgd (Needs Attention)` is degraded (needs attention)."""
    if not text or text == "-":
        return None
    first, _, rest = text.strip().partition(" ")
    spelled = _WORDS.get(first.lower())
    return f"{spelled} {rest}".strip().lower() if spelled else text.strip().lower()


def _yes(text: str | None) -> bool | None:
    return {"yes": True, "no": False}.get((text or "").strip().lower())


PROBE = Probe(
    name="megaraid",
    title="RAID controllers by Broadcom, LSI and Dell (PERC)",
    facts={
        "kind": Fact("str", "controller, virtual (a volume), drive or battery (a CacheVault too)"),
        "state": Fact("str", "optimal, degraded, offline, online, failed, rebuilding, …"),
        "model": Fact("str", "its model"),
        "serial": Fact("str", "its serial number"),
        "firmware": Fact("str", "version of its firmware"),
        "name": Fact("str", "what people called the volume"),
        "level": Fact("str", "RAID1, RAID5, …; of volumes"),
        "consistent": Fact("bool", "whether a volume's copies or parity are known to agree"),
        "memory_correctable_errors": Fact("int", "errors of a controller's memory that it corrected"),
        "memory_uncorrectable_errors": Fact("int", "those that it could not"),
        "foreign_drives": Fact("int", "drives that carry the volumes of another controller"),
        "foreign": Fact("bool", "whether a drive carries a volume of another controller"),
        "media_errors": Fact("int", "sectors of a drive that could not be read or written"),
        "other_errors": Fact("int", "errors of a drive that are not its surface's: cable, backplane, power"),
        "predictive_failures": Fact("int", "how often a drive said that it expects to fail"),
        "smart_alert": Fact("bool", "whether a drive's own health test warns"),
        "temperature_celsius": Fact("int", "its temperature", "degrees Celsius"),
        "rebuild_percent": Fact("int", "how far a drive's rebuild is; only in recordings of show rebuild", "percent"),
        "replacement_needed": Fact("bool", "whether the controller asks for a new battery"),
    },
    question=question,
    read=read,
    presence=Presence.LASTING,
    recording=recording,
)
