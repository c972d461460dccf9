"""What every NVMe drive says of its own health: nvme-cli's SMART log, and the kernel's own files about its controllers.

Formats: nvme-cli's JSON, whose names and types change between versions 1 and 2, and its text; sysfs-class-nvme. The
JSON gives temperatures in kelvins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Part, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import named_parts, present, refusal, text_of
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.json_answers import load_json
from maintops.probes.nvme_values import health_from_json, health_from_text

_QUESTION = """command -v nvme >/dev/null 2>&1 || { echo 'nvme: not found' >&2; exit 127; }
part drives grep -sH . /sys/class/nvme/nvme*/model /sys/class/nvme/nvme*/serial /sys/class/nvme/nvme*/firmware_rev \
  /sys/class/nvme/nvme*/state /sys/class/nvme/nvme*/transport
for drive in /sys/class/nvme/nvme*; do
  [ -e "$drive" ] && part "log ${drive##*/}" nvme smart-log -o json "/dev/${drive##*/}"
done
:
"""
_FILE = re.compile(r"/sys/class/nvme/(nvme[0-9]+)/(model|serial|firmware_rev|state|transport):(.*)")
_NAMES = {"firmware_rev": "firmware"}
_TEXT_LOG = re.compile(r"^Smart Log for NVME device: *(\S+)", re.MULTILINE)
_TEXT_LIST = re.compile(r"^(/dev/nvme[0-9]+)n[0-9]+(?:p[0-9]+)? +(.*)$", re.MULTILINE)
_CONTROLLER = re.compile(r"(?:/dev/)?(nvme[0-9]+)")
_NOT_ASKED = "the list names it; its SMART log was not asked for"
_NONE = NotMeasured("no such hardware: this machine has no NVMe drive")


def question(parameters: Mapping[str, Any]) -> str:
    """What the kernel knows of each controller, and the SMART log of each."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject per controller: nvme0."""
    if (recorded := _recorded(answer)) is not None:
        return recorded
    if (why := refusal(answer)) is not None:
        return why
    parts = named_parts(answer)
    if "drives" not in parts:
        raise UnreadableAnswer("the answer does not hold the list of NVMe drives")
    known: dict[str, dict[str, object]] = {}
    for drive, file, value in _FILE.findall(parts["drives"].text):
        if value.strip():
            known.setdefault(drive, {})[_NAMES.get(file, file)] = value.strip()
    names = sorted({*known, *(name.removeprefix("log ") for name in parts if name.startswith("log "))}, key=_place)
    if not names:
        return _NONE
    return Measured(tuple(_subject(name, known.get(name, {}), parts.get(f"log {name}")) for name in names))


def recording(output: bytes) -> Answer:
    """What `nvme smart-log` or `nvme list` printed, as JSON or text. Raises UnreadableAnswer for others."""
    answer = Answer(output)
    if _recorded(answer) is None:
        raise UnreadableAnswer("this is neither `nvme smart-log` nor `nvme list`, as JSON or as text")
    return answer


def _place(name: str) -> tuple[int, str]:
    digits = re.search(r"[0-9]{1,6}", name)
    return int(digits[0]) if digits else 0, name


def _subject(name: str, known: Mapping[str, object], part: Part | None) -> SubjectFacts:
    if part is None or not part.output.strip():
        ending = f" (exit status {part.status})" if part is not None and part.status else ""
        return SubjectFacts(name, known, why_not=f"nvme smart-log printed nothing{ending}")
    if part.status and not part.output.lstrip().startswith(b"{"):
        return SubjectFacts(name, known, why_not=part.text.strip().split("\n")[0][:300])
    return _health(name, known, load_json(part.output))


def _health(name: str, known: Mapping[str, object], log: Any) -> SubjectFacts:
    if isinstance(log, dict) and isinstance(error := log.get("error"), str):
        return SubjectFacts(name, known, why_not=error.strip()[:300] or "nvme smart-log failed")
    found = health_from_json(log)
    if not found:
        raise UnreadableAnswer(f"the report of {name} is not an NVMe SMART log")
    return SubjectFacts(name, {**known, **found})


# --- recordings ------------------------------------------------------------------------------------------------------


