"""Settings become the concrete store, runners, catalogue and clock. Nothing else builds or loads them.

`House` is the Python API too: everything that the command line does is one of its methods.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maintops.errors import Mistake, UsageError
from maintops.settings import FILE, Settings, Source, environment_source, settle

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from maintops.changes import Changes
    from maintops.domain.checklists import Checklist, Step
    from maintops.domain.followups import FollowUp
    from maintops.domain.ports import Clock, Contact, Observer, Runner, Store
    from maintops.domain.records import ServiceRecord
    from maintops.domain.runs import Run
    from maintops.domain.servers import Server
    from maintops.domain.steps import Evidence, StepAnswer
    from maintops.files.inventories import Asked
    from maintops.probes.catalogue import Catalogue
    from maintops.runners.ansible import AnsibleRunner
    from maintops.runners.doing import Deeds
    from maintops.runners.verifying import Ways
    from maintops.workflow.accepting import Accepted
    from maintops.workflow.continuing import Waiting
    from maintops.workflow.examining import Examined
    from maintops.workflow.probing import Captured
    from maintops.workflow.running import RunResult
    from maintops.workflow.stopping import Stopping
    from maintops.workflow.verifying import Verified

PROBES, PARSERS = "maintops.probes", "maintops.parsers"
"""The entry point groups of strangers' probes and parsers: each entry is a `Probe` or a `Parser`."""


_AHEAD = (
    "maintops.store.sql",
    "maintops.store.sqlite",
    "maintops.store.opening",
    "maintops.workflow.running",
    "maintops.runners.ssh",
    "maintops.runners.ssh_connections",
    "maintops.runners.ansible",
)


def utc_now() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def shipped(kind: str) -> Path:
    """The folder of content that comes with maintops: `checklists` or `playbooks`."""
    inside = Path(__file__).parent / "content" / kind
    return inside if inside.is_dir() else Path(__file__).parent.parent / kind


