"""Counters of the SQLite ledger: written once per transaction, and read once for as long as nobody else writes."""

import sqlite3
from typing import Final

from proxy.budget.ledger import HoldLine

_MOST_IDS: Final = 50_000
_MOST_VALUES: Final = 4096
_NS: Final = 1_000_000_000

_VERSION: Final = "PRAGMA data_version"
_FIND: Final = "SELECT id FROM counters WHERE budget = ? AND window = ?"
_MAKE: Final = "INSERT INTO counters (budget, window, kept_until_s) VALUES (?, ?, ?)"
_READ: Final = "SELECT opening + spent, held FROM counters WHERE id = ?"
_WRITE: Final = """UPDATE counters SET spent = spent + ?, held = held + ?, overrun = overrun + ?, settled = settled + ?
    WHERE id = ?"""
_OLDER: Final = """SELECT coalesce(sum(opening + spent), 0), coalesce(sum(held), 0) FROM counters
    WHERE budget = ? AND window >= ? AND window < ?"""


class Counter:
    """One budget in one window, as the open transaction sees it: what was read, if anything had to be, and the changes
    that are not written yet."""

    __slots__ = (
        "held",
        "more_held",
        "more_overrun",
        "more_settled",
        "more_spent",
        "number",
        "read",
        "spent",
        "touched",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        self.read = False
        self.spent = 0
        self.held = 0
        self._unchanged()

    def hold(self, amount: int) -> None:
        """Set an amount aside; a negative one gives it back."""
        self.more_held += amount
        self.touched = True

    def book(self, cost: int, held: int) -> None:
        """Turn what was held for one operation into what it cost."""
        self.more_held -= held
        self.more_spent += cost
        self.more_overrun += max(0, cost - held)
        self.more_settled += 1
        self.touched = True

    def write(self, cursor: sqlite3.Cursor) -> None:
        """Write the changes; a counter deleted with its budget takes none."""
        cursor.execute(_WRITE, (self.more_spent, self.more_held, self.more_overrun, self.more_settled, self.number))
        self.spent += self.more_spent
        self.held += self.more_held
        self._unchanged()

    def _unchanged(self) -> None:
        self.more_spent = self.more_held = self.more_overrun = self.more_settled = 0
        self.touched = False


class Counters:
    """The counters of one connection. Ids are remembered over transactions; values until another connection writes."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor
        self._ids: dict[tuple[str, str], int] = {}
        self._fresh: list[tuple[str, str]] = []
        self._used: dict[int, Counter] = {}
        self._known: dict[int, Counter] = {}
        self._version = -1
        self._distrusted = False

    def begin(self) -> None:
        """A transaction began: what was read before it still holds unless someone else has written since."""
        version = self._cursor.execute(_VERSION).fetchone()[0]
        if version != self._version or len(self._known) > _MOST_VALUES:
            self._known.clear()
            self._version = version

    def distrust(self) -> None:
        """This transaction deleted counters: nothing that was read is remembered beyond it."""
        self._distrusted = True

    def of(self, line: HoldLine) -> Counter:
        """The counter of a line, read; made when there is none."""
        key = (line.budget, line.window)
        number = self._ids.get(key)
        if number is None:
            number = self._find_or_make(key, line.kept_until_ns)
        counter = self.numbered(number)
        if counter.read or self._load(counter):
            return counter
        # Its budget was deleted since, counters and all.
        counter = self.numbered(self._find_or_make(key, line.kept_until_ns))
        self._load(counter)
        return counter

    def numbered(self, number: int) -> Counter:
        """The counter of an id, to change without looking."""
        counter = self._used.get(number)
        if counter is None:
            counter = self._known.get(number)
            if counter is None:
                counter = self._known[number] = Counter(number)
            self._used[number] = counter
        return counter

    def standing(self, line: HoldLine, counter: Counter) -> tuple[int, int]:
        """What counts against a line's limit: spent (opening spend included) and held, older windows included."""
        spent, held = counter.spent + counter.more_spent, counter.held + counter.more_held
        if line.counted_from is None:
            return spent, held
        self.write()
        older = self._cursor.execute(_OLDER, (line.budget, line.counted_from, line.window)).fetchone()
        return spent + older[0], held + older[1]

    def write(self) -> None:
        """Write what was touched."""
        for counter in self._used.values():
            if counter.touched:
                counter.write(self._cursor)

    def forget(self, *, undone: bool) -> None:
        """The transaction is over; what it made does not exist if it was undone."""
        self._used.clear()
        if undone or self._distrusted:
            self._known.clear()
            self._distrusted = False
        if undone:
            for key in self._fresh:
                self._ids.pop(key, None)
        self._fresh.clear()

    def _load(self, counter: Counter) -> bool:
        row = self._cursor.execute(_READ, (counter.number,)).fetchone()
        if row is None:
            return False
        counter.spent, counter.held = row
        counter.read = True
        return True

    def _find_or_make(self, key: tuple[str, str], kept_until_ns: int | None) -> int:
        row = self._cursor.execute(_FIND, key).fetchone()
        if row is None:
            kept_until_s = None if kept_until_ns is None else kept_until_ns // _NS
            number = self._cursor.execute(_MAKE, (*key, kept_until_s)).lastrowid
        else:
            number = int(row[0])
        assert number is not None
        if len(self._ids) >= _MOST_IDS:
            self._ids.clear()
        self._ids[key] = number
        self._fresh.append(key)
        return number
