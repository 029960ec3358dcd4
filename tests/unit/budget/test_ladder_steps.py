"""Which rungs of a ladder a call reaches, and where it is asked again."""

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
