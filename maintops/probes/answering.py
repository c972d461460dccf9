"""What every reader settles before it reads: is the answer whole, was there a tool, was there a right?

The sentences of shells and tools that are recognised here are those of the C locale, which the script sets.
"""

from __future__ import annotations

import re

from maintops.domain.answers import Answer, NotMeasured, Part, UnreadableAnswer, parts

_NO_RIGHT = re.compile(
    r"permission denied|operation not permitted|not permitted|must be (?:run as )?root|root privileges|access denied"
    r"|you need to be root|superuser|cannot open .*denied",
    re.IGNORECASE,
)
_NO_COMMAND = re.compile(r"([^\s:]+): (?:command )?not found\s*$")
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{1,30})?")

LONGEST_REMARK = 300
"""Characters of a tool's own words that a reason quotes."""


def text_of(answer: Answer) -> str:
    """The answer as text; bytes that are not UTF-8 become U+FFFD.

    Raises UnreadableAnswer where the answer was cut: what was counted in half a list would be a lie.
    """
    require_whole(answer)
    return answer.stdout.decode("utf-8", "replace")


def require_whole(answer: Answer) -> None:
    """Raises UnreadableAnswer where the answer was cut at its limit or its timeout."""
    if answer.truncated:
        raise UnreadableAnswer("the answer was cut at its limit: what came after it is not known")
    if answer.timed_out:
        raise UnreadableAnswer("the answer was cut at its timeout: what would have come after it is not known")


def remark(answer: Answer) -> str:
    """The first line that the command wrote to its standard error, or "" ."""
    for line in answer.stderr.decode("utf-8", "replace").splitlines():
        if line.strip():
            return line.strip()[:LONGEST_REMARK]
    return ""


def refusal(answer: Answer) -> NotMeasured | None:
    """Why there is nothing to read: no such command, no right, or nothing printed where something should be.

    None where the command printed something. For commands whose empty answer is a good answer use `no_tool`.
    """
    if answer.stdout.strip():
        return None
    return no_tool(answer) or NotMeasured(_nothing(answer))


def no_tool(answer: Answer) -> NotMeasured | None:
    """Status 127 (no such command) and 126 or words to that effect (no right), where nothing was printed."""
    if answer.stdout.strip():
        return None
    said = remark(answer)
    if answer.status == 127:
        named = _NO_COMMAND.search(said)
        return NotMeasured(f"no such command: {named.group(1) if named else said or 'it was not found'}")
    if answer.status == 126 or (answer.status and _NO_RIGHT.search(said)):
        return NotMeasured(f"no right to ask this: {said or 'the command may not be run'}")
    return None


def _nothing(answer: Answer) -> str:
    ending = "" if answer.status in (0, None) else f" (exit status {answer.status})"
    said = remark(answer)
    return f"the command printed nothing{ending}" + (f": {said}" if said else "")


def named_parts(answer: Answer) -> dict[str, Part]:
    """The parts of an answer, every one of them ended; at least one.

    Raises UnreadableAnswer where there is none, or where the answer ends in the middle of one.
    """
    require_whole(answer)
    try:
        found = parts(answer.stdout)
    except ValueError as error:  # an exit status of thousands of digits
        raise UnreadableAnswer("the answer holds an exit status that is none") from error
    if not found:
        raise UnreadableAnswer("the answer is not divided into parts")
    for name, part in found.items():
        if part.status is None:
            raise UnreadableAnswer(f"the answer ends in the middle of {name!r}")
    return found


def printed_files(answer: Answer) -> dict[str, str]:
    """The first line of every file that `grep -H` printed: path -> line.

    Only for paths without a colon. Raises UnreadableAnswer for a line that is not `PATH:TEXT`.
    """
    found: dict[str, str] = {}
    for line in text_of(answer).split("\n"):
        if not line:
            continue
        path, colon, content = line.partition(":")
        if not colon or not path.startswith("/"):
            raise UnreadableAnswer(f"a line is not of the form PATH:TEXT: {line[:80]!r}")
        found.setdefault(path, content)
    return found


def integer(text: str | None) -> int | None:
    """A whole number of at most 18 digits, or None."""
    stripped = (text or "").strip()
    return int(stripped) if _WHOLE_NUMBER.fullmatch(stripped) else None


def decimal(text: str | None) -> float | None:
    """A decimal number, or None."""
    stripped = (text or "").strip()
    return float(stripped) if _DECIMAL.fullmatch(stripped) else None


def percent(part: int, whole: int) -> float | None:
    """`part` of `whole` in percent, to one decimal; None where there is no whole."""
    return round(100.0 * part / whole, 1) if whole > 0 else None


def present(**facts: object) -> dict[str, object]:
    """The facts that were measured: those that are not None."""
    return {name: value for name, value in facts.items() if value is not None}
