"""Counters made anew from rows, over both books: each row counts where its call had counted, once, whoever races."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from proxy.app.rebuild import rebuild
from proxy.app.stores import Stores
from proxy.billing import Adjustments, Statements
from proxy.budget import (
    BudgetSpec,
    BudgetStore,
    Granted,
    LineKind,
    RebuildableBook,
    RedisCounterBook,
    SqliteCounterBook,
    Stretch,
    Unit,
    WindowKind,
    questions,
    totals,
)
from proxy.budget.rebuild import Question, Sums
from proxy.cache import PurgeStore
from proxy.core.clock import SetClock
from proxy.core.ids import new_id
from proxy.core.money import ZERO, Nano
from proxy.core.secret import Secret
from proxy.identity import KeyStore
from proxy.ownership import OwnershipSettings, SqliteOwnership
from proxy.policy import ApprovalBook, ProposalStore, Sealer, SqliteReleasedCalls, SwitchStore
from proxy.routing import SqliteHealthStore
from proxy.state import Remote, StateFile
from proxy.telemetry import CountedQuery, CountedRow
from tests.contract.ledger.kinds import ledger_name, line, opened, request
from tests.contract.ledger.redis_server import shared_url

NS = 1_000_000_000
NOW = datetime(2026, 11, 20, 12, 0, 30, tzinfo=UTC)
NOW_NS = int(NOW.timestamp()) * NS


@dataclass
class Rows:
    """A telemetry store: calls with their scopes, as it would sum them."""

    calls: Sequence[tuple[Mapping[str, str], str, int, int]]
    """Scope by kind, model, when (ns), cost."""

    async def counted(self, asked: CountedQuery) -> list[CountedRow]:
        await asyncio.sleep(0)
        return [CountedRow(*sums) for sums in self.sums(Question(*asked))]

    def sums(self, asked: Question) -> Iterator[Sums]:
        for scopes, model, at_ns, cost in self.calls:
            inside = asked.starts_ns <= at_ns and (asked.ends_ns is None or at_ns < asked.ends_ns)
            if asked.kind in scopes and inside:
                yield Sums(scopes[asked.kind], model, at_ns, Nano(cost), 7, 5, 2, 1)


def book_of(kind: str, folder: Path, state: StateFile) -> RebuildableBook:
    if kind == "sqlite":
        return SqliteCounterBook(state)
    return RedisCounterBook(Remote(Secret(shared_url())), ledger_name(folder))


def stores(folder: Path) -> Stores:
    state = StateFile(folder / "ledger.sqlite")
    clock = SetClock(NOW)
    return Stores(
        state=state,
        keys=KeyStore(state, b"h" * 32),
        budgets=BudgetStore(state, clock=clock),
        switches=SwitchStore(state, clock=clock),
        purges=PurgeStore(state, clock=clock),
        proposals=ProposalStore(state, clock=clock),
        approvals=ApprovalBook(state, Sealer(b"b" * 32)),
        released=SqliteReleasedCalls(state),
        ownership=SqliteOwnership(state, OwnershipSettings()),
        health=SqliteHealthStore(state, clock),
        statements=Statements(state),
        adjustments=Adjustments(state, clock=clock),
    )


def spec(name: str, scope: str, **more: object) -> BudgetSpec:
    return BudgetSpec(**{"name": name, "scope": scope, "limit": Nano(10**12), "window": WindowKind.TOTAL, **more})  # type: ignore[arg-type]


CALLS = (
    ({"org": "org:acme", "user": "user:acme/u1"}, "gpt-5", NOW_NS, 10),
    ({"org": "org:acme", "user": "user:acme/u1"}, "claude", NOW_NS - 90 * NS, 100),
    ({"org": "org:acme", "user": "user:acme/u2"}, "gpt-5", NOW_NS - 90 * NS, 1000),
    ({"org": "org:acme"}, "gpt-5", NOW_NS - 40 * 86_400 * NS, 10_000),
)


def test_each_row_counts_where_its_call_had(tmp_path: Path) -> None:
    made = stores(tmp_path)
    ids = {
        each.name: made.budgets.put(each).id
        for each in (
            spec("ever", "org:acme", opening_spent=Nano(5)),
            spec("month", "org:acme", window=WindowKind.MONTH),
            spec("gpt", "org:acme", models=("gpt-*",)),
            spec("hour", "org:acme", window=WindowKind.ROLLING, length_s=3600),
            spec("tokens", "org:acme", unit=Unit.TOKENS),
            spec("calls", "org:acme", unit=Unit.REQUESTS, kind=LineKind.RATE, window=WindowKind.MINUTE),
            spec("slots", "org:acme", unit=Unit.SLOTS, kind=LineKind.RATE),
            spec("each", "user:acme/*"),
            spec("own", "user:acme/u2", models=("gpt-*",)),
            spec("other", "org:other"),
        )
    }
    budgets = made.budgets.list()
    answers = {question: list(Rows(CALLS).sums(question)) for question in questions(budgets, NOW_NS)}
    found = {key: total.spent for key, total in totals(answers, budgets, made.state, NOW_NS).items()}
    assert found == {
        (ids["ever"], "total"): 11_115,
        (ids["month"], "2026-11"): 1110,
        (ids["gpt"], "total"): 11_010,
        (ids["hour"], "2026-11-20T12:00:00Z"): 10,
        (ids["hour"], "2026-11-20T11:59:00Z"): 1100,
        (ids["tokens"], "total"): 48,
        (ids["calls"], "2026-11-20T12:00Z"): 1,
        (f"{ids['each']}/user:acme/u1", "total"): 110,
        (ids["own"], "total"): 1000,
    }


async def test_eight_racing_come_to_what_the_rows_say_and_not_more(kind: str, tmp_path: Path) -> None:
    made = [stores(tmp_path) for _ in range(8)]
    budget = made[0].budgets.put(spec("ever", "org:acme"))
    books = [book_of(kind, tmp_path, each.state) for each in made]

    def one(at: int) -> bool:
        before = books[at].is_rebuilt()
        asyncio.run(rebuild(made[at], books[at], Rows(CALLS)))
        return before

    async with opened(kind, tmp_path):
        with ThreadPoolExecutor(8) as pool:
            assert not all(pool.map(one, range(8)))
    assert isinstance(books[0], SqliteCounterBook | RedisCounterBook)
    assert books[0].counted([Stretch(budget.id, "total", "total")])[0].spent == 11_110
    assert all(book.is_rebuilt() for book in books)


async def test_what_calls_have_booked_since_is_kept(kind: str, tmp_path: Path) -> None:
    made = stores(tmp_path)
    budget = made.budgets.put(spec("ever", "org:acme"))
    book = book_of(kind, tmp_path, made.state)
    async with opened(kind, tmp_path) as ledger:
        await rebuild(made, book, Rows(CALLS))
        held = line(budget.id, limit=10**12, window="total")
        operations = [new_id("op") for _ in range(2)]
        for operation in operations:
            assert isinstance(await ledger.hold(request(operation, 50, held)), Granted)
        await ledger.settle(operations[0], Nano(30), 1)
        await rebuild(made, book, Rows(CALLS))  # by a host that was slow
        (balance,) = await ledger.balances([held])
        assert (balance.spent, balance.held) == (11_140, 50)
        await rebuild(made, book, Rows(CALLS[:1]), exactly=True)
        (balance,) = await ledger.balances([held])
        assert (balance.spent, balance.held) == (10, 50)
        await ledger.settle(operations[1], ZERO, 1)


@pytest.mark.parametrize("at_once", [3])
async def test_many_counters_are_made_in_parts(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr("proxy.budget.redis.book._AT_ONCE", at_once)
    made = stores(tmp_path)
    budget = made.budgets.put(spec("each", "user:acme/*"))
    book = book_of(kind, tmp_path, made.state)
    calls = [({"user": f"user:acme/u{number:02}"}, "m", NOW_NS, 100 - number) for number in range(10)]
    async with opened(kind, tmp_path):
        assert await rebuild(made, book, Rows(calls)) == 10
    assert isinstance(book, SqliteCounterBook | RedisCounterBook)
    assert book.fullest(Stretch(budget.id, "total", "total"), 1).scopes == 10
