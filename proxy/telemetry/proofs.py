"""What was shipped can be proven later: a digest of each segment of operations, chained to the one before it.

A digest covers what a row says of who, when, what and how much. Not covered: measured times (ClickHouse keeps them
as 32-bit floats), and what may be taken out of a row later because it tells of a person.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from hashlib import sha256
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import msgspec

from proxy.core.chain import GENESIS
from proxy.core.chain import link as chained
from proxy.core.clock import SystemClock, stamp
from proxy.core.ids import new_id
from proxy.core.money import exact_usd
from proxy.telemetry.parcels import Parcel
from proxy.telemetry.rows import OperationRow, SegmentRow, Table
from proxy.telemetry.segments import SEALED, SegmentName
from proxy.telemetry.settings import TelemetrySettings
from proxy.telemetry.spool import Spool

PROVEN: Final = (
    *("operation_id", "charged_at", "finished_at", "org", "team", "key_id", "key_name", "cost_center", "owner"),
    *("endpoint", "streamed", "requested_model", "model", "provider", "route", "outcome", "code", "refused_by"),
    *("would_code", "would_by", "clamped_to", "status", "attempts", "finish_reason", "tool_calls", "usage_source"),
    *("input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "output_tokens"),
    *("reasoning_tokens", "audio_input_tokens", "audio_output_tokens", "image_input_tokens", "image_output_tokens"),
    *("service_tier", "price_version", "price_source", "policy_revision", "decision", "config_generation", "worker"),
)
"""Columns that a digest covers as they are; money is covered beside them, in nano-dollars."""
MONEY: Final = ("cost_usd", "list_usd", "stated_usd", "held_usd", "overrun_usd")
FLUSH_S: Final = 10.0
MOST_PENDING: Final = 500
CHAIN_FILE: Final = "chain.json"
_Said: Final = msgspec.defstruct(
    "_Said",
    [
        (field.name, field.type) if field.default is msgspec.NODEFAULT else (field.name, field.type, field.default)
        for field in msgspec.structs.fields(OperationRow)
        if field.name in (*PROVEN, *MONEY)
    ],
    kw_only=True,
)
"""What a digest covers of a row: a line of the spool is read in a third of the time that the whole row takes."""
_DECODER: Final = msgspec.json.Decoder(_Said)
_encode: Final = msgspec.json.Encoder().encode
_proven: Final[Callable[[msgspec.Struct], tuple[Any, ...]]] = attrgetter(*PROVEN)
_money: Final[Callable[[msgspec.Struct], tuple[str | None, ...]]] = attrgetter(*MONEY)


def digest_of(rows: Iterable[msgspec.Struct]) -> str:
    """The digest of a segment's rows, in whatever order they come."""
    return sha256(b"".join(sorted(map(_digest, rows)))).hexdigest()


def hash_of_segment(row: SegmentRow) -> str:
    """What the hash of a link must be."""
    return chained(
        row.previous, (row.spool, row.number, row.shipped_at, row.segment, row.first_ns, row.rows, row.digest)
    )


def head_of_segments(spool: Path) -> tuple[str, int, str] | None:
    """The name of a spool, and number and hash of the last link that is on its way; None where there is none."""
    try:
        said = msgspec.json.decode((spool / CHAIN_FILE).read_bytes())
        number, own = said["number"], said["hash"]
        if pending := said["pending"]:
            number, own = pending[0]["number"] - 1, pending[0]["previous"]
        return (said["spool"], number, own) if number else None
    except (OSError, msgspec.DecodeError, KeyError, TypeError):
        return None


def _digest(row: msgspec.Struct) -> bytes:
    said = [*_proven(row), *(None if usd is None else _nano(usd) for usd in _money(row))]
    return sha256(_encode(said)).digest()


@lru_cache(maxsize=64)
def _nano(usd: str) -> int:
    """Nano-dollars; with nine digits after the point, as workers write them, without a Decimal."""
    digits = usd[:-10] + usd[-9:]
    return int(digits) if usd[-10:-9] == "." and digits.isascii() and digits.isdecimal() else exact_usd(usd)


class Seals:
    """Makes a link of each segment of operations that ClickHouse has taken; for threads, one at a time.

    `<spool>/chain.json` has the head, and the links that are not on their way yet: a collector that is killed spools
    them again, and a link that comes twice is one. Once the segment is gone from the spool its link is written down.
    """

    def __init__(self, spool: Path, settings: TelemetrySettings) -> None:
        self._spool = spool
        self._settings = settings
        self._file = spool / CHAIN_FILE
        self._lock = threading.Lock()
        self._flushed = time.monotonic()
        self._name, self._number, self._hash, self._pending = self._read()

    def seal(self, parcel: Parcel) -> None:
        """Make the links of a parcel that was shipped and is still there."""
        with self._lock:
            for name in parcel.segments:
                try:
                    content = (self._spool / SEALED / str(name)).read_bytes()
                except FileNotFoundError:
                    continue  # an earlier life shipped it, linked it and tidied it away
                self._link(name, content)
            self._write()
        if len(self._pending) >= MOST_PENDING:
            self.flush(now=True)

    def flush(self, *, now: bool = False) -> None:
        """Spool the links there are, every ten seconds or now."""
        with self._lock:
            if not self._pending or not (now or time.monotonic() - self._flushed >= FLUSH_S):
                return
            self._flushed = time.monotonic()
            spool = Spool(self._spool, self._name, settings=self._settings)
            for row in self._pending:
                spool.append(Table.SEGMENTS, row)
            spool.close()
            if not spool.dropped:
                self._pending = []
                self._write()

    def _link(self, name: SegmentName, content: bytes) -> None:
        rows = [row for line in content.splitlines() if (row := _decoded(line)) is not None]
        self._number += 1
        link = SegmentRow(
            spool=self._name,
            number=self._number,
            shipped_at=stamp(SystemClock().now_ns()),
            segment=str(name),
            first_ns=name.first_ns,
            rows=len(rows),
            digest=digest_of(rows),
            previous=self._hash,
            hash="",
        )
        link.hash = self._hash = hash_of_segment(link)
        self._pending.append(link)

    def _read(self) -> tuple[str, int, str, list[SegmentRow]]:
        try:
            said = msgspec.json.decode(self._file.read_bytes())
            pending = msgspec.convert(said["pending"], list[SegmentRow])
            return said["spool"], said["number"], said["hash"], pending
        except (OSError, msgspec.MsgspecError, KeyError, TypeError):
            return new_id("spl"), 0, GENESIS, []

    def _write(self) -> None:
        draft = self._file.with_suffix(".draft")
        said = {"spool": self._name, "number": self._number, "hash": self._hash, "pending": self._pending}
        draft.write_bytes(msgspec.json.encode(said))
        os.replace(draft, self._file)


def _decoded(line: bytes) -> msgspec.Struct | None:
    try:
        return _DECODER.decode(line)
    except msgspec.DecodeError:
        return None  # ClickHouse does not take such a segment
