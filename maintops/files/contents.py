"""Content beside a checklist (playbooks, roles, functions, tests): where it lies, what is in it, and its digests."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from maintops.domain.changes import Action, ChangePolicy
from maintops.domain.checklists import Checklist
from maintops.errors import ConfigurationError, Mistake, UsageError
from maintops.files.scripts import is_bound, scripts

MOST_FILES = 5000
"""Files that the content of a checklist may have."""

MOST_BYTES = 200 * 1024 * 1024
"""Bytes that the files of a checklist's content may have together."""

LARGEST_YAML = 1024 * 1024
"""Bytes that a YAML file of Ansible may have to be looked into."""

BESIDE = (
    "tasks",
    "handlers",
    "roles",
    "templates",
    "files",
    "vars",
    "group_vars",
    "host_vars",
    "library",
    "module_utils",
    "collections",
    "action_plugins",
    "callback_plugins",
    "connection_plugins",
    "filter_plugins",
    "lookup_plugins",
    "strategy_plugins",
    "test_plugins",
    "vars_plugins",
)
"""Folders beside a playbook that Ansible, or the playbook's author, takes things from."""

YAML_ENDINGS = (".yml", ".yaml")
VARIABLE_ENDINGS = (*YAML_ENDINGS, "", ".json")
# Written by running the content: with these a plan would be void as soon as it was tried.
_MADE = frozenset({"__pycache__", ".git"})
_ROLE_PARTS = ("tasks", "handlers", "defaults", "vars", "meta")
_FILE = re.compile(r"^[^/{}\s][^{}\s]{0,254}$")
_DEEPEST = 64
_MOST_NODES = 100_000
_CHUNK = 1024 * 1024
_SYSTEM_ROLES = ("~/.ansible/roles", "/usr/share/ansible/roles", "/etc/ansible/roles")
_SYSTEM_COLLECTIONS = ("~/.ansible/collections", "/usr/share/ansible/collections")
_QUALIFIED = re.compile(r"([A-Za-z_]\w*)\.([A-Za-z_]\w*)\.([A-Za-z_][\w.]*)")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


# --- words of Ansible ------------------------------------------------------------------------------------------------


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


TASK_KEYWORDS = words(
    "any_errors_fatal args async become become_exe become_flags become_method become_user changed_when check_mode "
    "collections connection debugger delay delegate_facts delegate_to diff environment failed_when ignore_errors "
    "ignore_unreachable listen loop loop_control module_defaults name no_log notify poll port register remote_user "
    "retries run_once tags throttle timeout until vars when"
)
"""The keys of a task that are not its module."""

_MODULES = words(
    "apt apt_key apt_repository assemble assert async_status blockinfile command copy cron deb822_repository debconf "
    "debug dnf dnf5 dpkg_selections expect fail fetch file find gather_facts get_url getent git group hostname "
    "import_role import_tasks include_role include_tasks iptables known_hosts lineinfile meta mount_facts package "
    "package_facts pause ping pip raw reboot replace rpm_key script service service_facts set_fact set_stats setup "
    "shell slurp stat subversion systemd systemd_service sysvinit tempfile template unarchive uri user "
    "validate_argument_spec wait_for wait_for_connection yum yum_repository"
)
# Their modules bring facts only where their names say so.
_QUIET_COLLECTIONS = ("ansible.posix.", "ansible.utils.", "community.crypto.", "community.general.")
_QUIET_OTHERS = words(  # of these collections, by the names under which they are still known
    "acl alternatives apache2_module authorized_key filesystem firewalld ini_file locale_gen lvg lvol modprobe mount "
    "npm pam_limits parted seboolean sefcontext selinux seport snap synchronize sysctl timezone ufw xml zypper"
)


def short(name: str) -> str:
    """The name of a module, filter or test without ansible.builtin."""
    for prefix in ("ansible.builtin.", "ansible.legacy."):
        name = name.removeprefix(prefix)
    return name


