"""The part of a checklist that changes servers: its mistakes that a schema cannot see, and its values."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from maintops.domain import durations
from maintops.domain.changes import (
    DEFAULT_REBOOT_TIMEOUT,
    DEFAULT_STEP_TIMEOUT,
    DEFAULT_WAVES,
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
from maintops.domain.checklists import Checklist
from maintops.domain.parameters import source
from maintops.errors import ConfigurationError, Mistake
from maintops.files.change_schemas import (
    ACTS,
    DURATION,
    FABRIC,
    LONGEST_APPROVAL,
    LONGEST_SOAK,
    LONGEST_TIMEOUT,
    PERCENT,
    ROLE,
)
from maintops.files.contents import compose, is_file, playbook_path, role_path
from maintops.files.documents import Document, Trail
from maintops.files.windows import read_windows, windows_mistakes
from maintops.files.wording import hint, quoted

RESERVED_IDS = ("CHG-", "VFY-")
"""What the ids of maintops's own cells in a record of a change begin with."""

_NOT_INSTALLED = (
    "there is none in roles/ beside this checklist, in ~/.ansible/roles, /usr/share/ansible/roles, /etc/ansible/roles "
    "or in a collection"
)
_HOOKS = ("silence", "drain", "snapshot")
_HOUR = 3600.0


def is_change(step: Any) -> bool:
    """Whether a step, as it is written, changes servers."""
    return isinstance(step, dict) and any(kind in step for kind in (*ACTS, "reboot"))


# --- mistakes --------------------------------------------------------------------------------------------------------


def change_mistakes(
    document: Document, checks: Collection[str], defaults: Mapping[str, Any], included: Sequence[Checklist] = ()
) -> Iterator[Mistake]:
    """The mistakes of a checklist's steps and of its `change:`. `checks` are the ids of all checks, those of the
    checklists that it includes too; `defaults` are its parameters."""
    top = _mapping(document.value)
    content = _content_checks(top, included)
    for index, step in enumerate(_list(top.get("steps"))):
        if isinstance(step, dict):
            yield from _step_mistakes(document, ("steps", index), step, checks, content, defaults)
    yield from _policy_mistakes(document, _mapping(top.get("change")))
    yield from _risk_mistakes(document, top, included)
    yield from _lost_roles(document, included)


def _content_checks(top: Mapping[str, Any], included: Sequence[Checklist]) -> set[str]:
    """The ids of checks that are a playbook or a role."""
    own = {str(one.get("id")) for one in map(_mapping, _list(top.get("checks"))) if {"playbook", "role"} & set(one)}
    return own | {one.id for other in included for one in other.checks if one.playbook or one.role}


def _step_mistakes(
    document: Document,
    path: Trail,
    step: Mapping[str, Any],
    checks: Collection[str],
    content: Collection[str],
    defaults: Mapping[str, Any],
) -> Iterator[Mistake]:
    for when in ("precheck", "postcheck"):
        for index, id in enumerate(_list(step.get(when))):
            if isinstance(id, str) and id not in checks:
                yield document.mistake((*path, when, index), f"there is no check {quoted(id)}{hint(id, checks)}")
            elif isinstance(id, str) and id in content:
                told = f"the check {quoted(id)} is Ansible content in check mode, which a run that changes never asks"
                yield document.mistake((*path, when, index), told)
    for here, action in ((path, step), ((*path, "rollback"), _mapping(step.get("rollback")))):
        yield from _action_mistakes(document, here, action, defaults)
    for key in ("timeout", "estimate"):
        yield from duration_mistakes(document, (*path, key), step.get(key))


def _action_mistakes(
    document: Document, path: Trail, action: Mapping[str, Any], defaults: Mapping[str, Any]
) -> Iterator[Mistake]:
    yield from _playbook_mistakes(document, (*path, "playbook"), action.get("playbook"))
    yield from role_mistakes(document, (*path, "role"), action.get("role"))
    yield from _fabric_mistakes(document, (*path, "fabric"), action.get("fabric"))
    if "rollback" in path:
        yield from duration_mistakes(document, (*path, "timeout"), action.get("timeout"))
    for name, value in _mapping(action.get("parameters")).items():
        wanted = source(value)
        if wanted and wanted not in defaults:
            message = f"the checklist has no parameter {quoted(wanted)}{hint(wanted, defaults)}"
            yield document.mistake((*path, "parameters", name), message)


