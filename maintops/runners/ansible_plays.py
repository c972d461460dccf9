"""What is given to Ansible: the play that carries scripts, the variables, the limit, and how host keys are verified.

Values in, texts of files out. The inventories stay Ansible's own business; what is written here only names servers
and says what is to be done on them.
"""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from maintops.domain.ports import Script, Trip
from maintops.domain.servers import Server
from maintops.runners.addresses import HostKeys

BEGIN, END = "#maintops-begin", "#maintops-end"
"""Lines around an answer: the first names the armour that it is in (base64 or sed), the last the exit status."""

LONGEST = 128 * 1024 - 4096
"""Bytes that a packed script may have: one argument of a program takes 128 KiB, sudo and shells add theirs."""

SLACK = 15.0
"""Seconds that a script may take beyond its own: login files of a shell, sudo, a slow line."""

HERE = "here"
"""The folder in the private one where Ansible is started."""

NTH = "maintops_nth"
"""The variable that says which of a trip's scripts a result belongs to."""

# `raw` templates its text and hands bytes on as they come, and shells have ideas of their own: what means anything to
# Jinja2, to a shell within quotes or to csh travels as an octal escape of `printf %b`, which every shell has. The
# answer comes back in base64; without that and openssl as sed lists bytes (`l`), with a dot after the last of them.
# Descriptor 4 is the armour's output, 3 the way of the script's exit status around it; the script gets neither.
_ESCAPES = {ord(sign): f"\\0{ord(sign):03o}" for sign in "\\'\"$`!{"} | {ord("\n"): "\\n"}
_UNPACK = (
    "if command -v base64 >/dev/null 2>&1;then k=base64;e() { base64;};"
    "elif command -v openssl >/dev/null 2>&1;then k=base64;e() { openssl base64;};"
    "else k=sed;e() { { cat;echo .;}|LC_ALL=C sed -n l;};fi;"
    f'echo "{BEGIN} $k";exec 4>&1;'
    's=$({ { /bin/sh -c "$(printf %b "$1")" </dev/null 2>/dev/null 3>&- 4>&-;echo $? >&3;}|e >&4 3>&-;} 3>&1);'
    f'echo "{END} $s"'
)


@dataclass(frozen=True, slots=True)
class Policy:
    """How host keys are verified: see AnsibleRunner."""

    known_hosts: Path | None
    host_keys: HostKeys


@lru_cache(maxsize=64)
def pack(text: str) -> str:
    """A script's text as `printf %b` takes it, with nothing in it that anybody on the way would touch."""
    return text.translate(_ESCAPES)


def fits(script: Script) -> bool:
    """Whether a script is short enough to travel as one argument of a program."""
    return len(pack(script.text)) <= LONGEST


def carrier(script: Script) -> str:
    """The command that runs a script on a server."""
    return f"/bin/sh -c '{_UNPACK}' sh '{pack(script.text)}'"


def budget(trip: Trip, connect_timeout: float) -> int:
    """Whole seconds that Ansible gives each script of a trip, its connection included."""
    return math.ceil(max(script.seconds for script in trip.scripts) + connect_timeout + SLACK)


# --- the play ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ask:
    """One script on one server, as Ansible is told it: the number of its command, seconds, and whether it needs a
    terminal. As strings, these are templates."""

    command: int | str
    timeout: int | str
    become: bool | str
    terminal: bool | str


def trip_play(trips: Sequence[Trip], connect_timeout: float) -> tuple[str, dict[str, Any]]:
    """The playbook (JSON) that carries some trips' scripts, and the variables that it needs.

    A worker process of Ansible takes 20 ms for a task, and a template in it up to 5 more: what is the same everywhere
    is written down as it is. Two scripts of a server are one task with a loop: one worker, one connection.
    """
    scripts = dict.fromkeys(script for trip in trips for script in trip.scripts)
    commands = list(map(carrier, scripts))
    numbers = {script: number for number, script in enumerate(scripts)}
    asks = [_asks(trip, numbers, connect_timeout) for trip in trips]
    same = all(ask == asks[0] for ask in asks)
    variables: dict[str, Any] = {"maintops_commands": commands}
    if same and len(asks[0]) == 1:
        task, variables = _task(asks[0][0], commands[0]), {}
    elif same:
        task = _loop(asks[:1], _items(asks[0]))
    else:
        variables["maintops_asks"] = {trip.server.name: _items(ask) for trip, ask in zip(trips, asks, strict=True)}
        task = _loop(asks, "{{ maintops_asks[inventory_hostname] | default([]) }}")
    return json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [task]}]), variables


