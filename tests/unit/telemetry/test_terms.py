"""The six terms of a difference add up to it, whatever the two sides are, and each means what it is called."""

from collections.abc import Mapping
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.money import Nano
from proxy.telemetry.terms import ModelOf, PaidCalls, Side, Term, explained, rounded

NAMES = ("input", "cache_read", "cache_write", "output", "reasoning", "web_search")
LARGE: ModelOf = ("openai", "gpt-5")
SMALL: ModelOf = ("openai", "gpt-5-mini")
COUNTS = st.integers(min_value=0, max_value=10**9)
RATES = st.dictionaries(st.sampled_from(NAMES), st.fractions(min_value=0, max_value=10**5, max_denominator=1000))


@st.composite
def used(draw: st.DrawFn) -> PaidCalls:
    return PaidCalls(
        calls=draw(st.integers(min_value=0, max_value=10**7)),
        # Below nothing too: a correction can be more than all that was spent.
        cost=Nano(draw(st.integers(min_value=-(10**9), max_value=10**18))),
        quantities=draw(st.dictionaries(st.sampled_from(NAMES), COUNTS)),
        rates=draw(RATES),
    )


SIDES = st.builds(
    Side,
    models=st.dictionaries(st.tuples(st.sampled_from(["openai", "local"]), st.sampled_from("abc")), used()),
    cached=COUNTS,
    wasted=st.builds(Nano, COUNTS),
)


@settings(max_examples=60)
@given(SIDES, SIDES)
def test_the_terms_add_up_to_the_difference_exactly(before: Side, after: Side) -> None:
    terms = explained(before, after)
    assert set(terms) == set(Term)
    assert sum(terms.values()) == after.cost - before.cost


@settings(max_examples=60)
@given(SIDES, SIDES)
def test_there_and_back_is_nothing_in_the_terms_that_do_not_depend_on_the_way(before: Side, after: Side) -> None:
    there, back = explained(before, after), explained(after, before)
    assert there[Term.RETRIES] == -back[Term.RETRIES]
    assert sum(there.values()) == -sum(back.values())


@settings(max_examples=30)
@given(SIDES)
def test_nothing_changed_is_nothing_explained(side: Side) -> None:
    assert set(explained(side, side).values()) == {0}


@given(st.lists(st.fractions(max_denominator=997), min_size=1, max_size=8))
def test_rounding_keeps_the_sum_and_moves_nothing_by_a_whole_one(parts: list[Fraction]) -> None:
    parts = [*parts, -(sum(parts, Fraction(0)) % 1)]
    whole = rounded(parts)
    assert sum(whole) == sum(parts)
    assert all(abs(a - b) < 1 for a, b in zip(whole, parts, strict=True))


PER_CALL: Mapping[str, int] = {"input": 800, "cache_read": 200, "output": 100}
CARD = {"input": Fraction(1250), "cache_read": Fraction(125), "output": Fraction(10_000)}


def worth(quantities: Mapping[str, int], card: Mapping[str, Fraction]) -> Nano:
    return Nano(int(sum(count * card[name] for name, count in quantities.items())))


def calls(number: int, per_call: Mapping[str, int] = PER_CALL, card: Mapping[str, Fraction] = CARD) -> PaidCalls:
    """So many calls alike, priced exactly by their card."""
    quantities = {name: number * count for name, count in per_call.items()}
    return PaidCalls(calls=number, cost=worth(quantities, card), quantities=quantities, rates=card)


def only(term: Term, before: Side, after: Side) -> None:
    """All of the difference is this term's."""
    terms = explained(before, after)
    assert after.cost != before.cost
    assert terms == {**dict.fromkeys(Term, 0), term: after.cost - before.cost}


BEFORE = Side(models={LARGE: calls(1000)}, cached=250)


def test_more_of_the_same_is_volume() -> None:
    only(Term.VOLUME, BEFORE, Side(models={LARGE: calls(3000)}, cached=750))
    only(Term.VOLUME, Side(models={}), BEFORE)
    only(Term.VOLUME, BEFORE, Side(models={}, cached=9))


