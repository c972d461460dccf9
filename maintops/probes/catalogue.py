"""Where probes and parsers are looked up: the built-in ones by a register of names, those of plug-ins beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from types import MappingProxyType
from typing import TypeVar

from maintops.errors import UsageError
from maintops.probes.commands import FOREIGN, PARSERS, parser_named
from maintops.probes.contract import Parser, Probe

BUILT_IN = (
    "accounts",
    "backup-age",
    "bmc-events",
    "bmc-sensors",
    "bonding",
    "certificates",
    "cpu-governors",
    "failed-logins",
    "failed-units",
    "file-systems",
    "firewall",
    "firmware",
    "hardware-inventory",
    "held-packages",
    "hp-arrays",
    "inodes",
    "io-schedulers",
    "ipmi-events",
    "ipmi-sensors",
    "kernel-log",
    "limits",
    "link-state",
    "listening-ports",
    "lm-sensors",
    "load",
    "log-rotation",
    "log-sizes",
    "logins",
    "lvm",
    "mdraid",
    "megaraid",
    "memory",
    "memory-errors",
    "name-resolution",
    "network-ports",
    "numa",
    "nvme",
    "old-kernels",
    "orphaned-packages",
    "package-database",
    "package-locks",
    "pending-updates",
    "read-only-mounts",
    "reboot-required",
    "redfish-firmware",
    "redfish-health",
    "redfish-memory",
    "redfish-power",
    "redfish-processors",
    "redfish-storage",
    "redfish-thermal",
    "routes",
    "running-backups",
    "security-updates",
    "server-state",
    "services",
    "smart",
    "sshd-settings",
    "stale-services",
    "stuck-processes",
    "swap",
    "sysctl",
    "temperatures",
    "time-sync",
    "time-zone",
    "tuned",
    "unit-failures",
    "unused-users",
    "uptime",
    "zfs-pools",
)
"""The register: each is the PROBE of the module of its name, with _ for -."""

_Found = TypeVar("_Found", Probe, Parser)


class _Probes(Mapping[str, Probe]):
    """Probes by name. A built-in one's module is imported when it is asked for: a run uses some of them, and whatever
    is imported is waited for."""

    __slots__ = ("added",)

    def __init__(self, added: Mapping[str, Probe]) -> None:
        self.added = added

    def __getitem__(self, name: str) -> Probe:
        if name not in BUILT_IN:
            return self.added[name]
        probe: Probe = import_module(_module(name)).PROBE
        return probe

    def __contains__(self, name: object) -> bool:
        return name in BUILT_IN or name in self.added

    def __iter__(self) -> Iterator[str]:
        yield from BUILT_IN
        yield from self.added

    def __len__(self) -> int:
        return len(BUILT_IN) + len(self.added)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything that a checklist can name; `builtin` makes one. The parsers of jc are not listed in `parsers`: there
    are hundreds, and `parser` finds them."""

    probes: Mapping[str, Probe]
    parsers: Mapping[str, Parser]

    def probe(self, name: str) -> Probe:
        """The probe of a name. Raises LookupError, with a sentence for people, where there is none."""
        if name in self.probes:
            return self.probes[name]
        near = get_close_matches(name, list(self.probes), n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise LookupError(f"there is no probe {name!r}{hint}")

    def parser(self, name: str) -> Parser:
        """The parser of a name. Raises LookupError, with a sentence for people, where there is none."""
        return self.parsers[name] if name in self.parsers else parser_named(name, self.parsers)

    def with_plugins(self, probes: Mapping[str, Probe], parsers: Mapping[str, Parser]) -> Catalogue:
        """This catalogue and what plug-ins bring, by the names of their entry points.

        Raises UsageError where a plug-in takes a name that is taken, has another name than its entry point, or is no
        probe (no parser) at all: nothing of ours is ever replaced in silence.
        """
        for name, probe in probes.items():
            _admit(name, probe, Probe, _module(name) if name in BUILT_IN else None, name in self.probes)
        for name, parser in parsers.items():
            taken = name in self.parsers or name in FOREIGN or name.startswith("jc:")
            _admit(name, parser, Parser, "maintops.probes.commands" if taken else None, taken)
        added = {name: self.probes[name] for name in self.probes if name not in BUILT_IN} | dict(probes)
        return Catalogue(_Probes(added), MappingProxyType({**self.parsers, **parsers}))


def builtin() -> Catalogue:
    """The probes and parsers that maintops brings."""
    return Catalogue(_Probes({}), PARSERS)


def _admit(name: str, found: object, kind: type[_Found], ours: str | None, taken: bool) -> None:
    what = kind.__name__.lower()
    if not isinstance(found, kind):
        raise UsageError(f"the plug-in {name!r} is a {type(found).__name__}, not a {what} (maintops.probes.contract)")
    if taken:
        owner = f"that of {ours}" if ours else "that of another plug-in"
        raise UsageError(f"the {what} {name!r} of a plug-in has the same name as {owner}; rename the plug-in's")
    if found.name != name:
        raise UsageError(f"the plug-in {name!r} brings a {what} named {found.name!r}; the two names must be the same")


def _module(name: str) -> str:
    return f"maintops.probes.{name.replace('-', '_')}"
