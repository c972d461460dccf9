"""Variables that content needs and nobody defines: only what is certain is told, and where it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from maintops.files.undefined import undefined_variables

SAID = "is not defined on every server: neither the inventory nor the step's parameters nor the content itself sets it"
SHIPPED = Path(__file__).parents[3] / "playbooks"


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def told(playbook: Path, *known: str) -> list[str]:
    """`NAME FILE:LINE:COLUMN` of every mistake; FILE relative to the playbook's folder."""
    found = undefined_variables(playbook, known, [playbook.parent])
    assert all(SAID in one.message for one in found)
    top = f"{playbook.parent}/"
    return [f"{one.message.split(chr(34))[1]} {one.file.removeprefix(top)}:{one.line}:{one.column}" for one in found]


def names(tmp_path: Path, tasks: str, *known: str, head: str = "") -> list[str]:
    """The undefined variables of some tasks in a play for all servers."""
    indented = "".join(f"  {line}\n" for line in tasks.strip("\n").splitlines())
    playbook = write(tmp_path, "p.yml", f"- hosts: all\n{head}  tasks:\n{indented}")
    yaml.compose(playbook.read_text())
    return sorted({one.split()[0] for one in told(playbook, *known)})


# --- what is told ----------------------------------------------------------------------------------------------------


def test_a_variable_that_nobody_defines_is_told_with_its_place(tmp_path: Path) -> None:
    text = "- hosts: all\n  tasks:\n  - name: Look\n    ansible.builtin.debug:\n      msg: 'a {{ wbe_port }}'\n"
    playbook = write(tmp_path, "p.yml", text)
    (mistake,) = undefined_variables(playbook, ["web_port"], [])
    assert str(mistake) == f'{playbook}:5:12: the variable "wbe_port" {SAID}; did you mean "web_port"?'
    assert undefined_variables(playbook, ["wbe_port"], []) == []


TEMPLATES = [
    "x {{ a }}",
    "{{ a.b.c }}",
    "{{ a['b'] }}",
    "{{ [1][a] }}",
    "{{ a | to_json }}",
    "{{ a.b | int }}",
    "{{ a and b }}",
    "{{ a or b }}",
    "{{ b if a else c }}",
    "{{ a == 1 }}",
    "{{ 1 in a }}",
    "{{ not a }}",
    "{{ 'x' ~ a }}",
    "{{ 1 + a }}",
    "{{ [1, a] }}",
    "{{ {'k': a} }}",
    "{{ 'abc'[a:] }}",
    "{{ a.split(b) }}",
    "{% if a %}{{ b }}{% endif %}",
    "{% for b in a %}{{ b }}{{ c }}{% endfor %}",
]
"""Each fails in ansible-core 2.19 where `a` is undefined, and may not where only another name is."""


@pytest.mark.parametrize("template", TEMPLATES)
def test_what_is_evaluated_in_any_case_is_needed(tmp_path: Path, template: str) -> None:
    task = "- copy: {dest: /x, content: " + yaml.safe_dump(template, default_style='"', width=999).strip() + "}"
    assert names(tmp_path, task) == ["a"]
    assert names(tmp_path, task, "a") == []


