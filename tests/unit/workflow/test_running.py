"""One run from plan to records, without any server: every cause of the table in docs/states.md."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.checklists import Check, Rule
from maintops.domain.outcomes import FailOn, Outcome, Severity
from maintops.domain.ports import Failure, FailureKind, Preview, Previewed, Pulse, Reply
from maintops.domain.runs import Progressed, RunEnded, RunPlanned, RunState, ServerAnswered
from maintops.domain.servers import Server
from maintops.errors import StoreError
from maintops.store.memory import MemoryStore
from maintops.workflow.keeping import Crew
from maintops.workflow.planning import plan_run
from maintops.workflow.running import Orders, carry_out
from maintops.workflow.stopping import Stopping
from tests.unit.workflow.framing import answered, stream
from tests.unit.workflow.samples import OWNER, START, Canned, CannedPreviews, catalogue, checklist, delivery

CHECKS = tuple(
    Check(f"A-{number}", f"Question {number}", command=f"echo {number}", parser="text", timeout=5)
    for number in (100, 200, 300)
)


@dataclass
class Clock:
    """A clock that a test moves."""

    now: datetime = START
    pace: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        self.now += self.pace
        return self.now


@dataclass
class Watching:
    """Remembers what it was told, and what the store held of it at that moment."""

    store: MemoryStore
    told_events: list[object] = field(default_factory=list)

    def told(self, event, record):
        if isinstance(event, RunPlanned):
            assert self.store.run(event.run).state is RunState.RUNNING
        if isinstance(event, ServerAnswered):
            assert self.store.record(event.record) == record
        if isinstance(event, RunEnded):
            assert self.store.run("last").state is event.state
        self.told_events.append(event)


@dataclass
class Stage:
    """Everything for one run."""

    names: tuple[str, ...] = ("web1",)
    listed: object = None
    runner: Canned = None
    previewer: CannedPreviews = field(default_factory=CannedPreviews)
    clock: Clock = field(default_factory=Clock)
    store: MemoryStore = field(default_factory=MemoryStore)
    stopping: Stopping = field(default_factory=Stopping)

    def __post_init__(self):
        self.runner = self.runner or Canned([])
        servers = [Server(name) for name in self.names]
        self.plan = plan_run("r1", self.listed or checklist(*CHECKS), [], servers, catalogue(), (self.runner,), "auto")
        self.script = next(iter(self.plan.servers[0].trip.scripts), None)
        self.watching = Watching(self.store)

    def go(self, *items):
        self.runner.items = items
        crew = Crew(self.store, {"ssh": self.runner}, self.previewer, self.clock, OWNER, [self.watching])
        self.result = carry_out(self.plan, crew, Orders(stopping=self.stopping, engineer="erika"))
        return self.result

    def outcomes(self, server="web1"):
        (record,) = [one for one in self.store.records(run="r1") if one.server == server]
        return {cell.check: cell.outcome for cell in record.cells}


ALL = ("A-100", "A-200", "A-300")


def test_a_good_run_from_plan_to_record():
    stage = Stage()
    result = stage.go(delivery("web1", Reply(stream(stage.script))))
    assert (result.run.state, result.codes[FailOn.INFO]) == (RunState.FINISHED, 0)
    assert stage.outcomes() == dict.fromkeys(ALL, Outcome.OK)
    (record,) = stage.store.records(run="r1")
    assert (record.id, record.engineer, record.engine, record.checklist) == ("r1-0001", "erika", "ssh", "sample")
    assert [type(event) for event in stage.watching.told_events] == [RunPlanned, ServerAnswered, RunEnded]
    assert stage.store.answer("r1-0001") == stream(stage.script)


@pytest.mark.parametrize(
    ("kind", "begun", "waiting", "code"),
    [
        (FailureKind.UNREACHABLE, Outcome.UNREACHABLE, Outcome.UNREACHABLE, 4),
        (FailureKind.BROKEN, Outcome.UNKNOWN, Outcome.UNKNOWN, 4),
        (FailureKind.STOPPED, Outcome.UNKNOWN, Outcome.NOT_REACHED, 6),
        (FailureKind.OVERTIME, Outcome.FAILED, Outcome.UNKNOWN, 6),
        (FailureKind.OVERFLOW, Outcome.FAILED, Outcome.FAILED, 2),
    ],
)
def test_an_answer_that_is_not_whole_keeps_what_arrived(kind, begun, waiting, code):
    stage = Stage()
    cut = stream(stage.script, begins=2)
    result = stage.go(delivery("web1", Reply(cut, Failure(kind, "that is why"))))
    assert stage.outcomes() == {"A-100": Outcome.OK, "A-200": begun, "A-300": waiting}
    assert result.codes[FailOn.NEVER] == code
    (record,) = stage.store.records(run="r1")
    assert record.notes[0] == "that is why"
    assert {cell.message for cell in record.cells if cell.outcome is not Outcome.OK} == {"that is why"}


def test_a_server_that_its_runner_lost_is_unknown_and_not_silent():
    stage = Stage(("web1", "web2"))
    result = stage.go(delivery("web1", Reply(stream(stage.script))))
    assert stage.outcomes("web2") == dict.fromkeys(ALL, Outcome.UNKNOWN)
    assert result.codes[FailOn.NEVER] == 4


def test_a_cancelled_run_fills_every_cell():
    stage = Stage(("web1", "web2"))
    stage.stopping.cancel()
    result = stage.go(delivery("web1", Reply(b"", Failure(FailureKind.STOPPED, "the run was cancelled"))))
    assert (result.run.state, result.codes[FailOn.NEVER]) == (RunState.CANCELLED, 2)
    assert stage.outcomes("web1") == dict.fromkeys(ALL, Outcome.NOT_REACHED)
    assert stage.outcomes("web2") == dict.fromkeys(ALL, Outcome.NOT_REACHED)


def test_a_script_of_which_nothing_was_heard_may_have_run():
    stage = Stage(("web1",))
    stage.stopping.cancel()
    cut = Failure(FailureKind.STOPPED, "the run was cancelled", blind=True)
    result = stage.go(delivery("web1", Reply(b"", cut)))
    assert (result.run.state, result.codes[FailOn.NEVER]) == (RunState.CANCELLED, 4)
    assert stage.outcomes("web1") == dict.fromkeys(ALL, Outcome.UNKNOWN)


def test_a_deadline_ends_a_run_that_is_finished_all_the_same():
    stage = Stage(stopping=Stopping(START, lambda: START))
    result = stage.go()
    assert (result.run.state, result.codes[FailOn.NEVER]) == (RunState.FINISHED, 2)
    assert "deadline" in result.run.reason
    assert stage.outcomes() == dict.fromkeys(ALL, Outcome.NOT_REACHED)


@pytest.mark.parametrize(
    ("said", "outcome", "words"),
    [
        (answered(b"", timed_out=True, status=124), Outcome.FAILED, "no answer within its 5.0 s"),
        (answered(b"x" * 51, limit=50), Outcome.FAILED, "truncated"),
        (answered(b"fine\n", status=None), Outcome.FAILED, "how it ended is not known"),
        (answered(b"", status=127, stderr=b"sh: nosuch: not found\n"), Outcome.NOT_MEASURED, "no such command: nosuch"),
    ],
)
def test_one_check_that_goes_wrong_leaves_the_others_alone(said, outcome, words):
    stage = Stage()
    stage.go(delivery("web1", Reply(stream(stage.script, **{"A-200": said}))))
    assert stage.outcomes() == {"A-100": Outcome.OK, "A-200": outcome, "A-300": Outcome.OK}
    (record,) = stage.store.records(run="r1")
    assert words in record.cells[1].message


@pytest.mark.parametrize(
    ("output", "outcome", "words"),
    [
        (b"none", Outcome.NOT_MEASURED, "no disk"),
        (b"broken", Outcome.FAILED, "it is broken"),
        (b"bug", Outcome.FAILED, "KeyError"),
        (b"twice", Outcome.FAILED, "twice"),
        (b"set", Outcome.FAILED, "no JSON value"),
        (b"many1001", Outcome.FAILED, "1001 subjects"),
    ],
)
def test_what_a_reader_makes_of_it(output, outcome, words):
    stage = Stage(listed=checklist())
    stage.go(delivery("web1", Reply(stream(stage.script, **{"HW-010": answered(output)}))))
    (record,) = stage.store.records(run="r1")
    assert record.cells[0].outcome is outcome
    assert words in record.cells[0].message


def test_a_rule_that_matches_counts_from_its_severity_on():
    rule = Rule("text == '100'", Severity.WARNING, "it says {{ text }}")
    stage = Stage(listed=checklist(Check("A-100", "Q", command="echo", parser="text", rules=(rule,))))
    result = stage.go(delivery("web1", Reply(stream(stage.script, **{"A-100": answered(b"100\n")}))))
    assert [result.codes[level] for level in FailOn] == [2, 2, 0, 0]


def test_a_sign_of_life_is_kept_at_least_every_half_minute():
    stage = Stage(clock=Clock(pace=timedelta(seconds=20)))
    result = stage.go(*[Pulse({"web1": "A-200"})] * 4, delivery("web1", Reply(stream(stage.script))))
    signs = [event for event in stage.store.events("r1") if isinstance(event, Progressed)]
    assert signs
    assert signs[0].in_flight == {"web1": "A-200"}
    gaps = [event.at for event in stage.store.events("r1")]
    assert max(later - sooner for sooner, later in pairwise(gaps)) <= timedelta(minutes=2)
    assert result.run.state is RunState.FINISHED


class Breaking(MemoryStore):
    """Its disk is full at the second record."""

    def commit(self, run, record, server, judge, answer, at):
        if server == "web2":
            raise StoreError("the disk is full")
        return super().commit(run, record, server, judge, answer, at)


def test_a_store_that_breaks_ends_the_run_with_its_reason_and_keeps_what_was_kept():
    stage = Stage(("web1", "web2"), store=Breaking())
    whole = Reply(stream(stage.script))
    with pytest.raises(StoreError, match="full"):
        stage.go(delivery("web1", whole), delivery("web2", whole))
    assert [one.server for one in stage.store.records(run="r1")] == ["web1"]


def test_a_runner_that_breaks_leaves_an_interrupted_run_with_every_cell_filled():
    stage = Stage(("web1", "web2"))

    def breaking(*args, **kwargs) -> Iterator[object]:
        yield delivery("web1", Reply(stream(stage.script)))
        raise RuntimeError("a defect")

    stage.runner.ask = breaking
    with pytest.raises(RuntimeError, match="a defect"):
        stage.go()
    assert stage.store.run("r1").state is RunState.INTERRUPTED
    assert stage.outcomes("web1") == dict.fromkeys(ALL, Outcome.OK)
    assert stage.outcomes("web2") == dict.fromkeys(ALL, Outcome.UNKNOWN)


def test_content_is_previewed_first_and_its_cell_stands_beside_the_others():
    listed = checklist(CHECKS[0], Check("PB-010", "Site", playbook="/srv/site.yml", become=True))
    said = Preview("web1", (Previewed("Configure sshd", "changed", "- a\n+ b"), Previewed("Start it", "ok")))
    stage = Stage(
        ("web1", "web2", "web3"), listed, previewer=CannedPreviews([said, Pulse({"web2": ""}), Preview("web2")])
    )
    whole = Reply(stream(stage.script))
    stage.go(*(delivery(name, whole) for name in stage.names))
    assert stage.previewer.asked[0].playbook == "/srv/site.yml"
    assert (stage.previewer.asked[0].become, stage.previewer.asked[0].folder) == (True, "/srv")
    assert stage.outcomes("web1") == {"A-100": Outcome.OK, "PB-010": Outcome.ATTENTION}
    assert stage.outcomes("web2")["PB-010"] is Outcome.SKIPPED
    assert stage.outcomes("web3")["PB-010"] is Outcome.UNKNOWN
    (record,) = [one for one in stage.store.records(run="r1") if one.server == "web1"]
    assert "- a\n+ b" in record.cells[1].evidence


@pytest.mark.parametrize(
    ("preview", "outcome"),
    [
        (Preview("web1", (Previewed("Start it", "failed", message="no such unit"),)), Outcome.FAILED),
        (Preview("web1", (Previewed("Start it", "ok"),)), Outcome.OK),
        (Preview("web1", (), Failure(FailureKind.UNREACHABLE, "refused")), Outcome.UNREACHABLE),
        (Preview("web1", (), Failure(FailureKind.OVERTIME, "too long")), Outcome.FAILED),
    ],
)
def test_what_check_mode_says_of_a_server(preview, outcome):
    stage = Stage(listed=checklist(Check("PB-010", "Site", role="sshd")), previewer=CannedPreviews([preview]))
    stage.go()
    assert stage.outcomes() == {"PB-010": outcome}


KINDS = st.sampled_from(FailureKind)


@given(st.data())
def test_whatever_comes_back_every_planned_check_has_an_outcome(data):
    stage = Stage(("s1", "s2", "s3"))
    whole = stream(stage.script)
    items = []
    for name in data.draw(st.permutations(stage.names)):
        what = data.draw(st.sampled_from(["whole", "cut", "silent", "garbage", "empty"]))
        failure = data.draw(st.none() | KINDS.map(lambda kind: Failure(kind, "why")))
        cut = data.draw(st.integers(0, len(whole)))
        bytes_ = {"whole": whole, "cut": whole[:cut], "garbage": data.draw(st.binary(max_size=50)), "empty": b""}
        if what != "silent":
            items.append(delivery(name, Reply(bytes_[what], failure)))
    if data.draw(st.booleans()):
        stage.stopping.cancel()
    result = stage.go(*items)
    expected = 0
    for name in stage.names:
        outcomes = stage.outcomes(name)
        assert set(outcomes) == set(ALL)
        for outcome in outcomes.values():
            expected |= 2 if outcome.value in ("failed", "not_reached") else 0
            expected |= 4 if outcome.value in ("unreachable", "unknown") else 0
    assert result.codes[FailOn.NEVER] == expected
    assert len(result.run.records) == 3


def test_a_server_that_did_not_run_the_script_says_so():
    stage = Stage()
    stage.go(delivery("web1", Reply(b"Welcome to this appliance\n")))
    assert stage.outcomes() == dict.fromkeys(ALL, Outcome.UNKNOWN)
    (record,) = stage.store.records(run="r1")
    assert "did not run the script" in record.cells[0].message


def test_check_mode_that_cannot_tell_is_not_measured():
    silent = Previewed("Run it", "skipped", message="not previewable: Command would have run")
    for tasks, outcome in (
        ((silent,), Outcome.NOT_MEASURED),
        ((silent, Previewed("Configure", "changed")), Outcome.ATTENTION),
        ((Previewed("Not here", "skipped"), Previewed("Look", "ok")), Outcome.OK),
    ):
        stage = Stage(
            listed=checklist(Check("PB-010", "Site", role="sshd")), previewer=CannedPreviews([Preview("web1", tasks)])
        )
        stage.go()
        assert stage.outcomes() == {"PB-010": outcome}


def test_a_record_that_somebody_else_has_kept_counts_as_it_is_kept():
    stage = Stage()
    from maintops.workflow.recovering import interrupt

    def taken_for_dead(*args, **kwargs):
        interrupt(stage.store, stage.store.run("r1"), START)
        yield delivery("web1", Reply(stream(stage.script)))

    stage.runner.ask = taken_for_dead
    result = stage.go()
    assert stage.outcomes() == dict.fromkeys(ALL, Outcome.UNKNOWN)
    assert result.codes[FailOn.NEVER] == 4
    assert result.run.state is RunState.INTERRUPTED


def test_checks_that_share_a_question_share_its_answer():
    same = [Check(f"A-{number}00", "Said", command="echo hello", parser="text") for number in (1, 2)]
    stage = Stage(listed=checklist(*same))
    assert stage.script.checks == ("A-100",)
    stage.go(delivery("web1", Reply(stream(stage.script, **{"A-100": answered(b"hello\n")}))))
    (record,) = stage.store.records(run="r1")
    assert [(cell.check, cell.outcome, cell.facts["text"]) for cell in record.cells] == [
        ("A-100", Outcome.OK, "hello"),
        ("A-200", Outcome.OK, "hello"),
    ]
    other = Stage(listed=checklist(*same))
    other.go(delivery("web1", Reply(stream(other.script, begins=1), Failure(FailureKind.BROKEN, "gone"))))
    assert other.outcomes() == {"A-100": Outcome.UNKNOWN, "A-200": Outcome.UNKNOWN}
