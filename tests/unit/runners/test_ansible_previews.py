"""Check mode: events of Ansible folded into previews that say what would change and hide what is to be hidden."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.ports import Content, Failure, FailureKind, Preview, Previewed
from maintops.domain.servers import Server
from maintops.runners import ansible_previews as previews
from maintops.runners.ansible_previews import LONGEST_DIFF, Rehearsal

PATH = "/p/site.yml:7"
CENSORED = {"censored": "the output has been hidden"}


def task(event: str, result: Any = None, *, server: str = "x", **more: Any) -> dict[str, Any]:
    told = {"event": event, "host": server, "task": "configure", "task_path": PATH, **more}
    return told if result is None else told | {"res": result}


def rehearsed(*told: dict[str, Any], servers: str = "x") -> list[Preview]:
    """The previews of servers after these events, a recap and a good end."""
    rehearsal = Rehearsal([Server(name) for name in servers])
    for one in told:
        rehearsal.hear(one)
    return list(rehearsal.previews(None))


def only(*told: dict[str, Any]) -> Previewed:
    """What one task on one server comes to."""
    (preview,) = rehearsed(*told, {"end": 0})
    (found,) = preview.tasks
    assert preview.failure is None
    return found


# --- tasks ------------------------------------------------------------------------------------------------------------


def test_ok_and_changed() -> None:
    assert only(task("runner_on_ok", {"changed": False})) == Previewed("configure", "ok")
    assert only(task("runner_on_ok", {"changed": True}, role="web")) == Previewed("web : configure", "changed")


def test_a_failure_has_its_place_and_reason() -> None:
    result = {"msg": "Task failed: 'nosuch' is undefined"}
    assert only(task("runner_on_failed", result)) == Previewed(
        "configure", "failed", "", f"{PATH}: 'nosuch' is undefined"
    )
    ignored = only(task("runner_on_failed", result, ignore_errors=True))
    assert (ignored.status, ignored.message) == ("ignored", f"{PATH}: 'nosuch' is undefined")


def test_of_a_loop_the_item_that_failed_gives_the_reason() -> None:
    result = {"msg": "One or more items failed", "results": [{"changed": True}, {"failed": True, "msg": "second"}]}
    assert only(task("runner_on_failed", result)).message == f"{PATH}: second"


def test_a_failure_that_was_rescued_is_none() -> None:
    told = [task("runner_on_failed", {"msg": "no"}), {"event": "playbook_on_stats", "failures": {}}]
    assert only(*told) == Previewed("configure", "ignored", "", f"rescued: {PATH}: no")
    told[1] = {"event": "playbook_on_stats", "failures": {"x": 1}}
    assert only(*told).status == "failed"


def skipped(printed: str) -> Previewed:
    return only(task("runner_on_skipped", stdout=f"skipping: [x] => {printed}"))


def test_a_task_that_check_mode_cannot_show_says_so() -> None:
    unsupported = {"changed": False, "msg": "remote module (x) does not support check mode"}
    why = "not previewable: remote module (x) does not support check mode"
    assert skipped(json.dumps(unsupported)) == Previewed("configure", "skipped", "", why)
    assert skipped('{"changed": false}') == Previewed("configure", "skipped", "", "not previewable")


def test_a_task_whose_condition_is_false_is_just_skipped() -> None:
    assert skipped('{"skip_reason": "Conditional result was False"}') == Previewed("configure", "skipped")
    assert skipped('{"skipped_reason": "No items in the list"}') == Previewed("configure", "skipped")


def test_no_log_is_kept() -> None:
    hidden = "hidden: the task has no_log"
    assert only(task("runner_on_ok", CENSORED, stdout="\nchanged: [x] => {...}")) == Previewed(
        "configure", "changed", "", hidden
    )
    assert only(task("runner_on_ok", CENSORED, stdout="ok: [x] => {...}")) == Previewed("configure", "ok", "", hidden)
    assert only(task("runner_on_failed", CENSORED)) == Previewed("configure", "failed", "", f"{PATH}: {hidden}")
    assert skipped('{"censored": "hidden", "msg": "password"}') == Previewed("configure", "skipped", "", hidden)


# --- diffs ------------------------------------------------------------------------------------------------------------


def diff_of(diff: Any, **more: Any) -> str:
    return only(task("runner_on_ok", {"changed": True, "diff": diff, **more})).diff


def test_a_diff_reads_like_one() -> None:
    diff = {
        "before": "a\nb\n",
        "after": "a\nc\n",
        "before_header": "/etc/x",
        "after_header": "/dev/shm/maintops-1/work/x.j2",
    }
    assert diff_of(diff) == "--- before: /etc/x\n+++ after: x.j2\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
    assert diff_of([diff, diff]) == 2 * diff_of(diff)
    assert diff_of({"prepared": "ready\n"}) == "ready\n"
    assert diff_of({"before": "same", "after": "same"}) == ""
    assert diff_of({"before": {"mode": "0600"}, "after": {"mode": "0644"}}).splitlines()[-3:] == [
        '-    "mode": "0600"',
        '+    "mode": "0644"',
        " }",
    ]
    assert diff_of({"dst_binary": 1}) == "too large or binary: no diff\n"


def test_the_diffs_of_a_loops_items_count_but_for_hidden_ones() -> None:
    items = [{"diff": {"prepared": "one\n"}}, CENSORED | {"diff": {"prepared": "SECRET"}}]
    items += [{"_ansible_no_log": True, "diff": {"prepared": "SECRET"}}, {"diff": [{"prepared": "two\n"}]}]
    assert diff_of(None, results=items) == "one\ntwo\n"


def test_a_long_diff_is_cut_and_says_so() -> None:
    found = diff_of({"before": "", "after": "x\n" * 200_000})
    assert len(found) == LONGEST_DIFF
    assert found.endswith("[the rest is left out]\n")


def test_a_secret_of_the_inventory_is_in_no_diff_not_even_cut_in_two() -> None:
    server = Server("x", variables={"db_password": "hunter22"})
    for pad in range(LONGEST_DIFF - 50, LONGEST_DIFF, 3):
        rehearsal = Rehearsal([server])
        rehearsal.hear(task("runner_on_ok", {"changed": True, "diff": {"prepared": "x" * pad + "hunter22" * 20}}))
        (preview,) = rehearsal.previews(None)
        assert "hunter" not in preview.tasks[0].diff


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["diff", "before", "after", "results", "prepared"]), inner)
        ),
        max_leaves=8,
    )
)
def test_any_result_makes_a_preview(result: Any) -> None:
    for event in ("runner_on_ok", "runner_on_failed", "runner_on_skipped", "runner_on_unreachable"):
        told = {"event": event, "host": "x", "res": result if isinstance(result, dict) else {"diff": result}}
        (preview,) = rehearsed(told, {"end": 0})
        assert preview.tasks or preview.failure


# --- servers ----------------------------------------------------------------------------------------------------------


def test_a_server_that_the_content_is_not_about_has_no_tasks() -> None:
    assert rehearsed(task("runner_on_ok", {}), {"end": 0}, servers="xy")[1] == Preview("y")


def test_a_server_that_cannot_be_reached_has_a_failure() -> None:
    told = task("runner_on_unreachable", {"unreachable": True, "msg": "ssh: connect to host x: Connection refused"})
    (preview,) = rehearsed(told, {"end": 4})
    assert preview.failure == Failure(FailureKind.UNREACHABLE, "ssh: connect to host x: Connection refused")


def test_content_that_ansible_cannot_run_is_every_servers_failure() -> None:
    error = [{"event": "verbose", "stdout": text} for text in ("[ERROR]: no such module", "Origin: /p/site.yml:3:7")]
    found = rehearsed(*error, {"end": 4}, servers="xy")
    assert [one.failure for one in found] == [Failure(FailureKind.UNUSABLE, "/p/site.yml:3:7: no such module")] * 2


def test_an_error_that_ansible_got_over_is_none() -> None:
    error = {"event": "error", "stdout": "[ERROR]: Task failed: no"}
    recap = {"event": "playbook_on_stats", "failures": {"x": 1}}
    (preview,) = rehearsed(task("runner_on_failed", {"msg": "no"}), error, recap, {"end": 2})
    assert preview.failure is None
    assert preview.tasks[0].status == "failed"


def test_a_run_without_an_end_is_broken() -> None:
    (preview,) = rehearsed(task("runner_on_ok", {}))
    assert preview.failure is not None
    assert preview.failure.kind is FailureKind.BROKEN
    assert len(preview.tasks) == 1


def test_a_server_whose_turn_did_not_come_is_told_from_one_that_is_not_addressed() -> None:
    rehearsal = Rehearsal([Server(name) for name in "xyz"])
    for told in (
        task("runner_on_failed", {"msg": "no"}),
        {"event": "playbook_on_stats", "failures": {"x": 1}},
        {"end": 2},
    ):
        rehearsal.hear(told)
    assert rehearsal.untouched == ["y", "z"]
    _, y, z = rehearsal.previews({"x", "y"})
    assert y.failure is not None
    assert y.failure.kind is FailureKind.BROKEN
    assert z == Preview("z")


def test_listed_hosts_are_read_play_by_play() -> None:
    printed = (
        "\nplaybook: site.yml\n\n  play #1 (a): a\tTAGS: []\n    pattern: ['a']\n    hosts (2):\n      a\n      b c\n"
    )
    assert list(previews.listed_hosts(printed + "\n  play #2 (x): x\n    hosts (0):\n    hosts (1):\n      d")) == [
        "a",
        "b c",
        "d",
    ]


def test_a_run_that_was_cut_keeps_what_came() -> None:
    rehearsal = Rehearsal([Server("x"), Server("y")])
    rehearsal.hear(task("runner_on_ok", {}))
    cut = Failure(FailureKind.STOPPED, "cancelled")
    assert list(rehearsal.cut(cut)) == [Preview("x", (Previewed("configure", "ok"),), cut), Preview("y", (), cut)]


# --- what Ansible is given --------------------------------------------------------------------------------------------


def test_become_is_said_only_where_the_content_says_it() -> None:
    assert previews.content_variables(Content(role="r", variables={"a": 1})) == {"a": 1}
    assert previews.content_variables(Content(role="r", become=False)) == {"ansible_become": False}
    assert json.loads(previews.role_play("r"))[0]["roles"] == [{"role": "r"}]


def test_roles_are_looked_for_beside_the_checklist_first() -> None:
    assert previews.content_environment(Content(role="r", folder="/c"))["ANSIBLE_ROLES_PATH"].startswith(
        "/c/roles:/c:~"
    )
    assert previews.content_environment(Content(playbook="/p"))["ANSIBLE_ROLES_PATH"].startswith("~/.ansible/roles")
