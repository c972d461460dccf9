from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import Answer, Measured, NotMeasured, UnreadableAnswer
from maintops.probes.routes import PROBE
from tests.unit.probes.asking import SHELLS, answer_of, ask, only, tool
from tests.unit.probes.recorded import OFTEN, assert_no_news, assert_reads, facts_of, spoiled

HEADER = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
ROW = "lan0\t00000000\t{gateway}\t{flags}\t0\t0\t100\t{mask}\t0\t0\t0\n"
NONE = "0" * 32
ROW6 = "{destination} {length} " + NONE + " 00 {gateway} 00000400 00000001 00000000 {flags} {interface}\n"
NO_TOOL = (127, "")
NO_FILE = (2, "")


def answer(**parts: str | tuple[int, str]) -> Answer:
    whole: dict[str, str | tuple[int, str]] = {
        "ip4": "",
        "ip6": "",
        "proc4": HEADER,
        "proc6": NO_FILE,
        "machine": "x86_64",
    }
    return answer_of(**(whole | parts))


def test_a_default_route_for_each_family() -> None:
    facts = only(
        PROBE,
        answer(
            ip4="default via 198.51.100.1 dev lan0 proto dhcp metric 100 \n",
            ip6="default via fe80::1 dev lan1 proto ra metric 1024 expires 1745sec pref medium\n",
            neighbours="198.51.100.1 dev lan0 lladdr 00:00:5e:00:53:01 REACHABLE \nfe80::1 dev lan1 FAILED \n",
        ),
    ).facts
    assert facts == {
        "default_route": True,
        "default_route_ipv4": True,
        "default_route_ipv6": True,
        "gateways": ["198.51.100.1", "fe80::1"],
        "interfaces": ["lan0", "lan1"],
        "gateways_lost": ["fe80::1"],
    }


def test_no_default_route_at_all() -> None:
    facts = only(PROBE, answer(ip4="", ip6="")).facts
    assert facts == {
        "default_route": False,
        "default_route_ipv4": False,
        "default_route_ipv6": False,
        "gateways": [],
        "interfaces": [],
    }


def test_several_hops_and_routes_without_a_gateway() -> None:
    facts = only(
        PROBE,
        answer(
            ip4="default metric 20 \\\tnexthop via 192.0.2.1 dev a weight 1 \\\tnexthop via 192.0.2.2 dev b\n"
            "default dev ppp0 scope link \ndefault via inet6 fe80::9 dev c \n",
        ),
    ).facts
    assert facts["gateways"] == ["192.0.2.1", "192.0.2.2", "fe80::9"]
    assert facts["interfaces"] == ["a", "b", "c", "ppp0"]


@pytest.mark.parametrize(
    "line",
    [
        "default via 192.0.2.1 dev lan0 linkdown ",
        "default via 192.0.2.1 dev lan0 dead linkdown ",
        "unreachable default dev lo metric 4278198272 error -101",
        "blackhole default ",
        "192.0.2.0/24 dev lan0 scope link  src 192.0.2.2 ",
    ],
)
def test_a_route_that_carries_nothing_is_none(line: str) -> None:
    facts = only(PROBE, answer(ip4=line + "\n")).facts
    assert facts["default_route"] is False
    assert facts["gateways"] == []


def test_a_dead_hop_beside_a_living_one() -> None:
    line = "default \\\tnexthop via 192.0.2.1 dev a weight 1 dead linkdown \\\tnexthop via 192.0.2.2 dev b weight 1 \n"
    assert only(PROBE, answer(ip4=line)).facts["gateways"] == ["192.0.2.2"]


def test_without_ip_the_kernels_tables_are_read() -> None:
    facts = only(
        PROBE,
        answer(
            ip4=NO_TOOL,
            ip6=NO_TOOL,
            proc4=HEADER + ROW.format(gateway="010200C0", flags="0003", mask="00000000"),
            proc6=ROW6.format(
                destination=NONE, length="00", gateway="fe80" + "0" * 27 + "1", flags="00000003", interface="lan1"
            )
            + ROW6.format(destination=NONE, length="00", gateway=NONE, flags="00200200", interface="lo"),
            neighbours=NO_TOOL,
        ),
    ).facts
    assert facts["gateways"] == ["192.0.2.1", "fe80::1"]
    assert facts["interfaces"] == ["lan0", "lan1"]
    assert "gateways_lost" not in facts


