"""Servers whose packages rpm and dnf keep, and a repository of the lab's own for them.

    with Servers(count=2) as lab:
        publish(lab.server("lab1"), plain("1.0"), plain("2.0"), security=[plain("2.0")])
        install(lab.server("lab1"), plain("1.0"))

rpm and dnf are real ones, of Debian's archive, set up as those of the RHEL family are. The repository lies inside the
server and is its only package source. Packages are built there, each once for as long as the server lives. Formats:
rpm-spec(5); updateinfo.xml as dnf's library reads it (libsolv, ext/repo_updateinfoxml.c).
"""

from __future__ import annotations

import hashlib
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from xml.sax.saxutils import quoteattr

from tests.lab.containers import Containers
from tests.lab.fixtures import need
from tests.lab.images import rpm_image
from tests.lab.inside import Inside, Said

PLACE = "/srv/lab-repository"
SOURCE = "/etc/yum.repos.d/lab.repo"
_STOCK = "/srv/lab-rpms"
_SOURCE = f"[lab]\nname=Lab\nbaseurl=file://{PLACE}\ngpgcheck=0\n"

PLAIN, SERVICE, BROKEN, REFUSING = (f"maintops-lab-{kind}" for kind in ("plain", "service", "broken", "refusing"))
META, ADDED, SLOW = (f"maintops-lab-{kind}" for kind in ("meta", "added", "slow"))
LONG = "maintops-lab-with-a-name-that-no-column-of-a-table-is-wide-enough-for"
BEGUN, MAY_END = "/run/lab-slow-begun", "/run/lab-slow-may-end"
FIRMWARE, KERNEL = "linux-firmware", "kernel-core"
"""Called as dnf knows them: the one wants a reboot (dnf4 needs-restarting), of the other several versions stay."""


@dataclass(frozen=True, slots=True)
class Rpm:
    """A package for every architecture: `files` are its contents by path, `scripts` its scriptlets by name (post, ...),
    `relations` what it says of other packages, by tag (Requires, ...)."""

    name: str
    version: str
    files: Mapping[str, str] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)
    relations: Mapping[str, str] = field(default_factory=dict)
    epoch: int = 0
    release: str = "1"

    @property
    def evr(self) -> str:
        """Its version as rpm has it, without an epoch that says nothing."""
        return f"{f'{self.epoch}:' if self.epoch else ''}{self.version}-{self.release}"

    @property
    def spec(self) -> str:
        """What rpmbuild makes it of."""
        tags = {"Name": self.name, "Version": self.version, "Release": self.release, "Epoch": str(self.epoch)}
        told = {**tags, "Summary": "Of a lab server", "License": "None", "BuildArch": "noarch", **self.relations}
        head = "".join(f"{tag}: {value}\n" for tag, value in told.items() if (tag, value) != ("Epoch", "0"))
        root = "%{buildroot}"
        made = "".join(
            f"mkdir -p $(dirname {root}{path})\nprintf %%s {_literal(shlex.quote(text))} >{root}{path}\n"
            for path, text in self.files.items()
        )
        scripts = "".join(f"%{name}\n{_literal(text)}\n" for name, text in self.scripts.items())
        files = "".join(f"{path}\n" for path in self.files)
        return f"{head}\n%description\nOf a lab server.\n\n%install\n{made}\n{scripts}\n%files\n{files}"

    @property
    def folder(self) -> str:
        """Where its file lies, once it is built: two packages of one name and version may differ."""
        return f"{_STOCK}/{hashlib.sha256(self.spec.encode()).hexdigest()[:16]}"


def _literal(text: str) -> str:
    """Text in which rpmbuild finds no macro."""
    return text.replace("%", "%%")


# --- the packages -----------------------------------------------------------------------------------------------------

_UNIT = """\
[Unit]
Description=A service that its package restarts

[Service]
Type=exec
ExecStart=/bin/sleep infinity

[Install]
WantedBy=multi-user.target
"""
_RESTART = f"systemctl daemon-reload\nsystemctl enable --quiet {SERVICE}\nsystemctl restart {SERVICE}"
_END = f'[ "$1" != 0 ] || systemctl disable --quiet --now {SERVICE}'

