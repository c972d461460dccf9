"""The loopback fleet: as many servers as you like on one machine, each with an address of its own.

One `sshd` of our own listens on a high port of every loopback address; 127.0.x.y are the servers. Servers that must
behave differently (a bastion, a fixed answer, a bare root) get an `sshd` of their own on 127.1.x.y. Nothing outside
loopback is ever contacted, and only processes that this fleet started are ever ended.

    with Fleet(servers=3) as fleet:
        fleet.names                       # ("s001", "s002", "s003")
        fleet.variables("s001")           # its Ansible variables
        fleet.inventory, fleet.known_hosts, fleet.key    # files to hand to anybody
        fleet.refused("gone")             # bad servers; each call adds one to the inventory
        fleet.answering("canned", b"...")

As root the servers' user is made for this fleet (shell /bin/sh) and removed with it, and `account` makes more, with
sudo rules of their own. As an ordinary user there is that user alone, and `account` raises FleetUnavailable.

By hand, from the repository's root: `python -m tests.lab.fleet --servers 5` prints an inventory and runs until Ctrl-C.
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import itertools
import json
import os
import shlex
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.lab.accounts import PREFIX, ROOTS, Account, Sudo, make_account, make_root, remove_account, sweep
from tests.lab.sshd import FleetUnavailable, Sshd, make_key, program

BARE = ("dash", "cat", "head", "sed", "sleep", "rm", "mkdir", "mkfifo", "kill", "id", "date", "uname")
_ANY = "0.0.0.0"  # noqa: S104 sshd listens on every address of 127/8 at once; its configuration lets nobody else in
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class FleetServer:
    """One server: its inventory name, where it listens, and its own Ansible variables."""

    name: str
    address: str
    port: int
    variables: Mapping[str, Any] = field(default_factory=dict)


class Fleet:
    """A fleet in a temporary folder of its own; see the module's docstring.

    `servers` good ones are named s001, s002, … Files: `inventory` (YAML), `known_hosts` (an entry per server), `key`
    (the private key that every server lets in), `sudo_log` (what sudo allowed and refused to the fleet's accounts).
    """

    def __init__(self, servers: int = 1) -> None:
        self._count = servers
        self._special = 0
        self._servers: dict[str, FleetServer] = {}
        self._entries: dict[str, str] = {}
        self._accounts: dict[Sudo, Account] = {}
        self._daemons: dict[str, Sshd] = {}
        self._quiet: list[socket.socket] = []
        self._roots: list[Path] = []

    # --- life ---------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Fleet:
        """Starts it; raises FleetUnavailable where sshd is missing."""
        program("sshd", "openssh-server")
        sweep()
        self.folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        self.folder.chmod(0o755)  # the servers' users read authorized_keys
        self.inventory, self.known_hosts = self.folder / "inventory.yml", self.folder / "known_hosts"
        self.key, self.sudo_log = self.folder / "key", self.folder / "sudo.log"
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def _start(self) -> None:
        self._authorized = self.folder / "authorized_keys"
        self._authorized.write_text(make_key(self.key) + "\n")
        self._authorized.chmod(0o644)
        self.user = self.account("none").name if os.geteuid() == 0 else getpass.getuser()
        self.main = Sshd(self.folder / "main", _ANY, self._authorized)
        self._daemons["main"] = self.main
        for number in range(self._count):
            address = f"127.0.{1 + number // 250}.{1 + number % 250}"
            self._put(FleetServer(f"s{number + 1:03}", address, self.main.port), self.main.host_key)
        self._write()

    def stop(self) -> None:
        """Ends what the fleet started and removes what it made."""
        for daemon in self._daemons.values():
            daemon.stop()
        for quiet in self._quiet:
            quiet.close()
        for account in self._accounts.values():
            remove_account(account.name)
        for folder in (self.folder, *self._roots):
            shutil.rmtree(folder, ignore_errors=True)

    # --- what is there ------------------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Every server's name, the good ones first."""
        return tuple(self._servers)

    def server(self, name: str) -> FleetServer:
        """One server by its name."""
        return self._servers[name]

    def sshd(self, name: str) -> Sshd:
        """The sshd that serves a server: its log, its sessions, a way to cut them."""
        return self._daemons.get(name, self.main)

    def variables(self, name: str) -> dict[str, Any]:
        """A server's Ansible variables, group variables included, as `ansible-inventory --list` would merge them."""
        server = self._servers[name]
        own = {"ansible_host": server.address, "ansible_port": server.port}
        return {**self._common(), **own, **server.variables}

    def _common(self) -> dict[str, Any]:
        options = f"-o UserKnownHostsFile={self.known_hosts} -o StrictHostKeyChecking=yes"
        return {
            "ansible_user": self.user,
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": options,
            "ansible_python_interpreter": sys.executable,
        }

    # --- accounts -----------------------------------------------------------------------------------------------------

    def account(self, sudo: Sudo = "none") -> Account:
        """The fleet's login with this right to sudo, made when it is first asked for (root only)."""
        if sudo not in self._accounts:
            if os.geteuid() != 0:
                raise FleetUnavailable("accounts of the fleet's own need root")
            home = self.folder / f"home-{sudo}"
            name = f"mt{os.getpid()}x{next(_numbers)}"
            self._accounts[sudo] = Account(name, home, f"Pw-{name}-{os.urandom(6).hex()}" if sudo != "none" else None)
            make_account(self._accounts[sudo], sudo, self.sudo_log)
        return self._accounts[sudo]

    # --- more servers -------------------------------------------------------------------------------------------------

    def add(self, name: str, **variables: Any) -> FleetServer:
        """One more good server, with Ansible variables of its own (they override the fleet's)."""
        return self._put(FleetServer(name, self._address(), self.main.port, variables), self.main.host_key, write=True)

    @contextlib.contextmanager
    def visited(self) -> Iterator[None]:
        """Servers that are added meanwhile are gone afterwards, and their names are free again."""
        before = set(self._servers)
        try:
            yield
        finally:
            for name in self._servers.keys() - before:
                self._remove(name)
            self._write()

    def _remove(self, name: str) -> None:
        del self._servers[name]
        self._entries.pop(name, None)
        if name in self._daemons:
            self._daemons.pop(name).stop()

    def refused(self, name: str) -> FleetServer:
        """A server that nobody listens for."""
        address = self._address()
        taken = socket.socket()
        taken.bind((address, 0))  # nobody else can get this port, and connections to it are refused
        self._quiet.append(taken)
        return self._put(FleetServer(name, address, taken.getsockname()[1]), self.main.host_key, write=True)

    def silent(self, name: str) -> FleetServer:
        """A listener that accepts connections and never says a word."""
        address = self._address()
        quiet = socket.create_server((address, 0), backlog=64)  # the kernel accepts; nobody ever answers
        self._quiet.append(quiet)
        return self._put(FleetServer(name, address, quiet.getsockname()[1]), self.main.host_key, write=True)

    def deaf(self, name: str) -> FleetServer:
        """A server that does not answer at all, as if packets to it were lost: its queue of connections is full."""
        address = self._address()
        full = socket.create_server((address, 0), backlog=0)
        self._quiet.append(full)
        while self._fills(full.getsockname()):
            pass
        return self._put(FleetServer(name, address, full.getsockname()[1]), self.main.host_key, write=True)

    def _fills(self, place: tuple[str, int]) -> bool:
        """Makes one more connection that nobody will take up; False where it did not come about."""
        caller = socket.socket()
        self._quiet.append(caller)
        caller.settimeout(0.2)
        try:
            caller.connect(place)
        except TimeoutError:
            return False
        return True

    def unknown(self, name: str) -> FleetServer:
        """A good server that is not in known_hosts."""
        return self._put(FleetServer(name, self._address(), self.main.port), None, write=True)

    def changed(self, name: str) -> FleetServer:
        """A good server for which known_hosts holds another key."""
        other = make_key(self._file(f"{name}-other-key"))
        return self._put(FleetServer(name, self._address(), self.main.port), other, write=True)

    def special(self, name: str, config: str = "", **variables: Any) -> FleetServer:
        """A server with an sshd, a host key and lines of sshd_config of its own."""
        address = self._address()
        daemon = Sshd(self._file(name), address, self._authorized, config)
        self._daemons[name] = daemon
        return self._put(FleetServer(name, address, daemon.port, variables), daemon.host_key, write=True)

    def forced(self, name: str, command: str, **variables: Any) -> FleetServer:
        """A server that runs `command` (sh) whatever it is asked to run."""
        file = self._file(f"{name}-forced")
        file.write_text(f"#!/bin/sh\n{command}\n")
        file.chmod(0o755)
        return self.special(name, f"ForceCommand {file}\n", **variables)

    def answering(self, name: str, stream: bytes) -> FleetServer:
        """A server that answers with these bytes, whatever it is asked."""
        recording = self._file(f"{name}-stream")
        recording.write_bytes(stream)
        return self.forced(name, f"exec cat {shlex.quote(str(recording))}")

    def flooding(self, name: str) -> FleetServer:
        """A server whose answer never ends."""
        return self.forced(name, "exec yes 'a flood of output that says nothing at all, over and over again'")

    def through(self, name: str, bastion: str) -> FleetServer:
        """A good server that is reached through another one (ProxyJump)."""
        gate = self._servers[bastion]
        jump = f"{self._common()['ansible_ssh_common_args']} -o ProxyJump={self.user}@{gate.address}:{gate.port}"
        return self.add(name, ansible_ssh_common_args=jump)

    def bare(self, name: str, programs: tuple[str, ...] = BARE) -> FleetServer:
        """A server in a root of its own that holds /bin/sh and these programs, and nothing else: no Python, no bash,
        no `timeout` (root only)."""
        if os.geteuid() != 0:
            raise FleetUnavailable("a root of its own (ChrootDirectory) needs root")
        # sshd trusts a root only where nobody else can write on the whole way to it: not below /tmp.
        root = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=ROOTS))
        self._roots.append(root)
        make_root(root, programs)
        return self.special(name, f"ChrootDirectory {root}\n")

    def _file(self, name: str) -> Path:
        """A path of the fleet's folder that was never used before."""
        return self.folder / f"{next(_numbers)}-{name}"

    def _address(self) -> str:
        self._special += 1
        return f"127.1.{1 + self._special // 250}.{1 + self._special % 250}"

    def _put(self, server: FleetServer, host_key: str | None, *, write: bool = False) -> FleetServer:
        if server.name in self._servers:
            raise ValueError(f"the fleet has a server {server.name} already")
        self._servers[server.name] = server
        if host_key is not None:
            self._entries[server.name] = f"[{server.address}]:{server.port} {host_key}\n"
        if write:
            self._write()
        return server

    def _write(self) -> None:
        """The inventory is YAML in JSON's clothes: every JSON document is one."""
        hosts = {
            server.name: {"ansible_host": server.address, "ansible_port": server.port, **server.variables}
            for server in self._servers.values()
        }
        group = {"hosts": hosts, "vars": self._common()}
        self.inventory.write_text(json.dumps({"all": {"children": {"fleet": group}}}, indent=2) + "\n")
        self.known_hosts.write_text("".join(self._entries.values()))


# --- by hand ----------------------------------------------------------------------------------------------------------


def main() -> None:
    """Runs a fleet until Ctrl-C, and says how to use it."""
    arguments = argparse.ArgumentParser(prog="python -m tests.lab.fleet", description="A fleet of servers on loopback.")
    arguments.add_argument("--servers", type=int, default=3, help="how many good servers (default 3)")
    count = arguments.parse_args().servers
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Fleet(servers=count) as fleet:
        first = fleet.server(fleet.names[0])
        sys.stdout.write(
            f"{count} servers, user {fleet.user}\n\n"
            f"  inventory    {fleet.inventory}\n"
            f"  known hosts  {fleet.known_hosts}\n"
            f"  key          {fleet.key}\n\n"
            f"  maintops run daily-check -i {fleet.inventory}\n"
            f"  ssh -i {fleet.key} -o UserKnownHostsFile={fleet.known_hosts} "
            f"-p {first.port} {fleet.user}@{first.address}\n\n"
            "Ctrl-C ends it.\n"
        )
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
