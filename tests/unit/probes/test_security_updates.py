from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import Answer, Measured, NotMeasured, UnreadableAnswer
from maintops.probes.security_updates import MOST_NAMES, PROBE
from tests.unit.probes.asking import SHELLS, answer_of, ask, only, recording, recordings, tool
from tests.unit.probes.recorded import OFTEN, assert_no_news, assert_reads, facts_of, read_recording, spoiled

APT = """\
Listing...
curl/stable-security 8.1-2 amd64 [upgradable from: 8.1-1]
libc6/stable 2.40-2 amd64 [upgradable from: 2.40-1]
zlib1g/stable,stable-security 1:1.3-2 amd64 [upgradable from: 1:1.3-1]
"""

DNF = """\

bash.x86_64                     5.2.26-4.el9        baseos
kernel-core.x86_64              5.14.0-500.el9      baseos
a-very-long-name-of-a-package-that-wraps-the-line.noarch
                                1:2.0-1.el9         appstream
Obsoleting Packages
new-thing.noarch                3.0-1.el9           baseos
    old-thing.noarch            2.0-1.el9           @System
"""
DNF4_ADVISORIES = """\
EXSA-2026:1 Important/Sec. kernel-core-5.14.0-500.el9.x86_64
EXSA-2026:2 Low/Sec.       kernel-core-5.14.0-499.el9.x86_64
EXBA-2026:3 bugfix         bash-5.2.26-4.el9.x86_64
"""
DNF5_ADVISORIES = """\
Name        Type     Severity                        Package              Issued
EX-2026-aa  security Moderate    kernel-core-5.14.0-500.el9.x86_64 2026-04-08 07:44:03
EX-2026-bb  bugfix   None        bash-5.2.26-4.el9.x86_64 2026-04-08 07:44:03
"""

ZYPPER = """\
S | Repository | Name    | Current Version | Available Version | Arch
--+------------+---------+-----------------+-------------------+-------
v | Updates    | libzypp | 17.1-1          | 17.2-1            | x86_64
v | Updates    | vim     | 9.0-1           | 9.1-1             | x86_64
"""
PATCHES = """\
Repository | Name         | Category | Severity  | Interactive | Status     | Summary
-----------+--------------+----------+-----------+-------------+------------+---------------
Updates    | SUSE-2026-7  | security | important | ---         | needed     | Update for vim
Updates    | SUSE-2026-6  | security | low       | reboot      | not needed | Update for xz
"""

APK = """\
Installed:                                Available:
busybox-1.36.1-r2                       < 1.36.1-r5
ca-certificates-bundle-20240226-r0      < 20240705-r0
"""


def answer(**parts: str | tuple[int, str]) -> Answer:
    return answer_of(now="1800000000", refreshed="1799991000", **parts, end="")


def test_apt() -> None:
    assert only(PROBE, answer(lists="yes", apt=APT)).facts == {
        "manager": "apt",
        "pending": 3,
        "security": 2,
        "security_packages": ["curl", "zlib1g"],
        "packages": ["curl", "zlib1g", "libc6"],
        "lists_age_hours": 2.5,
    }


def test_an_older_debian_tells_security_by_its_label_alone() -> None:
    simulated = (
        "Reading package lists...\n"
        "Inst libc6 [2.28-1] (2.28-2 Debian-Security:10/oldoldstable [amd64])\n"
        "Inst tzdata [2024a] (2024b Debian:10.13/oldoldstable [all])\n"
        "Conf libc6 (2.28-2 Debian-Security:10/oldoldstable [amd64])\n"
    )
    listed = "Listing...\nlibc6/oldoldstable 2.28-2 amd64 [upgradable from: 2.28-1]\n"
    facts = only(PROBE, answer(lists="yes", simulated=simulated, apt=listed)).facts
    assert (facts["pending"], facts["security_packages"]) == (1, ["libc6"])


