"""Where a server is and who may log in there: Ansible's connection variables, read for the ssh engine.

The variables are those of Ansible's `ssh` connection and `sudo` become plug-ins; where one setting has several names,
the last one of the plug-in's list wins, as it does there. Values are never rendered: a template sends the server to
Ansible.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from maintops.domain.servers import Server
from maintops.runners.ssh_config import ClientConfig, expand, local_user, tokens_for
from maintops.runners.ssh_options import (
    Options,
    Unsupported,
    check_options,
    merge,
    read_arguments,
    read_forwarder,
    split,
)

HostKeys = Literal["strict", "accept-new", "off"]
"""What becomes of a host key that is not known; a changed one is refused by the first two."""

_STRICTNESS: Mapping[str, HostKeys] = {
    "yes": "strict",
    "ask": "strict",
    "true": "strict",
    "accept-new": "accept-new",
}
_ORDER: tuple[HostKeys, ...] = ("off", "accept-new", "strict")
_CONNECTIONS = frozenset({"ssh", "smart", "paramiko", "paramiko_ssh"})
_ACCOUNT = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.@-]*\$?|#[0-9]+")
_SUDO = re.compile(r"(/[A-Za-z0-9_./+-]*/)?sudo")
_HOST = re.compile(r"[^\s@/\[\]'\"`$\\-][^\s@/\[\]'\"`$\\]*")
_JUMPS = 8


@dataclass(frozen=True, slots=True)
class Hop:
    """One SSH login on the way to a server.

    `keys` are the private keys given for it; none and no password: the agent's and the default keys are tried. `agent`
    says whether the agent's keys may be tried where no given one can be used: not where the inventory gave them.
    Times are in seconds; None means the engine's own default.
    """

    host: str
    port: int
    user: str
    keys: tuple[Path, ...] = ()
    password: str | None = field(default=None, repr=False)
    agent: bool = True
    known_hosts: tuple[Path, ...] = ()
    host_keys: HostKeys = "strict"
    connect_timeout: float | None = None
    alive: int | None = None


@dataclass(frozen=True, slots=True)
class Become:
    """How another user's rights are got: sudo to `user`; without a password sudo must not ask for one."""

    user: str = "root"
    password: str | None = field(default=None, repr=False)
    program: str = "sudo"


