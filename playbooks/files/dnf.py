"""Updates of the RHEL family, by dnf (version 4: RHEL, Alma, Rocky 8 to 10). Carried to the server behind patching.py.

Formats: dnf(8) (what it prints before it asks, with `--assumeno`; its exit status 200 for a lock), rpm(8) (`--qf`).
A script that fails behind the installation of its package changes neither the exit status of dnf nor what rpm counts
as installed: it is found in what dnf prints.
dnf honours versionlock and excludes by itself, and rpm looks for room before a transaction. What becomes of changed
configuration files is a matter of their packages: rpm has no choice to offer (.rpmnew, .rpmsave).
"""

import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # on the server it is the same text
    from patching import Change, Failed, Refused, Said, answer, kernel_room, need_room, remark, run, some, wait_for

    Versions = dict[str, dict[str, str]]

LOCKS = ("/var/lib/rpm/.rpm.lock", "/usr/lib/sysimage/rpm/.rpm.lock")
PID_FILES = ("/var/cache/dnf/metadata_lock.pid", "/var/cache/dnf/download_lock.pid", "/var/lib/dnf/rpmdb_lock.pid")
BUSY = 200

_DNF = ("dnf", "--color=never", "--setopt=exit_on_lock=True")
_SECTION = re.compile(r"([A-Z][a-z]+(?: [a-z]+)*):")
_ROW = re.compile(r" (\S+) +(\S+) +(\S*[0-9]\S*) +(\S+) +[0-9.]+ ?[kMGT]? *")
_REPLACED = re.compile(r" +replacing +(\S+)\.(\S+) (\S+)")
_WRAPPED = re.compile(r"\n {2,}(?!replacing )(?=\S)")  # a row whose name is longer than its column goes on there
_MISSING = re.compile(r"(?:No match for argument|Unable to find a match): (.+)")
_FILTERED = re.compile(r"All matches were filtered out by \w+ filtering for argument: (.+)")
_COMPLAINT = re.compile(
    r" *(?:- |Errors during |Error: .|No match for |All matches were |Failed to |Problem\b|warning: %|error: ).*"
)
_SCRIPT = re.compile(r"Error in \S+ scriptlet in rpm package (\S+)")
_ARCH = re.compile(r"\.(noarch|x86_64|i[3-6]86|aarch64|armv7hl|ppc64le|s390x|riscv64|loongarch64)$")
_KERNEL = re.compile(r"kernel(?:-(?:uek|rt|64k|debug))?(?:-(?:core|modules|modules-core|modules-extra|devel))?")
_GONE = ("Removing", "Removing dependent packages", "Removing unused dependencies")


class Plan(NamedTuple):
    """What dnf is told to do, and what it will do; `older` are packages that would go back."""

    words: tuple[str, ...]
    changes: tuple["Change", ...]
    older: tuple["Change", ...] = ()


# --- rpm --------------------------------------------------------------------------------------------------------------


def installed() -> "Versions":
    """The installed versions by name and by name.architecture: several of a kernel."""
    found: Versions = {}
    text = _run("rpm", "-qa", "--qf", r"%{NAME}\t%{ARCH}\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\n").text
    for line in text.splitlines():
        parts = line.split("\t")
        if len(parts) == 3:
            name, arch, version = parts
            for key in (name, f"{name}.{arch}"):
                found.setdefault(key, {})[plain(version)] = arch
    return found


def plain(version: str) -> str:
    """A version without an epoch that says nothing."""
    return re.sub(r"^(?:0|\(none\)):", "", version)


# --- dnf --------------------------------------------------------------------------------------------------------------


def _run(*words: str) -> "Said":
    return run(words, {})


def read_changes(text: str) -> tuple[list["Change"], list["Change"]]:
    """The changes in the table that dnf shows before it asks, and those among them that go back to an older version."""
    changes, older, section = [], [], ""
    for line in _WRAPPED.sub(" ", text.partition("Transaction Summary")[0]).splitlines():
        if found := _SECTION.fullmatch(line.rstrip()):
            section = found[1]
        elif found := _REPLACED.fullmatch(line):
            changes.append(Change(found[1], found[2], plain(found[3]), None))
        elif (found := _ROW.fullmatch(line)) and not section.startswith("Skipping"):
            name, arch, version = found[1], found[2], plain(found[3])
            gone = section in _GONE
            changes.append(Change(name, arch, version if gone else None, None if gone else version, found[4]))
            if section == "Downgrading":
                older.append(changes[-1])
    return changes, older


def _simulated(words: Sequence[str], known: Mapping[str, Any], *, cached: bool = False, then: str = "") -> Plan:
    """What dnf would do. `cached`: by the metadata as they are; `then`: what to do where a version is gone. Raises
    Refused."""
    said = _run(*_DNF, "--assumeno", *(["--cacheonly"] if cached else []), *words)
    if "Transaction Summary" not in said.text:
        kept = _names(_FILTERED, said.text)
        missing = [name for name in _names(_MISSING, said.text) if name not in kept]
        if kept:
            raise Refused(f"excluded or locked here, as dnf is set up: {some(kept)}")
        if missing:
            raise Refused(f"not to be had any more: {some(missing)}{then}")
        if said.status != 0:
            raise Refused(f"dnf cannot do it: {complaints(said.text)}\n{said.end}")
        return Plan((), ())
    changes, older = read_changes(said.text)
    if not changes:
        raise Refused(f"what dnf would do cannot be read\n{said.end}")
    old = [one if one.old else one._replace(old=_one_of(known, one)) for one in changes]
    return Plan(tuple(words), tuple(old), tuple(older))


