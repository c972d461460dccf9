"""A package repository of the lab's own: two versions of a few tiny packages, so that an upgrade has real work to do.

    with lab_packages(server):                  # all of them at version 1.0; nothing waits
        publish(server, *SECOND)                # from now on the repository offers 2.0
        upgrade(server)                         # one restarts its service, one wants a reboot, one breaks

The repository lies inside the server and is its only package source: apt asks nothing of any network. Forms: deb(5),
deb-control(5), and https://wiki.debian.org/DebianRepository/Format for the indexes.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import shlex
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache
from pathlib import Path

from tests.lab.inside import Inside, Said
from tests.lab.sshd import program

PLACE = "/srv/lab-repository"
SOURCE = "/etc/apt/sources.list.d/lab.list"
ORDINARY, SECURITY = "lab", "lab-security"
"""Its two suites, called as a distribution calls them: an update for security is told by the suite it comes from."""

PLAIN, SERVICE, REBOOT, BROKEN = (f"maintops-lab-{kind}" for kind in ("plain", "service", "reboot", "broken"))
CONFIGURED, META = "maintops-lab-configured", "maintops-lab-meta"
CONFIGURATION = f"/etc/{CONFIGURED}.conf"
NEWER_KERNEL = "9.9.9-1-amd64"
"""Newer than any, and of the kind that the lab's virtual machines run: kernels of other kinds do not count."""
KERNEL = f"linux-image-{NEWER_KERNEL}"


@dataclass(frozen=True, slots=True)
class Package:
    """A package for every architecture: `files` are its contents by path, `scripts` what dpkg runs, by name (postinst,
    prerm, ...; deb-postinst(5)), `relations` what it says of other packages, by field (Depends, ...). What it has in
    /etc are its conffiles."""

    name: str
    version: str
    files: Mapping[str, str] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)
    relations: Mapping[str, str] = field(default_factory=dict)

    @property
    def control(self) -> str:
        """Its control fields, without an empty line behind them."""
        relations = "".join(f"{name}: {value}\n" for name, value in self.relations.items())
        return (
            f"Package: {self.name}\nVersion: {self.version}\nArchitecture: all\nSection: misc\nPriority: optional\n"
            f"Maintainer: Lab <lab@example.invalid>\nDescription: {self.name} of a lab server\n{relations}"
        )

    @property
    def conffiles(self) -> str:
        """The list of its configuration files (deb-conffiles(5))."""
        return "".join(f"{path}\n" for path in self.files if path.startswith("/etc/"))


# --- the packages -----------------------------------------------------------------------------------------------------

_UNIT = """\
[Unit]
Description=A service that its package restarts

[Service]
Type=exec
Environment=LAB_VERSION={version}
ExecStart=/bin/sleep infinity

[Install]
WantedBy=multi-user.target
"""

# Through deb-systemd-invoke, as Debian's own packages do it: so a policy-rc.d has its say.
_RESTART = f"""\
systemctl daemon-reload
systemctl enable --quiet {SERVICE}
deb-systemd-invoke restart {SERVICE}
"""
_END = f'[ "$1" != remove ] || systemctl disable --quiet --now {SERVICE}\n'

# $2 is the version that was there before: whoever installs a package for the first time has nothing old in memory.
_ASK_FOR_REBOOT = f"""\
[ -n "$2" ] || exit 0
touch /run/reboot-required
grep -qsx {REBOOT} /run/reboot-required.pkgs || echo {REBOOT} >>/run/reboot-required.pkgs
"""

_FAIL = f"""\
echo '{BROKEN} cannot be set up' >&2
exit 1
"""


def plain(version: str) -> Package:
    """A package that only has a file."""
    return Package(PLAIN, version, {f"/usr/share/{PLAIN}/version": f"{version}\n"})


def service(version: str) -> Package:
    """A package whose service is restarted when it is installed; the service knows the version as LAB_VERSION."""
    unit = {f"/lib/systemd/system/{SERVICE}.service": _UNIT.format(version=version)}
    return Package(SERVICE, version, unit, {"postinst": _RESTART, "prerm": _END})


