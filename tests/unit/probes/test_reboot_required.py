from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import Answer, Measured, NotMeasured, UnreadableAnswer
from maintops.probes.reboot_required import PROBE
from tests.unit.probes.asking import SHELLS, answer_of, ask, only, recording, tool
from tests.unit.probes.recorded import OFTEN, all_of, assert_no_news, assert_reads, facts_of, read_recording, spoiled

NO = (1, "")
NO_TOOL = (127, "")


def answer(**parts: str | tuple[int, str]) -> Answer:
    whole: dict[str, str | tuple[int, str]] = {
        "kernel": "6.1.0-13-amd64\n",
        "container": "none\n",
        "flag": NO,
        "packages": NO,
        "images": "",
        "modules": "",
        "hint": NO_TOOL,
        "zypper": NO_TOOL,
        "needrestart": NO_TOOL,
        "end": "",
    }
    return answer_of(**(whole | parts))


def test_the_flag_of_debian_and_who_raised_it() -> None:
    facts = only(PROBE, answer(debian="", flag="", packages="libc6\ndbus\nlibc6\n")).facts
    assert facts == {"required": True, "reasons": ["libc6", "dbus"], "running_kernel": "6.1.0-13-amd64"}


def test_a_flag_without_names_is_a_reason_too() -> None:
    assert only(PROBE, answer(flag="")).facts["reasons"] == ["the distribution asks for it"]


def test_no_flag_says_something_on_debian_alone() -> None:
    assert only(PROBE, answer(debian="")).facts["required"] is False
    assert isinstance(PROBE.read(answer(), {}), NotMeasured)


def test_a_newer_kernel_waits() -> None:
    images = "6.1.0-9-amd64\n6.1.0-13-amd64\n6.1.0-15-amd64\n"
    facts = only(PROBE, answer(debian="", images=images)).facts
    assert facts == {
        "required": True,
        "reasons": ["kernel 6.1.0-15-amd64"],
        "running_kernel": "6.1.0-13-amd64",
        "newest_kernel": "6.1.0-15-amd64",
    }


@pytest.mark.parametrize(
    ("running", "installed", "newest"),
    [
        ("6.1.0-13-amd64", "6.1.0-13-amd64\n6.1.0-9-amd64\n", "6.1.0-13-amd64"),
        ("6.1.0-13-amd64", "6.1.0-15-cloud-amd64\n", None),
        (
            "5.14.0-427.13.1.el9_4.x86_64",
            "0-rescue-0123456789abcdef\n5.14.0-427.13.1.el9_4.x86_64\n5.14.0-70.el9.x86_64\n",
            "5.14.0-427.13.1.el9_4.x86_64",
        ),
        ("5.14.0-427.el9.x86_64", "5.15.0-200.131.27.el9uek.x86_64\n", None),
        ("6.4.0-150600.23-default", "6.4.0-150600.23-default\n6.4.0-150600.9-default\n", "6.4.0-150600.23-default"),
        ("6.9.0-7-generic", "6.9.0-7-generic\nlts\n", "6.9.0-7-generic"),
    ],
)
def test_kernels_of_the_same_kind_are_compared(running: str, installed: str, newest: str | None) -> None:
    subject = only(PROBE, answer(debian="", kernel=running, images=installed))
    assert subject.facts["required"] is False
    assert subject.facts.get("newest_kernel") == newest
    assert ("newest_kernel" in subject.not_offered) is (newest is None)


def test_folders_of_modules_count_where_images_have_no_version() -> None:
    facts = only(PROBE, answer(kernel="6.6.30-0-lts", images="lts\n", modules="6.6.30-0-lts\n6.6.31-0-lts\n")).facts
    assert facts["reasons"] == ["kernel 6.6.31-0-lts"]
    left_over = only(PROBE, answer(images="6.1.0-13-amd64\n", modules="6.1.0-99-amd64\n")).facts
    assert left_over["required"] is False


def test_a_container_has_no_kernel() -> None:
    subject = only(PROBE, answer(debian="", container="podman\n", images="6.1.0-99-amd64\n"))
    assert subject.facts == {"required": False, "reasons": []}
    assert subject.not_offered == {"running_kernel", "newest_kernel"}


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        (
            "Core libraries have been updated since boot-up:\n  * glibc\n  * systemd\n\nReboot is required to.\n",
            ["glibc", "systemd"],
        ),
        (
            "Core libraries or services have been updated:\n  kernel -> 3.10.0-1\n\nReboot is required to ensure\n",
            ["kernel -> 3.10.0-1"],
        ),
        ("Reboot is required.\n", ["updated core libraries or services"]),
        ("No core libraries or services have been updated.\nReboot is probably not necessary.\n", []),
        ("No core libraries or services have been updated since boot-up.\nReboot should not be necessary.\n", []),
    ],
)
def test_the_hint_of_the_rhel_family(text: str, reasons: list[str]) -> None:
    facts = only(PROBE, answer(hint=(1 if reasons else 0, text))).facts
    assert (facts["required"], facts["reasons"]) == (bool(reasons), reasons)