def _names(pattern: "re.Pattern[str]", text: str) -> list[str]:
    return list(dict.fromkeys(name for line in pattern.findall(text) for name in line.split()))


def _one_of(known: Mapping[str, Any], change: "Change") -> str | None:
    versions = known.get(f"{change.name}.{change.arch}")
    return None if not versions or _KERNEL.fullmatch(change.name) else ", ".join(versions)


def complaints(text: str) -> str:
    """What dnf complains of, in a line."""
    return "; ".join(line.strip() for line in text.splitlines() if _COMPLAINT.match(line))[:400] or "it gives no reason"


def _patiently(words: Sequence[str], request: Mapping[str, Any]) -> "Said":
    """Runs dnf when nobody else is at work; somebody may still be faster."""
    deadline = time.monotonic() + request["lock_wait"]
    while True:
        wait_for(LOCKS, PID_FILES, max(0, round(deadline - time.monotonic())))
        said = _run(*_DNF, "--assumeyes", *words)
        if said.status != BUSY or time.monotonic() >= deadline:
            return said
        time.sleep(1)


def refresh(request: Mapping[str, Any]) -> str:
    """Fetches the metadata; returns why they could not all be had, or nothing."""
    said = _patiently(["--refresh", "--setopt=*.skip_if_unavailable=False", "makecache"], request)
    return "" if said.status == 0 else complaints(said.text)


# --- what is to be done -----------------------------------------------------------------------------------------------


def plan_update(request: Mapping[str, Any], known: Mapping[str, Any], *, cached: bool = False) -> Plan:
    """What the request means here. Raises Refused."""
    if request["pinned"] is not None:
        return _plan_pinned(request["pinned"], known, cached=cached)
    words = ["upgrade"]
    if request["update"] == "security":
        told = _run(*_DNF, "--quiet", *(["--cacheonly"] if cached else []), "updateinfo", "list", "--all")
        if told.status != 0 or not told.text.strip():
            raise Refused("none of its repositories says which updates are for security (dnf updateinfo list --all)")
        words.append("--security")
    if request["update"] == "list":
        names = [name.replace(":", ".") for name in request["packages"]]
        there = [name for name in names if name in known]
        if not there:
            return Plan((), ())
        words += there
    return _simulated(words, known, cached=cached)


def _plan_pinned(pins: Iterable["Change"], known: Mapping[str, Any], *, cached: bool) -> Plan:
    wanted = {}
    for pin in pins:
        name, version = f"{pin.name}.{pin.arch}" if pin.arch else pin.name, plain(pin.new or "")
        if version not in known.get(name, {}):
            wanted[_exactly(pin.name, version, pin.arch)] = (pin.name, version)
    if not wanted:
        return Plan((), ())
    plan = _simulated(["install", *wanted], known, cached=cached, then="; plan anew")
    if plan.older:
        raise Refused(f"installed in a newer version than the plan's: {some(plan.older)}; plan anew")
    exact = set(wanted.values())
    more = [one for one in plan.changes if (one.name, one.new) not in exact and not _is_old_kernel(one, plan)]
    if more:
        raise Refused(f"the plan's versions are not all: {some(more)} would come with them; plan anew")
    missed = exact - {(one.name, one.new) for one in plan.changes}
    if missed:
        raise Refused(f"dnf would not install {some(' '.join(one) for one in sorted(missed))}: excluded or locked?")
    return plan


def _exactly(name: str, version: str, arch: str) -> str:
    return f"{name}-{version}.{arch}" if arch else f"{name}-{version}"


def _is_old_kernel(change: "Change", plan: Plan) -> bool:
    """Whether a kernel goes because a newer one comes (installonly_limit)."""
    coming = {one.name for one in plan.changes if one.new}
    return change.new is None and change.name in coming and _KERNEL.fullmatch(change.name) is not None


def plan_rollback(
    request: Mapping[str, Any], known: Mapping[str, Any], *, cached: bool = False
) -> tuple[Plan, list[str]]:
    """The way back, and the packages that go after it. Raises Refused."""
    back, new = {}, []
    for given, told in (request["before"] or {}).items():
        name, version, arch = read_before(given, told)
        there = known.get(f"{name}.{arch}" if arch else name, {})
        if _is_one_of_several(given, version, known):
            remark(f"left as it is, of these several versions may be there: {given}")
        elif version and version not in there:
            back[_exactly(name, version, arch or next(iter(there.values()), ""))] = name
        elif not version and there and _KERNEL.fullmatch(name):
            remark(f"left, a server may need a kernel to boot: {name}")
        elif not version and there:
            new.append(f"{name}.{arch}" if arch else name)
    if not back:
        return Plan((), ()), new
    plan = _simulated(["install", *back], known, cached=cached)
    meant = {*back.values(), *new}
    more = [change for change in plan.changes if change.name not in meant]
    if more:
        raise Refused(f"the way back would change other packages too: {some(more)}")
    return plan, new


