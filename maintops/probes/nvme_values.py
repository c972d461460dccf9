"""The values of an NVMe SMART log as nvme-cli writes them: numbers, text, numbers in text, objects of bits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from maintops.probes.answering import present
from maintops.probes.nvme_warnings import warning_words

_UNIT = 512_000
"""Bytes of a data unit: a thousand sectors of 512 bytes."""

_KELVIN = 273
"""What nvme-cli itself takes from kelvins to get degrees Celsius."""

_LARGEST = 2**63
_NUMBER = re.compile(r"\s*([0-9]{1,30}(?:[,'\u2019\u00a0\u202f][0-9]{3})*)(?:\.0+)?(?![0-9.])")
_HEX = re.compile(r"\s*0x([0-9a-fA-F]{1,8})\b")
_CELSIUS = re.compile(r"(-?[0-9]{1,3}) *(?:\u00b0|\ufffd{1,2})? ?C\b")
_KELVINS = re.compile(r"([0-9]{2,3}) *(?:K|Kelvin)\b")
_LINE = re.compile(r"^([A-Za-z][A-Za-z0-9 _.]{2,50}?)[ \t]*:[ \t]*(\S.*)$", re.MULTILINE)

_NAMES: Mapping[str, tuple[str, ...]] = {
    "available_spare_percent": ("avail_spare", "available_spare"),
    "available_spare_threshold_percent": ("spare_thresh", "available_spare_threshold"),
    "percentage_used": ("percent_used", "percentage_used"),
    "media_errors": ("media_errors",),
    "error_log_count": ("num_err_log_entries",),
    "unsafe_shutdowns": ("unsafe_shutdowns",),
    "power_cycles": ("power_cycles",),
    "power_on_hours": ("power_on_hours",),
    "warning_temperature_minutes": ("warning_temp_time", "warning_temperature_time"),
    "critical_temperature_minutes": ("critical_comp_time", "critical_composite_temperature_time"),
}


def health_from_json(log: Any) -> dict[str, object]:
    """The facts of a SMART log; empty for JSON that is none."""
    if not isinstance(log, dict) or not {"critical_warning", "percent_used", "percentage_used"} & log.keys():
        return {}
    return _facts(log, _temperature_from_json(log.get("temperature")))


def health_from_text(text: str) -> dict[str, object]:
    """The facts of a SMART log that nvme-cli printed as text."""
    fields: dict[str, str] = {}
    for name, value in _LINE.findall(text):
        fields.setdefault(re.sub(r"[ .]+", "_", name.strip().lower()), value)
    if "critical_warning" not in fields:
        return {}
    return _facts(fields, _temperature_from_text(fields.get("temperature", "")))


def _facts(log: Mapping[str, Any], temperature: int | None) -> dict[str, object]:
    found = {
        fact: next((one for name in names if (one := _whole(log.get(name))) is not None), None)
        for fact, names in _NAMES.items()
    }
    warning = _bits(log.get("critical_warning"))
    written = _whole(log.get("data_units_written"))
    return present(
        **found,
        critical_warning=warning,
        critical_warnings=warning_words(warning) if warning is not None else None,
        temperature_celsius=temperature if temperature is not None and -40 < temperature < 126 else None,
        written_bytes=written * _UNIT if written is not None and written < _LARGEST // _UNIT else None,
    )


def _whole(value: Any) -> int | None:
    """310, 310.0, "310", "1,234,567 (633.71 GB)", "100%"."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() and 0 <= value < _LARGEST else None
    if isinstance(value, int):
        return value if 0 <= value < _LARGEST else None
    found = _NUMBER.match(value) if isinstance(value, str) else None
    whole = int(re.sub(r"[^0-9]", "", found[1])) if found else None
    return whole if whole is not None and whole < _LARGEST else None


def _bits(value: Any) -> int | None:
    """0, "0", "0x4", {"value": 4, …}; bits are fewer than sixteen."""
    if isinstance(value, dict):
        return _bits(value.get("value"))
    found = _HEX.match(value) if isinstance(value, str) else None
    bits = int(found[1], 16) if found else _whole(value)
    return bits if bits is not None and bits < 1 << 16 else None


def _temperature_from_json(value: Any) -> int | None:
    """In kelvins where it is a number; 0 stands for none."""
    if isinstance(value, str) and (found := _temperature_from_text(value)) is not None:
        return found
    kelvins = _whole(value)
    return kelvins - _KELVIN if kelvins else None


def _temperature_from_text(text: str) -> int | None:
    """`34 C`, `34 °C (307 K)`, `93 °F (307 K)`."""
    if (celsius := _CELSIUS.search(text)) is not None:
        return int(celsius[1])
    kelvins = _KELVINS.search(text)
    return int(kelvins[1]) - _KELVIN if kelvins else None