def test_a_plug_in_that_is_missing_is_no_hint() -> None:
    text = "No such command: needs-restarting. Please use /usr/bin/dnf --help\n"
    assert isinstance(PROBE.read(answer(hint=(1, text)), {}), NotMeasured)


@pytest.mark.parametrize(("status", "required"), [(102, True), (0, False)])
def test_zypper(status: int, required: bool) -> None:
    assert only(PROBE, answer(zypper=(status, ""))).facts["required"] is required


@pytest.mark.parametrize(("state", "reasons"), [(1, []), (2, ["kernel 6.1.0-15"]), (3, ["kernel 6.1.0-15"])])
def test_needrestart(state: int, reasons: list[str]) -> None:
    text = f"NEEDRESTART-VER: 3.6\nNEEDRESTART-KEXP: 6.1.0-15\nNEEDRESTART-KSTA: {state}\n"
    assert only(PROBE, answer(needrestart=text)).facts["reasons"] == reasons


def test_needrestart_that_does_not_know_the_kernel_says_nothing() -> None:
    assert isinstance(PROBE.read(answer(needrestart="NEEDRESTART-KSTA: 0\n"), {}), NotMeasured)


def test_one_sign_for_it_outweighs_all_against_it() -> None:
    facts = only(PROBE, answer(debian="", images="6.1.0-13-amd64\n", needrestart="NEEDRESTART-KSTA: 3\n")).facts
    assert (facts["required"], facts["reasons"]) == (True, ["a newer kernel"])


DELETED = """\
7f2c1a000000-7f2c1a355000 r-xp 00026000 fd:00 131 /usr/lib/x86_64-linux-gnu/libcrypto.so.3 (deleted)
7f2c1b000000-7f2c1b155000 r-xp 00026000 fd:00 132                        /usr/lib/x86_64-linux-gnu/libc.so.6 (deleted)
7f2c1b200000-7f2c1b255000 r-xp 00026000 fd:00 132                        /usr/lib/x86_64-linux-gnu/libc.so.6 (deleted)
"""


def test_libraries_that_process_1_runs_still_are_a_reason_though_no_flag_is_raised() -> None:
    facts = only(PROBE, answer(debian="", images="6.1.0-13-amd64\n", init=DELETED)).facts
    assert facts["required"] is True
    assert facts["reasons"] == ["process 1 runs what was replaced: libc.so.6, libcrypto.so.3"]


def test_a_process_1_that_runs_what_is_installed_needs_no_reboot() -> None:
    assert only(PROBE, answer(init=(1, ""))).facts == {
        "required": False,
        "reasons": [],
        "running_kernel": "6.1.0-13-amd64",
    }


def test_a_process_1_that_may_not_be_seen_says_nothing() -> None:
    assert isinstance(PROBE.read(answer(init=(2, "")), {}), NotMeasured)
    assert only(PROBE, answer(debian="", init=(2, ""))).facts["required"] is False


def test_what_process_1_runs_is_told_in_short() -> None:
    lines = "".join(f"1-2 r-xp 0 fd:00 1 /usr/lib/{'x' * 200}{number}.so (deleted)\n" for number in range(9))
    (reason,) = only(PROBE, answer(init=lines + "1-2 r-xp 0 fd:00 1 /usr/lib/a.so (deleted)\nx\n")).facts["reasons"]
    assert reason == f"process 1 runs what was replaced: a.so, {'x' * 80}"


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("maps", "required"),
    [
        (DELETED, True),
        (DELETED.replace(" (deleted)", ""), False),
        (DELETED.replace("/usr/lib", "/tmp"), False),
        ("", None),
        (None, None),
    ],
)
def test_the_question_looks_at_what_process_1_runs(
    shell: list[str], maps: str | None, required: bool | None, tmp_path: Path
) -> None:
    if maps is not None:
        (tmp_path / "maps").write_text(maps)
    change = (
        ("/proc/1/maps", str(tmp_path / "maps")),
        ("/boot/", f"{tmp_path}/"),
        ("/lib/modules", str(tmp_path)),
        ("[ -s /var/lib/dpkg/status ]", "false"),
        ("flag() {", "flag() { return 1;"),
        ("hint() {", "hint() { return 127;"),
        ("zypper needs-rebooting", "false"),
        ("needrestart -b -k", "false"),
    )
    reading = PROBE.read(ask(PROBE, shell, change=change), {})
    assert (reading.subjects[0].facts["required"] if isinstance(reading, Measured) else None) is required