@pytest.mark.parametrize(
    "task",
    [
        "- {command: x, when: a}",
        "- {command: x, when: [a, b]}",
        "- {command: x, when: a == 1 and b}",
        "- {command: x, loop: '{{ a }}'}",
        "- {command: '{{ item }}', with_items: '{{ a }}'}",
        "- {command: '{{ a }} {{ item }}', loop: [1]}",
        "- {command: x, environment: {A: '{{ a }}'}}",
        "- {command: x, delegate_to: '{{ a }}'}",
        "- {command: x, args: {chdir: '{{ a }}'}}",
        "- {block: [{command: '{{ a }}'}]}",
        "- {block: [{command: '{{ b }}'}], when: a}".replace("'{{ b }}'", "x"),
        "- {block: [{command: x}], rescue: [{command: '{{ b }}'}], always: [{command: '{{ c }}', when: a}], when: a}",
        "- {ansible.posix.sysctl: {name: x, value: '{{ a }}'}}",
        "- {ansible.builtin.shell: 'echo {{ a }}'}",
        "- {copy: {content: '{{ a }}', a: 1}}",
        "- {command: '{{ a }}'}\n- {command: !unsafe '{{ a | default(1) }}{{ no jinja'}",
        "- {<<: {become: true}, sysctl: {name: '{{ a }}'}}",
        "- {meta: flush_handlers}\n- {command: 'end_ {{ a }}'}",
    ],
)
def test_where_it_is_needed(tmp_path: Path, task: str) -> None:
    assert names(tmp_path, task) == ["a"]


# --- what is not told ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "template",
    [
        "{{ a | default(b) }}",
        "{{ a.b.c | d('x') }}",
        "{{ (a | default({})).b }}",
        "{{ 1 if a is defined else 2 }}{{ a }}",
        "{{ 1 if 'a' in vars else 2 }}{{ a }}",
        "{{ a is none }}",
        "{{ a | somebodys_filter }}",
        "{{ [a, b] | select('defined') | list }}",
        "{{ somebody.some(a) if false else 1 }}{{ lookup('vars', a) }}".replace("somebody", "hostvars"),
        "{% set a = 1 %}{{ a }}",
        "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1) }}",
        "{% for a in [1] %}{{ a }}{{ loop.index }}{% endfor %}",
        "{% if false %}{{ a }}{% endif %}",
        "{{ false and a }}{{ true or a }}{{ 1 if true else a }}",
        "{{ hostvars[inventory_hostname].a }}{{ groups.all }}{{ omit }}{{ lookup('env', 'HOME') }}{{ now() }}",
        "{{ ansible_facts.a }}{{ ansible_anything }}{{ maintops_pinned }}{{ maintops_before }}{{ playbook_dir }}",
        "{% raw %}{{ a }}{% endraw %}",
    ],
)
def test_what_may_be_undefined_is_not_told(tmp_path: Path, template: str) -> None:
    task = "- copy: {dest: /x, content: " + yaml.safe_dump(template, default_style='"', width=999).strip() + "}"
    assert names(tmp_path, task) == []


A = "{command: '{{ a }}'}"


