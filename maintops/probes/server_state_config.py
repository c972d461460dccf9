"""Digests of configuration files, and what is left out: what changes by itself, and whatever is secret.

The digest of a secret is a way to try guesses: a file that not everybody on the server may read, or whose name says
that it is a key, is told by its size and the time at which it was last written. Nothing of its content leaves.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from maintops.domain.answers import Part, UnreadableAnswer

MOST_FILES = 20_000
"""With more files than this nothing is measured: half of them would prove nothing."""

SELF_CHANGING = (
    # made anew from other files, by whatever is installed; those other files are looked at
    *("/etc/ld.so.cache", "/etc/udev/hwdb.bin", "/etc/aliases.db", "/etc/apparmor.d/cache*", "/etc/.updated"),
    # written by the system at work
    *("/etc/mtab", "/etc/adjtime", "/etc/fake-hwclock.data", "/etc/blkid.tab*", "/etc/.pwd.lock", "*.swp"),
    *("/etc/lvm/archive/*", "/etc/lvm/backup/*", "/etc/lvm/cache/*", "/etc/cups/subscriptions.conf*"),
    # the files before the last change: this proof is about the change itself
    *("/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/subuid-", "/etc/subgid-"),
)
"""Paths that are left out. /etc/resolv.conf is not one of them: writing the same again leaves its digest alone, and
another name server after a reboot is exactly what a proof is for."""

SECRET = (
    *(
        "shadow*",
        "gshadow*",
        "opasswd*",
        "*.key",
        "*_key",
        "privkey*",
        "id_rsa*",
        "id_dsa*",
        "id_ecdsa*",
        "id_ed25519*",
    ),
    *("*.keytab", "*.p12", "*.pfx", "*.jks", "*secret*", "*password*", "*.htpasswd", ".htpasswd", ".netrc", ".pgpass"),
)
"""Names of files that are secret whatever their mode."""

_HISTORY = (".git", ".hg", ".bzr", ".svn")  # etckeeper writes into one with every update

# A name with a line break could pass for another file; nobody configures anything in one. Half of a SHA-256 is as much
# as a comparison needs. `-exec ... +` starts one program for hundreds of files.
_QUESTION = r"""
chosen() {
  find @paths@ -xdev \( -type d \( @history@ \) -prune \) -o -type f ! -path '*
*' @others@ "$@" 2>/dev/null
}
digests() {
  command -v sha256sum >/dev/null 2>&1 || return 127
  [ "$(chosen -print | head -n @more@ | wc -l)" -le @most@ ] || return 3
  chosen -perm -004 @open@ -exec sha256sum {} + |
    sed -e 's/^\(\\\{0,1\}[0-9a-f]\{32\}\)[0-9a-f]\{32\} [ *]/\1 /'
  chosen \( ! -perm -004 -o \( @secret@ \) \) -exec stat -c '%s/%Y %n' {} +
  :
}
part config digests
"""
_LINE = re.compile(r"(\\?)([0-9a-f]{32}|[0-9]{1,18}/-?[0-9]{1,18}) (.+)")


def question(paths: Sequence[str]) -> str:
    """sh: part `config`; status 3 where there are too many files. Nothing for no paths."""
    if not paths:
        return ""
    places = (shlex.quote(path if path.startswith("/") else f"./{path}") for path in paths)
    words = {
        "paths": " ".join(places),
        "history": " -o ".join(f"-name {name}" for name in _HISTORY),
        "others": " ".join(f"! -path {shlex.quote(path)}" for path in SELF_CHANGING),
        "open": " ".join(f"! -name {shlex.quote(name)}" for name in SECRET),
        "secret": " -o ".join(f"-name {shlex.quote(name)}" for name in SECRET),
        "more": str(MOST_FILES + 1),
        "most": str(MOST_FILES),
    }
    # each mark once, and the paths last: what stands in them is not looked at again
    text = _QUESTION
    for mark in ("history", "others", "open", "secret", "more", "most", "paths"):
        text = text.replace(f"@{mark}@", words[mark])
    return text


def config_of(part: Part | None) -> dict[str, str] | None:
    """Path -> half of its SHA-256 (32 hexadecimal digits), or SIZE/TIME (bytes, seconds since 1970) for a secret one.

    None where nothing was measured. Raises UnreadableAnswer for a line of another form.
    """
    if part is None or part.status != 0:
        return None
    found: dict[str, str] = {}
    for line in part.text.split("\n"):
        match = _LINE.fullmatch(line)
        if match is not None:
            # sha256sum marks names in which it wrote a backslash as two
            found[match[3].replace("\\\\", "\\") if match[1] else match[3]] = match[2]
        elif line.strip():
            raise UnreadableAnswer(f"not a digest and a path: {line[:80]!r}")
    return found
