"""Several iterators that take their time, read as one."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

Item = TypeVar("Item")

TICK = 0.25
"""Seconds between two looks at whether anybody still reads."""

PATIENCE = 5.0
"""Seconds that sources have to close when the reader leaves; one that is asleep closes when it wakes."""


def merged(sources: Sequence[Iterator[Item]]) -> Iterator[Item]:
    """Every source's items as they arrive. An exception in a source is raised here, once the others are drained. When
    the reader leaves early every source is closed."""
    if len(sources) == 1:
        yield from sources[0]
        return
    arriving: queue.Queue[tuple[bool, Item | BaseException | None]] = queue.Queue(maxsize=16)
    gone = threading.Event()
    threads = [threading.Thread(target=_drain, args=(one, arriving, gone), daemon=True) for one in sources]
    try:
        for thread in threads:
            thread.start()
        yield from _arrived(len(sources), arriving)
    finally:
        gone.set()
        _join(threads)


def _arrived(left: int, arriving: queue.Queue[tuple[bool, Item | BaseException | None]]) -> Iterator[Item]:
    error: BaseException | None = None
    while left:
        over, item = arriving.get()
        if not over:
            yield item  # type: ignore[misc]  # what is not over is an item
            continue
        left -= 1
        error = error or item  # type: ignore[assignment]  # what is over carries an exception or nothing
    if error is not None:
        raise error


def _join(threads: Sequence[threading.Thread]) -> None:
    deadline = time.monotonic() + PATIENCE
    for thread in threads:
        if thread.ident is not None and thread is not threading.current_thread():
            thread.join(max(0.0, deadline - time.monotonic()))


def _drain(
    source: Iterator[Item], arriving: queue.Queue[tuple[bool, Item | BaseException | None]], gone: threading.Event
) -> None:
    """Reads a source to its end, or until nobody reads any more: it is closed in the thread that it runs in."""
    error: BaseException | None = None
    try:
        for item in source:
            if not _put((False, item), arriving, gone):
                break
    except BaseException as raised:
        error = raised
    if gone.is_set():
        close = getattr(source, "close", None)
        with suppress(Exception):  # nobody is there to hear of it
            if close is not None:
                close()
    _put((True, error), arriving, gone)


def _put(
    item: tuple[bool, Item | BaseException | None],
    arriving: queue.Queue[tuple[bool, Item | BaseException | None]],
    gone: threading.Event,
) -> bool:
    """Whether it was handed over: the reader is there."""
    while not gone.is_set():
        try:
            arriving.put(item, timeout=TICK)
        except queue.Full:
            continue
        return True
    return False
