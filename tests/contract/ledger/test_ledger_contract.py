"""What every ledger promises, one caller at a time or two."""

import asyncio
from dataclasses import replace

import pytest

from proxy.budget import (
    Granted,
    HoldLine,
    HoldLost,
    Ledger,
    LedgerUnavailable,
    LineKind,
    Reached,
    Settled,
    Short,
    Unit,
)
from proxy.core.ids import new_id
from proxy.core.money import Nano
from tests.contract.ledger.kinds import line, request


async def standing(ledger: Ledger, *lines: HoldLine) -> list[tuple[int, int]]:
    return [(balance.spent, balance.held) for balance in await ledger.balances(lines)]


async def test_a_hold_sets_money_aside_and_a_settle_books_what_it_cost(ledger: Ledger) -> None:
    budget = line(limit=100)
    granted = await ledger.hold(request("op_1", 60, budget))
    assert isinstance(granted, Granted)
    assert granted.amount == 60
    assert [(b.line, b.spent, b.held) for b in granted.balances] == [(budget, 0, 60)]
    await ledger.dispatch("op_1", "wrk_1")
    assert await ledger.settle("op_1", Nano(45), 5) == Settled(already=False, overrun=Nano(0))
    assert await standing(ledger, budget) == [(45, 0)]


async def test_the_last_nano_dollar_can_be_held_and_not_one_more(ledger: Ledger) -> None:
    budget = line(limit=100)
    assert isinstance(await ledger.hold(request("op_1", 60, budget)), Granted)
    assert await ledger.hold(request("op_2", 41, budget)) == Short(budget, Nano(0), Nano(60), Nano(41))
    assert isinstance(await ledger.hold(request("op_3", 40, budget)), Granted)
    await ledger.settle("op_1", Nano(60), 1)
    assert await ledger.hold(request("op_4", 1, budget)) == Short(budget, Nano(60), Nano(40), Nano(1))
    assert isinstance(await ledger.hold(request("op_5", 0, budget)), Granted)


@pytest.mark.parametrize("edge", [-1, 0, 1])
async def test_a_nano_dollar_counts_beyond_what_a_double_can_tell(ledger: Ledger, edge: int) -> None:
    # 9.1 million dollars lie above 2**53 nano-dollars, where doubles count in twos.
    limit = 9_100_000 * 10**9 + edge
    budget = line(limit=limit)
    assert isinstance(await ledger.hold(request("op_1", limit - 1, budget)), Granted)
    assert isinstance(await ledger.hold(request("op_2", 2, budget)), Short)
    assert isinstance(await ledger.hold(request("op_3", 1, budget)), Granted)
    assert isinstance(await ledger.hold(request("op_4", 1, budget)), Short)
    await ledger.settle("op_1", Nano(limit - 1), 1)
    await ledger.settle("op_3", Nano(1), 1)
    assert await standing(ledger, budget) == [(limit, 0)]


async def test_two_racing_holds_cannot_overdraw(ledger: Ledger) -> None:
    budget = line(limit=100)
    verdicts = await asyncio.gather(ledger.hold(request("op_1", 60, budget)), ledger.hold(request("op_2", 60, budget)))
    assert sorted(type(verdict).__name__ for verdict in verdicts) == ["Granted", "Short"]


async def test_holding_twice_holds_once(ledger: Ledger) -> None:
    budget = line(limit=100)
    await asyncio.gather(*[ledger.hold(request("op_1", 60, budget)) for _ in range(5)])
    again = await ledger.hold(request("op_1", 70, budget))
    assert isinstance(again, Granted)
    assert again.amount == 60
    assert await standing(ledger, budget) == [(0, 60)]


async def test_settling_twice_counts_once(ledger: Ledger) -> None:
    budget = line(limit=100)
    operation = new_id("op")
    await ledger.hold(request(operation, 60, budget))
    first = await asyncio.gather(*[ledger.settle(operation, Nano(50), 1) for _ in range(5)])
    assert sorted(settled.already for settled in first) == [False, True, True, True, True]
    assert await ledger.settle(operation, Nano(70), 1) == Settled(already=True, overrun=Nano(0), unknown=False)
    assert await standing(ledger, budget) == [(50, 0)]


async def test_settling_what_was_never_held_books_nothing_and_says_so(ledger: Ledger) -> None:
    assert await ledger.settle(new_id("op"), Nano(50), 1) == Settled(already=True, overrun=Nano(0), unknown=True)


