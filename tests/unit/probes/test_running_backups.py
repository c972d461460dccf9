from __future__ import annotations

import pytest

from maintops.domain.answers import NotMeasured, Skipped
from maintops.probes.conformance import default_parameters
from maintops.probes.running_backups import PROBE
from tests.unit.probes.asking import SHELLS, answer_of, ask, only
from tests.unit.probes.broken_tools import assert_bad_answers_are_no_facts


def test_backups_that_run_are_named_with_their_numbers() -> None:
    answer = answer_of(first="systemd\n", programs="/proc/900/comm:borg\n/proc/81/comm:mysqldump\n")
    assert only(PROBE, answer).facts == {"count": 2, "running": ["mysqldump (81)", "borg (900)"]}


def test_none_is_counted_as_none() -> None:
    assert only(PROBE, answer_of(first="init\n", programs=(1, ""))).facts == {"count": 0, "running": []}


def test_hidden_processes_are_not_measured() -> None:
    assert isinstance(PROBE.read(answer_of(first=(1, ""), programs=(1, "")), {}), NotMeasured)
    assert isinstance(PROBE.read(answer_of(programs=""), {}), NotMeasured)
    assert_bad_answers_are_no_facts(PROBE)


def test_long_names_are_cut_as_the_kernel_cuts_them() -> None:
    text = PROBE.question({"programs": ["proxmox-backup-client"]})
    assert isinstance(text, str)
    assert "-e proxmox-backup- /proc" in text


@pytest.mark.parametrize("nothing", [[], "", None, ["  "]])
def test_no_names_ask_nothing(nothing: object) -> None:
    assert isinstance(PROBE.question({"programs": nothing}), Skipped)


@pytest.mark.parametrize("shell", SHELLS)
def test_it_can_be_asked_here(shell: list[str]) -> None:
    name = "busybox" if "busybox" in shell else shell[0]
    assert only(PROBE, ask(PROBE, shell, {"programs": ["no such", name]})).facts["count"] >= 1
    assert only(PROBE, ask(PROBE, shell, default_parameters(PROBE))).facts["count"] == 0
