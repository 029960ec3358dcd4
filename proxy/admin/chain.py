"""The audit chain: how an entry is hashed and shipped, and where a chain breaks first."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from proxy.admin.rooms import Change
from proxy.core.chain import GENESIS, link
from proxy.core.clock import stamp
from proxy.telemetry import AuditRow


class Entry(NamedTuple):
    """One change in its place. An entry of before there was a chain has neither hash."""

    number: int
    change: Change
    previous: str
    hash: str


class Break(NamedTuple):
    """The first entry that is not as it was written, and how that shows."""

    number: int
    why: str


class Head(NamedTuple):
    """The end of a chain: whoever knows it can tell that nothing up to there was changed."""

    number: int = 0
    hash: str = GENESIS


def hash_of(number: int, change: Change, previous: str) -> str:
    """What an entry's hash must be."""
    return link(
        previous,
        (
            *(number, change.at_ns, change.actor, change.role, change.action, change.subject),
            *(change.org or "", change.team or "", _text(change.before), _text(change.after)),
        ),
    )


def row_of(entry: Entry) -> AuditRow:
    """The entry as it is shipped."""
    change = entry.change
    return AuditRow(
        number=entry.number,
        at=f"{stamp(change.at_ns)[:-3]}{change.at_ns % 1_000_000_000:09d}",
        actor=change.actor,
        role=change.role,
        action=change.action,
        subject=change.subject,
        org=change.org or "",
        team=change.team or "",
        before=_text(change.before),
        after=_text(change.after),
        previous=entry.previous,
        hash=entry.hash,
    )


def entry_of(row: AuditRow) -> Entry:
    """An entry as it was shipped."""
    seconds = datetime.strptime(row.at[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    change = Change(
        at_ns=int(seconds.timestamp()) * 1_000_000_000 + int(row.at[20:29]),
        actor=row.actor,
        role=row.role,
        action=row.action,
        subject=row.subject,
        org=row.org or None,
        team=row.team or None,
        before=_bytes(row.before),
        after=_bytes(row.after),
    )
    return Entry(row.number, change, row.previous, row.hash)


class ChainReading:
    """Follows a chain entry by entry. `begins_anywhere`: the beginning may have been dropped by retention."""

    def __init__(self, *, begins_anywhere: bool = False) -> None:
        self._begins_anywhere = begins_anywhere
        self._is_hashed = begins_anywhere
        self.head = Head()
        self.entries = 0

    def first_break(self, entries: Iterable[Entry]) -> Break | None:
        """The first of these entries that does not follow; None, and `head` moved on, when all do."""
        for entry in entries:
            if self._begins_anywhere and not self.entries:
                self.head = Head(entry.number - 1, entry.previous)
            if not entry.hash and not self._is_hashed:
                # Of before there was a chain: the next start chains it.
                entry = entry._replace(previous=self.head.hash, hash=hash_of(*entry[:2], self.head.hash))
            else:
                self._is_hashed = True
            if (why := self._fault(entry)) is not None:
                return Break(self.head.number + 1 if entry.number > self.head.number + 1 else entry.number, why)
            self.head = Head(entry.number, entry.hash)
            self.entries += 1
        return None

    def _fault(self, entry: Entry) -> str | None:
        expected = self.head.number + 1
        if entry.number > expected:
            return f"it is missing: entry {entry.number} comes after {self.head.number}"
        if entry.number < expected:
            return "it stands there more than once, with different contents"
        if entry.previous != self.head.hash:
            return f"it does not follow entry {self.head.number}: one of the two was changed or put in another's place"
        if entry.hash != hash_of(entry.number, entry.change, entry.previous):
            return f"its content was changed ({entry.change.action} {entry.change.subject})"
        return None


def first_difference(ours: Mapping[int, str], theirs: Iterable[Entry]) -> Break | None:
    """The first shipped entry that the state file has not alike; `ours` are the hashes of its entries by number."""
    for entry in theirs:
        if (own := ours.get(entry.number)) is None:
            return Break(entry.number, "it was cut off the state file's end: ClickHouse has it")
        if own != entry.hash:
            return Break(entry.number, "the state file and ClickHouse do not say the same of it")
    return None


def _text(content: bytes | None) -> str:
    return "" if content is None else content.decode("utf-8")


def _bytes(text: str) -> bytes | None:
    return text.encode() or None
