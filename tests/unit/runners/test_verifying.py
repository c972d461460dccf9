"""The ways of tests to servers, and what is heard of a pytest. Nothing is started here: that is in tests/lab."""

import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.servers import Server
from maintops.runners import verifying
from maintops.runners.verifying import Ways, _Heard, _lines, environment


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home without a configuration of ssh."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def server(name="web1", **variables):
    return Server(name, variables={"ansible_host": "10.0.0.1", "ansible_user": "ops", **variables})


def laid(*targets, host_keys="strict", known_hosts="/keys/known hosts%"):
    """The blocks of the ssh_config, by alias, and testinfra's names."""
    with Ways(Path(known_hosts), host_keys, 7.5) as ways:
        hosts = ways.lay(targets)
        assert stat.S_IMODE(ways.config.stat().st_mode) == 0o600
        assert stat.S_IMODE(ways.folder.stat().st_mode) == 0o700
        text = ways.config.read_text()
    assert not ways.folder.exists()
    blocks = {}
    for block in text.split("Host ")[1:]:
        alias, *lines = block.split("\n")
        blocks[alias] = dict(line.removeprefix("  ").split(" ", 1) for line in lines if line)
    return blocks, hosts


def test_a_server_is_reached_as_the_inventory_says_and_its_key_is_verified():
    blocks, hosts = laid((server(ansible_port=2222, ansible_ssh_private_key_file="/keys/a b"), False))
    block = blocks["web1"]
    assert (block["HostName"], block["Port"], block["User"]) == ("10.0.0.1", "2222", '"ops"')
    assert (block["IdentityFile"], block["IdentitiesOnly"]) == ('"/keys/a b"', "yes")
    assert block["UserKnownHostsFile"] == '"/keys/known hosts%%"'
    assert block["GlobalKnownHostsFile"] == "/dev/null"
    assert (block["StrictHostKeyChecking"], block["BatchMode"]) == ("yes", "yes")
    assert (block["ProxyJump"], block["ForwardAgent"], block["PasswordAuthentication"]) == ("none", "no", "no")
    assert hosts == ["ssh://web1?timeout=8"]


@pytest.mark.parametrize(("policy", "word"), [("strict", "yes"), ("accept-new", "accept-new"), ("off", "no")])
def test_the_policy_of_host_keys_is_the_run_s_own(policy, word):
    blocks, _ = laid((server(), False), host_keys=policy)
    assert blocks["web1"]["StrictHostKeyChecking"] == word


def test_an_inventory_cannot_weaken_the_policy():
    blocks, _ = laid((server(ansible_ssh_common_args="-o StrictHostKeyChecking=no"), False))
    assert blocks["web1"]["StrictHostKeyChecking"] == "yes"


def test_bastions_have_blocks_of_their_own_and_are_verified_too():
    jump = "-o ProxyJump=gate@10.9.9.9:2200,10.8.8.8"
    blocks, _ = laid((server(ansible_ssh_common_args=jump), False))
    assert list(blocks) == ["web1+0", "web1+1", "web1"]
    assert (blocks["web1+0"]["HostName"], blocks["web1+0"]["Port"]) == ("10.9.9.9", "2200")
    assert [one["ProxyJump"] for one in blocks.values()] == ["none", "web1+0", "web1+1"]
    assert {one["StrictHostKeyChecking"] for one in blocks.values()} == {"yes"}


def test_only_a_server_s_own_connection_is_kept_open_and_only_where_its_socket_has_room(tmp_path, monkeypatch):
    blocks, _ = laid((server(ansible_ssh_common_args="-o ProxyJump=10.9.9.9"), False))
    assert ["ControlPath" in one for one in blocks.values()] == [False, True]
    long = tmp_path / ("x" * 90)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    blocks, _ = laid((server(), False))
    assert "ControlPath" not in blocks["web1"]


def test_become_is_testinfra_s_sudo():
    def host(become, **variables):
        return laid((server(**variables), become))[1][0]

    assert host(True) == "ssh://web1?timeout=8&sudo=true"
    assert host(True, ansible_become_user="db") == "ssh://web1?timeout=8&sudo=true&sudo_user=db"
    assert host(False, ansible_become_user="db") == "ssh://web1?timeout=8"
    assert host(True, ansible_user="root") == "ssh://web1?timeout=8"


