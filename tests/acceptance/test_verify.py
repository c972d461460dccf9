"""`maintops verify` at the command line: what is shown, in which format, and with which exit code."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from tests.lab.running import WHO, Desk, Ended, checklist_of, run_maintops

pytestmark = [pytest.mark.fleet, pytest.mark.xdist_group("verify-commands")]

TESTS = """\
def test_root(host):
    assert host.file("/").is_directory


def test_second(host):
    assert host.backend.get_hostname() != "s002", "evil \\x1b[31m<b>words</b>"
"""
CHECKLIST = """\
checklist: upkeep
title: Upkeep
service: inspection
cadence: {every: day}
hosts: all
checks: [{id: W-010, title: Who it is, command: id -un}]
"""


class Stage:
    """A desk with a run over two servers and a test file that one of them fails."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.inventory = desk.inventory("s001", "s002")
        self.begun = self.call("run", checklist_of(desk, WHO))
        (desk.here / "holds").mkdir()
        (desk.here / "holds/test_it.py").write_text(TESTS)

    def call(self, *arguments: str) -> Ended:
        return run_maintops(self.desk, *arguments, "-i", self.inventory)

    def verify(self, *more: str) -> Ended:
        return self.call("verify", "last", "holds/test_it.py", *more)


@pytest.fixture
def stage(desk: Desk) -> Stage:
    return Stage(desk)


def test_as_text_what_failed_comes_first_and_is_harmless(stage: Stage) -> None:
    ended = stage.verify()
    assert (stage.begun.code, ended.code) == (0, 2)
    assert "s002" in ended.stdout
    assert "VFY-010" in ended.stdout
    assert "holds/test_it.py::test_second" in ended.stdout
    assert "\x1b" not in ended.stdout
    assert "1 critical finding" in ended.stdout
    assert str(stage.desk.database) in ended.stdout


def test_as_json_and_junit_into_a_file(stage: Stage) -> None:
    file = stage.desk.here / "out.xml"
    assert stage.verify("--format", "junit", "-o", "out.xml", "--by", "Erika").code == 2
    root = ElementTree.fromstring(file.read_text())  # noqa: S314  what maintops itself wrote
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("4", "1", "0")
    document: Any = stage.verify("--format", "json", "--fail-on", "never")
    assert document.code == 0
    assert [one["engine"] for one in document.document["servers"]] == ["testinfra", "testinfra"]
    record = run_maintops(stage.desk, "record", "show", document.server("s002")["record"])
    assert "VFY-010" in record.stdout
    for format in ("html", "text", "junit"):
        report = run_maintops(stage.desk, "report", "last", "--format", format)
        assert (report.code, "VFY-010" in report.stdout) == (0, True), report.stderr
        assert "\x1b" not in report.stdout
        assert "<b>words" not in report.stdout or format == "text"


def test_the_engineer_signs_for_the_part_that_he_verified(stage: Stage) -> None:
    ended = stage.verify("--format", "json", "--by", "Erika", "-l", "s001")
    record = run_maintops(stage.desk, "record", "show", ended.server("s001")["record"], "--format", "json").document
    assert record["engineer"] == "Erika"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("verify", "nosuch", "holds/test_it.py"), 64, "nosuch"),
        (("verify", "last", "holds/test_gone.py"), 64, "holds/test_gone.py"),
        (("verify", "last", "holds"), 64, "is no file"),
        (("verify", "last"), 64, "no test file"),
        (("verify", "last", "holds/test_it.py", "-l", "nosuch"), 64, "nosuch"),
        (("verify", "last", "holds/test_it.py", "-o", "no/such/folder"), 64, "no/such"),
    ],
)
def test_mistakes_are_told_before_anything_is_asked(stage: Stage, arguments: Any, code: int, said: str) -> None:
    ended = stage.call(*arguments)
    assert (ended.code, said in ended.stderr) == (code, True), ended.stderr
    assert "Traceback" not in ended.stderr


def test_servers_that_were_not_part_of_the_run_are_nothing_selected(stage: Stage) -> None:
    stage.inventory = stage.desk.inventory("s003")
    ended = stage.verify("-l", "s003")
    assert (ended.code, "no server of the run" in ended.stderr) == (5, True), ended.stderr


def test_without_files_those_that_the_checklist_names_are_run(desk: Desk) -> None:
    (desk.here / "holds").mkdir()
    (desk.here / "holds/test_it.py").write_text(TESTS)
    text = f"{CHECKLIST}change: {{verify: [holds/test_it.py]}}\n"
    inventory = desk.inventory("s001")
    run_maintops(desk, "run", desk.checklist(text), "-i", inventory)
    ended = run_maintops(desk, "verify", "last", "-i", inventory, "--format", "json")
    assert ended.code == 0, ended.stderr
    assert len(ended.cells("s001")["VFY-010"]) == 2
