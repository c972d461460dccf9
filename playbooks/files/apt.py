"""Updates of Debian and Ubuntu, by apt-get and dpkg. Carried to the server behind patching.py, as one text with it.

Formats: apt-get(8) (what `--simulate` prints: Inst, Remv), dpkg-query(1), and what apt-get says in the C locale of what
it keeps back. Nothing is read from python3-apt, which many servers do not have.
"""

import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # on the server it is the same text
    from patching import (
        MARGIN,
        Change,
        Failed,
        Refused,
        Room,
        Said,
        answer,
        kernel_room,
        need_room,
        remark,
        run,
        some,
        wait_for,
    )

    Planner = Callable[[Mapping[str, Any], Mapping[str, "Installed"]], "Plan"]

LOCKS = (
    *("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/apt/lists/lock", "/var/cache/apt/archives/lock"),
    *("/run/unattended-upgrades.lock", "/var/lib/apt/daily_lock"),
)
"""The last two are held between the steps of unattended-upgrades and of the daily job, when the others are free."""

ARCHIVES = Path("/var/cache/apt/archives")
SECURITY = "/-security$/"
"""Suites of security updates, as apt's --target-release takes a pattern: bookworm-security, jammy-infra-security."""

_INST = re.compile(r"Inst (\S+) (?:\[(\S+)\] )?\((\S+) (.*?) ?\[([a-z0-9-]+)\]\).*")
_REMV = re.compile(r"(?:Remv|Purg) (\S+)(?: \[(\S+)\])?.*")
_SECURITY = re.compile(r"[:/][^\s,]*-security(?:,|$)")
_KERNEL = re.compile(r"linux-(?:image|modules|headers|modules-extra|image-unsigned)-[0-9].*")
_UNAVAILABLE = re.compile(
    r"E: (?:Version '\S+' for '(\S+)' was not found|Unable to locate package (\S+)|Package '(\S+)' has no .*)"
)
_KEPT = re.compile(
    r"The following (?:packages have been kept back|upgrades have been deferred due to phasing):\n((?:  .*\n?)+)"
)
_URI = re.compile(r"^'(\S+)' \S+ (\d+)\b", re.MULTILINE)
_SIZE = re.compile(r"^Installed-Size: (\d+)$", re.MULTILINE)
_BUSY = re.compile(r"Could not get lock|is locked by another process|is another process using it")
_COMPLAINT = re.compile(r"(?:E|W|Err)(?::\d+)?:? .*")
_STALE = re.compile(r"^(?:Err:\d+ .*|[EW]: .*(?:[Ff]ailed to (?:fetch|download)|some index files failed).*)$", re.M)


class Installed(NamedTuple):
    """A package that dpkg knows: its state is three letters (dpkg-query(1), db:Status-Abbrev), its size is bytes."""

    name: str
    arch: str
    version: str
    state: str
    size: int

    @property
    def is_there(self) -> bool:
        """Whether its files are: not removed, with or without its configuration."""
        return self.state[1:2] not in ("n", "c", "")

    @property
    def is_half_done(self) -> bool:
        """Whether it is unpacked, half set up, waits for a trigger, or wants to be installed anew."""
        return self.state[1:2] in ("U", "F", "H", "W", "t") or self.state[2:3] == "R"

    @property
    def is_held(self) -> bool:
        """Whether somebody keeps it as it is."""
        return self.state[:1] == "h"


class Plan(NamedTuple):
    """What apt-get is told to do, and what it will do: `remarks` are packages that it keeps back."""

    words: tuple[str, ...]
    changes: tuple["Change", ...]
    remarks: tuple[str, ...] = ()


# --- dpkg -------------------------------------------------------------------------------------------------------------


def installed() -> dict[str, Installed]:
    """Every package that dpkg knows, by its name and by name:architecture; the name alone means the native one."""
    native = _run("dpkg", "--print-architecture").text.strip()
    fields = r"${Package}\t${Architecture}\t${Version}\t${db:Status-Abbrev}\t${Installed-Size}\n"
    found: dict[str, Installed] = {}
    for line in _run("dpkg-query", "-W", "-f", fields).text.splitlines():
        parts = line.split("\t")
        if len(parts) == 5:
            one = Installed(parts[0], parts[1], parts[2], parts[3], 1024 * int(parts[4] or 0))
            if one.is_there:
                found[f"{one.name}:{one.arch}"] = one
                if one.arch in (native, "all"):
                    found[one.name] = one
                    found[f"{one.name}:{native}"] = one
    return found


