"""The ledgers that the contract is held to; a new implementation is a new entry of KINDS."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Final

from proxy.budget import BudgetSettings, HoldLine, HoldRequest, Ledger, RedisLedger, RedisSettings, SqliteLedger
from proxy.budget.ledger import RUN_MEMORY_S
from proxy.core.clock import Clock, SystemClock
from proxy.core.money import Nano
from proxy.state import StateFile
from tests.contract.ledger.redis_server import missing, shared_url


def open_sqlite(folder: Path, clock: Clock, settings: BudgetSettings, run_memory_s: int = RUN_MEMORY_S) -> Ledger:
    """The ledger in a folder's state file; several on one folder share their money."""
    state = StateFile(folder / "ledger.sqlite")
    return SqliteLedger(state, clock=clock, settings=settings, run_memory_s=run_memory_s)


def open_redis(folder: Path, clock: Clock, settings: BudgetSettings, run_memory_s: int = RUN_MEMORY_S) -> Ledger:
    """The ledger named after a folder. It has time: what it does about a slow server is tested on its own."""
    patient = RedisSettings(name=ledger_name(folder), deadline_ms=10_000, patience_ms=20_000)
    return RedisLedger(shared_url(), clock=clock, settings=settings, redis=patient, run_memory_s=run_memory_s)


def ledger_name(folder: Path) -> str:
    """What the ledger of a folder is called in Redis."""
    return blake2b(str(folder).encode(), digest_size=8).hexdigest()


Opener = Callable[..., Ledger]

KINDS: Final[Mapping[str, Opener]] = {"sqlite": open_sqlite} | ({} if missing() else {"redis": open_redis})


@contextlib.asynccontextmanager
async def opened(
    kind: str,
    folder: Path,
    clock: Clock | None = None,
    settings: BudgetSettings | None = None,
    run_memory_s: int = RUN_MEMORY_S,
) -> AsyncIterator[Ledger]:
    """A ledger of that kind, closed at the end."""
    ledger = KINDS[kind](folder, clock or SystemClock(), settings or BudgetSettings(), run_memory_s)
    try:
        yield ledger
    finally:
        await ledger.close()


def line(budget: str = "bud_a", *, limit: int, window: str = "2026-11", hard: bool = True) -> HoldLine:
    """A line in dollars."""
    return HoldLine(budget=budget, name=budget, scope="org:acme", window=window, limit=Nano(limit), hard=hard)


def request(
    operation: str, amount: int, *lines: HoldLine, worker: str = "wrk_1", lease_until_ns: int = 10**12
) -> HoldRequest:
    """A hold as a call would ask for it."""
    return HoldRequest(
        operation=operation,
        worker=worker,
        lines=lines,
        amount=Nano(amount),
        charged_at_ns=1,
        lease_until_ns=lease_until_ns,
        start_record=b'{"operation_id":"' + operation.encode() + b'"}',
    )
