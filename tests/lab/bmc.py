"""Baseboard management controllers without a server: IPMI over LAN, on loopback.

    with Bmc() as bmc:
        bmc.ipmitool("sdr", "elist")            # what it prints
        bmc.address, bmc.port, bmc.user, bmc.password
        with sensor_reads(bmc, "CPU Temp", 95):  # past its critical threshold, until the end of the block
            ...
        with event_logged(bmc, MEMORY_UNCORRECTABLE):
            ...

Each BMC has a folder and a free port of its own and, where it asks for a login, a password that nobody had before.
FleetUnavailable says what a machine lacks for one.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.lab.services import (
    ADDRESS,
    LOG,
    PATIENCE,
    end,
    keep,
    own_environment,
    private_folder,
    serve,
    somebody,
    wait_until,
)
from tests.lab.sshd import FleetUnavailable, program

USER = "keeper"


# --- what a BMC knows, as IPMI writes it ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kind:
    """What sensors of one kind measure, in the codes of the IPMI specification 2.0 (tables 42-3, 43-15).

    Sensors answer with a byte; the value is that byte times `factor` times 10^`exponent`.
    """

    code: int
    unit: int
    factor: int = 1
    exponent: int = 0


TEMPERATURE = Kind(code=0x01, unit=1)  # degrees C
FAN = Kind(code=0x04, unit=18, factor=60)  # rpm
VOLTAGE = Kind(code=0x02, unit=4, factor=6, exponent=-2)  # volts


@dataclass(frozen=True, slots=True)
class Sensor:
    """One sensor. `reads` and the thresholds are in its kind's unit; `entity` and `instance` say where it sits
    (table 43-13).

    Thresholds are (non-critical, critical, non-recoverable), on neither, one or both sides.
    """

    number: int
    name: str
    kind: Kind
    entity: int
    reads: float
    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = ()
    instance: int = 1

    def raw(self, value: float) -> int:
        """The byte that stands for a value; ValueError where it has none."""
        byte = round(value / (self.kind.factor * 10.0**self.kind.exponent))
        if not 0 <= byte <= 255:
            raise ValueError(f"{self.name} cannot read {value}")
        return byte

    @property
    def thresholds(self) -> list[int]:
        """Six bytes: the lower ones, then the upper ones; 0 for one that it does not have."""
        lower, upper = self.lower or (0.0,) * 3, self.upper or (0.0,) * 3
        return [self.raw(value) for value in (*lower, *upper)]

    @property
    def has(self) -> int:
        """Which of the six thresholds it has: a bit each, the first one lowest."""
        return 0b000111 * bool(self.lower) | 0b111000 * bool(self.upper)

    @property
    def events(self) -> int:
        """Which events it makes, two bits a threshold: going low past a lower one, going high past an upper one."""
        return 0b000000_010101 * bool(self.lower) | 0b101010_000000 * bool(self.upper)


SENSORS = (
    Sensor(1, "CPU Temp", TEMPERATURE, 0x03, 45, upper=(80, 90, 100)),
    Sensor(2, "Inlet Temp", TEMPERATURE, 0x37, 24, lower=(10, 5, 2), upper=(35, 40, 45)),
    Sensor(3, "Fan1", FAN, 0x1D, 6000, lower=(1200, 600, 300)),
    Sensor(4, "Fan2", FAN, 0x1D, 6060, lower=(1200, 600, 300), instance=2),
    Sensor(5, "12V", VOLTAGE, 0x07, 12.0, lower=(11.4, 10.8, 10.2), upper=(12.6, 13.2, 13.8)),
)


def _record(sensor: Sensor) -> bytes:
    """A sensor's full record in the repository of sensor data (IPMI 2.0, table 43-1); the simulator numbers it."""
    kind, name = sensor.kind, sensor.name.encode("ascii")
    returned = 0b111 << 12  # readings tell on which side of its thresholds it is
    lower, upper = (sensor.events | returned * bool(side) for side in (sensor.lower, sensor.upper))
    low, high = sensor.thresholds[:3], sensor.thresholds[3:]
    body = [
        *(0x20, 0, sensor.number),  # whose it is, and which
        *(sensor.entity, sensor.instance),
        *(0x7F, 0x44),  # it is set up and scans; re-arms by itself, thresholds can be read
        *(kind.code, 0x01),  # a reading with thresholds
        *lower.to_bytes(2, "little"),
        *upper.to_bytes(2, "little"),
        *(sensor.has, 0),  # readable thresholds, settable ones
        *(0, kind.unit, 0),  # unsigned, the unit, no second one
        *(0, kind.factor, 0, 0, 0, 0),  # linear; the factor, no offset
        (kind.exponent & 0xF) << 4,
        *(0x01, sensor.raw(sensor.reads), 0, 0),  # only what is nominal is known, not what is normal
        *(0xFF, 0x00),  # the largest byte and the smallest
        *reversed(high),
        *reversed(low),
        *(0, 0, 0, 0, 0),  # no hysteresis, reserved, nothing of the manufacturer's
        0xC0 | len(name),  # its name, in 8-bit characters
        *name,
    ]
    return bytes([0, 0, 0x51, 0x01, len(body), *body])


