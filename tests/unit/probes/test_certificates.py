from __future__ import annotations

import os
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import Answer, Measured, NotMeasured, Skipped, SubjectFacts, UnreadableAnswer
from maintops.probes.certificates import MOST_FILES, PROBE
from tests.unit.probes.asking import SHELLS, answer_of, ask, only, part_of
from tests.unit.probes.recorded import OFTEN, all_of, assert_no_news, assert_reads, facts_of, read_recording, spoiled

CERTIFICATE = """\
notBefore=Jan  1 00:00:00 2026 GMT
notAfter=Mar  1 12:00:00 2026 GMT
serial=0A1B
subject=CN=www.example.org
issuer= CN=Example CA,O=Example
"""
NOW = str(int(datetime(2026, 2, 27, tzinfo=UTC).timestamp()))


def answer(*parts: tuple[str, str | tuple[int, str]]) -> Answer:
    return Answer(part_of("now", NOW) + b"".join(part_of(name, value) for name, value in parts))


def read(asked: Answer) -> dict[str | None, SubjectFacts]:
    reading = PROBE.read(asked, {})
    assert isinstance(reading, Measured), reading
    return {subject.subject: subject for subject in reading.subjects}


def test_a_certificate() -> None:
    subject = only(PROBE, answer(("file /etc/ssl/www.pem", CERTIFICATE)))
    assert subject.subject == "/etc/ssl/www.pem"
    assert subject.facts == {
        "present": True,
        "not_before": "2026-01-01T00:00:00+00:00",
        "not_after": "2026-03-01T12:00:00+00:00",
        "days_left": 2.5,
        "subject_name": "CN=www.example.org",
        "issuer": "CN=Example CA,O=Example",
        "serial": "0A1B",
    }


def test_one_that_has_ended_has_days_below_zero() -> None:
    text = CERTIFICATE.replace("Mar  1 12:00:00 2026", "Feb 26 00:00:00 2026")
    assert only(PROBE, answer(("file /x", text))).facts["days_left"] == -1.0


def test_a_place_without_one() -> None:
    subject = only(PROBE, answer(("missing /etc/ssl/gone.pem", "")))
    assert subject.facts == {"present": False}
    assert subject.not_offered == PROBE.facts.keys() - {"present"}


def test_places_that_could_not_be_read_in_full_say_why() -> None:
    seen = read(answer(("denied /a", ""), ("missing /a", ""), ("many /b", ""), ("file /c", (1, ""))))
    assert seen["/a"].why_not == "no right to read all of it"
    assert str(MOST_FILES) in (seen["/b"].why_not or "")
    assert "no certificate" in (seen["/c"].why_not or "")
    assert seen["/c"].facts == {"present": True}


def test_nothing_configured_is_skipped() -> None:
    for parameters in ({}, {"paths": []}, {"paths": None}):
        skipped = PROBE.question(parameters)
        assert isinstance(skipped, Skipped)
        assert "certificate_paths" in skipped.why


def test_no_openssl_is_not_measured() -> None:
    assert isinstance(PROBE.read(answer(("file /a", (127, ""))), {}), NotMeasured)


@pytest.mark.parametrize(
    "broken",
    [
        Answer(b""),
        answer_of(now="soon"),
        answer(("file /a", "garbage")),
        answer(("file /a", CERTIFICATE.replace("Mar  1", "Foo  1"))),
        answer(("file /a", "notAfter=garbage\n")),
        answer(("file /a", CERTIFICATE.replace("Mar  1", "Feb 30"))),
        answer(("file /a", CERTIFICATE.replace("2026 GMT", "0000 GMT"))),
        Answer(answer(("file /a", CERTIFICATE)).stdout, truncated=True),
    ],
)
def test_what_openssl_does_not_print_is_refused(broken: Answer) -> None:
    with pytest.raises(UnreadableAnswer):
        PROBE.read(broken, {})