def brings_no_facts(module: str) -> bool:
    """Whether a module (of ansible.builtin: its short name) is known to set no variables but those of `register` and
    those that Ansible documents for all playbooks."""
    quiet = module.startswith(_QUIET_COLLECTIONS) and not any(word in module for word in ("facts", "facter", "ohai"))
    return quiet or module in _MODULES or module in _QUIET_OTHERS


# --- where it lies ---------------------------------------------------------------------------------------------------


def playbook_path(checklist: Path, playbook: str) -> Path | None:
    """A playbook: beside the checklist, or in the folder `playbooks` beside the checklist's folder."""
    folder = checklist.absolute().parent
    candidates = (folder / playbook, folder.parent / "playbooks" / playbook)
    found = next((path for path in candidates if is_file(path)), None)
    return None if found is None else whole(found)


def role_path(folder: Path, role: str) -> Path | None:
    """The folder of a role where the ansible engine looks for it: below a checklist's folder (`roles/NAME`, `NAME`) and
    in Ansible's own places; of NAMESPACE.COLLECTION.ROLE in collections too."""
    places = chain([folder / "roles", folder], (Path(one).expanduser() for one in _SYSTEM_ROLES))
    return next(
        (one for one in chain(_in_collections(folder, role), (at / role for at in places)) if _is_folder(one)), None
    )


def _in_collections(folder: Path, role: str) -> Iterator[Path]:
    match = _QUALIFIED.fullmatch(role)
    if match is None:
        return
    parts = ("ansible_collections", match[1], match[2], "roles", *match[3].split("."))
    places = chain([folder / "collections"], (Path(one).expanduser() for one in _SYSTEM_COLLECTIONS))
    yield from (place.joinpath(*parts) for place in chain(places, _packaged_collections()))


def _packaged_collections() -> Iterator[Path]:
    """Where Python packages bring collections: in the environment that Ansible is installed in, or in ours."""
    yield from (Path(one) for one in sys.path if one)
    program = shutil.which("ansible-playbook")
    if program is not None:
        above = Path(program).resolve().parent.parent
        yield from sorted(above.glob("lib*/python3*/*-packages"))


def found_as(stem: Path) -> Path | None:
    """A YAML file of Ansible by its path without an ending."""
    return next((path for path in (Path(f"{stem}{ending}") for ending in VARIABLE_ENDINGS) if is_file(path)), None)


def whole(path: Path) -> Path:
    """An absolute path without `..`, its links left as they are."""
    return Path(os.path.normpath(path.absolute()))


