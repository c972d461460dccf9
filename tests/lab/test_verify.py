"""What must hold, held against real servers: `maintops verify`, and tests of one's own against a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from maintops.domain.runs import Owner, RunPlanned
from maintops.domain.servers import Server
from maintops.errors import ConfigurationError
from maintops.runners.verifying import TestinfraVerifier, Ways
from maintops.store.journals import event_text
from tests.lab.containers import Containers
from tests.lab.fleet import Fleet
from tests.lab.running import WHO, Desk, Ended, Running, begun, checklist_of, run_maintops

pytestmark = [pytest.mark.fleet, pytest.mark.xdist_group("verify")]

CHECK = "VFY-010"
HOLDS = """\
def test_there_is_a_root(host):
    assert host.file("/").is_directory


def test_who_it_is(host):
    assert host.run("id -un").stdout.strip() == {user!r}
"""
START = datetime(2026, 3, 1, 7, 30, tzinfo=UTC)
SECRET = "token-of-the-build-server"


@pytest.fixture
def desk(tmp_path: Path, fleet: Fleet) -> Iterator[Desk]:
    """A desk with a folder for tests; nothing may be left in its temporary folder."""
    made = Desk(tmp_path / "desk", fleet, {"CI_TOKEN": SECRET, "PYTHONPATH": "/nowhere"})
    (made.here / "holds").mkdir()
    yield made
    assert list(made.temporary.iterdir()) == []


def write(desk: Desk, text: str, name: str = "test_it.py") -> str:
    """Writes a test file; returns its path as it may be given to `verify`."""
    (desk.here / "holds" / name).write_text(text)
    return f"holds/{name}"


def begin(desk: Desk, *names: str, **more: Mapping[str, Any]) -> str:
    """A run over these servers; returns its inventory. What comes of the run is no matter here."""
    inventory = desk.inventory(*names, **more)
    ended = run_maintops(desk, "run", checklist_of(desk, WHO), "-i", inventory, "--format", "json")
    assert ended.state == "finished", ended.stderr
    return inventory


def verify(desk: Desk, inventory: str, *more: str) -> Ended:
    return run_maintops(desk, "verify", "last", *more, "-i", inventory, "--format", "json")


def outcomes(ended: Ended, server: str) -> dict[str | None, str]:
    """Test -> outcome."""
    return {cell["subject"]: cell["outcome"] for cell in ended.cells(server)[CHECK]}


def findings(desk: Desk) -> list[dict[str, Any]]:
    return list(run_maintops(desk, "finding", "list", "--format", "json").document)


NAMED = """\
def test_it_is_not_the_second(host):
    assert host.backend.get_hostname() != {other!r}, "this is the second"
"""


def test_what_holds_becomes_a_further_part_of_every_record(desk: Desk, fleet: Fleet) -> None:
    inventory = begin(desk, "s001", "s002")
    ended = verify(desk, inventory, write(desk, HOLDS.format(user=fleet.user)))
    assert ended.code == 0, ended.stderr
    for server in ("s001", "s002"):
        assert outcomes(ended, server) == {
            "holds/test_it.py::test_there_is_a_root": "ok",
            "holds/test_it.py::test_who_it_is": "ok",
        }
        assert ended.server(server)["record"].endswith(".2")
    whole = run_maintops(desk, "report", "last", "--format", "json")
    assert list(whole.cells("s001")) == [WHO["id"], CHECK]
    again = verify(desk, inventory, "holds/test_it.py", "--limit", "s002")
    assert [(one["server"], one["record"][-2:]) for one in again.document["servers"]] == [("s002", ".3")]


def test_each_server_is_met_at_its_own_address(desk: Desk, fleet: Fleet) -> None:
    inventory = begin(desk, "s001", "s002")
    where = {name: fleet.server(name).address for name in ("s001", "s002")}
    text = f"""\
def test_where(host):
    assert {where!r}[host.backend.get_hostname()] in host.check_output("echo $SSH_CONNECTION")
