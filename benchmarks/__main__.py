"""`make bench`: maintops against others, side by side, in one run, as ratios.

Absolute times say something about this machine only; the ratios of one run compare. Rounds are interleaved, the
median of each contender counts. Controller CPU is the contender's whole process tree, without sshd.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.contenders import BIN, Answers, Contender, contenders, environment
from benchmarks.content import compare
from benchmarks.measuring import Cost, measure
from benchmarks.questions import COMMANDS
from tests.lab.fleet import Fleet

FLOOR, SSH, ANSIBLE, PYINFRA, PLAYBOOK = range(5)
MEBIBYTE = 1024 * 1024
TABLES = ("fleet", "help", "replay", "content", "plans", "waves")


def main() -> int:
    """Prints the tables and whether each ratio is met; 1 where one is not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--servers", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--containers", type=int, default=8, help="servers of a wave (booted containers: root only)")
    parser.add_argument("--only", choices=TABLES, help="one table instead of all")
    chosen = parser.parse_args()
    met = True
    with tempfile.TemporaryDirectory(prefix="maintops-bench-") as name:
        folder = Path(name)
        if chosen.only in (None, "fleet"):
            met &= _fleet(folder, chosen.servers, chosen.rounds)
        if chosen.only in (None, "help"):
            met &= _help(folder)
        if chosen.only in (None, "replay"):
            met &= _replay(folder)
        if chosen.only in (None, "content"):
            ratio = compare(folder, chosen.servers, max(chosen.rounds, 3))
            met &= _judge(("monthly hardware check ÷ daily check, CPU", ratio, 1.5, False))
        if chosen.only in (None, "plans"):
            met &= _plans(folder, max(chosen.rounds, 3))
        if chosen.only in (None, "waves"):
            met &= _waves(folder, chosen.containers, chosen.rounds)
    return 0 if met else 1


# --- a fleet ----------------------------------------------------------------------------------------------------------


def _fleet(folder: Path, count: int, rounds: int) -> bool:
    with Fleet(servers=count) as fleet:
        everyone = contenders(fleet, folder)
        _compare_answers(everyone, folder, fleet.names)
        costs: list[list[Cost]] = [[] for _ in everyone]
        for number in range(rounds):
            for index, one in enumerate(everyone):
                costs[index].append(_timed(one, one.command, folder))
                print(f"round {number + 1}: {one.name}: {costs[index][-1].wall:.1f} s", file=sys.stderr, flush=True)
    cpu = [statistics.median(cost.cpu for cost in one) / count for one in costs]
    wall = [statistics.median(cost.wall for cost in one) for one in costs]
    print(f"\n{count} servers, {len(COMMANDS)} checks, median of {rounds} interleaved rounds")
    print(f"{'':34}{'CPU s/server':>14}{'wall s':>10}{'CPU, × floor':>15}{'wall, × floor':>15}")
    for index, one in enumerate(everyone):
        ratios = f"{cpu[index] / cpu[FLOOR]:>15.1f}{wall[index] / wall[FLOOR]:>15.1f}"
        print(f"{one.name:34}{cpu[index]:>14.4f}{wall[index]:>10.1f}{ratios}")
    return _judge(
        ("ssh engine: CPU, ansible-playbook ÷ ours", cpu[PLAYBOOK] / cpu[SSH], 35, True),
        ("ssh engine: wall, ansible-playbook ÷ ours", wall[PLAYBOOK] / wall[SSH], 40, True),
        ("ssh engine: CPU, pyinfra ÷ ours", cpu[PYINFRA] / cpu[SSH], 2, True),
        ("ssh engine: wall, pyinfra ÷ ours", wall[PYINFRA] / wall[SSH], 2, True),
        ("ssh engine: wall, ours ÷ floor", wall[SSH] / wall[FLOOR], 1.5, False),
        ("ansible engine: CPU, ansible-playbook ÷ ours", cpu[PLAYBOOK] / cpu[ANSIBLE], 8, True),
    )


def _timed(one: Contender, command: Sequence[str], folder: Path) -> Cost:
    around = {**environment(folder), **one.environment}
    output = folder / "output.txt"
    cost = measure(command, folder=folder, environment=around, output=output)
    if cost.status not in (0, 2):
        sys.exit(f"{one.name} ended with {cost.status}:\n{output.read_text()[-3000:]}")
    return cost


