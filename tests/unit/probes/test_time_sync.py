from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import Answer, Measured, NotMeasured, UnreadableAnswer
from maintops.probes.time_sync import PROBE
from tests.unit.probes.asking import SHELLS, answer_of, ask, only, tool
from tests.unit.probes.recorded import OFTEN, all_of, assert_no_news, assert_reads, facts_of, read_recording, spoiled

NONE = (127, "")
SILENT = dict.fromkeys(("chrony", "chrony_sources", "ntpd", "openntpd", "timedatectl", "timesyncd", "adjtimex"), NONE)

TRACKING = "C0000235,192.0.2.53,3,1795350396.810467572,-0.000413000,0.1,0.2,-1.5,0.0,0.1,0.02,0.003,64.2,Normal\n"
LOST = "00000000,,0,0.000000000,0.000000000,0.0,0.0,0.0,0.0,0.0,1.0,1.0,0.0,Not synchronised\n"
LOCAL = "7F7F0101,,10,1795350396.810467572,0.000000000,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Normal\n"
SOURCES = """\
^,*,192.0.2.53,2,6,377,21,0.1,0.1,0.1
^,+,192.0.2.54,2,6,17,21,0.1,0.1,0.1
^,?,192.0.2.55,0,6,0,4294967295,0.0,0.0,0.0
"""

READVAR = """\
associd=0 status=0615 leap_none, sync_ntp, 1 event, clock_sync,
version="ntpd 4.2.8", processor="x86_64", leap=00, stratum=3,
precision=-24, rootdelay=1.2, refid=192.0.2.53, peer=5, offset=-12.500000, frequency=1.0
"""

TIMESYNC = """\
       Server: 192.0.2.53 (ntp.example)
Poll interval: 34min 8s (min: 32s; max 34min 8s)
      Stratum: 2
       Offset: {offset}
 Packet count: 32
"""
SHOWN = "Timezone=UTC\nNTP=yes\nNTPSynchronized={}\nTimeUSec=Sun 2026-11-22 12:00:00 UTC\n"


def answer(**parts: str | tuple[int, str]) -> Answer:
    whole: dict[str, str | tuple[int, str]] = {"container": "none\n", **SILENT, **parts}
    return answer_of(**whole)


def test_chronyd_that_follows_a_source() -> None:
    subject = only(PROBE, answer(chrony=TRACKING, chrony_sources=SOURCES))
    assert subject.facts == {
        "synchronised": True,
        "service": "chronyd",
        "offset_seconds": 0.000413,
        "stratum": 3,
        "source": "192.0.2.53",
        "sources": 3,
        "sources_reachable": 2,
    }


@pytest.mark.parametrize("line", [LOST, LOCAL], ids=["no source", "its own clock"])
def test_chronyd_without_a_source_is_not_synchronised_and_knows_no_offset(line: str) -> None:
    facts = only(PROBE, answer(chrony=line, chrony_sources=(1, ""))).facts
    assert facts == {"synchronised": False, "service": "chronyd"}


def test_a_clock_source_without_a_name_is_left_out() -> None:
    assert "source" not in only(PROBE, answer(chrony=TRACKING.replace("192.0.2.53", ""))).facts


def test_ntpd_counts_in_milliseconds() -> None:
    subject = only(PROBE, answer(ntpd=READVAR))
    assert subject.facts == {
        "synchronised": True,
        "service": "ntpd",
        "offset_seconds": 0.0125,
        "stratum": 3,
        "source": "192.0.2.53",
    }
    assert subject.not_offered == {"sources", "sources_reachable"}


@pytest.mark.parametrize(
    ("old", "new"), [("leap_none", "leap_alarm"), ("sync_ntp", "sync_unspec"), ("sync_ntp", "sync_local")]
)
def test_ntpd_without_a_source_is_not_synchronised(old: str, new: str) -> None:
    facts = only(PROBE, answer(ntpd=READVAR.replace(old, new))).facts
    assert facts == {"synchronised": False, "service": "ntpd"}


def test_an_ntpq_that_reaches_nobody_is_not_believed() -> None:
    subject = only(PROBE, answer(ntpd="ntpq: read: Connection refused\n", timedatectl=SHOWN.format("yes")))
    assert "service" not in subject.facts


