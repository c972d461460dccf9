"""maintops init and doctor: a maintenance repository, and whether everything is in order for it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from maintops.cli.options import Format, Inventory, ShowFormat, house
from maintops.cli.output import say, show_table


def register(app: typer.Typer) -> None:
    """Adds `init` and `doctor`."""
    app.command("init")(init)
    app.command("doctor")(doctor)


def init(
    folder: Annotated[Path, typer.Argument(help="A folder; made if it is not there.")] = Path(),
) -> int:
    """Make a maintenance repository: settings, inventory, checklists, playbooks and the database in one folder."""
    from maintops.files.founding import found

    made = found(folder)
    for path in made:
        say(f"made {path}")
    if not made:
        say(f"{folder} is a maintenance repository already; nothing was changed")
    say(f"next: cd {folder} && maintops doctor && maintops run daily-check")
    return 0


def doctor(inventory: Inventory = None, format: ShowFormat = Format.TEXT) -> int:
    """Look at this machine and the settings; say what is wrong and what to do. Exit 64 where something must be done."""
    findings = house(inventory=inventory).examine()
    documents = [{"what": one.what, "state": one.state, "found": one.found, "do": one.advice} for one in findings]
    show_table(format, documents, ["what", "state", "found", "do"], "")
    return 64 if any(one.state == "bad" for one in findings) else 0
