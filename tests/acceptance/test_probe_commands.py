"""Probes by themselves: listed, shown, tried on recordings, and captured on servers for later."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.lab.fleet import Fleet
from tests.lab.running import Desk, Ended, run_maintops

pytestmark = [pytest.mark.fleet, pytest.mark.xdist_group("probe-commands")]

LOADS = b" 13:01:02 up 3 days,  2:00,  1 user,  load average: 0.50, 0.25, 0.10\n"
UNITS = "bad.service loaded failed failed A \u202eweb\x08 server \x1bc\n".encode()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, fleet: Fleet) -> Desk:
    """A desk with captures of the load of three servers; one server is not there."""
    fleet.refused("pc-absent")
    desk = Desk(tmp_path_factory.mktemp("probes") / "desk", fleet, {"MAINTOPS_CONNECT_RETRIES": "0"})
    (desk.here / "captures").mkdir()
    return desk


@pytest.fixture(scope="module")
def captured(stage: Desk) -> Ended:
    inventory = stage.inventory("s001", "s002", here={"ansible_connection": "local"})
    return run_maintops(stage, "probe", "capture", "load", "-i", inventory, "-o", "captures")


def read(desk: Desk, probe: str, file: Path | str, *more: str) -> dict[str, Any]:
    ended = run_maintops(desk, "probe", "read", probe, str(file), *more, "--format", "json")
    assert (ended.code, ended.stderr) == (0, "")
    found: dict[str, Any] = ended.document
    return found


# --- what there is ----------------------------------------------------------------------------------------------------


def test_probes_are_listed_for_people_and_for_programs(stage: Desk) -> None:
    document = run_maintops(stage, "probe", "list", "--format", "json").document
    listed = {one["probe"]: one for one in document}
    assert list(listed) == sorted(listed)
    assert {"load", "smart", "failed-units"} <= set(listed)
    assert {one["asks"] for one in document} >= {"server", "ipmi", "redfish"}
    shown = run_maintops(stage, "probe", "list")
    assert (shown.code, shown.stderr) == (0, "")
    assert re.split(r"\s\s+", shown.stdout.splitlines()[0]) == ["probe", "asks", "title"]
    assert len(shown.stdout.splitlines()) >= len(listed)


def test_every_probe_is_shown(stage: Desk) -> None:
    document = run_maintops(stage, "probe", "show", "services", "--format", "json").document
    assert set(document) == {"probe", "title", "asks", "absence", "facts", "parameters", "question"}
    assert document["facts"]["running"].startswith("list: ")
    assert "systemctl" in document["question"]
    text = run_maintops(stage, "probe", "show", "services").stdout
    for words in ("probe: services\n", "\n  running: list: ", "\n  ignore: services to leave out", "part end :\n"):
        assert words in text
    nothing = run_maintops(stage, "probe", "show", "load").stdout
    assert "parameters:\n  none\n" in nothing


def test_a_probe_that_must_be_told_what_says_so(stage: Desk, tmp_path: Path) -> None:
    assert "  nothing, unless told what: no backup places" in run_maintops(stage, "probe", "show", "backup-age").stdout
    ended = run_maintops(stage, "probe", "capture", "backup-age", "-i", stage.inventory("s001"), "-o", str(tmp_path))
    assert (ended.code, ended.stdout, list(tmp_path.iterdir())) == (64, "", [])
    assert "the probe backup-age asks nothing: " in ended.stderr


def test_help_is_whole_sentences(stage: Desk) -> None:
    ended = run_maintops(stage, "probe", "--help")
    listed = [line for line in ended.stdout.splitlines() if re.match(r"  (list|show|read|capture) ", line)]
    assert len(listed) == 4
    assert not [line for line in listed if line.endswith("...")]


# --- captures ---------------------------------------------------------------------------------------------------------


def test_what_servers_answer_is_kept_for_its_owner_alone(stage: Desk, captured: Ended) -> None:
    assert (captured.code, captured.stdout) == (0, "")
    files = sorted((stage.here / "captures").glob("*.load.capture"))
    assert [one.name for one in files] == [f"{name}.load.capture" for name in ("here", "s001", "s002")]
    for file in files:
        assert file.stat().st_mode & 0o777 == 0o600
        head, _, body = file.read_bytes().partition(b"\n")
        assert file.read_bytes().startswith(b'{"maintops":"capture"')
        document = json.loads(head)
        assert (document["probe"], document["server"]) == ("load", file.name.partition(".")[0])
        assert f"{document['server']}: {len(body)} bytes in captures/{file.name}\n" in captured.stderr
    assert run_maintops(stage, "runs", "--format", "json").document == [], "no record is made"


def test_a_capture_gives_what_the_server_gave(stage: Desk, captured: Ended) -> None:
    checklist = (
        "checklist: cores\ntitle: Cores\nservice: inspection\ncadence: {every: day}\n"
        "checks: [{id: CO-010, title: Cores, probe: load}]\n"
    )
    ended = run_maintops(stage, "run", stage.checklist(checklist), "-i", stage.inventory("s001"), "--format", "json")
    (subject,) = read(stage, "load", "captures/s001.load.capture")["subjects"]
    measured = ended.cell("s001", "CO-010")["facts"]
    assert (subject["subject"], subject["state"], subject["why"]) == (None, "measured", None)
    assert set(subject["facts"]) == set(measured)
    assert subject["facts"]["cores"] == measured["cores"]


def test_a_capture_taken_twice_is_the_newer_one(stage: Desk, captured: Ended, tmp_path: Path) -> None:
    file = tmp_path / "s001.accounts.capture"
    file.write_text("older")
    file.chmod(0o644)
    inventory = stage.inventory("s001")
    ended = run_maintops(stage, "probe", "capture", "accounts", "-i", inventory, "-o", str(tmp_path))
    assert ended.code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert read(stage, "accounts", file)["state"] == "measured"
    assert len(list(tmp_path.iterdir())) == 1, "nothing else is left there"


def test_parameters_travel_with_a_capture(stage: Desk, tmp_path: Path) -> None:
    inventory = stage.inventory("s001")
    given = ["-e", 'ignore=["x*"]', "-i", inventory, "-o", str(tmp_path)]
    assert run_maintops(stage, "probe", "capture", "services", *given).code == 0
    (file,) = tmp_path.iterdir()
    assert json.loads(file.read_bytes().partition(b"\n")[0])["parameters"] == {"ignore": ["x*"]}


def test_a_server_that_gives_no_answer_is_4(stage: Desk, tmp_path: Path) -> None:
    inventory = stage.inventory("s001", "pc-absent")
    ended = run_maintops(stage, "probe", "capture", "load", "-i", inventory, "-o", str(tmp_path))
    assert (ended.code, ended.stdout) == (4, "")
    assert re.search(r"^pc-absent: no answer: .*refuses connections", ended.stderr, re.MULTILINE)
    assert [one.name for one in tmp_path.iterdir()] == ["s001.load.capture"]
    without = run_maintops(stage, "probe", "capture", "bmc-sensors", "-i", inventory, "-l", "s001")
    assert (without.code, "maintops_bmc_address" in without.stderr) == (4, True)


# --- recordings -------------------------------------------------------------------------------------------------------


def test_what_a_tool_printed_by_itself_is_read_too(stage: Desk) -> None:
    (stage.here / "uptime.txt").write_bytes(LOADS)
    (subject,) = read(stage, "load", "uptime.txt")["subjects"]
    assert {name: subject["facts"][name] for name in ("load1", "load5", "load15")} == {
        "load1": 0.5,
        "load5": 0.25,
        "load15": 0.1,
    }
    text = run_maintops(stage, "probe", "read", "load", "uptime.txt")
    assert (text.code, text.stderr) == (0, "")
    assert text.stdout.startswith("load: measured\n\n(the server)\n")
    assert "\n  load5: 0.25\n" in text.stdout


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "empty"), (b"\x00\xff\x1b[31m red", "it cannot be read: "), (b"hello\n", "it cannot be read: ")],
)
def test_a_recording_that_says_nothing_is_not_measured(stage: Desk, content: bytes, why: str) -> None:
    (stage.here / "other.txt").write_bytes(content)
    document = read(stage, "load", "other.txt")
    assert (document["state"], document["subjects"]) == ("not measured", [])
    assert why in document["why"]
    text = run_maintops(stage, "probe", "read", "load", "other.txt")
    assert text.code == 0
    assert text.stdout.startswith("load: not measured: ")
    assert "\x1b" not in text.stdout


def test_what_could_act_on_a_terminal_is_made_visible(stage: Desk) -> None:
    (stage.here / "units.txt").write_bytes(UNITS)
    (subject,) = read(stage, "failed-units", "units.txt")["subjects"]
    assert subject["facts"]["description"] == "A \u202eweb\x08 server \x1bc"
    shown = run_maintops(stage, "probe", "read", "failed-units", "units.txt").stdout
    assert "description: A \\u202eweb\\x08 server \\x1bc\n" in shown


# --- mistakes ---------------------------------------------------------------------------------------------------------


def _broken(captured: Path, old: bytes, new: bytes) -> bytes:
    content = captured.read_bytes()
    assert old in content
    return content.replace(old, new, 1)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b'"version":1', b'"version":2', "this capture has the format 2; this maintops reads 1"),
        (b'"probe":"load",', b"", "it has no 'probe'"),
        (b'"status":0', b'"status":"well"', "a status is a whole number or null, not 'well'"),
        (b'"at":"', b'"at":"x', "isoformat"),
        (b'"parameters":{}', b'"parameters":[1]', "first line cannot be understood"),
        (b'"parameters":{}', b'"parameters":{"x":1}', "the probe load has no parameter 'x'; it has none"),
        (b'"seconds":', b'"seconds":{},"s":', "first line cannot be understood"),
        (b'"server":', b'"server":[[[', "first line cannot be understood"),
    ],
)
def test_a_broken_capture_says_what_is_wrong(stage: Desk, captured: Ended, old: bytes, new: bytes, why: str) -> None:
    (stage.here / "broken.capture").write_bytes(_broken(stage.here / "captures/s001.load.capture", old, new))
    ended = run_maintops(stage, "probe", "read", "load", "broken.capture")
    assert (ended.code, ended.stdout) == (64, "")
    assert why in ended.stderr
    if b'"x"' not in new:
        assert ended.stderr.startswith("maintops: broken.capture: ")
    assert len(ended.stderr.splitlines()) == 1


def test_half_an_answer_is_not_measured(stage: Desk, captured: Ended) -> None:
    for flag in (b'"truncated":', b'"timed_out":'):
        content = _broken(stage.here / "captures/s001.load.capture", flag + b"false", flag + b"true")
        (stage.here / "half.capture").write_bytes(content)
        document = read(stage, "load", "half.capture")
        assert document["state"] == "not measured"
        assert "the answer was cut at its" in document["why"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("show nosuch", "there is no probe 'nosuch'"),
        ("show laod", "did you mean load?"),
        ("read laod captures/s001.load.capture", "there is no probe 'laod'"),
        ("capture laod -i INVENTORY", "there is no probe 'laod'"),
        ("read load nosuch.txt", "nosuch.txt cannot be read: No such file or directory"),
        ("read load captures", "captures cannot be read: Is a directory"),
        ("read swap captures/s001.load.capture", "is a capture of the probe load, not of swap"),
        ("read load captures/s001.load.capture -e x=1", "the probe load has no parameter 'x'; it has none"),
        ("read load captures/s001.load.capture -e ignore", "-e ignore: write NAME=VALUE"),
        ("capture services -i INVENTORY -e ignor=[]", "has no parameter 'ignor'; it has ignore"),
        ("capture services -i INVENTORY -e ignore=5", "its parameter ignore must be a list, not a whole number"),
        ("capture services -i INVENTORY -e ignore=all", "its parameter ignore must be a list, not text"),
        ("capture load -i INVENTORY -o nowhere", "there is no folder nowhere"),
        ("capture load -i INVENTORY -l nosuch", "the limit names no server"),
        ("capture load -i nosuch.yml", "nosuch.yml"),
        ("capture load", "no inventory: give one with -i"),
        ("read load", "Missing argument"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_asked(stage: Desk, captured: Ended, line: str, why: str) -> None:
    words = line.replace("INVENTORY", stage.inventory("s001")).split()
    ended = run_maintops(stage, "probe", *words)
    assert (ended.code, ended.stdout) == (64, ""), ended.stderr
    assert why in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(stage.here.glob("*.services.capture"))
