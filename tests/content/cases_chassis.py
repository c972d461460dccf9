"""The chassis's cases in the monthly hardware check: BMC, memory, board sensors, ports, parts and firmware."""

from __future__ import annotations

from tests.content.cases import Case, Told, check, in_parts, told

# --- sensors of the BMC: ipmitool -c -v sdr elist ---------------------------------------------------------------------

_LIMITS_CPU = "3.1,Processor,Temperature,,,,,95.000,90.000,,3.000,8.000,-128.000,127.000"
_LIMITS_FAN = "7.1,System Board,Fan,10080.000,,,,,,,600.000,840.000,0.000,30600.000"
_LIMITS_12V = "7.1,System Board,Voltage,12.000,,,,13.200,12.960,,10.270,10.780,0.000,16.000"


def _cpu(celsius: str, status: str = "ok") -> str:
    return f"CPU1 Temp,{celsius},degrees C,{status},{_LIMITS_CPU}\n"


def _fan(rpm: str, status: str = "ok") -> str:
    return f"Fan1A RPM,{rpm},RPM,{status},{_LIMITS_FAN}\n"


def _supply(said: str, redundancy: str = "Fully Redundant") -> Told:
    return told(
        f"PS1 Status,c8h,ok,10.1,Presence detected\nPS2 Status,c9h,ok,10.2,{said}\n"
        f"PS Redundancy,77h,ok,7.1,{redundancy}\n"
    )


def _drive(said: str) -> Told:
    return told(f"Drive 3,63h,ok,4.3,Drive Present\nDrive 4,64h,ok,4.4,{said}\n")


_BMC_SENSORS = [
    check(
        "HW-200",
        fires=told(_cpu("96", "Upper Critical") + _fan("6960")),
        silent=told(_cpu("52") + "CPU Margin,-40,degrees C,ok\n"),
        says="CPU1 Temp reads 96.0 degrees C, which the BMC calls critical",
        severity="critical",
    ),
    check(
        "HW-200",
        name="close",
        fires=told(_cpu("91")),
        silent=told(_cpu("89")),
        says="CPU1 Temp reads 91.0 °C, close to its critical limit of 95.0 °C",
    ),
    check(
        "HW-200",
        name="warning",
        fires=told(_cpu("92", "Upper Non-Critical")),
        silent=told("P1 Therm Trip,30h,ok,3.1,\n"),
        says="and the BMC warns of it",
    ),
    check(
        "HW-201",
        fires=told(_fan("480", "Lower Critical")),
        silent=told(_fan("6960") + "Fan Redundancy,75h,ok,7.1,Fully Redundant\n"),
        says="Fan1A RPM reads 480.0 RPM, which the BMC calls critical",
        severity="critical",
    ),
    check(
        "HW-201",
        name="redundancy",
        fires=told("Fan Redundancy,75h,ok,7.1,Redundancy Lost\n"),
        silent=told("Fan 3,1ch,ok,29.3,Transition to Running\n"),
        says="Redundancy Lost: no further fan may fail",
        severity="critical",
    ),
    check("HW-201", name="still", fires=told("FAN9,0,RPM,ok\n"), silent=told("FAN9,900,RPM,ok\n"), says="stands still"),
    check(
        "HW-202",
        fires=told(f"12V,10.1,Volts,Lower Critical,{_LIMITS_12V}\n"),
        silent=told(f"12V,12.1,Volts,ok,{_LIMITS_12V}\n"),
        says="12V reads 10.1 Volts",
        severity="critical",
    ),
    check(
        "HW-203",
        fires=_supply("Presence detected, Failure detected, Power Supply AC lost"),
        silent=_supply("Presence detected"),
        says="PS2 Status gets no power or the wrong one: Presence detected, Failure detected, Power Supply AC lost",
        severity="critical",
    ),
    check(
        "HW-203",
        name="failed",
        fires=_supply("Presence detected, Failure detected"),
        silent=_supply("Presence detected"),
        says="PS2 Status has failed",
        severity="critical",
    ),
    check(
        "HW-203",
        name="pulled",
        fires=(_supply("Presence detected"), _supply("")),
        silent=(_supply(""), _supply("Presence detected")),
        says="PS2 Status was there in the last record and is not there now",
        severity="critical",
    ),
    check(
        "HW-203",
        name="redundancy",
        fires=_supply("Presence detected", "Redundancy Lost"),
        silent=_supply("Presence detected"),
        says="The power is not redundant any more: Redundancy Lost",
        severity="critical",
    ),
    check(
        "HW-203",
        name="soon",
        fires=_supply("Presence detected, Predictive failure"),
        silent=_supply("Presence detected"),
        says="Predictive failure",
    ),
    check(
        "HW-204",
        fires=told("Intrusion,73h,ok,7.1,General Chassis intrusion\n"),
        silent=told("Intrusion,73h,ok,7.1,\n"),
        says="Intrusion: General Chassis intrusion",
    ),
    check(
        "HW-205",
        fires=_drive("Drive Present, Drive Fault"),
        silent=_drive("Drive Present"),
        says="Drive 4 has failed: Drive Present, Drive Fault",
        severity="critical",
    ),
    check(
        "HW-205",
        name="soon",
        fires=_drive("Drive Present, Predictive Failure"),
        silent=_drive("Drive Present, Hot Spare"),
        says="Predictive Failure",
    ),
    check(
        "HW-205",
        name="pulled",
        fires=(_drive("Drive Present"), _drive("")),
        silent=_drive(""),
        says="Drive 4 had a disk in the last record and has none now",
    ),
    check(
        "HW-206",
        fires=told("CPU1 Status,70h,ok,3.1,IERR\nDIMM A1,80h,ok,32.1,Presence Detected\n"),
        silent=told("CPU1 Status,70h,ok,3.1,Presence detected\nDIMM A1,80h,ok,32.1,Presence Detected\n"),
        says="The BMC reports a fault of CPU1 Status (processor)",
        severity="critical",
    ),
    check(
        "HW-206",
        name="memory",
        fires=told("DIMM A1,80h,ok,32.1,Correctable ECC, Presence Detected\n"),
        silent=told("CMOS Battery,81h,ok,40.1,\n"),
        says="The BMC warns of DIMM A1 (memory)",
    ),
]

