"""Whether the content of a checklist's steps can be carried out on some servers at all: before the first connection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from maintops.domain.changes import Action
from maintops.domain.checklists import Checklist
from maintops.domain.servers import Server
from maintops.errors import Mistake
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
        for action in _actions(listed)
        for content in (Path(action.playbook) if action.playbook else action.role or action.tasks,)
        for mistake in undefined_variables(content, {*known, *OWN, *action.parameters}, [folder], listed.file)
    }
    return sorted(found)


def _actions(listed: Checklist) -> Iterator[Action]:
    for step in listed.changes:
        for action in (step.act, step.rollback):
            if action is not None and action.kind != "fabric":
                yield action