def _playbook_mistakes(document: Document, path: Trail, name: Any) -> Iterator[Mistake]:
    if not isinstance(name, str) or not name.strip():
        return
    file = playbook_path(Path(document.file), name)
    if file is None:
        message = f"there is no playbook {quoted(name)} beside this checklist or in ../playbooks"
        yield document.mistake(path, message)
        return
    try:
        node = compose(file)
    except ConfigurationError as error:
        yield from error.mistakes
        return
    plays = node.value if isinstance(node, yaml.SequenceNode) else ()
    if not plays or not all(_is_play(play) for play in plays):
        yield document.mistake(path, f"{quoted(name)} is not a playbook: a list of plays, each with its hosts")
        return
    for play in plays:
        yield from _roles_of_play(play, file, _folder(document))


def _roles_of_play(play: yaml.MappingNode, file: Path, folder: Path) -> Iterator[Mistake]:
    """Roles of a playbook that are nowhere; what a template names, or may lie in a collection, only Ansible knows."""
    if any(key.value == "collections" for key, _ in play.value):
        return
    for key, value in play.value:
        entries = value.value if key.value == "roles" and isinstance(value, yaml.SequenceNode) else ()
        for entry in entries:
            pairs = entry.value if isinstance(entry, yaml.MappingNode) else ()
            given = {key.value: one for key, one in pairs if isinstance(key, yaml.ScalarNode)}
            name = entry if isinstance(entry, yaml.ScalarNode) else given.get("role", given.get("name"))
            if not isinstance(name, yaml.ScalarNode) or not re.search(ROLE, name.value):
                continue
            if (file.parent / "roles" / name.value).is_dir() or (file.parent / name.value).is_dir():
                continue
            if role_path(folder, name.value) is None:
                message = f"the role {quoted(name.value)} is not installed: {_NOT_INSTALLED}"
                yield Mistake(str(file), name.start_mark.line + 1, name.start_mark.column + 1, message)


def _is_play(node: yaml.Node) -> bool:
    if not isinstance(node, yaml.MappingNode):
        return False
    keys = {str(key.value).rpartition(".")[2] for key, _ in node.value}
    return bool(keys & {"hosts", "import_playbook", "<<"})


def role_mistakes(document: Document, path: Trail, name: Any) -> Iterator[Mistake]:
    """That a role is nowhere to be found, for a check or a step."""
    if isinstance(name, str) and re.search(ROLE, name) and role_path(_folder(document), name) is None:
        yield document.mistake(path, f"the role {quoted(name)} is not installed: {_NOT_INSTALLED}")


def _fabric_mistakes(document: Document, path: Trail, written: Any) -> Iterator[Mistake]:
    if not isinstance(written, str) or not re.search(FABRIC, written):
        return
    name, _, function = written.rpartition(":")
    file = _folder(document) / name
    if not is_file(file):
        yield document.mistake(path, f"there is no file {quoted(name)} beside this checklist")
        return
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError as error:
        yield Mistake(str(file), error.lineno or 0, error.offset or 0, f"is not Python: {error.msg}")
        return
    except (OSError, ValueError, RecursionError, MemoryError) as error:  # what the parser says of NULs, and of nesting
        yield document.mistake(path, f"{quoted(name)} cannot be read: {getattr(error, 'strerror', None) or error}")
        return
    names = set(_defined(tree))
    if function not in names and "*" not in names:
        yield document.mistake(path, f"{quoted(name)} defines no function {quoted(function)}{hint(function, names)}")


