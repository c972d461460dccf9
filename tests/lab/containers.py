"""Booted containers: Debian with systemd as process 1, each in a network namespace of its own, with an address and host
keys of its own. Root only, with podman and runc.

    with Containers(count=2) as lab:
        lab.inventory, lab.known_hosts, lab.key      # files, as the fleet has them
        lab.server("lab1").run("systemctl --failed --no-legend")

What belongs to a lab bears the lab's name (`mtN`): its network namespaces, its bridge, its containers. `sweep` removes
what labs of dead processes left behind; a lab that is kept on purpose (`make lab`) is nobody's until `make lab-down`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.lab.images import container_image
from tests.lab.inside import Inside
from tests.lab.machines import end_kept
from tests.lab.sshd import FleetUnavailable, make_key, program, since

LABS = Path("/run/maintops-lab")
"""A folder per lab, named after it; its name is its place among the private addresses: mtN has 10.93.N.0/24."""

MOST_LABS = 200
PATIENCE = 60.0
"""Seconds after which a server is taken not to come up."""

_PODMAN = ("--runtime", "runc", "--cgroup-manager=cgroupfs")
_RUN = (
    *("--detach", "--systemd=always", "--ulimit", "nofile=20000:20000", "--ulimit", "nproc=10000:10000"),
    *("--stop-timeout", "2", "--no-hosts", "--dns=none", "--cap-add=SYS_ADMIN,NET_ADMIN,SYS_TIME,AUDIT_WRITE"),
)


_INOTIFY, _INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances"), 1024


@dataclass
class Container(Inside):
    """One server. `variables` are its Ansible variables beside those of all."""

    lab: Containers
    name: str
    address: str
    host_key: str = ""
    variables: dict[str, Any] = field(default_factory=dict)

    @property
    def container(self) -> str:
        """What podman calls it; its network namespace has the same name."""
        return f"{self.lab.name}-{self.name}"

    @property
    def link(self) -> str:
        """The end of its cable that this machine holds."""
        return f"{self.lab.name}v{self.address.rpartition('.')[2]}"

    @property
    def folder(self) -> Path:
        """What it is given from outside: its host key."""
        return self.lab.folder / self.name

    def _shell(self, text: str) -> Sequence[str]:
        return _podman("exec", self.container, "sh", "-c", text)

    def from_outside(self, *command: str) -> str:
        """Runs a program of this machine in the container's mounts and network, with all that root may do here."""
        pid = _said(_podman("inspect", "--format", "{{.State.Pid}}", self.container)).strip()
        return _said([program("nsenter", "util-linux"), "--target", pid, "--mount", "--net", "--", *command])

    def write(self, path: str, text: str) -> None:
        """Writes a file inside."""
        self.run(
            f"mkdir -p {shlex.quote(str(Path(path).parent))} && printf %s {shlex.quote(text)} >{shlex.quote(path)}"
        )

    def network(self, *words: str) -> str:
        """Runs `ip` in its network namespace, from outside."""
        return _ip("-n", self.container, *words)

    def is_up(self) -> bool:
        """Whether systemd has done what it does at boot, and sshd listens."""
        return (
            self.try_to("systemctl is-system-running").stdout.strip() in ("running", "degraded")
            and self.try_to("ss -Hltn sport = :22").stdout.strip() != ""
        )

    def wait(self) -> None:
        """Waits until it is up."""
        deadline = time.monotonic() + PATIENCE
        while not self.is_up():
            if time.monotonic() > deadline:
                state = self.try_to("systemctl list-jobs --no-legend; systemctl --failed --no-legend")
                raise AssertionError(f"{self.name} does not come up: {state.stdout} {state.stderr}")
            time.sleep(0.1)

    def started(self) -> int:
        """When its process 1 began (clock ticks since the machine's own boot): what tells a reboot, as the boot id is
        the machine's."""
        return int(self.run("cut -d ' ' -f 22 </proc/1/stat"))

    def reboot(self) -> None:
        """Reboots it, as somebody who is logged in would, and waits until it is up again."""
        before = self.started()
        self.try_to("systemctl reboot")
        self._come_back(before)

    def cut_power(self) -> None:
        """Ends all of its processes at once, and waits until it has booted again."""
        before = self.started()
        _said(_podman("kill", "--signal", "KILL", self.container))
        _said(_podman("start", self.container))
        self._come_back(before)

    def _come_back(self, before: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            said = self.try_to("cut -d ' ' -f 22 </proc/1/stat")
            if said.status == 0 and said.stdout.strip() and int(said.stdout) > before:
                break
            assert time.monotonic() < deadline, f"{self.name} does not come back: {said.stderr}"
            time.sleep(0.1)
        self.wait()


class Containers:
    """A lab of booted containers, named lab1, lab2, … Raises FleetUnavailable where this machine cannot have one."""

    def __init__(self, count: int = 6, *, kept: bool = False) -> None:
        self._count, self._kept = count, kept
        self.known_hosts = Path()

        self.servers: dict[str, Container] = {}

    # --- life ---------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            raise FleetUnavailable("booted containers need root: run the tests as root (sudo -E make test)")
        for name, package in (
            ("podman", "podman"),
            ("runc", "runc"),
            ("ip", "iproute2"),
            ("debootstrap", "debootstrap"),
        ):
            program(name, package)
        sweep()
        _make_room()
        image = container_image()
        self._claim()
        try:
            self._start(image)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if not self._kept:
            self.stop()

    def stop(self) -> None:
        """Removes every trace of it but the image."""
        remove(self.name)

    def _claim(self) -> None:
        LABS.mkdir(mode=0o755, exist_ok=True)
        for number in range(1, MOST_LABS):
            self.name, self.folder = f"mt{number}", LABS / f"mt{number}"
            with contextlib.suppress(FileExistsError):
                self.folder.mkdir(mode=0o755)
                self._subnet = f"10.93.{number}"
                owner = {} if self._kept else {"pid": os.getpid(), "since": since(os.getpid())}
                (self.folder / "owner.json").write_text(json.dumps(owner))
                return
        raise FleetUnavailable(f"{MOST_LABS} labs are there already: make lab-down")

    def _start(self, image: str) -> None:
        self.inventory, self.known_hosts = self.folder / "inventory.yml", self.folder / "known_hosts"
        self.key = self.folder / "key"
        (self.folder / "authorized_keys").write_text(make_key(self.key) + "\n")
        _ip("link", "add", self.name, "type", "bridge")
        _ip("address", "add", f"{self._subnet}.1/24", "dev", self.name)
        _ip("link", "set", self.name, "up")
        made = [
            Container(self, f"lab{number}", f"{self._subnet}.{10 + number}") for number in range(1, self._count + 1)
        ]
        for one in made:
            self._boot(one, image)
        for one in made:
            one.wait()
            self.servers[one.name] = one
        self.write()

    def _boot(self, one: Container, image: str) -> None:
        outside, inside = one.link, f"{self.name}w{one.address.rpartition('.')[2]}"
        _ip("netns", "add", one.container)
        _ip("link", "add", outside, "type", "veth", "peer", "name", inside)
        _ip("link", "set", outside, "master", self.name, "up")
        _ip("link", "set", inside, "netns", one.container, "name", "eth0")
        for words in (("link", "set", "lo", "up"), ("address", "add", f"{one.address}/24", "dev", "eth0")):
            one.network(*words)
        one.network("link", "set", "eth0", "up")
        one.network("route", "add", "default", "via", f"{self._subnet}.1")
        one.folder.mkdir()
        one.host_key = make_key(one.folder / "ssh_host_ed25519_key")
        subprocess.run(
            _podman(
                *(
                    "run",
                    *_RUN,
                    "--name",
                    one.container,
                    "--hostname",
                    one.name,
                    "--label",
                    f"maintops-lab={self.name}",
                ),
                *("--restart=always", f"--network=ns:/run/netns/{one.container}"),
                *(image, "/lib/systemd/systemd"),
            ),
            check=True,
            capture_output=True,
        )
        for source, target in (
            (one.folder / "ssh_host_ed25519_key", "/etc/ssh/ssh_host_ed25519_key"),
            (self.folder / "authorized_keys", "/etc/ssh/lab_keys"),
        ):
            subprocess.run(_podman("cp", str(source), f"{one.container}:{target}"), check=True, capture_output=True)
        # on a busy machine systemd listens some time after the container has begun
        one.run("timeout 60 sh -c 'until test -S /run/systemd/private; do sleep 0.1; done'")
        one.run(
            "chmod 600 /etc/ssh/ssh_host_ed25519_key && chmod 644 /etc/ssh/lab_keys && "
            "echo 'AuthorizedKeysFile /etc/ssh/lab_keys' >/etc/ssh/sshd_config.d/lab.conf && "
            f"echo '127.0.0.1 localhost\n{one.address} {one.name}' >/etc/hosts && "
            "systemctl restart ssh"
        )

    # --- what is there ------------------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Every server's name."""
        return tuple(self.servers)

    def server(self, name: str) -> Container:
        """One server by its name."""
        return self.servers[name]

    def variables(self, name: str) -> dict[str, Any]:
        """A server's Ansible variables."""
        one = self.servers[name]
        return {**self._common(), "ansible_host": one.address, **one.variables}

    def _common(self) -> dict[str, Any]:
        return {
            "ansible_user": "keeper",
            "ansible_become": True,
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.known_hosts} -o StrictHostKeyChecking=yes",
            "ansible_python_interpreter": "/usr/bin/python3",
        }

    def write(self) -> None:
        """Writes inventory and known_hosts as the servers are now."""
        hosts = {one.name: {"ansible_host": one.address, **one.variables} for one in self.servers.values()}
        self.inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": self._common()}}, indent=2) + "\n")
        self.known_hosts.write_text("".join(f"{one.address} {one.host_key}\n" for one in self.servers.values()))


