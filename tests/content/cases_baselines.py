"""Cases of checks that compare with an accepted baseline."""

from __future__ import annotations

from dataclasses import replace

from tests.content import cases_daily
from tests.content.cases import Case, Told, check
from tests.contract.samples_upkeep import SAMPLES

LISTENERS = next(one for one in cases_daily.CASES if one.id == "sc-010")
ACCOUNTS = next(one for one in cases_daily.CASES if one.id == "sc-050-administrators")


def changed(probe: str, number: int, before: bytes, after: bytes) -> tuple[Told, Told]:
    """A sample of a probe, and the same with one thing changed."""
    sample = SAMPLES[probe][number]
    assert before in sample, sample
    return Told(sample), Told(sample.replace(before, after))


def beside(id: str, pair: tuple[Told, Told], says: str, name: str = "") -> Case:
    """Accepted and then changed; accepted and left as it was."""
    return check(id, fires=pair, silent=(pair[0], pair[0]), says=says, name=name, baseline=True)


CASES: list[Case] = [
    replace(
        LISTENERS, check="TR-110", says="Listeners beyond the baseline: tcp 0.0.0.0:4444", baseline=True,
        silent=(LISTENERS.fires[0], LISTENERS.fires[0]),
    ),
    replace(
        ACCOUNTS, check="TR-120", name="", says="Administrators beyond the baseline: mallory", severity="critical",
        baseline=True, silent=(ACCOUNTS.fires[0], ACCOUNTS.fires[0]),
    ),
    beside(
        "OP-010",
        changed("sysctl", 0, b"vm/swappiness:60", b"vm/swappiness:10"),
        "1 settings differ from the baseline: vm.swappiness = 10",
    ),
    beside(
        "OP-210",
        changed("time-zone", 0, b"Europe/Berlin", b"Etc/UTC"),
        "The time zone is Etc/UTC, in the baseline Europe/Berlin",
    ),
    beside(
        "OP-210",
        changed("time-zone", 0, b"LANG=C.UTF-8", b"LANG=de_DE.UTF-8"),
        "The language is de_DE.UTF-8, in the baseline C.UTF-8",
        name="language",
    ),
    beside(
        "OP-220",
        changed("limits", 0, b"* soft nofile 65536", b"* soft nofile 99999"),
        "1 limits of logins beyond the baseline: * soft nofile 99999",
    ),
]  # fmt: skip
