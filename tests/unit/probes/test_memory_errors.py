"""Errors of the memory: EDAC's files, ras-mc-ctl and edac-util."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from maintops.domain.answers import Answer, Measured, NotMeasured, SubjectFacts, UnreadableAnswer
from maintops.probes.memory_errors import PROBE, recording
from tests.contract.samples_chassis import MEMORY
from tests.unit.probes.asking import SHELLS, ask
from tests.unit.probes.spoiling import complaints, spoiled, spoiling

ROOT = "/sys/devices/system/edac/mc/"
FILES = f"""\
{ROOT}mc0/ce_count:7
{ROOT}mc0/ce_noinfo_count:2
{ROOT}mc0/ue_noinfo_count:0
{ROOT}mc0/dimm0/dimm_label:A1
{ROOT}mc0/dimm0/dimm_ce_count:5
{ROOT}mc0/dimm0/dimm_ue_count:1
{ROOT}mc0/dimm0/size:16384
{ROOT}mc0/dimm1/dimm_label:A2
{ROOT}mc0/dimm1/size:0
"""
UTIL = """\
mc0: 0 Uncorrected Errors with no DIMM info
mc0: 3 Corrected Errors with no DIMM info
mc0: csrow0: 0 Uncorrected Errors
mc0: csrow0: CPU_SrcID#0_Channel#0_DIMM#0: 4 Corrected Errors
"""
SUMMARY = """\
Memory controller events summary:
\tCorrected on DIMM Label(s): 'A1' location: 0:1:0:-1 errors: 5
\tUncorrected on DIMM Label(s): 'A1' location: 0:1:0:-1 errors: 2

No PCIe AER errors.
"""
COUNT = "Label               \tCE\tUE\nmc#0csrow#2channel#0\t0\t0\nA1\t3\t1\n"


def read(text: str) -> dict[str | None, SubjectFacts]:
    reading = PROBE.read(recording(text.encode()), {})
    assert isinstance(reading, Measured), reading
    return {one.subject: one for one in reading.subjects}


def test_the_kernel_s_files() -> None:
    found = read(FILES)
    assert found.keys() == {"A1", "mc0"}, "an empty slot is no module"
    module = found["A1"]
    assert (module.facts["corrected"], module.facts["uncorrected"]) == (5, 1)
    assert module.facts["size_bytes"] == 16 * 1024**3
    assert {"logged_corrected", "unlocated_corrected", "type"} <= module.not_offered
    assert found["mc0"].facts == {"unlocated_corrected": 2, "unlocated_uncorrected": 0}


def test_labels_that_several_modules_have_are_no_names() -> None:
    lines = "".join(f"mc0/dimm{place}/dimm_label:any\nmc0/dimm{place}/dimm_ce_count:{place}\n" for place in range(2))
    found = read(lines)
    assert {name: one.facts["corrected"] for name, one in found.items()} == {"mc0 dimm0": 0, "mc0 dimm1": 1}


def test_older_kernels_count_by_rows() -> None:
    found = read("mc0/ce_count:4\nmc0/ue_count:1\nmc0/csrow0/ch0_ce_count:4\nmc0/csrow0/ch0_dimm_label:DIMM_A1\n")
    assert found["mc0 csrow0 ch0"].facts == {"corrected": 4, "label": "DIMM_A1", "controller": "mc0"}
    assert "uncorrected" in found["mc0 csrow0 ch0"].not_offered


def test_a_controller_that_tells_of_no_module() -> None:
    assert read("mc0/ce_count:4\nmc0/ue_count:1\n")["mc0"].facts == {"corrected": 4, "uncorrected": 1}


def test_the_log_of_rasdaemon() -> None:
    assert read(SUMMARY)["A1"].facts == {"logged_corrected": 5, "logged_uncorrected": 2}


def test_the_log_beside_the_counters() -> None:
    reading = PROBE.read(Answer(MEMORY), {})
    assert isinstance(reading, Measured)
    found = {one.subject: one for one in reading.subjects}
    module = found["CPU_SrcID#0_MC#0_Chan#0_DIMM#0"].facts
    assert (module["corrected"], module["logged_corrected"], module["logged_uncorrected"]) == (7, 12, 0)


def test_counts_of_ras_mc_ctl() -> None:
    found = read(COUNT)
    assert (found["A1"].facts["corrected"], found["A1"].facts["uncorrected"]) == (3, 1)


def test_edac_util() -> None:
    found = read(UTIL)
    assert found["mc0"].facts["unlocated_corrected"] == 3
    assert found["CPU_SrcID#0_Channel#0_DIMM#0"].facts["corrected"] == 4
    assert found["csrow0"].facts["uncorrected"] == 0


def test_a_module_without_counts_was_not_measured() -> None:
    found = read("mc0/dimm0/dimm_label:A1\nmc0/dimm0/size:16384\n")
    assert found["A1"].why_not == "the kernel gives no counts of it"


def test_no_edac_is_not_measured() -> None:
    reading = PROBE.read(Answer(b"", b"no EDAC in this kernel\n", 1), {})
    assert reading == NotMeasured("the kernel counts no memory errors: it has no EDAC driver for this machine")
    assert PROBE.read(Answer(b"=edac\n \n.0\n"), {}) == NotMeasured(
        "the kernel knows no memory controller that counts errors"
    )


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"=edac\n <html>No</html>\n.0\n"),
        Answer(b"<html></html>\n"),
        Answer(MEMORY, truncated=True),
        Answer(MEMORY[:-3]),
        Answer(b"=other\n \n.0\n"),
    ],
)
def test_what_are_no_counters_is_unreadable(answer: Answer) -> None:
    with pytest.raises(UnreadableAnswer):
        PROBE.read(answer, {})


def test_a_recording_of_something_else_is_refused() -> None:
    with pytest.raises(UnreadableAnswer, match="neither files of EDAC nor"):
        recording(b"<html>No</html>\n")


@spoiling
@given(spoiled([FILES.encode(), UTIL.encode(), SUMMARY.encode(), COUNT.encode(), MEMORY]))
def test_what_is_spoilt_is_unreadable_at_worst(output: bytes) -> None:
    assert complaints(PROBE, output) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_the_question_in_every_shell(shell: list[str], tmp_path: Path) -> None:
    dimm = tmp_path / "mc0" / "dimm0"
    dimm.mkdir(parents=True)
    for name, text in (("dimm_label", "A1"), ("dimm_ce_count", "2"), ("dimm_ue_count", "0"), ("size", "8192")):
        (dimm / name).write_text(f"{text}\n")
    for name in ("ce_count", "ue_count", "ce_noinfo_count", "ue_noinfo_count"):
        (tmp_path / "mc0" / name).write_text("0\n")
    answer = ask(PROBE, shell, change=(("/sys/devices/system/edac/mc", str(tmp_path)),))
    reading = PROBE.read(answer, {})
    assert isinstance(reading, Measured), answer
    assert {one.subject for one in reading.subjects} == {"A1", "mc0"}
