"""A call cancelled, or left by its client, at every point at which it waits: nothing stays held, the books agree."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from proxy.budget import BudgetSettings
from proxy.core.money import exact_usd
from proxy.upstream import UpstreamFailed
from tests.chaos.stepping import stepped, stepping
from tests.contract.ledger.kinds import KINDS
from tests.harness.one_worker import (
    DONE,
    JSON_HEADERS,
    Answer,
    Client,
    OneWorker,
    chat,
    config,
    one_worker,
    settle_what_waits,
)

STEP: Final = 256
MANY: Final = 400
"""More suspensions than any call here has."""
OUTPUT_NANO: Final = 100_000
"""The price of an output token, in nano-dollars."""
USAGE: Final = {"prompt_tokens": 8, "completion_tokens": 3, "total_tokens": 11}
BUDGETS: Final = f"""
holds: {{first_hold_output_tokens: {STEP}}}
metering: {{margin_percent: 0}}
"""
SCOPES: Final = (
    'limit_usd: 1000}, {name: org, scope: "org:acme", window: month, limit_usd: 1000, hard: true}, '
    '{name: tokens, scope: "team:acme/support", window: day, limit_tokens: 1000000000}, '
    '{name: calls, scope: "user:acme/*", window: total, limit_requests: 1000000'
)


def event(**more: Any) -> bytes:
    return (
        b"data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", "model": "m", **more}).encode() + b"\n\n"
    )


def words(count: int) -> list[bytes]:
    return [event(choices=[{"index": 0, "delta": {"content": "fox "}, "finish_reason": None}]) for _ in range(count)]


async def soon() -> None:
    """A provider takes its time: every chunk is waited for."""
    await asyncio.sleep(0)


def streamed(count: int, at_once: int = 1) -> Answer:
    chunks = words(count)
    parts = [b"".join(chunks[at : at + at_once]) for at in range(0, count, at_once)]
    told = event(choices=[], usage=USAGE | {"completion_tokens": count})
    return Answer(soon, *(each for part in parts for each in (part, soon)), told, DONE)


def whole() -> Answer:
    choice = {"index": 0, "message": {"role": "assistant", "content": "fox"}, "finish_reason": "stop"}
    body = json.dumps({"id": "c", "object": "chat.completion", "model": "m", "choices": [choice], "usage": USAGE})
    return Answer(soon, body.encode(), headers=JSON_HEADERS)


CALLS: Final[dict[str, tuple[bytes, Callable[[], Answer | UpstreamFailed]]]] = {
    "whole": (chat(user="u1"), whole),
    "stream": (chat(stream=True, user="u2"), lambda: streamed(6)),
    # Grows its hold twice on the way.
    "unbounded": (chat(stream=True, max_tokens=None, user="u3"), lambda: streamed(2 * STEP, at_once=32)),
    "refused-upstream": (chat(user="u4"), lambda: UpstreamFailed("refused", "nobody listens", sent=False)),
}


@asynccontextmanager
async def house_of(folder: Path, kind: str = "sqlite") -> AsyncIterator[OneWorker]:
    with one_worker(folder, config(budget=SCOPES, more=BUDGETS)) as house:
        house.rooms.ledger = KINDS[kind](folder / "state", house.rooms.clock, BudgetSettings())
        await house.rooms.ledger.renew("wrk_other", 1)  # it is connected, by tasks that are no call's
        with stepping():
            yield house
        await house.rooms.ledger.close()
        await house.parts.ledger.close()


async def make(house: OneWorker, name: str, at: Callable[[int, asyncio.Task[Any], Client], None]) -> tuple[int, Client]:
    """One call; how often it waited. What it ends in must be an answer or its cancellation, never a fault of ours."""
    body, answer = CALLS[name]
    client = Client(body)
    taken, error = await stepped(lambda: house.call(client, answer()), lambda number, task: at(number, task, client))
    assert error is None or isinstance(error, asyncio.CancelledError), error
    return taken, client


async def books(house: OneWorker) -> None:
    """Nothing is held, and spent is what rows say."""
    rooms = house.rooms
    await settle_what_waits(house)
    for _ in range(200):
        await rooms.ledger.renew("wrk_other", 1)  # whatever was asked of the ledger before is done when this is
        if not await rooms.ledger.holds_of(rooms.worker):
            break
        await asyncio.sleep(0.005)
    rows = house.rows()
    twice = [name for name, count in Counter(row["operation_id"] for row in rows).items() if count > 1]
    assert twice == []
    assert await rooms.ledger.holds_of(rooms.worker) == []
    spent = sum(exact_usd(row["cost_usd"] or "0") for row in rows)
    scopes = ("org:acme", "team:acme/support", "key:acme/support/bot")
    for balance in await rooms.ledger.balances(rooms.snapshot().budgets.lines_for(scopes, rooms.clock.now_ns())):
        assert balance.held == 0, balance
        if balance.line.unit == "usd":
            assert balance.spent == spent, balance


async def at_every_wait(house: OneWorker, name: str, happens: Callable[[asyncio.Task[Any], Client], None]) -> int:
    """Make the call again and again, with something happening before its first wait, its second, …; how many."""
    for wanted in range(1, MANY):

        def at(number: int, task: asyncio.Task[Any], client: Client, wanted: int = wanted) -> None:
            if number == wanted:
                happens(task, client)

        taken, _ = await make(house, name, at)
        await books(house)
        if taken < wanted:
            return taken
    raise AssertionError(f"a call of more than {MANY} waits")


def cancel_at_once(task: asyncio.Task[Any], _: Client) -> None:
    """What is waited for is cancelled with it."""
    task.cancel()


def cancel_a_turn_later(task: asyncio.Task[Any], _: Client) -> None:
    """What was waited for may just have been done: a hold was granted that nobody has heard of."""
    asyncio.get_running_loop().call_soon(task.cancel)


@pytest.mark.parametrize("cancel", [cancel_at_once, cancel_a_turn_later])
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("kind", KINDS)
async def test_cancelled_at_every_wait(
    tmp_path: Path, kind: str, name: str, cancel: Callable[[asyncio.Task[Any], Client], None]
) -> None:
    async with house_of(tmp_path, kind) as house:
        waits = await at_every_wait(house, name, cancel)
        assert waits >= (2 if name == "refused-upstream" else 4)
        outcomes = Counter(row["outcome"] for row in house.rows())
        assert outcomes.keys() & {"refused", "truncated", "upstream_error"}, outcomes
        undisturbed = house.rows()[-1]
        assert undisturbed["outcome"] == ("upstream_error" if name == "refused-upstream" else "ok")
        if name == "unbounded":
            assert exact_usd(undisturbed["held_usd"]) > 2 * STEP * OUTPUT_NANO


@pytest.mark.parametrize("name", ["whole", "stream", "unbounded"])
@pytest.mark.parametrize("kind", KINDS)
async def test_left_by_its_client_at_every_wait(tmp_path: Path, kind: str, name: str) -> None:
    async with house_of(tmp_path, kind) as house:
        await at_every_wait(house, name, lambda _, client: client.hang_up())
        outcomes = Counter(row["outcome"] for row in house.rows())
        assert outcomes["cancelled"] > 0
        assert outcomes.keys() <= {"cancelled", "ok", "refused"}, outcomes


@pytest.mark.parametrize("name", ["whole", "stream"])
async def test_cancelled_twice(tmp_path: Path, name: str) -> None:
    """The second time while it accounts for the first."""
    async with house_of(tmp_path) as house:
        first_waits, _ = await make(house, name, lambda *_: None)
        for first in range(1, first_waits + 1):
            for second in range(first + 1, first_waits + 4):

                def at(
                    number: int, task: asyncio.Task[Any], _: Client, hits: tuple[int, int] = (first, second)
                ) -> None:
                    if number in hits:
                        task.cancel()

                await make(house, name, at)
                await books(house)
