"""Settings of the SSH server: as it would run (`sshd -T`, root alone), or else as its files say.

Formats: sshd(8), sshd_config(5). In the files the first value wins, `Include` is read in its place, and what stands in
a `Match` block holds for some logins only. What the files leave out is the default of OpenSSH since 7.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
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
from maintops.probes.answering import integer, named_parts
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.recorded import in_parts, recording_of, silence

_MAIN = "sshd_config"
_DEEPEST = 8
"""Files within files: sshd itself allows 16."""

_QUESTION = f"""\
lines() {{ sed -e '/^[[:space:]]*#/d' -e '/^[[:space:]]*$/d' "$1"; }}
show() (
  part "file $1" lines "$1"
  [ "$2" -lt {_DEEPEST} ] || exit 0
  includes=$(sed -n 's/^[[:space:]]*[Ii][Nn][Cc][Ll][Uu][Dd][Ee][[:space:]=]\\{{1,\\}}//p' "$1" 2>/dev/null | tr -d '"')
  set -f
  for pattern in $includes; do
    set +f
    folder=.
    case $pattern in */*) folder=${{pattern%/*}} ;; esac
    if [ -d "$folder" ] && [ ! -r "$folder" ]; then part "denied $pattern" :; continue; fi
    part "include $pattern" printf '%s\\n' $pattern
    for file in $pattern; do [ -e "$file" ] && show "$file" $(($2 + 1)); done
    set -f
  done
)
part effective sshd -T
for folder in /etc/ssh /usr/etc/ssh; do
  [ -e "$folder/{_MAIN}" ] && cd "$folder" && show {_MAIN} 0 && break
done
part end :
"""

_NO_TOOL = 127
_SETTING = re.compile(r"\s*([A-Za-z][A-Za-z0-9]*)(?:\s*=\s*|\s+)(\S.*?)\s*")
_DEFAULTS = {
    "permitrootlogin": "prohibit-password",
    "passwordauthentication": "yes",
    "kbdinteractiveauthentication": "yes",
    "permitemptypasswords": "no",
    "pubkeyauthentication": "yes",
    "x11forwarding": "no",
    "maxauthtries": "6",
    "port": "22",
}
_OLD_NAMES = {
    "challengeresponseauthentication": "kbdinteractiveauthentication",
    "skeyauthentication": "kbdinteractiveauthentication",
    "dsaauthentication": "pubkeyauthentication",
}
_OLD_VALUES = {"without-password": "prohibit-password"}
_SWITCHES = {
    "password_authentication": "passwordauthentication",
    "kbd_interactive_authentication": "kbdinteractiveauthentication",
    "permit_empty_passwords": "permitemptypasswords",
    "pubkey_authentication": "pubkeyauthentication",
    "x11_forwarding": "x11forwarding",
}


def question(parameters: Mapping[str, Any]) -> str:
    """The settings in force, and the files that they come from."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    if (why := silence(answer)) is not None:
        return why
    found = named_parts(answer)
    if "effective" not in found or "end" not in found:
        raise UnreadableAnswer("the answer about sshd is not whole")
    effective, main = found["effective"], found.get(f"file {_MAIN}")
    if effective.status == _NO_TOOL:
        return NotMeasured("the SSH server is not installed")
    if effective.status == 0:
        settings = _first_values(_pairs(effective.text))
        if "permitrootlogin" not in settings:
            raise UnreadableAnswer("sshd -T says nothing about the login of root")
        return Measured((SubjectFacts(None, _facts(settings, "effective")),))
    if main is None or main.status != 0:
        return NotMeasured("no right to see the settings: root alone may ask sshd, and sshd_config cannot be read")
    return Measured((SubjectFacts(None, _facts(_of_files(found), "files")),))


def _of_files(found: Mapping[str, Part]) -> dict[str, list[str]]:
    pairs = list(_walk(found, _MAIN, 0))
    settings = _first_values(pairs)
    if any(name == _HIDDEN for name, _ in pairs):
        return settings
    return {name: [value] for name, value in _DEFAULTS.items()} | settings


_HIDDEN = "(hidden)"
"""Stands for settings in a file that may not be read: nothing after it is certain."""


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for line in text.split("\n"):
        match = _SETTING.fullmatch(line)
        if match is not None:
            name = match[1].lower()
            yield _OLD_NAMES.get(name, name), match[2]


def _walk(found: Mapping[str, Part], file: str, depth: int) -> Iterator[tuple[str, str]]:
    """The settings for every login, in the order in which sshd reads them. A Match block ends with its file."""
    part = found.get(f"file {file}")
    if part is None or part.status != 0 or depth > _DEEPEST:
        yield _HIDDEN, file
        return
    for_all = True
    for name, value in _pairs(part.text):
        if name == "match":
            for_all = value.lower() == "all"
        elif for_all and name == "include":
            for pattern in value.replace('"', "").split():
                yield from _included(found, pattern, depth)
        elif for_all:
            yield name, value


def _included(found: Mapping[str, Part], pattern: str, depth: int) -> Iterator[tuple[str, str]]:
    listing = found.get(f"include {pattern}")
    if listing is None:  # its folder may not be read
        yield _HIDDEN, pattern
        return
    for file in listing.text.split("\n"):
        if file and f"file {file}" in found:  # else the pattern stands for itself: it matches no file
            yield from _walk(found, file, depth + 1)


def _first_values(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The first value of every setting that is asked for, and all of `port`; nothing from a hidden file on."""
    settings: dict[str, list[str]] = {}
    for name, value in pairs:
        if name == _HIDDEN:
            settings.pop("port", None)  # ports add up: there may be more
            break
        word = value.split()[0].strip('"')
        if name == "port":
            settings.setdefault(name, []).append(word)
        elif name in _DEFAULTS:
            settings.setdefault(name, [word])
    return settings


def _facts(settings: Mapping[str, list[str]], source: str) -> dict[str, Any]:
    facts: dict[str, Any] = {"source": source}
    if "permitrootlogin" in settings:
        value = settings["permitrootlogin"][0].lower()
        facts["permit_root_login"] = _OLD_VALUES.get(value, value)
    for fact, name in _SWITCHES.items():
        if name in settings:
            facts[fact] = _switch(name, settings[name][0])
    if "maxauthtries" in settings:
        facts["max_auth_tries"] = _number(settings["maxauthtries"][0])
    if "port" in settings:
        facts["ports"] = sorted({_number(value) for value in settings["port"]})
    return facts


def _switch(name: str, value: str) -> bool:
    if value.lower() not in ("yes", "no"):
        raise UnreadableAnswer(f"{name} is neither yes nor no: {value[:40]!r}")
    return value.lower() == "yes"


def _number(value: str) -> int:
    number = integer(value)
    if number is None:
        raise UnreadableAnswer(f"not a number in sshd's settings: {value[:40]!r}")
    return number


_EFFECTIVE = re.compile(r"[a-z][a-z0-9]*(?: .*)?")
_DIRECTIVE = re.compile(r"\s*(?:#.*|[A-Za-z][A-Za-z0-9]*(?:\s*=\s*|\s+)\S.*)?")
_KNOWN = re.compile(
    r"(?im)^\s*(?:Port|ListenAddress|PermitRootLogin|PasswordAuthentication|Subsystem|UsePAM|AuthorizedKeysFile|HostKey"
    r"|PubkeyAuthentication|X11Forwarding|Include|Match|AllowUsers|AllowGroups|KbdInteractiveAuthentication"
    r"|ChallengeResponseAuthentication|PermitEmptyPasswords|MaxAuthTries)[ \t=]"
)


def _recorded_effective(text: str) -> Answer | None:
    """`sshd -T`."""
    lines = [line for line in text.split("\n") if line.strip()]
    if not all(map(_EFFECTIVE.fullmatch, lines)) or not {"port", "permitrootlogin"} <= {
        one.split()[0] for one in lines
    }:
        return None
    return in_parts({"effective": text, "end": ""})


def _recorded_file(text: str) -> Answer | None:
    """An sshd_config by itself: what the files say that it includes is not known."""
    if not _KNOWN.search(text) or not all(map(_DIRECTIVE.fullmatch, text.split("\n"))):
        return None
    return in_parts({"effective": (1, ""), f"file {_MAIN}": text, "end": ""})


PROBE = Probe(
    name="sshd-settings",
    title="Settings of the SSH server",
    facts={
        "permit_root_login": Fact("str", "yes, no, prohibit-password or forced-commands-only"),
        "password_authentication": Fact("bool", "passwords are accepted"),
        "kbd_interactive_authentication": Fact("bool", "questions are asked: with PAM mostly for the password"),
        "permit_empty_passwords": Fact("bool", "accounts without a password may log in"),
        "pubkey_authentication": Fact("bool", "keys are accepted"),
        "x11_forwarding": Fact("bool", "graphical programs may be shown elsewhere"),
        "max_auth_tries": Fact("int", "attempts per connection", "attempts"),
        "ports": Fact("list", "ports it listens on"),
        "source": Fact("str", "effective: as sshd itself says; files: as its files say, without Match blocks"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    recording=recording_of("output of sshd -T, or an sshd_config", _recorded_effective, _recorded_file),
)
