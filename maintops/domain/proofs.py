"""The proof of a change: what a server was like before and after it, and which of the differences were meant.

Both sides are the facts of the probe `server-state`. A fact that was not measured is missing there; it never reads as
"unchanged": where one side has it and the other has not, that is a difference of its own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from maintops.domain.outcomes import Cell, Outcome, Severity

PROOF = "CHG-900"
"""The check that the cells of a proof belong to."""

UNMEASURED = "unmeasured"
"""The kind of a difference of which one side is not known; its subject is the kind that was not measured there."""

REMOVED = ""
"""What a plan pins a package to that it takes away."""

RUNNING = "running"
"""The state of a service that runs; `exited` is one that has done its work and counts as active."""

AS_NEEDED = ("systemd-*", "ldconfig", "modprobe@*", "plymouth-*")
"""Services that do their work in some boots and have none in others (the conditions of systemd.unit(5), such as a
crash to keep or a cache to build). That one of them is not `exited` again says nothing of the server."""

FIRST_PASSING_PORT = 32_768
"""Where Linux begins to give out ports by itself (net.ipv4.ip_local_port_range, ip-sysctl.rst of the kernel)."""

MOST_CELLS = 50
"""Unexpected differences of a kind that have a cell each; one further cell counts the rest."""

MOST_EVIDENCE = 500
"""Expected differences that the evidence names."""

_FACTS: Mapping[str, str] = {
    "package": "packages",
    "kernel": "kernel",
    "boot": "boot",
    "service": "services",
    "port": "ports",
    "mount": "mounts",
    "firewall": "firewall",
    "user": "users",
    "config": "config",
}
KINDS = (*_FACTS, UNMEASURED)
"""Every kind of difference, in the order in which they are told."""

_PLURALS = {"package": "packages", "service": "services", "port": "ports", "mount": "mounts", "user": "users"} | {
    "config": "configuration files",
    UNMEASURED: "kinds not measured on one side",
}
_NOUNS = {"config": "the configuration file", "mount": "the mount", "user": "the account"}
_UNTOLD = frozenset({"firewall", "config", "boot"})
"""Kinds whose values (digests, ids) say nothing to a person."""
_LONGEST_VALUE = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it was. None: not there, on that side.

    `kind` is one of KINDS. `subject` is a package's name, a service's, `tcp 0.0.0.0:22`, a mount point, an account, a
    path; for `kernel`, `boot` and `firewall`, of which there is one, the kind again. Values: a version; a release; a
    service's sub state; the programs behind a port, or `listening`; source, type and options of a mount; digests.
    """

    kind: str
    subject: str
    before: str | None
    after: str | None


# --- what is different ------------------------------------------------------------------------------------------------


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Difference, ...]:
    """How two states of a server differ, by kind (in the order of KINDS) and subject. Both are facts of the probe
    `server-state`; a fact that is missing or None was not measured. The uptime is no difference.

    A port that the kernel chose (from FIRST_PASSING_PORT on) is another one after a restart: where the same program
    listens on the same address before and after, that is none. Nor is a port whose program is not known on one side,
    or behind which systemd and the program that it starts take turns.
    """
    found: list[Difference] = []
    for kind, fact in _FACTS.items():
        old, new = before.get(fact), after.get(fact)
        if old is None or new is None:
            if old is not new:
                sides = (None, "measured") if old is None else ("measured", None)
                found.append(Difference(UNMEASURED, kind, *sides))
        elif kind == "port":
            found += _ports(old, new)
        elif isinstance(old, Mapping) and isinstance(new, Mapping):
            found += _entries(kind, old, new)
        elif not (_same_boot(str(old), str(new)) if kind == "boot" else old == new):
            found.append(Difference(kind, kind, str(old), str(new)))
    return tuple(sorted(found, key=lambda one: (KINDS.index(one.kind), one.subject)))


def stopped_services(found: Iterable[Difference]) -> tuple[str, ...]:
    """The services that were active before and are not after, or ran and do not."""
    return tuple(one.subject for one in found if _stopped(one))


