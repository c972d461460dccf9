"""Checklists: where they lie, and a file as a value, with every mistake in it."""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maintops.domain import durations
from maintops.domain.checklists import (
    DEFAULT_LIMIT,
    DEFAULT_TIMEOUT,
    Cadence,
    Check,
    Checklist,
    FollowUpTemplate,
    Rule,
    Step,
    StepReading,
)
from maintops.domain.outcomes import Severity
from maintops.domain.steps import DONE
from maintops.errors import ConfigurationError, Mistake, UsageError
from maintops.files.documents import LARGEST_FILE, Document, read_document
from maintops.files.wording import hint

if TYPE_CHECKING:
    from maintops.files.references import Catalogue

ENDINGS = (".yml", ".yaml")
_MARK = re.compile(rb"^(\{\s*)?[\"']?checklist[\"']?\s*:", re.MULTILINE)
_SUSPECT = re.compile(rb"^(\{\s*)?[\"']?(checklist|checks|cadence)[\"']?\s*:", re.MULTILINE)


def read_checklist(path: Path | str, catalogue: Catalogue, folders: Iterable[Path | str] = ()) -> Checklist:
    """Reads a checklist. Those that it includes lie beside it or in one of some folders. Raises ConfigurationError with
    every mistake in it."""
    # Late: with Jinja2 and jsonschema behind them, too long for a command that only names checklists.
    from maintops.files.references import reference_mistakes
    from maintops.files.schemas import checklist_schema
    from maintops.files.validation import schema_mistakes

    document = read_document(path)
    included, mistakes = _included(document, catalogue, folders)
    if not mistakes:  # what an unreadable one brings is not known, and would be missed here
        mistakes = reference_mistakes(document, catalogue, included)
    mistakes += schema_mistakes(document, checklist_schema())
    if mistakes:
        raise ConfigurationError(sorted(mistakes))
    return _with_included(_checklist(document), included)


def _included(
    document: Document, catalogue: Catalogue, folders: Iterable[Path | str]
) -> tuple[list[Checklist], list[Mistake]]:
    """The checklists that a document includes, as far as they can be read; what is wrong with the others."""
    named = document.value.get("include") if isinstance(document.value, dict) else None
    places = [Path(document.file).absolute().parent, *map(Path, folders)]
    found: list[Checklist] = []
    mistakes: list[Mistake] = []
    for index, name in enumerate(named if isinstance(named, list) else ()):
        if not isinstance(name, str):
            continue
        place = ("include", index)
        candidates = (folder / f"{name}{ending}" for folder in places for ending in ENDINGS)
        path = next((one for one in candidates if _is_file(one)), None)
        if path is None:
            mistakes.append(document.mistake(place, f"there is no checklist {name!r} to include"))
            continue
        other = read_document(path)
        if isinstance(other.value, dict) and "include" in other.value:
            mistakes.append(document.mistake(place, f"{name} includes checklists itself; name those here instead"))
            continue
        try:
            found.append(read_checklist(path, catalogue))
        except ConfigurationError as error:
            mistakes += error.mistakes
    return found, mistakes


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _with_included(own: Checklist, included: Sequence[Checklist]) -> Checklist:
    if not included:
        return own
    parameters = {name: value for one in included for name, value in one.parameters.items()}
    versions = "".join([own.version, *(one.version for one in included)])
    return replace(
        own,
        checks=tuple(check for one in (*included, own) for check in one.checks),
        steps=tuple(step for one in (*included, own) for step in one.steps),
        changes=tuple(step for one in (*included, own) for step in one.changes),
        order=tuple(id for one in (*included, own) for id in one.order),
        parameters={**parameters, **own.parameters},
        version=hashlib.sha256(versions.encode()).hexdigest(),
        includes=tuple(one.name for one in included),
    )


# --- where they lie --------------------------------------------------------------------------------------------------


def is_checklist(path: Path, *, suspected: bool = False) -> bool:
    """Whether a file calls itself a checklist: it has the key `checklist` at its left margin; `suspected`: or `checks`
    or `cadence`. A file that cannot be read counts as one, so that reading it says why."""
    mark = _SUSPECT if suspected else _MARK
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as stream:
            return mark.search(stream.read(LARGEST_FILE)) is not None
    except OSError:
        return True


def list_checklists(folders: Iterable[Path | str]) -> list[Path]:
    """The checklists in some folders, sorted by name; of two with one name the one in the first folder."""
    found: dict[str, Path] = {}
    for path in _files(folders):
        if path.stem not in found and is_checklist(path):
            found[path.stem] = path
    return [found[name] for name in sorted(found)]


