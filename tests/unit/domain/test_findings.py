from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.findings import Finding, FindingState, finding_id, observe
from maintops.domain.outcomes import Cell, Outcome, Severity

START = datetime(2026, 3, 1, 7, 30, tzinfo=UTC)


def cell(outcome: Outcome, severity: Severity | None = None) -> Cell:
    return Cell("HW-010", "sda", outcome, severity, f"told {severity}")


def bad(severity: Severity) -> Cell:
    return cell(Outcome.OK if severity is Severity.INFO else Outcome.ATTENTION, severity)


def life(*cells: Cell) -> Finding | None:
    finding = None
    for index, one in enumerate(cells):
        finding = observe(finding, "web1", one, f"rec{index}", START + timedelta(days=index))
    return finding


OK = cell(Outcome.OK)
WARNING, CRITICAL, INFO = bad(Severity.WARNING), bad(Severity.CRITICAL), bad(Severity.INFO)


def test_a_first_sighting_is_new_and_a_second_known():
    assert life(WARNING).state is FindingState.NEW
    second = life(WARNING, WARNING)
    assert (second.state, second.times, second.first_record, second.last_record) == (
        FindingState.KNOWN, 2, "rec0", "rec1",
    )  # fmt: skip


def test_severity_makes_it_worse_or_better():
    assert life(WARNING, CRITICAL).state is FindingState.WORSE
    assert life(CRITICAL, WARNING).state is FindingState.BETTER
    assert life(INFO, WARNING).state is FindingState.WORSE


def test_it_is_gone_only_when_measured_and_passing_and_can_come_back():
    gone = life(WARNING, OK)
    assert (gone.state, gone.gone_record, gone.severity) == (FindingState.GONE, "rec1", Severity.WARNING)
    back = life(WARNING, OK, CRITICAL)
    assert (back.state, back.gone_at, back.gone_record) == (FindingState.BACK, None, None)
    assert life(WARNING, OK, OK) == gone


def test_what_passes_and_never_failed_is_no_finding():
    assert life(OK, OK) is None


@given(st.sampled_from([one for one in Outcome if one not in (Outcome.OK, Outcome.ATTENTION)]))
def test_a_cell_that_was_not_measured_changes_nothing(outcome):
    before = life(WARNING)
    assert observe(before, "web1", cell(outcome), "rec9", START) is before
    assert observe(None, "web1", cell(outcome), "rec9", START) is None


@given(st.lists(st.sampled_from([OK, INFO, WARNING, CRITICAL, cell(Outcome.UNREACHABLE)]), max_size=12))
def test_any_life_keeps_its_promises(cells):
    finding = life(*cells)
    sightings = [one for one in cells if one.severity is not None]
    measured = [one for one in cells if one.outcome in (Outcome.OK, Outcome.ATTENTION)]
    if not sightings:
        assert finding is None
        return
    assert finding.times == len(sightings)
    assert finding.severity is sightings[-1].severity
    assert (finding.state is FindingState.GONE) == (measured[-1].severity is None)
    assert (finding.gone_record is not None) == (finding.state is FindingState.GONE)


def test_the_id_tells_server_check_and_subject_apart():
    keys = [("a", "C", "b"), ("a", "C", None), ("a", "C", ""), ("a", "Cb", None), ("aC", "b", None)]
    assert len({finding_id(*key) for key in keys}) == len(keys)
    assert finding_id("web1", "HW-010", "sda") == finding_id("web1", "HW-010", "sda")
    assert finding_id("web1", "HW-010", "\udc80\x00").startswith("f-")
