"""What the contract tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from maintops.domain.ports import Store
from maintops.store.opening import open_store
from tests.postgres import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url", "store"]


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Every implementation in turn, empty."""
    urls = {"memory": lambda: "memory:", "sqlite": lambda: f"sqlite:///{tmp_path / 'm.sqlite'}"}
    lazy = urls.get(request.param, lambda: request.getfixturevalue("postgres_url"))
    opened = open_store(lazy())
    yield opened
    opened.close()
