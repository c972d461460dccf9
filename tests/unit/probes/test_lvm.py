from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import Answer, Measured, NotMeasured, SubjectFacts, UnreadableAnswer
from maintops.probes.conformance import reading_complaints
from maintops.probes.lvm import PROBE, recording
from tests.contract.samples_storage import LVM, group, lvm_report, parted, volume
from tests.unit.probes.asking import SHELLS, ask, tool
from tests.unit.probes.spoiling import complaints, spoiled, spoiling


def read(answer: Answer) -> Mapping[str | None, SubjectFacts]:
    reading = PROBE.read(answer, {})
    assert isinstance(reading, Measured), reading
    assert reading_complaints(PROBE, answer) == []
    return {one.subject: one for one in reading.subjects}


def recorded(text: str) -> Mapping[str | None, SubjectFacts]:
    return read(recording(text.encode()))


def lv(attributes: str, **changed: str) -> SubjectFacts:
    return recorded(lvm_report("lv", volume("x", attributes, **changed)))["vg0/x"]


def test_groups():
    found = read(Answer(LVM))
    assert found["vg0"].facts == {
        "kind": "group",
        "size_bytes": 1000,
        "free_bytes": 250,
        "free_percent": 25.0,
        "missing_devices": 0,
        "partial": False,
        "exported": False,
    }
    assert {"active", "health", "pool_data_percent"} <= found["vg0"].not_offered
    assert (found["vg1"].facts["missing_devices"], found["vg1"].facts["partial"]) == (1, True)


def test_volumes_of_every_kind():
    found = read(Answer(LVM))
    pool = found["vg0/pool"].facts
    assert (pool["kind"], pool["pool_data_percent"], pool["pool_metadata_percent"]) == ("thin pool", 78.89, 19.25)
    assert found["vg0/thin1"].facts["kind"] == "thin"
    assert "pool_data_percent" in found["vg0/thin1"].not_offered
    assert found["vg0/snap"].facts["snapshot_percent"] == 97.1
    mirror = found["vg0/r1"].facts
    assert (mirror["kind"], mirror["health"], mirror["sync_percent"], mirror["mismatches"]) == (
        "raid",
        "partial",
        100.0,
        128,
    )
    assert found["vg0/root"].facts == {
        "kind": "linear",
        "size_bytes": 100,
        "active": True,
        "health": "ok",
        "needs_check": False,
        "invalid": False,
    }


def test_a_pool_that_does_not_run_is_not_counted():
    off = read(Answer(LVM))["vg0/off"]
    assert off.facts["active"] is False
    assert {"pool_data_percent", "pool_metadata_percent"} <= off.not_offered


def test_a_running_pool_that_gives_no_numbers_is_not_measured():
    pool = lv("twi-aotz--")
    assert not {"pool_data_percent"} & (set(pool.facts) | pool.not_offered)


@pytest.mark.parametrize(
    ("attributes", "fact", "value"),
    [
        ("twi-aotzD-", "health", "out of data"),
        ("twi-aotzM-", "health", "metadata read only"),
        ("twi-aotzF-", "health", "failed"),
        ("rwi-aor-m-", "health", "mismatches exist"),
        ("rwi-aor-r-", "health", "refresh needed"),
        ("twi-cotz--", "needs_check", True),
        ("swi-Ios---", "invalid", True),
        ("dwi-a-v---", "kind", "vdo pool"),
        ("iwi-aor---", "kind", "i"),
        ("-wi-------", "active", False),
    ],
)
def test_letters_of_the_attributes(attributes: str, fact: str, value: object):
    assert lv(attributes).facts[fact] == value


def test_what_the_letters_do_not_tell_is_left_out():
    unknown = lv("-wi-X---X-").facts
    assert "health" not in unknown
    assert "active" not in unknown
    assert lv("-wi").why_not == "its attributes are not said"


def test_nothing_there_is_measured_and_no_right_is_not():
    empty = parted(vgs=lvm_report("vg"), lvs=lvm_report("lv"))
    assert PROBE.read(Answer(empty), {}) == Measured(())
    answer = Answer(parted(vgs=(5, ""), lvs=(5, "")), b"  WARNING: Running as a non-root user.\n")
    assert PROBE.read(answer, {}) == NotMeasured("LVM could not tell: WARNING: Running as a non-root user.")
    failed = parted(vgs=(5, lvm_report("vg")), lvs=lvm_report("lv"))
    assert PROBE.read(Answer(failed), {}) == NotMeasured("LVM could not tell: vgs ended with status 5")
    assert PROBE.read(Answer(b"", b"lvs: not found\n", 127), {}) == NotMeasured("no such command: lvs")
    assert isinstance(PROBE.read(Answer(parted(vgs=(139, ""), lvs=(139, ""))), {}), NotMeasured)


