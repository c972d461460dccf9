from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import Answer, Measured, NotMeasured, UnreadableAnswer
from maintops.probes.accounts import PROBE
from tests.unit.probes.asking import SHELLS, answer_of, ask, only
from tests.unit.probes.recorded import OFTEN, assert_no_news, assert_reads, facts_of, spoiled

PASSWD = "root:0:/bin/bash\nbin:1:/usr/sbin/nologin\ntoor:0:/bin/sh\nanna:1000:/usr/bin/fish\nnobody:65534:/bin/false\n"
GROUPS = "sudo:anna,ben\nwheel:anna\nadmin:\n"


def answer(**parts: str | tuple[int, str]) -> Answer:
    whole: dict[str, str | tuple[int, str]] = {"passwd": PASSWD, "open_": "", "shadow": "", "groups": GROUPS}
    return answer_of(**(whole | parts))


def test_who_is_root_who_may_log_in_and_who_may_become_root() -> None:
    assert only(PROBE, answer(open_="guest\n", shadow="anna\nguest\n")).facts == {
        "uid0": ["root", "toor"],
        "accounts": ["root", "toor", "anna"],
        "empty_passwords": ["guest", "anna"],
        "admins": ["anna", "ben"],
    }


def test_who_needs_no_password_is_known_to_root_alone() -> None:
    facts = only(PROBE, answer(shadow=(2, ""))).facts
    assert "empty_passwords" not in facts
    assert facts["uid0"] == ["root", "toor"]


def test_no_such_groups_means_no_members() -> None:
    assert only(PROBE, answer(groups="")).facts["admins"] == []
    assert "admins" not in only(PROBE, answer(groups=(2, ""))).facts


def test_an_empty_shell_lets_in() -> None:
    assert only(PROBE, answer(passwd="root:0:\n")).facts["accounts"] == ["root"]


def test_what_nis_adds_is_no_account() -> None:
    assert only(PROBE, answer(passwd="root:0:/bin/sh\n+::\n-eve::\n")).facts["accounts"] == ["root"]


def test_no_right_at_all_is_not_measured() -> None:
    assert isinstance(PROBE.read(answer(passwd=(1, "")), {}), NotMeasured)


@pytest.mark.parametrize(
    "broken",
    [
        Answer(b""),
        answer_of(passwd=PASSWD),
        answer(passwd="garbage\n"),
        answer(passwd="root:zero:/bin/sh\n"),
        answer(passwd=":0:/bin/sh\n"),
        answer(passwd=""),
        answer(groups="garbage\n"),
        Answer(answer().stdout, truncated=True),
    ],
)
def test_what_is_no_list_of_accounts_is_refused(broken: Answer) -> None:
    with pytest.raises(UnreadableAnswer):
        PROBE.read(broken, {})


@given(st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_-]{0,15}", fullmatch=True), st.integers(0, 3), min_size=1))
def test_every_account_with_number_zero_is_root(accounts: dict[str, int]) -> None:
    text = "".join(f"{name}:{uid}:/bin/sh\n" for name, uid in accounts.items())
    assert only(PROBE, answer(passwd=text)).facts["uid0"] == [name for name, uid in accounts.items() if uid == 0]


@pytest.mark.parametrize("shell", SHELLS)
def test_no_hash_ever_leaves_the_server(shell: list[str], tmp_path: Path) -> None:
    canary = "$y$j9T$CANARY"
    (tmp_path / "passwd").write_text(
        f"root:x:0:0:root:/root:/bin/sh\nold:{canary}:7:7::/:/bin/sh\nopen::8:8::/:/bin/sh\n+::::::\n"
    )
    (tmp_path / "shadow").write_text(
        f"root:{canary}:1:0:9:7:::\nlocked:!:1::::::\nnobody:*:1::::::\nfree::1:0:9:7:::\n"
    )
    (tmp_path / "group").write_text(f"root:{canary}:0:\nwheel:{canary}:10:root,anna\nsudoers:x:11:eve\n")
    asked = ask(PROBE, shell, change=(("/etc/", f"{tmp_path}/"),))
    assert b"CANARY" not in asked.stdout + asked.stderr
    facts = only(PROBE, asked).facts
    assert facts["empty_passwords"] == ["open", "free"]
    assert facts["admins"] == ["anna", "root"]
    assert facts["accounts"] == ["root", "old", "open"]


@pytest.mark.parametrize("shell", SHELLS)
def test_it_can_be_asked_here(shell: list[str]) -> None:
    reading = PROBE.read(ask(PROBE, shell), {})
    assert isinstance(reading, Measured)
    assert "root" in reading.subjects[0].facts["uid0"]


# --- recordings -------------------------------------------------------------------------------------------------------
PASSWD_FILE = """\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
toor:x:0:0::/root:/bin/sh
alice::1000:1000:Alice,,,:/home/alice:
+@admins::::::
"""


def test_a_recording_of_the_file_alone() -> None:
    assert facts_of(PROBE, PASSWD_FILE) == {"uid0": ["root", "toor"], "accounts": ["root", "toor", "alice"]}


def test_password_hashes_of_a_recording_go_no_further() -> None:
    assert PROBE.recording is not None
    assert b"secret" not in PROBE.recording(PASSWD_FILE.replace(":x:", ":$6$secret:").encode()).stdout


@OFTEN
@given(data=spoiled([PASSWD_FILE]))
def test_a_spoiled_recording_is_unreadable_at_worst(data: bytes) -> None:
    assert_reads(PROBE, data)


def test_a_recording_of_nothing_or_of_something_else_is_no_news() -> None:
    assert_no_news(PROBE)
