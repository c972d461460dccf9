"""Whom the ssh engine trusts, and how it is let in: host keys, logins, become."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from maintops.domain.ports import FailureKind
from maintops.runners.addresses import HostKeys
from tests.lab.asking import GREETED, HELLO, ROOT, ask, delivered, failure, heard, refused, script, ssh_runner, trips
from tests.lab.fixtures import need
from tests.lab.fleet import Fleet
from tests.lab.sshd import make_key, program

pytestmark = pytest.mark.fleet


# --- host keys --------------------------------------------------------------------------------------------------------


def test_an_unknown_host_key_is_refused_and_named(fleet: Fleet) -> None:
    server = fleet.unknown("unknown-key")
    why = refused(fleet, "unknown-key").why
    assert f"[{server.address}]:{server.port}" in why
    assert f"is not in {fleet.known_hosts}" in why
    assert "SHA256:" in why


@pytest.mark.parametrize("policy", ["strict", "accept-new"])
def test_a_changed_host_key_is_refused(fleet: Fleet, policy: HostKeys) -> None:
    name = f"changed-{policy}"
    fleet.changed(name)
    before = fleet.known_hosts.read_bytes()
    variables = {**fleet.variables(name), "ansible_ssh_common_args": ""}
    delivery = ask(ssh_runner(fleet.known_hosts, policy), trips({name: variables}, [HELLO]))[name]
    assert "is not the one in" in failure(delivery).why
    assert failure(delivery).kind is FailureKind.UNREACHABLE
    assert fleet.known_hosts.read_bytes() == before


def test_accept_new_writes_a_new_key_down_once(fleet: Fleet, tmp_path: Path) -> None:
    book = tmp_path / "made" / "known_hosts"
    servers = {name: {**fleet.variables(name), "ansible_ssh_common_args": ""} for name in ("s001", "s002")}
    for _ in range(2):
        found = ask(ssh_runner(book, "accept-new"), trips(servers, [HELLO]))
        assert all(one.replies[0].failure is None for one in found.values())
    assert sorted(book.read_text().splitlines()) == sorted(
        line for line in fleet.known_hosts.read_text().splitlines() if line.startswith(("[127.0.1.1]", "[127.0.1.2]"))
    )
    assert book.stat().st_mode & 0o777 == 0o600
    strict = ask(ssh_runner(book), trips(servers, [HELLO]))
    assert all(one.replies[0].failure is None for one in strict.values())


def test_off_accepts_and_writes_nothing(fleet: Fleet, tmp_path: Path) -> None:
    variables = {**fleet.variables("s001"), "ansible_ssh_common_args": ""}
    delivery = ask(ssh_runner(tmp_path / "book", "off"), trips({"s001": variables}, [HELLO]))["s001"]
    assert delivery.replies[0].failure is None
    assert not (tmp_path / "book").exists()


@pytest.mark.parametrize("policy", ["strict", "accept-new", "off"])
def test_a_revoked_key_is_refused_always(fleet: Fleet, tmp_path: Path, policy: HostKeys) -> None:
    book = tmp_path / "book"
    book.write_text(f"{fleet.known_hosts.read_text()}@revoked * {fleet.main.host_key}\n")
    variables = {**fleet.variables("s001"), "ansible_ssh_common_args": ""}
    delivery = ask(ssh_runner(book, policy), trips({"s001": variables}, [HELLO]))["s001"]
    assert "revoked" in failure(delivery).why


def test_the_inventory_cannot_weaken_the_policy(fleet: Fleet, tmp_path: Path) -> None:
    arguments = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    variables = {**fleet.variables("s001"), "ansible_ssh_common_args": arguments}
    delivery = ask(ssh_runner(tmp_path / "book"), trips({"s001": variables}, [HELLO]))["s001"]
    assert failure(delivery).kind is FailureKind.UNREACHABLE


def test_a_server_with_several_host_keys_is_asked_for_the_known_one(fleet: Fleet, tmp_path: Path) -> None:
    rsa = tmp_path / "rsa"
    public = make_key(rsa, "rsa")
    server = fleet.special("two-keys", f"HostKey {rsa}\n")
    book = tmp_path / "book"
    book.write_text(f"[{server.address}]:{server.port} {public}\n")
    assert delivered(fleet, "two-keys", by=ssh_runner(book)).replies[0].stream == GREETED


# --- logins -----------------------------------------------------------------------------------------------------------


def test_wrong_user(fleet: Fleet) -> None:
    server = fleet.add("wrong-user", ansible_user="nosuchuser")
    why = refused(fleet, "wrong-user").why
    assert why.startswith(f"{server.address} does not let nosuchuser in with the key {fleet.key}")


def test_wrong_key(fleet: Fleet, tmp_path: Path) -> None:
    make_key(tmp_path / "other")
    fleet.add("wrong-key", ansible_ssh_private_key_file=str(tmp_path / "other"))
    assert f"with the key {tmp_path / 'other'}" in refused(fleet, "wrong-key").why


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda file: None, "does not exist"),
        (lambda file: file.write_text("nonsense"), "does not hold a private key"),
        (lambda file: make_key(file, passphrase="secret words"), "run ssh-add"),
        (lambda file: make_key(file, "rsa", passphrase="secret words"), "run ssh-add"),
    ],
)
def test_a_key_file_that_is_of_no_use(fleet: Fleet, tmp_path: Path, make: object, says: str) -> None:
    file = tmp_path / "key"
    make(file)  # type: ignore[operator]
    variables = {**fleet.variables("s001"), "ansible_ssh_private_key_file": str(file)}
    delivery = ask(ssh_runner(), trips({"s001": variables}, [HELLO]))["s001"]
    assert says in failure(delivery).why
    assert str(file) in failure(delivery).why


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty ssh-agent that the runner finds."""
    running = subprocess.Popen(
        [program("ssh-agent", "openssh-client"), "-D", "-a", str(tmp_path / "agent")], stdout=subprocess.DEVNULL
    )
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    while not (tmp_path / "agent").exists():
        assert running.poll() is None
    yield
    running.terminate()
    running.wait()


