"""What a server is like: asked before and after a change, so that maintops.domain.proofs can compare the two.

Formats: those of the probes uptime and listening-ports, whose readers are used here; systemctl(1) (`show`); nft(8),
iptables-save(8); passwd(5); see server_state_packages, server_state_mounts and server_state_config for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Part, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes import listening_ports, server_state_config, server_state_mounts, server_state_packages, uptime
from maintops.probes.answering import named_parts, present
from maintops.probes.contract import Fact, Parameter, Presence, Probe
from maintops.probes.services import PASSING_BY

LIMIT = 4 * 1024 * 1024
"""Bytes that an answer can have: about 1.6 MB for the most files that are looked at, the rest for packages."""

PASSING_SERVICES = (*PASSING_BY, "ssh@*", "sshd@*", "systemd-fsck@*", "user-environment-generator*")
"""Services that are no part of what a server is like: one a login, a timer or a boot."""

# Rules of nft are told with their table and chain and put in the order of those, which the kernel gives in the order
# in which they were made; within a chain their order counts. Counters, elements of sets (bans, addresses of containers)
# and the chains of fail2ban change by themselves. A chain without rules that accepts comes into being by looking.
_FIREWALL = r"""
nft_rules() {
  awk '
    /^table / { table = $0; chain = ""; hidden = /f2b/; whole = hidden }
    /^\t[^\t}]/ { chain = $0; hidden = whole || /f2b-/ }
    /^\t\t/ && !hidden && !/f2b-/ && !/^\t\ttype .* policy accept;/ { print table "\001" chain "\001" $0 }' |
    sort -s -t "$(printf '\001')" -k 1,2
}
saved_rules() {
  awk '
    /^\*/ { table = $0 }
    /^-A / || /^:.* (DROP|REJECT)/ { sub(/ \[[0-9]+:[0-9]+\]$/, ""); if (!/f2b-/) print table, $0 }'
}
firewall() {
  [ "$(id -u)" = 0 ] || return 3
  command -v sha256sum >/dev/null 2>&1 || return 127
  rules= asked=
  if command -v nft >/dev/null 2>&1; then
    rules=$(nft -s -t list ruleset 2>/dev/null) || rules=$(nft -s list ruleset) || return 4
    rules=$(printf '%s\n' "$rules" | nft_rules)
    asked=nft
  fi
  for kind in ip ip6; do
    if grep -q . "/proc/net/${kind}_tables_names" 2>/dev/null; then
      save=$(command -v "${kind}tables-legacy-save" || command -v "${kind}tables-save") || return 5
    elif [ "$asked" != nft ] && command -v "${kind}tables-save" >/dev/null 2>&1; then save=${kind}tables-save
    else continue
    fi
    older=$("$save" 2>/dev/null) || return 5
    older=$(printf '%s\n' "$older" | saved_rules)
    rules="$rules${older:+ $kind $older}"
    asked=${asked:-saved}
  done
  [ "$asked" ] || return 127
  if [ "$rules" ]; then printf '%s\n' "$rules" | sha256sum; else echo none; fi
}
part firewall firewall
"""
_SERVICES = r"""
command -v systemctl >/dev/null 2>&1 && part services systemctl --no-pager show \
  -p Id -p ActiveState -p SubState -p UnitFileState -p BusName -p WantedBy -p RequiredBy '*.service'
part users cut -s -d: -f1,3,4,6,7 /etc/passwd
"""

_DIGEST = re.compile(r"([0-9a-f]{64})(?:\s.*)?|(none)")


def question(parameters: Mapping[str, Any]) -> str:
    """All of it in one question: what belongs together was measured together."""
    return (
        f"begun() {{\n{uptime.question({})}}}\npart begun begun\n{server_state_packages.QUESTION}{_SERVICES}"
        f"{listening_ports.question({})}{server_state_mounts.QUESTION}{_FIREWALL}"
        f"{server_state_config.question(_paths(parameters))}part end :\n"
    )


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server. What could not be measured is a fact that is missing."""
    found = named_parts(answer)
    if not {"begun", "mounts", "users", "end"} <= found.keys():
        raise UnreadableAnswer("the answer about the state of the server is not whole")
    facts = _boot(found["begun"]) | present(
        packages=server_state_packages.packages_of(found),
        services=_services(found.get("services")),
        ports=_ports(answer),
        mounts=server_state_mounts.mounts_of(found["mounts"], found.get("disks")),
        firewall=_firewall(found.get("firewall")),
        users=_users(found["users"]),
        config=server_state_config.config_of(found.get("config")),
    )
    return Measured((SubjectFacts(None, facts),)) if facts else NotMeasured("nothing of the server could be seen")


