"""Mounted file systems as a comparison wants them: those that somebody has set up, in words that a reboot keeps.

Format: /proc/mounts (proc_pid_mounts(5)), and the links of /dev/disk/by-uuid. No file system is touched.
"""

from __future__ import annotations

import re

from maintops.domain.answers import Part
from maintops.probes.mounts import mount_of

QUESTION = r"""
part mounts cat /proc/mounts
part disks find /dev/disk/by-uuid -type l -printf '%f %l\n'
"""
"""sh: parts `mounts` and `disks`; without GNU's find, and in containers, disks keep the names of their devices."""

_KERNELS_OWN = frozenset(
    (
        *("proc", "sysfs", "cgroup", "cgroup2", "devpts", "devtmpfs", "mqueue", "debugfs", "tracefs", "securityfs"),
        *("pstore", "bpf", "configfs", "fusectl", "hugetlbfs", "efivarfs", "binfmt_misc", "autofs", "nsfs"),
        *("rpc_pipefs", "ramfs", "selinuxfs"),
    )
)
_PASSING = re.compile(
    r"/(?:proc|sys|dev|snap|run/(?:user|credentials|netns|docker|containerd|k3s|lock)"
    r"|var/lib/(?:docker|containers/storage|containerd|kubelet/pods)|run/\.containerenv)(?:/.*)?"
)
"""Mount points of the kernel, of logins and of containers: they come and go, or bear numbers that do."""

_MEANT = frozenset({"ro", "rw", "nosuid", "nodev", "noexec", "noatime", "sync", "dirsync", "usrquota", "grpquota"}) | {
    *("prjquota", "quota", "uquota", "gquota", "pquota"),
}
_MEANT_VALUES = ("subvol=", "vers=", "sec=", "hidepid=")
_UUID = re.compile(r"([0-9A-Za-z-]{4,64}) (?:\.\./)*([A-Za-z0-9/_+.-]{1,120})")


def mounts_of(mounts: Part | None, disks: Part | None) -> dict[str, str] | None:
    """Mount point -> `SOURCE TYPE OPTIONS`; of several at one point the last, which hides the others. None where the
    kernel's list is not there; raises UnreadableAnswer where it is none.

    A disk is told by its UUID, as its device may have another letter after a reboot. Of the options only those are
    kept that somebody chooses: a new kernel shows its defaults in other words, and sizes follow the memory.
    """
    if mounts is None or mounts.status != 0 or not mounts.output.strip():
        return None
    names = _uuids(disks)
    found: dict[str, str] = {}
    for line in mounts.text.split("\n"):
        if not line:
            continue
        mount = mount_of(line)
        if mount.type in _KERNELS_OWN or _PASSING.fullmatch(mount.point):
            continue
        options = sorted(one for one in mount.options if one in _MEANT or one.startswith(_MEANT_VALUES))
        found[mount.point] = f"{names.get(mount.device, mount.device)} {mount.type} {','.join(options)}"
    return found


def _uuids(part: Part | None) -> dict[str, str]:
    if part is None or part.status != 0:
        return {}
    links = (_UUID.fullmatch(line) for line in part.text.split("\n"))
    return {f"/dev/{match[2]}": f"UUID={match[1]}" for match in links if match}
