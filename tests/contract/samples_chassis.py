"""Answers about the chassis, made up: sensors and events of a BMC, memory, boards, ports, parts and firmware."""

from __future__ import annotations

IPMI_SENSORS = b"""\
Inlet Temp,23,degrees C,ok,7.1,System Board,Temperature,23.000,10.000,27.000,,47.000,42.000,,-7.000,3.000,-128.000,127
Temp,91,degrees C,Upper Critical,3.1,Processor,Temperature,,,,,90.000,85.000,,3.000,8.000,-128.000,127.000
Temp,,,ns,3.2,Processor,Temperature,,,,,90.000,85.000,,3.000,8.000,-128.000,127.000
Fan1A,6960,RPM,ok,7.1,System Board,Fan,10080.000,,,,,,,600.000,840.000,0.000,30600.000
Fan Redundancy,75h,ok,7.1,Fully Redundant
Current 1,0.400,Amps,ok,10.1,Power Supply,Current,1.000,,,,,,,,,0.000,25.500
PS Redundancy,77h,ok,7.1,Redundancy Lost
Status,85h,ok,10.1,Presence detected
Status,86h,ok,10.2,Presence detected, Power Supply AC lost
Intrusion,73h,ok,7.1,
Power Supply 3,0,Watts,ok,10.3,Presence detected, Failure detected
Drive 4,64h,ok,4.4,Drive Present, Drive Fault
vFlash,f0h,ns,11.1,No Reading
"""

IPMI_ROWS = b"""\
System Temp      | 33.000     | degrees C  | ok    | -10.000   | -5.000    | 0.000     | 80.000    | 85.000    | 90.000
FAN5             | na         |            | na    | na        | na        | na        | na        | na        | na
Chassis Intru    | 0x1        | discrete   | 0x0100| na        | na        | na        | na        | na        | na
PS1 Status       | 0x1        | discrete   | 0x0b00| na        | na        | na        | na        | na        | na
"""

IPMI_ELIST = b"""\
Fan1A RPM        | 30h | ucr |  7.1 | 18600 RPM
PS1 Status       | C8h | ok  | 10.1 | Presence detected, Failure detected
PSU Alert        | 34h | ns  | 208.1 | Event-Only
"""

IPMI_VERBOSE = b"""\
Sensor ID              : Pwr Unit Redund (0x2)
 Entity ID             : 21.1 (Power Management)
 Sensor Type (Discrete): Power Unit (0x09)
 Sensor Reading        : 0h
 Event Message Control : Per-threshold
 States Asserted       : Power Unit
                         [Redundancy Lost]
 Assertions Enabled    : Power Unit
                         [Fully Redundant]
 OEM                   : 0

Sensor ID              : CPU Temp (0x1)
 Entity ID             : 3.1 (Processor)
 Sensor Type (Threshold)  : Temperature (0x01)
 Sensor Reading        : 96 (+/- 0) degrees C
 Status                : Upper Critical
 Upper critical        : 95.000
 Upper non-critical    : 90.000
 Lower non-critical    : 5.000
"""

IPMI_EVENTS = b"""\
=info
 SEL Information
 Version          : 1.5 (v1.5, v2 compliant)
 Entries          : 6
 Free Space       : 1120 bytes
 Percent Used     : 93%
 Last Add Time    : 09/11/2025 06:57:38 PM EDT
 Last Del Time    : Not Available
 Overflow         : false
.0
=list
    1 | 08/17/2025 | 02:31:44 | Event Logging Disabled SEL | Log area reset/cleared | Asserted
    2 |  Pre-Init  |0000000085| System ACPI Power State ACPI_Stat | S0/G0: working | Asserted
   1a | 08/17/25 | 10:08:02 PM EST | Fan FAN1 | Lower Critical going low  | Asserted | Reading 0 < Threshold 500 RPM
   1b | 08/17/25 | 22:08:09 CET | Fan FAN1 | Lower Critical going low  | Deasserted | Reading 900 > Threshold 500 RPM
   1c | 11/04/2025 | 16:04:40 | OEM record dd | 000137 | 000100018400
   1d | Linux kernel panic: Fatal excep
   1e | 11/05/2025 | 16:04:40 | Memory #0x02 | Uncorrectable ECC (UnCorrectable ECC |  DIMMD7) | Asserted
.0
"""

MEMORY = b"""\
=edac
 mc0/mc_name:Skylake Socket#0 IMC#0
 mc0/ce_count:7
 mc0/ce_noinfo_count:0
 mc0/ue_count:0
 mc0/ue_noinfo_count:0
 mc0/dimm0/dimm_ce_count:7
 mc0/dimm0/dimm_label:CPU_SrcID#0_MC#0_Chan#0_DIMM#0
 mc0/dimm0/dimm_location:channel 0 slot 0
 mc0/dimm0/dimm_mem_type:Registered-DDR4
 mc0/dimm0/dimm_ue_count:0
 mc0/dimm0/size:32768
 mc0/dimm1/dimm_label:CPU_SrcID#0_MC#0_Chan#0_DIMM#1
 mc0/dimm1/size:0
.0
=ras
 Memory controller events summary:
 \tCorrected on DIMM Label(s): 'CPU_SrcID#0_MC#0_Chan#0_DIMM#0' location: 0:0:0:-1 errors: 12

 No PCIe AER errors.
.0
"""

