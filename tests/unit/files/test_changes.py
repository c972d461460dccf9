"""The steps of a checklist that change servers, and how that is done: as values, or every mistake with its place."""

from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.changes import (
    Action,
    Approval,
    ChangePolicy,
    ChangeStep,
    Hook,
    Late,
    Packages,
    Reboot,
    Risk,
    Share,
)
from maintops.domain.checklists import Checklist, Step
from maintops.domain.proofs import KINDS, UNMEASURED
from maintops.errors import ConfigurationError
from maintops.files.change_schemas import DIFFERENCES
from maintops.files.changes import change_mistakes
from maintops.files.checklists import read_checklist
from maintops.files.documents import Document
from maintops.files.schemas import checklist_schema
from maintops.files.validation import schema_mistakes
from tests.unit.files.catalogues import CATALOGUE

PLAY = "- hosts: all\n  tasks: []\n"
HEAD = "checklist: c\ntitle: T\nservice: software-upgrade\ncadence: {every: quarter}\n"
CHECKS = (
    "parameters: {update: all}\nchecks:\n- {id: A-001, title: One, command: x}\n- {id: A-002, title: Two, command: x}\n"
)
CHANGING = "{id: A-500, title: T, reboot: always, irreversible: true}"
RISK = "  risk: {assessment: It breaks., contingency: It is restored.}\n"
WHOLE = (
    HEAD
    + CHECKS
    + """\
change:
  waves: [1, 5, 10%, 33.5%, 100%]
  soak: 10m
  gate: {command: ask-monitoring, timeout: 1m}
  failure_budget: {canary: 1, run: 2}
  packages: latest
  approval: standard
  approval_holds: 7d
  windows: {zone: Europe/Berlin, open: [{weekdays: [sat], from: 22:00, to: 04:00}]}
  late: ask
  silence: {command: silence, undo: unsilence}
  drain: {command: drain, undo: undrain, verify: is-drained, on: server, timeout: 5m}
  snapshot: {command: snap, undo: unsnap}
  risk: {assessment: It breaks., contingency: It is restored.}
  people: [engineer]
  expected: [package, "service:web*", "port:tcp [::]:22"]
  verify: [verify/test_web.py]
  console: required
steps:
- id: A-500
  title: Updates are installed
  why: Holes.
  action: Roll back.
  tags: [update]
  playbook: update.yml
  parameters: {update: {from: update}, other: [1]}
  precheck: [A-001]
  postcheck: [A-001, A-002]
  rollback: {playbook: ../playbooks/back.yml, parameters: {x: 1}}
  estimate: 10m
  timeout: 30m
  become: true
  done: test -e /done
- {id: A-510, title: R, role: x, rollback: {tasks: [{debug: {}}], timeout: 5, become: false}}
- {id: A-520, title: Look, manual: Look., precheck: [A-001], postcheck: [A-002], rollback: Look away.}
- {id: A-530, title: P, fabric: "code/deeds.py:act", irreversible: true}
- {id: A-540, title: B, reboot: if-needed, irreversible: true, estimate: 5m, timeout: 20m}
- {id: A-550, title: T, tasks: [{ansible.builtin.debug: {msg: x}}], idempotent: false, rollback: {role: x}}
- {id: A-560, title: L, manual: Cut., irreversible: true}
"""
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    texts = {
        "playbooks/update.yml": PLAY,
        "playbooks/back.yml": PLAY,
        "checklists/roles/x/tasks/main.yml": "[]",
        "playbooks/words.yml": "- hosts\n",
        "checklists/code/deeds.py": "def act(connection):\n    pass\n",
        "checklists/verify/test_web.py": "",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path / "checklists"


def read(folder: Path, text: str, name: str = "c.yml") -> Checklist:
    (folder / name).write_text(text)
    return read_checklist(folder / name, CATALOGUE)


def told(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        read(folder, text)
    return [str(mistake).removeprefix(f"{folder / 'c.yml'}:") for mistake in caught.value.mistakes]


def told_at(folder: Path, marked: str) -> str:
    """The only mistake of a checklist, which must stand where `§` does."""
    (only,) = told(folder, marked.replace("§", ""))
    before = marked.partition("§")[0]
    place, _, message = only.partition(": ")
    assert place == f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}", only
    return message


def step(text: str) -> str:
    return f"{HEAD}{CHECKS}change:\n{RISK}steps:\n- {{id: A-500, title: T, {text}}}\n"


def policy(text: str) -> str:
    return f"{HEAD}{CHECKS}change:\n{RISK}  {text}\nsteps:\n- {CHANGING}\n"


# --- values ----------------------------------------------------------------------------------------------------------


def test_steps_become_values_in_the_order_in_which_they_stand(folder: Path) -> None:
    checklist = read(folder, WHOLE)
    update, role, code, reboot, tasks = checklist.changes
    assert update == ChangeStep(
        id="A-500",
        title="Updates are installed",
        why="Holes.",
        action="Roll back.",
        tags=("update",),
        act=Action(
            playbook=str(folder.parent / "playbooks" / "update.yml"),
            parameters={"update": {"from": "update"}, "other": [1]},
            become=True,
            timeout=1800,
        ),
        precheck=("A-001",),
        postcheck=("A-001", "A-002"),
        rollback=Action(
            playbook=str(folder.parent / "playbooks" / "back.yml"), parameters={"x": 1}, become=True, timeout=1800
        ),
        done="test -e /done",
        estimate=600,
    )
    assert role.act == Action(role="x", timeout=3600)
    assert role.rollback == Action(tasks=({"debug": {}},), become=False, timeout=5, file=checklist.file)
    assert code.act == Action(fabric=str(folder / "code" / "deeds.py:act"))
    assert (code.idempotent, code.irreversible, code.rollback) == (False, True, None)
    assert (reboot.act, reboot.reboot, reboot.idempotent) == (None, Reboot.IF_NEEDED, False)
    assert (reboot.timeout, reboot.estimate) == (1200, 300)
    assert tasks.act == Action(tasks=({"ansible.builtin.debug": {"msg": "x"}},), file=checklist.file)
    assert (tasks.idempotent, role.idempotent, tasks.timeout) == (False, True, 900)
    assert checklist.steps == (
        Step("A-520", "Look", "Look.", precheck=("A-001",), postcheck=("A-002",), rollback="Look away."),
        Step("A-560", "L", "Cut.", irreversible=True),
    )
    assert [one.id for one in checklist.sequence] == [f"A-5{number}0" for number in range(7)]


def test_the_policy_becomes_a_value(folder: Path) -> None:
    policy = read(folder, WHOLE).change
    assert [str(share) for share in policy.waves] == ["1", "5", "10%", "33.5%", "100%"]
    assert policy.waves[0] == Share(count=1)
    assert (policy.soak, policy.gate, policy.gate_timeout) == (600, "ask-monitoring", 60)
    assert (policy.budget, policy.canary_budget) == (2, 1)
    assert (policy.packages, policy.approval, policy.late) == (Packages.LATEST, Approval.STANDARD, Late.ASK)
    assert policy.approval_hours == 168
    assert policy.windows is not None
    assert [rule.begin for rule in policy.windows.rules] == [time(22)]
    assert policy.silence == Hook("silence", undo="unsilence")
    assert policy.drain == Hook("drain", "server", "undrain", "is-drained", 300)
    assert policy.snapshot == Hook("snap", undo="unsnap")
    assert policy.risk == Risk("It breaks.", "It is restored.")
    assert (policy.people, policy.console_required) == (("engineer",), True)
    assert policy.expected == ("package", "service:web*", "port:tcp [::]:22")
    assert policy.verify == (str(folder / "verify" / "test_web.py"),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("failure_budget: 3", {"budget": 3}),
        ("failure_budget: {run: 3}", {"budget": 3}),
        ("failure_budget: {canary: 1}", {"canary_budget": 1}),
        ("gate: ask", {"gate": "ask"}),
        ("gate: {command: ask}", {"gate": "ask"}),
        ("soak: 90", {"soak": 90}),
        ("approval_holds: 90m", {"approval_hours": 1.5}),
        ("console: if-known", {}),
        ("waves: [100%]", {"waves": (Share(percent=100),)}),
    ],
)
def test_short_forms_and_what_is_left_out(folder: Path, text: str, expected: dict[str, Any]) -> None:
    assert read(folder, policy(text)).change == ChangePolicy(risk=Risk("It breaks.", "It is restored."), **expected)


def test_included_steps_come_first_and_their_policy_does_not_count(folder: Path) -> None:
    read(folder, WHOLE.replace("checklist: c", "checklist: base"), "base.yml")
    own = (
        f"{HEAD}include: [base]\nchange:\n{RISK}steps:\n- {{id: B-500, title: T, reboot: never, irreversible: true}}\n"
    )
    checklist = read(folder, own.replace("irreversible", "precheck: [A-002], irreversible"))
    assert [one.id for one in checklist.changes] == ["A-500", "A-510", "A-530", "A-540", "A-550", "B-500"]
    assert checklist.order == (*(f"A-5{number}0" for number in range(7)), "B-500")
    assert checklist.change == ChangePolicy(risk=Risk("It breaks.", "It is restored."))
    assert told_at(folder, own.replace("B-500", "§A-530")) == 'duplicate id "A-530" (it is in base, which is included)'


def test_kinds_of_differences_are_those_that_are_proven() -> None:
    assert {*DIFFERENCES, UNMEASURED} == {*KINDS}


# --- mistakes --------------------------------------------------------------------------------------------------------

BACK = "say how it is taken back (rollback: …) or that nothing can (irreversible: true), not both"
GONE = "irreversible: true"


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (f"role: x, §reboot: never, {GONE}", "a step has exactly one of manual, playbook, role, tasks, fabric, reboot"),
        ("role: x", BACK),
        ("reboot: always", BACK),
        (f"role: x, rollback: {{role: x}}, {GONE}", BACK),
        ("role: x, irreversible: §false", "is true, or left out where there is a rollback"),
        (f"manual: M, rollback: R, {GONE}", "what can be taken back (rollback) is not irreversible"),
        ("manual: M, rollback: §{role: x}", "must be text, not a mapping"),
        ("role: x, rollback: §R", 'must be a mapping; "R" is text'),
        ("role: x, rollback: §{}", "a rollback has exactly one of playbook, role, tasks, fabric"),
        ("role: x, rollback: §{role: x, tasks: [{}]}", "a rollback has exactly one of playbook, role, tasks, fabric"),
        ("manual: M, become: §true", "is not for a step by hand"),
        ("manual: M, estimate: §5m", "is not for a step by hand"),
        (f"role: x, {GONE}, evidence: §photo", "is for a step by hand"),
        (f"reboot: always, {GONE}, choice: §[a, b]", "is for a step by hand"),
        (f"reboot: always, {GONE}, parameters: §{{a: 1}}", "is not for a reboot"),
        (f"reboot: always, {GONE}, idempotent: §true", "is not for a reboot"),
        ("reboot: always, rollback: §{role: x}", "cannot take back a reboot; write irreversible: true"),
        (f"reboot: §sometimes, {GONE}", 'must be if-needed, always or never; "sometimes" is not'),
        (f"role: x, {GONE}, precheck: [§A-003]", 'there is no check "A-003"; did you mean "A-002"?'),
        (f"role: x, {GONE}, postcheck: [A-001, §A-500]", 'there is no check "A-500"; did you mean "A-002"?'),
        ("manual: M, precheck: [§B-777]", 'there is no check "B-777"'),
        (f"role: x, {GONE}, parameters: {{a: §{{from: updat}}}}", 'the checklist has no parameter "updat"; did you '),
        ("role: x, rollback: {role: x, parameters: {a: §{from: q}}}", 'the checklist has no parameter "q"'),
        (f"role: §nosuch, {GONE}", 'the role "nosuch" is not installed: there is none in roles/ beside this checklist'),
        ("role: x, rollback: {role: §nosuch}", 'the role "nosuch" is not installed'),
        (
            f"playbook: §nosuch.yml, {GONE}",
            'there is no playbook "nosuch.yml" beside this checklist or in ../playbooks',
        ),
        (f"playbook: §../playbooks, {GONE}", 'there is no playbook "../playbooks" beside'),
        (f"playbook: §roles/x/tasks/main.yml, {GONE}", '"roles/x/tasks/main.yml" is not a playbook: a list of plays'),
        (f"playbook: §c.yml, {GONE}", '"c.yml" is not a playbook'),
        (f"playbook: §words.yml, {GONE}", '"words.yml" is not a playbook'),
        (f'fabric: §"code/nosuch.py:act", {GONE}', 'there is no file "code/nosuch.py" beside this checklist'),
        (f'fabric: §"code/deeds.py:atc", {GONE}', '"code/deeds.py" defines no function "atc"; did you mean "act"?'),
        (f"fabric: §code/deeds.py, {GONE}", '"code/deeds.py" is not a file and its function: file.py:name'),
        (f"role: x, {GONE}, timeout: §1h 5", "'1h 5' is not a duration"),
        (f"role: x, {GONE}, estimate: §48h", "must be at most 86400 seconds"),
        ("role: x, rollback: {role: x, timeout: §48h}", "must be at most 86400 seconds"),
        (f"tasks: §[], {GONE}", "must not be empty"),
        (f"tasks: [§x], {GONE}", 'must be a mapping; "x" is text'),
    ],
)
def test_a_mistake_in_a_step(folder: Path, text: str, mistake: str) -> None:
    marked = step(text)
    if mistake in (BACK, "what can be taken back (rollback) is not irreversible") or "exactly one of manual" in mistake:
        marked = marked.replace("§", "").replace("- {id: A-500", "- §{id: A-500")
    assert told_at(folder, marked).startswith(mistake)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("waves: [1, 10%, §5%, 100%]", "waves rise: 5% does not come after 10%"),
        ("waves: [2, §2, 100%]", "waves rise: 2 does not come after 2"),
        ("waves: [10%, §5, 100%]", "numbers of servers come before percentages"),
        ("waves: [1, §50%]", "the last wave is all servers: write 100%"),
        ("waves: [§5]", "the last wave is all servers: write 100%"),
        ("waves: [§0%, 100%]", "a wave's percentage is more than 0% and at most 100%"),
        ("waves: [1, 100%, §100%]", "waves rise: 100% does not come after 100%"),
        ("waves: [§0, 100%]", "must be at least 1"),
        ("waves: [§ten, 100%]", '"ten" is not a wave: write a number of servers, or percent such as 10%'),
        ("waves: §[]", "must not be empty"),
        ("soak: §1h 5", "'1h 5' is not a duration"),
        ("soak: §40d", "must be at most 2678400 seconds"),
        ("gate: §{timeout: 1m}", '"command" is missing'),
        ("gate: {command: x, timeout: §2d}", "must be at most 86400 seconds"),
        ("failure_budget: §-1", "must be at least 0"),
        ("failure_budget: {run: §a}", 'must be a whole number; "a" is text'),
        ("failure_budget: §many", 'must be a mapping or a whole number; "many" is text'),
        ("packages: §newest", 'must be pinned or latest; "newest" is not'),
        ("approval_holds: §400d", "must be at most"),
        ("windows: {zone: §Europe/Berln, open: [{date: 2026-12-05, from: 20:00, to: 23:00}]}", "there is no zone"),
        ("silence: §{command: x}", '"undo" is missing'),
        ("drain: §{command: x, undo: y}", '"verify" is missing'),
        ("snapshot: {command: x, undo: y, timeout: §2d}", "must be at most 86400 seconds"),
        ("silence: {command: x, undo: y, on: §server2}", 'must be controller or server; "server2" is not'),
        ("expected: [§packages]", '"packages" is not a difference: write one of package, kernel, boot'),
        ("verify: [§test.py]", 'there is no file "test.py" beside this checklist'),
        ("console: §maybe", 'must be required or if-known; "maybe" is not'),
        ("§wave: [1]", 'unknown key "wave"; did you mean "waves"?'),
    ],
)
def test_a_mistake_in_the_policy(folder: Path, text: str, mistake: str) -> None:
    assert told_at(folder, policy(text)).startswith(mistake)


