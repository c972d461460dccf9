"""A checklist becomes a value, or every mistake in it is told at once, with its place."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.changes import ChangePolicy
from maintops.domain.checklists import DEFAULT_LIMIT, Cadence, Check, FollowUpTemplate, Rule, Step
from maintops.domain.outcomes import Severity
from maintops.errors import ConfigurationError, UsageError
from maintops.files.checklists import find_checklist, list_checklists, read_checklist
from maintops.files.documents import MOST_MISTAKES, Document
from maintops.files.linting import lint
from maintops.files.references import reference_mistakes
from maintops.files.schemas import checklist_schema
from maintops.files.validation import schema_mistakes
from tests.unit.files.catalogues import CATALOGUE

HEAD = "checklist: c\ntitle: T\nservice: inspection\ncadence: {every: day}\n"
KINDS_OF_SERVICE = "hardware-maintenance, software-upgrade, fault-handling or inspection"
NOT_INSTALLED = (
    'the role "{}" is not installed: there is none in roles/ beside this checklist, in ~/.ansible/roles, '
    "/usr/share/ansible/roles, /etc/ansible/roles or in a collection"
)
WHOLE = """\
checklist: monthly-hardware
title: Monthly hardware check
service: hardware-maintenance
cadence: {core: week, standard: month}
hosts: physical
parameters:
  most_sectors: 5
  certificate_paths: [/etc/ssl]
checks:
  - id: HW-010
    title: Every disk passes its own health test
    why: A disk that fails loses data.
    tags: [disk, smart]
    probe: smart
    timeout: 1m30s
    become: true
    rules:
      - when: passed == false
        severity: critical
        finding: "Disk {{ device }} fails"
        follow_up: {title: "Replace {{ device }}", skill: hardware, part: disk, knowledge: replace-disk}
      - {when: reallocated_sectors > parameters.most_sectors, severity: warning, finding: "{{ device }}"}
  - id: HW-020
    title: Certificates
    probe: certificates
    parameters: {paths: {from: certificate_paths}, most: 5}
    timeout: 5
  - id: HW-030
    title: RAID battery
    command: storcli64 /c0 /bbu show J
    parse: json
    subject: name
    limit: 2048
    rules:
      - {when: anything.at_all > 1, severity: info, finding: x}
  - id: HW-040
    title: Configuration
    playbook: site.yml
    parameters: {port: 22}
    rules:
      - {when: changed, severity: critical, finding: "{{ changed | length }} of {{ tasks }} tasks"}
  - {id: HW-050, title: A role, role: our.company.base}
  - {id: HW-060, title: Text by default, command: uptime, become: false}
steps:
  - {id: HW-900, title: Filters are clean, manual: Clean them., evidence: photo}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "checklists").mkdir()
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "site.yml").write_text("[]")
    (tmp_path / "checklists/roles/x").mkdir(parents=True)
    (tmp_path / "checklists/collections/ansible_collections/our/company/roles/base").mkdir(parents=True)
    return tmp_path / "checklists"


