"""The protocols between the middle of the house and its sides, and the values that they exchange."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from maintops.domain.answers import Answer
from maintops.domain.baselines import Baseline
from maintops.domain.findings import Finding, FindingState
from maintops.domain.followups import FollowUp
from maintops.domain.holds import Approval, Hold
from maintops.domain.outcomes import Severity
from maintops.domain.records import ServiceRecord
from maintops.domain.runs import (
    ChangeEvent,
    Event,
    Owed,
    Owner,
    Progressed,
    Resumed,
    Run,
    RunEnded,
    RunPlanned,
)
from maintops.domain.servers import Server
from maintops.domain.steps import StepAnswer
from maintops.domain.trends import Points

Clock = Callable[[], datetime]
"""Now, in UTC and aware of it."""

Stop = Callable[[], str | None]
"""Why a run must end now (cancelled, deadline), or None. Runners ask at least twice a second."""


# --- runners ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Script:
    """A compiled one-trip script: POSIX sh in ASCII, whose frames carry `digest`.

    `seconds` is the longest that it can take on a server by its own timeouts, `limit` the most bytes that it can
    answer; `become` says whether it is to be run as another user, or is a template, for Ansible to render.
    """

    text: str
    digest: str
    become: bool | str
    checks: tuple[str, ...]
    seconds: float
    limit: int


@dataclass(frozen=True, slots=True)
class Trip:
    """What is to be asked of one server: one script, or two where some checks need become and others must not have it.
    Both travel over one connection."""

    server: Server
    scripts: tuple[Script, ...]


class FailureKind(StrEnum):
    """Why an answer is missing or not whole."""

    UNREACHABLE = "unreachable"  # no connection, wrong host key, login or become refused: nothing was asked
    BROKEN = "broken"  # the connection died in the middle
    STOPPED = "stopped"  # maintops ended it: cancelled, deadline
    OVERTIME = "overtime"  # the script did not end within its own seconds
    OVERFLOW = "overflow"  # more bytes than the script can answer
    UNUSABLE = "unusable"  # what was to be run is wrong in itself: a playbook that Ansible cannot read


@dataclass(frozen=True, slots=True)
class Failure:
    """`why` is one sentence for people that holds no secret. `blind`: the script was handed over, and how far it got
    nobody knows, although nothing of its answer was heard."""

    kind: FailureKind
    why: str
    blind: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for one script: the stream as far as it came, and what went wrong, if anything did."""

    stream: bytes
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A server's replies, one per script of its trip and in their order."""

    server: str
    replies: tuple[Reply, ...]
    started: datetime
    ended: datetime


@dataclass(frozen=True, slots=True)
class Pulse:
    """A sign of life of a runner: the servers being asked, and the check that is being answered where that is known."""

    in_flight: Mapping[str, str]


class Runner(Protocol):
    """Carries scripts to servers and brings answers back, as they arrive."""

    name: str

    def refusal(self, server: Server) -> str | None:
        """Why this runner cannot ask this server, in words for people; None when it can."""

    def ask(self, trips: Sequence[Trip], *, forks: int, stop: Stop) -> Iterator[Delivery | Pulse]:
        """Asks every server, at most `forks` at a time, and yields each one's delivery as it arrives, with a Pulse at
        least every 30 seconds in between. A server's failure is data, never an exception. When `stop` gives a
        reason, what is in flight is cut off and delivered as far as it came (FailureKind.STOPPED); servers whose turn
        had not come are not delivered at all."""


