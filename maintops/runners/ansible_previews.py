"""Content in check mode: what is given to Ansible, and its events folded into previews. Pure."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from maintops.domain.ports import Content, Failure, FailureKind, Preview, Previewed
from maintops.domain.servers import Server
from maintops.runners.ansible_answers import complaint, hide, program_words, read_failure, readable
from maintops.runners.ansible_plays import has_vaulted, secret_values
from maintops.runners.supervisor import PREFIX

LONGEST_DIFF = 20 * 1024
"""Characters that are kept of one task's diff."""

_COMPARED = 512 * 1024
_CUT = "\n[the rest is left out]\n"
_NOT_PREVIEWABLE = "not previewable"
_HIDDEN = "hidden: the task has no_log"
_VAULTED = "[left out: this server has secrets in Ansible Vault]\n"
_SYSTEM_ROLES = ("~/.ansible/roles", "/usr/share/ansible/roles", "/etc/ansible/roles")
_SYSTEM_COLLECTIONS = ("~/.ansible/collections", "/usr/share/ansible/collections")


# --- what is given to Ansible -----------------------------------------------------------------------------------------


def role_play(role: str) -> str:
    """A playbook (JSON) that applies one role."""
    return json.dumps([{"name": role, "hosts": "all", "roles": [{"role": role}]}])


def tasks_play(tasks: Sequence[Mapping[str, Any]]) -> str:
    """A playbook (JSON) of some tasks."""
    return json.dumps([{"name": "tasks", "hosts": "all", "gather_facts": False, "tasks": list(tasks)}], default=str)


def content_variables(content: Content) -> dict[str, Any]:
    """The extra variables of some content."""
    become = {} if content.become is None else {"ansible_become": content.become}
    return {**content.variables, **become}


def content_environment(content: Content) -> dict[str, str]:
    """Where roles and collections are looked for, and that Ansible says why it skips a task."""
    folder = Path(content.folder) if content.folder else None
    roles = [str(folder / "roles"), str(folder)] if folder else []
    collections = [str(folder / "collections")] if folder else []
    return {
        "ANSIBLE_ROLES_PATH": ":".join([*roles, *_SYSTEM_ROLES]),
        "ANSIBLE_COLLECTIONS_PATH": ":".join([*collections, *_SYSTEM_COLLECTIONS]),
        "ANSIBLE_VERBOSITY": "1",
    }


# --- what comes back --------------------------------------------------------------------------------------------------


class Rehearsal:
    """Folds the events of one run in check mode. `stopped`: why maintops ended it."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._servers = {server.name: server for server in servers}
        self._tasks: dict[str, list[Previewed]] = {name: [] for name in self._servers}
        self._failures: dict[str, Failure] = {}
        self._asked: dict[str, str] = {}
        self._texts: list[str] = []
        self._failed: Mapping[str, Any] | None = None
        self.status: int | None = None
        self.is_over = False
        self.stopped: str | None = None

    @property
    def in_flight(self) -> dict[str, str]:
        """The servers with a task on them."""
        return dict.fromkeys(self._asked, "")

    @property
    def untouched(self) -> list[str]:
        """The servers that no task has been tried on."""
        return [name for name, tasks in self._tasks.items() if not tasks and name not in self._failures]

    @property
    def hosts(self) -> set[str]:
        """The servers that `ansible-playbook --list-hosts` names."""
        return set(listed_hosts("\n".join(self._texts)))

    def hear(self, told: Mapping[str, Any]) -> None:
        """Takes in one thing that the supervisor told."""
        if "end" in told:
            self.status, self.is_over = told["end"], True
        event, server = str(told.get("event", "")), str(told.get("host", ""))
        if event in _TEXTS or "text" in told:
            self._texts.append(str(told.get("text") or told.get("stdout", "")).replace("\r", ""))
        elif event == "playbook_on_stats":
            self._failed = told.get("failures") or {}
        elif server in self._servers:
            self._hear_task(event, server, told)

    def _hear_task(self, event: str, server: str, told: Mapping[str, Any]) -> None:
        if event == "runner_on_start":
            self._asked[server] = str(told.get("task", ""))
            return
        if event == "runner_on_unreachable":
            self._failures[server] = read_failure(told.get("res") or {}, None, self._servers[server])
        elif event in _READERS:
            self._tasks[server].append(_READERS[event](told, self._servers[server]))
        else:
            return
        self._asked.pop(server, None)

    def early(self) -> Iterator[Any]:
        """What is known before the end: nothing of what check mode tells."""
        return iter(())

    def previews(self, addressed: set[str] | None) -> Iterator[Preview]:
        """One preview per server. `addressed`: the servers that the content is about, None where nobody asked."""
        error = complaint(self._texts)
        for name in self._servers:
            failure = self._failures.get(name) or self._missing(name, error, addressed)
            yield Preview(name, self._masked(name, self._settled(name)), failure)

    def cut(self, failure: Failure) -> Iterator[Preview]:
        """One preview per server, of a run that did not come to its end."""
        for name in self._servers:
            yield Preview(name, self._masked(name, self._tasks[name]), self._failures.get(name) or failure)

    def _masked(self, name: str, tasks: Iterable[Previewed]) -> tuple[Previewed, ...]:
        """A server's tasks without what the inventory keeps secret: a diff shows what a template writes. Values that
        Ansible Vault hides from us cannot be looked for: then no diff is shown at all."""
        server = self._servers[name]
        secrets = secret_values(server)
        vaulted = has_vaulted(server.variables)
        return tuple(
            Previewed(
                hide(task.task, secrets),
                task.status,
                _VAULTED if vaulted and task.diff else hide(task.diff, secrets),
                hide(task.message, secrets),
            )
            for task in tasks
        )

    def _missing(self, name: str, error: str, addressed: set[str] | None) -> Failure | None:
        if error and self._failed is None:  # Ansible gave up before its recap
            return Failure(FailureKind.UNUSABLE, error)
        if self.status is None:
            return Failure(FailureKind.BROKEN, "Ansible ended in the middle, and gave no reason")
        if addressed is not None and name in addressed and name in self.untouched:
            return Failure(FailureKind.BROKEN, "Ansible ended before its turn had come: the play failed elsewhere")
        return None

    def _settled(self, name: str) -> Iterator[Previewed]:
        """A server's tasks; one that failed and was rescued has not failed in the end."""
        rescued = self._failed is not None and name not in self._failed
        for task in self._tasks[name]:
            if task.status == "failed" and rescued:
                yield Previewed(task.task, "ignored", task.diff, f"rescued: {task.message}")
            else:
                yield task


