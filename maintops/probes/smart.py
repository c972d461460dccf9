"""What every disk says of its own health: smartctl (smartmontools), as JSON from version 7 on, as text before.

A disk that sleeps is not woken: it is said to be asleep. smartctl's exit status is a set of bits (smartctl(8)): 0 and
1, nothing was measured; 2, some data is missing; 3 and 4, failing now; 5 to 7, something is in its history.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Part, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import named_parts, refusal
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.smart_json import disk_from_json
from maintops.probes.smart_recording import answer_of_recording, reading_of_recording
from maintops.probes.smart_report import Disk, facts_of
from maintops.probes.smart_scan import SCANNED, subject_name
from maintops.probes.smart_text import disk_from_text

_QUESTION = """command -v smartctl >/dev/null 2>&1 || { echo 'smartctl: not found' >&2; exit 127; }
case $(smartctl -V 2>/dev/null | head -n 1) in 'smartctl '[0-6].*) json= ;; *) json=-j ;; esac
devices=$(smartctl --scan-open)
part scan printf '%s\\n' "$devices"
printf '%s\\n' "$devices" | while read -r device option type rest; do
  case $device$option in /*-d) ;; *) continue ;; esac
  part "$device $type" smartctl $json -H -i -A -l error -l selftest -n standby -d "$type" "$device"
done
"""


def question(parameters: Mapping[str, Any]) -> str:
    """The list of disks, and every disk's own report."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject per disk: its device, with its place where it is behind a controller."""
    if (recorded := reading_of_recording(answer)) is not None:
        return recorded
    if (why := refusal(answer)) is not None:
        return why
    parts = named_parts(answer)
    if "scan" not in parts:
        raise UnreadableAnswer("the answer does not hold the list of disks")
    subjects: dict[str, SubjectFacts] = {}
    remarks = []
    for line in parts["scan"].text.split("\n"):
        found = SCANNED.fullmatch(line.strip())
        if found is None:
            remarks.append(line.strip("# \t"))
            continue
        device, kind = found[2], found[3]
        name = subject_name(device, kind)
        closed = found[1] == "#"
        subjects[name] = _closed(name, found[4]) if closed else _subject(name, device, parts.get(f"{device} {kind}"))
    if not subjects:
        said = next((one for one in remarks if one), "")
        return NotMeasured("smartctl finds no disk that could tell" + (f": {said[:300]}" if said else ""))
    return Measured(tuple(subjects.values()))


def _closed(name: str, said: str) -> SubjectFacts:
    """A disk that the scan could not open: `# /dev/sda -d sat # /dev/sda [SAT], … open failed: Permission denied`."""
    return SubjectFacts(name, why_not=said.rpartition(", ")[2].strip()[:300] or "it could not be opened")


def _subject(name: str, device: str, part: Part | None) -> SubjectFacts:
    if part is None:
        raise UnreadableAnswer(f"the answer holds no report of {name}")
    return facts_of(name, device, disk_of(part))


def disk_of(part: Part) -> Disk:
    """Reads one report, JSON or text. Raises UnreadableAnswer where it is neither."""
    if part.text.lstrip().startswith("{"):
        return disk_from_json(part.output, part.status)
    return disk_from_text(part.text, part.status)


PROBE = Probe(
    name="smart",
    title="What every disk says of its own health (SMART)",
    facts={
        "device": Fact("str", "the device that was asked"),
        "model": Fact("str", "model of the disk"),
        "serial": Fact("str", "its serial number"),
        "firmware": Fact("str", "version of its firmware"),
        "protocol": Fact("str", "ATA, SCSI or NVMe"),
        "passed": Fact("bool", "the disk's own verdict; false: it expects to fail"),
        "temperature_celsius": Fact("int", "its temperature", "degrees Celsius"),
        "power_on_hours": Fact("int", "how long it has been powered", "hours"),
        "reallocated_sectors": Fact("int", "sectors replaced by spare ones (ATA attribute 5; SCSI: grown defects)"),
        "pending_sectors": Fact("int", "sectors that could not be read and wait to be replaced (ATA attribute 197)"),
        "offline_uncorrectable": Fact("int", "sectors found bad by the disk's own scan (ATA attribute 198)"),
        "media_errors": Fact("int", "errors it could not correct (NVMe; SCSI: all counters; ATA attribute 187)"),
        "percentage_used": Fact("int", "how much of its life a flash disk has used; can exceed 100", "percent"),
        "wear_unclear": Fact("bool", "whether an ATA disk counts its wear, but only in a way that is not known here"),
        "available_spare_percent": Fact("int", "spare blocks that an NVMe disk still has", "percent"),
        "available_spare_threshold_percent": Fact("int", "below this its maker calls it used up", "percent"),
        "critical_warning": Fact("int", "bits by which an NVMe disk warns (NVMe, SMART log page); 0: none"),
        "critical_warnings": Fact("list", "the same bits as words"),
        "unsafe_shutdowns": Fact("int", "how often an NVMe disk lost its power without a warning"),
        "crc_errors": Fact("int", "errors on the way to an ATA disk: its cable or backplane (ATA attribute 199)"),
        "non_medium_errors": Fact("int", "errors of a SCSI disk that are not its surface's: mostly of the link"),
        "temperature_trip_celsius": Fact("int", "at this a SCSI disk protects itself", "degrees Celsius"),
        "failing_attributes": Fact("list", "names of ATA attributes that are at their thresholds now"),
        "self_test_passed": Fact("bool", "false: a self-test failed, and no extended one has passed since"),
        "self_tests_logged": Fact("int", "self-tests in its log; 0: none was ever run, or the log was emptied"),
        "self_test_age_hours": Fact("int", "how long it has been powered since its latest finished self-test", "hours"),
        "error_log_count": Fact("int", "errors in its log over its whole life (ATA, NVMe)"),
        "exit_status": Fact("int", "smartctl's exit status: bits, see smartctl(8)"),
        "status_incomplete": Fact("bool", "bit 2 of it: a command to the disk failed, some of the above is missing"),
        "status_failing": Fact("bool", "bit 3: the disk says that it is failing"),
        "status_prefail_now": Fact("bool", "bit 4: an attribute that foretells a failure is at its threshold now"),
        "status_prefail_past": Fact("bool", "bit 5: an attribute was at its threshold in the past"),
        "status_error_log": Fact("bool", "bit 6: there are errors in its log; often harmless, and old"),
        "status_self_test_log": Fact("bool", "bit 7: a self-test failed, and no extended one has passed since"),
    },
    question=question,
    read=read,
    presence=Presence.LASTING,
    recording=answer_of_recording,
)