def half_done(known: Mapping[str, Installed]) -> list[str]:
    """The names of packages that are unpacked, or half set up."""
    return sorted({one.name for one in known.values() if one.is_half_done})


def is_older(one: str, other: str) -> bool:
    """Whether one version is lower than another."""
    return _run("dpkg", "--compare-versions", one, "lt", other).status == 0


# --- apt-get ----------------------------------------------------------------------------------------------------------


def _run(*words: str, conffiles: str = "keep") -> "Said":
    force = "UCF_FORCE_CONFFNEW" if conffiles == "new" else "UCF_FORCE_CONFFOLD"
    quiet = {
        "DEBIAN_FRONTEND": "noninteractive",
        "DEBIAN_PRIORITY": "critical",
        "APT_LISTCHANGES_FRONTEND": "none",
        "APT_LISTBUGS_FRONTEND": "none",
        "NEEDRESTART_MODE": "l",
        "NEEDRESTART_SUSPEND": "1",
        force: "1",
    }
    return run(words, quiet)


def _dpkg_words(conffiles: str) -> list[str]:
    # confdef would keep the local file wherever there is a choice
    return ["--force-confnew"] if conffiles == "new" else ["--force-confdef", "--force-confold"]


def _apt_words(request: Mapping[str, Any]) -> list[str]:
    options = [f"Dpkg::Options::={word}" for word in _dpkg_words(request["conffiles"])]
    options += ["Dpkg::Use-Pty=0", f"DPkg::Lock::Timeout={request['lock_wait']}"]
    return ["apt-get", "-q", "-y", *(word for option in options for word in ("-o", option))]


def simulate(words: Sequence[str]) -> "Said":
    """What apt-get would do: it reads alone, and takes no lock."""
    return _run("apt-get", "-q", "-y", "--simulate", "-o", "Debug::NoLocking=true", *words)


def read_changes(text: str) -> list["Change"]:
    """The changes that a simulation names."""
    changes = []
    for line in text.splitlines():
        if found := _INST.fullmatch(line):
            changes.append(Change(found[1], found[5], found[2], found[3], found[4]))
        elif found := _REMV.fullmatch(line):
            changes.append(Change(found[1], "", found[2], None))
    return changes


def kept_back(text: str) -> list[str]:
    """The packages that apt-get keeps back, those that come in phases among them."""
    return [name for block in _KEPT.findall(text) for name in block.split()]


def _simulated(words: Sequence[str]) -> "Said":
    said = simulate(words)
    if said.status != 0:
        raise Refused(f"apt-get cannot do it: {complaints(said.text)}\n{said.end}")
    return said


def complaints(text: str) -> str:
    """What apt-get complains of, in a line."""
    found = [line for line in text.splitlines() if _COMPLAINT.fullmatch(line)]
    errors = [line[2:].strip() for line in found if line.startswith("E:")]
    return "; ".join(errors or found)[:400] or "it gives no reason"


# --- what is to be done -----------------------------------------------------------------------------------------------


def plan_update(request: Mapping[str, Any], known: Mapping[str, Installed]) -> Plan:
    """What the request means here. Raises Refused."""
    if request["pinned"] is not None:
        return _plan_pinned(request["pinned"], known)
    # upgrade removes nothing: what could only be upgraded by a removal is kept back
    release = ["--target-release", SECURITY] if request["update"] == "security" else []
    base = [*release, *(["dist-upgrade"] if request["allow_removals"] else ["upgrade", "--with-new-pkgs"])]
    said = simulate(base)
    if "is invalid for APT::Default-Release" in said.text:
        raise Refused("none of its package sources is one of security updates (a suite that ends in -security)")
    if said.status != 0:
        raise Refused(f"apt-get cannot do it: {complaints(said.text)}\n{said.end}")
    remarks = tuple(f"kept back (held, in phases, or not without a removal): {name}" for name in kept_back(said.text))
    changes = read_changes(said.text)
    if request["update"] == "all":
        return Plan(tuple(base), tuple(changes), remarks)
    chosen = [change for change in changes if change.old and change.new and _is_wanted(change, request)]
    if not chosen:
        return Plan((), (), remarks)
    words = [*release, "install", *map(_exactly, chosen)]
    return Plan(tuple(words), tuple(read_changes(_simulated(words).text)), remarks)


