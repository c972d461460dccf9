"""The playbooks that come with maintops: Ansible can read them, and their programs read what package managers print."""

from __future__ import annotations

import ast
import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

HOUSE = Path(__file__).parents[2]
PLAYBOOKS = sorted((HOUSE / "playbooks").glob("*.yml"))
FILES = HOUSE / "playbooks" / "files"


def program(manager: str) -> Any:
    """What is carried to a server of one package manager, as its one text; nothing of it runs yet."""
    text = "\n\n".join((FILES / name).read_text() for name in ("patching.py", f"{manager}.py"))
    names: dict[str, Any] = {"__name__": manager}
    exec(compile(text, manager, "exec"), names)  # noqa: S102  the very way in which the server runs it
    return SimpleNamespace(**names)


APT, DNF = program("apt"), program("dnf")


def change(name: str, old: str | None, new: str | None, arch: str = "amd64", origin: str = "") -> Any:
    return APT.Change(name, arch, old, new, origin)


# --- Ansible ----------------------------------------------------------------------------------------------------------


def test_there_are_playbooks() -> None:
    assert [file.stem for file in PLAYBOOKS] == [
        "orphans",
        "rollback_sysctl",
        "rollback_tuned",
        "rollback_update",
        "sysctl",
        "tuned",
        "update",
    ]


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda file: file.name)
def test_ansible_can_read_it(playbook: Path, tmp_path: Path) -> None:
    (tmp_path / "ansible.cfg").touch()
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "--syntax-check", "-i", "localhost,", playbook],
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "LANG": "C.UTF-8",
            "ANSIBLE_CONFIG": f"{tmp_path}/ansible.cfg",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "playbook: " in done.stdout


@pytest.mark.parametrize("file", sorted(FILES.glob("*.py")), ids=lambda file: file.name)
def test_a_server_with_an_old_python_can_read_its_program(file: Path) -> None:
    assert ast.parse(file.read_text(), feature_version=(3, 8)).body
    assert "# end\n" not in file.read_text(), "the line that ends a program on its way"


# --- what is asked ----------------------------------------------------------------------------------------------------

ASKED = {
    "verb": "update",
    "update": "all",
    "packages": [],
    "pinned": None,
    "before": None,
    "allow_removals": [],
    "conffiles": "keep",
    "lock_wait": 1,
    "boot_spare_mb": 50,
}


def test_a_request_is_read() -> None:
    pins = [{"name": "bash", "version": "5.2-1", "arch": "amd64"}, {"name": "tzdata", "version": "1:2+b1~x"}]
    told = {"pinned": pins, "before": {"libc6:i386": "2.36-9+deb12u1", "new": None}, "allow_removals": ["g++-12"]}
    read = APT.checked({**ASKED, **told})
    assert read["pinned"] == [change("bash", None, "5.2-1"), change("tzdata", None, "1:2+b1~x", "")]
    assert (read["before"], read["allow_removals"]) == (told["before"], {"g++-12"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"update": "some"},
        {"conffiles": "ask"},
        {"packages": ["-y"]},
        {"packages": ["bash-"]},
        {"packages": ["bash*"]},
        {"packages": ["bash/sid"]},
        {"packages": ["^bash"]},
        {"packages": [None]},
        {"allow_removals": ["a b"]},
        {"pinned": [{"name": "bash", "version": "5;x"}]},
        {"pinned": [{"name": "bash", "version": ""}]},
        {"before": {"bash": "-1"}},
        {"verb": "rollback"},
        {"verb": "preview-rollback"},
        {"before": {"bash\n": "1"}},
    ],
)
def test_what_a_package_manager_could_read_more_into_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(APT.Refused):
        APT.checked({**ASKED, **wrong})


@given(st.text(max_size=12))
def test_a_name_that_passes_is_one_word_of_a_package(name: str) -> None:
    try:
        APT.checked_name(name)
    except APT.Refused:
        return
    assert name.isascii()
    assert name[0].isalnum()
    assert not set(name) & set(" \t\n/*?[]^$=,;|&<>(){}'\"\\~!#%@`")
    assert not name.endswith("-")


