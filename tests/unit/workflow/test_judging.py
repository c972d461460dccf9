from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import Measured, NotMeasured, Skipped, SubjectFacts
from maintops.domain.checklists import Check, FollowUpTemplate, Rule
from maintops.domain.findings import FindingState
from maintops.domain.followups import FollowUpState
from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.probes.contract import Presence
from maintops.rules.judging import compile_rules
from maintops.workflow.planning import CheckPlan
from tests.unit.workflow.samples import Life, disks, plan


def states(life):
    return {one.subject: one.state for one in life.memory.findings}


def cells(verdict):
    return [(cell.subject, cell.outcome, cell.severity) for cell in verdict.record.cells]


def test_the_worst_rule_that_matches_wins():
    verdict = Life().day(HW_010=disks(sda=95, sdb=85, sdc=75, sdd=10))
    assert cells(verdict) == [
        ("sda", Outcome.ATTENTION, Severity.CRITICAL),
        ("sdb", Outcome.ATTENTION, Severity.WARNING),
        ("sdc", Outcome.OK, Severity.INFO),
        ("sdd", Outcome.OK, None),
    ]
    assert [cell.message for cell in verdict.record.cells] == ["sda is at 95", "sdb is at 85", "sdc fills up", ""]


def test_nothing_of_the_kind_is_a_good_answer():
    assert cells(Life().day(HW_010=Measured(()))) == [(None, Outcome.OK, None)]


@pytest.mark.parametrize(
    ("reading", "outcome"),
    [
        (NotMeasured("no tool"), Outcome.NOT_MEASURED),
        (Skipped("nothing configured"), Outcome.SKIPPED),
        (Cell("HW-010", None, Outcome.FAILED, message="hung"), Outcome.FAILED),
        (Cell("HW-010", None, Outcome.UNREACHABLE, message="refused"), Outcome.UNREACHABLE),
        (Cell("HW-010", None, Outcome.UNKNOWN, message="died"), Outcome.UNKNOWN),
        (Cell("HW-010", None, Outcome.NOT_REACHED, message="late"), Outcome.NOT_REACHED),
    ],
)
def test_what_was_not_measured_says_why_and_changes_nothing(reading, outcome):
    life = Life()
    life.day(HW_010=disks(sda=95))
    before = life.memory
    verdict = life.day(HW_010=reading)
    assert cells(verdict) == [(None, outcome, None)]
    assert verdict.record.cells[0].message
    assert (verdict.findings, verdict.followups, dict(verdict.facts)) == ((), (), {})
    assert life.memory.findings == before.findings


def test_a_subject_that_does_not_answer_keeps_its_finding_and_its_last_facts():
    life = Life()
    life.day(HW_010=disks(sda=95))
    verdict = life.day(HW_010=disks(sda=None))
    assert cells(verdict) == [("sda", Outcome.NOT_MEASURED, None)]
    assert states(life) == {"sda": FindingState.NEW}
    assert life.memory.facts["HW-010"]["sda"].facts == {"level": 95}
    assert life.memory.facts["HW-010"]["sda"].record == "rec1"


def test_a_rule_on_a_fact_that_was_not_measured_makes_the_cell_not_measured():
    verdict = Life().day(HW_010=disks(sda={"passed": True}))
    assert cells(verdict) == [("sda", Outcome.NOT_MEASURED, None)]
    assert "level" in verdict.record.cells[0].message


def test_previous_is_the_last_measured_record_of_the_same_subject():
    life = Life()
    life.day(HW_010=disks(sda=5, sdb=60))
    life.day(HW_010=NotMeasured("no tool"))
    verdict = life.day(HW_010=disks(sda=60, sdb=60, sdc=60))
    assert cells(verdict) == [
        ("sda", Outcome.ATTENTION, Severity.WARNING),
        ("sdb", Outcome.OK, None),
        ("sdc", Outcome.OK, None),
    ]
    assert verdict.record.cells[0].message == "sda jumped from 5"


def test_a_lasting_subject_that_vanishes_is_a_finding_until_it_is_back_and_passes():
    life = Life()
    life.day(HW_010=disks(sda=1, sdb=1))
    verdict = life.day(HW_010=disks(sda=1))
    assert ("sdb", Outcome.ATTENTION, Severity.WARNING) in cells(verdict)
    assert "2026-03-02" in verdict.record.cells[1].message
    assert life.memory.facts["HW-010"]["sdb"].vanished
    life.day(HW_010=disks(sda=1))
    assert states(life) == {"sdb": FindingState.KNOWN}
    life.day(HW_010=NotMeasured("no tool"))
    assert states(life) == {"sdb": FindingState.KNOWN}
    life.day(HW_010=disks(sda=1, sdb=1))
    assert states(life) == {"sdb": FindingState.GONE}
    assert not life.memory.facts["HW-010"]["sdb"].vanished


