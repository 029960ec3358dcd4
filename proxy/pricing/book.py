"""The price book: the shipped entries, the operator's overlay before them, and how a model's price is found."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec

from proxy.pricing.card import Price
from proxy.pricing.entry import BookFile, Entry
from proxy.pricing.names import names_to_try
from proxy.pricing.overlay import BadPrices, OverlayEntry, read_overlay
from proxy.pricing.sanity import complaint_about_multiplier, complaint_about_rate
from proxy.pricing.settings import Adjustment, PricingSettings

_DAY_S: Final = 86_400
_MOST_FOUND: Final = 4096
_ONE: Final = Decimal(1)
_ZERO: Final = Decimal(0)
_decode: Final = msgspec.json.Decoder(BookFile).decode

Dated = tuple[tuple[str, Price], ...]
"""Prices of one model, the newest first, each with the ISO date it holds from ("" = always)."""


@lru_cache(maxsize=64)
def _day(at: datetime) -> int:
    return int(at.timestamp()) // _DAY_S


class Listed(NamedTuple):
    """An entry of the prices: where it stands, whose and which model's it is, and what its rates are multiplied by."""

    origin: Literal["book", "overlay", "assumed"]
    provider: str
    model: str
    entry: Entry
    multiplier: Decimal


class PriceBook:
    """An immutable set of prices. `version` is the short SHA-256 of all it was made from.

    `assumed` is the ceiling for models without a price, if the operator set one.
    """

    def __init__(
        self,
        version: str,
        files: Sequence[BookFile],
        overlay: Sequence[OverlayEntry] = (),
        adjustments: Sequence[Adjustment] = (),
        assumed: Price | None = None,
    ) -> None:
        self.version = version
        self.assumed = assumed
        self._files: Mapping[str, BookFile] = {file.provider: file for file in files}
        self._also = {file.provider: dict(_other_names(file)) for file in files}
        self._spellings = {file.provider: _spellings(file) for file in files}
        self._adjustments = tuple(adjustments)
        self._overlaid = tuple(overlay)
        self._overlay = _grouped(overlay)
        self._overlay_names = [(one.provider, name) for one in overlay for name in (one.model, *one.entry.also)]
        self._ready: dict[tuple[str, str], Dated] = {}
        self._found: dict[tuple[str, tuple[str, ...], int], Price | None] = {}

    def find(self, provider: str, models: Sequence[str], at: datetime) -> Price | None:
        """The price of the first of these names that has one at that time (aware).

        Pass the response's model before the requested one. The overlay is asked for all names before the book is. Names
        are tried as they are, without the provider's prefix, and without a date at their end. When nobody knows any:
        the assumed ceiling if the operator set one (source "assumed"), else None.
        """
        key = (provider, tuple(models), _day(at))
        try:
            return self._found[key]
        except KeyError:
            if len(self._found) >= _MOST_FOUND:
                self._found.clear()
            price = self._found[key] = self._find(provider, models, at)
            return price

    def _find(self, provider: str, models: Sequence[str], at: datetime) -> Price | None:
        on = at.astimezone(UTC).date().isoformat()
        file = self._files.get(provider)
        prefixes = file.name_prefixes if file else ()
        for name in _all_names(models, prefixes) if self._overlay else ():
            for key in ((provider, name), ("", name)):
                found = _current(self._overlay.get(key, ()), on)
                if found is not None:
                    return found
        if file is not None:
            for name in _all_names(models, prefixes):
                found = _current(self._book_prices(file, name), on) or _free(file, name)
                if found is not None:
                    return found
        return self.assumed

    def names(self, provider: str) -> list[str]:
        """Every model name with a price at a provider, the overlay's first; not the ones a rule would find."""
        of_overlay = [name for to, name in self._overlay_names if to in ("", provider)]
        return list(dict.fromkeys([*of_overlay, *self._spellings.get(provider, ())]))

    def entries(self) -> Iterator[tuple[str, str, Entry]]:
        """Every entry of the shipped book: provider, model, data."""
        for file in self._files.values():
            for model, dated in file.models.items():
                for entry in dated:
                    yield file.provider, model, entry

    def listed(self) -> Iterator[Listed]:
        """Every entry that a price can come from, the operator's own first."""
        for one in self._overlaid:
            yield Listed("overlay", one.provider, one.model, one.entry, _ONE)
        if self.assumed is not None:
            yield Listed("assumed", "", "", self.assumed.written, _ONE)
        for provider, model, entry in self.entries():
            yield Listed("book", provider, model, entry, self._adjustment(provider, model))

    def _book_prices(self, file: BookFile, name: str) -> Dated:
        model = self._also[file.provider].get(name)
        if model is None:
            return ()
        key = (file.provider, model)
        ready = self._ready.get(key)
        if ready is None:
            ready = self._ready[key] = self._prepare(file, model)
        return ready

    def _prepare(self, file: BookFile, model: str) -> Dated:
        factor = self._adjustment(file.provider, model)
        source = f"book:{file.provider} {file.as_of.isoformat()}"
        prices = []
        for entry in file.models[model]:
            if file.tool_fees_usd_per_1k_calls:
                fees = {**file.tool_fees_usd_per_1k_calls, **entry.tool_fees_usd_per_1k_calls}
                entry = msgspec.structs.replace(entry, tool_fees_usd_per_1k_calls=fees)
            since = entry.since.isoformat() if entry.since else ""
            shown = f"{file.provider}/{model}{'@' if since else ''}{since}"
            prices.append((since, Price(shown, source, entry, factor)))
        return tuple(sorted(prices, key=lambda dated: dated[0], reverse=True))

    def _adjustment(self, provider: str, model: str) -> Decimal:
        for adjustment in self._adjustments:
            if fnmatchcase(provider, adjustment.provider) and fnmatchcase(model, adjustment.model):
                return adjustment.multiplier
        return _ONE