@pytest.mark.parametrize(
    "broken",
    [
        Answer(b""),
        answer_of(kernel="6.1.0", flag=NO),
        answer(kernel="garbage of a kernel"),
        Answer(answer().stdout, truncated=True),
        Answer(answer().stdout[:-4]),
    ],
)
def test_half_an_answer_is_refused(broken: Answer) -> None:
    with pytest.raises(UnreadableAnswer):
        PROBE.read(broken, {})


@given(st.lists(st.tuples(*[st.integers(0, 300)] * 4), min_size=2, max_size=6, unique=True))
def test_the_newest_kernel_is_the_one_with_the_highest_numbers(versions: list[tuple[int, ...]]) -> None:
    def text(version: tuple[int, ...]) -> str:
        return "{}.{}.{}-{}-amd64".format(*version)

    running, newest = text(versions[0]), text(max(versions))
    facts = only(PROBE, answer(kernel=running, images="\n".join(map(text, versions)))).facts
    assert facts["newest_kernel"] == newest
    assert facts["required"] is (running != newest)


@pytest.mark.parametrize(
    ("name", "part", "required"),
    [
        ("debian-clean-needrestart", "needrestart", False),
        ("debian-kernel-pending-needrestart", "needrestart", True),
        ("rhel-clean-reboothint", "hint", False),
        ("rhel-reboot-required-reboothint", "hint", True),
        ("rhel-services-reboothint", "hint", False),
    ],
)
def test_recorded_signs(name: str, part: str, required: bool) -> None:
    text = recording("needs-restarting", name)
    facts = only(PROBE, answer(**{part: (int(required and part == "hint"), text)})).facts
    assert facts["required"] is required
    assert facts["reasons"] == {"needrestart": ["kernel 6.1.0-15-amd64"], "hint": ["kernel", "glibc"]}[part] * required


@pytest.mark.parametrize("shell", SHELLS)
def test_the_question_finds_flags_kernels_and_tools(shell: list[str], tmp_path: Path) -> None:
    boot, modules, run = tmp_path / "boot", tmp_path / "modules", tmp_path / "run"
    for folder in (boot, modules / "6.1.0-20-amd64", run):
        folder.mkdir(parents=True)
    (boot / "vmlinuz-6.1.0-13-amd64").touch()
    (boot / "initrd.img-6.1.0-99-amd64").touch()
    (modules / "6.1.0-20-amd64" / "vmlinuz").touch()
    (run / "reboot-required").touch()
    (run / "reboot-required.pkgs").write_text("linux-image\n")
    tool(tmp_path, "systemd-detect-virt", "echo none; exit 1")
    tool(tmp_path, "needs-restarting", 'echo "  * dbus"; echo "Reboot is required"; exit 1')
    tool(tmp_path, "zypper", 'echo "$*"; exit 102')
    tool(tmp_path, "needrestart", 'echo "NEEDRESTART-KSTA: 1"')
    change = (
        ("uname -r", "echo 6.1.0-13-amd64"),
        ("/boot/", f"{boot}/"),
        ("/lib/modules", str(modules)),
        ("/run/reboot", f"{run}/reboot"),
        ("/.dockerenv /run/.containerenv /run/systemd/container", "/no"),
    )
    facts = only(PROBE, ask(PROBE, shell, tools=tmp_path, change=change)).facts
    assert facts["newest_kernel"] == "6.1.0-20-amd64"
    expected = ["linux-image", "dbus", "updated core libraries or services", "kernel 6.1.0-20-amd64"]
    assert facts["reasons"] == expected


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("says", "mark", "container"),
    [("echo lxc", False, True), ("echo none; exit 1", True, True), ("echo none; exit 1", False, False)],
)
def test_a_container_is_told_apart(shell: list[str], says: str, mark: bool, container: bool, tmp_path: Path) -> None:
    tool(tmp_path, "systemd-detect-virt", says)
    marks = str(tmp_path / "systemd-detect-virt") if mark else "/no"
    change = (("/.dockerenv /run/.containerenv /run/systemd/container", marks), ("flag() {", "flag() { return 0;"))
    subject = only(PROBE, ask(PROBE, shell, tools=tmp_path, change=change))
    assert ("running_kernel" in subject.not_offered) is container


