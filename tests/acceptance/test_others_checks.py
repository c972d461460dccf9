"""What others have written already runs as checks: plugins, goss files, scanners' results, maintenance roles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.lab.fixtures import absent
from tests.lab.fleet import Fleet
from tests.lab.running import Desk, Ended, board, checklist_of, run_maintops

__all__ = ["board"]

pytestmark = [pytest.mark.fleet, pytest.mark.xdist_group("others-checks")]

PLUGINS = Path("/usr/lib/nagios/plugins")


def run(desk: Desk, inventory: str, *checks: dict[str, Any], fail_on: str = "warning") -> Ended:
    checklist = checklist_of(desk, *checks)
    return run_maintops(desk, "run", checklist, "-i", inventory, "--format", "json", "--fail-on", fail_on)


# --- Nagios plugins ---------------------------------------------------------------------------------------------------


@pytest.fixture
def plugins() -> Path:
    if not (PLUGINS / "check_disk").exists():
        absent("the Debian package monitoring-plugins-basic is not installed")
    return PLUGINS


def test_a_real_plugin_is_a_check(desk: Desk, plugins: Path) -> None:
    lines = {
        "NA-010": f"{plugins}/check_disk -w 1% -c 0% -p /",
        "NA-020": f"{plugins}/check_disk -w 101% -c 0% -p /",
        "NA-030": f"{plugins}/check_disk -w 101% -c 101% -p /",
        "NA-040": f"{plugins}/check_users -w 100 -c 200",
        "NA-050": f"{plugins}/check_disk -w 1% -p /no/such/place",
        "NA-060": f"{plugins}/check_nosuch",
    }
    checks = [{"id": id, "command": line, "parse": "nagios"} for id, line in lines.items()]
    ended = run(desk, desk.inventory("s001"), *checks)
    assert ended.code == 2
    seen = {id: (cell["outcome"], cell["severity"]) for id, (cell,) in ended.cells("s001").items()}
    assert seen == {
        "NA-010": ("ok", None),
        "NA-020": ("attention", "warning"),
        "NA-030": ("attention", "critical"),
        "NA-040": ("ok", None),
        "NA-050": ("attention", "critical"),
        "NA-060": ("not_measured", None),
    }
    good, bad = ended.cell("s001", "NA-010"), ended.cell("s001", "NA-030")
    assert good["facts"]["text"].startswith("DISK OK")
    assert good["facts"]["perfdata"]["/"]["value"] > 0
    assert bad["message"].startswith("DISK CRITICAL")
    assert ended.cell("s001", "NA-060")["message"] == f"no such command: {plugins}/check_nosuch"


def test_a_rule_of_ones_own_judges_a_plugins_figures(desk: Desk, plugins: Path) -> None:
    rule = {"when": 'perfdata["users"].value >= 0', "severity": "info", "finding": "{{ perfdata.users.value }} users"}
    line = f"{plugins}/check_users -w 0 -c 200 || true"
    check = {"id": "NA-010", "command": line, "parse": "nagios", "rules": [rule]}
    ended = run(desk, desk.inventory("s001"), check)
    assert ended.cell("s001", "NA-010")["severity"] == "info"


# --- goss -------------------------------------------------------------------------------------------------------------

GOSS = '''\
#!/usr/bin/python3
"""Stands in for goss: takes its resources from standard input and answers as goss 0.4 does."""
import json, sys
assert sys.argv[1:] == ["--gossfile", "-", "validate", "--format", "json", "--no-color"], sys.argv
resources = json.load(sys.stdin)
wrong = json.loads(open("WRONG").read())
results = []
for kind, named in resources.items():
    for id, properties in named.items():
        for property, expected in properties.items():
            place = f"{kind.capitalize()}: {id}: {property}"
            bad, skipped = place in wrong, id == "later"
            words = "doesn't match, expect: ..." if bad else f"matches expectation: {expected}"
            results.append({
                "successful": not bad, "skipped": skipped, "resource-id": id, "resource-type": kind.capitalize(),
                "property": property, "title": "", "meta": None, "result": 2 if skipped else int(bad), "err": None,
                "matcher-result": {"actual": None, "message": "", "expected": expected, "missing-elements": None,
                                   "found-elements": None, "extra-elements": None, "transform-chain": None,
                                   "untransformed-value": None},
                "start-time": "2026-03-01T09:00:00Z", "end-time": "2026-03-01T09:00:00Z", "duration": 1000,
                "summary-line": f"{place}: {words}", "summary-line-compact": f"{place}: {words}",
            })
failed = sum(not one["successful"] for one in results)
summary = {"test-count": len(results), "failed-count": failed, "skipped-count": 0, "total-duration": 1000,
           "summary-line": f"Count: {len(results)}, Failed: {failed}, Skipped: 0, Duration: 0.001s"}
print(json.dumps({"results": results, "summary": summary}))
sys.exit(1 if failed else 0)
'''
RESOURCES = """\
file:
  /etc/passwd:
    exists: true
    mode: "0644"
    contents: ["it's root", "\u00e9"]