RELEASE = Rpm("maintops-lab-release", "9", relations={"Provides": "system-release = 9, redhat-release = 9, /bin/sh"})
"""What says which release the server is of: without it dnf complains in every answer. And scriptlets want a shell."""

RPM = Rpm("rpm", "4.18.0")
"""rpm knows itself as one of its packages."""


def plain(version: str) -> Rpm:
    """A package that only has a file, and an epoch."""
    return Rpm(PLAIN, version, {f"/usr/share/{PLAIN}/version": f"{version}\n"}, epoch=1)


def service(version: str) -> Rpm:
    """A package whose service is restarted when it is installed."""
    unit = {f"/lib/systemd/system/{SERVICE}.service": f"# {version}\n{_UNIT}"}
    return Rpm(SERVICE, version, unit, {"post": _RESTART, "preun": _END})


def sound(version: str) -> Rpm:
    """A package that can be installed, if not in every version."""
    return Rpm(BROKEN, version)


def breaks(version: str) -> Rpm:
    """The same package with a script that fails behind the installation: rpm counts it as installed nevertheless."""
    return Rpm(BROKEN, version, scripts={"post": f"echo '{BROKEN} cannot be set up' >&2\nexit 7"})


def refuses(version: str) -> Rpm:
    """A package whose script before the installation fails from 2.0 on: it is not installed."""
    return Rpm(REFUSING, version, scripts={"pre": "echo 'not on this server' >&2\nexit 9"} if version != "1.0" else {})


def wants(version: str, **relations: str) -> Rpm:
    """A package with relations to others."""
    return Rpm(META, version, relations=relations)


def added(version: str = "1.0") -> Rpm:
    """A package that comes for the sake of others."""
    return Rpm(ADDED, version)


def slow() -> Rpm:
    """A package whose installation says that it has begun (BEGUN), and lasts until it may end (MAY_END), a minute at
    most."""
    wait = f"timeout 60 sh -c 'until [ -e {MAY_END} ]; do sleep 0.1; done'"
    return Rpm(SLOW, "1.0", scripts={"post": f"touch {BEGUN}\n{wait}"})


def long(version: str) -> Rpm:
    """A package with a long name and a long version."""
    return Rpm(LONG, version, release="0.20260101123456.el9_9.a_long_release")


def firmware(version: str) -> Rpm:
    """A package whose update wants a reboot, as dnf says."""
    return Rpm(FIRMWARE, version)


def kernel(version: str) -> Rpm:
    """A kernel in name only. A new version is installed beside the one before."""
    return Rpm(KERNEL, version, relations={"Provides": "installonlypkg(kernel)"})


FIRST = (plain("1.0"), service("1.0"), sound("1.0"))
SECOND = (plain("2.0"), service("2.0"), sound("2.0"))
_SYSTEM = (RELEASE, RPM)


# --- in a server ------------------------------------------------------------------------------------------------------


class Servers(Containers):
    """A lab of such servers."""

    def _start(self, image: str) -> None:
        super()._start(rpm_image())


@contextmanager
def busy(server: Inside) -> Iterator[subprocess.Popen[bytes]]:
    """Another dnf is at work, in the middle of a transaction, until MAY_END is there or the context is left."""
    server.run(f"rm -f {BEGUN} {MAY_END}")
    words = server._shell(f"dnf -qy install {SLOW}")
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as other:
        try:
            server.run(f"timeout 60 sh -c 'until [ -e {BEGUN} ]; do sleep 0.1; done'")
            yield other
        finally:
            server.run(f"touch {MAY_END}")


@contextmanager
def started(count: int) -> Iterator[Servers]:
    """A lab of so many such servers, each with a repository that offers nothing."""
    lab = Servers(count=count)
    need(lab.__enter__)
    try:
        for server in lab.servers.values():
            server.write(SOURCE, _SOURCE)
            publish(server, *_SYSTEM)
            install(server, *_SYSTEM)
        yield lab
    finally:
        lab.stop()


