"""Whether names are resolved as programs on the server see it (getent), and by which name servers (resolv.conf(5))."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import (
    Answer,
    Measured,
    NotMeasured,
    Part,
    Reading,
    SubjectFacts,
    UnreadableAnswer,
)
from maintops.probes.answering import named_parts
from maintops.probes.contract import Fact, Parameter, Presence, Probe

_SECONDS = 15
"""For all names together: a name server that is silent must be a finding, not the end of the check."""

_LOOK_UP = """\
look_up() {
  if command -v timeout >/dev/null 2>&1; then timeout %d getent hosts "$1"; else getent hosts "$1"; fi
}
"""

_CONFIGURATION = """\
part resolv cat /etc/resolv.conf
part upstream cat /run/systemd/resolve/resolv.conf
part own uname -n
"""

_NOT_FOUND = 2  # getent(1)
_TIMED_OUT = frozenset({124, 137, 143})  # timeout(1), busybox included
_NO_TOOL = 127


def question(parameters: Mapping[str, Any]) -> str:
    """Looks the names up, within a time for all of them together."""
    names = _names(parameters)
    lines = [f'part "name {place}" look_up {shlex.quote(name)}' for place, name in enumerate(names)]
    seconds = max(1, _SECONDS // max(1, len(names)))
    return _CONFIGURATION + _LOOK_UP % seconds + "\n".join(lines or ['part "name own" look_up "$(uname -n)"']) + "\n"


def _names(parameters: Mapping[str, Any]) -> list[str]:
    names = parameters.get("names") or []
    return [names] if isinstance(names, str) else [str(name) for name in names]


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    found = named_parts(answer)
    asked = _asked(found, parameters)
    if _NO_TOOL in {part.status for part in asked.values()}:
        return NotMeasured("the command getent is not installed")
    failing = [name for name, part in asked.items() if _fails(name, part)]
    facts: dict[str, Any] = {"resolved": not failing, "failing": failing, "names": list(asked)}
    facts.update(_configured(found.get("resolv"), "nameservers"))
    if "nameservers" in facts:
        facts["search"] = _words(found["resolv"].text, "search") or _words(found["resolv"].text, "domain")
    upstream = _configured(found.get("upstream"), "upstream")
    return Measured((SubjectFacts(None, facts | upstream, frozenset() if upstream else frozenset({"upstream"})),))


def _asked(found: Mapping[str, Part], parameters: Mapping[str, Any]) -> dict[str, Part]:
    """The names that were looked up, and what came of it."""
    names = _names(parameters)
    if names:
        keys = {name: f"name {place}" for place, name in enumerate(names)}
    else:
        own = found["own"].text.strip() if "own" in found else ""
        keys = {own or "the server's own name": "name own"}
    missing = [name for name, key in keys.items() if key not in found]
    if missing:
        raise UnreadableAnswer(f"nothing is said about the name {missing[0][:80]!r}")
    return {name: found[key] for name, key in keys.items()}


def _fails(name: str, part: Part) -> bool:
    if part.status == 0:
        if not part.output.strip():
            raise UnreadableAnswer(f"getent found {name[:80]!r} but says no address")
        return False
    if part.status != _NOT_FOUND and part.status not in _TIMED_OUT:
        raise UnreadableAnswer(f"getent ended with status {part.status} for {name[:80]!r}")
    return True


def _configured(part: Part | None, fact: str) -> dict[str, list[str]]:
    return {fact: _words(part.text, "nameserver")} if part is not None and part.status == 0 else {}


def _words(text: str, keyword: str) -> list[str]:
    lines = [line.split() for line in text.splitlines()]
    values = [words[1:] for words in lines if words[:1] == [keyword]]
    if keyword == "nameserver":
        return [words[0] for words in values if words]
    return values[-1] if values else []  # the last search line is the one that counts


PROBE = Probe(
    name="name-resolution",
    title="Name resolution",
    facts={
        "resolved": Fact("bool", "every name was resolved"),
        "failing": Fact("list", "the names that were not"),
        "names": Fact("list", "the names that were looked up"),
        "nameservers": Fact("list", "addresses of the name servers in /etc/resolv.conf"),
        "search": Fact("list", "domains that are searched"),
        "upstream": Fact("list", "name servers behind systemd-resolved; only where it runs"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    parameters={"names": Parameter([], "names to look up; none: the server's own name")},
)
