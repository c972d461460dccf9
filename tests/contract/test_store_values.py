"""Whatever servers send comes back from every Store as it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maintops.domain.findings import finding_id
from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.domain.ports import Memory, Store
from maintops.domain.runs import Progressed
from tests.store_samples import NOW, bad, keep, later, ok, plan

HOSTILE = "a\\b \x00 \x1b[31m {{ 7*7 }} $(id) 磁盘 \U0001f600 \ud83d\ude00 \udc80 \n"
"""A backslash, a NUL, an escape, templates, Chinese, an emoji, the two surrogates that would make one, a lone one."""


def test_text_of_servers_comes_back_character_by_character(store: Store) -> None:
    """As a server's name, a check's id, a subject, a message, a fact and its name, a note, a progress."""
    server, check = f"web {HOSTILE}", f"CHECK {HOSTILE}"
    words = dict.fromkeys(("customer", "site", "engineer", "title", "service", "checklist", "machine"), HOSTILE)
    store.begin(plan(servers=[server], checks=(check,), title=HOSTILE, checklist=HOSTILE))
    cell = bad(check, HOSTILE, message=HOSTILE, **{HOSTILE: [HOSTILE, {HOSTILE: HOSTILE}]})
    store.append("r1", Progressed(0, 1, {server: check}, NOW))
    kept = keep(store, [cell], server=server, notes=(HOSTILE,), **words)
    assert list(store.records(server=server, checklist=HOSTILE)) == [kept.record]
    assert store.record("r1").cells == (cell,)
    assert store.memory(server) == Memory(kept.facts, kept.findings, kept.followups)
    assert store.findings(server=server) == list(kept.findings)
    assert [one.message for one in store.history(kept.findings[0].id)] == [HOSTILE]
    assert store.events("r1")[1] == Progressed(0, 1, {server: check}, NOW)
    assert store.run("last").records == {server: "r1-0001"}


def test_servers_with_names_alike_are_told_apart(store: Store) -> None:
    names = [
        "web",
        "Web",
        "web ",
        "web\x00",
        "web\\u0000",
        "web\\",
        "web\\\\",
        "wéb",
        "we\u0301b",
        "\ud83d\ude00",
        "\U0001f600",
    ]
    store.begin(plan(servers=names))
    for index, name in enumerate(names, 1):
        keep(store, [bad(message=name)], index=index, server=name)
    for name in names:
        assert [one.server for one in store.records(server=name)] == [name]
        assert [one.message for one in store.memory(name).findings] == [name]


def test_what_is_no_measurement_is_kept_as_none(store: Store) -> None:
    store.begin(plan())
    deep: Any = []
    for _ in range(900):
        deep = [deep]
    keep(store, [ok(a=float("nan"), b=[float("inf"), -float("inf")], c=10**4000, d=deep, e=1 - 10**4000, f=1e308)])
    facts = store.record("r1").cells[0].facts
    assert (facts["a"], facts["b"], facts["c"]) == (None, [None, None], None)
    assert (facts["e"], facts["f"]) == (1 - 10**4000, 1e308)
    assert str(facts["d"]).count("[") == 100
    assert store.memory("web1").facts["FS-010"]["/"].facts == facts


def test_times_are_the_same_moment_in_utc(store: Store) -> None:
    zone = timezone(timedelta(hours=5, minutes=45))
    at = datetime(1969, 7, 20, 20, 17, 40, 999999, tzinfo=zone)
    store.begin(plan(at=at))
    keep(store, [bad()], at=at)
    found = store.record("r1").started
    assert found == at
    assert found.tzinfo is UTC
    (event,) = store.events("r1")[1:]
    assert (event.at, event.at.tzinfo) == (at, UTC)
    assert [one.at.tzinfo for one in store.history(store.findings()[0].id)] == [UTC]


def test_a_time_without_a_zone_is_refused(store: Store) -> None:
    with pytest.raises(TypeError, match="naive"):
        store.begin(plan(at=NOW.replace(tzinfo=None)))
    assert store.runs() == []


ANY_TEXT = st.text(st.characters(exclude_categories=())) | st.lists(
    st.sampled_from("\ud83d\ude00\x00\x10\\u\"'0dé"), max_size=8
).map("".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(
    server=ANY_TEXT, subject=st.none() | ANY_TEXT, message=ANY_TEXT, facts=st.dictionaries(ANY_TEXT, JSON, max_size=4)
)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_is_kept_comes_back(
    store: Store, server: str, subject: str | None, message: str, facts: dict[str, Any]
) -> None:
    number = len(store.runs())
    run = f"r{number}"
    store.begin(plan(run, servers=[server]))
    cell = Cell("FS-010", subject, Outcome.ATTENTION, Severity.INFO, message, facts, evidence=message)
    kept = keep(store, [cell], run=run, server=server, at=later(seconds=number))
    assert store.record(f"{run}-").cells == (cell,)
    memory = store.memory(server)
    assert memory.facts["FS-010"] == kept.facts["FS-010"]
    assert {one.message for one in memory.findings if one.subject == subject} == {message}
    assert store.history(finding_id(server, "FS-010", subject))[-1].message == message


def test_facts_of_many_servers_are_those_of_their_memories(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maintops.store.memories.AT_ONCE", 2)
    names = ["web1", "web2", f"web {HOSTILE}", "web4", "web5"]
    checks = ("FS-010", f"CHECK {HOSTILE}", "MEM-010")
    store.begin(plan(servers=names, checks=checks))
    for index, name in enumerate(names[:4], start=1):
        keep(store, [ok(checks[0], "/", size=index), ok(checks[1], HOSTILE), ok(checks[2])], index=index, server=name)
    asked = [*names, "web1", "nosuch"]
    found = store.facts(iter(asked), checks[:2])
    assert found == {name: {one: store.memory(name).facts[one] for one in checks[:2]} for name in names[:4]}
    assert found["web4"]["FS-010"]["/"].facts["size"] == 4
    assert store.facts(asked, []) == store.facts([], checks) == store.facts(["nosuch"], checks) == {}
    assert store.facts(["web1"], ["FS-010", "NO-010"]).keys() == {"web1"}
    assert store.facts(["web1"], ["NO-010"]) == {}
