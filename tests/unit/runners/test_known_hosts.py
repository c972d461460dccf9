from __future__ import annotations

import base64
import hmac
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maintops.runners.known_hosts import HostKey, KnownHosts, Standing, host_name, wildcards_match
from tests.examples import examples


def key(seed: str, kind: str = "ssh-ed25519") -> HostKey:
    """A made-up key in wire form: nobody checks a signature with it here."""
    body = seed.encode().ljust(32, b".")
    return HostKey(kind, len(kind).to_bytes(4, "big") + kind.encode() + len(body).to_bytes(4, "big") + body)


def words(one: HostKey) -> str:
    return f"{one.type} {base64.b64encode(one.blob).decode()}"


def book(folder: Path, *lines: str) -> KnownHosts:
    file = folder / "known_hosts"
    file.write_text("\n".join(lines) + "\n")
    return KnownHosts([file])


GOOD, OTHER, RSA = key("good"), key("other"), key("rsa", "ssh-rsa")


def hashed(name: str, salt: bytes = b"salt of twenty bytes") -> str:
    digest = hmac.digest(salt, name.encode(), "sha1")
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize(
    ("line", "name", "standing"),
    [
        ("web1 KEY", "web1", Standing.KNOWN),
        ("WEB1 KEY a comment", "web1", Standing.KNOWN),
        ("web1,10.0.0.1 KEY", "10.0.0.1", Standing.KNOWN),
        ("web1 KEY", "web2", Standing.UNKNOWN),
        ("web1 KEY", "[web1]:2222", Standing.UNKNOWN),
        ("[web1]:2222 KEY", "[web1]:2222", Standing.KNOWN),
        ("[web1]:2222 KEY", "web1", Standing.UNKNOWN),
        ("web1 OTHER", "web1", Standing.CHANGED),
        ("web1 RSA", "web1", Standing.CHANGED),
        ("*.example.org KEY", "a.b.example.org", Standing.KNOWN),
        ("*.example.org KEY", "example.org", Standing.UNKNOWN),
        ("web? KEY", "web1", Standing.KNOWN),
        ("web? KEY", "web12", Standing.UNKNOWN),
        ("web*,!web2 KEY", "web2", Standing.UNKNOWN),
        ("web*,!web2 KEY", "web3", Standing.KNOWN),
        ("[web*]:2222 KEY", "[web1]:2222", Standing.KNOWN),
        ("HASH(web1) KEY", "web1", Standing.KNOWN),
        ("HASH(web1) KEY", "web2", Standing.UNKNOWN),
        ("HASH([web1]:2222) OTHER", "[web1]:2222", Standing.CHANGED),
        ("@revoked * KEY", "web1", Standing.REVOKED),
        ("@revoked * OTHER", "web1", Standing.UNKNOWN),
        ("@cert-authority * KEY", "web1", Standing.UNKNOWN),
        ("@other web1 KEY", "web1", Standing.UNKNOWN),
        ("# web1 KEY", "web1", Standing.UNKNOWN),
        ("web1 ssh-ed25519 not*base64", "web1", Standing.UNKNOWN),
        ("web1 ssh-rsa BLOB", "web1", Standing.UNKNOWN),
        ("web1", "web1", Standing.UNKNOWN),
        ("|1|nonsense KEY", "web1", Standing.UNKNOWN),
        ("|1|!|! KEY", "web1", Standing.UNKNOWN),
    ],
)
def test_standing(tmp_path: Path, line: str, name: str, standing: Standing) -> None:
    if line.startswith("HASH("):
        inner, _, rest = line.removeprefix("HASH(").partition(")")
        line = hashed(inner) + rest
    for word, one in (("KEY", GOOD), ("OTHER", OTHER), ("RSA", RSA)):
        line = line.replace(word, words(one))
    line = line.replace("BLOB", words(GOOD).split()[1])
    assert book(tmp_path, line).standing(name, GOOD) is standing


def test_a_revoked_key_is_revoked_even_where_it_is_known(tmp_path: Path) -> None:
    assert book(tmp_path, f"web1 {words(GOOD)}", f"@revoked web1 {words(GOOD)}").standing("web1", GOOD) is (
        Standing.REVOKED
    )


