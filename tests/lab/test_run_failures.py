"""When things go wrong on servers: whole runs through the command line, each with both engines.

Whatever happens, the result is planned servers times checks with every cell filled, the exit code says what kind of
trouble there was, and a good server beside a bad one is not touched by it.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from maintops.wiring import shipped
from tests.lab.fixtures import need
from tests.lab.fleet import Fleet
from tests.lab.running import (
    ALARM,
    RIGHT,
    WHO,
    Desk,
    Ended,
    assert_every_cell_is_filled,
    board,
    checklist_of,
    engine,
    place,
    run_maintops,
    run_with,
)

__all__ = ["board", "engine", "place"]

pytestmark = pytest.mark.fleet

HASTY = {"MAINTOPS_CONNECT_TIMEOUT": "4", "MAINTOPS_CONNECT_RETRIES": "1"}


# --- servers that cannot be asked -------------------------------------------------------------------------------------

WHO_CHECKS = ["W-010", "W-020", "W-030"]
BAD = ("refused", "silent", "wrong-user", "sudo-wrong", "changed", "unknown")
GOOD = ("s001", "s002", "sudo-free", "sudo-right")
WRONG = "Wrong-Canary-4711"


@dataclass(frozen=True)
class Troubled:
    """A run on good and bad servers, and what sudo wrote to its log meanwhile."""

    ended: Ended
    sudo_log: str
    known_hosts: tuple[bytes, bytes]  # before, after


@pytest.fixture(scope="module")
def crowd(fleet: Fleet) -> Fleet:
    """The fleet, with a bad server of every kind."""
    fleet.refused("refused")
    fleet.silent("silent")
    fleet.changed("changed")
    fleet.unknown("unknown")
    fleet.add("wrong-user", ansible_user="nosuchuser")
    knowing, free = need(fleet.account, "password"), need(fleet.account, "nopasswd")
    become = {"ansible_become": True, "ansible_user": knowing.name}
    fleet.add("sudo-wrong", **become, ansible_become_password=WRONG)
    fleet.add("sudo-right", **become, ansible_become_password=knowing.password)
    fleet.add("sudo-free", ansible_become=True, ansible_user=free.name)
    return fleet


def _unadvised(fleet: Fleet, *names: str) -> dict[str, dict[str, Any]]:
    """The variables of servers whose inventory says nothing of host keys: what is done is what the settings say."""
    return {name: {**fleet.variables(name), "ansible_ssh_common_args": ""} for name in names}


@pytest.fixture(scope="module")
def troubled(crowd: Fleet, engine: str, place: Path) -> Troubled:
    desk = Desk(place / "troubled", crowd, HASTY)
    crowd.sudo_log.unlink(missing_ok=True)
    before = crowd.known_hosts.read_bytes()
    inventory = desk.inventory(*GOOD, *BAD[:4], **_unadvised(crowd, *BAD[4:]))
    ended = run_with(desk, engine, checklist_of(desk, WHO, RIGHT, ALARM), inventory)
    log = crowd.sudo_log.read_text() if crowd.sudo_log.exists() else ""
    return Troubled(ended, " ".join(log.split()), (before, crowd.known_hosts.read_bytes()))


def test_every_server_is_accounted_for(troubled: Troubled) -> None:
    assert_every_cell_is_filled(troubled.ended, [*GOOD, *BAD], WHO_CHECKS)
    assert troubled.ended.state == "finished"
    assert troubled.ended.code == 4
    for name in (*GOOD, *BAD):
        assert re.search(rf"^\[\d+/10\] {name}: ", troubled.ended.stderr, re.MULTILINE)


def test_a_good_server_beside_bad_ones_is_not_touched(troubled: Troubled, crowd: Fleet) -> None:
    for name in GOOD:
        assert set(troubled.ended.outcomes(name).values()) == {"ok"}
    assert troubled.ended.cell("s001", "W-020")["facts"]["text"] == crowd.user


SAYS = {
    "refused": r"refuse[sd]",
    "silent": r"does not answer within 4 seconds|timed out",
    "changed": r"host key (has changed|of .* is not the one in .*/known_hosts)",
    "unknown": r"host key (is not known|of .* is not in .*/known_hosts)",
    "wrong-user": r"Permission denied|does not let nosuchuser in",
}


@pytest.mark.parametrize("name", SAYS)
def test_a_server_that_cannot_be_asked_says_why(troubled: Troubled, name: str) -> None:
    cells = [troubled.ended.cell(name, check) for check in WHO_CHECKS]
    assert {cell["outcome"] for cell in cells} == {"unreachable"}
    for cell in cells:
        assert re.search(SAYS[name], cell["message"]), cell
    assert troubled.ended.server(name)["notes"] == [cells[0]["message"]]


def test_a_wrong_sudo_password_is_tried_once_and_spoils_only_what_needs_it(troubled: Troubled, crowd: Fleet) -> None:
    assert troubled.ended.outcomes("sudo-wrong") == {"W-010": "ok", "W-020": "unreachable", "W-030": "ok"}
    assert "become refused" in troubled.ended.cell("sudo-wrong", "W-020")["message"]
    assert "password" in troubled.ended.cell("sudo-wrong", "W-020")["message"]
    assert troubled.sudo_log.count("incorrect password attempt") == 1
    assert "1 incorrect password attempt" in troubled.sudo_log
    assert WRONG not in troubled.sudo_log + troubled.ended.stdout + troubled.ended.stderr


@pytest.mark.parametrize("name", ["sudo-free", "sudo-right"])
def test_sudo_brings_roots_facts_to_the_checks_that_want_them(troubled: Troubled, crowd: Fleet, name: str) -> None:
    assert troubled.ended.cell(name, "W-010")["facts"]["text"] == crowd.variables(name)["ansible_user"]
    assert troubled.ended.cell(name, "W-020")["facts"]["text"] == "root"


def test_strict_verification_learns_no_key(troubled: Troubled) -> None:
    assert troubled.known_hosts[0] == troubled.known_hosts[1]


def test_one_machine_under_two_names_is_noted(troubled: Troubled) -> None:
    answered = [one for one in troubled.ended.document["servers"] if one["machine"]]
    assert {one["machine"] for one in answered} == {troubled.ended.server("s001")["machine"]}
    notes = [note for one in answered for note in one["notes"] if "one machine" in note]
    assert len(answered) == 5
    assert len(notes) == 4, "every name but the first that answered"
    assert len({note.split(" and ")[1] for note in notes}) == 1


# --- host keys --------------------------------------------------------------------------------------------------------


def _with_alarm(fleet: Fleet, desk: Desk, *names: str) -> str:
    """An inventory of these servers, and of a good one that has a finding."""
    return desk.inventory(**_unadvised(fleet, *names), alarmed={**fleet.variables("s001"), "maintops_alarm": True})


def _with_policy(crowd: Fleet, place: Path, policy: str, name: str = "") -> tuple[Desk, Path]:
    desk = Desk(place / (name or policy), crowd, {"MAINTOPS_HOST_KEYS": policy, "MAINTOPS_KNOWN_HOSTS": "known_hosts"})
    shutil.copy(crowd.known_hosts, desk.here / "known_hosts")
    return desk, desk.here / "known_hosts"


def test_accept_new_believes_the_first_key_and_no_other(crowd: Fleet, engine: str, place: Path) -> None:
    desk, known_hosts = _with_policy(crowd, place, "accept-new")
    before = known_hosts.read_text()
    ended = run_with(desk, engine, checklist_of(desk, WHO, ALARM), _with_alarm(crowd, desk, "unknown", "changed"))
    assert_every_cell_is_filled(ended, ["unknown", "changed", "alarmed"], ["W-010", "W-030"])
    assert set(ended.outcomes("unknown").values()) == {"ok"}
    assert set(ended.outcomes("changed").values()) == {"unreachable"}
    learnt = known_hosts.read_text().removeprefix(before)
    assert crowd.main.host_key in learnt
    assert learnt.count("\n") == 1
    # a finding and a server that cannot be reached
    assert ended.cell("alarmed", "W-030")["message"] == "fire on the roof"
    assert ended.code == 6


def test_an_inventory_that_asks_for_more_care_gets_it(crowd: Fleet, engine: str, place: Path) -> None:
    desk, known_hosts = _with_policy(crowd, place, "accept-new", "more-care")
    before = known_hosts.read_bytes()
    # the fleet's own variables say StrictHostKeyChecking=yes
    ended = run_with(desk, engine, checklist_of(desk, WHO), desk.inventory("unknown"))
    assert ended.outcomes("unknown") == {"W-010": "unreachable"}
    assert known_hosts.read_bytes() == before


def test_off_verifies_nothing_and_learns_nothing(crowd: Fleet, engine: str, place: Path) -> None:
    desk, known_hosts = _with_policy(crowd, place, "off")
    before = known_hosts.read_bytes()
    ended = run_with(
        desk, engine, checklist_of(desk, WHO, ALARM), _with_alarm(crowd, desk, "unknown", "changed"), "-l", "!alarmed"
    )
    assert_every_cell_is_filled(ended, ["unknown", "changed"], ["W-010", "W-030"])
    for name in ("unknown", "changed"):
        assert set(ended.outcomes(name).values()) == {"ok"}
    assert known_hosts.read_bytes() == before
    assert ended.code == 0


# --- answers that are not as they should be ---------------------------------------------------------------------------

BOUND = 300 * 1024 * 1024
"""Bytes of memory that no process of a run may exceed, however much a server says."""

ODD_BYTES = (
    b"\xff\xfe\x00\x1b[31mred\x1b[0m \x1b]8;;http://x.invalid\x07link \xe2\x80\xae\x9b31m <script>alert(1)</script>\r"
)
ODD_TEXT = ODD_BYTES.replace(b"\0", b"").decode("utf-8", "replace")
_OCTAL = "".join(f"\\{byte:03o}" for byte in ODD_BYTES)
_FORGED = [
    "h 3 0 - - 0.0 guess root",
    "b 0 99 0.0 H-000",
    "s 0",
    "e 0 0.0 0",
    "b 1 99 0.0 H-010",
    "s 0",
    "e 1 0.0 0",
    "z 25",
]
_FORGE = rf"""
d=$(sed -n 's/.*begin \([0-9a-f]\{{16\}}\).*/\1/p' "/proc/$PPID/cmdline" | head -n 1)
for k in "#$d" "#$d-guess"; do
  printf "\n$k %s" {shlex.join(_FORGED)}