def _defined(tree: ast.Module) -> Iterator[str]:
    """What a module calls by a name at its top: functions, and what is imported or assigned (it may be one)."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        if isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        waiting += ast.iter_child_nodes(node)


def _policy_mistakes(document: Document, policy: Mapping[str, Any]) -> Iterator[Mistake]:
    yield from _wave_mistakes(document, _list(policy.get("waves")))
    gate = _mapping(policy.get("gate"))
    yield from duration_mistakes(document, ("change", "gate", "timeout"), gate.get("timeout"))
    yield from duration_mistakes(document, ("change", "soak"), policy.get("soak"), LONGEST_SOAK)
    yield from duration_mistakes(document, ("change", "approval_holds"), policy.get("approval_holds"), LONGEST_APPROVAL)
    for name in _HOOKS:
        timeout = _mapping(policy.get(name)).get("timeout")
        yield from duration_mistakes(document, ("change", name, "timeout"), timeout)
    if "windows" in policy:
        yield from windows_mistakes(document, ("change", "windows"))
    for index, name in enumerate(_list(policy.get("verify"))):
        if isinstance(name, str) and name.strip() and not is_file(_folder(document) / name):
            message = f"there is no file {quoted(name)} beside this checklist"
            yield document.mistake(("change", "verify", index), message)


def _wave_mistakes(document: Document, waves: Sequence[Any]) -> Iterator[Mistake]:
    """A number and a percentage can be compared only where the servers are known; so numbers come first."""
    before: Share | None = None
    for index, wave in enumerate(waves):
        share = _share_if_any(wave)
        path: Trail = ("change", "waves", index)
        if share is None:  # the schema tells of that
            return
        percent = share.percent
        if percent is not None and not 0 < percent <= 100:
            yield document.mistake(path, "a wave's percentage is more than 0% and at most 100%")
        elif before is not None:
            yield from _order_mistakes(document, path, before, share)
        before = share
    if before is not None and before.percent != 100:
        yield document.mistake(("change", "waves", len(waves) - 1), "the last wave is all servers: write 100%")


def _order_mistakes(document: Document, path: Trail, before: Share, share: Share) -> Iterator[Mistake]:
    if before.percent is not None and share.percent is None:
        yield document.mistake(path, "numbers of servers come before percentages")
    elif (before.count or before.percent or 0) >= (share.count or share.percent or 0) and (
        (before.count is None) == (share.count is None)
    ):
        yield document.mistake(path, f"waves rise: {share} does not come after {before}")


def _risk_mistakes(document: Document, top: Mapping[str, Any], included: Sequence[Checklist]) -> Iterator[Mistake]:
    message = "a checklist that changes servers says what can go wrong and what is done then: "
    message += "change: {risk: {assessment: …, contingency: …}}"
    if "risk" in _mapping(top.get("change")):
        return
    own = [index for index, step in enumerate(_list(top.get("steps"))) if is_change(step)]
    if not own and not any(one.changes for one in included):
        return
    place: Trail = ("change",) if "change" in top else ("steps", own[0]) if own else ("include",)
    yield document.mistake(place, message, at_key="change" in top)


def _lost_roles(document: Document, included: Sequence[Checklist]) -> Iterator[Mistake]:
    """Roles beside an included checklist in another folder: a run looks beside the one that includes."""
    for one in included:
        actions = [action for step in one.changes for action in (step.act, step.rollback) if action is not None]
        for role in dict.fromkeys(action.role for action in actions if action.role is not None):
            if role_path(_folder(document), role) is None:
                yield document.mistake(("include",), f"the role {quoted(role)} of {one.name} is not found from here")


def duration_mistakes(
    document: Document, path: Trail, written: Any, longest: float = LONGEST_TIMEOUT
) -> Iterator[Mistake]:
    """What is wrong with a duration in words, of which the schema knows only the letters. `longest` is in seconds."""
    if isinstance(written, str) and re.search(DURATION, written):
        try:
            if durations.seconds(written) > longest:
                yield document.mistake(path, f"must be at most {longest:.0f} seconds")
        except ValueError as error:
            yield document.mistake(path, str(error))


# --- from a document without mistakes --------------------------------------------------------------------------------


def read_change_step(step: Mapping[str, Any], file: Path) -> ChangeStep:
    """A step that changes servers. `file` is the checklist's absolute path; paths become absolute."""
    kind = next(one for one in (*ACTS, "reboot") if one in step)
    act = None if kind == "reboot" else _action(step, file, None)
    rollback = step.get("rollback")
    return ChangeStep(
        id=step["id"],
        title=step["title"],
        why=step.get("why", ""),
        action=step.get("action", ""),
        tags=tuple(step.get("tags", ())),
        act=act,
        reboot=Reboot(step["reboot"]) if kind == "reboot" else None,
        precheck=tuple(step.get("precheck", ())),
        postcheck=tuple(step.get("postcheck", ())),
        rollback=None if rollback is None else _action(rollback, file, act),
        irreversible=step.get("irreversible", False),
        # Nobody knows what Python does twice; and a second reboot is one too many.
        idempotent=step.get("idempotent", kind not in ("fabric", "reboot")),
        done=step.get("done", ""),
        estimate=_seconds(step.get("estimate", 0.0)),
        timeout=_seconds(step.get("timeout", DEFAULT_REBOOT_TIMEOUT)) if kind == "reboot" else DEFAULT_REBOOT_TIMEOUT,
    )