RISKY = "a checklist that changes servers says what can go wrong and what is done then: "


@pytest.mark.parametrize(
    ("marked", "mistake"),
    [
        (f"{HEAD}steps:\n- {{id: A-400, title: M, manual: M}}\n- §{CHANGING}\n", RISKY),
        (f"{HEAD}§change: {{soak: 5m}}\nsteps:\n- {CHANGING}\n", RISKY),
        (f"{HEAD}change:\n  risk: §{{assessment: A}}\nsteps:\n- {CHANGING}\n", '"contingency" is missing'),
    ],
)
def test_a_change_without_its_risk_is_a_mistake(folder: Path, marked: str, mistake: str) -> None:
    assert told_at(folder, marked).startswith(mistake)


def test_an_included_change_needs_a_risk_where_it_is_included(folder: Path) -> None:
    read(folder, WHOLE.replace("checklist: c", "checklist: base"), "base.yml")
    assert told_at(folder, f"{HEAD}include: §[base]\n").startswith(RISKY)


def test_a_role_beside_an_included_checklist_elsewhere_is_not_found_from_here(folder: Path, tmp_path: Path) -> None:
    read(folder, WHOLE.replace("checklist: c", "checklist: base"), "base.yml")
    other = tmp_path / "other" / "c.yml"
    other.parent.mkdir()
    other.write_text(f"{HEAD}include: [base]\nchange:\n{RISK}")
    with pytest.raises(ConfigurationError, match='5:10: the role "x" of base is not found from here') as caught:
        read_checklist(other, CATALOGUE, [folder])
    assert len(caught.value.mistakes) == 1


