"""The playbooks of the quarterly patch, run by ansible-playbook as maintops runs them: what they install, and what they
refuse before anything is changed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab import packages
from tests.lab.changing import HEALTHY, PENDING, Change, update
from tests.lab.containers import Containers
from tests.lab.packages import BROKEN, CONFIGURATION, CONFIGURED, KERNEL, META, PLACE, PLAIN, REBOOT, SERVICE
from tests.lab.patching import (
    CHANGED,
    FAILED,
    REFUSED,
    RELEASED,
    UNCHANGED,
    Patching,
    fingerprint,
    held,
    small,
    without_apt,
)

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]  # the first one may have to build the image

SOUND = packages.SECOND[:3]
LOCK = "/var/lib/dpkg/lock-frontend"


@pytest.fixture
def patching(tmp_path: Path, containers: Containers) -> Iterator[Patching]:
    """lab3 with version 1.0 of everything."""
    server = containers.server("lab3")
    with packages.lab_packages(server):
        yield Patching(containers, server, tmp_path)
        server.run("rm -f /run/reboot-required* /etc/apt/apt.conf.d/lab; apt-mark unhold 'maintops-lab-*'")


# --- what is installed ------------------------------------------------------------------------------------------------


def test_everything_is_updated_and_a_second_time_changes_nothing(patching: Patching) -> None:
    packages.publish(patching.server, *SOUND)
    played = patching.update()
    assert (played.code, played.outcome) == (0, CHANGED)
    assert played.changes == [f"{name} 1.0 -> 2.0" for name in (PLAIN, REBOOT, SERVICE)]
    assert patching.versions(PLAIN, SERVICE, REBOOT, BROKEN) == ["2.0", "2.0", "2.0", "1.0"]
    before = packages.status(patching.server, PLAIN), patching.server.run("stat -c %Y /var/lib/dpkg/status")
    again = patching.update()
    assert (again.outcome, again.changes, again.said) == (UNCHANGED, [], "")
    assert (packages.status(patching.server, PLAIN), patching.server.run("stat -c %Y /var/lib/dpkg/status")) == before


def test_an_update_takes_two_trips(patching: Patching) -> None:
    played = patching.update()
    assert [name for name, (status, _) in played.results.items() if status != "skipping"] == [
        "Find the package manager",
        "Carry out the update",
    ]


def test_of_security_updates_comes_what_the_security_suite_has_and_no_more(patching: Patching) -> None:
    packages.publish(patching.server, packages.service("2.0"), packages.plain("3.0"), security=[packages.plain("2.0")])
    played = patching.update(update="security")
    assert (played.outcome, played.changes) == (CHANGED, [f"{PLAIN} 1.0 -> 2.0"])
    assert patching.versions(PLAIN, SERVICE) == ["2.0", "1.0"]
    assert patching.update(update="security").outcome == UNCHANGED


def test_without_a_source_of_security_updates_nothing_is_taken_for_up_to_date(patching: Patching) -> None:
    packages.publish(patching.server, *SOUND)
    patching.server.run(f"sed -i /{packages.SECURITY}/d {packages.SOURCE}")
    played = patching.update(update="security")
    assert (played.outcome, patching.version(PLAIN)) == (REFUSED, "1.0")
    assert "none of its package sources is one of security updates" in played.said


def test_a_list_is_updated_as_far_as_it_is_installed(patching: Patching) -> None:
    packages.publish(patching.server, *SOUND)
    assert patching.update(update="list", update_packages=["nosuch"]).outcome == UNCHANGED
    played = patching.update(update="list", update_packages=[SERVICE, "nosuch"])
    assert (played.outcome, played.changes) == (CHANGED, [f"{SERVICE} 1.0 -> 2.0"])
    assert patching.versions(PLAIN, SERVICE, REBOOT) == ["1.0", "2.0", "1.0"]


def test_a_name_that_apt_would_read_more_into_is_refused(patching: Patching) -> None:
    played = patching.update(update="list", update_packages=[f"{PLAIN}-"])
    assert (played.outcome, "not the name of a package" in played.said) == (REFUSED, True)


def test_held_packages_stay_and_are_named(patching: Patching) -> None:
    patching.server.run(f"apt-mark hold {PLAIN}")
    packages.publish(patching.server, *SOUND)
    for variables in ({}, {"update": "list", "update_packages": [PLAIN, SERVICE]}):
        played = patching.update(**variables)
        assert played.said == f"kept back (held, in phases, or not without a removal): {PLAIN}"
    assert patching.versions(PLAIN, SERVICE) == ["1.0", "2.0"]
    assert PLAIN in patching.server.run("apt-mark showhold")


def in_phases(percent: int) -> packages.Package:
    """PLAIN 2.0 as an update that so many of a hundred servers are to have by now."""
    return replace(packages.plain("2.0"), relations={"Phased-Update-Percentage": str(percent)})


def test_an_update_in_phases_is_planned_and_installed_when_its_turn_has_come(
    patching: Patching, tmp_path: Path
) -> None:
    # apt draws a server's turn, between 0 and 100, from the machine id, the package's name and its version
    patching.server.write("/etc/apt/apt.conf.d/lab", f'APT::Machine-ID "{"1" * 32}";\n')
    packages.publish(patching.server, in_phases(0), packages.service("2.0"))
    change = Change(tmp_path / "desk", patching.lab, ["lab3"])
    change.plan(change.checklist(update(), checks=[HEALTHY, PENDING]))
    (planned,) = json.loads((change.desk.here / "a.plan").read_text())["plan"]["servers"]
    assert (planned["phased"], [one["name"] for one in planned["updates"]]) == ([PLAIN], [SERVICE])
    played = patching.update()
    assert (played.outcome, played.changes) == (CHANGED, [f"{SERVICE} 1.0 -> 2.0"])
    assert played.said == f"kept back (held, in phases, or not without a removal): {PLAIN}"
    packages.publish(patching.server, in_phases(100), packages.service("2.0"))
    assert patching.update().changes == [f"{PLAIN} 1.0 -> 2.0"]


def test_a_new_dependency_comes_too(patching: Patching) -> None:
    packages.publish(patching.server, packages.wants_kernel("1.0"))
    packages.install(patching.server, packages.wants_kernel("1.0"))
    packages.publish(patching.server, packages.wants_kernel("2.0"), packages.newer_kernel())
    assert patching.update().changes == [f"{KERNEL} (new) -> 9.9.9-1", f"{META} 1.0 -> 2.0"]
    assert KERNEL in patching.server.run("apt-mark showauto")


@pytest.mark.parametrize(("policy", "content"), [("keep", "mine\n"), ("new", "default of 2.0\n")])
def test_a_configuration_file_that_was_changed_here(patching: Patching, policy: str, content: str) -> None:
    packages.publish(patching.server, packages.configured("1.0"))
    packages.install(patching.server, packages.configured("1.0"))
    patching.server.write(CONFIGURATION, "mine\n")
    packages.publish(patching.server, packages.configured("2.0"))
    assert patching.update(conffiles=policy).outcome == CHANGED
    assert patching.version(CONFIGURED) == "2.0"
    assert patching.server.run(f"cat {CONFIGURATION}") == content


def test_a_configuration_file_that_nobody_changed_is_the_new_one(patching: Patching) -> None:
    packages.publish(patching.server, packages.configured("1.0"))
    packages.install(patching.server, packages.configured("1.0"))
    packages.publish(patching.server, packages.configured("2.0"))
    assert patching.update().outcome == CHANGED
    assert patching.server.run(f"cat {CONFIGURATION}") == "default of 2.0\n"


# --- exactly these versions -------------------------------------------------------------------------------------------


def test_pinned_versions_come_exactly_and_alone(patching: Patching) -> None:
    patching.server.run(f"apt-mark auto {PLAIN}")
    packages.publish(patching.server, packages.plain("2.0"), packages.plain("3.0"), packages.service("2.0"))
    played = patching.pinned(packages.plain("2.0"), packages.service("1.0"))
    assert (played.outcome, played.changes) == (CHANGED, [f"{PLAIN} 1.0 -> 2.0"])
    assert patching.versions(PLAIN, SERVICE) == ["2.0", "1.0"]
    assert PLAIN in patching.server.run("apt-mark showauto")
    assert patching.pinned(packages.plain("2.0")).outcome == UNCHANGED


def test_nothing_pinned_is_nothing_installed(patching: Patching) -> None:
    packages.publish(patching.server, *SOUND)
    assert patching.pinned().outcome == UNCHANGED
    assert patching.update(pinned={"lab9": []}, update="list", update_packages=[PLAIN]).outcome == CHANGED


PINNED_BADLY = {
    "gone": ((packages.plain("2.0"), packages.service("2.5")), f"not to be had any more: {SERVICE} 2.5; plan anew"),
    "more": ((packages.plain("2.0"), packages.wants_kernel("2.0")), f"not all: {KERNEL} (new) -> 9.9.9-1 would come"),
    "newer": ((packages.plain("2.0"), packages.service("0.9")), f"newer version than the plan's: {SERVICE}"),
    "held": ((packages.plain("2.0"), packages.wants_reboot("2.0")), f"held packages stay as they are: {REBOOT}"),
}


@pytest.mark.parametrize("case", PINNED_BADLY)
def test_what_cannot_be_had_exactly_is_refused_untouched(patching: Patching, case: str) -> None:
    pins, why = PINNED_BADLY[case]
    patching.server.run(f"apt-mark hold {REBOOT}")
    packages.publish(patching.server, *SOUND, packages.wants_kernel("2.0"), packages.newer_kernel())
    played = patching.pinned(*pins)
    assert (played.outcome, played.changes) == (REFUSED, [])
    assert why in played.said.splitlines()[0]
    assert patching.versions(PLAIN, SERVICE, REBOOT) == ["1.0", "1.0", "1.0"]


# --- others at work ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lock", [LOCK, "/var/lib/apt/lists/lock", "/run/unattended-upgrades.lock"])
def test_it_waits_until_others_have_ended(patching: Patching, lock: str) -> None:
    packages.publish(patching.server, *SOUND)
    with held(patching.server, lock, 4):
        played = patching.update(lock_wait=60)
    assert (played.outcome, patching.version(PLAIN)) == (CHANGED, "2.0")
    patching.server.run(f"[ /var/lib/dpkg/info/{PLAIN}.list -nt {RELEASED} ] && rm {RELEASED}")


def test_it_waits_no_longer_than_its_bound_and_says_for_whom(patching: Patching) -> None:
    packages.publish(patching.server, *SOUND)
    patching.server.run("cp /usr/bin/flock /usr/local/bin/unattended-upgrade")
    with held(patching.server, LOCK, 8, "unattended-upgrade"):
        played = patching.update(lock_wait=1)
    patching.server.run(f"rm /usr/local/bin/unattended-upgrade {RELEASED}")
    assert (played.outcome, patching.version(PLAIN)) == (REFUSED, "1.0")
    assert re.search(rf"in use: unattended-upgr \(process \d+\) has held {LOCK} for the 1 seconds", played.said)


# --- what is broken ---------------------------------------------------------------------------------------------------


def test_a_package_that_breaks_is_named_and_mended_by_a_later_version(patching: Patching) -> None:
    packages.publish(patching.server, *packages.SECOND)
    played = patching.update()
    assert (played.outcome, played.said.splitlines()[0]) == (
        FAILED,
        f"not set up: {BROKEN} (apt-get ended with status 100)",
    )
    assert f"{PLAIN} 1.0 -> 2.0" in played.changes
    again = patching.update()
    assert (again.outcome, f"could not mend it: {BROKEN}" in again.said) == (REFUSED, True)
    packages.publish(patching.server, packages.REPAIRED)
    assert patching.update().changes == [f"{BROKEN} 2.0 -> 2.1"]
    assert patching.version(BROKEN) == "2.1"


def test_an_interrupted_installation_is_finished_first(patching: Patching) -> None:
    packages.publish(patching.server, *SOUND)
    patching.server.run(f"dpkg --unpack {PLACE}/{packages.ORDINARY}/{PLAIN}_2.0_all.deb")
    assert packages.status(patching.server, PLAIN)[0] == "iU "
    preview = patching.update("--check")
    assert f"+{PLAIN} is half installed: dpkg --configure -a comes first" in preview.text
    assert packages.status(patching.server, PLAIN)[0] == "iU "
    played = patching.update(update="list", update_packages=[SERVICE])
    assert played.changes == [f"{PLAIN} was half installed and is set up", f"{SERVICE} 1.0 -> 2.0"]
    assert patching.version(PLAIN) == "2.0"


def test_a_repository_that_fails_is_an_error(patching: Patching) -> None:
    packages.publish(patching.server, *SOUND)
    patching.server.run(f"rm -r {PLACE}/{packages.SECURITY}")
    played = patching.update()
    assert (played.outcome, patching.version(PLAIN)) == (REFUSED, "1.0")
    assert "the package lists cannot be refreshed" in played.said
    assert packages.SECURITY in played.said.splitlines()[0]


# --- what is refused --------------------------------------------------------------------------------------------------


def test_a_kernel_that_boot_has_no_room_for_is_refused(patching: Patching) -> None:
    packages.publish(patching.server, packages.wants_kernel("1.0"))
    packages.install(patching.server, packages.wants_kernel("1.0"))
    packages.publish(patching.server, packages.wants_kernel("2.0"), packages.newer_kernel(), packages.plain("2.0"))
    with small(patching.server, "/boot"):
        played = patching.update()
        assert (played.outcome, patching.versions(META, PLAIN)) == (REFUSED, ["1.0", "1.0"])
        assert f"/boot has 4.2 MB free; new kernels ({KERNEL}) want 50.0 MB" in played.said
        assert patching.update(boot_spare_mb=1).outcome == CHANGED


def test_what_there_is_no_room_to_fetch_is_refused(patching: Patching) -> None:
    packages.publish(patching.server, *SOUND)
    with small(patching.server, "/var/cache/apt/archives"):
        played = patching.update()
    assert (played.outcome, patching.version(PLAIN)) == (REFUSED, "1.0")
    assert "/var/cache/apt/archives has 4.2 MB free; the download want" in played.said


def test_a_package_goes_only_where_it_is_named(patching: Patching) -> None:
    packages.publish(patching.server, packages.wants_away("1.0"))
    packages.install(patching.server, packages.wants_away("1.0"))
    packages.publish(patching.server, packages.wants_away("2.0"), packages.service("2.0"))
    assert patching.update().changes == [f"{SERVICE} 1.0 -> 2.0"]
    for variables in ({"pinned": {"lab3": [{"name": META, "version": "2.0"}]}}, {"allow_removals": [SERVICE]}):
        played = patching.update(**variables)
        assert (played.outcome, patching.versions(META, PLAIN)) == (REFUSED, ["1.0", "1.0"])
        assert PLAIN in played.said.splitlines()[0]
    assert patching.update(allow_removals=[PLAIN]).changes == [f"{META} 1.0 -> 2.0", f"{PLAIN} 1.0 -> (removed)"]
    assert packages.status(patching.server, META) == ("ii ", "2.0")


def test_only_root_may(patching: Patching) -> None:
    played = patching.play("update", ansible_become=False)
    assert (played.outcome, "only root may change packages" in played.said) == (REFUSED, True)


def test_a_server_with_another_package_manager_is_told_so(tmp_path: Path, containers: Containers) -> None:
    patching = Patching(containers, containers.server("lab3"), tmp_path)
    with without_apt(patching.server):
        played = patching.update()
    assert (played.code, list(played.results)) == (2, ["Find the package manager"])
    assert "no package manager that this playbook knows" in played.said


# --- the way back -----------------------------------------------------------------------------------------------------


def both(*more: packages.Package) -> tuple[packages.Package, ...]:
    """A repository with the old versions and the new ones."""
    return (*packages.FIRST, *packages.SECOND, *more)


def test_a_rollback_brings_the_old_versions_back(patching: Patching) -> None:
    packages.publish(patching.server, *both(packages.configured("2.0")))
    packages.install(patching.server, packages.configured("2.0"))
    assert patching.update().outcome == FAILED
    played = patching.back(plain="1.0", service="1.0", broken="1.0", reboot="2.0", configured=None)
    assert (played.outcome, patching.versions(PLAIN, SERVICE, BROKEN, REBOOT)) == (
        CHANGED,
        ["1.0", "1.0", "1.0", "2.0"],
    )
    assert f"{CONFIGURED} 2.0 -> (removed)" in played.changes
    assert patching.server.run("dpkg --audit") == ""
    assert patching.back(plain="1.0", configured=None).outcome == UNCHANGED


def test_a_version_that_is_gone_makes_the_way_back_impossible_and_nothing_is_begun(patching: Patching) -> None:
    packages.publish(patching.server, *SOUND)
    assert patching.update().outcome == CHANGED
    packages.publish(patching.server, packages.plain("1.0"))
    before = fingerprint(patching.server)
    played = patching.back(plain="1.0", service="1.0")
    assert played.outcome == REFUSED
    assert f"these versions can be had no more: {SERVICE} 1.0" in played.said.splitlines()[0]
    assert patching.versions(PLAIN, SERVICE) == ["2.0", "2.0"]
    assert before.partition("total")[0] == fingerprint(patching.server).partition("total")[0]


def test_the_cache_of_downloads_is_a_way_back_too(patching: Patching) -> None:
    archive = f"/var/cache/apt/archives/{PLAIN}_1.0_all.deb"
    patching.server.run(f"cp {PLACE}/{packages.ORDINARY}/{PLAIN}_1.0_all.deb {archive}")
    packages.publish(patching.server, *SOUND)
    assert patching.update().outcome == CHANGED
    played = patching.back(plain="1.0")
    patching.server.run(f"rm -f {archive}")
    assert (played.outcome, played.changes) == (CHANGED, [f"{PLAIN} 2.0 -> 1.0"])


def test_a_repository_that_fails_is_no_reason_to_stay(patching: Patching) -> None:
    packages.publish(patching.server, *both())
    packages.install(patching.server, packages.plain("2.0"))
    patching.server.run(f"rm -r {PLACE}/{packages.SECURITY}")
    played = patching.back(plain="1.0")
    assert (played.outcome, patching.version(PLAIN)) == (CHANGED, "1.0")
    assert played.said.startswith("the package lists cannot be refreshed")


def test_a_new_kernel_stays(patching: Patching) -> None:
    packages.publish(patching.server, packages.wants_kernel("1.0"))
    packages.install(patching.server, packages.wants_kernel("1.0"))
    more = (packages.wants_kernel("1.0"), packages.wants_kernel("2.0"), packages.newer_kernel())
    packages.publish(patching.server, *more)
    assert patching.update().outcome == CHANGED
    before = {META: "1.0", KERNEL: None}
    played = patching.play("rollback_update", maintops_before={"lab3": before})
    assert (played.outcome, played.changes) == (CHANGED, [f"{META} 2.0 -> 1.0"])
    assert f"left, a server may need a kernel to boot: {KERNEL}" in played.said
    assert patching.version(KERNEL) != ""


def test_a_way_back_that_would_take_others_along_is_refused(patching: Patching) -> None:
    packages.publish(patching.server, *SOUND, packages.Package(META, "2.0", relations={"Depends": f"{PLAIN} (>= 2.0)"}))
    assert patching.server.run(f"DEBIAN_FRONTEND=noninteractive apt-get -qy install {META}")
    packages.publish(patching.server, *both())
    played = patching.back(plain="1.0")
    assert (played.outcome, patching.versions(PLAIN, META)) == (REFUSED, ["2.0", "2.0"])
    assert META in played.said.splitlines()[0]


# --- check mode -------------------------------------------------------------------------------------------------------


def test_check_mode_shows_what_would_come_and_changes_nothing(patching: Patching) -> None:
    packages.publish(patching.server, *both())
    before = fingerprint(patching.server)
    played = patching.update("--check", update="list", update_packages=[PLAIN, SERVICE])
    assert [line for line in played.text.splitlines() if line.startswith("+maintops")] == [
        f"+{PLAIN} 1.0 -> 2.0",
        f"+{SERVICE} 1.0 -> 2.0",
    ]
    status, result = played.results["Carry out the update"]
    assert (status, result["msg"]) == ("skipping", "Command would have run if not in check mode")
    assert fingerprint(patching.server) == before
    packages.install(patching.server, packages.plain("2.0"))
    before = fingerprint(patching.server)
    assert f"+{PLAIN} 2.0 -> 1.0" in patching.back("--check", plain="1.0").text
    assert fingerprint(patching.server) == before


def test_check_mode_refuses_what_would_be_refused(patching: Patching) -> None:
    packages.publish(patching.server, *SOUND)
    told = {"lab3": [{"name": PLAIN, "version": "2.5"}]}
    assert patching.update("--check", pinned=told).outcome == REFUSED
    assert patching.back("--check", plain="0.9").outcome == REFUSED
    nothing = patching.update("--check", update="list", update_packages=[])
    assert nothing.results["Show what would be done"][0] == "skipping"


def test_check_mode_does_not_install_even_what_apt_would_not_ask_about(patching: Patching) -> None:
    packages.publish(patching.server, *both())
    for variables in (
        {"update": "list", "update_packages": [PLAIN]},
        {"pinned": {"lab3": [{"name": PLAIN, "version": "2.0"}]}},
    ):
        assert f"+{PLAIN} 1.0 -> 2.0" in patching.update("--check", **variables).text
        assert patching.version(PLAIN) == "1.0"
