"""A store that is forgotten at the end. It keeps the same texts as the databases and answers like them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256

from maintops.domain.baselines import Baseline
from maintops.domain.findings import Finding, FindingState
from maintops.domain.followups import FollowUp, FollowUpState
from maintops.domain.holds import Approval, Hold
from maintops.domain.journeys import still_owed
from maintops.domain.ports import Memory, Sighting, Subjects, Verdict
from maintops.domain.records import ServiceRecord
from maintops.domain.runs import (
    AFTERWARDS,
    ChangeEvent,
    Event,
    Owed,
    Owner,
    Progressed,
    Resumed,
    Run,
    RunEnded,
    RunPlanned,
    ServerAnswered,
    Settled,
    fold,
)
from maintops.domain.steps import StepAnswer
from maintops.errors import StoreError
from maintops.store import codec
from maintops.store.journals import Kind, event_text, event_value
from maintops.store.locks import holder, still_running, taken
from maintops.store.orders import age, newest, planned_order, recency, urgency
from maintops.store.prefixes import LAST, chosen, unknown
from maintops.store.verdicts import Texts, texts


@dataclass(frozen=True, slots=True)
class _Row:
    """A record's text and what it is searched by."""

    id: str
    run: str
    server: str
    checklist: str
    started: int
    document: str


@dataclass(frozen=True, slots=True)
class _Entry:
    """An event of a journal."""

    kind: Kind
    document: str
    at: int