def dies(version: str) -> Package:
    """The package with the service, whose service starts and fails two seconds later: its installation goes well."""
    unit = _UNIT.format(version=version).replace("/bin/sleep infinity", "/bin/sh -c 'sleep 2; exit 1'")
    scripts = {"postinst": _RESTART, "prerm": _END}
    return Package(SERVICE, version, {f"/lib/systemd/system/{SERVICE}.service": unit}, scripts)


def wants_reboot(version: str) -> Package:
    """A package whose upgrade asks for a reboot, with the two files that Debian and Ubuntu use for it."""
    return Package(REBOOT, version, scripts={"postinst": _ASK_FOR_REBOOT})


def breaks(version: str) -> Package:
    """A package that cannot be set up."""
    return Package(BROKEN, version, scripts={"postinst": _FAIL})


def sound(version: str) -> Package:
    """The same package without its mistake."""
    return Package(BROKEN, version)


def newer_kernel() -> Package:
    """A kernel that nobody can boot: a server knows its installed kernels by the names of their files alone."""
    files = {f"/boot/vmlinuz-{NEWER_KERNEL}": "no kernel\n", f"/lib/modules/{NEWER_KERNEL}/modules.dep": ""}
    return Package(KERNEL, NEWER_KERNEL.removesuffix("-amd64"), files)


def configured(version: str) -> Package:
    """A package with a configuration file, another one in each version."""
    return Package(CONFIGURED, version, {CONFIGURATION: f"default of {version}\n"})


def wants_kernel(version: str) -> Package:
    """A package as those are that always depend on the newest kernel: from 2.0 on that is `newer_kernel`."""
    return Package(META, version, relations={"Depends": KERNEL} if version != "1.0" else {})


def wants_away(version: str) -> Package:
    """A package that from 2.0 on does not suffer PLAIN."""
    return Package(META, version, relations={"Conflicts": PLAIN} if version != "1.0" else {})


FIRST = (plain("1.0"), service("1.0"), wants_reboot("1.0"), sound("1.0"))
SECOND = (plain("2.0"), service("2.0"), wants_reboot("2.0"), breaks("2.0"))
REPAIRED = sound("2.1")
_EVERY = (PLAIN, SERVICE, REBOOT, BROKEN, CONFIGURED, META, KERNEL)


# --- the repository ---------------------------------------------------------------------------------------------------


def build(package: Package, folder: Path) -> Path:
    """Builds a package into a folder; returns its file."""
    deb = folder / f"{package.name}_{package.version}_all.deb"
    scripts = {f"DEBIAN/{name}": f"#!/bin/sh\nset -e\n{text}" for name, text in package.scripts.items()}
    told = {"DEBIAN/control": package.control, "DEBIAN/conffiles": package.conffiles}
    deb.write_bytes(_built(tuple({**told, **scripts, **package.files}.items()), frozenset(scripts)))
    return deb


