"""Asking servers in tests by way of Ansible."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from maintops.domain.ports import Delivery, Script, Trip
from maintops.domain.servers import Server
from maintops.runners.addresses import HostKeys
from maintops.runners.ansible import AnsibleRunner
from tests.lab.asking import GREETED, HELLO, ask, now
from tests.lab.fleet import Fleet


def runner(
    sources: Sequence[str], known_hosts: Path | None, host_keys: HostKeys = "strict", **more: Any
) -> AnsibleRunner:
    """The ansible engine, in a hurry."""
    return AnsibleRunner(sources, known_hosts=known_hosts, host_keys=host_keys, clock=now, connect_timeout=5, **more)


def delivered(
    fleet: Fleet,
    names: Sequence[str],
    *scripts: Script,
    host_keys: HostKeys = "strict",
    known_hosts: Path | None = None,
    stop: Callable[[], str | None] = lambda: None,
    **more: Any,
) -> dict[str, Delivery]:
    """The deliveries of some servers of the fleet; they are asked HELLO unless other scripts are given."""
    by = runner([str(fleet.inventory)], known_hosts or fleet.known_hosts, host_keys, **more)
    trips = [Trip(Server(name, variables=fleet.variables(name)), scripts or (HELLO,)) for name in names]
    found = ask(by, trips, stop=stop)
    assert set(found) == set(names)
    return found


def greeted(found: dict[str, Delivery]) -> list[str]:
    """The servers that answered HELLO."""
    return [name for name, one in found.items() if one.replies[0].stream == GREETED and not one.replies[0].failure]


def at_hand(tmp_path: Path, hosts: dict[str, Any], **variables: Any) -> str:
    """An inventory of this machine under some names, by the local connection; returns its path."""
    file = tmp_path / "inventory.yml"
    own = {name: {"ansible_connection": "local", **one} for name, one in hosts.items()}
    file.write_text(json.dumps({"all": {"hosts": own, "vars": variables}}))
    return str(file)
