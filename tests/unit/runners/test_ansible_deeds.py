"""Content that changes servers: what Ansible is given, and events folded into what became of every server."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.ports import Deed, Done, Failure, FailureKind, Previewed
from maintops.domain.servers import Server
from maintops.runners import ansible_deeds as deeds
from maintops.runners.ansible_deeds import FINALE, Undertaking

PATH = "/p/site.yml:7"
END = {"end": 0}
WELL = {"event": "playbook_on_stats", "failures": {}}
SECRET = "hunter22"


def event(name: str, server: str = "x", result: Any = None, **more: Any) -> dict[str, Any]:
    told = {"event": name, "host": server, "task": "install", "task_path": PATH, "play": "site", **more}
    return told if result is None else told | {"res": result}


def start(server: str = "x") -> dict[str, Any]:
    return event("runner_on_start", server)


def ok(server: str = "x") -> list[dict[str, Any]]:
    return [start(server), event("runner_on_ok", server, {"changed": True})]


def failed(server: str = "x", result: Any = None, **more: Any) -> list[dict[str, Any]]:
    return [start(server), event("runner_on_failed", server, result or {"msg": "no such package"}, **more)]


def lost(server: str = "x", said: str = "ssh: connect to host x: Connection refused") -> list[dict[str, Any]]:
    return [start(server), event("runner_on_unreachable", server, {"unreachable": True, "msg": said})]


def through(server: str = "x") -> list[dict[str, Any]]:
    names = ("runner_on_start", "runner_on_ok")
    return [event(name, server, {"msg": ""}, play=FINALE, task=FINALE) for name in names]


def recap(*failures: str) -> list[dict[str, Any]]:
    return [{"event": "playbook_on_stats", "failures": dict.fromkeys(failures, 1)}, {"end": 2 if failures else 0}]


def undertaking(*told: dict[str, Any], servers: Iterable[str | Server] = "x") -> Undertaking:
    made = Undertaking([Server(one) if isinstance(one, str) else one for one in servers])
    for one in told:
        made.hear(one)
    return made


def became(*told: dict[str, Any], servers: Iterable[str | Server] = "x") -> list[Done]:
    """What became of servers after these events; what is known early comes first."""
    made = undertaking(*told, servers=servers)
    return [*made.early(), *made.done()]


def why(*told: dict[str, Any]) -> Failure:
    (done,) = became(*told)
    assert done.failure is not None
    return done.failure


# --- servers ----------------------------------------------------------------------------------------------------------


def test_who_came_through_is_done() -> None:
    assert became(*ok(), *through(), *recap()) == [Done("x", None, (Previewed("install", "changed"),))]


def test_who_came_through_is_told_of_early_and_once() -> None:
    made = undertaking(*ok("x"), *ok("y"), *through("x"), servers="xy")
    assert [one.server for one in made.early()] == ["x"]
    assert list(made.early()) == []
    for told in (*through("y"), *recap()):
        made.hear(told)
    assert [one.server for one in made.done()] == ["y"]
    assert list(made.done()) == []


def test_a_failed_task_gives_its_name_place_and_reason() -> None:
    assert why(*failed(), *recap("x")) == Failure(FailureKind.UNUSABLE, f"{PATH}: no such package (task: install)")


def test_of_a_task_that_we_wrote_down_no_place_is_told() -> None:
    path = "/dev/shm/maintops-1a2b/play.json:1"
    assert why(*failed(task_path=path), *recap("x")).why == "no such package (task: install)"


DPKG = """not set up: broken (apt-get ended with status 100)
Setting up broken (2.0) ...
broken cannot be set up: /etc/\x1b[1mkeeps-it is in the way
dpkg: error processing package broken (--configure):
 installed broken package post-installation script subprocess returned error exit status 1
"""


def test_a_program_that_fails_tells_itself_why_to_its_last_words() -> None:
    result = {"rc": 2, "msg": "non-zero return code", "stdout": "other 1 -> 2", "stderr": DPKG}
    assert why(*failed(result=result), *recap("x")).why == (
        "not set up: broken (apt-get ended with status 100); Setting up broken (2.0) ...; "
        "broken cannot be set up: /etc/ [1mkeeps-it is in the way; "
        "dpkg: error processing package broken (--configure): "
        "installed broken package post-installation script subprocess returned error exit status 1 (task: install)"
    )


def test_a_program_that_says_nothing_fails_at_its_place() -> None:
    silent = {"rc": 2, "msg": "non-zero return code", "stdout": "", "stderr": "\n"}
    assert why(*failed(result=silent), *recap("x")).why == f"{PATH}: exit status 2, without a word (task: install)"


def test_a_failure_that_nobody_heard_of_is_one() -> None:
    assert why(*ok(), *recap("x")).kind is FailureKind.UNUSABLE


def test_ignored_and_rescued_failures_are_none() -> None:
    (ignored,) = became(*failed(ignore_errors=True), *through(), *recap())
    assert (ignored.failure, ignored.tasks[0].status) == (None, "ignored")
    made = undertaking(*failed(), *ok(), *through())
    assert list(made.early()) == [], "only the recap says that it was rescued"
    for told in recap():
        made.hear(told)
    (rescued,) = made.done()
    assert (rescued.failure, [task.status for task in rescued.tasks]) == (None, ["ignored", "changed"])


def test_a_failure_that_was_cleared_stays_one() -> None:
    assert why(*failed(), *through(), *recap("x")).kind is FailureKind.UNUSABLE


def test_only_skipped_tasks_are_enough() -> None:
    skipped = event("runner_on_skipped", stdout='skipping: [x] => {"changed": false}')
    (done,) = became(start(), skipped, *through(), *recap())
    assert done == Done("x", None, (Previewed("install", "skipped"),)), "and nothing is said of check mode"


def test_a_server_without_any_task_is_not_addressed() -> None:
    failure = why(*through(), *recap())
    assert failure.kind is FailureKind.UNUSABLE
    assert "does not address it" in failure.why


def test_out_of_reach_before_anything_began() -> None:
    refused = "ssh: connect to host x: Connection refused"
    assert why(*lost(), *recap()) == Failure(FailureKind.UNREACHABLE, refused)
    skipped = [start(), event("runner_on_skipped")]
    assert not why(*skipped, *lost(), *recap()).blind


def test_out_of_reach_in_the_middle_is_blind() -> None:
    assert why(*ok(), *lost(), *recap()).blind
    broken = why(*lost(said="Shared connection to x closed."), *recap())
    assert (broken.kind, broken.blind) == (FailureKind.UNREACHABLE, True), "the first task was at work"


def test_unreachable_that_the_content_ignores_is_none() -> None:
    assert became(*lost(), *ok(), *through(), *recap())[0].failure is None
    assert why(*lost(), *through(), *recap()).kind is FailureKind.UNREACHABLE, "but where nothing else was done"


def test_a_server_that_is_given_up_because_of_another_is_not_done() -> None:
    found = became(*ok("x"), *failed("y"), *recap("y"), servers="xyz")
    assert [one.server for one in found] == ["x", "y", "z"]
    x, y, z = (one.failure for one in found)
    assert x == Failure(
        FailureKind.BROKEN,
        "Ansible ended in the middle, behind the task install: it gave up because of other servers",
        blind=True,
    )
    assert y is not None
    assert y.kind is FailureKind.UNUSABLE
    assert z == Failure(
        FailureKind.BROKEN, "Ansible ended before its turn had come: it gave up because of other servers"
    )


def test_content_that_ansible_cannot_read_is_every_servers_failure() -> None:
    texts = [{"event": "verbose", "stdout": text} for text in ("[ERROR]: no such module", "Origin: /p/site.yml:3:7")]
    found = became(*texts, {"end": 4}, servers="xy")
    assert [one.failure for one in found] == [Failure(FailureKind.UNUSABLE, "/p/site.yml:3:7: no such module")] * 2
    late = why(*ok(), *texts, {"end": 4})
    assert late.blind, "a play before it was at work"


def test_a_server_that_the_inventory_lost_is_told_so() -> None:
    text = {"event": "warning", "stdout": "[WARNING]: Could not match supplied host pattern, ignoring: y\n"}
    x, y = became(text, *ok("x"), *through("x"), *recap(), servers="xy")
    assert x.failure is None
    assert y.failure == Failure(FailureKind.UNUSABLE, "the inventory does not have this server any more")


def test_when_ansible_dies_nobody_knows_how_far_it_got() -> None:
    done, begun, untouched, broke = became(
        *ok("a"), *through("a"), start("b"), *failed("d"), servers="abcd"
    )  # and no end
    assert done.failure is None
    assert begun.failure == Failure(FailureKind.BROKEN, "Ansible ended in the middle", blind=True)
    assert untouched.failure == Failure(FailureKind.BROKEN, "Ansible ended before its turn had come")
    assert broke.failure is not None
    assert broke.failure.kind is FailureKind.UNUSABLE


def test_a_run_that_is_cut_off_tells_who_was_begun() -> None:
    made = undertaking(
        *ok("a"), *through("a"), *ok("b"), *lost("c"), *failed("d"), *failed("e"), start("e"), servers="abcdef"
    )
    cut = Failure(FailureKind.STOPPED, "enough")
    found = {one.server: one.failure for one in [*made.early(), *made.cut_off(cut)]}
    assert found["a"] is None
    assert found["b"] == found["e"] == Failure(FailureKind.STOPPED, "enough", blind=True)
    assert found["f"] == cut
    assert found["c"] is not None
    assert found["c"].kind is FailureKind.UNREACHABLE
    assert found["d"] is not None
    assert found["d"].kind is FailureKind.UNUSABLE


def test_pulses_name_the_task() -> None:
    assert undertaking(start()).in_flight == {"x": "install"}
    assert undertaking(*ok()).in_flight == {}
    assert undertaking(*through()[:1]).in_flight == {}, "the finale is nobody's business"


@given(st.lists(st.sampled_from(["start", "ok", "failed", "lost", "through", "recap", "text"]), max_size=12), st.data())
def test_every_server_has_one_end_whatever_is_heard(kinds: list[str], data: st.DataObject) -> None:
    made, found = undertaking(servers="xy"), []
    for kind in kinds:
        server = data.draw(st.sampled_from("xyz"))
        told = {
            "start": [start(server)],
            "ok": ok(server),
            "failed": failed(server),
            "lost": lost(server),
            "through": through(server),
            "recap": [{"event": "playbook_on_stats", "failures": {server: 1}}],
            "text": [{"event": "verbose", "stdout": "[ERROR]: no"}],
        }[kind]
        for one in told:
            made.hear(one)
        found += list(made.early())
    found += list(made.cut_off(Failure(FailureKind.STOPPED, "s")) if data.draw(st.booleans()) else made.done())
    assert sorted(one.server for one in found) == ["x", "y"]
    assert all(one.tasks for one in found if one.failure is None), "nothing is done without a task"


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_secrets_of_inventory_and_deed_are_in_no_sentence() -> None:
    deed = Deed(role="r", variables={"token": "shared-secret"}, own={"x": {"nested": {"db_password": "own-secret"}}})
    servers = deeds.confidants(deed, [Server("x", variables={"ansible_password": SECRET})])
    said = {"msg": f"login with {SECRET} shared-secret own-secret failed"}
    told = [start(), event("runner_on_failed", "x", said, task=f"try {SECRET}")]
    made = undertaking(event("runner_on_start", task=f"try {SECRET}"), servers=servers)
    assert made.in_flight == {"x": "try ***"}
    found = [*became(*told, *recap("x"), servers=servers), *became(*told, servers=servers)]
    found += became(*ok(), event("runner_on_ok", "x", {}, task=f"try {SECRET}"), *recap(), servers=servers)
    error = {"event": "verbose", "stdout": f"[ERROR]: bad {SECRET}"}
    found += became(error, {"end": 4}, servers=servers)
    assert len([one for one in found if one.failure and "***" in one.failure.why]) == 4
    assert "secret" not in repr(found)
    assert SECRET not in repr(found)


# --- what Ansible is given --------------------------------------------------------------------------------------------


def test_the_finale_comes_last_for_all() -> None:
    for deed, key in (
        (Deed(playbook="/p/a b.yml"), "import_playbook"),
        (Deed(role="r"), "roles"),
        (Deed(tasks=({"ping": None},)), "tasks"),
    ):
        first, last = json.loads(deeds.deed_play(deed))
        assert key in first
        assert (last["name"], last["hosts"], last["gather_facts"]) == (FINALE, "all", False)
    assert first["gather_facts"] is False


def test_variables_without_any_server_of_their_own_are_given_as_they_are() -> None:
    deed = Deed(role="r", become=True, variables={"a": "{{ b }}"})
    assert deeds.deed_variables(deed, [Server("x")]) == {"a": "{{ b }}", "ansible_become": True}


def test_a_servers_own_variables_are_nothing_that_ansible_would_render() -> None:
    own: dict[str, dict[str, Any]] = {
        "x": {"version": "{{ lookup('pipe', 'id') }}"},
        "y": {"size": 3},
        "elsewhere": {"other": 1},
    }
    given_ = deeds.deed_variables(Deed(role="r", variables={"size": 1}, own=own), [Server("x"), Server("y")])
    packed = given_.pop("maintops_own")
    assert {name: json.loads(base64.b64decode(text)) for name, text in packed.items()} == {
        "x": {"size": 1, "version": own["x"]["version"]},
        "y": {"size": 3},
    }
    assert given_ == {
        name: f'{{{{ (maintops_own[inventory_hostname] | b64decode | from_json)["{name}"] }}}}'
        for name in ("size", "version")
    }


def test_relative_paths_of_inline_tasks_are_the_deeds_folders(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "files").write_text("no folder")
    tasks = ({"ping": None},)
    assert deeds.deed_links(Deed(tasks=tasks, folder=str(tmp_path))) == {"templates": f"{tmp_path}/templates"}
    assert deeds.deed_links(Deed(tasks=tasks)) == {}
    assert deeds.deed_links(Deed(role="r", folder=str(tmp_path))) == {}


@pytest.mark.parametrize(
    ("deed", "mistake"),
    [
        (Deed(), "a step needs one of playbook, role and tasks"),
        (Deed(role="r", playbook="/p"), "a step needs one of playbook, role and tasks"),
        (Deed(playbook="/no/such.yml"), "/no/such.yml: there is no such playbook"),
        (Deed(role="r"), ""),
    ],
)
def test_mistakes_that_can_be_seen_without_ansible(deed: Deed, mistake: str) -> None:
    assert deeds.deed_mistake(deed) == mistake


def finale(*names: str) -> dict[str, Any]:
    return event("runner_on_ok", "x", {"msg": list(names)}, play=FINALE, task=FINALE)


def test_one_task_tells_who_came_through() -> None:
    x, y, z = became(*ok("x"), *ok("y"), *ok("z"), finale("x", "y", "nobody"), *recap(), servers="xyz")
    assert [one.failure for one in (x, y)] == [None, None]
    assert z.failure is not None
    assert z.failure.kind is FailureKind.BROKEN
    assert z.failure.blind


def test_the_finale_is_one_task_for_all_whose_variables_are_nobodys() -> None:
    (task,) = json.loads(deeds.deed_play(Deed(playbook="/p/site.yml")))[-1]["tasks"]
    assert (task["run_once"], task["delegate_to"]) == (True, "localhost")
    assert task["ansible.builtin.debug"] == {"msg": "{{ ansible_play_hosts }}"}
