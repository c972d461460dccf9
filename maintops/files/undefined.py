"""Variables that Ansible content needs and that nobody defines.

Only what is certain is told. A variable counts as needed where Ansible must fail without it: in a task that is carried
out on every server whatever is measured there, in a part of its templates that is evaluated in any case. It counts as
defined if anything anywhere in the content could define it, or asks whether it is defined. What is not understood
(include_vars, names of files made by templates, modules that bring facts) makes all of the content pass.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
from jinja2 import nodes

from maintops.errors import ConfigurationError, Mistake
from maintops.files.contents import (
    TASK_KEYWORDS,
    VARIABLE_ENDINGS,
    below,
    brings_no_facts,
    compose,
    compose_text,
    found_as,
    is_file,
    role_path,
    short,
    text_below,
    whole,
    words,
)
from maintops.files.documents import MOST_MISTAKES
from maintops.files.templates import Unclear, as_template, guarded_names, is_template, needed, parsed, stored
from maintops.files.wording import hint, quoted

MOST_FILES = 500
"""Files of one playbook or role that are looked into."""

_MAGIC = words(
    "caller cycler dict environment groups group_names hostvars inventory_dir inventory_file inventory_hostname "
    "inventory_hostname_short item joiner kwargs lipsum lookup loop namespace now omit parent_role_names play_hosts "
    "playbook_dir q query range role_name role_names role_path self super undef varargs varnames vars "
    "maintops_pinned maintops_before"
)
_MAGIC_PREFIXES = ("ansible_", "getent_")
_FACTS = {
    "service_facts": ("services",),
    "package_facts": ("packages",),
    "mount_facts": ("mount_points", "aggregate_mounts"),
}
_UNCLEAR_MODULES = frozenset({"include_vars", "add_host", "group_by", "include"})
_ROLE_KEYWORDS = TASK_KEYWORDS | {"role"}
_EXPRESSIONS = frozenset({"when", "that", "until", "failed_when", "changed_when"})
_TASK_LISTS = ("pre_tasks", "tasks", "post_tasks", "handlers")


def undefined_variables(
    content: Path | str | yaml.SequenceNode | Sequence[Mapping[str, Any]],
    known: Collection[str],
    folders: Sequence[Path],
    file: str = "",
) -> list[Mistake]:
    """The variables that a playbook (its path), a role (its name) or tasks need and nobody defines, each with its
    place; empty where the content is not understood. `known` are the variables that servers and the step bring;
    `folders` those below which roles are looked for (see `role_path`), the checklist's own first; `file` is what
    mistakes in tasks are told of: of nodes with their places in it, of values as a whole."""
    reader = _Reader(folders)
    try:
        if isinstance(content, Path):
            reader.read_playbook(content, certain=True)
        elif isinstance(content, yaml.SequenceNode):
            reader.read_tasks(content, Path(file), whole(folders[0] if folders else Path()))
        else:
            reader.read_play(_play_of(content), whole(folders[0] if folders else Path()) / file)
    except (Unclear, ConfigurationError, RecursionError, OSError, ValueError):
        return []  # told where the content itself is validated, or by Ansible
    defined = reader.defined | set(known)
    passed = defined | reader.guarded | _MAGIC
    found = (one for one in reader.uses if one.name not in passed and not one.name.startswith(_MAGIC_PREFIXES))
    mistakes = (
        one.mistake(defined) for one in sorted(set(found), key=lambda one: (one.file, one.line, one.column, one.name))
    )
    return list(islice(dict.fromkeys(mistakes), MOST_MISTAKES))


def _play_of(content: str | Sequence[Mapping[str, Any]]) -> str:
    """A role or tasks as a play: JSON, which is YAML."""
    inside = {"roles": [content]} if isinstance(content, str) else {"tasks": list(content)}
    return json.dumps([{"hosts": "all", **inside}], ensure_ascii=False, default=str)


@dataclass(frozen=True, slots=True)
class _Use:
    """A variable that is needed, and where."""

    name: str
    file: str
    line: int
    column: int

    def mistake(self, defined: Iterable[str]) -> Mistake:
        message = (
            f"the variable {quoted(self.name)} is not defined on every server: neither the inventory nor the step's"
        )
        message += f" parameters nor the content itself sets it{hint(self.name, defined)}"
        return Mistake(self.file, self.line, self.column, message)


@dataclass(frozen=True, slots=True)
class _At:
    """Where the reader stands. `folder` is the playbook's; `certain`: what stands here is carried out in any case."""

    file: Path
    folder: Path
    role: Path | None = None
    certain: bool = True
    placed: bool = True

    def unless(self, doubt: object) -> _At:
        """The same place, of which is not certain any more that it is reached."""
        return replace(self, certain=False) if doubt else self


