"""What ipmitool prints about sensors, in all of its forms: `sensor`, `sdr list`, `sdr elist`, `-v sdr`, and with -c.

Formats: ipmi_sensor.c and ipmi_sdr.c of ipmitool 1.8. They differ in what they tell: `sensor` has the thresholds, but
of a discrete sensor only its bits; `sdr elist` has its states in words, but no thresholds; `-c -v sdr` and `-v sdr`
have both. Who asks a BMC from the server and who asks it over the network reads the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from maintops.domain.answers import Answer, NotMeasured, UnreadableAnswer
from maintops.probes.answering import decimal, no_tool, refusal, remark

THRESHOLDS = (
    "lower_non_recoverable",
    "lower_critical",
    "lower_non_critical",
    "upper_non_critical",
    "upper_critical",
    "upper_non_recoverable",
)
"""In the order of `ipmitool sensor`."""

_STATUS = {
    "ok": "ok",
    "nc": "non_critical",
    "cr": "critical",
    "nr": "non_recoverable",
    "lnc": "non_critical",
    "lcr": "critical",
    "lnr": "non_recoverable",
    "unc": "non_critical",
    "ucr": "critical",
    "unr": "non_recoverable",
}
_UNREAD = {
    "na": "the sensor gives no reading",
    "ns": "the sensor gives no reading",
    "no reading": "the sensor gives no reading",
    "not readable": "the sensor gives no reading",
    "not available": "the sensor gives no reading",
    "disabled": "the sensor is disabled",
    "device not present": "the sensor's device is not present",
}
_HEX = re.compile(r"0x([0-9a-fA-F]{4})")
_NUMBER = re.compile(r"([0-9a-fA-F]{1,2})h")
_ENTITY = re.compile(r" *([0-9]{1,3})\.([0-9]{1,3}) *")
_VALUE = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?)(?: \(\+/- [^)]*\))? +([A-Za-z%/].*)")
_NO_BMC = re.compile(r"could not open device at|no such device|unable to (?:open|find) .*(?:ipmi|interface)", re.I)
_CHATTER = re.compile(rb"(?m)^(?:Loading IANA PEN Registry|Running Get (?:PICMG|VSO)).*\n?")  # of -v
_BROKEN = re.compile(r"(?:obtain|renew|cancel)\w* SDR reservation|Get SDR .*(?:failed|timeout)|timeout|timed out", re.I)
_VERBOSE = {f"{one.replace('_', ' ', 1).replace('_', '-')}": one for one in THRESHOLDS}
_VERBOSE |= {
    one.replace("_", " ", 1).replace("_", "-").replace("non critical", "non-critical"): one for one in THRESHOLDS
}


@dataclass(slots=True)
class Sensor:
    """One sensor as far as a form tells of it. `status` is the BMC's verdict over a reading with thresholds, `states`
    are words, `bits` the raw states of a discrete sensor, `type` IPMI's word for what it is."""

    name: str
    number: int | None = None
    type: str = ""
    entity: str = ""
    reading: float | None = None
    unit: str = ""
    status: str | None = None
    states: list[str] | None = None
    bits: int | None = None
    thresholds: dict[str, float] = field(default_factory=dict)
    why_not: str | None = None


def unasked(answer: Answer) -> NotMeasured | None:
    """Why there is no answer of a BMC: no ipmitool, no BMC, no right. None where something was printed.

    Raises UnreadableAnswer where ipmitool died (exit status 128 and more).
    """
    if answer.status is not None and answer.status >= 128:
        raise UnreadableAnswer(f"ipmitool ended by a signal (exit status {answer.status})")
    if answer.stdout.strip():
        return None
    answer = replace(answer, stderr=_CHATTER.sub(b"", answer.stderr))
    if (why := no_tool(answer)) is not None:
        return why
    said = remark(answer)
    if _NO_BMC.search(said):
        return NotMeasured(f"this server has no BMC that its kernel knows: {said}"[:300])
    return refusal(answer)


def interrupted(answer: Answer) -> bool:
    """Whether ipmitool gave up in the middle: what it has not listed is not gone."""
    return bool(answer.status) and _BROKEN.search(answer.stderr.decode("utf-8", "replace")) is not None


