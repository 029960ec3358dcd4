"""The store's counters behind their door: another book is asked in place of the state file's."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from proxy.budget import (
    BudgetSpec,
    BudgetStore,
    Counted,
    CounterBook,
    Fullest,
    LedgerUnavailable,
    SqliteCounterBook,
    Stretch,
)
from proxy.core.clock import SetClock
from proxy.core.money import ZERO, Nano
from proxy.state import StateFile

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class ScriptedBook:
    """A book in memory that can be away."""

    def __init__(self) -> None:
        self.opened: dict[tuple[str, str], int] = {}
        self.erased: list[str] = []
        self.away = False

    def open(self, counter: str, window: str, amount: Nano, *, kept_until_ns: int | None) -> None:
        self._ask()
        self.opened[counter, window] = amount

    def erase(self, budget: str) -> None:
        self._ask()
        self.erased.append(budget)

    def counted(self, asked: Sequence[Stretch]) -> tuple[Counted, ...]:
        self._ask()
        return tuple(Counted(Nano(self.opened.get((each.counter, each.newest), 0)), Nano(7), ZERO) for each in asked)

    def fullest(self, asked: Stretch, most: int) -> Fullest:
        self._ask()
        return Fullest(3, ((f"{asked.counter}/user:acme/u", Counted(Nano(50), ZERO, ZERO)),))

    def _ask(self) -> None:
        if self.away:
            raise LedgerUnavailable("away")


_: type[CounterBook] = ScriptedBook


def spec(name: str, scope: str = "org:acme", limit: int = 100, opening: int = 0) -> BudgetSpec:
    return BudgetSpec(name=name, scope=scope, limit=Nano(limit), opening_spent=Nano(opening))


@pytest.fixture
def state(tmp_path: Path) -> StateFile:
    return StateFile(tmp_path / "state.sqlite")


def test_another_book_has_the_numbers(state: StateFile) -> None:
    book = ScriptedBook()
    store = BudgetStore(state, clock=SetClock(NOW), book=book)
    made = store.put(spec("a", opening=5))
    store.put(spec("b", scope="user:acme/*"))
    assert book.opened == {(made.id, "2026-11"): 5}
    first, second = store.states()
    assert (first.spent, first.held, first.remaining) == (5, 7, 88)
    assert (second.scope, second.scopes, second.spent) == ("user:acme/u", 3, 50)
    store.delete("a")
    assert book.erased == [made.id]


def test_a_change_whose_counters_cannot_be_reached_is_not_made(state: StateFile) -> None:
    book = ScriptedBook()
    store = BudgetStore(state, clock=SetClock(NOW), book=book)
    made = store.put(spec("a"))
    generation = state.generation()
    book.away = True
    for change in (
        lambda: store.put(spec("b", opening=5)),
        lambda: store.put(spec("a", scope="org:other")),
        lambda: store.delete("a"),
    ):
        with pytest.raises(LedgerUnavailable):
            change()
    assert (store.list(), state.generation()) == ((made,), generation)


def test_an_opening_spend_set_twice_stands_once_and_ends_with_its_window(state: StateFile) -> None:
    BudgetStore(state)
    book = SqliteCounterBook(state)
    for amount in (5, 8, 8):
        book.open("bud_1", "2026-11", Nano(amount), kept_until_ns=2 * 10**9)
    book.open("bud_1/user:acme/u", "2026-11", Nano(3), kept_until_ns=None)
    book.open("bud_10", "2026-11", Nano(4), kept_until_ns=None)
    assert book.counted([Stretch("bud_1", "2026-01", "2026-12"), Stretch("none", "total", "total")]) == (
        Counted(Nano(8), ZERO, ZERO),
        Counted(ZERO, ZERO, ZERO),
    )
    assert book.fullest(Stretch("bud_1", "2026-11", "2026-11"), 5) == (
        1,
        (("bud_1/user:acme/u", Counted(Nano(3), ZERO, ZERO)),),
    )
    with state.read() as connection:
        assert connection.execute("SELECT kept_until_s FROM counters WHERE budget = 'bud_1'").fetchall() == [(2,)]
    book.erase("bud_1")
    with state.read() as connection:
        assert connection.execute("SELECT budget FROM counters").fetchall() == [("bud_10",)]
