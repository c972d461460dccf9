"""The plug-in of pytest: pytest runs inside of pytest here, on this very machine (`local://`) and no other."""

from __future__ import annotations

import json
import os
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops import pytest_plugin
from maintops.domain.outcomes import Cell, Outcome
from maintops.domain.runs import PlannedServer, RunPlanned
from maintops.store.codec import microseconds, record_text
from maintops.store.journals import event_text
from tests.unit.workflow.samples import OWNER, START, draft

LOCAL = "local"  # what testinfra calls this machine
PLANNED = RunPlanned(
    "r1", "sample", "v1", "Sample", "inspection", ("A-100",), (PlannedServer(LOCAL, "r1-0001", "ssh"),), OWNER, START
)


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Runs pytest on a test file with orders; returns its exit status and what was told, line by line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def run(text, *more, hosts=("local://",), servers=(LOCAL,)):
        (tmp_path / "t").mkdir(exist_ok=True)
        file = tmp_path / "t" / "test_it.py"
        file.write_text(text)
        from dataclasses import replace

        record = replace(draft(server=LOCAL), id="r1-0001", run="r1", cells=(Cell("A-100", None, Outcome.OK),))
        journal = {"events": [[*event_text(PLANNED), microseconds(START)]], "records": [record_text(record)]}
        orders = {"journal": journal, "hosts": list(hosts), "servers": list(servers), "config": None, "forks": 2}
        (tmp_path / "orders.json").write_text(json.dumps(orders))
        read, write = os.pipe()
        given_orders = ("--maintops-orders", f"{write}:{tmp_path / 'orders.json'}")
        status = pytest.main([*PLUGINS, *given_orders, *more, str(file)])
        with os.fdopen(read) as told:
            return status, [json.loads(line) for line in told]

    yield run
    for name in [name for name in sys.modules if name in ("test_it", "conftest")]:
        del sys.modules[name]
    sys.path[:] = [one for one in sys.path if not one.startswith(str(tmp_path))]


PLUGINS = ("-c", os.devnull, "-p", "no:cacheprovider", "-p", "testinfra.plugin", "-p", "maintops.pytest_plugin", "-q")


def results(told):
    return {one["test"].removeprefix("t/test_it.py::"): one for one in told if one["told"] == "result"}


def test_every_test_is_told_with_its_result(bench):
    text = """\
import pytest

def test_good(host):
    assert host.backend.get_hostname() == "local"

def test_bad(host):
    assert host.file("/nowhere").exists, "it is not there"

def test_wrong(host):
    {}["x"]

def test_left_out(host):
    pytest.skip("not here")

@pytest.mark.xfail(reason="known")
def test_known(host):
    assert False

@pytest.mark.xfail(strict=True)
def test_better_than_thought(host):
    pass

@pytest.fixture
def broken():
    yield
    raise ValueError("at the end")

def test_end(host, broken):
    pass

def test_bad_twice(host, broken):
    assert False

@pytest.mark.parametrize("name", ["a-b", "c"])
class TestNames:
    def test_it(self, host, name):
        pass

def test_lost(host):
    ended = host.run("exit 255")
    raise RuntimeError(ended)
"""
    status, told = bench(text)
    assert status == 1
    assert {name: one["result"] for name, one in results(told).items()} == {
        "test_good": "passed",
        "test_bad": "failed",
        "test_wrong": "error",
        "test_left_out": "skipped",
        "test_known": "skipped",
        "test_better_than_thought": "failed",
        "test_end": "error",
        "test_bad_twice": "failed",
        "TestNames::test_it[a-b]": "passed",
        "TestNames::test_it[c]": "passed",
        "test_lost": "lost",
    }
    bad = results(told)["test_bad"]
    assert (bad["server"], bad["place"]) == (LOCAL, "test_it.py:7")
    assert bad["message"] == "it is not there"
    assert "assert host.file" in bad["detail"]
    assert bad["seconds"] >= 0
    assert results(told)["test_left_out"]["message"] == "not here"
    assert results(told)["test_known"]["message"] == "expected to fail: known"
    assert "does not say why" in results(told)["test_lost"]["message"]
    planned = [one["test"] for one in told if one["told"] == "planned"]
    assert len(planned) == len(set(planned)) == len(results(told))
    assert told[-1] == {"told": "end"}


def test_the_record_is_that_of_the_host_or_of_one_server_after_the_other(bench):
    text = """\
def test_with(host, maintops_record, maintops_run, maintops_records):
    assert maintops_record.id == "r1-0001" and maintops_record.outcome == "ok"
    assert maintops_run.id == "r1" and list(maintops_records) == ["local"]

def test_without(maintops_record):
    assert maintops_record.server == "local"

def test_neither():
    pass
"""
    _, told = bench(text, servers=(LOCAL, "web2"))
    found = [(one["test"].rpartition("::")[2], one["server"], one["result"]) for one in told if one["told"] == "result"]
    assert found == [
        ("test_with", LOCAL, "passed"),
        ("test_without", LOCAL, "passed"),
        ("test_without", "web2", "error"),
        ("test_neither", None, "passed"),
    ]
    (missing,) = [one for one in told if one["told"] == "result" and one["server"] == "web2"]
    assert "the run has no record of web2; it has those of local" in missing["message"]