"""
    assert verify(desk, inventory, write(desk, text)).code == 0


def test_what_does_not_hold_on_one_server_is_its_finding_until_it_holds(desk: Desk) -> None:
    inventory = begin(desk, "s001", "s002")
    file = write(desk, NAMED.format(other="s002"))
    ended = verify(desk, inventory, file)
    subject = "holds/test_it.py::test_it_is_not_the_second"
    assert ended.code == 2, ended.stderr
    assert outcomes(ended, "s001") == {subject: "ok"}
    assert outcomes(ended, "s002") == {subject: "attention"}
    cell = ended.cell("s002", CHECK)
    assert (cell["severity"], "this is the second" in cell["message"]) == ("critical", True)
    assert "get_hostname()" in cell["evidence"]
    (found,) = findings(desk)
    assert (found["server"], found["check"], found["subject"], found["state"]) == ("s002", CHECK, subject, "new")
    assert verify(desk, inventory, write(desk, "def test_else(host):\n    pass\n", "test_else.py")).code == 0
    assert [one["state"] for one in findings(desk)] == ["new"], "another file's test says nothing of this one"
    write(desk, NAMED.format(other="nobody"))
    assert verify(desk, inventory, file).code == 0
    assert findings(desk) == []


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("def test_it(host):\n    assert (\n", "test_it.py:2:", "SyntaxError"),
        ("import os\n\nimport nothing_of_the_kind\n", "test_it.py:3:", "nothing_of_the_kind"),
        ("x = 1\ny = z\n", "test_it.py:2:", "NameError"),
    ],
)
def test_a_broken_test_file_is_a_mistake_with_its_place(desk: Desk, text: str, place: str, said: str) -> None:
    inventory = begin(desk, "s001")
    ended = verify(desk, inventory, write(desk, text))
    assert ended.code == 64
    assert f"holds/{place}" in ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(run_maintops(desk, "record", "list", "--format", "json").document) == 1, "nothing was kept"


def test_a_broken_file_is_told_before_the_files_of_another_folder_are_run(desk: Desk, tmp_path: Path) -> None:
    inventory = begin(desk, "s001")
    mark = tmp_path / "was-run"
    first = write(desk, f"def test_first(host):\n    open({str(mark)!r}, 'w').close()\n")
    (desk.here / "others").mkdir()
    (desk.here / "others/test_broken.py").write_text("nonsense here\n")
    ended = verify(desk, inventory, first, "others/test_broken.py")
    assert (ended.code, mark.exists()) == (64, False)
    assert "others/test_broken.py:1:" in ended.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [("x = 1\n", "there is no test in"), (None, "there is no test file"), ("import nothing_here\n", "conftest.py:1")],
)
def test_a_file_without_a_test_and_a_broken_conftest(desk: Desk, text: str | None, said: str) -> None:
    inventory = begin(desk, "s001")
    file = "holds/test_gone.py" if text is None else write(desk, text)
    if text and "nothing_here" in text:
        write(desk, text, "conftest.py")
        write(desk, "def test_it(host):\n    pass\n")
    ended = verify(desk, inventory, file)
    assert (ended.code, said in ended.stderr) == (64, True), ended.stderr


def test_servers_that_cannot_be_logged_in_to(desk: Desk, fleet: Fleet) -> None:
    for name, make in (("refusing", fleet.refused), ("forged", fleet.changed), ("stranger", fleet.unknown)):
        make(name)
    fleet.through("behind-stranger", "stranger")
    bad = ("refusing", "forged", "stranger", "behind-stranger")
    inventory = begin(desk, "s001", *bad)
    ended = verify(desk, inventory, write(desk, HOLDS.format(user=fleet.user)))
    assert ended.code == 4, ended.stderr
    assert set(outcomes(ended, "s001").values()) == {"ok"}
    said = {}
    for name in bad:
        assert outcomes(ended, name) == {None: "unreachable"}
        assert ended.server(name)["record"].endswith(".2")
        said[name] = ended.cell(name, CHECK)["message"]
    assert "Connection refused" in said["refusing"]
    assert "Host key verification failed" in said["forged"]
    assert "Host key verification failed" in said["stranger"]
    assert "Host key verification failed" in said["behind-stranger"]


def test_servers_that_ssh_alone_cannot_reach_are_not_measured(desk: Desk, fleet: Fleet) -> None:
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    password = {**fleet.variables("s001"), "ansible_become": True, "ansible_become_password": "secret"}
    inventory = desk.inventory("s001", "s002", here=here, locked=password)
    run_maintops(desk, "run", checklist_of(desk, {**WHO, "become": False}), "-i", inventory)
    gone = desk.inventory("s001", here=here, locked=password)
    ended = verify(desk, gone, write(desk, HOLDS.format(user=fleet.user)))
    assert ended.code == 0, ended.stderr
    said = {name: ended.cell(name, CHECK) for name in ("here", "locked", "s002")}
    assert {one["outcome"] for one in said.values()} == {"not_measured"}
    assert "its connection is local" in said["here"]["message"]
    assert "sudo wants a password" in said["locked"]["message"]
    assert "inventory does not name it" in said["s002"]["message"]
    assert "secret" not in ended.stdout


def test_a_test_that_is_wrong_in_itself_is_no_finding(desk: Desk) -> None:
    inventory = begin(desk, "s001")
    text = """\
