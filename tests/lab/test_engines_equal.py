"""Two ways to the servers, one result: the ssh engine and the ansible engine, side by side on the same servers.

Both give the same cells, outcomes, subjects and fact keys for the same server, and the same bytes on fixed answers.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from maintops.domain.answers import Answer
from maintops.domain.ports import Script
from maintops.domain.servers import Server
from maintops.runners.ansible_plays import BEGIN, END
from maintops.script.reading import Heard, hear
from maintops.wiring import House, shipped
from maintops.workflow.planning import plan_run
from tests.lab.fixtures import need
from tests.lab.fleet import Fleet
from tests.lab.running import Desk, Ended, Running

pytestmark = pytest.mark.fleet

ENGINES = ("ssh", "ansible")


@dataclass(frozen=True)
class Side:
    """One engine's run."""

    desk: Desk
    ended: Ended


def _both(folder: Path, fleet: Fleet, document: Mapping[str, Any], names: Sequence[str]) -> dict[str, Side]:
    """The same checklist on the same servers by both engines at the same time, each with a database of its own."""
    running = {}
    for engine in ENGINES:
        desk = Desk(folder / engine, fleet)
        words = ("run", desk.checklist(json.dumps(document)), "-i", desk.inventory(*names), "--format", "json")
        running[engine] = (desk, Running(desk, *words, "--engine", engine))
    sides = {engine: Side(desk, one.wait()) for engine, (desk, one) in running.items()}
    for engine, side in sides.items():
        assert {one["engine"] for one in side.ended.document["servers"]} == {engine}
    return sides


def _checklist(checks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "checklist": "equal",
        "title": "Equal",
        "service": "inspection",
        "cadence": {"every": "day"},
        "hosts": "all",
        "checks": [{"title": one["id"], **one} for one in checks],
    }


# --- the daily check --------------------------------------------------------------------------------------------------

COMMANDS: tuple[dict[str, Any], ...] = (
    {"id": "C-010", "command": "id -un"},
    {"id": "C-020", "command": "id -un", "become": False},
    {"id": "C-030", "command": "cat /etc/os-release", "parse": "lines"},
    {"id": "C-040", "command": """echo '[{"n": "a", "x": 1}, {"n": "b"}]'""", "parse": "json", "subject": "n"},
    {"id": "C-050", "command": "LC_ALL=C df -P /", "parse": "jc:df", "subject": "mounted_on"},
    {"id": "C-060", "command": "echo wrong >&2; exit 7"},
    {"id": "C-070", "command": "no-such-command-anywhere"},
    {"id": "C-080", "command": "echo '{'", "parse": "json"},
    {"id": "C-090", "command": "sleep 30", "timeout": "1s"},
    {"id": "C-100", "command": "printf %s \"$PATH $LC_ALL $PAGER $TERM $(pwd) $(umask)\"; cat"},
    {"id": "C-110", "command": "printf '%s\\n' \"$HOME\" \"$0\" \"$#\"; set -o | sort", "parse": "lines"},
)  # fmt: skip


# --- fixed answers ----------------------------------------------------------------------------------------------------

EVERY = bytes(range(256)) * 3
LONG = b"x" * 70_000 + b"\n" + b"\xc3\xa9" * 40_000
MARKS = b"#maintops-begin\n#maintops-end\nBECOME-SUCCESS-abcdefghijklmnopqrstuvwxyz\n{{ 7 * 7 }}\n"
PARTS = b"=one\n first\n \n second\n.0\n=two\n.3\n"


def _octal(printed: bytes) -> str:
    return "printf '" + "".join(f"\\{byte:03o}" for byte in printed) + "'"


FIXED: dict[str, tuple[str, Answer]] = {
    "F-010": (_octal(EVERY), Answer(EVERY.replace(b"\0", b""))),
    "F-020": (_octal(b"\r\n\r\n \t\x00\x1b[31m\xff\xfe"), Answer(b"\r\n\r\n \t\x1b[31m\xff\xfe")),
    "F-030": ("true", Answer(b"")),
    "F-040": (r"printf '\n'", Answer(b"\n")),
    "F-050": (r"printf '\n\n\n'", Answer(b"\n\n\n")),
    "F-060": ("echo out; echo err >&2; exit 3", Answer(b"out\n", b"err\n", 3)),
    "F-070": ("printf half; kill -KILL $$", Answer(b"half", b"", 137)),
    "F-080": (
        r"head -c 70000 /dev/zero | tr '\0' x; echo; yes $(printf '\303\251') | head -n 40000 | tr -d '\n'",
        Answer(LONG),
    ),
    "F-090": ("while echo y; do :; done", Answer(b"y\n" * 1000, status=None, truncated=True)),
    "F-100": ("printf begun; exec sleep 30", Answer(b"begun", status=None, timed_out=True)),
    "F-110": (r"part one printf 'first\n\nsecond\n'; part two sh -c 'exit 3'", Answer(PARTS)),
    "F-120": (_octal(MARKS), Answer(MARKS)),
}  # fmt: skip