# --- the BMC's event log ----------------------------------------------------------------------------------------------

_CLEARED = "   1 | 08/17/2025 | 02:31:44 | Event Logging Disabled SEL | Log area reset/cleared | Asserted\n"
_BOOT = "   2 | 08/18/2025 | 09:00:01 | System Event #0x83 | Timestamp Clock Sync | Asserted\n"
_ECC = "   3 | 08/19/2025 | 11:12:13 | Memory #0x02 | Uncorrectable ECC (DIMMD7) | Asserted\n"
_CORRECTED = "   3 | 08/19/2025 | 11:12:13 | Memory #0x02 | Correctable ECC | Asserted\n"
_LOST = "   3 | 08/19/2025 | 11:12:13 | Power Supply PS2 Status | Power Supply AC lost | Asserted\n"
_BACK = "   4 | 08/19/2025 | 11:15:00 | Power Supply PS2 Status | Power Supply AC lost | Deasserted\n"


def _info(used: int = 3, overflow: str = "false") -> str:
    return (
        "SEL Information\nVersion          : 1.5 (v1.5, v2 compliant)\nEntries          : 4\n"
        f"Free Space       : 8000 bytes\nPercent Used     : {used}%\nOverflow         : {overflow}\n"
    )


def _log(*entries: str) -> Told:
    return in_parts({"info": _info(), "list": "".join(entries)})


