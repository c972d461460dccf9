"""Every recording of other servers that lies beside this repository is measured, or listed with the reason why not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from maintops.domain.answers import Measured, Reading
from maintops.probes.catalogue import builtin
from maintops.workflow.probing import checked, read
from tests.unit.probes.asking import DATA

REDFISH = tuple(
    f"redfish-{part}" for part in ("health", "storage", "memory", "processors", "power", "thermal", "firmware")
)
READERS: dict[str, tuple[str, ...]] = {
    "apt-updates": ("security-updates",),
    "bonding": ("bonding",),
    "dmesg": ("kernel-log",),
    "dnf-updates": ("security-updates",),
    "ipmitool-sel": ("ipmi-events",),
    "ipmitool-sensor": ("ipmi-sensors",),
    "mdadm": ("mdraid",),
    "mounts": ("read-only-mounts",),
    "needs-restarting": ("reboot-required", "stale-services"),
    "redfish-memory": REDFISH,
    "redfish-processors": REDFISH,
    "redfish-rackmount1": REDFISH,
    "redfish-sensors": REDFISH,
    "redfish-storage": REDFISH,
    "sensors-fans": ("lm-sensors",),
    "sensors-temperatures": ("lm-sensors",),
    "smartctl-json": ("smart",),
    "smartctl-text": ("smart",),
}
"""Folder -> the probes whose readers are for it."""

NOT_MEASURED = {
    "dmesg/lorem-ipsum-with-error-keyword": "not output of dmesg",
    "dmesg/no-messages": "empty",
    "dnf-updates/*-installed": "installed or on offer, not those that have an update",
    "dnf-updates/fedora40-up*": "nothing says that none is pending",
    "dnf-updates/rhel10-up*": "nothing says that none is pending",
    "dnf-updates/rhel[89]-updateinfo": "nothing says that none is pending",
    "mounts/all-mounts-healthy-v9": "empty",
    "mounts/malformed-proc-mounts": "not /proc/mounts",
    "needs-restarting/rhel-clean-services": "empty",
    "redfish-sensors/cisco-powercontrol-thermal": "names no",
    "redfish-sensors/zero-range-chassis-thermal": "names no",
    "sensors-fans/coolermaster-real-capture": "no chip",
    "sensors-fans/no-fans": "no chip",
    "sensors-temperatures/no-sensors": "no chip",
    "smartctl-text/scan-failed-scan": "finds no disk that could tell",
}
"""What holds nothing to measure, and what is said of it."""

PARTS = ("Chassis", "ComputerSystem", "Drive", "Fan", "Manager", "Memory", "PowerSupply", "Processor", "Storage")
"""The kinds of Redfish resource that must be measured when they stand alone; accounts, certificates, keys, events,
sessions and registries are no part of a server's health."""


def files() -> Iterator[str]:
    for folder in READERS:
        for path in sorted((DATA / folder).rglob("*")):
            parsed = folder == "mdadm" and path.suffix == ".json"  # what jc makes of the file beside it
            if path.is_file() and not path.name.startswith("LICENSE") and not parsed:
                yield str(path.relative_to(DATA))


def readings(name: str) -> list[Reading]:
    content = (DATA / name).read_bytes()
    probes = [builtin().probe(probe) for probe in READERS[name.partition("/")[0]]]
    return [read(probe, content, None, checked(probe, {})) for probe in probes]


def is_measured(reading: Reading) -> bool:
    return isinstance(reading, Measured) and any(one.facts for one in reading.subjects)


@pytest.mark.parametrize("name", list(files()) or ["absent"])
def test_it_is_measured_or_says_why_not(name: str) -> None:
    if name == "absent":
        pytest.skip(f"no recordings at {DATA}")
    found = readings(name)
    expected = next((why for pattern, why in NOT_MEASURED.items() if fnmatch(name, pattern)), None)
    if expected is not None:
        assert not any(map(is_measured, found))
        assert any(expected in str(getattr(one, "why", "")) for one in found), found
    elif name.startswith("redfish-rackmount1/"):
        assert any(map(is_measured, found)) or kind(DATA / name) not in PARTS, found
    else:
        assert any(map(is_measured, found)), found


def kind(path: Path) -> str:
    if path.suffix != ".json":
        return ""
    named = json.loads(path.read_text(encoding="utf-8")).get("@odata.type", "")
    return str(named).lstrip("#").partition(".")[0]
