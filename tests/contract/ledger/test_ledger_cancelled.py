"""A caller may be cancelled at any moment; no hold is left without an owner."""

import asyncio
from pathlib import Path

import pytest

from proxy.budget import Granted, HoldLost, Ledger, Unit
from proxy.core.money import Nano
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