def test_openntpd() -> None:
    subject = only(PROBE, answer(openntpd="3/4 peers valid, clock synced, stratum 2\n"))
    assert subject.facts == {
        "synchronised": True,
        "service": "openntpd",
        "sources": 4,
        "sources_reachable": 3,
        "stratum": 2,
    }
    assert only(PROBE, answer(openntpd="0/4 peers valid, clock unsynced\n")).facts["synchronised"] is False


@pytest.mark.parametrize(
    ("offset", "seconds"), [("+1.174ms", 0.001174), ("-2min 3.5s", 123.5), ("-812us", 0.000812), ("+1h 1min", 3660.0)]
)
def test_timesyncd_and_its_time_spans(offset: str, seconds: float) -> None:
    subject = only(PROBE, answer(timesyncd=TIMESYNC.format(offset=offset), timedatectl=SHOWN.format("yes")))
    assert subject.facts == {
        "synchronised": True,
        "service": "systemd-timesyncd",
        "offset_seconds": pytest.approx(seconds),
        "stratum": 2,
        "source": "192.0.2.53 (ntp.example)",
    }


def test_timesyncd_that_has_no_answer_yet() -> None:
    text = "       Server: n/a (ntp.example)\nPacket count: 0\n"
    facts = only(PROBE, answer(timesyncd=text, timedatectl=SHOWN.format("no"))).facts
    assert facts == {"synchronised": False, "service": "systemd-timesyncd"}


def test_without_its_own_words_timesyncd_is_not_believed() -> None:
    shown = SHOWN.format("yes")
    assert "service" not in only(PROBE, answer(timesyncd="Packet count: 0\n", timedatectl=shown)).facts
    text = TIMESYNC.format(offset="+1ms")
    assert isinstance(PROBE.read(answer(timesyncd=text, timedatectl=(1, "")), {}), NotMeasured)


@pytest.mark.parametrize(
    ("text", "synchronised"),
    [
        (SHOWN.format("yes"), True),
        (SHOWN.format("no"), False),
        ("      Local time: Sun\n     NTP enabled: yes\nNTP synchronized: no\n", False),
        ("System clock synchronized: yes\n              NTP service: active\n", True),
    ],
)
def test_systemd_alone_knows_no_more_than_a_flag(text: str, synchronised: bool) -> None:
    subject = only(PROBE, answer(timedatectl=text))
    assert subject.facts == {"synchronised": synchronised}
    assert subject.not_offered == PROBE.facts.keys() - {"synchronised"}


@pytest.mark.parametrize(("value", "synchronised"), [(0, True), (5, False)])
def test_busybox_tells_the_kernels_flag(value: int, synchronised: bool) -> None:
    text = f"    status:       64 (UNSYNC)\n    return value: {value} (clock)\n"
    assert only(PROBE, answer(adjtimex=text)).facts == {"synchronised": synchronised}


def test_a_container_without_a_time_service_has_no_clock_of_its_own() -> None:
    reading = PROBE.read(answer(container="lxc\n", timedatectl=SHOWN.format("no")), {})
    assert reading == NotMeasured("a container uses the clock of its host")


def test_a_service_in_a_container_is_believed() -> None:
    assert only(PROBE, answer(container="lxc\n", chrony=TRACKING)).facts["synchronised"] is True


def test_nobody_answers() -> None:
    silent = answer(chrony=(1, "506 Cannot talk to daemon"), timedatectl=(1, "System has not been booted with systemd"))
    assert isinstance(PROBE.read(silent, {}), NotMeasured)


@pytest.mark.parametrize(
    "broken",
    [
        Answer(b""),
        answer_of(container="none", chrony=TRACKING),
        answer(chrony="garbage\n"),
        answer(chrony=TRACKING.replace(",3,", ",three,")),
        answer(chrony=TRACKING.replace("-0.000413000", "near")),
        answer(ntpd="associd=0 garbage\n"),
        answer(openntpd="garbage\n"),
        answer(timedatectl="garbage\n"),
        answer(timesyncd=TIMESYNC.format(offset="soon"), timedatectl=SHOWN.format("yes")),
        answer(timesyncd=TIMESYNC.format(offset="+2month 3d"), timedatectl=SHOWN.format("yes")),
        Answer(answer(chrony=TRACKING).stdout, truncated=True),
    ],
)
def test_what_no_time_service_says_is_refused(broken: Answer) -> None:
    with pytest.raises(UnreadableAnswer):
        PROBE.read(broken, {})