_EVENTS = [
    check(
        "HW-210",
        fires=(_log(_CLEARED, _BOOT), _log(_CLEARED, _BOOT, _ECC)),
        silent=(_log(_CLEARED), _log(_CLEARED, _BOOT)),
        says="New in the event log: 3 2025-08-19 11:12:13 Memory #0x02: Uncorrectable ECC (DIMMD7)",
        severity="critical",
    ),
    check(
        "HW-210",
        name="open",
        fires=_log(_CLEARED, _LOST),
        silent=_log(_CLEARED, _LOST, _BACK),
        says="1 critical events in the log, and nothing that ended them; the latest: 3 2025-08-19 11:12:13",
    ),
    check(
        "HW-210",
        name="warning",
        fires=(_log(_CLEARED), _log(_CLEARED, _CORRECTED)),
        silent=(_log(_CLEARED, _CORRECTED), _log(_CLEARED, _CORRECTED)),
        says="Memory #0x02: Correctable ECC",
    ),
    check(
        "HW-210",
        name="cleared",
        fires=(_log(_CLEARED, _BOOT), _log(_CLEARED)),
        silent=(_log(_CLEARED), _log(_CLEARED)),
        says="cleared since the last record",
        severity="info",
    ),
    check(
        "HW-211",
        fires=in_parts({"info": _info(used=81)}),
        silent=in_parts({"info": _info(used=79)}),
        says="The event log is 81 % full",
    ),
    check(
        "HW-211",
        name="overflow",
        fires=in_parts({"info": _info(overflow="true")}),
        silent=in_parts({"info": _info()}),
        says="overflowed",
    ),
]

# --- memory and board -------------------------------------------------------------------------------------------------


def _memory(corrected: int, uncorrected: int = 0, unlocated: int = 0) -> Told:
    return in_parts(
        {
            "edac": f"mc0/ce_count:{corrected}\nmc0/ce_noinfo_count:0\nmc0/ue_noinfo_count:{unlocated}\n"
            f"mc0/dimm0/dimm_label:CPU0_A1\nmc0/dimm0/size:16384\nmc0/dimm0/dimm_ce_count:{corrected}\n"
            f"mc0/dimm0/dimm_ue_count:{uncorrected}\n"
        }
    )


def _logged(errors: int) -> Told:
    label = f"\tUncorrected on DIMM Label(s): 'CPU0_A1' location: 0:0:0:-1 errors: {errors}\n" if errors else ""
    ras = f"Memory controller events summary:\n{label}\nNo PCIe AER errors.\n"
    return in_parts({"edac": "mc0/dimm0/dimm_label:CPU0_A1\nmc0/dimm0/dimm_ce_count:0\n", "ras": ras})


def _chip(name: str, *lines: str) -> Told:
    return told(f"{name}\nAdapter: ISA adapter\n" + "".join(f"{line}\n" for line in lines) + "\n")


def _core(celsius: float, alarm: int = 0) -> Told:
    limits = ("  temp1_max: 80.000", "  temp1_crit: 100.000", f"  temp1_crit_alarm: {alarm}.000")
    return _chip("coretemp-isa-0000", "Core 0:", f"  temp1_input: {celsius:.3f}", *limits)


def _board_fan(rpm: int, low: int = 0) -> Told:
    return _chip("nct6798-isa-02a0", "fan2:", f"  fan2_input: {rpm}.000", f"  fan2_min: {low}.000")


def _board_volts(volts: float, alarm: int = 0) -> Told:
    lines = (f"  in1_input: {volts:.3f}", "  in1_min: 11.400", "  in1_max: 12.600", f"  in1_alarm: {alarm}.000")
    return _chip("nct6798-isa-02a0", "+12V:", *lines)


