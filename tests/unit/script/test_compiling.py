from __future__ import annotations

import base64
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import maintops.script
from maintops.domain.answers import Question
from maintops.errors import UsageError
from maintops.script.compiling import LARGEST, compile_script

ONE = Question("HW-010", "uptime", 5.0, 1000)


def test_equal_questions_give_an_equal_script() -> None:
    assert compile_script([ONE], become=True) == compile_script([replace(ONE)], become=True)


@pytest.mark.parametrize(
    "other",
    [
        replace(ONE, check="HW-011"),
        replace(ONE, text="uptime -s"),
        replace(ONE, timeout=5.5),
        replace(ONE, limit=1001),
    ],
)
def test_whatever_is_asked_differently_has_another_digest(other: Question) -> None:
    assert compile_script([other], become=False).digest != compile_script([ONE], become=False).digest


def test_become_and_order_are_part_of_the_digest() -> None:
    two = [ONE, replace(ONE, check="B")]
    scripts = [
        compile_script(two, become=False),
        compile_script(two, become=True),
        compile_script(two[::-1], become=False),
    ]
    assert len({script.digest for script in scripts}) == 3


def test_the_script_says_what_it_is() -> None:
    script = compile_script([ONE, replace(ONE, check="B")], become=True)
    assert script.become
    assert script.checks == ("HW-010", "B")
    assert script.digest in script.text


def test_the_text_is_ascii_whatever_is_asked() -> None:
    text = "echo 'Grüße' \r\x1b[0m \ud800 \U0001f5a5"
    assert compile_script([replace(ONE, check="PRÜF 1", text=text)], become=False).text.isascii()


def test_seconds_and_limit_hold_what_every_question_may_take() -> None:
    none, one = compile_script([], become=False), compile_script([ONE], become=False)
    assert one.seconds - none.seconds > 5 + 13  # the clock, and all that is tried before giving up
    assert one.limit - none.limit >= 1000 + 2000


def test_a_fraction_of_a_second_is_rounded_up() -> None:
    seconds = [
        compile_script([replace(ONE, timeout=timeout)], become=False).seconds for timeout in (0.1, 1.0, 1.1, 2.0)
    ]
    assert seconds[0] == seconds[1]
    assert seconds[2] == seconds[3] == seconds[0] + 1


def test_25_ordinary_questions_stay_small() -> None:
    questions = [replace(ONE, check=f"C-{number}", text="echo hello\n" * 54) for number in range(25)]
    assert len(compile_script(questions, become=False).text) < 25 * 800 + 6000


def test_a_script_too_large_for_one_argument_is_refused_and_names_the_biggest_checks() -> None:
    sizes = {"SMALL": 10, "BIG": 60_000, "BIGGER": 70_000, "MIDDLE": 900, "LITTLE": 200}
    questions = [Question(check, ":" * size, 1.0, 10) for check, size in sizes.items()]
    with pytest.raises(
        UsageError, match=r"script of 13\d{4} bytes.*BIGGER \(700\d\d bytes\), BIG .*, MIDDLE "
    ) as caught:
        compile_script(questions, become=False)
    assert "LITTLE" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("uname -r", "words"),
        (" df -P /\n", "words"),
        ("/usr/sbin/smartctl -H -j /dev/sda", "words"),
        ("awk -F: '$3 == 0 {print $1}' /etc/passwd", "words"),
        ('grep "a b" \'c\'"d" e=f', "words"),
        *((text, "sh") for text in ("", "umask", "echo a", "[ a ]", "if a", "true", ". /etc/profile", "-x", "a=b c")),
        *((f"uname {rest}", "sh") for rest in ("$x", "`x`", "| x", "; x", "& x", "> x", "< x", "x*", "[x]", "?", "~")),
        *(
            (f"uname {rest}", "sh")
            for rest in ("#x", "{a,b}", "(x)", "a\\ b", "!x", "'x", '"x', '"$x"', '"`x`"', '"!x"')
        ),
        *((f"uname {rest}", "sh") for rest in ("\nuname", "\tx", "'\n'", "é")),
        ("part a uname", "kit"),
        ("part", "kit"),
        ("uname; part a uname", "kit"),
    ],
)
def test_a_command_of_plain_words_needs_no_shell(text: str, how: str) -> None:
    script = compile_script([replace(ONE, text=text)], become=False)
    assert f" '{ONE.check}' {how} " in script.text


def test_nothing_stands_between_exec_and_plain_words() -> None:
    script = compile_script([replace(ONE, text="\n quit 5 \n")], become=False)
    assert f"'{ONE.check}' words 'quit 5'\n" in script.text


def test_plain_words_are_found_in_no_time() -> None:
    for text in ("uname " + "a" * 50_000 + "$", "uname" + " 'a'" * 3_000 + "'", "uname " + " " * 50_000 + ";"):
        assert f" '{ONE.check}' sh " in compile_script([replace(ONE, text=text)], become=False).text


def test_the_largest_script_fits_into_one_argument_in_base64() -> None:
    room = LARGEST - len(compile_script([replace(ONE, text="")], become=False).text)
    script = compile_script([replace(ONE, text="#" * room)], become=False)
    assert len(script.text) == LARGEST
    assert len(base64.b64encode(script.text.encode())) <= 128 * 1024 - 1024
    with pytest.raises(UsageError):
        compile_script([replace(ONE, text="#" * (room + 1))], become=False)


def test_two_questions_of_one_check_and_a_nul_are_refused() -> None:
    with pytest.raises(ValueError, match="two questions"):
        compile_script([ONE, ONE], become=False)
    with pytest.raises(ValueError, match="NUL"):
        compile_script([replace(ONE, text="a\0b")], become=False)


@pytest.mark.parametrize("name", ["prelude.sh", "part.sh"])
def test_shellcheck_has_nothing_to_say(name: str) -> None:
    shellcheck = shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("shellcheck is not installed (apt install shellcheck)")
    file = Path(maintops.script.__file__).with_name(name)
    checked = subprocess.run([shellcheck, str(file)], capture_output=True, text=True, check=False)
    assert checked.stdout == ""


def test_no_comment_travels_to_the_server() -> None:
    lines = compile_script([ONE], become=False).text.splitlines()
    assert not [line for line in lines if line.lstrip().startswith("#")]