def _fixed_checks() -> list[dict[str, Any]]:
    """Half of them never become anybody else: where the inventory says so, two scripts are needed."""
    more: dict[str, dict[str, Any]] = {"F-090": {"limit": 2000}, "F-100": {"timeout": "1s"}}
    plain = {check: {"become": False} for check in list(FIXED)[1::2]}
    return [
        {"id": check, "command": command, **plain.get(check, {}), **more.get(check, {})}
        for check, (command, _) in FIXED.items()
    ]


# --- the run ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def servers(fleet: Fleet) -> list[str]:
    """A plain server, and one whose checks run as root."""
    account = need(fleet.account, "password")
    become = {"ansible_become": True, "ansible_become_password": account.password}
    fleet.add("equal-root", ansible_user=account.name, **become)
    return ["s001", "equal-root"]


def _shape(side: Side) -> list[Any]:
    """What must be the same: all but the values of facts and the sentences, which speak of a moment."""
    cells = [(one["server"], cell) for one in side.ended.document["servers"] for cell in one["checks"]]
    return [
        (name, cell["id"], cell["subject"], cell["outcome"], cell["severity"], *_names(cell)) for name, cell in cells
    ]


def _names(cell: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    return sorted(cell["facts"]), list(cell.get("not_offered", []))


@pytest.fixture(scope="module")
def sides(fleet: Fleet, servers: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Side]:
    """The daily check, some commands, and the fixed answers. The machine goes on living meanwhile (a listener comes, a
    process goes), so what differs is asked again: what the engines make different stays different."""
    document = yaml.safe_load((shipped("checklists") / "daily-check.yml").read_text())
    document["checks"] += _checklist([*COMMANDS, *_fixed_checks()])["checks"]
    for _ in range(3):
        sides = _both(tmp_path_factory.mktemp("daily"), fleet, document, servers)
        if _shape(sides["ssh"]) == _shape(sides["ansible"]):
            break
    return sides


def test_both_engines_give_the_same_cells(sides: dict[str, Side], servers: list[str]) -> None:
    planned = [check["id"] for check in json.loads((sides["ssh"].desk.here / "checklist.yml").read_text())["checks"]]
    assert len(planned) >= 25 + len(COMMANDS)
    for side in sides.values():
        assert [list(side.ended.cells(name)) for name in servers] == [planned] * 2
    assert _shape(sides["ssh"]) == _shape(sides["ansible"])
    assert sides["ssh"].ended.code == sides["ansible"].ended.code


def test_the_daily_check_measures_a_plain_server(sides: dict[str, Side]) -> None:
    # equal results would be worth nothing if neither engine brought any
    outcomes = [
        cell["outcome"] for cell in sides["ssh"].ended.server("s001")["checks"] if cell["id"][:2] not in ("C-", "F-")
    ]
    assert sum(outcome in ("ok", "attention") for outcome in outcomes) >= 10
    assert not {"failed", "unknown", "unreachable", "not_reached"} & set(outcomes)


def test_commands_find_the_same_surroundings(sides: dict[str, Side], servers: list[str], fleet: Fleet) -> None:
    for name in servers:
        for check in ("C-010", "C-020", "C-030", "C-040", "C-060", "C-070", "C-100", "C-110", *FIXED):
            told = [side.ended.cells(name)[check] for side in sides.values()]
            assert told[0] == told[1], (name, check)
    assert sides["ssh"].ended.cell("s001", "C-010")["facts"]["text"] == fleet.user
    assert sides["ssh"].ended.cell("equal-root", "C-010")["facts"]["text"] == "root"
    assert sides["ssh"].ended.cell("equal-root", "C-020")["facts"]["text"] == fleet.account("password").name


def _scripts(desk: Desk, server: Server) -> tuple[Script, ...]:
    """The scripts that a server is asked, compiled once more: equal questions give equal scripts."""
    house = _house(desk)
    chosen = house.checklist(str(desk.here / "checklist.yml"))
    plan = plan_run("r-again", chosen, (), [server], house.catalogue, tuple(house.runners.values()), "ssh")
    return plan.servers[0].asking.scripts


def _house(desk: Desk) -> House:
    return House(desk.here, environment=desk.variables)


def _kept(side: Side, server: str) -> bytes | None:
    """The raw answer that the store holds."""
    house = _house(side.desk)
    try:
        return house.store.answer(side.ended.server(server)["record"])
    finally:
        house.close()


def _heard(side: Side, server: str) -> list[Heard]:
    kept = _kept(side, server)
    assert kept is not None
    asked = Server(server, variables=side.desk.fleet.variables(server))
    return [hear(kept, script) for script in _scripts(side.desk, asked)]


SPOKEN_BY_SH = ("F-070", "F-100")
"""Where a signal ends a command: what sh itself says of that differs from shell to shell."""


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("server", "scripts"), [("s001", 1), ("equal-root", 2)])
def test_fixed_answers_arrive_byte_for_byte(sides: dict[str, Side], engine: str, server: str, scripts: int) -> None:
    heard = _heard(sides[engine], server)
    assert len(heard) == scripts
    assert all(one.complete for one in heard)
    answers = {check: replace(answer, seconds=0.0) for one in heard for check, answer in one.answers.items()}
    for check in SPOKEN_BY_SH:
        answers[check] = replace(answers[check], stderr=b"")
    assert {check: answers[check] for check in FIXED} == {check: answer for check, (_, answer) in FIXED.items()}