def test_the_agent_opens_an_encrypted_key(fleet: Fleet, tmp_path: Path, agent: None) -> None:
    locked = tmp_path / "locked"
    locked.write_bytes(fleet.key.read_bytes())
    locked.chmod(0o600)
    (tmp_path / "locked.pub").write_bytes(Path(f"{fleet.key}.pub").read_bytes())
    subprocess.run([program("ssh-add", "openssh-client"), "-q", str(locked)], check=True, stderr=subprocess.DEVNULL)
    subprocess.run(
        [program("ssh-keygen", "openssh-client"), "-q", "-p", "-N", "secret words", "-f", str(locked)],
        check=True,
        capture_output=True,
    )
    variables = {**fleet.variables("s001"), "ansible_ssh_private_key_file": str(locked)}
    assert ask(ssh_runner(), trips({"s001": variables}, [HELLO]))["s001"].replies[0].stream == GREETED


def test_without_a_key_the_agent_and_the_usual_files_are_tried(
    fleet: Fleet, tmp_path: Path, agent: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    variables = {**fleet.variables("s001"), "ansible_ssh_private_key_file": None}
    asked = trips({"s001": variables}, [HELLO])
    assert "0 keys of the agent" in failure(ask(ssh_runner(), asked)["s001"]).why
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519").write_bytes(fleet.key.read_bytes())
    assert ask(ssh_runner(), asked)["s001"].replies[0].stream == GREETED
    (tmp_path / ".ssh" / "id_ed25519").unlink()
    subprocess.run([program("ssh-add", "openssh-client"), "-q", str(fleet.key)], check=True, stderr=subprocess.DEVNULL)
    assert ask(ssh_runner(), asked)["s001"].replies[0].stream == GREETED


def test_keys_that_a_configuration_names_leave_the_agent_a_chance(
    fleet: Fleet, tmp_path: Path, agent: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host *\n IdentityFile ~/.ssh/not-here\n")
    asked = trips({"s001": {**fleet.variables("s001"), "ansible_ssh_private_key_file": None}}, [HELLO])
    assert f"{tmp_path}/.ssh/not-here does not exist" in failure(ask(ssh_runner(), asked)["s001"]).why
    subprocess.run([program("ssh-add", "openssh-client"), "-q", str(fleet.key)], check=True, stderr=subprocess.DEVNULL)
    assert ask(ssh_runner(), asked)["s001"].replies[0].stream == GREETED


def test_login_with_a_password(fleet: Fleet) -> None:
    account = need(fleet.account, "password")
    changes = {"ansible_user": account.name, "ansible_ssh_private_key_file": None}
    fleet.add("by-password", **changes, ansible_password=account.password)
    fleet.add("by-wrong-password", **changes, ansible_password="wrong")
    assert delivered(fleet, "by-password").replies[0].stream == GREETED
    why = refused(fleet, "by-wrong-password").why
    assert "the password of the inventory" in why
    assert "wrong" not in why


# --- become -----------------------------------------------------------------------------------------------------------


def test_sudo_with_a_wrong_password_is_tried_once_and_does_not_hang(fleet: Fleet) -> None:
    account = need(fleet.account, "password")
    fleet.add("sudo-wrong", ansible_user=account.name, ansible_become_password="Wrong-Canary-77")
    fleet.sudo_log.unlink(missing_ok=True)
    delivery = delivered(fleet, "sudo-wrong", HELLO, ROOT)
    assert delivery.replies[0].stream == GREETED, "only the script that needs sudo suffers"
    assert failure(delivery, 1).kind is FailureKind.UNREACHABLE
    assert failure(delivery, 1).why == "become refused: sudo does not accept the password that the inventory gives"
    log = fleet.sudo_log.read_text()
    assert log.count("incorrect password attempt") == 1
    assert "1 incorrect password attempt" in log
    assert "Wrong-Canary-77" not in log + repr(delivery)


def test_sudo_with_a_password(fleet: Fleet) -> None:
    account = need(fleet.account, "password")
    fleet.add("sudo-password", ansible_user=account.name, ansible_become_pass=account.password)
    assert delivered(fleet, "sudo-password", ROOT).replies[0].stream == heard(b"root\n")


def test_sudo_without_a_password(fleet: Fleet) -> None:
    fleet.add("sudo-free", ansible_user=need(fleet.account, "nopasswd").name)
    assert delivered(fleet, "sudo-free", ROOT).replies[0].stream == heard(b"root\n")


def test_a_password_that_sudo_does_not_ask_for_reaches_nobody(fleet: Fleet) -> None:
    name = need(fleet.account, "nopasswd").name
    fleet.add("sudo-surplus", ansible_user=name, ansible_become_password="Surplus-Canary-78")
    snoop = script("cat; read line; echo line:$line; ps -o args= -p $PPID", become=True)
    delivery = delivered(fleet, "sudo-surplus", snoop)
    assert delivery.replies[0].failure is None
    assert b"Canary" not in delivery.replies[0].stream


def test_sudo_to_another_user(fleet: Fleet) -> None:
    name, other = need(fleet.account, "nopasswd").name, need(fleet.account, "password").name
    fleet.add("sudo-other", ansible_user=name, ansible_become_user=other)
    assert delivered(fleet, "sudo-other", ROOT).replies[0].stream == heard(f"{other}\n".encode())


def test_no_sudo_is_needed_to_become_who_one_is(fleet: Fleet) -> None:
    fleet.add("sudo-self", ansible_become_user=fleet.user)
    assert delivered(fleet, "sudo-self", ROOT).replies[0].stream == heard(f"{fleet.user}\n".encode())


@pytest.mark.parametrize(
    ("right", "user", "says"),
    [
        ("password", "root", "sudo asks for a password and the inventory gives none (ansible_become_password)"),
        ("none", "root", "sudo asks for a password and the inventory gives none (ansible_become_password)"),
        ("nopasswd", "nosuchuser", "there is no user nosuchuser"),
    ],
)
def test_sudo_refuses(fleet: Fleet, right: str, user: str, says: str) -> None:
    name = f"sudo-refuses-{right}-{user}"
    fleet.add(name, ansible_user=need(fleet.account, right).name, ansible_become_user=user)
    assert refused(fleet, name, ROOT).why == f"become refused: {says}"


def test_who_is_not_among_the_sudoers_is_told_so(fleet: Fleet) -> None:
    account = need(fleet.account, "password")
    rules = Path(f"/etc/sudoers.d/maintops-fleet-{account.name}")
    kept = rules.read_bytes()
    fleet.add("sudo-never", ansible_user=account.name, ansible_become_password=account.password)
    rules.write_text(f"Defaults:{account.name} !syslog, logfile={fleet.sudo_log}\n")
    try:
        assert refused(fleet, "sudo-never", ROOT).why == "become refused: the login user may not use sudo there"
    finally:
        rules.write_bytes(kept)


@pytest.mark.parametrize("setting", ["use_pty", "requiretty", "!use_pty,lecture=always"])
def test_sudo_as_other_distributions_set_it_up(fleet: Fleet, setting: str) -> None:
    account = need(fleet.account, "password")
    rules = Path(f"/etc/sudoers.d/maintops-fleet-{account.name}")
    kept = rules.read_text()
    name = f"sudo-{setting}"
    fleet.add(name, ansible_user=account.name, ansible_become_password=account.password)
    rules.write_text(f"Defaults:{account.name} {setting}\n{kept}")
    try:
        delivery = delivered(fleet, name, script("printf 'a\\nb\\r\\n'; id -un", become=True))
    finally:
        rules.write_text(kept)
    if setting == "requiretty":
        assert failure(delivery).why == "become refused: sudo there wants a terminal (requiretty in sudoers)"
    else:
        assert delivery.replies[0].stream == heard(b"a\nb\r\nroot\n")
