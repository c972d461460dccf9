from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maintops.domain.ports import Script
from maintops.runners.addresses import Become
from maintops.runners.ssh_sessions import LONGEST, command_line, readable, refusal

SHELLS = [["sh"], ["dash"], ["bash"], ["busybox", "sh"], ["zsh"], ["csh"], ["tcsh"], ["fish"]]
TEXT = r"""#!/bin/sh
x='a \ b'; echo "$x" '!not' "it's" $# $0 `echo tick` \\n %s 100%
cat <<'STOP'
$HOME \0041 ${#x} \
STOP
case $x in a*) echo yes;; esac
if read -r line; then echo "read: $line"; fi
printf 'no end'; exit 3
"""


def script(text: str) -> Script:
    return Script(text, "d", False, (), 1.0, 1)


def run(shell: list[str], command: str) -> tuple[int, bytes]:
    done = subprocess.run([*shell, "-c", command], input=b"password\n", capture_output=True, check=False)
    assert done.stderr == b""
    return done.returncode, done.stdout


@pytest.mark.parametrize("shell", [shell for shell in SHELLS if shutil.which(shell[0])], ids=lambda shell: shell[0])
def test_a_script_survives_every_login_shell(shell: list[str]) -> None:
    plain = subprocess.run(["/bin/sh", "-c", TEXT, "sh"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert plain.returncode == 3
    assert run(shell, command_line(script(TEXT), None)) == (3, plain.stdout)


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(min_codepoint=9, max_codepoint=126, exclude_characters="\x0b\x0c\r"), max_size=80))
def test_any_text_arrives_as_it_is(text: str) -> None:
    """A here-document hands its lines on unread, whatever they hold."""
    body = text.replace("END", "end")
    whole = f"cat <<'END'\n{body}\nEND\n"
    assert run(["/bin/sh"], command_line(script(whole), None)) == (0, f"{body}\n".encode())


def test_a_command_is_one_line_of_ascii() -> None:
    command = command_line(script(TEXT), None)
    assert command.isascii()
    assert not set("\n!") & set(command)


def test_sudo_asks_for_nothing_where_there_is_no_password() -> None:
    command = command_line(script("id"), Become("app"))
    assert command.startswith("exec env LC_ALL=C sudo -n -H -u 'app' -- /bin/sh -c ")


def test_sudo_reads_one_password_and_no_remembered_login_counts() -> None:
    command = command_line(script("id"), Become("root", "Canary-5", "/usr/local/bin/sudo"))
    assert command.startswith("exec env LC_ALL=C /usr/local/bin/sudo -k -S -p '' -H -u 'root' -- /bin/sh -c ")
    assert "Canary" not in command


def test_a_script_of_sixty_kilobytes_fits_into_a_command() -> None:
    assert len(command_line(script("echo 'it is so'\n" * 3750), None)) < LONGEST


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("Sorry, try again.\nsudo: no password was provided\nsudo: 1 incorrect password attempt\n", "not accept"),
        ("sudo: a password is required\n", "gives none"),
        ("ops is not in the sudoers file.  This incident will be reported.\n", "may not use sudo"),
        ("Sorry, user ops may not run sudo on web1.\n", "may not use sudo"),
        ("Sorry, user ops is not allowed to execute '/bin/sh' as app on web1.\n", "may not run this as app there"),
        ("sudo: sorry, you must have a tty to run sudo\n", "requiretty"),
        ("sudo: unknown user: app\n", "there is no user app"),
        ("env: sudo: not found\n", "there is no sudo"),
        ("env: 'sudo': No such file or directory\n", "there is no sudo"),
        ("first\nsudo: account validation failure\n", "sudo: account validation failure"),
        ("", "exit status 1, without a word"),
    ],
)
def test_what_sudo_says_becomes_a_sentence(said: str, meaning: str) -> None:
    assert meaning in refusal(Become("app"), said, 1)


def test_a_server_that_repeats_the_password_does_not_get_it_printed() -> None:
    assert refusal(Become("root", "Canary-6"), "you said Canary-6\n", 1) == "you said ***"


def test_readable() -> None:
    assert readable("a\x1b[31m\tb\r\nc\u202e d\x00") == "a [31m b c d"
    assert len(readable("x" * 999)) == 200
