"""What every acceptance test may use: a fleet, a database server, and a desk of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.fleet import Fleet
from tests.lab.running import Desk
from tests.postgres import postgres_server, postgres_url

__all__ = ["desk", "postgres_server", "postgres_url"]


@pytest.fixture
def desk(tmp_path: Path, fleet: Fleet) -> Desk:
    """Where nobody has sat before: nothing in the home, nothing in the current folder."""
    return Desk(tmp_path / "desk", fleet)