# --- recorded streams -------------------------------------------------------------------------------------------------

# Whatever it is asked to run, this server says the same, in the way in which it is asked to say it.
_SAYS = f"""case $SSH_ORIGINAL_COMMAND in
*{BEGIN}*) echo '{BEGIN} base64'; base64 FILE; echo '{END} 0' ;;
*) cat FILE ;;
esac"""

SPOKEN = [
    {"id": "R-010", "command": "echo one", "limit": 1024},
    {"id": "R-020", "command": "printf 'two\\377\\000'; echo mumble >&2", "limit": 1024},
    {"id": "R-030", "command": "echo three", "limit": 1024},
]


def _streams(whole: bytes, digest: bytes) -> dict[str, bytes]:
    two = whole.index(b"two")
    return {
        "whole": whole,
        "with-a-banner": b"Welcome!\r\n\x00\xff \x1b]0;you\x07\n" + whole + b"and good bye\n",
        "cut-in-an-answer": whole[: two + 2],
        "cut-in-a-mark": whole[: whole.index(b" e 1 ") + 1],
        "of-another-script": whole.replace(digest, digest[::-1]),
        "noise": bytes(range(256)) * 20,
        "too-long": whole[: two + 2] + b"o" * 200_000,
    }


OUTCOMES = {
    "whole": ["ok", "ok", "ok"],
    "with-a-banner": ["ok", "ok", "ok"],
    "cut-in-an-answer": ["ok", "unknown", "unknown"],
    "cut-in-a-mark": ["ok", "unknown", "unknown"],
    "of-another-script": ["unknown", "unknown", "unknown"],
    "noise": ["unknown", "unknown", "unknown"],
    "too-long": ["ok", "failed", "failed"],
}


@dataclass(frozen=True)
class Recorded:
    """Both engines' runs on servers that say recorded streams; `streams` are those, `limit` the most that is taken."""

    sides: dict[str, Side]
    streams: dict[str, bytes]
    limit: int


@pytest.fixture(scope="module")
def recorded(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder = tmp_path_factory.mktemp("recorded")
    document = _checklist(SPOKEN)
    desk = Desk(folder / "recording", fleet)
    desk.checklist(json.dumps(document))
    (script,) = _scripts(desk, Server("s001", variables=fleet.variables("s001")))
    whole = subprocess.run(["/bin/sh", "-c", script.text], capture_output=True, check=True).stdout
    streams = _streams(whole, script.digest.encode())
    for name, stream in streams.items():
        file = fleet.folder / f"recorded-{name}"
        file.write_bytes(stream)
        fleet.forced(name, _SAYS.replace("FILE", str(file)))
    return Recorded(_both(folder, fleet, document, list(streams)), streams, script.limit)


@pytest.mark.parametrize("name", OUTCOMES)
def test_a_recorded_stream_arrives_as_it_is_and_is_read_alike(recorded: Recorded, name: str) -> None:
    for side in recorded.sides.values():
        assert _kept(side, name) == recorded.streams[name][: recorded.limit]
        assert list(side.ended.outcomes(name).values()) == OUTCOMES[name]
    cells = [side.ended.server(name)["checks"] for side in recorded.sides.values()]
    assert cells[0] == cells[1]


def test_a_stream_that_ends_too_soon_says_where(recorded: Recorded) -> None:
    for side in recorded.sides.values():
        said = [side.ended.cell("cut-in-an-answer", check)["message"] for check in ("R-020", "R-030")]
        assert said == ["the answer ended in the middle of this check", "the answer ended before this check's turn"]
