"""Both books over the ledger of their kind: what calls count is read there, and what is set there counts for calls."""

from collections.abc import Callable
from pathlib import Path

import pytest

from proxy.budget import Counted, CounterBook, Granted, RedisCounterBook, Short, SqliteCounterBook, Stretch
from proxy.core.ids import new_id
from proxy.core.money import ZERO, Nano
from proxy.core.secret import Secret
from proxy.state import Remote, StateFile
from tests.contract.ledger.kinds import ledger_name, line, opened, request
from tests.contract.ledger.redis_server import shared_url

BOOKS: dict[str, Callable[[Path], CounterBook]] = {
    "sqlite": lambda folder: SqliteCounterBook(StateFile(folder / "ledger.sqlite")),
    "redis": lambda folder: RedisCounterBook(Remote(Secret(shared_url())), ledger_name(folder)),
}
NOTHING = Counted(ZERO, ZERO, ZERO)


def stretch(counter: str, oldest: str = "2026-11", newest: str = "2026-11") -> Stretch:
    return Stretch(counter, oldest, newest)


@pytest.fixture
def book(kind: str, tmp_path: Path) -> CounterBook:
    return BOOKS[kind](tmp_path)


async def spend(kind: str, folder: Path, counter: str, held: int, cost: int, window: str = "2026-11") -> None:
    """One call that settles, and one of half the amount that stays held."""
    async with opened(kind, folder) as ledger:
        for settles in (True, False):
            operation = new_id("op")
            amount = held if settles else held // 2
            asked = request(operation, amount, line(counter, limit=10**18, window=window))
            assert isinstance(await ledger.hold(asked), Granted)
            if settles:
                await ledger.settle(operation, Nano(cost), 1)


async def test_what_calls_count_is_read(kind: str, book: CounterBook, tmp_path: Path) -> None:
    big = 9_007_199_254_740_993  # beyond what a double tells apart
    await spend(kind, tmp_path, "bud_1", big, big + 7)
    await spend(kind, tmp_path, "bud_1", 10, 3, window="2026-10")
    await spend(kind, tmp_path, "bud_10", 10, 3)
    assert book.counted([stretch("bud_1"), stretch("none"), stretch("bud_1", "2026-01", "2026-12")]) == (
        Counted(Nano(big + 7), Nano(big // 2), Nano(7)),
        NOTHING,
        Counted(Nano(big + 10), Nano(big // 2 + 5), Nano(7)),
    )
    assert book.counted([]) == ()


async def test_an_opening_spend_counts_for_calls(kind: str, book: CounterBook, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as ledger:
        for amount in (5, 800, 800):
            book.open("bud_1", "2026-11", Nano(amount), kept_until_ns=None)
        assert book.counted([stretch("bud_1")]) == (Counted(Nano(800), ZERO, ZERO),)
        short = await ledger.hold(request(new_id("op"), 201, line("bud_1", limit=1000)))
        assert isinstance(short, Short)
        assert short.spent == 800
        assert isinstance(await ledger.hold(request(new_id("op"), 200, line("bud_1", limit=1000))), Granted)
        book.open("bud_1", "2026-11", Nano(300), kept_until_ns=None)
    assert book.counted([stretch("bud_1")]) == (Counted(Nano(300), Nano(200), ZERO),)


async def test_the_fullest_scopes_of_a_pattern(kind: str, book: CounterBook, tmp_path: Path) -> None:
    for user, cost in (("a", 30), ("b", 50), ("c", 50), ("d", 1)):
        await spend(kind, tmp_path, f"bud_1/user:acme/{user}", 10, cost)
    await spend(kind, tmp_path, "bud_1/user:acme/a", 10, 25, window="2026-10")
    await spend(kind, tmp_path, "bud_1", 10, 99)
    await spend(kind, tmp_path, "bud_10/user:acme/x", 10, 99)

    def name(user: str) -> str:
        return f"bud_1/user:acme/{user}"

    found = book.fullest(stretch("bud_1"), 2)
    assert found.scopes == 4
    assert found.each == (
        (name("b"), Counted(Nano(50), Nano(5), Nano(40))),
        (name("c"), Counted(Nano(50), Nano(5), Nano(40))),
    )
    both = book.fullest(stretch("bud_1", "2026-10", "2026-11"), 1)
    assert both.each == ((name("a"), Counted(Nano(55), Nano(10), Nano(35))),)


async def test_what_is_erased_counts_nothing_and_holds_end_in_peace(
    kind: str, book: CounterBook, tmp_path: Path
) -> None:
    await spend(kind, tmp_path, "bud_10", 10, 3)
    async with opened(kind, tmp_path) as ledger:
        operation = new_id("op")
        lines = [line(name, limit=10**9) for name in ("bud_1", "bud_1/user:acme/a")]
        await ledger.hold(request(operation, 100, *lines))
        book.erase("bud_1")
        await ledger.settle(operation, Nano(70), 1)
        await ledger.hold(request(new_id("op"), 9, line("bud_1", limit=10**9)))
    assert book.counted([stretch("bud_1"), stretch("bud_10")]) == (
        Counted(ZERO, Nano(9), ZERO),
        Counted(Nano(3), Nano(5), ZERO),
    )
    assert book.fullest(stretch("bud_1"), 5) == (0, ())
