from __future__ import annotations

import base64
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from maintops.domain.servers import Server
from maintops.runners.addresses import Hop
from maintops.runners.ssh import SshRunner

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEfh4WpKQRTvM9nIsYZz6XoJiQ3qw1Y1qxkMcV5sEXgX"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    return tmp_path


def refusal(host_keys: Any = "strict", known_hosts: Path | None = None, **variables: Any) -> str | None:
    runner = SshRunner(known_hosts, host_keys, lambda: datetime.now(UTC))
    return runner.refusal(Server("web1", variables=variables))


def test_a_plain_server_is_not_refused(home: Path) -> None:
    assert refusal() is None


def test_a_connection_that_is_not_ssh_is_refused() -> None:
    assert refusal(ansible_connection="local") == "its connection is local, not ssh"


def test_the_users_configuration_can_refuse(home: Path) -> None:
    (home / ".ssh" / "config").write_text("Match exec true\n Port 1\n")
    why = refusal()
    assert why == f"{home}/.ssh/config:1 has Match exec, which the ssh engine does not know"


@pytest.mark.parametrize(("host_keys", "refused"), [("strict", True), ("accept-new", True), ("off", False)])
def test_a_certificate_authority_sends_a_server_to_ansible(home: Path, host_keys: str, refused: bool) -> None:
    (home / ".ssh" / "known_hosts").write_text(f"@cert-authority web* {KEY}\n")
    why = refusal(host_keys)
    assert why == ("only a certificate authority in known_hosts vouches for web1" if refused else None)
    (home / ".ssh" / "known_hosts").write_text(f"@cert-authority web* {KEY}\nweb1 {KEY}\n")
    assert refusal(host_keys) is None


def test_a_bastion_is_looked_at_as_well(home: Path) -> None:
    (home / ".ssh" / "known_hosts").write_text(f"@cert-authority gate {KEY}\n")
    assert refusal(ansible_ssh_common_args="-J gate") == (
        "only a certificate authority in known_hosts vouches for gate"
    )


def hardware(file: Path) -> Path:
    """What a private key that lives in a token looks like from outside (made up: no key is in it)."""
    body = base64.encodebytes(b"openssh-key-v1\0none sk-ssh-ed25519@openssh.com and more").decode()
    file.write_text(f"-----BEGIN OPENSSH PRIVATE KEY-----\n{body}-----END OPENSSH PRIVATE KEY-----\n")
    return file


def test_a_hardware_key_is_refused(home: Path) -> None:
    key = hardware(home / "token")
    why = refusal(ansible_ssh_private_key_file=str(key))
    assert why == f"its key {key} is a hardware (FIDO) key, which the ssh engine does not offer"
    key.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n!!!\n-----END OPENSSH PRIVATE KEY-----\n")
    assert refusal(ansible_ssh_private_key_file=str(key)) is None


def test_a_hardware_key_among_the_usual_ones(home: Path) -> None:
    hardware(home / ".ssh" / "id_ed25519_sk")
    assert "id_ed25519_sk is a hardware (FIDO) key" in str(refusal())
    assert refusal(ansible_password="x") is None
    (home / ".ssh" / "id_rsa").write_text("there is another one to try")
    assert refusal() is None


def test_a_known_hosts_file_that_cannot_be_read_is_named(home: Path) -> None:
    why = refusal(known_hosts=home / ".ssh")
    assert why == f"{home}/.ssh cannot be read: Is a directory"


def test_looking_for_a_refusal_loads_no_ssh_library() -> None:
    code = (
        "import sys; from datetime import datetime; from maintops.domain.servers import Server;"
        "from maintops.runners.ssh import SshRunner;"
        "SshRunner(None, 'strict', datetime.now).refusal(Server('web1'));"
        "sys.exit(any(name in sys.modules for name in ('paramiko', 'fabric', 'cryptography')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_connections_leave_the_configuration_alone_that_they_share(monkeypatch: pytest.MonkeyPatch) -> None:
    from invoke.config import Config

    from maintops.runners import ssh_connections
    from maintops.runners.known_hosts import KnownHosts

    means = ssh_connections.Means(KnownHosts, 1.0, 0)

    def written(*_: object) -> None:
        raise AssertionError("a connection wrote into the shared configuration")

    monkeypatch.setattr(Config, "_modify", written)
    made = [ssh_connections._connection(Hop(name, 22, "x"), means) for name in ("a", "b")]
    assert [one.host for one in made] == ["a", "b"]
    assert made[0].config is made[1].config