def written(folder: Path, text: str, name: str = "c.yml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def told(folder: Path, text: str) -> list[str]:
    path = written(folder, text)
    with pytest.raises(ConfigurationError) as caught:
        read_checklist(path, CATALOGUE)
    return [str(mistake).removeprefix(f"{path}:") for mistake in caught.value.mistakes]


def one_check(text: str) -> str:
    """A checklist with one check, in YAML's flow style, that has an id and a title."""
    return f"{HEAD}parameters: {{p: 5}}\nchecks:\n- {{id: A-001, title: T, {text}}}\n"


def told_of_check(folder: Path, marked: str) -> str:
    """The only mistake of a check, which must stand where `§` does."""
    (only,) = told(folder, one_check(marked.replace("§", "")))
    before = one_check(marked).partition("§")[0]
    place, _, message = only.partition(": ")
    assert place == f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
    return message


# --- reading ---------------------------------------------------------------------------------------------------------


def test_a_whole_checklist_becomes_a_value(folder: Path) -> None:
    path = written(folder, WHOLE)
    checklist = read_checklist(path, CATALOGUE)
    assert (checklist.name, checklist.title) == ("monthly-hardware", "Monthly hardware check")
    assert (checklist.service, checklist.hosts) == ("hardware-maintenance", "physical")
    assert checklist.cadence == Cadence("week", "month")
    assert checklist.parameters == {"most_sectors": 5, "certificate_paths": ["/etc/ssl"]}
    assert checklist.version == hashlib.sha256(WHOLE.encode()).hexdigest()
    assert checklist.file == str(path)
    assert checklist.steps == (Step("HW-900", "Filters are clean", "Clean them.", evidence="photo"),)
    assert (checklist.changes, checklist.change, checklist.order) == ((), ChangePolicy(), ("HW-900",))
    disks, certificates, battery, configuration, role, uptime = checklist.checks
    assert disks == Check(
        id="HW-010",
        title="Every disk passes its own health test",
        why="A disk that fails loses data.",
        tags=("disk", "smart"),
        probe="smart",
        rules=(
            Rule(
                "passed == false",
                Severity.CRITICAL,
                "Disk {{ device }} fails",
                FollowUpTemplate("Replace {{ device }}", "hardware", "disk", "replace-disk"),
            ),
            Rule("reallocated_sectors > parameters.most_sectors", Severity.WARNING, "{{ device }}"),
        ),
        timeout=90.0,
        become=True,
    )
    assert certificates.parameters == {"paths": {"from": "certificate_paths"}, "most": 5}
    assert (certificates.timeout, certificates.limit, certificates.become) == (5.0, DEFAULT_LIMIT, None)
    assert (battery.command, battery.parser) == ("storcli64 /c0 /bbu show J", "json")
    assert (battery.subject, battery.limit) == ("name", 2048)
    assert configuration.playbook == str(folder.parent / "playbooks" / "site.yml")
    assert (configuration.timeout, dict(configuration.parameters)) == (600.0, {"port": 22})
    assert (role.role, role.timeout) == ("our.company.base", 600.0)
    assert (uptime.parser, uptime.timeout, uptime.become) == ("text", 20.0, False)


def test_a_checklist_of_steps_alone(folder: Path) -> None:
    text = HEAD + "steps:\n- {id: A-001, title: T, manual: M}\n"
    checklist = read_checklist(written(folder, text), CATALOGUE)
    assert (checklist.checks, checklist.hosts, checklist.cadence) == ((), "all", Cadence("day", "day"))


def test_a_playbook_beside_the_checklist_comes_first(folder: Path) -> None:
    (folder / "site.yml").write_text("[]")
    checks = read_checklist(written(folder, WHOLE), CATALOGUE).checks
    assert checks[3].playbook == str(folder / "site.yml")


def test_paths_are_absolute_wherever_one_stands(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(folder, WHOLE)
    monkeypatch.chdir(folder)
    checklist = read_checklist("c.yml", CATALOGUE)
    assert checklist.file == str(folder / "c.yml")
    assert checklist.checks[3].playbook == str(folder.parent / "playbooks" / "site.yml")


# --- mistakes --------------------------------------------------------------------------------------------------------


def test_every_mistake_is_told_at_once(folder: Path) -> None:
    assert told(
        folder,
        """\
checklist: Monthly Hardware
titel: x
service: hardware
cadence: {every: fortnight}
parameters:
  site: x
  Limit: 1
checks:
  - id: HW-10
    title: Disks
    probe: smart
    become: no
    rules:
      - {when: pased == false, sevrity: critical, finding: "{{ devise }}"}
      - {when: passed ==, severity: worst, finding: ""}
  - id: HW-020
    title: Two
    probe: nosuch
    command: x
steps:
  - {id: HW-020, title: T, manual: 5, evidence: movie}
""",
    ) == [
        '1:1: "title" is missing',
        '1:12: "Monthly Hardware" is not a checklist\'s name: small letters, digits and dashes',
        '2:1: unknown key "titel"; did you mean "title"?',
        f'3:10: must be {KINDS_OF_SERVICE}; "hardware" is not',
        '4:18: must be day, week, month, quarter, half-year or year; "fortnight" is not',
        '6:3: the parameter "site" cannot be: maintops_site says something about the server itself',
        '7:3: "Limit" cannot be a name here; use small letters, digits and underscores',
        '9:9: "HW-10" is not an id: capital letters, a dash and at least three digits, as in HW-010',
        '12:13: must be true or false; "no" is text (write false)',
        '14:9: "severity" is missing',
        '14:16: the probe smart has no fact "pased"; did you mean "passed"?',
        '14:32: unknown key "sevrity"; did you mean "severity"?',
        '14:60: the probe smart has no fact "devise"; did you mean "device"?',
        "15:16: cannot be understood: unexpected 'end'",
        '15:37: must be info, warning or critical; "worst" is not',
        "15:53: must not be empty",
        "16:5: a check has exactly one of probe, command, playbook, role, goss",
        "18:12: there is no probe 'nosuch'",
        '21:10: duplicate id "HW-020" (first on line 16)',
        "21:36: must be text, not a whole number; put it in quotes",
        '21:49: must be photo, file or reading; "movie" is not',
    ]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("probe: smart, §parse: json", '"parse" is for a check with command'),
        ("probe: smart, §limit: 2048", '"limit" is for a check with command'),
        ("command: x, parse: §jc:nosuch", "there is no parser 'jc:nosuch'"),
        ("probe: §nosuch, parameters: {a: {from: p}}, rules: []", "there is no probe 'nosuch'"),
        ("command: x, §parameters: {a: 1}", "a command has no parameters"),
        ("playbook: §nosuch.yml", 'there is no playbook "nosuch.yml" beside this checklist or in ../playbooks'),
        ("playbook: §../playbooks", 'there is no playbook "../playbooks" beside this checklist or in ../playbooks'),
        ("role: §../x", '"../x" is not a role\'s name'),
        ("role: §nosuch", NOT_INSTALLED.format("nosuch")),
        ("role: §our.company.nosuch", NOT_INSTALLED.format("our.company.nosuch")),
        ("role: x, parameters: {a: §{from: p}}", "{from: …} is for the parameters of a probe; write the value itself"),
        ("probe: smart, parameters: {§pths: 1}", 'the probe smart has no parameter "pths"'),
        (
            "probe: certificates, parameters: {§pths: 1}",
            'the probe certificates has no parameter "pths"; did you mean "paths"?',
        ),
        ("probe: certificates, parameters: {paths: §/etc}", "must be a list, not text"),
        ("probe: certificates, parameters: {most: §1.5}", "must be a whole number, not a number"),
        ("probe: certificates, parameters: {paths: §{from: nosuch}}", 'the checklist has no parameter "nosuch"'),
        (
            "probe: certificates, parameters: {paths: §{from: p}}",
            "the checklist's parameter p must be a list, not a whole number",
        ),
        ("probe: smart, timeout: §soon", '"soon" is not a duration; write seconds, or text such as 30s or 2m'),
        ("probe: smart, timeout: §1h 5", "'1h 5' is not a duration such as 30s, 5m or 1h30m"),
        ("probe: smart, timeout: §0", "must be more than 0"),
        ("probe: smart, timeout: §48h", "must be at most 86400 seconds"),
        ("probe: smart, timeout: §1e9", "must be at most 86400"),
        ("probe: smart, timeout: §", "has no value; it must be a number or text"),
        ("probe: smart, timeout: §[1]", "must be a number or text, not a list"),
        ("command: x, limit: §10", "must be at least 1024"),
        ("probe: smart, become: §on", 'must be true or false; "on" is text (write true)'),
        ("probe: smart, become: §maybe", 'must be true or false; "maybe" is text'),
        ("probe: smart, tags: §x", 'must be a list; "x" is text'),
        ("probe: smart, tags: [§a b]", '"a b" is not a tag: letters, digits, dashes and underscores'),
        ("probe: §12", "must be text, not a whole number; put it in quotes"),
        ("command: x, parse: §12", "must be text, not a whole number; put it in quotes"),
        ("probe: smart, rules: §12", "must be a list, not a whole number"),
        ("probe: smart, rules: [§12]", "must be a mapping, not a whole number"),
        ('probe: smart, §"": 1', 'unknown key ""'),
    ],
)
def test_a_mistake_in_a_check(folder: Path, text: str, mistake: str) -> None:
    assert told_of_check(folder, text) == mistake


