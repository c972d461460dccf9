"""maintops: server maintenance from checklist to signed-off record.

    import maintops

    house = maintops.House("/srv/maintenance")          # or maintops.here()
    result = house.run("daily-check", limit="web")
    for record in house.store.records(run=result.run.id):
        print(record.server, record.outcome)

The names below are the whole public API; they are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maintops.domain.answers import Answer, Measured, NotMeasured, Skipped, SubjectFacts, UnreadableAnswer, parts
    from maintops.domain.outcomes import Cell, FailOn, Outcome, Severity
    from maintops.domain.records import ServiceRecord
    from maintops.errors import ConfigurationError, MaintopsError, NothingSelected, StoreError, UsageError
    from maintops.probes.contract import Fact, Parameter, Parser, Presence, Probe
    from maintops.wiring import House, here

_HOMES = {
    "maintops.domain.answers": (
        "Answer", "Measured", "NotMeasured", "Skipped", "SubjectFacts", "UnreadableAnswer", "parts",
    ),
    "maintops.domain.outcomes": ("Cell", "FailOn", "Outcome", "Severity"),
    "maintops.domain.records": ("ServiceRecord",),
    "maintops.errors": ("ConfigurationError", "MaintopsError", "NothingSelected", "StoreError", "UsageError"),
    "maintops.probes.contract": ("Fact", "Parameter", "Parser", "Presence", "Probe"),
    "maintops.wiring": ("House", "here"),
}  # fmt: skip
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__version__ = "0.1.0"
__all__ = [
    "Answer", "Cell", "ConfigurationError", "Fact", "FailOn", "House", "MaintopsError", "Measured", "NotMeasured",
    "NothingSelected", "Outcome", "Parameter", "Parser", "Presence", "Probe", "ServiceRecord", "Severity", "Skipped",
    "StoreError", "SubjectFacts", "UnreadableAnswer", "UsageError", "here", "parts",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'maintops' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
