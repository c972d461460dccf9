"""Installed packages by name, from the databases of dpkg and RPM.

Formats: dpkg-query(1) (`--showformat`), rpm(8) (`--queryformat`). A package is called as its manager lets one ask for
it: by its bare name where it is of the server's own architecture or of none, else `NAME:ARCH` (dpkg) or `NAME.ARCH`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from maintops.domain.answers import Part, UnreadableAnswer

QUESTION = r"""
if [ -s /var/lib/dpkg/status ] && command -v dpkg-query >/dev/null 2>&1; then
  part architecture dpkg --print-architecture
  part dpkg dpkg-query -W -f '${db:Status-Abbrev}\t${Package}\t${Architecture}\t${Version}\n'
elif command -v rpm >/dev/null 2>&1; then
  part architecture uname -m
  part rpm rpm -qa --qf '%{NAME}\t%{ARCH}\t%|EPOCH?{%{EPOCH}}:{0}|:%{VERSION}-%{RELEASE}\n'
fi
"""
"""sh: parts `architecture` and either `dpkg` or `rpm`; none where there is neither."""

_DPKG_STATES = {"i": "", "t": "", "W": "", "H": "half-installed", "U": "unpacked", "F": "half-configured"}
"""By the second letter of the status; what is not there is not installed (not at all, or its settings alone). Triggers
that wait (t, W) come and go while others are installed."""

_SEVERAL = re.compile(r"gpg-pubkey|kernel(?:-(?:uek|rt|64k|debug|core|modules|extra|devel|default|PAE|plus|ml|lt))*")
"""Packages of which RPM keeps several versions: dnf's own list (`installonlypkgs`) and what distributions build."""


def packages_of(found: Mapping[str, Part]) -> dict[str, str] | None:
    """Name -> version; None where no package manager answered.

    dpkg's version, with the state behind it where the package is not whole (`1.0 (half-configured)`); RPM's
    epoch:version-release.arch. Of what RPM keeps several versions (kernels, keys) each is an entry of its own,
    `NAME-VERSION-RELEASE`. Raises UnreadableAnswer for a line of another form.
    """
    architecture = found.get("architecture", Part(None, b"")).text.strip()
    for name, reader in (("dpkg", _dpkg), ("rpm", _rpm)):
        part = found.get(name)
        if part is not None and part.status == 0 and architecture:
            return reader(part, architecture) or None
    return None


def rpm_name(name: str, architecture: str, native: str) -> str:
    """How an RPM of some architecture is called on a server of another (or the same)."""
    return name if architecture in (native, "noarch", "(none)") else f"{name}.{architecture}"


def is_kept_besides(name: str) -> bool:
    """Whether RPM installs a new version of this package beside the old one."""
    return _SEVERAL.fullmatch(name) is not None


def _dpkg(part: Part, architecture: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for status, name, arch, version in _rows(part, 4):
        if len(status) < 2 or status[1] not in _DPKG_STATES:
            continue
        state = _DPKG_STATES[status[1]]
        key = name if arch in (architecture, "all") else f"{name}:{arch}"
        found[key] = f"{version} ({state})" if state else version
    return found


def _rpm(part: Part, architecture: str) -> dict[str, str]:
    rows = [(rpm_name(name, arch, architecture), name, arch, version) for name, arch, version in _rows(part, 3)]
    often = Counter(key for key, _, _, _ in rows)
    found: dict[str, str] = {}
    for key, name, arch, version in rows:
        several = often[key] > 1 or is_kept_besides(name)
        found[f"{key}-{version.partition(':')[2]}" if several else key] = f"{version}.{arch}"
    return found


def _rows(part: Part, columns: int) -> Iterator[list[str]]:
    for line in part.text.split("\n"):
        row = line.split("\t")
        if len(row) == columns and row[1]:
            yield row
        elif line.strip():
            raise UnreadableAnswer(f"not a line of a package database: {line[:80]!r}")
