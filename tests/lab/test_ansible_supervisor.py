"""Nothing of ours outlives maintops: no Ansible, none of its workers, no ssh, no local script, no private folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab.fleet import Fleet

pytestmark = pytest.mark.fleet

# What maintops does of all this: it asks two servers something that takes a minute, and waits.
ASKING = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from maintops.domain.ports import Script, Trip
from maintops.domain.servers import Server
from maintops.runners.ansible import AnsibleRunner

inventory, known_hosts, board, *names = sys.argv[1:]
text = f"echo begun; : >{board}/$$; sleep 61; : >{board}/never\\n"
script, other = (Script(f"{text}# {number}\\n", "d", False, (), 120, 1000) for number in (1, 2))
runner = AnsibleRunner(
    [inventory], known_hosts=Path(known_hosts), host_keys="strict", clock=lambda: datetime.now(UTC), connect_timeout=5
)
trips = [Trip(Server(name), (script, other)) for name in names]
for arrival in runner.ask(trips, forks=5, stop=lambda: None):
    print(arrival, flush=True)
"""


@pytest.fixture
def board() -> Iterator[Path]:
    """A folder that the scripts of every server on this machine can write to."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.fixture
def marked() -> dict[str, str]:
    """The environment of the process that is to be killed. All that descends from it has the same HOME, by which it is
    known; that of scripts on servers is another."""
    return {"PATH": os.environ["PATH"], "HOME": f"/nonexistent/maintops-{os.getpid()}-{time.monotonic_ns()}"}


def _family(marked: dict[str, str]) -> list[int]:
    """The processes that have the marked environment: ours, wherever they have moved to."""
    mark, found = f"HOME={marked['HOME']}\0".encode(), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if mark in environment + b"\0":
                found.append(int(entry.name))
    return found


def _private_folders(pids: list[int]) -> list[Path]:
    """The private folders that these processes own; others may be testing beside us."""
    places = (Path(f"/run/user/{os.getuid()}"), Path("/dev/shm"), Path("/tmp"))
    owners = [owner for place in places if place.is_dir() for owner in place.glob("maintops-????????/owner")]
    return [owner.parent for owner in owners if int(owner.read_text().split()[1]) in pids]


def _wait(until: Callable[[], object], seconds: float) -> float:
    """Waits until something is so; returns how long that took. Fails when it never is."""
    began = time.monotonic()
    while not until():
        assert time.monotonic() < began + seconds, "waited in vain"
        time.sleep(0.05)
    return time.monotonic() - began


def _start(marked: dict[str, str], *arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", ASKING, *map(str, arguments)], env=marked, stdout=subprocess.PIPE)


def _inventory(fleet: Fleet, board: Path) -> tuple[Path, list[str]]:
    """Two servers by ssh, two by the local connection."""
    hosts = {"s001": fleet.variables("s001"), "s002": fleet.variables("s002")}
    hosts |= {name: {"ansible_connection": "local"} for name in ("here1", "here2")}
    file = board / "inventory.yml"
    file.write_text(json.dumps({"all": {"hosts": hosts}}))
    return file, list(hosts)


@pytest.mark.parametrize("moment", ["at once", "while Ansible starts", "while servers are asked"])
def test_kill_9_leaves_nothing_behind(fleet: Fleet, board: Path, marked: dict[str, str], moment: str) -> None:
    inventory, names = _inventory(fleet, board)
    process = _start(marked, inventory, fleet.known_hosts, board, *names)
    begun = lambda: [one for one in board.iterdir() if one.name.isdigit()]  # noqa: E731
    folders: list[Path] = []
    if moment == "while Ansible starts":
        _wait(lambda: len(_family(marked)) > 2, 60)
    if moment == "while servers are asked":
        _wait(lambda: len(begun()) == len(names), 60)
        assert len(_family(marked)) > 2 * len(names)
        folders = _private_folders(_family(marked))
        assert len(folders) == 1
    process.kill()
    process.communicate()
    _wait(lambda: not _family(marked), 10)
    assert not any(folder.exists() for folder in folders)
    assert not (board / "never").exists()


def test_kill_9_of_the_supervisor_is_told_and_its_folder_is_swept_up(
    fleet: Fleet, board: Path, marked: dict[str, str]
) -> None:
    inventory, names = _inventory(fleet, board)
    process = _start(marked, inventory, fleet.known_hosts, board, *names)
    _wait(lambda: len([one for one in board.iterdir() if one.name.isdigit()]) == len(names), 60)
    (supervisor,) = [pid for pid in _family(marked) if _parent(pid) == process.pid]
    (left,) = _private_folders([supervisor])
    orphans = [pid for pid in _family(marked) if pid not in (process.pid, supervisor)]
    os.kill(supervisor, signal.SIGKILL)
    told = process.communicate(timeout=60)[0].decode()
    for pid in orphans:  # nobody is there to end them: the test does it
        os.kill(pid, signal.SIGKILL)
    assert told.count("BROKEN") >= len(names)
    again = _start(marked, inventory, fleet.known_hosts, board, "here1")
    _wait(lambda: not left.exists(), 30)
    again.kill()
    again.communicate()
    _wait(lambda: not _family(marked), 10)


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
