"""Other tools' own results: what they say becomes facts, and most of them are judged already."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maintops.domain.answers import Answer, Measured, NotMeasured, SubjectFacts, UnreadableAnswer
from maintops.domain.outcomes import Outcome, Severity
from maintops.probes.commands import FOREIGN, command_probe, parser_named
from maintops.probes.conformance import reading_complaints
from maintops.rules.judging import compile_rules, judge
from tests.examples import examples


def read(name: str, stdout: str | bytes, status: int | None = 0, stderr: bytes = b"") -> Any:
    body = stdout.encode() if isinstance(stdout, str) else stdout
    return command_probe("tool", parser_named(name)).read(Answer(body, stderr, status), {})


def subjects(name: str, stdout: str | bytes, status: int | None = 0) -> Mapping[str | None, SubjectFacts]:
    reading = read(name, stdout, status)
    assert isinstance(reading, Measured), reading
    return {one.subject: one for one in reading.subjects}


def judged(name: str, one: SubjectFacts) -> tuple[Severity | None, str]:
    judgement = judge(compile_rules(parser_named(name).rules), one, parameters={})
    assert judgement.outcome in (Outcome.OK, Outcome.ATTENTION), judgement
    return judgement.severity, judgement.message


# --- Nagios plugins --------------------------------------------------------------------------------------------------

DISK = """\
DISK WARNING - free space: / 3326 MB (56%); | /=2643MB;5948;5958;0;5968 'my disk'=12.5%;;95
/ 15272 MB (77%);
/boot 68 MB (69%); | /boot=68MB;88;93;0;98
load1=0.26;;;0; odd=U x=
"""


def test_a_plugin_is_its_status_its_text_and_its_figures() -> None:
    (one,) = subjects("nagios", DISK, 1).values()
    assert one.facts["state"] == "warning"
    assert one.facts["text"] == "DISK WARNING - free space: / 3326 MB (56%);"
    assert one.facts["long_text"] == "/ 15272 MB (77%);\n/boot 68 MB (69%);"
    assert one.facts["perfdata"] == {
        "/": {"value": 2643.0, "unit": "MB", "warn": "5948", "crit": "5958", "min": 0.0, "max": 5968.0},
        "my disk": {"value": 12.5, "unit": "%", "crit": "95"},
        "/boot": {"value": 68.0, "unit": "MB", "warn": "88", "crit": "93", "min": 0.0, "max": 98.0},
        "load1": {"value": 0.26, "min": 0.0},
    }
    assert judged("nagios", one) == (Severity.WARNING, "DISK WARNING - free space: / 3326 MB (56%);")


@pytest.mark.parametrize(("status", "severity"), [(0, None), (1, Severity.WARNING), (2, Severity.CRITICAL)])
def test_a_plugins_status_is_its_severity(status: int, severity: Severity | None) -> None:
    (one,) = subjects("nagios", "PING said so", status).values()
    assert judged("nagios", one)[0] is severity


def test_a_plugin_that_does_not_know_or_is_not_there_is_not_measured() -> None:
    assert read("nagios", "PING UNKNOWN - no name", 3) == NotMeasured(
        "the plugin does not know: PING UNKNOWN - no name"
    )
    assert read("nagios", "", 0) == NotMeasured("the plugin printed nothing (exit status 0)")
    missing = read("nagios", "", 127, b"sh: 1: /usr/lib/nagios/plugins/check_x: not found\n")
    assert missing == NotMeasured("no such command: /usr/lib/nagios/plugins/check_x")


@pytest.mark.parametrize("status", [4, 139, 255, None])
def test_a_plugin_that_broke_is_unreadable(status: int | None) -> None:
    with pytest.raises(UnreadableAnswer, match="a plugin ends with 0, 1, 2 or 3"):
        read("nagios", "whatever", status)


def perfdata(text: str) -> dict[str, Any]:
    (one,) = subjects("nagios", f"OK | {text}").values()
    found: dict[str, Any] = one.facts["perfdata"]
    return {label: figure.get("value") for label, figure in found.items()}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("'it''s here'=5s a=1", {"it's here": 5.0, "a": 1.0}),
        ("'open=5 a=1", {"open": 5.0, "a": 1.0}),
        ("'a' b=1 ''=2 =3 'c'x=4 'd'= e=", {"b": 1.0, "c'x": 4.0}),
        ("a=1=2 b=" + "1" * 400 + " c=-1.5e3", {"c": -1500.0}),
        ("x=1 " * 16_384 + "y=2", {"x": 1.0}),
    ],
)
def test_performance_data_in_odd_shapes(text: str, found: dict[str, float]) -> None:
    assert perfdata(text) == found


@pytest.mark.parametrize("text", ["x", "'", "''", "'a", " 'a''", "a=", ".", "1=.", "=.", "' "])
def test_a_long_answer_of_a_plugin_takes_no_time(text: str) -> None:
    assert len(perfdata(text * 300_000 + "=" + "." * 300_000)) <= 1


# --- goss ------------------------------------------------------------------------------------------------------------


def goss(*results: dict[str, Any]) -> str:
    return json.dumps({"results": list(results), "summary": {"failed-count": 1, "test-count": len(results)}})


def result(id: str, ok: bool, **more: Any) -> dict[str, Any]:
    return {
        "successful": ok,
        "resource-type": "File",
        "resource-id": id,
        "property": "exists",
        "result": 0 if ok else 1,
        "title": "",
        "err": None,
        "summary-line": f"File: {id}: exists: {'matches' if ok else 'does not match'}",
    } | more


def test_each_test_of_goss_is_a_subject() -> None:
    found = subjects(
        "goss",
        goss(
            result("/etc/passwd", True),
            result("/etc/nowhere", False, title="a title", err={}),
            result("/etc/nowhere", False, err="no right", **{"summary-line-compact": "short"}),
            result("/etc/later", False, result=2),
            result("/etc/skipped", True, skipped=True),
        ),
        1,
    )
    assert list(found) == [
        "File: /etc/passwd: exists",
        "File: /etc/nowhere: exists",
        "File: /etc/nowhere: exists (2)",
        "File: /etc/later: exists",
        "File: /etc/skipped: exists",
    ]
    good, bad, again, later, skipped = found.values()
    assert judged("goss", good) == (None, "")
    assert judged("goss", bad) == (Severity.WARNING, "File: /etc/nowhere: exists: does not match")
    assert (bad.facts["title"], set(bad.not_offered)) == ("a title", {"error"})
    assert (again.facts["error"], again.facts["summary"]) == ("no right", "short")
    assert "skipped" in str(later.why_not)
    assert "skipped" in str(skipped.why_not)


def test_goss_without_a_test_has_measured_nothing() -> None:
    assert read("goss", goss()) == NotMeasured("goss ran no test: nothing was evaluated")


def test_tests_of_one_name_are_numbered_as_far_as_they_are_believed() -> None:
    odd = [result("/a", True, property="exists (2)")]
    many = subjects("goss", goss(*odd, *[result("/a", True)] * 999))
    assert len(many) == 1000
    assert list(many)[:3] == ["File: /a: exists (2)", "File: /a: exists", "File: /a: exists (3)"]
    with pytest.raises(UnreadableAnswer, match="more than 1000 subjects"):
        read("goss", goss(*[result("/a", True)] * 4000))


@pytest.mark.parametrize("text", ["{}", "[]", '{"results": 1}', '{"results": [{}]}', '{"results": [1]}', "<html>"])
def test_what_is_no_answer_of_goss(text: str) -> None:
    with pytest.raises(UnreadableAnswer):
        read("goss", text)


# --- InSpec ----------------------------------------------------------------------------------------------------------

CONTROLS = [
    {"id": "ssh-1", "impact": 1.0, "title": "Root", "results": [
        {"status": "passed", "code_desc": "a"},
        {"status": "failed", "code_desc": "sshd_config PermitRootLogin", "message": "expected no, got yes"},
    ]},
    {"id": "ssh-2", "impact": 0.3, "title": None, "results": [{"status": "failed", "code_desc": "Banner"}]},
    {"id": "ssh-3", "impact": 0.5, "title": "Fine", "results": [{"status": "passed", "code_desc": "c"}]},
    {"id": "ssh-4", "impact": 0.5, "results": [{"status": "skipped", "skip_message": "no such file"}]},
    {"id": "ssh-5", "impact": 0.0, "results": []},
]  # fmt: skip


def test_each_control_of_inspec_is_a_subject() -> None:
    found = subjects("inspec", json.dumps({"profiles": [{"name": "base", "controls": CONTROLS}], "version": "5"}), 100)
    assert list(found) == [f"base/ssh-{number}" for number in range(1, 6)]
    root, banner, fine, skipped, empty = found.values()
    told = "base/ssh-1: sshd_config PermitRootLogin: expected no, got yes"
    assert judged("inspec", root) == (Severity.CRITICAL, told)
    assert (root.facts["tests"], root.facts["failures"]) == (2, 1)
    assert judged("inspec", banner) == (Severity.WARNING, "base/ssh-2: Banner")
    assert judged("inspec", fine)[0] is None
    assert skipped.why_not == "InSpec skipped it: no such file"
    assert empty.why_not == "it has no result"


def test_the_short_report_of_inspec_has_no_impact() -> None:
    flat = [{"id": "x", "profile_id": "p", "status": "failed", "code_desc": "d", "message": "m"}]
    (one,) = subjects("inspec", json.dumps({"controls": flat, "version": "5"})).values()
    assert (one.subject, "impact" in one.not_offered) == ("p/x", True)
    assert judged("inspec", one) == (Severity.WARNING, "p/x: d: m")


WHY = "Dependency profile not found"


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"controls": []}, "no control has a result: nothing was evaluated"),
        ({"profiles": []}, "no control has a result: nothing was evaluated"),
        ({"profiles": [{"name": "p", "controls": [{"id": "a", "results": []}]}]}, "no control has a result"),
        (
            {"profiles": [{"name": "p", "status": "failed", "status_message": f"{WHY}\n", "controls": []}]},
            f"InSpec says of the profile p: failed: {WHY}",
        ),
        (
            {"profiles": [{"name": "q", "status": "loaded", "controls": CONTROLS}, {"name": "p", "status": "failed"}]},
            "InSpec says of the profile p: failed, and not why",
        ),
        (
            {"profiles": [{"name": "p", "status": "skipped", "skip_message": "not for debian", "controls": CONTROLS}]},
            "InSpec says of the profile p: skipped: not for debian",
        ),
    ],
)
def test_a_profile_that_was_not_evaluated_is_not_measured(document: dict[str, Any], why: str) -> None:
    reading = read("inspec", json.dumps(document | {"version": "5"}), 1)
    assert isinstance(reading, NotMeasured)
    assert reading.why.startswith(why)


def test_a_profile_for_other_servers_counts_not_beside_one_for_this() -> None:
    both = [{"name": "a", "status": "skipped"}, {"name": "base", "status": "loaded", "controls": CONTROLS}]
    assert len(subjects("inspec", json.dumps({"profiles": both}))) == len(CONTROLS)


@pytest.mark.parametrize("text", ["{}", "[]", '{"profiles": 1}', "oops"])
def test_what_is_no_report_of_inspec(text: str) -> None:
    with pytest.raises(UnreadableAnswer):
        read("inspec", text)


# --- XCCDF -----------------------------------------------------------------------------------------------------------

PREFIX = "xccdf_org.ssgproject.content_rule_"
XCCDF = f"""<?xml version="1.0"?>
<arf:asset-report-collection xmlns:arf="urn:arf"><Benchmark xmlns="http://checklists.nist.gov/xccdf/1.2">
<Rule id="{PREFIX}no_empty_passwords" severity="high"><title>No empty
 passwords</title></Rule>