def _compare_answers(everyone: Sequence[Contender], folder: Path, names: Sequence[str]) -> None:
    """Nobody's time counts for an answer that is not the others'."""
    first: Answers | None = None
    for one in everyone:
        _timed(one, one.asked or one.command, folder)
        answers = {name: list(said) for name, said in one.answers(folder / "output.txt").items()}
        if sorted(answers) != sorted(names) or any(len(said) != len(COMMANDS) for said in answers.values()):
            sys.exit(f"{one.name} did not answer everything: {_difference(answers, names)}")
        first = first or answers
        wrong = [
            (name, index) for name in names for index in range(len(COMMANDS)) if _differs(answers, first, name, index)
        ]
        if wrong:
            name, index = wrong[0]
            sys.exit(f"{one.name}: {name}: {COMMANDS[index]!r}: {answers[name][index]!r}, not {first[name][index]!r}")
    print(f"answers compared: {len(everyone)} contenders, {len(names)} servers, {len(COMMANDS)} answers: all equal")


def _differs(answers: Answers, first: Answers, name: str, index: int) -> bool:
    return answers[name][index] != first[name][index] and COMMANDS[index] != "umask"  # maintops sets it: 0077


def _difference(answers: Answers, names: Sequence[str]) -> str:
    missing = sorted(set(names) - set(answers))[:3]
    short = {name: len(said) for name, said in answers.items() if len(said) != len(COMMANDS)}
    return f"missing {missing}, other than {len(COMMANDS)} answers {dict(list(short.items())[:3])}"


# --- starting up, and thousands of servers ----------------------------------------------------------------------------


def _help(folder: Path) -> bool:
    def cpu(program: str, flag: str) -> float:
        command = [str(BIN / program), flag]
        around = environment(folder)
        output = folder / "output.txt"
        return statistics.median(
            measure(command, folder=folder, environment=around, output=output).cpu for _ in range(7)
        )

    ours, theirs = cpu("maintops", "--help"), cpu("ansible", "--version")
    print(f"\nstarting up: maintops --help {ours:.3f} CPU s, ansible --version {theirs:.3f} CPU s")
    return _judge(("maintops --help ÷ ansible --version", ours / theirs, 1 / 3, False))


def _replay(folder: Path) -> bool:
    small, large = (_replayed(count, folder) for count in (500, 5000))
    print("\nreplayed servers: daily check, read, judged, kept and shown")
    for one in (small, large):
        print(
            f"{one['servers']:>6} servers: {one['cpu']:.1f} CPU s, peak memory {one['memory'] / MEBIBYTE:.0f} MiB, "
            f"database {one['bytes'] / MEBIBYTE:.1f} MiB"
        )
    limit = 120e6 + 20e3 * large["servers"]
    return _judge(
        ("t(5 000) ÷ t(500)", large["cpu"] / small["cpu"], 10.5, False),
        ("memory ÷ (120 MB + 20 KB a server)", large["memory"] / limit, 1, False),
    )


def _replayed(count: int, folder: Path) -> Mapping[str, float]:
    command = [sys.executable, "-m", "benchmarks.replaying", str(count), str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, cwd=Path(__file__).parent.parent)
    found: Mapping[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


# --- changes ----------------------------------------------------------------------------------------------------------


def _plans(folder: Path, rounds: int) -> bool:
    from benchmarks.plans import beyond

    plain, limited = beyond(folder, 5000, rounds)
    return _judge(
        ("plan of 5 000 servers, seconds beyond ansible-inventory", plain, 10, False),
        ("the same with a limit", limited, 10, False),
    )


def _waves(folder: Path, count: int, rounds: int) -> bool:
    from benchmarks.waves import compare

    found = compare(folder, count, rounds)
    print(f"  told   maintops run --plan ÷ bare ansible-playbook: CPU {found.bare[0]:.2f}, wall {found.bare[1]:.2f}")
    return _judge(
        ("the deed ÷ ansible-playbook: CPU", found.deed[0], 1.1, False),
        ("the deed ÷ ansible-playbook: wall", found.deed[1], 1.1, False),
        ("maintops run --plan ÷ ansible-playbook that asks the same: CPU", found.wave[0], 1.1, False),
        ("maintops run --plan ÷ ansible-playbook that asks the same: wall", found.wave[1], 1.1, False),
    )


def _judge(*claims: tuple[str, float, float, bool]) -> bool:
    """Each claim: words, the measured ratio, its bound, and whether more is better."""
    met = True
    for words, ratio, bound, more in claims:
        good = ratio >= bound if more else ratio <= bound
        met &= good
        print(f"  {'met   ' if good else 'MISSED'} {words}: {ratio:.2f} (wanted {'≥' if more else '≤'} {bound:.2f})")
    return met


if __name__ == "__main__":
    sys.exit(main())