@pytest.mark.parametrize("shell", SHELLS)
def test_it_can_be_asked_here(shell: list[str]) -> None:
    assert isinstance(PROBE.read(ask(PROBE, shell), {}), Measured | NotMeasured)


# --- recordings -------------------------------------------------------------------------------------------------------
BATCH = """\
NEEDRESTART-VER: 3.6
NEEDRESTART-KCUR: 6.1.0-13-amd64
NEEDRESTART-KEXP: 6.1.0-15-amd64
NEEDRESTART-KSTA: 3
NEEDRESTART-SVC: cron.service
"""
TALK = """\
Scanning processes...
Scanning linux images...

Pending kernel upgrade!

Running kernel version:
  6.1.0-13-amd64

Diagnostics:
  The currently running kernel version is not the expected kernel version 6.1.0-15-amd64.
"""
HINT = """\
Core libraries or services have been updated since boot-up:
  * kernel
  * glibc

Reboot is required to fully utilize these updates.
"""
NO_HINT = "No core libraries or services have been updated since boot-up.\nReboot should not be necessary.\n"


@pytest.mark.parametrize(
    ("text", "required", "reasons"),
    [
        (BATCH, True, ["kernel 6.1.0-15-amd64"]),
        (BATCH.replace("KSTA: 3", "KSTA: 1").replace("-15-", "-13-"), False, []),
        (TALK, True, ["kernel 6.1.0-15-amd64"]),
        ("Running kernel seems to be up-to-date.\n\nNo services need to be restarted.\n", False, []),
        ("Pending kernel upgrade!\n\nNo services need to be restarted.\n", True, ["a newer kernel"]),
        (HINT, True, ["kernel", "glibc"]),
        (NO_HINT, False, []),
        (
            "Core libraries or services have been updated.\nReboot is suggested to ensure that your system benefits.\n",
            True,
            ["updated core libraries or services"],
        ),
        ("*** System restart required ***\n", True, ["the distribution asks for it"]),
    ],
)
def test_bare_output_of_every_tool(text: str, required: bool, reasons: list[str]) -> None:
    facts = facts_of(PROBE, text)
    assert (facts["required"], facts["reasons"]) == (required, reasons)


def test_a_recording_tells_the_kernels_where_it_names_them() -> None:
    for text in (BATCH, TALK):
        facts = facts_of(PROBE, text)
        assert (facts["running_kernel"], facts["newest_kernel"]) == ("6.1.0-13-amd64", "6.1.0-15-amd64")
    (subject,) = all_of(PROBE, HINT).values()
    assert not {"running_kernel", "newest_kernel"} & (subject.facts.keys() | subject.not_offered)


def test_a_list_of_services_does_not_tell_about_a_reboot() -> None:
    for text in ("1234 : /usr/sbin/sshd -D\n", BATCH.replace("KSTA: 3", "KSTA: 0")):
        assert isinstance(read_recording(PROBE, text), NotMeasured)


@pytest.mark.parametrize(
    ("name", "required", "reasons"),
    [
        ("debian-clean-needrestart", False, []),
        ("debian-kernel-pending-needrestart", True, ["kernel 6.1.0-15-amd64"]),
        ("rhel-clean-reboothint", False, []),
        ("rhel-reboot-required-reboothint", True, ["kernel", "glibc"]),
        ("rhel-services-reboothint", False, []),
    ],
)
def test_whole_recordings(name: str, required: bool, reasons: list[str]) -> None:
    facts = facts_of(PROBE, recording("needs-restarting", name))
    assert (facts["required"], facts["reasons"]) == (required, reasons)


@pytest.mark.parametrize("name", ["rhel-clean-services", "rhel-services-services"])
def test_recordings_that_say_nothing_of_a_reboot(name: str) -> None:
    assert isinstance(read_recording(PROBE, recording("needs-restarting", name)), NotMeasured)


@OFTEN
@given(data=spoiled([BATCH, TALK, HINT, NO_HINT]))
def test_a_spoiled_recording_is_unreadable_at_worst(data: bytes) -> None:
    assert_reads(PROBE, data)


def test_a_recording_of_nothing_or_of_something_else_is_no_news() -> None:
    assert_no_news(PROBE)
