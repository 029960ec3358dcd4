"""Engines are let go of on the thread that made them, however the rules that they are of come to their end."""

import asyncio
import gc
import sys
import threading
from collections.abc import Iterator

import pytest

from proxy.policy import BadPolicy, Bundle, EmbeddedRego, Point
from proxy.policy.bundle import shipped_base
from proxy.policy.thread_engines import engines_held

BASE = {"flyball/base.rego": shipped_base()}
RULE = 'package flyball.request\ndeny contains {"code": "no", "msg": "no"} if input.model == "x"\n'
FACTS = {"org": "o", "team": "t", "key": "k", "model": "x"}


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What went wrong where nothing can be raised: an engine that another thread lets go of says so there."""
    said: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda fault: said.append(str(fault.exc_value)))
    yield said
    gc.collect()


def made(**rules: str) -> EmbeddedRego:
    return EmbeddedRego(Bundle.of({**BASE, **{f"{name}.rego": text for name, text in rules.items()}}, {"d": {}}))


async def test_rules_that_a_thread_loaded_may_end_on_another(unraisable: list[str]) -> None:
    for _ in range(3):
        engine = await asyncio.to_thread(made, rule=RULE)
        assert not (await engine.decide(Point.REQUEST, FACTS)).allow
        del engine
        gc.collect()
    assert unraisable == []


async def test_rules_that_two_threads_asked_may_end_on_a_third(unraisable: list[str]) -> None:
    engine = made(rule=RULE)
    await engine.decide(Point.REQUEST, FACTS)
    await asyncio.to_thread(engine.evaluate, "data.flyball.request", FACTS)
    ended = [engine]
    del engine
    thread = threading.Thread(target=ended.clear)
    thread.start()
    thread.join()
    gc.collect()
    assert unraisable == []


@pytest.mark.parametrize("broken", ["package", 'package flyball.request\ndeny contains 1 if crypto.sha256("a")'])
async def test_an_error_of_loading_may_end_on_another_thread(unraisable: list[str], broken: str) -> None:
    thrown = []
    for _ in range(3):
        try:
            await asyncio.to_thread(made, rule=RULE, broken=broken)
        except BadPolicy as error:
            thrown.append(error)
    assert len(thrown) == 3
    thrown.clear()
    gc.collect()
    assert unraisable == []


async def test_a_thread_holds_no_more_engines_however_often_rules_are_replaced() -> None:
    counts = []
    for number in range(6):
        engine = made(rule=RULE.replace('"x"', f'"x{number}"'))
        await engine.decide(Point.REQUEST, FACTS)
        counts.append(engines_held())
    assert counts[-1] <= counts[1]
