from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import Answer, NotMeasured, UnreadableAnswer
from maintops.probes.listening_ports import PROBE
from tests.unit.probes.asking import SHELLS, answer_of, ask, only, tool
from tests.unit.probes.recorded import OFTEN, assert_no_news, assert_reads, facts_of, read_recording, spoiled

HEADER = "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n"
RANGE = "32768\t60999\n"
NO_MATCH = (1, "")


def by_ss(four: str, six: str = "") -> Answer:
    return answer_of(ss4=HEADER + four, ss6=HEADER + six, range=RANGE)


def test_what_ss_of_today_prints() -> None:
    facts = only(
        PROBE,
        by_ss(
            'udp   UNCONN 0      0      127.0.0.53%lo:53        0.0.0.0:*    users:(("systemd-resolve",pid=6,fd=13))\n'
            "udp   UNCONN 0      0          0.0.0.0:123      0.0.0.0:*\n"
            'udp   UNCONN 0      0          0.0.0.0:41234      0.0.0.0:*    users:(("rsyslogd",pid=4,fd=5))\n'
            'tcp   LISTEN 0      511        0.0.0.0:80   0.0.0.0:* users:(("nginx",pid=8,fd=6),("nginx",pid=9,fd=6))\n',
            'tcp   LISTEN 0      128              *:9090           *:*    users:(("prom",pid=7,fd=3))\n'
            "tcp   LISTEN 0      128          [::1]:25           [::]:*\n"
            "udp   UNCONN 0      0      [fe80::a:b]%lan0:546     [::]:*\n",
        ),
    ).facts
    assert facts == {
        "ports": [
            "tcp [::1]:25",
            "tcp 0.0.0.0:80",
            "tcp [::]:9090",
            "udp 127.0.0.53:53",
            "udp 0.0.0.0:123",
            "udp [fe80::a:b]:546",
        ],
        "public_ports": ["tcp 0.0.0.0:80", "tcp [::]:9090", "udp 0.0.0.0:123", "udp [fe80::a:b]:546"],
        "count": 6,
        "passing_udp": ["udp 0.0.0.0:41234"],
        "processes": {
            "tcp 0.0.0.0:80": ["nginx"],
            "tcp [::]:9090": ["prom"],
            "udp 127.0.0.53:53": ["systemd-resolve"],
        },
    }


def test_what_an_older_ss_prints_means_the_same() -> None:
    facts = only(
        PROBE,
        by_ss(
            'tcp    LISTEN     0      128       *:22          *:*      users:(("sshd",931,3))\n',
            "tcp    LISTEN     0      128      :::22         :::*      \ntcp    LISTEN     0   100  ::1:25  :::*\n",
        ),
    ).facts
    assert facts["ports"] == ["tcp 0.0.0.0:22", "tcp [::]:22", "tcp [::1]:25"]
    assert facts["processes"] == {"tcp 0.0.0.0:22": ["sshd"]}


def test_a_user_sees_no_processes() -> None:
    facts = only(PROBE, by_ss("tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:*\n")).facts
    assert "processes" not in facts


def test_nothing_listens() -> None:
    assert only(PROBE, by_ss("")).facts == {"ports": [], "public_ports": [], "count": 0, "passing_udp": []}


def test_loopback_written_as_ipv6_is_not_public() -> None:
    facts = only(
        PROBE, by_ss("", "tcp LISTEN 0 9 [::ffff:127.0.0.1]:8005 *:*\ntcp LISTEN 0 9 [::ffff:192.0.2.1]:8006 *:*\n")
    ).facts
    assert facts["ports"] == ["tcp [::ffff:127.0.0.1]:8005", "tcp [::ffff:192.0.2.1]:8006"]
    assert facts["public_ports"] == ["tcp [::ffff:192.0.2.1]:8006"]


@pytest.mark.parametrize(
    ("ignore", "left"),
    [(["udp *:5353"], ["tcp [::]:22"]), ("*:22", ["udp 0.0.0.0:5353"]), (["tcp [::]:22"], ["udp 0.0.0.0:5353"])],
)
def test_ports_can_be_left_out_by_pattern(ignore: Any, left: list[str]) -> None:
    answer = by_ss("udp UNCONN 0 0 0.0.0.0:5353 0.0.0.0:*\n", "tcp LISTEN 0 128 [::]:22 [::]:*\n")
    assert only(PROBE, answer, {"ignore": ignore}).facts["ports"] == left


