"""Changing real servers: what breaks stops what would break next, and everybody who was not touched is told why."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from maintops.domain.journeys import BEFORE, END
from maintops.domain.runs import StageBegan, StageEnded, StageResult
from maintops.files.plans import parse_kept, write_plan
from tests.lab import packages
from tests.lab.changing import (
    HEALTHY,
    HOUSE,
    PENDING,
    SERVES,
    Change,
    Stock,
    messages,
    on_each,
    reboot,
    started,
    tasks,
    update,
)
from tests.lab.containers import Containers
from tests.lab.faults import deaf_after_its_reboot, nobody_can_log_in
from tests.lab.packages import BROKEN, PLAIN, SERVICE
from tests.lab.patching import RELEASED, fingerprint, held
from tests.lab.running import Ended, Running

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]  # the first one may have to build the image

CHECKS = [HEALTHY, PENDING, SERVES]


@pytest.fixture(scope="module")
def lab() -> Iterator[Containers]:
    """Ten servers, lab1 to lab10."""
    with started(10) as made:
        yield made


@pytest.fixture(scope="module")
def stock(lab: Containers) -> Stock:
    """Their packages."""
    return Stock(list(lab.servers.values()))


def versions(change: Change, package: str) -> dict[str, tuple[str, str]]:
    """State and version of a package, by server."""
    return on_each(list(change.servers.values()), lambda one: packages.status(one, package))


def in_flight(change: Change) -> list[frozenset[str]]:
    """Who was between its first stage and its end, or was given up in between, after every event of the journal."""
    out: set[str] = set()
    found = []
    for event in change.events():
        if isinstance(event, StageBegan):
            out.add(event.server)
        elif isinstance(event, StageEnded) and event.stage == END:
            out.discard(event.server)
        found.append(frozenset(out))
    return found


def outcomes(ended: Ended, check: str) -> dict[str, str]:
    """Server -> outcome of one cell."""
    return {one["server"]: ended.cell(one["server"], check)["outcome"] for one in ended.document["servers"]}


# --- what breaks ------------------------------------------------------------------------------------------------------


def test_a_canary_that_breaks_holds_the_other_nine_untouched(lab: Containers, stock: Stock, tmp_path: Path) -> None:
    change = Change(tmp_path / "desk", lab, lab.names)
    stock.offer(packages.plain, packages.breaks)
    listed = change.checklist(update(), checks=CHECKS, drain=change.drain, packages="pinned")
    plan = change.plan(listed)
    others = [one for name, one in change.servers.items() if name != "lab1"]
    before = on_each(others, fingerprint)
    ended = change.run(plan)
    assert ended.code == 2, ended.stderr
    assert ended.state == "held"
    assert on_each(others, fingerprint) == before
    assert change.untouched() == [one.name for one in others]
    assert outcomes(ended, "CL-500") == {"lab1": "failed"} | {one.name: "not_reached" for one in others}
    assert BROKEN in messages(ended, "lab1")
    why = "held: the failure budget (0) is used up: 1 failed (lab1)"
    for one in others:
        assert set(ended.outcomes_of(one.name)) == {"not_reached"}, one.name
        assert {cell["message"] for cell in ended.server(one.name)["checks"]} == {why}
    assert ended.document["run"]["reason"] == why
    assert (change.drained, change.debts()) == (["lab1"], [("lab1", "undrain")])
    follow_ups = [one for one in change.table("followup", "list") if one["server"] == "lab1"]
    assert any("went wrong" in one["title"] for one in follow_ups), follow_ups
    stock.mend("lab1")


def test_within_the_budget_two_that_break_keep_nobody_else(lab: Containers, stock: Stock, tmp_path: Path) -> None:
    change = Change(tmp_path / "desk", lab, lab.names)
    version = stock.offer(packages.plain)
    stock.number -= 1
    assert stock.offer(packages.plain, packages.breaks, to=("lab6", "lab9")) == version
    budget = {"canary": 0, "run": 2}
    listed = change.checklist(update(), checks=CHECKS, failure_budget=budget, expected=["package"])
    ended = change.run(change.plan(listed))
    assert (ended.code, ended.state) == (2, "held"), ended.stderr
    expected = dict.fromkeys(lab.names, "ok") | {"lab6": "failed", "lab9": "failed"}
    assert outcomes(ended, "CL-500") == expected
    found = versions(change, PLAIN)
    assert {name: found[name] for name in lab.names if expected[name] == "ok"} == {
        name: ("ii ", version) for name in lab.names if expected[name] == "ok"
    }
    # never more at a time than may fail still, and one
    failed: set[str] = set()
    out: set[str] = set()
    for event in change.events():
        if isinstance(event, StageBegan) and event.stage == BEFORE:
            assert len(out | {event.server}) <= (1 if len(out) == 0 and event.server == "lab1" else 3 - len(failed))
            out.add(event.server)
        elif isinstance(event, StageEnded) and event.stage == END:
            out.discard(event.server)
        elif isinstance(event, StageEnded) and event.result is StageResult.FAILED:
            failed.add(event.server)
            out.discard(event.server)
    stock.mend("lab6", "lab9")


def test_a_server_that_never_returns_stops_its_wave_and_stays_drained(lab: Containers, tmp_path: Path) -> None:
    change = Change(tmp_path / "desk", lab, lab.names)
    for name in lab.names[1:4]:  # the others need no reboot, which takes its time
        lab.server(name).run("touch /run/reboot-required")
    budget = {"canary": 0, "run": 2}
    step = reboot(timeout=20)
    plan = change.plan(change.checklist(step, failure_budget=budget, drain=change.drain, expected=["boot"]))
    left = list(lab.names[4:])
    with deaf_after_its_reboot(lab.server("lab2")):
        ended = change.run(plan)
        done = {"lab1": "skipped", "lab2": "unreachable", "lab3": "ok", "lab4": "ok"}
        assert outcomes(ended, "CL-510") == done | dict.fromkeys(left, "not_reached")
        assert (ended.code, ended.state) == (6, "held"), ended.stderr
        why = "lab2 did not come back within 20 s after its reboot"
        assert why in ended.document["run"]["reason"]
        assert all(why in messages(ended, name) for name in left)
        assert (change.untouched(), change.drained, change.debts()) == (left, ["lab2"], [("lab2", "undrain")])
        (finding,) = change.table("finding", "list")
        assert (finding["server"], finding["check"], finding["severity"]) == ("lab2", "CL-510", "critical")
        (follow_up,) = change.table("followup", "list")
        assert follow_up["server"] == "lab2"
        assert follow_up["title"].startswith("Bring lab2 back: ")
    again = change.go_on()
    assert (again.code, again.state) == (0, "finished"), again.stderr
    assert (change.drained, change.debts()) == ([], [])


def test_a_service_that_dies_fails_the_server_and_is_taken_back(lab: Containers, stock: Stock, tmp_path: Path) -> None:
    """It dies when the change is over but for the soak, or nearly: whichever look comes behind that finds it."""
    change = Change(tmp_path / "desk", lab, lab.names)
    before = versions(change, SERVICE)
    plain, service = (packages.status(lab.server("lab1"), name) for name in (PLAIN, SERVICE))
    new = stock.offer(packages.plain, packages.dies, beside=[packages.plain(plain[1]), packages.service(service[1])])
    listed = change.checklist(update(), checks=CHECKS, drain=change.drain, expected=["package"], soak=4)
    ended = change.run(change.plan(listed))
    assert (ended.code, ended.state) == (2, "held"), ended.stderr
    assert versions(change, SERVICE) == before | {"lab1": ("ii ", new)}
    left = list(lab.names[1:])
    assert change.untouched() == left
    for name in left:
        assert set(ended.outcomes_of(name)) == {"not_reached"}, name
        assert "lab1" in messages(ended, name)
    why = f"the service {SERVICE} "
    assert why in messages(ended, "lab1")
    assert [one.result for stage, one in change.journey("lab1").ended.items() if why in one.message] == ["failed"]
    findings = [one for one in change.table("finding", "list") if why in one["message"]]
    assert [(one["server"], one["severity"]) for one in findings] == [("lab1", "critical")]
    assert [one["server"] for one in change.table("followup", "list")] == ["lab1"]
    back = change.maintops("rollback", "last", "--yes", "-i", change.inventory)
    assert back.code == 0, back.stderr + back.stdout
    assert [packages.status(lab.server("lab1"), name) for name in (PLAIN, SERVICE)] == [plain, service]
    assert lab.server("lab1").run(f"systemctl is-active {SERVICE}").strip() == "active"
    assert (change.drained, change.debts()) == ([], [])


# --- who else is at work ----------------------------------------------------------------------------------------------


HOLDER = """#!/usr/bin/env python3
import fcntl, subprocess, sys
with open(sys.argv[1], "a") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    subprocess.run(sys.argv[2:])
"""


def test_a_background_job_that_holds_a_lock_is_waited_for(lab: Containers, stock: Stock, tmp_path: Path) -> None:
    """The checks before the update that ships let it come to its own waiting; PT-060 sees the job."""
    change = Change(tmp_path / "desk", lab, lab.names[:2])
    patch = yaml.safe_load((HOUSE / "checklists" / "quarterly-patch.yml").read_text())
    checks = [one for one in patch["checks"] if one["id"] in ("PT-050", "PT-060")]
    (shipped,) = [one for one in patch["steps"] if one["id"] == "PT-500"]
    step = update() | {"precheck": [one["id"] for one in checks if one["id"] in shipped["precheck"]]}
    version = stock.offer(packages.plain, to=change.names)
    plan = change.plan(change.checklist(step | {"postcheck": ["PT-050"]}, checks=checks, expected=["package"]))
    (first := lab.server("lab1")).write("/usr/local/bin/holder", HOLDER)
    first.run("chmod +x /usr/local/bin/holder")
    with held(first, "/var/lib/dpkg/lock-frontend", 20, "holder"):
        ended = change.run(plan)
    released = int(first.run(f"stat -c %Y {RELEASED}; rm {RELEASED} /usr/local/bin/holder"))
    assert (ended.code, ended.state) == (0, "finished"), ended.stderr
    assert set(versions(change, PLAIN).values()) == {("ii ", version)}
    journey = change.journey("lab1")
    assert journey.ended[BEFORE].at.timestamp() < released <= journey.ended["CL-500"].at.timestamp()


# --- what changes that nobody meant -----------------------------------------------------------------------------------


def test_a_service_that_somebody_stops_meanwhile_fails_the_canary(lab: Containers, tmp_path: Path) -> None:
    change = Change(tmp_path / "desk", lab, lab.names[:2])
    change.write("stop.py", "def stop(connection, parameters):\n    connection.sudo('systemctl stop cron')\n")
    step = {"id": "CL-500", "title": "It is tuned", "fabric": "stop.py:stop", "irreversible": True, "estimate": 1}
    ended = change.run(change.plan(change.checklist(step, checks=[PENDING])))
    change.on_each("systemctl start cron")
    assert (ended.code, ended.state) == (2, "held"), ended.stderr
    assert outcomes(ended, "CL-500") == {"lab1": "ok", "lab2": "not_reached"}
    assert "the service cron " in messages(ended, "lab1")
    after = change.journey("lab1").ended["after"]
    assert (after.result, change.untouched()) == (StageResult.FAILED, ["lab2"])


def test_a_file_that_nobody_expected_closes_the_gate(lab: Containers, tmp_path: Path) -> None:
    change = Change(tmp_path / "desk", lab, lab.names[:2])
    ended = change.run(change.plan(change.checklist(tasks("CL-500", "echo surprise >/etc/surprise.conf"))))
    change.on_each("rm -f /etc/surprise.conf")
    assert ended.state == "held", ended.stderr
    assert change.journey("lab1").is_over
    assert change.untouched() == ["lab2"]
    why = ended.document["run"]["reason"]
    assert why.startswith("held: the gate after wave 1 found worse than before: lab1: ")
    assert "/etc/surprise.conf" in why
    assert why in messages(ended, "lab2")


# --- who stands in for whom -------------------------------------------------------------------------------------------


def grouped(change_folder: Path, lab: Containers) -> Change:
    """Six servers in two groups, of which one may be missing at a time."""
    variables = {
        name: {"maintops_group": "web" if number < 3 else "mail", "maintops_max_unavailable": 1}
        for number, name in enumerate(lab.names[:6])
    }
    return Change(change_folder, lab, lab.names[:6], variables)


def harmless(change: Change) -> dict[str, Any]:
    """A step that changes nothing: by Fabric, as Ansible takes longer."""
    change.write("own.py", "def look(connection, parameters):\n    connection.run('true')\n")
    return {"id": "CL-500", "title": "It is looked at", "fabric": "own.py:look", "irreversible": True, "estimate": 1}


WEB = ("lab1", "lab2", "lab3")
MAIL = ("lab4", "lab5", "lab6")


def test_never_two_of_a_group_are_in_flight(lab: Containers, tmp_path: Path) -> None:
    change = grouped(tmp_path / "desk", lab)
    listed = change.checklist(harmless(change), waves=["100%"], failure_budget=5, drain=change.drain)
    ended = change.run(change.plan(listed))
    assert (ended.code, ended.state) == (0, "finished"), ended.stderr
    seen = in_flight(change)
    assert max(len(one) for one in seen) == 2  # one of each group: so the budget was not what kept them apart
    for group in (WEB, MAIL):
        assert not [one for one in seen if len(one & set(group)) > 1]
    out: set[str] = set()
    for line in (change.out_of_service / "log").read_text().splitlines():
        way, name = line.split()
        out = out | {name} if way == "out" else out - {name}
        assert not [pair for pair in combinations(sorted(out), 2) if set(pair) <= set(WEB) or set(pair) <= set(MAIL)]


def test_a_member_that_is_down_already_keeps_the_others_of_its_group(lab: Containers, tmp_path: Path) -> None:
    change = grouped(tmp_path / "desk", lab)
    listed = change.checklist(harmless(change), waves=["100%"], failure_budget=5)
    plan = change.plan(listed, "--limit", "all:!lab3")
    with nobody_can_log_in(lab.server("lab3")):
        ended = change.run(plan)
    assert ended.state == "held", ended.stderr
    assert outcomes(ended, "CL-500") == dict.fromkeys(("lab1", "lab2"), "not_reached") | dict.fromkeys(MAIL, "ok")
    for name in ("lab1", "lab2"):
        assert "of the group web 1 of 3 may be " in messages(ended, name), messages(ended, name)
        assert "lab3" in messages(ended, name)
    again = change.go_on()
    assert (again.code, again.state) == (0, "finished"), again.stderr


# --- when -------------------------------------------------------------------------------------------------------------


MARKED = "/var/lib/in-window"
MARK = f"echo done >>{MARKED}"


def soon(seconds: int = 20) -> datetime:
    """A full second some time from now: long enough for a plan to be made and begun on a busy machine."""
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)


def until(moment: datetime) -> str:
    """A command that takes until after a moment."""
    return f"while [ $(date +%s) -le {moment.timestamp():.0f} ]; do sleep 0.2; done"


def ends_in_the_middle(change: Change) -> Running:
    """Begins a run whose window ends during its first step."""
    end = soon()
    step = tasks("CL-500", f"{until(end)}; {MARK}", estimate=1)
    return change.start(change.plan(change.checklist(step, windows=change.window(end), drain=change.drain)))


def has_no_time_left(change: Change) -> Running:
    """Begins a run whose window is open still when the first wave is over, but too short for another server."""
    moment = soon()
    step = tasks("CL-500", MARK, estimate=3600)
    windows = change.window(moment + timedelta(hours=1))
    return change.start(change.plan(change.checklist(step, windows=windows, drain=change.drain, gate=until(moment))))


def test_when_the_window_closes_later_waves_are_held(lab: Containers, tmp_path: Path) -> None:
    over, short = (Change(tmp_path / f"desk{at}", lab, lab.names[at : at + 3]) for at in (0, 3))
    both = [(over, ends_in_the_middle(over)), (short, has_no_time_left(short))]
    for change, ended in [(one, running.wait()) for one, running in both]:
        assert (ended.code, ended.state) == (2, "held"), ended.stderr
        first, *left = change.names
        assert change.journey(first).is_over
        assert (change.untouched(), change.drained) == (left, [])
        for name in left:
            assert "is closed, or too short for another server" in messages(ended, name)
        late = change.go_on()
        assert late.code == 75, late.stderr
        assert "has passed, or is too short for another server" in late.stderr
        assert change.untouched() == left
    word = "the owner agrees by telephone"
    both = [(one, one.start_again("--emergency", word)) for one in (over, short)]
    for change, agreed in [(one, running.wait()) for one, running in both]:
        assert (agreed.code, agreed.state) == (0, "finished"), agreed.stderr
        assert f"EMERGENCY, by ann: {word}" in change.journal.remarks
        done = change.on_each(f"cat {MARKED}; rm {MARKED}")
        assert done == dict.fromkeys(change.names, "done")


# --- every kind of step -----------------------------------------------------------------------------------------------


def test_steps_of_every_kind_in_one_change(lab: Containers, tmp_path: Path) -> None:
    change = Change(tmp_path / "desk", lab, lab.names[:2])
    change.write(
        "own.py",
        "def mark(connection, parameters):\n"
        "    connection.sudo(f\"sh -c 'echo fabric {parameters['word']} >>/var/lib/kinds'\")\n"
        "    return {'message': 'marked', 'changed': True}\n",
    )
    steps = (
        tasks("CL-500", "echo tasks >>/var/lib/kinds"),
        {"id": "CL-510", "title": "The fans were looked at", "manual": "Look.", "choice": ["clean", "dirty"]},
        {
            "id": "CL-520",
            "title": "It is marked",
            "fabric": "own.py:mark",
            "parameters": {"word": "well"},
            "irreversible": True,
            "estimate": 1,
        },
        reboot("CL-530", "if-needed"),
    )
    listed = change.checklist(*steps, waves=["100%"], failure_budget=1)
    ended = change.run(change.plan(listed))
    assert ended.state == "held", ended.stderr
    assert set(outcomes(ended, "CL-510").values()) == set(outcomes(ended, "CL-520").values()) == {"not_reached"}
    assert "waits for a person" in messages(ended, "lab1")
    assert change.on_each("cat /var/lib/kinds") == dict.fromkeys(change.names, "tasks")
    answers = {"by": "erika", "steps": {name: {"CL-510": {"choice": "clean"}} for name in change.names}}
    change.write("answers.yml", json.dumps(answers))
    again = change.go_on("--answers", "answers.yml")
    assert (again.code, again.state) == (0, "finished"), again.stderr
    assert change.on_each("cat /var/lib/kinds; rm /var/lib/kinds") == dict.fromkeys(change.names, "tasks\nfabric well")
    for id, outcome in (("CL-500", "ok"), ("CL-510", "ok"), ("CL-520", "ok"), ("CL-530", "skipped")):
        assert outcomes(again, id) == dict.fromkeys(change.names, outcome), id


# --- what is refused before the first connection ----------------------------------------------------------------------


class Door:
    """A server's port: whoever connects is seen."""

    def __init__(self, known_hosts: Path) -> None:
        self.known_hosts = known_hosts
        known_hosts.touch()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)

    def variables(self, name: str) -> dict[str, Any]:
        return {"ansible_host": "127.0.0.1", "ansible_port": self._socket.getsockname()[1], "ansible_user": name}

    def knocks(self) -> bool:
        """Whether anybody has connected."""
        try:
            self._socket.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    """Nobody may have knocked in the end."""
    made = Door(tmp_path / "known_hosts")
    yield made
    knocked = made.knocks()
    made.close()
    assert not knocked