def test_nothing_is_pending() -> None:
    facts = only(PROBE, answer(lists="yes", apt="Listing... Done\n")).facts
    assert (facts["pending"], facts["security"], facts["packages"]) == (0, 0, [])


def test_lists_that_were_never_fetched_say_nothing() -> None:
    reading = PROBE.read(answer(lists=(1, ""), apt="Listing...\n"), {})
    assert reading == NotMeasured("apt has no package lists: they were never fetched")


@pytest.mark.parametrize("advisories", [DNF4_ADVISORIES, DNF5_ADVISORIES])
def test_dnf(advisories: str) -> None:
    assert only(PROBE, answer(advisories=advisories, dnf=(100, DNF))).facts == {
        "manager": "dnf",
        "pending": 3,
        "security": 1,
        "security_packages": ["kernel-core"],
        "packages": ["kernel-core", "bash", "a-very-long-name-of-a-package-that-wraps-the-line"],
        "lists_age_hours": 2.5,
    }


@pytest.mark.parametrize("advisories", ["", (1, "")])
def test_a_repository_without_advisories_does_not_tell_security(advisories: str | tuple[int, str]) -> None:
    subject = only(PROBE, answer(advisories=advisories, dnf=(100, DNF)))
    assert subject.facts["pending"] == 3
    assert "security" not in subject.facts.keys() | subject.not_offered


def test_dnf_without_updates() -> None:
    facts = only(PROBE, answer(advisories="", dnf=(0, "\nLast metadata expiration check: 0:12:03 ago.\n"))).facts
    assert (facts["pending"], facts["security"]) == (0, 0)


def test_dnf_without_a_cache_is_not_measured() -> None:
    assert isinstance(PROBE.read(answer(advisories=(1, ""), dnf=(1, "")), {}), NotMeasured)


def test_zypper() -> None:
    facts = only(PROBE, answer(patches=PATCHES, zypper=ZYPPER)).facts
    assert facts["manager"] == "zypper"
    assert (facts["pending"], facts["packages"]) == (2, ["libzypp", "vim"])
    assert (facts["security"], facts["security_packages"]) == (1, ["SUSE-2026-7"])


def test_zypper_without_updates_and_zypper_that_may_not() -> None:
    facts = only(PROBE, answer(patches=(0, "No matching issues found."), zypper="No updates found.\n")).facts
    assert (facts["pending"], facts["security"]) == (0, 0)
    assert "security" not in only(PROBE, answer(patches=(5, ""), zypper=ZYPPER)).facts
    assert isinstance(PROBE.read(answer(patches=(7, ""), zypper=(7, "System management is locked")), {}), NotMeasured)


def test_apk_does_not_tell_security() -> None:
    subject = only(PROBE, answer(lists="yes", apk=APK))
    assert (subject.facts["pending"], subject.facts["packages"]) == (2, ["busybox", "ca-certificates-bundle"])
    assert subject.not_offered == {"security", "security_packages"}
    assert isinstance(PROBE.read(answer(lists="yes", apk=(99, "")), {}), NotMeasured)


def test_an_age_that_is_not_known_is_left_out() -> None:
    facts = only(PROBE, answer_of(now="1800000000", refreshed="", lists="yes", apt=APT, end="")).facts
    assert "lists_age_hours" not in facts


def test_no_package_manager_is_not_measured() -> None:
    assert isinstance(PROBE.read(answer_of(now="1", end=""), {}), NotMeasured)


@pytest.mark.parametrize(
    "broken",
    [
        Answer(b""),
        answer_of(now="1", lists="yes", apt=APT),
        answer(lists="yes", apt=APT + "garbage\n"),
        answer(lists="yes", apt=(100, "")),
        answer(dnf=(100, "garbage\n")),
        answer(dnf=(0, "Last metadata expiration check: 0:12:03 ago.\ngarbage\n")),
        answer(zypper="garbage\n"),
        answer(zypper="A | B\n1 | 2\n"),
        answer(zypper=ZYPPER + "v | Updates\n"),
        answer(lists="yes", apk="garbage\n"),
        Answer(answer(lists="yes", apt=APT).stdout, truncated=True),
    ],
)
def test_what_no_package_manager_prints_is_refused(broken: Answer) -> None:
    with pytest.raises(UnreadableAnswer):
        PROBE.read(broken, {})


