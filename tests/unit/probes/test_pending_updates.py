"""What an update would do, as apt and dnf simulate it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import Answer, NotMeasured, Skipped, UnreadableAnswer
from maintops.errors import UsageError
from maintops.probes.conformance import reading_complaints
from maintops.probes.pending_updates import PROBE
from maintops.probes.pending_updates_dnf import kernels
from tests.unit.probes.asking import SHELLS, answer_of, ask, only, tool
from tests.unit.probes.broken_tools import assert_bad_answers_are_no_facts

SUMMARY = "{} upgraded, {} newly installed, {} to remove and 1 not upgraded.\n"
PLAIN = "Inst plain [1.0] (2.0 Lab:lab [all])\n"
SAFE = "Inst safe [1:1.0] (1:2.0 Debian:12.9/stable, Debian-Security:12/stable-security [amd64]) []\n"
KERNEL = "Inst linux-image-6.1.0-30-amd64 (6.1.124-1 Debian-Security:12/stable-security [amd64])\n"
NAMESAKE = "Inst libspring-security-core [1] (2 Debian:12.9/stable [all]) [libspring-security-web:amd64 ]\n"
FOREIGN = "Inst libc6:i386 [2.36-1] (2.36-2 Debian:12.9/stable [i386])\n"
MADISON = """\
     plain |        2.0 | file:/srv/lab ./ Packages
     plain |        1.0 | file:/srv/lab ./ Packages
      safe |      1:2.0 | http://packages.example stable/main amd64 Packages
      safe |      1:1.0 | http://packages.example stable/main Sources
     libc6 |     2.36-1 | http://packages.example stable/main i386 Packages
