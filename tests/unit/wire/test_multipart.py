"""Forms of many parts: read in place, strictly, and changed in one field only."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.wire.multipart import NotAForm, boundary_of, read_form, with_field

TYPE = b"multipart/form-data; boundary=XyZ"


def form(*parts: tuple[str, bytes], boundary: str = "XyZ") -> bytes:
    """A form of these heads and contents."""
    pieces = [f"--{boundary}\r\ncontent-disposition: form-data; {head}\r\n\r\n".encode() + body for head, body in parts]
    return b"\r\n".join([*pieces, f"--{boundary}--\r\n".encode()])


GOOD = form(('name="model"', b"m"), ('name="file"; filename="a.wav"', b"\x00--XyZ\r\n--Xy"), ('name="n"', b"2"))


def test_parts_are_found_where_they_stand() -> None:
    read = read_form(TYPE, GOOD)
    assert [(part.name, part.filename) for part in read.parts] == [("model", None), ("file", "a.wav"), ("n", None)]
    assert (read.text("model"), read.text("n"), read.text("user")) == ("m", "2", None)
    (file,) = read.files("file")
    assert GOOD[file.start : file.end] == b"\x00--XyZ\r\n--Xy"


def test_only_the_named_field_changes() -> None:
    read = read_form(TYPE, GOOD)
    changed = with_field(read, "model", "another-model")
    assert changed == GOOD.replace(b"\r\n\r\nm\r\n", b"\r\n\r\nanother-model\r\n", 1)
    assert read_form(boundary_of(changed), changed).text("model") == "another-model"


@pytest.mark.parametrize(
    ("content_type", "body", "why"),
    [
        (b"multipart/form-data", GOOD, "one boundary"),
        (b"multipart/form-data; boundary=XyZ; boundary=Other", GOOD, "one boundary"),
        (b"multipart/form-data; boundary=" + b"a" * 71, GOOD, "one boundary"),
        (b"multipart/mixed; boundary=XyZ", GOOD, "one boundary"),
        (b"multipart/form-data; boundary=Other", GOOD, "begin with the boundary"),
        (TYPE, b"preamble\r\n" + GOOD, "begin with the boundary"),
        (TYPE, GOOD[:-8], "ends within a part"),
        (TYPE, GOOD + b"more", "behind the last boundary"),
        (TYPE, form(('name="a"; name="b"', b"x")), "one name"),
        (TYPE, form(('name="a"; filename="x"; filename="y"', b"x")), "one name"),
        (TYPE, form(("name*=utf-8''model", b"x")), "form-data"),
        (TYPE, form(('name="a"\r\ncontent-transfer-encoding: base64', b"x")), "encoded"),
        (TYPE, form(('name="a"\r\n folded: x', b"x")), "folded"),
        (TYPE, form(('name="a"\r\ncontent-disposition: form-data; name="b"', b"x")), "one `content-disposition"),
        (TYPE, form(*[('name="a"', b"x")] * 257), "more than 256"),
        (TYPE, form(('name="a"', b"x\r\n--XyZtail")), "within a part"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(content_type: bytes, body: bytes, why: str) -> None:
    with pytest.raises(NotAForm, match=why):
        read_form(content_type, body)


def test_a_field_that_stands_twice_or_is_a_file_is_refused() -> None:
    twice = read_form(TYPE, form(('name="model"', b"a"), ('name="model"', b"b")))
    with pytest.raises(NotAForm, match="twice"):
        twice.text("model")
    file = read_form(TYPE, form(('name="model"; filename=""', b"a")))
    with pytest.raises(NotAForm, match="not a file"):
        file.text("model")


NAMES = st.text(st.characters(codec="utf-8", exclude_characters='"\r\n', exclude_categories=("Cc", "Cs")), max_size=20)


@given(st.lists(st.tuples(NAMES, st.none() | NAMES, st.binary(max_size=200)), max_size=6))
@settings(max_examples=300, deadline=None)
def test_whatever_is_written_is_read_again(parts: list[tuple[str, str | None, bytes]]) -> None:
    mark = b"\r\n--XyZ"
    written = [(name, file, body) for name, file, body in parts if mark not in b"\r\n" + body]
    heads = [f'name="{name}"' + ("" if file is None else f'; filename="{file}"') for name, file, _ in written]
    if not written:
        return
    body = form(*[(head, content) for head, (_, _, content) in zip(heads, written, strict=True)])
    read = read_form(TYPE, body)
    assert [(part.name, part.filename, body[part.start : part.end]) for part in read.parts] == written


@given(st.binary(max_size=400), st.integers(0, len(GOOD)), st.integers(0, 40))
@settings(max_examples=500, deadline=None)
def test_garbage_is_refused_or_read_and_never_crashes(noise: bytes, at: int, cut: int) -> None:
    for body in (noise, b"--XyZ\r\n" + noise, GOOD[:at] + noise + GOOD[at + cut :]):
        try:
            read = read_form(TYPE, body)
            read.text("model")
        except NotAForm:
            continue
        assert all(0 <= part.start <= part.end <= len(body) for part in read.parts)