# --- what labs leave behind -------------------------------------------------------------------------------------------


def _make_room() -> None:
    """Each systemd takes several inotify instances of root's, and the kernel's default of 128 is gone with twenty
    containers: those after them do not boot. Where it may not be raised, that is how many there can be."""
    with contextlib.suppress(OSError):
        if int(_INOTIFY.read_text()) < _INSTANCES:
            _INOTIFY.write_text(str(_INSTANCES))


def owners() -> dict[str, Mapping[str, Any]]:
    """The labs that there are, and whose process each is; a lab that is kept is nobody's."""
    found = {}
    for folder in sorted(LABS.glob("mt*")):
        with contextlib.suppress(FileNotFoundError, ValueError):
            found[folder.name] = json.loads((folder / "owner.json").read_text())
    return found


def traces(name: str) -> list[str]:
    """What there is of a lab: folder, links, namespaces, containers, and processes that name one of them."""
    links = [link["ifname"] for link in json.loads(_ip("-json", "link"))]
    found = [link for link in links if link == name or link.startswith(f"{name}v")]
    found += [line for line in _lines([program("ip", "iproute2"), "netns", "list"]) if line.startswith(f"{name}-")]
    found += _lines(_podman("ps", "--all", "--quiet", "--filter", f"label=maintops-lab={name}"))
    found += [line for line in _lines(["ps", "-ewwo", "args"]) if f"{LABS / name}/" in line]
    return found + [str(folder) for folder in LABS.glob(name)]


