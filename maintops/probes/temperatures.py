"""Temperatures of the sensors that the kernel knows: hwmon's plain files, no tool needed.

Format: Documentation/hwmon/sysfs-interface.rst of Linux (thousandths of a degree Celsius).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts
from maintops.probes.answering import integer, present, printed_files, refusal
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.recorded import recording_in, silence

COLDEST, HOTTEST = -40.0, 126.0
"""What lies outside is no temperature of a server but an input to which nothing is connected (-128, 127, 255)."""

_QUESTION = """for chip in /sys/class/hwmon/hwmon*; do
  [ -d "$chip" ] || continue
  grep -sH . "$chip/name" "$chip"/temp[0-9]*_*
  device=$(readlink -f "$chip/device") && printf '%s/device:%s\\n' "$chip" "$device"
done
exit 0
"""
_FILE = re.compile(r"(/sys/class/hwmon/hwmon[0-9]+)/(?:(name|device)|(temp[0-9]+)_([a-z_]+))")

_Sensors = dict[str, dict[str, str]]


def question(parameters: Mapping[str, Any]) -> str:
    """Every temperature file of every chip, and the device that the chip belongs to."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject per sensor, named `CHIP/LABEL`."""
    if not answer.stdout.strip() and answer.status == 0:
        return NotMeasured("this machine has no temperature sensor that its kernel knows")
    if (why := silence(answer) or refusal(answer)) is not None:
        return why
    chips = _chips(printed_files(answer))
    names = _chip_names(chips)
    subjects: dict[str, SubjectFacts] = {}
    for path, chip in chips.items():
        for subject in _subjects(names[path], chip):
            if subject.subject is not None:
                subjects[subject.subject] = subject
    if not subjects:
        return NotMeasured("no chip that the kernel knows has a temperature sensor")
    return Measured(tuple(subjects.values()))


def _chips(files: Mapping[str, str]) -> dict[str, _Sensors]:
    """Chip -> sensor -> kind of file -> content; the chip's own files are those of the sensor ""."""
    chips: dict[str, _Sensors] = {}
    for path, content in files.items():
        if (found := _FILE.fullmatch(path)) is not None:
            chip = chips.setdefault(found[1], {})
            chip.setdefault(found[3] or "", {})[found[4] or found[2]] = content.strip()
    return chips


def _chip_names(chips: Mapping[str, _Sensors]) -> dict[str, str]:
    """The chip's name and its device: the number of a hwmon is another one after the next boot."""
    names = {path: _chip_name(chip.get("", {})) for path, chip in chips.items()}
    often = Counter(names.values())
    return {path: name if often[name] == 1 else f"{name} {path.rpartition('/')[2]}" for path, name in names.items()}


def _chip_name(own: Mapping[str, str]) -> str:
    name = own.get("name", "unnamed")
    device = own.get("device", "").rstrip("/").rpartition("/")[2]
    return device if device.startswith(name) else f"{name} {device}".strip()


def _subjects(chip: str, sensors: _Sensors) -> list[SubjectFacts]:
    measured = {sensor: files for sensor, files in sensors.items() if sensor}
    often = Counter(files.get("label") or sensor for sensor, files in measured.items())
    subjects = []
    for sensor, files in measured.items():
        label = files.get("label") or sensor
        unique = label if often[label] == 1 else f"{label} ({sensor})"
        subjects.append(_subject(f"{chip}/{unique}", chip, label, files))
    return subjects


def _subject(subject: str, chip: str, label: str, files: Mapping[str, str]) -> SubjectFacts:
    celsius = _celsius(files.get("input"))
    if files.get("fault", "0") != "0":
        return SubjectFacts(subject, why_not="the sensor says that it is faulty")
    if celsius is None:
        return SubjectFacts(subject, why_not="the sensor gives no reading")
    if not COLDEST < celsius < HOTTEST:
        return SubjectFacts(subject, why_not=f"the sensor reads {celsius} °C: nothing is connected to it")
    high, critical = _threshold(files.get("max")), _threshold(files.get("crit"))
    facts = present(celsius=celsius, high=high, critical=critical, chip=chip, label=label)
    return SubjectFacts(subject, facts, frozenset({"high", "critical"} - set(facts)))


def _threshold(text: str | None) -> float | None:
    """A limit of 0 or of thousands of degrees is one that was never set."""
    celsius = _celsius(text)
    return celsius if celsius is not None and 0 < celsius < 2 * HOTTEST else None


def _celsius(text: str | None) -> float | None:
    thousandths = integer(text)
    return None if thousandths is None else round(thousandths / 1000, 1)


PROBE = Probe(
    name="temperatures",
    title="Temperatures",
    facts={
        "celsius": Fact("float", "what the sensor reads", "degrees Celsius"),
        "high": Fact("float", "above this it is too warm, by its maker's word", "degrees Celsius"),
        "critical": Fact("float", "above this the hardware protects itself or breaks", "degrees Celsius"),
        "chip": Fact("str", "the chip, and the device that it belongs to"),
        "label": Fact("str", "what the chip calls this sensor"),
    },
    question=question,
    read=read,
    presence=Presence.LASTING,
    recording=recording_in("maintops.probes.temperatures_recorded"),
)
