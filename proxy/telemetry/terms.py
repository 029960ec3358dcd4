"""Why spend is another than before: the difference cut into six terms that add up to it exactly.

Nothing here asks a store. All is exact: fractions of nano-dollars, rounded once at the end so that the sum stays.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Final, TypeAlias

from proxy.core.money import ZERO, Nano
from proxy.core.usage import Bucket

ModelOf: TypeAlias = tuple[str, str]
"""A provider and a model of it: what has prices of its own."""

INPUT_SIDE: Final = (Bucket.INPUT, Bucket.CACHE_READ, Bucket.CACHE_WRITE, Bucket.CACHE_WRITE_1H)
"""What is the same text to who asks, and differs only by what the provider had of it in its cache."""


class Term(StrEnum):
    """One reason; docs/spend.md defines each in words, with an example."""

    VOLUME = "volume"
    TOKENS = "tokens_per_call"
    MIX = "model_mix"
    PRICE = "price"
    CACHE = "cache"
    RETRIES = "retries"


@dataclass(frozen=True, kw_only=True, slots=True)
class PaidCalls:
    """What the paid calls to one model were, without what was spent on attempts that gave no answer.

    `quantities` are tokens by bucket and provider-run tools by name; `rates` nano-dollars for one of each, as far as
    they are known: only how they stand to each other counts, since they are scaled to explain `cost`.
    """

    calls: int
    cost: Nano
    quantities: Mapping[str, int]
    rates: Mapping[str, Fraction] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One of the two times that are compared: paid calls by model, calls answered from our cache, and what was spent
    on attempts that gave no answer."""

    models: Mapping[ModelOf, PaidCalls]
    cached: int = 0
    wasted: Nano = ZERO

    @property
    def cost(self) -> Nano:
        """All that was spent."""
        return Nano(sum(used.cost for used in self.models.values()) + self.wasted)


def explained(before: Side, after: Side) -> dict[Term, Nano]:
    """What each reason made spend change by; the values add up to `after.cost - before.cost` exactly."""
    exact: dict[Term, Fraction] = dict.fromkeys(Term, Fraction(0))
    exact[Term.RETRIES] = Fraction(after.wasted - before.wasted)
    # What has no calls to be divided by can only have come from its price, such as a correction.
    exact[Term.PRICE] = Fraction(_uncounted(after) - _uncounted(before))
    old, new = _counted(before), _counted(after)
    if not old or not new:
        exact[Term.VOLUME] = Fraction(_cost(new) - _cost(old))
    else:
        _demand(exact, before, after)
        for name in old.keys() | new.keys():
            _of_model(exact, name, old, new)
    return dict(zip(exact, rounded(list(exact.values())), strict=True))


def rounded(exact: Sequence[Fraction]) -> list[Nano]:
    """Whole numbers that add up to the (whole) sum of these, each less than one away from its own."""
    floors = [part.numerator // part.denominator for part in exact]
    missing = int(sum(exact)) - sum(floors)
    by_rest = sorted(range(len(exact)), key=lambda at: (floors[at] - exact[at], at))
    return [Nano(floor + (at in by_rest[:missing])) for at, floor in enumerate(floors)]


def _demand(exact: dict[Term, Fraction], before: Side, after: Side) -> None:
    """More or fewer calls at the average cost before; of them, those that our cache answered cost nothing."""
    paid_before, paid_after = _calls(_counted(before)), _calls(_counted(after))
    average = Fraction(_cost(_counted(before)), paid_before)
    paid_share = Fraction(paid_before, paid_before + before.cached)
    grown = paid_after + after.cached - paid_before - before.cached
    exact[Term.VOLUME] = grown * paid_share * average
    exact[Term.CACHE] = (paid_after - paid_before) * average - exact[Term.VOLUME]


def _of_model(
    exact: dict[Term, Fraction], name: ModelOf, old: Mapping[ModelOf, PaidCalls], new: Mapping[ModelOf, PaidCalls]
) -> None:
    was, now = old.get(name), new.get(name)
    share = Fraction(was.calls, _calls(old)) if was is not None else Fraction(0)
    moved = (now.calls if now is not None else 0) - _calls(new) * share
    reference = was or now
    assert reference is not None
    exact[Term.MIX] += moved * Fraction(reference.cost, reference.calls)
    if was is not None and now is not None:
        _per_call(exact, was, now)


def _per_call(exact: dict[Term, Fraction], was: PaidCalls, now: PaidCalls) -> None:
    """What one call to a model costs now and cost before: by its quantities, by the cache's share, by price."""
    rates = {**_scaled(now), **_scaled(was)}
    old, new = _each(was), _each(now)
    input_old, input_new = _sum_of(old, INPUT_SIDE), _sum_of(new, INPUT_SIDE)
    worth_old, worth_new = _worth(old, rates, INPUT_SIDE), _worth(new, rates, INPUT_SIDE)
    # The average of the input side before; with nothing to average, the one there is.
    whole, worth = (input_old, worth_old) if input_old else (input_new, worth_new)
    average = worth / whole if whole else Fraction(0)
    others = (old.keys() | new.keys()) - set(INPUT_SIDE)
    more = (input_new - input_old) * average + _worth(new, rates, others) - _worth(old, rates, others)
    cached = worth_new - input_new * average
    exact[Term.TOKENS] += now.calls * more
    exact[Term.CACHE] += now.calls * cached
    exact[Term.PRICE] += now.cost - now.calls * (Fraction(was.cost, was.calls) + more + cached)


_CALL: Final = "call"
"""What is counted where nothing else is."""


def _quantities(used: PaidCalls) -> dict[str, int]:
    known = {name: quantity for name, quantity in used.quantities.items() if quantity}
    return known or {_CALL: used.calls}


def _scaled(used: PaidCalls) -> dict[str, Fraction]:
    """Rates of what was used, such that they explain the cost."""
    quantities = _quantities(used)
    rates = {name: used.rates.get(name, Fraction(0)) for name in quantities}
    explains = sum(quantity * rates[name] for name, quantity in quantities.items())
    if not explains:
        return dict.fromkeys(quantities, Fraction(used.cost, sum(quantities.values())))
    return {name: rate * used.cost / explains for name, rate in rates.items()}


def _each(used: PaidCalls) -> dict[str, Fraction]:
    return {name: Fraction(quantity, used.calls) for name, quantity in _quantities(used).items()}


def _sum_of(each: Mapping[str, Fraction], names: Iterable[str]) -> Fraction:
    return sum((each.get(name, Fraction(0)) for name in names), Fraction(0))


def _worth(each: Mapping[str, Fraction], rates: Mapping[str, Fraction], names: Iterable[str]) -> Fraction:
    return sum((each[name] * rates[name] for name in names if name in each), Fraction(0))


def _counted(side: Side) -> dict[ModelOf, PaidCalls]:
    return {name: used for name, used in side.models.items() if used.calls}


def _uncounted(side: Side) -> int:
    return sum(used.cost for used in side.models.values() if not used.calls)


def _cost(models: Mapping[ModelOf, PaidCalls]) -> int:
    return sum(used.cost for used in models.values())


def _calls(models: Mapping[ModelOf, PaidCalls]) -> int:
    return sum(used.calls for used in models.values())
