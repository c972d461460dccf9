from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maintops.runners.ssh_config import ClientConfig, expand, read_config
from maintops.runners.ssh_options import Options, Unsupported


def config(folder: Path, personal: str, system: str = "") -> ClientConfig:
    (folder / "config").write_text(personal)
    (folder / "system").write_text(system)
    return read_config(folder / "config", folder / "system")


def found(folder: Path, personal: str, host: str = "web1", user: str | None = None, system: str = "") -> Options:
    return config(folder, personal, system).lookup(host, user)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", {}),
        ("Port 2222", {"port": ["2222"]}),
        ("Port=2222", {"port": ["2222"]}),
        ("  port   =  2222  # why", {"port": ["2222"]}),
        ('User "some one"', {"user": ["some one"]}),
        ("# Port 1\n\nPort 2", {"port": ["2"]}),
        ("Host web1\n Port 1\nHost *\n Port 2\n User u", {"port": ["1"], "user": ["u"]}),
        ("Host web2 web*\n Port 1", {"port": ["1"]}),
        ("Host * !web1\n Port 1", {}),
        ("Host we[b]1\n Port 1", {}),
        ("IdentityFile a\nHost web1\nIdentityFile b\nIdentityFile a", {"identityfile": ["a", "b"]}),
        ("Host web1\n ProxyJump a\nHost *\n ProxyCommand x %h", {"proxy": ["jump a"]}),
        ('ProxyCommand ssh -W %h:%p "gate" # no comment', {"proxy": ['command ssh -W %h:%p "gate" # no comment']}),
        ("Match all\n Port 1", {"port": ["1"]}),
        ("Match host web*,!web1\n Port 1", {}),
        ("Match !host web2\n Port 1", {"port": ["1"]}),
        ("HostName real\nMatch host real\n Port 1", {"hostname": ["real"], "port": ["1"]}),
        ("HostName real\nMatch originalhost real\n Port 1", {"hostname": ["real"]}),
        ("User a\nMatch user a\n Port 1", {"user": ["a"], "port": ["1"]}),
        ("Match final\n Port 1\nMatch all\n Port 2", {"port": ["2"]}),
        ("Match final\n User last", {"user": ["last"]}),
        ("Match canonical\n User never", {}),
        ("Match host web2 exec never-run\n Port 1", {}),
    ],
)
def test_lookup(tmp_path: Path, text: str, options: Options) -> None:
    assert found(tmp_path, text) == options


def test_the_user_of_the_inventory_is_what_match_user_sees(tmp_path: Path) -> None:
    text = "User a\nMatch user b\n Port 1"
    assert found(tmp_path, text, user="b") == {"user": ["a"], "port": ["1"]}


def test_include(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "1.conf").write_text("Host web1\n Port 1\n")
    (tmp_path / "more" / "2.conf").write_text("User u\n")
    text = "Include more/*.conf none/*\nHost *\n Port 2"
    assert found(tmp_path, text) == {"port": ["1"], "user": ["u"]}
    assert found(tmp_path, text, "web2") == {"port": ["2"], "user": ["u"]}


def test_include_within_a_block_counts_only_there(tmp_path: Path) -> None:
    (tmp_path / "more").write_text("User u\nHost *\n Port 1\n")
    text = "Host web2\n Include more\nHost *\n Port 2"
    assert found(tmp_path, text, "web1") == {"port": ["2"]}
    assert found(tmp_path, text, "web2") == {"user": ["u"], "port": ["1"]}


def test_a_file_that_includes_itself_is_not_followed_for_ever(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="included too deep"):
        found(tmp_path, "Include config")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Match exec true\n Port 1", "has Match exec"),
        ("Match host web1 exec true\n Port 1", "config:1 has Match exec"),
        ("Host web1\n GSSAPIAuthentication yes", "sets gssapiauthentication"),
        ("Host web1\n PKCS11Provider /lib/x", "sets pkcs11provider"),
        ("nonsense", "config:1 cannot be read"),
        ('User "open', "config:1 cannot be read"),
    ],
)
def test_what_the_engine_cannot_do_is_refused_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(Unsupported, match=says):
        found(tmp_path, text)


def test_what_is_set_for_other_servers_refuses_nobody(tmp_path: Path) -> None:
    assert found(tmp_path, "Host db*\n GSSAPIAuthentication yes\n Ciphers x") == {}


def test_the_systems_preferences_push_nobody_away(tmp_path: Path) -> None:
    debian = "Host *\n    SendEnv LANG LC_*\n    HashKnownHosts yes\n    GSSAPIAuthentication yes\n"
    fedora = "Match final all\n GSSAPIAuthentication yes\n Ciphers aes256-ctr\n ProxyJump gate\n"
    assert found(tmp_path, "Port 1", system=debian + fedora) == {"port": ["1"], "proxy": ["jump gate"]}


def test_the_users_own_file_comes_first(tmp_path: Path) -> None:
    assert found(tmp_path, "Port 1", system="Port 2\nUser u") == {"port": ["1"], "user": ["u"]}


def test_files_that_are_not_there_say_nothing(tmp_path: Path) -> None:
    assert read_config(tmp_path / "none", tmp_path / "neither").lookup("web1", None) == {}


def test_expand() -> None:
    assert expand("%h-%%-%p", {"h": "web1", "p": "22"}) == "web1-%-22"
    for text in ("%C", "%", "${HOME}/x"):
        with pytest.raises(Unsupported):
            expand(text, {"h": "web1"})


_line = st.one_of(
    st.sampled_from(["Port 1", "Port 2", "User a", "User b", "HostName real", "ProxyJump gate", "ProxyJump none"]),
    st.sampled_from(["Host web1", "Host *", "Host web2", "Host * !web1", "Host web? other", "Host !web2"]),
    st.sampled_from(["Match all", "Match host real", "Match originalhost web*", "Match user a", "Match !user a"]),
    st.sampled_from(["Match final", "Match final host real", "Include more", "Match !final", "Match canonical"]),
)


@pytest.mark.skipif(shutil.which("ssh") is None, reason="ssh is missing: apt install openssh-client")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.lists(_line, max_size=7), st.lists(_line.filter(lambda line: "Include" not in line), max_size=3))
def test_lookup_finds_what_openssh_finds(tmp_path: Path, lines: list[str], more: list[str]) -> None:
    """`ssh -G` prints the options that OpenSSH would use."""
    (tmp_path / "more").write_text("\n".join(more) + "\n")
    text = "\n".join(lines).replace("Include more", f"Include {tmp_path / 'more'}")
    ours = found(tmp_path, text)
    command = [str(shutil.which("ssh")), "-G", "-F", str(tmp_path / "config"), "web1"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    theirs = dict(line.split(" ", 1) for line in said.splitlines() if " " in line)
    assert ours.get("port", ["22"]) == [theirs["port"]]
    assert ours.get("hostname", ["web1"]) == [theirs["hostname"]]
    assert ours.get("proxy", ["jump none"]) == [f"jump {theirs.get('proxyjump', 'none')}"]
    if "user" in ours:
        assert ours["user"] == [theirs["user"]]
    else:
        assert theirs["user"] not in ("a", "b")