@given(st.datetimes(datetime(1950, 1, 1), datetime(9999, 12, 31)))  # noqa: DTZ001  openssl's dates name no zone
def test_every_date_is_read_as_it_stands(moment: datetime) -> None:
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    text = f"notAfter={months[moment.month - 1]} {moment.day:2} {moment:%H:%M:%S} {moment.year:04} GMT\n"
    facts = only(PROBE, answer(("file /a", text))).facts
    assert facts["not_after"] == f"{moment.replace(microsecond=0).isoformat()}+00:00"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of certificates that end in 10 days, and things that lie beside certificates."""
    folder = tmp_path_factory.mktemp("certificates")
    ask_openssl = [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "10",
        "-subj",
        "/O=It's $(here)/CN=a.example",
    ]
    _openssl(*ask_openssl, "-keyout", folder / "a-key.pem", "-out", folder / "a.pem")
    _openssl("x509", "-in", folder / "a.pem", "-outform", "DER", "-out", folder / "a.der")
    (folder / "sub").mkdir()
    both = (folder / "a.pem").read_text() + (folder / "a-key.pem").read_text()
    (folder / "sub" / "keycloak.crt").write_text(both)
    (folder / "privkey.pem").write_text((folder / "a-key.pem").read_text())
    (folder / "params.pem").write_text("-----BEGIN DH PARAMETERS-----\nMA==\n-----END DH PARAMETERS-----\n")
    (folder / "odd name$(x).cer").write_text(both)
    (folder / "none").mkdir()
    return folder


def _openssl(*arguments: Any) -> None:
    subprocess.run(["/usr/bin/openssl", *map(str, arguments)], check=True, capture_output=True)


pytestmark = pytest.mark.skipif(not Path("/usr/bin/openssl").exists(), reason="no openssl here")


@pytest.mark.parametrize("shell", SHELLS)
def test_folders_patterns_and_files_are_looked_through(shell: list[str], made: Path) -> None:
    paths = [str(made), f"{made}/*.pem", f"{made}/a.der", f"{made}/none", f"{made}/gone.pem", f"{made}/*.gone"]
    seen = read(ask(PROBE, shell, {"paths": paths}))
    found = {str(made / name) for name in ("a.pem", "a.der", "sub/keycloak.crt", "odd name$(x).cer")}
    assert {path for path, subject in seen.items() if "days_left" in subject.facts} == found
    for path in found:
        facts = seen[path].facts
        assert 9.8 < facts["days_left"] <= 10.0
        assert facts["subject_name"] == r"CN=a.example,O=It's $(here)"
        assert facts["not_after"][:10] == datetime.fromtimestamp(time.time() + 10 * 86400, UTC).isoformat()[:10]
    for missing in (f"{made}/none", f"{made}/gone.pem", f"{made}/*.gone"):
        assert seen[missing].facts == {"present": False}
    assert seen[f"{made}/params.pem"].why_not  # named by the pattern, and no certificate
    assert len(seen) == len(found) + 4


@pytest.mark.parametrize("shell", SHELLS)
def test_no_key_leaves_the_server_or_is_opened(shell: list[str], made: Path) -> None:
    asked = ask(PROBE, shell, {"paths": [str(made), f"{made}/*"]})
    assert b"privkey" not in asked.stdout + asked.stderr
    assert b"a-key" not in asked.stdout + asked.stderr
    secret = (made / "privkey.pem").read_bytes().split(b"\n")[1]
    assert secret not in asked.stdout + asked.stderr


@pytest.mark.parametrize("shell", SHELLS)
def test_a_full_folder_is_read_up_to_a_limit_and_says_so(shell: list[str], made: Path, tmp_path: Path) -> None:
    for place in range(4):
        (tmp_path / f"{place}.pem").write_text((made / "a.pem").read_text())
    asked = ask(PROBE, shell, {"paths": [str(tmp_path)]}, change=((f"-gt {MOST_FILES}", "-gt 3"),))
    seen = read(asked)
    assert seen[str(tmp_path)].why_not
    assert len(seen) == 4


@pytest.mark.parametrize("shell", SHELLS)
def test_paths_are_data_to_the_shell(shell: list[str], tmp_path: Path) -> None:
    paths = [f"$(touch {tmp_path}/canary)", f"'; touch {tmp_path}/canary; '", "-rf", "a b"]
    seen = read(ask(PROBE, shell, {"paths": paths}))
    assert set(seen) == {f"./{path}" for path in paths}
    assert all(subject.facts == {"present": False} for subject in seen.values())
    assert not (tmp_path / "canary").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to ask as somebody else")
@pytest.mark.parametrize("shell", SHELLS)
def test_no_right_is_told_and_never_read_as_missing(shell: list[str], made: Path, tmp_path: Path) -> None:
    closed = Path("/var/tmp") / f"closed-{os.getpid()}-{shell[0]}"  # pytest's own folders are closed as a whole
    inner = closed / "inner"
    inner.mkdir(parents=True)
    try:
        (closed / "a.pem").write_text((made / "a.pem").read_text())
        (closed / "a.pem").chmod(0o600)
        inner.chmod(0o700)
        (closed).chmod(0o755)
        paths = [f"{closed}/a.pem", f"{inner}/b.pem", f"{inner}/*.pem", str(closed)]
        seen = read(ask(PROBE, shell, {"paths": paths}, user="nobody"))
        assert {subject.why_not for subject in seen.values()} == {"no right to read all of it"}
        assert set(seen) == set(paths)
    finally:
        subprocess.run(["/bin/rm", "-r", str(closed)], check=True)


# --- recordings -------------------------------------------------------------------------------------------------------
TEXT = """\
Certificate:
    Data:
        Version: 3 (0x2)
        Serial Number:
            0b:48:31:57
        Signature Algorithm: sha256WithRSAEncryption
        Issuer: C = DE, O = Example CA
        Validity
            Not Before: Jan  1 00:00:00 2026 GMT
            Not After : Mar  2 21:53:08 2027 GMT
        Subject: CN = www.example.com
        Subject Public Key Info:
            Public Key Algorithm: rsaEncryption
