"""Each strategy against what it says it does."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.money import Nano
from proxy.routing import Candidate, Look, Option, Pin, Pins, Turn, ranked
from proxy.routing.settings import Strategy

COSTS = st.lists(st.one_of(st.none(), st.integers(0, 10**12)), min_size=1, max_size=6)


def options(costs: list[int | None], weights: list[int] | None = None) -> list[Option]:
    given_weights = weights or [1] * len(costs)
    return [
        Option(candidate=Candidate(f"p{at}", "m"), cost=None if cost is None else Nano(cost), weight=weight)
        for at, (cost, weight) in enumerate(zip(costs, given_weights, strict=True))
    ]


def first(strategy: Strategy, given_options: list[Option], turn: Turn) -> str:
    return ranked(strategy, given_options, turn)[0].candidate.provider


def turn(number: int = 0, conversation: bytes = b"", pinned: Candidate | None = None) -> Turn:
    return Turn(lot=b"op%d" % number, conversation=conversation, pinned=pinned, output_tokens=100)


@given(COSTS)
def test_cheapest_is_the_minimum_and_the_unpriced_stand_last(costs: list[int | None]) -> None:
    order = [each.candidate for each in ranked("cheapest", options(costs), turn())]
    oracle = sorted(options(costs), key=lambda each: (each.cost is None, each.cost or 0))
    assert order == [each.candidate for each in oracle]


@given(COSTS, st.integers(0, 10**12))
def test_cache_aware_stays_as_long_as_leaving_would_cost_more(costs: list[int | None], warm: int) -> None:
    given_options = options([warm + 1, *costs])
    given_options[0] = Option(candidate=given_options[0].candidate, cost=Nano(warm + 1), warm_cost=Nano(warm))
    others = min((cost for cost in costs if cost is not None), default=10**18)
    got = first("cache_aware", given_options, turn(conversation=b"c", pinned=given_options[0].candidate))
    if warm != others:
        assert (got == "p0") is (warm < others)


@given(COSTS, st.integers(0, 1_000_000))
def test_budget_aware_keeps_the_files_order_within_what_is_left(costs: list[int | None], fullness: int) -> None:
    given_turn = Turn(lot=b"op", fullness=fullness, eases_from=500_000)
    got = first("budget_aware", options(costs), given_turn)
    known = [cost for cost in costs if cost is not None]
    if not known or fullness < 500_000:
        assert got == "p0"
        return
    most = min(known) + (max(known) - min(known)) * (1_000_000 - fullness) // 500_000
    assert got == next(f"p{at}" for at, cost in enumerate(costs) if cost is not None and cost <= most)
    if fullness == 1_000_000:
        assert costs[int(got[1:])] == min(known)


def test_weights_are_shares() -> None:
    drawn = Counter(first("weighted", options([1, 1, 1, 1], [6, 3, 1, 0]), turn(number)) for number in range(4000))
    assert drawn["p3"] == 0
    # Four standard deviations of a binomial draw.
    for name, share in (("p0", 0.6), ("p1", 0.3), ("p2", 0.1)):
        assert abs(drawn[name] - 4000 * share) <= 4 * (4000 * share * (1 - share)) ** 0.5


def test_a_conversation_stays_and_conversations_spread() -> None:
    homes = [first("sticky", options([1, 1, 1]), turn(0, b"c%d" % number)) for number in range(900)]
    again = [first("sticky", options([1, 1, 1]), turn(7, b"c%d" % number)) for number in range(900)]
    assert homes == again
    assert all(240 <= count <= 360 for count in Counter(homes).values())


def test_who_leaves_moves_only_his_own_conversations_and_who_was_moved_stays_moved() -> None:
    everyone = options([1, 1, 1])
    for number in range(100):
        name = b"c%d" % number
        home = first("sticky", everyone, turn(0, name))
        without = [each for each in everyone if each.candidate.provider != "p0"]
        refuge = first("sticky", without, turn(0, name))
        assert home == "p0" or refuge == home
        assert first("sticky", everyone, turn(0, name, Candidate(refuge, "m"))) == refuge


def test_a_call_of_no_conversation_is_drawn_by_lot() -> None:
    assert len({first("sticky", options([1, 1, 1]), turn(number)) for number in range(50)}) == 3


def paced(*known: tuple[float | None, float | None, int]) -> list[Option]:
    return [
        Option(candidate=Candidate(f"p{at}", "m"), look=Look(ttft_ms=ttft, tokens_per_s=pace, busy=busy))
        for at, (ttft, pace, busy) in enumerate(known)
    ]


def test_fastest_takes_the_better_of_two_and_never_the_slowest_of_three() -> None:
    # 100 tokens: 1100 ms, 700 ms, 2200 ms.
    slow = paced((100.0, 100.0, 0), (500.0, 500.0, 0), (200.0, 50.0, 0))
    taken = Counter(first("fastest", slow, turn(number)) for number in range(600))
    assert taken["p2"] == 0
    assert 340 <= taken["p1"] <= 460  # it is among the two in two of three draws
    unknown = paced((100.0, 100.0, 0), (None, None, 0))
    assert first("fastest", unknown, turn()) == "p1"
    being_tried = paced((100.0, 100.0, 0), (None, None, 1))
    assert first("fastest", being_tried, turn()) == "p0", "by one call at a time"


def test_least_busy_by_weight() -> None:
    busy = [
        Option(candidate=Candidate("big", "m"), look=Look(busy=5), weight=10),
        Option(candidate=Candidate("small", "m"), look=Look(busy=1), weight=1),
    ]
    assert first("least_busy", busy, turn()) == "big"


@pytest.mark.parametrize("strategy", ["priority", "weighted", "cheapest", "fastest", "least_busy", "sticky"])
def test_who_is_not_ready_stands_last_with_the_reason(strategy: Strategy) -> None:
    candidates = options([1, 2, 3])
    shut = Look(ready=False, why="its breaker is open")
    candidates[0] = Option(candidate=candidates[0].candidate, cost=Nano(1), look=shut)
    order = ranked(strategy, candidates, turn(0, b"c", candidates[0].candidate))
    assert (order[-1].candidate.provider, order[-1].why) == ("p0", "its breaker is open")
    assert len(order) == 3


def test_pins_are_bounded_and_grow_old() -> None:
    pins = Pins(most=2)
    for name in (b"a", b"b", b"c"):
        pins.set(name, Pin(Candidate("p", "m"), 10, at_ns=5))
    assert len(pins) == 2
    assert pins.of(b"a", 5, 10) is None
    assert pins.of(b"c", 15, 10) is not None
    assert pins.of(b"c", 16, 10) is None
