"""What a case is: answers that make a check of a shipped checklist speak, and answers that leave it silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Told:
    """What a check's command printed on a server, byte for byte, and how it ended."""

    stdout: bytes = b""
    status: int | None = 0
    stderr: bytes = b""


@dataclass(frozen=True)
class Case:
    """One way in which a check speaks, and one in which it is silent.

    `fires` and `silent` are answers of two servers, the oldest first: one that is asked several times (ten days lie
    between two rounds) has as many. The last answer of `fires` gives findings of no other severity than `severity`
    that say `says` among them, and the last of `silent` none at all. `variables` are the servers' inventory variables.
    `name` tells apart the cases of one check. With `baseline`, somebody accepts what was measured in the round before
    the last.
    """

    check: str
    fires: tuple[Told, ...]
    silent: tuple[Told, ...]
    says: str
    severity: str = "warning"
    name: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    baseline: bool = False

    @property
    def id(self) -> str:
        """The case's name in tests, and the beginning of its servers' names."""
        return "-".join(filter(None, (self.check, self.name))).lower()


@dataclass(frozen=True)
class StepCase:
    """The same for a step that a person carries out: `fires` and `silent` are answers as a file of answers has them."""

    check: str
    fires: tuple[Mapping[str, Any], ...]
    silent: tuple[Mapping[str, Any], ...]
    says: str
    severity: str = "warning"
    name: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    baseline: bool = False

    @property
    def id(self) -> str:
        """As in Case."""
        return "-".join(filter(None, (self.check, self.name))).lower()


def told(text: str, *, status: int | None = 0, stderr: str = "") -> Told:
    """What one command printed."""
    return Told(text.encode(), status, stderr.encode())


def parted(**parts: str | tuple[int, str]) -> Told:
    """What a question of several commands printed: a text stands for status 0. In names two underscores stand for a
    space and a name may be given as `**{"a b": …}`."""
    return in_parts({name.replace("__", " "): one for name, one in parts.items()})


def in_parts(parts: Mapping[str, str | tuple[int, str]]) -> Told:
    """The same for names of any letters (see maintops.domain.answers.parts)."""
    lines: list[str] = []
    for name, one in parts.items():
        status, text = (0, one) if isinstance(one, str) else one
        lines += [f"={name}", *(f" {line}" for line in text.splitlines()), f".{status}"]
    return Told("".join(f"{line}\n" for line in lines).encode())


def check(
    id: str,
    *,
    fires: Told | tuple[Told, ...],
    silent: Told | tuple[Told, ...],
    says: str,
    severity: str = "warning",
    name: str = "",
    baseline: bool = False,
    **variables: Any,
) -> Case:
    """A case, shorter: one answer may stand without its tuple; `variables` are inventory variables
    (`maintops_backup_paths=[…]`)."""
    return Case(id, _many(fires), _many(silent), says, severity, name, variables, baseline)


def _many(one: Told | tuple[Told, ...]) -> tuple[Told, ...]:
    return one if isinstance(one, tuple) else (one,)
