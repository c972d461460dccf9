"""`make lab` and `make lab-down`: a lab that stands until it is taken down."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from tests.lab.containers import Containers, owners, remove
from tests.lab.machines import Machine
from tests.lab.sshd import FleetUnavailable


def main() -> int:
    """Brings a lab up and says how to use it, or takes labs down that were kept: the named ones, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.standing", description=__doc__)
    parser.add_argument("what", choices=["up", "down"])
    parser.add_argument("--servers", type=int, default=6, help="how many containers (default 6)")
    parser.add_argument("labs", nargs="*", help="which labs to take down (default: every one that was kept)")
    chosen = parser.parse_args()
    try:
        return _up(chosen.servers) if chosen.what == "up" else _down(chosen.labs)
    except FleetUnavailable as error:
        sys.stderr.write(f"no lab: {error}\n")
        return 1


def _up(count: int) -> int:
    with Containers(count, kept=True) as lab:
        try:
            virtual = _machine(lab)
        except BaseException:
            lab.stop()
            raise
        first = lab.server(lab.names[0])
        login = f"ssh -i {virtual.key} -o UserKnownHostsFile={lab.known_hosts} -p {virtual.port} keeper@127.0.0.1"
        sys.stdout.write(
            f"{count} containers and a virtual machine, lab {lab.name}; `make lab-down` removes it\n\n"
            f"  inventory    {lab.inventory}\n"
            f"  known hosts  {lab.known_hosts}\n"
            f"  key          {lab.key}\n\n"
            f"  maintops run daily-check -i {lab.inventory}\n"
            f"  ssh -i {lab.key} -o UserKnownHostsFile={lab.known_hosts} keeper@{first.address}\n"
            f"  {login}\n"
            f"  podman exec -it {first.container} bash\n"
        )
    return 0


def _machine(lab: Containers) -> Machine:
    """A virtual machine that belongs to the lab: in its folder, and in its inventory."""
    with Machine("vm1", kept=lab.folder / "vm1") as one:
        inventory = json.loads(lab.inventory.read_text())
        inventory["all"]["hosts"]["vm1"] = one.variables("vm1")
        with lab.known_hosts.open("a") as known:
            known.write(one.known_hosts.read_text())
        lab.inventory.write_text(json.dumps(inventory, indent=2) + "\n")
        return one


def _down(chosen: Sequence[str]) -> int:
    for name, owner in owners().items():
        if not owner and name in (chosen or [name]):
            remove(name)
            sys.stdout.write(f"lab {name} is gone\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
