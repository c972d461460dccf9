"""Several processes and one database."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from maintops.domain.findings import finding_id
from maintops.domain.runs import RunEnded, RunState, ServerAnswered
from maintops.store.opening import open_store
from tests.store_samples import NOW, changing, plan

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


BEGINNING = """
import sys
from maintops.errors import Locked
from maintops.store.opening import open_store
from tests.store_samples import changing, later, resumed
url, action, run = sys.argv[1:]
store = open_store(url)
print("ready", flush=True)
sys.stdin.readline()
won = 0
for round in range(20):
    servers = [f"web{round}", f"{run}-{round}"]
    try:
        if action == "begin":
            store.begin(changing(f"{run}-{round}", servers if run == "c1" else servers[::-1]))
        else:
            store.resume(f"{run}-{round}", resumed(later(hours=1), host=run))
        won += 1
    except Locked as refusal:
        assert f"web{round} is being changed by run " in str(refusal), refusal
print(won)
"""
"""In each of 20 rounds one run is begun, or gone on with, that wants a server which others want too."""


def start(stack: ExitStack, *words: str) -> subprocess.Popen[str]:
    return _start(stack, "-m", "tests.committing", *words)


def _start(stack: ExitStack, *words: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    stack.enter_context(process)
    stack.callback(process.kill)
    return process


def let_go(processes: list[subprocess.Popen[str]]) -> list[str]:
    """Lets processes begin at once when all are ready, and waits for their good end; what each said then."""
    for one in processes:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in processes:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    said = []
    for one in processes:
        output, errors = one.communicate(timeout=120)
        assert (one.returncode, errors) == (0, "")
        said.append(output.strip())
    return said


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


@pytest.mark.parametrize("action", ["begin", "resume"])
def test_of_several_processes_exactly_one_changes_a_server(url: str, processes: ExitStack, action: str) -> None:
    runs = ("c1", "c2", "c3")
    store = open_store(url)
    if action == "resume":
        for run in runs:
            for number in range(20):
                store.begin(changing(f"{run}-{number}", [f"web{number}", f"{run}-{number}"]))
                store.append(f"{run}-{number}", RunEnded(RunState.HELD, "", NOW))
    said = let_go([_start(processes, "-c", BEGINNING, url, action, run) for run in runs])
    assert sum(map(int, said)) == 20
    changed = [one.planned.servers for one in store.runs(unfinished=True)]
    assert sorted(one.server for servers in changed for one in servers if "-" not in one.server) == sorted(
        f"web{number}" for number in range(20)
    )
    store.close()