def test_a_disk_that_vanishes_with_a_finding_keeps_it():
    life = Life()
    life.day(HW_010=disks(sda=95))
    life.day(HW_010=Measured(()))
    assert states(life) == {"sda": FindingState.KNOWN}
    assert life.memory.findings[0].severity is Severity.CRITICAL
    assert life.memory.followups[0].state is FollowUpState.OPEN


def test_a_passing_subject_that_is_no_longer_there_is_good_news():
    life = Life([plan(presence=Presence.PASSING)])
    life.day(HW_010=disks(nginx=95, cron=85))
    verdict = life.day(HW_010=disks(cron=85))
    assert cells(verdict) == [("cron", Outcome.ATTENTION, Severity.WARNING)]
    assert states(life) == {"nginx": FindingState.GONE, "cron": FindingState.KNOWN}
    assert life.memory.followups[0].state is FollowUpState.PROPOSED
    assert life.memory.followups[0].proof == "rec2"
    life.day(HW_010=NotMeasured("systemd does not answer"))
    assert states(life)["cron"] is FindingState.KNOWN


def test_a_follow_up_is_opened_joined_proposed_and_taken_back():
    life = Life()
    life.day(HW_010=disks(sda=95))
    (opened,) = life.memory.followups
    assert (opened.title, opened.skill, opened.opened_record) == ("Mend sda", "hw", "rec1")
    assert life.day(HW_010=disks(sda=96)).followups == ()
    life.day(HW_010=disks(sda=10))
    assert (life.memory.followups[0].state, life.memory.followups[0].proof) == (FollowUpState.PROPOSED, "rec3")
    life.day(HW_010=disks(sda=99))
    assert [(one.id, one.state) for one in life.memory.followups] == [(opened.id, FollowUpState.OPEN)]
    assert states(life) == {"sda": FindingState.BACK}


def test_a_finding_that_asks_for_nothing_any_more_leaves_its_follow_up_open():
    life = Life()
    life.day(HW_010=disks(sda=95))
    life.day(HW_010=disks(sda=85))
    assert states(life) == {"sda": FindingState.BETTER}
    assert life.memory.followups[0].state is FollowUpState.OPEN


def test_an_info_rule_makes_a_finding_but_the_cell_is_ok():
    life = Life()
    life.day(HW_010=disks(sda=75))
    (finding,) = life.memory.findings
    assert (finding.severity, finding.state) == (Severity.INFO, FindingState.NEW)


def content(*rules):
    return CheckPlan(Check("PB-010", "Site", playbook="/srv/site.yml", rules=rules), None, compile_rules(rules))


def previewed(changed):
    facts = {"tasks": 3, "changed": changed, "failed": [], "not_previewable": []}
    return Cell("PB-010", None, Outcome.OK, facts=facts, evidence="--- a\n+ b")


def test_content_that_would_change_something_needs_attention_with_the_diff():
    life = Life([content()])
    verdict = life.day(PB_010=previewed(["Configure sshd"]))
    (cell,) = verdict.record.cells
    assert (cell.outcome, cell.severity, cell.evidence) == (Outcome.ATTENTION, Severity.WARNING, "--- a\n+ b")
    assert cell.message == "Ansible would change: Configure sshd"
    life.day(PB_010=previewed([]))
    assert states(life) == {None: FindingState.GONE}


def test_rules_of_its_own_say_what_content_means():
    from maintops.domain.checklists import Rule

    life = Life([content(Rule("changed | length > 1", Severity.CRITICAL, "{{ changed | join(', ') }} drifted"))])
    assert cells(life.day(PB_010=previewed(["a"]))) == [(None, Outcome.OK, None)]
    verdict = life.day(PB_010=previewed(["a", "b"]))
    assert verdict.record.cells[0].message == "a, b drifted"
    assert verdict.record.cells[0].evidence == "--- a\n+ b"


LEVELS = st.one_of(st.none(), st.integers(0, 100))
DAYS = st.lists(
    st.one_of(
        st.dictionaries(st.sampled_from(["sda", "sdb", "sdc"]), LEVELS, max_size=3).map(lambda found: disks(**found)),
        st.just(NotMeasured("no tool")),
    ),
    max_size=8,
)


