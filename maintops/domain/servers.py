"""A server under maintenance: what the inventory says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any


class Criticality(StrEnum):
    """How much hangs on a server; core servers are checked every day."""

    CORE = "core"
    STANDARD = "standard"


@dataclass(frozen=True, slots=True)
class Server:
    """A host of the inventory. `variables` are all its inventory variables, connection secrets included: they are
    never printed, logged or stored (and are left out of this value's repr)."""

    name: str
    criticality: Criticality = Criticality.STANDARD
    in_service: date | None = None
    customer: str | None = None
    site: str | None = None
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
