from __future__ import annotations

import pytest
from hypothesis import given

from maintops.domain.answers import Answer, NotMeasured, UnreadableAnswer
from maintops.probes.sysctl import PROBE
from tests.unit.probes.asking import SHELLS, ask, only
from tests.unit.probes.broken_tools import HTML, assert_bad_answers_are_no_facts, recorded, recorded_facts
from tests.unit.probes.spoiling import complaints, spoiled

FILES = """\
/sys/kernel/mm/transparent_hugepage/enabled:always [madvise] never
/sys/kernel/mm/transparent_hugepage/defrag:always defer defer+madvise [madvise] never
/proc/sys/kernel/ostype:Linux
/proc/sys/vm/swappiness:60
/proc/sys/net/ipv4/tcp_rmem:4096\t131072\t6291456
/proc/sys/net/ipv4/conf/eth0.100/rp_filter:2
"""
OUTPUT = """\
abi.vsyscall32 = 1
sysctl: permission denied on key 'fs.protected_fifos'
fs.file-max = 9223372036854775807
kernel.core_pattern = |/usr/lib/systemd/systemd-coredump %P %u %g %s %t %c %h
net.core.somaxconn = 4096
net.ipv4.tcp_rmem = 4096\t131072\t6291456
vm.swappiness = 10
"""


def test_settings_by_their_names() -> None:
    one = only(PROBE, Answer(FILES.encode()))
    assert one.facts == {
        "settings": [
            "net.ipv4.conf.eth0/100.rp_filter = 2",
            "net.ipv4.tcp_rmem = 4096 131072 6291456",
            "vm.swappiness = 60",
        ],
        "values": {
            "vm.swappiness": "60",
            "net.ipv4.tcp_rmem": "4096 131072 6291456",
            "net.ipv4.conf.eth0/100.rp_filter": "2",
        },
        "swappiness": 60,
        "thp": "madvise",
        "thp_defrag": "madvise",
    }
    assert one.not_offered == frozenset()


def test_a_kernel_without_huge_pages_does_not_offer_them() -> None:
    one = only(PROBE, Answer(b"/proc/sys/kernel/ostype:Linux\n/proc/sys/vm/swappiness:0\n"))
    assert one.not_offered == {"thp", "thp_defrag"}
    assert one.facts["swappiness"] == 0


def test_recordings() -> None:
    facts = recorded_facts(PROBE, OUTPUT)
    assert (facts["swappiness"], facts["somaxconn"]) == (10, 4096)
    assert "vm.swappiness = 10" in facts["settings"]  # type: ignore[operator]
    assert "thp" not in facts
    assert isinstance(recorded(PROBE, ""), NotMeasured)
    with pytest.raises(UnreadableAnswer, match="sysctl -a"):
        recorded(PROBE, "hello\n")


@pytest.mark.parametrize("text", [HTML, b"hello\n", FILES.encode() + HTML, b"\n \nsysctl: cannot stat /proc/sys/x\n"])
def test_what_is_no_setting_is_unreadable(text: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        PROBE.read(Answer(text), {})
    assert_bad_answers_are_no_facts(PROBE)


@pytest.mark.parametrize("shell", SHELLS)
def test_chosen_settings_are_asked_for(shell: list[str]) -> None:
    facts = only(PROBE, ask(PROBE, shell, {"names": ["kernel.ostype", "vm.swappiness", "no.such thing"]})).facts
    assert list(facts["values"]) == ["vm.swappiness"]
    assert "vm.overcommit_memory" in only(PROBE, ask(PROBE, shell)).facts["values"]


def test_a_dot_within_a_name_is_written_as_a_slash() -> None:
    text = PROBE.question({"names": "net.ipv4.conf.eth0/100.rp_filter"})
    assert isinstance(text, str)
    assert text.endswith(" /proc/sys/net/ipv4/conf/eth0.100/rp_filter")


@given(spoiled([OUTPUT.encode(), FILES.encode()]))
def test_a_spoiled_recording_is_refused_at_worst(recording: bytes) -> None:
    assert complaints(PROBE, recording) == []
