"""What a wave costs beside ansible-playbook, which does the same work on the same booted containers.

Every contender brings packages from 1.0 to 2.0 by playbooks/update.yml, on all servers at a time; before each of them
everything is at 1.0 again. What is compared with what:

    the deed        AnsibleRunner.do, in a process of its own       ÷  ansible-playbook update.yml
    the whole wave  maintops run --plan: asks the checks and what   ÷  ansible-playbook which asks the same questions
                    the servers are like, before and after;            before and after, a task for each
                    proves, writes journal and records
                    and, told but not judged                        ÷  ansible-playbook update.yml, which asks nothing

ansible-playbook has as many forks as servers, pipelining, shared connections, and gathers no facts. CPU is the
controller's: the servers' own processes are not below the contenders'.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contenders import BIN, environment
from benchmarks.measuring import Cost, measure
from maintops.domain.answers import Question
from maintops.domain.ports import Deed, Done
from maintops.domain.proofs import PROOF
from maintops.domain.servers import Server
from maintops.probes.catalogue import builtin
from maintops.runners.ansible import AnsibleRunner
from maintops.script.compiling import compile_script
from maintops.wiring import utc_now
from tests.lab import packages
from tests.lab.containers import Container, Containers

HOUSE = Path(__file__).parent.parent
UPDATE = HOUSE / "playbooks" / "update.yml"
PACKAGES = (packages.PLAIN, packages.SERVICE)
ASKED = {
    "WV-010": "package-database",
    "WV-020": "package-locks",
    "WV-030": "failed-units",
    "WV-040": "reboot-required",
    "WV-050": "logins",
    "WV-060": "pending-updates",
}
"""The checks of the wave, and their probes."""

PLAYBOOK, DEED, ASKING, WAVE = "ansible-playbook", "the deed", "ansible-playbook that asks", "maintops run --plan"


@dataclass(frozen=True, slots=True)
class Ratios:
    """The deed, the whole wave, and the whole wave beside a playbook that asks nothing: each CPU, and wall."""

    deed: tuple[float, float]
    wave: tuple[float, float]
    bare: tuple[float, float]


def compare(folder: Path, count: int, rounds: int) -> Ratios:
    """Medians of the ratios of interleaved rounds, on so many containers (root)."""
    with Containers(count=count) as lab:
        for server in lab.servers.values():
            packages.publish(server, *_offered())  # nobody needs the lab afterwards
        wave = _Wave(lab, folder)
        costs: dict[str, list[Cost]] = {name: [] for name in wave.commands}
        for number in range(rounds + 1):  # the first one warms up and is not counted
            for name, cost in wave.round():
                costs[name] += [cost] if number else []
                print(f"round {number}: {name}: {cost.cpu:.2f} CPU s, {cost.wall:.1f} s", file=sys.stderr, flush=True)
    print(f"\na wave of {count} containers, median of {rounds} interleaved rounds")
    print(f"{'':30}{'CPU s':>10}{'wall s':>10}")
    for name, found in costs.items():
        print(f"{name:30}{_median(one.cpu for one in found):>10.2f}{_median(one.wall for one in found):>10.1f}")
    return Ratios(*(_ratios(costs[one], costs[other]) for one, other in _COMPARED))


_COMPARED = ((DEED, PLAYBOOK), (WAVE, ASKING), (WAVE, PLAYBOOK))


def _ratios(ours: Sequence[Cost], theirs: Sequence[Cost]) -> tuple[float, float]:
    """Of rounds, not of medians: what else the machine does changes from one round to the next."""
    pairs = list(zip(ours, theirs, strict=True))
    return _median(a.cpu / b.cpu for a, b in pairs), _median(a.wall / b.wall for a, b in pairs)


def _median(values: Iterator[float]) -> float:
    return statistics.median(values)


def _offered() -> list[packages.Package]:
    return [make(version) for make in (packages.plain, packages.service) for version in ("1.0", "2.0")]


class _Wave:
    """The contenders, each with its files."""

    def __init__(self, lab: Containers, folder: Path) -> None:
        self._lab, self._folder = lab, folder
        (folder / "ansible.cfg").write_text(
            f"[defaults]\nforks = {len(lab.names)}\nhost_key_checking = True\n[ssh_connection]\npipelining = True\n"
        )
        (folder / "wave.yml").write_text(_checklist(len(lab.names)))
        (folder / "asking.yml").write_text(_asking_playbook(folder))
        job = {"inventory": str(lab.inventory), "known_hosts": str(lab.known_hosts), "variables": {}}
        job["variables"] = {name: lab.variables(name) for name in lab.names}
        (folder / "job.json").write_text(json.dumps(job))
        ansible = [str(BIN / "ansible-playbook"), "-i", str(lab.inventory)]
        self.commands: Mapping[str, Callable[[], list[str]]] = {
            PLAYBOOK: lambda: [*ansible, str(UPDATE)],
            DEED: lambda: [sys.executable, "-m", "benchmarks.waves", str(folder / "job.json")],
            ASKING: lambda: [*ansible, str(folder / "asking.yml")],
            WAVE: self._planned,
        }

    def round(self) -> Iterator[tuple[str, Cost]]:
        for name, command in self.commands.items():
            with ThreadPoolExecutor() as threads:
                list(threads.map(_restore, self._lab.servers.values()))
            yield name, self._timed(command())
            with ThreadPoolExecutor() as threads:
                versions = set(threads.map(_versions, self._lab.servers.values()))
            if versions != {("2.0", "2.0")}:
                sys.exit(f"{name} did not update everything: {versions}\n{self._said()}")

    def _planned(self) -> list[str]:
        """Makes a plan, which is not timed, and runs it."""
        plan, inventory = self._folder / "wave.plan", ["-i", str(self._lab.inventory), "--by", "Erika"]
        forks = ["-f", str(len(self._lab.names))]
        words = ["plan", str(self._folder / "wave.yml"), *inventory, *forks, "--preview", "none", "-o", str(plan)]
        self._timed([str(BIN / "maintops"), *words])
        return [str(BIN / "maintops"), "run", "--plan", str(plan), *inventory, *forks]

    def _timed(self, command: Sequence[str]) -> Cost:
        around = {
            **environment(self._folder),
            "ANSIBLE_CONFIG": str(self._folder / "ansible.cfg"),
            "MAINTOPS_DATABASE_URL": f"sqlite:///{self._folder}/waves.sqlite",
            "MAINTOPS_KNOWN_HOSTS": str(self._lab.known_hosts),
        }
        cost = measure(command, folder=HOUSE, environment=around, output=self._folder / "output.txt")
        if cost.status != 0:
            sys.exit(f"{' '.join(command)} ended with {cost.status}:\n{self._said()}")
        return cost

    def _said(self) -> str:
        return (self._folder / "output.txt").read_text()[-3000:]


def _restore(server: Container) -> None:
    packages.install(server, packages.plain("1.0"), packages.service("1.0"))


def _versions(server: Container) -> tuple[str, ...]:
    return tuple(packages.status(server, name)[1] for name in PACKAGES)


# --- what is asked ----------------------------------------------------------------------------------------------------


def _checklist(count: int) -> str:
    change: dict[str, Any] = {"waves": ["100%"], "failure_budget": count - 1, "packages": "latest"}
    change |= {"approval": "standard", "risk": {"assessment": "It may fail.", "contingency": "It stays as it is."}}
    change["expected"] = ["package", "boot", "config"]
    step: dict[str, Any] = {"id": "WV-500", "title": "The updates are installed", "playbook": str(UPDATE)}
    step |= {"precheck": ["WV-010"], "postcheck": ["WV-010"], "irreversible": True, "estimate": "1m"}
    document = {
        "checklist": "wave",
        "title": "A wave",
        "service": "software-upgrade",
        "cadence": {"every": "quarter"},
        "change": change,
        "checks": [{"id": id, "title": probe, "probe": probe} for id, probe in ASKED.items()],
        "steps": [step],
    }
    return json.dumps(document, indent=1)


def _asking_playbook(folder: Path) -> str:
    """The update between two looks: the questions of the checks and of the proof, each as the script that maintops
    would send, in a task of its own."""
    catalogue, tasks = builtin(), []
    for id, probe in {**ASKED, PROOF: "server-state"}.items():
        text = catalogue.probe(probe).question({})
        script = compile_script([Question(id, str(text), 240.0, 8 * 1024 * 1024)], become=True)
        (folder / f"{id}.sh").write_text(script.text)
        command = f"{{{{ lookup('ansible.builtin.file', {str(folder / f'{id}.sh')!r}) }}}}"
        task = {"ansible.builtin.command": {"argv": ["/bin/sh", "-c", command]}, "changed_when": False}
        tasks.append({"name": id, "register": f"seen_{id.replace('-', '_')}", **task})
    look: dict[str, Any] = {"hosts": "all", "gather_facts": False, "tasks": tasks}
    return json.dumps([look, {"import_playbook": str(UPDATE)}, look], indent=1)


# --- the deed alone ---------------------------------------------------------------------------------------------------


def _do(job: Mapping[str, Any]) -> int:
    """The deed, as a step of a run hands it over."""
    known_hosts = Path(job["known_hosts"])
    doer = AnsibleRunner([job["inventory"]], known_hosts=known_hosts, host_keys="strict", clock=utc_now)
    servers = [Server(name, variables=variables) for name, variables in job["variables"].items()]
    deed = Deed(playbook=str(UPDATE), folder=str(HOUSE / "checklists"), variables={"maintops_run": "r"})
    arrivals = doer.do(deed, servers, forks=len(servers), timeout=600.0, stop=lambda: None)
    failures = [one.failure for one in arrivals if isinstance(one, Done) and one.failure is not None]
    print(*failures, sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(_do(json.loads(Path(sys.argv[1]).read_text())))
