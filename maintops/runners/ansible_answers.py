"""What Ansible says of one script on one server, read as a reply. Pure; everything read here may be hostile."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any

from maintops.domain.ports import Failure, FailureKind, Reply, Script
from maintops.domain.servers import Server
from maintops.runners.ansible_plays import BEGIN, END, secret_values

LONGEST_SENTENCE = 200
"""Characters of what a stranger said that are worth reading."""

LONGEST_END = 600
"""Characters of the last lines of a program that failed."""

_ARMOUR = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_LISTED = re.compile(r"\\([0-7]{3}|[\\abfnrtv])")
_LETTERS = {"\\": "\\", "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def read_reply(result: Mapping[str, Any], script: Script, server: Server) -> Reply:
    """The reply that a task's result holds. The server's secrets are kept out of every sentence."""
    stdout = result.get("stdout")
    lines = [line.strip("\r") for line in stdout.split("\n")] if isinstance(stdout, str) else []
    begin = next((number for number, line in enumerate(lines) if line.startswith(BEGIN)), None)
    if begin is None:
        return Reply(b"", read_failure(result, script, server))
    return _read_answer(lines[begin + 1 :], script, is_listed=lines[begin] == f"{BEGIN} sed")


def _read_answer(lines: list[str], script: Script, *, is_listed: bool) -> Reply:
    end = next((number for number, line in enumerate(lines) if line.startswith(END)), None)
    stream = _decode_listed(lines[:end]) if is_listed else _decode_base64(lines[:end])
    if len(stream) > script.limit:
        why = f"the answer is longer than the {script.limit} bytes that it can have"
        return Reply(stream[: script.limit], Failure(FailureKind.OVERFLOW, why))
    if end is None or _by_signal(lines[end]):
        return Reply(stream, Failure(FailureKind.BROKEN, "the script was ended on the server before it was through"))
    if not stream:
        return Reply(b"", Failure(FailureKind.BROKEN, "the script gave no answer at all"))
    return Reply(stream)


def _by_signal(end: str) -> bool:
    """Whether the last line tells of a signal: shells give 128 and its number as the status."""
    status = end.removeprefix(END).strip()
    return not status.isdigit() or int(status) > 128


def _decode_base64(lines: list[str]) -> bytes:
    """The bytes of as much base64 as is whole. What a terminal's other guests wrote in between is passed over."""
    armour = "".join(line for line in lines if _ARMOUR.fullmatch(line))
    try:
        return base64.b64decode(armour[: len(armour) // 4 * 4])
    except binascii.Error:
        return b""


def _decode_listed(lines: list[str]) -> bytes:
    """The bytes that `sed -n l` listed (POSIX): lines end with `$`, are folded with a backslash, and hold escapes for
    what is not printable. A dot was put after the last byte, so that it is known whether a line end came before."""
    text = "".join(line[:-1] if line.endswith("\\") else f"{line.removesuffix('$')}\n" for line in lines)
    plain = _LISTED.sub(lambda found: _LETTERS.get(found[1]) or chr(int(found[1], 8)), text)
    return plain.encode("latin-1", "replace").removesuffix(b".\n")


# --- failures ---------------------------------------------------------------------------------------------------------


def read_failure(result: Mapping[str, Any], script: Script | None, server: Server) -> Failure:
    """Why a task's result holds no answer. `script` is None where no script was carried (content in check mode)."""
    if result.get("timedout"):
        return Failure(FailureKind.OVERTIME, "the script did not end within its own time")
    said = hide(_said(result), secret_values(server))
    refusal = _become_refusal(said) if script is None or script.become else None
    if (why := refusal or _host_key_refusal(said)) is not None:
        return Failure(FailureKind.UNREACHABLE, why)
    if result.get("unreachable"):
        kind = FailureKind.BROKEN if _BROKEN.search(said) else FailureKind.UNREACHABLE
        return Failure(kind, sentence(said) or "Ansible gives no reason")
    silent = (
        f"exit status {readable(str(result['rc']))}, without a word" if "rc" in result else "Ansible gives no reason"
    )
    why = (program_words(result, server) if script is None else "") or sentence(said) or silent
    if script is not None and "rc" in result:
        why = f"{_BECOME_REFUSED if script.become else 'the server does not run the script'}: {why}"
    return Failure(FailureKind.UNREACHABLE, why)


def program_words(result: Mapping[str, Any], server: Server) -> str:
    """What the program of a failed task said on the server, on one line and without the server's secrets: its first
    line, as that is where most say why, and as many whole last lines as 600 characters hold; "" where there was no
    program or it said nothing. Standard output counts only where standard error is empty."""
    if "rc" not in result:
        return ""
    secrets = secret_values(server)
    streams = (str(result.get(name) or "") for name in ("stderr", "module_stderr", "stdout", "module_stdout"))
    # a terminal makes CRLF of the line ends within a secret; nothing is cut before all are hidden
    words = hide(hide(next(filter(str.strip, streams), ""), secrets).replace("\r\n", "\n"), secrets)
    lines = [line for line in map(readable, words.splitlines()) if not _NOISE.match(line)]
    told = str(result.get("msg") or "")
    first = "" if told == "non-zero return code" else sentence(hide(told, secrets))
    return _ends([first, *lines] if first and first not in lines else lines) if lines else ""


def _ends(lines: Sequence[str]) -> str:
    """The first line and the last ones. A line that ends with a colon goes on in the next one."""
    start, room = len(lines), LONGEST_END
    while start > 1 and (room := room - len(lines[start - 1]) - len("; ")) >= 0:
        start -= 1
    parts = [lines[0], *(["..."] if start > 1 else []), *lines[start:]]
    return "".join(part + (" " if part.endswith(":") else "; ") for part in parts[:-1]) + parts[-1]


def is_passing(failure: Failure) -> bool:
    """Whether another try may help: the connection was refused, reset or not answered, and nothing was asked yet. A
    password is never sent twice."""
    asked = failure.kind is not FailureKind.UNREACHABLE or failure.why.startswith(_BECOME_REFUSED)
    return not asked and bool(_PASSING.search(failure.why))


_BECOME_REFUSED = "become refused"
_PASSING = re.compile(
    r"timed? ?out|connection (refused|reset|closed)|no route to host|(network|host) is (unreachable|down)"
    r"|temporary failure|kex_exchange_identification|banner exchange",
    re.IGNORECASE,
)
# What ssh says of a connection that stood; the words before a login are others ("Connection closed by …").
_BROKEN = re.compile(
    r"Connection to .{1,300} closed by remote host|client_loop: |Read from remote host"
    r"|Timeout, server .{1,300} not responding|packet_write_(wait|poll)|Shared connection to .{1,300} closed"
)
_HOST_KEY_CHANGED = re.compile(
    r"REMOTE HOST IDENTIFICATION HAS CHANGED|host key for .{1,300} has changed", re.IGNORECASE
)
_HOST_KEY_REVOKED = re.compile(r"REVOKED HOST KEY|is marked as revoked", re.IGNORECASE)
_HOST_KEY_UNKNOWN = re.compile(
    r"Host key verification failed|host key is known for|Host Key checking is enabled|authenticity of host"
    r"|not found in known_hosts",
    re.IGNORECASE,
)

_COMPLAINTS = (
    (
        re.compile(r"Incorrect (\w+) password|incorrect password attempt", re.IGNORECASE),
        "the password that the inventory gives is not accepted",
    ),
    (
        re.compile(r"Missing (\w+) password|a password is required|a terminal is required", re.IGNORECASE),
        "a password is asked for and the inventory gives none (ansible_become_password)",
    ),
    (re.compile(r"not in the sudoers|may not run sudo"), "the login user may not use sudo there"),
    (re.compile(r"is not allowed to (execute|run)"), "the login user may not run this as the other user there"),
    (re.compile(r"must have a tty|must be run from a terminal"), "a terminal is wanted there (requiretty in sudoers)"),
    (re.compile(r"sudo: unknown user"), "there is no such user"),
    (re.compile(r"(sudo|doas|su): (command )?not found|privilege escalation prompt"), None),
)


def _become_refusal(said: str) -> str | None:
    for sign, meaning in _COMPLAINTS:
        if sign.search(said):
            return f"{_BECOME_REFUSED}: {meaning or sentence(said)}"
    return None


def _host_key_refusal(said: str) -> str | None:
    if _HOST_KEY_CHANGED.search(said):
        return "its host key has changed, and is refused; if that is right, remove the old one from known_hosts"
    if _HOST_KEY_REVOKED.search(said):
        return "its host key is marked as revoked in known_hosts"
    if _HOST_KEY_UNKNOWN.search(said):
        return "its host key is not known; verify it and add it to known_hosts"
    return None


def _said(result: Mapping[str, Any]) -> str:
    """All that a result says in words: Ansible's own first, then the server's."""
    names = ("msg", "module_stderr", "stderr", "stdout", "module_stdout")
    words = [str(result[name]) for name in names if result.get(name)]
    return "\n".join(word for word in words if word != "non-zero return code")[:_READ]


_READ = 65536
_NOISE = re.compile(
    r"Warning: Permanently added|\*\* |@{5,}|debug\d: |Pseudo-terminal|\s*$|OpenSSH_|Last login|Origin: |<<< caused by"
    r"|Module result deserialization failed|MODULE FAILURE|See stdout/stderr"  # what the server said comes after
)
_PREFIXES = re.compile(
    r"^((\[ERROR\]|fatal|Task failed|Action failed|Failed to connect to the host via ssh"
    r"|Data could not be sent to remote host .{1,300} over ssh): ?)+"
)


def sentence(said: str) -> str:
    """One sentence for people out of what Ansible or a server said: the line that tells of a connection where there is
    one, or else the first that tells anything; fit for any screen, 200 characters at most."""
    text = _PREFIXES.sub("", said.strip())
    lines = [line for line in (_PREFIXES.sub("", line.strip()) for line in text.splitlines()) if not _NOISE.match(line)]
    if not lines:
        return ""
    telling = next((line for line in lines if _TELLING.search(line)), lines[0])
    return readable(telling)


_TELLING = re.compile(
    r"^ssh: |Permission denied \(|Connection (closed|reset|refused|timed)|Connection to |kex_exchange|banner exchange"
)


def readable(text: str) -> str:
    """What a stranger said, fit for any screen: printable, on one line, at most 200 characters."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:LONGEST_SENTENCE]


def complaint(texts: Sequence[str]) -> str:
    """The error in what Ansible printed, after its place (file:line:column) where it names one; "" where there is none.

    The lines of the file that Ansible quotes are left out: they may hold passwords.
    """
    printed = "\n".join(texts)
    error = _ERROR.search(printed)
    if error is None:
        return ""
    place = _ORIGIN.search(printed, error.end())
    said = readable(error[1])
    return f"{':'.join(place.groups())}: {said}" if place else said


_ERROR = re.compile(r"^\[ERROR\]: (.*)", re.MULTILINE)
_ORIGIN = re.compile(r"^Origin: (.*):(\d+):(\d+)", re.MULTILINE)


def hide(text: str, secrets: Sequence[str]) -> str:
    """Text without any of these values."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text
