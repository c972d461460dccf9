"""maintops baseline: what has been accepted as right."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from maintops.cli.options import By, Format, Inventory, Limit, ShowFormat, house
from maintops.cli.output import say, show_fields, show_table

COLUMNS = ["server", "check", "subjects", "at", "by", "why"]


def register(app: typer.Typer) -> None:
    """Adds `baseline`."""
    group = typer.Typer(help="Baselines: what has been accepted as right.", no_args_is_help=True)
    group.command("accept")(accept)
    group.command("list")(list_baselines)
    group.command("show")(show_baseline)
    app.add_typer(group, name="baseline")


def accept(
    checks: Annotated[list[str] | None, typer.Argument(help="Ids of checks; none: all that were measured.")] = None,
    inventory: Inventory = None,
    limit: Limit = None,
    by: By = None,
    why: Annotated[str, typer.Option(help="Why it is right; kept with the baseline.")] = "",
    format: ShowFormat = Format.TEXT,
) -> int:
    """Accept what was measured last as right: rules compare with it (baseline.FACT), and what is missing by then is
    no longer missed."""
    from maintops.reports.documents import baseline_document

    accepted = house(inventory=inventory, by=by).accept_baselines(checks or [], limit=limit, why=why)
    documents = [baseline_document(one) for one in accepted.baselines]
    _show(format, documents, "nothing accepted")
    if accepted.without:
        say(f"nothing was ever measured on {', '.join(accepted.without)}")
    say("accepted 1 baseline" if len(accepted.baselines) == 1 else f"accepted {len(accepted.baselines)} baselines")
    return 0


def list_baselines(
    server: Annotated[str | None, typer.Option("-l", "--server", help="Only those of this server.")] = None,
    replaced: Annotated[bool, typer.Option("--replaced", help="Also earlier ones.")] = False,
    format: ShowFormat = Format.TEXT,
) -> int:
    """List baselines: who accepted what, when and why."""
    from maintops.reports.documents import baseline_document

    found = house().store.baselines(server=server, replaced=replaced)
    documents = [baseline_document(one) for one in found]
    _show(format, documents, "no baselines")
    return 0


def show_baseline(
    server: Annotated[str, typer.Argument(help="A server's name.")],
    check: Annotated[str, typer.Argument(help="A check's id.")],
    format: ShowFormat = Format.TEXT,
) -> int:
    """Show the accepted facts of one server and check."""
    from maintops.errors import UsageError
    from maintops.reports.documents import baseline_document

    found = [one for one in house().store.baselines(server=server) if one.check == check]
    if not found:
        raise UsageError(f"no baseline of {check} was accepted for {server} (maintops baseline list)")
    document = baseline_document(found[0])
    show_fields(format, document, skip=["subjects"])
    if format is Format.TEXT:
        _print_subjects(document["subjects"])
    return 0


def _print_subjects(subjects: list[dict[str, Any]]) -> None:
    from maintops.reports.escaping import visible
    from maintops.rules.filters import shown

    for one in subjects:
        print()
        print("(the server)" if one["subject"] is None else visible(one["subject"]))
        for name, value in one["facts"].items():
            print(f"  {visible(name)}: {visible(shown(value))}")


def _show(format: Format, documents: list[dict[str, Any]], nothing: str) -> None:
    if format is Format.TEXT:
        documents = [one | {"subjects": len(one["subjects"])} for one in documents]
    show_table(format, documents, COLUMNS, nothing)