"""
BOOT = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/sda1 500000 400000 100000 80% /boot\n"
IMAGES = "8000000 /boot/vmlinuz-6.1.0-28-amd64\n42000000 /boot/initrd.img-6.1.0-28-amd64\n"
ROOT = BOOT.replace("/boot", "/")


def simulated(*lines: str) -> str:
    removed = sum(line.startswith("Remv") for line in lines)
    return "Reading package lists...\n" + SUMMARY.format(9, 9, removed) + "".join(lines)


def apt(**parts: str | tuple[int, str]) -> Answer:
    whole: dict[str, str | tuple[int, str]] = {
        "now": "1772323200\n",
        "refreshed": "1772319600\n",
        "lists": "yes\n",
        "holds": (1, ""),
        "upgrade": simulated(),
        "disk": ROOT,
        "end": "",
    }
    return answer_of(**(whole | parts))


def facts(answer: Answer, **parameters: Any) -> dict[str, Any]:
    return dict(only(PROBE, answer, parameters).facts)


def package(name: str, old: str | None, new: str, arch: str, source: str, security: bool) -> dict[str, Any]:
    return {"name": name, "from": old, "to": new, "arch": arch, "security": security, "source": source}


def test_everything_that_apt_would_do() -> None:
    text = simulated("Remv old [1.0] [plain:amd64 ]\n", SAFE, PLAIN, FOREIGN, "Conf plain (2.0 Lab:lab [all])\n")
    answer = apt(upgrade=text, bytes="71000\n", madison=MADISON, holds="held\t\thold\n")
    assert facts(answer) == {
        "manager": "apt",
        "packages": [
            package("libc6:i386", "2.36-1", "2.36-2", "i386", "Debian:12.9/stable", security=False),
            package("plain", "1.0", "2.0", "all", "Lab:lab", security=False),
            package(
                "safe",
                "1:1.0",
                "1:2.0",
                "amd64",
                "Debian:12.9/stable, Debian-Security:12/stable-security",
                security=True,
            ),
        ],
        "removals": ["old"],
        "bytes": 71000,
        "reinstallable": ["libc6:i386", "plain"],
        "held": ["held"],
        "phased": [],
        "kept_back": [],
        "lists_age_hours": 1.0,
    }


def test_a_package_that_goes_and_comes_again_is_not_removed() -> None:
    assert facts(apt(upgrade=simulated("Remv plain [1.0]\n", PLAIN)))["removals"] == []


def test_what_apt_passes_over() -> None:
    text = (
        "The following upgrades have been deferred due to phasing:\n  udev\n"
        "The following packages have been kept back:\n  linux-image-amd64\n"
    )
    seen = facts(apt(upgrade=text + simulated()))
    assert (seen["phased"], seen["kept_back"], seen["packages"]) == (["udev"], ["linux-image-amd64"], [])


def test_a_name_that_speaks_of_security_is_no_update_for_it() -> None:
    assert [one["security"] for one in facts(apt(upgrade=simulated(NAMESAKE)))["packages"]] == [False]


@pytest.mark.parametrize("update", ["security", "list"])
def test_a_part_of_the_updates_is_simulated_by_itself(update: str) -> None:
    seen = facts(apt(upgrade=simulated(PLAIN, SAFE), simulated=simulated(SAFE)), update=update)
    assert [one["name"] for one in seen["packages"]] == ["safe"]
    assert "reinstallable" not in seen
    nothing = facts(apt(upgrade=simulated(PLAIN)), update=update)
    assert (nothing["packages"], nothing["removals"], nothing["bytes"]) == ([], [], 0)


def test_versions_of_before_that_are_not_known_are_missing() -> None:
    assert facts(apt(upgrade=simulated(KERNEL)))["reinstallable"] == []  # nothing is replaced
    assert "reinstallable" not in facts(apt(upgrade=simulated(PLAIN), madison=(100, "")))
    assert "bytes" not in facts(apt(upgrade=simulated(PLAIN), bytes=(100, "")))


@pytest.mark.parametrize(
    ("parts", "free", "needed"),
    [
        ({"upgrade": simulated(KERNEL)}, 102_400_000, 60_000_000),
        ({"upgrade": simulated(KERNEL, KERNEL.replace("30-amd64 ", "30-rt-amd64 "))}, 102_400_000, 120_000_000),
        ({"upgrade": simulated(PLAIN)}, 102_400_000, 0),
        ({"upgrade": simulated(PLAIN), "images": ""}, 102_400_000, 0),
        ({"upgrade": simulated(KERNEL), "images": ""}, 102_400_000, None),
        ({"upgrade": simulated(KERNEL), "images": "9 /boot/config-6.1.0-28-amd64\n"}, 102_400_000, None),
    ],
)
def test_room_in_boot(parts: dict[str, str], free: int, needed: int | None) -> None:
    seen = facts(apt(**({"disk": BOOT, "images": IMAGES} | parts)))
    assert (seen["boot_free_bytes"], seen.get("boot_needed_bytes")) == (free, needed)


def test_a_boot_folder_in_the_root_file_system_has_no_room_of_its_own() -> None:
    one = only(PROBE, apt(upgrade=simulated(KERNEL), images=IMAGES))
    assert one.not_offered == {"boot_free_bytes", "boot_needed_bytes"}


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        (
            {"upgrade": (100, "Reading...\nE: Unmet dependencies. Try\nE: more\n")},
            "the update: Unmet dependencies. Try",
        ),
        ({"upgrade": (127, "sh: 1: apt-get: not found\n")}, "apt-get: not found"),
        ({"lists": (1, "")}, "never fetched"),
        ({"simulated": (100, "E: Unable to locate package x\n")}, "Unable to locate package x"),
    ],
)
def test_what_apt_refuses_is_not_measured(parts: dict[str, Any], why: str) -> None:
    reading = PROBE.read(apt(**parts), {"update": "list"})
    assert isinstance(reading, NotMeasured)
    assert why in reading.why


@pytest.mark.parametrize(
    "text", ["Inst nothing\n" + simulated(), simulated("Remv\t\n", "Remv \n"), "Reading package lists...\n", ""]
)
def test_half_a_simulation_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableAnswer):
        PROBE.read(apt(upgrade=text), {})
    with pytest.raises(UnreadableAnswer):
        PROBE.read(apt(simulated=text), {"update": "list"})


def test_an_answer_without_its_end_is_unreadable() -> None:
    whole = apt().stdout
    with pytest.raises(UnreadableAnswer):
        PROBE.read(Answer(whole[: whole.index(b"=end")]), {})


# --- dnf --------------------------------------------------------------------------------------------------------------

RULE = "=" * 80 + "\n"
HEAD = "Dependencies resolved.\n" + RULE + " Package      Architecture   Version     Repository    Size\n" + RULE
TAIL = f"\nTransaction Summary\n{RULE}Upgrade  2 Packages\n\n"
DNF4 = (
    HEAD
    + """\
