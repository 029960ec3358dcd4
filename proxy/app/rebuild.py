"""Making the counters of a new ledger what the rows of calls say, before any call is held by them."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final, Protocol

from proxy.app.stores import Stores
from proxy.budget import Question, RebuildableBook, Sums, questions, totals
from proxy.telemetry import CountedQuery, CountedRow

_AT_ONCE: Final = 4


class CountingReader(Protocol):
    """Who is asked for the rows' sums."""

    async def counted(self, asked: CountedQuery) -> Sequence[CountedRow]:
        """As Reader.counted."""
        ...


async def rebuild(stores: Stores, book: RebuildableBook, reader: CountingReader, *, exactly: bool = False) -> int:
    """Let every counter of a budget or limit that is open now be what the rows say, at least; how many there are.

    Any number of processes and hosts may do so at once, and again: each writes the same, and nobody adds. With
    `exactly` what stands there is replaced, also by less; for a time in which no calls are made.

    Raises:
        LedgerUnavailable, TelemetryUnavailable: nothing, or not all of it, was written.
    """
    now_ns = time.time_ns()
    budgets = await asyncio.to_thread(stores.budgets.list)
    asked, limit = questions(budgets, now_ns), asyncio.Semaphore(_AT_ONCE)

    async def answer(question: Question) -> tuple[Question, list[Sums]]:
        async with limit:
            rows = await reader.counted(CountedQuery(*question))
        return question, [Sums(*row) for row in rows]

    answers = dict(await asyncio.gather(*(answer(question) for question in asked)))
    found = await asyncio.to_thread(totals, answers, budgets, stores.state, now_ns)
    await asyncio.to_thread(book.restore, found, exactly=exactly)
    await asyncio.to_thread(book.mark_rebuilt)
    return len(found)
