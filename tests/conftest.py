"""What holds for every test."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from tests.lab.fixtures import containers, every_fleet, fleet, machine

__all__ = ["containers", "every_fleet", "fleet", "machine"]  # one of each for a whole session: imported here alone

# how long an example takes says something about the machine's load, nothing about the code
settings.register_profile("house", deadline=None, print_blob=True)
# `make quick` tries fewer examples than `make check`: it is run many times a day
settings.register_profile("quick", settings.get_profile("house"), max_examples=25)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The lab comes first: where several workers share the tests, none is left alone with its long files in the end."""
    items.sort(key=lambda item: "tests/lab/" not in item.nodeid)


# nobody's own settings may reach a test
for name in [name for name in os.environ if name.startswith("MAINTOPS_")]:
    del os.environ[name]
