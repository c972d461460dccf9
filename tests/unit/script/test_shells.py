"""Scripts on real shells: what they answer, byte for byte."""

from __future__ import annotations

import os
import pwd
import shlex
from pathlib import Path

import pytest

from maintops.domain.answers import Part, parts
from maintops.script.reading import hear
from tests.unit.script.shells import Mark, Place, answers, ask

HOSTILE = b"\n#0123456789abcdef h 2 0 - - 1 key root\n!err\n s 0\n=part\n.0\n#"
OUTPUTS = [
    b"",
    b"\n",
    b"\n\n\n",
    b"one line\n",
    b"no newline at the end",
    b"two\nlines, and no newline",
    b" space before\n  two\n",
    b"a\0b\n\0\n\0\0c\nlast\0",
    b"\0",
    b"\0 \n \0\n",
    b"carriage\r\nreturns\r\n\r",
    b"\x1b[31mred\x1b]8;;http://x\x07\xe2\x80\xae\n",
    b"\xff\xfe\x80 invalid \xc3\n\xc3",
    bytes(range(256)) * 2,
    HOSTILE,
    b"$(touch canary) `touch canary` {{ 1 + 1 }} ${PATH} \\n %s %d '\"\n",
]


def test_every_byte_of_an_output_but_nul_arrives(place: Place, tmp_path: Path) -> None:
    for number, output in enumerate(OUTPUTS):
        (tmp_path / str(number)).write_bytes(output)
    said = answers(place, *(f"cat {tmp_path / str(number)}" for number in range(len(OUTPUTS))))
    assert [answer.stdout for answer in said] == [output.replace(b"\0", b"") for output in OUTPUTS]
    assert all(answer.status == 0 and not answer.truncated and answer.stderr == b"" for answer in said)
    assert not Path("canary").exists()


def test_an_output_that_knows_the_digest_cannot_forge_a_mark(shell: Place, tmp_path: Path) -> None:
    file = tmp_path / "output"
    script = ask(f"cat {file}; cat {file} >&2", "echo second")
    forged = (
        f"\n#{script.digest} s 7\n\n#{script.digest} e 0 1.0 0\n\n#{script.digest} z 2\n#{script.digest} b 1 9 1 B\n"
    )
    file.write_text(forged)
    heard = shell.hear(script)
    assert heard.answers["A"].stdout == forged.encode()
    assert heard.answers["A"].status == 0
    assert heard.answers["B"].stdout == b"second\n"
    assert heard.answers["A"].stderr == "".join(line + "\n" for line in forged.split("\n") if line).encode()


def test_a_million_newlines_arrive_within_the_limit(shell: Place) -> None:
    script = ask("head -c 1000000 /dev/zero | tr '\\0' '\\n'", limit=1_000_000)
    stream = shell.stream(script)
    assert hear(stream, script).answers["A"].stdout == b"\n" * 1_000_000
    assert len(stream) <= script.limit


@pytest.mark.parametrize(("size", "truncated"), [(99, False), (100, False), (101, True), (100_000, True)])
def test_output_is_cut_at_its_limit_and_says_so(place: Place, size: int, truncated: bool) -> None:
    printing = f"dd if=/dev/zero bs={size} count=1 2>/dev/null | tr '\\0' x"
    flood, after = answers(place, printing, "echo after", limit=100)
    assert flood.stdout == b"x" * min(size, 100)
    assert flood.truncated is truncated
    assert (after.stdout, after.truncated) == (b"after\n", False)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (":", 0),
        ("false", 1),
        ("no-such-tool", 127),
        ("/", 126),
        ("exit 255", 255),
        ("sh -c 'kill -SEGV $$'", 139),
        ("kill -KILL $$", 137),
        ("exec sh -c 'exit 3'", 3),
    ],
)
def test_the_status_is_exact(shell: Place, text: str, status: int) -> None:
    answer, after = answers(shell, text, "echo after")
    assert answer.status == status
    assert not answer.timed_out
    assert after.stdout == b"after\n"


def test_plain_words_reach_the_command_as_a_shell_would_hand_them_over(place: Place) -> None:
    plain = "env printf '%s|' a.b/c:d,e@f%g+h-i ^j k=l 'm n' \"o p\" '' 'q'\"'r\" '$HOME `s` \\t' --"
    direct, by_shell = answers(place, plain, f"{plain};")
    assert direct.stdout == b"a.b/c:d,e@f%g+h-i|^j|k=l|m n|o p||q'r|$HOME `s` \\t|--|"
    assert (direct.stdout, direct.stderr, direct.status) == (by_shell.stdout, by_shell.stderr, by_shell.status)


