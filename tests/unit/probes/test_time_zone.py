from __future__ import annotations

import pytest
from hypothesis import given

from maintops.domain.answers import NotMeasured, UnreadableAnswer
from maintops.probes.time_zone import PROBE
from tests.unit.probes.asking import SHELLS, answer_of, ask, only
from tests.unit.probes.broken_tools import HTML, assert_bad_answers_are_no_facts, recorded, recorded_facts
from tests.unit.probes.spoiling import complaints, spoiled

STATUS = """\
               Local time: Sun 2026-03-01 10:00:00 CET
           Universal time: Sun 2026-03-01 09:00:00 UTC
                 RTC time: Sun 2026-03-01 09:00:00
                Time zone: Europe/Berlin (CET, +0100)
System clock synchronized: yes
              NTP service: active
          RTC in local TZ: no
"""
SHOW = "Timezone=Asia/Shanghai\nLocalRTC=yes\nCanNTP=yes\n"
LOCALECTL = "System Locale: LANG=en_US.UTF-8\n    VC Keymap: us\n   X11 Layout: us\n"
LOCALE = 'LANG=C.UTF-8\nLANGUAGE=\nLC_CTYPE="C.UTF-8"\n'
ADJTIME = "0.0 1700000000 0.0\n1700000000\nUTC\n"


def test_zone_language_and_hardware_clock() -> None:
    one = only(
        PROBE,
        answer_of(
            link="/usr/share/zoneinfo/Europe/Berlin\n",
            offset="+0100\n",
            zone="Europe/Berlin\n",
            locale='LANG="de_DE.UTF-8"\nLC_TIME=C\n',
            clock=ADJTIME,
        ),
    )
    assert one.facts == {
        "zone": "Europe/Berlin",
        "offset": "+0100",
        "language": "de_DE.UTF-8",
        "locale": ["LANG=de_DE.UTF-8", "LC_TIME=C"],
        "hardware_clock_local": False,
    }


def test_a_copied_zone_is_named_by_its_file() -> None:
    one = only(
        PROBE,
        answer_of(link="/etc/localtime\n", offset="+0800\n", zone="Asia/Shanghai\n", locale=(1, ""), clock=(2, "")),
    )
    assert one.facts == {"zone": "Asia/Shanghai", "offset": "+0800"}
    assert one.not_offered == {"language", "locale", "hardware_clock_local"}
    bare = only(
        PROBE, answer_of(link="/etc/localtime\n", offset="+0000\n", zone=(1, ""), locale=(1, ""), clock=(2, ""))
    )
    assert bare.facts == {"offset": "+0000"}


def test_nothing_known_is_not_measured() -> None:
    assert isinstance(PROBE.read(answer_of(link=(1, ""), offset=(127, ""), zone="%&\n"), {}), NotMeasured)
    with pytest.raises(UnreadableAnswer):
        PROBE.read(answer_of(link="x\n"), {})
    assert_bad_answers_are_no_facts(PROBE)


def test_recordings() -> None:
    assert recorded_facts(PROBE, STATUS) == {"zone": "Europe/Berlin", "offset": "+0100", "hardware_clock_local": False}
    assert recorded_facts(PROBE, SHOW) == {"zone": "Asia/Shanghai", "hardware_clock_local": True}
    assert recorded_facts(PROBE, LOCALECTL) == {"language": "en_US.UTF-8"}
    assert recorded_facts(PROBE, LOCALE) == {"language": "C.UTF-8"}
    with pytest.raises(UnreadableAnswer, match="timedatectl"):
        recorded(PROBE, HTML.decode())


@pytest.mark.parametrize("shell", SHELLS)
def test_it_can_be_asked_here(shell: list[str]) -> None:
    assert "offset" in only(PROBE, ask(PROBE, shell)).facts


@given(spoiled([text.encode() for text in (STATUS, SHOW, LOCALECTL, LOCALE)]))
def test_a_spoiled_recording_is_refused_at_worst(recording: bytes) -> None:
    assert complaints(PROBE, recording) == []