async def test_a_settled_operation_cannot_be_held_again(ledger: Ledger) -> None:
    budget = line(limit=100)
    await ledger.hold(request("op_1", 60, budget))
    await ledger.settle("op_1", Nano(50), 1)
    with pytest.raises(HoldLost):
        await ledger.hold(request("op_1", 10, budget))
    assert await standing(ledger, budget) == [(50, 0)]


async def test_a_release_gives_everything_back_once(ledger: Ledger) -> None:
    budget = line(limit=100)
    await ledger.hold(request("op_1", 60, budget))
    assert await ledger.release("op_1") is True
    assert await ledger.release("op_1") is False
    assert await standing(ledger, budget) == [(0, 0)]
    assert isinstance(await ledger.hold(request("op_1", 100, budget)), Granted)


async def test_a_refusal_consumes_nothing_on_any_line(ledger: Ledger) -> None:
    org, team, key = line("bud_org", limit=100), line("bud_team", limit=50), line("bud_key", limit=10)
    refused = await ledger.hold(request("op_1", 11, org, team, key))
    assert isinstance(refused, Short)
    assert refused.line is key
    assert await standing(ledger, org, team, key) == [(0, 0)] * 3
    assert await ledger.holds_of("wrk_1") == []
    assert isinstance(await ledger.hold(request("op_1", 10, org, team, key)), Granted)
    assert await standing(ledger, org, team, key) == [(0, 10)] * 3


async def test_a_soft_line_counts_and_never_refuses(ledger: Ledger) -> None:
    soft, hard = line("bud_soft", limit=10, hard=False), line("bud_hard", limit=100)
    granted = await ledger.hold(request("op_1", 60, soft, hard))
    assert isinstance(granted, Granted)
    assert [balance.held for balance in granted.balances] == [60, 60]
    await ledger.settle("op_1", Nano(60), 1)
    assert await standing(ledger, soft, hard) == [(60, 0), (60, 0)]


async def test_a_bill_above_its_hold_is_booked_in_full_and_stops_the_scope(ledger: Ledger) -> None:
    budget = line(limit=100)
    await ledger.hold(request("op_1", 60, budget))
    assert await ledger.settle("op_1", Nano(130), 1) == Settled(already=False, overrun=Nano(70))
    assert await standing(ledger, budget) == [(130, 0)]
    assert isinstance(await ledger.hold(request("op_2", 0, budget)), Short)


async def test_an_extension_is_held_on_all_lines_or_none(ledger: Ledger) -> None:
    org, key = line("bud_org", limit=1000), line("bud_key", limit=100)
    await ledger.hold(request("op_1", 60, org, key))
    granted = await ledger.extend("op_1", {Unit.USD: 30})
    assert isinstance(granted, Granted)
    assert granted.amount == 90
    short = await ledger.extend("op_1", {Unit.USD: 11})
    assert isinstance(short, Short)
    assert short.line.budget == "bud_key"
    assert await standing(ledger, org, key) == [(0, 90), (0, 90)]
    assert await ledger.settle("op_1", Nano(95), 1) == Settled(already=False, overrun=Nano(5))
    assert await standing(ledger, org, key) == [(95, 0), (95, 0)]


async def test_a_lost_hold_can_neither_be_dispatched_nor_extended(ledger: Ledger) -> None:
    await ledger.hold(request("op_1", 60, line(limit=100)))
    await ledger.release("op_1")
    with pytest.raises(HoldLost):
        await ledger.dispatch("op_1", "wrk_1")
    with pytest.raises(HoldLost):
        await ledger.extend("op_1", {Unit.USD: 1})


async def test_a_window_that_rolls_leaves_open_holds_where_they_were_made(ledger: Ledger) -> None:
    november, december = line(limit=100), line(limit=100, window="2026-12")
    await ledger.hold(request("op_1", 90, november))
    assert isinstance(await ledger.hold(request("op_2", 90, december)), Granted)
    await ledger.settle("op_1", Nano(80), 10**18)
    assert await standing(ledger, november, december) == [(80, 0), (0, 90)]


async def test_a_rolling_line_counts_its_older_windows(ledger: Ledger) -> None:
    minutes = [replace(line(limit=100), window=f"m{at}", counted_from=f"m{max(0, at - 2)}") for at in range(4)]
    await ledger.hold(request("op_0", 50, minutes[0]))
    await ledger.hold(request("op_1", 30, minutes[1]))
    await ledger.settle("op_0", Nano(40), 1)
    assert await standing(ledger, minutes[2]) == [(40, 30)]
    assert await ledger.hold(request("op_2", 31, minutes[2])) == Short(minutes[2], Nano(40), Nano(30), Nano(31))
    granted = await ledger.hold(request("op_2", 30, minutes[2]))
    assert isinstance(granted, Granted)
    assert (granted.balances[0].spent, granted.balances[0].held) == (40, 60)
    # Minute 0 no longer counts in minute 3.
    assert isinstance(await ledger.hold(request("op_3", 40, minutes[3])), Granted)


