"""Which rungs of a ladder a call reaches, and where it is asked again."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from proxy.budget import HoldLine, Rung, next_gate, reached, regated
from proxy.core.money import Nano

ALERT = Rung(500_000, "alert")
DOWN = Rung(800_000, "downgrade", to=(("gpt-*", "fast"),))
SLOW = Rung(900_000, "throttle", delay_ms=50)
BLOCK = Rung(950_000, "block")


def line(*ladder: Rung, limit: int = 1000, whole: int | None = None, observed: bool = False) -> HoldLine:
    return HoldLine(
        budget="bud_1",
        name="acme",
        scope="org:acme",
        window="total",
        limit=Nano(limit),
        whole=None if whole is None else Nano(whole),
        observed=observed,
        ladder=ladder,
    )


def test_the_gate_is_the_lowest_rung_that_changes_a_call_and_was_not_handled() -> None:
    full = line(ALERT, DOWN, SLOW, BLOCK)
    assert next_gate(full) == 800
    assert next_gate(full, [DOWN]) == 900
    assert next_gate(full, [SLOW]) == 800
    assert next_gate(full, (DOWN, SLOW)) is None
    assert next_gate(line(ALERT, BLOCK)) is None


def test_an_observed_line_stops_nobody() -> None:
    assert next_gate(line(DOWN, observed=True)) is None


def test_rungs_are_reached_by_what_would_stand_above_them() -> None:
    full = line(ALERT, DOWN, BLOCK)
    assert reached(full, 400, 50, 50) == ()
    assert reached(full, 400, 50, 51) == (ALERT,)
    assert reached(full, 700, 100, 1) == (ALERT, DOWN)
    assert reached(full, 2000, 0, 0) == (ALERT, DOWN, BLOCK)


def test_fractions_are_of_the_limit_that_people_set() -> None:
    blocked = line(DOWN, BLOCK, limit=950, whole=1000)
    assert next_gate(blocked) == 800
    assert reached(blocked, 0, 0, 800) == ()
    assert reached(blocked, 0, 0, 951) == (DOWN, BLOCK)


def test_only_the_gate_of_a_regated_line_differs() -> None:
    first = line(DOWN)
    second = regated(first, 5)
    assert (second.gate, regated(second, None)) == (5, first)
    assert regated(first, None) is first


FRACTIONS = st.integers(1, 1_000_000) | st.sampled_from([800_000, 999_999, 1_000_000])
RUNGS = st.builds(
    Rung,
    FRACTIONS,
    st.sampled_from(["alert", "downgrade", "throttle", "cache_only", "block"]),
)
LIMITS = st.integers(0, 10**18) | st.integers(9_100_000 * 10**9 - 1, 9_100_000 * 10**9 + 1)


@given(ladder=st.lists(RUNGS, max_size=6).map(sorted), limit=LIMITS, data=st.data())
def test_a_call_is_asked_again_just_where_it_reaches_a_rung_that_it_has_not_climbed(
    ladder: list[Rung], limit: int, data: st.DataObject
) -> None:
    full = line(*ladder, limit=limit)
    near = [rung.threshold(limit) + by for rung in ladder for by in (0, 1)]
    total = data.draw(st.integers(0, 2 * limit) | st.sampled_from(near or [limit]))
    handled: set[Rung] = set()
    for _ in range(len(ladder) + 1):
        gate = next_gate(full, handled)
        asking = [rung for rung in reached(full, total, 0, 0) if rung.do in ("downgrade", "throttle", "cache_only")]
        left = [rung for rung in asking if rung not in handled]
        assert (gate is not None and total > gate) == bool(left)
        if not left:
            break
        handled.add(left[0])
    else:
        raise AssertionError("a ladder that never ends")


@given(rung=RUNGS, limit=LIMITS)
def test_a_rung_stands_at_its_fraction_to_the_unit(rung: Rung, limit: int) -> None:
    at = rung.threshold(limit)
    assert Fraction(at) <= Fraction(limit * rung.at_millionths, 1_000_000) < at + 1
    assert rung.at_millionths < 1_000_000 or at == limit
