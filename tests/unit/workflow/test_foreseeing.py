"""What is pending on servers, what would stop a change of them, and what check mode foresees."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from maintops.domain.changes import Action, ChangeStep, Reboot
from maintops.domain.checklists import Check
from maintops.domain.plans import Foreseen, PlannedChange, Update
from maintops.domain.ports import (
    Content,
    Failure,
    FailureKind,
    Preview,
    Previewed,
    Pulse,
    Remembered,
    Reply,
    Stop,
    Subjects,
)
from maintops.domain.servers import Server
from maintops.probes.catalogue import Catalogue
from maintops.store.memory import MemoryStore
from maintops.workflow.foreseeing import foresee, look_at, pending, remembered
from maintops.workflow.keeping import Crew
from maintops.workflow.planning import plan_run
from tests.unit.workflow.framing import answered, stream
from tests.unit.workflow.proposals import AT, PENDING, UPDATE, listed, proposal, server
from tests.unit.workflow.samples import OWNER, RULES, Canned, CannedPreviews, delivery, probe

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


class Kept(MemoryStore):
    """A store that knows facts, and what it was asked for."""

    def __init__(self, known: Mapping[str, Mapping[str, Subjects]]) -> None:
        super().__init__()
        self.known = known
        self.asked: list[tuple[list[str], list[str]]] = []

    def facts(self, servers: Iterable[str], checks: Collection[str]) -> Mapping[str, Mapping[str, Subjects]]:
        names = list(servers)
        self.asked.append((names, list(checks)))
        return {name: self.known[name] for name in names if name in self.known}


def test_what_is_remembered_is_told_with_its_age() -> None:
    then = AT - timedelta(days=9)
    facts = {"P-1": {None: Remembered(FACTS, "r", then)}, "HW-010": {None: Remembered({"level": 1}, "r", AT)}}
    made = proposal(server("web1"), server("web2"), server("web3"), of=listed(checks=CHECKS))
    store = Kept({"web1": facts, "web2": {"P-1": {"vda": facts["P-1"][None]}}, "web9": facts})
    assert remembered(made, store) == {"web1": pending("web1", FACTS, then)}
    assert store.asked == [(["web1", "web2", "web3"], ["P-1"])]


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