async def test_tokens_requests_and_slots_are_held_beside_the_money(ledger: Ledger) -> None:
    money = line("bud_usd", limit=1000)
    tokens = replace(line("bud_tokens", limit=500), unit=Unit.TOKENS, amount=300)
    calls = replace(line("bud_calls", limit=10), unit=Unit.REQUESTS, amount=1)
    slots = replace(line("bud_slots", limit=2), unit=Unit.SLOTS, amount=1)
    every = (money, tokens, calls, slots)
    await ledger.hold(request("op_1", 60, *every))
    assert await standing(ledger, *every) == [(0, 60), (0, 300), (0, 1), (0, 1)]
    assert await ledger.hold(request("op_2", 60, *every)) == Short(tokens, Nano(0), Nano(300), Nano(300))
    assert isinstance(await ledger.extend("op_1", {Unit.USD: 5}), Granted)
    await ledger.settle("op_1", Nano(50), 1, used={Unit.TOKENS: 210})
    assert await standing(ledger, *every) == [(50, 0), (210, 0), (1, 0), (0, 0)]


async def test_an_extension_grows_the_lines_of_the_units_it_names(ledger: Ledger) -> None:
    money = line("bud_usd", limit=1000)
    tokens = replace(line("bud_tokens", limit=500), unit=Unit.TOKENS, amount=300, kind=LineKind.RATE)
    output = replace(line("bud_output", limit=100), unit=Unit.OUTPUT_TOKENS, amount=50, kind=LineKind.RUN)
    tools = replace(line("bud_tools", limit=5), unit=Unit.TOOL_CALLS, amount=1, kind=LineKind.RUN)
    every = (money, tokens, output, tools)
    await ledger.hold(request("op_1", 60, *every))
    granted = await ledger.extend("op_1", {Unit.TOKENS: 50, Unit.OUTPUT_TOKENS: 50, Unit.INPUT_TOKENS: 7})
    assert isinstance(granted, Granted)
    assert (granted.amount, [each[1:] for each in granted.balances]) == (60, [(0, 350), (0, 100)])
    granted = await ledger.extend("op_1", {Unit.USD: 5, Unit.TOKENS: 0})
    assert isinstance(granted, Granted)
    assert (granted.amount, [each[1:] for each in granted.balances]) == (65, [(0, 65), (0, 350)])
    short = await ledger.extend("op_1", {Unit.USD: 5, Unit.TOKENS: 150, Unit.OUTPUT_TOKENS: 1})
    assert short == Short(output, Nano(0), Nano(100), Nano(1))
    assert await standing(ledger, *every) == [(0, 65), (0, 350), (0, 100), (0, 1)]
    # Overrun is what a line used beyond all that was held on it; what is not named was used as it was held.
    await ledger.settle("op_1", Nano(64), 1, used={Unit.TOKENS: 351})
    assert await standing(ledger, *every) == [(64, 0), (351, 0), (100, 0), (1, 0)]


async def test_what_an_extension_held_is_given_back_with_the_hold(ledger: Ledger) -> None:
    money, tokens = line("bud_usd", limit=1000), replace(line(limit=500), unit=Unit.TOKENS, amount=300)
    await ledger.hold(request("op_1", 60, tokens, money))
    await ledger.extend("op_1", {Unit.USD: 5, Unit.TOKENS: 150})
    assert await standing(ledger, tokens, money) == [(0, 450), (0, 65)]
    assert await ledger.release("op_1") is True
    assert await standing(ledger, tokens, money) == [(0, 0), (0, 0)]


async def test_a_gate_is_answered_before_any_limit_and_sets_nothing_aside(ledger: Ledger) -> None:
    tight = line("bud_tight", limit=50)
    gated = replace(line("bud_gated", limit=1000), gate=80)
    soft = replace(line("bud_soft", limit=10, hard=False), gate=90)
    assert isinstance(await ledger.hold(request("op_1", 80, gated, soft)), Granted)
    assert await ledger.hold(request("op_2", 11, gated, soft)) == Reached(gated, Nano(0), Nano(80), Nano(11))
    # The first in the order of the lines, also one that is soft; and before the limit of a line that stands first.
    assert await ledger.hold(request("op_2", 60, tight, soft, gated)) == Reached(soft, Nano(0), Nano(80), Nano(60))
    assert await standing(ledger, tight, gated, soft) == [(0, 0), (0, 80), (0, 80)]
    assert await ledger.hold(request("op_2", 60, tight)) == Short(tight, Nano(0), Nano(0), Nano(60))
    # An open hold is answered as it is, and extended past its gates.
    assert isinstance(await ledger.hold(request("op_1", 80, gated, soft)), Granted)
    assert isinstance(await ledger.extend("op_1", {Unit.USD: 20}), Granted)
    await ledger.settle("op_1", Nano(79), 1)
    assert isinstance(await ledger.hold(request("op_3", 1, gated)), Granted)
    assert await ledger.hold(request("op_4", 1, gated)) == Reached(gated, Nano(79), Nano(1), Nano(1))


