"""Settings of the running kernel: chosen files of /proc/sys (sysctl(8)), and those of transparent huge pages in sysfs.

Which ones is the parameter `names`; some have a fact of their own besides. Secrets (kernel.random.*) are not in it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import integer, refusal, text_of
from maintops.probes.contract import Fact, Parameter, Presence, Probe
from maintops.probes.recorded import recording_of, silence

CHOSEN = (
    *("vm.swappiness", "vm.dirty_ratio", "vm.dirty_background_ratio", "vm.overcommit_memory", "vm.overcommit_ratio"),
    *("vm.max_map_count", "vm.min_free_kbytes", "vm.vfs_cache_pressure", "vm.zone_reclaim_mode", "vm.nr_hugepages"),
    *("vm.panic_on_oom", "fs.file-max", "fs.nr_open", "fs.aio-max-nr", "fs.inotify.max_user_watches"),
    *("fs.suid_dumpable", "fs.protected_hardlinks", "fs.protected_symlinks", "kernel.pid_max", "kernel.threads-max"),
    *("kernel.panic", "kernel.panic_on_oops", "kernel.sysrq", "kernel.randomize_va_space", "kernel.kptr_restrict"),
    *("kernel.dmesg_restrict", "kernel.numa_balancing", "kernel.shmmax", "kernel.shmall", "kernel.sem"),
    *("net.core.somaxconn", "net.core.netdev_max_backlog", "net.core.rmem_max", "net.core.wmem_max"),
    *("net.core.default_qdisc", "net.ipv4.tcp_congestion_control", "net.ipv4.tcp_max_syn_backlog"),
    *("net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_time"),
    *("net.ipv4.tcp_tw_reuse", "net.ipv4.tcp_syncookies", "net.ipv4.ip_local_port_range", "net.ipv4.ip_forward"),
    *("net.ipv4.conf.all.rp_filter", "net.ipv4.conf.all.accept_redirects", "net.ipv4.conf.all.send_redirects"),
    *("net.ipv4.conf.all.accept_source_route", "net.ipv4.icmp_echo_ignore_broadcasts"),
    *("net.ipv6.conf.all.forwarding", "net.ipv6.conf.all.accept_redirects", "net.ipv6.conf.all.disable_ipv6"),
)
"""The settings that are looked at where nobody chose others."""

_SYS = "/proc/sys/"
_HUGE_PAGES = "/sys/kernel/mm/transparent_hugepage/"
_FILE = re.compile(r"(/proc/sys/|/sys/kernel/mm/transparent_hugepage/)([^:]{1,200}):(.*)")
_SETTING = re.compile(r"([a-z0-9][A-Za-z0-9_./:@-]{1,200}) ?= ?(.*)")
_SELECTED = re.compile(r"\[([a-z+_-]+)\]")
_OWN: Mapping[str, str] = {
    "vm.swappiness": "swappiness",
    "vm.dirty_ratio": "dirty_ratio",
    "vm.dirty_background_ratio": "dirty_background_ratio",
    "vm.overcommit_memory": "overcommit_memory",
    "vm.zone_reclaim_mode": "zone_reclaim_mode",
    "net.core.somaxconn": "somaxconn",
    "net.ipv4.tcp_syncookies": "tcp_syncookies",
    "kernel.pid_max": "pid_max",
}
_HUGE = frozenset({"thp", "thp_defrag"})


def question(parameters: Mapping[str, Any]) -> str:
    """The files of the chosen settings, all at once; one that is not there is left out."""
    names = parameters.get("names") or CHOSEN
    chosen = [names] if isinstance(names, str) else [str(name) for name in names]
    files = " ".join(
        shlex.quote(_SYS + name.replace("/", "\0").replace(".", "/").replace("\0", ".")) for name in chosen
    )
    return f"grep -sH . {_HUGE_PAGES}enabled {_HUGE_PAGES}defrag {_SYS}kernel/ostype {files}"


def _bare(text: str) -> Answer | None:
    """What `sysctl -a` or `sysctl NAME…` printed."""
    if not any(_SETTING.fullmatch(line) or _FILE.fullmatch(line) for line in text.split("\n")):
        return None
    return Answer(text.encode())


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    if (why := silence(answer) or refusal(answer)) is not None:
        return why
    values: dict[str, str] = {}
    huge: dict[str, str] = {}
    asked = False
    for line in text_of(answer).split("\n"):
        file, setting = _FILE.fullmatch(line), _SETTING.fullmatch(line)
        if file is not None:
            asked = True
            if file[1] == _HUGE_PAGES:
                huge.setdefault(file[2], file[3])
            else:
                values.setdefault(file[2].replace(".", "\0").replace("/", ".").replace("\0", "/"), _plain(file[3]))
        elif setting is not None:
            values.setdefault(setting[1], _plain(setting[2]))
        elif line.strip() and not line.startswith("sysctl: "):
            raise UnreadableAnswer(f"not a setting of the kernel: {line[:80]!r}")
    if not values:
        raise UnreadableAnswer("the answer holds no setting of the kernel")
    values.pop("kernel.ostype", None)
    return Measured((_server(values, huge, asked),))


def _server(values: Mapping[str, str], huge: Mapping[str, str], asked: bool) -> SubjectFacts:
    facts: dict[str, Any] = {
        "settings": [f"{name} = {value}" for name, value in sorted(values.items())],
        "values": dict(values),
    }
    for name, fact in _OWN.items():
        number = integer(values.get(name))
        if number is not None:
            facts[fact] = number
    for fact, file in (("thp", "enabled"), ("thp_defrag", "defrag")):
        chosen = _SELECTED.search(huge.get(file, ""))
        if chosen is not None:
            facts[fact] = chosen[1]
    return SubjectFacts(None, facts, _HUGE if asked and not huge else frozenset())


def _plain(value: str) -> str:
    """Numbers of one setting are divided by tabs."""
    return " ".join(value.split())


PROBE = Probe(
    name="sysctl",
    title="Settings of the kernel",
    facts={
        "settings": Fact("list", "every setting that was looked at, as 'vm.swappiness = 60'"),
        "values": Fact("dict", "the same: name to value"),
        "swappiness": Fact("int", "how readily memory of programs goes to swap (vm.swappiness)"),
        "dirty_ratio": Fact("int", "unwritten data at which a program must wait for the disk", "percent"),
        "dirty_background_ratio": Fact("int", "unwritten data at which the kernel begins to write", "percent"),
        "overcommit_memory": Fact("int", "0 by estimate, 1 always, 2 never more memory is promised than there is"),
        "zone_reclaim_mode": Fact("int", "other than 0: caches are dropped before another node's memory is used"),
        "somaxconn": Fact("int", "connections that can wait to be accepted (net.core.somaxconn)"),
        "tcp_syncookies": Fact("int", "1: protection against floods of half-open connections is on"),
        "pid_max": Fact("int", "the highest process number"),
        "thp": Fact("str", "transparent huge pages: always, madvise or never; not offered by kernels without them"),
        "thp_defrag": Fact("str", "when memory is moved to make one: always, defer, defer+madvise, madvise or never"),
    },
    question=question,
    read=read,
    presence=Presence.LASTING,
    parameters={"names": Parameter(list(CHOSEN), "names of the settings, as sysctl knows them")},
    recording=recording_of("the output of sysctl -a", _bare),
)