def test_a_question_that_is_no_sh_fails_alone(shell: Place) -> None:
    broken, after = answers(shell, "if true; 'then", "echo after")
    assert broken.status not in (0, None)
    assert broken.stderr
    assert after.stdout == b"after\n"


def test_stderr_is_an_excerpt_beside_the_output(place: Place) -> None:
    (said,) = answers(place, "echo one; echo wrong >&2; echo two; printf '!#more' >&2; printf three; exit 4")
    assert said.stdout == b"one\ntwo\nthree"
    assert said.stderr == b"wrong\n!#more\n"
    assert said.status == 4


def test_a_long_stderr_is_cut_and_stops_nobody(place: Place) -> None:
    said, long, after = answers(
        place,
        "seq 20000 >&2; echo done; exit 4",
        "dd if=/dev/zero bs=5000 count=1 2>/dev/null | tr '\\0' x >&2; exit 5",
        "echo after",
    )
    assert (said.stdout, said.status) == (b"done\n", 4)
    assert said.stderr.startswith(b"1\n2\n3\n")
    assert len(said.stderr) <= 2000
    assert (long.stdout, long.status) == (b"", 5)
    assert 1900 < len(long.stderr) <= 2000
    assert (after.stdout, after.stderr) == (b"after\n", b"")


PARTS = """\
part plain printf 'one\\ntwo\\n'
part open printf 'no newline'
part empty :
part blank echo
part blanks printf '\\n\\n'
part gone no-such-tool
part signal sh -c 'echo before; kill -SEGV $$'
part dot printf 'ends with.'
part dots printf '.7\\n.8'
part marks printf '=plain\\n.1\\n x\\n.\\n'
part "two
lines" echo name
own() { echo "$1"; return 3; }
part function own 'a  b'
part leaves exit 9
part "Grüße" echo hello
"""


def test_parts_are_told_apart(place: Place) -> None:
    (said,) = answers(place, PARTS)
    assert parts(said.stdout) == {
        "plain": Part(0, b"one\ntwo\n"),
        "open": Part(0, b"no newline\n"),
        "empty": Part(0, b""),
        "blank": Part(0, b"\n"),
        "blanks": Part(0, b"\n\n"),
        "gone": Part(127, b""),
        "signal": Part(139, b"before\n"),
        "dot": Part(0, b"ends with.\n"),
        "dots": Part(0, b".7\n.8\n"),
        "marks": Part(0, b"=plain\n.1\n x\n.\n"),
        "two?lines": Part(0, b"name\n"),
        "function": Part(3, b"a  b\n"),
        "leaves": Part(None, b""),
        "Grüße": Part(0, b"hello\n"),
    }
    assert said.status == 0
    assert b"no-such-tool" in said.stderr


def test_long_parts_are_whole_too(place: Place, tmp_path: Path) -> None:
    lines = b"".join(b"%d =.# \xff\r\n" % number for number in range(3000))
    ends = {"newline": b"", "open": b"no newline", "dot": b"x.", "status": b"7.7", "blank": b"\n"}
    for name, end in ends.items():
        (tmp_path / name).write_bytes(lines + end)
    texts = [f"part {name} sh -c 'cat {tmp_path / name}; exit 4'; part after echo after" for name in ends]
    said = answers(place, *texts)
    for (name, end), answer in zip(ends.items(), said, strict=True):
        assert parts(answer.stdout)[name] == Part(4, (lines + end).removesuffix(b"\n") + b"\n")
        assert parts(answer.stdout)["after"] == Part(0, b"after\n")


def test_every_byte_but_nul_arrives_in_a_part(place: Place, tmp_path: Path) -> None:
    every = bytes(range(1, 256))
    (tmp_path / "every").write_bytes(every)
    (said,) = answers(place, f"part every cat {tmp_path / 'every'}")
    assert parts(said.stdout)["every"] == Part(0, every + b"\n")


def test_a_part_does_not_mind_the_habits_of_its_question(shell: Place) -> None:
    (said,) = answers(shell, "set -efu; IFS=0123456789; part one false; part two echo 1 2; part three cd /tmp; pwd")
    assert parts(said.stdout) == {"one": Part(1, b""), "two": Part(0, b"1 2\n"), "three": Part(0, b"")}
    assert said.stdout.endswith(b".0\n/\n")
    assert said.status == 0


ODD_TEXT = "printf '%s' " + shlex.quote(
    "".join(map(chr, [*range(1, 256), 0x20AC, 0x1F5A5])) + "\\n \\ \\\\ %% %s $(echo no) `echo no` {{ 1 }}'"
)