def is_file(path: Path) -> bool:
    """Whether there is such a file; no name that a file cannot have breaks it."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name that no folder can have
        return False


# --- YAML as Ansible has it ------------------------------------------------------------------------------------------


def compose(path: Path) -> yaml.Node | None:
    """The nodes of a YAML file of Ansible, with tags (!vault), anchors and places; None for an empty file. Raises
    ConfigurationError where it is not YAML, or larger or deeper than what is looked into."""
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_YAML + 1)
        text = content.decode("utf-8")
    except (OSError, ValueError) as error:
        raise _refused(path, f"cannot be read: {getattr(error, 'strerror', None) or 'is not UTF-8 text'}") from None
    if len(content) > LARGEST_YAML:
        raise _refused(path, f"is larger than {LARGEST_YAML // 1024} KiB")
    return compose_text(text, path)


def compose_text(text: str, path: Path) -> yaml.Node | None:
    """The same for text at hand; `path` is only named."""
    try:
        _limit(text, path)  # before anything is built: building it takes a frame of the stack for each level
        found: yaml.Node | None = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise ConfigurationError([Mistake(str(path), line, column, f"is not YAML: {error.problem}")]) from None
    except yaml.YAMLError as error:
        raise _refused(path, f"is not YAML: {str(error).splitlines()[0]}") from None
    return found


def _limit(text: str, path: Path) -> None:
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_LOADER)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST or count > _MOST_NODES:
            raise _refused(path, "is nested too deeply or has too many values to be looked into")


def below(top: yaml.Node | None) -> Iterator[yaml.Node]:
    """A node and all below it, keys too, in no order; what an alias repeats comes once."""
    seen: set[int] = set()
    waiting = [] if top is None else [top]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            waiting += [one for pair in node.value for one in pair]


def text_below(node: yaml.Node | None) -> str:
    """All words below a node, keys too."""
    return " ".join(one.value for one in below(node) if isinstance(one, yaml.ScalarNode))


def _refused(path: Path, message: str) -> ConfigurationError:
    return ConfigurationError([Mistake(str(path), 0, 0, message)])


# --- digests ---------------------------------------------------------------------------------------------------------


def content_digests(checklist: Checklist, consoles: Iterable[str] = ()) -> dict[str, str]:
    """SHA-256 (hex) of every file that decides what a checklist's steps do, by its path relative to the checklist's
    folder (`../playbooks/update.yml`), sorted.

    Those are: the playbooks of steps and rollbacks and what lies in BESIDE next to them; roles and files that these
    name, and what is named in there; files of Fabric functions and the Python files beside them; those of testinfra;
    and those that the gate, hooks on the controller and `consoles` (commands) name (see maintops.files.scripts; not the
    secret ones, and not what this user cannot read). A symbolic link out of its folder stands for the path that it
    holds, not for what is there. Raises UsageError for another file that cannot be read, and beyond MOST_FILES or
    MOST_BYTES.
    """
    folder = Path(checklist.file).absolute().parent
    digests = _Digests(folder)
    for action in _actions(checklist):
        digests.add_action(action)
    for path in checklist.change.verify:
        digests.add_file(Path(path))
    for script in scripts(chain(_commands(checklist.change), consoles), [folder]):
        if is_bound(script):
            digests.add_file(script)
    digests.add_what_is_named()
    return dict(sorted(digests.found.items()))


def _commands(policy: ChangePolicy) -> Iterator[str]:
    """The commands of a policy that are carried out on the controller."""
    yield policy.gate
    for _, one in policy.hooks:
        if one.on == "controller":
            yield from (one.command, one.undo, one.verify)


def _actions(checklist: Checklist) -> Iterator[Action]:
    for step in checklist.changes:
        yield from (action for action in (step.act, step.rollback) if action is not None)


@dataclass(slots=True)
class _Digests:
    """What was found so far. `waiting`: YAML files in which roles may be named."""

    folder: Path
    found: dict[str, str] = field(default_factory=dict)
    size: int = 0
    waiting: list[Path] = field(default_factory=list)
    roles: set[str] = field(default_factory=set)

    def add_action(self, action: Action) -> None:
        if action.playbook is not None:
            path = Path(action.playbook)
            self.add_file(path)
            for name in BESIDE:
                self.add_tree(path.parent / name)
        elif action.fabric is not None:
            path = Path(action.fabric.rpartition(":")[0])
            self.add_file(path)
            for one in sorted(path.parent.glob("*.py")):
                self._add_entry(one, path.parent)
        elif action.role is not None:
            self.add_role(action.role)
        else:
            self._name_roles(list(_values_named(action.tasks)))

    def add_role(self, name: str) -> None:
        if name in self.roles:
            return
        self.roles.add(name)
        path = role_path(self.folder, name)
        # What only looks like a role's name may be that of any folder.
        if path is not None and any((path / part).is_dir() for part in _ROLE_PARTS):
            self.add_tree(path)

    def add_what_is_named(self) -> None:
        """Roles and files that the files name, what these name, and so on."""
        while self.waiting:
            path = self.waiting.pop()
            try:
                node = compose(path)
            except ConfigurationError:  # a template, or a file of something else: no playbook, no tasks
                continue
            roles, files = _named(node)
            self._name_roles(roles)
            for name in files:
                if is_file(path.parent / name):
                    self.add_file(whole(path.parent / name))

    def _name_roles(self, names: Iterable[str]) -> None:
        for name in names:
            self.add_role(name)

    def add_tree(self, top: Path) -> None:
        if top.is_symlink():
            self._add_entry(top, top.parent)
            return
        for folder, folders, files in os.walk(top, onerror=_unreadable):
            folders[:] = sorted(name for name in folders if name not in _MADE)
            for name in sorted(files):
                self._add_entry(Path(folder, name), top)
            for name in folders:
                if Path(folder, name).is_symlink():
                    self._add_entry(Path(folder, name), top)

    def _add_entry(self, path: Path, tree: Path) -> None:
        """A file; of a link out of its tree, and of one to a folder (its files come by themselves), where it leads."""
        if path.is_symlink() and not _leads_inside(path, tree):
            self._keep(path, hashlib.sha256(b"a link to " + os.fsencode(path.readlink())).hexdigest(), 0)
            return
        try:
            if stat.S_ISREG(path.stat().st_mode):
                self.add_file(path)
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}") from None

    def add_file(self, path: Path) -> None:
        if self._key(path) in self.found:
            return
        digest, size = hashlib.sha256(), 0
        try:
            with path.open("rb") as stream:
                while chunk := stream.read(_CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    self._limit(path, size)
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}") from None
        self._keep(path, digest.hexdigest(), size)
        if path.suffix in YAML_ENDINGS:
            self.waiting.append(path)

    def _keep(self, path: Path, digest: str, size: int) -> None:
        self.found[self._key(path)] = digest
        self.size += size
        self._limit(path, 0)

    def _limit(self, path: Path, more: int) -> None:
        if len(self.found) > MOST_FILES or self.size + more > MOST_BYTES:
            most = f"{MOST_FILES} files or {MOST_BYTES // 1024 // 1024} MB"
            raise UsageError(f"the content of {self.folder} has more than {most}: see what lies in {path.parent}")

    def _key(self, path: Path) -> str:
        name = os.path.relpath(path, self.folder)
        return name.encode("utf-8", "backslashreplace").decode("utf-8")  # a name may be any bytes


def _leads_inside(link: Path, tree: Path) -> bool:
    """Whether a symbolic link leads to a file below a folder."""
    try:
        return link.resolve().is_relative_to(tree.resolve()) and link.is_file()
    except (OSError, RuntimeError):  # links in a circle
        return False


def _unreadable(error: OSError) -> None:
    # That a folder is not there is no mistake: most of BESIDE are not.
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}")


# --- roles that content names ----------------------------------------------------------------------------------------


def _named(top: yaml.Node | None) -> tuple[list[str], list[str]]:
    """The names of roles in `roles:`, `dependencies:`, `import_role:` and `include_role:`, wherever they stand; every
    word that could be the relative path of a file."""
    roles: list[str] = []
    files: list[str] = []
    for node in below(top):
        if isinstance(node, yaml.ScalarNode) and _FILE.search(node.value):
            files.append(node.value.rpartition("=")[2])
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                roles += _names_below(str(key.value), _plain(value))
    return roles, files


def _plain(node: yaml.Node, depth: int = 3) -> Any:
    """A node's text, lists and mappings with text for keys, a few levels down."""
    if isinstance(node, yaml.ScalarNode):
        return node.value
    if depth == 0:
        return None
    if isinstance(node, yaml.SequenceNode):
        return [_plain(one, depth - 1) for one in node.value]
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): _plain(value, depth - 1) for key, value in node.value}
    return None


def _values_named(value: Any) -> Iterator[str]:
    """The same for values that were read already."""
    if isinstance(value, (list, tuple)):
        for one in value:
            yield from _values_named(one)
    elif hasattr(value, "items"):
        for key, inner in value.items():
            yield from _names_below(str(key), inner)
            yield from _values_named(inner)


def _names_below(key: str, value: Any) -> Iterator[str]:
    word = key.rpartition(".")[2]
    if word in ("roles", "dependencies") and isinstance(value, (list, tuple)):
        entries: Iterable[Any] = value
    elif word in ("import_role", "include_role"):
        entries = (value,)
    else:
        return
    for entry in entries:
        name = entry.get("role", entry.get("name")) if isinstance(entry, dict) else entry
        if isinstance(name, str) and name.strip() and "{{" not in name:
            yield name
