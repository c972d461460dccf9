"""The ssh engine on servers behind bastions."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.asking import GREETED, HELLO, ask, delivered, failure, refused, ssh_runner, trips
from tests.lab.fleet import Fleet

pytestmark = pytest.mark.fleet


def test_through_a_bastion_whose_own_key_is_verified(fleet: Fleet) -> None:
    fleet.special("gate")
    fleet.through("behind-1", "gate")
    fleet.through("behind-2", "gate")
    servers = {name: fleet.variables(name) for name in ("behind-1", "behind-2")}
    found = ask(ssh_runner(), trips(servers, [HELLO, HELLO]))
    assert [reply.stream for one in found.values() for reply in one.replies] == [GREETED] * 4
    assert fleet.sshd("gate").log.count("Accepted publickey") == 2, "each has a way of its own"


def test_a_bastion_that_is_gone_is_not_tried_by_every_server(fleet: Fleet) -> None:
    fleet.special("cross-gate", "DenyUsers *\n")
    names = [f"turned-away-{number}" for number in range(20)]
    for name in names:
        fleet.through(name, "cross-gate")
    found = ask(ssh_runner(), trips({name: fleet.variables(name) for name in names}, [HELLO]), forks=20)
    assert {failure(one).why.split(":")[0] for one in found.values()} == {"by way of its bastion"}
    assert fleet.sshd("cross-gate").log.count("Connection from") - 1 <= 8, "one of them looked whether sshd is up"


def test_a_bastion_in_a_proxy_command(fleet: Fleet) -> None:
    gate = fleet.special("command-gate")
    known = f"-o UserKnownHostsFile={fleet.known_hosts}"
    command = f"ssh -W %h:%p -q -i {fleet.key} {known} -p {gate.port} {fleet.user}@{gate.address}"
    fleet.add("behind-command", ansible_ssh_common_args=f"{known} -o ProxyCommand='{command}'")
    assert delivered(fleet, "behind-command").replies[0].stream == GREETED
    assert "Accepted publickey" in fleet.sshd("command-gate").log


def test_a_bastion_with_an_unknown_key_is_not_passed(fleet: Fleet, tmp_path: Path) -> None:
    gate = fleet.special("stranger")
    fleet.through("behind-stranger", "stranger")
    book = tmp_path / "book"
    kept = [line for line in fleet.known_hosts.read_text().splitlines() if not line.startswith(f"[{gate.address}]")]
    book.write_text("\n".join(kept) + "\n")
    why = refused(fleet, "behind-stranger", by=ssh_runner(book)).why
    assert why.startswith("by way of its bastion: the host key of")
    assert f"[{gate.address}]:{gate.port}" in why
    assert "Accepted" not in fleet.sshd("stranger").log


def test_a_server_with_an_unknown_key_behind_a_bastion(fleet: Fleet, tmp_path: Path) -> None:
    fleet.special("good-gate")
    server = fleet.through("stranger-behind", "good-gate")
    book = tmp_path / "book"
    kept = [line for line in fleet.known_hosts.read_text().splitlines() if not line.startswith(f"[{server.address}]")]
    book.write_text("\n".join(kept) + "\n")
    assert refused(fleet, "stranger-behind", by=ssh_runner(book)).why.startswith("the host key of")


def test_a_bastion_that_is_gone(fleet: Fleet) -> None:
    gate = fleet.refused("gone-gate")
    fleet.through("behind-gone", "gone-gate")
    why = refused(fleet, "behind-gone").why
    assert why == f"by way of its bastion: {gate.address} refuses connections on port {gate.port}"


def test_a_server_that_is_gone_behind_a_bastion(fleet: Fleet) -> None:
    gate, gone = fleet.special("lonely-gate"), fleet.refused("gone-behind")
    arguments = fleet.variables("s001")["ansible_ssh_common_args"]
    jump = f"{arguments} -J {fleet.user}@{gate.address}:{gate.port}"
    variables = {**fleet.variables("gone-behind"), "ansible_ssh_common_args": jump}
    delivery = ask(ssh_runner(), trips({"gone-behind": variables}, [HELLO]))["gone-behind"]
    assert failure(delivery).why.startswith(f"the bastion {gate.address} does not connect to {gone.address}")