def test_a_parameter_without_a_default_of_its_own_takes_any_value(folder: Path) -> None:
    text = one_check("probe: certificates, parameters: {anything: 1.5, most: {from: p}, paths: []}")
    assert read_checklist(written(folder, text), CATALOGUE).checks[0].parameters["anything"] == 1.5


@pytest.mark.parametrize(
    ("when", "mistake"),
    [
        ("passed is defined", "there is no test 'defined': a fact that was not measured makes the rule"),
        ("passed | defalut(1)", "unknown filter 'defalut'"),
        ("previous.pased", 'the probe smart has no fact "pased"; did you mean "passed"?'),
        ("facts.pased", 'the probe smart has no fact "pased"; did you mean "passed"?'),
        ("passed > parameters.q", 'the checklist has no parameter "q"'),
        ("previous", "previous is not a value by itself; write previous.NAME"),
    ],
)
def test_a_mistake_in_a_rule(folder: Path, when: str, mistake: str) -> None:
    assert mistake in told_of_check(folder, f"probe: smart, rules: [{{when: §'{when}', severity: info, finding: x}}]")


def told_of_step(folder: Path, marked: str) -> list[str]:
    """The mistakes of a step, which must all stand where `§` does."""
    text = f"{HEAD}steps:\n- {{id: A-001, title: T, manual: M, {marked}}}\n"
    before = text.partition("§")[0]
    place = f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}: "
    mistakes = told(folder, text.replace("§", ""))
    assert all(one.startswith(place) for one in mistakes), (place, mistakes)
    return [one.removeprefix(place) for one in mistakes]


