from __future__ import annotations

import pytest

from maintops.domain.answers import Answer, Measured, NotMeasured, SubjectFacts, UnreadableAnswer
from maintops.probes.io_schedulers import PROBE
from tests.unit.probes.asking import SHELLS, ask
from tests.unit.probes.broken_tools import HTML, assert_bad_answers_are_no_facts


def disk(name: str, scheduler: str, rotational: str, *, vendor: str = "", model: str = "") -> str:
    queue = f"/sys/block/{name}/queue"
    lines = [f"{queue}/scheduler:{scheduler}", f"{queue}/rotational:{rotational}", f"{queue}/nr_requests:256"]
    lines += [f"{queue}/read_ahead_kb:128"]
    lines += [
        f"/sys/block/{name}/device/{what}:{value}" for what, value in (("vendor", vendor), ("model", model)) if value
    ]
    return "".join(f"{line}\n" for line in lines)


def read(text: str) -> dict[str | None, SubjectFacts]:
    reading = PROBE.read(Answer(text.encode()), {})
    assert isinstance(reading, Measured)
    return {one.subject: one for one in reading.subjects}


def test_a_disk_and_its_scheduler() -> None:
    text = disk("sda", "none [mq-deadline] kyber bfq", "1", vendor="ATA     ", model="ST4000NM0035")
    assert read(text)["/dev/sda"].facts == {
        "scheduler": "mq-deadline",
        "available": ["none", "mq-deadline", "kyber", "bfq"],
        "rotational": True,
        "kind": "hdd",
        "queue_requests": 256,
        "read_ahead_kib": 128,
        "model": "ATA ST4000NM0035",
    }


@pytest.mark.parametrize(
    ("name", "rotational", "vendor", "model", "kind"),
    [
        ("sda", "1", "ATA", "ST4000NM0035", "hdd"),
        ("sdb", "0", "ATA", "Samsung SSD 860", "ssd"),
        ("nvme0n1", "0", "", "Example NVMe", "nvme"),
        ("vda", "1", "0x1af4", "", "virtual"),
        ("xvda", "0", "", "", "virtual"),
        ("sda", "1", "VMware  ", "Virtual disk", "virtual"),
        ("sda", "1", "QEMU", "QEMU HARDDISK", "virtual"),
        ("sda", "1", "DELL", "PERC H730P Mini", "array"),
        ("sdc", "1", "DELL", "Virtual Disk", "array"),
        ("sda", "1", "HP", "LOGICAL VOLUME", "array"),
    ],
)
def test_kinds_of_disks(name: str, rotational: str, vendor: str, model: str, kind: str) -> None:
    one = read(disk(name, "[none]", rotational, vendor=vendor, model=model))[f"/dev/{name}"]
    assert one.facts["kind"] == kind
    assert one.facts["scheduler"] == "none"


def test_devices_of_old_controllers_have_a_slash_in_their_names() -> None:
    one = read(disk("cciss!c0d0", "noop deadline [cfq]", "?"))["/dev/cciss/c0d0"]
    assert one.facts["scheduler"] == "cfq"
    assert {"kind", "rotational", "model"}.isdisjoint(one.facts)
    assert one.not_offered == {"model"}


def test_a_kernel_that_chose_nothing_is_not_measured() -> None:
    assert "scheduler" not in read(disk("sda", "noop deadline", "1"))["/dev/sda"].facts


def test_no_disk_is_not_measured() -> None:
    assert isinstance(PROBE.read(Answer(b""), {}), NotMeasured)
    assert_bad_answers_are_no_facts(PROBE)
    for text in (HTML, b"/etc/passwd:x\n"):
        with pytest.raises(UnreadableAnswer):
            PROBE.read(Answer(text), {})


@pytest.mark.parametrize("shell", SHELLS)
def test_it_can_be_asked_here(shell: list[str]) -> None:
    assert isinstance(PROBE.read(ask(PROBE, shell), {}), Measured | NotMeasured)
