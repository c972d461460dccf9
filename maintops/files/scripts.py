"""Files that commands on the controller name: what hooks, the gate and consoles start belongs to what is approved."""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_INTO = re.compile(r"(?<![0-9])[0-9]*&?>[>|&]?\s*[^\s;&|()<>]+")
# What `| tee [-a] FILE …` writes into; a word ends where a quote that was opened before it does.
_TEE = re.compile(
    r"""((?:^|[\n;&|({`"'])[ \t]*)(?:sudo[ \t]+(?:-(?:u[ \t]*|(?!u))[^\s;&|()<>"'`]+[ \t]+)*)?(?:(?:/usr)?/bin/)?tee"""
    r"""(?:[ \t]+(?:"(?:[^"$`]|\$(?!\())*"|'[^']*'|[^\s;&|()<>"'`]+))+"""
)
_SHELL = re.compile(r"[\s;&|()<>`\"']+")
_GLUED = re.compile(r"[=:,@]+")
_LONGEST_PATH = 4096  # Linux's PATH_MAX
_LONGEST_QUOTED = 64 * 1024  # shlex takes a time that grows with the square of a word's length
_NO_CONTENT = ("/proc", "/sys", "/dev")


def scripts(commands: Iterable[str], folders: Iterable[Path]) -> Iterator[Path]:
    """The absolute paths, none twice, of what may be files that some commands of sh name: of every word (also within
    quotes, and behind the `=` or `@` of an option) as an absolute path, one of this user's home (`~/…`), one below the
    current folder, in which commands run, and one below each of the folders. Not of a word that output goes into
    (`> FILE`, `| tee FILE`): the command itself changes that file."""
    places = [Path.cwd(), *folders]
    words = dict.fromkeys(word for text in dict.fromkeys(commands) for word in _words(text))
    found = (Path(os.path.normpath(path)) for word in words for path in _candidates(word, places))
    return (path for path in dict.fromkeys(found) if not any(path.is_relative_to(one) for one in _NO_CONTENT))


def is_bound(path: Path) -> bool:
    """Whether a file that a command names belongs to what is approved: one that this user can read and that holds no
    secret. What only its owner may read and nobody may execute (mode 0600) is taken for a password or a key: its digest
    would stand in the plan, and that of a short password can be guessed."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) or mode & (stat.S_IRWXG | stat.S_IRWXO | stat.S_IXUSR) == 0:
            return False
        path.open("rb").close()  # whether it can be read the mode does not say: capabilities, lists, other machines
    except (OSError, ValueError):  # not there, not ours, or a name that no file can have
        return False
    return True


def _words(command: str) -> Iterator[str]:
    """Whatever the shell may take for a word, and its parts: one too many names no file, one too few binds nothing."""
    text = _INTO.sub(" ", _TEE.sub(r"\1 ", command))
    pieces = _SHELL.split(text)
    if len(text) <= _LONGEST_QUOTED:
        with suppress(ValueError):  # of a quote that is not closed the shell will tell
            pieces += shlex.split(text)  # names with blanks in them
    for piece in (one for one in pieces if 0 < len(one) <= _LONGEST_PATH):
        yield piece
        yield from filter(None, _GLUED.split(piece))


def _candidates(word: str, places: Iterable[Path]) -> Iterator[Path]:
    if word.startswith("~/"):
        try:
            yield Path(word).expanduser()
        except RuntimeError:  # a user without a home
            return
    else:
        yield from (place / word for place in places)
