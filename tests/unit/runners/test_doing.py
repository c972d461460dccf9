"""Deeds go to the one who can do them; mistakes in them are told beforehand."""

from __future__ import annotations

from pathlib import Path

import pytest

from maintops.domain.ports import Deed, Done, Failure, FailureKind
from maintops.domain.servers import Server
from maintops.errors import UsageError
from maintops.runners.doing import Deeds
from tests.doers import FakeDoer


class Functions(FakeDoer):
    def check(self, deed: Deed) -> None:
        if deed.fabric == "/f.py:bad":
            raise UsageError("/f.py: there is no function bad")


def test_a_deed_goes_to_the_one_who_can_do_it() -> None:
    ansible, fabric = FakeDoer(), Functions({"x": Failure(FailureKind.UNUSABLE, "no")})
    made: list[Functions] = []

    def make() -> Functions:
        made.append(fabric)
        return fabric

    deeds, server = Deeds(ansible, make), Server("x")
    by_ansible = list(deeds.do(Deed(role="r"), [server], forks=1, timeout=1, stop=lambda: None))
    assert made == [], "Fabric is not even imported"
    for _ in range(2):
        by_fabric = list(deeds.do(Deed(fabric="/f.py:f"), [server], forks=1, timeout=1, stop=lambda: None))
    assert [len(ansible.calls), len(fabric.calls), len(made)] == [1, 2, 1]
    assert isinstance(by_ansible[-1], Done)
    assert by_ansible[-1].failure is None
    assert by_fabric[-1] == Done("x", Failure(FailureKind.UNUSABLE, "no"))


def test_mistakes_are_told_beforehand(tmp_path: Path) -> None:
    deeds = Deeds(FakeDoer(), Functions)
    file = tmp_path / "site.yml"
    with pytest.raises(UsageError, match=r"site\.yml: there is no such playbook"):
        deeds.check(Deed(playbook=str(file)))
    file.touch()
    deeds.check(Deed(playbook=str(file)))
    deeds.check(Deed(fabric="/f.py:good"))
    with pytest.raises(UsageError, match="there is no function bad"):
        deeds.check(Deed(fabric="/f.py:bad"))
    with pytest.raises(UsageError, match="not both"):
        deeds.check(Deed(fabric="/f.py:good", role="r"))
