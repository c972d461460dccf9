"""Errors of the memory that the kernel has counted, per DIMM: its EDAC subsystem, and rasdaemon's log where it runs.

Formats: Documentation/admin-guide/ras.rst of Linux; `ras-mc-ctl --error-count` and `--summary`; `edac-util -v`. The
kernel counts from its start; rasdaemon's log lives on.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import integer, named_parts, present, require_whole
from maintops.probes.contract import Fact, Presence, Probe

_QUESTION = """cd /sys/devices/system/edac/mc 2>/dev/null || { echo 'no EDAC in this kernel' >&2; exit 1; }
files() {
  grep -Hs . -- mc[0-9]*/mc_name mc[0-9]*/[cu]e*_count mc[0-9]*/dimm[0-9]*/* mc[0-9]*/rank[0-9]*/* \\
    mc[0-9]*/csrow[0-9]*/ch[0-9]*
  :
}
part edac files
command -v ras-mc-ctl >/dev/null 2>&1 && part ras ras-mc-ctl --summary
:
"""
_FILE = re.compile(r"(?:.*/)?(mc[0-9]{1,4})/(?:((?:dimm|rank)[0-9]{1,4}|csrow[0-9]{1,4})/)?([a-z_0-9]+):(.*)")
_CHANNEL = re.compile(r"ch([0-9]{1,2})_(ce_count|dimm_label)")
_COUNTED = re.compile(r"(\S[^\t]{0,200})\t{1,9}([0-9]{1,12})\t{1,9}([0-9]{1,12})[ \t]{0,9}")
_LOGGED = re.compile(
    r"\s*(Corrected|Uncorrected|Fatal|Deferred)(?: errors?)? on DIMM Label\(s\): "
    r"'([^']{0,200})'[^']{0,200} errors: ([0-9]{1,12})[ \t]{0,9}"
)
_UTIL = re.compile(r"(mc[0-9]{1,4}): (?:csrow[0-9]{1,4}: )?(.*?): ([0-9]{1,12}) (Corrected|Uncorrected) Errors\s*")
_UTIL_WHOLE = re.compile(r"(mc[0-9]{1,4}): ([0-9]{1,12}) (Corrected|Uncorrected) Errors with no DIMM info\s*")
_KINDS = {"Corrected": "corrected", "Uncorrected": "uncorrected"}

_COUNTS = {"corrected", "uncorrected", "logged_corrected", "logged_uncorrected"}
_COUNTS |= {"unlocated_corrected", "unlocated_uncorrected"}

_Tree = dict[str, dict[str, dict[str, str]]]


def question(parameters: Mapping[str, Any]) -> str:
    """The counters of every memory controller and DIMM, and what rasdaemon has logged."""
    return _QUESTION


def recording(output: bytes) -> Answer:
    """What `grep -H . /sys/devices/system/edac/mc/...`, ras-mc-ctl or edac-util printed."""
    text = output.decode("utf-8", "replace")
    lines = text.split("\n")
    body = b"".join(b" " + line + b"\n" for line in output.split(b"\n"))
    if any(_FILE.fullmatch(line) for line in lines):
        return Answer(b"=edac\n" + body + b".0\n")
    if any(_UTIL.fullmatch(line) or _UTIL_WHOLE.fullmatch(line) for line in lines):
        return Answer(b"=util\n" + body + b".0\n")
    if "emory" in text or any(_COUNTED.fullmatch(line) for line in lines):
        return Answer(b"=ras\n" + body + b".0\n")
    raise UnreadableAnswer("these are neither files of EDAC nor a report of ras-mc-ctl or edac-util")


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject per DIMM, and one per memory controller for the errors that it counted in all."""
    require_whole(answer)
    if not answer.stdout.strip():
        return NotMeasured("the kernel counts no memory errors: it has no EDAC driver for this machine")
    parts = named_parts(answer)
    subjects: dict[str, dict[str, Any]] = {}
    if (part := parts.get("edac")) is not None:
        subjects = _from_files(_tree(part.text))
    if (part := parts.get("util")) is not None:
        subjects = _from_util(part.text)
    if (part := parts.get("ras")) is not None and part.status == 0:
        _add_logged(subjects, part.text)
    if not subjects and not {"edac", "util", "ras"} & parts.keys():
        raise UnreadableAnswer("the answer holds no counters of memory errors")
    if not subjects:
        return NotMeasured("the kernel knows no memory controller that counts errors")
    return Measured(tuple(_subject(name, facts) for name, facts in subjects.items()))


def _subject(name: str, facts: dict[str, Any]) -> SubjectFacts:
    """What nobody counts for a subject is not offered; one of which nothing was counted was not measured."""
    known = present(**facts)
    if not _COUNTS & known.keys():
        return SubjectFacts(name, known, why_not="the kernel gives no counts of it")
    return SubjectFacts(name, known, frozenset(PROBE.facts.keys() - known.keys()))


# --- the kernel's files ----------------------------------------------------------------------------------------------


def _tree(text: str) -> _Tree:
    """Controller -> part of it ("" for itself) -> file -> content."""
    tree: _Tree = {}
    for line in text.split("\n"):
        if not line.strip():
            continue
        found = _FILE.fullmatch(line)
        if found is None:
            raise UnreadableAnswer(f"this is not a file of EDAC: {line[:80]!r}")
        tree.setdefault(found[1], {}).setdefault(found[2] or "", {}).setdefault(found[3], found[4].strip())
    return tree