service:
  later:
    running: true
"""


@pytest.fixture
def gossed(fleet: Fleet, desk: Desk) -> tuple[str, Path]:
    """The inventory of a server with goss, and the file that says what is wrong there."""
    folder = fleet.folder / f"goss-{desk.folder.parent.name}"
    folder.mkdir()
    folder.chmod(0o755)
    wrong = folder / "wrong"
    wrong.write_text("[]")
    (folder / "goss").write_text(GOSS.replace("WRONG", str(wrong)))
    (folder / "goss").chmod(0o755)
    name = f"goss-{folder.name[-12:]}"
    fleet.special(name, f"SetEnv PATH={folder}:/usr/bin:/bin\n")
    inventory = desk.inventory(**{"with-goss": fleet.variables(name)})
    (desk.here / "web.yaml").write_text(RESOURCES)
    return inventory, wrong


WEB = {"id": "GO-010", "goss": "web.yaml"}


def test_every_test_of_a_goss_file_is_a_result(desk: Desk, gossed: tuple[str, Path]) -> None:
    inventory, wrong = gossed
    good = run(desk, inventory, WEB)
    cells = {one["subject"]: one for one in good.cells("with-goss")["GO-010"]}
    assert {name: one["outcome"] for name, one in cells.items()} == {
        "File: /etc/passwd: exists": "ok",
        "File: /etc/passwd: mode": "ok",
        "File: /etc/passwd: contents": "ok",
        "Service: later: running": "not_measured",
    }
    assert good.code == 0
    summary = cells["File: /etc/passwd: contents"]["facts"]["summary"]
    assert summary == "File: /etc/passwd: contents: matches expectation: [\"it's root\", '\u00e9']", "quotes survived"

    wrong.write_text('["File: /etc/passwd: mode"]')
    bad = run(desk, inventory, WEB)
    assert bad.code == 2
    found = {one["subject"]: one for one in bad.cells("with-goss")["GO-010"]}["File: /etc/passwd: mode"]
    assert (found["severity"], found["message"]) == (
        "warning",
        "File: /etc/passwd: mode: doesn't match, expect: ...",
    )
    wrong.write_text("[]")
    assert run(desk, inventory, WEB).code == 0
    assert {one["state"] for one in findings(desk, "--gone")} == {"gone"}


def findings(desk: Desk, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run_maintops(desk, "finding", "list", *words, "--format", "json").document
    return found


def test_a_server_without_goss_says_so(desk: Desk) -> None:
    (desk.here / "web.yaml").write_text(RESOURCES)
    cell = run(desk, desk.inventory("s001"), WEB).cell("s001", "GO-010")
    assert (cell["outcome"], cell["message"]) == ("not_measured", "no such command: goss")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, 'there is no goss file "web.yaml" beside this checklist'),
        ("[1]\n", "web.yaml:1:1: a goss file holds resources by type"),
        ("gossfile: {other.yaml: {}}\n", "web.yaml:1:"),
        ("file: {'{{ .Vars.a }}': {exists: true}}\n", "web.yaml:1:1: goss's templates are not rendered"),
        ("file: {\n", "web.yaml:2:1: "),
    ],
)
def test_a_goss_file_that_cannot_travel_is_a_mistake(desk: Desk, text: str | None, told: str) -> None:
    if text is not None:
        (desk.here / "web.yaml").write_text(text)
    ended = run(desk, desk.inventory("s001"), WEB)
    assert (ended.code, ended.stdout) == (64, "")
    assert told in ended.stderr


# --- results in files -------------------------------------------------------------------------------------------------

INSPEC = {
    "profiles": [
        {
            "name": "baseline",
            "controls": [
                {"id": "ssh-01", "impact": 0.9, "title": "SSH", "results": [{"status": "failed", "code_desc": "no"}]},
                {"id": "ssh-02", "impact": 0.3, "title": "Keys", "results": [{"status": "passed", "code_desc": "a"}]},
                {"id": "ssh-03", "results": [{"status": "skipped", "skip_message": "no sshd"}]},
            ],
        }
    ],
    "version": "5.22.3",
}
XCCDF = """\
<?xml version="1.0"?>
<TestResult xmlns="http://checklists.nist.gov/xccdf/1.2" id="t">
  <rule-result idref="xccdf_org.ssgproject.content_rule_grub" severity="high"><result>fail</result></rule-result>
  <rule-result idref="xccdf_org.ssgproject.content_rule_aide" severity="low"><result>pass</result></rule-result>
  <rule-result idref="xccdf_org.ssgproject.content_rule_x" severity="low"><result>notselected</result></rule-result>