AB = "choice: [a, b], "
READ_OFF = "reading: {unit: bar}, "
NEVER_Z = "choice is never 'z'; the choices are a, b"


@pytest.mark.parametrize(
    ("answer", "when", "mistakes"),
    [
        (AB, "reading > 5", ['a step with choices has no fact "reading"']),
        ("", "previous.reading > 5", ['a step with choices has no fact "reading"']),
        (READ_OFF, 'choice == "a"', ['a step with a reading has no fact "choice"']),
        (AB, 'choice == "z"', [NEVER_Z]),
        (AB, '"z" != facts.choice', [NEVER_Z]),
        (AB, 'note == "z" or not choice in ["a", "z", "y"]', [NEVER_Z.replace("'z'", "'y'"), NEVER_Z]),
        (AB, 'choice not in ("z", "b")', [NEVER_Z]),
        (AB, 'facts["choice"] == "z"', [NEVER_Z]),
        ("", 'choice == "ok"', ["choice is never 'ok'; the only choice is done"]),
    ],
)
def test_a_mistake_in_a_rule_of_a_step(folder: Path, answer: str, when: str, mistakes: list[str]) -> None:
    assert told_of_step(folder, f"{answer}rules: [{{when: §'{when}', severity: info, finding: x}}]") == mistakes


def test_what_a_finding_compares_a_choice_with_is_looked_up(folder: Path) -> None:
    rule = """{when: 'choice == "a"', severity: info, finding: §'{{ 1 if choice == "z" else choice }}'}"""
    assert told_of_step(folder, f"{AB}rules: [{rule}]") == [NEVER_Z]


@pytest.mark.parametrize(
    ("answer", "when"),
    [
        (AB, 'choice == "a" or choice in ["b"] or note == "z" or choice is startswith "z"'),
        (AB, 'previous.choice == "z"'),  # the choices may have been others
        ("", 'choice == "done" and note != "done"'),
        (READ_OFF, 'reading > 5 and note in ["z"]'),
    ],
)
def test_rules_of_a_step(folder: Path, answer: str, when: str) -> None:
    rule = f"{{when: '{when}', severity: info, finding: x}}"
    text = f"{HEAD}steps:\n- {{id: A-001, title: T, manual: M, {answer}rules: [{rule}]}}\n"
    assert read_checklist(written(folder, text), CATALOGUE).steps[0].rules[0].when == when


