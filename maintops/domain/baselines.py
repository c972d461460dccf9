"""A baseline: what somebody has accepted as right for one check on one server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Baseline:
    """The facts per subject (None: the server as a whole) that `by` accepted at a time (UTC), and why. `record` is the
    service record that they were measured in. It is never changed: a later one takes its place."""

    server: str
    check: str
    subjects: Mapping[str | None, Mapping[str, Any]]
    record: str
    at: datetime
    by: str
    why: str
