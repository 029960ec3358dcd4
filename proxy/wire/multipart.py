"""Forms of many parts (RFC 7578), read in place: where each part's content stands, and nothing copied but small ones.

Read strictly: what two readers could take apart in two ways is refused, since one would govern and the other obey.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple, NoReturn

MOST_PARTS: Final = 256
MOST_BOUNDARY: Final = 70
MOST_HEADER_BYTES: Final = 8192
MOST_FIELD_BYTES: Final = 262_144
_TYPE: Final = re.compile(
    rb"multipart/form-data((?:\s*;\s*[!#$%&'*+.^_`|~0-9A-Za-z-]+=(?:\"[^\"\\]*\"|[^\s;\"]+))+)\s*;?", re.IGNORECASE
)
_PARAMETERS: Final = re.compile(rb";\s*([^=;\s]+)=(?:\"([^\"]*)\"|([^\s;\"]+))")
_ALLOWED: Final = re.compile(rb"[0-9A-Za-z'()+_,./:=? -]*[0-9A-Za-z'()+_,./:=?-]")
_DISPOSITION: Final = re.compile(rb'form-data(?:\s*;\s*(?:name|filename)="[^"\r\n]*")*', re.I)
_PARAMETER: Final = re.compile(rb';\s*(name|filename)="([^"\r\n]*)"', re.I)
_PLAIN: Final = frozenset({b"", b"7bit", b"8bit", b"binary"})


class NotAForm(ValueError):
    """The body cannot be read as the form that its content type says it is; the message says why."""


class Part(NamedTuple):
    """One part: its content is the body from `start` to `end`. A file has a name of its own, perhaps an empty one."""

    name: str
    filename: str | None
    start: int
    end: int


class Form(NamedTuple):
    """All parts, in their order."""

    body: bytes
    parts: tuple[Part, ...]

    def files(self, *names: str) -> list[Part]:
        """The files under one of these names, or under one with `[]` behind it."""
        return [part for part in self.parts if part.filename is not None and part.name.removesuffix("[]") in names]

    def text(self, name: str) -> str | None:
        """What a field says, None where there is none.

        Raises:
            NotAForm: it stands twice, is a file, is too large or is no UTF-8.
        """
        found = [part for part in self.parts if part.name == name]
        if not found:
            return None
        (first, *more) = found
        if more:
            _refuse(f"the field `{name}` is given twice; give it once")
        if first.filename is not None:
            _refuse(f"the field `{name}` must be a text and not a file")
        if first.end - first.start > MOST_FIELD_BYTES:
            _refuse(f"the field `{name}` is larger than {MOST_FIELD_BYTES} bytes")
        try:
            return self.body[first.start : first.end].decode()
        except UnicodeDecodeError:
            _refuse(f"the field `{name}` is not valid UTF-8")


def read_form(content_type: bytes, body: bytes) -> Form:
    """Take a body apart.

    Raises:
        NotAForm: it is none, or could be read in two ways.
    """
    mark = b"--" + _boundary(content_type)
    if not body.startswith(mark + b"\r\n"):
        _refuse("the body must begin with the boundary of its content type")
    parts: list[Part] = []
    at = len(mark) + 2
    while True:
        if len(parts) >= MOST_PARTS:
            _refuse(f"there are more than {MOST_PARTS} parts")
        start, name, filename = _head(body, at)
        end = body.find(b"\r\n" + mark, start - 2)
        if end < 0:
            _refuse("the body ends within a part; is its last boundary there?")
        parts.append(Part(name, filename, start, max(start, end)))
        at = end + 2 + len(mark)
        tail = body[at : at + 2]
        at += 2
        if tail == b"--":
            if body[at:] not in (b"", b"\r\n"):
                _refuse("there is something behind the last boundary")
            return Form(body, tuple(parts))
        if tail != b"\r\n":
            _refuse("a boundary stands within a part")


def with_field(form: Form, name: str, value: str) -> bytes:
    """The body with another value of a field that stands there once; every other byte stays."""
    part = next(part for part in form.parts if part.name == name)
    return form.body[: part.start] + value.encode() + form.body[part.end :]


def boundary_of(body: bytes) -> bytes:
    """The content type of a form that was read before, made of its first line."""
    return b'multipart/form-data; boundary="%b"' % body[2 : body.index(b"\r\n")]


def _boundary(content_type: bytes) -> bytes:
    found = _TYPE.fullmatch(content_type.strip())
    given = [] if found is None else _PARAMETERS.findall(found[1])
    boundaries: list[bytes] = [quoted or plain for name, quoted, plain in given if name.lower() == b"boundary"]
    if len(boundaries) != 1 or not 1 <= len(boundaries[0]) <= MOST_BOUNDARY:
        _refuse("the content type must be multipart/form-data with one boundary of at most 70 characters")
    (boundary,) = boundaries
    if not _ALLOWED.fullmatch(boundary):
        _refuse("the boundary has characters that boundaries may not have")
    return boundary


def _head(body: bytes, at: int) -> tuple[int, str, str | None]:
    """Where the content begins, and its names."""
    end = body.find(b"\r\n\r\n", at, at + MOST_HEADER_BYTES)
    if end < 0:
        _refuse("a part has no end of its headers")
    lines = body[at:end].split(b"\r\n")
    found = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    if any(b"\n" in line or b"\r" in line or line[:1] in (b" ", b"\t") for line in lines):
        _refuse("a part's headers are folded or broken")
    dispositions = [value for name, value in found if name == b"content-disposition"]
    if len(dispositions) != 1 or not _DISPOSITION.fullmatch(dispositions[0]):
        _refuse('a part must have one `content-disposition: form-data; name="…"`')
    if any(name == b"content-transfer-encoding" and value.lower() not in _PLAIN for name, value in found):
        _refuse("a part is encoded; send it as it is")
    return end + 4, *_names(dispositions[0])


def _names(disposition: bytes) -> tuple[str, str | None]:
    given = [(key.lower(), value) for key, value in _PARAMETER.findall(disposition)]
    names = [value for key, value in given if key == b"name"]
    files = [value for key, value in given if key == b"filename"]
    if len(names) != 1 or len(files) > 1:
        _refuse("a part must have one name, and one file name at most")
    try:
        return names[0].decode(), files[0].decode("utf-8", "replace") if files else None
    except UnicodeDecodeError:
        _refuse("a part's name is not valid UTF-8")


def sizes(parts: Sequence[Part]) -> int:
    """Bytes of content in all."""
    return sum(part.end - part.start for part in parts)


def _refuse(message: str) -> NoReturn:
    raise NotAForm(message)