def read_before(given: str, told: str | None) -> tuple[str, str, str]:
    """A package's name, version ("" for none) and architecture ("" where nobody says): the name may carry it
    (glibc:i686, glibc.i686), and the version too, as rpm writes it (0:2.34-1.i686)."""
    name, _, arch = given.partition(":")
    end = _ARCH.search(name)
    if end and not arch:
        name, arch = name[: end.start()], end[1]
    version = plain(told or "")
    end = _ARCH.search(version)
    return (name, version[: end.start()], arch or end[1]) if end else (name, version, arch)


def _is_one_of_several(given: str, version: str, known: Mapping[str, Any]) -> bool:
    """Whether it is one version of what rpm keeps several of (kernels, keys): told by its name-version-release."""
    if version:
        return given.endswith("-" + version.rpartition(":")[2])
    name = "-".join(given.split("-")[:-2])
    return any(f"{name}-{one.rpartition(':')[2]}" == given for one in known.get(name, {}))


def _judge(plan: Plan, request: Mapping[str, Any]) -> None:
    allowed = request["allow_removals"]
    gone = [
        one.name for one in plan.changes if not one.new and not _is_old_kernel(one, plan) and one.name not in allowed
    ]
    if gone and request["before"] is None:
        raise Refused(f"it would remove {some(gone)}; allow that by name (maintops_allow_removals) or keep them")
    kernels = [one.name for one in plan.changes if one.new and re.fullmatch(r"kernel(?:-\w+)?-core", one.name)]
    need_room(kernel_room(kernels, request["boot_spare_mb"] * 10**6))


# --- doing it ---------------------------------------------------------------------------------------------------------


def carry_out(plan: Plan, request: Mapping[str, Any]) -> None:
    """Does what is planned, says what changed, and looks whether it is so. Raises Failed."""
    said = _patiently(plan.words, request)
    after = installed()
    missed = []
    for change in plan.changes:
        versions = after.get(f"{change.name}.{change.arch}", {})
        done = change.new in versions if change.new else change.old not in versions
        if done:
            sys.stdout.write(f"{change}\n")
        else:
            missed.append(change)
    broken = _names(_SCRIPT, said.text)
    if broken and not missed:
        why = f"(dnf ended with status {said.status}): {complaints(said.text)}"
        raise Failed(f"not set up, a script failed: {some(broken)} {why}\n{said.end}")
    if said.status != 0 or missed:
        what = f"not done: {some(missed)}; " if missed else ""
        raise Failed(f"{what}dnf ended with status {said.status}: {complaints(said.text)}\n{said.end}")


def _remove(names: Sequence[str], request: Mapping[str, Any]) -> None:
    words = ["--setopt=clean_requirements_on_remove=False", "remove", *names]
    plan = _simulated(words, installed())
    more = [one for one in plan.changes if one.name not in names and f"{one.name}.{one.arch}" not in names]
    if more:
        raise Failed(f"the old versions are back; {some(names)} stay: {some(more)} would go with them")
    carry_out(plan, request)


# --- verbs ------------------------------------------------------------------------------------------------------------


def preview(request: Mapping[str, Any]) -> None:
    """What an update would do, by the metadata as they are."""
    plan = plan_update(request, installed(), cached=True)
    _judge(plan, request)
    for change in plan.changes:
        sys.stdout.write(f"{change}\n")


def preview_rollback(request: Mapping[str, Any]) -> None:
    """What the way back would do."""
    known = installed()
    plan, new = plan_rollback(request, known, cached=True)
    _judge(plan, request)
    for change in (*plan.changes, *(Change(name, "", ", ".join(known[name]), None) for name in new)):
        sys.stdout.write(f"{change}\n")


def update(request: Mapping[str, Any]) -> None:
    """Waits, refreshes the metadata, plans, refuses or installs."""
    stale = refresh(request)
    if stale:
        raise Refused(f"the repositories cannot all be read: {stale}")
    plan = plan_update(request, installed())
    _judge(plan, request)
    if plan.changes:
        carry_out(plan, request)


def rollback(request: Mapping[str, Any]) -> None:
    """Goes back: the old versions first, then what was new goes."""
    stale = refresh(request)
    if stale:
        remark(f"the repositories cannot all be read: {stale}")
    plan, new = plan_rollback(request, installed())
    _judge(plan, request)
    if plan.changes:
        carry_out(plan, request)
    left = [name for name in new if name in installed()]
    if left:
        _remove(left, request)


if __name__ == "__main__":
    verbs = {"update": update, "rollback": rollback, "preview-update": preview, "preview-rollback": preview_rollback}
    sys.exit(answer(verbs))
