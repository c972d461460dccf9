"""The floor: asyncssh runs the same script on every server; nothing is read, judged or kept.

Usage: floor.py FILE, where FILE is JSON: {"hosts": [[address, port], …], "user", "key", "known_hosts", "script",
"out"}.
"""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import asyncssh


async def _ask(job: dict[str, Any], address: str, port: int) -> str:
    options = {"username": job["user"], "client_keys": [job["key"]], "known_hosts": job["known_hosts"]}
    async with asyncssh.connect(address, port, config=None, agent_path=None, **options) as connection:
        done = await connection.run(f"sh -c {shlex.quote(job['script'])}", encoding=None)
        return bytes(done.stdout or b"").decode("utf-8", "replace")


async def _main(job: dict[str, Any]) -> None:
    answers = await asyncio.gather(*(_ask(job, address, port) for address, port in job["hosts"]))
    Path(job["out"]).write_text(json.dumps(answers))


if __name__ == "__main__":
    asyncio.run(_main(json.loads(Path(sys.argv[1]).read_text())))