</TestResult>
"""
LYNIS = """\
lynis_version=3.0.8
report_datetime_end=2026-03-01 02:11:12
hardening_index=61
warning[]=FIRE-4512|iptables has no rules|-|-|
suggestion[]=BOOT-5122|Set a password on GRUB|-|-|
"""
PROMETHEUS = """\
# HELP backup_age_seconds How old the newest backup is.
# TYPE backup_age_seconds gauge
backup_age_seconds{job="db"} 90000
backup_age_seconds{job="web"} 10
"""
RESULTS = {
    "inspec": (
        json.dumps(INSPEC),
        {
            "baseline/ssh-01": ("attention", "critical", "baseline/ssh-01: no"),
            "baseline/ssh-02": ("ok", None, ""),
            "baseline/ssh-03": ("not_measured", None, "InSpec skipped it: no sshd"),
        },
    ),
    "xccdf": (XCCDF, {"grub": ("attention", "critical", "grub fails: (none)"), "aide": ("ok", None, "")}),
    "lynis": (
        LYNIS,
        {
            None: ("ok", None, ""),
            "FIRE-4512": ("attention", "warning", "FIRE-4512: iptables has no rules"),
            "BOOT-5122": ("ok", "info", "BOOT-5122: Set a password on GRUB"),
        },
    ),
    "prometheus": (
        PROMETHEUS,
        {
            'backup_age_seconds{job="db"}': ("attention", "warning", "db: 90000.0"),
            'backup_age_seconds{job="web"}': ("ok", None, ""),
        },
    ),
}
OLD = {
    "when": 'metric == "backup_age_seconds" and value > 86400',
    "severity": "warning",
    "finding": "{{ labels.job }}: {{ value }}",
}


@pytest.mark.parametrize("parser", RESULTS)
def test_a_file_of_results_is_a_check(desk: Desk, board: Path, parser: str) -> None:
    text, wanted = RESULTS[parser]
    file = board / f"{desk.folder.parent.name}.result"
    file.write_text(text)
    file.chmod(0o644)
    check: dict[str, Any] = {"id": "RE-010", "command": f"cat {file}", "parse": parser}
    if parser == "prometheus":
        check["rules"] = [OLD]
    ended = run(desk, desk.inventory("s001"), check)
    cells = ended.cells("s001")["RE-010"]
    assert {one["subject"]: (one["outcome"], one["severity"], one["message"]) for one in cells} == wanted
    assert ended.code == 2

    file.write_text(text[: len(text) // 3])
    broken = run(desk, desk.inventory("s001"), check).cells("s001")["RE-010"]
    assert {one["outcome"] for one in broken if one["subject"] is None} <= {"failed", "not_measured", "ok"}
    file.unlink()
    missing = run(desk, desk.inventory("s001"), check)
    (cell,) = [one for one in missing.cells("s001")["RE-010"] if one["subject"] is None]
    assert cell["outcome"] == "not_measured"
    assert "No such file" in cell["message"]


# --- maintenance roles ------------------------------------------------------------------------------------------------

TASKS = """\
- name: "10-010: Kernel: does the newest one run? | Ask"
  ansible.builtin.command: cat FOLDER/kernel
  register: kernel
  check_mode: false
  changed_when: false

