"""A plug-in of pytest: tests against a run of maintops, beside testinfra's `host`.

    def test_clean_and_up(host, maintops_record):
        assert maintops_record.outcome == "ok"
        assert host.service("ssh").is_running

    pytest --maintops-run last test_servers.py

It does nothing, and loads nothing, unless it is asked for. `--maintops-run` names the run (an id, the beginning of one,
or `last`), `--maintops-folder` the maintenance repository whose settings count (default: the current folder). Without
`--hosts` testinfra's `host` is then every server of that run, reached over ssh as the inventory says and with its host
key verified; tests of a server that cannot be reached in this way are skipped, with the reason.

`maintops verify` starts pytest with this plug-in too (maintops/runners/verifying.py): `--maintops-orders PIPE:FILE`
then gives it what to do, and it tells through the pipe what becomes of every test, as JSON objects, one a line.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import traceback
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from maintops.domain.records import ServiceRecord
    from maintops.domain.runs import Run
    from maintops.runners.verifying import Ways
    from maintops.wiring import House

_HOST = "_testinfra_host"  # the fixture that testinfra gives one parameter per host
_RECORD = "maintops_record"
_LONGEST_MESSAGE, _LONGEST_DETAIL = 500, 4000
_SSH_FAILED = 255
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_RANKS = ("passed", "skipped", "error", "failed", "lost")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of this plug-in."""
    group = parser.getgroup("maintops", "tests against a run of maintops")
    group.addoption("--maintops-run", metavar="RUN", help="A run's id, the beginning of one, or `last`.")
    group.addoption("--maintops-folder", metavar="FOLDER", help="The maintenance repository (default: this folder).")
    group.addoption("--maintops-orders", help="What `maintops verify` hands over: PIPE:FILE.")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Takes part only where it was asked to."""
    orders, run = config.getoption("--maintops-orders"), config.getoption("--maintops-run")
    if orders:
        pipe, _, file = orders.partition(":")
        given = json.loads(Path(file).read_text(encoding="utf-8"))
        os.set_inheritable(int(pipe), False)  # nothing that a test starts is to hold it open
        config.stash[_BENCH] = ordered = _Ordered(given)
        config.option.hosts, config.option.ssh_config = ",".join(ordered.hosts), given["config"]
        config.pluginmanager.register(_Teller(int(pipe), given["forks"]), "maintops-teller")
    elif run:
        config.stash[_BENCH] = _Kept(config.getoption("--maintops-folder") or ".", run)


def pytest_sessionstart(session: pytest.Session) -> None:
    """A run that is not there is told of at once."""
    bench = session.config.stash.get(_BENCH, None)
    if bench is not None:
        from maintops.errors import MaintopsError

        try:
            _ = bench.run
        except MaintopsError as error:
            raise pytest.UsageError(f"maintops: {error}") from error


def pytest_unconfigure(config: pytest.Config) -> None:
    """Clears up."""
    bench = config.stash.get(_BENCH, None)
    if bench is not None:
        bench.close()


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`host` becomes every server of the run; tests with a record and without `host` are run once per record."""
    bench = metafunc.config.stash.get(_BENCH, None)
    if bench is None:
        return
    if _HOST in metafunc.fixturenames:
        if metafunc.config.option.hosts is None:
            _offer_hosts(metafunc.config, bench)
    elif _RECORD in metafunc.fixturenames:
        servers = bench.servers
        metafunc.parametrize(_RECORD, servers, ids=servers, indirect=True)


def _offer_hosts(config: pytest.Config, bench: _Bench) -> None:
    from maintops.errors import MaintopsError

    try:
        config.option.hosts = ",".join(bench.hosts)
    except MaintopsError as error:
        pytest.exit(f"maintops: {error}", returncode=pytest.ExitCode.USAGE_ERROR)
    config.option.ssh_config = bench.ssh_config


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A server that tests cannot reach is named, not left out."""
    bench = item.config.stash.get(_BENCH, None)
    server = _server(item) if bench is not None else None
    if bench is not None and server is not None and server in bench.refused:
        # nothing was measured there: `maintops verify` and pytest both show this reason by the server's name
        pytest.skip(f"{server}: {bench.refused[server]}")


# --- fixtures ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def maintops_run(pytestconfig: pytest.Config) -> Run:
    """The run that --maintops-run names (maintops.domain.runs.Run)."""
    return _bench(pytestconfig).run


@pytest.fixture(scope="session")
def maintops_records(pytestconfig: pytest.Config) -> Mapping[str, ServiceRecord]:
    """The run's service records by server, each with its parts put together; in planned order."""
    return _bench(pytestconfig).records


