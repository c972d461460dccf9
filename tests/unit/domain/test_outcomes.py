import pytest

from maintops.domain.outcomes import Cell, FailOn, Outcome, Severity, exit_code, worst

BITS = {
    Outcome.OK: 0,
    Outcome.SKIPPED: 0,
    Outcome.WAIVED: 0,
    Outcome.NOT_MEASURED: 0,
    Outcome.FAILED: 2,
    Outcome.NOT_REACHED: 2,
    Outcome.UNREACHABLE: 4,
    Outcome.UNKNOWN: 4,
}


@pytest.mark.parametrize(("outcome", "bits"), BITS.items())
@pytest.mark.parametrize("fail_on", FailOn)
def test_an_outcome_without_severity_has_its_bits_whatever_counts_as_a_finding(outcome, bits, fail_on):
    assert exit_code([Cell("C-100", None, outcome)], fail_on) == bits


@pytest.mark.parametrize(
    ("severity", "fail_on", "code"),
    [
        (Severity.INFO, FailOn.INFO, 2),
        (Severity.INFO, FailOn.WARNING, 0),
        (Severity.WARNING, FailOn.INFO, 2),
        (Severity.WARNING, FailOn.WARNING, 2),
        (Severity.WARNING, FailOn.CRITICAL, 0),
        (Severity.CRITICAL, FailOn.CRITICAL, 2),
        (Severity.CRITICAL, FailOn.NEVER, 0),
    ],
)
def test_a_finding_counts_from_the_chosen_severity_on(severity, fail_on, code):
    outcome = Outcome.OK if severity is Severity.INFO else Outcome.ATTENTION
    assert exit_code([Cell("C-100", None, outcome, severity)], fail_on) == code


def test_bits_add_up_and_nothing_is_clean():
    cells = [Cell("C-100", None, Outcome.FAILED), Cell("C-100", None, Outcome.UNREACHABLE)]
    assert exit_code(cells, FailOn.NEVER) == 6
    assert exit_code([], FailOn.INFO) == 0


def test_not_measured_is_worse_than_ok_and_unreachable_is_worst():
    assert worst([Outcome.OK, Outcome.NOT_MEASURED, Outcome.SKIPPED]) is Outcome.NOT_MEASURED
    assert worst(Outcome) is Outcome.UNREACHABLE
    assert worst([]) is Outcome.SKIPPED