done
printf '\n forged\n!forged\n#maintops-end 0\nBECOME-SUCCESS-abcdefghijklmnopqrstuvwxyz\n=part\n.0\n'
"""


def _hard_checks(canary: Path) -> list[dict[str, Any]]:
    """25 checks, of which 19 are as quiet as any."""
    poison = _poison(canary)
    told = json.dumps([{"name": f"{poison}{number}", "error": poison} for number in (1, 2)])
    finding = {"when": "true", "severity": "warning", "finding": "{{ name }} says {{ error }}"}
    followup = {**finding, "follow_up": {"title": "{{ name }}"}}
    return [
        {"id": "H-000", "command": "echo first"},
        {"id": "H-010", "command": "sleep 600", "timeout": "2s"},
        {"id": "H-020", "command": "yes 'ten gigabytes that say nothing at all' | head -c 10000000000"},
        {"id": "H-030", "command": f"printf '{_OCTAL}'"},
        {
            "id": "H-040",
            "command": f"cat <<'END'\n{told}\nEND",
            "parse": "json",
            "subject": "name",
            "rules": [followup],
        },
        {"id": "H-050", "command": _FORGE, "parse": "lines"},
        *({"id": f"H-1{number:02}", "command": f"echo quiet {number}"} for number in range(19)),
    ]


def _poison(canary: Path) -> str:
    templated = f"{{{{ lookup('pipe', 'touch {canary}') }}}} {{{{ 7 * 7 }}}} {{% raw %}} ${{#x}}"
    return f"{templated} $(touch {canary}) `touch {canary}` ; touch {canary} & '\" !unsafe"


@dataclass(frozen=True)
class Hard:
    """A run on a server with hard answers; `reports` are those made of it afterwards, by format."""

    ended: Ended
    canary: Path
    reports: dict[str, str]


@pytest.fixture(scope="module")
def hard(fleet: Fleet, engine: str, place: Path, board: Path) -> Hard:
    desk = Desk(place / "hard", fleet)
    canary = board / f"canary-{engine}"
    ended = run_with(desk, engine, checklist_of(desk, *_hard_checks(canary)), desk.inventory("s001"))
    made = {kind: run_maintops(desk, "report", "last", "--format", kind) for kind in ("text", "html", "junit")}
    assert [one.code for one in made.values()] == [0, 0, 0], made
    return Hard(ended, canary, {kind: one.stdout for kind, one in made.items()})


def test_a_hung_check_fails_at_its_timeout_and_the_others_are_kept(hard: Hard) -> None:
    assert hard.ended.cell("s001", "H-010")["outcome"] == "failed"
    assert "no answer within its 2.0 s" in hard.ended.cell("s001", "H-010")["message"]
    texts = {
        check: hard.ended.cell("s001", check)["facts"].get("text")
        for check in hard.ended.cells("s001")
        if "H-1" in check
    }
    assert texts == {f"H-1{number:02}": f"quiet {number}" for number in range(19)}
    assert len(hard.ended.cells("s001")) == 25
    assert hard.ended.code == 2


def test_ten_gigabytes_are_cut_on_the_server_and_fill_nobodys_memory(hard: Hard) -> None:
    cell = hard.ended.cell("s001", "H-020")
    assert cell["outcome"] == "failed"
    assert "truncated: more than 1048576 bytes" in cell["message"]
    assert 0 < hard.ended.peak < BOUND


def test_bytes_that_are_no_text_are_told_as_they_are_and_shown_harmless(hard: Hard) -> None:
    assert hard.ended.cell("s001", "H-030")["facts"]["text"] == ODD_TEXT
    assert hard.ended.stdout.isascii()
    for said in (hard.ended.stdout, hard.ended.stderr, *hard.reports.values()):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]", said)
    assert "<script>alert" not in hard.reports["html"]
    ElementTree.fromstring(hard.reports["junit"])  # noqa: S314  our own report


def test_what_servers_say_is_never_run_nor_rendered(hard: Hard) -> None:
    poison = _poison(hard.canary)
    cells = hard.ended.cells("s001")["H-040"]
    assert [cell["subject"] for cell in cells] == [f"{poison}1", f"{poison}2"]
    for cell in cells:
        assert cell["outcome"] == "attention"
        assert cell["facts"]["error"] == poison
        assert cell["message"] == f"{cell['subject']} says {poison}"
    assert not hard.canary.exists()


def test_a_mark_inside_an_answer_is_part_of_the_answer(hard: Hard) -> None:
    lines = hard.ended.cell("s001", "H-050")["facts"]["lines"]
    key = lines[1].partition(" ")[0]
    assert re.fullmatch("#[0-9a-f]{16}", key), "the digest is no secret to the server"
    assert lines[1:9] == [f"{key} {mark}" for mark in _FORGED]
    assert lines[9:17] == [f"{key}-guess {mark}" for mark in _FORGED]
    assert lines[17:21] == [" forged", "!forged", "#maintops-end 0", "BECOME-SUCCESS-abcdefghijklmnopqrstuvwxyz"]
    assert lines[21:] == ["=part", ".0"]
    assert hard.ended.cell("s001", "H-000")["facts"]["text"] == "first"


def test_a_server_without_python_bash_and_timeout_answers_as_any_other(fleet: Fleet, engine: str, place: Path) -> None:
    name = f"bare-of-all-{engine}"
    need(fleet.bare, name)
    tools = {"id": "B-010", "command": "for p in python3 bash timeout grep; do command -v $p; done; echo none of them"}
    endless = {"id": "B-020", "command": "while echo 'a line that says nothing, over and over again'; do :; done"}
    odd = {"id": "B-030", "command": f"printf '{_OCTAL}'"}
    desk = Desk(place / "bare", fleet)
    daily = yaml.safe_load((shipped("checklists") / "daily-check.yml").read_text())
    written = json.loads((desk.here / checklist_of(desk, tools, endless, odd)).read_text())
    checklist = desk.checklist(json.dumps(daily | {"checks": written["checks"] + daily["checks"]}))
    ended = run_with(desk, engine, checklist, desk.inventory(name))
    outcomes = ended.outcomes(name)
    assert [outcomes.pop(check) for check in ("B-010", "B-020", "B-030")] == ["ok", "failed", "ok"]
    assert ended.cell(name, "B-010")["facts"]["text"] == "none of them"
    assert ended.cell(name, "B-030")["facts"]["text"] == ODD_TEXT
    assert list(outcomes) == [check["id"] for check in daily["checks"]]
    assert set(outcomes.values()) == {"not_measured", "skipped"}, "a tool that is not there is nobody's failure"
    assert 0 < ended.peak < BOUND


def test_a_server_that_never_stops_talking_fills_nobodys_memory(fleet: Fleet, tmp_path: Path) -> None:
    # the ansible engine has no hand on what a server says past the script's own limits: Ansible reads all of it
    fleet.flooding("flooding-all")
    desk = Desk(tmp_path / "desk", fleet)
    ended = run_with(desk, "ssh", checklist_of(desk, WHO, ALARM), desk.inventory("flooding-all", "s001"))
    assert set(ended.outcomes("flooding-all").values()) == {"failed"}
    assert "longer than the" in ended.cell("flooding-all", "W-010")["message"]
    assert set(ended.outcomes("s001").values()) == {"ok"}
    assert (ended.code, 0 < ended.peak < BOUND) == (2, True)