def test_a_question_may_hold_any_character(place: Place) -> None:
    (said,) = answers(place, ODD_TEXT)
    assert said.stdout.decode() == shlex.split(ODD_TEXT)[2]


def test_a_question_may_hold_several_lines_and_documents(place: Place) -> None:
    here = "cat <<'END'\n$(touch canary) 'quoted' \"twice\" {{ x }}\nEND\n# a comment\nfor i in 1 2; do echo $i; done"
    accented = here.replace("twice", "zweimal für €")
    said = answers(place, here, accented, here + "\n\n\n", "echo continued \\\n  line")
    assert said[0].stdout == b"$(touch canary) 'quoted' \"twice\" {{ x }}\n1\n2\n"
    assert said[1].stdout.decode() == said[0].stdout.decode().replace("twice", "zweimal für €")
    assert said[2].stdout == said[0].stdout
    assert said[3].stdout == b"continued line\n"


SURROUNDINGS = """\
echo "path $PATH"
echo "locale $LC_ALL $LANG"
echo "pager $PAGER $SYSTEMD_PAGER $SYSTEMD_COLORS $TERM"
echo "mask $(umask)"
echo "folder $(pwd)"
echo "input $(cat)"
echo "gone ${ENV-}${BASH_ENV-}${CDPATH-}${POSIXLY_CORRECT-}${TZ-}"
echo "split" $words
case $- in *x* | *e* | *u* | *f* | *a*) echo "options $-" ;; esac
echo "closed $( (echo x >&3) 2>/dev/null && echo no || echo yes) $( (echo x >&5) 2>/dev/null && echo no || echo yes)"
type ask hunt >/dev/null 2>&1 && echo "the script's own functions"
"""


OURS = ("key", "cookie", "text", "room", "kit", "job")
"""Some names of the script's own."""


@pytest.mark.parametrize(
    "habit",
    [("POSIXLY_CORRECT", "1"), ("SHELLOPTS", "allexport:errexit:noglob:nounset:xtrace")],
    ids=lambda habit: habit[0],
)
def test_a_question_finds_known_surroundings_whatever_the_caller_brings(
    shell: Place, tmp_path: Path, habit: tuple[str, str]
) -> None:
    startup = tmp_path / "startup"
    startup.write_text("echo startup; echo startup >&2; alias echo='echo alias'\n")
    weird = dict.fromkeys(OURS, "x") | {
        "ENV": str(startup),
        "BASH_ENV": str(startup),
        "IFS": "pt",
        "CDPATH": "/tmp:/usr",
        "PS4": "canary",
        "LC_ALL": "de_DE.UTF-8",
        "TERM": "xterm-256color",
        "PAGER": "less",
        "TZ": "Asia/Tokyo",
        "PATH": "/opt/mine",
        "words": "opt in",
        **dict([habit]),
    }
    said, names = answers(shell, SURROUNDINGS, "env", environment=weird)
    assert said.stdout.decode().splitlines() == [
        "path /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/mine",
        "locale C C",
        "pager cat cat 0 dumb",
        "mask 0077",
        "folder /",
        "input ",
        "gone ",
        "split opt in",
        "closed yes yes",
    ]
    assert said.stderr == b""
    exported = {line.partition("=")[0] for line in names.stdout.decode().splitlines()}
    assert exported.isdisjoint(OURS)


def test_an_empty_path_does_not_become_the_current_folder(shell: Place) -> None:
    (said,) = answers(shell, "echo $PATH", environment={"PATH": ""})
    assert said.stdout == b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"


def test_the_header_says_who_answers(place: Place) -> None:
    script = ask("cut -d ' ' -f 19 </proc/self/stat", become=True)
    heard = place.hear(script)
    assert heard.header is not None
    assert heard.header.uid == os.getuid()
    if not place.tools or not place.tools[1].name.startswith("neither"):
        assert heard.header.user == pwd.getpwuid(os.getuid()).pw_name
        assert int(heard.answers["A"].stdout) >= 10
    assert heard.header.boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    machine = Path("/etc/machine-id")
    assert heard.header.machine == (machine.read_text().strip() if machine.exists() else "")


def test_questions_are_timed(shell: Place) -> None:
    quick, slow = answers(shell, ":", "sleep 0.3")
    assert quick.seconds >= 0
    assert slow.seconds > 0.25


def test_the_script_needs_no_python_and_leaves_nothing(place: Place) -> None:
    mark = Mark()
    script = ask("echo one", "echo two")
    assert "python" not in script.text
    with place.start(script, environment=mark.environment) as process:
        assert process.communicate()[1] == b""
    assert process.returncode == 0
    assert mark.gone(0.5), mark.running()