def test_a_user_who_is_not_root_is_told_what_to_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(APT.json, "load", lambda _: ASKED)
    monkeypatch.setattr(APT.os, "geteuid", lambda: 1000)
    assert APT.answer({}) == APT.REFUSED
    said = capsys.readouterr()
    assert (said.out, said.err.startswith("refused, nothing was installed or removed: only root")) == ("", True)


def test_a_program_that_breaks_does_not_pass_for_one_that_refuses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(APT.os, "geteuid", lambda: 0)
    monkeypatch.setattr(APT.sys, "stdin", io.StringIO(json.dumps({**ASKED, "verb": "nosuch"})))
    assert (APT.answer({}), APT.BROKEN, APT.REFUSED) == (1, 1, 3)
    assert capsys.readouterr().err.startswith("the playbook's program broke (KeyError('nosuch'))")


def test_the_reason_comes_before_remarks_and_last_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def update(request: Any) -> None:
        fresh.remark("kept back: other")
        raise fresh.Failed("not set up: broken\nis in the way")

    fresh = program("apt")
    monkeypatch.setattr(fresh.os, "geteuid", lambda: 0)
    monkeypatch.setattr(fresh.sys, "stdin", io.StringIO(json.dumps(ASKED)))
    assert fresh.answer({ASKED["verb"]: update}) == fresh.FAILED
    assert capsys.readouterr().err == "not set up: broken\nkept back: other\nis in the way\n"


# --- waiting and room -------------------------------------------------------------------------------------------------


