"""Changes by two controllers that share a PostgreSQL: of two that want one server one has it, and the other is told
whose it is; what a controller that is gone left half done is gone on with at the other one, when a person says so.

A controller is a host name, a machine id and a home of its own. Both have one clone of the checklists, and one pid
namespace: what tells them apart is what tells machines apart.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest

from maintops.domain.runs import Resumed, RunPlanned, StageBegan
from tests import postgres
from tests.lab.changing import Change, tasks
from tests.lab.clocks import Clock
from tests.lab.containers import Containers
from tests.lab.fixtures import need
from tests.lab.running import Desk, Ended, Running, begun
from tests.lab.sshd import program

pytestmark = [pytest.mark.containers, pytest.mark.postgres, pytest.mark.timeout(900)]

COUNT = "/var/lib/lab-counted"
FIRST = tasks("CL-500", f"echo first >>{COUNT}; sleep 2", idempotent=False, done=f"grep -q first {COUNT}")
SECOND = tasks("CL-510", f"echo second >>{COUNT}")

NEWNS, NEWUTS = 0x00020000, 0x04000000  # linux/sched.h
Made = TypeVar("Made")


# --- two machines, one database ---------------------------------------------------------------------------------------


class Database:
    """A PostgreSQL that can be stopped and started."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._user = programs, postgres._user()
        if self._user is not None:
            shutil.chown(folder, self._user)
        self.server = postgres.PostgresServer(folder, postgres._free_port(), "of-this-test-alone")
        postgres._initialise(programs, self.server, self._user)
        self.start()

    def start(self) -> None:
        with (self.server.folder / "log").open("ab") as log:
            self._process = postgres._start(self._programs, self.server, self._user, log.fileno())
        postgres._wait(self.server, self._process)

    def stop(self) -> None:
        """Ends it as a machine's shutdown does: connections are cut, what was acknowledged is kept."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(postgres.START_SECONDS)


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    programs = postgres._programs()
    if programs is None:
        postgres.absent(f"PostgreSQL's programs are not installed; {postgres.INSTALL} brings them")
    folder = Path(tempfile.mkdtemp(prefix="maintops-pg-"))  # its user cannot look into pytest's own
    try:
        made = Database(programs, folder)
        yield made
        made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Host:
    """A controller. A thread has a host name and a machine id of its own, and so has all that it starts."""

    name: str
    desk: Desk
    inventory: str
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    _started: list[Running] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._there(self._move_in)

    def _move_in(self) -> None:
        if ctypes.CDLL(None, use_errno=True).unshare(NEWNS | NEWUTS):
            raise OSError(ctypes.get_errno(), "this thread cannot have a host name of its own")
        mount = program("mount", "mount")
        subprocess.run([mount, "--make-rprivate", "/"], check=True)
        for name, text in (("machine-id", f"{self.name:0>32}"), ("hosts", f"127.0.0.1 localhost {self.name}")):
            file = self.desk.folder / name
            file.write_text(f"{text}\n")
            subprocess.run([mount, "--bind", file, f"/etc/{name}"], check=True)
        socket.sethostname(self.name)

    def _there(self, do: Callable[..., Made], *given: Any) -> Made:
        return self._thread.submit(do, *given).result()

    def start(self, *words: str) -> Running:
        """Begins to run `maintops` there."""
        running = self._there(Running, self.desk, *words)
        self._started.append(running)
        return running

    def maintops(self, *words: str) -> Ended:
        """Runs `maintops` there, to its end."""
        return self.start(*words).wait()

    def carry_out(self, plan: str = "a.plan") -> Running:
        """Begins to carry a plan out."""
        return self.start("run", "--plan", plan, "-i", self.inventory, "--format", "json")

    def go_on(self, run: str = "last") -> Ended:
        """Goes on with a run."""
        return self.maintops("run", "continue", run, "-i", self.inventory, "--format", "json")

    def leave(self) -> None:
        """Ends what a test that failed has left running there, and the thread with what it alone had."""
        for one in self._started:
            one.kill()
            one.wait()
        self._thread.shutdown()


class Shared(Change):
    """Two servers, on which whatever is done is counted, and a database that hosts share."""

    def __init__(self, folder: Path, lab: Containers, database: Database) -> None:
        super().__init__(folder, lab, lab.names[:2])
        self.url = database.server.url(database.server.new_database())
        self.desk.environment = {**self.desk.environment, "MAINTOPS_DATABASE_URL": self.url}

    def host(self, name: str, by: str) -> Host:
        """A controller, and who sits there: a home of their own, the same clone."""
        desk = Desk(self.folder / name, self.lab, {**self.desk.environment, "MAINTOPS_BY": by})
        desk.here.rmdir()
        desk.here.symlink_to(self.desk.here)
        return Host(name, desk, self.inventory)

    def _rows(self, text: str) -> list[Any]:
        try:
            with psycopg.connect(self.url) as connection:
                return connection.execute(text.encode()).fetchall()
        except psycopg.errors.UndefinedTable:
            return []

    @property
    def run_id(self) -> str:
        """The newest run's."""
        return next(one.run for one in self.events() if isinstance(one, RunPlanned))

    def counted(self) -> dict[str, str]:
        """What was done on each server, in order."""
        return {name: " ".join(said.split()) for name, said in self.on_each(f"cat {COUNT}").items()}


