"""Lint: every mistake in the checklists under some paths."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from maintops.errors import ConfigurationError, Mistake
from maintops.files.checklists import ENDINGS, is_checklist, read_checklist

if TYPE_CHECKING:
    from maintops.files.references import Catalogue


def lint(paths: Iterable[Path | str], catalogue: Catalogue, folders: Sequence[Path | str] = ()) -> list[Mistake]:
    """Every mistake, sorted by place. A file that is named is read as a checklist whatever it holds; in a folder (and
    the folders in it, hidden ones left out) the YAML files that call themselves one are, or have what only one has: the
    key `checklist` may be what is misspelled. `folders` are where included checklists are looked for."""
    mistakes: set[Mistake] = set()
    for path in paths:
        for file in _checklists(Path(path)):
            try:
                read_checklist(file, catalogue, folders)
            except ConfigurationError as error:
                mistakes.update(error.mistakes)
    return sorted(mistakes)


def _checklists(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.endswith(ENDINGS) and is_checklist(Path(folder, name), suspected=True):
                yield Path(folder, name)
