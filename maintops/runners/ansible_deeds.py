"""Content that changes servers: what is given to Ansible, and its events folded into what was done.

Pure, but for a look whether files are there.

Exit codes and recaps do not tell which server had its whole turn: `any_errors_fatal`, `max_fail_percentage` or a play
whose servers all failed end a playbook for everybody, and the servers that are left look well. So a play of ours
follows the content; only a server that got into it was through with all that comes before. Ansible itself says who did
(`ansible_play_hosts`), in one task for all: a task for each would cost a worker process for each.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from maintops.domain.ports import Content, Deed, Done, Failure, FailureKind, Previewed
from maintops.domain.servers import Server
from maintops.runners.ansible_answers import complaint, hide, readable
from maintops.runners.ansible_plays import secret_values
from maintops.runners.ansible_previews import Rehearsal, content_variables

FINALE = "maintops: came to the end"
"""The name of the play behind the content."""

_BESIDE = ("files", "templates", "tasks", "vars")

# --- what is given to Ansible -----------------------------------------------------------------------------------------


def deed_content(deed: Deed) -> Content:
    """A deed's Ansible content, without what is each server's own."""
    return Content(deed.playbook, deed.role, deed.folder, deed.become, deed.variables)


def deed_play(deed: Deed) -> str:
    """The playbook (JSON) that does it on all servers, and then the finale."""
    if deed.playbook is not None:
        first: dict[str, Any] = {"import_playbook": deed.playbook}
    elif deed.role is not None:
        first = {"name": deed.role, "hosts": "all", "roles": [{"role": deed.role}]}
    else:
        first = {"name": "tasks", "hosts": "all", "gather_facts": False, "tasks": list(deed.tasks)}
    # With localhost's variables: those of the server that stands for all may be ones that Ansible cannot render.
    once = {"run_once": True, "delegate_to": "localhost"}
    task = {"name": FINALE, "ansible.builtin.debug": {"msg": "{{ ansible_play_hosts }}"}, **once}
    finale = {"name": FINALE, "hosts": "all", "gather_facts": False, "tasks": [task]}
    return json.dumps([first, finale])


def deed_variables(deed: Deed, servers: Sequence[Server]) -> dict[str, Any]:
    """The extra variables of a deed.

    What is a server's own may come from servers: it travels in base64 and is read by `from_json`, whose results Ansible
    never takes for templates. The variables themselves are templates of ours that find the server's value by its name;
    where a server has none of its own, the one that is for all holds, and without that the variable is undefined.
    """
    shared = content_variables(deed_content(deed))
    own = {server.name: deed.own.get(server.name, {}) for server in servers}
    names = sorted({name for values in own.values() for name in values})
    if not names:
        return shared
    both = {name: shared[name] for name in names if name in shared}
    packed = {server: _packed({**both, **values}) for server, values in own.items()}
    mine = "(maintops_own[inventory_hostname] | b64decode | from_json)"
    return {**shared, "maintops_own": packed, **{name: f"{{{{ {mine}[{json.dumps(name)}] }}}}" for name in names}}


def _packed(values: Mapping[str, Any]) -> str:
    return base64.b64encode(json.dumps(values).encode()).decode("ascii")


def deed_links(deed: Deed) -> dict[str, str]:
    """Links in the private folder to what inline tasks name by a relative path: they mean the deed's own folder."""
    if not deed.tasks or not deed.folder:
        return {}
    return {name: str(Path(deed.folder, name)) for name in _BESIDE if Path(deed.folder, name).is_dir()}


def deed_mistake(deed: Deed) -> str:
    """What is wrong with a deed of Ansible's in itself, in words for people; "" where nothing is."""
    given = [deed.playbook is not None, deed.role is not None, bool(deed.tasks)]
    if sum(given) != 1:
        return "a step needs one of playbook, role and tasks"
    if deed.playbook is not None and not Path(deed.playbook).is_file():
        return f"{deed.playbook}: there is no such playbook"
    return ""


# --- what comes back --------------------------------------------------------------------------------------------------


def confidants(deed: Deed, servers: Sequence[Server]) -> list[Server]:
    """The servers with the deed's variables among theirs: what is secret among those is hidden as well."""
    return [
        replace(server, variables={**server.variables, "maintops": [deed.variables, deed.own.get(server.name, {})]})
        for server in servers
    ]