class House:
    """A maintenance repository (or none: the user's own settings) and everything that can be done with it.

    `folder` is where `maintops.yml`, relative paths and `checklists/` are looked for. `flags` are settings by name that
    beat every other source. Raises UsageError and ConfigurationError for mistakes in settings.
    """

    def __init__(
        self,
        folder: Path | str = ".",
        *,
        flags: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.folder = Path(folder).resolve()
        self.clock = clock
        self.ahead = list(_AHEAD)
        """What a run imports while Ansible reads the inventory. Who shows its result may add to it."""
        self._environment = os.environ if environment is None else environment
        self.settings = self._settle(flags or {})

    # --- settings ----------------------------------------------------------------------------------------------------

    def _settle(self, flags: Mapping[str, Any]) -> Settings:
        given = {name: value for name, value in flags.items() if value not in (None, [], ())}
        sources = [Source("the command line", given, self.folder), environment_source(self._environment, self.folder)]
        files = (self.folder / FILE, self._config_home() / FILE)
        sources.extend(self._file_source(path) for path in files if path.is_file())
        return settle(sources, self._defaults())

    def _file_source(self, path: Path) -> Source:
        from maintops.files.documents import read_document

        value = read_document(path).value
        if not isinstance(value, dict):
            raise UsageError(f"{path}: settings are written as `name: value`, one a line")
        return Source(str(path), value, path.parent)

    def _config_home(self) -> Path:
        return self._home("XDG_CONFIG_HOME", ".config")

    def _home(self, variable: str, otherwise: str) -> Path:
        given = self._environment.get(variable)
        return Path(given or Path.home() / otherwise) / "maintops"

    def _defaults(self) -> Mapping[str, Any]:
        own = self.folder / "inventories"
        state = (
            self.folder / ".maintops"
            if (self.folder / FILE).is_file()
            else self._home("XDG_STATE_HOME", ".local/state")
        )
        return {
            "inventory": (str(own),) if own.is_dir() else (),
            "checklists": (str(self.folder / "checklists"),),
            "database_url": f"sqlite:///{state / 'maintops.sqlite'}",
            "hold_file": state / "hold",
        }

    # --- content -----------------------------------------------------------------------------------------------------

    @cached_property
    def catalogue(self) -> Catalogue:
        """Our probes and parsers and those of installed plug-ins."""
        from importlib.metadata import entry_points

        from maintops.probes.catalogue import builtin

        probes, parsers = _loaded(entry_points(group=PROBES)), _loaded(entry_points(group=PARSERS))
        return builtin().with_plugins(probes, parsers) if probes or parsers else builtin()

    @property
    def checklist_folders(self) -> tuple[Path, ...]:
        """Where checklists are looked for by name, the first winning."""
        return (*map(Path, self.settings.checklists), shipped("checklists"))

    def checklist(self, name_or_path: str) -> Checklist:
        """One checklist, read and validated."""
        from maintops.files.checklists import find_checklist, read_checklist

        folders = self.checklist_folders
        return read_checklist(find_checklist(name_or_path, folders), self.catalogue, folders)

    def checklists(self) -> list[Checklist]:
        """All checklists that can be named; where two folders have one name, the first folder's."""
        from maintops.files.checklists import list_checklists, read_checklist

        folders = self.checklist_folders
        return [read_checklist(path, self.catalogue, folders) for path in list_checklists(folders)]

    def lint(self, paths: Sequence[Path]) -> list[Mistake]:
        """Every mistake in the checklists under some paths; none given: the repository's own and the shipped ones."""
        from maintops.files.linting import lint

        chosen = paths or [folder for folder in self.checklist_folders if folder.is_dir()]
        return lint(chosen, self.catalogue, self.checklist_folders)

    def servers(self, limit: str | None = None, hosts: str = "all") -> list[Server]:
        """The inventory's servers that match an Ansible pattern. Raises UsageError for a limit that names nobody."""
        return self._ask(limit).matching(hosts)

    def servers_and_everyone(self, limit: str | None, hosts: str) -> tuple[list[Server], list[Server]]:
        """The servers that match, and all of the inventory's: the groups that they stand in are wider than a limit."""
        asked, everything = self._ask(limit), self._ask(None) if limit is not None or hosts != "all" else None
        servers = asked.matching(hosts)
        return servers, everything.matching("all") if everything is not None else servers

    def _ask(self, limit: str | None) -> Asked:
        from maintops.files.inventories import ask

        if not self.settings.inventory:
            raise UsageError(
                f"no inventory: give one with -i, put one into {self.folder}/inventories/, or set inventory in {FILE}"
            )
        return ask(self.settings.inventory, limit=limit, vault_password_file=self.settings.vault_password_file)

    # --- the outside -------------------------------------------------------------------------------------------------

    @property
    def database(self) -> str:
        """Where records lie, as it may be shown: without a password."""
        scheme, mark, rest = self.settings.database_url.partition("://")
        if scheme == "sqlite":
            return rest.removeprefix("/")
        login, at, place = rest.rpartition("@")
        return f"{scheme}{mark}{login.partition(':')[0]}{at}{place}".partition("?")[0]

    @cached_property
    def store(self) -> Store:
        """The database. Runs whose process died are ended first, so that nobody sees one as running that is not."""
        from maintops.files.owners import dead
        from maintops.store.opening import open_store
        from maintops.workflow.recovering import recover

        store = open_store(self.settings.database_url)
        recover(store, dead, self.clock())
        return store

    @cached_property
    def runners(self) -> Mapping[str, Runner]:
        """The engines by name, the preferred one first."""
        from maintops.runners.ssh import SshRunner

        ssh = SshRunner(
            known_hosts=self.settings.known_hosts,
            host_keys=self.settings.host_keys,
            clock=self.clock,
            connect_timeout=self.settings.connect_timeout,
            retries=self.settings.connect_retries,
        )
        return {"ssh": ssh, "ansible": self.ansible}

    @cached_property
    def ansible(self) -> AnsibleRunner:
        """The ansible engine: it asks, previews and does."""
        from maintops.runners.ansible import AnsibleRunner

        return AnsibleRunner(
            self.settings.inventory,
            known_hosts=self.settings.known_hosts,
            host_keys=self.settings.host_keys,
            clock=self.clock,
            vault_password_file=self.settings.vault_password_file,
            connect_timeout=self.settings.connect_timeout,
            retries=self.settings.connect_retries,
        )

    def engines(self, servers: Sequence[Server]) -> list[tuple[str, str]]:
        """For each server the engine that it gets, and why."""
        from maintops.workflow.planning import choose_engines

        return choose_engines(servers, tuple(self.runners.values()), self.settings.engine)

    # --- use cases ---------------------------------------------------------------------------------------------------

    def run(
        self,
        checklist: str,
        *,
        limit: str | None = None,
        tags: Sequence[str] = (),
        observers: Sequence[Observer] = (),
        stopping: Stopping | None = None,
        answers: Path | None = None,
    ) -> RunResult:
        """Carries a checklist out. When it returns, every selected server has its record. `answers` is a file of
        answers to the steps that are done by hand."""
        asked = self._ask(limit)  # before anything else: Ansible reads the inventory while we import the rest
        from maintops.files.owners import this_process
        from maintops.workflow.keeping import Crew
        from maintops.workflow.planning import plan_run
        from maintops.workflow.running import Orders, carry_out
        from maintops.workflow.stopping import Stopping

        chosen = self.checklist(checklist)
        self._load_ahead()
        servers = asked.matching(chosen.hosts)
        runners = self.runners
        plan = plan_run(
            self.new_run_id(), chosen, tags, servers, self.catalogue, tuple(runners.values()), self.settings.engine
        )
        if answers is not None:
            steps = {one.step.id: one.step for one in plan.checks if one.step is not None}
            given = self.read_answers(answers, steps, [one.server.name for one in plan.servers])
            plan = replace(plan, answers={(one.server, one.step): one for one in given})
        contact = self.contact if any(one.inquiries for one in plan.servers) else None
        crew = Crew(self.store, runners, self.ansible, self.clock, this_process(), tuple(observers), contact)
        orders = Orders(self.settings.forks, self.settings.by, stopping or Stopping(None, self.clock))
        self.store.prune_answers(self.clock() - timedelta(days=self.settings.keep_answers_days))
        return carry_out(plan, crew, orders)

    def read_answers(self, path: Path, steps: Mapping[str, Step], servers: Sequence[str]) -> list[StepAnswer]:
        """The answers in a file to some steps on some servers."""
        from maintops.files.answers import Asked as Wanted
        from maintops.files.answers import read_answers

        return read_answers(path, Wanted(steps, servers, self.settings.by, self.clock()), self.store.keep_evidence)

    @cached_property
    def doer(self) -> Deeds:
        """Who does what changes servers."""
        from maintops.runners.doing import Deeds
        from maintops.runners.fabric_tasks import FabricTasks

        settings = self.settings
        return Deeds(
            self.ansible,
            lambda: FabricTasks(
                settings.known_hosts,
                settings.host_keys,
                self.clock,
                settings.connect_timeout,
                settings.connect_retries,
            ),
        )

    @cached_property
    def changes(self) -> Changes:
        """Everything that can be done with plans."""
        from maintops.changes import Changes

        return Changes(self)

    @cached_property
    def contact(self) -> Contact:
        """Who asks management controllers."""
        from maintops.runners.bmcs import BmcContact

        return BmcContact(self.clock)

    def capture(self, probe: str, parameters: Mapping[str, Any], limit: str | None = None) -> Iterator[Captured]:
        """Asks the inventory's servers one probe's question and keeps nothing; what they answer, as it arrives."""
        from maintops.workflow.probing import capture

        servers = self.servers(limit)
        return capture(probe, parameters, servers, self.catalogue, self.runners, self.contact, self.settings.engine)

    def waiting(self, run: str) -> tuple[Run, list[Waiting]]:
        """A run, and its steps that wait for a person."""
        from maintops.workflow.continuing import waiting

        found = self.store.run(run)
        return found, waiting(self.store, found, self._checklist_of(found))

    def _checklist_of(self, run: Run) -> Checklist:
        """The checklist of a run, as it is now: from its file, or where that is gone by its name."""
        file = run.planned.file
        return self.checklist(file if file and Path(file).is_file() else run.planned.checklist)

    @property
    def ways(self) -> Ways:
        """New ways to servers for the ssh program, for one verification."""
        from maintops.runners.verifying import Ways

        return Ways(self.settings.known_hosts, self.settings.host_keys, self.settings.connect_timeout)

    def verify(self, run: str, files: Sequence[Path] = (), *, limit: str | None = None) -> Verified:
        """Runs testinfra's test files (none given: those that the checklist names) against a run's servers; keeps a
        further part of each one's record."""
        from maintops.runners.verifying import TestinfraVerifier
        from maintops.store.codec import microseconds, record_text
        from maintops.store.journals import event_text
        from maintops.workflow.verifying import Bench, check_files, verify

        found = self.store.run(run)
        named = files or getattr(getattr(self._checklist_of(found), "change", None), "verify", ())
        paths = tuple(dict.fromkeys((self.folder / Path(one).expanduser()).resolve() for one in named))
        check_files(paths)  # before Ansible is asked, which takes a while
        journal = {
            "events": [[*event_text(one), microseconds(one.at)] for one in self.store.events(found.id)],
            "records": [record_text(one) for one in self.store.records(run=found.id)],
        }
        verifier = TestinfraVerifier(self.ways, self.clock, journal)
        bench = Bench(self.store, verifier, self.clock, paths, self.settings.by, self.settings.forks)
        return verify(found, self.servers(limit), bench, limited=limit is not None)

    def keep_evidence(self, path: Path) -> Evidence:
        """Keeps a file that proves something."""
        from maintops.files.answers import evidence_of

        return evidence_of(path, self.store.keep_evidence)

    def answer(self, run: Run, answers: Iterable[StepAnswer] | Path) -> list[ServiceRecord]:
        """Keeps the answers of persons (or those in a file), each in the run's journal before the next is asked for;
        then they become further parts of the records, which are returned. So do answers of an earlier time that are in
        no record yet. Raises UsageError for steps that somebody else has answered meanwhile, when the others are
        kept."""
        from maintops.workflow.continuing import keep_answers, unasked, waiting

        checklist = self._checklist_of(run)
        if isinstance(answers, Path):
            names = [one.server for one in run.planned.servers]
            steps = {one.id: one for one in checklist.steps if one.id in run.planned.checks}
            open_ones = waiting(self.store, run, checklist)
            answers = unasked(run, self.read_answers(answers, steps, names), open_ones)
        late = []
        for one in answers:
            if (one.server, one.step) in self.store.run(run.id).steps:
                late.append(f"{one.step} on {one.server}")
            else:
                self.store.append(run.id, one)
        parts = keep_answers(self.store, self.store.run(run.id), checklist, self.clock())
        if late:
            raise UsageError(f"somebody else has answered meanwhile: {', '.join(late)}; the other answers are kept")
        return parts

    def _load_ahead(self) -> None:
        for module in self.ahead:
            with contextlib.suppress(ImportError):  # whoever needs it will say what is missing
                importlib.import_module(module)

    def new_run_id(self) -> str:
        """A new run's id: its start to the second (UTC), and four letters or digits against coincidence."""
        import secrets

        letters = "".join(secrets.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(4))
        return f"r{self.clock():%Y%m%d-%H%M%S}-{letters}"

    def runs(self, limit: int | None = None) -> list[Run]:
        """Runs, newest first."""
        return self.store.runs(limit)

    def end_run(self, run: str, why: str) -> Run:
        """Ends a run whose process cannot be proven dead from here (its machine is gone), in the name of `by` and on
        record. Raises NotNow while it gave a sign of life in the last minutes, UsageError where it has ended."""
        from maintops.domain.runs import RunState
        from maintops.errors import NotNow
        from maintops.workflow.recovering import SILENCE, interrupt

        found, now = self.store.run(run), self.clock()
        if found.state is not RunState.RUNNING:
            raise UsageError(f"the run {found.id} has ended already ({found.state.value})")
        if found.last_sign is not None and now - found.last_sign < SILENCE:
            raise NotNow(f"the run {found.id} gave a sign of life at {found.last_sign:%H:%M:%S} UTC: it is not dead")
        return interrupt(self.store, found, now, f"declared dead by {self.changes.identity}: {why}")

    def close_followup(self, followup: str, note: str | None = None) -> FollowUp:
        """Closes a follow-up in the name of `by`. One that no re-check has proposed for closing needs a note that says
        why it may be closed all the same."""
        from maintops.workflow.closing import close_followup

        return close_followup(self.store, followup, self.settings.by, note, self.clock())

    def accept_baselines(self, checks: Sequence[str], *, limit: str | None = None, why: str) -> Accepted:
        """Accepts what was measured last on the inventory's servers (those of a pattern) as right, in the name of
        `by`; `checks` are ids, none stand for all."""
        from maintops.workflow.accepting import accept_baselines

        servers = [one.name for one in self.servers(limit)]
        return accept_baselines(self.store, servers, checks, self.settings.by, why, self.clock())

    def examine(self) -> list[Examined]:
        """Whether everything that maintops needs is in order, and what to do about what is not."""
        from maintops.workflow.examining import examine

        return examine(self.settings, self.database, lambda: self.store.runs(1), lambda: len(self.servers()))

    def close(self) -> None:
        """Lets go of the database, if it was opened."""
        if "store" in self.__dict__:
            self.store.close()


def _loaded(entries: Iterable[EntryPoint]) -> dict[str, Any]:
    """Plug-ins by name. Two of one name, or one that cannot be loaded, is a UsageError that says whose it is."""
    found: dict[str, EntryPoint] = {}
    for entry in entries:
        other = found.setdefault(entry.name, entry)
        if other.value != entry.value:
            raise UsageError(f"two plug-ins are called {entry.name!r}: {other.value} and {entry.value}; remove one")
    return {name: _load(entry) for name, entry in found.items()}


def _load(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except Exception as error:
        raise UsageError(
            f"the plug-in {entry.name!r} ({entry.value}) cannot be loaded: {type(error).__name__}: {error}"
        ) from error


def here(**flags: Any) -> House:
    """The house of the current folder; `flags` are settings by name."""
    return House(flags=flags)