Event = tuple[int, int]
"""An entry of the event log: a kind of sensor, and what became of it (IPMI 2.0, table 42-3)."""

LOG_CLEARED: Event = (0x10, 0x02)
MEMORY_CORRECTABLE: Event = (0x0C, 0x00)
MEMORY_UNCORRECTABLE: Event = (0x0C, 0x01)
SUPPLY_WITHOUT_INPUT: Event = (0x08, 0x03)

HISTORY = (LOG_CLEARED, MEMORY_CORRECTABLE, SUPPLY_WITHOUT_INPUT)
"""What is in the log from the beginning."""


def repository(sensor: Sensor) -> bytes:
    """What QEMU's BMC reads as its repository: it makes sensors of compact records only (table 43-2), and limits stand
    in full ones; so the sensor has one of each."""
    name = f"{sensor.name} probe".encode("ascii")
    body = [
        *(0x20, 0, sensor.number, sensor.entity, sensor.instance),
        *(0x7F, 0x40, sensor.kind.code, 0x01),
        *(0, 0, 0, 0, 0, 0),  # no events
        *(0, sensor.kind.unit, 0),
        *(1, 0, 0, 0, 0, 0, 0, 0),  # it shares the record with nobody; no hysteresis, reserved
        0xC0 | len(name),
        *name,
    ]
    return bytes([0, 0, 0x51, 0x02, len(body), *body]) + _record(sensor)


