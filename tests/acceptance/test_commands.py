"""What a person has done with the command line, shown again: data on standard output, chatter on standard error."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.acceptance.checklists import CHECKS, alarmed, furnish
from tests.lab.fleet import Fleet
from tests.lab.running import Desk, Ended, run_maintops

pytestmark = [pytest.mark.fleet, pytest.mark.xdist_group("commands")]


@dataclass(frozen=True)
class Kept:
    """A database with one run: s001 with findings, s002 without any, and one server that cannot be reached."""

    desk: Desk
    ended: Ended

    def maintops(self, *arguments: str) -> Ended:
        return run_maintops(self.desk, *arguments)

    def listed(self, *arguments: str) -> list[dict[str, Any]]:
        """A list as a program sees it."""
        ended = self.maintops(*arguments, "--format", "json")
        assert (ended.code, ended.stderr) == (0, "")
        found: list[dict[str, Any]] = ended.document
        return found


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, fleet: Fleet) -> Kept:
    fleet.refused("absent")
    desk = Desk(tmp_path_factory.mktemp("commands") / "desk", fleet, {"MAINTOPS_CONNECT_RETRIES": "0"})
    furnish(desk)
    inventory = desk.inventory("s002", "absent", **alarmed(desk, "s001"))
    return Kept(desk, run_maintops(desk, "run", "round", "-i", inventory, "--by", "erika", "--format", "json"))


def test_a_run_with_findings_and_an_unreachable_server_is_6(kept: Kept) -> None:
    assert kept.ended.code == 6, kept.ended.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("-l s002", 0),
        ("-l s001", 2),
        ("-l s001 --fail-on never", 0),
        ("-l s001 -t people", 0),
        ("-l s001 -t people --fail-on warning", 2),
        ("-l s001 -t AC-010,AC-030 --fail-on info", 2),
        ("-l absent", 4),
        ("-l absent --fail-on never", 4),
    ],
)
def test_the_exit_code_says_what_was_found(fleet: Fleet, kept: Kept, words: str, code: int, tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk", fleet, {"MAINTOPS_CONNECT_RETRIES": "0"})
    furnish(desk)
    inventory = desk.inventory("s002", "absent", **alarmed(desk, "s001"))
    ended = run_maintops(desk, "run", "round", "-i", inventory, *words.split())
    assert ended.code == code, (ended.stdout, ended.stderr)


def test_the_result_has_the_shape_that_programs_count_on(kept: Kept) -> None:
    document = kept.ended.document
    assert set(document) == {"version", "run", "servers", "totals"}
    assert document["version"] == 1
    assert {"id", "checklist", "started", "ended", "state"} <= set(document["run"])
    assert (document["run"]["checklist"], document["run"]["state"]) == ("round", "finished")
    assert sorted(one["server"] for one in document["servers"]) == ["absent", "s001", "s002"]
    for server in document["servers"]:
        assert {"server", "record", "outcome", "checks"} <= set(server)
        assert {cell["id"] for cell in server["checks"]} >= set(CHECKS)
        for cell in server["checks"]:
            assert {"id", "subject", "outcome", "severity", "message", "facts"} <= set(cell)
    disks = kept.ended.cells("s001")["AC-020"]
    assert [(one["subject"], one["outcome"], one["severity"], one["message"]) for one in disks] == [
        ("sda", "attention", "critical", "sda is 97 % full"),
        ("sdb", "ok", None, ""),
    ]
    assert disks[0]["facts"]["used"] == 97
    assert {one["outcome"] for one in kept.ended.server("absent")["checks"]} == {"unreachable"}
    assert document["totals"]["outcomes"]["attention"] == 2


def test_chatter_goes_to_standard_error(kept: Kept) -> None:
    assert "[3/3]" in kept.ended.stderr
    assert kept.ended.stdout.startswith("{")
    nothing = kept.maintops("finding", "list", "-l", "s002")
    assert (nothing.code, nothing.stdout, nothing.stderr) == (0, "", "no findings\n")
    nothing = kept.maintops("finding", "list", "-l", "s002", "--format", "json")
    assert (nothing.code, nothing.document, nothing.stderr) == (0, [], "")


def test_every_list_is_json_for_programs_and_a_table_for_people(kept: Kept) -> None:
    run = kept.ended.document["run"]["id"]
    assert [one["run"] for one in kept.listed("runs")] == [run]
    assert {one["server"]: one["outcome"] for one in kept.listed("record", "list")} == {
        "s001": "attention",
        "s002": "ok",
        "absent": "unreachable",
    }
    assert [one["server"] for one in kept.listed("record", "list", "--run", "last", "-l", "s001")] == ["s001"]
    assert {(one["check"], one["subject"]) for one in kept.listed("finding", "list")} == {
        ("AC-020", "sda"),
        ("AC-030", None),
    }
    assert [one["title"] for one in kept.listed("followup", "list")] == ["Make room on sda"]
    assert [one["server"] for one in kept.listed("server", "list", "-i", kept.desk.inventory("s001"))] == ["s001"]
    for words, column in [
        ("runs", "state"),
        ("record list", "outcome"),
        ("finding list", "severity"),
        ("followup list", "title"),
        ("checklist list", "cadence"),
    ]:
        shown = kept.maintops(*words.split())
        assert (shown.code, shown.stderr) == (0, "")
        assert column in shown.stdout.splitlines()[0]


def test_the_checklists_are_listed_as_programs_want_them(kept: Kept) -> None:
    listed = {one["checklist"]: one for one in kept.listed("checklist", "list")}
    assert listed["round"] == {
        "checklist": "round",
        "title": "A round through the house",
        "cadence": listed["round"]["cadence"],
        "checks": CHECKS,
        "steps": [],
    }
    assert "day" in json.dumps(listed["round"]["cadence"])
    assert len(listed["daily-check"]["checks"]) >= 25


def test_a_checklist_is_shown_with_its_checks_and_rules(kept: Kept) -> None:
    document = kept.maintops("checklist", "show", "round", "--format", "json").document
    assert [one["id"] for one in document["checks"]] == CHECKS
    text = kept.maintops("checklist", "show", "checklists/round.yml").stdout
    for words in ("AC-020  Disks have room", "why: A full disk", "-> Make room on {{ name }}"):
        assert words in text


def test_steps_by_hand_are_shown_with_what_is_asked_for(kept: Kept) -> None:
    text = kept.maintops("checklist", "show", "emergency-drill").stdout
    for words in ("by hand: Write down the fault", "answer: agreed or not agreed", "to do: Do not begin"):
        assert words in text


@pytest.mark.parametrize("noun", ["record", "finding", "followup"])
def test_an_id_may_be_shortened_as_long_as_it_is_one(kept: Kept, noun: str) -> None:
    ids = [str(one[noun]) for one in kept.listed(noun, "list")]
    whole = next(one for one in ids)
    short = next(whole[:end] for end in range(1, len(whole) + 1) if sum(x.startswith(whole[:end]) for x in ids) == 1)
    assert kept.maintops(noun, "show", short, "--format", "json").document[noun] == whole
    shown = kept.maintops(noun, "show", short)
    assert (shown.code, shown.stderr) == (0, "")
    assert shown.stdout
    if len(ids) > 1:
        several = kept.maintops(noun, "show", ids[0][:1])
        assert (several.code, several.stdout) == (64, "")
        assert f"several {noun}s" in several.stderr


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["json", "junit", "html", "text"])
def test_a_report_is_written_whole_and_for_its_owner_alone(kept: Kept, format: str) -> None:
    file = kept.desk.here / f"report.{format}"
    file.write_text("what stood here before " * 100_000)
    file.chmod(0o644)
    ended = kept.maintops("report", "last", "--format", format, "-o", file.name)
    assert (ended.code, ended.stdout) == (0, "")
    assert file.stat().st_mode & 0o777 == 0o600
    text = file.read_text()
    assert "what stood here" not in text
    assert not list(kept.desk.here.glob(".report*"))
    if format == "json":
        assert json.loads(text) == kept.ended.document
    elif format == "junit":
        _assert_junit(text)
    else:
        assert "sda is 97 % full" in text


def _assert_junit(text: str) -> None:
    document = ElementTree.fromstring(text)  # noqa: S314  we wrote it
    cases = list(document.iter("testcase"))
    assert len(cases) >= 3 * len(CHECKS)
    assert len(list(document.iter("failure"))) >= 1
    assert len(list(document.iter("error"))) >= len(CHECKS), "an unreachable server is an error"


def test_a_run_writes_what_it_would_have_said(kept: Kept, desk: Desk) -> None:
    furnish(desk)
    ended = run_maintops(desk, "run", "round", "-i", desk.inventory("s001"), "--format", "junit", "-o", "r.xml")
    assert (ended.code, ended.stdout) == (0, "")
    document = ElementTree.fromstring((desk.here / "r.xml").read_text())  # noqa: S314  we wrote it
    assert len(list(document.iter("testcase"))) >= len(CHECKS)
    assert (desk.here / "r.xml").stat().st_mode & 0o777 == 0o600


def test_standard_output_has_a_name_too(kept: Kept) -> None:
    # as /dev/stdout is, but nobody's to lose: standard output is an ordinary file here
    link = kept.desk.here / "stdout"
    link.symlink_to("/proc/self/fd/1")
    log = kept.desk.here / "log"
    log.write_text("before\n")
    command = [Path(sys.executable).parent / "maintops", "report", "--format", "json", "-o", "stdout"]
    with log.open("a") as stream:
        subprocess.run(command, stdout=stream, cwd=kept.desk.here, env=kept.desk.variables, check=True)
    assert link.readlink() == Path("/proc/self/fd/1")
    first, _, rest = log.read_text().partition("\n")
    assert (first, json.loads(rest)) == ("before", kept.ended.document)


def test_a_link_stays_a_link(kept: Kept) -> None:
    link, aim = kept.desk.here / "newest.json", kept.desk.here / "older.json"
    link.symlink_to(aim)
    assert kept.maintops("report", "--format", "json", "-o", "newest.json").code == 0
    assert link.is_symlink()
    assert json.loads(aim.read_text()) == kept.ended.document


# --- follow-ups -------------------------------------------------------------------------------------------------------


def test_a_follow_up_is_closed_by_somebody_with_a_reason_or_a_proof(desk: Desk) -> None:
    furnish(desk)
    bad, good = desk.inventory(**alarmed(desk, "s001", "s002")), desk.inventory("s001", "s002")
    assert run_maintops(desk, "run", "round", "-i", bad).code == 2
    opened = run_maintops(desk, "followup", "list", "--format", "json").document
    first, second = (next(one["followup"] for one in opened if one["server"] == name) for name in ("s001", "s002"))
    _assert_not_closed(run_maintops(desk, "followup", "close", first), "--by")
    _assert_not_closed(run_maintops(desk, "followup", "close", first, "--by", "erika"), "--note")
    closed = run_maintops(desk, "followup", "close", first, "--by", "erika", "--note", "moved", "--format", "json")
    assert (closed.code, closed.stderr) == (0, f"closed {first}\n")
    assert [closed.document[one] for one in ("state", "closed_by", "note")] == ["closed", "erika", "moved"]
    _assert_not_closed(run_maintops(desk, "followup", "close", first, "--by", "max", "--note", "x"), "closed already")

    assert run_maintops(desk, "run", "round", "-i", good).code == 0
    (proposed,) = run_maintops(desk, "followup", "list", "--format", "json").document
    assert (proposed["followup"], proposed["state"]) == (second, "proposed")
    proof = run_maintops(desk, "record", "show", proposed["proof"], "--format", "json").document
    assert (proof["server"], proof["outcome"]) == ("s002", "ok")
    assert run_maintops(desk, "followup", "close", second, "--by", "erika").code == 0
    assert run_maintops(desk, "followup", "list", "--format", "json").document == []
    every = run_maintops(desk, "followup", "list", "--closed", "--format", "json").document
    assert {one["followup"] for one in every} == {first, second}
    gone = run_maintops(desk, "finding", "list", "--gone", "--format", "json").document
    assert {one["state"] for one in gone} == {"gone"}
    (one,) = [one for one in gone if (one["server"], one["check"]) == ("s002", "AC-020")]
    history = run_maintops(desk, "finding", "show", one["finding"], "--format", "json").document["history"]
    assert [sighting["state"] for sighting in history] == ["new", "gone"]


def _assert_not_closed(ended: Ended, words: str) -> None:
    assert (ended.code, ended.stdout) == (64, "")
    assert words in ended.stderr