def _from_files(tree: _Tree) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    modules = [
        (mc, place, files)
        for mc, places in tree.items()
        for place, files in places.items()
        if place.startswith(("dimm", "rank"))
    ]
    labels = Counter(files.get("dimm_label", "") for _, _, files in modules)
    for mc, place, files in modules:
        size = integer(files.get("size"))
        if size == 0:  # an empty slot
            continue
        label = files.get("dimm_label", "")
        name = label if label and labels[label] == 1 else f"{mc} {place}"
        found[name] = {
            "corrected": integer(files.get("dimm_ce_count")),
            "uncorrected": integer(files.get("dimm_ue_count")),
            "label": label or None,
            "location": files.get("dimm_location"),
            "size_bytes": size * 1024 * 1024 if size is not None else None,
            "type": files.get("dimm_mem_type"),
            "controller": mc,
        }
    for mc, places in tree.items():
        if not any(place.startswith(("dimm", "rank")) for place in places):
            found |= _from_rows(mc, places)
        controller = _controller(places.get("", {}), alone=places.keys() == {""})
        if any(controller[name] is not None for name in _COUNTS & controller.keys()):
            found[mc] = controller
    return found


def _controller(own: Mapping[str, str], *, alone: bool) -> dict[str, Any]:
    """What a controller counted and no DIMM did; all of it where it tells of no DIMM."""
    return {
        "corrected": integer(own.get("ce_count")) if alone else None,
        "uncorrected": integer(own.get("ue_count")) if alone else None,
        "unlocated_corrected": integer(own.get("ce_noinfo_count")),
        "unlocated_uncorrected": integer(own.get("ue_noinfo_count")),
        "type": own.get("mc_name"),
    }


def _from_rows(mc: str, places: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, Any]]:
    """Older kernels count by rows and channels; only corrected errors can be told to one channel."""
    found: dict[str, dict[str, Any]] = {}
    for row, files in places.items():
        for file, content in files.items():
            channel = _CHANNEL.fullmatch(file)
            if row and channel is not None and channel[2] == "ce_count":
                label = files.get(f"ch{channel[1]}_dimm_label", "")
                facts = {"corrected": integer(content), "label": label or None, "controller": mc}
                found[f"{mc} {row} ch{channel[1]}"] = facts
    return found


# --- tools -----------------------------------------------------------------------------------------------------------


def _from_util(text: str) -> dict[str, dict[str, Any]]:
    """`edac-util -v`: a line per count."""
    found: dict[str, dict[str, Any]] = {}
    for line in text.split("\n"):
        if (match := _UTIL_WHOLE.fullmatch(line)) is not None:
            found.setdefault(match[1], {})[f"unlocated_{_KINDS[match[3]]}"] = int(match[2])
        elif (match := _UTIL.fullmatch(line)) is not None:
            name = f"{match[1]} {match[2]}" if re.fullmatch(r"ch[0-9]+", match[2]) else match[2]
            facts = found.setdefault(name, {"controller": match[1]})
            facts[_KINDS[match[4]]] = int(match[3])
    return found


def _add_logged(subjects: dict[str, dict[str, Any]], text: str) -> None:
    """`ras-mc-ctl --summary` gives what the log holds, `--error-count` what the kernel counts."""
    if "No Memory errors" in text or "events summary" in text:
        for facts in subjects.values():
            facts |= {"logged_corrected": 0, "logged_uncorrected": 0}
    for line in text.split("\n"):
        if (match := _COUNTED.fullmatch(line)) is not None:
            subjects.setdefault(match[1], {}).update(corrected=int(match[2]), uncorrected=int(match[3]))
        elif (match := _LOGGED.fullmatch(line)) is not None:
            facts = subjects.setdefault(match[2] or "unknown DIMM", {})
            facts.setdefault("logged_corrected", 0)
            facts.setdefault("logged_uncorrected", 0)
            fact = "logged_corrected" if match[1] == "Corrected" else "logged_uncorrected"
            facts[fact] += int(match[3])


PROBE = Probe(
    name="memory-errors",
    title="Errors of the memory",
    facts={
        "corrected": Fact("int", "errors corrected since the system started", "errors"),
        "uncorrected": Fact("int", "errors that could not be corrected since the system started", "errors"),
        "logged_corrected": Fact("int", "corrected errors in rasdaemon's log, which outlives restarts", "errors"),
        "logged_uncorrected": Fact("int", "others in rasdaemon's log", "errors"),
        "unlocated_corrected": Fact("int", "corrected errors of a controller that it can tell to no DIMM", "errors"),
        "unlocated_uncorrected": Fact("int", "others that it can tell to no DIMM", "errors"),
        "label": Fact("str", "the name of the slot, as the board's table or driver gives it"),
        "location": Fact("str", "where it is in the controller: channel and slot"),
        "size_bytes": Fact("int", "size of the DIMM", "bytes"),
        "type": Fact("str", "type of the memory, or of the controller"),
        "controller": Fact("str", "the memory controller that counts"),
    },
    question=question,
    read=read,
    presence=Presence.LASTING,
    recording=recording,
)
