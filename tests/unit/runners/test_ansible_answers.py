"""What Ansible says of a script is read as a reply, whatever a hostile server makes of it."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.ports import Failure, FailureKind, Reply, Script
from maintops.domain.servers import Server
from maintops.runners.ansible_answers import (
    complaint,
    is_passing,
    program_words,
    read_failure,
    read_reply,
    readable,
    sentence,
)
from maintops.runners.ansible_plays import BEGIN, END

SERVER = Server("s", variables={"ansible_become_password": "hunter22"})
PLAIN = Script("", "d", False, (), 10, 100)
RAISED = Script("", "d", True, (), 10, 100)


def armoured(answer: bytes, end: str = f"{END} 0") -> str:
    return f"{BEGIN} base64\n{base64.encodebytes(answer).decode()}{end}\n"


def reply(stdout: str, script: Script = PLAIN) -> Reply:
    return read_reply({"rc": 0, "stdout": stdout}, script, SERVER)


# --- answers ----------------------------------------------------------------------------------------------------------


@given(st.binary(min_size=1, max_size=100))
def test_an_answer_comes_out_as_it_went_in(answer: bytes) -> None:
    assert reply(armoured(answer)) == Reply(answer)


@given(st.binary(min_size=1, max_size=100))
def test_a_terminal_and_banners_do_not_matter(answer: bytes) -> None:
    assert reply("Welcome!\r\n" + armoured(answer).replace("\n", "\r\n") + "Good-bye.\r\n") == Reply(answer)


@given(st.binary(min_size=1, max_size=100), st.integers(0, 400))
def test_of_an_answer_that_was_cut_the_beginning_is_kept(answer: bytes, length: int) -> None:
    whole = armoured(answer)
    cut = whole[: min(length, whole.index(END))]
    found = reply(cut)
    assert found.failure is not None
    assert answer.startswith(found.stream)
    if cut.startswith(f"{BEGIN} base64\n"):
        assert found.failure.kind is FailureKind.BROKEN


@pytest.mark.parametrize("end", [f"{END} 137", f"{END} 143", f"{END} ", f"{END} x"])
def test_a_script_that_a_signal_ended_is_not_whole(end: str) -> None:
    found = reply(armoured(b"first\n", end))
    assert found.stream == b"first\n"
    assert found.failure == Failure(FailureKind.BROKEN, "the script was ended on the server before it was through")


def test_an_exit_status_is_the_scripts_own_business() -> None:
    assert reply(armoured(b"first\n", f"{END} 3")) == Reply(b"first\n")


def test_too_many_bytes_are_cut_at_the_limit() -> None:
    found = reply(armoured(b"x" * 101))
    assert found.stream == b"x" * 100
    assert found.failure is not None
    assert found.failure.kind is FailureKind.OVERFLOW
    assert reply(armoured(b"x" * 100)) == Reply(b"x" * 100)


def test_no_answer_at_all_is_not_an_answer() -> None:
    found = reply(armoured(b""))
    assert found.failure == Failure(FailureKind.BROKEN, "the script gave no answer at all")


@given(st.text() | st.from_regex(rf"{BEGIN} (base64|sed)\n([A-Za-z=\\$\n]|{END})*", fullmatch=True))
def test_nothing_that_a_server_prints_breaks_the_reader(stdout: str) -> None:
    assert len(reply(stdout).stream) <= PLAIN.limit


# --- failures ---------------------------------------------------------------------------------------------------------

SSH = "Task failed: Failed to connect to the host via ssh: "
CHANGED = """@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Offending ED25519 key in /private/known_hosts:3
Host key verification failed."""


def unreachable(message: str) -> dict[str, Any]:
    return {"unreachable": True, "msg": message}


@pytest.mark.parametrize(
    ("result", "kind", "why"),
    [
        (
            unreachable(f"{SSH}ssh: connect to host 10.0.0.1 port 22: Connection refused\r\n"),
            FailureKind.UNREACHABLE,
            "ssh: connect to host 10.0.0.1 port 22: Connection refused",
        ),
        (
            unreachable(f"{SSH}Warning: Permanently added 'x'.\nBanner\nme@x: Permission denied (publickey)."),
            FailureKind.UNREACHABLE,
            "me@x: Permission denied (publickey).",
        ),
        (
            unreachable(f"{SSH}{CHANGED}"),
            FailureKind.UNREACHABLE,
            "its host key has changed, and is refused; if that is right, remove the old one from known_hosts",
        ),
        (
            unreachable(f"{SSH}No ED25519 host key is known for x and you have requested strict checking.\nHost key"),
            FailureKind.UNREACHABLE,
            "its host key is not known; verify it and add it to known_hosts",
        ),
        (
            unreachable(f"{SSH}Connection to 10.0.0.1 closed by remote host."),
            FailureKind.BROKEN,
            "Connection to 10.0.0.1 closed by remote host.",
        ),
        (
            unreachable(f"{SSH}client_loop: send disconnect: Broken pipe"),
            FailureKind.BROKEN,
            "client_loop: send disconnect: Broken pipe",
        ),
        (unreachable(SSH), FailureKind.UNREACHABLE, "Ansible gives no reason"),
        (
            {"timedout": {"period": 3}, "msg": "Timed out after 3 seconds."},
            FailureKind.OVERTIME,
            "the script did not end within its own time",
        ),
        (
            {"rc": 127, "stdout": "", "stderr": "\x1b[1msh: not found\n", "msg": "non-zero return code"},
            FailureKind.UNREACHABLE,
            "the server does not run the script: [1msh: not found",
        ),
        (
            {"rc": 1, "stdout": "", "stderr": "", "msg": "non-zero return code"},
            FailureKind.UNREACHABLE,
            "the server does not run the script: exit status 1, without a word",
        ),
        (
            {"msg": "Task failed: the connection plugin 'x' was not found"},
            FailureKind.UNREACHABLE,
            "the connection plugin 'x' was not found",
        ),
    ],
)
def test_failures_are_told_in_a_sentence(result: dict[str, Any], kind: FailureKind, why: str) -> None:
    assert read_reply(result, PLAIN, SERVER) == Reply(b"", Failure(kind, why))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("Incorrect sudo password", "the password that the inventory gives is not accepted"),
        ("sudo: 1 incorrect password attempt", "the password that the inventory gives is not accepted"),
        ("Missing sudo password", "a password is asked for and the inventory gives none (ansible_become_password)"),
        (
            "sudo: a password is required",
            "a password is asked for and the inventory gives none (ansible_become_password)",
        ),
        ("me is not in the sudoers file.", "the login user may not use sudo there"),
        ("sudo: sorry, you must have a tty to run sudo", "a terminal is wanted there (requiretty in sudoers)"),
        ("/bin/sh: 1: sudo: not found", "/bin/sh: 1: sudo: not found"),
        ("something else", "something else"),
    ],
)
def test_a_refused_become_says_so_and_is_never_tried_again(said: str, why: str) -> None:
    found = read_failure({"rc": 1, "msg": "non-zero return code", "stderr": said}, RAISED, SERVER)
    assert found == Failure(FailureKind.UNREACHABLE, f"become refused: {why}")
    slow = read_failure(unreachable("Timeout (12s) waiting for privilege escalation prompt: "), RAISED, SERVER)
    assert slow.why.startswith("become refused: ")
    assert not is_passing(found)
    assert not is_passing(slow)


def test_a_plain_script_is_not_refused_become() -> None:
    found = read_failure(unreachable(f"{SSH}sudo: not found, says the banner\nssh: no route"), PLAIN, SERVER)
    assert found.why == "ssh: no route"


def test_secrets_are_in_no_sentence_not_even_in_part() -> None:
    for pad in range(0, 200, 7):
        found = read_failure(unreachable("x" * pad + "hunter22" * 30), PLAIN, SERVER)
        assert "hunter" not in found.why


def test_only_what_may_pass_is_tried_again() -> None:
    passing = [
        "Connection refused",
        "Connection timed out",
        "Connection timed out during banner exchange",
        "No route to host",
    ]
    passing += ["kex_exchange_identification: read: Connection reset by peer", "Connection closed by 10.0.0.1 port 22"]
    lasting = ["me@x: Permission denied (publickey).", "its host key is not known", "Ansible gives no reason"]
    assert all(is_passing(Failure(FailureKind.UNREACHABLE, why)) for why in passing)
    assert not any(is_passing(Failure(FailureKind.UNREACHABLE, why)) for why in lasting)
    assert not is_passing(Failure(FailureKind.BROKEN, "Connection closed"))


@given(
    st.dictionaries(
        st.sampled_from(["msg", "stdout", "stderr", "rc", "unreachable", "timedout"]), st.text() | st.booleans()
    )
)
def test_any_result_gives_one_clean_sentence(result: dict[str, Any]) -> None:
    why = read_failure(result, PLAIN, SERVER).why
    assert why
    assert why.isprintable()
    assert len(why) <= 300


def words(stderr: str, **more: Any) -> str:
    return program_words({"rc": 1, "msg": "non-zero return code", "stderr": stderr, **more}, SERVER)


def test_of_a_program_s_many_words_the_first_line_and_the_last_ones_are_told() -> None:
    told = words("\n".join(f"line {number:03}" for number in range(200)))
    assert told.startswith("line 000; ...; line 1")
    assert told.endswith("; line 198; line 199")
    assert len(told) <= len("line 000; ...; ") + 600
    assert words("one\n\ntwo\n") == "one; two"


def test_words_of_a_program_come_from_where_it_complains() -> None:
    assert words("no", stdout="much") == "no"
    assert words(" \n", stdout="much") == "much"
    assert words("E: no", msg="'apt-get' failed: no\nOrigin: /p:1:2\n1 password: x") == "'apt-get' failed: no; E: no"
    assert program_words({"msg": "no program", "stderr": "x"}, SERVER) == ""


def test_secrets_are_in_no_program_s_words_not_even_in_part() -> None:
    for pad in range(0, 800, 7):
        assert "hunter" not in words("first\n" + "x" * pad + "hunter22" * 30)


def test_a_secret_of_many_lines_is_hidden_through_a_terminal_too() -> None:
    server = Server("s", variables={"ansible_ssh_private_key": "-- begin --\nhunter22hunter22\n-- end --\n"})
    for told in ("-- begin --\nhunter22hunter22\n-- end --\n", "-- begin --\r\nhunter22hunter22\r\n-- end --\r\n"):
        assert "hunter" not in program_words({"rc": 1, "stdout": f"no: {told}"}, server)


@given(st.text(), st.text())
def test_a_program_s_words_fit_any_screen(stderr: str, stdout: str) -> None:
    told = words(stderr, stdout=stdout)
    assert told == "" or told.isprintable()
    assert len(told) <= 810


@given(st.text())
def test_sentences_fit_any_screen(said: str) -> None:
    for found in (sentence(said), readable(said)):
        assert found == "" or found.isprintable()
        assert len(found) <= 200


# --- complaints -------------------------------------------------------------------------------------------------------


def test_a_complaint_begins_with_its_place_and_quotes_nothing() -> None:
    new = [
        "Using /p/ansible.cfg as config file",
        "[ERROR]: the role 'x' was not found in /roles",
        "Origin: /a/b c.yml:2:11",
    ]
    assert complaint([*new, "2   password: hunter22"]) == "/a/b c.yml:2:11: the role 'x' was not found in /roles"
    assert complaint(["[ERROR]: no place"]) == "no place"
    assert complaint(["[WARNING]: nothing wrong"]) == ""