@cache
def _built(contents: tuple[tuple[str, str], ...], programs: frozenset[str]) -> bytes:
    """A package of files by path; the same ones are published many times."""
    with tempfile.TemporaryDirectory(prefix="lab-package-") as place:
        root, deb = Path(place, "root"), Path(place, "deb")
        for path, text in contents:
            file = root / path.removeprefix("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        for file in (root, *root.rglob("*")):  # whatever the umask is: dpkg-deb refuses scripts that not all may read
            file.chmod(0o755 if file.is_dir() or str(file.relative_to(root)) in programs else 0o644)
        # gzip: every dpkg reads it, which cannot be said of the default of each one that builds
        words = ["--root-owner-group", "-Zgzip", "--build", str(root), str(deb)]
        subprocess.run([program("dpkg-deb", "dpkg"), *words], check=True, capture_output=True)
        return deb.read_bytes()


def write_repository(folder: Path, packages: Sequence[Package], suite: str) -> None:
    """Writes a flat repository: the packages, Packages, Packages.gz, and a Release with their hashes.

    It is not signed, and its source is `trusted`: a signature would say who made the packages, which no test asks,
    at the price of a key and of gpg on every machine. apt still holds the indexes and packages to the hashes.
    """
    folder.mkdir(parents=True)
    index = "\n".join(package.control + _place(build(package, folder)) for package in packages).encode()
    indexes = {"Packages": index, "Packages.gz": gzip.compress(index, mtime=0)}
    for name, content in indexes.items():
        (folder / name).write_bytes(content)
    hashes = "".join(f" {_hash(content)} {len(content)} {name}\n" for name, content in indexes.items())
    date = format_datetime(datetime.now(UTC), usegmt=True).replace("GMT", "UTC")
    (folder / "Release").write_text(
        f"Origin: Lab\nLabel: Lab\nSuite: {suite}\nCodename: {suite}\nDate: {date}\nSHA256:\n{hashes}"
    )


def _place(deb: Path) -> str:
    """What an index says of a package beside its control fields."""
    content = deb.read_bytes()
    return f"Filename: ./{deb.name}\nSize: {len(content)}\nSHA256: {_hash(content)}\n"


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# --- in a server ------------------------------------------------------------------------------------------------------


def publish(server: Inside, *packages: Package, security: Sequence[Package] = ()) -> None:
    """The repository offers these packages and no others, some of them as updates for security; apt knows of it."""
    with tempfile.TemporaryDirectory(prefix="lab-repository-") as place:
        for suite, offered in ((ORDINARY, packages), (SECURITY, security)):
            write_repository(Path(place, suite), offered, suite)
        carried = shlex.quote(_packed(Path(place)))
    sources = "".join(f"deb [trusted=yes] file:{PLACE}/{suite} ./\n" for suite in (ORDINARY, SECURITY))
    server.run(
        f"rm -rf {PLACE}; mkdir -p {PLACE} && printf %s {carried} | base64 -d | tar -xzf - -C {PLACE} && "
        f"printf %s {shlex.quote(sources)} >{SOURCE}"
    )
    _done(server, apt(server, "update"))


def _packed(folder: Path) -> str:
    """A folder's contents, everybody's to read, as text for a command line."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for one in sorted(folder.iterdir()):
            archive.add(one, arcname=one.name, filter=_readable)
    return base64.b64encode(packed.getvalue()).decode()


def _readable(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.mode = 0o755 if member.isdir() else 0o644
    return member


def apt(server: Inside, *words: str) -> Said:
    """Runs apt-get, which asks nobody anything, whatever becomes of it."""
    return server.try_to(f"DEBIAN_FRONTEND=noninteractive apt-get -q -y {shlex.join(words)}")


def upgrade(server: Inside) -> Said:
    """Upgrades whatever can be, whatever becomes of it."""
    return apt(server, "upgrade")


def install(server: Inside, *packages: Package) -> None:
    """Installs exactly these versions, be they newer or older than what is there; the repository has to offer them."""
    names = (f"{package.name}={package.version}" for package in packages)
    _done(server, apt(server, "install", "--allow-downgrades", *names))


def status(server: Inside, name: str) -> tuple[str, str]:
    """A package's state as `dpkg -l` has it ("ii " is well, "iF " is half-configured), and its version."""
    letters, _, version = server.run(f"dpkg-query -W -f '${{db:Status-Abbrev}}/${{Version}}' {name}").partition("/")
    return letters, version


@contextmanager
def a_repository(server: Inside, *packages: Package) -> Iterator[None]:
    """The lab's repository is the server's package source, and offers these packages. Undone: there is no source, apt
    knows no lists, and no package of the lab's is installed."""
    try:
        publish(server, *packages)
        yield
    finally:
        server.run(
            f"dpkg --purge {' '.join(_EVERY)} && rm -rf {PLACE} {SOURCE} /var/lib/apt/lists/* /var/cache/apt/*.bin"
        )


@contextmanager
def lab_packages(server: Inside) -> Iterator[None]:
    """Version 1.0 of every package of the lab's is installed, and offered by the repository: nothing waits."""
    with a_repository(server, *FIRST):
        install(server, *FIRST)
        yield


def _done(server: Inside, said: Said) -> None:
    assert said.status == 0, f"{server.name}: apt-get ended with {said.status}: {said.stdout}{said.stderr}"
