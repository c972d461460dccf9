"""What the patch leaves on every server. `host` is each server in turn."""

from testinfra.host import Host


def test_it_was_rebooted_exactly_once(host: Host) -> None:
    assert len(host.check_output("cat /var/lib/boots").splitlines()) == 1
    assert not host.file("/run/reboot-required").exists


def test_no_package_waits_and_none_is_half_installed(host: Host) -> None:
    assert "0 upgraded, 0 newly installed" in host.check_output("LC_ALL=C apt-get --simulate dist-upgrade")
    assert host.check_output("dpkg --audit") == ""


def test_its_service_runs_and_sshd_does(host: Host) -> None:
    assert host.service("ssh").is_running
    assert host.service("maintops-lab-service").is_running
