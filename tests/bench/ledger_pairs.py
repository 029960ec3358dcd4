"""`python -m tests.bench.ledger_pairs`: one process that holds and settles; reads an Order as JSON, writes Pairs.

A pair is what a call does to the ledger where nothing is left to decide: its lines, one hold made as dispatched, one
settle.
"""

import asyncio
import gc
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import uvloop

from proxy.budget import (
    BudgetCatalog,
    BudgetSettings,
    BudgetStore,
    Granted,
    HoldRequest,
    Ledger,
    RedisLedger,
    RedisSettings,
    SqliteLedger,
)
from proxy.core.clock import SystemClock
from proxy.core.ids import new_id
from proxy.core.money import Nano
from proxy.state import StateFile

WARM_UP: Final = 200
HEARTBEAT_S: Final = 0.002
START_RECORD: Final = b'{"operation_id":"%s","padding":"' + b"x" * 400 + b'"}'
HELD: Final = Nano(2_000_000)
COST: Final = Nano(700_000)
_NS: Final = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to do. `folder` has the state file with the budgets; `url` is a Redis that counts instead of it; with
    `nothing` nobody counts, which is what the bench itself costs.

    `scopes`: so many scopes a call, each with one budget, out of the first `among`. `rate`: pairs a second; 0 is as
    many as `callers` make. `reloads`: how often the budgets are read anew meanwhile, as after a change.
    """

    folder: str
    url: str = ""
    nothing: bool = False
    scopes: int = 1
    among: int = 10
    callers: int = 1
    rate: float = 0.0
    pairs: int = 5_000
    reloads: int = 0


@dataclass(kw_only=True)
class Pairs:
    """What it took. Times in microseconds, of CPU unless they say `wall`; memory in MB."""

    pairs: int = 0
    refused: int = 0
    took_s: float = 0.0
    cpu_us: float = 0.0
    wall_p50_us: float = 0.0
    wall_p99_us: float = 0.0
    block_wall_us: float = 0.0
    block_p999_wall_us: float = 0.0
    block_cpu_us: float = 0.0
    late_wall_us: float = 0.0
    load_s: float = 0.0
    rss_added_mb: float = 0.0
    rss_added_reloaded_mb: float = 0.0
    busy: int = 0


@dataclass
class Blocks:
    """How long the ledger had the event loop, each time it had it: wall and CPU, in nanoseconds."""

    wall: list[int] = field(default_factory=list)
    cpu: list[int] = field(default_factory=list)

    def timed(self, act: Callable[[], None]) -> None:
        """Do it, and note how long it took."""
        wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
        act()
        self.cpu.append(time.thread_time_ns() - cpu)
        self.wall.append(time.perf_counter_ns() - wall)


class TimedLedger(SqliteLedger):
    """The ledger, with a watch on its one callback."""

    blocks: Blocks

    def _flush(self) -> None:
        self.blocks.timed(super()._flush)


class NoLedger:
    """Grants everything and counts nothing."""

    async def hold(self, request: HoldRequest) -> Granted:
        """Yes."""
        return Granted(request.amount, ())

    async def settle(self, operation: str, cost: Nano, at_ns: int) -> None:
        """Nothing."""

    async def close(self) -> None:
        """Nothing."""


class Bench:
    """One process's ledger, budgets and calls."""

    def __init__(self, order: Order, ledger: Ledger | NoLedger, catalog: BudgetCatalog) -> None:
        self.order = order
        self.ledger = ledger
        self.catalog = catalog
        self.refused = 0
        self.latencies: list[int] = []
        self._random = random.Random(7)
        self._worker = new_id("wrk")

    async def pair(self) -> None:
        """One call's two steps."""
        began, now = time.perf_counter_ns(), time.time_ns()
        operation = new_id("op")
        lines = self.catalog.lines_for(self._scopes(), now)
        request = HoldRequest(
            operation=operation,
            worker=self._worker,
            lines=lines,
            amount=HELD,
            charged_at_ns=now,
            lease_until_ns=now + 60 * _NS,
            start_record=START_RECORD,
            dispatched=True,
        )
        if isinstance(await self.ledger.hold(request), Granted):
            await self.ledger.settle(operation, COST, now)
        else:
            self.refused += 1
        self.latencies.append(time.perf_counter_ns() - began)

    def _scopes(self) -> Sequence[str]:
        first = self._random.randrange(0, max(1, self.order.among - self.order.scopes + 1))
        return [scope_of(first + number) for number in range(self.order.scopes)]

    async def as_many_as_possible(self, pairs: int) -> None:
        """So many pairs, by all callers at once."""
        left = iter(range(pairs))

        async def call() -> None:
            for _ in left:
                await self.pair()

        await asyncio.gather(*(call() for _ in range(self.order.callers)))

    async def at_the_rate(self, pairs: int) -> None:
        """So many pairs, each at its moment whatever became of those before."""
        began = time.perf_counter() + 0.05
        async with asyncio.TaskGroup() as group:
            for number in range(pairs):
                wait = began + number / self.order.rate - time.perf_counter()
                if wait > 0:
                    await asyncio.sleep(wait)
                group.create_task(self.pair())


