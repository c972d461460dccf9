"""maintops plan, approve, rollback, obligations, hold: what surrounds a run that changes servers."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maintops.cli.options import By, Engine, Format, Inventory, Limit, ShowFormat, complete_checklist, house
from maintops.cli.output import check_writable, say, show_table, write
from maintops.errors import StoreError, UsageError

if TYPE_CHECKING:
    from maintops.domain.plans import ChangePlan
    from maintops.wiring import House


class Previewed(StrEnum):
    """On which servers Ansible's check mode is tried."""

    CANARY = "canary"
    ALL = "all"
    NONE = "none"


def register(app: typer.Typer) -> None:
    """Adds the commands around plans."""
    app.command("plan")(plan)
    app.command("approve")(approve)
    app.command("rollback")(rollback)
    app.command("obligations")(obligations)
    app.command("hold")(hold)


def plan(
    checklist: Annotated[
        str,
        typer.Argument(
            help="A checklist that changes servers; or a plan's file, to read it.", autocompletion=complete_checklist
        ),
    ],
    inventory: Inventory = None,
    limit: Limit = None,
    forks: Annotated[int | None, typer.Option("-f", "--forks", help="Servers at a time.")] = None,
    engine: Annotated[Engine | None, typer.Option(help="Which way to the servers.")] = None,
    by: By = None,
    from_records: Annotated[
        bool, typer.Option("--from-records", help="Ask no server: what is pending stands in their last records.")
    ] = False,
    preview: Annotated[Previewed, typer.Option(help="Where check mode is tried: the first wave, all, none.")] = (
        Previewed.CANARY
    ),
    format: ShowFormat = Format.TEXT,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The plan's file (default: ID.plan).")] = None,
) -> int:
    """Plan a change: waves, steps, packages, window, risk. Nothing is changed. The plan is a file that somebody else
    approves and that `maintops run --plan` carries out."""
    from maintops.files.plans import plan_text as file_text
    from maintops.files.plans import read_plan, write_plan

    chosen = house(inventory=inventory, forks=forks, engine=engine, by=by)
    if checklist.endswith(".plan"):
        found = read_plan(Path(checklist))
        write(file_text(found) if format is Format.JSON else _words(chosen, found), None)
        return 0
    check_writable(output)
    made = chosen.changes.plan(checklist, limit=limit, from_records=from_records, preview=preview.value)
    path = output or Path(f"{made.id}.plan")
    write_plan(made, path)
    write(file_text(made) if format is Format.JSON else _words(chosen, made), None)
    say(f"written to {path}; next: maintops approve {path} --by SOMEBODY-ELSE")
    chosen.close()
    return 0


def _words(chosen: House, made: ChangePlan) -> str:
    from maintops.reports.plans import plan_text

    return plan_text(made, chosen.changes.zone(made))


def approve(
    plan: Annotated[Path, typer.Argument(help="A plan's file.")],
    inventory: Inventory = None,
    by: By = None,
    note: Annotated[str, typer.Option(help="What is to be remembered with it.")] = "",
) -> int:
    """Approve a plan: exactly what is in its file, for a while, in the name of --by."""
    chosen = house(inventory=inventory, by=by)
    found, approval = chosen.changes.approve(plan, note)
    same = approval.by.login == found.author.login
    say(f"{found.id} is approved by {approval.by} until {approval.expires:%Y-%m-%d %H:%M} UTC")
    if same:
        say("mind: author and approver share a login; that they are two persons is only claimed")
    say(f"next: maintops run --plan {plan}")
    chosen.close()
    return 0


