from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from maintops.domain.answers import Measured, NotMeasured, UnreadableAnswer
from maintops.probes.held_packages import PROBE
from maintops.probes.recorded import in_parts
from tests.unit.probes.asking import SHELLS, answer_of, ask, only, tool
from tests.unit.probes.broken_tools import HTML, assert_bad_answers_are_no_facts, recorded, recorded_facts
from tests.unit.probes.spoiling import complaints, spoiled

APT2 = """\
Reading package lists...
Building dependency tree...
Reading state information...
Calculating upgrade...
The following packages were automatically installed and are no longer required:
  libold1
The following packages will be REMOVED:
  oldthing* python2
The following upgrades have been deferred due to phasing:
  libsystemd0 systemd
  udev
The following packages have been kept back:
  linux-image-amd64
The following packages will be upgraded:
  curl
1 upgraded, 0 newly installed, 2 to remove and 4 not upgraded.
Inst curl [7.88.1-10+deb12u5] (7.88.1-10+deb12u8 Debian:12.8/stable [amd64])
Conf curl (7.88.1-10+deb12u8 Debian:12.8/stable [amd64])
"""
APT3 = """\
Reading package lists...
Calculating upgrade...
The following package was automatically installed and is no longer required:
  libold1
Not upgrading yet due to phasing:
  systemd  udev

Not upgrading:
  linux-generic

REMOVING:
  python2

Summary:
  Upgrading: 0, Installing: 0, Removing: 1, Not Upgrading: 3
"""
QUIET = "Reading package lists...\n0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n"
LOCKED = "Last metadata expiration check: 0:10:11 ago.\nkernel-0:5.14.0-427.el9.*\n!docker-ce-3:26.0.0-1.el9.*\n"
SELECTIONS = "bash\t\t\t\tinstall\nnginx\t\t\t\thold\nolder\t\t\t\tdeinstall\n"
RECORDINGS = [APT2, APT3, QUIET, LOCKED, SELECTIONS, "nginx\nphp8.2-fpm\n"]


@pytest.mark.parametrize("text", [APT2, APT3])
def test_what_apt_passes_over_and_takes_away(text: str) -> None:
    one = only(PROBE, answer_of(holds="nginx\t\t\thold\n", upgrade=text, end=""))
    new = text is APT3
    assert one.facts == {
        "manager": "apt",
        "held": ["nginx"],
        "kept_back": ["linux-generic"] if new else ["linux-image-amd64"],
        "phased": ["systemd", "udev"] if new else ["libsystemd0", "systemd", "udev"],
        "to_remove": ["python2"] if new else ["oldthing", "python2"],
    }


def test_nothing_held_is_an_empty_list() -> None:
    assert only(PROBE, answer_of(holds=(1, ""), upgrade=QUIET, end="")).facts == {
        "manager": "apt",
        "held": [],
        "kept_back": [],
        "phased": [],
        "to_remove": [],
    }


def test_an_upgrade_that_apt_cannot_work_out_is_not_measured() -> None:
    facts = only(PROBE, answer_of(holds=(1, ""), upgrade=(100, "E: Unmet dependencies.\n"), end="")).facts
    assert facts == {"manager": "apt", "held": []}
    with pytest.raises(UnreadableAnswer, match="summary"):
        PROBE.read(answer_of(holds="", upgrade="Reading package lists...\n", end=""), {})


def test_versionlock_and_excludes_hold_packages_of_dnf() -> None:
    one = only(
        PROBE,
        answer_of(
            versionlock="kernel-0:5.14.0-427.el9.*\n!docker-ce-3:26.0.0-1.el9.*\n",
            versionlock5='version = "1.0"\n[[packages]]\nname = "mariadb-server"\n',
            excludes="exclude=php* java-11-openjdk, nodejs\nexcludepkgs = \n",
            end="",
        ),
    )
    assert one.facts["held"] == [
        *("kernel-0:5.14.0-427.el9.*", "docker-ce-3:26.0.0-1.el9.*", "mariadb-server"),
        *("php*", "java-11-openjdk", "nodejs"),
    ]
    assert one.not_offered == {"kept_back", "phased", "to_remove"}
    none = only(PROBE, answer_of(versionlock=(1, ""), versionlock5=(1, ""), excludes=(2, ""), end=""))
    assert none.facts == {"manager": "dnf", "held": []}


