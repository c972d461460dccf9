"""X.509 certificates in files, read with `openssl x509`: openssl-x509(1).

Of a file that holds several, the first counts: the server's own in a chain. Only what a certificate says in public
leaves the server, and files that are named like private keys are not opened.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from maintops.domain.answers import (
    Answer,
    Measured,
    NotMeasured,
    Part,
    Reading,
    Skipped,
    SubjectFacts,
    UnreadableAnswer,
)
from maintops.probes.answering import integer, named_parts, present
from maintops.probes.contract import Fact, Parameter, Presence, Probe
from maintops.probes.recorded import RECORDED, in_parts, recording_of, silence

MOST_FILES = 200
"""Certificates of one folder that are read."""

_QUESTION = """\
show() {
  set -- "$1" -noout -startdate -enddate -serial -subject -issuer -nameopt RFC2253 -passin pass:
  file=$1
  shift
  openssl x509 -in "$file" "$@" 2>/dev/null || openssl x509 -inform DER -in "$file" "$@"
}
one() { if [ -r "$1" ]; then part "file $1" show "$1"; else part "denied $1" :; fi; }
is_key() { case ${1##*/} in *.key|privkey*|private*|key.pem|*[-_.]key.*) return 0 ;; *) return 1 ;; esac; }
folder() {
  case $(find -L "$1" -maxdepth 3 -type d 2>&1 >/dev/null) in *ermission\\ denied*) part "denied $1" : ;; esac
  find -L "$1" -maxdepth 3 -type f 2>/dev/null | grep -E '\\.(pem|crt|cer|cert)$' | sort | {
    count=0
    while IFS= read -r path; do
      is_key "$path" && continue
      [ ! -r "$path" ] || grep -qE -e '-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----' "$path" || continue
      count=$((count + 1))
      [ $count -gt %(most)d ] && part "many $1" : && break
      one "$path"
    done
    [ $count -gt 0 ] || part "missing $1" :
  }
}
place() {
  pattern=$1 saved=$IFS IFS=
  set -- $pattern
  IFS=$saved
  for path in "$@"; do
    [ "$path" != "$pattern" ] && is_key "$path" && continue
    if [ -d "$path" ]; then folder "$path"
    elif [ -e "$path" ]; then one "$path"
    else case $(ls -d -- "$path" 2>&1) in
      *ermission\\ denied*) part "denied $path" : ;;
      *) part "missing $path" : ;;
      esac
    fi
  done
}
part now date +%%s
%(places)s
"""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(r"([A-Z][a-z]{2}) +([0-9]{1,2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)? ([0-9]{4}) GMT")
_DETAILS = frozenset({"not_before", "not_after", "days_left", "subject_name", "issuer", "serial"})


def _paths(parameters: Mapping[str, Any]) -> list[str]:
    paths = parameters.get("paths") or []
    return [paths] if isinstance(paths, str) else [str(path) for path in paths]


def question(parameters: Mapping[str, Any]) -> str | Skipped:
    """Every certificate in the places that are configured."""
    paths = _paths(parameters)
    if not paths:
        return Skipped("no certificate places are configured: set the parameter certificate_paths")
    places = "\n".join(f"place {shlex.quote(_rooted(path))}" for path in paths)
    return _QUESTION % {"most": MOST_FILES, "places": places}


def _rooted(path: str) -> str:
    """A path that no command can take for an option."""
    return path if path.startswith("/") else f"./{path}"


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject per file with a certificate, and per place that has none or may not be read."""
    if (why := silence(answer)) is not None:
        return why
    found = named_parts(answer)
    now = integer(found["now"].text) if "now" in found else None
    if now is None and RECORDED not in found:
        raise UnreadableAnswer("the server did not say what time it is")
    if any(name.startswith("file ") and part.status == 127 for name, part in found.items()):
        return NotMeasured("the command openssl is not installed")
    subjects: dict[str, SubjectFacts] = {}
    for subject in _subjects(found, now):
        kept = subjects.get(subject.subject or "")
        if kept is None or kept.why_not is None:  # that a place may not be read outweighs that nothing was found
            subjects[subject.subject or ""] = subject
    return Measured(tuple(subjects.values()))


def _subjects(found: Mapping[str, Part], now: int | None) -> Iterator[SubjectFacts]:
    for name, part in found.items():
        kind, _, path = name.partition(" ")
        if kind == "file":
            yield _certificate(path, part, now)
        elif kind == "missing":
            yield SubjectFacts(path, {"present": False}, _DETAILS)
        elif kind == "denied":
            yield SubjectFacts(path, why_not="no right to read all of it")
        elif kind == "many":
            yield SubjectFacts(path, why_not=f"more than {MOST_FILES} certificates: only the first were read")