def _recorded(answer: Answer) -> Reading | None:
    """What a person recorded; None for an answer to the question and for what is no output of nvme-cli."""
    if answer.stdout.lstrip()[:1] == b"{":
        text_of(answer)
        return _from_json(load_json(answer.stdout))
    if answer.stdout[:1] in (b"=", b""):
        return None
    return _from_text(text_of(answer))


def _from_json(value: Any) -> Reading | None:
    if not isinstance(value, dict):
        return None
    if "Devices" in value:
        subjects = {one.subject: one for one in _listed(value["Devices"])}
        return Measured(tuple(subjects.values())) if subjects else _NONE
    if isinstance(error := value.get("error"), str):
        return NotMeasured(f"nvme says: {error.strip()[:300]}")
    found = health_from_json(value)
    return Measured((SubjectFacts("nvme", found),)) if found else None


def _listed(rows: Any) -> list[SubjectFacts]:
    """Up to version 2.10 a list of namespaces; from 2.11 on (before: with -v) controllers within subsystems."""
    found = []
    for row in _objects(rows):
        inner = [one for subsystem in _objects(row.get("Subsystems")) for one in _objects(subsystem.get("Controllers"))]
        for one in inner or _objects(row.get("Controllers")) or [row]:
            place = _CONTROLLER.match(_text(one.get("Controller")) or _text(one.get("DevicePath")) or "")
            if place is not None:
                known = present(
                    model=_text(one.get("ModelNumber")),
                    serial=_text(one.get("SerialNumber")),
                    firmware=_text(one.get("Firmware")),
                    transport=_text(one.get("Transport")),
                    state=_text(one.get("State")),
                )
                found.append(SubjectFacts(place[1], known, why_not=_NOT_ASKED))
    return found


def _from_text(text: str) -> Reading | None:
    subjects: dict[str, SubjectFacts] = {}
    logs = list(_TEXT_LOG.finditer(text))
    for number, log in enumerate(logs):
        end = logs[number + 1].start() if number + 1 < len(logs) else len(text)
        place = _CONTROLLER.match(log[1])
        name = place[1] if place else "nvme"
        facts = health_from_text(text[log.end() : end])
        subjects[name] = SubjectFacts(name, facts, why_not=None if facts else "its SMART log is empty")
    for device, rest in _TEXT_LIST.findall(text) if not logs else ():
        columns = re.split(r" {2,}", rest.strip())
        firmware = columns[-1] if len(columns) > 3 and re.fullmatch(r"\S{1,8}", columns[-1]) else None
        name = device.removeprefix("/dev/")
        subjects[name] = SubjectFacts(name, present(firmware=firmware), why_not=_NOT_ASKED)
    return Measured(tuple(subjects.values())) if subjects else None


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


PROBE = Probe(
    name="nvme",
    title="Health of NVMe drives",
    facts={
        "model": Fact("str", "model of the drive"),
        "serial": Fact("str", "its serial number"),
        "firmware": Fact("str", "version of its firmware"),
        "transport": Fact("str", "pcie, or the network by which it is reached: tcp, rdma, fc"),
        "state": Fact("str", "what the kernel says of its controller: live, resetting, connecting, dead, …"),
        "critical_warning": Fact("int", "bits by which it warns of itself; 0: none"),
        "critical_warnings": Fact("list", "the same bits as words"),
        "temperature_celsius": Fact("int", "its temperature", "degrees Celsius"),
        "available_spare_percent": Fact("int", "spare blocks that it still has", "percent"),
        "available_spare_threshold_percent": Fact("int", "below this its maker calls it used up", "percent"),
        "percentage_used": Fact("int", "how much of its life it has used; can exceed 100", "percent"),
        "media_errors": Fact("int", "errors of its memory that it could not correct"),
        "error_log_count": Fact("int", "entries of its error log over its whole life; many drives count harmless ones"),
        "unsafe_shutdowns": Fact("int", "how often it lost its power without a warning"),
        "power_cycles": Fact("int", "how often it was switched on"),
        "power_on_hours": Fact("int", "how long it has been powered", "hours"),
        "warning_temperature_minutes": Fact("int", "how long it was warmer than its maker likes", "minutes"),
        "critical_temperature_minutes": Fact("int", "how long it was so hot that it had to slow down", "minutes"),
        "written_bytes": Fact("int", "what was written to it over its whole life", "bytes"),
    },
    question=question,
    read=read,
    presence=Presence.LASTING,
    recording=recording,
)