@pytest.mark.parametrize("id", ["CHG-010", "VFY-100"])
def test_ids_of_our_own_are_taken(folder: Path, id: str) -> None:
    expected = f"ids that begin with {id[:4]} are maintops's own; choose another"
    assert told_at(folder, step(f"role: x, {GONE}").replace("A-500", f"§{id}")) == expected
    assert told_at(folder, step(f"role: x, {GONE}").replace("A-001", f"§{id}")) == expected


def test_an_id_stands_once_among_checks_and_steps(folder: Path) -> None:
    text = step(f"role: x, {GONE}").replace("A-500", "§A-002")
    assert told_at(folder, text) == 'duplicate id "A-002" (first on line 8)'


def test_a_playbook_that_is_not_yaml_is_told_where_it_is_not(folder: Path) -> None:
    playbook = folder.parent / "playbooks" / "update.yml"
    playbook.write_text("- hosts: all\n  tasks: [\n")
    (only,) = told(folder, step(f"playbook: update.yml, {GONE}"))
    assert only.startswith(f"{playbook}:3:1: is not YAML: ")


def test_roles_that_a_playbook_names_are_looked_for(folder: Path) -> None:
    playbook = folder.parent / "playbooks" / "update.yml"
    (playbook.parent / "roles" / "own").mkdir(parents=True)
    playbook.write_text(
        "- hosts: all\n  roles: [own, x, '{{ any }}', {tags: x}, {role: nosuch, tags: x}]\n"
        "  tasks: [{name: no_role, debug: {}}]\n- hosts: all\n  roles: no_list\n"
    )
    (only,) = told(folder, step(f"playbook: update.yml, {GONE}"))
    assert only.startswith(f'{playbook}:2:50: the role "nosuch" is not installed: there is none in roles/')
    playbook.write_text("- {hosts: all, collections: [a.b], roles: [nosuch]}\n")
    assert read(folder, step(f"playbook: update.yml, {GONE}")).changes