def rollback(
    run: Annotated[str, typer.Argument(help="The run to take back: an id, a prefix of it, or last.")],
    inventory: Inventory = None,
    limit: Limit = None,
    forks: Annotated[int | None, typer.Option("-f", "--forks", help="Servers at a time.")] = None,
    by: By = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> int:
    """Take a change back, as far as its steps declare that they can be undone. Asks before it begins."""
    from maintops.cli.changing import Shown, under_way

    chosen = house(inventory=inventory, forks=forks, by=by)
    made, left = chosen.changes.propose_rollback(chosen.store.run(run), limit)
    write(_words(chosen, made), None)
    for line in left:
        say(f"not undone: {line}")
    if not yes and not confirmed("Take it back now?"):
        raise UsageError("nothing was done; --yes goes on without asking")
    shown = Shown(None, None, "text", None)
    return under_way(chosen, shown, lambda extras: chosen.changes.rollback(made, extras))


def confirmed(question: str) -> bool:
    """What the person at the terminal says; no where there is none."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    sys.stderr.write(f"{question} [yes/no] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("yes", "y")


def obligations(
    inventory: Inventory = None,
    settle: Annotated[bool, typer.Option("--settle", help="Pay what is owed.")] = False,
    limit: Annotated[list[str] | None, typer.Option("-l", "--limit", help="Only this server. Repeatable.")] = None,
    by: By = None,
    format: ShowFormat = Format.TEXT,
) -> int:
    """What changes still owe to servers: put back into service, monitored again, a snapshot deleted. Exit code 2 where
    something is owed."""
    chosen = house(inventory=inventory, by=by)
    debts = [one for one in chosen.changes.debts() if not limit or one.owed.server in limit]
    failed = {}
    if settle:
        paid = chosen.changes.settle(debts)
        for one in paid:
            told = f"not paid: {one.why}" if one.why else "paid"
            say(f"{one.debt.owed.server}: {one.debt.owed.duty} ({one.debt.run}): {told}")
        debts = [one.debt for one in paid if one.why]
        failed = {(one.debt.run, one.debt.owed.server, one.debt.owed.duty): one.why for one in paid if one.why}
    rows = [
        {
            "server": one.owed.server,
            "duty": one.owed.duty,
            "run": one.run,
            "since": f"{one.owed.at:%Y-%m-%dT%H:%M:%SZ}",
            "command": one.owed.command,
            "on": one.owed.on,
            "why": failed.get((one.run, one.owed.server, one.owed.duty), ""),
        }
        for one in debts
    ]
    show_table(format, rows, ("server", "duty", "run", "since"), "nothing is owed")
    if rows and not settle:
        say("go on with the run: maintops run continue RUN; or give it up: maintops obligations --settle -l SERVER")
    chosen.close()
    return 2 if rows else 0


def hold(
    why: Annotated[str | None, typer.Option("--why", help="Why nothing may be changed now.")] = None,
    until: Annotated[
        str | None, typer.Option(help="Until when: a duration (2h), or a time in UTC (2026-12-24T18:00Z).")
    ] = None,
    lift: Annotated[bool, typer.Option("--lift", help="Let changes go on.")] = False,
    by: By = None,
) -> int:
    """The kill switch: no wave and no step of any run begins while changes are held. It works without the database too:
    a file (setting hold_file) is enough. Without options: says whether changes are held (exit code 75)."""
    chosen = house(by=by)
    if lift:
        lifted, missing = chosen.changes.lift()
        for one in lifted:
            say(f"lifted: {one.words()}")
        if missing:
            raise StoreError(f"what the database holds is not lifted: {missing}")
        chosen.close()
        return 0
    if why is None and until is None:
        found = chosen.changes.held_now()
        say(found.words() if found is not None else "changes are not held")
        chosen.close()
        return 75 if found is not None else 0
    held, missing = chosen.changes.hold(why or "no reason is given", _until(until, chosen.clock()))
    say(held.words())
    if missing:
        say(f"only on this machine ({chosen.settings.hold_file}): {missing}")
    chosen.close()
    return 0


def _until(text: str | None, now: datetime) -> datetime | None:
    from maintops.domain.durations import seconds

    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        try:
            return now + timedelta(seconds=seconds(text))
        except (ValueError, OverflowError):
            raise UsageError(f"--until {text!r} is neither a duration (2h) nor a time (2026-12-24T18:00Z)") from None
    if found.tzinfo is None:
        raise UsageError(f"--until {text!r} has no zone: write 2026-12-24T18:00Z or 2026-12-24T18:00+01:00")
    if found <= now:
        raise UsageError(f"--until {text} has passed")
    return found
