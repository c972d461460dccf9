"""What a server was asked, what it answered, and what the answer was read as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Question:
    """One check's part of the one-trip script.

    `text` is POSIX sh, run by a shell of its own; `timeout` is in seconds, `limit` in bytes of standard output.
    """

    check: str
    text: str
    timeout: float
    limit: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question's command printed, byte for byte.

    `status` is its exit status (128 + n for a signal n; None where it did not end by itself), `truncated` says
    that `stdout` was cut at the question's limit, `timed_out` that the command was ended at its timeout.
    `stderr` is a capped excerpt for people. `seconds` is the time it took on the server.
    """

    stdout: bytes = b""
    stderr: bytes = b""
    status: int | None = 0
    truncated: bool = False
    timed_out: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class SubjectFacts:
    """The facts about one subject; `subject` is None for the server as a whole.

    A fact that is missing (or None) was not measured; a name in `not_offered` is one that this kind of subject
    does not have. `why_not` is set where the subject was seen but could not be measured: its reason.
    """

    subject: str | None
    facts: Mapping[str, Any] = field(default_factory=dict)
    not_offered: frozenset[str] = frozenset()
    why_not: str | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """The answer was read. No subjects at all is a good answer: there is nothing of the kind (no failed unit)."""

    subjects: tuple[SubjectFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """No tool, no right, no such hardware, an empty answer: `why` says which, in words for people."""

    why: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """The check does not apply to this server, or nothing was configured to look at."""

    why: str


Reading = Measured | NotMeasured | Skipped


class UnreadableAnswer(Exception):
    """The answer is not in the format that its reader knows: the check itself went wrong (outcome `failed`)."""


@dataclass(frozen=True, slots=True)
class Part:
    """One command's answer within a question that runs several; see `parts`."""

    status: int | None
    output: bytes

    @property
    def text(self) -> str:
        """The output as text; bytes that are not UTF-8 become U+FFFD."""
        return self.output.decode("utf-8", "replace")


def parts(stdout: bytes) -> dict[str, Part]:
    """Splits an answer that was printed with the script's `part NAME COMMAND…` function.

    Grammar, by the first byte of a line: `=NAME` begins a part, a space precedes every line of the command's
    output, `.STATUS` ends it. Output can therefore never look like a mark. A part without its end (the question
    was cut short) has the status None. A name given twice keeps its last part.
    """
    found: dict[str, Part] = {}
    name: str | None = None
    lines: list[bytes] = []
    for line in stdout.split(b"\n"):
        mark, rest = line[:1], line[1:]
        if mark == b"=":
            if name is not None:
                found[name] = _part(None, lines)
            name, lines = rest.decode("utf-8", "replace"), []
        elif mark == b"." and name is not None:
            found[name] = _part(int(rest) if rest.isdigit() and len(rest) <= 3 else None, lines)
            name = None
        elif mark == b" " and name is not None:
            lines.append(rest)
    if name is not None:
        found[name] = _part(None, lines)
    return found


def _part(status: int | None, lines: list[bytes]) -> Part:
    return Part(status, b"".join(line + b"\n" for line in lines))
