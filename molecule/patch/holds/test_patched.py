"""What must hold on every server that was patched: `maintops verify` asks it. `host` is each server in turn."""

import pytest
from testinfra.host import Host

VERSIONS = {"plain": "2.0", "service": "2.0", "reboot": "2.0", "broken": "2.1"}


@pytest.mark.parametrize("name", VERSIONS)
def test_the_package_has_its_new_version(host: Host, name: str) -> None:
    assert host.package(f"maintops-lab-{name}").version == VERSIONS[name]


def test_the_service_runs_with_its_new_version(host: Host) -> None:
    assert host.service("maintops-lab-service").is_running
    assert "LAB_VERSION=2.0" in host.check_output("systemctl show --property=Environment maintops-lab-service")


def test_it_serves_again(host: Host) -> None:
    assert not host.file("/var/lib/drained").exists