class _Reader:
    """Walks content, and gathers what it needs, defines and asks for."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.defined: set[str] = set()
        self.guarded: set[str] = set()
        self.uses: list[_Use] = []
        self._folders = folders
        self._composed: dict[Path, yaml.Node | None] = {}
        self._seen: set[tuple[object, ...]] = set()

    def read_playbook(self, path: Path, *, certain: bool) -> None:
        path = whole(path)
        if self._again(path, certain):
            return
        at = _At(path, path.parent, certain=certain)
        if (path.parent / "vars_plugins").is_dir():
            raise Unclear
        for name in ("group_vars", "host_vars"):
            self._read_variablesbelow(path.parent / name)
        self._plays(self._file(path), at)

    def read_play(self, text: str, path: Path) -> None:
        """Plays that lie in no file; mistakes are told of `path` as a whole."""
        node = compose_text(text, path)
        self._survey(node)
        self._plays(node, _At(path, path.parent, placed=False))

    def read_tasks(self, tasks: yaml.SequenceNode, file: Path, folder: Path) -> None:
        """Tasks that stand in a file of something else, for all servers; `folder` is where they are carried out."""
        self._survey(tasks)
        self._tasks(tasks, _At(file, folder))

    def _file(self, path: Path) -> yaml.Node | None:
        if path not in self._composed:
            if len(self._composed) >= MOST_FILES:
                raise Unclear
            self._composed[path] = compose(path)
            self._survey(self._composed[path])
        return self._composed[path]

    def _again(self, *key: object) -> bool:
        """Whether the reader has been here, or at the same place with more certainty."""
        if key in self._seen or (*key[:-1], True) in self._seen:
            return True
        self._seen.add(key)
        return False

    def _read_variablesbelow(self, folder: Path) -> None:
        for place, folders, files in os.walk(folder):
            folders.sort()
            for name in sorted(files):
                if Path(name).suffix in VARIABLE_ENDINGS and not name.startswith("."):
                    self._read_variables(Path(place, name))

    def _read_variables(self, path: Path) -> None:
        node = self._file(path)
        if node is not None and not _is_empty(node):
            self.defined |= set(_pairs(node))

    def _plays(self, node: yaml.Node | None, at: _At) -> None:
        for one in _items(node):
            play = _pairs(one)
            imported = [value for key, value in play.items() if short(key) == "import_playbook"]
            if imported:
                path = at.file.parent / _literal(imported[0])
                if not is_file(path):
                    raise Unclear
                self.read_playbook(path, certain=at.certain and not play.keys() & {"when", "tags"})
            else:
                self._play(play, at)

    def _play(self, play: Mapping[str, yaml.Node], at: _At) -> None:
        # A play for some of the servers may be one for none of those that are changed.
        everywhere = "hosts" in play and isinstance(play["hosts"], yaml.ScalarNode) and play["hosts"].value == "all"
        at = at.unless(not everywhere or _is_doubtful(play))
        for one in _items(play.get("vars_files")):
            path = at.file.parent / _literal(one)
            if not is_file(path):
                raise Unclear
            self._read_variables(path)
        for entry in _items(play.get("roles")):
            self._role_entry(entry, at)
        for name in _TASK_LISTS:
            self._tasks(play.get(name), at.unless(name == "handlers"))

    def _role_entry(self, entry: yaml.Node, at: _At) -> None:
        if isinstance(entry, yaml.ScalarNode):
            self._role(_literal(entry), at)
            return
        given = _pairs(entry)
        self.defined |= given.keys() - _ROLE_KEYWORDS
        self._role(_literal(given.get("role") or given.get("name")), at.unless(_is_doubtful(given) or "when" in given))

    def _role(self, name: str, at: _At, tasks: str = "main") -> None:
        path = self._role_folder(name, at)
        if self._again(path, tasks, at.certain):
            return
        for part in ("defaults", "vars"):
            self._read_variablesbelow(path / part)
        at = replace(at, role=path, placed=True)
        meta = found_as(path / "meta" / "main")
        if meta is not None:
            for entry in _items(_pairs(self._file(meta)).get("dependencies")):
                self._role_entry(entry, replace(at, file=meta))
        handlers, main = found_as(path / "handlers" / "main"), found_as(path / "tasks" / tasks)
        if main is None and tasks != "main":
            raise Unclear
        for file, certain in ((main, at.certain), (handlers, False)):
            if file is not None:
                self._tasks(self._file(file), replace(at, file=file, certain=certain))

    def _role_folder(self, name: str, at: _At) -> Path:
        beside = [at.folder / "roles" / name] + ([at.role.parent / name] if at.role is not None else [])
        found = [one for one in beside if one.is_dir()]
        others = (role_path(folder, name) for folder in (*self._folders, at.folder))
        path = next(iter(found), None) or next((one for one in others if one is not None), None)
        if path is None:
            raise Unclear
        return whole(path)

    def _tasks(self, node: yaml.Node | None, at: _At) -> None:
        for one in _items(node):
            self._task(_pairs(one), at)

    def _task(self, task: Mapping[str, yaml.Node], at: _At) -> None:
        at = at.unless(_is_doubtful(task))
        loops = [key for key in task if key == "loop" or key.startswith("with_")]
        if "when" in task and not loops:
            self._needs_condition(task["when"], at)
        at = at.unless("when" in task)
        if "block" in task:
            # What is rescued may fail on purpose.
            inner = at.unless("rescue" in task)
            for name, here in (("block", inner), ("rescue", at.unless(True)), ("always", inner)):
                self._tasks(task.get(name), here)
            return
        for key in ("loop", "with_items"):
            self._needs(task.get(key), at)
        at = at.unless(loops and not _is_full_list(task[loops[0]]))
        module, given = _module(task)
        self._module(module, given, task, at)

    def _module(self, module: str, given: yaml.Node, task: Mapping[str, yaml.Node], at: _At) -> None:
        self.defined.update(_FACTS.get(module, ()))
        if module == "meta" and "end_" in text_below(given):
            raise Unclear
        if module in ("import_tasks", "include_tasks"):
            self._include(given, at)
        elif module in ("import_role", "include_role"):
            role = _pairs(given)
            tasks = _literal(role["tasks_from"]) if "tasks_from" in role else "main"
            self._role(_literal(role.get("name") or role.get("role")), at.unless("apply" in role), tasks)
        elif module not in ("assert", "meta") and "verbosity" not in text_below(given):
            for node in (given, task.get("args"), task.get("environment"), task.get("delegate_to")):
                self._needs(node, at)

    def _include(self, given: yaml.Node, at: _At) -> None:
        written = _pairs(given) if isinstance(given, yaml.MappingNode) else {"file": given}
        name = _literal(written.get("file"))
        above = [at.file.parent, at.folder] + ([at.role / "tasks", at.role] if at.role is not None else [])
        found = {whole(folder / name) for folder in above if is_file(folder / name)}
        if len(found) != 1:
            raise Unclear
        at = replace(at.unless("apply" in written), file=found.pop(), placed=True)
        if not self._again(at.file, at.role, at.certain):
            self._tasks(self._file(at.file), at)

    def _needs(self, node: yaml.Node | None, at: _At) -> None:
        """Everything below a node is rendered."""
        for one in _scalars(node) if at.certain else ():
            if is_template(one.value):
                self._use(parsed(one.value), one, at)

    def _needs_condition(self, node: yaml.Node, at: _At) -> None:
        """Of several conditions only the first is evaluated in any case."""
        first = node.value[0] if isinstance(node, yaml.SequenceNode) and node.value else node
        if at.certain and first.tag == "tag:yaml.org,2002:str":  # not yes, which is true to YAML
            self._use(parsed(as_template(first.value)), first, at)

    def _use(self, template: nodes.Template, node: yaml.Node, at: _At) -> None:
        mark: Any = node.start_mark
        line, column = (mark.line + 1, mark.column + 1) if at.placed else (0, 0)
        for name in set(needed(template)) - stored(template):
            self.uses.append(_Use(name, str(at.file), line, column))

    def _survey(self, top: yaml.Node | None) -> None:
        """What a file defines, and what it asks for, wherever that stands."""
        for node in below(top):
            if isinstance(node, yaml.ScalarNode) and is_template(node.value) and not node.tag.startswith("!"):
                self.guarded |= set(guarded_names(parsed(node.value)))
            if isinstance(node, yaml.MappingNode):
                for key, value in _pairs(node).items():
                    self._survey_pair(short(key), value)

    def _survey_pair(self, key: str, value: yaml.Node) -> None:
        if key in _UNCLEAR_MODULES and not isinstance(value, yaml.SequenceNode):
            raise Unclear
        if key in ("vars", "set_fact") and isinstance(value, yaml.MappingNode):
            self.defined |= _pairs(value).keys()
        elif key in ("vars", "set_fact") and text_below(value).startswith("{{"):
            raise Unclear
        elif key == "set_fact":
            self.defined |= {word.partition("=")[0] for word in text_below(value).split()}
        elif key in ("register", "loop_var", "index_var"):
            self.defined.add(_literal(value))
        elif key == "vars_prompt":
            self.defined |= {_literal(_pairs(one).get("name")) for one in _items(value)}
        elif key in _EXPRESSIONS:
            for one in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if isinstance(one, yaml.ScalarNode):
                    self.guarded |= set(guarded_names(parsed(as_template(one.value))))


# --- nodes of YAML ---------------------------------------------------------------------------------------------------


def _pairs(node: yaml.Node | None) -> dict[str, yaml.Node]:
    """A mapping, with what it merges from another one; not more than that, as merges of merges may be a bomb."""
    if not isinstance(node, yaml.MappingNode):
        raise Unclear
    own, merged = _split(node)
    for other in merged:
        theirs, deeper = _split(other)
        if deeper:
            raise Unclear
        own = theirs | own
    return own


def _split(node: yaml.Node) -> tuple[dict[str, yaml.Node], list[yaml.Node]]:
    if any(not isinstance(key, yaml.ScalarNode) or "{{" in key.value for key, _ in node.value):
        raise Unclear
    merged = [value for key, value in node.value if key.value == "<<"]
    if not all(isinstance(one, yaml.MappingNode) for one in merged):
        raise Unclear
    return {key.value: value for key, value in node.value if key.value != "<<"}, merged


def _items(node: yaml.Node | None) -> list[yaml.Node]:
    if node is None or _is_empty(node):
        return []
    if not isinstance(node, yaml.SequenceNode):
        raise Unclear
    return list(node.value)


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value in ("", "~", "null")


def _is_full_list(node: yaml.Node) -> bool:
    return isinstance(node, yaml.SequenceNode) and bool(node.value)


def _is_doubtful(pairs: Mapping[str, yaml.Node]) -> bool:
    """Whether something may be passed over, or fail without harm."""
    return bool(pairs.keys() & {"ignore_errors", "failed_when"}) or "never" in text_below(pairs.get("tags"))


def _literal(node: yaml.Node | None) -> str:
    """A word that is neither a template nor arguments."""
    if not isinstance(node, yaml.ScalarNode) or "{{" in node.value or len(node.value.split()) != 1:
        raise Unclear
    return str(node.value)


def _scalars(node: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    return (one for one in below(node) if isinstance(one, yaml.ScalarNode) and not one.tag.startswith("!"))


def _module(task: Mapping[str, yaml.Node]) -> tuple[str, yaml.Node]:
    """The module of a task and what it is given."""
    keys = [key for key in task if key not in TASK_KEYWORDS and not key.startswith("with_")]
    if len(keys) != 1:
        raise Unclear
    name = short(keys[0])
    if not brings_no_facts(name):
        raise Unclear
    return name, task[keys[0]]
