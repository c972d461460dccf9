"""Servers of a lab that are changed by `maintops`, as a person does it: plan, approve, run, go on.

    change = Change(tmp_path / "desk", lab, lab.names[:4])
    plan = change.plan(change.checklist(tasks("CL-500", "touch /run/changed"), waves=[1, "100%"]))
    change.run(plan)
    change.journey("lab1").passed("CL-500")

Nothing here asks maintops what it did where the journal or the server itself can tell.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import struct
import zoneinfo
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from maintops.domain.journeys import Journal, Journey, journal
from maintops.domain.runs import Event, StageBegan, StageEnded
from maintops.store.journals import event_value
from tests.lab import packages
from tests.lab.containers import Container, Containers
from tests.lab.fixtures import need
from tests.lab.packages import Package
from tests.lab.running import Desk, Ended, Running, Servers, run_maintops

HOUSE = Path(__file__).parents[2]
AT_ONCE = 4
"""Servers that are prepared at a time."""

BOOTS = "/var/lib/boots"
"""Where a server counts its boots, a line each (see `counting_boots`)."""

HEALTHY = {
    "id": "CL-010",
    "title": "The package database is healthy",
    "probe": "package-database",
    "timeout": 120,
    "rules": [
        {"when": "half_done | length > 0", "severity": "critical", "finding": "half installed: {{ half_done | join }}"}
    ],
}
PENDING = {"id": "CL-020", "title": "What is pending is known", "probe": "pending-updates", "timeout": 120}
SERVES = {
    "id": "CL-030",
    "title": "cron runs",
    "command": "systemctl is-active cron",
    "parse": "text",
    "rules": [{"when": "text != 'active'", "severity": "critical", "finding": "cron is {{ text }}"}],
}


@contextmanager
def started(count: int) -> Iterator[Containers]:
    """A lab of so many servers."""
    lab = Containers(count=count)
    need(lab.__enter__)
    try:
        yield lab
    finally:
        lab.stop()


def tasks(id: str, command: str, **more: Any) -> dict[str, Any]:
    """A step that runs sh on the servers, by Ansible."""
    step = {"id": id, "title": id, "tasks": [{"name": id, "ansible.builtin.raw": command}], "estimate": 1}
    return step | ({} if "rollback" in more else {"irreversible": True}) | more


def update(id: str = "CL-500") -> dict[str, Any]:
    """The update of packages that ships with maintops, with its way back."""
    return {
        "id": id,
        "title": "The updates are installed",
        "playbook": "update.yml",
        "precheck": ["CL-010"],
        "postcheck": ["CL-010"],
        "rollback": {"playbook": "rollback_update.yml"},
        "estimate": 5,
    }


def reboot(id: str = "CL-510", when: str = "if-needed", **more: Any) -> dict[str, Any]:
    """A reboot."""
    return {"id": id, "title": "It runs what is installed", "reboot": when, "irreversible": True, "estimate": 5} | more


@dataclass
class Change:
    """Some servers of a lab and the desk of a person who changes them. `variables` are added to the servers' own."""

    folder: Path
    lab: Servers
    names: Sequence[str]
    variables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        zones = os.pathsep.join((str(self.folder), *zoneinfo.TZPATH))
        self.desk = Desk(self.folder, self.lab, {"MAINTOPS_BY": "ann", "PYTHONTZPATH": zones})
        shutil.copytree(HOUSE / "playbooks", self.folder / "playbooks")
        self.out_of_service.mkdir()
        more = {name: {**self.lab.variables(name), **self.variables.get(name, {})} for name in self.names}
        self.inventory = self.desk.inventory(**more)

    # --- the checklist -----------------------------------------------------------------------------------------------

    @property
    def out_of_service(self) -> Path:
        """What stands for a load balancer: a file for each server that is drained; `log` says in which order."""
        return self.folder / "drained"

    @property
    def drained(self) -> list[str]:
        """The servers that are drained now."""
        return sorted(file.name for file in self.out_of_service.iterdir() if file.name != "log")

    @property
    def drain(self) -> dict[str, Any]:
        """A drain hook on the controller, that is verified."""
        place = f"'{self.out_of_service}'"
        return {
            "command": f"touch {place}/$MAINTOPS_SERVER; echo out $MAINTOPS_SERVER >>{place}/log",
            "verify": f"test -e {place}/$MAINTOPS_SERVER",
            "undo": f"rm -f {place}/$MAINTOPS_SERVER; echo in $MAINTOPS_SERVER >>{place}/log",
        }

    def checklist(self, *steps: Mapping[str, Any], checks: Sequence[Mapping[str, Any]] = (), **policy: Any) -> str:
        """Writes a checklist of these steps; returns its path. JSON is YAML, and says exactly what is meant."""
        document = {
            "checklist": "lab-change",
            "title": "A change in the lab",
            "service": "software-upgrade",
            "cadence": {"every": "quarter"},
            "hosts": "all",
            "change": {
                "waves": [1, "100%"],
                "approval": "standard",
                "packages": "latest",
                "risk": {"assessment": "It may break.", "contingency": "It is taken back."},
                **policy,
            },
            "checks": list(checks) or [SERVES],
            "steps": list(steps),
        }
        return self.desk.checklist(json.dumps(document))

    def window(self, end: datetime) -> dict[str, Any]:
        """A window that ends at this very second (UTC), two hours after it began. Windows are written in minutes: it is
        written in a zone of its own, in which a minute begins then (TZif of version 1, RFC 9636)."""
        ahead = -end.second % 60
        counts = struct.pack(">4s16x6l", b"TZif", 0, 0, 0, 0, 1, len(b"LAB\0"))
        (self.folder / "Lab").write_bytes(counts + struct.pack(">lbb4s", ahead, 0, 0, b"LAB\0"))
        to = end + timedelta(seconds=ahead)
        since = to - timedelta(hours=2)
        opens = {"date": f"{since:%Y-%m-%d}", "from": f"{since:%H:%M}", "to": f"{to:%H:%M}"}
        return {"zone": "Lab", "open": [opens]}

    def write(self, name: str, text: str) -> str:
        """A file beside the checklist; returns its name."""
        (self.desk.here / name).write_text(text)
        return name

    # --- maintops ----------------------------------------------------------------------------------------------------

    def maintops(self, *words: str) -> Ended:
        """Runs `maintops` to its end."""
        return run_maintops(self.desk, *words)

    def plan(self, checklist: str, *more: str, name: str = "a.plan") -> str:
        """Makes a plan; returns its file."""
        made = self.maintops("plan", checklist, "-i", self.inventory, "-o", name, "--preview", "none", *more)
        assert made.code == 0, made.stderr
        return name

    def _words(self, plan: str, *more: str) -> tuple[str, ...]:
        return ("run", "--plan", plan, "-i", self.inventory, "--format", "json", *more)

    def run(self, plan: str = "a.plan", *more: str) -> Ended:
        """Carries a plan out."""
        return self.maintops(*self._words(plan, *more))

    def start(self, plan: str = "a.plan", *more: str) -> Running:
        """Begins to carry a plan out."""
        return Running(self.desk, *self._words(plan, *more))

    def _again(self, *more: str) -> tuple[str, ...]:
        return ("run", "continue", "last", "-i", self.inventory, "--format", "json", *more)

    def go_on(self, *more: str) -> Ended:
        """Goes on with the newest run."""
        return self.maintops(*self._again(*more))

    def start_again(self, *more: str) -> Running:
        """Begins to go on with the newest run."""
        return Running(self.desk, *self._again(*more))

    def table(self, *words: str) -> list[dict[str, Any]]:
        """What a command that lists something says."""
        ended = self.maintops(*words, "--format", "json")
        assert ended.code in (0, 2), ended.stderr
        return list(ended.document)

    def debts(self) -> list[tuple[str, str]]:
        """What is owed still: server and duty."""
        return [(one["server"], one["duty"]) for one in self.table("obligations", "-i", self.inventory)]

    # --- the journal -------------------------------------------------------------------------------------------------

    def _rows(self, text: str) -> list[Any]:
        try:
            with closing(sqlite3.connect(f"file:{self.desk.database}?mode=ro", uri=True, timeout=10)) as database:
                return database.execute(text).fetchall()
        except sqlite3.OperationalError:  # there is no database yet, or no table in it
            return []

    def count(self) -> int:
        """How many events there are, of all runs."""
        return int((self._rows("SELECT count(*) FROM events") or [(0,)])[0][0])

    def events(self) -> list[Event]:
        """The newest run's, in order."""
        newest = "(SELECT id FROM runs ORDER BY started DESC, id DESC LIMIT 1)"
        rows = self._rows(f"SELECT kind, document, at FROM events WHERE run = {newest} ORDER BY seq")  # noqa: S608  ours
        return [event_value(kind, document, at) for kind, document, at in rows]

    @property
    def journal(self) -> Journal:
        """How far the newest run has come."""
        return journal(self.events())

    def journey(self, name: str) -> Journey:
        """How far a server has come in the newest run."""
        return self.journal.journey(name)

    def has_begun(self, stage: str, name: str = "") -> Callable[[], bool]:
        """Whether a stage has begun on a server, or on any."""
        return lambda: any(
            isinstance(one, StageBegan) and one.stage == stage and name in ("", one.server) for one in self.events()
        )

    def has_ended(self, stage: str, name: str = "") -> Callable[[], bool]:
        """Whether a stage has ended on a server, or on any."""
        return lambda: any(
            isinstance(one, StageEnded) and one.stage == stage and name in ("", one.server) for one in self.events()
        )

    def untouched(self) -> list[str]:
        """The servers on which the newest run has begun nothing."""
        told = self.journal
        return [name for name in self.names if not told.journey(name).touched]

    @cached_property
    def servers(self) -> dict[str, Container]:
        """The servers by name."""
        assert isinstance(self.lab, Containers), "past maintops only containers can be asked"
        return {name: self.lab.server(name) for name in self.names}

    def on_each(self, command: str) -> dict[str, str]:
        """What a command of sh prints on each server, past maintops."""
        return on_each(list(self.servers.values()), lambda one: one.run(command).strip())


