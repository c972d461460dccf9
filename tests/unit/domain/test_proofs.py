"""The proof of a change: what differs, what was meant, and what never is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.domain.proofs import (
    KINDS,
    MOST_CELLS,
    PROOF,
    REMOVED,
    UNMEASURED,
    Difference,
    differences,
    expectation_complaint,
    is_expected,
    judge_differences,
    stopped_services,
    unknown_kinds,
)

BEFORE: dict[str, Any] = {
    "packages": {"nginx": "1.0", "libc6:i386": "2.36", "linux-image-6.1.0-28-amd64": "6.1.119"},
    "kernel": "6.1.0-28-amd64",
    "boot": "aaaa/24",
    "uptime": 900_000,
    "services": {"nginx": "running", "cron": "running", "nftables": "exited"},
    "ports": ["tcp 0.0.0.0:80 nginx", "tcp [::]:22 sshd,systemd", "tcp 0.0.0.0:40000 rpc.statd"],
    "mounts": {"/": "UUID=1 ext4 rw", "/srv": "UUID=2 xfs rw"},
    "firewall": "0123",
    "users": {"root": "0:0:/root:/bin/bash"},
    "config": {"/etc/nginx/nginx.conf": "ab", "/etc/fstab": "cd"},
}


def after(**facts: Any) -> dict[str, Any]:
    return BEFORE | facts


def service(before: str | None, now: str | None) -> Difference:
    return Difference("service", "nginx", before, now)


def package(now: str | None, before: str | None = "1.0", name: str = "nginx") -> Difference:
    return Difference("package", name, before, now)


# --- what differs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({"uptime": 3}, []),
        ({"packages": BEFORE["packages"] | {"nginx": "1.1"}}, [package("1.1")]),
        ({"packages": BEFORE["packages"] | {"new": "1"}}, [package("1", None, "new")]),
        ({"kernel": "6.1.0-30-amd64"}, [Difference("kernel", "kernel", "6.1.0-28-amd64", "6.1.0-30-amd64")]),
        ({"boot": "bbbb/24"}, [Difference("boot", "boot", "aaaa/24", "bbbb/24")]),
        ({"boot": "aaaa/99"}, [Difference("boot", "boot", "aaaa/24", "aaaa/99")]),
        ({"boot": "aaaa/"}, []),  # the start of process 1 is not known there
        ({"services": {"cron": "running", "nftables": "exited"}}, [service("running", None)]),
        ({"mounts": {"/": "UUID=1 ext4 rw"}}, [Difference("mount", "/srv", "UUID=2 xfs rw", None)]),
        ({"firewall": "none"}, [Difference("firewall", "firewall", "0123", "none")]),
        ({"users": {}}, [Difference("user", "root", "0:0:/root:/bin/bash", None)]),
        (
            {"config": {"/etc/nginx/nginx.conf": "ef", "/etc/fstab": "cd"}},
            [Difference("config", "/etc/nginx/nginx.conf", "ab", "ef")],
        ),
        ({"ports": None}, [Difference(UNMEASURED, "port", "measured", None)]),
    ],
)
def test_every_kind_is_told(facts: dict[str, Any], found: list[Difference]) -> None:
    assert list(differences(BEFORE, after(**facts))) == found


def test_they_are_told_by_kind_and_then_by_name() -> None:
    now = after(packages={"z": "1", "a": "1"}, kernel="6.2", users={}, services={"z": "running"})
    told = [(one.kind, one.subject) for one in differences(BEFORE, now)]
    names = ["a", "libc6:i386", "linux-image-6.1.0-28-amd64", "nginx", "z"]
    services = [("service", name) for name in ("cron", "nftables", "nginx", "z")]
    assert told == [*(("package", name) for name in names), ("kernel", "kernel"), *services, ("user", "root")]


def test_what_was_not_measured_before_cannot_be_compared() -> None:
    before = {name: value for name, value in BEFORE.items() if name not in ("firewall", "config")}
    found = differences(before, after(config=None))
    assert found == (Difference(UNMEASURED, "firewall", None, "measured"),)
    assert unknown_kinds(before, after(config=None)) == ("config",)
    assert unknown_kinds(BEFORE, {}) == ()


@pytest.mark.parametrize(
    ("ports", "found"),
    [
        (["tcp 0.0.0.0:80 nginx", "tcp [::]:22 sshd", "tcp 0.0.0.0:51234 rpc.statd"], []),  # chosen by the kernel
        (["tcp 0.0.0.0:80", "tcp [::]:22", "tcp 0.0.0.0:40000"], []),  # programs not seen
        (
            ["tcp 0.0.0.0:80 apache2", "tcp [::]:22 sshd", "tcp 0.0.0.0:40000 rpc.statd"],
            [Difference("port", "tcp 0.0.0.0:80", "nginx", "apache2")],
        ),
        (
            ["tcp 0.0.0.0:80 nginx", "tcp [::]:22 sshd", "tcp 0.0.0.0:51234 other"],
            [
                Difference("port", "tcp 0.0.0.0:40000", "rpc.statd", None),
                Difference("port", "tcp 0.0.0.0:51234", None, "other"),
            ],
        ),
        (
            ["tcp 0.0.0.0:81 nginx", "tcp [::]:22", "tcp 0.0.0.0:40000 rpc.statd"],  # nobody but a person chose 80
            [Difference("port", "tcp 0.0.0.0:80", "nginx", None), Difference("port", "tcp 0.0.0.0:81", None, "nginx")],
        ),
        (
            [*BEFORE["ports"], "tcp 0.0.0.0:51234 rpc.statd"],
            [Difference("port", "tcp 0.0.0.0:51234", None, "rpc.statd")],
        ),
        (
            ["tcp 0.0.0.0:80 nginx", "tcp 0.0.0.0:40000 rpc.statd"],
            [Difference("port", "tcp [::]:22", "sshd, systemd", None)],
        ),
    ],
)
def test_ports_that_the_kernel_chose_are_known_by_their_program(ports: list[str], found: list[Difference]) -> None:
    assert list(differences(BEFORE, after(ports=ports))) == found


def test_services_that_stopped() -> None:
    found = (service("running", None), Difference("service", "a", "running", "exited"))
    assert stopped_services(found) == ("nginx", "a")
    assert stopped_services((service("exited", None),)) == ("nginx",)  # its work is undone, such as a firewall's rules
    assert stopped_services((service("exited", "running"), service(None, "running"), package(None))) == ()


@pytest.mark.parametrize("name", ["systemd-pstore", "ldconfig", "modprobe@drm"])
def test_what_has_work_in_some_boots_only_has_not_stopped(name: str) -> None:
    gone = Difference("service", name, "exited", None)
    assert stopped_services((gone,)) == ()
    assert judge_differences((gone,))[0].severity is Severity.WARNING
    assert stopped_services((Difference("service", name, "running", None),)) == (name,)


# --- what was meant ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "expected", "planned", "meant"),
    [
        (package("1.1"), ["package"], None, True),
        (package("1.1"), ["package:ngin?"], None, True),
        (package("1.1"), ["package:apache*"], None, False),
        (package("1.1"), ["kernel", "boot:*"], None, False),
        (package("1.1"), ["package"], {"nginx": "1.1"}, True),
        (package("1.1"), [], {"nginx": "1.1"}, True),
        (package("1.2"), ["package", "package:*"], {"nginx": "1.1"}, False),  # pinned to something else
        (package("1.1"), ["package"], {}, False),  # not in the plan
        (package("1.1"), ["package:nginx"], {}, True),  # not in the plan, and named
        (package(None), ["package"], {"nginx": REMOVED}, True),
        (package("1.1"), ["package"], {"nginx": REMOVED}, False),
        (package("0:6.2-1.x86_64", None, "kernel-core-6.2-1"), [], {"kernel-core": "0:6.2-1.x86_64"}, True),
        (package("0:6.3-1.x86_64", None, "kernel-core-6.3-1"), ["package:*"], {"kernel-core": "0:6.2-1.x86_64"}, False),
        (package("0:6.2-1.x86_64", None, "other-6.2-1"), [], {"kernel-core": "0:6.2-1.x86_64"}, False),
        (package("6.1.124-1", None, "linux-image"), ["package:linux-*"], {"other": "6.1.124-1"}, True),
        (package("1.0", None, "a"), [], {"a": "1.0", "": "1.0"}, True),
        (package("1:1", None, "-"), [], {"": "1:1"}, False),
        (package(None, "0:6.1.x86_64", "kernel-core-6.1"), [], {"kernel-core": "0:6.2.x86_64"}, False),
        (service("running", None), ["service"], None, False),
        (service("running", None), ["service:*"], None, False),
        (service("running", None), ["service:"], None, False),
        (service("running", "exited"), ["service:nginx"], None, True),
        (service(None, "running"), ["service"], None, True),
        (service("exited", "running"), ["service"], None, True),
        (service("exited", None), ["service", "service:*"], None, False),
        (service("exited", None), ["service:nginx"], None, True),
        (Difference("port", "tcp [::]:80", None, "a"), ["port:tcp [::]:*"], None, True),
        (Difference("port", "tcp :80", None, "a"), ["port:tcp [::]:80"], None, False),
        (Difference("mount", "/", "a", "b"), ["mounts"], None, False),
    ],
)
def test_only_what_is_said_is_expected(
    one: Difference, expected: list[str], planned: dict[str, str] | None, meant: bool
) -> None:
    assert is_expected(one, expected, planned) is meant


def test_all_expected_is_one_cell_that_counts() -> None:
    found = [
        *(package("1.1"), package("2", "1", "a"), Difference("kernel", "kernel", "6.1", "6.2")),
        *(Difference("boot", "boot", "a/1", "b/1"), Difference("config", "/etc/a", "ab", "cd")),
    ]
    (cell,) = judge_differences(found, ["package", "kernel", "boot", "config:/etc/*"])
    assert (cell.check, cell.subject, cell.outcome, cell.severity) == (PROOF, None, Outcome.OK, None)
    assert cell.message == "2 packages, kernel, boot, 1 configuration file changed, as expected"
    assert cell.evidence.startswith("the package nginx changed: 1.0 -> 1.1\n")
    assert judge_differences(())[0].message == "nothing changed"


def test_the_rest_are_findings() -> None:
    found = (
        *(package("1.1"), service("running", None), Difference("service", "x", None, "running")),
        *(Difference("config", "/etc/a", "ab", None), Difference(UNMEASURED, "firewall", "measured", None)),
    )
    assert [cell.severity for cell in judge_differences(found, ["package"])] == [
        *(Severity.CRITICAL, Severity.WARNING, Severity.WARNING, Severity.WARNING)
    ]
    assert [(cell.subject, cell.message.removeprefix("not expected: ")) for cell in judge_differences(found)] == [
        ("package nginx", "the package nginx changed: 1.0 -> 1.1"),
        ("service nginx", "the service nginx ran before and does not any more"),
        ("service x", "the service x is new: running"),
        ("config /etc/a", "the configuration file /etc/a is gone"),
        ("unmeasured firewall", "firewall was measured before the change but not after it"),
    ]
    assert all(cell.outcome is Outcome.ATTENTION for cell in judge_differences(found))


def test_a_service_whose_work_is_undone_is_as_bad_as_one_that_died() -> None:
    (cell,) = judge_differences((service("exited", None),), ["service"])
    assert cell.severity is Severity.CRITICAL
    assert cell.message == "not expected: the service nginx was active before (exited) and is not any more"


def test_a_thousand_findings_are_not_a_thousand_cells() -> None:
    files = [Difference("config", f"/etc/{number:04}", None, "ab") for number in range(1000)]
    down = [Difference("service", f"s{number}", "running", None) for number in range(1000)]
    cells = judge_differences([*files, *down])
    assert sum(cell.severity is Severity.CRITICAL for cell in cells) == 1000  # of these, each has a name
    assert len(cells) == 1000 + MOST_CELLS + 1
    assert cells[-1].message == f"not expected: {1000 - MOST_CELLS} configuration files more"


@pytest.mark.parametrize(
    ("text", "words"), [("packages", "do not exist|does not exist"), ("boot:", "after its colon"), ("", "does not")]
)
def test_an_expectation_that_means_nothing_is_a_mistake(text: str, words: str) -> None:
    complaint = expectation_complaint(text)
    assert complaint is not None
    assert any(word in complaint for word in words.split("|"))
    assert [expectation_complaint(one) for one in (*KINDS, "service:nginx", "port:tcp *:80")] == [None] * 12


# --- for any states ---------------------------------------------------------------------------------------------------

_names = st.sampled_from(["a", "b", "a:i386", "/etc/x", "k-1"])
_values = st.sampled_from(["running", "exited", "1", "2"])
_entries = st.dictionaries(_names, _values, max_size=4)
_port = st.builds(
    "{} {}:{} {}".format,
    st.sampled_from(["tcp", "udp"]),
    st.sampled_from(["0.0.0.0", "[::]"]),  # noqa: S104 - text of an answer, nothing listens here
    st.sampled_from([22, 32767, 32768, 40000, 40001, 60000]),
    st.sampled_from(["", "sshd", "sshd,systemd", "statd"]),
).map(str.rstrip)
_states = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("packages", "services", "mounts", "users", "config"), _entries),
        **{name: st.sampled_from(["a/1", "a/2", "b/1", "a/"]) for name in ("kernel", "boot", "firewall")},
        "ports": st.lists(_port, max_size=5),
        "uptime": st.integers(0, 9),
    },
)
_expected = st.lists(
    st.one_of(st.sampled_from(KINDS), st.builds("{}:{}".format, st.sampled_from(KINDS), _names | st.just("*"))),
    max_size=4,
)
_planned = st.none() | st.dictionaries(_names, _values, max_size=3)


@given(_states)
def test_a_state_does_not_differ_from_itself(state: dict[str, Any]) -> None:
    assert differences(state, state) == ()


@given(_states, _states)
def test_both_ways_see_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    there = [(d.kind, d.subject, d.before, d.after) for d in differences(one, other)]
    back = [(d.kind, d.subject, d.after, d.before) for d in differences(other, one)]
    assert there == back
    assert len({d[:2] for d in there}) == len(there)


@given(_states, _states, _expected, _planned)
def test_what_is_expected_never_hides_another_kind(
    one: dict[str, Any], other: dict[str, Any], expected: list[str], planned: dict[str, str] | None
) -> None:
    found = differences(one, other)
    cells = judge_differences(found, expected, planned)
    kinds = {text.partition(":")[0] for text in expected} | ({"package"} if planned is not None else set())
    told = {cell.subject for cell in cells}
    for difference in found:
        if difference.kind not in kinds:
            name = f"{difference.kind} {difference.subject}"
            assert told & {name, difference.kind}, difference
    for name in stopped_services(found):
        assert f"service:{name}" in expected or _critical(cells, f"service {name}")


@given(_states, _states, _expected)
def test_there_is_always_a_cell_and_ok_stands_alone(
    one: dict[str, Any], other: dict[str, Any], expected: list[str]
) -> None:
    cells = judge_differences(differences(one, other), expected)
    outcomes = [cell.outcome for cell in cells]
    assert outcomes == [Outcome.OK] or set(outcomes) == {Outcome.ATTENTION}


def _critical(cells: tuple[Cell, ...], subject: str) -> bool:
    return any(cell.subject == subject and cell.severity is Severity.CRITICAL for cell in cells)