def _is_wanted(change: "Change", request: Mapping[str, Any]) -> bool:
    if request["update"] == "security":
        return bool(_SECURITY.search(change.origin))
    return change.name in request["packages"] or f"{change.name}:{change.arch}" in request["packages"]


def _exactly(change: "Change") -> str:
    return f"{change.name}={change.new}"


def _plan_pinned(pins: Iterable["Change"], known: Mapping[str, Installed]) -> Plan:
    """These versions and nothing else: whatever more apt-get would do is refused, so is a package that is held."""
    wanted = []
    for pin in pins:
        name = pin.name if ":" in pin.name or pin.arch in ("", "all") else f"{pin.name}:{pin.arch}"
        there = known.get(name) or known.get(pin.name)
        if there is None or there.version != pin.new:
            wanted.append((pin._replace(name=name), there))
    held = [pin.name for pin, there in wanted if there and there.is_held]
    if held:
        raise Refused(f"held packages stay as they are: {some(held)}; release them (apt-mark unhold) or plan anew")
    newer = [
        f"{pin} (installed: {there.version})"
        for pin, there in wanted
        if there and is_older(str(pin.new), there.version)
    ]
    if newer:
        raise Refused(f"installed in a newer version than the plan's: {some(newer)}; plan anew")
    if not wanted:
        return Plan((), ())
    words = ["install", *(_exactly(pin) for pin, _ in wanted)]
    said = simulate(words)
    gone = _unavailable(said.text)
    if gone:
        raise Refused(
            f"not to be had any more: {some(f'{pin.name} {pin.new}' for pin, _ in wanted if _bare(pin) in gone)}; "
            f"plan anew"
        )
    if said.status != 0:
        raise Refused(f"apt-get cannot do it: {complaints(said.text)}\n{said.end}")
    changes = read_changes(said.text)
    exact = {(_bare(pin), pin.new) for pin, _ in wanted}
    more = [change for change in changes if (_bare(change), change.new) not in exact]
    if more:
        raise Refused(f"the plan's versions are not all: {some(more)} would come with them; plan anew")
    return Plan(tuple(words), tuple(changes))


def _bare(change: "Change") -> str:
    return change.name.partition(":")[0]


def _unavailable(text: str) -> set[str]:
    found = filter(None, map(_UNAVAILABLE.match, text.splitlines()))
    return {next(filter(None, match.groups())).partition(":")[0] for match in found}


def plan_rollback(request: Mapping[str, Any], known: Mapping[str, Installed]) -> Plan:
    """The way back to the versions of before. Raises Refused where one of them cannot be had any more."""
    before = request["before"] or {}
    there = {name: known.get(name) for name in before}
    remarks = [f"left, a server may need a kernel to boot: {name}" for name in before if _is_left(name, before, there)]
    back = {name: version for name, version in before.items() if version and _version_of(there[name]) != version}
    new = [name for name, version in before.items() if not version and there[name] and not _KERNEL.match(name)]
    held = [name for name in (*back, *new) if (one := there[name]) and one.is_held]
    if held:
        raise Refused(f"held packages stay as they are: {some(held)}; release them first (apt-mark unhold)")
    if not back and not new:
        return Plan((), (), tuple(remarks))
    words = ["install", "--allow-downgrades", *_offers(back, there), *(f"{name}-" for name in new)]
    changes = read_changes(_simulated(words).text)
    meant = {name.partition(":")[0] for name in (*back, *new)}
    going = [there[name] for name in new]  # as dpkg has them: apt calls libc6:amd64 libc6
    more = [one for one in changes if _bare(one) not in meant or (not one.new and known.get(one.name) not in going)]
    if more:
        raise Refused(f"the way back would change other packages too: {some(more)}")
    return Plan(tuple(words), tuple(changes), tuple(remarks))


