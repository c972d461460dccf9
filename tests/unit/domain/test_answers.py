from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import Part, parts


def printed(named: dict[str, tuple[int, bytes]]) -> bytes:
    """What the `part` function of the script prints, said independently of it."""
    out = b""
    for name, (status, output) in named.items():
        lines = output.split(b"\n")
        body = lines[:-1] if lines[-1] == b"" else lines
        out += b"=" + name.encode() + b"\n" + b"".join(b" " + line + b"\n" for line in body)
        out += b".%d\n" % status
    return out


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1, max_size=10)
WHOLE = st.binary(max_size=60).map(lambda data: data + b"\n")


@given(st.dictionaries(NAMES, st.tuples(st.integers(0, 255), WHOLE), max_size=4))
def test_parts_come_back_as_they_were_printed(named):
    assert parts(printed(named)) == {name: Part(status, output) for name, (status, output) in named.items()}


def test_output_cannot_look_like_a_mark():
    assert parts(b"=a\n =b\n .0\n x\n.7\n") == {"a": Part(7, b"=b\n.0\nx\n")}


def test_a_part_that_was_cut_short_has_no_status():
    assert parts(b"=a\n one\n tw") == {"a": Part(None, b"one\ntw\n")}
    assert parts(b"=a\n one\n=b\n.0\n") == {"a": Part(None, b"one\n"), "b": Part(0, b"")}


@given(st.binary(max_size=200))
def test_anything_is_read_without_a_fault(data):
    for part in parts(data).values():
        assert part.text is not None
