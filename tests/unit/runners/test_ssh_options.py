from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.runners.ssh_options import Unsupported, check_options, merge, read_arguments, read_forwarder


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", {}),
        ("-o Port=2222", {"port": ["2222"]}),
        ("-oPort=2222", {"port": ["2222"]}),
        ("-o 'Port 2222'", {"port": ["2222"]}),
        ("-o Port=1 -o port=2", {"port": ["1"]}),
        ("-p 2222 -l ops", {"port": ["2222"], "user": ["ops"]}),
        ("-p2222", {"port": ["2222"]}),
        ("-i a -i b -o IdentityFile=a", {"identityfile": ["a", "b"]}),
        ("-J ops@gate:2200", {"proxy": ["jump ops@gate:2200"]}),
        ("-o ProxyJump=a,b -o ProxyCommand='x y'", {"proxy": ["jump a,b"]}),
        ('-o ProxyCommand="ssh -W %h:%p gate"', {"proxy": ["command ssh -W %h:%p gate"]}),
        (
            "-C -q -vvv -o ControlMaster=auto -o ControlPersist=60s",
            {"controlmaster": ["auto"], "controlpersist": ["60s"]},
        ),
        ("-CqT -p 22", {"port": ["22"]}),
        ("-S /tmp/x -o UserKnownHostsFile=/dev/null", {"controlpath": ["/tmp/x"], "userknownhostsfile": ["/dev/null"]}),
    ],
)
def test_arguments(text: str, options: dict[str, list[str]]) -> None:
    assert read_arguments(text, "ansible_ssh_args") == options


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("-4", "-4"),
        ("-F /etc/other", "-F"),
        ("-A", "-A"),
        ("-I /usr/lib/pkcs11.so", "-I"),
        ("-W %h:%p", "-W"),
        ("-b 10.0.0.1", "-b"),
        ("-qz", "-z"),
        ("-p", "-p"),
        ("-o", "-o"),
        ("gate", "gate"),
    ],
)
def test_arguments_that_are_not_known_are_named(text: str, named: str) -> None:
    with pytest.raises(Unsupported, match=f"^ansible_ssh_args has the argument {named},"):
        read_arguments(text, "ansible_ssh_args")


def test_an_open_quotation_is_told() -> None:
    with pytest.raises(Unsupported, match="ansible_ssh_args cannot be read: no closing quotation"):
        read_arguments("-o 'Port 22", "ansible_ssh_args")


@pytest.mark.parametrize(
    "command",
    [
        "ssh -W %h:%p -q -p 2200 -i key ops@gate",
        "/usr/bin/ssh ops@gate -W [%h]:%p -i key -o Port=2200",
        "ssh -W%h:%p ops@gate -p2200 -ikey",
    ],
)
def test_a_forwarder(command: str) -> None:
    assert read_forwarder(command, "x") == ("ops@gate", {"port": ["2200"], "identityfile": ["key"]})


@pytest.mark.parametrize(
    "command",
    [
        "nc %h %p",
        "",
        "ssh gate nc %h %p",
        "ssh gate",
        "ssh -W %h:%p",
        "ssh -W other:22 gate",
        "ssh -W %h:%p -W %h:%p gate",
        "ssh -J a -W %h:%p gate",
        "sh -c 'ssh -W %h:%p gate'",
        "sshpass -p secret ssh -W %h:%p gate",
    ],
)
def test_every_other_command_is_refused_and_not_repeated(command: str) -> None:
    with pytest.raises(Unsupported) as caught:
        read_forwarder(command, "the way to web1")
    assert str(caught.value) == "the way to web1 has a ProxyCommand other than `ssh -W %h:%p HOST`"


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("gssapiauthentication", "yes", "GSSAPI"),
        ("pkcs11provider", "/lib/x.so", "PKCS#11"),
        ("securitykeyprovider", "internal", "FIDO"),
        ("certificatefile", "c", "certificates"),
        ("ciphers", "aes128-ctr", "does not know"),
        ("pubkeyauthentication", "no", "does not know"),
        ("preferredauthentications", "gssapi-with-mic,publickey", "does not know"),
        ("hostkeyalias", "x", "does not know"),
    ],
)
def test_options_that_are_refused(name: str, value: str, why: str) -> None:
    with pytest.raises(Unsupported, match=f"^~/.ssh/config sets {name}.*{why}"):
        check_options({name: [value]}, "~/.ssh/config")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gssapiauthentication", "no"),
        ("pubkeyauthentication", "yes"),
        ("preferredauthentications", "publickey,password"),
        ("forwardagent", "yes"),
        ("port", "22"),
    ],
)
def test_options_that_may_stand(name: str, value: str) -> None:
    check_options({name: [value]}, "x")


def test_the_first_layer_wins_and_keys_gather() -> None:
    layers = [{"port": ["1"], "identityfile": ["a"]}, {"port": ["2"], "user": ["u"], "identityfile": ["b", "a"]}]
    assert merge(layers) == {"port": ["1"], "user": ["u"], "identityfile": ["a", "b"]}
    assert layers[0] == {"port": ["1"], "identityfile": ["a"]}, "the layers themselves stay as they are"


@given(st.text(max_size=60))
def test_no_arguments_are_too_strange_to_read(text: str) -> None:
    for read in (read_arguments, read_forwarder):
        with suppress(Unsupported):
            assert read(text, "source") is not None