def test_one_of_several_known_keys_is_enough(tmp_path: Path) -> None:
    several = book(tmp_path, f"web1 {words(RSA)}", f"web1 {words(OTHER)}", f"web* {words(GOOD)}")
    assert several.standing("web1", GOOD) is Standing.KNOWN
    assert several.types("web1") == ("ssh-rsa", "ssh-ed25519")
    assert several.types("db1") == ()


def test_only_by_authority(tmp_path: Path) -> None:
    some = book(tmp_path, f"@cert-authority *.lan {words(OTHER)}", f"known.lan {words(GOOD)}")
    assert some.only_by_authority("new.lan")
    assert not some.only_by_authority("known.lan")
    assert not some.only_by_authority("elsewhere")


def test_key_types_that_cannot_be_compared_are_passed_over(tmp_path: Path) -> None:
    some = book(tmp_path, f"web1 {words(key('x', 'ssh-dss'))}")
    assert some.types("web1") == ()
    assert some.standing("web1", GOOD) is Standing.UNKNOWN


def test_files_that_do_not_exist_know_nobody(tmp_path: Path) -> None:
    nothing = KnownHosts([tmp_path / "none", tmp_path / "neither"])
    assert nothing.standing("web1", GOOD) is Standing.UNKNOWN
    assert nothing.sources == (tmp_path / "none",)


def test_adding_makes_folder_and_file_for_the_user_alone(tmp_path: Path) -> None:
    file = tmp_path / "ssh" / "known_hosts"
    some = KnownHosts([file])
    assert some.standing("web1", GOOD) is Standing.UNKNOWN
    some.add("web1", GOOD)
    assert some.standing("web1", GOOD) is Standing.KNOWN
    assert some.standing("web1", OTHER) is Standing.CHANGED
    assert file.read_text() == f"web1 {words(GOOD)}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_adding_begins_a_line_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"db1 {words(OTHER)}")
    KnownHosts([file]).add("web1", GOOD)
    assert file.read_text() == f"db1 {words(OTHER)}\nweb1 {words(GOOD)}\n"


def test_many_threads_add_a_key_once(tmp_path: Path) -> None:
    some = KnownHosts([tmp_path / "known_hosts"])
    threads = [threading.Thread(target=some.add, args=("web1", GOOD)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "known_hosts").read_text() == f"web1 {words(GOOD)}\n"


def test_host_name() -> None:
    assert [host_name("Web1", 22), host_name("Web1", 2222), host_name("::1", 2222)] == [
        "web1",
        "[web1]:2222",
        "[::1]:2222",
    ]


_word = st.sampled_from(
    ["@revoked", "@cert-authority", "web1", "|1|", "|1|a|b", "|1|YQ==|YQ==", "ssh-rsa", "AAAA", "*", "!"]
)
_line = st.lists(st.one_of(_word, st.text(max_size=5)), max_size=5).map(lambda some: " ".join(some).encode())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(100))
@given(st.one_of(st.binary(max_size=300), st.lists(_line).map(b"\n".join)), st.sampled_from(["web1", "é", ""]))
def test_no_file_is_too_strange_to_read(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / "known_hosts").write_bytes(content)
    assert KnownHosts([tmp_path / "known_hosts"]).standing(name, GOOD) in (Standing.UNKNOWN, Standing.CHANGED)


# Lists that ssh-keygen -F can be asked about: names without signs that mean something else on its command line.
_names = st.text("ab.1", min_size=1, max_size=5)
_patterns = st.lists(st.tuples(st.sampled_from(["", "", "!"]), st.text("ab.1*?", min_size=1, max_size=5)), min_size=1)


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is missing: apt install openssh-client")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(60), deadline=None)
@given(_patterns, _names)
def test_patterns_match_as_ssh_keygen_says(tmp_path: Path, patterns: list[tuple[str, str]], name: str) -> None:
    """OpenSSH itself is the oracle (it looks for host names in lower case, and so do we)."""
    listed = ",".join("".join(pattern) for pattern in patterns)
    real = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEfh4WpKQRTvM9nIsYZz6XoJiQ3qw1Y1qxkMcV5sEXgX"
    file = tmp_path / "oracle"
    file.write_text(f"{listed} {real}\n")
    command = [str(shutil.which("ssh-keygen")), "-F", name, "-f", str(file)]
    found = subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert wildcards_match(listed.split(","), name) == found