@pytest.mark.parametrize(
    "tasks",
    [
        "- {command: '{{ a }}', when: maybe is defined}",
        "- {command: x, when: [true, a]}",
        "- {command: x, when: a, loop: '{{ [] }}'}",
        "- {command: x, when: yes}",
        "- {command: x, when: [null, a]}",
        "- {command: '{{ a }}', loop: '{{ [] }}'}",
        "- {command: '{{ a }}', ignore_errors: true}",
        "- {command: '{{ a }}', failed_when: false}",
        "- {command: '{{ a }}', tags: [never]}",
        "- {command: '{{ a }}', tags: never}",
        f"- {{block: [{A}], when: ansible_facts.x}}",
        f"- {{block: [{A}], rescue: [{{command: x}}]}}",
        f"- {{block: [{{command: x}}], rescue: [{A}]}}",
        f"- {{block: [{A}], vars: {{a: 1}}}}",
        f"- {A}\n- {{command: x, register: a}}",
        f"- {A}\n- {{set_fact: {{a: 1}}}}",
        f"- {A}\n- set_fact: a=1 b=2",
        f"- {A}\n- {{command: x, vars: {{a: 1}}}}",
        "- {command: '{{ a }}{{ i }}', loop: [1], loop_control: {loop_var: a, index_var: i}}",
        f"- {A}\n- {{command: x, when: a is defined}}",
        f"- {A}\n- {{assert: {{that: [a is defined]}}}}",
        "- {assert: {that: [x], fail_msg: '{{ a }}'}}",
        "- {debug: {msg: '{{ a }}', verbosity: 2}}",
        "- {command: !unsafe '{{ a }}'}",
        "- {debug: {var: a}}",
        "- {service_facts: }\n- {debug: {msg: '{{ services }}'}}",
        f"- {A}\n- {{include_vars: x.yml}}",
        f"- {A}\n- {{ansible.builtin.include_vars: x.yml}}",
        f"- {A}\n- {{add_host: {{name: x, a: 1}}}}",
        f"- {A}\n- {{our_own_module: {{}}}}",
        f"- {A}\n- {{some.where.module: {{}}}}",
        f"- {A}\n- {{community.general.facter_facts: {{}}}}",
        f"- {A}\n- {{meta: end_play}}",
        f"- {A}\n- {{local_action: command x}}",
        f"- {A}\n- {{include_tasks: '{{{{ x }}}}.yml'}}",
        f"- {A}\n- {{include_tasks: nosuch.yml}}",
        f"- {A}\n- {{include_role: {{name: '{{{{ x }}}}'}}}}",
        f"- {A}\n- {{include_role: {{name: nosuch}}}}",
        f"- {A}\n- {{set_fact: '{{{{ x }}}}'}}",
        f"- {A}\n- {{set_fact: {{'{{{{ x }}}}': 1}}}}",
        f"- {A}\n- {{command: x, vars: '{{{{ x }}}}'}}",
        f"- {A}\n- {{command: x, <<: {{vars: {{a: 1}}}}}}",
        f"- {A}\n- {{command: x, <<: {{<<: {{become: true}}}}}}",
        f"- {A}\n- {{command: x, <<: [{{become: true}}]}}",
        f"- {A}\n- {{command: '{{{{ not jinja'}}",
        f"- {A}\n- {{command: x, raw: y}}",
        "- {command: '{{ a }}', vars: {<<: {a: 1}}}",
        f"- {A}\n- {{command: {{? [x] : y}}, register: b}}",
        f"- {A}\n- x",
    ],
)
def test_what_may_be_passed_over_or_is_not_understood_is_not_told(tmp_path: Path, tasks: str) -> None:
    assert names(tmp_path, tasks) == []


@pytest.mark.parametrize(
    "head",
    [
        "  vars: {a: 1}\n",
        "  vars_prompt: [{name: a}]\n",
        "  vars_files: [v.yml]\n",
        "  vars_files: ['{{ x }}.yml']\n",
        "  vars_files: [nosuch.yml]\n",
        "  vars_files: [vault.yml]\n",
        "  ignore_errors: true\n",
        "  handlers: [{command: x, register: a}]\n",
        "  roles: [{role: r, a: 1}]\n",
        "  roles: [{role: r, vars: {a: 1}}]\n",
        "  roles: ['{{ x }}']\n",
        "  roles: [nosuch]\n",
    ],
)
def test_what_a_play_brings(tmp_path: Path, head: str) -> None:
    write(tmp_path, "v.yml", "a: 1\n")
    write(tmp_path, "vault.yml", "$ANSIBLE_VAULT;1.1;AES256\n6162\n")
    write(tmp_path, "roles/r/tasks/main.yml", "[]")
    assert names(tmp_path, "- command: x {{ a }}", head=head) == []
    assert names(tmp_path, "- command: x {{ a }}") == ["a"]


@pytest.mark.parametrize("hosts", ["web", "all:!x", "'{{ x }}'", "[all]", "localhost"])
def test_a_play_for_some_servers_may_be_one_for_none(tmp_path: Path, hosts: str) -> None:
    text = "- hosts: HOSTS\n  tasks: [{command: '{{ a }}'}]\n"
    assert told(write(tmp_path, "p.yml", text.replace("HOSTS", hosts))) == []
    assert told(write(tmp_path, "p.yml", text.replace("HOSTS", "all"))) == ["a p.yml:2:21"]