_TEXTS = frozenset({"verbose", "error", "warning", "deprecated", "system_warning", "debug"})


def listed_hosts(printed: str) -> Iterator[str]:
    """The hosts in what `ansible-playbook --list-hosts` prints: a line `hosts (N):`, then N names, for each play."""
    lines = iter(printed.splitlines())
    for line in lines:
        if match := re.fullmatch(r"\s+hosts \((\d+)\):", line):
            for _ in range(int(match[1])):
                yield next(lines, "").strip()


# --- one task on one server -------------------------------------------------------------------------------------------


def _read_ok(told: Mapping[str, Any], server: Server) -> Previewed:
    result = told.get("res") or {}
    if "censored" in result:  # whether it changed anything went with the rest; Ansible's own line still tells
        status = "changed" if str(told.get("stdout", "")).lstrip().startswith("changed:") else "ok"
        return Previewed(_name(told), status, message=_HIDDEN)
    return Previewed(_name(told), "changed" if result.get("changed") else "ok", _diff_text(result, server))


def _read_failed(told: Mapping[str, Any], server: Server) -> Previewed:
    result = told.get("res") or {}
    status = "ignored" if told.get("ignore_errors") else "failed"
    if "censored" in result:
        return Previewed(_name(told), status, message=f"{_place(told)}{_HIDDEN}")
    failed = [item for item in _items(result) if item.get("failed")]
    reason = failed[0] if failed else result
    # a program on the server that says why has no fault of the playbook's to tell of
    place = "" if program_words(reason, server) else _place(told)
    why = read_failure(reason, None, server).why
    return Previewed(_name(told), status, _diff_text(result, server), f"{place}{why}")


def _read_skipped(told: Mapping[str, Any], server: Server) -> Previewed:
    """ansible-runner leaves out the result of a task that was skipped; Ansible prints it, when it is asked to."""
    printed = str(told.get("stdout", ""))
    try:
        result = json.loads(printed.partition(" => ")[2])
    except ValueError:
        result = {}
    if "censored" in printed:
        return Previewed(_name(told), "skipped", message=_HIDDEN)
    reasons = ("skip_reason", "skipped_reason", "false_condition")  # of debug Ansible prints the last one alone
    if not isinstance(result, dict) or any(reason in printed for reason in reasons):
        return Previewed(_name(told), "skipped")
    said = readable(str(result.get("msg") or ""))
    return Previewed(_name(told), "skipped", message=f"{_NOT_PREVIEWABLE}: {said}" if said else _NOT_PREVIEWABLE)


_READERS = {"runner_on_ok": _read_ok, "runner_on_failed": _read_failed, "runner_on_skipped": _read_skipped}


def _items(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The results of a loop's items. What is called `results` may be anything: modules name their own."""
    found = result.get("results")
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def _place(told: Mapping[str, Any]) -> str:
    """Where a task is written, to begin a sentence with; nothing for what we wrote ourselves."""
    path = str(told.get("task_path") or "")
    return f"{path}: " if path and f"/{PREFIX}" not in path else ""


def _name(told: Mapping[str, Any]) -> str:
    task = readable(str(told.get("task", "")))
    return f"{told['role']} : {task}" if told.get("role") else task


# --- diffs ------------------------------------------------------------------------------------------------------------


def _diff_text(result: Mapping[str, Any], server: Server) -> str:
    """A result's diff as text, that of its items too; nothing of items that are hidden, and no secret cut in two."""
    text = "".join(_diffs([result, *_items(result)]))
    text = hide(text, secret_values(server)) if text else ""
    return text if len(text) <= LONGEST_DIFF else text[: LONGEST_DIFF - len(_CUT)] + _CUT


def _diffs(parts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for part in parts:
        if "censored" in part or part.get("_ansible_no_log"):
            continue
        found = part.get("diff")
        for diff in found if isinstance(found, list) else [found]:
            if isinstance(diff, Mapping):
                yield _one_diff(diff)


def _one_diff(diff: Mapping[str, Any]) -> str:
    if diff.get("prepared"):
        return str(diff["prepared"])[:_COMPARED]
    large = [name for name in ("src_larger", "dst_larger", "src_binary", "dst_binary") if diff.get(name)]
    if large:
        return "too large or binary: no diff\n"
    before, after = _text(diff.get("before")), _text(diff.get("after"))
    names = _header(diff, "before"), _header(diff, "after")
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), *names, lineterm="")
    return "".join(f"{line}\n" for line in lines)


def _header(diff: Mapping[str, Any], side: str) -> str:
    header = str(diff.get(f"{side}_header") or "")
    return f"{side}: {Path(header).name if PREFIX in header else header}" if header else side


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, indent=4, sort_keys=True) + "\n"
    return text[:_COMPARED]