def sweep() -> None:
    """Removes the labs whose process is dead."""
    for name, owner in owners().items():
        if owner and since(owner["pid"]) != owner["since"]:
            remove(name)


def remove(name: str) -> None:
    """Removes one lab: containers, network namespaces, bridge, folder; what is gone already is no mistake."""
    for folder in (LABS / name).glob("vm*"):
        end_kept(folder)
    for container in _lines(_podman("ps", "--all", "--quiet", "--filter", f"label=maintops-lab={name}")):
        subprocess.run(_podman("rm", "--force", "--time", "0", container), check=False, capture_output=True)
    ip = program("ip", "iproute2")
    # by name: those that go with their namespace go some time after it, when the kernel has cleaned it up
    for link in json.loads(_ip("-json", "link")):
        if link["ifname"].startswith(f"{name}v"):
            subprocess.run([ip, "link", "delete", link["ifname"]], check=False, capture_output=True)
    for line in _lines([ip, "netns", "list"]):
        if line.split()[0].startswith(f"{name}-"):
            subprocess.run([ip, "netns", "delete", line.split()[0]], check=False, capture_output=True)
    subprocess.run([ip, "link", "delete", name], check=False, capture_output=True)
    shutil.rmtree(LABS / name, ignore_errors=True)


def _podman(*words: str) -> list[str]:
    return [program("podman", "podman"), *_PODMAN, *words]


def _ip(*words: str) -> str:
    return _said([program("ip", "iproute2"), *words])


def _said(command: Sequence[str]) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise FleetUnavailable(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def _lines(command: Sequence[str]) -> Iterator[str]:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    yield from done.stdout.split("\n")[:-1]