def messages(ended: Ended, name: str) -> str:
    """All that a server's record of a run says for people."""
    return " ".join([str(cell["message"]) for cell in ended.server(name)["checks"]] + list(ended.server(name)["notes"]))


def on_each(servers: Sequence[Container], do: Callable[[Container], Any]) -> dict[str, Any]:
    """Does something on servers, a few at a time; what came of it by name."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip([one.name for one in servers], pool.map(do, servers), strict=True))


# --- packages ---------------------------------------------------------------------------------------------------------


class Stock:
    """What the repositories of some servers offer: newer versions each time, so that nothing has to be put back between
    two tests. At first everything is installed, and nothing waits."""

    def __init__(self, servers: Sequence[Container]) -> None:
        self.servers = tuple(servers)
        self.number = 1
        first = [make("1") for make in (packages.plain, packages.service, packages.wants_reboot, packages.sound)]
        on_each(self.servers, lambda one: self._begin(one, first))

    @staticmethod
    def _begin(server: Container, first: Sequence[Package]) -> None:
        packages.publish(server, *first)
        packages.install(server, *first)

    def offer(self, *make: Callable[[str], Package], to: Sequence[str] = (), beside: Sequence[Package] = ()) -> str:
        """A new version of these packages waits, on all servers or on some; returns it. What the others offer stays.
        `beside`: what is offered as well, such as the versions of before."""
        self.number += 1
        version = str(self.number)
        offered = [*(one(version) for one in make), *beside]
        chosen = [one for one in self.servers if not to or one.name in to]
        on_each(chosen, lambda one: packages.publish(one, *offered))
        return version

    def mend(self, *names: str) -> str:
        """Whatever became of the packages on these servers: a new sound version of each is installed, and nothing
        waits; returns it."""
        self.number += 1
        makes = (packages.plain, packages.service, packages.wants_reboot, packages.sound)
        last = [make(str(self.number)) for make in makes]
        chosen = [one for one in self.servers if one.name in names]
        on_each(chosen, lambda one: self._begin(one, last))
        on_each(chosen, lambda one: one.run("rm -f /run/reboot-required /run/reboot-required.pkgs"))
        return str(self.number)


def upgrades(server: Container, package: str) -> list[str]:
    """The versions to which dpkg has upgraded a package on a server, in order: its own log (dpkg(1))."""
    words = [line.split() for line in server.run("cat /var/log/dpkg.log").splitlines()]
    return [one[5] for one in words if len(one) == 6 and one[2] == "upgrade" and one[3].partition(":")[0] == package]


@contextmanager
def counting_boots(servers: Sequence[Container]) -> Iterator[Callable[[], dict[str, int]]]:
    """The servers count their boots from now on, by a unit of theirs; gives how many there were, by server."""
    unit = (
        f"[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo boot >>{BOOTS}'\n[Install]\nWantedBy=multi-user.target\n"
    )

    def begin(one: Container) -> None:
        one.write("/etc/systemd/system/lab-boots.service", unit)
        one.run(f": >{BOOTS}; systemctl daemon-reload; systemctl enable --quiet lab-boots")

    on_each(servers, begin)
    try:
        yield lambda: on_each(servers, lambda one: len(one.run(f"cat {BOOTS}").split()))
    finally:
        on_each(
            servers,
            lambda one: one.run(
                f"systemctl disable --quiet lab-boots; rm -f {BOOTS} /etc/systemd/system/lab-boots.service"
            ),
        )