def _plate(*fields: str) -> bytes:
    """What the machine is, as field-replaceable unit 0 tells it (IPMI FRU information storage 1.0, sections 8 and 12):
    the product's maker, name, part number, version, serial number, asset tag and file, the last ones maybe empty."""
    said = b"".join(bytes([0xC0 | len(field)]) + field.encode("ascii") for field in fields)
    eights = -(-(3 + len(said) + 2) // 8)  # areas are measured in eights of bytes: three before, an end and a sum after
    product = (bytes([1, eights, 0x19]) + said + b"\xc1").ljust(eights * 8 - 1, b"\0")
    return _summed(bytes([1, 0, 0, 0, 1, 0, 0])) + _summed(product)


def _summed(area: bytes) -> bytes:
    """An area and the byte that makes its sum 0."""
    return area + bytes([-sum(area) & 0xFF])


# --- IPMI over LAN ----------------------------------------------------------------------------------------------------

_CHASSIS = """\
case "$1 $2" in
  "get power") printf 'power:%s\\n' "$(cat power)" ;;
  "set power") echo "$3" >power ;;
  "set shutdown") echo 0 >power ;;
esac
"""
"""What the simulator asks and tells about power; it pays no heed to a reset."""


class Bmc:
    """A BMC that speaks IPMI 1.5 and 2.0 over LAN: OpenIPMI's simulator, run by nobody where we are root.

    It has `SENSORS`, a system event log with `HISTORY` in it, a name plate, and power that is on.
    """

    address, user = ADDRESS, USER

    def __enter__(self) -> Self:
        """Starts it; raises FleetUnavailable where the simulator or ipmitool is missing."""
        for needed, package in (("ipmi_sim", "openipmi"), ("ipmitool", "ipmitool")):
            program(needed, package)
        self._owner = somebody()
        self.folder = private_folder(self._owner)
        self.password = secrets.token_hex(8)  # IPMI 1.5 has room for 16 characters
        self._marks = itertools.count(1)
        try:
            for name, text in (("commands", _commands()), ("power", "1\n"), ("chassis", _CHASSIS)):
                keep(self.folder / name, text, self._owner)
            self._process, self.port = serve(self.folder, self._command, self._prompts, self._owner)
            self._remember()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends it and removes its folder."""
        if hasattr(self, "_process"):
            end(self._process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def ipmitool(self, *words: str, interface: str = "lanplus") -> str:
        """What ipmitool prints when it is told this (`interface` is lan or lanplus); AssertionError where it fails."""
        cipher = ("-C", "3") if interface == "lanplus" else ()  # the simulator cannot be asked for its cipher suites
        way = ("-I", interface, *cipher, "-H", self.address, "-p", str(self.port), "-U", self.user, "-E")
        done = subprocess.run(
            [program("ipmitool", "ipmitool"), *way, "-N", "2", "-R", "3", *words],
            env=own_environment(self.folder) | {"IPMI_PASSWORD": self.password},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"ipmitool {' '.join(words)}: {done.stderr}"
        return done.stdout

    def console(self, command: str) -> str:
        """Has the simulator do a command of ipmi_sim_cmd(5); what it says to it, AssertionError where it refuses."""
        assert self._process.stdin is not None
        begin, mark = (self.folder / LOG).stat().st_size, f"mark{next(self._marks)}"
        self._process.stdin.write(f"{command}\n{mark}\n".encode())  # it does not know the second: its answer is the end
        self._process.stdin.flush()
        end = f"**Unknown command: {mark}"
        wait_until(self._process, lambda: end in self._said(begin))
        said = self._said(begin).partition(end)[0]
        assert "**" not in said, f"{command}: {said}"
        return said

    def sensor(self, name: str) -> Sensor:
        """One of its sensors."""
        return next(one for one in SENSORS if one.name == name)

    def read(self, name: str, value: float) -> None:
        """From now on a sensor reads this, in its unit; the log gets what its thresholds have to say."""
        sensor = self.sensor(name)
        self.console(f"sensor_set_value 0x20 0 {sensor.number} {sensor.raw(value)} 1")

    def log(self, event: Event) -> None:
        """One more entry in the event log, of this moment."""
        code, offset = event
        happened = (0x04, code, 0, 0x6F, offset, 0xFF, 0xFF)  # sensor 0, which is not described
        self.console(f"sel_add 0x20 2 0 0 0 0 0x20 0 {' '.join(map(str, happened))}")

    def entries(self) -> tuple[int, ...]:
        """The numbers of the event log's entries."""
        lines = self.ipmitool("sel", "list").splitlines()
        return tuple(int(found[1], 16) for line in lines if (found := re.match(r" *([0-9a-f]+) \|", line)))

    # --- how it is made -----------------------------------------------------------------------------------------------

    def _command(self, port: int) -> list[str]:
        """How it is started on a port: that one stands in its configuration."""
        keep(self.folder / "lan.conf", _configuration(port, self.password), self._owner)
        return [program("ipmi_sim", "openipmi"), "-c", "lan.conf", "-f", "commands", "-s", str(self.folder)]

    def _prompts(self, _port: int) -> bool:
        return self._said(0).endswith("> ")  # the port is open, the commands are done

    def _said(self, begin: int) -> str:
        return (self.folder / LOG).read_bytes()[begin:].decode(errors="replace")

    def _remember(self) -> None:
        """It is told what time it is, and then what has happened to it."""
        refused = [line for line in self._said(0).splitlines() if line.startswith("**")]
        if refused:
            raise FleetUnavailable(f"this ipmi_sim does not understand: {'; '.join(refused)}")
        self.ipmitool("sel", "time", "set", "now")
        for event in HISTORY:
            self.log(event)


def _configuration(port: int, password: str) -> str:
    """ipmi_lan(5)."""
    return f"""\
name "bmc"
startlan 1
  addr {ADDRESS} {port}
  priv_limit admin
  allowed_auths_user md5
  allowed_auths_operator md5
  allowed_auths_admin md5
  guid {secrets.token_hex(16)}
endlan
chassis_control "sh chassis"
user 2 true "{USER}" "{password}" admin 10 md5
"""


def _commands() -> str:
    """ipmi_sim_cmd(5): what the BMC is made of. Bits are written highest first."""
    lines = [
        "mc_setbmc 0x20",
        "mc_add 0x20 0x20 no-device-sdrs 1 1 2 0x9f 0 1",  # the maker of number 0 does not exist
        "sel_enable 0x20 200 0x0a",
    ]
    plate = _plate("Maintops Lab", "Rack Server", "LAB-1", "1", "SN-0001", "", "")
    lines.append(f"mc_add_fru_data 0x20 0 256 data {' '.join(map(str, plate))}")
    for one in SENSORS:
        events = f"{one.events:015b}"
        lines += [
            f"sensor_add 0x20 0 {one.number} {one.kind.code} 1",
            f"sensor_set_threshold 0x20 0 {one.number} readable {one.has:06b} "
            + " ".join(map(str, reversed(one.thresholds))),
            f"sensor_set_event_support 0x20 0 {one.number} enable scanning per-state " + " ".join([events] * 4),
            f"sensor_set_value 0x20 0 {one.number} {one.raw(one.reads)} 0",
            f"main_sdr_add 0x20 {' '.join(map(str, _record(one)))}",
        ]
    return "\n".join([*lines, "mc_enable 0x20", ""])


# --- faults -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _as_it_was(bmc: Bmc) -> Iterator[None]:
    """What enters the event log meanwhile is taken out of it."""
    before = bmc.entries()
    try:
        yield
    finally:
        for entry in set(bmc.entries()).difference(before):
            bmc.ipmitool("sel", "delete", str(entry))


@contextlib.contextmanager
def sensor_reads(bmc: Bmc, name: str, value: float) -> Iterator[str]:
    """A sensor reads something else, in its unit, and the log has what its thresholds say to it; the sensor's name."""
    with _as_it_was(bmc):
        bmc.read(name, value)
        try:
            yield name
        finally:
            bmc.read(name, bmc.sensor(name).reads)


@contextlib.contextmanager
def event_logged(bmc: Bmc, event: Event) -> Iterator[int]:
    """The event log has one more entry; its number."""
    with _as_it_was(bmc):
        bmc.log(event)
        yield bmc.entries()[-1]


@contextlib.contextmanager
def powered_off(bmc: Bmc) -> Iterator[None]:
    """The server is switched off; its BMC is not."""
    bmc.ipmitool("chassis", "power", "off")
    try:
        yield
    finally:
        bmc.ipmitool("chassis", "power", "on")