@pytest.fixture
def offered(door: Door, tmp_path: Path) -> Change:
    """A plan for two servers, that wants an approval, in a.plan."""
    change = Change(tmp_path / "desk", door, ["web1", "web2"])
    change.plan(change.checklist(update(), checks=CHECKS, approval="required"), "--from-records")
    return change


def approve(change: Change, by: str) -> Ended:
    return change.maintops("approve", "a.plan", "-i", change.inventory, "--by", by)


def assert_refused(ended: Ended, *why: str) -> None:
    assert ended.code == 64, ended.stderr
    for word in why:
        assert word in ended.stderr


def test_a_plan_that_nobody_or_its_author_approved_is_refused(offered: Change) -> None:
    assert_refused(offered.run(), "nobody has approved the plan")
    assert_refused(approve(offered, "ann"), "was made by ann", "somebody else must approve it")
    assert_refused(offered.run(), "nobody has approved the plan")


def test_a_forged_plan_is_refused(offered: Change) -> None:
    assert approve(offered, "bob").code == 0
    file = offered.desk.here / "a.plan"
    sound = file.read_text()
    forged = sound.replace('"budget": 0', '"budget": 9', 1)
    assert forged != sound
    file.write_text(forged)
    assert_refused(offered.run(), "a.plan was changed after it was made: its hash does not fit")
    write_plan(parse_kept(json.dumps(json.loads(forged)["plan"]).encode(), "a.plan"), file)
    assert_refused(offered.run(), "nobody has approved the plan")


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("playbook", "changed since: the file"),
        ("checklist", "changed since: the checklist lab-change"),
        ("inventory", "changed since: the server web3 is new"),
    ],
)
def test_what_changed_since_makes_an_approved_plan_stale(offered: Change, what: str, told: str) -> None:
    assert approve(offered, "bob").code == 0
    if what == "playbook":
        with (offered.folder / "playbooks" / "tasks" / "packages.yml").open("a") as file:
            file.write("# and one thing more\n")
    elif what == "checklist":
        offered.checklist(update(), tasks("CL-900", "true"), checks=CHECKS, approval="required")
    else:
        inventory = Path(offered.inventory)
        inventory.write_text(inventory.read_text().replace('"web2":', '"web3": {}, "web2":', 1))
    assert_refused(offered.run(), "is stale; ", told, "make a new plan")


def test_a_plan_of_what_cannot_be_done_is_refused(offered: Change) -> None:
    lost = offered.checklist(update() | {"playbook": "nowhere.yml"}, checks=CHECKS)
    words = ("-i", offered.inventory, "--from-records")
    assert_refused(offered.maintops("plan", lost, *words), "checklist.yml:1:", 'there is no playbook "nowhere.yml"')
    undefined = offered.checklist(tasks("CL-500", "echo {{ nobody_defines_it }}"))
    assert_refused(offered.maintops("plan", undefined, *words), "nobody_defines_it")