@pytest.mark.parametrize("name", ["group_vars/all.yml", "group_vars/web/x.yml", "host_vars/web1", "group_vars/a.json"])
def test_variables_beside_the_playbook_count(tmp_path: Path, name: str) -> None:
    write(tmp_path, name, '{"a": 1}')
    write(tmp_path, "group_vars/empty.yml", "# nothing\n")
    write(tmp_path, "group_vars/.hidden.yml", "b: 1\n")
    write(tmp_path, "group_vars/notes.txt", "b: [")
    assert names(tmp_path, "- command: '{{ a }} {{ b }}'") == ["b"]


def test_plugins_beside_the_playbook_may_bring_any_variable(tmp_path: Path) -> None:
    write(tmp_path, "vars_plugins/x.py", "")
    assert names(tmp_path, "- command: '{{ a }}'") == []


@pytest.mark.parametrize("text", ["", "x", "[]", "- hosts: [", "- x", "a: 1", "- import_playbook: nosuch.yml\n"])
def test_what_is_no_playbook_is_told_elsewhere(tmp_path: Path, text: str) -> None:
    assert told(write(tmp_path, "p.yml", text)) == []
    assert told(tmp_path / "nosuch.yml") == []


# --- other files -----------------------------------------------------------------------------------------------------


def test_files_that_are_included(tmp_path: Path) -> None:
    use = "- command: '{{ NAME }}'\n"
    playbook = write(
        tmp_path,
        "p.yml",
        "- import_playbook: sub/q.yml\n- {import_playbook: maybe.yml, when: ansible_x}\n"
        "- hosts: all\n  tasks:\n  - import_tasks: tasks/a.yml\n  - include_tasks: {file: tasks/c.yml}\n"
        "  - {include_tasks: tasks/d.yml, when: ansible_x}\n  - {include_tasks: {file: tasks/e.yml, apply: {}}}\n"
        "  - {include_tasks: tasks/f.yml, loop: '{{ [] }}'}\n  - {include_tasks: tasks/f.yml}\n",
    )
    write(tmp_path, "sub/q.yml", "- hosts: all\n  tasks: [{command: '{{ in_q }}'}]\n")
    write(tmp_path, "maybe.yml", "- hosts: all\n  tasks: [{command: '{{ in_maybe }}'}]\n")
    write(tmp_path, "tasks/a.yml", use.replace("NAME", "in_a") + "- import_tasks: b.yml\n")
    for name in "bcdef":
        write(tmp_path, f"tasks/{name}.yml", use.replace("NAME", f"in_{name}"))
    expected = [f"in_{name} tasks/{name}.yml:1:12" for name in "abcf"]
    assert told(playbook) == ["in_q sub/q.yml:2:21", *expected]
    write(tmp_path, "tasks/f.yml", "- include_tasks: a.yml\n")  # a circle
    write(tmp_path, "tasks/b.yml", "- include_tasks: f.yml\n")
    assert told(playbook) == ["in_q sub/q.yml:2:21", "in_a tasks/a.yml:1:12", "in_c tasks/c.yml:1:12"]
    write(tmp_path, "b.yml", "[]")  # which of the two Ansible takes is not for us to say
    assert told(playbook) == []


