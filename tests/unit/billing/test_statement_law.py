"""Whatever comes late or is repriced, whenever months are closed: all is charged, and each thing once."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.billing import (
    Adjustment,
    Amounts,
    BillingError,
    Draft,
    Period,
    Place,
    Statement,
    billed,
    drift,
    hash_of,
    statements_of,
)
from proxy.core.money import Nano

FIRST = Period(2026, 9)
PLACES = [Place(team, center, "bot", "openai", model) for team in ("a", "b") for center in ("", "7") for model in "mn"]
place = st.sampled_from(PLACES)
nano = st.integers(-(10**18), 10**18)
happening = st.one_of(
    st.tuples(st.just("call"), st.integers(0, 3), place, nano),
    st.tuples(st.just("reprice"), st.integers(0, 3), place, nano),
    st.tuples(st.just("close"), st.just(0), place, st.just(0)),
)


class Books:
    """A store of calls, and the statements made of it."""

    def __init__(self) -> None:
        self.calls: dict[Period, dict[Place, Amounts]] = {}
        self.statements: list[Statement] = []
        self.open = FIRST

    def note(self, period: Period, where: Place, *, calls: int = 0, recorded: int = 0, corrected: int = 0) -> None:
        of_period = self.calls.setdefault(period, {})
        old = of_period.get(where, Amounts())
        of_period[where] = Amounts(
            calls=old.calls + calls,
            recorded=Nano(old.recorded + recorded),
            corrected=Nano(old.corrected + corrected),
        )

    def close(self, negotiated: tuple[Adjustment, ...] = ()) -> list[Statement]:
        charged = billed(self.statements)
        corrections: dict[str, Any] = {}
        period = FIRST
        while period < self.open:
            late = drift(str(period), self.calls.get(period, {}), charged.get(str(period), {}))
            for team, lines in late.items():
                corrections[team] = (*corrections.get(team, ()), *lines)
            period = period.next
        made = statements_of(
            Draft(
                org="acme",
                period=self.open,
                timezone="Asia/Kathmandu",
                closed_at=datetime(2027, 1, 1, tzinfo=UTC),
                closed_by="ada",
                amounts=self.calls.get(self.open, {}),
                corrections=corrections,
                negotiated=negotiated,
                versions={"a": ("v1",)},
                allow_unpriced=False,
                first_number=len(self.statements) + 1,
                previous={each.team: each.hash for each in self.statements},
            )
        )
        self.statements += made
        self.open = self.open.next
        return made


@settings(max_examples=60, deadline=None)
@given(st.lists(happening, max_size=40))
def test_all_is_charged_and_each_thing_once(happenings: list[tuple[str, int, Place, int]]) -> None:
    books = Books()
    for what, months, where, amount in happenings:
        period = FIRST
        for _ in range(months):
            period = period.next
        if what == "call":
            books.note(period, where, calls=1, recorded=amount)
        elif what == "reprice":
            books.note(period, where, corrected=amount)
        else:
            books.close()
    books.close()
    assert all(not each.adjustments for each in books.close()), "what was charged once is not charged again"
    closed = [amounts for period, amounts in books.calls.items() if period < books.open]
    assert sum(each.total_nano for each in books.statements) == sum(
        each.cost for amounts in closed for each in amounts.values()
    )
    assert [each.number for each in books.statements] == list(range(1, len(books.statements) + 1))
    last: dict[str, str] = {}
    for each in books.statements:
        assert each.hash == hash_of(each)
        assert each.previous_hash == last.get(each.team, "")
        last[each.team] = each.hash


def test_late_calls_and_reprices_are_lines_of_their_own() -> None:
    books, where = Books(), PLACES[0]
    books.note(FIRST, where, calls=2, recorded=10)
    books.close()
    books.note(FIRST, where, calls=1, recorded=5, corrected=-7)
    books.note(FIRST.next, where, calls=1, recorded=100)
    credit = Adjustment("adj_1", "acme", "b", "", "2026-10", "credit", Nano(-3), "outage", "ada", 0)
    mine, other = books.close((credit,))
    assert [(each.why, each.of_period, each.calls, each.amount_nano) for each in mine.adjustments] == [
        ("late", "2026-09", 1, 5),
        ("reprice", "2026-09", 0, -7),
    ]
    assert (mine.usage_nano, mine.adjustments_nano, mine.total_nano, mine.total_usd) == (100, -2, 98, "0.000000098")
    assert (other.team, other.negotiated_nano, other.total_usd) == ("b", -3, "-0.000000003")


def test_changing_anything_changes_the_hash() -> None:
    books = Books()
    books.note(FIRST, PLACES[0], calls=1, recorded=10)
    (made,) = books.close()
    content = {name: getattr(made, name) for name in made.__struct_fields__}
    changed: list[tuple[str, Any]] = [("total_nano", 11), ("team", "c"), ("previous_hash", "x"), ("usage", ())]
    for name, value in changed:
        assert hash_of(Statement(**{**content, name: value})) != made.hash


@pytest.mark.parametrize(
    ("timezone", "start", "end"),
    [
        ("UTC", "2026-10-01T00:00:00+00:00", "2026-11-01T00:00:00+00:00"),
        # Summer time ends on 25 October: the month has an hour more.
        ("Europe/Berlin", "2026-09-30T22:00:00+00:00", "2026-10-31T23:00:00+00:00"),
        ("Asia/Kathmandu", "2026-09-30T18:15:00+00:00", "2026-10-31T18:15:00+00:00"),
    ],
)
def test_a_month_is_one_of_its_zone(timezone: str, start: str, end: str) -> None:
    assert [each.isoformat() for each in Period.of("2026-10").bounds(timezone)] == [start, end]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Period.of("2026-13"),
        lambda: Period.of("26-1"),
        lambda: Period.of("2026-10").bounds("Mars/Olympus"),
        lambda: Period.of("2026-10").bounds("../etc/passwd"),
    ],
)
def test_what_is_no_month_is_told(wrong: Callable[[], object]) -> None:
    with pytest.raises(BillingError) as told:
        wrong()
    assert told.value.fault == "invalid"


def test_december_is_followed_by_january() -> None:
    assert str(Period.of("2026-12").next) == "2027-01"
