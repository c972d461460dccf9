"""Fixtures that stand for servers. A conftest or a test module imports the ones that it uses."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NoReturn, TypeVar

import pytest

from tests.lab.containers import Containers
from tests.lab.fleet import Fleet
from tests.lab.machines import Machine
from tests.lab.sshd import FleetUnavailable

Made = TypeVar("Made")


def absent(why: str) -> NoReturn:
    """Skips a test for want of servers, with the reason; in CI that is a failure."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def need(make: Callable[..., Made], *given: object) -> Made:
    """Something of a fleet that not every machine can have; the test is skipped where it cannot."""
    try:
        return make(*given)
    except FleetUnavailable as error:
        absent(str(error))


@pytest.fixture(scope="session")
def every_fleet() -> Iterator[Fleet]:
    """Six good servers, s001 to s006, for the whole session."""
    made = Fleet(servers=6)
    need(made.__enter__)
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def fleet(every_fleet: Fleet) -> Iterator[Fleet]:
    """The fleet of the session, s001 to s006; what a module adds is gone after it."""
    with every_fleet.visited():
        yield every_fleet


@pytest.fixture(scope="session")
def containers() -> Iterator[Containers]:
    """Three booted containers, lab1 to lab3, for the whole session. Whatever a test does to one it undoes."""
    made = Containers(count=3)
    need(made.__enter__)
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    """One virtual machine, vm1, for the whole session. Whatever a test does to it it undoes."""
    made = Machine()
    need(made.__enter__)
    try:
        yield made
    finally:
        made.stop()
