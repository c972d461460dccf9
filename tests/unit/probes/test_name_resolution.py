from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from maintops.domain.answers import Answer, NotMeasured, UnreadableAnswer
from maintops.probes.name_resolution import PROBE
from tests.unit.probes.asking import SHELLS, answer_of, ask, only, tool

RESOLV = (
    "# made by hand\ndomain example.org\nnameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch a.example b.example\n"
)
HERE = "192.0.2.7       db1.example.org db1\n"


def answer(**parts: str | tuple[int, str]) -> Answer:
    return answer_of(**({"resolv": RESOLV, "upstream": (1, ""), "own": "db1\n"} | parts))


def test_the_servers_own_name_is_looked_up_where_no_other_is_given() -> None:
    subject = only(PROBE, answer(name__own=HERE))
    assert subject.facts == {
        "resolved": True,
        "failing": [],
        "names": ["db1"],
        "nameservers": ["192.0.2.53", "2001:db8::53"],
        "search": ["a.example", "b.example"],
    }
    assert subject.not_offered == {"upstream"}


def test_names_that_fail_are_told() -> None:
    parameters = {"names": ["a.example", "b.example", "c.example"]}
    parts = answer(name__0=HERE, name__1=(2, ""), name__2=(124, ""))
    facts = only(PROBE, parts, parameters).facts
    assert (facts["resolved"], facts["failing"]) == (False, ["b.example", "c.example"])


def test_the_servers_behind_systemd_resolved_are_told() -> None:
    facts = only(
        PROBE, answer(upstream="nameserver 198.51.100.3\n", resolv="nameserver 127.0.0.53\n", name__own=HERE)
    ).facts
    assert (facts["nameservers"], facts["upstream"], facts["search"]) == (["127.0.0.53"], ["198.51.100.3"], [])


def test_a_domain_is_searched_where_no_search_is_given() -> None:
    assert only(PROBE, answer(resolv="domain one.example\n", name__own=HERE)).facts["search"] == ["one.example"]


def test_an_unreadable_configuration_leaves_its_facts_out() -> None:
    facts = only(PROBE, answer(resolv=(1, ""), name__own=HERE)).facts
    assert "nameservers" not in facts
    assert "search" not in facts


def test_no_getent_is_not_measured() -> None:
    assert isinstance(PROBE.read(answer(name__own=(127, "")), {}), NotMeasured)


@pytest.mark.parametrize(
    ("broken", "parameters"),
    [
        (Answer(b""), {}),
        (answer(), {}),
        (answer(name__0=HERE), {"names": ["a", "b"]}),
        (answer(name__own=(64, "usage")), {}),
        (answer(name__own=""), {}),
        (Answer(answer(name__own=HERE).stdout, truncated=True), {}),
        (Answer(answer(name__own=HERE).stdout[:-4]), {}),
    ],
)
def test_what_is_no_look_up_is_refused(broken: Answer, parameters: dict[str, Any]) -> None:
    with pytest.raises(UnreadableAnswer):
        PROBE.read(broken, parameters)


def test_one_name_may_be_given_as_a_text() -> None:
    assert only(PROBE, answer(name__0=HERE), {"names": "a.example"}).facts["names"] == ["a.example"]


@pytest.mark.parametrize("shell", SHELLS)
def test_names_are_data_to_the_shell(shell: list[str], tmp_path: Path) -> None:
    tool(tmp_path, "getent", f'[ "$2" = good ] && echo 192.0.2.1 good && exit 0; echo "$2" >>{tmp_path}/asked; exit 2')
    names = ["good", f"$(touch {tmp_path}/canary)", "it's; exit 3"]
    facts = only(PROBE, ask(PROBE, shell, {"names": names}, tools=tmp_path), {"names": names}).facts
    assert facts["failing"] == names[1:]
    assert (tmp_path / "asked").read_text().splitlines() == names[1:]
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_silent_name_server_is_a_name_that_fails(shell: list[str], tmp_path: Path) -> None:
    tool(tmp_path, "getent", "exec sleep 30")
    asked = ask(PROBE, shell, tools=tmp_path, change=(("timeout 15", "timeout 1"),))
    assert only(PROBE, asked).facts["resolved"] is False


def test_several_names_share_the_time() -> None:
    text = PROBE.question({"names": [f"n{place}" for place in range(5)]})
    assert isinstance(text, str)
    assert "timeout 3 getent" in text


@pytest.mark.parametrize("shell", SHELLS)
def test_it_can_be_asked_here(shell: list[str]) -> None:
    names = ["localhost", "name.invalid"]
    facts = only(PROBE, ask(PROBE, shell, {"names": names}), {"names": names}).facts
    assert facts["failing"] == ["name.invalid"]
    assert only(PROBE, ask(PROBE, shell)).facts["names"][0]