def offering(*rpms: Rpm, security: Sequence[Rpm] | None = None) -> str:
    """sh that makes the repository offer these packages and no others: for a time when nobody can be asked. Packages
    given as `security` have advisories that say so, and then all others have one that says otherwise."""
    every = [*rpms, *(security or ())]
    built = "".join(
        f"[ -d {one.folder} ] || {{ printf %s {shlex.quote(one.spec)} >{_STOCK}/spec && rpmbuild --quiet -bb "
        f"-D '_topdir {_STOCK}/build' -D '_rpmdir {one.folder}' {_STOCK}/spec; }} && ln {one.folder}/*/*.rpm {PLACE}\n"
        for one in every
    )
    told = security is not None
    advised = f"modifyrepo_c {_STOCK}/updateinfo.xml {PLACE}/repodata >/dev/null\n" if told else ""
    return (
        f"set -e\nrm -rf {PLACE}\nmkdir -p {PLACE} {_STOCK}\n{built}createrepo_c -q {PLACE}\n"
        f"printf %s {shlex.quote(_advisories(rpms, security or ()))} >{_STOCK}/updateinfo.xml\n{advised}"
    )


def publish(server: Inside, *rpms: Rpm, security: Sequence[Rpm] | None = None) -> None:
    """The repository offers these packages and no others, see `offering`; dnf knows of it."""
    server.run(f"{offering(*rpms, security=security)}dnf -q --refresh makecache")


def _advisories(rpms: Sequence[Rpm], security: Sequence[Rpm]) -> str:
    told = [*((one, "bugfix", "None") for one in rpms), *((one, "security", "Important") for one in security)]
    text = "".join(
        f'<update from="lab@example.invalid" status="final" type="{kind}" version="1"><id>LAB-{number}</id>'
        f"<title>{one.name}</title><severity>{severity}</severity>"
        '<issued date="2026-01-01 00:00:00"/><pkglist><collection><package '
        f'name={quoteattr(one.name)} version="{one.version}" release="{one.release}" epoch="{one.epoch}" arch="noarch">'
        f"<filename>{one.name}-{one.version}-{one.release}.noarch.rpm</filename></package></collection></pkglist>"
        "</update>"
        for number, (one, kind, severity) in enumerate(told, 1)
    )
    return f'<?xml version="1.0" encoding="UTF-8"?><updates>{text}</updates>'


def dnf(server: Inside, *words: str) -> Said:
    """Runs dnf, which asks nobody anything, whatever becomes of it."""
    return server.try_to(f"dnf -y {shlex.join(words)}")


def install(server: Inside, *rpms: Rpm) -> None:
    """Installs exactly these versions; the repository has to offer them."""
    said = dnf(server, "install", *(f"{one.name}-{one.evr}" for one in rpms))
    assert said.status == 0, f"{server.name}: dnf ended with {said.status}: {said.stdout}{said.stderr}"


def begin(server: Inside, *rpms: Rpm) -> None:
    """Of the lab's packages exactly these are installed and offered, none is locked, and nothing waits."""
    kept = "|".join(one.name for one in _SYSTEM)
    names = f"rpm -qa --qf '%{{NAME}}\\n' | grep -Evx '{kept}' | sort -u"
    server.run(f'set -- $({names}); [ $# = 0 ] || rpm -e --nodeps --allmatches --force-debian "$@"')
    server.run(": >/etc/dnf/plugins/versionlock.list")
    publish(server, *rpms, *_SYSTEM)
    install(server, *rpms)


def versions(server: Inside, *names: str) -> list[str]:
    """The versions of some packages: nothing of one that is not there, all of one that is there several times."""
    one = "rpm -q --qf '%{EVR} ' \"$name\" | grep -v 'is not installed' | tr -d '\\n'; echo"
    return [line.strip() for line in server.run(f"for name in {' '.join(names)}; do {one}; done").splitlines()]
