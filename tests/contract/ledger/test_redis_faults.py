"""The Redis ledger when its server stands still, dies, forgets, is slow or full: quick to say so, and exact after."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from proxy.budget import BudgetSettings, Granted, Ledger, LedgerUnavailable, RedisLedger, RedisSettings, Unit
from proxy.core.clock import SystemClock
from proxy.core.ids import new_id
from proxy.core.money import Nano
from tests.contract.ledger.kinds import line, request
from tests.contract.ledger.redis_server import RedisServer, served
from tests.contract.ledger.slow_relay import SlowRelay, relayed

pytestmark = pytest.mark.alone

BUDGET = line(limit=10**15)
ANSWER_S = 0.25
PATIENT = RedisSettings(deadline_ms=10_000, patience_ms=20_000)


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with served() as started:
        yield started


@pytest.fixture
async def ledger(server: RedisServer) -> AsyncIterator[RedisLedger]:
    """With the deadlines that it has in service."""
    made = RedisLedger(server.url, clock=SystemClock())
    yield made
    await made.close()


@pytest.fixture
async def patient(server: RedisServer) -> AsyncIterator[RedisLedger]:
    """For what is not about time: machines that test are busy."""
    made = RedisLedger(server.url, clock=SystemClock(), redis=PATIENT)
    yield made
    await made.close()


@pytest.fixture
async def relay(server: RedisServer) -> AsyncIterator[SlowRelay]:
    async with relayed(server.port) as made:
        yield made


async def answer_of(step: Awaitable[object]) -> tuple[object, float]:
    """What it answered or raised, and after how many seconds."""
    began = time.monotonic()
    try:
        return await step, time.monotonic() - began
    except LedgerUnavailable as error:
        return error, time.monotonic() - began


@dataclass
class Starved:
    """Seconds for which this process would have worked and got no processor: nobody could have answered then."""

    seconds: float = 0.0

    async def watch(self) -> None:
        while True:
            began, worked = time.monotonic(), time.process_time()
            await asyncio.sleep(0.002)
            idle = time.monotonic() - began - (time.process_time() - worked)
            self.seconds += max(0.0, idle - 0.005)


@pytest.fixture
async def starved() -> AsyncIterator[Starved]:
    """So that a deadline can be tested on a machine that does other things too."""
    watched = Starved()
    watching = asyncio.get_running_loop().create_task(watched.watch())
    yield watched
    watching.cancel()


async def answered_again(step: Callable[[], Awaitable[Any]]) -> Any:
    """The answer, once there is one; within five seconds."""
    until = time.monotonic() + 5
    while True:
        try:
            return await step()
        except LedgerUnavailable:
            assert time.monotonic() < until, "the ledger did not heal"
            await asyncio.sleep(0.02)


async def held(ledger: Ledger, operation: str) -> None:
    """A hold of 60."""
    assert isinstance(await answered_again(lambda: ledger.hold(request(operation, 60, BUDGET))), Granted)


async def at_last(ledger: Ledger, spent: int, held: int) -> None:
    """The budget stands there, at the latest when what nobody waits for was done."""
    until = time.monotonic() + 5
    while (standing := tuple((await answered_again(lambda: ledger.balances((BUDGET,))))[0][1:])) != (spent, held):
        assert time.monotonic() < until, f"{standing} is not {(spent, held)}"
        await asyncio.sleep(0.02)


def every_step(ledger: Ledger) -> list[Awaitable[object]]:
    return [
        ledger.hold(request(new_id("op"), 7, BUDGET)),
        ledger.dispatch("op_1", "wrk_1"),
        ledger.extend("op_1", {Unit.USD: 1}),
        ledger.settle("op_2", Nano(1), 1),
        ledger.release("op_3"),
        ledger.renew("wrk_1", 1),
        ledger.lapsed(1),
        ledger.holds_of("wrk_1"),
        ledger.balances((BUDGET,)),
        ledger.kill_run("acme", "key_1", "r", 1),
        ledger.runs(),
        ledger.killed_runs(0),
    ]


async def test_a_server_that_stands_still_is_said_so_in_time_and_nothing_is_held_afterwards(
    server: RedisServer, ledger: RedisLedger, starved: Starved
) -> None:
    for number in (1, 2, 3):
        await held(ledger, f"op_{number}")
    server.pause()
    for _ in range(5):
        starved.seconds = 0
        steps = every_step(ledger) + [ledger.hold(request(new_id("op"), 7, BUDGET)) for _ in range(200)]
        outcomes = await asyncio.gather(*[answer_of(step) for step in steps])
        assert {type(outcome) for outcome, _ in outcomes} == {LedgerUnavailable}
        assert {getattr(outcome, "dependency", "") for outcome, _ in outcomes} == {"ledger"}
        assert max(took for _, took in outcomes) < ANSWER_S + starved.seconds
    server.go_on()
    await answered_again(lambda: ledger.settle("op_1", Nano(50), 1))
    await answered_again(lambda: ledger.settle("op_2", Nano(50), 1))
    await answered_again(lambda: ledger.release("op_3"))
    await held(ledger, "op_4")
    await answered_again(lambda: ledger.settle("op_4", Nano(1), 1))
    # op_2 may have been settled at 1 by the step that nobody got an answer to.
    spent = (await answered_again(lambda: ledger.balances((BUDGET,))))[0].spent
    assert spent in (50 + 50 + 1, 50 + 1 + 1)
    await at_last(ledger, spent, 0)
    assert await answered_again(lambda: ledger.holds_of("wrk_1")) == []


async def test_a_failing_server_is_left_alone_and_then_tried_by_one_step(
    server: RedisServer, ledger: RedisLedger, starved: Starved
) -> None:
    await held(ledger, "op_1")
    server.pause()
    for _ in range(2):
        await answer_of(ledger.renew("wrk_1", 1))
    refused, took = await answer_of(ledger.renew("wrk_1", 1))
    assert isinstance(refused, LedgerUnavailable)
    assert took < 0.02 + starved.seconds
    assert ledger.figures.refused_open == 1
    await asyncio.sleep(0.3)
    # The trial waits for its answer; it fails, and the pause begins anew.
    _, took = await answer_of(ledger.renew("wrk_1", 1))
    assert took > 0.04
    assert (await answer_of(ledger.renew("wrk_1", 1)))[1] < 0.02 + starved.seconds
    server.go_on()
    await answered_again(lambda: ledger.renew("wrk_1", 1))


@pytest.mark.parametrize("kill", [True, False])
async def test_a_restarted_server_still_has_its_holds(server: RedisServer, patient: RedisLedger, kill: bool) -> None:
    # With `everysec` a write may wait up to two seconds for a disk that is slow just then, and die with the server.
    assert server.command("CONFIG", "SET", "appendfsync", "always").startswith(b"+OK")
    await patient.hold(request("op_1", 60, BUDGET))
    await patient.dispatch("op_1", "wrk_1", start_record=b"sent")
    server.stop(kill=kill)
    refused, took = await answer_of(patient.hold(request("op_2", 7, BUDGET)))
    assert isinstance(refused, LedgerUnavailable)
    assert took < ANSWER_S
    server.start()
    await at_last(patient, 0, 60)
    assert [(hold.phase, hold.start_record) for hold in await patient.holds_of("wrk_1")] == [("dispatched", b"sent")]
    assert (await patient.settle("op_1", Nano(50), 1)).already is False
    await at_last(patient, 50, 0)


async def test_a_restart_between_two_calls_is_not_noticed(server: RedisServer, patient: RedisLedger) -> None:
    await patient.hold(request("op_1", 60, BUDGET))
    server.stop()
    server.start()
    assert isinstance(await patient.hold(request("op_2", 7, BUDGET)), Granted)
    await at_last(patient, 0, 67)


async def test_a_server_that_forgot_the_scripts_is_taught_them_again(server: RedisServer, patient: RedisLedger) -> None:
    await patient.hold(request("op_1", 60, BUDGET))
    assert server.command("SCRIPT", "FLUSH").startswith(b"+OK")
    operations = [new_id("op") for _ in range(100)]
    holding = [patient.hold(request(operation, 1, BUDGET)) for operation in operations]
    assert {type(verdict) for verdict in await asyncio.gather(*holding)} == {Granted}
    for each in every_step(patient):
        server.command("SCRIPT", "FLUSH")
        await each
    await asyncio.gather(*[patient.settle(operation, Nano(1), 1) for operation in operations])
    # Beside the hundred: op_1, extended, and one more hold.
    await at_last(patient, 100, 61 + 7)


async def test_a_server_five_seconds_away_is_as_good_as_none(
    server: RedisServer, relay: SlowRelay, starved: Starved
) -> None:
    ledger = RedisLedger(relay.url, clock=SystemClock())
    await held(ledger, "op_1")
    relay.delay_s = 5
    for _ in range(6):
        starved.seconds = 0
        outcomes = await asyncio.gather(*[answer_of(ledger.hold(request(new_id("op"), 7, BUDGET))) for _ in range(20)])
        assert max(took for _, took in outcomes) < ANSWER_S + starved.seconds
        assert {type(outcome) for outcome, _ in outcomes} == {LedgerUnavailable}
        await asyncio.sleep(0.1)
    relay.delay_s = 0
    await answered_again(lambda: ledger.settle("op_1", Nano(50), 1))
    await asyncio.sleep(5)
    # What was on its way has arrived by now: late, and without effect.
    await at_last(ledger, 50, 0)
    assert await answered_again(lambda: ledger.holds_of("wrk_1")) == []
    await ledger.close()


async def test_a_lost_answer_is_asked_for_again_and_counts_once(server: RedisServer, relay: SlowRelay) -> None:
    ledger = RedisLedger(relay.url, clock=SystemClock(), redis=PATIENT)

    async def without_answer(step: Awaitable[Any]) -> Any:
        relay.answers_to_lose = 1
        answer = await step
        assert relay.answers_to_lose == 0
        return answer

    await ledger.balances((BUDGET,))
    await ledger.hold(request("op_teach", 0, BUDGET))
    await ledger.extend("op_teach", {Unit.USD: 0})
    await ledger.settle("op_teach", Nano(0), 1)
    await ledger.release("op_teach")
    held = await without_answer(ledger.hold(request("op_1", 60, BUDGET)))
    assert held == Granted(Nano(60), held.balances)
    assert held.balances[0].held == 60
    extended = await without_answer(ledger.extend("op_1", {Unit.USD: 30}))
    assert (extended.amount, extended.balances[0].held) == (90, 90)
    assert (await ledger.extend("op_1", {Unit.USD: 5})).amount == 95  # type: ignore[union-attr]
    await without_answer(ledger.settle("op_1", Nano(50), 1))
    await at_last(ledger, 50, 0)
    await ledger.hold(request("op_2", 60, BUDGET))
    assert await without_answer(ledger.release("op_2")) is True
    assert await ledger.release("op_2") is False
    await at_last(ledger, 50, 0)
    await ledger.close()


async def test_five_hundred_at_once_need_one_connection(server: RedisServer, patient: RedisLedger) -> None:
    holding = [patient.hold(request(new_id("op"), 1, BUDGET)) for _ in range(500)]
    assert {type(verdict) for verdict in await asyncio.gather(*holding)} == {Granted}
    # Ours, and the one that asks.
    assert server.command("CLIENT", "LIST").count(b"id=") == 2
    await at_last(patient, 0, 500)


async def test_a_full_server_holds_nothing_more_and_still_settles(server: RedisServer) -> None:
    ledger = RedisLedger(server.url, clock=SystemClock(), redis=replace(PATIENT, failures=100))
    await ledger.hold(request("op_1", 60, BUDGET))
    server.command("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(LedgerUnavailable, match="memory"):
        await ledger.hold(request("op_2", 7, BUDGET))
    await ledger.dispatch("op_1", "wrk_1", start_record=b"sent")
    assert (await ledger.settle("op_1", Nano(50), 1)).already is False
    server.command("CONFIG", "SET", "maxmemory", "0")
    await at_last(ledger, 50, 0)
    await ledger.close()


async def test_closing_does_not_wait_for_a_server_that_stands_still(server: RedisServer) -> None:
    ledger = RedisLedger(server.url, clock=SystemClock())
    await held(ledger, "op_1")
    server.pause()
    settling = asyncio.ensure_future(ledger.settle("op_1", Nano(50), 1))
    await asyncio.sleep(0)
    began = time.monotonic()
    await ledger.close()
    assert time.monotonic() - began < 1
    with pytest.raises(LedgerUnavailable):
        await settling
    server.go_on()


async def test_a_settled_operation_is_forgotten_when_its_time_is_over(server: RedisServer) -> None:
    brief = BudgetSettings(settled_memory_s=1)
    ledger = RedisLedger(server.url, clock=SystemClock(), settings=brief, redis=PATIENT)
    operation = new_id("op")
    await ledger.hold(request(operation, 60, BUDGET))
    await ledger.settle(operation, Nano(50), 1)
    assert (await ledger.settle(operation, Nano(50), 1)).unknown is False
    await asyncio.sleep(1.3)
    assert (await ledger.settle(operation, Nano(50), 1)).unknown is True
    assert server.command("KEYS", "*settled*") == b"*0\r\n"
    await ledger.close()


async def test_windows_that_nobody_asks_for_are_forgotten_unless_something_is_held(
    server: RedisServer, patient: RedisLedger
) -> None:
    now = time.time_ns()

    def minute(at: int, ends_ns: int) -> Any:
        return replace(line(limit=10**15, window=f"m{at:04d}"), kept_until_ns=ends_ns)

    await patient.hold(request("op_kept", 5, minute(0, now - 10**10)))
    for at in range(1, 40):
        await patient.hold(request("op_1", 5, minute(at, now - 10**10)))
        await patient.release("op_1")
    await patient.hold(request("op_2", 5, minute(100, now + 10**12)))
    assert server.command("ZCARD", "{flyball}:windows") in (b":2\r\n", b":3\r\n")
    assert [each.held for each in await patient.balances([minute(0, 0), minute(100, 0)])] == [5, 5]


@pytest.mark.parametrize("fault", ["stands still", "is killed", "forgets scripts", "is slow", "loses answers"])
async def test_a_storm_of_calls_over_a_fault_balances_to_the_nano_dollar(
    server: RedisServer, relay: SlowRelay, fault: str
) -> None:
    ledgers = [RedisLedger(relay.url, clock=SystemClock()) for _ in range(2)]
    chance, booked, over = random.Random(11), list[int](), asyncio.Event()
    endings: list[asyncio.Future[Any]] = []

    async def call(ledger: Ledger, operation: str) -> None:
        amount = chance.randrange(1, 10**6)
        verdict = await ledger.hold(request(operation, amount, BUDGET))
        assert isinstance(verdict, Granted)
        try:
            await ledger.dispatch(operation, "wrk_1")
            await ledger.extend(operation, {Unit.USD: 5})
        finally:
            # As a journey does it: undisturbed, again and again until it is acknowledged.
            booked.append(amount + 1)
            ending = answered_again(lambda: ledger.settle(operation, Nano(amount + 1), 1))
            endings.append(asyncio.ensure_future(ending))

    async def caller(ledger: Ledger, name: int) -> None:
        made = 0
        while not over.is_set():
            made += 1
            making = asyncio.ensure_future(call(ledger, f"op_{name}_{made}"))
            if chance.randrange(4) == 0:
                await asyncio.sleep(chance.random() * 0.01)
                making.cancel()
            (outcome,) = await asyncio.gather(making, return_exceptions=True)
            assert outcome is None or isinstance(outcome, LedgerUnavailable | asyncio.CancelledError)
            await asyncio.sleep(0.001)

    callers = [asyncio.ensure_future(caller(ledgers[name % 2], name)) for name in range(16)]
    for _ in range(3):
        await asyncio.sleep(0.3)
        await strike(server, relay, fault)
    await asyncio.sleep(0.3)
    over.set()
    await asyncio.gather(*callers)
    for settled in await asyncio.gather(*endings):
        assert not settled.unknown
    await at_last(ledgers[1], sum(booked), 0)
    assert await answered_again(lambda: ledgers[0].holds_of("wrk_1")) == []
    assert len(booked) > 50
    for ledger in ledgers:
        await ledger.close()


async def strike(server: RedisServer, relay: SlowRelay, fault: str) -> None:
    """Let it happen, and be over."""
    if fault == "stands still":
        server.pause()
        await asyncio.sleep(0.4)
        server.go_on()
    elif fault == "is killed":
        server.stop(kill=True)
        await asyncio.sleep(0.1)
        await asyncio.to_thread(server.start)
    elif fault == "forgets scripts":
        server.command("SCRIPT", "FLUSH")
    elif fault == "is slow":
        relay.delay_s = 0.2
        await asyncio.sleep(0.5)
        relay.delay_s = 0
    else:
        relay.answers_to_lose = 3
