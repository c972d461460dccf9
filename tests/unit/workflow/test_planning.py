import pytest

from maintops.domain.checklists import Check
from maintops.domain.servers import Server
from maintops.errors import NothingSelected, UsageError
from maintops.workflow.planning import choose_engines, inventory_become, plan_run, select_items
from tests.unit.workflow.samples import Canned, catalogue, checklist

SSH, ANSIBLE = Canned([], "ssh"), Canned([], "ansible")


def planned(servers, listed=None, tags=(), engine="auto", runners=(SSH, ANSIBLE)):
    return plan_run("r1", listed or checklist(), tags, servers, catalogue(), runners, engine)


def command(check, **more):
    return Check(check, "Said", **({"command": f"echo {check}", "parser": "text"} | more))


def test_every_server_gets_a_record_id_an_engine_and_a_script_with_every_check():
    plan = planned([Server("web1"), Server("web2")])
    assert [one.record for one in plan.servers] == ["r1-0001", "r1-0002"]
    assert [one.engine for one in plan.servers] == ["ssh", "ssh"]
    assert [script.checks for script in plan.servers[0].trip.scripts] == [("HW-010",)]
    assert plan.cells == 2


def test_servers_with_the_same_parameters_share_what_is_asked_of_them():
    listed = checklist(command("A-100"), parameters={"limit": 5})
    plan = planned([Server("a"), Server("b"), Server("c", variables={"maintops_limit": 6})], listed)
    assert plan.servers[0].asking is plan.servers[1].asking
    assert plan.servers[2].asking is not plan.servers[0].asking
    assert plan.servers[2].asking.values == {"limit": 6}


def test_the_first_engine_that_does_not_refuse_gets_the_server_and_the_refusal_is_the_reason():
    ssh = Canned([], "ssh", {"win1": "ansible_connection is winrm"})
    assert choose_engines([Server("web1"), Server("win1")], (ssh, ANSIBLE), "auto") == [
        ("ssh", ""),
        ("ansible", "ansible_connection is winrm"),
    ]


def test_an_engine_that_was_asked_for_and_cannot_is_an_error_that_names_server_and_reason():
    ssh = Canned([], "ssh", {"win1": "ansible_connection is winrm"})
    with pytest.raises(UsageError, match=r"(?s)win1: ansible_connection is winrm"):
        choose_engines([Server("web1"), Server("win1")], (ssh, ANSIBLE), "ssh")
    assert choose_engines([Server("web1")], (ssh, ANSIBLE), "ansible") == [("ansible", "as asked for")]


def test_a_server_that_no_engine_can_ask_is_an_error():
    refusing = Canned([], "ssh", {"x": "no"})
    with pytest.raises(UsageError, match="no engine can ask x: no"):
        choose_engines([Server("x")], (refusing,), "auto")


def test_become_is_the_inventorys_unless_the_check_says_otherwise():
    listed = checklist(command("A-100"), command("A-200", become=True), command("A-300", become=False))
    plain = planned([Server("a")], listed).servers[0].trip.scripts
    assert [(script.become, script.checks) for script in plain] == [(False, ("A-100", "A-300")), (True, ("A-200",))]
    rooted = planned([Server("a", variables={"ansible_become": True})], listed).servers[0].trip.scripts
    assert [(script.become, script.checks) for script in rooted] == [(False, ("A-300",)), (True, ("A-100", "A-200"))]


def test_checks_that_ask_the_same_share_one_question():
    same = {"command": "smartctl -a"}
    listed = checklist(
        command("A-100", timeout=5, limit=2048, **same),
        command("A-200"),
        command("A-300", timeout=60, limit=1024, parser="lines", **same),
        command("A-400", become=True, **same),
    )
    asking = planned([Server("a")], listed).servers[0].asking
    assert [script.checks for script in asking.scripts] == [("A-100", "A-200"), ("A-400",)]
    assert [list(asking.checks(script)) for script in asking.scripts] == [
        [("A-100", "A-100"), ("A-200", "A-200"), ("A-300", "A-100")],
        [("A-400", "A-400")],
    ]
    longest = checklist(command("A-100", timeout=60, **same))
    assert asking.scripts[0].seconds > planned([Server("a")], longest).servers[0].asking.scripts[0].seconds


@pytest.mark.parametrize(
    ("said", "expected"),
    [(True, True), (False, False), ("yes", True), ("True", True), ("no", False), ("", False), (1, True), (0, False)],
)
def test_ansible_become_is_understood_as_ansible_does(said, expected):
    assert inventory_become(Server("a", variables={"ansible_become": said})) is expected


def test_a_become_that_is_a_template_is_left_to_ansible():
    assert inventory_become(Server("a", variables={"ansible_become": "{{ x }}"})) == "{{ x }}"


def test_a_become_that_means_nothing_is_refused():
    with pytest.raises(UsageError, match="server a: ansible_become must be true or false, not 'maybe'"):
        inventory_become(Server("a", variables={"ansible_become": "maybe"}))


def test_nothing_configured_is_skipped_without_a_question():
    listed = checklist(Check("HW-010", "Disks", probe="disks", parameters={"places": []}))
    asking = planned([Server("a")], listed).servers[0].asking
    assert asking.skipped == {"HW-010": "no places are configured"}
    assert asking.scripts == ()


def test_a_check_hands_its_probe_the_checklists_parameters():
    listed = checklist(
        Check("HW-010", "Disks", probe="disks", parameters={"places": {"from": "where"}}), parameters={"where": []}
    )
    servers = [Server("a"), Server("b", variables={"maintops_where": ["/srv"]})]
    plan = planned(servers, listed)
    assert plan.servers[0].asking.skipped
    assert plan.servers[1].asking.parameters == {"HW-010": {"places": ["/srv"]}}


def test_tags_and_ids_select():
    listed = checklist(command("A-100", tags=("disk",)), command("A-200", tags=("net",)), command("A-300"))
    assert [check.id for check in select_items(listed, ["net", "A-300"])] == ["A-200", "A-300"]
    assert len(select_items(listed, [])) == 3
    with pytest.raises(UsageError, match=r"'nett'.*disk, net"):
        select_items(listed, ["net", "nett"])


def test_no_server_is_nothing_selected():
    with pytest.raises(NothingSelected):
        planned([])


def test_content_is_planned_apart_from_the_script():
    listed = checklist(command("A-100"), Check("PB-010", "Site", playbook="/srv/site.yml"))
    plan = planned([Server("a")], listed)
    assert [one.check.id for one in plan.content] == ["PB-010"]
    assert plan.servers[0].trip.scripts[0].checks == ("A-100",)
