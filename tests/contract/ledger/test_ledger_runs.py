"""Runs in the ledger: a call's place in its run is checked and counted in the step that holds its money."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proxy.budget import Granted, HoldLost, HoldRequest, Ledger, Reached, RunState, RunTicket, Short, Stopped
from proxy.core.clock import SystemClock
from proxy.core.ids import new_id
from proxy.core.money import Nano
from tests.contract.ledger.kinds import line, opened, request

BUDGET = line(limit=100)


def of_run(
    name: str = "r", *, operation: str = "", amount: int = 1, lines: Any = (BUDGET,), **bounds: Any
) -> HoldRequest:
    """A call in a run of one key."""
    asked = request(operation or new_id("op"), amount, *lines)
    asked.run = RunTicket(org="acme", key_id="key_1", name=name, **bounds)
    return asked


async def calls_of(ledger: Ledger, *names: str) -> list[int]:
    calls = {run.name: run.calls for run in await ledger.runs("acme")}
    return [calls.get(name, 0) for name in names]


async def test_a_run_begins_with_its_first_granted_call_and_counts_them(ledger: Ledger) -> None:
    before = time.time_ns()
    assert await ledger.runs() == []
    for _ in range(3):
        assert isinstance(await ledger.hold(of_run(parent="nobody knows it")), Granted)
    (run,) = await ledger.runs("acme")
    assert (run.org, run.key_id, run.name, run.parent, run.depth) == ("acme", "key_1", "r", "nobody knows it", 2)
    assert (run.calls, run.killed_ns) == (3, None)
    assert before - 10**6 < run.started_ns <= run.last_ns < time.time_ns() + 10**6


async def test_a_call_that_is_not_granted_leaves_no_trace_in_its_run(ledger: Ledger) -> None:
    gated = replace(line("bud_gated", limit=100), gate=5)
    assert isinstance(await ledger.hold(of_run(amount=101)), Short)
    assert isinstance(await ledger.hold(of_run(amount=6, lines=(gated,))), Reached)
    assert isinstance(await ledger.hold(of_run(max_depth=0)), Stopped)
    assert await ledger.runs() == []
    assert isinstance(await ledger.hold(of_run(operation="op_1")), Granted)
    assert isinstance(await ledger.hold(of_run(amount=101)), Short)
    # Neither does one that is asked for again, or was over before.
    assert isinstance(await ledger.hold(of_run(operation="op_1")), Granted)
    await ledger.settle("op_1", Nano(1), 1)
    with pytest.raises(HoldLost):
        await ledger.hold(of_run(operation="op_1"))
    assert await calls_of(ledger, "r") == [1]


async def test_a_stopped_run_is_answered_before_gates_and_limits_and_consumes_nothing(ledger: Ledger) -> None:
    gated = replace(line("bud_gated", limit=50), gate=5)
    assert await ledger.kill_run("acme", "key_1", "r", time.time_ns()) is True
    assert await ledger.hold(of_run(amount=60, lines=(gated, BUDGET))) == Stopped("r", "killed")
    assert [each[1:] for each in await ledger.balances((gated, BUDGET))] == [(0, 0), (0, 0)]
    assert await ledger.holds_of("wrk_1") == []
    assert isinstance(await ledger.hold(of_run("other")), Granted)


async def test_a_kill_stops_the_next_call_and_leaves_open_ones_to_their_end(ledger: Ledger) -> None:
    await ledger.hold(of_run(operation="op_1", amount=60))
    at_ns = time.time_ns() // 1000 * 1000
    assert await ledger.kill_run("acme", "key_1", "r", at_ns) is True
    assert await ledger.kill_run("acme", "key_1", "r", at_ns + 10**9) is False
    assert await ledger.hold(of_run()) == Stopped("r", "killed")
    # Asked for again it is the hold that it is.
    assert isinstance(await ledger.hold(of_run(operation="op_1", amount=60)), Granted)
    await ledger.settle("op_1", Nano(50), 1)
    assert (await ledger.balances((BUDGET,)))[0][1:] == (50, 0)
    (run,) = await ledger.runs()
    assert (run.calls, run.killed_ns) == (1, at_ns)


async def test_a_run_is_its_orgs_and_its_keys_alone(ledger: Ledger) -> None:
    await ledger.kill_run("acme", "key_1", "r", time.time_ns())
    for org, key_id in (("acme", "key_2"), ("bravo", "key_1")):
        asked = of_run()
        asked.run = RunTicket(org=org, key_id=key_id, name="r")
        assert isinstance(await ledger.hold(asked), Granted)
    assert isinstance(await ledger.hold(of_run()), Stopped)
    assert {(run.org, run.key_id) for run in await ledger.runs()} == {
        ("acme", "key_1"),
        ("acme", "key_2"),
        ("bravo", "key_1"),
    }
    assert {run.key_id for run in await ledger.runs("acme")} == {"key_1", "key_2"}


async def test_a_run_killed_before_it_was_seen_is_remembered(ledger: Ledger) -> None:
    at_ns = time.time_ns() // 1000 * 1000
    await ledger.kill_run("acme", "key_1", "r", at_ns)
    assert await ledger.runs("acme") == [RunState("acme", "key_1", "r", "", 0, 0, at_ns, 0, at_ns)]


async def test_workers_ask_which_runs_were_killed_since(ledger: Ledger) -> None:
    at_ns = time.time_ns() // 10**9 * 10**9
    await ledger.hold(of_run("alive"))
    await ledger.kill_run("acme", "key_1", "old", at_ns - 60 * 10**9)
    await ledger.kill_run("acme", "key_1", "new", at_ns)
    assert await ledger.killed_runs(at_ns - 10**9) == {("acme", "key_1", "new")}
    assert await ledger.killed_runs(at_ns) == {("acme", "key_1", "new")}
    assert await ledger.killed_runs(0) == {("acme", "key_1", "new"), ("acme", "key_1", "old")}
    assert await ledger.killed_runs(at_ns + 10**9) == frozenset()


async def test_a_run_has_its_seconds_from_its_first_call_on(ledger: Ledger) -> None:
    assert isinstance(await ledger.hold(of_run(max_s=1)), Granted)
    assert isinstance(await ledger.hold(of_run(max_s=1)), Granted)
    await asyncio.sleep(1.05)
    stopped = await ledger.hold(of_run(max_s=1))
    assert isinstance(stopped, Stopped)
    assert (stopped.run, stopped.why, stopped.limit) == ("r", "seconds", 1)
    assert stopped.value >= 1
    assert isinstance(await ledger.hold(of_run(max_s=60)), Granted)
    assert isinstance(await ledger.hold(of_run("fresh", max_s=0)), Granted)


async def test_depth_is_one_more_than_the_parents(ledger: Ledger) -> None:
    assert isinstance(await ledger.hold(of_run("a", max_depth=1)), Granted)
    assert await ledger.hold(of_run("b", parent="a", max_depth=1)) == Stopped("b", "depth", 1, 2)
    granted = await ledger.hold(of_run("b", parent="a", max_depth=2))
    assert isinstance(granted, Granted)
    assert granted.depth == 2
    assert await ledger.hold(of_run("c", parent="b", max_depth=2)) == Stopped("c", "depth", 2, 3)
    assert await ledger.hold(of_run("d", parent="never seen", max_depth=1)) == Stopped("d", "depth", 1, 2)
    # Its own parent is none; and what a run once was it stays, whatever later calls say.
    assert isinstance(await ledger.hold(of_run("e", parent="e", max_depth=1)), Granted)
    assert isinstance(await ledger.hold(of_run("a", parent="b", max_depth=1)), Granted)
    assert await ledger.hold(of_run("b", max_depth=1)) == Stopped("b", "depth", 1, 2)
    assert {run.name: (run.depth, run.parent) for run in await ledger.runs()} == {
        "a": (1, ""),
        "b": (2, "a"),
        "e": (1, "e"),
    }


async def test_runs_are_told_with_the_latest_call_first_and_in_parts(ledger: Ledger) -> None:
    for name in ("a", "b b", "c\nö", "a", "d"):
        await ledger.hold(of_run(name))
        await asyncio.sleep(0.001)
    assert [run.name for run in await ledger.runs("acme")] == ["d", "a", "c\nö", "b b"]
    first = await ledger.runs(None, 2)
    assert [run.name for run in first] == ["d", "a"]
    assert [run.name for run in await ledger.runs(None, 5, before_ns=first[-1].last_ns)] == ["c\nö", "b b"]
    assert await ledger.runs("bravo") == []


async def test_of_many_calls_at_once_exactly_as_many_as_the_run_may_make_are_granted(ledger: Ledger) -> None:
    calls = replace(line("run/acme/key_1/requests/r", limit=7), amount=1)
    verdicts = await asyncio.gather(*[ledger.hold(of_run(amount=0, lines=(calls,))) for _ in range(50)])
    assert sum(isinstance(verdict, Granted) for verdict in verdicts) == 7
    assert await calls_of(ledger, "r") == [7]


async def test_idle_runs_are_forgotten_a_few_at_a_time(kind: str, tmp_path: Path) -> None:
    async with opened(kind, tmp_path, SystemClock(), run_memory_s=600) as ledger:
        for at in range(6):
            await ledger.kill_run("acme", "key_1", f"old_{at}", (int(time.time()) - 3600) * 10**9)
        await ledger.hold(of_run("kept"))
        for at in range(70):
            operation = new_id("op")
            await ledger.hold(of_run(f"new_{at}", operation=operation, lines=()))
            await ledger.settle(operation, Nano(0), time.time_ns())
        names = {run.name for run in await ledger.runs()}
        assert "kept" in names and len(names) == 71
        assert await ledger.killed_runs(0) == frozenset()