Installing:
 kernel-core                     x86_64  5.14.0-503.el9   baseos       18 M
 new-name                        noarch  1.0-1.el9        appstream   5.5 k
     replacing  old-name.noarch 1.0-1.el9
Upgrading:
 a-name-that-is-so-long-that-the-table-wraps-after-it-whatever-one-does
                                 x86_64  2:2.0-1.el9      appstream   1.2 M
 bash                            x86_64  5.1.8-9.el9      baseos      1.7 M
 glibc                           i686    2.34-125.el9     baseos      2.0 M
Installing dependencies:
 dep                             noarch  1.0-1.el9        appstream   5.4 k
Removing:
 kernel-core                     x86_64  5.14.0-362.el9   @baseos      61 M
Skipping packages with broken dependencies:
 broken                          noarch  2.0-1.el9        appstream   5.4 k
"""
    + TAIL
    + "Total download size: 1.5 M\nInstalled size: 9 M\nOperation aborted.\n"
)
DNF5 = """\
Updating and loading repositories:
Repositories loaded.
Package          Arch   Version        Repository      Size
Upgrading:
 bash            x86_64 0:5.2.26-3.fc40 updates    8.1 MiB
   replacing bash x86_64 0:5.2.26-1.fc40 anaconda   8.1 MiB
Installing:
 new-name        noarch 0:1.0-1.fc40   updates    5.4 KiB
   replacing old-name noarch 0:1.0-1.fc40 fedora   5.4 KiB

Transaction Summary:
 Upgrading:         1 package
 Replacing:         2 packages