def test_a_lock_that_is_held_is_named_with_its_holder(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.touch()
    take = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.lockf(f, fcntl.LOCK_EX)"
    hold = f"{take}; print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(APT.Refused, match=rf"\(process {holder.pid}\) has held {lock} for the 0 seconds"):
            APT.wait_for([str(lock), "/nosuch"], [], 0)
        holder.communicate("\n")
    assert APT.wait_for([str(lock)], [], 0) is None


def test_a_process_that_a_file_names_is_waited_for_while_it_lives(tmp_path: Path) -> None:
    (tmp_path / "stale").write_text("999999999\n")
    (tmp_path / "empty").touch()
    assert DNF.wait_for([], [str(tmp_path / "stale"), str(tmp_path / "empty")], 0) is None
    (tmp_path / "pid").write_text("1")
    with pytest.raises(DNF.Refused, match=r"\(process 1\)"):
        DNF.wait_for([], [str(tmp_path / "pid")], 0)


def test_what_lies_on_one_file_system_adds_up(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    free = APT.shutil.disk_usage(tmp_path).free
    part = free * 2 // 3
    rooms = [APT.Room(str(tmp_path), part, "this"), APT.Room(str(tmp_path / "a"), part, "that")]
    assert APT.need_room(rooms[:1]) is None
    with pytest.raises(APT.Refused, match="this and that want"):
        APT.need_room(rooms)
    assert APT.need_room([APT.Room(str(tmp_path / "nosuch"), free * 9, "nothing")]) is None


def test_a_new_kernel_wants_what_the_largest_one_has(tmp_path: Path) -> None:
    sizes = {"vmlinuz-1": 10, "vmlinuz-2": 30, "initrd.img-1": 100, "System.map-1": 5, "other": 900}
    for name, size in sizes.items():
        (tmp_path / name).write_bytes(b"x" * size)
    boot, elsewhere = str(tmp_path), "/proc"
    (room,) = APT.kernel_room(["linux-image-2", "linux-image-3"], 1000, boot, elsewhere)
    assert (room.path, room.wanted) == (boot, 2 * (30 + 100 + 5) + 1000)
    assert APT.kernel_room([], 1000, boot, elsewhere) == []
    assert APT.kernel_room(["linux-image-2"], 1000, boot, boot) == []  # /boot is no file system of its own


# --- apt --------------------------------------------------------------------------------------------------------------

SIMULATED = """\
Reading package lists...
The following packages have been kept back:
  linux-image-amd64 samba
  samba-common
The following upgrades have been deferred due to phasing:
  ubuntu-drivers-common
The following NEW packages will be installed:
  linux-image-6.1.0-18-amd64
Remv oldlib1 [1.0-1] [bash:amd64 ]
Inst bash [5.1-6] (5.1-7 Ubuntu:22.04/jammy-updates, Ubuntu:22.04/jammy-security [amd64]) [libc6:amd64 ]
Inst libc6:i386 [2.35-0ubuntu3.1] (2.35-0ubuntu3.4 Ubuntu:22.04/jammy-updates [i386]) []
Inst tzdata [2023c] (2024a Debian:12.5/stable, Debian:12-updates/stable-updates [all])
Inst linux-image-6.1.0-18-amd64 (6.1.76-1 Debian-Security:12/stable-security [amd64])
Inst local [1] (2 local-deb [all])
Inst odd [1] (2 [amd64])
Conf bash (5.1-7 Ubuntu:22.04/jammy-security [amd64])
"""


def test_a_simulation_is_read() -> None:
    assert [tuple(one)[:4] for one in APT.read_changes(SIMULATED)] == [
        ("oldlib1", "", "1.0-1", None),
        ("bash", "amd64", "5.1-6", "5.1-7"),
        ("libc6:i386", "i386", "2.35-0ubuntu3.1", "2.35-0ubuntu3.4"),
        ("tzdata", "all", "2023c", "2024a"),
        ("linux-image-6.1.0-18-amd64", "amd64", None, "6.1.76-1"),
        ("local", "all", "1", "2"),
        ("odd", "amd64", "1", "2"),
    ]
    assert APT.kept_back(SIMULATED) == ["linux-image-amd64", "samba", "samba-common", "ubuntu-drivers-common"]


def test_an_update_is_for_security_by_its_suite() -> None:
    wanted = [one.name for one in APT.read_changes(SIMULATED) if APT._is_wanted(one, {"update": "security"})]
    assert wanted == ["bash", "linux-image-6.1.0-18-amd64"]


def test_versions_that_are_gone_are_named() -> None:
    said = (
        "E: Version '9.0' for 'plain' was not found\nE: Unable to locate package foo\n"
        "E: Package 'bar' has no installation candidate\n"
    )
    assert APT._unavailable(said) == {"plain", "foo", "bar"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Err:1 http://x y\n  404\nE: Failed to fetch http://x\nE: Some\n", "Failed to fetch http://x; Some"),
        ("W: The repository is odd\n", "W: The repository is odd"),
        ("nothing\n", "it gives no reason"),
    ],
)
def test_apt_s_complaint_is_one_line(text: str, why: str) -> None:
    assert APT.complaints(text) == why


def test_what_is_fetched_is_counted_and_what_is_here_already_is_not() -> None:
    told = (
        "'http://x/a_1.deb' a_1.deb 1000 SHA256:0\n'file:/srv/b.deb' b.deb 500 SHA256:0\n"
        "'https://x/c.deb' c.deb 24 MD5Sum:0\n"
    )
    assert APT.download(told) == 1024


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("ii ", (True, False, False)),
        ("hi ", (True, False, True)),
        ("iF ", (True, True, False)),
        ("iHR", (True, True, False)),
        ("it ", (True, True, False)),
        ("iiR", (True, True, False)),
        ("rc ", (False, False, False)),
        ("un ", (False, False, False)),
    ],
)
def test_a_state_of_dpkg_is_understood(state: str, told: tuple[bool, bool, bool]) -> None:
    one = APT.Installed("bash", "amd64", "1", state, 0)
    assert (one.is_there, one.is_half_done, one.is_held) == told


def test_only_what_is_named_may_go() -> None:
    plan = APT.Plan((), (change("a", "1", None), change("b:i386", "1", None), change("c", "1", "2")))
    with pytest.raises(APT.Refused, match=r"would remove b:i386;"):
        APT.refuse_removals(plan, {"a"})
    assert APT.refuse_removals(plan, {"a", "b"}) is None


def test_many_names_are_cut() -> None:
    assert APT.some(range(10)) == "0, 1, 2, 3, 4, 5, 6, 7 and 2 more"


# --- dnf --------------------------------------------------------------------------------------------------------------

