"""The console over a real store with known rows in it, served by a real server on a port of its own."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from proxy.admin import AdminRooms
from proxy.admin.console import (
    ConsoleIdentity,
    ConsoleRooms,
    ConsoleSessions,
    StoreBudgets,
    StoreReadings,
    build_console,
)
from proxy.admin.inside import Inside
from proxy.admin.inside import Person as Asker
from proxy.budget import BudgetSpec, BudgetStore, SqliteLedger
from proxy.cache import PurgeStore
from proxy.core.clock import SetClock
from proxy.core.money import Nano
from proxy.identity import AdminTokens, KeyStore
from proxy.policy import SwitchStore
from proxy.state import StateFile
from proxy.telemetry import AttemptRow, OperationRow, Reader, StoreAddress, Table
from proxy.telemetry.spool import Spool
from tests.browser.seeded_approvals import seed_approvals
from tests.browser.seeded_budgets import seed_budgets
from tests.browser.seeded_decisions import decisions
from tests.browser.seeded_statements import seed_statements
from tests.contract.telemetry.collecting import CollectorProcess

NOW = datetime(2026, 11, 20, 11, 7, 30, tzinfo=UTC)
HASH_KEY = bytes(range(32))
OWNER = Asker("ada", "owner", None, None)
HOSTILE = "<img src=x onerror=window.pwned=1>'\"\\"
MODELS = ("gpt-5", "gpt-5-mini", "claude-opus-5", "gemini-3-pro", "mistral-large", "deepseek-chat", "grok-4",
          "llama3.1:8b", "o4-mini", HOSTILE)  # fmt: skip
OUTCOMES = ("ok", "ok", "ok", "refused", "ok", "cancelled", "ok", "upstream_error", "cached", "truncated")
PRICE_LINES = (
    '[{"bucket":"input","quantity":1200,"usd_per_mtok":"1.25","usd":"0.0015"},'
    '{"bucket":"output","quantity":812,"usd_per_mtok":"10","usd":"0.0081200000001"}]'
)


@dataclass(frozen=True)
class Person:
    """Somebody who looks."""

    name: str = "ada"
    role: str = "owner"
    org: str | None = None
    team: str | None = None


PEOPLE = {
    "owner-token": Person(),
    "globex-token": Person("grace", "viewer", "globex"),
    "team-token": Person("linus", "viewer", "acme", "research"),
    "nobody-token": Person("empty", "viewer", "nobody"),
    "auditor-token": Person("eve", "auditor"),
}


def operations() -> list[OperationRow]:
    """Calls of the last thirty days, thicker towards now, of two orgs; none lies in the future."""
    return [_operation(number, NOW - timedelta(seconds=20 + number**2 * 40)) for number in range(250)]


def attempts(rows: Sequence[OperationRow]) -> list[AttemptRow]:
    """One upstream request for each call that left, with price lines."""
    return [
        AttemptRow(
            attempt_id=row.operation_id.replace("op_", "att_"), operation_id=row.operation_id,
            started_at=row.charged_at, org=row.org, team=row.team, key_id=row.key_id, key_name=row.key_name,
            provider=row.provider, sent_model=row.model, model=row.model, outcome=row.outcome, status=row.status,
            cost_usd=row.cost_usd, price_lines=PRICE_LINES if row.cost_usd else "[]", duration_ms=row.duration_ms - 5,
            ttft_ms=row.ttft_ms, price_source="book:openai 2026-11-01", price_version="3f2c91aa",
        )
        for row in rows
        if row.outcome not in {"refused", "cached"}
    ]  # fmt: skip


def _operation(number: int, at: datetime) -> OperationRow:
    outcome = OUTCOMES[number % len(OUTCOMES)]
    unpriced = number % 29 == 7
    cost = None if unpriced or outcome == "refused" else str(Decimal(number + 1) * Decimal("0.013370001"))
    return OperationRow(
        operation_id=f"op_seed{number:04}", charged_at=_stamp(at), finished_at=_stamp(at + timedelta(seconds=3)),
        org=("acme", "acme", "globex")[number % 3], team=("support", "research")[number % 2],
        key_id=f"key_{number % 4}", key_name=("bot", "ci", "notebook", "bot")[number % 4],
        agent=("triage", "", HOSTILE)[number % 3], model=MODELS[number % 10 * number % 10],
        provider=("openai", "anthropic")[number % 2], requested_model="fast",
        outcome=outcome, status={"refused": 402, "upstream_error": 502}.get(outcome, 200), endpoint="chat.completions",
        code="budget_exceeded" if outcome == "refused" else "",
        refused_by="org:acme/acme-cap" if outcome == "refused" else "", streamed=number % 2 == 0, finish_reason="stop",
        cost_usd=cost, list_usd=cost, held_usd="0.10", input_tokens=1200 + number, cache_read_tokens=number * 3,
        output_tokens=812, usage_source="provider", duration_ms=3000.0, ttft_ms=612.0 if number % 2 == 0 else None,
        overhead_ms=1.25, stages_ms={"identity": 0.125, "read": 0.25, "hold": 0.5, "upstream": 2998.5},
        error=HOSTILE if outcome == "upstream_error" else "", tags={"env": "prod", "note": HOSTILE}, worker="wrk_1",
        run=f"run_{number % 5}", client="openai-python/3.1",
    )  # fmt: skip


def _stamp(at: datetime) -> str:
    return at.replace(tzinfo=None).isoformat(" ", "milliseconds")


@dataclass
class Site:
    """Where the console is, what is in it, and where its store is."""

    url: str
    rows: list[OperationRow]
    sessions: ConsoleSessions
    store: StoreAddress
    inside: Inside
    loop: asyncio.AbstractEventLoop

    def ask(self, path: str, **query: str) -> Any:
        """What the admin API answers to the owner, asked on the loop that serves."""
        asking = self.inside.ask(OWNER, "GET", path, query=query)
        return asyncio.run_coroutine_threadsafe(asking, self.loop).result(30).shape


@contextmanager
def seeded_site(folder: Path) -> Iterator[Site]:
    """Start the store in a process of its own, put the rows in, serve the console from a thread."""
    collector = CollectorProcess(folder, {"operations_days": 4000, "attempts_days": 4000})
    collector.start()
    try:
        rows = operations()
        _ship(collector, rows)
        with _served(folder, collector.address, rows) as site:
            yield site
    finally:
        collector.stop()


def _ship(collector: CollectorProcess, rows: list[OperationRow]) -> None:
    spool = Spool(collector.spool, "seed")
    for row in rows:
        spool.append(Table.OPERATIONS, row)
    for attempt in attempts(rows):
        spool.append(Table.ATTEMPTS, attempt)
    for decision in decisions(rows, HOSTILE):
        spool.append(Table.DECISIONS, decision)
    for row in rows:
        spool.settled(row.operation_id)
    spool.close()
    collector.all_shipped()


@contextmanager
def _served(folder: Path, store: StoreAddress, rows: list[OperationRow]) -> Iterator[Site]:
    clock = SetClock(NOW)
    sessions = ConsoleSessions(clock)
    state = StateFile(folder / "state.sqlite")
    budgets = BudgetStore(state, clock=clock)
    budgets.put(_budget("acme-month", "org:acme", limit=20, spent=12))
    budgets.put(_budget("research-month", "team:acme/research", limit=10, spent=9))
    budgets.put(_budget("globex-month", "org:globex", limit=5, spent=5))

    seed_budgets(budgets, state, clock, rows)
    statements, adjustments = seed_statements(state, clock, HOSTILE)

    reader = Reader(store)
    inside = Inside(
        AdminRooms(
            state=state,
            hash_key=HASH_KEY,
            key_store=KeyStore(state, HASH_KEY, clock=clock),
            tokens=AdminTokens(state, HASH_KEY, clock=clock),
            budget_store=budgets,
            reader=reader,
            runs=SqliteLedger(state, clock=clock),
            switch_store=SwitchStore(state, clock=clock),
            purge_store=PurgeStore(state, clock=clock),
            statements=statements,
            adjustments=adjustments,
            approvals=seed_approvals(state, clock.now_ns(), HASH_KEY, HOSTILE),
            clock=clock,
        )
    )

    loops: list[asyncio.AbstractEventLoop] = []

    @asynccontextmanager
    async def closing(app: Starlette) -> AsyncIterator[None]:
        loops.append(asyncio.get_running_loop())
        yield
        await reader.close()

    async def authenticate(token: str) -> ConsoleIdentity | None:
        return PEOPLE.get(token)

    rooms = ConsoleRooms(
        sessions=sessions,
        authenticate=authenticate,
        spend=StoreReadings(reader),
        panels=reader,
        budgets=StoreBudgets(budgets),
        api=inside,
        clock=clock,
    )
    app = Starlette(routes=[Mount("/console", build_console(rooms))], lifespan=closing)
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="on", log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Site(f"http://127.0.0.1:{port}", rows, sessions, store, inside, loops[0])
    finally:
        server.should_exit = True
        thread.join()


def _budget(name: str, scope: str, *, limit: int, spent: int) -> BudgetSpec:
    return BudgetSpec(
        name=name, scope=scope, limit=Nano(limit * 10**9), opening_spent=Nano(spent * 10**9 + 1)
    )  # fmt: skip