import pytest


def test_wrong(host):
    raise KeyError("no such thing")


def test_left_out(host):
    pytest.skip("not here")


@pytest.mark.parametrize("number", [1, 2])
def test_numbers(number, host):
    assert number


@pytest.fixture
def bad():
    assert False


class TestClass:
    def test_fixture(self, host, bad):
        pass


@pytest.mark.xfail(reason="known")
def test_known(host):
    assert False


def test_lost(host):
    host.run("kill -9 $PPID")
    host.run("kill -9 $PPID")


def test_nobody():
    pass
"""
    ended = verify(desk, inventory, write(desk, text))
    assert ended.code == 6, ended.stderr
    told = {str(name).removeprefix("holds/test_it.py::"): what for name, what in outcomes(ended, "s001").items()}
    assert told == {
        "test_wrong": "failed",
        "test_left_out": "skipped",
        "test_numbers[1]": "ok",
        "test_numbers[2]": "ok",
        "TestClass::test_fixture": "failed",
        "test_known": "skipped",
        "test_lost": "unknown",
        "test_nobody": "ok",
    }
    assert findings(desk) == []


def test_nothing_but_what_lies_beside_the_tests_is_run(desk: Desk, tmp_path: Path) -> None:
    inventory = begin(desk, "s001")
    marks = [tmp_path / f"evil-{number}" for number in range(4)]
    evil = [f"open({str(mark)!r}, 'w').close()\n" for mark in marks]
    (desk.here / "conftest.py").write_text(evil[0])
    (desk.here / "sitecustomize.py").write_text(evil[1])
    (desk.here / "pytest.py").write_text(evil[2])
    (desk.here / "json.py").write_text(evil[3])
    (desk.here / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    write(desk, "import pytest\n\n@pytest.fixture\ndef beside():\n    return 42\n", "conftest.py")
    write(desk, "WORD = 'beside'\n", "words.py")
    file = write(
        desk, "import words\n\ndef test_it(host, beside):\n    assert (beside, words.WORD) == (42, 'beside')\n"
    )
    ended = verify(desk, inventory, file)
    assert ended.code == 0, ended.stderr
    assert [mark for mark in marks if mark.exists()] == []
    assert sorted(one.name for one in (desk.here / "holds").iterdir()) == ["conftest.py", "test_it.py", "words.py"]


def test_no_secret_of_the_environment_is_seen_by_tests(desk: Desk) -> None:
    inventory = begin(desk, "s001")
    text = "import os\n\ndef test_it(host):\n    assert False, ' '.join(sorted(os.environ))\n"
    ended = verify(desk, inventory, write(desk, text))
    assert ended.code == 2
    message = ended.cell("s001", CHECK)["message"]
    assert "PATH" in message
    for name in ("CI_TOKEN", "PYTHONPATH", "MAINTOPS"):
        assert name not in message
    database = (desk.home / "maintops.sqlite").read_bytes()
    assert SECRET.encode() not in database


def test_tests_see_the_run_and_the_record_of_their_server(desk: Desk) -> None:
    inventory = begin(desk, "s001", "s002")
    text = """\
