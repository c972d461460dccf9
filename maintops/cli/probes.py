"""maintops probe: what can be asked of servers, tried on recordings and on site."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maintops.cli.options import Format, Inventory, Limit, ShowFormat, house
from maintops.cli.output import say, show_json, show_table
from maintops.errors import UsageError

if TYPE_CHECKING:
    from maintops.domain.answers import Reading
    from maintops.probes.contract import Fact, Probe

LARGEST = 64 * 1024 * 1024
"""Bytes that a recording may have."""

Extra = Annotated[
    list[str] | None, typer.Option("-e", "--extra", help="A parameter of the probe: NAME=VALUE (VALUE: JSON or text).")
]
Name = Annotated[str, typer.Argument(help="A probe's name (maintops probe list).")]


def register(app: typer.Typer) -> None:
    """Adds `probe`."""
    group = typer.Typer(help="Probes: what can be asked of servers, and how answers are read.", no_args_is_help=True)
    group.command("list")(list_probes)
    group.command("show")(show_probe)
    group.command("read")(read_recording)
    group.command("capture")(capture)
    app.add_typer(group, name="probe")


def list_probes(format: ShowFormat = Format.TEXT) -> int:
    """List probes: those of maintops and those of plug-ins."""
    probes = house().catalogue.probes
    documents = [{"probe": name, "asks": probes[name].reach.value, "title": probes[name].title} for name in probes]
    show_table(format, documents, ["probe", "asks", "title"], "no probes")
    return 0


def show_probe(probe: Name, format: ShowFormat = Format.TEXT) -> int:
    """Show a probe: its facts, its parameters, and what it asks."""
    from maintops.domain.answers import Skipped
    from maintops.workflow.probing import checked

    found = _found(probe)
    question = found.question(checked(found, {}))
    facts = {name: f"{one.type}: {one.meaning}" + (f" ({one.unit})" if one.unit else "") for name, one in _facts(found)}
    document: dict[str, Any] = {
        "probe": found.name,
        "title": found.title,
        "asks": found.reach.value,
        "absence": "a finding" if found.presence.value == "lasting" else "good news",
        "facts": facts,
        "parameters": {name: f"{one.meaning} (default: {one.default})" for name, one in found.parameters.items()},
        "question": f"nothing, unless told what: {question.why}" if isinstance(question, Skipped) else question,
    }
    if format is Format.JSON:
        show_json(document)
        return 0
    for name in ("facts", "parameters"):
        document[name] = [f"{fact}: {told}" for fact, told in document[name].items()] or ["none"]
    document["question"] = document["question"].splitlines()
    _print_blocks(document)
    return 0


def read_recording(
    probe: Name,
    file: Annotated[Path, typer.Argument(help="A capture, or what a tool printed by itself.")],
    extra: Extra = None,
    format: ShowFormat = Format.TEXT,
) -> int:
    """Read a recording with a probe's reader. What is shown are its state, its subjects and their facts."""
    from maintops.files.captures import read_capture
    from maintops.workflow.probing import checked, read

    found = _found(probe)
    content = _content(file)
    try:
        captured = read_capture(content)
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from error
    if captured is not None and captured.probe != probe:
        raise UsageError(f"{file} is a capture of the probe {captured.probe}, not of {probe}")
    given = (captured.parameters if captured is not None else {}) | _parameters(extra)
    reading = read(found, content, captured.answer if captured is not None else None, checked(found, given))
    document = _document(probe, reading)
    if format is Format.JSON:
        show_json(document)
    else:
        _print(document)
    return 0


def capture(
    probe: Name,
    inventory: Inventory = None,
    limit: Limit = None,
    extra: Extra = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder that the captures are put into.")] = Path(),
) -> int:
    """Keep servers' answers to a probe as files.

    Each server is asked the probe's question; its answer becomes SERVER.PROBE.capture. No record is made.
    Exit codes: 0, or 4 where a server gave no answer.
    """
    from urllib.parse import quote

    from maintops.cli.output import write_bytes
    from maintops.files.captures import Capture, capture_bytes
    from maintops.workflow.probing import checked

    chosen = house(inventory=inventory)
    parameters = checked(_found(probe), _parameters(extra))
    if not output.is_dir():
        raise UsageError(f"there is no folder {output}")
    code = 0
    for one in chosen.capture(probe, _parameters(extra), limit):
        if one.answer is None:
            say(f"{one.server}: no answer: {one.why}")
            code = 4
            continue
        path = output / f"{quote(one.server, safe='')}.{probe}.capture"
        write_bytes(capture_bytes(Capture(probe, one.server, chosen.clock(), parameters, one.answer)), path)
        say(f"{one.server}: {len(one.answer.stdout)} bytes in {path}")
    return code


def _facts(probe: Probe) -> list[tuple[str, Fact]]:
    return sorted(probe.facts.items())


def _found(name: str) -> Probe:
    try:
        return house().catalogue.probe(name)
    except LookupError as error:
        raise UsageError(str(error.args[0])) from error


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    if len(content) > LARGEST:
        raise UsageError(f"{file} has more than {LARGEST // 1024 // 1024} MB")
    return content


def _parameters(given: list[str] | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in given or ():
        name, mark, value = text.partition("=")
        if not mark:
            raise UsageError(f"-e {text}: write NAME=VALUE")
        try:
            found[name.strip()] = json.loads(value)
        except ValueError:
            found[name.strip()] = value
    return found


def _document(probe: str, reading: Reading) -> dict[str, Any]:
    from maintops.domain.answers import Measured, Skipped

    if not isinstance(reading, Measured):
        state = "skipped" if isinstance(reading, Skipped) else "not measured"
        return {"probe": probe, "state": state, "why": reading.why, "subjects": []}
    subjects = [
        {
            "subject": one.subject,
            "state": "measured" if one.why_not is None else "not measured",
            "why": one.why_not,
            "facts": {name: value for name, value in one.facts.items() if value is not None},
            "not_offered": sorted(one.not_offered),
        }
        for one in reading.subjects
    ]
    return {"probe": probe, "state": "measured", "why": None, "subjects": subjects}


def _print_blocks(document: dict[str, Any]) -> None:
    from maintops.reports.escaping import visible

    for name, value in document.items():
        print(f"{name}: {visible(value)}" if isinstance(value, str) else f"{name}:")
        for line in value if isinstance(value, list) else ():
            print(f"  {visible(line)}")


def _print(document: dict[str, Any]) -> None:
    from maintops.reports.escaping import visible
    from maintops.rules.filters import shown

    why = f": {document['why']}" if document["why"] else ""
    lines = [f"{document['probe']}: {document['state']}{why}"]
    for one in document["subjects"]:
        reason = f": not measured: {one['why']}" if one["why"] else ""
        lines += ["", f"{'(the server)' if one['subject'] is None else one['subject']}{reason}"]
        lines += [f"  {name}: {shown(value)}" for name, value in one["facts"].items()]
        if one["not_offered"]:
            lines.append(f"  not offered: {', '.join(one['not_offered'])}")
    for line in lines:
        print(visible(line))
