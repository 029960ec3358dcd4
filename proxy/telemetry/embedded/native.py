"""Native blocks as newer clients read them (`client_protocol_version`).

The engine in this process writes them as for a client of version 0. From version 54454 on a client expects a
block's info before it and, before each column's data, one byte that says whether it has a serialization of its own
(never, here). So the columns have to be found: their lengths follow from their types.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from proxy.telemetry.embedded.statement import BadRequest

SINCE: Final = 54454
"""The first version with a byte of serialization before each column; older ones are answered as version 0."""

# Field 1 (is it an overflow row: no), field 2 (which bucket: -1, none), end.
_INFO: Final = b"\x01\x00\x02\xff\xff\xff\xff\x00"
_ORDINARY: Final = b"\x00"
_NOT_IMPLEMENTED: Final = 48
_WIDTHS: Final = {
    **dict.fromkeys(("UInt8", "Int8", "Bool", "Enum8", "Nothing"), 1),
    **dict.fromkeys(("UInt16", "Int16", "Date", "Enum16", "BFloat16"), 2),
    **dict.fromkeys(("UInt32", "Int32", "Float32", "Date32", "DateTime", "Time", "IPv4", "Decimal32"), 4),
    **dict.fromkeys(("UInt64", "Int64", "Float64", "DateTime64", "Time64", "Decimal64"), 8),
    **dict.fromkeys(("UInt128", "Int128", "UUID", "IPv6", "Decimal128", "Point"), 16),
    **dict.fromkeys(("UInt256", "Int256", "Decimal256"), 32),
}
_SAME_AS: Final = {
    "Ring": "Array(Point)",
    "LineString": "Array(Point)",
    "Polygon": "Array(Array(Point))",
    "MultiLineString": "Array(Array(Point))",
    "MultiPolygon": "Array(Array(Array(Point)))",
}
_DIGITS_OF: Final = ((9, 4), (18, 8), (38, 16), (76, 32))
_NAMED: Final = re.compile(r"(?:`(?:[^`\\]|\\.)*`|[A-Za-z_]\w*) (?=\S)")


def for_revision(content: bytes, revision: int) -> bytes:
    """Native blocks of version 0 as a client of this protocol version reads them.

    Raises:
        BadRequest: a column's type has no length that can be told from outside (states of aggregates, JSON, Dynamic).
    """
    return content if revision < SINCE else b"".join(_rewritten(content))


def _rewritten(content: bytes) -> Iterator[bytes]:
    blocks = _Cursor(content)
    while not blocks.at_end:
        start = blocks.at
        columns, rows = blocks.number(), blocks.number()
        yield _INFO
        yield content[start : blocks.at]
        for _ in range(columns):
            start = blocks.at
            blocks.skip(blocks.number())
            kind = blocks.text()
            yield content[start : blocks.at]
            yield _ORDINARY
            start = blocks.at
            if rows:
                column = _Column(kind)
                column.skip_prefix(blocks)
                column.skip(blocks, rows)
            yield content[start : blocks.at]


_Layout: TypeAlias = "tuple[Callable[[list[str]], list[str]], Callable[[_Column, _Cursor, int], None]]"
"""Which parts a type of these arguments has, and how its data is passed."""


class _Cursor:
    """A place in the bytes of blocks."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.at = 0

    @property
    def at_end(self) -> bool:
        return self.at >= len(self._content)

    def skip(self, size: int) -> None:
        self.at += size
        if self.at > len(self._content):
            raise BadRequest("a native block ends before its columns do", _NOT_IMPLEMENTED)

    def number(self) -> int:
        """A number of variable length."""
        value = shift = 0
        while True:
            byte = self._content[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def fixed(self) -> int:
        """A number of 64 bits."""
        start = self.at
        self.skip(8)
        return int.from_bytes(self._content[start : self.at], "little")

    def text(self) -> str:
        size = self.number()
        start = self.at
        self.skip(size)
        return self._content[start : self.at].decode()

    def skip_strings(self, rows: int) -> None:
        # The only walk over rows: as tight as it gets, nearly all strings are shorter than 128 bytes.
        content, at = self._content, self.at
        for _ in range(rows):
            size = content[at]
            at += 1
            if size > 0x7F:
                self.at = at - 1
                size = self.number()
                at = self.at
            at += size
        self.at = at
        self.skip(0)


class _Column:
    """The layout of one type: first the prefixes of all its parts, then the data."""

    def __init__(self, kind: str) -> None:
        kind = _SAME_AS.get(kind, kind)
        self._name, _, inside = kind.partition("(")
        self._arguments = list(_split(inside[:-1])) if inside else []
        self._width = _width(self._name, self._arguments)
        parts, self._pass = (_none, _Column.skip_fixed) if self._width is not None else _composed(self._name, kind)
        self._parts = [_Column(each) for each in parts(self._arguments)]

    def skip_prefix(self, cursor: _Cursor) -> None:
        if self._name == "LowCardinality":
            cursor.skip(8)
        for part in self._parts:
            part.skip_prefix(cursor)

    def skip(self, cursor: _Cursor, rows: int) -> None:
        self._pass(self, cursor, rows)

    def skip_fixed(self, cursor: _Cursor, rows: int) -> None:
        cursor.skip((self._width or 0) * rows)

    def skip_string(self, cursor: _Cursor, rows: int) -> None:
        cursor.skip_strings(rows)

    def skip_nullable(self, cursor: _Cursor, rows: int) -> None:
        cursor.skip(rows)
        self._parts[0].skip(cursor, rows)

    def skip_array(self, cursor: _Cursor, rows: int) -> None:
        if rows:
            cursor.skip(8 * (rows - 1))
            self._parts[0].skip(cursor, cursor.fixed())

    def skip_tuple(self, cursor: _Cursor, rows: int) -> None:
        for part in self._parts:
            part.skip(cursor, rows)
        if not self._parts:
            cursor.skip(rows)

    def skip_low_cardinality(self, cursor: _Cursor, rows: int) -> None:
        if not rows:
            return
        width = 1 << (cursor.fixed() & 0xFF)
        self._dictionary.skip(cursor, cursor.fixed())
        cursor.skip(cursor.fixed() * width)

    @property
    def _dictionary(self) -> "_Column":
        """What a LowCardinality column holds once: its values without NULL, which is the first of them."""
        kind = self._arguments[0]
        return _Column(kind.removeprefix("Nullable(").removesuffix(")") if kind.startswith("Nullable(") else kind)


def _composed(name: str, kind: str) -> "_Layout":
    layout = _COMPOSED.get(name)
    if layout is None:
        raise BadRequest(
            f"a column of type {kind[:80]} cannot be sent in native blocks of this client's version; "
            "convert it, for instance with toString or finalizeAggregation",
            _NOT_IMPLEMENTED,
        )
    return layout


def _width(name: str, arguments: list[str]) -> int | None:
    if name == "FixedString":
        return int(arguments[0])
    if name == "Decimal":
        return next(width for digits, width in _DIGITS_OF if int(arguments[0]) <= digits)
    return 8 if name.startswith("Interval") else _WIDTHS.get(name)


def _split(arguments: str) -> Iterator[str]:
    """A type's arguments, cut at the commas that stand in no bracket and no quotes."""
    depth = start = 0
    quote = ""
    skip = False
    for at, sign in enumerate(arguments):
        if skip:
            skip = False
        elif quote:
            skip = sign == "\\"
            quote = "" if sign == quote else quote
        elif sign in "'`":
            quote = sign
        elif sign == "," and not depth:
            yield arguments[start:at].strip()
            start = at + 1
        else:
            depth += {"(": 1, ")": -1}.get(sign, 0)
    if last := arguments[start:].strip():
        yield last


def _none(_: list[str]) -> list[str]:
    return []


def _all(arguments: list[str]) -> list[str]:
    return arguments


def _unnamed(arguments: list[str]) -> list[str]:
    """The types of a tuple whose elements may have names."""
    return [_NAMED.sub("", each, count=1) if _NAMED.match(each) else each for each in arguments]


_COMPOSED: Final[dict[str, "_Layout"]] = {
    "String": (_none, _Column.skip_string),
    "Nullable": (_all, _Column.skip_nullable),
    "Array": (_all, _Column.skip_array),
    "Tuple": (_unnamed, _Column.skip_tuple),
    "Map": (lambda arguments: [f"Tuple({', '.join(arguments)})"], _Column.skip_array),
    "Nested": (lambda arguments: [f"Tuple({', '.join(arguments)})"], _Column.skip_array),
    "SimpleAggregateFunction": (lambda arguments: arguments[1:], _Column.skip_tuple),
    "LowCardinality": (_none, _Column.skip_low_cardinality),
}
