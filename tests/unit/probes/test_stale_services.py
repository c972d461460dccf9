from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given

from maintops.domain.answers import NotMeasured, UnreadableAnswer
from maintops.probes.stale_services import PROBE
from tests.unit.probes.asking import SHELLS, answer_of, ask, only
from tests.unit.probes.asking import recording as shared
from tests.unit.probes.broken_tools import HTML, assert_bad_answers_are_no_facts, recorded, recorded_facts
from tests.unit.probes.spoiling import complaints, spoiled

MAPS = """\
/proc/1/comm:systemd
/proc/1/cgroup:0::/init.scope
/proc/812/comm:sshd
/proc/812/cgroup:0::/system.slice/ssh.service
/proc/900/comm:nginx
/proc/900/cgroup:11:memory:/system.slice/nginx.service
/proc/900/cgroup:1:name=systemd:/system.slice/nginx.service
/proc/901/comm:nginx
/proc/901/cgroup:0::/system.slice/nginx.service
/proc/990/comm:bash
/proc/990/cgroup:0::/user.slice/user-1000.slice/session-21.scope
"""
NEEDRESTART = "NEEDRESTART-VER: 3.6\nNEEDRESTART-KSTA: 1\nNEEDRESTART-SVC: ssh.service\nNEEDRESTART-SVC: cron.service\n"
RECORDINGS = [NEEDRESTART, "1234 : /usr/sbin/sshd -D\n5678 : /usr/sbin/crond -n\n", "sshd.service\ncrond.service\n"]


def test_processes_and_the_services_that_they_belong_to() -> None:
    assert only(PROBE, answer_of(uid="0\n", witness="33\n", stale=MAPS)).facts == {
        "count": 5,
        "processes": ["bash", "nginx", "sshd", "systemd"],
        "services": ["nginx", "ssh"],
        "init": True,
    }


def test_nothing_is_stale() -> None:
    facts = only(PROBE, answer_of(uid="0\n", witness="33\n", stale=(1, ""))).facts
    assert facts == {"count": 0, "processes": [], "services": [], "init": False}


def test_root_alone_can_tell() -> None:
    assert isinstance(PROBE.read(answer_of(uid="1000\n", witness=(2, ""), stale=""), {}), NotMeasured)
    assert_bad_answers_are_no_facts(PROBE)
    with pytest.raises(UnreadableAnswer, match="not whole"):
        PROBE.read(answer_of(uid="0\n", witness="33\n"), {})
    with pytest.raises(UnreadableAnswer, match="not a line of /proc"):
        PROBE.read(answer_of(uid="0\n", witness="1\n", stale=HTML.decode()), {})


def test_root_who_is_refused_process_1_measures_the_others() -> None:
    others = MAPS.replace("/proc/1/comm:systemd\n/proc/1/cgroup:0::/init.scope\n", "")
    one = only(PROBE, answer_of(uid="0\n", witness=(2, ""), stale=others))
    assert one.facts == {"count": 4, "processes": ["bash", "nginx", "sshd"], "services": ["nginx", "ssh"]}
    assert "init" not in one.not_offered


@pytest.mark.parametrize("shell", SHELLS)
def test_a_program_that_was_deleted_while_it_runs_is_found(shell: list[str], tmp_path: Path) -> None:
    copy = tmp_path / "slumber"
    shutil.copy(str(shutil.which("sleep")), copy)
    with subprocess.Popen([copy, "60"]) as process:
        try:
            copy.unlink()
            change = (("/(usr/)?(s?bin|lib[a-z0-9]*)/", f"{tmp_path}/"), ("/proc/1/maps", "/proc/self/maps"))
            here = ask(PROBE, shell, change=change)
        finally:
            process.kill()
    if b"=uid\n 0\n" not in here.stdout:
        pytest.skip("root alone can see what others have loaded")
    facts = only(PROBE, here).facts
    assert (facts["count"], facts["processes"], facts["init"]) == (1, ["slumber"], False)


def test_recordings() -> None:
    assert recorded_facts(PROBE, NEEDRESTART) == {"count": 2, "services": ["cron", "ssh"]}
    assert recorded_facts(PROBE, RECORDINGS[1]) == {"count": 2, "processes": ["crond", "sshd"]}
    assert recorded_facts(PROBE, RECORDINGS[2]) == {"count": 2, "services": ["crond", "sshd"]}
    with pytest.raises(UnreadableAnswer, match="needrestart"):
        recorded(PROBE, HTML.decode())


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("debian-clean-needrestart", {"count": 0, "services": []}),
        ("debian-kernel-pending-needrestart", {"count": 2, "services": ["sshd", "systemd-logind"]}),
        ("rhel-services-services", {"count": 2, "processes": ["sshd", "systemd-journald"]}),
    ],
)
def test_recordings_of_others(name: str, facts: dict[str, object]) -> None:
    assert recorded_facts(PROBE, shared("needs-restarting", name)) == facts


def test_an_empty_recording_is_not_measured() -> None:
    assert isinstance(recorded(PROBE, shared("needs-restarting", "rhel-clean-services")), NotMeasured)


@given(spoiled([text.encode() for text in RECORDINGS]))
def test_a_spoiled_recording_is_refused_at_worst(recording: bytes) -> None:
    assert complaints(PROBE, recording) == []
