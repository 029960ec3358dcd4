"""The operator's own prices: YAML with the book's fields, money read from its literal text, every error at once.

    models:
      my-model: {input_usd_per_mtok: 10, output_usd_per_mtok: 100, since: 2026-01-01, source: contract}

A model may also be a list of such entries with several `since` dates. `provider` binds an entry to one provider.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Final, TypeVar

import msgspec
import yaml

from proxy.core.usage import ToolFee
from proxy.pricing.card import minute_of_day
from proxy.pricing.entry import RATE_FIELDS, ContextTier, Entry, OffPeak, ServiceTier, Window
from proxy.pricing.sanity import (
    complaint_about_fee,
    complaint_about_multiplier,
    complaint_about_rate,
    complaint_about_unit,
)

_S = TypeVar("_S", bound=msgspec.Struct)
_T = TypeVar("_T")
_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOST_TOKENS: Final = 10**9
_REQUIRED: Final = ("input_usd_per_mtok", "output_usd_per_mtok")


class BadPrices(ValueError):
    """Prices that cannot be used; `complaints` are all there are, each with its place."""

    def __init__(self, complaints: Sequence[str]) -> None:
        self.complaints = tuple(complaints)
        super().__init__("\n".join(complaints))


@dataclass(frozen=True, kw_only=True, slots=True)
class OverlayEntry:
    """One entry of an overlay; an empty provider means any."""

    provider: str
    model: str
    entry: Entry


class _Wrong(Exception):
    """A scalar that does not say what its field needs."""


def read_overlay(text: bytes, name: str) -> tuple[OverlayEntry, ...]:
    """Read an overlay; `name` is the file's name in complaints.

    Raises:
        BadPrices: with every complaint.
    """
    try:
        root = yaml.compose(text, Loader=_Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadPrices([f"{name}: not YAML: {' '.join(str(error).split())}"]) from None
    reader = _Reader(name)
    entries = tuple(reader.overlay(root)) if root is not None else ()
    if reader.complaints:
        raise BadPrices(reader.complaints)
    return entries


class _Reader:
    """Walks an overlay's nodes and keeps what it complains of; `place` is the path of keys to a node."""

    def __init__(self, name: str) -> None:
        self.complaints: list[str] = []
        self._name = name

    def overlay(self, root: yaml.Node) -> Iterator[OverlayEntry]:
        for key, node in self._fields(root, ""):
            if key != "models":
                self._complain(node, key, "unknown key; an overlay has `models`")
                continue
            for model, dated in self._fields(node, key):
                place = f"models.{model}"
                for one in dated.value if isinstance(dated, yaml.SequenceNode) else [dated]:
                    yield from self._entry(model, one, place)

    def _entry(self, model: str, node: yaml.Node, place: str) -> Iterator[OverlayEntry]:
        values = self._values(Entry, node, place, extra=("provider",))
        provider = values.pop("provider", "")
        for name in _REQUIRED:
            if name not in values and isinstance(node, yaml.MappingNode) and not self._has(node, name):
                self._complain(node, place, f"{name} is missing (0 if it is free)")
        if not self.complaints:
            entry = Entry(**values)  # type: ignore[arg-type]  # read by field name above
            entry.context.sort(key=lambda tier: tier.above_tokens)
            yield OverlayEntry(provider=str(provider), model=model, entry=entry)

    def _values(
        self, shape: type[msgspec.Struct], node: yaml.Node, place: str, extra: tuple[str, ...] = ()
    ) -> dict[str, object]:
        """The fields of a mapping, each read as its name says."""
        known = (*shape.__struct_fields__, *extra)
        values: dict[str, object] = {}
        for key, value in self._fields(node, place):
            where = f"{place}.{key}"
            if key not in known:
                near = get_close_matches(key, known, n=1)
                self._complain(value, where, f"unknown key{f'; did you mean {near[0]}?' if near else ''}")
                continue
            before = len(self.complaints)
            read = self._value(key, value, where)
            if len(self.complaints) == before:
                values[key] = read
        return values

    def _value(self, key: str, node: yaml.Node, place: str) -> object:
        if key in _SCALARS:
            return self._scalar(node, place, _SCALARS[key])
        if key in _LISTS:
            return [self._scalar(one, place, _LISTS[key]) for one in self._items(node, place)]
        if key in _SCALAR_MAPS:
            name_of, value_of = _SCALAR_MAPS[key]
            return {
                self._named(name_of, name, one, f"{place}.{name}"): self._scalar(one, f"{place}.{name}", value_of)
                for name, one in self._fields(node, place)
            }
        if key in ("context", "windows"):
            shape: type[ContextTier | Window] = ContextTier if key == "context" else Window
            return [self._struct(shape, one, place) for one in self._items(node, place)]
        if key == "service_tiers":
            return {name: self._struct(ServiceTier, one, f"{place}.{name}") for name, one in self._fields(node, place)}
        return self._struct(OffPeak, node, place)

    def _struct(self, shape: type[_S], node: yaml.Node, place: str) -> _S | None:
        values = self._values(shape, node, place)
        missing = [field.name for field in msgspec.structs.fields(shape) if field.required and field.name not in values]
        if missing and isinstance(node, yaml.MappingNode):
            for name in missing:
                if not self._has(node, name):
                    self._complain(node, place, f"{name} is missing")
        return None if missing else shape(**values)

    def _named(self, name_of: Callable[[str], _T], name: str, node: yaml.Node, place: str) -> _T | None:
        try:
            return name_of(name)
        except _Wrong as wrong:
            self._complain(node, place, str(wrong))
            return None

    def _scalar(self, node: yaml.Node, place: str, read: Callable[[str], _T]) -> _T | None:
        if not isinstance(node, yaml.ScalarNode):
            self._complain(node, place, "must be a single value")
            return None
        return self._named(read, node.value, node, place)

    def _items(self, node: yaml.Node, place: str) -> list[yaml.Node]:
        if isinstance(node, yaml.SequenceNode):
            return list(node.value)
        self._complain(node, place, "must be a list")
        return []

    def _fields(self, node: yaml.Node, place: str) -> Iterator[tuple[str, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            self._complain(node, place, "must be a mapping")
            return
        seen: set[str] = set()
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            if name in seen:
                self._complain(key, f"{place}.{name}".lstrip("."), "stands here twice")
            seen.add(name)
            yield name, value

    def _has(self, node: yaml.MappingNode, name: str) -> bool:
        return any(key.value == name for key, _ in node.value)

    def _complain(self, node: yaml.Node, place: str, text: str) -> None:
        self.complaints.append(f"{self._name}:{node.start_mark.line + 1}: {place or 'the file'}: {text}")


def _number(complaint: Callable[[Decimal], str | None]) -> Callable[[str], Decimal]:
    def read(text: str) -> Decimal:
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise _Wrong(f"{text!r} is not a number") from None
        wrong = complaint(number)
        if wrong:
            raise _Wrong(wrong)
        return number

    return read


def _text(text: str) -> str:
    return text


def _tokens(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text[:12]) > _MOST_TOKENS:
        raise _Wrong(f"{text!r} is not a number of tokens")
    return int(text)


def _day(text: str) -> int:
    if text not in {"1", "2", "3", "4", "5", "6", "7"}:
        raise _Wrong(f"{text!r} is not a day of the week from 1 (Monday) to 7")
    return int(text)


def _hours(text: str) -> str:
    start, _, end = text.partition("-")
    try:
        if minute_of_day(start) >= minute_of_day(end):
            raise _Wrong(f"{text!r} ends before it starts; split it at 24:00")
    except ValueError:
        raise _Wrong(f"{text!r} are not hours like 10:30-24:00") from None
    return text


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _Wrong(f"{text!r} is not a date like 2026-01-31") from None


def _tool(text: str) -> ToolFee:
    try:
        return ToolFee(text)
    except ValueError:
        raise _Wrong(f"no tool of that name; known are {', '.join(ToolFee)}") from None


_rate: Final = _number(complaint_about_rate)
_multiplier: Final = _number(complaint_about_multiplier)
_SCALARS: Final[Mapping[str, Callable[[str], object]]] = {
    **dict.fromkeys(RATE_FIELDS.values(), _rate),
    "multiplier": _multiplier,
    "since": _date,
    "source": _text,
    "note": _text,
    "provider": _text,
    "above_tokens": _tokens,
    "max_input_tokens": _tokens,
    "max_output_tokens": _tokens,
    "second_usd": _number(complaint_about_unit),
    "character_usd_per_million": _rate,
    "call_usd_per_1k": _number(complaint_about_fee),
}
_LISTS: Final[Mapping[str, Callable[[str], object]]] = {"also": _text, "days": _day, "hours_utc": _hours}
_SCALAR_MAPS: Final[Mapping[str, tuple[Callable[[str], object], Callable[[str], object]]]] = {
    "regions": (_text, _multiplier),
    "image_usd": (_text, _number(complaint_about_unit)),
    "tool_fees_usd_per_1k_calls": (_tool, _number(complaint_about_fee)),
}
