"""The flags that several commands share; they mean what they mean in Ansible."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from maintops.wiring import House


class Format(StrEnum):
    """How a list or a value is shown."""

    TEXT = "text"
    JSON = "json"


class RunFormat(StrEnum):
    """How the result of a run is shown."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"


class ReportFormat(StrEnum):
    """What kinds of report there are."""

    HTML = "html"
    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"


class Engine(StrEnum):
    """Which way to the servers."""

    AUTO = "auto"
    SSH = "ssh"
    ANSIBLE = "ansible"


class FailOnChoice(StrEnum):
    """From which severity on the exit code is 2."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"
    NEVER = "never"


def complete_checklist(incomplete: str) -> list[str]:
    """Names of checklists for the shell."""
    from maintops.errors import MaintopsError
    from maintops.files.checklists import list_checklists

    try:
        names = [path.stem for path in list_checklists(House().checklist_folders)]
    except MaintopsError:
        return []  # there is nobody to tell while a line is being typed
    return [name for name in names if name.startswith(incomplete)]


def complete_server(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of servers for the shell; inventories given with -i before the cursor count."""
    from maintops.errors import MaintopsError

    try:
        servers = House(flags={"inventory": ctx.params.get("inventory")}).servers()
    except MaintopsError:
        return []  # there is nobody to tell while a line is being typed
    return [server.name for server in servers if server.name.startswith(incomplete)]


Inventory = Annotated[
    list[str] | None,
    typer.Option("-i", "--inventory", help="An Ansible inventory: a file, a folder or `host1,host2,`. Repeatable."),
]
Limit = Annotated[
    str | None,
    typer.Option("-l", "--limit", help="Only these servers: an Ansible pattern.", autocompletion=complete_server),
]
ShowFormat = Annotated[Format, typer.Option("--format", help="text for people, json for programs.")]
By = Annotated[str | None, typer.Option("--by", help="The engineer in whose name this is done.")]


def house(**flags: Any) -> House:
    """The current folder's house."""
    return House(flags=flags)
