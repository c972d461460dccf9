"""Changes by the command line, as far as no server is needed: what cannot go well is refused before anybody is asked,
in words that say what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.lab.running import Desk, Ended, run_maintops

CHECKLIST = """\
checklist: fix
title: The fix
service: software-upgrade
cadence: {every: quarter}
hosts: all
change:
  waves: [1, 100%]
  packages: latest
  risk: {assessment: It breaks., contingency: It is mended.}
checks:
- {id: FX-010, title: There is room, command: df, parse: text}
steps:
- id: FX-500
  title: It is fixed
  tasks: [{name: Fix it, ansible.builtin.raw: "true"}]
  irreversible: true
  estimate: 1s
  precheck: [FX-010]
"""


@dataclass(frozen=True)
class Nowhere:
    """Servers that nobody can reach: nothing listens on that port of loopback."""

    known_hosts: Path

    def variables(self, name: str) -> dict[str, Any]:
        return {"ansible_host": "127.0.0.9", "ansible_port": 1, "ansible_user": "nobody"}


@dataclass(frozen=True)
class Office:
    """Where changes are planned by ann and approved by ben."""

    desk: Desk
    inventory: str

    def maintops(self, *words: str) -> Ended:
        return run_maintops(self.desk, *words)

    def plan(self, checklist: str = "./fix.yml", output: str = "a.plan", *words: str) -> Ended:
        """Makes a plan without asking any server."""
        given = ("-i", self.inventory, "--by", "ann", "--from-records", "-o", output)
        return self.maintops("plan", checklist, *given, *words)

    def approve(self, plan: str = "a.plan", by: str = "ben") -> Ended:
        return self.maintops("approve", plan, "-i", self.inventory, "--by", by)

    def run(self, *words: str, by: str = "ann") -> Ended:
        return self.maintops("run", *words, "-i", self.inventory, "--by", by)

    def write(self, text: str, name: str = "fix.yml") -> None:
        self.desk.checklist(text, name)


def office_in(folder: Path, **hosts: Mapping[str, Any]) -> Office:
    """An office with a checklist and some servers; web1 and web2 where none are named."""
    folder.mkdir(parents=True, exist_ok=True)
    nowhere = Nowhere(folder / "known_hosts")
    nowhere.known_hosts.touch()
    desk = Desk(folder / "desk", nowhere, {"MAINTOPS_CONNECT_RETRIES": "0", "MAINTOPS_APPROVER": "other-name"})
    desk.checklist(CHECKLIST, "fix.yml")
    named = hosts or {"web1": {}, "web2": {}}
    inventory = desk.inventory(**{name: nowhere.variables(name) | dict(more) for name, more in named.items()})
    return Office(desk, inventory)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return office_in(tmp_path)


def refused(ended: Ended, told: str, code: int = 64) -> None:
    """A command ended with a sentence for people, and without a trace of our insides."""
    assert ended.code == code, (ended.stdout, ended.stderr)
    assert re.search(told, ended.stderr), ended.stderr
    assert "Traceback" not in ended.stderr


# --- what cannot be planned -------------------------------------------------------------------------------------------

WITHOUT = CHECKLIST[: CHECKLIST.index("change:")] + CHECKLIST[CHECKLIST.index("checks:") : CHECKLIST.index("steps:")]
TASKS = 'tasks: [{name: Fix it, ansible.builtin.raw: "true"}]'
WINDOW = "  windows: {zone: UTC, open: [{weekdays: [mon], from: 22:00, to: 22:01}]}\nchecks:"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (WITHOUT, "the checklist fix changes nothing; maintops run fix looks"),
        (CHECKLIST.replace(TASKS, "playbook: away.yml"), r"fix\.yml:\d+:\d+: .*away\.yml"),
        (CHECKLIST.replace(TASKS, "role: away"), r"away.*(not installed|no role|not found)|no role.*away"),
        (CHECKLIST.replace('"true"', '"echo {{ nowhere_set }}"'), "nowhere_set"),
        (CHECKLIST.replace("1s", "10m").replace("checks:", WINDOW), "window"),
        (CHECKLIST.replace("[FX-010]", "[FX-011]"), r"fix\.yml:\d+:\d+: .*FX-011"),
    ],
    ids=["no change", "no playbook", "no role", "undefined", "window", "precheck"],
)
def test_what_can_only_go_wrong_is_no_plan(office: Office, text: str, told: str) -> None:
    office.write(text)
    refused(office.plan(), told)
    assert not (office.desk.here / "a.plan").exists()


def test_a_group_that_can_spare_nobody_is_no_plan(tmp_path: Path) -> None:
    group = {"maintops_group": "web", "maintops_max_unavailable": 1}
    refused(office_in(tmp_path, web1=group).plan(), "the group web has 1 server and may miss 1")


# --- approvals --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """A plan that nobody has approved: a.plan."""
    made = office_in(tmp_path_factory.mktemp("planned"))
    ended = made.plan()
    assert ended.code == 0, ended.stderr
    assert "next: maintops approve a.plan --by SOMEBODY-ELSE" in ended.stderr
    return made


def test_its_author_does_not_approve_it(planned: Office) -> None:
    refused(planned.approve(by="ann"), r"was made by .*ann.*somebody else must approve it")


def test_a_plan_is_found_by_its_hash_where_its_file_cannot_be_read(office: Office) -> None:
    assert office.plan().code == 0
    found = json.loads((office.desk.here / "a.plan").read_text())["hash"]
    ended = office.approve(found[:12])
    assert ended.code == 0, ended.stderr
    assert "is approved by ben" in ended.stderr
    refused(office.approve("0" * 12), "000000000000 is neither a file nor how one plan.s hash in the database begins")


def test_what_nobody_approved_is_not_run(planned: Office) -> None:
    refused(planned.run("--plan", "a.plan"), r"nobody has approved the plan p.*maintops approve.*--emergency REASON")
    assert planned.maintops("runs", "--format", "json").document == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("hello", "forged.plan is no plan of maintops"),
        ("[]", "forged.plan is no plan of maintops"),
        ('{"hash": "", "plan": {}}', "forged.plan is no plan of maintops"),
    ],
)
def test_what_is_no_plan_is_told_so(planned: Office, content: str, told: str) -> None:
    (planned.desk.here / "forged.plan").write_text(content)
    refused(planned.approve("forged.plan"), told)


def test_a_forged_plan_is_refused(planned: Office) -> None:
    text = (planned.desk.here / "a.plan").read_text()
    (planned.desk.here / "forged.plan").write_text(text.replace('"budget": 0', '"budget": 9'))
    for words in (("approve", "forged.plan"), ("run", "--plan", "forged.plan", "--emergency", "now")):
        ended = planned.maintops(*words, "-i", planned.inventory, "--by", "ben")
        refused(ended, "forged.plan was changed after it was made: its hash does not fit; make a new plan")


def test_a_plan_that_is_not_there_is_told_so(planned: Office) -> None:
    refused(planned.run("--plan", "away.plan"), "cannot read the plan away.plan: No such file or directory")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("fix.yml", "--emergency", "now"), "--emergency goes with --plan, or with continue"),
        (("--plan", "a.plan", "--emergency", " "), "--emergency wants a reason"),
        (("--plan", "a.plan", "-l", "web1"), "what was planned says where and what"),
        (("./fix.yml", "--plan", "a.plan"), "what was planned says where and what"),
        (("--plan", "a.plan", "--deadline", "soon"), "--deadline 'soon' is neither a duration"),
    ],
)
def test_words_that_do_not_go_together_are_refused(planned: Office, words: tuple[str, ...], told: str) -> None:
    refused(planned.run(*words), told)


# --- runs -------------------------------------------------------------------------------------------------------------


def test_a_stale_plan_is_neither_approved_nor_run_nor_beaten_by_an_emergency(office: Office) -> None:
    assert office.plan().code == 0
    assert office.approve().code == 0
    office.write(CHECKLIST.replace("Fix it", "Fix it well"))
    told = r"the plan p\S+ is stale; changed since: the checklist fix.*make a new plan"
    refused(office.approve(), told)
    refused(office.run("--plan", "a.plan"), told)
    refused(office.run("--plan", "a.plan", "--emergency", "a hole"), told)


def test_a_plan_is_carried_out_once_and_whoever_is_away_is_told_of(office: Office) -> None:
    assert office.plan().code == 0
    ended = office.approve()
    assert (ended.code, "next: maintops run --plan a.plan" in ended.stderr) == (0, True)
    first = office.run("--plan", "a.plan", "--format", "json")
    assert first.code == 6, first.stderr
    assert first.document["run"]["state"] == "held"
    assert {one["id"]: one["outcome"] for one in first.server("web1")["checks"]}["FX-010"] == "unreachable"
    waiting = {one["id"]: one for one in first.server("web2")["checks"]}["FX-500"]
    assert (waiting["outcome"], "the failure budget (0) is used up" in waiting["message"]) == ("not_reached", True)
    run = first.document["run"]["id"]
    assert f"go on with it: maintops run continue {run}" in first.stderr
    refused(office.run("--plan", "a.plan"), rf"was carried out already, as the run {run} \(held\).*run continue {run}")
    again = office.run("continue", run, "--format", "json")
    assert again.code == 6, again.stderr
    assert "run r" in again.stderr
    assert "/2] web1" in again.stderr  # and not of nobody knows how many
    assert "/0]" not in again.stderr
    refused(office.maintops("rollback", run, "-i", office.inventory, "--yes"), "nothing of the run .* can be undone")


def test_an_emergency_is_loud_everywhere(office: Office) -> None:
    assert office.plan().code == 0
    ended = office.run("--plan", "a.plan", "--emergency", "a hole in TLS", "--format", "json")
    assert ended.document["run"]["emergency"] == "a hole in TLS"
    assert ended.document["run"]["remarks"] == ["EMERGENCY, by ann: a hole in TLS"]
    assert "EMERGENCY: a hole in TLS. Approval and window do not count; this is on record." in ended.stderr
    assert "On record: EMERGENCY, by ann: a hole in TLS" in office.maintops("report", "--format", "text").stdout
    html = office.maintops("report").stdout
    assert "EMERGENCY" in html
    assert "a hole in TLS" in html
    refused(office.run("continue"), "nobody has approved the plan")  # every time anew


def test_while_changes_are_held_nothing_is_begun_not_even_in_an_emergency(office: Office) -> None:
    assert office.plan().code == 0
    assert office.maintops("hold", "--why", "an incident", "--by", "ops").code == 0
    for more in ((), ("--emergency", "now")):
        refused(office.run("--plan", "a.plan", *more), r"changes are held by .*an incident.*hold --lift", 75)
    shown = office.maintops("hold")
    assert (shown.code, "an incident" in shown.stderr) == (75, True)
    lifted = office.maintops("hold", "--lift", "--by", "ops")
    assert (lifted.code, "lifted: changes are held" in lifted.stderr) == (0, True)
    assert office.maintops("hold").code == 0


@pytest.mark.parametrize(
    ("until", "told"),
    [("yesterday", "is neither a duration"), ("2026-01-01T00:00", "has no zone"), ("2020-01-01T00:00Z", "has passed")],
)
def test_until_when_is_a_time_to_come(planned: Office, until: str, told: str) -> None:
    refused(planned.maintops("hold", "--until", until), told)
    assert planned.maintops("hold").code == 0


def test_before_its_window_a_plan_is_not_run(office: Office) -> None:
    begin = datetime.now(UTC) + timedelta(hours=5)
    days = "mon, tue, wed, thu, fri, sat, sun"
    hours = f"from: {begin:%H}:00, to: {begin + timedelta(hours=1):%H}:00"
    window = f"  windows: {{zone: UTC, open: [{{weekdays: [{days}], {hours}}}]}}"
    office.write(CHECKLIST.replace("checks:", f"{window}\nchecks:"))
    assert office.plan().code == 0
    assert office.approve().code == 0
    refused(office.run("--plan", "a.plan"), r"the plan p\S+ may begin in its window .*, not before", 75)
    assert office.maintops("runs", "--format", "json").document == []


# --- debts ------------------------------------------------------------------------------------------------------------


def test_where_nothing_is_owed_nothing_is_paid(planned: Office) -> None:
    for words in ((), ("--settle",)):
        ended = planned.maintops("obligations", "-i", planned.inventory, "--by", "ann", *words)
        assert (ended.code, ended.stdout, ended.stderr) == (0, "", "nothing is owed\n")
    assert planned.maintops("obligations", "-i", planned.inventory, "--format", "json").document == []


def test_what_only_looked_is_not_taken_back(office: Office) -> None:
    office.write(
        CHECKLIST[: CHECKLIST.index("change:")] + CHECKLIST[CHECKLIST.index("checks:") : CHECKLIST.index("steps:")]
    )
    office.run("./fix.yml")
    refused(
        office.maintops("rollback", "last", "-i", office.inventory, "--yes"),
        "changed nothing: there is nothing to undo",
    )
    refused(
        office.run("continue", "last", "--emergency", "now"), "changes nothing: --emergency and --deadline do not go"
    )


def test_the_plan_is_what_it_says(planned: Office) -> None:
    shown = planned.maintops("plan", "a.plan")
    assert shown.code == 0
    assert "FX-500  It is fixed" in shown.stdout
    document = json.loads((planned.desk.here / "a.plan").read_text())["plan"]
    assert [document["waves"], document["author"]["name"]] == [[["web1"], ["web2"]], "ann"]
