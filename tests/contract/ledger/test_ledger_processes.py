"""Several processes on one ledger: races and sudden death."""

import asyncio
import multiprocessing
import time
from pathlib import Path

from proxy.core.money import Nano
from tests.contract.ledger.contenders import PRICE, hold_many, spend_until_killed
from tests.contract.ledger.kinds import KINDS, line, opened
from tests.contract.ledger.redis_server import shared_url

SPAWN = multiprocessing.get_context("spawn")

if "redis" in KINDS:
    # Before any process is spawned: they find the one server by our environment, or each would start its own.
    shared_url()


async def test_four_processes_holding_five_hundred_times_get_money_for_thirty_seven(kind: str, tmp_path: Path) -> None:
    # One nano-dollar short of paying for a 38th.
    limit = 38 * PRICE - 1
    start = SPAWN.Barrier(4)
    pipes = [SPAWN.Pipe(duplex=False) for _ in range(4)]
    processes = [
        SPAWN.Process(target=hold_many, args=(kind, tmp_path, 125, limit, start, sending)) for _, sending in pipes
    ]
    for process in processes:
        process.start()
    granted = [operation for reading, _ in pipes for operation in await asyncio.to_thread(reading.recv)]
    for process in processes:
        process.join(30)
    assert len(granted) == 37
    async with opened(kind, tmp_path) as ledger:
        assert (await ledger.balances((line(limit=limit),)))[0][1:] == (0, 37 * PRICE)
        for operation in granted:
            assert (await ledger.settle(operation, Nano(PRICE - 1), 1)).already is False
        assert (await ledger.balances((line(limit=limit),)))[0][1:] == (37 * (PRICE - 1), 0)


async def test_a_process_killed_in_the_middle_leaves_whole_steps(kind: str, tmp_path: Path) -> None:
    lines = tuple(line(f"bud_{at}", limit=10**17) for at in range(3))
    acknowledged: list[str] = []
    for patience in (0.05, 0.11, 0.23):
        acknowledged += await asyncio.to_thread(_kill_after, kind, tmp_path, patience)
        async with opened(kind, tmp_path) as ledger:
            open_holds = []
            while holds := await ledger.holds_of("wrk_doomed"):
                open_holds += holds
                held = sum(hold.amount for hold in holds)
                assert [each.held for each in await ledger.balances(lines)] == [held] * 3
                for hold in holds:
                    await ledger.settle(hold.operation, hold.amount, 1)
            assert len(open_holds) <= 8
            spent = {balance.spent for balance in await ledger.balances(lines)}
            assert len(spent) == 1
            assert [balance.held for balance in await ledger.balances(lines)] == [0] * 3
            # What was said to be settled is settled, and is known to be.
            again = [await ledger.settle(operation, Nano(1), 1) for operation in acknowledged]
            assert all(settled.already and not settled.unknown for settled in again)
            assert spent.pop() >= 700 * len(acknowledged)
    assert len(acknowledged) > 30


def _kill_after(kind: str, folder: Path, seconds: float) -> list[str]:
    """Let a process spend until it is killed; what it said it had settled."""
    reading, writing = SPAWN.Pipe(duplex=False)
    process = SPAWN.Process(target=spend_until_killed, args=(kind, folder, writing))
    process.start()
    writing.close()
    said = [reading.recv_bytes()]
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if reading.poll(0.01):
            said.append(reading.recv_bytes())
    process.kill()
    process.join(30)
    try:
        while True:
            said.append(reading.recv_bytes())
    except EOFError:
        return [operation.decode() for operation in said]