Total size of inbound packages is 3 MiB. Need to download 2 MiB.
After this operation, 1 KiB extra will be used (install 8 MiB, remove 8 MiB).
Operation aborted by the user.
"""
RPMS = (
    "bash\tx86_64\t0:5.1.8-6.el9\nglibc\tx86_64\t0:2.34-100.el9\nglibc\ti686\t0:2.34-100.el9\n"
    "kernel-core\tx86_64\t0:5.14.0-362.el9\n"
)


def dnf(text: str = DNF4, status: int = 1, **parts: str | tuple[int, str]) -> Answer:
    whole: dict[str, str | tuple[int, str]] = {
        "now": "1772323200\n",
        "refreshed": "1772316000\n",
        "versionlock": "nginx-1:1.20-1.el9.*\n",
        "transaction": (status, text),
        "architecture": "x86_64\n",
        "rpm": RPMS,
        "disk": ROOT,
        "end": "",
    }
    return answer_of(**(whole | parts))


def test_everything_that_dnf_would_do() -> None:
    answer = dnf(
        advisories="RHSA-2026:1 Important/Sec. bash-5.1.8-9.el9.x86_64\nRHBA-2026:2 bugfix dep-1.0-1.el9.noarch\n",
        offered="bash 0:5.1.8-6.el9.x86_64\n\nbash 0:5.1.8-9.el9.x86_64\nglibc 0:2.34-100.el9.x86_64\n"
        "bash 0:5.1.8-6.el9.i686\n",
    )
    seen = facts(answer)
    assert only(PROBE, answer).not_offered == {"phased", "boot_free_bytes", "boot_needed_bytes"}
    assert [(one["name"], one["from"], one["to"], one["security"]) for one in seen.pop("packages")] == [
        (
            "a-name-that-is-so-long-that-the-table-wraps-after-it-whatever-one-does",
            "unknown",
            "2:2.0-1.el9.x86_64",
            False,
        ),
        ("bash", "0:5.1.8-6.el9.x86_64", "0:5.1.8-9.el9.x86_64", True),
        ("dep", None, "0:1.0-1.el9.noarch", False),
        ("glibc.i686", "0:2.34-100.el9.i686", "0:2.34-125.el9.i686", False),
        ("kernel-core", None, "0:5.14.0-503.el9.x86_64", False),
        ("new-name", None, "0:1.0-1.el9.noarch", False),
    ]
    assert seen == {
        "manager": "dnf",
        "removals": ["old-name", "kernel-core-5.14.0-362.el9"],
        "kept_back": ["broken"],
        "bytes": 1_572_864,
        "reinstallable": ["bash"],  # glibc of another architecture is not the one
        "held": ["nginx-1:1.20-1.el9.*"],
        "lists_age_hours": 2.0,
    }


def test_an_rpm_of_another_architecture_is_found_by_its_own() -> None:
    offered = "glibc 0:2.34-100.el9.i686\nbash 0:5.1.8-6.el9.i686\n"
    assert facts(dnf(offered=offered))["reinstallable"] == ["glibc.i686"]


@pytest.mark.parametrize("advisories", ["", (1, ""), "x" * 5000])
def test_repositories_without_advisories_do_not_tell_what_is_for_security(advisories: Any) -> None:
    assert all("security" not in one for one in facts(dnf(advisories=advisories))["packages"])


@pytest.mark.parametrize(
    ("names", "count"),
    [
        (["kernel", "kernel-core", "kernel-modules", "kernel-tools"], 1),
        (["kernel-core", "kernel-rt-core", "bash-core"], 2),
        (["kernel"], 1),
        (["kernel-tools", "kernel-headers", "kernelshark"], 0),
        (["kernel-default"], 1),
    ],
)
def test_kernels_of_rpm_have_one_image_each(names: list[str], count: int) -> None:
    assert kernels(names) == count


def test_dnf_5_says_the_same_in_other_words() -> None:
    seen = facts(dnf(DNF5, rpm="bash\tx86_64\t0:5.2.26-1.fc40\n"))
    assert seen["packages"] == [
        {
            "name": "bash",
            "from": "0:5.2.26-1.fc40.x86_64",
            "to": "0:5.2.26-3.fc40.x86_64",
            "arch": "x86_64",
            "source": "updates",
        },
        {"name": "new-name", "from": None, "to": "0:1.0-1.fc40.noarch", "arch": "noarch", "source": "updates"},
    ]
    assert (seen["removals"], seen["bytes"]) == (["old-name"], 2 * 1024**2)


def test_room_in_boot_for_a_kernel_of_rpm() -> None:
    images = "10000000 /boot/vmlinuz-5.14.0-427.el9.x86_64\n40000000 /boot/initramfs-5.14.0-427.el9.x86_64.img\n"
    assert facts(dnf(disk=BOOT, images=images))["boot_needed_bytes"] == 60_000_000


def test_nothing_waits() -> None:
    seen = facts(dnf("Dependencies resolved.\nNothing to do.\nComplete!\n", 0))
    assert [seen[name] for name in ("packages", "removals", "kept_back", "bytes")] == [[], [], [], 0]


def test_what_lies_on_the_server_already_is_not_downloaded() -> None:
    here = DNF4.replace("Total download size: 1.5 M", "Total size: 1.5 M")
    assert facts(dnf(here))["bytes"] == 0
    assert "bytes" not in facts(dnf(DNF4.replace("Total download size", "Size")))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x\nError: Cache-only enabled but no cache for 'lab'\n", "no cache for 'lab'"),
        (
            "No match for argument: nonsense\nError: No packages marked for upgrade.\n",
            "does not know the package nonsense",
        ),
        ("No match for argument: nonsense\nNothing to do.\n", "does not know the package nonsense"),
        ("", "says nothing"),
    ],
)
def test_what_dnf_refuses_is_not_measured(text: str, why: str) -> None:
    reading = PROBE.read(dnf(text), {})
    assert isinstance(reading, NotMeasured)
    assert why in reading.why


def test_without_rpm_the_versions_of_before_are_not_known() -> None:
    assert isinstance(PROBE.read(dnf(rpm=(1, "")), {}), NotMeasured)


@pytest.mark.parametrize(
    "rows",
    [
        "Upgrading:\n bash x86_64\n",
        "Upgrading:\n bash x86_64 5.1 baseos 1.7 M\n glibc x86_64\n",
        "Upgrading:\n " + "1" * 100_000,
        "",
    ],
)
def test_half_a_table_is_unreadable(rows: str) -> None:
    with pytest.raises(UnreadableAnswer):
        PROBE.read(dnf(HEAD + rows + TAIL), {})


# --- others, parameters, hostile answers ------------------------------------------------------------------------------


def test_other_managers_are_not_simulated() -> None:
    zypper = PROBE.read(answer_of(now="1\n", zypper="", end=""), {})
    nobody = PROBE.read(answer_of(now="1\n", end=""), {})
    assert isinstance(zypper, NotMeasured)
    assert isinstance(nobody, NotMeasured)
    assert "zypper" in zypper.why
    assert "apt or dnf" in nobody.why
    assert_bad_answers_are_no_facts(PROBE)


@pytest.mark.parametrize(
    "parameters",
    [
        {"update": "some"},
        {"update": "$(touch x)"},
        {"packages": ["; touch x"]},
        {"packages": ["-o=Dpkg::Pre-Invoke::=x"]},
        {"packages": "a b"},
    ],
)
def test_parameters_that_are_no_names_are_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        PROBE.question(parameters)


def test_a_list_of_nothing_is_skipped() -> None:
    assert isinstance(PROBE.question({"update": "list"}), Skipped)


_lines = st.lists(
    st.one_of(
        st.sampled_from([*DNF4.split("\n"), *DNF5.split("\n"), SAFE.strip(), KERNEL.strip(), "Remv a", MADISON]),
        st.text(st.characters(codec="utf-8"), max_size=30),
    ),
    max_size=12,
).map("\n".join)


@given(st.sampled_from(["upgrade", "transaction", "simulated", "madison", "rpm", "advisories", "offered"]), _lines)
def test_whatever_a_server_says_is_read_or_refused(name: str, text: str) -> None:
    part: dict[str, Any] = {name: (1, text) if name == "transaction" else text}
    answer = dnf(**part) if name in ("transaction", "rpm", "advisories", "offered") else apt(**part)
    assert reading_complaints(PROBE, answer, {}) == []


# --- asked for real, of tools of the test's own -----------------------------------------------------------------------

# busybox has a dpkg and an rpm of its own, which its shell calls whatever is in the PATH
OTHER_SHELLS = [shell for shell in SHELLS if shell.id != "busybox"]

APT = """\
echo "$*" >>'{calls}'
case "$*" in
  *--print-uris*dist-upgrade|*--print-uris*--only-upgrade*)
    printf "'http://user:secret@packages.example/plain.deb' plain_2.0_all.deb 642 SHA256:ab\\n" ;;
  *only-upgrade*) cat '{folder}/part' ;;
  *) cat '{folder}/whole' ;;
