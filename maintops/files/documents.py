"""The guarded YAML loader: every file that people write for maintops comes in through here.

It reads the parser's events one by one and builds the value itself, so that every limit applies before anything is
built: size, nesting, number of values. It refuses what turns YAML into a trap: anchors and aliases, merge keys, tags,
repeated keys, several documents. A plain scalar is a number, true, false or null only where YAML 1.2's core schema and
JSON agree (`true`, `false`, `null`, `~`, `12`, `-1.5e3`); `no`, `12:30`, `010`, `2024-01-31`, `.5` stay text.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from maintops.errors import ConfigurationError, Mistake

LARGEST_FILE = 1024 * 1024
"""Bytes that a file may have."""

DEEPEST = 32
"""Levels that a document may be nested."""

MOST_VALUES = 50_000
"""Values and keys that a document may have."""

MOST_MISTAKES = 100
"""Mistakes after which a document is read no further."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_LONGEST_NUMBER = 40

Trail = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""

Place = tuple[int, int]
"""Line and column, counted from 1."""


@dataclass(frozen=True, slots=True)
class Document:
    """A file's value (mappings, lists, text, numbers, true, false, None) and where each part of it stands.

    `file` is the name under which mistakes are reported, `digest` the SHA-256 of its bytes (hex).
    """

    file: str
    value: Any
    digest: str = ""
    values: dict[Trail, Place] = field(default_factory=dict, repr=False)
    keys: dict[Trail, Place] = field(default_factory=dict, repr=False)

    def place(self, path: Trail) -> Place:
        """Where the value at a path of keys and indexes stands; where it has no value, where what holds it does."""
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, (1, 1))

    def key_place(self, path: Trail) -> Place:
        """Where the key that a path ends with stands; a list's element is where its value is."""
        return self.keys.get(path) or self.place(path)

    def mistake(self, path: Trail, message: str, *, at_key: bool = False) -> Mistake:
        """A mistake about the value (or the key) at a path."""
        line, column = self.key_place(path) if at_key else self.place(path)
        return Mistake(self.file, line, column, message)


def read_document(path: str | os.PathLike[str]) -> Document:
    """Reads a YAML file. Raises ConfigurationError with every mistake that can be told apart, and nothing else."""
    file = os.fspath(path)
    content = _read(file)
    document = parse_document(_text(file, content), file)
    return Document(file, document.value, hashlib.sha256(content).hexdigest(), document.values, document.keys)


def parse_document(text: str, file: str) -> Document:
    """The same for text that is at hand already; `file` is only named."""
    builder = _Builder(file)
    try:
        for event in _events(text, file):
            builder.take(event)
    except _Enough as enough:
        builder.mistakes.append(enough.mistake)
    if builder.mistakes:
        raise ConfigurationError(builder.mistakes)
    return Document(file, builder.value, "", builder.values, builder.keys)


# --- bytes -----------------------------------------------------------------------------------------------------------


def _read(file: str) -> bytes:
    try:
        # Without O_NONBLOCK opening a fifo would wait for its writer.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError:
        _refuse(file, "there is no such file")
    except (OSError, ValueError) as error:
        _refuse(file, f"cannot be read: {getattr(error, 'strerror', None) or error}")
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            _refuse(file, "is a folder" if stat.S_ISDIR(mode) else "is not an ordinary file")
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            content = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        _refuse(file, f"cannot be read: {error.strerror}")
    finally:
        os.close(descriptor)
    if len(content) > LARGEST_FILE:
        _refuse(file, f"is larger than {LARGEST_FILE // 1024} KiB")
    return content


def _refuse(file: str, message: str) -> NoReturn:
    raise ConfigurationError([Mistake(file, 0, 0, message)])


def _text(file: str, content: bytes) -> str:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8")
        place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise ConfigurationError([Mistake(file, *place, "is not UTF-8 text")]) from None
    if text.startswith("\ufeff"):
        raise ConfigurationError([Mistake(file, 1, 1, "begins with a byte order mark; save it as UTF-8 without one")])
    return text


# --- events ----------------------------------------------------------------------------------------------------------


class _Enough(Exception):
    """Reading stops here."""

    def __init__(self, mistake: Mistake) -> None:
        super().__init__(mistake)
        self.mistake = mistake


def _events(text: str, file: str) -> Iterator[Any]:
    unprintable = _UNPRINTABLE.search(text)
    if unprintable:
        before = text[: unprintable.start()]
        place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise _Enough(Mistake(file, *place, f"holds a control character (U+{ord(unprintable.group()):04X})"))
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise _Enough(Mistake(file, *place, _explained(error, text, place))) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise _Enough(Mistake(file, 0, 0, f"is not YAML: {str(error).splitlines()[0]}")) from None


