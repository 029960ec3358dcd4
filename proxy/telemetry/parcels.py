"""What is sent in one insert: a segment, or all that wait.

An insert costs the same for each rollup that it feeds, however few rows it brings, and makes a part in each; after
hours without ClickHouse thousands of small segments wait. So what waits of a table, be it two segments of two workers,
is bound into lists. A list is written down before it is sent
and goes out under one token until it is through, so that a restart sends the same again and never a segment twice:

    <list>.list  → sent → renamed to <list>.done → its segments deleted → <list>.done deleted

A segment that goes alone is noted before it is sent, in `singly.json`: ClickHouse may have it although nobody heard so,
and in a list, under another token, its rows would stand there twice.
"""

import contextlib
import heapq
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from proxy.telemetry.rows import Table
from proxy.telemetry.segments import SEALED, SegmentName, segments_in

_LOG: Final = logging.getLogger(__name__)
LISTS: Final = "lists"
SINGLY_FILE: Final = "singly.json"
_LOOK_AT: Final = 4096
_TOGETHER: Final = 2
_FEW: Final = 16
_MOST_SEGMENTS: Final = 256
_MOST_BYTES: Final = 24 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Parcel:
    """The segments of one insert; `key` is what ClickHouse knows it by, and its list's file name if it has one."""

    key: str
    table: Table
    segments: tuple[SegmentName, ...]
    listed: bool = False

    @property
    def token(self) -> str:
        """The deduplication token."""
        return f"{self.key}/{self.table}"


@dataclass(slots=True)
class Backlog:
    """What lies sealed: how many segments, and when the first row of the oldest was written (ns; None = nothing)."""

    segments: int = 0
    oldest_ns: int | None = None