@given(st.decimals(-1000, 1000, places=9))
def test_an_offset_has_no_sign(offset: object) -> None:
    facts = only(PROBE, answer(chrony=TRACKING.replace("-0.000413000", f"{offset:f}"))).facts
    assert facts["offset_seconds"] == abs(float(f"{offset:f}"))


@pytest.mark.parametrize("shell", SHELLS)
def test_every_service_is_asked_the_way_it_understands(shell: list[str], tmp_path: Path) -> None:
    tool(
        tmp_path, "chronyc", 'case "$*" in "-n -c tracking") printf %s "$T" ;; "-n -c sources") printf %s "$S" ;; esac'
    )
    for name, value in (("T", TRACKING), ("S", SOURCES)):
        text = (tmp_path / "chronyc").read_text().replace(f'"${name}"', f"'{value}'")
        (tmp_path / "chronyc").write_text(text)
    facts = only(PROBE, ask(PROBE, shell, tools=tmp_path)).facts
    assert (facts["service"], facts["sources_reachable"]) == ("chronyd", 2)


@pytest.mark.parametrize("shell", SHELLS)
def test_an_older_timedatectl_without_show(shell: list[str], tmp_path: Path) -> None:
    tool(tmp_path, "chronyc", "exit 1")
    tool(tmp_path, "ntpq", "exit 1")
    tool(tmp_path, "ntpctl", "exit 1")
    tool(tmp_path, "systemd-detect-virt", "echo none; exit 1")
    tool(
        tmp_path,
        "timedatectl",
        '[ "$1" = status ] || { echo "Unknown operation $1"; exit 1; }; echo "NTP synchronized: yes"',
    )
    asked = ask(
        PROBE, shell, tools=tmp_path, change=(("/.dockerenv /run/.containerenv /run/systemd/container", "/no"),)
    )
    assert only(PROBE, asked).facts == {"synchronised": True}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("says", "container"), [("echo lxc", True), ("echo none; exit 1", False)])
def test_a_container_is_told_apart(shell: list[str], says: str, container: bool, tmp_path: Path) -> None:
    for name in ("chronyc", "ntpq", "ntpctl", "timedatectl"):
        tool(tmp_path, name, "exit 1")
    tool(tmp_path, "systemd-detect-virt", says)
    change = (
        ("/.dockerenv /run/.containerenv /run/systemd/container", "/no"),
        ("part adjtimex adjtimex", "part adjtimex false"),
    )
    reading = PROBE.read(ask(PROBE, shell, tools=tmp_path, change=change), {})
    assert isinstance(reading, NotMeasured)
    assert ("container" in reading.why) is container


@pytest.mark.parametrize("shell", SHELLS)
def test_it_can_be_asked_here(shell: list[str]) -> None:
    assert isinstance(PROBE.read(ask(PROBE, shell), {}), Measured | NotMeasured)


