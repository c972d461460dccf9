from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import Answer, Measured, NotMeasured, UnreadableAnswer
from maintops.probes.sshd_settings import PROBE
from tests.unit.probes.asking import SHELLS, answer_of, ask, only, part_of, tool
from tests.unit.probes.recorded import OFTEN, assert_no_news, assert_reads, facts_of, spoiled

EFFECTIVE = """\
port 22
port 2222
addressfamily any
permitrootlogin without-password
maxauthtries 4
pubkeyauthentication yes
passwordauthentication no
kbdinteractiveauthentication no
x11forwarding no
permitemptypasswords no
banner none
subsystem sftp /usr/lib/sftp
versionaddendum
"""
NO_KEYS = (1, "")
DEFAULTS = {
    "source": "files",
    "permit_root_login": "prohibit-password",
    "password_authentication": True,
    "kbd_interactive_authentication": True,
    "permit_empty_passwords": False,
    "pubkey_authentication": True,
    "x11_forwarding": False,
    "max_auth_tries": 6,
    "ports": [22],
}


def files(main: str | tuple[int, str], **others: str | tuple[int, str]) -> Answer:
    """The files as a user sees them; a name without a dot stands for `d/NAME.conf`, included by `d/*.conf`."""
    listing = "".join(f"d/{name}.conf\n" for name in sorted(others)) or "d/*.conf\n"
    return Answer(
        part_of("effective", NO_KEYS)
        + part_of("file sshd_config", main)
        + part_of("include d/*.conf", listing)
        + b"".join(part_of(f"file d/{name}.conf", text) for name, text in others.items())
        + part_of("end", "")
    )


def test_what_sshd_itself_says() -> None:
    assert only(PROBE, answer_of(effective=EFFECTIVE, end="")).facts == {
        "source": "effective",
        "permit_root_login": "prohibit-password",
        "password_authentication": False,
        "kbd_interactive_authentication": False,
        "permit_empty_passwords": False,
        "pubkey_authentication": True,
        "x11_forwarding": False,
        "max_auth_tries": 4,
        "ports": [22, 2222],
    }


def test_an_older_sshd_has_older_words() -> None:
    text = EFFECTIVE.replace("kbdinteractiveauthentication no", "challengeresponseauthentication yes")
    assert only(PROBE, answer_of(effective=text, end="")).facts["kbd_interactive_authentication"] is True


def test_files_that_say_nothing_leave_the_defaults() -> None:
    assert only(PROBE, files("")).facts == DEFAULTS


def test_the_first_value_wins_and_includes_are_read_in_their_place() -> None:
    facts = only(
        PROBE,
        files(
            'PermitRootLogin no\nInclude "d/*.conf"\nPasswordAuthentication yes\n'
            "X11Forwarding\tyes\nMaxAuthTries=3\nPort 2022\n",
            a="PermitRootLogin yes\nPasswordAuthentication no # by policy\nPort 22\n",
            b="PasswordAuthentication yes\n",
        ),
    ).facts
    assert facts == DEFAULTS | {
        "permit_root_login": "no",
        "password_authentication": False,
        "x11_forwarding": True,
        "max_auth_tries": 3,
        "ports": [22, 2022],
    }


def test_a_match_block_holds_for_some_and_ends_with_its_file() -> None:
    facts = only(
        PROBE,
        files(
            "Include d/*.conf\nMaxAuthTries 5\nMatch User ben\nX11Forwarding yes\nInclude d/*.conf\n"
            "Match all\nPermitRootLogin no\n",
            a="Match Address 192.0.2.0/24\nPasswordAuthentication no\nMaxAuthTries 2\n",
        ),
    ).facts
    assert facts == DEFAULTS | {"max_auth_tries": 5, "permit_root_login": "no"}


def test_what_follows_a_hidden_file_is_not_certain() -> None:
    facts = only(PROBE, files("PermitRootLogin no\nPort 22\nInclude d/*.conf\nMaxAuthTries 3\n", a=(2, ""))).facts
    assert facts == {"source": "files", "permit_root_login": "no"}


def test_a_hidden_folder_hides_what_follows_too() -> None:
    answer = Answer(
        part_of("effective", NO_KEYS)
        + part_of("file sshd_config", "MaxAuthTries 3\nInclude d/*.conf\nPermitRootLogin no\n")
        + part_of("denied d/*.conf", "")
        + part_of("end", "")
    )
    assert only(PROBE, answer).facts == {"source": "files", "max_auth_tries": 3}


def test_files_that_include_each_other_come_to_an_end() -> None:
    assert only(PROBE, files("Include d/*.conf\n", a="MaxAuthTries 2\nInclude d/*.conf\n")).facts["max_auth_tries"] == 2


@pytest.mark.parametrize(
    "answer",
    [answer_of(effective=(127, ""), end=""), answer_of(effective=NO_KEYS, end=""), files((2, ""))],
    ids=["no sshd", "no files", "no right"],
)
def test_no_sshd_and_no_right_are_not_measured(answer: Answer) -> None:
    assert isinstance(PROBE.read(answer, {}), NotMeasured)