def _asks(trip: Trip, numbers: Mapping[Script, int], connect_timeout: float) -> list[_Ask]:
    # Ansible's su asks for a terminal; the armour survives what one does to bytes. sudo needs none, and without one the
    # server's complaints do not mix with its answer.
    terminal = trip.server.variables.get("ansible_become_method", "sudo") != "sudo"
    timeout = budget(trip, connect_timeout)
    return [_Ask(numbers[one], timeout, one.become, bool(one.become) and terminal) for one in trip.scripts]


def _items(asks: Sequence[_Ask]) -> list[dict[str, Any]]:
    return [asdict(ask) for ask in asks]


def _task(ask: _Ask, command: str) -> dict[str, Any]:
    return {
        "name": "ask",
        "raw": command,
        "timeout": ask.timeout,
        # Ansible lets a variable beat the keyword `become`, and a task's variables beat the inventory's.
        "vars": {"ansible_become": ask.become, "ansible_ssh_use_tty": ask.terminal},
    }


def _loop(asks: Sequence[Sequence[_Ask]], items: list[dict[str, Any]] | str) -> dict[str, Any]:
    """The task for every ask there is; `items` are a server's. A field that is the same in all is no template."""
    every = [ask for trip in asks for ask in trip]
    fields = {}
    for name, value in asdict(every[0]).items():
        fields[name] = value if all(getattr(ask, name) == value for ask in every) else f"{{{{ maintops_ask.{name} }}}}"
    task = _task(_Ask(**fields), "{{ maintops_commands[maintops_ask.command] }}")
    return task | {"loop": items, "loop_control": {"loop_var": "maintops_ask", "index_var": NTH, "label": NTH}}


def limit(servers: Iterable[Server]) -> str:
    """A file for `--limit @FILE`. Ansible takes a line that is a host's exact name as that host before it reads it as a
    pattern, so no name needs to be quoted."""
    return "".join(f"{server.name}\n" for server in servers)


# --- connections ------------------------------------------------------------------------------------------------------


def connection_variables(folder: str, policy: Policy, servers: Iterable[Server], *, share: bool) -> dict[str, Any]:
    """Extra variables, which nothing in an inventory beats: how ssh verifies host keys, and no tries of Ansible's own
    (it would try a wrong sudo password again).

    A server's own `ansible_ssh_args` follow ours, and of an option that is given twice ssh takes the first. Where they
    ask for more care than the policy does, they are obeyed. With `share`, the scripts of a trip travel over one
    connection.
    """
    servers = list(servers)
    own = {
        server.name: args
        for server in servers
        if isinstance(args := server.variables.get("ansible_ssh_args"), str) and args.strip()
    }
    careful = {
        server.name: "-o StrictHostKeyChecking=yes"
        for server in servers
        if policy.host_keys == "accept-new" and _asks_for_care(server)
    }
    ours = shlex.join(_ssh_arguments(folder, policy, share=share))
    verify = policy.host_keys != "off"
    variables = {
        "ansible_ssh_args": ours,
        "ansible_ssh_retries": 0,
        "ansible_host_key_checking": verify,
        "ansible_ssh_host_key_checking": verify,
        "ansible_paramiko_host_key_checking": verify,
    }
    if own:
        follow = "{{ maintops_own_ssh_args[inventory_hostname] | default('') }}"
        variables |= {"ansible_ssh_args": f"{ours} {follow}", "maintops_own_ssh_args": own}
    if careful:
        lead = "{{ maintops_careful[inventory_hostname] | default('') }}"
        variables |= {"ansible_ssh_args": f"{lead} {variables['ansible_ssh_args']}", "maintops_careful": careful}
    return variables


_ARGUMENTS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
_CARE = re.compile(r"StrictHostKeyChecking[=\s]+[\"']?yes\b", re.IGNORECASE)


def _asks_for_care(server: Server) -> bool:
    return any(_CARE.search(str(server.variables.get(name, ""))) for name in _ARGUMENTS)


def _ssh_arguments(folder: str, policy: Policy, *, share: bool) -> list[str]:
    arguments = ["-F", f"{folder}/ssh.conf"]
    for name, value in _ssh_options(folder, policy).items():
        arguments += ["-o", f"{name}={value}"]
    # A master of the user's own would hand out connections whose host key was verified by nobody, or by other rules.
    sharing = {"ControlMaster": "no", "ControlPath": "none"}
    if share:
        sharing = {"ControlMaster": "auto", "ControlPath": f"{folder}/%C", "ControlPersist": "15"}
    for name, value in sharing.items():
        arguments += ["-o", f"{name}={value}"]
    return arguments


