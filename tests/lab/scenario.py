"""The lab of a Molecule scenario: one process brings it up, another one takes it down.

    python -m tests.lab.scenario up [--packages] FOLDER COUNT
    python -m tests.lab.scenario down FOLDER

FOLDER is the scenario's ephemeral directory, and tells its lab from all others. A lab like this outlives the process
that made it: it is nobody's, as one of `make lab` is, and `make lab-down` removes it as well. With --packages an
update waits on every server: version 1.0 of the lab's packages is installed, and their repository offers 2.0 as well.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.lab import packages
from tests.lab.containers import LABS, Containers, remove
from tests.lab.sshd import FleetUnavailable

OWNER = "scenario"
"""The file in a lab's folder that holds the path of its scenario's ephemeral directory."""

NEWER = (packages.plain("2.0"), packages.service("2.0"), packages.wants_reboot("2.0"), packages.REPAIRED)
"""What waits on a server: a file, a restart of a service, a reboot, and one package more."""


def main() -> int:
    """Does what the command line says; returns 1, with the reason on standard error, where there can be no lab."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.scenario", description=__doc__)
    what = parser.add_subparsers(dest="what", required=True)
    for name in ("up", "down"):
        what.add_parser(name).add_argument("folder", type=Path, help="the scenario's ephemeral directory")
    what.choices["up"].add_argument("count", type=int, help="how many servers: lab1, lab2, ...")
    what.choices["up"].add_argument("--packages", action="store_true", help="an update waits on every server")
    chosen = parser.parse_args()
    try:
        if chosen.what == "up":
            up(chosen.folder, chosen.count, waiting=chosen.packages)
        else:
            down(chosen.folder)
    except FleetUnavailable as error:
        sys.stderr.write(f"no lab: {error}\n")
        return 1
    return 0


def up(folder: Path, count: int, *, waiting: bool = False) -> None:
    """Brings a lab up and writes into the folder `lab`, a link to the lab's own folder, and what Molecule reads. With
    `waiting` an update waits on every server; the old versions stay in the repository: there is a way back."""
    down(folder)
    with Containers(count, kept=True) as lab:
        (lab.folder / OWNER).write_text(str(folder))
        for name in lab.names if waiting else ():
            packages.publish(lab.server(name), *packages.FIRST)
            packages.install(lab.server(name), *packages.FIRST)
            packages.publish(lab.server(name), *packages.FIRST, *NEWER)
        (folder / "lab").symlink_to(lab.folder)
        (folder / "instance_config.yml").write_text(json.dumps([_instance(lab, name) for name in lab.names]))


def down(folder: Path) -> None:
    """Removes every lab of this scenario; one that is gone already is no mistake."""
    for name in labs(folder):
        remove(name)
        sys.stdout.write(f"lab {name} is gone\n")
    (folder / "lab").unlink(missing_ok=True)


def labs(folder: Path) -> list[str]:
    """The names of the labs of this scenario: one, or none. (Two where Molecule was told to forget the first.)"""
    return [file.parent.name for file in sorted(LABS.glob(f"mt*/{OWNER}")) if file.read_text() == str(folder)]


def _instance(lab: Containers, name: str) -> dict[str, str | int]:
    """How Molecule reaches a server, in the words of the instance configuration of its `default` driver."""
    variables = lab.variables(name)
    return {
        "instance": name,
        "address": variables["ansible_host"],
        "user": variables["ansible_user"],
        "port": 22,
        "identity_file": variables["ansible_ssh_private_key_file"],
    }


if __name__ == "__main__":
    sys.exit(main())
