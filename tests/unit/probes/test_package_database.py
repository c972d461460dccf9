from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from maintops.domain.answers import NotMeasured, UnreadableAnswer
from maintops.probes.package_database import PROBE
from tests.unit.probes.asking import SHELLS, answer_of, ask, only, tool
from tests.unit.probes.broken_tools import HTML, assert_bad_answers_are_no_facts, recorded, recorded_facts
from tests.unit.probes.spoiling import complaints, spoiled

AUDIT = """\
The following packages are in a mess due to serious problems during
installation.  They must be reinstalled for them (and any packages
that depend on them) to function properly:
 broken-tool          does something or other

The following packages are only half configured, probably due to problems
configuring them the first time.  The configuration should be retried using
dpkg --configure <package> or the configure menu option in dselect:
 exim4-daemon-light   lightweight Exim MTA (v4) daemon
 libc6:amd64          GNU C Library: Shared libraries

The following packages are missing the md5sums control file in the
database, they need to be reinstalled:
 oldthing             An old thing
"""
UNMET = """\
Reading package lists...
Building dependency tree...
Reading state information...
You might want to run 'apt --fix-broken install' to correct these.
The following packages have unmet dependencies:
 nginx : Depends: libssl3 (>= 3.0.0) but it is not installed
 php-fpm : Depends: php8.2-fpm but it is not installable
E: Unmet dependencies. Try 'apt --fix-broken install' with no packages (or specify a solution).
"""
CHECKED = "Reading package lists...\nBuilding dependency tree...\nReading state information...\n"
VERIFIED = """\
Unsatisfied dependencies for httpd-2.4.57-5.el9.x86_64:
\tlibapr-1.so.0()(64bit) is needed by (installed) httpd-2.4.57-5.el9.x86_64
"""
DNF_CHECK = """\
bash-5.1.8-9.el9.x86_64 is a duplicate with bash-5.1.8-6.el9.x86_64
httpd-2.4.57-5.el9.x86_64 has missing requires of libapr-1.so.0()(64bit)
Error: Check discovered 2 problem(s)
"""
DNF5_CHECK = """\
httpd-2.4.62-1.fc41.x86_64:
 missing require "libapr-1.so.0()(64bit)"
bash-5.2.32-1.fc41.x86_64:
 duplicate with "bash-5.2.26-3.fc41.x86_64"
Check discovered 2 problem(s) in 2 package(s)
"""
RECORDINGS = [AUDIT, UNMET, CHECKED, VERIFIED, DNF_CHECK, DNF5_CHECK]


def test_what_dpkg_left_half_done_and_what_apt_misses() -> None:
    one = only(PROBE, answer_of(audit=(1, AUDIT), check=(100, UNMET), end=""))
    assert one.facts == {
        "manager": "dpkg",
        "half_done": ["broken-tool", "exim4-daemon-light", "libc6:amd64"],
        "damaged": ["oldthing"],
        "unmet": [
            "nginx: Depends libssl3 (>= 3.0.0) but it is not installed",
            "php-fpm: Depends php8.2-fpm but it is not installable",
        ],
    }
    assert one.not_offered == {"duplicates"}


def test_a_whole_database_has_empty_lists() -> None:
    facts = only(PROBE, answer_of(audit="", check=CHECKED, end="")).facts
    assert facts == {"manager": "dpkg", "half_done": [], "damaged": [], "unmet": []}


def test_without_apt_dependencies_are_not_measured() -> None:
    assert "unmet" not in only(PROBE, answer_of(audit="", check=(127, ""), end="")).facts
    assert "unmet" not in only(PROBE, answer_of(audit="", check=(100, "E: Could not read\n"), end="")).facts


def test_the_dpkg_of_busybox_has_no_audit() -> None:
    said = "dpkg: unrecognized option '--audit'\nBusyBox v1.35.0 multi-call binary.\n"
    assert only(PROBE, answer_of(audit=(1, said), check=CHECKED, end="")).facts == {"manager": "dpkg", "unmet": []}


def test_rpm_names_what_is_missing_and_what_is_there_twice() -> None:
    one = only(
        PROBE, answer_of(rpm="rpm-4.16.1.3-29.el9.x86_64\n", dependencies=(1, VERIFIED), twice="bash.x86_64\n", end="")
    )
    assert one.facts == {
        "manager": "rpm",
        "damaged": [],
        "unmet": ["httpd-2.4.57-5.el9.x86_64: libapr-1.so.0()(64bit)"],
        "duplicates": ["bash.x86_64"],
    }
    assert one.not_offered == {"half_done"}


