"""Random calls until budgets are used up: nobody is refused, or cut, while what is truly left covers the call."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import pytest

from proxy.core.money import exact_usd
from tests.chaos.thrift import (
    INPUT_NANO,
    OUTPUT_NANO,
    STEP,
    Leaving,
    Plan,
    Planned,
    Rows,
    cost_of,
    drawn,
)
from tests.harness.one_worker import OneWorker, config, one_worker, settle_what_waits

LIMIT_USD: Final = "0.60"
LIMIT: Final = exact_usd(LIMIT_USD)
CONFIG: Final = config(
    budget=f'limit_usd: 100000000}}, {{name: each, scope: "user:acme/*", window: total, limit_usd: {LIMIT_USD}',
    more=f"holds: {{first_hold_output_tokens: {STEP}, distinct_scopes_per_key: 1000000}}\n"
    "metering: {margin_percent: 0}",
)
USED_UP: Final = 20 * OUTPUT_NANO
"""A user with less than this left makes place for the next."""
CUT_SHORT: Final = STEP // 16 + STEP // 16 + 16 + 40
"""Output tokens that may be left when a stream is cut: a part of a step not worth holding, what is near enough, one
event, and what the input was rounded up by."""


@dataclass
class Trial:
    """The house, the users' money by the rows, and what was seen."""

    house: OneWorker
    draw: random.Random
    provider: Planned = field(default_factory=Planned)
    rows: Rows = field(default_factory=Rows)
    spent: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        rooms = cast(Any, self.house.rooms)
        rooms.transport, rooms.spool = self.provider, self.rows

    async def batch(self, plans: Sequence[Plan]) -> None:
        """Calls of one user at the same time; then the judgement of each."""
        user = plans[0].user
        before = self.spent[user]
        clients = [Leaving(plan.body) for plan in plans]
        await asyncio.gather(*(self._call(plan, client) for plan, client in zip(plans, clients, strict=True)))
        rows = [self.rows.operations.get(client.operation) for client in clients]
        self.spent[user] += sum(cost_of(row) for row in self.rows.operations.values())
        for plan, client, row in zip(plans, clients, rows, strict=True):
            others = sum(each.most for each in plans if each is not plan)
            self._judge(plan, client, row, LIMIT - before - others)
        self.rows.operations.clear()
        await settle_what_waits(self.house)

    async def _call(self, plan: Plan, client: Leaving) -> None:
        self.provider.plans = {**self.provider.plans, str(plan.number): plan}
        client.leaves_after = plan.at if plan.disturbed == "left" else 0
        task = asyncio.ensure_future(self.house.parts.port(client.scope, client.receive, client.send))
        if plan.disturbed in ("left early", "cancelled"):
            for _ in range(plan.at):
                await asyncio.sleep(0)
            client.hang_up() if plan.disturbed == "left early" else task.cancel()
        await asyncio.wait([task])
        del self.provider.plans[str(plan.number)]

    def _judge(self, plan: Plan, client: Leaving, row: Any, left: int) -> None:
        """`left` is the least that can have been there for this call at any moment."""
        kind = f"{'bounded' if plan.asks else 'unbounded'} {plan.disturbed}"
        if client.status == 402:
            self.seen[f"refused {kind}"] += 1
            assert left < plan.worst, (plan, left, client.text)
        elif row is not None and row.code == "budget_exceeded" and row.outcome == "truncated":
            self.seen["cut"] += 1
            covered = (left - plan.input_nano) // OUTPUT_NANO
            assert row.output_tokens >= covered - CUT_SHORT, (plan, left, row)
        elif row is not None and row.outcome == "ok":
            self.seen[f"ok {kind}"] += 1
            assert cost_of(row) == plan.input_tokens * INPUT_NANO + plan.makes * OUTPUT_NANO, (plan, row)
        elif row is not None:
            self.seen[f"{row.outcome} {kind}"] += 1
            assert cost_of(row) <= plan.most, (plan, row)
        self.seen["disturbed" if plan.disturbed != "no" else "undisturbed"] += 1

    async def standing(self, user: str) -> tuple[int, int]:
        """What the ledger says: spent and held."""
        rooms = self.house.rooms
        lines = rooms.snapshot().budgets.lines_for((f"user:acme/{user}",), rooms.clock.now_ns())
        (balance,) = await rooms.ledger.balances(lines)
        return balance.spent, balance.held


async def run(folder: Path, calls: int, seed: int) -> Trial:
    """Users one after the other, each until nothing of worth is left."""
    draw = random.Random(seed)
    with one_worker(folder, CONFIG) as house:
        trial, made, users = Trial(house, draw), 0, 0
        while made < calls:
            users += 1
            user, idle = f"u{users}", 0
            while made < calls and idle < 6 and LIMIT - trial.spent[user] > USED_UP:
                plans = [drawn(draw, made + at, user) for at in range(draw.choice((1, 1, 2, 8)))]
                before = trial.spent[user]
                await trial.batch(plans)
                made += len(plans)
                idle = idle + 1 if trial.spent[user] == before else 0
            assert await trial.standing(user) == (trial.spent[user], 0)
            trial.seen["users"] += 1
        await house.parts.ledger.close()
    return trial


def convincing(seen: Counter[str], calls: int) -> None:
    """Of everything that was to be tried enough happened."""
    assert abs(seen["disturbed"] - seen["undisturbed"]) < calls / 5, seen
    assert seen["users"] > calls / 400, seen
    for kind in ("refused bounded no", "refused unbounded no", "cut", "ok bounded no", "ok unbounded no"):
        assert seen[kind] > calls / 500, (kind, seen)
    assert sum(count for kind, count in seen.items() if kind.startswith("cancelled ")) > calls / 40, seen


async def test_two_thousand_calls(tmp_path: Path) -> None:
    trial = await run(tmp_path, 2_000, seed=3)
    convincing(trial.seen, 2_000)


@pytest.mark.long
@pytest.mark.timeout(3000)
async def test_a_hundred_thousand_calls(tmp_path: Path) -> None:
    trial = await run(tmp_path, 100_000, seed=4)
    convincing(trial.seen, 100_000)