class Undertaking(Rehearsal):
    """Folds the events of one run of content that changes servers. Every server is told of once."""

    def __init__(self, servers: Sequence[Server]) -> None:
        super().__init__(servers)
        self._begun: set[str] = set()
        self._through: dict[str, None] = {}  # in their order
        self._told: set[str] = set()

    @property
    def in_flight(self) -> dict[str, str]:
        """The servers with a task on them, and that task."""
        return {name: self._hidden(name, readable(task)) for name, task in self._asked.items()}

    def _hear_task(self, event: str, server: str, told: Mapping[str, Any]) -> None:
        if told.get("play") == FINALE:
            if event == "runner_on_ok":
                self._hear_through(server, (told.get("res") or {}).get("msg"))
            return
        if event == "runner_on_start":
            self._begun.add(server)
        super()._hear_task(event, server, told)

    def _hear_through(self, server: str, others: Any) -> None:
        """Whoever got into the finale: the server that its task was run for, and those named with it."""
        for name in (server, *(others if isinstance(others, list) else ())):
            if name in self._servers and name not in self._told:
                self._through[name] = None

    def early(self) -> Iterator[Done]:
        """The servers that are through by now, but for those with a failed task: whether that was rescued, only the
        recap says."""
        through, self._through = self._through, {}
        for name in through:
            if any(task.status == "failed" for task in self._tasks[name]):
                self._through[name] = None
            else:
                yield self._done(name, self._addressed(name))

    def done(self) -> Iterator[Done]:
        """The servers not told of yet, of a run that Ansible ended."""
        error = complaint(self._texts)
        yield from self._rest(lambda name: self._missing(name, error, None))

    def cut_off(self, failure: Failure) -> Iterator[Done]:
        """The servers not told of yet, of a run that did not come to its end."""
        yield from self._rest(lambda name: replace(failure, blind=name in self._begun))

    def _rest(self, missing: Callable[[str], Failure | None]) -> Iterator[Done]:
        for name in self._servers:
            if name not in self._told:
                yield self._done(name, self._verdict(name, missing))

    def _done(self, name: str, failure: Failure | None) -> Done:
        self._told.add(name)
        return Done(name, failure, self._masked(name, self._settled(name)))

    def _verdict(self, name: str, missing: Callable[[str], Failure | None]) -> Failure | None:
        if name in (self._failed or ()):
            return self._task_failure(name)
        if name in self._through:
            return self._addressed(name)
        if name in self._failures:
            return self._unreachable(name)
        tasks = self._tasks[name]
        if tasks and tasks[-1].status == "failed" and name not in self._asked and self._failed is None:
            return self._task_failure(name)  # there was no recap any more
        return missing(name)

    def _addressed(self, name: str) -> Failure | None:
        if self._tasks[name]:
            return None
        if name in self._failures:  # the content ignores that, but nothing came of it
            return self._unreachable(name)
        return Failure(FailureKind.UNUSABLE, "the playbook does not address it: none of its tasks was run on it")

    def _unreachable(self, name: str) -> Failure:
        """Blind where a task had been at work on the server, or was when the connection broke."""
        found = self._failures[name]
        worked = any(task.status != "skipped" for task in self._tasks[name])
        return Failure(FailureKind.UNREACHABLE, found.why, blind=worked or found.kind is FailureKind.BROKEN)

    def _task_failure(self, name: str) -> Failure:
        failed = [task for task in self._tasks[name] if task.status == "failed"]
        if not failed:
            return Failure(FailureKind.UNUSABLE, "a task failed, and Ansible does not say which")
        return Failure(FailureKind.UNUSABLE, self._hidden(name, f"{failed[-1].message} (task: {failed[-1].task})"))

    def _missing(self, name: str, error: str, addressed: set[str] | None) -> Failure:
        """Why a server was neither failed, nor lost, nor brought to the end."""
        blind = name in self._begun
        if error and self._failed is None:  # Ansible gave up before its recap
            return Failure(FailureKind.UNUSABLE, self._hidden(name, error), blind)
        if any(f"Could not match supplied host pattern, ignoring: {name}" == text for text in self._warnings()):
            return Failure(FailureKind.UNUSABLE, "the inventory does not have this server any more")
        if not blind:
            return Failure(FailureKind.BROKEN, f"Ansible ended before its turn had come{self._why()}")
        return Failure(FailureKind.BROKEN, f"Ansible ended in the middle{self._after(name)}{self._why()}", blind=True)

    def _why(self) -> str:
        return "" if self.status is None else ": it gave up because of other servers"

    def _after(self, name: str) -> str:
        tasks = self._tasks[name]
        return f", behind the task {self._hidden(name, tasks[-1].task)}" if tasks else ""

    def _warnings(self) -> Iterator[str]:
        return (text.strip().removeprefix("[WARNING]: ") for text in self._texts)

    def _hidden(self, name: str, text: str) -> str:
        return hide(text, secret_values(self._servers[name]))

    def _settled(self, name: str) -> Iterator[Previewed]:
        """As in check mode; the message of a task that was skipped speaks of check mode and is left out."""
        for task in super()._settled(name):
            yield replace(task, message="") if task.status == "skipped" else task
