"""The gate against the labelled set, alone: as if every text were as similar as can be to every other."""

from collections import Counter
from itertools import combinations

import pytest

from proxy.cache.semantic.bounds import bounds
from proxy.cache.semantic.gate import Reading, difference, is_same, read
from tests.unit.cache.semantic.labelled import Pair, pairs, paraphrases, texts

KINDS = sorted({pair.kind for pair in pairs() if not pair.same})


def passes(pair: Pair) -> bool:
    one, other = read(pair.one), read(pair.other)
    return one is not None and other is not None and is_same(one, other)


def test_the_set_is_what_it_says() -> None:
    kinds = Counter(pair.kind for pair in pairs())
    assert len(pairs()) >= 400
    assert len(KINDS) >= 12
    assert {"negation", "reversal", "number", "unit", "date", "entity", "tense", "scope", "modality"} <= set(KINDS)
    assert {"language", "code", "instructions"} <= set(KINDS)
    assert min(kinds.values()) >= 24
    for kind in kinds:
        held_out = [pair.held_out for pair in pairs() if pair.kind == kind]
        assert sum(held_out) * 3 == len(held_out)
    assert all(pair.one != pair.other for pair in pairs())


@pytest.mark.parametrize("kind", KINDS)
def test_no_near_miss_passes(kind: str) -> None:
    near = [pair for pair in pairs() if pair.kind == kind]
    assert [pair for pair in near if passes(pair)] == []
    # What 24 pairs without a miss can show at most; docs/cache.md says so.
    assert bounds(0, len(near))[1] < 0.15


def test_no_query_is_answered_with_another_ones_answer_by_any_text_of_the_set() -> None:
    readings = [(text, reading) for text in texts() if (reading := read(text)) is not None]
    false = [
        (one, other)
        for (one, reading), (other, its) in combinations(readings, 2)
        if is_same(reading, its) and frozenset((one, other)) not in paraphrases()
    ]
    compared = len(readings) * (len(readings) - 1) // 2
    assert len(false) / len(readings) <= 0.001, false
    assert compared > 400_000
    assert false == []


def test_paraphrases_pass_often_enough_to_be_worth_it() -> None:
    tuned = [passes(pair) for pair in pairs() if pair.same and not pair.held_out]
    held_out = [passes(pair) for pair in pairs() if pair.same and pair.held_out]
    # docs/cache.md tells these numbers; what was never tuned for passes less often.
    assert (sum(tuned), len(tuned), sum(held_out), len(held_out)) == (53, 80, 22, 40)


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ("Is 5 enough?", "Is 6 enough?", "number"),
        ("Is it safe to swim?", "Is it not safe to swim?", "negation"),
        ("Do the dogs chase cats?", "Do the cats chase dogs?", "order"),
        ("Is 10 km far for you?", "Is 10 miles far for you?", "unit"),
        ("Is the shop open on Monday?", "Is the shop open on Friday?", "date"),
        ("Do all birds of prey fly?", "Do some birds of prey fly?", "quantifier"),
        ("Can the landlord enter?", "Should the landlord enter?", "modality"),
        ("Who is the queen?", "Who was the queen?", "tense"),
        ("How do I clean polish furniture?", "How do I clean Polish furniture?", "entity"),
        ("What is the capital of Chad?", "What is the capital of Mali?", "words"),
        ("What does `x` do?", "What does `y` do?", "text"),
    ],
)
def test_a_difference_is_named(one: str, other: str, kind: str) -> None:
    first, second = read(one), read(other)
    assert isinstance(first, Reading)
    assert isinstance(second, Reading)
    assert difference(first, second) == kind
    assert not is_same(first, second)


@pytest.mark.parametrize("text", ["", "  \n", "What is the weather in Oslo?", "What is in the news today?"])
def test_what_is_never_compared(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Is my data safe\u200b?", "Is my data safe?"),
        ("What is a+b of the sum?", "What is a-b of the sum?"),
        ("Summarise this for me:\nprofits rose", "Summarise this for me:\nprofits fell"),
        ("what is 10² of it", "what is 102 of it"),
        ("How do I say please in Welsh?", "How do I say in Welsh?"),
        ("Translate: please help me", "Translate: help me"),
        ("What does US law say on it?", "What does us law say on it?"),
        ("hello kitty toys for my niece", "kitty toys for my niece"),
        ("It works?", "It works."),
        ("word " * 200 + "is the end", "word " * 201 + "is the end"),
    ],
)
def test_what_may_carry_a_meaning_is_not_passed_over(one: str, other: str) -> None:
    first, second = read(one), read(other)
    assert first is not None
    assert second is not None
    assert not is_same(first, second)


@pytest.mark.parametrize(("hits", "of", "low", "high"), [(0, 24, 0.0, 0.1425), (21, 40, 0.3613, 0.6849), (0, 0, 0, 1)])
def test_bounds_are_those_of_clopper_and_pearson(hits: int, of: int, low: float, high: float) -> None:
    assert bounds(hits, of) == pytest.approx((low, high), abs=5e-4)


def test_no_share_is_more_than_whole() -> None:
    with pytest.raises(ValueError, match="3 of 2"):
        bounds(3, 2)