class Parcels:
    """Makes parcels of the sealed segments of one spool; does file work, so it belongs in a thread."""

    def __init__(self, spool: Path) -> None:
        """Also ends what an earlier life had sent and not yet tidied up."""
        self._sealed = spool / SEALED
        self._lists = spool / LISTS
        self._singly = spool / SINGLY_FILE
        self._listed: dict[str, Parcel] = {}
        self._alone = self._noted()
        self.backlog = Backlog()
        for path in sorted(self._lists.glob("*.done")):
            self._tidy(_read(path), path)
        for path in sorted(self._lists.glob("*.list")):
            parcel = _read(path)
            if parcel is not None:
                self._listed[parcel.key] = parcel

    def due(self, waits: Callable[[str], bool]) -> list[Parcel]:
        """What to send now, oldest first; `waits` tells the keys whose time has not come."""
        self._bind(self._loose(waits))
        loose = self._loose(waits)
        self._note(loose)
        singles = (_single(name) for name in loose)
        lists = (parcel for parcel in self._listed.values() if not waits(parcel.key))
        return sorted([*lists, *singles], key=lambda parcel: str(parcel.segments[0]))

    def content(self, parcel: Parcel) -> bytes:
        """The rows of a parcel. A segment that is gone leaves its rows out: the token still stands for all of them."""
        return b"".join(self._contents(parcel))

    def done(self, parcel: Parcel) -> None:
        """ClickHouse has it: delete its segments."""
        if parcel.listed:
            path = self._path(parcel, "list").rename(self._path(parcel, "done"))
            self._listed.pop(parcel.key, None)
            self._tidy(parcel, path)
        else:
            self._alone.discard(parcel.segments[0])
            (self._sealed / str(parcel.segments[0])).unlink(missing_ok=True)

    def break_up(self, parcel: Parcel) -> None:
        """ClickHouse refused a list for its content, and has nothing of it: look for the bad segment in its halves.

        Few segments go singly, so that at last only the bad one is refused.
        """
        self._listed.pop(parcel.key, None)
        if len(parcel.segments) <= _FEW:
            self._note(parcel.segments)
        self._path(parcel, "list").unlink(missing_ok=True)
        if len(parcel.segments) > _FEW:
            middle = len(parcel.segments) // 2
            self._write_list(parcel.table, parcel.segments[:middle])
            self._write_list(parcel.table, parcel.segments[middle:])

    def put_aside(self, parcel: Parcel, folder: Path) -> None:
        """Move a single segment that ClickHouse will never take out of the way."""
        (name,) = parcel.segments
        self._alone.discard(name)
        folder.mkdir(exist_ok=True)
        (self._sealed / str(name)).rename(folder / str(name))

    def _loose(self, waits: Callable[[str], bool]) -> list[SegmentName]:
        """The oldest segments in no list, at most so many that their names take little memory."""
        bound = {name for parcel in self._listed.values() for name in parcel.segments}
        backlog = Backlog()

        def counted() -> Iterator[SegmentName]:
            for name, _ in segments_in(self._sealed):
                backlog.segments += 1
                backlog.oldest_ns = min(name.first_ns, backlog.oldest_ns or name.first_ns)
                if name not in bound and not waits(str(name)):
                    yield name

        loose = heapq.nsmallest(_LOOK_AT, counted(), key=str)
        self.backlog = backlog
        return loose

    def _note(self, names: Iterable[SegmentName]) -> None:
        """These go alone from now on, also in a next life."""
        alone = self._alone.union(names)
        if len(alone) == len(self._alone):
            return
        draft = self._singly.with_suffix(".draft")
        draft.write_bytes(msgspec.json.encode([str(name) for name in alone]))
        draft.rename(self._singly)
        self._alone = alone

    def _noted(self) -> set[SegmentName]:
        """What an earlier life may have sent alone, as far as it still lies here."""
        try:
            texts = msgspec.json.decode(self._singly.read_bytes(), type=list[str])
        except (FileNotFoundError, msgspec.DecodeError):
            return set()
        return {name for text in texts if (name := SegmentName.parse(text)) and (self._sealed / text).exists()}

    def _bind(self, loose: list[SegmentName]) -> None:
        for table in Table:
            waiting = [name for name in loose if name.table is table and name not in self._alone]
            if len(waiting) >= _TOGETHER:
                for names in self._portions(waiting):
                    self._write_list(table, names)

    def _portions(self, names: list[SegmentName]) -> Iterator[tuple[SegmentName, ...]]:
        portion: list[SegmentName] = []
        size = 0
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                more = (self._sealed / str(name)).stat().st_size
                if portion and (size + more > _MOST_BYTES or len(portion) == _MOST_SEGMENTS):
                    yield tuple(portion)
                    portion, size = [], 0
                portion.append(name)
                size += more
        if portion:
            yield tuple(portion)

    def _write_list(self, table: Table, names: tuple[SegmentName, ...]) -> None:
        key = f"{names[0].first_ns:019d}.{uuid.uuid4().hex}"
        parcel = Parcel(key=key, table=table, segments=names, listed=True)
        self._lists.mkdir(exist_ok=True)
        draft = self._path(parcel, "draft")
        draft.write_bytes(msgspec.json.encode([str(name) for name in names]))
        draft.rename(self._path(parcel, "list"))
        self._listed[key] = parcel

    def _contents(self, parcel: Parcel) -> Iterator[bytes]:
        for name in parcel.segments:
            with contextlib.suppress(FileNotFoundError):
                yield (self._sealed / str(name)).read_bytes()

    def _tidy(self, parcel: Parcel | None, path: Path) -> None:
        for name in parcel.segments if parcel is not None else ():
            (self._sealed / str(name)).unlink(missing_ok=True)
        path.unlink(missing_ok=True)

    def _path(self, parcel: Parcel, state: str) -> Path:
        return self._lists / f"{parcel.key}.{state}"


def _single(name: SegmentName) -> Parcel:
    return Parcel(key=str(name), table=name.table, segments=(name,))


def _read(path: Path) -> Parcel | None:
    """A list from an earlier life; None when it cannot be read (only a power failure leaves such)."""
    try:
        names = [SegmentName.parse(text) for text in msgspec.json.decode(path.read_bytes(), type=list[str])]
    except msgspec.DecodeError:
        _LOG.warning("the list %s cannot be read, its segments are sent anew", path)
        path.unlink(missing_ok=True)
        return None
    segments = tuple(name for name in names if name is not None)
    return Parcel(key=path.stem, table=segments[0].table, segments=segments, listed=True) if segments else None