def test_a_database_that_rpm_cannot_open_is_damaged() -> None:
    said = (
        "error: rpmdb: BDB0113 Thread/process 4711/140 failed: BDB1507 Thread died in Berkeley DB library\n"
        "error: cannot open Packages database in /var/lib/rpm\npackage rpm is not installed\n"
    )
    facts = only(PROBE, answer_of(rpm=(1, said), dependencies="", twice=(1, ""), end="")).facts
    assert facts["damaged"] == [line for line in said.split("\n") if line.startswith("error:")]
    assert "unmet" not in facts


def test_an_rpm_that_cannot_be_asked_is_not_measured() -> None:
    assert PROBE.read(answer_of(rpm=(139, ""), dependencies=(139, ""), twice="", end=""), {}) == NotMeasured(
        "rpm cannot be asked: exit status 139"
    )


def test_apk_says_what_it_cannot_select() -> None:
    said = "ERROR: unable to select packages:\n  so:libssl.so.3 (no such package):\n    required by: nginx-1.24\n"
    facts = only(PROBE, answer_of(apk=(1, said), end="")).facts
    assert facts["unmet"] == ["so:libssl.so.3 (no such package):", "required by: nginx-1.24"]
    assert only(PROBE, answer_of(apk="OK: 8 MiB in 15 packages\n", end="")).facts == {"manager": "apk", "unmet": []}
    assert isinstance(PROBE.read(answer_of(apk=(99, "oops\n"), end=""), {}), NotMeasured)


def test_no_package_manager_is_not_measured() -> None:
    assert PROBE.read(answer_of(end=""), {}) == NotMeasured("no package manager that maintops knows: dpkg, rpm or apk")


def test_recordings_are_known_by_their_words() -> None:
    assert recorded_facts(PROBE, AUDIT)["damaged"] == ["oldthing"]
    assert recorded_facts(PROBE, UNMET)["unmet"] != []
    assert recorded_facts(PROBE, CHECKED) == {"manager": "dpkg", "unmet": []}
    assert recorded_facts(PROBE, VERIFIED)["unmet"] == ["httpd-2.4.57-5.el9.x86_64: libapr-1.so.0()(64bit)"]
    assert recorded_facts(PROBE, DNF_CHECK) == {
        "manager": "rpm",
        "unmet": ["httpd-2.4.57-5.el9.x86_64 has missing requires of libapr-1.so.0()(64bit)"],
        "duplicates": ["bash-5.1.8-9.el9.x86_64 is a duplicate with bash-5.1.8-6.el9.x86_64"],
    }
    assert recorded_facts(PROBE, DNF5_CHECK) == {
        "manager": "rpm",
        "unmet": ['httpd-2.4.62-1.fc41.x86_64: missing require "libapr-1.so.0()(64bit)"'],
        "duplicates": ['bash-5.2.32-1.fc41.x86_64: duplicate with "bash-5.2.26-3.fc41.x86_64"'],
    }
    assert isinstance(recorded(PROBE, ""), NotMeasured)


@pytest.mark.parametrize("text", ["hello\n", HTML.decode()])
def test_other_output_is_refused(text: str) -> None:
    with pytest.raises(UnreadableAnswer, match="dpkg --audit"):
        recorded(PROBE, text)


def test_bad_answers_are_no_facts() -> None:
    assert_bad_answers_are_no_facts(PROBE)
    with pytest.raises(UnreadableAnswer, match="not what dpkg --audit prints"):
        PROBE.read(answer_of(audit=HTML.decode(), end=""), {})


@pytest.mark.parametrize("shell", SHELLS[::2])  # busybox would prefer its own rpm
def test_rpm_is_asked_where_there_is_no_dpkg(shell: list[str], tmp_path: Path) -> None:
    tool(
        tmp_path,
        "rpm",
        """case "$*" in
  '-q rpm') echo rpm-4.16.1.3-29.el9.x86_64 ;;
  -Va*--nofiles*--noscripts*) printf 'Unsatisfied dependencies for a-1-1:\\n\\tb is needed by (installed) a-1-1\\n'
    exit 1 ;;
  -qa*) printf 'bash.x86_64\\nkernel-core.x86_64\\nkernel-core.x86_64\\nbash.x86_64\\nvim.x86_64\\n' ;;
esac""",
    )
    here = ask(PROBE, shell, tools=tmp_path, change=(("/var/lib/dpkg/status", "/nowhere"),))
    assert only(PROBE, here).facts == {
        "manager": "rpm",
        "damaged": [],
        "unmet": ["a-1-1: b"],
        "duplicates": ["bash.x86_64"],
    }


@given(spoiled([text.encode() for text in RECORDINGS]))
def test_a_spoiled_recording_is_refused_at_worst(recording: bytes) -> None:
    assert complaints(PROBE, recording) == []