@dataclass(frozen=True, slots=True)
class Content:
    """Ansible content to be previewed: a playbook's absolute path, a role's name, or tasks as written. `folder` is
    where roles and collections of the checklist are looked for; `variables` are given as extra variables."""

    playbook: str | None = None
    role: str | None = None
    folder: str = ""
    become: bool | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    tasks: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Previewed:
    """One task on one server in check mode. `status`: ok, changed, failed, skipped, ignored. `diff` is text."""

    task: str
    status: str
    diff: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """What check mode said about one server. No tasks at all: the content does not address it."""

    server: str
    tasks: tuple[Previewed, ...] = ()
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Deed:
    """What a step does to servers: Ansible content, or a function `/absolute/file.py:name` over Fabric. `variables` are
    given to all servers, `own` to each one by its name. `folder` is where roles and collections are looked for."""

    playbook: str | None = None
    role: str | None = None
    tasks: tuple[Mapping[str, Any], ...] = ()
    fabric: str | None = None
    folder: str = ""
    become: bool | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a deed on one server. `failure` None: it was done to its end. FailureKind.UNREACHABLE: nothing
    was begun, or the connection was gone when it was to go on (`blind`: something was begun). BROKEN, STOPPED,
    OVERTIME: how far it got nobody knows. UNUSABLE: it failed, or cannot be run at all. `tasks` are what was done, as
    far as known; no task at all of Ansible content that was to be done on the server is a failure of its own."""

    server: str
    failure: Failure | None = None
    tasks: tuple[Previewed, ...] = ()


class Doer(Protocol):
    """Carries out what changes servers."""

    def do(
        self, deed: Deed, servers: Sequence[Server], *, forks: int, timeout: float, stop: Stop
    ) -> Iterator[Done | Pulse]:
        """Yields one Done per server, whatever happens, as early as it is known; a Pulse at least every 30 seconds in
        between. `timeout` (seconds) is for a server; `stop` cuts off what is in flight."""


@dataclass(frozen=True, slots=True)
class Commanded:
    """How a command on the controller ended: its exit status (None: it did not end in time or was cut off) and the end
    of what it printed, for people."""

    status: int | None
    printed: str


class Commander(Protocol):
    """Runs commands of sh on the controller."""

    def command(self, text: str, environment: Mapping[str, str], timeout: float, stop: Stop) -> Commanded:
        """Runs one command in a session of its own with a minimal environment and the variables given, kills all of it
        at its timeout (seconds) or when `stop` gives a reason, and keeps at most the last 4 000 characters."""


class Previewer(Protocol):
    """Runs Ansible content in check mode: nothing is changed."""

    def preview(
        self, content: Content, servers: Sequence[Server], *, forks: int, timeout: float, stop: Stop
    ) -> Iterator[Preview | Pulse]:
        """Yields one Preview per server (a server that Ansible does not account for has a failure)."""


# --- store -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a server's last record said about one subject of a check. `vanished`: a lasting subject that was not
    there when its check was measured last; its facts are those of the last time that it was. `points` are the values of
    earlier records of the facts whose trend is asked for."""

    facts: Mapping[str, Any]
    record: str
    at: datetime
    not_offered: tuple[str, ...] = ()
    vanished: bool = False
    points: Mapping[str, Points] = field(default_factory=dict)


Subjects = Mapping[str | None, Remembered]


@dataclass(frozen=True, slots=True)
class Memory:
    """What the store knows about one server before a record is judged: the last facts per check and subject, all of
    its findings (gone ones too), its follow-ups that are not closed, and the newest baseline of each check."""

    facts: Mapping[str, Subjects] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    followups: tuple[FollowUp, ...] = ()
    baselines: Mapping[str, Baseline] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be kept: the record, the facts per check that replace the remembered ones, and every finding and
    follow-up that is new or changed."""

    record: ServiceRecord
    facts: Mapping[str, Subjects] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    followups: tuple[FollowUp, ...] = ()


@dataclass(frozen=True, slots=True)
class Sighting:
    """One change or sighting in a finding's life, oldest first in a history."""

    record: str
    at: datetime
    state: FindingState
    severity: Severity
    message: str