@pytest.fixture
def maintops_record(request: pytest.FixtureRequest, maintops_records: Mapping[str, ServiceRecord]) -> ServiceRecord:
    """The service record of the server that `host` is; in a test without `host`, of one server after the other."""
    server = getattr(request, "param", None)
    if server is None:
        server = request.getfixturevalue("host").backend.get_hostname()
    if server not in maintops_records:
        pytest.fail(f"the run has no record of {server}; it has those of {', '.join(maintops_records) or 'nobody'}")
    return maintops_records[server]


def _bench(config: pytest.Config) -> _Bench:
    bench = config.stash.get(_BENCH, None)
    if bench is None:
        pytest.fail("no run of maintops was named: give --maintops-run RUN (or `last`)", pytrace=False)
    return bench


# --- what tests are held against --------------------------------------------------------------------------------------


class _Bench(ABC):
    """A run, its records, and the ways to its servers. `refused` names servers that tests cannot reach, and why."""

    refused: Mapping[str, str]
    ssh_config: str | None

    @property
    @abstractmethod
    def run(self) -> Run:
        """The run."""

    @property
    @abstractmethod
    def records(self) -> Mapping[str, ServiceRecord]:
        """Its records, merged, by server."""

    @property
    @abstractmethod
    def servers(self) -> Sequence[str]:
        """All of its servers."""

    @property
    @abstractmethod
    def hosts(self) -> Sequence[str]:
        """Those that tests can be asked of, as testinfra names them."""

    def close(self) -> None:  # noqa: B027  not every bench holds something open
        """Lets go of everything."""


_BENCH: pytest.StashKey[_Bench] = pytest.StashKey()


