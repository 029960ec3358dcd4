"""The prices that are used, told to the telemetry store entry by entry, once for each version of them."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from proxy.core.clock import Clock, stamp
from proxy.pricing import PriceBook
from proxy.telemetry import PriceRow, Spool, Table

RATES: Final = tuple(name for name in PriceRow.__struct_fields__ if name.endswith("_usd_per_mtok"))
_IN_COLUMNS: Final = frozenset({"since", "source", "also", *RATES})


class PricePost:
    """Spools the rows of a version that this host has not told that store of; told twice they count once."""

    def __init__(self, spool: Callable[[], Spool], mark: Path, store: str, clock: Clock) -> None:
        """`spool` opens one for one writing; `mark` is the file that keeps what was told last, and to which store."""
        self._spool = spool
        self._mark = mark
        self._store = store
        self._clock = clock

    def tell(self, book: PriceBook) -> None:
        """Spool what is new. For a thread: a book has over a thousand entries."""
        told = {"store": self._store, "version": book.version}
        if self._told() == told:
            return
        spool = self._spool()
        for row in _rows(book, stamp(self._clock.now_ns())):
            spool.append(Table.PRICE_BOOK, row)
        spool.close()
        if not spool.dropped:  # else the disk is full or broken, and says so itself: the next start tells it
            draft = self._mark.with_suffix(".draft")
            draft.write_text(json.dumps(told))
            os.replace(draft, self._mark)

    def _told(self) -> object:
        try:
            return json.loads(self._mark.read_text())
        except (OSError, ValueError):
            return None


def _rows(book: PriceBook, now: str) -> Iterator[PriceRow]:
    for each in book.listed():
        entry = each.entry
        row = PriceRow(
            told_at=now,
            version=book.version,
            origin=each.origin,
            provider=each.provider,
            model=each.model,
            since=entry.since.isoformat() if entry.since else "",
            also=entry.also,
            source=entry.source,
            multiplier=f"{each.multiplier:f}",
        )
        for name in RATES:
            rate = getattr(entry, name)
            setattr(row, name, None if rate is None else f"{rate:f}")
        more = {name: value for name, value in msgspec.to_builtins(entry).items() if name not in _IN_COLUMNS}
        row.more = json.dumps(more, sort_keys=True) if more else ""
        yield row
