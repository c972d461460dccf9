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
    whose answer was cut off, if one was; `complete` says that the script ran to its end. Without `header` nothing of
    the script was heard at all."""

    header: Header | None = None
    answers: Mapping[str, Answer] = field(default_factory=dict)
    begun: str | None = None
    complete: bool = False


@dataclass(frozen=True, slots=True)
class _Opening:
    """The header, where its line ends, and the secret words that it agrees upon: what every later mark begins with,
    and what marks of `part` begin with."""

    header: Header
    end: int
    mark: bytes
    part: bytes


@dataclass(slots=True)
class _Asking:
    """A question whose end was not yet seen. `body` is where its output begins; `closed` where it ends and `excerpt`
    where standard error begins, once its status mark was seen."""

    number: int
    limit: int
    since: float
    body: int
    closed: int = -1
    excerpt: int = -1
    status: int | None = None


_HEADER = re.compile(
    rb"(#[0-9a-f]+-[!-~]{1,64}) h 1 ([!-~]{1,64}) (-1|\d{1,10}) "
    rb"([0-9a-f]{1,64}|-) ([!-~]{1,64}) [!-~]{1,32} ([^\n]{0,256})\n"
)
_TIME = rb"(\d{1,12}(?:\.\d{1,9})?)"
_BEGIN = re.compile(rb"b (\d{1,6}) (\d{1,18}) " + _TIME + rb" [^\n]*")
_STATUS = re.compile(rb"s (\d{1,3})")
_END = re.compile(rb"e (\d{1,6}) " + _TIME + rb" ([01])")


def hear(stream: bytes, script: Script) -> Heard:
    """Reads a stream as far as it came. Never raises, whatever the bytes are; takes time in proportion to their number.

    What comes before the header (banners) and after the end is ignored. A stream of another script gives nothing.
    """
    opening = _open(stream, script)
    if opening is None:
        return Heard()
    answers: dict[str, Answer] = {}
    asking: _Asking | None = None
    for at, line, after in _marks(stream, opening):
        if begin := _BEGIN.fullmatch(line):
            asking = _Asking(int(begin[1]), int(begin[2]), float(begin[3]), after)
        elif asking and line.startswith(b"s ") and asking.closed < 0:
            asking.closed, asking.excerpt, asking.status = at, after, _status(line)
        elif (end := _END.fullmatch(line)) and asking and int(end[1]) == asking.number < len(script.checks):
            answer = _answer(stream, opening, asking, at, float(end[2]), end[3] == b"1")
            answers.setdefault(script.checks[asking.number], answer)
            asking = None
        elif line.startswith(b"z "):
            return Heard(opening.header, answers, None, complete=True)
    return Heard(opening.header, answers, _name(asking.number, script) if asking else None)


def current(stream: bytes, script: Script) -> str | None:
    """The check that was begun and has not ended where the stream ends; None between questions, before and after."""
    opening = _open(stream, script)
    at = len(stream)
    while opening and (at := stream.rfind(opening.mark, opening.end, at)) >= 0:
        line, newline, _ = stream[at + len(opening.mark) : at + 512].partition(b"\n")
        if newline and not line.startswith(b"s "):
            begin = _BEGIN.fullmatch(line)
            return _name(int(begin[1]), script) if begin else None
    return None


def _name(number: int, script: Script) -> str | None:
    return script.checks[number] if number < len(script.checks) else None


def _open(stream: bytes, script: Script) -> _Opening | None:
    """The first header of this script that stands at the beginning of a line."""
    sign = b"#" + script.digest.encode() + b"-"
    at = -1
    while (at := stream.find(sign, at + 1)) >= 0:
        found = _HEADER.match(stream, at)
        if found and stream[max(at - 1, 0) : at] in (b"", b"\n"):
            mark, part, uid, machine, boot, user = found.groups()
            header = Header(_known(machine), _known(boot), user.decode("utf-8", "replace"), int(uid))
            return _Opening(header, found.end() - 1, b"\n" + mark + b" ", b"\n" + part)
    return None


def _known(word: bytes) -> str:
    return "" if word == b"-" else word.decode("ascii")


def _marks(stream: bytes, opening: _Opening) -> Iterator[tuple[int, bytes, int]]:
    """Every whole mark behind the header: where it begins (its newline included), its words, where its line ends."""
    after = opening.end
    while (at := stream.find(opening.mark, after)) >= 0:
        start = at + len(opening.mark)
        end = stream.find(b"\n", start)
        if end < 0:
            return
        yield at, stream[start:end], end + 1
        after = end


def _status(line: bytes) -> int | None:
    found = _STATUS.fullmatch(line)
    return int(found[1]) if found else None


def _answer(stream: bytes, opening: _Opening, asking: _Asking, at: int, until: float, late: bool) -> Answer:
    raw = stream[asking.body : at if asking.closed < 0 else asking.closed]
    excerpt = b"" if asking.excerpt < 0 else stream[asking.excerpt : at]
    truncated = len(raw) > asking.limit
    return Answer(
        stdout=_with_parts(raw[: asking.limit], opening.part, truncated),
        stderr=(b"\n" + excerpt).replace(b"\n!", b"\n")[1:],
        status=None if late else asking.status,
        truncated=truncated,
        timed_out=late,
        seconds=round(max(0.0, until - asking.since), 3),
    )


def _with_parts(raw: bytes, mark: bytes, truncated: bool) -> bytes:
    """Output in which the marks of `part` are written as `maintops.domain.answers.parts` reads them."""
    if truncated:
        raw = _without_cut_mark(raw, mark)
    before, *pieces = raw.split(mark)
    if not pieces:
        return raw
    written = [before]
    for piece in pieces:
        line, _, rest = piece.partition(b"\n")
        if written[-1] and not written[-1].endswith(b"\n"):
            written.append(b"\n")
        written.append(line + b"\n")
        written.append(_indented(rest) if line[:1] == b"=" else rest)
    return b"".join(written)


def _indented(output: bytes) -> bytes:
    if not output:
        return b""
    return b" " + output.removesuffix(b"\n").replace(b"\n", b"\n ") + b"\n"


def _without_cut_mark(raw: bytes, mark: bytes) -> bytes:
    """Output that was cut in the middle of a mark loses what is left of it."""
    last = raw.rfind(mark)
    if last >= 0 and b"\n" not in raw[last + 1 :]:
        return raw[:last]
    cut = next((mark[:size] for size in range(len(mark), 1, -1) if raw.endswith(mark[:size])), b"")
    return raw.removesuffix(cut)
