"""The mounted file systems that a check of the disks is about: local ones that can fill up, each of them once.

Network file systems are left out because asking one whose server is gone hangs; images that are full by nature
(squashfs, iso9660) and file systems without a disk because there is nothing to maintain. The choice is made on the
server, from /proc/mounts alone, before any file system is touched, and once more when the answer is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from maintops.domain.answers import UnreadableAnswer

IMAGES = ("squashfs", "iso9660", "udf", "erofs", "cramfs", "romfs")
"""Types that are read-only and full by nature."""

NOT_DISKS = ("fuse", "fuse.*", "fusectl", "devtmpfs", "tmpfs", "ramfs", "autofs", "swap")
"""Types that are no disk although their device may look like one (`/dev/fuse` of a cluster file system)."""

NAMED_OTHERWISE = ("zfs", "bcachefs", "ubifs", "jffs2", "yaffs2")
"""Local types whose device is not a path below /dev."""

_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """A line of /proc/mounts (fstab(5)): device, mount point and type as they are, options split at the commas."""

    device: str
    point: str
    type: str
    options: tuple[str, ...]


def for_every_local_mount(body: str) -> str:
    """sh that runs `body` once for every local file system, the first mount of each.

    `body` may use $device, $point (as written in /proc/mounts, without any space), $type, $options and $path (the mount
    point itself; `printf %b` wants a zero before the three digits, and without it takes a digit of the name for the
    last of them). A mount on a plain file (a container's /etc/hosts) is passed over.
    """
    return f"""seen=' '
while read -r device point type options rest; do
  case $type in {"|".join((*IMAGES, *NOT_DISKS))}) continue ;; esac
  case $device in
    /dev/*) ;;
    *) case $type:$point in {"|".join(f"{one}:*" for one in NAMED_OTHERWISE)}|overlay:/) ;; *) continue ;; esac ;;
  esac
  case $seen in *" $device "*) continue ;; esac
  path=$point
  case $point in *\\\\*)
    path=$(printf '%s\\n' "$point" | sed 's/\\\\/\\\\0/g')
    path=$(printf '%b_' "$path")
    path=${{path%_}}
  esac
  [ -f "$path" ] && continue
  seen="$seen$device "
  {body}
done </proc/mounts
"""


def mount_of(line: str) -> Mount:
    """Reads one line of /proc/mounts. Raises UnreadableAnswer where it is none."""
    fields = line.split(" ")
    if len(fields) < 4 or not fields[1].startswith("/"):
        raise UnreadableAnswer(f"this is not a line of /proc/mounts: {line[:80]!r}")
    device, point, kind, options = fields[:4]
    return Mount(_plain(device), _plain(point), _plain(kind), tuple(options.split(",")))


def local_mounts(lines: Iterable[str]) -> list[Mount]:
    """The local file systems of some lines of /proc/mounts: every device once, at its first mount, and where several
    were mounted at one place the last of them, which hides the others."""
    seen: set[str] = set()
    by_point: dict[str, Mount] = {}
    for mount in map(mount_of, lines):
        if is_local(mount) and mount.device not in seen:
            seen.add(mount.device)
            by_point[mount.point] = mount
    return list(by_point.values())


def is_local(mount: Mount) -> bool:
    """Whether this is a local file system that can fill up: the same choice as that of the sh above."""
    if mount.type in IMAGES or mount.type in NOT_DISKS or mount.type.startswith("fuse."):
        return False
    root = mount.type == "overlay" and mount.point == "/"
    return mount.device.startswith("/dev/") or mount.type in NAMED_OTHERWISE or root


def _plain(field: str) -> str:
    """Space, tab, newline, backslash and # are written as a backslash and three octal digits."""
    return _ESCAPE.sub(lambda found: chr(int(found.group(1), 8)), field)
