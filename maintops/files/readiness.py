"""Whether the content of a checklist's steps can be carried out on some servers at all: before the first connection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from maintops.domain.changes import Action, ChangeStep
from maintops.domain.checklists import Checklist
from maintops.domain.servers import Server
from maintops.errors import ConfigurationError, Mistake
from maintops.files.contents import compose
from maintops.files.undefined import undefined_variables

OWN = ("maintops_run", "maintops_pinned", "maintops_before")
"""The variables that maintops gives to all content of a change."""


def undefined_mistakes(listed: Checklist, servers: Sequence[Server]) -> list[Mistake]:
    """The variables that Ansible content of steps needs, and that not every server has. Sorted; none twice; none where
    there are no servers."""
    if not servers:
        return []
    known = set.intersection(*(set(one.variables) for one in servers))
    folder = Path(listed.file).parent
    found = {
        mistake
        for step, action in _actions(listed)
        for mistake in undefined_variables(
            _content(step, action), {*known, *OWN, *action.parameters}, [folder], action.file or listed.file
        )
    }
    return sorted(found)


def _actions(listed: Checklist) -> Iterator[tuple[ChangeStep, Action]]:
    for step in listed.changes:
        for action in (step.act, step.rollback):
            if action is not None and action.kind != "fabric":
                yield step, action


def _content(step: ChangeStep, action: Action) -> Path | str | yaml.SequenceNode | Sequence[Mapping[str, Any]]:
    if action.playbook:
        return Path(action.playbook)
    return action.role or tasks_as_written(step.id, action, undoes=action is step.rollback) or action.tasks


def tasks_as_written(id: str, action: Action, *, undoes: bool) -> yaml.SequenceNode | None:
    """The nodes of an action's tasks, with their places in the checklist's file; `id` is its step's, `undoes`: it is
    the step's rollback. None where they do not stand there (any more)."""
    if not action.file:
        return None
    try:
        top = compose(Path(action.file))
    except ConfigurationError:
        return None
    for step in _elements(_value(top, "steps")):
        named = _value(step, "id")
        if isinstance(named, yaml.ScalarNode) and named.value == id:
            tasks = _value(_value(step, "rollback") if undoes else step, "tasks")
            return tasks if isinstance(tasks, yaml.SequenceNode) else None
    return None


def _elements(node: yaml.Node | None) -> Sequence[yaml.Node]:
    return node.value if isinstance(node, yaml.SequenceNode) else ()


def _value(node: yaml.Node | None, name: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((value for key, value in pairs if key.value == name), None)