class _Ordered(_Bench):
    """What `maintops verify` handed over."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        from maintops.domain.runs import fold
        from maintops.store.codec import record_value
        from maintops.store.journals import event_value

        journal = given["journal"]
        self._run = fold(event_value(*event) for event in journal["events"])
        self._records = _by_server(self._run, [record_value(one) for one in journal["records"]])
        self._given = given
        self.refused, self.ssh_config = {}, given["config"]

    @property
    def run(self) -> Run:
        return self._run

    @property
    def records(self) -> Mapping[str, ServiceRecord]:
        return self._records

    @property
    def servers(self) -> Sequence[str]:
        return list(self._given["servers"])

    @property
    def hosts(self) -> Sequence[str]:
        return list(self._given["hosts"])


class _Kept(_Bench):
    """A run in the database of a maintenance repository; nothing is opened before a test asks for it."""

    def __init__(self, folder: str, prefix: str) -> None:
        self._folder, self._prefix = folder, prefix
        self._closing = contextlib.ExitStack()
        self.refused, self.ssh_config = {}, None

    @cached_property
    def _house(self) -> House:
        from maintops.wiring import House

        house = House(self._folder)
        self._closing.callback(house.close)
        return house

    @cached_property
    def run(self) -> Run:
        return self._house.store.run(self._prefix)

    @cached_property
    def records(self) -> Mapping[str, ServiceRecord]:
        return _by_server(self.run, list(self._house.store.records(run=self.run.id)))

    @property
    def servers(self) -> Sequence[str]:
        return [one.server for one in self.run.planned.servers]

    @cached_property
    def hosts(self) -> Sequence[str]:
        from maintops.workflow.planning import inventory_become

        found = {one.name: one for one in self._house.servers()}
        ways: Ways = self._closing.enter_context(self._house.ways)
        targets, refused = [], {}
        for name in self.servers:
            if name not in found:
                refused[name] = "the inventory does not name it"
                continue
            become = inventory_become(found[name])
            why = ways.refusal(found[name], become)
            if why is None:
                targets.append((found[name], become))
            else:
                refused[name] = why
        self.refused = refused
        hosts = ways.lay(targets)
        self.ssh_config = str(ways.config)
        return [*hosts, *(f"ssh://{quote(name, safe='')}" for name in refused)]

    def close(self) -> None:
        self._closing.close()


def _by_server(run: Run, records: Sequence[ServiceRecord]) -> Mapping[str, ServiceRecord]:
    from maintops.domain.records import merged

    found: dict[str, list[ServiceRecord]] = {one.server: [] for one in run.planned.servers}
    for record in records:
        found.setdefault(record.server, []).append(record)
    return {server: merged(parts) for server, parts in found.items() if parts}


# --- telling what becomes of tests ------------------------------------------------------------------------------------


class _Teller:
    """Tells `maintops verify` what becomes of every test, and leaves out the tests of servers that nobody can log in
    to: they are asked once, before the first test."""

    def __init__(self, pipe: int, forks: int) -> None:
        self._pipe, self._forks = os.fdopen(pipe, "w", encoding="utf-8"), forks
        self._results: dict[str, dict[str, Any]] = {}
        self._gone: dict[str, str] = {}

    def _tell(self, told: str, **more: Any) -> None:
        self._pipe.write(json.dumps({"told": told, **more}) + "\n")
        self._pipe.flush()

    def pytest_exception_interact(self, call: pytest.CallInfo[Any], report: Any, node: pytest.Collector) -> None:
        """A file that cannot be read: its mistake, with its place."""
        if isinstance(report, pytest.CollectReport) and call.excinfo is not None:
            self._tell("mistake", **_mistake(call.excinfo.value, node.path))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Every test that is going to be run."""
        for item in session.items:
            self._tell("planned", server=_server(item), test=_name(item), file=str(item.path))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Knocks at every server before the first test; not where no test is going to be run."""
        if session.testsfailed or session.config.option.collectonly:
            return
        from concurrent.futures import ThreadPoolExecutor

        params = (getattr(item, "callspec", None) for item in session.items)
        hosts = {one.params[_HOST] for one in params if one is not None and _HOST in one.params}
        with ThreadPoolExecutor(max(1, self._forks)) as pool:
            for host, why in zip(hosts, pool.map(_closed, hosts), strict=True):
                if why is not None:
                    self._gone[host.backend.get_hostname()] = why
        for server, why in self._gone.items():
            self._tell("unreachable", server=server, message=why)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """True: this test is not run."""
        server = _server(item)
        if server in self._gone:
            return True
        self._tell("begun", server=server, test=_name(item))
        self._results[item.nodeid] = {"server": server, "test": _name(item), "result": "passed", "seconds": 0.0}
        return None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Remembers the worst of a test's three phases."""
        report = yield
        line = self._results[item.nodeid]
        line["seconds"] = round(line["seconds"] + report.duration, 3)
        told = _told(call, report)
        if _RANKS.index(told["result"]) > _RANKS.index(line["result"]):
            line.update(told)
        return report

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """A test is over."""
        if nodeid in self._results:
            self._tell("result", **self._results.pop(nodeid))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """There is nothing more to tell."""
        self._tell("end")

    def pytest_unconfigure(self) -> None:
        """Closes the pipe."""
        with contextlib.suppress(OSError):
            self._pipe.close()


def _told(call: pytest.CallInfo[None], report: pytest.TestReport) -> dict[str, Any]:
    """What one phase of a test says: result, message, detail, place."""
    expected = getattr(report, "wasxfail", None)
    if report.passed:
        return {"result": "passed"}
    if report.skipped:
        why = f"expected to fail: {expected}" if expected is not None else report.longrepr[-1]  # type: ignore[index]  # a skip's is a tuple
        return {"result": "skipped", "message": _short(str(why).removeprefix("Skipped: "))}
    error = call.excinfo.value if call.excinfo is not None else None
    crash = getattr(report.longrepr, "reprcrash", None)
    told = {"message": _crash(crash.message) if crash else _short(str(report.longrepr))}
    if crash is not None:
        told["place"] = f"{Path(crash.path).name}:{crash.lineno}"
    told["detail"] = report.longreprtext[-_LONGEST_DETAIL:]
    if (why := _ssh_failure(error)) is not None:
        return {**told, "result": "lost", "message": why}
    # an assertion in a fixture is the test's own trouble: only the test itself speaks of the server
    is_verdict = error is None or isinstance(error, AssertionError | pytest.fail.Exception)
    return {**told, "result": "failed" if is_verdict and report.when == "call" else "error"}


