"""A plan is made: what can only go wrong is refused, and what an approver must know stands in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from maintops.domain.changes import Action, ChangePolicy, ChangeStep, Packages, Reboot, Risk, Share
from maintops.domain.checklists import Check, Checklist, Step
from maintops.domain.identities import Identity
from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.domain.placements import CONSOLE
from maintops.domain.plans import Expectation, Foreseen, PlannedChange, PlannedStep, Update
from maintops.domain.ports import (
    Content,
    Failure,
    FailureKind,
    Memory,
    Preview,
    Previewed,
    Pulse,
    Remembered,
    Reply,
    Stop,
)
from maintops.domain.records import ServiceRecord
from maintops.domain.servers import Server
from maintops.domain.windows import Opening, WindowRule, Windows
from maintops.errors import NothingSelected, UsageError
from maintops.probes.catalogue import Catalogue
from maintops.store.memory import MemoryStore
from maintops.workflow.keeping import Crew
from maintops.workflow.planning import plan_run
from maintops.workflow.proposing import (
    Looked,
    Proposal,
    durations,
    expectation,
    foresee,
    frame,
    look_at,
    pending,
    propose,
    refuse,
    remembered,
)
from tests.unit.workflow.framing import answered, stream
from tests.unit.workflow.samples import OWNER, RULES, Canned, CannedPreviews, checklist, delivery, draft, probe

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
ANNA = Identity("anna@ctl", "Anna")
UPDATE = ChangeStep(
    "C-1", "Update", act=Action(playbook="/p/a.yml", parameters={"level": {"from": "level"}, "x": 1}), estimate=60
)
PENDING = Check("P-1", "Pending", probe="pending-updates")
POLICY = ChangePolicy(waves=(Share(count=1), Share(percent=100)), packages=Packages.LATEST)


def listed(*changes: ChangeStep, policy: ChangePolicy = POLICY, checks: Sequence[Check] = ()) -> Checklist:
    chosen = changes or (UPDATE,)
    return replace(
        checklist(*checks, parameters={"level": 1}),
        changes=chosen,
        change=policy,
        order=tuple(one.id for one in chosen),
    )


def server(name: str, **variables: Any) -> Server:
    return Server(name, variables={f"maintops_{key}": value for key, value in variables.items()})


def proposal(*servers: Server, of: Checklist | None = None, **more: Any) -> Proposal:
    return Proposal("p1", of or listed(), servers, more.pop("everyone", servers), ANNA, AT, {"a": "0"}, **more)


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


# --- time -------------------------------------------------------------------------------------------------------------


def window(*days: int, begin: int = 20, end: int = 23) -> ChangePolicy:
    rules = tuple(WindowRule(time(begin), time(end), day=date(2026, 3, day)) for day in days)
    return replace(POLICY, windows=Windows("UTC", rules))


def chosen(policy: ChangePolicy, now: datetime, earlier: Sequence[float] = (3600.0,) * 5) -> Opening | None:
    made = proposal(server("web1"), of=listed(policy=policy))
    return propose(replace(made, now=now), Looked(), earlier).window


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def test_the_window_is_the_open_one_while_a_server_fits_and_else_the_next() -> None:
    policy = window(1, 3)
    first, second = Opening(at(1, 20), at(1, 23)), Opening(at(3, 20), at(3, 23))
    assert chosen(policy, AT) == first
    assert chosen(policy, at(1, 22)) == first
    assert chosen(policy, at(1, 22, 1)) == second
    assert chosen(POLICY, AT) is None


def test_a_window_that_never_opens_is_refused() -> None:
    late = replace(proposal(server("web1"), of=listed(policy=window(1))), now=at(2, 0))
    with pytest.raises(UsageError, match="the window of sample never opens within 400 days"):
        refuse(late, ())


def test_a_window_that_is_too_short_is_told_with_both_lengths() -> None:
    with pytest.raises(UsageError, match=r"the longest of the next 50 lasts 3 h 0 min, and a server takes up to 4 h 0"):
        chosen(window(1, 3), AT, [4 * 3600.0] * 5)


def test_an_open_window_with_too_little_left_is_not_one_that_never_opens() -> None:
    with pytest.raises(UsageError, match=r"lasts 30 min 0 s, and a server takes up to 1 h 0 min"):
        chosen(window(1), at(1, 22, 30))


def test_how_long_it_takes_is_known_from_earlier_changes_or_an_estimate() -> None:
    two = listed(UPDATE, ChangeStep("C-2", "Boot", reboot=Reboot.ALWAYS))
    assert expectation(two, [1.0] * 4) == Expectation(660.0, 660.0, "the checklist's estimate")
    hundred = [float(number) for number in range(100, 0, -1)]
    assert expectation(two, hundred) == Expectation(50.0, 95.0, "100 earlier changes")
    assert expectation(two, [5.0, 1.0, 3.0, 2.0, 4.0]) == Expectation(3.0, 5.0, "5 earlier changes")


def record(seconds: float = 60, id: str = "r1-0001", engine: str = "change", **cell: Any) -> ServiceRecord:
    one = Cell("C-1", None, cell.get("outcome", Outcome.OK), cell.get("severity"))
    return replace(draft(), id=id, engine=engine, started=AT, ended=AT + timedelta(seconds=seconds), cells=(one,))


@pytest.mark.parametrize(
    "left_out",
    [
        record(engine="ssh"),
        record(0),
        record(severity=Severity.CRITICAL),
        record(0.001, outcome=Outcome.NOT_REACHED),
        record(outcome=Outcome.UNKNOWN),
        record(id="r1-0001.2"),
    ],
)
def test_only_changes_that_came_to_their_end_in_one_go_tell_how_long_it_takes(left_out: ServiceRecord) -> None:
    assert durations([record(60), left_out, record(90, severity=Severity.WARNING)]) == [60.0, 90.0]


def test_the_whole_takes_as_long_as_its_waves_and_rests() -> None:
    policy = replace(POLICY, waves=(Share(count=2), Share(percent=100)), budget=1, canary_budget=0, soak=100.0)
    made = proposal(*(server(f"web{number}") for number in range(6)), of=listed(policy=policy))
    plan = propose(made, Looked(), ())
    assert [len(wave) for wave in plan.waves] == [2, 4]
    assert plan.seconds == 60.0 * (2 + 2) + 100


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


# --- what is pending --------------------------------------------------------------------------------------------------

FACTS = {
    "packages": [
        {"name": "nginx", "from": "1.0", "to": "1.1", "arch": "amd64", "security": True},
        {"name": "libnew", "from": None, "to": "2"},
    ],
    "removals": ["old"],
    "held": ["held"],
    "phased": ["slow"],
    "boot_free_bytes": 10e6,
    "boot_needed_bytes": 90e6,
}


def test_pending_packages_become_a_servers_part() -> None:
    assert pending("web1", FACTS, AT) == PlannedChange(
        "web1",
        {},
        (Update("nginx", "1.0", "1.1", "amd64", True), Update("libnew", None, "2")),
        ("old",),
        ("held",),
        ("slow",),
        AT,
        notes=("/boot would overflow: 90 MB needed, 10 MB free",),
    )
    assert pending("web1", {"boot_free_bytes": 5, "boot_needed_bytes": 5}, AT) == PlannedChange("web1", asked=AT)


def test_what_is_remembered_is_told_with_its_age() -> None:
    then = AT - timedelta(days=9)
    memory = {"web1": Memory({"P-1": {None: Remembered(FACTS, "r", then)}}), "web2": Memory()}
    made = proposal(server("web1"), server("web2"), of=listed(checks=[PENDING]))
    assert remembered(made, memory.__getitem__) == {"web1": pending("web1", FACTS, then)}


CHECKS = (Check("HW-010", "Disks", probe="disks", rules=RULES), PENDING)


def looked(*, told: bytes, disk: bytes = b'{"sda": {"level": 1}}', precheck: str = "HW-010") -> PlannedChange:
    of = listed(replace(UPDATE, precheck=(precheck,)), checks=(*CHECKS, Check("A-1", "Content", playbook="/p/x.yml")))
    asking = replace(probe(), name="pending-updates", question=lambda parameters: "echo pending")
    catalogue = Catalogue({"disks": probe(), "pending-updates": asking}, {})
    made = proposal(server("web1"), of=of)
    runner = Canned([])
    script = plan_run("plan", of, (), made.servers, catalogue, (runner,), "auto").servers[0].trip.scripts[0]
    answers = {"HW-010": answered(disk), "P-1": answered(told)}
    runner.items = [delivery("web1", Reply(stream(script, **answers)))]
    crew = Crew(MemoryStore(), {"ssh": runner}, CannedPreviews(), lambda: AT, OWNER)
    return look_at(made, crew, catalogue, "auto", 5, lambda: None)["web1"]


def test_looking_tells_what_is_pending() -> None:
    found = looked(told=b'{"x": {"packages": [{"name": "nginx", "from": "1", "to": "2"}]}}')
    assert found == PlannedChange("web1", updates=(Update("nginx", "1", "2"),), asked=AT)


def test_what_would_stop_the_change_now_is_noted() -> None:
    found = looked(told=b'{"x": {}}', disk=b'{"sda": {"level": 95}}')
    assert found.notes == ("would not be changed now: HW-010: sda is at 95",)


def test_a_precheck_that_only_the_run_asks_is_no_objection() -> None:
    assert looked(told=b'{"x": {}}', precheck="A-1").notes == ()


def test_what_is_not_known_is_not_called_nothing() -> None:
    found = looked(told=b"none")
    assert (found.asked, found.notes) == (None, ("what is pending is not known: no disk",))


# --- what check mode says ---------------------------------------------------------------------------------------------


@dataclass
class Previews:
    """A previewer that says something of every server."""

    asked: list[tuple[Content, list[str]]] = field(default_factory=list)
    says: Mapping[str, Preview] = field(default_factory=dict)

    def preview(
        self, content: Content, servers: Sequence[Server], *, forks: int, timeout: float, stop: Stop
    ) -> Iterator[Preview | Pulse]:
        self.asked.append((content, [one.name for one in servers]))
        yield Pulse({})
        for one in servers:
            yield self.says.get(one.name, Preview(one.name))


def test_servers_with_other_parameters_are_previewed_with_theirs() -> None:
    previews = Previews()
    made = proposal(server("a"), server("b", level=2), server("c"))
    found = foresee(made, made.servers, previews, 5, lambda: None)
    assert [(dict(content.variables), names) for content, names in previews.asked] == [
        ({"level": 1, "x": 1}, ["a", "c"]),
        ({"level": 2, "x": 1}, ["b"]),
    ]
    assert [one.server for one in found] == ["a", "c", "b"]
    assert previews.asked[0][0].folder == "/srv"


def test_changes_blind_spots_and_failures_are_told_apart() -> None:
    tasks = (
        Previewed("install", "changed"),
        Previewed("look", "ok"),
        Previewed("restart", "skipped", message="not previewable"),
    )
    previews = Previews(
        says={
            "a": Preview("a", tasks),
            "b": Preview("b", (Previewed("install", "failed", message="no package"),)),
            "c": Preview("c", failure=Failure(FailureKind.UNREACHABLE, "no connection")),
        }
    )
    made = proposal(server("a"), server("b"), server("c"))
    assert foresee(made, made.servers, previews, 5, lambda: None) == (
        Foreseen("C-1", "a", ("install",), ("restart",)),
        Foreseen("C-1", "b", failure="install: no package"),
        Foreseen("C-1", "c", failure="no connection"),
    )


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (ChangeStep("C-1", "Do", act=Action(fabric="/p/t.py:do")), "fabric"),
        (ChangeStep("C-1", "Boot", reboot=Reboot.ALWAYS), "reboot"),
    ],
)
def test_what_check_mode_cannot_say_is_said(step: ChangeStep, kind: str) -> None:
    previews = Previews()
    made = proposal(server("a"), of=listed(step))
    found = foresee(made, made.servers, previews, 5, lambda: None)
    assert found == (Foreseen("C-1", "a", blind=(kind,)),)
    assert previews.asked == []
