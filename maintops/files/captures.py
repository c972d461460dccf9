"""A recorded answer as a file: what one probe's question printed on one server, with how it ended.

The first line is a JSON object that begins with `{"maintops":"capture"`; behind it stand the bytes of standard output
as they were. Any other file is what some tool printed by itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from maintops.domain.answers import Answer
from maintops.errors import UsageError

_BEGIN = b'{"maintops":"capture"'
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Capture:
    """A probe's answer: from which server, when (UTC), asked with which parameters."""

    probe: str
    server: str
    at: datetime
    parameters: dict[str, Any]
    answer: Answer


def capture_bytes(capture: Capture) -> bytes:
    """The file of a capture."""
    answer = capture.answer
    head = {
        "maintops": "capture",
        "version": _VERSION,
        "probe": capture.probe,
        "server": capture.server,
        "at": capture.at.isoformat(),
        "parameters": capture.parameters,
        "status": answer.status,
        "stderr": answer.stderr.decode("utf-8", "replace"),
        "truncated": answer.truncated,
        "timed_out": answer.timed_out,
        "seconds": answer.seconds,
    }
    return json.dumps(head, separators=(",", ":")).encode("ascii") + b"\n" + answer.stdout


def read_capture(content: bytes) -> Capture | None:
    """The capture that a file holds; None for a file that is none. Raises UsageError for one that is broken."""
    if not content.startswith(_BEGIN):
        return None
    head, _, stdout = content.partition(b"\n")
    try:
        found = json.loads(head)
        if found["version"] != _VERSION:
            raise UsageError(
                f"this capture has the format {str(found['version'])[:20]}; this maintops reads {_VERSION}"
            )
        answer = Answer(
            stdout,
            str(found["stderr"]).encode("utf-8", "replace"),
            _status(found["status"]),
            bool(found["truncated"]),
            bool(found["timed_out"]),
            float(found["seconds"]),
        )
        at = datetime.fromisoformat(found["at"])
        return Capture(str(found["probe"]), str(found["server"]), at, dict(found["parameters"]), answer)
    except KeyError as error:
        raise UsageError(f"the capture's first line cannot be understood: it has no {error}") from error
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise UsageError(f"the capture's first line cannot be understood: {error}"[:300]) from error


def _status(value: Any) -> int | None:
    if value is not None and type(value) is not int:
        raise ValueError(f"a status is a whole number or null, not {value!r}")
    return value