# --- recordings -------------------------------------------------------------------------------------------------------
BARE_TRACKING = """\
Reference ID    : C0000201 (time.example.net)
Stratum         : 3
Ref time (UTC)  : Wed May 06 04:13:16 2026
System time     : 0.250000000 seconds slow of NTP time
Last offset     : -0.000006747 seconds
Leap status     : Normal
"""
BARE_SOURCES = """\
MS Name/IP address         Stratum Poll Reach LastRx Last sample
===============================================================================
^* time.example.net              2   6   377    25   +123us[ +150us] +/-   12ms
^? 192.0.2.9                     0   6     0     -     +0ns[   +0ns] +/-    0ns
"""
BARE_CSV = "C0000201,192.0.2.1,3,1778040796.1,0.25,-0.01,0.01,-3.2,-0.0,0.1,0.01,0.001,64.2,Normal\n"
BARE_PEERS = """\
     remote           refid      st t when poll reach   delay   offset  jitter
==============================================================================
 0.example.pool. .POOL.          16 p    -   64    0    0.000   +0.000   0.000
*192.0.2.1       10.0.0.1         2 u   33   64  377    0.500 -250.000   0.100
+192.0.2.2       10.0.0.1         2 u   33   64  377    0.500    0.250   0.100
 192.0.2.3       .INIT.          16 u    -   64    0    0.000    0.000   0.000
"""
BARE_TIMEDATECTL = """\
               Local time: Wed 2026-05-06 04:13:16 UTC
System clock synchronized: yes
              NTP service: active
"""
BARE_TIMESYNC = """\
       Server: 192.0.2.1 (time.example.net)
      Version: 4
      Stratum: 3
       Offset: -250ms
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BARE_TRACKING, {"service": "chronyd", "synchronised": True, "offset_seconds": 0.25, "stratum": 3}),
        (BARE_TRACKING + BARE_SOURCES, {"synchronised": True, "stratum": 3, "sources": 2, "sources_reachable": 1}),
        (BARE_TRACKING.replace("Normal", "Not synchronised"), {"service": "chronyd", "synchronised": False}),
        (BARE_CSV, {"service": "chronyd", "synchronised": True, "offset_seconds": 0.25, "stratum": 3}),
        (
            BARE_SOURCES,
            {"service": "chronyd", "synchronised": True, "source": "time.example.net", "sources_reachable": 1},
        ),
        (
            BARE_PEERS,
            {
                "service": "ntpd",
                "synchronised": True,
                "source": "192.0.2.1",
                "stratum": 3,
                "offset_seconds": 0.25,
                "sources": 3,
                "sources_reachable": 2,
            },
        ),
        ("associd=0 status=c016 leap_alarm, sync_unspec, 1 event\n", {"service": "ntpd", "synchronised": False}),
        (BARE_TIMEDATECTL, {"synchronised": True}),
        ("NTP=yes\nNTPSynchronized=no\n", {"synchronised": False}),
        (BARE_TIMESYNC, {"service": "systemd-timesyncd", "offset_seconds": 0.25, "stratum": 3}),
        (BARE_TIMEDATECTL + BARE_TIMESYNC, {"service": "systemd-timesyncd", "synchronised": True}),
        (
            "ServerName=time.example.net\nServerAddress=192.0.2.1\nNTPMessage={ Leap=0, Stratum=2, Jitter=0 }\n",
            {"service": "systemd-timesyncd", "source": "192.0.2.1", "stratum": 2},
        ),
        ("4/4 peers valid, clock synced, stratum 2\n", {"service": "openntpd", "synchronised": True, "sources": 4}),
    ],
)
def test_bare_output_of_every_service(text: str, expected: dict[str, object]) -> None:
    facts = facts_of(PROBE, text)
    assert {name: facts[name] for name in expected} == expected


@pytest.mark.parametrize("text", [BARE_SOURCES.replace("^*", "^?"), BARE_PEERS.replace("*192", " 192"), BARE_TIMESYNC])
def test_without_a_word_about_it_nothing_is_said_of_the_clock(text: str) -> None:
    assert "synchronised" not in facts_of(PROBE, text)


def test_timedatectl_alone_leaves_the_rest_unmeasured() -> None:
    (server,) = all_of(PROBE, BARE_TIMEDATECTL).values()
    assert server.not_offered == frozenset()


def test_a_daemon_that_does_not_answer_is_not_measured() -> None:
    for said in ("506 Cannot talk to daemon", "localhost: timed out, nothing received", "No association ID's returned"):
        assert read_recording(PROBE, f"{said}\n") == NotMeasured(said)


@OFTEN
@given(
    data=spoiled(
        [
            BARE_TRACKING,
            BARE_SOURCES,
            BARE_CSV,
            BARE_PEERS,
            BARE_TIMEDATECTL,
            BARE_TIMESYNC,
            BARE_TIMEDATECTL + BARE_TIMESYNC,
        ]
    )
)
def test_a_spoiled_recording_is_unreadable_at_worst(data: bytes) -> None:
    assert_reads(PROBE, data)


def test_a_recording_of_nothing_or_of_something_else_is_no_news() -> None:
    assert_no_news(PROBE)
