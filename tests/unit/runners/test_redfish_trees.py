"""What is gathered of a Redfish tree, and where gathering ends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from maintops.runners import redfish_trees
from maintops.runners.redfish_trees import SECTIONS, TooHeavy, TooMany, Tree, path_of, refused, sections

ROOT = {"Systems": {"@odata.id": "/redfish/v1/Systems"}, "Chassis": {"@odata.id": "/redfish/v1/Chassis/"}}
Resources = Mapping[str, Mapping[str, Any]]


def link(path: str) -> dict[str, str]:
    return {"@odata.id": f"/redfish/v1/{path}"}


def collection(*paths: str, **more: Any) -> dict[str, Any]:
    return {"Members": [link(path) for path in paths], **more}


class Controller:
    """Resources by path, and every path that was asked for."""

    def __init__(self, root: Mapping[str, Any] = ROOT, **resources: Mapping[str, Any]) -> None:
        self.root = root
        self.resources: dict[str, Mapping[str, Any]] = {}
        self.asked: list[str] = []
        for name, one in resources.items():
            self.resources[f"/redfish/v1/{name.replace('__', '/')}"] = one

    def fetch(self, path: str) -> tuple[Mapping[str, Any], int]:
        self.asked.append(path)
        return self.resources.get(path, refused("HTTP 404")), 1000

    def gather(self, question: str) -> Resources:
        gathered: Resources = json.loads(Tree(self.root, self.fetch).document(sections(question)))
        return gathered


def test_ways_are_followed_to_every_member() -> None:
    controller = Controller(
        Systems=collection("Systems/1", "Systems/2"),
        Systems__1={"Id": "1", "Storage": link("Systems/1/Storage"), "Memory": link("Systems/1/Memory")},
        Systems__2={"Id": "2"},
        Systems__1__Storage=collection("Systems/1/Storage/A"),
        Systems__1__Storage__A={"Id": "A", "Drives": [link("D/0"), link("D/1")], "Volumes": link("V")},
        D__0={"Id": "0"},
        V=collection(),
    )
    gathered = controller.gather("storage")
    assert gathered["/redfish/v1/D/0"] == {"Id": "0"}
    assert gathered["/redfish/v1/D/1"] == {"error": {"code": "HTTP 404"}}
    assert "/redfish/v1/V" in gathered
    assert "/redfish/v1/Systems/1/Memory" not in gathered


def test_a_resource_is_fetched_once_whoever_asks() -> None:
    controller = Controller(
        Systems=collection("Systems/1"), Systems__1={"Id": "1", "Memory": link("M")}, M=collection()
    )
    tree = Tree(controller.root, controller.fetch)
    assert set(json.loads(tree.document(["memory"]))) > set(json.loads(tree.document(["systems"])))
    assert len(controller.asked) == len(set(controller.asked))


def test_what_nobody_reads_is_left_out() -> None:
    system = {
        "Id": "1",
        "Actions": {"#Reset": {}},
        "Links": {},
        "@Redfish.Copyright": "x",
        "Oem": {"A": {"Actions": 1}},
    }
    controller = Controller(Systems=collection("Systems/1"), Systems__1=system)
    assert controller.gather("systems")["/redfish/v1/Systems/1"] == {"Id": "1", "Oem": {"A": {}}}


def test_sensors_are_not_fetched_where_the_older_resource_tells_the_same() -> None:
    chassis = {"Id": "1", "Thermal": link("T"), "Sensors": link("S")}
    whole = {"Chassis/": collection("Chassis/1"), "Chassis__1": chassis, "S": collection("S/1"), "S__1": {"Id": "1"}}
    assert "/redfish/v1/S/1" in Controller(**whole, T={"Redundancy": []}).gather("thermal")
    assert "/redfish/v1/S/1" not in Controller(**whole, T={"Temperatures": [{}]}).gather("thermal")


def test_hpes_own_storage_is_found_where_its_older_controllers_have_it() -> None:
    smart = {"Oem": {"Hpe": {"Links": {"SmartStorage": link("SS")}}}}
    controller = Controller(
        Systems=collection("Systems/1"),
        Systems__1=smart,
        SS={"Links": {"ArrayControllers": link("AC")}},
        AC=collection("AC/0"),
        AC__0={"Id": "0", "Links": {"PhysicalDrives": link("PD"), "LogicalDrives": link("LD")}},
        PD=collection("PD/0"),
        PD__0={"Id": "0"},
    )
    assert "/redfish/v1/PD/0" in controller.gather("storage")


def test_members_come_with_their_collection_where_the_controller_can_do_that() -> None:
    root = {**ROOT, "ProtocolFeaturesSupported": {"ExpandQuery": {"NoLinks": True}}}
    controller = Controller(root)
    inline = {"@odata.id": "/redfish/v1/Systems/1", "Id": "1", "Model": "M"}
    controller.resources["/redfish/v1/Systems?$expand=.($levels=1)"] = {"Members": [inline]}
    assert controller.gather("systems")["/redfish/v1/Systems/1"]["Model"] == "M"
    assert controller.asked == ["/redfish/v1/Systems?$expand=.($levels=1)"]


def test_a_controller_that_cannot_do_what_it_says_is_asked_plainly() -> None:
    root = {**ROOT, "ProtocolFeaturesSupported": {"ExpandQuery": {"NoLinks": True}}}
    controller = Controller(root, Systems=collection("Systems/1"), Systems__1={"Id": "1"})
    assert "/redfish/v1/Systems/1" in controller.gather("systems")


def test_all_pages_of_a_collection_are_read() -> None:
    first = collection("Systems/1", **{"Members@odata.nextLink": "/redfish/v1/Systems?$skip=1"})
    controller = Controller(Systems=first, Systems__1={"Id": "1"}, Systems__2={"Id": "2"})
    controller.resources["/redfish/v1/Systems?$skip=1"] = collection("Systems/2")
    assert {"/redfish/v1/Systems/1", "/redfish/v1/Systems/2"} < set(controller.gather("systems"))


def test_pages_that_lead_back_come_to_an_end() -> None:
    looped = collection("Systems/1", **{"Members@odata.nextLink": "/redfish/v1/Systems"})
    controller = Controller(Systems=looped, Systems__1={"Id": "1", "Storage": link("Systems")})
    assert len(controller.gather("systems storage")) < 10
    assert len(controller.asked) < 20


def test_a_controller_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redfish_trees, "MOST_RESOURCES", 50)
    endless = Controller(Systems=collection(*(f"Systems/{number}" for number in range(100))))
    with pytest.raises(TooMany):
        endless.gather("systems")
    monkeypatch.setattr(redfish_trees, "MOST_MEMBERS", 10)
    with pytest.raises(TooMany):
        Controller(Systems=collection(*["Systems/1"] * 11)).gather("systems")


@pytest.mark.parametrize(
    "said",
    [
        "https://elsewhere/redfish/v1/x",
        "//elsewhere/redfish/v1/x",
        "/etc/passwd",
        "/redfish/v1/a b",
        "/redfish/v1/\r\nX: y",
        "/redfish/v1/" + "x" * 600,
        "",
        7,
        None,
        ["x"],
    ],
)
def test_a_link_leads_into_the_tree_or_nowhere(said: Any) -> None:
    assert path_of({"@odata.id": said}) is None


def test_a_link_is_followed_without_its_fragment() -> None:
    assert path_of({"@odata.id": "/redfish/v1/Chassis/1/Power#/PowerSupplies/0"}) == "/redfish/v1/Chassis/1/Power"
    assert path_of("/redfish/v1/Chassis") is None


@pytest.mark.parametrize(
    "junk", [None, 7, "x", [], [1, "x", None, {"@odata.id": 3}], {"Members": 7}, {"Members": [[]]}]
)
def test_junk_in_place_of_links_is_passed_over(junk: Any) -> None:
    assert Controller({"Systems": junk, "Chassis": junk}).gather("storage thermal power systems") is not None
    inner = {"Storage": junk, "Memory": junk, "Oem": junk}
    Controller(Systems=collection("Systems/1"), Systems__1=inner).gather("storage memory")


def test_firmware_that_is_not_in_use_is_not_fetched() -> None:
    root = {"UpdateService": link("U")}
    members = collection("F/Installed-1-2.0__BIOS", "F/Previous-1-1.9__BIOS")
    controller = Controller(root, U={"FirmwareInventory": link("F")}, F=members)
    controller.gather("firmware")
    assert not [path for path in controller.asked if "Previous" in path]


def test_a_question_names_sections() -> None:
    assert sections("systems\nstorage\n") == ["systems", "storage"]
    assert all(sections(name) for name in SECTIONS)
    for bad in ("", "systems; rm", "Systems"):
        with pytest.raises(ValueError, match="names no section"):
            sections(bad)


def test_no_more_bytes_are_kept_than_a_controller_can_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redfish_trees, "MOST_BYTES", 3500)
    controller = Controller(Systems=collection(*(f"Systems/{number}" for number in range(9))))
    tree = Tree(controller.root, controller.fetch)
    with pytest.raises(TooHeavy):
        tree.document(["systems"])
    assert len(controller.asked) == 4
    with pytest.raises(TooHeavy):
        tree.document(["chassis"])
    assert len(controller.asked) == 4, "it went on"
