"""What only the Redis ledger has to prove: exact sums in a language of doubles, one slot, one clock, one node."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from redis.crc import key_slot

from proxy.budget import Granted, HoldLine, LedgerUnavailable, RedisLedger, RedisSettings, RunTicket, Short
from proxy.budget.ledger import Unit
from proxy.budget.redis.keys import Keys
from proxy.budget.redis.questions import Balances, Ended, Look, Owned
from proxy.budget.redis.runs import KilledRuns, KillRun, Runs
from proxy.budget.redis.steps import Dispatch, Extend, Hold, Release, Renew, Settle, Step
from proxy.core.clock import Clock, SetClock, SystemClock
from proxy.core.ids import new_id
from proxy.core.money import Nano
from tests.contract.ledger.kinds import line, request
from tests.contract.ledger.redis_server import RedisServer, served, shared_url

PATIENT = RedisSettings(deadline_ms=10_000, patience_ms=20_000)
MOST = 10**18
RUN = RunTicket(org="acme", key_id="key_1", name="r", parent="p")
EDGES = (0, 1, 10**9 - 1, 10**9, 2**53 - 1, 2**53, 2**53 + 1, 9_100_000 * 10**9, MOST - 1, MOST)


@pytest.fixture
async def ledger() -> AsyncIterator[RedisLedger]:
    """An empty ledger of its own on the shared server."""
    made = RedisLedger(shared_url(), clock=SystemClock(), redis=replace(PATIENT, name=new_id("org")))
    yield made
    await made.close()


def some_amount(chance: random.Random) -> int:
    edge = chance.choice(EDGES) + chance.randint(-2, 2)
    return min(MOST, max(0, chance.choice((edge, chance.randrange(10 ** chance.randint(1, 18))))))


@pytest.mark.parametrize("seed", range(4))
async def test_sums_and_comparisons_are_those_of_integers(ledger: RedisLedger, seed: int) -> None:
    chance = random.Random(seed)
    for turn in range(100):
        await compare_once(ledger, chance, turn)


async def compare_once(ledger: RedisLedger, chance: random.Random, turn: int) -> None:
    """One budget with amounts around where limbs and doubles end; a limit off by a nano-dollar, a dollar or nothing."""
    spent, held, wanted = (some_amount(chance) for _ in range(3))
    limit = max(0, spent + held + wanted + chance.choice((-1, 0, 1, 0, -(10**9), 10**9)))
    roomy = line(f"bud_{turn}", limit=4 * MOST)
    await ledger.hold(request(f"op_spent_{turn}", 0, roomy))
    settled = await ledger.settle(f"op_spent_{turn}", Nano(spent), 1)
    assert settled.overrun == spent
    await ledger.hold(request(f"op_held_{turn}", held, roomy))
    verdict = await ledger.hold(request(f"op_wanted_{turn}", wanted, replace(roomy, limit=Nano(limit))))
    if spent + held + wanted > limit:
        assert verdict[1:] == (spent, held, wanted)
        assert isinstance(verdict, Short)
    else:
        assert isinstance(verdict, Granted)
        assert verdict.balances[0][1:] == (spent, held + wanted)
    more = await ledger.extend(f"op_held_{turn}", {Unit.USD: wanted})
    assert isinstance(more, Granted)
    assert more.amount == held + wanted


async def test_rolling_windows_add_up_beyond_what_a_double_can_tell(ledger: RedisLedger) -> None:
    windows = [line(limit=4 * MOST, window=f"m{at:02d}") for at in range(60)]
    amount = 9_100_000 * 10**9 + 1
    for at, window in enumerate(windows):
        await ledger.hold(request(f"op_{at}", amount, window))
    rolling = replace(windows[-1], counted_from="m01", limit=Nano(60 * amount))
    assert isinstance(await ledger.hold(request("op_one", amount + 1, rolling)), Short)
    assert isinstance(await ledger.hold(request("op_one", amount, rolling)), Granted)
    assert (await ledger.balances((rolling,)))[0].held == 60 * amount


async def test_a_counter_at_the_end_of_64_bits_refuses_whole_steps_and_nothing_else(ledger: RedisLedger) -> None:
    soft, other = line(limit=1, hard=False), line("bud_b", limit=4 * MOST)
    for at in range(8):
        await ledger.hold(request(f"op_{at}", MOST, soft))
        await ledger.settle(f"op_{at}", Nano(MOST), 1)
    await ledger.hold(request("op_last", 5, other, soft))
    for _ in range(5):
        with pytest.raises(LedgerUnavailable, match="64 bits"):
            await ledger.hold(request("op_8", MOST, other, soft))
        with pytest.raises(LedgerUnavailable, match="64 bits"):
            await ledger.settle("op_last", Nano(MOST), 1)
    assert [each[1:] for each in await ledger.balances((other, soft))] == [(0, 5), (8 * MOST, 5)]
    assert (await ledger.settle("op_last", Nano(4), 1)).already is False
    assert [each[1:] for each in await ledger.balances((other, soft))] == [(4, 0), (8 * MOST + 4, 0)]


@pytest.mark.parametrize("operation", ["op_01a1f90a821a73b38ff3aa27c1890e5d", "op_1", "op_ö"])
def test_all_keys_of_every_step_lie_in_one_slot(operation: str) -> None:
    keys = Keys("flyball")
    money, slots = line(limit=100), replace(line("bud_s", limit=3), unit=Unit.SLOTS, amount=1)
    steps: list[Step[Any]] = [
        Hold(keys, request(operation, 1, money, slots), b"m", 1, 60),
        Hold(keys, replace(request(operation, 1, money, slots), run=RUN), b"m", 1, 60),
        Dispatch(keys, operation, "wrk_1", None),
        Extend(keys, operation, b"p", 1, {Unit.USD: 1}, (money, slots)),
        Settle(keys, operation, Nano(1), {}, 60),
        Release(keys, operation, b"m"),
        Renew(keys, "wrk_1", 1, 1),
        Ended(keys, 1, 1),
        Owned(keys, "wrk_1"),
        Look(keys, operation),
        Balances(keys, (money, slots)),
        KillRun(keys, ("acme", "key_1", "r"), 1, 1, 60),
        Runs(keys, "acme", 1, None, 1),
        Runs(keys, None, 1, None, 1),
        KilledRuns(keys, 1, 1),
    ]
    touched = [key for step in steps for key in step.touched()]
    assert len(set(touched)) == 12
    # CRC16 of the hash tag, by redis-py's own table.
    assert {key_slot(key) for key in touched} == {key_slot(b"flyball")}
    for step in steps:
        assert all(b"\r\n%b\r\n" % key in step.packed() for key in step.touched())


def skewed(seconds: int) -> SetClock:
    clock = SetClock(datetime.now(UTC))
    clock.move(seconds)
    return clock


@pytest.mark.parametrize("ahead_s", [3600, -3600])
async def test_workers_whose_clocks_differ_do_not_sweep_each_other(ahead_s: int) -> None:
    mine = replace(PATIENT, name=new_id("org"))
    fast, right = skewed(ahead_s), SystemClock()
    here = RedisLedger(shared_url(), clock=right, redis=mine)
    there = RedisLedger(shared_url(), clock=fast, redis=mine)
    budget: HoldLine = line(limit=100)
    await here.hold(request("op_here", 1, budget, worker="wrk_here", lease_until_ns=right.now_ns() + 60 * 10**9))
    await there.hold(request("op_there", 1, budget, worker="wrk_there", lease_until_ns=fast.now_ns() + 60 * 10**9))
    await here.renew("wrk_here", right.now_ns() + 60 * 10**9)
    await there.renew("wrk_there", fast.now_ns() + 60 * 10**9)
    assert await here.lapsed(right.now_ns()) == await there.lapsed(fast.now_ns()) == []
    late = 62 * 10**9
    assert len(await here.lapsed(right.now_ns() + late)) == len(await there.lapsed(fast.now_ns() + late)) == 2
    await here.close()
    await there.close()


async def test_a_runs_seconds_are_counted_by_one_clock() -> None:
    mine = replace(PATIENT, name=new_id("org"))
    clocks: tuple[Clock, ...] = (SystemClock(), skewed(3600), skewed(-3600))
    ledgers = [RedisLedger(shared_url(), clock=clock, redis=mine) for clock in clocks]
    for at, ledger in enumerate(ledgers):
        asked = request(f"op_{at}", 1, line(limit=100))
        asked.run = replace(RUN, max_s=600)
        assert isinstance(await ledger.hold(asked), Granted)
    (run,) = await ledgers[1].runs()
    assert abs(run.started_ns - time.time_ns()) < 60 * 10**9
    # A kill is told by the time that it had where it was asked for, too.
    await ledgers[1].kill_run("acme", "key_1", "r", clocks[1].now_ns())
    for clock, ledger in zip(clocks, ledgers, strict=True):
        assert await ledger.killed_runs(clock.now_ns() - 60 * 10**9) == {("acme", "key_1", "r")}
        assert await ledger.killed_runs(clock.now_ns() + 60 * 10**9) == frozenset()
        await ledger.close()


def is_up(node: RedisServer) -> bool:
    """Whether it knows of a node for every slot."""
    said = node.command("CLUSTER", "INFO")
    return b"cluster_state:ok" in said and b"cluster_slots_ok:16384" in said


@pytest.fixture
def cluster() -> Iterator[tuple[RedisServer, RedisServer]]:
    """Two nodes; the first has none of the slots, the second all."""
    options = ("--cluster-enabled", "yes", "--cluster-require-full-coverage", "no")
    with served(*options) as first, served(*options) as second:
        assert second.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383").startswith(b"+OK")
        assert first.command("CLUSTER", "MEET", "127.0.0.1", str(second.port)).startswith(b"+OK")
        until = time.monotonic() + 30
        while not all(is_up(node) for node in (first, second)):
            assert time.monotonic() < until, "the nodes did not meet"
            time.sleep(0.05)
        yield first, second


@pytest.mark.parametrize("by_socket", [True, False])
async def test_a_ledger_is_found_on_whatever_node_of_a_cluster_it_lies(
    cluster: tuple[RedisServer, RedisServer], by_socket: bool
) -> None:
    first, second = cluster
    budget = line(limit=10**9)
    ledger = RedisLedger(first.url if by_socket else first.tcp_url, clock=SystemClock(), redis=PATIENT)
    operations = [new_id("op") for _ in range(100)]
    holding = [ledger.hold(request(operation, 1, budget)) for operation in operations]
    assert {type(verdict) for verdict in await asyncio.gather(*holding)} == {Granted}
    assert second.command("EXISTS", "{flyball}:counters") == b":1\r\n"
    for operation in operations:
        await ledger.settle(operation, Nano(1), 1)
    # The node is remembered, and looked for again when it fails.
    second.command("CLIENT", "KILL", "TYPE", "normal")
    assert (await ledger.balances((budget,)))[0][1:] == (100, 0)
    assert ledger._link.redirected == 2
    await ledger.close()


async def test_while_the_ledgers_slot_moves_it_is_away_and_then_found_where_it_went(
    cluster: tuple[RedisServer, RedisServer],
) -> None:
    first, second = cluster
    slot, ids = str(key_slot(b"flyball")), [node.command("CLUSTER", "MYID").split()[1].decode() for node in cluster]
    ledger = RedisLedger(second.tcp_url, clock=SystemClock(), redis=PATIENT)
    first.command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[1])
    second.command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[0])
    began = time.monotonic()
    with pytest.raises(LedgerUnavailable, match=r"ASK|TRYAGAIN|Redis refused"):
        await ledger.hold(request("op_1", 1, line(limit=5)))
    assert time.monotonic() - began < 2
    for node in cluster:
        assert node.command("CLUSTER", "SETSLOT", slot, "NODE", ids[0]).startswith(b"+OK")
    assert isinstance(await ledger.hold(request("op_2", 1, line(limit=5))), Granted)
    assert first.command("EXISTS", "{flyball}:counters") == b":1\r\n"
    assert ledger._link.redirected == 1
    await ledger.close()


async def test_a_node_without_its_cluster_is_no_ledger() -> None:
    with served("--cluster-enabled", "yes") as lonely:
        ledger = RedisLedger(lonely.url, clock=SystemClock(), redis=PATIENT)
        with pytest.raises(LedgerUnavailable, match=r"slot not served|down"):
            await ledger.hold(request("op_1", 1, line(limit=5)))
        await ledger.close()


async def test_a_password_is_taken_from_the_url() -> None:
    with served() as guarded:
        guarded.command("CONFIG", "SET", "requirepass", "open sesame")
        right = RedisLedger(f"redis://:open%20sesame@127.0.0.1:{guarded.port}", clock=SystemClock(), redis=PATIENT)
        wrong = RedisLedger(f"redis://:open@127.0.0.1:{guarded.port}", clock=SystemClock(), redis=PATIENT)
        assert isinstance(await right.hold(request("op_1", 1, line(limit=5))), Granted)
        with pytest.raises(LedgerUnavailable) as refused:
            await wrong.hold(request("op_2", 1, line(limit=5)))
        assert "sesame" not in str(refused.value)
        await right.close()
        await wrong.close()