@pytest.mark.parametrize("text", ["<html></html>", "{", "{}", '{"report": {}}'])
def test_other_answers_are_unreadable(text: str):
    with pytest.raises(UnreadableAnswer):
        PROBE.read(Answer(parted(vgs=text, lvs=text)), {})


# --- recordings ------------------------------------------------------------------------------------------------------

TABLES = """\
  WARNING: Couldn't find device with uuid abc.
  LV            VG   Attr       LSize   Pool Origin Data%  Meta%  Move Log Cpy%Sync Convert
  data          pve  twi-aotzD- <1.67t             100.00 19.25
  root          pve  -wi-ao----  96.00g
  snap          pve  swi-a-s---   1.00g      root   99.10
  a-very-long-name-of-a-volume pve Vwi-a-tz-- 32.00g data
  r1            vg0  rwi-aor-p-   1.00g                                    98.00
  VG  #PV #LV #SN Attr   VSize  VFree
  pve   1  12   0 wz--n- <1.82t 16.00g
  vg0   2   1   0 wz-pn-  1.99g     0
  PV         VG  Fmt  Attr PSize   PFree
  /dev/sda3  pve lvm2 a--  <1.82t 16.00g
  [unknown]  vg0 lvm2 a-m   1.00g     0
"""


def test_tables_for_people():
    found = recorded(TABLES)
    assert found["pve/data"].facts["pool_data_percent"] == 100.0
    assert (found["pve/data"].facts["pool_metadata_percent"], found["pve/data"].facts["health"]) == (
        19.25,
        "out of data",
    )
    assert "size_bytes" not in found["pve/data"].facts
    assert found["pve/snap"].facts["snapshot_percent"] == 99.1
    assert found["pve/a-very-long-name-of-a-volume"].facts["kind"] == "thin"
    assert found["vg0/r1"].facts["sync_percent"] == 98.0
    assert (found["pve"].facts["partial"], found["vg0"].facts["partial"]) == (False, True)
    assert (found["/dev/sda3"].facts["missing_devices"], found["[unknown]"].facts["missing_devices"]) == (0, 1)


def test_a_report_of_devices():
    row = {"pv_name": "/dev/sdb", "vg_name": "vg0", "pv_attr": "a-m", "pv_size": "100B", "pv_free": "10.00g"}
    one = recorded(lvm_report("pv", row))["/dev/sdb"]
    assert one.facts == {"kind": "device", "size_bytes": 100, "missing_devices": 1}


def test_bytes_with_their_unit():
    assert recorded(lvm_report("vg", group(vg_size="1000B", vg_free="10.0g")))["vg0"].facts["size_bytes"] == 1000
    assert "free_bytes" not in recorded(lvm_report("vg", group(vg_free="10.0g")))["vg0"].facts


@pytest.mark.parametrize("output", [b"", b"hello\n", b"<html>", b'{"a": 1}', b"{"])
def test_a_recording_of_something_else_is_refused(output: bytes):
    with pytest.raises(UnreadableAnswer, match=r"vgs|JSON"):
        recording(output)


def test_a_line_that_is_too_long_is_none_of_the_table():
    assert recorded(TABLES + "  long vg0 -wi-ao---- " + "x" * 500 + "\n").keys() == recorded(TABLES).keys()


@spoiling
@given(data=st.data())
def test_spoiled_recordings_are_unreadable_at_worst(data: st.DataObject):
    wholes = [TABLES.encode(), lvm_report("lv", volume("a", "twi-aotz--")).encode(), lvm_report("vg", group()).encode()]
    assert complaints(PROBE, data.draw(spoiled(wholes))) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_the_question_asks_two_reports(shell: list[str], tmp_path: Path):
    for name, report in (("vgs", lvm_report("vg", group())), ("lvs", lvm_report("lv", volume("a", "-wi-ao----")))):
        tool(tmp_path, name, f"case $* in *'--units b'*-o*vg_name*) cat <<'END'\n{report}\nEND\nesac")
    assert set(read(ask(PROBE, shell, tools=tmp_path))) == {"vg0", "vg0/a"}
