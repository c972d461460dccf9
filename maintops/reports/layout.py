"""Rows of pieces of text, laid out in columns for a terminal. Pure: a width in, lines out.

Widths are terminal cells (a Chinese character takes two, a combining mark none), measured as rich measures them.
"""

from __future__ import annotations

from collections.abc import Sequence

Piece = tuple[str, str]
"""Text, already safe to show, and the rich style it is shown in ("" for none)."""

Line = tuple[Piece, ...]

GAP = 2
"""Cells between two columns."""

_NARROWEST = 6


def plain(line: Line) -> str:
    """A line without its styles and without spaces at its end."""
    return "".join(text for text, _ in line).rstrip(" ")


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` cells (at least 2), broken at spaces and, in longer words, anywhere."""
    from rich.cells import cell_len, chop_cells

    lines: list[str] = []
    current = ""
    for word in text.split(" "):
        longer = f"{current} {word}" if current else word
        if cell_len(longer) <= width:
            current = longer
            continue
        if current:
            lines.append(current)
        *full, current = chop_cells(word, width) or [""]
        lines.extend(full)
    return [*lines, current]


def aligned(
    rows: Sequence[Sequence[Piece]], *, width: int | None, right: frozenset[int] = frozenset(), indent: int = 0
) -> list[Line]:
    """The rows with their columns aligned, two spaces between them; the columns numbered in `right` at their right.

    Where `width` is given, the widest columns are narrowed until a line fits, and their text is wrapped; a terminal
    too narrow for that gets lines that are too long. Every row has as many pieces as the first.
    """
    if not rows:
        return []
    widths = _widths(rows)
    if width is not None:
        widths = _fitted(widths, width - indent - GAP * (len(widths) - 1))
    return [line for row in rows for line in _lines(row, widths, right, indent)]


def _widths(rows: Sequence[Sequence[Piece]]) -> list[int]:
    from rich.cells import cell_len

    return [max(cell_len(text) for text, _ in column) for column in zip(*rows, strict=True)]


def _fitted(widths: list[int], room: int) -> list[int]:
    """The widest columns cut to one common width, so that all fit into `room`; none below its smallest width."""
    cap = max(widths)
    while cap > _NARROWEST and sum(min(width, cap) for width in widths) > room:
        cap -= 1
    fitted = [min(width, cap) for width in widths]
    spare = max(room - sum(fitted), 0)
    cut = [column for column, width in enumerate(widths) if width > cap]
    for column in cut:
        fitted[column] += spare // len(cut)
    return fitted


def _lines(row: Sequence[Piece], widths: list[int], right: frozenset[int], indent: int) -> list[Line]:
    blocks = [wrapped(text, width) if text else [""] for (text, _), width in zip(row, widths, strict=True)]
    lines: list[Line] = []
    for height in range(max(len(block) for block in blocks)):
        texts = [block[height] if height < len(block) else "" for block in blocks]
        cells = [
            _padded(text, width, column in right)
            for column, (text, width) in enumerate(zip(texts, widths, strict=True))
        ]
        styled = [(cell + " " * GAP, style) for cell, (_, style) in zip(cells, row, strict=True)]
        lines.append(((" " * indent, ""), *styled))
    return lines


def _padded(text: str, width: int, right: bool) -> str:
    from rich.cells import cell_len

    space = " " * max(width - cell_len(text), 0)
    return space + text if right else text + space
