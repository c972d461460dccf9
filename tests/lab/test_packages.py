"""The lab's own packages: an upgrade of them has real work to do, and nothing of them stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import packages
from tests.lab.containers import Container, Containers
from tests.lab.inside import Inside
from tests.lab.running import Desk, Ended, run_maintops

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]  # the first one may have to build the image


@pytest.fixture
def server(containers: Containers) -> Iterator[Container]:
    """lab3 with version 1.0 of everything."""
    one = containers.server("lab3")
    with packages.lab_packages(one):
        yield one


@pytest.fixture
def desk(tmp_path: Path, containers: Containers) -> Desk:
    return Desk(tmp_path / "desk", containers)


def daily(desk: Desk, lab: Containers) -> Ended:
    """The two checks of the daily check that have to do with packages, on lab3."""
    words = ("run", "daily-check", "-i", str(lab.inventory), "-l", "lab3", "-t", "SC-020,SY-120", "--format", "json")
    return run_maintops(desk, *words)


def main_process(server: Inside) -> tuple[str, str]:
    """The service's process: its number, and the version of the package that it is from."""
    pid = server.run(f"systemctl show --property MainPID --value {packages.SERVICE}").strip()
    return pid, server.run(f"tr '\\0' '\\n' </proc/{pid}/environ | sed -n s/^LAB_VERSION=//p").strip()


def test_the_repository_is_the_only_source_and_on_no_network(server: Container) -> None:
    asked = packages.apt(server, "update", "--print-uris").stdout.splitlines()
    addresses = [line for line in asked if line.startswith("'")]
    assert len(addresses) >= 2
    assert all(address.startswith(f"'file:{packages.PLACE}/") for address in addresses), addresses


def test_the_first_versions_are_installed_and_nothing_waits(server: Container) -> None:
    assert {packages.status(server, one.name) for one in packages.FIRST} == {("ii ", "1.0")}
    assert "0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded" in packages.upgrade(server).stdout


def test_an_upgrade_restarts_a_service_asks_for_a_reboot_and_breaks_a_package(server: Container) -> None:
    before = main_process(server)
    assert before[1] == "1.0"
    packages.publish(server, *packages.SECOND)
    assert packages.upgrade(server).status == 100
    pid, version = main_process(server)
    assert (pid != before[0], version) == (True, "2.0")
    assert server.run("cat /run/reboot-required.pkgs").split() == [packages.REBOOT]
    whole = (packages.PLAIN, packages.SERVICE, packages.REBOOT)
    assert {packages.status(server, name) for name in whole} == {("ii ", "2.0")}
    assert packages.status(server, packages.BROKEN) == ("iF ", "2.0")
    server.run("rm /run/reboot-required /run/reboot-required.pkgs")


def test_a_repaired_version_mends_the_broken_package(server: Container) -> None:
    packages.publish(server, packages.breaks("2.0"))
    assert packages.upgrade(server).status == 100
    packages.publish(server, packages.REPAIRED)
    assert packages.upgrade(server).status == 0
    assert packages.status(server, packages.BROKEN) == ("ii ", "2.1")
    assert server.run("dpkg --audit") == ""


def test_a_first_installation_asks_for_no_reboot(server: Container) -> None:
    assert server.try_to("ls /run/reboot-required /run/reboot-required.pkgs").status != 0


def test_the_daily_check_counts_the_updates_that_are_for_security(
    desk: Desk, containers: Containers, server: Container
) -> None:
    packages.publish(server, packages.service("2.0"), security=[packages.plain("2.0")])
    cell = daily(desk, containers).cell("lab3", "SC-020")
    assert (cell["outcome"], cell["message"]) == ("attention", "1 security updates are pending")
    assert cell["facts"]["pending"] == 2
    assert cell["facts"]["security_packages"] == [packages.PLAIN]
    assert packages.upgrade(server).status == 0
    assert daily(desk, containers).cell("lab3", "SC-020")["outcome"] == "ok"


def test_the_daily_check_names_the_package_that_wants_a_reboot(
    desk: Desk, containers: Containers, server: Container
) -> None:
    packages.publish(server, packages.wants_reboot("2.0"))
    assert packages.upgrade(server).status == 0
    cell = daily(desk, containers).cell("lab3", "SY-120")
    assert (cell["severity"], cell["message"]) == ("info", f"A reboot is pending: {packages.REBOOT}")
    server.reboot()
    assert daily(desk, containers).cell("lab3", "SY-120")["severity"] is None


def test_a_package_that_is_not_what_the_index_says_is_refused(server: Container) -> None:
    packages.publish(server, packages.plain("2.0"))
    server.run(f"echo more >>{packages.PLACE}/{packages.ORDINARY}/{packages.PLAIN}_2.0_all.deb")
    assert packages.upgrade(server).status != 0
    assert packages.status(server, packages.PLAIN) == ("ii ", "1.0")


LEFT = f"cat /etc/apt/sources.list.d/* /lib/systemd/system/{packages.SERVICE}.service; ls {packages.PLACE}"


def test_nothing_of_it_stays(containers: Containers) -> None:
    one = containers.server("lab3")
    before = one.run("dpkg -l; ls -A /var/lib/apt/lists /var/cache/apt /usr/share /etc/systemd/system/*")
    with packages.lab_packages(one):
        packages.publish(one, *packages.SECOND)
        packages.upgrade(one)
        one.run("rm /run/reboot-required /run/reboot-required.pkgs")
    assert one.run("dpkg -l; ls -A /var/lib/apt/lists /var/cache/apt /usr/share /etc/systemd/system/*") == before
    assert one.try_to(LEFT).stdout == ""
    assert one.run("systemctl is-system-running").strip() == "running"
