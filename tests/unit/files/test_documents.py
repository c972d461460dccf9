"""The guarded YAML loader: strings stay strings, traps are mistakes with a place, and nothing takes long."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.errors import ConfigurationError, Mistake
from maintops.files.documents import (
    DEEPEST,
    LARGEST_FILE,
    MOST_MISTAKES,
    MOST_VALUES,
    parse_document,
    read_document,
)


def value(text: str) -> Any:
    return parse_document(text, "f.yml").value


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        parse_document(text, "f.yml")
    return [str(mistake) for mistake in caught.value.mistakes]


WORDS = (
    "12:30 no yes on off No True FALSE 010 0x1F 0o7 1_000 2024-01-31 .5 5. +1 .inf .nan NULL Null 1e 1.2.3 "
    "08 00 -01 1,5"
)


@pytest.mark.parametrize("text", [*WORDS.split(), "2024-01-31 10:00:00"])
def test_a_plain_word_stays_text(text: str) -> None:
    assert value(f"key: {text}") == {"key": text}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-12", -12),
        ("1.5", 1.5),
        ("-0.25", -0.25),
        ("1e3", 1000.0),
        ("1.5E-1", 0.15),
        ("'true'", "true"),
        ('"12"', "12"),
        ('""', ""),
        ("|\n    two\n    lines\n", "two\nlines\n"),
        (">-\n    one\n    line\n", "one line"),
    ],
)
def test_a_scalar_is_what_yaml_and_json_agree_on(text: str, expected: Any) -> None:
    found = value(f"key: {text}")["key"]
    assert found == expected
    assert type(found) is type(expected)


def test_keys_are_text() -> None:
    assert value("on: 1\nno: 2\n12: 3\ntrue: 4\n12:30: 5\n") == {"on": 1, "no": 2, "12": 3, "true": 4, "12:30": 5}
    assert value('"<<": 1') == {"<<": 1}


def test_collections_and_an_empty_file() -> None:
    assert value("- a\n- [b, {c: d}]\n- - e\n") == ["a", ["b", {"c": "d"}], ["e"]]
    assert value("# nothing\n") is value("") is None
    assert value("--- 5\n...\n") == 5


def test_every_part_has_its_place() -> None:
    document = parse_document("title: x\nchecks:\n  - id: A\n    tags: [b, c]\n", "f.yml")
    assert document.place(()) == (1, 1)
    assert document.place(("title",)) == (1, 8)
    assert document.key_place(("title",)) == (1, 1)
    assert document.place(("checks", 0)) == (3, 5)
    assert document.place(("checks", 0, "tags", 1)) == (4, 15)
    assert document.key_place(("checks", 0, "tags")) == (4, 5)
    assert document.key_place(("checks", 0, "tags", 1)) == (4, 15)
    assert document.place(("checks", 0, "tags", 7, "nosuch")) == (4, 11)
    assert str(document.mistake(("checks", 0, "id"), "wrong")) == "f.yml:3:9: wrong"
    assert str(document.mistake(("checks", 0, "id"), "wrong", at_key=True)) == "f.yml:3:5: wrong"


def test_every_trap_is_told_at_once() -> None:
    assert mistakes("a: 1\nb: &x {c: 2, c: 3}\na: *x\n<<: {d: 1}\ne: !!python/name:os.system x\nf: !vault x\n") == [
        "f.yml:2:4: an anchor (&x) is not allowed; write the value where it is needed",
        'f.yml:2:14: duplicate key "c" (first on line 2)',
        'f.yml:3:1: duplicate key "a" (first on line 1)',
        "f.yml:3:4: an alias (*x) is not allowed; write the value itself",
        "f.yml:4:1: a merge key (<<) is not allowed; write the keys themselves",
        "f.yml:5:4: a tag (tag:yaml.org,2002:python/name:os.system) is not allowed",
        "f.yml:6:4: a tag (!vault) is not allowed",
    ]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("a: 1\n---\nb: 2\n", "f.yml:2:1: a second document begins here; a file holds one"),
        ("a:\n\tb: 1\n", "f.yml:2:1: a tab cannot indent; use spaces"),
        ("a:\n  b: 1\n\tc: 2\n", "f.yml:3:1: a tab cannot indent; use spaces"),
        ("a: b: c\n", "f.yml:1:5: is not YAML: mapping values are not allowed in this context"),
        ("? [a]\n: b\n", "f.yml:1:3: a key must be one word or text, not a list or a mapping"),
        ("{a: b}: c\n", "f.yml:1:1: a key must be one word or text, not a list or a mapping"),
        ("a: 1e999\n", "f.yml:1:4: this number is too large; in quotes it would be text"),
        ("a: " + "9" * 5000, "f.yml:1:4: this number is too large; in quotes it would be text"),
        ("ä: x\x00y\n", "f.yml:1:5: holds a control character (U+0000)"),
        ("a: \x1b[31m\n", "f.yml:1:4: holds a control character (U+001B)"),
        ("*a : 1\n", "f.yml:1:1: an alias (*a) is not allowed; write the value itself"),
    ],
)
def test_a_mistake_has_its_place_and_words(text: str, mistake: str) -> None:
    assert mistakes(text) == [mistake]


def test_a_syntax_error_says_where_it_began() -> None:
    (told,) = mistakes("a: [1,\n  2\nb: 3\n")
    assert told.startswith("f.yml:3:")
    assert "(begun on line 1)" in told
    assert "f.yml:1:6: is not YAML" in mistakes("a: 'x")[0]


def test_mistakes_before_a_syntax_error_are_kept() -> None:
    assert len(mistakes("a: 1\na: 2\nb: [\n")) == 2


@pytest.mark.parametrize(
    ("bomb", "says"),
    [
        ("[" * 10_000, "nested more than"),
        ("- " * 10_000, "nested more than"),
        ("{a: " * 10_000, "nested more than"),
        ("\n".join(" " * depth + "a:" for depth in range(1000)), "nested more than"),
        ("- a\n" * (MOST_VALUES + 5), "more than 50000 values"),
        ("[" + "1," * (MOST_VALUES + 5) + "]", "more than 50000 values"),
        ("a: &a [x]\n" + "".join(f"k{n}: *a\n" for n in range(20_000)), "the rest was not read"),
        ("a: 1\n" * 100_000, "the rest was not read"),
        ("a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 30)), "alias"),
        ("!" * 500_000, "a tag (tag:yaml.org,2002:!!!!"),
        ('"' + "k" * 1000 + '": 1\n"' + "k" * 1000 + '": 2\n', "duplicate key"),
    ],
    ids=["flow", "list", "mapping", "indent", "values", "flow values", "aliases", "keys", "merge", "tag", "long key"],
)
def test_a_bomb_is_refused_before_anything_is_built(bomb: str, says: str) -> None:
    told = mistakes(bomb)
    assert any(says in one for one in told)
    assert len(told) <= MOST_MISTAKES + 1
    assert max(map(len, told)) < 300


def test_the_deepest_document_is_allowed() -> None:
    assert value("[" * DEEPEST + "]" * DEEPEST) is not None
    assert "nested" in mistakes("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1))[0]


def read(path: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read_document(path)
    (mistake,) = caught.value.mistakes
    assert mistake.file == str(path)
    return f"{mistake.line}:{mistake.column}: {mistake.message}"


def test_a_file_is_read_with_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "f.yml"
    path.write_bytes(b"a: \xc3\xa4\r\n")
    document = read_document(path)
    assert document.value == {"a": "ä"}
    assert document.file == str(path)
    assert document.place(("a",)) == (1, 4)
    assert document.digest == "a984b6d7bb11194016db6dbf22aefe7a1c191e7a00e3bc85e275ca6c43f853d0"


def test_what_is_not_an_ordinary_file_is_refused(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert read(fifo) == "0:0: is not an ordinary file"
    assert read(Path("/dev/zero")) == "0:0: is not an ordinary file"
    assert read(tmp_path) == "0:0: is a folder"
    assert read(tmp_path / "nosuch.yml") == "0:0: there is no such file"
    assert read(tmp_path / "a\0b").startswith("0:0: cannot be read: ")


def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "f.yml"
    path.write_text("a: 1")
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may read everything: be nobody for a moment
    try:
        assert read(path) == "0:0: cannot be read: Permission denied"
    finally:
        os.seteuid(user)


def test_a_link_that_leads_round_in_a_circle(tmp_path: Path) -> None:
    path = tmp_path / "f.yml"
    path.symlink_to(path)
    assert read(path) == "0:0: cannot be read: Too many levels of symbolic links"


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "f.yml"
    with path.open("wb") as stream:
        stream.truncate(100 * 1024 * 1024)
    assert read(path) == "0:0: is larger than 1024 KiB"
    path.write_bytes(b"#" * (LARGEST_FILE + 1))
    assert read(path) == "0:0: is larger than 1024 KiB"
    path.write_bytes(b"#" * LARGEST_FILE)
    assert read_document(path).value is None


def test_what_is_not_utf_8_has_its_place(tmp_path: Path) -> None:
    path = tmp_path / "f.yml"
    path.write_bytes("a: 1\nbä: ".encode() + b"\xff\xfe\n")
    assert read(path) == "2:5: is not UTF-8 text"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read(path) == "1:1: begins with a byte order mark; save it as UTF-8 without one"


@given(st.text(max_size=200) | st.text(alphabet="ab:-?&*!|>'\"[]{},# \n\t%@`<~0.e\r\x85", max_size=80))
def test_any_text_is_a_document_or_a_configuration_error(text: str) -> None:
    told: tuple[Mistake, ...] = ()
    try:
        json.dumps(parse_document(text, "f.yml").value, allow_nan=False)
    except ConfigurationError as error:
        told = error.mistakes or (Mistake("f.yml", -1, -1, "no mistake told"),)
    for mistake in told:
        assert 0 <= mistake.line <= len(text) + 1
        assert mistake.message == mistake.message.strip() != ""


@given(st.binary(max_size=120))
def test_any_bytes_are_a_document_or_a_configuration_error(tmp_path_factory: Any, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yml"
    path.write_bytes(content)
    with suppress(ConfigurationError):
        assert read_document(path).file == str(path)


plain = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.text(max_size=20)
    | st.floats(allow_nan=False, allow_infinity=False)
)
texts = st.text(max_size=8)


@given(st.recursive(plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)))
def test_json_is_read_as_what_it_is(expected: Any) -> None:
    # json.dumps escapes what YAML does not take as it is (ensure_ascii), except DEL, which it does not.
    text = json.dumps(expected).replace("\x7f", "\\u007f")
    if "\\ud" in text:  # half a surrogate pair is no text in YAML
        return
    assert value(text) == expected
