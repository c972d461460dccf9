"""Whether a reboot is due, from every sign that the server gives.

Signs: the flag /run/reboot-required of Debian and Ubuntu (and SUSE's /run/reboot-needed), `needs-restarting -r` of the
RHEL family (yum-utils, dnf 4 and dnf 5), `zypper needs-rebooting` (status 102), needrestart's batch output
(README.batch.md of needrestart), a kernel that is installed and newer than the one that runs, and a process 1 that
still runs what an update has replaced (proc_pid_maps(5)): it alone is not restarted as a service is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from maintops.domain.answers import (
    Answer,
    Measured,
    NotMeasured,
    Part,
    Reading,
    SubjectFacts,
    UnreadableAnswer,
)
from maintops.domain.wording import some
from maintops.probes.answering import named_parts
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.recorded import RECORDED, in_parts, recording_of, silence, unsaid
from maintops.probes.stale_services import REPLACED

_QUESTION = """\
in_container() {
  kind=$(systemd-detect-virt --container 2>/dev/null) && echo "$kind" && return
  for mark in /.dockerenv /run/.containerenv /run/systemd/container; do [ -e "$mark" ] && echo container && return; done
  echo none
}
flag() { for file in /run/reboot-required /var/run/reboot-required /run/reboot-needed; do [ -e "$file" ] && return; done
  return 1
}
packages() { cat /run/reboot-required.pkgs 2>/dev/null || cat /var/run/reboot-required.pkgs; }
images() { for file in /boot/vmlinuz-* /boot/vmlinux-* /boot/Image-* /boot/kernel-*; do
  [ -e "$file" ] && printf '%s\\n' "${file#/boot/*-}"; done
  folders vmlinuz
}
folders() { for file in /lib/modules/*/"$1"; do
  [ -e "$file" ] && file=${file%/*} && printf '%s\\n' "${file##*/}"; done; :
}
hint() {
  if command -v needs-restarting >/dev/null 2>&1; then needs-restarting -r
  elif command -v dnf >/dev/null 2>&1; then dnf -C needs-restarting -r
  else return 127; fi
}
part kernel uname -r
part container in_container
[ -s /var/lib/dpkg/status ] && part debian :
part flag flag
part packages packages
part images images
part modules folders modules.dep
part hint hint
part zypper zypper needs-rebooting
part needrestart needrestart -b -k
"""
# Who is refused a look at process 1, as most users are, knows nothing of it: status 2, as grep has it.
_INIT = f"""\
first() {{ grep -sq . /proc/1/maps || return 2; grep -E '{REPLACED}' /proc/1/maps; }}
part init first
part end :
"""

_ZYPPER_REBOOT = 102
_DUE = re.compile(r"\bReboot is (?:required|suggested)\b", re.I)
_NOT_DUE = re.compile(r"\bReboot (?:should not be|is probably not) necessary\b", re.I)
_REASON = re.compile(r"\s+(?:\* )?(\S.*)")
_KERNEL = re.compile(r"[0-9][A-Za-z0-9._+~-]{0,120}")
_PIECE = re.compile(r"[0-9]{1,18}|[A-Za-z]+")
_FLAVOUR = re.compile(r"[-+][a-z].*$|uek")
_NEEDRESTART = re.compile(r"NEEDRESTART-(KSTA|KEXP): *(\S+)")
_DELETED = re.compile(r"/([^/]+) \(deleted\)$")
_LONGEST_NAME = 80
_MOST_REASONS = 50

_BATCH = re.compile(r"(?m)^NEEDRESTART-(VER|KCUR|KEXP|KSTA): *(\S+)")
_TALK_DUE = re.compile(
    r"Pending kernel upgrade!|The currently running kernel version is not the expected kernel version"
)
_TALK_NOT_DUE = re.compile(r"Running kernel seems to be up-to-date\.|The kernel is up-to-date\.")
_TALK_EXPECTED = re.compile(r"expected kernel version(?: of|:)?\s+([0-9][\w.+~-]*[\w])")
_TALK_RUNNING = re.compile(r"Running kernel version:\s+([0-9][\w.+~-]*[\w])")
_FLAG = re.compile(r"\s*\*{3} System restart required \*{3}\s*")
_SERVICE = re.compile(r"[0-9]+ : \S.*")


def question(parameters: Mapping[str, Any]) -> str:
    """All signs that a distribution may give."""
    return _QUESTION + _INIT


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    if (why := silence(answer)) is not None:
        return why
    found = named_parts(answer)
    if not {"kernel", "flag", "end"} <= found.keys():
        raise UnreadableAnswer("the answer about reboots is not whole")
    container = found["container"].text.strip() if "container" in found else ""
    running, newest = _kernels(found) if container in ("", "none") else ("", "")
    signs = [*_flag(found), *_hint(found), *_zypper(found), *_needrestart(found), *_newer(running, newest)]
    signs += _init(found)
    if not signs:
        return NotMeasured("nothing on this server tells whether a reboot is due")
    reasons = [reason for sign in signs for reason in sign]
    facts: dict[str, Any] = {"required": bool(reasons), "reasons": list(dict.fromkeys(reasons))[:_MOST_REASONS]}
    kernels = {"running_kernel": running, "newest_kernel": newest}
    facts |= {name: value for name, value in kernels.items() if value}
    absent = () if RECORDED in found else (name for name, value in kernels.items() if not value)
    return Measured((SubjectFacts(None, facts, frozenset(absent)),))


def _flag(found: Mapping[str, Part]) -> Iterator[list[str]]:
    """Each sign is yielded as the reasons it gives; none of them: it says that no reboot is due."""
    if found["flag"].status == 0:
        packages = found["packages"].text.split() if "packages" in found else []
        yield packages or ["the distribution asks for it"]
    elif "debian" in found:  # the flag is a custom there, which libraries do not follow: other signs speak for them
        yield []


def _hint(found: Mapping[str, Part]) -> Iterator[list[str]]:
    """Its status alone says little: 1 also stands for a plug-in that is missing."""
    text = found["hint"].text if "hint" in found else ""
    if _DUE.search(text):
        reasons = [match[1].strip() for match in map(_REASON.fullmatch, text.splitlines()) if match is not None]
        yield reasons or ["updated core libraries or services"]
    elif _NOT_DUE.search(text):
        yield []


def _zypper(found: Mapping[str, Part]) -> Iterator[list[str]]:
    status = found["zypper"].status if "zypper" in found else None
    if status in (0, _ZYPPER_REBOOT):
        yield ["updated core libraries or services"] if status == _ZYPPER_REBOOT else []


def _needrestart(found: Mapping[str, Part]) -> Iterator[list[str]]:
    values = dict(_NEEDRESTART.findall(found["needrestart"].text)) if "needrestart" in found else {}
    if values.get("KSTA") in ("2", "3"):  # an upgrade with the same, or with another interface to modules
        yield [f"kernel {values['KEXP']}" if "KEXP" in values else "a newer kernel"]
    elif values.get("KSTA") == "1":
        yield []


def _init(found: Mapping[str, Part]) -> Iterator[list[str]]:
    part = found.get("init")
    if part is not None and part.status == 1:
        yield []
    elif part is not None and part.status == 0:
        names = sorted({match[1][:_LONGEST_NAME] for match in map(_DELETED.search, part.text.splitlines()) if match})
        yield [f"process 1 runs what was replaced: {some(names)}"] if names else []


def _newer(running: str, newest: str) -> Iterator[list[str]]:
    if newest:
        yield [f"kernel {newest}"] if _order(newest) > _order(running) else []


def _kernels(found: Mapping[str, Part]) -> tuple[str, str]:
    """The running kernel and the newest installed one of its kind; empty where there is none."""
    running = found["kernel"].text.strip()
    if not running and RECORDED in found:
        return "", ""
    if _KERNEL.fullmatch(running) is None:
        raise UnreadableAnswer(f"not a kernel's version: {running[:80]!r}")
    for name in ("images", "modules"):  # folders of modules stay behind: they count only where no image has a version
        lines = found[name].text.splitlines() if name in found else []
        versions = [line for line in lines if _KERNEL.fullmatch(line) and "rescue" not in line]
        if versions:
            mine = [version for version in versions if _flavour(version) == _flavour(running)]
            return running, max(mine, key=_order, default="")
    return running, ""


def _flavour(version: str) -> str:
    match = _FLAVOUR.search(version)
    return match[0] if match else ""


def _order(version: str) -> list[tuple[int, int, str]]:
    """Numbers by value, and after words (a release candidate comes before the release)."""
    bare = _FLAVOUR.sub("", version)
    return [(1, int(piece), "") if piece.isdigit() else (0, 0, piece) for piece in _PIECE.findall(bare)]


def _recorded(kernel: str = "", flag: int = 1, **parts: str) -> Answer:
    return in_parts({"kernel": kernel, "flag": (flag, ""), **parts, "end": ""})


def _recorded_flag(text: str) -> Answer | None:
    """The file /run/reboot-required itself."""
    return _recorded(flag=0) if _FLAG.fullmatch(text) else None


def _recorded_needrestart(text: str) -> Answer | None:
    """`needrestart -b`, or what it tells a person (its NeedRestart::UI::stdio)."""
    values = dict(_BATCH.findall(text))
    if "VER" in values or "KSTA" in values:
        if values.get("KSTA", "0") == "0":
            return unsaid("needrestart does not say here how the kernel stands: it does with -k, as root")
        current, expected = (values.get(name, "") for name in ("KCUR", "KEXP"))
        return _recorded(current, images="\n".join(filter(None, (current, expected))), needrestart=text)
    due = _TALK_DUE.search(text)
    if due is None and _TALK_NOT_DUE.search(text) is None:
        return None
    running, newest = _TALK_RUNNING.search(text), _TALK_EXPECTED.search(text)
    batch = f"NEEDRESTART-KSTA: {3 if due else 1}\n" + (f"NEEDRESTART-KEXP: {newest[1]}\n" if newest and due else "")
    kernel = running[1] if running else ""
    return _recorded(kernel, images="\n".join(filter(None, (kernel, newest[1] if newest else ""))), needrestart=batch)


def _recorded_hint(text: str) -> Answer | None:
    """`needs-restarting -r` of yum-utils and dnf, `zypper needs-rebooting`; without -r only services are listed."""
    if _DUE.search(text) or _NOT_DUE.search(text):
        return _recorded(hint=text)
    if all(_SERVICE.fullmatch(line) for line in text.split("\n") if line.strip()):
        return unsaid("this lists processes to restart: whether a reboot is due is said by needs-restarting -r")
    return None


PROBE = Probe(
    name="reboot-required",
    title="Reboot required",
    facts={
        "required": Fact("bool", "a reboot is due"),
        "reasons": Fact("list", "packages that ask for it, the kernel that waits, what process 1 runs still"),
        "running_kernel": Fact("str", "version of the kernel that runs; not offered in a container"),
        "newest_kernel": Fact("str", "newest installed kernel of the same kind; not offered where none is installed"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    recording=recording_of(
        "output of needrestart, needs-restarting or zypper needs-rebooting",
        *(_recorded_flag, _recorded_needrestart, _recorded_hint),
    ),
)