async def test_a_hold_without_lines_is_still_a_lease(ledger: Ledger) -> None:
    granted = await ledger.hold(request("op_1", 60))
    assert granted == Granted(Nano(60), ())
    assert [hold.operation for hold in await ledger.holds_of("wrk_1")] == ["op_1"]
    assert await ledger.settle("op_1", Nano(70), 1) == Settled(already=False, overrun=Nano(10))
    assert await ledger.holds_of("wrk_1") == []


async def test_a_hold_lapses_when_both_its_own_lease_and_its_workers_have_ended(ledger: Ledger) -> None:
    budget = line(limit=100)
    await ledger.hold(request("op_held", 10, budget, lease_until_ns=100))
    await ledger.hold(request("op_sent", 20, budget, lease_until_ns=100))
    await ledger.hold(request("op_other", 30, budget, worker="wrk_2", lease_until_ns=100))
    await ledger.dispatch("op_sent", "wrk_1", start_record=b"sent")
    assert await ledger.lapsed(100) == []
    await ledger.renew("wrk_2", 200)
    lapsed = await ledger.lapsed(101)
    assert [(hold.operation, hold.worker, hold.phase, hold.amount, hold.start_record) for hold in lapsed] == [
        ("op_held", "wrk_1", "held", 10, b'{"operation_id":"op_held"}'),
        ("op_sent", "wrk_1", "dispatched", 20, b"sent"),
    ]
    await ledger.renew("wrk_1", 150)
    assert await ledger.lapsed(150) == []
    assert len(await ledger.lapsed(151)) == 2
    assert {hold.operation for hold in await ledger.lapsed(201)} == {"op_held", "op_sent", "op_other"}


async def test_a_sweep_leaves_nothing_held_and_a_late_settle_books_nothing_more(ledger: Ledger) -> None:
    budget = line(limit=100)
    await ledger.hold(request("op_held", 10, budget))
    await ledger.hold(replace(request("op_sent", 20, budget), dispatched=True))
    for hold in await ledger.holds_of("wrk_1"):
        if hold.phase == "held":
            assert await ledger.release(hold.operation, only_held=True) is True
        else:
            assert await ledger.release(hold.operation, only_held=True) is False
            await ledger.settle(hold.operation, hold.amount, 1)
    assert await standing(ledger, budget) == [(20, 0)]
    assert (await ledger.settle("op_sent", Nano(3), 1)).already is True
    with pytest.raises(HoldLost):
        await ledger.dispatch("op_held", "wrk_1")
    assert await standing(ledger, budget) == [(20, 0)]


async def test_five_hundred_concurrent_holds_get_money_for_exactly_thirty_seven(ledger: Ledger) -> None:
    budget = line(limit=37 * 1_000_003 + 1_000_002)
    verdicts = await asyncio.gather(*[ledger.hold(request(new_id("op"), 1_000_003, budget)) for _ in range(500)])
    assert sum(isinstance(verdict, Granted) for verdict in verdicts) == 37


@pytest.mark.parametrize("amount", [-1, 10**18 + 1])
async def test_absurd_amounts_are_a_fault_of_the_caller(ledger: Ledger, amount: int) -> None:
    with pytest.raises(ValueError, match="between 0"):
        await ledger.hold(request("op_1", amount, line(limit=100)))
    with pytest.raises(ValueError, match="between 0"):
        await ledger.settle("op_1", Nano(amount), 1)


async def test_closing_carries_out_what_waits_and_refuses_what_comes_later(ledger: Ledger) -> None:
    budget = line(limit=100)
    await ledger.hold(request("op_1", 60, budget))
    waiting = asyncio.ensure_future(ledger.settle("op_1", Nano(50), 1))
    await asyncio.sleep(0)
    await ledger.close()
    assert (await waiting).already is False
    with pytest.raises(LedgerUnavailable):
        await ledger.hold(request("op_2", 1, budget))
    with pytest.raises(LedgerUnavailable):
        await ledger.balances((budget,))
    await ledger.close()