def _crash(text: str) -> str:
    """What went wrong, without what differs from one call to the next: a finding's words are to stay the same."""
    text = _ADDRESS.sub("", text)
    said, _, explanation = text.partition("\n")
    own = said.removeprefix("AssertionError: ")
    return _short(own if own != said or not explanation else text)


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _LONGEST_MESSAGE else words[: _LONGEST_MESSAGE - 1] + "…"


def _closed(host: Any) -> str | None:
    """Why no command can be run on a server; None where one can."""
    try:
        ended = host.backend.run("true")
    except Exception as error:  # whatever a backend raises, the server was not reached
        return _ssh_failure(error) or _short(f"{type(error).__name__}: {error}")
    if ended.rc != 0:
        return _short(f"a command ends with status {ended.rc} there: {_text(ended.stderr_bytes)}")
    return None


def _ssh_failure(error: BaseException | None) -> str | None:
    """What ssh says of a connection that did not come about or broke, in testinfra's exception; else None."""
    ended = error.args[0] if isinstance(error, RuntimeError) and error.args else None
    if getattr(ended, "rc", None) != _SSH_FAILED:
        return None
    said = _text(ended.stderr_bytes)  # type: ignore[union-attr]  # it has an rc: it is testinfra's CommandResult
    return _short(
        f"ssh: {said.removeprefix('ssh: ')}"
        if said
        else "ssh could not connect, or lost the connection, and does not say why"
    )


def _text(said: bytes) -> str:
    # ssh frames its loudest warning in @, and indents the commands that it proposes
    lines = [line for line in said.decode("utf-8", "replace").splitlines() if line[:1].strip(" \t@")]
    return "; ".join(lines[-2:])


def _server(item: pytest.Item) -> str | None:
    """The server that a test is for; None where it is for no one in particular."""
    params = getattr(getattr(item, "callspec", None), "params", {})
    if _HOST in params:
        return str(params[_HOST].backend.get_hostname())
    return params.get(_RECORD)


def _name(item: pytest.Item) -> str:
    """FOLDER/FILE::CLASS::FUNCTION[PARAMETERS], without the server among the parameters: the same on every server, and
    wherever pytest is called."""
    classes = [one.name for one in item.listchain() if isinstance(one, pytest.Class)]
    callspec = getattr(item, "callspec", None)
    rest = _without(callspec.id, _identity(callspec.params)) if callspec is not None else ""
    own = getattr(item, "originalname", None) or item.name
    file = f"{item.path.parent.name}/{item.path.name}"
    return "::".join([file, *classes, own]) + (f"[{rest}]" if rest else "")


def _identity(params: Mapping[str, Any]) -> str:
    if _HOST in params:
        return str(params[_HOST].backend.get_pytest_id())
    return str(params.get(_RECORD, ""))


def _without(id: str, part: str) -> str:
    """The id of a parametrised test (its parts joined by `-`) without one of its parts."""
    if not part or id == part:
        return "" if part else id
    if id.startswith(part + "-"):
        return id[len(part) + 1 :]
    if id.endswith("-" + part):
        return id[: -len(part) - 1]
    return id.replace(f"-{part}-", "-", 1)


def _mistake(error: BaseException, file: Path) -> dict[str, Any]:
    """Where a test file is wrong and why, in the words of a mistake in any other file."""
    cause = error.__cause__ if isinstance(error, pytest.Collector.CollectError) else error
    if isinstance(cause, SyntaxError) and cause.filename:
        said = f"{type(cause).__name__}: {cause.msg}"
        return {"file": cause.filename, "line": cause.lineno or 0, "column": cause.offset or 0, "message": said}
    shown = cause or error
    frames = [one for one in _frames(shown) if one.filename.startswith(str(file.parent))]
    place = (frames[-1].filename, frames[-1].lineno or 0) if frames else (str(file), 0)
    said = _short(f"{type(shown).__name__}: {shown}")
    return {"file": place[0], "line": place[1], "column": 0, "message": said}


def _frames(error: BaseException) -> Iterator[traceback.FrameSummary]:
    yield from traceback.extract_tb(error.__traceback__)