def _is_left(name: str, before: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
    return not before[name] and there[name] is not None and bool(_KERNEL.match(name))


def _offers(back: Mapping[str, str], there: Mapping[str, Any]) -> list[str]:
    """Each version as apt-get is to be told: from a repository, else from the cache of downloads."""
    if not back:
        return []
    gone = _unavailable(simulate(["install", "--allow-downgrades", *(f"{n}={v}" for n, v in back.items())]).text)
    offers, missing = [], []
    for name, version in back.items():
        bare, _, arch = name.partition(":")
        if bare not in gone:
            offers.append(f"{name}={version}")
            continue
        archs = (
            arch,
            there[name].arch if there[name] else "",
            "all",
            _run("dpkg", "--print-architecture").text.strip(),
        )
        files = [ARCHIVES / f"{bare}_{version.replace(':', '%3a')}_{one}.deb" for one in archs if one]
        file = next((str(file) for file in files if file.is_file()), None)
        if file:
            offers.append(file)
        else:
            missing.append(f"{name} {version}")
    if missing:
        raise Refused(f"there is no way back, these versions can be had no more: {some(missing)}")
    return offers


# --- what has to hold before ------------------------------------------------------------------------------------------


def refuse_removals(plan: Plan, allowed: Iterable[str]) -> None:
    """Raises Refused where a package would go that nobody allowed to."""
    removed = [change.name for change in plan.changes if not change.new and _bare(change) not in allowed]
    if removed:
        raise Refused(f"it would remove {some(removed)}; allow that by name (maintops_allow_removals) or keep them")


def refuse_half_done(plan: Plan, known: Mapping[str, Installed]) -> None:
    """Raises Refused where a package is not set up and the plan does not replace it."""
    left = sorted(set(half_done(known)) - {_bare(change) for change in plan.changes})
    if left:
        raise Refused(f"not set up, and dpkg --configure -a could not mend it: {some(left)}")


def refuse_without_room(plan: Plan, known: Mapping[str, Installed], spare: int) -> None:
    """Raises Refused where /boot, the cache of downloads or the root file system is too small."""
    kernels = [change.name for change in plan.changes if not change.old and re.match(r"linux-image-\d", change.name)]
    need_room(kernel_room(kernels, spare))
    # --assume-no would not do for a look: where apt-get has nothing to ask, it goes on
    uris = _run("apt-get", "-q", "-y", "--print-uris", "-o", "Debug::NoLocking=true", *plan.words).text
    there = (known.get(change.name) for change in plan.changes if change.old)
    growth = _unpacked(plan) - sum(one.size for one in there if one)
    rooms = [Room("/", max(growth, 0) + MARGIN, "the new versions")]
    rooms += [Room("/var/lib/dpkg", MARGIN, "the package database")]
    need_room([*rooms, Room(str(ARCHIVES), download(uris) + MARGIN, "the download")])


def download(uris: str) -> int:
    """Bytes that apt-get would fetch, by what it prints of their places."""
    return sum(int(size) for place, size in _URI.findall(uris) if not place.startswith(("file:", "copy:")))


def _unpacked(plan: Plan) -> int:
    """Bytes that the new versions take when they are unpacked (deb-control(5): Installed-Size)."""
    words = [f"{change.name}={change.new}" for change in plan.changes if change.new]
    return sum(1024 * int(size) for size in _SIZE.findall(_run("apt-cache", "show", *words).text)) if words else 0


# --- doing it ---------------------------------------------------------------------------------------------------------


def _patiently(words: Sequence[str], request: Mapping[str, Any]) -> "Said":
    """Runs a program that wants the locks; somebody else may be faster than we are."""
    deadline = time.monotonic() + request["lock_wait"]
    while True:
        wait_for(LOCKS, (), max(0, round(deadline - time.monotonic())))
        said = _run(*words, conffiles=request["conffiles"])
        if said.status == 0 or not _BUSY.search(said.text) or time.monotonic() >= deadline:
            return said


def repair(request: Mapping[str, Any]) -> None:
    """Finishes what an interrupted dpkg left. What cannot be mended so may be by the update."""
    before = half_done(installed())
    if not before and not any(Path("/var/lib/dpkg/updates").glob("[0-9]*")):
        return
    said = _patiently(["dpkg", *_dpkg_words(request["conffiles"]), "--configure", "-a"], request)
    after = half_done(installed())
    for name in sorted(set(before) - set(after)):
        sys.stdout.write(f"{name} was half installed and is set up\n")
    if after:
        remark(f"dpkg --configure -a could not set up {some(after)}:\n{said.end}")


def refresh(request: Mapping[str, Any]) -> str:
    """Fetches the package lists; returns why they could not all be had, or nothing."""
    said = _patiently(["apt-get", "-q", "-o", "APT::Update::Error-Mode=any", "update"], request)
    # an apt that does not know the mode (before 2.3) ends with 0
    if said.status != 0 or _STALE.search(said.text):
        return complaints(said.text)
    return ""


def carry_out(plan: Plan, request: Mapping[str, Any]) -> None:
    """Does what is planned, says what changed, and looks whether it is so. Raises Failed."""
    automatic = set(_run("apt-mark", "showauto").text.split())
    guard = [] if any(change.new is None for change in plan.changes) else ["--no-remove"]
    before = installed()
    said = _patiently([*_apt_words(request), *guard, *plan.words], request)
    after = installed()
    names = {change.name: _version(before, change) for change in plan.changes}
    for change in plan.changes:
        if _version(after, change) != names[change.name]:
            sys.stdout.write(f"{change._replace(old=names[change.name], new=_version(after, change))}\n")
    _mark(plan, automatic, request)
    broken = half_done(after)
    if broken:
        raise Failed(f"not set up: {some(broken)} (apt-get ended with status {said.status})\n{said.end}")
    missed = [change for change in plan.changes if _version(after, change) != change.new]
    if said.status != 0 or missed:
        what = f"not done: {some(missed)}; " if missed else ""
        raise Failed(f"{what}apt-get ended with status {said.status}: {complaints(said.text)}\n{said.end}")


def _version(known: Mapping[str, Installed], change: "Change") -> str | None:
    return _version_of(known.get(change.name) or known.get(f"{change.name}:{change.arch}"))


def _version_of(there: "Installed | None") -> str | None:
    return there.version if there else None


def _mark(plan: Plan, automatic: Iterable[str], request: Mapping[str, Any]) -> None:
    """A package that was installed for the sake of another one stays so: naming it has made it a wanted one."""
    if "install" not in plan.words:
        return
    pinned = request["pinned"] is not None
    names = [
        change.name
        for change in plan.changes
        if change.new and (pinned if not change.old else change.name in automatic)
    ]
    if names:
        _run("apt-mark", "auto", *names)


# --- verbs ------------------------------------------------------------------------------------------------------------


def _judged(request: Mapping[str, Any], planned: "Planner", *, removals: bool, mended: bool) -> Plan:
    known = installed()
    plan = planned(request, known)
    for text in plan.remarks:
        remark(text)
    if removals:
        refuse_removals(plan, request["allow_removals"])
    if mended:
        refuse_half_done(plan, known)
    if plan.changes:
        refuse_without_room(plan, known, request["boot_spare_mb"] * 10**6)
    return plan


def _preview(request: Mapping[str, Any], planned: "Planner", *, removals: bool) -> None:
    for name in half_done(installed()):
        sys.stdout.write(f"{name} is half installed: dpkg --configure -a comes first\n")
    for change in _judged(request, planned, removals=removals, mended=False).changes:
        sys.stdout.write(f"{change}\n")


def preview(request: Mapping[str, Any]) -> None:
    """What an update would do, by the package lists as they are."""
    _preview(request, plan_update, removals=True)


def preview_rollback(request: Mapping[str, Any]) -> None:
    """What the way back would do."""
    _preview(request, plan_rollback, removals=False)


def update(request: Mapping[str, Any]) -> None:
    """Waits, repairs, refreshes the lists, plans, refuses or installs."""
    repair(request)
    stale = refresh(request)
    if stale:
        raise Refused(f"the package lists cannot be refreshed: {stale}")
    plan = _judged(request, plan_update, removals=True, mended=True)
    if plan.changes:
        carry_out(plan, request)


def rollback(request: Mapping[str, Any]) -> None:
    """Goes back. A repository that does not answer is no reason to stay: what is known and cached may be enough."""
    repair(request)
    stale = refresh(request)
    if stale:
        remark(f"the package lists cannot be refreshed: {stale}")
    plan = _judged(request, plan_rollback, removals=False, mended=True)
    if plan.changes:
        carry_out(plan, request)


if __name__ == "__main__":
    verbs = {"update": update, "rollback": rollback, "preview-update": preview, "preview-rollback": preview_rollback}
    sys.exit(answer(verbs))
