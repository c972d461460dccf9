"""What can go wrong, in words for people.

Every error that a user can cause or must act on is a `MaintopsError`; its `exit_code` is the process's.
Anything else that escapes is a defect of maintops (exit code 1).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One mistake in a file a person wrote. `line` and `column` count from 1; 0 means the whole file."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class MaintopsError(Exception):
    """maintops could not go on."""

    exit_code = 1

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class UsageError(MaintopsError):
    """The command line or a setting cannot be understood."""

    exit_code = 64


class ConfigurationError(UsageError):
    """A file that maintops reads has mistakes; `mistakes` holds every one of them, sorted by place."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes))
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


class NothingSelected(MaintopsError):
    """No server was selected."""

    exit_code = 5


class StoreError(MaintopsError):
    """The database cannot be used."""


class NotNow(MaintopsError):
    """It cannot be done now: another run is at work, changes are held, or the window is closed."""

    exit_code = 75


class Locked(NotNow):
    """Another run is changing the same servers."""
