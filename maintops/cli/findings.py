"""maintops finding: what measurements mean, with memory."""

from __future__ import annotations

from typing import Annotated

import typer

from maintops.cli.options import Format, ShowFormat, house
from maintops.cli.output import console, show_fields, show_table

COLUMNS = ["finding", "severity", "state", "server", "check", "subject", "message", "first_seen"]


def register(app: typer.Typer) -> None:
    """Adds `finding`."""
    group = typer.Typer(help="Findings: rules that matched, with memory.", no_args_is_help=True)
    group.command("list")(list_findings)
    group.command("show")(show_finding)
    app.add_typer(group, name="finding")


def list_findings(
    server: Annotated[str | None, typer.Option("-l", "--server", help="Only those of this server.")] = None,
    gone: Annotated[bool, typer.Option("--gone", help="Also those that are gone.")] = False,
    format: ShowFormat = Format.TEXT,
) -> int:
    """List findings, worst and newest first."""
    from maintops.reports.documents import finding_document

    documents = [finding_document(one) for one in house().store.findings(server=server, gone=gone)]
    show_table(format, documents, COLUMNS, "no findings")
    return 0


def show_finding(
    finding: Annotated[str, typer.Argument(help="A finding's id, or the beginning of one.")],
    format: ShowFormat = Format.TEXT,
) -> int:
    """Show one finding and its history."""
    from maintops.reports.documents import finding_document
    from maintops.reports.text import table

    store = house().store
    found = store.finding(finding)
    document = finding_document(found, store.history(found.id))
    show_fields(format, document, skip=["history"])
    if format is Format.TEXT:
        print()
        columns = ["at", "state", "severity", "message", "record"]
        table(console(), columns, [[str(one[name] or "") for name in columns] for one in document["history"]])
    return 0