esac
"""


def apt_tools(folder: Path) -> Path:
    (folder / "whole").write_text(simulated(PLAIN, SAFE, NAMESAKE, KERNEL))
    (folder / "part").write_text(simulated(SAFE))
    tool(folder, "apt-get", APT.format(calls=folder / "calls", folder=folder))
    tool(folder, "apt-cache", f"echo \"cache $*\" >>'{folder}/calls'\ncat <<'END'\n{MADISON}END")
    tool(folder, "dpkg", "printf 'held\\t\\thold\\nother\\t\\tinstall\\n'")
    (folder / "status").write_text("x")
    (folder / "lists").mkdir()
    (folder / "lists" / "x_Release").touch()
    return folder


@pytest.mark.parametrize("shell", OTHER_SHELLS)
@pytest.mark.parametrize(
    ("parameters", "names", "called"),
    [
        ({}, ["libspring-security-core", "linux-image-6.1.0-30-amd64", "plain", "safe"], "dist-upgrade"),
        ({"update": "security"}, ["safe"], "install --only-upgrade safe linux-image-6.1.0-30-amd64"),
        ({"update": "list", "packages": ["safe=1:2.0"]}, ["safe"], "install --only-upgrade safe=1:2.0"),
    ],
)
def test_apt_is_asked_for_what_is_wanted(
    shell: list[str], parameters: dict[str, Any], names: list[str], called: str, tmp_path: Path
) -> None:
    folder = apt_tools(tmp_path)
    change = (("/var/lib/dpkg/status", str(folder / "status")), ("/var/lib/apt/lists", str(folder / "lists")))
    answer = ask(PROBE, shell, parameters, tools=folder, change=change)
    seen = facts(answer, **parameters)
    assert [one["name"] for one in seen["packages"]] == names
    assert (seen["bytes"], seen["held"]) == (642, ["held"])
    assert b"secret" not in answer.stdout + answer.stderr
    calls = (folder / "calls").read_text().split("\n")
    assert [line for line in calls if line.endswith(called)]
    assert all("NoLocking=true" in line and "pkgcache= " in line for line in calls if line)
    (offered,) = [line for line in calls if "madison" in line]
    assert set(offered.split(" madison ")[1].split()) == set(names) - {"linux-image-6.1.0-30-amd64"}


@pytest.mark.parametrize("shell", OTHER_SHELLS)
@pytest.mark.parametrize(
    ("parameters", "called"),
    [
        ({}, "-C --assumeno upgrade"),
        ({"packages": ["x"]}, "-C --assumeno upgrade"),  # named, and not asked for
        ({"update": "security"}, "-C --assumeno upgrade --security"),
        ({"update": "list", "packages": ["bash=0:5.1-1", "x"]}, "-C --assumeno upgrade bash-0:5.1-1 x"),
    ],
)
def test_dnf_is_asked_for_what_is_wanted(
    shell: list[str], parameters: dict[str, Any], called: str, tmp_path: Path
) -> None:
    (tmp_path / "table").write_text(DNF4)
    tool(
        tmp_path,
        "dnf",
        f"echo \"$*\" >>'{tmp_path}/calls'\ncase \"$*\" in *assumeno*) cat '{tmp_path}/table'; exit 1 ;;"
        " *repoquery*bash*) echo 'bash 0:5.1.8-6.el9.x86_64' ;; esac",
    )
    (tmp_path / "rpms").write_text(RPMS)
    tool(tmp_path, "rpm", f"cat '{tmp_path}/rpms'")
    tool(tmp_path, "uname", "echo x86_64")
    answer = ask(PROBE, shell, parameters, tools=tmp_path, change=(("/var/lib/dpkg/status", "/nowhere"),))
    seen = facts(answer, **parameters)
    assert (len(seen["packages"]), seen["reinstallable"]) == (6, ["bash"])
    assert called in (tmp_path / "calls").read_text().split("\n")
