"""The worker's side of telemetry: rows go to disk before money is settled, and never wait for ClickHouse.

A row is in the kernel before `append` returns, so it survives the death of the process (not of the machine).
A segment of operations is sealed only when each operation in it was reported settled: what lies under
`open/` of a dead worker is exactly what may still have to be settled.

A full or broken disk never stops serving. When the spool is at its bound, attempts, decisions and calls of tools are
shed first (at nine tenths of it), then everything new; the oldest rows are kept. Each loss is counted by its reason.
"""

import logging
import os
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from proxy.core.clock import Clock, SystemClock
from proxy.telemetry.rows import OperationRow, Row, Table, encode
from proxy.telemetry.segments import OPEN, SEALED, SegmentName, bytes_in, checked_worker, without
from proxy.telemetry.settings import TelemetrySettings

_LOG: Final = logging.getLogger(__name__)
_NEVER: Final = -(1 << 62)
_MEASURE_EVERY_NS: Final = 5_000_000_000
_COMPLAIN_EVERY_NS: Final = 60_000_000_000
_RETRY_OPEN_NS: Final = 1_000_000_000

DropReason = Literal["full", "disk"]
SHED_FIRST: Final = frozenset({Table.ATTEMPTS, Table.DECISIONS, Table.TOOL_CALLS})
_OPERATIONS: Final = Table.OPERATIONS


@dataclass(slots=True)
class _Segment:
    """One file being written, or waiting for its last operation to be settled."""

    name: SegmentName
    fd: int
    born_ns: int
    size: int = 0
    rows: int = 0
    unsettled: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)


