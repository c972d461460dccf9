from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from maintops.domain.answers import Answer, NotMeasured, UnreadableAnswer
from maintops.probes.orphaned_packages import PROBE
from tests.unit.probes.asking import SHELLS, answer_of, ask, only, tool
from tests.unit.probes.broken_tools import HTML, assert_bad_answers_are_no_facts, recorded, recorded_facts
from tests.unit.probes.spoiling import complaints, spoiled

APT = """\
Reading package lists...
Building dependency tree...
Reading state information...
The following packages will be REMOVED:
  libold1 linux-image-6.1.0-18-amd64
0 upgraded, 0 newly installed, 2 to remove and 4 not upgraded.
Remv libold1 [1.2-3]
Remv linux-image-6.1.0-18-amd64 [6.1.76-1]
"""
ASKED = """\
Reading package lists... Done
The following packages will be REMOVED:
  libold1 libolder2*
0 upgraded, 0 newly installed, 2 to remove and 0 not upgraded.
After this operation, 1,024 kB disk space will be freed.
Do you want to continue? [Y/n] Abort.
"""
KILOBYTES = "ii  100 libold1\nii  407392 linux-image-6.1.0-18-amd64\nrc  5 gone\nii  900 bash\n"
DNF = "libold-1.2-3.el9.x86_64\npython3-thing-0:2.0-1.el9.noarch\n"
DNF_TABLE = """\
Dependencies resolved.
================================================================================
 Package              Architecture  Version               Repository       Size
================================================================================
Removing:
 libold               x86_64        1.2-3.el9             @appstream      1.2 M
 grub2-tools-extra    x86_64        1000:2.06-7.fc41      qubes-dom0    5.4 MiB

Transaction Summary
================================================================================
Remove  2 Packages
"""
RECORDINGS = [DNF_TABLE, APT, ASKED, DNF]


def test_what_apt_would_remove_and_what_that_frees() -> None:
    one = only(PROBE, answer_of(apt=APT, kilobytes=KILOBYTES, end=""))
    assert one.facts == {
        "manager": "apt",
        "count": 2,
        "packages": ["libold1", "linux-image-6.1.0-18-amd64"],
        "bytes": 407_492 * 1024,
        "leftovers": 1,
        "leftover_packages": ["gone"],
    }


def test_an_apt_that_cannot_work_it_out_is_not_measured() -> None:
    assert isinstance(PROBE.read(answer_of(apt=(100, "E: Unmet\n"), end=""), {}), NotMeasured)
    with pytest.raises(UnreadableAnswer, match="summary"):
        PROBE.read(answer_of(apt="Reading package lists...\n", end=""), {})


def test_dnf_names_packages_and_rpm_their_sizes() -> None:
    one = only(PROBE, answer_of(dnf=DNF, bytes="1000 libold\n234 python3-thing\n", end=""))
    assert one.facts == {"manager": "dnf", "count": 2, "packages": ["libold", "python3-thing"], "bytes": 1234}
    assert one.not_offered == {"leftovers", "leftover_packages"}
    assert only(PROBE, answer_of(dnf="", bytes="", end="")).facts["count"] == 0
    assert "bytes" not in only(PROBE, answer_of(dnf=DNF, bytes="1000 libold\n", end="")).facts
    assert isinstance(PROBE.read(answer_of(dnf=(1, ""), bytes="", end=""), {}), NotMeasured)
    with pytest.raises(UnreadableAnswer, match="name of a package"):
        PROBE.read(answer_of(dnf="usage: dnf\n", bytes="", end=""), {})


def test_zypper_has_a_table() -> None:
    table = (
        "S  | Repository | Name   | Version | Arch\n---+--+---+---+---\ni  | Main       | libold | 1.2-3   | x86_64\n"
    )
    one = only(PROBE, answer_of(zypper=table, end=""))
    assert (one.facts["count"], one.facts["packages"]) == (1, ["libold"])
    assert only(PROBE, answer_of(zypper="", end="")).facts["count"] == 0
    assert isinstance(PROBE.read(answer_of(zypper=(7, ""), end=""), {}), NotMeasured)


def test_other_managers_do_not_know() -> None:
    assert isinstance(PROBE.read(answer_of(end=""), {}), NotMeasured)
    assert_bad_answers_are_no_facts(PROBE)
    with pytest.raises(UnreadableAnswer, match="not whole"):
        PROBE.read(answer_of(other=""), {})
    with pytest.raises(UnreadableAnswer):
        PROBE.read(Answer(answer_of(apt=APT).stdout[:40]), {})


def test_recordings() -> None:
    assert recorded_facts(PROBE, APT) == {
        "manager": "apt",
        "count": 2,
        "packages": ["libold1", "linux-image-6.1.0-18-amd64"],
    }
    assert recorded_facts(PROBE, ASKED)["packages"] == ["libold1", "libolder2"]
    assert recorded_facts(PROBE, DNF_TABLE)["packages"] == ["libold", "grub2-tools-extra"]
    assert recorded_facts(PROBE, DNF)["packages"] == ["libold", "python3-thing"]
    with pytest.raises(UnreadableAnswer, match="autoremove"):
        recorded(PROBE, HTML.decode())


@pytest.mark.parametrize("shell", SHELLS[::2])  # busybox would prefer its own rpm
@pytest.mark.parametrize("names", ["libold-1.2-3.el9.x86_64", ""])
def test_dnf_is_asked_where_there_is_no_dpkg(shell: list[str], names: str, tmp_path: Path) -> None:
    tool(tmp_path, "dnf", f"""[ "$*" = '-C -q repoquery --unneeded --installed' ] || exit 3; printf '%s' '{names}'""")
    tool(tmp_path, "rpm", """[ "$4" = libold-1.2-3.el9.x86_64 ] && echo '1000 libold'""")
    here = ask(PROBE, shell, tools=tmp_path, change=(("/var/lib/dpkg/status", "/nowhere"),))
    packages = ["libold"] if names else []
    wanted = {"manager": "dnf", "count": len(packages), "packages": packages, "bytes": 1000 * len(packages)}
    assert only(PROBE, here).facts == wanted


@given(spoiled([text.encode() for text in RECORDINGS]))
def test_a_spoiled_recording_is_refused_at_worst(recording: bytes) -> None:
    assert complaints(PROBE, recording) == []