names = st.from_regex(r"[a-z][a-z0-9+.-]{1,20}", fullmatch=True)


@given(st.dictionaries(names, st.booleans(), max_size=120))
def test_every_update_is_counted_and_some_are_named(packages: dict[str, bool]) -> None:
    text = "Listing...\n" + "".join(
        f"{name}/noble-updates{',noble-security' * security} 1.0 amd64 [upgradable from: 0.9]\n"
        for name, security in packages.items()
    )
    facts = only(PROBE, answer(lists="yes", apt=text)).facts
    assert facts["pending"] == len(packages)
    assert facts["security"] == sum(packages.values())
    assert len(facts["packages"]) == min(len(packages), MOST_NAMES)
    assert facts["security_packages"] == [name for name, security in packages.items() if security][:MOST_NAMES]


@pytest.mark.parametrize("name", recordings("apt-updates"))
def test_recorded_lists_of_apt(name: str) -> None:
    text = recording("apt-updates", name)
    facts = only(PROBE, answer(lists="yes", apt=text)).facts
    assert facts["pending"] == text.count("[upgradable from")
    assert facts["security"] == len(re.findall(r"(?m)^\S*-security\b", text))


@pytest.mark.parametrize("name", sorted({name.partition("-")[0] for name in recordings("dnf-updates")}))
def test_recorded_lists_of_dnf(name: str) -> None:
    updates, advisories = recording("dnf-updates", f"{name}-upgrades"), recording("dnf-updates", f"{name}-updateinfo")
    rows = re.findall(r"(?m)^\S+\.(?:x86_64|noarch) +\S+ +\S+ *$", updates)
    facts = only(PROBE, answer(advisories=advisories, dnf=(100 if rows else 0, updates))).facts
    assert facts["pending"] == len(rows)
    told = re.findall(r"(?m)^\S+ +(?:\S+/Sec\.|security +\w+) +(\S+)", advisories)
    assert facts.get("security", 0) == len({package.rsplit("-", 2)[0] for package in told})
    assert ("security" in facts) is (not rows or bool(re.search(r"(?m)^(?:FEDORA|RH)\S+-\S+ ", advisories)))


@pytest.mark.parametrize("shell", SHELLS)
def test_dnf_is_asked_from_its_cache_alone(shell: list[str], tmp_path: Path) -> None:
    tool(
        tmp_path, "dnf", f'echo "$*" >>{tmp_path}/asked; [ "$4" = list ] && exit 0; echo "a.noarch 1-1 base"; exit 100'
    )
    asked = ask(PROBE, shell, tools=tmp_path, change=(("/var/lib/dpkg/status", "/no/such/file"),))
    assert only(PROBE, asked).facts["packages"] == ["a"]
    assert (tmp_path / "asked").read_text().splitlines() == ["-C -q updateinfo list", "-C -q check-update"]


@pytest.mark.parametrize("shell", SHELLS)
def test_lists_are_looked_for(shell: list[str], tmp_path: Path) -> None:
    tool(tmp_path, "apk", "echo 'Installed: Available:'")
    change = (
        ("/var/lib/dpkg/status", "/no/such/file"),
        ("has dnf || has yum", "false"),
        ("has zypper", "false"),
        ("/var/cache/apk/", f"{tmp_path}/"),
    )
    assert isinstance(PROBE.read(ask(PROBE, shell, tools=tmp_path, change=change), {}), NotMeasured)
    (tmp_path / "APKINDEX.0.tar.gz").touch()
    assert only(PROBE, ask(PROBE, shell, tools=tmp_path, change=change)).facts["pending"] == 0


