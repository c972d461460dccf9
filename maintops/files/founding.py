"""A new maintenance repository: the files that `maintops init` makes. Nothing that is there already is touched."""

from __future__ import annotations

import os
from pathlib import Path

from maintops.errors import UsageError

_SETTINGS = """\
# Settings of this maintenance repository. A flag or a MAINTOPS_* variable beats what stands here.
inventory: inventories
checklists: checklists
database_url: sqlite:///.maintops/maintops.sqlite   # or postgresql://USER@HOST/NAME
host_keys: strict                                   # strict | accept-new | off
forks: 20
fail_on: critical                                   # info | warning | critical | never
"""

_INVENTORY = """\
# An Ansible inventory: any of its formats and plug-ins can stand here.
all:
  hosts:
    localhost:
      ansible_connection: local
      maintops_criticality: core
#  children:
#    web:
#      vars: {ansible_user: maintenance, ansible_become: true, maintops_site: Berlin}
#      hosts:
#        web1.example.org: {maintops_in_service: "2024-03-01", maintops_customer: Example Ltd}
"""

_CHECKLIST = """\
# yaml-language-server: $schema=../checklist.schema.json
checklist: our-check
title: What this team checks besides
service: inspection
cadence: {every: week}
parameters:
  most_users: 5
checks:
  - id: OUR-010
    title: Not too many people are logged in
    command: who
    parse: lines
    rules:
      - when: count > parameters.most_users
        severity: warning
        finding: "{{ count }} logins at once"
        follow_up: {title: "Ask who is working on this server"}
"""

_IGNORED = """\
.maintops/
"""

_FILES = {
    "maintops.yml": _SETTINGS,
    "inventories/servers.yml": _INVENTORY,
    "checklists/our-check.yml": _CHECKLIST,
    "playbooks/.gitkeep": "",
    ".gitignore": _IGNORED,
}


def found(folder: Path) -> list[Path]:
    """Makes what is missing and returns it. The database's folder is for its owner alone. Raises UsageError."""
    try:
        made = [folder / name for name, text in _FILES.items() if _write(folder / name, text)]
        state = folder / ".maintops"
        if not state.is_dir():
            state.mkdir(mode=0o700)
            made.append(state)
        if _write(folder / "checklist.schema.json", _schema()):
            made.append(folder / "checklist.schema.json")
    except OSError as error:
        raise UsageError(f"cannot make {error.filename or folder}: {error.strerror}") from None
    return made


def _schema() -> str:
    import json

    from maintops.files.schemas import checklist_schema

    return json.dumps(checklist_schema(), indent=2) + "\n"


def _write(path: Path, text: str) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return False
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
    return True
