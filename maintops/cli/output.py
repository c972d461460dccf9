"""Data goes to standard output or a file, chatter to standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maintops.cli.options import Format
from maintops.errors import MaintopsError, UsageError

if TYPE_CHECKING:
    from rich.console import Console


def say(text: str) -> None:
    """One line of chatter. A reader that went away, or a full disk under a log, must not end what is being told of."""
    from maintops.reports.escaping import visible

    with suppress(OSError):
        print(visible(text), file=sys.stderr, flush=True)


def console(file: Any = None) -> Console:
    """A console for data (or another stream): colours only on a terminal, and not where NO_COLOR is set."""
    from rich.console import Console

    stream = file or sys.stdout
    width = None if stream.isatty() else 120
    return Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=False, width=width)


def show_json(document: Any) -> None:
    """One JSON document on standard output."""
    print(to_json(document))


def to_json(document: Any) -> str:
    """JSON for programs: ASCII, so that no terminal and no locale can spoil it."""
    return json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False)


def show_table(format: Format, documents: Sequence[dict[str, Any]], columns: Sequence[str], nothing: str) -> None:
    """A list: every document in JSON, or its `columns` as aligned text (`nothing` is said where it is empty)."""
    if format is Format.JSON:
        show_json(list(documents))
        return
    if not documents:
        say(nothing)
        return
    from maintops.reports.text import table

    rows = [[_text(document.get(column)) for column in columns] for document in documents]
    table(console(), columns, rows)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)


def show_fields(format: Format, document: dict[str, Any], skip: Iterable[str] = ()) -> None:
    """One value: JSON, or a line per field."""
    if format is Format.JSON:
        show_json(document)
        return
    from maintops.reports.escaping import visible

    hidden = set(skip)
    width = max(len(name) for name in document)
    for name, value in document.items():
        if name not in hidden and value not in (None, "", [], {}):
            print(f"{name.replace('_', ' '):<{width}}  {visible(_text(value))}")


def write_bytes(content: bytes, file: Path) -> None:
    """Bytes to a file, whole or not at all and readable by its owner alone."""
    try:
        _replace(file, content)
    except OSError as error:
        raise MaintopsError(f"cannot write {file}: {error.strerror}") from None


def write(text: str, file: Path | None) -> None:
    """Text to a file, whole or not at all and readable by its owner alone; or to standard output."""
    if file is None:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        return
    try:
        _replace(file, text.encode("utf-8"))
    except OSError as error:
        raise MaintopsError(f"cannot write {file}: {error.strerror}") from None


def _replace(file: Path, content: bytes) -> None:
    import tempfile

    if _is_stream(file):
        with file.open("ab") as stream:
            stream.write(content)
        return
    file = file.resolve()  # a link stays one
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _is_stream(file: Path) -> bool:
    """Whether there is nothing to replace: a pipe, a device, or (as /dev/stdout after `>`) a file that is open here."""
    if not file.exists() or file.is_dir():
        return False
    streams = (os.fstat(number) for number in (1, 2) if Path(f"/proc/self/fd/{number}").exists())
    return not file.is_file() or any(os.path.samestat(file.stat(), stream) for stream in streams)


def check_writable(file: Path | None) -> None:
    """Fails before a run rather than after it: where an output file is wanted, one can be made."""
    if file is None or _is_stream(file):
        return
    if file.is_dir():
        raise UsageError(f"cannot write {file}: it is a folder")
    import tempfile

    try:
        tempfile.TemporaryFile(dir=file.resolve().parent).close()
    except FileNotFoundError:
        raise UsageError(f"cannot write {file}: there is no folder {file.absolute().parent}") from None
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from None


def unheard() -> None:
    """Nobody reads standard output any more (`| head`): what is still to be said goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


@contextmanager
def heard_or_not() -> Iterator[None]:
    """A block whose output may lose its reader without harm to what comes after it."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        unheard()