"""
SHORT = """\
notBefore=Jan  1 00:00:00 2026 GMT
notAfter=Mar  2 21:53:08 2027 GMT
subject=CN = www.example.com
issuer= /C=DE/O=Example CA
serial=0B483157
"""


@pytest.mark.parametrize("text", [TEXT, SHORT])
def test_what_openssl_says_of_a_certificate(text: str) -> None:
    (certificate,) = all_of(PROBE, text).values()
    assert certificate.subject == "certificate"
    assert {name: value for name, value in certificate.facts.items() if name != "issuer"} == {
        "present": True,
        "not_before": "2026-01-01T00:00:00+00:00",
        "not_after": "2027-03-02T21:53:08+00:00",
        "subject_name": "CN = www.example.com",
        "serial": "0B483157",
    }
    assert not certificate.not_offered, "the days that are left are not known, but they exist"


def test_several_certificates_and_the_end_alone() -> None:
    assert list(all_of(PROBE, TEXT + TEXT)) == ["certificate", "certificate 2"]
    found = all_of(PROBE, "notAfter=Mar  2 21:53:08 2027 GMT\nnotAfter=Mar  2 21:53:08 2028 GMT\n")
    assert [one.facts["not_after"][:4] for one in found.values()] == ["2027", "2028"]
    assert facts_of(PROBE, TEXT.replace("\n            0b:48:31:57", " 1 (0x1)"))["serial"] == "1"


def test_a_certificate_without_its_end_is_unreadable() -> None:
    with pytest.raises(UnreadableAnswer, match="until when"):
        read_recording(PROBE, TEXT[: TEXT.index("Not After")])


@OFTEN
@given(data=spoiled([TEXT, SHORT, TEXT + TEXT]))
def test_a_spoiled_recording_is_unreadable_at_worst(data: bytes) -> None:
    assert_reads(PROBE, data)


def test_a_recording_of_nothing_or_of_something_else_is_no_news() -> None:
    assert_no_news(PROBE)
