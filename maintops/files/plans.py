"""A plan as a file: JSON, this user's alone (0600), with its hash in it, so that whoever reads it can tell a change."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from maintops.domain.plans import ChangePlan, document, plan_hash, plan_of
from maintops.errors import UsageError

LARGEST = 512 * 1024 * 1024
"""Bytes that a plan may have: 5 000 servers with 500 pending packages each."""


def plan_text(plan: ChangePlan) -> str:
    """The text of a plan's file: JSON with a line for each server, step and the like, so that two can be compared."""
    # the indentation of the module json costs seconds where thousands of servers have packages
    parts = ",\n".join(f" {json.dumps(name)}: {_in_lines(value)}" for name, value in document(plan).items())
    return f'{{"hash": "{plan_hash(plan)}", "plan": {{\n{parts}\n}}}}\n'


def _in_lines(value: Any) -> str:
    if not isinstance(value, list) or not value:
        return json.dumps(value)
    return "[\n" + ",\n".join(f"  {json.dumps(one)}" for one in value) + "\n ]"


def write_plan(plan: ChangePlan, path: Path) -> None:
    """Writes a plan's file whole or not at all. Raises UsageError where that cannot be."""
    text, handle = plan_text(plan), None
    try:
        handle, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="ascii") as stream:  # mkstemp makes it 0600
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except OSError as error:
        if handle is not None:
            with suppress(OSError):
                Path(name).unlink()
        raise UsageError(f"cannot write the plan {path}: {error.strerror}") from None


def read_plan(path: Path) -> ChangePlan:
    """The plan in a file. Raises UsageError for a file that is none, or that somebody has changed."""
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path} is too large to be a plan")
        text = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the plan {path}: {error.strerror}") from None
    return parse_plan(text, str(path))


def parse_plan(text: bytes, name: str) -> ChangePlan:
    """The plan that a file's text holds; `name` is the file's, for people."""
    try:
        found: Mapping[str, Any] = json.loads(text)
        plan, said = plan_of(found["plan"]), str(found["hash"])
        fits = plan_hash(plan) == said
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{name} is no plan of maintops: {_reason(error)}; make one with maintops plan") from None
    if not fits:
        raise UsageError(
            f"{name} was changed after it was made: its hash does not fit; make a new plan (maintops plan)"
        )
    return plan


def parse_kept(text: bytes, name: str) -> ChangePlan:
    """The plan that the database keeps under its hash: its canonical text. Raises UsageError for anything else."""
    try:
        return plan_of(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{name} is no plan of maintops: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it has no {error}"
    return str(error)[:200] or type(error).__name__
