"""What a person accepts as right: rules compare with it, and what is gone by then is no longer missed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.lab.fleet import Fleet
from tests.lab.running import Desk, Ended, run_maintops

pytestmark = [pytest.mark.fleet, pytest.mark.xdist_group("baselines")]

ACCEPTED = """\
checklist: accepted
title: As it was accepted
service: inspection
cadence: {every: day}
checks:
  - id: BL-010
    title: The kernel is the accepted one
    command: cat KERNEL
    rules:
      - when: text != baseline.text
        severity: warning
        finding: "it is {{ text }}, accepted was {{ baseline.text }}"
  - id: BL-020
    title: No account is new
    probe: accounts
  - id: BL-030
    title: Disks are those that were accepted
    command: cat DISKS
    parse: json
    subject: name
    rules:
      - when: size < baseline.size
        severity: critical
        finding: "{{ name }} has {{ size }}, accepted were {{ baseline.size }}"
"""
POOLS_THERE = """\
checklist: pools
title: Pools
service: inspection
cadence: {every: day}
checks:
  - {id: ZP-010, title: Pools are there, probe: zfs-pools}
"""


class Bench:
    """A desk and what its servers answer: a kernel, and disks by name and size."""

    def __init__(self, desk: Desk, *servers: str) -> None:
        self.desk = desk
        self._kernel, self._disks = desk.fleet.known_hosts.parent / "kernel", desk.fleet.known_hosts.parent / "disks"
        text = ACCEPTED.replace("KERNEL", str(self._kernel)).replace("DISKS", str(self._disks))
        self._checklist = desk.checklist(text)
        self.inventory = desk.inventory(*servers or ("s001",))
        self.answer("6.1", sda=100, sdb=200)

    def answer(self, kernel: str, **disks: int) -> None:
        self._kernel.write_text(f"{kernel}\n")
        self._disks.write_text(json.dumps([{"name": name, "size": size} for name, size in disks.items()]))

    def run(self) -> Ended:
        return run_maintops(self.desk, "run", self._checklist, "-i", self.inventory, "--format", "json")

    def accept(self, *words: str) -> Ended:
        return run_maintops(self.desk, "baseline", "accept", *words, "-i", self.inventory)

    def listed(self, *words: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = run_maintops(self.desk, *words, "--format", "json").document
        return found


@pytest.fixture
def bench(desk: Desk) -> Bench:
    return Bench(desk)


SIGNED = ("--by", "erika", "--why", "as built")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "who accepts it? Give --by ENGINEER (or set MAINTOPS_BY)"),
        (["--by", "erika"], "why is it right? Say so with --why"),
        (["--by", "erika", "--why", " "], "why is it right? Say so with --why"),
        (SIGNED, "nothing to accept: nothing was ever measured there; run a checklist first"),
        (["BL-010", *SIGNED], "nothing to accept: BL-010 was never measured there; run it first"),
        ([*SIGNED, "-l", "nosuch"], "the limit names no server"),
    ],
)
def test_nobody_accepts_without_a_name_a_reason_and_something(bench: Bench, words: list[str], why: str) -> None:
    ended = bench.accept(*words)
    assert (ended.code, ended.stdout) == (64, "")
    assert ended.stderr.startswith(f"maintops: {why}")
    assert len(ended.stderr.splitlines()) == 1
    assert bench.listed("baseline", "list") == []


def test_what_differs_from_the_accepted_is_a_finding_until_it_is_accepted(bench: Bench) -> None:
    first = bench.run()
    assert (first.code, first.cell("s001", "BL-010")["outcome"]) == (0, "not_measured")
    assert first.cell("s001", "BL-010")["message"].endswith("maintops baseline accept")

    accepted = bench.accept(*SIGNED)
    assert accepted.code == 0
    assert accepted.stdout.splitlines()[0].split() == ["server", "check", "subjects", "at", "by", "why"]
    assert accepted.stderr == "accepted 3 baselines\n"
    assert bench.run().cell("s001", "BL-010")["outcome"] == "ok"

    bench.answer("6.6", sda=100, sdb=150)
    changed = bench.run()
    assert changed.code == 2
    kernel = changed.cell("s001", "BL-010")
    assert (kernel["severity"], kernel["message"]) == ("warning", "it is 6.6, accepted was 6.1")
    shrunk = [one["message"] for one in changed.cells("s001")["BL-030"]]
    assert shrunk == ["", "sdb has 150, accepted were 200"]

    again = bench.accept("BL-010", "--by", "max", "--why", "upgraded")
    assert (again.code, again.stderr) == (0, "accepted 1 baseline\n")
    ended = bench.run()
    assert ended.cell("s001", "BL-010")["outcome"] == "ok"
    assert ended.code == 2, "the disk was not accepted"
    gone = bench.listed("finding", "list", "--gone")
    assert {(one["check"], one["state"] == "gone") for one in gone} == {("BL-010", True), ("BL-030", False)}


def test_a_check_that_is_not_known_spoils_the_others(bench: Bench) -> None:
    bench.run()
    ended = bench.accept("BL-010", "BL-999", *SIGNED)
    assert (ended.code, ended.stdout) == (64, "")
    assert "BL-999 was never measured there" in ended.stderr
    assert bench.listed("baseline", "list") == []


def test_who_accepted_what_when_and_why_is_kept(bench: Bench) -> None:
    bench.run()
    bench.accept("BL-010", *SIGNED)
    bench.answer("6.6", sda=1)
    record = bench.run().server("s001")["record"]
    bench.accept("BL-010", "--by", "max", "--why", "upgraded")
    now = bench.listed("baseline", "list")
    assert [(one["check"], one["by"], one["why"], one["record"]) for one in now] == [
        ("BL-010", "max", "upgraded", record)
    ]
    every = bench.listed("baseline", "list", "--replaced")
    assert [one["why"] for one in every] == ["upgraded", "as built"]
    assert every[0]["at"] > every[1]["at"]
    assert bench.listed("baseline", "list", "-l", "s002") == []
    empty = run_maintops(bench.desk, "baseline", "list", "-l", "s002")
    assert (empty.code, empty.stdout, empty.stderr) == (0, "", "no baselines\n")
    table = run_maintops(bench.desk, "baseline", "list", "--replaced").stdout.splitlines()
    assert [line.split()[-1] for line in table] == ["why", "upgraded", "built"]


def test_the_accepted_facts_are_shown(bench: Bench) -> None:
    bench.run()
    bench.accept(*SIGNED)
    document = run_maintops(bench.desk, "baseline", "show", "s001", "BL-030", "--format", "json").document
    assert [(one["subject"], one["facts"]["size"]) for one in document["subjects"]] == [("sda", 100), ("sdb", 200)]
    text = run_maintops(bench.desk, "baseline", "show", "s001", "BL-030").stdout
    assert "\nby        erika\n" in text
    assert "\nsdb\n" in text
    assert "\n  size: 200\n" in text
    assert "{" not in text, "facts are for people here"
    assert "\n(the server)\n" in run_maintops(bench.desk, "baseline", "show", "s001", "BL-010").stdout
    for words in (("s002", "BL-030"), ("s001", "BL-999")):
        nothing = run_maintops(bench.desk, "baseline", "show", *words)
        assert (nothing.code, nothing.stdout) == (64, "")
        assert f"no baseline of {words[1]} was accepted for {words[0]}" in nothing.stderr


def test_terminal_escapes_of_a_server_stay_visible(bench: Bench) -> None:
    bench.answer("\x1b[31m6.1")
    bench.run()
    bench.accept(*SIGNED)
    text = run_maintops(bench.desk, "baseline", "show", "s001", "BL-010").stdout
    assert "\x1b" not in text
    assert "\\x1b[31m6.1" in text


ZPOOL = """\
#!/bin/sh
case $1 in
list) printf '%s\\t1000000\\t100000\\t900000\\t1\\t10\\tONLINE\\n' $(cat POOLS) ;;
status) printf '  pool: %s\\n state: ONLINE\\nerrors: No known data errors\\n\\n' $(cat POOLS) ;;
esac
"""


def test_a_pool_of_disks_that_was_taken_out_is_missed_until_that_is_accepted(desk: Desk, fleet: Fleet) -> None:
    folder = fleet.folder / "bl-programs"
    folder.mkdir(mode=0o755)
    told = folder / "told"
    (folder / "zpool").write_text(ZPOOL.replace("POOLS", str(told)))
    (folder / "zpool").chmod(0o755)
    fleet.special("bl-pools", f"SetEnv PATH={folder}:/usr/bin:/bin\n")
    checklist = desk.checklist(POOLS_THERE)
    words = ["run", checklist, "-i", desk.inventory("bl-pools"), "--format", "json"]

    def cells() -> dict[str, tuple[str, str | None]]:
        found = run_maintops(desk, *words).cells("bl-pools")["ZP-010"]
        return {one["subject"]: (one["outcome"], one["severity"]) for one in found}

    told.write_text("tank\nspare\n")
    assert cells() == {"tank": ("ok", None), "spare": ("ok", None)}
    told.write_text("tank\n")
    assert cells()["spare"][0] == "attention"
    assert cells()["spare"][0] == "attention", "it is missed for good"
    (missed,) = run_maintops(desk, "finding", "list", "--format", "json").document
    assert missed["subject"] == "spare"
    accepted = run_maintops(desk, "baseline", "accept", "ZP-010", *SIGNED, "-i", words[3])
    assert accepted.code == 0, accepted.stderr
    shown = run_maintops(desk, "baseline", "show", "bl-pools", "ZP-010", "--format", "json").document
    assert [one["subject"] for one in shown["subjects"]] == ["tank"]
    assert cells() == {"tank": ("ok", None)}
    (gone,) = run_maintops(desk, "finding", "list", "--gone", "--format", "json").document
    assert gone["state"] == "gone"


def test_only_some_servers(desk: Desk) -> None:
    bench = Bench(desk, "s001", "s002")
    bench.run()
    ended = bench.accept("BL-010", *SIGNED, "-l", "s002")
    assert (ended.code, ended.stderr) == (0, "accepted 1 baseline\n")
    assert [one["server"] for one in bench.listed("baseline", "list")] == ["s002"]
    both = run_maintops(
        desk, "baseline", "accept", "BL-010", *SIGNED, "-i", desk.inventory("s001", "s003"), "--format", "json"
    )
    assert [one["server"] for one in both.document] == ["s001"]
    assert both.stderr == "nothing was ever measured on s003\naccepted 1 baseline\n"