def test_without_a_range_every_port_is_a_servers() -> None:
    answer = answer_of(ss4="udp UNCONN 0 0 0.0.0.0:41234 0.0.0.0:*\n", ss6="", range=(1, ""))
    assert only(PROBE, answer).facts["ports"] == ["udp 0.0.0.0:41234"]


sockets = st.tuples(
    st.sampled_from(["tcp", "udp"]), st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)), st.integers(1, 32767)
)


@given(st.lists(sockets, max_size=8, unique=True), st.sampled_from(["x86_64", "s390x"]))
def test_the_kernels_tables_say_what_ss_says(
    seen: list[tuple[str, IPv4Address | IPv6Address, int]], machine: str
) -> None:
    tables: dict[str, str] = {"tcp": "", "tcp6": "", "udp": "", "udp6": ""}
    shown = {4: "", 6: ""}
    for protocol, address, port in seen:
        raw = address.packed
        if machine == "x86_64":
            raw = b"".join(raw[start : start + 4][::-1] for start in range(0, len(raw), 4))
        table = protocol + ("6" if address.version == 6 else "")
        tables[table] += f"   1: {raw.hex().upper()}:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 0\n"
        local = f"[{address}]" if address.version == 6 else str(address)
        shown[address.version] += f"{protocol} LISTEN 0 128 {local}:{port} 0.0.0.0:*\n"
    by_proc = answer_of(machine=machine, range=RANGE, **{name: text or NO_MATCH for name, text in tables.items()})
    assert only(PROBE, by_proc).facts == only(PROBE, by_ss(shown[4], shown[6])).facts


def test_a_kernel_without_ipv6_has_no_such_tables() -> None:
    row = "   0: 00000000:0016 00000000:0000 0A 0:0 0:0 0\n"
    answer = answer_of(machine="x86_64", tcp=row, tcp6=(2, ""), udp=NO_MATCH, udp6=(2, ""), range=RANGE)
    assert only(PROBE, answer).facts["ports"] == ["tcp 0.0.0.0:22"]


@pytest.mark.parametrize(
    "answer",
    [
        answer_of(ss4=(255, ""), ss6=(255, ""), range=RANGE),
        answer_of(machine="x86_64", tcp=(2, ""), tcp6=(2, ""), udp=(2, ""), udp6=(2, ""), range=RANGE),
        answer_of(machine="x86_64", tcp=(127, ""), tcp6=(127, ""), udp=(127, ""), udp6=(127, ""), range=RANGE),
    ],
    ids=["ss fails", "no tables", "no grep"],
)
def test_no_way_to_list_them_is_not_measured(answer: Answer) -> None:
    assert isinstance(PROBE.read(answer, {}), NotMeasured)


@pytest.mark.parametrize(
    "broken",
    [
        Answer(b""),
        answer_of(ss4=HEADER, ss6=HEADER),
        by_ss("garbage\n"),
        by_ss("tcp LISTEN 0 128 0.0.0.0:ssh 0.0.0.0:*\n"),
        by_ss("tcp LISTEN 0 128 somewhere:22 0.0.0.0:*\n"),
        by_ss("raw UNCONN 0 0 0.0.0.0:1 0.0.0.0:*\n"),
        answer_of(machine="x86_64", tcp="garbage", tcp6="", udp="", udp6="", range=RANGE),
        answer_of(machine="x86_64", tcp=NO_MATCH, tcp6="", udp=(3, ""), udp6="", range=RANGE),
        Answer(by_ss("").stdout, truncated=True),
        Answer(by_ss("").stdout[:-3]),
    ],
)
def test_what_is_no_list_of_ports_is_refused(broken: Answer) -> None:
    with pytest.raises(UnreadableAnswer):
        PROBE.read(broken, {})


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("with_ss", [True, False], ids=["ss", "proc"])
def test_a_port_that_is_opened_is_seen(shell: list[str], with_ss: bool, tmp_path: Path) -> None:
    change = () if with_ss else (("command -v ss ", "command -v no-such-tool "),)
    with socket.create_server(("127.0.0.1", 0)) as waiting, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(("127.0.0.1", 0))
        facts = only(PROBE, ask(PROBE, shell, change=change)).facts
        assert f"tcp 127.0.0.1:{waiting.getsockname()[1]}" in facts["ports"]
        assert f"tcp 127.0.0.1:{waiting.getsockname()[1]}" not in facts["public_ports"]
        assert f"udp 127.0.0.1:{datagrams.getsockname()[1]}" in facts["ports"] + facts["passing_udp"]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_broken_ss_is_not_measured(shell: list[str], tmp_path: Path) -> None:
    tool(tmp_path, "ss", "echo Cannot open netlink socket >&2; exit 255")
    assert isinstance(PROBE.read(ask(PROBE, shell, tools=tmp_path), {}), NotMeasured)


