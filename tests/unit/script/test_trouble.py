"""Scripts whose questions hang, flood and leave things behind, and scripts that nobody listens to any more."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from maintops.domain.answers import Question
from maintops.domain.ports import Script
from maintops.script.compiling import compile_script
from maintops.script.reading import Heard, hear
from tests.unit.script.shells import PRESENT, Mark, Place, ask

pytestmark = pytest.mark.slow
"""Trouble is waited for: these take a minute together."""

WHERE = {
    "dash": ("dash", "not nice"),
    "bash": ("bash as sh", "not nice"),
    "busybox": ("busybox", "applets only"),
}

TROUBLE = {
    "hang": Question("A", "echo begun; sleep 300", 1.0, 100),
    "children": Question("A", "echo begun; sh -c 'sleep 300 & sleep 300'; :", 1.0, 100),
    "deaf children": Question("A", "echo begun; (trap '' TERM; sleep 300) >/dev/null 2>&1 & sleep 300", 1.0, 100),
    "deaf": Question("A", "trap '' TERM; echo begun; sleep 300; sleep 300", 1.0, 100),
    "escaped": Question("A", "echo early; (setsid sleep 300 &); exit 3", 300.0, 100),
    "escaped hang": Question("A", "echo begun; setsid sleep 300 & sleep 300", 1.0, 100),
    "flood": Question("A", "yes", 300.0, 100),
    "endless line": Question("A", "tr '\\0' x </dev/zero", 300.0, 100),
    "nothing without end": Question("A", "cat /dev/zero", 300.0, 100),
    "deaf flood": Question("A", "trap '' PIPE; while :; do echo y 2>/dev/null || sleep 0.1; done", 1.0, 100),
    "loud flood": Question("A", "echo out; seq 300000 >&2; sleep 300", 2.0, 100),
    "endless complaints": Question("A", "echo out; yes >&2", 300.0, 100),
    "part": Question("A", "part one echo 1; part two sh -c 'echo 2; sleep 300'; part three echo 3", 1.0, 100),
}


@dataclass(frozen=True)
class Seen:
    """What became of a trouble: what was heard, and what still ran a while after the script had ended."""

    heard: Heard
    left: list[str]


@pytest.fixture(scope="module")
def trial(find_place: Callable[[str, str], Place]) -> Iterator[Callable[[str, str], Seen]]:
    """Tells what became of a trouble in a place. All of them run at once: they wait more than they work."""
    places = {name: find_place(*where) for name, where in WHERE.items()}
    every = list(itertools.product(TROUBLE, WHERE))
    with ThreadPoolExecutor(len(every)) as pool:
        begun = {(kind, where): pool.submit(_carry, places[where], TROUBLE[kind]) for kind, where in every}
        yield lambda kind, where: begun[kind, where].result()


def _carry(place: Place, question: Question) -> Seen:
    mark = Mark()
    script = compile_script([question, Question("B", "echo after", 20.0, 100)], become=False)
    with place.start(script, environment=mark.environment) as process:
        stream = process.communicate(timeout=240)[0]
    mark.gone(20)
    return Seen(hear(stream, script), mark.running())


Trial = Callable[[str, str], Seen]


def _fine_afterwards(seen: Seen) -> None:
    assert seen.heard.complete
    assert (seen.heard.answers["B"].stdout, seen.heard.answers["B"].status) == (b"after\n", 0)
    assert seen.left == []


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("trouble", ["hang", "children", "deaf children", "deaf", "escaped hang"])
def test_a_hung_question_is_ended_with_all_that_it_started(trial: Trial, trouble: str, where: str) -> None:
    seen = trial(trouble, where)
    answer = seen.heard.answers["A"]
    assert (answer.timed_out, answer.status, answer.truncated) == (True, None, False)
    assert answer.stdout == b"begun\n"
    assert answer.seconds >= 1
    _fine_afterwards(seen)


@pytest.mark.parametrize("where", WHERE)
def test_what_a_question_leaves_behind_holds_nobody_up(trial: Trial, where: str) -> None:
    seen = trial("escaped", where)
    answer = seen.heard.answers["A"]
    assert (answer.stdout, answer.status, answer.timed_out) == (b"early\n", 3, False)
    assert answer.seconds < 60
    _fine_afterwards(seen)


def test_a_kernel_that_lists_no_children_delays_nobody() -> None:
    script = ask("echo a", "seq 1000", "seq 900; exit 4", "sleep 1.2", "seq 1000", timeout=3)
    listing = "/proc/$$/task/$$/children"
    assert script.text.count(listing) > 2
    for shell in PRESENT:
        text = replace(script, text=script.text.replace(listing, "/nothing/children"))
        heard = Place(shell).hear(text)
        assert heard.complete, shell
        assert [one.status for one in heard.answers.values()] == [0, 0, 4, 0, 0], shell
        assert sum(one.seconds for one in heard.answers.values()) < 4, shell


def test_a_hunter_that_is_stuck_is_not_taken_for_a_later_question() -> None:
    """Reading the environment of a sick process can take forever; the questions behind it are asked all the same."""
    script = ask("echo a; setsid sleep 50 & exit 6", "echo b", "seq 900; exit 4", timeout=2)
    line = 'hunt "$1" $(trace "$2")\n'
    assert script.text.count(line) == 1
    stuck = replace(script, text=script.text.replace(line, line.rstrip() + "; sleep 25\n"))
    for shell in PRESENT:
        heard = Place(shell).hear(stuck)
        assert heard.complete, shell
        assert [(one.status, one.timed_out) for one in heard.answers.values()] == [(6, False), (0, False), (4, False)]
        assert sum(one.seconds for one in heard.answers.values()) < 20, shell


def test_a_process_cannot_point_the_hunter_at_another_one(tmp_path: Path) -> None:
    """A process's name may hold a newline, and what looks like another process's line behind it."""
    bystander = subprocess.Popen([shutil.which("sleep") or "", "300"])
    program = tmp_path / "named.py"
    named = f"open('/proc/self/comm', 'w').write('\\n{bystander.pid} (')"
    program.write_text(f"import time\n{named}\nprint('named', flush=True)\ntime.sleep(300)\n")
    try:
        heard = Place("dash").hear(ask(f"env -i {sys.executable} {program} & sleep 300", "echo after", timeout=2))
        assert (heard.answers["A"].stdout, heard.answers["A"].timed_out) == (b"named\n", True)
        assert heard.answers["B"].stdout == b"after\n"
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.parametrize("where", WHERE)
def test_a_flood_is_cut(trial: Trial, where: str) -> None:
    seen = trial("flood", where)
    answer = seen.heard.answers["A"]
    assert (answer.stdout, answer.truncated, answer.timed_out) == (b"y\n" * 50, True, False)
    assert answer.status is None, "its status would come behind its output"
    assert answer.seconds < 60
    _fine_afterwards(seen)


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("trouble", ["endless line", "nothing without end"])
def test_a_line_without_an_end_is_ended_and_nothing_of_it_kept(trial: Trial, trouble: str, where: str) -> None:
    seen = trial(trouble, where)
    answer = seen.heard.answers["A"]
    assert (answer.stdout, answer.status, answer.truncated, answer.timed_out) == (b"", None, True, False)
    assert answer.seconds < 60
    _fine_afterwards(seen)


@pytest.mark.parametrize("where", WHERE)
def test_a_flood_that_goes_on_is_ended_at_its_timeout(trial: Trial, where: str) -> None:
    seen = trial("deaf flood", where)
    answer = seen.heard.answers["A"]
    assert (answer.stdout, answer.truncated, answer.timed_out) == (b"y\n" * 50, True, True)
    _fine_afterwards(seen)


@pytest.mark.parametrize("where", WHERE)
def test_complaints_without_end_are_ended(trial: Trial, where: str) -> None:
    seen = trial("endless complaints", where)
    answer = seen.heard.answers["A"]
    assert (answer.stdout, answer.truncated, answer.timed_out) == (b"out\n", False, False)
    assert answer.status is None
    assert answer.seconds < 60
    _fine_afterwards(seen)


@pytest.mark.parametrize("where", WHERE)
def test_a_flood_of_complaints_is_cut_and_ended_at_its_timeout(trial: Trial, where: str) -> None:
    seen = trial("loud flood", where)
    answer = seen.heard.answers["A"]
    assert (answer.stdout, answer.truncated, answer.timed_out) == (b"out\n", False, True)
    assert answer.stderr.startswith(b"1\n2\n")
    assert len(answer.stderr) <= 2000
    _fine_afterwards(seen)


def test_a_timeout_is_rounded_up_and_never_early() -> None:
    # With a clock of 2 seconds a tick comes about 0.6 seconds after A begins; a whole tick comes 2 seconds later.
    script = compile_script(
        [Question("Z", "sleep 1.4", 20.0, 100), Question("A", "sleep 1.2; echo in time", 0.1, 100)], become=False
    )
    with contextlib.ExitStack() as stack:
        for process in [stack.enter_context(Place(shell, tick=2).start(script)) for shell in PRESENT]:
            answer = hear(process.communicate()[0], script).answers["A"]
            assert (answer.stdout, answer.status, answer.timed_out) == (b"in time\n", 0, False)


@pytest.mark.parametrize("where", WHERE)
def test_the_parts_before_a_hang_are_kept(trial: Trial, where: str) -> None:
    seen = trial("part", where)
    assert seen.heard.answers["A"].stdout == b"=one\n 1\n.0\n=two\n 2\n"
    assert seen.heard.answers["A"].timed_out
    _fine_afterwards(seen)


def _until(process: subprocess.Popen[bytes], wanted: bytes) -> None:
    """Reads until something was printed, and then listens no more."""
    assert process.stdout is not None
    seen = b""
    while wanted not in seen:
        piece = os.read(process.stdout.fileno(), 65536)
        assert piece, seen
        seen += piece


@contextlib.contextmanager
def _begun(script: Script, deaf: Iterable[bool] = (False,)) -> Iterator[list[tuple[Mark, subprocess.Popen[bytes]]]]:
    """The script in every shell at once, its first question begun."""
    with contextlib.ExitStack() as stack:
        every = []
        for shell, ignores in itertools.product(PRESENT, deaf):
            mark = Mark()
            process = Place(shell).start(script, environment=mark.environment, deaf=ignores)
            every.append((mark, stack.enter_context(process)))
        for mark, process in every:
            _until(process, b" h 3 ")
            while not mark.asking():
                time.sleep(0.02)
        yield every


def _listen_no_more(every: Iterable[tuple[Mark, subprocess.Popen[bytes]]]) -> None:
    for _, process in every:
        assert process.stdout is not None
        process.stdout.close()
    for mark, process in every:
        process.wait(timeout=60)
        assert mark.gone(20), mark.running()


def test_when_nobody_listens_no_further_question_is_asked(tmp_path: Path) -> None:
    touches = [f"touch {tmp_path}/$$.{number}" for number in range(5)]
    with _begun(ask("sleep 1", *touches), deaf=[False, True]) as every:
        _listen_no_more(every)
    assert list(tmp_path.iterdir()) == []


def test_when_nobody_listens_a_hung_question_ends_at_its_timeout_and_the_script_with_it() -> None:
    with _begun(ask("sleep 300", "sleep 300", timeout=1)) as every:
        started = time.monotonic()
        _listen_no_more(every)
    assert time.monotonic() - started < 120


def test_a_script_that_is_ended_ends_what_it_started() -> None:
    with _begun(ask("sleep 300 & setsid sleep 300")) as every:
        for mark, process in every:
            while sum(line.startswith("sleep 300") for line in mark.running()) < 2:
                time.sleep(0.02)
            process.terminate()
        for mark, process in every:
            process.wait(timeout=60)
            assert mark.gone(20), mark.running()


def test_a_script_that_is_killed_lets_go_of_its_answer() -> None:
    with _begun(ask("sleep 1")) as every:
        for _, process in every:
            process.kill()
        for _, process in every:
            process.communicate(timeout=30)  # it reads to the end before it looks after the dead


def test_a_listener_that_is_slow_for_a_while_hears_everything() -> None:
    names = [f"CHECK-{number:012d}" for number in range(60)]
    script = compile_script([Question(name, ":", 200.0, 10) for name in names], become=False)
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(Place(shell, tick=0.2).start(script)) for shell in PRESENT]
        for process in processes:
            assert process.stdout is not None
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        time.sleep(2)  # the pipes are full by now, and the clocks of the scripts tick
        for process in processes:
            heard = hear(process.communicate()[0], script)
            assert heard.complete
            assert list(heard.answers) == names


def test_a_process_out_of_reach_is_waited_for_no_longer() -> None:
    ends = f"sleep 20.{secrets.randbelow(10**9)}"
    script = ask(f"echo begun; (env -i setsid {ends} &)", "echo after", timeout=1)
    with ThreadPoolExecutor() as pool:
        every = list(pool.map(lambda shell: Place(shell, tick=0.2).hear(script), PRESENT))
    left = [file for file in Path("/proc").glob("[0-9]*/cmdline") if _holds(file, ends.encode().replace(b" ", b"\0"))]
    for file in left:
        os.kill(int(file.parent.name), signal.SIGKILL)
    assert len(left) == len(PRESENT)  # nobody could find them: their environments and their parents tell nothing
    for heard in every:
        assert heard.complete
        answer = heard.answers["A"]
        assert (answer.stdout, answer.status, answer.timed_out) == (b"begun\n", None, False)
        assert heard.answers["B"].stdout == b"after\n"


def _holds(file: Path, words: bytes) -> bool:
    try:
        return file.read_bytes().startswith(words)
    except OSError:
        return False


def _without_proc(script: Script, tools: tuple[Path, ...] = (), tick: float = 1) -> tuple[Heard, int]:
    """The script under dash on a server that has no /proc: in namespaces of its own, with an empty folder over it.
    What it leaves running ends with it."""
    unshare = shutil.which("unshare")
    if os.geteuid() != 0 or unshare is None:
        pytest.skip("a server without /proc needs root and unshare (util-linux)")
    place = Place("dash", tools, tick)
    hide = 'mount -t tmpfs none /proc && exec "$@"'
    command = [unshare, "-m", "-p", "-f", "sh", "-c", hide, "sh", place.program, *place.command(script)[1:]]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    if b"unshare" in done.stderr or b"mount" in done.stderr:
        pytest.skip(f"no namespaces here: {done.stderr.decode()}")
    return hear(done.stdout, script), done.returncode


def test_a_server_without_proc_answers() -> None:
    heard, _ = _without_proc(ask("echo one; echo err >&2; exit 3", "part two echo 2"))
    assert heard.complete
    assert heard.header is not None
    assert (heard.header.boot, heard.header.uid) == ("", 0)
    first = heard.answers["A"]
    assert (first.stdout, first.stderr, first.status) == (b"one\n", b"err\n", 3)
    assert heard.answers["B"].stdout == b"=two\n 2\n.0\n"


def test_a_server_without_proc_ends_a_hung_question_by_timeout() -> None:
    heard, _ = _without_proc(ask("echo begun; sleep 300", "echo after", timeout=1))
    assert heard.complete
    assert heard.answers["A"].timed_out
    assert heard.answers["A"].stdout == b"begun\n"
    assert heard.answers["B"].stdout == b"after\n"


def test_a_server_without_proc_and_timeout_goes_on_without_a_hung_question(
    find_place: Callable[[str, str], Place],
) -> None:
    script = ask("echo fine", "echo begun; sleep 300", "echo after", timeout=1)
    heard, status = _without_proc(script, find_place("dash", "neither").tools, tick=0.15)
    assert (heard.complete, status) == (True, 0)
    assert heard.answers["A"].stdout == b"fine\n"
    assert (heard.answers["B"].stdout, heard.answers["B"].timed_out) == (b"begun\n", True)
    assert heard.answers["C"].stdout == b"after\n"


def test_a_mark_is_found_where_its_newline_was_pushed_away() -> None:
    script = ask("echo fine")
    stream = Place("dash").stream(script)
    key = stream.split(b" ")[7]
    assert stream.count(b"\n#" + key + b" s ") == 1
    pushed = stream.replace(b"\n#" + key + b" s ", b"\n junk#" + key + b" s ")
    assert hear(pushed, script).answers["A"].status == 0
