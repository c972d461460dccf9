"""Events of Ansible folded into deliveries: every server once, whatever happens in whatever order."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.ports import Delivery, Failure, FailureKind, Reply, Script, Trip
from maintops.domain.servers import Server
from maintops.runners.ansible_plays import BEGIN, END, NTH
from maintops.runners.ansible_rounds import Errand, Round

START = datetime(2024, 5, 1, tzinfo=UTC)
SCRIPT, OTHER = (Script(text, "d", False, (), 10, 1000) for text in ("a", "b"))
CUT = Failure(FailureKind.STOPPED, "cancelled")
REFUSED = "Failed to connect to the host via ssh: ssh: connect to host x port 22: Connection refused"


class Ticking:
    """A clock that goes on by a second each time that somebody looks."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def trip(name: str, *scripts: Script) -> Trip:
    return Trip(Server(name), scripts or (SCRIPT,))


def begun(server: str) -> dict[str, Any]:
    return {"event": "runner_on_start", "host": server}


def answer(text: bytes) -> dict[str, Any]:
    armour = base64.b64encode(text).decode()
    return {"rc": 0, "stdout": f"{BEGIN} base64\n{armour}\n{END} 0\n"}


def ok(server: str, text: bytes = b"fine") -> dict[str, Any]:
    return {"event": "runner_on_ok", "host": server, "res": answer(text)}


def item(server: str, number: int, text: bytes) -> dict[str, Any]:
    return {"event": "runner_item_on_ok", "host": server, "res": answer(text) | {NTH: number}}


def down(server: str, why: str = REFUSED) -> dict[str, Any]:
    return {"event": "runner_on_unreachable", "host": server, "res": {"unreachable": True, "msg": why}}


def test_a_server_is_delivered_with_its_times() -> None:
    round_ = Round([trip("x"), trip("y")], Ticking())
    assert round_.hear(begun("x")) is None
    assert round_.in_flight == {"x": ""}
    assert [one.server.name for one in round_.waiting] == ["y"]
    second = timedelta(seconds=1)
    assert round_.hear(ok("x")) == Delivery("x", (Reply(b"fine"),), START + second, START + 2 * second)
    assert round_.in_flight == {}
    assert not round_.is_over


def test_two_scripts_are_delivered_in_their_order_whichever_event_tells_of_them() -> None:
    results = [answer(b"one") | {NTH: 0}, answer(b"two") | {NTH: 1}]
    whole = {"event": "runner_on_ok", "host": "x", "res": {"results": results}}
    for told in ([item("x", 1, b"two"), item("x", 0, b"one"), whole], [item("x", 1, b"two"), whole], [whole]):
        round_ = Round([trip("x", SCRIPT, OTHER)], Ticking())
        *early, delivery = map(round_.hear, [begun("x"), *told])
        assert early == [None] * len(told)
        assert delivery is not None
        assert delivery.replies == (Reply(b"one"), Reply(b"two"))
        assert round_.is_over


def test_what_came_of_a_server_that_is_cut_off_is_kept() -> None:
    round_ = Round([trip("x", SCRIPT, OTHER), trip("y")], Ticking())
    for told in (begun("x"), item("x", 0, b"one")):
        round_.hear(told)
    (delivery,) = round_.deliver_flights(CUT)
    assert delivery.replies == (Reply(b"one"), Reply(b"", CUT))
    assert [one.server.name for one in round_.waiting] == ["y"]


def test_a_server_that_nobody_asked_says_why() -> None:
    round_ = Round([trip("gone"), trip("x", SCRIPT, OTHER)], Ticking())
    round_.hear({"event": "warning", "stdout": "[WARNING]: Could not match supplied host pattern, ignoring: gone"})
    round_.hear({"event": "verbose", "stdout": "[ERROR]: it is broken\nOrigin: /f.yml:1:2\n\n1 password: x"})
    round_.hear({"end": 4})
    assert round_.is_over
    assert not round_.has_begun
    gone, other = round_.deliver_waiting()
    assert gone.replies == (
        Reply(b"", Failure(FailureKind.UNREACHABLE, "the inventory does not have this server any more")),
    )
    assert other.replies == (Reply(b"", Failure(FailureKind.UNREACHABLE, "/f.yml:1:2: it is broken")),) * 2
    assert round_.waiting == []


def test_events_of_strangers_and_without_a_result_do_no_harm() -> None:
    round_ = Round([trip("x")], Ticking())
    for told in (ok("stranger"), begun("stranger"), ok("x"), {"event": "runner_item_on_ok", "host": "x"}, {}):
        assert round_.hear(told) is None
    round_.hear(begun("x"))
    delivery = round_.hear({"event": "runner_on_failed", "host": "x"})
    assert delivery is not None
    assert delivery.replies[0].failure == Failure(FailureKind.UNREACHABLE, "Ansible gives no reason")


NAMES = st.sampled_from(["a", "b", "c", "stranger"])
EVENTS = (
    st.builds(begun, NAMES)
    | st.builds(ok, NAMES, st.binary(max_size=5))
    | st.builds(item, NAMES, st.integers(-1, 3), st.binary(max_size=5))
    | st.builds(down, NAMES)
    | st.builds(dict, event=st.sampled_from(["warning", "runner_on_failed"]), host=NAMES, stdout=st.text())
)


