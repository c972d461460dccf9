"""ipmitool as it is called for a controller: a program of ours stands in its place and tells how it was called."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from maintops.domain.answers import parts
from maintops.domain.bmcs import Bmc
from maintops.domain.ports import Failure, FailureKind, Inquiry, Told, Trip
from maintops.domain.servers import Server
from maintops.runners.flights import Flight
from maintops.runners.ipmi_lan import READING, arguments, inquired
from tests.unit.probes.asking import tool

SECRET = "correct-horse"
BMC = Bmc("192.0.2.7", user="keeper", password=SECRET)
SERVER = Server("web1")


def now() -> datetime:
    return datetime.now(UTC)


def flight() -> Flight:
    return Flight(Trip(SERVER, ()), now())


def inquiry(question: str, timeout: float = 20, limit: int = 1000) -> Inquiry:
    return Inquiry(SERVER, "HW-370", "ipmi", question, timeout, limit)


def ask(*inquiries: Inquiry, bmc: Bmc = BMC, on: Flight | None = None) -> Sequence[Told]:
    return list(inquired(bmc, inquiries, on or flight(), now))


@pytest.fixture
def ipmitool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def acts(folder: Path, text: str) -> None:
    tool(folder, "ipmitool", text)


def test_an_answer_has_a_part_for_each_subcommand(ipmitool: Path) -> None:
    acts(ipmitool, 'shift 17; echo "$@"; echo =evil; echo warned >&2')
    (told,) = ask(inquiry("sdr elist\n  sel   info \n"))
    assert told.failure is None
    assert told.answer is not None
    found = parts(told.answer.stdout)
    assert {name: part.text.splitlines()[1:] for name, part in found.items()} == {
        "sdr elist": ["=evil"],
        "sel info": ["=evil"],
    }
    assert told.answer.stderr == b"warned\nwarned\n"
    assert (told.server, told.check) == ("web1", "HW-370")


def test_the_password_is_in_the_environment_alone(ipmitool: Path) -> None:
    acts(ipmitool, 'echo "$0 $@"; env; cat; cat "/proc/$$/cmdline"')
    (told,) = ask(inquiry("mc info"))
    assert told.answer is not None
    lines = [line for line in told.answer.stdout.splitlines() if SECRET.encode() in line]
    assert lines == [f" IPMI_PASSWORD={SECRET}".encode()]
    assert not any(SECRET in word for word in arguments(BMC))
    assert SECRET not in repr(BMC)


def test_it_is_asked_as_one_who_may_only_read() -> None:
    words = " ".join(arguments(BMC))
    assert words == "-I lanplus -H 192.0.2.7 -p 623 -U keeper -E -L USER -N 2 -R 3"
    old = Bmc("192.0.2.7", user="k", password="p", interface="lan", ipmi_port=6230, cipher=3)
    assert "-I lan -H 192.0.2.7 -p 6230" in " ".join(arguments(old))
    assert "-C" not in arguments(old)
    assert "-C 3" in " ".join(arguments(Bmc("b", user="k", password="p", cipher=3)))


@pytest.mark.parametrize(
    "question", ["chassis power off", "sel clear", "sdr elist; reboot", "raw 0x06 0x01", "-f x sdr"]
)
def test_nothing_is_run_that_could_change_anything(ipmitool: Path, question: str) -> None:
    acts(ipmitool, f"touch {ipmitool}/ran")
    (told,) = ask(inquiry(question))
    assert told.failure is not None
    assert told.failure.kind is FailureKind.UNUSABLE
    assert not (ipmitool / "ran").exists()
    assert all(not line.startswith("-") for line in READING)


def test_a_refused_login_is_tried_once(ipmitool: Path) -> None:
    acts(ipmitool, f"echo x >>{ipmitool}/count; echo 'Error: Unable to establish IPMI v2 / RMCP+ session' >&2; exit 1")
    told = ask(inquiry("sdr elist"), inquiry("sel info"))
    assert [one.failure and one.failure.kind for one in told] == [FailureKind.UNREACHABLE] * 2
    assert (ipmitool / "count").read_text() == "x\n"


def test_a_controller_that_says_no_is_told_apart_from_nobody(ipmitool: Path) -> None:
    acts(ipmitool, "echo 'RAKP 2 HMAC is invalid' >&2; echo 'Error: Unable to establish IPMI v2 session' >&2; exit 1")
    (told,) = ask(inquiry("sdr elist"))
    assert told.failure == Failure(FailureKind.UNREACHABLE, "it refused the login as keeper (IPMI)")


def test_a_subcommand_that_fails_is_an_answer(ipmitool: Path) -> None:
    acts(ipmitool, "echo 'Get SEL Info command failed: Invalid command' >&2; exit 1")
    (told,) = ask(inquiry("sel info"))
    assert told.answer is not None
    assert parts(told.answer.stdout)["sel info"].status == 1


def test_a_crash_is_told_by_its_signal(ipmitool: Path) -> None:
    acts(ipmitool, "kill -SEGV $$")
    (told,) = ask(inquiry("sel info"))
    assert told.answer is not None
    assert parts(told.answer.stdout)["sel info"].status == 139


def test_without_ipmitool_nothing_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maintops.runners.ipmi_lan.shutil.which", lambda *_, **__: None)
    (told,) = ask(inquiry("sel info"))
    assert told.answer is not None
    assert (told.answer.status, told.answer.stderr) == (127, b"ipmitool: not found\n")


def test_too_much_is_an_overflow(ipmitool: Path) -> None:
    acts(ipmitool, "yes")
    (told,) = ask(inquiry("sel info"))
    assert told.failure is not None
    assert told.failure.kind is FailureKind.OVERFLOW
    acts(ipmitool, "yes >&2")
    assert [one.failure.kind for one in ask(inquiry("sel info")) if one.failure] == [FailureKind.OVERFLOW]


def test_its_time_ends_it_and_all_that_it_started(ipmitool: Path) -> None:
    acts(ipmitool, f"sleep 61 & echo $! >{ipmitool}/child; echo begun; wait")
    began = time.monotonic()
    first, second = ask(inquiry("sel info", timeout=0.5), inquiry("mc info", timeout=0.5))
    assert time.monotonic() - began < 5
    for told in (first, second):  # one that takes too long says nothing about another
        assert told.failure == Failure(FailureKind.OVERTIME, "ipmitool did not end in time")
    child = Path(f"/proc/{(ipmitool / 'child').read_text().strip()}/stat")
    deadline = time.monotonic() + 10
    while child.exists() and ") Z " not in child.read_text():  # what is killed needs a moment to die
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_run_that_ends_ends_it(ipmitool: Path) -> None:
    acts(ipmitool, "exec sleep 61")
    stopped = flight()
    stopped.end(Failure(FailureKind.STOPPED, "cancelled"))
    told = ask(inquiry("sel info"), inquiry("mc info"), on=stopped)
    assert [one.failure for one in told] == [Failure(FailureKind.STOPPED, "cancelled")] * 2


def test_what_ipmi_cannot_carry_is_said_beforehand(ipmitool: Path) -> None:
    acts(ipmitool, "echo ran")
    for bmc, why in (
        (Bmc("b"), "IPMI needs maintops_bmc_user"),
        (Bmc("b", user="k", password="x" * 21), "longer than IPMI can carry"),
    ):
        (told,) = ask(inquiry("sel info"), bmc=bmc)
        assert told.failure is not None
        assert why in told.failure.why
    (told,) = ask(inquiry("\n"))
    assert told.failure is not None
    assert told.failure.kind is FailureKind.UNUSABLE