_BOARD = [
    check(
        "HW-220",
        fires=_memory(0, uncorrected=1),
        silent=_memory(0),
        says="CPU0_A1: 1 errors could not be corrected",
        severity="critical",
    ),
    check(
        "HW-220",
        name="growth",
        fires=(_memory(3), _memory(40)),
        silent=(_memory(3), _memory(4)),
        says="CPU0_A1: 37 more corrected errors than in the last record",
    ),
    check("HW-220", name="many", fires=_memory(100), silent=_memory(99), says="100 errors were corrected"),
    check(
        "HW-220",
        name="unlocated",
        fires=_memory(0, unlocated=2),
        silent=_memory(0),
        says="mc0: 2 errors of an unknown module",
        severity="critical",
    ),
    check(
        "HW-220",
        name="logged",
        fires=(_logged(0), _logged(2)),
        silent=(_logged(2), _logged(2)),
        says="2 new errors that could not be corrected",
        severity="critical",
    ),
    check(
        "HW-230",
        fires=_core(101),
        silent=_core(45),
        says="coretemp-isa-0000/Core 0 reads 101.0 °C, its critical limit is 100.0 °C",
        severity="critical",
    ),
    check("HW-230", name="warm", fires=_core(85), silent=_core(79), says="reads 85.0 °C, its limit is 80.0 °C"),
    check("HW-230", name="alarm", fires=_core(60, alarm=1), silent=_core(60), says="its chip raises an alarm"),
    check(
        "HW-231",
        fires=_board_fan(300, low=600),
        silent=_board_fan(900, low=600),
        says="nct6798-isa-02a0/fan2 turns at 300.0 rpm, its lower limit is 600.0 rpm",
        severity="critical",
    ),
    check(
        "HW-231",
        name="still",
        fires=(_board_fan(900), _board_fan(0)),
        silent=(_board_fan(0), _board_fan(0)),
        says="stands still; it turned at 900.0 rpm",
        severity="critical",
    ),
    check("HW-231", name="volts", fires=_board_volts(11.1), silent=_board_volts(12.1), says="reads 11.1 V"),
    check(
        "HW-231",
        name="alarm",
        fires=_board_volts(12.0, alarm=1),
        silent=_chip(
            "nct6798-isa-02a0", "in3:", "  in3_input: 0.5", "  in3_min: 0.0", "  in3_max: 0.0", "  in3_alarm: 1.0"
        ),
        says="+12V (voltage): its chip raises an alarm",
    ),
]

# --- network ports ----------------------------------------------------------------------------------------------------


def _settings(speed: int = 10000, duplex: str = "Full", partner: int = 10000, port: str = "Twisted Pair") -> str:
    return (
        "Settings for eno1:\n\tSupported ports: [ TP ]\n\tSupported link modes:   1000baseT/Full\n"
        "\t                        10000baseT/Full\n\tSupports auto-negotiation: Yes\n"
        f"\tLink partner advertised link modes:  1000baseT/Full {partner}baseT/Full\n"
        f"\tSpeed: {speed}Mb/s\n\tDuplex: {duplex}\n\tPort: {port}\n\tLink detected: yes\n"
    )


def _port(**how: int | str) -> Told:
    return in_parts({"settings eno1": _settings(**how)})  # type: ignore[arg-type]  # each word goes to the one of its name


def _counters(crc: int = 0, errors: int = 0, missed: int = 0, sent: int = 0) -> Told:
    counts = {"rx_crc_errors": crc, "rx_errors": errors, "rx_missed_errors": missed, "tx_errors": sent}
    lines = "".join(f"eno1/statistics/{name}:{count}\n" for name, count in counts.items())
    return in_parts({"settings eno1": _settings(), "counters": lines})


def _optics(alarm: str = "Off", warning: str = "Off", dbm: float = -3.1) -> Told:
    module = (
        "\tIdentifier                                : 0x03 (SFP)\n\tVendor name         : EXAMPLE\n"
        "\tOptical diagnostics support               : Yes\n\tLaser output power  : 0.4678 mW / -3.30 dBm\n"
        f"\tReceiver signal average optical power     : 0.4000 mW / {dbm:.2f} dBm\n"
        "\tModule temperature                        : 34.29 degrees C / 93.72 degrees F\n"
        f"\tLaser rx power low alarm                  : {alarm}\n"
        f"\tLaser rx power low warning                : {warning}\n"
    )
    return in_parts({"settings eno1": _settings(port="FIBRE"), "optics eno1": module})


