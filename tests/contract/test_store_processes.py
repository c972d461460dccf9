"""Several processes and one database."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from maintops.domain.findings import finding_id
from maintops.domain.runs import ServerAnswered
from maintops.store.opening import open_store
from tests.store_samples import plan

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database that is not made yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'folder' / 'm.sqlite'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def processes() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(stack: ExitStack, *words: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.committing", *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    stack.enter_context(process)
    stack.callback(process.kill)
    return process


def let_go(processes: list[subprocess.Popen[str]]) -> None:
    """Lets processes begin at once when all are ready, and waits for their good end."""
    for one in processes:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in processes:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in processes:
        _, errors = one.communicate(timeout=120)
        assert (one.returncode, errors) == (0, "")


def test_two_processes_lose_nothing(url: str, processes: ExitStack) -> None:
    """They make the database at once, and each of their records must see what the one before left."""
    let_go([start(processes, "together", url, run, "web1", "1") for run in ("r1", "r2")])
    store = open_store(url)
    assert len(list(store.records())) == 40
    assert {finding.times for finding in store.findings()} == {40}
    assert len(store.history(finding_id("web1", "FS-010", "/var"))) == 40
    assert len(store.followups()) == 2
    for run in ("r1", "r2"):
        assert sum(isinstance(event, ServerAnswered) for event in store.events(run)) == 20
    store.close()


def test_two_processes_share_a_run(url: str, processes: ExitStack) -> None:
    store = open_store(url)
    store.begin(plan(servers=["web1", "web2"]))
    let_go([start(processes, "together", url, "r1", server, first) for server, first in (("a", "101"), ("b", "201"))])
    answered = [event for event in store.events("r1") if isinstance(event, ServerAnswered)]
    assert {event.record for event in answered} == {one.id for one in store.records(run="r1")}
    assert len(answered) == 40
    store.close()
