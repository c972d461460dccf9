"""Answers of the daily check's cases: something to spoil for the probes whose answers have no sample of their own."""

from __future__ import annotations

from tests.content.cases_daily import CASES

_PROBES = {
    "SY-010": "file-systems",
    "SY-020": "inodes",
    "SY-030": "memory",
    "SY-040": "swap",
    "SY-050": "load",
    "SY-060": "uptime",
    "SY-080": "stuck-processes",
    "SY-090": "read-only-mounts",
    "SY-110": "time-sync",
    "SY-120": "reboot-required",
    "SY-130": "backup-age",
    "NW-010": "link-state",
    "NW-020": "bonding",
    "NW-030": "routes",
    "NW-040": "name-resolution",
    "SC-010": "listening-ports",
    "SC-020": "security-updates",
    "SC-030": "failed-logins",
    "SC-040": "certificates",
    "SC-050": "accounts",
    "SC-060": "firewall",
    "SC-070": "sshd-settings",
}

SAMPLES: dict[str, list[bytes]] = {
    probe: [told.stdout for case in CASES if case.check == check for told in (*case.fires, *case.silent)]
    for check, probe in _PROBES.items()
}