@dataclass(frozen=True, slots=True)
class Address:
    """The way to a server: its bastions in order, then itself; and how to become another user there."""

    hops: tuple[Hop, ...]
    become: Become

    @property
    def is_already(self) -> bool:
        """Whether the login user is the one to become: no sudo is needed then, and Ansible uses none either."""
        return self.hops[-1].user == self.become.user


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an address depends on besides the inventory: the client's configuration, the run's host key policy and
    the one known_hosts file that was set for it (None: OpenSSH's own places)."""

    config: ClientConfig
    host_keys: HostKeys
    known_hosts: Path | None


def read_address(server: Server, around: Surroundings) -> Address:
    """A server's address. Raises Unsupported, saying why, where the ssh engine cannot ask this server."""
    variables = server.variables
    _check_kind(variables)
    host = _text(variables, "ansible_host", "ansible_ssh_host") or server.name
    hops = _route(host, _given(variables), around, 0)
    password = _text(variables, "ansible_password", "ansible_ssh_pass", "ansible_ssh_password")
    timeout = _number(_text(variables, "ansible_ssh_timeout"), "ansible_ssh_timeout")
    target = replace(hops[-1], password=password, connect_timeout=timeout or hops[-1].connect_timeout)
    return Address((*(_bastion(hop, target) for hop in hops[:-1]), target), _become(variables))


def _bastion(hop: Hop, target: Hop) -> Hop:
    """A bastion also takes its server's key and known_hosts. OpenSSH hands neither on; most inventories mean it to."""
    return replace(
        hop,
        keys=hop.keys or target.keys,
        agent=hop.agent if hop.keys else target.agent,
        known_hosts=tuple(dict.fromkeys(hop.known_hosts + target.known_hosts)),
        host_keys=max(hop.host_keys, target.host_keys, key=_ORDER.index),
    )


def _check_kind(variables: Mapping[str, Any]) -> None:
    connection = _text(variables, "ansible_connection") or "ssh"
    if connection.removeprefix("ansible.builtin.") not in _CONNECTIONS:
        raise Unsupported(f"its connection is {connection}, not ssh")
    shell = _text(variables, "ansible_shell_type") or "sh"
    if shell in ("cmd", "powershell"):
        raise Unsupported(f"its shell is {shell}, not a Unix shell")
    for names, what in (
        (("ansible_ssh_pkcs11_provider",), "PKCS#11 keys"),
        (("ansible_private_key", "ansible_ssh_private_key"), "keys inside the inventory"),
        (("ansible_ssh_executable",), "another ssh program"),
    ):
        if _text(variables, *names):
            raise Unsupported(f"{names[-1]} is set: {what} are not offered by the ssh engine")


def _given(variables: Mapping[str, Any]) -> Options:
    """The options that the inventory gives, in the order in which Ansible hands them to ssh (the first one wins)."""
    layers = [_arguments(variables, "ansible_ssh_args")]
    own: Options = {}
    if port := _text(variables, "ansible_port", "ansible_ssh_port"):
        own["port"] = [port]
    if key := _text(variables, "ansible_private_key_file", "ansible_ssh_private_key_file"):
        own["identityfile"] = [key]
    if user := _text(variables, "ansible_user", "ansible_ssh_user"):
        own["user"] = [user]
    layers += [own, _arguments(variables, "ansible_ssh_common_args"), _arguments(variables, "ansible_ssh_extra_args")]
    return merge(layers)


def _arguments(variables: Mapping[str, Any], name: str) -> Options:
    options = read_arguments(_text(variables, name) or "", name)
    check_options(options, name)
    return options


# --- the way ----------------------------------------------------------------------------------------------------------


def _route(typed: str, given: Options, around: Surroundings, depth: int) -> tuple[Hop, ...]:
    """The hops to a host: those of its bastions, then its own."""
    if depth > _JUMPS:
        raise Unsupported(f"the way to {typed} has more than {_JUMPS} bastions, or leads back to itself")
    options = merge([given, around.config.lookup(typed, given.get("user", [None])[0])])
    target = _hop(typed, options, around, agent="identityfile" not in given)
    kind, _, value = options.get("proxy", [" none"])[0].partition(" ")
    if value.lower() == "none" or not value:
        return (target,)
    if kind == "command":
        bastion, own = read_forwarder(value, f"the way to {typed}")
        check_options(own, f"the way to {typed}")
        host, asked = _destination(bastion)
        return (*_route(host, merge([own, asked]), around, depth + 1), target)
    tokens = tokens_for(typed, target.host, target.port, target.user)
    jumps = [_destination(jump) for jump in expand(value, tokens).split(",")]
    if jumps[-1][0] == typed:
        return (target,)  # `Host *` with a ProxyJump: the bastion itself is reached directly
    first = _route(*jumps[0], around, depth + 1)
    later = [_direct(host, asked, around) for host, asked in jumps[1:]]
    return (*first, *later, target)


def _direct(typed: str, given: Options, around: Surroundings) -> Hop:
    """A hop whose own ProxyJump does not count: the list that it is named in says how it is reached."""
    return _hop(typed, merge([given, around.config.lookup(typed, given.get("user", [None])[0])]), around, agent=True)


def _destination(text: str) -> tuple[str, Options]:
    """`[ssh://][USER@]HOST[:PORT]`, with IPv6 addresses in brackets."""
    found = re.fullmatch(r"(?:ssh://)?(?:([^@]+)@)?(?:\[([^\]]+)\]|([^:\[\]]+))(?::(\d+))?", text.strip())
    if found is None:
        raise Unsupported(f"the bastion {text!r} is not of the form USER@HOST:PORT")
    options: Options = {}
    if found[1]:
        options["user"] = [found[1]]
    if found[4]:
        options["port"] = [found[4]]
    return found[2] or found[3], options


def _hop(typed: str, options: Options, around: Surroundings, *, agent: bool) -> Hop:
    host = expand(options["hostname"][0], {"h": typed}) if "hostname" in options else typed
    if not _HOST.fullmatch(host):
        raise Unsupported(f"{host!r} is not the name or address of a host")
    port, user = _port(options), options.get("user", [local_user()])[0]
    tokens = tokens_for(typed, host, port, user)
    return Hop(
        host,
        port,
        user,
        keys=tuple(Path(expand(key, tokens)).expanduser() for key in options.get("identityfile", ()) if key != "none"),
        agent=agent and options.get("identitiesonly", ["no"])[0].lower() != "yes",
        known_hosts=_known_hosts(options, tokens, around),
        host_keys=_stricter(around.host_keys, options.get("stricthostkeychecking", ["no"])[0]),
        connect_timeout=_number(options.get("connecttimeout", [None])[0], "ConnectTimeout"),
        alive=int(_number(options.get("serveraliveinterval", [None])[0], "ServerAliveInterval") or 0) or None,
    )


def _port(options: Options) -> int:
    port = options.get("port", ["22"])[0]
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise Unsupported(f"the port {port!r} is not a number from 1 to 65535")
    return int(port)


def _stricter(ours: HostKeys, asked: str) -> HostKeys:
    """The run's own policy, or the server's where that is stricter: an inventory cannot weaken it."""
    return max(ours, _STRICTNESS.get(asked.lower(), "off"), key=_ORDER.index)


def _known_hosts(options: Options, tokens: dict[str, str], around: Surroundings) -> tuple[Path, ...]:
    if around.known_hosts is not None:
        return (around.known_hosts,)
    own = options.get("userknownhostsfile", ["~/.ssh/known_hosts ~/.ssh/known_hosts2"])[0]
    general = options.get("globalknownhostsfile", ["/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"])[0]
    words = split(own, "UserKnownHostsFile") + split(general, "GlobalKnownHostsFile")
    return tuple(Path(expand(word, tokens)).expanduser() for word in words if word.lower() != "none")


# --- become -----------------------------------------------------------------------------------------------------------


def _become(variables: Mapping[str, Any]) -> Become:
    _text(variables, "ansible_become")
    method = _text(variables, "ansible_become_method") or "sudo"
    if method.removeprefix("ansible.builtin.") != "sudo":
        raise Unsupported(f"its become method is {method}, not sudo")
    user = _text(variables, "ansible_become_user", "ansible_sudo_user") or "root"
    program = _text(variables, "ansible_become_exe", "ansible_sudo_exe") or "sudo"
    flags = _text(variables, "ansible_become_flags", "ansible_sudo_flags") or ""
    if not _ACCOUNT.fullmatch(user):
        raise Unsupported(f"its become user {user!r} is not an account's name")
    if not _SUDO.fullmatch(program):
        raise Unsupported(f"its become program is {program}, not sudo")
    if any(not re.fullmatch("-[HSn]+", flag) for flag in split(flags, "ansible_become_flags")):
        raise Unsupported(f"its become flags {flags!r} are not known to the ssh engine (-H, -S and -n are)")
    if _text(variables, "ansible_sudo_chdir"):
        raise Unsupported("ansible_sudo_chdir is not offered by the ssh engine")
    password = _text(variables, "ansible_become_password", "ansible_become_pass", "ansible_sudo_pass")
    return Become(user, password, program)


# --- values -----------------------------------------------------------------------------------------------------------


def _text(variables: Mapping[str, Any], *names: str) -> str | None:
    """The value of the last of these names that is set, as text; None where none is, or where it is empty."""
    for name in reversed(names):
        if variables.get(name) not in (None, ""):
            return _plain(name, variables[name])
    return None


def _plain(name: str, value: Any) -> str:
    """Text as it stands. Raises Unsupported for what only Ansible can turn into text. No value is said: it may be a
    secret."""
    if isinstance(value, Mapping) and isinstance(value.get("__ansible_unsafe"), str):
        return str(value["__ansible_unsafe"])  # the inventory marks it as text that is no template
    if isinstance(value, Mapping) and "__ansible_vault" in value:
        raise Unsupported(f"{name} is encrypted with a vault password that was not given")
    if not isinstance(value, (str, int, float)):
        raise Unsupported(f"{name} is not plain text")
    if isinstance(value, str) and any(mark in value for mark in ("{{", "{%", "{#")):
        raise Unsupported(f"{name} is a template, which only Ansible can render")
    return str(value)


def _number(text: str | None, name: str) -> float | None:
    if text is None or text == "none":
        return None
    try:
        return max(float(text), 0.0) or None
    except ValueError as error:
        raise Unsupported(f"{name} {text!r} is not a number of seconds") from error