# --- recordings -------------------------------------------------------------------------------------------------------
SS = """\
Netid State  Recv-Q Send-Q Local Address:Port  Peer Address:PortProcess
udp   UNCONN 0      0      127.0.0.53%lo:53         0.0.0.0:*    users:(("resolver",pid=612,fd=13))
tcp   LISTEN 0      128          0.0.0.0:22         0.0.0.0:*    users:(("sshd",pid=900,fd=3))
tcp   LISTEN 0      511                *:80               *:*    users:(("web",pid=1,fd=4),("web",pid=2,fd=4))
tcp   ESTAB  0      0           10.0.0.1:22       10.0.0.2:4000  users:(("sshd",pid=901,fd=3))
"""
SS_OLD = """\
State      Recv-Q Send-Q Local Address:Port               Peer Address:Port
LISTEN     0      128          *:22                       *:*
LISTEN     0      128         :::80                      :::*
UNCONN     0      0    127.0.0.53%lo:53                   *:*
"""
NETSTAT = """\
Active Internet connections (only servers)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name
tcp        0      0 0.0.0.0:22              0.0.0.0:*               LISTEN      900/sshd: /usr/sbin
tcp6       0      0 :::80                   :::*                    LISTEN      -
tcp        0      0 10.0.0.1:22             10.0.0.2:4000           ESTABLISHED 901/sshd
udp        0      0 127.0.0.53:53           0.0.0.0:*                           612/resolver
"""
LSOF = """\
COMMAND  PID USER   FD   TYPE DEVICE SIZE/OFF NODE NAME
sshd     900 root    3u  IPv4  12345      0t0  TCP *:22 (LISTEN)
web        1 root    4u  IPv6  12346      0t0  TCP *:80 (LISTEN)
resolver 612 root   13u  IPv4  12347      0t0  UDP 127.0.0.53:53
sshd     901 root    4u  IPv4  12348      0t0  TCP 10.0.0.1:22->10.0.0.2:4000 (ESTABLISHED)
"""


@pytest.mark.parametrize("text", [SS, SS_OLD, NETSTAT, LSOF])
def test_bare_tables_of_every_tool(text: str) -> None:
    facts = facts_of(PROBE, text)
    assert facts["ports"] == ["tcp 0.0.0.0:22", "tcp [::]:80", "udp 127.0.0.53:53"]
    assert facts["public_ports"] == ["tcp 0.0.0.0:22", "tcp [::]:80"]
    assert (facts["count"], "passing_udp" in facts) == (3, False)
    assert facts.get("processes", {}).get("tcp 0.0.0.0:22") == (None if text == SS_OLD else ["sshd"])


def test_names_of_ports_are_not_guessed() -> None:
    with pytest.raises(UnreadableAnswer, match="the option -n gives numbers"):
        read_recording(PROBE, SS_OLD.replace("*:22", "*:ssh"))


def test_a_line_that_is_no_socket_is_not_left_out() -> None:
    with pytest.raises(UnreadableAnswer, match="this is no line of a table"):
        read_recording(PROBE, SS.replace("tcp   LISTEN 0      128 ", "tcp   LIST"))


def test_connections_alone_do_not_tell_who_listens() -> None:
    text = "\n".join(line for line in NETSTAT.split("\n") if "LISTEN" not in line and "udp" not in line)
    assert isinstance(read_recording(PROBE, text), NotMeasured)


@OFTEN
@given(data=spoiled([SS, SS_OLD, NETSTAT, LSOF]))
def test_a_spoiled_recording_is_unreadable_at_worst(data: bytes) -> None:
    assert_reads(PROBE, data)


def test_a_recording_of_nothing_or_of_something_else_is_no_news() -> None:
    assert_no_news(PROBE)
