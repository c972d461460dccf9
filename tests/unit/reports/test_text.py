from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from maintops.domain.outcomes import Outcome
from maintops.domain.runs import RunState
from maintops.reports.layout import aligned, plain, wrapped
from maintops.reports.text import print_record, print_run, run_lines, table
from tests.unit.reports import samples
from tests.unit.reports.samples import BEGAN, HOSTILE, TITLES, cell, record, run_of

ANY_TEXT = st.text(st.characters(categories=None), max_size=40)


def pipe(width: int = 80) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=False)


def terminal(width: int = 80, **more: object) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=True, color_system="standard", **more)  # type: ignore[arg-type]


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_parts_come_in_order_and_the_summary_last() -> None:
    run, records = samples.fleet()
    lines = run_lines(run, records, titles=TITLES)
    heads = [line for line in lines if line and not line.startswith(" ")]
    assert heads == [
        "Needs attention (6)",
        "Remarks (2)",
        "Not measured (5)",
        "Skipped (3)",
        "Waived (1)",
        "No answer (2)",
        "Servers (6)",
        "Daily check (daily-check), run 20260302-073000-k4t9, by Wang Li",
        "Finished 2026-03-02 07:30:12 UTC, after 12 s.",
        lines[-1],
    ]
    assert lines[-1].startswith("2 of 6 servers need attention")
    first = lines[1].split()
    assert first[:4] == ["critical", "db1.rotterdam.example", "HW-010", "/dev/sdb"]
    assert any("Time is synchronised: the check took longer than its 20 s" in line for line in lines)
    assert any(
        line.split()[:2] == ["unreachable", "cache1.rotterdam.example"] and "every check" in line for line in lines
    )
    assert any("2 critical, 1 failed, 2 warning, 1 not measured, 1 waived, 2 ok, 1 skipped" in line for line in lines)


def test_a_calm_run_is_short() -> None:
    one = record("web1", [cell("A-1"), cell("A-2")])
    assert run_lines(run_of([one]), [one], titles={}) == [
        "Servers (1)",
        "  ok  web1  2 ok  2.4 s",
        "",
        "Daily check (daily-check), run 20260302-073000-k4t9, by Wang Li",
        "Finished 2026-03-02 07:30:12 UTC, after 12 s.",
        "1 server planned, nothing found that needs attention.",
    ]


def test_a_run_that_did_not_finish_says_why_and_names_who_is_missing() -> None:
    one = record("web1", [cell("A-1")])
    stopped = run_of([one], state=RunState.CANCELLED, reason="stopped by Ctrl-C", unanswered=["web2"], checks=["A-1"])
    lines = run_lines(stopped, [one], titles={})
    assert "Cancelled 2026-03-02 07:30:12 UTC, after 12 s: stopped by Ctrl-C." in lines
    assert "  not reached  web2  stopped by Ctrl-C  every check" in lines
    going = run_lines(run_of([one], state=RunState.RUNNING), [one], titles={})
    assert "Running since 2026-03-02 07:30:00 UTC." in going


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_longer_than_the_width(width: int) -> None:
    run, records = samples.fleet()
    lines = run_lines(run, records, titles=TITLES, width=width)
    assert max(cell_len(line) for line in lines) <= width


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("width", [None, 80])
def test_hostile_text_cannot_act_on_a_terminal(text: str, width: int | None) -> None:
    lines = run_lines(*samples.hostile(text), titles={"X-1": text}, width=width)
    assert all(line.isprintable() or "\ufe0f" in line for line in lines)


@settings(deadline=None)
@given(ANY_TEXT)
def test_no_text_brings_a_control_character_or_a_line_of_its_own(text: str) -> None:
    calm = run_lines(*samples.hostile("x"), titles={"X-1": "x"})
    lines = run_lines(*samples.hostile(text), titles={"X-1": text})
    assert len(lines) == len(calm)
    console = pipe()
    print_run(console, *samples.hostile(text), {"X-1": text})
    table(console, [text, "b"], [[text, 1], [None, 2]])
    shown = written(console)
    assert not [one for one in shown if one != "\n" and (one < " " or "\x7f" <= one <= "\x9f")]
    shown.encode()


