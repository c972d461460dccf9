from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import Answer, Question
from maintops.domain.ports import Script
from maintops.script.compiling import compile_script
from maintops.script.reading import Header, Heard, current, hear
from tests.unit.script.framing import BOOT, KEY, MACHINE, Told, framed

CHECKS = ("A", "B", "C")
SCRIPT = compile_script([Question(check, f"ask {check}", 5.0, 1000) for check in CHECKS], become=False)

OUTPUT = st.one_of(
    st.binary(max_size=60),
    st.text(alphabet="a #!\n\r\0\x1b=.", max_size=60).map(str.encode),
    st.sampled_from([f"\n#{SCRIPT.digest} e 0 99.00 0\n#{SCRIPT.digest} z 3\n".encode(), b"", b"\n", b"\n\n"]),
)
LINE = OUTPUT.map(lambda said: said.replace(b"\n", b""))
TOLD = st.builds(
    Told,
    stdout=OUTPUT,
    stderr=st.lists(LINE, max_size=3).map(tuple),
    status=st.none() | st.integers(0, 255),
    late=st.booleans(),
    limit=st.integers(0, 70),
)
ALL_TOLD = st.lists(TOLD, min_size=3, max_size=3)


def expected(told: Told) -> Answer:
    said = told.stdout.replace(b"\0", b"")
    # NULs counted on the server: without a status what stood behind them may have been cut off with it
    unsure = told.status is None and len(told.stdout) > told.limit
    return Answer(
        stdout=said[: told.limit],
        stderr=b"".join(line + b"\n" for line in told.stderr if line),
        status=None if told.late else told.status,
        truncated=unsure or len(said) > told.limit,
        timed_out=told.late,
        seconds=1.5,
    )


@given(ALL_TOLD)
def test_what_was_told_is_heard(told: list[Told]) -> None:
    heard = hear(framed(SCRIPT, told), SCRIPT)
    assert heard.answers == dict(zip(CHECKS, map(expected, told), strict=True))
    assert heard.header == Header(MACHINE, BOOT, "root", 0)
    assert heard.complete
    assert heard.begun is None


@given(ALL_TOLD, st.data())
def test_a_stream_that_is_cut_keeps_what_was_answered_to_its_end(told: list[Told], data: st.DataObject) -> None:
    stream = framed(SCRIPT, told)
    whole = hear(stream, SCRIPT)
    cut = stream[: data.draw(st.integers(0, len(stream) - 1))]
    heard = hear(cut, SCRIPT)
    assert not heard.complete
    assert heard.answers == {check: whole.answers[check] for check in CHECKS[: len(heard.answers)]}
    assert heard.begun == current(cut, SCRIPT)
    if heard.begun:
        assert heard.begun == CHECKS[len(heard.answers)]


def test_the_check_in_the_middle_is_known_at_every_byte() -> None:
    stream = framed(SCRIPT, [Told(b"one\n"), Told(b"two\n", (b"oh",)), Told(b"three")])
    seen = [current(stream[:size], SCRIPT) for size in range(len(stream) + 1)]
    changes = [check for before, check in zip([None, *seen], seen, strict=False) if check != before]
    assert changes == ["A", "B", "C", None]
    assert [hear(stream[:size], SCRIPT).begun for size in range(len(stream))] == seen[:-1]


def _stream(*marks: str) -> bytes:
    words = [f"#{SCRIPT.digest} h 3 0 - - 1 {KEY} root", *(f"#{KEY} {mark}" for mark in marks)]
    return "".join(f"\n{word}\n" for word in words).encode()


def test_a_question_whose_job_was_ended_keeps_what_it_had_handed_on() -> None:
    stream = _stream("b 0 100 1.00 A\nhalf", "b 0 100 1.00 A", "e 0 3.00 1")
    assert hear(stream, SCRIPT).answers["A"] == Answer(b"half\n", b"", None, timed_out=True, seconds=2.0)


