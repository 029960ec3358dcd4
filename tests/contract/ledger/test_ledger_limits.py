"""Rate limits, places and runs under many callers in several processes: exact, and all of a call or nothing."""

import asyncio
import multiprocessing
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from proxy.budget import Granted, HoldLine, HoldRequest, LineKind, RunTicket, Short, Unit
from proxy.core.ids import new_id
from proxy.core.money import Nano
from tests.contract.ledger.contenders import hold_all, hold_until_killed, take_turns
from tests.contract.ledger.kinds import KINDS, line, opened, request
from tests.contract.ledger.redis_server import shared_url

SPAWN = multiprocessing.get_context("spawn")
PROCESSES = 3

if "redis" in KINDS:
    # Before any process is spawned: they find the one server by our environment, or each would start its own.
    shared_url()


def places(limit: int) -> HoldLine:
    """So many calls at once."""
    return replace(line("lim_places", limit=limit, window="total"), unit=Unit.SLOTS, amount=1, kind=LineKind.RATE)


def calls(limit: int, window: str) -> HoldLine:
    """So many calls in a window."""
    return replace(line("lim_calls", limit=limit, window=window), unit=Unit.REQUESTS, amount=1, kind=LineKind.RATE)


async def in_processes(work: Callable[..., None], each: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Do it in as many processes at once, with those arguments; what each reports."""
    start = SPAWN.Barrier(len(each))
    pipes = [SPAWN.Pipe(duplex=False) for _ in each]
    started = [
        SPAWN.Process(target=work, args=(*given, start, writing))
        for given, (_, writing) in zip(each, pipes, strict=True)
    ]
    for process in started:
        process.start()
    reports = [await asyncio.to_thread(reading.recv) for reading, _ in pipes]
    for process in started:
        await asyncio.to_thread(process.join, 30)
    return reports


async def test_never_more_calls_are_under_way_than_there_are_places(kind: str, tmp_path: Path) -> None:
    given = [(kind, tmp_path, places(5), 0.7)] * PROCESSES
    stays = [stay for report in await in_processes(take_turns, given) for stay in report]
    # At one instant those that go go before those that come.
    turns = sorted([(came, 1) for came, _ in stays] + [(went, -1) for _, went in stays])
    under_way, most = 0, 0
    for _, step in turns:
        under_way += step
        most = max(most, under_way)
    assert most == 5
    assert len(stays) > 50
    async with opened(kind, tmp_path) as ledger:
        assert (await ledger.balances((places(5),)))[0][1:] == (0, 0)


async def test_as_many_calls_come_in_as_went_out(kind: str, tmp_path: Path) -> None:
    async def wave() -> list[str]:
        given = [(kind, tmp_path, [request(new_id("op"), 0, places(5)) for _ in range(20)]) for _ in range(PROCESSES)]
        return [operation for report in await in_processes(hold_all, given) for operation in report]

    first = await wave()
    assert len(first) == 5
    async with opened(kind, tmp_path) as ledger:
        assert await ledger.hold(request("op_1", 0, places(5))) == Short(places(5), Nano(0), Nano(5), Nano(1))
        await ledger.settle(first[0], Nano(0), 1)
        await ledger.settle(first[1], Nano(0), 1, used={Unit.REQUESTS: 1})
        await ledger.release(first[2])
    assert len(await wave()) == 3


async def test_the_places_of_a_killed_worker_come_back_with_the_sweep(kind: str, tmp_path: Path) -> None:
    reading, writing = SPAWN.Pipe(duplex=False)
    process = SPAWN.Process(target=hold_until_killed, args=(kind, tmp_path, places(6), 9, writing))
    process.start()
    assert await asyncio.to_thread(reading.recv) == 6
    process.kill()
    await asyncio.to_thread(process.join, 30)
    async with opened(kind, tmp_path) as ledger:
        assert isinstance(await ledger.hold(request("op_1", 0, places(6))), Short)
        for hold in await ledger.holds_of("wrk_doomed"):
            if hold.phase == "held":
                await ledger.release(hold.operation, only_held=True)
            else:
                await ledger.settle(hold.operation, hold.amount, 1)
        assert (await ledger.balances((places(6),)))[0][1:] == (0, 0)
        for at in range(6):
            assert isinstance(await ledger.hold(request(f"op_new_{at}", 0, places(6))), Granted)


async def test_a_window_takes_as_many_calls_as_its_limit_and_not_one_more(kind: str, tmp_path: Path) -> None:
    windows = [f"2026-11-20T14:{minute:02d}" for minute in range(4)]

    def asked() -> list[HoldRequest]:
        return [request(new_id("op"), 0, calls(37, windows[at % 4])) for at in range(200)]

    reports = await in_processes(hold_all, [(kind, tmp_path, asked()) for _ in range(PROCESSES)])
    async with opened(kind, tmp_path) as ledger:
        standing = await ledger.balances([calls(37, window) for window in windows])
        assert [each.held for each in standing] == [37] * 4
        granted = [operation for report in reports for operation in report]
        assert len(granted) == 4 * 37
        for operation in granted:
            await ledger.settle(operation, Nano(0), 1)
        assert isinstance(await ledger.hold(request("op_1", 0, calls(37, windows[0]))), Short)
        assert isinstance(await ledger.hold(request("op_2", 0, calls(37, "2026-11-20T14:04"))), Granted)


def mixed_calls(seed: int) -> list[HoldRequest]:
    """Calls of several scopes, each under some of the same budgets, limits and runs; every call fits something else."""
    made = []
    for at in range(150):
        number = seed * 1000 + at
        tokens = 1 + number * 7 % 50
        lines = [
            line("bud_org", limit=20_000),
            line(f"bud_team_{number % 3}", limit=9_000),
            replace(line("lim_tokens", limit=2_000), unit=Unit.TOKENS, amount=tokens, kind=LineKind.RATE),
            calls(40, f"m{number % 2}"),
            places(60),
            replace(line(f"run/r{number % 5}", limit=15), unit=Unit.REQUESTS, amount=1, kind=LineKind.RUN),
        ]
        each = request(new_id("op"), 50 + number * 13 % 400, *lines[number % 2 :])
        each.run = RunTicket(org="acme", key_id="key_1", name=f"r{number % 5}", max_depth=1)
        made.append(each)
    return made


async def test_all_that_a_call_takes_is_taken_together_or_not_at_all(kind: str, tmp_path: Path) -> None:
    asked = [mixed_calls(seed) for seed in range(PROCESSES)]
    reports = await in_processes(hold_all, [(kind, tmp_path, each) for each in asked])
    granted = {operation for report in reports for operation in report}
    every = [each for part in asked for each in part]
    lines = {(each.budget, each.window): each for request in every for each in request.lines}
    taken, in_runs = Counter[tuple[str, str]](), Counter[str]()
    for each in every:
        if each.operation in granted:
            assert each.run is not None
            in_runs[each.run.name] += 1
            for one in each.lines:
                taken[one.budget, one.window] += each.amount if one.amount is None else one.amount
    async with opened(kind, tmp_path) as ledger:
        standing = await ledger.balances(list(lines.values()))
        assert {(b.line.budget, b.line.window): int(b.held) for b in standing} == dict(taken)
        assert {run.name: run.calls for run in await ledger.runs()} == in_runs
        assert all(b.held <= b.line.limit for b in standing)
        # Nothing was refused that fitted: whoever was refused still does not fit.
        for each in every:
            if each.operation not in granted:
                assert isinstance(await ledger.hold(each), Short)
        assert 30 < len(granted) <= 60
        for operation in granted:
            await ledger.release(operation)
        assert all(b[1:] == (0, 0) for b in await ledger.balances(list(lines.values())))
