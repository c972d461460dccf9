"""The SSH client's configuration files, read as OpenSSH reads them (ssh_config(5)).

Host and Match blocks, Include, wildcards, negation, first value wins. Match knows `all`, `host`, `originalhost`,
`user`, `localuser`, `final` and `canonical` (names are not canonicalised here, but both hold in a final pass); a server
that another criterion (`exec` above all: nothing is run here) could matter for is refused.
"""

from __future__ import annotations

import getpass
import glob
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from maintops.runners.known_hosts import wildcards_match
from maintops.runners.ssh_options import OBEYED, Options, Unsupported, check_options, keep, merge

SYSTEM = Path("/etc/ssh/ssh_config")
_LINE = re.compile(r"([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*)")
_RAW = frozenset({"proxycommand", "localcommand", "remotecommand", "knownhostscommand"})
_DEPTH = 16


@dataclass(frozen=True, slots=True)
class _Line:
    """One directive. `words` are its arguments; `included` the files that an Include names."""

    keyword: str
    words: tuple[str, ...]
    place: str
    included: tuple[tuple[_Line, ...], ...] = ()


@dataclass(slots=True)
class _Question:
    """For whom options are looked up; `user` is the remote user that was asked for outside of the files.

    A `Match final` counts in the second of two passes, which `again` asks for.
    """

    host: str
    user: str | None
    found: Options = field(default_factory=dict)
    final: bool = False
    again: bool = False


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """A user's and the system's configuration.

    Of the system's only what says where and as whom to connect is taken: distributions put preferences there
    (algorithms, GSSAPI, SendEnv) that nobody chose for these servers.
    """

    personal: tuple[_Line, ...] = ()
    system: tuple[_Line, ...] = ()

    def lookup(self, host: str, user: str | None) -> Options:
        """The options for a host, as it was typed. Raises Unsupported for options that the ssh engine does not know."""
        found = _gather(self.personal, host, user)
        check_options(found, "~/.ssh/config")
        general = _gather(self.system, host, user)
        return merge([found, {name: value for name, value in general.items() if name in OBEYED}])


def read_config(personal: Path | None = None, system: Path = SYSTEM) -> ClientConfig:
    """Reads both files; one that is not there says nothing. Raises Unsupported where one cannot be read."""
    own = personal or Path.home() / ".ssh" / "config"
    return ClientConfig(_read(own, own.parent, 0), _read(system, system.parent, 0))


def _read(file: Path, folder: Path, depth: int) -> tuple[_Line, ...]:
    if depth > _DEPTH:
        raise Unsupported(f"{file} is included too deep")
    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise Unsupported(f"{file} cannot be read: {error.strerror}") from error
    return tuple(
        _line(raw, f"{file}:{number}", folder, depth)
        for number, raw in enumerate((raw.strip() for raw in text.splitlines()), 1)
        if raw and not raw.startswith("#")
    )


def _line(raw: str, place: str, folder: Path, depth: int) -> _Line:
    parsed = _LINE.fullmatch(raw)
    if parsed is None:
        raise Unsupported(f"{place} cannot be read")
    keyword = parsed[1].lower()
    words = (parsed[2],) if keyword in _RAW else _words(parsed[2], place)
    if keyword != "include":
        return _Line(keyword, words, place)
    files = [_read(file, folder, depth + 1) for word in words for file in _files(word, folder)]
    return _Line(keyword, words, place, tuple(files))


def _words(text: str, place: str) -> tuple[str, ...]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise Unsupported(f"{place} cannot be read: {str(error).lower()}") from error
    comment = next((index for index, word in enumerate(words) if word.startswith("#")), len(words))
    return tuple(words[:comment])


def _files(pattern: str, folder: Path) -> list[Path]:
    return [Path(name) for name in sorted(glob.glob(str(folder / Path(pattern).expanduser())))]  # noqa: PTH207 absolute


def _gather(lines: Sequence[_Line], host: str, user: str | None) -> Options:
    question = _Question(host, user)
    _apply(lines, True, question)
    if question.again:
        named = question.found.get("hostname")
        question.final = True
        _apply(lines, True, question)
        question.found.pop("hostname", None)  # the second pass cannot change the name any more
        question.found.update({"hostname": named} if named else {})
    return question.found


def _apply(lines: Sequence[_Line], allowed: bool, question: _Question) -> None:
    """Gathers what counts for a host. `allowed`: whether the block that includes these lines counts."""
    active = allowed
    for line in lines:
        if line.keyword == "host":
            active = allowed and wildcards_match(line.words, question.host)
        elif line.keyword == "match":
            active = allowed and _match(line, question)
        elif line.keyword == "include":
            for included in line.included:
                _apply(included, active, question)
        elif active and line.words:
            keep(question.found, line.keyword, " ".join(line.words))


def _match(line: _Line, question: _Question) -> bool:
    words = list(line.words)
    while words:
        word = words.pop(0).lower()
        criterion = word.removeprefix("!")
        if criterion == "all":
            continue
        if criterion in ("final", "canonical"):
            question.again |= criterion == "final"
            if question.final == word.startswith("!"):
                return False
            continue
        asked = _asked(criterion, question)
        if asked is None:
            raise Unsupported(f"{line.place} has Match {criterion}, which the ssh engine does not know")
        patterns = words.pop(0).split(",") if words else []
        if wildcards_match(patterns, asked) == word.startswith("!"):
            return False
    return True


def _asked(criterion: str, question: _Question) -> str | None:
    """What a criterion's patterns are held against; None where it is not known here."""
    if criterion == "originalhost":
        return question.host
    if criterion == "host":
        return expand(question.found.get("hostname", [question.host])[0], {"h": question.host})
    if criterion == "user":
        return question.user or question.found.get("user", [local_user()])[0]
    return local_user() if criterion == "localuser" else None


def local_user() -> str:
    """The user who runs maintops."""
    return getpass.getuser()


def expand(text: str, tokens: dict[str, str]) -> str:
    """Replaces OpenSSH's `%` tokens by their values; raises Unsupported for a token that is not among them."""

    def value(found: re.Match[str]) -> str:
        if found[1] == "%":
            return "%"
        if found[1] not in tokens:
            raise Unsupported(f"the ssh option {text} has a token that the ssh engine does not know")
        return tokens[found[1]]

    if "${" in text:
        raise Unsupported(f"the ssh option {text} has a variable, which the ssh engine does not know")
    return re.sub("%(.?)", value, text)


def tokens_for(typed: str, host: str, port: int, user: str) -> dict[str, str]:
    """The tokens that options about a connection may hold; `typed` is the host before HostName replaced it."""
    home = str(Path.home())
    return {"h": host, "n": typed, "p": str(port), "r": user, "u": local_user(), "d": home, "i": str(os.getuid())}
