"""Undefined variables of a change's content are told before anything is begun."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from maintops.domain.changes import Action, ChangeStep
from maintops.domain.checklists import Cadence, Checklist
from maintops.domain.servers import Server
from maintops.files.readiness import OWN, undefined_mistakes

PLAYBOOK = """\
- hosts: all
  tasks:
    - name: Say it
      ansible.builtin.debug: {msg: "{{ WORDS }}"}
"""


def play(path: Path, name: str, *variables: str) -> str:
    file = path / name
    file.write_text(PLAYBOOK.replace("WORDS", " ~ ".join(variables)))
    return str(file)


def checklist(path: Path, *steps: ChangeStep) -> Checklist:
    file = str(path / "patch.yml")
    return Checklist("patch", "Patch", "s", Cadence("month", "month"), "all", (), changes=steps, file=file)


def server(name: str, **variables: Any) -> Server:
    return Server(name, variables=variables)


def step(act: Action, rollback: Action | None = None) -> ChangeStep:
    return ChangeStep("C-1", "Do it", act=act, rollback=rollback)


def test_a_variable_that_every_server_has_is_defined(tmp_path: Path) -> None:
    listed = checklist(tmp_path, step(Action(playbook=play(tmp_path, "a.yml", "colour"))))
    assert undefined_mistakes(listed, [server("a", colour="red"), server("b", colour="blue")]) == []


def test_a_variable_that_one_server_lacks_is_told_with_its_place(tmp_path: Path) -> None:
    playbook = play(tmp_path, "a.yml", "colour")
    listed = checklist(tmp_path, step(Action(playbook=playbook)))
    (found,) = undefined_mistakes(listed, [server("a", colour="red"), server("b")])
    assert (found.file, found.line) == (playbook, 4)
    assert "colour" in found.message


def test_parameters_of_the_step_and_what_maintops_gives_are_defined(tmp_path: Path) -> None:
    playbook = play(tmp_path, "a.yml", "colour", *OWN)
    listed = checklist(tmp_path, step(Action(playbook=playbook, parameters={"colour": "red"})))
    assert undefined_mistakes(listed, [server("a")]) == []


def test_what_takes_a_step_back_is_read_too_and_with_its_own_parameters(tmp_path: Path) -> None:
    act = Action(playbook=play(tmp_path, "a.yml", "colour"), parameters={"colour": "red"})
    back = Action(playbook=play(tmp_path, "b.yml", "colour", "shape"))
    found = undefined_mistakes(checklist(tmp_path, step(act, back)), [server("a")])
    assert {Path(one.file).name for one in found} == {"b.yml"}
    assert sorted(word for one in found for word in ("colour", "shape") if word in one.message) == ["colour", "shape"]


def test_a_mistake_is_told_once_however_often_the_content_is_used(tmp_path: Path) -> None:
    act = Action(playbook=play(tmp_path, "a.yml", "colour"))
    again = ChangeStep("C-2", "Again", act=act, rollback=act)
    assert len(undefined_mistakes(checklist(tmp_path, step(act), again), [server("a")])) == 1


def test_tasks_and_roles_are_read(tmp_path: Path) -> None:
    role = tmp_path / "roles" / "paint" / "tasks"
    role.mkdir(parents=True)
    (role / "main.yml").write_text("- ansible.builtin.debug: {msg: '{{ brush }}'}\n")
    tasks = ({"ansible.builtin.debug": {"msg": "{{ shape }}"}},)
    listed = checklist(tmp_path, step(Action(tasks=tasks)), ChangeStep("C-2", "Role", act=Action(role="paint")))
    found = " ".join(one.message for one in undefined_mistakes(listed, [server("a")]))
    assert "shape" in found
    assert "brush" in found


STEPS = """\
checklist: NAME
steps:
  - id: C-0
    manual: Look.
  - id: C-1
    tasks:
      - name: Paint
        ansible.builtin.debug: {msg: "{{ colour }}"}
      - {ansible.builtin.command: "paint {{ shape }}", when: hue}
      - block:
          - ansible.builtin.command:
              cmd: >-
                paint
                {{ size }}
    rollback:
      tasks: [{ansible.builtin.command: "wash {{ brush }}"}]
"""


def in_tasks(path: Path, *names: str) -> list[str]:
    """The mistakes in the tasks of two checklists' steps: FILE:LINE:COLUMN NAME."""
    steps = []
    for name in names:
        file = path / f"{name}.yml"
        text = STEPS.replace("NAME", name).replace("C-", f"{name}-")
        file.write_text(text)
        written = yaml.safe_load(text)["steps"][1]
        back = Action(tasks=tuple(written["rollback"]["tasks"]), file=str(file))
        steps.append(
            ChangeStep(written["id"], "", act=Action(tasks=tuple(written["tasks"]), file=str(file)), rollback=back)
        )
    found = undefined_mistakes(checklist(path, *steps), [server("a")])
    return [f"{Path(one.file).name}:{one.line}:{one.column} {one.message.split(chr(34))[1]}" for one in found]


def test_tasks_in_a_step_are_told_with_their_places(tmp_path: Path) -> None:
    expected = ["8:38 colour", "9:62 hue", "12:20 size", "16:41 brush"]
    assert in_tasks(tmp_path, "patch") == [f"patch.yml:{one}" for one in expected]


def test_tasks_of_an_included_checklist_are_told_in_its_own_file(tmp_path: Path) -> None:
    found = in_tasks(tmp_path, "patch", "base")
    assert [one.partition(":")[0] for one in found] == ["base.yml"] * 4 + ["patch.yml"] * 4


@pytest.mark.parametrize(
    "text", [None, "steps: [", "steps: []", "[]", "steps: [x, {[a]: 1}, {id: [C-1]}, {id: C-1}]", "steps: {id: C-1}"]
)
def test_tasks_that_stand_there_no_more_are_told_of_the_file_as_a_whole(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "patch.yml"
    if text is not None:
        file.write_text(text)
    act = Action(tasks=({"ansible.builtin.debug": {"msg": "{{ shape }}"}},), file=str(file))
    (found,) = undefined_mistakes(checklist(tmp_path, step(act)), [server("a")])
    assert (found.file, found.line, found.column) == (str(file), 0, 0)


@pytest.mark.parametrize("act", [Action(fabric="/srv/tasks.py:paint"), None])
def test_functions_and_reboots_have_no_variables(tmp_path: Path, act: Action | None) -> None:
    listed = checklist(tmp_path, ChangeStep("C-1", "Do it", act=act))
    assert undefined_mistakes(listed, [server("a")]) == []


def test_without_servers_nothing_is_said_of_variables(tmp_path: Path) -> None:
    listed = checklist(tmp_path, step(Action(playbook=play(tmp_path, "a.yml", "colour"))))
    assert undefined_mistakes(listed, []) == []
