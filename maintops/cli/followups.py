"""maintops followup: what someone must do about findings."""

from __future__ import annotations

from typing import Annotated

import typer

from maintops.cli.options import By, Format, ShowFormat, house
from maintops.cli.output import say, show_fields, show_table

COLUMNS = ["followup", "state", "server", "title", "skill", "part", "opened", "proof"]


def register(app: typer.Typer) -> None:
    """Adds `followup`."""
    group = typer.Typer(help="Follow-ups: what someone must do about findings.", no_args_is_help=True)
    group.command("list")(list_followups)
    group.command("show")(show_followup)
    group.command("close")(close_followup)
    app.add_typer(group, name="followup")


def list_followups(
    server: Annotated[str | None, typer.Option("-l", "--server", help="Only those of this server.")] = None,
    closed: Annotated[bool, typer.Option("--closed", help="Also those that are closed.")] = False,
    format: ShowFormat = Format.TEXT,
) -> int:
    """List follow-ups, oldest first."""
    from maintops.reports.documents import followup_document

    documents = [followup_document(one) for one in house().store.followups(server=server, closed=closed)]
    show_table(format, documents, COLUMNS, "no follow-ups")
    return 0


def show_followup(
    followup: Annotated[str, typer.Argument(help="A follow-up's id, or the beginning of one.")],
    format: ShowFormat = Format.TEXT,
) -> int:
    """Show one follow-up."""
    from maintops.reports.documents import followup_document

    show_fields(format, followup_document(house().store.followup(followup)))
    return 0


def close_followup(
    followup: Annotated[str, typer.Argument(help="A follow-up's id, or the beginning of one.")],
    by: By = None,
    note: Annotated[str | None, typer.Option(help="Why; required where no re-check has proved it done.")] = None,
    format: ShowFormat = Format.TEXT,
) -> int:
    """Close a follow-up."""
    from maintops.reports.documents import followup_document

    closed = house(by=by).close_followup(followup, note)
    show_fields(format, followup_document(closed))
    say(f"closed {closed.id}")
    return 0
