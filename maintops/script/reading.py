"""One stream of bytes becomes many answers. The format is described in docs/frames.md; compiling.py writes it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from maintops.domain.answers import Answer
from maintops.domain.ports import Script


@dataclass(frozen=True, slots=True)
class Header:
    """Who answered, as the first frame says. `machine` is the raw machine id ("" where there is none), `boot` the boot
    id ("" likewise), `user` and `uid` those that the questions ran as. All of it comes from the server."""

    machine: str
    boot: str
    user: str
    uid: int


@dataclass(frozen=True, slots=True)
class Heard:
    """What a stream says. `answers` holds every question that was answered to its end, by check; `begun` is the check
    that was being asked where the stream ends too early; `complete` says that the script ran to its end. Without
    `header` nothing of the script was heard at all."""

    header: Header | None = None
    answers: Mapping[str, Answer] = field(default_factory=dict)
    begun: str | None = None
    complete: bool = False


@dataclass(frozen=True, slots=True)
class _Opening:
    """The header, where its line ends, and what every later mark begins with."""

    header: Header
    end: int
    mark: bytes


@dataclass(slots=True)
class _Asking:
    """A question whose end was not yet seen. `body` is where its output begins; `closed` where it ends, `excerpt`
    where standard error begins and `told` where that ends, once their marks were seen; `given_up` where the script
    took the word from a job that could not finish."""

    number: int
    limit: int
    since: float
    body: int
    closed: int = -1
    excerpt: int = -1
    told: int = -1
    given_up: int = -1
    status: int | None = None


_HEADER = re.compile(
    rb"#[0-9a-f]+ h 3 (-1|\d{1,10}) ([0-9a-f]{1,64}|-) ([!-~]{1,64}) [!-~]{1,32} ([!-~]{1,64}) ([^\n]{0,256})\n"
)
_TIME = rb"(\d{1,12}(?:\.\d{1,9})?)"
_BEGIN = re.compile(rb"b (\d{1,6}) (\d{1,18}) " + _TIME + rb" [^\n]*")
_STATUS = re.compile(rb"s (\d{1,3})")
_END = re.compile(rb"e (\d{1,6}) " + _TIME + rb" ([0-3])")
_LATE, _CUT, _GIVEN_UP = b"1", b"2", b"3"
"""How a question ended, if not by itself (0): at its timeout, by a line longer than its shell may hold, at its timeout
without being ended (and the script with it)."""


def hear(stream: bytes, script: Script) -> Heard:
    """Reads a stream as far as it came. Never raises, whatever the bytes are; takes time in proportion to their number.

    What comes before the header (banners) and after the end is ignored. A stream of another script gives nothing.
    """
    opening = _open(stream, script)
    if opening is None:
        return Heard()
    answers: dict[str, Answer] = {}
    asking: _Asking | None = None
    begun = _name(0, script)
    for at, line, after in _marks(stream, opening):
        if begin := _BEGIN.fullmatch(line):
            if asking is None or asking.number != int(begin[1]):
                asking = _Asking(int(begin[1]), int(begin[2]), float(begin[3]), after)
            elif asking.given_up < 0:
                asking.given_up = at
        elif asking and line.startswith(b"s ") and asking.closed < 0:
            asking.closed, asking.excerpt, asking.status = at, after, _status(line)
        elif asking and line == b"x" and asking.closed >= 0 > asking.told:
            asking.told = at
        elif (end := _END.fullmatch(line)) and asking and int(end[1]) == asking.number < len(script.checks):
            answers.setdefault(script.checks[asking.number], _answer(stream, asking, at, end))
            begun, asking = _after(end, script), None
        elif line.startswith(b"z "):
            return Heard(opening.header, answers, None, complete=True)
    return Heard(opening.header, answers, begun)


def current(stream: bytes, script: Script) -> str | None:
    """The check that is being asked where the stream ends; None before the header and behind the last answer."""
    opening = _open(stream, script)
    if opening is None:
        return None
    at = len(stream)
    while (at := stream.rfind(opening.mark, opening.end, at)) >= 0:
        line, newline, _ = stream[at + len(opening.mark) : at + 512].partition(b"\n")
        if newline and line.startswith(b"z "):
            return None
        if newline and (end := _END.fullmatch(line)):
            return _after(end, script)
    return _name(0, script)


def _after(end: re.Match[bytes], script: Script) -> str | None:
    """The check that is asked after this mark."""
    return None if end[3] == _GIVEN_UP else _name(int(end[1]) + 1, script)


def _name(number: int, script: Script) -> str | None:
    return script.checks[number] if number < len(script.checks) else None


def _open(stream: bytes, script: Script) -> _Opening | None:
    """The first header of this script that stands at the beginning of a line."""
    sign = b"#" + script.digest.encode() + b" "
    at = -1
    while (at := stream.find(sign, at + 1)) >= 0:
        found = _HEADER.match(stream, at)
        if found and stream[max(at - 1, 0) : at] in (b"", b"\n"):
            uid, machine, boot, key, user = found.groups()
            header = Header(_known(machine), _known(boot), user.decode("utf-8", "replace"), int(uid))
            return _Opening(header, found.end() - 1, b"#" + key + b" ")
    return None


def _known(word: bytes) -> str:
    return "" if word == b"-" else word.decode("ascii")


def _marks(stream: bytes, opening: _Opening) -> Iterator[tuple[int, bytes, int]]:
    """Every whole mark behind the header: where it begins (its newline included), its words, where its line ends.

    bash writes line by line, so something that was left behind can write between a mark and its newline: nobody can
    guess the key, and it stands for itself.
    """
    after = opening.end
    while (at := stream.find(opening.mark, after)) >= 0:
        start = at + len(opening.mark)
        end = stream.find(b"\n", start)
        if end < 0:
            return
        yield at - (at > after and stream[at - 1 : at] == b"\n"), stream[start:end], end + 1
        after = end


def _status(line: bytes) -> int | None:
    found = _STATUS.fullmatch(line)
    return int(found[1]) if found else None


def _answer(stream: bytes, asking: _Asking, at: int, end: re.Match[bytes]) -> Answer:
    """`at`: where the mark of its end begins. Without a status mark everything before that is output."""
    if asking.given_up >= 0:
        at = asking.given_up
    raw = stream[asking.body : at if asking.closed < 0 else asking.closed]
    output = raw.replace(b"\0", b"")
    # What stood behind the output was cut off with it; NULs counted on the server.
    cut = len(raw) > asking.limit and asking.status is None
    excerpt = b"" if asking.closed < 0 else stream[asking.excerpt : at if asking.told < 0 else asking.told]
    late = end[3] in (_LATE, _GIVEN_UP)
    return Answer(
        stdout=output[: asking.limit],
        stderr=b"".join(line + b"\n" for line in excerpt.split(b"\n") if line),
        status=None if late else asking.status,
        truncated=cut or len(output) > asking.limit or end[3] == _CUT,
        timed_out=late,
        seconds=round(max(0.0, float(end[2]) - asking.since), 3),
    )