class Store(Protocol):
    """Where everything that happened is kept. Every writing method is one transaction, durable when it returns.

    Raises StoreError (locked, full, missing, unreachable), in words for people. Ids may be given as prefixes
    where a method says so; an unknown or ambiguous one raises UsageError that names it.
    """

    def begin(self, planned: RunPlanned) -> None:
        """Writes a run down before its first connection. One that changes servers is refused (maintops.errors.Locked,
        naming run, server, who, where and since when) where another run that changes one of them is still running:
        whichever of two begins first has them."""

    def resume(self, run: str, resumed: Resumed) -> None:
        """A run that has ended goes on: its state is running again. Refused (Locked) as `begin` is, and where the run
        itself is running."""

    def append(
        self, run: str, *events: Progressed | RunEnded | StepAnswer | ChangeEvent, owner: Owner | None = None
    ) -> bool:
        """Appends events, all or none. A run that has ended takes only those in `AFTERWARDS` (maintops.domain.runs):
        others are dropped. Where `owner` is given, nothing is kept, and False is returned, unless the run is running
        and carried out by it."""

    def owed(self) -> list[tuple[str, Owed]]:
        """What is still owed to servers: runs and duties, the oldest first."""

    def keep_approval(self, approval: Approval) -> None:
        """Keeps an approval of a plan. Those before it stay."""

    def approvals(self, plan: str) -> list[Approval]:
        """The approvals of a plan, by its hash; the newest first."""

    def keep_hold(self, hold: Hold) -> None:
        """Keeps that changes are held, or that a hold is lifted (a later one of the same id)."""

    def holds(self) -> list[Hold]:
        """The holds that nobody has lifted, the newest first; expired ones too."""

    def commit(
        self, run: str, record: str, server: str, judge: Callable[[Memory], Verdict], answer: bytes, at: datetime
    ) -> Verdict | None:
        """Judges and keeps one server's record in one transaction, and appends ServerAnswered.

        `judge` gets the server's memory, locked against other runs until the commit. `answer` is the raw stream, kept
        for a few days (empty: nothing is kept). Returns None, changing nothing, where this record exists already.
        """

    def prune_answers(self, before: datetime) -> int:
        """Forgets raw answers of records that ended before a time; returns how many."""

    def memory(self, server: str) -> Memory:
        """What is known about a server."""

    def facts(self, servers: Iterable[str], checks: Collection[str]) -> Mapping[str, Mapping[str, Subjects]]:
        """The facts of some checks on some servers, by server and check (ids): of thousands of servers with a few
        queries. Left out is that of which nothing is known."""

    def answer(self, record: str) -> bytes | None:
        """The raw answer of a record, while it is kept."""

    def runs(self, limit: int | None = None, *, unfinished: bool = False) -> list[Run]:
        """Runs, newest first; with `unfinished`, only those whose state is running."""

    def run(self, prefix: str) -> Run:
        """One run by its id, a prefix of it, or `last`."""

    def events(self, run: str) -> list[Event]:
        """A run's journal, oldest first."""

    def records(
        self,
        *,
        run: str | None = None,
        server: str | None = None,
        checklist: str | None = None,
        limit: int | None = None,
    ) -> Iterator[ServiceRecord]:
        """Records, newest first; those of one run in planned order."""

    def record(self, prefix: str) -> ServiceRecord:
        """One record by its id or a prefix of it."""

    def findings(self, *, server: str | None = None, gone: bool = False) -> list[Finding]:
        """Findings, worst and newest first; with `gone`, also those that are gone."""

    def finding(self, prefix: str) -> Finding:
        """One finding by its id or a prefix of it."""

    def history(self, finding: str) -> list[Sighting]:
        """A finding's life, oldest first."""

    def followups(self, *, server: str | None = None, closed: bool = False) -> list[FollowUp]:
        """Follow-ups, oldest first; with `closed`, also those that are closed."""

    def followup(self, prefix: str) -> FollowUp:
        """One follow-up by its id or a prefix of it."""

    def change_followup(self, id: str, change: Callable[[FollowUp], FollowUp]) -> FollowUp:
        """Reads, changes and writes one follow-up in one transaction (states: FollowUpState)."""

    def keep_evidence(self, body: bytes) -> str:
        """Keeps a file that proves something; returns the SHA-256 of its bytes (hex), its name here."""

    def evidence(self, prefix: str) -> bytes:
        """A file by its SHA-256, or a prefix of it."""

    def accept(self, baselines: Sequence[Baseline]) -> None:
        """Keeps accepted baselines. Those before them stay."""

    def baselines(self, *, server: str | None = None, replaced: bool = False) -> list[Baseline]:
        """The newest baseline of each server and check, sorted by both; with `replaced` also earlier ones, the newest
        first."""

    def close(self) -> None:
        """Lets go of the database."""


# --- management controllers ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What one check asks of a server's management controller. `reach` is `redfish` or `ipmi`
    (maintops.probes.contract.Reach), `question` what the probe gives for it. It may take `timeout` seconds; its answer
    may have `limit` bytes."""

    server: Server
    check: str
    reach: str
    question: str
    timeout: float
    limit: int


@dataclass(frozen=True, slots=True)
class Told:
    """What came back for one inquiry: an answer, or what went wrong."""

    server: str
    check: str
    answer: Answer | None
    failure: Failure | None
    started: datetime
    ended: datetime


class Contact(Protocol):
    """Asks management controllers."""

    def inquire(self, inquiries: Sequence[Inquiry], *, forks: int, stop: Stop) -> Iterator[Told | Pulse]:
        """Asks the controllers of at most `forks` servers at a time, each one by one thread, with all that is asked of
        it over one login. Yields as answers arrive, with a Pulse at least every 30 seconds in between. What fails is
        data, never an exception. When `stop` gives a reason, what is in flight is cut off (FailureKind.STOPPED);
        servers whose turn had not come are not told of at all."""


# --- observers -------------------------------------------------------------------------------------------------------


class Observer(Protocol):
    """Is told what happened, after it was made durable."""

    def told(self, event: Event, record: ServiceRecord | None) -> None:
        """`record` comes with ServerAnswered."""


def tell(observers: Iterable[Observer], event: Event, record: ServiceRecord | None = None) -> None:
    """Tells every observer."""
    for observer in observers:
        observer.told(event, record)
