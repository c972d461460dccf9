"""What the daily check leaves on every server: nothing that runs, and no file. `host` is each server in turn."""

from testinfra.host import Host


def test_sshd_still_runs(host: Host) -> None:
    assert host.service("ssh").is_running


def test_no_question_is_still_running(host: Host) -> None:
    assert _said(host, "grep -lsz ^MAINTOPS_ASK= /proc/[0-9]*/environ || test $? = 1") == ""


def test_no_file_lies_about(host: Host) -> None:
    # systemd makes folders: for units that have a /tmp of their own, and for sockets that nobody has
    found = _said(host, "find /tmp /var/tmp /dev/shm -mindepth 1 -not -path '*/systemd-private-*' -not -name '.*-unix'")
    assert found == ""


def _said(host: Host, command: str) -> str:
    """What a command of sh prints as root. Raises AssertionError where it fails."""
    with host.sudo():
        return str(host.check_output("sh -c %s", command))
