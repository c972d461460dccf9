"""Thousands of replayed servers: does time grow linearly, and does memory stay bounded?

Usage: python -m benchmarks.replaying SERVERS FOLDER. The servers' answers are the daily check's own, recorded once
on this machine; reading, judging, records, findings and the text result are all real, only the network is not.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from maintops.domain.ports import Trip
from maintops.domain.servers import Server
from maintops.wiring import House


def _record(trip: Trip, file: Path) -> tuple[bytes, ...]:
    """This machine's answers to the trip's scripts; asked once and kept in a folder."""
    streams = []
    for number, script in enumerate(trip.scripts):
        kept = file.with_suffix(f".{script.digest[:8]}.{number}")
        if not kept.exists():
            kept.write_bytes(subprocess.run(["/bin/sh", "-c", script.text], capture_output=True, check=False).stdout)
        streams.append(kept.read_bytes())
    return tuple(streams)


def replay(count: int, folder: Path) -> Mapping[str, float]:
    """Runs the daily check over `count` servers; CPU seconds of the run, and this process's peak memory in bytes."""
    from maintops.cli.reporting import show_run
    from maintops.domain.outcomes import FailOn
    from maintops.files.owners import this_process
    from maintops.runners.replay import ReplayRunner
    from maintops.workflow.keeping import Crew
    from maintops.workflow.planning import plan_run
    from maintops.workflow.running import Orders, carry_out

    database = folder / f"replay-{count}.sqlite"
    house = House(folder, flags={"database_url": f"sqlite:///{database}"}, environment={})
    started = time.process_time()
    servers = [Server(f"server{number:05d}") for number in range(count)]
    probe = ReplayRunner({}, house.clock)
    plan = plan_run(
        house.new_run_id(), house.checklist("daily-check"), [], servers, house.catalogue, (probe,), "replay"
    )
    answers = _record(plan.servers[0].trip, folder / "recorded")
    runner = ReplayRunner({server.name: answers for server in servers}, house.clock)
    crew = Crew(house.store, {"replay": runner}, house._ansible, house.clock, this_process())  # noqa: SLF001  no content
    result = carry_out(plan, crew, Orders())
    show_run(house, result.run, "text", folder / "replay.txt", FailOn.NEVER)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    house.close()
    return {"servers": count, "cpu": time.process_time() - started, "memory": used, "bytes": database.stat().st_size}


if __name__ == "__main__":
    print(json.dumps(replay(int(sys.argv[1]), Path(sys.argv[2]))))