_NO_LINK = "Settings for eno1:\n\tSpeed: Unknown!\n\tDuplex: Unknown! (255)\n\tLink detected: no\n"

_PORTS = [
    check(
        "HW-243",
        fires=(_port(), in_parts({"settings eno1": _NO_LINK})),
        silent=(_port(), _port()),
        says="eno1 has lost its link",
        severity="critical",
    ),
    check(
        "HW-240",
        fires=_port(speed=1000),
        silent=_port(),
        says="eno1 runs at 1000 Mbit/s; both ends can do more",
    ),
    check("HW-240", name="duplex", fires=_port(duplex="Half"), silent=_port(), says="eno1 runs at half duplex"),
    check(
        "HW-240",
        name="slower",
        fires=(_port(), _port(speed=1000, partner=1000)),
        silent=(_port(speed=1000, partner=1000), _port(speed=1000, partner=1000)),
        says="eno1 runs at 1000 Mbit/s; it was 10000 in the last record",
    ),
    check(
        "HW-241",
        fires=(_counters(crc=5, errors=5), _counters(crc=505, errors=505)),
        silent=(_counters(crc=5), _counters(crc=6)),
        says="eno1: 500 more packets with a wrong checksum than in the last record",
    ),
    check(
        "HW-241",
        name="sent",
        fires=(_counters(), _counters(sent=100)),
        silent=(_counters(sent=100), _counters()),
        says="100 more packets could not be sent",
    ),
    check(
        "HW-241",
        name="room",
        fires=(_counters(), _counters(missed=20000)),
        silent=(_counters(), _counters(missed=20)),
        says="20000 more packets found no room",
    ),
    check(
        "HW-242",
        fires=_optics(alarm="On", warning="On"),
        silent=_optics(),
        says="The module in eno1 raises alarms: Laser rx power low",
        severity="critical",
    ),
    check("HW-242", name="warning", fires=_optics(warning="On"), silent=_optics(), says="warns: Laser rx power low"),
    check(
        "HW-242",
        name="fading",
        fires=(_optics(dbm=-3.1), _optics(dbm=-9.5)),
        silent=(_optics(dbm=-3.1), _optics(dbm=-3.6)),
        says="eno1 receives -9.5 dBm; it was -3.1 dBm in the last record",
    ),
]

# --- parts and firmware -----------------------------------------------------------------------------------------------


def _machine(serial: str = "ABC1234", product: str = "Server 740") -> Told:
    return told(
        "# dmidecode 3.3\nGetting SMBIOS data from sysfs.\n\nHandle 0x0100, DMI type 1, 27 bytes\nSystem Information\n"
        f"\tManufacturer: Example Inc.\n\tProduct Name: {product}\n\tVersion: Not Specified\n"
        f"\tSerial Number: {serial}\n"
        "\tUUID: 4c4c4544-0042-3010-8044-b1c04f4e4d32\n\n"
    )


def _module(slot: str, serial: str = "5123ABCD", speed: int = 2666) -> str:
    return (
        f"Handle 0x1100, DMI type 17, 84 bytes\nMemory Device\n\tSize: 32 GB\n\tLocator: {slot}\n\tType: DDR4\n"
        f"\tManufacturer: Example\n\tSerial Number: {serial}\n\tPart Number: HMA84\n"
        f"\tConfigured Memory Speed: {speed} MT/s\n\n"
    )


def _empty(slot: str) -> str:
    return f"Handle 0x1101, DMI type 17, 84 bytes\nMemory Device\n\tSize: No Module Installed\n\tLocator: {slot}\n\n"


def _processor(cores: int) -> Told:
    return told(
        "Handle 0x0400, DMI type 4, 48 bytes\nProcessor Information\n\tSocket Designation: CPU1\n"
        f"\tStatus: Populated, Enabled\n\tCore Count: 16\n\tCore Enabled: {cores}\n\n"
    )


def _bios(version: str, date: str) -> Told:
    folder = "/sys/class/dmi/id"
    files = f"{folder}/bios_vendor:Example\n{folder}/bios_version:{version}\n{folder}/bios_date:{date}\n"
    return in_parts({"bios": files})