- name: "10-010: Kernel: does the newest one run? | Report"
  ansible.builtin.debug:
    var: kernel.stdout
  changed_when: kernel.stdout != wanted_kernel

- name: "10-020: Motd: is it ours?"
  ansible.builtin.copy:
    content: "welcome\\n"
    dest: FOLDER/motd
    mode: "0644"

- name: "10-030: Mail: is the queue empty? | Ask"
  ansible.builtin.command: cat FOLDER/queue
  register: queue
  check_mode: false
  changed_when: queue.stdout != ""

- name: "10-035: Journal: is there an older one? | Ask"
  ansible.builtin.command: cat FOLDER/journal
  register: journal
  failed_when: false

- name: "10-035: Journal: is there an older one? | Report"
  ansible.builtin.debug:
    var: journal
  changed_when: journal.rc | default(0) != 0

- name: "10-040: Nothing for this server"
  ansible.builtin.debug:
    msg: never
  changed_when: true
  when: false
"""


@pytest.fixture
def role(desk: Desk) -> Path:
    """The folder that a maintenance role of our own looks into; all is well there."""
    tasks = desk.here / "roles/upkeep_10_linux/tasks"
    tasks.mkdir(parents=True)
    folder = desk.folder / "server"
    folder.mkdir()
    (tasks / "main.yml").write_text(TASKS.replace("FOLDER", str(folder)))
    (folder / "kernel").write_text("6.1")
    (folder / "motd").write_text("welcome\n")
    (folder / "motd").chmod(0o644)
    (folder / "queue").write_text("")
    return folder


UPKEEP = {"id": "RO-010", "role": "upkeep_10_linux", "parameters": {"wanted_kernel": "6.1"}}


def test_each_id_of_a_maintenance_role_is_a_result(desk: Desk, role: Path) -> None:
    inventory = desk.inventory(here={"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3"})

    def seen(code: int) -> dict[str, Any]:
        ended = run(desk, inventory, UPKEEP)
        assert ended.code == code, ended.stdout
        return {one["subject"]: one for one in ended.cells("here")["RO-010"]}

    found = seen(0)
    well = dict.fromkeys(["10-010", "10-020", "10-030"], "ok")
    assert {name: one["outcome"] for name, one in found.items()} == well | {"10-035": "not_measured"}
    assert found["10-035"]["message"] == "Journal: is there an older one? | Ask: check mode cannot tell"

    (role / "kernel").write_text("6.6")
    (role / "motd").write_text("go away\n")
    cells = seen(2)
    assert {name: one["outcome"] for name, one in cells.items()} == {
        "10-010": "attention",
        "10-020": "attention",
        "10-030": "ok",
        "10-035": "not_measured",
    }
    kernel = cells["10-010"]
    assert kernel["severity"] == "warning"
    assert kernel["message"] == ("10-010 Kernel: does the newest one run? | Report: Ansible would change something")
    assert "-go away" in cells["10-020"]["facts"]["diff"]
    assert (role / "motd").read_text() == "go away\n", "check mode changes nothing"

    (role / "kernel").write_text("6.1")
    cells = seen(2)
    assert [cells[id]["outcome"] for id in ("10-010", "10-020")] == ["ok", "attention"]
    states = {one["subject"]: one["state"] for one in findings(desk, "--gone")}
    assert (states["10-010"], states["10-020"] == "gone") == ("gone", False)

    (role / "queue").unlink()
    ended = run(desk, inventory, UPKEEP)
    (cell,) = ended.cells("here")["RO-010"]
    assert (ended.code, cell["subject"], cell["outcome"]) == (2, None, "failed")
    assert "10-030: Mail" in cell["message"]
    assert {one["subject"] for one in findings(desk)} >= {"10-020"}, "what was not looked at is not gone"


def test_rules_of_ones_own_make_one_result_of_a_role(desk: Desk, role: Path) -> None:
    (role / "kernel").write_text("6.6")
    inventory = desk.inventory(here={"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3"})
    rule = {"when": "changed | length > 0", "severity": "critical", "finding": "{{ changed | length }} tasks differ"}
    ended = run(desk, inventory, UPKEEP | {"rules": [rule]})
    cell = ended.cell("here", "RO-010")
    assert (cell["subject"], cell["severity"], cell["message"]) == (None, "critical", "1 tasks differ")
