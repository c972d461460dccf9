"""The wheel and a stranger's wheel beside it, in an environment that has never seen this repository."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from maintops import Answer, Probe
from maintops.probes.conformance import declaration_complaints, question_complaints, reading_complaints
from tests.lab.fleet import Fleet
from tests.lab.running import Desk, Ended, Running

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "tests/plugin"

pytestmark = [pytest.mark.fleet, pytest.mark.xdist_group("plugin")]

CHECKLIST = """\
checklist: strange
title: With a stranger's probe and parser
service: inspection
cadence: {every: day}
checks:
  - id: ST-010
    title: There is randomness
    probe: entropy
    rules:
      - {when: bits < 1, severity: critical, finding: "only {{ bits }} bits"}
  - id: ST-020
    title: The system has a name
    command: printf 'NAME=Exemplar\\nVERSION = 7\\n'
    parse: key-value
    rules:
      - {when: NAME == "Exemplar", severity: warning, finding: "{{ NAME }} {{ VERSION }}"}
"""


@dataclass(frozen=True)
class Environment:
    """A virtual environment with maintops and the example plug-in from their wheels, and those wheels."""

    folder: Path
    wheels: Path

    def content(self, name: str) -> set[str]:
        """The files in a wheel."""
        (file,) = self.wheels.glob(f"{name}-*.whl")
        with zipfile.ZipFile(file) as archive:
            return set(archive.namelist())


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    one = Environment(tmp_path_factory.mktemp("fresh"), tmp_path_factory.mktemp("wheels"))
    for source in (ROOT, PLUGIN):
        _python("-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", str(one.wheels), str(source))
    _python("-m", "venv", "--without-pip", str(one.folder))
    fresh = str(one.folder / "bin/python")
    wheels = map(str, one.wheels.glob("*.whl"))
    _python("-m", "pip", "--python", fresh, "install", "--no-deps", "--no-index", *wheels)
    # what they depend on is at hand already: a .pth file lends it, without the editable maintops that lies there
    (packages,) = one.folder.glob("lib/python*/site-packages")
    (packages / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return one


def _python(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=ROOT.anchor, timeout=250
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def fresh(environment: Environment, tmp_path: Path, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk in an empty folder, whose `maintops` is the fresh environment's."""
    monkeypatch.setattr(sys, "executable", str(environment.folder / "bin/python"))
    programs = sysconfig.get_path("scripts")
    return Desk(tmp_path / "desk", fleet, {"PATH": f"{environment.folder}/bin:{programs}:/usr/bin:/bin"})


def _maintops(desk: Desk, *arguments: str) -> Ended:
    return Running(desk, *arguments).wait()


def test_maintops_comes_from_the_wheel(environment: Environment, tmp_path: Path) -> None:
    told = subprocess.run(
        [environment.folder / "bin/python", "-c", "import maintops.wiring; print(maintops.wiring.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert Path(told.strip()).is_relative_to(environment.folder)


def test_the_wheel_holds_all_that_is_not_python(environment: Environment) -> None:
    content = environment.content("maintops")
    own = {str(one.relative_to(ROOT)) for one in (ROOT / "maintops").rglob("*") if one.is_file()}
    assert {one for one in own if "__pycache__" not in one} <= content
    assert "maintops/script/prelude.sh" in content
    assert any(one.startswith("maintops/store/migrations/") for one in content)
    assert any(one.startswith("maintops/reports/templates/") for one in content)
    shipped = {f"maintops/content/checklists/{one.name}" for one in (ROOT / "checklists").glob("*.yml")}
    assert shipped
    assert shipped <= content
    assert not [one for one in content if one.startswith("tests/")]


def test_the_daily_check_is_found_from_the_wheel(fresh: Desk, environment: Environment) -> None:
    shown = _maintops(fresh, "checklist", "show", "daily-check", "--format", "json")
    assert shown.code == 0, shown.stderr
    assert Path(shown.document["file"]).is_relative_to(environment.folder)
    linted = _maintops(fresh, "lint")
    assert (linted.code, linted.stdout) == (0, "")


def test_a_strangers_probe_and_parser_are_used_in_a_checklist(fresh: Desk) -> None:
    checklist = fresh.checklist(CHECKLIST)
    linted = _maintops(fresh, "lint", checklist)
    assert (linted.code, linted.stderr) == (0, "no mistakes\n"), linted.stdout
    ended = _maintops(fresh, "run", checklist, "-i", fresh.inventory("s001"), "--format", "json")
    assert ended.code == 0, ended.stderr
    assert ended.cell("s001", "ST-010")["facts"]["bits"] > 0
    named = ended.cell("s001", "ST-020")
    assert (named["outcome"], named["message"]) == ("attention", "Exemplar 7")
    assert _maintops(fresh, "report", "-o", "report.html").code == 0
    assert "Exemplar 7" in (fresh.here / "report.html").read_text()


def test_lint_knows_the_facts_of_a_strangers_probe(fresh: Desk) -> None:
    ended = _maintops(fresh, "lint", fresh.checklist(CHECKLIST.replace("bits < 1", "bytes < 1")))
    assert ended.code == 64
    assert "bytes" in ended.stdout


def test_without_the_plug_in_its_probe_is_a_mistake(desk: Desk) -> None:
    ended = Running(desk, "lint", desk.checklist(CHECKLIST)).wait()
    assert ended.code == 64
    assert "entropy" in ended.stdout
    assert "key-value" in ended.stdout


def test_the_example_keeps_the_contract_and_is_about_thirty_lines() -> None:
    file = PLUGIN / "maintops_entropy.py"
    spec = importlib.util.spec_from_file_location("maintops_entropy", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    probe: Probe = module.PROBE
    assert [*declaration_complaints(probe), *question_complaints(probe)] == []
    for answer in (Answer(b"256\n"), Answer(b""), Answer(b"\xff\0"), Answer(b"", b"no", 1), Answer(status=None)):
        assert reading_complaints(probe, answer) == []
    assert len(file.read_text().splitlines()) <= 40