TABLE = """\
Last metadata expiration check: 0:00:10 ago on Mon 23 Nov 2026.
Dependencies resolved.
================================================================================
 Package             Architecture   Version                Repository      Size
================================================================================
Installing:
 kernel-core         x86_64         5.14.0-427.el9         baseos          19 M
 newname             noarch         2.0-1.el9              appstream      1.2 M
     replacing  oldname.noarch 1.0-3.el9
Upgrading:
 bash                x86_64         0:5.1.8-9.el9          baseos         1.7 M
 java-11-openjdk-headless-with-a-name
                     x86_64         1:11.0.22.0.7-2.el9    appstream       40 M
Installing dependencies:
 libnew              x86_64         3-1.el9                appstream       17 k
Downgrading:
 zlib                x86_64         1.2.11-39.el9          baseos          91 k
Removing:
 kernel-core         x86_64         5.14.0-284.el9         @baseos         65 M
Removing dependent packages:
 gone                x86_64         1-1.el9                @appstream       0
Skipping packages with broken dependencies:
 skipped             x86_64         4-1.el9                epel            10 k

Transaction Summary
================================================================================
Install  3 Packages
Upgrade  2 Packages

Total download size: 80 M
Operation aborted.
"""


def test_the_table_of_dnf_is_read() -> None:
    changes, older = DNF.read_changes(TABLE)
    assert [(one.name, one.arch, one.old, one.new) for one in changes] == [
        ("kernel-core", "x86_64", None, "5.14.0-427.el9"),
        ("newname", "noarch", None, "2.0-1.el9"),
        ("oldname", "noarch", "1.0-3.el9", None),
        ("bash", "x86_64", None, "5.1.8-9.el9"),
        ("java-11-openjdk-headless-with-a-name", "x86_64", None, "1:11.0.22.0.7-2.el9"),
        ("libnew", "x86_64", None, "3-1.el9"),
        ("zlib", "x86_64", None, "1.2.11-39.el9"),
        ("kernel-core", "x86_64", "5.14.0-284.el9", None),
        ("gone", "x86_64", "1-1.el9", None),
    ]
    assert [one.name for one in older] == ["zlib"]


def test_dnf_may_remove_a_kernel_for_a_newer_one_and_nothing_else() -> None:
    changes, _ = DNF.read_changes(TABLE)
    plan = DNF.Plan(("upgrade",), tuple(changes))
    request = {**ASKED, "allow_removals": {"oldname"}}
    with pytest.raises(DNF.Refused, match=r"would remove gone;"):
        DNF._judge(plan, request)
    assert DNF._judge(plan, {**request, "allow_removals": {"oldname", "gone"}}) is None


@pytest.mark.parametrize(("version", "read"), [("0:1-2", "1-2"), ("(none):1-2", "1-2"), ("1:1-2", "1:1-2")])
def test_an_epoch_of_nothing_is_left_out(version: str, read: str) -> None:
    assert DNF.plain(version) == read


FAILING = """\
Error in POSTIN scriptlet in rpm package broken
  Upgrading        : broken-2.0-1.noarch                                    1/2
it cannot be set up
warning: %post(broken-2.0-1.noarch) scriptlet failed, exit status 7

Complete!
"""
UNSOLVED = """\
(try to add '--skip-broken' to skip uninstallable packages or '--nobest' to use not only best candidate packages)
Error:
 Problem: cannot install the best update candidate for package meta-2.0-1.noarch
  - nothing provides nosuchthing needed by meta-3.0-1.noarch
"""
HIDDEN = """\
All matches were filtered out by exclude filtering for argument: locked-2.0-1.noarch
No match for argument: gone-2.0-1.noarch
Error: Unable to find a match: locked-2.0-1.noarch gone-2.0-1.noarch
"""


def answering(monkeypatch: pytest.MonkeyPatch, *answers: tuple[int, str]) -> None:
    """dnf and rpm answer so, one after the other."""
    left = [DNF.Said(*one) for one in answers]
    for function in (DNF._run, DNF.carry_out):
        monkeypatch.setitem(function.__globals__, "_run", lambda *words: left.pop(0))