@pytest.mark.parametrize(
    ("name", "variables", "become", "why"),
    [
        ("web1", {"ansible_connection": "local"}, False, "its connection is local"),
        ("web1", {"ansible_host": "{{ x }}"}, False, "template"),
        ("web1", {"ansible_password": "pw-1"}, False, "the login on 10.0.0.1 wants a password"),
        ("web1", {"ansible_become_password": "pw-1"}, True, "its sudo wants a password"),
        ("web1", {"ansible_become_exe": "/opt/sudo"}, True, "/opt/sudo"),
        ("web1", {}, "{{ x }}", "ansible_become is a template"),
        ("-oProxyCommand=x", {}, False, "cannot be given to the ssh program"),
        ("web 1", {}, False, "cannot be given to the ssh program"),
        ("web1*", {}, False, "cannot be given to the ssh program"),
        ("web1", {"ansible_ssh_private_key_file": '/keys/a"b'}, False, "cannot be written into an ssh_config"),
        ("web1", {"ansible_user": "ops\nProxyCommand x"}, False, "cannot be written into an ssh_config"),
    ],
)
def test_what_ssh_alone_cannot_do_is_refused_with_the_reason(name, variables, become, why):
    ways = Ways(None, "strict")
    said = ways.refusal(server(name, **variables), become)
    assert why in said
    assert "pw-1" not in said
    with Ways(None, "strict") as ways, pytest.raises(ValueError, match=name[:3]):
        ways.lay([(server(name, **variables), become)])


def test_a_sudo_password_that_is_not_needed_is_no_hindrance():
    assert Ways(None, "strict").refusal(server(ansible_become_password="pw-1"), False) is None
    assert Ways(None, "strict").refusal(server(ansible_password="pw", ansible_private_key_file="/k"), False) is None


@given(st.text(min_size=1, max_size=12))
def test_whatever_a_user_is_called_it_stays_one_argument(user):
    """Either the server is refused, or the config has exactly one more line of it."""
    given_server = server(ansible_user=user)
    ways = Ways(Path("/keys/known"), "strict")
    if ways.refusal(given_server, False) is None:
        blocks, _ = laid((given_server, False))
        expected, _ = laid((server(), False))
        assert blocks["web1"].keys() == expected["web1"].keys()
        assert blocks["web1"]["User"] == f'"{user}"'


def test_tests_see_next_to_nothing_of_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("CI_TOKEN", "secret")
    monkeypatch.setenv("PYTHONPATH", "/evil")
    monkeypatch.setenv("PYTEST_ADDOPTS", "--evil")
    seen = environment(tmp_path)
    assert not {"CI_TOKEN", "PYTHONPATH", "PYTEST_ADDOPTS"} & seen.keys()
    assert (seen["TMPDIR"], seen["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]) == (str(tmp_path), "1")


# --- what is heard ----------------------------------------------------------------------------------------------------


def planned(server_name, test):
    return {"told": "planned", "server": server_name, "test": test, "file": "/t/test_a.py"}


def result(server_name, test, what, **more):
    return {"told": "result", "server": server_name, "test": test, "result": what, **more}


def heard(*lines):
    found = _Heard()
    for line in lines:
        found.take(line)
    return found


def told(found, server_name):
    return [json.loads(line) for line in _lines(found, server_name).splitlines()]


def test_every_planned_test_has_a_result_in_the_end():
    found = heard(
        planned("a", "one"),
        planned("a", "two"),
        planned("a", "three"),
        planned("b", "one"),
        result("a", "one", "passed", seconds=0.5),
        {"told": "begun", "server": "a", "test": "two"},
    )
    found.settle()
    assert [(one["test"], one["result"]) for one in told(found, "a")] == [
        ("one", "passed"),
        ("two", "lost"),
        ("three", "not_reached"),
    ]
    assert [one["result"] for one in told(found, "b")] == ["not_reached"]


def test_a_test_that_was_ended_for_its_silence_says_so():
    found = heard(planned("a", "one"), {"told": "begun", "server": "a", "test": "one"})
    found.silence = 600.0
    found.settle()
    (one,) = told(found, "a")
    assert one["result"] == "error"
    assert "600 seconds" in one["message"]


def test_a_test_for_no_server_counts_for_each():
    found = heard(
        planned(None, "all"), planned("a", "one"), result(None, "all", "failed"), result("a", "one", "passed")
    )
    assert [one["test"] for one in told(found, "a")] == ["all", "one"]
    assert [one["test"] for one in told(found, "b")] == ["all"]


@pytest.mark.parametrize("line", [[], {}, {"told": "planned"}, {"told": "mistake", "line": "x"}])
def test_what_is_not_the_plug_in_s_is_refused_by_an_error_that_is_passed_over(line):
    with pytest.raises((KeyError, TypeError, ValueError)):
        heard(line)


def test_without_ssh_or_testinfra_a_person_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(verifying.shutil, "which", lambda name: None)
    with pytest.raises(verifying.UsageError, match="ssh is not installed"):
        verifying._check_programs()
    monkeypatch.setattr(verifying.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(verifying.UsageError, match=r"pytest and testinfra are not installed; pip install"):
        verifying._check_programs()