def scope_of(number: int) -> str:
    """The scope of a budget of the bench."""
    return f"key:bench/t/k{number:06d}"


def rss_mb() -> float:
    """What this process has resident."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


async def _beat(late: list[float]) -> None:
    while True:
        due = time.perf_counter() + HEARTBEAT_S
        await asyncio.sleep(HEARTBEAT_S)
        late.append(time.perf_counter() - due)


async def _reload(bench: Bench, store: BudgetStore) -> None:
    """As a worker does: in a thread, then the snapshot is swapped."""
    for _ in range(bench.order.reloads):
        bench.catalog = await asyncio.to_thread(store.load)


async def measure(order: Order) -> Pairs:
    """Carry an order out."""
    found, blocks = Pairs(), Blocks()
    state = StateFile(Path(order.folder) / "ledger.sqlite")
    store = BudgetStore(state)
    gc.collect()
    before_mb, began = rss_mb(), time.perf_counter()
    bench = Bench(order, _open(order, state, blocks), store.load())
    found.load_s = time.perf_counter() - began
    gc.collect()
    found.rss_added_mb = rss_mb() - before_mb
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)  # as workers do
    await bench.as_many_as_possible(WARM_UP)
    late: list[float] = []
    await _run(bench, store, found, blocks, late)
    found.rss_added_reloaded_mb = rss_mb() - before_mb
    found.pairs = len(bench.latencies)
    found.refused = bench.refused
    ordered = sorted(bench.latencies)
    found.wall_p50_us = ordered[len(ordered) // 2] / 1e3
    found.wall_p99_us = ordered[len(ordered) * 99 // 100] / 1e3
    if blocks.wall:
        walls = sorted(blocks.wall)
        found.block_wall_us, found.block_cpu_us = walls[-1] / 1e3, max(blocks.cpu) / 1e3
        found.block_p999_wall_us = walls[len(walls) * 999 // 1000] / 1e3
    found.late_wall_us = max(late, default=0.0) * 1e6
    if isinstance(bench.ledger, SqliteLedger):
        found.busy = bench.ledger.figures.busy
    await bench.ledger.close()
    return found


async def _run(bench: Bench, store: BudgetStore, found: Pairs, blocks: Blocks, late: list[float]) -> None:
    order = bench.order
    bench.latencies.clear()
    blocks.wall.clear()
    blocks.cpu.clear()
    tasks = [asyncio.ensure_future(_beat(late))] if order.rate else []
    tasks += [asyncio.ensure_future(_reload(bench, store))] if order.reloads else []
    began, cpu = time.perf_counter(), time.process_time_ns()
    if order.rate:
        await bench.at_the_rate(order.pairs)
    else:
        await bench.as_many_as_possible(order.pairs)
    found.cpu_us = (time.process_time_ns() - cpu) / 1e3 / len(bench.latencies)
    found.took_s = time.perf_counter() - began
    for task in tasks:
        if task is tasks[0] and order.rate:
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _open(order: Order, state: StateFile, blocks: Blocks) -> Ledger | NoLedger:
    if order.nothing:
        return NoLedger()
    if order.url:
        patient = RedisSettings(name="bench", deadline_ms=5_000, patience_ms=10_000)  # the machine may be busy
        return RedisLedger(order.url, clock=SystemClock(), settings=BudgetSettings(), redis=patient)
    ledger = TimedLedger(state, clock=SystemClock(), settings=BudgetSettings())
    ledger.blocks = blocks
    return ledger


if __name__ == "__main__":
    asked: dict[str, Any] = json.load(sys.stdin)
    print(json.dumps(asdict(uvloop.run(measure(Order(**asked))))))