def test_an_end_that_is_said_twice_counts_once() -> None:
    stream = _stream("b 0 100 1.00 A\none", "s 0", "x", "e 0 1.50 0", "e 0 2.00 1", "b 1 100 2.00 B\ntwo", "s 0", "x")
    heard = hear(stream, SCRIPT)
    assert heard.answers == {"A": Answer(b"one\n", b"", 0, seconds=0.5)}
    assert (heard.begun, current(stream, SCRIPT)) == ("B", "B")


def test_output_that_nobody_could_hold_counts_as_truncated() -> None:
    stream = _stream("b 0 100 1.00 A", "e 0 3.00 2")
    assert hear(stream, SCRIPT).answers["A"] == Answer(b"", b"", None, truncated=True, seconds=2.0)


def test_output_that_was_cut_for_its_nuls_counts_as_truncated() -> None:
    cut = _stream("b 0 10 1.00 A\none\0\0\0\0\0\0\0\0\0\0", "e 0 3.00 0")
    assert hear(cut, SCRIPT).answers["A"] == Answer(b"one\n", b"", None, truncated=True, seconds=2.0)
    whole = _stream("b 0 10 1.00 A\none\0\0\0\0\0\0\0\0\0\0", "s 0", "x", "e 0 3.00 0")
    assert hear(whole, SCRIPT).answers["A"] == Answer(b"one\n", b"", 0, seconds=2.0)


def test_a_script_that_gave_up_asks_nothing_more() -> None:
    stream = _stream("b 0 100 1.00 A", "e 0 3.00 3")
    heard = hear(stream, SCRIPT)
    assert heard.answers["A"].timed_out
    assert (heard.begun, current(stream, SCRIPT), heard.complete) == (None, None, False)


@given(st.binary(max_size=300))
def test_any_bytes_can_be_heard(stream: bytes) -> None:
    assert hear(stream, SCRIPT) == Heard()
    assert current(stream, SCRIPT) is None


@given(ALL_TOLD, st.data())
def test_any_mutation_can_be_heard(told: list[Told], data: st.DataObject) -> None:
    stream = bytearray(framed(SCRIPT, told))
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(stream)))
        stream[at : at + data.draw(st.integers(0, 30))] = data.draw(OUTPUT)
    heard = hear(bytes(stream), SCRIPT)
    assert set(heard.answers) <= set(CHECKS)
    assert heard.begun in (None, *CHECKS)
    assert current(bytes(stream), SCRIPT) in (None, *CHECKS)


OPENING = f"\n#{SCRIPT.digest} ".encode()
HEADER = OPENING + f"h 3 0 {MACHINE} {BOOT} 1.0 {KEY} root\n".encode()
MARK = f"\n#{KEY} ".encode()


@pytest.mark.parametrize(
    "frames",
    [
        b"e 0 2.0 0\n",
        b"s 0\n",
        b"b 0 100 1.0 A\n" + MARK + b"e 1 2.0 0\n",
        b"b 7 100 1.0 H\n" + MARK + b"e 7 2.0 0\n",
        b"b 0 " + b"9" * 5000 + b" 1.0 A\n" + MARK + b"e 0 2.0 0\n",
        b"b 0 100 nan A\n" + MARK + b"e 0 inf 0\n",
        b"b " + "²".encode() + b" 100 1.0 A\n" + MARK + b"e 0 2.0 0\n",
    ],
)
def test_frames_that_make_no_sense_are_no_answers(frames: bytes) -> None:
    heard = hear(HEADER + MARK + frames, SCRIPT)
    assert heard.header is not None
    assert heard.answers == {}


@pytest.mark.parametrize(
    "words", [b"h 1 0 ab - 1 k root", b"h 3 x ab - 1 k root", b"h 3 0", b"h 3 0 AB/.. - 1 k root", b"b 0 1 1.0 A"]
)
def test_a_header_that_makes_no_sense_is_none(words: bytes) -> None:
    assert hear(OPENING + words + b"\n" + OPENING + b"z 0\n", SCRIPT) == Heard()


