"""A server's record, or a further part of it, is kept under the first id that is free; what was written stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import overload

from maintops.domain.ports import Memory, Store, Verdict
from maintops.domain.records import ServiceRecord, part_id

Judge = Callable[[ServiceRecord, Memory], Verdict]


@overload
def keep_part(
    store: Store, draft: ServiceRecord, judge: Judge, at: datetime, *, first: int = 1, answer: bytes = b""
) -> Verdict: ...
@overload
def keep_part(
    store: Store,
    draft: ServiceRecord,
    judge: Judge,
    at: datetime,
    *,
    first: int = 1,
    answer: bytes = b"",
    given_up: Callable[[], bool],
) -> Verdict | None: ...
def keep_part(
    store: Store,
    draft: ServiceRecord,
    judge: Judge,
    at: datetime,
    *,
    first: int = 1,
    answer: bytes = b"",
    given_up: Callable[[], bool] = lambda: False,
) -> Verdict | None:
    """Keeps a record, or where it exists a further part of it (RUN-0001.2, …), under the first id that is free from
    part `first` on. `draft` has the id of the record itself; `judge` gets it with the id that it will have. `answer` is
    the raw stream. `given_up` is asked whenever an id was not free: where it says so nothing is kept, and None
    returned."""
    number = first
    while True:
        part = draft if number == 1 else replace(draft, id=part_id(draft.id, number))

        def judged(memory: Memory, part: ServiceRecord = part) -> Verdict:
            return judge(part, memory)

        verdict = store.commit(draft.run, part.id, draft.server, judged, answer, at)
        if verdict is not None or given_up():
            return verdict
        number += 1  # an earlier part, or somebody else's at this very moment