def _explained(error: yaml.MarkedYAMLError, text: str, place: Place) -> str:
    lines = text.splitlines()
    line = lines[place[0] - 1] if 0 < place[0] <= len(lines) else ""
    if "\t" in line[: place[1]] and not line[: place[1]].strip():
        return "a tab cannot indent; use spaces"
    if not error.context:
        return f"is not YAML: {error.problem}"
    begun = error.context_mark
    since = f" (begun on line {begun.line + 1})" if begun and begun.line + 1 != place[0] else ""
    return f"is not YAML: {error.context}{since}: {error.problem}"


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being filled. `key` is where the next value goes; `waiting`: a key comes next."""

    value: Any
    path: Trail
    key: str | int = 0
    waiting: bool = True


class _Builder:
    """Takes events and builds the value, with a stack of its own: nesting costs no Python frames."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.value: Any = None
        self.values: dict[Trail, Place] = {}
        self.keys: dict[Trail, Place] = {}
        self.mistakes: list[Mistake] = []
        self._stack: list[_Open] = []
        self._documents = 0
        self._count = 0

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents == 2:
                self._stop(event, "a second document begins here; a file holds one")
        elif isinstance(event, yaml.CollectionEndEvent):
            self._stack.pop()
        elif isinstance(event, yaml.NodeEvent):
            self._limit(event)
            self._node(event)

    def _limit(self, event: Any) -> None:
        self._count += 1
        if self._count > MOST_VALUES:
            self._stop(event, f"has more than {MOST_VALUES} values")
        if len(self._stack) >= DEEPEST and isinstance(event, yaml.CollectionStartEvent):
            self._stop(event, f"is nested more than {DEEPEST} levels deep")

    def _node(self, event: Any) -> None:
        self._refuse_traps(event)
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.value, dict) and top.waiting:
            self._take_key(event, top)
        elif isinstance(event, yaml.CollectionStartEvent):
            opened: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
            self._stack.append(_Open(opened, self._put(event, top, opened)))
        else:
            self._put(event, top, None if isinstance(event, yaml.AliasEvent) else self._scalar(event))

    def _refuse_traps(self, event: Any) -> None:
        name = _clipped(event.anchor or "")
        if isinstance(event, yaml.AliasEvent):
            self._mistake(event, f"an alias (*{name}) is not allowed; write the value itself")
        elif event.anchor is not None:
            self._mistake(event, f"an anchor (&{name}) is not allowed; write the value where it is needed")
        if getattr(event, "tag", None) is not None:
            self._mistake(event, f"a tag ({_clipped(event.tag)}) is not allowed")

    def _take_key(self, event: Any, top: _Open) -> None:
        if isinstance(event, yaml.CollectionStartEvent):
            self._stop(event, "a key must be one word or text, not a list or a mapping")
        key = "" if isinstance(event, yaml.AliasEvent) else event.value
        if key == "<<" and not event.style:
            self._mistake(event, "a merge key (<<) is not allowed; write the keys themselves")
        path = (*top.path, key)
        if path in self.keys:
            self._mistake(event, f'duplicate key "{_clipped(key)}" (first on line {self.keys[path][0]})')
        self.keys.setdefault(path, _place(event))
        top.key, top.waiting = key, False

    def _put(self, event: Any, top: _Open | None, value: Any) -> Trail:
        """Puts a value where it belongs and returns its path."""
        path: Trail = ()
        if top is None:
            self.value = value
        elif isinstance(top.value, list):
            path = (*top.path, len(top.value))
            top.value.append(value)
        else:
            path = (*top.path, top.key)
            top.value[top.key] = value
            top.waiting = True
        self.values[path] = _place(event)
        return path

    def _scalar(self, event: Any) -> Any:
        text = event.value
        if event.style:
            return text
        if text in _WORDS:
            return _WORDS[text]
        number = _NUMBER.fullmatch(text)
        if number is None:
            return text
        if len(text) > _LONGEST_NUMBER or math.isinf(float(text)):
            self._mistake(event, "this number is too large; in quotes it would be text")
            return 0
        return float(text) if number[2] or number[3] else int(text)

    def _mistake(self, event: Any, message: str) -> None:
        self.mistakes.append(Mistake(self.file, *_place(event), message))
        if len(self.mistakes) >= MOST_MISTAKES:
            self._stop(event, f"{MOST_MISTAKES} mistakes were found; the rest was not read")

    def _stop(self, event: Any, message: str) -> NoReturn:
        raise _Enough(Mistake(self.file, *_place(event), message))


def _clipped(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


def _place(event: Any) -> Place:
    return (event.start_mark.line + 1, event.start_mark.column + 1)