def _paths(parameters: Mapping[str, Any]) -> list[str]:
    paths = parameters.get("config_paths", ["/etc"]) or []
    return [one for one in ([paths] if isinstance(paths, str) else map(str, paths)) if one]


def _boot(part: Part) -> dict[str, Any]:
    reading = uptime.read(Answer(part.output, status=part.status), {})
    if not isinstance(reading, Measured):
        return {}
    facts = reading.subjects[0].facts
    ticks = facts.get("init_started", "")
    boot = f"{facts['boot_id']}/{ticks}" if "boot_id" in facts else None
    return present(kernel=facts.get("kernel"), boot=boot, uptime=facts["uptime_seconds"])


def _services(part: Part | None) -> dict[str, str] | None:
    """The active services. Without systemd, and where it does not answer, there are none: it always has some."""
    if part is None or part.status != 0:
        return None
    active: dict[str, str] = {}
    for block in part.text.split("\n\n"):
        values = dict(line.partition("=")[::2] for line in block.split("\n") if "=" in line)
        name = values.get("Id", "").removesuffix(".service")
        if name and values.get("ActiveState") == "active" and not _passes(name, values):
            active[name] = values.get("SubState", "")
    return active or None


def _passes(name: str, values: Mapping[str, str]) -> bool:
    """Whether nobody expects a service after a reboot: somebody made it up at run time, or called it over the bus and
    nothing else would start it. One that was started by hand is expected: that it is gone is what a proof is for."""
    if values.get("UnitFileState") == "transient" or any(fnmatchcase(name, one) for one in PASSING_SERVICES):
        return True
    wanted = values.get("WantedBy") or values.get("RequiredBy")
    return bool(values.get("BusName")) and values.get("UnitFileState") == "static" and not wanted


def _ports(answer: Answer) -> list[str] | None:
    """Each with the programs behind it, where they may be seen: `tcp 0.0.0.0:22 sshd`. UDP ports that the kernel gave
    out to clients are no ports of a server."""
    reading = listening_ports.read(answer, {})
    if not isinstance(reading, Measured):
        return None
    facts = reading.subjects[0].facts
    programs: Mapping[str, list[str]] = facts.get("processes", {})
    return [" ".join([port, ",".join(programs.get(port, []))]).rstrip() for port in facts["ports"]]


def _firewall(part: Part | None) -> str | None:
    if part is None or part.status != 0:
        return None
    match = _DIGEST.fullmatch(part.text.strip())
    if match is None:
        raise UnreadableAnswer(f"not a digest of the firewall's rules: {part.text[:80]!r}")
    return match[1] or match[2]


def _users(part: Part) -> dict[str, str] | None:
    return dict(_accounts(part)) or None if part.status == 0 else None


def _accounts(part: Part) -> Iterator[tuple[str, str]]:
    for line in part.text.split("\n"):
        if not line.strip() or line[0] in "+-":  # what NIS adds is no account of the server itself
            continue
        name, *rest = line.split(":")
        if not name or len(rest) != 4:
            raise UnreadableAnswer(f"not an account: {line[:80]!r}")
        yield name, ":".join(rest)


PROBE = Probe(
    name="server-state",
    title="What a server is like before and after a change",
    facts={
        "packages": Fact("dict", "installed packages: name to version (dpkg; RPM: epoch:version-release.arch)"),
        "kernel": Fact("str", "release of the kernel that runs"),
        "boot": Fact("str", "this boot: the kernel's id of it, a slash, and the clock ticks at which process 1 began"),
        "uptime": Fact("int", "time since the boot", "seconds"),
        "services": Fact("dict", "active services of systemd: name to sub state (running, exited)"),
        "ports": Fact("list", "ports that programs wait on, with the programs: 'tcp 0.0.0.0:22 sshd'"),
        "mounts": Fact("dict", "mount point to source, type and the options that somebody chooses"),
        "firewall": Fact("str", "SHA-256 of the firewall's rules, or none; root alone can tell"),
        "users": Fact("dict", "local accounts: name to number:group:home:shell"),
        "config": Fact("dict", "configuration files: path to half of its SHA-256, of secret ones size/time"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    parameters={
        "config_paths": Parameter(
            ["/etc"], f"folders whose files are compared; not measured beyond {server_state_config.MOST_FILES} files"
        ),
    },
)