def _microcode(*revisions: str) -> Told:
    return in_parts({"cpu": "".join(f"microcode\t: {one}\n" for one in revisions), "kernel": "5.15.0-91-generic\n"})


def _kernel(version: str) -> Told:
    return in_parts({"kernel": f"{version}\n"})


def _flaws(said: str) -> Told:
    folder = "/sys/devices/system/cpu/vulnerabilities"
    return in_parts({"vulnerabilities": f"{folder}/mds:{said}\n{folder}/meltdown:Not affected\n"})


_NEW = ("2.10.2", "02/24/2021")
_OLD = ("2.8.1", "06/30/2020")

_PARTS = [
    check(
        "HW-250",
        fires=(_machine(), _machine("XYZ9999")),
        silent=(_machine(), _machine()),
        says="system has another serial number: XYZ9999, it was ABC1234",
    ),
    check(
        "HW-250",
        name="product",
        fires=(_machine(), _machine(product="Server 940")),
        silent=_machine("Not Specified", "To Be Filled By O.E.M."),
        says="system became another one: Server 940, it was Server 740",
    ),
    check(
        "HW-251",
        fires=(told(_module("A1")), told(_module("A1", "99990000"))),
        silent=(told(_module("A1")), told(_module("A1"))),
        says="memory A1 was exchanged: its serial number is 99990000, it was 5123ABCD",
    ),
    check(
        "HW-251",
        name="speed",
        fires=(told(_module("A1")), told(_module("A1", speed=2133))),
        silent=(told(_module("A1", speed=2133)), told(_module("A1"))),
        says="memory A1 runs at 2133 MT/s; it was 2666 in the last record",
    ),
    check(
        "HW-251",
        name="cores",
        fires=(_processor(16), _processor(14)),
        silent=(_processor(16), _processor(16)),
        says="processor CPU1 has 14 cores; it was 16 in the last record",
    ),
    check(
        "HW-260",
        fires=(_bios(*_NEW), _bios(*_OLD)),
        silent=(_bios(*_NEW), _bios(*_NEW)),
        says="bios has older firmware: 2.8.1, it was 2.10.2",
    ),
    check(
        "HW-260",
        name="newer",
        fires=(_bios(*_OLD), _bios(*_NEW)),
        silent=_bios(*_NEW),
        says="bios has other firmware: 2.10.2, it was 2.8.1",
    ),
    check(
        "HW-261",
        fires=(_kernel("5.15.0-91-generic"), _kernel("5.15.0-89-generic")),
        silent=(_kernel("5.15.0-91-generic"), _kernel("5.15.0-91-generic")),
        says="The kernel became older: 5.15.0-89-generic, it was 5.15.0-91-generic",
    ),
    check(
        "HW-261",
        name="mixed",
        fires=_microcode("0x2006b06", "0x2006e05"),
        silent=_microcode("0x2006e05"),
        says="The cores run different microcode: 0x2006b06 0x2006e05",
    ),
    check(
        "HW-261",
        name="newer",
        fires=(_kernel("5.15.0-89-generic"), _kernel("5.15.0-91-generic")),
        silent=_kernel("5.15.0-91-generic"),
        says="The kernel changed: 5.15.0-91-generic",
        severity="info",
    ),
    check(
        "HW-262",
        fires=_flaws("Vulnerable: Clear CPU buffers attempted, no microcode; SMT vulnerable"),
        silent=_flaws("Mitigation: Clear CPU buffers; SMT vulnerable"),
        says="Nothing mitigates: mds",
    ),
    check(
        "HW-262",
        name="accepted",
        fires=_flaws("Vulnerable"),
        silent=_flaws("Mitigation: PTI"),
        says="Nothing mitigates: mds",
        maintops_accepted_flaws=["meltdown"],
    ),
]

CASES: list[Case] = [*_BMC_SENSORS, *_EVENTS, *_BOARD, *_PORTS, *_PARTS]
