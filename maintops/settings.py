"""What can be set, and where each value came from.

A setting is taken from the first place that gives it: a flag, a `MAINTOPS_*` variable, `./maintops.yml`,
`$XDG_CONFIG_HOME/maintops/maintops.yml`, the default. Nothing else reads the environment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from maintops.errors import UsageError

HostKeys = Literal["strict", "accept-new", "off"]
HOST_KEYS = ("strict", "accept-new", "off")
ENGINES = ("auto", "ssh", "ansible")
APPROVERS = ("other-name", "other-login", "anyone")
"""Who may approve a plan: somebody of another name than its author's, of another login as well, or anybody."""

FAIL_ON = ("info", "warning", "critical", "never")

FILE = "maintops.yml"
"""The name of a settings file, in the current folder or under the user's configuration folder."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting. `sources` tells for each name where its value came from; it is never a secret's value that is
    shown (a database URL is shown without its password)."""

    inventory: tuple[str, ...] = ()
    checklists: tuple[str, ...] = ()
    database_url: str = ""
    known_hosts: Path | None = None
    host_keys: HostKeys = "strict"
    engine: str = "auto"
    forks: int = 20
    fail_on: str = "critical"
    by: str | None = None
    connect_timeout: float = 10.0
    connect_retries: int = 2
    vault_password_file: Path | None = None
    keep_answers_days: int = 7
    approver: str = "other-name"
    hold_file: Path = Path("hold")
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """One place that gives settings: its words for people, values by name, and the folder that paths start from."""

    name: str
    values: Mapping[str, Any]
    folder: Path


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return "MAINTOPS_" + name.upper()


def environment_source(environment: Mapping[str, str], folder: Path) -> Source:
    """The settings that the environment gives; empty variables count as not given."""
    values = {name: environment[variable(name)] for name in names() if environment.get(variable(name))}
    return Source("the environment", values, folder)


def names() -> tuple[str, ...]:
    """The names of all settings, in the order of `Settings`."""
    return tuple(one.name for one in fields(Settings) if one.name != "sources")


def settle(sources: Sequence[Source], defaults: Mapping[str, Any]) -> Settings:
    """The settings that some sources give, the first winning. Raises UsageError naming the source of a bad value."""
    settled: dict[str, Any] = dict(defaults)
    origin = dict.fromkeys(names(), "default")
    for source in reversed(sources):
        for name, value in source.values.items():
            if name not in origin:
                raise UsageError(f"{source.name}: there is no setting {name!r}; the settings are {', '.join(names())}")
            settled[name] = _READERS[name](value, name, source)
            origin[name] = source.name
    return Settings(**settled, sources=origin)


Reader = Callable[[Any, str, Source], Any]


def _text(value: Any, name: str, source: Source) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{source.name}: {name} must be text")
    return value


def _path(value: Any, name: str, source: Source) -> Path:
    return source.folder / Path(_text(value, name, source)).expanduser()


def _paths(value: Any, name: str, source: Source) -> tuple[str, ...]:
    given = [one for one in value.split(":") if one] if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not all(isinstance(one, str) for one in given):
        raise UsageError(f"{source.name}: {name} must be a path or a list of paths")
    return tuple(str(source.folder / Path(one).expanduser()) for one in given)


def _inventory(value: Any, name: str, source: Source) -> tuple[str, ...]:
    # a flag or a list may hold `host1,host2,`, Ansible's way to name servers without a file
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not all(isinstance(one, str) for one in given):
        raise UsageError(f"{source.name}: {name} must be a path or a list of paths")
    return tuple(one if "," in one else str(source.folder / Path(one).expanduser()) for one in given)


def _choice(*choices: str) -> Reader:
    def read(value: Any, name: str, source: Source) -> str:
        if value not in choices:
            raise UsageError(f"{source.name}: {name} must be one of {', '.join(choices)}, not {value!r}")
        return str(value)

    return read


def _number(kind: type[int] | type[float], least: float) -> Reader:
    def read(value: Any, name: str, source: Source) -> int | float:
        try:
            number = kind(value)
        except (TypeError, ValueError):
            raise UsageError(f"{source.name}: {name} must be a number, not {value!r}") from None
        if isinstance(value, bool) or not least <= number < 1e9:
            raise UsageError(f"{source.name}: {name} must be at least {least:g}, not {value!r}")
        return number

    return read


def _database(value: Any, name: str, source: Source) -> str:
    url = _text(value, name, source)
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/"):
        return f"sqlite:///{source.folder / rest[1:]}"
    return url


_READERS: Mapping[str, Reader] = {
    "inventory": _inventory,
    "checklists": _paths,
    "database_url": _database,
    "known_hosts": _path,
    "host_keys": _choice(*HOST_KEYS),
    "engine": _choice(*ENGINES),
    "forks": _number(int, 1),
    "fail_on": _choice(*FAIL_ON),
    "by": _text,
    "connect_timeout": _number(float, 0.1),
    "connect_retries": _number(int, 0),
    "vault_password_file": _path,
    "keep_answers_days": _number(int, 0),
    "approver": _choice(*APPROVERS),
    "hold_file": _path,
}
