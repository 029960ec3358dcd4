"""What other processes do to a ledger while a test looks on; started by spawn, so importable."""

import asyncio
import time
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path

from proxy.budget import Granted, HoldLine, HoldRequest, Ledger
from proxy.core.ids import new_id
from proxy.core.money import Nano
from proxy.state import StateFile
from tests.contract.ledger.kinds import line, opened, request

PRICE = 1_000_003


def hold_many(kind: str, folder: Path, calls: int, limit: int, start: Barrier, report: Connection) -> None:
    """Hold `calls` times at once under one budget; report the operations that were granted."""

    async def run() -> list[str]:
        async with opened(kind, folder) as ledger:
            operations = [new_id("op") for _ in range(calls)]
            start.wait(30)
            verdicts = await asyncio.gather(
                *[ledger.hold(request(operation, PRICE, line(limit=limit))) for operation in operations]
            )
        return [
            operation for operation, verdict in zip(operations, verdicts, strict=True) if isinstance(verdict, Granted)
        ]

    report.send(asyncio.run(run()))


def spend_until_killed(kind: str, folder: Path, report: Connection) -> None:
    """Hold, dispatch and settle on eight tasks; report each operation once it has been settled."""
    lines = tuple(line(f"bud_{at}", limit=10**17) for at in range(3))

    async def spend(ledger: Ledger) -> None:
        while True:
            operation = new_id("op")
            await ledger.hold(request(operation, 1000, *lines, worker="wrk_doomed"))
            await ledger.dispatch(operation, "wrk_doomed")
            await ledger.settle(operation, Nano(700), time.time_ns())
            report.send_bytes(operation.encode())

    async def run() -> None:
        async with opened(kind, folder) as ledger, asyncio.TaskGroup() as tasks:
            for _ in range(8):
                tasks.create_task(spend(ledger))

    asyncio.run(run())


def lock_for(path: Path, seconds: float, locked: Connection) -> None:
    """Keep the state file's write lock for that long."""
    connection = StateFile(path).connect()
    connection.execute("BEGIN IMMEDIATE")
    locked.send("locked")
    time.sleep(seconds)
    connection.execute("ROLLBACK")
    connection.close()


def hold_all(kind: str, folder: Path, asked: list[HoldRequest], start: Barrier, report: Connection) -> None:
    """Ask for all these holds at once; report the operations that were granted."""

    async def run() -> list[str]:
        async with opened(kind, folder) as ledger:
            start.wait(30)
            verdicts = await asyncio.gather(*[ledger.hold(each) for each in asked])
        pairs = zip(asked, verdicts, strict=True)
        return [each.operation for each, verdict in pairs if isinstance(verdict, Granted)]

    report.send(asyncio.run(run()))


def take_turns(kind: str, folder: Path, place: HoldLine, seconds: float, start: Barrier, report: Connection) -> None:
    """Eight callers that take a place, keep it for a moment and give it back; report from when to when each had one.

    The instants are of the clock that all processes of a machine share; what is reported lies within what was had.
    """
    stays: list[tuple[float, float]] = []

    async def caller(ledger: Ledger, until: float) -> None:
        while time.monotonic() < until:
            operation = new_id("op")
            if not isinstance(await ledger.hold(request(operation, 0, place)), Granted):
                await asyncio.sleep(0.001)
                continue
            came = time.monotonic()
            await asyncio.sleep(0.002)
            stays.append((came, time.monotonic()))
            if len(stays) % 2:
                await ledger.release(operation)
            else:
                await ledger.settle(operation, Nano(0), 1)

    async def run() -> None:
        async with opened(kind, folder) as ledger, asyncio.TaskGroup() as tasks:
            start.wait(30)
            until = time.monotonic() + seconds
            for _ in range(8):
                tasks.create_task(caller(ledger, until))

    asyncio.run(run())
    report.send(stays)


def hold_until_killed(kind: str, folder: Path, place: HoldLine, calls: int, report: Connection) -> None:
    """Take places, half of them for calls that are under way; report how many, then wait for the end."""

    async def run() -> None:
        async with opened(kind, folder) as ledger:
            asked = [request(new_id("op"), 0, place, worker="wrk_doomed") for _ in range(calls)]
            for at, each in enumerate(asked):
                each.dispatched = at % 2 == 1
            verdicts = await asyncio.gather(*[ledger.hold(each) for each in asked])
            report.send(sum(isinstance(verdict, Granted) for verdict in verdicts))
            await asyncio.sleep(60)

    asyncio.run(run())