def find_checklist(name_or_path: Path | str, folders: Iterable[Path | str]) -> Path:
    """A checklist's file: a path (with a slash or an ending) as it is, a name as NAME.yml or NAME.yaml in the first
    folder that has it. Raises UsageError for an unknown one, with the names that there are."""
    given, places = str(name_or_path), list(folders)
    if "/" in given or given.endswith(ENDINGS):
        if Path(given).exists():
            return Path(given)
        raise UsageError(f"there is no checklist {given}")
    for path in _files(places):
        if path.stem == given:
            return path
    names = [path.stem for path in list_checklists(places)]
    listed = f"; there are: {', '.join(names)}" if names else f"; none lie in {', '.join(map(str, places))}"
    raise UsageError(f"there is no checklist {given!r}{hint(given, names) or listed}")


def _files(folders: Iterable[Path | str]) -> Iterable[Path]:
    for folder in map(Path, folders):
        if folder.is_dir():
            # `.yml` before `.yaml` where both have the same name.
            yield from sorted((one for one in folder.iterdir() if one.suffix in ENDINGS), reverse=True)


# --- from a document without mistakes --------------------------------------------------------------------------------


def _checklist(document: Document) -> Checklist:
    from maintops.files.changes import is_change, read_change_step, read_policy

    top: Mapping[str, Any] = document.value
    file = Path(document.file).absolute()
    steps = top.get("steps", [])
    return Checklist(
        name=top["checklist"],
        title=top["title"],
        service=top["service"],
        cadence=_cadence(top["cadence"]),
        hosts=top.get("hosts", "all"),
        checks=tuple(_check(check, file) for check in top.get("checks", [])),
        steps=tuple(_step(step) for step in steps if not is_change(step)),
        parameters=top.get("parameters", {}),
        version=document.digest,
        file=str(file),
        item=top.get("item", ""),
        changes=tuple(read_change_step(step, file) for step in steps if is_change(step)),
        change=read_policy(top.get("change", {}), file),
        order=tuple(step["id"] for step in steps),
    )


def _cadence(cadence: Mapping[str, str]) -> Cadence:
    every = cadence.get("every", "")
    return Cadence(cadence.get("core", every), cadence.get("standard", every), cadence.get("first_year"))


def _step(step: Mapping[str, Any]) -> Step:
    return Step(
        id=step["id"],
        title=step["title"],
        manual=step["manual"],
        why=step.get("why", ""),
        action=step.get("action", ""),
        tags=tuple(step.get("tags", ())),
        choices=tuple(step.get("choice", (DONE,))),
        reading=StepReading(**step["reading"]) if "reading" in step else None,
        evidence=step.get("evidence"),
        rules=tuple(_rule(rule) for rule in step.get("rules", ())),
        precheck=tuple(step.get("precheck", ())),
        postcheck=tuple(step.get("postcheck", ())),
        rollback=step.get("rollback", ""),
        irreversible=step.get("irreversible", False),
    )


def _check(check: Mapping[str, Any], file: Path) -> Check:
    return Check(
        id=check["id"],
        title=check["title"],
        why=check.get("why", ""),
        action=check.get("action", ""),
        tags=tuple(check.get("tags", ())),
        probe=check.get("probe"),
        command=check.get("command") or _goss(check, file),
        parser=check.get("parse", "text") if "command" in check else "goss" if "goss" in check else None,
        subject=check.get("subject"),
        playbook=_playbook(check, file),
        role=check.get("role"),
        goss=check.get("goss"),
        parameters=check.get("parameters", {}),
        rules=tuple(_rule(rule) for rule in check.get("rules", ())),
        timeout=_timeout(check),
        limit=check.get("limit", DEFAULT_LIMIT),
        become=check.get("become"),
    )


def _playbook(check: Mapping[str, Any], file: Path) -> str | None:
    from maintops.files.contents import playbook_path

    return str(playbook_path(file, check["playbook"])) if "playbook" in check else None


def _goss(check: Mapping[str, Any], file: Path) -> str | None:
    from maintops.files.references import goss_command, goss_path

    return goss_command(read_document(goss_path(file, check["goss"])).value) if "goss" in check else None


def _timeout(check: Mapping[str, Any]) -> float:
    from maintops.files.schemas import CONTENT_TIMEOUT

    default = CONTENT_TIMEOUT if "playbook" in check or "role" in check else DEFAULT_TIMEOUT
    given = check.get("timeout", default)
    return durations.seconds(given) if isinstance(given, str) else float(given)


def _rule(rule: Mapping[str, Any]) -> Rule:
    follow_up = FollowUpTemplate(**rule["follow_up"]) if "follow_up" in rule else None
    return Rule(rule["when"], Severity(rule["severity"]), rule["finding"], follow_up)
