"""Several iterators that take their time, read as one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def merged(sources: Sequence[Iterator[Item]]) -> Iterator[Item]:
    """Every source's items as they arrive. An exception in a source is raised here, once the others are drained."""
    if len(sources) == 1:
        yield from sources[0]
        return
    arriving: queue.Queue[tuple[bool, Item | BaseException | None]] = queue.Queue(maxsize=16)
    for source in sources:
        threading.Thread(target=_drain, args=(source, arriving), daemon=True).start()
    error: BaseException | None = None
    left = len(sources)
    while left:
        over, item = arriving.get()
        if not over:
            yield item  # type: ignore[misc]  # what is not over is an item
            continue
        left -= 1
        error = error or item  # type: ignore[assignment]  # what is over carries an exception or nothing
    if error is not None:
        raise error


def _drain(source: Iterator[Item], arriving: queue.Queue[tuple[bool, Item | BaseException | None]]) -> None:
    try:
        for item in source:
            arriving.put((False, item))
    except BaseException as error:
        arriving.put((True, error))
    else:
        arriving.put((True, None))
