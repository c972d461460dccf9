"""Management controllers asked by IPMI over the network: by ipmitool, which runs here and never on the server.

A question is a list of ipmitool's own subcommands, one a line; only those that read are run. The answer has a part for
each, named after it (maintops.domain.answers.parts). The password stands in the environment of ipmitool alone.
"""

from __future__ import annotations

import os
import re
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from maintops.domain.answers import Answer
from maintops.domain.bmcs import Bmc
from maintops.domain.ports import Clock, Failure, FailureKind, Inquiry, Told
from maintops.runners.flights import TICK, Flight

READING = (
    *(
        "sdr",
        "sdr list",
        "sdr elist",
        "sdr elist all",
        "sdr elist full",
        "sdr list all",
        "sdr list full",
    ),
    *("sensor", "sensor list", "sel", "sel info", "sel list", "sel elist", "sel time get"),
    *("mc info", "chassis status", "chassis power status", "fru", "fru print", "fru list", "dcmi power reading"),
)
"""What may be asked: nothing of it changes anything."""

_OPTIONS = {"sdr elist": ("-c", "-v")}
"""Options that make ipmitool tell more of the same: thresholds and verdicts beside the readings, in one walk."""

LONGEST_PASSWORD = 20
"""Characters; IPMI 2.0 has room for no more."""

_LONGEST_REMARK = 4096
_NO_LOGIN = re.compile(r"unable to establish|activate session command failed|error in open session|rakp", re.IGNORECASE)
_REFUSED = re.compile(r"rakp|invalid (?:user name|session id|authentication)|unauthorized|password", re.IGNORECASE)
_NOT_THERE = Answer(stderr=b"ipmitool: not found\n", status=127)
_WAIT = 2.0  # seconds for one reply of the controller
_TRIES = 3


@dataclass(frozen=True, slots=True)
class _Ended:
    """How one ipmitool ended."""

    output: bytes
    remark: bytes
    status: int | None
    failure: Failure | None = None


def inquired(bmc: Bmc, inquiries: Sequence[Inquiry], flight: Flight, clock: Clock) -> Iterator[Told]:
    """Asks one controller; one Told per inquiry, in their order. After a refused login it is asked nothing more:
    controllers lock accounts."""
    program, gone = _program(), _unfit(bmc)
    for one in inquiries:
        begun, began = clock(), time.monotonic()
        answer: Answer | None = None
        failure = flight.ended or gone
        if failure is None and program is None:
            answer = _NOT_THERE
        elif failure is None:
            answer, failure = _asked(str(program), bmc, one, flight)
            if failure is not None and failure.kind is FailureKind.UNREACHABLE:
                gone = failure
        timed = answer and replace(answer, seconds=time.monotonic() - began)
        yield Told(one.server.name, one.check, timed, failure, begun, clock())


def _program() -> str | None:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    return shutil.which("ipmitool", path=path)


def _unfit(bmc: Bmc) -> Failure | None:
    if not bmc.user:
        return Failure(FailureKind.UNREACHABLE, "IPMI needs maintops_bmc_user and maintops_bmc_password")
    if len(bmc.password.encode()) > LONGEST_PASSWORD:
        why = f"its password is longer than IPMI can carry ({LONGEST_PASSWORD} bytes)"
        return Failure(FailureKind.UNREACHABLE, why)
    return None


def _asked(program: str, bmc: Bmc, inquiry: Inquiry, flight: Flight) -> tuple[Answer | None, Failure | None]:
    deadline = time.monotonic() + inquiry.timeout
    said, heard = bytearray(), bytearray()
    for line in filter(None, (" ".join(line.split()) for line in inquiry.question.splitlines())):
        if line not in READING:
            return None, Failure(FailureKind.UNUSABLE, f"ipmitool {line} is not known to only read")
        ended = _ran(
            [program, *arguments(bmc), *_OPTIONS.get(line, ()), *line.split()],
            bmc.password,
            deadline,
            inquiry.limit,
            flight,
        )
        failure = ended.failure or _no_login(ended, bmc)
        if failure is not None:
            return None, failure
        heard += _part(line, ended)
        said += ended.remark
        if len(heard) > inquiry.limit:
            return None, _overflow(inquiry.limit)
    if not heard:
        return None, Failure(FailureKind.UNUSABLE, "the question names no subcommand of ipmitool")
    return Answer(bytes(heard), bytes(said[:_LONGEST_REMARK])), None