@dataclass(frozen=True, slots=True)
class _Answer:
    ended: int
    body: bytes


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known about one server: facts by check, findings and follow-ups by id."""

    facts: dict[str, str] = field(default_factory=dict)
    findings: dict[str, str] = field(default_factory=dict)
    followups: dict[str, str] = field(default_factory=dict)


class MemoryStore:
    """The Store protocol on dictionaries. It belongs to one thread."""

    def __init__(self) -> None:
        self._journals: dict[str, list[_Entry]] = {}
        self._ended: set[str] = set()
        self._records: dict[str, _Row] = {}
        self._servers: dict[str, _Known] = {}
        self._findings: dict[str, _Known] = {}
        self._followups: dict[str, _Known] = {}
        self._sightings: dict[str, list[Sighting]] = {}
        self._answers: dict[str, _Answer] = {}
        self._baselines: list[str] = []
        self._evidence: dict[str, bytes] = {}
        self._approvals: dict[str, list[str]] = {}
        self._holds: dict[str, str] = {}

    # --- writing -----------------------------------------------------------------------------------------------------

    def begin(self, planned: RunPlanned) -> None:
        """See Store."""
        if planned.run in self._journals:
            raise StoreError(f"The run {planned.run} is written down already.")
        entry = _entry(planned)
        if planned.changes:
            self._refuse_taken(planned)
        self._journals[planned.run] = [entry]

    def resume(self, run: str, resumed: Resumed) -> None:
        """See Store."""
        journal = self._journal(run)
        if run not in self._ended:
            raise still_running(self._run(run))
        entry = _entry(resumed)
        if self._changes(run):
            self._refuse_taken(self._run(run).planned)
        self._ended.discard(run)
        journal.append(entry)

    def append(
        self, run: str, *events: Progressed | RunEnded | StepAnswer | ChangeEvent, owner: Owner | None = None
    ) -> bool:
        """See Store."""
        journal = self._journal(run)
        if owner is not None and (run in self._ended or owner != self._run(run).owner):
            return False
        entries = [(event, _entry(event)) for event in events]  # all can be kept, or none is
        for event, entry in entries:
            if isinstance(event, AFTERWARDS) or run not in self._ended:
                journal.append(entry)
            if isinstance(event, RunEnded):
                self._ended.add(run)
        return True

    def commit(
        self, run: str, record: str, server: str, judge: Callable[[Memory], Verdict], answer: bytes, at: datetime
    ) -> Verdict | None:
        """See Store."""
        journal = self._journal(run)
        if record in self._records:
            return None
        verdict = judge(self.memory(server))
        kept = texts(verdict, run, record, server)
        body = codec.packed(answer)
        event = ServerAnswered(server, record, verdict.record.outcome, at)
        self._keep(verdict, kept, at)
        if body is not None:
            self._answers[record] = _Answer(codec.microseconds(verdict.record.ended), body)
        if run not in self._ended:
            journal.append(_entry(event))
        return verdict

    def keep_evidence(self, body: bytes) -> str:
        """See Store."""
        digest = sha256(body).hexdigest()
        self._evidence[digest] = bytes(body)
        return digest

    def evidence(self, prefix: str) -> bytes:
        """See Store."""
        return self._evidence[chosen("evidence", prefix, [one for one in self._evidence if one.startswith(prefix)])]

    def accept(self, baselines: Sequence[Baseline]) -> None:
        """See Store."""
        # the newest first, as they are read
        self._baselines = [*reversed([codec.baseline_text(one) for one in baselines]), *self._baselines]

    def keep_approval(self, approval: Approval) -> None:
        """See Store."""
        self._approvals.setdefault(approval.plan, []).insert(0, codec.approval_text(approval))

    def keep_hold(self, hold: Hold) -> None:
        """See Store."""
        self._holds[hold.id] = codec.hold_text(hold)

    def prune_answers(self, before: datetime) -> int:
        """See Store."""
        limit = codec.microseconds(before)
        old = [record for record, answer in self._answers.items() if answer.ended < limit]
        for record in old:
            del self._answers[record]
        return len(old)

    def change_followup(self, id: str, change: Callable[[FollowUp], FollowUp]) -> FollowUp:
        """See Store."""
        if id not in self._followups:
            raise unknown("follow-up", id)
        followups = self._followups[id].followups
        changed = change(codec.followup_value(followups[id]))
        followups[id] = codec.followup_text(changed)
        return changed

    # --- reading -----------------------------------------------------------------------------------------------------

    def memory(self, server: str) -> Memory:
        """See Store."""
        known = self._servers.get(server, _Known())
        return Memory(
            {check: codec.subjects_value(document) for check, document in known.facts.items()},
            tuple(codec.finding_value(known.findings[id]) for id in sorted(known.findings)),
            tuple(self.followups(server=server)),
            {one.check: one for one in self.baselines(server=server)},
        )

    def facts(self, servers: Iterable[str], checks: Collection[str]) -> Mapping[str, Mapping[str, Subjects]]:
        """See Store."""
        known = {server: self._servers[server].facts for server in servers if server in self._servers}
        found = {
            server: {check: codec.subjects_value(facts[check]) for check in checks if check in facts}
            for server, facts in known.items()
        }
        return {server: some for server, some in found.items() if some}

    def answer(self, record: str) -> bytes | None:
        """See Store."""
        if record not in self._records:
            raise unknown("record", record)
        kept = self._answers.get(record)
        return None if kept is None else codec.unpacked(kept.body)

    def runs(self, limit: int | None = None, *, unfinished: bool = False) -> list[Run]:
        """See Store."""
        found = [run for run in self._journals if not unfinished or run not in self._ended]
        found.sort(key=lambda run: (self._journals[run][0].at, run), reverse=True)
        return [self._run(run) for run in found[:limit]]

    def run(self, prefix: str) -> Run:
        """See Store."""
        if prefix == LAST and self._journals:
            return self.runs(1)[0]
        return self._run(_choose("run", prefix, self._journals))

    def events(self, run: str) -> list[Event]:
        """See Store."""
        return [event_value(one.kind, one.document, one.at) for one in self._journal(run)]

    def records(
        self,
        *,
        run: str | None = None,
        server: str | None = None,
        checklist: str | None = None,
        limit: int | None = None,
    ) -> Iterator[ServiceRecord]:
        """See Store."""
        rows = [
            row
            for row in self._records.values()
            if run in {None, row.run} and server in {None, row.server} and checklist in {None, row.checklist}
        ]
        if run is None:
            rows.sort(key=lambda row: (row.started, row.id), reverse=True)
        elif rows:
            order = planned_order(self._run(run).planned)
            rows.sort(key=lambda row: order(row.id))
        return (codec.record_value(row.document) for row in rows[:limit])

    def record(self, prefix: str) -> ServiceRecord:
        """See Store."""
        return codec.record_value(self._records[_choose("record", prefix, self._records)].document)

    def findings(self, *, server: str | None = None, gone: bool = False) -> list[Finding]:
        """See Store."""
        found = [codec.finding_value(text) for known in self._known(server) for text in known.findings.values()]
        return sorted((one for one in found if gone or one.state is not FindingState.GONE), key=urgency)

    def finding(self, prefix: str) -> Finding:
        """See Store."""
        id = _choose("finding", prefix, self._findings)
        return codec.finding_value(self._findings[id].findings[id])

    def history(self, finding: str) -> list[Sighting]:
        """See Store."""
        if finding not in self._findings:
            raise unknown("finding", finding)
        return sorted(self._sightings[finding], key=lambda one: (one.at, one.record))

    def followups(self, *, server: str | None = None, closed: bool = False) -> list[FollowUp]:
        """See Store."""
        found = [codec.followup_value(text) for known in self._known(server) for text in known.followups.values()]
        return sorted((one for one in found if closed or one.state is not FollowUpState.CLOSED), key=age)

    def baselines(self, *, server: str | None = None, replaced: bool = False) -> list[Baseline]:
        """See Store."""
        found = [codec.baseline_value(document) for document in self._baselines]
        mine = sorted(
            (one for one in found if server in (None, one.server)),
            key=lambda one: (codec.column(one.server), codec.column(one.check)),
        )
        return mine if replaced else newest(mine)

    def followup(self, prefix: str) -> FollowUp:
        """See Store."""
        id = _choose("follow-up", prefix, self._followups)
        return codec.followup_value(self._followups[id].followups[id])

    def approvals(self, plan: str) -> list[Approval]:
        """See Store."""
        return [codec.approval_value(document) for document in self._approvals.get(plan, [])]

    def owed(self) -> list[tuple[str, Owed]]:
        """See Store."""
        events = (
            (run, event_value(entry.kind, entry.document, entry.at))
            for run, journal in self._journals.items()
            for entry in journal
        )
        return still_owed((run, event) for run, event in events if isinstance(event, Owed | Settled))

    def holds(self) -> list[Hold]:
        """See Store."""
        found = map(codec.hold_value, self._holds.values())
        return sorted((one for one in found if not one.lifted), key=recency)

    def close(self) -> None:
        """See Store."""

    # --- keeping -----------------------------------------------------------------------------------------------------

    def _journal(self, run: str) -> list[_Entry]:
        if run not in self._journals:
            raise unknown("run", run)
        return self._journals[run]

    def _refuse_taken(self, planned: RunPlanned) -> None:
        changing = (run for run in self._journals if run not in self._ended and self._changes(run))
        found = holder(planned, (self._run(run).planned for run in changing))
        if found is not None:
            raise taken(planned, self._run(found.run))

    def _changes(self, run: str) -> bool:
        return self._journals[run][0].kind is Kind.CHANGING

    def _keep(self, verdict: Verdict, kept: Texts, at: datetime) -> None:
        record = verdict.record
        self._records[record.id] = _Row(
            record.id, record.run, record.server, record.checklist, codec.microseconds(record.started), kept.record
        )
        known = self._servers.setdefault(record.server, _Known())
        known.facts.update(kept.facts)
        for followup, document in kept.followups:
            known.followups[followup.id] = document
            self._followups[followup.id] = known
        for finding, document in kept.findings:
            known.findings[finding.id] = document
            self._findings[finding.id] = known
            seen = Sighting(record.id, at.astimezone(UTC), finding.state, finding.severity, finding.message)
            self._sightings.setdefault(finding.id, []).append(seen)

    def _run(self, run: str) -> Run:
        return fold(self.events(run))

    def _known(self, server: str | None) -> Iterable[_Known]:
        return self._servers.values() if server is None else [self._servers.get(server, _Known())]


def _entry(event: Event) -> _Entry:
    kind, document = event_text(event)
    return _Entry(kind, document, codec.microseconds(event.at))


def _choose(noun: str, prefix: str, ids: Iterable[str]) -> str:
    return chosen(noun, prefix, sorted(one for one in ids if one.startswith(prefix)))
