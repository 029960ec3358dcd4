"""The counters of the SQLite ledger, read and set by the admin side; inside a change, as part of it."""

from collections.abc import Sequence
from typing import Final

from proxy.budget.counter_book import Counted, CounterBook, Fullest, Stretch
from proxy.budget.rebuild import RebuildableBook, Totals
from proxy.core.money import Nano
from proxy.state import StateFile

_NS: Final = 1_000_000_000
_REBUILT: Final = ("(ledger)", "rebuilt")
_IS_REBUILT: Final = "SELECT 1 FROM counters WHERE budget = ? AND window = ?"
_RESTORE: Final = """INSERT INTO counters (budget, window, opening, spent, kept_until_s) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (budget, window) DO UPDATE SET opening = excluded.opening,
    spent = CASE WHEN ?6 THEN excluded.spent ELSE max(spent, excluded.spent) END,
    overrun = CASE WHEN ?6 THEN min(overrun, excluded.spent) ELSE overrun END"""
_OPEN: Final = """INSERT INTO counters (budget, window, opening, kept_until_s) VALUES (?, ?, ?, ?)
    ON CONFLICT (budget, window) DO UPDATE SET opening = excluded.opening"""
# "0" is the sign after "/": the counters of all scopes that a pattern stands for.
_ERASE: Final = "DELETE FROM counters WHERE budget = ?1 OR (budget > ?1 || '/' AND budget < ?1 || '0')"
_COUNTED: Final = """SELECT coalesce(sum(opening + spent), 0), coalesce(sum(held), 0), coalesce(sum(overrun), 0)
    FROM counters WHERE budget = ? AND window >= ? AND window <= ?"""
_EACH: Final = """SELECT budget, sum(opening + spent), sum(held), sum(overrun)
    FROM counters WHERE budget > ?1 || '/' AND budget < ?1 || '0' AND window >= ?2 AND window <= ?3
    GROUP BY budget ORDER BY sum(opening + spent) + sum(held) DESC, budget LIMIT ?4"""
_HOW_MANY: Final = """SELECT count(DISTINCT budget) FROM counters
    WHERE budget > ?1 || '/' AND budget < ?1 || '0' AND window >= ?2 AND window <= ?3"""


class SqliteCounterBook:
    """The counters table of the state file. Its tables must be there already (`migrate`)."""

    def __init__(self, state: StateFile) -> None:
        self._state = state

    def open(self, counter: str, window: str, amount: Nano, *, kept_until_ns: int | None) -> None:
        """See CounterBook.open."""
        kept_until_s = None if kept_until_ns is None else kept_until_ns // _NS
        with self._state.read() as connection:
            connection.execute(_OPEN, (counter, window, amount, kept_until_s))

    def erase(self, budget: str) -> None:
        """See CounterBook.erase."""
        with self._state.read() as connection:
            connection.execute(_ERASE, (budget,))

    def counted(self, asked: Sequence[Stretch]) -> tuple[Counted, ...]:
        """See CounterBook.counted."""
        with self._state.read() as connection:
            return tuple(Counted(*connection.execute(_COUNTED, stretch).fetchone()) for stretch in asked)

    def is_rebuilt(self) -> bool:
        """See RebuildableBook.is_rebuilt."""
        with self._state.read() as connection:
            return connection.execute(_IS_REBUILT, _REBUILT).fetchone() is not None

    def is_new(self) -> bool:
        """Whether nothing was ever counted here: no ledger of an earlier version either, which has no mark."""
        with self._state.read() as connection:
            return connection.execute("SELECT 1 FROM counters LIMIT 1").fetchone() is None

    def restore(self, totals: Totals, *, exactly: bool = False) -> None:
        """See RebuildableBook.restore."""
        with self._state.change(reloads=False) as connection:
            for (counter, window), total in totals.items():
                kept_until_s = None if total.kept_until_ns is None else total.kept_until_ns // _NS
                spent = total.spent - total.opening
                connection.execute(_RESTORE, (counter, window, total.opening, spent, kept_until_s, exactly))

    def mark_rebuilt(self) -> None:
        """See RebuildableBook.mark_rebuilt."""
        with self._state.change(reloads=False) as connection:
            connection.execute("INSERT OR IGNORE INTO counters (budget, window) VALUES (?, ?)", _REBUILT)

    def fullest(self, asked: Stretch, most: int) -> Fullest:
        """See CounterBook.fullest."""
        with self._state.read() as connection:
            scopes = connection.execute(_HOW_MANY, asked).fetchone()[0]
            rows = connection.execute(_EACH, (*asked, most)).fetchall()
        return Fullest(scopes, tuple((counter, Counted(*counted)) for counter, *counted in rows))


_: type[CounterBook] = SqliteCounterBook
__: type[RebuildableBook] = SqliteCounterBook