def arguments(bmc: Bmc) -> list[str]:
    """How ipmitool is told whom to ask, as a user who may only read; -E: the password is in its environment."""
    cipher = ["-C", str(bmc.cipher)] if bmc.cipher and bmc.interface == "lanplus" else []
    way = ["-I", bmc.interface, "-H", bmc.host, "-p", str(bmc.ipmi_port), "-U", bmc.user, "-E", "-L", "USER"]
    return [*way, *cipher, "-N", f"{_WAIT:.0f}", "-R", str(_TRIES)]


def _no_login(ended: _Ended, bmc: Bmc) -> Failure | None:
    remark = ended.remark.decode("utf-8", "replace")
    if ended.status == 0 or ended.output.strip() or not _NO_LOGIN.search(remark):
        return None
    if _REFUSED.search(remark):
        return Failure(FailureKind.UNREACHABLE, f"it refused the login as {bmc.user} (IPMI)")
    why = f"no IPMI session: nobody answers there, or the login as {bmc.user} is wrong"
    return Failure(FailureKind.UNREACHABLE, why)


def _overflow(limit: int) -> Failure:
    return Failure(FailureKind.OVERFLOW, f"ipmitool printed more than {limit} bytes")


def _part(name: str, ended: _Ended) -> bytes:
    lines = b"".join(b" %b\n" % line for line in ended.output.removesuffix(b"\n").split(b"\n"))
    return b"=%b\n%b.%d\n" % (name.encode(), lines, 0 if ended.status is None else ended.status)


# --- one process ------------------------------------------------------------------------------------------------------


def _ran(command: list[str], password: str, deadline: float, limit: int, flight: Flight) -> _Ended:
    """Runs ipmitool to its end, or to the deadline, the limit or the end of the flight."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "IPMI_PASSWORD": password},
        cwd="/",
        start_new_session=True,  # a group of its own: all of it is ended at once
    )
    try:
        output, remark, failure = _heard(process, deadline, limit, flight)
    finally:
        _end(process)
    status = process.returncode
    return _Ended(output, remark, status if status >= 0 else 128 - status, failure)


def _heard(
    process: subprocess.Popen[bytes], deadline: float, limit: int, flight: Flight
) -> tuple[bytes, bytes, Failure | None]:
    """What it prints and remarks, and why it was not heard to its end."""
    assert process.stdout is not None  # noqa: S101 - it has pipes
    assert process.stderr is not None  # noqa: S101 - the same
    heard = {process.stdout: bytearray(), process.stderr: bytearray()}
    failure: Failure | None = None
    with selectors.DefaultSelector() as open_pipes:
        for pipe in heard:
            open_pipes.register(pipe, selectors.EVENT_READ)
        while failure is None and open_pipes.get_map():
            for key, _ in open_pipes.select(TICK):
                piece = os.read(key.fd, 65536)
                heard[key.fileobj] += piece  # type: ignore[index]  # the pipes are its only keys
                if not piece:
                    open_pipes.unregister(key.fileobj)
            if len(heard[process.stdout]) > limit or len(heard[process.stderr]) > limit:
                failure = _overflow(limit)
            elif time.monotonic() > deadline and open_pipes.get_map():
                failure = Failure(FailureKind.OVERTIME, "ipmitool did not end in time")
            failure = flight.ended or failure
    return bytes(heard[process.stdout]), bytes(heard[process.stderr][:_LONGEST_REMARK]), failure


def _end(process: subprocess.Popen[bytes]) -> None:
    """Nothing of it stays: its group is ended while its leader still holds the number."""
    if process.poll() is None:
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            process.wait(0.05)
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