def test_a_record_shows_every_cell_with_its_message_or_its_facts() -> None:
    _, records = samples.fleet()
    console = pipe()
    print_record(console, records[2], TITLES)
    lines = written(console).splitlines()
    assert lines[:5] == [
        "db1.rotterdam.example: Daily check (daily-check), by Wang Li",
        "2026-03-02 07:30:01 UTC, 2.4 s",
        f"Record {samples.RUN}-0003, engine ssh",
        "Note: host key learnt from the known_hosts file",
        "",
    ]
    assert lines[6].split()[:2] == ["warning", "SY-010"]
    assert lines[6].endswith("/var           /var is 91.4 % full")
    assert lines[7].endswith("used_percent=41.2")
    assert len(lines) == 6 + 10 + 2
    assert lines[-1] == "2 critical, 1 failed, 2 warning, 1 not measured, 1 waived, 2 ok, 1 skipped"


def test_a_record_of_hostile_text_has_a_line_per_cell_and_no_control_character() -> None:
    for text in HOSTILE:
        console = pipe()
        _, [one] = samples.hostile(text)
        print_record(console, one, {"X-1": text})
        shown = written(console)
        assert len(shown.splitlines()) == 4 + 1 + 1 + len(one.cells) + 2
        assert not [sign for sign in shown if sign != "\n" and (sign < " " or "\x7f" <= sign <= "\x9f")]


def test_markup_and_emoji_codes_of_servers_mean_nothing() -> None:
    console = terminal(200, no_color=True)
    table(console, ["what"], [["[bold red]x[/] :warning:"], ["[/]"]])
    assert "[bold red]x[/] :warning:" in written(console)


def test_colour_only_on_a_terminal_and_not_when_it_is_unwanted(monkeypatch: pytest.MonkeyPatch) -> None:
    run, records = samples.fleet()
    plainly, coloured = pipe(), terminal()
    print_run(plainly, run, records, TITLES)
    print_run(coloured, run, records, TITLES)
    assert written(plainly).splitlines() == run_lines(run, records, titles=TITLES)
    assert "\x1b[1;31mcritical" in written(coloured)
    monkeypatch.setenv("NO_COLOR", "1")
    without = terminal()
    print_run(without, run, records, TITLES)
    assert "\x1b[1;31m" not in written(without)
    assert "31m" not in written(without)


def test_a_table_is_aligned_and_one_line_a_row_in_a_pipe() -> None:
    console = pipe(20)
    table(
        console, ["Id", "Servers", "State", "Began"], [["f-1", 12, Outcome.OK, BEGAN], ["f-233", 7, "open " * 30, None]]
    )
    lines = written(console).splitlines()
    assert len(lines) == 3
    assert lines[0].split() == ["Id", "Servers", "State", "Began"]
    assert lines[1].startswith("f-1         12  ok  ")
    assert lines[1].endswith("2026-03-02 07:30:00 UTC")
    assert lines[2].startswith("f-233        7  open open")


def test_a_table_without_rows_shows_its_headings() -> None:
    console = pipe()
    table(console, ["Id", "State"], [])
    assert written(console) == "Id  State\n"


def test_a_table_on_a_terminal_wraps_its_widest_column_only() -> None:
    console = terminal(40, no_color=True)
    table(console, ["Id", "Message"], [["f-abcdefghijkl", "a message that is too long for the line it is on"]])
    lines = [line.replace("\x1b[1m", "").replace("\x1b[0m", "") for line in written(console).splitlines()]
    assert lines[1] == "f-abcdefghijkl  a message that is too"
    assert lines[2] == "                long for the line it is"
    assert lines[3] == "                on"


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), max_size=80), st.integers(2, 30))
def test_wrapping_keeps_every_character_and_the_width(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


@settings(deadline=None)
@given(
    st.lists(st.tuples(*[st.text("ab 维", max_size=30)] * 3), min_size=1, max_size=5),
    st.integers(30, 100),
)
def test_columns_stay_aligned_within_the_width(rows: list[tuple[str, str, str]], width: int) -> None:
    lines = aligned([[(text, "") for text in row] for row in rows], width=width)
    assert all(cell_len(plain(line)) <= width for line in lines)
    assert len({tuple(cell_len(text) for text, _ in line) for line in lines}) == 1