@given(DAYS, st.sampled_from(Presence))
def test_any_life_keeps_its_promises(days, presence):
    life = Life([plan(presence=presence)])
    for reading in days:
        verdict = life.day(HW_010=reading)
        record = verdict.record
        assert record.cells, "no check is ever silent"
        named = [cell.subject for cell in record.cells]
        assert len(set(named)) == len(named)
        for finding in life.memory.findings:
            mine = [cell for cell in record.cells if cell.subject == finding.subject]
            if finding.last_record == record.id:
                assert mine[0].severity is finding.severity
            if finding.gone_record == record.id:
                assert not mine or (mine[0].outcome is Outcome.OK and mine[0].severity is None)
        alive = {one.id for one in life.memory.findings if one.state is not FindingState.GONE}
        for followup in life.memory.followups:
            assert (followup.state is FollowUpState.OPEN) == bool(alive & set(followup.findings))


def test_a_fact_without_a_value_is_not_kept():
    verdict = Life([plan(rules=())]).day(HW_010=Measured((SubjectFacts("sda", {"level": None, "passed": True}),)))
    assert verdict.record.cells[0].facts == {"passed": True}
    assert verdict.facts["HW-010"]["sda"].facts == {"passed": True}


def test_what_is_gone_is_missed_once_by_the_first_of_those_who_ask_the_same():
    life = Life([plan(), replace(plan(check="HW-020"), follows="HW-010")])
    life.day(HW_010=disks(sda=1, sdb=1), HW_020=disks(sda=1, sdb=1))
    assert gone_from(life.day(HW_010=disks(sda=1), HW_020=disks(sda=1))) == [("HW-010", Severity.WARNING)]
    assert gone_from(life.day(HW_010=disks(sda=1), HW_020=disks(sda=1))) == [("HW-010", Severity.WARNING)]
    back = life.day(HW_010=disks(sda=1, sdb=1), HW_020=disks(sda=1, sdb=1))
    assert {cell.outcome for cell in back.record.cells} == {Outcome.OK}


def gone_from(verdict):
    return [(cell.check, cell.severity) for cell in verdict.record.cells if cell.subject == "sdb"]


def test_a_failing_disk_that_vanishes_keeps_its_severity_in_every_check():
    life = Life([replace(plan(), rules=compile_rules([])), replace(plan(check="HW-020"), follows="HW-010")])
    life.day(HW_010=disks(sda=1, sdb=95), HW_020=disks(sda=1, sdb=95))
    told = gone_from(life.day(HW_010=disks(sda=1), HW_020=disks(sda=1)))
    assert told == [("HW-010", Severity.WARNING), ("HW-020", Severity.CRITICAL)]


def test_what_the_first_of_them_did_not_measure_the_next_one_misses():
    life = Life([plan(), replace(plan(check="HW-020"), follows="HW-010")])
    life.day(HW_010=NotMeasured("no right"), HW_020=disks(sda=1, sdb=1))
    assert gone_from(life.day(HW_010=NotMeasured("no right"), HW_020=disks(sda=1))) == [("HW-020", Severity.WARNING)]
    later = Life([plan(), replace(plan(check="HW-020"), follows="HW-010")])
    later.day(HW_010=disks(sda=1), HW_020=disks(sda=1, sdb=1))  # the first one is new and never knew sdb
    assert gone_from(later.day(HW_010=disks(sda=1), HW_020=disks(sda=1))) == [("HW-020", Severity.WARNING)]


def test_that_nothing_changes_any_more_proves_nothing():
    shrank = Rule("level < previous.level", Severity.CRITICAL, "{{ level }}", FollowUpTemplate("Find the rest"))
    life = Life([plan([shrank])])
    for level in (8, 7, 7):
        life.day(HW_010=disks(sda=level))
    (finding,) = life.memory.findings
    (followup,) = life.memory.followups
    assert (finding.state, finding.change) == (FindingState.GONE, True)
    assert (followup.state, followup.proof) == (FollowUpState.OPEN, None)
    life.day(HW_010=disks(sda=6))
    assert life.memory.findings[0].state is FindingState.BACK


def test_a_reading_that_is_missing_once_does_not_end_a_trend():
    grows = Rule("growth(level, days=30) > 10", Severity.WARNING, "it grows")
    life = Life([plan([grows])])
    for level in (10, 20, None, 40):
        for _ in range(6):
            life.days += 1
        verdict = life.day(HW_010=disks(sda={"level": level}))
    assert [cell.outcome for cell in verdict.record.cells] == [Outcome.ATTENTION]
    assert len(life.memory.facts["HW-010"]["sda"].points["level"]) == 3


def test_a_follow_up_says_what_a_person_does():
    asking = replace(plan(), check=replace(plan().check, action="Pull the disk with the light."))
    life = Life([asking])
    life.day(HW_010=disks(sda=95))
    assert [one.action for one in life.memory.followups] == ["Pull the disk with the light."]
