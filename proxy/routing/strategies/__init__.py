"""The ways to choose among candidates: each takes what is known of them, and gives them back in order, with reasons."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from proxy.routing.option import Option, Turn
from proxy.routing.ranking import Ranked, as_listed
from proxy.routing.settings import Strategy
from proxy.routing.strategies.costed import budget_aware, cache_aware, cheapest
from proxy.routing.strategies.drawn import sticky, weighted
from proxy.routing.strategies.paced import fastest, least_busy

LEAST_HEADROOM: Final = 0.05
"""Below this part of its rate limits a target is asked where no other is ready only."""
Rank: TypeAlias = Callable[[Sequence[Option], Turn], list[Ranked]]


def priority(options: Sequence[Option], turn: Turn) -> list[Ranked]:
    """As they are listed."""
    return list(as_listed([option.candidate for option in options]).order)


STRATEGIES: Final[Mapping[Strategy, Rank]] = {
    "priority": priority,
    "weighted": weighted,
    "cheapest": cheapest,
    "fastest": fastest,
    "least_busy": least_busy,
    "sticky": sticky,
    "budget_aware": budget_aware,
    "cache_aware": cache_aware,
}


def ranked(strategy: Strategy, options: Sequence[Option], turn: Turn) -> tuple[Ranked, ...]:
    """The candidates in the strategy's order; behind them those whose rate limits are nearly used up, then those that
    are better not asked now, the one that is to be left alone for the shortest time first."""
    rank = STRATEGIES[strategy]
    roomy = [option for option in options if option.look.ready and option.look.headroom >= LEAST_HEADROOM]
    if len(roomy) == len(options):
        return tuple(rank(options, turn))
    order = rank(roomy, turn) if roomy else []
    tight = [option for option in options if option.look.ready and option.look.headroom < LEAST_HEADROOM]
    last = len(options)
    order += [Ranked(each.candidate, last, f"{each.look.headroom:.0%} of its rate limits left") for each in tight]
    waiting = sorted((each for each in options if not each.look.ready), key=lambda each: each.look.wait_s)
    return (*order, *(Ranked(each.candidate, last, each.look.why) for each in waiting))