@pytest.mark.parametrize("shell", SHELLS)
def test_the_age_of_the_lists_is_that_of_the_newest(shell: list[str], tmp_path: Path) -> None:
    tool(tmp_path, "apk", "echo 'Installed: Available:'")
    for place, moment in enumerate((1_000_000_000, 1_500_000_000)):
        path = tmp_path / f"APKINDEX.{place}.tar.gz"
        path.touch()
        os.utime(path, (moment, moment))
    change = (
        ("/var/lib/dpkg/status", "/no/such/file"),
        ("has dnf || has yum", "false"),
        ("has zypper", "false"),
        ("/var/cache/apk/", f"{tmp_path}/"),
        ("date +%s", "echo 1500036000"),
    )
    facts = only(PROBE, ask(PROBE, shell, tools=tmp_path, change=change)).facts
    assert (facts["manager"], facts["lists_age_hours"]) == ("apk", 10.0)


def test_it_can_be_asked_here() -> None:
    assert isinstance(PROBE.read(ask(PROBE, ["sh"]), {}), Measured | NotMeasured)


# --- recordings -------------------------------------------------------------------------------------------------------
APT_SIMULATED = """\
NOTE: This is only a simulation!
Reading package lists...
The following packages will be upgraded:
  libc6 tzdata
2 upgraded, 1 newly installed, 0 to remove and 0 not upgraded.
Inst libc6 [2.36-9] (2.36-10 Debian-Security:12/stable-security, Debian:12/stable [amd64])
Inst tzdata [2024a-0] (2024b-0 Debian:12/stable [all])
Inst new-one (1.0 Debian:12/stable [all])
Conf libc6 (2.36-10 Debian-Security:12/stable-security [amd64])
"""
APT_GERMAN = "Auflistung…\ncurl/stable-security 8.1-2 amd64 [aktualisierbar von: 8.1-1]\n"
APT_OLD = "Listing...\nlibc6/oldoldstable 2.28-10+deb10u4 amd64 [upgradable from: 2.28-10+deb10u3]\n"
DNF5_UPGRADES = """\
Updating and loading repositories:
 Example 1 - x86_64                     100% |   5.1 MiB/s |  35.4 MiB |  00m07s
Repositories loaded.
Available upgrades
vim-data.noarch    2:9.2.280-1.fc42 updates
vim-minimal.x86_64 2:9.2.280-1.fc42 updates
"""
DNF_INSTALLED = "Installed Packages\nacl.x86_64     2.2.53-3.fc30     @anaconda\n"
APK_LIST = "busybox-1.36.1-r5 x86_64 {busybox} (GPL-2.0-only) [upgradable from: busybox-1.36.1-r2]\n"
RECORDED_TEXTS = [
    APT,
    APT_SIMULATED,
    APT_GERMAN,
    APT_OLD,
    DNF,
    DNF4_ADVISORIES,
    DNF5_ADVISORIES,
    DNF5_UPGRADES,
    ZYPPER,
    PATCHES,
    APK,
]


@pytest.mark.parametrize(
    ("text", "manager", "pending", "security"),
    [
        (APT, "apt", 3, 2),
        ("Listing... Done\n", "apt", 0, 0),
        (APT_SIMULATED, "apt", 2, 1),
        (APT_GERMAN, "apt", 1, 1),
        (APT_OLD, "apt", 1, None),
        (DNF, "dnf", 3, None),
        (DNF4_ADVISORIES, "dnf", None, 1),
        (DNF5_ADVISORIES, "dnf", None, 1),
        (DNF5_UPGRADES, "dnf", 2, None),
        ("a-very-long-name-of-a-package.noarch\n                 1:2.0-1.el9         appstream\n", "dnf", 1, None),
        (ZYPPER, "zypper", 2, None),
        ("Loading repository data...\nReading installed packages...\nNo updates found.\n", "zypper", 0, None),
        (PATCHES, "zypper", None, 1),
        (APK, "apk", 2, None),
        (APK_LIST, "apk", 1, None),
    ],
)
def test_bare_output_of_every_manager(text: str, manager: str, pending: int | None, security: int | None) -> None:
    facts = facts_of(PROBE, text)
    assert (facts["manager"], facts.get("pending"), facts.get("security")) == (manager, pending, security)
    assert "lists_age_hours" not in facts