def sensors(text: str) -> list[Sensor]:
    """Every sensor of an answer, in its order. Raises UnreadableAnswer where there is none that it knows."""
    lines = [line.rstrip("\r") for line in text.split("\n")]
    if any(line.startswith("Sensor ID ") for line in lines):
        found = list(_verbose(lines))
    else:
        found = [sensor for line in lines if (sensor := _line(line)) is not None]
    if not found:
        first = next((line for line in lines if line.strip()), "")
        raise UnreadableAnswer(f"this is not a list of sensors by ipmitool: {first[:80]!r}")
    return found


def _line(line: str) -> Sensor | None:
    fields = [one.strip() for one in line.split("|")]
    if len(fields) >= 10:
        return _sensor_row(fields)
    if len(fields) >= 5 and _NUMBER.fullmatch(fields[1]) and fields[0]:
        return _elist_row(fields)
    if len(fields) == 3 and fields[0] and fields[2].lower() in (*_STATUS, *_UNREAD):
        return _list_row(fields)
    commas = line.split(",")
    if len(fields) == 1 and len(commas) >= 4:
        return _csv_row([one.strip() for one in commas])
    return None


def _sensor_row(fields: list[str]) -> Sensor | None:
    """`ipmitool sensor`: name, reading, unit, status or bits, and six thresholds."""
    name, reading, unit, status = fields[:4]
    if not name or not (status.lower() in (*_STATUS, *_UNREAD) or _HEX.fullmatch(status)):
        return None
    sensor = Sensor(name, unit="" if unit == "discrete" else unit, thresholds=_thresholds(fields[4:10]))
    if reading.lower() in _UNREAD:
        sensor.why_not = _UNREAD[reading.lower()]
    elif unit == "discrete":
        bits = _HEX.fullmatch(status)
        # the low byte first, and the highest bit is always set (ipmi_sensor.c)
        sensor.bits = int(bits[1][2:] + bits[1][:2], 16) & 0x7FFF if bits else None
        sensor.why_not = None if bits else "the sensor gives no state"
    else:
        _read(sensor, decimal(reading), status)
    return sensor


def _elist_row(fields: list[str]) -> Sensor:
    """`ipmitool sdr elist`: name, number, status, entity, and a reading or states."""
    name, number, status, entity, said = fields[0], fields[1], fields[2], fields[3], fields[4]
    sensor = Sensor(name, int(number[:-1], 16), entity=entity)
    _say(sensor, status, said)
    return sensor


def _list_row(fields: list[str]) -> Sensor:
    """`ipmitool sdr list`: name, reading, status; of a discrete sensor no more than a byte that says nothing."""
    name, said, status = fields
    sensor = Sensor(name)
    if re.fullmatch(r"0x[0-9a-fA-F]{2}", said):
        sensor.why_not = None if status == "ok" else _UNREAD["ns"]
    else:
        _say(sensor, status, said)
    return sensor


def _csv_row(fields: list[str]) -> Sensor | None:
    """`-c sdr` (with -v: type and thresholds as well) and `-c sensor`."""
    name, second, third, fourth = fields[:4]
    if not name:
        return None
    if len(fields) == 10 and (fourth.lower() in (*_STATUS, *_UNREAD) or _HEX.fullmatch(fourth)):
        return _sensor_row(fields)
    if (number := _NUMBER.fullmatch(second)) is not None and third in ("ok", "ns"):
        sensor = Sensor(name, int(number[1], 16), entity=fourth)
        _say(sensor, third, _joined(fields[4:]))
        return sensor
    if not (second == "" or decimal(second) is not None or second.startswith("0x")):
        return None
    if _status(fourth) is None and fourth.lower() not in _UNREAD:
        return None
    sensor = Sensor(name, unit=third)
    if len(fields) > 5 and not _tail(sensor, fields):  # a discrete sensor that has a reading as well
        sensor.entity, sensor.states = fields[4], _states(_joined(fields[5:]))
    if decimal(second) is None:
        sensor.why_not = _UNREAD["ns"]
    elif sensor.states is None:
        _read(sensor, decimal(second), fourth)
    else:
        sensor.reading = decimal(second)
    return sensor


def _tail(sensor: Sensor, fields: list[str]) -> bool:
    """What -c -v adds to a sensor with thresholds: entity, its name, type, three usual values, the upper and the lower
    thresholds from the outside in, and the range. The entity's name may hold commas, so it is counted from the end."""
    if len(fields) < 18 or any(one and decimal(one) is None and not one.startswith("0x") for one in fields[-11:]):
        return False
    sensor.entity, sensor.type = fields[4], fields[-12]
    upper, lower = fields[-8:-5], fields[-5:-2]
    sensor.thresholds = _thresholds([*lower, *reversed(upper)])
    return True


