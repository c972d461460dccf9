"""Made-up answers of servers for the probes of changes: what a server is like, and what an update would do."""

from __future__ import annotations

from tests.contract.samples_upkeep import _parts

BEGUN = """\
/proc/uptime:4711.11 9000.00
/proc/sys/kernel/random/boot_id:01234567-89ab-cdef-0123-456789abcdef
/proc/sys/kernel/osrelease:5.14.0-427.el9.x86_64
/proc/1/stat:1 (systemd) S 0 1 1 0 -1 4194560 9 9 9 9 1 1 1 1 20 0 1 0 24 170000000 2500
/proc/stat:btime 1772323200
"""

UNITS = """\
Id=sshd.service
ActiveState=active
SubState=running
UnitFileState=enabled
BusName=
WantedBy=multi-user.target
RequiredBy=

Id=polkit.service
ActiveState=active
SubState=running
UnitFileState=static
BusName=org.freedesktop.PolicyKit1
WantedBy=
RequiredBy=
"""

SOCKETS = """\
Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess
tcp   LISTEN 0      128          0.0.0.0:22        0.0.0.0:*    users:(("sshd",pid=50,fd=3))
"""

APT_UPDATE = """\
Reading package lists...
The following packages have been kept back:
  held-one
1 upgraded, 1 newly installed, 1 to remove and 1 not upgraded.
Remv old-one [1.0]
Inst linux-image-6.1.0-30-amd64 (6.1.124-1 Debian-Security:12/stable-security [amd64])
Inst web-server [1.0-1] (1.1-1 Debian:12.9/stable, Debian-Security:12/stable-security [amd64]) [other:amd64 ]
Conf web-server (1.1-1 Debian:12.9/stable, Debian-Security:12/stable-security [amd64])
"""

DNF_UPDATE = """\
Dependencies resolved.
================================================================================
 Package               Architecture  Version                  Repository   Size
================================================================================
Installing:
 kernel-core           x86_64        5.14.0-503.el9           baseos       18 M
 new-name              noarch        1.0-1.el9                appstream   5.5 k
     replacing  old-name.noarch 1.0-1.el9
Upgrading:
 a-package-with-a-really-long-name-that-makes-the-table-wrap
                       x86_64        2:2.0-1.el9              appstream   1.2 M
 bash                  x86_64        5.1.8-9.el9              baseos      1.7 M
Removing:
 kernel-core           x86_64        5.14.0-362.el9           @baseos      61 M
Skipping packages with broken dependencies:
 broken                noarch        2.0-1.el9                appstream   5.4 k

Transaction Summary
================================================================================
Install  2 Packages
Upgrade  2 Packages
Remove   1 Package
Skip     1 Package

Total download size: 21 M
Operation aborted.
"""

SAMPLES: dict[str, list[bytes]] = {
    "server-state": [
        _parts(
            {
                "begun": BEGUN,
                "architecture": "x86_64\n",
                "rpm": "bash\tx86_64\t0:5.1.8-6.el9\nkernel-core\tx86_64\t0:5.14.0-362.el9\n",
                "services": UNITS,
                "users": "root:0:0:/root:/bin/bash\n",
                "ss4": SOCKETS,
                "ss6": "",
                "range": "32768\t60999\n",
                "mounts": "/dev/sda2 / xfs rw,relatime,attr2,inode64 0 0\nproc /proc proc rw 0 0\n",
                "disks": "0123-4567 ../../sda2\n",
                "firewall": f"{'0123abcd' * 8}  -\n",
                "config": f"{'89abcdef' * 4} /etc/fstab\n600/1772323200 /etc/shadow\n",
                "end": "",
            }
        ),
    ],
    "pending-updates": [
        _parts(
            {
                "now": "1772323200\n",
                "refreshed": "1772319600\n",
                "lists": "yes\n",
                "holds": "held-one\t\thold\n",
                "upgrade": APT_UPDATE,
                "bytes": "71000000\n",
                "madison": "web-server |      1.0-1 | http://packages.example stable/main amd64 Packages\n",
                "images": "8000000 /boot/vmlinuz-6.1.0-28-amd64\n40000000 /boot/initrd.img-6.1.0-28-amd64\n",
                "disk": "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/sda1 9 4 5 45% /boot\n",
                "end": "",
            }
        ),
        _parts(
            {
                "now": "1772323200\n",
                "versionlock": "held-0:1.0-1.el9.*\n",
                "transaction": (1, DNF_UPDATE),
                "advisories": "RHSA-2026:1 Important/Sec. bash-5.1.8-9.el9.x86_64\n",
                "architecture": "x86_64\n",
                "rpm": "bash\tx86_64\t0:5.1.8-6.el9\n",
                "offered": "bash 0:5.1.8-6.el9.x86_64\n",
                "end": "",
            }
        ),
    ],
}