def load_book(settings: PricingSettings) -> PriceBook:
    """Read the shipped book and the overlay; call it again to reload.

    Raises:
        BadPrices: the overlay or a setting is not usable; it lists everything that is wrong.
    """
    complaints = list(_wrong_settings(settings))
    text = b""
    entries: tuple[OverlayEntry, ...] = ()
    if settings.overlay is not None:
        text, entries = _overlay_of(settings.overlay, complaints)
    if complaints:
        raise BadPrices(complaints)
    contents = shipped_files()
    digest = hashlib.sha256(repr((settings.assume_usd_per_mtok, settings.adjustments)).encode())
    for content in (*contents, text):
        digest.update(hashlib.sha256(content).digest())
    files = [_file_of(content) for content in contents]
    return PriceBook(digest.hexdigest()[:12], files, entries, settings.adjustments, _assumed(settings))


@lru_cache(maxsize=64)
def _file_of(content: bytes) -> BookFile:
    """A shipped file, read once a process: checking a configuration and each reload make a book of the same ones."""
    return _decode(content)


def shipped_files() -> list[bytes]:
    """The contents of the shipped book, one per provider, in the order of their names."""
    folder = resources.files("proxy.pricing") / "book"
    return [file.read_bytes() for file in sorted(folder.iterdir(), key=lambda f: f.name) if file.name.endswith(".json")]


def _overlay_of(path: Path, complaints: list[str]) -> tuple[bytes, tuple[OverlayEntry, ...]]:
    try:
        text = path.read_bytes()
        return text, read_overlay(text, path.name)
    except OSError as error:
        complaints.append(f"prices.overlay: {path} cannot be read: {error.strerror}")
    except BadPrices as bad:
        complaints.extend(bad.complaints)
    return b"", ()


def _wrong_settings(settings: PricingSettings) -> Iterator[str]:
    assumed = settings.assume_usd_per_mtok
    if assumed is not None:
        for side, rate in (("input", assumed.input), ("output", assumed.output)):
            complaint = complaint_about_rate(rate)
            if complaint:
                yield f"prices.assume_usd_per_mtok.{side}: {complaint}"
    for number, adjustment in enumerate(settings.adjustments):
        complaint = complaint_about_multiplier(adjustment.multiplier)
        if complaint:
            yield f"prices.adjustments[{number}].multiplier: {complaint}"


def _assumed(settings: PricingSettings) -> Price | None:
    rates = settings.assume_usd_per_mtok
    if rates is None:
        return None
    return Price("assumed", "assumed", Entry(input_usd_per_mtok=rates.input, output_usd_per_mtok=rates.output))


def _all_names(models: Sequence[str], prefixes: Sequence[str]) -> Iterator[str]:
    for model in models:
        if model:
            yield from names_to_try(model, prefixes)


def _current(dated: Dated, on: str) -> Price | None:
    return next((price for since, price in dated if since <= on), None)


def _free(file: BookFile, name: str) -> Price | None:
    """A name that ends in the provider's mark of a free variant costs nothing, and says so."""
    if not file.free_suffix or not name.endswith(file.free_suffix):
        return None
    data = Entry(input_usd_per_mtok=_ZERO, output_usd_per_mtok=_ZERO)
    return Price(f"{file.provider}/*{file.free_suffix}", f"book:{file.provider} {file.as_of.isoformat()}", data)


def _spellings(file: BookFile) -> list[str]:
    return [name for model, dated in file.models.items() for name in (model, *(o for e in dated for o in e.also))]


def _other_names(file: BookFile) -> Iterator[tuple[str, str]]:
    for model, dated in file.models.items():
        yield model.lower(), model
        for entry in dated:
            for other in entry.also:
                yield other.lower(), model


def _grouped(overlay: Sequence[OverlayEntry]) -> Mapping[tuple[str, str], Dated]:
    grouped: dict[tuple[str, str], list[tuple[str, Price]]] = {}
    for one in overlay:
        since = one.entry.since.isoformat() if one.entry.since else ""
        shown = f"{one.provider or '*'}/{one.model}{'@' if since else ''}{since}"
        priced = Price(shown, "overlay" + (f":{one.entry.source}" if one.entry.source else ""), one.entry)
        for name in (one.model, *one.entry.also):
            grouped.setdefault((one.provider, name.lower()), []).append((since, priced))
    return {key: tuple(sorted(dated, key=lambda d: d[0], reverse=True)) for key, dated in grouped.items()}