def test_a_script_of_a_package_that_fails_is_a_failure_though_dnf_ends_well(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = DNF.Plan(("upgrade",), (DNF.Change("broken", "noarch", "1.0-1", "2.0-1"),))
    installed = "broken\tnoarch\t0:2.0-1\n"
    answering(monkeypatch, (0, FAILING), (0, installed))
    with pytest.raises(DNF.Failed) as failed:
        DNF.carry_out(plan, {"lock_wait": 0})
    assert str(failed.value).splitlines()[0] == (
        "not set up, a script failed: broken (dnf ended with status 0): "
        "warning: %post(broken-2.0-1.noarch) scriptlet failed, exit status 7"
    )
    answering(monkeypatch, (0, "Complete!\n"), (0, installed))
    assert DNF.carry_out(plan, {"lock_wait": 0}) is None


@pytest.mark.parametrize(("wait", "status"), [(5, 0), (1, 200)])
def test_a_lock_that_somebody_else_gets_first_is_tried_again_within_the_bound(
    monkeypatch: pytest.MonkeyPatch, wait: int, status: int
) -> None:
    answering(monkeypatch, (200, ""), (200, ""), (0, "Complete!\n"))
    now = [0.0]
    clock = SimpleNamespace(monotonic=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds))
    for name, value in (("time", clock), ("LOCKS", ()), ("PID_FILES", ())):
        monkeypatch.setitem(DNF._patiently.__globals__, name, value)
    assert DNF._patiently(["upgrade"], {"lock_wait": wait}).status == status


def test_dnf_says_why_it_cannot() -> None:
    assert DNF.complaints(UNSOLVED) == (
        "Problem: cannot install the best update candidate for package meta-2.0-1.noarch; "
        "- nothing provides nosuchthing needed by meta-3.0-1.noarch"
    )


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (HIDDEN, r"^excluded or locked here, as dnf is set up: locked-2\.0-1\.noarch$"),
        (HIDDEN.partition("\n")[2], r"^not to be had any more: gone-2\.0-1\.noarch, locked-2\.0-1\.noarch$"),
        (UNSOLVED, "^dnf cannot do it: Problem: cannot install"),
    ],
)
def test_what_dnf_does_not_offer_is_told_apart(monkeypatch: pytest.MonkeyPatch, said: str, why: str) -> None:
    answering(monkeypatch, (1, said))
    with pytest.raises(DNF.Refused, match=why):
        DNF._simulated(["install", "locked-2.0-1.noarch"], {})


@pytest.mark.parametrize(
    ("given", "told", "read"),
    [
        ("bash", "0:5.1-6.el9.x86_64", ("bash", "5.1-6.el9", "x86_64")),
        ("plain", "1:1.0-1.noarch", ("plain", "1:1.0-1", "noarch")),
        ("glibc.i686", "0:2.34-1.el9.i686", ("glibc", "2.34-1.el9", "i686")),
        ("glibc:i686", "2.34-1.el9", ("glibc", "2.34-1.el9", "i686")),
        ("python3.11", None, ("python3.11", "", "")),
    ],
)
def test_a_version_of_before_may_carry_its_architecture(given: str, told: str | None, read: tuple[str, ...]) -> None:
    assert DNF.read_before(given, told) == read


def test_of_kernels_none_comes_back_and_none_goes() -> None:
    DNF._remarks.clear()
    known = {"kernel-core": {"5.1-1": "x86_64", "5.2-1": "x86_64"}, "new": {"1-1": "x86_64"}}
    before = {"kernel-core-5.2-1": None, "kernel-core-4.0-1": "0:4.0-1.x86_64", "new": None, "nosuch-1-1": None}
    assert DNF.plan_rollback({**ASKED, "before": before}, known) == (DNF.Plan((), ()), ["new"])
    assert "".join(DNF._remarks).count("of these several versions may be there: kernel-core-") == 2


@given(st.lists(st.sampled_from([*TABLE.splitlines(), *SIMULATED.splitlines(), "", " ", "Removing:"]), max_size=12))
def test_no_output_breaks_a_reader(lines: list[str]) -> None:
    text = "\n".join(lines)
    changes = [*DNF.read_changes(text)[0], *APT.read_changes(text)]
    assert all(json.dumps(one) and (one.old or one.new) for one in changes)
