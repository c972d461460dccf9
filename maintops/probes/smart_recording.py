"""What smartctl printed when a person called it: one report as JSON or text, or several; a scan as JSON or text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import text_of
from maintops.probes.json_answers import load_json
from maintops.probes.smart_json import disk_from_report
from maintops.probes.smart_report import facts_of
from maintops.probes.smart_scan import SCANNED, subject_name
from maintops.probes.smart_text import BANNER, disk_from_text

_SCAN = re.compile(r"^#? *(?:/\S+ -d \S|scan_smart_devices:)", re.MULTILINE)
_NOT_ASKED = "the scan lists it; it was not asked"


def answer_of_recording(output: bytes) -> Answer:
    """The same bytes, where they are smartctl's. Raises UnreadableAnswer for others."""
    if reading_of_recording(answer := Answer(output)) is None:
        raise UnreadableAnswer("this is no output of smartctl: neither its JSON, nor its text, nor a scan")
    return answer


def reading_of_recording(answer: Answer) -> Reading | None:
    """Reads a recording; None for what is none: answers to the probe's own question, and other programs' output."""
    start = answer.stdout.lstrip()[:1]
    if not start or start == b"=":
        return None
    if start == b"{":
        text_of(answer)
        return _from_json(load_json(answer.stdout))
    text = text_of(answer).replace("\r\n", "\n")
    if BANNER.search(text):
        return _from_text(text)
    return _from_scan(text) if _SCAN.match(text.lstrip()) else None


def _from_json(report: Any) -> Reading:
    if isinstance(report, dict) and "devices" in report:
        found = [one for one in map(_listed, _rows(report["devices"])) if one is not None]
        return Measured(tuple({one.subject: one for one in found}.values())) if found else _nothing("")
    disk = disk_from_report(report, None)
    device = report.get("device")
    name, kind = (device.get("name"), device.get("type")) if isinstance(device, dict) else (None, None)
    path = name if isinstance(name, str) and name else _asked(report)
    subject = subject_name(path, kind if isinstance(kind, str) else "") if path else disk.serial or "disk"
    return Measured((facts_of(subject, path, disk),))


def _rows(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _listed(row: Mapping[str, Any]) -> SubjectFacts | None:
    name, kind, error = row.get("name"), row.get("type"), row.get("open_error")
    if not isinstance(name, str) or not name:
        return None
    why = error.strip()[:300] if isinstance(error, str) and error.strip() else _NOT_ASKED
    return SubjectFacts(subject_name(name, kind if isinstance(kind, str) else ""), {"device": name}, why_not=why)


def _asked(report: Mapping[str, Any]) -> str | None:
    """The device on the command line: all that is known of one that could not be opened."""
    own = report.get("smartctl")
    words = own.get("argv") if isinstance(own, dict) else None
    paths = [one for one in words if isinstance(one, str) and one.startswith("/")] if isinstance(words, list) else []
    return paths[-1] if paths else None


def _from_text(text: str) -> Reading:
    """A text does not say which device it is about, nor how smartctl ended: the disk goes by its serial number."""
    begins = [found.start() for found in BANNER.finditer(text)]
    reports = [text[start:end] for start, end in zip(begins, [*begins[1:], len(text)], strict=True)]
    subjects: dict[str, SubjectFacts] = {}
    for report in reports:
        disk = disk_from_text(report, None)
        name = disk.serial or disk.model or "disk"
        unique = name if name not in subjects else f"{name} ({len(subjects) + 1})"
        subjects[unique] = facts_of(unique, None, disk)
    return Measured(tuple(subjects.values()))


def _from_scan(text: str) -> Reading:
    subjects: dict[str, SubjectFacts] = {}
    remarks = []
    for line in text.split("\n"):
        if (found := SCANNED.fullmatch(line.strip())) is None:
            remarks.append(line.strip("# \t"))
            continue
        name = subject_name(found[2], found[3])
        why = found[4].rpartition(", ")[2].strip()[:300] if found[1] else ""
        subjects[name] = SubjectFacts(name, {"device": found[2]}, why_not=why or _NOT_ASKED)
    return Measured(tuple(subjects.values())) if subjects else _nothing(next((one for one in remarks if one), ""))


def _nothing(said: str) -> NotMeasured:
    return NotMeasured("smartctl finds no disk that could tell" + (f": {said[:300]}" if said else ""))
