"""Budgets, limits, holds and a raise for the seeded console, so that every page has something of everything."""

import asyncio
from collections.abc import Sequence

from proxy.budget import BudgetSpec, BudgetStore, HoldRequest, LineKind, Rung, SqliteLedger, Unit, WindowKind
from proxy.core.clock import SetClock
from proxy.core.money import Nano, exact_usd
from proxy.state import StateFile
from proxy.telemetry import OperationRow

DOLLAR = 10**9
LADDER = (
    Rung(500_000, "alert"),
    Rung(800_000, "alert"),
    Rung(900_000, "downgrade", (("gpt-*", "fast"),)),
    Rung(950_000, "throttle", (), 2000),
    Rung(1_000_000, "block"),
)
USERS = ("u1", "u/2", "<b>u3</b>")


def seed_budgets(store: BudgetStore, state: StateFile, clock: SetClock, rows: Sequence[OperationRow]) -> None:
    """Put them in; `acme-cap` has spent what the rows of its month say."""
    month = [row for row in rows if row.org == "acme" and row.charged_at >= "2026-11-01"]
    spent = Nano(sum(exact_usd(row.cost_usd) for row in month if row.cost_usd))
    cap = Nano(spent * 13 // 10 // DOLLAR * DOLLAR)
    for spec in (
        BudgetSpec(name="acme-cap", scope="org:acme", limit=cap, opening_spent=spent, ladder=LADDER),
        BudgetSpec(name="support-cap", scope="team:acme/support", limit=Nano(2 * cap), enforcement="observe"),
        BudgetSpec(name="users-day", scope="user:acme/*", limit=Nano(DOLLAR), window=WindowKind.DAY),
        BudgetSpec(
            name="tokens-week",
            scope="org:acme",
            limit=Nano(50_000_000),
            unit=Unit.TOKENS,
            window=WindowKind.WEEK,
            hard=False,
            models=("gpt-*", "o4-*"),
        ),
        BudgetSpec(name="bot-day", scope="key:acme/support/bot", limit=Nano(3 * DOLLAR), window=WindowKind.ROLLING,
                   length_s=86_400, clamp=True),
        BudgetSpec(name="bot-rpm", scope="key:acme/support/bot", limit=Nano(60), unit=Unit.REQUESTS,
                   window=WindowKind.MINUTE, kind=LineKind.RATE),
        BudgetSpec(name="acme-at-once", scope="org:acme", limit=Nano(4), unit=Unit.SLOTS, window=WindowKind.TOTAL,
                   kind=LineKind.RATE),
    ):  # fmt: skip
        store.put(spec)
    until_ns = clock.now_ns() + 2 * 86_400 * DOLLAR
    store.raise_limit("acme-cap", Nano(25 * DOLLAR), until_ns=until_ns, reason="launch week <b>", made_by="ada")
    asyncio.run(_calls(store, state, clock))


async def _calls(store: BudgetStore, state: StateFile, clock: SetClock) -> None:
    """Calls of some users that are over, one of them dearer than its hold, and three under way."""
    ledger = SqliteLedger(state, clock=clock)
    for number, user in enumerate(USERS):
        await _hold(ledger, store, clock, f"op_{number:032x}", [f"user:acme/{user}"], 200_000_000 * (number + 1))
        await ledger.settle(f"op_{number:032x}", Nano(210_000_000 * (number + 1) + 1), clock.now_ns())
    for number in range(3):
        scopes = ["org:acme", "team:acme/support", "key:acme/support/bot", "user:acme/u1"]
        await _hold(ledger, store, clock, f"op_f{number:031x}", scopes, 125_000_001)
    await ledger.close()


async def _hold(
    ledger: SqliteLedger, store: BudgetStore, clock: SetClock, operation: str, scopes: list[str], amount: int
) -> None:
    now_ns = clock.now_ns()
    lines = store.load().lines_for(scopes, now_ns, model="gpt-5")
    verdict = await ledger.hold(
        HoldRequest(
            operation=operation,
            worker="wrk_1",
            lines=tuple(line for line in lines if line.name not in {"acme-month", "research-month"}),
            amount=Nano(amount),
            charged_at_ns=now_ns,
            lease_until_ns=now_ns + 10**15,
            start_record=b"{}",
        )
    )
    assert type(verdict).__name__ == "Granted", verdict