def test_record(host, maintops_run, maintops_record, maintops_records):
    assert maintops_record.server == host.backend.get_hostname()
    assert maintops_record.run == maintops_run.id
    assert list(maintops_records) == ["s001", "s002"]
    assert maintops_record.outcome == "ok"


def test_without_host(maintops_record):
    assert maintops_record.server == "s001"
"""
    ended = verify(desk, inventory, write(desk, text))
    told = {name: list(outcomes(ended, name).values()) for name in ("s001", "s002")}
    assert told == {"s001": ["ok", "ok"], "s002": ["ok", "attention"]}


def test_become_and_a_bastion(desk: Desk, fleet: Fleet) -> None:
    if os.geteuid() != 0:
        pytest.skip("accounts of the fleet's own need root")
    able, unable = fleet.account("nopasswd"), fleet.account("password")
    fleet.add("able", ansible_user=able.name, ansible_become=True)
    fleet.add("unable", ansible_user=unable.name, ansible_become=True)
    fleet.through("behind", "s001")
    inventory = begin(desk, "able", "unable", "behind")
    text = f"def test_who(host):\n    assert host.check_output('id -un') in ('root', {fleet.user!r})\n"
    ended = verify(desk, inventory, write(desk, text))
    assert ended.code == 4, [ended.cell(name, CHECK)["message"] for name in ("able", "unable", "behind")]
    assert {name: list(outcomes(ended, name).values()) for name in ("able", "unable", "behind")} == {
        "able": ["ok"],
        "unable": ["unreachable"],
        "behind": ["ok"],
    }
    assert "sudo" in ended.cell("unable", CHECK)["message"]


def test_connections_are_shared_and_none_is_left_open(tmp_path: Path, fleet: Fleet, short: Path) -> None:
    desk = Desk(tmp_path / "desk", fleet, {"TMPDIR": str(short)})
    (desk.here / "holds").mkdir()
    inventory = begin(desk, "s001")
    text = """\
def test_many(host):
    ports = {host.check_output("echo $SSH_CONNECTION").split()[1] for _ in range(5)}
    assert len(ports) == 1
"""
    ended = verify(desk, inventory, write(desk, text))
    assert ended.code == 0, ended.stdout
    assert list(short.iterdir()) == []
    assert [one for one in commands() if str(short) in one] == []


@pytest.fixture
def short() -> Iterator[Path]:
    """A temporary folder whose name leaves room for ssh's sockets."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="v") as folder:
        yield Path(folder)