def test_roles(tmp_path: Path) -> None:
    folder = tmp_path / "checklists"
    playbook = write(
        tmp_path,
        "playbooks/p.yml",
        "- hosts: all\n  roles: [one, {role: five, when: x}]\n  tasks:\n"
        "  - import_role: {name: three, tasks_from: other}\n  - include_role: {name: four, apply: {}}\n",
    )
    write(tmp_path, "playbooks/roles/one/meta/main.yml", "dependencies: [{role: two}]\n")
    write(
        tmp_path, "playbooks/roles/one/tasks/main.yaml", "- command: '{{ in_one }} {{ one_default }} {{ one_var }}'\n"
    )
    write(tmp_path, "playbooks/roles/one/defaults/main.yml", "one_default: '{{ nobody_knows }}'\n")
    write(tmp_path, "playbooks/roles/one/vars/main/x.yml", "one_var: 1\n")
    write(tmp_path, "playbooks/roles/one/handlers/main.yml", "- command: '{{ in_handler }}'\n")
    write(folder, "roles/two/tasks/main.yml", "- include_tasks: deep.yml\n")
    write(folder, "roles/two/tasks/deep.yml", "- command: '{{ in_deep }}'\n")
    write(folder, "roles/three/tasks/main.yml", "- command: '{{ in_main }}'\n")
    write(folder, "roles/three/tasks/other.yml", "- command: '{{ in_other }}'\n")
    for name in ("four", "five"):
        write(folder, f"roles/{name}/tasks/main.yml", f"- command: '{{{{ in_{name} }}}}'\n")
    found = {Path(one.file).relative_to(tmp_path): one.message.split('"')[1] for one in undefined(playbook, folder)}
    assert {str(file): name for file, name in found.items()} == {
        "playbooks/roles/one/tasks/main.yaml": "in_one",
        "checklists/roles/two/tasks/deep.yml": "in_deep",
        "checklists/roles/three/tasks/other.yml": "in_other",
    }
    write(folder, "roles/three/tasks/other.yml", "- include_vars: x.yml\n")
    assert undefined(playbook, folder) == []


def undefined(content: Any, *folders: Path, known: tuple[str, ...] = (), file: str = "") -> list[Any]:
    return undefined_variables(content, known, list(folders), file)


def test_a_role_by_its_name(tmp_path: Path) -> None:
    task = write(tmp_path, "roles/r/tasks/main.yml", "- command: x\n- command: '{{ a }}'\n")
    (mistake,) = undefined("r", tmp_path)
    assert (mistake.file, mistake.line, mistake.column) == (str(task), 2, 12)
    assert undefined("nosuch", tmp_path) == []


def test_tasks_of_a_step(tmp_path: Path) -> None:
    write(tmp_path, "more.yml", "- command: '{{ c }}'\n")
    tasks: list[dict[str, Any]] = [
        {"command": "\N{WRENCH} {{ a }}", "register": "got"},
        {"debug": {"msg": "{{ got.stdout }} {{ b }}"}},
        {"include_tasks": "more.yml"},
    ]
    checklist = str(tmp_path / "c.yml")
    found = undefined(tasks, tmp_path, known=("b",), file=checklist)
    assert [(one.file, one.line, one.column, one.message.split('"')[1]) for one in found] == [
        (checklist, 0, 0, "a"),
        (str(tmp_path / "more.yml"), 1, 12, "c"),
    ]


# --- whatever is written ---------------------------------------------------------------------------------------------


def test_what_comes_with_maintops_has_no_false_alarm() -> None:
    playbooks = sorted(SHIPPED.glob("*.yml"))
    assert playbooks
    assert [one for playbook in playbooks for one in undefined_variables(playbook, [], [SHIPPED])] == []


words = st.sampled_from(["x", "{{ a }}", "{{ a", "all", "1", "", "main", "../p.yml"])
keys = st.sampled_from(
    ["hosts", "tasks", "vars", "block", "when", "loop", "command", "set_fact", "include_tasks", "<<"]
)
values = st.recursive(
    words | st.none() | st.integers(0, 1),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=12,
)


@given(values)
def test_any_value_is_read_without_breaking(value: Any) -> None:
    tasks = value if isinstance(value, list) else [value]
    for one in undefined(tasks):
        assert one.message.split('"')[1] in {"a", "x", "all", "main"}


def test_nesting_ends_somewhere(tmp_path: Path) -> None:
    assert names(tmp_path, f"- command: '{{{{ a }}}} {{{{ {'(' * 5000}1{')' * 5000} }}}}'") == []
    block: dict[str, Any] = {"command": "{{ a }}"}
    for _ in range(200):
        block = {"block": [block]}
    assert undefined([block]) == []
