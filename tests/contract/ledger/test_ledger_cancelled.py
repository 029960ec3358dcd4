"""A caller may be cancelled at any moment; no hold is left without an owner."""

import asyncio
import random
import time
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from proxy.budget import Granted, HoldLine, HoldLost, Ledger, Unit
from proxy.core.money import Nano
from tests.contract.ledger.interrupted import interrupted
from tests.contract.ledger.kinds import line, opened, request

TURNS = range(8)


async def quiet(ledger: Ledger) -> None:
    """Wait until what was asked for is done: steps are carried out in order."""
    for _ in range(3):
        await asyncio.sleep(0)
        await ledger.renew("wrk_quiet", 1)


@pytest.mark.parametrize("turns", TURNS)
async def test_a_cancelled_hold_leaves_nothing_held(ledger: Ledger, turns: int) -> None:
    budget = line(limit=100)
    asker = asyncio.ensure_future(ledger.hold(request("op_1", 60, budget)))
    for _ in range(turns):
        await asyncio.sleep(0)
    asker.cancel()
    (outcome,) = await asyncio.gather(asker, return_exceptions=True)
    await quiet(ledger)
    held = 60 if isinstance(outcome, Granted) else 0
    assert (await ledger.balances((budget,)))[0].held == held
    assert len(await ledger.holds_of("wrk_1")) == (1 if held else 0)


@pytest.mark.parametrize("turns", range(24))
async def test_a_call_cancelled_anywhere_ends_with_nothing_held(ledger: Ledger, turns: int) -> None:
    budget = line(limit=100)

    async def call() -> None:
        await ledger.hold(request("op_1", 60, budget))
        try:
            await ledger.dispatch("op_1", "wrk_1")
            await ledger.extend("op_1", {Unit.USD: 10})
        finally:
            await ledger.settle("op_1", Nano(5), 1)

    caller = asyncio.ensure_future(call())
    for _ in range(turns):
        await asyncio.sleep(0)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    await quiet(ledger)
    spent, held = (await ledger.balances((budget,)))[0][1:]
    assert held == 0
    assert spent in (0, 5)


@pytest.mark.parametrize("turns", TURNS)
@pytest.mark.parametrize("ending", ["settle", "release"])
async def test_an_ending_once_asked_for_is_carried_out(ledger: Ledger, turns: int, ending: str) -> None:
    budget = line(limit=100)
    await ledger.hold(request("op_1", 60, budget))
    if ending == "settle":
        asker: asyncio.Future[object] = asyncio.ensure_future(ledger.settle("op_1", Nano(50), 1))
    else:
        asker = asyncio.ensure_future(ledger.release("op_1"))
    await asyncio.sleep(0)
    for _ in range(turns):
        await asyncio.sleep(0)
    asker.cancel()
    await asyncio.gather(asker, return_exceptions=True)
    await quiet(ledger)
    assert (await ledger.balances((budget,)))[0][1:] == ((50, 0) if ending == "settle" else (0, 0))


async def test_a_storm_of_cancellations_leaves_exactly_what_was_granted(ledger: Ledger) -> None:
    budget = line(limit=10**9)
    askers = [asyncio.ensure_future(ledger.hold(request(f"op_{at}", 7, budget))) for at in range(300)]
    for at, asker in enumerate(askers):
        if at % 3:
            if at % 7 == 0:
                await asyncio.sleep(0)
            asker.cancel()
    outcomes = await asyncio.gather(*askers, return_exceptions=True)
    await quiet(ledger)
    granted = sum(isinstance(outcome, Granted) for outcome in outcomes)
    assert 100 <= granted < 300
    assert (await ledger.balances((budget,)))[0].held == 7 * granted


