from __future__ import annotations

from pathlib import Path

import pytest

from maintops.domain.answers import Answer, NotMeasured, UnreadableAnswer
from maintops.probes.old_kernels import PROBE
from tests.unit.probes.asking import SHELLS, answer_of, ask, only
from tests.unit.probes.broken_tools import HTML, assert_bad_answers_are_no_facts

DEBIAN = "".join(
    f"8000000 /boot/vmlinuz-6.1.0-{build}-amd64\n30000000 /boot/initrd.img-6.1.0-{build}-amd64\n"
    f"200000 /boot/config-6.1.0-{build}-amd64\n"
    for build in (9, 18, 21, 25)
)
RHEL = """\
11000000 /boot/vmlinuz-0-rescue-0123456789abcdef0123456789abcdef
11000000 /boot/vmlinuz-5.14.0-427.13.1.el9_4.x86_64
12000000 /boot/vmlinuz-5.14.0-503.11.1.el9_5.x86_64
60000000 /boot/initramfs-5.14.0-427.13.1.el9_4.x86_64.img
20000000 /boot/initramfs-5.14.0-427.13.1.el9_4.x86_64kdump.img
61000000 /boot/initramfs-5.14.0-503.11.1.el9_5.x86_64.img
1 /boot/initramfs-0-rescue-0123456789abcdef0123456789abcdef.img
"""
MODULES = "300000\t/lib/modules/6.1.0-9-amd64/\n310000\t/lib/modules/6.1.0-18-amd64/\n5\t/lib/modules/gone/\n"
DISK = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda1 500000 400000 100000 80% /boot\n"


def answer(**parts: str | tuple[int, str]) -> Answer:
    whole: dict[str, str | tuple[int, str]] = {
        "kernel": "6.1.0-18-amd64\n",
        "files": DEBIAN,
        "modules": MODULES,
        "disk": DISK,
    }
    return answer_of(**(whole | parts))


def test_kernels_beyond_the_newest_two() -> None:
    assert only(PROBE, answer()).facts == {
        "running": "6.1.0-18-amd64",
        "kernels": ["6.1.0-9-amd64", "6.1.0-18-amd64", "6.1.0-21-amd64", "6.1.0-25-amd64"],
        "count": 4,
        "surplus": ["6.1.0-9-amd64"],  # the one that runs stays
        "surplus_count": 1,
        "surplus_boot_bytes": 38_200_000,
        "surplus_bytes": 38_200_000 + 300_000 * 1024,
        "boot_bytes": 4 * 38_200_000,
        "disk_bytes": 512_000_000,
        "disk_available_bytes": 102_400_000,
    }


def test_how_many_stay_can_be_chosen() -> None:
    assert only(PROBE, answer(), {"keep": 1}).facts["surplus"] == ["6.1.0-9-amd64", "6.1.0-21-amd64"]
    assert only(PROBE, answer(), {"keep": 9}).facts["surplus"] == []
    assert only(PROBE, answer(), {"keep": "two"}).facts["surplus_count"] == 1


def test_rescue_images_are_no_kernels_and_those_for_crashes_belong_to_one() -> None:
    facts = only(PROBE, answer(kernel="5.14.0-503.11.1.el9_5.x86_64\n", files=RHEL, modules=""), {"keep": 1}).facts
    assert facts["kernels"] == ["5.14.0-427.13.1.el9_4.x86_64", "5.14.0-503.11.1.el9_5.x86_64"]
    assert facts["surplus"] == ["5.14.0-427.13.1.el9_4.x86_64"]
    assert facts["surplus_boot_bytes"] == 91_000_000


def test_kernels_of_boot_loader_entries() -> None:
    machine = "0123456789abcdef0123456789abcdef"
    files = f"9 /boot/{machine}/6.9.1-arch1-1/linux\n8 /boot/{machine}/6.9.1-arch1-1/initrd\n"
    assert only(PROBE, answer(files=files)).facts["kernels"] == ["6.9.1-arch1-1"]


def test_a_container_has_none() -> None:
    assert isinstance(PROBE.read(answer(files=""), {}), NotMeasured)
    assert_bad_answers_are_no_facts(PROBE)


@pytest.mark.parametrize("change", [{"kernel": "hello\n"}, {"kernel": ""}, {"files": HTML.decode()}])
def test_nonsense_is_unreadable(change: dict[str, str]) -> None:
    with pytest.raises(UnreadableAnswer):
        PROBE.read(answer(**change), {})


@pytest.mark.parametrize("shell", SHELLS)
def test_files_are_found(shell: list[str], tmp_path: Path) -> None:
    for name in ("vmlinuz-6.1.0-9-amd64", "vmlinuz-6.1.0-18-amd64", "initrd.img-6.1.0-9-amd64"):
        (tmp_path / name).write_bytes(b"12345")
    here = ask(PROBE, shell, change=(("/boot/", f"{tmp_path}/"),))
    text = here.stdout.decode().replace(str(tmp_path), "/boot")
    facts = only(PROBE, Answer(text.encode())).facts
    assert facts["kernels"] == ["6.1.0-9-amd64", "6.1.0-18-amd64"]
    assert facts["boot_bytes"] == 15