@pytest.fixture
def change(containers: Containers, database: Database, tmp_path: Path) -> Iterator[Shared]:
    made = Shared(tmp_path / "desk", containers, database)
    made.on_each(f": >{COUNT}")
    yield made
    made.on_each(f"rm -f {COUNT}")


@pytest.fixture
def hosts(change: Shared) -> Iterator[tuple[Host, Host]]:
    """Ann's machine and Ben's."""
    with ExitStack() as stack:
        both = change.host("alpha", "ann"), change.host("beta", "ben")
        for one in both:
            stack.callback(one.leave)
        yield both


ONCE = {"lab1": "first second", "lab2": "first second"}
TOGETHER = {"waves": ["100%"], "failure_budget": 1}


# --- who has a server -------------------------------------------------------------------------------------------------


def test_of_two_hosts_that_start_one_plan_at_once_one_runs(change: Shared, hosts: tuple[Host, Host]) -> None:
    change.plan(change.checklist(FIRST, SECOND, **TOGETHER))
    ended = {one.name: one for one in hosts}
    running = {name: one.carry_out() for name, one in ended.items()}
    codes = {name: one.wait() for name, one in running.items()}
    (winner,) = [name for name, one in codes.items() if one.code == 0]
    (loser,) = [name for name in codes if name != winner]
    told = codes[loser]
    assert told.code == 75, told.stderr
    by = {"alpha": "ann", "beta": "ben"}[winner]
    assert f" carried out already, as the run {change.run_id}, begun " in told.stderr
    assert f" UTC by {by} (process {running[winner].pid} on {winner})" in told.stderr
    assert change.counted() == ONCE


def test_a_host_is_told_whose_a_plan_and_a_server_are(change: Shared, hosts: tuple[Host, Host]) -> None:
    alpha, beta = hosts
    listed = change.checklist(FIRST, SECOND, **TOGETHER)
    change.plan(listed)
    change.plan(listed, "--limit", "lab2", name="b.plan")
    running = alpha.carry_out()
    begun(running, change.has_begun("CL-500"))
    run = change.run_id
    same = beta.carry_out().wait()
    assert same.code == 75, same.stderr
    assert f" carried out already, as the run {run}, begun " in same.stderr
    assert f" UTC by ann (process {running.pid} on alpha)" in same.stderr
    other = beta.carry_out("b.plan").wait()
    assert other.code == 75, other.stderr
    assert f"lab2 is being changed by run {run} (lab-change, begun " in other.stderr
    assert " by ann on alpha)" in other.stderr
    again = beta.go_on(run)
    assert again.code == 75, again.stderr
    assert f"The run {run} is running, carried out by process {running.pid} on alpha (begun " in again.stderr
    ended = running.wait()
    assert (ended.code, ended.state) == (0, "finished"), ended.stderr
    assert change.counted() == ONCE


