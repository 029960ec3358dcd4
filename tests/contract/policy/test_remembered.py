"""Rules that are remembered and evaluated in slices decide what all of them evaluated anew decide, whatever comes."""

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import pytest

from proxy.policy import BadPolicy, Bundle, Decision, EmbeddedRego, Point, PolicyUnavailable
from tests.contract.policy.all_settings import USD, bundle, drawn, with_gaps
from tests.contract.policy.generated_rules import asked, generated

MOST_FAULTS = 20
POINTS = (Point.REQUEST, Point.ROUTE, Point.TOOL_CALL)


async def decided(engine: EmbeddedRego, point: Point, facts: dict[str, Any]) -> Decision | None:
    try:
        return await engine.decide(point, facts)
    except PolicyUnavailable:
        return None


def compare(library: Bundle, points: tuple[Point, ...], inputs: Iterator[dict[str, Any]]) -> set[str]:
    """Ask an engine that remembers and one that does not; the codes that came up.

    Rules that contradict each other are not asked for ever: every fault costs the engine milliseconds.
    """
    remembering, other = EmbeddedRego(library, memo_entries=256), EmbeddedRego(library, memo_entries=0)
    codes: set[str] = set()
    faults = 0

    async def main() -> None:
        nonlocal faults
        for facts in inputs:
            if faults > MOST_FAULTS:
                return
            for point in points:
                found, wanted = await decided(remembering, point, facts), await decided(other, point, facts)
                assert found == wanted, (point, facts)
                faults += wanted is None
                codes.add("unavailable" if wanted is None else wanted.code)

    asyncio.run(main())
    return codes


def calls(seed: int, many: int) -> Iterator[dict[str, Any]]:
    """Calls as they come: of some callers, over and over, each with another estimate, and at another time."""
    draw = random.Random(seed)
    callers = [drawn(draw) for _ in range(60)]
    for at in range(many):
        caller = draw.choice(callers) if draw.random() < 0.8 else drawn(draw)
        yield {
            **caller,
            "operation": f"op_{at}",
            "estimate_usd": draw.choice(USD),
            "max_tokens": draw.choice((1, 5000)),
        }


def test_the_starter_library_remembered_and_anew() -> None:
    assert len(compare(bundle(), POINTS, calls(5, 700))) >= 10


def of_any_policy(seed: int, inputs: int) -> set[str]:
    draw = random.Random(seed)
    library = generated(draw)
    try:
        return compare(library, (Point.REQUEST,), (asked(draw) for _ in range(inputs)))
    except BadPolicy:  # it contradicts itself whatever it is asked
        return set()


def test_any_policy_remembered_and_anew() -> None:
    codes = set[str]()
    for seed in range(8):
        codes |= of_any_policy(seed, 50)
    assert codes >= {"", "a", "not_granted", "unavailable"}


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_a_hundred_thousand_calls_remembered_and_anew(seed: int) -> None:
    """Nine tenths under the whole library, the others under one with gaps in its settings, at three points each."""
    compare(bundle(), POINTS, calls(3000 + seed, 9_000))
    compare(with_gaps(random.Random(seed)), POINTS, calls(4000 + seed, 1_000))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_many_policies_remembered_and_anew(seed: int) -> None:
    for at in range(15):
        of_any_policy(5000 + 100 * seed + at, 150)