async def test_a_dispatch_cancelled_before_it_was_made_can_still_be_released(kind: str, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as ledger:
        await ledger.hold(request("op_1", 60, line(limit=100)))
        sender = asyncio.ensure_future(ledger.dispatch("op_1", "wrk_1"))
        await asyncio.sleep(0)
        sender.cancel()
        await asyncio.gather(sender, return_exceptions=True)
        assert await ledger.release("op_1") is True
        with pytest.raises(HoldLost):
            await ledger.dispatch("op_1", "wrk_1")


async def whole_call(ledger: Ledger, operation: str, budget: HoldLine, booked: list[int]) -> None:
    """A call as the journey makes one: what was granted is ended, whatever happens between."""
    tokens = replace(line("lim_tokens", limit=10**9), unit=Unit.TOKENS, amount=5)
    places = replace(line("lim_places", limit=10**9), unit=Unit.SLOTS, amount=1)
    verdict = await ledger.hold(request(operation, 60, budget, tokens, places))
    assert isinstance(verdict, Granted)
    try:
        await ledger.dispatch(operation, "wrk_1")
        await ledger.extend(operation, {Unit.USD: 10, Unit.TOKENS: 3})
        await ledger.extend(operation, {Unit.USD: 7})
    finally:
        # Noted first: once it is asked for it is done.
        booked.append(71)
        await ledger.settle(operation, Nano(71), 1, used={Unit.TOKENS: 9})


@pytest.mark.parametrize("when", ["asked", "answered"])
async def test_a_call_cancelled_at_every_point_at_which_it_waits_balances(
    ledger: Ledger, when: Literal["asked", "answered"]
) -> None:
    budget, booked = line(limit=10**9), list[int]()
    for at in range(8):
        await interrupted(whole_call(ledger, f"op_{at}", budget, booked), at, when)
    await quiet(ledger)
    # Five points; from the sixth on nothing is cancelled. At the first the hold itself is.
    assert booked == [71] * 7
    lines = (budget, line("lim_tokens", limit=0), line("lim_places", limit=0))
    assert [each[1:] for each in await ledger.balances(lines)] == [(7 * 71, 0), (7 * 9, 0), (0, 0)]
    assert await ledger.holds_of("wrk_1") == []


async def test_after_a_storm_of_cancelled_and_dying_calls_the_sweep_leaves_what_was_booked(
    kind: str, tmp_path: Path
) -> None:
    budget, chance = line(limit=10**12), random.Random(7)
    booked, lost = list[int](), list[str]()
    lease_until_ns = time.time_ns() + 60 * 10**9

    async def dies(ledger: Ledger, operation: str) -> None:
        """A worker's death: nobody is there to end the call."""
        asked = request(operation, 60, budget, lease_until_ns=lease_until_ns)
        asked.dispatched = chance.randrange(2) == 1
        await ledger.hold(asked)
        lost.append(operation)
        await ledger.extend(operation, {Unit.USD: 10})

    async with opened(kind, tmp_path) as first, opened(kind, tmp_path) as second:
        callers = []
        for at in range(400):
            ledger = chance.choice((first, second))
            work = dies(ledger, f"op_{at}") if at % 4 == 0 else whole_call(ledger, f"op_{at}", budget, booked)
            callers.append(asyncio.ensure_future(work))
            if chance.randrange(3) == 0:
                callers[chance.randrange(len(callers))].cancel()
            if chance.randrange(20) == 0:
                await asyncio.sleep(chance.random() * 0.004)
        for caller in chance.sample(callers, 100):
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        await quiet(first)
        await quiet(second)
        assert await first.lapsed(time.time_ns()) == []
        swept = await first.lapsed(lease_until_ns + 10**9)
        for each in swept:
            if each.phase == "held":
                await first.release(each.operation, only_held=True)
            else:
                booked.append(each.amount)
                await first.settle(each.operation, each.amount, 1)
        assert {each.operation for each in swept} == set(lost)
        assert len(booked) > 100 and len(lost) > 20
        assert (await second.balances((budget,)))[0][1:] == (sum(booked), 0)
        assert await second.holds_of("wrk_1") == []