def commands() -> list[str]:
    """The command line of every process that there is."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(file.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:
            continue
    return found


def test_an_interrupted_verification_leaves_nothing_behind(desk: Desk, tmp_path: Path) -> None:
    inventory = begin(desk, "s001")
    mark = tmp_path / "begun"
    file = write(
        desk, f"import time\n\ndef test_it(host):\n    open({str(mark)!r}, 'w').close()\n    time.sleep(600)\n"
    )
    running = Running(desk, "verify", "last", file, "-i", inventory)
    begun(running, mark.exists)
    running.interrupt()
    ended = running.wait()
    assert ended.code == 130, ended.stderr
    assert [one for one in commands() if str(desk.here) in one and "pytest" in one] == []
    assert len(run_maintops(desk, "record", "list", "--format", "json").document) == 1


@pytest.mark.parametrize(
    ("body", "result"), [("import time; time.sleep(600)", "error"), ("import os; os._exit(3)", "lost")]
)
def test_a_test_that_hangs_or_takes_pytest_with_it(tmp_path: Path, fleet: Fleet, body: str, result: str) -> None:
    file = tmp_path / "test_it.py"
    file.write_text(
        f"def test_first(host):\n    pass\n\ndef test_bad(host):\n    {body}\n\ndef test_last(host):\n    pass\n"
    )
    server = Server("s001", variables=fleet.variables("s001"))
    planned = RunPlanned("r1", "c", "v", "t", "inspection", (), (), Owner("h", "m", "b", 1, 1), START)
    journal = {"events": [[*event_text(planned), 0]], "records": []}
    verifier = TestinfraVerifier(Ways(fleet.known_hosts, "strict"), lambda: START, journal, silence=3)
    (delivery,) = verifier.verify([file], [(server, False)], forks=1)
    told = [json.loads(line) for line in delivery.replies[0].stream.splitlines()]
    assert [one["test"].rpartition("::")[2] for one in told] == ["test_first", "test_bad", "test_last"]
    assert [one["result"] for one in told] == ["passed", result, "not_reached"]


def test_where_no_server_can_be_tested_the_files_are_read_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "test_it.py"
    file.write_text("def test_it(host):\n    assert host.run('true').rc == 0\n")
    planned = RunPlanned("r1", "c", "v", "t", "inspection", (), (), Owner("h", "m", "b", 1, 1), START)
    journal = {"events": [[*event_text(planned), 0]], "records": []}
    verifier = TestinfraVerifier(Ways(None, "strict"), lambda: START, journal)
    assert list(verifier.verify([file], [], forks=1)) == []
    file.write_text("nonsense here\n")
    with pytest.raises(ConfigurationError, match=r"test_it\.py:1:"):
        list(verifier.verify([file], [], forks=1))


def test_tests_of_ones_own_against_a_run(desk: Desk, fleet: Fleet) -> None:
    fleet.refused("absent")
    inventory = begin(desk, "s001", "s002", "absent", here={"ansible_connection": "local"})
    text = """\
def test_host(host, maintops_record, maintops_run):
    assert maintops_record.server == host.backend.get_hostname()
    assert maintops_record.run == maintops_run.id
    assert host.file("/").is_directory


def test_record(maintops_record):
    assert maintops_record.outcome == "ok"
"""
    file = write(desk, text)
    ended = own_pytest(desk, inventory, "--maintops-run", "last", "-v", "-rs", file)
    told = ended.stdout
    assert "test_host[ssh://s001] PASSED" in told, told + ended.stderr
    assert "test_host[ssh://s002] PASSED" in told
    assert "test_host[ssh://absent] FAILED" in told
    assert "test_host[ssh://here] SKIPPED" in told
    assert "its connection is local" in told
    assert "test_record[s001] PASSED" in told
    assert "test_record[absent] FAILED" in told
    assert ended.returncode == 1
    missing = own_pytest(desk, inventory, "--maintops-run", "nosuch", file)
    assert (missing.returncode, "nosuch" in missing.stdout + missing.stderr) == (4, True), missing.stdout
    unnamed = own_pytest(desk, inventory, "--hosts", "local://", file)
    assert "give --maintops-run" in unnamed.stdout


def own_pytest(desk: Desk, inventory: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """pytest as a build server calls it. The plug-in is named, so that it need not be installed."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "testinfra.plugin", "-p", "maintops.pytest_plugin", *arguments],
        cwd=desk.here,
        env={
            **desk.variables,
            "PYTHONPATH": "",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "MAINTOPS_INVENTORY": inventory,
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.containers
def test_a_service_of_a_booted_server(tmp_path: Path, containers: Containers) -> None:
    desk = Desk(tmp_path / "desk", containers)
    (desk.here / "holds").mkdir()
    inventory = desk.inventory("lab1", "lab2")
    checklist = checklist_of(desk, WHO)
    run_maintops(desk, "run", checklist, "-i", inventory)
    text = (
        "def test_ssh(host):\n    assert host.service('ssh').is_running\n    assert host.package('sudo').is_installed\n"
    )
    ended = verify(desk, inventory, write(desk, text))
    assert ended.code == 0, ended.stdout
    assert outcomes(ended, "lab2") == {"holds/test_it.py::test_ssh": "ok"}