@pytest.mark.parametrize(
    "broken",
    [
        Answer(b""),
        answer_of(effective=EFFECTIVE),
        answer_of(effective="garbage\n", end=""),
        answer_of(effective=EFFECTIVE.replace("passwordauthentication no", "passwordauthentication perhaps"), end=""),
        answer_of(effective=EFFECTIVE.replace("port 22\n", "port ssh\n"), end=""),
        answer_of(effective=EFFECTIVE.replace("maxauthtries 4", "maxauthtries some"), end=""),
        Answer(answer_of(effective=EFFECTIVE, end="").stdout, truncated=True),
    ],
)
def test_what_sshd_does_not_say_is_refused(broken: Answer) -> None:
    with pytest.raises(UnreadableAnswer):
        PROBE.read(broken, {})


@given(st.lists(st.sampled_from(["yes", "no", "prohibit-password"]), min_size=1, max_size=5), st.data())
def test_the_first_of_many_values_wins_wherever_it_stands(values: list[str], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(values)))
    included = "".join(f"permitRootLogin  {value}\n" for value in values[:cut])
    main = "Include d/*.conf\n" + "".join(f"PermitRootLogin={value}\n" for value in values[cut:])
    assert only(PROBE, files(main, a=included)).facts["permit_root_login"] == values[0]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_question_follows_includes(shell: list[str], tmp_path: Path) -> None:
    inside = tmp_path / "sshd_config.d"
    inside.mkdir()
    more = tmp_path / "elsewhere.conf"
    (tmp_path / "sshd_config").write_text(
        "# PermitRootLogin yes\n\ninclude sshd_config.d/*.conf sshd_config.d/*.none\n"
        "PermitRootLogin yes\nX11Forwarding yes"
    )
    (inside / "20-b.conf").write_text("PermitRootLogin yes\nPasswordAuthentication no\n")
    (inside / "10-a.conf").write_text(f'PermitRootLogin no\nInclude="{more}"\n')
    more.write_text("MaxAuthTries 2\nInclude sshd_config.d/20-b.conf\n")
    tool(tmp_path, "sshd", "echo no hostkeys available >&2; exit 1")
    asked = ask(PROBE, shell, tools=tmp_path, change=(("/etc/ssh /usr/etc/ssh", f"/no/such/folder {tmp_path}"),))
    assert only(PROBE, asked).facts == DEFAULTS | {
        "permit_root_login": "no",
        "password_authentication": False,
        "max_auth_tries": 2,
        "x11_forwarding": True,
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to ask as somebody else")
@pytest.mark.skipif(not Path("/etc/ssh/sshd_config").exists(), reason="no sshd_config here")
@pytest.mark.parametrize("shell", SHELLS)
def test_files_and_sshd_agree_here(shell: list[str]) -> None:
    by_files = only(PROBE, ask(PROBE, shell, user="nobody")).facts
    by_sshd = PROBE.read(ask(PROBE, shell), {})
    assert by_files["source"] == "files"
    if not isinstance(by_sshd, Measured) or by_sshd.subjects[0].facts["source"] != "effective":
        pytest.skip("sshd does not show its settings here")
    assert by_files == {**by_sshd.subjects[0].facts, "source": "files"}


# --- recordings -------------------------------------------------------------------------------------------------------
EFFECTIVE_T = """\
port 22
port 2222
addressfamily any
permitrootlogin without-password
passwordauthentication yes
kbdinteractiveauthentication no
permitemptypasswords no
maxauthtries 6
"""
CONFIG = """\
# The server's own settings
Port 2222
PermitRootLogin yes
#PasswordAuthentication no

Subsystem sftp /usr/lib/openssh/sftp-server
Match User backup
  PermitRootLogin no
"""


def test_a_recording_of_the_settings_in_force() -> None:
    facts = facts_of(PROBE, EFFECTIVE_T)
    assert (facts["source"], facts["permit_root_login"], facts["ports"]) == (
        "effective",
        "prohibit-password",
        [22, 2222],
    )
    assert (facts["password_authentication"], "pubkey_authentication" in facts) == (True, False)


def test_a_recording_of_the_file() -> None:
    facts = facts_of(PROBE, CONFIG)
    assert (facts["source"], facts["permit_root_login"], facts["ports"]) == ("files", "yes", [2222])
    assert facts["password_authentication"] is True


def test_what_the_file_includes_is_not_known() -> None:
    facts = facts_of(PROBE, "PermitRootLogin no\nInclude /etc/ssh/sshd_config.d/*.conf\n" + CONFIG)
    assert facts == {"source": "files", "permit_root_login": "no"}


@OFTEN
@given(data=spoiled([EFFECTIVE_T, CONFIG]))
def test_a_spoiled_recording_is_unreadable_at_worst(data: bytes) -> None:
    assert_reads(PROBE, data)


def test_a_recording_of_nothing_or_of_something_else_is_no_news() -> None:
    assert_no_news(PROBE)
