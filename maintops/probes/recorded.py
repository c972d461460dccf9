"""Recordings: what a tool printed when a person called it, made into the answer to a probe's question.

A recording says less than a server that is asked: no exit status, no clock, no path. It says so itself where that
matters: its answer has a part RECORDED, and what the recording cannot tell is then not measured, never assumed.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Mapping
from importlib import import_module

from maintops.domain.answers import Answer, NotMeasured, UnreadableAnswer
from maintops.probes.answering import LONGEST_REMARK

RECORDED = "recorded"
"""The part by which an answer says that it was made of a recording."""

Form = Callable[[str], Answer | None]
"""Reads one form of a recording; None where it is another."""

_PARTS = re.compile(rb"=[^\n=]{1,500}\n[ .]")
_UNSAID = b"recording: "
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][A-Z0-9]")
_PROMPT = re.compile(r"(?:[\w.-]+@[\w.-]+:\S*|\[[\w.-]+@[\w.-]+ [^\]\s]*\])[#$](?: .*)?")
_CALL = re.compile(r"[#$] [a-z][\w./-]*(?: .*)?")
_REFUSAL = re.compile(
    r"[\w./-]+: .*(?:not found|no such file or directory|permission denied|operation not permitted|access denied"
    r"|must be (?:run as )?root|root privileges|cannot connect|can't open|connection refused"
    r"|timed out, nothing received)\b.*"
    r"|(?:506 cannot talk to daemon|operation not permitted|you need to be root|permission denied|must be root"
    r"|no association id's returned|failed to (?:connect to bus|query server|parse bus message)"
    r"|system has not been booted with systemd)\b.*",
    re.IGNORECASE,
)
_NO_COMMAND = re.compile(r"(?:command )?not found\s*$")
_NO_RIGHT = re.compile(r"permi(?:tted|ssion)|denied|root", re.IGNORECASE)
_MOST_LINES_OF_A_REFUSAL = 3


def recording_of(what: str, *forms: Form) -> Callable[[bytes], Answer]:
    """The `recording` of a probe: the first of some forms that knows the text.

    An answer in parts is passed on as it is. An empty recording, and a tool's refusal, become an answer of which
    `silence` tells why nothing was measured. UnreadableAnswer for the rest; `what` completes "this is not …".
    """

    def recording(data: bytes) -> Answer:
        if _PARTS.match(data):
            return Answer(data)
        text = cleaned(data)
        if (refused := _refused(text)) is not None:
            return refused
        if not text.lstrip()[:9].lower().startswith(("<!doctype", "<html", "<?xml")):
            for form in forms:
                if (answer := form(text)) is not None:
                    return answer
        raise UnreadableAnswer(f"this is not {what}")

    return recording


def recording_in(module: str) -> Callable[[bytes], Answer]:
    """The RECORDING of another module, which is imported for the first recording that is read: no run needs it."""

    def recording(data: bytes) -> Answer:
        answer: Answer = import_module(module).RECORDING(data)
        return answer

    return recording


def unsaid(why: str) -> Answer:
    """The answer for a recording that was understood and says nothing of what the probe is about."""
    return Answer(stderr=_UNSAID + why.encode(), status=None)


def silence(answer: Answer) -> NotMeasured | None:
    """Why an answer that was made by `unsaid` has nothing to read; None for every other one."""
    if answer.stdout or answer.status is not None or not answer.stderr.startswith(_UNSAID):
        return None
    return NotMeasured(answer.stderr.removeprefix(_UNSAID).decode("utf-8", "replace") or "the recording says nothing")


def as_it_is(text: str) -> Answer:
    """The form in which a recording and the answer of a server are the same."""
    return Answer(text.encode())


def in_parts(parts: Mapping[str, str | tuple[int, str]]) -> Answer:
    """An answer in parts (see maintops.domain.answers.parts): a text alone stands for status 0."""
    lines: list[str] = []
    for name, one in {**parts, RECORDED: ""}.items():
        status, text = (0, one) if isinstance(one, str) else one
        lines += [f"={name}", *(f" {line}" for line in text.rstrip("\n").split("\n")), f".{status}"]
    return Answer("".join(f"{line}\n" for line in lines).encode())


def cleaned(data: bytes) -> str:
    """A recording as text with plain line ends, without a terminal's colours and a shell's prompts."""
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    text = _CONTROL.sub("", data.decode(encoding, "replace"))
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").split("\n")
    kept = [line for line in lines if _PROMPT.fullmatch(line) is None]
    if kept and _CALL.fullmatch(kept[0]):
        kept = kept[1:]
    return "\n".join(kept)


def field(text: str) -> str:
    """A word as /proc/mounts writes it: white space and backslashes in octal."""
    return "".join(f"\\{ord(one):03o}" if one in " \t\n\\" else one for one in text)


def _refused(text: str) -> Answer | None:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if not lines:
        return unsaid("the recording is empty")
    if len(lines) > _MOST_LINES_OF_A_REFUSAL:
        return None
    said = next((line for line in lines if _REFUSAL.fullmatch(line)), None)
    if said is None:
        return None
    if _NO_COMMAND.search(said):
        return unsaid(f"no such command: {said[:LONGEST_REMARK]}")
    return unsaid(f"{'no right to ask this: ' if _NO_RIGHT.search(said) else ''}{said[:LONGEST_REMARK]}")