# --- a controller that is gone ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["killed", "asleep"])
def test_what_a_host_left_half_done_is_gone_on_with_at_another_one(
    change: Shared, hosts: tuple[Host, Host], how: str
) -> None:
    alpha, beta = hosts
    clock = need(Clock, change.folder / "clock")
    beta.desk.environment = {**beta.desk.environment, **clock.environment}
    change.plan(change.checklist(FIRST, SECOND, drain=change.drain))
    running = alpha.carry_out()
    begun(running, lambda: change.servers["lab1"].run(f"cat {COUNT}") != "")
    os.kill(running.pid, signal.SIGKILL if how == "killed" else signal.SIGSTOP)
    run = change.run_id
    held = beta.go_on(run)
    assert held.code == 75, held.stderr
    assert f"carried out by process {running.pid} on alpha " in held.stderr
    assert f"where its machine is gone: maintops runs {run} --end --why REASON" in held.stderr
    assert [(one["run"], one["state"]) for one in beta.maintops("runs", "--format", "json").document] == [
        (run, "running")
    ]
    say_so = ("runs", run, "--end", "--why", "alpha burns")
    soon = beta.maintops(*say_so)
    assert soon.code == 75, soon.stderr
    assert f"the run {run} gave a sign of life at " in soon.stderr
    clock.step(minutes=6)
    ended = beta.maintops(*say_so)
    assert ended.code == 0, ended.stderr
    assert f"go on with it: maintops run continue {run}" in ended.stderr
    again = beta.go_on(run)
    assert (again.code, again.state) == (0, "finished"), again.stderr
    assert change.counted() == ONCE
    if how == "killed":
        assert running.wait().code == -signal.SIGKILL
    else:
        begins = sum(isinstance(one, StageBegan) for one in change.events())
        os.kill(running.pid, signal.SIGCONT)
        woken = running.wait()
        assert woken.code == 75, woken.stderr
        assert f"the run {run} is not this process's any more" in woken.stderr
        assert sum(isinstance(one, StageBegan) for one in change.events()) == begins
    assert change.counted() == ONCE
    assert (change.drained, change.debts()) == ([], [])
    approved, remark = change.journal.remarks  # gone on with by the same approval: it is told once
    assert approved.endswith(": a standard change, approved beforehand")
    assert remark.startswith(
        f"the process {running.pid} on alpha broke off (declared dead by ben (root@beta, as claimed)"
    )
    assert remark.endswith(": alpha burns); its servers are free again")
    assert [one.owner.host for one in change.events() if isinstance(one, Resumed)] == ["beta"]
    (listed,) = alpha.maintops("runs", "--format", "json").document
    assert (listed["run"], listed["state"]) == (run, "finished")


# --- a database that is gone ------------------------------------------------------------------------------------------


def test_without_the_database_the_hold_holds_and_nothing_new_begins(
    change: Shared, hosts: tuple[Host, Host], database: Database
) -> None:
    alpha, _ = hosts
    change.plan(change.checklist(FIRST, SECOND, drain=change.drain))
    running = alpha.carry_out()
    begun(running, lambda: change.servers["lab1"].run(f"cat {COUNT}") != "")
    run = change.run_id
    database.stop()
    try:
        held = alpha.maintops("hold", "--why", "the database is gone")
        ended = running.wait()
        refused = alpha.carry_out().wait()
    finally:
        database.start()
    assert held.code == 0, held.stderr
    assert "only on this machine (" in held.stderr
    assert "cannot be used" in held.stderr
    assert ended.code == 1, ended.stderr
    assert f"The run {run} was broken off; once the database can be used: maintops run continue {run}" in ended.stderr
    assert refused.code == 75, refused.stderr
    assert "changes are held by ann (root@alpha, as claimed)" in refused.stderr
    assert "the database is gone" in refused.stderr
    assert change.counted() == {"lab1": "first", "lab2": ""}
    still = alpha.go_on(run)
    assert still.code == 75, still.stderr
    assert "the database is gone" in still.stderr
    assert (change.drained, change.debts()) == (["lab1"], [("lab1", "undrain")])
    assert alpha.maintops("hold", "--lift").code == 0
    again = alpha.go_on(run)
    assert (again.code, again.state) == (0, "finished"), again.stderr
    assert change.counted() == ONCE
    assert (change.drained, change.debts()) == ([], [])