def _certificate(path: str, part: Part, now: int | None) -> SubjectFacts:
    if part.status != 0:
        return SubjectFacts(path, {"present": True}, why_not="openssl finds no certificate in this file")
    values = {key: value.strip() for key, _, value in (line.partition("=") for line in part.text.split("\n"))}
    if "notAfter" not in values:
        raise UnreadableAnswer(f"openssl does not say until when the certificate in {path[:200]!r} is valid")
    begins, ends = (_moment(values[key]) if key in values else None for key in ("notBefore", "notAfter"))
    return SubjectFacts(
        path,
        present(
            present=True,
            not_before=begins.isoformat() if begins else None,
            not_after=ends.isoformat() if ends else None,
            days_left=round((ends.timestamp() - now) / 86400, 1) if ends and now is not None else None,
            subject_name=values.get("subject"),
            issuer=values.get("issuer"),
            serial=values.get("serial"),
        ),
    )


def _moment(text: str) -> datetime:
    match = _DATE.fullmatch(text)
    if match is None or match[1] not in _MONTHS:
        raise UnreadableAnswer(f"not a date of openssl: {text[:40]!r}")
    day, hour, minute, second, year = (int(match[place]) for place in range(2, 7))
    try:
        return datetime(year, _MONTHS.index(match[1]) + 1, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise UnreadableAnswer(f"no such date: {text[:40]!r}") from None


_TEXT = {
    "notBefore": re.compile(r"(?m)^\s*Not Before\s*: (.*?)\s*$"),
    "notAfter": re.compile(r"(?m)^\s*Not After\s*: (.*?)\s*$"),
    "subject": re.compile(r"(?m)^\s*Subject: (.*?)\s*$"),
    "issuer": re.compile(r"(?m)^\s*Issuer: (.*?)\s*$"),
    "serial": re.compile(r"(?m)^\s*Serial Number:\s*(?:\d+ \(0x([0-9a-fA-F]+)\)|((?:[0-9a-f]{2}:)*[0-9a-f]{2}))\s*$"),
}
_SHORT = re.compile(r"(?m)^(notBefore|notAfter|serial|subject|issuer) ?= ?(.*?)\s*$")


def _recorded(text: str) -> Answer | None:
    """What `openssl x509 -text` or `-noout -dates -subject …` says of one certificate, or several in a row. Neither the
    file nor the time of the day is known: no days are left to count."""
    if re.search(r"(?m)^\s*Certificate:\s*$", text):
        found = [_of_text(one) for one in re.split(r"(?m)^\s*Certificate:\s*$", text)[1:]]
    else:
        found = _of_short(text)
    if not found:
        return None
    texts = ["\n".join(f"{name}={value}" for name, value in one.items()) for one in found]
    names = ["certificate", *(f"certificate {place}" for place in range(2, len(texts) + 1))]
    return in_parts({f"file {name}": text for name, text in zip(names, texts, strict=True)})


def _of_text(text: str) -> dict[str, str]:
    found = {name: match for name, pattern in _TEXT.items() if (match := pattern.search(text)) is not None}
    values = {name: next((one for one in match.groups() if one), "") for name, match in found.items()}
    if "serial" in values:
        values["serial"] = values["serial"].replace(":", "").upper()
    return values


def _of_short(text: str) -> list[dict[str, str]]:
    """A name that comes again begins the next certificate."""
    found: list[dict[str, str]] = []
    for name, value in _SHORT.findall(text):
        if not found or name in found[-1]:
            found.append({})
        found[-1][name] = value
    return found


PROBE = Probe(
    name="certificates",
    title="Certificates",
    facts={
        "present": Fact("bool", "a certificate is there"),
        "not_before": Fact("str", "valid from: date and time in UTC, ISO 8601"),
        "not_after": Fact("str", "valid until: date and time in UTC, ISO 8601"),
        "days_left": Fact("float", "time until it ends, by the server's clock; below 0: it has ended", "days"),
        "subject_name": Fact("str", "whom it is for (RFC 2253)"),
        "issuer": Fact("str", "who issued it (RFC 2253)"),
        "serial": Fact("str", "serial number, hexadecimal"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    recording=recording_of("what openssl x509 says of a certificate", _recorded),
    parameters={
        "paths": Parameter([], "files, folders (three levels deep) and patterns such as /etc/ssl/private/*.pem"),
    },
)
