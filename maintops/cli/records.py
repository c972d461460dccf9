"""maintops record: service records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from maintops.cli.options import Format, ShowFormat, house
from maintops.cli.output import console, say, show_json, show_table
from maintops.errors import UsageError

COLUMNS = ["record", "server", "checklist", "outcome", "severity", "started", "engineer"]


def register(app: typer.Typer) -> None:
    """Adds `record`."""
    group = typer.Typer(help="Service records: what happened, per server.", no_args_is_help=True)
    group.command("list")(list_records)
    group.command("show")(show_record)
    group.command("evidence")(evidence)
    app.add_typer(group, name="record")


def list_records(
    run: Annotated[
        str | None, typer.Option(help="Only those of this run (an id, a beginning of one, or `last`).")
    ] = None,
    server: Annotated[str | None, typer.Option("-l", "--server", help="Only those of this server.")] = None,
    checklist: Annotated[str | None, typer.Option(help="Only those of this checklist.")] = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, help="How many, newest first.")] = 20,
    format: ShowFormat = Format.TEXT,
) -> int:
    """List records, newest first."""
    from maintops.reports.documents import record_summary

    store = house().store
    wanted = store.run(run).id if run else None
    found = store.records(run=wanted, server=server, checklist=checklist, limit=limit)
    show_table(format, [record_summary(one) for one in found], COLUMNS, "no records")
    return 0


def show_record(
    record: Annotated[str, typer.Argument(help="A record's id, or the beginning of one.")],
    format: ShowFormat = Format.TEXT,
) -> int:
    """Show one record: every check and its outcome."""
    from maintops.cli.reporting import titles
    from maintops.reports.documents import record_document
    from maintops.reports.text import print_record

    store = house().store
    found = store.record(record)
    if format is Format.JSON:
        show_json(record_document(found))
    else:
        print_record(console(), found, titles(store.run(found.run)))
    return 0


def evidence(
    digest: Annotated[str, typer.Argument(help="Its SHA-256, or the beginning of one, as the record names it.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Write it to this file; one that exists is kept.")],
) -> int:
    """Write out a file that proves a step."""
    body = house().store.evidence(digest)
    try:
        with output.open("xb") as stream:
            output.chmod(0o600)
            stream.write(body)
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}") from error
    say(f"{len(body)} bytes are in {output}")
    return 0
