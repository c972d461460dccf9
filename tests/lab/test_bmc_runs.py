"""What management controllers tell, from the controller's own limits to the follow-up: a whole run over the network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.lab import redfish
from tests.lab.bmc import Bmc, sensor_reads
from tests.lab.fixtures import need
from tests.lab.fleet import Fleet
from tests.lab.running import Desk, Ended, run_maintops

pytestmark = pytest.mark.fleet

RECORDED = Path(__file__).parents[2].parent / "shared" / "data" / "redfish-rackmount1"


@pytest.fixture
def desk(tmp_path: Path, fleet: Fleet) -> Desk:
    return Desk(tmp_path / "desk", fleet)


@pytest.fixture(scope="module")
def bmc() -> Iterator[Bmc]:
    with ExitStack() as stack:
        yield need(stack.enter_context, Bmc())


def run(desk: Desk, server: str, *tags: str) -> Ended:
    words = [word for tag in tags for word in ("-t", tag)]
    inventory = desk.inventory(server)
    return run_maintops(desk, "run", "monthly-hardware", "-i", inventory, "--format", "json", *words)


def found(ended: Ended, server: str) -> set[tuple[str, str | None]]:
    assert ended.code in (0, 2), (ended.code, ended.stderr)
    cells = ended.server(server)["checks"]
    return {(one["id"], one["subject"]) for one in cells if one["outcome"] == "attention"}


def of(bmc: Bmc, **more: Any) -> dict[str, Any]:
    return {
        "maintops_bmc_address": bmc.address,
        "maintops_bmc_ipmi_port": bmc.port,
        "maintops_bmc_cipher": 3,
        "maintops_bmc_user": bmc.user,
        "maintops_bmc_password": bmc.password,
        "maintops_bmc_redfish": False,
        "maintops_bmc_ipmi": True,
    } | more


def test_a_fan_that_stops_is_found_over_the_network_and_gone_again(desk: Desk, fleet: Fleet, bmc: Bmc) -> None:
    fleet.add("racked", **of(bmc))
    before = found(run(desk, "racked", "HW-370"), "racked")
    with sensor_reads(bmc, "Fan1", 0):
        during = run(desk, "racked", "HW-370")
    after = found(run(desk, "racked", "HW-370"), "racked")
    assert found(during, "racked") - before == {("HW-370", "Fan1")}
    assert {one["severity"] for one in during.cells("racked")["HW-370"] if one["subject"] == "Fan1"} == {"critical"}
    assert after == before
    for text in (during.stdout, during.stderr):
        assert bmc.password not in text


def test_a_wrong_password_is_that_checks_own_outcome(desk: Desk, fleet: Fleet, bmc: Bmc) -> None:
    fleet.add("locked", **of(bmc, maintops_bmc_password="no-such-thing"))
    ended = run(desk, "locked", "HW-370", "HW-130")
    outcomes = {one["id"]: one["outcome"] for one in ended.server("locked")["checks"]}
    assert (outcomes["HW-370"], ended.code & 4) == ("unreachable", 4)
    assert outcomes["HW-130"] in ("ok", "not_measured")
    assert "no-such-thing" not in ended.stdout + ended.stderr


def test_a_recorded_server_is_read_over_redfish(desk: Desk, fleet: Fleet) -> None:
    if not RECORDED.exists():
        pytest.skip(f"no recording at {RECORDED}")
    with redfish.recorded(RECORDED) as served:
        fleet.add("mocked", maintops_bmc_address=served.url)
        ended = run(desk, "mocked", "redfish")
    outcomes: dict[str, set[str]] = {}
    for one in ended.server("mocked")["checks"]:
        outcomes.setdefault(one["id"], set()).add(one["outcome"])
    for check in ("HW-300", "HW-310", "HW-320", "HW-330", "HW-350", "HW-351"):
        assert "ok" in outcomes[check], (check, outcomes[check])
    assert "failed" not in set().union(*outcomes.values()), outcomes