@pytest.mark.parametrize(
    "row",
    [
        ROW.format(gateway="010200C0", flags="0203", mask="00000000"),
        ROW.format(gateway="00000000", flags="0001", mask="000000FF"),
    ],
    ids=["rejecting", "network zero"],
)
def test_rows_of_the_kernel_that_are_no_default_route(row: str) -> None:
    assert only(PROBE, answer(ip4=NO_TOOL, proc4=HEADER + row)).facts["default_route_ipv4"] is False


@pytest.mark.parametrize(
    ("destination", "length", "flags", "interface"),
    [
        (NONE, "00", "00000200", "lan1"),
        (NONE, "00", "00000003", "lo"),
        (NONE, "40", "00000003", "lan1"),
        ("f" * 32, "00", "3", "a"),
    ],
)
def test_rows_of_the_kernel_that_are_no_default_route_for_ipv6(
    destination: str, length: str, flags: str, interface: str
) -> None:
    row = ROW6.format(destination=destination, length=length, gateway=NONE, flags=flags, interface=interface)
    assert only(PROBE, answer(ip6=NO_TOOL, proc6=row)).facts["default_route_ipv6"] is False


def test_an_interface_may_be_the_way_out_without_a_gateway() -> None:
    facts = only(
        PROBE, answer(ip4=NO_TOOL, proc4=HEADER + ROW.format(gateway="00000000", flags="0001", mask="00000000"))
    ).facts
    assert (facts["default_route_ipv4"], facts["gateways"], facts["interfaces"]) == (True, [], ["lan0"])


@given(st.integers(1, 2**32 - 1), st.sampled_from(["x86_64", "aarch64", "s390x", "ppc64", "ppc64le"]))
def test_addresses_are_in_the_machines_own_order(number: int, machine: str) -> None:
    order = "big" if machine in ("s390x", "ppc64") else "little"
    gateway = number.to_bytes(4, "big" if order == "big" else "little").hex().upper()
    row = ROW.format(gateway=gateway, flags="0003", mask="00000000")
    facts = only(PROBE, answer(ip4=NO_TOOL, proc4=HEADER + row, machine=machine)).facts
    assert facts["gateways"] == [str(IPv4Address(number))]


def test_a_kernel_without_ipv6_has_no_route_for_it() -> None:
    facts = only(PROBE, answer(ip4="default via 192.0.2.1 dev lan0\n", ip6=(2, ""))).facts
    assert (facts["default_route"], facts["default_route_ipv6"]) == (True, False)


def test_neither_tool_nor_table_is_not_measured() -> None:
    assert isinstance(PROBE.read(answer(ip4=NO_TOOL, ip6=NO_TOOL, proc4=NO_FILE), {}), NotMeasured)


@pytest.mark.parametrize(
    "broken",
    [
        Answer(b""),
        answer_of(ip4=""),
        answer(ip4="garbage\n"),
        answer(ip4=NO_TOOL, proc4="garbage of a route\n"),
        answer(ip4=NO_TOOL, proc4=HEADER + "lan0\t00000000\t010200C0\t0003\t0\t0\t0\tmask\n"),
        answer(ip4=NO_TOOL, proc4=HEADER + ROW.format(gateway="010200C0", flags="up", mask="00000000")),
        answer(ip6=NO_TOOL, proc6="garbage\n"),
        answer(ip6=NO_TOOL, proc6=ROW6.format(destination=NONE, length="00", gateway="fe80", flags="1", interface="a")),
        answer(ip6=NO_TOOL, proc6="a b c d e f g h i j\n"),
        Answer(answer().stdout, truncated=True),
    ],
)
def test_what_is_no_route_is_refused(broken: Answer) -> None:
    with pytest.raises(UnreadableAnswer):
        PROBE.read(broken, {})