def test_locks_of_zypper_and_pins_of_apk() -> None:
    locks = "type: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: kernel-default\n"
    assert only(PROBE, answer_of(zypp=locks, end="")).facts["held"] == ["kernel-default"]
    assert only(PROBE, answer_of(world="alpine-base\nnginx=1.24.0-r15\nphp~8.2\n", end="")).facts["held"] == [
        "nginx",
        "php",
    ]
    assert only(PROBE, answer_of(world=(1, ""), end="")).facts == {"manager": "apk"}


def test_no_package_manager_is_not_measured() -> None:
    assert isinstance(PROBE.read(answer_of(end=""), {}), NotMeasured)
    assert_bad_answers_are_no_facts(PROBE)


POLICY = """\
curl:
  Installed: 7.88.1-10+deb12u5
  Candidate: 7.88.1-10+deb12u8
  Version table:
     7.88.1-10+deb12u8 {0}
        500 http://deb.example.com/debian bookworm/main amd64 Packages
 *** 7.88.1-10+deb12u5 100 (phased 10%)
        100 /var/lib/dpkg/status
"""


@pytest.mark.parametrize(
    ("row", "phased"),
    [("500 (phased 0%)", ["curl"]), ("500 (phased 90%)", ["curl"]), ("500 (phased 100%)", []), ("500", [])],
)
@pytest.mark.parametrize("held", ["", "curl hold\n"])
def test_an_apt_that_only_keeps_back_what_comes_in_phases(row: str, phased: list[str], held: str) -> None:
    upgrade = APT2.replace(
        "deferred due to phasing:\n  libsystemd0 systemd\n  udev", "deferred due to phasing:\n  udev"
    )
    upgrade = upgrade.replace("  linux-image-amd64\n", "  curl linux-image-amd64\n")
    parts = {"holds": (0 if held else 1, held), "upgrade": upgrade, "policies": POLICY.format(row), "end": ""}
    reading = PROBE.read(in_parts(parts), {})
    assert isinstance(reading, Measured)
    facts = reading.subjects[0].facts
    late = [] if held else phased
    assert (facts["phased"], facts["kept_back"]) == (
        ["udev", *late],
        ["linux-image-amd64"] if late else ["curl", "linux-image-amd64"],
    )


def test_recordings() -> None:
    assert recorded_facts(PROBE, APT2)["kept_back"] == ["linux-image-amd64"]
    assert recorded_facts(PROBE, QUIET)["to_remove"] == []
    assert recorded_facts(PROBE, SELECTIONS)["held"] == ["nginx"]
    assert recorded_facts(PROBE, "nginx\nphp8.2-fpm\n")["held"] == ["nginx", "php8.2-fpm"]
    assert recorded_facts(PROBE, LOCKED)["held"] == ["kernel-0:5.14.0-427.el9.*", "docker-ce-3:26.0.0-1.el9.*"]
    newer = "# Added by 'versionlock add' command on 2026-02-01\nPackage name: nodejs\nevr = 1:20.11.0-1.fc41\n"
    assert recorded_facts(PROBE, newer)["held"] == ["nodejs"]
    versions = (
        "The following upgrades have been deferred due to phasing:\n   ceph (19.2.1-0ubuntu0 => 19.2.3-0ubuntu0)\n"
    )
    assert recorded_facts(PROBE, versions + QUIET)["phased"] == ["ceph"]
    assert isinstance(recorded(PROBE, "\n"), NotMeasured)


@pytest.mark.parametrize("text", ["What is this?\n", HTML.decode()])
def test_other_output_is_refused(text: str) -> None:
    with pytest.raises(UnreadableAnswer, match="apt-mark"):
        recorded(PROBE, text)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_files_of_dnf_are_read_where_there_is_no_dpkg(shell: list[str], tmp_path: Path) -> None:
    tool(tmp_path, "dnf", "exit 1")
    (tmp_path / "versionlock.list").write_text("# Added lock on Sun Mar  1 2026\nkernel-0:5.14.0-427.el9.*\n")
    (tmp_path / "dnf.conf").write_text("[main]\ngpgcheck=1\nexclude = php*\n")
    places = (
        ("/var/lib/dpkg/status", "/nowhere"),
        ("/etc/dnf/plugins/versionlock.list", f"{tmp_path}/versionlock.list"),
        ("/etc/dnf/dnf.conf", f"{tmp_path}/dnf.conf"),
    )
    here = ask(PROBE, shell, tools=tmp_path, change=places)
    assert only(PROBE, here).facts == {"manager": "dnf", "held": ["kernel-0:5.14.0-427.el9.*", "php*"]}


@given(spoiled([text.encode() for text in RECORDINGS]))
def test_a_spoiled_recording_is_refused_at_worst(recording: bytes) -> None:
    assert complaints(PROBE, recording) == []
