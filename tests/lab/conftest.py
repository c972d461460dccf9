"""What every test in the lab may use."""

from __future__ import annotations

from tests.lab.fixtures import fleet

__all__ = ["fleet"]