def unknown_kinds(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """The kinds that were measured on neither side: nothing is proven about them."""
    return tuple(kind for kind, fact in _FACTS.items() if before.get(fact) is None and after.get(fact) is None)


def _entries(kind: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterable[Difference]:
    for subject in sorted({*old, *new}):
        if old.get(subject) != new.get(subject):
            yield Difference(kind, subject, _text(old.get(subject)), _text(new.get(subject)))


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _same_boot(old: str, new: str) -> bool:
    """`BOOT ID/TICKS`: without the ticks on one side, the boot id alone is compared."""
    (old_id, _, old_ticks), (new_id, _, new_ticks) = old.partition("/"), new.partition("/")
    return old_id == new_id and (old_ticks == new_ticks or not (old_ticks and new_ticks))


def _ports(old: Iterable[str], new: Iterable[str]) -> list[Difference]:
    before, after = _listeners(old), _listeners(new)
    moved = _moved({one: before[one] for one in before.keys() - after.keys()}, after, before)
    found = []
    for port in sorted((before.keys() | after.keys()) - moved):
        mine, others = before.get(port), after.get(port)
        if mine is None or others is None or (mine and others and not mine & others):
            found.append(Difference("port", port, _programs(mine), _programs(others)))
    return found


def _listeners(ports: Iterable[str]) -> dict[str, frozenset[str]]:
    """Port (`tcp 0.0.0.0:22`) -> its programs, none where they are not known."""
    found: dict[str, frozenset[str]] = {}
    for text in ports:
        protocol, _, rest = text.partition(" ")
        address, _, programs = rest.partition(" ")
        names = frozenset(name for name in programs.split(",") if name)
        found[f"{protocol} {address}"] = found.get(f"{protocol} {address}", frozenset()) | names
    return found


def _moved(
    gone: Mapping[str, frozenset[str]], after: Mapping[str, frozenset[str]], before: Mapping[str, frozenset[str]]
) -> set[str]:
    """The ports that were given out again: as many that are gone as there are new ones of the same program and
    address."""
    groups: dict[tuple[str, frozenset[str]], tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    new = {one: after[one] for one in after.keys() - before.keys()}
    for side, ports in enumerate((gone, new)):
        for port, programs in ports.items():
            place, _, number = port.rpartition(":")
            if number.isdecimal() and int(number[:6]) >= FIRST_PASSING_PORT:
                groups[place, programs][side].append(port)
    moved: set[str] = set()
    for left, right in groups.values():
        count = min(len(left), len(right))
        moved |= {*sorted(left)[:count], *sorted(right)[:count]}
    return moved


def _programs(names: frozenset[str] | None) -> str | None:
    return None if names is None else ", ".join(sorted(names)) or "listening"


def _stopped(one: Difference) -> bool:
    """An active service that does not run is one whose work is done, such as a firewall's rules or a mounted export:
    that it is gone is no less than that a program died."""
    if one.kind != "service" or one.before is None:
        return False
    if one.before == RUNNING:
        return one.after != RUNNING
    return one.after is None and not any(fnmatchcase(one.subject, name) for name in AS_NEEDED)


# --- what was meant ---------------------------------------------------------------------------------------------------


def judge_differences(
    found: Sequence[Difference], expected: Sequence[str] = (), planned: Mapping[str, str] | None = None
) -> tuple[Cell, ...]:
    """The cells of the check PROOF: one `ok` cell that counts where everything was expected, else a cell for each
    difference that was not (of a kind at most MOST_CELLS, and one that counts the rest).

    An entry of `expected` is a kind, or `KIND:PATTERN` over the subject, in which * and ? stand for any characters
    (brackets for themselves: they enclose addresses). Two kinds are stricter:

    - a service that ran and does not any more, or was active and is not, is critical, and expected only by `service:`
      and its name, letter by letter; anything else that was not expected is a warning.
    - with `planned` (package -> version as in the fact `packages`, REMOVED where it is to go) the bare word `package`
      means nothing: a planned package must have become what the plan says, whatever else is expected, and any other
      is expected only by a `package:PATTERN`.
    """
    unexpected = [one for one in found if not is_expected(one, expected, planned)]
    if not unexpected:
        return (_fine(found),)
    cells: list[Cell] = []
    told: Counter[str] = Counter()
    for one in unexpected:
        if _stopped(one):
            cells.append(_cell(one, Severity.CRITICAL))
        else:
            told[one.kind] += 1
            if told[one.kind] <= MOST_CELLS:
                cells.append(_cell(one, Severity.WARNING))
    return (*cells, *(_rest(kind, count - MOST_CELLS) for kind, count in told.items() if count > MOST_CELLS))


def is_expected(one: Difference, expected: Sequence[str], planned: Mapping[str, str] | None = None) -> bool:
    """Whether a difference was meant to be; see `judge_differences`."""
    patterns = [pattern for kind, colon, pattern in (text.partition(":") for text in expected) if kind == one.kind]
    if _stopped(one):
        return one.subject in patterns  # the bare word stands there as "", which is no service's name
    if one.kind == "package" and planned is not None:
        pin = _pinned(one, planned)
        if pin is not None:
            return (one.after or REMOVED) == pin
        return any(_matches(one.subject, pattern) for pattern in patterns)
    return any(pattern == "" or _matches(one.subject, pattern) for pattern in patterns)


def expectation_complaint(text: str) -> str | None:
    """What is wrong with an entry of `expected`, in words for people; None where it is well."""
    kind, colon, pattern = text.partition(":")
    if kind not in KINDS:
        return f"{text!r} expects a kind of difference that does not exist; there are {', '.join(KINDS)}"
    return (
        f"{text!r} ends after its colon: say which {kind}, or leave the colon away" if colon and not pattern else None
    )


def _matches(subject: str, pattern: str) -> bool:
    return fnmatchcase(subject, pattern.replace("[", "[[]"))


def _pinned(one: Difference, planned: Mapping[str, str]) -> str | None:
    """What the plan says of a package; None where it says nothing. Versions of kernels are installed beside each other
    under RPM: a new one is called `NAME-VERSION-RELEASE`, and planned under its name."""
    if one.subject in planned or one.before is not None or one.after is None:
        return planned.get(one.subject)
    release = one.after.partition(":")[2].rpartition(".")[0]
    return planned.get(one.subject.removesuffix(f"-{release}")) if release else None


# --- what is said of it -----------------------------------------------------------------------------------------------


def _fine(found: Sequence[Difference]) -> Cell:
    counts = Counter(one.kind for one in found)
    words = [_counted(kind, counts[kind]) for kind in KINDS if counts[kind]]
    message = f"{', '.join(words)} changed, as expected" if words else "nothing changed"
    lines = [_sentence(one) for one in found[:MOST_EVIDENCE]]
    if len(found) > MOST_EVIDENCE:
        lines.append(f"and {len(found) - MOST_EVIDENCE} more")
    return Cell(PROOF, None, Outcome.OK, message=message, facts={"expected": len(found)}, evidence="\n".join(lines))


def _counted(kind: str, count: int) -> str:
    if kind not in _PLURALS:
        return kind
    return f"{count} {_PLURALS[kind] if count > 1 or kind == UNMEASURED else _singular(kind)}"


def _singular(kind: str) -> str:
    return "configuration file" if kind == "config" else kind


def _cell(one: Difference, severity: Severity) -> Cell:
    subject = one.kind if one.subject == one.kind else f"{one.kind} {one.subject}"
    facts = {"kind": one.kind, "before": one.before, "after": one.after}
    return Cell(PROOF, subject, Outcome.ATTENTION, severity, f"not expected: {_sentence(one)}", facts)


def _rest(kind: str, count: int) -> Cell:
    message = f"not expected: {_counted(kind, count)} more"
    return Cell(PROOF, f"more {kind}", Outcome.ATTENTION, Severity.WARNING, message, {"kind": kind, "count": count})


def _sentence(one: Difference) -> str:
    if one.kind == UNMEASURED:
        side = "before the change but not after it" if one.after is None else "after the change but not before it"
        return f"{one.subject} was measured {side}"
    if _stopped(one):
        if one.before != RUNNING:
            return f"the service {one.subject} was active before ({one.before}) and is not any more"
        return f"the service {one.subject} ran before and does not any more" + (f": {one.after}" if one.after else "")
    noun = f"the {one.kind}" if one.subject == one.kind else f"{_NOUNS.get(one.kind, f'the {one.kind}')} {one.subject}"
    if one.before is None:
        return f"{noun} is new" + _value(one.kind, one.after)
    if one.after is None:
        return f"{noun} is gone" + _value(one.kind, one.before)
    if one.kind in _UNTOLD:
        return f"{noun} changed"
    return f"{noun} changed: {one.before[:_LONGEST_VALUE]} -> {one.after[:_LONGEST_VALUE]}"


def _value(kind: str, value: str | None) -> str:
    return "" if kind in _UNTOLD or not value else f": {value[:_LONGEST_VALUE]}"
