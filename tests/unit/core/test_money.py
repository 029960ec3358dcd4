"""Money: exact in, exact out, rounded once and never through a float."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.money import Nano, NotMoney, exact_usd, rounded_half_even, rounded_up, to_usd_text


@given(st.integers(-(10**24), 10**24))
def test_every_amount_survives_its_text(nano: int) -> None:
    assert exact_usd(to_usd_text(Nano(nano))) == nano


@pytest.mark.parametrize(
    ("nano", "text"),
    [(0, "0.00"), (1, "0.000000001"), (-1_500_000_000, "-1.50"), (9_100_000_000_000_001, "9100000.000000001")],
)
def test_amounts_are_written_plainly(nano: int, text: str) -> None:
    assert to_usd_text(Nano(nano)) == text


@pytest.mark.parametrize("text", ["", "abc", "NaN", "Infinity", "0.0000000001", "1,50"])
def test_what_is_not_an_exact_amount_is_refused(text: str) -> None:
    with pytest.raises(NotMoney):
        exact_usd(text)


def test_half_a_nano_goes_to_the_even_neighbour_and_holds_go_up() -> None:
    assert [rounded_half_even(Decimal(half)) for half in ("0.5", "1.5", "2.5")] == [0, 2, 2]
    assert rounded_up(Decimal("0.000000001")) == 1