def test_a_server_that_does_not_let_us_run_a_command_is_left_out(bench, monkeypatch):
    monkeypatch.setattr(pytest_plugin, "_closed", lambda host: "ssh: no")
    _, told = bench("def test_it(host):\n    pass\n")
    assert [one["told"] for one in told] == ["planned", "unreachable", "end"]
    assert told[1]["message"] == "ssh: no"


def test_a_broken_file_is_told_with_its_place(bench, tmp_path):
    for text, line, said in (
        ("x = 1\nassert (\n", 2, "SyntaxError"),
        ("import no_such_module\n", 1, "ModuleNotFoundError: No module named 'no_such_module'"),
        ("\n\n{}['x']\n", 3, "KeyError"),
    ):
        status, told = bench(text)
        (mistake,) = [one for one in told if one["told"] == "mistake"]
        assert status == 2
        assert (mistake["file"], mistake["line"]) == (str(tmp_path / "t" / "test_it.py"), line)
        assert said in mistake["message"]
        assert not results(told)


def test_nothing_is_asked_where_tests_are_only_listed(bench, monkeypatch):
    monkeypatch.setattr(pytest_plugin, "_closed", lambda host: pytest.fail("it was asked"))
    status, told = bench("def test_it(host):\n    pass\n", "--collect-only")
    assert status == 0
    assert [one["told"] for one in told] == ["planned", "end"]


def test_unless_it_is_asked_for_it_does_nothing_and_the_fixtures_say_how_to_ask(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    file = tmp_path / "test_alone.py"
    file.write_text("def test_it():\n    pass\n\ndef test_record(maintops_record):\n    pass\n")
    status = pytest.main([*PLUGINS, str(file)])
    told = capfd.readouterr().out
    assert status == 1
    assert ("1 passed" in told, "1 error" in told) == (True, True)
    assert "give --maintops-run RUN" in told
    sys.path.remove(str(tmp_path))


@pytest.mark.parametrize(
    ("id", "part", "rest"),
    [
        ("ssh://a", "ssh://a", ""),
        ("ssh://a-x", "ssh://a", "x"),
        ("x-ssh://a", "ssh://a", "x"),
        ("x-ssh://a-y", "ssh://a", "x-y"),
        ("ssh://a-b-x", "ssh://a-b", "x"),
        ("ssh://ab-ssh://a", "ssh://a", "ssh://ab"),
        ("x-y", "", "x-y"),
    ],
)
def test_a_test_s_name_is_the_same_on_every_server(id, part, rest):
    assert pytest_plugin._without(id, part) == rest


@given(st.lists(st.text("ab-", min_size=1, max_size=4), max_size=3), st.integers(0, 3))
def test_a_server_s_part_is_taken_out_wherever_it_stands(parts, place):
    host = "ssh://s1"
    whole = [*parts[:place], host, *parts[place:]]
    assert pytest_plugin._without("-".join(whole), host) == "-".join(parts)


def ended(rc=0, stderr=b""):
    return SimpleNamespace(rc=rc, stderr_bytes=stderr)


def host(answer):
    def run(command):
        if isinstance(answer, Exception):
            raise answer
        return answer

    return SimpleNamespace(backend=SimpleNamespace(run=run))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (ended(), None),
        (ended(1, b"sudo: a password is required\n"), "status 1 there: sudo: a password is required"),
        (RuntimeError(ended(255, b"@@@@@\nHost key verification failed.\r\n")), "ssh: Host key verification failed."),
        (RuntimeError(ended(255, b"ssh: connect to host a: refused\n")), "ssh: connect to host a: refused"),
        (RuntimeError(ended(255, b"@@\nLook!\n  ssh-keygen -R x\nIt changed.\nNo.\n")), "ssh: It changed.; No."),
        (RuntimeError(ended(255)), "does not say why"),
        (OSError("no ssh here"), "OSError: no ssh here"),
        (RuntimeError("something else"), "RuntimeError: something else"),
    ],
)
def test_why_nobody_is_let_in(answer, why):
    said = pytest_plugin._closed(host(answer))
    assert said is None if why is None else why in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("AssertionError: off\nassert 1 == 2", "off"),
        ("assert False\n + where False = <x at 0x7fa3bc16da10>.on", "assert False + where False = <x>.on"),
        ("assert False", "assert False"),
        ("KeyError: 'x'", "KeyError: 'x'"),
        ("ValueError: a\nb", "ValueError: a b"),
        ("AssertionError", "AssertionError"),
    ],
)
def test_what_is_said_of_a_failure_stays_the_same_from_day_to_day(text, said):
    assert pytest_plugin._crash(text) == said


def test_messages_are_bounded():
    assert len(pytest_plugin._short("word " * 1000)) == 500
    assert pytest_plugin._short("a\n  b") == "a b"


def test_importing_the_plug_in_loads_nothing_of_maintops_besides():
    import subprocess

    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import maintops.pytest_plugin, sys; print([m for m in sys.modules if 'maintops' in m])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "['maintops', 'maintops.pytest_plugin']"
