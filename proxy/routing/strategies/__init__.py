"""The ways to choose among candidates: each takes what is known of them, and gives them back in order, with reasons."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from proxy.routing.option import Option, Turn
from proxy.routing.ranking import Ranked, as_listed
from proxy.routing.settings import Strategy
from proxy.routing.strategies.costed import budget_aware, cache_aware, cheapest
from proxy.routing.strategies.drawn import sticky, weighted
from proxy.routing.strategies.paced import fastest, least_busy

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
    """The candidates in the strategy's order; those that are better not asked now stand behind the others."""
    ready = [option for option in options if option.look.ready]
    if len(ready) == len(options):
        return tuple(STRATEGIES[strategy](options, turn))
    order = STRATEGIES[strategy](ready, turn) if ready else []
    waiting = [Ranked(each.candidate, len(options), each.look.why) for each in options if not each.look.ready]
    return (*order, *waiting)