<TestResult>
<rule-result idref="{PREFIX}no_empty_passwords" severity="high"><result>fail</result></rule-result>
<rule-result idref="{PREFIX}banner" severity="low"><result>fail</result></rule-result>
<rule-result idref="own_rule"><result>pass</result></rule-result>
<rule-result idref="broken"><result>error</result></rule-result>
<rule-result idref="other"><result>notselected</result></rule-result>
<rule-result idref="windows"><result>notapplicable</result></rule-result>
</TestResult></Benchmark></arf:asset-report-collection>
"""


def test_each_rule_of_a_benchmark_is_a_subject() -> None:
    found = subjects("xccdf", XCCDF, 2)
    assert list(found) == ["no_empty_passwords", "banner", "own_rule", "broken"]
    empty, banner, own, broken = found.values()
    assert judged("xccdf", empty) == (Severity.CRITICAL, "no_empty_passwords fails: No empty passwords")
    assert judged("xccdf", banner)[0] is Severity.WARNING
    assert judged("xccdf", own)[0] is None
    assert broken.why_not == "the scanner says: error"


def test_a_benchmark_that_was_not_evaluated_is_not_measured() -> None:
    assert isinstance(read("xccdf", "<Benchmark/>"), NotMeasured)
    idle = XCCDF
    for judgement in ("fail", "pass", "error"):
        idle = idle.replace(f"<result>{judgement}<", "<result>notapplicable<")
    assert read("xccdf", idle) == NotMeasured("none of 6 rules was selected and applies: nothing was evaluated")


@pytest.mark.parametrize(
    "text",
    [
        "<html><body>404</body></html>",
        "<a>",
        "no xml",
        '<!DOCTYPE a [<!ENTITY b "c">]><Benchmark>&b;</Benchmark>',
        '<?xml version="1.0" encoding="no-such"?><a/>',
    ],
)
def test_xml_that_is_not_trusted(text: str) -> None:
    with pytest.raises(UnreadableAnswer):
        read("xccdf", text)


# --- Lynis -----------------------------------------------------------------------------------------------------------

LYNIS = """\
# Lynis Report
report_version_major=1
lynis_version=3.0.8
warning[]=NETW-2705|Couldn't find 2 responsive nameservers|-|-|
warning[]=NETW-2705|Another one|details|solve it|
suggestion[]=BOOT-5122|Set a password on GRUB|-|-|
report_datetime_end=2026-03-01 02:11:12
lynis_tests_done=251
hardening_index=64
"""


def test_a_report_of_lynis_gives_the_index_and_every_warning() -> None:
    found = subjects("lynis", LYNIS)
    assert list(found) == [None, "NETW-2705", "NETW-2705 (2)", "BOOT-5122"]
    assert found[None].facts == {
        "hardening_index": 64,
        "warnings": 2,
        "suggestions": 1,
        "tests": 251,
        "ended": "2026-03-01 02:11:12",
        "lynis_version": "3.0.8",
    }
    assert judged("lynis", found[None]) == (None, "")
    assert judged("lynis", found["NETW-2705 (2)"]) == (Severity.WARNING, "NETW-2705 (2): Another one")
    assert judged("lynis", found["BOOT-5122"])[0] is Severity.INFO
    with pytest.raises(UnreadableAnswer, match="no report of Lynis"):
        read("lynis", "a=b\n")


@pytest.mark.parametrize("end", ["", "report_datetime_end=\n"])
def test_an_audit_that_did_not_end_is_not_measured(end: str) -> None:
    reading = read("lynis", LYNIS.replace("report_datetime_end=2026-03-01 02:11:12\n", end))
    assert isinstance(reading, NotMeasured)
    assert reading.why.startswith("the audit did not end")


def test_more_warnings_than_are_believed() -> None:
    with pytest.raises(UnreadableAnswer, match="more than 1000 subjects"):
        read("lynis", LYNIS + "warning[]=NETW-2705|No|-|-|\n" * 30_000)


# --- Prometheus ------------------------------------------------------------------------------------------------------

TEXTFILE = """\
# HELP backup_age_seconds Age of the newest backup.
# TYPE backup_age_seconds gauge
backup_age_seconds{job="db",path="/srv"} 90061
backup_age_seconds{job="mail"} NaN
jobs_total 5
"""


def test_each_sample_of_a_text_file_is_a_subject() -> None:
    found = subjects("prometheus", TEXTFILE)
    assert list(found) == ['backup_age_seconds{job="db",path="/srv"}', 'backup_age_seconds{job="mail"}', "jobs_total"]
    first, nan, plain = found.values()
    assert first.facts["value"] == 90061.0
    assert first.facts["labels"] == {"job": "db", "path": "/srv"}
    assert "value" not in nan.facts
    assert plain.not_offered == {"help"}


@pytest.mark.parametrize("text", ["", "<html>", "a b c d", "a 1\na 2\n", "# nothing\n"])
def test_what_is_no_text_file_of_prometheus(text: str) -> None:
    if text:
        with pytest.raises(UnreadableAnswer):
            read("prometheus", text)
    else:
        assert isinstance(read("prometheus", text), NotMeasured)


# --- all of them -----------------------------------------------------------------------------------------------------

GOOD = {
    "nagios": DISK,
    "goss": goss(result("/a", True), result("/b", False)),
    "inspec": json.dumps({"profiles": [{"name": "base", "controls": CONTROLS}]}),
    "xccdf": XCCDF,
    "lynis": LYNIS,
    "prometheus": TEXTFILE,
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize(("stdout", "status"), [("", 0), ("", 127), ("<html>502</html>", 0), ("x", 139), ("\0\xff", 1)])
def test_a_tool_that_broke_gives_an_outcome(name: str, stdout: str, status: int) -> None:
    try:
        reading = read(name, stdout, status, b"sh: 1: tool: not found\n" if status == 127 else b"")
    except UnreadableAnswer:
        return
    # a plugin's text may be anything; of the others only an empty answer has a reason of its own
    assert isinstance(reading, NotMeasured) or (name == "nagios" and status in (0, 1)), reading


@pytest.mark.parametrize("name", FOREIGN)
@settings(max_examples=examples(200), deadline=None)
@given(data=st.data())
def test_spoiled_results_are_unreadable_at_worst(name: str, data: st.DataObject) -> None:
    body = bytearray(GOOD[name].encode())
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(body)))
        body[place : place + data.draw(st.integers(0, 5))] = data.draw(st.binary(max_size=5))
    lines = bytes(body[: data.draw(st.integers(0, len(body)))]).split(b"\n")
    mixed = b"\n".join(data.draw(st.permutations(lines)))
    status = data.draw(st.sampled_from([0, 1, 2, 3, 139]))
    for stdout in (bytes(body), mixed):
        assert reading_complaints(command_probe("tool", parser_named(name)), Answer(stdout, b"", status), {}) == []
