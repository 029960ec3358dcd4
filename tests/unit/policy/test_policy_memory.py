"""However many calls and tenants are decided, what stays in memory is bounded."""

import gc
import os
import random
import tracemalloc
from typing import Any

import pytest

from proxy.policy import EmbeddedRego, Point
from tests.bench.processes import memory_kb
from tests.contract.policy.all_settings import bundle, drawn

MB = 1024
CALL: dict[str, Any] = drawn(random.Random(1))


async def ask(engine: EmbeddedRego, numbers: range, tenants: int) -> None:
    for number in numbers:
        tenant = number % tenants
        own = {"org": f"org-{tenant}", "key": f"key-{tenant}", "estimate_usd": f"0.{number:09d}"}
        await engine.decide(Point.REQUEST, {**CALL, **own})


def resident_kb() -> int:
    gc.collect()
    return memory_kb([os.getpid()])["rss"]


async def test_what_is_remembered_of_many_tenants_is_bounded() -> None:
    engine = EmbeddedRego(bundle(), memo_entries=100)
    await ask(engine, range(300), 300)
    tracemalloc.start()
    try:
        await ask(engine, range(300, 600), 600)
        before, _ = tracemalloc.get_traced_memory()
        await ask(engine, range(600, 1_500), 10_000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 300 * MB  # the 900 others would take twice that


@pytest.mark.long
@pytest.mark.timeout(1200)
async def test_a_million_decisions_and_a_hundred_thousand_tenants_leave_memory_flat() -> None:
    engine = EmbeddedRego(bundle())
    await ask(engine, range(100_000), 1_000)
    before = resident_kb()
    await ask(engine, range(100_000, 1_000_000), 1_000)
    many = resident_kb()
    await ask(engine, range(100_000), 100_000)
    assert many - before < 16 * MB
    assert resident_kb() - many < 48 * MB