@pytest.mark.parametrize("text", [APT[:-20], DNF5_UPGRADES[:-20]])
def test_a_list_that_was_cut_in_a_row_is_not_counted(text: str) -> None:
    with pytest.raises(UnreadableAnswer, match="the list is not whole"):
        read_recording(PROBE, text)


def test_a_list_of_what_is_installed_says_nothing_of_updates() -> None:
    for text in (DNF_INSTALLED, "Listing...\nbash/stable,now 5.2-1 amd64 [installed]\n"):
        assert read_recording(PROBE, text) == NotMeasured(
            "this lists packages that are installed or on offer, not those that have an update"
        )


def test_a_recording_in_which_no_package_is_named_is_no_good_news() -> None:
    progress = "Example 9 (RPMs) - BaseOS  1.1 MB/s | 533 kB     00:00\n"
    assert isinstance(read_recording(PROBE, progress), NotMeasured)


@pytest.mark.parametrize(
    ("name", "pending", "security"),
    [
        ("apt-updates/debian10", 2, None),
        ("apt-updates/debian11", 19, 19),
        ("apt-updates/debian12", 37, 3),
        ("apt-updates/debian13", 15, 2),
        ("apt-updates/ubuntu2004", 7, 5),
        ("apt-updates/ubuntu2204", 33, 27),
        ("apt-updates/ubuntu2404", 39, 24),
        ("apt-updates/ubuntu2604", 8, 0),
        ("dnf-updates/fedora30-upgrades", 40, None),
        ("dnf-updates/fedora30-updateinfo", None, 8),
        ("dnf-updates/fedora35-upgrades", 2, None),
        ("dnf-updates/fedora35-updateinfo", None, 0),
        ("dnf-updates/fedora41-upgrades", 68, None),
        ("dnf-updates/fedora41-updateinfo", None, 18),
        ("dnf-updates/fedora42-upgrades", 2, None),
        ("dnf-updates/fedora42-updateinfo", None, 2),
        ("dnf-updates/fedora43-upgrades", 7, None),
        ("dnf-updates/fedora43-updateinfo", None, 1),
        ("dnf-updates/rhel8-upgrades", 72, None),
        ("dnf-updates/rhel9-upgrades", 100, None),
    ],
)
def test_whole_recordings(name: str, pending: int | None, security: int | None) -> None:
    facts = facts_of(PROBE, recording(*name.split("/")))
    assert (facts.get("pending"), facts.get("security")) == (pending, security)


@pytest.mark.parametrize(
    "name",
    [
        *(f"{one}-installed" for one in ("fedora30", "fedora35", "fedora40", "fedora41", "fedora42", "fedora43")),
        *("rhel8-installed", "rhel9-installed", "rhel10-installed"),
        *("fedora40-upgrades", "fedora40-updateinfo", "rhel8-updateinfo", "rhel9-updateinfo"),
        *("rhel10-upgrades", "rhel10-updateinfo"),  # nothing but the loading of lists: the two are the same
    ],
)
def test_recordings_that_say_nothing_of_updates(name: str) -> None:
    assert isinstance(read_recording(PROBE, recording("dnf-updates", name)), NotMeasured)


@OFTEN
@given(data=spoiled(RECORDED_TEXTS))
def test_a_spoiled_recording_is_unreadable_at_worst(data: bytes) -> None:
    assert_reads(PROBE, data)


def test_a_recording_of_nothing_or_of_something_else_is_no_news() -> None:
    assert_no_news(PROBE)
