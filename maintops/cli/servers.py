"""maintops server: the servers of the inventory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from maintops.cli.options import Format, Inventory, Limit, ShowFormat, house
from maintops.cli.output import show_table

if TYPE_CHECKING:
    from maintops.domain.servers import Server

COLUMNS = ["server", "criticality", "in_service", "customer", "site", "roles", "engine", "why"]


def register(app: typer.Typer) -> None:
    """Adds `server`."""
    group = typer.Typer(help="The servers of the inventory.", no_args_is_help=True)
    group.command("list")(list_servers)
    app.add_typer(group, name="server")


def list_servers(inventory: Inventory = None, limit: Limit = None, format: ShowFormat = Format.TEXT) -> int:
    """List servers, the engine that each gets, and why."""
    chosen = house(inventory=inventory)
    servers = chosen.servers(limit)
    engines = chosen.engines(servers)
    documents = [_document(server, *engine) for server, engine in zip(servers, engines, strict=True)]
    show_table(format, documents, COLUMNS, "the inventory has no servers")
    return 0


def _document(server: Server, engine: str, why: str) -> dict[str, Any]:
    return {
        "server": server.name,
        "criticality": server.criticality.value,
        "in_service": server.in_service.isoformat() if server.in_service else None,
        "customer": server.customer,
        "site": server.site,
        "roles": list(server.roles),
        "groups": list(server.groups),
        "engine": engine,
        "why": why,
    }