def test_a_machine_may_have_no_ids_and_a_user_an_odd_name() -> None:
    stream = OPENING + b"h 3 1000 - - 5 k DOMAIN\\j\xf6rg x\n"
    assert hear(stream, SCRIPT).header == Header("", "", "DOMAIN\\j\N{REPLACEMENT CHARACTER}rg x", 1000)


def test_a_uid_may_be_unknown() -> None:
    header = hear(OPENING + b"h 3 -1 - - 5 k \n", SCRIPT).header
    assert header == Header("", "", "", -1)


@pytest.mark.parametrize(
    "banner",
    [b"Welcome\r\n\r\n", b"no newline", b"\xff\0\x1b[2J\n", f"talks of #{SCRIPT.digest} h 2".encode(), b"\n" * 1000],
)
def test_banners_before_and_bytes_behind_are_ignored(banner: bytes) -> None:
    stream = framed(SCRIPT, [Told(b"one"), Told(), Told()])
    assert hear(banner + stream + banner, SCRIPT) == hear(stream, SCRIPT)
    assert current(banner + stream + banner, SCRIPT) is None


def test_frames_behind_the_end_are_ignored() -> None:
    stream = framed(SCRIPT, [Told(b"one"), Told(b"two"), Told(b"three")])
    again = framed(SCRIPT, [Told(b"1"), Told(b"2"), Told(b"3")])
    assert hear(stream + again, SCRIPT) == hear(stream, SCRIPT)


def test_the_stream_of_another_script_says_nothing() -> None:
    other = compile_script([Question(check, "other", 5.0, 1000) for check in CHECKS], become=False)
    stream = framed(other, [Told(b"one"), Told(), Told()])
    assert hear(stream, SCRIPT) == Heard()
    assert current(stream, SCRIPT) is None
    assert current(stream[:-60], SCRIPT) is None


def test_an_answer_whose_machinery_was_ended_has_no_status() -> None:
    stream = HEADER + MARK + b"b 0 100 1.0 A\nhalf a li" + MARK + b"e 0 9.5 1\n"
    heard = hear(stream, SCRIPT)
    assert heard.answers == {"A": Answer(b"half a li", b"", None, False, True, 8.5)}


def test_a_clock_that_goes_back_gives_no_negative_time() -> None:
    heard = hear(HEADER + MARK + b"b 0 100 5.0 A\n" + MARK + b"s 0\n" + MARK + b"e 0 4.0 0\n", SCRIPT)
    assert heard.answers["A"].seconds == 0.0


def test_what_stands_behind_the_excerpt_is_nobodys() -> None:
    told = b"b 0 100 1.0 A\nout" + MARK + b"s 3\n\nwrong\n" + MARK + b"x\nleft behind" + MARK + b"x\n"
    heard = hear(HEADER + MARK + told + MARK + b"s 4\n" + MARK + b"e 0 2.0 0\n", SCRIPT)
    assert heard.answers == {"A": Answer(b"out", b"wrong\n", 3, False, False, 1.0)}


def test_an_excerpt_without_an_end_is_kept() -> None:
    told = b"b 0 100 1.0 A\nout" + MARK + b"s 3\nwro" + MARK + b"e 0 2.0 0\n"
    assert hear(HEADER + MARK + told, SCRIPT).answers == {"A": Answer(b"out", b"wro\n", 3, False, False, 1.0)}


def longest(script: Script) -> int:
    """Bytes of the longest stream that the model can make of it."""
    told = [Told(b"\n" * 5000, (b"x" * 99,) * 20, 255, True) for _ in script.checks]
    return len(framed(script, told, user=b"u" * 32))


def test_the_longest_stream_is_within_the_limit() -> None:
    assert longest(SCRIPT) <= SCRIPT.limit