def test_names_in_findings_and_titles_are_looked_up(folder: Path) -> None:
    rule = "{when: passed, severity: info, finding: '{{ a }}', follow_up: {title: '{{ b }} {{ c. }}', skil: x}}"
    assert [one.partition(": ")[2] for one in told(folder, one_check(f"probe: smart, rules: [{rule}]"))] == [
        'the probe smart has no fact "a"',
        "a rule of severity info is no finding and opens no follow-up; make it a warning",
        "cannot be understood: expected name or number",
        'unknown key "skil"; did you mean "skill"?',
    ]


def test_facts_that_depend_on_the_answer_are_not_looked_up(folder: Path) -> None:
    rules = "rules: [{when: §whatever, severity: info, finding: x}]"
    read_checklist(written(folder, one_check(f"command: x, parse: json, {rules}".replace("§", ""))), CATALOGUE)
    assert told_of_check(folder, f"command: x, {rules}") == 'the parser text has no fact "whatever"'
    assert told_of_check(folder, f"role: x, {rules}") == 'a playbook or role has no fact "whatever"'


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "1:1: the file is empty"),
        ("- a\n", "1:1: must be a mapping, not a list"),
        ("a: [", "is not YAML"),
        (HEAD, "1:1: a checklist has at least one check or step"),
        (HEAD + "checks: []\n", "5:9: must not be empty"),
        (HEAD + "checks:\n", "5:8: has no value; it must be a list"),
        (
            HEAD.replace("{every: day}", "{every: day, core: day}"),
            "4:10: a cadence is {every: …}, or {core: …, standard: …}",
        ),
        (HEAD.replace("{every: day}", "{core: day}"), "4:10: a cadence is {every: …}, or {core: …, standard: …}"),
        (
            HEAD + "parameters: {x: }\n",
            "has no value; it must be true or false, a number, text, a list or a mapping",
        ),
        (HEAD.replace("checklist: c", 'checklist: "c\\n"'), "1:12: "),
        (HEAD + "title: again\n", '5:1: duplicate key "title" (first on line 2)'),
    ],
)
def test_a_mistake_in_the_head(folder: Path, text: str, mistake: str) -> None:
    assert any(mistake in one for one in told(folder, text))


def test_the_number_of_mistakes_is_bounded(folder: Path) -> None:
    unknown = "".join(f"sevrity{n}: 1\n" for n in range(20_000))
    assert len(told(folder, unknown)) <= 2 * MOST_MISTAKES
    repeated = HEAD + "steps:\n" + "- {id: A-001, title: T, manual: M}\n" * 1000
    assert len(told(folder, repeated)) == MOST_MISTAKES