def _joined(fields: list[str]) -> str:
    return ", ".join(one for one in fields if one)


def _verbose(lines: list[str]) -> Iterator[Sensor]:
    """`-v sdr` and `sensor get`: blocks of `Name : value`; asserted states stand in brackets on lines of their own."""
    sensor: Sensor | None = None
    status, asserted = "", False
    for line in lines:
        key, colon, value = (one.strip() for one in line.partition(":"))
        if key == "Sensor ID" and colon:
            if sensor is not None:
                yield _ended(sensor, status)
            named = re.fullmatch(r"(.*?)(?: \(0x([0-9a-fA-F]{1,2})\))?", value)
            sensor = Sensor((named[1] if named else value).strip() or "unnamed")
            sensor.number = int(named[2], 16) if named and named[2] else None
            status, asserted = "", False
        elif sensor is None:
            continue
        elif line.strip().startswith("["):
            if asserted:
                sensor.states = [*(sensor.states or []), line.strip().strip("[]")]
        elif colon:
            asserted = key == "States Asserted"
            status = value if key == "Status" else status
            _property(sensor, key, value)
    if sensor is not None:
        yield _ended(sensor, status)


def _property(sensor: Sensor, key: str, value: str) -> None:
    if key == "Entity ID":
        sensor.entity = value.partition(" ")[0]
    elif key.startswith("Sensor Type"):
        sensor.type = re.sub(r" \(0x[0-9a-f]+\)$", "", value)
        if "Discrete" in key:
            sensor.states = sensor.states or []
    elif key == "Sensor Reading":
        if value.lower() in _UNREAD:
            sensor.why_not = _UNREAD[value.lower()]
        elif (found := _VALUE.fullmatch(value)) is not None:
            sensor.reading, sensor.unit = decimal(found[1]), found[2].strip()
    elif key == "Unable to read sensor":
        sensor.why_not = _UNREAD.get(value.lower(), _UNREAD["ns"])
    elif (threshold := _VERBOSE.get(key.lower())) is not None and (limit := decimal(value)) is not None:
        sensor.thresholds[threshold] = limit


def _ended(sensor: Sensor, status: str) -> Sensor:
    if sensor.why_not is not None:
        sensor.states = None
    elif sensor.states is None:
        _read(sensor, sensor.reading, status)
    return sensor


def _say(sensor: Sensor, status: str, said: str) -> None:
    """What elist says in one field: a reading with its unit, states, both, or that there is neither."""
    if status.lower() in ("ns", "na") or said.lower() in _UNREAD:
        sensor.why_not = _UNREAD.get(said.lower(), _UNREAD["ns"])
        return
    head, _, rest = said.partition(", ")
    if (value := _VALUE.fullmatch(head)) is None:
        sensor.states = _states(said)
        return
    sensor.reading, sensor.unit = decimal(value[1]), value[2].strip()
    if rest:
        sensor.states = _states(rest)
    else:
        _read(sensor, sensor.reading, status)


def _read(sensor: Sensor, reading: float | None, status: str) -> None:
    sensor.reading, sensor.status = reading, _status(status)
    if reading is None and sensor.status in (None, "ok"):
        sensor.why_not = _UNREAD["ns"]
        sensor.status = None


def _status(text: str) -> str | None:
    """ok, non_critical, critical, non_recoverable: from `ucr`, `cr`, or in words `Upper Critical`."""
    words = text.lower().replace("-", "_").strip()
    return _STATUS.get(words) or _in_words(words)


def _in_words(words: str) -> str | None:
    side, _, level = words.partition(" ")
    return level if side in ("lower", "upper") and level in _STATUS.values() else None


def _states(said: str) -> list[str]:
    whole = said.replace("out-of-range, but present", "out-of-range but present")
    return [one.strip() for one in whole.split(", ") if one.strip()]


def _thresholds(values: list[str]) -> dict[str, float]:
    limits = ((name, decimal(value)) for name, value in zip(THRESHOLDS, values, strict=False))
    return {name: limit for name, limit in limits if limit is not None}
