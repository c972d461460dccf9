"""A plan: exactly what a run will change, written down before anybody agrees to it.

Its hash is the SHA-256 of its canonical text: JSON with sorted keys, no blanks, ASCII. Whatever is in a plan is bound
by the hash; an approval is an approval of that hash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from maintops.domain.changes import Packages
from maintops.domain.identities import Identity
from maintops.domain.placements import Fleet, Group
from maintops.domain.waves import Waves
from maintops.domain.windows import Opening

FORMAT = "maintops-plan/1"


@dataclass(frozen=True, slots=True)
class Update:
    """A package that is to be brought from one version to another; `old` None: it is not installed yet."""

    name: str
    old: str | None
    new: str
    arch: str = ""
    security: bool = False


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """One server's part. `values` are the checklist's parameters as they are for this server where the inventory says
    otherwise; `protected` why maintops will not reboot it; `notes` what a person should know before agreeing.
    `asked` is when it was looked at (None: never), `console` how it can be reached when it does not come back,
    `bound` a digest of its inventory variables (maintops.domain.bindings)."""

    server: str
    values: Mapping[str, Any] = field(default_factory=dict)
    updates: tuple[Update, ...] = ()
    removals: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    phased: tuple[str, ...] = ()
    asked: datetime | None = None
    protected: str = ""
    console: str = ""
    notes: tuple[str, ...] = ()
    bound: str = ""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step, for people: what kind it is, what undoes it (empty: nothing), how long it is taken to last (seconds)."""

    id: str
    title: str
    kind: str
    undo: str = ""
    estimate: float = 0.0


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What check mode said of a step on a server: the tasks that would change something, and those that cannot say."""

    step: str
    server: str
    changes: tuple[str, ...] = ()
    blind: tuple[str, ...] = ()
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Expectation:
    """Seconds that one server takes: the median, the 95th percentile, and what that is known from."""

    p50: float
    p95: float
    known_from: str


@dataclass(frozen=True, slots=True)
class ChangePlan:
    """`version` is the checklist's, `content` maps each file that decides what the steps do to its SHA-256. `of` is the
    run that this one undoes. `window` is the opening in which it may begin (None: at any time). `seconds` is how long
    all of it is taken to last."""

    id: str
    checklist: str
    title: str
    file: str
    version: str
    author: Identity
    created: datetime
    servers: tuple[PlannedChange, ...]
    waves: Waves
    steps: tuple[PlannedStep, ...] = ()
    content: Mapping[str, str] = field(default_factory=dict)
    inventory: tuple[str, ...] = ()
    limit: str = ""
    packages: Packages = Packages.LATEST
    fleet: Fleet = Fleet()  # noqa: RUF009  a value that nobody changes
    window: Opening | None = None
    expectation: Expectation = Expectation(0, 0, "")
    seconds: float = 0.0
    budget: int = 0
    canary_budget: int = 0
    approval: str = "required"
    risk: str = ""
    contingency: str = ""
    people: tuple[str, ...] = ()
    foreseen: tuple[Foreseen, ...] = ()
    notes: tuple[str, ...] = ()
    of: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Its servers, in the order of their waves."""
        return tuple(name for wave in self.waves for name in wave)


def canonical(plan: ChangePlan) -> bytes:
    """The text that a plan's hash is taken of."""
    return json.dumps(document(plan), sort_keys=True, separators=(",", ":")).encode("ascii")


def plan_hash(plan: ChangePlan) -> str:
    """SHA-256 of the canonical text, hex."""
    return hashlib.sha256(canonical(plan)).hexdigest()


def document(plan: ChangePlan) -> dict[str, Any]:
    """A plan as JSON values; times as `2026-03-01T09:00:00+00:00`."""
    return {**_value(plan), "format": FORMAT, "fleet": _fleet(plan.fleet)}


def _value(value: Any) -> Any:
    # by hand, because dataclasses.asdict is ten times slower, and large plans hold a million values: what is plain
    # costs no call of its own
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, tuple):
        return [one if type(one) in _LEAVES else _value(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return json.loads(json.dumps(dict(value))) if value else {}  # what JSON makes of its keys
    if isinstance(value, Fleet):
        return None
    return {name: one if type(one := getattr(value, name)) in _LEAVES else _value(one) for name in _FIELDS[type(value)]}


_LEAVES = frozenset({type(None), str, int, float, bool})

_FIELDS: Mapping[type, tuple[str, ...]] = {
    one: tuple(it.name for it in fields(one))
    for one in (ChangePlan, PlannedChange, Update, PlannedStep, Foreseen, Expectation, Identity, Opening)
}


def _fleet(value: Fleet) -> Any:
    return {
        "groups": {name: [sorted(one.members), one.allowed] for name, one in value.groups.items()},
        "needs": {name: list(needs) for name, needs in value.needs.items()},
        "guests": {name: list(guests) for name, guests in value.guests.items()},
    }


def plan_of(found: Mapping[str, Any]) -> ChangePlan:
    """The plan that `document` was given. Raises ValueError, KeyError or TypeError for anything else."""
    if found.get("format") != FORMAT:
        raise ValueError(f"its format is {str(found.get('format'))[:40]!r}; this maintops reads {FORMAT}")
    given = {name: value for name, value in found.items() if name != "format"}
    unknown = set(given) - {one.name for one in fields(ChangePlan)}
    if unknown:
        raise ValueError(f"it has unknown fields: {', '.join(sorted(unknown))[:200]}")
    for one in fields(ChangePlan):
        kind = _PLAIN.get(str(one.type))
        if kind is not None and one.name in given and type(given[one.name]) not in kind:
            raise ValueError(f"its {one.name} is not what it should be")
    for name, read in _READERS.items():
        given[name] = read(given[name])
    plan = ChangePlan(**given)
    if sorted(plan.names) != sorted(one.server for one in plan.servers):
        raise ValueError("its waves are not of its servers")
    return plan


_PLAIN: Mapping[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float)}


def _time(value: str) -> datetime:
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError(f"the time {value} has no zone")
    return at


def _planned_change(found: Mapping[str, Any]) -> PlannedChange:
    lists = {name: tuple(found[name]) for name in ("removals", "held", "phased", "notes")}
    updates = tuple(Update(**one) for one in found["updates"])
    asked = _time(found["asked"]) if found["asked"] else None
    return PlannedChange(**{**found, **lists, "updates": updates, "asked": asked})


def _foreseen(found: Mapping[str, Any]) -> Foreseen:
    return Foreseen(**{**found, "changes": tuple(found["changes"]), "blind": tuple(found["blind"])})


def _read_fleet(found: Mapping[str, Any]) -> Fleet:
    groups = {name: Group(name, frozenset(members), allowed) for name, (members, allowed) in found["groups"].items()}
    group_of = {server: name for name, one in groups.items() for server in one.members}
    needs = {name: tuple(one) for name, one in found["needs"].items()}
    return Fleet(groups, group_of, needs, {name: tuple(one) for name, one in found["guests"].items()})


_READERS: Mapping[str, Any] = {
    "author": lambda found: Identity(**found),
    "created": _time,
    "servers": lambda found: tuple(map(_planned_change, found)),
    "waves": lambda found: tuple(map(tuple, found)),
    "steps": lambda found: tuple(PlannedStep(**one) for one in found),
    "inventory": tuple,
    "packages": Packages,
    "fleet": _read_fleet,
    "window": lambda found: Opening(_time(found["start"]), _time(found["end"])) if found else None,
    "expectation": lambda found: Expectation(**found),
    "people": tuple,
    "foreseen": lambda found: tuple(map(_foreseen, found)),
    "notes": tuple,
}