def test_longer_calls_are_tokens_per_call() -> None:
    longer = {"input": 1600, "cache_read": 400, "output": 70}
    only(Term.TOKENS, BEFORE, Side(models={LARGE: calls(1000, longer)}, cached=250))


def test_searches_that_a_call_did_not_make_before_are_tokens_per_call() -> None:
    card = CARD | {"web_search": Fraction(10_000_000)}
    only(Term.TOKENS, BEFORE, Side(models={LARGE: calls(1000, {**PER_CALL, "web_search": 2}, card)}, cached=250))


def test_another_price_is_price() -> None:
    dearer = {name: rate * 3 for name, rate in CARD.items()}
    only(Term.PRICE, BEFORE, Side(models={LARGE: calls(1000, card=dearer)}, cached=250))


def test_a_cache_that_is_cold_is_cache() -> None:
    cold = {"input": 1000, "output": 100}
    only(Term.CACHE, BEFORE, Side(models={LARGE: calls(1000, cold)}, cached=250))


def test_our_own_cache_answering_less_is_cache() -> None:
    only(Term.CACHE, BEFORE, Side(models={LARGE: calls(1250)}, cached=0))


def test_calls_that_moved_to_another_model_are_the_mix() -> None:
    cheap = {name: rate / 10 for name, rate in CARD.items()}
    both = Side(models={LARGE: calls(900), SMALL: calls(100, card=cheap)}, cached=250)
    moved = Side(models={LARGE: calls(200), SMALL: calls(800, card=cheap)}, cached=250)
    only(Term.MIX, both, moved)
    only(Term.MIX, BEFORE, moved)
    only(Term.MIX, moved, BEFORE)


def test_attempts_that_gave_no_answer_are_retries() -> None:
    only(Term.RETRIES, BEFORE, Side(models={LARGE: calls(1000)}, cached=250, wasted=Nano(17)))


def test_a_correction_of_what_was_billed_is_price() -> None:
    known = calls(1000)
    dearer = PaidCalls(calls=1000, cost=Nano(known.cost + 12_345), quantities=known.quantities, rates=CARD)
    only(Term.PRICE, BEFORE, Side(models={LARGE: dearer}, cached=250))
    stray = PaidCalls(calls=0, cost=Nano(-77), quantities={})
    only(Term.PRICE, BEFORE, Side(models={LARGE: known, SMALL: stray}, cached=250))


def test_without_known_rates_one_rate_for_all_tokens_is_taken() -> None:
    def blind(number: int) -> PaidCalls:
        known = calls(number)
        return PaidCalls(calls=number, cost=known.cost, quantities=known.quantities)

    only(Term.VOLUME, Side(models={LARGE: blind(10)}), Side(models={LARGE: blind(30)}))


def test_the_worked_example_of_the_docs() -> None:
    """docs/spend.md says these numbers."""
    tuesday = Side(
        models={LARGE: calls(900), SMALL: calls(90, card={name: rate / 5 for name, rate in CARD.items()})}, cached=10
    )
    dear = {name: rate * 2 / 5 for name, rate in CARD.items()}
    later = Side(
        models={
            LARGE: calls(1000, {"input": 1500, "cache_read": 0, "output": 150}),
            SMALL: calls(500, card=dear),
        },
        cached=0,
        wasted=Nano(250_000_000),
    )
    terms = explained(tuesday, later)
    assert {term.value: f"{amount / 1e9:+.4f}" for term, amount in terms.items()} == {
        "volume": "+0.9295",
        "tokens_per_call": "+1.0125",
        "model_mix": "-0.5891",
        "price": "+0.2025",
        "cache": "+0.3657",
        "retries": "+0.2500",
    }
    assert (tuesday.cost, later.cost) == (1_858_950_000, 4_030_000_000)
