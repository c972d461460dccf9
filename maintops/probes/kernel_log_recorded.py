"""Recordings of the kernel's log: what dmesg, journalctl -k and the log files of syslog show to a person.

Only some of these forms keep a message's level (dmesg -r, -x and --json; journalctl -o json). Without it, nothing tells
an error from a remark: then `errors` is not measured, and only messages whose own words leave no doubt are counted.
No form says how long the server was up: all messages of a recording count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from maintops.domain.answers import Answer, UnreadableAnswer
from maintops.probes.json_answers import load_json
from maintops.probes.kernel_log import WITHOUT_LEVELS
from maintops.probes.recorded import in_parts, recording_of, unsaid

_NO_KERNEL = "none of these messages is the kernel's"
_WORST = {"emerg": 0, "panic": 0, "alert": 1, "crit": 2, "err": 3, "error": 3}
_ERROR = 3

_RAW = re.compile(r"<([0-9]{1,4})>(.*)")
_DECODED = re.compile(r"([a-z0-9]+) *:(emerg|alert|crit|err|warn|notice|info|debug) *: ?(.*)")
_TIMES = (
    r"\[ *<? *[0-9]+\.[0-9]+ *>?\](?:\[ *[TC][0-9]+\])? ?",  # since the boot; of which thread or processor
    r"\[ *[0-9]+\.[0-9]+ < *\+?[0-9.]+>\] ?",  # and since the message before
    r"\[ *\+[0-9]+\.[0-9]+\] ?",
    r"\[[^\W\d]{3,5}\.? *[0-9]{1,2} [0-9]{2}:[0-9]{2}\] ?",  # dmesg -H: [Feb13 04:56]
    r"\[[^\W\d]{2,4}\.? [^\W\d]{3,5}\.? +[0-9]{1,2} [0-9:]{8} [0-9]{4}(?: < *\+?[0-9.]+>)?\] ?",  # dmesg -T
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:]{8}[,.][0-9]{3,9}(?:[+-][0-9:]{4,5}|Z) (?=\S)(?!\S+ kernel: )",
)
_DMESG = re.compile(f"(?:{'|'.join(_TIMES)})(.*)")
_SYSLOG = re.compile(
    r"(?:[A-Z][a-z]{2} +[0-9]{1,2} [0-9:]{8}(?:\.[0-9]+)?"
    r"|(?:[A-Z][a-z]{2} )?[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]\S+(?: [A-Z]\S*)?) \S+ ([\w./-]+)(?:\[[0-9]+\])?: (.*)"
    r"|\[ *[0-9]+\.[0-9]+\] \S+ (kernel): (.*)"
)
_JOURNAL_REMARK = re.compile(r"-- .* --")


def _raw(text: str) -> Answer | None:
    """`dmesg -r`, `cat /proc/kmsg`: 8 times the facility plus the level."""
    lines = [match for match in map(_RAW.fullmatch, text.split("\n")) if match is not None]
    if not lines:
        return None
    return _levelled((int(match[1]), match[2]) for match in lines)


def _decoded(text: str) -> Answer | None:
    """`dmesg -x`: `kern  :err   : [   12.3] text`."""
    lines = [match for match in map(_DECODED.fullmatch, text.split("\n")) if match is not None]
    if not lines:
        return None
    return _levelled((_WORST.get(match[2], _ERROR + 1), match[3]) for match in lines if match[1] == "kern")


def _json(text: str) -> Answer | None:
    """`dmesg --json` (util-linux from 2.38 on) and `journalctl -k -o json`: an object a line, or one list."""
    if not text.lstrip().startswith(("{", "[\n", "[{")):
        return None
    entries = _entries(text)
    if not entries or not all(isinstance(one, dict) for one in entries):
        raise UnreadableAnswer("this JSON holds no messages of a kernel's log")
    messages = [one for one in map(_entry, entries) if one is not None]
    if not messages:
        return unsaid(_NO_KERNEL)
    return _levelled(messages)


def _entries(text: str) -> list[Any]:
    try:
        whole = load_json(text.encode())
    except UnreadableAnswer:
        return [load_json(line.encode()) for line in text.split("\n") if line.strip()]
    if isinstance(whole, dict) and isinstance(whole.get("dmesg"), list):
        return list(whole["dmesg"])
    return list(whole) if isinstance(whole, list) else [whole]


def _entry(entry: dict[str, Any]) -> tuple[int, str] | None:
    """Level and text of a kernel's message; None for a message of somebody else."""
    if "MESSAGE" in entry:
        level, message = str(entry.get("PRIORITY", "")), entry["MESSAGE"]
        kernel = entry.get("_TRANSPORT", "kernel") == "kernel"
        if isinstance(message, list):  # bytes that are not UTF-8
            message = bytes(one for one in message if isinstance(one, int) and 0 <= one < 256).decode(
                "utf-8", "replace"
            )
        return (int(level), str(message)) if kernel and level in "01234567" and level else None
    given, facility = entry.get("pri"), entry.get("fac", "kern")
    number = _WORST.get(given, _ERROR + 1) if isinstance(given, str) else given
    if not isinstance(number, int) or number < 0 or facility not in ("kern", 0) or "msg" not in entry:
        return None
    seconds = entry.get("time")
    time = f"[{seconds:12.6f}] " if isinstance(seconds, float) and 0 <= seconds < 1e12 else ""
    return number, time + str(entry["msg"])


def _levelled(messages: Iterator[tuple[int, str]] | list[tuple[int, str]]) -> Answer:
    worst = [f"<{level}>{message}" for level, message in messages if 0 <= level <= _ERROR]
    return in_parts({"log": "\n".join([*(" ".join(line.split("\n")) for line in worst), ".0"])})


def _text(text: str) -> Answer | None:
    """Without levels. What follows a message without a time of its own is its continuation."""
    lines = [line for line in text.split("\n") if line.strip() and _JOURNAL_REMARK.fullmatch(line) is None]
    if not lines:
        return unsaid("the recording holds no messages")
    times = [_DMESG.fullmatch(line) for line in lines]
    logged = [_SYSLOG.fullmatch(line) for line in lines]
    if sum(match is not None for match in logged) * 2 > len(lines):
        if not any("kernel" in (match[1], match[3]) for match in logged if match is not None):
            return unsaid(_NO_KERNEL)
        kept = [
            line for line, match in zip(lines, logged, strict=True) if match is None or "kernel" in (match[1], match[3])
        ]
        return in_parts({WITHOUT_LEVELS: "\n".join(kept)})
    if times[0] is None or sum(match is not None for match in times) * 2 < len(lines):
        return None
    return in_parts({WITHOUT_LEVELS: "\n".join(lines)})


RECORDING = recording_of("output of dmesg or journalctl -k", _raw, _decoded, _json, _text)
