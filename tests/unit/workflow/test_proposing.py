"""A plan is made: what can only go wrong is refused, and what an approver must know stands in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maintops.domain.changes import Action, ChangeStep, Hook, Packages, Reboot, Risk
from maintops.domain.checklists import Step
from maintops.domain.placements import CONSOLE
from maintops.domain.plans import PlannedChange, PlannedStep, Update
from maintops.domain.servers import Server
from maintops.errors import NothingSelected, UsageError
from maintops.workflow.proposing import Looked, frame, propose, refuse
from tests.unit.workflow.proposals import AT, PENDING, POLICY, UPDATE, listed, proposal, server, window

# --- what is refused --------------------------------------------------------------------------------------------------


def test_a_checklist_that_changes_nothing_is_no_plan() -> None:
    with pytest.raises(UsageError, match="the checklist sample changes nothing; maintops run sample looks"):
        frame(proposal(server("web1"), of=replace(listed(), changes=(), order=())))


def test_nobody_selected_is_told() -> None:
    with pytest.raises(NothingSelected):
        frame(proposal())


@pytest.mark.parametrize(
    ("servers", "told"),
    [
        ([server("web1", group="web")], "the group web has 1 server and may miss 1"),
        ([server(f"web{n}", group="web", max_unavailable="25%") for n in range(3)], "may miss none of its 3 servers"),
        ([server("a", depends_on="b"), server("b", depends_on="a")], "these servers wait for each other"),
        ([server("a", depends_on="c")], "names 'c', which is neither a server nor a group"),
        ([server("a", level="high")], "server a: the inventory variable maintops_level must be a whole number"),
    ],
)
def test_what_could_only_go_wrong_is_refused_before_the_first_connection(servers: list[Server], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        refuse(proposal(*servers), ())


def test_who_needs_a_server_that_is_changed_last_could_never_have_a_turn() -> None:
    servers = [server("db1"), *(server(f"app{number}", depends_on="db1") for number in range(7))]
    with pytest.raises(UsageError) as caught:
        frame(proposal(*servers, protected={"db1": "the database of maintops is on it"}))
    assert str(caught.value) == (
        "db1 is changed last, because the database of maintops is on it, and before app0, app1, app2, app3, app4 and 2 "
        "more, which need it: make a plan of its own for it, and one for the others (--limit)"
    )


def test_those_who_are_last_may_need_each_other_and_others_outside_of_the_run() -> None:
    servers = [server("vm", runs_on="hv"), server("hv"), server("web1")]
    last = {"vm": "maintops runs on it", "hv": "it carries vm"}
    assert frame(proposal(*servers, protected=last))[1] == (("web1",), ("hv", "vm"))
    assert frame(proposal(servers[0], everyone=servers, protected={"hv": "x"}))[1] == (("vm",),)


def test_a_plan_holds_only_what_concerns_its_servers() -> None:
    everyone = [
        server("hv1"),
        server("hv2"),
        server("web1", group="web", runs_on="hv1"),
        server("web2", group="web", runs_on="hv2", depends_on="hv1"),
        server("db1", group="db"),
        server("db2", group="db"),
    ]
    found, _ = frame(proposal(everyone[0], everyone=everyone))
    assert set(found.groups) == {"web"}
    assert found.groups["web"].members == {"web1", "web2"}
    assert (found.needs, found.guests) == ({}, {"hv1": ("web1",)})


# --- what stands in it ------------------------------------------------------------------------------------------------


def test_a_plan_says_what_the_checklist_and_the_inventory_say() -> None:
    hand = Step("H-1", "Cable", "Move it", rollback="move it back")
    boot = ChangeStep("C-2", "Boot", reboot=Reboot.IF_NEEDED)
    back = replace(UPDATE, rollback=Action(role="back"))
    whole = replace(listed(back, boot), steps=(hand,), order=("C-1", "H-1", "C-2"))
    whole = replace(whole, change=replace(POLICY, budget=2, risk=Risk("a risk", "a way out"), people=("Anna",)))
    servers = [
        Server("web1", variables={"maintops_level": 5, CONSOLE: "true"}),
        Server("web2", variables={"maintops_bmc_address": "192.0.2.1"}),
        Server("web3"),
    ]
    plan = propose(proposal(*servers, of=whole, protected={"web3": "why"}), Looked(), ())
    assert plan.steps == (
        PlannedStep("C-1", "Update", "playbook", "role", 60),
        PlannedStep("H-1", "Cable", "by hand", "move it back"),
        PlannedStep("C-2", "Boot", "reboot if-needed"),
    )
    assert [(one.server, one.values, one.console, one.protected) for one in plan.servers] == [
        ("web1", {"level": 5}, "console", ""),
        ("web2", {}, "BMC", ""),
        ("web3", {}, "", "why"),
    ]
    assert (plan.budget, plan.risk, plan.contingency, plan.people) == (2, "a risk", "a way out", ("Anna",))
    assert plan.notes == (
        "packages: latest. The last wave may get other versions than the canary.",
        "No console or management controller is known of web3: nobody can help them from afar.",
    )


def test_hooks_the_soak_and_the_gate_are_told_before_anybody_agrees() -> None:
    hooks = {"drain": Hook("out", undo="in"), "snapshot": Hook("keep", on="server")}
    policy = replace(POLICY, soak=90.0, gate="./quiet", **hooks)
    plan = propose(proposal(server("web1"), of=listed(policy=policy)), Looked(), ())
    assert plan.steps[:2] == (
        PlannedStep("CHG-120", "It serves nobody while it is changed", "hook on the controller", "undrain"),
        PlannedStep("CHG-130", "There is a snapshot of before", "hook on the server"),
    )
    assert [one.id for one in plan.steps[2:]] == ["C-1"]
    assert plan.notes[-2:] == (
        (
            "After each wave it waits 1 min 30 s and looks at its servers again: one that is not well then counts "
            "against the failure budget."
        ),
        "After each wave but the last a command must agree: ./quiet",
    )


def test_what_cannot_be_undone_and_what_waits_for_its_window_is_noted() -> None:
    never = replace(UPDATE, irreversible=True)
    policy = replace(window(1), packages=Packages.PINNED)
    plan = propose(proposal(server("web1"), of=listed(never, policy=policy)), Looked(), ())
    assert plan.notes == ("C-1 (Update) cannot be undone.", "It can be run only inside its window.")


def test_versions_that_are_to_be_pinned_must_be_known() -> None:
    pinned = listed(policy=replace(POLICY, packages=Packages.PINNED), checks=[PENDING])
    made = proposal(*(server(f"web{number}") for number in range(8)), of=pinned)
    looked = {"web0": PlannedChange("web0", asked=AT)}
    with pytest.raises(UsageError, match="not known of web1, web2, web3, web4, web5 and 2 more: nobody has asked"):
        propose(made, Looked(looked), ())
    assert propose(replace(made, servers=made.servers[:1]), Looked(looked), ()).servers[0].asked == AT
    assert propose(replace(made, checklist=listed(policy=pinned.change)), Looked(), ()).names[0] == "web0"


def waiting(name: str, **versions: str) -> PlannedChange:
    return PlannedChange(name, updates=tuple(Update(one, None, new) for one, new in versions.items()), asked=AT)


def test_what_the_first_wave_does_not_try_is_told() -> None:
    looked = {
        "web0": waiting("web0", nginx="1.1", openssl="3.0"),
        "web1": waiting("web1", nginx="1.1", openssl="3.1"),
        "web2": waiting("web2", nginx="1.1", curl="8"),
        "web3": waiting("web3", curl="8"),
        "web4": waiting("web4", curl="8"),
    }
    pinned = listed(policy=replace(POLICY, packages=Packages.PINNED), checks=[PENDING])
    made = proposal(*map(server, looked), of=pinned)
    told = "Not tried by the first wave: openssl 3.1 (web1), curl 8 (web2, web3 and 1 more)."
    assert propose(made, Looked(looked), ()).notes == (told,)
    alike = {name: waiting(name, nginx="1.1") for name in looked}
    assert propose(made, Looked(alike), ()).notes == ()
    assert propose(replace(made, servers=made.servers[1:2]), Looked(looked), ()).notes == ()
    latest = propose(replace(made, checklist=listed(checks=[PENDING])), Looked(looked), ())
    assert [note for note in latest.notes if "Not tried" in note] == []


def test_of_many_packages_that_are_not_tried_some_are_named() -> None:
    names = [f"lib{number}" for number in range(9)]
    looked = {"web0": waiting("web0"), "web1": waiting("web1", **dict.fromkeys(names, "2"))}
    pinned = listed(policy=replace(POLICY, packages=Packages.PINNED), checks=[PENDING])
    (note,) = propose(proposal(*map(server, looked), of=pinned), Looked(looked), ()).notes
    assert note.endswith("lib3 2 (web1), lib4 2 (web1) and 4 more.")
