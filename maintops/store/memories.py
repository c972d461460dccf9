"""What is known about servers, read within a transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from sqlalchemy import Connection
from sqlalchemy.sql import Executable

from maintops.domain.ports import Memory, Subjects
from maintops.store import codec, statements
from maintops.store.codec import column

AT_ONCE = 500
"""Servers that one query asks for: databases bound the values that a statement may have."""


def memory(connection: Connection, server: str) -> Memory:
    """All that is known about a server."""
    key = {"server": column(server)}

    def documents(statement: Executable) -> Iterator[str]:
        return iter(connection.execute(statement, key).scalars())

    known = connection.execute(statements.FACTS_OF, key)
    return Memory(
        {codec.text(check): codec.subjects_value(document) for check, document in known},
        tuple(map(codec.finding_value, documents(statements.FINDINGS_OF))),
        tuple(map(codec.followup_value, documents(statements.FOLLOWUPS_OF))),
        {one.check: one for one in map(codec.baseline_value, documents(statements.BASELINES_OF))},
    )


def facts(connection: Connection, servers: Iterable[str], checks: Collection[str]) -> dict[str, dict[str, Subjects]]:
    """The facts of some checks on some servers, by server and check."""
    found: dict[str, dict[str, Subjects]] = {}
    asked, wanted = iter(dict.fromkeys(map(column, servers))), [column(check) for check in checks]
    while names := list(islice(asked, AT_ONCE)):
        rows = connection.execute(statements.FACTS_OF_MANY, {"servers": names, "checks": wanted})
        for server, check, document in rows:
            found.setdefault(codec.text(server), {})[codec.text(check)] = codec.subjects_value(document)
    return found
