"""How old the newest file of a backup place is. Sizes and times are added up on the server: a place may hold millions
of files, of which only the first are looked at (see MOST_FILES)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from maintops.domain.answers import (
    Answer,
    Measured,
    Part,
    Reading,
    Skipped,
    SubjectFacts,
    UnreadableAnswer,
)
from maintops.probes.answering import integer, named_parts
from maintops.probes.contract import Fact, Parameter, Presence, Probe

MOST_FILES = 200_000
"""Files of one place that are looked at: some seconds' work."""

# find of busybox has no -printf. lost+found belongs to root and holds no backup.
_QUESTION = """\
files() {
  if find /dev/null -printf '' 2>/dev/null; then
    find -H "$1" -maxdepth %(depth)d -name lost+found -prune -o -type f -printf '%%T@ %%s\\n'
  else
    find -H "$1" -maxdepth %(depth)d -name lost+found -prune -o -type f -exec stat -L -c '%%Y %%s' {} +
  fi 2>/dev/null
}
folders() { find -H "$1" -mindepth "$2" -maxdepth %(depth)d -name lost+found -prune -o -type d -print; }
measure() {
  files "$1" | head -n %(most)d | awk '
    { files++; size += $2; if ($1 > newest) { newest = $1; last = $2 } }
    END { printf "%%d %%.0f %%.0f %%.0f\\n", files, size, newest, last }'
  case $(folders "$1" 0 2>&1 >/dev/null) in *ermission\\ denied*) echo denied ;; esac
  [ -n "$(folders "$1" %(depth)d 2>/dev/null | head -n 1)" ] && echo deeper
  :
}
place() {
  pattern=$1 saved=$IFS IFS=
  set -- $pattern
  IFS=$saved
  for path in "$@"; do
    if [ -e "$path" ]; then part "place $path" measure "$path"
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

_TOTALS = re.compile(r"([0-9]{1,12}) ([0-9]{1,18}) ([0-9]{1,11}) ([0-9]{1,18})")
_DETAILS = frozenset({"newest", "newest_hours", "newest_bytes"})
_DEEPEST = 20


def _paths(parameters: Mapping[str, Any]) -> list[str]:
    paths = parameters.get("paths") or []
    return [paths] if isinstance(paths, str) else [str(path) for path in paths]


def _depth(parameters: Mapping[str, Any]) -> int | None:
    depth = integer(str(parameters.get("depth", 3)))
    return depth if depth is not None and 0 < depth <= _DEEPEST else None


def question(parameters: Mapping[str, Any]) -> str | Skipped:
    """Number, size and age of the files in the places that are configured."""
    paths, depth = _paths(parameters), _depth(parameters)
    if not paths:
        return Skipped("no backup places are configured: set the parameter backup_paths")
    if depth is None:
        return Skipped(f"the parameter depth is not a whole number from 1 to {_DEEPEST}")
    places = "\n".join(f"place {shlex.quote(path if path.startswith('/') else f'./{path}')}" for path in paths)
    return _QUESTION % {"depth": depth, "most": MOST_FILES, "places": places}


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject per place."""
    found = named_parts(answer)
    now = integer(found["now"].text) if "now" in found else None
    if now is None:
        raise UnreadableAnswer("the server did not say what time it is")
    return Measured(tuple(_subjects(found, now, _depth(parameters) or 0)))


def _subjects(found: Mapping[str, Part], now: int, depth: int) -> Iterator[SubjectFacts]:
    seen: set[str] = set()
    for name, part in found.items():
        kind, _, path = name.partition(" ")
        if kind not in ("place", "missing", "denied") or path in seen:
            continue
        seen.add(path)
        if kind == "place":
            yield _place(path, part, now, depth)
        elif kind == "missing":
            yield SubjectFacts(path, {"present": False}, _DETAILS | {"files", "size_bytes"})
        else:
            yield SubjectFacts(path, why_not="no right to look there")


def _place(path: str, part: Part, now: int, depth: int) -> SubjectFacts:
    first, *remarks = part.text.split("\n")
    match = _TOTALS.fullmatch(first)
    if match is None or part.status != 0:
        raise UnreadableAnswer(f"the files of {path[:200]!r} were not counted: {first[:80]!r}")
    files, size, newest, last = (int(match[place]) for place in range(1, 5))
    if "denied" in remarks:
        return SubjectFacts(path, why_not="no right to read all of it")
    if files >= MOST_FILES:
        return SubjectFacts(path, why_not=f"more than {MOST_FILES} files: name a smaller place")
    if files == 0 and "deeper" in remarks:
        return SubjectFacts(path, why_not=f"no file in the first {depth} levels, and folders below: raise depth")
    if files == 0:
        return SubjectFacts(path, {"present": False, "files": 0, "size_bytes": 0}, _DETAILS)
    facts = {
        "present": True,
        "files": files,
        "size_bytes": size,
        "newest": _moment(newest).isoformat(),
        "newest_hours": round((now - newest) / 3600, 1),
        "newest_bytes": last,
    }
    return SubjectFacts(path, facts)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)  # eleven digits: at most the year 5138


PROBE = Probe(
    name="backup-age",
    title="Age of backups",
    facts={
        "present": Fact("bool", "at least one file is there"),
        "newest": Fact("str", "when the newest file was last written: date and time in UTC, ISO 8601"),
        "newest_hours": Fact("float", "how long ago that was, by the server's clock", "hours"),
        "newest_bytes": Fact("int", "size of the newest file", "bytes"),
        "files": Fact("int", "files in the place", "files"),
        "size_bytes": Fact("int", "size of all files together", "bytes"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    parameters={
        "paths": Parameter([], "files, folders and patterns such as /srv/backup/*; each is a place of its own"),
        "depth": Parameter(3, f"how many levels of folders to look into, at most {_DEEPEST}"),
    },
)
