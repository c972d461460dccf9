"""Who says so: the login that a command ran under, and the name that its user claimed."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """`login` is the operating system's (user@host), `name` what the person claimed with `--by`. Both are claims until
    they are signed."""

    login: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} ({self.login}, as claimed)"

    @property
    def is_claimed(self) -> bool:
        """Whether somebody claimed a name: without one it is the login's."""
        return _bare(self.name) != _bare(self.login.partition("@")[0])

    def is_another(self, other: Identity, *, by_login: bool = False) -> bool:
        """Whether two are different persons, as far as claims tell: their names differ in more than case, blanks and
        the way in which letters are written; `by_login`: their logins do too. Who claims no name is nobody else."""
        mine, theirs = _bare(self.name), _bare(other.name)
        return bool(mine) and mine != theirs and (not by_login or self.login != other.login)


def _bare(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
