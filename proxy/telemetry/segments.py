"""The names and folders of spool segments: files of JSON lines on their way to ClickHouse.

A segment is written under `open/`, renamed into `sealed/` when it will not grow any more, and deleted once
ClickHouse has its rows. Names sort by age: `<time of the first row>.<worker>.<number>.<table>.jsonl`.
"""

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import msgspec

from proxy.telemetry.rows import Table

OPEN: Final = "open"
SEALED: Final = "sealed"
REJECTED: Final = "rejected"

_NAME: Final = re.compile(r"(?P<first>\d{19})\.(?P<worker>[\w-]+)\.(?P<number>\d{8})\.(?P<table>\w+)\.jsonl")
_TABLES: Final = frozenset(table.value for table in Table)
_WORKER: Final = re.compile(r"[\w-]{1,64}")


class _Row(msgspec.Struct):
    """The column that every table's rows have."""

    operation_id: str


_DECODER: Final = msgspec.json.Decoder(_Row)


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentName:
    """What a segment's file name says; `first_ns` is when its first row was written, in ns since 1970."""

    first_ns: int
    worker: str
    number: int
    table: Table

    def __str__(self) -> str:
        return f"{self.first_ns:019d}.{self.worker}.{self.number:08d}.{self.table}.jsonl"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a file name; None when it is not a segment's."""
        match = _NAME.fullmatch(text)
        if match is None or match["table"] not in _TABLES:
            return None
        return cls(
            first_ns=int(match["first"]),
            worker=match["worker"],
            number=int(match["number"]),
            table=Table(match["table"]),
        )


def checked_worker(worker: str) -> str:
    """The worker's name if it can stand in a file name.

    Raises:
        ValueError: it holds anything but letters, digits, `_` and `-`.
    """
    if not _WORKER.fullmatch(worker):
        raise ValueError(f"worker name {worker!r} may hold letters, digits, _ and - only, at most 64")
    return worker


def segments_in(folder: Path) -> Iterator[tuple[SegmentName, os.DirEntry[str]]]:
    """The segments lying in one folder, in no order; a folder that is not there holds none."""
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        return
    with entries:
        for entry in entries:
            name = SegmentName.parse(entry.name)
            if name is not None:
                yield name, entry


def without(segment: Path, operations: Collection[str]) -> None:
    """Take the rows of some operations out of a segment that nobody writes to; whole or not at all."""
    kept = [line for line in segment.read_bytes().splitlines(keepends=True) if _operation_of(line) not in operations]
    draft = segment.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_bytes(b"".join(kept))
    os.replace(draft, segment)


def _operation_of(line: bytes) -> str:
    try:
        return _DECODER.decode(line).operation_id
    except msgspec.DecodeError:
        return ""


def forget_oldest(folder: Path, *, keep_bytes: int) -> int:
    """Delete the oldest segments of a folder until the others take at most so many bytes; how many rows those had."""
    kept = forgotten = 0
    for name, entry in sorted(segments_in(folder), key=lambda each: str(each[0]), reverse=True):
        kept += entry.stat().st_size
        if kept > keep_bytes:
            path = folder / str(name)
            forgotten += path.read_bytes().count(b"\n")
            path.unlink()
    return forgotten


def bytes_in(folder: Path) -> int:
    """How much room the segments in one folder take; files that vanish meanwhile count nothing."""
    total = 0
    for _, entry in segments_in(folder):
        try:
            total += entry.stat().st_size
        except FileNotFoundError:
            continue
    return total
