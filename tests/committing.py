"""Commits records in processes of their own; run with `python -m tests.committing` from the repository's root.

together URL RUN SERVER FIRST   says `ready`, waits for a line, commits 20 records of SERVER, numbered from FIRST on;
                                with FIRST 1 it begins the run before
killed URL SEED ROUNDS          in each round a child begins a run and commits until it is killed with SIGKILL at a
                                moment that the seed gives; prints {run: [records whose commit had returned]}
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time

from maintops.domain.records import record_id
from maintops.store.opening import open_store
from tests.store_samples import bad, keep, ok, plan

MANY = 10_000
RECORDS = 20


def together(url: str, run: str, server: str, first: int) -> None:
    import maintops.store.sql  # noqa: F401  imported now, so that processes meet in the database

    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    store = open_store(url)
    if first == 1:
        store.begin(plan(run, servers=[server] * RECORDS))
    for index in range(first, first + RECORDS):
        keep(store, [bad(), bad("MEM-010", None)], run=run, index=index, server=server)
    store.close()


def killed(url: str, seed: int, rounds: int) -> None:
    store = open_store(url)
    store.close()
    chance = random.Random(seed)
    json.dump({f"run{number}": _round(url, f"run{number}", chance) for number in range(rounds)}, sys.stdout)


def _round(url: str, run: str, chance: random.Random) -> list[str]:
    mine, its = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(mine)
        _commit_until_killed(url, run, its)
    os.close(its)
    with os.fdopen(mine, "r") as acknowledged:
        first = [acknowledged.readline() for _ in range(chance.randrange(1, 6))]
        time.sleep(chance.uniform(0, 0.01))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return [line.strip() for line in (*first, *acknowledged) if line.endswith("\n")]


def _commit_until_killed(url: str, run: str, acknowledge: int) -> None:
    store = open_store(url)
    store.begin(plan(run, servers=[f"{run}-web{index}" for index in range(1, 100)]))
    for index in range(1, MANY):
        server = f"{run}-web{index}"
        cells = [bad(), bad("MEM-010", None), *(ok("SYS-010", str(number)) for number in range(40))]
        keep(store, cells, run=run, index=index, server=server, answer=os.urandom(20_000))
        os.write(acknowledge, f"{record_id(run, index)}\n".encode())
    os._exit(0)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["together", url, run, server, first]:
            together(url, run, server, int(first))
        case ["killed", url, seed, rounds]:
            killed(url, int(seed), int(rounds))
        case _:
            sys.exit(__doc__)
