from __future__ import annotations

import pytest

from maintops.domain.answers import Answer, NotMeasured, UnreadableAnswer
from maintops.probes.numa import PROBE
from tests.unit.probes.asking import SHELLS, answer_of, ask, only
from tests.unit.probes.broken_tools import assert_bad_answers_are_no_facts

NODE = "/sys/devices/system/node"
ONE = f"{NODE}/node0/cpulist:0-3\n{NODE}/node0/numastat:numa_hit 900\n{NODE}/node0/numastat:numa_miss 0\n"
TWO = ONE + f"{NODE}/node1/numastat:numa_hit 1000\n{NODE}/node1/numastat:numa_miss 100\n"
CPUS = "/sys/devices/system/cpu/online:0-3,8-11\n"
BALANCING = "/proc/sys/kernel/numa_balancing:1\n"


def answer(nodes: str, programs: str | tuple[int, str] = (1, "")) -> Answer:
    return answer_of(nodes=nodes, first="systemd\n", programs=programs)


def test_two_nodes() -> None:
    assert only(PROBE, answer(TWO + CPUS + BALANCING, "/proc/700/comm:irqbalance\n")).facts == {
        "cpus": 8,
        "nodes": 2,
        "miss_percent": 5.0,
        "balancing": True,
        "irqbalance": True,
    }


def test_one_node_has_no_other_to_miss() -> None:
    one = only(PROBE, answer(ONE + CPUS + BALANCING))
    assert one.facts == {"cpus": 8, "nodes": 1, "irqbalance": False}
    assert one.not_offered == {"miss_percent", "balancing"}
    assert only(PROBE, answer(CPUS)).facts["nodes"] == 1


def test_hidden_processes_leave_irqbalance_out() -> None:
    hidden = answer_of(nodes=CPUS, first=(2, ""), programs=(1, ""))
    assert "irqbalance" not in only(PROBE, hidden).facts


@pytest.mark.parametrize("cpus", ["", "/sys/devices/system/cpu/online:many\n", "/sys/devices/system/cpu/online:5-1\n"])
def test_without_processors_nothing_is_measured(cpus: str) -> None:
    assert isinstance(PROBE.read(answer(ONE + cpus), {}), NotMeasured)
    with pytest.raises(UnreadableAnswer):
        PROBE.read(answer_of(nodes=ONE), {})
    assert_bad_answers_are_no_facts(PROBE)


@pytest.mark.parametrize("shell", SHELLS)
def test_it_can_be_asked_here(shell: list[str]) -> None:
    assert only(PROBE, ask(PROBE, shell)).facts["cpus"] >= 1
