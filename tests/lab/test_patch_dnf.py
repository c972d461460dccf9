"""The playbooks of the quarterly patch on a server of the RHEL family: by a stand-in for dnf, as there is no image of
that family to be had for the lab. What dnf is asked is seen here, and what is made of its answers; not that it does it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.containers import Containers
from tests.lab.patching import CHANGED, REFUSED, UNCHANGED, Patching, without_apt

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]  # the first one may have to build the image

STAND_INS = "/run/lab-dnf"
BASH = " bash  x86_64  5.1.8-{}.el9  baseos  1.7 M\n"
TABLE = "Dependencies resolved.\n{}:\n{}\nTransaction Summary\n=====\n"
DNF = f"""\
#!/bin/sh
echo "$*" >>{STAND_INS}/asked
case " $* " in
  *" makecache "*) exit 0 ;;
  *" updateinfo "*) cat {STAND_INS}/advisories; exit 0 ;;
  *" bash-5.1.8-7.el9"*) echo 'No match for argument: bash-5.1.8-7.el9.x86_64'; exit 1 ;;
  *" bash-5.1.8-6.el9"*) to=6 table=back ;;
  *) to=9 table=up ;;
esac
grep -qF "5.1.8-$to" {STAND_INS}/installed && echo 'Nothing to do.' && exit 0
cat {STAND_INS}/$table
case " $* " in *" --assumeno "*) echo 'Operation aborted.'; exit 1 ;; esac
printf 'bash\\tx86_64\\t0:5.1.8-%s.el9\\n' $to >{STAND_INS}/installed
"""


@pytest.fixture
def red(tmp_path: Path, containers: Containers) -> Iterator[Patching]:
    """lab3 as a server with dnf: a stand-in that answers in dnf's words about one package (there is no image of the
    RHEL family to be had for the lab) and writes down what it was asked."""
    server = containers.server("lab3")
    with without_apt(server):
        for name, text in (
            ("up", TABLE.format("Upgrading", BASH.format(9))),
            ("back", TABLE.format("Downgrading", BASH.format(6))),
        ):
            server.write(f"{STAND_INS}/{name}", text)
        server.write(f"{STAND_INS}/installed", "bash\tx86_64\t0:5.1.8-6.el9\n")
        server.write(f"{STAND_INS}/advisories", "")
        server.write("/usr/local/bin/dnf", DNF)
        server.write("/usr/local/bin/rpm", f"#!/bin/sh\ncat {STAND_INS}/installed\n")
        server.run("chmod 755 /usr/local/bin/dnf /usr/local/bin/rpm")
        try:
            yield Patching(containers, server, tmp_path)
        finally:
            server.run(f"rm -rf /usr/local/bin/dnf /usr/local/bin/rpm {STAND_INS}")


def asked(red: Patching) -> list[str]:
    """What dnf was asked since the last time, without what it is always told."""
    told = red.server.run(f"cat {STAND_INS}/asked; rm {STAND_INS}/asked").splitlines()
    always = "--color=never --setopt=exit_on_lock=True "
    assert all(line.startswith(always) for line in told)
    return [line.removeprefix(always) for line in told]


REFRESH = "--assumeyes --refresh --setopt=*.skip_if_unavailable=False makecache"
UP, DOWN = "bash 5.1.8-6.el9 -> 5.1.8-9.el9", "bash 5.1.8-9.el9 -> 5.1.8-6.el9"


def test_with_dnf_a_server_is_updated_and_goes_back(red: Patching) -> None:
    played = red.update()
    assert (played.outcome, played.changes) == (CHANGED, [UP])
    assert asked(red) == [REFRESH, "--assumeno upgrade", "--assumeyes upgrade"]
    assert red.update().outcome == UNCHANGED
    assert asked(red) == [REFRESH, "--assumeno upgrade"]
    played = red.play("rollback_update", maintops_before={"lab3": {"bash": "5.1.8-6.el9", "nosuch": None}})
    assert (played.outcome, played.changes) == (CHANGED, [DOWN])
    back = "install bash-5.1.8-6.el9.x86_64"
    assert asked(red) == [REFRESH, f"--assumeno {back}", f"--assumeyes {back}"]


def test_with_dnf_security_needs_advisories(red: Patching) -> None:
    played = red.update(update="security")
    assert (played.outcome, "none of its repositories says" in played.said) == (REFUSED, True)
    red.server.write(f"{STAND_INS}/advisories", "RHSA-2026:1 Important/Sec. bash-5.1.8-9.el9.x86_64\n")
    assert red.update(update="security").changes == [UP]
    assert asked(red)[-1] == "--assumeyes upgrade --security"


def test_with_dnf_pinned_versions_are_had_exactly_or_refused(red: Patching) -> None:
    pin = {"name": "bash", "version": "5.1.8-7.el9", "arch": "x86_64"}
    played = red.update(pinned={"lab3": [pin]})
    assert (played.outcome, "had any more: bash-5.1.8-7.el9.x86_64" in played.said) == (REFUSED, True)
    asked(red)
    assert red.update(pinned={"lab3": [{**pin, "version": "0:5.1.8-9.el9"}]}).changes == [UP]
    assert asked(red)[-1] == "--assumeyes install bash-5.1.8-9.el9.x86_64"
    older = red.update(pinned={"lab3": [{**pin, "version": "5.1.8-6.el9"}]})
    assert (older.outcome, "newer version than the plan's: bash" in older.said) == (REFUSED, True)
    gone = red.play("rollback_update", maintops_before={"lab3": {"bash": "5.1.8-7.el9"}})
    assert (gone.outcome, "had any more: bash-5.1.8-7.el9" in gone.said) == (REFUSED, True)


def test_with_dnf_check_mode_asks_the_cache_and_changes_nothing(red: Patching) -> None:
    played = red.update("--check", update="list", update_packages=["bash", "nosuch"])
    assert f"+{UP}" in played.text
    assert asked(red) == ["--assumeno --cacheonly upgrade bash"]


def test_with_dnf_a_lock_is_waited_for_within_the_bound(red: Patching) -> None:
    # a file as dnf leaves it while it is at work
    red.server.run("mkdir -p /var/lib/dnf && echo 1 >/var/lib/dnf/rpmdb_lock.pid")
    played = red.update(lock_wait=1)
    red.server.run("rm -r /var/lib/dnf")
    assert (played.outcome, "in use: systemd (process 1) has held" in played.said) == (REFUSED, True)
