"""The tier of booted containers: what is promised of it, and what it leaves behind."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.lab import containers as tier
from tests.lab.containers import Containers
from tests.lab.fixtures import need

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]  # the first one may have to build the image


def test_servers_have_names_addresses_keys_and_a_first_process_of_their_own(containers: Containers) -> None:
    every = [containers.server(name) for name in containers.names]
    assert [one.run("hostname").strip() for one in every] == list(containers.names)
    assert len({one.address for one in every}) == len({one.host_key for one in every}) == len(every)
    assert {one.run("cat /proc/1/comm").strip() for one in every} == {"systemd"}
    assert {one.run("systemctl is-system-running").strip() for one in every} == {"running"}
    assert len({one.run("cat /etc/machine-id").strip() for one in every}) == len(every)
    assert all(one.run("cat /etc/ssh/ssh_host_*_key.pub 2>/dev/null | wc -l").strip() == "0" for one in every)


def test_a_login_finds_the_key_that_is_known(containers: Containers) -> None:
    one = containers.server("lab1")
    login = ["ssh", "-F", "none", "-i", str(containers.key), "-o", f"UserKnownHostsFile={containers.known_hosts}"]
    said = subprocess.run(
        [*login, "-o", "BatchMode=yes", f"keeper@{one.address}", "sudo -n id -un; hostname"],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    assert said.stdout.split() == ["root", "lab1"]


def test_a_reboot_is_a_new_first_process(containers: Containers) -> None:
    one = containers.server("lab2")
    before = one.started()
    one.reboot()
    assert one.started() > before
    assert one.run("systemctl is-system-running").strip() == "running"


def test_a_second_lab_stands_beside_the_first_and_leaves_nothing(containers: Containers) -> None:
    second = Containers(count=1)
    need(second.__enter__)
    try:
        assert second.name != containers.name
        assert second.server("lab1").run("hostname").strip() == "lab1"
        assert second.server("lab1").address != containers.server("lab1").address
        assert tier.traces(second.name)
    finally:
        second.stop()
    assert tier.traces(second.name) == []
    assert containers.server("lab1").run("hostname").strip() == "lab1"


DIES = """
import os, sys
from tests.lab.containers import Containers
lab = Containers(count=1)
lab.__enter__()
print(lab.name, flush=True)
os._exit(9)
"""


def test_what_a_killed_process_left_is_swept_up_by_the_next_lab(containers: Containers) -> None:
    died = subprocess.run(
        [sys.executable, "-c", DIES], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert died.returncode == 9, died.stderr
    name = died.stdout.strip()
    assert tier.traces(name)
    tier.sweep()
    assert tier.traces(name) == []
    assert tier.traces(containers.name)


def test_a_lab_that_is_kept_is_nobodys(containers: Containers, tmp_path: Path) -> None:
    kept = Containers(count=1, kept=True)
    with kept:
        pass
    try:
        tier.sweep()
        assert tier.traces(kept.name)
        assert tier.owners()[kept.name] == {}
        deadline = time.monotonic() + 60
        while not kept.server("lab1").is_up():
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        kept.stop()