words = st.sampled_from(["", "x", "A-001", "smart", "{{ a", "5m"])
inner_keys = st.sampled_from(["id", "x", "from", "paths", "when", "severity", "finding"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.floats(0, 2) | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(inner_keys, inner, max_size=3),
    max_leaves=6,
)
KEYS = [
    "id",
    "title",
    "probe",
    "command",
    "parse",
    "playbook",
    "role",
    "parameters",
    "rules",
    "timeout",
    "limit",
    "tags",
]
TOP = ["checklist", "title", "service", "cadence", "hosts", "parameters", "steps", "other"]
checks = st.dictionaries(st.sampled_from(KEYS), values, max_size=6) | values
several = st.lists(checks, max_size=3) | values
documents = st.fixed_dictionaries({"checks": several}, optional=dict.fromkeys(TOP, values)) | values


@given(documents)
def test_any_value_has_mistakes_with_words_and_never_breaks_the_reader(value: Any) -> None:
    document = Document("f.yml", value)
    found = [*schema_mistakes(document, checklist_schema()), *reference_mistakes(document, CATALOGUE)]
    assert found, "no such value is a whole checklist"
    assert all(mistake.message.strip() == mistake.message != "" for mistake in found)


# --- the schema ------------------------------------------------------------------------------------------------------


def test_the_schema_is_a_schema_and_every_key_is_explained() -> None:
    schema = checklist_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    unexplained = [name for name, part in _properties(schema) if "description" not in part]
    assert not unexplained
    schema["title"] = "changed"
    assert checklist_schema()["title"] != "changed"


def _properties(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    found = list(schema.get("properties", {}).items())
    inner = [part for _, part in found] + [part["items"] for _, part in found if "items" in part]
    return found + [one for part in inner for one in _properties(part)]


# --- where they lie --------------------------------------------------------------------------------------------------


def test_a_name_is_looked_for_in_the_folders(folder: Path) -> None:
    other = folder.parent / "other"
    other.mkdir()
    first = written(folder, WHOLE, "daily.yml")
    written(other, WHOLE, "daily.yml")
    weekly = written(other, WHOLE, "weekly.yaml")
    written(other, "all: {hosts: {}}\n", "inventory.yml")
    written(other, WHOLE, "notes.txt")
    folders = [folder, other, folder.parent / "nosuch"]
    assert list_checklists(folders) == [first, weekly]
    assert find_checklist("daily", folders) == first
    assert find_checklist("weekly", folders) == weekly
    assert find_checklist(str(weekly), []) == weekly
    with pytest.raises(UsageError, match=r"there is no checklist 'dayly'; did you mean \"daily\"\?"):
        find_checklist("dayly", folders)
    with pytest.raises(UsageError, match="there is no checklist 'x'; there are: daily, weekly"):
        find_checklist("x", folders)
    with pytest.raises(UsageError, match="there is no checklist 'x'; none lie in "):
        find_checklist("x", [folder.parent / "nosuch"])
    with pytest.raises(UsageError, match=r"there is no checklist daily\.yml"):
        find_checklist("daily.yml", folders)
    with pytest.raises(UsageError, match=r"there is no checklist \./daily"):
        find_checklist("./daily\0", folders)


def test_a_path_in_the_current_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(folder, WHOLE)
    monkeypatch.chdir(folder)
    assert find_checklist("c.yml", []) == Path("c.yml")
    assert find_checklist("./c.yml", []) == Path("c.yml")


def test_yml_comes_before_yaml(folder: Path) -> None:
    written(folder, WHOLE, "a.yaml")
    yml = written(folder, WHOLE, "a.yml")
    assert list_checklists([folder]) == [yml]
    assert find_checklist("a", [folder]) == yml


# --- lint ------------------------------------------------------------------------------------------------------------


def test_lint_walks_folders_and_reads_what_is_named(folder: Path) -> None:
    written(folder, WHOLE)
    deep = folder / "deep"
    deep.mkdir()
    bad = written(deep, "checklist: 5\n", "bad.yaml")
    broken = written(deep, "{checklist: [\n", "broken.yml")
    other = written(deep, "all: {hosts: {}}\n", "inventory.yml")
    misspelled = written(deep, "checklst: bar\nchecks: []\n", "misspelled.yml")
    written(deep, "nothing: {checklist: 5}\n  checklist: 5\n", "nested.yml")
    hidden = folder / ".hidden"
    hidden.mkdir()
    written(hidden, "checklist: 5\n")
    assert {mistake.file for mistake in lint([folder], CATALOGUE)} == {str(bad), str(broken), str(misspelled)}
    assert {mistake.file for mistake in lint([other, folder / "nosuch.yml"], CATALOGUE)} == {
        str(other),
        str(folder / "nosuch.yml"),
    }
    once = lint([bad], CATALOGUE)
    assert lint([bad, bad, deep / "bad.yaml"], CATALOGUE) == once == sorted(once)


def test_a_file_that_cannot_be_read_is_not_passed_over(folder: Path) -> None:
    path = folder / "circle.yml"
    path.symlink_to(path)
    assert [mistake.file for mistake in lint([folder], CATALOGUE)] == [str(path)]
