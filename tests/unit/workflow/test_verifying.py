"""Results of tests become parts of records, and findings with a memory."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from maintops.domain.findings import FindingState
from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.domain.ports import Delivery, Failure, FailureKind, Memory, Reply, Verdict
from maintops.domain.records import merged
from maintops.domain.runs import PlannedServer, RunEnded, RunPlanned, RunState
from maintops.domain.servers import Server
from maintops.errors import NothingSelected, UsageError
from maintops.store.memory import MemoryStore
from maintops.workflow.hearing import CHECK, read_results
from maintops.workflow.verifying import Bench, check_files, name_of, verify
from tests.unit.workflow.samples import OWNER, START, draft


class CannedVerifier:
    """Delivers what it is given."""

    def __init__(self, refuses=(), **streams):
        self.refuses, self.streams, self.asked = dict(refuses), streams, []

    def refusal(self, server, become):
        return self.refuses.get(server.name)

    def verify(self, files, targets, *, forks):
        self.asked = [(server.name, become) for server, become in targets]
        for server, _ in targets:
            if server.name not in self.streams:
                continue
            given = self.streams[server.name]
            failure = Failure(FailureKind.UNREACHABLE, given) if isinstance(given, str) else None
            stream = b"" if failure else lines(*given)
            yield Delivery(server.name, (Reply(stream, failure),), START, START + timedelta(seconds=3))


def lines(*results):
    return b"".join(json.dumps(one).encode() + b"\n" for one in results)


def told(test, result="passed", **more):
    return {"test": f"t/{test}", "result": result, **more}


@pytest.fixture
def store():
    """A run over web1 and web2 that has ended, with a record of each."""
    made = MemoryStore()
    servers = tuple(PlannedServer(name, f"r1-{number:04}", "ssh") for number, name in enumerate(("web1", "web2"), 1))
    made.begin(RunPlanned("r1", "sample", "v1", "Sample", "inspection", ("A-100",), servers, OWNER, START))
    for one in servers:
        record = replace(draft(server=one.server), id=one.record, run="r1", cells=(Cell("A-100", None, Outcome.OK),))
        made.commit("r1", one.record, one.server, lambda memory, record=record: Verdict(record), b"", START)
    made.append("r1", RunEnded(RunState.FINISHED, "", START))
    return made


@pytest.fixture
def file(tmp_path):
    """t/test_a.py and its like."""
    (tmp_path / "t").mkdir()

    def make(name="test_a.py"):
        path = tmp_path / "t" / name
        path.touch()
        return path

    return make


def verified(store, files, verifier, servers=("web1", "web2"), **more):
    inventory = [one if isinstance(one, Server) else Server(one) for one in servers]
    bench = Bench(store, verifier, lambda: START + timedelta(hours=1), tuple(files), "Erika")
    return verify(store.run("r1"), inventory, bench, **more)


def cells(record):
    return {cell.subject: (cell.outcome, cell.severity, cell.message) for cell in record.cells}


def test_results_are_a_further_part_of_each_record(store, file):
    verifier = CannedVerifier(web1=[told("test_a.py::x", seconds=1.5)], web2=[told("test_a.py::x")])
    found = verified(store, [file()], verifier, [Server("web1", variables={"ansible_become": "yes"}), "web2"])
    assert verifier.asked == [("web1", True), ("web2", False)]
    assert [(one.id, one.engine, one.engineer) for one in found.records] == [
        ("r1-0001.2", "testinfra", "Erika"),
        ("r1-0002.2", "testinfra", "Erika"),
    ]
    assert (found.records[0].started, found.records[0].ended) == (START, START + timedelta(seconds=3))
    assert cells(found.records[0]) == {"t/test_a.py::x": (Outcome.OK, None, "")}
    assert found.run.planned.checks == (CHECK,)
    kept = merged(one for one in store.records(run="r1") if one.server == "web1")
    assert [cell.check for cell in kept.cells] == ["A-100", CHECK]
    assert store.answer("r1-0001.2") == lines(told("test_a.py::x", seconds=1.5))


def test_a_failed_assertion_is_a_critical_finding_that_goes_when_it_holds(store, file):
    failed = told("test_a.py::x", "failed", message="it {{ is }} off", place="test_a.py:3", detail="> assert on")
    found = verified(store, [file()], CannedVerifier(web1=[failed], web2=[told("test_a.py::x")]))
    assert cells(found.records[0]) == {"t/test_a.py::x": (Outcome.ATTENTION, Severity.CRITICAL, "it {{ is }} off")}
    assert found.records[0].cells[0].evidence == "> assert on"
    (finding,) = store.findings()
    assert (finding.server, finding.subject, finding.state) == ("web1", "t/test_a.py::x", FindingState.NEW)
    verified(store, [file()], CannedVerifier(web1=[told("test_a.py::x")], web2=[told("test_a.py::x")]))
    assert store.findings() == []


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        ("error", Outcome.FAILED),
        ("skipped", Outcome.SKIPPED),
        ("lost", Outcome.UNKNOWN),
        ("not_reached", Outcome.NOT_REACHED),
    ],
)
def test_what_was_not_measured_has_its_outcome_and_changes_no_finding(store, file, result, outcome):
    verified(store, [file()], CannedVerifier(web1=[told("test_a.py::x", "failed", message="off")], web2=[]))
    found = verified(store, [file()], CannedVerifier(web1=[told("test_a.py::x", result, message="so")], web2=[]))
    assert cells(found.records[0]) == {"t/test_a.py::x": (outcome, None, "so")}
    assert [one.state for one in store.findings()] == [FindingState.NEW]


def test_a_test_of_another_file_keeps_its_finding_and_one_that_was_removed_loses_it(store, file):
    first = [told("test_a.py::x", "failed", message="off"), told("test_a.py::y", "failed", message="off")]
    verified(store, [file()], CannedVerifier(web1=first, web2=[]))
    other = CannedVerifier(web1=[told("test_b.py::z")], web2=[])
    found = verified(store, [file("test_b.py")], other)
    assert list(cells(found.records[0])) == ["t/test_b.py::z"]
    assert len(store.findings()) == 2
    verified(store, [file()], CannedVerifier(web1=[told("test_a.py::x", "failed", message="off")], web2=[]))
    assert [(one.subject, one.state) for one in store.findings()] == [("t/test_a.py::x", FindingState.KNOWN)]
    assert set(store.memory("web1").facts[CHECK]) == {"t/test_a.py::x", "t/test_b.py::z"}


def test_servers_without_results_are_named_and_keep_their_findings(store, file):
    failed = [told("test_a.py::x", "failed", message="off")]
    verified(store, [file()], CannedVerifier(web1=failed, web2=failed))
    found = verified(store, [file()], CannedVerifier({"web2": "its connection is docker"}, web1="refused"))
    assert cells(found.records[0]) == {None: (Outcome.UNREACHABLE, None, "refused")}
    why = "its tests were not run: its connection is docker"
    assert cells(found.records[1]) == {None: (Outcome.NOT_MEASURED, None, why)}
    assert {one.state for one in store.findings()} == {FindingState.NEW}
    gone = verified(store, [file()], CannedVerifier(web1=failed), ["web1"])
    assert "inventory does not name it" in gone.records[1].cells[0].message
    silent = verified(store, [file()], CannedVerifier(web1=failed))
    assert silent.records[1].cells[0].outcome is Outcome.UNKNOWN


def test_no_test_for_a_server_is_not_ok(store, file):
    found = verified(store, [file()], CannedVerifier(web1=[], web2=[]))
    assert {one.outcome for one in found.records} == {Outcome.NOT_MEASURED}


def test_a_limit_leaves_the_others_out(store, file):
    found = verified(store, [file()], CannedVerifier(web2=[told("test_a.py::x")]), ["web2", "db9"], limited=True)
    assert [one.server for one in found.records] == ["web2"]
    assert [one.server for one in found.run.planned.servers] == ["web2"]
    with pytest.raises(NothingSelected, match="no server of the run r1"):
        verified(store, [file()], CannedVerifier(), ["db9"], limited=True)


def test_a_run_that_goes_on_is_not_verified(file):
    store = MemoryStore()
    store.begin(RunPlanned("r1", "sample", "v1", "Sample", "inspection", (), (), OWNER, START))
    with pytest.raises(UsageError, match="still going on"):
        verified(store, [file()], CannedVerifier())


@pytest.mark.parametrize("stream", [b"nonsense", b"[]", b"{}", lines(told("x")) * 2, lines(told("x", "splendid"))])
def test_what_is_no_stream_of_results_is_not_read(stream):
    with pytest.raises(ValueError, match=r"."):
        read_results(stream)


def test_a_failure_without_a_word_still_says_something():
    (subject,) = read_results(lines(told("x", "failed"))).reading.subjects
    assert subject.facts["message"] == "it failed and does not say why"


def test_files_that_cannot_be_used_are_refused_before_anything_is_asked(tmp_path, file):
    check_files([file(), file("test_b.py")])
    assert name_of(file()) == "t/test_a.py"
    (tmp_path / "u/t").mkdir(parents=True)
    (tmp_path / "u/t/test_a.py").touch()
    for files, why in (
        ([], "no test file"),
        ([Path("/nowhere/test_x.py")], "there is no test file"),
        ([tmp_path], "is no file"),
        ([file("notes.txt")], "cannot be a test file"),
        ([file("test[1].py")], "cannot be a test file"),
        ([file(), tmp_path / "u/t/test_a.py"], "cannot be told apart"),
    ):
        with pytest.raises(UsageError, match=why):
            check_files(files)


def test_a_stranger_s_memory_is_left_alone(store, file):
    """Memory of other checks is neither read nor dropped."""
    assert store.memory("web1").facts.keys() == Memory().facts.keys()
    verified(store, [file()], CannedVerifier(web1=[told("test_a.py::x")], web2=[]))
    assert list(store.memory("web1").facts) == [CHECK]