SENSORS = b"""\
coretemp-isa-0000
Adapter: ISA adapter
Package id 0:
  temp1_input: 45.000
  temp1_max: 80.000
  temp1_crit: 100.000
  temp1_crit_alarm: 0.000

nct6798-isa-02a0
Adapter: ISA adapter
in0:
  in0_input: 0.696
  in0_min: 0.000
  in0_max: 1.744
  in0_alarm: 0.000
fan2:
  fan2_input: 300.000
  fan2_min: 600.000
  fan2_alarm: 1.000
intrusion0:
  intrusion0_alarm: 1.000

"""

SENSORS_JSON = b"""\
{
   "coretemp-isa-0000":{
      "Adapter": "ISA adapter",
      "Package id 0":{
ERROR: Can't get value of subfeature temp1_input: Can't read
         "temp1_max": 80.000,
         "temp1_crit": nan,
      },
      "Core 0":{
         "temp2_input": 81.000,
         "temp2_max": 80.000
      }
   },
}
"""

PORTS = b"""\
=settings eno1
 Settings for eno1:
 \tSupported ports: [ TP ]
 \tSupported link modes:   100baseT/Full
 \t                        1000baseT/Full
 \t                        10000baseT/Full
 \tLink partner advertised link modes:  1000baseT/Full
 \t                                     10000baseT/Full
 \tSpeed: 1000Mb/s
 \tDuplex: Full
 \tAuto-negotiation: on
 \tPort: Twisted Pair
 \tLink detected: yes
.0
=driver eno1
 driver: ixgbe
 version: 5.15.0
 firmware-version: 0x800003e7, 1.1824.0
 bus-info: 0000:19:00.0
.0
=settings ens1
 Settings for ens1:
 \tSupported link modes:   25000baseSR/Full
 \tSpeed: 25000Mb/s
 \tDuplex: Full
 \tPort: FIBRE
 \tLink detected: yes
.0
=optics ens1
 \tIdentifier                                : 0x11 (QSFP28)
 \tVendor name                               : EXAMPLE
 \tModule temperature                        : 34.29 degrees C / 93.72 degrees F
 \tTransmit avg optical power (Channel 1)    : 0.4678 mW / -3.30 dBm
 \tTransmit avg optical power (Channel 2)    : 0.0000 mW / -inf dBm
 \tRcvr signal avg optical power(Channel 1)  : 0.0040 mW / -24.00 dBm
 \tLaser rx power low alarm    (Channel 1)   : On
 \tLaser rx power high warning (Channel 1)   : Off
.0
=counters
 eno1/statistics/rx_crc_errors:17
 eno1/statistics/rx_errors:17
 ens1/statistics/rx_crc_errors:0
.0
"""

INVENTORY = b"""\
# dmidecode 3.3
Getting SMBIOS data from sysfs.
SMBIOS 3.2.1 present.

Handle 0x0000, DMI type 0, 26 bytes
BIOS Information
\tVendor: Example BIOS
\tVersion: 2.10.2
\tRelease Date: 02/24/2021
\tCharacteristics:
\t\tPCI is supported

Handle 0x0100, DMI type 1, 27 bytes
System Information
\tManufacturer: Example Inc.
\tProduct Name: Server 740
\tSerial Number: ABC1234
\tUUID: 4c4c4544-0042-3010-8044-b1c04f4e4d32

Handle 0x0400, DMI type 4, 48 bytes
Processor Information
\tSocket Designation: CPU1
\tManufacturer: Example
\tVersion: Example 6130 @ 2.10GHz
\tStatus: Populated, Enabled
\tCore Count: 16
\tCore Enabled: 16
\tThread Count: 32

Handle 0x1100, DMI type 17, 84 bytes
Memory Device
\tSize: 32 GB
\tLocator: A1
\tBank Locator: Not Specified
\tType: DDR4
\tSpeed: 2666 MT/s
\tManufacturer: 00AD00B300AD
\tSerial Number: 5123ABCD
\tPart Number: HMA84GR7AFR4N-VK
\tConfigured Memory Speed: 2400 MT/s

Handle 0x1101, DMI type 17, 84 bytes
Memory Device
\tSize: No Module Installed
\tLocator: A2
"""

FIRMWARE = b"""\
=bios
 /sys/class/dmi/id/bios_vendor:Example BIOS
 /sys/class/dmi/id/bios_version:2.10.2
 /sys/class/dmi/id/bios_date:02/24/2021
.0
=bmc
 Device ID                 : 32
 Firmware Revision         : 4.40
 Manufacturer Name         : Example
 Aux Firmware Rev Info     :
     0x00
     0x0a
     0x1d
     0x00
.0
=cpu
 microcode\t: 0x2006b06
 model name\t: Example 6130 @ 2.10GHz
.0
=kernel
 5.15.0-91-generic
.0
=port eno1
 driver: ixgbe
 firmware-version: 0x800003e7
.0
=vulnerabilities
 /sys/devices/system/cpu/vulnerabilities/mds:Vulnerable: Clear CPU buffers attempted, no microcode; SMT vulnerable
 /sys/devices/system/cpu/vulnerabilities/itlb_multihit:KVM: Mitigation: VMX disabled
 /sys/devices/system/cpu/vulnerabilities/meltdown:Not affected
.0
"""

SAMPLES: dict[str, list[bytes]] = {
    "ipmi-sensors": [IPMI_SENSORS, IPMI_ROWS, IPMI_ELIST, IPMI_VERBOSE],
    "ipmi-events": [IPMI_EVENTS],
    "memory-errors": [MEMORY],
    "lm-sensors": [SENSORS, SENSORS_JSON],
    "network-ports": [PORTS],
    "hardware-inventory": [INVENTORY],
    "firmware": [FIRMWARE],
}
