"""Where content lies, and the digests of all of it that decides what steps do."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from maintops.domain.changes import Action, ChangePolicy, ChangeStep
from maintops.domain.checklists import Cadence, Checklist
from maintops.errors import ConfigurationError, UsageError
from maintops.files import contents
from maintops.files.contents import below, compose, content_digests, playbook_path, role_path

CHECKLIST = Checklist("c", "C", "inspection", Cadence("day", "day"), "all", ())


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def house(tmp_path: Path) -> Path:
    write(tmp_path, "checklists/c.yml", "")
    return tmp_path


def write(house: Path, name: str, text: str = "") -> Path:
    path = house / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def digests(house: Path, *actions: Action, verify: tuple[str, ...] = ()) -> dict[str, str]:
    steps = tuple(ChangeStep(f"A-{number}", "", act=action) for number, action in enumerate(actions))
    file = str(house / "checklists" / "c.yml")
    return content_digests(replace(CHECKLIST, file=file, changes=steps, change=ChangePolicy(verify=verify)))


# --- where it lies ---------------------------------------------------------------------------------------------------


def test_a_playbook_lies_beside_the_checklist_or_in_playbooks(house: Path) -> None:
    checklist = house / "checklists" / "c.yml"
    shipped = write(house, "playbooks/p.yml")
    assert playbook_path(checklist, "p.yml") == playbook_path(checklist, "../playbooks/p.yml") == shipped
    own = write(house, "checklists/p.yml")
    assert playbook_path(checklist, "p.yml") == own
    assert playbook_path(checklist, "../playbooks") is None
    assert playbook_path(checklist, "a\0b") is None
    assert playbook_path(checklist, "a" * 300) is None


def test_a_role_lies_where_ansible_looks(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(house / "home"))
    folder = house / "checklists"
    for name in ("home/.ansible/roles/web", "checklists/web", "checklists/roles/web"):  # the nearest is the last
        (house / name).mkdir(parents=True)
        assert role_path(folder, "web") == house / name
    assert role_path(folder, "a.b.web") is None
    (house / "checklists/roles/a.b.web").mkdir()
    assert role_path(folder, "a.b.web") == house / "checklists/roles/a.b.web"
    for name in ("home/.ansible/collections", "checklists/collections"):
        path = house / name / "ansible_collections/a/b/roles/web"
        path.mkdir(parents=True)
        assert role_path(folder, "a.b.web") == path
    assert role_path(folder, "nosuch") is None
    assert role_path(folder, "a\0b") is None
    assert role_path(folder, "a" * 300) is None


def test_collections_come_with_packages_of_python_too(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    role = house / "env/lib/python3.11/site-packages/ansible_collections/a/b/roles/web"
    role.mkdir(parents=True)
    program = write(house, "env/bin/ansible-playbook")
    program.chmod(0o755)
    assert role_path(house, "a.b.web") is None
    monkeypatch.setenv("PATH", str(program.parent))
    assert role_path(house, "a.b.web") == role
    monkeypatch.setenv("PATH", str(house))
    assert role_path(house, "a.b.web") is None
    monkeypatch.syspath_prepend(role.parents[4])
    assert role_path(house, "a.b.web") == role


# --- digests ---------------------------------------------------------------------------------------------------------


def test_a_playbook_and_what_lies_beside_it(house: Path) -> None:
    playbook = write(house, "playbooks/p.yml", "- hosts: all\n")
    for name in ("tasks/a.yml", "roles/r/files/deep/x", "templates/t.j2", "filter_plugins/f.py", "handlers/h.yml"):
        write(house, f"playbooks/{name}", name)
    for name in ("other.yml", "notes/n.txt", "filter_plugins/__pycache__/f.pyc", "roles/.git/config"):
        write(house, f"playbooks/{name}", name)
    found = digests(house, Action(playbook=str(playbook)))
    assert found == {
        "../playbooks/filter_plugins/f.py": sha("filter_plugins/f.py"),
        "../playbooks/handlers/h.yml": sha("handlers/h.yml"),
        "../playbooks/p.yml": sha("- hosts: all\n"),
        "../playbooks/roles/r/files/deep/x": sha("roles/r/files/deep/x"),
        "../playbooks/tasks/a.yml": sha("tasks/a.yml"),
        "../playbooks/templates/t.j2": sha("templates/t.j2"),
    }
    assert list(found) == sorted(found)


def test_rollbacks_functions_and_tests(house: Path) -> None:
    back = write(house, "playbooks/back.yml", "- hosts: all\n")
    write(house, "checklists/code/deeds.py", "a")
    write(house, "checklists/code/parts.py", "b")
    write(house, "checklists/code/notes.txt", "c")
    test = write(house, "checklists/verify/test_x.py", "d")
    function = Action(fabric=str(house / "checklists/code/deeds.py:act"))
    step = ChangeStep("A-1", "", act=function, rollback=Action(playbook=str(back)))
    file = str(house / "checklists" / "c.yml")
    policy = ChangePolicy(verify=(str(test),))
    assert content_digests(replace(CHECKLIST, file=file, changes=(step,), change=policy)) == {
        "../playbooks/back.yml": sha("- hosts: all\n"),
        "code/deeds.py": sha("a"),
        "code/parts.py": sha("b"),
        "verify/test_x.py": sha("d"),
    }
    reboot = ChangeStep("A-2", "")
    assert content_digests(replace(CHECKLIST, file=file, changes=(reboot,))) == {}


def test_roles_by_name_and_those_that_they_name(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(house / "home"))
    write(house, "checklists/roles/other/tasks/main.yml", "[]")
    write(house, "checklists/roles/one/meta/main.yml", "dependencies: [{role: two}]")
    write(house, "home/.ansible/roles/two/tasks/main.yml", "- block: [{ansible.builtin.include_role: {name: three}}]")
    write(
        house,
        "home/.ansible/roles/three/tasks/main.yml",
        "- import_role: {name: '{{ any }}'}\n- user: {roles: other, a: [other]}",
    )
    write(house, "home/.ansible/roles/four/tasks/main.yml", "- import_role: {name: one}")
    write(house, "home/.ansible/roles/empty/notes.txt", "no role at all")
    found = {"roles/one/meta/main.yml"} | {f"../home/.ansible/roles/{name}/tasks/main.yml" for name in ("two", "three")}
    assert set(digests(house, Action(role="one"))) == found
    four = "../home/.ansible/roles/four/tasks/main.yml"
    assert set(digests(house, Action(tasks=({"block": [{"include_role": {"name": "four"}}]},)))) == found | {four}
    playbook = write(
        house, "playbooks/p.yml", "- hosts: all\n  roles: [four, nosuch, empty, {role: one}, {tags: x}, '']\n"
    )
    assert set(digests(house, Action(playbook=str(playbook)))) == found | {four, "../playbooks/p.yml"}


def test_files_that_content_names(house: Path) -> None:
    playbook = write(house, "playbooks/p.yml", "- import_playbook: sub/q.yml\n- hosts: all\n  vars_files: [v.yml]\n")
    write(house, "playbooks/sub/q.yml", "- hosts: all\n  tasks: [{include_tasks: file=../steps.yml}]\n")
    write(house, "playbooks/v.yml", "a: &a [*a]\n")
    write(house, "playbooks/steps.yml", "- [{[broken")
    write(house, "playbooks/other.yml")
    names = {f"../playbooks/{name}" for name in ("p.yml", "sub/q.yml", "v.yml", "steps.yml")}
    assert set(digests(house, Action(playbook=str(playbook)))) == names


def test_a_link_out_of_its_folder_stands_for_where_it_leads(house: Path) -> None:
    playbook = write(house, "playbooks/p.yml", "- hosts: all\n")
    inside = write(house, "playbooks/files/a", "inside")
    outside = write(house, "outside/b", "outside")
    (house / "playbooks/files/link").symlink_to("a")
    (house / "playbooks/files/out").symlink_to(outside)
    (house / "playbooks/files/folder").symlink_to(outside.parent)
    (house / "playbooks/files/nowhere").symlink_to("nosuch")
    (house / "playbooks/files/circle").symlink_to("circle")
    (house / "playbooks/templates").symlink_to(outside.parent)
    os.mkfifo(house / "playbooks/files/pipe")
    found = digests(house, Action(playbook=str(playbook)))
    link = "../playbooks/files/link"
    assert found[link] == found["../playbooks/files/a"] == sha("inside")
    leads = {"files/out": outside, "files/folder": outside.parent, "templates": outside.parent}
    leads |= {"files/nowhere": Path("nosuch"), "files/circle": Path("circle")}
    for name, target in leads.items():
        assert found.pop(f"../playbooks/{name}") == sha(f"a link to {target}")
    assert set(found) == {"../playbooks/p.yml", "../playbooks/files/a", link}
    outside.write_text("changed")
    inside.write_text("changed")
    after = digests(house, Action(playbook=str(playbook)))
    changed = {name for name in found if found[name] != after[name]}
    assert changed == {"../playbooks/files/a", link}


def test_a_name_may_be_any_bytes(house: Path) -> None:
    playbook = write(house, "playbooks/p.yml", "- hosts: all\n")
    write(house, "playbooks/files/a")
    os.rename(house / "playbooks/files/a", os.fsencode(house) + b"/playbooks/files/\xff")  # noqa: PTH104 a Path has no bytes
    assert "../playbooks/files/\\udcff" in digests(house, Action(playbook=str(playbook)))


@pytest.mark.parametrize(("limit", "value"), [("MOST_FILES", 3), ("MOST_BYTES", 20)])
def test_content_is_bounded(house: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    playbook = write(house, "playbooks/p.yml", "- hosts: all\n")
    write(house, "playbooks/files/a", "1234567")
    write(house, "playbooks/files/b")
    monkeypatch.setattr(contents, limit, value)
    assert len(digests(house, Action(playbook=str(playbook)))) == 3
    write(house, "playbooks/files/c", "1")
    with pytest.raises(UsageError, match=f"has more than .* see what lies in {house}/playbooks/files"):
        digests(house, Action(playbook=str(playbook)))


def test_what_is_gone_or_cannot_be_read_is_told(house: Path) -> None:
    with pytest.raises(UsageError, match=r"nosuch\.yml cannot be read: No such file or directory"):
        digests(house, Action(playbook=str(house / "nosuch.yml")))


# --- YAML of Ansible -------------------------------------------------------------------------------------------------


def test_nodes_come_once_whatever_repeats_them(house: Path) -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    node = compose(write(house, "bomb.yml", bomb))
    assert len([one for one in below(node) if isinstance(one, yaml.SequenceNode)]) == 30
    assert list(below(None)) == []


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("a: [", ":2:1: is not YAML: "),
        ("a: b\n" * 60_000, ":0:0: is nested too deeply or has too many values"),
        ("[" * 70 + "]" * 70, ":0:0: is nested too deeply or has too many values"),
        ("[" * 500_000, ":0:0: is nested too deeply"),
        ("x" * 1_100_000, ":0:0: is larger than 1024 KiB"),
        ("a: \x01", ": is not YAML: "),
    ],
)
def test_what_cannot_be_looked_into(house: Path, text: str, mistake: str) -> None:
    path = write(house, "x.yml", text)
    with pytest.raises(ConfigurationError) as caught:
        compose(path)
    assert mistake in str(caught.value)


def test_what_is_no_text(house: Path) -> None:
    (house / "x.yml").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="cannot be read: is not UTF-8 text"):
        compose(house / "x.yml")
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        compose(house)