@pytest.mark.parametrize("shell", SHELLS)
def test_ip_and_the_kernels_tables_agree_here(shell: list[str], tmp_path: Path) -> None:
    tool(tmp_path, "ip", "exit 127")
    by_tables = PROBE.read(ask(PROBE, ["dash"], tools=tmp_path), {})
    by_ip = PROBE.read(ask(PROBE, shell), {})
    assert isinstance(by_ip, Measured)
    assert isinstance(by_tables, Measured)
    expected = dict(by_ip.subjects[0].facts)
    expected.pop("gateways_lost")
    assert by_tables.subjects[0].facts == expected


# --- recordings -------------------------------------------------------------------------------------------------------
IP_ROUTE = """\
default via 192.0.2.1 dev eth0 proto dhcp src 192.0.2.10 metric 100
192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.10
blackhole 198.51.100.0/24
"""
IP_ROUTE_HOPS = """\
default proto static metric 20
\tnexthop via 192.0.2.1 dev eth0 weight 1
\tnexthop via 192.0.2.2 dev eth1 weight 1
"""
IP_ROUTE6 = """\
fe80::/64 dev eth0 proto kernel metric 256 pref medium
default via fe80::1 dev eth0 proto ra metric 100 pref medium
"""
ROUTE = """\
Kernel IP routing table
Destination     Gateway         Genmask         Flags Metric Ref    Use Iface    MSS   Window irtt
0.0.0.0         192.0.2.1       0.0.0.0         UG    100    0        0 eth0     0     0      0
192.0.2.0       0.0.0.0         255.255.255.0   U     100    0        0 eth0     0     0      0
"""
IN_JSON = (
    '[{"dst": "default", "gateway": "192.0.2.1", "dev": "eth0", "flags": []}, {"dst": "192.0.2.0/24", "dev": "eth0"}]'
)


@pytest.mark.parametrize(
    ("text", "gateways", "interfaces"),
    [
        (IP_ROUTE, ["192.0.2.1"], ["eth0"]),
        (IP_ROUTE_HOPS, ["192.0.2.1", "192.0.2.2"], ["eth0", "eth1"]),
        (ROUTE, ["192.0.2.1"], ["eth0"]),
        (IN_JSON, ["192.0.2.1"], ["eth0"]),
        (IN_JSON.replace('"flags": []', '"flags": ["linkdown"], "nexthops": []'), None, None),
    ],
)
def test_bare_routes_of_one_family(text: str, gateways: list[str] | None, interfaces: list[str] | None) -> None:
    facts = facts_of(PROBE, text)
    if gateways is None:
        assert facts == {"default_route_ipv4": False}
    else:
        assert facts == {
            "default_route": True,
            "default_route_ipv4": True,
            "gateways": gateways,
            "interfaces": interfaces,
        }


def test_a_recording_of_the_other_family() -> None:
    facts = facts_of(PROBE, IP_ROUTE6)
    assert (facts["default_route_ipv6"], facts["gateways"], "default_route_ipv4" in facts) == (True, ["fe80::1"], False)


def test_without_a_default_route_of_one_family_the_other_may_have_one() -> None:
    assert facts_of(PROBE, IP_ROUTE.split("\n", 1)[1]) == {"default_route_ipv4": False}


def test_names_in_place_of_addresses_are_no_gateways() -> None:
    facts = facts_of(PROBE, ROUTE.replace("0.0.0.0         192.0.2.1", "default         _gateway "))
    assert facts == {"default_route": True, "default_route_ipv4": True, "interfaces": ["eth0"]}


@OFTEN
@given(data=spoiled([IP_ROUTE, IP_ROUTE_HOPS, IP_ROUTE6, ROUTE, IN_JSON]))
def test_a_spoiled_recording_is_unreadable_at_worst(data: bytes) -> None:
    assert_reads(PROBE, data)


def test_a_recording_of_nothing_or_of_something_else_is_no_news() -> None:
    assert_no_news(PROBE)