def test_the_longest_time_is_allowed(folder: Path) -> None:
    act = read(folder, step(f"role: x, {GONE}, timeout: 24h")).changes[0].act
    assert act is not None
    assert act.timeout == 86400


def test_ansible_may_tag_and_anchor_what_a_checklist_may_not(folder: Path) -> None:
    playbook = folder.parent / "playbooks" / "update.yml"
    playbook.write_text(
        "- hosts: all\n  vars: &v {a: !unsafe '{{', b: !vault x}\n- import_playbook: x.yml\n  vars: *v\n"
    )
    assert read(folder, step(f"playbook: update.yml, {GONE}")).changes[0].kind == "playbook"


@pytest.mark.parametrize(
    ("code", "fine"),
    [
        ("if True:\n    def act(c): pass\n", True),
        ("from elsewhere import act\n", True),
        ("from elsewhere import *\n", True),
        ("act = print\n", True),
        ("def other(c):\n    def act(c): pass\n", False),
        ("class Some:\n    def act(self): pass\n", False),
        ("'act'\n", False),
    ],
)
def test_a_function_is_what_a_file_calls_so(folder: Path, code: str, fine: bool) -> None:
    (folder / "code" / "deeds.py").write_text(code)
    text = step(f'fabric: §"code/deeds.py:act", {GONE}')
    if fine:
        assert read(folder, text.replace("§", "")).changes[0].kind == "fabric"
    else:
        assert told_at(folder, text).startswith('"code/deeds.py" defines no function "act"')


