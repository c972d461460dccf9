"""What Ansible is given: scripts as commands that every shell runs alike, tasks, variables, ssh's options."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.ports import FailureKind, Reply, Script, Trip
from maintops.domain.servers import Server
from maintops.runners import ansible_plays as plays
from maintops.runners.ansible_answers import read_reply
from maintops.runners.ansible_plays import Policy

SHELLS = [["dash", "-c"], ["bash", "-c"], ["busybox", "sh", "-c"]]
HERE = Server("here")


def script(text: str, *, become: bool = False, seconds: float = 10.0, limit: int = 1 << 20) -> Script:
    return Script(text, "d", become, (), seconds, limit)


def run(shell: list[str], one: Script, path: str = "/usr/local/bin:/usr/bin:/bin") -> Reply:
    """The reply of a script that a shell of this machine runs as a server's login shell would."""
    if shutil.which(shell[0]) is None:
        pytest.skip(f"there is no {shell[0]} here: apt install {shell[0]}")
    command = [str(shutil.which(shell[0])), *shell[1:], plays.carrier(one)]
    done = subprocess.run(command, capture_output=True, env={"PATH": path}, check=False)
    return read_reply({"rc": done.returncode, "stdout": done.stdout.decode("ascii")}, one, HERE)


@pytest.fixture(scope="module")
def toolless(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH with nothing that could make base64."""
    folder = tmp_path_factory.mktemp("bin")
    for name in ("cat", "sed", "printf", "head"):
        (folder / name).symlink_to(str(shutil.which(name)))
    return str(folder)


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_every_text_and_every_byte_survive_the_way(shell: list[str], toolless: str) -> None:
    text = "".join(map(chr, range(32, 127)))
    lines = ["cat <<'END'", text, "\\n \\\\ \\0041 ${#x} {{ x }} {% x %} {# x #} !", "END"]
    lines += ["printf '" + "".join(f"\\{number:03o}" for number in range(256)) + "'", "printf 'no end'"]
    expected = "\n".join(lines[1:3]).encode() + b"\n" + bytes(range(256)) + b"no end"
    for path in ("/usr/bin:/bin", toolless):
        assert run(shell, script("\n".join(lines)), path) == Reply(expected)


@given(st.text(st.characters(min_codepoint=1, max_codepoint=126)))
def test_nothing_in_a_packed_script_means_anything_on_the_way(text: str) -> None:
    packed = plays.pack(text)
    assert not set(packed) & set("'\"$`!{\n")
    undone = re.sub(r"\\(n|0[0-7]{3})", lambda one: "\n" if one[1] == "n" else chr(int(one[1], 8)), packed)
    assert undone == text


@given(st.lists(st.sampled_from([b"line\n", b"\\", b"$", b".", b".\n", b"\n", b"\0\xff", b"\\\n", b"x" * 200])))
def test_a_server_without_base64_gives_the_same_bytes(pieces: list[bytes]) -> None:
    answer = b"".join(pieces) or b"."
    command = "{ cat; echo .; } | LC_ALL=C sed -n l"
    listed = subprocess.run(["/bin/sh", "-c", command], input=answer, capture_output=True, check=True).stdout.decode()
    result = {"rc": 0, "stdout": f"{plays.BEGIN} sed\n{listed}{plays.END} 0\n"}
    assert read_reply(result, script(""), HERE) == Reply(answer)


def test_a_script_reads_nothing_and_its_errors_are_not_its_answer() -> None:
    assert run(SHELLS[0], script("cat; echo out; echo err >&2; exit 3")) == Reply(b"out\n")


def test_a_script_that_was_killed_is_not_whole() -> None:
    reply = run(SHELLS[0], script("echo first; kill -9 $$"))
    assert reply.stream == b"first\n"
    assert reply.failure is not None
    assert reply.failure.kind is FailureKind.BROKEN


def test_a_script_has_none_of_the_carriers_descriptors() -> None:
    text = "for fd in 3 4; do (: >&$fd) 2>/dev/null && echo open $fd; done; echo end"
    assert run(SHELLS[0], script(text)) == Reply(b"end\n")


def test_only_a_script_that_fits_is_sent() -> None:
    assert plays.fits(script("x" * plays.LONGEST))
    assert not plays.fits(script("x" * (plays.LONGEST + 1)))
    assert not plays.fits(script("'" * (plays.LONGEST // 4)))


# --- plays ------------------------------------------------------------------------------------------------------------


def play(*trips: Trip) -> tuple[dict[str, Any], dict[str, Any]]:
    """The one task that carries these trips, and its variables."""
    text, variables = plays.trip_play(trips, 10)
    ((one,),) = [found["tasks"] for found in json.loads(text)]
    return one, variables


def test_one_script_for_all_is_written_down_as_it_is() -> None:
    one = script("id", become=True, seconds=7.2)
    task, variables = play(*(Trip(Server(f"s{number}"), (one,)) for number in range(3)))
    assert task["raw"] == plays.carrier(one)
    assert task["timeout"] == 33  # 7.2 of its own, 10 to connect, 15 of slack
    assert task["vars"] == {"ansible_become": True, "ansible_ssh_use_tty": False}
    assert "loop" not in task
    assert "{{" not in json.dumps(task)
    assert variables == {}


def test_two_scripts_for_all_are_one_loop() -> None:
    scripts = (script("a"), script("b", become=True))
    task, variables = play(Trip(Server("x"), scripts), Trip(Server("y"), scripts))
    assert variables == {"maintops_commands": [plays.carrier(one) for one in scripts]}
    assert [item["become"] for item in task["loop"]] == [False, True]
    assert task["vars"]["ansible_become"] == "{{ maintops_ask.become }}"
    assert task["timeout"] == 35


def test_scripts_that_differ_are_written_down_once_each() -> None:
    a, b = script("a"), script("b", become=True, seconds=30)
    task, variables = play(Trip(Server("x"), (a,)), Trip(Server("y"), (a, b)), Trip(Server("z"), (b,)))
    assert variables["maintops_commands"] == [plays.carrier(a), plays.carrier(b)]
    asked = {name: [item["command"] for item in items] for name, items in variables["maintops_asks"].items()}
    assert asked == {"x": [0], "y": [0, 1], "z": [1]}
    assert task["timeout"] == "{{ maintops_ask.timeout }}"
    assert task["loop"] == "{{ maintops_asks[inventory_hostname] | default([]) }}"


def test_su_gets_a_terminal_and_sudo_none() -> None:
    su = Server("x", variables={"ansible_become_method": "su"})
    assert play(Trip(su, (script("a", become=True),)))[0]["vars"]["ansible_ssh_use_tty"] is True
    assert play(Trip(su, (script("a"),)))[0]["vars"]["ansible_ssh_use_tty"] is False


# --- connections ------------------------------------------------------------------------------------------------------


def options(policy: Policy, *, share: bool = False, **variables: Any) -> dict[str, str]:
    """The options that ssh takes: of one that is given twice, the first."""
    given = plays.connection_variables("/p", policy, [Server("x", variables=variables)], share=share)
    words = shlex.split(
        given["ansible_ssh_args"].replace("{{ maintops_own_ssh_args[inventory_hostname] | default('') }}", "")
    )
    assert words[:2] == ["-F", "/p/ssh.conf"]
    found: dict[str, str] = {}
    for option in words[3::2]:
        name, _, value = option.partition("=")
        found.setdefault(name, value)
    return found


def test_strict_means_strict() -> None:
    found = options(Policy(Path("/k"), "strict"))
    assert found["StrictHostKeyChecking"] == "yes"
    assert found["UserKnownHostsFile"] == "/p/known_hosts"
    assert found["GlobalKnownHostsFile"] == "/dev/null"
    assert "UserKnownHostsFile" not in options(Policy(None, "strict"))
    assert options(Policy(None, "accept-new"))["StrictHostKeyChecking"] == "accept-new"


def test_off_is_off() -> None:
    found = options(Policy(Path("/k"), "off"))
    assert found["StrictHostKeyChecking"] == "no"
    assert found["UserKnownHostsFile"] == "/dev/null"
    assert plays.connection_links(Policy(Path("/k"), "off")) == {}


def test_a_servers_own_ssh_arguments_come_after_ours() -> None:
    own = "-o StrictHostKeyChecking=no -o ProxyJump={{ gate }}"
    policy = Policy(None, "strict")
    given = plays.connection_variables(
        "/p", policy, [Server("x", variables={"ansible_ssh_args": own}), HERE], share=False
    )
    assert given["maintops_own_ssh_args"] == {"x": own}
    assert given["ansible_ssh_args"].startswith("-F /p/ssh.conf -o StrictHostKeyChecking=yes ")
    assert given["ansible_ssh_args"].endswith("{{ maintops_own_ssh_args[inventory_hostname] | default('') }}")


def test_nothing_in_an_inventory_beats_the_policy_or_tries_a_password_again() -> None:
    for host_keys, verify in (("strict", True), ("accept-new", True), ("off", False)):
        given = plays.connection_variables("/p", Policy(None, host_keys), [HERE], share=False)  # type: ignore[arg-type]
        assert given["ansible_host_key_checking"] is verify
        assert given["ansible_ssh_host_key_checking"] is verify
        assert given["ansible_ssh_retries"] == 0


def test_a_connection_is_shared_only_where_there_is_a_second_script() -> None:
    policy = Policy(None, "strict")
    assert options(policy)["ControlMaster"] == "no"
    assert options(policy)["ControlPath"] == "none"
    assert options(policy, share=True)["ControlPath"] == "/p/%C"


def test_ssh_settings_put_the_policy_before_what_the_user_set() -> None:
    lines = plays.connection_files("/p", Policy(Path("/k"), "strict"))["ssh.conf"].splitlines()
    assert lines[0] == "StrictHostKeyChecking yes"
    assert lines.index("UserKnownHostsFile /p/known_hosts") < lines.index("Include ~/.ssh/config")


def test_sources_mean_the_same_from_any_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert plays.sources(["hosts.yml", "/etc/hosts", "a,b"]) == [str(tmp_path / "hosts.yml"), "/etc/hosts", "a,b"]


def test_relative_keys_are_linked_and_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "here" / "keys").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    for name in ("keys/a b", "plain", "../above"):
        Path(name).touch()
    names = ["keys/a b", "plain", "missing", "../above", "/etc/hostname", "~/.ssh/id", "{{ key }}", None]
    servers = [Server("x", variables={"ansible_ssh_private_key_file": name}) for name in names]
    links = {f"here/{name}": str(tmp_path / "here" / name) for name in ("keys/a b", "plain")}
    assert plays.key_links(servers) == links


def test_secrets_are_told_by_their_names() -> None:
    variables = {
        "ansible_become_password": "become",
        "ansible_ssh_pass": 123456,
        "ansible_ssh_private_key_file": "/home/me/key",
        "ansible_ssh_private_key": "KEY TEXT",
        "cloud": {"tokens": ["first-token", {"any": "second-token"}], "region": "north"},
        "db_password": "abc",  # too short to be looked for: every other word would be hidden
        "use_password": True,
        "ansible_user": "admin",
    }
    found = plays.secret_values(Server("x", variables=variables))
    assert sorted(found) == ["123456", "KEY TEXT", "become", "first-token", "second-token"]
