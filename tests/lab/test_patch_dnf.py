"""The quarterly patch on servers with dnf and rpm: what is planned, installed, waited for, refused, and taken back."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import rpms
from tests.lab.changing import HEALTHY, PENDING, Change, counting_boots, messages, reboot, update
from tests.lab.containers import Container
from tests.lab.patching import CHANGED, FAILED, REFUSED, UNCHANGED, Patching
from tests.lab.rpms import ADDED, BROKEN, FIRMWARE, FIRST, KERNEL, LONG, META, PLAIN, REFUSING, SECOND, SERVICE, SLOW
from tests.lab.running import Ended, run_maintops

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]  # the first one may have to build the images

UP = [f"{PLAIN} 1:1.0-1 -> 1:2.0-1", f"{SERVICE} 1.0-1 -> 2.0-1"]
DOWN = [f"{PLAIN} 1:2.0-1 -> 1:1.0-1", f"{SERVICE} 2.0-1 -> 1.0-1"]
NEW = [*FIRST, rpms.plain("2.0"), rpms.service("2.0")]
"""The first versions, and two of the second ones."""


@pytest.fixture(scope="module")
def lab() -> Iterator[rpms.Servers]:
    """Two servers, lab1 and lab2."""
    with rpms.started(2) as made:
        yield made


@pytest.fixture
def red(tmp_path: Path, lab: rpms.Servers) -> Patching:
    """lab1 with version 1.0 of everything."""
    rpms.begin(lab.server("lab1"), *FIRST)
    return Patching(lab, lab.server("lab1"), tmp_path)


@pytest.fixture
def change(red: Patching, tmp_path: Path) -> Change:
    """The same, and a person who changes it."""
    return Change(tmp_path / "desk", red.lab, ["lab1"])


def facts(change: Change, probe: str, **parameters: Any) -> dict[str, Any]:
    """What a probe finds on lab1."""
    told = [word for name, value in parameters.items() for word in ("-e", f"{name}={json.dumps(value)}")]
    captured = run_maintops(change.desk, "probe", "capture", probe, "-i", change.inventory, "-l", "lab1", *told)
    assert captured.code == 0, captured.stderr
    read = change.maintops("probe", "read", probe, f"lab1.{probe}.capture", *told, "--format", "json")
    (subject,) = read.document["subjects"]
    return dict(subject["facts"])


def step(**parameters: Any) -> dict[str, Any]:
    """The update that ships with maintops."""
    return update() | {"parameters": {f"maintops_{name}": value for name, value in parameters.items()}}


def planned(change: Change) -> list[str]:
    """What the plan says that lab1 gets."""
    (server,) = json.loads((change.desk.here / "a.plan").read_text())["plan"]["servers"]
    return [f"{one['name']} {one['old']} -> {one['new']}" for one in server["updates"]]


def outcome(ended: Ended, server: str = "lab1", step: str = "CL-500") -> str:
    return str(ended.cell(server, step)["outcome"])


def look(server: Container) -> str:
    """All that an update may change: packages with the second of their installation, files."""
    return server.run("rpm -qa --last; ls -lA --time-style=full-iso /usr/share /etc /lib/systemd/system")


CHECKS = [HEALTHY, PENDING]


# --- by maintops ------------------------------------------------------------------------------------------------------


def test_what_is_planned_is_installed_and_then_there_is_nothing_to_do(change: Change) -> None:
    server = change.servers["lab1"]
    rpms.publish(server, *NEW)
    listed = change.checklist(update(), checks=CHECKS, expected=["package", "config"])
    plan = change.plan(listed)
    assert planned(change) == [
        f"{PLAIN} 1:1.0-1.noarch -> 1:2.0-1.noarch",
        f"{SERVICE} 0:1.0-1.noarch -> 0:2.0-1.noarch",
    ]
    ended = change.run(plan)
    assert (ended.code, outcome(ended)) == (0, "ok"), ended.stderr
    assert rpms.versions(server, PLAIN, SERVICE, BROKEN) == ["1:2.0-1", "2.0-1", "1.0-1"]
    assert server.run(f"systemctl is-active {SERVICE}").strip() == "active"
    change.plan(listed, name="b.plan")
    before = look(server)
    again = change.run("b.plan")
    assert (again.code, outcome(again)) == (0, "ok"), again.stderr
    assert look(server) == before


def test_all_get_what_the_canary_got_although_there_is_something_newer_by_then(
    change: Change, lab: rpms.Servers, tmp_path: Path
) -> None:
    both = Change(tmp_path / "both", lab, lab.names)
    rpms.begin(lab.server("lab2"), *FIRST)
    for server in both.servers.values():
        rpms.publish(server, *NEW)
    second = both.servers["lab2"]
    second.write("/srv/later", rpms.offering(*NEW, rpms.plain("3.0"), rpms.service("3.0")))
    gate = shlex.join(second._shell("sh /srv/later"))
    listed = both.checklist(update(), checks=CHECKS, expected=["package", "config"], packages="pinned", gate=gate)
    ended = both.run(both.plan(listed))
    assert (ended.code, outcome(ended), outcome(ended, "lab2")) == (0, "ok", "ok"), ended.stderr
    for server in both.servers.values():
        assert rpms.versions(server, PLAIN, SERVICE) == ["1:2.0-1", "2.0-1"]
    assert re.search(rf"{PLAIN}\S* +1:3.0-1 ", rpms.dnf(second, "-q", "check-update").stdout)


def test_of_security_updates_come_those_with_an_advisory(change: Change) -> None:
    server = change.servers["lab1"]
    rpms.publish(server, *FIRST, rpms.plain("2.0"), security=[rpms.service("2.0")])
    asked = PENDING | {"parameters": {"update": "security"}}
    listed = change.checklist(step(update="security"), checks=[HEALTHY, asked], expected=["package", "config"])
    plan = change.plan(listed)
    assert planned(change) == [f"{SERVICE} 0:1.0-1.noarch -> 0:2.0-1.noarch"]
    ended = change.run(plan)
    assert (ended.code, outcome(ended)) == (0, "ok"), ended.stderr
    assert rpms.versions(server, PLAIN, SERVICE) == ["1:1.0-1", "2.0-1"]


def test_a_script_that_fails_fails_the_step_and_the_versions_of_before_come_back(change: Change) -> None:
    server = change.servers["lab1"]
    rpms.publish(server, *NEW, rpms.breaks("2.0"), rpms.wants("2.0"), rpms.added())
    ended = change.run(change.plan(change.checklist(update(), checks=CHECKS, expected=["package", "config"])))
    assert (ended.code, outcome(ended)) == (2, "failed"), ended.stderr
    assert f"not set up, a script failed: {BROKEN} (dnf ended with status 0)" in messages(ended, "lab1")
    assert f"%post({BROKEN}-2.0-1.noarch) scriptlet failed, exit status 7" in messages(ended, "lab1")
    assert rpms.versions(server, PLAIN, SERVICE, BROKEN) == ["1:2.0-1", "2.0-1", "2.0-1"]
    back = change.maintops("rollback", "last", "--yes", "-i", change.inventory)
    assert back.code == 0, back.stderr + back.stdout
    assert rpms.versions(server, PLAIN, SERVICE, BROKEN) == ["1:1.0-1", "1.0-1", "1.0-1"]
    assert server.run(f"systemctl is-active {SERVICE}; cat /usr/share/{PLAIN}/version") == "active\n1.0\n"


def test_a_version_that_is_gone_makes_the_way_back_impossible(change: Change) -> None:
    server = change.servers["lab1"]
    rpms.publish(server, *NEW)
    listed = change.checklist(update(), checks=CHECKS, expected=["package", "config"])
    assert change.run(change.plan(listed)).code == 0
    rpms.publish(server, *SECOND, rpms.plain("1.0"))
    before = look(server)
    back = change.maintops("rollback", "last", "--yes", "-i", change.inventory)
    assert (back.code, look(server)) == (64, before), back.stderr
    assert f"not to be had any more: {SERVICE}-1.0-1.noarch" in back.stderr + back.stdout


def test_a_reboot_is_made_where_dnf_says_that_it_is_needed(change: Change) -> None:
    server = change.servers["lab1"]
    assert facts(change, "reboot-required")["required"] is False
    rpms.publish(server, *FIRST, rpms.firmware("1.0"))
    rpms.install(server, rpms.firmware("1.0"))
    assert facts(change, "reboot-required")["reasons"] == [FIRMWARE]
    rpms.publish(server, *FIRST, rpms.firmware("2.0"))
    listed = change.checklist(update(), reboot(), checks=CHECKS, expected=["package", "config", "boot"])
    with counting_boots([server]) as boots:
        ended = change.run(change.plan(listed))
        assert boots() == {"lab1": 1}
    assert (ended.code, outcome(ended), outcome(ended, step="CL-510")) == (0, "ok", "ok"), ended.stderr
    assert rpms.versions(server, FIRMWARE) == ["2.0-1"]
    assert facts(change, "reboot-required") == {"required": False, "reasons": []}


def test_a_dependency_that_is_not_met_and_what_is_locked_are_seen(change: Change) -> None:
    server = change.servers["lab1"]
    assert facts(change, "package-database") == {"manager": "rpm", "damaged": [], "unmet": [], "duplicates": []}
    rpms.publish(server, *NEW, rpms.wants("1.0", Requires=ADDED), rpms.added())
    rpms.install(server, rpms.wants("1.0", Requires=ADDED))
    server.run(f"rpm -e --nodeps --force-debian {ADDED}; dnf -q versionlock add {SERVICE}")
    assert facts(change, "package-database")["unmet"] == [f"{META}-1.0-1.noarch: {ADDED}"]
    found = facts(change, "pending-updates")
    assert found["held"] == [f"{SERVICE}-0:1.0-1.*"]
    assert [one["name"] for one in found["packages"]] == [PLAIN]
    assert found["packages"][0] | {"from": "1:1.0-1.noarch", "to": "1:2.0-1.noarch"} == found["packages"][0]
    assert found["reinstallable"] == [PLAIN]
    assert found["bytes"] == 0  # nothing has to be fetched from a folder of the server's own


# --- what is installed ------------------------------------------------------------------------------------------------


def test_everything_is_updated_as_wide_as_its_table_may_be(red: Patching) -> None:
    rpms.publish(red.server, *FIRST, rpms.long("1.0"), rpms.wants("1.0"))
    rpms.install(red.server, rpms.long("1.0"), rpms.wants("1.0"))
    rpms.publish(red.server, *NEW, rpms.long("2.0"), rpms.wants("2.0", Requires=ADDED), rpms.added())
    played = red.update()
    release = rpms.long("1.0").release
    more = [f"{ADDED} (new) -> 1.0-1", f"{LONG} 1.0-{release} -> 2.0-{release}", f"{META} 1.0-1 -> 2.0-1"]
    assert (played.outcome, played.changes) == (CHANGED, sorted([*UP, *more]))
    again = red.update()
    assert (again.outcome, again.changes, again.said) == (UNCHANGED, [], "")
    rpms.publish(red.server, *NEW, rpms.long("1.0"), rpms.wants("1.0"))
    played = red.back(added=None, plain="1:1.0-1", meta="1.0-1", nosuch=None)
    assert played.changes == [f"{ADDED} 1.0-1 -> (removed)", f"{META} 2.0-1 -> 1.0-1", DOWN[0]]
    assert rpms.versions(red.server, ADDED, SERVICE) == ["", "2.0-1"]


def test_security_wants_a_repository_that_knows_of_it(red: Patching) -> None:
    rpms.publish(red.server, *NEW)
    played = red.update(update="security")
    assert (played.outcome, "none of its repositories says" in played.said) == (REFUSED, True)
    rpms.publish(red.server, *NEW, security=[])
    assert red.update(update="security").outcome == UNCHANGED


def test_a_list_is_updated_as_far_as_it_is_installed_and_offered(red: Patching) -> None:
    rpms.publish(red.server, rpms.plain("2.0"), rpms.service("2.0"))
    assert red.update(update="list", update_packages=["nosuch", BROKEN]).outcome == UNCHANGED
    played = red.update(update="list", update_packages=[SERVICE, BROKEN, "nosuch"])
    assert (played.outcome, played.changes) == (CHANGED, [UP[1]])


def test_a_new_kernel_comes_beside_the_old_one_and_stays(red: Patching) -> None:
    rpms.publish(red.server, *FIRST, rpms.kernel("5.1"))
    rpms.install(red.server, rpms.kernel("5.1"))
    rpms.publish(red.server, *NEW, rpms.kernel("5.2"))
    assert red.update().changes == [f"{KERNEL} (new) -> 5.2-1", *UP]
    assert rpms.versions(red.server, KERNEL) == ["5.1-1 5.2-1"]
    before = {f"{KERNEL}-5.2-1": None, f"{KERNEL}-4.0-1": "0:4.0-1.noarch", PLAIN: "1:1.0-1.noarch"}
    played = red.play("rollback_update", maintops_before={"lab1": before})
    assert (played.outcome, played.changes) == (CHANGED, [DOWN[0]])
    assert played.said.count("of these several versions may be there: ") == 2
    assert rpms.versions(red.server, KERNEL) == ["5.1-1 5.2-1"]


# --- what is refused --------------------------------------------------------------------------------------------------


def pinned(red: Patching, *pins: rpms.Rpm, **variables: Any) -> Any:
    """An update to exactly these versions."""
    told = [{"name": pin.name, "version": pin.evr, "arch": "noarch"} for pin in pins]
    return red.update(pinned={"lab1": told}, **variables)


def test_what_cannot_be_had_exactly_is_refused_untouched(red: Patching) -> None:
    more = rpms.wants("2.0", Requires=ADDED)
    rpms.publish(red.server, *NEW, more, rpms.added(), rpms.service("0.9"))
    before = look(red.server)
    for pins, why in (
        ([rpms.plain("2.0"), rpms.service("2.5")], f"not to be had any more: {SERVICE}-2.5-1.noarch; plan anew"),
        ([rpms.plain("2.0"), rpms.service("0.9")], f"newer version than the plan's: {SERVICE}"),
        ([rpms.plain("2.0"), more], f"not all: {ADDED} (new) -> 1.0-1 would come"),
    ):
        played = pinned(red, *pins)
        assert (played.outcome, why in played.said.splitlines()[0]) == (REFUSED, True), played.said
    red.server.run(f"dnf -q versionlock add {SERVICE}")
    played = pinned(red, rpms.plain("2.0"), rpms.service("2.0"))
    assert (played.outcome, look(red.server)) == (REFUSED, before)
    assert f"excluded or locked here, as dnf is set up: {SERVICE}-2.0-1.noarch" in played.said
    assert red.update().changes == [UP[0]]


def test_what_dnf_cannot_do_is_refused_in_its_words(red: Patching) -> None:
    rpms.publish(red.server, *FIRST, rpms.wants("1.0"))
    rpms.install(red.server, rpms.wants("1.0"))
    rpms.publish(red.server, *NEW, rpms.wants("2.0", Requires="nosuchthing"))
    played = red.update()
    assert (played.outcome, rpms.versions(red.server, PLAIN)) == (REFUSED, ["1:1.0-1"])
    assert f"nothing provides nosuchthing needed by {META}-2.0-1.noarch" in played.said.splitlines()[0]
    red.server.run(f"rm -r {rpms.PLACE}/repodata")
    played = red.update()
    assert (played.outcome, rpms.versions(red.server, PLAIN)) == (REFUSED, ["1:1.0-1"])
    assert re.search(r"^refused, .*: the repositories cannot all be read: .*for repo(sitory)? 'lab'", played.said)


def test_a_package_goes_only_where_it_is_named_and_comes_back(red: Patching) -> None:
    rpms.publish(red.server, *FIRST, rpms.wants("1.0"))
    rpms.install(red.server, rpms.wants("1.0"))
    rpms.publish(red.server, *FIRST, rpms.wants("1.0"), rpms.wants("2.0", Obsoletes=PLAIN))
    played = red.update()
    assert (played.outcome, rpms.versions(red.server, META, PLAIN)) == (REFUSED, ["1.0-1", "1:1.0-1"])
    assert f"would remove {PLAIN}" in played.said
    assert red.update(allow_removals=[PLAIN]).changes == [f"{META} 1.0-1 -> 2.0-1", f"{PLAIN} 1:1.0-1 -> (removed)"]
    played = red.back(plain="1:1.0-1", meta="1.0-1")
    assert (played.outcome, rpms.versions(red.server, META, PLAIN)) == (CHANGED, ["1.0-1", "1:1.0-1"]), played.said


def test_a_package_that_refuses_is_named_with_its_reason(red: Patching) -> None:
    rpms.publish(red.server, *FIRST, rpms.refuses("1.0"))
    rpms.install(red.server, rpms.refuses("1.0"))
    rpms.publish(red.server, *NEW, rpms.refuses("2.0"))
    played = red.update()
    assert (played.outcome, played.changes) == (FAILED, UP)
    why = f"not done: {REFUSING} 1.0-1 -> 2.0-1; dnf ended with status 1: "
    assert played.said.startswith(why)
    assert f"%prein({REFUSING}-2.0-1.noarch) scriptlet failed, exit status 9" in played.said.splitlines()[0]


# --- others at work ---------------------------------------------------------------------------------------------------


def test_another_dnf_is_waited_for_within_the_bound(red: Patching) -> None:
    rpms.publish(red.server, *NEW, rpms.slow())
    with rpms.busy(red.server):
        played = red.update(lock_wait=1)
    assert (played.outcome, rpms.versions(red.server, PLAIN)) == (REFUSED, ["1:1.0-1"])
    told = r"in use: dnf \(process \d+\) has held /var/lib/(rpm/.rpm.lock|dnf/rpmdb_lock.pid) for the 1 seconds"
    assert re.search(told, played.said)
    red.server.run(f"rpm -e --force-debian {SLOW}")
    with rpms.busy(red.server) as other:
        red.server.run(f"(sleep 4; touch {rpms.MAY_END}) >/dev/null 2>&1 &")
        played = red.update(lock_wait=60)
        assert other.poll() == 0
    assert (played.outcome, played.changes) == (CHANGED, UP)


# --- check mode -------------------------------------------------------------------------------------------------------


def test_check_mode_goes_by_what_dnf_knows_and_changes_nothing(red: Patching) -> None:
    rpms.publish(red.server, *NEW)
    red.server.run(rpms.offering(*NEW, rpms.plain("3.0")))  # and dnf does not know it yet
    before = look(red.server)
    played = red.update("--check", update="list", update_packages=[PLAIN, "nosuch"])
    assert [line for line in played.text.splitlines() if line.startswith("+maintops")] == [f"+{UP[0]}"]
    assert look(red.server) == before
    assert red.update("--check", pinned={"lab1": [{"name": PLAIN, "version": "1:3.0-1"}]}).outcome == REFUSED
