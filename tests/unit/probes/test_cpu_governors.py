from __future__ import annotations

import pytest

from maintops.domain.answers import Answer, NotMeasured, UnreadableAnswer
from maintops.probes.cpu_governors import PROBE
from tests.unit.probes.asking import SHELLS, ask, only
from tests.unit.probes.broken_tools import HTML, assert_bad_answers_are_no_facts

CPU = "/sys/devices/system/cpu"


def processors(*governors: str, driver: str = "acpi-cpufreq", most: str = "3000000") -> str:
    return f"{CPU}/online:0-{len(governors) - 1}\n" + "".join(
        f"{CPU}/cpu{number}/cpufreq/scaling_governor:{governor}\n{CPU}/cpu{number}/cpufreq/scaling_driver:{driver}\n"
        f"{CPU}/cpu{number}/cpufreq/cpuinfo_max_freq:3000000\n{CPU}/cpu{number}/cpufreq/scaling_max_freq:{most}\n"
        for number, governor in enumerate(governors)
    )


def test_one_governor_for_all() -> None:
    one = only(PROBE, Answer(processors("performance", "performance").encode()))
    assert one.facts == {
        "governor": "performance",
        "governors": ["performance"],
        "driver": "acpi-cpufreq",
        "cpus": 2,
        "limited": 0,
    }
    assert one.not_offered == {"preference", "turbo"}


def test_mixed_governors_limited_clocks_and_turbo() -> None:
    text = processors("powersave", "performance", driver="intel_pstate", most="2000000")
    text += f"{CPU}/intel_pstate/no_turbo:1\n{CPU}/cpu0/cpufreq/energy_performance_preference:balance_power\n"
    facts = only(PROBE, Answer(text.encode())).facts
    assert (facts["governor"], facts["limited"], facts["turbo"]) == ("mixed", 2, False)
    assert facts["preference"] == "balance_power"
    assert only(PROBE, Answer((processors("ondemand") + f"{CPU}/cpufreq/boost:1\n").encode())).facts["turbo"] is True


def test_a_virtual_machine_has_no_say() -> None:
    assert isinstance(PROBE.read(Answer(f"{CPU}/online:0-3\n".encode()), {}), NotMeasured)
    assert_bad_answers_are_no_facts(PROBE)
    for text in (HTML, b"/etc/passwd:root\n"):
        with pytest.raises(UnreadableAnswer):
            PROBE.read(Answer(text), {})


@pytest.mark.parametrize("shell", SHELLS)
def test_it_can_be_asked_here(shell: list[str]) -> None:
    assert f"{CPU}/online:".encode() in ask(PROBE, shell).stdout
