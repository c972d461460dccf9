"""What a server is like: packages, services, ports, mounts, firewall, accounts, and digests of its settings."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import Answer, UnreadableAnswer
from maintops.domain.proofs import differences
from maintops.probes.conformance import reading_complaints
from maintops.probes.server_state import LIMIT, PROBE
from maintops.probes.server_state_config import MOST_FILES
from tests.unit.probes.asking import SHELLS, answer_of, ask, only, tool
from tests.unit.probes.broken_tools import assert_bad_answers_are_no_facts

BOOT_ID = "01234567-89ab-cdef-0123-456789abcdef"
BEGUN = (
    f"/proc/uptime:4711.11 9000.00\n/proc/sys/kernel/random/boot_id:{BOOT_ID}\n"
    "/proc/sys/kernel/osrelease:6.1.0-28-amd64\n"
    "/proc/1/stat:1 (systemd) S 0 1 1 0 -1 4194560 9 9 9 9 1 1 1 1 20 0 1 0 24 170000000 2500\n"
)
HEADER = "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n"
DPKG = (
    "ii \tbash\tamd64\t5.2.15-2\nii \tlibc6\tamd64\t2.36-9\nhi \tlibc6\ti386\t2.36-9\nii \tadduser\tall\t3.134\n"
    "rc \tgone\tamd64\t1.0\nun \tnever\t\t\niF \tbroken\tamd64\t2.0\nit \ttriggered\tamd64\t1:1.0\n"
)
RPM = (
    "bash\tx86_64\t0:5.1.8-6.el9\nglibc\tx86_64\t0:2.34-100.el9\nglibc\ti686\t0:2.34-100.el9\n"
    "kernel-core\tx86_64\t0:5.14.0-362.el9\nkernel-core\tx86_64\t0:5.14.0-427.el9\nkernel-tools\tx86_64\t0:5.14.0-1.el9\n"
    "gpg-pubkey\t(none)\t0:fd431d51-4ae0493b\ntwice\tnoarch\t3:1.0-1\ntwice\tnoarch\t3:1.0-2\n"
)
DIGEST = "89abcdef" * 4


def unit(name: str, **values: str) -> str:
    whole = {"Id": f"{name}.service", "ActiveState": "active", "SubState": "running", "UnitFileState": "enabled"}
    return "".join(f"{key}={value}\n" for key, value in (whole | values).items()) + "\n"


def answer(**parts: str | tuple[int, str]) -> Answer:
    whole: dict[str, str | tuple[int, str]] = {
        "begun": BEGUN,
        "users": "root:0:0:/root:/bin/bash\n",
        "ss4": HEADER,
        "ss6": HEADER,
        "range": "32768\t60999\n",
        "mounts": "/dev/sda2 / ext4 rw,relatime,errors=remount-ro 0 0\n",
        "end": "",
    }
    return answer_of(**(whole | parts))


def facts(**parts: str | tuple[int, str]) -> dict[str, Any]:
    return dict(only(PROBE, answer(**parts)).facts)


def test_what_was_not_answered_is_missing() -> None:
    assert facts() == {
        "kernel": "6.1.0-28-amd64",
        "boot": f"{BOOT_ID}/24",
        "uptime": 4711,
        "ports": [],
        "mounts": {"/": "/dev/sda2 ext4 rw"},
        "users": {"root": "0:0:/root:/bin/bash"},
    }


def test_packages_of_dpkg() -> None:
    assert facts(architecture="amd64\n", dpkg=DPKG)["packages"] == {
        "bash": "5.2.15-2",
        "libc6": "2.36-9",
        "libc6:i386": "2.36-9",
        "adduser": "3.134",
        "broken": "2.0 (half-configured)",
        "triggered": "1:1.0",
    }


def test_packages_of_rpm_some_of_them_more_than_once() -> None:
    assert facts(architecture="x86_64\n", rpm=RPM)["packages"] == {
        "bash": "0:5.1.8-6.el9.x86_64",
        "glibc": "0:2.34-100.el9.x86_64",
        "glibc.i686": "0:2.34-100.el9.i686",
        "kernel-core-5.14.0-362.el9": "0:5.14.0-362.el9.x86_64",
        "kernel-core-5.14.0-427.el9": "0:5.14.0-427.el9.x86_64",
        "kernel-tools": "0:5.14.0-1.el9.x86_64",
        "gpg-pubkey-fd431d51-4ae0493b": "0:fd431d51-4ae0493b.(none)",
        "twice-1.0-1": "3:1.0-1.noarch",
        "twice-1.0-2": "3:1.0-2.noarch",
    }


def test_one_kernel_is_called_as_one_of_several() -> None:
    one = facts(architecture="x86_64\n", rpm="kernel-core\tx86_64\t0:5.14.0-362.el9\n")
    assert list(one["packages"]) == ["kernel-core-5.14.0-362.el9"]


@pytest.mark.parametrize("parts", [{"dpkg": (2, "")}, {"dpkg": ""}, {"rpm": (1, RPM)}])
def test_a_database_that_does_not_answer_is_not_measured(parts: dict[str, Any]) -> None:
    assert "packages" not in facts(architecture="amd64\n", **parts)


def test_services_that_a_reboot_has_to_bring_back() -> None:
    text = (
        unit("ssh", WantedBy="multi-user.target")
        + unit("nftables", SubState="exited")
        + unit("by-hand", UnitFileState="disabled")
        + unit("systemd-logind", UnitFileState="static", BusName="org.freedesktop.login1", WantedBy="multi-user.target")
        + unit("polkit", UnitFileState="static", BusName="org.freedesktop.PolicyKit1", WantedBy="")
        + unit("static", UnitFileState="static")
        + unit("run-u12", UnitFileState="transient")
        + unit("user@1000")
        + unit("crashing", ActiveState="activating", SubState="auto-restart")
        + unit("dead", ActiveState="inactive", SubState="dead")
    )
    assert facts(services=text)["services"] == {
        "ssh": "running",
        "nftables": "exited",
        "by-hand": "running",
        "systemd-logind": "running",
        "static": "running",
    }
    assert "services" not in facts(services=(1, "System has not been booted with systemd\n"))
    assert "services" not in facts(services=(1, text))
    assert "services" not in facts(services="")


def test_ports_and_who_listens() -> None:
    four = (
        'tcp LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=9,fd=6),("cache",pid=8,fd=6))\n'
        "tcp LISTEN 0 511 0.0.0.0:81 0.0.0.0:*\nudp UNCONN 0 0 0.0.0.0:41234 0.0.0.0:*\n"
    )
    assert facts(ss4=HEADER + four)["ports"] == ["tcp 0.0.0.0:80 cache,nginx", "tcp 0.0.0.0:81"]
    assert "ports" not in facts(ss4=(1, ""))


def test_mounts_that_somebody_made() -> None:
    text = (
        "/dev/sda2 / ext4 rw,relatime,errors=remount-ro 0 0\n"
        "/dev/mapper/vg-srv /srv/a\\040b xfs ro,noexec,inode64 0 0\n"
        "nas:/x /mnt nfs4 rw,vers=4.2,rsize=1048576,addr=10.0.0.9,clientaddr=10.0.0.1 0 0\n"
        "proc /proc proc rw 0 0\ndebugfs /mnt/debug debugfs rw 0 0\n"
        "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\ntmpfs /run/user/0 tmpfs rw,size=9k 0 0\n"
        "tmpfs /tmp tmpfs rw,nosuid,size=1024k,nr_inodes=9 0 0\n/dev/loop3 /snap/core/17 squashfs ro 0 0\n"
        "overlay /var/lib/docker/overlay2/0a1b/merged overlay rw,lowerdir=/x,upperdir=/y 0 0\n"
        "/dev/sdb1 /old ext4 rw 0 0\n/dev/sdc1 /old ext4 ro 0 0\n"
    )
    assert facts(mounts=text, disks="0123-4567 ../../sda2\nab-cd ../../sdb1\n")["mounts"] == {
        "/": "UUID=0123-4567 ext4 rw",
        "/srv/a b": "/dev/mapper/vg-srv xfs noexec,ro",
        "/mnt": "nas:/x nfs4 rw,vers=4.2",
        "/tmp": "tmpfs tmpfs nosuid,rw",
        "/old": "/dev/sdc1 ext4 ro",
    }
    assert "mounts" not in facts(mounts=(1, text))


def test_accounts_and_files() -> None:
    seen = facts(
        users="root:0:0:/root:/bin/bash\n+nis:::\nanna:1000:1000::\n",
        config=f"{DIGEST} /etc/fstab\n600/1772323200 /etc/shadow\n\\{DIGEST} /etc/a\\\\b\n"
        f"{DIGEST} /etc/c d\\\n{DIGEST} /etc/e\\\\f\n",
        firewall="0123abcd" * 8 + "  -\n",
    )
    assert seen["users"] == {"root": "0:0:/root:/bin/bash", "anna": "1000:1000::"}
    assert seen["config"] == {
        "/etc/fstab": DIGEST,
        "/etc/shadow": "600/1772323200",
        "/etc/a\\b": DIGEST,
        "/etc/c d\\": DIGEST,
        "/etc/e\\\\f": DIGEST,
    }
    assert seen["firewall"] == "0123abcd" * 8
    assert facts(firewall="none\n")["firewall"] == "none"
    assert "firewall" not in facts(firewall=(3, ""))
    assert "config" not in facts(config=(3, ""))
    assert facts(config="")["config"] == {}


@pytest.mark.parametrize(
    "parts",
    [
        {"begun": "hello\n"},
        {"users": "root\n"},
        {"mounts": "nonsense\n"},
        {"config": "ab /etc/x\n"},
        {"firewall": "yes\n"},
        {"architecture": "amd64\n", "dpkg": "ii bash\n"},
        {"ss4": "garbage\n"},
    ],
)
def test_nonsense_is_unreadable(parts: dict[str, Any]) -> None:
    with pytest.raises(UnreadableAnswer):
        facts(**parts)


def test_an_answer_that_is_not_whole_is_unreadable() -> None:
    whole = answer().stdout
    for cut in (whole[: whole.index(b"=end")], whole[:-3], whole[: whole.index(b"=mounts")]):
        with pytest.raises(UnreadableAnswer):
            PROBE.read(Answer(cut), {})
    assert_bad_answers_are_no_facts(PROBE)


_lines = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=20), max_size=5).map(
    "\n".join
)


@given(st.sampled_from(["dpkg", "rpm", "services", "mounts", "disks", "users", "config", "firewall"]), _lines)
def test_whatever_a_server_says_is_read_or_refused(name: str, text: str) -> None:
    complaints = reading_complaints(PROBE, answer(**{"architecture": "amd64\n", name: text}))
    assert complaints == []


# --- asked for real ---------------------------------------------------------------------------------------------------


def settings_of(folder: Path) -> Path:
    """A folder of settings, some of them secret, some that change by themselves."""
    place = folder / "it's etc"
    (place / "sub").mkdir(parents=True)
    (place / ".git").mkdir()
    for name in ("plain", "sub/it's $HOME", "tls.key", "shadow", "ssh_host_rsa_key", "closed", ".git/index", "x.swp"):
        (place / name).write_text(name)
        (place / name).chmod(0o644)
    (place / "closed").chmod(0o640)
    (place / "link").symlink_to("plain")
    (place / "two\nlines").write_text("x")
    return place


def half(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@pytest.mark.parametrize("shell", SHELLS)
def test_files_are_digested_and_secrets_are_not(shell: list[str], tmp_path: Path) -> None:
    place = settings_of(tmp_path)
    os.utime(place / "shadow", (0, 1_772_323_200))
    answer = ask(PROBE, shell, {"config_paths": [str(place)]})
    seen = only(PROBE, answer).facts["config"]
    digests = {path.removeprefix(f"{place}/"): digest for path, digest in seen.items()}
    assert set(digests) == {"plain", "sub/it's $HOME", "tls.key", "shadow", "ssh_host_rsa_key", "closed"}
    assert {name: digests[name] for name in ("plain", "sub/it's $HOME")} == {
        "plain": half("plain"),
        "sub/it's $HOME": half("sub/it's $HOME"),
    }
    assert digests["shadow"] == "6/1772323200"
    secret = ("tls.key", "ssh_host_rsa_key", "closed", "shadow")
    assert all("/" in digests[name] for name in secret)
    assert not [name for name in secret if half(name).encode() in answer.stdout], "a secret's digest left the server"


def test_too_many_files_are_not_measured(tmp_path: Path) -> None:
    place = settings_of(tmp_path)
    few = (f"-le {MOST_FILES}", "-le 3")
    seen = only(PROBE, ask(PROBE, ["sh"], {"config_paths": [str(place)]}, change=(few,)))
    assert "config" not in seen.facts
    assert "config" not in only(PROBE, ask(PROBE, ["sh"], {"config_paths": []})).facts
    longest = 300  # bytes of a line: digest and path
    assert MOST_FILES * longest > LIMIT > MOST_FILES * 150


@pytest.mark.parametrize("shell", SHELLS)
def test_this_machine_is_seen_and_is_like_itself(shell: list[str]) -> None:
    seen = only(PROBE, ask(PROBE, shell, {"config_paths": ["/etc/default"]})).facts
    assert seen["kernel"] == os.uname().release
    assert seen["users"]["root"].startswith("0:0:")
    again = only(PROBE, ask(PROBE, shell, {"config_paths": ["/etc/default"]})).facts
    kinds = [one.kind for one in differences(seen, again) if one.kind != "port"]  # tests beside this one open ports
    assert kinds == []


NFT = """\
table inet lab {
\tset bans {
\t\ttype ipv4_addr
\t}

\tchain input {
\t\ttype filter hook input priority filter; policy accept;
\t\tct state invalid drop
\t\ttcp dport 22 accept
\t}
}
table ip other {
\tchain out {
\t\ttype filter hook output priority filter; policy drop;
\t}
}
"""
FAIL2BAN = (
    "table inet f2b-table {\n\tchain guard {\n\t\ttcp dport 22 drop\n\t}\n}\n"
    "table ip x {\n\tchain f2b-sshd {\n\t\tip saddr 192.0.2.1 drop\n\t}\n}\n"
)
EMPTY = "table ip filter {\n\tchain INPUT {\n\t\ttype filter hook input priority filter; policy accept;\n\t}\n}\n"


def firewall(folder: Path, shell: list[str], rules: str | None, saved: str | None = None) -> str | None:
    """What the question says of the firewall where nft and iptables-save print this; None: they fail."""
    tool(folder, "id", "echo 0")
    for name, text in (("nft", rules), ("iptables-save", saved), ("ip6tables-save", saved)):
        (folder / f"{name}.txt").write_text(text or "")
        tool(folder, name, f"cat '{folder}/{name}.txt'" if text is not None else "exit 1")
    no_legacy = ('"/proc/net/${kind}_tables_names"', "/nowhere")
    no_nft = (("command -v nft ", "command -v no-such-tool "),) if saved is not None else ()
    answer = ask(PROBE, shell, {"config_paths": []}, tools=folder, change=(no_legacy, *no_nft))
    found = only(PROBE, answer).facts.get("firewall")
    assert found is None or isinstance(found, str)
    return found


@pytest.mark.parametrize("shell", SHELLS)
def test_rules_count_and_what_changes_by_itself_does_not(shell: list[str], tmp_path: Path) -> None:
    usual = firewall(tmp_path, shell, NFT)
    assert usual is not None
    assert len(usual) == 64
    first, second = NFT.split("table ip other")
    assert firewall(tmp_path, shell, f"table ip other{second}{first}") == usual  # made in another order
    assert firewall(tmp_path, shell, NFT + FAIL2BAN + EMPTY) == usual
    swapped = NFT.replace(
        "ct state invalid drop\n\t\ttcp dport 22 accept", "tcp dport 22 accept\n\t\tct state invalid drop"
    )
    assert firewall(tmp_path, shell, swapped) not in (usual, None)
    assert firewall(tmp_path, shell, NFT.replace("policy drop", "policy accept")) not in (usual, None)
    assert firewall(tmp_path, shell, NFT.replace("22", "23")) not in (usual, None)
    assert firewall(tmp_path, shell, EMPTY) == "none"
    assert firewall(tmp_path, shell, None) is None


@pytest.mark.parametrize("shell", SHELLS)
def test_rules_of_iptables_without_their_counters(shell: list[str], tmp_path: Path) -> None:
    text = "# Generated on Mon\n*filter\n:INPUT DROP [{0}:{0}]\n:FORWARD ACCEPT [{0}:1]\n-A INPUT -j ACCEPT\nCOMMIT\n"
    usual = firewall(tmp_path, shell, None, text.format(7))
    assert usual not in ("none", None)
    assert firewall(tmp_path, shell, None, text.format(99).replace("Mon", "Tue")) == usual
    assert firewall(tmp_path, shell, None, text.format(7).replace("DROP", "ACCEPT")) not in (usual, None)
    assert firewall(tmp_path, shell, None, "*filter\n:INPUT ACCEPT [1:1]\nCOMMIT\n") == "none"


def test_the_firewall_is_roots_to_see(tmp_path: Path) -> None:
    tool(tmp_path, "nft", "exit 0")
    tool(tmp_path, "id", "echo 1000")
    assert "firewall" not in only(PROBE, ask(PROBE, ["sh"], {"config_paths": []}, tools=tmp_path)).facts