def _ssh_options(folder: str, policy: Policy) -> dict[str, str]:
    if policy.host_keys == "off":
        return {
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "GlobalKnownHostsFile": "/dev/null",
        }
    options = {
        "StrictHostKeyChecking": "yes" if policy.host_keys == "strict" else "accept-new",
        "NoHostAuthenticationForLocalhost": "no",
        "UpdateHostKeys": "no",
    }
    if policy.known_hosts is not None:
        options |= {"UserKnownHostsFile": f"{folder}/known_hosts", "GlobalKnownHostsFile": "/dev/null"}
    return options


def connection_files(folder: str, policy: Policy) -> dict[str, str]:
    """Files that every run has: ssh's settings, Ansible's and ansible-runner's."""
    lines = [f"{name} {value}" for name, value in _ssh_options(folder, policy).items()]
    # Named with -F, this file holds for bastions too (-o does not). What the user and the system set comes after it.
    lines += ["Include ~/.ssh/config", "Include /etc/ssh/ssh_config", "ServerAliveInterval 15", "ServerAliveCountMax 3"]
    return {
        "ssh.conf": "".join(f"{line}\n" for line in lines),
        # Ansible looks for results a thousand times a second where nobody says otherwise.
        "ansible.cfg": "[defaults]\ninternal_poll_interval = 0.02\n",
        "env/settings": json.dumps({"suppress_output_file": True}),
    }


def connection_links(policy: Policy) -> dict[str, str]:
    """Links that every run has: known_hosts under a name that needs no quoting anywhere."""
    if policy.known_hosts is None or policy.host_keys == "off":
        return {}
    return {"known_hosts": str(policy.known_hosts.expanduser().absolute())}


def key_links(servers: Iterable[Server]) -> dict[str, str]:
    """Links to keys that the inventory names by a relative path. Ansible is started in a folder of ours (it takes
    plug-ins from the folder where it is started), yet such a path means one from where the user stands."""
    named = {str(server.variables.get(name) or "") for server in servers for name in _KEY_VARIABLES}
    relative = {name: Path(name).absolute() for name in named if _RELATIVE.fullmatch(name) and ".." not in name}
    return {f"{HERE}/{name}": str(path) for name, path in relative.items() if path.is_file()}


_KEY_VARIABLES = ("ansible_ssh_private_key_file", "ansible_private_key_file")
_RELATIVE = re.compile(r"[\w.][\w./ @+-]*")


def ansible_variables(folder: str, connect_timeout: float) -> dict[str, str]:
    """The environment variables that Ansible's own settings are given in."""
    return {
        "ANSIBLE_CONFIG": f"{folder}/ansible.cfg",
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_LOCAL_TEMP": f"{folder}/work",
        "ANSIBLE_TIMEOUT": str(max(1, math.ceil(connect_timeout))),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_DEPRECATION_WARNINGS": "0",
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
        # Half an inventory would be servers with half their variables.
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1",
        "MAX_EVENT_RES": str(
            2**40
        ),  # ansible-runner's callback empties results that are longer than 700 000 characters
    }


def arguments(folder: str, vault_password_file: Path | None, *more: str) -> str:
    """Further arguments of ansible-playbook, quoted as for a shell."""
    words = ["--limit", f"@{folder}/limit", "--extra-vars", f"@{folder}/vars.json", *more]
    if vault_password_file is not None:
        words += ["--vault-password-file", str(vault_password_file.expanduser().absolute())]
    return shlex.join(words)


def sources(given: Sequence[str]) -> list[str]:
    """Inventory sources that mean the same from any folder: paths are made absolute, lists of hosts (with a comma)
    stay as they are."""
    return [source if "," in source else str(Path(source).expanduser().absolute()) for source in given]


def secret_values(server: Server) -> list[str]:
    """What the inventory says of a server that nobody may read: passwords, tokens, keys."""
    return [secret for secret in _secrets(server.variables, telling=False) if len(secret) >= _SHORTEST]


def has_vaulted(value: Any) -> bool:
    """Whether an inventory value holds something that `ansible-inventory` shows as Vault's cipher only."""
    if isinstance(value, Mapping):
        return "__ansible_vault" in value or any(has_vaulted(inner) for inner in value.values())
    return isinstance(value, list) and any(has_vaulted(inner) for inner in value)


_SHORTEST = 4
_TELLING = re.compile(r"pass|secret|token|credential|private_key(?!_file)|api_?key", re.IGNORECASE)


def _secrets(value: Any, *, telling: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _secrets(inner, telling=telling or bool(_TELLING.search(str(name))))
    elif isinstance(value, list):
        for inner in value:
            yield from _secrets(inner, telling=telling)
    elif telling and isinstance(value, str | int) and not isinstance(value, bool):
        yield str(value)
