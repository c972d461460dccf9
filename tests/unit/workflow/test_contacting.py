"""What a management controller says becomes part of its server's record."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from maintops.domain.answers import Answer
from maintops.domain.checklists import Check, Rule
from maintops.domain.outcomes import FailOn, Outcome, Severity
from maintops.domain.ports import Failure, FailureKind, Inquiry, Pulse, Reply, Told
from maintops.domain.servers import Server
from maintops.errors import UsageError
from maintops.probes.catalogue import Catalogue
from maintops.probes.contract import Presence, Probe, Reach
from maintops.store.memory import MemoryStore
from maintops.workflow.keeping import Crew
from maintops.workflow.planning import plan_run
from maintops.workflow.running import Orders, carry_out
from maintops.workflow.stopping import Stopping
from tests.unit.workflow.framing import stream
from tests.unit.workflow.samples import (
    FACTS,
    OWNER,
    START,
    Canned,
    CannedPreviews,
    catalogue,
    checklist,
    delivery,
    read,
)

FULL = Rule("level >= 90", Severity.CRITICAL, "{{ subject }} is at {{ level }}")
OWN = Check("A-100", "Said", command="echo hello", parser="text")
SENSORS = Check("B-100", "Sensors", probe="bmc", rules=(FULL,), timeout=7)
EVENTS = Check("B-200", "Events", probe="bmc")
BMC = {"maintops_bmc_address": "10.0.0.9", "maintops_bmc_user": "u", "maintops_bmc_password": "p"}


def bmc(name: str = "bmc", reach: Reach = Reach.REDFISH) -> Probe:
    return Probe(name, "BMC", FACTS, lambda parameters: "systems", read, Presence.LASTING, reach=reach)


@dataclass
class Said:
    """A contact that says what it is given."""

    items: Sequence[Told | Pulse]
    asked: tuple[Inquiry, ...] = ()

    def inquire(self, inquiries, *, forks, stop) -> Iterator[Told | Pulse]:
        self.asked = tuple(inquiries)
        yield from self.items


def told(check: str, answer: bytes | None = b"{}", failure: Failure | None = None, server: str = "web1") -> Told:
    return Told(server, check, None if answer is None else Answer(answer), failure, START, START)


def go(checks, said=(), variables=BMC, *, answered=True, stopping=None):
    """Runs once against web1; gives the record's cells by check, the exit code, and the contact."""
    listed = checklist(*checks)
    runner = Canned([])
    known = Catalogue({**catalogue().probes, "bmc": bmc()}, catalogue().parsers)
    plan = plan_run("r1", listed, [], [Server("web1", variables=variables)], known, (runner,), "auto")
    scripts = plan.servers[0].trip.scripts
    runner.items = [delivery("web1", *[Reply(stream(script)) for script in scripts])] if answered and scripts else []
    store, contact = MemoryStore(), Said(said)
    crew = Crew(store, {"ssh": runner}, CannedPreviews(), lambda: START, OWNER, (), contact)
    result = carry_out(plan, crew, Orders(stopping=stopping or Stopping()))
    (record,) = store.records(run="r1")
    return {cell.check: cell for cell in record.cells}, result.codes[FailOn.CRITICAL], contact


def test_both_halves_become_one_record():
    cells, code, contact = go(
        (OWN, SENSORS, EVENTS), [told("B-200"), Pulse({"web1": "B-100"}), told("B-100", b'{"fan1": {"level": 95}}')]
    )
    assert {check: cell.outcome for check, cell in cells.items()} == {
        "A-100": Outcome.OK,
        "B-100": Outcome.ATTENTION,
        "B-200": Outcome.OK,
    }
    assert (cells["B-100"].message, code) == ("fan1 is at 95", 2)
    assert [(one.server.name, one.check, one.question, one.timeout) for one in contact.asked] == [
        ("web1", "B-100", "systems", 7),
        ("web1", "B-200", "systems", EVENTS.timeout),
    ]


def test_a_server_that_is_asked_nothing_itself_is_whole_with_its_controller():
    cells, code, _ = go((SENSORS,), [told("B-100")])
    assert (cells["B-100"].outcome, code) == (Outcome.OK, 0)


def test_without_an_address_nobody_is_asked():
    cells, code, contact = go((OWN, SENSORS), variables={})
    assert (cells["B-100"].outcome, code, contact.asked) == (Outcome.SKIPPED, 0, ())
    assert "maintops_bmc_address" in cells["B-100"].message


def test_a_useless_address_is_told_before_anybody_is_asked():
    with pytest.raises(UsageError, match=r"server web1: .*maintops_bmc_password"):
        go((OWN, SENSORS), variables={"maintops_bmc_address": "10.0.0.9", "maintops_bmc_user": "u"})


@pytest.mark.parametrize(
    ("item", "outcome", "why", "code"),
    [
        (told("B-100", None, Failure(FailureKind.UNREACHABLE, "no route")), Outcome.UNREACHABLE, "no route", 4),
        (told("B-100", None, Failure(FailureKind.OVERTIME, "too slow")), Outcome.FAILED, "too slow", 2),
        (told("B-100", b"broken"), Outcome.FAILED, "its answer cannot be read: it is broken", 2),
        (told("B-100", b"none"), Outcome.NOT_MEASURED, "no disk", 0),
        (told("B-100", None), Outcome.UNKNOWN, "neither an answer nor a reason", 4),
        (None, Outcome.UNKNOWN, "no answer and no reason", 4),
    ],
)
def test_what_fails_there_is_that_checks_own_outcome(item, outcome, why, code):
    cells, said, _ = go((OWN, SENSORS), [item] if item else [])
    assert (cells["A-100"].outcome, cells["B-100"].outcome, said) == (Outcome.OK, outcome, code)
    assert why in cells["B-100"].message


def test_a_server_that_its_runner_lost_keeps_what_its_controller_said():
    cells, code, _ = go((OWN, SENSORS), [told("B-100")], answered=False)
    assert (cells["A-100"].outcome, cells["B-100"].outcome, code) == (Outcome.UNKNOWN, Outcome.OK, 4)


def test_a_stopped_run_says_that_it_was_not_reached():
    stopping = Stopping()
    stopping.cancel()
    cells, code, _ = go((OWN, SENSORS), answered=True, stopping=stopping)
    assert (cells["A-100"].outcome, cells["B-100"].outcome, code) == (Outcome.OK, Outcome.NOT_REACHED, 2)