def test_code_that_is_not_python_is_told_where_it_is_not(folder: Path) -> None:
    code = folder / "code" / "deeds.py"
    code.write_text("x = 1\ndef act(:\n")
    (only,) = told(folder, step(f'fabric: "code/deeds.py:act", {GONE}'))
    assert only.startswith(f"{code}:2:9: is not Python: ")
    code.write_bytes(b"x = 1\0")
    assert "null bytes" in told(folder, step(f'fabric: "code/deeds.py:act", {GONE}'))[0]


# --- whatever is written ---------------------------------------------------------------------------------------------

words = st.sampled_from(["", "x", "A-001", "10%", "5m", "required", "a.py:b", "\0", "../playbooks/update.yml"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=5,
)
STEP = (
    "id title manual playbook role tasks fabric reboot precheck postcheck parameters rollback irreversible done timeout"
)
POLICY = "waves soak gate failure_budget windows silence drain risk expected verify approval_holds console"


def one_of(keys: str) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(keys.split()), values, max_size=5) | values


documents = st.fixed_dictionaries({"steps": st.lists(one_of(STEP), max_size=2) | values, "change": one_of(POLICY)})


@given(documents)
def test_any_value_has_mistakes_with_words_and_never_breaks_the_reader(value: Any) -> None:
    document = Document("f.yml", value)
    found = [*schema_mistakes(document, checklist_schema()), *change_mistakes(document, [], {})]
    assert found, "it has no head"
    assert all(mistake.message.strip() == mistake.message != "" for mistake in found)


@pytest.mark.parametrize("when", ["precheck", "postcheck"])
def test_a_check_in_check_mode_keeps_no_server_from_a_change(folder: Path, when: str) -> None:
    content = CHECKS.rstrip() + "\n- {id: A-003, title: Content, playbook: ../playbooks/update.yml}\n"
    text = f"{HEAD}{content}change:\n{RISK}steps:\n- {{id: A-500, title: T, role: x, {GONE}, {when}: [§A-003]}}\n"
    assert told_at(folder, text) == (
        'the check "A-003" is Ansible content in check mode, which a run that changes never asks'
    )
