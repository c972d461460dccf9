"""Many questions become one POSIX sh script. What it prints is described in docs/frames.md; reading.py reads it."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path

from maintops.domain.answers import Question
from maintops.domain.ports import Script
from maintops.errors import UsageError

FORMAT = 3
"""The version of the frames, and part of every digest: it changes when older streams could be misread."""

LARGEST = (128 * 1024 - 1024) // 4 * 3
"""Bytes that a script may have: in base64, with 1 KiB for what stands around it, it must fit into one argument of a
command, and that is 128 KiB on Linux (MAX_ARG_STRLEN)."""

GRACE = 15
"""Seconds that a question can take beyond its timeout: one for the clock, ten until the script gives up or its output
is taken from it, three to look for what it left behind, one spare."""

START = 15
"""Seconds beyond all questions, for a slow login shell and the header."""

SPARE = 2200
"""Bytes that a question's output can be longer than its limit, as written in prelude.sh: room for status and excerpt,
which take the same way."""

MARKS = 512
"""Bytes that the marks of one question, or the header, never exceed."""

BANNER = 16 * 1024
"""Bytes that login files and the like may print before the header."""

_ODD = re.compile(r"[^\n\t -~]")
_NOT_A_WORD = re.compile(r"[^!-~]")

_PLAIN = r"[A-Za-z0-9_./:,@%+-]"
_WORDS = re.compile(
    rf"([A-Za-z0-9_./]{_PLAIN}*)"
    rf"(?: +(?:{_PLAIN}|[=^]|'[^'\n]*'|\"[^\"$`\\!\n]*\")+)*"
)
"""A command of words that every shell takes as they stand: nothing to expand, no redirection, no second command."""

_THE_SHELLS_OWN = """
. : alias autoload bg bind break builtin caller case cd chdir command compgen complete compopt continue coproc declare
dirs disown do done echo elif else enable esac eval exec exit export false fc fg fi float for function functions
getopts hash help history if in integer jobs kill let local logout mapfile nameref newgrp nohup part popd print printf
pushd pwd read readarray readonly return select set shift shopt source suspend test then time times trap true type
typeset ulimit umask unalias unset until wait whence while
"""
"""What a shell does itself, or differently from a program of that name: builtins and reserved words of dash, bash,
busybox and the Korn shells, and what part.sh defines."""


def compile_script(questions: Sequence[Question], *, become: bool | str) -> Script:
    """The script that asks these questions in this order; equal questions always give an equal script.

    A question's timeout is rounded up to whole seconds, at least one. Raises UsageError when the script is too large to
    travel as one argument, and ValueError for two questions of one check or a text with a NUL.
    """
    checks = tuple(question.check for question in questions)
    if len(set(checks)) < len(checks):
        raise ValueError("two questions of one check in one script")
    digest = _digest(questions, become)
    asked = [_ask(number, question) for number, question in enumerate(questions)]
    text = "".join([_common(), f"begin {digest}\n", *asked, f"finish {len(asked)}\n"])
    if len(text) > LARGEST:
        raise UsageError(_too_large(len(text), dict(zip(checks, map(len, asked), strict=True))))
    return Script(
        text=text,
        digest=digest,
        become=become,
        checks=checks,
        seconds=float(START + sum(_seconds(question) + GRACE for question in questions)),
        limit=BANNER + MARKS + sum(question.limit + SPARE + MARKS for question in questions),
    )


def _digest(questions: Sequence[Question], become: bool | str) -> str:
    content = [[question.check, question.text, question.timeout, question.limit] for question in questions]
    said = json.dumps([FORMAT, become, content])
    return hashlib.sha256(said.encode("ascii")).hexdigest()[:16]


@functools.cache
def _common() -> str:
    prelude = "".join(line + "\n" for line in _bare("prelude.sh"))
    return f"{prelude}kit={_word(' '.join(_bare('part.sh')))}\n"


def _bare(name: str) -> list[str]:
    lines = (line.lstrip() for line in Path(__file__).with_name(name).read_text("ascii").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _ask(number: int, question: Question) -> str:
    name = _NOT_A_WORD.sub("?", question.check)[:64]
    how, text = _started(question.text)
    return f"ask {number} {_seconds(question)} {question.limit} {_word(name)} {how} {_word(text)}\n"


def _started(text: str) -> tuple[str, str]:
    """What prelude.sh has to start, and the text for it; a shell is half of what a short command costs."""
    bare = text.strip(" \n")
    found = _WORDS.fullmatch(bare)
    if found and found[1] not in _THE_SHELLS_OWN.split():
        return "words", bare  # a newline in front would end the `exec` that stands there
    return ("kit" if "part" in text else "sh"), text


def _seconds(question: Question) -> int:
    return max(1, math.ceil(question.timeout))


def _word(text: str) -> str:
    """The text as one word of sh, in ASCII. Inside quotes sh leaves printable ASCII alone; the rest goes through
    printf's octal escapes, whose substitution loses newlines at the end: one newline follows it."""
    if "\0" in text:
        raise ValueError("a question's text holds a NUL")
    if not _ODD.search(text):
        return "'" + text.replace("'", "'\\''") + "'"
    octal = "".join(_octal(byte) for byte in text.encode("utf-8", "surrogatepass"))
    return f"\"$(printf '{octal}')\n\""


def _octal(byte: int) -> str:
    if byte in b"\n\t" or (32 <= byte < 127 and byte not in b"%\\'"):
        return chr(byte)
    return f"\\{byte:03o}"


def _too_large(size: int, sizes: dict[str, int]) -> str:
    biggest = sorted(sizes, key=lambda check: -sizes[check])[:3]
    named = ", ".join(f"{check} ({sizes[check]} bytes)" for check in biggest)
    return (
        f"the checks make a script of {size} bytes, and one trip can carry {LARGEST}; the biggest are {named}: "
        "make their commands shorter, or divide the checklist in two"
    )