class Spool:
    """One worker's open segments: at most one per table is written to. Not safe for threads: one event loop owns it."""

    def __init__(
        self, folder: Path, worker: str, *, settings: TelemetrySettings | None = None, clock: Clock | None = None
    ) -> None:
        """`folder` is the spool shared by all workers of the host; `worker` is unique among the live ones."""
        self._folder = folder
        self._worker = checked_worker(worker)
        self._settings = settings or TelemetrySettings()
        self._clock = clock or SystemClock()
        self._open: dict[Table, _Segment] = {}
        self._waiting: list[_Segment] = []
        self._number = 0
        self._bound = self._settings.spool_mb * 1024 * 1024
        self._used = 0
        self._measuring = threading.Thread()
        self._measure_at_ns = self._complained_ns = self._failed_ns = _NEVER
        self.dropped: Counter[tuple[str, DropReason]] = Counter()
        """Rows lost, by table and reason."""
        self.is_losing = False
        """Whether the latest row was lost."""
        self.written = 0
        """Rows written since the start."""

    @property
    def unsettled(self) -> int:
        """Operations recorded and not yet reported settled."""
        segments = [*self._waiting, *self._open.values()]
        return sum(len(segment.unsettled) for segment in segments)

    def append(self, table: Table | Literal["operations", "attempts", "decisions"], row: Row) -> None:
        """Write one row; it is with the kernel when this returns, or counted as dropped. Never raises for the disk."""
        if not isinstance(table, Table):
            table = Table(table)
        segment = self._open.get(table) or self._start(table)
        if segment is not None and isinstance(row, OperationRow):
            row.segment = segment.name.first_ns
        line = encode(row)
        if self._used + len(line) > (self._bound * 9 // 10 if table in SHED_FIRST else self._bound):
            self._drop(table, "full", "the spool is at its bound")
            return
        if segment is None or not self._write(segment, line):
            self._drop(table, "disk", f"the spool {self._folder} cannot be written")
            return
        segment.size += len(line)
        segment.rows += 1
        self._used += len(line)
        self.written += 1
        self.is_losing = False
        if isinstance(row, OperationRow):
            segment.unsettled.add(row.operation_id)
        if segment.size >= self._settings.seal_bytes:
            self._retire(table)

    def settled(self, operation: str) -> None:
        """The money of this operation is settled: nothing about it depends on its row any more."""
        segment = self._open.get(_OPERATIONS)
        if segment is not None:
            segment.unsettled.discard(operation)
        for waiting in [each for each in self._waiting if operation in each.unsettled]:
            waiting.unsettled.discard(operation)
            if not waiting.unsettled:
                self._waiting.remove(waiting)
                self._seal(waiting)

    def withdraw(self, operation: str) -> None:
        """Another host has written the rows of this operation, since it settled it as lost: ours go no further.

        What policy decided for it stays: that was asked here only.
        """
        for segment in (*self._waiting, *self._open.values()):
            if segment.name.table is not Table.DECISIONS:
                segment.withdrawn.add(operation)
        self.settled(operation)

    def seal_due(self) -> None:
        """Close the segments that are old enough; called by a timer of the worker, a few times a second."""
        now = self._clock.monotonic_ns()
        for table, segment in list(self._open.items()):
            if now - segment.born_ns >= self._settings.seal_after_ms * 1_000_000:
                self._retire(table)
        for segment in [each for each in self._waiting if not each.unsettled]:
            self._waiting.remove(segment)
            self._seal(segment)
        if now >= self._measure_at_ns and not self._measuring.is_alive():
            # In a thread, because days without ClickHouse leave very many files. A row written meanwhile may be
            # missing from the sum until the next time; the bound is not that sharp.
            self._measuring = threading.Thread(target=self.measure, name="spool-measure", daemon=True)
            self._measuring.start()

    def measure(self) -> None:
        """Look at what the whole spool holds: the collector deletes, others write. Slow with many files."""
        began = self._clock.monotonic_ns()
        try:
            self._used = bytes_in(self._folder / SEALED) + bytes_in(self._folder / OPEN)
        except OSError as why:
            _LOG.warning("the spool cannot be measured: %s", why)
        ended = self._clock.monotonic_ns()
        self._measure_at_ns = ended + max(_MEASURE_EVERY_NS, 50 * (ended - began))

    def close(self) -> None:
        """Seal what is settled. After a clean stop that is everything; what the ledger was away for stays open, so
        that it is found and settled, not taken for lost, at the next start."""
        segments = [*self._waiting, *self._open.values()]
        self._waiting.clear()
        self._open.clear()
        for segment in segments:
            if segment.unsettled:
                os.close(segment.fd)
            else:
                self._seal(segment)

    def _start(self, table: Table) -> _Segment | None:
        now = self._clock.monotonic_ns()
        if now - self._failed_ns < _RETRY_OPEN_NS:
            return None
        self._number += 1
        name = SegmentName(first_ns=self._clock.now_ns(), worker=self._worker, number=self._number, table=table)
        try:
            for part in (OPEN, SEALED):
                (self._folder / part).mkdir(parents=True, exist_ok=True)
            flags = os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC
            fd = os.open(self._folder / OPEN / str(name), flags, 0o600)
        except OSError:
            self._failed_ns = now
            return None
        segment = self._open[table] = _Segment(name, fd, now)
        return segment

    def _write(self, segment: _Segment, line: bytes) -> bool:
        """Append whole lines only: half a line would join the next one, so it is cut off again."""
        try:
            if os.write(segment.fd, line) == len(line):
                return True
            os.ftruncate(segment.fd, segment.size)
        except OSError:
            return False
        return False

    def _retire(self, table: Table) -> None:
        """Stop writing to a table's segment; it is sealed now or with its last settled operation."""
        segment = self._open.pop(table)
        if segment.unsettled:
            self._waiting.append(segment)
        else:
            self._seal(segment)

    def _seal(self, segment: _Segment) -> None:
        os.close(segment.fd)
        source = self._folder / OPEN / str(segment.name)
        try:
            if segment.withdrawn:
                without(source, segment.withdrawn)
                segment.rows = source.stat().st_size
            if segment.rows:
                source.rename(self._folder / SEALED / str(segment.name))
            else:
                source.unlink()
        except OSError as why:
            # It stays under open/ and is found there by salvage at the next start.
            self._complain(f"segment {segment.name} cannot be sealed: {why}")

    def _drop(self, table: Table, reason: DropReason, why: str) -> None:
        self.dropped[table, reason] += 1
        self.is_losing = True
        self._complain(f"telemetry rows are being lost: {why}; so far {self.dropped.total()} rows")

    def _complain(self, what: str) -> None:
        now = self._clock.monotonic_ns()
        if now - self._complained_ns >= _COMPLAIN_EVERY_NS:
            self._complained_ns = now
            _LOG.error("%s", what)