@given(st.lists(EVENTS))
def test_whatever_is_told_every_server_is_delivered_once_and_whole(told: list[dict[str, Any]]) -> None:
    scripts = {"a": (SCRIPT,), "b": (SCRIPT, OTHER), "c": (SCRIPT,)}
    round_ = Round([trip(name, *ones) for name, ones in scripts.items()], Ticking())
    found = [delivery for one in told if (delivery := round_.hear(one)) is not None]
    asked = {one["host"] for one in told if one.get("event") == "runner_on_start"} & set(scripts)
    assert {one.server for one in found} | set(round_.in_flight) == asked
    found += round_.deliver_flights(CUT)
    assert {trip.server.name for trip in round_.waiting} == set(scripts) - asked
    found += round_.deliver_waiting()
    assert sorted(one.server for one in found) == sorted(scripts)
    assert all(len(one.replies) == len(scripts[one.server]) for one in found)
    assert all(one.started <= one.ended for one in found)
    assert round_.is_over


# --- errands ----------------------------------------------------------------------------------------------------------


def carry(errand: Errand, *worlds: dict[str, list[dict[str, Any]]]) -> tuple[list[list[str]], list[Delivery]]:
    """Carries an errand through; each world says what each server does in that round. Who was asked in each round, and
    what was delivered."""
    asked, delivered = [], []
    for round_, world in zip(errand.rounds(), worlds, strict=False):
        asked.append([one.server.name for one in round_.waiting])
        arrivals = [round_.hear(told) for name in asked[-1] if name in world for told in [begun(name), *world[name]]]
        arrivals += round_.deliver_flights(CUT)
        if not round_.has_begun:
            arrivals += round_.deliver_waiting()
        delivered += [sifted for one in arrivals if one is not None and (sifted := errand.sift(one)) is not None]
    return asked, delivered


def test_a_passing_refusal_is_tried_again_as_often_as_is_said() -> None:
    for retries in (0, 1, 2):
        errand = Errand([trip("x"), trip("y")], Ticking(), retries)
        worlds = [{"x": [down("x")], "y": [ok("y")]}] * 5
        asked, delivered = carry(errand, *worlds)
        assert asked == [["x", "y"]] + [["x"]] * retries
        assert [one.server for one in delivered] == (["y", "x"] if retries else ["x", "y"])
        assert errand.held == []


def test_the_better_answer_of_a_second_try_counts() -> None:
    errand = Errand([trip("x")], Ticking(), 1)
    _, (delivery,) = carry(errand, {"x": [down("x")]}, {"x": [ok("x")]})
    assert delivery.replies == (Reply(b"fine"),)


def test_what_will_not_pass_is_not_tried_again() -> None:
    for why in ("me@x: Permission denied (publickey).", "Connection to x closed by remote host."):
        asked, delivered = carry(Errand([trip("x")], Ticking(), 3), *[{"x": [down("x", why)]}] * 3)
        assert asked == [["x"]]
        assert len(delivered) == 1


def test_what_came_of_a_connection_that_broke_counts_even_if_the_next_was_refused() -> None:
    broke = {"unreachable": True, "msg": "Connection to x closed by remote host."}
    results = [broke | {NTH: 0}, {"unreachable": True, "msg": REFUSED, NTH: 1}]
    told = {"event": "runner_on_unreachable", "host": "x", "res": {"results": results}}
    asked, (delivery,) = carry(Errand([trip("x", SCRIPT, OTHER)], Ticking(), 1), *[{"x": [told]}] * 3)
    assert asked == [["x"]]
    kinds = [reply.failure and reply.failure.kind for reply in delivery.replies]
    assert kinds == [FailureKind.BROKEN, FailureKind.UNREACHABLE]


def test_two_scripts_that_both_found_no_connection_were_tried_twice() -> None:
    refused = {"unreachable": True, "msg": REFUSED}
    twice = {
        "event": "runner_on_unreachable",
        "host": "x",
        "res": {"results": [refused | {NTH: 0}, refused | {NTH: 1}]},
    }
    once = {
        "event": "runner_on_unreachable",
        "host": "x",
        "res": {"results": [refused | {NTH: 0}, answer(b"b") | {NTH: 1}]},
    }
    for told, rounds in ((twice, 1), (once, 2)):
        asked, delivered = carry(Errand([trip("x", SCRIPT, OTHER)], Ticking(), 1), *[{"x": [told]}] * 3)
        assert len(asked) == rounds
        assert len(delivered) == 1


def test_where_ansible_breaks_down_the_others_get_their_turn_as_long_as_it_gets_further() -> None:
    errand = Errand([trip("x"), trip("y"), trip("z")], Ticking(), 1)
    asked, delivered = carry(errand, {"x": [ok("x")]}, {"y": []}, {}, {})
    assert asked == [["x", "y", "z"], ["y", "z"], ["z"]]
    assert [one.server for one in delivered] == ["x", "y", "z"]
    assert [one.replies[0].failure and one.replies[0].failure.kind for one in delivered] == [
        None,
        FailureKind.STOPPED,
        FailureKind.UNREACHABLE,
    ]


def test_a_delivery_that_waits_for_another_try_is_not_lost() -> None:
    errand = Errand([trip("x")], Ticking(), 1)
    _, delivered = carry(errand, {"x": [down("x")]})
    assert delivered == []
    assert [one.server for one in errand.held] == ["x"]
