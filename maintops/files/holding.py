"""The kill switch as a file: while it is there, nothing is changed, whether the database answers or not."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from maintops.domain.holds import Hold
from maintops.domain.identities import Identity
from maintops.errors import UsageError

LARGEST = 64 * 1024
_NOBODY = Identity("?", "somebody")


def read_hold(path: Path) -> Hold | None:
    """The hold that a file tells of; None where there is no file. Whatever else stands in it, a file holds: it may have
    been made in a hurry, with `touch`."""
    try:
        with path.open("rb") as stream:
            body = stream.read(LARGEST)
            made = _time(os.fstat(stream.fileno()).st_mtime)
    except FileNotFoundError:
        return None
    except OSError as error:
        return Hold("file", _NOBODY, f"the file cannot be read ({error.strerror})", datetime.now(UTC), place=str(path))
    try:
        found = json.loads(body)
        until = datetime.fromisoformat(found["until"]) if found.get("until") else None
        by = Identity(str(found["login"])[:200], str(found["name"])[:200])
        at = datetime.fromisoformat(found["at"])
        if _naive(at) or (until is not None and _naive(until)):
            return Hold("file", by, "a time in it has no zone", made, place=str(path))
        return Hold(str(found["id"])[:80], by, str(found["why"])[:1000], at, until, place=str(path))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        said = body.decode("utf-8", "replace").strip()[:200]
        return Hold("file", _NOBODY, said or "no reason is given", made, place=str(path))


def _time(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError):  # a file of the year 30000 holds as well
        return datetime.now(UTC)


def _naive(at: datetime) -> bool:
    return at.tzinfo is None


def write_hold(hold: Hold, path: Path) -> None:
    """Writes the file, whole or not at all. Raises UsageError where that cannot be."""
    body = {
        "id": hold.id,
        "login": hold.by.login,
        "name": hold.by.name,
        "why": hold.why,
        "at": hold.at.isoformat(),
        "until": hold.until.isoformat() if hold.until else None,
    }
    name = ""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".hold.")
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.write(json.dumps(body))
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except OSError as error:
        if name:
            with suppress(OSError):
                Path(name).unlink()
        raise UsageError(
            f"cannot write {path}: {error.strerror}; touch it yourself: while it is there nothing is changed"
        ) from None


def remove_hold(path: Path) -> bool:
    """Takes the file away; whether there was one. Raises UsageError where that cannot be."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UsageError(f"cannot remove {path}: {error.strerror}") from None
    return True