def _action(written: Mapping[str, Any], file: Path, undone: Action | None) -> Action:
    """What is done, or what takes back what was `undone`: by default as the same user and in the same time."""
    return Action(
        playbook=str(playbook_path(file, written["playbook"])) if "playbook" in written else None,
        role=written.get("role"),
        tasks=tuple(written.get("tasks", ())),
        fabric=_beside(file, written["fabric"]) if "fabric" in written else None,
        parameters=written.get("parameters", {}),
        become=written.get("become", undone.become if undone else None),
        timeout=_seconds(written.get("timeout", undone.timeout if undone else DEFAULT_STEP_TIMEOUT)),
        file=str(file) if "tasks" in written else "",
    )


def read_policy(written: Mapping[str, Any], file: Path) -> ChangePolicy:
    """A checklist's `change:`; what is left out has its default. `file` is the checklist's absolute path."""
    gate = written.get("gate", "")
    budget = written.get("failure_budget", 0)
    return ChangePolicy(
        waves=tuple(_share(wave) for wave in written["waves"]) if "waves" in written else DEFAULT_WAVES,
        soak=_seconds(written.get("soak", 0.0)),
        gate=gate if isinstance(gate, str) else gate["command"],
        gate_timeout=_seconds(_mapping(gate).get("timeout", ChangePolicy().gate_timeout)),
        budget=int(_mapping(budget).get("run", 0) if isinstance(budget, dict) else budget),
        canary_budget=int(_mapping(budget).get("canary", 0)),
        packages=Packages(written.get("packages", Packages.PINNED)),
        approval=Approval(written.get("approval", Approval.REQUIRED)),
        approval_hours=_hours(written.get("approval_holds")),
        windows=read_windows(written["windows"]) if "windows" in written else None,
        late=Late(written.get("late", Late.SKIP)),
        silence=_hook(written.get("silence")),
        drain=_hook(written.get("drain")),
        snapshot=_hook(written.get("snapshot")),
        risk=Risk(**written.get("risk", {})),
        people=tuple(written.get("people", ())),
        expected=tuple(written.get("expected", ())),
        verify=tuple(_beside(file, one) for one in written.get("verify", ())),
        console_required=written.get("console") == "required",
    )


def _hook(written: Mapping[str, Any] | None) -> Hook | None:
    if written is None:
        return None
    given = dict(written)
    if "timeout" in given:
        given["timeout"] = _seconds(given["timeout"])
    return Hook(**given)


def _share(wave: float | str) -> Share:
    return Share(percent=float(wave[:-1])) if isinstance(wave, str) else Share(count=int(wave))


def _share_if_any(wave: Any) -> Share | None:
    if isinstance(wave, str):
        return _share(wave) if re.search(PERCENT, wave) else None
    whole = isinstance(wave, (int, float)) and not isinstance(wave, bool) and wave >= 1 and wave == int(wave)
    return _share(wave) if whole else None


def _hours(written: float | str | None) -> float:
    return ChangePolicy().approval_hours if written is None else _seconds(written) / _HOUR


def _seconds(written: float | str) -> float:
    return durations.seconds(written) if isinstance(written, str) else float(written)


def _beside(file: Path, name: str) -> str:
    return os.path.normpath(file.absolute().parent / name)


def _folder(document: Document) -> Path:
    return Path(document.file).absolute().parent


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
