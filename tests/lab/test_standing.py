"""`make lab` and `make lab-down`: what they print can be used, and nothing stays behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.containers import traces
from tests.lab.fixtures import absent

pytestmark = pytest.mark.vm

CHECKLIST = """\
checklist: systemd
title: What runs here
service: inspection
cadence: {every: day}
checks:
  - {id: XX-010, title: First process, command: cat /proc/1/comm, parse: text}
"""


@dataclass(frozen=True)
class Standing:
    """A lab that stands: what was printed when it came up, and its name."""

    printed: str
    name: str

    def path(self, what: str) -> Path:
        found = re.search(rf"^  {what} +(/\S+)$", self.printed, re.MULTILINE)
        assert found is not None, self.printed
        return Path(found[1])


def _standing(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.lab.standing", *words], capture_output=True, text=True, timeout=600, check=False
    )


@pytest.fixture(scope="module")
def lab() -> Iterator[Standing]:
    up = _standing("up", "--servers", "2")
    if up.returncode:
        absent(up.stderr)
    found = re.search(r"lab (mt\d+);", up.stdout)
    assert found is not None, up.stdout
    try:
        yield Standing(up.stdout, found[1])
    finally:
        _standing("down", found[1])


def test_a_lab_that_was_brought_up_can_be_used_and_taken_down(lab: Standing, tmp_path: Path) -> None:
    (tmp_path / "systemd.yml").write_text(CHECKLIST)
    environment = {
        "MAINTOPS_KNOWN_HOSTS": str(lab.path("known hosts")),
        "MAINTOPS_DATABASE_URL": f"sqlite:///{tmp_path}/db",
    }
    command = [
        Path(sys.executable).parent / "maintops",
        "run",
        "systemd.yml",
        "-i",
        lab.path("inventory"),
        "--format",
        "json",
    ]
    ran = subprocess.run(
        command, cwd=tmp_path, env=os.environ | environment, capture_output=True, text=True, timeout=150, check=False
    )
    assert ran.returncode == 0, ran.stderr
    servers = json.loads(ran.stdout)["servers"]
    assert {one["server"]: one["checks"][0]["facts"]["text"].strip() for one in servers} == {
        "lab1": "systemd",
        "lab2": "systemd",
        "vm1": "systemd",
    }
    assert [one for one in traces(lab.name) if "qemu" in one]
    logins = re.findall(r"^  (ssh .*)$", lab.printed, re.MULTILINE)
    assert len(logins) == 2
    for login in logins:
        said = subprocess.run([*login.split(), "hostname"], capture_output=True, text=True, timeout=60, check=False)
        assert said.returncode == 0, said.stderr
    down = _standing("down", lab.name)
    assert f"lab {lab.name} is gone" in down.stdout, down.stderr
    assert traces(lab.name) == []
